"""Test every published claim, or in the sample study every expected direction.

Input: `answers` (items.parquet), `stops` (every .../adapters/FOLD/VARIANT/stops.json), `curves`
(every .../adapters/FOLD/VARIANT/seed-SEED/curve.csv, the pilot's too), `published`
(resources/published.yaml). Output: `csv`, `markdown`, `html`, `latex` (the claims table), `rows`
(Parquet: claim, estimand, column, row: the graded answers behind each number). Params: `title`,
`published`, `alpha`, `margin`, `primary_stop`, `levels`, `sections`, `bootstrap`.

The columns of the table are described in distil/claims.py.
"""

from distil import claims, tables
from distil.selections import read_study


def main(*, input, output, params) -> None:  # noqa: A002 - Snakemake's own name for it
    settings = vars(params)
    study = read_study(input.answers, input.stops, settings, input.curves)
    table, rows = claims.judge_study(study, claims.read_published(input.published))
    tables.write(
        [output.csv, output.markdown, output.html, output.latex],
        table,
        f"Claims: {params.title}",
        claims.reasons(table),
        readable=claims.readable(table),
        links=claims.links(["levels", "seeds", "stops", "splits"]),
    )
    rows.to_parquet(output.rows, index=False)


if __name__ == "__main__":
    from distil.lineage import run

    run(main, snakemake)  # noqa: F821
