"""Store of decoded answers: append-only segments of sealed JSON lines under `state/`.

    store = RowStore(Path("state/sample/predictions/base"))
    store.put(key, Answer((5, 17), "stop"))
    store.flush()
    store.get(key)

Only an index is held in memory, 16 bytes a row; an answer is read from its line when it is asked
for, and counts only if the line's sha256 is that of what it says.
"""

from __future__ import annotations

import os
import secrets
from array import array
from collections.abc import Callable
from dataclasses import asdict, astuple, dataclass
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from distil.content.hashing import canonical_json, sha256_text
from distil.content.sealed import Seal, seal, unseal

if TYPE_CHECKING:
    from pathlib import Path

# A position is the number of a segment and the offset of a line in it.
_OFFSET_BITS = 40
_KEY = b'"key":"'


@dataclass(frozen=True)
class Answer:
    """One decoded answer.

    Attributes:
        tokens: ids without the end-of-turn token.
        finish: "stop" (end of turn) or "length" (cut at the limit).
    """

    tokens: tuple[int, ...]
    finish: str


# Takes numbers of prompts and their answers, as they are ready.
Done = Callable[[list[int], list[Answer]], None]


class RowStore:
    """Answers decoded before by one run, and those that it decodes now.

    Every writer has a segment of its own, and a line is one write, so a writer that was killed
    leaves at most one torn line, which is decoded again.

    Args:
        folder: where the segments lie; None keeps nothing.

    Attributes:
        torn: lines that were found to be torn or changed.
    """

    def __init__(self, folder: Path | None) -> None:
        """Read the index of all segments."""
        self.folder = folder
        self._used: set[str] = set()
        self._sum = 0
        self.torn = 0
        self._files: list[BinaryIO] = []
        self._new: dict[int, int] = {}
        self._writer: int | None = None
        keys, positions = array("Q"), array("Q")
        if folder is not None and folder.exists():
            for path in sorted(folder.glob("*.jsonl")):
                self._index(path, keys, positions)
        found = np.frombuffer(keys, np.uint64) if keys else np.empty(0, np.uint64)
        order = np.argsort(found, kind="stable")
        self._keys = found[order]
        self._positions = (
            np.frombuffer(positions, np.uint64)[order] if positions else np.empty(0, np.uint64)
        )

    def __len__(self) -> int:
        """Return the number of lines that were found and put."""
        return len(self._keys) + len(self._new)

    def _index(self, path: Path, keys: array, positions: array) -> None:
        number = len(self._files) << _OFFSET_BITS
        file = path.open("rb")
        self._files.append(file)
        offset = 0
        for line in file:
            start = line.find(_KEY, 0, 80) + len(_KEY)
            if start >= len(_KEY) and line.endswith(b'"}\n'):
                keys.append(
                    _prefix(line[start : line.find(b'"', start)].decode("ascii", "replace"))
                )
                positions.append(number + offset)
            else:
                self.torn += 1
            offset += len(line)

    def get(self, key: str) -> Answer | None:
        """Return the stored answer of a key, or None."""
        answer = self._find(key)
        if answer is not None:
            self._use(key, answer)
        return answer

    def _find(self, key: str) -> Answer | None:
        prefix = _prefix(key)
        if prefix in self._new:
            return self._read(self._new[prefix], key)
        first = int(np.searchsorted(self._keys, np.uint64(prefix)))
        while first < len(self._keys) and self._keys[first] == prefix:
            if (answer := self._read(int(self._positions[first]), key)) is not None:
                return answer
            first += 1
        return None

    def _read(self, position: int, key: str) -> Answer | None:
        file = self._files[position >> _OFFSET_BITS]
        file.seek(position & ((1 << _OFFSET_BITS) - 1))
        row = unseal(file.readline())
        if row is None:
            self.torn += 1
            return None
        return Answer(tuple(row["tokens"]), row["finish"]) if row["key"] == key else None

    def _use(self, key: str, answer: Answer) -> None:
        if key not in self._used:
            self._used.add(key)
            # A sum of hashes has no order, so no answer need be kept for it.
            self._sum ^= int(sha256_text(canonical_json([key, *astuple(answer)])), 16)

    def digest(self) -> str:
        """Return the sha256 of all answers that were taken or put: their content, no times.

        A job's record carries it, so that rows changed in the store show in what used them.
        """
        return sha256_text(f"{len(self._used)} {self._sum:064x}")

    def put(self, key: str, answer: Answer) -> None:
        """Append an answer: on the disk after `flush`."""
        self._use(key, answer)
        if self.folder is None:
            return
        if self._writer is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            path = self.folder / f"{os.getpid()}-{secrets.token_hex(4)}.jsonl"
            self._writer = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            self._files.append(path.open("rb"))
        line = seal({"key": key, **asdict(answer)}, Seal.ENVELOPE)
        offset = os.lseek(self._writer, 0, os.SEEK_END)
        if os.write(self._writer, line) < len(line):
            raise OSError(f"{self.folder}: disk full, an answer was not stored; remedy: free space")
        self._new[_prefix(key)] = (len(self._files) - 1 << _OFFSET_BITS) + offset

    def flush(self) -> None:
        """Force what was put to the disk."""
        if self._writer is not None:
            os.fsync(self._writer)

    def close(self) -> None:
        """Force what was put to the disk and close all files."""
        self.flush()
        if self._writer is not None:
            os.close(self._writer)
            self._writer = None
        for file in self._files:
            file.close()


def _prefix(key: str) -> int:
    """Return the first 64 bits of a sha256 in hexadecimal digits, or of any other text's hash."""
    try:
        return int(key[:16], 16)
    except ValueError:
        return int(sha256_text(key)[:16], 16)
