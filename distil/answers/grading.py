"""Verdicts: extraction, comparison and instructions put together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from distil.answers.extraction import extract_answer
from distil.answers.equivalence import compare_answers


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


def judge(gold: str, output: str, problem: str | None = None, *, cut: bool = False) -> Verdict:
    """Grade one output.

    Args:
        gold: the key's answer.
        output: the model's whole output.
        problem: the question, for instructions about the form of the answer.
        cut: the output was cut off at the token limit.

    Returns:
        The verdict. It never raises on any pair of strings.
    """
    found = extract_answer(output)
    if found.answer is None or (cut and found.at_end):
        return Verdict(
            "wrong",
            "wrong",
            found.reason or "output cut off in its answer",
            found.answer or "",
            "no answer",
        )
    result = compare_answers(gold, found.answer)
    verdict = {True: "right", False: "wrong", None: "unknown"}[result.same]
    return Verdict(verdict, verdict, result.reason, found.answer, result.rule)


def judge_all(pairs: Iterable[Sequence], workers: int | None = None) -> list[Verdict]:
    """Grade many outputs, in order.

    Args:
        pairs: (gold, output), (gold, output, problem) or (gold, output, problem, cut) each.
        workers: number of worker processes for the pairs that need one; by default one per core.

    Returns:
        One verdict per pair, in the order of the pairs.
    """
    del workers
    verdicts: dict[tuple, Verdict] = {}
    keys = [tuple(pair) + (None, False)[len(tuple(pair)) - 2 :] for pair in pairs]
    for key in keys:
        if key not in verdicts:
            verdicts[key] = judge(key[0], key[1], key[2], cut=bool(key[3]))
    return [verdicts[key] for key in keys]
