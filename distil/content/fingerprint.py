"""What a stage runs, as one hash: its script's code and the packages that code needs.

`contents` does the same for the files it reads that no other stage wrote.

A fingerprint stands for the syntax trees of a script and of every `distil` module it imports, and
for the locked versions of the third-party packages these import, with all that those require.
Comments, docstrings and layout are not part of it, so an edit there reruns nothing.

Parsing every module takes longer than the rest of a dry run, so what was found in a file is kept
under .snakemake, by the sha256 of the file's text; `distil verify` does without.

The package `distil.lineage`, which writes records and touches no output, is left out: a better
record must not cost days of training. Scripts may therefore take `run` from it and nothing else; a
test holds them to that.
"""

from __future__ import annotations

import ast
import atexit
import contextlib
import functools
import json
import platform
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distil.content.files import write_atomically
from distil.content.hashing import canonical_json, sha256_file, sha256_text

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements.lock"
NOT_FINGERPRINTED = "distil/lineage/"

# Import names that differ from the name of the package that provides them. A test holds this
# table against the installed packages for every third-party import of the repository.
DISTRIBUTIONS = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "fontTools": "fonttools",
    "huggingface_hub": "huggingface-hub",
    "latex2sympy2_extended": "latex2sympy2-extended",
    "math_verify": "math-verify",
    "mlx_lm": "mlx-lm",
    "snakemake_interface_logger_plugins": "snakemake-interface-logger-plugins",
    "yaml": "pyyaml",
}

# Packages that another one loads without requiring them: pandas keeps text and Parquet in pyarrow,
# and mlx computes with the OpenBLAS that the opencv wheel carries (distil/student/blas.py). A test
# holds each job's fingerprint against the packages that the job was seen to load.
UNDECLARED = {"mlx": ("opencv-python-headless",), "pandas": ("pyarrow",)}

MOST_KEPT = 5000  # files; beyond these the cache begins anew

_PINNED = re.compile(
    r"^(?P<name>[A-Za-z0-9_.-]+)==(?P<version>[^\s;\\]+)\s*(?:;(?P<marker>[^\\]*))?"
)
_REQUIRED_BY = re.compile(r"^\s+#\s+(?:via\s+)?(?P<name>[A-Za-z0-9_.-]+)")
# What a process of its own runs is named by a string, not imported: `-m distil.exams.workers`,
# `-c "from distil.grading.workers import serve"`.
_MODULE_NAME = re.compile(r"(?:^|(?:from|import) )(distil(?:\.[a-z_0-9]+)+)(?=$| import |;)")


def sorted_keys(value: Any) -> Any:
    """Return a value with the keys of all its dicts sorted.

    Snakemake compares params by their text, so a reordered dict would rerun its rule.
    """
    if isinstance(value, dict):
        return {key: sorted_keys(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, list):
        return [sorted_keys(item) for item in value]
    return value


class _Cache:
    """What was found in files, by this process and by those before it: {sha256: finding}."""

    def __init__(self, file: Path) -> None:
        self.file, self.found = file, {}
        self.own: dict[str, Any] = {}  # found by this process
        # What another version of this module, of Python or of the platform found does not count.
        own = Path(__file__).read_text(encoding="utf-8")
        self.by = sha256_text(f"{own}\n{sys.version}\n{sys.platform}\n{platform.machine()}")
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            content = json.loads(file.read_text(encoding="utf-8"))
            if content["by"] == self.by and len(content["found"]) < MOST_KEPT:
                self.found = content["found"]

    def __call__(self, kind: str, text: str, find: Callable[[str], Any]) -> Any:
        """Return what is found in a text, searched once; a finding must be plain JSON."""
        key = sha256_text(f"{kind}\n{text}")
        if key not in self.found:
            if not self.own:
                atexit.register(self.save)
            self.found[key] = self.own[key] = find(text)
        return self.found[key]

    def save(self) -> None:
        """Write the file, where that is possible."""
        with contextlib.suppress(OSError):
            write_atomically(
                self.file, canonical_json({"by": self.by, "found": self.found}).encode()
            )


@functools.cache
def _cache() -> _Cache:
    return _Cache(ROOT / ".snakemake" / "fingerprints.json")


def forget(*, cache: bool = True) -> None:
    """Forget every file that was read, for whoever changes files and asks again.

    Args:
        cache: whether to go on using what earlier processes found in texts, which goes by the
            texts' sha256; what this process found itself it goes on using in any case.
    """
    for function in (
        _read_module, _module_files, _is_module, _modules, locked_packages, _required, fingerprint
    ):  # fmt: skip
        function.cache_clear()
    if not cache:
        _cache().found = dict(_cache().own)


@functools.cache
def _read_module(name: str) -> tuple[str, list[str], list[str], list[str]]:
    """Return a file's syntax-tree hash, the `distil` names and the packages that it imports.

    Last come those of the names that must be modules.

    Raises:
        FileNotFoundError: the file is missing; the message says how to restore it.
    """
    if not (ROOT / name).is_file():
        raise FileNotFoundError(f"{name} is missing; restore it with: git checkout {name}")
    text = (ROOT / name).read_text(encoding="utf-8")
    return _cache()(name, text, functools.partial(_analyse, name))


def _analyse(path: str, text: str) -> list[Any]:
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise SyntaxError(
            f"{path}:{error.lineno}: {error.msg}; mend it before anything can run"
        ) from error
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            value = body[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                body[0] = ast.Pass()
    names, needed = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
            needed |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, path)
            needed.add(base)
            names |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            for name in _MODULE_NAME.findall(node.value):
                names |= {name, f"{name}.__main__"}
    own, imported = set(), set()
    for name in names:
        top = name.partition(".")[0]
        if top == "distil":
            own.add(name)
        elif top not in sys.stdlib_module_names:
            imported.add(DISTRIBUTIONS.get(top, top))
    return [sha256_text(ast.dump(tree)), sorted(own), sorted(imported), sorted(own & needed)]


def _absolute(node: ast.ImportFrom, path: str) -> str:
    """Return the dotted name that a (possibly relative) `from` import starts at."""
    if not node.level:
        return node.module or ""
    parts = Path(path).with_suffix("").parts
    return ".".join([*parts[: len(parts) - node.level], *([node.module] if node.module else [])])


@functools.cache
def _module_files(name: str) -> tuple[str, ...]:
    """Return the files that importing a dotted `distil` name runs, packages above it included."""
    parent, _, _ = name.rpartition(".")
    path = name.replace(".", "/")
    own = [file for file in (f"{path}.py", f"{path}/__init__.py") if (ROOT / file).is_file()]
    return (*(_module_files(parent) if parent else ()), *own)


@functools.cache
def _is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def modules(script: str | Path) -> dict[str, str]:
    """Return the files a script runs, itself included, each with the hash of its syntax tree.

    Args:
        script: path of a Python file, relative to the repository's root.

    Returns:
        {path relative to the root: sha256 of the syntax tree without docstrings}, sorted.

    Raises:
        FileNotFoundError: the script or a module that one of them imports is missing.
    """
    return dict(_modules(Path(script).as_posix()))


@functools.cache
def _modules(script: str) -> dict[str, str]:
    pending, found = {script}, {}
    while pending:
        path = pending.pop()
        digest, names, _, needed = _read_module(path)
        for name in needed:
            if not _is_module(name):
                file = f"{name.replace('.', '/')}.py"
                raise FileNotFoundError(
                    f"{path} imports {name}, which is missing; restore it with: git checkout {file}"
                )
        found[path] = digest
        for name in names:
            pending.update(_module_files(name))
        pending -= found.keys()
        pending = {path for path in pending if not path.startswith(NOT_FINGERPRINTED)}
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
    pins = _cache()(LOCK.name, LOCK.read_text(encoding="utf-8"), _read_pins)
    return {name: (version, frozenset(parents)) for name, (version, parents) in pins.items()}


def _read_pins(text: str) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    current: list[str] = []
    for line in text.splitlines():
        if pin := _PINNED.match(line):
            current = []
            if _applies(pin["marker"]):
                found[pin["name"].lower()] = [pin["version"], current]
        elif (parent := _REQUIRED_BY.match(line)) and parent["name"] != "via":
            current.append(parent["name"].lower())
    return found


def _applies(marker: str | None) -> bool:
    if not marker or not marker.strip():
        return True
    from packaging.markers import Marker

    return Marker(marker).evaluate()


@functools.cache
def _required() -> dict[str, set[str]]:
    """{package: what it requires, or loads without requiring}, from the lock."""
    lock = locked_packages()
    required: dict[str, set[str]] = {}
    for name, (_, parents) in lock.items():
        for parent in parents:
            required.setdefault(parent, set()).add(name)
    for name, loaded in UNDECLARED.items():
        required.setdefault(name, set()).update(lock.keys() & set(loaded))
    return required


def packages(script: str | Path) -> dict[str, str]:
    """Return the locked version of each package in a script's closure, sorted by name.

    Raises:
        LookupError: the script or one of its modules imports a package that the lock lacks.
    """
    lock, required = locked_packages(), _required()
    pending = set()
    for path in modules(script):
        for name in _read_module(path)[2]:
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
        pending |= required.get(name, set()) - found.keys()
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


def contents(*paths: str | Path) -> dict[str, str | None]:
    """Return the sha256 of files that no rule makes, as a param of the rule that reads them.

    Snakemake compares the content of an input only where its mtime is later than the outputs', so
    that a paper copied with its old date, or an edit with the mtime kept, would pass unseen.

    Args:
        paths: files; one that is missing is None here, and named by Snakemake.

    Returns:
        {path: sha256}, sorted.
    """
    return {
        str(path): sha256_file(path) if Path(path).is_file() else None
        for path in sorted(map(str, paths))
    }
