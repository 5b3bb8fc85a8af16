"""The Snakemake that has a folder for itself: who it is, and whether it still lives.

Snakemake locks a folder by files that name no process, so that after a kill it asks for `--unlock`.
Beside them lies which process it was; where that was one of this machine and is gone, the lock
stands for nobody.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distil.content import leases
from distil.content.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psutil

FILE = Path(".snakemake", "distil-main.json")


@contextlib.contextmanager
def named() -> Iterator[None]:
    """Say that this process has the folder, as long as it has."""
    import psutil

    process = psutil.Process()
    said = {
        "machine": leases.machine_name(),
        "pid": process.pid,
        "started": process.create_time(),
        "at": time.strftime("%Y-%m-%d %H:%M"),
    }
    write_atomically(FILE, json.dumps(said).encode())
    try:
        yield
    finally:
        if _read().get("pid") == os.getpid():
            FILE.unlink(missing_ok=True)


def is_dead() -> bool:
    """Tell whether the process that had the folder ran on this machine and is gone."""
    said = _read()
    if not said:  # as after a run that ended; each plan asks
        return False
    import psutil

    if said.get("machine") != leases.machine_name():
        return False  # nothing is known of it here
    try:
        process = psutil.Process(said["pid"])
        return not is_alive(process) or abs(process.create_time() - said["started"]) > 1
    except psutil.NoSuchProcess:
        return True


def is_alive(process: psutil.Process) -> bool:
    """Tell whether a process is at work; one that died and was not waited for yet is not."""
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def describe() -> str:
    """Say in a line who has the folder."""
    said = _read()
    if not said:
        return "who has locked this folder is not known"
    host = said["machine"].rpartition("~")[0]
    return f"this folder is in use by process {said['pid']} on {host}, since {said['at']}"


def _read() -> dict[str, Any]:
    try:
        return json.loads(FILE.read_bytes())
    except (OSError, ValueError):
        return {}
