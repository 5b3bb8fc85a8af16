"""Which rows each cell of a table was computed from, kept beside the table as NAME.rows.parquet.

A cell is named by its row, which is named by the values of the table's key columns, and its column.
What stands behind it is named by ids of rows (distil/content/addresses.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from distil.content.addresses import parse_row

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

# Columns whose values name a row of a table: the first of these that a table holds all of.
KEYS = (
    ("id", "estimand", "grading"),
    ("id", "estimand"),
    ("fold", "variant", "part", "year", "section"),
    ("year", "section", "level", "status"),
    ("trace",),
    ("problem", "fate"),
    ("set", "part"),
    ("level", "section"),
    ("check", "claim"),
    ("grader", "answers"),
    ("answer",),
    ("row",),
    ("run",),
    ("grader", "clusters", "stop", "missing"),
    ("stop",),
    ("part",),
)


def key_columns(columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns whose values name a row of a table.

    Raises:
        ValueError: no set of `KEYS` fits.
    """
    keys = next((keys for keys in KEYS if set(keys) <= set(columns)), None)
    if keys is None:
        raise ValueError(f"no key columns among {', '.join(columns)}; add them to sources.KEYS")
    return keys


def row_names(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name each row of a table by the values of its key columns, joined by `/`.

    Rows of equal keys are told apart by `~2`, `~3` and so on.

    Raises:
        ValueError: no set of `KEYS` fits the table's columns.
    """
    if not rows:
        return []
    keys = key_columns(list(rows[0]))
    names: list[str] = []
    seen: dict[str, int] = {}
    for row in rows:
        name = "/".join(str(row[key]) for key in keys)
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name}~{seen[name]}")
    return names


class Sources:
    """What each cell of one table was computed from.

    A cell without sources of its own rests on those of its whole row.
    """

    def __init__(self) -> None:
        """Start without any."""
        self._rows: dict[tuple[str, str], set[str]] = {}

    def add(self, row: str, columns: Iterable[str], sources: Iterable[str]) -> None:
        """Say that some cells of one row rest on some sources."""
        found = set(sources)
        for column in columns:
            self._rows.setdefault((row, column), set()).update(found)

    def write(self, path: str | Path) -> None:
        """Write them as Parquet: cell, column, row, sorted."""
        found = [
            (cell, column, source)
            for (cell, column), sources in sorted(self._rows.items())
            for source in sorted(sources)
        ]
        names = ("cell", "column", "row")
        columns = [pa.array([one[place] for one in found], pa.string()) for place in range(3)]
        pq.write_table(pa.table(columns, names=names), path, compression="zstd")


def group(source: str) -> str:
    """Return what a source belongs to: the run and year (or benchmark) of an answer, and so on."""
    kind, fields = parse_row(source)
    if kind == "answer":
        return f"{fields['run']}#{fields['id'].partition('-')[0]}"
    if kind == "curve":
        return source.rpartition("/")[0]
    if kind == "part":
        return f"{source.rpartition('/')[0]}/{fields['problem'].partition('-')[0]}"
    if kind == "trace":
        return f"trace/{fields['id'].partition('-')[0]}"
    return source if kind == "stop" else "/".join(source.split("/")[:2])


def grouped(path: str | Path) -> dict[str, Any]:
    """Return a small summary of a file of sources: the groups of each cell's sources.

    Returns:
        `groups`, each set of groups once; `cells`, [row, column, index of its groups].
    """
    table = pq.read_table(path)
    frame = table.to_pandas(categories=table.column_names)  # few values, in very many lines
    if "cell" not in frame:
        frame["cell"] = frame["claim"].astype(str) + "/" + frame["estimand"].astype(str)
    frame["row"] = frame["row"].map(group)
    found: dict[tuple[str, str], set[str]] = {}
    told = frame[["cell", "column", "row"]].drop_duplicates()
    for cell, column, source in told.itertuples(index=False):
        found.setdefault((cell, column), set()).add(source)
    groups = sorted({tuple(sorted(names)) for names in found.values()})
    cells = [
        [row, column, groups.index(tuple(sorted(names)))]
        for (row, column), names in sorted(found.items())
    ]
    return {"groups": [list(names) for names in groups], "cells": cells}
