"""Agreement of a scanned problem with a third reading: doubts settled or raised, spaces lent.

    settle(row, passage, sheets)  # row["flags"] without formula and doubtful, where all agree

Two readings that err in different ways and give the same letters, digits and signs in the same
order leave little doubt. Only `formula` and `doubtful` are settled, and only where nothing else is
in doubt: tangled lines, figures or small print are doubts about order and extent, which both
readings may share. Where a third reading that is nearly the same has other letters, one of the two
is wrong, and the problem is `doubtful`.
"""

from __future__ import annotations

import difflib
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
# What no print says, or says otherwise than was read: a root or a fraction as an index, and two
# numbers side by side, the first of them raised, whose dot of multiplication was not seen.
TORN = re.compile(r"_\{?\\(?:sqrt|frac)|\^(?:\{[^{}]*\}|\w)\s*\d")
# Marks that are small in print. The third reading leaves many out; one that it has and the row
# lacks was lost: decimal points, signs of multiplication and division, factorials, brackets, bars.
MARKS = (r"(?<=\d)\.(?=\d)", r"[·•×*]", r"[÷/]", r"!", r"[(\[{]", r"[)\]}]", r"\|", r"%")
# A decimal point with a gap beside it, which may as well end a sentence.
PARTED = re.compile(r"(?<=\d)(?: \.|\. )(?=\d)")
# A formula after the end of the last sentence, which may belong to the problem below.
TAIL = re.compile(r"[.?!]\s+([^.?!]*[=<>+\d][^.?!]*)$")
LONG_WORD = re.compile(r"[^\W\d_]{3,}")
# Share of letters from which two readings are of the same lines, and differ by an error in one.
NEARLY = 0.9
WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}(?![A-Za-z])")


def settle(row: dict, passage: Passage, sheets: dict[int, Sheet]) -> None:
    """Settle a row's doubts in place, where the third reading of its pages says the same.

    A number that is printed in two parts, and which no third reading joins, is `doubtful`.

    Args:
        row: a problem's row.
        passage: its lines.
        sheets: of the paper, by number, with their third readings.
    """
    if row["method"] != "ocr":
        return
    third = third_text(passage, sheets)
    alike = likeness(row, third) if third is not None else 0.0
    if third is not None and alike == 1:
        row["statement"] = with_spaces(row["statement"], third)
        row["statement_plain"] = plain(row["statement"])
        doubts = {flag for flag in row["flags"] if not flag.startswith("key_")} - ASIDE
        if doubts <= SETTLED and not loses_marks(row, third):
            row["flags"] = [flag for flag in row["flags"] if flag not in SETTLED]
    told_otherwise = NEARLY <= alike < 1
    if (told_otherwise or PARTED.search(row["statement"])) and "doubtful" not in row["flags"]:
        row["flags"].append("doubtful")


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
    """Return a statement with its words and numbers parted and joined as in a third reading.

    `Ifp` where that has `If p`, `pa ss` where it has `pass`, `5 .10` where it has `5.10`: rows of
    print are read letter by letter, and what looks like a gap is no matter of their shapes.

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

    for number in set(re.findall(r"(?<![\d.])\d+\.\d+", third)):
        whole, rest = number.split(".")
        # A point with a gap after it ends a sentence as often, but not in a sum of money.
        parted_at = rf"(?<![\d.]){whole} \.{rest}|(?<=\$){whole}\. {rest}"
        statement = re.sub(rf"(?:{parted_at})(?!\d)", number, statement)
    return re.sub(r"\b([A-Za-z]+) ([a-z]+)\b", joined, WORD.sub(parted, statement))


def holds(region: Box, box: Box) -> bool:
    """Return whether the centre of a box lies in a region, or hardly outside."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return (
        region[0] - SLACK <= x <= region[2] + SLACK and region[1] - SLACK <= y <= region[3] + SLACK
    )


def likeness(row: dict, third: str) -> float:
    """Return how alike the letters, digits and signs of a row and a third reading are, 0 to 1."""
    one, other = signature(written(row)), signature(third)
    return difflib.SequenceMatcher(None, one, other, autojunk=False).ratio()


def loses_marks(row: dict, third: str) -> bool:
    """Return whether a row lacks marks of a third reading, or looks like no print of a problem.

    Neither shows in letters and digits. Structure and extent are read by one reading alone.
    """
    one, other = (unicodedata.normalize("NFKC", text) for text in (written(row), third))
    lost = any(len(re.findall(mark, one)) < len(re.findall(mark, other)) for mark in MARKS)
    tail = TAIL.search(row["statement_plain"].rstrip())
    loose = tail is not None and not LONG_WORD.search(tail[1])
    return lost or loose or TORN.search(row["statement"]) is not None


def written(row: dict) -> str:
    """Return a problem's number, statement and options as plain text."""
    options = " ".join(f"{option['label']} {option['text']}" for option in row["options"])
    return f"{row['number']} {row['statement_plain']} {options}"


def signature(text: str) -> str:
    """Return the letters, digits, relations and signs of a text, each in one spelling."""
    text = unicodedata.normalize("NFKC", LEFT_OUT.sub("", text))
    text = "".join(SIGN.get(char, char) for char in text)
    # k and K are two variables, and have one shape.
    return re.sub(r"[^\w+=<>-]|_", "", text)
