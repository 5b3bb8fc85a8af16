"""Test every published claim, or in the sample study every expected direction.

Input: `answers` (items.parquet), `stops` (every .../adapters/FOLD/VARIANT/stops.json), `curves`
(every .../adapters/FOLD/VARIANT/seed-SEED/curve.csv, the pilot's too), `published`
(resources/published.yaml). Output: `csv`, `markdown`, `html`, `latex` (the claims table), `rows`
(Parquet: claim, estimand, column, row: the graded answers behind each number). Params: `title`,
`published`, `alpha`, `margin`, `primary_stop`, `levels`, `sections`, `bootstrap`.

The columns of the table are described in distil/claims.py.
"""

from distil.claims.selections import read_study
from distil.claims.table import judge_study, links, read_published, readable, reasons
from distil.report import tables


def main(*, input, output, params) -> None:  # noqa: A002 - Snakemake's own name for it
    settings = vars(params)
    study = read_study(input.answers, input.stops, settings, input.curves)
    table, rows = judge_study(study, read_published(input.published))
    tables.write(
        [output.csv, output.markdown, output.html, output.latex],
        table,
        f"Claims: {params.title}",
        reasons(table),
        readable=readable(table),
        links=links(["levels", "seeds", "stops", "splits"]),
    )
    rows.to_parquet(output.rows, index=False)


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
