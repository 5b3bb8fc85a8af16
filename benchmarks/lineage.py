"""What lineage costs: `python -m benchmarks.lineage`, in one run on the micro study.

Prints ratios: a dry run with nothing to do against an empty workflow of Snakemake (and against
`dvc repro` on as many stages, if a dvc is on PATH or named by DISTIL_DVC); `distil verify` with a
cold cache against `sha256sum` on the same files; what leaving a record costs beside what the job
itself takes; and what one changed statement costs in requests, generated answers and seconds
against the whole.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import yaml

from distil.content.addresses import record_path
from distil.content.fingerprint import describe
from distil.content.hashing import canonical_json, sha256_file, sha256_text
from distil.lineage.record import leave_record
from tests.workflow.checkout import Checkout, copy_repository

LARGE = "large"
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


def recorded_files(study: Checkout, name: str) -> list[str]:
    """Return every file that the records of a study name."""
    names = set()
    for path in study.path.glob(f"results/{name}/lineage/*/*.json"):
        record = json.loads(path.read_text(encoding="utf-8"))
        names |= {row["path"] for side in ("input", "output") for row in record[side]}
    return sorted(names)


def write_adapters(study: Checkout) -> None:
    """Leave adapters as large as a 7B student's, with the record of a job that wrote them.

    On the micro study's files, a few megabytes, starting Python takes longer than hashing.
    """
    rng = np.random.default_rng(1)
    with contextlib.chdir(study.path):
        paths = [Path(f"results/{LARGE}/adapters/{number:05}.safetensors") for number in range(32)]
        paths[0].parent.mkdir(parents=True)
        for path in paths:
            path.write_bytes(rng.bytes(64 * 1024**2))
        fingerprint = describe("scripts/train_adapter.py")
        leave_record(
            record_path(LARGE, "train_adapter", {"seed": "1"}),
            {
                "format": 1,
                "rule": "train_adapter",
                "wildcards": {"study": LARGE, "seed": "1"},
                "params": {},
                "input": [],
                "output": [
                    {"name": None, "path": path.as_posix(), "sha256": sha256_file(path),
                     "size": path.stat().st_size}
                    for path in paths
                ],
                "script": "scripts/train_adapter.py",
                "code": sha256_text(canonical_json(fingerprint)),
                "fingerprint": fingerprint,
                "executables": {},
                "facts": {},
            },
            {"started": "2026-11-27T00:00:00.000+00:00", "seconds": 1.0},
        )  # fmt: skip


def verify_ratio(study: Checkout, name: str) -> tuple[float, float]:
    """Return `distil verify`'s throughput over `sha256sum`'s on a study's files, and their MB."""
    files = recorded_files(study, name)
    plain = seconds(["sha256sum", *files], study.path)
    code = f"from distil.audit.verify import verify; verify({name!r})"
    ours = seconds([sys.executable, "-c", code], study.path)
    return plain / ours, sum((study.path / path).stat().st_size for path in files) / 1e6


# A job that does nothing but leave its record, timed from the first import to the end.
RECORD_ONLY = """
import json, sys, time
from types import SimpleNamespace
start = time.perf_counter()
from distil.lineage.record import run
record = json.load(open(sys.argv[1]))

class Files(list):
    def __init__(self, rows):
        super().__init__(row["path"] for row in rows)
        self.names = [(row["name"], row["path"]) for row in rows if row["name"]]
    def items(self):
        return self.names

run(lambda: None, SimpleNamespace(
    rule=record["rule"], log=[], threads=1, config=json.loads(sys.argv[2]),
    input=Files(record["input"]), output=Files(record["output"]), resources={},
    params={"settings": record["params"], "code": record["code"]}, wildcards=record["wildcards"],
))
print(time.perf_counter() - start)
"""


def record_cost(study: Checkout) -> tuple[float, float]:
    """Return the seconds that a record costs a job (median over the rules), and their share."""
    config = json.dumps(yaml.safe_load((study.path / "config.micro.yaml").read_text()))
    runs = (study.path / "results/micro/lineage/runs.jsonl").read_text().splitlines()
    whole = {row["record"]: row["seconds"] for row in map(json.loads, runs)}
    costs, jobs = [], []
    for folder in sorted((study.path / "results/micro/lineage").iterdir()):
        for path in sorted(folder.glob("*.json"))[:1] if folder.is_dir() else []:
            done = subprocess.run(
                [sys.executable, "-c", RECORD_ONLY, str(path.relative_to(study.path)), config],
                cwd=study.path, check=True, capture_output=True, text=True,
            )  # fmt: skip
            costs.append(float(done.stdout))
            jobs.append(whole[path.relative_to(folder.parent).as_posix()])
    return statistics.median(costs), sum(costs) / sum(jobs)


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
        write_adapters(study)
        for name, what in (("micro", "micro study"), (LARGE, "adapters of a 7B student")):
            ratio, size = verify_ratio(study, name)
            print(f"verify / sha256sum, throughput, {what} ({size:.0f} MB): {ratio:.2f}")
        cost, share = record_cost(study)
        print(f"record / job, seconds: {share:.3f} ({cost:.2f} s a job)")
        for what, ratio in row_reuse(study).items():
            print(f"one changed statement / all, {what}: {ratio:.3f}")


if __name__ == "__main__":
    main()
