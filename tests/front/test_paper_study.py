"""The paper study by stages: what each target asks for, what can be dropped, what it will take."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from tests.workflow import dry_runs
from tests.workflow.checkout import copy_repository

PAPER, FOLDS, LEVELS = "config.paper.yaml", "config.paper-folds.yaml", "config.paper-levels.yaml"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A checkout that has nothing from outside."""
    return copy_repository(tmp_path_factory.mktemp("paper") / "repository")


def plan(checkout, target, *files, values=()):
    """Count the jobs of a target by rule; {} and what was said where there is no plan."""
    command = ["--cores", "1", "-n", "--quiet", "rules", "--configfile", *files]
    command += ["--config", *values] if values else []
    environment = {**os.environ, "DISTIL_TERMINAL": "snakemake"}
    code, out, err = dry_runs.run([*command, "--", target], checkout.path, environment)
    text = out + err
    assert bool(code) == ("Exception" in text or "ConfigError" in text), text
    return {} if code else dict(re.findall(r"^(\w+) +(\d+)$", text, re.M)), text


def distil(checkout, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "distil", *arguments],
        cwd=checkout.path, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(checkout.path)},
    )  # fmt: skip


def test_each_stage_holds_what_the_one_before_it_holds_and_nothing_is_paid_before_a_look(checkout):
    problems, said = plan(checkout, "problems", PAPER)
    assert {"correct_problems", "review_problems", "tabulate_problems"} <= problems.keys()
    assert not {"solve_problems", "train_adapter"} & problems.keys()
    assert "distil check paper lists them" in said, "what is missing is counted"
    traces, _ = plan(checkout, "traces", PAPER)
    assert "verify_traces" in traces
    assert not {"train_adapter", "predict_answers"} & traces.keys()
    primary, _ = plan(checkout, "primary", PAPER)
    assert (primary["train_adapter"], primary["judge_claims"]) == ("12", "1")
    folds, _ = plan(checkout, "folds", PAPER, FOLDS)
    assert (folds["train_adapter"], folds["judge_claims"]) == ("42", "1")
    levels, _ = plan(checkout, "levels", PAPER, LEVELS)
    assert levels["train_adapter"] == "84"


def test_a_stage_that_the_study_file_does_not_ask_for_says_which_file_does(checkout):
    for target, file in (("folds", FOLDS), ("levels", LEVELS)):
        jobs, said = plan(checkout, target, PAPER)
        assert not jobs
        assert file in said


@pytest.mark.parametrize(
    ("files", "values", "trained"),
    [
        ([PAPER], ['folds={"released": null}'], "6"),
        ([PAPER, FOLDS], ['folds={"year5": null, "released": null}'], "30"),
        ([PAPER, LEVELS], ['adapters={"protocols": [prompt]}'], "12"),
        (
            [PAPER, LEVELS],
            ["levels=[R1, R6]", 'predictions={"levels": [R1, R6]}', 'folds={"released": null}'],
            "18",
        ),
    ],
)
def test_a_fold_a_level_and_a_protocol_are_dropped_by_an_override(checkout, files, values, trained):
    jobs, said = plan(checkout, "primary", *files, values=values)
    assert jobs.get("train_adapter") == trained, said


def test_a_study_without_the_adapters_of_its_claims_is_refused_before_any_job(checkout):
    jobs, said = plan(checkout, "primary", PAPER, values=['adapters={"protocols": [published]}'])
    assert not jobs
    assert "adapters.protocols: lacks prompt, whose adapters the claims are read from; add" in said


def test_a_file_of_ids_that_cannot_be_a_fold_is_refused_by_name(checkout):
    path = checkout.path / "resources/broken.csv"
    path.write_text("id,part\n2011-fs-01,train\n2011-fs-01,test\n", encoding="utf-8")
    values = ['folds={"released": {"file": "resources/broken.csv"}}']
    jobs, said = plan(checkout, "primary", PAPER, values=values)
    assert not jobs
    assert "resources/broken.csv:3: id: 2011-fs-01 stands twice" in said


def test_the_estimate_counts_the_plans_before_anything_is_there(checkout):
    told = distil(checkout, "estimate", "paper")
    assert told.returncode == 0, told.stderr
    assert "12 runs of 1,000 iterations: 12,000 steps" in told.stdout
    # 12 trainings on 8 GPUs are two rounds; on 4 they are three.
    hours = float(re.search(r"([\d.]+) hours = \(12,000", told.stdout)[1])
    clock = [float(n) for n in re.findall(r"([\d.]+) on [248]\b", told.stdout)]
    assert clock[:3] == pytest.approx([hours / 2, hours / 4, hours / 6], abs=0.1)
    # The answers of one run are not shared out.
    assert clock[3] > 128.9 / 2
    assert "the 651 of resources/jobmc/published.csv" in told.stdout
    assert "snakemake --cores 1 --configfile config.paper.yaml -- problems" in told.stdout
    more = distil(checkout, "estimate", "paper", "--configfile", PAPER, "--configfile", FOLDS)
    assert "42 runs of 1,000 iterations" in more.stdout
    rows = [int(n.replace(",", "")) for n in re.findall(r"at most ([\d,]+) training", told.stdout)]
    assert rows == [378 * 6, 514 * 6], "problems of the years, and of the released split"
    wrong = distil(checkout, "estimate", "paper", "--configfile", "config.micro.yaml")
    assert "is of the study micro, not of paper" in wrong.stderr


def test_the_device_is_measured_on_the_studys_model_and_the_estimate_takes_its_speed(checkout):
    config = yaml.safe_load((checkout.path / "config.micro.yaml").read_text(encoding="utf-8"))
    config |= {"study": "measured", "benchmarks": ["competition", "math500"]}
    lines = [json.dumps({"problem": f"What is {n} plus 5?", "answer": "6"}) for n in range(9)]
    (checkout.path / "math.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    # Any file beside the weights is locked, and read again by no job while it stays as it is.
    shutil.copytree(checkout.path / "resources/student", checkout.path / "resources/large")
    (checkout.path / "resources/large/more.bin").write_bytes(bytes(11 * 10**6))
    assert not distil(checkout, "lock", "resources/large").returncode
    config["student"]["model"] = "resources/large"
    config["benchmark_files"] = {"math500": {"file": "math.jsonl", "sha256": "0" * 64}}
    path = checkout.path / "config.measured.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    before = distil(checkout, "estimate", "micro").stdout
    assert "not there; the teacher's requests are counted" in before
    told = distil(checkout, "check", "measured", "--device")
    assert "5 steps and 8 answers" in told.stdout, told.stderr
    assert "is 000" not in told.stderr
    speed = json.loads((checkout.path / "state/measured/speed.json").read_text(encoding="utf-8"))
    assert speed["step_seconds"] > 0
    assert speed["tokens_a_second"] > 0
    assert f"{speed['tokens_a_second']:.1f} tokens/s" in told.stdout
    known = (checkout.path / ".snakemake/distil-large-files.json").read_text(encoding="utf-8")
    assert [Path(name).name for name in json.loads(known)] == ["more.bin"]


def test_a_fold_of_ids_that_cuts_through_years_is_run_to_its_claims(study):
    """As the paper study's fold `released`, with adapters trained as published; on the micro study."""
    path = study.path / "results/micro/datasets/temporal/prompt/parts.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        places = {row["problem"]: row["part"] for row in csv.DictReader(stream)}
    left = [next(name for name, part in places.items() if part == "train")]
    places[next(name for name, part in places.items() if part == "test")] = "train"
    lines = [f"{name},{part}" for name, part in places.items() if name not in left]
    split = study.path / "resources/split.csv"
    split.write_text("\n".join(["id,part", *lines]) + "\n", encoding="utf-8")
    study.edit("config.micro.yaml", "folds:", "folds:\n  drawn: {file: resources/split.csv}")
    study.edit("config.micro.yaml", "protocols: [prompt]", "protocols: [prompt, published]")
    study.edit("config.micro.yaml", "  batch_size: 8\n  learning", "  batch_size: 4\n  learning")
    # As little as there can be to answer.
    study.edit("config.micro.yaml", "  stops: [nested, horizon, pilot, seed]", "  stops: [nested]")
    study.edit("config.micro.yaml", "  levels: [R1, R2, R3, R4, R5, R6]\n", "  levels: [R1, R6]\n")
    study.snakemake()
    told = (study.path / "results/micro/tables/splits.md").read_text(encoding="utf-8")
    assert re.search(rf"\| unused \| {len(left)} \|.*\| {left[0][:4]} \|\n", told)
    with (study.path / "results/micro/claims/claims.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    gain = next(row for row in rows if (row["id"], row["estimand"]) == ("C4", "held_out"))
    with (study.path / "results/micro/tables/multiverse.csv").open(encoding="utf-8") as stream:
        primary = [row for row in csv.DictReader(stream) if row["primary"] == "True"]
    assert [float(row["gain"]) for row in primary] == [pytest.approx(float(gain["here"]))]
    curves = pq.read_table(study.path / "results/micro/claims/rows.parquet").to_pylist()
    read = {row["row"] for row in curves if row["claim"] == "C6"}
    assert {name.split("/")[1:3] == ["drawn", "published"] for name in read} == {True}
    done = distil(study, "verify", "--study", "micro")
    assert done.stdout.endswith("ok\n"), done.stdout
    # What a fold left behind that the study file no longer names is told as such.
    study.edit("config.micro.yaml", "\n  drawn: {file: resources/split.csv}", "")
    done = distil(study, "verify", "--study", "micro")
    assert "call for split_datasets(fold=drawn, variant=prompt)" in done.stdout, done.stderr
    assert not done.stderr
