"""Run every fault test at its full count and write the evidence, docs/torture.md.

`make torture`. The evidence names the commit, the machine and each test with its seconds; a dirty
checkout is said to be one, since nobody could repeat it.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree  # our own pytest's report, not foreign XML
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import fuzzing  # noqa: E402

EVIDENCE = ROOT / "docs" / "torture.md"
FUZZ_SECONDS = 600
SUITES = ("tests/front", "tests/workflow", "tests/faults", "tests/unit")


def git(*arguments: str) -> str:
    """Return what git says."""
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()


def main() -> int:
    """Run, write, and return pytest's exit code, or 1 if fuzzing found a crash."""
    commit, dirty = git("rev-parse", "HEAD"), bool(git("status", "--porcelain"))
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        code = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", *SUITES, f"--junitxml={report}"),
                *("--timeout=14400", "-n", "2", "--dist", "loadscope", "--no-loadscope-reorder"),
            ],
            cwd=ROOT,
            env={**os.environ, "DISTIL_TORTURE": "1"},
            check=False,
        ).returncode
        cases = list(ElementTree.parse(report).iter("testcase"))  # noqa: S314
        fuzzed = fuzzing.run(FUZZ_SECONDS, Path(folder, "fuzzing"))
    failed = [case for case in cases if case.find("failure") is not None]
    skipped = [case for case in cases if case.find("skipped") is not None]
    lines = [
        "# Evidence of `make torture`",
        "",
        f"Commit {commit}{' with uncommitted changes' if dirty else ''}, Python "
        f"{platform.python_version()}, {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores.",
        "",
        f"{len(cases) - len(failed) - len(skipped)} passed, {len(failed)} failed, "
        f"{len(skipped)} skipped.",
        "",
        f"Fuzzing of exams by {fuzzed['engine']}: {fuzzed['readings']} readings of changed pages "
        f"({fuzzed['seeds']} to start from) in {fuzzed['seconds']} s; {fuzzed['deaths']} ended "
        f"the process and became an error of the exam; crashes: "
        f"{', '.join(fuzzed['crashes']) or 'none'}.",
        "",
        "| test | seconds | outcome |",
        "|---|---|---|",
    ]
    for case in sorted(cases, key=lambda case: -float(case.get("time", 0))):
        outcome = "failed" if case in failed else "skipped" if case in skipped else "passed"
        if outcome != "passed" or float(case.get("time", 0)) >= 1:
            name = f"{case.get('classname')}::{case.get('name')}"
            lines.append(f"| {name} | {float(case.get('time', 0)):.1f} | {outcome} |")
    EVIDENCE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return code or int(bool(fuzzed["crashes"]))


if __name__ == "__main__":
    sys.exit(main())
