"""Formulas of the claims, one named function each: from graded answers to a finding."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from distil.claims.findings import Entry, Finding, effect_text, interval_text
from distil.claims.selections import (
    Answers,
    GradedAnswers,
    MissingAnswersError,
    Selection,
    answers,
    base,
    differences,
    student,
)
from distil.content.addresses import row_id
from distil.inference.estimates import Estimate
from distil.inference.gains import accuracy, bootstrap_gain, paired_gain, seeds_t, wilson
from distil.inference.levels import section_contrast, trend
from distil.inference.power import gain_power


def base_accuracy(study: GradedAnswers, estimand: str) -> Finding:
    """Accuracy of the base student at the longest level."""
    found = base(study, estimand)
    return Finding(
        estimate=accuracy(found.right, found.clusters, study.alpha),
        rows=found.rows,
        filter=found.filter,
        values=found.right.to_numpy(),
        clusters=found.clusters,
    )


def teacher_accuracy(study: GradedAnswers, estimand: str) -> Finding:
    """Accuracy of the teacher's first answers; its sign test is the paired gain over the base."""
    teacher, plain = answers(study, Selection("teacher", estimand)), base(study, estimand)
    direction = paired_gain(differences(teacher, plain), teacher.clusters, study.alpha)
    return Finding(
        estimate=accuracy(teacher.right, teacher.clusters, study.alpha),
        rows=[*teacher.rows, *plain.rows],
        filter=f"{teacher.filter}; sign against {plain.filter}",
        direction=direction,
        values=teacher.right.to_numpy(),
        clusters=teacher.clusters,
        sentence=f"{effect_text(direction)} against the base",
    )


def student_accuracy(study: GradedAnswers, estimand: str) -> Finding:
    """Mean accuracy over seeds at the longest level and the primary stop."""
    found = student(study, estimand)
    by_seed = found.right.mean(axis=0).to_numpy()
    return Finding(
        estimate=accuracy(found.right, found.clusters, study.alpha),
        rows=found.rows,
        filter=found.filter,
        values=found.right.to_numpy(),
        clusters=found.clusters,
        sd=float(by_seed.std(ddof=1)) if len(by_seed) > 1 else None,
    )


def gain_over_base(study: GradedAnswers, estimand: str) -> Finding:
    """Paired gain of all seeds over the base, clustered by question (primary test)."""
    tuned, plain = student(study, estimand), base(study, estimand)
    gains = differences(tuned, plain)
    gain = paired_gain(gains, tuned.clusters, study.alpha)
    by_seed = gains.mean(axis=0)
    resampled = bootstrap_gain(gains, tuned.clusters, alpha=study.alpha, **study.bootstrap)
    return Finding(
        estimate=gain,
        rows=[*tuned.rows, *plain.rows],
        filter=f"{tuned.filter} minus {plain.filter}",
        direction=gain,
        values=gains,
        clusters=tuned.clusters,
        sd=float(by_seed.std(ddof=1)) if len(by_seed) > 1 else None,
        sentence=f"with seeds random too, {interval_text(resampled)}",
    )


def validation_minimum(study: GradedAnswers, estimand: str) -> Finding:  # noqa: ARG001
    """Where the pilot's validation loss is lowest; the test is whether the seeds' loss then rises.

    For each seed the minimum is located on the other seeds' mean curve, so that the rise from there
    to the horizon is not positive merely because a minimum was picked.
    """
    curves = study.curves
    if curves.empty:
        raise MissingAnswersError("no validation curves were given")
    fold = study.main_fold
    # The published figure is of mlx_lm.lora's loop and its number of epochs; where a study trains
    # that way too, these are the curves to hold against it.
    variant = "published" if "published" in study.stops[fold] else "prompt"
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
    direction = seeds_t(rises, study.alpha) if rises else None
    here = Estimate(
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
        estimate=here,
        rows=[
            row_id("curve", fold=fold, variant=variant, seed=seed, iteration=iteration)
            for seed in sorted({*seeds, pilot_seed})
            for iteration in wide.index
        ],
        filter=f"validation loss of fold={fold} variant={variant}, iterations {first} to {last}",
        direction=direction,
        sentence=sentence,
        scale=1.0,
        within=inside and lowest > first,
    )


def _by_level(study: GradedAnswers, estimand: str) -> list[Answers]:
    return [student(study, estimand, level=level) for level in study.levels]


def level_drop(study: GradedAnswers, estimand: str) -> Finding:
    """Accuracy at the longest minus at the shortest level; the test is the trend on log words."""
    found = _by_level(study, estimand)
    levels = np.column_stack([one.right.mean(axis=1) for one in found])
    words = [one.words for one in found]
    drop = paired_gain(differences(found[0], found[-1]), found[0].clusters, study.alpha)
    slope = trend(
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
        estimate=drop,
        rows=[row for one in found for row in one.rows],
        filter=f"{found[0].filter} minus {found[-1].filter}; trend over {' '.join(study.levels)}",
        direction=slope,
        values=differences(found[0], found[-1]),
        clusters=found[0].clusters,
        sentence=(
            f"{100 * slope.estimate:.1f} points per doubling of words "
            f"({100 * slope.low:.1f} to {100 * slope.high:.1f}); {order}"
        ),
        power=lambda effect: gain_power(effect, drop.se, drop.df, study.alpha),
    )


def section_drop(study: GradedAnswers, estimand: str) -> Finding:
    """How much more the study's speed section loses than the section closest to it."""
    speed = study.plan.speed_section
    if speed is None:
        raise MissingAnswersError("the study file names no speed section (claims.speed_section)")
    longest, shortest = (student(study, estimand, level=study.levels[end]) for end in (0, -1))
    drops = differences(longest, shortest)
    try:
        found = section_contrast(drops, longest.sections, speed, longest.clusters, study.alpha)
    except ValueError as error:
        raise MissingAnswersError(str(error)) from error
    means = pd.Series(drops.mean(axis=1)).groupby(longest.sections).mean()
    losses = ", ".join(f"{name} {100 * value:.1f}" for name, value in means.items())
    return Finding(
        estimate=found,
        rows=[*longest.rows, *shortest.rows],
        filter=f"{longest.filter} minus {shortest.filter}; {speed} minus each other",
        direction=found,
        sentence=f"points lost by section: {losses}",
    )


def stop_worth(study: GradedAnswers, estimand: str) -> Finding:
    """What the primary stop is worth against going on to the horizon, on questions it never saw."""
    plain = base(study, estimand)
    stopped, horizon = student(study, estimand), student(study, estimand, stop="horizon")
    gains = {}
    for name, found in ((study.plan.primary_stop, stopped), ("horizon", horizon)):
        gains[name] = paired_gain(differences(found, plain), plain.clusters, study.alpha)
    worth = paired_gain(differences(stopped, horizon), plain.clusters, study.alpha)
    listed = "; ".join(f"gain with stop {name} {effect_text(gain)}" for name, gain in gains.items())
    return Finding(
        estimate=worth,
        rows=[*stopped.rows, *horizon.rows, *plain.rows],
        filter=f"{stopped.filter} minus {horizon.filter}",
        direction=worth,
        sentence=listed,
    )


def split_overlap(study: GradedAnswers, estimand: str) -> Finding:
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
        estimate=wilson(
            int(sum(one.sum() for one in overlaps)), sum(map(len, overlaps)), study.alpha
        ),
        rows=sorted(set(rows)),
        filter=f"questions of estimand={estimand} with their clusters and parts",
        sentence=f"questions by part: {'; '.join(sizes)}",
    )


def level_table(study: GradedAnswers, estimand: str) -> Finding:
    """Number of levels with mean words and accuracy, each named in the sentence."""
    found = _by_level(study, estimand)
    cells = [
        f"{level} {one.words:.1f} words {100 * one.right.to_numpy().mean():.1f} %"
        for level, one in zip(study.levels, found, strict=True)
    ]
    count = float(len(found))
    return Finding(
        estimate=Estimate(count, count, count, 1.0, 0.0, len(found[0].right), 0, 0, ""),
        rows=[row for one in found for row in one.rows],
        filter=f"{found[0].filter} and the same for {' '.join(study.levels[1:])}",
        sentence=", ".join(cells),
        scale=1.0,
    )


def competition_name(study: GradedAnswers, estimand: str) -> Finding:  # noqa: ARG001
    """The name as every table and figure prints it."""
    return Finding(
        estimate=None,
        rows=["published/competition"],
        filter="competition in resources/published.yaml",
        sentence=f"printed as: {study.settings['competition']}",
    )


FORMULAS: dict[str, Callable[[GradedAnswers, str], Finding]] = {
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


def find(entry: Entry, study: GradedAnswers) -> Finding:
    """Compute a row's finding by its formula.

    Args:
        entry: The claim and estimand.
        study: The study's graded answers.

    Returns:
        The finding.

    Raises:
        MissingAnswersError: If the study does not hold what the formula needs.
    """
    if "between" in entry.published:
        between = entry.published["between"]
        settings = {**study.settings, "published_range": between}
        study = GradedAnswers(study.answers, study.stops, settings, study.curves)
    return FORMULAS[entry.claim["formula"]](study, entry.estimand)
