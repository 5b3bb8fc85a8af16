"""Check the published figures against each other: counts, deviations, intervals, power.

Input: `published` (resources/published.yaml), `counts` (of import_release_counts: how many
questions there are, by year). Output: `csv`, `markdown`, `html`, `rows`
(Parquet: cell, column, row). Params: `title`, `alpha`.
"""

import pandas as pd

from distil.claims.table import read_published
from distil.content.addresses import row_id
from distil.content.sources import Sources, row_names
from distil.release import forensics
from distil.report import tables

LATE_YEARS = 4


def questions_asked(counts: pd.DataFrame) -> tuple[int, int]:
    """Return the evaluated questions of all years and of the last four."""
    asked = counts[counts["quantity"] == "questions"]
    whole = int(asked.loc[asked["group_kind"] == "overall", "successes"].iloc[0])
    years = asked[asked["group_kind"] == "year"].astype({"group": int}).sort_values("group")
    return whole, int(years["successes"].tail(LATE_YEARS).sum())


def find_sources(table: pd.DataFrame, counts: pd.DataFrame) -> Sources:
    """Return the published figures behind each check, and the counts of questions it is over."""
    sources = Sources()
    lines = table.to_dict("records")
    asked = counts[counts["quantity"] == "questions"]["id"].tolist()
    for name, row in zip(row_names(lines), lines, strict=True):
        claims_named = row["claim"].split(", ")
        if row["check"] == "interval over seeds alone":
            claims_named.append("C3")  # whose deviation and seeds it takes
        figures = [row_id("published", claim=claim) for claim in claims_named]
        sources.add(name, ["n", "result", "sentence"], [*figures, *asked])
    return sources


def main(*, input, output, params) -> None:  # noqa: A002 - Snakemake's own name for it
    published = read_published(input.published)
    by_id = {claim["id"]: claim for claim in published["claims"]}
    counts = pd.read_parquet(input.counts)
    table = forensics.tabulate(by_id, *questions_asked(counts), alpha=params.alpha)
    tables.write(
        [output.csv, output.markdown, output.html],
        table,
        f"Published figures against each other: {params.title}",
    )
    find_sources(table, counts).write(output.rows)


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
