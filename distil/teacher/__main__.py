"""What a study's teacher was asked, what it cost, and what may have been paid for nothing.

python -m distil.teacher STUDY                     # the account
python -m distil.teacher STUDY --restore FILE ...  # put exported responses back, for replay
"""

from __future__ import annotations

import argparse
import collections
from pathlib import Path

from distil.content.files import read_jsonl
from distil.teacher.journal import Journal, restore


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


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m distil.teacher", description=__doc__)
    parser.add_argument("study", help="name of the study")
    parser.add_argument("--restore", nargs="+", metavar="FILE", help="exported *_responses.jsonl")
    chosen = parser.parse_args()
    journal = Journal(Path("state") / chosen.study / "teacher")
    for path in chosen.restore or []:
        print(f"{restore(journal, read_jsonl(path))} responses restored from {path}")
    journal.refresh()
    print(account(journal))


if __name__ == "__main__":
    main()
