"""Verdict rule of the claims: direction, and agreement in size with the published figure.

Two questions, two words, never one for both:

- direction: does the effect exist, for questions like these? `holds`, `contradicted` or `open`.
- size: is it the published size? Compared only with a figure of the same kind: `same`, `differs` or
  `open`; else `stated`, `source`, `not comparable` or `no figure`.

docs/statistics.md says what each word needs. No word rests on the power of an observed effect.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import stats

from distil.claims.findings import Entry, Finding, interval_text
from distil.claims.plan import AnalysisPlan
from distil.claims.wording import p_text, shown
from distil.inference.estimates import Estimate
from distil.inference.power import detectable_gain, gain_power

HOLDS, CONTRADICTED, OPEN, UNTESTED = "holds", "contradicted", "open", "not tested"
SAME, DIFFERS, STATED, SOURCE = "same", "differs", "stated", "source"
NOT_COMPARABLE, NO_FIGURE = "not comparable", "no figure"
# The interval of (here - published) that must lie inside the margin: two one-sided 5 % tests.
SIZE_LEVEL = 0.90
SHARED = "what the seeds share (traces, grader, decoding stack) is not in it"


@dataclass(frozen=True)
class Tested:
    """A row between its formula and its verdict: everything but the correction for the family.

    Attributes:
        entry: The claim and estimand.
        finding: What the formula found, or None.
        missing: Why the formula could not run; empty if it did.
        p: P-value of the claim; None if nothing is tested.
        opposite: P-value of the opposite of the claim; None if nothing is tested.
        test: Name of the test behind p.
    """

    entry: Entry
    finding: Finding | None
    missing: str = ""
    p: float | None = None
    opposite: float | None = None
    test: str = ""

    @property
    def kind(self) -> str:
        """What the claim is: effect, accuracy or answer."""
        return self.entry.claim["kind"]


@dataclass(frozen=True)
class Verdict:
    """One word and the sentence that gives its reason.

    Attributes:
        word: The verdict; empty where the question does not arise.
        reason: One sentence without its full stop.
        low: Lower end of the interval of (here - published), in the table's unit, or None.
        high: Upper end of that interval.
    """

    word: str
    reason: str = ""
    low: float | None = None
    high: float | None = None


def examine(entry: Entry, finding: Finding, plan: AnalysisPlan) -> Tested:
    """Take the p-value of a claim, and of its opposite, from its estimate.

    Args:
        entry: The claim and estimand.
        finding: What its formula found.
        plan: The analysis plan.

    Returns:
        The row, not yet adjusted for the family. Where the direction of the claim is that nothing
        is lost beyond the margin, p is that of non-inferiority (one-sided). Where the estimate can
        bear no test, neither the claim nor its opposite is rejected: p is 1 for both, so that the
        family keeps the size it was declared with.
    """
    found, expected = finding.estimate, entry.claim["expected"]
    if found is None or finding.untested or entry.claim["kind"] != "effect":
        return Tested(entry, finding)
    if not found.testable:
        return Tested(entry, finding, "", 1.0, 1.0, found.test)
    if expected == "not_below_zero" and found.se > 0:
        shifted = (found.estimate + plan.margin / finding.scale) / found.se
        p = float(stats.t.sf(shifted, found.df))
        return Tested(entry, finding, "", p, 1.0 - p, f"{found.test}, non-inferiority")
    # Two-sided: either direction may claim it, each by its own sign.
    above, below = (found.p, 1.0) if found.estimate > 0 else (1.0, found.p)
    if expected == "not_below_zero":
        above, below = 1.0, 1.0
    elif expected is None:
        above, below = found.p, found.p
    return Tested(entry, finding, "", above, below, found.test)


def direction(
    row: Tested, p_adjusted: float | None, family: int, plan: AnalysisPlan, gate: str = ""
) -> Verdict:
    """Judge whether the effect exists.

    Args:
        row: The tested row.
        p_adjusted: P of the claim, adjusted over the family; None outside the family.
        family: Number of claims in the family.
        plan: The analysis plan.
        gate: The claim whose p bounds this one's from below, if it does.

    Returns:
        The verdict; no word outside the family.
    """
    if row.finding is None or row.finding.untested:
        why = row.missing or (row.finding.untested if row.finding else "")
        return Verdict(UNTESTED if row.kind == "effect" else "", why)
    found = row.finding.estimate
    if row.kind != "effect" or found is None:
        return Verdict("")
    stated = _effect(row, found)
    if row.p is None or p_adjusted is None or row.opposite is None:
        test = f", p {_p(found.p)}, outside the confirmatory family" if found.testable else ""
        return Verdict("", f"{stated}{test}")
    held = f" (never below that of {gate})" if gate else ""
    tested = f"{row.test.split(', ')[-1]} p" if "non-inferiority" in row.test else "p"
    if row.entry.claim["expected"] == "not_below_zero":
        stated += f"; margin {shown(plan.margin)}"
    stated += f"; {tested} {_p(row.p)}, adjusted {_p(p_adjusted)}{held}"
    if p_adjusted < plan.alpha:
        return Verdict(HOLDS, stated)
    if min(1.0, family * row.opposite) < plan.alpha:
        return Verdict(CONTRADICTED, f"{stated}; the opposite has p {_p(row.opposite)}")
    return Verdict(OPEN, f"{stated}; {_could_be_seen(row.finding, found, plan)}")


def size(row: Tested, plan: AnalysisPlan) -> Verdict:
    """Judge whether the estimate has the published size.

    The run noise of both sides is counted: the variance of (here - published) is the sum of the
    two means' variances over runs, with Welch's degrees of freedom. Questions are not drawn anew:
    the published figure is of the same ones.

    Args:
        row: The tested row.
        plan: The analysis plan.

    Returns:
        The verdict; no word where nothing is published about the study, or nothing is compared.
    """
    entry, finding = row.entry, row.finding
    if not plan.published or row.kind == "answer" or finding is None or finding.estimate is None:
        return Verdict("")
    if finding.source:
        return Verdict(SOURCE, "the published figure was computed from these very counts")
    if entry.value is None:
        other = entry.elsewhere
        if other is None:
            return Verdict(NO_FIGURE)
        kind = other.estimand.replace("_", " ")
        return Verdict(NOT_COMPARABLE, f"the published {shown(other.value)} is {kind}")
    if finding.other_design:
        return Verdict(NOT_COMPARABLE, finding.other_design)
    difference = finding.scale * finding.estimate.estimate - entry.value
    questions = _other_questions(entry, finding.estimate)
    runs, spread = entry.published.get("seeds", 1), entry.published.get("sd")
    if finding.runs < 2 or runs < 2 or spread is None or finding.sd is None:
        answers = round(abs(difference) / 100 * finding.estimate.n)
        return Verdict(
            STATED,
            f"{difference:+.2f} points from the published {shown(entry.value)}, "
            f"{answers} of {finding.estimate.n} answers; a single run on one side has no spread"
            + questions,
        )
    # Whether the published deviation is that of a sample or a population is not said; the
    # population's, which is the smaller, is taken for it and enlarged.
    variances = (
        (finding.scale * finding.sd) ** 2 / finding.runs,
        spread**2 / (runs - 1),
    )
    low, high = _difference_interval(difference, variances, (finding.runs - 1, runs - 1))
    if -plan.margin < low and high < plan.margin:
        word = SAME
    else:
        word = DIFFERS if low > plan.margin or high < -plan.margin else OPEN
    return Verdict(
        word,
        f"{difference:+.2f} points from the published {shown(entry.value)}, 90 % interval "
        f"{low:.2f} to {high:.2f} over the runs of both sides, margin {shown(plan.margin)}; "
        + SHARED
        + questions,
        low,
        high,
    )


def _difference_interval(
    difference: float, variances: tuple[float, float], df: tuple[int, int]
) -> tuple[float, float]:
    """Welch's interval of a difference of two means over runs."""
    total = sum(variances)
    if total == 0:
        return difference, difference
    freedom = total**2 / sum(variance**2 / own for variance, own in zip(variances, df, strict=True))
    half = float(stats.t.ppf((1 + SIZE_LEVEL) / 2, freedom)) * math.sqrt(total)
    return difference - half, difference + half


def _other_questions(entry: Entry, found: Estimate) -> str:
    total = entry.published.get("total")
    if total is None or total == found.n:
        return ""
    return f"; the questions are not quite the same, {found.n} here and {total} published"


def detectable(row: Tested, plan: AnalysisPlan) -> float | None:
    """Effect that 80 % power would see, in the table's unit; None where nothing is tested."""
    finding = row.finding
    if row.p is None or finding is None or finding.estimate is None or not finding.estimate.se > 0:
        return None
    found = finding.estimate
    return finding.scale * detectable_gain(found.se, found.df, plan.alpha)


def power(row: Tested, plan: AnalysisPlan) -> float | None:
    """Power for the published effect of this claim, never for the observed one."""
    finding, other = row.finding, row.entry.elsewhere if plan.published else None
    if row.p is None or finding is None or finding.estimate is None or other is None:
        return None
    found, effect = finding.estimate, other.value
    if effect is None or not found.se > 0:
        return None
    return gain_power(effect / finding.scale, found.se, found.df, plan.alpha)


def _could_be_seen(finding: Finding, found: Estimate, plan: AnalysisPlan) -> str:
    if found.note:
        return found.note
    if not found.se > 0:
        return "no spread between runs to test against"
    least = finding.scale * detectable_gain(found.se, found.df, plan.alpha)
    return f"80 % power only from {shown(least, _digits(finding))} on"


def _effect(row: Tested, found: Estimate) -> str:
    finding, unit = row.finding, row.entry.claim["unit"]
    scale = finding.scale if finding else 1.0
    digits = 4 if scale == 1.0 else 2
    return f"{scale * found.estimate:+.{digits}f} {unit} ({interval_text(found, scale, digits)})"


def _digits(finding: Finding) -> int:
    return 4 if finding.scale == 1.0 else 1


def _p(p: float) -> str:
    text = p_text(p)
    return text if text.startswith("<") else f"= {text}"


def sentence(*parts: str) -> str:
    """Join parts to one sentence with a full stop; nothing for nothing."""
    text = "; ".join(filter(None, parts))
    return text[:1].upper() + text[1:] + "." if text else ""
