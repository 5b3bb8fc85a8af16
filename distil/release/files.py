r"""Files of the public release that accompanies the paper: what it holds and how it is read.

Nothing of the release is in this repository. A study reads it from a folder of the user's: a
download of one pinned commit. Its numbers come in two kinds, kept apart throughout: counts that
stand in a file of the release, with file and line, and counts that only a published percentage
implies (`count_of_percentage`).
"""

from __future__ import annotations

import csv
import json
import re
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

REPOSITORY = "https://github.com/TempGaurab/Distillation.John-O-Bryan"
COMMIT = "7f0a5cfd3608c72376500355c261ee399219bd35"
REMEDY = f"restore it from {REPOSITORY} at {COMMIT[:8]}"
# Its scanned papers, as far as it holds them, and what each is.
PAPERS = "Raw PDF Files"
MANIFEST = "resources/jobmc/exams.yaml"
YEARS = tuple(range(2011, 2026))
SECTIONS = {
    "freshman_sophomore_test": "fs",
    "junior_senior_test": "js",
    "two_person_speed_event": "tp",
}
PARTS = {"train": "train", "validation": "valid", "test": "test"}
# The release's five levels, longest first. R6 of the paper is not in it.
LEVELS = {f"R{number}": f"reasoning_{number}" for number in range(1, 6)}
# The chains that trained the published student, and each level's own split of cut-down chains.
SETS = {"full": "data", **{level: f"runs/{name}/data" for level, name in LEVELS.items()}}

_PLACEHOLDER = re.compile(r"^\s*question \w+ \(content not visible", re.IGNORECASE)
_VALIDATION = re.compile(r"Iter (\d+): Val loss ([\d.]+)")
_TRAINING = re.compile(r"Iter (\d+): Train loss ([\d.]+)")


def transcriptions(folder: str | Path) -> dict[int, str]:
    """Return the path of each year's transcription."""
    return {year: str(Path(folder, "datafile", f"{year}.json")) for year in YEARS}


def splits(folder: str | Path) -> dict[str, dict[str, str]]:
    """Return the released training files: set (`full`, `R1` ... `R5`) to part to path."""
    return {
        name: {part: str(Path(folder, place, f"{file}.jsonl")) for part, file in PARTS.items()}
        for name, place in SETS.items()
    }


def tables(folder: str | Path) -> dict[str, str]:
    """Return the released tables and logs by the names that rules and scripts use."""
    files = {
        "overall": "verdict_overall_no_skipped.csv",
        "by_section": "verdict_by_section_no_skipped.csv",
        "by_year": "verdict_by_year_no_skipped.csv",
        "other_overall": "verdict_overall.csv",
        "other_by_section": "verdict_by_section.csv",
        "other_by_year": "verdict_by_year.csv",
        "levels": "runs/accuracy_summary.csv",
        "levels_in_splits": "runs/accuracy_summary_filtered.csv",
        "level_runs": "runs/summary.csv",
        "chains": "reasoning_chain.csv",
        "log": "TERMINAL.md",
    }
    return {name: str(Path(folder, file)) for name, file in files.items()}


def check_folder(folder: str | Path) -> None:
    """Refuse a folder that is not a complete download of the release.

    Raises:
        FileNotFoundError: a file is missing; the message names it and says how to get it.
    """
    needed = [
        *transcriptions(folder).values(),
        *(path for parts in splits(folder).values() for path in parts.values()),
        *tables(folder).values(),
    ]
    missing = [path for path in needed if not Path(path).is_file()]
    if missing:
        others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise FileNotFoundError(
            f"{missing[0]}{others}: not found, so {folder} is not the public release. Get it with\n"
            f"  git clone {REPOSITORY} release && git -C release checkout {COMMIT}\n"
            "and run: make released FOLDER=release"
        )


# ---------------------------------------------------------------------------------- the questions


def is_placeholder(statement: str) -> bool:
    """Tell whether a transcription says only that it could not read the question."""
    return bool(_PLACEHOLDER.match(statement))


def flag_exact_duplicates(problems: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Flag every question whose text already stood under a smaller id: `duplicate-of:ID`.

    Verbatim equality of the transcriptions; placeholders repeat nothing.
    """
    first: dict[str, str] = {}
    flagged = []
    for problem in sorted(problems, key=lambda row: row["id"]):
        row = {**problem, "flags": list(problem["flags"])}
        if "placeholder" not in row["flags"]:
            earlier = first.setdefault(row["statement_plain"], row["id"])
            if earlier != row["id"]:
                row["flags"].append(f"duplicate-of:{earlier}")
        flagged.append(row)
    return flagged


def evaluated(problems: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the problems that the published figures are over: all but placeholders."""
    return [row for row in problems if "placeholder" not in row["flags"]]


# ------------------------------------------------------------------------------------- the splits


def read_split(path: str | Path) -> list[dict[str, Any]]:
    """Read one released training file: line, question, response and system prompt of each row.

    Raises:
        ValueError: a row is not a chat with one question and one response.
    """
    rows = []
    for line, text in enumerate(Path(path).read_text(encoding="utf-8").split("\n"), start=1):
        if not text:
            continue
        try:
            turns = {turn["role"]: turn["content"] for turn in json.loads(text)["messages"]}
            row = {"line": line, "question": turns["user"], "response": turns["assistant"]}
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise ValueError(
                f"{path}:{line}: not a chat row with user and assistant; {REMEDY}"
            ) from error
        rows.append({**row, "system": turns.get("system")})
    return rows


# ------------------------------------------------------------------------------------- the counts


def read_table(path: str | Path, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Read a released CSV as rows of text, each with the `line` it ends on.

    Raises:
        ValueError: the columns are not those of the release.
    """
    with Path(path).open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        if list(reader.fieldnames or []) != list(columns):
            raise ValueError(
                f"{path}: columns {reader.fieldnames}, expected {list(columns)}; {REMEDY}"
            )
        return [{**row, "line": reader.line_num} for row in reader]


def read_chains(path: str | Path) -> dict[str, dict[str, Any]]:
    """Read the released traces: problem id to level to text, and `line`, where its row ends.

    Raises:
        ValueError: a column is missing, or a trace is empty.
    """
    # A full chain is longer than the csv module allows a field by default.
    csv.field_size_limit(10**7)
    columns = ["year", "section", "question_id", "question", "true_answer", *LEVELS.values()]
    chains = {}
    for row in read_table(path, columns):
        number = row["question_id"].removeprefix("question_").zfill(2).lower()
        key = f"{row['year']}-{SECTIONS[row['section']]}-{number}"
        chains[key] = {level: row[name] for level, name in LEVELS.items()}
        if empty := [level for level, text in chains[key].items() if not text.strip()]:
            raise ValueError(f"{path}:{row['line']}: {key} has no trace at {empty[0]}; restore it")
        chains[key]["line"] = row["line"]
    return chains


def count_of_percentage(percentage: float | str, total: int, digits: int = 2) -> int:
    """Return the one count out of a total that a rounded percentage can stand for.

    Args:
        percentage: as published, such as 91.40.
        total: items, at least 1.
        digits: digits after the point that the percentage was rounded to.

    Raises:
        ValueError: no count gives the percentage, or more than one does.
    """
    unit = Decimal(1).scaleb(-digits)
    wanted = Decimal(str(percentage)).quantize(unit, ROUND_HALF_UP)
    middle = int(wanted * total / 100)
    reach = int(total * unit / 100) + 2
    counts = [
        count
        for count in range(max(0, middle - reach), min(total, middle + reach) + 1)
        if (Decimal(100 * count) / total).quantize(unit, ROUND_HALF_UP) == wanted
    ]
    if len(counts) != 1:
        found = "no count" if not counts else f"counts {counts[0]} to {counts[-1]}"
        raise ValueError(
            f"{wanted} %: {found} out of {total} rounds to it; it implies no one count"
        )
    return counts[0]


def read_losses(path: str | Path) -> list[dict[str, Any]]:
    """Read the losses that the release's training log prints: iteration, part, loss, line.

    Raises:
        ValueError: the log has no validation loss.
    """
    rows = []
    for line, text in enumerate(Path(path).read_text(encoding="utf-8").split("\n"), start=1):
        for part, pattern in (("validation", _VALIDATION), ("train", _TRAINING)):
            rows += [
                {"iteration": int(found[1]), "part": part, "loss": float(found[2]), "line": line}
                for found in pattern.finditer(text)
            ]
    if not any(row["part"] == "validation" for row in rows):
        raise ValueError(f"{path}: no validation loss in it; {REMEDY}")
    return sorted(rows, key=lambda row: (row["part"], row["iteration"], row["line"]))
