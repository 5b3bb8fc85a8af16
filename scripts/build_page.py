"""Build the page of a study: index.html and its data, from a claim to the exam page.

Input: `bundle` (the page without its data), `claims` (CSV), `claim_rows` (Parquet), `tables` (CSV),
`table_rows` (Parquet, what their cells rest on),
`problems` and `benchmarks` (JSONL), and, each a list that may be empty: `answers`
(answers.parquet), `predictions` and `grades` (in the order of `runs`), `crops`, `solutions`,
`traces`, `curves`, `stops`, `duplicates`, `excluded` (the problems that are not in the study, which
only the review shows).
Output: `index`; `study`, what is there at once; `cells`, what each cell of a table rests on;
`verdicts`, a script for base and teacher
(common.js) and one for each fold; `texts`, one for each year and one for each other benchmark.
Params: `title`, `kind` (sample, rehearsal, papers or released), `takes_corrections` (whether the
study applies any), `include_statements` (whether copies hold the
exams' own words), `not_run` (what was not), `sections` ({short name: name}), `runs`, `corrections`
(all entries), `claims` (the analysis plan).
"""

from pathlib import Path

import pandas as pd

from distil.claims.plan import CLUSTERS, STRATA
from distil.content.files import read_jsonl, write_atomically
from distil.report.page import evidence, overview, shards, texts

EMPTY = ["row", "run", "role", "fold", "variant", "seed", "iteration", "level", "benchmark", "part",
         "problem", "cluster", "verdict", "words"]  # fmt: skip


def read_rows(paths) -> dict:
    """Return {path: {id: row}} of JSONL files."""
    return {path: {row["id"]: row for row in read_jsonl(path)} for path in paths}


def read_answers(paths) -> pd.DataFrame:
    """Read the graded answers; a study of a release has none."""
    frames = [pd.read_parquet(path) for path in paths]
    return frames[0] if frames else pd.DataFrame(columns=EMPTY)


def write_verdicts(paths, answers, columns, numbers, questions) -> None:
    """Write the verdicts of base and teacher, and of each fold's students."""
    homes = [evidence.shard_of(columns.list[number]) for number in numbers]
    for path in map(Path, paths):
        mine = [home == path.stem for home in homes]
        chosen = [number for number, here in zip(numbers, mine, strict=True) if here]
        own = answers.loc[pd.Series(mine, index=answers.index, dtype=bool)]
        found = evidence.verdicts(own, chosen, questions)
        shards.write(path, f"verdicts/{path.stem}", found)


def find_places(answers, numbers, questions) -> dict:
    """Return {row id of an answer: (its column, the place of its question)}."""
    places = {row["id"]: place for place, row in enumerate(questions)}
    return {
        row: (number, places[problem])
        for row, number, problem in zip(answers["row"], numbers, answers["problem"], strict=True)
    }


def find_evidence(claim_rows, places) -> dict:
    """Return what each row of the claims rests on (see `evidence.Evidence`)."""
    found = evidence.Evidence(places)
    cells = {name: found.add(ids) for name, ids in overview.read_claim_rows(claim_rows).items()}
    return {"cells": cells, "sets": found.sets}


def list_problems(problems, excluded, entries) -> list:
    """List every problem with its doubts, for the review; those that are not in the study too."""
    corrected = {entry["id"] for entry in entries}
    return [
        {
            "id": name,
            "home": Path(path).stem,
            "flags": row.get("flags", []),
            "corrected": name in corrected,
            "excluded": row.get("excluded", []),
        }
        for path, rows in [*problems.items(), *excluded.items()]
        for name, row in sorted(rows.items())
    ]


def write_study(input, output, params, problems, excluded, questions, columns, found) -> None:  # noqa: A002
    """Write what the page shows before anything is asked of it."""
    exams = {path: problems[path] for path in input.problems}
    content = {
        "title": params.title,
        "name": params.study,
        "kind": params.kind,
        "takes_corrections": params.takes_corrections,
        "include_statements": params.include_statements,
        "not_run": params.not_run,
        "sections": params.sections,
        "settings": params.claims,
        "claims": overview.read_table(input.claims),
        "tables": overview.read_tables(input.tables),
        "evidence": found,
        "questions": questions,
        "columns": columns.list,
        "curves": overview.read_curves(input.curves),
        "stops": overview.read_stops(input.stops),
        "duplicates": overview.read_places(input.duplicates),
        "review": list_problems(exams, excluded, params.corrections),
        "corrections": params.corrections,
        "shards": {
            "verdicts": [Path(path).stem for path in output.verdicts],
            "texts": [Path(path).stem for path in output.texts],
        },
        "answer_fields": list(texts.ANSWER),
    }
    shards.write(output.study, "study", content)


def write_texts(input, output, params, problems, excluded, answers, numbers) -> None:  # noqa: A002
    """Write the texts of each year and benchmark."""
    homes = {}
    for path in [*input.problems, *input.benchmarks]:
        homes |= {name: Path(path).stem for name in problems[path]}
    made = {Path(path).stem: {} for path in output.texts}
    packed = {home: shards.Texts() for home in made}
    column_of = dict(zip(answers["row"], numbers, strict=True))
    for run, predictions, grades in zip(params.runs, input.predictions, input.grades, strict=True):
        for name, row in texts.read_answers(predictions, grades).items():
            column, home = column_of.get(f"{run}#{name}"), homes[row["problem"]]
            if column is not None:
                kept = made[home].setdefault("answers", {}).setdefault(row["problem"], {})
                kept[str(column)] = texts.pack_answer(row, packed[home])
    pictures = {Path(path).stem: texts.read_pictures(path) for path in input.crops}
    solutions, traces = texts.by_problem(input.solutions), texts.by_problem(input.traces)
    corrections = {}
    for entry in params.corrections:
        corrections.setdefault(entry["id"], []).append(entry)
    aside = {Path(path).stem: rows for path, rows in excluded.items()}
    for path in [*input.problems, *input.benchmarks]:
        home, own = Path(path).stem, problems[path]
        content = {
            "problems": own,
            "excluded": aside.get(home, {}),
            "pictures": pictures.get(home, {}),
            "solutions": {name: solutions[name] for name in own if name in solutions},
            "traces": {name: traces[name] for name in own if name in traces},
            "corrections": {name: corrections[name] for name in own if name in corrections},
            "texts": packed[home].list,
            **made[home],
        }
        target = next(file for file in output.texts if Path(file).stem == home)
        shards.write(target, f"texts/{home}", content)


def main(*, input, output, params) -> None:  # noqa: A002 - Snakemake's own name for it
    problems = read_rows([*input.problems, *input.benchmarks])
    excluded = read_rows(input.excluded)
    answers = read_answers(input.answers)
    questions = evidence.list_questions(
        answers,
        {name: row for rows in problems.values() for name, row in rows.items()},
        CLUSTERS[params.claims["clusters"]],
        STRATA.get(params.claims["strata"]),
    )
    columns = evidence.Columns(answers)
    once = answers.drop_duplicates("row")
    numbers = columns.numbers(once)
    write_verdicts(output.verdicts, once, columns, numbers, questions)
    places = find_places(once, numbers, questions)
    found = find_evidence(input.claim_rows, places)
    shards.write(output.cells, "cells", evidence.read_cells(input.table_rows, places))
    write_study(input, output, params, problems, excluded, questions, columns, found)
    write_texts(input, output, params, problems, excluded, once, numbers)
    write_atomically(
        output.index, shards.fill(Path(input.bundle).read_text(encoding="utf-8"), params.title)
    )


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
