"""Admission of problems to a study: which flags keep one out, and which a person has settled.

A study file says it under `problems.admit.refuse`. A problem without a statement or without a key
teaches and measures nothing, so these two are the default.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

DEFAULT_REFUSED = ("empty", "no_answer")


def refusals(row: Mapping[str, Any], refused: Iterable[str]) -> list[str]:
    """Return the flags that keep a problem out.

    A correction or a confirmation of the statement (of the answer, for flags of the key) settles
    its flags; `empty` and `no_answer` are settled by a text alone.

    Args:
        row: the problem, corrected.
        refused: flags that a study does not admit.
    """
    settled = {entry["field"] for entry in row.get("corrections", ())}
    found = []
    for flag in refused:
        if flag == "empty":
            holds = not row["statement"]
        elif flag == "no_answer":
            holds = row["answer"] is None
        else:
            part = "answer" if flag.startswith("key_") else "statement"
            holds = flag in row["flags"] and not settled & {part, "all", "problem"}
        if holds:
            found.append(flag)
    return found


def admit(
    rows: Sequence[Mapping[str, Any]], refused: Sequence[str]
) -> tuple[list[Mapping[str, Any]], dict[str, list[str]]]:
    """Return the problems of a study, and {flag: ids} of those that it keeps out."""
    kept: list[Mapping[str, Any]] = []
    out: dict[str, list[str]] = {}
    for row in rows:
        flags = refusals(row, refused)
        if not flags:
            kept.append(row)
        for flag in flags:
            out.setdefault(flag, []).append(row["id"])
    return kept, {flag: sorted(ids) for flag, ids in sorted(out.items())}
