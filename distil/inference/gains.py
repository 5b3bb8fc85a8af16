"""Paired comparisons of two variants, intervals for one accuracy, and simultaneous bands.

>>> gain = paired_gain([1, 0, 1, 0, 0, 1, -1, 1])
>>> f"{gain.estimate:.3f} ({gain.low:.3f} to {gain.high:.3f}), p {gain.p:.3f}"
'0.375 (-0.247 to 0.997), p 0.197'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

from distil.inference.clusters import NO_VARIATION, clustered_contrast, too_few
from distil.inference.estimates import (
    Estimate,
    as_matrix,
    cluster_codes,
    cluster_sums,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

SEEDS_ONLY_WARNING = (
    "seeds only: the questions are taken as fixed, so that with five seeds this test alone "
    "rejects a true null far more often than it says"
)
TOO_FEW = "too few independent clusters for a test: the interval is all there is"


def accuracy(right: ArrayLike, clusters: ArrayLike | None = None, alpha: float = 0.05) -> Estimate:
    """Share of right answers with a Wilson interval at the effective number of questions.

    The estimand is the expected accuracy over questions like these. Answers of several seeds to
    one question, and questions of one cluster, are not independent: the Wilson interval (Wilson
    1927) is taken at the number of independent answers that would give the same variance, times
    (t(n - 1)/t(df))^2 for the few clusters that this variance is estimated from (Korn and Graubard,
    Survey Methodology 24, 1998). For one run of unrelated questions this is the plain Wilson
    interval.

    Args:
        right: 0 or 1, shape (questions,) or (questions, seeds).
        clusters: Labels of shape (questions,), or None.
        alpha: One minus the confidence level.

    Returns:
        The estimate; `extra["effective"]` is the effective number of answers. `p` is 1: an
        accuracy alone tests nothing.

    >>> found = accuracy([[1, 1], [1, 0], [0, 0], [1, 1]])
    >>> [round(value, 3) for value in (found.estimate, found.low, found.high)]
    [0.625, 0.222, 0.907]
    """
    matrix = as_matrix(right, "right")
    codes = cluster_codes(clusters, len(matrix))
    mean, count = float(matrix.mean()), int(codes.max()) + 1
    binary_spread, variance, df = mean * (1 - mean), 0.0, float("inf")
    if count > 1:
        found = clustered_contrast(matrix.mean(axis=1), codes)
        variance, df = found.se**2, found.df
    if matrix.shape[1] == 1 and count == len(matrix):
        effective = float(count)
    elif binary_spread > 0 and variance > NO_VARIATION:
        # More seeds must not make an answer to one question count as several questions.
        effective = min(binary_spread / variance, float(matrix.size))
    else:
        effective = float(count)
    if 1 < count < len(matrix) and variance > NO_VARIATION:
        quantiles = stats.t.ppf(1 - alpha / 2, [len(matrix) - 1, df])
        effective *= float((quantiles[0] / quantiles[1]) ** 2)
    low, high = proportion_confint(mean * effective, effective, alpha, method="wilson")
    note = "one cluster of questions only: nothing is known about others" if count < 2 else ""
    if count < 2 and len(matrix) > 1:
        low, high = 0.0, 1.0
    return Estimate(
        estimate=mean,
        low=min(float(low), mean),
        high=max(float(high), mean),
        p=1.0,
        se=float(np.sqrt(variance)),
        n=len(matrix),
        clusters=count,
        df=df,
        test="Wilson interval",
        note=note,
        extra={"effective": effective},
        testable=False,
    )


def wilson(successes: int, total: int, alpha: float = 0.05) -> Estimate:
    """Wilson interval for a count, where single answers are not known.

    Args:
        successes: Number of right answers.
        total: Number of questions.
        alpha: One minus the confidence level.

    Returns:
        The estimate.

    Raises:
        ValueError: If the count is impossible.

    >>> found = wilson(81, 263)
    >>> round(found.low, 4), round(found.high, 4)
    (0.2553, 0.3662)
    """
    if not 0 <= successes <= total or total < 1:
        raise ValueError(f"successes {successes} of total {total}: not a count of right answers")
    share = successes / total
    low, high = proportion_confint(successes, total, alpha, method="wilson")
    return Estimate(
        estimate=share,
        low=min(float(low), share),
        high=max(float(high), share),
        p=1.0,
        se=float(np.sqrt(share * (1 - share) / total)),
        n=total,
        clusters=total,
        df=float("inf"),
        test="Wilson interval",
        testable=False,
    )


def _untestable(mean: float, n: int, clusters: int, test: str, note: str) -> Estimate:
    """A mean difference that has no interval but the widest one, and no test."""
    return Estimate(mean, -1.0, 1.0, 1.0, 0.0, n, clusters, 0.0, test, note, testable=False)


def _without_variation(mean: float, count: int, alpha: float) -> tuple[float, float, float, bool]:
    """Interval, p and whether it is a test's, where all clusters agree: how many may yet disagree.

    With no deviating cluster among `count`, the exact (Clopper-Pearson) upper bound of their share
    is 1 - (alpha/2)^(1/count); each could shift the difference down to -1 or up to +1. p is that
    of the sign test, which has nothing to count where the difference is 0 in every cluster.
    """
    share = 1 - (alpha / 2) ** (1 / count)
    differs = abs(mean) >= NO_VARIATION
    p = min(1.0, 2 * 0.5**count) if differs else 1.0
    return mean - share * (mean + 1), mean + share * (1 - mean), p, differs


def paired_gain(
    differences: ArrayLike,
    clusters: ArrayLike | None = None,
    alpha: float = 0.05,
    strata: ArrayLike | None = None,
) -> Estimate:
    """Mean paired difference by least squares with standard errors clustered by question.

    The estimand is the expected difference of accuracy between two variants on questions like
    these, for these seeds. Each question's mean difference over the seeds is regressed on a
    constant, or on its strata, whose coefficients are then weighted as the strata occur here
    (post-stratification: the estimate stays the mean, differences between strata leave its
    variance). The covariance is CR1 from 40 clusters on and CR2 with Satterthwaite's degrees of
    freedom below (`distil.inference.clusters`).

    Args:
        differences: First minus second variant, -1, 0 or 1, shape (questions, seeds).
        clusters: Labels of shape (questions,), or None.
        alpha: One minus the confidence level.
        strata: Labels of shape (questions,), or None. A stratum needs two clusters.

    Returns:
        The estimate. With a single cluster the interval is [-1, 1] and p is 1; where all clusters
        agree the interval says how many unseen ones could still differ; below four degrees of
        freedom p is 1, with a note. `extra` holds the mean of each stratum.

    >>> found = paired_gain([[1, 0], [0, 0], [1, 1], [0, -1], [1, 1], [0, 0]])
    >>> [round(value, 3) for value in (found.estimate, found.low, found.high, found.p)]
    [0.333, -0.302, 0.969, 0.235]
    """
    matrix = as_matrix(differences, "differences")
    codes = cluster_codes(clusters, len(matrix))
    values, count, test = matrix.mean(axis=1), int(codes.max()) + 1, "paired OLS, clustered"
    mean = float(matrix.mean())
    if count < 2:
        note = "one cluster of questions only: no interval can be given"
        return _untestable(mean, len(matrix), count, test, note)
    design, weights, extra, note = _stratified(values, codes, strata)
    found = clustered_contrast(values, codes, design, weights)
    if not found.se:
        low, high, p, differs = _without_variation(mean, count, alpha)
        note = "every cluster of questions shows the same difference: exact bounds instead of OLS"
        n, df = len(matrix), count - 1
        return Estimate(mean, low, high, p, 0.0, n, count, df, test, note, extra, differs)
    low, high = found.interval(alpha)
    # A symmetric interval may reach past what a difference of accuracies can be.
    limit = 1.0 if np.abs(matrix).max() <= 1 else np.inf
    few = too_few(found.df)
    return Estimate(
        estimate=mean,
        low=max(low, -limit),
        high=min(high, limit),
        p=1.0 if few else found.p,
        se=found.se,
        n=len(matrix),
        clusters=count,
        df=found.df,
        test=f"{test}, {found.method}" + (", post-stratified" if extra else ""),
        note="; ".join(filter(None, (note, TOO_FEW if few else ""))),
        extra=extra,
        testable=not few,
    )


def _stratified(
    values: np.ndarray, codes: np.ndarray, strata: ArrayLike | None
) -> tuple[np.ndarray | None, np.ndarray, dict[str, float], str]:
    """Design and weights of the strata, the mean of each, and why they are not used, if so."""
    if strata is None or len(names := np.unique(np.asarray(strata).astype(str))) < 2:
        return None, np.ones(1), {}, ""
    labels = np.asarray(strata).astype(str)
    for name in names:
        if len(set(codes[labels == name])) < 2:
            note = f"stratum {name} is a single cluster: the strata are not used"
            return None, np.ones(1), {}, note
    design = (labels[:, None] == names).astype(float)
    means = {str(name): float(values[labels == name].mean()) for name in names}
    return design, design.mean(axis=0), means, ""


def resample(
    sums: np.ndarray, sizes: np.ndarray, replicates: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw clusters with replacement and return the mean of each column in each replicate.

    Args:
        sums: Cluster sums, shape (clusters, columns).
        sizes: Cluster sizes, shape (clusters,).
        replicates: Number of bootstrap samples.
        rng: Source of randomness.

    Returns:
        An array of shape (replicates, columns).

    >>> sums, sizes = np.array([[1.0], [3.0]]), np.array([1.0, 1.0])
    >>> drawn = resample(sums, sizes, 4, np.random.default_rng(0))
    >>> drawn[:, 0].tolist()
    [3.0, 2.0, 1.0, 1.0]
    """
    count, means = len(sizes), np.empty((replicates, sums.shape[1]))
    # Blocks bound the memory: 1,000 x 651 weights are 5 MB whatever the number of replicates.
    for start in range(0, replicates, 1000):
        block = min(1000, replicates - start)
        drawn = rng.integers(0, count, size=(block, count), dtype=np.int64)
        drawn += np.arange(block)[:, None] * count
        weights = np.bincount(drawn.ravel(), minlength=block * count)
        weights = weights.reshape(block, count).astype(float)
        # einsum, not @: the same bits under every BLAS, and no threads that wait for each other.
        totals = np.einsum("rc,ck->rk", weights, sums)
        means[start : start + block] = totals / np.einsum("rc,c->r", weights, sizes)[:, None]
    return means


def bootstrap_gain(
    differences: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    replicates: int = 10_000,
    seed: int = 0,
    alpha: float = 0.05,
) -> Estimate:
    """Bootstrap interval of the mean difference with both questions and seeds random.

    The estimand is the expected difference for new questions and new seeds. Clusters of questions
    and seeds are drawn independently with replacement. This pigeonhole bootstrap counts the
    interaction of questions and seeds up to three times and the seeds' variance (m - 1)/m times
    (Owen, Annals of Applied Statistics 1, 2007); so its deviations are scaled to the unbiased
    variance of the two-way layout, and widened from the normal to Student's t with Satterthwaite's
    degrees of freedom, which matters where few seeds carry much of the variance.

    Args:
        differences: First minus second variant, shape (questions, seeds).
        clusters: Labels of shape (questions,), or None.
        replicates: Number of bootstrap samples.
        seed: Seed of the random numbers.
        alpha: One minus the confidence level.

    Returns:
        The estimate with a basic (reflected) bootstrap interval.

    >>> found = bootstrap_gain([[1, 0], [0, 0], [1, 1], [0, -1], [1, 1], [0, 0]], replicates=500)
    >>> found.estimate, found.df, round(found.p, 3)
    (0.3333333333333333, 3.9200000000000004, 1.0)
    """
    from distil.inference.variance import variance_of_mean

    matrix = as_matrix(differences, "differences")
    codes = cluster_codes(clusters, len(matrix))
    sums, sizes = cluster_sums(matrix, codes)
    mean, count, seeds = float(matrix.mean()), len(sizes), matrix.shape[1]
    test = "bootstrap over questions and seeds"
    if count < 2:
        note = "one cluster of questions only: no interval can be given"
        return _untestable(mean, len(matrix), count, test, note)
    rng = np.random.default_rng(seed)
    means = resample(sums, sizes, replicates, rng)
    chosen = rng.integers(0, seeds, size=(replicates, seeds))
    deviations = np.take_along_axis(means, chosen, axis=1).mean(axis=1) - mean
    spread = float(deviations.std())
    variance, df = variance_of_mean(matrix, codes)
    if spread < NO_VARIATION or variance < NO_VARIATION**2:
        low, high, p, differs = _without_variation(mean, count, alpha)
        note = "every cluster of questions shows the same difference: exact bounds instead"
        n = len(matrix)
        return Estimate(mean, low, high, p, 0.0, n, count, df, test, note, testable=differs)
    se = float(np.sqrt(variance))
    widening = float(stats.t.ppf(1 - alpha / 2, df) / stats.norm.ppf(1 - alpha / 2))
    scaled = deviations * (se / spread) * widening
    below, above = np.quantile(scaled, [alpha / 2, 1 - alpha / 2])
    notes = [] if seeds > 1 else ["one seed: nothing is known about the spread between seeds"]
    few = too_few(df)
    limit = 1.0 if np.abs(matrix).max() <= 1 else np.inf
    return Estimate(
        estimate=mean,
        low=max(mean - float(above), -limit),
        high=min(mean - float(below), limit),
        p=1.0 if few else float(2 * stats.t.sf(abs(mean) / se, df)),
        se=se,
        n=len(matrix),
        clusters=count,
        df=df,
        test=test,
        note="; ".join([*notes, TOO_FEW] if few else notes),
        testable=not few,
    )


def mcnemar_exact(first: ArrayLike, second: ArrayLike, alpha: float = 0.05) -> Estimate:
    """Exact McNemar test of one run against another on the same questions.

    The estimand is the difference of the two accuracies; only questions on which the runs disagree
    tell. Under the null each of these goes either way with probability one half (McNemar,
    Psychometrika 12, 1947). The interval is Newcombe's for paired proportions (Statistics in
    Medicine 17, 1998, pp. 2635-2650, method 10), which also holds where the gain is not zero.

    Args:
        first: 0 or 1, shape (questions,).
        second: 0 or 1, shape (questions,).
        alpha: One minus the confidence level.

    Returns:
        The estimate; `extra` holds the table: `both`, `first_only`, `second_only`, `neither`.

    Raises:
        ValueError: If the two differ in length.

    >>> first, second = np.repeat([1, 0], [60, 40]), np.repeat([1, 0, 1, 0], [50, 10, 4, 36])
    >>> found = mcnemar_exact(first, second)
    >>> [round(value, 3) for value in (found.estimate, found.low, found.high, found.p)]
    [0.06, -0.015, 0.133, 0.18]
    """
    one, two = as_matrix(first, "first")[:, 0] > 0.5, as_matrix(second, "second")[:, 0] > 0.5
    if len(one) != len(two):
        raise ValueError(f"first has {len(one)} answers, second {len(two)}: pair them first")
    both, neither = int((one & two).sum()), int((~one & ~two).sum())
    gained, lost, n = int((one & ~two).sum()), int((~one & two).sum()), len(one)
    extra = {"both": both, "first_only": gained, "second_only": lost, "neither": neither}
    discordant = gained + lost
    if discordant == 0:
        low, high, p, differs = _without_variation(0.0, n, alpha)
        note = "the runs agree on every question"
        return Estimate(0.0, low, high, p, 0.0, n, n, n - 1, "exact McNemar", note, extra, differs)
    low, high = newcombe(both, gained, lost, neither, alpha)
    share = discordant / n
    difference = (gained - lost) / n
    return Estimate(
        estimate=difference,
        low=low,
        high=high,
        p=float(mcnemar([[both, gained], [lost, neither]], exact=True).pvalue),
        se=float(np.sqrt(max(share - difference**2, 0.0) / n)),
        n=n,
        clusters=n,
        df=float("inf"),
        test="exact McNemar",
        extra=extra,
    )


def newcombe(
    both: int, first_only: int, second_only: int, neither: int, alpha: float = 0.05
) -> tuple[float, float]:
    """Interval of a difference of paired proportions by Newcombe's method 10.

    The Wilson intervals of the two proportions are combined with the correlation phi of the pairs,
    corrected for continuity (Newcombe, Statistics in Medicine 17, 1998, pp. 2635-2650; R:
    `PropCIs`, `ratesci::pairbinci`). No Python library has it.

    Args:
        both: Questions that both runs had right.
        first_only: Questions that the first alone had right.
        second_only: Questions that the second alone had right.
        neither: Questions that neither had right.
        alpha: One minus the confidence level.

    Returns:
        Lower and upper end of first minus second, as proportions.

    >>> low, high = newcombe(36, 12, 2, 0)
    >>> round(low, 4), round(high, 4)
    (0.0569, 0.3404)
    """
    n = both + first_only + second_only + neither
    first, second = (both + first_only) / n, (both + second_only) / n
    ends = [proportion_confint(share * n, n, alpha, method="wilson") for share in (first, second)]
    (low_1, high_1), (low_2, high_2) = ends
    cross = both * neither - first_only * second_only
    corrected = max(cross - n / 2, 0.0) if cross > 0 else float(cross)
    margins = (first * (1 - first) * second * (1 - second)) ** 0.5 * n * n
    phi = corrected / margins if margins > 0 else 0.0
    below, above = (
        float(np.sqrt(max(own**2 - 2 * phi * own * other + other**2, 0.0)))
        for own, other in ((first - low_1, high_2 - second), (high_1 - first, second - low_2))
    )
    return first - second - below, first - second + above


def seeds_t(gains: ArrayLike, alpha: float = 0.05) -> Estimate:
    """Student's t over the seeds' mean gains, always with its warning.

    The estimand is the mean gain of new seeds on exactly these questions. All seeds answer the
    same questions, so their agreement says nothing about other questions.

    Args:
        gains: One mean difference per seed, shape (seeds,).
        alpha: One minus the confidence level.

    Returns:
        The estimate; `note` carries the warning.

    >>> found = seeds_t([0.05, 0.04, 0.06])
    >>> [round(value, 4) for value in (found.estimate, found.low, found.high, found.p)]
    [0.05, 0.0252, 0.0748, 0.0131]
    """
    values = as_matrix(gains, "gains")[:, 0]
    mean, count, test = float(values.mean()), len(values), "t over seeds"
    if count < 2:
        note = "one seed: no spread between seeds; " + SEEDS_ONLY_WARNING
        return _untestable(mean, 0, 0, test, note)
    spread = float(values.std(ddof=1))
    if spread < NO_VARIATION:
        low, high, p, differs = _without_variation(mean, count, alpha)
        note = "all seeds equal: exact bounds; " + SEEDS_ONLY_WARNING
        return Estimate(mean, low, high, p, 0.0, 0, 0, count - 1, test, note, testable=differs)
    found = stats.ttest_1samp(values, 0.0)
    low, high = found.confidence_interval(1 - alpha)
    return Estimate(
        estimate=mean,
        low=float(low),
        high=float(high),
        p=float(found.pvalue),
        se=spread / float(np.sqrt(count)),
        n=0,
        clusters=0,
        df=count - 1,
        test=test,
        note=SEEDS_ONLY_WARNING,
        extra={"sd": spread, "sd_population": float(values.std(ddof=0))},
    )


def largest_deviation(draws: np.ndarray, df: float, alpha: float) -> float:
    """Critical value of the largest of several standardised deviations.

    Args:
        draws: Bootstrapped deviations, shape (replicates, points), each point with some spread.
        df: Degrees of freedom of the standard errors that it multiplies.
        alpha: One minus the simultaneous confidence level.

    Returns:
        The 1 - alpha quantile of the largest, on the scale of Student's t: the level that one
        normal variable would need for that quantile, read off t instead.

    >>> draws = np.random.default_rng(0).normal(size=(10_000, 3))
    >>> [round(largest_deviation(draws, df, 0.05), 1) for df in (float("inf"), 9.0)]
    [2.4, 3.0]
    """
    spread = draws.std(axis=0)
    still = spread < NO_VARIATION
    largest = np.abs(draws[:, ~still] / spread[~still]).max(axis=1) if not still.all() else [0.0]
    quantile = float(np.quantile(largest, 1 - alpha))
    return float(stats.t.isf(stats.norm.sf(quantile), df))


def simultaneous_band(
    differences: list[ArrayLike] | np.ndarray,
    clusters: ArrayLike | None = None,
    *,
    replicates: int = 10_000,
    seed: int = 0,
    alpha: float = 0.05,
) -> pd.DataFrame:
    """Band that holds at all checkpoints (or levels) at once, by the bootstrapped maximum of |t|.

    The estimands are the mean differences at each point, for these seeds. Clusters of questions
    are drawn once for all points, so their correlation is kept; the critical value is the
    1 - alpha quantile of the largest deviation, each divided by its own spread over the draws
    (Romano and Wolf, JASA 100, 2005), widened from the normal to Student's t where clusters are
    few, and never below the pointwise one.

    Args:
        differences: One matrix (questions, seeds) per point.
        clusters: Labels of shape (questions,), or None.
        replicates: Number of bootstrap samples.
        seed: Seed of the random numbers.
        alpha: One minus the simultaneous confidence level.

    Returns:
        A frame with one row per point: estimate, se, low, high (simultaneous), point_low,
        point_high (pointwise) and critical.

    >>> points = [[1, 0, 0, 1, 0, 1], [1, 1, 0, 1, 0, 0]]
    >>> band = simultaneous_band(points, replicates=500)
    >>> band[["estimate", "low", "high"]].round(2).to_numpy().tolist()
    [[0.5, -0.24, 1.24], [0.5, -0.24, 1.24]]
    """
    matrices = [as_matrix(points, "differences") for points in differences]
    codes = cluster_codes(clusters, len(matrices[0]))
    columns = np.stack([matrix.mean(axis=1) for matrix in matrices], axis=1)
    sums, sizes = cluster_sums(columns, codes)
    means = columns.mean(axis=0)
    single = [paired_gain(matrix, codes, alpha) for matrix in matrices]
    se = np.array([estimate.se for estimate in single])
    moving = se > NO_VARIATION
    df = max(min((one.df for one in single if one.se > NO_VARIATION), default=1.0), 1.0)
    critical = float(stats.t.ppf(1 - alpha / 2, df))
    if moving.any() and len(sizes) > 1:
        draws = resample(sums, sizes, replicates, np.random.default_rng(seed)) - means
        critical = max(critical, largest_deviation(draws[:, moving], df, alpha))
    low = np.where(moving, means - critical * se, [estimate.low for estimate in single])
    high = np.where(moving, means + critical * se, [estimate.high for estimate in single])
    return pd.DataFrame(
        {
            "estimate": means,
            "se": se,
            "low": low,
            "high": high,
            "point_low": [estimate.low for estimate in single],
            "point_high": [estimate.high for estimate in single],
            "critical": critical,
        }
    )
