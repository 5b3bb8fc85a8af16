"""Second readings of flagged problems, by a vision model that sees their picture and no text.

Where extraction and reading agree, the flags that a reading can settle are lifted. Where they do
not, both texts are kept, one of them stands, and the problem stays flagged for a person to decide.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from distil.notation.answers import canonical_answer, without_math_delimiters
from distil.notation.normal import normal_form, problem_text
from distil.notation.plain import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# What one clipping cannot settle: a drawing, the order of problems, what is on another page.
STAYING = frozenset({"figure", "gap", "repeated", "number_guessed", "spans_pages", "no_answer"})
ILLEGIBLE = "ILLEGIBLE"
_OPTION = re.compile(r"^\s*\(?([A-H])[).:]\s*(\S.*?)\s*$")


def doubts(row: Mapping[str, Any]) -> dict[str, set[str]]:
    """Return the flags of a problem that a reading could settle: {what to read: flags}.

    What to read is `statement` or `key`. A statement that goes on on another page is not read: its
    picture shows a part only.
    """
    flags = set(row["flags"]) - STAYING
    keyed = {flag for flag in flags if flag.startswith("key_")}
    found = {"statement": set() if "spans_pages" in row["flags"] else flags - keyed, "key": keyed}
    if row.get("key_page") is None:
        del found["key"]
    return {what: mine for what, mine in found.items() if mine}


def extracted_text(row: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Return what the extraction read: the statement with its options, or the answer."""
    if what == "key":
        return {"answer": row["answer_raw"]}
    return {"statement": row["statement"], "options": row["options"]}


def read_text(content: str, what: str, number: str) -> dict[str, Any] | None:
    """Return what a vision model's answer says, in the shape of `extracted_text`.

    Args:
        content: its answer.
        what: `statement` or `key`.
        number: of the problem, which models like to repeat.

    Returns:
        the text, or None if the model says that it could not read it.
    """
    lines, options = [], []
    for line in without_math_delimiters(content).splitlines():
        if what == "statement" and lines and (found := _OPTION.match(line)):
            options.append({"label": found[1], "text": " ".join(found[2].split())})
        elif line.strip():
            lines.append(line.strip())
    text = " ".join(" ".join(lines).split())
    text = re.sub(
        rf"^(?:(?:problem|question)\s*)?\(?0*{re.escape(number)}[.):]\s+", "", text, flags=re.I
    )
    if not text or ILLEGIBLE in text.upper():
        return None
    return {"answer": text} if what == "key" else {"statement": text, "options": options}


def agree(extracted: Mapping[str, Any], read: Mapping[str, Any]) -> bool:
    """Tell whether two texts say the same, however their mathematics is typed."""
    if "answer" in extracted:
        one, other = (
            "".join(canonical_answer(text["answer"] or "").split()) for text in (extracted, read)
        )
        return bool(one) and one == other
    return bool(extracted["statement"]) and (
        normal_form(problem_text(extracted)) == normal_form(problem_text(read))
    )


def with_readings(
    row: Mapping[str, Any], readings: Iterable[Mapping[str, Any]], prefer: str
) -> dict[str, Any]:
    """Return a problem after its second readings.

    Args:
        row: the problem as extracted.
        readings: its rows of readings.jsonl (scripts/read_crops.py says what they hold).
        prefer: `extraction` or `reading`: whose text stands where the two disagree. Where only one
            of them has a text, that one stands.

    Returns:
        the row, with `readings`: for each, what was read, whether it agrees, which text is used,
        both texts, the flags lifted, and the request and response it rests on.
    """
    new = {**row, "readings": []}
    for reading in readings:
        what, read = reading["what"], reading["text"]
        extracted = extracted_text(row, what)
        lifted = doubts(row).get(what, set()) if reading["agrees"] else set()
        has_text = bool(extracted.get("answer") or extracted.get("statement"))
        disagree = read is not None and not reading["agrees"]
        use_reading = disagree and (prefer == "reading" or not has_text)
        if use_reading and what == "key":
            raw = read["answer"]
            new |= {"answer_raw": raw, "answer": canonical_answer(raw)}
        elif use_reading:
            new |= {**read, "statement_plain": plain(read["statement"])}
        new["flags"] = [flag for flag in new["flags"] if flag not in lifted]
        new["readings"].append(
            {
                "what": what,
                "status": reading["status"],
                "agrees": reading["agrees"],
                "used": "reading" if use_reading else "extraction",
                "extracted": extracted,
                "read": read,
                "lifted": sorted(lifted),
                "request_sha256": reading["request_sha256"],
                "response_sha256": reading["response_sha256"],
            }
        )
    return new


def apply_readings(
    rows: Iterable[Mapping[str, Any]], readings: Iterable[Mapping[str, Any]], prefer: str
) -> list[dict[str, Any]]:
    """Return problems after their second readings; a row without one is as it was."""
    wanted: dict[str, list[Mapping[str, Any]]] = {}
    for reading in readings:
        wanted.setdefault(reading["problem"], []).append(reading)
    return [
        with_readings(row, wanted[row["id"]], prefer) if row["id"] in wanted else dict(row)
        for row in rows
    ]
