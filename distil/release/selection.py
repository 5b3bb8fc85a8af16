"""The problems that the published figures are over, pinned by id and by a hash of their text.

A selection is a CSV with columns id, text_sha256 and note. The hash is that of the normal form, so
that neither LaTeX nor spacing matters, and no text of others is in the file. `note` is empty, or

    placeholder        the transcription could not read the question: not among the published 651
    duplicate-of:ID    the same question as ID, word for word; it counts twice in the figures

`python -m distil.release.selection FOLDER` prints the selection of the public release, and with
`split` behind it the released random split: a CSV with columns id and part, for `folds.NAME.file`.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distil.content.hashing import sha256_text
from distil.notation.normal import normal_form
from distil.release.files import (
    YEARS,
    flag_exact_duplicates,
    read_split,
    splits,
    transcriptions,
)
from distil.release.transcriptions import read_transcription

COLUMNS = ("id", "text_sha256", "note")
PLACEHOLDER = "placeholder"


def text_sha256(problem: Mapping[str, Any]) -> str:
    """Return the sha256 of a problem's statement in its normal form, tokens joined by spaces."""
    return sha256_text(" ".join(normal_form(problem["statement"])))


def select_release(folder: str | Path) -> list[dict[str, str]]:
    """Return the selection of a download of the release: every transcribed row, sorted by id."""
    rows = [
        row
        for year, path in transcriptions(folder).items()
        if year in YEARS
        for row in read_transcription(path, year)
    ]
    return [
        {
            "id": row["id"],
            "text_sha256": text_sha256(row),
            "note": next(
                (flag for flag in row["flags"] if flag.startswith((PLACEHOLDER, "duplicate-of:"))),
                "",
            ),
        }
        for row in flag_exact_duplicates(rows)
    ]


def read_selection(path: str | Path) -> dict[str, dict[str, str]]:
    """Read a selection: {id: {"text_sha256", "note"}}.

    Raises:
        ValueError: the columns are others, or an id stands twice.
    """
    with Path(path).open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise ValueError(
                f"{path}: columns {reader.fieldnames}, expected {list(COLUMNS)}; restore the file"
            )
        found: dict[str, dict[str, str]] = {}
        for row in reader:
            if row["id"] in found:
                raise ValueError(f"{path}:{reader.line_num}: {row['id']} stands twice; drop one")
            found[row["id"]] = {"text_sha256": row["text_sha256"], "note": row["note"]}
    return found


def split_release(folder: str | Path) -> list[dict[str, str]]:
    """Return the part of each problem that the release trained, validated or tested on.

    Problems are known by their text as typed. One that stands in several parts, since its text
    stands twice in the release, is in the part nearest to training. Problems in no part, whose
    traces were found wrong, are left out.
    """
    part_of: dict[str, str] = {}
    for part, path in splits(folder)["full"].items():
        for row in read_split(path):
            part_of.setdefault(row["question"], part)
    return [
        {"id": row["id"], "part": part_of[row["statement_plain"]]}
        for year, path in transcriptions(folder).items()
        for row in read_transcription(path, year)
        if row["statement_plain"] in part_of and PLACEHOLDER not in row["flags"]
    ]


def main(folder: str, what: str = "selection") -> None:
    """Print the selection, or the split, of a download of the release."""
    columns, rows = {
        "selection": (COLUMNS, select_release),
        "split": (("id", "part"), split_release),
    }[what]
    writer = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows(folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
