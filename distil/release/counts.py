"""Claims from the public release: from its counts, and from single answers where it holds them.

The counts of two runs on the same questions do not say on which questions they differ, so a test
of their difference ranges over every discordance that the counts allow; the verdict rests on the
least favourable one. All figures are in-sample: the release was judged on questions most of which
it was trained on.

The table of counts has columns quantity, level, population, group_kind, group, successes, total,
origin, source, line, as `import_release_counts` writes it; the losses have iteration, part, loss;
the levels have level, section, words_mean, accuracy, total.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from distil.claims.findings import Entry, Finding
from distil.claims.plan import AnalysisPlan
from distil.claims.selections import MissingAnswersError
from distil.claims.table import assemble, entries
from distil.claims.verdicts import Tested, examine
from distil.content.addresses import row_id
from distil.inference.estimates import Estimate
from distil.inference.gains import mcnemar_exact, wilson
from distil.inference.levels import section_contrast, trend
from distil.release import forensics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

OTHER_LEVELS = "the release has {} levels, not six, and an adapter for each"
LEAST_FAVOURABLE = "difference of counts, least favourable pairing"


@dataclass(frozen=True)
class Release:
    """What a release holds in place of graded answers.

    Attributes:
        counts: Right answers by quantity, level and group.
        losses: Validation losses of the released training log.
        levels: Words and accuracy by level and section.
        answers: Single answers, as `grade_release_answers` writes them; empty where there are none.
        settings: As of `GradedAnswers`.
    """

    counts: pd.DataFrame
    losses: pd.DataFrame
    levels: pd.DataFrame
    answers: pd.DataFrame
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def alpha(self) -> float:
        """One minus the confidence level."""
        return float(self.settings["alpha"])


@dataclass(frozen=True)
class Count:
    """Right answers of one run.

    Attributes:
        successes: Right answers.
        total: Questions.
        row: Id of the count.
        implied: Whether a published percentage implies the count, and no file holds it.
    """

    successes: int
    total: int
    row: str
    implied: bool = False

    @property
    def share(self) -> float:
        """Accuracy as a proportion."""
        return self.successes / self.total


def count(release: Release, quantity: str, level: str | None = None, group: str = "all") -> Count:
    """Look up one count.

    Args:
        release: The release.
        quantity: For example student, base, in_any_part.
        level: R1 ..., or None for the published adapter.
        group: all, or a section or year.

    Returns:
        The count.

    Raises:
        MissingAnswersError: If the release does not hold it.
    """
    table = release.counts
    keep = (table["quantity"] == quantity) & (table["population"] == "all")
    keep &= table["group"].astype(str) == group
    keep &= table["level"].isna() if level is None else table["level"] == level
    found = table[keep]
    if len(found) != 1:
        raise MissingAnswersError(
            f"the release holds {len(found)} counts of {quantity} {level or ''} for {group}"
        )
    row = found.iloc[0]
    return Count(
        successes=int(row["successes"]),
        total=int(row["total"]),
        row=str(row["id"]),
        implied=row["origin"] == "percentage",
    )


def least_favourable(first: Count, second: Count, alpha: float) -> Estimate:
    """Difference of two counts on the same questions under the pairing that says least.

    The estimand is the paired difference of accuracies. Its variance is (d - difference^2)/n with
    the discordance d unknown; the interval and p are those of the largest d that the two
    accuracies allow (Frechet), so that any true pairing would give narrower ones.

    Args:
        first: Count of one run.
        second: Count of another; where totals differ, the smaller is taken as the number of pairs.
        alpha: One minus the confidence level.

    Returns:
        The estimate; `extra` holds the largest discordance and the smallest p.
    """
    n = min(first.total, second.total)
    difference = first.share - second.share
    _, most = forensics.discordance_limits(first.share, second.share)
    se = math.sqrt(max(most - difference**2, 0.0) / n)
    if first.total == second.total:
        least_p, p = forensics.pair_tails(first.successes - second.successes, round(most * n))
    else:
        least_p, p = 0.0, float(2 * stats.norm.sf(abs(difference) / se)) if se else 1.0
    half = float(stats.norm.ppf(1 - alpha / 2)) * se
    return Estimate(
        estimate=difference,
        low=difference - half,
        high=difference + half,
        p=p,
        se=se,
        n=n,
        clusters=n,
        df=float("inf"),
        test=LEAST_FAVOURABLE,
        extra={"discordance": most, "least_p": least_p},
    )


def _accuracy(release: Release, quantity: str, sentence: str = "") -> Finding:
    found = count(release, quantity)
    how = "; the published percentage itself implies this count" if found.implied else ""
    return Finding(
        estimate=wilson(found.successes, found.total, release.alpha),
        rows=[found.row],
        filter=f"quantity={quantity} group=all",
        sentence=f"{found.successes} of {found.total}{how}" + (f"; {sentence}" if sentence else ""),
        source=True,
    )


def base_accuracy(release: Release, entry: Entry) -> Finding:  # noqa: ARG001
    """Accuracy of the base from its count."""
    return _accuracy(release, "base")


def teacher_accuracy(release: Release, entry: Entry) -> Finding:  # noqa: ARG001
    """Accuracy of the teacher from its count."""
    return _accuracy(release, "teacher")


def student_accuracy(release: Release, entry: Entry) -> Finding:
    """Accuracy of the released run; says whether one run equals the published mean of seeds."""
    found = count(release, "student")
    seeds = entry.published.get("seeds")
    sentence = ""
    if seeds and entry.value is not None:
        same = forensics.Printed.read(forensics.as_printed(entry.value)).allows(100 * found.share)
        sentence = (
            f"this is one run, and its count {'equals' if same else 'differs from'} the published "
            f"mean of {seeds} seeds"
        )
    return _accuracy(release, "student", sentence)


def _difference(
    release: Release, first: Count, second: Count, sentence: str, *, source: bool = False
) -> Finding:
    """Difference of two counts on the same questions, under every pairing that they allow."""
    found = least_favourable(first, second, release.alpha)
    return Finding(
        estimate=found,
        rows=[first.row, second.row],
        filter=f"{first.row} minus {second.row}",
        sentence=(
            f"{first.successes} of {first.total} against {second.successes} of {second.total}; "
            f"these counts do not say on which questions the two differ: exact McNemar p lies "
            f"between {found.extra['least_p']:.2g} and {found.p:.2g}; {sentence}"
        ).removesuffix("; "),
        source=source,
    )


def teacher_over_base(release: Release, entry: Entry) -> Finding:  # noqa: ARG001
    """Difference of the teacher and the base from their counts."""
    teacher, base = count(release, "teacher"), count(release, "base")
    return _difference(release, teacher, base, "", source=True)


def gain_over_base(release: Release, entry: Entry) -> Finding:  # noqa: ARG001
    """Gain of the released run over the base under every pairing the counts allow."""
    student, base = count(release, "student"), count(release, "base")
    found = least_favourable(student, base, release.alpha)
    ranges = []
    for share in (forensics.DISCORDANCES[0], forensics.DISCORDANCES[-1]):
        low, high = forensics.gain_interval(found.estimate, found.n, share, release.alpha)
        ranges.append(f"{100 * low:.1f} to {100 * high:.1f} at {100 * share:.0f} %")
    text = f"interval {' and '.join(ranges)} discordance"
    return _difference(release, student, base, text, source=True)


def gain_tests(release: Release, entry: Entry) -> Finding:
    """The review's question whether the gain is significant."""
    return gain_over_base(release, entry)


def _single(release: Release, *runs: str) -> list[pd.DataFrame]:
    """Single answers of some runs, indexed by problem, on the problems that all answered.

    Raises:
        MissingAnswersError: The download lacks a run.
    """
    table, found = release.answers, []
    for run in runs:
        rows = table[table["run"] == run]
        if rows.empty:
            raise MissingAnswersError(f"the download holds no single answers of {run}")
        found.append(rows.set_index("problem").sort_index())
    common = functools.reduce(pd.Index.intersection, (one.index for one in found))
    return [one.loc[common] for one in found]


def _right(rows: pd.DataFrame) -> np.ndarray:
    return (rows["verdict"] == "right").to_numpy(dtype=float)


def transfer_accuracy(release: Release, entry: Entry) -> Finding:  # noqa: ARG001
    """Accuracy of the released student on MATH-500, from its single answers graded here."""
    [rows] = _single(release, "math500-student")
    right, judged = _right(rows), rows["judge_verdict"]
    return Finding(
        estimate=wilson(int(right.sum()), len(right), release.alpha),
        rows=rows["row"].tolist(),
        filter="run=math500-student",
        sentence=(
            f"{int(right.sum())} of {len(right)} right by the grader here, "
            f"{int((judged == 'right').sum())} by the release's own judge "
            f"({int((judged == 'unknown').sum())} not judged); they differ on "
            f"{int(((judged == 'right').to_numpy() != (right > 0)).sum())}; one run"
        ),
    )


def adapters_compared(release: Release, entry: Entry) -> Finding:  # noqa: ARG001
    """The adapter of 200 iterations against the other one that the release counts (Q1).

    By the name of the file it was counted from and by the training log, the other is the adapter of
    the whole run of 1,000 iterations; the release does not say so. Where the download holds both
    sets of answers they are compared question by question, else by their counts.
    """
    try:
        one, two = _single(release, "student-200", "student-other")
    except MissingAnswersError:
        pass
    else:
        return Finding(
            estimate=mcnemar_exact(_right(one), _right(two), release.alpha),
            rows=[*one["row"], *two["row"]],
            filter="run=student-200 minus run=student-other",
            sentence="single answers graded here; the second adapter's iterations are inferred",
        )
    stopped, other = count(release, "student"), count(release, "student_other_adapter")
    return _difference(
        release,
        stopped,
        other,
        f"{100 * stopped.share:.1f} % and {100 * other.share:.1f} %; the second adapter is that of "
        "1,000 iterations by its file's name and TERMINAL.md (inferred)",
    )


def _levels(release: Release) -> list[str]:
    table = release.counts
    keep = (table["quantity"] == "student") & table["level"].notna()
    return sorted(set(table.loc[keep, "level"]))


def _ends(release: Release, group: str) -> tuple[Count, Count]:
    levels = _levels(release)
    if len(levels) < 2:
        raise MissingAnswersError("the release holds no counts by level")
    return count(release, "student", levels[0], group), count(release, "student", levels[-1], group)


def _levels_single(release: Release) -> tuple[list[pd.DataFrame], list[float]]:
    """Single answers of every level's adapter, and the mean words of its responses."""
    found = _single(release, *(f"student-{level.lower()}" for level in _levels(release)))
    return found, [float(one["words"].mean()) for one in found]


def level_slope(release: Release, entry: Entry) -> Finding:  # noqa: ARG001
    """Slope per doubling of words over the released levels.

    From single answers, and the words of the responses, where the download holds all of them; else
    between the counts of the first and the last level, and the words of their traces.
    """
    try:
        found, words = _levels_single(release)
    except MissingAnswersError:
        pass
    else:
        shares = np.column_stack([_right(one) for one in found])
        clusters = found[0]["cluster"].astype(str).to_numpy()
        slope = trend(shares, words, clusters, permutations=0, alpha=release.alpha)
        listed = ", ".join(
            f"{level} {mean:.1f} words {100 * share:.1f} %"
            for level, mean, share in zip(_levels(release), words, shares.mean(axis=0), strict=True)
        )
        return Finding(
            estimate=replace(slope, p=slope.extra["slope_p"], test="slope on log words, clustered"),
            rows=[row for one in found for row in one["row"]],
            filter="single answers of every level's adapter",
            sentence=f"words of the responses: {listed}",
            other_design=OTHER_LEVELS.format(len(found)),
        )
    first, last = _ends(release, "all")
    drop, levels = least_favourable(first, last, release.alpha), _levels(release)
    rows = release.levels[release.levels["section"] == "all"].set_index("level")["words_mean"]
    doublings = math.log2(rows[levels[0]] / rows[levels[-1]])
    slope = replace(
        drop,
        **{name: getattr(drop, name) / doublings for name in ("estimate", "low", "high", "se")},
    )
    return Finding(
        estimate=slope,
        rows=[first.row, last.row, f"level/{levels[0]}", f"level/{levels[-1]}"],
        filter=f"quantity=student level={levels[0]} minus level={levels[-1]}, group=all",
        sentence=(
            f"{100 * first.share:.1f} % at {levels[0]}, {100 * last.share:.1f} % at {levels[-1]}; "
            "words of the traces, not of the answers"
        ),
        other_design=OTHER_LEVELS.format(len(levels)),
    )


def section_drop(release: Release, entry: Entry) -> Finding:  # noqa: ARG001
    """How much more the speed section loses than the section closest to it."""
    table, speed = release.counts, release.settings["speed_section"]
    if speed is None:
        raise MissingAnswersError("the study file names no speed section (claims.speed_section)")
    try:
        answered, _ = _levels_single(release)
    except MissingAnswersError:
        pass
    else:
        longest, shortest = answered[0], answered[-1]
        clusters = longest["cluster"].astype(str).to_numpy()
        drops = _right(longest) - _right(shortest)
        return Finding(
            estimate=section_contrast(
                drops, longest["section"].tolist(), speed, clusters, release.alpha
            ),
            rows=[*longest["row"], *shortest["row"]],
            filter=f"single answers of the first minus the last level; {speed} minus each other",
        )
    sections = sorted(
        set(table.loc[table["group_kind"] == "section", "group"].astype(str)) - {speed}
    )
    own = least_favourable(*_ends(release, speed), release.alpha)
    others = {name: least_favourable(*_ends(release, name), release.alpha) for name in sections}
    contrasts = {}
    for name, other in others.items():
        se = math.hypot(own.se, other.se)
        contrasts[name] = (own.estimate - other.estimate, se)
    binding = min(contrasts, key=lambda name: contrasts[name][0])
    difference, se = contrasts[binding]
    half = float(stats.norm.ppf(1 - release.alpha / 2)) * se
    p = max(float(2 * stats.norm.sf(abs(value) / spread)) for value, spread in contrasts.values())
    found = Estimate(
        estimate=difference,
        low=difference - half,
        high=difference + half,
        p=p,
        se=se,
        n=own.n + sum(other.n for other in others.values()),
        clusters=0,
        df=float("inf"),
        test=f"section contrasts, {LEAST_FAVOURABLE}",
    )
    losses = {speed: own, **others}
    listed = ", ".join(f"{name} {100 * one.estimate:.1f}" for name, one in sorted(losses.items()))
    return Finding(
        estimate=found,
        rows=[one.row for name in sorted(losses) for one in _ends(release, name)],
        filter=f"drop of group={speed} minus group={binding}",
        sentence=f"points lost by section: {listed}",
    )


def loss_rise(release: Release, entry: Entry) -> Finding:
    """Rise of the released log's validation loss after its minimum; one run, so no test."""
    losses = release.losses[release.losses["part"] == "validation"].sort_values("iteration")
    if losses.empty:
        raise MissingAnswersError("the release holds no validation losses")
    place = int(losses["loss"].to_numpy().argmin())
    steps, values = losses["iteration"].tolist(), losses["loss"].tolist()
    low, high = steps[max(place - 1, 0)], steps[min(place + 1, len(steps) - 1)]
    between = entry.published.get("between")
    inside = "" if between is None or between[0] < steps[place] < between[1] else " not"
    rise = float(values[-1] - values[place])
    return Finding(
        estimate=Estimate(rise, rise, rise, 1.0, 0.0, 1, 0, 0, "one log", testable=False),
        rows=[row_id("loss", part="validation", iteration=step) for step in steps],
        filter="validation losses of the released log",
        sentence=(
            f"loss {values[place]:.3f} at {steps[place]}, {values[-1]:.3f} at {steps[-1]}; the log "
            f"validated at {', '.join(map(str, steps))} only, so that the minimum lies somewhere "
            f"between {low} and {high}, which does{inside} agree with the published place"
        ),
        scale=1.0,
        untested="one log of one run: nothing can be tested",
    )


def split_overlap(release: Release, entry: Entry) -> Finding:  # noqa: ARG001
    """Share of the evaluated questions that stand verbatim in the released training split."""
    places = {}
    for part in ("train", "validation", "test"):
        places[part] = count(release, f"in_{part}")
    whole = places["train"]
    listed = ", ".join(f"{one.successes} in {part}" for part, one in places.items())
    return Finding(
        estimate=wilson(whole.successes, whole.total, release.alpha),
        rows=[one.row for one in places.values()],
        filter="quantity=in_train group=all",
        sentence=(
            f"of {whole.total} evaluated questions {listed}, verbatim: the published accuracy is "
            "in-sample, and what leakage is worth needs answers on questions held out"
        ),
    )


def level_table(release: Release, entry: Entry) -> Finding:  # noqa: ARG001
    """Number of released levels with the mean words of their traces and their accuracy."""
    rows = release.levels[release.levels["section"] == "all"].sort_values("level")
    if rows.empty:
        raise MissingAnswersError("the release holds no words by level")
    cells = [
        f"{row.level} {row.words_mean:.1f} words {row.accuracy:.1f} %" for row in rows.itertuples()
    ]
    found = float(len(rows))
    return Finding(
        estimate=Estimate(
            found, found, found, 1.0, 0.0, int(rows["total"].max()), 0, 0, "", testable=False
        ),
        rows=[row_id("level", level=level) for level in rows["level"]],
        filter="levels of the release, all sections",
        sentence=f"words of the traces, not of the answers: {', '.join(cells)}",
        scale=1.0,
    )


def competition_name(release: Release, entry: Entry) -> Finding:  # noqa: ARG001
    """The name as every table and figure prints it."""
    return Finding(
        estimate=None,
        rows=["published/competition"],
        filter="competition in resources/published.yaml",
        sentence=f"printed as: {release.settings['competition']}",
    )


FORMULAS: dict[str, Callable[[Release, Entry], Finding]] = {
    formula.__name__: formula
    for formula in (
        base_accuracy,
        teacher_accuracy,
        student_accuracy,
        transfer_accuracy,
        teacher_over_base,
        gain_over_base,
        gain_tests,
        adapters_compared,
        level_slope,
        section_drop,
        loss_rise,
        split_overlap,
        level_table,
        competition_name,
    )
}


def judge_release(
    release: Release, published: Mapping[str, Any]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Test every claim that counts allow.

    Args:
        release: The release.
        published: Content of resources/published.yaml.

    Returns:
        The claims table and the table of row ids, as of `claims.judge_study`.
    """
    settings = {**release.settings, "competition": published["competition"], "published": True}
    release = replace(release, settings=settings)
    rows = []
    for entry in entries(published, sample=False):
        if entry.estimand == "held_out" and "in_sample" in entry.claim["estimands"]:
            # Nothing was held out there; the claim's in-sample row stands for it.
            continue
        rows.append(_examined(release, entry, AnalysisPlan.read(settings)))
    return assemble(rows, settings, published, "counts")


def _examined(release: Release, entry: Entry, plan: AnalysisPlan) -> Tested:
    formula = FORMULAS.get(entry.claim["counts"] or "")
    if formula is None:
        return Tested(entry, None, missing="the release holds no counts for this claim")
    try:
        finding = formula(release, entry)
    except MissingAnswersError as error:
        return Tested(entry, None, missing=str(error))
    return examine(entry, finding, plan)
