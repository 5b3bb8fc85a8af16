"""A server that answers for the student, through a study file: what it can do wrong.

The stage runs in this process from the study file, as the teacher's do in `teacher_study`.
"""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from distil.content.files import write_jsonl
from distil.content.fingerprint import sorted_keys
from distil.study import config as configuration
from distil.study.shape import open_study
from distil.teacher.settings import EXIT_NO_ANSWERS, EXIT_REFUSED, EXIT_UNANSWERED
from scripts import ask_student
from tests.faults.fault_host import MODEL, FaultHost
from tests.front.teacher_study import ROOT, merge

COUNT = 12
PROMPTS = ROOT / "resources/prompts/sample"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Problems, a checkpoint and the plans for base and adapter, in the current folder."""
    monkeypatch.chdir(tmp_path)
    rows = [
        {"id": f"2014-fs-{i:02d}", "year": 2014, "statement": f"What is {i} and 1?", "options": []}
        for i in range(1, COUNT + 1)
    ]
    write_jsonl("2014.jsonl", rows)
    (tmp_path / "00020.safetensors").write_bytes(b"weights")
    for name, iteration in (("base", None), ("adapter", 20)):
        item = {
            "iteration": iteration, "benchmark": "competition", "level": "R1", "years": [2014],
        }  # fmt: skip
        (tmp_path / f"{name}.json").write_text(json.dumps([item]))
    return tmp_path


def ask(url: str, plan: str = "base", served: list[str] | None = None, **host) -> SimpleNamespace:
    """Ask a server for a plan's answers by the micro study's file with a server in it."""
    model = {"input": 0, "output": 0} | ({"served": served} if served else {})
    changes = {
        "teacher": {
            "retries": 1, "possibly_paid_retries": 0, "backoff_seconds": 0.01,
            "hosts": {"mine": {"base_url": url, "concurrency": 4, "models": {MODEL: model}, **host}},
        },
        "predictions": {"decoder": "http", "server": {"host": "mine", "model": MODEL}},
    }  # fmt: skip
    config = merge(yaml.safe_load((ROOT / "config.micro.yaml").read_text("utf-8")), changes)
    file = Path("mine.yaml").resolve()
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    with contextlib.chdir(ROOT):
        study = open_study(configuration.check([file], config))
    said, code, found = io.StringIO(), 0, None
    with contextlib.redirect_stderr(said):
        try:
            found = ask_student.main(
                input=SimpleNamespace(
                    plan=f"{plan}.json", problems=["2014.jsonl"], benchmarks=[],
                    student_prompt=str(PROMPTS / "student.txt"),
                    levels=str(PROMPTS / "levels.yaml"), system=[],
                    student=str(ROOT / study.student("model.lock.json")),
                    adapters=["00020.safetensors"] if plan == "adapter" else [],
                ),
                output=SimpleNamespace(predictions="out.parquet", responses="out.jsonl"),
                params=SimpleNamespace(
                    study=study.name, run="base" if plan == "base" else "temporal/prompt/seed-1",
                    **sorted_keys(study.server()),
                ),
                how=study.how(),
            )  # fmt: skip
        except SystemExit as stopped:
            print(stopped, file=said)
            code = stopped.code
    asked = found["history"]["asked_now"] if found else None
    return SimpleNamespace(code=code, said=said.getvalue(), asked=asked)


def test_a_server_that_was_not_started_is_told_soon_with_its_address():
    stopped = ask("http://127.0.0.1:9/v1")
    assert stopped.code == EXIT_UNANSWERED
    assert "nothing answers at http://127.0.0.1:9/v1 (ConnectionRefusedError" in stopped.said
    assert "start the server, or mend teacher.hosts.mine.base_url" in stopped.said
    assert "no answer from http://127.0.0.1:9/v1 (connect-failed" in stopped.said, (
        "while it is tried"
    )
    with FaultHost(script="ok") as host:
        assert ask(host.url).asked == COUNT, "the same command goes on"


def test_another_models_name_stops_the_run_and_listing_it_reads_what_came():
    with FaultHost(script="drift") as host:
        stopped = ask(host.url)
        assert (stopped.code, len(host.requests)) == (EXIT_NO_ANSWERS, 8)
        assert f"the server should answer as {MODEL}" in stopped.said
        assert "teacher.hosts.mine.models.NAME.served" in stopped.said
        mended = ask(host.url, served=[MODEL, f"{MODEL}-v2"])
        assert (mended.code, mended.asked, len(host.requests)) == (0, COUNT - 8, COUNT)


def test_the_bases_name_above_an_adapters_answer_is_refused():
    """A server that was not given the adapter may answer with the base alone."""
    with FaultHost(script="ok") as host:
        stopped = ask(host.url, plan="adapter", served=[MODEL])
    assert stopped.code == EXIT_NO_ANSWERS
    assert "the server should answer as temporal-prompt-seed-1-00020-" in stopped.said
    assert "An adapter that it was not given is not used: see distil adapters" in stopped.said


def test_error_objects_and_a_model_that_there_is_not_stop_the_run_and_are_asked_again():
    with FaultHost(script="error-object " * 8 + "http-404 ok") as host:
        assert ask(host.url).code == EXIT_NO_ANSWERS
        stopped = ask(host.url)
        assert stopped.code == EXIT_REFUSED
        assert "teacher.hosts.mine.base_url and the model name right?" in stopped.said
        assert ask(host.url).code == 0
    assert len(host.requests) == 8 + 1 + COUNT


def test_a_slow_server_is_told_with_the_setting_that_waits_longer():
    with FaultHost(latency=0.3, script="ok") as host:
        stopped = ask(host.url, idle_seconds=0.1)
        assert stopped.code == EXIT_UNANSWERED
        assert "raise teacher.hosts.mine.idle_seconds (0.1 s), or lower" in stopped.said
        assert ask(host.url, idle_seconds=5.0).code == 0
