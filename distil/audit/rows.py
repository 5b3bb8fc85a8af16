"""Rows of a study's files, read as they are asked for, each file once."""

from __future__ import annotations

import csv
import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from distil.audit.cells import NotFoundError, Tables
from distil.audit.records import Records, read_records
from distil.content.addresses import file_path, parse_file
from distil.content.files import read_jsonl
from distil.content.sources import row_names

if TYPE_CHECKING:
    from collections.abc import Iterable

# What names a row in a file that holds rows, the first of these that a row has.
IDS = ("row", "id", "request_sha256")
# Files whose rows go by another column.
NAMED = {"curve": ("iteration",), "parts": ("problem",)}


def read_rows(path: Path, wanted: pc.Expression | None = None) -> list[dict[str, Any]]:
    """Return the rows of a JSONL, Parquet or CSV file in order.

    Args:
        path: the file.
        wanted: a condition on the rows of a Parquet file; None for all.
    """
    if path.suffix == ".jsonl":
        return read_jsonl(path)
    if path.suffix == ".parquet":
        return json.loads(pd.read_parquet(path, filters=wanted).to_json(orient="records"))
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def by_id(rows: list[dict[str, Any]], *columns: str) -> dict[str, list[dict[str, Any]]] | None:
    """Return rows by their ids; an id may have several, as an answer of the base in every fold.

    Args:
        rows: those of one file.
        columns: the first of these that a row has is its id; `IDS` unless given.

    Returns:
        None where there are rows and no id.
    """
    key = next((name for name in columns or IDS if rows and name in rows[0]), None)
    if key is None:
        return None if rows else {}
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(str(row[key]), []).append(row)
    return found


class StudyRows:
    """The files of one study by their rows, with the hashes that the records have of them.

    Attributes:
        records: the study's records.
        top: results/STUDY.
        tables: its tables.
    """

    def __init__(self, study: str) -> None:
        """Read the records.

        Raises:
            FileNotFoundError: the study has not been run here.
        """
        self.records: Records = read_records(study)
        self.top = Path("results") / study
        self.tables = Tables(self.top)
        self._answers: frozenset[str] | None = None
        self._filtered = False

    def read_only(self, answers: Iterable[str]) -> None:
        """Read no answers, predictions and grades but those with some ids (RUN#ID).

        A number rests on few of the answers of a large study. Where a second number of the same
        study rests on others, everything is read.
        """
        wanted = frozenset(answers)
        if not self._filtered:
            self._answers, self._filtered = wanted, True
        elif self._answers is not None and not wanted <= self._answers:
            self._answers = None
            for cached in (StudyRows.read, StudyRows.all_rows, StudyRows.rows):
                cached.cache_clear()

    def _wanted(self, path: Path) -> pc.Expression | None:
        """Return the condition on the rows of a Parquet file that are read; None for all."""
        if self._answers is None:
            return None
        try:
            kind, fields = parse_file(path)
        except ValueError:
            return None
        if kind == "answers":
            return pc.field("row").isin(list(self._answers))
        if kind in ("predictions", "grades"):
            start = f"{fields['run']}#"
            ids = [row.removeprefix(start) for row in self._answers if row.startswith(start)]
            return pc.field("id").isin(pa.array(ids, pa.string()))
        return None

    def answers_to(self, problems: Iterable[str]) -> set[str]:
        """Return the ids of the graded answers to some problems; none where a study has none."""
        path = self.path("answers")
        if not path.is_file():
            return set()
        found = pq.read_table(path, columns=["row"], filters=pc.field("problem").isin([*problems]))
        return set(found["row"].to_pylist())

    def path(self, kind: str, **fields: Any) -> Path:
        """Return the path of a file of the study (distil/content/addresses.py)."""
        return file_path(self.records.study, kind, **fields)

    @functools.cache  # noqa: B019 - one object a command
    def all_rows(self, path: Path) -> dict[str, list[dict[str, Any]]]:
        """Return the rows of a JSONL, Parquet or CSV file by their ids; an id may have several.

        Raises:
            NotFoundError: the file's rows have no names.
        """
        rows = self.read(path)
        try:
            kind = parse_file(path).kind
        except ValueError:
            kind = ""
        if kind in ("claims", "table"):
            return {name: [row] for name, row in zip(row_names(rows), rows, strict=True)}
        if (found := by_id(rows, *NAMED.get(kind, IDS))) is None:
            raise NotFoundError(f"{path}: its rows have no ids; ask for the file itself")
        return found

    @functools.cache  # noqa: B019 - one object a command
    def read(self, path: Path) -> list[dict[str, Any]]:
        """Return the rows of a file in order."""
        return read_rows(path, self._wanted(path))

    @functools.cache  # noqa: B019 - one object a command
    def rows(self, path: Path) -> dict[str, dict[str, Any]]:
        """Return the first row of each id of a file."""
        return {key: rows[0] for key, rows in self.all_rows(path).items()}

    @functools.cache  # noqa: B019 - one object a command
    def lines(self, path: Path) -> list[str]:
        """Return the lines of a text file."""
        return path.read_text(encoding="utf-8").split("\n")

    def sha256(self, path: Path | str) -> str | None:
        """Return a file's sha256 as the record of the job that wrote (or read) it has it."""
        key = Path(path).as_posix()
        if writer := self.records.writers.get(key):
            return writer.files("output")[key]["sha256"]
        for reader in self.records.readers.get(key, []):
            return reader.files("input")[key]["sha256"]
        return None

    def entry(self, path: Path, key: str, **facts: Any) -> dict[str, Any]:
        """Return an entry of a stage: where it stands, with which hash, and what it says."""
        return {"id": key, "file": path.as_posix(), "sha256": self.sha256(path), **facts}

    @functools.cached_property
    def problems(self) -> dict[str, tuple[Path, dict[str, Any]]]:
        """{problem id: (file, row)} of exams and benchmarks."""
        files = [*self.top.glob("problems/*.jsonl"), *self.top.glob("benchmarks/*.jsonl")]
        return {key: (path, row) for path in sorted(files) for key, row in self.rows(path).items()}

    def paper(self, problems: Path, digest: str) -> str | None:
        """Name the file with a hash above a file of problems."""
        pending = [problems.as_posix()]
        while pending:
            writer = self.records.writers.get(pending.pop(0))
            inputs = writer.files("input") if writer else {}
            for path, row in inputs.items():
                if row["sha256"] == digest:
                    return path
            pending += inputs
        return None

    def released(self, name: str) -> Path:
        """Return the path of a file of the public release, from what the jobs read."""
        return Path(next(path for path in self.records.readers if path.endswith(name)))
