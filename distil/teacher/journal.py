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

An intent without an end was in flight when its writer died: it is listed as possibly paid. A
record of the kind `void` names attempts whose responses are not final: they were the last of a row
of equal non-answers that stopped the run, and are asked again. One that says why a job has stopped
stops the others that ask alike.

Records name the version of their form in `format`. Those of the first form, which had none, filed
responses under the host's address; they are found by it still.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import fcntl
import os
import platform
import re
import secrets
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from distil.content import leases
from distil.content.files import write_atomically
from distil.content.hashing import canonical_json, sha256_bytes
from distil.content.sealed import Seal, seal, unseal
from distil.teacher.ledger import Attempt, Ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

# Below this much free space nothing more is sent: answers still in flight must find room.
FREE_FLOOR = 64 * 2**20

FORMAT = 2
KINDS = frozenset({"intent", "response", "failure", "account", "void"})
# Fields of a request that say how an answer is got, not what is asked: in no key.
NOT_IN_KEY = frozenset({"max_tokens", "stream", "stream_options"})


class JournalError(RuntimeError):
    """The journal cannot be written or read; nothing more may be paid for."""


class Position(NamedTuple):
    """Where a record lies: segment, first byte, number of bytes (newline included)."""

    path: Path
    offset: int
    length: int


class Stored(NamedTuple):
    """A stored response: when it came, from which attempt, how long it could be, where it lies."""

    at: str
    attempt: str
    max_tokens: int
    position: Position


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


def _open_seal(line: bytes) -> dict[str, Any] | None:
    """Return the record of a line, or None if the line is torn or altered."""
    if line.endswith(b"\r\n"):
        # Some copying program turned line ends into the other kind; the seal tells no more of them.
        line = line[:-2] + b"\n"
    return unseal(line)


class Journal:
    """Append-only store of requests and raw responses, shared by threads and processes.

    Args:
        folder: the journal's folder; made at the first write.

    One machine pays at a time (`paying`, a lease on the shared file system). The jobs of that
    machine share the requests and the account by locks in the machine's own temporary folder, so
    that no lock of a network file system is relied upon.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.damaged: dict[Path, int] = {}
        self.ledger = Ledger()
        self._segments = self.folder / "segments"
        self._read_to: dict[Path, int] = {}
        self._answers: dict[str, list[Stored]] = {}
        self._index_lock = threading.RLock()
        self._write_lock = threading.Lock()
        self._sync_lock = threading.Lock()
        self._handle: int | None = None
        self._own: Path | None = None
        self._written = 0
        self._synced = 0
        self._broken: str | None = None
        self._lease: leases.Lease | None = None

    # ---------------------------------------------------------------------------- reading

    def refresh(self, reopen: bool = False) -> None:
        """Take in what other writers have appended since the last look.

        Args:
            reopen: open each segment for its size, as a network file system asks the server then.

        Raises:
            JournalError: a segment cannot be read, or holds a record of an unknown kind.
        """
        try:
            if not self._segments.is_dir():
                return
            with self._index_lock:
                for entry in sorted(os.scandir(self._segments), key=lambda entry: entry.name):
                    path = Path(entry.path)
                    if entry.name.endswith(".jsonl") and path != self._own:
                        size = _size(path) if reopen else entry.stat().st_size
                        self._read_on(path, size)
        except OSError as error:
            raise JournalError(
                f"{error.filename or self.folder}: the journal cannot be read ({error.strerror})"
            ) from error

    def _read_on(self, path: Path, size: int) -> None:
        start = self._read_to.get(path, 0)
        if size <= start:
            return
        for offset, line in _lines(path, start):
            record = _open_seal(line)
            if record is None:
                self.damaged[path] = self.damaged.get(path, 0) + 1
            else:
                self._index(record, Position(path, offset, len(line)))
            start = offset + len(line)
        self._read_to[path] = start

    def _index(self, record: dict[str, Any], position: Position) -> None:
        if record["kind"] not in KINDS or record.get("format", 1) > FORMAT:
            raise JournalError(
                f"{position.path}: a record of kind {record['kind']!r}, form "
                f"{record.get('format', 1)}, is of a later version of this program; go on with that"
            )
        key = _key_of(record)
        if record["kind"] == "response":
            stored = Stored(
                record["at"], record["attempt"], record["request"].get("max_tokens", 0), position
            )
            self._answers.setdefault(key, []).append(stored)
        self.ledger.add(record, key)

    def check_undamaged(self) -> None:
        """Raise JournalError if a record was damaged, and name what asking again would cost.

        A line without an end is no damage: it is the torn tail of a writer that was killed, or a
        record in the making.
        """
        if not self.damaged:
            return
        count = sum(self.damaged.values())
        charged, known = self.charged(), sum(item.count for item in self.ledger.sums.values())
        mean = charged / known if known else 0.0
        where = ", ".join(f"{path} ({lines})" for path, lines in sorted(self.damaged.items()))
        cost = f" (about {count * mean:.4f} if each held an answer)" if mean else ""
        raise JournalError(
            f"{count} damaged records in the journal: {where}. Restore these files from a copy; "
            f"without one, what they held is asked and paid for again{cost}: set them aside with "
            f"distil --study {self.folder.parent.name} responses --set-aside-damage"
        )

    def read(self, position: Position) -> dict[str, Any]:
        """Return the record at a position, checked once more.

        Raises:
            JournalError: the record was damaged since it was indexed.
        """
        with position.path.open("rb") as stream:
            stream.seek(position.offset)
            record = _open_seal(stream.read(position.length))
        if record is None:
            raise JournalError(
                f"{position.path}: the record at byte {position.offset} was damaged after it was "
                "written; restore the segment from a copy, or remove it to ask again"
            )
        return record

    def stored(self, key: str, since: str | None = None) -> list[Stored]:
        """Return the stored responses to a request, the newest first.

        Args:
            key: the request's content address.
            since: leave out what was answered before this moment (ISO 8601, UTC).
        """
        with self._index_lock:
            found = [item for item in self._answers.get(key, []) if not since or item.at >= since]
        return sorted(
            found,
            key=lambda item: (item.at, str(item.position.path), item.position.offset),
            reverse=True,
        )

    def answer(self, key: str, since: str | None = None) -> dict[str, Any] | None:
        """Return the newest stored response to a request, or None."""
        found = self.stored(key, since)
        return self.read(found[0].position) if found else None

    def is_void(self, attempt: str) -> bool:
        """Tell whether the response of an attempt is not final."""
        return attempt in self.ledger.voided

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield every sound record of every segment, in the order of their names."""
        for path in sorted(self._segments.glob("*.jsonl")):
            for _, line in _lines(path, 0):
                record = _open_seal(line)
                if record is not None:
                    yield {**record, "key": _key_of(record)}

    def attempts(self) -> list[Attempt]:
        """Return every attempt on record, oldest first."""
        ledger = Ledger(keep=True)
        for record in self.records():
            ledger.add(record, record["key"])
        return ledger.attempts()

    def possibly_paid(self) -> list[Attempt]:
        """Return the attempts that may have been charged though no answer is stored.

        While a writer is at work, its requests in flight are among them.
        """
        with self._index_lock:
            return [item for item in self.ledger.attempts() if item.possibly_paid]

    def charged(self) -> float:
        """Return all that was spent, with the worst case wherever the cost is not known."""
        with self._index_lock:
            return self.ledger.charged()

    # ---------------------------------------------------------------------------- writing

    def append(self, record: dict[str, Any], *, durable: bool) -> Position:
        """Append a record and return its place; with `durable`, only once it is on the disk.

        Raises:
            JournalError: the record could not be written whole. From then on every append of this
                journal fails, so that nothing more is paid for.
        """
        record = {**record, "at": _now(), "format": FORMAT}
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
            place = Position(self._own, start, len(line))
            with self._index_lock:
                self._index(record, place)
        if durable:
            self._sync(end)
        return place

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
        try:
            self._segments.mkdir(parents=True, exist_ok=True)
            room = os.statvfs(self._segments)
        except OSError as error:
            self._break(error.strerror or str(error))
        if room.f_bavail * room.f_frsize < FREE_FLOOR:
            self._break(f"less than {FREE_FLOOR // 2**20} MiB free")

    def void(self, attempts: list[str], cause: str, stop: Mapping[str, str] | None = None) -> None:
        """Note that the responses of some attempts are not final.

        Args:
            attempts: their tokens.
            cause: status of the responses.
            stop: where all jobs that ask alike are to stop: agent, host, model and the message
                (`said`).
        """
        record = {"kind": "void", "attempts": sorted(attempts), "cause": cause, **(stop or {})}
        self.append(record, durable=True)

    @contextlib.contextmanager
    def paying(self, say: Callable[[str], None]) -> Iterator[None]:
        """Be of the one machine that pays for answers; wait while it is another.

        Args:
            say: told in a line who pays, when that is waited for or taken over.

        Raises:
            JournalError: the folder cannot be written.
        """
        with contextlib.ExitStack() as stack:
            try:
                lease = stack.enter_context(leases.among_machines(self.folder / "payer", say))
            except OSError as error:
                raise self._no_lock(error) from error
            # What another machine paid for may be newer than what this one's cache says.
            self.refresh(reopen=True)
            self._lease = lease
            try:
                yield
            finally:
                self._lease = None

    def require_paying(self) -> None:
        """Return while no other machine can be paying.

        Raises:
            JournalError: this machine was silent for so long that another may have taken its place.
        """
        if self._lease is not None:
            try:
                self._lease.require()
            except leases.LeaseLost as lost:
                raise JournalError(f"{lost}; nothing more is sent from here") from lost

    def _no_lock(self, error: OSError) -> JournalError:
        return JournalError(
            f"{error.filename or self.folder}: no lock can be had ({error.strerror}), so that two "
            "jobs could pay for the same answer; make this folder writable, and let TMPDIR name a "
            "folder of this machine's own that has flock and can be written"
        )

    @contextlib.contextmanager
    def _held(self, name: str, *, wait: bool) -> Iterator[bool]:
        """Hold a lock among the jobs of this machine; yields False if another has it."""
        try:
            path = leases.local_lock(self.folder / name)
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise self._no_lock(error) from error
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
                # The holder before us may have unlinked the file between our open and our lock.
                ours = path.stat().st_ino == os.fstat(handle).st_ino
            except (BlockingIOError, FileNotFoundError):
                ours = False
            except OSError as error:
                raise self._no_lock(error) from error
            try:
                yield ours
            finally:
                if ours and not wait:
                    path.unlink(missing_ok=True)
        finally:
            os.close(handle)

    def claim(self, key: str) -> contextlib.AbstractContextManager[bool]:
        """Claim a request against other workers of this machine; yields False if another has it.

        The kernel lets go of a claim when its holder dies.
        """
        return self._held(key, wait=False)

    def account(self) -> contextlib.AbstractContextManager[bool]:
        """Hold the money account against other workers of this machine."""
        return self._held("account", wait=True)

    def set_damage_aside(self) -> list[Path]:
        """Move damaged segments to `damaged/`, and leave their sound records in new ones.

        Returns:
            where the damaged segments lie now.
        """
        self.refresh()
        moved = []
        for path in sorted(self.damaged):
            sound = b"".join(line for _, line in _lines(path, 0) if _open_seal(line) is not None)
            target = self.folder / "damaged" / f"{path.name}.{secrets.token_hex(4)}"
            target.parent.mkdir(exist_ok=True)
            write_atomically(path.with_name(f"sound-{secrets.token_hex(4)}.jsonl"), sound)
            path.rename(target)
            moved.append(target)
        self.damaged.clear()
        return moved

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
    row = {
        "request_sha256": key,
        "agent": answer["agent"],
        "host": answer["host"],
        "request": answer["request"],
        "http_status": answer["http_status"],
        "fault": answer["fault"],
        "response_sha256": sha256_bytes(body),
        **pack_body(body),
    }
    return {**row, "sample": answer["sample"]} if answer.get("sample") else row


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
        key = request_key(row["host"], row["request"], row.get("sample", 0))
        keys = (key, first_form_key(row["host"], row["request"]))
        sound = sha256_bytes(unpack_body(row)) == row["response_sha256"]
        if row["request_sha256"] not in keys or not sound:
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


def request_key(host: str, body: dict[str, Any], sample: int = 0) -> str:
    """Return the content address of a request.

    Args:
        host: the host's name.
        body: the chat request. How long the answer may be, and whether it comes piece by piece,
            are not part of the key.
        sample: number of the answer, where several are asked of one prompt.

    Returns:
        sha256 of host, model, body and sample.
    """
    asked = {name: value for name, value in body.items() if name not in NOT_IN_KEY}
    parts = [host, body["model"], canonical_json(asked)]
    if sample:
        parts.append(f"sample {sample}")
    return sha256_bytes("\n".join(parts).encode("utf-8"))


def first_form_key(host: str, body: dict[str, Any]) -> str:
    """Return the address that records and exports of the first form have for a request."""
    return sha256_bytes("\n".join([host, body["model"], canonical_json(body)]).encode("utf-8"))


def _key_of(record: dict[str, Any]) -> str:
    if record.get("format", 1) < FORMAT and "request" in record:
        return request_key(record["host"], record["request"])
    return record.get("key", "")


def _lines(path: Path, start: int) -> Iterator[tuple[int, bytes]]:
    """Yield the whole lines of a segment with their first bytes; a tail without an end is left."""
    with path.open("rb") as stream:
        stream.seek(start)
        for line in stream:
            if not line.endswith(b"\n"):
                return
            yield start, line
            start += len(line)


def _size(path: Path) -> int:
    with path.open("rb") as stream:
        return stream.seek(0, os.SEEK_END)


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
