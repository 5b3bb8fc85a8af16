"""Readings of the verdicts: other graders, and what an answer that nobody could judge counts as.

The primary reading takes the first grader's lenient verdict, and an unknown answer for not right.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distil.claims.selections import GradedAnswers

OTHER_GRADINGS = ("strict", "second", "judge")
GRADINGS = ("primary", *OTHER_GRADINGS, "best", "worst")


def has_grading(study: GradedAnswers, grading: str) -> bool:
    """Tell whether the answers hold what a reading of the verdicts needs."""
    if grading not in OTHER_GRADINGS:
        return True
    column = f"{grading}_verdict"
    return column in study.answers.columns and bool(study.answers[column].notna().any())


def regraded(study: GradedAnswers, grading: str) -> GradedAnswers:
    """The same study under another reading of the verdicts.

    Args:
        study: The study's graded answers.
        grading: `primary`; `strict`, `second` or `judge` for other verdict columns; `best` counts
            every unknown answer in the student's favour (right for the student, wrong for others),
            `worst` against.

    Returns:
        A study whose `verdict` is that reading.

    Raises:
        ValueError: If the reading is unknown or its column is absent.
    """
    table = study.answers
    if grading == "primary":
        return study
    if grading in OTHER_GRADINGS:
        column = f"{grading}_verdict"
        if column not in table.columns:
            raise ValueError(f"grading {grading!r}: the answers have no column {column}")
        return replace(study, answers=table.assign(verdict=table[column]))
    if grading not in ("best", "worst"):
        raise ValueError(f"grading {grading!r}: use one of {', '.join(GRADINGS)}")
    favoured = (table["role"] == "student") == (grading == "best")
    doubtful = table["verdict"] == "unknown"
    verdict = table["verdict"].mask(doubtful & favoured, "right")
    return replace(study, answers=table.assign(verdict=verdict.mask(doubtful & ~favoured, "wrong")))
