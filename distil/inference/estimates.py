"""Result type of every test, and sums over clusters of questions.

All effects are proportions (0.05 is five points); callers turn them into points. An interval or
p-value that the data cannot give is never NaN: it is the widest honest one, with the reason in
`note`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Estimate:
    """An estimate with its uncertainty.

    Attributes:
        estimate: The point estimate, as a proportion or a difference of proportions.
        low: Lower end of the two-sided interval at level 1 - alpha.
        high: Upper end of that interval.
        p: Two-sided p-value against no effect; 1.0 where nothing can be tested, and `testable`
            alone tells that from an estimate of no effect at all.
        se: Standard error; 0.0 where the data show no variation at all.
        n: Number of questions behind the estimate.
        clusters: Number of independent groups of questions.
        df: Degrees of freedom of the reference distribution (infinity: normal).
        test: Name of the procedure, as printed in tables.
        note: What a reader must know before using the figure; empty if nothing.
        extra: Further figures of the procedure, by name.
        testable: Whether p is that of a test; False where there are too few clusters or nothing
            differs anywhere, and for a figure that tests nothing, as an accuracy alone.
    """

    estimate: float
    low: float
    high: float
    p: float
    se: float
    n: int
    clusters: int
    df: float
    test: str
    note: str = ""
    extra: Mapping[str, float] = field(default_factory=dict)
    testable: bool = True


def as_matrix(values: ArrayLike, name: str = "values") -> np.ndarray:
    """Return answers as a float matrix of shape (questions, seeds).

    Args:
        values: One number per question, or a matrix with a row per question and a column per seed.
        name: How to call the argument in an error.

    Returns:
        A float array of shape (questions, seeds).

    Raises:
        ValueError: If it is empty, has more than two dimensions, or holds a missing value.

    >>> as_matrix([1, 0, 1]).shape
    (3, 1)
    """
    matrix = np.asarray(values, dtype=float)
    if matrix.ndim == 1:
        matrix = matrix[:, None]
    if matrix.ndim != 2 or matrix.size == 0:
        raise ValueError(f"{name}: expected questions x seeds, got shape {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise ValueError(f"{name}: a missing answer must be counted (as wrong) before testing")
    return matrix


def cluster_codes(clusters: ArrayLike | None, questions: int) -> np.ndarray:
    """Number the clusters 0, 1, 2, ...; without clusters every question is its own.

    Args:
        clusters: One label per question, or None.
        questions: Number of questions.

    Returns:
        An integer array of shape (questions,).

    Raises:
        ValueError: If the number of labels differs from the number of questions.

    >>> cluster_codes(["a", "b", "a"], 3).tolist()
    [0, 1, 0]
    """
    if clusters is None:
        return np.arange(questions)
    labels = np.asarray(clusters)
    if labels.shape != (questions,):
        raise ValueError(f"clusters: {labels.shape[0]} labels for {questions} questions")
    return np.unique(labels.astype(str), return_inverse=True)[1]


def cluster_sums(matrix: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Add the rows of each cluster.

    Args:
        matrix: Shape (questions, columns).
        codes: Cluster numbers, shape (questions,).

    Returns:
        Sums of shape (clusters, columns) and cluster sizes of shape (clusters,).

    >>> sums, sizes = cluster_sums(np.array([[1.0], [0.0], [1.0]]), np.array([0, 0, 1]))
    >>> sums.tolist(), sizes.tolist()
    ([[1.0], [1.0]], [2.0, 1.0])
    """
    count = int(codes.max()) + 1
    sums = np.zeros((count, matrix.shape[1]))
    np.add.at(sums, codes, matrix)
    return sums, np.bincount(codes, minlength=count).astype(float)
