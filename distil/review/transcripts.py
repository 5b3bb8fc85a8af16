"""Statements that others typed in, put in the place of extracted ones: matched by text.

    rows, unplaced = take_transcripts(extracted, transcribed)

Numbers and sections of a transcription may be wrong (a release left problems out and counted on),
so a transcribed problem belongs to the extracted problem whose text is most like it. Likeness is
the Jaccard index of the word pairs of the normal forms, as for duplicates. What no text matches is
put where its number says, if the page there has some of its words, and flagged. The row keeps page,
box and file of the extraction; statement, options and answer are those of the transcription, and
`method` says so.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from distil.notation.normal import normal_form, problem_text

# Two readings of one problem share most of their word pairs; recognised scans lose up to two
# thirds of them in formulas. Of 466 transcribed problems of 22 scanned papers 10 fall below.
LIKE = 0.35
# Where recognition failed on most of a text, an equal id and some common words tell the place.
BARELY = 0.05
# What stands in the row from the page, whatever the text.
PLACE = ("page", "box", "pdf_sha256", "key_page", "key_box", "key_sha256")


def word_pairs(text: str) -> frozenset[tuple[str, str]]:
    """Return the pairs of neighbouring tokens of a text's normal form."""
    tokens = normal_form(text)
    first = (tokens or ("",))[0]
    return frozenset(itertools.pairwise(tokens)) or frozenset({(first, first)})


def likeness(one: frozenset, other: frozenset) -> float:
    """Return the Jaccard index of two sets of word pairs, 0 to 1."""
    return len(one & other) / max(1, len(one | other))


def match_by_text(
    extracted: Sequence[Mapping[str, Any]], transcribed: Sequence[Mapping[str, Any]]
) -> dict[str, tuple[str, float]]:
    """Pair transcribed problems with extracted ones, the most alike first, each at most once.

    Among equally alike ones (a question that two tests of a year share) the same section goes
    first, then the same id.

    Args:
        extracted: problem rows of one year.
        transcribed: problem rows of the same year.

    Returns:
        The extracted id and the likeness of each transcribed id that has one.
    """
    own = {row["id"]: (row, word_pairs(problem_text(row))) for row in extracted}
    candidates = []
    for row in transcribed:
        pairs = word_pairs(problem_text(row))
        for name, (other, words) in own.items():
            score = likeness(pairs, words)
            if score >= LIKE:
                same = row["section"] == other["section"]
                candidates.append((-round(score, 6), not same, row["id"] != name, row["id"], name))
    found: dict[str, tuple[str, float]] = {}
    taken: set[str] = set()
    for score, _, _, name, other in sorted(candidates):
        if name not in found and other not in taken:
            found[name] = (other, -score)
            taken.add(other)
    for row in transcribed:
        name = row["id"]
        if name not in found and name in own and name not in taken:
            score = likeness(word_pairs(problem_text(row)), own[name][1])
            if score >= BARELY:
                found[name] = (name, round(score, 6))
                taken.add(name)
    return found


def take_transcripts(
    extracted: Sequence[Mapping[str, Any]], transcribed: Sequence[Mapping[str, Any]]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the transcribed problems of a year with the places of the extracted ones they match.

    Args:
        extracted: problem rows of one year, as read.
        transcribed: problem rows of the same year; placeholders among them are left out.

    Returns:
        Rows sorted by id, each with `extracted_id` and `likeness`; where nothing matched, these,
        page and box are None and `flags` holds `unplaced`; where the number alone told the place,
        `flags` holds `placed_by_number`. And the ids of extracted problems that no transcription
        matched.
    """
    chosen = [row for row in transcribed if "placeholder" not in row["flags"]]
    matched = match_by_text(extracted, chosen)
    by_id = {row["id"]: row for row in extracted}
    rows = []
    for row in sorted(chosen, key=lambda row: row["id"]):
        name, score = matched.get(row["id"], (None, None))
        place = {key: by_id[name][key] if name else None for key in PLACE}
        doubt = ["unplaced"] if name is None else ["placed_by_number"] if score < LIKE else []
        flags = [*row["flags"], *doubt]
        rows.append({**row, **place, "flags": flags, "extracted_id": name, "likeness": score})
    used = {name for name, _ in matched.values()}
    return rows, sorted(by_id.keys() - used)
