"""Tabulate each seed's gain over the base, and the pooled gain under three sets of assumptions.

Input: `answers`, `stops`. Output: `csv`, `markdown`, `html`. Params: as of test_claims.
"""

from distil import summaries, tables
from distil.selections import read_study


def main(*, input, output, params) -> None:  # noqa: A002 - Snakemake's own name for it
    study = read_study(input.answers, input.stops, vars(params))
    tables.write(
        [output.csv, output.markdown, output.html],
        summaries.tabulate_seeds(study),
        f"Seeds: {params.title}",
        summaries.seed_notes(study),
    )


if __name__ == "__main__":
    from distil.lineage import run

    run(main, snakemake)  # noqa: F821
