r"""Grading answers: is a model's output right, wrong, or can it not be told.

`judge` grades one output, `judge_all` many, `canonical_answer` brings a printed key to canonical
LaTeX and `second_verdict` is an independent grader for the sensitivity row.
"""

from distil.answers.grading import Verdict, judge, judge_all
from distil.answers.second_grader import agreement, second_verdict
from distil.answers.workers import Limits
from distil.notation import canonical_answer

__all__ = [
    "Limits",
    "Verdict",
    "agreement",
    "canonical_answer",
    "judge",
    "judge_all",
    "second_verdict",
]
