"""A study that is killed at any moment goes on to the same bytes, by the documented recovery."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from distil.content.addresses import lock_path
from distil.content.leases import machine_name
from distil.content.sealed import read_lines
from distil.lineage import history, main_process
from tests.workflow.checkout import Checkout, copy_repository

TORTURE = bool(os.environ.get("DISTIL_TORTURE"))
KILLS = 50 if TORTURE else 5
COMMAND = [
    sys.executable, "-m", "snakemake", "--cores", "1", "--configfile", "config.micro.yaml",
]  # fmt: skip
# Kept beside the results; they differ from run to run and no result depends on them.
ASIDE = ("logs", "timings")


def contents(study: Checkout) -> dict[str, str | list[str]]:
    """Return the sha256 of every result and record, and what the versions hold."""
    top = study.path / "results" / "micro"
    return {
        path.relative_to(top).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(top.rglob("*"))
        if path.is_file()
        and path.relative_to(top).parts[0] not in ASIDE
        and path.name not in (history.RUNS, history.VERSIONS, history.CHAIN, "run.js")
    } | {
        # Each once, in the order in which jobs ended.
        history.VERSIONS: sorted((top / "lineage" / history.VERSIONS).read_text().splitlines())
    }


def start(study: Checkout, *arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [*COMMAND, *arguments], cwd=study.path, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def still_at_work(study: Checkout) -> list[psutil.Process]:
    """Return the processes that still run in the study's folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()) == study.path and "scripts" in " ".join(process.cmdline()):
                found.append(process)
        except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found


@pytest.mark.timeout(7200)
def test_killed_studies_resume_to_the_same_results_and_records(finished, tmp_path):
    expected = contents(finished)
    chance = random.Random(7)
    study = copy_repository(tmp_path / "repository")
    kills = 0
    while kills < KILLS:
        running = start(study)
        try:
            running.wait(timeout=chance.uniform(1.5, 14))
        except subprocess.TimeoutExpired:
            # The whole group, or Snakemake alone, which leaves an orphaned job behind.
            if kills % 2:
                os.killpg(running.pid, signal.SIGKILL)
            else:
                running.kill()
            running.wait()
            kills += 1
        else:
            assert running.returncode == 0
            # It came to its end: begin again with nothing but what was paid for and trained.
            subprocess.run(["rm", "-r", str(study.path / "results")], check=True)
    study.snakemake()
    assert contents(study) == expected


def test_an_orphaned_job_ends_itself_before_the_rerun_writes(tmp_path):
    study = copy_repository(tmp_path / "repository")
    running = start(study)
    limit = time.monotonic() + 120
    while not still_at_work(study) and time.monotonic() < limit:
        time.sleep(0.05)
    assert still_at_work(study)
    running.kill()
    running.wait()
    limit = time.monotonic() + 10
    while still_at_work(study) and time.monotonic() < limit:
        time.sleep(0.05)
    assert still_at_work(study) == []


def leave_dead_snakemake(folder: Path) -> None:
    """Let a folder look as a Snakemake of this machine that was killed leaves it."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    said = {"machine": machine_name(), "pid": gone.pid, "started": 0, "at": "2026-01-01 00:00"}
    (folder / main_process.FILE).parent.mkdir(exist_ok=True)
    (folder / main_process.FILE).write_text(json.dumps(said), encoding="utf-8")


def test_a_job_begins_nothing_whose_snakemake_was_killed_before_it_looked(tmp_path):
    leave_dead_snakemake(tmp_path)
    job = (
        "from pathlib import Path; from distil.lineage.locks import alone\n"
        "with alone(Path('results/micro/lineage/some_rule/job.json')): print('begun')"
    )
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", job], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": root, "SLURM_JOB_ID": ""},
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stdout == ""
    assert "was killed; nothing was begun" in done.stderr


def test_a_plan_waits_for_what_a_killed_snakemake_left_at_work(study):
    assert study.planned() == set(), "and what a dry run needs is loaded, so that the next is quick"
    leave_dead_snakemake(study.path)
    lock = study.path / lock_path(Path("results/micro/lineage/some_rule/job.json"))
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_text(json.dumps({"host": platform.node(), "pid": 0, "slurm": None}))
    # A file comes back just before its job ends, as the last one that a job writes.
    work = (
        "import fcntl, os, sys, time; lock = open(sys.argv[1], 'r+'); "
        "fcntl.flock(lock, fcntl.LOCK_EX); os.rename(sys.argv[2], 'aside'); "
        "print('begun', flush=True); time.sleep(4); os.rename('aside', sys.argv[2])"
    )
    file = "results/micro/traces/2011/solutions.jsonl"
    orphan = subprocess.Popen(
        [sys.executable, "-c", work, lock, file], cwd=study.path, stdout=subprocess.PIPE, text=True
    )
    assert orphan.stdout.readline() == "begun\n"
    assert study.planned() == set()
    assert orphan.wait() == 0


# A change of a finished study, the rules whose jobs are then killed (None: every rule that runs), and
# what is asked for. Each kind of kill goes through all of them.
REVIEW = "results/micro/review/problems.html"
CHANGE, KILLED, ASKED = (
    (("    seed: 2011", "    seed: 2012"), None, ("--", "all", REVIEW))
    if TORTURE
    else (("alpha: 0.05", "alpha: 0.01"), {"judge_claims"}, ())
)


def rule_at_work(process: psutil.Process) -> str | None:
    """Return the rule whose script a process runs."""
    try:
        found = re.search(r"/tmp\w+\.(\w+)\.py", " ".join(process.cmdline()))
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return None
    return found[1] if found else None


def kill_a_job(
    study: Checkout, kind: str, left: dict[str, float], chance: random.Random
) -> str | None:
    """Run until a job of a rule is killed; return the rule, or None where the run came to its end.

    Args:
        study: where to run.
        kind: what is killed: the job, Snakemake alone, or both with all that they started.
        left: {rule: seconds that its shortest job takes}; the kill falls into these.
        chance: decides when.
    """
    running = start(study, *ASKED)
    while running.poll() is None:
        for process in psutil.Process(running.pid).children(recursive=True):
            if (rule := rule_at_work(process)) not in left:
                continue
            moment = time.monotonic() + chance.uniform(0, left[rule])
            while time.monotonic() < moment and rule_at_work(process) == rule:
                time.sleep(0.01)
            if rule_at_work(process) != rule:
                continue  # it has ended; another of its jobs may be met
            if kind == "job":
                process.kill()
            elif kind == "snakemake":
                running.kill()
            else:
                os.killpg(running.pid, signal.SIGKILL)
            running.wait()
            return rule
        time.sleep(0.02)
    assert running.returncode == 0
    return None


@pytest.fixture(scope="module")
def uninterrupted(finished, tmp_path_factory) -> dict:
    """What the changed study holds when nobody kills anything; run from nothing in the long form."""
    path = tmp_path_factory.mktemp("changed") / "repository"
    if TORTURE:
        study = copy_repository(path)
    else:
        study = Checkout(shutil.copytree(finished.path, path, symlinks=True))
    study.edit("config.micro.yaml", *CHANGE)
    study.snakemake(*ASKED)
    return contents(study)


# tests/front/test_lineage_promises.py kills a job of a changed study in every run of the tests.
@pytest.mark.skipif(not TORTURE, reason="a kill of each rule's job: make torture")
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("kind", ["job", "snakemake", "group"])
def test_a_change_of_a_finished_study_survives_a_kill_of_each_of_its_jobs(
    finished, uninterrupted, study, kind
):
    """After each kill the same command goes on, and nothing of the change is ever forgotten."""
    shortest: dict[str, float] = {}
    for _, row in read_lines(study.path / "results" / "micro" / "lineage" / history.RUNS):
        rule = row["record"].partition("/")[0]
        shortest[rule] = min(row["seconds"], shortest.get(rule, 60))
    study.edit("config.micro.yaml", *CHANGE)
    planned = {name.partition("(")[0] for name in study.planned(*ASKED)}
    left = {rule: shortest.get(rule, 0.5) * 0.7 for rule in KILLED or planned}
    assert left.keys() <= planned
    chance = random.Random(kind)
    for rounds in (2, 1, 0):
        while killed := kill_a_job(study, kind, left, chance):
            # Without its Snakemake a job may come to its end before it notices: that counts too.
            planned = {name.partition("(")[0] for name in study.planned(*ASKED)}
            assert kind == "snakemake" or killed in planned
            del left[killed]
        if not left or not rounds:
            break
        # So may a rule's only job, begun as the job before it was met. Once more for these.
        study.edit("config.micro.yaml", *reversed(CHANGE))
        study.snakemake(*ASKED)
        study.edit("config.micro.yaml", *CHANGE)
    assert not left, f"jobs of these ended before they could be killed: {left}"
    assert study.planned(*ASKED) == set()
    # The history tells of what was killed; all else is as if nothing had been.
    found = contents(study)
    assert {**found, history.VERSIONS: None} == {**uninterrupted, history.VERSIONS: None}
    done = subprocess.run(
        [sys.executable, "-m", "distil", "verify", "--study", "micro"],
        cwd=study.path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.endswith("ok\n"), done.stdout
