"""Read one year's exam papers to problems.

Input: `papers`, the year's PDFs in the order of the sections; `keys`, if the study has them, the
PDFs of their answer keys in the same order (else each paper holds its own key).
Output: `problems`, one row a problem, sorted by id.
Params: `year`; `sections`, short names in the order of the papers; `limits`, what the process that
reads one PDF may take (`memory_mb`, `cpu_seconds`, `wall_seconds`); `checks`, optional, what the
sha256 of a paper must be, by file name.
"""

from collections import Counter
from typing import Any

from distil.exams import ExamError, extract_safely
from distil.hashing import write_jsonl


def read_year(
    papers: list[str],
    keys: list[str],
    *,
    year: int,
    sections: list[str],
    limits: dict[str, int],
) -> list[dict[str, Any]]:
    """Return the problems of one year's papers, sorted by id.

    Raises:
        ExamError: a paper cannot be read, or two of its problems have one number.
    """
    rows: list[dict[str, Any]] = []
    for place, (paper, section) in enumerate(zip(papers, sections, strict=True)):
        found = extract_safely(
            paper,
            keys[place] if keys else None,
            memory=limits["memory_mb"] * 1024**2,
            cpu_seconds=limits["cpu_seconds"],
            wall_seconds=limits["wall_seconds"],
            year=year,
            sections=[section],
        )
        twice = [name for name, count in Counter(row["id"] for row in found).items() if count > 1]
        if twice:
            raise ExamError(
                paper,
                f"the ids {', '.join(twice)} stand for two problems each",
                "check the numbering; give a PDF with several tests one section name for each",
            )
        rows += found
    return sorted(rows, key=lambda row: row["id"])


def main(*, input: Any, output: Any, params: Any) -> dict[str, Any]:  # noqa: A002
    rows = read_year(
        list(input.papers),
        list(getattr(input, "keys", None) or [])
        if not callable(getattr(input, "keys", None))
        else [],
        year=int(params.year),
        sections=list(params.sections),
        limits=params.limits,
    )
    write_jsonl(output.problems, rows)
    return {
        "facts": {
            "problems": len(rows),
            "flags": dict(sorted(Counter(flag for row in rows for flag in row["flags"]).items())),
            "without_answer": sum(row["answer"] is None for row in rows),
        }
    }


if __name__ == "__main__":
    from distil.lineage import run

    run(main, snakemake)  # noqa: F821
