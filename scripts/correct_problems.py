"""Make one year's problems of a study: what was read, corrected by people, or typed in by others.

Input: `extracted`, the year's problems as they were read (JSONL); `readings`, second readings of
its flagged problems (none where no vision backend is configured); `transcription`, the year's file
of a transcription (none unless its texts are used).
Output: `problems`, what every later stage reads, sorted by id. A row that nothing was done to is
the extracted row; others carry `readings`, `corrections`, or `extracted_id` and `likeness`, which
say where a transcribed problem stands on the page. And `accounts` (JSONL): every problem that was
read, typed in or selected, with its fate (`taken`, `excluded` or `not found`) and the reason. And
`excluded` (JSONL), the rows of those that a correction could bring into the study or out of it
again: corrected (one that was struck out as it was read), with `excluded`, the reasons.
Params: `source`, whose statements and keys are used: `extraction`, `reviewed` (corrected by people)
or `transcription`; `corrections`, the year's entries; `file`, where they stand (null: nowhere);
`prefer`, whose text stands where extraction and second reading disagree (null: there is no second
reading); `refuse`, the flags that keep a problem out of the study; `selected`, the ids of the
selection, each with its `note` and `text_sha256` (null: there is no selection).

A problem whose text is that of another of its test in the selection has another number there: the
job stops and names it, since ids alone would take one problem for another.

The record says what became of every problem: `struck_out` by a correction, `kept_out` by a flag,
`left_out` since the selection does not hold it, `not_found` though the selection holds it,
`not_typed` though it was read, where the study takes the texts of a transcription.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from distil.content.files import read_jsonl, write_jsonl
from distil.release.selection import text_sha256
from distil.release.transcriptions import read_transcription
from distil.review.admission import admit
from distil.review.corrections import apply_corrections, count_corrections, entries_by_problem
from distil.review.transcripts import take_transcripts
from distil.review.vision_readings import apply_readings

# What ends the id of a problem that was read and that no transcribed one belongs to: its number may
# be another's in the transcription, which is numbered without figure problems.
READ = ".read"
PLACEHOLDER = "placeholder"  # the note of a row of the selection that could not be read
REASONS = {"no_answer": "no key", "empty": "no statement"}


def refuse_renumbered(
    rows: Sequence[Mapping[str, Any]], selected: Mapping[str, Mapping[str, str]]
) -> None:
    """Refuse problems that the selection has under another number of the same test.

    About half of the problems of a scan are spelled just as they were typed; the others have a hash
    that is none of the selection and are not held against it.

    Args:
        rows: a year's problems.
        selected: {id: note and text_sha256} of the year in the selection.

    Raises:
        ValueError: names each such problem and the remedy.
    """
    known: dict[tuple[str, str], list[str]] = {}
    for name, row in selected.items():
        known.setdefault((name.split("-")[1], row["text_sha256"]), []).append(name)
    wrong = []
    for row in rows:
        names = known.get((row["section"], text_sha256(row)), [])
        if names and row["id"] not in names:
            wrong.append(f"{row['id']} has the text of the published {' and '.join(names)}")
    if wrong:
        raise ValueError(
            "problems are published under other numbers than are printed; list them under "
            "renumbered, in their test of the manifest (docs/extending.md):\n  "
            + "\n  ".join(wrong)
        )


def leave_out(
    rows: Sequence[Mapping[str, Any]], selected: Mapping[str, Mapping[str, str]] | None
) -> tuple[list[Mapping[str, Any]], dict[str, list[str]], dict[str, list[str]]]:
    """Keep the problems of a selection.

    Args:
        rows: a year's problems.
        selected: {id: note and text_sha256} of the year in the selection; None keeps all.

    Returns:
        The rows kept; the ids left out by reason (`figure`, or `not selected`); and the ids of the
        selection that are not among the rows by reason (`placeholder`, or `not found`).
    """
    if selected is None:
        return list(rows), {}, {}
    left_out: dict[str, list[str]] = {}
    for row in rows:
        if row["id"] not in selected:
            reason = "figure" if "figure" in row["flags"] else "not selected"
            left_out.setdefault(reason, []).append(row["id"])
    not_found: dict[str, list[str]] = {}
    for name in sorted(selected.keys() - {row["id"] for row in rows}):
        reason = PLACEHOLDER if selected[name]["note"] == PLACEHOLDER else "not found"
        not_found.setdefault(reason, []).append(name)
    return [row for row in rows if row["id"] in selected], left_out, not_found


def account(
    rows: Sequence[Mapping[str, Any]],
    reasons: Mapping[str, Mapping[str, Sequence[str]]],
    selected: Mapping[str, Mapping[str, str]] | None,
    read: Mapping[str, Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Say of every problem what became of it.

    Args:
        rows: the problems of the study.
        reasons: {fate: {reason: ids}} of all others.
        selected: {id: note and text_sha256} of the selection, or None.
        read: the rows as they were read, by the ids of the account.

    Returns:
        Rows sorted by id: id, section, fate, reason, selected (whether the published figures are
        over it; None without a selection), the flags of what was read, and a note: that of the
        selection, and the printed number where it is another than that of the id.
    """
    found = {row["id"]: ("taken", "") for row in rows}
    for fate, lists in reasons.items():
        for reason, names in lists.items():
            for name in names:
                found.setdefault(name, (fate, reason))
    notes = {name: row["note"] for name, row in (selected or {}).items()}
    return [
        {
            "id": name,
            "section": name.split("-")[1],
            "fate": fate,
            "reason": reason,
            "selected": None if selected is None else notes.get(name, PLACEHOLDER) != PLACEHOLDER,
            "note": "; ".join(filter(None, (notes.get(name), printed_as(name, row.get("number")))))
            or None,
            "flags": row.get("flags", []),
        }
        for name, (fate, reason) in sorted(found.items())
        for row in (read.get(name, {}),)
    ]


def printed_as(name: str, number: str | None) -> str | None:
    """Say which number a problem has on its page, where its id ends in another."""
    label = name.removesuffix(READ).split("-", 2)[-1].lstrip("0")
    return None if number is None or label == number.lower() else f"printed as {number}"


def set_aside(
    read: Sequence[Mapping[str, Any]],
    corrected: Sequence[Mapping[str, Any]],
    entries: Sequence[Mapping[str, Any]],
    reasons: Mapping[str, Sequence[str]],
) -> list[dict[str, Any]]:
    """Return the rows of the problems that are not in the study.

    Args:
        read: the rows that corrections are held against.
        corrected: the rows after them.
        entries: the corrections.
        reasons: {reason: ids of problems that are not in the study}.

    Returns:
        Rows sorted by id, each as it is corrected, one that a correction strikes out as it was
        read, with that correction; and `excluded`, its reasons.
    """
    own = entries_by_problem(read, entries)
    rows = {row["id"]: {**row, "corrections": own.get(row["id"], [])} for row in read}
    rows |= {row["id"]: row for row in corrected}
    why: dict[str, list[str]] = {}
    for reason, names in reasons.items():
        for name in names:
            why.setdefault(name, []).append(reason)
    return [{**rows[name], "excluded": why[name]} for name in sorted(why)]


def main(*, input: Any, output: Any, params: Any) -> dict[str, Any]:  # noqa: A002
    extracted = read_jsonl(input.extracted)
    readings = [row for path in input.readings for row in read_jsonl(path)]
    not_typed: list[str] = []
    if params.source == "transcription":
        (transcription,) = input.transcription
        typed = read_transcription(transcription, int(params.year))
        rows, not_typed = take_transcripts(extracted, typed)
    else:
        rows = apply_readings(extracted, readings, params.prefer)
    by_id = {row["id"]: row for row in extracted}
    before = rows
    read = {row["id"]: by_id.get(row.get("extracted_id", row["id"]), {}) for row in rows}
    if params.source != "extraction":
        rows = apply_corrections(rows, params.corrections, params.file)
    corrected = rows
    struck_out = sorted(read.keys() - {row["id"] for row in rows})
    read |= {f"{name}{READ}": by_id[name] for name in not_typed}
    if params.selected and params.source != "transcription":
        refuse_renumbered(rows, params.selected)
    rows, left_out, not_found = leave_out(rows, params.selected)
    admitted, kept_out = admit(rows, params.refuse)
    write_jsonl(output.problems, admitted)
    excluded: dict[str, list[str]] = {"struck out": struck_out}
    for flag, names in kept_out.items():
        excluded[REASONS.get(flag, flag)] = names
    excluded |= left_out
    aside = set_aside(before, corrected, params.corrections, excluded)
    write_jsonl(output.excluded, aside)
    for name in not_typed:
        figure = "figure" in by_id[name]["flags"]
        excluded.setdefault("figure" if figure else "not transcribed", []).append(f"{name}{READ}")
    accounts = account(
        admitted, {"excluded": excluded, "not found": not_found}, params.selected, read
    )
    write_jsonl(output.accounts, accounts)
    return {
        "facts": {
            "problems": len(admitted),
            "corrected": count_corrections(admitted),
            "struck_out": struck_out,
            "kept_out": kept_out,
            "left_out": left_out,
            "not_found": not_found,
            "not_typed": not_typed,
        }
    }


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
