"""Result type of a claim's formula, and the published claim that it answers to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from distil.inference.estimates import Estimate

EXPECTED = {
    "above_zero": "above 0",
    "below_zero": "below 0",
    "not_below_zero": "not below 0 by more than the margin",
}
OPPOSITE = {
    "above_zero": "below 0",
    "below_zero": "above 0",
    "not_below_zero": "below 0 by more than the margin",
}


@dataclass(frozen=True)
class Finding:
    """What a formula found.

    Attributes:
        estimate: The figure of the row, or None where it is no number.
        rows: Ids of the graded answers (or counts, or curve points) it was computed from.
        filter: Which answers these are.
        direction: The contrast whose sign is tested; None if nothing is.
        values: What an equivalence test runs on, shape (questions, seeds); None if it cannot.
        clusters: Clusters of these questions.
        sd: Sample standard deviation over seeds, as a proportion.
        sentence: What the row adds in words, computed.
        scale: 100 for proportions, 1 for figures in units of their own.
        power: Power for the published effect where the formula itself must compute it.
        within: For figures with a published range instead of a margin: whether it lies inside.
        untested: Why this finding can bear no verdict; empty if it can.
        other_design: Why the published size does not apply to it, so that it can bear out the
            direction only; empty if it does.
    """

    estimate: Estimate | None
    rows: Sequence[str]
    filter: str
    direction: Estimate | None = None
    values: np.ndarray | None = None
    clusters: np.ndarray | None = None
    sd: float | None = None
    sentence: str = ""
    scale: float = 100.0
    power: Callable[[float], float] | None = None
    within: bool | None = None
    untested: str = ""
    other_design: str = ""


@dataclass(frozen=True)
class Entry:
    """One claim under one estimand, as read from resources/published.yaml.

    Attributes:
        claim: The claim's own fields.
        estimand: The estimand of this row.
        published: Its published figures, empty if there are none for this estimand.
    """

    claim: Mapping[str, Any]
    estimand: str
    published: Mapping[str, Any] = field(default_factory=dict)

    @property
    def value(self) -> float | None:
        """Published value in the row's unit; a drop is computed from its two ends."""
        if "from" in self.published:
            return round(self.published["from"] - self.published["to"], 6)
        return self.published.get("value")

    @property
    def effect(self) -> float | None:
        """Published effect of this claim under any estimand: what power is computed for."""
        for figures in self.claim["estimands"].values():
            value = Entry(self.claim, "", figures or {}).value
            if value is not None:
                return value
        return None


def interval_text(found: Estimate) -> str:
    """Write an interval in points."""
    return f"{100 * found.low:.2f} to {100 * found.high:.2f}"


def effect_text(found: Estimate) -> str:
    """Write an effect with its interval in points."""
    return f"{100 * found.estimate:+.2f} points ({interval_text(found)})"
