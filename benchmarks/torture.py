"""Run every fault test at its full count and write the evidence, docs/torture.md.

`make torture`. It takes the modules of tests whose counts are greater here than in `make test`, and
those that draw examples at random, which are new ones here (`modules`). The evidence names the
commit, the machine and each test with its seconds; a dirty checkout is said to be one, since nobody
could repeat it. A run that was broken off is taken up again at the same commit: tests that passed
are not run twice (build/torture/COMMIT.jsonl).
"""

from __future__ import annotations

import collections
import os
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import fuzzing, outcomes  # noqa: E402

EVIDENCE = ROOT / "docs" / "torture.md"
FUZZ_SECONDS = 600
NOTHING_LEFT = 5  # pytest, where every test was passed before
# Where tests are looked for.
SUITES = ("tests/front", "tests/workflow", "tests/faults", "tests/unit")


def git(*arguments: str) -> str:
    """Return what git says."""
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()


def modules() -> list[str]:
    """Return the modules of tests that do more here than in `make test`."""
    return sorted(
        path.relative_to(ROOT).as_posix()
        for suite in SUITES
        for path in (ROOT / suite).rglob("test_*.py")
        if re.search("TORTURE|import hypothesis|from hypothesis", path.read_text(encoding="utf-8"))
    )


def main() -> int:
    """Run, write, and return pytest's exit code, or 1 if fuzzing found a crash."""
    commit, dirty = git("rev-parse", "HEAD"), bool(git("status", "--porcelain"))
    file = ROOT / "build" / "torture" / f"{commit}.jsonl"
    if dirty:
        file.unlink(missing_ok=True)
    found = outcomes.read_outcomes(file)
    passed = [name for name, row in found.items() if row["outcome"] == "passed"]
    code = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", *modules(), "-p", "benchmarks.outcomes"),
            *("--timeout=14400", "-n", "2", "--dist", "loadscope", "--no-loadscope-reorder"),
            *(f"--deselect={name}" for name in passed),
        ],
        cwd=ROOT,
        env={**os.environ, "DISTIL_TORTURE": "1", outcomes.VARIABLE: str(file)},
        check=False,
    ).returncode
    with tempfile.TemporaryDirectory() as folder:
        fuzzed = fuzzing.run(FUZZ_SECONDS, Path(folder))
    cases = outcomes.read_outcomes(file)
    counts = collections.Counter(row["outcome"] for row in cases.values())
    lines = [
        "# Evidence of `make torture`",
        "",
        f"Commit {commit}{' with uncommitted changes' if dirty else ''}, Python "
        f"{platform.python_version()}, {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores.",
        "",
        f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped, "
        "of the modules that do more here than in `make test`.",
        "",
        f"Fuzzing of exams by {fuzzed['engine']}: {fuzzed['readings']} readings of changed pages "
        f"({fuzzed['seeds']} to start from) in {fuzzed['seconds']} s; {fuzzed['deaths']} ended "
        f"the process and became an error of the exam; crashes: "
        f"{', '.join(fuzzed['crashes']) or 'none'}.",
        "",
        "| test | seconds | outcome |",
        "|---|---|---|",
    ]
    for row in sorted(cases.values(), key=lambda row: -row["seconds"]):
        if row["outcome"] != "passed" or row["seconds"] >= 1:
            lines.append(f"| {row['test']} | {row['seconds']:.1f} | {row['outcome']} |")
    EVIDENCE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return (code if code != NOTHING_LEFT else 0) or int(bool(fuzzed["crashes"]))


if __name__ == "__main__":
    sys.exit(main())
