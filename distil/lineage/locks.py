"""One process at a time for a job, and none whose Snakemake has died.

A job holds `state/STUDY/locks/RULE/WILDCARDS.lock` while it is at work, and says in it who it is:
its machine, its process and, on a cluster, its number there.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import platform
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from distil.content import leases
from distil.content.addresses import lock_path
from distil.lineage.logs import name_unwritable
from distil.lineage.main_process import is_alive, is_dead

if TYPE_CHECKING:
    from collections.abc import Iterator

# The longest that an orphan may take to end what it has paid for.
DRAIN_SECONDS = 3600
# The longest that a cluster's job waits for another that does the same, on what it has reserved.
WAIT_SECONDS = 600.0
# The longest that a cancelled job may take to end.
END_SECONDS = 120.0
# How long a plan waits for jobs that a dead Snakemake left here: they notice within .2 s, unless a
# library holds the interpreter.
ORPHAN_SECONDS = 5.0
# The allocation in which this process was started; Snakemake forgets it when it submits jobs.
SLURM_JOB = os.environ.get("SLURM_JOB_ID")


class AtWork(NamedTuple):
    """A job at work: the record that it will leave, and what it said of itself."""

    record: Path
    holder: dict[str, Any]


@contextlib.contextmanager
def alone(record_file: Path) -> Iterator[None]:
    """Let one process at a time do a job, and none whose Snakemake has died.

    A killed Snakemake leaves its running job behind. Such an orphan ends itself within a moment, or
    once the answers have come that a host was asked for; until it has, the lock holds back the same
    job of the next run: whatever the orphan wrote is then overwritten, never the other way round.

    Raises:
        SystemExit: the lock cannot be written, or this job of a cluster has waited for too long.
    """
    path = lock_path(record_file)
    _end_with_parents()
    with name_unwritable(path), contextlib.ExitStack() as stack:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        stack.callback(os.close, handle)

        def say(text: str) -> None:
            print(f"{text} ({_describe(_read(path))})", flush=True)

        patience = WAIT_SECONDS if SLURM_JOB else math.inf
        if not stack.enter_context(leases.exclusive(handle, path, say, patience)):
            raise SystemExit(
                f"{path} is held by {_describe(_read(path))}, which does the same; this job does "
                "not wait longer on what the cluster has reserved for it. Once the other has "
                "ended, start Snakemake again"
            )
        holder = {"host": platform.node(), "pid": os.getpid(), "slurm": SLURM_JOB}
        text = json.dumps(holder).encode()
        os.ftruncate(handle, 0)
        os.pwrite(handle, text, 0)
        locked = stack.pop_all()
    with locked:
        yield


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_bytes() or b"{}")
    except (OSError, ValueError):
        return {}


def _describe(holder: dict[str, Any]) -> str:
    if not holder:
        return "another process"
    job = f", Slurm job {holder['slurm']}" if holder.get("slurm") else ""
    return f"process {holder['pid']} on {holder['host']}{job}"


def at_work(study: str) -> list[AtWork]:
    """Return the jobs of a study that are at work now."""
    found = []
    folder = Path("state", study, "locks")
    for path in sorted(folder.glob("*/*.lock")):
        if _held(path):
            name = path.relative_to(folder).with_suffix(".json")
            found.append(AtWork(Path("results", study, "lineage", name), _read(path)))
    return found


def _held(path: Path) -> bool:
    """Tell whether a job holds a lock; a lease that its dead holder left behind counts as held."""
    if leases.find_holder(path.with_name(f"{path.name}.lease")) is not None:
        return True
    try:
        with path.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError as error:
        if error.errno not in leases.MISSING:
            raise
    return False


def running(study: str) -> list[Path]:
    """Return the records that the jobs of a study which are at work now will leave."""
    return [job.record for job in at_work(study)]


def wait_for_orphans(study: str) -> None:
    """Wait until the jobs that a Snakemake of this machine, now dead, left here have ended.

    They end themselves within a moment. A plan that is made meanwhile meets files that come and
    go. A job that waits for what was paid for takes longer; the same job of the next run waits too.
    """
    deadline = time.monotonic() + ORPHAN_SECONDS
    while time.monotonic() < deadline and any(
        job.holder.get("host") == platform.node() and not job.holder.get("slurm")
        for job in at_work(study)
    ):
        time.sleep(0.1)


def end_orphans(study: str) -> list[str]:
    """Cancel the cluster's jobs that an earlier Snakemake, now dead, has left at work.

    They would hold back the same jobs of this run, which wait on what the cluster reserves for
    them. What they stored is not lost: the jobs of this run go on from there. Called by a Snakemake
    that has its folder for itself.

    Returns:
        a line for each job that was cancelled.
    """
    cancelled = {}
    for job in at_work(study):
        number = job.holder.get("slurm")
        if number and number != SLURM_JOB and _submitted(number):
            subprocess.run(["scancel", str(number)], check=False, capture_output=True)
            cancelled[number] = f"{job.record.parent.name} (Slurm job {number})"
    deadline = time.monotonic() + END_SECONDS
    while any(map(_submitted, cancelled)) and time.monotonic() < deadline:
        time.sleep(1)
    return [
        f"cancelled {what}, which an earlier Snakemake had left at work; its job goes on from what "
        "it stored"
        for what in cancelled.values()
    ]


def _submitted(number: str) -> bool:
    """Tell whether a number is that of a living job which Snakemake submitted."""
    if shutil.which("squeue") is None or shutil.which("scancel") is None:
        return False
    command = ["squeue", "--noheader", "--jobs", str(number), "--format", "%k"]
    shown = subprocess.run(command, check=False, capture_output=True, text=True)
    return shown.returncode == 0 and shown.stdout.startswith("rule_")


def _end_with_parents() -> None:
    """End this process when any process above it, up to Snakemake, is gone.

    Raises:
        SystemExit: Snakemake died before this process had looked who is above it.
    """
    import psutil

    above = []
    for process in psutil.Process().parents():
        above.append(process)
        if any("snakemake" in word for word in process.cmdline()[:3]):
            break
    else:
        if not SLURM_JOB and is_dead():
            raise SystemExit("the Snakemake that started this job was killed; nothing was begun")
        return  # a cluster's job: its scheduler ends it

    def watch() -> None:
        while all(map(is_alive, above)):
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
