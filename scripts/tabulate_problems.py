"""Account for every problem: taken by the study, excluded or not found, each with its reason.

Input: `accounts` (JSONL of every year, as correct_problems writes them). Output: `accounts`, a row
a problem, as CSV, Markdown, HTML and Parquet (cell, column, row). Params: `title`; `absent`, the
problems of the selection in years that the study does not have, {id: note}.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from distil.content.addresses import row_id
from distil.content.files import read_jsonl
from distil.content.sources import Sources, row_names
from distil.report import tables

COLUMNS = ["problem", "year", "section", "fate", "reason", "published", "note", "flags"]
PLACEHOLDER = "placeholder"  # the note of a row of the selection that could not be read


def list_problems(accounts: Iterable[Mapping[str, Any]], absent: Mapping[str, str]) -> pd.DataFrame:
    """Return a row a problem, sorted by id; `published` is blank without a selection.

    Args:
        accounts: rows of every year.
        absent: problems of the selection in years that the study does not have, with their notes.
    """
    rows = [
        {
            "problem": row["id"],
            "year": row["id"].split("-")[0],
            **{name: row[name] for name in ("section", "fate", "reason", "note")},
            "published": None if row["selected"] is None else ("yes" if row["selected"] else "no"),
            "flags": " ".join(row["flags"]),
        }
        for row in accounts
    ]
    rows += [
        {
            "problem": name,
            "year": name.split("-")[0],
            "section": name.split("-")[1],
            "fate": "not found",
            "reason": "placeholder" if note == PLACEHOLDER else "its year is not in the study",
            "published": "no" if note == PLACEHOLDER else "yes",
            "note": note or None,
            "flags": "",
        }
        for name, note in absent.items()
    ]
    return pd.DataFrame(sorted(rows, key=lambda row: row["problem"]), columns=COLUMNS, dtype=object)


def count_problems(table: pd.DataFrame) -> list[str]:
    """Say in sentences how many problems were taken and why the others were not."""
    taken = table[table["fate"] == "taken"]
    said = [f"The study takes {len(taken)} of {len(table)} problems."]
    counts = Counter(
        f"{row.fate}, {row.reason}" for row in table.itertuples() if row.fate != "taken"
    )
    if counts:
        said.append("Others: " + "; ".join(f"{n} {why}" for why, n in counts.most_common()) + ".")
    published = table[table["published"] == "yes"]
    if len(published):
        lost = published[published["fate"] != "taken"]
        why = Counter(lost["reason"]).most_common()
        said.append(
            f"The published figures are over {len(published)} problems; "
            f"{len(published) - len(lost)} of them are in the study"
            + (": without " + ", ".join(f"{n} ({name})" for name, n in why) if why else "")
            + "."
        )
    return said + suspect_numbers(table)


def suspect_numbers(table: pd.DataFrame) -> list[str]:
    """Name tests that lack published problems and hold others that are not published.

    They may be the same under other numbers, where their spelling differs and no hash tells.
    """
    said = []
    for (year, section), rows in table.groupby(["year", "section"], sort=True):
        lost = rows[(rows["fate"] == "not found") & (rows["reason"] == "not found")]["problem"]
        more = rows[(rows["fate"] == "excluded") & (rows["reason"] == "not selected")]["problem"]
        more = [name for name in more if "-unpublished-" not in name]
        if len(lost) and more:
            said.append(
                f"{year}-{section}: {', '.join(lost)} not found, {', '.join(more)} not selected: "
                "if they are the same, list them as renumbered in the manifest."
            )
    return said


def main(*, input, output, params) -> dict[str, Any]:  # noqa: A002
    accounts = [row for path in input.accounts for row in read_jsonl(path)]
    table = list_problems(accounts, params.absent)
    sources = Sources()
    names = row_names(table.to_dict("records"))
    for name, year, problem in zip(names, table["year"], table["problem"], strict=True):
        sources.add(name, COLUMNS[1:], [row_id("account", year=year, id=problem)])
    notes = count_problems(table)
    tables.write(output.accounts, table, f"Problems of {params.title}", notes, rows=sources)
    print("\n".join(notes))
    return {"facts": {"problems": len(table), "notes": notes}}


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
