"""Claims of a finished study for a terminal, what to open and what to type next."""

from __future__ import annotations

import csv
import shutil
import textwrap
from pathlib import Path

# No line is longer, however wide the terminal is.
WIDEST = 100
UNITS = {"percent": "%"}
DIGITS = {"percent": 1, "points": 1, "points per doubling": 1, "loss": 3}
INDENT = 5
# A study's pages, the best first.
PAGES = ("index.html", "claims/claims.html", "claims/claims.md")


def claims_text(study: str, width: int | None = None, *, answers: bool = True) -> str:
    """Return a study's claims as text that fits the terminal.

    Args:
        study: its name; results/STUDY/claims/claims.csv is read.
        width: columns of the terminal; those of this one unless given, and never more than 100.
        answers: with the answers to the review's questions (Q1 to Q5), which are no claims.

    Raises:
        FileNotFoundError: its claims have not been tested here.
    """
    path = Path("results", study, "claims", "claims.csv")
    if not path.is_file():
        raise FileNotFoundError(2, f"study {study} has no tested claims here yet", str(path))
    with path.open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if answers or row["id"][0] != "Q"]
    width = min(width or shutil.get_terminal_size().columns, WIDEST)
    cells = [(row["estimand"].replace("_", " "), *figures(row), verdict(row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines, before = [f"Claims of the study {study}, with their intervals"], ""
    for row, (estimand, here, bounds, words) in zip(rows, cells, strict=True):
        if row["id"] != before:
            claim = textwrap.shorten(row["claim"], width - INDENT, placeholder=" ...")
            lines.append(f"{row['id']:<{INDENT}}{claim}")
        before = row["id"]
        parts = estimand.ljust(widths[0]), here.rjust(widths[1]), bounds.rjust(widths[2])
        line = " " * INDENT + "  ".join((*parts, words)).rstrip()
        lines += textwrap.wrap(line, width, subsequent_indent=" " * 2 * INDENT) or [line]
    return "\n".join(lines)


def verdict(row: dict[str, str]) -> str:
    """Return in words whether the effect is there and, against a published figure, its size."""
    # distil.claims.verdicts lists the words; importing it would cost every start of Snakemake.
    size = row["size"] if row["published"] else ""
    return "; ".join(filter(None, (row["direction"], size and f"paper {row['published']}: {size}")))


def figures(row: dict[str, str]) -> tuple[str, str]:
    """Return a claim's value with its unit and its interval, as far as it has them."""
    unit = row["unit"]
    digits = DIGITS.get(unit, 0)

    def number(text: str) -> str:
        try:
            return f"{float(text) + 0.0:.{digits}f}"
        except ValueError:
            return text

    here = f"{number(row['here'])} {UNITS.get(unit, unit)}".strip() if row["here"] else ""
    if not row["low"] or not row["high"]:
        return here, ""
    return here, f"({number(row['low'])} to {number(row['high'])})"


def closing_text(study: str, width: int | None = None, *, answers: bool = False) -> str:
    """Return what a full run ends with: claims, the page to open, three commands to try.

    Args:
        study: its name.
        width: columns, as for `claims_text`.
        answers: with the answers to the review's questions instead of the command that shows them.
    """
    top = Path("results", study)
    page = next((top / name for name in PAGES if (top / name).is_file()), None)
    named = "" if study == "sample" else f" --study {study}"
    commands = (
        (f"distil explain C4{named}", "walk from a number back to the exam pages"),
        (f"distil verify{named}", "check that nothing was altered"),
        (f"distil review{named}", "look at problems that may have been misread"),
    )
    longest = max(len(command) for command, _ in commands)
    lines = [claims_text(study, width, answers=answers)]
    if not answers:
        lines.append(f"Answers to the questions of the review: distil claims{named}")
    lines.append("")
    if page:
        lines.append(f"Open {page}")
    lines.append("Next, after `. .venv/bin/activate`:")
    lines += [f"  {command.ljust(longest)}  {meaning}" for command, meaning in commands]
    return "\n".join(lines)
