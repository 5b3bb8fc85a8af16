"""Which rows each cell of a table was computed from, kept beside the table as NAME.rows.parquet.

A cell is named by its row, which is named by the values of the table's key columns, and its column.
What stands behind it is named by ids of rows (distil/content/addresses.py). Columns of a row that
rest on the same rows share their lines: `column` then names all of them, parted by spaces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from distil.content.addresses import parse_row

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
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


# Lines of a file of sources that are written together.
LINES = 2**20
SCHEMA = pa.schema([(name, pa.string()) for name in ("cell", "column", "row")])


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
        # Cells of a row that rest on the same sources hold the same set: there may be millions.
        self._rows: dict[tuple[str, str], frozenset[str]] = {}

    def add(self, row: str, columns: Iterable[str], sources: Iterable[str]) -> None:
        """Say that some cells of one row rest on some sources."""
        found = frozenset(sources)
        joined: dict[frozenset[str], frozenset[str]] = {}
        for column in columns:
            known = self._rows.get((row, column))
            if known is None:
                self._rows[row, column] = found
            else:
                self._rows[row, column] = joined.setdefault(known, known | found)

    def write(self, path: str | Path) -> None:
        """Write them as Parquet: cell, column, row, sorted."""
        shared: dict[tuple[str, frozenset[str]], list[str]] = {}
        for (cell, column), sources in sorted(self._rows.items()):
            shared.setdefault((cell, sources), []).append(column)
        with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
            waiting, lines = [], 0
            for (cell, sources), columns in shared.items():
                told = [pa.repeat(text, len(sources)) for text in (cell, " ".join(columns))]
                waiting.append(pa.table([*told, pa.array(sorted(sources), pa.string())], SCHEMA))
                lines += len(sources)
                if lines >= LINES:
                    writer.write_table(pa.concat_tables(waiting), row_group_size=LINES)
                    waiting, lines = [], 0
            if waiting:
                writer.write_table(pa.concat_tables(waiting), row_group_size=LINES)


class StoredSources:
    """A file of sources, kept as numbers of texts that stand in it once.

    Args:
        path: NAME.rows.parquet, or the claims' rows.parquet.
    """

    def __init__(self, path: str | Path) -> None:
        """Read the file."""
        names = pq.read_schema(path).names
        table = pq.read_table(path, read_dictionary=names)
        columns = {name: _encoded(table[name]) for name in names}
        if "cell" in columns:
            cells, codes = columns["cell"]
        else:
            (claims, first), (estimands, second) = columns["claim"], columns["estimand"]
            cells = [f"{claim}/{estimand}" for claim in claims for estimand in estimands]
            codes = first * len(estimands) + second
        told, which = columns["column"]
        self.texts, self._rows = columns["row"]
        self._spans: dict[tuple[str, str], list[slice]] = {}
        changes = np.flatnonzero(np.diff(codes) | np.diff(which)) + 1
        starts = [0, *changes.tolist()] if len(codes) else []
        for start, stop in zip(starts, [*starts[1:], len(codes)], strict=False):
            for column in told[which[start]].split():
                key = (cells[codes[start]], column)
                self._spans.setdefault(key, []).append(slice(start, stop))

    @property
    def cells(self) -> Collection[tuple[str, str]]:
        """The cells that have sources: row and column."""
        return self._spans.keys()

    def numbers(self, keys: Iterable[tuple[str, str]]) -> np.ndarray:
        """Return the places in `texts` of the sources of some cells, each once."""
        spans = {(one.start, one.stop): one for key in keys for one in self._spans.get(key, ())}
        found = [self._rows[one] for one in spans.values()]
        if len(found) == 1:  # a cell names each of its sources once
            return found[0]
        return np.unique(np.concatenate(found)) if found else np.array([], dtype=np.int32)

    def of(self, keys: Iterable[tuple[str, str]]) -> set[str]:
        """Return the sources of some cells together."""
        return {self.texts[number] for number in self.numbers(keys)}


def _encoded(column: pa.ChunkedArray) -> tuple[list[str], np.ndarray]:
    """Return the distinct texts of a column, and each line's place among them."""
    if not column.num_chunks:
        return [], np.array([], dtype=np.int32)
    whole = column.unify_dictionaries().combine_chunks()
    chunk = whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole
    return chunk.dictionary.to_pylist(), chunk.indices.to_numpy().astype(np.int32)


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
    stored = StoredSources(path)
    places = {name: place for place, name in enumerate(dict.fromkeys(map(group, stored.texts)))}
    names = list(places)
    groups_of = np.array([places[group(text)] for text in stored.texts], dtype=np.int32)
    found = {
        key: {names[place] for place in np.unique(groups_of[stored.numbers([key])])}
        for key in stored.cells
    }
    groups = sorted({tuple(sorted(names)) for names in found.values()})
    cells = [
        [row, column, groups.index(tuple(sorted(names)))]
        for (row, column), names in sorted(found.items())
    ]
    return {"groups": [list(names) for names in groups], "cells": cells}
