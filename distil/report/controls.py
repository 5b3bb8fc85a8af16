"""Controls of the gain: asked length, answers cut at caps, validation accuracy along a run."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from distil.claims.formulas import compared
from distil.claims.selections import MissingAnswersError, base, differences, paired, student
from distil.content.addresses import split_level
from distil.inference.gains import paired_gain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from distil.claims.selections import Answers, GradedAnswers


def capped_levels(study: GradedAnswers) -> list[str]:
    """List the levels at which answers were cut, as `R1@64`, the longest cap first."""
    names = study.answers["level"].dropna().unique()
    caps = {name: split_level(name) for name in names}
    return sorted(
        (name for name, (_, cap) in caps.items() if cap),
        key=lambda name: (caps[name][0], -caps[name][1]),
    )


def by_level(study: GradedAnswers, estimand: str, levels: Iterable[str]) -> dict[str, Answers]:
    """Return the student's answers at each of some levels; levels that were not asked are left out.

    Args:
        study: The study's graded answers.
        estimand: held_out or in_sample.
        levels: Levels, or levels with a cap, in the order wanted.
    """
    found = {}
    for level in levels:
        with contextlib.suppress(MissingAnswersError):
            found[level] = student(study, estimand, level=level)
    return found


def cap_notes(study: GradedAnswers, estimand: str = "held_out") -> list[str]:
    """Say in sentences what a cap costs, and what asking for that length does instead.

    Args:
        study: The study's graded answers.
        estimand: held_out or in_sample.

    Returns:
        For each cap a sentence that compares the same adapters' answers, cut at the cap, with those
        to the level of the nearest mean words.
    """
    asked = by_level(study, estimand, study.levels)
    sentences = []
    for name, cut in by_level(study, estimand, capped_levels(study)).items():
        level, cap = split_level(name)
        nearest = min(asked, key=lambda one: abs(asked[one].words - cut.words))
        one, two = paired(cut, asked[nearest])
        found = compared(study, one, two)
        sentences.append(
            f"{name} (asked as {level}, cut at {cap} tokens, "
            f"{cut.words:.1f} words) minus {nearest} as asked for ({asked[nearest].words:.1f} "
            f"words): {100 * found.estimate:+.1f} points ({100 * found.low:.1f} to "
            f"{100 * found.high:.1f}), p {found.p:.3g}."
        )
    return sentences


def length_notes(study: GradedAnswers, estimand: str = "held_out") -> list[str]:
    """Say in a sentence whether the gain over the base depends on the length asked for.

    The estimand is the interaction of base or student with the level: the slope of the gain on the
    log of the level's mean words (of both), question by question.

    Args:
        study: The study's graded answers.
        estimand: held_out or in_sample.

    Returns:
        The sentence; nothing where fewer than two levels were asked, or all have the same words.
    """
    gains, words = [], []
    for level in study.levels:
        try:
            pair = paired(student(study, estimand, level=level), base(study, estimand, level=level))
        except MissingAnswersError:
            continue
        gains.append((pair[0], pd.Series(differences(*pair).mean(axis=1), pair[0].right.index)))
        words.append(max((pair[0].words + pair[1].words) / 2, 1e-9))
    scores = np.log2(words) - np.log2(words).mean() if words else np.zeros(0)
    if len(gains) < 2 or not scores.any():
        return []
    table = pd.concat([gain for _, gain in gains], axis=1, join="inner")
    whole = gains[0][0].only(table.index)
    slopes = table.to_numpy() @ scores / (scores @ scores)
    found = paired_gain(slopes, whole.clusters, study.alpha, whole.strata)
    return [
        f"Base x level: per doubling of the words the gain changes by "
        f"{100 * found.estimate:+.1f} points ({100 * found.low:.1f} to {100 * found.high:.1f}), "
        f"p {found.p:.3g}{'; ' + found.note if found.note else ''}."
    ]


def validation_accuracy(study: GradedAnswers, checkpoints: Sequence[int]) -> pd.DataFrame:
    """Accuracy on the validation years' questions at each checkpoint, beside the loss.

    Only questions that every seed answered at every checkpoint count, each with the mean over its
    seeds and samples; folds are pooled.

    Args:
        study: The study's graded answers.
        checkpoints: Iterations, rising.

    Returns:
        A frame with iteration, loss (mean over folds and seeds), accuracy (per cent), n and rows
        (ids of the answers); empty unless every checkpoint answered validation questions.
    """
    table, folds = study.answers, study.folds_of("held_out")
    chosen = table[
        (table["role"] == "student")
        & (table["variant"] == "prompt")
        & (table["level"] == study.levels[0])
        & (table["part"] == "validation")
        & (table["benchmark"] == "competition")
        & table["fold"].isin(folds)
        & table["verdict"].notna()
    ]
    # Each fold has seeds of its own, and problems of its own to validate on.
    wanted = pd.MultiIndex.from_product([checkpoints, sorted(chosen["seed"].unique())])
    right = (chosen["verdict"] == "right").astype(float)
    means = right.groupby(
        [chosen["fold"], chosen["problem"], chosen["iteration"], chosen["seed"]]
    ).mean()
    wide = means.unstack(["iteration", "seed"]).reindex(columns=wanted).dropna()
    if wide.empty or len(checkpoints) < 2:
        return pd.DataFrame(columns=["iteration", "loss", "accuracy", "n", "rows"])
    keys = pd.MultiIndex.from_frame(chosen[["fold", "problem"]])
    used = chosen[keys.isin(wide.index)]
    curves = study.curves
    losses = pd.Series(dtype=float)
    if not curves.empty:
        own = curves["seed"].isin(used["seed"]) & curves["fold"].isin(folds)
        own &= curves["variant"] == "prompt"
        losses = curves[own].groupby("iteration")["loss"].mean()
    return pd.DataFrame(
        [
            {
                "iteration": iteration,
                "loss": losses.get(iteration),
                "accuracy": 100 * float(wide[iteration].to_numpy().mean()),
                "n": len(wide),
                "rows": sorted(used.loc[used["iteration"] == iteration, "row"]),
            }
            for iteration in checkpoints
        ]
    )


def validation_notes(found: pd.DataFrame) -> list[str]:
    """Say in sentences what `validation_accuracy` found."""
    if found.empty:
        return []
    steps = "; ".join(
        f"{row.iteration}: loss {row.loss:.4f}, accuracy {row.accuracy:.1f} %"
        for row in found.itertuples()
    )
    best, lowest = found.loc[found["accuracy"].idxmax()], found.loc[found["loss"].idxmin()]
    return [
        f"Along the run, on {found['n'].iat[0]} validation questions at {steps}.",
        f"Of these checkpoints the validation accuracy is highest at {best['iteration']}, the "
        f"validation loss lowest at {lowest['iteration']}. No stop is chosen by the accuracy.",
    ]
