"""A study that is killed at any moment goes on to the same bytes, by the documented recovery."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from distil.lineage import history
from tests.workflow.checkout import Checkout, copy_repository

KILLS = 50 if os.environ.get("DISTIL_TORTURE") else 5
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


RULES = sorted(path.stem for path in (Path(__file__).parents[2] / "scripts").glob("*.py"))
CHANGED = [
    (rule, kind)
    for rule in (RULES if os.environ.get("DISTIL_TORTURE") else ["judge_claims"])
    for kind in (("job", "snakemake", "group") if os.environ.get("DISTIL_TORTURE") else ("job",))
]


@pytest.mark.timeout(7200)
@pytest.mark.parametrize(("rule", "kind"), CHANGED)
def test_a_change_of_a_finished_study_survives_a_kill_of_its_job(finished, study, rule, kind):
    """The job of a changed rule is killed; the same command then ends as if nothing had been."""
    if not (study.path / "results" / "micro" / "lineage" / rule).is_dir():
        pytest.skip("the micro study has no such job")
    script = study.path / "scripts" / f"{rule}.py"
    text = script.read_text(encoding="utf-8")
    script.unlink()
    # Slow enough to be met at work, on any machine.
    script.write_text(
        text.replace(
            'if __name__ == "__main__":',
            'if __name__ == "__main__":\n    import time\n\n    time.sleep(1)',
        ),
        encoding="utf-8",
    )
    wanted = study.planned()
    running = start(study)
    killed = None
    while running.poll() is None and killed is None:
        at_work = [p for p in still_at_work(study) if f"{rule}.py" in " ".join(p.cmdline())]
        if not at_work:
            time.sleep(0.05)
        elif kind == "job":
            killed = at_work[0].kill() or rule
        elif kind == "snakemake":
            killed = running.kill() or rule
        else:
            killed = os.killpg(running.pid, signal.SIGKILL) or rule
    running.wait()
    assert killed, "the job was met at work"
    assert {name for name in study.planned() if name.startswith(rule)} == {
        name for name in wanted if name.startswith(rule)
    }
    study.snakemake()
    assert study.planned() == set()
    expected = contents(finished)
    assert {
        k: v for k, v in contents(study).items() if not k.startswith(("lineage", "versions"))
    } == {k: v for k, v in expected.items() if not k.startswith(("lineage", "versions"))}
