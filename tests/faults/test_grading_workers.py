"""Workers of the bigger parser: killed, starved, flooded; verdicts stay the same."""

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest
import yaml

from distil.grading.grading import judge, judge_all
from distil.grading.workers import Limits, Worker, check_all

ROOT = Path(__file__).resolve().parents[2]
# No typed rule covers a sum, so that these go to the bigger parser.
SUM = r"\sum_{k=1}^{9} k"


@pytest.fixture
def worker():
    worker = Worker(Limits(cpu_seconds=1.0), hang_seconds=60.0)
    yield worker
    worker.stop()


def test_a_formula_that_the_grammar_lacks_is_decided_by_the_bigger_parser():
    assert judge("45", rf"\boxed{{{SUM}}}").rule == "math-verify"
    assert judge("45", rf"\boxed{{{SUM}}}").verdict == "right"
    assert judge("46", rf"\boxed{{{SUM}}}").verdict == "wrong"


def test_a_task_that_burns_cpu_is_ended_and_the_next_one_is_served(worker):
    start = time.monotonic()
    assert worker.ask("2", r"9^{9^{9^{9}}}") == "cpu limit"
    assert time.monotonic() - start < 60
    assert worker.ask("45", SUM) == "equal"


def test_a_killed_worker_is_replaced_and_its_task_tried_again(worker):
    assert worker.ask("45", SUM) == "equal"
    os.kill(worker.process.pid, signal.SIGKILL)
    assert worker.ask("45", SUM) == "equal"


def test_a_worker_that_dies_at_every_task_is_a_crash_and_never_wrong(worker, monkeypatch):
    start = Worker._start

    def start_and_stop_reading(self):
        start(self)
        self.process.kill()
        self.process.wait()

    monkeypatch.setattr(Worker, "_start", start_and_stop_reading)
    assert worker.ask("45", SUM) == "crash"


def test_a_stopped_worker_is_a_hang_that_is_tried_elsewhere(worker):
    worker.ask("1", "1")
    worker.hang_seconds = 2.0
    os.kill(worker.process.pid, signal.SIGSTOP)
    assert worker.ask("45", SUM) == "equal"


def test_a_crash_or_time_out_is_unknown_with_its_reason(monkeypatch):
    from distil.grading import grading

    for outcome, said in (
        ("cpu limit", "time-out"),
        ("crash", "crashed"),
        ("hang", "hung"),
        ("memory", "memory"),
    ):
        monkeypatch.setattr(
            grading, "check_all", lambda pairs, *_, outcome=outcome: [outcome] * len(pairs)
        )
        verdict = judge("45", rf"\boxed{{{SUM}}}")
        assert verdict.verdict == verdict.strict_verdict == "unknown"
        assert said in verdict.reason


def burn(stop):
    while not stop.is_set():
        pass


def test_verdicts_do_not_depend_on_the_load_of_the_machine():
    outputs = [rf"\boxed{{\sum_{{k=1}}^{{{n}}} k}}" for n in (3, 9, 12)]
    pairs = [("45", output) for output in outputs]
    calm = judge_all(pairs, workers=1)
    stop = multiprocessing.get_context("spawn").Event()
    burners = [
        multiprocessing.get_context("spawn").Process(target=burn, args=(stop,)) for _ in range(2)
    ]
    for burner in burners:
        burner.start()
    try:
        busy = judge_all(pairs, workers=2)
    finally:
        stop.set()
        for burner in burners:
            burner.join()
    assert busy == calm


def test_verdicts_do_not_depend_on_workers_or_order():
    # SymPy draws random numbers and keeps what it has computed: with other seeds, or after other
    # formulas, the first of these took 0.06 or more than 4 seconds.
    rows = ["abcdef"[place:] + "abcdef"[:place] for place in range(6)]
    matrix = r"\\".join("&".join(row) for row in rows)
    hard = rf"\begin{{pmatrix}}{matrix}\end{{pmatrix}}^{{40}}"
    pairs = [("2", hard), ("45", SUM), ("1", r"\sum_{k=1}^{4} k^2"), ("2", rf"{hard}+1")]
    pairs += [(str(n), r"\int_0^2 x dx") for n in range(2, 5)]
    limits = Limits(cpu_seconds=1.5)
    expected = dict(zip(pairs, check_all(pairs, workers=1, limits=limits), strict=True))
    draw = random.Random(0)
    orders, workers = (20, 20) if os.environ.get("DISTIL_TORTURE") else (3, 3)
    for _ in range(orders):
        shuffled = draw.sample(pairs, len(pairs))
        found = check_all(shuffled, workers=workers, limits=limits)
        assert found == [expected[pair] for pair in shuffled]


def test_the_limits_of_the_studies_are_those_of_the_command():
    for path in ROOT.glob("config*.yaml"):
        limits = yaml.safe_load(path.read_text(encoding="utf-8")).get("grading", {}).get("limits")
        if limits and path.name != "config.micro.yaml":
            assert limits["cpu_seconds"] == Limits().cpu_seconds
            assert limits["memory_mb"] * 10**6 == Limits().memory_bytes


def test_outcomes_come_in_the_order_of_their_pairs():
    pairs = [(str(n * (n + 1) // 2), rf"\sum_{{k=1}}^{{{n}}} k") for n in range(2, 10)]
    pairs[3] = ("1000", pairs[3][1])
    expected = ["equal"] * len(pairs)
    expected[3] = "unequal"
    assert check_all(pairs, workers=2) == expected


def test_a_formula_cannot_run_code(tmp_path, worker):
    target = tmp_path / "made"
    for text in (
        rf"__import__('os').system('touch {target}')",
        rf"\text{{__import__('os').system('touch {target}')}}",
        rf"exec(open('{target}','w'))",
    ):
        judge("2", rf"\boxed{{{text}}}")
        judge("2", f"Answer: {text}")
        judge(text, "Answer: 2")
        worker.ask("2", text)
    assert not target.exists()


def test_memory_is_limited(worker):
    code = (
        r"\begin{pmatrix}"
        + r"\\".join("&".join("abcdefgh") for _ in range(8))
        + r"\end{pmatrix}^{50}"
    )
    assert worker.ask("2", code) in {"unequal", "cpu limit", "memory", "crash", "answer not parsed"}
    assert worker.ask("45", SUM) == "equal"
