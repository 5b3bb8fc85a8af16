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
