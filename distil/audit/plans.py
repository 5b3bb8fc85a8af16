"""Was the plan of the analysis fixed before the answers were made: what the history says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distil.audit.faults import MISMATCH, MISSING, OK
from distil.lineage.history import read_chain

if TYPE_CHECKING:
    from distil.audit.records import Records
    from distil.lineage.history import Chain

ANSWERS = ("predict_answers/", "predict_teacher/")
CLAIMS = "judge_claims/job.json"
SHOWN = 12


def check_analysis_plan(records: Records, chain: Chain | None = None) -> tuple[list[str], int]:
    """Hold the plan under which the claims were tested against that of every job of answers.

    The plan is what `plan_sha256` hashes: alpha, margin, primary stop, levels, sections, bootstrap.

    Args:
        records: The study's records and history.
        chain: The chain of its runs; read from the disk unless given.

    Returns:
        One sentence a plan in order of appearance, then the verdict; and the exit code: 0 if all
        answers were made under the plan of the claims, 1 if some were not, 2 if that is not known.
        Jobs that the chain of runs does not cover do not count, since nothing vouches for them.
    """
    chain = chain or read_chain(records.folder)
    if chain.fault:
        return [f"the history does not hold, so nothing can be told: {chain.fault}"], MISMATCH
    history = records.history[: chain.covered]
    lines, spans = [], {}
    for row in history:
        spans.setdefault(row.get("plan_sha256"), []).append(row["started"])
    for plan, starts in spans.items():
        name = "no plan recorded" if plan is None else f"plan {plan[:SHOWN]}"
        lines.append(f"{name}: {len(starts)} jobs, {min(starts)} to {max(starts)}")
    if more := len(records.history) - chain.covered:
        lines.append(f"{more} jobs of a run that was broken off do not count until the next run")
    if chain.head:
        lines.append(
            f"history {chain.head}: whoever can write these files can write another history; hold "
            "this digest, or one published before (`distil verify --head DIGEST`), against it"
        )
    latest = {row["record"]: row for row in history}
    tested = latest.get(CLAIMS, {}).get("plan_sha256")
    if tested is None:
        return [*lines, "the claims were not tested yet, or not under a recorded plan"], MISSING
    made = {name: row for name, row in latest.items() if name.startswith(ANSWERS)}
    other = [name for name, row in made.items() if row.get("plan_sha256") != tested]
    if other:
        verdict = (
            f"the claims were tested under plan {tested[:SHOWN]}, but {len(other)} of {len(made)} "
            f"jobs that made answers ran under another: {', '.join(sorted(other))}"
        )
        return [*lines, verdict], MISMATCH
    verdict = (
        f"the claims were tested under plan {tested[:SHOWN]}, which was fixed when all {len(made)} "
        "jobs that made answers ran"
    )
    return [*lines, verdict], OK
