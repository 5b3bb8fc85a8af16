"""The claims table on graded answers: right figures, honest verdicts, rows that recompute them."""

import dataclasses
import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import simulated_study as simulated
import yaml
from scipy import stats

from distil.claims import compare, gradings, selections, verdicts
from distil.claims.findings import EXPECTED, Entry, Finding
from distil.claims.formulas import (
    FORMULAS,
    base_accuracy,
    find,
    gain_over_base,
    level_slope,
    level_table,
    loss_rise,
    stop_worth,
    teacher_accuracy,
)
from distil.claims.plan import AnalysisPlan, digest_of
from distil.claims.table import (
    adjust,
    entries,
    judge_gradings,
    judge_study,
    read_published,
    readable,
    rows_sha256,
)
from distil.content.addresses import record_path
from distil.content.files import write_jsonl
from distil.inference.gains import paired_gain, wilson
from distil.inference.levels import holm
from distil.inference.power import gain_power
from distil.release import counts
from distil.report import controls, summaries, tables
from scripts import judge_claims

PUBLISHED = read_published("resources/published.yaml")
TABLES = (
    "claims", "levels", "seeds", "stops", "leakage", "graders", "multiverse", "agreement",
    "disagreements",
)  # fmt: skip

SIDES = (selections.student, selections.base)
FIVE_FOLDS = {
    f"fold-{index + 1}": {
        "train": [year for year in range(2011, 2016) if year not in (test, held)],
        "validation": [held],
        "test": [test],
    }
    for index, (test, held) in enumerate(
        zip(range(2011, 2016), (2012, 2013, 2014, 2015, 2011), strict=True)
    )
}


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return simulated.write(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def study(paths):
    return selections.read_study(
        paths["answers"], paths["stops"], simulated.SETTINGS, paths["curves"]
    )


@pytest.fixture(scope="module")
def judged(study):
    return judge_study(study, PUBLISHED)


def full(study):
    return dataclasses.replace(study, settings={**study.settings, "published": True})


def row(table, name, estimand):
    found = table[(table["id"] == name) & (table["estimand"] == estimand)]
    assert len(found) == 1
    return found.iloc[0]


# ------------------------------------------------------------------------------------- figures


def test_figures_are_those_of_plain_counting(study, judged):
    table = judged[0]
    answers = study.answers
    tested = answers[(answers["part"] == "test") & (answers["level"] == "R1")]
    base = tested[tested["role"] == "base"].set_index("problem")["verdict"] == "right"
    student = tested[(tested["role"] == "student") & (tested["iteration"] == 150)]
    by_seed = (student["verdict"] == "right").groupby(student["seed"]).mean()
    assert row(table, "C1", "held_out")["here"] == pytest.approx(100 * base.mean())
    assert row(table, "C3", "held_out")["here"] == pytest.approx(100 * by_seed.mean())
    assert row(table, "C3", "held_out")["sd"] == pytest.approx(100 * by_seed.std())
    gain = row(table, "C4", "held_out")
    assert gain["here"] == pytest.approx(100 * (by_seed.mean() - base.mean()))
    assert gain["n"] == len(base) == 108


def test_in_sample_covers_every_year_and_held_out_the_test_years_only(judged):
    table = judged[0]
    assert row(table, "C4", "in_sample")["n"] == 216
    assert row(table, "C4", "held_out")["n"] == 108


def test_year_folds_hold_every_question_out_once(tmp_path):
    paths = simulated.write(tmp_path, FIVE_FOLDS, questions=4)
    study = selections.read_study(paths["answers"], paths["stops"], simulated.SETTINGS)
    found = selections.student(study, "held_out")
    assert len(found.right) == 5 * 3 * 4
    assert found.right.index.is_unique
    years = {name.split("-")[0] for name in found.right.index}
    assert years == {"2011", "2012", "2013", "2014", "2015"}


def test_each_stop_reads_its_own_checkpoint(study):
    for stop, expected in (("pilot", {100}), ("nested", {150}), ("horizon", {250})):
        rows = selections.select(study, selections.Selection("student", "held_out", "R1", stop))
        assert set(rows["iteration"]) == expected
    own = selections.select(study, selections.Selection("student", "held_out", "R1", "seed"))
    chosen = own.groupby("seed")["iteration"].unique().map(list).to_dict()
    assert chosen == {1: [100], 2: [150], 3: [150], 4: [200], 5: [150]}


def without_base_answers(study, count=40):
    """The study with some base answers of the test years gone, all of them right ones."""
    table = study.answers
    base = (table["role"] == "base") & (table["level"] == "R1") & (table["part"] == "test")
    lost = table[base & (table["verdict"] == "right")].index[:count]
    return dataclasses.replace(study, answers=table.drop(index=lost)), count


def doing_without(study):
    return dataclasses.replace(study, settings={**study.settings, "missing": "pairs"})


def test_a_missing_answer_is_refused_with_its_remedy(study):
    fewer, count = without_base_answers(study)
    for table in (judge_study, judge_gradings):
        with pytest.raises(selections.IncompleteAnswersError) as refused:
            table(fewer, PUBLISHED)
        assert f"{count} of 216 answers for role=base estimand=in_sample" in str(refused.value)
        assert "claims.missing: pairs" in str(refused.value)


def test_lost_answers_are_no_evidence_but_bounds(study):
    before = gain_over_base(study, "held_out").estimate
    fewer, count = without_base_answers(study)
    found = gain_over_base(doing_without(fewer), "held_out")
    assert (found.missing, found.estimate.n) == (count, 108 - count)
    # Where the lost ones counted as wrong, the gain rose by 40 of 108 questions.
    worst, best = re.findall(r"difference were (\S+), for it (\S+?)(?:;|$)", found.sentence)[0]
    assert float(worst) == pytest.approx(100 * before.estimate, abs=0.01)
    assert float(best) == pytest.approx(100 * (before.estimate + count / 108), abs=0.01)
    line = row(judge_study(doing_without(fewer), PUBLISHED)[0], "C4", "held_out")
    assert line["missing"] == count
    assert "40 of 108 questions lack an answer" in line["reason"]


def ends_of(line):
    """Worst and best value of a row, as its reason tells them."""
    told = re.findall(
        r"gone against it the [a-z ]+ were (\S+), for it (\S+?)[;.](?: |$)", line["reason"]
    )
    assert len(told) == 1, line["reason"]
    return tuple(map(float, told[0]))


# What of a claim a missing answer goes against when it is right: by role, level and section.
AGAINST = {
    "C1": lambda _: False,
    "C2": lambda _: False,
    "C3": lambda _: False,
    "C5": lambda _: False,
    "C2b": lambda rows: rows["role"] == "base",
    "C4": lambda rows: rows["role"] == "base",
    "C5b": lambda rows: rows["role"] == "base",
    "C7": lambda rows: rows["level"].isin(["R4", "R5", "R6"]),
    "C8": lambda rows: (rows["level"] == "R6") == (rows["section"] == "tp"),
    "Q1": lambda rows: rows["iteration"] == 250,
    "Q2": lambda rows: rows["role"] == "base",
}  # fmt: skip


@pytest.mark.parametrize("name", AGAINST)
def test_every_claim_says_what_its_missing_answers_could_change(study, name):
    estimand = "transfer" if name in ("C5", "C5b") else "held_out"
    table = study.answers
    rng = np.random.default_rng(5)
    problems = np.array(sorted(table["problem"].unique()))
    lost = table["problem"].isin(rng.choice(problems, len(problems) // 3, replace=False))
    lost &= rng.random(len(table)) < 0.15
    against = lost & AGAINST[name](table)
    blank, worst, best = (
        dataclasses.replace(study, answers=table.assign(verdict=verdict))
        for verdict in (
            table["verdict"].mask(lost, None),
            table["verdict"].mask(lost, "wrong").mask(against, "right"),
            table["verdict"].mask(lost, "right").mask(against, "wrong"),
        )
    )
    line = row(judge_study(doing_without(blank), PUBLISHED)[0], name, estimand)
    assert 0 < line["missing"] < len(problems) / 3
    assert f"{line['missing']} of " in line["reason"]
    ends = [row(judge_study(one, PUBLISHED)[0], name, estimand)["here"] for one in (worst, best)]
    assert ends_of(line) == pytest.approx(ends, abs=0.0051)
    assert ends[0] <= row(judge_study(study, PUBLISHED)[0], name, estimand)["here"] <= ends[1]
    assert ends[0] < ends[1]


def test_each_level_says_what_its_missing_answers_could_change(study):
    fewer, _ = without_base_answers(study)
    assert "lack an answer" not in level_table(doing_without(fewer), "held_out").sentence
    table = study.answers
    lost = (table["role"] == "student") & (table["level"] == "R6") & (table["part"] == "test")
    lost &= (table["iteration"] == 150) & (table["problem"].str[-2:] == "01")
    blank = table.assign(verdict=table["verdict"].mask(lost, None))
    found = level_table(doing_without(dataclasses.replace(study, answers=blank)), "held_out")
    whole = selections.student(study, "held_out", level="R6").right.mean(axis=1)
    kept = whole[whole.index.str[-2:] != "01"].sum() / len(whole)
    assert found.missing == 9
    assert found.sentence.endswith(
        f"(9 of 108 questions lack an answer: {100 * kept:.1f} to {100 * (kept + 9 / 108):.1f} %)"
    )


def test_base_verdicts_that_are_all_null_give_no_gain(study):
    base = study.answers["role"] == "base"
    blank = dataclasses.replace(
        study, answers=study.answers.assign(verdict=study.answers["verdict"].mask(base))
    )
    with pytest.raises(selections.IncompleteAnswersError):
        judge_study(blank, PUBLISHED)
    line = row(judge_study(doing_without(blank), PUBLISHED)[0], "C4", "held_out")
    assert (line["direction"], line["here"]) == ("not tested", None)


def test_lost_answers_of_one_seed_leave_the_pairs(study):
    table = study.answers
    one = (table["role"] == "student") & (table["seed"] == 1) & (table["part"] == "test")
    one &= (table["level"] == "R1") & (table["iteration"] == 150) & (table["verdict"] == "right")
    fewer = dataclasses.replace(study, answers=table.drop(index=table[one].index[:53]))
    found = stop_worth(doing_without(fewer), "held_out")
    assert found.missing == 53
    # The horizon's answers to those questions are left out as well, so nothing seems lost.
    assert abs(found.estimate.estimate) < 0.05
    assert found.estimate.p > 0.05


def test_a_null_verdict_is_missing_and_an_empty_answer_wrong(study):
    blank = study.answers.assign(
        verdict=study.answers["verdict"].where(study.answers["seed"].fillna(0) != 1)
    )
    with pytest.raises(selections.IncompleteAnswersError):
        selections.student(dataclasses.replace(study, answers=blank), "held_out")
    empty = study.answers.assign(
        verdict=study.answers["verdict"].where(study.answers["seed"].fillna(0) != 1, "wrong")
    )
    found = selections.student(dataclasses.replace(study, answers=empty), "held_out")
    assert found.right[1].sum() == 0


def test_unknown_is_not_right_and_bounds_the_gain(study):
    worst, primary, best = (
        gain_over_base(gradings.regraded(study, name), "held_out").estimate.estimate
        for name in ("worst", "primary", "best")
    )
    assert worst < primary < best


def test_levels_not_asked_on_a_year_are_missing_not_wrong(study):
    with pytest.raises(selections.MissingAnswersError, match="was not asked in 2011"):
        level_slope(study, "in_sample")


def test_a_seed_without_its_checkpoint_is_named(study):
    table = study.answers
    kept = table[~((table["seed"] == 3) & (table["iteration"] == 150))]
    with pytest.raises(selections.MissingAnswersError, match="seed 3"):
        selections.student(dataclasses.replace(study, answers=kept), "held_out")


def test_two_answers_to_one_question_are_refused(study):
    table = study.answers
    copy = table[(table["role"] == "base") & (table["part"] == "test")].head(1)
    doubled = pd.concat([table, copy.assign(row="again")], ignore_index=True)
    with pytest.raises(ValueError, match="two answers"):
        base_accuracy(dataclasses.replace(study, answers=doubled), "held_out")


def test_clusters_of_questions_widen_the_interval(study):
    table = study.answers
    # Questions of one section and year become one cluster: 9 instead of 108.
    merged = table.assign(cluster=table["year"].astype(str) + table["section"].astype(str))
    plain = gain_over_base(study, "held_out").estimate
    grouped = gain_over_base(dataclasses.replace(study, answers=merged), "held_out").estimate
    assert grouped.estimate == pytest.approx(plain.estimate)
    assert (plain.clusters, grouped.clusters) == (108, 9)


# -------------------------------------------------------------------------------------- lineage


def test_every_number_is_recomputed_from_its_listed_rows_alone(study, judged):
    table, rows = judged
    checked = 0
    for entry in entries(PUBLISHED, sample=True):
        line = row(table, entry.claim["id"], entry.estimand)
        if line["here"] is None:
            continue
        listed = rows[(rows["claim"] == entry.claim["id"]) & (rows["estimand"] == entry.estimand)]
        ids = set(listed.loc[listed["column"] == "here", "row"])
        assert rows_sha256(sorted(ids)) == line["rows_sha256"]
        assert len(ids) == line["rows"]
        if entry.estimand == "validation":
            assert all(one.startswith("curve/temporal/prompt/seed-") for one in ids)
            continue
        few = dataclasses.replace(study, answers=study.answers[study.answers["row"].isin(ids)])
        found = find(entry, few)
        assert found.scale * found.estimate.estimate == pytest.approx(line["here"])
        assert found.estimate.low * found.scale == pytest.approx(line["low"])
        if line["p"] not in (None, 1.0) and "non-inf" not in line["test"]:
            assert found.estimate.p == pytest.approx(line["p"])
        checked += 1
    assert checked >= 14


def test_each_rows_formula_is_a_function_of_that_name(judged):
    for _, line in judged[0].iterrows():
        assert FORMULAS[line["formula"]].__name__ == line["formula"]


def test_the_plan_hash_changes_with_margin_alpha_and_stop():
    hashes = {
        AnalysisPlan.read({**simulated.SETTINGS, **change}).sha256()
        for change in (
            {},
            {"margin": 3.0},
            {"alpha": 0.1},
            {"primary_stop": "pilot"},
            {"speed_section": None},
        )
    }
    assert len(hashes) == 5


# ------------------------------------------------------------------------------------- verdicts


def test_the_sample_study_has_directions_and_no_published_figures(judged):
    table = judged[0]
    assert table["published"].isna().all()
    assert table["published_sd"].isna().all()
    assert set(table["direction"].dropna()) <= {"holds", "contradicted", "open", "not tested"}
    assert table["size"].isna().all()
    assert "published" not in readable(table).columns
    for text in ("64.67", "69.43", "91.4", "73.1", "4.76"):
        assert text not in tables.as_csv(table)


def test_a_planted_gain_is_found_and_its_absence_is_not(tmp_path):
    words = {}
    for gain in (0.3, 0.0, -0.3):
        folder = tmp_path / str(gain)
        folder.mkdir()
        paths = simulated.write(folder, gain=gain, questions=10)
        study = selections.read_study(paths["answers"], paths["stops"], simulated.SETTINGS)
        table, _ = judge_study(study, PUBLISHED)
        words[gain] = row(table, "C4", "held_out")["direction"]
        assert row(table, "C7", "held_out")["direction"] == "holds"
    assert words == {0.3: "holds", 0.0: "open", -0.3: "contradicted"}


PLAN = AnalysisPlan.read({**simulated.SETTINGS, "published": True})


def entry(expected="above_zero", published=None, kind="effect"):
    claim = {
        "id": "C4", "kind": kind, "unit": "points", "expected": expected,
        "estimands": {"in_sample": published, "held_out": None},
    }  # fmt: skip
    return Entry(claim, "in_sample", published or {})


def decide(gain, n, *, p_holm=None, spread=1.0, expected="above_zero", family=1):
    """Direction of a paired gain on n questions with discordance `spread`."""
    won, lost = (round(n * (spread + sign * gain) / 2) for sign in (1, -1))
    found = paired_gain(np.repeat([1.0, -1.0, 0.0], [won, lost, n - won - lost]))
    tested = verdicts.examine(entry(expected), Finding(found, ["a"], ""), PLAN)
    return verdicts.direction(tested, tested.p if p_holm is None else p_holm, family, PLAN)


def test_direction_needs_sign_and_the_adjusted_p():
    assert decide(0.05, 2_000, spread=0.3).word == "holds"
    assert decide(0.05, 2_000, spread=0.3, p_holm=0.2).word == "open"
    assert decide(-0.05, 2_000, spread=0.3).word == "contradicted"
    # So adjusted as well: an opposite that is nominally significant is open in a large family.
    weak = decide(-0.05, 400, spread=0.2)
    assert weak.word == "contradicted"
    assert decide(-0.05, 400, spread=0.2, family=5).word == "open"
    unseen = decide(-0.01, 100, spread=0.6)
    assert unseen.word == "open"
    assert "80 % power only from" in unseen.reason


def test_a_loss_within_the_margin_is_not_below_zero():
    held = decide(-0.005, 40_000, spread=0.2, expected="not_below_zero")
    assert held.word == "holds"
    assert "margin 2.00; non-inferiority p < 0.001" in held.reason
    assert decide(-0.06, 5_000, spread=0.2, expected="not_below_zero").word == "contradicted"
    # The p of the claim itself, one-sided, and no tail of anything else.
    lost = paired_gain(np.repeat([1.0, -1.0, 0.0], [10, 22, 168]))
    tested = verdicts.examine(entry("not_below_zero"), Finding(lost, ["a"], ""), PLAN)
    expected = stats.t.sf((lost.estimate + 0.02) / lost.se, lost.df)
    assert tested.p == pytest.approx(expected)
    assert tested.p > 0.5


def exactly_unchanged(questions=500, seeds=5):
    """Differences whose mean is 0: a question gained for each that is lost, in single seeds."""
    differences = np.zeros((questions, seeds))
    turned = np.arange(questions // 10)
    differences[turned, turned % seeds] = np.where(turned % 2, 1.0, -1.0)
    return differences


def test_no_change_at_all_is_tested_for_loss_as_any_other():
    differences = exactly_unchanged()
    found = paired_gain(differences)
    assert (found.estimate, found.p, found.testable) == (0.0, 1.0, True)
    tested = verdicts.examine(entry("not_below_zero"), Finding(found, ["a"], ""), PLAN)
    assert tested.p == pytest.approx(stats.t.sf(0.02 / found.se, found.df))
    assert tested.opposite == pytest.approx(1 - tested.p)
    decided = verdicts.direction(tested, tested.p, 1, PLAN)
    assert decided.word == "holds"
    assert "non-inferiority p < 0.001" in decided.reason
    # A change of next to nothing has next to the same p.
    differences[499, 0] = -1.0
    near = Finding(paired_gain(differences), ["a"], "")
    assert verdicts.examine(entry("not_below_zero"), near, PLAN).p < 1e-5


def test_too_few_clusters_test_nothing_whatever_the_estimate():
    for differences in ([1.0, -1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]):
        found = paired_gain(differences)
        assert not found.testable
        tested = verdicts.examine(entry("not_below_zero"), Finding(found, ["a"], ""), PLAN)
        assert (tested.p, tested.opposite) == (1.0, 1.0)
        assert verdicts.direction(tested, 1.0, 1, PLAN).word == "open"


def test_a_p_of_one_outside_the_family_is_told_where_it_is_that_of_a_test():
    for found, told in (
        (paired_gain(exactly_unchanged()), True),
        (paired_gain([1.0, -1.0, 0.0, 0.0]), False),
    ):
        tested = verdicts.examine(entry(None), Finding(found, ["a"], ""), PLAN)
        reason = verdicts.direction(tested, None, 1, PLAN).reason
        assert ("p = 1.000, outside the confirmatory family" in reason) == told


def sized(here, *, sd=0.008, published=None, n=651, runs=5, estimand="in_sample"):
    """Size of an accuracy against a published one, both means of five runs unless said."""
    published = published or {"value": 69.43, "sd": 0.17, "seeds": 5, "total": 651}
    found = replace(wilson(round(here * n), n), estimate=here)
    claim = {"id": "C3", "kind": "accuracy", "unit": "percent", "expected": None,
             "estimands": {"in_sample": published, "held_out": None}}  # fmt: skip
    entry = Entry(claim, estimand, published if estimand == "in_sample" else {})
    tested = verdicts.Tested(entry, Finding(found, ["a"], "", sd=sd, runs=runs))
    return verdicts.size(tested, PLAN)


def test_size_is_judged_on_runs_of_the_same_questions():
    same = sized(452 / 651)
    assert same.word == "same"
    assert -2 < same.low < 0 < same.high < 2
    assert "what the seeds share" in same.reason
    assert sized(0.64).word == "differs"
    assert sized(0.71).word == "open"
    # Two standard errors by hand, with Welch's degrees of freedom.
    here, there = 0.8**2 / 5, 0.17**2 / 4
    df = (here + there) ** 2 / (here**2 / 4 + there**2 / 4)
    half = stats.t.ppf(0.95, df) * np.sqrt(here + there)
    assert (same.high - same.low) / 2 == pytest.approx(half)


def test_size_of_other_kinds_is_never_called_same():
    single = sized(0.70, sd=None, runs=1)
    assert single.word == "stated"
    assert "+0.57 points" in single.reason
    assert "4 of 651 answers" in single.reason
    assert sized(0.70, published={"value": 69.43, "total": 651}).word == "stated"
    assert sized(0.70, estimand="held_out").word == "not comparable"
    assert "not quite the same, 640 here and 651" in sized(0.70, n=640).reason
    claim = {"id": "C8", "kind": "effect", "unit": "points", "expected": None,
             "estimands": {"held_out": None}}  # fmt: skip
    finding = Finding(paired_gain([0.0, 1.0, 0.0, -1.0]), ["a"], "")
    assert (
        verdicts.size(verdicts.Tested(Entry(claim, "held_out"), finding), PLAN).word == "no figure"
    )


def test_a_gate_bounds_the_p_behind_it():
    def effect(name, p):
        claim = {**next(one for one in PUBLISHED["claims"] if one["id"] == name)}
        finding = Finding(replace(wilson(5, 9), p=p, se=0.1), ["a"], "")
        return verdicts.Tested(Entry(claim, "held_out"), finding, p=p, opposite=1.0)

    rows = [effect("C4", 0.01), effect("C7", 0.3), effect("C8", 0.001)]
    assert adjust(rows, PUBLISHED) == pytest.approx({0: 0.02, 1: 0.3, 2: 0.3})
    # Without its gate tested, the claim behind it is not tested either.
    assert adjust([effect("C8", 0.001)], PUBLISHED) == {0: 1.0}


def test_the_plan_hash_covers_the_claims_and_their_family():
    claims = {name: value for name, value in PUBLISHED.items() if name != "claims"}
    fewer = {**PUBLISHED, "claims": [one for one in PUBLISHED["claims"] if one["id"] != "C5b"]}
    other = {**PUBLISHED, "family": {**claims["family"], "C4": ["in_sample"]}}
    digests = {digest_of(one) for one in (PUBLISHED, fewer, other)}
    assert len(digests) == 3
    hashes = {
        AnalysisPlan.read({**simulated.SETTINGS, "claims_sha256": digest}).sha256()
        for digest in digests
    }
    assert len(hashes) == 3


def test_claims_other_than_those_of_the_plan_are_refused(study):
    fewer = {**PUBLISHED, "claims": [one for one in PUBLISHED["claims"] if one["id"] != "C5b"],
             "family": {name: one for name, one in PUBLISHED["family"].items() if name != "C5b"}}  # fmt: skip
    with pytest.raises(ValueError, match="not those of the analysis plan"):
        judge_study(study, fewer)


def test_power_is_for_the_published_effect_never_for_the_observed_one(study):
    table, _ = judge_study(full(study), PUBLISHED)
    line = row(table, "C4", "held_out")
    finding = gain_over_base(full(study), "held_out").estimate
    assert line["power"] == pytest.approx(gain_power(0.0476, finding.se, finding.df))
    assert line["power"] != pytest.approx(
        gain_power(finding.estimate, finding.se, finding.df), abs=0.01
    )
    sample, _ = judge_study(study, PUBLISHED)
    assert sample["power"].isna().all()


def test_held_out_rows_carry_no_published_value(study):
    table, _ = judge_study(full(study), PUBLISHED)
    held = table[table["estimand"] == "held_out"]
    assert held["published"].isna().all()
    assert set(held["size"].dropna()) <= {"not comparable", "no figure"}
    assert row(table, "C4", "in_sample")["published"] == 4.76
    # 27.53 points over log2(220 / 31.2) doublings of the words.
    assert row(table, "C7", "in_sample")["published"] == pytest.approx(9.77, abs=0.005)


def test_holm_runs_over_the_declared_family_only(judged):
    table = judged[0]
    inside = table[table["p_holm"].notna()]
    assert set(zip(inside["id"], inside["estimand"], strict=True)) == {
        ("C2b", "held_out"), ("C4", "held_out"), ("C5b", "transfer"), ("C7", "held_out"),
        ("C8", "held_out"),
    }  # fmt: skip
    expected = holm(inside["p"].astype(float).tolist())
    found = inside["p_holm"].astype(float).to_numpy()
    assert found[:-1] == pytest.approx(expected[:-1])
    assert found[-1] == pytest.approx(max(expected[-1], found[-2]))


def test_estimate_interval_and_p_are_of_one_thing(judged):
    table = judged[0]
    for _, line in table[(table["kind"] == "effect") & table["p"].notna()].iterrows():
        if "non-inferiority" in line["test"] or line["unit"] == "loss" or line["p"] == 1.0:
            continue
        excluded = not line["low"] <= 0 <= line["high"]
        assert excluded == (line["p"] < 0.05), line["id"]
    assert table.loc[table["kind"] == "accuracy", "p"].isna().all()


def test_the_table_is_narrow_enough_and_says_n_and_clusters(study):
    for chosen in (study, full(study)):
        text = tables.as_markdown(readable(judge_study(chosen, PUBLISHED)[0]), "Claims")
        rows = [line for line in text.splitlines() if line.startswith("|")]
        assert max(map(len, rows)) <= 100
        assert 8 <= len(rows) - 2 <= 12
    merged = study.answers.assign(
        cluster=study.answers["year"].astype(str) + study.answers["section"].astype(str)
    )
    grouped = judge_study(dataclasses.replace(study, answers=merged), PUBLISHED)[0]
    line = row(grouped, "C4", "held_out")
    assert (line["n"], line["clusters"]) == (108, 9)
    shown = readable(grouped).set_index("question")
    assert shown.loc["C4 gain, held out", "n (clusters)"] == "108 (9)"


def test_several_samples_of_the_teacher_are_averaged(study):
    teacher = study.answers[study.answers["role"] == "teacher"]
    second = teacher.assign(row=teacher["row"] + ".s2", seed=1)
    second["verdict"] = "wrong"
    both = dataclasses.replace(study, answers=pd.concat([study.answers, second], ignore_index=True))
    once = teacher_accuracy(study, "held_out")
    found = teacher_accuracy(both, "held_out")
    assert found.estimate.estimate == pytest.approx(once.estimate.estimate / 2)
    assert (found.runs, found.estimate.n) == (2, once.estimate.n)
    short = dataclasses.replace(both, answers=both.answers.drop(index=both.answers.index[-1]))
    with pytest.raises(selections.IncompleteAnswersError, match="role=teacher"):
        teacher_accuracy(short, "in_sample")


def drawn_twice(study):
    """The same study where base and students drew two answers, the second wrong in every third."""
    rows = study.answers
    first = rows.assign(sample=np.where(rows["role"] == "teacher", np.nan, 0.0))
    second = first[first["role"] != "teacher"].assign(sample=1.0)
    second["row"] = second["row"] + ".s2"
    third = pd.factorize(second["problem"], sort=True)[0] % 3 == 0
    second["verdict"] = second["verdict"].mask(third, "wrong")
    both = pd.concat([first, second], ignore_index=True)
    return dataclasses.replace(study, answers=both.astype({"sample": "Int64"})), second


def test_drawn_answers_count_each_question_once_by_the_mean_over_its_samples(study):
    both, second = drawn_twice(study)
    once, found = (selections.student(one, "held_out") for one in (study, both))
    assert found.right.shape == once.right.shape
    chosen = second[
        (second["level"] == "R1") & (second["part"] == "test") & (second["iteration"] == 150)
        & (second["seed"] == 3)
    ].set_index("problem")["verdict"].eq("right")  # fmt: skip
    expected = (once.right[3] + chosen.reindex(once.right.index).astype(float)) / 2
    assert (found.right[3] == expected).all()
    assert len(found.rows) == 2 * len(once.rows)
    table = summaries.tabulate_seeds(both).set_index("row")
    assert set(table["n"].dropna()) == set(summaries.tabulate_seeds(study)["n"].dropna())
    seed = table.loc["seed 3"]
    assert "OLS" in seed["test"]
    assert seed["gain"] == pytest.approx(100 * (seed["gained"] - seed["lost"]) / seed["n"])
    dropped = both.answers.drop(index=both.answers.index[both.answers["row"] == found.rows[-1]])
    with pytest.raises(selections.IncompleteAnswersError, match="1 of"):
        selections.student(dataclasses.replace(both, answers=dropped), "held_out")
    with pytest.raises(ValueError, match="a question has two answers"):
        selections.student(
            dataclasses.replace(both, answers=both.answers.assign(sample=0)), "held_out"
        )
    # Every other table and reading of the claims takes such answers, too.
    assert len(judge_study(both, PUBLISHED)[0]) == len(judge_study(study, PUBLISHED)[0])


def test_answers_cut_at_a_cap_stand_below_the_levels_and_change_nothing_else(study, judged):
    rows = study.answers
    whole = rows[(rows["level"] == "R1") & (rows["part"] == "test") & (rows["role"] != "teacher")]
    cut = whole.assign(level="R1@9", row=whole["row"] + "@9", words=whole["words"] / 6)
    cut["verdict"] = cut["verdict"].mask(pd.factorize(cut["problem"])[0] % 2 == 0, "wrong")
    both = dataclasses.replace(study, answers=pd.concat([rows, cut], ignore_index=True))
    table, plain = summaries.tabulate_levels(both), summaries.tabulate_levels(study)
    pd.testing.assert_frame_equal(table.iloc[: len(plain)], plain)
    assert set(table.iloc[len(plain) :]["level"]) == {"R1@9"}
    (note,) = controls.cap_notes(both)
    assert re.match(r"R1@9 \(asked as R1, cut at 9 tokens, 9\.9 words\) minus R4 as asked", note)
    assert controls.cap_notes(study) == []
    pd.testing.assert_frame_equal(judge_study(both, PUBLISHED)[0], judged[0])


def test_the_gain_by_asked_length_is_the_slope_of_the_gains(study):
    (note,) = controls.length_notes(study)
    said = float(re.search(r"changes by ([+-]\d+\.\d) points", note)[1])
    pairs = [
        selections.paired(*(one(study, "held_out", level=level) for one in SIDES))
        for level in study.levels
    ]
    gains = [selections.differences(*pair).mean() for pair in pairs]
    words = np.log2([(one.words + two.words) / 2 for one, two in pairs])
    assert said == pytest.approx(100 * np.polyfit(words, gains, 1)[0], abs=0.05)
    alone = dataclasses.replace(study, settings={**study.settings, "levels": ["R1"]})
    assert controls.length_notes(alone) == []


def test_validation_accuracy_stands_beside_the_loss_at_every_checkpoint(study):
    steps = summaries.checkpoints(study)
    assert controls.validation_accuracy(study, steps).empty
    assert "validation" not in summaries.tabulate_stops(study)
    rows = study.answers
    asked = rows[
        (rows["role"] == "student") & (rows["part"] == "validation") & (rows["level"] == "R1")
    ]
    asked = asked[asked["problem"].isin(sorted(asked["problem"].unique())[:20])]
    some = asked[asked["iteration"] == 150]
    rows = rows.drop(index=asked.index)
    added = [
        some.assign(
            iteration=step, row=some["row"] + f".{step}",
            verdict=np.where(pd.factorize(some["problem"])[0] < step / 50, "right", "wrong"),
        )
        for step in steps
    ]  # fmt: skip
    both = dataclasses.replace(study, answers=pd.concat([rows, *added], ignore_index=True))
    found = controls.validation_accuracy(both, steps).set_index("iteration")
    assert found["n"].tolist() == [20] * len(steps)
    assert found.loc[250, "accuracy"] == pytest.approx(100 * 5 / 20)
    losses = study.curves[study.curves["seed"] != 100].groupby("iteration")["loss"].mean()
    assert found["loss"].tolist() == pytest.approx(losses[steps].tolist())
    table = summaries.tabulate_stops(both).set_index("stop")
    assert table.loc["horizon", "validation"] == pytest.approx(25.0)
    assert "250: loss" in controls.validation_notes(found.reset_index())[0]


def test_strata_that_a_study_declares_leave_the_variance(study):
    wording = study.answers["problem"].str[-1].astype(int) % 2
    shift = study.answers.assign(wording=np.where(wording == 0, "familiar", "unseen"))
    plain = gain_over_base(study, "held_out").estimate
    declared = dataclasses.replace(
        study, answers=shift, settings={**study.settings, "strata": "wording"}
    )
    found = gain_over_base(declared, "held_out")
    assert found.estimate.estimate == pytest.approx(plain.estimate)
    assert "by wording: familiar" in found.sentence
    with pytest.raises(ValueError, match="no column wording"):
        gain_over_base(dataclasses.replace(declared, answers=study.answers), "held_out")


def test_reasons_are_composed_from_the_figures(study, judged):
    before = row(judged[0], "C4", "held_out")["reason"]
    other = dataclasses.replace(study, settings={**study.settings, "primary_stop": "horizon"})
    after = row(judge_study(other, PUBLISHED)[0], "C4", "held_out")["reason"]
    assert before != after


def test_c6_rise_is_measured_from_a_minimum_chosen_on_other_runs(study):
    found = loss_rise(study, "validation")
    assert found.estimate.low > 0
    # Six of six runs, the pilot's among them: twice one half to the sixth.
    assert found.estimate.p == pytest.approx(2 / 2**6)
    assert "6 of 6 losses rise" in found.sentence
    # A loss that only falls has its minimum at the horizon, and no rise.
    falling = study.curves.assign(loss=1 / (1 + study.curves["iteration"]))
    flat = loss_rise(dataclasses.replace(study, curves=falling), "validation")
    assert flat.estimate.estimate == pytest.approx(0)
    assert flat.estimate.p == 1.0


def test_noise_alone_does_not_make_the_validation_loss_rise(study):
    rejected = 0
    for number in range(200):
        rng = np.random.default_rng(number)
        noise = study.curves.assign(loss=1 + rng.normal(0, 0.01, len(study.curves)))
        found = loss_rise(dataclasses.replace(study, curves=noise), "validation")
        rejected += found.estimate.p < 0.05 and found.estimate.estimate > 0
    assert rejected / 200 <= 0.07


def test_a_claim_without_its_field_is_refused_by_name(tmp_path):
    path = tmp_path / "published.yaml"
    path.write_text("claims:\n  - {id: C1, claim: x, formula: base_accuracy}\n", encoding="utf-8")
    with pytest.raises(ValueError, match="C1: no label"):
        read_published(path)
    for wrong, said in (
        ({"family": {"C99": ["held_out"]}}, "C99"),
        ({"gates": {"C8": "C1"}}, "C8"),
    ):
        path.write_text(yaml.safe_dump({**PUBLISHED, **wrong}), encoding="utf-8")
        with pytest.raises(ValueError, match=said):
            read_published(path)


def test_published_figures_name_formulas_that_exist():
    for claim in PUBLISHED["claims"]:
        assert claim["formula"] in FORMULAS
        assert claim["counts"] is None or claim["counts"] in counts.FORMULAS
        assert set(claim["sample"]) <= set(claim["estimands"])
        assert claim["expected"] in (None, *EXPECTED)


# -------------------------------------------------------------------------------------- scripts


ACCOUNTED = """problem,fate,reason,published
a,taken,,yes
b,excluded,no key,yes
c,not found,not found,yes
d,not found,placeholder,no
"""


def judge(paths, folder):
    """Run the job into a folder and return what it wrote."""
    folder.mkdir()
    kinds = ("csv", "md", "html", "rows.parquet")
    files = {name: [str(folder / f"{name}.{kind}") for kind in kinds] for name in TABLES}
    files["claims"].append(str(folder / "claims.tex"))
    answers = selections.read_answers(paths["answers"])
    problems = sorted(set(answers["problem"]))
    write_jsonl(folder / "problems", [{"id": name, "answer": "7"} for name in problems])
    runs = answers["row"].str.partition("#")
    grades = {}
    for name, found in runs.groupby(0):
        grades[name] = folder / f"grades-{len(grades)}"
        ids = found[2].drop_duplicates()
        pd.DataFrame({"id": ids, "extracted": "7", "rule": "x", "reason": "y"}).to_parquet(
            grades[name]
        )
    accounted = folder / "accounted"
    accounted.write_text(ACCOUNTED)
    judge_claims.main(
        input=SimpleNamespace(
            **paths, published="resources/published.yaml", grades=list(grades.values()),
            problems=[folder / "problems"], benchmarks=[], accounted=accounted,
        ),
        output=SimpleNamespace(**files),
        params=SimpleNamespace(**simulated.SETTINGS, runs=list(grades)),
    )  # fmt: skip
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.*"))}


@pytest.fixture(scope="module")
def written(paths, tmp_path_factory):
    return judge(paths, tmp_path_factory.mktemp("judged") / "first")


def test_the_job_writes_the_same_bytes_twice(paths, written, tmp_path):
    assert judge(paths, tmp_path / "second") == written
    for name in TABLES:
        assert {f"{name}.csv", f"{name}.md", f"{name}.html", f"{name}.rows.parquet"} <= set(written)
        assert b"Simulated study" in written[f"{name}.md"]
        assert b"nan" not in written[f"{name}.csv"].lower()


def test_what_n_leaves_out_stands_in_the_table(written):
    text = written["claims.md"].decode()
    assert " of the published 3" in text, "beside n, in sample"
    assert "1 of the published 3 are in the study (others: 1 no key, 1 not found)" in text
    assert "Problems without a key: 1. They are excluded" in text


def test_the_reviews_questions_are_answered_below_with_a_link(written):
    lines = written["claims.md"].decode().splitlines()
    for name, table in (("Q1", "stops"), ("Q2", "seeds"), ("Q3", "splits"), ("Q4", "levels")):
        line = next(one for one in lines if one.startswith(f"- {name} "))
        assert f"(tables/{table}.md)" in line
    assert not any(line.startswith("| Q3") for line in lines)


def test_order_of_the_answers_does_not_change_the_claims(study, judged, tmp_path):
    shuffled = study.answers.sample(frac=1, random_state=1)
    path = tmp_path / "shuffled.parquet"
    shuffled.to_parquet(path)
    again = dataclasses.replace(study, answers=selections.read_answers(path))
    assert tables.as_csv(judge_study(again, PUBLISHED)[0]) == tables.as_csv(judged[0])


def test_stops_table_shows_every_stop_and_what_it_is_worth(study):
    table = summaries.tabulate_stops(study).set_index("stop")
    assert list(table.index) == [
        "pilot", "seed", "nested", "patience", "one_se", "horizon", "best",
    ]  # fmt: skip
    assert table.loc["nested", "primary"]
    assert table.loc["best", "accuracy"] >= table["accuracy"].drop("best").max()
    worth = table.loc["nested", "gain"] - table.loc["horizon", "gain"]
    assert table.loc["nested", "worth"] == pytest.approx(worth)


def test_levels_table_has_words_accuracy_and_n_for_each_section(study):
    table = summaries.tabulate_levels(study)
    assert len(table) == 6 * 4
    assert (table.groupby("level")["n"].apply(list).map(lambda n: n[0] == sum(n[1:]))).all()
    whole = table[table["section"] == "all"]
    assert whole["student_words"].is_monotonic_decreasing


def test_any_two_variants_compare_by_name(study):
    found = compare.compare(
        study,
        "role=student estimand=held_out level=R1 stop=nested",
        "role=student estimand=held_out level=R6 stop=nested",
    )
    longest, shortest = (selections.student(study, "held_out", level=one) for one in ("R1", "R6"))
    assert found.estimate == pytest.approx((longest.right - shortest.right).to_numpy().mean())
    with pytest.raises(ValueError, match="key=value"):
        compare.compare(study, "student", "base")


def test_a_finished_study_is_compared_from_the_command_line(paths, tmp_path, monkeypatch, capsys):
    study = tmp_path / "results" / "unit"
    (study / "grades").mkdir(parents=True)
    (study / "grades" / "answers.parquet").write_bytes(Path(paths["answers"]).read_bytes())
    record = tmp_path / record_path("unit", "judge_claims", {"study": "unit"})
    record.parent.mkdir(parents=True)
    stops = [{"name": "stops", "path": str(path)} for path in paths["stops"]]
    record.write_text(json.dumps({"input": stops, "params": simulated.SETTINGS}))
    monkeypatch.chdir(tmp_path)
    first, second = (f"role={one} estimand=held_out level=R1" for one in ("student", "base"))
    assert compare.print_comparison("unit", f"{first} stop=nested", second) == 0
    whole = selections.read_study(paths["answers"], paths["stops"], simulated.SETTINGS)
    gain = gain_over_base(whole, "held_out").estimate
    assert f"{100 * gain.estimate:+.2f} points" in capsys.readouterr().out
    for name, other, said in (
        ("absent", second, "run study absent"),
        ("unit", "role=base estimand=transfer level=R1", "different questions"),
    ):
        assert compare.print_comparison(name, f"{first} stop=nested", other) == 2
        assert said in capsys.readouterr().err


def test_adapters_of_one_level_each_are_read_by_that_protocol(study):
    table = study.answers
    tuned = table[table["role"] == "student"]
    own = tuned.assign(variant=tuned["level"].str.lower(), row="own/" + tuned["row"])
    stops = {
        fold: {**chosen, **{f"r{n}": chosen["prompt"] for n in range(1, 7)}}
        for fold, chosen in study.stops.items()
    }
    both = dataclasses.replace(
        study,
        answers=pd.concat([table, own], ignore_index=True),
        stops=stops,
    )
    for level in ("R1", "R6"):
        found = selections.student(both, "held_out", level=level, variant="adapter")
        shared = selections.student(study, "held_out", level=level)
        assert (found.right.to_numpy() == shared.right.to_numpy()).all()
        assert found.rows
        assert all(one.startswith("own/") for one in found.rows)


def test_files_with_missing_columns_are_named(tmp_path):
    pd.DataFrame({"row": ["a"]}).to_parquet(tmp_path / "answers.parquet")
    with pytest.raises(ValueError, match=r"answers.parquet: no column role"):
        selections.read_answers(tmp_path / "answers.parquet")
    curve = tmp_path / "adapters" / "temporal" / "prompt" / "seed-1" / "curve.csv"
    curve.parent.mkdir(parents=True)
    curve.write_text("step,loss\n1,2\n", encoding="utf-8")
    with pytest.raises(ValueError, match="no column iteration"):
        selections.read_curves([curve])


def test_markup_in_cells_stays_text():
    frame = pd.DataFrame({"a|b": ["<b>&|_%$#{}~^\\"], "p": [0.0004]})
    assert r"\|" in tables.as_markdown(frame, "t")
    assert "<b>" not in tables.as_html(frame, "t")
    assert "< 0.001" in tables.as_markdown(frame, "t")
    latex = tables.as_latex(frame, "t")
    assert r"\textless{}b\textgreater{}\&|\_\%\$\#\{\}" in latex
    with pytest.raises(ValueError, match=r"\.csv, \.md"):
        tables.write(["table.pdf"], frame, "t")


def test_stops_and_curves_are_read_from_their_places(paths):
    stops = selections.read_stops(paths["stops"])
    assert stops == {"temporal": {"prompt": json.loads(json.dumps(simulated.STOPS))}}
    curves = selections.read_curves(paths["curves"])
    assert set(curves["seed"]) == {1, 2, 3, 4, 5, 100}


def test_every_reading_of_the_verdicts_is_judged(study):
    table = judge_gradings(study, PUBLISHED)
    gains = table[(table["id"] == "C4") & (table["estimand"] == "held_out")].set_index("grading")
    assert list(gains.index) == ["primary", "strict", "second", "best", "worst"]
    assert gains.loc["worst", "here"] <= gains.loc["primary", "here"] <= gains.loc["best", "here"]
    assert not gains.loc["primary", "changed"]
    assert set(table.loc[table["id"] == "C7", "grading"]) == {"primary", "strict", "second"}
    ungraded = dataclasses.replace(study, answers=study.answers.assign(second_verdict=None))
    assert "second" not in set(judge_gradings(ungraded, PUBLISHED)["grading"])


def test_leakage_compares_questions_trained_on_with_questions_held_out(study):
    table = summaries.tabulate_leakage(study).set_index("part")
    assert table.loc[["train", "validation", "test", "all"], "n"].tolist() == [72, 36, 108, 216]
    expected = table.loc["train", "gain"] - table.loc["test", "gain"]
    assert table.loc["train minus test", "gain"] == pytest.approx(expected)
    held_out = gain_over_base(study, "held_out").estimate
    assert table.loc["test", "gain"] == pytest.approx(100 * held_out.estimate)


def test_the_minimum_is_read_from_adapters_trained_as_published_where_there_are_some(study):
    curves = study.curves.assign(variant="published", iteration=study.curves["iteration"] + 7)
    both = dataclasses.replace(
        study,
        curves=pd.concat([study.curves, curves], ignore_index=True),
        stops={
            fold: {**chosen, "published": chosen["prompt"]} for fold, chosen in study.stops.items()
        },
    )
    ours, theirs = (loss_rise(one, "held_out") for one in (study, both))
    assert theirs.estimate.estimate == ours.estimate.estimate
    assert all("/prompt/" in row for row in ours.rows)
    assert all("/published/" in row for row in theirs.rows)


def test_a_fold_that_cuts_through_years_is_read_in_sample_and_never_held_out(study):
    answers = study.answers[study.answers["fold"] == study.folds[0]]
    places = {"train": "test", "validation": "train", "test": "validation"}
    odd = answers["problem"].map(lambda name: int(name[-1]) % 2 == 1)
    mixed = answers["part"].where(~odd, answers["part"].map(places))
    both = dataclasses.replace(
        study,
        answers=pd.concat([study.answers, answers.assign(fold="released", part=mixed)]),
        stops={**study.stops, "released": study.stops[study.folds[0]]},
    )
    assert study.random_folds == []
    assert both.random_folds == ["released"]
    assert both.folds_of("in_sample") == ["released"]
    assert both.folds_of("held_out") == study.folds_of("held_out")
    assert both.folds_of("transfer") == study.folds_of("transfer")


def test_c6_of_the_published_protocol_is_read_on_the_published_split(study):
    """Both folds are trained in both ways; the figure to hold C6 against is of the random split."""
    answers = study.answers[study.answers["fold"] == study.folds[0]]
    odd = answers["problem"].map(lambda name: int(name[-1]) % 2 == 1)
    mixed = answers["part"].where(~odd, "train")
    stops = study.stops[study.folds[0]]["prompt"]
    for variants in (("prompt", "published"), ("published",), ("prompt",)):
        both = dataclasses.replace(
            study,
            answers=pd.concat([study.answers, answers.assign(fold="released", part=mixed)]),
            stops={fold: dict.fromkeys(variants, stops) for fold in ("temporal", "released")},
            curves=pd.concat(
                study.curves.assign(fold=fold, variant=variant)
                for fold in ("temporal", "released")
                for variant in variants
            ),
        )
        found = loss_rise(both, "validation")
        fold = "released" if "published" in variants else "temporal"
        assert f"fold={fold} variant={variants[-1]}," in found.filter
        assert all(name.startswith(f"curve/{fold}/{variants[-1]}/") for name in found.rows)
