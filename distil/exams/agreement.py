"""Agreement of a scanned problem with a third reading: doubts that it settles, spaces it lends.

    settle(row, passage, sheets)  # row["flags"] without formula and doubtful, where all agree

Two readings that err in different ways and give the same letters, digits and signs in the same
order leave little doubt. Only `formula` and `doubtful` are settled, and only where nothing else is
in doubt: tangled lines, figures or small print are doubts about order and extent, which both
readings may share.
"""

from __future__ import annotations

import itertools
import re
import unicodedata

from distil.exams.segmentation import Passage
from distil.exams.text.layout import Sheet
from distil.exams.text.page import Box, around
from distil.notation.plain import plain

SETTLED = {"formula", "doubtful"}
# Flags that say nothing about how the statement was read.
ASIDE = {"no_answer", "spans_pages"}
# Points that a line's box may stand outside a problem's.
SLACK = 3.0
# What the two readings write in different ways, or one of them leaves out: signs of triangles,
# degrees and roots, names of functions that plain text spells out.
LEFT_OUT = re.compile(r"[Δ△∆°√]|sqrt|degrees?", re.I)
SIGN = {"−": "-", "–": "-", "—": "-", "≤": "<", "≥": ">", "⩽": "<", "⩾": ">"}
WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}(?![A-Za-z])")


def settle(row: dict, passage: Passage, sheets: dict[int, Sheet]) -> None:
    """Settle a row's doubts in place, where the third reading of its pages says the same.

    Args:
        row: a problem's row.
        passage: its lines.
        sheets: of the paper, by number, with their third readings.
    """
    if row["method"] != "ocr":
        return
    third = third_text(passage, sheets)
    if third is None or not agrees(row, third):
        return
    row["statement"] = with_spaces(row["statement"], third)
    row["statement_plain"] = plain(row["statement"])
    doubts = {flag for flag in row["flags"] if not flag.startswith("key_")} - ASIDE
    if doubts <= SETTLED:
        row["flags"] = [flag for flag in row["flags"] if flag not in SETTLED]


def third_text(passage: Passage, sheets: dict[int, Sheet]) -> str | None:
    """Return what the third reading says where a problem stands; None: there is none."""
    texts = []
    for number in dict.fromkeys(line.page for line in passage.lines):
        sheet = sheets[number]
        if sheet.third is None:
            return None
        boxes = [line.box for line in passage.lines if line.page == number]
        texts += [text for box, text in sheet.third if holds(around(*boxes), box)]
    joined = " ".join(texts)
    return re.sub(r"(?<=[a-z])- (?=[a-z])", "", joined)


def with_spaces(statement: str, third: str) -> str:
    """Return a statement with its words parted and joined as in a third reading.

    `Ifp` where that has `If p`, `pa ss` where it has `pass`: rows of print are read letter by
    letter, and what looks like a gap is no matter of their shapes.

    Args:
        statement: LaTeX-like text of a problem.
        third: the same letters as the third reading has them.
    """
    words = re.findall(r"[A-Za-z]+", third)
    known = set(words)
    pairs = {one + other: f"{one} {other}" for one, other in itertools.pairwise(words)}

    def parted(match: re.Match) -> str:
        word = match[0]
        return pairs.get(word, word) if word not in known else word

    def joined(match: re.Match) -> str:
        one, other = match[1], match[2]
        if one + other in known and (one not in known or other not in known):
            return one + other
        return match[0]

    return re.sub(r"\b([A-Za-z]+) ([a-z]+)\b", joined, WORD.sub(parted, statement))


def holds(region: Box, box: Box) -> bool:
    """Return whether the centre of a box lies in a region, or hardly outside."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return (
        region[0] - SLACK <= x <= region[2] + SLACK and region[1] - SLACK <= y <= region[3] + SLACK
    )


def agrees(row: dict, third: str) -> bool:
    """Return whether a row and a third reading have the same letters, digits and signs."""
    options = " ".join(f"{option['label']} {option['text']}" for option in row["options"])
    ours = f"{row['number']} {row['statement_plain']} {options}"
    return signature(ours) == signature(third)


def signature(text: str) -> str:
    """Return the letters, digits, relations and signs of a text, each in one spelling."""
    text = unicodedata.normalize("NFKC", LEFT_OUT.sub("", text))
    text = "".join(SIGN.get(char, char) for char in text)
    # k and K are two variables, and have one shape.
    return re.sub(r"[^\w+=<>-]|_", "", text)
