"""Locks between processes and between machines: flock where the file system has it, else a lease.

Within a machine, the kernel's flock on a file of the machine's own temporary folder: it lets go
when its holder dies. Between machines, a *lease*: a folder on the shared file system that holds one
file, whose name says who has it and how often it was renewed. Every step is one rename, which a
file system does for one caller only:

    take      rename a folder of one's own to the lease's name; fails while that holds a file
    renew     rename MACHINE.7 to MACHINE.8, every few seconds
    take over rename OTHER.7 to MACHINE.0, once its name has not changed for `SECONDS`

A renewal and a take-over rename the same name, so one of the two fails, and no clocks are
compared. A holder that could not renew for half of `SECONDS` counts its lease as lost
(`Lease.require`) before another may take it. What it had begun by then cannot be called back.

`exclusive` is used where flock is missing (Lustre without `-o flock`: "Function not implemented"),
or everywhere with DISTIL_LOCKS=lease, for mounts on which flock holds for one node only
(`localflock`). `among_machines` is always a lease.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import math
import os
import platform
import re
import secrets
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from distil.content.hashing import sha256_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# How long a holder is silent before it counts as dead.
SECONDS = 60.0
# How often a renewal is tried against those of the machine's other processes.
TURNS = 10
# Seconds between two looks at a lock that another process of this machine holds.
POLL = 0.2
# Answers of a file system that has no flock.
MISSING = frozenset({errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOLCK})
FORCED = os.environ.get("DISTIL_LOCKS") == "lease"

_OCCUPIED = frozenset({errno.ENOTEMPTY, errno.EEXIST})


class LeaseLost(RuntimeError):  # noqa: N818 - what happened, not an error of the caller
    """A lease could not be renewed in time, so that another machine may hold it now."""


class Holder(NamedTuple):
    """Who has a lease: the machine, how often it renewed, and both as the name of a file."""

    machine: str
    beat: int
    name: str

    @property
    def host(self) -> str:
        """The machine's name, as its users know it."""
        return self.machine.rpartition("~")[0]


# --------------------------------------------------------------------------- within the machine


@functools.cache
def machine_folder() -> Path:
    """Return the folder of this machine's own locks; where it differs, so does the machine."""
    folder = Path(tempfile.gettempdir()) / f"distil-locks-{os.getuid()}"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


@functools.cache
def machine_name() -> str:
    """Return a name of this machine since it was started: host, and what stands in its folder.

    Jobs that a cluster gives a temporary folder each cannot see each other's locks, and so count as
    machines of their own.
    """
    with contextlib.suppress(FileExistsError), (machine_folder() / "id").open("x") as stream:
        stream.write(secrets.token_hex(8))
    boot = Path("/proc/sys/kernel/random/boot_id")
    since = boot.read_text() if boot.is_file() else str(round(time.time() - time.monotonic(), -2))
    state = (machine_folder() / "id").stat()
    known = f"{state.st_ino} {(machine_folder() / 'id').read_text()} {since}"
    host = re.sub(r"[^A-Za-z0-9-]", "-", platform.node() or "host")[:60]
    return f"{host}~{sha256_text(known)[:16]}"


def local_lock(path: Path) -> Path:
    """Return the file of this machine that stands for a lock on a shared path."""
    return machine_folder() / sha256_text(os.path.realpath(path))[:32]


@contextlib.contextmanager
def _flocked(path: Path, kind: int) -> Iterator[int]:
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, kind)
        yield handle
    finally:
        os.close(handle)


# ---------------------------------------------------------------------------- between machines


class Lease:
    """A lease of this machine on a path, renewed by a thread while it is held.

    Args:
        path: the lease's folder.
        say: told in a line when it must wait, or takes over.
    """

    def __init__(self, path: Path, say: Callable[[str], None]) -> None:
        self.path, self.say = path, say
        self._renewed = 0.0
        self._lost = False
        self._ended = threading.Event()
        self._lock = threading.Lock()

    def take(self, patience: float = math.inf) -> bool:
        """Take the lease once its holder lets go or was silent for `SECONDS`.

        Returns:
            whether it was taken within `patience` seconds.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        seen, since, said = None, time.monotonic(), False
        deadline = since + patience
        while True:
            holder = find_holder(self.path)
            if holder is None:
                if self._place():
                    break
                continue
            now = time.monotonic()
            if holder != seen:
                seen, since = holder, now
            silent = now - since
            if holder.machine == machine_name():
                # Of this machine, whose own locks say that nobody else holds it.
                if self._rename(holder, f"{holder.machine}.{holder.beat + 1}"):
                    break
                continue
            if silent > SECONDS and self._rename(holder, f"{machine_name()}.0"):
                self.say(f"took {self.path} over from {holder.host}, silent for {silent:.0f} s")
                break
            if now >= deadline:
                return False
            if not said:
                self.say(f"{self.path} is held by {holder.host}; waiting until it lets go")
                said = True
            time.sleep(min(1.0, SECONDS / 10))
        self._renewed = _now()
        threading.Thread(target=self._keep, name="lease", daemon=True).start()
        return True

    def _place(self) -> bool:
        """Put a folder with our name in it where none, or an empty one, is."""
        own = self.path.with_name(f".{self.path.name}.{secrets.token_hex(8)}")
        own.mkdir()
        (own / f"{machine_name()}.0").touch()
        try:
            own.rename(self.path)
        except OSError as error:
            (own / f"{machine_name()}.0").unlink()
            own.rmdir()
            if error.errno in _OCCUPIED:
                return False
            raise
        return True

    def _rename(self, holder: Holder, name: str) -> bool:
        try:
            (self.path / holder.name).rename(self.path / name)
        except FileNotFoundError:
            return False
        return True

    def renew(self) -> bool:
        """Renew the lease once; False if another machine has it."""
        with self._lock:
            for turn in range(TURNS):
                # What is renewed now counts from before the rename.
                moment, holder = _now(), find_holder(self.path)
                if holder is None or holder.machine != machine_name():
                    break
                if self._rename(holder, f"{holder.machine}.{holder.beat + 1}"):
                    self._renewed = moment
                    return True
                time.sleep(0.01 * turn)  # another process of this machine was quicker
            self._lost = True
            return False

    def require(self) -> None:
        """Return while the lease is surely held.

        Raises:
            LeaseLost: it was not renewed for too long, and another machine has it.
        """
        if self._lost or (_now() - self._renewed > SECONDS / 2 and not self.renew()):
            raise LeaseLost(
                f"{self.path}: this machine did not renew its lease in time, and another has it now"
            )

    def _keep(self) -> None:
        while not (self._lost or self._ended.wait(SECONDS / 6)):
            with contextlib.suppress(OSError):  # a file system that is away for a while
                self.renew()

    def stop(self) -> None:
        """Renew no longer."""
        self._ended.set()
        with self._lock:
            pass

    def give_back(self) -> None:
        """Let go of the lease, if this machine still has it."""
        self.stop()
        holder = find_holder(self.path)
        if holder is not None and holder.machine == machine_name():
            with contextlib.suppress(OSError):
                (self.path / holder.name).unlink()
                self.path.rmdir()


def find_holder(path: Path) -> Holder | None:
    """Return who has a lease, or None."""
    try:
        names = [entry.name for entry in path.iterdir() if "~" in entry.name]
    except FileNotFoundError:
        return None
    if not names:
        return None
    machine, _, beat = names[0].rpartition(".")
    return Holder(machine, int(beat), names[0])


def _now() -> float:
    """Return seconds that count on while the machine sleeps, where there is such a clock."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@contextlib.contextmanager
def among_machines(path: Path, say: Callable[[str], None]) -> Iterator[Lease]:
    """Hold a lease together with other processes of this machine, and with no other machine.

    Args:
        path: the lease's folder, on the file system that the machines share.
        say: told in a line when it must wait, or takes over.
    """
    local = local_lock(path)
    lease = Lease(path, say)
    with _flocked(local, fcntl.LOCK_SH) as shared:
        with _flocked(local.with_suffix(".taking"), fcntl.LOCK_EX):
            lease.take()
        try:
            yield lease
        finally:
            lease.stop()
            with _flocked(local.with_suffix(".taking"), fcntl.LOCK_EX):
                try:
                    fcntl.flock(shared, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    pass  # another process of this machine goes on
                else:
                    lease.give_back()


@contextlib.contextmanager
def exclusive(
    handle: int, path: Path, say: Callable[[str], None] = print, patience: float = math.inf
) -> Iterator[bool]:
    """Hold a lock on an open file against all others.

    Yields whether it is held; False only where another had it for longer than `patience`.

    Args:
        handle: the open file; the lock ends with it, or with this context.
        path: where the file lies; beside it the lease is made where flock is missing.
        say: told in a line when it must wait, or takes over from a dead machine.
        patience: seconds to wait for the holder.

    Raises:
        OSError: neither a lock nor a lease can be had; the error names the file.
    """
    if not FORCED:
        try:
            held = _lock(handle, path, say, patience)
        except OSError as error:
            if error.errno not in MISSING:
                raise OSError(error.errno, error.strerror, str(path)) from error
        else:
            yield held
            return
    local = os.open(local_lock(path), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        since = time.monotonic()
        lease = Lease(path.with_name(f"{path.name}.lease"), say)
        held = _lock(local, path, say, patience)
        held = held and lease.take(patience - (time.monotonic() - since))
        try:
            yield held
        finally:
            if held:
                lease.give_back()
    finally:
        os.close(local)


def _lock(handle: int, path: Path, say: Callable[[str], None], patience: float) -> bool:
    """Lock an open file by flock; False if another had it for longer than `patience` seconds."""
    since, said = time.monotonic(), False
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() - since >= patience:
                return False
            if not said:
                say(f"{path} is held by another process; waiting until it lets go")
                said = True
            time.sleep(min(POLL, patience))
        else:
            return True
