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
from distil.grading.grading import judge
from distil.synthetic import contest
from distil.synthetic.templates import draw_item
from distil.teacher import responses_report as report
from distil.teacher.agents import JobStopped
from distil.teacher.responses import Reply
from distil.teacher.settings import EXIT_REPLAY_MISS
from tests.front.teacher_study import is_solved

ROOT = Path(__file__).resolve().parents[2]
PROMPTS = ROOT / "resources" / "prompts" / "sample"
LEVELS = ["R1", "R2", "R3", "R4", "R5", "R6"]
HOST = {"base_url": "simulated", "concurrency": 4, "deadline_seconds": 60.0}
TRACES = {"protocol": "full", "repair_beyond": 0.2, "train_unknown": False}
YEARS = {"train": [2014], "validation": []}
PLAN = {"folds": {"temporal": YEARS}, "variants": ["prompt"], "levels_per_problem": 6}


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
    # Eight that the teacher solves, and one on which it errs.
    for number, template in enumerate(contest.CONTEST[:9], start=1):
        item = draw_item(template, template.familiar, generator, reserved=True)
        while is_solved(item) == (number == 9):
            item = draw_item(template, template.familiar, generator, reserved=True)
        rows.append(
            {
                "id": f"2014-fs-{number:02d}",
                "year": 2014,
                "statement": item.statement,
                "options": item.labelled,
                "answer": item.solution.answer,
            }
        )
    rows.append(
        {
            "id": "2014-js-01",
            "year": 2014,
            "statement": "Draw a cat.",
            "options": [],
            "answer": "CANARY-KEY",
        }
    )
    rows.append({**rows[0], "id": "2014-js-02", "answer": None})
    write_jsonl(path, rows)
    return rows


def shaping(model: str, limit: int) -> dict:
    """What shapes an agent's answers, at a host of the name `own`."""
    return {
        "host": "own", "model": model, "max_tokens": limit, "temperature": 0.0, "top_p": None,
        "samples": 1, "extra": {}, "served": [model], "reasoning": "optional",
    }  # fmt: skip


def params(agent: str, limit: int, traces: dict, plan: dict) -> SimpleNamespace:
    teacher = shaping(f"sample-{agent}", limit)
    return SimpleNamespace(
        study="sample", levels=LEVELS, level="R1", teacher=teacher, traces=traces, plan=plan
    )


def run_study(folder: Path, traces=TRACES, plan=PLAN, **changes) -> dict[str, list[dict]]:
    host = {**HOST, **{name: changes.pop(name) for name in list(changes) if name in HOST}}
    how = {"teacher": {"hosts": {"own": host}, **changes}}

    def paths(**names: str) -> SimpleNamespace:
        return SimpleNamespace(**{key: str(folder / name) for key, name in names.items()})

    solve = paths(problems="problems.jsonl")
    solve.solver = PROMPTS / "solver.txt"
    distil = paths(solutions="solutions.jsonl")
    distil.problems = [str(folder / "problems.jsonl")]
    distil.distiller, distil.levels = PROMPTS / "distiller.txt", PROMPTS / "levels.yaml"
    distil.repair = PROMPTS / "repair.txt"
    verify = paths(problems="problems.jsonl", distillations="distillations.jsonl")
    verify.verifier = PROMPTS / "verifier.txt"
    outputs = {
        "solver": paths(solutions="solutions.jsonl", responses="solver.jsonl"),
        "distiller": paths(distillations="distillations.jsonl", responses="distiller.jsonl"),
        "verifier": paths(traces="traces.jsonl", responses="verifier.jsonl"),
    }
    stages = [
        (solve_problems, "solver", 2000, solve),
        (distill_traces, "distiller", 900, distil),
        (verify_traces, "verifier", 20, verify),
    ]
    reports = [
        script.main(
            input=read, output=outputs[agent], params=params(agent, limit, traces, plan), how=how
        )
        for script, agent, limit, read in stages
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
    right = [
        judge(keys[row["problem"]] or "", f"Answer: {row['answer']}").verdict == "right"
        for row in study.solutions
    ]
    # A slip, the cat, which is beyond it; and one problem has no key.
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
    # The cat's solution is wrong, so that nothing of it is left to verify.
    assert "CANARY-KEY" not in json.dumps(study.verifier)
    assert "Key:" in json.dumps(study.verifier)


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
    assert statuses["2014-js-01"] == "wrong-solution"
    assert statuses["2014-js-02"] == "no-key"
    assert statuses["2014-fs-01"] == "ok"


def test_rows_lead_to_the_raw_bytes_of_their_responses(study):
    stored = {
        row["request_sha256"]: row
        for agent in ("solver", "distiller", "verifier")
        for row in getattr(study, agent)
    }
    distilled = [row for row in study.distillations if row["request_sha256"]]
    assert len(distilled) == 6 * (len(study.problems) - 3)
    for row in [*study.solutions, *distilled]:
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


def test_study_is_replayed_from_its_exported_responses_alone(study, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exported = [str(study.folder / f"{agent}.jsonl") for agent in ("solver", "distiller")]
    exported.append(str(study.folder / "verifier.jsonl"))
    restored = report.restore_responses("sample", exported)
    assert [count for _, count in restored] == [len(read_jsonl(path)) for path in exported]
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
        ("CORRECT", "unknown", "grader-unknown", False),
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
    request = SimpleNamespace(key="k", prompt_sha256="p", sample=0)
    solution = solve_problems.solution("2014-fs-01", request, cut)
    assert (solution["status"], solution["reason"]) == ("length", cut.reason)
    empty = distill_traces.empty_row("2014-fs-01", "R1", solution, 20, "no-solution")
    assert (empty["status"], empty["reason"]) == ("no-solution", "the solver's answer is length")
    reply = Reply("k", "ok", content="Answer: 1\nThat is all.")
    row = distill_traces.distillation(empty, request, reply, repaired=False)
    assert (row["status"], row["answer"]) == ("no-answer-line", None)
    trace = verify_traces.verify(row, None, None, None)
    assert (trace["status"], trace["verified"]) == ("no-answer-line", False)
    (prediction,) = predict_teacher.predictions([solution], "R1")
    assert (prediction["text"], prediction["finish"]) == ("1 + 1", "length")
    # What the host failed to give is no answer, so no wrong one either.
    drift = solve_problems.solution("2014-fs-02", request, Reply("k", "drift", reason="other"))
    assert predict_teacher.predictions([drift], "R1") == []
    assert predict_teacher.unanswered([solution, drift]) == {"drift": 1}
