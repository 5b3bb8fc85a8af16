"""Locks between machines: one holder, dead holders replaced, late ones stopped, without flock."""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from distil.content import leases
from tests.no_flock import NO_FLOCK

ROOT = Path(__file__).resolve().parents[2]
# A machine of its own, on a shared folder without flock: it notes when it has the lease.
WORKER = (
    NO_FLOCK
    + """
import sys, time
from pathlib import Path
from distil.content import leases

leases.SECONDS = 1.5
say = lambda text: print("said", text, flush=True)
shared, how, turns, held = Path(os.environ["SHARED"]), sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
for _ in range(turns):
    if how == "exclusive":
        handle = os.open(shared / "file", os.O_RDWR | os.O_CREAT)
        hold = leases.exclusive(handle, shared / "file", say)
    else:
        hold = leases.among_machines(shared / "payer", say)
    with hold as lease:
        print("in", time.time(), flush=True)
        until = time.monotonic() + held
        while time.monotonic() < until:
            if how != "exclusive":
                try:
                    lease.require()
                except leases.LeaseLost:
                    print("lost", time.time(), flush=True)
                    sys.exit(7)
            time.sleep(0.01)
        print("out", time.time(), flush=True)
"""
)


def start(tmp_path: Path, machine: str, how: str, turns: int = 1, held: float = 0.1):
    own = tmp_path / machine
    own.mkdir(exist_ok=True)
    (tmp_path / "shared").mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, how, str(turns), str(held)],
        env={**os.environ, "TMPDIR": str(own), "SHARED": str(tmp_path / "shared"),
             "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def read(worker, code: int = 0) -> list[tuple[str, str]]:
    out, err = worker.communicate(timeout=60)
    assert worker.returncode == code, err
    return [tuple(line.split(" ", 1)) for line in out.splitlines()]


def spans(*logs) -> list[tuple[float, float]]:
    found = []
    for log in logs:
        times = [float(what) for kind, what in log if kind in ("in", "out")]
        found += zip(times[::2], times[1::2], strict=True)
    return sorted(found)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="the worker looks up files in /proc")
@pytest.mark.parametrize(("how", "machines"), [("exclusive", "ab"), ("exclusive", "aa"), ("payer", "ab")])  # fmt: skip
def test_two_processes_without_flock_never_hold_at_once(tmp_path, how, machines):
    workers = [start(tmp_path, machine, how, turns=5, held=0.05) for machine in machines]
    held = spans(*map(read, workers))
    assert len(held) == 10
    for (_, end), (begin, _) in itertools.pairwise(held):
        assert begin >= end
    assert [path.name for path in (tmp_path / "shared").iterdir() if path.is_dir()] == []


def test_processes_of_one_machine_pay_together(tmp_path):
    one, other = (start(tmp_path, "a", "payer", held=1.5) for _ in range(2))
    (begin, end), (second, _) = spans(read(one), read(other))
    assert begin < second < end
    assert not (tmp_path / "shared" / "payer").exists()


def kill_while_it_holds(worker: subprocess.Popen) -> float:
    """Kill a worker that has the lease; return when it was dead."""
    assert worker.stdout.readline().startswith("in")
    worker.kill()
    worker.wait()
    return time.time()


@pytest.mark.parametrize("how", ["exclusive", "payer"])
def test_lease_of_a_dead_machine_is_taken_over_and_not_before_it_was_silent(tmp_path, how):
    killed = kill_while_it_holds(start(tmp_path, "a", how, held=60))
    log = read(start(tmp_path, "b", how))
    assert any(kind == "said" and "took" in what for kind, what in log)
    assert spans(log)[0][0] - killed > 1.0
    # On the machine of the dead one, its own kernel knows at once.
    kill_while_it_holds(start(tmp_path, "b", how, held=60))
    log = read(start(tmp_path, "b", how))
    assert not any("took" in what for _, what in log)


def test_holder_that_was_stopped_too_long_finds_its_lease_lost(tmp_path):
    first = start(tmp_path, "a", "payer", held=60)
    assert first.stdout.readline().startswith("in")
    os.kill(first.pid, signal.SIGSTOP)
    second = start(tmp_path, "b", "payer", held=1.0)
    kinds = [kind for kind, _ in read(second)]
    os.kill(first.pid, signal.SIGCONT)
    assert kinds == ["said", "said", "in", "out"]
    assert [kind for kind, _ in read(first, code=7)] == ["lost"]


def test_other_errors_of_a_lock_are_named(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", fail)
    path = tmp_path / "file"
    with (
        path.open("wb") as stream,
        pytest.raises(OSError, match="file"),
        leases.exclusive(stream.fileno(), path),
    ):
        pass
