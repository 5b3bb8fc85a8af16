"""What a study file says of the student reaches Snakemake: resources and protocols."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
OVERRIDE = {
    "study": "asked",
    "adapters": {"protocols": ["prompt", "published"], "seeds": [1]},
    "student": {"resources": {"gpu": 1, "memory_mb": 3000, "minutes": 7}},
}


def test_jobs_that_open_the_student_ask_for_gpu_memory_and_time(tmp_path):
    path = tmp_path / "override.yaml"
    path.write_text(yaml.safe_dump(OVERRIDE))
    done = subprocess.run(
        [
            sys.executable, "-m", "snakemake", "-n", "--cores", "8",
            "--configfile", "config.micro.yaml", str(path),
        ],
        capture_output=True, text=True, cwd=ROOT, check=True,
    )  # fmt: skip
    jobs = re.split(r"^(?=(?:rule|checkpoint) )", done.stdout + done.stderr, flags=re.MULTILINE)
    opening = [
        job for job in jobs if job.startswith(("rule train_adapter", "rule predict_answers"))
    ]
    assert {"published" in job for job in opening} == {True, False}
    for job in opening:
        assert "gpu=1" in job
        assert "mem_mb=3000" in job
        assert "runtime=7" in job
    assert not any("gpu=" in job for job in jobs if job.startswith("rule collect_answers"))


JOBS = """
rule all:
    input: "a", "b"

rule job:
    output: "{name}"
    resources: gpu=1
    shell: "test ! -e busy && touch busy && sleep 0.5 && rm busy && touch {output}"
"""


def test_one_gpu_job_runs_at_a_time_whatever_the_cores(tmp_path):
    (tmp_path / "Snakefile").write_text(JOBS)
    done = subprocess.run(
        [
            sys.executable, "-m", "snakemake", "--cores", "8",
            "--workflow-profile", str(ROOT / "profiles" / "default"),
        ],
        capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
