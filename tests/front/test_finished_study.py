"""The commands on a finished study, typed as the README has them."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.front.test_command_line import DISTIL, distil


@pytest.mark.parametrize(
    ("target", "first"),
    [
        ("C4", "C4"), ("c4", "c4"), ("C4:held_out", "C4:held_out"), ("C4:low:held_out", "C4:low:"),
        ("2014-fs-04", "2014-fs-04"), ("2014-fs.pdf#1", "results/micro/exams/2014-fs.pdf#1"),
        ("levels:R1/fs:gain", "levels:R1/fs:gain"), ("results/micro/claims/claims.csv", "results"),
    ],
)  # fmt: skip
def test_explain_takes_what_a_reader_would_type(finished, target, first):
    done = distil("explain", target, cwd=finished.path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(first)
    assert "sha256" in done.stdout


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("C44", "did you mean C4?"), ("C4:helt_out", "did you mean held_out?"),
        ("2024-fs-04", "did you mean 2014-fs-04?"), ("2014-fx.pdf#1", "did you mean 2014-fs.pdf?"),
        ("level", "did you mean levels?"),
    ],
)  # fmt: skip
def test_an_unknown_target_is_answered_with_the_nearest(finished, target, said):
    done = distil("explain", target, cwd=finished.path)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_files_may_be_named_from_a_folder_below_the_root(finished):
    folder = finished.path / "results" / "micro"
    done = distil("explain", "claims/claims.csv", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    done = distil("diff", "latest", ".", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_reader_of_a_long_chain_may_leave(finished):
    done = subprocess.run(
        f"{DISTIL} explain C8 --json | head -n 1; echo ${{PIPESTATUS[0]}}",
        shell=True, executable="/bin/bash", cwd=finished.path, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("{\n141\n", "")


@pytest.mark.parametrize("command", ["dag", "pack", "export"])
def test_a_place_that_cannot_be_written_is_one_line(finished, command):
    done = distil(command, "/dev/null/x", cwd=finished.path)
    assert done.returncode != 0
    assert len(done.stderr.splitlines()) == 1
    assert "/dev/null" in done.stderr


def test_the_study_verifies_against_its_own_anchor_and_no_other(finished):
    done = distil("--study", "micro", "verify", "--anchor", cwd=finished.path)
    assert done.returncode == 0, done.stdout
    anchor, history, ok = done.stdout.splitlines()[-3:]
    digest = anchor.removeprefix("anchor: ")
    assert len(history.removeprefix("history: ")) == 64
    assert ok == "ok"
    assert len(digest) == 64
    other = distil("verify", "--anchor", "0" * 64, cwd=finished.path)
    assert other.returncode == 1
    assert f"anchor: {digest}" in other.stdout


def test_runs_plan_status_and_compare_answer(finished, tmp_path):
    assert "jobs" in distil("runs", cwd=finished.path).stdout
    assert "fixed when all" in distil("plan", cwd=finished.path).stdout
    done = distil("status", "--json", cwd=finished.path)
    assert (done.returncode, json.loads(done.stdout)["study"]) == (0, "micro")
    sides = (
        "role=student estimand=held_out level=R1 stop=nested",
        "role=base estimand=held_out level=R1",
    )
    assert "points" in distil("compare", *sides, cwd=finished.path).stdout
    done = distil("dag", tmp_path / "drawn", cwd=finished.path)
    assert done.stdout.split() == [
        str(tmp_path / "drawn" / name) for name in ("rules.svg", "files.svg")
    ]
    assert "solver" in distil("responses", cwd=finished.path).stdout


def test_problems_leave_the_study_as_table_quiz_and_paper(finished, tmp_path):
    for ending in ("csv", "jsonl", "gift", "pdf"):
        file = tmp_path / f"bank.{ending}"
        done = distil("problems", file, "--year", "2014", "--section", "fs", cwd=finished.path)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"{file}: 4 problems\n"
    assert (tmp_path / "bank.pdf").read_bytes().startswith(b"%PDF")
    read = distil("read", tmp_path / "bank.pdf", "--year", "2014", "--section", "fs", cwd=tmp_path)
    rows = [json.loads(line) for line in read.stdout.splitlines()]
    assert [row["number"] for row in rows] == ["1", "2", "3", "4"], "a paper can be read again"
    done = distil("problems", "x.doc", cwd=finished.path)
    assert done.returncode == 2
    assert ".gift" in done.stderr
