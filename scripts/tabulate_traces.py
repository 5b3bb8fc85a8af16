"""Count what became of the traces: kept or dropped, why, how long, and where two verdicts differ.

Input: `traces` and `problems` (JSONL of all years that train or validate). Output: `traces` (a row
per year, section, level and status: traces, mean words, the level's target, second tries) and
`verdicts` (a row per trace on which verifier and grader do not agree), each as CSV, Markdown, HTML
and Parquet (cell, column, row: the traces counted). Params: `title`.
"""

from collections.abc import Iterable, Mapping

import pandas as pd

from distil.content.addresses import row_id
from distil.content.files import read_jsonl
from distil.content.sources import Sources, row_names
from distil.report import tables

KEYS = ["year", "section", "level", "status"]
COUNTS = ["traces", "mean_words", "target_words", "second_tries"]
TOLD = ["level", "status", "words", "target_words", "repaired", "answer", "verifier", "grader"]
VERDICTS = ["trace", "year", "section", "level", "key", "answer", "verifier", "grader", "trains"]
# What our own grader says where the verifier says so, if the two agree.
AGREED = {"CORRECT": "right", "INCORRECT": "wrong"}


def joined(traces: Iterable[Mapping], problems: Iterable[Mapping]) -> pd.DataFrame:
    """Return the traces with year, section and key of their problems, sorted by id."""
    known = {row["id"]: row for row in problems}
    rows = [
        {
            "trace": row["id"],
            "year": known[row["problem"]]["year"],
            "section": known[row["problem"]]["section"],
            "key": known[row["problem"]]["answer"],
            "trains": row["verified"],
            **{name: row[name] for name in TOLD},
        }
        for row in traces
    ]
    columns = ["trace", "year", "section", "key", "trains", *TOLD]
    return pd.DataFrame(rows, columns=columns).sort_values("trace", ignore_index=True)


def count_traces(rows: pd.DataFrame) -> tuple[pd.DataFrame, Sources]:
    """Return the counts by year, section, level and status, and the traces behind each."""
    found, behind = [], []
    for key, group in rows.groupby(KEYS, sort=True):
        target = group["target_words"].dropna()
        found.append(
            {
                **dict(zip(KEYS, key, strict=True)),
                "traces": len(group),
                "mean_words": round(float(group["words"].mean()), 1),
                "target_words": int(target.iloc[0]) if len(target) else None,
                "second_tries": int(group["repaired"].sum()),
            }
        )
        behind.append([row_id("trace", id=name) for name in group["trace"]])
    sources = Sources()
    for name, ids in zip(row_names(found), behind, strict=True):
        sources.add(name, COUNTS, ids)
    # Of type object, so that a level without a target stays blank and the others stay whole.
    return pd.DataFrame(found, columns=[*KEYS, *COUNTS], dtype=object), sources


def find_verdicts(rows: pd.DataFrame) -> tuple[pd.DataFrame, Sources]:
    """Return the traces on which verifier and grader do not agree, and themselves as sources."""
    asked = rows[rows["verifier"].notna()]
    differ = asked[asked["verifier"].map(AGREED) != asked["grader"]]
    sources = Sources()
    for name in differ["trace"]:
        sources.add(name, VERDICTS[1:], [row_id("trace", id=name)])
    return differ[VERDICTS], sources


def main(*, input, output, params) -> None:  # noqa: A002
    rows = joined(
        (row for path in input.traces for row in read_jsonl(path)),
        (row for path in input.problems for row in read_jsonl(path)),
    )
    counted, behind = count_traces(rows)
    kept = int((rows["trains"]).sum())
    tables.write(
        output.traces,
        counted,
        f"Traces of {params.title}",
        [f"{kept} of {len(rows)} traces may train; the status of the others says why not."],
        rows=behind,
    )
    differ, behind = find_verdicts(rows)
    tables.write(
        output.verdicts,
        differ,
        f"Traces on which verifier and grader differ, of {params.title}",
        [f"{len(differ)} of {int(rows['verifier'].notna().sum())} traces that were verified."],
        readable=differ,
        rows=behind,
    )


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
