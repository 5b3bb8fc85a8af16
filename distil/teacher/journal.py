"""The store of paid responses: what was asked, what came back, what may have been paid for nothing.

A journal is a folder under `state/`, never a declared output, so no failed job deletes it. Each
writer (one process) appends to a segment of its own, one `os.write` per record, one record a line,
a sha256 in each. Readers merge all segments and leave out what does not match its sha256: the torn
tail of a writer that was killed. Nothing is ever rewritten.

The life of one request, in this order:

1. `intent`: on the disk before the first byte is sent;
2. `response` or `failure`: the raw bytes, on the disk before anybody parses them. A response is
   acknowledged once `append` has returned;
3. `account`: status and cost, after parsing. It may be missing: the cost is then taken to be the
   worst case that the intent names.

An intent without an end was in flight when its writer died: it is listed as possibly paid.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import datetime
import fcntl
import os
import platform
import re
import secrets
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from distil.content.hashing import canonical_json, sha256_bytes
from distil.content.sealed import Seal, seal, unseal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Below this much free space nothing more is sent: answers still in flight must find room.
FREE_FLOOR = 64 * 2**20


class JournalError(RuntimeError):
    """The journal cannot be written or read; nothing more may be paid for."""


class Position(NamedTuple):
    """Where a record lies: segment, first byte, number of bytes (newline included)."""

    path: Path
    offset: int
    length: int


@dataclasses.dataclass(frozen=True)
class Attempt:
    """One request as the journal knows it.

    Attributes:
        token: names the attempt within the journal.
        key: the request's content address.
        agent: solver, distiller or verifier.
        host: whom it was sent to.
        model: which model was asked.
        at: when the intent was written (ISO 8601, UTC).
        worst_cost: upper bound of its cost, or None where no price is known.
        status: how it ended; None while its end is not recorded.
        answered: a response is stored.
        possibly_paid: the host may have charged for it though no answer is stored.
        cost: what it cost, as far as known; 0.0 if it was refused.
        tokens: prompt and completion tokens as the host counted them.
    """

    token: str
    key: str
    agent: str
    host: str
    model: str
    at: str
    worst_cost: float | None
    status: str | None = None
    answered: bool = False
    possibly_paid: bool = True
    cost: float | None = None
    tokens: tuple[int, int] = (0, 0)

    @property
    def charged(self) -> float:
        """What the money account records: the cost, or the worst case where it is not known."""
        return self.cost if self.cost is not None else (self.worst_cost or 0.0)


def pack_body(body: bytes) -> dict[str, str]:
    """Return raw bytes as a JSON field: `body` where they are UTF-8 text, else `body_base64`."""
    try:
        return {"body": body.decode("utf-8")}
    except UnicodeDecodeError:
        return {"body_base64": base64.b64encode(body).decode("ascii")}


def unpack_body(record: dict[str, Any]) -> bytes:
    """Return the raw bytes of a record made with `pack_body`."""
    if "body" in record:
        return record["body"].encode("utf-8")
    return base64.b64decode(record["body_base64"])


class Journal:
    """Append-only store of requests and raw responses, shared by threads and processes.

    Args:
        folder: the journal's folder; made at the first write.

    Keys are safe on one host, by file locks. On several hosts, give each its own share of the
    requests (one year per job does): locks over network file systems are not relied upon.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.torn: dict[Path, int] = {}
        self._segments = self.folder / "segments"
        self._locks = self.folder / "locks"
        self._read_to: dict[Path, int] = {}
        self._answers: dict[str, list[tuple[str, Position]]] = {}
        self._attempts: dict[str, Attempt] = {}
        self._charged = 0.0
        self._index_lock = threading.RLock()
        self._write_lock = threading.Lock()
        self._sync_lock = threading.Lock()
        self._handle: int | None = None
        self._own: Path | None = None
        self._written = 0
        self._synced = 0
        self._broken: str | None = None

    # ---------------------------------------------------------------------------- reading

    def refresh(self) -> None:
        """Take in what other writers have appended since the last look."""
        if not self._segments.is_dir():
            return
        with self._index_lock:
            for entry in sorted(os.scandir(self._segments), key=lambda entry: entry.name):
                path = Path(entry.path)
                if entry.name.endswith(".jsonl") and path != self._own:
                    self._read_on(path, entry.stat().st_size)

    def _read_on(self, path: Path, size: int) -> None:
        start = self._read_to.get(path, 0)
        if size <= start:
            return
        with path.open("rb") as stream:
            stream.seek(start)
            for line in stream:
                if not line.endswith(b"\n"):
                    # A tail: torn, or still being written; the next look will tell.
                    break
                record = unseal(line)
                if record is None:
                    self.torn[path] = self.torn.get(path, 0) + 1
                else:
                    self._index(record, Position(path, start, len(line)))
                start += len(line)
        self._read_to[path] = start

    def _index(self, record: dict[str, Any], position: Position) -> None:
        token, kind = record["attempt"], record["kind"]
        before = self._attempts.get(token)
        if before is None:
            # Mostly an intent; where its line was damaged, its end counts all the same.
            request = record.get("request", {})
            after = Attempt(
                token,
                record["key"],
                record["agent"],
                record.get("host", ""),
                request.get("model", ""),
                record["at"],
                record.get("worst"),
            )
        else:
            after = before
        if kind == "response":
            self._answers.setdefault(record["key"], []).append((record["at"], position))
            after = dataclasses.replace(
                after, status="answered", answered=True, possibly_paid=False
            )
        elif kind == "failure":
            paid = record["possibly_paid"]
            after = dataclasses.replace(
                after,
                status=record["status"],
                possibly_paid=paid,
                cost=None if paid else 0.0,
            )
        elif kind == "account":
            after = dataclasses.replace(
                after, status=record["status"], cost=record["cost"], tokens=tuple(record["tokens"])
            )
        self._attempts[token] = after
        self._charged += after.charged - (before.charged if before else 0.0)

    def read(self, position: Position) -> dict[str, Any]:
        """Return the record at a position, checked once more.

        Raises:
            JournalError: the record was damaged since it was indexed.
        """
        with position.path.open("rb") as stream:
            stream.seek(position.offset)
            record = unseal(stream.read(position.length))
        if record is None:
            raise JournalError(
                f"{position.path}: the record at byte {position.offset} was damaged after it was "
                "written; restore the segment from a copy, or remove it to ask again"
            )
        return record

    def answer(self, key: str, since: str | None = None) -> dict[str, Any] | None:
        """Return the newest stored response to a request, or None.

        Args:
            key: the request's content address.
            since: leave out what was answered before this moment (ISO 8601, UTC).
        """
        with self._index_lock:
            found = [item for item in self._answers.get(key, []) if not since or item[0] >= since]
        if not found:
            return None
        return self.read(
            max(found, key=lambda item: (item[0], str(item[1].path), item[1].offset))[1]
        )

    def attempts(self) -> list[Attempt]:
        """Return every attempt on record, oldest first."""
        with self._index_lock:
            return sorted(self._attempts.values(), key=lambda item: (item.at, item.token))

    def possibly_paid(self) -> list[Attempt]:
        """Return the attempts that may have been charged though no answer is stored.

        While a writer is at work, its requests in flight are among them.
        """
        return [item for item in self.attempts() if item.possibly_paid]

    def charged(self) -> float:
        """Return all that was spent, with the worst case wherever the cost is not known."""
        with self._index_lock:
            return self._charged

    # ---------------------------------------------------------------------------- writing

    def append(self, record: dict[str, Any], *, durable: bool) -> None:
        """Append a record; with `durable`, return only once it is on the disk.

        Raises:
            JournalError: the record could not be written whole. From then on every append of this
                journal fails, so that nothing more is paid for.
        """
        record = {**record, "at": _now()}
        line = seal(record, Seal.LEADING)
        with self._write_lock:
            if self._broken:
                raise JournalError(self._broken)
            try:
                handle = self._open()
                start = self._written
                count = os.write(handle, line)
            except OSError as error:
                self._break(error.strerror or str(error))
            if count != len(line):
                self._break(f"only {count} of {len(line)} bytes were written: no space left")
            self._written += count
            end = self._written
            with self._index_lock:
                self._index(record, Position(self._own, start, len(line)))
        if durable:
            self._sync(end)

    def sync(self) -> None:
        """Return once all that this writer has appended is on the disk."""
        self._sync(self._written)

    def _break(self, cause: str) -> None:
        self._broken = (
            f"{self.folder}: the journal cannot be written ({cause}); free some space, then go on"
        )
        raise JournalError(self._broken)

    def _open(self) -> int:
        if self._handle is None:
            self._segments.mkdir(parents=True, exist_ok=True)
            name = f"{platform.node() or 'host'}-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
            self._own = self._segments / re.sub(r"[^A-Za-z0-9._-]", "_", name)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL
            self._handle = os.open(self._own, flags, 0o644)
            _sync_folder(self._segments)
        return self._handle

    def _sync(self, end: int) -> None:
        # One fsync covers every record written before it: 200 threads share a few.
        with self._sync_lock:
            if self._synced >= end:
                return
            reached = self._written
            try:
                _sync_file(self._handle)
            except OSError as error:
                self._break(error.strerror or str(error))
            self._synced = reached

    def check_room(self) -> None:
        """Raise JournalError unless there is room for what is in flight."""
        if self._broken:
            raise JournalError(self._broken)
        self._segments.mkdir(parents=True, exist_ok=True)
        room = os.statvfs(self._segments)
        if room.f_bavail * room.f_frsize < FREE_FLOOR:
            self._break(f"less than {FREE_FLOOR // 2**20} MiB free")

    @contextlib.contextmanager
    def claim(self, key: str) -> Iterator[bool]:
        """Claim a request against other workers of this host; yields False if another has it.

        The kernel lets go of a claim when its holder dies.
        """
        self._locks.mkdir(parents=True, exist_ok=True)
        path = self._locks / key
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            # The holder before us may have unlinked the file between our open and our lock.
            try:
                ours = path.stat().st_ino == os.fstat(handle).st_ino
            except FileNotFoundError:
                ours = False
            try:
                yield ours
            finally:
                if ours:
                    path.unlink(missing_ok=True)
        finally:
            os.close(handle)

    @contextlib.contextmanager
    def account(self) -> Iterator[None]:
        """Hold the money account against other workers of this host."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "account.lock").open("wb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield

    def close(self) -> None:
        """Close this writer's segment."""
        with self._write_lock:
            if self._handle is not None:
                os.close(self._handle)
                self._handle = None
                self._read_to[self._own] = self._written
                self._own = None
                self._written = self._synced = 0


def export(key: str, answer: dict[str, Any]) -> dict[str, Any]:
    """Return a stored response as a row that holds nothing but what was asked and answered.

    Times, attempts and hosts' request ids stay in the journal, so equal answers give equal rows.
    """
    body = unpack_body(answer)
    return {
        "request_sha256": key,
        "agent": answer["agent"],
        "host": answer["host"],
        "request": answer["request"],
        "http_status": answer["http_status"],
        "fault": answer["fault"],
        "response_sha256": sha256_bytes(body),
        **pack_body(body),
    }


def restore(journal: Journal, rows: Iterable[dict[str, Any]]) -> int:
    """Put exported responses into a journal, so that a study can be replayed from its results.

    Args:
        journal: where to put them; what it has answered already is left as it is.
        rows: rows made by `export`.

    Returns:
        the number of responses put in.

    Raises:
        JournalError: a row does not match its own hashes.
    """
    journal.refresh()
    count = 0
    for row in rows:
        key = request_key(row["host"], row["request"])
        if key != row["request_sha256"] or sha256_bytes(unpack_body(row)) != row["response_sha256"]:
            raise JournalError(
                f"the exported response to {row['request_sha256']} does not match its hashes; "
                "take an unaltered copy"
            )
        if journal.answer(key) is None:
            record = {name: value for name, value in row.items() if not name.endswith("_sha256")}
            record |= {"kind": "response", "key": key, "attempt": secrets.token_hex(8)}
            journal.append(record, durable=False)
            count += 1
    journal.sync()
    return count


def request_key(host: str, body: dict[str, Any]) -> str:
    """Return the content address of a request: sha256 of host, model and canonical body."""
    return sha256_bytes("\n".join([host, body["model"], canonical_json(body)]).encode("utf-8"))


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")


def _sync_file(handle: int) -> None:
    # On macOS fsync stops at the drive's cache.
    if hasattr(fcntl, "F_FULLFSYNC"):
        fcntl.fcntl(handle, fcntl.F_FULLFSYNC)
    else:
        os.fsync(handle)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
