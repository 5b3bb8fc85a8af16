"""Judge every published claim, and tabulate what the verdicts rest on: one reading of the answers.

Input: `answers` (answers.parquet), `grades` (Parquet, in the order of `runs`), `problems` and
`benchmarks` (JSONL), `stops` (every .../adapters/FOLD/VARIANT/stops.json), `curves` (every
.../adapters/FOLD/VARIANT/seed-SEED/curve.csv, the pilot's too), `accounted` (problems.csv),
`published` (resources/published.yaml).
Output: one list of files a table: `claims` (distil/claims/table.py describes its columns; its rows
are claim, estimand, column, row), `levels` (Q4), `seeds` (Q2), `stops` (Q1), `leakage`, `graders`,
`multiverse`, `agreement`, `disagreements`. A list holds the table as CSV, Markdown and HTML, the
claims as LaTeX as well, and as Parquet the rows behind each cell (cell, column, row).
Params: `title`, `runs` and the settings of the analysis plan (distil/claims/plan.py).
"""

from collections import Counter

import pandas as pd

from distil.claims.selections import read_study
from distil.claims.table import (
    judge_gradings,
    judge_study,
    read_published,
    readable,
    reasons,
)
from distil.content.sources import Sources
from distil.report import controls, graders, multiverse, summaries, tables


def write_claims(paths, study, published, title, accounted) -> None:
    """Write the claims table with the reason of each verdict, and what its n leaves out."""
    table, rows = judge_study(study, published)
    of = int((accounted["published"] == "yes").sum()) or None
    tables.write(
        paths, table, f"Claims: {title}", [*problem_notes(accounted), *reasons(table)],
        readable=readable(table, of), rows=rows,
    )  # fmt: skip


def problem_notes(accounted: pd.DataFrame) -> list[str]:
    """Say which problems n leaves out.

    Args:
        accounted: a row a problem with fate, reason and published, as in tables/problems.csv.
    """
    taken = accounted["fate"] == "taken"
    published = accounted["published"] == "yes"
    without_key = int((~taken & (accounted["reason"] == "no key")).sum())
    notes = []
    if published.any():
        lost = Counter(accounted.loc[published & ~taken, "reason"]).most_common()
        listed = ", ".join(f"{count} {reason}" for reason, count in lost)
        notes.append(
            f"Problems: {int((published & taken).sum())} of the published {int(published.sum())} "
            f"are in the study{f' (others: {listed})' if listed else ''}; tables/problems.md lists "
            "every one."
        )
    if without_key:
        notes.append(
            f"Problems without a key: {without_key}. They are excluded, never counted as wrong; "
            "tables/problems.md lists them."
        )
    return notes


def write_gains(output, study, title) -> None:
    """Write the tables of the gain: by level, seed and stop, in sample and held out."""
    rows = Sources()
    table = summaries.tabulate_levels(study, sources=rows)
    notes = [*summaries.level_tests(study), *controls.length_notes(study)]
    notes += controls.cap_notes(study)
    tables.write(output.levels, table, f"Response lengths: {title}", notes, rows=rows)
    rows = Sources()
    table, notes = summaries.tabulate_seeds(study, sources=rows), summaries.seed_notes(study)
    tables.write(output.seeds, table, f"Seeds: {title}", notes, rows=rows)
    rows = Sources()
    table = summaries.tabulate_stops(study, sources=rows)
    steps = controls.validation_accuracy(study, summaries.checkpoints(study))
    notes = controls.validation_notes(steps)
    tables.write(output.stops, table, f"Stops: {title}", notes, rows=rows)
    rows = Sources()
    table = summaries.tabulate_leakage(study, sources=rows)
    notes = [
        "The years differ in difficulty; the gain is over the base on the same questions, so only "
        "a difference that the base shares is taken out."
    ]
    tables.write(output.leakage, table, f"In sample and held out: {title}", notes, rows=rows)


def write_gradings(paths, study, published, title) -> None:
    """Write how each claim fares under other readings of the verdicts.

    Readings: primary; strict, second and judge, where those verdicts exist; best and worst, which
    count every answer that could not be judged for and against the student.
    """
    rows = Sources()
    table = judge_gradings(study, published, rows)
    changed = table.loc[table["changed"], "id"].drop_duplicates().tolist()
    notes = [f"Verdicts that change with the grading: {', '.join(changed) or 'none'}."]
    tables.write(paths, table, f"Claims under other gradings: {title}", notes, rows=rows)


def write_multiverse(paths, study, title) -> None:
    """Write the gain under every combination of choices."""
    rows = Sources()
    table = multiverse.tabulate_multiverse(study, sources=rows)
    notes = [multiverse.summarise(table, study.alpha)]
    tables.write(paths, table, f"Multiverse of the gain: {title}", notes, rows=rows)


def write_agreement(output, answers, grades, problems, title) -> None:
    """Write how far the graders agree, and the answers to look at.

    Args:
        output: has the lists `agreement` and `disagreements`.
        answers: the graded answers.
        grades: row, extracted, rule, reason.
        problems: rows with statement and answer by problem id.
        title: the study's title.
    """
    answers = answers.drop_duplicates("row").sort_values("row")
    table, rows = graders.agreement_table(answers)
    notes = [
        "n counts outputs, each once; kappa is blank where both graders say the same throughout."
    ]
    tables.write(output.agreement, table, f"Agreement of the graders: {title}", notes, rows=rows)
    table, rows = graders.find_disagreements(answers, grades, problems)
    notes = [f"{len(table)} distinct answers of {table['outputs'].sum()} outputs."]
    tables.write(output.disagreements, table, f"Answers to look at: {title}", notes, rows=rows)


def main(*, input, output, params) -> None:  # noqa: A002 - Snakemake's own name for it
    study = read_study(input.answers, input.stops, vars(params), input.curves)
    published = read_published(input.published)
    accounted = pd.read_csv(input.accounted, dtype=str, keep_default_na=False)
    write_claims(output.claims, study, published, params.title, accounted)
    write_gains(output, study, params.title)
    write_gradings(output.graders, study, published, params.title)
    write_multiverse(output.multiverse, study, params.title)
    grades = graders.read_grades(dict(zip(params.runs, input.grades, strict=True)))
    problems = graders.read_problems([*input.problems, *input.benchmarks])
    write_agreement(output, study.answers, grades, problems, params.title)


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
