"""Judge the published claims as far as the counts of the public release allow, and check figures.

Input: `counts`, `losses` (of import_release_counts), `levels` (of measure_release_levels),
`answers` (of grade_release_answers), `published` (resources/published.yaml). Output: `claims`, as
of judge_claims; its rows are ids of counts, losses, levels and single answers; `forensics`, the
published figures held against each other (CSV, Markdown, HTML, Parquet: cell, column, row).
Params: `title` and the settings of the analysis plan.
"""

import pandas as pd

from distil.claims.table import read_published, readable, reasons
from distil.release import counts, forensics
from distil.report import tables


def write_claims(paths, release, published) -> None:
    """Write the claims table with the reason of each verdict."""
    table, rows = counts.judge_release(release, published)
    tables.write(
        paths, table, f"Claims: {release.settings['title']}", reasons(table),
        readable=readable(table), rows=rows,
    )  # fmt: skip


def write_forensics(paths, release, published) -> None:
    """Write what the published figures say of each other: counts, deviations, intervals, power."""
    settings = release.settings
    by_id = {claim["id"]: claim for claim in published["claims"]}
    asked = forensics.questions_asked(release.counts)
    table = forensics.tabulate(by_id, *asked, settings["alpha"], release.counts)
    title = f"Published figures against each other: {settings['title']}"
    tables.write(paths, table, title, rows=forensics.find_sources(table, release.counts))


def main(*, input, output, params) -> None:  # noqa: A002 - Snakemake's own name for it
    files = (input.counts, input.losses, input.levels, input.answers)
    release = counts.Release(*map(pd.read_parquet, files), vars(params))
    published = read_published(input.published)
    write_claims(output.claims, release, published)
    write_forensics(output.forensics, release, published)


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
