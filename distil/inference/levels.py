"""Tests over response lengths: any difference, a trend, and contrasts of sections.

>>> slope = trend([[1, 1, 0], [1, 0, 0], [1, 1, 1], [1, 0, 1]], words=[40, 20, 10])
>>> f"{100 * slope.estimate:.0f} points per doubling of the words, p {slope.p:.2f}"
'25 points per doubling of the words, p 0.30'
"""

from __future__ import annotations

import itertools
import warnings
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.multitest import multipletests

from distil.inference.clusters import MANY, NO_VARIATION, clustered_contrast, joint_test, too_few
from distil.inference.estimates import (
    Estimate,
    as_matrix,
    cluster_codes,
    cluster_sums,
)
from distil.inference.gains import TOO_FEW, largest_deviation, paired_gain, resample

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike


def holm(values: Sequence[float]) -> np.ndarray:
    """Holm's adjusted p-values (Scandinavian Journal of Statistics 6, 1979), in the given order.

    Args:
        values: P-values of the declared family.

    Returns:
        An array of the same length; empty for an empty family.

    >>> holm([0.01, 0.04, 0.03, 0.005]).round(3).tolist()
    [0.03, 0.06, 0.06, 0.02]
    """
    given = np.asarray(values, dtype=float)
    return multipletests(given, method="holm")[1] if len(given) else given


def any_difference(levels: ArrayLike, clusters: ArrayLike | None = None) -> Estimate:
    """Cochran's Q: do the levels differ at all.

    The statistic is (L - 1) sum_l (T_l - mean T)^2 / sum of squares within rows. For one run, with
    values 0 and 1, this is Cochran's Q (Biometrika 37, 1950); for means over seeds, or sums over
    a cluster, its permutation form.

    Args:
        levels: Mean right answers, shape (questions, levels).
        clusters: Labels of shape (questions,), or None.

    Returns:
        The estimate is Q; the reference is chi-square with levels - 1 degrees of freedom.

    >>> found = any_difference([[1, 1, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1]])
    >>> round(found.estimate, 3), round(found.p, 3)
    (4.667, 0.097)
    """
    matrix = as_matrix(levels, "levels")
    sums, _ = cluster_sums(matrix, cluster_codes(clusters, len(matrix)))
    count, df = sums.shape[1], sums.shape[1] - 1
    within = ((sums - sums.mean(axis=1, keepdims=True)) ** 2).sum()
    test, n = "Cochran Q", len(matrix)
    if df < 1 or within == 0:
        note = "no question whose answers differ between levels" if df else "one level"
        return Estimate(0.0, 0.0, 0.0, 1.0, 0.0, n, len(sums), df, test, note)
    totals = sums.sum(axis=0)
    statistic = (count - 1) * float(((totals - totals.mean()) ** 2).sum()) / float(within)
    p = float(stats.chi2.sf(statistic, df))
    return Estimate(statistic, statistic, statistic, p, 0.0, n, len(sums), df, test)


def trend(
    levels: ArrayLike,
    words: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    permutations: int = 9_999,
    seed: int = 0,
    alpha: float = 0.05,
) -> Estimate:
    """Does accuracy follow the log of the level's mean words, within questions.

    The estimand is the slope of accuracy per doubling of the words. Under the null the answers to
    one question could be exchanged between levels; permuting them within each cluster of questions
    (all seeds together) gives the reference. Rows whose answers do not differ contribute nothing,
    and tied answers shrink the variance exactly as they should. With levels scored 1, 2, 3, ...
    and ranks for answers this is Page's test (JASA 58, 1963) with its correction for ties.

    Args:
        levels: Mean right answers, shape (questions, levels).
        words: Mean words of each level, shape (levels,), all above zero.
        clusters: Labels of shape (questions,), or None.
        permutations: Random permutations for p; 0 takes the normal approximation.
        seed: Seed of the random numbers.
        alpha: One minus the confidence level of the slope's interval.

    Returns:
        The estimate is the slope per doubling, its interval that of the per-cluster slopes; p is
        two-sided from the permutations; `extra` holds `slope_p`, the least squares' own, which
        `testable` is about, and `z` and `normal_p` of the permutations' normal limit.

    Raises:
        ValueError: If words are not positive or their number is not that of the levels.

    >>> found = trend([[1, 1, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1]], words=[40, 20, 10])
    >>> round(found.estimate, 3), found.p
    (0.375, 0.0758)
    """
    matrix = as_matrix(levels, "levels")
    scores = np.asarray(words, dtype=float)
    if scores.shape != (matrix.shape[1],) or not (scores > 0).all():
        raise ValueError(f"words: {matrix.shape[1]} positive means expected, got {scores}")
    scores = np.log2(scores) - np.log2(scores).mean()
    spread = float((scores**2).sum())
    codes = cluster_codes(clusters, len(matrix))
    test = "permutation trend on log words"
    if spread == 0:
        note = "all levels have the same mean words: no trend can be asked for"
        extra = {"z": 0.0, "normal_p": 1.0, "statistic": 0.0, "slope_p": 1.0}
        n, groups = len(matrix), int(codes.max()) + 1
        return Estimate(0.0, -1.0, 1.0, 1.0, 0.0, n, groups, 0.0, test, note, extra, testable=False)
    slopes = paired_gain((matrix @ scores) / spread, codes, alpha)
    sums, _ = cluster_sums(matrix, codes)
    centred = sums - sums.mean(axis=1, keepdims=True)
    moving = centred[(centred**2).sum(axis=1) > 0]
    statistic = float((moving @ scores).sum())
    variance = float((moving**2).sum()) * spread / max(matrix.shape[1] - 1, 1)
    if len(moving) == 0:
        note = "no question whose answers differ between levels"
        p, z = 1.0, 0.0
    else:
        note = slopes.note
        z = float(statistic / np.sqrt(variance))
        p = float(2 * stats.norm.sf(abs(z)))
    normal_p = p
    if permutations and len(moving):
        draws = _permuted(moving, scores, permutations, np.random.default_rng(seed))
        # A tolerance, so that permutations equal to the observed order count in spite of rounding.
        extreme = int((np.abs(draws) >= abs(statistic) - 1e-9).sum())
        p = (1 + extreme) / (1 + permutations)
    return Estimate(
        estimate=slopes.estimate,
        low=slopes.low,
        high=slopes.high,
        p=p,
        se=slopes.se,
        n=len(matrix),
        clusters=slopes.clusters,
        df=slopes.df,
        test=test,
        note=note,
        extra={"z": z, "normal_p": normal_p, "statistic": statistic, "slope_p": slopes.p},
        testable=slopes.testable,
    )


def slope_weights(words: ArrayLike) -> np.ndarray:
    """Weights of the levels' accuracies in the slope per doubling of the words.

    Args:
        words: Mean words of each level, shape (levels,), all above zero.

    Returns:
        An array of shape (levels,); zeros where all levels have the same words.

    >>> slope_weights([40, 20, 10]).round(3).tolist()
    [0.5, 0.0, -0.5]
    """
    scores = np.log2(np.asarray(words, dtype=float))
    scores -= scores.mean()
    spread = float((scores**2).sum())
    return scores / spread if spread else scores


def _permuted(
    rows: np.ndarray, scores: np.ndarray, permutations: int, rng: np.random.Generator
) -> np.ndarray:
    """Trend statistics under random reordering within each row, shape (permutations,)."""
    count = rows.shape[1]
    totals = np.zeros(permutations)
    if count <= 6:
        # All orders of one row at once (720 at most), then one draw per row and permutation.
        orders = np.array(list(itertools.permutations(scores)))
        outcomes = rows @ orders.T
        # Blocks bound the memory: 64 x 9,999 draws are 5 MB whatever the number of questions.
        for start in range(0, len(outcomes), 64):
            block = outcomes[start : start + 64]
            drawn = rng.integers(0, len(orders), size=(len(block), permutations))
            totals += np.take_along_axis(block, drawn, axis=1).sum(axis=0)
        return totals
    for row in rows:
        totals += rng.permuted(np.tile(row, (permutations, 1)), axis=1) @ scores
    return totals


def words_curve(
    levels: ArrayLike,
    words: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    points: int = 50,
    replicates: int = 2_000,
    seed: int = 0,
    alpha: float = 0.05,
) -> pd.DataFrame:
    """Straight line of accuracy on log words through the levels, with a simultaneous band.

    The estimand is the least-squares line through the levels' accuracies: a summary, not a law;
    the levels' own accuracies stand beside it. Clusters of questions are drawn with replacement,
    and the band covers the whole line at once by the largest standardised deviation.

    Args:
        levels: Mean right answers, shape (questions, levels).
        words: Mean words of each level, shape (levels,).
        clusters: Labels of shape (questions,), or None.
        points: Number of points on the line.
        replicates: Number of bootstrap samples.
        seed: Seed of the random numbers.
        alpha: One minus the simultaneous confidence level.

    Returns:
        A frame with words, accuracy, low, high, all but the first as proportions.

    >>> right = [[1, 1, 0], [1, 0, 0], [1, 1, 1]]
    >>> line = words_curve(right, [40, 20, 10], points=3, replicates=200)
    >>> line[["words", "accuracy"]].round(2).to_numpy().tolist()
    [[10.0, 0.33], [20.0, 0.67], [40.0, 1.0]]
    """
    matrix = as_matrix(levels, "levels")
    scores = np.log2(np.asarray(words, dtype=float))
    grid = np.linspace(scores.min(), scores.max(), points)
    design = np.column_stack([np.ones_like(scores), scores])
    project = np.column_stack([np.ones_like(grid), grid]) @ np.linalg.pinv(design)
    codes = cluster_codes(clusters, len(matrix))
    sums, sizes = cluster_sums(matrix, codes)
    line, count = project @ matrix.mean(axis=0), len(sizes)
    draws = resample(sums, sizes, replicates, np.random.default_rng(seed)) @ project.T - line
    se = draws.std(axis=0)
    moving = se > NO_VARIATION
    critical = 0.0
    if moving.any() and count > 1:
        # The draws give the shape of the band, CR2 its size and degrees of freedom.
        place = int(se.argmax())
        whole = clustered_contrast(matrix @ project[place], codes)
        se = se * whole.se / se[place]
        critical = largest_deviation(draws[:, moving], whole.df, alpha)
    return pd.DataFrame(
        {
            "words": 2.0**grid,
            "accuracy": line,
            "low": np.clip(line - critical * se, 0, 1),
            "high": np.clip(line + critical * se, 0, 1),
        }
    )


def section_contrast(
    drops: ArrayLike,
    sections: Sequence[str],
    section: str,
    clusters: ArrayLike | None = None,
    alpha: float = 0.05,
) -> Estimate:
    """Does one section lose more than every other one (intersection-union test).

    The estimand is the smallest of the differences between this section's mean drop and each other
    section's; the claim that it loses most is that all of them are above zero, so p is the largest
    of theirs (Berger, Technometrics 24, 1982) and needs no further correction. Where the smallest
    is not above zero, p is that contrast's, times the number of contrasts (Bonferroni).

    Args:
        drops: Accuracy at the longest minus at the shortest level, shape (questions, seeds).
        sections: Section of each question, length questions.
        section: The one said to lose most.
        clusters: Labels of shape (questions,), or None.
        alpha: One minus the confidence level.

    Returns:
        The contrast that binds (the smallest); `extra` holds every contrast by section.

    Raises:
        ValueError: If the section does not occur or is the only one.

    >>> drops = [0.5, 0.3, 0.6, 0.4, 0.1, 0.2, 0.1, 0.0]
    >>> found = section_contrast(drops, ["tp"] * 4 + ["fs"] * 4, "tp")
    >>> round(found.estimate, 3), round(found.p, 3)
    (0.35, 0.004)
    """
    matrix = as_matrix(drops, "drops").mean(axis=1, keepdims=True)
    names = np.asarray(sections)
    codes = cluster_codes(clusters, len(matrix))
    others = sorted(set(names.tolist()) - {section})
    if section not in names or not others:
        raise ValueError(f"section {section!r}: not among {sorted(set(names.tolist()))}, or alone")
    contrasts = {}
    for other in others:
        chosen = np.isin(names, [section, other])
        inside = names[chosen] == section
        contrasts[other] = difference_of_means(
            matrix[chosen][:, 0], inside, np.unique(codes[chosen], return_inverse=True)[1], alpha
        )
    binding = min(contrasts, key=lambda name: contrasts[name].estimate)
    found = contrasts[binding]
    # Against the claim one contrast below zero is enough, so there the others count as tries.
    p = max(contrast.p for contrast in contrasts.values())
    testable = all(contrast.testable for contrast in contrasts.values())
    if found.estimate <= 0:
        p, testable = min(1.0, len(contrasts) * found.p), found.testable
    return Estimate(
        estimate=found.estimate,
        # A difference of two differences of shares is at most 2, however few the clusters.
        low=max(found.low, -2.0),
        high=min(found.high, 2.0),
        p=p,
        se=found.se,
        n=len(matrix),
        clusters=int(codes.max()) + 1,
        df=found.df,
        test="section contrasts, intersection-union",
        note=found.note,
        extra={other: contrast.estimate for other, contrast in contrasts.items()},
        testable=testable,
    )


def difference_of_means(
    values: np.ndarray, inside: np.ndarray, codes: np.ndarray, alpha: float = 0.05
) -> Estimate:
    """Difference of the means of two groups of questions, by least squares, clustered.

    Args:
        values: One number per question, shape (questions,).
        inside: Whether a question is in the first group, shape (questions,).
        codes: Cluster numbers, shape (questions,).
        alpha: One minus the confidence level.

    Returns:
        First minus second. With too few clusters or no variation the interval is the widest there
        is and p is 1.

    >>> values, inside = np.array([5, 3, 6, 4, 1, 2, 0, 1.0]) / 10, np.repeat([True, False], 4)
    >>> found = difference_of_means(values, inside, np.arange(8))
    >>> round(found.estimate, 3), round(found.p, 3)
    (0.35, 0.004)
    """
    test, groups = "OLS, clustered", int(codes.max()) + 1
    difference = float(values[inside].mean() - values[~inside].mean())
    arms = min(len(set(codes[inside])), len(set(codes[~inside])))
    note, df = f"{arms} cluster in a group: no interval can be given", float(max(groups - 2, 0))
    if arms > 1:
        design = np.column_stack([np.ones(len(values)), inside.astype(float)])
        found = clustered_contrast(values, codes, design, (0.0, 1.0))
        note, df = "no variation between clusters: no interval can be given", found.df
    if arms < 2 or not found.se:
        return Estimate(
            difference, -2.0, 2.0, 1.0, 0.0, len(values), groups, df, test, note, testable=False
        )
    low, high = found.interval(alpha)
    few = too_few(df)
    return Estimate(
        estimate=difference,
        low=low,
        high=high,
        p=1.0 if few else found.p,
        se=found.se,
        n=len(values),
        clusters=groups,
        df=df,
        test=f"{test}, {found.method}",
        note=TOO_FEW if few else "",
        testable=not few,
    )


def section_interaction(
    values: ArrayLike, sections: Sequence[str], clusters: ArrayLike | None = None
) -> Estimate:
    """Do the sections differ at all in a figure of each question: section x level interaction.

    With each question's slope of accuracy on log words the null is that response length costs
    every section the same; with its drop from the longest to the shortest level, that all lose
    the same number of points. A joint Wald test of the sections' least-squares contrasts
    (`distil.inference.clusters.joint_test`). On the scale of points, as C7 and C8; `odds_ratios`
    gives the interaction on that of odds.

    Args:
        values: Shape (questions,) or (questions, seeds).
        sections: Section of each question, length questions.
        clusters: Labels of shape (questions,), or None.

    Returns:
        The estimate is F, `df` that of the denominator; `extra` holds `numerator_df`. p is 1 with
        a note where there is one section, too few clusters or a section without variation.

    >>> slopes = [0.5, 0.3, 0.6, 0.4, 0.1, 0.2, 0.0, 0.1]
    >>> found = section_interaction(slopes, ["tp"] * 4 + ["fs"] * 4)
    >>> round(found.estimate, 2), round(found.p, 3)
    (21.0, 0.004)
    """
    matrix = as_matrix(values).mean(axis=1)
    codes = cluster_codes(clusters, len(matrix))
    frame = pd.DataFrame({"value": matrix, "section": np.asarray(sections), "cluster": codes})
    groups, count = int(codes.max()) + 1, frame["section"].nunique()
    test, note = "OLS, clustered, joint F", ""
    extra = {"numerator_df": float(count - 1)}
    arms = frame.groupby("section")["cluster"].nunique()
    if count < 2:
        note = "one section"
    elif arms.min() < 2 or (frame.groupby("section")["value"].std().fillna(0) < 1e-12).any():
        note = "a section of one cluster, or without variation"
    if note:
        return Estimate(
            0.0, 0.0, 0.0, 1.0, 0.0, len(matrix), groups, 0.0, test, note, extra, testable=False
        )
    design = pd.get_dummies(frame["section"], drop_first=True, dtype=float)
    design.insert(0, "constant", 1.0)
    if _still(matrix, codes, frame["section"].to_numpy()):
        note = "the clusters of a section do not vary"
        return Estimate(
            0.0, 0.0, 0.0, 1.0, 0.0, len(matrix), groups, 0.0, test, note, extra, testable=False
        )
    contrasts = np.eye(count)[1:]
    statistic, df, p = joint_test(matrix, codes, design.to_numpy(), contrasts)
    few = too_few(df)
    return Estimate(
        estimate=statistic,
        low=statistic,
        high=statistic,
        p=1.0 if few else p,
        se=0.0,
        n=len(matrix),
        clusters=groups,
        df=df,
        test=test,
        note=TOO_FEW if few else "",
        extra=extra,
        testable=not few,
    )


def _still(values: np.ndarray, codes: np.ndarray, sections: np.ndarray) -> bool:
    """Tell whether the clusters of more than one section all have the section's own mean."""
    still = 0
    for name in np.unique(sections):
        inside = sections == name
        deviations = np.bincount(codes[inside], values[inside] - values[inside].mean())
        still += bool(np.abs(deviations).max() < 1e-9)
    return still > 1


def odds_ratios(frame: pd.DataFrame, formula: str, alpha: float = 0.05) -> pd.DataFrame:
    """Odds ratios by generalised estimating equations, answers of one cluster exchangeable.

    The estimands are population-averaged odds ratios of a right answer (Liang and Zeger,
    Biometrika 73, 1986), with the bias-reduced covariance of Mancl and DeRouen (Biometrics 57,
    2001) below 40 clusters. An odds ratio that runs away because a group is all right or all wrong
    is reported as not estimable.

    Args:
        frame: One row per answer with columns `right` (0 or 1), `cluster` and those of `formula`.
        formula: For example `right ~ C(level) * C(section)`.
        alpha: One minus the confidence level.

    Returns:
        A frame with term, odds_ratio, low, high, p and note.

    >>> frame = pd.DataFrame({"right": [1, 0, 1, 1, 0, 0, 1, 0], "level": [0, 1] * 4})
    >>> found = odds_ratios(frame.assign(cluster=[0, 0, 1, 1, 2, 2, 3, 3]), "right ~ level")
    >>> found[["term", "odds_ratio"]].round(3).to_numpy().tolist()
    [['Intercept', 3.0], ['level', 0.111]]
    """
    data = frame.sort_values("cluster", kind="stable")
    empty = pd.DataFrame(columns=["term", "odds_ratio", "low", "high", "p", "note"])
    if data["right"].nunique() < 2 or data["cluster"].nunique() < 2:
        return empty
    from statsmodels.formula.api import gee  # slow to load, and few tables ask for this
    from statsmodels.genmod.cov_struct import Exchangeable
    from statsmodels.genmod.families import Binomial
    from statsmodels.tools.sm_exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        model = gee(formula, "cluster", data, cov_struct=Exchangeable(), family=Binomial())
        few = data["cluster"].nunique() < MANY
        # It inverts matrices as large as a cluster, so it is used only where it makes a difference.
        fit = model.fit(maxiter=100, cov_type="bias_reduced" if few else "robust")
    bounds = fit.conf_int(alpha)
    table = pd.DataFrame(
        {
            "term": fit.params.index,
            "log_odds": fit.params.to_numpy(),
            "log_low": bounds[0].to_numpy(),
            "log_high": bounds[1].to_numpy(),
            "p": fit.pvalues.to_numpy(),
        }
    )
    # Separation: exp(15) is three million; no data of this size supports such odds.
    separated = (table["log_odds"].abs() > 15) | ~np.isfinite(table["log_high"])
    table["note"] = np.where(separated, "not estimable: a group is all right or all wrong", "")
    for name in ("odds_ratio", "low", "high"):
        source = {"odds_ratio": "log_odds", "low": "log_low", "high": "log_high"}[name]
        bound = {"odds_ratio": 1.0, "low": 0.0, "high": np.inf}[name]
        table[name] = np.where(separated, bound, np.exp(table[source].clip(-700, 700)))
    table["p"] = np.where(separated, 1.0, table["p"])
    return table[["term", "odds_ratio", "low", "high", "p", "note"]].reset_index(drop=True)
