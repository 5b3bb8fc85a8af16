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

import contextlib
import datetime
import fcntl
import importlib.metadata
import inspect
import json
import os
import platform
import sys
import threading
import time
import traceback
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from distil.content.fingerprint import LOCK, contents, describe, sorted_keys
from distil.content.hashing import canonical_json, sha256_file, sha256_text, write_atomically
from distil.lineage import history

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# -------------------------------------------------------------------------------- job records


def record_path(study: str, rule: str, wildcards: dict[str, str]) -> Path:
    """Return where a job's record lies: results/STUDY/lineage/RULE/WILDCARDS.json."""
    rest = {key: value for key, value in wildcards.items() if key != "study"}
    name = ",".join(f"{key}={value.replace('/', '+')}" for key, value in sorted(rest.items()))
    return Path("results") / study / "lineage" / rule / f"{name or 'job'}.json"


def run(main: Callable[..., Any], job: Any) -> None:
    """Run a script's `main` for a Snakemake job, and leave the job's record.

    `main` is called with those of `input`, `output`, `params`, `how`, `log` and `threads` that it
    takes. `how` holds the settings that shape no result (concurrency, deadlines, prices). They come
    with the configuration, which Snakemake hands to jobs on any node, and are not recorded.
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
        "how": job.config.get("how", {}),
        "log": job.log,
        "threads": job.threads,
    }
    taken = inspect.signature(main).parameters
    record_file = record_path(wildcards["study"], job.rule, wildcards)
    with _logged(str(job.log[0]) if job.log else None), _alone(record_file):
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
            "plan_sha256": plan_sha256(job.config),
            "python": platform.python_version(),
            "packages": installed,
            "command": [Path(sys.executable).name, job.rule],
            **result.get("history", {}),
        }
        with _naming_what_cannot_be_written(record_file):
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


@contextlib.contextmanager
def _naming_what_cannot_be_written(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SystemExit(
            f"{error.filename or path}: cannot be written ({error.strerror}), so this job counts "
            "as not done; make room or mend the permissions, then start Snakemake again: it makes "
            "this job's files anew and touches no other"
        ) from error


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


def plan_sha256(config: dict[str, Any]) -> str | None:
    """Hash the plan of the analysis that stands in a study file while a job runs.

    It is kept with every run, so that `python -m distil.audit plan` can tell whether margin, alpha
    and the rest were fixed before the answers were made. The same hash as in the claims table.

    Args:
        config: the checked configuration.

    Returns:
        The hash; None for the public release, where no answers are made.
    """
    if config["exams"]["source"] == "release":
        return None
    plan = {
        **config["claims"],
        "published": config["published"],
        "primary_stop": config["predictions"]["stops"][0],
        "levels": config["predictions"]["levels"],
        "sections": config["exams"]["sections"],
    }
    return sha256_text(canonical_json(plan))


@contextlib.contextmanager
def _alone(record_file: Path) -> Iterator[None]:
    """Let one process at a time do a job, and none whose Snakemake has died.

    A killed Snakemake leaves its running job behind. Such an orphan ends itself within a moment,
    and until it has, the lock holds back the same job of the next run: whatever the orphan wrote
    is then overwritten, never the other way round.
    """
    path = _lock(record_file)
    _end_with_parents()
    with _naming_what_cannot_be_written(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.open("wb")
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _lock(record_file: Path) -> Path:
    _, study, _, rule, name = record_file.parts
    return Path("state", study, "locks", rule, name).with_suffix(".lock")


def running(study: str) -> list[Path]:
    """Return the records that the jobs of a study which are at work now will leave."""
    found = []
    folder = Path("state", study, "locks")
    for path in sorted(folder.glob("*/*.lock")):
        try:
            with path.open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            name = path.relative_to(folder).with_suffix(".json")
            found.append(Path("results", study, "lineage", name))
    return found


def _end_with_parents() -> None:
    """End this process when any process above it, up to Snakemake, is gone."""
    import psutil

    above = []
    for process in psutil.Process().parents():
        above.append(process)
        if any("snakemake" in word for word in process.cmdline()[:3]):
            break
    else:
        return  # a cluster's job: its scheduler ends it

    def watch() -> None:
        while all(process.is_running() for process in above):
            time.sleep(0.2)
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        os._exit(143)

    threading.Thread(target=watch, daemon=True).start()


@contextlib.contextmanager
def _logged(path: str | None) -> Iterator[None]:
    """Send standard output and error, subprocesses' included, to a log; print errors as well."""
    if path is None:
        yield
        return
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    with _naming_what_cannot_be_written(Path(path)):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        log = Path(path).open("wb")  # noqa: SIM115 - closed below
    with log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    try:
        yield
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        sys.stderr.flush()
        os.write(saved[1], f"\n{type(error).__name__}: {error}\n(log: {path})\n".encode())
        code = error.code if isinstance(error, SystemExit) else 1
        raise SystemExit(code if isinstance(code, int) else 1) from error
    finally:
        with contextlib.suppress(OSError):  # a full disk: the log is no result
            sys.stdout.flush()
            sys.stderr.flush()
        for number, copy in enumerate(saved, start=1):
            os.dup2(copy, number)
            os.close(copy)


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
