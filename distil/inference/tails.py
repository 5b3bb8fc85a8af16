"""Quantiles and tails of the normal and Student's distribution.

They are `scipy.special`'s, on which `scipy.stats` rests and which loads in a fifth of its time:
every table and figure is a process of its own.
"""

from __future__ import annotations

import numpy as np
from scipy import special


def normal_quantile(p: float) -> float:
    """The value that a standard normal variable stays below with probability p."""
    return float(special.ndtri(p))


def t_quantile(p: float, df: float) -> float:
    """The value that Student's t stays below with probability p.

    Args:
        p: Probability.
        df: Degrees of freedom; infinite or below 1 means the normal distribution.
    """
    return normal_quantile(p) if np.isinf(df) or df < 1 else float(special.stdtrit(df, p))


def upper_tail(statistic: float, df: float = float("inf")) -> float:
    """One-sided p of a t statistic; df infinite or below 1 means the normal distribution."""
    if np.isinf(df) or df < 1:
        return float(special.ndtr(-statistic))
    return float(special.stdtr(df, -statistic))


def two_sided(statistic: float, df: float = float("inf")) -> float:
    """Two-sided p of a t statistic, as `upper_tail`."""
    return 2 * upper_tail(abs(statistic), df)
