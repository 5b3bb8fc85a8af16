"""Append-only files of JSON lines, every line sealed with the sha256 of what it says.

The history of a study, the store of decoded rows and the journal of paid responses are such files.
They differ in where a line keeps its seal, since each format is as old as the files that hold it:

    INLINE      {..., "sha256": S, ...}         the history: S over the row without it
    ENVELOPE    {"row": {...}, "sha256": S}     decoded rows: S over the row
    LEADING     {"sha256": S, ...}, ASCII       the journal: S over the text of the row without it

A writer appends whole lines and rewrites nothing. Where several processes write, either each has a
file of its own, or they take turns by a lock (distil/lineage/history.py). A writer that is killed
leaves at most one torn line at the end.
"""

from __future__ import annotations

import enum
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distil.content.hashing import canonical_json, sha256_bytes, sha256_text

if TYPE_CHECKING:
    from collections.abc import Iterator

_LEADING = re.compile(rb'\{"sha256":"([0-9a-f]{64})",')


class Seal(enum.Enum):
    """Where a line keeps its seal."""

    INLINE = enum.auto()
    ENVELOPE = enum.auto()
    LEADING = enum.auto()


def digest(row: dict[str, Any]) -> str:
    """Return the seal of a row: the sha256 of its canonical JSON."""
    return sha256_text(canonical_json(row))


def seal(row: dict[str, Any], form: Seal = Seal.INLINE) -> bytes:
    """Return a row as a sealed line, its newline included."""
    if form is Seal.LEADING:
        # ASCII only: a line separator inside a string must not look like the end of a record.
        text = json.dumps(row, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        payload = text.encode("ascii")
        return b'{"sha256":"' + sha256_bytes(payload).encode("ascii") + b'",' + payload[1:] + b"\n"
    sealed = {"row": row} if form is Seal.ENVELOPE else row
    return (canonical_json({**sealed, "sha256": digest(row)}) + "\n").encode()


def unseal(line: bytes) -> dict[str, Any] | None:
    """Return the row of a line in any of the forms; None where the seal does not hold.

    A line without its newline is torn, whatever it says.
    """
    if not line.endswith(b"\n"):
        return None
    if head := _LEADING.match(line):
        payload = b"{" + line[head.end() : -1]
        return json.loads(payload) if sha256_bytes(payload).encode("ascii") == head[1] else None
    try:
        row = json.loads(line)
        kept = row.pop("sha256")
        if row.keys() == {"row"}:
            form, row = Seal.ENVELOPE, row["row"]
        else:
            form = Seal.INLINE
        return row if isinstance(kept, str) and line == seal(row, form) else None
    except (ValueError, AttributeError, KeyError, TypeError):
        return None


def read_lines(path: str | Path) -> Iterator[tuple[bytes, dict[str, Any] | None]]:
    """Yield every line of a file with its row, None where the seal does not hold."""
    with Path(path).open("rb") as stream:
        for line in stream:
            yield line, unseal(line)
