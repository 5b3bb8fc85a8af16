"""What lineage costs: `python -m benchmarks.lineage`, in one run on the micro study.

Prints ratios: a dry run with nothing to do against an empty workflow of Snakemake (and against
`dvc repro` on as many stages, if a dvc is on PATH or named by DISTIL_DVC); `audit verify` with a
cold cache against `sha256sum` on the same files; the record's share of a job; and what one changed
statement costs in requests, generated answers and seconds against the whole.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.workflow.checkout import Checkout, copy_repository

EMPTY = "rule all:\n    input: []\n"
REPEATS = 5


def seconds(command: list[str], folder: Path) -> float:
    """Return the median wall time of a command over `REPEATS` runs, a first one left out."""
    times = []
    for _ in range(REPEATS + 1):
        start = time.perf_counter()
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def empty_workflow(folder: Path) -> float:
    """Time Snakemake on a workflow without rules."""
    (folder / "Snakefile").write_text(EMPTY)
    return seconds([sys.executable, "-m", "snakemake", "-n", "--cores", "1"], folder)


def dvc_repro(folder: Path, study: Checkout) -> float | None:
    """Time `dvc repro` with nothing to do on as many stages and files as the study has jobs."""
    dvc = os.environ.get("DISTIL_DVC") or shutil.which("dvc")
    if not dvc:
        return None
    stages = {}
    for number, path in enumerate(sorted(study.path.glob("results/micro/lineage/*/*.json"))):
        record = json.loads(path.read_text(encoding="utf-8"))
        outputs = [f"{number}.out"]
        stages[f"job{number}"] = {
            "cmd": f"cp {study.path}/{record['output'][0]['path']} {outputs[0]}",
            "deps": [str(study.path / row["path"]) for row in record["input"]],
            "outs": outputs,
        }
    (folder / "dvc.yaml").write_text(json.dumps({"stages": stages}))
    for command in (["git", "init", "-q"], [dvc, "init", "-q"], [dvc, "repro", "-q"]):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return seconds([dvc, "repro", "-q"], folder)


def verify_ratio(study: Checkout) -> float:
    """Return the throughput of `audit verify` over that of `sha256sum` on the recorded files."""
    records = study.path.glob("results/micro/lineage/*/*.json")
    names = set()
    for path in records:
        record = json.loads(path.read_text(encoding="utf-8"))
        names |= {row["path"] for side in ("input", "output") for row in record[side]}
    # Large files tell about hashing, small ones about everything else.
    plain = seconds(["sha256sum", *sorted(names)], study.path)
    ours = seconds([sys.executable, "-m", "distil.audit", "--study", "micro", "verify"], study.path)
    return plain / ours


def row_reuse(study: Checkout) -> dict[str, float]:
    """Change one test-year statement, run, and count what was asked and generated anew."""
    history = study.path / "results" / "micro" / "lineage" / "runs.jsonl"
    before = [json.loads(line) for line in history.read_text().splitlines()]
    problems = study.path / "results" / "micro" / "problems" / "2014.jsonl"
    rows = problems.read_text(encoding="utf-8").splitlines()
    first = json.loads(rows[0])
    first["statement"] += " Show your work."
    problems.write_text("\n".join([json.dumps(first, sort_keys=True), *rows[1:]]) + "\n")
    start = time.perf_counter()
    study.snakemake()
    spent = time.perf_counter() - start
    after = [json.loads(line) for line in history.read_text().splitlines()][len(before) :]

    def generated(rows: list[dict]) -> int:
        return sum(row.get("new", 0) for row in rows)

    def asked(rows: list[dict]) -> int:
        return sum(row.get("teacher", {}).get("asked_now", 0) for row in rows)

    return {
        "seconds": spent / sum(row["seconds"] for row in before),
        "answers generated anew": generated(after) / generated(before),
        "requests sent anew": asked(after) / asked(before),
    }


def main() -> None:
    """Print each ratio on a line."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        study = copy_repository(folder / "repository")
        study.snakemake()
        (folder / "empty").mkdir()
        idle = empty_workflow(folder / "empty")
        ours = seconds(
            [sys.executable, "-m", "snakemake", "-n", "--cores", "1",
             "--configfile", "config.micro.yaml"], study.path,
        )  # fmt: skip
        print(f"no-op dry run / empty workflow: {ours / idle:.2f}")
        (folder / "dvc").mkdir()
        dvc = dvc_repro(folder / "dvc", study)
        print(f"no-op dry run / dvc repro: {ours / dvc:.2f}" if dvc else "dvc repro: no dvc found")
        print(f"verify / sha256sum, throughput: {verify_ratio(study):.2f}")
        for what, ratio in row_reuse(study).items():
            print(f"one changed statement / all, {what}: {ratio:.3f}")


if __name__ == "__main__":
    main()
