"""Account of a run for the page of a study: results/STUDY/page/run.js, from records and history.

The page is made by a job, and a job cannot read its own record; nor may times and machines enter a
result. So the end of a run and `distil verify` write what they know beside the page's data. No
record holds this file, and the page opens without it.
"""

from __future__ import annotations

import contextlib
import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distil.audit import differences
from distil.audit.faults import MISSING, OK
from distil.audit.plans import check_analysis_plan
from distil.audit.records import Record, Records, read_records
from distil.audit.status import FRESH, GONE, STALE
from distil.audit.verify import PAGE_ACCOUNT, anchor
from distil.content.fingerprint import fingerprint
from distil.content.stages import read_logs, read_stages
from distil.report.page import shards

if TYPE_CHECKING:
    from collections.abc import Sequence

    from distil.audit.faults import Fault


def read_account(study: str, faults: Sequence[Fault] | None = None) -> dict[str, Any]:
    """Return what is known of a run.

    Args:
        study: its name.
        faults: what `verify` found; None where it was not asked.

    Returns:
        jobs (job, rule, stage, record, log, state, seconds, code, params, inputs, outputs, bytes;
        in the order in which they were last started), fresh (`jobs`: how many are, `all`: how many
        there are, with those that `verify` misses), runs, compared (the last run with the one
        before), anchor, machine, plan and, after `verify`, verified.
    """
    records = read_records(study)
    jobs = _jobs(records, faults)
    absent = _absent(records, faults)
    told: dict[str, Any] = {
        "jobs": jobs,
        "fresh": {
            "jobs": sum(job["state"] == FRESH for job in jobs),
            "all": len(jobs) + len(absent),
        },
        "runs": [{"name": name, **run} for name, run in _runs(records)],
        "compared": _compared(records),
        "anchor": anchor(study),
        "machine": _machine(records),
        "verified": None,
        "plan": None,
    }
    lines, code = check_analysis_plan(records)
    if any(row.get("plan_sha256") for row in records.history):
        told["plan"] = {
            "ok": code == OK,
            "text": "fixed before the answers" if code == OK else lines[-1],
        }
    if faults is not None:
        now = datetime.datetime.now(datetime.UTC)
        told["verified"] = {
            "ok": not faults,
            "faults": len(faults),
            "when": now.strftime("%Y-%m-%d %H:%M UTC"),
        }
    return told


def _runs(records: Records) -> list[tuple[str, dict[str, Any]]]:
    return [
        (name, {key: run[key] for key in ("started", "jobs", "seconds")})
        for name, run in differences.runs(records).items()
    ]


def _compared(records: Records) -> dict[str, Any] | None:
    """Return which cells the last run moved, and why; None where there was one run only."""
    names = list(differences.runs(records))
    if len(names) < 2:
        return None
    told: dict[str, Any] = {"before": names[-2], "after": names[-1]}
    try:
        moved = differences.compare(
            *(differences.snapshot_at(records, name) for name in names[-2:])
        )
    except (OSError, LookupError, ValueError) as error:  # a run that ended before any table
        return {**told, "fault": str(error)}
    return {**told, "moved": [vars(row) for row in moved]}


def _absent(records: Records, faults: Sequence[Fault] | None) -> set[str]:
    """Return the records of jobs that the configuration calls for and that are not there."""
    folder = records.folder.as_posix()
    missed = {fault.path for fault in faults or () if fault.kind == MISSING}
    there = {path.as_posix() for path in records.by_path}
    return {path for path in missed - there if path.startswith(f"{folder}/")}


def _jobs(records: Records, faults: Sequence[Fault] | None) -> list[dict[str, Any]]:
    latest = {row["record"]: row for row in records.history}
    root = Path()
    known = (root / "Snakefile").is_file()
    stages, logs = (read_stages(root), read_logs(root)) if known else ({}, {})
    states = _States(records, {fault.path for fault in faults or ()}, code=known)
    jobs = []
    for path, record in records.by_path.items():
        happened = latest.get(path.relative_to(records.folder).as_posix(), {})
        outputs = record.files("output")
        log = logs.get(record.rule, "").format_map(record.content["wildcards"])
        jobs.append(
            {
                "job": record.job,
                "rule": record.rule,
                "stage": stages.get(record.rule, ""),
                "record": path.as_posix(),
                "log": log if log and Path(log).is_file() else "",
                "state": states.of(record),
                "started": happened.get("started", ""),
                "seconds": happened.get("seconds", 0),
                "code": record.content["code"],
                "params": record.content["params"],
                "inputs": list(record.files("input")),
                "outputs": list(outputs),
                "bytes": sum(row["size"] for row in outputs.values()),
            }
        )
    return sorted(jobs, key=lambda job: (job["started"], job["job"]))


class _States:
    """How each job fares, from records and what `verify` found; no file is read again.

    A job is `at fault` where its record or an output is among the faults, `missing` where an output
    is gone, `stale` where its code is another by now, where it read other bytes than the job above
    it wrote, or where a job above it is not fresh; else it is `fresh`.
    """

    def __init__(self, records: Records, faults: set[str], *, code: bool) -> None:
        self.faults, self.code = faults, code
        self.written = {
            path: (record, row["sha256"])
            for record in records.by_path.values()
            for path, row in record.files("output").items()
        }
        self.known: dict[Path, str] = {}

    def of(self, record: Record) -> str:
        """Return a job's state."""
        if record.path not in self.known:
            self.known[record.path] = STALE  # should records ever go round in a circle
            self.known[record.path] = self._find(record)
        return self.known[record.path]

    def _find(self, record: Record) -> str:
        outputs = record.files("output")
        if not self.faults.isdisjoint([record.path.as_posix(), *outputs]):
            return "at fault"
        if not all(Path(path).is_file() for path in outputs):
            return GONE
        if self.code and not self._runs_its_code(record):
            return STALE
        for path, row in record.files("input").items():
            writer, digest = self.written.get(path, (None, row["sha256"]))
            if path in self.faults or digest != row["sha256"]:
                return STALE
            if self.of(writer) != FRESH if writer else not Path(path).is_file():
                return STALE
        return FRESH

    def _runs_its_code(self, record: Record) -> bool:
        try:
            return bool(fingerprint(record.content["script"]) == record.content["code"])
        except (OSError, LookupError, SyntaxError):
            return False


def _machine(records: Records) -> str:
    if not records.history:
        return ""
    last = records.history[-1]
    return f"{last.get('platform', '')}, Python {last.get('python', '')}"


def write_account(study: str, faults: Sequence[Fault] | None = None, *, keep: bool = False) -> None:
    """Write the account beside the page, where the study has a page and it can be written.

    Args:
        study: its name.
        faults: what `verify` found; None where it was not asked.
        keep: leave an account that is there as it is.
    """
    top = Path("results") / study
    account = top / PAGE_ACCOUNT
    if (top / "index.html").is_file() and not (keep and account.is_file()):
        with contextlib.suppress(OSError):
            shards.write(account, "run", read_account(study, faults))
