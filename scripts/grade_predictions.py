"""Grade predictions against the keys.

Input `predictions` (Parquet) and `problems` (JSONL files); params `limits`; how: `workers`;
output `grades`, a Parquet file sorted by id: id, problem, verdict, strict_verdict, second_verdict,
reason, extracted, rule.
"""

import itertools
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.parquet as pq

from distil.content.files import read_jsonl
from distil.grading.grading import judge_all
from distil.grading.second_grader import second_verdict
from distil.grading.workers import Limits
from distil.lineage.record import run

COLUMNS = (
    "id", "problem", "verdict", "strict_verdict", "second_verdict", "reason", "extracted", "rule",
)  # fmt: skip


def read_problems(paths: Iterable[str]) -> dict[str, dict]:
    """Problems by id from JSONL files.

    Args:
        paths: the files.

    Returns:
        Each problem's row by its id.

    Raises:
        ValueError: naming file and line, for a bad row or an id given twice with different answers.
    """
    problems: dict[str, dict] = {}
    for path in paths:
        for row in read_jsonl(path):
            key = row["id"]
            if key in problems and problems[key]["answer"] != row["answer"]:
                raise ValueError(f"{path}: problem {key} is given twice, and the answers differ")
            problems[key] = row
    return problems


def grade(
    predictions: list[dict],
    problems: dict[str, dict],
    workers: int | None = None,
    limits: Limits | None = None,
) -> list[dict]:
    """Grades of predictions, sorted by id.

    Args:
        predictions: rows with id, problem, text and finish.
        problems: rows with answer, and statement and options where known, by problem id.
        workers: processes for the answers that need one; by default one per core.
        limits: what judging one answer may cost.

    Returns:
        One row per prediction.

    Raises:
        ValueError: if a prediction's problem is unknown or an id occurs twice.
    """
    rows = sorted(predictions, key=lambda row: row["id"])
    for before, after in itertools.pairwise(rows):
        if before["id"] == after["id"]:
            raise ValueError(f"predictions: id {after['id']} occurs twice; ids must be unique")
    pairs = []
    for row in rows:
        if row["problem"] not in problems:
            raise ValueError(
                f"predictions: {row['id']} answers problem {row['problem']}, which is in no "
                f"problems "
                "file; pass the problems of every benchmark"
            )
        problem = problems[row["problem"]]
        pairs.append((problem["answer"], row["text"], question(problem), row["finish"] == "length"))
    grades = []
    for row, pair, verdict in zip(rows, pairs, judge_all(pairs, workers, limits), strict=True):
        grades.append(
            {
                "id": row["id"],
                "problem": row["problem"],
                "verdict": verdict.verdict,
                "strict_verdict": verdict.strict_verdict,
                "second_verdict": second_verdict(pair[0] or "", pair[1], cut=pair[3]),
                "reason": verdict.reason,
                "extracted": verdict.extracted,
                "rule": verdict.rule,
            }
        )
    return grades


def question(problem: dict) -> str:
    """Statement of a problem followed by its options, as the grader reads it."""
    options = "".join(
        f"\n({option['label']}) {option['text']}" for option in problem.get("options") or []
    )
    return (problem.get("statement") or "") + options


def main(*, input, output, params, how) -> None:  # noqa: A002
    problems = [input.problems] if isinstance(input.problems, str) else list(input.problems)
    predictions = pq.read_table(
        input.predictions, columns=["id", "problem", "text", "finish"]
    ).to_pylist()
    limits = Limits(
        cpu_seconds=params.limits["cpu_seconds"],
        memory_bytes=params.limits["memory_mb"] * 10**6,
    )
    workers = how["grading"]["workers"]
    rows = grade(predictions, read_problems(problems), workers, limits)
    table = pa.table({name: pa.array([row[name] for row in rows], pa.string()) for name in COLUMNS})
    pq.write_table(table, output.grades, compression="zstd")


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
