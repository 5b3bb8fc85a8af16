"""Store of decoded answers: append-only segments of sealed JSON lines under `state/`."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from distil.content.hashing import canonical_json, sha256_text

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Answer:
    """One decoded answer.

    Attributes:
        tokens: ids without the end-of-turn token.
        finish: "stop" (end of turn) or "length" (cut at the limit).
    """

    tokens: tuple[int, ...]
    finish: str


class RowStore:
    """Answers decoded before, under `state/`: append-only segments of JSON lines.

    Every writer has a segment of its own and every line a sha256, so a writer that was killed
    leaves at most one torn line, which readers skip.

    Args:
        folder: where the segments lie; None keeps nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        """Read all segments."""
        self.folder = folder
        self.rows: dict[str, Answer] = {}
        self.torn = 0
        self._segment: int | None = None
        if folder is not None and folder.exists():
            for path in sorted(folder.glob("*.jsonl")):
                self._read(path)

    def _read(self, path: Path) -> None:
        for line in path.read_bytes().split(b"\n"):
            if not line:
                continue
            try:
                record = json.loads(line)
                body = record["row"]
                whole = record["sha256"] == sha256_text(canonical_json(body))
            except (ValueError, KeyError, TypeError):
                whole = False
            if whole:
                self.rows[body["key"]] = Answer(tuple(body["tokens"]), body["finish"])
            else:
                self.torn += 1

    def get(self, key: str) -> Answer | None:
        """The stored answer of a key, or None."""
        return self.rows.get(key)

    def put(self, key: str, answer: Answer) -> None:
        """Append an answer: on the disk after `flush`."""
        self.rows[key] = answer
        if self.folder is None:
            return
        if self._segment is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            path = self.folder / f"{os.getpid()}-{secrets.token_hex(4)}.jsonl"
            self._segment = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        row = {"key": key, **asdict(answer)}
        record = {"row": row, "sha256": sha256_text(canonical_json(row))}
        line = (canonical_json(record) + "\n").encode()
        if os.write(self._segment, line) < len(line):
            raise OSError(f"{self.folder}: disk full, an answer was not stored; remedy: free space")

    def flush(self) -> None:
        """Force what was put to the disk and close the segment."""
        if self._segment is not None:
            os.fsync(self._segment)
            os.close(self._segment)
            self._segment = None
