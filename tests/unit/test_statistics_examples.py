"""Each estimator against a published worked example, R's documented output or a closed form."""

import doctest
import importlib
import inspect
import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import cochrans_q

from distil import inference
from distil.inference import clusters as clusters_module
from distil.inference.clusters import clustered_contrast, joint_test
from distil.inference.gains import (
    accuracy,
    bootstrap_gain,
    mcnemar_exact,
    paired_gain,
    seeds_t,
    simultaneous_band,
    wilson,
)
from distil.inference.levels import (
    any_difference,
    difference_of_means,
    holm,
    odds_ratios,
    section_contrast,
    section_interaction,
    trend,
    words_curve,
)
from distil.inference.power import (
    detectable_gain,
    equivalence_items,
    gain_power,
    mcnemar_detectable,
    mcnemar_power,
)
from distil.inference.variance import decompose

ROOM = Path(inference.__file__).parent


@pytest.mark.parametrize("name", sorted(path.stem for path in ROOM.glob("[a-z]*.py")))
def test_every_function_has_an_example_that_runs(name):
    module = importlib.import_module(f"distil.inference.{name}")
    found = doctest.testmod(module, extraglobs={"np": np, "pd": pd})
    assert (found.failed, found.attempted > 0) == (0, True)
    for function in vars(module).values():
        if getattr(function, "__module__", "") == module.__name__ and inspect.isfunction(function):
            assert function.__name__.startswith("_") or ">>>" in function.__doc__, function.__name__


# Student's sleep data (Biometrika 6, 1908), R's `sleep`.
SLEEP_1 = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
SLEEP_2 = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])


def pairs(both, first_only, second_only, neither):
    first = np.repeat([1, 1, 0, 0], [both, first_only, second_only, neither])
    second = np.repeat([1, 0, 1, 0], [both, first_only, second_only, neither])
    return first, second


# ------------------------------------------------------------------------------- paired gains


def test_paired_gain_of_unrelated_questions_is_the_paired_t_test():
    # R: t.test(extra ~ group, paired): t = -4.0621, df = 9, p = 0.002833, -2.4598858 to -0.7001142
    found = paired_gain(SLEEP_1 - SLEEP_2)
    assert found.estimate == pytest.approx(-1.58)
    assert found.estimate / found.se == pytest.approx(-4.0621, abs=1e-4)
    assert (found.df, found.p) == pytest.approx((9, 0.002833), abs=5e-7)
    assert (found.low, found.high) == pytest.approx((-2.4598858, -0.7001142), abs=1e-7)


def test_paired_gain_has_the_cluster_robust_variance_of_liang_and_zeger():
    rng = np.random.default_rng(3)
    values = rng.integers(-1, 2, size=(72, 3)).astype(float)
    clusters = np.arange(72) * 42 // 72
    found = paired_gain(values, clusters)
    residual_sums = [(values[clusters == c] - values.mean()).sum() for c in range(42)]
    rows, groups = values.size, 42
    variance = sum(s**2 for s in residual_sums) / rows**2
    variance *= groups / (groups - 1) * (rows - 1) / (rows - 1)
    assert found.se == pytest.approx(np.sqrt(variance))
    assert found.df == groups - 1


def test_seeds_of_one_question_do_not_count_as_questions():
    one = np.random.default_rng(0).integers(-1, 2, size=200).astype(float)
    many = np.repeat(one[:, None], 5, axis=1)
    assert paired_gain(many).se == pytest.approx(paired_gain(one).se)


def test_duplicated_questions_in_one_cluster_change_nothing():
    one = np.random.default_rng(1).integers(-1, 2, size=100).astype(float)
    twice = paired_gain(np.repeat(one, 2), np.repeat(np.arange(100), 2))
    assert twice.se == pytest.approx(paired_gain(one).se)
    assert twice.p == pytest.approx(paired_gain(one).p)


def test_mcnemar_agrees_with_the_exact_binomial_test_of_agrestis_approval_ratings():
    # Agresti, Categorical Data Analysis, 1990, p. 350, and R's ?mcnemar.test: 150 against 86.
    first, second = pairs(794, 150, 86, 570)
    found = mcnemar_exact(first, second)
    assert found.p == pytest.approx(stats.binomtest(86, 236).pvalue)
    # The chi-square version there is 17.36 with p = 3.099e-05 (Penn State STAT 504, lesson 5).
    assert found.p == pytest.approx(3.1e-5, rel=0.25)
    assert found.estimate == pytest.approx(64 / 1600)
    assert dict(found.extra) == {"both": 794, "first_only": 150, "second_only": 86, "neither": 570}
    # Agresti's Wald interval for the change is 0.040 +- 0.019.
    assert (found.low, found.high) == pytest.approx((0.021, 0.059), abs=0.0015)


def test_t_over_seeds_is_the_one_sample_t_test_with_its_warning():
    # R: t.test(sleep$extra[1:10]): t = 1.3257, df = 9, p = 0.2176, -0.5297804 to 2.0297804
    found = seeds_t(SLEEP_1)
    assert found.p == pytest.approx(0.2176, abs=5e-5)
    assert (found.low, found.high) == pytest.approx((-0.5297804, 2.0297804), abs=1e-7)
    assert "questions are taken as fixed" in found.note


def test_bootstrap_of_one_seed_has_the_spread_of_the_paired_t_test():
    values = np.random.default_rng(2).integers(-1, 2, size=400).astype(float)
    resampled = bootstrap_gain(values, replicates=20_000, seed=1)
    plain = paired_gain(values)
    assert resampled.se == pytest.approx(plain.se)
    assert (resampled.low, resampled.high) == pytest.approx((plain.low, plain.high), abs=0.004)


def test_bootstrap_is_the_same_for_the_same_seed_and_differs_for_another():
    values = np.random.default_rng(2).integers(-1, 2, size=(50, 5)).astype(float)
    draw = [bootstrap_gain(values, replicates=500, seed=s) for s in (1, 1, 2)]
    assert draw[0] == draw[1]
    assert draw[0].low != draw[2].low


def test_bootstrap_widens_when_seeds_differ():
    rng = np.random.default_rng(5)
    # Questions vary far more than seeds, as they do where five seeds meet one base.
    values = rng.normal(0, 1, size=(300, 1)) + rng.normal(0, 0.3, size=(300, 5))
    shifted = values + np.array([-0.2, -0.1, 0, 0.1, 0.2])
    close, apart = (bootstrap_gain(v, replicates=500) for v in (values, shifted))
    assert apart.se > 1.5 * close.se
    assert apart.df < 10 < close.df


# ----------------------------------------------------------------------- accuracies, equivalence


@pytest.mark.parametrize(
    ("successes", "total", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17, 1998, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_reproduces_newcombes_table(successes, total, low, high):
    found = wilson(successes, total)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)
    right = np.repeat([1.0, 0.0], [successes, total - successes])
    assert accuracy(right).low == pytest.approx(found.low)
    assert accuracy(right).high == pytest.approx(found.high)


def test_accuracy_of_identical_seeds_is_as_uncertain_as_one_seed():
    right = (np.random.default_rng(0).random(300) < 0.6).astype(float)
    one = accuracy(right)
    many = accuracy(np.repeat(right[:, None], 5, axis=1))
    assert many.extra["effective"] == pytest.approx(299, rel=1e-6)
    assert (many.low, many.high) == pytest.approx((one.low, one.high), abs=1e-3)


def test_equivalence_needs_about_4500_questions_for_two_points():
    assert equivalence_items(0.6943, 0.02) == 4545
    # Julious 2004, equation 21: two one-sided tests at that standard error have 80 % power.
    se = np.sqrt(0.6943 * 0.3057 / 4545)
    assert 2 * stats.norm.cdf(0.02 / se - stats.norm.ppf(0.95)) - 1 == pytest.approx(0.8, abs=1e-3)


# ------------------------------------------------------------------------------------- levels


def test_cochran_q_reproduces_the_classifiers_of_kuncheva():
    # Kuncheva, Combining Pattern Classifiers, 2004, section 1.4.2: Q = 7.5294, p = 0.0232
    patterns = [(1, 1, 1), (1, 1, 0), (1, 0, 1), (1, 0, 0), (0, 1, 1), (0, 1, 0), (0, 0, 1)]
    patterns.append((0, 0, 0))
    wrong = {(1, 1, 1): 3, (1, 1, 0): 3, (1, 0, 1): 1, (1, 0, 0): 9, (0, 1, 1): 2, (0, 0, 1): 2}
    rows = [p for p in patterns for _ in range(wrong.get(p, 80 if p == (0, 0, 0) else 0))]
    found = any_difference(np.array(rows, dtype=float))
    assert found.estimate == pytest.approx(7.5294, abs=5e-5)
    assert found.p == pytest.approx(0.0232, abs=5e-5)


def test_cochran_q_for_means_over_seeds_is_cochrans_q_where_seeds_agree():
    right = (np.random.default_rng(0).random((80, 4)) < [0.7, 0.6, 0.5, 0.5]).astype(float)
    expected = cochrans_q(right)
    assert any_difference(right).estimate == pytest.approx(expected.statistic)
    assert any_difference(right).p == pytest.approx(expected.pvalue)
    # Half of each answer is no longer 0 or 1, so the permutation form computes it.
    assert any_difference(right / 2).estimate == pytest.approx(any_difference(right).estimate)


def test_trend_is_pages_test_on_the_strength_of_cotton_fibres():
    # Hollander, Wolfe and Chicken, Nonparametric Statistical Methods, 3rd ed., example 7.2
    # (R package NSM3, ?pPage), with scipy's Page test as the oracle for L and p.
    observed = np.array(
        [
            [7.46, 7.17, 7.76, 8.14, 7.63],
            [7.68, 7.57, 7.73, 8.15, 8.00],
            [7.21, 7.80, 7.74, 7.87, 7.93],
        ]
    )
    ranks = stats.rankdata(observed, axis=1)
    found = trend(ranks, 2.0 ** np.arange(1, 6), permutations=0)
    page = stats.page_trend_test(observed, method="asymptotic")
    expected, variance = 3 * 5 * 6**2 / 4, 3 * 25 * 36 * 4 / 144
    assert page.statistic == 158
    assert found.extra["statistic"] == pytest.approx(158 - expected)
    assert found.extra["z"] == pytest.approx((158 - expected) / np.sqrt(variance))
    assert found.extra["normal_p"] == pytest.approx(2 * page.pvalue)
    drawn = trend(ranks, 2.0 ** np.arange(1, 6), permutations=40_000)
    exact = stats.page_trend_test(observed, method="exact")
    assert drawn.p == pytest.approx(2 * exact.pvalue, rel=0.15)


def test_trend_by_random_permutations_agrees_with_all_permutations():
    right = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [1, 0, 1]], dtype=float)
    scores = np.array([1.0, 0.0, -1.0])
    observed = (right @ scores).sum()
    totals = [
        sum(np.dot(row, order) for row, order in zip(right, orders, strict=True))
        for orders in itertools.product(itertools.permutations(scores), repeat=len(right))
    ]
    exact = np.mean(np.abs(totals) >= abs(observed) - 1e-9)
    found = trend(right, [4, 2, 1], permutations=40_000, seed=1)
    assert found.p == pytest.approx(exact, abs=0.01)


def test_trend_with_ties_has_the_variance_of_the_permutations():
    right = (np.random.default_rng(0).random((40, 6)) < np.linspace(0.7, 0.4, 6)).astype(float)
    words = np.array([200, 120, 80, 60, 40, 30])
    found = trend(right, words, permutations=0)
    rng = np.random.default_rng(1)
    scores = np.log2(words) - np.log2(words).mean()
    draws = [(rng.permuted(right, axis=1) @ scores).sum() for _ in range(4000)]
    assert found.extra["statistic"] / found.extra["z"] == pytest.approx(np.std(draws), rel=0.05)


def test_trend_is_positive_when_more_words_are_more_accurate():
    right = (np.random.default_rng(0).random((300, 4)) < [0.8, 0.6, 0.4, 0.2]).astype(float)
    falling = trend(right, [80, 40, 20, 10], permutations=99)
    assert falling.estimate == pytest.approx(0.2, abs=0.03)
    assert falling.low > 0
    assert trend(right, [10, 20, 40, 80], permutations=99).estimate < 0


def test_holm_reproduces_a_worked_example():
    # Holm's steps by hand: 0.005 x 4, 0.01 x 3, 0.03 x 2, 0.04 kept at the step before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert len(holm([])) == 0


def test_odds_ratios_reproduce_the_gee_of_the_six_cities_study():
    # Fitzmaurice and Laird, Biometrika 80, 1993, table 1; R package geepack, ?ohio:
    # geeglm(resp ~ age * smoke, exchangeable) gives -1.900, -0.141, 0.314, 0.071
    quiet = [237, 10, 15, 4, 16, 2, 7, 3, 24, 3, 3, 2, 6, 2, 5, 11]
    smoky = [118, 6, 8, 2, 11, 1, 6, 4, 7, 3, 3, 1, 4, 2, 4, 7]
    rows = []
    for smoke, counts in ((0, quiet), (1, smoky)):
        for pattern, count in zip(itertools.product((0, 1), repeat=4), counts, strict=True):
            for child in range(count):
                name = f"{smoke}-{pattern}-{child}"
                rows += [(name, smoke, age - 2, pattern[age]) for age in range(4)]
    frame = pd.DataFrame(rows, columns=["cluster", "smoke", "age", "right"])
    assert frame["cluster"].nunique() == 537
    found = odds_ratios(frame, "right ~ age * smoke").set_index("term")
    for term, value in (("Intercept", -1.900), ("age", -0.141), ("smoke", 0.314)):
        assert np.log(found.loc[term, "odds_ratio"]) == pytest.approx(value, abs=6e-4)
    assert np.log(found.loc["age:smoke", "odds_ratio"]) == pytest.approx(0.071, abs=6e-4)


def test_odds_ratio_of_a_group_all_right_is_reported_as_not_estimable():
    frame = pd.DataFrame(
        {
            "right": [1] * 20 + [0, 1] * 10,
            "group": ["a"] * 20 + ["b"] * 20,
            "cluster": list(range(20)) * 2,
        }
    )
    found = odds_ratios(frame, "right ~ C(group)").set_index("term")
    assert found.loc["C(group)[T.b]", "p"] == 1.0
    assert "not estimable" in found.loc["C(group)[T.b]", "note"]


def test_section_contrast_of_unrelated_questions_is_the_difference_of_means():
    rng = np.random.default_rng(0)
    drops = np.concatenate([rng.normal(0.5, 0.4, 60), rng.normal(0.1, 0.4, 80)])
    sections = ["tp"] * 60 + ["fs"] * 80
    found = section_contrast(drops, sections, "tp")
    welch = stats.ttest_ind(drops[:60], drops[60:], equal_var=False)
    assert found.estimate == pytest.approx(drops[:60].mean() - drops[60:].mean())
    assert found.estimate / found.se == pytest.approx(welch.statistic, rel=0.02)


def test_section_contrast_binds_at_the_closest_section_and_takes_its_p():
    rng = np.random.default_rng(0)
    sections = np.repeat(["tp", "fs", "js"], 100)
    drops = rng.normal(np.repeat([0.5, 0.49, 0.0], 100), 0.3)
    found = section_contrast(drops, sections, "tp")
    assert found.estimate == pytest.approx(drops[:100].mean() - drops[100:200].mean())
    assert found.p > 0.05
    assert set(found.extra) == {"fs", "js"}


def test_section_interaction_is_the_clustered_wald_test_by_hand():
    rng = np.random.default_rng(1)
    sections = np.repeat(["fs", "js", "tp"], [80, 90, 60])
    clusters = np.arange(230) // 2 + 1000 * (np.arange(230) % 7 == 0)
    values = rng.normal(0, 0.4, 230) + rng.normal(0, 0.3, 1200)[clusters] + (sections == "tp") * 0.2
    found = section_interaction(values, sections, clusters)
    # Liang and Zeger's sandwich on cell means, with its small-sample factor.
    design = np.stack([sections == name for name in ("fs", "js", "tp")], axis=1).astype(float)
    bread = np.linalg.inv(design.T @ design)
    beta = bread @ design.T @ values
    scores = design * (values - design @ beta)[:, None]
    groups = np.unique(clusters)
    sums = np.stack([scores[clusters == group].sum(axis=0) for group in groups])
    factor = len(groups) / (len(groups) - 1) * 229 / 227
    covariance = factor * bread @ (sums.T @ sums) @ bread
    contrast = np.array([[-1, 1, 0], [-1, 0, 1]])
    gap = contrast @ beta
    statistic = gap @ np.linalg.solve(contrast @ covariance @ contrast.T, gap) / 2
    assert found.estimate == pytest.approx(statistic)
    assert found.p == pytest.approx(stats.f.sf(statistic, 2, len(groups) - 1))
    assert found.df == len(groups) - 1


def test_section_interaction_of_two_sections_is_the_square_of_their_contrast():
    rng = np.random.default_rng(2)
    values, sections = rng.normal(size=120), np.repeat(["fs", "tp"], 60)
    joint = section_interaction(values, sections)
    single = difference_of_means(values, sections == "tp", np.arange(120))
    assert joint.estimate == pytest.approx((single.estimate / single.se) ** 2)
    assert joint.p == pytest.approx(single.p)
    flat = section_interaction(np.zeros(120), sections)
    assert (flat.p, flat.note != "") == (1.0, True)


# --------------------------------------------------------------------------- variance and power


def test_components_reproduce_the_table_of_shrout_and_fleiss():
    # Psychological Bulletin 86, 1979, tables 2 and 3: BMS 11.24, JMS 32.49, EMS 1.02, ICC(2,1) .29
    ratings = np.array(
        [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    )
    found = decompose(ratings).set_index("source")["component"]
    assert found["rest"] == pytest.approx(1.02, abs=0.005)
    assert found["questions"] == pytest.approx((11.24 - 1.02) / 4, abs=0.005)
    assert found["seeds"] == pytest.approx((32.49 - 1.02) / 6, abs=0.005)
    assert found["questions"] / found.sum() == pytest.approx(0.29, abs=0.005)


def test_mcnemar_power_reproduces_the_manual_of_gpower():
    # G*Power 3.1 manual, McNemar: odds ratio 0.25, N = 50, 40 % discordant, one-sided 5 %: 0.839343
    # Both sides of 5 % each add the far tail, 0.00002.
    assert mcnemar_power(50, 0.24, 0.4, alpha=0.10) == pytest.approx(0.839343, abs=2e-5)


def test_detectable_gain_of_mcnemar_has_the_power_asked_for():
    for discordance, expected in ((0.15, 0.044), (0.25, 0.056), (0.35, 0.066)):
        gain = mcnemar_detectable(651, discordance)
        assert gain == pytest.approx(expected, abs=5e-4)
        assert mcnemar_power(651, gain, discordance) == pytest.approx(0.80, abs=1e-4)
    assert mcnemar_detectable(4, 0.5) == 0.5


def test_power_of_the_t_test_reproduces_cohens_table():
    # Cohen, Statistical Power Analysis, 2nd ed.; R: power.t.test(n = 20, delta = 1, sd = 1,
    # type = "one.sample") gives power 0.9886
    assert gain_power(1.0, 1 / np.sqrt(20), 19) == pytest.approx(0.9886, abs=1e-3)
    assert gain_power(0.0, 1.0, 50) == pytest.approx(0.05)


def test_detectable_gain_is_seen_with_80_percent_power():
    effect = detectable_gain(0.02, 200)
    assert gain_power(effect, 0.02, 200) == pytest.approx(0.80, abs=0.003)


@pytest.mark.parametrize("df", [3.0, 17.5, 200.0, float("inf")])
def test_power_is_that_of_the_distributions_of_scipy(df):
    t = stats.norm if df == float("inf") else stats.t(df)
    critical, shift = t.ppf(0.975), 1.7
    moved = stats.norm(shift) if df == float("inf") else stats.nct(df, shift)
    power = moved.sf(critical) + moved.cdf(-critical)
    assert gain_power(shift, 1.0, df) == pytest.approx(power, rel=1e-9)
    assert detectable_gain(2.0, df) == pytest.approx(2 * (critical + t.ppf(0.8)))


# --------------------------------------------------------------------------------- degenerate


def test_clusters_whose_questions_cancel_out_give_no_interval():
    values, clusters = np.tile([1.0, -1.0], 12), np.arange(24) // 2
    sections = np.repeat(["fs", "js", "tp"], 8)
    joint = section_interaction(values, sections, clusters)
    assert (joint.p, joint.estimate) == (1.0, 0.0)
    assert joint.note
    single = difference_of_means(values, sections == "fs", clusters)
    assert (single.low, single.high, single.p) == (-2.0, 2.0, 1.0)
    assert single.note


@pytest.mark.parametrize("value", [-1.0, 0.0, 1.0])
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (2, 1), (40, 5)])
def test_answers_that_all_agree_give_finite_honest_results(value, shape):
    differences = np.full(shape, value)
    for found in (
        paired_gain(differences),
        bootstrap_gain(differences, replicates=100),
        seeds_t(differences.mean(axis=0)),
    ):
        assert np.isfinite([found.estimate, found.low, found.high, found.p, found.se]).all()
        assert -1 <= found.low <= found.estimate <= found.high <= 1
        assert found.high > found.low
        assert found.note
    assert paired_gain(np.zeros((40, 5))).p == 1.0


def test_zero_discordance_leaves_room_for_what_was_not_seen():
    found = mcnemar_exact(np.ones(50), np.ones(50))
    assert found.p == 1.0
    assert found.high == pytest.approx(1 - 0.025 ** (1 / 50))
    assert paired_gain(np.zeros(50)).high == pytest.approx(found.high)


def test_one_cluster_gives_no_interval():
    found = paired_gain([1.0, 0.0, 1.0], ["same"] * 3)
    assert (found.low, found.high, found.p) == (-1.0, 1.0, 1.0)
    assert "one cluster" in found.note
    assert accuracy([1, 0, 1], ["same"] * 3).high == 1.0


def test_all_right_keeps_an_interval_below_one():
    found = accuracy(np.ones((60, 5)))
    assert found.estimate == found.high == 1.0
    assert found.low == pytest.approx(wilson(60, 60).low)


def test_levels_without_any_difference_give_p_one():
    constant = np.repeat(np.array([[1.0], [0.0], [1.0]]), 6, axis=1)
    assert any_difference(constant).p == 1.0
    assert trend(constant, [6, 5, 4, 3, 2, 1]).p == 1.0
    assert trend(constant, [5, 5, 5, 5, 5, 5]).note
    assert decompose(np.ones((4, 3)))["component"].sum() == 0
    band = simultaneous_band([np.zeros((20, 2)), np.zeros((20, 2))], replicates=100)
    assert np.isfinite(band.to_numpy()).all()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: paired_gain([]), "questions x seeds"),
        (lambda: paired_gain([0.0, np.nan]), "counted"),
        (lambda: paired_gain([0.0, 1.0], ["a"]), "labels"),
        (lambda: mcnemar_exact([1, 0], [1]), "pair them"),
        (lambda: wilson(5, 4), "not a count"),
        (lambda: trend([[1.0, 0.0]], [3, 0]), "positive"),
        (lambda: section_contrast([1.0, 0.0], ["fs", "js"], "tp"), "tp"),
        (lambda: mcnemar_power(10, 0.5, 0.4), "impossible"),
    ],
)
def test_impossible_input_is_refused_by_name(call, said):
    with pytest.raises(ValueError, match=said):
        call()


def test_cr2_of_two_groups_is_welchs_variance_with_the_degrees_of_freedom_of_bell_and_mccaffrey():
    # Imbens and Kolesar (Review of Economics and Statistics 98, 2016) for 3 of 30 treated: 2.5.
    values = np.random.default_rng(0).normal(size=30)
    inside = np.arange(30) < 3
    design = np.column_stack([np.ones(30), inside])
    found = clustered_contrast(values, np.arange(30), design, (0.0, 1.0))
    first, second = values[:3].var(ddof=1) / 3, values[3:].var(ddof=1) / 27
    assert found.se == pytest.approx(np.sqrt(first + second))
    exact = (1 / 3 + 1 / 27) ** 2 / (1 / (9 * 2) + 1 / (729 * 26))
    assert found.df == pytest.approx(exact)
    assert round(exact, 1) == 2.5


def test_cr2_of_equal_clusters_is_the_t_test_of_their_means():
    rng = np.random.default_rng(1)
    values = (rng.normal(0, 1, 12)[:, None] + rng.normal(0, 1, (12, 5))).ravel()
    found = clustered_contrast(values, np.arange(12).repeat(5))
    test = stats.ttest_1samp(values.reshape(12, 5).mean(axis=1), 0.0)
    assert (found.df, found.p) == pytest.approx((11, test.pvalue))
    joint = joint_test(values, np.arange(12).repeat(5), np.ones((60, 1)), np.ones((1, 1)))
    assert joint == pytest.approx((test.statistic**2, 11, test.pvalue))


@pytest.mark.parametrize("groups", [36, 60])
def test_few_and_many_clusters_agree_where_they_meet(groups, monkeypatch):
    rng = np.random.default_rng(2)
    values, codes = rng.normal(size=groups * 4), np.arange(groups).repeat(4)
    found = []
    for many in (1, 1000):
        monkeypatch.setattr(clusters_module, "MANY", many)
        found.append(clustered_contrast(values, codes))
    assert [one.method for one in found] == ["CR1", "CR2"]
    assert found[0].se == pytest.approx(found[1].se, rel=1e-6)


def test_a_section_of_one_template_is_not_tested():
    rng = np.random.default_rng(3)
    clusters = np.arange(6).repeat(4)
    inside = clusters == 5
    values = rng.normal(0, 0.05, 24) + 0.15 * inside
    found = difference_of_means(values, inside, clusters)
    assert (found.low, found.high, found.p) == (-2.0, 2.0, 1.0)
    assert "1 cluster in a group" in found.note


def test_thirty_won_and_none_lost_leave_room_above():
    first, second = pairs(0, 30, 0, 102)
    found = mcnemar_exact(first, second)
    assert found.high > found.estimate + 0.05


@pytest.mark.parametrize(
    ("effect", "se", "df"), [(15.0, 1.0, 650), (0.2753, 0.0178, 650), (9, 1, 3)]
)
def test_power_is_never_nan(effect, se, df):
    assert 0.99 < gain_power(effect, se, df) <= 1.0


@given(
    st.integers(1, 12).flatmap(
        lambda n: st.tuples(
            st.lists(st.lists(st.integers(0, 1), min_size=4, max_size=4), min_size=n, max_size=n),
            st.lists(st.integers(0, 4), min_size=n, max_size=n),
            st.lists(st.sampled_from(["fs", "js", "tp"]), min_size=n, max_size=n),
        )
    )
)
@settings(max_examples=80, deadline=None)
def test_no_answers_whatsoever_give_nan(drawn):
    right, clusters, sections = np.array(drawn[0], dtype=float), drawn[1], np.array(drawn[2])
    gains, codes = right[:, :3] - right[:, 3:], np.unique(clusters, return_inverse=True)[1]
    found = [
        accuracy(right, clusters),
        paired_gain(gains, clusters),
        paired_gain(gains, clusters, strata=sections),
        bootstrap_gain(gains, clusters, replicates=100),
        mcnemar_exact(right[:, 0], right[:, 1]),
        trend(right, [8, 4, 2, 1], clusters, permutations=50),
        section_interaction(gains, sections, clusters),
    ]
    inside = sections == "tp"
    if inside.any() and not inside.all():
        found.append(difference_of_means(gains.mean(axis=1), inside, codes))
        found.append(section_contrast(gains, sections, "tp", clusters))
    for one in found:
        figures = [one.estimate, one.low, one.high, one.p, one.se, *one.extra.values()]
        assert np.isfinite(figures).all(), one
        assert not np.isnan(one.df)
        assert 0 <= one.p <= 1
        assert -2 <= one.low <= one.high <= 2 or one.test.startswith("OLS")
        power = gain_power(0.05, one.se, max(one.df, 1.0))
        assert 0 <= power <= 1
    for frame in (
        simultaneous_band([right[:, :2], right[:, 2:]], clusters, replicates=50),
        words_curve(right, [8, 4, 2, 1], clusters, replicates=50, points=5),
    ):
        assert np.isfinite(frame.to_numpy(dtype=float)).all()


@given(
    st.integers(1, 30).flatmap(
        lambda n: st.lists(
            st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=3, max_size=3),
            min_size=n,
            max_size=n,
        )
    ),
    st.data(),
)
@settings(max_examples=60, deadline=None)
def test_any_answers_give_an_interval_around_the_estimate(rows, data):
    differences = np.array(rows)
    clusters = data.draw(
        st.lists(st.integers(0, 4), min_size=len(rows), max_size=len(rows)), label="clusters"
    )
    for found in (
        paired_gain(differences, clusters),
        bootstrap_gain(differences, clusters, replicates=200),
    ):
        assert found.low <= found.estimate + 1e-9
        assert found.estimate <= found.high + 1e-9
        assert 0 <= found.p <= 1
    mirrored = paired_gain(-differences, clusters)
    assert mirrored.p == pytest.approx(paired_gain(differences, clusters).p)
