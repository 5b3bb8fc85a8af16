"""The sample study, end to end, as `make reproduce` runs it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from distil.audit import explain, verify
from distil.report.terminal import claims_text, closing_text
from docs import pages
from tests.workflow.checkout import ROOT, copy_repository

LONGEST = 40 * 60  # seconds; on two free cores it takes a fifth of it
CLAIMS = {
    "C1", "C2", "C2b", "C3", "C4", "C5", "C5b", "C6", "C7", "C8", "Q1", "Q2", "Q3", "Q4", "Q5",
}  # fmt: skip


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    checkout = copy_repository(tmp_path_factory.mktemp("sample") / "repository")
    start = time.monotonic()
    done = checkout.snakemake(config="config.yaml", timeout=LONGEST)
    return checkout, done, time.monotonic() - start


@pytest.mark.timeout(LONGEST + 60)
def test_the_sample_study_ends_with_its_claims_and_has_nothing_left_to_do(sample, monkeypatch):
    checkout, done, seconds = sample
    monkeypatch.chdir(checkout.path)
    shown = closing_text("sample", 80)
    assert shown in done.stdout, "the end of a run is its claims, what to open and what is next"
    assert set(re.findall(r"^([CQ]\d+b?) ", claims_text("sample", 80), re.M)) >= CLAIMS
    assert len(shown.splitlines()) < 40, "with two lines a stage it fits 60 lines"
    assert seconds < LONGEST
    again = checkout.snakemake("-n", config="config.yaml")
    assert "Nothing to be done" in again.stdout + again.stderr


def test_the_readme_shows_the_claims_of_this_state(sample, monkeypatch):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    monkeypatch.chdir(sample[0].path)
    block = pages.TRANSCRIPT.search(text)
    if block[0] == block[1] + block[2]:
        pytest.skip("the README holds no claims yet; after a run of the sample study: make readme")
    assert text == pages.with_transcript(text, pages.transcript()), "make readme"


def test_the_pictures_show_the_claims_of_this_state(sample, monkeypatch):
    monkeypatch.chdir(sample[0].path)
    shown = pages.claims_sha256(pages.transcript())
    for name in pages.PICTURES:
        with Image.open(ROOT / "docs" / name) as picture:
            assert picture.text.get(pages.SHOWN) == shown, f"docs/{name} is old: make pictures"


def test_the_commands_of_the_readme_run_as_typed(sample):
    """In a shell where only the folder of the commands was put first on the path."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| .* \| `(distil [^`]+)`", text, re.M)
    asked = [line for line in table if not re.search(r"[A-Z]{4}|\.pdf|\.jsonl|build/", line)]
    assert len(asked) >= 4
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for line in asked:
        done = subprocess.run(
            line, shell=True, cwd=sample[0].path, capture_output=True, text=True, check=False,
            env={**os.environ, "PATH": path},
        )  # fmt: skip
        assert done.returncode == 0, f"{line}: {done.stdout[-500:]} {done.stderr}"
        assert done.stdout


def test_every_extracted_problem_equals_its_template(sample):
    folder = sample[0].path / "results" / "sample"
    truth = [json.loads(line) for line in (folder / "exams" / "truth.jsonl").open()]
    problems = {
        row["id"]: row
        for path in folder.glob("problems/*.jsonl")
        for row in map(json.loads, path.open())
    }
    assert len(truth) == len(problems) > 400
    for row in truth:
        found = problems[row["id"]]
        assert (found["statement"], found["answer"]) == (row["statement"], row["answer"])


def test_the_sample_study_verifies_and_its_gain_leads_to_pages(sample, monkeypatch):
    monkeypatch.chdir(sample[0].path)
    assert verify.verify("sample") == []
    chain = explain.Explainer("sample").explain("C4:here:held_out")
    stages = {stage.name: stage.entries for stage in chain.stages}
    assert stages["pages"]
    assert stages["stored responses"]
    assert all(entry["sha256"] for stage in chain.stages for entry in stage.entries)


def test_only_verified_traces_of_training_years_train(sample):
    folder = sample[0].path / "results" / "sample"
    traces = {
        row["id"]: row
        for path in folder.glob("traces/*/traces.jsonl")
        for row in map(json.loads, path.open())
    }
    rows = [json.loads(line) for line in (folder / "datasets/temporal/prompt/train.jsonl").open()]
    assert len(rows) > 200
    assert all(traces[row["id"]]["verified"] for row in rows)
    assert max(int(row["problem"][:4]) for row in rows) < 2020
    years = {
        int(Path(path).name) for path in folder.glob("traces/*") if (path / "traces.jsonl").exists()
    }
    assert not years & {2022, 2023, 2024, 2025}, "no trace is distilled for a test year"


def test_base_student_and_teacher_answered_what_the_plan_asks(sample):
    answers = pd.read_parquet(sample[0].path / "results" / "sample" / "grades" / "answers.parquet")
    assert set(answers["role"]) == {"base", "student", "teacher"}
    tested = answers[(answers["part"] == "test") & (answers["role"] != "teacher")]
    assert set(tested["level"]) == {"R1", "R2", "R3", "R4", "R5", "R6"}
    assert answers[answers["role"] == "student"]["seed"].nunique() == 5
    assert (answers["benchmark"] == "transfer").any()
