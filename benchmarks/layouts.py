"""Papers of other tools, made, read and scored: `python benchmarks/layouts.py [NAME ...]`.

Makes a paper of ten held-out problems of MATH-500 for each layout that `papers.py` names for other
tools (LaTeX's exam classes, LibreOffice, typst, a browser, groff, PostScript, a scan), or for the
layouts named, reads it with `extract`, and prints what came out: problems found with their number,
statements equal to the source once both are canonical, statements without a flag and how many of
those are equal, keys equal, rows that are no problem. PANDOC names a pandoc of version 3 where the
one on PATH is older. Papers stay in `build/layouts`.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import papers  # noqa: E402
from canonical import canonical, tight  # noqa: E402

from distil.exams.extraction import extract  # noqa: E402
from distil.grading.grading import judge  # noqa: E402

COUNT = 10
SEED = 20261128
LATEX = ("exam-choices", "exam-onepar", "held-memoir", "held-exam", "options-tasks")


def layouts() -> dict[str, tuple]:
    """Return the layouts that are scored: the function that makes a paper, and its keys."""
    latex = {name: (papers.typeset_latex, papers.STYLES[name]) for name in LATEX}
    office = {name: (papers.typeset_office, style) for name, style in papers.OFFICE.items()}
    printed = {name: (papers.typeset_printed, style) for name, style in papers.PRINTED.items()}
    return latex | office | printed


def score(paper: Path, key: Path | None, problems: list[papers.Problem]) -> Counter:
    """Read a paper and return the counts."""
    rows = extract(paper, key)
    count: Counter = Counter(asked=len(problems), rows=len(rows))
    found = {row["number"]: row for row in rows}
    for problem in problems:
        row = found.get(str(problem.number))
        wanted = tight(canonical(problem.statement))
        if row is None:
            continue
        got = tight(row["statement"])
        # The first words tell whether it is the problem of that number at all.
        count["found"] += got[:8] == wanted[:8]
        equal = got == wanted
        count["equal"] += equal
        unflagged = not [flag for flag in row["flags"] if not flag.startswith(("key", "no_answer"))]
        count["unflagged"] += unflagged
        count["unflagged equal"] += unflagged and equal
        if os.environ.get("MISSES") and not equal:
            print(f"  {paper.stem} {problem.number} {row['flags']}\n    {got}\n    {wanted}")
        answer = row["answer"]
        count["keys"] += (
            bool(answer) and judge(problem.answer, f"Answer: {answer}").verdict == "right"
        )
    return count


def main(names: list[str]) -> None:
    """Print the table."""
    if not papers.MATH.is_file():
        sys.exit(f"{papers.MATH} is absent; the papers are made of its problems")
    folder = ROOT / "build" / "layouts"
    folder.mkdir(parents=True, exist_ok=True)
    bank = papers.bank(held_out=True)
    print("| layout | found | equal | no flag | of these equal | keys | other rows |")
    print("|---|---|---|---|---|---|---|")
    for name, (make, style) in layouts().items():
        if names and name not in names:
            continue
        pool = papers.pool(style, bank) if "maker" in style else bank
        problems = papers.draw(style, pool, SEED, COUNT)
        made = make(name, style, problems, folder)
        if made is None:
            print(f"| {name} | not made: a tool is absent or failed |")
            continue
        got = score(*made, problems)
        keys = f"{got['keys']}" if style["key"] != "none" else "-"
        print(
            f"| {name} | {got['found']} | {got['equal']} | {got['unflagged']} "
            f"| {got['unflagged equal']} | {keys} | {got['rows'] - got['asked']} |",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
