"""Hold what was read from the release's scans against its transcription, problem by problem.

Input: `extracted`, the problems read from the PDFs of each year; `problems`, the transcriptions of
each year (JSONL). Output: `csv`, one row a problem; `summary`, `markdown` and `html`, counts by
group. Params: `title`.

Columns of the rows: id, year, section, number; transcribed, extracted (is it in either; problems
with a figure were not transcribed, and a placeholder is no transcription); method, flags,
confidence of the extraction; similarity (0 to 1, of the two statements in their normal form, so
that ways to type mathematics do not count); numbers_equal (the same numbers in the same order);
answer_equal (by this project's grader: yes, no, or unknown where it cannot tell); and the texts.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from distil.content.files import read_jsonl
from distil.grading.grading import judge_all
from distil.notation.normal import normal_form, numbers_of, problem_text
from distil.release.files import evaluated
from distil.report import tables

WORDS = {"right": "yes", "wrong": "no", "unknown": "unknown"}
NOTES = [
    "found: read with the section and the number of the transcription. numbers equal: the same "
    "numbers in the statement, in the same order. answers read: the key is in the PDF and was "
    "found. These are of all that are transcribed, so what was not found counts as wrong.",
    "answer equal, by the study's grader, and both equal: of the answers that were read.",
    "The transcription has slips of its own, and adds to some questions what a figure shows: 100 % "
    "is out of reach for any extraction.",
    "unflagged: what the extraction is sure of; flagged: what `make review` asks a person about.",
]


def compare(row: Mapping[str, Any] | None, truth: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return one problem's row, but for the verdict on its answer.

    Args:
        row: the problem as extracted, or None if it was not found.
        truth: the problem as transcribed, or None if it was not.
    """
    either = row or truth
    one, other = (normal_form(problem_text(item)) if item else () for item in (row, truth))
    both = row is not None and truth is not None
    matcher = difflib.SequenceMatcher(None, "".join(one), "".join(other), autojunk=False)
    return {
        "id": either["id"],
        "year": either["year"],
        "section": either["section"],
        "number": either["number"],
        "transcribed": truth is not None,
        "extracted": row is not None,
        "method": row["method"] if row else None,
        "flags": " ".join(row["flags"]) if row else None,
        "confidence": row["confidence"] if row else None,
        "similarity": round(matcher.ratio(), 4) if both else None,
        "numbers_equal": numbers_of(one) == numbers_of(other) if both else None,
        "answer_equal": None,
        "statement_extracted": row["statement_plain"] if row else None,
        "statement_transcribed": truth["statement_plain"] if truth else None,
        "answer_extracted": row["answer_raw"] if row else None,
        "answer_transcribed": truth["answer_raw"] if truth else None,
    }


def compare_all(
    extracted: Iterable[Mapping[str, Any]], transcribed: Iterable[Mapping[str, Any]]
) -> pd.DataFrame:
    """Return the rows of all problems that are in either, sorted by id.

    Transcriptions of years without a paper are left out.
    """
    found = {row["id"]: row for row in extracted}
    years = {row["year"] for row in found.values()}
    truth = {row["id"]: row for row in evaluated(transcribed) if row["year"] in years}
    names = sorted(found.keys() | truth.keys())
    rows = [compare(found.get(name), truth.get(name)) for name in names]
    asked = [row for row in rows if row["extracted"] and row["transcribed"]]
    verdicts = judge_all(
        [
            (
                truth[row["id"]]["answer"],
                f"Answer: {found[row['id']]['answer'] or ''}",
                truth[row["id"]]["statement"],
            )
            for row in asked
        ]
    )
    for row, verdict in zip(asked, verdicts, strict=True):
        row["answer_equal"] = WORDS[verdict.verdict]
    return pd.DataFrame(rows)


def groups(frame: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the groups that are counted: {name: which rows belong to it}."""
    chosen = {
        "all": frame["id"].notna(),
        "unflagged": frame["flags"] == "",
        "flagged": frame["flags"].notna() & (frame["flags"] != ""),
    }
    for column in ("method", "section", "year"):
        for value in sorted(frame[column].dropna().unique()):
            chosen[f"{column} {value}"] = frame[column] == value
    return chosen


def summarise(frame: pd.DataFrame) -> pd.DataFrame:
    """Return counts and percentages by group, over the transcribed problems."""
    rows = []
    for name, chosen in groups(frame).items():
        mine = frame[chosen & frame["transcribed"]]
        if mine.empty:
            continue
        numbers, answers = mine["numbers_equal"].eq(True), mine["answer_equal"].eq("yes")
        read = mine["answer_extracted"].notna() & mine["extracted"]
        row: dict[str, Any] = {"group": name, "transcribed": len(mine)}
        for column, right, of in (
            ("found", mine["extracted"], mine["transcribed"]),
            ("numbers equal", numbers, mine["transcribed"]),
            ("answers read", read, mine["transcribed"]),
            ("answer equal", answers, read),
            ("both equal", numbers & answers, read),
        ):
            row[column] = int(right.sum())
            row[f"{column}, %"] = 100 * int(right.sum()) / int(of.sum()) if of.any() else None
        row["similarity"] = mine["similarity"].astype(float).mean()
        row["not transcribed"] = int((chosen & ~frame["transcribed"]).sum())
        rows.append(row)
    return pd.DataFrame(rows)


def read_all(paths: Sequence[str]) -> list[dict[str, Any]]:
    """Read the rows of several files."""
    return [row for path in paths for row in read_jsonl(path)]


def main(*, input: Any, output: Any, params: Any) -> None:  # noqa: A002
    frame = compare_all(read_all(input.extracted), read_all(input.problems))
    tables.write([output.csv], frame, params.title)
    tables.write(
        [output.summary, output.markdown, output.html],
        summarise(frame),
        f"Extraction against transcription: {params.title}",
        NOTES,
    )


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
