"""What a study file can ask of the student: a server, drawn answers, caps, validation accuracy."""

from __future__ import annotations

import csv
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time

import pytest
import yaml
from pyarrow import parquet

from distil.content.sealed import Seal, read_lines, seal
from distil.lineage import history
from distil.report.page import shards
from distil.student.examination import served_name
from distil.student.workers import useful
from tests.front.model_server import STUDENT, serve_student
from tests.unit.tiny_architectures import make_model

# Of the rows, those whose text is that of the exact decoder here. The server puts rows together as
# they come, so that one may round otherwise; seen: 354 of 354, the base's among them.
SHARE = 0.97
# By its path: `default_model`, the server's own name for it, gets no adapter there.
MODEL = STUDENT


@pytest.fixture
def server(tmp_path):
    """Its address, once it listens."""
    with serve_student(tmp_path) as address:
        yield address


def override(url: str, adapters: str, **predictions) -> str:
    host = {"base_url": url, "models": {MODEL: {"input": 0, "output": 0}}}
    given = {
        "decoder": "http",
        "server": {"host": "mine", "model": MODEL, "adapters": adapters},
        **predictions,
    }
    return yaml.safe_dump({"teacher": {"hosts": {"mine": host}}, "predictions": given})


@pytest.mark.timeout(1200)
def test_a_server_answers_as_the_decoder_here_does(study, server, tmp_path):
    """`mlx_lm.server` with the sample student and the study's adapters, as `distil` lays them out."""
    name = "results/micro/predictions/temporal/prompt/seed-1.parquet"
    local = parquet.read_table(study.path / name).to_pylist()
    laid = subprocess.run(
        [sys.executable, "-m", "distil", "adapters", str(tmp_path / "adapters"), "-s", "micro"],
        cwd=study.path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    names = laid.stdout.split()
    assert len(names) == 6
    (study.path / "served.yaml").write_text(override(server, str(tmp_path / "adapters")))
    assert study.ran("served.yaml", "--", name) == {"ask_student(run=temporal/prompt/seed-1)"}
    rows = parquet.read_table(study.path / name).to_pylist()
    raw = (study.path / name.replace(".parquet", "_responses.jsonl")).read_text().splitlines()
    responses = {row["request_sha256"]: row for row in map(json.loads, raw)}
    assert [row["id"] for row in rows] == [row["id"] for row in local]
    for mine, theirs in zip(local, rows, strict=True):
        response = responses[theirs["request_sha256"]]
        assert response["response_sha256"] == theirs["response_sha256"]
        for column in ("prompt_sha256", "adapter_sha256", "problem", "level", "benchmark"):
            assert mine[column] == theirs[column]
        adapter = served_name("temporal/prompt/seed-1", mine["iteration"], mine["adapter_sha256"])
        assert response["request"]["adapters"].endswith(f"/{adapter}")
        assert adapter in names
    same = sum(
        (mine["text"], mine["finish"]) == (theirs["text"], theirs["finish"])
        for mine, theirs in zip(local, rows, strict=True)
    )
    print(f"{same} of {len(rows)} rows the same")
    assert same >= SHARE * len(rows)


@pytest.mark.timeout(1200)
def test_a_model_with_sliding_windows_is_trained_for_the_continuous_decoder_alone(study):
    make_model(study.path / "resources/windowed", "gemma3_text")
    given = {
        "student": {"model": "resources/windowed", "pretraining": None},
        "adapters": {"layers": 2, "seeds": [1]},
    }
    curve = "results/micro/adapters/temporal/prompt/seed-1/curve.csv"
    (study.path / "windowed.yaml").write_text(yaml.safe_dump(given))
    refused = study.snakemake("windowed.yaml", "--", curve, check=False)
    assert refused.returncode == 1
    remedy = "remedy: predictions.decoder: continuous"
    assert f"RotatingKVCache are not supported by the exact decoder; {remedy}" in refused.stderr
    given["predictions"] = {"decoder": "continuous"}
    (study.path / "windowed.yaml").write_text(yaml.safe_dump(given))
    answers = "results/micro/predictions/base.parquet"
    ran = study.ran("windowed.yaml", "--", curve, answers)
    assert {
        "train_adapter(fold=temporal, seed=1, variant=prompt)", "predict_answers(run=base)"
    } <= ran  # fmt: skip
    assert len(parquet.read_table(study.path / answers)) > 0


@pytest.mark.timeout(1200)
def test_a_finer_curve_gives_the_same_adapters_and_no_state_is_left(study):
    """The cadence of evaluation was in the adapters' bytes, so that every answer was made anew."""
    folder = study.path / "results/micro/adapters/temporal/prompt/seed-1"
    names = ["00010.safetensors", "00020.safetensors"]
    before = {name: (folder / name).read_bytes() for name in names}
    (study.path / "finer.yaml").write_text(yaml.safe_dump({"adapters": {"evaluate_every": 5}}))
    target = str(folder.relative_to(study.path) / "curve.csv")
    assert study.ran("finer.yaml", "--", target) == {
        "train_adapter(fold=temporal, seed=1, variant=prompt)"
    }
    assert [line.partition(",")[0] for line in (folder / "curve.csv").read_text().split()] == [
        "iteration", "0", "5", "10", "15", "20",
    ]  # fmt: skip
    assert {name: (folder / name).read_bytes() for name in names} == before
    state = study.path / "state/micro/adapters"
    assert {path.suffix for path in state.rglob("*") if path.is_file()} == {".safetensors", ".json"}
    assert not list(state.rglob("state.safetensors")), "moments that nothing resumes from"


def timed(study, name: str) -> float:
    """Return the MB that a job and its helper held at most, as its run says."""
    lines = (study.path / "results/micro/timings" / f"{name}.tsv").read_text().splitlines()
    return float(dict(zip(*(line.split("\t") for line in lines), strict=True))["max_rss"])


@pytest.mark.timeout(1200)
def test_what_a_run_has_answered_before_takes_no_memory(study):
    """Every job read all stored answers of the study: 13.5 GB for the 0.9 million of a large one."""
    before = timed(study, "predict_answers/base")
    with (study.path / "state/micro/predictions/base/before.jsonl").open("wb") as stream:
        for number in range(10_000):
            row = {"key": f"{number:064x}", "tokens": list(range(500, 950)), "finish": "stop"}
            stream.write(seal(row, Seal.ENVELOPE))
    answers = "results/micro/predictions/base.parquet"
    expected = (study.path / answers).read_bytes()
    study.snakemake("--forcerun", "predict_answers", "--", answers)
    assert (study.path / answers).read_bytes() == expected
    assert timed(study, "predict_answers/base") < before + 60, (
        "10,000 answers are 150 MB as objects"
    )


# Python reads it at its start: a processor without AVX, for which OpenBLAS chooses by itself.
OLDER = """
import pathlib
real = pathlib.Path.read_text

def read_text(path, *arguments, **more):
    text = real(path, *arguments, **more)
    return text.replace(" avx ", " ") if str(path) == "/proc/cpuinfo" else text

pathlib.Path.read_text = read_text
"""


@pytest.mark.skipif(platform.machine() != "x86_64", reason="kernels of x86-64")
@pytest.mark.timeout(1200)
def test_a_training_cut_on_another_processor_begins_anew(study):
    """It went on from there, to an adapter that neither processor gives."""
    (study.path / "faster.yaml").write_text(yaml.safe_dump({"adapters": {"learning_rate": 0.002}}))
    folder = study.path / "results/micro/adapters/temporal/prompt/seed-1"
    target = str(folder.relative_to(study.path) / "curve.csv")
    state = study.path / "state/micro/adapters/temporal/prompt/seed-1"
    command = [
        sys.executable, "-m", "snakemake", "--cores", "1", "--configfile", "config.micro.yaml",
        "faster.yaml", "--", target,
    ]  # fmt: skip
    running = subprocess.Popen(
        command, cwd=study.path, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while not (state / "state.safetensors").exists():
        assert running.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    (study.path / "sitecustomize.py").write_text(OLDER, encoding="utf-8")
    older = {"PYTHONPATH": str(study.path), "OPENBLAS_CORETYPE": "Prescott"}
    found = []
    for _ in range(2):
        study.snakemake("faster.yaml", "--", target, environment=older)
        found.append([path.read_bytes() for path in sorted(folder.glob("*.safetensors"))])
        shutil.rmtree(state)
        shutil.rmtree(folder)
    assert len(found[0]) == 2
    assert found[0] == found[1], "the second one had no state to begin from"


@pytest.mark.timeout(1200)
def test_jobs_keep_within_the_memory_of_the_study_file(study):
    """Neither a batch nor a training step was ever too large for the machine, until it was."""
    # A token takes 32 KB in the caches, and 50 KB while its prompt is read.
    shape = {
        "hidden_size": 32, "num_attention_heads": 8, "num_key_value_heads": 8, "head_dim": 256,
        "intermediate_size": 4096,
    }  # fmt: skip
    make_model(study.path / "resources/wide", "qwen3", shape=shape)
    needs = {"memory_mb": 320}
    given = {
        "student": {"model": "resources/wide", "pretraining": None, "resources": needs},
        "adapters": {
            "layers": 2,
            "seeds": [1],
            "batch_size": 12,
            "horizon": 1,
            "checkpoints": [1],
            "evaluate_every": 1,
            "patience": 1,
        },
        "predictions": {"max_tokens": 4},
    }
    (study.path / "wide.yaml").write_text(yaml.safe_dump(given))
    curve = "results/micro/adapters/temporal/prompt/seed-1/curve.csv"
    refused = study.snakemake("wide.yaml", "--", curve, check=False)
    assert refused.returncode == 1
    assert "student.resources.memory_mb is 320; remedy: adapters.grad" in refused.stderr
    given["adapters"]["gradient_checkpointing"] = True
    (study.path / "wide.yaml").write_text(yaml.safe_dump(given))
    study.snakemake("wide.yaml", "--", "results/micro/predictions/base.parquet")
    *_, (_, row) = read_lines(study.path / "results/micro/lineage" / history.RUNS)
    assert row["record"] == "predict_answers/run=base.json"
    assert row["memory_mb"] == 320
    # 128 prompts together, as the study file allows, are 2 GB; a second process takes as much.
    assert (1 + useful()) * row["peak_mb"] < 320


@pytest.mark.timeout(1200)
def test_a_run_that_diverges_says_where_and_what_to_change(study):
    """It ended in "Out of range float values are not JSON compliant", and so did each rerun."""
    target = "results/micro/adapters/temporal/prompt/seed-1/curve.csv"
    given = {"adapters": {"learning_rate": 1.0, "scale": 1e20}}
    (study.path / "wild.yaml").write_text(yaml.safe_dump(given))
    failed = study.snakemake("wild.yaml", "--", target, check=False)
    assert failed.returncode == 1
    assert "so the run has diverged; remedy: a smaller adapters.learning_rate" in failed.stderr
    given["adapters"] = {"learning_rate": 0.002}
    (study.path / "wild.yaml").write_text(yaml.safe_dump(given))
    study.snakemake("wild.yaml", "--", target)


@pytest.mark.timeout(1200)
def test_drawn_answers_caps_and_validation_questions_reach_the_tables(sampled):
    answers = parquet.read_table(sampled.path / "results/micro/grades/answers.parquet").to_pandas()
    drawn = answers[answers["role"] != "teacher"]
    keys = ["fold", "run", "problem", "level", "iteration"]
    assert (drawn.groupby(keys, dropna=False)["sample"].nunique() == 2).all()
    page = shards.decode((sampled.path / "results/micro/page/study.js").read_bytes())
    samples = [one["sample"] for one in page["columns"] if one["role"] != "teacher"]
    assert samples.count(0) == samples.count(1) == len(samples) / 2, (
        "each has its place on the page"
    )
    tables = {
        name: list(csv.DictReader((sampled.path / f"results/micro/tables/{name}.csv").open()))
        for name in ("levels", "seeds", "stops")
    }
    questions = answers.loc[answers["part"] == "test", "problem"].nunique()
    whole = {row["level"]: row for row in tables["levels"] if row["section"] == "all"}
    assert {row["n"] for row in whole.values()} == {str(questions)}
    assert list(whole)[-1] == "R1@24"
    assert float(whole["R1@24"]["base_words"]) < float(whole["R1"]["base_words"])
    of_base = drawn[
        (drawn["role"] == "base") & (drawn["level"] == "R2") & (drawn["part"] == "test")
    ]
    expected = 100 * of_base["verdict"].eq("right").mean()
    assert float(whole["R2"]["base_accuracy"]) == pytest.approx(expected)
    assert all(row["validation"] for row in tables["stops"])
    notes = (sampled.path / "results/micro/tables/stops.md").read_text()
    assert "Along the run, on 6 validation questions at 10: loss" in notes
