"""Snakemake made to decide by the records of jobs: what is patched, and why.

Snakemake keeps metadata of its own under .snakemake and goes by it. A job that dies after a change
leaves its new params there, so that the change is forgotten; where the folder is gone, no change is
seen at all (upstream: issues 1978, 2011, 3879; pull requests 2966, 3237). A job record holds more
and is written only once all outputs are complete. So, in the main process:

- whether params, inputs or code of a job changed is answered from its record (`PersistenceBase`:
  `has_metadata`, `has_outdated_metadata`, `params_changed`, `input_changed`, `input_checksums`);
- nothing starts where the records cannot be read, which is not the same as none being there;
- a lock on the folder that a dead Snakemake of this machine left behind is taken off, and what the
  dead one left at work on a cluster is cancelled (`PersistenceBase.lock`);
- before and after the jobs the history is closed, and after them the records are held against the
  plan once more, for the targets that were asked for (`Workflow.execute`);
- what a checkpoint makes, and which rules make a file, is worked out once and not for each job that
  asks, which was most of what the plan of a study with thousands of jobs took (`Checkpoint`,
  `OutputIndex.match_producers`).

Holds for Snakemake 9.27; tests/front/test_snakemake_patches.py fails where a part is another one.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snakemake.io import is_flagged

from distil.audit.changes import Reason, changed_outputs, changed_recipe
from distil.audit.files import Files
from distil.audit.planned import from_snakemake
from distil.audit.records import Records, read_records
from distil.content.addresses import record_path
from distil.lineage import main_process
from distil.lineage.history import close_run
from distil.lineage.locks import end_orphans, wait_for_orphans
from distil.study.inventory import summary, take_inventory, unfit_teachers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from distil.study.shape import AnyStudy

HASHES = Path(".snakemake", "distil-hashes.json")
SHOWN = 5
# Rules whose jobs ask the teacher for traces.
TAUGHT = frozenset({"solve_problems", "distill_traces", "verify_traces"})


class Decisions:
    """Whether jobs are what their records say, asked job by job; hashes are kept between runs.

    Args:
        study: the study's name.
    """

    def __init__(self, study: str) -> None:
        self.study = study
        self.forget()

    def forget(self) -> None:
        """Read records and files anew."""
        self.files = Files(HASHES)
        try:
            self.records = read_records(self.study, history=False)
        except FileNotFoundError:
            self.records = Records(self.study, Path("results") / self.study)
        self.known: dict[Any, list[Reason]] = {}

    def reasons(self, job: Any) -> list[Reason]:
        """Return why one of Snakemake's jobs is to run, as far as it lies in the job itself."""
        if not job.output:
            return []  # rule all
        if job not in self.known:
            planned = from_snakemake(job)
            record = self.records.by_path.get(planned.record)
            if record is None:
                self.known[job] = [Reason("record", f"{planned.record} is no whole record")]
            else:
                self.known[job] = [*changed_recipe(planned, record, self.files)]
        return self.known[job]

    def checksums(self, job: Any, path: str) -> set[str]:
        """Return the sha256 with which a job read a file, as Snakemake spells it, if it did."""
        if not job.output:
            return set()
        record = self.records.by_path.get(
            record_path(self.study, job.rule.name, dict(job.wildcards_dict))
        )
        row = record.files("input").get(str(path)) if record else None
        return {f"sha256:{row['sha256']}"} if row else set()

    def stale(self, jobs: list[Any]) -> dict[str, list[Reason]]:
        """Return {job: what is not as its record, or the plan, says}, of the jobs that have any."""
        found = {}
        for job in jobs:
            planned = from_snakemake(job)
            record = self.records.by_path.get(planned.record)
            reasons = list(self.reasons(job))
            if record is not None:
                reasons += changed_outputs(planned, record, self.files)
            if reasons:
                found[planned.name] = reasons
        return found


def decide_by_records(workflow: Any, study: AnyStudy, closing: Callable[[str, bool], str]) -> None:
    """Patch a workflow that is being read, in the main process of a run.

    Args:
        workflow: Snakemake's.
        study: the study that its configuration describes.
        closing: returns what is said once the claims were made or confirmed, given the study's
            name and whether the run made anything.
    """
    from snakemake.settings.types import ExecMode

    _patch_lookups()
    if workflow.exec_mode != ExecMode.DEFAULT:
        return  # a job of a cluster: it was decided on already
    decisions = Decisions(study.name)
    _patch_persistence(decisions)
    _patch_lock(study.name)
    workflow.execute = functools.partial(_execute, workflow, study, decisions, closing)


def _patch_persistence(decisions: Decisions) -> None:
    from snakemake.persistence import NO_PARAMS_CHANGE, ParamsChange, PersistenceBase

    def params_changed(self: Any, job: Any, file: Any = None) -> Any:  # noqa: ARG001
        told = {r.what for r in decisions.reasons(job) if r.kind not in ("input", "inputs")}
        return ParamsChange(only_new=told, files=set(job.output)) if told else NO_PARAMS_CHANGE

    def input_changed(self: Any, job: Any, file: Any = None) -> Any:  # noqa: ARG001
        kinds = {reason.kind for reason in decisions.reasons(job)}
        changed = bool(kinds & {"input", "inputs"})
        return changed if file is not None else (path for path in job.output if changed)

    PersistenceBase.has_metadata = lambda self, job: True  # noqa: ARG005
    PersistenceBase.has_outdated_metadata = lambda self, job: False  # noqa: ARG005
    PersistenceBase.params_changed = params_changed
    PersistenceBase.input_changed = input_changed
    PersistenceBase.input_checksums = lambda self, job, path: decisions.checksums(job, path)  # noqa: ARG005


class _ExpandedOnce:
    """A checkpoint's rule, for those who ask for the checkpoint: each output is worked out once."""

    def __init__(self, rule: Any) -> None:
        self._rule = rule
        self._made: dict[tuple[tuple[str, str], ...], Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rule, name)

    def expand_output(self, wildcards: dict[str, str]) -> Any:
        """Return the rule's outputs for these wildcards, as `Rule.expand_output` does.

        Whoever asks for a checkpoint that has not run yet is given its first output, flagged in
        place as what to wait for: such an expansion is not used again.
        """
        key = tuple(sorted(wildcards.items()))
        if key not in self._made or is_flagged(self._made[key][0][0], "checkpoint_target"):
            self._made[key] = self._rule.expand_output(wildcards)
        return self._made[key]


def _patch_lookups() -> None:
    from snakemake.checkpoints import Checkpoint
    from snakemake.output_index import OutputIndex

    begin, match = Checkpoint.__init__, OutputIndex.match_producers
    if begin.__name__ != "__init__":
        return  # an earlier reading of the workflow in this process

    def begin_expanding_once(self: Any, rule: Any, checkpoints: Any) -> None:
        begin(self, _ExpandedOnce(rule), checkpoints)

    def match_once(self: Any, targetfile: str) -> Any:
        known = self.__dict__.setdefault("_known", {})  # an index is of rules that stay the same
        if targetfile not in known:
            known[targetfile] = match(self, targetfile)
        return known[targetfile]

    Checkpoint.__init__ = begin_expanding_once
    OutputIndex.match_producers = match_once


def _patch_lock(study: str) -> None:
    """Let a run go on after one that was killed, with the same command."""
    from snakemake.exceptions import LockException
    from snakemake.persistence import PersistenceBase

    original = PersistenceBase.lock

    @contextlib.contextmanager
    def lock(self: Any) -> Iterator[None]:
        if self.locked:
            if not main_process.is_dead():
                print(main_process.describe(), file=sys.stderr)
                raise LockException
            print(
                "the Snakemake that had locked this folder was killed; going on from there",
                file=sys.stderr,
            )
            self.cleanup_locks()
            Path(self.path, "locks").mkdir(parents=True, exist_ok=True)  # it removes the folder
        with main_process.named(), original(self):  # named first: a kill may come between
            for line in end_orphans(study):
                print(line, file=sys.stderr)
            yield

    PersistenceBase.lock = lock


def _execute(
    workflow: Any,
    study: AnyStudy,
    decisions: Decisions,
    closing: Callable[[str, bool], str],
    *arguments: Any,
    **settings: Any,
) -> None:
    """Run the workflow, close the history, and hold what was asked for against its records.

    Raises:
        SystemExit: the records cannot be read, or some of it is not what they say.
    """
    run, folder = os.environ.get("DISTIL_RUN"), study.results / "lineage"
    _require_readable(folder)
    common = settings["executor_plugin"].common_settings
    if main_process.is_dead():
        wait_for_orphans(study.name)
    if common.dryrun_exec or common.touch_exec:
        study.planning = common.dryrun_exec
        try:
            type(workflow).execute(workflow, *arguments, **settings)
        finally:
            decisions.files.save()
        if wanting := summary(take_inventory(study, quick=True)):
            print(f"{wanting}; distil check {study.name} lists them", file=sys.stderr)
        return
    _require_one_payer(workflow, settings["executor_plugin"])
    _build_if_teacher_fits(workflow, study)
    close_run(folder, run)
    try:
        type(workflow).execute(workflow, *arguments, **settings)
    finally:
        close_run(folder, run)
    jobs = [job for job in workflow.dag.jobs if job.output]
    made = sum(workflow.dag.finished(job) for job in jobs)
    if made:
        decisions.forget()
    stale = decisions.stale(jobs)
    decisions.files.save()
    if stale:
        raise SystemExit("\n".join(_tell_stale(stale)))
    if str(study.results / "claims" / "claims.csv") in {str(p) for job in jobs for p in job.output}:
        if not made:
            print("Nothing was to be done: the claims below are what their records say.")
        print(closing(study.name, made > 0), flush=True)


def _require_one_payer(workflow: Any, executor: Any) -> None:
    """Stop where a cluster's profile does not limit who pays: profiles/default won over it."""
    limits = workflow.resource_settings.resources
    if executor.common_settings.non_local_exec and "teacher" not in limits:
        raise SystemExit(
            "this executor runs without a limit on jobs that pay (teacher=1), so the limits of the "
            "cluster's profile are not in force; give the profile as --workflow-profile, since "
            "Snakemake puts profiles/default above one given as --profile"
        )


def _build_if_teacher_fits(workflow: Any, study: AnyStudy) -> None:
    """Stop once the jobs are known, where a simulated teacher would be asked of other problems."""
    build = workflow._build_dag

    def build_and_look() -> None:
        build()
        unfit = unfit_teachers(study)
        if unfit and any(job.rule.name in TAUGHT for job in workflow.dag.needrun_jobs()):
            told = "\n".join(f"  {item.name}: {item.said}; {item.remedy}" for item in unfit)
            raise SystemExit(f"no job is started, since traces would be asked in vain:\n{told}")

    workflow._build_dag = build_and_look


def _require_readable(folder: Path) -> None:
    """Stop where the folder of the records is there and cannot be read: every job would run."""
    try:
        with os.scandir(folder):
            pass
    except FileNotFoundError:
        pass  # the first run
    except OSError as error:
        raise SystemExit(
            f"{folder}: cannot be read ({error.strerror}), so that what has run is not known and "
            "no job is started; mend the folder or its permissions, then start Snakemake again"
        ) from error


def _tell_stale(stale: dict[str, list[Reason]]) -> Iterator[str]:
    yield (
        f"{len(stale)} jobs that were asked for are not what their records or the configuration "
        "say, so the claims are not printed:"
    )
    for name, reasons in list(stale.items())[:SHOWN]:
        yield f"  {name}: {'; '.join(reason.what for reason in reasons[:SHOWN])}"
    if len(stale) > SHOWN:
        yield f"  and {len(stale) - SHOWN} more"
