"""The installed command `distil`, as a person types it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.workflow.checkout import copy_repository

ROOT = Path(__file__).resolve().parents[2]
DISTIL = Path(sys.executable).with_name("distil")
COMMANDS = (
    "claims", "explain", "verify", "status", "diff", "runs", "plan", "export", "pack", "unpack", "dag",
    "compare", "read", "review", "new", "grade", "responses", "problems", "lock", "keys",
    "page",
)  # fmt: skip


def distil(*arguments: object, cwd: Path = ROOT, **more) -> subprocess.CompletedProcess:
    """Run the installed command."""
    more = {"check": False, "capture_output": True, "text": True, **more}
    environment = {**os.environ, "COLUMNS": "100", **more.pop("environment", {})}
    command = [DISTIL, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environment, **more)


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    """A copy of the repository with a study `micro` of which only an empty folder is there."""
    top = copy_repository(tmp_path_factory.mktemp("front") / "repository").path
    (top / "results" / "micro" / "tables").mkdir(parents=True)
    return top


def test_help_names_every_command_and_is_fast():
    done = distil("--help")
    assert done.returncode == 0
    for name in COMMANDS:
        assert re.search(rf"│ {name} ", done.stdout), name
    code = "import sys, distil.cli; print([m for m in ('pandas', 'mlx', 'snakemake') if m in sys.modules])"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == "[]", "what only one command needs is imported inside it"


def test_each_command_explains_itself():
    from distil.cli import app

    for name in COMMANDS:
        done = CliRunner().invoke(app, [name, "--help"], prog_name="distil")
        assert done.exit_code == 0
        assert f"Usage: distil {name}" in done.stdout


def test_python_m_distil_is_the_same_command():
    done = subprocess.run(
        [sys.executable, "-m", "distil", "--version"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == distil("--version").stdout
    assert re.fullmatch(r"distil \d+\.\d+\.\d+\n", done.stdout)


def test_without_the_packages_one_line_says_what_to_do(tmp_path):
    """As under the system's Python: an interpreter without site-packages."""
    bare = [sys.executable, "-I", "-S", "-c"]
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from distil.__main__ import main; main()"
    )
    done = subprocess.run([*bare, code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "typer" in done.stderr
    assert "make setup" in done.stderr
    assert ". .venv/bin/activate" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [("runs", "--study", "none"), ("--study", "none", "runs"), ("runs", "-s", "none")],
)
def test_the_study_may_stand_anywhere_and_an_unknown_one_is_refused(repository, arguments):
    done = distil(*arguments, cwd=repository)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("runs: no study none")
    assert "micro" in done.stderr


def test_the_nearest_study_is_named(repository):
    for typed, meant in (("sampel", "sample"), ("mikro", "micro")):
        done = distil("verify", "--study", typed, cwd=repository)
        assert f"did you mean {meant}?" in done.stderr
        assert done.returncode == 2
    done = distil("--study", "micro", "verify", "--study", "sample", cwd=repository)
    assert "both micro and sample" in done.stderr


def test_the_only_study_with_results_is_meant_where_none_is_named(repository):
    done = distil("runs", cwd=repository)
    assert "study micro has not been run here" in done.stderr
    assert done.returncode == 2


def test_it_works_in_any_folder_of_the_repository_with_the_code_found_there(repository):
    """Not with that of the repository which the command was installed from."""
    path = repository / "distil" / "audit" / "commands.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('print(f"runs: {error}"', 'print(f"RUNS: {error}"'))
    try:
        done = distil("runs", cwd=repository / "distil" / "audit")
        assert done.stderr.startswith("RUNS: results/micro/lineage is missing")
    finally:
        path.write_text(text)


def test_a_folder_whose_code_is_a_link_to_the_repository_runs_it(tmp_path):
    for name in ("Snakefile", "distil"):
        (tmp_path / name).symlink_to(ROOT / name)
    done = subprocess.run(
        [sys.executable, "-m", "distil", "--version"],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.stdout == distil("--version").stdout, done.stderr


def test_paths_mean_the_folder_they_were_typed_in(repository, tmp_path):
    folder = repository / "rules"
    done = distil("unpack", "nothing.tar.gz", cwd=folder)
    assert done.returncode == 1
    assert f"{folder / 'nothing.tar.gz'}" in done.stderr
    done = distil("new", "mine", "nowhere", cwd=folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"new: {folder / 'nowhere'}: no such folder\n"


def test_a_typo_in_a_command_is_answered():
    done = distil("verfy")
    assert done.returncode == 2
    assert "Did you mean 'verify'?" in done.stderr


def test_verify_of_a_study_that_was_not_run_is_missing_with_or_without_an_anchor(repository):
    for more in ((), ("--anchor", "0" * 64)):
        done = distil("verify", *more, cwd=repository)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
    done = distil("verify", "0" * 64, cwd=repository)
    assert "give --anchor" in done.stderr


def test_a_reader_that_leaves_is_no_error():
    done = subprocess.run(
        f"{DISTIL} keys | head -n 1; echo ${{PIPESTATUS[0]}}",
        shell=True, executable="/bin/bash", cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout.startswith("# Every key of a study file")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_completes_commands_and_studies(repository, shell):
    words = {"COMP_WORDS": "distil verify --study mi", "COMP_CWORD": "3"}
    if shell != "bash":
        words = {
            "_TYPER_COMPLETE_ARGS": words["COMP_WORDS"],
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        }
    done = distil(cwd=repository, environment={"_DISTIL_COMPLETE": f"complete_{shell}", **words})
    assert "micro" in done.stdout
    assert "sample" not in done.stdout


def test_keys_is_the_reference_in_the_docs():
    assert distil("keys").stdout == (ROOT / "docs" / "config.md").read_text(encoding="utf-8")


def test_make_stops_at_a_study_that_no_file_names():
    for target in ("reproduce", "report", "review"):
        # Called by another make, as the tests are, make names the folders that it enters.
        done = subprocess.run(
            ["make", "--no-print-directory", target, "STUDY=typo"],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 2
        assert "no config*.yaml names the study typo" in done.stderr
        assert "micro" in done.stderr
        assert done.stdout == ""


def test_a_new_study_begins_with_a_folder_of_papers(repository, tmp_path):
    for year in (2014, 2015, 2016):
        (tmp_path / f"contest {year}.pdf").write_bytes(b"%PDF-1.4")
    done = distil("new", "mine", tmp_path, cwd=repository)
    assert done.returncode == 0, done.stderr
    assert (repository / "config.mine.yaml").is_file()
    assert "distil review --study mine" in done.stdout
    again = distil("new", "mine", tmp_path, cwd=repository)
    assert again.returncode == 1
    assert "is there already" in again.stderr


def test_a_model_is_locked_once(tmp_path):
    shutil.copytree(ROOT / "resources" / "student", tmp_path, dirs_exist_ok=True)
    (tmp_path / "model.lock.json").unlink()
    done = distil("lock", ".", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "model.lock.json").read_text())["files"]["config.json"]


def test_exams_are_read_before_the_student_is_there(repository, tmp_path):
    """A study like the full one can be reviewed at once; only what asks the student needs it."""
    for year in (2014, 2015, 2016):
        (tmp_path / f"round1-{year}.pdf").write_bytes(b"%PDF-1.4")
        (tmp_path / f"round2-{year}.pdf").write_bytes(b"%PDF-1.4 2")
    assert (
        distil("new", "full", tmp_path, "--like", "config.paper.yaml", cwd=repository).returncode
        == 0
    )

    def dry(*targets: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "snakemake", "-n", "--cores", "1", *targets]
        return subprocess.run(
            [*command, "--configfile", "config.full.yaml"],
            cwd=repository, capture_output=True, text=True, check=False,
        )  # fmt: skip

    done = dry("results/full/review/problems.html")
    assert done.returncode == 0, done.stderr + done.stdout
    assert "round1" in done.stdout
    done = dry("results/full/claims/claims.csv")
    assert done.returncode == 0, done.stderr
    assert "distil check full" in done.stderr + done.stdout, (
        "what is missing is said before it is met"
    )
