"""Append-only files of rows, a line each, every line sealed with the sha256 of the rest of it.

A study keeps two of them beside its job records: `runs.jsonl`, what happened when, and
`versions.jsonl`, every content that a record or a table has had, so that two moments can be
compared after the files were made anew. Neither is ever rewritten.
"""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distil.content.hashing import canonical_json, sha256_text

if TYPE_CHECKING:
    from collections.abc import Iterable

RUNS, VERSIONS = "runs.jsonl", "versions.jsonl"


def sealed(row: dict[str, Any]) -> str:
    """Return a row as a line with its seal."""
    return canonical_json({**row, "sha256": sha256_text(canonical_json(row))}) + "\n"


def append(path: str | Path, rows: Iterable[dict[str, Any]]) -> None:
    """Append rows, all or none, on the disk when this returns; lines of parallel jobs never mix.

    A last line that a power cut tore is dropped first: the job that wrote it did not come to its
    end, and runs again.

    Raises:
        OSError: the file cannot be written; it is then as it was, and the error names it.
    """
    data = "".join(map(sealed, rows)).encode()
    try:
        handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            whole = _whole_lines(handle)
            try:
                while data:
                    data = data[os.write(handle, data) :]
                os.fsync(handle)
            except OSError:
                os.ftruncate(handle, whole)
                raise
        finally:
            os.close(handle)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _whole_lines(handle: int) -> int:
    """Cut a torn last line off, and return the size that is left in bytes."""
    size = os.fstat(handle).st_size
    if size and os.pread(handle, 1, size - 1) != b"\n":
        size = os.pread(handle, size, 0).rfind(b"\n") + 1
        os.ftruncate(handle, size)
    return size


def read(path: str | Path) -> tuple[list[dict[str, Any]], str | None]:
    """Read the rows whose seal holds, without the seals, and say what is wrong with the others.

    Returns:
        the rows in order, and None or the fault of the first line that does not hold.
    """
    path = Path(path)
    if not path.is_file():
        return [], "missing; it cannot be remade: restore it from a pack or a backup"
    rows, fault = [], None
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line and number == len(lines):
            continue
        try:
            row = json.loads(line)
            seal = row.pop("sha256")
            holds = line == sealed(row).strip().encode() and isinstance(seal, str)
        except (ValueError, AttributeError, KeyError, TypeError):
            holds = False
        if holds:
            rows.append(row)
        elif fault is None:
            torn = number == len(lines)
            where = "its last line is torn" if torn else f"line {number} was changed"
            fault = f"{where}; restore it from a pack or a backup"
    return rows, fault
