"""Seconds of two runs of a study, job by job: `python -m benchmarks.jobs BEFORE AFTER`.

BEFORE and AFTER are folders of results of one study (results/STUDY), each made by one run from
nothing on the same machine; their files under timings/ are what Snakemake measured of each job's
process, start-up and imports included. Prints, rule by rule, jobs and seconds, and the ratio of all
that lies outside training and answering. What Snakemake itself takes to start a job is not in the
timings; it grows with the number of jobs, which is printed.
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from pathlib import Path

APART = {"train_adapter", "predict_answers", "predict_teacher", "pretrain_student"}


def read_timings(results: Path) -> dict[str, list[float]]:
    """Return the seconds of each job's process by rule.

    Raises:
        FileNotFoundError: the folder holds no timings.
    """
    found: dict[str, list[float]] = defaultdict(list)
    for path in sorted((results / "timings").rglob("*.tsv")):
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream, delimiter="\t"))
        rule = path.relative_to(results / "timings").parts[0].removesuffix(".tsv")
        found[rule] += [float(row["s"]) for row in rows]
    if not found:
        raise FileNotFoundError(f"{results}: no timings; name the results of a run, results/STUDY")
    return dict(found)


def outside(timings: dict[str, list[float]]) -> tuple[int, float]:
    """Return the number and the seconds of the jobs that neither train nor answer."""
    rest = [seconds for rule, times in timings.items() if rule not in APART for seconds in times]
    return len(rest), sum(rest)


def main(before: str, after: str) -> None:
    """Print the table and the ratio."""
    sides = [read_timings(Path(folder)) for folder in (before, after)]
    print(f"{'rule':26}{'jobs':>6}{'s':>9}{'jobs':>8}{'s':>9}")
    for rule in sorted(sides[0].keys() | sides[1].keys()):
        times = [side.get(rule, []) for side in sides]
        (one, first), (two, second) = ((len(found), sum(found)) for found in times)
        print(f"{rule:26}{one:6}{first:9.1f}{two:8}{second:9.1f}")
    (jobs, seconds), (fewer, less) = map(outside, sides)
    print(
        f"outside training and answering: {jobs} jobs, {seconds:.1f} s; {fewer} jobs, {less:.1f} s"
    )
    print(f"seconds outside training and answering, after / before: {less / seconds:.3f}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit("usage: python -m benchmarks.jobs RESULTS_BEFORE RESULTS_AFTER")
    main(*sys.argv[1:])
