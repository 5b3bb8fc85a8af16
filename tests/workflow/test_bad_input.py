"""Bad places and bad times: each says which file, and damages nothing else."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from distil.audit import verify
from tests.workflow.test_kills import COMMAND, TORTURE, contents, start

STUDY = "micro"


def without(files: dict, *names: str) -> dict:
    """Leave out the files of one job, which Snakemake removes when that job fails."""
    return {path: digest for path, digest in files.items() if not path.startswith(names)}


def test_two_runs_at_once_in_one_folder_leave_one_at_work(study):
    before = contents(study)
    first = start(
        study, "--forcerun", "extract_problems", "--", "results/micro/problems/2014.jsonl"
    )
    locks = study.path / ".snakemake" / "locks"
    limit = time.monotonic() + 60
    # Snakemake writes what it reads and what it writes into two files.
    while (
        sum(bool(path.stat().st_size) for path in locks.glob("*.lock")) < 2
        and time.monotonic() < limit
    ):
        time.sleep(0.02)
    # Stopped, so that it is at work for as long as the second one looks.
    first.send_signal(signal.SIGSTOP)
    try:
        second = study.snakemake("--forceall", check=False)
    finally:
        first.send_signal(signal.SIGCONT)
    assert second.returncode
    assert "lock" in second.stderr.lower()
    assert str(study.path) in second.stderr
    assert first.wait(timeout=120) == 0
    assert contents(study) == before


@pytest.mark.skipif(not TORTURE, reason="a minute for a rare fault: make torture")
def test_after_a_clock_was_set_back_nothing_is_stale_and_what_cannot_be_made_is_said(
    study, monkeypatch
):
    before = contents(study)
    ahead = time.time() + 10 * 365 * 86400
    for top in ("results", "resources", "scripts", "distil", ".snakemake/metadata"):
        for file in (study.path / top).rglob("*"):
            os.utime(file, (ahead, ahead))
    assert study.planned() == set()
    # Snakemake makes no file older than what it is made from.
    study.edit("config.micro.yaml", "alpha: 0.05", "alpha: 0.2")
    table = f"results/{STUDY}/tables/levels.csv"
    done = study.snakemake("--", table, check=False)
    assert done.returncode
    assert "clock" in done.stderr
    assert f"results/{STUDY}/claims/claims.csv" in done.stderr  # the first that the job makes
    # The job itself had come to its end, and left its record.
    own = ("claims/", "tables/", "lineage/judge_claims", "versions.jsonl")
    assert without(contents(study), *own) == without(before, *own)
    # The remedy of docs/lineage.md: the files are dated anew, by content they are what they were.
    for top in ("results", "resources", "distil"):
        for file in (study.path / top).rglob("*"):
            os.utime(file)
    assert study.ran("--", table) == {"judge_claims"}
    study.snakemake()  # what read the tables before, such as the page
    monkeypatch.chdir(study.path)
    assert verify.verify(STUDY) == []


def test_results_of_another_study_under_this_ones_name_are_named_record_by_record(
    study, monkeypatch
):
    shutil.move(study.path / "results" / STUDY, study.path / "results" / "other")
    monkeypatch.chdir(study.path)
    faults = verify.verify("other")
    records = {path.as_posix() for path in Path("results/other/lineage").glob("*/*.json")}
    assert records <= {fault.path for fault in faults}
    assert any("foreign" in fault.message for fault in faults)
    assert verify.exit_code(faults) == verify.MISMATCH


@pytest.mark.parametrize("place", ["lineage", "tables", "logs"] if TORTURE else ["lineage"])
def test_a_folder_that_cannot_be_written_is_named_and_nothing_else_is_damaged(study, place):
    before = contents(study)
    study.edit("config.micro.yaml", "alpha: 0.05", "alpha: 0.2")
    folder = study.path / "results" / STUDY / place
    # A file where a folder is to be stands in for a read-only one: root may write into those.
    aside = folder.with_name(f"{place}.aside")
    folder.rename(aside)
    folder.write_text("")
    target = f"results/{STUDY}/tables/levels.csv"
    try:
        done = study.snakemake("--", target, check=False)
    finally:
        folder.unlink()
        aside.rename(folder)
    assert done.returncode
    assert f"results/{STUDY}/{place}" in done.stdout + done.stderr
    own = ("claims/", "tables/")
    assert without(contents(study), *own) == without(before, *own)
    assert study.ran("--", target) == {"judge_claims"}


def test_a_disk_that_is_full_when_the_record_is_written_is_said_and_the_run_goes_on_later(study):
    before = contents(study)
    # No file may grow beyond this, as on a full disk: the table still fits, the history does not.
    most = (study.path / "results" / STUDY / "lineage" / "runs.jsonl").stat().st_size
    target = f"results/{STUDY}/tables/splits.csv"
    done = subprocess.run(
        ["prlimit", f"--fsize={most}", *COMMAND, "--forcerun", "tabulate_splits", "--", target],
        cwd=study.path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode
    assert "cannot be written" in said
    assert "make room" in said
    assert study.ran("--", target) == {"tabulate_splits"}
    assert contents(study) == before
