"""The three agents' scripts against the sample's own teacher: rows, keys, reruns."""

from __future__ import annotations

import importlib.util
import json
import random
import sys
from pathlib import Path
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest

from distil.content.files import read_jsonl, write_jsonl
from distil.content.hashing import sha256_text
from distil.synthetic import contest
from distil.synthetic.templates import LABELS, draw_item
from distil.teacher import account
from distil.teacher.agents import JobStopped
from distil.teacher.responses import Reply
from distil.teacher.settings import EXIT_REPLAY_MISS

ROOT = Path(__file__).resolve().parents[2]
PROMPTS = ROOT / "resources" / "prompts" / "sample"
LEVELS = ["R1", "R2", "R3", "R4", "R5", "R6"]
TEACHER = {
    "base_url": "simulated",
    "api_key_env": None,
    "mode": "live",
    "concurrency": 4,
    "retries": 2,
    "connect_seconds": 5.0,
    "idle_seconds": 30.0,
    "deadline_seconds": 60.0,
    "prices": {"dated": "2026-01-01", "currency": "USD", "models": {}},
    "money_cap": 0.0,
}


def load(name: str):
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


solve_problems, distill_traces = load("solve_problems"), load("distill_traces")
verify_traces, predict_teacher = load("verify_traces"), load("predict_teacher")


def write_problems(path: Path) -> list[dict]:
    generator = random.Random(3)
    rows = []
    for number, template in enumerate([*contest.SOLVABLE, contest.DIVISORS], start=1):
        item = draw_item(template, template.familiar, generator, reserved=True)
        options = [
            {"label": label, "text": text}
            for label, text in zip(LABELS, item.options, strict=bool(item.options))
        ]
        rows.append(
            {
                "id": f"2014-fs-{number:02d}",
                "statement": item.statement,
                "options": options,
                "answer": item.solution.answer,
            }
        )
    rows.append(
        {"id": "2014-js-01", "statement": "Draw a cat.", "options": [], "answer": "CANARY-KEY"}
    )
    rows.append({**rows[0], "id": "2014-js-02", "answer": None})
    write_jsonl(path, rows)
    return rows


def params(agent: str, limit: int, **changes) -> SimpleNamespace:
    settings = {"model": f"sample-{agent}", "max_tokens": limit, "temperature": 0.0}
    teacher = {**TEACHER, **changes, "agent": settings}
    return SimpleNamespace(study="sample", levels=LEVELS, level="R1", teacher=teacher)


def run_study(folder: Path, **changes) -> dict[str, list[dict]]:
    def paths(**names: str) -> SimpleNamespace:
        return SimpleNamespace(**{key: str(folder / name) for key, name in names.items()})

    solve = paths(problems="problems.jsonl")
    solve.solver = PROMPTS / "solver.txt"
    distil = paths(problems="problems.jsonl", solutions="solutions.jsonl")
    distil.distiller, distil.levels = PROMPTS / "distiller.txt", PROMPTS / "levels.yaml"
    verify = paths(problems="problems.jsonl", distillations="distillations.jsonl")
    verify.verifier = PROMPTS / "verifier.txt"
    outputs = {
        "solver": paths(solutions="solutions.jsonl", responses="solver.jsonl"),
        "distiller": paths(distillations="distillations.jsonl", responses="distiller.jsonl"),
        "verifier": paths(traces="traces.jsonl", responses="verifier.jsonl"),
    }
    reports = [
        solve_problems.main(
            input=solve, output=outputs["solver"], params=params("solver", 2000, **changes)
        ),
        distill_traces.main(
            input=distil, output=outputs["distiller"], params=params("distiller", 900, **changes)
        ),
        verify_traces.main(
            input=verify, output=outputs["verifier"], params=params("verifier", 20, **changes)
        ),
    ]
    found = {path.stem: read_jsonl(path) for path in sorted(folder.glob("*.jsonl"))}
    return {**found, "reports": reports}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    write_problems(folder / "problems.jsonl")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield SimpleNamespace(folder=folder, **run_study(folder))


def test_every_problem_has_one_solution_and_the_first_answer_is_the_teachers_prediction(study):
    ids = sorted(row["id"] for row in study.problems)
    assert [row["id"] for row in study.solutions] == ids
    assert {row["status"] for row in study.solutions} == {"ok"}
    keys = {row["id"]: row["answer"] for row in study.problems}
    right = [row["answer"] == keys[row["problem"]] for row in study.solutions]
    # Beyond it: the divisor count, the cat; and one problem has no key.
    assert right.count(False) == 3
    output = SimpleNamespace(predictions=str(study.folder / "teacher.parquet"))
    source = SimpleNamespace(solutions=[str(study.folder / "solutions.jsonl")])
    predict_teacher.main(input=source, output=output, params=SimpleNamespace(level="R1"))
    predictions = pq.read_table(output.predictions).to_pylist()
    assert [row["id"] for row in predictions] == [f"{name}.R1" for name in ids]
    assert [row["text"] for row in predictions] == [row["content"] for row in study.solutions]
    assert set(predictions[0]) == {
        "id", "problem", "benchmark", "level", "prompt_sha256", "text", "tokens", "words", "finish"
    }  # fmt: skip


def test_solver_and_distiller_never_see_a_key(study):
    for agent in ("solver", "distiller"):
        text = json.dumps(getattr(study, agent))
        assert "CANARY-KEY" not in text
        assert "Key:" not in text
    assert "CANARY-KEY" in json.dumps(study.verifier)


def test_only_traces_with_the_verifiers_word_and_without_the_graders_veto_are_verified(study):
    assert [row["id"] for row in study.traces] == sorted(
        f"{row['id']}.{level}" for row in study.problems for level in LEVELS
    )
    for row in study.traces:
        expected = row["verifier"] == "CORRECT" and row["grader"] != "wrong"
        assert row["verified"] == (expected and row["status"] == "ok")
        assert row["verified"] or row["reason"]
        assert row["status"] != "ok" or row["text"].splitlines()[-1] == f"Answer: {row['answer']}"
    statuses = {row["problem"]: row["status"] for row in study.traces}
    assert statuses["2014-js-01"] == "incorrect"
    assert statuses["2014-js-02"] == "no-key"
    assert statuses["2014-fs-01"] == "ok"


def test_rows_lead_to_the_raw_bytes_of_their_responses(study):
    stored = {
        row["request_sha256"]: row
        for agent in ("solver", "distiller", "verifier")
        for row in getattr(study, agent)
    }
    for row in [*study.solutions, *study.distillations]:
        raw = stored[row["request_sha256"]]
        assert sha256_text(raw["body"]) == raw["response_sha256"] == row["response_sha256"]
        assert sha256_text(raw["request"]["messages"][0]["content"]) == row["prompt_sha256"]
    solved = {row["problem"]: row["response_sha256"] for row in study.solutions}
    for row in study.traces:
        assert row["solution_response_sha256"] == solved[row["problem"]]
        if row["verifier"]:
            assert row["verifier_request_sha256"] in stored


def test_rerun_and_replay_ask_nothing_and_give_the_same_bytes(study, monkeypatch):
    monkeypatch.chdir(study.folder)
    before = {path.name: path.read_bytes() for path in study.folder.glob("*.jsonl")}
    for mode in ("live", "replay"):
        reports = run_study(study.folder, mode=mode)["reports"]
        assert [report["history"]["teacher"]["asked_now"] for report in reports] == [0, 0, 0]
        assert {path.name: path.read_bytes() for path in study.folder.glob("*.jsonl")} == before


def test_run_from_nothing_gives_the_same_bytes(study, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_problems(tmp_path / "problems.jsonl")
    run_study(tmp_path, concurrency=1)
    for path in sorted(tmp_path.glob("*.jsonl")):
        assert path.read_bytes() == (study.folder / path.name).read_bytes(), path.name


def test_study_is_replayed_from_its_exported_responses_alone(study, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exported = [str(study.folder / f"{agent}.jsonl") for agent in ("solver", "distiller")]
    exported.append(str(study.folder / "verifier.jsonl"))
    assert account.print_account("sample", [Path(file) for file in exported]) == 0
    assert f"{len(study.solver)}  solver: answered" in capsys.readouterr().out
    write_problems(tmp_path / "problems.jsonl")
    run_study(tmp_path, mode="replay")
    for path in sorted(tmp_path.glob("*.jsonl")):
        assert path.read_bytes() == (study.folder / path.name).read_bytes(), path.name


def test_replay_of_an_empty_journal_stops_the_job_with_its_own_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_problems(tmp_path / "problems.jsonl")
    with pytest.raises(JobStopped, match="Go on with: snakemake") as stopped:
        run_study(tmp_path, mode="replay")
    assert stopped.value.code == EXIT_REPLAY_MISS
    assert not (tmp_path / "solutions.jsonl").exists()


@pytest.mark.parametrize(
    ("word", "grade", "status", "verified"),
    [
        ("CORRECT", "right", "ok", True),
        ("CORRECT", "unknown", "ok", True),
        ("CORRECT", "wrong", "grader-disagrees", False),
        ("INCORRECT", "right", "incorrect", False),
        ("Perhaps", "right", "unclear", False),
    ],
)
def test_verdict_of_a_trace_follows_verifier_and_grader(word, grade, status, verified):
    row = {"status": "ok", "reason": "", "text": "Answer: 1"}
    request = SimpleNamespace(key="k")
    trace = verify_traces.verify(row, request, Reply("k", "ok", content=word), grade)
    assert (trace["status"], trace["verified"], trace["grader"]) == (status, verified, grade)


def test_failed_replies_become_rows_that_keep_their_status():
    cut = Reply("k", "length", reason="finish_reason is length", content="1 + 1")
    request = SimpleNamespace(key="k", prompt_sha256="p")
    solution = solve_problems.solution("2014-fs-01", request, cut)
    assert (solution["status"], solution["reason"]) == ("length", cut.reason)
    row = distill_traces.distillation("2014-fs-01", "R1", solution, None, None)
    assert (row["status"], row["text"]) == ("no-solution", "")
    reply = Reply("k", "ok", content="Answer: 1\nThat is all.")
    row = distill_traces.distillation("2014-fs-01", "R1", solution, request, reply)
    assert row["status"] == "no-answer-line"
    trace = verify_traces.verify(row, None, None, None)
    assert (trace["status"], trace["verified"]) == ("no-answer-line", False)
    (prediction,) = predict_teacher.predictions([solution], "R1")
    assert (prediction["text"], prediction["finish"]) == ("1 + 1", "length")
