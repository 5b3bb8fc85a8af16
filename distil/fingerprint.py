"""What a stage runs, as one hash: its script's code and the packages that code needs.

A fingerprint stands for the syntax trees of a script and of every `distil` module it imports, and
for the locked versions of the third-party packages these import, with all that those require.
Comments, docstrings and layout are not part of it, so an edit there reruns nothing.

`distil.lineage`, which keeps the books and touches no output, is left out: a better record must
not cost days of training. Scripts may therefore take `run` from it and nothing else; a test holds
them to that.
"""

from __future__ import annotations

import ast
import functools
import platform
import re
import sys
from pathlib import Path
from typing import Any

from distil.hashing import canonical_json, sha256_text

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


def _read_module(path: Path) -> tuple[str, frozenset[Path], frozenset[str]]:
    """Return a file's syntax-tree hash, the repository files it imports, and the packages."""
    return _analyse(path, path.read_text(encoding="utf-8"))


@functools.cache
def _analyse(path: Path, text: str) -> tuple[str, frozenset[Path], frozenset[str]]:
    try:
        tree = ast.parse(text)
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
