"""What the published figures allow, against brute force and the figures of the study itself."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distil.claims.table import read_published
from distil.inference.gains import mcnemar_exact
from distil.inference.power import mcnemar_detectable
from distil.release import forensics

PUBLISHED = {claim["id"]: claim for claim in read_published("resources/published.yaml")["claims"]}


@pytest.fixture(scope="module")
def table():
    return forensics.tabulate(PUBLISHED, 651, 180)


def sentences(table, check):
    return " ".join(table.loc[table["check"] == check, "sentence"])


def test_651_questions_explain_all_three_percentages_as_counts(table):
    found = table[table["check"] == "count behind the percentage (GRIM)"]
    assert dict(zip(found["claim"], found["result"], strict=True)) == {
        "C1": "421", "C2": "595", "C3": "452",
    }  # fmt: skip


def test_few_numbers_of_questions_allow_all_figures(table):
    found = table[table["check"] == "questions that all figures allow (GRIM)"]
    assert found["result"].item() == "651 1186 1268 1302 1489 1500"


@pytest.mark.parametrize("n", [300, 500, 750, 1000])
def test_round_numbers_of_questions_are_impossible(n):
    possible = [
        forensics.compatible("64.67", n),
        forensics.compatible("91.40", n),
        forensics.compatible("69.43", n, 5, "0.17"),
    ]
    assert not all(possible)


def test_the_two_deviations_follow_no_single_convention(table):
    assert forensics.compatible("69.43", 651, 5, "0.17") == [(2260, "population")]
    assert forensics.compatible("73.1", 500, 5, "0.18") == [(1827, "sample"), (1828, "sample")]
    assert "impossible" in sentences(table, "one convention for both deviations")


def test_the_attainable_deviation_of_math_500_is_0_1789():
    runs = np.array([364, 365, 366, 366, 366])
    possible = forensics.spreads(int(runs.sum()), 500, 5, 0.2)["sample"]
    assert 100 * runs.std(ddof=1) / 500 == pytest.approx(0.1789, abs=5e-5)
    assert any(one == pytest.approx(100 * runs.std(ddof=1) / 500) for one in possible)


def test_interval_of_the_published_gain_depends_on_the_discordance():
    low, high = forensics.gain_interval(0.0476, 651, 0.15)
    assert (100 * low, 100 * high) == pytest.approx((1.8, 7.7), abs=0.05)
    low, high = forensics.gain_interval(0.0476, 651, 0.35)
    assert (100 * low, 100 * high) == pytest.approx((0.2, 9.3), abs=0.05)
    assert forensics.seeds_interval(0.17, 5) == pytest.approx(0.21, abs=0.005)


def test_so_small_a_spread_is_improbable():
    assert forensics.spread_probability("0.18", 500, 5, 0.10) == pytest.approx(0.002, abs=2e-4)


def test_probability_of_a_spread_agrees_with_simulation():
    rng = np.random.default_rng(0)
    # A fifth of the questions are tossed by each seed: two seeds disagree on a tenth of all.
    counts = rng.binomial(100, 0.5, size=(200_000, 5))
    share = np.mean(100 * counts.std(axis=1, ddof=1) / 500 <= 0.43)
    assert forensics.spread_probability("0.43", 500, 5, 0.10) == pytest.approx(share, rel=0.1)


def test_what_the_design_can_see():
    seen = [100 * mcnemar_detectable(n, 0.25) for n in (651, 180)]
    # By the exact test; the normal formula says 5.5 and 10.4, at which its power is .76 to .78.
    assert seen == pytest.approx([5.61, 10.71], abs=0.01)


def test_the_only_runs_that_the_published_deviation_allows_are_listed():
    vectors = forensics.run_vectors("69.43", 651, 5, "0.17", "population")
    assert vectors == [(450, 452, 452, 453, 453), (451, 451, 452, 452, 454)]
    assert forensics.run_vectors("69.43", 651, 5, "0.17", "sample") == []
    for vector in forensics.run_vectors("73.1", 500, 5, "0.18", "sample"):
        assert f"{100 * np.std(vector, ddof=1) / 500:.2f}" == "0.18"


@given(
    st.lists(st.integers(0, 40), min_size=3, max_size=3),
)
@settings(max_examples=200, deadline=None)
def test_any_runs_are_compatible_with_their_own_printed_figures(runs):
    values = 100 * np.array(runs) / 40
    mean = f"{values.mean():.2f}"
    for kind, ddof in (("sample", 1), ("population", 0)):
        deviation = f"{values.std(ddof=ddof):.2f}"
        assert (sum(runs), kind) in forensics.compatible(mean, 40, 3, deviation)


def test_sums_of_squares_agree_with_all_small_runs():
    for remainder, limit in itertools.product(range(3), (30,)):
        brute = {
            3 * sum(k * k for k in runs) - sum(runs) ** 2
            for runs in itertools.product(range(-9, 10), repeat=3)
            if sum(runs) % 3 == remainder
        }
        assert forensics.possible_squares(remainder, 3, limit) == {
            one for one in brute if one <= limit
        }


def test_mcnemar_p_over_every_discordance_holds_the_true_one():
    rng = np.random.default_rng(0)
    first, second = (rng.random(300) < share for share in (0.6, 0.5))
    found = mcnemar_exact(first, second)
    _, most = forensics.discordance_limits(first.mean(), second.mean())
    low, high = forensics.pair_tails(int(first.sum() - second.sum()), round(most * 300))
    assert low <= found.p <= high
    assert forensics.pair_tails(0, 100) == (1.0, 1.0)


def test_printed_figures_keep_their_last_digit():
    assert forensics.Printed.read("73.1").allows(73.149)
    assert not forensics.Printed.read("73.10").allows(73.149)
