"""Check the published figures against each other: counts, deviations, intervals, power.

Input: `published` (resources/published.yaml), `counts` (of import_release_counts: how many
questions there are, by year). Output: `csv`, `markdown`, `html`. Params: `title`, `alpha`.
"""

import pandas as pd

from distil import claims, forensics, tables

LATE_YEARS = 4


def questions_asked(counts: pd.DataFrame) -> tuple[int, int]:
    """Return the evaluated questions of all years and of the last four."""
    asked = counts[counts["quantity"] == "questions"]
    whole = int(asked.loc[asked["group_kind"] == "overall", "successes"].iloc[0])
    years = asked[asked["group_kind"] == "year"].astype({"group": int}).sort_values("group")
    return whole, int(years["successes"].tail(LATE_YEARS).sum())


def main(*, input, output, params) -> None:  # noqa: A002 - Snakemake's own name for it
    published = claims.read_published(input.published)
    by_id = {claim["id"]: claim for claim in published["claims"]}
    table = forensics.tabulate(
        by_id, *questions_asked(pd.read_parquet(input.counts)), alpha=params.alpha
    )
    tables.write(
        [output.csv, output.markdown, output.html],
        table,
        f"Published figures against each other: {params.title}",
    )


if __name__ == "__main__":
    from distil.lineage import run

    run(main, snakemake)  # noqa: F821
