"""Settings of the claims through the study file: missing answers, clusters and strata."""

from __future__ import annotations

import pandas as pd

CLAIMS = "results/micro/claims/claims.csv"


def claims(study) -> pd.DataFrame:
    return pd.read_csv(study.path / CLAIMS).set_index(["id", "estimand"])


def test_lost_answers_stop_the_claims_until_the_study_file_says_to_do_without(study):
    before = claims(study).loc[("C4", "held_out")]
    path = study.path / "results" / "micro" / "grades" / "answers.parquet"
    answers = pd.read_parquet(path)
    base = (answers["role"] == "base") & (answers["part"] == "test") & (answers["level"] == "R1")
    path.unlink()  # the file may be a hard link into the copied study
    answers.drop(index=answers[base].index[:2]).to_parquet(path, index=False)
    done = study.snakemake("--", CLAIMS, check=False)
    said = done.stdout + done.stderr
    assert done.returncode
    assert "answers for role=base estimand=in_sample level=R1 are missing" in said
    assert "claims.missing: pairs" in said
    study.edit("config.micro.yaml", "missing: refuse", "missing: pairs")
    # The claims are judged, and the run still says that the answers were altered by hand.
    done = study.snakemake("--", CLAIMS, check=False)
    said = done.stdout + done.stderr
    assert done.returncode
    assert "answers.parquet is not what collect_answers wrote" in said
    assert "so the claims are not printed" in said
    after = claims(study).loc[("C4", "held_out")]
    assert (after["missing"], after["n"]) == (2, before["n"] - 2)
    assert "2 of" in after["reason"]
    assert "lack an answer and are left out" in after["reason"]


def test_clusters_and_strata_of_the_study_file_decide_the_claims_alone(study):
    made = claims(study).loc["C4"]
    assert "by wording" in made.loc["held_out", "reason"]
    study.edit("config.micro.yaml", "clusters: template", "clusters: question")
    study.edit("config.micro.yaml", "strata: wording", "strata: null")
    assert study.ran("--", CLAIMS) == {"judge_claims"}
    after = claims(study).loc["C4"]
    assert (after["clusters"] == after["n"]).all()
    assert (after["here"] == made["here"]).all()
    # In the test year each question has a template of its own.
    assert made.loc["in_sample", "clusters"] < after.loc["in_sample", "clusters"]
    made, single = made.loc["held_out"], after.loc["held_out"]
    assert single["plan_sha256"] != made["plan_sha256"]
    multiverse = pd.read_csv(study.path / "results/micro/tables/multiverse.csv")
    [primary] = multiverse[multiverse["primary"]].to_dict("records")
    assert (primary["clusters"], primary["n"]) == ("question", single["n"])
