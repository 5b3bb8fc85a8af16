"""Options of multiple choice: labelled texts at a problem's end, taken apart from its statement."""

from __future__ import annotations

import itertools
import re

from distil.exams.segmentation import Passage
from distil.exams.words import join_lines
from distil.notation.characters import UNCIRCLED

# What a problem is worth, printed at the end of its line: [3 marks], (2 points).
MARKS = re.compile(r"[\[(]?\s*\d{1,2}\s*(?:marks?|points?|pts?)\.?\s*[\])]?", re.I)

ASKING = re.compile(
    r"\?$|^(?:find|compute|determine|evaluate|what|how|solve|prove|show|calculate)\b", re.I
)
LABEL = re.compile(r"^(?P<open>\(|\[)?(?P<label>[A-Ha-h])(?P<close>[).\]:]|\.\))(?=\s|$|\S)")


def split_options(passage: Passage) -> tuple[list[str], list[dict]]:
    """Return a passage's statement lines and its options.

    Options are segments that start with A, B, C ... in order, at line starts or after wide gaps,
    or anywhere in a line if their labels are in brackets.
    """
    pieces: list[tuple[str, int]] = []
    for index, line in enumerate(passage.lines):
        for position, segment in enumerate(line.segments):
            text = segment[2].translate(UNCIRCLED)
            if index == 0 and position == 0:
                text = text[passage.cut :]
            elif position and MARKS.fullmatch(text):
                continue
            pieces.append((text, index))
    pieces = [
        piece for text, index in pieces for piece in ((t, index) for t in cut_at_labels(text))
    ]
    found = label_run(pieces)
    if found is None:
        return rejoin(pieces), []
    start, marks = found
    options = []
    for position, (place, label, length) in enumerate(marks):
        end = marks[position + 1][0] if position + 1 < len(marks) else len(pieces)
        text = join_lines(
            [pieces[place][0][length:], *(pieces[i][0] for i in range(place + 1, end))]
        )
        options.append({"label": label, "text": text.strip()})
    if not are_options(options, lower=LABEL.match(pieces[start][0])["label"].islower()):
        return rejoin(pieces), []
    return rejoin(pieces[:start]), options


def are_options(options: list[dict], *, lower: bool) -> bool:
    """Return whether labelled texts are choices rather than parts of a question."""
    if any(ASKING.search(option["text"]) for option in options):
        return False
    longest = max(len(option["text"]) for option in options)
    return longest < (60 if lower or len(options) < 3 else 250)


def rejoin(pieces: list[tuple[str, int]]) -> list[str]:
    """Return pieces as lines."""
    lines: dict[int, list[str]] = {}
    for text, index in pieces:
        lines.setdefault(index, []).append(text)
    return [" ".join(part for part in parts if part) for parts in lines.values()]


def cut_at_labels(text: str) -> list[str]:
    """Return a text cut before labels such as (B), B) or B. in it."""
    cuts = [
        match.start()
        for match in re.finditer(
            r"(?<![\w\\}])(?:\((?:[A-H]|[a-h])\)|(?<=\s)[A-H][.)])(?=\s|$)", text
        )
    ]
    if not cuts:
        return [text]
    edges = [0, *[cut for cut in cuts if cut > 0], len(text)]
    return [text[a:b].strip() for a, b in itertools.pairwise(edges)]


def label_run(pieces: list[tuple[str, int]]) -> tuple[int, list[tuple[int, str, int]]] | None:
    """Return the last run of labels A, B, C ... among pieces: where it starts and its labels."""
    for start in range(len(pieces) - 1, -1, -1):
        match = LABEL.match(pieces[start][0])
        if not match or match["label"].upper() != "A":
            continue
        shape = (match["open"], match["close"], match["label"].isupper())
        marks = [(start, "A", match.end())]
        for place in range(start + 1, len(pieces)):
            other = LABEL.match(pieces[place][0])
            if not other or (other["open"], other["close"], other["label"].isupper()) != shape:
                continue
            if ord(other["label"].upper()) == ord(marks[-1][1]) + 1:
                marks.append((place, other["label"].upper(), other.end()))
        if len(marks) >= 3 or (len(marks) == 2 and shape[0]):
            return start, marks
    return None
