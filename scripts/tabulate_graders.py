"""Judge every graded claim again under other readings of the verdicts.

Input: `answers`, `stops`, `curves`, `published`, as of test_claims. Output: `csv`, `markdown`,
`html`, `rows` (Parquet: cell, column, row: what stands behind each number). Params: as of
test_claims.

Readings: primary; strict and second, where those verdicts exist; best and worst, which count every
answer that could not be judged for and against the student.
"""

from distil.claims.selections import read_study
from distil.claims.table import judge_gradings, read_published
from distil.content.sources import Sources
from distil.report import tables


def main(*, input, output, params) -> None:  # noqa: A002 - Snakemake's own name for it
    study = read_study(input.answers, input.stops, vars(params), input.curves)
    sources = Sources()
    table = judge_gradings(study, read_published(input.published), sources)
    changed = table.loc[table["changed"], "id"].drop_duplicates().tolist()
    tables.write(
        [output.csv, output.markdown, output.html],
        table,
        f"Claims under other gradings: {params.title}",
        [f"Verdicts that change with the grading: {', '.join(changed) or 'none'}."],
    )
    sources.write(output.rows)


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
