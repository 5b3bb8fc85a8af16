"""What does not change a result reruns nothing; what does, reruns exactly what depends on it."""

from __future__ import annotations

import os
import shutil
import subprocess
import time

from distil.content.files import read_jsonl, write_jsonl
from tests.workflow.checkout import copy_repository

TRACKED = ("Snakefile", "config.yaml", "rules", "scripts", "distil", "resources")


def test_a_finished_study_has_nothing_to_do(finished):
    assert finished.planned() == set()


def test_touching_every_file_reruns_nothing(study):
    later = time.time() + 60
    for name in TRACKED:
        path = study.path / name
        for file in [path] if path.is_file() else path.rglob("*"):
            os.utime(file, (later, later))
    assert study.planned() == set()


def test_checking_out_another_commit_and_back_reruns_nothing(study):
    def git(*arguments: str) -> None:
        subprocess.run(
            ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments],
            cwd=study.path, check=True, capture_output=True,
        )  # fmt: skip

    git("init", "-q", "-b", "main")
    git("add", "-A")
    git("commit", "-qm", "as it is")
    git("checkout", "-qb", "other")
    for name in ("rules", "scripts", "distil", "resources"):
        for path in (study.path / name).rglob("*"):
            if path.suffix in (".py", ".smk", ".txt", ".yaml", ".typ"):
                path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    git("commit", "-qam", "every file changed")
    git("checkout", "-q", "main")
    assert study.planned() == set()


def test_comments_and_docstrings_rerun_nothing(study):
    for path in [*(study.path / "scripts").glob("*.py"), *(study.path / "distil").rglob("*.py")]:
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace('"""', '"""Edited. ', 1) + "\n# a comment\n", encoding="utf-8")
    assert study.planned() == set()


def test_a_caption_changes_the_report_and_reruns_nothing(study):
    study.edit("report/levels.rst", "\n", " Said by a changed caption.\n")
    assert study.planned() == set()
    study.snakemake("--report", "report.html")
    text = (study.path / "report.html").read_text(encoding="utf-8")
    assert "Said by a changed caption." in text
    assert "home-claims" in text, "the landing page carries the claims"
    assert "results/micro/index.html" in text, "and leads to the page of the study"


def test_results_copied_into_a_new_clone_rerun_nothing(study, tmp_path):
    clone = copy_repository(tmp_path / "clone")
    later = time.time() + 60
    for file in clone.path.rglob("*"):  # a clone's files are younger than results copied into it
        os.utime(file, (later, later))
    shutil.copytree(study.path / "results", clone.path / "results", dirs_exist_ok=True)
    assert clone.planned() == set()


def test_files_over_a_megabyte_are_compared_by_content(study):
    figure = "results/micro/figures/curves.svg"
    big = study.path / "results/micro/adapters/temporal/prompt/seed-1/curve.csv"
    big.write_bytes(big.read_bytes() + b"\n" * 1_500_000)
    # An edited file is read, and named at the end.
    assert "draw_figures" in study.ran("--", figure, check=False)
    os.utime(big, (time.time() + 60,) * 2)
    assert study.planned("--", figure) == set()
    state = big.stat()
    big.write_bytes(big.read_bytes() + b"\n")
    os.utime(big, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert "draw_figures" in study.planned("--", figure)


def test_a_test_question_that_becomes_a_copy_of_a_training_question_trains_again(study):
    top = study.path / "results" / "micro"
    rows = top / "datasets" / "temporal" / "prompt" / "train.jsonl"
    copied = read_jsonl(rows)[0]["problem"]
    source = read_jsonl(top / "problems" / f"{copied[:4]}.jsonl")
    target = read_jsonl(top / "problems" / "2014.jsonl")
    kept = {"id", "year", "section", "number"}
    target[0] |= {
        key: value
        for key, value in next(row for row in source if row["id"] == copied).items()
        if key not in kept
    }
    write_jsonl(top / "problems" / "2014.jsonl", target)
    study.ran("--", rows.relative_to(study.path).as_posix(), check=False)
    assert copied not in {row["problem"] for row in read_jsonl(rows)}
    trained = {name for name in study.planned() if name.startswith("train_adapter")}
    assert trained == {
        f"train_adapter(fold=temporal, seed={seed}, variant=prompt)" for seed in (1, 2, 100)
    }
