"""Every block marked `sh` in the documentation, run as it stands on the finished micro study."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs import pages
from tests.front.test_docs import PAGES, blocks

COMMANDS = [(path, line) for path in PAGES for line in blocks(path, "sh")]
# Run by hand, or by other tests: they install, or they change the shell.
BY_HAND = ("make setup", ". .venv/bin/activate")


@pytest.mark.parametrize(
    ("path", "line"), COMMANDS, ids=[f"{path.stem}: {line}" for path, line in COMMANDS]
)
def test_a_command_of_the_docs_runs_as_it_stands(finished, path, line):
    if line in BY_HAND:
        pytest.skip("set-up is tried in a fresh clone")
    here = Path(sys.executable).parent
    done = subprocess.run(
        line,
        shell=True, cwd=finished.path, capture_output=True, text=True, check=False,
        env={**os.environ, "PATH": f"{here}{os.pathsep}{os.environ['PATH']}"},
    )  # fmt: skip
    assert done.returncode == (1 if "title=" in line else 0), done.stderr
    assert done.stdout
    if "title=" in line:
        assert "judge_claims" in done.stdout
        assert "train_adapter" not in done.stdout


def header(path: Path) -> list[str]:
    """Return the columns of a table, those of the levels as one."""
    with path.open(encoding="utf-8", newline="") as stream:
        names = [re.sub(r"^R\d+$", "LEVEL", name) for name in next(csv.reader(stream))]
    return list(dict.fromkeys(names))


def test_the_reference_has_every_column_of_every_table(finished):
    top = finished.path / "results" / "micro"
    found = {path.stem: path for path in [*top.glob("tables/*.csv"), top / "claims" / "claims.csv"]}
    known = pages.described("study")
    assert found.keys() == known.keys()
    for name, path in found.items():
        columns, optional = header(path), known[name].get("optional", ())
        assert columns == [
            column for column in known[name]["columns"]
            if column in columns or column not in optional
        ], f"{name}: docs/tables.yaml, then make docs"  # fmt: skip


def test_the_reference_has_every_field_of_the_records(finished):
    folder = finished.path / "results" / "micro" / "lineage"
    known = pages.described("records")
    rows = {name: [*map(json.loads, (folder / name).open())] for name in known if "/" not in name}
    assert {path.name for path in folder.glob("*.*")} == rows.keys()
    rows["RULE/WILDCARDS.json"] = [json.loads(path.read_text()) for path in folder.glob("*/*.json")]
    for name, entry in known.items():
        fields, optional = set(entry["columns"]), set(entry.get("optional", ()))
        for row in rows[name]:
            assert fields - optional <= row.keys() <= fields, f"{name}: docs/tables.yaml, make docs"
