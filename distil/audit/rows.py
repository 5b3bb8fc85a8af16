"""Rows of a study's files, read as they are asked for, each file once."""

from __future__ import annotations

import csv
import functools
import json
from pathlib import Path
from typing import Any

import pandas as pd

from distil.audit.cells import NotFoundError, Tables
from distil.audit.records import Records, read_records
from distil.content.addresses import file_path, parse_file
from distil.content.files import read_jsonl
from distil.content.sources import row_names

# What names a row in a file that holds rows, the first of these that a row has.
IDS = ("row", "id", "request_sha256")
# Files whose rows go by another column.
NAMED = {"curve": ("iteration",), "parts": ("problem",)}


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a JSONL, Parquet or CSV file in order."""
    if path.suffix == ".jsonl":
        return read_jsonl(path)
    if path.suffix == ".parquet":
        return json.loads(pd.read_parquet(path).to_json(orient="records"))
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
        return read_rows(path)

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
    def answers(self) -> pd.DataFrame:
        """The table of graded answers; empty where the study has none, as the release's."""
        path = self.path("answers")
        if path.is_file():
            return pd.read_parquet(path)
        return pd.DataFrame(columns=["row", "problem", "role", "fold", "variant"])

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
