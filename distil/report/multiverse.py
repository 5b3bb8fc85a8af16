"""Multiverse of the gain: every combination of grader, clusters, stop and missing-verdict rule.

One result rests on many choices, each of which somebody could have made otherwise. All of them are
made here, with the primary one marked (Steegen et al., Perspectives on Psychological Science 11,
2016; Simonsohn, Simmons and Nelson, Nature Human Behaviour 4, 2020). No p is adjusted: the table
tells how much hangs on a choice, not what holds.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from distil.claims.gradings import OTHER_GRADINGS, has_grading, regraded
from distil.claims.selections import (
    CLUSTERS,
    STOPS,
    MissingAnswersError,
    base,
    differences,
    paired,
    rows_of,
    student,
)
from distil.inference.gains import paired_gain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distil.claims.selections import GradedAnswers
    from distil.content.sources import Sources

# What an answer that nobody could judge counts as.
RULES = ("not right", "left out", "for the student", "against the student")
AXES = ("grader", "clusters", "stop", "missing")


def tabulate_multiverse(
    study: GradedAnswers, estimand: str = "held_out", sources: Sources | None = None
) -> pd.DataFrame:
    """Gain over the base under every combination of choices.

    Args:
        study: The study's graded answers.
        estimand: held_out, in_sample or transfer.
        sources: Filled with the graded answers behind each cell.

    Returns:
        A frame with grader (primary, strict, second, judge), clusters (text, template, question),
        stop, missing (of `RULES`), primary (whether it is the analysis of the claims), n, groups
        (clusters), gain, low, high (points) and p, in the order of the choices. Choices that
        cannot be made (a grader or template that is unknown, a stop that was not asked, a rule
        where nothing was left unjudged) are left out.
    """
    rows, kinds = [], _clusters(study)
    for grader, rule, read in _readings(study, estimand):
        for stop in STOPS:
            try:
                tuned, plain = paired(student(read, estimand, stop=stop), base(read, estimand))
            except MissingAnswersError:
                continue
            gains, used = differences(tuned, plain), [*tuned.rows, *plain.rows]
            for clusters, labels in kinds.items():
                codes = labels.loc[tuned.right.index].to_numpy()
                found = paired_gain(gains, codes, study.alpha, tuned.strata)
                choices = dict(zip(AXES, (grader, clusters, stop, rule), strict=True))
                figures = {
                    "n": found.n,
                    "groups": found.clusters,
                    "gain": 100 * found.estimate,
                    "low": 100 * found.low,
                    "high": 100 * found.high,
                    "p": found.p,
                }
                rows.append({**choices, "primary": choices == _primary(study), **figures})
                if sources:
                    sources.add("/".join(choices.values()), [*figures], used)
    names = [*AXES, "primary", "n", "groups", "gain", "low", "high", "p"]
    return pd.DataFrame(rows, columns=names)


def summarise(table: pd.DataFrame, alpha: float) -> str:
    """Say in a sentence how the gain varies over the choices."""
    if table.empty:
        return "No combination: no question was answered by both the base and the student."
    primary = table[table["primary"]]
    same = (table["gain"] > 0) == bool((primary["gain"] > 0).all())
    seen = (table["p"] < alpha).sum()
    return (
        f"{len(table)} combinations: gains from {table['gain'].min():+.1f} to "
        f"{table['gain'].max():+.1f} points, {int(same.sum())} of the sign of the primary one, "
        f"{int(seen)} with p below {alpha:g}, which is adjusted for nothing."
    )


def _primary(study: GradedAnswers) -> dict[str, str | None]:
    plan = study.plan
    return {
        "grader": "primary",
        "clusters": plan.clusters,
        "stop": plan.primary_stop,
        "missing": RULES[0],
    }


def _clusters(study: GradedAnswers) -> dict[str, pd.Series]:
    """Labels of the questions under each kind of cluster that the answers hold."""
    table = study.answers.drop_duplicates("problem").set_index("problem", drop=False)
    return {
        name: table[column].fillna(table["problem"]).astype(str)
        for name, column in CLUSTERS.items()
        if column in table and table[column].notna().any()
    }


def _readings(study: GradedAnswers, estimand: str) -> Iterator[tuple[str, str, GradedAnswers]]:
    """Yield each grader and rule with the study read so, at the longest level alone.

    What was graded is looked up among the estimand's answers; all others of the level stay, since
    it shows in them which folds cut through years.
    """
    table = study.answers
    table = table[(table["level"] == study.levels[0]) & (table["role"] != "teacher")]
    few = replace(study, answers=table)
    own = table.index.intersection(rows_of(study, estimand, None).index)
    asked = replace(study, answers=table.loc[own])
    for grader in ("primary", *OTHER_GRADINGS):
        if not has_grading(asked, grader):
            continue
        # An answer of another grader that is blank was left unjudged, too.
        verdicts = regraded(few, grader).answers["verdict"].fillna("unknown")
        verdicts = verdicts.mask(table["verdict"].isna())
        read = replace(few, answers=table.assign(verdict=verdicts))
        for rule in RULES if (verdicts.loc[own] == "unknown").any() else RULES[:1]:
            yield grader, rule, _under(read, rule)


def _under(study: GradedAnswers, rule: str) -> GradedAnswers:
    if rule == "left out":
        verdicts = study.answers["verdict"].mask(study.answers["verdict"] == "unknown")
        settings = {**study.settings, "missing": "pairs"}
        return replace(study, answers=study.answers.assign(verdict=verdicts), settings=settings)
    if rule == "not right":
        return study
    return regraded(study, "best" if rule == "for the student" else "worst")
