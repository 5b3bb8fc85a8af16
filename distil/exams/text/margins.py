"""What stands beside problems rather than in them: marks in the margin, numbers in cells.

`without_marks(glyphs, body)` leaves out what a problem is worth, printed in the margin as `(3)`.
`numbers_first(lines)` moves the numbers of a table of problems to the first lines of their texts:
a cell of its own may centre a number on its text, or break `№ 3.` into two lines.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from distil.exams.text.page import Glyph

if TYPE_CHECKING:
    from distil.exams.text.layout import TextLine

# What follows marks in the left margin: the number of a problem, or the letter of a part.
NUMBERED = re.compile(r"\d{1,3}[.):]|\([a-z]\)|[a-z][.)]")
MARKS = re.compile(r"\(\d{1,2}\)|\[\d{1,2}\]")
# Points by which what stands in one column of the margin may differ.
ALIGNED = 1.5
# A sign of numbers, or a word alone in its cell.
HEAD = re.compile(r"(№|\\?\#|[Nn]\s?[°º]\.?|[^\W\d_]{2,16}\.?(?=$))(?=\s|$)")
NUMBER = re.compile(r"\(?\d{1,3}\s?[.:)]?(?=\s|$)")
# Baselines between which a number in the middle stands, and how exactly, in units of its size.
PITCH = 1.6
CENTRED = 0.5
# Lines of a problem above its number.
MOST_ABOVE = 8


def without_marks(glyphs: list[Glyph], body: float) -> list[Glyph]:
    """Return glyphs without marks, as `(3)` or `[3]`, in a margin of the page.

    At the right they stand outside of all text; in the left margin, before the numbers of problems.
    """
    found = runs_of_marks(glyphs)
    if len(found) < 2:
        return glyphs
    inside = {index for run in found for index in run}
    rest = [glyph for index, glyph in enumerate(glyphs) if index not in inside]
    if not rest:
        return glyphs
    left, right = min(glyph.x0 for glyph in rest), max(glyph.x1 for glyph in rest)
    at_right = [run for run in found if glyphs[run[0]].x0 > right + 0.5 * body]
    at_left = [
        run
        for run in found
        if glyphs[run[-1]].x1 < left - 0.1 * body
        and NUMBERED.match(text_after(glyphs[run[-1]], rest))
    ]
    gone: set[int] = set()
    for runs, edge in (
        (at_right, lambda run: glyphs[run[-1]].x1),
        (at_left, lambda run: glyphs[run[0]].x0),
    ):
        for run in runs:
            column = [other for other in runs if abs(edge(other) - edge(run)) < ALIGNED]
            values = [int("".join(glyphs[n].text for n in own[1:-1])) for own in column]
            # Equations are numbered one after the other.
            counted = all(b - a == 1 for a, b in itertools.pairwise(values))
            if len(column) >= 2 and not counted:
                gone.update(run)
    return [glyph for index, glyph in enumerate(glyphs) if index not in gone]


def runs_of_marks(glyphs: Sequence[Glyph]) -> list[range]:
    """Return the places of numbers in brackets among glyphs."""
    found = []
    for start, glyph in enumerate(glyphs):
        if glyph.text not in "([":
            continue
        for stop in (start + 3, start + 4):
            part = glyphs[start:stop]
            level = all(abs(other.base - glyph.base) < 0.5 for other in part)
            if level and MARKS.fullmatch("".join(other.text for other in part)):
                found.append(range(start, start + len(part)))
    return found


def text_after(glyph: Glyph, others: Sequence[Glyph]) -> str:
    """Return the first characters at the right of a glyph on its baseline."""
    level = [
        other for other in others if abs(other.base - glyph.base) < 1.0 and other.x0 > glyph.x0
    ]
    return "".join(other.text for other in sorted(level, key=lambda other: other.x0)[:4])


def numbers_first(lines: list[TextLine]) -> list[TextLine]:
    """Return a page's lines with the numbers of problems in the first lines of their texts.

    Where numbers are seen to be set lower but what belongs to them is not clear, all lines are
    flagged as `tangled`.
    """
    lines = with_whole_heads(lines)
    numbers = [place for place, line in enumerate(lines) if NUMBER.match(line.segments[0][2])]
    alone = [place for place in numbers if is_between(lines, place)]
    low = [place for place in numbers if is_low(lines, place)]
    if not alone and len(low) < 2:
        return lines
    edge = lines[(alone or low)[0]].segments[0]
    numbers = [
        place for place in numbers if abs(lines[place].segments[0][0] - edge[0]) < lines[place].size
    ]
    counts = [int(re.sub(r"\D", "", number_of(lines[place])[0])) for place in numbers]
    if len(numbers) < 3 or any(b - a != 1 for a, b in itertools.pairwise(counts)):
        return lines
    starts = centred_blocks(lines, numbers)
    if not alone and (starts is None or not are_apart(lines, starts)):
        return lines
    if starts is None:
        for line in lines:
            line.flags.add("tangled")
        return lines
    heads = [take_number(lines[place]) for place in numbers]
    for start, (x0, head) in zip(starts, heads, strict=True):
        line = lines[start]
        _, x1, text = line.segments[0]
        line.segments[0] = (x0, x1, f"{head} {text}")
        line.box = (min(x0, line.box[0]), *line.box[1:])
    return [line for line in lines if line.segments]


def take_number(line: TextLine) -> tuple[float, str]:
    """Take the number that a line begins with out of it; return its left end and itself."""
    x0, x1, _ = line.segments[0]
    number, rest = number_of(line)
    if rest:
        line.segments[0] = (x0, x1, rest)
    else:
        for parts in (line.segments, line.sizes, line.doubts):
            del parts[:1]
    return x0, number


def number_of(line: TextLine) -> tuple[str, str]:
    """Return the number that a line begins with, and the rest of its first stretch."""
    text = line.segments[0][2]
    end = NUMBER.match(text).end()
    return text[:end].strip(), text[end:].strip()


def with_whole_heads(lines: list[TextLine]) -> list[TextLine]:
    """Return lines with heads that are broken in their cell, `№` above `3.`, in one piece."""
    broken = [
        (place, match[1])
        for place, (line, below) in enumerate(itertools.pairwise(lines))
        if (match := HEAD.match(line.segments[0][2]))
        and NUMBER.match(below.segments[0][2])
        # A word alone on its line may be the last of a problem.
        and (len(line.segments) > 1 or not match[1].rstrip(".").isalpha())
        and abs(line.segments[0][0] - below.segments[0][0]) < 3
        and (line.page, line.column) == (below.page, below.column)
        and 0 < below.base - line.base < PITCH * line.size
    ]
    words = Counter(word for _, word in broken)
    for place, word in broken:
        if words[word] >= 2:
            _, number = take_number(lines[place + 1])
            x0, x1, text = lines[place].segments[0]
            lines[place].segments[0] = (x0, x1, f"{word} {number}{text[len(word) :]}")
    return [line for line in lines if line.segments]


def is_between(lines: list[TextLine], place: int) -> bool:
    """Return whether a number stands alone between two lines of the text at its right."""
    if not 0 < place < len(lines) - 1 or len(lines[place].segments) > 1:
        return False
    above, line, below = lines[place - 1 : place + 2]
    x1 = line.segments[0][1]
    return (
        bool(NUMBER.fullmatch(line.segments[0][2]))
        and max(line.base - above.base, below.base - line.base) < line.size
        and above.segments[-1][0] > x1
        and below.segments[0][0] > x1
    )


def is_low(lines: list[TextLine], place: int) -> bool:
    """Return whether the text that a number is level with seems to begin in the line above."""
    if not 0 < place < len(lines) - 1:
        return False
    above, line, below = lines[place - 1 : place + 2]
    x0 = line.segments[0][0]
    return (
        max(line.base - above.base, below.base - line.base) < PITCH * line.size
        and min(above.segments[0][0], below.segments[0][0]) > x0 + 0.5 * line.size
    )


def are_apart(lines: list[TextLine], starts: list[int]) -> bool:
    """Return whether lines stand farther apart between blocks than inside them."""
    edges = set(starts)
    last = max(starts)
    steps: dict[bool, list[float]] = {True: [], False: []}
    for place in range(min(starts) + 1, last + 1):
        step = lines[place].base - lines[place - 1].base
        steps[place in edges].append(step / lines[place].size)
    return bool(steps[False]) and min(steps[True]) > max(steps[False]) + 0.1


def centred_blocks(lines: list[TextLine], numbers: list[int]) -> list[int] | None:
    """Return the first lines of the texts in whose middle numbers stand; None: there are none such.

    Args:
        lines: of a page.
        numbers: places of the lines that begin with numbers.
    """
    best: tuple[float, list[int]] | None = None
    for above in range(min(MOST_ABOVE, numbers[0]) + 1):
        start, off, starts = numbers[0] - above, 0.0, []
        for turn, place in enumerate(numbers):
            stop = numbers[turn + 1] if turn + 1 < len(numbers) else len(lines)
            last = min(
                range(place, stop),
                key=lambda end: abs(middle_of(lines, start, end) - lines[place].base),
            )
            off = max(
                off, abs(middle_of(lines, start, last) - lines[place].base) / lines[place].size
            )
            starts.append(start)
            start = last + 1
        if best is None or off < best[0]:
            best = off, starts
    return best[1] if best is not None and best[0] < CENTRED else None


def middle_of(lines: list[TextLine], first: int, last: int) -> float:
    """Return the height of the middle of some lines, by baselines; a number alone is no text."""
    bases = [
        line.base
        for line in lines[first : last + 1]
        if len(line.segments) > 1 or not NUMBER.fullmatch(line.segments[0][2])
    ]
    return (bases[0] + bases[-1]) / 2 if bases else float("-inf")
