"""The record each job leaves: what it read, ran and wrote, by hash.

A job record is deterministic: it holds the hashes of everything a job read and wrote. What may
differ from run to run (times, host, BLAS, attempts) goes to the history, `runs.jsonl`, and what a
record or a table said goes to `versions.jsonl`, once (distil/lineage/history.py).

A job does not start where a record would not tell the truth: where its code was edited after
Snakemake read it, or where another version of a package is installed than the lock names.

This module is part of no fingerprint (distil/content/fingerprint.py says why), so nothing that
shapes an output may be taken from it.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import inspect
import json
import os
import platform
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from distil.content.addresses import record_path
from distil.content.files import write_atomically
from distil.content.fingerprint import LOCK, contents, describe, sorted_keys
from distil.content.hashing import canonical_json, sha256_file, sha256_text
from distil.lineage import history
from distil.lineage.locks import alone
from distil.lineage.logs import logged, name_unwritable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def run(main: Callable[..., Any], job: Any) -> None:
    """Run a script's `main` for a Snakemake job, and leave the job's record.

    `main` is called with those of `input`, `output`, `params`, `log` and `threads` that it takes.
    `params` holds the rule's `settings`, the job's wildcards and `code`, the fingerprint of the
    script, as one namespace. What `main`
    returns is recorded: a dict with `facts` (deterministic) and `history` (not), or None.

    Standard output and error go to the job's log; on failure the error is printed as well.
    """
    started, clock = datetime.datetime.now(datetime.UTC), time.monotonic()
    settings = dict(job.params.get("settings", {}))
    wildcards = dict(job.wildcards.items())
    offered = {
        "input": job.input,
        "output": job.output,
        "params": SimpleNamespace(**wildcards, **settings, code=job.params.get("code")),
        "log": job.log,
        "threads": job.threads,
    }
    taken = inspect.signature(main).parameters
    record_file = record_path(wildcards["study"], job.rule, wildcards)
    with logged(str(job.log[0]) if job.log else None), alone(record_file):
        described = _describe(job)
        installed = _installed(described["packages"])
        read = _Inputs(job)
        result = main(**{name: value for name, value in offered.items() if name in taken}) or {}
        record = {
            "format": 1,
            "rule": job.rule,
            "wildcards": wildcards,
            "params": sorted_keys(settings),
            "input": read.unchanged(),
            "output": _files(job.output),
            "script": f"scripts/{job.rule}.py",
            "code": job.params.get("code"),
            "fingerprint": described,
            "facts": result.get("facts", {}),
        }
        happened = {
            "run": os.environ.get("DISTIL_RUN"),
            "started": started.isoformat(timespec="milliseconds"),
            "seconds": round(time.monotonic() - clock, 3),
            "host": platform.node(),
            "platform": platform.platform(),
            "plan_sha256": os.environ.get("DISTIL_PLAN") or None,
            "python": platform.python_version(),
            "packages": installed,
            "command": [Path(sys.executable).name, job.rule],
            **result.get("history", {}),
        }
        with name_unwritable(record_file):
            leave_record(record_file, record, happened)


def leave_record(record_file: Path, record: dict[str, Any], happened: dict[str, Any]) -> None:
    """Write the record, what it says to the versions, and what happened to the history."""
    text = _text(record)
    write_atomically(record_file, text.encode())
    folder = record_file.parent.parent
    versions = folder / history.VERSIONS
    known = versions.read_bytes() if versions.is_file() else b""
    said = [
        # First what the record names, then the record, so that no record stands there alone.
        {"kind": "code", "of": record["code"], "content": record["fingerprint"]},
        *_tables(record["output"]),
        {
            "kind": "record",
            "of": sha256_text(text),
            "content": {key: value for key, value in record.items() if key != "fingerprint"},
        },
    ]
    history.append(versions, [row for row in said if f'"of":"{row["of"]}"'.encode() not in known])
    history.append(
        folder / history.RUNS,
        [
            {
                "record": record_file.relative_to(folder).as_posix(),
                "record_sha256": sha256_text(text),
                **happened,
            }
        ],
    )


def _text(record: dict[str, Any]) -> str:
    return json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def record_digest(content: dict[str, Any], fingerprint: dict[str, Any] | None) -> str:
    """Return the sha256 of a record that the versions hold in two parts."""
    return sha256_text(_text({**content, "fingerprint": fingerprint}))


def _tables(outputs: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the tables among a job's outputs and a summary of what their cells rest on.

    Both are small, and the next run makes the files anew.
    """
    for row in outputs:
        path = Path(row["path"])
        if path.parts[2:3] not in (("claims",), ("tables",)):
            continue
        if path.suffix == ".csv":
            yield {"kind": "table", "of": row["sha256"], "content": path.read_bytes().decode()}
        elif path.name.endswith("rows.parquet"):
            from distil.content.sources import grouped

            yield {"kind": "rows", "of": row["sha256"], "content": grouped(path)}


def _describe(job: Any) -> dict[str, Any]:
    """Return what the job's fingerprint stands for, if it is still what Snakemake was told.

    Raises:
        SystemExit: code, lock or a source file was edited after Snakemake had read it.
    """
    script = f"scripts/{job.rule}.py"
    described = describe(script)
    edited = None
    if sha256_text(canonical_json(described)) != job.params.get("code"):
        edited = f"{script}, a module that it imports or {LOCK.name}"
    sources = job.params.get("sources", {})
    for path, digest in contents(*sources).items():
        if digest != sources[path]:
            edited = path
    if edited:
        raise SystemExit(
            f"{edited} was changed after this Snakemake had started; start it again, "
            "and it decides by what is there now"
        )
    return described


class _Inputs:
    """A job's inputs, hashed before they are read."""

    def __init__(self, job: Any) -> None:
        self.rows = _files(job.input)
        self.looks = [self._look(row["path"]) for row in self.rows]

    @staticmethod
    def _look(path: str) -> tuple[int, ...]:
        state = Path(path).stat()
        return state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino

    def unchanged(self) -> list[dict[str, Any]]:
        """Return the rows, if every file is still what was hashed.

        Raises:
            SystemExit: a file was changed while the job ran.
        """
        for row, look in zip(self.rows, self.looks, strict=True):
            path = row["path"]
            if self._look(path) != look and sha256_file(path) != row["sha256"]:
                raise SystemExit(
                    f"{path} was changed while this job read it; start Snakemake again"
                )
        return self.rows


def _files(paths: Any) -> list[dict[str, Any]]:
    """List a job's inputs or outputs: name in the rule (null if unnamed), path, sha256, size."""
    names = {}
    for name, value in paths.items():
        for path in [value] if isinstance(value, str) else value:
            names[str(path)] = name
    rows = [
        {
            "name": names.get(str(path)),
            "path": Path(path).as_posix(),
            "sha256": sha256_file(path),
            "size": Path(path).stat().st_size,
        }
        for path in dict.fromkeys(str(path) for path in paths)
    ]
    return sorted(rows, key=lambda row: row["path"])


def _installed(locked: dict[str, str]) -> dict[str, str]:
    """Return the versions found on this machine, which must be the locked ones.

    Raises:
        SystemExit: another version is installed, so that the record would name a wrong one.
    """
    found = {}
    for name, version in locked.items():
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "no version"
        if found[name] != version:
            raise SystemExit(
                f"{LOCK.name} names {name} {version}, {found[name]} is installed; run: make setup "
                "(or, if the new version is meant, lock it: make lock)"
            )
    return found
