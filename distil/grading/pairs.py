"""Pairs of key and output from a file, graded one by one: what `distil grade` prints.

Each line of the file holds {"id", "gold", "output", "problem" (optional)}; each printed line holds
{"id", "verdict", "reason", "extracted", "rule"}, in the order of the input. All lines are read
before the first is graded, so that a bad one stops the call before it costs anything.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path

from distil.grading.grading import judge_all

# Verdicts are printed in groups, so that little is lost when the call is ended.
_GROUP = 100


def read_pairs(lines: Iterable[bytes], name: str) -> list[dict]:
    """Rows of a JSONL file of pairs.

    Args:
        lines: the lines, undecoded.
        name: of the file, for errors.

    Returns:
        One dictionary per line that is not blank.

    Raises:
        ValueError: naming file and line, if a line is not a pair.
    """
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{name}, line {number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{where}: not JSON ({error}); write one object per line") from None
        if not isinstance(row, dict):
            raise ValueError(f"{where}: not an object; expected id, gold, output, problem")  # noqa: TRY004
        if not isinstance(row.get("id"), str | int):
            raise ValueError(f"{where}: field id is missing or neither a string nor a number")  # noqa: TRY004
        for field in ("gold", "output"):
            if not isinstance(row.get(field), str):
                raise ValueError(  # noqa: TRY004
                    f"{where}: field {field} is missing or not a string; quote it"
                )
        if not isinstance(row.get("problem"), str | None):
            raise ValueError(  # noqa: TRY004
                f"{where}: field problem is not a string; leave it out or quote it"
            )
        rows.append(row)
    return rows


def _print_verdicts(rows: list[dict]) -> None:
    for start in range(0, len(rows), _GROUP):
        group = rows[start : start + _GROUP]
        verdicts = judge_all([(row["gold"], row["output"], row.get("problem")) for row in group])
        for row, verdict in zip(group, verdicts, strict=True):
            line = {
                "id": row["id"],
                "verdict": verdict.verdict,
                "reason": verdict.reason,
                "extracted": verdict.extracted,
                "rule": verdict.rule,
            }
            print(json.dumps(line, ensure_ascii=True))
        sys.stdout.flush()


def grade_file(path: str) -> int:
    """Print a verdict for each pair of a JSONL file.

    Args:
        path: the file, or `-` for standard input.

    Returns:
        The exit code: 0 if every pair has its line, 2 if the file cannot be read.
    """
    try:
        if path == "-":
            rows = read_pairs(sys.stdin.buffer, "standard input")
        else:
            with Path(path).open("rb") as lines:
                rows = read_pairs(lines, path)
    except (OSError, ValueError) as error:
        print(f"grade: {error}", file=sys.stderr)
        return 2
    if not rows:
        print(f"grade: no pairs in {path}", file=sys.stderr)
    _print_verdicts(rows)
    return 0
