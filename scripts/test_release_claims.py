"""Test the published claims as far as the counts of the public release allow.

Input: `counts`, `losses` (of import_release_counts), `levels` (of measure_release_levels),
`published` (resources/published.yaml). Output: `csv`, `markdown`, `html`, `latex`, `rows`, as of
test_claims; the rows are ids of counts, losses and levels. Params: `title`, `alpha`, `margin`,
`levels`, `sections`, `bootstrap`, `published`.
"""

import pandas as pd

from distil.claims.table import links, read_published, readable, reasons
from distil.release import counts
from distil.report import tables


def main(*, input, output, params) -> None:  # noqa: A002 - Snakemake's own name for it
    release = counts.Release(
        pd.read_parquet(input.counts),
        pd.read_parquet(input.losses),
        pd.read_parquet(input.levels),
        vars(params),
    )
    table, rows = counts.judge_release(release, read_published(input.published))
    tables.write(
        [output.csv, output.markdown, output.html, output.latex],
        table,
        f"Claims: {params.title}",
        reasons(table),
        readable=readable(table),
        links=links(["levels", "splits", "forensics"]),
    )
    rows.to_parquet(output.rows, index=False)


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
