"""The judge: off by default; with one, exactly what rests on verdicts runs, and it is replayed."""

from __future__ import annotations

import pandas as pd
import yaml

from distil.audit import explain
from tests.workflow.checkout import ROOT

JUDGE = {"host": "simulated", "model": "sample-judge", "max_tokens": 20, "temperature": 0.0}
RULES_BELOW = {"judge_answers", "collect_answers", "judge_claims", "draw_figures", "build_page"}


def write(path, **teacher) -> str:
    config = yaml.safe_load((ROOT / "config.micro.yaml").read_text(encoding="utf-8"))
    config["grading"]["judge"] = JUDGE
    config["teacher"] |= teacher
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return str(path)


def test_a_judge_runs_exactly_what_rests_on_verdicts(finished, tmp_path):
    assert finished.planned(config=write(tmp_path / "judged.yaml")) == RULES_BELOW


def test_the_judges_verdicts_are_tabulated_explained_and_replayed(study, tmp_path, monkeypatch):
    tables = [f"results/micro/tables/{name}.csv" for name in ("disagreements", "graders")]
    ran = study.ran("--nocolor", *tables, config=write(tmp_path / "judged.yaml"))
    assert ran == RULES_BELOW - {"draw_figures", "build_page"}
    monkeypatch.chdir(study.path)
    agreement = pd.read_csv("results/micro/tables/agreement.csv")
    assert set(agreement["grader"]) == {"strict", "second", "judge"}
    assert "judge" in set(pd.read_csv(tables[1])["grading"])
    found = pd.read_csv(tables[0])
    chain = explain.Explainer("micro").explain(f"disagreements:{found['answer'][0]}")
    assert {stage.name for stage in chain.stages} >= {
        "graded answers", "judgements", "the judge's stored responses", "pages",
    }  # fmt: skip
    path = study.path / "results/micro/grades/judge.parquet"
    before = path.read_bytes()
    path.unlink()
    replay = write(tmp_path / "replayed.yaml", mode="replay")
    study.ran("--nocolor", "results/micro/grades/judge.parquet", config=replay)
    assert path.read_bytes() == before
