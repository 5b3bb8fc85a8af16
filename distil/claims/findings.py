"""Result type of a claim's formula, and the published claim that it answers to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from distil.inference.estimates import Estimate

EXPECTED = {
    "above_zero": "above 0",
    "not_below_zero": "not below 0 by more than the margin",
}


@dataclass(frozen=True)
class Finding:
    """What a formula found: one quantity, to which estimate, interval and p belong.

    Attributes:
        estimate: The quantity, or None where it is no number.
        rows: Ids of the graded answers (or counts, or curve points) it was computed from.
        filter: Which answers these are.
        sentence: What the row adds in words, computed.
        scale: 100 for proportions, 1 for figures in units of their own.
        sd: Sample standard deviation over runs, in the estimate's unit; None for one run.
        runs: Number of runs behind the estimate.
        missing: Questions left out because an answer is missing.
        untested: Why this finding can bear no test; empty if it can.
        other_design: Why the published size is of another quantity; empty if it is not.
        source: Whether the published figure was computed from these very counts.
    """

    estimate: Estimate | None
    rows: Sequence[str]
    filter: str
    sentence: str = ""
    scale: float = 100.0
    sd: float | None = None
    runs: int = 1
    missing: int = 0
    untested: str = ""
    other_design: str = ""
    source: bool = False


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
        """Published value in the row's unit; a slope is computed from its two ends."""
        figures = self.published
        if "from" in figures:
            doublings = math.log2(figures["words_from"] / figures["words_to"])
            return round((figures["from"] - figures["to"]) / doublings, 2)
        return figures.get("value")

    @property
    def elsewhere(self) -> Entry | None:
        """The same claim under the estimand that has a published value; None if none has."""
        for estimand, figures in self.claim["estimands"].items():
            other = Entry(self.claim, estimand, figures or {})
            if other.value is not None:
                return other
        return None


def interval_text(found: Estimate, scale: float = 100.0, digits: int = 2) -> str:
    """Write an interval in the unit of the table."""
    return f"{scale * found.low:.{digits}f} to {scale * found.high:.{digits}f}"


def effect_text(found: Estimate) -> str:
    """Write an effect with its interval in points."""
    return f"{100 * found.estimate:+.2f} points ({interval_text(found)})"
