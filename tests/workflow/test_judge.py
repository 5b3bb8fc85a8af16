"""The judge: off by default; with one, exactly what rests on verdicts runs, and it is replayed."""

from __future__ import annotations

import pandas as pd
import pytest
import yaml

from distil.audit import explain, verify
from tests.workflow.checkout import ROOT

JUDGE = {"model": "sample-judge", "max_tokens": 20, "temperature": 0.0}
RULES_BELOW = {
    "judge_answers", "collect_answers", "test_claims", "compare_graders", "tabulate_graders",
    "tabulate_leakage", "tabulate_levels", "tabulate_seeds", "tabulate_stops", "plot_checkpoints",
    "plot_discordance", "plot_graders", "plot_sections", "plot_seeds", "plot_stops", "plot_words",
}  # fmt: skip


def write(path, **teacher) -> str:
    config = yaml.safe_load((ROOT / "config.micro.yaml").read_text(encoding="utf-8"))
    config["grading"]["judge"] = JUDGE
    config["teacher"] |= teacher
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return str(path)


@pytest.fixture
def judged(study, tmp_path):
    assert study.ran(config=write(tmp_path / "judged.yaml")) == RULES_BELOW
    return study


def test_a_judge_runs_what_rests_on_verdicts_and_its_answers_are_replayed(
    judged, tmp_path, monkeypatch
):
    monkeypatch.chdir(judged.path)
    assert verify.verify("micro") == []
    agreement = pd.read_csv("results/micro/tables/agreement.csv")
    assert set(agreement["grader"]) == {"strict", "second", "judge"}
    assert "judge" in set(pd.read_csv("results/micro/tables/graders.csv")["grading"])
    review = pd.read_csv("results/micro/tables/review.csv")
    stages = {
        stage.name
        for stage in explain.Explainer("micro").explain(f"review:{review['answer'][0]}").stages
    }
    assert stages >= {"graded answers", "judgements", "the judge's stored responses", "pages"}
    before = (judged.path / "results/micro/grades/judge.parquet").read_bytes()
    (judged.path / "results/micro/grades/judge.parquet").unlink()
    replay = write(tmp_path / "replayed.yaml", mode="replay")
    judged.ran("--nocolor", "results/micro/grades/judge.parquet", config=replay)
    assert (judged.path / "results/micro/grades/judge.parquet").read_bytes() == before
