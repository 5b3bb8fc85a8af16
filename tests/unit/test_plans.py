"""The plan of the analysis: hashed alike by claims and history, and a later change is told."""

import dataclasses
import doctest
from pathlib import Path

import pytest
import yaml

from distil.audit import plans
from distil.audit.records import Records
from distil.claims import plan
from distil.claims.plan import AnalysisPlan
from distil.lineage.history import Chain
from distil.study.shape import ReleaseStudy, open_study

CONFIG = yaml.safe_load(Path("config.micro.yaml").read_text(encoding="utf-8"))


def run(record, sha256, minute):
    return {"record": record, "plan_sha256": sha256, "started": f"2026-01-01T00:{minute:02d}:00"}


def test_the_plan_of_a_study_file_is_that_of_its_claims_table():
    study = open_study(CONFIG)
    assert AnalysisPlan.read(study.claims()).sha256() == study.plan_sha256


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("claims", "alpha", 0.01),
        ("claims", "margin", 3.0),
        ("claims", "speed_section", None),
        ("predictions", "stops", ["horizon"]),
        ("predictions", "levels", ["R1"]),
        ("exams", "sections", {"tp": "Speed"}),
    ],
)
def test_a_changed_setting_changes_the_plan(part, key, value):
    changed = open_study({**CONFIG, part: {**CONFIG[part], key: value}})
    assert changed.plan_sha256 != open_study(CONFIG).plan_sha256
    assert AnalysisPlan.read(changed.claims()).sha256() == changed.plan_sha256


def test_the_example_of_a_plan_runs():
    assert doctest.testmod(plan).failed == 0


def test_every_setting_of_the_claims_enters_the_plan():
    fields = {field.name for field in dataclasses.fields(AnalysisPlan)}
    assert set(CONFIG["claims"]) <= fields


def test_the_release_makes_no_answers_and_has_no_such_plan():
    assert ReleaseStudy.plan_sha256.fget(None) is None


def chain_of(records):
    return Chain(("c" * 64,), len(records.history), None)


def test_a_plan_changed_after_the_answers_is_told():
    answers = [run(f"predict_answers/run={name}.json", "a" * 64, 1) for name in ("base", "seed-1")]
    kept = Records("micro", Path("results/micro"))
    kept.history = [*answers, run("judge_claims/job.json", "a" * 64, 2)]
    lines, code = plans.check_analysis_plan(kept, chain_of(kept))
    assert code == 0
    assert "all 2 jobs" in lines[-1]
    kept.history.append(run("judge_claims/job.json", "b" * 64, 3))
    lines, code = plans.check_analysis_plan(kept, chain_of(kept))
    assert code == 1
    assert "2 of 2" in lines[-1]
    assert len(lines) == 4
    # One of them made again under the new plan: the other is still named.
    kept.history.append(run("predict_answers/run=base.json", "b" * 64, 4))
    assert "1 of 2" in plans.check_analysis_plan(kept, chain_of(kept))[0][-1]
    assert "seed-1" in plans.check_analysis_plan(kept, chain_of(kept))[0][-1]


def test_a_history_from_before_plans_were_kept_is_no_proof():
    old = Records("micro", Path("results/micro"))
    old.history = [{"record": "judge_claims/job.json", "started": "2026-01-01T00:00:00"}]
    lines, code = plans.check_analysis_plan(old, chain_of(old))
    assert code == 2
    assert "no plan recorded: 1 jobs" in lines[0]
