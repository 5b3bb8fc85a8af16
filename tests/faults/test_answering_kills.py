"""An answering job that is killed keeps every batch it has finished, and ends in the same bytes."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.unit.tiny_student import draw_pairs, make_student

ROOT = Path(__file__).resolve().parents[2]
WORKER = Path(__file__).with_name("answering_worker.py")
KILLS = 20 if os.environ.get("DISTIL_TORTURE") else 5


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    home = tmp_path_factory.mktemp("inputs")
    problems = [
        {"id": f"2020-fs-{i:03d}", "year": 2020, "statement": message.split("\n")[1], "options": []}
        for i, (message, _) in enumerate(draw_pairs(100, 31))
    ]
    (home / "2020.jsonl").write_text("".join(json.dumps(row) + "\n" for row in problems))
    (home / "student.txt").write_text("$instruction\n$statement\n")
    (home / "levels.yaml").write_text("R1: {student: All steps.}\nR6: {student: Answer.}\n")
    plan = [
        {"iteration": None, "benchmark": "competition", "level": level, "years": [2020]}
        for level in ("R1", "R6")
    ]
    (home / "plan.json").write_text(json.dumps(plan))
    return make_student(home, tokens=4_000), home


def start(inputs, folder: Path) -> subprocess.Popen:
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, str(WORKER), *map(str, inputs), "."],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=(folder / "stderr").open("a"),
        text=True,
    )


def stored(folder: Path) -> set[str]:
    """The keys of the whole lines on the disk."""
    lines = [
        line
        for path in (folder / "state/tiny/predictions/base").glob("*.jsonl")
        for line in path.read_bytes().split(b"\n")
        if line.endswith(b"}")
    ]
    return {json.loads(line)["row"]["key"] for line in lines}


@pytest.mark.timeout(1200)
def test_a_killed_answering_job_keeps_every_finished_batch(inputs, tmp_path):
    whole = start(inputs, tmp_path / "whole")
    assert whole.stdout.readline() == "answering\n"
    started = time.monotonic()
    assert whole.wait() == 0
    seconds = time.monotonic() - started
    expected = (tmp_path / "whole" / "base.parquet").read_bytes()
    choose = random.Random(11)
    killed, rounds, kept_something = 0, 0, 0
    while killed < KILLS:
        folder = tmp_path / f"killed-{rounds}"
        rounds += 1
        before: set[str] = set()
        for _ in range(5):
            worker = start(inputs, folder)
            assert worker.stdout.readline() == "answering\n"
            time.sleep(choose.uniform(0, seconds * 0.7))
            worker.send_signal(signal.SIGKILL)
            ended = worker.wait()
            killed += ended == -signal.SIGKILL
            now = stored(folder)
            assert before <= now
            kept_something += before < now
            before = now
            if ended == 0 or killed == KILLS:
                break
        assert start(inputs, folder).wait() == 0
        assert (folder / "base.parquet").read_bytes() == expected
        counted = json.loads((folder / "counted.json").read_text())
        # Equal prompts of the plan are one row of the store.
        assert counted["reused"] >= len(before)
        assert counted["new"] + counted["reused"] == 200
    assert kept_something
