"""Which jobs are fresh, which are not and why: from records, files and configuration; nothing runs.

States:
    fresh       its record is there, and all it names is what it was
    stale       something of its own changed, or a job above it will run for certain
    missing     it has not run here, or an output is gone
    undecided   a checkpoint above it will run; whether this job must is known by content then

Snakemake decides by the same reasons (distil/study/snakemake_patches.py), but for one: a file that
was edited by hand is kept and read, since only a person can tell whether it may go. It is named
here, by `verify` and at the end of every run until it is removed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from distil.audit.changes import Reason, changed_outputs, changed_recipe
from distil.audit.faults import MISMATCH, MISSING, OK, UNLISTED
from distil.audit.files import Files
from distil.audit.records import Records, read_records
from distil.lineage.locks import running

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from distil.audit.planned import Planned

FRESH, STALE, GONE, UNDECIDED = "fresh", "stale", "missing", "undecided"


@dataclass
class State:
    """One job with its state.

    Attributes:
        job: its name.
        state: fresh, stale, missing or undecided.
        reasons: why, none where it is fresh.
    """

    job: str
    state: str
    reasons: list[Reason] = field(default_factory=list)


@dataclass
class Status:
    """The state of a study.

    Attributes:
        study: its name.
        jobs: every job that the configuration calls for, in an order in which they could run.
        orphans: {job of a record that the configuration calls for no more: its outputs here}.
        faults: {record or history: what is wrong with it}.
        notes: what else there is to know.
    """

    study: str
    jobs: list[State]
    orphans: dict[str, list[str]]
    faults: dict[str, str]
    notes: list[str]

    def named(self, *states: str) -> set[str]:
        """Return the names of the jobs in some states."""
        return {job.job for job in self.jobs if job.state in states}


def compute_status(study: str, jobs: Sequence[Planned], cache: Path | None = None) -> Status:
    """Compare the jobs that a configuration calls for with the records of those that ran.

    Args:
        study: the study's name; results/STUDY is looked at.
        jobs: from `distil.audit.planned.expected_jobs`.
        cache: where hashes may be kept between calls; None hashes every file.
    """
    try:
        records = read_records(study)
    except FileNotFoundError:
        records = Records(study, Path("results") / study)
    files = Files(cache)
    files.read_ahead(path for job in jobs for path in (*job.inputs, *job.outputs))
    states: dict[str, State] = {}
    makers = {path: job.name for job in jobs for path in job.outputs}
    for job in jobs:
        state = _own(job, records, files)
        if state.state == FRESH:
            _inherit(state, job, states, makers)
        states[job.name] = state
    files.save()
    called = {job.record for job in jobs}
    return Status(
        study=study,
        jobs=list(states.values()),
        orphans={
            record.job: [path for path in record.files("output") if Path(path).is_file()]
            for record in records.by_path.values()
            if Path("results", study) / record.path.relative_to(records.top) not in called
        },
        faults={path.as_posix(): damage.message for path, damage in records.faults.items()},
        notes=list(_notes(study)),
    )


def _own(job: Planned, records: Records, files: Files) -> State:
    """Compare a job with its record."""
    record = records.by_path.get(job.record)
    if record is None:
        damage = records.faults.get(job.record)
        what = f"{job.record}: {damage.message}" if damage else "has not run here"
        return State(job.name, GONE, [Reason("record", what)])
    reasons = [*changed_outputs(job, record, files), *changed_recipe(job, record, files)]
    gone = any(reason.kind == "output" and "gone" in reason.what for reason in reasons)
    return State(job.name, GONE if gone else STALE if reasons else FRESH, reasons)


def _inherit(
    state: State,
    job: Planned,
    states: dict[str, State],
    makers: dict[str, str],
) -> None:
    """Give a job that has no reason of its own the state that follows from those above it."""
    above = {makers[path] for path in job.inputs if path in makers}
    not_fresh = sorted(name for name in above if states[name].state != FRESH)
    asked = sorted(name for name in job.checkpoints if states[name].state != FRESH)
    if asked:
        state.state = UNDECIDED
        state.reasons = [
            Reason("checkpoint", f"decided by content once {name} has run") for name in asked[:1]
        ]
    elif certain := [name for name in not_fresh if states[name].state != UNDECIDED]:
        state.state = STALE
        state.reasons = [Reason("above", f"{name} runs") for name in certain]
    elif not_fresh:
        state.state = UNDECIDED
        state.reasons = [Reason("above", f"{name} may run") for name in not_fresh]


def _notes(study: str) -> Iterator[str]:
    for path in running(study):
        yield f"the job of {path} is running now; what is said here changes as it goes on"


# ------------------------------------------------------------------------------------- showing


def exit_code(status: Status) -> int:
    """Return 0 where nothing is to be done, else 1 stale, 2 missing or 3 orphans."""
    if status.faults or status.named(STALE, UNDECIDED):
        return MISMATCH
    if status.named(GONE):
        return MISSING
    return UNLISTED if status.orphans else OK


def as_json(status: Status) -> str:
    """Return everything as JSON."""
    jobs = [
        {
            "job": job.job,
            "state": job.state,
            "why": [{"kind": r.kind, "what": r.what, "reruns": r.reruns} for r in job.reasons],
        }
        for job in status.jobs
    ]
    return json.dumps(
        {
            "study": status.study,
            "jobs": jobs,
            "orphans": status.orphans,
            "faults": status.faults,
            "notes": status.notes,
        },
        indent=1,
        ensure_ascii=False,
    )


def as_text(status: Status, *, all_jobs: bool = False, most: int = 3) -> str:
    """Return a table of the jobs that are not fresh (or of all), then what else there is."""
    rows = [job for job in status.jobs if all_jobs or job.state != FRESH]
    lines = []
    width = max((len(job.job) for job in rows), default=0)
    for job in rows:
        why = [reason.what for reason in job.reasons]
        more = f"; and {len(why) - most} more" if len(why) > most else ""
        lines.append(f"{job.state:<9}  {job.job:<{width}}  {'; '.join(why[:most])}{more}".rstrip())
    for job, outputs in status.orphans.items():
        files = f"{len(outputs)} files, such as {outputs[0]}" if outputs else "its files are gone"
        lines.append(f"orphan     {job}  this configuration does not call for it; {files}")
    lines += [f"record     {path}: {message}" for path, message in status.faults.items()]
    lines += [f"note       {note}" for note in status.notes]
    counts = [
        f"{len(status.named(state))} {state}"
        for state in (FRESH, STALE, GONE, UNDECIDED)
        if status.named(state)
    ]
    if status.orphans:
        counts.append(f"{len(status.orphans)} orphans")
    lines.append(f"{status.study}: {', '.join(counts)}")
    return "\n".join(lines)
