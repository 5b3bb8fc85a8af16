"""The layout of `distil`: doors, arrows between rooms, what each script runs, and sizes."""

from __future__ import annotations

import ast
import graphlib
import re
from pathlib import Path

import pytest

from distil.content import fingerprint

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "distil"
MODULES = sorted(PACKAGE.rglob("*.py"))
DOORS = [path for path in MODULES if path.name == "__init__.py" and path.parent != PACKAGE]
SCRIPTS = sorted((ROOT / "scripts").glob("*.py"))

# {room: the rooms it may enter}. Leaves enter nothing; stages enter leaves and the stages they
# need; report, study, audit and cli stand above them.
LEAVES = {"content", "notation", "inference"}
STAGES = {"exams", "review", "teacher", "datasets", "student", "grading", "claims", "release"}
ENTERS = {
    "content": set(),
    "notation": set(),
    "inference": set(),
    "exams": {"content", "notation"},
    "review": {"content", "notation", "exams"},
    # The sample study's teacher is a server that the teacher's client starts.
    "teacher": {"content", "notation", "synthetic"},
    "datasets": {"content", "notation"},
    "student": {"content", "notation"},
    "grading": {"content", "notation"},
    "claims": LEAVES,
    "release": {*LEAVES, "claims", "exams"},
    "synthetic": {"content", "notation", "student"},
    "report": {*LEAVES, "claims", "grading", "review"},
    "lineage": {"content"},
    # audit: Snakemake is told to decide by the records that the audit reads.
    "study": {*LEAVES, *STAGES, "synthetic", "lineage", "audit"},
    "audit": {*LEAVES, *STAGES, "report", "lineage"},
    "cli": {*LEAVES, *STAGES, "synthetic", "report", "study", "lineage", "audit"},
    "__main__": {"cli", "study"},
}
# Pairs of (script, module of distil that it runs), doors that hold a docstring only not counted.
# A pair is a reason to run a script's jobs again: raise this number for new work only.
MOST_PAIRS = 522
MOST_LINES = {"function": 100, "module": 700}
# What is longer still; nothing may join, and what has become shorter goes from here.
LONG: set[str] = set()


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def room(path: str) -> str:
    """Return the room of a path below `distil/`, or of a dotted name."""
    return re.split(r"[/.]", path)[1]


def is_door_only(path: Path) -> bool:
    """Whether a module holds a docstring and nothing else."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return len(body) == 1 and isinstance(body[0], ast.Expr)


def test_nothing_lies_outside_a_room_but_the_command():
    outside = {path.name for path in PACKAGE.glob("*.py")}
    assert outside <= {"__init__.py", "__main__.py", "cli.py"}


@pytest.mark.parametrize("door", DOORS, ids=relative)
def test_a_door_holds_a_docstring_that_lists_exactly_its_modules(door):
    assert is_door_only(door), "import from the modules, so that no change reaches who needs none"
    text = ast.get_docstring(ast.parse(door.read_text(encoding="utf-8")))
    heads = " ".join(re.findall(r"^- (`\w+`(?:, `\w+`)*):", text, re.M))
    held = {path.stem for path in door.parent.glob("*.py")} - {"__init__", "__main__"}
    held |= {path.parent.name for path in door.parent.glob("*/__init__.py")}
    assert set(re.findall(r"`(\w+)`", heads)) <= held, "a module that is listed is not there"
    assert held <= set(re.findall(r"`(\w+)`", text)), "a module that is there is not listed"


def test_rooms_enter_only_the_rooms_that_the_table_names():
    for path in MODULES:
        name = relative(path)
        own = path.stem if path.parent == PACKAGE else room(name)
        if own == "__init__":
            continue
        for imported in fingerprint._read_module(name)[1]:
            if imported.count(".") and (other := room(imported)) in ENTERS:
                assert other in ENTERS[own] | {own}, f"{name} enters {other} ({imported})"


def test_the_table_of_rooms_is_complete_and_without_circles():
    assert {path.parent.name for path in PACKAGE.glob("*/__init__.py")} <= ENTERS.keys()
    assert len(list(graphlib.TopologicalSorter(ENTERS).static_order())) == len(ENTERS)


def test_no_script_runs_more_of_distil_than_it_did():
    """Prints the pairs and the three scripts that run most."""
    counts = {
        path.stem: sum(
            name.startswith("distil/") and not is_door_only(ROOT / name)
            for name in fingerprint.modules(relative(path))
        )
        for path in SCRIPTS
    }
    largest = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:3]
    pairs = sum(counts.values())
    print(f"\n{pairs} pairs of script and module; most: {largest}")
    assert pairs <= MOST_PAIRS, f"{pairs} pairs; largest: {largest}"


def test_functions_and_modules_stay_short():
    """Counted without decorators, docstring included."""
    found = {}
    for path in [*MODULES, *SCRIPTS]:
        text = path.read_text(encoding="utf-8")
        if (lines := len(text.splitlines())) > MOST_LINES["module"]:
            found[relative(path)] = lines
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = node.end_lineno - node.lineno + 1
                if lines > MOST_LINES["function"]:
                    found[f"{relative(path)}:{node.name}"] = lines
    assert found.keys() <= LONG, {name: found[name] for name in found.keys() - LONG}
