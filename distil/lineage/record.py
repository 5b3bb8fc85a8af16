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
import sysconfig
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from distil.content.addresses import record_path
from distil.content.files import write_atomically
from distil.content.fingerprint import LOCK, ROOT, contents, describe, forget, sorted_keys
from distil.content.hashing import canonical_json, look_of, sha256_file, sha256_once, sha256_text
from distil.lineage import history
from distil.lineage.devices import own_gpu
from distil.lineage.executables import describe_executable
from distil.lineage.guard import guarded
from distil.lineage.locks import alone
from distil.lineage.logs import logged, name_unwritable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def run(main: Callable[..., Any], job: Any) -> None:
    """Run a script's `main` for a Snakemake job, and leave the job's record.

    `main` is called with those of `input`, `output`, `params`, `how`, `resources`, `log` and
    `threads` that it takes. `params` holds the rule's `settings`, the job's wildcards and `code`,
    the fingerprint of the script, as one namespace. `how` holds the settings that say how a result
    is got and shape none (workers, concurrency, deadlines, prices), by stage; they are in no record
    and come with the configuration that Snakemake hands to jobs on any node. What `main` returns is
    recorded: a dict with `facts` (deterministic) and `history` (not), or None.

    The record of an earlier run is removed first: a job that does not come to its end has none.
    Standard output and error go to the job's log; on failure the error is printed as well.
    """
    started, clock = datetime.datetime.now(datetime.UTC), time.monotonic()
    settings = dict(job.params.get("settings", {}))
    wildcards = dict(job.wildcards.items())
    offered = {
        "input": job.input,
        "output": job.output,
        "params": SimpleNamespace(**wildcards, **settings, code=job.params.get("code")),
        "resources": job.resources,
        "how": job.config.get("how", {}),
        "log": job.log,
        "threads": job.threads,
    }
    taken = inspect.signature(main).parameters
    record_file = record_path(wildcards["study"], job.rule, wildcards)
    log = str(job.log[0]) if job.log else None
    with logged(log), alone(record_file), own_gpu(job.resources) as gpu:
        code = _Code(job)
        installed = _installed(code.described["packages"])
        read = _Inputs(job)
        with name_unwritable(record_file):
            record_file.unlink(missing_ok=True)
        with _guarded(job, {**settings, "how": offered["how"]}) as seen:
            begun = time.monotonic()
            result = main(**{name: value for name, value in offered.items() if name in taken}) or {}
            spent = time.monotonic() - begun
        code.require_unchanged()
        record = {
            "format": 1,
            "rule": job.rule,
            "wildcards": wildcards,
            "params": sorted_keys(settings),
            "input": read.unchanged(),
            "output": _files(job.output),
            "script": code.script,
            "code": job.params.get("code"),
            "fingerprint": code.described,
            "executables": {name: describe_executable(name) for name in sorted(seen["started"])},
            "facts": result.get("facts", {}),
        }
        happened = {
            "run": os.environ.get("DISTIL_RUN"),
            "started": started.isoformat(timespec="milliseconds"),
            "seconds": round(time.monotonic() - clock, 3),
            "main_seconds": round(spent, 3),
            "host": platform.node(),
            **({"gpu": gpu} if gpu else {}),
            "platform": platform.platform(),
            "plan_sha256": os.environ.get("DISTIL_PLAN") or None,
            "python": platform.python_version(),
            "packages": installed,
            "command": [Path(sys.executable).name, job.rule],
            **result.get("history", {}),
        }
        with name_unwritable(record_file):
            leave_record(record_file, record, happened)


def _guarded(job: Any, settings: dict[str, Any]) -> Any:
    """Hold the job to what its rule declares (distil/lineage/guard.py)."""
    declared = [*map(str, job.input), *map(str, job.output), *map(str, job.log)]
    for path in map(Path, map(str, job.input)):
        if path.name.endswith(".lock.json"):  # a model: its lock names the other files
            locked = json.loads(path.read_text(encoding="utf-8")).get("files", {})
            declared += [str(path.parent / name) for name in locked]
    store = job.params.get("store")
    return guarded(
        job.rule,
        guarded=[str(ROOT), "results", "state"],
        folders=[
            *{sys.prefix, sys.base_prefix, sysconfig.get_path("purelib")},
            *(str(ROOT / name) for name in ("distil", "scripts", ".snakemake", ".venv")),
            *([store] if store else []),
        ],
        files=[*declared, str(LOCK)],
        keys=set(_named_variables(settings)),
    )


def _named_variables(settings: Any) -> Iterator[str]:
    """Yield the environment variables that settings name, as `api_key_env` does."""
    if isinstance(settings, dict):
        for key, value in settings.items():
            if key.endswith("_env") and isinstance(value, str):
                yield value
            yield from _named_variables(value)


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


class _Code:
    """What the job's fingerprint stands for, held to what Snakemake was told.

    Attributes:
        script: the job's script.
        described: its fingerprint in parts.

    Raises:
        SystemExit: code, lock or a source file was edited after Snakemake had read it.
    """

    def __init__(self, job: Any) -> None:
        self.job = job
        self.script = f"scripts/{job.rule}.py"
        self.described = describe(self.script)
        sources = job.params.get("sources", {})
        self.files = [*(ROOT / name for name in self.described["modules"]), LOCK, *sources]
        self.looks = {str(path): look_of(path) for path in self.files if Path(path).is_file()}
        self.loaded = {
            os.path.realpath(file)
            for module in [*sys.modules.values()]
            if (file := getattr(module, "__file__", None))
        }
        if edited := self._find_edited():
            raise SystemExit(
                f"{edited} was changed after this Snakemake had started; start it again, "
                "and it decides by what is there now"
            )

    def require_unchanged(self) -> None:
        """Stop where code, lock or a source was edited while the job ran.

        A module that this process had not loaded before may have been read meanwhile, by a worker
        or a late import; so of these an edit counts that was taken back, too.
        """
        moved = [
            path
            for path, look in self.looks.items()
            if not Path(path).is_file() or look_of(path) != look
        ]
        edited: list[str] = []
        if moved:
            forget()
            self.described = describe(self.script)
            late = [
                path
                for path in moved
                if path.endswith(".py")
                and os.path.realpath(path) not in self.loaded
                and not Path(path).is_relative_to(ROOT / "scripts")
            ]
            edited = moved if self._find_edited() else late
        if edited:
            shown = ", ".join(path.removeprefix(f"{ROOT}/") for path in edited)
            raise SystemExit(
                f"{shown} was edited while this job ran, so that its files may not be those of any "
                "one version of the code; they are dropped: start Snakemake again"
            )

    def _find_edited(self) -> str | None:
        if sha256_text(canonical_json(self.described)) != self.job.params.get("code"):
            return f"{self.script}, a module that it imports or {LOCK.name}"
        sources = self.job.params.get("sources", {})
        found = contents(*sources)
        return next((path for path in found if found[path] != sources[path]), None)


class _Inputs:
    """A job's inputs, hashed before they are read."""

    def __init__(self, job: Any) -> None:
        self.rows = _files(job.input)
        self.looks = [look_of(row["path"]) for row in self.rows]

    def unchanged(self) -> list[dict[str, Any]]:
        """Return the rows, if every file is still what was hashed.

        Raises:
            SystemExit: a file was changed while the job ran.
        """
        for row, look in zip(self.rows, self.looks, strict=True):
            path = row["path"]
            if look_of(path) != look and sha256_file(path) != row["sha256"]:
                raise SystemExit(
                    f"{path} was changed while this job read it; start Snakemake again"
                )
        return self.rows


def _files(paths: Any) -> list[dict[str, Any]]:
    """List a job's inputs or outputs: name in the rule (null if unnamed), path, sha256, size.

    A file of a named list says so (`list`), so that the job can be done again from its record.
    """
    names, listed = {}, set()
    for name, value in paths.items():
        for path in [value] if isinstance(value, str) else value:
            names[str(path)] = name
        if not isinstance(value, str):
            listed |= set(map(str, value))
    rows = [
        {
            "name": names.get(str(path)),
            "path": Path(path).as_posix(),
            "sha256": sha256_once(path),
            "size": Path(path).stat().st_size,
            **({"list": True} if str(path) in listed else {}),
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
