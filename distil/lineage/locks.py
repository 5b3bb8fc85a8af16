"""One process at a time for a job, and none whose Snakemake has died."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from distil.content.addresses import lock_path
from distil.lineage.logs import name_unwritable

if TYPE_CHECKING:
    from collections.abc import Iterator

# The longest that an orphan may take to end what it has paid for.
DRAIN_SECONDS = 3600


@contextlib.contextmanager
def alone(record_file: Path) -> Iterator[None]:
    """Let one process at a time do a job, and none whose Snakemake has died.

    A killed Snakemake leaves its running job behind. Such an orphan ends itself within a moment, or
    once the answers have come that a host was asked for; until it has, the lock holds back the same
    job of the next run: whatever the orphan wrote is then overwritten, never the other way round.
    """
    path = lock_path(record_file)
    _end_with_parents()
    with name_unwritable(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.open("wb")
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def running(study: str) -> list[Path]:
    """Return the records that the jobs of a study which are at work now will leave."""
    found = []
    folder = Path("state", study, "locks")
    for path in sorted(folder.glob("*/*.lock")):
        try:
            with path.open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            name = path.relative_to(folder).with_suffix(".json")
            found.append(Path("results", study, "lineage", name))
    return found


def _end_with_parents() -> None:
    """End this process when any process above it, up to Snakemake, is gone."""
    import psutil

    above = []
    for process in psutil.Process().parents():
        above.append(process)
        if any("snakemake" in word for word in process.cmdline()[:3]):
            break
    else:
        return  # a cluster's job: its scheduler ends it

    def alive(process: psutil.Process) -> bool:
        # A killed process that nobody has waited for yet is a zombie, which psutil calls running.
        with contextlib.suppress(psutil.NoSuchProcess):
            return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        return False

    def watch() -> None:
        while all(map(alive, above)):
            time.sleep(0.2)
        if callable(signal.getsignal(signal.SIGTERM)):
            # The job waits for something that was paid for: it is told to stop, and given time.
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(DRAIN_SECONDS)
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        os._exit(143)

    threading.Thread(target=watch, daemon=True).start()
