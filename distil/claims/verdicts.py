"""Verdict rule: from a finding to reproduced, not reproduced, inconclusive or not tested."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from distil.claims.findings import EXPECTED, OPPOSITE, Entry, Finding, effect_text
from distil.claims.wording import p_text, shown
from distil.inference.estimates import Estimate
from distil.inference.gains import equivalence, equivalence_of
from distil.inference.power import detectable_gain, equivalence_items, equivalence_power, gain_power


def _sign_tested(expected: str, found: Estimate, margin: float) -> tuple[int, float]:
    """Return +1, -1 or 0 for the expected, opposite or no direction, and the p of the claim."""
    if expected == "not_below_zero":
        # Non-inferiority: one-sided against a loss of the margin or more.
        if found.se <= 0:
            return 0, 1.0
        shifted = (found.estimate + margin) / found.se
        p = float(stats.t.sf(shifted, found.df))
        return (1 if found.estimate > -margin else -1), (p if shifted > 0 else 2 * (1 - p))
    wanted = 1 if expected == "above_zero" else -1
    return int(np.sign(found.estimate)) * wanted, found.p


@dataclass(frozen=True)
class Tested:
    """A row between its formula and its verdict: everything but Holm's adjustment.

    Attributes:
        entry: The claim and estimand.
        finding: What the formula found, or None.
        missing: Why the formula could not run; empty if it did.
        sign: +1, -1 or 0 for the expected, opposite or no direction; None if no sign is tested.
        p: P-value of the claim, None if nothing is tested.
        test: Name of the test behind p.
        equivalence_p: P-value of equality with the published value within the margin.
        excluded: The interval excludes the published value plus and minus the margin.
        power: Power for the published effect.
        power_effect: That effect in words.
        detectable: Effect seen with 80 % power, in points.
        descriptive: Questions that equivalence would need, if there are fewer; else None.
    """

    entry: Entry
    finding: Finding | None
    missing: str = ""
    sign: int | None = None
    p: float | None = None
    test: str = ""
    equivalence_p: float | None = None
    excluded: bool = False
    power: float | None = None
    power_effect: str = ""
    detectable: float | None = None
    descriptive: int | None = None


def examine(
    entry: Entry,
    finding: Finding,
    *,
    alpha: float,
    margin: float,
    published: bool,
) -> Tested:
    """Run the tests that a row's verdict needs.

    Args:
        entry: The claim and estimand.
        finding: What its formula found.
        alpha: Level of the tests.
        margin: Half-width of the range called equal, as a proportion.
        published: Whether published figures may be used at all.

    Returns:
        The row, not yet adjusted for the family.
    """
    here, facts = finding.estimate, {}
    expected = entry.claim["expected"]
    value = entry.value if published and not finding.other_design else None
    if finding.untested:
        return Tested(entry, finding)
    differs = entry.claim["unit"] == "points" and finding.direction is not None
    if expected is not None and finding.direction is not None:
        facts["sign"], facts["p"] = _sign_tested(expected, finding.direction, margin)
        facts["test"] = finding.direction.test
        if expected == "not_below_zero":
            facts["test"] += ", non-inferiority"
    elif finding.direction is not None:
        # A question of the review: p is shown, no verdict hangs on it.
        facts["test"] = finding.direction.test
        facts["p"] = finding.direction.p
    if value is not None and (finding.values is not None or (differs and here.se > 0)):
        target = value / finding.scale
        if finding.values is not None:
            equal = equivalence(finding.values, target, margin, finding.clusters, alpha)
        else:
            equal = equivalence_of(here, target, margin)
        facts["equivalence_p"] = equal.p
        facts["excluded"] = here.low > target + margin or here.high < target - margin
        if facts.get("p") is None:
            facts["p"], facts["test"] = equal.p, equal.test
            facts["power"] = equivalence_power(equal.se, margin, equal.df, alpha)
            facts["power_effect"] = "equality within the margin"
        share = min(max(target, 0.0), 1.0)
        if entry.claim["unit"] == "percent":
            needed = equivalence_items(share, margin, alpha)
            facts["descriptive"] = needed if here.n < needed else None
    effect = entry.effect if published else None
    if differs and here.se > 0:
        facts["detectable"] = 100 * detectable_gain(here.se, here.df, alpha)
    if differs and effect is not None:
        power = finding.power or (lambda size: gain_power(size, here.se, here.df, alpha))
        facts["power"] = power(effect / finding.scale)
        facts["power_effect"] = f"{effect:.2f} points"
    return Tested(entry, finding, **facts)


def verdict(row: Tested, p_holm: float | None, *, alpha: float, published: bool) -> tuple[str, str]:
    """Apply the verdict rule; compose its reason from the figures.

    Args:
        row: The tested row.
        p_holm: Its p adjusted over the family, None if it is not in the family.
        alpha: Level.
        published: Whether published figures are compared with.

    Returns:
        The verdict and one sentence.
    """
    entry, found = row.entry, row.finding
    if found is None:
        return "not tested", f"{row.missing}."
    extra = [found.sentence] if found.sentence else []
    notes = [note for note in (found.estimate.note if found.estimate else "",) if note]
    if entry.claim["id"].startswith("Q"):
        if row.p is not None:
            extra.insert(0, f"{effect_text(found.estimate)}, p {_p(row.p)}")
        return "answered", _sentence([*extra, *notes])
    if found.untested:
        return "not tested", _sentence([found.untested, *extra, *notes])
    if row.sign is None and row.equivalence_p is None:
        why = "no published figure for this estimand" if published else "no expected direction"
        if entry.claim["expected"] is not None:
            why = "the direction cannot be tested with one seed"
        return "not tested", _sentence([why, *extra, *notes])
    good, bad = ("reproduced", "not reproduced")
    if not published:
        good, bad = ("as expected", "not as expected")
    significant = p_holm is not None and p_holm < alpha
    reasons = []
    if row.sign is not None:
        expected = entry.claim["expected"]
        side = {
            1: f"is {EXPECTED[expected]}",
            -1: f"is {OPPOSITE[expected]}, opposite to what is expected",
            0: "is exactly 0",
        }[row.sign]
        reasons.append(
            f"the effect {side}, {'' if significant else 'not '}significantly "
            f"(Holm-adjusted p {_p(p_holm)})"
        )
    equal = row.equivalence_p is None or row.equivalence_p < alpha
    if row.equivalence_p is not None:
        words = "equal to" if equal else "not shown equal to"
        reasons.append(
            f"{words} the published {shown(entry.value)} within the margin "
            f"(TOST p {_p(row.equivalence_p)})"
        )
        if row.descriptive:
            reasons.append(
                f"descriptive: such a test needs about {row.descriptive} questions, here "
                f"{found.estimate.n}"
            )
    if found.within is not None and published and entry.published:
        reasons.append(
            f"the minimum lies {'inside' if found.within else 'outside'} the published range"
        )
        equal = equal and found.within
    if row.excluded:
        reasons.append("the interval excludes the published value and its margin")
    if found.other_design:
        reasons.append(f"direction only: {found.other_design}")
        equal = False
    if (row.sign == -1 and significant) or row.excluded:
        outcome = bad
    elif (row.sign in (None, 1)) and significant and equal:
        outcome = good
    else:
        outcome = "inconclusive"
        if row.power is not None:
            reasons.append(f"power {100 * row.power:.0f} % for {row.power_effect}")
        elif row.detectable is not None:
            reasons.append(f"80 % power only from {row.detectable:.1f} points on")
    return outcome, _sentence([*reasons, *extra, *notes])


def _p(p: float) -> str:
    text = p_text(p)
    return text if text.startswith("<") else f"= {text}"


def _sentence(parts: Sequence[str]) -> str:
    text = "; ".join(parts)
    return text[:1].upper() + text[1:] + "." if text else ""
