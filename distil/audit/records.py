"""The job records of one study, read and linked: who wrote a file, and who read it."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distil.content.addresses import job_name, record_path
from distil.content.hashing import sha256_bytes
from distil.lineage.history import RUNS, VERSIONS, Damage, read

# What a record must hold: a type, the shape of a list's items, or that of a mapping's keys or,
# under `str`, of all its values.
FILE = {"name": (str, type(None)), "path": str, "sha256": str, "size": int}
SHAPE = {
    "format": int,
    "rule": str,
    "wildcards": {"study": str, str: str},
    "params": dict,
    "input": [FILE],
    "output": [FILE],
    "script": str,
    "code": str,
    "fingerprint": {"modules": {str: str}, "packages": {str: str}, "python": str},
    "executables": dict,
    "facts": dict,
}
FORMAT = 1


@dataclass(frozen=True)
class Record:
    """One job's record.

    Attributes:
        path: where it lies, relative to the folder of the study's repository.
        content: the record as written by `distil.lineage.record.run`.
        sha256: of the record's own bytes.
    """

    path: Path
    content: dict[str, Any]
    sha256: str

    @property
    def rule(self) -> str:
        """The rule that ran."""
        return self.content["rule"]

    @functools.cached_property
    def job(self) -> str:
        """The job's name: rule and wildcards without the study."""
        return job_name(self.rule, self.content["wildcards"])

    def files(self, side: str) -> dict[str, dict[str, Any]]:
        """Return the files of one side, `input` or `output`: {path: name, sha256, size}."""
        return {row["path"]: row for row in self.content[side]}


@dataclass
class Records:
    """All records of a study, and what is wrong with them as files.

    Attributes:
        study: the study's name.
        top: its results, results/STUDY or a copy of that folder.
        by_path: the records.
        faults: {path of a record or of the history: what is wrong with it}.
        history: lines of runs.jsonl that are whole, in order.
        versions: {(kind, sha256): content} of every record, code and table there has been.
    """

    study: str
    top: Path
    by_path: dict[Path, Record] = field(default_factory=dict)
    faults: dict[Path, Damage] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    versions: dict[tuple[str, str], Any] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where the records lie."""
        return self.top / "lineage"

    @functools.cached_property
    def writers(self) -> dict[str, Record]:
        """{output path: the record of the job that wrote it}."""
        return {path: record for record in self.by_path.values() for path in record.files("output")}

    @functools.cached_property
    def readers(self) -> dict[str, list[Record]]:
        """{input path: the records of the jobs that read it}."""
        found: dict[str, list[Record]] = {}
        for record in self.by_path.values():
            for path in record.files("input"):
                found.setdefault(path, []).append(record)
        return found

    @functools.cached_property
    def written(self) -> dict[str, set[str]]:
        """{path: sha256 of everything that a job ever wrote there}, as far as the history goes."""
        found: dict[str, set[str]] = {}
        for (kind, _), content in self.versions.items():
            for row in content["output"] if kind == "record" else ():
                found.setdefault(row["path"], set()).add(row["sha256"])
        return found

    @functools.cached_property
    def _places(self) -> dict[str, int]:
        return {line["record"]: place for place, line in enumerate(self.history)}

    def ran_last(self, first: Record, second: Record) -> bool:
        """Whether the latest run of one job ended after that of another."""
        one, other = (
            self._places.get(record.path.relative_to(self.folder).as_posix(), -1)
            for record in (first, second)
        )
        return one > other


def read_records(study: str, top: Path | None = None, *, history: bool = True) -> Records:
    """Read every record and the history of a study; unreadable ones become faults, not errors.

    Args:
        study: its name.
        top: its results, if they lie elsewhere than in results/STUDY.
        history: whether to read the history too, which grows with every run.

    Raises:
        FileNotFoundError: the study has no records at all.
    """
    records = Records(study, top or Path("results") / study)
    if not records.folder.is_dir():
        raise FileNotFoundError(
            f"{records.folder} is missing: study {study} has not been run here; "
            "run it, or unpack its results"
        )
    for path in sorted(records.folder.glob("*/*.json")):
        data = path.read_bytes()
        record, fault = _parse(path.relative_to(records.top), data, study)
        if fault:
            records.faults[path] = Damage(False, fault)
        else:
            records.by_path[path] = Record(path, record, sha256_bytes(data))
    if history:
        _read_history(records)
    return records


def recorded_outputs(study: str) -> list[str]:
    """Return the files that jobs of a study left records of; none where it has not been run."""
    try:
        return sorted(read_records(study, history=False).writers)
    except FileNotFoundError:
        return []


def _parse(path: Path, data: bytes, study: str) -> tuple[dict[str, Any], str | None]:
    try:
        content = json.loads(data)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        return {}, f"corrupt: not JSON ({error}); run its job again"
    if misshapen := _find_misshapen(content, SHAPE, ""):
        return {}, f"corrupt: {misshapen}; run its job again"
    if content["format"] != FORMAT:
        return {}, (
            f"foreign: format {content['format']}, this version reads {FORMAT}; "
            "check out the version that wrote it"
        )
    if content["wildcards"].get("study") != study:
        return {}, f"foreign: a record of study {content['wildcards'].get('study')}; remove it"
    expected = record_path(study, content["rule"], content["wildcards"])
    if expected != Path("results", study) / path:
        return {}, f"swapped: it is the record that belongs at {expected}"
    return content, None


def _find_misshapen(content: Any, shape: Any, where: str) -> str | None:
    """Say where a record's content is not of a shape, or return None."""
    kind = type(shape) if isinstance(shape, dict | list) else shape
    if not isinstance(content, kind):
        return f"{where or 'the record'} is missing or of another type"
    parts: list[tuple[Any, Any, str]] = []
    if isinstance(shape, list):
        parts = [(item, shape[0], f"{where}[{place}]") for place, item in enumerate(content)]
    elif isinstance(shape, dict):
        named = [key for key in shape if key is not str]
        # A key that is missing is not one that holds null.
        parts = [(content.get(key, ...), shape[key], f"{where}.{key}".lstrip(".")) for key in named]
        if str in shape:
            parts += [(value, shape[str], f"{where}.{key}") for key, value in content.items()]
    return next(filter(None, (_find_misshapen(*part) for part in parts)), None)


def _read_history(records: Records) -> None:
    for name in (RUNS, VERSIONS):
        rows, fault = read(records.folder / name)
        if fault:
            records.faults[records.folder / name] = fault
        if name == RUNS:
            records.history = rows
        else:
            records.versions = {(row["kind"], row["of"]): row["content"] for row in rows}
