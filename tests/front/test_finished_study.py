"""The commands on a finished study, typed as the README has them."""

from __future__ import annotations

import csv
import json
import re
import subprocess

import pandas as pd
import pytest

from distil.content.files import read_jsonl
from tests.front.test_command_line import DISTIL, distil

C4 = ("C4", "held_out")


def claims(finished) -> list[dict[str, str]]:
    path = finished.path / "results" / "micro" / "claims" / "claims.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize(
    ("target", "first"),
    [
        ("C4", "C4"), ("c4", "c4"), ("C4:held_out", "C4:held_out"), ("C4:low:held_out", "C4:low:"),
        ("2014-fs-04", "2014-fs-04"), ("2014-fs.pdf#1", "results/micro/exams/2014-fs.pdf#1"),
        ("levels:R1/fs:gain", "levels:R1/fs:gain"), ("results/micro/claims/claims.csv", "results"),
    ],
)  # fmt: skip
def test_explain_takes_what_a_reader_would_type(finished, target, first):
    done = distil("explain", target, cwd=finished.path, environment={"COLUMNS": "80"})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(first)
    assert "sha256" in done.stdout
    lines = done.stdout.splitlines()
    assert len(lines) <= 60
    # Addresses and commands are left whole, so that they can be copied.
    whole = re.compile(r"(all of it|rests on|page) +\S")
    assert [line for line in lines if len(line) > 80 and not whole.match(line)] == []


def test_explain_tells_the_number_its_formula_and_its_counts_first(finished):
    done = distil("explain", "C4:held_out", cwd=finished.path)
    answer = done.stdout.partition("From the number to the exam page")[0]
    row = next(row for row in claims(finished) if (row["id"], row["estimand"]) == C4)
    graded = pd.read_parquet(finished.path / "results/micro/grades/answers.parquet")
    behind = pd.read_parquet(finished.path / "results/micro/claims/rows.parquet")
    behind = behind[(behind["claim"] == "C4") & (behind["estimand"] == "held_out")]
    graded = graded[graded["row"].isin(behind["row"])].drop_duplicates("row")
    figures = [f"{float(row[name]):.2f}" for name in ("here", "low", "high")]
    assert f"value      {figures[0]} points ({figures[1]} to {figures[2]})" in answer
    assert f"formula    {row['formula']} (" in answer
    for role in ("student", "base"):
        own = graded[graded["role"] == role]
        right = int((own["verdict"] == "right").sum())
        assert f"{role}: {right} of {len(own)} answers right" in answer
    assert f"= {figures[0]}" in answer, "the pairs say how the number follows"


def test_explain_tells_a_problem_as_it_is_printed(finished):
    text = distil("explain", "2014-fs-04", cwd=finished.path).stdout
    rows = read_jsonl(finished.path / "results/micro/problems/2014.jsonl")
    row = next(row for row in rows if row["id"] == "2014-fs-04")
    assert " ".join(row["statement_plain"].split())[:50] in " ".join(text.split())
    assert f"page {row['page']}" in text
    assert row["pdf_sha256"] in text
    assert f"answer     {row['answer']}" in text
    used = distil("explain", "2014-fs-04", "--used-by", cwd=finished.path).stdout
    assert "C4" in used.partition("claims  ")[2]


def test_explain_shows_entries_where_asked_and_all_as_json(finished):
    text = distil("explain", "C4:held_out", "--most", "2", cwd=finished.path).stdout
    assert text.count("verdict: ") >= 4, "two answers and two grades"
    found = json.loads(distil("explain", "C4:held_out", "--json", cwd=finished.path).stdout)
    assert found["target"] == "C4:held_out"
    assert [stage["stage"] for stage in found["chain"]][:2] == ["cell", "graded answers"]


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
    for name in ("rules.svg", "files.svg"):
        text = (tmp_path / "drawn" / name).read_text(encoding="utf-8")
        width = float(re.search(r'<svg[^>]* width="([\d.]+)pt"', text)[1])
        assert width <= 830 * 0.75, "its letters are shrunk at the width of a README"
    assert "traces/ (" in text, "files are folded into their folders"
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
