"""What a study file can ask of the student: a server, drawn answers, caps, validation accuracy."""

from __future__ import annotations

import csv
import json
import subprocess
import sys

import pytest
import yaml
from pyarrow import parquet

from distil.report.page import shards
from distil.student.examination import served_name
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
def test_drawn_answers_caps_and_validation_questions_reach_the_tables(study):
    asked = {
        "stops": ["nested"],
        "caps": [24],
        "validation_problems": 6,
        "sampling": {"samples": 2, "temperature": 0.7, "top_p": 0.95, "seed": 3},
    }
    (study.path / "drawn.yaml").write_text(yaml.safe_dump({"predictions": asked}))
    study.snakemake(
        "drawn.yaml", "--", "results/micro/tables/levels.csv", "results/micro/index.html"
    )
    answers = parquet.read_table(study.path / "results/micro/grades/answers.parquet").to_pandas()
    drawn = answers[answers["role"] != "teacher"]
    keys = ["fold", "run", "problem", "level", "iteration"]
    assert (drawn.groupby(keys, dropna=False)["sample"].nunique() == 2).all()
    page = shards.decode((study.path / "results/micro/page/study.js").read_bytes())
    samples = [one["sample"] for one in page["columns"] if one["role"] != "teacher"]
    assert samples.count(0) == samples.count(1) == len(samples) / 2, (
        "each has its place on the page"
    )
    tables = {
        name: list(csv.DictReader((study.path / f"results/micro/tables/{name}.csv").open()))
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
    notes = (study.path / "results/micro/tables/stops.md").read_text()
    assert "Along the run, on 6 validation questions at 10: loss" in notes
