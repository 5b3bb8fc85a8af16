"""What lineage costs: `python -m benchmarks.lineage`, in one run on the micro study.

Prints ratios: a dry run with nothing to do against an empty workflow of Snakemake, in seconds of
the processor, so that other work beside it counts for little, and on the clock; the same against
`dvc repro` on as many stages, if a dvc is on PATH or named by DISTIL_DVC; `distil verify` with a
cold cache against `sha256sum` on the same files; what bookkeeping and starting take of the seconds
of all jobs, of the sample study, too, where it has been run here; and what one changed statement
costs in requests, generated answers and seconds against the whole.
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

from distil.content.addresses import record_path
from distil.content.fingerprint import describe
from distil.content.hashing import canonical_json, sha256_file, sha256_text
from distil.lineage.record import leave_record
from tests.workflow.checkout import ROOT, Checkout, copy_repository

LARGE = "large"
EMPTY = "rule all:\n    input: []\n"
REPEATS = 5
CHILDREN = ("children_user", "children_system")


def seconds(command: list[str], folder: Path) -> float:
    """Return the median wall time of a command over `REPEATS` runs, a first one left out."""
    times = []
    for _ in range(REPEATS + 1):
        start = time.perf_counter()
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def compare_dry_runs(folder: Path, study: Path) -> tuple[float, float]:
    """Return a dry run with nothing to do over one of an empty workflow: processor, clock.

    The two take turns, and the medians are compared.
    """
    (folder / "Snakefile").write_text(EMPTY)
    command = [sys.executable, "-m", "snakemake", "-n", "--cores", "1"]
    places = {folder: command, study: [*command, "--configfile", "config.micro.yaml"]}
    found: dict[Path, list[tuple[float, float]]] = {place: [] for place in places}
    for _ in range(REPEATS + 1):
        for place, typed in places.items():
            start, before = time.perf_counter(), os.times()
            subprocess.run(typed, cwd=place, check=True, capture_output=True)
            after = os.times()
            cpu = sum(getattr(after, k) - getattr(before, k) for k in CHILDREN)
            found[place].append((cpu, time.perf_counter() - start))
    idle, ours = (
        [statistics.median(times) for times in zip(*found[place][1:], strict=True)]
        for place in places
    )
    return ours[0] / idle[0], ours[1] / idle[1]


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


def job_shares(top: Path) -> tuple[float, float, float]:
    """Return what a study's jobs spend on bookkeeping and on starting, as shares of their seconds.

    Args:
        top: results/STUDY of a finished study.

    Returns:
        Hashing inputs and outputs, describing code and writing the record: share, and seconds a job
        (median); and the share of Python's start and the imports of the script.

    Raises:
        ValueError: a job ran before `main` was timed; run the study anew.
    """
    lines = (top / "lineage" / "runs.jsonl").read_text(encoding="utf-8").splitlines()
    latest = {row["record"]: row for row in map(json.loads, lines)}
    if old := [name for name, row in latest.items() if "main_seconds" not in row]:
        raise ValueError(f"{top}: {old[0]} ran before `main` was timed; run the study anew")
    inside = [row["seconds"] - row["main_seconds"] for row in latest.values()]
    processes = 0.0
    for path in (top / "timings").rglob("*.tsv"):
        header, row = path.read_text(encoding="utf-8").splitlines()[:2]
        processes += float(dict(zip(header.split("\t"), row.split("\t"), strict=True))["s"])
    started = processes - sum(row["seconds"] for row in latest.values())
    return sum(inside) / processes, statistics.median(inside), started / processes


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
        cpu, wall = compare_dry_runs(folder / "empty", study.path)
        print(f"no-op dry run / empty workflow: {cpu:.2f} (on the clock {wall:.2f})")
        (folder / "dvc").mkdir()
        if dvc := dvc_repro(folder / "dvc", study):
            command = [sys.executable, "-m", "snakemake", "-n", "--cores", "1"]
            ours = seconds([*command, "--configfile", "config.micro.yaml"], study.path)
            print(f"no-op dry run / dvc repro: {ours / dvc:.2f}")
        else:
            print("dvc repro: no dvc found")
        write_adapters(study)
        for name, what in (("micro", "micro study"), (LARGE, "adapters of a 7B student")):
            ratio, size = verify_ratio(study, name)
            print(f"verify / sha256sum, throughput, {what} ({size:.0f} MB): {ratio:.2f}")
        for top in (study.path / "results" / "micro", ROOT / "results" / "sample"):
            if top.is_dir():
                share, cost, start = job_shares(top)
                print(f"bookkeeping / jobs, seconds, {top.name}: {share:.3f} ({cost:.2f} s a job)")
                print(f"start of Python and imports / jobs, seconds, {top.name}: {start:.3f}")
        for what, ratio in row_reuse(study).items():
            print(f"one changed statement / all, {what}: {ratio:.3f}")


if __name__ == "__main__":
    main()
