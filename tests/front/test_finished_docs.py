"""Every block marked `sh` in the documentation, run as it stands on the finished micro study."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

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
