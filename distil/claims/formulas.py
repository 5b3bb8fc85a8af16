"""Formulas of the claims, one named function each: from graded answers to a finding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats

from distil.claims.findings import Entry, Finding, effect_text, interval_text
from distil.claims.selections import (
    Answers,
    GradedAnswers,
    MissingAnswersError,
    Selection,
    answers,
    base,
    differences,
    paired,
    questions,
    student,
)
from distil.content.addresses import row_id
from distil.inference.estimates import Estimate
from distil.inference.gains import accuracy, bootstrap_gain, paired_gain, seeds_t, wilson
from distil.inference.levels import section_contrast, slope_weights, trend


def base_accuracy(study: GradedAnswers, estimand: str) -> Finding:
    """Accuracy of the base student at the longest level."""
    return _accuracy(study, base(study, estimand))


def teacher_accuracy(study: GradedAnswers, estimand: str) -> Finding:
    """Accuracy of the teacher, the mean over its samples where it was asked several times."""
    return _accuracy(study, answers(study, Selection("teacher", estimand)))


def student_accuracy(study: GradedAnswers, estimand: str) -> Finding:
    """Mean accuracy over seeds at the longest level and the primary stop."""
    return _accuracy(study, student(study, estimand))


def _accuracy(study: GradedAnswers, found: Answers) -> Finding:
    by_seed = found.right.mean(axis=0).to_numpy()
    return Finding(
        estimate=accuracy(found.right, found.clusters, study.alpha),
        rows=found.rows,
        filter=found.filter,
        sentence=_left_out([found], "accuracy", bounds((found, 1))),
        sd=float(by_seed.std(ddof=1)) if len(by_seed) > 1 else None,
        runs=len(by_seed),
        missing=_lacking(found),
    )


def bounds(*sides: tuple[Answers, float | np.ndarray]) -> tuple[float, float]:
    """Ends of a weighted sum of accuracies had every missing answer been against it, and for it.

    An answer that lacks some of its samples counts as missing as a whole, and where two sides share
    an answer (two stops at one checkpoint) it is taken as two; the ends are then outer bounds.

    Args:
        *sides: Right answers of variants that were asked the same questions, each with its weight:
            a number, or one for each question asked, shape (questions,).

    Returns:
        The worst and the best sum of the means of weight times right answers, over all questions
        asked: for weights 1 and -1 those of a difference.
    """
    ends = []
    for favoured in (False, True):
        total = 0.0
        for found, weight in sides:
            weights = np.broadcast_to(weight, len(found.asked))
            right = found.asked.to_numpy()
            lent = ((weights > 0) == favoured).astype(float)[:, None]
            right = np.where(np.isnan(right), lent, right).mean(axis=1)
            total += float((weights * right).mean())
        ends.append(total)
    return ends[0], ends[1]


def _lacking(*found: Answers) -> int:
    """Number of the questions asked that lack an answer in some of these."""
    return int(np.logical_or.reduce([one.asked.isna().any(axis=1) for one in found]).sum())


def _left_out(found: Sequence[Answers], quantity: str, ends: tuple[float, float]) -> str:
    """Say how many questions lack an answer, and what the missing answers could change.

    Args:
        found: The answers that a quantity is computed from, of the same questions asked.
        quantity: Its name in the sentence.
        ends: Its `bounds`, as shares.

    Returns:
        A sentence without its full stop; nothing where no question lacks an answer.
    """
    missing = _lacking(*found)
    if not missing:
        return ""
    sign = "" if quantity == "accuracy" else "+"
    worst, best = (f"{100 * end:{sign}.2f}" for end in ends)
    return (
        f"{missing} of {len(found[0].asked)} questions lack an answer and are left out; had all of "
        f"these gone against it the {quantity} were {worst}, for it {best}"
    )


def compared(study: GradedAnswers, first: Answers, second: Answers) -> Estimate:
    """First minus second by the primary test, on the questions that both answered.

    Args:
        study: The study's graded answers.
        first: Right answers of one variant.
        second: Right answers of another on the same questions.

    Returns:
        The mean difference, clustered, with the plan's strata.
    """
    one, two = paired(first, second)
    return paired_gain(differences(one, two), one.clusters, study.alpha, one.strata)


def _difference(study: GradedAnswers, first: Answers, second: Answers, *said: str) -> Finding:
    """The finding of a paired comparison, with what missing answers could change."""
    one, two = paired(first, second)
    found = compared(study, one, two)
    lacking = _left_out([one, two], "difference", bounds((first, 1), (second, -1)))
    sentences = [text for text in (*said, lacking) if text]
    if found.extra:
        shares = ", ".join(f"{name} {100 * value:+.1f}" for name, value in found.extra.items())
        sentences.append(f"by {study.plan.strata}: {shares}")
    return Finding(
        estimate=found,
        rows=[*one.rows, *two.rows],
        filter=f"{first.filter} minus {second.filter}",
        sentence="; ".join(sentences),
        runs=one.right.shape[1],
        missing=_lacking(one, two),
    )


def teacher_over_base(study: GradedAnswers, estimand: str) -> Finding:
    """Paired difference of the teacher and the base."""
    teacher = answers(study, Selection("teacher", estimand))
    return _difference(study, teacher, base(study, estimand))


def gain_over_base(study: GradedAnswers, estimand: str) -> Finding:
    """Paired gain of all seeds over the base, clustered by question (primary test)."""
    tuned, plain = paired(student(study, estimand), base(study, estimand))
    resampled = bootstrap_gain(
        differences(tuned, plain), tuned.clusters, alpha=study.alpha, **study.bootstrap
    )
    text = f"with seeds random too, {interval_text(resampled)}"
    return _difference(study, student(study, estimand), base(study, estimand), text)


def gain_tests(study: GradedAnswers, estimand: str) -> Finding:
    """The review's question whether the gain is significant: what each set of assumptions says."""
    tuned, plain = paired(student(study, estimand), base(study, estimand))
    found = compared(study, tuned, plain)
    gains = differences(tuned, plain)
    resampled = bootstrap_gain(gains, tuned.clusters, alpha=study.alpha, **study.bootstrap)
    alone = seeds_t(gains.mean(axis=0), study.alpha)
    lacking = _left_out([tuned, plain], "difference", bounds((tuned, 1), (plain, -1)))
    tests = (
        f"{effect_text(found)}, p {found.p:.3g} with questions random; p {resampled.p:.3g} "
        f"with seeds random too; t over seeds alone would say p {alone.p:.3g}"
    )
    return Finding(
        estimate=found,
        rows=[*tuned.rows, *plain.rows],
        filter=f"{tuned.filter} minus {plain.filter}",
        sentence="; ".join(filter(None, (tests, lacking))),
        runs=gains.shape[1],
        missing=_lacking(tuned, plain),
    )


def loss_rise(study: GradedAnswers, estimand: str) -> Finding:  # noqa: ARG001
    """Rise of the validation loss from its minimum to the horizon, over seeds and the pilot.

    For each run the minimum is located on the other runs' mean curve, so that the rise is not
    positive merely because a minimum was picked. The losses come without their questions, so
    nothing is known about other questions. The runs are those of the published protocol on the
    published split where a study has them, else of the main fold. The test is an exact sign test
    over runs, with the range of the rises as the interval of their median (Conover, Practical
    Nonparametric Statistics, 3rd ed., 1999, section 3.4).
    """
    curves = study.curves
    if curves.empty:
        raise MissingAnswersError("no validation curves were given")
    # The published figure is of mlx_lm.lora's loop and its number of epochs on the rows of the
    # published split; where a study trains that way too, these are the curves to hold against it.
    fold, variant = study.main_fold, "prompt"
    if "published" in study.stops[fold]:
        fold, variant = study.folds_of("in_sample")[0], "published"
    curves = curves[(curves["fold"] == fold) & (curves["variant"] == variant)]
    pilot = int(study.stops[fold][variant]["pilot"]["seed"])
    wide = curves.pivot_table(index="iteration", columns="seed", values="loss").dropna()
    if pilot not in wide.columns:
        raise MissingAnswersError(f"no validation curve of the pilot, seed {pilot}")
    runs = sorted({*study.seeds(fold), pilot} & set(wide.columns))
    first, last = int(wide.index[0]), int(wide.index[-1])
    rises = []
    for run in runs if len(runs) > 1 else []:
        turn = wide[[other for other in runs if other != run]].mean(axis=1).idxmin()
        rises.append(float(wide.loc[last, run] - wide.loc[turn, run]))
    minima = {run: int(wide[run].idxmin()) for run in runs}
    others = [minima[run] for run in runs if run != pilot] or [minima[pilot]]
    return Finding(
        estimate=_sign_test(rises),
        rows=[
            row_id("curve", fold=fold, variant=variant, seed=run, iteration=iteration)
            for run in runs
            for iteration in wide.index
        ],
        filter=f"validation loss of fold={fold} variant={variant}, iterations {first} to {last}",
        sentence=(
            f"the pilot's minimum is at {minima[pilot]}, those of {len(others)} seeds between "
            f"{min(others)} and {max(others)}; {sum(rise > 0 for rise in rises)} of {len(rises)} "
            f"losses rise from there to {last}; the validation questions are taken as fixed"
        ),
        scale=1.0,
        runs=len(runs),
        untested="" if rises else "one run: no other to locate the minimum on",
    )


def _sign_test(values: list[float]) -> Estimate:
    """Median of a few values, their range as its interval, and the exact two-sided sign test."""
    found = [value for value in values if value != 0]
    p = 1.0
    if found:
        p = float(stats.binomtest(sum(value > 0 for value in found), len(found)).pvalue)
    return Estimate(
        estimate=float(np.median(values)) if values else 0.0,
        low=min(values, default=0.0),
        high=max(values, default=0.0),
        p=p,
        se=0.0,
        n=len(values),
        clusters=len(values),
        df=0.0,
        test="exact sign test over runs",
        note="" if len(found) > 5 else f"{len(found)} runs cannot reach p .05",
        testable=bool(found),
    )


def _by_level(study: GradedAnswers, estimand: str) -> list[Answers]:
    return [student(study, estimand, level=level) for level in study.levels]


def level_slope(study: GradedAnswers, estimand: str) -> Finding:
    """Slope of accuracy per doubling of the response's words, over the levels.

    What missing answers could change is exact for the mean words of the answers that are there.
    """
    found = paired(*_by_level(study, estimand))
    levels = np.column_stack([one.right.mean(axis=1) for one in found])
    if empty := [name for name, one in zip(study.levels, found, strict=True) if not one.words]:
        raise MissingAnswersError(
            f"{', '.join(empty)}: the answers have no words, so that no slope on log words exists"
        )
    slope = trend(
        levels,
        [one.words for one in found],
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
    # Estimate, interval and p of the row are the slope's least squares; the permutations stand by.
    estimate = replace(slope, p=slope.extra["slope_p"], test="slope on log words, OLS clustered")
    weights = slope_weights([one.words for one in found])
    lacking = _left_out(found, "slope", bounds(*zip(found, weights, strict=True)))
    told = (
        f"{100 * accuracies[0]:.1f} % at {study.levels[0]}, {100 * accuracies[-1]:.1f} % at "
        f"{study.levels[-1]}; {order}; permutation p {slope.p:.3g}"
    )
    return Finding(
        estimate=estimate,
        rows=[row for one in found for row in one.rows],
        filter=f"{found[0].filter} to {found[-1].filter}; slope over {' '.join(study.levels)}",
        sentence="; ".join(filter(None, (told, lacking))),
        runs=found[0].right.shape[1],
        missing=_lacking(*found),
    )


def section_drop(study: GradedAnswers, estimand: str) -> Finding:
    """How much more the study's speed section loses than the section closest to it."""
    speed = study.plan.speed_section
    if speed is None:
        raise MissingAnswersError("the study file names no speed section (claims.speed_section)")
    longest, shortest = paired(
        *(student(study, estimand, level=study.levels[end]) for end in (0, -1))
    )
    drops = differences(longest, shortest)
    try:
        found = section_contrast(drops, longest.sections, speed, longest.clusters, study.alpha)
    except ValueError as error:
        raise MissingAnswersError(str(error)) from error
    means = pd.Series(drops.mean(axis=1)).groupby(longest.sections).mean()
    losses = ", ".join(f"{name} {100 * value:.1f}" for name, value in means.items())
    # One way to answer is the worst for every contrast, so that it is for the smallest of them.
    inside = questions(study, estimand, None)["section"].to_numpy()
    shares = {name: (inside == name) / (inside == name).mean() for name in set(inside)}
    contrasts = [
        bounds((longest, shares[speed] - shares[name]), (shortest, shares[name] - shares[speed]))
        for name in set(shares) - {speed}
    ]
    ends = min(worst for worst, _ in contrasts), min(best for _, best in contrasts)
    lacking = _left_out([longest, shortest], "difference", ends)
    return Finding(
        estimate=found,
        rows=[*longest.rows, *shortest.rows],
        filter=f"{longest.filter} minus {shortest.filter}; {speed} minus each other",
        sentence="; ".join(filter(None, (f"points lost by section: {losses}", lacking))),
        runs=longest.right.shape[1],
        missing=_lacking(longest, shortest),
    )


def stop_worth(study: GradedAnswers, estimand: str) -> Finding:
    """What the primary stop is worth against going on to the horizon, on questions it never saw."""
    plain = base(study, estimand)
    stopped, horizon = student(study, estimand), student(study, estimand, stop="horizon")
    listed = "; ".join(
        f"gain with stop {name} {effect_text(compared(study, found, plain))}"
        for name, found in ((study.plan.primary_stop, stopped), ("horizon", horizon))
    )
    finding = _difference(study, stopped, horizon, listed)
    return replace(finding, rows=[*finding.rows, *plain.rows])


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
    cells = []
    for level, one in zip(study.levels, found, strict=True):
        cell = f"{level} {one.words:.1f} words {100 * one.right.to_numpy().mean():.1f} %"
        if lacking := _lacking(one):
            worst, best = bounds((one, 1))
            cell += (
                f" ({lacking} of {len(one.asked)} questions lack an answer: "
                f"{100 * worst:.1f} to {100 * best:.1f} %)"
            )
        cells.append(cell)
    count = float(len(found))
    return Finding(
        estimate=Estimate(
            count, count, count, 1.0, 0.0, len(found[0].right), 0, 0, "", testable=False
        ),
        rows=[row for one in found for row in one.rows],
        filter=f"{found[0].filter} and the same for {' '.join(study.levels[1:])}",
        sentence=", ".join(cells),
        scale=1.0,
        missing=_lacking(*found),
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
        teacher_over_base,
        gain_over_base,
        gain_tests,
        loss_rise,
        level_slope,
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
    return FORMULAS[entry.claim["formula"]](study, entry.estimand)
