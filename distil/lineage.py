"""What ties a result to the bytes it came from: code fingerprints and the record each job leaves.

A fingerprint stands for all that a stage runs: the syntax trees of its script and of every
`distil` module the script imports, and the locked versions of the third-party packages those
files import, with all that these packages require. Comments, docstrings and layout are not part
of it, so an edit there reruns nothing.

A job record is deterministic: it holds the hashes of everything a job read and wrote. What may
differ from run to run (times, host, BLAS, attempts) goes to the history, `runs.jsonl`.

This module keeps the books and touches no output, so it is not part of any fingerprint itself: a
better record must not cost days of training. Scripts may therefore take `run` from it and nothing
else; a test holds them to that.
"""

from __future__ import annotations

import ast
import contextlib
import datetime
import fcntl
import functools
import importlib.metadata
import inspect
import json
import os
import platform
import re
import sys
import threading
import time
import traceback
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from distil.hashing import canonical_json, sha256_file, sha256_text, write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
NOT_FINGERPRINTED = frozenset({"distil/lineage.py"})

# Import names that differ from the name of the package that provides them. A test holds this
# table against the installed packages for every third-party import of the repository.
DISTRIBUTIONS = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "latex2sympy2_extended": "latex2sympy2-extended",
    "math_verify": "math-verify",
    "mlx_lm": "mlx-lm",
    "yaml": "pyyaml",
}

_PINNED = re.compile(
    r"^(?P<name>[A-Za-z0-9_.-]+)==(?P<version>[^\s;\\]+)\s*(?:;(?P<marker>[^\\]*))?"
)
_REQUIRED_BY = re.compile(r"^\s+#\s+(?:via\s+)?(?P<name>[A-Za-z0-9_.-]+)")
# A module run as a subprocess (`python -m distil.exams.worker`) is named by a string, not imported.
_MODULE_NAME = re.compile(r"^distil(\.[a-z_0-9]+)+$")


def sorted_keys(value: Any) -> Any:
    """Return a value with the keys of all its dicts sorted.

    Snakemake compares params by their text, so a reordered dict would rerun its rule.
    """
    if isinstance(value, dict):
        return {key: sorted_keys(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, list):
        return [sorted_keys(item) for item in value]
    return value


# ------------------------------------------------------------------------------ fingerprints


@functools.cache
def _read_module(path: Path) -> tuple[str, frozenset[Path], frozenset[str]]:
    """Return a file's syntax-tree hash, the repository files it imports, and the packages."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except SyntaxError as error:
        raise SyntaxError(
            f"{path}:{error.lineno}: {error.msg}; mend it before anything can run"
        ) from error
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, path)
            names |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Constant) and _MODULE_NAME.match(str(node.value)):
            names |= {node.value, f"{node.value}.__main__"}
    files, packages = set(), set()
    for name in names:
        top = name.partition(".")[0]
        if top == "distil":
            files |= _module_files(name)
        elif top not in sys.stdlib_module_names:
            packages.add(DISTRIBUTIONS.get(top, top))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            value = body[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                body[0] = ast.Pass()
    return sha256_text(ast.dump(tree)), frozenset(files), frozenset(packages)


def _absolute(node: ast.ImportFrom, path: Path) -> str:
    """Return the dotted name that a (possibly relative) `from` import starts at."""
    if not node.level:
        return node.module or ""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join([*parts[: len(parts) - node.level], *([node.module] if node.module else [])])


def _module_files(name: str) -> set[Path]:
    """Return the files that importing a dotted `distil` name runs, packages above it included."""
    files = set()
    folder = ROOT
    for part in name.split("."):
        folder = folder / part
        for candidate in (folder.with_suffix(".py"), folder / "__init__.py"):
            if candidate.is_file():
                files.add(candidate)
    return files


def modules(script: str | Path) -> dict[str, str]:
    """Return the files a script runs, itself included, each with the hash of its syntax tree.

    Args:
        script: path of a Python file, relative to the repository's root.

    Returns:
        {path relative to the root: sha256 of the syntax tree without docstrings}, sorted.
    """
    pending, found = [ROOT / script], {}
    while pending:
        path = pending.pop()
        key = path.relative_to(ROOT).as_posix()
        if key in found or key in NOT_FINGERPRINTED:
            continue
        digest, files, _ = _read_module(path)
        found[key] = digest
        pending += files
    return dict(sorted(found.items()))


@functools.cache
def locked_packages() -> dict[str, tuple[str, frozenset[str]]]:
    """Read the lock: {package: (version on this platform, packages that require it)}.

    Raises:
        FileNotFoundError: the lock is missing; the message says how to restore it.
    """
    if not LOCK.is_file():
        raise FileNotFoundError(
            f"{LOCK.name} is missing; restore it with: git checkout {LOCK.name}"
        )
    found: dict[str, tuple[str, set[str]]] = {}
    current: set[str] = set()
    for line in LOCK.read_text(encoding="utf-8").splitlines():
        if pin := _PINNED.match(line):
            current = set()
            if _applies(pin["marker"]):
                found[pin["name"].lower()] = (pin["version"], current)
        elif (parent := _REQUIRED_BY.match(line)) and parent["name"] != "via":
            current.add(parent["name"].lower())
    return {name: (version, frozenset(parents)) for name, (version, parents) in found.items()}


def _applies(marker: str | None) -> bool:
    if not marker or not marker.strip():
        return True
    from packaging.markers import Marker

    return Marker(marker).evaluate()


def packages(script: str | Path) -> dict[str, str]:
    """Return the locked version of each package in a script's closure, sorted by name.

    Raises:
        LookupError: the script or one of its modules imports a package that the lock lacks.
    """
    lock = locked_packages()
    requires: dict[str, set[str]] = {}
    for name, (_, parents) in lock.items():
        for parent in parents:
            requires.setdefault(parent, set()).add(name)
    pending = set()
    for path in modules(script):
        for name in _read_module(ROOT / path)[2]:
            if name not in lock:
                raise LookupError(
                    f"{path} imports {name}, which {LOCK.name} does not pin; "
                    "add it to pyproject.toml and run: make lock"
                )
            pending.add(name)
    found = {}
    while pending:
        name = pending.pop()
        found[name] = lock[name][0]
        pending |= requires.get(name, set()) - found.keys()
    return dict(sorted(found.items()))


@functools.cache
def fingerprint(script: str) -> str:
    """Return one hash for all that a script runs: code, packages and Python's minor version."""
    return sha256_text(canonical_json(describe(script)))


def describe(script: str) -> dict[str, Any]:
    """Return what `fingerprint` hashes, so that a change can be named."""
    return {
        "modules": modules(script),
        "packages": packages(script),
        "python": ".".join(platform.python_version_tuple()[:2]),
    }


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
                "python": platform.python_version(),
                "packages": _installed(record["fingerprint"]["packages"]),
                "command": [Path(sys.executable).name, job.rule],
                **result.get("history", {}),
            },
        )


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
