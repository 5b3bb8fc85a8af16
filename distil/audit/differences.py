"""Which numbers moved between two studies, and why, as far as their records prove it.

A cause is named only where it is seen: in the job that made a file or in one above it, a param, a
module, a package, a prompt or another input file differs between the two sides' records. Where two
jobs ran the same code on the same inputs and yet wrote other bytes, the cause is the backend, and
what the histories say of host, platform and BLAS stands beside it. What is left is `unexplained`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from distil.audit.records import Books, Record, read_books

if TYPE_CHECKING:
    from collections.abc import Iterator

CAUSES = ("data", "prompt", "params", "seed", "code", "packages", "backend", "unexplained")


@dataclass
class Moved:
    """One cell that differs.

    Attributes:
        cell: claim, estimand and column.
        before: value on side A; None where the cell is not there.
        after: the same on side B.
        causes: {cause: evidence, each a line}, in the order of `CAUSES`.
    """

    cell: str
    before: Any
    after: Any
    causes: dict[str, list[str]] = field(default_factory=dict)


def compare(first: Path, second: Path) -> list[Moved]:
    """Compare two studies.

    Args:
        first: a folder results/STUDY, side A.
        second: the same, side B; often a copy of the folder from before a change.

    Returns:
        every cell of the claims table that differs, with its causes.

    Raises:
        FileNotFoundError: a side has no records or no claims table.
    """
    sides = [_Side(first), _Side(second)]
    causes = _causes(*sides)
    return [
        Moved(cell, before, after, causes)
        for cell, before, after in _moved_cells(sides[0].claims, sides[1].claims)
    ]


class _Side:
    """One study's records with paths relative to its own folder, and its claims."""

    def __init__(self, folder: Path) -> None:
        table = folder / "claims" / "claims.csv"
        if not table.is_file():
            raise FileNotFoundError(f"{table} is missing; run that study to its end first")
        self.claims = pd.read_csv(table)
        self.books: Books = read_books(folder.name, folder)
        self.prefix = f"results/{folder.name}/"
        self.jobs = {record.job: record for record in self.books.records.values()}

    def files(self, record: Record, side: str) -> dict[str, str]:
        """{path, the study's name left out: sha256}."""
        return {
            path.replace(self.prefix, "results/STUDY/", 1): row["sha256"]
            for path, row in record.files(side).items()
        }

    def machine(self, record: Record) -> dict[str, Any]:
        """What the history says of the machine a record's job ran on."""
        name = record.path.relative_to(self.books.folder).as_posix()
        rows = [row for row in self.books.history if row["record"] == name]
        last = rows[-1] if rows else {}
        return {key: last.get(key) for key in ("host", "platform", "blas", "python")}


def _moved_cells(first: pd.DataFrame, second: pd.DataFrame) -> Iterator[tuple[str, Any, Any]]:
    columns = [c for c in ("here", "sd", "low", "high", "p", "p_holm", "verdict") if c in first]
    sides = [
        {
            (row["id"], row["estimand"]): row
            for row in json.loads(table.to_json(orient="records", double_precision=15))
        }
        for table in (first, second)
    ]
    for key in dict.fromkeys([*sides[0], *sides[1]]):
        for column in columns:
            before, after = (side.get(key, {}).get(column) for side in sides)
            if before != after:
                yield f"{key[0]}:{column}:{key[1]}", before, after


def _causes(first: _Side, second: _Side) -> dict[str, list[str]]:
    found: dict[str, set[str]] = {}

    def add(cause: str, evidence: str) -> None:
        found.setdefault(cause, set()).add(evidence)

    for job in sorted(first.jobs.keys() | second.jobs.keys()):
        a, b = first.jobs.get(job), second.jobs.get(job)
        if a is None or b is None:
            kind = "seed" if "seed=" in job or "seed-" in job else "data"
            add(kind, f"{job}: only in {'B' if a is None else 'A'}")
            continue
        changed = False
        for cause, evidence in _own_changes(first, second, a, b):
            add(cause, evidence)
            changed = True
        inputs = first.files(a, "input") != second.files(b, "input")
        outputs = first.files(a, "output") != second.files(b, "output")
        if outputs and not inputs and not changed:
            machines = first.machine(a), second.machine(b)
            if machines[0] != machines[1]:
                add("backend", f"{job}: {machines[0]} against {machines[1]}")
            else:
                add("unexplained", f"{job}: other bytes from the same inputs, params and code")
    return {cause: sorted(found[cause]) for cause in CAUSES if cause in found}


def _own_changes(first: _Side, second: _Side, a: Record, b: Record) -> Iterator[tuple[str, str]]:
    """Yield what differs in a job itself: params, code, packages, files that no job wrote."""
    for key in sorted(a.content["params"].keys() | b.content["params"].keys()):
        before, after = a.content["params"].get(key), b.content["params"].get(key)
        if before != after:
            cause = "seed" if "seed" in key else "params"
            yield cause, f"{a.rule}: {key}: {json.dumps(before)} -> {json.dumps(after)}"
    then, now = a.content["fingerprint"], b.content["fingerprint"]
    for cause, kind in (("code", "modules"), ("packages", "packages")):
        for name in sorted(then[kind].keys() | now[kind].keys()):
            before, after = then[kind].get(name), now[kind].get(name)
            if before != after:
                shown = f" {before} -> {after}" if kind == "packages" else ""
                yield cause, f"{a.rule}: {name}{shown}"
    if then["python"] != now["python"]:
        yield "packages", f"{a.rule}: python {then['python']} -> {now['python']}"
    written = set(first.books.writers) | set(second.books.writers)
    before, after = a.files("input"), b.files("input")
    for path in sorted(before.keys() & after.keys()):
        if path not in written and before[path]["sha256"] != after[path]["sha256"]:
            yield ("prompt" if "/prompts/" in path else "data"), f"{a.rule}: {path}"


def as_text(moved: list[Moved]) -> str:
    """Return what moved, then the causes, for people."""
    if not moved:
        return "no number of the claims table differs"
    lines = [f"{row.cell}: {row.before} -> {row.after}" for row in moved]
    lines.append("causes found in the records of the jobs above these numbers:")
    for cause, evidence in moved[0].causes.items():
        lines.append(f"  {cause}")
        lines += [f"    {line}" for line in evidence]
    return "\n".join(lines)
