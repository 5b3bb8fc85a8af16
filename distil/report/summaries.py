"""The tables behind the claims: levels by section, seeds and stops."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from distil.claims.formulas import compared
from distil.claims.gradings import GRADINGS, has_grading, regraded
from distil.claims.selections import STOPS, MissingAnswersError, base, differences, paired, student
from distil.content.addresses import row_id
from distil.content.sources import Sources
from distil.inference.estimates import Estimate
from distil.inference.gains import (
    accuracy,
    bootstrap_gain,
    mcnemar_exact,
    paired_gain,
    seeds_t,
    simultaneous_band,
)
from distil.inference.levels import (
    any_difference,
    difference_of_means,
    holm,
    odds_ratios,
    section_interaction,
    words_curve,
)
from distil.inference.variance import decompose
from distil.report.controls import by_level, capped_levels, validation_accuracy

if TYPE_CHECKING:
    from distil.claims.selections import Answers, GradedAnswers

STOP_LABELS = {
    "pilot": "pilot's minimum (post hoc, as published)",
    "seed": "each seed's own minimum on validation",
    "nested": "minimum of the mean on validation, inside each fold",
    "patience": "first minimum of the mean on validation that nothing undercuts for a while",
    "one_se": "earliest within one standard error of the mean's minimum on validation",
    "horizon": "none: the horizon",
    "best": "best on the reported questions (optimistic by construction)",
}


def tabulate_levels(
    study: GradedAnswers, estimand: str = "held_out", sources: Sources | None = None
) -> pd.DataFrame:
    """Mean words and accuracy of base and student by level and section (Q4).

    Args:
        study: The study's graded answers.
        estimand: held_out or in_sample.
        sources: Filled with the graded answers behind each cell.

    Returns:
        A frame with level, section (all first), n, seeds, and for base and student words,
        accuracy, low, high; then gain, gain_low, gain_high. Percentages and points. Levels that
        were not asked are left out. Last the answers that were cut at a cap, as level `R1@64`.
    """
    rows, sources = [], sources or Sources()
    for level in [*study.levels, *capped_levels(study)]:
        for section in [None, *study.settings["sections"]]:
            try:
                tuned = student(study, estimand, level=level, section=section)
                plain = base(study, estimand, level=level, section=section)
            except MissingAnswersError:
                continue
            gain = compared(study, tuned, plain)
            row = {
                "level": level,
                "section": section or "all",
                "n": len(tuned.right),
                "seeds": tuned.right.shape[1],
            }
            for name, found in (("base", plain), ("student", tuned)):
                share = accuracy(found.right, found.clusters, study.alpha)
                row |= {
                    f"{name}_words": found.words,
                    f"{name}_accuracy": 100 * share.estimate,
                    f"{name}_low": 100 * share.low,
                    f"{name}_high": 100 * share.high,
                }
            row |= {
                "gain": 100 * gain.estimate,
                "gain_low": 100 * gain.low,
                "gain_high": 100 * gain.high,
            }
            rows.append(row)
            name = f"{level}/{row['section']}"
            for side, found in (("base_", plain), ("student_", tuned)):
                sources.add(name, [key for key in row if key.startswith(side)], found.rows)
            both = [key for key in row if key.startswith("gain")]
            sources.add(name, ["n", *both], [*plain.rows, *tuned.rows])
            sources.add(name, ["seeds"], tuned.rows)
    return pd.DataFrame(rows)


def level_tests(study: GradedAnswers, estimand: str = "held_out") -> list[str]:
    """Say in sentences whether levels differ, which neighbours do, and what the odds are.

    Args:
        study: The study's graded answers.
        estimand: held_out or in_sample.

    Returns:
        One sentence a test, computed.
    """
    found = by_level(study, estimand, study.levels)
    if len(found) < 2:
        return []
    names = list(found)
    found = dict(zip(names, paired(*found.values()), strict=True))
    shares = np.column_stack([one.right.mean(axis=1) for one in found.values()])
    clusters = found[names[0]].clusters
    overall = any_difference(shares, clusters)
    steps = [compared(study, found[one], found[two]) for one, two in itertools.pairwise(names)]
    adjusted = holm([step.p for step in steps])
    sentences = [
        f"Any difference between levels: {overall.test} {overall.estimate:.1f}, "
        f"df {overall.df:.0f}, p {overall.p:.3g}."
    ]
    sentences += [
        f"{one} minus {two}: {100 * step.estimate:+.1f} points ({100 * step.low:.1f} to "
        f"{100 * step.high:.1f}), Holm-adjusted p {p:.3g}."
        for (one, two), step, p in zip(itertools.pairwise(names), steps, adjusted, strict=True)
    ]
    sentences += _section_tests(study, found, shares)
    frame = pd.concat(
        [
            pd.DataFrame(
                {
                    "right": one.right.to_numpy().ravel(),
                    "cluster": np.repeat(one.clusters, one.right.shape[1]),
                    "section": np.repeat(one.sections, one.right.shape[1]).astype(str),
                    "log2_words": np.log2(max(one.words, 1e-9)),
                }
            )
            for one in found.values()
        ],
        ignore_index=True,
    )
    formula = "right ~ log2_words"
    if frame["section"].nunique() > 1:
        formula += " * C(section)"
    odds = odds_ratios(frame, formula, study.alpha)
    sentences += [
        f"Odds ratio, {row.term}: {row.odds_ratio:.2f} ({row.low:.2f} to {row.high:.2f}), "
        f"p {row.p:.3g}{'; ' + row.note if row.note else ''}."
        for row in odds.itertuples()
        if row.term != "Intercept"
    ]
    return sentences


def _section_tests(
    study: GradedAnswers, found: dict[str, Answers], shares: np.ndarray
) -> list[str]:
    """Say whether response length costs the sections differently (the interaction behind C8).

    Args:
        study: The study's graded answers.
        found: The student's answers by level, longest first.
        shares: Their means over seeds, shape (questions, levels).

    Returns:
        The joint test of the slopes, then each pair of sections with Holm's correction.
    """
    first, last = (list(found.values())[end] for end in (0, -1))
    words = np.log2([max(one.words, 1e-9) for one in found.values()])
    scores = words - words.mean()
    names = sorted(set(first.sections.astype(str)))
    if len(names) < 2 or not scores.any():
        return []
    slopes = shares @ scores / (scores @ scores)
    joint = section_interaction(slopes, first.sections, first.clusters)
    means = ", ".join(f"{name} {100 * slopes[first.sections == name].mean():.1f}" for name in names)
    sentences = [
        f"Section x level, points per doubling of words: {means}; any difference: "
        f"F {joint.estimate:.2f} on {joint.extra['numerator_df']:.0f} and {joint.df:.0f} df, "
        f"p {joint.p:.3g}{'; ' + joint.note if joint.note else ''}."
    ]
    drops = differences(first, last).mean(axis=1)
    pairs = []
    for one, two in itertools.combinations(names, 2):
        chosen = np.isin(first.sections, [one, two])
        codes = np.unique(first.clusters[chosen], return_inverse=True)[1]
        inside = first.sections[chosen] == one
        contrast = difference_of_means(drops[chosen], inside, codes, study.alpha)
        pairs.append((one, two, contrast))
    adjusted = holm([contrast.p for *_, contrast in pairs])
    levels = list(found)
    sentences += [
        f"Points lost from {levels[0]} to {levels[-1]}, {one} minus {two}: "
        f"{100 * contrast.estimate:+.1f} ({100 * contrast.low:.1f} to {100 * contrast.high:.1f}), "
        f"Holm-adjusted p {p:.3g}."
        for (one, two, contrast), p in zip(pairs, adjusted, strict=True)
    ]
    return sentences


def tabulate_seeds(
    study: GradedAnswers, estimand: str = "held_out", sources: Sources | None = None
) -> pd.DataFrame:
    """Each seed against the base, then the pooled estimates and what they assume.

    Args:
        study: The study's graded answers.
        estimand: held_out, in_sample or transfer.
        sources: Filled with the graded answers and stops behind each cell.

    Returns:
        A frame with row (seed or pooled estimate), test, iteration, n, accuracy, gain, low, high,
        p, gained, lost (questions won and lost against the base), clustered_low and clustered_high
        (a seed's interval by the primary test, which takes clusters of questions as independent
        where the exact one takes each question) and note; points.
    """
    tuned, plain = paired(student(study, estimand), base(study, estimand))
    gains = differences(tuned, plain)
    stop, fold = study.settings["primary_stop"], study.main_fold
    rows, sources = [], sources or Sources()
    figures = ("test", "n", "gain", "low", "high", "p", "gained", "lost", "note")
    for column, seed in enumerate(tuned.right.columns):
        clustered = paired_gain(gains[:, column], tuned.clusters, study.alpha)
        found = _against_base(
            tuned.right[seed].to_numpy(), plain.right.to_numpy(), clustered, study
        )
        rows.append(
            _gain_row(f"seed {seed}", found)
            | {
                "iteration": study.iteration(fold, int(seed), stop, "prompt"),
                "accuracy": 100 * float(tuned.right.iloc[:, column].mean()),
                "gained": found.extra["first_only"],
                "lost": found.extra["second_only"],
                "clustered_low": 100 * clustered.low,
                "clustered_high": 100 * clustered.high,
            }
        )
        own = tuned.of_seed(seed)
        sources.add(f"seed {seed}", figures, [*own, *plain.rows])
        sources.add(f"seed {seed}", ["accuracy"], own)
        sources.add(f"seed {seed}", ["iteration"], [row_id("stop", fold=fold, variant="prompt")])
    by_seed = gains.mean(axis=0)
    pooled = (
        ("all seeds (primary)", compared(study, tuned, plain)),
        (
            "all seeds, seeds random too",
            bootstrap_gain(gains, tuned.clusters, alpha=study.alpha, **study.bootstrap),
        ),
        ("all seeds, questions fixed", seeds_t(by_seed, study.alpha)),
    )
    rows += [
        _gain_row(name, found) | {"accuracy": 100 * float(tuned.right.to_numpy().mean())}
        for name, found in pooled
    ]
    for name, _ in pooled:
        sources.add(name, figures, [*tuned.rows, *plain.rows])
        sources.add(name, ["accuracy"], tuned.rows)
    names = ["row", "test", "iteration", "n", "accuracy", "gain", "low", "high", "p"]
    names += ["gained", "lost", "clustered_low", "clustered_high", "note"]
    return _plain(pd.DataFrame(rows, columns=names, dtype=object))


def _against_base(
    own: np.ndarray, other: np.ndarray, clustered: Estimate, study: GradedAnswers
) -> Estimate:
    """Test one seed against the base: exactly where each question has one answer of either.

    Means over samples are no counts of right and wrong, so there the primary test stands in, and
    what is gained and lost are sums of differences.
    """
    other = other.reshape(len(own), -1).mean(axis=1)
    if np.isin([own, other], [0.0, 1.0]).all():
        return mcnemar_exact(own, other, study.alpha)
    steps = own - other
    extra = {
        "first_only": float(steps.clip(min=0).sum()),
        "second_only": float(-steps.clip(max=0).sum()),
    }
    return replace(clustered, extra=extra)


def _gain_row(name: str, found: Estimate) -> dict[str, object]:
    return {
        "row": name,
        "test": found.test,
        "n": found.n or None,
        **_points(found),
    }


def seed_notes(study: GradedAnswers, estimand: str = "held_out") -> list[str]:
    """Say in sentences how the seeds vary and where the variance comes from.

    Args:
        study: The study's graded answers.
        estimand: held_out, in_sample or transfer.

    Returns:
        Sentences, computed.
    """
    tuned, plain = paired(student(study, estimand), base(study, estimand))
    accuracies = 100 * tuned.right.mean(axis=0).to_numpy()
    parts = decompose(differences(tuned, plain), tuned.clusters)
    shares = ", ".join(
        f"{row.source} {100 * row.share_of_mean:.0f} %" for row in parts.itertuples()
    )
    sentences = []
    if len(accuracies) > 1:
        sentences.append(
            f"Accuracy of {len(accuracies)} seeds: mean {accuracies.mean():.2f} %, standard "
            f"deviation {accuracies.std(ddof=1):.2f} (sample) or {accuracies.std():.2f} "
            "(population)."
        )
    sentences.append(f"Variance of the mean gain by source: {shares}.")
    sentences += [
        f"{row.source.capitalize()}: {row.note}." for row in parts.itertuples() if row.note
    ]
    return sentences


def checkpoints(study: GradedAnswers, estimand: str = "held_out") -> list[int]:
    """List the checkpoints that every seed of the estimand's folds answered at.

    Args:
        study: The study's graded answers.
        estimand: held_out, in_sample or transfer.

    Returns:
        Iterations, rising.
    """
    table = study.answers
    rows = table[
        (table["role"] == "student")
        & (table["variant"] == "prompt")
        & (table["level"] == study.levels[0])
        & table["fold"].isin(study.folds_of(estimand))
    ]
    usable = []
    for iteration in sorted(int(one) for one in rows["iteration"].dropna().unique()):
        try:
            student(study, estimand, stop=iteration)
        except MissingAnswersError:
            continue
        usable.append(iteration)
    return usable


def gains_by_checkpoint(study: GradedAnswers, estimand: str = "held_out") -> pd.DataFrame:
    """Gain over the base at each checkpoint, with a band that holds at all of them at once.

    Args:
        study: The study's graded answers.
        estimand: held_out, in_sample or transfer.

    Returns:
        A frame with iteration, gain, low, high (simultaneous), point_low, point_high; points.
    """
    plain, steps = base(study, estimand), checkpoints(study, estimand)
    if not steps:
        raise MissingAnswersError("no checkpoint was answered by every seed")
    plain, *tuned = paired(plain, *(student(study, estimand, stop=step) for step in steps))
    gains = [differences(one, plain) for one in tuned]
    band = simultaneous_band(gains, plain.clusters, alpha=study.alpha, **study.bootstrap)
    band = 100 * band.drop(columns=["critical", "se"]).rename(columns={"estimate": "gain"})
    band.insert(0, "iteration", steps)
    return band


def tabulate_stops(
    study: GradedAnswers, estimand: str = "held_out", sources: Sources | None = None
) -> pd.DataFrame:
    """Gain over the base under each way to stop, and what each is worth against no stop (Q1).

    Args:
        study: The study's graded answers.
        estimand: held_out, in_sample or transfer.
        sources: Filled with the graded answers and stops behind each cell.

    Returns:
        A frame with stop, meaning, iterations (by fold and seed, shortened), n, accuracy, gain,
        low, high, p, worth, worth_low, worth_high, worth_p (against the horizon) and note; points.
        Where every checkpoint answered validation questions, also validation: the accuracy there.
        The row `best` chooses on the very questions it reports: it shows what that is worth.
    """
    plain = base(study, estimand)
    found, iterations, notes = {}, {}, {}
    for stop in STOPS:
        try:
            found[stop] = student(study, estimand, stop=stop)
        except MissingAnswersError as error:
            notes[stop] = str(error)
            continue
        iterations[stop] = sorted(
            {
                study.iteration(fold, seed, stop)
                for fold in study.folds_of(estimand)
                for seed in study.seeds(fold)
            }
        )
    by_step = {step: student(study, estimand, stop=step) for step in checkpoints(study, estimand)}
    if by_step:
        best = max(by_step, key=lambda step: (by_step[step].right.to_numpy().mean(), -step))
        found["best"], iterations["best"] = by_step[best], [best]
    validated = validation_accuracy(study, list(by_step)).set_index("iteration")
    rows, sources = [], sources or Sources()
    chosen = [row_id("stop", fold=fold, variant="prompt") for fold in study.folds_of(estimand)]
    for stop in [*STOPS, "best"]:
        row = {"stop": stop, "meaning": STOP_LABELS[stop], "note": notes.get(stop, "")}
        if stop in found:
            gain = compared(study, found[stop], plain)
            row |= {
                "primary": stop == study.settings["primary_stop"],
                "iterations": " ".join(map(str, iterations[stop])),
                "n": gain.n,
                "accuracy": 100 * float(found[stop].right.to_numpy().mean()),
                "gain": 100 * gain.estimate,
                "low": 100 * gain.low,
                "high": 100 * gain.high,
                "p": gain.p,
            }
            sources.add(stop, ["n", "gain", "low", "high", "p"], [*found[stop].rows, *plain.rows])
            sources.add(stop, ["accuracy"], found[stop].rows)
            # The best is chosen by the accuracy at every checkpoint, the others by the losses.
            looked = [row for one in by_step.values() for row in one.rows]
            sources.add(stop, ["iterations"], looked if stop == "best" else chosen)
            if len(validated) and len(iterations[stop]) == 1:
                row["validation"] = validated.loc[iterations[stop][0], "accuracy"]
                sources.add(stop, ["validation"], validated.loc[iterations[stop][0], "rows"])
            if "horizon" in found and stop != "horizon":
                worth = compared(study, found[stop], found["horizon"])
                row |= {
                    "worth": 100 * worth.estimate,
                    "worth_low": 100 * worth.low,
                    "worth_high": 100 * worth.high,
                    "worth_p": worth.p,
                }
                worth_columns = ["worth", "worth_low", "worth_high", "worth_p"]
                sources.add(stop, worth_columns, [*found[stop].rows, *found["horizon"].rows])
        rows.append(row)
    names = ["stop", "meaning", "primary", "iterations", "n", "accuracy", "gain", "low", "high"]
    names += [*(["validation"] if len(validated) else []), "p"]
    names += ["worth", "worth_low", "worth_high", "worth_p", "note"]
    return _plain(pd.DataFrame(rows, columns=names, dtype=object))


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    """Keep whole numbers whole and blanks blank, which columns of one type cannot."""
    return table.where(table.notna(), None)


def sections_gain(study: GradedAnswers, estimand: str = "held_out") -> pd.DataFrame:
    """Gain over the base by section at the longest level, all sections first.

    Args:
        study: The study's graded answers.
        estimand: held_out or in_sample.

    Returns:
        A frame with name, n, base_accuracy, student_accuracy, gain, low, high, pooled.
    """
    table = tabulate_levels(study, estimand)
    rows = table[table["level"] == study.levels[0]]
    names = {"all": "All sections", **study.settings["sections"]}
    return pd.DataFrame(
        {
            "name": [names[section] for section in rows["section"]],
            "n": rows["n"].to_numpy(),
            "base_accuracy": rows["base_accuracy"].to_numpy(),
            "student_accuracy": rows["student_accuracy"].to_numpy(),
            "gain": rows["gain"].to_numpy(),
            "low": rows["gain_low"].to_numpy(),
            "high": rows["gain_high"].to_numpy(),
            "pooled": (rows["section"] == "all").to_numpy(),
        }
    )


def words_and_line(
    study: GradedAnswers, estimand: str = "held_out"
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Accuracy and mean words by level with a simultaneous band, and the line through them.

    Args:
        study: The study's graded answers.
        estimand: held_out or in_sample.

    Returns:
        The levels (level, base_words, base_accuracy, student_words, student_accuracy, student_low,
        student_high) and the line (words, accuracy, low, high); percentages.
    """
    tuned = paired(*(student(study, estimand, level=level) for level in study.levels))
    plain = [base(study, estimand, level=level) for level in study.levels]
    clusters, words = tuned[0].clusters, [one.words for one in tuned]
    band = simultaneous_band(
        [one.right.to_numpy() for one in tuned], clusters, alpha=study.alpha, **study.bootstrap
    )
    levels = pd.DataFrame(
        {
            "level": study.levels,
            "base_words": [one.words for one in plain],
            "base_accuracy": [100 * one.right.to_numpy().mean() for one in plain],
            "student_words": words,
            "student_accuracy": 100 * band["estimate"],
            "student_low": 100 * band["low"].clip(0, 1),
            "student_high": 100 * band["high"].clip(0, 1),
        }
    )
    shares = np.column_stack([one.right.mean(axis=1) for one in tuned])
    line = words_curve(shares, words, clusters, alpha=study.alpha, **study.bootstrap)
    line[["accuracy", "low", "high"]] *= 100
    return levels, line


def discordance(study: GradedAnswers, estimand: str = "held_out") -> tuple[dict[str, float], int]:
    """Questions on which student and base agree or not, averaged over seeds.

    Args:
        study: The study's graded answers.
        estimand: held_out, in_sample or transfer.

    Returns:
        Mean questions for both, first_only (student), second_only (base), neither; and the seeds.
    """
    tuned, plain = paired(student(study, estimand), base(study, estimand))
    one, two = tuned.right.to_numpy(), plain.right.to_numpy()
    means = {
        "both": one * two,
        "first_only": one * (1 - two),
        "second_only": (1 - one) * two,
        "neither": (1 - one) * (1 - two),
    }
    return {name: float(cells.sum(axis=0).mean()) for name, cells in means.items()}, one.shape[1]


def stop_iterations(study: GradedAnswers, estimand: str = "held_out") -> dict[str, list[int]]:
    """Iterations of the nested, the pilot's and no stop over the estimand's folds.

    Args:
        study: The study's graded answers.
        estimand: held_out, in_sample or transfer.

    Returns:
        {stop: iterations, rising}.
    """
    folds = study.folds_of(estimand)
    return {
        stop: sorted({study.iteration(fold, study.seeds(fold)[0], stop) for fold in folds})
        for stop in ("nested", "pilot", "horizon")
    }


def gains_by_grading(study: GradedAnswers, estimand: str = "held_out") -> pd.DataFrame:
    """Gain over the base under each reading of the verdicts, and how often it differs.

    Args:
        study: The study's graded answers.
        estimand: held_out, in_sample or transfer.

    Returns:
        A frame with grading, gain, low, high (points) and differing: the share of the answers used,
        student's and base's, whose right or not is another than in the primary reading, per cent.
        A reading whose verdicts are absent is left out.
    """
    tuned, plain = paired(student(study, estimand), base(study, estimand))
    rows = []
    for grading in GRADINGS:
        if not has_grading(study, grading):
            continue
        read = regraded(study, grading)
        one, two = paired(student(read, estimand), base(read, estimand))
        gain = compared(study, one, two)
        changed = np.abs(one.right.to_numpy() - tuned.right.to_numpy()).sum()
        changed += np.abs(two.right.to_numpy() - plain.right.to_numpy()).sum()
        used = one.right.size + two.right.size
        rows.append({"grading": grading, "differing": 100 * changed / used, **_points(gain)})
    return pd.DataFrame(rows)[["grading", "gain", "low", "high", "differing"]]


def tabulate_leakage(study: GradedAnswers, sources: Sources | None = None) -> pd.DataFrame:
    """Accuracy and gain on questions trained on, validated on and held out, side by side.

    The estimand of the last row is how much larger the gain is on questions whose traces were
    trained on: what a figure over all questions owes to leakage. The two groups are different
    questions (other years), so their difference is not paired, and a difference of difficulty
    between years is taken out only in so far as it is the same for the base.

    Args:
        study: The study's graded answers.
        sources: Filled with the graded answers behind each cell.

    Returns:
        A frame with part, n, base, student (accuracies), gain, low, high, p and note; points.
    """
    tuned, plain = paired(student(study, "in_sample"), base(study, "in_sample"))
    gains = differences(tuned, plain).mean(axis=1)
    rows = study.answers[study.answers["fold"] == study.main_fold]
    parts = rows.drop_duplicates("problem").set_index("problem")["part"]
    part = parts.reindex(tuned.right.index).astype(object).to_numpy()
    lines, sources = [], sources or Sources()
    figures = ("n", "gain", "low", "high", "p", "note")
    for name in ("train", "validation", "test", "all"):
        chosen = np.ones(len(part), bool) if name == "all" else part == name
        if not chosen.any():
            continue
        found = paired_gain(gains[chosen], tuned.clusters[chosen], study.alpha)
        lines.append(
            {
                "part": name,
                "n": int(chosen.sum()),
                "base": 100 * float(plain.right.to_numpy()[chosen].mean()),
                "student": 100 * float(tuned.right.to_numpy()[chosen].mean()),
                **_points(found),
            }
        )
        problems = tuned.right.index[chosen]
        own, other = tuned.of_problems(problems), plain.of_problems(problems)
        sources.add(name, ["student"], own)
        sources.add(name, ["base"], other)
        sources.add(name, figures, [*own, *other])
    both = np.isin(part, ["train", "test"])
    if {"train", "test"} <= set(part[both]):
        codes = np.unique(tuned.clusters[both], return_inverse=True)[1]
        found = difference_of_means(gains[both], part[both] == "train", codes, study.alpha)
        lines.append({"part": "train minus test", "n": int(both.sum()), **_points(found)})
        problems = tuned.right.index[both]
        used = [*tuned.of_problems(problems), *plain.of_problems(problems)]
        sources.add("train minus test", figures, used)
    names = ["part", "n", "base", "student", "gain", "low", "high", "p", "note"]
    return _plain(pd.DataFrame(lines, columns=names, dtype=object))


def _points(found: Estimate) -> dict[str, object]:
    return {
        "gain": 100 * found.estimate,
        "low": 100 * found.low,
        "high": 100 * found.high,
        "p": found.p,
        "note": found.note,
    }
