"""The history of a study: sealed append-only files beside its job records.

`runs.jsonl` says what happened when, `versions.jsonl` holds every content that a record or a table
has had, so that two moments can be compared after the files were made anew.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from distil.content.sealed import append, read_lines

__all__ = ["RUNS", "VERSIONS", "Damage", "append", "read"]

RUNS, VERSIONS = "runs.jsonl", "versions.jsonl"


class Damage(NamedTuple):
    """What is wrong with a file of the history.

    Attributes:
        missing: whether the file is not there at all.
        message: what is wrong and what mends it.
    """

    missing: bool
    message: str


def read(path: str | Path) -> tuple[list[dict[str, Any]], Damage | None]:
    """Read the rows whose seal holds, without the seals, and say what is wrong with the others.

    Returns:
        the rows in order, and None or the fault of the first line that does not hold.
    """
    path = Path(path)
    if not path.is_file():
        remedy = "missing; it cannot be remade: restore it from a pack or a backup"
        return [], Damage(True, remedy)
    rows, damage = [], None
    for number, (line, row) in enumerate(read_lines(path), start=1):
        if row is not None:
            rows.append(row)
        elif damage is None:
            torn = not line.endswith(b"\n")
            where = "its last line is torn" if torn else f"line {number} was changed"
            damage = Damage(False, f"{where}; restore it from a pack or a backup")
    return rows, damage
