"""What kills, shared journals and many threads must not cost: an answer, or a second payment."""

from __future__ import annotations

import asyncio
import collections
import json
import os
import random
import resource
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from distil.teacher.journal import Journal
from tests.faults.fault_host import MODEL, FaultHost
from tests.faults.teacher_study import ask, client

HERE = Path(__file__).parent
TORTURE = os.environ.get("DISTIL_TORTURE") == "1"
KILLS = 1000 if TORTURE else 50
SLOTS = 4
SHARED_KEYS = 1000 if TORTURE else 200


def worker(host: FaultHost, folder: Path, *arguments: int | str, **options) -> subprocess.Popen:
    return subprocess.Popen(
        [
            sys.executable,
            HERE / "teacher_worker.py",
            host.url,
            folder / "journal",
            folder / "acknowledged",
            *map(str, arguments),
        ],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(HERE.parent.parent)},
        **options,
    )


def read_journal(folder: Path) -> Journal:
    journal = Journal(folder / "journal")
    journal.refresh()
    return journal


@pytest.mark.timeout(3600)
def test_kill_at_any_moment_loses_no_acknowledged_answer_and_lists_what_was_in_flight(tmp_path):
    moments = random.Random(7)
    writers = 0
    with FaultHost(latency=0.02) as host:
        for kill in range(KILLS):
            # Half of the keys are those of the round before: a kill must not cost them twice.
            process = worker(host, tmp_path, SLOTS, 10 * kill, 20)
            assert process.stdout.readline() == "ready\n"
            time.sleep(moments.uniform(0, 0.2))
            process.kill()
            process.wait()
            writers += 1
            if kill % 50 == 0 or kill == KILLS - 1:
                check_nothing_lost(tmp_path, writers)
        rest = worker(host, tmp_path, SLOTS, 0, 10 * KILLS + 10)
        rest.communicate()
        assert rest.returncode == 0
        journal = check_nothing_lost(tmp_path, writers)
        listed = collections.Counter(item.key for item in journal.possibly_paid())
        prompts = [f"ok #{number}" for number in range(10 * KILLS + 10)]
        with client(host.url, tmp_path / "unused") as teacher:
            for prompt in prompts:
                key = teacher.request(prompt).key
                assert journal.answer(key)
                assert host.counts[prompt] <= 1 + listed[key]
    acknowledged = (tmp_path / "acknowledged").read_text().split()
    print(f"{KILLS} kills: {len(acknowledged)} answers acknowledged, {listed.total()} listed")
    assert listed.total() > 0


def check_nothing_lost(folder: Path, writers: int) -> Journal:
    journal = read_journal(folder)
    noted = folder / "acknowledged"
    for key in noted.read_text().split() if noted.exists() else []:
        assert journal.answer(key), f"{key} was acknowledged and is lost"
    # Nothing but a killed writer leaves an attempt open, and none more than its slots.
    assert len(journal.possibly_paid()) <= SLOTS * writers
    assert {item.status for item in journal.possibly_paid()} <= {None}
    by_segment = collections.Counter()
    for segment in (folder / "journal" / "segments").iterdir():
        alone = Journal(folder / "none")
        alone._read_on(segment, segment.stat().st_size)
        by_segment[segment.name] = len(alone.possibly_paid())
    assert max(by_segment.values(), default=0) <= SLOTS
    return journal


def test_segment_that_cannot_grow_ends_all_paid_calls_and_the_next_run_goes_on(tmp_path):
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))

    with FaultHost(latency=0.01) as host:
        process = worker(host, tmp_path, SLOTS, 0, 100, preexec_fn=limit, stderr=subprocess.PIPE)
        _, said = process.communicate()
        assert process.returncode == 1
        assert "the journal cannot be written" in said
        acknowledged = (tmp_path / "acknowledged").read_text().split()
        assert 0 < len(acknowledged) < 50
        assert len(host.requests) <= len(acknowledged) + SLOTS
        check_nothing_lost(tmp_path, writers=1)
        again = worker(host, tmp_path, SLOTS, 0, 100)
        again.communicate()
        assert again.returncode == 0
        assert len(host.requests) <= 100 + SLOTS


@pytest.mark.timeout(600)
def test_four_workers_that_share_keys_pay_for_each_once(tmp_path):
    with FaultHost(latency=0.2) as host:
        processes = [
            worker(host, tmp_path, 8, 0, SHARED_KEYS, "wait", stdin=subprocess.PIPE)
            for _ in range(4)
        ]
        # They begin together, however long a busy machine takes to start them.
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        asked = [int(process.communicate()[0].split()[-1]) for process in processes]
        assert [process.returncode for process in processes] == [0] * 4
    assert set(host.counts.values()) == {1}
    assert len(host.counts) == SHARED_KEYS
    journal = read_journal(tmp_path)
    assert len(journal.attempts()) == SHARED_KEYS
    assert journal.possibly_paid() == []
    # They shared the work, too.
    assert sum(asked) == SHARED_KEYS
    assert max(asked) < SHARED_KEYS
    assert not (tmp_path / "journal" / "payer").exists()


def plain_seconds(url: str, slots: int, count: int) -> float:
    """How long bare sockets without journal, retries or deadlines take for as many requests.

    One thread of asyncio that parses nothing: less work than any client library does.
    """
    body = {"model": MODEL, "messages": [{"role": "user", "content": "ok #plain"}]}
    data = json.dumps(body).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n\r\n"
    port = int(url.rpartition(":")[2].partition("/")[0])
    left = iter(range(count))

    async def work() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in left:
            writer.write(head.encode() + data)
            lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
            await reader.readexactly(int(lines[1].partition(b": ")[2]))
        writer.close()

    async def all_of_them() -> None:
        await asyncio.gather(*(work() for _ in range(slots)))

    start = time.monotonic()
    asyncio.run(all_of_them())
    return time.monotonic() - start


@pytest.mark.timeout(600)
def test_throughput_is_that_of_the_slots_and_the_hosts_latency(tmp_path):
    slots, latency, count = (200, 2.0, 4000) if TORTURE else (200, 2.0, 800)
    command = [sys.executable, HERE / "fault_host.py", "--latency", str(latency)]
    command += ["--log", tmp_path / "requests"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        url = process.stdout.readline().strip()
        with client(url, tmp_path / "journal", concurrency=slots, money_cap=1e6,
                    idle_seconds=30.0, deadline_seconds=60.0) as teacher:  # fmt: skip
            ask(teacher, "ok #first")
            start = time.monotonic()
            replies = ask(teacher, *(f"ok #{number}" for number in range(count)))
            seconds = time.monotonic() - start
        assert {reply.status for reply in replies} == {"ok"}
        share = count / seconds / (slots / latency)
        plain = seconds if share >= 0.9 else plain_seconds(url, slots, count)
        print(
            f"{slots} in flight, {latency} s each: {share:.1%} of {slots / latency:.0f} a second; "
            f"bare sockets in {plain:.2f} s, the client in {seconds:.2f} s"
        )
        # A machine busy with other work slows bare sockets, too: then they are the measure, less
        # what reading and storing an answer costs there.
        assert share >= 0.9 or plain >= 0.8 * seconds
    finally:
        process.kill()
        process.wait()


@pytest.mark.timeout(900)
def test_memory_does_not_grow_with_the_answers(tmp_path):
    step = 10_000 if TORTURE else 700
    with FaultHost() as host:
        process = worker(host, tmp_path, 16, 0, 2 * step, stderr=subprocess.DEVNULL)
        assert process.stdout.readline() == "ready\n"
        sizes = []
        for count in (step // 2, 2 * step - 1):
            while len(host.requests) < count and process.poll() is None:
                time.sleep(0.02)
            sizes.append(psutil.Process(process.pid).memory_info().rss)
        process.communicate()
        assert process.returncode == 0
    grown = (sizes[1] - sizes[0]) / (1.5 * step)
    print(f"{sizes[0] / 2**20:.0f} MiB, {grown:.0f} bytes more for each answer")
    assert grown < 4000
