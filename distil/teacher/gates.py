"""Limits of a host's key that all jobs of a machine share: requests in flight, rate, pauses.

Jobs of several years, and several studies, may ask the same host at once. What the host allows, it
allows them together, so the count of requests in flight, the requests and tokens of a minute, and a
pause that the host asks for stand in a folder of the machine's own temporary directory: one lock
file for each slot, and one small file for the rate. The kernel lets go of a slot when its holder
dies. Machines do not share it: on a cluster, limits hold for each node.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from distil.content.hashing import sha256_text
from distil.teacher.settings import SIMULATED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distil.teacher.settings import HostSettings

# Tokens of a minute may be used in one go, as hosts count them.
_MINUTE = 60.0
# Seconds by which sums of times may be off, on a clock that counts millions of seconds.
_ROUNDING = 1e-6
# Seconds by which two readings of the moment at which the machine's clock began may differ.
_SAME_START = 100.0


class Gate:
    """What one host's key allows at a time.

    Args:
        host: the host's settings.

    The simulated teacher is a server of each job's own, so its gate is not shared.
    """

    def __init__(self, host: HostSettings) -> None:
        self._size = host.concurrency
        self._limits = {
            "requests": host.requests_per_minute,
            "tokens": host.tokens_per_minute,
        }
        self._free = threading.Semaphore(self._size)
        self._next = 0
        self._slots: list[int] = []
        self._pause_until = 0.0
        self._folder = None if host.base_url == SIMULATED else _folder(host)

    def take_slot(self) -> bool:
        """Take one of the slots for requests in flight, if one is free; never waits."""
        if not self._free.acquire(blocking=False):
            return False
        if self._folder is None:
            return True
        for turn in range(self._size):
            number = (self._next + turn) % self._size
            handle = os.open(self._folder / f"slot-{number:04d}", os.O_RDWR | os.O_CREAT, 0o600)
            if _try_lock(handle):
                self._next = number + 1
                self._slots.append(handle)
                return True
            os.close(handle)
        self._free.release()
        return False

    def give_slot_back(self) -> None:
        """Let go of a slot."""
        if self._slots:
            os.close(self._slots.pop())
        self._free.release()

    def pause(self, seconds: float) -> None:
        """Hold all requests of the key for some time."""
        with self._state() as state:
            until = time.monotonic() + seconds
            state["pause"] = max(until, state.get("pause", 0.0))
            self._pause_until = max(until, self._pause_until)

    def wait(self, tokens: float) -> float:
        """Book a request if it may be sent now, and return 0; else return when to ask again.

        Nothing is booked ahead, so that a pause holds those as well that had waited for their turn,
        and they follow each other at the key's rate once it is over.

        Args:
            tokens: likely tokens of prompt and answer.

        Returns:
            seconds.
        """
        if self._folder is None or not self._has_state():
            return max(0.0, self._pause_until - time.monotonic())
        now = time.monotonic()
        with self._state() as state:
            start, booked = state.get("pause", 0.0), {}
            for name, amount in (("requests", 1.0), ("tokens", tokens)):
                if (limit := self._limits[name]) is None:
                    continue
                # A bucket that holds a minute's share at most, and fills steadily (GCRA). What asks
                # for more than it holds goes once it is full.
                arrival = max(state.get(name, 0.0), now)
                cost = amount * _MINUTE / limit
                burst = max(_MINUTE, cost) if name == "tokens" else cost
                start = max(start, arrival + cost - burst)
                booked[name] = arrival + cost
            if start - now > _ROUNDING:
                return start - now
            state.update(booked)
        return 0.0

    def correct(self, tokens: float) -> None:
        """Book further tokens, or fewer, once a response says how many it took."""
        limit = self._limits["tokens"]
        if self._folder is None or limit is None or not math.isfinite(tokens):
            return
        with self._state() as state:
            state["tokens"] = state.get("tokens", 0.0) + tokens * _MINUTE / limit

    def _has_state(self) -> bool:
        limited = any(limit is not None for limit in self._limits.values())
        return limited or (self._folder / "rate.json").exists()

    @contextlib.contextmanager
    def _state(self) -> Iterator[dict[str, float]]:
        """Hold the file of the rate, read it, and write what the caller made of it."""
        if self._folder is None:
            yield {}
            return
        handle = os.open(self._folder / "rate.json", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            try:
                state = json.loads(os.pread(handle, 4096, 0) or b"{}")
            except ValueError:
                state = {}
            # The clock counts from the start of the machine; what was written before is void.
            began = time.time() - time.monotonic()
            if abs(state.get("began", 0.0) - began) > _SAME_START:
                state = {"began": began}
            yield state
            text = json.dumps(state).encode("ascii")
            os.ftruncate(handle, 0)
            os.pwrite(handle, text, 0)
        finally:
            os.close(handle)


def _folder(host: HostSettings) -> Path | None:
    """Return the folder of a host's key, or None where the machine gives none with locks."""
    key = sha256_text(f"{host.base_url.rstrip('/')}\n{host.api_key_env}")[:16]
    folder = Path(tempfile.gettempdir()) / f"distil-hosts-{os.getuid()}" / key
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(folder / "probe", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        finally:
            os.close(handle)
    except OSError:
        return None
    return folder


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
