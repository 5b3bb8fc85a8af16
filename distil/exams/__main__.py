"""Read an exam: `python -m distil.exams PAPER.pdf [--key KEY.pdf]`, one JSON object a problem."""

from __future__ import annotations

import argparse
import json
import os
import sys

from distil.exams.errors import ExamError
from distil.exams.extraction import extract_safely

SHOWN = (
    "id", "number", "statement", "statement_plain", "options", "answer", "answer_raw", "page",
    "box", "method", "flags", "confidence",
)  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Print the problems of a paper, one JSON object a line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m distil.exams", description=__doc__)
    parser.add_argument("paper", help="an exam in PDF")
    parser.add_argument("--key", help="its answer key or solutions, if in a second PDF")
    parser.add_argument("--year", type=int, help="goes into the ids")
    parser.add_argument(
        "--sections", nargs="*", default=[], help="short names of the tests in the paper, in order"
    )
    parser.add_argument("--memory-mb", type=int, default=2048, help="limit (default 2048)")
    parser.add_argument("--cpu-seconds", type=int, default=600, help="limit (default 600)")
    parser.add_argument("--wall-seconds", type=int, default=900, help="limit (default 900)")
    options = parser.parse_args(arguments)
    try:
        rows = extract_safely(
            options.paper,
            options.key,
            memory=options.memory_mb * 1024**2,
            cpu_seconds=options.cpu_seconds,
            wall_seconds=options.wall_seconds,
            year=options.year,
            sections=options.sections,
        )
    except ExamError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    try:
        for row in rows:
            print(json.dumps({name: row[name] for name in SHOWN}, ensure_ascii=False))
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    sys.exit(main())
