r"""Verdicts on model outputs: right, wrong or unknown, by key, answer and question.

    judge(r"\frac34", "So the answer is $0.75$.").verdict  # "right"

A verdict depends on key, output and question alone: not on order, number of workers or load.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from distil.grading import instructions
from distil.grading.equivalence import Comparison, compare_answers, same_form
from distil.grading.extraction import Extraction, extract_answer
from distil.grading.forms import readings
from distil.grading.kinds import Asked, Choice, Opaque, Words
from distil.grading.plain import plain
from distil.grading.units import unit_named
from distil.grading.vocabulary import OTHER_SENSE
from distil.grading.workers import Limits, check_all, too_costly
from distil.notation.answers import clean

# Longer keys and answers are not compared at all.
LONGEST = 4_000


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
class _Task:
    """One key, one output and what the question says."""

    gold: str
    output: str
    problem: str
    cut: bool
    tolerance: float = 0.0

    @property
    def asked(self) -> Asked:
        found = instructions.asked(self.problem)
        return replace(found, tolerance=self.tolerance) if self.tolerance else found


@dataclass(frozen=True)
class _Pending:
    """A verdict that waits for the bigger parser."""

    gold: str
    answer: str
    found: Extraction
    task: _Task


_NAMES = {True: "right", False: "wrong", None: "unknown"}
_ORDER = ("right", "unknown", "wrong")


def _compare(task: _Task, answer: str, latex: bool = False) -> Comparison:
    gold, asked = task.gold, task.asked
    result = compare_answers(gold, answer, asked, latex=latex)
    if not task.problem:
        return result
    converted = instructions.converted(asked, gold, answer)
    if converted:
        return Comparison(True, "number", "equal in the unit asked for", loose="unit")
    if result.same and converted is False:
        return Comparison(False, "number", "the key's number in another unit than asked for")
    if result.same and instructions.unit_conflict(asked, gold, answer):
        return Comparison(None, "number", "the key's number with a unit that was not asked for")
    if result.same and instructions.misordered(task.problem, gold, answer):
        return Comparison(False, "collection", "not in the order asked for")
    optional = _by_option(task, answer)
    if result.same:
        return optional if optional and not optional.same else result
    if instructions.base_left_out(task.problem, gold, answer):
        return Comparison(True, "base", "the base asked for is not written", loose="base left out")
    if instructions.rounds_to(asked, gold, answer):
        return Comparison(True, "rounding", "rounds to the key as asked", loose="not rounded")
    return optional or result


def _by_option(task: _Task, answer: str) -> Comparison | None:
    """A letter against the value of its option, when the question lists the options."""
    listed = instructions.options(task.problem)
    if not listed:
        return None
    wanted, given = readings(task.gold)[0], readings(answer)[0]
    if isinstance(given, Choice) and given.value is not None and given.letter in listed:
        equal = {
            letter
            for letter, text in listed.items()
            if any(same_form(option, given.value, task.asked) for option in readings(text))
        }
        if equal and given.letter not in equal:
            return Comparison(None, "choice", "the letter's option has another value")
    if isinstance(wanted, Choice) == isinstance(given, Choice):
        return None
    choice, value = (wanted, answer) if isinstance(wanted, Choice) else (given, task.gold)
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


# "20", "3 1/2", "\$5", "20%"; not the 2 of "x^2", of "1/2x" or of "A2".
_ONE_NUMBER = re.compile(
    r"(?<![\w.,/^{}\\-])(?:\\?\$\s*)?-?\d[\d,]*(?:\.\d+)?(?:\s+\d+/\d+|/\d+)?(?:\s*\\?%)?"
    r"(?![\w^{/\\.]|,\d)"
)
# "366 (60 + 306)"; "f (x)" has no sum in its brackets that comes to f.
_HEAD_AND_CHECK = re.compile(
    r"^(.+?\S)\s+\(\s*(?:(?:about|approximately|=|\\approx)\s*)*([^()]*\d[^()]*)\)$"
)
# With these a sentence with one number may still mean another.
_MORE_SENSE = re.compile(
    rf"{OTHER_SENSE.pattern}|\b(?:out|hundred|thousand|million|billion|dozen)\b|[\d=<>+*^\\?]", re.I
)


def _plainer(found: Extraction) -> str | None:
    """What a wordy answer comes to: "366 (60 + 306)", "she needs 20 cups"; None if unclear."""
    text = plain(found.answer.strip().rstrip(".")).text
    checked = _HEAD_AND_CHECK.match(text)
    if checked and compare_answers(checked[1], rf"{checked[1]} \approx {checked[2]}").same:
        return checked[1]
    if found.rule == "whole" or not isinstance(readings(text)[0], Words | Opaque):
        return None
    numbers = list(_ONE_NUMBER.finditer(text))
    words = _ONE_NUMBER.sub(" ", text)
    if len(numbers) != 1 or not re.search(r"[A-Za-z]{2,}", words) or _MORE_SENSE.search(words):
        return None
    unit = re.match(r"\s*([A-Za-z]+)", text[numbers[0].end() :])
    return numbers[0].group() + (f" {unit[1]}" if unit and unit_named(unit[1]) else "")


def _letter_after_box(task: _Task, found: Extraction, result: Comparison) -> Comparison | None:
    """The option's letter that a later statement gives, where the box holds no letter."""
    letter, boxed = readings(found.later.answer)[0], readings(found.answer)[0]
    if not isinstance(letter, Choice) or isinstance(boxed, Choice):
        return None
    key = readings(task.gold)[0]
    listed = instructions.options(task.problem)
    if listed and letter.letter in listed:
        equal = {name for name, text in listed.items() if compare_answers(text, found.answer).same}
        if equal and letter.letter not in equal:
            return Comparison(None, "conflict", "a later statement disagrees with the box")
    elif not isinstance(key, Choice) or result.same:
        return None
    return _compare(task, found.later.answer, found.later.latex)


def _first_pass(task: _Task) -> Verdict | _Pending:
    found = extract_answer(task.output)
    if found.answer is None:
        return Verdict("wrong", "wrong", found.reason, "", "no answer")
    if task.cut and found.at_end:
        reason = "output cut off in its answer"
        return Verdict("wrong", "wrong", reason, found.answer, "no answer")
    if len(task.gold) > LONGEST or len(found.answer) > LONGEST:
        same = task.gold.strip() == found.answer.strip() and bool(task.gold.strip())
        verdict = "right" if same else "unknown"
        return Verdict(verdict, verdict, "too long to compare", found.answer[:LONGEST], "length")
    found = replace(found, answer=_joined(found))
    result = _compare(task, found.answer, found.latex)
    if not result.same and (plainer := _plainer(found)):
        retried = _compare(task, plainer)
        result = retried if retried.same else result
    if found.later is not None and _is_statement(found.later.answer):
        later = _letter_after_box(task, found, result)
        if later is not None:
            result = later
        else:
            said = {_compare(task, found.later.answer, found.later.latex).same, result.same}
            if len(said) > 1 and True in said:
                result = Comparison(None, "conflict", "a later statement disagrees with the box")
    if result.deferred:
        wanted, given = clean(task.gold), clean(found.answer)
        reason = too_costly(wanted) or too_costly(given)
        if not reason:
            return _Pending(wanted, given, found, task)
        result = Comparison(None, "cost guard", reason)
    return _verdict(result, found, task)


def _verdict(result: Comparison, found: Extraction, task: _Task) -> Verdict:
    verdict = strict = _NAMES[result.same]
    reason = result.reason
    if result.same:
        broken = result.loose
        if task.problem and not broken:
            broken = instructions.broken_demand(task.problem, task.gold, found.answer)
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
    return _verdict(Comparison(same, "math-verify", reason), pending.found, pending.task)


def _safe_first_pass(task: _Task) -> Verdict | _Pending:
    try:
        return _first_pass(task)
    except (Exception, RecursionError, MemoryError) as error:  # noqa: BLE001
        reason = f"grader failed: {type(error).__name__}"
        return Verdict("unknown", "unknown", reason, "", "failure")


def _best(verdicts: list[Verdict]) -> Verdict:
    """The verdict on an output that may equal any of several keys."""
    best = min(verdicts, key=lambda verdict: _ORDER.index(verdict.verdict))
    strict = min((verdict.strict_verdict for verdict in verdicts), key=_ORDER.index)
    return replace(best, strict_verdict=strict)


def judge(
    gold: str | Sequence[str] | None,
    output: str,
    problem: str | None = None,
    *,
    cut: bool = False,
    tolerance: float = 0.0,
) -> Verdict:
    """Grade one output.

    Args:
        gold: the key's answer, or several of which any is right.
        output: the model's whole output.
        problem: the question, for instructions about the form of the answer and its options.
        cut: the output was cut off at the token limit; an answer that runs to its end is none.
        tolerance: relative error within which two numbers count as equal; 0 for exact equality.

    Returns:
        The verdict. It never raises on any strings.
    """
    return judge_all([(gold, output, problem, cut)], workers=1, tolerance=tolerance)[0]


def judge_all(
    pairs: Iterable[Sequence],
    workers: int | None = None,
    limits: Limits | None = None,
    *,
    tolerance: float = 0.0,
) -> list[Verdict]:
    """Grade many outputs, in order; equal pairs are graded once.

    Args:
        pairs: (gold, output), (gold, output, problem) or (gold, output, problem, cut) each; a
            key that is None or empty leaves the answer unknown; a list of keys accepts any of them.
        workers: number of processes for the few pairs that need one; by default one per core.
        limits: what one answer may cost; by default those of `Limits`.
        tolerance: relative error within which two numbers count as equal; 0 for exact equality.

    Returns:
        One verdict per pair, in the order of the pairs. They depend on the pairs alone, not on
        their order, the number of workers or the load of the machine.
    """
    rows: list[list[_Task]] = []
    for pair in pairs:
        gold, output, problem, cut = (*pair, None, False)[:4] if len(pair) < 4 else pair
        golds = [gold] if isinstance(gold, str | None) else list(gold) or [None]
        rows.append(
            [_Task(key or "", output or "", problem or "", bool(cut), tolerance) for key in golds]
        )
    tasks = dict.fromkeys(task for row in rows for task in row)
    results = {task: _safe_first_pass(task) for task in tasks}
    waiting = {task: item for task, item in results.items() if isinstance(item, _Pending)}
    formulas = list(dict.fromkeys((item.gold, item.answer) for item in waiting.values()))
    outcomes = dict(zip(formulas, check_all(formulas, workers, limits), strict=True))
    for task, item in waiting.items():
        results[task] = _second_pass(item, outcomes[item.gold, item.answer])
    return [_best([results[task] for task in row]) for row in rows]
