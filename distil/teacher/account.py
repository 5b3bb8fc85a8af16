"""Account of a study's teacher: what it was asked, what that cost, what was paid for nothing.

`distil responses` prints it; `distil responses --restore FILE ...` first puts exported responses
back into the journal, for replay.
"""

from __future__ import annotations

import collections
from pathlib import Path
from typing import TYPE_CHECKING

from distil.content.files import read_jsonl
from distil.teacher.journal import Journal, restore

if TYPE_CHECKING:
    from collections.abc import Sequence


def account(journal: Journal) -> str:
    """Return the account of a journal as text."""
    attempts = journal.attempts()
    counts = collections.Counter((item.agent, item.status or "no end") for item in attempts)
    lines = [f"{count:7d}  {agent}: {status}" for (agent, status), count in sorted(counts.items())]
    lines.append(f"{journal.charged():.4f} charged, with the worst case where the cost is unknown")
    for item in journal.possibly_paid():
        cause = item.status or "its writer ended before its answer came"
        lines.append(f"possibly paid: {item.at} {item.agent} {item.key} ({cause})")
    lines += [f"damaged records: {count} in {path}" for path, count in sorted(journal.torn.items())]
    return "\n".join(lines)


def print_account(study: str, restored: Sequence[Path] = ()) -> int:
    """Print the account of a study's journal, after exported responses were put back into it.

    Args:
        study: its name.
        restored: exported files, *_responses.jsonl.

    Returns:
        The exit code, 0.
    """
    journal = Journal(Path("state") / study / "teacher")
    for path in restored:
        print(f"{restore(journal, read_jsonl(path))} responses restored from {path}")
    journal.refresh()
    print(account(journal))
    return 0
