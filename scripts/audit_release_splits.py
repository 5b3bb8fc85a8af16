"""Look for the evaluated questions in the files that the release trained on.

Input: `problems` (JSONL of all years); `train`, `validation`, `test` (the released JSONL files, one
of each for every set). Output: `audit` (JSONL, one row per set and question, with the lines at
which it stands in each part, verbatim and in normal form), `summary` (CSV, one row per set and
part), `markdown` (the same for readers) and `rows` (Parquet: cell, column, row). Params: `sets`,
the names of the sets in the order of the files (`full`, `R1` ... `R5`).

The columns of a summary: rows, placeholders, distinct questions, repeated rows, evaluated
questions that stand in the part verbatim (`verbatim`) and however they are typed (`normal`),
distinct questions shared with the other parts, rows whose stated answer is the key's text, and
rows with a system prompt (the evaluation sent none).
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from distil.content.addresses import row_id
from distil.content.files import read_jsonl, write_jsonl
from distil.content.sources import Sources
from distil.notation.normal import normal_form
from distil.release.files import PARTS, evaluated, is_placeholder, read_split
from distil.report import tables

_STATED = re.compile(r"Answer:\s*(.*?)\s*$")


def find_questions(
    name: str,
    problems: Sequence[Mapping[str, Any]],
    parts: Mapping[str, Sequence[Mapping[str, Any]]],
) -> list[dict[str, Any]]:
    """Return where each evaluated question stands in one set: lines by part.

    Args:
        name: the set.
        problems: all problems; placeholders are left out.
        parts: part to the rows of its file.
    """
    verbatim: dict[tuple[str, str], list[int]] = defaultdict(list)
    normal: dict[tuple[str, tuple[str, ...]], list[int]] = defaultdict(list)
    for part, rows in parts.items():
        for row in rows:
            verbatim[part, row["question"]].append(row["line"])
            normal[part, normal_form(row["question"])].append(row["line"])
    found = []
    for problem in sorted(evaluated(problems), key=lambda row: row["id"]):
        text = problem["statement_plain"]
        form = normal_form(text)
        found.append(
            {
                "set": name,
                "problem": problem["id"],
                "verbatim": {part: verbatim.get((part, text), []) for part in parts},
                "normal": {part: normal.get((part, form), []) for part in parts},
            }
        )
    return found


def summarise(
    name: str,
    problems: Sequence[Mapping[str, Any]],
    parts: Mapping[str, Sequence[Mapping[str, Any]]],
    audit: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Return one row of counts for each part of a set."""
    keys: dict[str, set[str]] = defaultdict(set)
    for problem in problems:
        keys[problem["statement_plain"]].add(problem["answer_raw"].strip())
    distinct = {part: {row["question"] for row in rows} for part, rows in parts.items()}
    table = []
    for part, rows in parts.items():
        shared = {other: len(distinct[part] & distinct[other]) for other in parts if other != part}
        stated = [(row, _STATED.search(row["response"].rstrip())) for row in rows]
        table.append(
            {
                "set": name,
                "part": part,
                "rows": len(rows),
                "placeholders": sum(is_placeholder(row["question"]) for row in rows),
                "distinct": len(distinct[part]),
                "repeated": len(rows) - len(distinct[part]),
                "verbatim": sum(bool(row["verbatim"][part]) for row in audit),
                "normal": sum(bool(row["normal"][part]) for row in audit),
                "evaluated": len(audit),
                "shared": ", ".join(f"{other} {count}" for other, count in shared.items()),
                "answers_equal_to_key": sum(
                    found is not None and found[1] in keys[row["question"]] for row, found in stated
                ),
                "system_prompts": sum(bool(row["system"]) for row in rows),
            }
        )
    return table


def add_sources(
    sources: Sources,
    name: str,
    parts: Mapping[str, Sequence[Mapping[str, Any]]],
    audit: Sequence[Mapping[str, Any]],
) -> None:
    """Say which lines of the released files, and which findings, each count of a set is of."""
    lines = {
        part: [row_id("line", set=name, part=part, line=row["line"]) for row in rows]
        for part, rows in parts.items()
    }
    for part in parts:
        cell = f"{name}/{part}"
        own = ("rows", "placeholders", "distinct", "repeated", "answers_equal_to_key")
        sources.add(cell, [*own, "system_prompts"], lines[part])
        sources.add(cell, ["shared"], [line for found in lines.values() for line in found])
        for column in ("verbatim", "normal"):
            places = [
                row_id("found", set=name, problem=row["problem"])
                for row in audit
                if row[column][part]
            ]
            sources.add(cell, [column], places)
        sources.add(
            cell,
            ["evaluated"],
            [row_id("found", set=name, problem=row["problem"]) for row in audit],
        )


def main(*, input, output, params) -> None:  # noqa: A002
    problems = [row for path in input.problems for row in read_jsonl(path)]
    audit, summary, sources = [], [], Sources()
    for index, name in enumerate(params.sets):
        parts = {part: read_split(getattr(input, part)[index]) for part in PARTS}
        found = find_questions(name, problems, parts)
        audit += found
        summary += summarise(name, problems, parts, found)
        add_sources(sources, name, parts, found)
    write_jsonl(output.audit, audit)
    tables.write(
        [output.summary, output.markdown],
        pd.DataFrame(summary),
        "The release's splits, and the evaluated questions in them",
        ["verbatim: evaluated questions that stand in the part, letter for letter"],
    )
    sources.write(output.rows)
    for row in summary:
        print(
            f"{row['set']} {row['part']}: {row['verbatim']} of {row['evaluated']} evaluated "
            f"questions stand verbatim in its {row['rows']} rows"
        )


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
