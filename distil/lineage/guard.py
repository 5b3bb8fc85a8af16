"""What a job may open, which variables it sees, and which programs it was seen to start.

A job sees its params and the files that its rule declares. Whatever else it read, no record would
name, and a change of it would rerun nothing; so such a read fails. Before `main` the environment is
reduced to `KEPT`, and an audit hook refuses files of the repository, of results/ and of state/ that
are neither declared nor code. Python processes that the job starts are held to the same.

The hook sees `open`, `os.open` and all that Python builds on them. Libraries that open files in C
escape it (pyarrow, OpenCV, safetensors, mlx), and so do programs; a test holds what these open
against what the rules declare, by strace.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import tempfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

VARIABLE = "DISTIL_GUARD"
CHILDREN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "children")  # noqa: PTH100, PTH118, PTH120

# Variables that a job keeps: where programs, certificates, caches and the network are found. None
# of them may shape a result; what a job computes with is set by the code (distil/student/blas.py).
KEPT = {
    "CONDA_PREFIX", "CUDA_VISIBLE_DEVICES", "CURL_CA_BUNDLE", "HF_HOME", "HOME", "LANG",
    "LD_LIBRARY_PATH", "LOGNAME", "MPLCONFIGDIR", "PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH",
    "REQUESTS_CA_BUNDLE", "SHELL", "SSL_CERT_DIR", "SSL_CERT_FILE", "TEMP", "TESSDATA_PREFIX",
    "TMP", "TMPDIR", "TZ", "USER", "VIRTUAL_ENV", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
    "ALL_PROXY",
}  # fmt: skip
KEPT_PREFIXES = ("DISTIL_", "LC_", "SLURM_", "XDG_", "DYLD_")


class UndeclaredReadError(PermissionError):
    """A job opened a file that its rule does not declare; the message names it and the remedy."""


class Guard:
    """An audit hook on the files that a process opens and the programs that it starts.

    Args:
        rules: `rule`; `guarded`, folders in which a file must be declared; `folders` and `files`
            that are; `notes`, the file to which refusals and programs are appended.
    """

    def __init__(self, rules: Mapping[str, Any]) -> None:
        self.rule: str = rules["rule"]
        self.guarded = tuple(rules["guarded"])
        self.folders = tuple(rules["folders"])
        self.files = frozenset(rules["files"])
        self.active = True
        self._notes = os.open(rules["notes"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """See one event of the interpreter."""
        if not self.active:
            return
        if event == "open":
            path = arguments[0]
            if isinstance(path, str | bytes | os.PathLike):
                self._check(os.path.abspath(os.fsdecode(path)))  # noqa: PTH100
        elif event in ("subprocess.Popen", "os.exec", "os.posix_spawn"):
            command = os.fsdecode(arguments[0] or arguments[1][0])
            if os.path.realpath(command) != os.path.realpath(sys.executable):
                self._note("started", os.path.basename(command))  # noqa: PTH119

    def _check(self, path: str) -> None:
        if not path.startswith(self.guarded) or path in self.files or path.startswith(self.folders):
            return
        if self._is_temporary(path) or os.path.isdir(path) or not os.path.lexists(path):  # noqa: PTH112
            return
        self._note("undeclared", path)
        raise UndeclaredReadError(told(self.rule, path))

    def _is_temporary(self, path: str) -> bool:
        """Tell whether a path is what an output is called while it is being written."""
        folder, name = os.path.split(path)
        return name.startswith(".") and any(
            os.path.dirname(file) == folder  # noqa: PTH120
            and name.startswith(f".{os.path.basename(file)}.")  # noqa: PTH119
            for file in self.files
        )

    def _note(self, kind: str, what: str) -> None:
        with contextlib.suppress(OSError):
            os.write(self._notes, (json.dumps([kind, what]) + "\n").encode())


def told(rule: str, path: str) -> str:
    """Return what is wrong with an undeclared read, and the remedy."""
    shown = os.path.relpath(path)
    return (
        f"{shown} was opened, and rule {rule} does not declare it: no change of it would rerun "
        "anything. Name it in the rule's input (and in sources=contents(...) where no rule makes "
        "it), or hand what is needed of it to the script as a param; a folder under state/ that "
        "the job keeps rows in is the rule's param store"
    )


def install(path: str) -> None:
    """Hold this process to the rules in a file that its job wrote."""
    with open(path, encoding="utf-8") as stream:  # noqa: PTH123
        rules = json.load(stream)
    sys.addaudithook(Guard(rules))


@contextlib.contextmanager
def guarded(
    rule: str, guarded: Sequence[str], folders: Sequence[str], files: Sequence[str], keys: set[str]
) -> Iterator[dict[str, set[str]]]:
    """Hold this process, and Python processes that it starts, to some files and variables.

    Args:
        rule: the job's rule, for messages.
        guarded: folders in which a file must be declared.
        folders: folders within them whose files may be opened.
        files: the declared files.
        keys: names of variables that the job's settings name, to be kept.

    Yields:
        `started`, names of programs that were started, known when the block has ended.

    Raises:
        UndeclaredReadError: an undeclared file was opened, even where that error was caught.
    """
    place = tempfile.mkdtemp(prefix="distil-job-")
    notes = os.path.join(place, "notes")  # noqa: PTH118
    rules = {
        "rule": rule,
        "guarded": [_folder(path) for path in guarded],
        "folders": [_folder(path) for path in [*folders, place]],
        "files": [os.path.abspath(path) for path in files],  # noqa: PTH100
        "notes": notes,
    }
    file = os.path.join(place, "rules.json")  # noqa: PTH118
    with open(file, "w", encoding="utf-8") as stream:  # noqa: PTH123
        json.dump(rules, stream)
    before = dict(os.environ)
    for name in [*os.environ]:
        if (
            name not in KEPT | keys
            and name.upper() not in KEPT
            and not name.startswith(KEPT_PREFIXES)
        ):
            del os.environ[name]
    inherited = filter(None, [CHILDREN, before.get("PYTHONPATH")])
    os.environ.update({VARIABLE: file, "PYTHONPATH": os.pathsep.join(inherited)})
    guard = Guard(rules)
    sys.addaudithook(guard)
    found: dict[str, set[str]] = {"started": set()}
    try:
        yield found
    finally:
        guard.active = False
        os.environ.clear()
        os.environ.update(before)
        seen: dict[str, set[str]] = {}
        with open(notes, encoding="utf-8") as stream:  # noqa: PTH123
            for kind, what in map(json.loads, stream):
                seen.setdefault(kind, set()).add(what)
        shutil.rmtree(place, ignore_errors=True)
        found["started"] = seen.get("started", set())
    for path in sorted(seen.get("undeclared", ())):
        raise UndeclaredReadError(told(rule, path))


def _folder(path: str) -> str:
    return os.path.join(os.path.abspath(path), "")  # noqa: PTH100, PTH118
