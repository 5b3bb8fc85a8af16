"""Two machines that share a journal on a file system without flock: one pays at a time."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from distil.content.sealed import read_lines
from distil.teacher.journal import Journal
from tests.faults.fault_host import FaultHost
from tests.no_flock import NO_FLOCK

HERE = Path(__file__).parent
# Read by Python at its start: no file of the shared folder can be locked, and the dead are soon so.
SITE = (
    NO_FLOCK
    + """
from distil.content import leases

leases.SECONDS = 2.0
"""
)


@pytest.fixture
def machine(tmp_path):
    """Start a worker that asks for some keys, as a machine of its own."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(SITE)
    shared = tmp_path / "shared"
    shared.mkdir()

    def start(host: FaultHost, name: str, first: int, count: int) -> subprocess.Popen:
        own = tmp_path / name
        own.mkdir(exist_ok=True)
        paths = os.pathsep.join(map(str, (tmp_path / "site", HERE.parent.parent)))
        return subprocess.Popen(
            [sys.executable, HERE / "teacher_worker.py", host.url, shared / "journal",
             own / "acknowledged", "2", str(first), str(count)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "TMPDIR": str(own), "SHARED": str(shared), "PYTHONPATH": paths},
        )  # fmt: skip

    return start


def spans(folder: Path) -> list[tuple[str, str]]:
    """Return when each writer asked first and when it last wrote down an answer."""
    found = []
    for path in (folder / "shared/journal/segments").iterdir():
        times = [row["at"] for _, row in read_lines(path) if row]
        found.append((min(times), max(times)))
    return sorted(found)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="files are looked up in /proc")
def test_two_machines_pay_one_after_the_other_and_for_nothing_twice(tmp_path, machine):
    with FaultHost(latency=0.05) as host:
        workers = [machine(host, name, 0, 20) for name in ("a", "b")]
        asked = []
        for worker in workers:
            out, err = worker.communicate(timeout=120)
            assert worker.returncode == 0, err
            asked.append(int(out.split()[-1]))
    assert set(host.counts.values()) == {1}
    assert sorted(asked) == [0, 20]
    assert len(spans(tmp_path)) == 1


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="files are looked up in /proc")
def test_machine_takes_the_place_of_a_payer_that_died_and_not_of_one_at_work(tmp_path, machine):
    with FaultHost(latency=0.2) as host:
        first = machine(host, "a", 0, 400)
        assert first.stdout.readline() == "ready\n"
        time.sleep(1.5)
        second = machine(host, "b", 380, 20)
        assert second.stdout.readline() == "ready\n"
        time.sleep(3.0)  # longer than a dead machine is waited for
        assert second.poll() is None
        first.kill()
        first.wait()
        _, err = second.communicate(timeout=120)
        assert second.returncode == 0, err
    (_, ended), *others = spans(tmp_path)
    assert all(begun > ended for begun, _ in others)
    # What was in flight at the kill may have been paid for, and is listed.
    journal = Journal(tmp_path / "shared" / "journal")
    journal.refresh()
    paid_twice = sum(count - 1 for count in host.counts.values())
    assert paid_twice <= len(journal.possibly_paid()) <= 2
