"""Variance components of crossed questions and seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from distil.inference.estimates import as_matrix, cluster_codes, cluster_sums

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def mean_squares(matrix: np.ndarray) -> tuple[float, float, float]:
    """Mean squares of rows, columns and residual of a two-way table with one value per cell.

    Args:
        matrix: Shape (questions, seeds), at least 2 x 2.

    Returns:
        The mean squares between questions, between seeds, and of the residual.

    >>> mean_squares(np.array([[1.0, 2.0], [3.0, 4.0]]))
    (4.0, 1.0, 0.0)
    """
    rows, columns = matrix.shape
    grand = matrix.mean()
    by_row, by_column = matrix.mean(axis=1), matrix.mean(axis=0)
    between_rows = columns * ((by_row - grand) ** 2).sum() / (rows - 1)
    between_columns = rows * ((by_column - grand) ** 2).sum() / (columns - 1)
    residual = matrix - by_row[:, None] - by_column[None, :] + grand
    return (
        float(between_rows),
        float(between_columns),
        float((residual**2).sum() / ((rows - 1) * (columns - 1))),
    )


def decompose(values: ArrayLike, clusters: ArrayLike | None = None) -> pd.DataFrame:
    """Variance components of a crossed design: questions, seeds, rest.

    The model is value = mean + question + seed + rest, both effects random, fitted by the method
    of moments (Searle, Casella and McCulloch, Variance Components, 1992, chapter 4). A negative
    component is set to zero and marked. With clusters the unit is the cluster's mean.

    Args:
        values: Right answers or differences, shape (questions, seeds).
        clusters: Labels of shape (questions,), or None.

    Returns:
        A frame with a row per source (questions, seeds, rest): component, share of their sum,
        contribution to the variance of the mean over this design, share of that, and note.

    >>> decompose([[1, 1], [0, 1], [0, 0]])[["source", "component"]].round(3).to_numpy().tolist()
    [['questions', 0.167], ['seeds', 0.0], ['rest', 0.167]]
    """
    matrix = as_matrix(values)
    sums, sizes = cluster_sums(matrix, cluster_codes(clusters, len(matrix)))
    cells = sums / sizes[:, None]
    rows, columns = cells.shape
    note = ""
    if rows < 2:
        raw, note = (0.0, 0.0, 0.0), "one question: nothing can be separated"
    elif columns < 2:
        raw = (float(cells.var(ddof=1)), 0.0, 0.0)
        note = "one seed: the rest cannot be told from the questions"
    else:
        between_rows, between_columns, rest = mean_squares(cells)
        raw = ((between_rows - rest) / columns, (between_columns - rest) / rows, rest)
    components = np.maximum(raw, 0.0)
    of_mean = components / np.array([rows, columns, rows * columns])
    notes = [note or ("below zero: set to 0" if value < 0 else "") for value in raw]
    return pd.DataFrame(
        {
            "source": ["questions", "seeds", "rest"],
            "component": components,
            "share": components / components.sum() if components.sum() > 0 else 0.0,
            "of_mean": of_mean,
            "share_of_mean": of_mean / of_mean.sum() if of_mean.sum() > 0 else 0.0,
            "note": notes,
        }
    )


def variance_of_mean(matrix: np.ndarray, codes: np.ndarray) -> tuple[float, float]:
    """Unbiased variance of the overall mean with questions and seeds random, and its df.

    For a crossed layout the variance of the mean is (MS_questions + MS_seeds - MS_rest)/(n m);
    the degrees of freedom are Satterthwaite's (Biometrics Bulletin 2, 1946). Where the seeds' mean
    square is below the residual one, the seeds add nothing and the questions alone count. Clusters
    enter through the linearised sums.

    Args:
        matrix: Shape (questions, seeds).
        codes: Cluster numbers, shape (questions,).

    Returns:
        The variance and the degrees of freedom (at least 1).

    >>> variance_of_mean(np.array([[1.0, 0.0], [0.0, 0.0], [1.0, 1.0]]), np.arange(3))
    (0.08333333333333333, 2.0)
    """
    sums, sizes = cluster_sums(matrix, codes)
    rows, columns = sums.shape
    if rows < 2:
        return 0.0, 1.0
    by_seed = sums.sum(axis=0) / sizes.sum()
    units = by_seed + (sums - by_seed * sizes[:, None]) * rows / sizes.sum()
    if columns < 2:
        return float(units.var(ddof=1) / rows), float(rows - 1)
    between_rows, between_columns, rest = mean_squares(units)
    if between_columns <= rest:
        return between_rows / (rows * columns), float(rows - 1)
    total = between_rows + between_columns - rest
    df = total**2 / (
        between_rows**2 / (rows - 1)
        + between_columns**2 / (columns - 1)
        + rest**2 / ((rows - 1) * (columns - 1))
    )
    return max(total, 0.0) / (rows * columns), max(1.0, min(df, float(rows - 1)))
