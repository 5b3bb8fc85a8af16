"""Outcomes of tests, written as they come, so that a long run of pytest can be taken up again.

A plugin: `pytest -p benchmarks.outcomes` with the file named by DISTIL_OUTCOMES.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

VARIABLE = "DISTIL_OUTCOMES"


def read_outcomes(file: Path) -> dict[str, dict[str, Any]]:
    """Return {test: outcome (passed, failed, skipped) and seconds}, the latest of each test."""
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    return {row["test"]: row for row in map(json.loads, text.splitlines())}


def pytest_configure(config: pytest.Config) -> None:
    """Take part in the process that collects the reports of all workers."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Writer(Path(os.environ[VARIABLE])))


class _Writer:
    def __init__(self, file: Path) -> None:
        self.file = file
        file.parent.mkdir(parents=True, exist_ok=True)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" and report.outcome == "passed":
            return
        row = {"test": report.nodeid, "outcome": report.outcome, "seconds": report.duration}
        with self.file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")
