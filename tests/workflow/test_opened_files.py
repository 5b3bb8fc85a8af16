"""What jobs open, seen from outside by strace, against what their rules declare.

The audit hook of a job (distil/lineage/guard.py) does not see files that C code opens: pyarrow,
OpenCV, safetensors, mlx. strace sees every process and library. `make torture` runs every job of the
micro study so; otherwise those that use such libraries most do.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TORTURE = bool(os.environ.get("DISTIL_TORTURE"))
# Rules and the one file that is asked for.
ASKED = {
    "predict_answers": "results/micro/predictions/base.parquet",
    "judge_claims": "results/micro/claims/claims.csv",
}
CALL = re.compile(
    r"^(?P<pid>\d+) +(?P<call>openat|open|execve|clone3?|v?fork)\((?P<inside>.*)\) += (?P<result>-?\d+)"
)
RESUMED = re.compile(r"^(?P<pid>\d+) +<\.\.\. (?P<call>\w+) resumed>.*\) += (?P<result>-?\d+)")
UNFINISHED = re.compile(r"^(?P<pid>\d+) +(?P<call>\w+)\((?P<inside>.*) <unfinished \.\.\.>")
SCRIPT = re.compile(r"\.snakemake/scripts/tmp\w+\.(\w+)\.py")
PATH = re.compile(r'"((?:[^"\\]|\\.)*)"')


def opened(trace: Path) -> dict[str, set[str]]:
    """Return {rule: paths that its jobs, and the processes they started, opened}."""
    rules: dict[str, str] = {}
    parent: dict[str, str] = {}
    begun: dict[tuple[str, str], str] = {}
    found: dict[str, set[str]] = {}
    for line in trace.read_text(errors="replace").splitlines():
        if half := UNFINISHED.match(line):
            begun[half["pid"], half["call"]] = half["inside"]
            continue
        if rest := RESUMED.match(line):
            pid, call, result = rest["pid"], rest["call"], int(rest["result"])
            inside = begun.pop((pid, call), "")
        elif whole := CALL.match(line):
            pid, call, result = whole["pid"], whole["call"], int(whole["result"])
            inside = whole["inside"]
        else:
            continue
        if result < 0:
            continue
        if call.startswith(("clone", "fork", "vfork")):
            parent[str(result)] = pid
        elif call == "execve" and (script := SCRIPT.search(inside)):
            rules[pid] = script[1]
        elif call in ("open", "openat") and (path := PATH.search(inside)):
            one = pid
            while one not in rules and one in parent:
                one = parent[one]
            if one in rules:
                found.setdefault(rules[one], set()).add(path[1])
    return found


def declared(study: Path, rule: str) -> set[str]:
    """Return what the jobs of a rule declare, from their records; a model's lock stands for it."""
    files = set()
    for path in (study / "results/micro/lineage" / rule).glob("*.json"):
        record = json.loads(path.read_text())
        for row in (*record["input"], *record["output"]):
            files.add(row["path"])
            if row["path"].endswith(".lock.json"):
                locked = json.loads((study / row["path"]).read_text())["files"]
                files |= {str(Path(row["path"]).parent / name) for name in locked}
    return files


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("rule", ["all"] if TORTURE else ASKED)
def test_jobs_open_what_their_rules_declare_and_nothing_else(study, tmp_path, rule):
    trace = tmp_path / "trace"
    forced = ["--forceall"] if rule == "all" else ["--forcerun", rule, "--", ASKED[rule]]
    done = subprocess.run(
        ["strace", "-f", "-qq", "-s", "4096", "-e", "signal=none",
         "-e", "trace=open,openat,execve,clone,clone3,fork,vfork", "-o", str(trace),
         sys.executable, "-m", "snakemake", "--cores", "1", "--configfile", "config.micro.yaml",
         *forced],
        cwd=study.path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "ptrace" in done.stderr and "not permitted" in done.stderr.lower():
        pytest.skip("this machine lets nobody trace processes")
    assert done.returncode == 0, done.stderr
    found = opened(trace)
    assert found.keys() >= ({rule} if rule != "all" else {"train_adapter", "extract_problems"})
    code = tuple(f"{study.path}/{name}/" for name in ("distil", "scripts", ".snakemake", ".venv"))
    # What the record keeper itself reads and writes, outside `main`.
    kept = ("results/micro/lineage", "results/micro/logs", "state/micro", "requirements.lock")
    for name, paths in found.items():
        known = {str(study.path / path) for path in declared(study.path, name)}
        folders = {str(Path(path).parent) for path in known}
        for path in paths:
            full = os.path.normpath(study.path / path)
            if not full.startswith(f"{study.path}/") or full in known or full in folders:
                continue
            if full.startswith((*code, sys.prefix)) or Path(full).is_dir():
                continue
            inside = full.removeprefix(f"{study.path}/")
            if inside.startswith(kept) or Path(full).name.startswith("."):
                continue
            raise AssertionError(f"{name} opened {inside}, which its rule does not declare")
