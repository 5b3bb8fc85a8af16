import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.unit.tiny_student import chat_rows, draw_pairs, make_student

ROOT = Path(__file__).resolve().parents[2]
WORKER = Path(__file__).with_name("training_worker.py")
KILLS = 50 if os.environ.get("DISTIL_TORTURE") else 3


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    home = tmp_path_factory.mktemp("inputs")
    rows = {
        "train": chat_rows(draw_pairs(42, 1)),
        "valid": chat_rows(draw_pairs(10, 2)),
    }
    (home / "rows.json").write_text(json.dumps(rows))
    return make_student(home, tokens=4_000), home / "rows.json"


def start(inputs, state: Path) -> subprocess.Popen:
    state.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, str(WORKER), *map(str, inputs), str(state)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def outcome(state: Path) -> dict[str, bytes]:
    names = ["00040.safetensors", "00077.safetensors", "00160.safetensors", "result.json"]
    return {name: (state / name).read_bytes() for name in names}


@pytest.mark.timeout(3600)
def test_a_training_killed_at_random_moments_ends_in_the_same_bytes(inputs, tmp_path):
    whole = start(inputs, tmp_path / "whole")
    assert whole.stdout.readline() == "training\n"
    started = time.monotonic()
    assert whole.wait() == 0
    seconds = time.monotonic() - started
    choose = random.Random(7)
    killed = 0
    rounds = 0
    while killed < KILLS:
        # In many rounds, so that each kill falls into a run that a few kills have cut already.
        state = tmp_path / f"killed-{rounds}"
        rounds += 1
        for _ in range(5):
            worker = start(inputs, state)
            assert worker.stdout.readline() == "training\n"
            time.sleep(choose.uniform(0, seconds * 0.6))
            worker.send_signal(signal.SIGKILL)
            ended = worker.wait()
            killed += ended == -signal.SIGKILL
            if ended == 0 or killed == KILLS:
                break
        finish = start(inputs, state)
        assert finish.wait() == 0
        assert outcome(state) == outcome(tmp_path / "whole")
