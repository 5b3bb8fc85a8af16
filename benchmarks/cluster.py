"""Studies on a real Slurm: the bytes of a local run, and four kinds of kill; docs/cluster-test.md.

    python -m benchmarks.cluster [STUDY_FILE ...] [--slurm FOLDER] [--no-kills]
    python -m benchmarks.cluster --rehearsal small|full [--slurm FOLDER]

`make cluster-test`. Each study file is run locally and through profiles/slurm, each in a copy of
the repository under build/cluster-test, and all results and records are compared by sha256. The
first study is then run once more while its jobs are killed: by scancel, by a node that goes down,
by a time limit, and by the death of Snakemake itself, which is started again with the same command.
`--rehearsal` runs the rehearsal of the paper study (benchmarks/rehearsal.py) instead, whose teacher
answers from this process, and holds what Slurm made of it against the transcription as well. Each
of the two renews its own section of the evidence, which names its commit.

It takes the Slurm that it finds, or starts one on this machine by FOLDER/start.sh; where there is
neither, it says so and does nothing. Minutes, and no part of the tests.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import rehearsal  # noqa: E402
from distil.lineage import history, locks  # noqa: E402
from distil.study.terminal import read_progress  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

EVIDENCE = ROOT / "docs" / "cluster-test.md"
SECTIONS = ("Studies and kills", "The rehearsal of the paper study")
FOLDER = ROOT / "build" / "cluster-test"
# Kept beside the results; they differ from run to run and no result depends on them.
ASIDE = ("logs", "timings")
ASIDE_FILES = (history.RUNS, history.VERSIONS, history.CHAIN, "run.js")
LONGEST = 1800


class Study(NamedTuple):
    """A study that is run.

    Attributes:
        label: what the evidence calls it.
        file: its study file.
        name: its name.
        source: the folder of which each run takes a copy.
        targets: what Snakemake is asked for; nothing asks for all of it.
    """

    label: str
    file: str
    name: str
    source: Path
    targets: tuple[str, ...] = ()

    def command(self, *arguments: str) -> list[str]:
        """Return the command that runs it with some arguments."""
        snakemake = [sys.executable, "-m", "snakemake", "--configfile", self.file, *arguments]
        return [*snakemake, "--", *self.targets] if self.targets else snakemake


class Kill(NamedTuple):
    """A kill that was made: its kind, the job, what the cluster or Snakemake said of it."""

    kind: str
    job: str
    outcome: str


class Failed(RuntimeError):  # noqa: N818 - what the test found
    """The test found something that must not be."""


# ---------------------------------------------------------------------------------------- Slurm


def slurm(*command: str) -> str:
    """Return what a command of Slurm prints; empty where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def find_slurm(folder: Path) -> str | None:
    """Return why there is no Slurm; None once one answers. Exit where its start fails."""
    if shutil.which("sinfo") and slurm("sinfo", "--noheader"):
        return None
    script = folder / "start.sh"
    if not script.is_file():
        return f"no sinfo answers here, and there is no {script}"
    if os.geteuid():
        return f"no sinfo answers here, and {script} needs root"
    # The daemons, and what starts them, lie where only root's PATH leads.
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    started = subprocess.run(
        ["bash", script, str(FOLDER / "slurm")], check=False, env={**os.environ, "PATH": path}
    )
    if started.returncode:
        raise SystemExit(f"cluster-test: {script} ended with {started.returncode}")
    return None


# ----------------------------------------------------------------------------------------- runs


def copy_source(target: Path) -> Path:
    """Copy what git tracks or would track: all runs are of this one state."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    shutil.rmtree(target, ignore_errors=True)
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target


def copy(study: Study, kind: str) -> Path:
    """Return a copy of a study's source for one run."""
    target = FOLDER / f"{study.name}-{kind}"
    shutil.rmtree(target, ignore_errors=True)
    return Path(shutil.copytree(study.source, target))


ON_SLURM = (
    "--workflow-profile", "profiles/slurm", "--slurm-init-seconds-before-status-checks", "5",
    "--latency-wait", "20",
)  # fmt: skip


def run(folder: Path, study: Study, *arguments: str) -> float:
    """Run a study in a copy and return the seconds on the clock.

    Raises:
        Failed: it did not end well.
    """
    clock = time.monotonic()
    with (folder / "output.log").open("w") as log:
        code = subprocess.run(
            study.command(*arguments), cwd=folder, stdout=log, stderr=log, check=False
        ).returncode
    if code:
        raise Failed(f"{folder}: snakemake {' '.join(arguments)} ended with {code}; see output.log")
    return time.monotonic() - clock


def require_settled(folder: Path, study: Study) -> None:
    """Raise Failed unless nothing is left to do and everything verifies."""
    planned = subprocess.run(
        study.command("-n", *ON_SLURM), cwd=folder, capture_output=True, text=True, check=False
    )
    if "Nothing to be done" not in planned.stdout + planned.stderr:
        raise Failed(f"{folder}: something is left to do:\n{planned.stdout[-2000:]}")
    checked = subprocess.run(
        [sys.executable, "-m", "distil", "verify", "--study", study.name],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if checked.returncode:
        raise Failed(f"{folder}: distil verify: {checked.stdout[-2000:]}{checked.stderr[-2000:]}")


def contents(folder: Path, name: str) -> dict[str, str]:
    """Return the sha256 of every result and record of a study."""
    top = folder / "results" / name
    return {
        path.relative_to(top).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(top.rglob("*"))
        if path.is_file()
        and path.relative_to(top).parts[0] not in ASIDE
        and path.name not in ASIDE_FILES
    }


def compare(one: dict[str, str], other: dict[str, str]) -> int:
    """Return how many files are equal; raise Failed where one is not."""
    if differing := sorted(
        path for path in one.keys() | other.keys() if one.get(path) != other.get(path)
    ):
        raise Failed(f"{len(differing)} files differ: {', '.join(differing[:5])}")
    return len(one)


# ---------------------------------------------------------------------------------------- kills


class Twins(threading.Thread):
    """Watches whether two jobs of the cluster ever do the same at one time."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.found: set[str] = set()
        self.ended = threading.Event()

    def run(self) -> None:
        """Look once a second."""
        while not self.ended.wait(1.0):
            running = slurm("squeue", "--noheader", "--states=R", "--format=%k").splitlines()
            self.found |= {what for what in running if running.count(what) > 1}


def changed(path: Path) -> float:
    """Return when a file was last written."""
    return path.stat().st_mtime


class Killed:
    """A run of a study whose jobs are killed.

    Args:
        folder: a copy of the repository, which is this process's folder.
        study: the study.
    """

    def __init__(self, folder: Path, study: Study) -> None:
        self.folder, self.study = folder, study
        self.log = (folder / "output.log").open("ab")
        self.start()

    def start(self) -> None:
        """Start Snakemake: always the same command."""
        self.snakemake = subprocess.Popen(
            self.study.command(*ON_SLURM), cwd=self.folder, stdout=self.log, stderr=self.log
        )

    def said(self) -> str:
        """Return all that the run has said."""
        return (self.folder / "output.log").read_text(errors="replace")

    def meet(self, rule: str) -> locks.AtWork:
        """Wait until a job of a rule has done part of its work, and stop it there."""
        name, limit = self.study.name, time.monotonic() + LONGEST
        while time.monotonic() < limit:
            if self.snakemake.poll() is not None:
                raise Failed(f"the run ended before a job of {rule} was met; see output.log")
            logs = sorted(Path("results", name, "logs", rule).rglob("*.log"), key=changed)
            for job in locks.at_work(name):
                if job.record.parent.name != rule or not job.holder.get("slurm"):
                    continue
                if logs and read_progress(logs[-1]):
                    try:
                        os.kill(job.holder["pid"], signal.SIGSTOP)
                    except ProcessLookupError:
                        continue
                    return job
            time.sleep(0.1)
        raise Failed(f"no job of {rule} was met in {LONGEST} s")

    def await_said(self, text: str) -> None:
        """Wait until the run has said something."""
        limit = time.monotonic() + LONGEST
        while text not in self.said():
            if time.monotonic() > limit or self.snakemake.poll() is not None:
                raise Failed(f"the run never said {text!r}; see {self.folder / 'output.log'}")
            time.sleep(0.5)

    def scancel(self, job: locks.AtWork) -> str:
        """Cancel a job."""
        slurm("scancel", job.holder["slurm"])
        self.await_said(f"SLURM-job '{job.holder['slurm']}' failed, SLURM status is: 'CANCELLED'")
        return "CANCELLED; started again by Snakemake"

    def time_limit(self, job: locks.AtWork) -> str:
        """Let a job, which is stopped, exceed its time."""
        slurm("scontrol", "update", f"JobId={job.holder['slurm']}", "TimeLimit=1")
        self.await_said(f"SLURM-job '{job.holder['slurm']}' failed, SLURM status is: 'TIMEOUT'")
        return "TIMEOUT; started again by Snakemake"

    def node_down(self, job: locks.AtWork) -> str:
        """Take the node of a job down for a while."""
        number = job.holder["slurm"]
        node = slurm("squeue", "--noheader", f"--jobs={number}", "--format=%N")
        slurm("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=cluster-test")
        time.sleep(5)
        state = slurm("squeue", "--noheader", f"--jobs={number}", "--states=all", "--format=%T")
        slurm("scontrol", "update", f"NodeName={node}", "State=RESUME")
        if state == "RUNNING":
            raise Failed(f"job {number} outlived its node")
        who = "Slurm" if state == "PENDING" else "Snakemake"
        return f"{state} while {node} was down; started again by {who}"

    def snakemake_killed(self, job: locks.AtWork) -> str:
        """Kill Snakemake and start it again; the job lives on, and holds its lock."""
        self.snakemake.kill()
        self.snakemake.wait()
        self.start()
        self.await_said(f"cancelled {job.record.parent.name} (Slurm job {job.holder['slurm']})")
        return "left behind at work; cancelled by the next Snakemake, whose own job went on"


KILLS = (
    ("scancel", "train_adapter", Killed.scancel),
    ("node down", "train_adapter", Killed.node_down),
    ("Snakemake killed", "train_adapter", Killed.snakemake_killed),
    ("time limit", "predict_answers", Killed.time_limit),
)


def kill_jobs(folder: Path, study: Study) -> Iterator[Kill]:
    """Run a study to its end while its jobs are killed; yield each kill."""
    os.chdir(folder)
    twins = Twins()
    twins.start()
    run = Killed(folder, study)
    try:
        for kind, rule, kill in KILLS:
            job = run.meet(rule)
            yield Kill(kind, f"{rule} {job.record.stem}", kill(run, job))
        if code := run.snakemake.wait(timeout=LONGEST):
            raise Failed(f"the killed run ended with {code}; see {folder / 'output.log'}")
    finally:
        twins.ended.set()
        if run.snakemake.poll() is None:
            run.snakemake.terminate()
    if twins.found:
        raise Failed(f"ran twice at one time: {', '.join(sorted(twins.found))}")


# ---------------------------------------------------------------------------------- the rehearsal


def prepare_rehearsal(release: Path, address: str, small: bool) -> Study:
    """Lay the rehearsal of the paper study out: its study file, its papers, its model."""
    source = FOLDER / "rehearsal-source"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(FOLDER / "source", source)
    os.chdir(source)
    model = rehearsal.FOLDER / "model"
    math500 = rehearsal.find_math500(None)
    rehearsal.write_study(release, math500, address, model.as_posix(), small)
    rehearsal.make_model(model, release)
    subprocess.run(
        [sys.executable, "-m", "distil", "fetch", rehearsal.STUDY, "--from", str(release)],
        check=True,
    )
    target, size = rehearsal.target(small), "small" if small else "full"
    study = yaml.safe_load(rehearsal.CONFIG.read_text(encoding="utf-8"))
    trained = study["adapters"]
    asked = len((rehearsal.FOLDER / "math500.jsonl").read_bytes().splitlines())
    label = (
        f"the {size} rehearsal of the paper study (papers of {len(study['exams']['years'])} years, "
        f"{asked} questions of MATH-500, levels {', '.join(study['levels'])}, "
        f"{len(trained['seeds'])} seeds and {trained['horizon']} steps a training, up to the stage "
        f"`{target}`)"
    )
    return Study(label, rehearsal.CONFIG.as_posix(), rehearsal.STUDY, source, (target,))


def compare_with_transcription(folder: Path, release: Path) -> int:
    """Return how many comparisons a rehearsal holds; raise Failed where one does not."""
    os.chdir(folder)
    total = 0
    for what, expected, seen in rehearsal.check_results(release):
        total += 1
        if expected != seen:
            raise Failed(f"{folder}: {what}: expected {expected}, seen {seen}")
    return total


# -------------------------------------------------------------------------------------- evidence


def describe_state() -> str:
    """Name the commit, and say whether anything was changed since."""

    def git(*arguments: str) -> str:
        asked = ["git", *arguments]
        return subprocess.run(
            asked, cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.strip()

    # The evidence of the other section, new or not, is nothing that is run.
    changes = git("status", "--porcelain", "--", ".", f":!{EVIDENCE.relative_to(ROOT)}")
    dirty = " with uncommitted changes" if changes else ""
    return f"Commit {git('rev-parse', 'HEAD')}{dirty}"


def write_evidence(
    section: str, state: str, ran: list[str], kills: list[Kill], failure: str | None
) -> None:
    """Write a section of docs/cluster-test.md; leave the other as it is."""
    lines = [
        f"{state}; {slurm('sinfo', '--version')}, "
        f"{slurm('sinfo', '--noheader', '--format=%D')} node, accounting off or not asked; Python "
        f"{platform.python_version()}. Figures are seconds on the clock of a machine that did "
        "other work as well.",
        "",
        f"Outcome: {failure or 'all as it should be'}.",
        "",
        *ran,
    ]
    if kills:
        lines += ["", "| kill | job | what became of it |", "|---|---|---|"]
        lines += [f"| {kill.kind} | `{kill.job}` | {kill.outcome} |" for kill in kills]
    _, *parts = re.split(r"^## (.*)\n", EVIDENCE.read_text(encoding="utf-8"), flags=re.M)
    found = dict(zip(parts[::2], parts[1::2], strict=True))
    found[section] = "\n".join(lines)
    text = "\n\n".join(f"## {name}\n\n{found[name].strip()}" for name in SECTIONS if name in found)
    EVIDENCE.write_text(f"# Evidence of `make cluster-test`\n\n{text}\n", encoding="utf-8")


def check_study(study: Study, cores: str) -> str:
    """Run a study locally and on Slurm; return what the evidence says of it."""
    local = copy(study, "local")
    seconds = run(local, study, "--cores", cores)
    cluster = copy(study, "slurm")
    on_slurm = run(cluster, study, *ON_SLURM)
    require_settled(cluster, study)
    equal = compare(contents(local, study.name), contents(cluster, study.name))
    return (
        f"- {study.label}: {equal} of {equal} files byte-equal to a local run (logs, timings and "
        f"histories aside); {seconds:.0f} s locally, {on_slurm:.0f} s on Slurm; nothing "
        "left to do; `distil verify` finds nothing."
    )


def check_studies(asked: argparse.Namespace, ran: list[str], kills: list[Kill]) -> None:
    """Run studies, and kill jobs of the first; add what the evidence says to `ran` and `kills`.

    Raises:
        Failed: something is not as it should be.
    """
    for file in asked.studies:
        name = yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))["study"]
        study = Study(file, file, name, FOLDER / "source")
        ran.append(check_study(study, asked.cores))
        print(ran[-1], flush=True)
        if file == asked.studies[0] and not asked.no_kills:
            killed = copy(study, "killed")
            for kill in kill_jobs(killed, study):
                kills.append(kill)
                print(*kill, sep=": ", flush=True)
            require_settled(killed, study)
            equal = compare(contents(FOLDER / f"{name}-local", name), contents(killed, name))
            ran.append(f"- {file}, killed as below: {equal} of {equal} files byte-equal.")
            print(ran[-1], flush=True)


def check_rehearsal(asked: argparse.Namespace, ran: list[str]) -> None:
    """Run the rehearsal; add what the evidence says to `ran`.

    Raises:
        Failed: something is not as it should be.
    """
    release = rehearsal.find_release(None).resolve()
    with rehearsal.ReplayHost(release) as address:
        study = prepare_rehearsal(release, address, small=asked.rehearsal == "small")
        said = check_study(study, asked.cores)
    held = compare_with_transcription(FOLDER / f"{study.name}-slurm", release)
    ran.append(f"{said} Held against the transcription: {held} comparisons, 0 differ.")
    print(ran[-1], flush=True)


def main() -> int:
    """Run the studies and the kills, and write the evidence; return 0 if all is as it should be."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("studies", nargs="*", default=["config.micro.yaml"])
    parser.add_argument("--slurm", type=Path, default=ROOT.parent / "shared" / "slurm")
    parser.add_argument("--no-kills", action="store_true")
    parser.add_argument("--rehearsal", choices=["small", "full"], help="in place of study files")
    parser.add_argument("--cores", default="2", help="of the local run")
    asked = parser.parse_args()
    if reason := find_slurm(asked.slurm):
        print(f"cluster-test: skipped: {reason}")
        return 0
    if asked.rehearsal:  # what it needs is missed before anything is run
        try:
            rehearsal.find_release(None), rehearsal.find_math500(None)
        except FileNotFoundError as error:
            raise SystemExit(f"cluster-test: {error}") from None
    ran: list[str] = []
    kills: list[Kill] = []
    failure = None
    copy_source(FOLDER / "source")
    state = describe_state()
    try:
        if asked.rehearsal:
            check_rehearsal(asked, ran)
        else:
            check_studies(asked, ran, kills)
    except Failed as found:
        failure = str(found)
        print(f"cluster-test: {failure}", file=sys.stderr)
    write_evidence(SECTIONS[bool(asked.rehearsal)], state, ran, kills, failure)
    return int(failure is not None)


if __name__ == "__main__":
    sys.exit(main())
