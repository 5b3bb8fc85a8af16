"""Measure the release's response-length levels: words of their traces beside their accuracies (Q4).

Input: `problems` (JSONL of all years), `counts` (of import_release_counts), and the release's
`chains` (the traces of every question at every level) and `level_runs` (rows and test loss of each
level's training). Output: `levels` (Parquet), `csv` and `markdown`, sorted by level and section;
`rows` (Parquet: cell, column, row).
Params: none.

Columns: level, section (`all`, fs, js, tp), questions, words_mean, words_sd, words_median,
words_min, words_max (of the traces of evaluated questions), words_mean_trained (placeholders
included, as they were trained on), successes, total, accuracy (per cent; of the adapter trained on
that level), train_rows, test_loss.

The words are those of the traces a level was trained on, not of the student's responses, which the
release does not hold.
"""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from distil.content.addresses import row_id
from distil.content.files import read_jsonl
from distil.content.sources import Sources
from distil.release.files import LEVELS, SECTIONS, evaluated, read_chains, read_table
from distil.report import tables


def words_of(text: str) -> int:
    """Count words: runs of characters without white space."""
    return len(text.split())


def level_rows(
    problems: Sequence[Mapping[str, Any]],
    chains: Mapping[str, Mapping[str, str]],
    counts: Sequence[Mapping[str, Any]],
    runs: Mapping[str, Mapping[str, Any]],
    sources: Sources,
) -> list[dict[str, Any]]:
    """Return one row per level and section.

    Args:
        problems: all problems; placeholders are left out.
        chains: problem id to level to trace.
        counts: rows of the counts table.
        runs: level to its row of the release's training summary.
        sources: filled with the traces, the count and the run behind each cell.

    Raises:
        ValueError: a question has no traces.
    """
    asked = evaluated(problems)
    if missing := sorted({row["id"] for row in problems} - chains.keys()):
        raise ValueError(f"chains: no traces of {missing[0]}; restore the release's file")
    judged = {
        (row["level"], row["group"]): row
        for row in counts
        if row["quantity"] == "student" and row["population"] == "all"
    }
    rows = []
    for level in LEVELS:
        for section in ("all", *SECTIONS.values()):
            evaluated_ids, all_ids = (
                [row["id"] for row in among if section in ("all", row["section"])]
                for among in (asked, problems)
            )
            words = [words_of(chains[key][level]) for key in evaluated_ids]
            trained = [words_of(chains[key][level]) for key in all_ids]
            count = judged[level, section]
            cell = f"{level}/{section}"
            measured = ("mean", "sd", "median", "min", "max")
            sources.add(
                cell,
                ["questions", *(f"words_{name}" for name in measured)],
                [row_id("chain", level=level, problem=key) for key in evaluated_ids],
            )
            sources.add(
                cell,
                ["words_mean_trained"],
                [row_id("chain", level=level, problem=key) for key in all_ids],
            )
            sources.add(cell, ["successes", "total", "accuracy"], [count["id"]])
            sources.add(cell, ["train_rows", "test_loss"], [row_id("training", level=level)])
            rows.append(
                {
                    "level": level,
                    "section": section,
                    "questions": len(words),
                    "words_mean": statistics.fmean(words),
                    "words_sd": statistics.stdev(words),
                    "words_median": float(statistics.median(words)),
                    "words_min": min(words),
                    "words_max": max(words),
                    "words_mean_trained": statistics.fmean(trained),
                    "successes": count["successes"],
                    "total": count["total"],
                    "accuracy": 100 * count["successes"] / count["total"],
                    "train_rows": int(runs[level]["n_train"]),
                    "test_loss": float(runs[level]["test_loss"]),
                }
            )
    return rows


def main(*, input, output) -> None:  # noqa: A002
    problems = [row for path in input.problems for row in read_jsonl(path)]
    columns = ["level", "n_total", "n_train", "n_valid", "n_test", "train_ok", "test_loss"]
    runs = {f"R{row['level']}": row for row in read_table(input.level_runs, columns)}
    sources = Sources()
    counts = pq.read_table(input.counts).to_pylist()
    rows = level_rows(problems, read_chains(input.chains), counts, runs, sources)
    pq.write_table(pa.Table.from_pylist(rows), output.levels)
    tables.write(
        [output.csv, output.markdown],
        pd.DataFrame(rows),
        "Response-length levels of the release",
        ["words are those of the traces a level was trained on, not of the student's responses"],
    )
    sources.write(output.rows)
    for row in rows:
        if row["section"] == "all":
            print(
                f"{row['level']}: {row['words_mean']:.1f} words, {row['successes']} of "
                f"{row['total']} ({row['accuracy']:.2f} %)"
            )


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
