"""Verdicts: extraction, comparison, instructions and the bigger parser put together."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from distil.grading import instructions
from distil.grading.equivalence import Comparison, compare_answers
from distil.grading.extraction import Extraction, extract_answer
from distil.grading.forms import readings, without_lead
from distil.grading.formulas import too_costly
from distil.grading.kinds import Choice, Opaque, Words
from distil.grading.units import unit_named
from distil.grading.vocabulary import TEXT
from distil.grading.workers import Limits, check_all
from distil.notation.answers import clean

# Longer keys and answers are not compared at all.
_LONGEST = 4_000


@dataclass(frozen=True)
class Verdict:
    """What the grader says of one output.

    Attributes:
        verdict: "right", "wrong" or "unknown" (could not tell), by mathematical equality.
        strict_verdict: the same, and the form that the question asks for must be kept too.
        reason: one phrase that says why.
        extracted: the answer found in the output; empty when there is none.
        rule: the rule that decided.
    """

    verdict: str
    strict_verdict: str
    reason: str
    extracted: str
    rule: str


@dataclass(frozen=True)
class _Pending:
    """A verdict that waits for the bigger parser."""

    gold: str
    answer: str
    found: Extraction
    problem: str
    reason: str


_NAMES = {True: "right", False: "wrong", None: "unknown"}


def _compare(gold: str, answer: str, problem: str) -> Comparison:
    result = compare_answers(gold, answer)
    if not problem:
        return result
    converted = instructions.converted(problem, gold, answer)
    if converted:
        return Comparison(True, "number", "equal in the unit asked for", loose="unit")
    if result.same and converted is False:
        return Comparison(False, "number", "the key's number in another unit than asked for")
    if result.same and instructions.misordered(problem, gold, answer):
        return Comparison(False, "collection", "not in the order asked for")
    if result.same:
        return result
    if instructions.base_left_out(problem, gold, answer):
        return Comparison(True, "base", "the base asked for is not written", loose="base left out")
    if instructions.rounds_to(problem, gold, answer):
        return Comparison(True, "rounding", "rounds to the key as asked", loose="not rounded")
    return _by_option(gold, answer, problem) or result


def _by_option(gold: str, answer: str, problem: str) -> Comparison | None:
    """A letter against the value of its option, when the question lists the options."""
    wanted, given = readings(gold)[0], readings(answer)[0]
    if isinstance(wanted, Choice) == isinstance(given, Choice):
        return None
    listed = instructions.options(problem)
    choice, value = (wanted, answer) if isinstance(wanted, Choice) else (given, gold)
    if choice.letter not in listed or choice.value is not None:
        return None
    equal = {letter for letter, text in listed.items() if compare_answers(text, value).same}
    if equal == {choice.letter}:
        return Comparison(True, "choice", "the value of the option", loose="value for letter")
    return Comparison(False, "choice", "not the value of the option") if equal else None


def _is_statement(text: str) -> bool:
    return not isinstance(readings(text)[0], Words | Opaque)


def _joined(found: Extraction) -> str:
    """Adjacent boxes are one answer; boxes that hold the same value are that value."""
    if found.rule == "boxes":
        *others, last = found.parts
        if all(compare_answers(last, other).same for other in others):
            return last
    return found.answer


_ONE_NUMBER = re.compile(
    r"(?<![\w.,/^{}\\-])(?:\\?\$\s*)?-?\d[\d,]*(?:\.\d+)?(?:\s+\d+/\d+|/\d+)?(?:\s*\\?%)?"
    r"(?![\w^{/\\.]|,\d)"
)
# With these words a sentence may give another value than the number in it.
_OTHER_SENSE = re.compile(
    r"\b(?:not|no|never|neither|cannot|unable|unknown|less|more|fewer|least|most|between|than|or|"
    r"except|wrong|incorrect|instead|if|unless|half|times|out|minus|negative|hundred|thousand|"
    r"million|billion|dozen)\b|n't\b|[\d=<>+*^\\?]",
    re.IGNORECASE,
)
_HEAD_AND_CHECK = re.compile(
    r"^(.+?\S)\s+\(\s*(?:(?:i\.e\.,?|or|that is,?|about|approximately|=|\\approx|≈)\s*)*([^()]+)\)$"
)


def _plainer(found: Extraction) -> str | None:
    """What a wordy answer comes to: "366 (60 + 306)", "she needs 20 cups"; None if unclear."""
    text = found.answer.strip().rstrip(".").replace("**", "")
    checked = _HEAD_AND_CHECK.match(text)
    if checked and compare_answers(checked[1], rf"{checked[1]} \approx {checked[2]}").same:
        return checked[1]
    if found.rule == "whole" or not isinstance(readings(text)[0], Words | Opaque):
        return None
    text = TEXT.sub(r" \1 ", text)
    numbers = list(_ONE_NUMBER.finditer(text))
    words = _ONE_NUMBER.sub(" ", text)
    if len(numbers) != 1 or not re.search(r"[A-Za-z]{2,}", words) or _OTHER_SENSE.search(words):
        return None
    unit = re.match(r"\s*([A-Za-z]+)", text[numbers[0].end() :])
    return numbers[0].group() + (f" {unit[1]}" if unit and unit_named(unit[1]) else "")


def _first_pass(gold: str, output: str, problem: str, cut: bool) -> Verdict | _Pending:
    found = extract_answer(output)
    if found.answer is None:
        return Verdict("wrong", "wrong", found.reason, "", "no answer")
    if cut and found.at_end:
        reason = "output cut off in its answer"
        return Verdict("wrong", "wrong", reason, found.answer, "no answer")
    if len(gold) > _LONGEST or len(found.answer) > _LONGEST:
        same = gold.strip() == found.answer.strip() and bool(gold.strip())
        verdict = "right" if same else "unknown"
        return Verdict(verdict, verdict, "too long to compare", found.answer[:_LONGEST], "length")
    found = replace(found, answer=without_lead(_joined(found)))
    result = _compare(gold, found.answer, problem)
    if not result.same and (plainer := _plainer(found)):
        retried = _compare(gold, plainer, problem)
        result = retried if retried.same else result
    if found.later is not None and _is_statement(found.later):
        later = _compare(gold, found.later, problem)
        if later.same != result.same and True in {later.same, result.same}:
            reason = "a later statement disagrees with the box"
            return Verdict("unknown", "unknown", reason, found.answer, "conflict")
    if result.deferred:
        wanted, given = clean(gold), clean(found.answer)
        reason = too_costly(wanted) or too_costly(given)
        if not reason:
            return _Pending(wanted, given, found, problem, result.reason)
        result = Comparison(None, "cost guard", reason)
    return _verdict(result, found, gold, problem)


def _verdict(result: Comparison, found: Extraction, gold: str, problem: str) -> Verdict:
    verdict = strict = _NAMES[result.same]
    reason = result.reason
    if result.same:
        broken = result.loose
        if problem and not broken:
            broken = instructions.broken_demand(problem, gold, found.answer)
        if broken:
            strict = "wrong"
            reason = f"{reason}; form: {broken}"
    return Verdict(verdict, strict, reason, found.answer, result.rule)


_OUTCOMES = {
    "equal": (True, "equal by math-verify"),
    "unequal": (False, "not equal by math-verify"),
    "gold not parsed": (None, "the key is not understood"),
    "answer not parsed": (None, "the answer is not understood"),
    "cpu limit": (None, "time-out: the formula took too much CPU time"),
    "memory": (None, "the formula took too much memory"),
    "too deep": (None, "the formula is nested too deeply"),
    "crash": (None, "the parser crashed"),
    "hang": (None, "the parser hung"),
}


def _second_pass(pending: _Pending, outcome: str) -> Verdict:
    same, reason = _OUTCOMES.get(outcome, (None, f"the parser failed: {outcome}"))
    result = Comparison(same, "math-verify", reason)
    return _verdict(result, pending.found, pending.gold, pending.problem)


def _safe_first_pass(gold: str, output: str, problem: str, cut: bool) -> Verdict | _Pending:
    try:
        return _first_pass(gold, output, problem, cut)
    except (Exception, RecursionError, MemoryError) as error:  # noqa: BLE001
        return Verdict(
            "unknown", "unknown", f"grader failed: {type(error).__name__}", "", "failure"
        )


def judge(gold: str, output: str, problem: str | None = None, *, cut: bool = False) -> Verdict:
    """Grade one output.

    Args:
        gold: the key's answer.
        output: the model's whole output.
        problem: the question, for instructions about the form of the answer and its options.
        cut: the output was cut off at the token limit; an answer that runs to its end is none.

    Returns:
        The verdict. It never raises on any strings.
    """
    return judge_all([(gold, output, problem, cut)], workers=1)[0]


def judge_all(
    pairs: Iterable[Sequence], workers: int | None = None, limits: Limits | None = None
) -> list[Verdict]:
    """Grade many outputs, in order; equal pairs are graded once.

    Args:
        pairs: (gold, output), (gold, output, problem) or (gold, output, problem, cut) each; a
            key that is None or empty leaves the answer unknown.
        workers: number of processes for the few pairs that need one; by default one per core.
        limits: what one answer may cost; by default 4 seconds of CPU time and 2 GiB.

    Returns:
        One verdict per pair, in the order of the pairs. They depend on the pairs alone, not on the
        load of the machine.
    """
    keys = []
    for pair in pairs:
        gold, output, problem, cut = (
            (*pair, None, False)[:4] if len(pair) == 2 else (*pair, False)[:4]
        )
        keys.append((gold or "", output or "", problem or "", bool(cut)))
    results = {key: _safe_first_pass(*key) for key in dict.fromkeys(keys)}
    waiting = {key: result for key, result in results.items() if isinstance(result, _Pending)}
    formulas = list(dict.fromkeys((item.gold, item.answer) for item in waiting.values()))
    outcomes = dict(zip(formulas, check_all(formulas, workers, limits), strict=True))
    for key, item in waiting.items():
        results[key] = _second_pass(item, outcomes[item.gold, item.answer])
    return [results[key] for key in keys]
