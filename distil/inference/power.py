"""Power and smallest detectable effects, for effects named before the data.

Power is always that for a stated effect (a published one), never for the observed one.
"""

from __future__ import annotations

import numpy as np
from scipy import optimize, special, stats


def gain_power(effect: float, se: float, df: float = float("inf"), alpha: float = 0.05) -> float:
    """Power of a two-sided t test for a stated effect, given the standard error of the design.

    Args:
        effect: The effect to be seen, in the unit of `se`.
        se: Standard error of its estimate.
        df: Degrees of freedom; infinity for the normal.
        alpha: Level of the test.

    Returns:
        The probability of rejecting no effect; noncentral t (Cohen 1988, chapter 2).

    >>> round(gain_power(0.0476, se=0.015, df=650), 3)
    0.887
    """
    if se <= 0 or df < 1:
        return 1.0 if se <= 0 and effect != 0 else alpha
    critical, shift = float(stats.t.ppf(1 - alpha / 2, df)), abs(effect) / se
    if np.isinf(df):
        return float(stats.norm.sf(critical - shift) + stats.norm.sf(critical + shift))
    if shift > critical + 8:
        # Sure to be seen; scipy's noncentral t gives NaN there (scipy issue 25470).
        return 1.0
    missed = special.nctdtr(df, shift, [-critical, critical])
    return float(1 - (missed[1] - missed[0]))


def detectable_gain(
    se: float, df: float = float("inf"), alpha: float = 0.05, power: float = 0.8
) -> float:
    """Smallest effect that a two-sided t test sees with the stated power.

    Args:
        se: Standard error of the estimate.
        df: Degrees of freedom; infinity for the normal.
        alpha: Level of the test.
        power: Probability of seeing it.

    Returns:
        The effect in the unit of `se`; 0 where the standard error is 0.

    >>> round(detectable_gain(se=0.015, df=650), 4)
    0.0421
    """
    if se <= 0:
        return 0.0
    return se * float(stats.t.ppf(1 - alpha / 2, df) + stats.t.ppf(power, df))


def equivalence_items(share: float, margin: float, alpha: float = 0.05, power: float = 0.8) -> int:
    """Questions that one run needs to show an accuracy equal to a published one.

    Args:
        share: The accuracy, as a proportion.
        margin: Half-width of the range called equal.
        alpha: Level of each one-sided test.
        power: Probability of showing it.

    Returns:
        The number of questions (Julious 2004, equation 20).

    >>> equivalence_items(0.6943, margin=0.02)
    4545
    """
    multiple = stats.norm.ppf(1 - alpha) + stats.norm.ppf((1 + power) / 2)
    return int(np.ceil(share * (1 - share) * (multiple / margin) ** 2))


def mcnemar_power(n: int, gain: float, discordance: float, alpha: float = 0.05) -> float:
    """Exact, unconditional power of the exact McNemar test.

    The number of discordant pairs is binomial(n, discordance); given it, the pairs won are
    binomial with probability (1 + gain/discordance)/2; the test rejects where its two-sided exact
    p is at most alpha (Duffy, Biometrics 40, 1984).

    Args:
        n: Number of paired questions.
        gain: Difference of the two accuracies.
        discordance: Share of questions on which the two disagree.
        alpha: Level of the test.

    Returns:
        The power.

    Raises:
        ValueError: If the gain exceeds the discordance.

    >>> round(mcnemar_power(651, gain=0.0476, discordance=0.25), 3)
    0.655
    """
    if not 0 <= abs(gain) <= discordance <= 1 or n < 1:
        raise ValueError(f"gain {gain} with discordance {discordance} and n {n}: impossible")
    if discordance == 0:
        return 0.0
    won = (1 + abs(gain) / discordance) / 2
    counts = np.arange(n + 1)
    weights = stats.binom.pmf(counts, n, discordance)
    # The largest number of lost pairs at which the doubled tail still stays within alpha.
    limits = stats.binom.ppf(alpha / 2, counts, 0.5)
    limits = np.where(stats.binom.cdf(limits, counts, 0.5) <= alpha / 2, limits, limits - 1)
    reject = stats.binom.cdf(limits, counts, 1 - won) + stats.binom.cdf(limits, counts, won)
    return float((weights * np.where(limits >= 0, reject, 0.0)).sum())


def mcnemar_detectable(
    n: int, discordance: float, alpha: float = 0.05, power: float = 0.8
) -> float:
    """Smallest gain that the exact McNemar test of n pairs shows with the stated power.

    Args:
        n: Number of paired questions.
        discordance: Share of questions on which the two disagree.
        alpha: Level of the two-sided test.
        power: Probability of seeing it, by `mcnemar_power`.

    Returns:
        The gain as a proportion; the discordance itself (the largest gain there can be) where even
        that would be missed.

    >>> round(mcnemar_detectable(651, discordance=0.25), 4)
    0.0561
    """
    if mcnemar_power(n, discordance, discordance, alpha) < power:
        return discordance
    return float(
        optimize.brentq(
            lambda gain: mcnemar_power(n, gain, discordance, alpha) - power, 0.0, discordance,
            xtol=1e-6,
        )
    )  # fmt: skip
