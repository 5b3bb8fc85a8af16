"""Which numbers moved between two results, and why, as far as their records prove it.

A side is a folder of results, or a moment in the history of one folder: the end of one of its runs.
Of a moment the history keeps every record and every table, but no rows.

A cause is named for a cell only where it is seen in a job above that very cell: from the job that
wrote the table, a walk goes up through those inputs that differ between the sides, and among these
only through what the cell was computed from: the runs and years of its rows and, where both sides
are folders, the very rows. Where two jobs ran the same code on the same inputs and yet wrote other
bytes, the cause is the backend, if the histories say that the machines differ; what is left is
`unexplained`.
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
from distil.audit.planned import job_name
from distil.audit.records import Books, read_books
from distil.content.hashing import canonical_json, read_jsonl, sha256_text
from distil.content.sources import group, key_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CAUSES = ("data", "prompt", "params", "seed", "code", "packages", "backend", "unexplained")
# Of the claims, the columns that hold what was found here; the others say what was asked.
FOUND = (
    "here", "sd", "low", "high", "n", "clusters", "df", "missing", "p", "p_holm", "size_low",
    "size_high", "power", "detectable", "direction", "size",
)  # fmt: skip
PROMPTS = {"solver.txt", "distiller.txt", "verifier.txt", "student.txt", "levels.yaml"}
# Rules that read all years, runs or benchmarks, and of which a cell needs those of its rows only.
BY_ROW = {
    "predict_answers", "predict_teacher", "grade_predictions", "collect_answers", "tabulate_splits",
}  # fmt: skip
_SEED = re.compile(r"seed[=-]\d")
_RUN = re.compile(r"(?:predictions|grades)/(.+)\.parquet$")
_YEAR = re.compile(r"(?:problems/(\d{4})\.jsonl|traces/(\d{4})/\w+\.jsonl)$")
_BENCHMARK = re.compile(r"benchmarks/([^/]+)\.jsonl$")
_PLACE = re.compile(r"adapters/([^/]+)/([^/]+)/(?:stops\.json|seed-\d+/curve\.csv)$")


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


class Side:
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


class Folder(Side):
    """A folder results/STUDY, or a copy of one under any name."""

    def __init__(self, top: Path) -> None:
        """Read records and tables.

        Raises:
            FileNotFoundError: the folder holds no records, or no table.
        """
        self.top = top
        books = read_books(study_of(top), top)
        latest = {row["record"]: row for row in books.history}
        records, machines = {}, {}
        for record in books.records.values():
            name = record.path.relative_to(books.folder).as_posix()
            records[record.job] = record.content
            machines[record.job] = _machine(latest.get(name, {}))
        super().__init__(books.study, records, machines)
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

    def digest(self, path: str, cells: set[str]) -> str | None:
        """Return a hash of those rows of a file that have one of some ids."""
        file = self.top / path.removeprefix("STUDY/")
        rows = self._read(file) if file.is_file() else None
        if rows is None:
            return None
        return sha256_text(canonical_json([rows[key] for key in sorted(cells & rows.keys())]))

    @functools.cache  # noqa: B019 - one object a command
    def _read(self, file: Path) -> dict[str, Any] | None:
        if file.suffix == ".parquet":
            import pandas as pd

            rows = json.loads(pd.read_parquet(file).to_json(orient="records"))
        else:
            rows = read_jsonl(file)
        key = next((name for name in ("row", "id") if rows and name in rows[0]), None)
        if key is None:
            return None
        found: dict[str, Any] = {}
        for row in rows:  # an answer of the base stands once in every fold
            found.setdefault(row[key], []).append(row)
        return found


class Moment(Side):
    """The end of a run in the history of one folder."""

    def __init__(self, books: Books, lines: list[dict[str, Any]]) -> None:
        """Take the history up to that moment.

        Raises:
            FileNotFoundError: the history lacks what a record or a table said.
        """
        latest = {row["record"]: row for row in lines}
        records, machines = {}, {}
        for name, row in latest.items():
            content = dict(self._version(books, "record", row["record_sha256"], name))
            content["fingerprint"] = self._version(books, "code", content["code"], name)
            job = job_name(content["rule"], content["wildcards"])
            records[job], machines[job] = content, _machine(row)
        super().__init__(books.study, records, machines)
        self.found: dict[tuple[str, str, str], set[str]] = {}
        for job in self.jobs.values():
            for path, digest in job["output"].items():
                table = Path(path).name.removesuffix(".csv")
                if ("table", digest) in books.versions and path == self.table_path(table):
                    self.tables[table] = parse(books.versions["table", digest])
                elif ("rows", digest) in books.versions:
                    self._take(path, books.versions["rows", digest])
        if not self.tables:
            raise FileNotFoundError(
                f"{books.folder}: no table had been made by then; name a later run"
            )

    @staticmethod
    def _version(books: Books, kind: str, digest: str, name: str) -> Any:
        try:
            return books.versions[kind, digest]
        except KeyError:
            raise FileNotFoundError(
                f"{books.folder / 'versions.jsonl'}: lacks the {kind} {digest[:12]} of {name}; "
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


def runs(books: Books) -> dict[str, dict[str, Any]]:
    """Return the runs of a study in order: {id: started, ended, jobs, host, last (line)}."""
    found: dict[str, dict[str, Any]] = {}
    for number, row in enumerate(books.history, start=1):
        name = row.get("run") or "unnamed"
        run = found.setdefault(
            name, {"started": row["started"], "jobs": 0, "seconds": 0.0, "host": row.get("host")}
        )
        run["jobs"] += 1
        run["seconds"] = round(run["seconds"] + row["seconds"], 3)
        run["last"] = number
    return found


def moment(books: Books, name: str) -> Moment:
    """Return what a study was at the end of a run.

    Args:
        books: the study's records and history.
        name: a run's id or the beginning of it; `latest`, or `latest~2` for the one two before it;
            or a time, as 2026-11-27 or 2026-11-27T14:30 (UTC unless it says otherwise).

    Raises:
        NoSuchRunError: the history has no such run.
        FileNotFoundError: the history lacks what was said by then.
    """
    known = runs(books)
    names = list(known)
    if match := re.fullmatch(r"latest(?:~(\d+))?", name):
        back = int(match[1] or 0)
        chosen = names[-1 - back :][:1] if back < len(names) else []
    else:
        chosen = [run for run in names if run == name] or [r for r in names if r.startswith(name)]
    if len(chosen) == 1:
        return Moment(books, books.history[: known[chosen[0]]["last"]])
    if not chosen and (lines := _until(books, name)):
        return Moment(books, lines)
    listed = ", ".join(f"{run} ({known[run]['jobs']} jobs)" for run in names[-10:])
    what = (
        "more than one run begins so" if chosen else "no such run, no folder and no time after one"
    )
    raise NoSuchRunError(f"{name}: {what}; runs of {books.study}: {listed or 'none'}")


def _until(books: Books, text: str) -> list[dict[str, Any]]:
    try:
        limit = datetime.datetime.fromisoformat(text)
    except ValueError:
        return []
    if limit.tzinfo is None:
        limit = limit.replace(tzinfo=datetime.UTC)
    last = 0
    for number, row in enumerate(books.history, start=1):
        started = datetime.datetime.fromisoformat(row["started"])
        if started + datetime.timedelta(seconds=row["seconds"]) <= limit:
            last = number
    return books.history[:last]


# ----------------------------------------------------------------------------------- comparing


def compare(first: Side, second: Side) -> list[Moved]:
    """Return every cell that differs between two sides, with its causes."""
    moved = []
    for cell, before, after in _moved_cells(first, second):
        walk = _Walk(first, second, cell)
        moved.append(Moved(cell.address, before, after, walk.causes()))
    return moved


def _moved_cells(first: Side, second: Side) -> Iterator[tuple[Cell, str | None, str | None]]:
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

    def __init__(self, first: Side, second: Side, cell: Cell) -> None:
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
        if all(isinstance(side, Folder) for side in self.sides):
            self.rows = first.rows(cell) | second.rows(cell)
        self.found: dict[str, set[str]] = {}

    def causes(self) -> dict[str, list[str]]:
        """Return the causes that the walk found."""
        path = self.sides[0].table_path(self.cell.table)
        pending = {side.writers[path] for side in self.sides if path in side.writers}
        seen: set[str] = set()
        while pending:
            job = pending.pop()
            seen.add(job)
            pending |= self._visit(job) - seen
        return {cause: sorted(self.found[cause]) for cause in CAUSES if cause in self.found}

    def _add(self, cause: str, evidence: str) -> None:
        self.found.setdefault(cause, set()).add(evidence)

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
            if not self._relevant(one["rule"], path) or self._same(one, two, path):
                continue
            differing = True
            above |= {side.writers[path] for side in self.sides if path in side.writers}
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

    def _relevant(self, rule: str, path: str) -> bool:
        """Tell whether a cell rests on an input of a job above it at all."""
        if place := _PLACE.search(path):
            if path.endswith("curve.csv") and rule in ("test_claims", "tabulate_graders"):
                return self.curves
            return rule == "choose_stops" or place.groups() in self.places
        if rule not in BY_ROW:
            return True
        if run := _RUN.search(path):
            return run[1] in self.runs
        if year := _YEAR.search(path):
            return (year[1] or year[2]) in self.years
        if benchmark := _BENCHMARK.search(path):
            return benchmark[1] in self.years
        return True

    def _same(self, one: dict[str, Any], two: dict[str, Any], path: str) -> bool:
        """Tell whether an input, or that part of it that the cell rests on, is the same."""
        if one["input"].get(path) == two["input"].get(path):
            return True
        if self.rows is None or path not in one["input"] or path not in two["input"]:
            return False
        if path == "STUDY/grades/answers.parquet":
            wanted = self.rows
        elif run := _RUN.search(path):
            wanted = {row.partition("#")[2] for row in self.rows if row.partition("#")[0] == run[1]}
        elif (_YEAR.search(path) or _BENCHMARK.search(path)) and one["rule"] in BY_ROW:
            wanted = {row.partition("#")[2].partition(".")[0] for row in self.rows if "#" in row}
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
        then, now = one["fingerprint"], two["fingerprint"]
        for cause, kind in (("code", "modules"), ("packages", "packages")):
            for name in sorted(then[kind].keys() | now[kind].keys()):
                before, after = then[kind].get(name), now[kind].get(name)
                if before != after:
                    shown = f" {before} -> {after}" if kind == "packages" else ""
                    yield cause, f"{rule}: {name}{shown}"
        if then["python"] != now["python"]:
            yield "packages", f"{rule}: python {then['python']} -> {now['python']}"
        written = {path for side in self.sides for path in side.writers}
        for path in sorted((one["input"].keys() | two["input"].keys()) - written):
            before, after = one["input"].get(path), two["input"].get(path)
            if before != after:
                what = "" if before and after else f", only in {'A' if before else 'B'}"
                yield ("prompt" if Path(path).name in PROMPTS else "data"), f"{rule}: {path}{what}"


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
