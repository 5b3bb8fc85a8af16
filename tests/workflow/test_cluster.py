"""What a cluster is asked for, and what it must not do: pay twice, or wait for the dead."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from distil.lineage import history
from distil.study.needs import NEEDS
from tests.workflow.checkout import ROOT, Checkout, copy_repository

ASKED = {
    "resources": {
        "default": {"partition": "long", "account": "maths"},
        "train_adapter": {"gpu_model": "a100", "constraint": "nvme", "cpus": 3, "qos": "high"},
        "collect_answers": {"mem_mb": 5123},
    },
    "student": {"resources": {"gpu": 1, "memory_mb": 3000, "minutes": 7}},
}


def override(study: Checkout, **changes) -> str:
    (study.path / "override.yaml").write_text(yaml.safe_dump(changes), encoding="utf-8")
    return "override.yaml"


def test_every_job_asks_for_memory_time_and_processors_and_a_study_file_overrides(study):
    asked = study.dry(
        "-n", "--forceall", "--configfile", "config.micro.yaml", override(study, **ASKED)
    )
    jobs = re.findall(r"^(?:rule|checkpoint) (\w+):\n((?:    .*\n)+)", asked.stdout, re.M)
    assert len(jobs) > 30
    for rule, text in jobs:
        if rule == "all":
            continue
        for name in ("mem_mb", "runtime", "cpus_per_task"):
            assert f"{name}=" in text, rule
        assert "slurm_partition=long" in text
        assert "slurm_account=maths" in text
        assert ("gpu=1" in text) == (rule in ("train_adapter", "predict_answers"))
        assert ("teacher=1" in text) == NEEDS[rule].teacher if rule in NEEDS else True
    texts = dict(jobs)
    for part in ("gpu_model=a100", "constraint=nvme", "cpus_per_task=3", "qos=high", "mem_mb=3000", "runtime=7"):  # fmt: skip
        assert part in texts["train_adapter"]
    assert "mem_mb=5123" in texts["collect_answers"]
    assert "gpu_model" not in texts["predict_answers"]


def test_resources_rerun_nothing(study):
    assert study.planned("--configfile", "config.micro.yaml", override(study, **ASKED)) == set()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"train_adaptor": {"gpu": 1}}, "resources.train_adaptor: no rule has this name; did you mean train_adapter?"),
        ({"train_adapter": {"local": True}}, "resources.train_adapter.local: cannot be chosen for this rule"),
        ({"train_adapter": {"memory": 1}}, "resources.train_adapter.memory: unknown key"),
    ],
)  # fmt: skip
def test_a_rule_or_key_that_there_is_not_is_named(study, asked, said):
    done = study.snakemake(
        "-n", "--configfile", "config.micro.yaml", override(study, resources=asked), check=False
    )
    assert done.returncode
    assert said in done.stdout + done.stderr


SBATCH = """#!{python}
import json, sys
with open({log!r}, "a") as stream:
    stream.write(json.dumps(sys.argv[1:]) + "\\n")
sys.exit("refused")
"""


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """Commands that stand where Slurm's would; sbatch notes what it is asked for and refuses."""
    programs = tmp_path / "programs"
    programs.mkdir()
    log = tmp_path / "sbatch.jsonl"
    texts = {
        "sbatch": SBATCH.format(python=sys.executable, log=str(log)),
        **dict.fromkeys(("squeue", "sinfo", "scontrol", "scancel"), "#!/bin/sh\n"),
        # Those of a Slurm that is installed here would ask for its accounts.
        **dict.fromkeys(("sacctmgr", "sshare"), "#!/bin/sh\necho maths\n"),
    }
    for name, text in texts.items():
        (programs / name).write_text(text)
        (programs / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    return log


def test_training_asks_slurm_for_a_gpu_and_what_the_study_file_says(study, slurm):
    config = override(study, adapters={"seeds": [1, 2, 3]}, **ASKED)
    done = study.snakemake(
        "--workflow-profile", "profiles/slurm", "--retries", "0",
        "--configfile", "config.micro.yaml", config, check=False,
    )  # fmt: skip
    assert done.returncode
    calls = [" ".join(json.loads(line)) for line in slurm.read_text().splitlines()]
    training = [call for call in calls if "rule_train_adapter" in call]
    assert len(training) == 1, calls
    for part in ("-p long", "-A maths", "-t 7", "-C nvme", "--mem 3000", "--gpus=a100:1", "--qos=high"):  # fmt: skip
        assert part in training[0]
    assert re.search(r"-gpu=3|-task=3", training[0])
    # Seconds of work, and all that pays, is not submitted.
    assert not [call for call in calls if "rule_split" in call or "rule_solve" in call]


def test_profile_whose_limits_would_not_hold_is_refused(study, slurm):
    done = study.snakemake(
        "--profile", "profiles/slurm", "--forcerun", "collect_answers", check=False
    )
    assert done.returncode
    assert "give the profile as --workflow-profile" in done.stdout + done.stderr
    assert not slurm.exists()


def test_jobs_beside_each_other_get_a_gpu_each(study):
    config = override(study, adapters={"seeds": [1, 2, 3, 4]}, student=ASKED["student"])
    study.snakemake(
        "--cores", "2", "--resources", "gpu=2", "--until", "train_adapter",
        "--configfile", "config.micro.yaml", config, environment={"CUDA_VISIBLE_DEVICES": "4,7"},
    )  # fmt: skip
    rows, _ = history.read(study.path / "results/micro/lineage/runs.jsonl")
    used = {row["record"]: row["gpu"] for row in rows if row.get("gpu")}
    assert len(used) == 2
    assert set(used.values()) == {"4", "7"}


# Python reads it at its start, in every job: nothing of the study can be locked.
WITHOUT_FLOCK = """
import errno, fcntl, os
real = fcntl.flock

def flock(handle, kind):
    if os.readlink(f"/proc/self/fd/{handle}").startswith((FOLDER + "/state", FOLDER + "/results")):
        open("/proc/self/cwd/refused", "a").close()
        raise OSError(errno.ENOSYS, "Function not implemented")
    real(handle, kind)

fcntl.flock = flock
"""


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="files are looked up in /proc")
def test_jobs_run_where_the_file_system_has_no_flock(tmp_path):
    study = copy_repository(tmp_path / "repository")
    site = f"FOLDER = {str(study.path)!r}\n{WITHOUT_FLOCK}"
    (study.path / "sitecustomize.py").write_text(site, encoding="utf-8")
    wanted = "results/micro/exams/truth.jsonl"
    study.snakemake("--", wanted, environment={"PYTHONPATH": str(study.path)})
    assert (study.path / wanted).is_file()
    assert (study.path / "refused").exists()
    assert not list(study.path.glob("state/**/*.lease"))
    assert not list(study.path.glob("results/**/*.lease"))


START = """
case ":$PATH:" in *:/usr/sbin:*) echo "daemons are found" ;; esac
exit 3
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="Slurm is started by root alone")
def test_a_slurm_that_does_not_start_ends_the_cluster_test_with_its_name(tmp_path):
    (tmp_path / "start.sh").write_text(START)
    silent = tmp_path / "bin" / "sinfo"  # in place of one that may answer here
    silent.parent.mkdir()
    silent.write_text("#!/bin/sh\nexit 1\n")
    silent.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.cluster", "--slurm", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "PATH": f"{silent.parent}:/usr/bin:/bin"},
    )  # fmt: skip
    assert done.returncode == 1
    assert "daemons are found" in done.stdout
    assert f"{tmp_path / 'start.sh'} ended with 3" in done.stderr
