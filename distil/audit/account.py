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
from distil.audit.faults import OK
from distil.audit.plans import check_analysis_plan
from distil.audit.records import Records, read_records
from distil.audit.verify import PAGE_ACCOUNT, anchor
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
        in the order in which they were last started), runs, compared (the last run with the one
        before), anchor, machine, plan and, after `verify`, verified.
    """
    records = read_records(study)
    told: dict[str, Any] = {
        "jobs": _jobs(records, faults),
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


def _jobs(records: Records, faults: Sequence[Fault] | None) -> list[dict[str, Any]]:
    latest = {row["record"]: row for row in records.history}
    altered = {str(fault.path) for fault in faults or ()}
    root = Path()
    known = (root / "Snakefile").is_file()
    stages, logs = (read_stages(root), read_logs(root)) if known else ({}, {})
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
                "state": _state([path.as_posix(), *outputs], altered),
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


def _state(paths: Sequence[str], altered: set[str]) -> str:
    """Return whether a job's record and outputs are there, and not among the faults."""
    if any(path in altered for path in paths):
        return "at fault"
    return "there" if all(Path(path).is_file() for path in paths) else "missing"


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
