"""Verdicts question by question, and which of them each claim rests on.

A column is what one run answered at one level and checkpoint of one benchmark. Its verdicts are a
text with a sign for each question in the order of `questions` (see `SIGNS`); the words of its
answers, which the slope over levels rests on, are numbers in the same order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

SIGNS = {"right": "r", "wrong": "w", "unknown": "u"}
NOT_ASKED = "."
SHOWN = 240  # characters of a statement that the search looks through
_COLUMN = ["run", "role", "variant", "seed", "iteration", "level", "benchmark"]
SAMPLE = "sample"  # a column of each, where base and students drew several answers


def list_questions(
    answers: pd.DataFrame,
    problems: Mapping[str, Mapping[str, Any]],
    groups: str = "cluster",
    strata: str | None = None,
) -> list[dict[str, Any]]:
    """List the questions in order: benchmark, then id.

    Args:
        answers: the graded answers (grades/answers.parquet); may be empty.
        problems: rows of problems by id; without answers all of them are listed.
        groups: the column that says which questions count as one.
        strata: the column of the strata whose shares are fixed; None for none.

    Returns:
        id, benchmark, year, section, cluster, alike (its group of duplicates), stratum, parts
        ({fold: part}), text (for the search).
    """
    found: dict[str, dict[str, Any]] = {}
    chosen = answers.drop_duplicates(["problem", "fold"])
    for row in chosen.sort_values(["benchmark", "problem", "fold"]).to_dict("records"):
        known = found.setdefault(
            row["problem"],
            {
                "id": row["problem"],
                "benchmark": row["benchmark"],
                # What shares no template with others is a group of its own.
                "cluster": row["problem"] if pd.isna(row[groups]) else row[groups],
                # What the splits keep apart, whatever the plan counts as one.
                "alike": row["problem"] if pd.isna(row["cluster"]) else row["cluster"],
                "stratum": None if strata is None or pd.isna(row[strata]) else row[strata],
                "parts": {},
            },
        )
        if not pd.isna(row["part"]):
            known["parts"][row["fold"]] = row["part"]
    if answers.empty:
        found = {
            name: {
                "id": name,
                "benchmark": "competition",
                "cluster": name,
                "alike": name,
                "stratum": None,
                "parts": {},
            }
            for name in sorted(problems)
        }
    for name, row in found.items():
        problem = problems.get(name, {})
        text = problem.get("statement_plain") or problem.get("statement") or ""
        row |= {
            "year": problem.get("year"),
            "section": problem.get("section"),
            "text": " ".join(text.split())[:SHOWN],
        }
    return list(found.values())


class Columns:
    """Numbers of columns by run, level, checkpoint and benchmark."""

    def __init__(self, answers: pd.DataFrame) -> None:
        """List the columns of the graded answers, the base and the teacher first."""
        keys = answers[[*_COLUMN, *({SAMPLE} & set(answers))]].drop_duplicates()
        order = {"base": 0, "teacher": 1, "student": 2}
        keys = keys.assign(place=keys["role"].map(order))
        keys = keys.sort_values(
            ["place", "run", "benchmark", "level", "seed", "iteration", *({SAMPLE} & set(keys))],
            kind="stable",
            na_position="first",
        ).drop(columns="place")
        self.list = [
            {
                name: None if pd.isna(value) else value if isinstance(value, str) else int(value)
                for name, value in row.items()
            }
            for row in keys.to_dict("records")
        ]
        self._numbers = pd.Series(range(len(self.list)), index=_places(keys))

    def numbers(self, answers: pd.DataFrame) -> list[int]:
        """Return the column of each graded answer."""
        return self._numbers.loc[_places(answers)].tolist() if len(answers) else []


def _places(rows: pd.DataFrame) -> pd.MultiIndex:
    """What tells columns apart; seed and checkpoint are -1 for none.

    The seed of a student's answer goes with its run; that of the teacher's is its sample.
    """
    numbers = [
        rows[name].astype("Float64").fillna(-1).astype(int)
        for name in ("seed", "iteration", SAMPLE)
        if name in rows
    ]
    return pd.MultiIndex.from_arrays([rows["run"], rows["level"], rows["benchmark"], *numbers])


def verdicts(
    answers: pd.DataFrame, columns: Sequence[int], questions: Sequence[Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Return the verdicts of each column, and the words of its answers.

    Args:
        answers: graded answers, each once.
        columns: the column of each.
        questions: as of `list_questions`.

    Returns:
        `verdicts`: {number of a column: a sign for each question}; `words`: {number of a column:
        words of the answer to each question, None where it was not asked}.
    """
    places = {row["id"]: place for place, row in enumerate(questions)}
    signs: dict[int, list[str]] = {}
    words: dict[int, list[int | None]] = {}
    for column, problem, verdict, count in zip(
        columns, answers["problem"], answers["verdict"], answers["words"], strict=True
    ):
        place = places[problem]
        signs.setdefault(column, [NOT_ASKED] * len(questions))[place] = SIGNS.get(verdict, "u")
        words.setdefault(column, [None] * len(questions))[place] = (
            None if pd.isna(count) else int(count)
        )
    return {
        "verdicts": {str(column): "".join(row) for column, row in sorted(signs.items())},
        "words": {str(column): row for column, row in sorted(words.items())},
    }


def shard_of(column: Mapping[str, Any]) -> str:
    """Return the shard of a column's verdicts: its fold, or `common` for base and teacher."""
    return column["run"].partition("/")[0] if column["role"] == "student" else "common"


class Evidence:
    """Which answers each row of the claims rests on: columns with sets of questions, each once."""

    def __init__(self, rows: Mapping[str, tuple[int, int]]) -> None:
        """Take {row id of an answer: (its column, the place of its question)}."""
        self.rows = rows
        self.sets: list[list[int]] = []
        self._places: dict[tuple[int, ...], int] = {}

    def add(self, names: Iterable[str]) -> dict[str, Any]:
        """Return what stands behind one row: `columns` ([column, set]), and `other` row ids."""
        asked: dict[int, set[int]] = {}
        other = []
        for name in names:
            if found := self.rows.get(name):
                asked.setdefault(found[0], set()).add(found[1])
            else:
                other.append(name)
        columns = [[column, self._set(places)] for column, places in sorted(asked.items())]
        return {"columns": columns, "other": sorted(other)}

    def _set(self, places: set[int]) -> int:
        key = tuple(sorted(places))
        if key not in self._places:
            self._places[key] = len(self.sets)
            self.sets.append(list(key))
        return self._places[key]


def read_cells(paths: Iterable[str | Path], rows: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
    """Return which answers and other rows each cell of the tables rests on.

    Args:
        paths: tables/NAME.rows.parquet, with cell, column and row.
        rows: {row id of an answer: (its column, the place of its question)}.

    Returns:
        `tables`: {table: {row: {column: number of an entry}}}; `entries`: `columns` and `other` as
        of `Evidence`, cells of the same rows sharing one; `sets`.
    """
    found = Evidence(rows)
    entries: list[dict[str, Any]] = []
    known: dict[bytes, int] = {}
    tables: dict[str, dict[str, dict[str, int]]] = {}
    for path in sorted(map(str, paths)):
        name = path.rpartition("/")[2].removesuffix(".rows.parquet")
        table = pq.read_table(path)
        coded = table["row"].combine_chunks().dictionary_encode()
        ids = coded.dictionary.to_pylist()
        frame = pd.DataFrame(
            {
                "cell": table["cell"].to_pandas().astype("category"),
                "column": table["column"].to_pandas().astype("category"),
                "row": coded.indices.to_numpy(zero_copy_only=False),
            }
        )
        parts: dict[tuple[str, str], list[np.ndarray]] = {}
        grouped = frame.groupby(["cell", "column"], sort=True, observed=True)["row"]
        for (cell, columns), chosen in grouped:
            codes = chosen.to_numpy()
            for column in str(columns).split(" "):  # columns of the same rows share a line
                parts.setdefault((str(cell), column), []).append(codes)
        for (cell, column), several in parts.items():
            codes = np.unique(np.concatenate(several))
            key = name.encode() + codes.tobytes()
            if key not in known:
                known[key] = len(entries)
                entries.append(found.add(ids[code] for code in codes))
            tables.setdefault(name, {}).setdefault(cell, {})[column] = known[key]
    return {"tables": tables, "entries": entries, "sets": found.sets}
