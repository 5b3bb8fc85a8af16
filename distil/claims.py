"""The claims table: what was claimed, what came out here, and whether the two agree.

One named function computes each row (`formula` in resources/published.yaml) as a `Finding`; the
verdict follows from it by one rule and its reason is composed from the figures, never typed:

    reproduced       right sign, Holm-adjusted p below alpha, and equal to the published value
                     within the margin where the estimand is the published one
    not reproduced   the interval excludes the published value plus and minus the margin, or the
                     opposite sign is significant
    inconclusive     else; with the power for the published effect
    not tested       with the reason
    answered         for the questions of the review, which ask for a figure, not for a verdict

The sample study has no published figures: its verdicts are `as expected`, `not as expected` and
`inconclusive`, for the expected direction only.

Columns of the table (percentages and percentage points unless `unit` says otherwise):

    id, claim, estimand, unit, published, published_sd, expected, here, sd, low, high, test, p,
    p_holm, equivalence_p, power, detectable, n, verdict, reason, formula, filter, rows,
    rows_sha256, plan_sha256, source, link

`rows` counts the graded answers behind a row and `rows_sha256` hashes their sorted ids, one a line;
the ids themselves stand in a second table with columns claim, estimand, column, row.
`plan_sha256` hashes the settings fixed before the run (alpha, margin, stop, levels, bootstrap).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import yaml

from distil import statistics
from distil.hashing import canonical_json, sha256_text
from distil.selections import (
    Answers,
    MissingAnswersError,
    Selection,
    Study,
    answers,
    differences,
    regraded,
)
from distil.tables import p_text, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

COLUMNS = (
    "id",
    "claim",
    "estimand",
    "unit",
    "published",
    "published_sd",
    "expected",
    "here",
    "sd",
    "low",
    "high",
    "test",
    "p",
    "p_holm",
    "equivalence_p",
    "power",
    "detectable",
    "n",
    "verdict",
    "reason",
    "formula",
    "filter",
    "rows",
    "rows_sha256",
    "plan_sha256",
    "source",
    "link",
)
PLAN = ("alpha", "margin", "primary_stop", "levels", "sections", "bootstrap", "published")
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
SPEED_SECTION = "tp"


@dataclass(frozen=True)
class Finding:
    """What a formula found.

    Attributes:
        here: The figure of the row, or None where it is no number.
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
    """

    here: statistics.Estimate | None
    rows: Sequence[str]
    filter: str
    direction: statistics.Estimate | None = None
    values: np.ndarray | None = None
    clusters: np.ndarray | None = None
    sd: float | None = None
    sentence: str = ""
    scale: float = 100.0
    power: Callable[[float], float] | None = None
    within: bool | None = None
    untested: str = ""


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


# ------------------------------------------------------------------------------------ formulas


def _student(study: Study, estimand: str, level: str | None = None, **chosen: Any) -> Answers:
    selection = {
        "level": level or study.levels[0],
        "stop": study.settings["primary_stop"],
        "variant": study.settings.get("variant", "prompt"),
        **chosen,
    }
    return answers(study, Selection("student", estimand, **selection))


def _base(study: Study, estimand: str, level: str | None = None) -> Answers:
    return answers(study, Selection("base", estimand, level or study.levels[0]))


def base_accuracy(study: Study, estimand: str) -> Finding:
    """Accuracy of the base student at the longest level."""
    found = _base(study, estimand)
    return Finding(
        here=statistics.accuracy(found.right, found.clusters, study.alpha),
        rows=found.rows,
        filter=found.filter,
        values=found.right.to_numpy(),
        clusters=found.clusters,
    )


def teacher_accuracy(study: Study, estimand: str) -> Finding:
    """Accuracy of the teacher's first answers; its sign test is the paired gain over the base."""
    teacher, base = answers(study, Selection("teacher", estimand)), _base(study, estimand)
    direction = statistics.paired_gain(differences(teacher, base), teacher.clusters, study.alpha)
    return Finding(
        here=statistics.accuracy(teacher.right, teacher.clusters, study.alpha),
        rows=[*teacher.rows, *base.rows],
        filter=f"{teacher.filter}; sign against {base.filter}",
        direction=direction,
        values=teacher.right.to_numpy(),
        clusters=teacher.clusters,
        sentence=f"{_effect(direction)} against the base",
    )


def student_accuracy(study: Study, estimand: str) -> Finding:
    """Mean accuracy over seeds at the longest level and the primary stop."""
    found = _student(study, estimand)
    by_seed = found.right.mean(axis=0).to_numpy()
    return Finding(
        here=statistics.accuracy(found.right, found.clusters, study.alpha),
        rows=found.rows,
        filter=found.filter,
        values=found.right.to_numpy(),
        clusters=found.clusters,
        sd=float(by_seed.std(ddof=1)) if len(by_seed) > 1 else None,
    )


def gain_over_base(study: Study, estimand: str) -> Finding:
    """Paired gain of all seeds over the base, clustered by question (primary test)."""
    student, base = _student(study, estimand), _base(study, estimand)
    gains = differences(student, base)
    gain = statistics.paired_gain(gains, student.clusters, study.alpha)
    by_seed = gains.mean(axis=0)
    resampled = statistics.bootstrap_gain(
        gains, student.clusters, alpha=study.alpha, **study.bootstrap
    )
    return Finding(
        here=gain,
        rows=[*student.rows, *base.rows],
        filter=f"{student.filter} minus {base.filter}",
        direction=gain,
        values=gains,
        clusters=student.clusters,
        sd=float(by_seed.std(ddof=1)) if len(by_seed) > 1 else None,
        sentence=f"with seeds random too, {_interval(resampled)}",
    )


def validation_minimum(study: Study, estimand: str) -> Finding:  # noqa: ARG001
    """Where the pilot's validation loss is lowest; the test is whether the seeds' loss then rises.

    For each seed the minimum is located on the other seeds' mean curve, so that the rise from there
    to the horizon is not positive merely because a minimum was picked.
    """
    curves = study.curves
    if curves.empty:
        raise MissingAnswersError("no validation curves were given")
    fold, variant = study.main_fold, "prompt"
    curves = curves[(curves["fold"] == fold) & (curves["variant"] == variant)]
    pilot_seed = int(study.stops[fold][variant]["pilot"]["seed"])
    wide = curves.pivot_table(index="iteration", columns="seed", values="loss").dropna()
    if pilot_seed not in wide.columns:
        raise MissingAnswersError(f"no validation curve of the pilot, seed {pilot_seed}")
    lowest = int(wide[pilot_seed].idxmin())
    seeds = [seed for seed in study.seeds(fold) if seed in wide.columns]
    minima = [int(wide[seed].idxmin()) for seed in seeds] or [lowest]
    first, last = int(wide.index[0]), int(wide.index[-1])
    rises = []
    for seed in seeds if len(seeds) > 1 else []:
        turn = wide[[other for other in seeds if other != seed]].mean(axis=1).idxmin()
        rises.append(float(wide.loc[last, seed] - wide.loc[turn, seed]))
    direction = statistics.seeds_t(rises, study.alpha) if rises else None
    here = statistics.Estimate(
        estimate=lowest,
        low=min(minima),
        high=max(minima),
        p=1.0,
        se=0.0,
        n=len(seeds),
        clusters=0,
        df=0,
        test="rise of the loss after the minimum, t over seeds",
    )
    sentence = f"the minima of {len(seeds)} seeds lie between {min(minima)} and {max(minima)}"
    if direction is not None:
        sentence += (
            f"; from the minimum to iteration {last} the loss changes by {direction.estimate:+.4f} "
            f"({direction.low:+.4f} to {direction.high:+.4f}, seeds only)"
        )
    published = study.settings.get("published_range")
    inside = lowest < last if published is None else published[0] < lowest < published[1]
    return Finding(
        here=here,
        rows=[
            f"curve/{fold}/{variant}/seed-{seed}/{iteration}"
            for seed in sorted({*seeds, pilot_seed})
            for iteration in wide.index
        ],
        filter=f"validation loss of fold={fold} variant={variant}, iterations {first} to {last}",
        direction=direction,
        sentence=sentence,
        scale=1.0,
        within=inside and lowest > first,
    )


def _by_level(study: Study, estimand: str) -> list[Answers]:
    return [_student(study, estimand, level) for level in study.levels]


def level_drop(study: Study, estimand: str) -> Finding:
    """Accuracy at the longest minus at the shortest level; the test is the trend on log words."""
    found = _by_level(study, estimand)
    levels = np.column_stack([one.right.mean(axis=1) for one in found])
    words = [one.words for one in found]
    drop = statistics.paired_gain(differences(found[0], found[-1]), found[0].clusters, study.alpha)
    slope = statistics.trend(
        levels,
        words,
        found[0].clusters,
        permutations=study.bootstrap["replicates"] - 1,
        seed=study.bootstrap["seed"],
        alpha=study.alpha,
    )
    accuracies = levels.mean(axis=0)
    rises = [
        f"{later} above {earlier}"
        for earlier, later, step in zip(
            study.levels, study.levels[1:], np.diff(accuracies), strict=False
        )
        if step > 0
    ]
    order = f"not monotone: {', '.join(rises)}" if rises else "no level above a longer one"
    # Opposite signs of drop and slope would be no clean fall; the trend then decides.
    return Finding(
        here=drop,
        rows=[row for one in found for row in one.rows],
        filter=f"{found[0].filter} minus {found[-1].filter}; trend over {' '.join(study.levels)}",
        direction=slope,
        values=differences(found[0], found[-1]),
        clusters=found[0].clusters,
        sentence=(
            f"{100 * slope.estimate:.1f} points per doubling of words "
            f"({100 * slope.low:.1f} to {100 * slope.high:.1f}); {order}"
        ),
        power=lambda effect: statistics.gain_power(effect, drop.se, drop.df, study.alpha),
    )


def section_drop(study: Study, estimand: str) -> Finding:
    """How much more the two-person speed section loses than the section closest to it."""
    longest, shortest = (_student(study, estimand, study.levels[end]) for end in (0, -1))
    drops = differences(longest, shortest)
    try:
        found = statistics.section_contrast(
            drops, longest.sections, SPEED_SECTION, longest.clusters, study.alpha
        )
    except ValueError as error:
        raise MissingAnswersError(str(error)) from error
    means = pd.Series(drops.mean(axis=1)).groupby(longest.sections).mean()
    losses = ", ".join(f"{name} {100 * value:.1f}" for name, value in means.items())
    return Finding(
        here=found,
        rows=[*longest.rows, *shortest.rows],
        filter=f"{longest.filter} minus {shortest.filter}; {SPEED_SECTION} minus each other",
        direction=found,
        sentence=f"points lost by section: {losses}",
    )


def stop_worth(study: Study, estimand: str) -> Finding:
    """What the primary stop is worth against going on to the horizon, on questions it never saw."""
    base = _base(study, estimand)
    stopped, horizon = _student(study, estimand), _student(study, estimand, stop="horizon")
    gains = {}
    for name, found in ((study.settings["primary_stop"], stopped), ("horizon", horizon)):
        gains[name] = statistics.paired_gain(differences(found, base), base.clusters, study.alpha)
    worth = statistics.paired_gain(differences(stopped, horizon), base.clusters, study.alpha)
    listed = "; ".join(f"gain with stop {name} {_effect(gain)}" for name, gain in gains.items())
    return Finding(
        here=worth,
        rows=[*stopped.rows, *horizon.rows, *base.rows],
        filter=f"{stopped.filter} minus {horizon.filter}",
        direction=worth,
        sentence=listed,
    )


def split_overlap(study: Study, estimand: str) -> Finding:
    """Share of the questions reported on whose duplicate or template is trained or validated on.

    Held out, these are the test questions of each fold; in sample, all questions of the main fold,
    which is what leakage means there.
    """
    table = study.answers
    competition = table[table["benchmark"] == "competition"]
    overlaps, rows, sizes = [], [], []
    for fold in study.folds_of(estimand):
        asked = competition[competition["fold"] == fold].drop_duplicates("problem")
        parts = asked["part"].value_counts()
        if not {"train", "validation", "test"} <= set(parts.index):
            raise MissingAnswersError(f"fold {fold}: no answers of all three parts to compare")
        used = set(asked.loc[asked["part"].isin(["train", "validation"]), "cluster"])
        reported = asked if estimand == "in_sample" else asked[asked["part"] == "test"]
        overlaps.append(reported["cluster"].isin(used).astype(float).to_numpy())
        rows += asked["row"].astype(str).tolist()
        counts = " ".join(f"{part} {parts[part]}" for part in ("train", "validation", "test"))
        sizes.append(f"{fold}: {counts}")
    return Finding(
        here=statistics.wilson(
            int(sum(one.sum() for one in overlaps)), sum(map(len, overlaps)), study.alpha
        ),
        rows=sorted(set(rows)),
        filter=f"questions of estimand={estimand} with their clusters and parts",
        sentence=f"questions by part: {'; '.join(sizes)}",
    )


def level_table(study: Study, estimand: str) -> Finding:
    """Number of levels with mean words and accuracy, each named in the sentence."""
    found = _by_level(study, estimand)
    cells = [
        f"{level} {one.words:.1f} words {100 * one.right.to_numpy().mean():.1f} %"
        for level, one in zip(study.levels, found, strict=True)
    ]
    count = float(len(found))
    return Finding(
        here=statistics.Estimate(count, count, count, 1.0, 0.0, len(found[0].right), 0, 0, ""),
        rows=[row for one in found for row in one.rows],
        filter=f"{found[0].filter} and the same for {' '.join(study.levels[1:])}",
        sentence=", ".join(cells),
        scale=1.0,
    )


def competition_name(study: Study, estimand: str) -> Finding:  # noqa: ARG001
    """The name as every table and figure prints it."""
    return Finding(
        here=None,
        rows=[],
        filter="competition in resources/published.yaml",
        sentence=f"printed as: {study.settings['competition']}",
    )


FORMULAS: dict[str, Callable[[Study, str], Finding]] = {
    formula.__name__: formula
    for formula in (
        base_accuracy,
        teacher_accuracy,
        student_accuracy,
        gain_over_base,
        validation_minimum,
        level_drop,
        section_drop,
        stop_worth,
        split_overlap,
        level_table,
        competition_name,
    )
}

# ------------------------------------------------------------------------------------- verdicts


def _interval(found: statistics.Estimate) -> str:
    return f"{100 * found.low:.2f} to {100 * found.high:.2f}"


def _effect(found: statistics.Estimate) -> str:
    return f"{100 * found.estimate:+.2f} points ({_interval(found)})"


def _sign_tested(expected: str, found: statistics.Estimate, margin: float) -> tuple[int, float]:
    """Return +1, -1 or 0 for the expected, opposite or no direction, and the p of the claim."""
    if expected == "not_below_zero":
        # Non-inferiority: one-sided against a loss of the margin or more.
        if found.se <= 0:
            return 0, 1.0
        shifted = (found.estimate + margin) / found.se
        p = statistics.upper_tail(shifted, found.df)
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
    here, facts = finding.here, {}
    expected = entry.claim["expected"]
    value = entry.value if published else None
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
            equal = statistics.equivalence(finding.values, target, margin, finding.clusters, alpha)
        else:
            equal = statistics.equivalence_of(here, target, margin)
        facts["equivalence_p"] = equal.p
        facts["excluded"] = here.low > target + margin or here.high < target - margin
        if facts.get("p") is None:
            facts["p"], facts["test"] = equal.p, equal.test
            facts["power"] = statistics.equivalence_power(equal.se, margin, equal.df, alpha)
            facts["power_effect"] = "equality within the margin"
        share = min(max(target, 0.0), 1.0)
        if entry.claim["unit"] == "percent":
            needed = statistics.equivalence_items(share, margin, alpha)
            facts["descriptive"] = needed if here.n < needed else None
    effect = entry.effect if published else None
    if differs and here.se > 0:
        facts["detectable"] = 100 * statistics.detectable_gain(here.se, here.df, alpha)
    if differs and effect is not None:
        power = finding.power or (lambda size: statistics.gain_power(size, here.se, here.df, alpha))
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
    notes = [note for note in (found.here.note if found.here else "",) if note]
    if entry.claim["id"].startswith("Q"):
        if row.p is not None:
            extra.insert(0, f"{_effect(found.here)}, p {_p(row.p)}")
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
                f"{found.here.n}"
            )
    if found.within is not None and published and entry.published:
        reasons.append(
            f"the minimum lies {'inside' if found.within else 'outside'} the published range"
        )
        equal = equal and found.within
    if row.excluded:
        reasons.append("the interval excludes the published value and its margin")
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


# ---------------------------------------------------------------------------------------- table


def read_published(path: str | Path) -> dict[str, Any]:
    """Read the published claims.

    Args:
        path: resources/published.yaml.

    Returns:
        Its content.

    Raises:
        ValueError: If a claim lacks a field or names no formula.
    """
    content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    needed = ("id", "claim", "formula", "unit", "expected", "estimands", "sample", "source")
    for claim in content["claims"]:
        for name in needed:
            if name not in claim:
                raise ValueError(f"{path}: claim {claim.get('id')}: no {name}; add it")
        if claim["formula"] not in FORMULAS:
            raise ValueError(
                f"{path}: claim {claim['id']}: formula {claim['formula']!r} is none of "
                f"{', '.join(sorted(FORMULAS))}"
            )
    return content


def plan_sha256(settings: Mapping[str, Any]) -> str:
    """Hash the settings of the analysis, so that a later change of margin or alpha shows."""
    return sha256_text(canonical_json({name: settings.get(name) for name in PLAN}))


def rows_sha256(rows: Sequence[str]) -> str:
    """Hash row ids: sorted, each once, one a line."""
    return sha256_text("".join(f"{row}\n" for row in sorted(set(rows))))


def entries(published: Mapping[str, Any], sample: bool) -> list[Entry]:
    """List the rows of the table: each claim under each of its estimands.

    Args:
        published: Content of resources/published.yaml.
        sample: Whether this is the sample study, which shows fewer rows and no figures.

    Returns:
        The entries in order.
    """
    listed = []
    for claim in published["claims"]:
        for estimand in claim["sample"] if sample else claim["estimands"]:
            figures = {} if sample else claim["estimands"].get(estimand) or {}
            listed.append(Entry(claim, estimand, figures))
    return listed


def find(entry: Entry, study: Study) -> Finding:
    """Compute a row's finding by its formula.

    Args:
        entry: The claim and estimand.
        study: The study.

    Returns:
        The finding.

    Raises:
        MissingAnswersError: If the study does not hold what the formula needs.
    """
    if "between" in entry.published:
        between = entry.published["between"]
        settings = {**study.settings, "published_range": between}
        study = Study(study.answers, study.stops, settings, study.curves)
    return FORMULAS[entry.claim["formula"]](study, entry.estimand)


def assemble(
    rows: Sequence[Tested], settings: Mapping[str, Any], formula: str = "formula"
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Adjust over the family, judge every row and lay out both tables.

    Args:
        rows: Tested rows in order.
        settings: See `Study`.
        formula: Key of the claim that names the formula used.

    Returns:
        The claims table and the table of row ids (claim, estimand, column, row).
    """
    alpha, published = float(settings["alpha"]), bool(settings["published"])
    family = [
        index
        for index, row in enumerate(rows)
        if row.p is not None and not row.entry.claim["id"].startswith("Q")
    ]
    adjusted = dict(zip(family, statistics.holm([rows[index].p for index in family]), strict=True))
    lines, sources = [], []
    for index, row in enumerate(rows):
        entry, found = row.entry, row.finding
        p_holm = adjusted.get(index)
        outcome, reason = verdict(row, p_holm, alpha=alpha, published=published)
        here = found.here if found else None
        scale = found.scale if found else 1.0
        cells = {
            "here": None if here is None else scale * here.estimate,
            "low": None if here is None else scale * here.low,
            "high": None if here is None else scale * here.high,
            "sd": None if found is None or found.sd is None else scale * found.sd,
            "p": row.p,
            "p_holm": p_holm,
            "equivalence_p": row.equivalence_p,
            "power": row.power,
            "detectable": row.detectable,
        }
        used = [] if found is None else found.rows
        lines.append(
            {
                "id": entry.claim["id"],
                "claim": entry.claim["claim"],
                "estimand": entry.estimand,
                "unit": entry.claim["unit"],
                "published": entry.value,
                "published_sd": entry.published.get("sd"),
                "expected": EXPECTED.get(entry.claim["expected"]),
                "test": row.test or (here.test if here else None),
                "n": None if here is None or not here.n else here.n,
                "verdict": outcome,
                "reason": reason,
                "formula": entry.claim[formula],
                "filter": None if found is None else found.filter,
                "rows": len(set(used)),
                "rows_sha256": rows_sha256(used),
                "plan_sha256": plan_sha256(settings),
                "source": entry.claim["source"],
                "link": entry.claim.get("link"),
                **cells,
            }
        )
        sources += [
            (entry.claim["id"], entry.estimand, column, source)
            for column in ("here", "low", "high", "sd", "p", "equivalence_p")
            if cells[column] is not None
            for source in sorted(set(used))
        ]
    table = pd.DataFrame(lines, columns=list(COLUMNS)).astype(object)
    return (
        table.where(table.notna(), None),
        pd.DataFrame(sources, columns=["claim", "estimand", "column", "row"]),
    )


def judge_study(study: Study, published: Mapping[str, Any]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Test every claim on graded answers.

    Args:
        study: The study; `settings["published"]` false makes it the sample study.
        published: Content of resources/published.yaml.

    Returns:
        The claims table and the table of row ids.
    """
    settings = {**study.settings, "competition": published["competition"]}
    study = Study(study.answers, study.stops, settings, study.curves)
    shown_figures = bool(settings["published"])
    rows = []
    for entry in entries(published, sample=not shown_figures):
        try:
            finding = find(entry, study)
        except MissingAnswersError as error:
            rows.append(Tested(entry, None, missing=str(error)))
            continue
        rows.append(
            examine(
                entry,
                finding,
                alpha=study.alpha,
                margin=float(settings["margin"]) / 100,
                published=shown_figures,
            )
        )
    return assemble(rows, settings)


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """Shorten the claims table for people: one column per thing they compare.

    Args:
        table: The claims table.

    Returns:
        A frame of texts with columns id, claim, estimand, published, expected, here, interval,
        test, p, Holm p, power, verdict; the columns that are blank throughout left out.
    """

    def with_sd(value: float | None, sd: float | None) -> str:
        return shown(value) + (f" ({shown(sd)})" if sd is not None and value is not None else "")

    rows = []
    for _, row in table.iterrows():
        whole = row["unit"] in ("iteration", "levels")
        digits = 0 if whole else 2
        between = ""
        if row["low"] is not None and row["unit"] != "levels":
            between = f"{shown(row['low'], digits)} to {shown(row['high'], digits)}"
        rows.append(
            {
                "id": row["id"],
                "claim": row["claim"],
                "estimand": row["estimand"].replace("_", " "),
                "published": shown(row["published"], 0)
                if whole
                else with_sd(row["published"], row["published_sd"]),
                "expected": row["expected"] or "",
                "here": shown(row["here"], 0) if whole else with_sd(row["here"], row["sd"]),
                "interval": between,
                "test": row["test"] or "",
                "p": p_text(row["p"]),
                "Holm p": p_text(row["p_holm"]),
                "power": "" if row["power"] is None else f"{100 * row['power']:.0f} %",
                "verdict": row["verdict"],
            }
        )
    frame = pd.DataFrame(rows)
    return frame[[name for name in frame.columns if (frame[name] != "").any()]]


def reasons(table: pd.DataFrame) -> list[str]:
    """List the reason of each row, headed by its id and estimand."""
    return [
        f"{row['id']}, {row['estimand'].replace('_', ' ')}: {row['verdict']}. {row['reason']}"
        for _, row in table.iterrows()
    ]


# Claims whose figures depend on the verdicts, in the order of the sensitivity table.
GRADED = ("C1", "C2", "C3", "C4", "C5", "C5b", "C7", "C8")
GRADINGS = ("primary", "strict", "second", "best", "worst")


def judge_gradings(study: Study, published: Mapping[str, Any]) -> pd.DataFrame:
    """Judge every graded claim under each reading of the verdicts.

    Args:
        study: The study.
        published: Content of resources/published.yaml.

    Returns:
        A frame with id, estimand, grading, here, low, high, p_holm, verdict and changed (whether
        the verdict differs from the primary one). A reading whose column is absent or empty is
        left out; so are best and worst for C7 and C8, whose two sides are both the student's, so
        that favouring him bounds nothing.
    """
    frames = []
    for grading in GRADINGS:
        column = f"{grading}_verdict"
        if grading in ("strict", "second") and (
            column not in study.answers.columns or study.answers[column].isna().all()
        ):
            continue
        table, _ = judge_study(regraded(study, grading), published)
        graded = GRADED[:-2] if grading in ("best", "worst") else GRADED
        frames.append(table[table["id"].isin(graded)].assign(grading=grading))
    table = pd.concat(frames, ignore_index=True)
    primary = table[table["grading"] == "primary"].set_index(["id", "estimand"])["verdict"]
    table["changed"] = [row.verdict != primary[row.id, row.estimand] for row in table.itertuples()]
    names = ["id", "estimand", "grading", "here", "low", "high", "p_holm", "verdict", "changed"]
    order = {name: place for place, name in enumerate(GRADED)}
    table["place"] = table["id"].map(order)
    return table.sort_values(["place", "estimand"], kind="stable")[names].reset_index(drop=True)
