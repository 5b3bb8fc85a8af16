"""Own estimators against those of statsmodels and scipy.stats, on random studies."""

import subprocess
import sys
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.contingency_tables import cochrans_q, mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import DescrStatsW

from distil.inference.estimates import clustered_fit
from distil.inference.gains import equivalence, mcnemar_exact, paired_gain, seeds_t, wilson
from distil.inference.levels import any_difference, difference_of_means, holm, section_interaction
from distil.inference.power import detectable_gain, equivalence_power, gain_power
from distil.inference.tails import upper_tail

# Random right answers of a study: numpy's seed, questions, seeds, questions to a cluster.
STUDIES = st.tuples(
    st.integers(0, 10**6), st.integers(12, 80), st.integers(1, 5), st.sampled_from([1, 2, 5])
)
ALPHAS = st.sampled_from([0.1, 0.05, 0.01])


def draw(study):
    """Right answers of student and base, shape (questions, seeds), and the clusters."""
    seed, questions, seeds, size = study
    rng = np.random.default_rng(seed)
    student, base = (
        (rng.random((questions, seeds)) < share).astype(float) for share in rng.uniform(0.1, 0.9, 2)
    )
    return student, base, np.arange(questions) // size


def same(found, low, high, p):
    """Whether an estimate has these bounds and this p."""
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-9, abs=1e-12)
    assert found.p == pytest.approx(p, rel=1e-9, abs=1e-12)


@given(study=STUDIES, alpha=ALPHAS)
@settings(max_examples=40, deadline=None)
def test_the_paired_gain_is_the_clustered_ols_of_statsmodels(study, alpha):
    student, base, clusters = draw(study)
    found = paired_gain(student - base, clusters, alpha)
    frame = pd.DataFrame({"value": (student - base).ravel()})
    groups = clusters.repeat(student.shape[1])
    fit = ols("value ~ 1", frame).fit(cov_type="cluster", cov_kwds={"groups": groups}, use_t=True)
    if found.se > 0:
        low, high = fit.conf_int(alpha).loc["Intercept"]
        same(found, max(low, -1.0), min(high, 1.0), fit.pvalues["Intercept"])
        assert found.se == pytest.approx(fit.bse["Intercept"])


@given(study=STUDIES, alpha=ALPHAS)
@settings(max_examples=40, deadline=None)
def test_least_squares_of_sections_is_the_clustered_ols_of_statsmodels(study, alpha):
    student, base, clusters = draw(study)
    values = (student - base).mean(axis=1)
    sections = np.random.default_rng(study[0]).choice(["fs", "js", "tp"], len(values))
    frame = pd.DataFrame({"value": values, "section": sections})
    fit = ols("value ~ C(section)", frame).fit(
        cov_type="cluster", cov_kwds={"groups": clusters}, use_t=True
    )
    design = np.asarray(fit.model.exog)
    fitted, covariance = clustered_fit(design, values, clusters)
    assert fitted == pytest.approx(fit.params.to_numpy(), abs=1e-12)
    assert covariance == pytest.approx(fit.cov_params().to_numpy(), abs=1e-12)

    joint = section_interaction(values, sections, clusters)
    if not joint.note:
        wald = fit.f_test(np.eye(design.shape[1])[1:])
        assert joint.estimate == pytest.approx(float(np.squeeze(wald.fvalue)))
        assert joint.p == pytest.approx(float(wald.pvalue))

    inside = sections == "fs"
    if inside.any() and not inside.all():
        single = ols("value ~ inside", frame.assign(inside=inside.astype(float))).fit(
            cov_type="cluster", cov_kwds={"groups": clusters}, use_t=True
        )
        found = difference_of_means(values, inside, clusters, alpha)
        if not found.note:
            low, high = single.conf_int(alpha).loc["inside"]
            same(found, low, high, single.pvalues["inside"])


def test_clusters_whose_questions_cancel_out_give_no_interval():
    values, clusters = np.tile([1.0, -1.0], 12), np.arange(24) // 2
    sections = np.repeat(["fs", "js", "tp"], 8)
    joint = section_interaction(values, sections, clusters)
    assert (joint.p, joint.estimate) == (1.0, 0.0)
    assert joint.note
    single = difference_of_means(values, sections == "fs", clusters)
    assert (single.low, single.high, single.p) == (-2.0, 2.0, 1.0)
    assert single.note


@given(study=STUDIES, alpha=ALPHAS)
@settings(max_examples=40, deadline=None)
def test_single_runs_are_tested_as_by_statsmodels_and_scipy(study, alpha):
    student, base, _ = draw(study)
    one, two = student[:, 0], base[:, 0]
    right = int(one.sum())
    low, high = proportion_confint(right, len(one), alpha, method="wilson")
    same(wilson(right, len(one), alpha), low, high, 1.0)

    gained, lost = int((one > two).sum()), int((two > one).sum())
    found = mcnemar_exact(one, two, alpha)
    if gained + lost:
        low, high = proportion_confint(gained, gained + lost, alpha, method="beta")
        share = (gained + lost) / len(one)
        test = mcnemar([[0, gained], [lost, 0]], exact=True)
        same(found, (2 * low - 1) * share, (2 * high - 1) * share, min(1.0, test.pvalue))

    gains = (student - base).mean(axis=0)
    if len(gains) > 1 and gains.std() > 0:
        test = stats.ttest_1samp(gains, 0.0)
        low, high = test.confidence_interval(1 - alpha)
        same(seeds_t(gains, alpha), low, high, test.pvalue)

    values = (student - base).mean(axis=1)
    if values.std() > 0:
        described = DescrStatsW(values)
        low, high = described.tconfint_mean(alpha)
        p = described.ttost_mean(0.0, 0.1)[0]
        same(equivalence(values, 0.05, 0.05, alpha=alpha), low, high, p)


@given(study=STUDIES)
@settings(max_examples=40, deadline=None)
def test_levels_are_tested_as_by_statsmodels(study):
    rng = np.random.default_rng(study[0])
    right = (rng.random((study[1], 6)) < rng.uniform(0.1, 0.9, 6)).astype(float)
    found, expected = any_difference(right), cochrans_q(right)
    assert found.estimate == pytest.approx(expected.statistic)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-9, abs=1e-12)
    values = rng.random(int(rng.integers(1, 12)))
    # statsmodels collects garbage at every call, which takes a second among so many modules.
    with mock.patch("gc.collect"):
        adjusted = multipletests(values, method="holm")[1]
    assert holm(values) == pytest.approx(adjusted)


@pytest.mark.parametrize("df", [3.0, 17.5, 200.0, float("inf")])
def test_power_is_that_of_the_distributions_of_scipy(df):
    t = stats.norm if df == float("inf") else stats.t(df)
    critical, shift = t.ppf(0.975), 1.7
    moved = stats.norm(shift) if df == float("inf") else stats.nct(df, shift)
    power = moved.sf(critical) + moved.cdf(-critical)
    assert gain_power(shift, 1.0, df) == pytest.approx(power, rel=1e-9)
    assert upper_tail(shift, df) == pytest.approx(t.sf(shift), rel=1e-12)
    assert detectable_gain(2.0, df) == pytest.approx(2 * (critical + t.ppf(0.8)))
    shown = max(0.0, 2 * stats.norm.cdf(3.0 - t.ppf(0.95)) - 1)
    assert equivalence_power(1.0, 3.0, df) == pytest.approx(shown)


def test_tables_load_neither_statsmodels_nor_scipys_distributions():
    """Each takes longer to load than most tables to make."""
    code = (
        "import sys, distil.claims, distil.report.summaries\n"
        "print([name for name in ('statsmodels', 'scipy.stats') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
