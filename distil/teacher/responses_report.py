"""A study's paid responses as a report: list, filter, sums of money, export, restore.

Everything is read from the journal under state/STUDY/teacher, the only place that knows what was
paid for.
"""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distil.content.files import read_jsonl, write_jsonl
from distil.teacher.journal import Journal, JournalError, export, restore
from distil.teacher.ledger import Attempt, Group, Ledger, Sum

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["JournalError", "NoResponsesError", "Wanted"]

_YEAR = re.compile(r"(?:^|#)(\d{4})-")


class NoResponsesError(LookupError):
    """A study has no journal; the message names the folder and the studies that have one."""


@dataclasses.dataclass(frozen=True)
class Wanted:
    """Which requests a report is about; None stands for all.

    Attributes:
        agent: solver, distiller, verifier, reader or judge.
        year: exam year of the item.
        status: how the request ended.
    """

    agent: str | None = None
    year: int | None = None
    status: str | None = None

    def holds(self, row: Row) -> bool:
        """Tell whether a request is among the wanted ones."""
        return (
            self.agent in (None, row.attempt.agent)
            and self.year in (None, row.year)
            and self.status in (None, row.status)
        )


@dataclasses.dataclass(frozen=True)
class Row:
    """One request.

    Attributes:
        attempt: how it ended and what it cost.
        item: the problem, trace or answer that it was about; empty if that is not on record.
        void: its response is not final: it is asked again.
    """

    attempt: Attempt
    item: str
    void: bool

    @property
    def status(self) -> str:
        """How it ended; `no-end` where its writer ended before its answer came."""
        return self.attempt.status or "no-end"

    @property
    def year(self) -> int | None:
        """The exam year of its item."""
        found = _YEAR.search(self.item)
        return int(found[1]) if found else None

    def as_json(self) -> dict[str, Any]:
        """Return the request as plain values."""
        attempt = self.attempt
        return {
            "at": attempt.at,
            "agent": attempt.agent,
            "item": self.item,
            "host": attempt.host,
            "model": attempt.model,
            "status": self.status,
            "void": self.void,
            "possibly_paid": attempt.possibly_paid,
            "cost": attempt.charged,
            "cost_known": attempt.cost is not None,
            "prompt_tokens": attempt.tokens[0],
            "completion_tokens": attempt.tokens[1],
            "request_sha256": attempt.key,
        }


def open_journal(study: str) -> Journal:
    """Return a study's journal, read.

    Raises:
        NoResponsesError: the study has none.
    """
    folder = Path("state") / study / "teacher"
    if not folder.is_dir():
        known = sorted(path.parent.name for path in Path("state").glob("*/teacher"))
        there = f"; there are: {', '.join(known)}" if known else "; no study here has any"
        raise NoResponsesError(f"{folder}: no such folder, so no responses of this study{there}")
    journal = Journal(folder)
    journal.refresh()
    return journal


def rows(journal: Journal, wanted: Wanted) -> list[Row]:
    """Return the wanted requests, oldest first."""
    ledger, items = Ledger(keep=True), {}
    for record in journal.records():
        ledger.add(record, record["key"])
        if item := record.get("item"):
            items[record["attempt"]] = item
    found = (
        Row(attempt, items.get(attempt.token, ""), attempt.token in ledger.voided)
        for attempt in ledger.attempts()
    )
    return [row for row in found if wanted.holds(row)]


def sums(found: Iterable[Row]) -> dict[Group, Sum]:
    """Return counts, tokens and money by agent, host, model and status, in order."""
    totals: dict[Group, Sum] = {}
    for row in found:
        attempt = row.attempt
        group = Group(attempt.agent, attempt.host, attempt.model, row.status)
        totals.setdefault(group, Sum()).count_in(attempt)
    return dict(sorted(totals.items()))


def summary(study: str, found: Sequence[Row], journal: Journal) -> str:
    """Return the sums, what may be paid for nothing, and damage, as text of at most 100 columns."""
    head = f"{'agent':10} {'host':12} {'model':20} {'status':16} {'requests':>8} "
    lines = [head + f"{'tokens':>11} {'money':>11}"]
    for group, total in sums(found).items():
        tokens = total.prompt_tokens + total.completion_tokens
        lines.append(
            f"{group.agent:10} {group.host[:12]:12} {group.model[-20:]:20} {group.status:16} "
            f"{total.count:8d} {tokens:11d} {total.money:11.4f}"
        )
    unknown = sum(total.unknown for total in sums(found).values())
    money = sum(total.charged for total in sums(found).values()) / 1e9
    lines.append(
        f"{len(found)} requests, {money:.4f} in all; of {unknown} the cost is not known, and the "
        "highest possible is booked"
    )
    for row in found:
        if row.attempt.possibly_paid:
            lines.append(
                f"possibly paid: {row.attempt.at[:19]} {row.attempt.agent} {row.item or '?'} "
                f"({row.status})"
            )
    if void := sum(row.void for row in found):
        lines.append(f"{void} responses that stopped a run are not final: they are asked again")
    for path, count in sorted(journal.damaged.items()):
        lines.append(
            f"damaged: {count} records in {path}; restore the file from a copy, or set it aside: "
            f"distil --study {study} responses --set-aside-damage"
        )
    return "\n".join(lines)


def listing(found: Iterable[Row]) -> Iterator[str]:
    """Yield one line a request."""
    for row in found:
        attempt = row.attempt
        yield (
            f"{attempt.at[:19]} {attempt.agent:10} {row.item or attempt.key[:16]:24} "
            f"{row.status:18} {sum(attempt.tokens):8d} {attempt.charged:10.4f}"
        )


def as_json(found: Iterable[Row]) -> str:
    """Return requests and their sums as JSON."""
    found = list(found)
    totals = [
        {
            **group._asdict(),
            "requests": total.count,
            "cost_unknown": total.unknown,
            "prompt_tokens": total.prompt_tokens,
            "completion_tokens": total.completion_tokens,
            "money": total.money,
        }
        for group, total in sums(found).items()
    ]
    value = {"requests": [row.as_json() for row in found], "sums": totals}
    return json.dumps(value, indent=1, sort_keys=True)


def export_responses(journal: Journal, wanted: Wanted, path: str | Path) -> int:
    """Write the newest response to each wanted request as JSONL; return how many.

    The rows, sorted by request, are like those of *_responses.jsonl in the results.
    """
    answered = {row.attempt.token for row in rows(journal, wanted) if row.attempt.answered}
    chosen: dict[str, dict[str, Any]] = {}
    for record in journal.records():
        if record["kind"] == "response" and record["attempt"] in answered:
            before = chosen.get(record["key"])
            if before is None or record["at"] >= before["at"]:
                chosen[record["key"]] = record
    write_jsonl(path, (export(key, chosen[key]) for key in sorted(chosen)))
    return len(chosen)


def restore_responses(study: str, paths: Iterable[str | Path]) -> list[tuple[str, int]]:
    """Put exported responses back into a study's journal; return how many of each file were new."""
    journal = Journal(Path("state") / study / "teacher")
    return [(str(path), restore(journal, read_jsonl(path))) for path in paths]


def split_words(
    words: Sequence[str], folder: Path, *, restore: bool
) -> tuple[str | None, list[Path], str]:
    """Return the study and the files among the words of `responses`, and what is wrong.

    Args:
        words: a study, or none, and then files.
        folder: that the files were typed in.
        restore: whether files are wanted.
    """
    paths = [folder / word for word in words]
    is_file = bool(paths) and paths[0].is_file() and paths[0].suffix not in (".yaml", ".yml")
    named = words[0] if words and not is_file else None
    files = paths if is_file else paths[1:]
    wrong = ""
    if restore and not files:
        also = f"; {named} is none" if named else ""
        wrong = f"--restore: name the files to put back, as FILE{also}"
    elif files and not restore:
        wrong = (
            f"{words[0]} is no study; to put its responses back, give --restore"
            if is_file
            else f"{' '.join(words)}: one study at a time"
        )
    return named, files, wrong


def print_responses(study: str, wanted: Wanted, *, each: bool = False, json: bool = False) -> int:
    """Print the wanted requests, as sums unless each or JSON is asked for; return exit code 0."""
    journal = open_journal(study)
    found = rows(journal, wanted)
    if json:
        print(as_json(found))
    elif each:
        for line in listing(found):
            print(line)
    else:
        print(summary(study, found, journal))
    return 0


def print_exported(study: str, wanted: Wanted, path: Path) -> int:
    """Write the wanted responses to a file and say how many; return exit code 0."""
    count = export_responses(open_journal(study), wanted, path)
    print(f"{count} responses written to {path}")
    return 0


def print_restored(study: str, paths: Iterable[Path]) -> int:
    """Put exported responses back and say how many were new; return exit code 0."""
    for path, count in restore_responses(study, paths):
        print(f"{count} responses restored from {path}")
    return 0


def print_set_aside(study: str) -> int:
    """Move damaged segments away and say where to; return exit code 0."""
    for path in open_journal(study).set_damage_aside():
        print(f"{path}: moved here; what was damaged in it is asked and paid for again")
    return 0
