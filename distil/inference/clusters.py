"""Clustered least squares: CR2 with Satterthwaite's degrees of freedom where clusters are few.

>>> gains = np.array([1.0, 0, 1, 1, -1, 0, 1, 0])
>>> found = clustered_contrast(gains, np.repeat(np.arange(4), 2))
>>> round(found.estimate, 3), round(found.se, 3), round(found.df, 1), round(found.p, 3)
(0.375, 0.315, 3.0, 0.319)

The usual sandwich (CR1) is too small where clusters are few or uneven, and Student's t with
clusters - 1 degrees of freedom does not make up for it. Below `MANY` clusters the covariance is
CR2 (Bell and McCaffrey, Survey Methodology 28, 2002) and the reference distribution has the degrees
of freedom that fit the covariance's own variance (Pustejovsky and Tipton, Journal of Business and
Economic Statistics 36, 2018, with the identity as working model). No Python library has these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats
from statsmodels.regression.linear_model import OLS

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

# From this number of clusters on CR1 and Student's t with clusters - 1 degrees of freedom hold.
MANY = 40
# Below these degrees of freedom no test is made: benchmarks/coverage.py shows size and coverage,
# and Tipton (Psychological Methods 20, 2015) advises against p-values there.
FEWEST_DF = 4.0
# Below this standard error the data show no variation; floating point leaves about 1e-17.
NO_VARIATION = 1e-12


@dataclass(frozen=True)
class Contrast:
    """One linear combination of least-squares coefficients.

    Attributes:
        estimate: Its value.
        se: Its standard error; 0 where the clusters show no variation.
        df: Degrees of freedom of Student's t.
        p: Two-sided p against 0; 1 where there is no variation.
        method: CR1 or CR2, for tables.
    """

    estimate: float
    se: float
    df: float
    p: float
    method: str

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return the two-sided interval at level 1 - alpha."""
        half = float(stats.t.ppf(1 - alpha / 2, self.df)) * self.se
        return self.estimate - half, self.estimate + half


def too_few(df: float) -> bool:
    """Tell whether degrees of freedom do not suffice for a test.

    >>> too_few(3.2), too_few(4.0)
    (True, False)
    """
    # Balanced clusters give whole numbers only up to rounding.
    return df < FEWEST_DF - 1e-6


def clustered_contrast(
    values: ArrayLike,
    codes: np.ndarray,
    design: np.ndarray | None = None,
    weights: ArrayLike = (1.0,),
) -> Contrast:
    """Fit least squares and test one contrast of its coefficients, clusters being independent.

    Args:
        values: Shape (n,).
        codes: Cluster numbers from 0, shape (n,), at least two different ones.
        design: Shape (n, k), of full rank; a constant if not given.
        weights: The contrast, shape (k,).

    Returns:
        The contrast; CR2 below `MANY` clusters, else CR1 (Liang and Zeger, Biometrika 73, 1986).

    >>> values, clusters = [0.0, 1, 1, 1, 0, 0], np.array([0, 0, 1, 1, 2, 2])
    >>> found = clustered_contrast(values, clusters)
    >>> round(found.estimate, 3), round(found.se, 3), round(found.df, 1)
    (0.5, 0.289, 2.0)
    """
    y = np.asarray(values, dtype=float)
    x = np.ones((len(y), 1)) if design is None else design
    contrast = np.asarray(weights, dtype=float)
    if int(codes.max()) + 1 >= MANY:
        fit = OLS(y, x).fit(cov_type="cluster", cov_kwds={"groups": codes}, use_t=True)
        test = fit.t_test(contrast)
        estimate, se, df = (
            float(test.effect[0]),
            float(np.squeeze(test.sd)),
            float(fit.df_resid_inference),
        )
        p = float(np.squeeze(test.pvalue)) if se > NO_VARIATION else 1.0
        return Contrast(estimate, se if se > NO_VARIATION else 0.0, df, p, "CR1")
    coefficients, covariance, parts = bias_reduced(y, x, codes, contrast[None, :])
    estimate, variance = float(contrast @ coefficients), float(covariance[0, 0])
    se = float(np.sqrt(variance)) if variance > NO_VARIATION**2 else 0.0
    df = satterthwaite(parts)
    p = float(2 * stats.t.sf(abs(estimate) / se, df)) if se else 1.0
    return Contrast(estimate, se, df, p, "CR2")


def joint_test(
    values: ArrayLike, codes: np.ndarray, design: np.ndarray, contrasts: np.ndarray
) -> tuple[float, float, float]:
    """Wald test that several contrasts are all zero, clusters being independent.

    Below `MANY` clusters the statistic is the approximate Hotelling T-squared of Pustejovsky and
    Tipton (2018, section 3.2) on CR2, else the F of CR1.

    Args:
        values: Shape (n,).
        codes: Cluster numbers from 0, shape (n,).
        design: Shape (n, k), of full rank.
        contrasts: Shape (q, k), of full rank.

    Returns:
        F, its denominator's degrees of freedom (0 where they do not suffice), and p. The
        numerator has q.

    >>> group = np.repeat([0.0, 1.0], 4)
    >>> design = np.column_stack([np.ones(8), group])
    >>> values = [0.1, 0.2, 0.0, 0.1, 0.5, 0.9, 0.4, 0.6]
    >>> [round(one, 3) for one in joint_test(values, np.arange(8), design, np.array([[0.0, 1.0]]))]
    [18.75, 6.0, 0.005]
    """
    y, q = np.asarray(values, dtype=float), len(contrasts)
    if int(codes.max()) + 1 >= MANY:
        fit = OLS(y, design).fit(cov_type="cluster", cov_kwds={"groups": codes}, use_t=True)
        test = fit.f_test(contrasts)
        return float(np.squeeze(test.fvalue)), float(test.df_denom), float(test.pvalue)
    coefficients, covariance, parts = bias_reduced(y, design, codes, contrasts)
    gap = contrasts @ coefficients
    wald = float(gap @ np.linalg.solve(covariance, gap))
    eta = satterthwaite(parts)
    df = eta - q + 1
    if df <= 0:
        return 0.0, 0.0, 1.0
    statistic = df / (eta * q) * wald
    return statistic, df, float(stats.f.sf(statistic, q, df))


def bias_reduced(
    values: np.ndarray, design: np.ndarray, codes: np.ndarray, contrasts: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fit least squares with the CR2 covariance of some contrasts.

    The residuals of cluster g are multiplied by (I - H_gg)^(-1/2), the symmetric root, so that the
    covariance is unbiased where errors are independent and of equal variance.

    Args:
        values: Shape (n,).
        design: Shape (n, k), of full rank.
        codes: Cluster numbers from 0, shape (n,).
        contrasts: Shape (q, k).

    Returns:
        The coefficients, shape (k,); the covariance of the contrasts, shape (q, q); and for each
        cluster the matrix that makes its score of the data, shape (clusters, q, n), which
        `satterthwaite` takes.

    >>> fitted, covariance, _ = bias_reduced(
    ...     np.array([0.0, 1, 1]), np.ones((3, 1)), np.arange(3), np.ones((1, 1))
    ... )
    >>> fitted.round(3).tolist(), covariance.round(3).tolist()
    ([0.667], [[0.111]])
    """
    bread = np.linalg.pinv(design.T @ design)
    coefficients = bread @ (design.T @ values)
    clusters = int(codes.max()) + 1
    # Rows of I - H: what the residual of each question is made of.
    parts = np.empty((clusters, len(contrasts), len(values)))
    scores = np.empty((clusters, len(contrasts)))
    residuals = values - design @ coefficients
    for cluster in range(clusters):
        inside = np.flatnonzero(codes == cluster)
        own = design[inside]
        maker = -(own @ bread) @ design.T
        maker[np.arange(len(inside)), inside] += 1.0
        spread, axes = np.linalg.eigh(maker[:, inside])
        # A direction that the fit takes up wholly has no residual to enlarge.
        root = np.where(spread > 1e-10, 1 / np.sqrt(np.maximum(spread, 1e-10)), 0.0)
        leverage = contrasts @ bread @ own.T @ (axes * root) @ axes.T
        scores[cluster] = leverage @ residuals[inside]
        parts[cluster] = leverage @ maker
    return coefficients, scores.T @ scores, parts


def satterthwaite(parts: np.ndarray) -> float:
    """Degrees of freedom of a CR2 covariance under independent errors of equal variance.

    For one contrast these are Bell and McCaffrey's; for q contrasts the eta of Pustejovsky and
    Tipton (2018, equation 13) that matches the total variance of the standardised covariance.

    Args:
        parts: As of `bias_reduced`, shape (clusters, q, n).

    Returns:
        The degrees of freedom, at least 1.

    >>> _, _, parts = bias_reduced(np.zeros(5), np.ones((5, 1)), np.arange(5), np.ones((1, 1)))
    >>> round(satterthwaite(parts), 6)
    4.0
    """
    clusters, q, n = parts.shape
    expected = np.einsum("gan,gbn->ab", parts, parts)
    values, axes = np.linalg.eigh(expected)
    if values.min() <= NO_VARIATION**2:
        return 1.0
    whitened = np.einsum("ab,gbn->gan", (axes / np.sqrt(values)) @ axes.T, parts)
    flat = whitened.reshape(clusters * q, n)
    gram = (flat @ flat.T).reshape(clusters, q, clusters, q)
    total = np.einsum("ishs,itht->", gram, gram) + np.einsum("isht,iths->", gram, gram)
    return max(1.0, float(q * (q + 1) / total))
