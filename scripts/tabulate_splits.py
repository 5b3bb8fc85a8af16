"""Count what each part of each fold holds, and show that the parts do not overlap (Q3).

Input: `problems` (JSONL of all years), `parts` (CSV of each fold and variant, as written by
split_datasets). Output: `csv` (one row per fold, variant, part, year and section: problems,
problems removed as duplicates, rows, rows of each level) and `markdown` (the same by part, by
year and by section, and the overlaps), `rows` (Parquet: cell, column, row: the problems of each
part, as part/FOLD/VARIANT/PROBLEM). Params: none.
"""

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from distil.content.addresses import row_id
from distil.content.files import read_jsonl
from distil.content.sources import Sources
from distil.datasets.splits import PARTS, UNUSED
from distil.notation.normal import normal_form, problem_text

KEYS = ("fold", "variant", "part", "year", "section")


def read_parts(path: str | Path) -> list[dict[str, Any]]:
    """Read a `parts.csv`; `planned` and `levels` become lists."""
    with Path(path).open(encoding="utf-8", newline="") as stream:
        return [
            {
                **row,
                "year": int(row["year"]),
                "planned": row["planned"].split(),
                "levels": row["levels"].split(),
            }
            for row in csv.DictReader(stream)
        ]


def count_rows(
    parts: Iterable[Mapping[str, Any]], keys: Sequence[str], levels: Sequence[str]
) -> list[dict[str, Any]]:
    """Count problems, removed problems and rows by level for each combination of some keys."""
    counts: dict[tuple, Counter] = {}
    for row in parts:
        counter = counts.setdefault(tuple(row[key] for key in keys), Counter())
        counter["problems"] += 1
        counter["removed"] += bool(row["duplicate_of"])
        counter["rows"] += len(row["levels"])
        counter.update(row["levels"])

    def order(values: tuple) -> tuple:
        return tuple(
            (*PARTS, UNUSED).index(value) if key == "part" else value
            for key, value in zip(keys, values, strict=True)
        )

    return [
        {
            **dict(zip(keys, values, strict=True)),
            **{name: counts[values][name] for name in ("problems", "removed", "rows", *levels)},
        }
        for values in sorted(counts, key=order)
    ]


def find_sources(
    parts: Iterable[Mapping[str, Any]], counted: Sequence[Mapping[str, Any]]
) -> Sources:
    """Return the rows of `parts` that each count is of."""
    sources = Sources()
    counts = [name for name in counted[0] if name not in KEYS]
    for row in parts:
        name = "/".join(str(row[key]) for key in KEYS)
        place = row_id("part", **{name: row[name] for name in ("fold", "variant", "problem")})
        columns = {"problems", "rows", *row["levels"], *(["removed"] * bool(row["duplicate_of"]))}
        sources.add(name, columns & set(counts), [place])
    return sources


def overlaps(
    parts: Sequence[Mapping[str, Any]], forms: Mapping[str, tuple[str, ...]]
) -> list[dict[str, Any]]:
    """Count the questions that two parts of one fold share, before and after the removal.

    Args:
        parts: rows of one fold and variant.
        forms: problem id to normal form.
    """
    table = []
    for first, second in combinations(PARTS, 2):
        shared = {"pair": f"{first} and {second}"}
        for name, rows in (
            ("before", parts),
            ("after", [row for row in parts if not row["duplicate_of"]]),
        ):
            sides = [
                {forms[row["problem"]] for row in rows if row["part"] == part}
                for part in (first, second)
            ]
            shared[name] = len((sides[0] & sides[1]) - {()})
        table.append(shared)
    return table


def markdown_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Render rows of equal keys as a Markdown table."""
    header = list(rows[0])
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    lines += ["| " + " | ".join(str(row[key]) for key in header) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def main(*, input, output) -> None:  # noqa: A002
    forms = {
        row["id"]: normal_form(problem_text(row))
        for path in input.problems
        for row in read_jsonl(path)
    }
    splits = [read_parts(path) for path in input.parts]
    rows = [row for split in splits for row in split]
    levels = sorted({level for row in rows for level in row["planned"]})
    with Path(output.csv).open("w", encoding="utf-8", newline="") as stream:
        counted = count_rows(rows, KEYS, levels)
        writer = csv.DictWriter(stream, list(counted[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(counted)
    find_sources(rows, counted).write(output.rows)

    sections = ["# Sizes of the splits\n"]
    for table in splits:
        name = f"{table[0]['fold']}, {table[0]['variant']}"
        shared = overlaps(table, forms)
        if left := [row["pair"] for row in shared if row["after"]]:
            raise ValueError(
                f"fold {name}: {left[0]} still share a question after the removal of duplicates; "
                "rerun split_datasets"
            )
        years = {
            part: " ".join(map(str, sorted({r["year"] for r in table if r["part"] == part})))
            for part in (*PARTS, UNUSED)
        }
        by_part = [
            {**row, "years": years[row["part"]]} for row in count_rows(table, ("part",), levels)
        ]
        sections += [
            f"## Fold {name}\n",
            markdown_table(by_part),
            "Questions shared by two parts, before and after the removal of duplicates:\n",
            markdown_table(shared),
            markdown_table(count_rows(table, ("part", "section"), levels)),
            markdown_table(count_rows(table, ("part", "year"), levels)),
        ]
    Path(output.markdown).write_text("\n".join(sections), encoding="utf-8")


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
