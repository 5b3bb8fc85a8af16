"""Time and memory of a plan (`snakemake -n`) against the number of its jobs.

    python -m benchmarks.plans [FOLDS ...]

The sample study with more folds, an adapter for each level beside the common one, and four ways to
stop, as the paper study has them: 5 further folds make about 850 jobs, 40 about 5,000. Every
checkpoint counts as settled, or nothing below it would be planned; nothing is run. Each plan is
made in a process of its own; it prints jobs, CPU seconds, MB.
"""

from __future__ import annotations

import contextlib
import io
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from distil.audit.planned import settled

ROOT = Path(__file__).resolve().parents[1]
FOLDS = (5, 26, 40)
ALONE = "--alone"  # of the process that makes one plan


def write_study(folds: int, target: Path) -> None:
    """Write the sample study's file with further folds and every kind of adapter and stop."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    fold = config["folds"]["temporal"]
    config["study"] = "plans"
    config["folds"] = {"temporal": fold, **{f"fold{n}": fold for n in range(folds)}}
    config["adapters"]["protocols"] = ["prompt", "adapter"]
    config["predictions"]["stops"] = ["nested", "pilot", "seed", "horizon"]
    target.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


def plan(config: str) -> None:
    """Plan a study with every checkpoint settled, and print jobs, CPU seconds and MB."""
    from snakemake.cli import main as snakemake

    told = io.StringIO()
    with (
        settled(),
        contextlib.suppress(SystemExit),
        contextlib.redirect_stdout(told),
        contextlib.redirect_stderr(told),
    ):
        snakemake(["-n", "--cores", "1", "--configfile", config])
    found = re.search(r"^total\s+(\d+)", told.getvalue(), re.M)
    if not found:
        raise SystemExit(told.getvalue()[-2000:])
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{int(found[1]):,} jobs  {time.process_time():.0f} CPU s  {memory:.0f} MB", flush=True)


def main(folds: list[int]) -> None:
    """Plan one study after the other."""
    with tempfile.TemporaryDirectory() as folder:
        for number in folds:
            config = Path(folder, f"config.{number}.yaml")
            write_study(number, config)
            command = [sys.executable, "-m", "benchmarks.plans", ALONE, str(config)]
            subprocess.run(command, cwd=ROOT, check=True)


if __name__ == "__main__":
    if sys.argv[1:2] == [ALONE]:
        plan(sys.argv[2])
    else:
        main([int(number) for number in sys.argv[1:]] or list(FOLDS))
