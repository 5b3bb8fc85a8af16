"""Tabulate the gain under each way to stop, and what each is worth against no stop (Q1).

Input: `answers`, `stops`. Output: `csv`, `markdown`, `html`, `rows` (Parquet:
cell, column, row: what stands behind each number). Params: as of test_claims.
"""

from distil.claims.selections import read_study
from distil.content.sources import Sources
from distil.report import summaries, tables


def main(*, input, output, params) -> None:  # noqa: A002 - Snakemake's own name for it
    study = read_study(input.answers, input.stops, vars(params))
    sources = Sources()
    tables.write(
        [output.csv, output.markdown, output.html],
        summaries.tabulate_stops(study, sources=sources),
        f"Stops: {params.title}",
    )
    sources.write(output.rows)


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
