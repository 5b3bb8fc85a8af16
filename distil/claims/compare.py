"""Paired comparison of any two variants by name, from the answers of a finished study.

    A="role=student estimand=held_out level=R1 stop=nested"
    distil compare "$A" "role=base estimand=held_out level=R1" --study sample

prints first minus second on the questions that both answered, with the settings under which the
study's claims were tested. The comparison stands outside the declared family: its p is adjusted for
nothing, and whoever makes several of them must say so.
"""

from __future__ import annotations

import json
import sys

from distil.claims.formulas import compared
from distil.claims.selections import GradedAnswers, Selection, answers, read_study
from distil.content.addresses import record_path
from distil.inference.estimates import Estimate


def compare(study: GradedAnswers, first: str, second: str) -> Estimate:
    """Compare two variants on the same questions.

    Args:
        study: The study's graded answers.
        first: A variant, for example `role=student estimand=held_out level=R1 stop=nested`.
        second: Another on the same questions.

    Returns:
        First minus second by the primary test.

    Raises:
        ValueError: If a variant cannot be read, or the two differ in questions or seeds.
    """
    one, two = (answers(study, Selection.parse(text)) for text in (first, second))
    return compared(study, one, two)


def open_finished(name: str) -> GradedAnswers:
    """Read a study as the job that tested its claims read it.

    Args:
        name: The study's name; its results lie in results/NAME.

    Returns:
        The study's graded answers.

    Raises:
        FileNotFoundError: If its claims were not tested here.
    """
    record = record_path(name, "judge_claims", {"study": name})
    if not record.is_file():
        raise FileNotFoundError(f"{record} is missing: run study {name}, or unpack its results")
    found = json.loads(record.read_text(encoding="utf-8"))
    stops = [row["path"] for row in found["input"] if row["name"] == "stops"]
    return read_study(f"results/{name}/grades/answers.parquet", stops, found["params"])


def text(found: Estimate, alpha: float) -> str:
    """Write a comparison in a line."""
    p = "< 0.001" if found.p < 0.001 else f"= {found.p:.3f}"
    line = (
        f"{100 * found.estimate:+.2f} points, {100 * (1 - alpha):g} % interval "
        f"{100 * found.low:.2f} to {100 * found.high:.2f}, p {p} (not adjusted); "
        f"n = {found.n} in {found.clusters} clusters; {found.test}"
    )
    return f"{line}; {found.note}" if found.note else line


def print_comparison(name: str, first: str, second: str) -> int:
    """Print the comparison of two variants of a finished study.

    Returns:
        The exit code: 0, or 2 for a comparison that cannot be; the reason goes to standard error.
    """
    try:
        study = open_finished(name)
        print(text(compare(study, first, second), study.alpha))
    except (FileNotFoundError, ValueError) as error:
        print(f"compare: {error}", file=sys.stderr)
        return 2
    return 0
