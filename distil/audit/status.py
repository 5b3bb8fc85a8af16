"""Which jobs are fresh, which are not and why: from records, files and configuration; nothing runs.

States:
    fresh       its record is there, and all it names is what it was
    stale       something of its own changed, or a job above it will run for certain
    missing     it has not run here, or an output is gone
    undecided   a checkpoint above it will run; whether this job must is known by content then

`snakemake -n` names the stale, the missing and the undecided alike, but for two differences. It
leaves out `plan_predictions` while `split_datasets` is to run (nobody has asked for a plan yet),
and it looks at dates: an output that was edited by hand, or one that is gone and that no job to
run needs, it does not see, while both are named here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distil.audit.files import Files
from distil.audit.records import Record, Records, read_records
from distil.audit.verify import MISMATCH, MISSING, OK, UNLISTED, changed_code
from distil.content.fingerprint import describe, sorted_keys
from distil.lineage.locks import running

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from distil.audit.planned import Planned

FRESH, STALE, GONE, UNDECIDED = "fresh", "stale", "missing", "undecided"


@dataclass(frozen=True)
class Reason:
    """Why a job is not fresh.

    Attributes:
        kind: record, output, input, inputs, params, code, packages, above or checkpoint.
        what: the file, param, module, package or job, and what became of it.
        seen: whether a dry run of Snakemake sees it too.
    """

    kind: str
    what: str
    seen: bool = True


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
        notes=list(_notes(study, records)),
    )


def _own(job: Planned, records: Records, files: Files) -> State:
    """Compare a job with its record."""
    record = records.by_path.get(job.record)
    if record is None:
        damage = records.faults.get(job.record)
        reason = Reason("record", f"{job.record}: {damage.message}", False) if damage else None
        return State(job.name, GONE, [reason or Reason("record", "has not run here")])
    reasons = [*_outputs(job, record, files)]
    gone = any(reason.kind == "output" and "gone" in reason.what for reason in reasons)
    reasons += [
        *_inputs(job, record, files),
        *_params(job, record),
        *_code(job, record),
    ]
    return State(job.name, GONE if gone else STALE if reasons else FRESH, reasons)


def _outputs(job: Planned, record: Record, files: Files) -> Iterator[Reason]:
    wrote = record.files("output")
    for path in job.outputs:
        digest = files.sha256(path)
        if path not in wrote:
            yield Reason("output", f"{path} has not been made")
        elif digest is None:
            yield Reason("output", f"{path} is gone", False)
        elif digest != wrote[path]["sha256"]:
            yield Reason("output", f"{path} is not what this job wrote", False)


def _inputs(job: Planned, record: Record, files: Files) -> Iterator[Reason]:
    read = record.files("input")
    for path in sorted(job.inputs.keys() | read.keys()):
        if path not in read:
            yield Reason("inputs", f"reads {path} too")
        elif path not in job.inputs:
            yield Reason("inputs", f"reads {path} no more")
        elif job.inputs[path] != read[path]["name"]:
            names = f"{read[path]['name']} -> {job.inputs[path]}"
            yield Reason("inputs", f"{path} goes by another name: {names}", False)
        elif (digest := files.sha256(path)) is not None and digest != read[path]["sha256"]:
            yield Reason("input", f"{path} has other bytes", path in job.sources)


def _params(job: Planned, record: Record) -> Iterator[Reason]:
    # As JSON: a record holds text where the rules hold a number for a key.
    now, then = json.loads(json.dumps(sorted_keys(job.params))), record.content["params"]
    for key in sorted(now.keys() | then.keys()):
        if now.get(key) != then.get(key) or (key in now) != (key in then):
            yield Reason("params", f"{key}: {_short(then.get(key))} -> {_short(now.get(key))}")


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _code(job: Planned, record: Record) -> Iterator[Reason]:
    if job.code == record.content["code"]:
        return
    then, now = record.content["fingerprint"], describe(record.content["script"])
    for name in changed_code(then, now) or ["the code hash"]:
        yield Reason("code" if name.endswith(".py") else "packages", f"{name} changed")


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


def _notes(study: str, records: Records) -> Iterator[str]:
    from distil.audit.packs import outputs_with_metadata

    for path in running(study):
        yield f"the job of {path} is running now; what is said here changes as it goes on"
    known = outputs_with_metadata(study)
    lacking = [path for path in records.writers if path not in known and Path(path).is_file()]
    if lacking:
        yield (
            f"{len(lacking)} of {len(records.writers)} outputs have no metadata of Snakemake here "
            f"({lacking[0]}): it goes by their dates and may run their jobs again. A study travels "
            "with: make pack, make unpack"
        )


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
            "why": [{"kind": r.kind, "what": r.what, "seen": r.seen} for r in job.reasons],
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
        why = [
            reason.what + ("" if reason.seen else " (a dry run does not see this)")
            for reason in job.reasons
        ]
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
