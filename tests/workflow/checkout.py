"""A copy of the repository to run and to change, and how to read what Snakemake did."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.workflow import dry_runs

ROOT = Path(__file__).resolve().parents[2]
JOB = re.compile(
    r"^(?:local)?(?:rule|checkpoint) (?P<rule>\w+):\n(?P<body>(?:    .*\n)+)", re.MULTILINE
)
WILDCARDS = re.compile(r"^    wildcards: (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Checkout:
    """A copy of the repository with (or without) a finished study in it."""

    path: Path

    def snakemake(
        self, *arguments: str, config: str = "config.micro.yaml", check: bool = True, **more
    ) -> subprocess.CompletedProcess:
        """Run `snakemake --cores 1` here, as a user would."""
        environment = {**os.environ, "DISTIL_TERMINAL": "snakemake", **more.pop("environment", {})}
        done = subprocess.run(
            [sys.executable, "-m", "snakemake", "--cores", "1", "--configfile", config, *arguments],
            cwd=self.path, capture_output=True, text=True, check=False, env=environment, **more,
        )  # fmt: skip
        if check and done.returncode:
            raise AssertionError(f"snakemake {arguments} failed:\n{done.stdout}\n{done.stderr}")
        return done

    def dry(
        self, *arguments: str, config: str = "config.micro.yaml"
    ) -> subprocess.CompletedProcess:
        """Run `snakemake` for what starts no job (`-n`, `--summary`), without loading it anew."""
        command = ["--cores", "1", "--configfile", config, *arguments]
        code, out, err = dry_runs.run(
            command, self.path, {**os.environ, "DISTIL_TERMINAL": "snakemake"}
        )
        if code:
            raise AssertionError(f"snakemake {arguments} failed:\n{out}\n{err}")
        return subprocess.CompletedProcess(command, code, out, err)

    def planned(self, *arguments: str, **more) -> set[str]:
        """Return the jobs a dry run would run, as `rule(wildcards)`, `all` left out."""
        return jobs(self.dry("-n", *arguments, **more))

    def ran(self, *arguments: str, **more) -> set[str]:
        """Run, and return the jobs that ran."""
        return jobs(self.snakemake(*arguments, **more))

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text in a file that must hold it."""
        path = self.path / name
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{name} does not hold {old!r}"
        path.unlink()  # the file may be a hard link into the copied study
        path.write_text(text.replace(old, new, 1), encoding="utf-8")


def jobs(done: subprocess.CompletedProcess) -> set[str]:
    """Read the jobs from what Snakemake printed: on one stream in a dry run, on the other else."""
    found = set()
    for match in JOB.finditer(f"{done.stdout}\n{done.stderr}"):
        if match["rule"] == "all":
            continue
        wildcards = WILDCARDS.search(match["body"])
        pairs = [pair for pair in wildcards[1].split(", ") if not pair.startswith("study=")]
        found.add(f"{match['rule']}({', '.join(sorted(pairs))})" if pairs else match["rule"])
    return found


def copy_repository(target: Path) -> Checkout:
    """Copy what git tracks or would track, and git's own folder, for tests of checkouts."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return Checkout(target)
