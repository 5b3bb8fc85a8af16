"""What plain `snakemake` promises, tried from outside: change, kill, tamper, then type the command.

Each test names the finding that it keeps from coming back (D1 to D11) in its name or comments.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from importlib.metadata import distribution
from pathlib import Path

import psutil
import pytest
import yaml

from distil.content.sealed import Seal, read_lines, seal
from distil.lineage.history import CHAIN, RUNS, VERSIONS, read_chain
from distil.report.page import shards
from tests.programs import needs_tesseract
from tests.workflow.checkout import Checkout

TORTURE = bool(os.environ.get("DISTIL_TORTURE"))
CONFIG = "config.micro.yaml"
TOP = Path("results", "micro")
CLAIMS = "results/micro/claims/claims.csv"
SPLITS = "results/micro/tables/splits.csv"


def distil(study: Checkout, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """Run a command as typed in the study's folder, with the code that lies there."""
    return subprocess.run(
        [sys.executable, "-m", "distil", *arguments, "--study", "micro"],
        cwd=study.path, capture_output=True, text=True, check=False,
        env={**os.environ, **environment},
    )  # fmt: skip


def replace(path: Path, old: str, new: str) -> None:
    """Edit a file and keep its dates, as a tamperer would."""
    state, text = path.stat(), path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def wait_for_job(study: Checkout, run: subprocess.Popen, script: str) -> psutil.Process:
    """Return the process of a script's job, once it has its lock and is at work."""
    while run.poll() is None:
        for process in psutil.Process(run.pid).children(recursive=True):
            try:
                if script in " ".join(process.cmdline()) and process.num_threads() > 1:
                    return process  # the watch over its parents is a thread, and starts with it
            except psutil.NoSuchProcess:
                continue
        time.sleep(0.05)
    raise AssertionError(f"{script} did not start: {run.communicate()}")


def start(study: Checkout, *arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "1", "--configfile", CONFIG, *arguments],
        cwd=study.path, start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


# ------------------------------------------------------------------------------- D1: kills


def test_a_change_whose_job_was_killed_is_run_by_the_same_command_again(study):
    study.edit(CONFIG, "levels_per_problem: 2", "levels_per_problem: 3")
    # The traces that three levels need are made before; the kill hits the rows made of them.
    study.snakemake("--until", "verify_traces")
    wanted = study.planned()
    assert "split_datasets(fold=temporal, variant=prompt)" in wanted
    run = start(study)
    wait_for_job(study, run, "split_datasets.py").send_signal(signal.SIGKILL)
    out, _ = run.communicate()
    assert run.returncode, out
    # What does not wait for the killed job may have been made before the kill.
    assert wanted - study.planned() <= {"tabulate_traces"}
    assert study.planned() <= wanted
    assert distil(study, "verify").returncode not in (0, None)


def test_any_deleted_file_is_made_again_whoever_reads_it(study):
    for path in (
        "datasets/temporal/prompt/train.jsonl",
        "traces/2011/solver_responses.jsonl",
        "extractions/2012.jsonl",
    ):
        (study.path / TOP / path).unlink()
    planned = study.planned()
    assert {"solve_problems(year=2011)", "extract_problems(year=2012)"} <= planned
    assert "split_datasets(fold=temporal, variant=prompt)" in planned


# ------------------------------------------------- D2, D8, D10: the records are the truth


@pytest.mark.parametrize("lost", [".snakemake", *([".snakemake/metadata"] if TORTURE else [])])
def test_a_change_is_seen_without_the_metadata_of_snakemake(study, lost):
    shutil.rmtree(study.path / lost)
    assert study.planned() == set(), "results that are as recorded run nothing"
    study.edit(CONFIG, "alpha: 0.05", "alpha: 0.01")
    assert "judge_claims" in study.planned()
    done = distil(study, "verify")
    assert done.returncode == 1
    assert "alpha: 0.05 -> 0.01" in done.stdout
    done = distil(study, "export", "build/crate")
    assert done.returncode == 1
    assert not (study.path / "build" / "crate").exists()


def test_a_study_that_was_run_with_an_override_is_exported_with_it(study):
    title = yaml.safe_load((study.path / CONFIG).read_text(encoding="utf-8"))["title"]
    study.edit(CONFIG, title, "Another title")
    assert distil(study, "export", "build/crate").returncode == 1
    done = distil(study, "export", "build/crate", "--config", f"title={title}")
    assert done.returncode == 0, done.stdout + done.stderr
    crate = (study.path / "build/crate/ro-crate-metadata.json").read_text(encoding="utf-8")
    assert f"--config 'title={title}'" in crate


CHANGES = [
    (CONFIG, "levels_per_problem: 2", "levels_per_problem: 3"),
    (
        "scripts/draw_figures.py",
        'if __name__ == "__main__":',
        'CHANGED = 1\nif __name__ == "__main__":',
    ),
    ("results/micro/traces/2011/solutions.jsonl", "2011-", "2012-"),
    (CONFIG, "margin: 2.0", "margin: 3.0"),
    (CONFIG, "max_tokens: 8000", "max_tokens: 8001"),
    ("distil/datasets/splits.py", "\n\ndef ", "\n\nCHANGED = 1\n\n\ndef "),
    ("requirements.lock", "matplotlib==", "matplotlib==9!"),
    ("resources/prompts/sample/student.txt", "\n", "!\n"),
    ("rules/claims.smk", "published=", "printed="),
    ("resources/published.yaml", "\n", "\n# changed\n"),
]


def test_a_change_reruns_the_same_jobs_with_and_without_the_metadata_of_snakemake(study):
    kept = study.path / "kept"
    for name, old, new in CHANGES if TORTURE else CHANGES[:3]:
        path = study.path / name
        before, state = path.read_bytes(), path.stat()
        study.edit(name, old, new)
        planned = study.planned()
        (study.path / ".snakemake").rename(kept)
        assert study.planned() == planned, name
        shutil.rmtree(study.path / ".snakemake")
        kept.rename(study.path / ".snakemake")
        assert planned, name
        path.write_bytes(before)
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert study.planned() == set()


def test_names_of_inputs_and_outputs_that_are_swapped_rerun_their_rule(study):
    study.edit("rules/datasets.smk", "        csv=report(", "        other=report(")
    assert study.planned() == {"tabulate_splits", "build_page"}
    done = distil(study, "verify")
    assert done.returncode == 1
    assert "goes by another name: csv -> other" in done.stdout


def test_a_deleted_record_is_made_again_by_the_command_that_verify_names(study):
    record = study.path / TOP / "lineage" / "tabulate_splits" / "job.json"
    record.unlink()
    done = distil(study, "verify")
    assert done.returncode == 2
    assert "run snakemake" in done.stdout
    assert study.ran() == {"tabulate_splits", "build_page"}
    assert record.is_file()
    assert distil(study, "verify").stdout.endswith("ok\n")


def test_a_file_edited_by_hand_stops_the_run_until_it_is_removed(study, finished):
    path = study.path / TOP / "tables" / "splits.csv"
    path.write_text(path.read_text().replace("2011", "2010", 1))
    for _ in range(2):
        done = study.snakemake(check=False)
        assert done.returncode == 1
        assert "splits.csv is not what tabulate_splits wrote; remove it" in done.stderr
        assert "claims of the study" not in done.stdout.lower()
    told = distil(study, "verify")
    assert told.returncode == 1
    assert "remove it, then run snakemake" in told.stdout
    moved = distil(study, "diff", str(finished.path / TOP), str(study.path / TOP))
    assert moved.returncode == 1
    assert "edited outside a run" in moved.stdout
    assert "no cause" not in moved.stdout
    path.unlink()
    assert study.ran() == {"tabulate_splits", "build_page"}


# ------------------------------------------------------------------------- D4: undeclared reads

READS = """
    import os, subprocess, sys
    from pathlib import Path
    import numpy
    seen = []
    for kind, read in {
        "open": lambda: open("config.micro.yaml").read(),
        "path": lambda: Path("results/micro/claims/claims.csv").read_text(),
        "os": lambda: os.open("resources/published.yaml", os.O_RDONLY),
        "numpy": lambda: numpy.fromfile("state/micro/teacher/account.lock"),
        "child": lambda: subprocess.run(
            [sys.executable, "-c", "open('pyproject.toml')"], check=True, capture_output=True
        ),
        "variable": lambda: os.environ["TRIAL"],
    }.items():
        try:
            read()
            print("READ", kind)
        except Exception as error:
            seen.append(kind)
"""


def test_an_undeclared_read_fails_the_job_with_file_and_remedy(study):
    script = study.path / "scripts" / "tabulate_splits.py"
    text = script.read_text()
    head, main, body = text.partition("def main(")
    line_end = body.index("\n") + 1
    script.unlink()
    script.write_text(head + main + body[:line_end] + READS + body[line_end:])
    done = study.snakemake("--", SPLITS, check=False, environment={"TRIAL": "1"})
    assert done.returncode == 1
    log = (study.path / TOP / "logs" / "tabulate_splits.log").read_text()
    assert "READ" not in log
    assert "rule tabulate_splits does not declare it" in done.stdout + done.stderr
    assert "Name it in the rule's input" in log
    assert not (study.path / SPLITS).exists()


# ----------------------------------------------------------------------- D5: edits during a job


@pytest.mark.parametrize("put_back", [True, *([False] if TORTURE else [])])
def test_code_edited_while_a_job_runs_makes_its_files_count_for_nothing(study, put_back):
    # A module that the job has not loaded: a worker of its could.
    script = study.path / "scripts" / "tabulate_splits.py"
    text = script.read_text()
    script.unlink()
    script.write_text(
        text.replace(
            'if __name__ == "__main__":',
            'LATER = "distil.inference.power"\n\n\nif __name__ == "__main__":',
        ).replace("    forms =", "    import time\n\n    time.sleep(5)\n    forms =", 1)
    )
    assert "time.sleep(5)" in script.read_text()
    module = study.path / "distil" / "inference" / "power.py"
    run = start(study, "--", SPLITS)
    wait_for_job(study, run, "tabulate_splits.py")
    time.sleep(2)
    state, before = module.stat(), module.read_text()
    module.write_text(before + "\nEDITED = 1\n")
    if put_back:
        module.write_text(before)
        os.utime(module, ns=(state.st_atime_ns, state.st_mtime_ns))
    out, _ = run.communicate()
    assert run.returncode, out
    assert "distil/inference/power.py was edited while this job ran" in out


# ------------------------------------------------------------ D6: the history, forged and cut


def forge(study: Checkout, *, link: bool) -> None:
    """Give every line of the history another plan and fresh seals; and a fresh chain, if asked."""
    folder = study.path / TOP / "lineage"
    rows = [{**row, "plan_sha256": "f" * 64} for _, row in read_lines(folder / RUNS)]
    (folder / RUNS).write_bytes(b"".join(map(seal, rows)))
    if link:
        from distil.lineage.history import close_run

        (folder / CHAIN).unlink()
        close_run(folder, "forged")


def test_a_history_with_fresh_seals_is_named(study):
    head = read_chain(study.path / TOP / "lineage").head
    done = distil(study, "verify", "--anchor", "--head", head)
    assert done.returncode == 0
    assert f"history: {head}\n" in done.stdout
    assert distil(study, "plan").returncode == 0
    forge(study, link=False)
    assert distil(study, "plan").returncode == 1
    done = distil(study, "verify")
    assert done.returncode == 1
    assert "runs.jsonl are not what run" in done.stdout
    forge(study, link=True)
    done = distil(study, "verify", "--head", head)
    assert done.returncode == 1
    assert "no run whose digest" in done.stdout


@pytest.mark.parametrize("name", [RUNS, VERSIONS, CHAIN] if TORTURE else [CHAIN])
def test_a_history_cut_short_is_named(study, name):
    head = read_chain(study.path / TOP / "lineage").head
    path = study.path / TOP / "lineage" / name
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    assert distil(study, "verify", "--head", head).returncode in (1, 2)


# ---------------------------------------------------------------- D7: packages edited in place


def test_a_package_edited_under_its_version_is_named(finished, tmp_path):
    package = distribution("packaging")
    for file in package.files:
        target = tmp_path / file
        if ".." not in file.parts:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file.locate(), target)
    for copy in (tmp_path / "packaging" / "tags.py",):
        copy.write_text(copy.read_text() + "\nEDITED = 1\n")
    done = distil(finished, "verify", PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert "packaging/tags.py: was changed since the installation of packaging" in done.stdout


# ------------------------------------------------------------------------- D9: stored rows


def test_stored_rows_are_held_to_their_seals_and_to_what_was_used_first(study):
    store = study.path / "state" / "micro" / "predictions"
    segment = max(store.rglob("*.jsonl"), key=lambda path: path.stat().st_size)
    whole = segment.read_bytes()
    replace(segment, '"finish":"', '"finish":"x')
    journal = next((study.path / "state" / "micro" / "teacher").rglob("*.jsonl"))
    replace(journal, '"agent":"', '"agent":"x')
    done = distil(study, "verify")
    assert done.returncode == 1
    assert {segment.name, journal.name} == {
        Path(line.partition(":")[0]).name for line in done.stdout.splitlines() if "line 1 " in line
    }
    segment.write_bytes(whole)
    replace(journal, '"agent":"x', '"agent":"')
    # With fresh seals the change is used, and named by what used it.
    for path in store.rglob("*.jsonl"):
        rows = [{**row, "tokens": row["tokens"][:3]} for _, row in read_lines(path)]
        path.write_bytes(b"".join(seal(row, Seal.ENVELOPE) for row in rows))
    study.snakemake("--forcerun", "predict_answers", "--", "results/micro/predictions/base.parquet")
    done = distil(study, "verify")
    assert done.returncode == 1
    assert "used other stored rows than on" in done.stdout


# -------------------------------------------------------------------------- D11: needless runs


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("margin: 2.0", "margin: 2"),
        ("concurrency: 8", "concurrency: 3"),
        ("concurrency: 8", "deadline_seconds: 901.0, concurrency: 8"),
        ("mode: live", "mode: live\n  retries: 2"),
        ("money_cap: 0.0", "money_cap: 1.0"),
        ("workers: ", "workers: 3 # was "),
    ],
)
def test_what_only_says_how_and_other_spellings_rerun_nothing(study, old, new):
    study.edit(CONFIG, old, new)
    assert study.planned() == set()


def test_a_file_of_a_year_that_the_study_lacks_is_an_error(finished):
    done = finished.snakemake("-n", "results/micro/problems/2099.jsonl", check=False)
    assert done.returncode == 1
    assert "MissingRule" in done.stdout + done.stderr


def test_pictures_and_the_review_page_are_known_files(study):
    study.snakemake("--", "results/micro/review/problems.html")
    assert (study.path / TOP / "crops").is_dir()
    done = distil(study, "verify")
    assert done.stdout.endswith("ok\n"), done.stdout


# ------------------------------------------------------------------ what a run says of the claims


def test_the_claims_are_shown_only_by_a_run_that_made_or_confirmed_them(study):
    assert distil(study, "verify").returncode == 0
    done = study.snakemake()
    assert "Nothing was to be done: the claims below are what their records say." in done.stdout
    assert "Claims of the study micro" in done.stdout
    account = shards.decode((study.path / TOP / "page" / "run.js").read_bytes())
    assert account["verified"]["ok"], "a run that made nothing leaves the page what verify said"
    done = study.snakemake("--", "results/micro/problems/2014.jsonl")
    assert "Claims" not in done.stdout
    study.edit(CONFIG, "alpha: 0.05", "alpha: 0.01")
    (study.path / "scripts" / "judge_claims.py").unlink()
    done = study.snakemake(check=False)
    assert done.returncode
    assert "Claims" not in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


# --------------------------------------------------------------------- D3: programs found on PATH

WRAPPER = """#!/bin/sh
exec {tesseract} "$@" | sed s/0/8/g
"""


@needs_tesseract
def test_another_recogniser_on_path_runs_what_it_read_again(study, tmp_path):
    import pypdfium2

    folder = study.path / "scans"
    folder.mkdir()
    with pypdfium2.PdfDocument(study.path / TOP / "exams" / "2014-fs.pdf") as document:
        pages = [page.render(scale=2).to_pil().convert("L") for page in document]
    pages[0].save(folder / "2014-fs.pdf", save_all=True, append_images=pages[1:], resolution=144)
    for year in (2011, 2012, 2013):
        shutil.copy(study.path / TOP / "exams" / f"{year}-fs.pdf", folder)
    made = subprocess.run(
        [sys.executable, "-m", "distil", "new", "mine", str(folder), "--like", CONFIG],
        cwd=study.path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    asked = ("--", "results/mine/extractions/2014.jsonl")
    study.snakemake(*asked, config="config.mine.yaml")
    record = study.path / "results/mine/lineage/extract_problems/year=2014.json"
    assert json.loads(record.read_text())["executables"]["tesseract"]["data"]["eng"]
    assert study.planned(*asked, config="config.mine.yaml") == set()
    # A text PDF is read without it, and does not depend on it.
    text = study.path / TOP / "lineage" / "extract_problems" / "year=2014.json"
    assert json.loads(text.read_text())["executables"] == {}
    wrapper = tmp_path / "bin" / "tesseract"
    wrapper.parent.mkdir()
    wrapper.write_text(WRAPPER.format(tesseract=shutil.which("tesseract")))
    wrapper.chmod(0o755)
    path = {"PATH": f"{wrapper.parent}:{os.environ['PATH']}"}
    done = study.snakemake("-n", *asked, config="config.mine.yaml", environment=path)
    assert "tesseract, which it started, is another program" in done.stdout + done.stderr
    assert "extract_problems" in done.stdout + done.stderr
    done = subprocess.run(
        [sys.executable, "-m", "distil", "verify", "--study", "mine"],
        cwd=study.path, capture_output=True, text=True, check=False, env={**os.environ, **path},
    )  # fmt: skip
    assert "tesseract, which it started, is another program" in done.stdout
