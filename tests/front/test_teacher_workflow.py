"""A day with a teacher through `snakemake`: bad luck of every kind, one command, one table."""

from __future__ import annotations

import collections
import csv
import itertools
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest
import yaml

from distil.content.files import read_jsonl
from distil.lineage import locks
from distil.teacher.journal import Journal
from tests.front.teacher_host import RuleHost
from tests.front.teacher_study import merge, study_file
from tests.workflow.checkout import Checkout, copy_repository

# Beside these questions, the exams of each year hold a tie-breaker.
SMALL = {
    "exams": {
        "years": [2011, 2012, 2013, 2014],
        "typeset": {"questions": {"fs": 6, "js": 5, "tp": 3}},
    },
}
LARGE = {
    "exams": {
        "years": list(range(2011, 2026)),
        "typeset": {"questions": {"fs": 16, "js": 16, "tp": 11}},
    },
    "folds": {
        "temporal": {"train": list(range(2011, 2024)), "validation": [2024], "test": [2025]},
    },
}  # fmt: skip
# A fiftieth of a second here is 15 seconds of a day: an answer of R1's takes 2 minutes at the median
# and an hour at most. The outage goes on for so long once it was noticed.
DAY = {"median": 0.16, "longest": 4.8, "outage": 0.5, "pause": 3.0}


class Run:
    """`snakemake --configfile mine.yaml -- traces`, as the head of a group of processes."""

    def __init__(self, checkout: Checkout) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "snakemake", "--nocolor", "--nolock", "--cores", "2",
             "--configfile", "mine.yaml", "--", "traces"],
            cwd=checkout.path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True, env={**os.environ, "DISTIL_QUIET": "1"},
        )  # fmt: skip

    def signal(self, number: int, *, group: bool) -> None:
        """Send a signal, to the whole group as a scheduler does, or to Snakemake alone."""
        if group:
            os.killpg(self._process.pid, number)
        else:
            os.kill(self._process.pid, number)

    def end(self) -> tuple[int, str]:
        """Return exit code and what was said, once it has ended."""
        said, _ = self._process.communicate(timeout=900)
        return self._process.returncode, said


def running(checkout: Checkout) -> bool:
    """Whether a job of the study is still at work."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(checkout.path)
        return bool(locks.running("micro"))


def journal(checkout: Checkout) -> Journal:
    found = Journal(checkout.path / "state/micro/teacher")
    found.refresh()
    return found


def at_answers(host: RuleHost, events: dict[int, Callable[[], object]]) -> None:
    """Let things happen as the host begins its first, second, ... answer from now on."""
    spoil, answered = type(host)._spoil, itertools.count(1)

    def count_answers(response, request):
        event = events.pop(next(answered), None)
        if event:
            event()
        spoil(host, response, request)

    host._spoil = count_answers


@pytest.mark.timeout(3600)
def test_day_with_r1_ends_in_one_table_and_pays_exactly_once(tmp_path):
    """T3, T7, T8, T12, T14, T17, T18; 660 problems in torture, 60 else."""
    checkout = copy_repository(tmp_path / "repository")
    large = bool(os.environ.get("DISTIL_TORTURE"))
    # More than a year has questions, so that jobs of several years ask at a time.
    slots = 50 if large else 20
    drawn = random.Random(11)

    def latency() -> float:
        return min(DAY["longest"], DAY["median"] * drawn.lognormvariate(0, 0.8))

    def configure(url: str, host: dict, **teacher) -> None:
        quick = {"outage_seconds": 60.0, "retries": 2, "longest_backoff_seconds": 0.3}
        file = study_file(
            checkout.path / "mine.yaml", url, {"concurrency": slots, **host},
            # Cut answers and those of the wrong model together would stop a job as well.
            **{**quick, "stop_after": 6, "stop_share": 0.9, **teacher},
        )  # fmt: skip
        config = yaml.safe_load(file.read_text(encoding="utf-8"))
        file.write_text(yaml.safe_dump(merge(config, LARGE if large else SMALL)), "utf-8")

    with RuleHost(latency=latency, fail=0.02, cut=8000, separators=True) as host:
        count = 660 if large else 60
        years = len((LARGE if large else SMALL)["exams"]["years"])
        configure(host.url, {})

        def in_logs(text: str) -> bool:
            logs = checkout.path.glob("results/micro/logs/solve_problems/*.log")
            return any(text in path.read_text(encoding="utf-8") for path in logs)

        # The host is gone until that was noticed, and then serves another model.
        def leave() -> None:
            host.down = True
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline and not in_logs("r1 answers nobody"):
                time.sleep(0.1)
            time.sleep(DAY["outage"])
            host.down = False

        def drift() -> None:
            host.served = lambda model: f"{model}-v2"

        at_answers(
            host, {count // 8: lambda: threading.Thread(target=leave).start(), count // 4: drift}
        )
        code, said = Run(checkout).end()
        assert code, said
        assert "drift (sample-solver-v2 answered, not sample-solver)" in said
        assert "list its name in teacher.hosts.r1.models.sample-solver.served" in said
        assert in_logs("r1 answers nobody")
        # One job stops, and the others with it: no more than two had a part of a row as well. Of
        # 300 answers a second a slotful more is under way before the others have seen it.
        strange = sum(n for (*_, served), n in host.paid.items() if served.endswith("-v2"))
        assert 6 <= strange <= 3 * 6 + (2 if large else 1) * slots
        host.served = None

        # Its key allows five requests a second, to all jobs together; it asks for a pause; and a
        # scheduler ends the run.
        refused: list[float] = []

        def pause() -> None:
            host.pause = DAY["pause"]
            while host.pause:
                time.sleep(0.001)
            refused.append(time.monotonic())

        configure(host.url, {"requests_per_minute": 300})
        run = Run(checkout)
        at_answers(host, {
            5: lambda: threading.Thread(target=pause, daemon=True).start(),
            count // 4: lambda: run.signal(signal.SIGTERM, group=True),
        })  # fmt: skip
        code, said = run.end()
        assert code, said
        assert journal(checkout).possibly_paid() == [], said
        after = [moment - refused[0] for moment in host.moments if moment > refused[0]]
        # What was on its way, or left before the refusal was written down and told to all jobs.
        told = 1.0
        assert not [seconds for seconds in after if told < seconds < DAY["pause"] - 0.02], after
        assert len(after) > 3

        # A Snakemake that is killed outright leaves its jobs behind: they drain as well.
        configure(host.url, {})
        run = Run(checkout)
        at_answers(host, {3: lambda: run.signal(signal.SIGKILL, group=False)})
        run.end()
        deadline = time.monotonic() + 30
        while host.busy or running(checkout):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert journal(checkout).possibly_paid() == []

        # The limit is raised, the host has moved, and the answers come in one piece.
        moved = host.url.replace("127.0.0.1", "localhost")
        agents = {"solver": {"max_tokens": 16000}}
        at_answers(host, {})
        configure(moved, {"stream": False}, agents=agents)
        code, said = Run(checkout).end()
        assert code == 0, said

    # By the host's own count: each question is paid once, and again only what another model
    # answered or the lower limit cut.
    once = collections.Counter({key: n for key, n in host.paid.items() if key[0] == key[3]})
    assert set(once.values()) == {1}
    cut = {prompt for _, prompt, limit, _ in once if limit == 8000 and len(prompt) % 4 == 0}
    asked = collections.Counter(prompt for model, prompt, *_ in once if model == "sample-solver")
    assert {prompt for prompt, n in asked.items() if n == 2} == cut
    assert len(cut) > 3
    # A contest sets one question a year once more, ten years later: that is no second request.
    distinct = count - max(0, years - 10)
    assert (len(asked), sum(asked.values())) == (distinct, distinct + len(cut))
    found = journal(checkout)
    assert len(found.attempts()) == len(host.requests)
    assert found.possibly_paid() == []
    assert found.charged() == pytest.approx(host.bill)
    # No more than the key allows, and most of it, whatever the number of cores.
    assert slots / 2 < host.peak <= slots

    solutions = [
        row for path in checkout.path.glob("results/micro/traces/*/solutions.jsonl")
        for row in read_jsonl(path)
    ]  # fmt: skip
    assert {row["status"] for row in solutions} == {"ok"}
    assert all(row["content"].startswith("line\u2028one\u0085two\n") for row in solutions)
    with (checkout.path / "results/micro/tables/traces.csv").open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    traces = collections.Counter()
    for row in table:
        traces[row["status"]] += int(row["traces"])
    print(f"{count} problems, {len(host.requests)} requests: {dict(traces)}")
    # Two levels of each problem that trains or validates; what the teacher cannot solve is said.
    trained = sum(1 for row in solutions if not row["id"].startswith(str(2010 + years)))
    assert set(traces) == {"ok", "wrong-solution"}
    assert traces.total() == 2 * trained
    assert traces["ok"] > trained
    check_settings(checkout, years)


def check_settings(checkout: Checkout, years: int) -> None:
    """What says how a host is asked reruns nothing; what shapes an answer reruns its stage."""

    def planned(change: dict, *targets: str) -> set[str]:
        config = yaml.safe_load((checkout.path / "mine.yaml").read_text(encoding="utf-8"))
        text = yaml.safe_dump(merge(config, {"teacher": change}))
        (checkout.path / "changed.yaml").write_text(text, encoding="utf-8")
        return checkout.planned("--", *targets, config="changed.yaml")

    how = {
        "money_cap": 70.0, "retries": 9, "mode": "replay", "stop_after": 3,
        "hosts": {"r1": {"base_url": "http://localhost:9/v1", "api_key_env": "OTHER_KEY",
                         "concurrency": 9, "deadline_seconds": 60.0, "stream": True,
                         "models": {"sample-solver": {"input": 9.0}}}},
    }  # fmt: skip
    assert planned(how, "traces") == set()
    solved = [f"results/micro/traces/{2011 + place}/solutions.jsonl" for place in range(years)]
    assert planned({"agents": {"solver": {"max_tokens": 9000}}}, *solved) == {
        f"solve_problems(year={2011 + place})" for place in range(years)
    }
