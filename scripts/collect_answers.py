"""Join predictions, grades and problems: one row for every graded answer of the study.

Input: `problems`, `benchmarks` (JSONL), `clusters` (Parquet: problem, cluster), `truth` (JSONL,
what typeset exams were made from; or nothing), `predictions` and `grades` (Parquet, in order of
`runs`), `judgements` (Parquet, or nothing without a judge). Output: `answers`, Parquet. Params:
`runs`, `folds`.

Columns: row, role (base, teacher, student), run, fold, variant, seed, iteration, level, benchmark,
part (of the problem or its year in the fold), problem, cluster, template and wording (of typeset
exams; of their transfer items the template alone), year, section, verdict, strict_verdict,
second_verdict, judge_verdict (null without a judge), words, finish; and, where base and students
drew several answers, sample, the number of the answer to its question.

`seed` of the teacher is the number of its sample, where it has several; the first is 0.
Base and teacher belong to no fold, so they stand once for each: `fold` is set and `part` with it.
"""

import pandas as pd

from distil.content.files import read_jsonl

COLUMNS = [
    "row", "role", "run", "fold", "variant", "seed", "iteration", "level", "benchmark", "part",
    "problem", "cluster", "template", "wording", "year", "section", "verdict", "strict_verdict",
    "second_verdict", "judge_verdict", "words", "finish",
]  # fmt: skip


def parts_of(folds: dict[str, dict[str, list]]) -> dict[tuple[str, int | str], str]:
    """Return {(fold, year): part}, or {(fold, id): part} of a fold that lists ids."""
    return {
        (fold, entry): part
        for fold, parts in folds.items()
        for part, entries in parts.items()
        for entry in entries
    }


def collect_run(name: str, predictions: pd.DataFrame, grades: pd.DataFrame) -> pd.DataFrame:
    """Join one run's predictions with their grades.

    Raises:
        ValueError: a prediction has no grade, or a grade no prediction.
    """
    if set(predictions["id"]) != set(grades["id"]):
        raise ValueError(f"{name}: predictions and grades are not of the same rows; grade it again")
    table = predictions.merge(grades.drop(columns="problem"), on="id", validate="one_to_one")
    parts = name.split("/")
    table["run"] = name
    table["role"] = name if len(parts) == 1 else "student"
    table["fold"] = parts[0] if len(parts) == 3 else None
    table["variant"] = parts[1] if len(parts) == 3 else None
    table["seed"] = int(parts[2].removeprefix("seed-")) if len(parts) == 3 else None
    samples = table["id"].str.extract(r"\.s(\d+)$")[0]
    if name == "teacher" and samples.notna().any():
        table["seed"] = samples.astype("Int64") - 1
        table["seed"] = table["seed"].fillna(0)
    if "iteration" not in table:
        table["iteration"] = None
    return table


def origin_of(problem: dict, made: dict[str, dict]) -> dict[str, str | None]:
    """Return template and wording of a problem; blank where nothing is known of its making."""
    if not made:
        return {"template": None, "wording": None}
    known = made.get(problem["id"], {})
    # An item of the transfer benchmark stands in no paper; its section is its template.
    template = known.get("template") or (None if problem.get("year") else problem.get("section"))
    return {"template": template, "wording": known.get("wording")}


def judged(rows: pd.Series, judgements: list[str]) -> pd.Series:
    """Return the judge's verdict of each row; null where the study has no judge.

    Raises:
        ValueError: a row was not judged.
    """
    if not judgements:
        return pd.Series(None, index=rows.index, dtype=object)
    verdicts = pd.concat([pd.read_parquet(path) for path in judgements]).set_index("row")
    if missing := sorted(set(rows) - set(verdicts.index)):
        raise ValueError(f"{judgements[0]}: {missing[0]} is not judged; judge the answers again")
    return rows.map(verdicts["judge_verdict"])


def main(*, input, output, params) -> None:  # noqa: A002
    problems = [row for path in [*input.problems, *input.benchmarks] for row in read_jsonl(path)]
    made = {row["id"]: row for path in input.truth for row in read_jsonl(path)}
    facts = pd.DataFrame(
        [
            {
                "problem": row["id"],
                "year": row.get("year"),
                "section": row.get("section"),
                **origin_of(row, made),
            }
            for row in problems
        ]
    ).merge(pd.read_parquet(input.clusters)[["problem", "cluster"]], on="problem", how="left")
    tables = []
    for name, predicted, graded in zip(params.runs, input.predictions, input.grades, strict=True):
        table = collect_run(name, pd.read_parquet(predicted), pd.read_parquet(graded))
        folds = [table["fold"].iat[0]] if "/" in name else list(params.folds)
        tables += [table.assign(fold=fold) for fold in folds]
    answers = pd.concat(tables, ignore_index=True).merge(facts, on="problem", how="left")
    answers["row"] = answers["run"] + "#" + answers["id"]
    answers["judge_verdict"] = judged(answers["row"], input.judgements)
    parts = parts_of(params.folds)
    answers["part"] = [
        parts.get((fold, problem)) or parts.get((fold, int(year)))
        if benchmark == "competition"
        else None
        for fold, problem, year, benchmark in zip(
            answers["fold"],
            answers["problem"],
            answers["year"].fillna(0),
            answers["benchmark"],
            strict=True,
        )
    ]
    columns = [*COLUMNS, *(["sample"] if "sample" in answers else [])]
    for column in {"seed", "iteration", "year", "sample"} & set(columns):
        answers[column] = answers[column].astype("Int64")
    answers = answers[columns].sort_values(["fold", "row"], ignore_index=True)
    answers.to_parquet(output.answers, index=False)


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
