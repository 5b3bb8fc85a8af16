"""The teacher's stages through `snakemake`: one pool, signals, and what a change reruns."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
import yaml

from distil.lineage import locks
from distil.teacher.journal import Journal
from tests.front.teacher_host import RuleHost
from tests.front.teacher_study import merge, study_file
from tests.workflow.checkout import Checkout, copy_repository

YEARS = (2011, 2012, 2013, 2014)
TARGETS = [f"results/micro/traces/{year}/solutions.jsonl" for year in YEARS]


def start(checkout: Checkout, *arguments: str) -> subprocess.Popen:
    """Start `snakemake` as the head of a group of processes, as a scheduler does."""
    return subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--nocolor", *arguments, "--configfile", "mine.yaml"],
        cwd=checkout.path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True, env={**os.environ, "DISTIL_QUIET": "1"},
    )  # fmt: skip


def running(checkout: Checkout) -> bool:
    """Whether a job of the study is still at work."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(checkout.path)
        return bool(locks.running("micro"))


@pytest.mark.timeout(300)
def test_years_share_one_pool_sigterm_drains_and_settings_of_how_rerun_nothing(tmp_path):
    """T17, T18, T14."""
    checkout = copy_repository(tmp_path / "repository")
    with RuleHost(latency=1.2) as host:
        study_file(checkout.path / "mine.yaml", host.url)
        process = start(checkout, "--cores", "1", *TARGETS)
        while len(host.requests) < 6 and process.poll() is None:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGTERM)
        said, _ = process.communicate(timeout=120)
        assert process.returncode != 0, said
        paid = len(host.requests)
        assert paid < 44
        found = Journal(checkout.path / "state/micro/teacher")
        found.refresh()
        assert found.possibly_paid() == [], said
        assert len(found.attempts()) == paid

        # A Snakemake that is killed outright leaves its jobs behind: they drain as well.
        process = start(checkout, "--cores", "1", *TARGETS)
        while len(host.requests) < paid + 4 and process.poll() is None:
            time.sleep(0.05)
        process.kill()
        process.communicate(timeout=120)
        paid = len(host.requests)
        deadline = time.monotonic() + 30
        while host.busy or running(checkout):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        found.refresh()
        assert found.possibly_paid() == []

        host.latency = 0.4
        process = start(checkout, "--cores", "1", "--nolock", *TARGETS)
        said, _ = process.communicate(timeout=240)
        assert process.returncode == 0, said
        # No more than the key allows, and all of it, whatever the number of cores.
        assert host.peak == 4
        assert len(host.requests) == len(set(host.counts))
        assert len(host.requests[paid:]) > 10

    def planned(change: dict) -> set[str]:
        config = yaml.safe_load((checkout.path / "mine.yaml").read_text(encoding="utf-8"))
        text = yaml.safe_dump(merge(config, {"teacher": change}))
        (checkout.path / "changed.yaml").write_text(text, encoding="utf-8")
        return checkout.planned(*TARGETS, config="changed.yaml")

    how = {
        "money_cap": 70.0, "retries": 9, "mode": "replay", "stop_after": 3,
        "hosts": {"r1": {"base_url": "http://localhost:9/v1", "api_key_env": "OTHER_KEY",
                         "concurrency": 9, "deadline_seconds": 60.0, "stream": False,
                         "models": {"sample-solver": {"input": 9.0}}}},
    }  # fmt: skip
    assert planned(how) == set()
    # What shapes an answer reruns the stage.
    assert planned({"agents": {"solver": {"max_tokens": 9000}}}) == {
        f"solve_problems(year={year})" for year in YEARS
    }
