"""What does not change a result reruns nothing; what does, reruns exactly what depends on it."""

from __future__ import annotations

import os
import subprocess
import time

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
