"""Which numbers moved between two results, and why, as far as their records prove it.

A side is a folder of results, or a moment in the history of one folder: the end of one of its runs.
Of a moment the history keeps every record and every table, but no rows.

A cause is named for a cell only where it is seen in a job above that very cell: from the job that
wrote the table, a walk goes up through those inputs that differ between the sides, and among these
only through what the cell was computed from: the runs and years of its rows and, where both sides
are folders, the very rows. Where two jobs ran the same code on the same inputs and yet wrote other
bytes, the cause is the backend, if the histories say that the machines differ; what is left is
`unexplained`. A file that was edited by hand is a cause of its own (`edited`).
"""

from __future__ import annotations

import datetime
import functools
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distil.audit.cells import CLAIMS, FAMILY, Cell, Tables, parse
from distil.audit.changes import changed_code
from distil.audit.records import Records, read_records
from distil.content.addresses import Address, job_name, parse_file, parse_row
from distil.content.files import read_jsonl
from distil.content.hashing import canonical_json, sha256_bytes, sha256_file, sha256_text
from distil.content.sources import group, key_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CAUSES = (
    "data",
    "prompt",
    "params",
    "seed",
    "code",
    "packages",
    "backend",
    "edited",
    "unexplained",
)
# Of the claims, the columns that hold what was found here; the others say what was asked.
FOUND = (
    "here", "sd", "low", "high", "n", "clusters", "df", "missing", "p", "p_holm", "size_low",
    "size_high", "power", "detectable", "direction", "size",
)  # fmt: skip
# A row of what these files hold rests on the same rows of the files that it was made from, so that
# of files a run, year or benchmark each only those of a cell's rows count.
ROW_BY_ROW = {"predictions", "grades", "answers", "claims", "table"}
_SEED = re.compile(r"seed[=-]\d")


class NoSuchRunError(LookupError):
    """The history has no such run; the message lists those it has."""


@dataclass
class Moved:
    """One cell that differs.

    Attributes:
        cell: its address.
        before: value on side A; None where the cell is not there.
        after: the same on side B.
        causes: {cause: evidence, each a line}, in the order of `CAUSES`.
    """

    cell: str
    before: str | None
    after: str | None
    causes: dict[str, list[str]] = field(default_factory=dict)


# ---------------------------------------------------------------------------------------- sides


class Snapshot:
    """What one side says: its jobs by name, its tables, its machines.

    Attributes:
        jobs: {job: its record's content}, paths relative to results/STUDY.
        tables: {table: rows by name}.
        machines: {job: what the history says of the machine that it ran on}.
        writers: {path: job that wrote it}.
    """

    def __init__(self, study: str, records: dict[str, dict[str, Any]], machines: dict) -> None:
        """Take the records of a study."""
        self.prefix = f"results/{study}/"
        self.jobs, self.machines = {}, machines
        for name, content in records.items():
            self.jobs[name] = {
                **content,
                **{side: self._files(content[side]) for side in ("input", "output")},
            }
        self.writers = {path: name for name, job in self.jobs.items() for path in job["output"]}
        self.tables: dict[str, dict[str, dict[str, str]]] = {}

    def _files(self, rows: list[dict[str, Any]]) -> dict[str, str]:
        return {row["path"].replace(self.prefix, "STUDY/", 1): row["sha256"] for row in rows}

    def table_path(self, table: str) -> str:
        """Return the path of a table as records of this side have it."""
        return f"STUDY/{'claims' if table == CLAIMS else 'tables'}/{table}.csv"

    def groups(self, cell: Cell) -> set[str]:
        """Return the runs and years of the rows that a cell was computed from."""
        raise NotImplementedError

    def digest(self, path: str, cells: set[str]) -> str | None:
        """Return a hash of those rows of a file that a cell rests on; None where they are gone."""
        raise NotImplementedError

    def now(self, path: str) -> str | None:  # noqa: ARG002
        """Return the sha256 of a file as it lies there; None where it is gone."""
        return None


class FolderSnapshot(Snapshot):
    """A folder results/STUDY, or a copy of one under any name."""

    def __init__(self, top: Path) -> None:
        """Read records and tables.

        Raises:
            FileNotFoundError: the folder holds no records, or no table.
        """
        self.top = top
        records = read_records(study_of(top), top)
        latest = {row["record"]: row for row in records.history}
        contents, machines = {}, {}
        for record in records.by_path.values():
            name = record.path.relative_to(records.folder).as_posix()
            contents[record.job] = record.content
            machines[record.job] = _machine(latest.get(name, {}))
        super().__init__(records.study, contents, machines)
        self.cells = Tables(top)
        if not self.cells.names:
            raise FileNotFoundError(f"{top}: no table there; run that study to its end first")
        self.tables = {name: self.cells.rows(name) for name in self.cells.names}

    def groups(self, cell: Cell) -> set[str]:
        """Return the runs and years of the rows that a cell was computed from."""
        return {group(source) for source in self.rows(cell)}

    def rows(self, cell: Cell) -> set[str]:
        """Return the ids of the rows that a cell was computed from; none if it is not here."""
        there = cell.row in self.tables.get(cell.table, {})
        return self.cells.sources(cell) if there else set()

    def now(self, path: str) -> str | None:
        """Return the sha256 of a file as it lies there; None where it is gone."""
        file = self.top / path.removeprefix("STUDY/")
        return sha256_file(file) if file.is_file() else None

    def digest(self, path: str, cells: set[str]) -> str | None:
        """Return a hash of those rows of a file that have one of some ids."""
        file = self.top / path.removeprefix("STUDY/")
        rows = self._digests(file) if file.is_file() else None
        if rows is None:
            return None
        return sha256_bytes(b"".join(rows[key] for key in sorted(cells & rows.keys())))

    @functools.cache  # noqa: B019 - one object a command
    def _digests(self, file: Path) -> dict[str, bytes] | None:
        """Return a hash of each row of a file by its id; None where its rows have none.

        The rows themselves would not fit the memory.
        """
        found: dict[str, bytes] = {}
        for row in _each_row(file):
            key = next((name for name in ("row", "id") if name in row), None)
            if key is None:
                return None
            known = found.get(row[key], b"")  # an answer of the base stands once in every fold
            found[row[key]] = known + bytes.fromhex(sha256_text(canonical_json(row)))
        return found


def _each_row(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a JSONL or Parquet file."""
    if file.suffix != ".parquet":
        yield from read_jsonl(file)
        return
    import pyarrow.parquet as pq

    for batch in pq.ParquetFile(file).iter_batches(2**14):
        yield from json.loads(batch.to_pandas().to_json(orient="records"))


class RunSnapshot(Snapshot):
    """The end of a run in the history of one folder."""

    def __init__(self, records: Records, lines: list[dict[str, Any]]) -> None:
        """Take the history up to that moment.

        Raises:
            FileNotFoundError: the history lacks what a record or a table said.
        """
        latest = {row["record"]: row for row in lines}
        contents, machines = {}, {}
        for name, row in latest.items():
            content = dict(self._version(records, "record", row["record_sha256"], name))
            content["fingerprint"] = self._version(records, "code", content["code"], name)
            job = job_name(content["rule"], content["wildcards"])
            contents[job], machines[job] = content, _machine(row)
        super().__init__(records.study, contents, machines)
        self.found: dict[tuple[str, str, str], set[str]] = {}
        for job in self.jobs.values():
            for path, digest in job["output"].items():
                table = Path(path).name.removesuffix(".csv")
                if ("table", digest) in records.versions and path == self.table_path(table):
                    self.tables[table] = parse(records.versions["table", digest])
                elif ("rows", digest) in records.versions:
                    self._take(path, records.versions["rows", digest])
        if not self.tables:
            raise FileNotFoundError(
                f"{records.folder}: no table had been made by then; name a later run"
            )

    @staticmethod
    def _version(records: Records, kind: str, digest: str, name: str) -> Any:
        try:
            return records.versions[kind, digest]
        except KeyError:
            raise FileNotFoundError(
                f"{records.folder / 'versions.jsonl'}: lacks the {kind} {digest[:12]} of {name}; "
                "restore it from a pack or a backup"
            ) from None

    def _take(self, path: str, content: dict[str, Any]) -> None:
        name = Path(path).name
        table = CLAIMS if name == "rows.parquet" else name.removesuffix(".rows.parquet")
        for row, column, number in content["cells"]:
            self.found[table, row, column] = set(content["groups"][number])

    def groups(self, cell: Cell) -> set[str]:
        """Return the runs and years of the rows that a cell was computed from."""
        if found := self.found.get((cell.table, cell.row, cell.column)):
            return found
        whole = cell.table == CLAIMS and cell.column in FAMILY
        return set().union(
            *(
                groups
                for (table, row, _), groups in self.found.items()
                if table == cell.table and (whole or row == cell.row)
            )
        )

    def digest(self, path: str, cells: set[str]) -> str | None:  # noqa: ARG002
        """Return None: the rows of that moment are gone."""
        return None


@functools.cache
def _address(path: str) -> Address:
    """Return the kind and fields of a path as snapshots have it; no kind where no job made it."""
    try:
        return parse_file(path.replace("STUDY/", "results/STUDY/", 1))
    except ValueError:
        return Address("", {})


def study_of(top: Path) -> str:
    """Return the study whose records lie in a folder, whatever the folder is called.

    Raises:
        FileNotFoundError: no record is there.
    """
    for path in sorted(top.glob("lineage/*/*.json")):
        try:
            return json.loads(path.read_bytes())["wildcards"]["study"]
        except (ValueError, KeyError, TypeError):
            continue
    raise FileNotFoundError(
        f"{top}: no readable job record in {top / 'lineage'}; name a folder results/STUDY, or a run"
    )


def _machine(row: dict[str, Any]) -> dict[str, Any]:
    return {key: row.get(key) for key in ("host", "platform", "backend", "blas", "python")}


# ----------------------------------------------------------------------------------------- runs


def runs(records: Records) -> dict[str, dict[str, Any]]:
    """Return the runs of a study in order: {id: started, ended, jobs, host, last (line)}."""
    found: dict[str, dict[str, Any]] = {}
    for number, row in enumerate(records.history, start=1):
        name = row.get("run") or "unnamed"
        run = found.setdefault(
            name, {"started": row["started"], "jobs": 0, "seconds": 0.0, "host": row.get("host")}
        )
        run["jobs"] += 1
        run["seconds"] = round(run["seconds"] + row["seconds"], 3)
        run["last"] = number
    return found


def snapshot_at(records: Records, name: str) -> RunSnapshot:
    """Return what a study was at the end of a run.

    Args:
        records: the study's records and history.
        name: a run's id or the beginning of it; `latest`, or `latest~2` for the one two before it;
            or a time, as 2026-11-27 or 2026-11-27T14:30 (UTC unless it says otherwise).

    Raises:
        NoSuchRunError: the history has no such run.
        FileNotFoundError: the history lacks what was said by then.
    """
    known = runs(records)
    names = list(known)
    if match := re.fullmatch(r"latest(?:~(\d+))?", name):
        back = int(match[1] or 0)
        chosen = names[-1 - back :][:1] if back < len(names) else []
    else:
        chosen = [run for run in names if run == name] or [r for r in names if r.startswith(name)]
    if len(chosen) == 1:
        return RunSnapshot(records, records.history[: known[chosen[0]]["last"]])
    if not chosen and (lines := _until(records, name)):
        return RunSnapshot(records, lines)
    listed = ", ".join(f"{run} ({known[run]['jobs']} jobs)" for run in names[-10:])
    what = (
        "more than one run begins so" if chosen else "no such run, no folder and no time after one"
    )
    raise NoSuchRunError(f"{name}: {what}; runs of {records.study}: {listed or 'none'}")


def _until(records: Records, text: str) -> list[dict[str, Any]]:
    try:
        limit = datetime.datetime.fromisoformat(text)
    except ValueError:
        return []
    if limit.tzinfo is None:
        limit = limit.replace(tzinfo=datetime.UTC)
    last = 0
    for number, row in enumerate(records.history, start=1):
        started = datetime.datetime.fromisoformat(row["started"])
        if started + datetime.timedelta(seconds=row["seconds"]) <= limit:
            last = number
    return records.history[:last]


# ----------------------------------------------------------------------------------- comparing


def compare(first: Snapshot, second: Snapshot) -> list[Moved]:
    """Return every cell that differs between two sides, with its causes."""
    moved = []
    for cell, before, after in _moved_cells(first, second):
        walk = _Walk(first, second, cell)
        moved.append(Moved(cell.address, before, after, walk.causes()))
    return moved


def _moved_cells(
    first: Snapshot, second: Snapshot
) -> Iterator[tuple[Cell, str | None, str | None]]:
    for table in dict.fromkeys([*first.tables, *second.tables]):
        sides = [side.tables.get(table, {}) for side in (first, second)]
        for row in dict.fromkeys([*sides[0], *sides[1]]):
            there = [side.get(row) for side in sides]
            columns = dict.fromkeys(name for values in there for name in values or ())
            keys = key_columns(list(columns))
            for column in columns:
                if column in keys or (table == CLAIMS and column not in FOUND):
                    continue
                before, after = (values.get(column) if values else None for values in there)
                if (before or "") != (after or ""):
                    yield Cell(table, row, column, after), before, after


class _Walk:
    """The walk up from one cell through what differs."""

    def __init__(self, first: Snapshot, second: Snapshot, cell: Cell) -> None:
        self.sides = (first, second)
        self.cell = cell
        self.groups = first.groups(cell) | second.groups(cell)
        answers = {name.partition("#") for name in self.groups if "#" in name}
        self.runs = {run for run, _, _ in answers}
        self.years = {year for _, _, year in answers}
        self.places = {tuple(run.split("/")[:2]) for run in self.runs if "/" in run}
        for name in self.groups:
            kind, *rest = name.split("/")
            if kind in ("curve", "stop"):
                self.places.add(tuple(rest[:2]))
            elif kind == "part":
                self.years.add(rest[2])
        self.curves = any(name.startswith(("curve/", "stop/")) for name in self.groups)
        self.rows: set[str] | None = None
        if all(isinstance(side, FolderSnapshot) for side in self.sides):
            self.rows = first.rows(cell) | second.rows(cell)
        self.found: dict[str, set[str]] = {}

    def causes(self) -> dict[str, list[str]]:
        """Return the causes that the walk found."""
        path = self.sides[0].table_path(self.cell.table)
        pending = {side.writers[path] for side in self.sides if path in side.writers}
        for side in self.sides:
            self._find_edit(side, path, side.now(path))
        seen: set[str] = set()
        while pending:
            job = pending.pop()
            seen.add(job)
            pending |= self._visit(job) - seen
        return {cause: sorted(self.found[cause]) for cause in CAUSES if cause in self.found}

    def _add(self, cause: str, evidence: str) -> None:
        self.found.setdefault(cause, set()).add(evidence)

    def _find_edit(self, side: Snapshot, path: str, digest: str | None) -> None:
        """Name a file that is, or was when it was read, not what the job that made it wrote."""
        wrote = side.jobs[side.writers[path]]["output"][path] if path in side.writers else digest
        if digest is not None and digest != wrote:
            where = "A" if side is self.sides[0] else "B"
            self._add("edited", f"{path}: edited outside a run, in {where}")

    def _visit(self, job: str) -> set[str]:
        """Take up what a job shows, and return the jobs above it that may have changed it."""
        one, two = (side.jobs.get(job) for side in self.sides)
        if one is None or two is None:
            cause = "seed" if _SEED.search(job) else "data" if "year=" in job else "params"
            self._add(cause, f"{job}: only in {'B' if one is None else 'A'}")
            return set()
        own = list(self._own_changes(one, two))
        for cause, evidence in own:
            self._add(cause, evidence)
        above, differing = set(), False
        for path in sorted(one["input"].keys() | two["input"].keys()):
            if not self._relevant(one, path) or self._same(one, two, path):
                continue
            differing = True
            above |= {side.writers[path] for side in self.sides if path in side.writers}
            for side, read in zip(self.sides, (one, two), strict=True):
                self._find_edit(side, path, read["input"].get(path))
        if not own and not differing and one["output"] != two["output"]:
            # Without the rows, an input that the cell does not rest on may be what differs.
            if self.rows is None and one["input"] != two["input"]:
                return above
            machines = [side.machines.get(job, {}) for side in self.sides]
            if machines[0] != machines[1]:
                self._add("backend", f"{job}: {_differing(*machines)}")
            else:
                self._add("unexplained", f"{job}: other bytes from the same inputs and code")
        return above

    def _relevant(self, job: dict[str, Any], path: str) -> bool:
        """Tell whether a cell rests on an input of a job above it at all."""
        kind, fields = _address(path)
        made = {_address(output)[0] for output in job["output"]}
        if kind in ("stops", "curve"):
            if kind == "curve" and made & {"claims", "table"}:
                return self.curves
            return "stops" in made or (fields["fold"], fields["variant"]) in self.places
        if not made & ROW_BY_ROW:
            return True
        if "run" in fields:
            return fields["run"] in self.runs or kind not in ("predictions", "grades")
        place = fields.get("year") or fields.get("benchmark")
        return place is None or place in self.years

    def _same(self, one: dict[str, Any], two: dict[str, Any], path: str) -> bool:
        """Tell whether an input, or that part of it that the cell rests on, is the same."""
        if one["input"].get(path) == two["input"].get(path):
            return True
        if self.rows is None or path not in one["input"] or path not in two["input"]:
            return False
        kind, fields = _address(path)
        answers = [parse_row(row).fields for row in self.rows if "#" in row]
        if kind == "answers":
            wanted = self.rows
        elif kind in ("predictions", "grades"):
            wanted = {answer["id"] for answer in answers if answer["run"] == fields["run"]}
        elif {"year", "benchmark"} & fields.keys() and ROW_BY_ROW & {
            _address(output)[0] for output in one["output"]
        }:
            wanted = {answer["id"].partition(".")[0] for answer in answers}
        else:
            return False
        digests = [side.digest(path, wanted) for side in self.sides]
        return None not in digests and digests[0] == digests[1]

    def _own_changes(self, one: dict, two: dict) -> Iterator[tuple[str, str]]:
        """Yield what differs in a job itself: params, code, packages, files that no job wrote."""
        rule = one["rule"]
        for key in sorted(one["params"].keys() | two["params"].keys()):
            before, after = one["params"].get(key), two["params"].get(key)
            if before != after:
                yield _param_cause(key, before, after), f"{rule}: {key}: {_change(before, after)}"
        for name in changed_code(one["fingerprint"], two["fingerprint"]):
            yield "code" if name.endswith(".py") else "packages", f"{rule}: {name}"
        written = {path for side in self.sides for path in side.writers}
        for path in sorted((one["input"].keys() | two["input"].keys()) - written):
            before, after = one["input"].get(path), two["input"].get(path)
            if before != after:
                what = "" if before and after else f", only in {'A' if before else 'B'}"
                yield (
                    ("prompt" if "prompts" in Path(path).parts else "data"),
                    f"{rule}: {path}{what}",
                )


def _param_cause(key: str, before: Any, after: Any) -> str:
    """Name a param's cause: a seed, where only seeds differ; the exams' years are data."""
    if "seed" in key:
        return "seed"
    if isinstance(before, list) and isinstance(after, list):
        texts = [{json.dumps(item, sort_keys=True) for item in value} for value in (before, after)]
        changed = texts[0] ^ texts[1]
        if changed and all("seed-" in text for text in changed):
            return "seed"
    return "data" if key == "years" else "params"


def _change(before: Any, after: Any) -> str:
    """Show a change of a param: of a list or mapping only what differs."""
    if isinstance(before, dict) and isinstance(after, dict):
        keys = [key for key in before.keys() | after.keys() if before.get(key) != after.get(key)]
        return "; ".join(
            f"{key}: {_change(before.get(key), after.get(key))}" for key in sorted(keys)
        )
    texts = [json.dumps(value, ensure_ascii=False, sort_keys=True) for value in (before, after)]
    return " -> ".join(text if len(text) <= 120 else f"{text[:117]}..." for text in texts)


def _differing(one: dict[str, Any], two: dict[str, Any]) -> str:
    keys = [key for key in one if one[key] != two.get(key)]
    return "; ".join(f"{key}: {_change(one[key], two.get(key))}" for key in keys)


# ------------------------------------------------------------------------------------- showing


def as_json(moved: Iterable[Moved]) -> str:
    """Return every cell that moved, as JSON."""
    return json.dumps([vars(row) for row in moved], indent=1, ensure_ascii=False)


def as_text(moved: list[Moved], most: int = 12) -> str:
    """Return what moved, cells of the same causes together, each with the evidence."""
    if not moved:
        return "no number of any table differs"
    together: dict[str, list[Moved]] = {}
    for row in moved:
        together.setdefault(canonical_json(row.causes), []).append(row)
    lines = []
    for rows in together.values():
        lines += [f"{row.cell}: {row.before or 'nothing'} -> {row.after or 'nothing'}"
                  for row in rows[:most]]  # fmt: skip
        if len(rows) > most:
            lines.append(f"and {len(rows) - most} more cells (--json lists all)")
        for cause, evidence in rows[0].causes.items():
            lines += [f"  {cause:<11} {line}" for line in evidence]
        if not rows[0].causes:
            lines.append("  no cause is recorded in the jobs above")
    return "\n".join(lines)
