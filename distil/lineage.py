"""The record each job leaves: what it read, ran and wrote, by hash.

A job record is deterministic: it holds the hashes of everything a job read and wrote. What may
differ from run to run (times, host, BLAS, attempts) goes to the history, `runs.jsonl`.

This module is part of no fingerprint (distil/fingerprint.py says why), so nothing that shapes an
output may be taken from it.
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

from distil.fingerprint import describe, sorted_keys
from distil.hashing import canonical_json, sha256_file, sha256_text, write_atomically

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
    with _logged(str(job.log[0]) if job.log else None), _alone(record_file):
        result = main(**{name: value for name, value in offered.items() if name in taken}) or {}
        record = _record(job, settings, wildcards, result.get("facts", {}))
        text = json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        write_atomically(record_file, text.encode())
        folder = record_file.parent.parent
        _append_history(
            folder / "runs.jsonl",
            {
                "record": record_file.relative_to(folder).as_posix(),
                "record_sha256": sha256_text(text),
                "started": started.isoformat(timespec="milliseconds"),
                "seconds": round(time.monotonic() - clock, 3),
                "host": platform.node(),
                "platform": platform.platform(),
                "plan_sha256": plan_sha256(job.config),
                "python": platform.python_version(),
                "packages": _installed(record["fingerprint"]["packages"]),
                "command": [Path(sys.executable).name, job.rule],
                **result.get("history", {}),
            },
        )


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
    _, study, _, rule, name = record_file.parts
    path = Path("state", study, "locks", rule, name).with_suffix(".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    _end_with_parents()
    with path.open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


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
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    with Path(path).open("wb") as log:
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
        sys.stdout.flush()
        sys.stderr.flush()
        for number, copy in enumerate(saved, start=1):
            os.dup2(copy, number)
            os.close(copy)


def _record(
    job: Any, settings: dict[str, Any], wildcards: dict[str, str], facts: dict[str, Any]
) -> dict[str, Any]:
    script = f"scripts/{job.rule}.py"
    return {
        "format": 1,
        "rule": job.rule,
        "wildcards": wildcards,
        "params": sorted_keys(settings),
        "input": _files(job.input),
        "output": _files(job.output),
        "script": script,
        "code": job.params.get("code"),
        "fingerprint": describe(script),
        "facts": facts,
    }


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
    """Return the versions found on this machine, which may differ from the locked ones."""
    found = {}
    for name in locked:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def _append_history(path: Path, row: dict[str, Any]) -> None:
    """Append one line in one write, so that lines of parallel jobs never mix.

    Each line carries the sha256 of the rest of it, so that a changed or torn line is seen.
    """
    row = {**row, "sha256": sha256_text(canonical_json(row))}
    line = canonical_json(row) + "\n"
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, line.encode())
        os.fsync(handle)
    finally:
        os.close(handle)
