"""The problems that the published figures are over, pinned by id and by a hash of their text.

A selection is a CSV with columns id, text_sha256 and note. The hash is that of the normal form, so
that neither LaTeX nor spacing matters, and no text of others is in the file. `note` is empty, or

    placeholder        the transcription could not read the question: not among the published 651
    duplicate-of:ID    the same question as ID, word for word; it counts twice in the figures

`python -m distil.release.selection FOLDER` prints the selection of the public release.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distil.content.hashing import sha256_text
from distil.notation.normal import normal_form
from distil.release.files import YEARS, flag_exact_duplicates, transcriptions
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


def main(folder: str) -> None:
    """Print the selection of a download of the release."""
    writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(select_release(folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
