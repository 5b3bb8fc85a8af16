"""Read one year's exam papers to problems.

Input: `papers`, the year's PDFs; `answer_keys`, the PDFs of those keys that are files of their own.
Output: `extracted`, one row a problem, sorted by id; correct_problems makes the study's problems
from these.
Params: `year`; `tests`, for each paper {"tests": its tests as the manifest lists them, "key":
whether its key is a file of its own}; `limits`, what the process that reads one PDF may take
(`memory_mb`, `cpu_seconds`, `wall_seconds`); `third_reading`, the package that reads scans a third
time, with its version (null: none).
"""

from collections import Counter
from typing import Any

from distil.content.files import write_jsonl
from distil.content.progress import ProgressLine
from distil.exams.errors import ExamError
from distil.exams.extraction import extract_safely


def read_year(
    papers: list[str],
    answer_keys: list[str],
    *,
    year: int,
    tests: list[dict[str, Any]],
    limits: dict[str, int],
    third_reading: str | None = None,
) -> list[dict[str, Any]]:
    """Return the problems of one year's papers, sorted by id.

    Raises:
        ExamError: a paper cannot be read, or two of its problems have one number.
    """
    rows: list[dict[str, Any]] = []
    keys = iter(answer_keys)
    line = ProgressLine(len(papers), "papers")
    for number, (paper, test) in enumerate(zip(papers, tests, strict=True), start=1):
        found = extract_safely(
            paper,
            next(keys) if test["key"] else None,
            memory=limits["memory_mb"] * 1024**2,
            cpu_seconds=limits["cpu_seconds"],
            wall_seconds=limits["wall_seconds"],
            year=year,
            tests=test["tests"],
            third_reading=third_reading,
        )
        twice = [name for name, count in Counter(row["id"] for row in found).items() if count > 1]
        if twice:
            raise ExamError(
                paper,
                f"the ids {', '.join(twice)} stand for two problems each",
                "check the numbering; list each test of a PDF in the manifest (docs/extending.md)",
            )
        rows += found
        line.show(number)
    return sorted(rows, key=lambda row: row["id"])


def main(*, input: Any, output: Any, params: Any) -> dict[str, Any]:  # noqa: A002
    rows = read_year(
        list(input.papers),
        list(input.answer_keys),
        year=int(params.year),
        tests=params.tests,
        limits=params.limits,
        third_reading=params.third_reading,
    )
    write_jsonl(output.extracted, rows)
    return {
        "facts": {
            "problems": len(rows),
            "flags": dict(sorted(Counter(flag for row in rows for flag in row["flags"]).items())),
            "without_answer": sum(row["answer"] is None for row in rows),
        }
    }


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
