"""Columns of a page, and what stands beside problems: marks in margins, numbers in cells.

A gutter is a vertical line that the lines of a band leave free, with text level on both sides and
a straight edge at its right. It is found among finished lines; then each column is put together
anew by itself, so that a formula never takes in what stands beside it in the other column.

`without_marks(glyphs, body)` leaves out what a problem is worth, printed in the margin as `(3)`.
`numbers_first(lines)` moves the numbers of a table of problems to the first lines of their texts:
a cell of its own may centre a number on its text, or break `№ 3.` into two lines.
"""

from __future__ import annotations

import itertools
import math
import re
from bisect import bisect, bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from distil.exams.text.items import Item, Line, Region, by_left_end, by_size, right_end, usual_size
from distil.exams.text.page import Glyph
from distil.exams.text.tolerances import AXIS, SCRIPT_RATIO
from distil.notation.characters import UNCIRCLED

if TYPE_CHECKING:
    from distil.exams.text.layout import TextLine

# Words stand closer than this, columns farther, in units of the font size.
GUTTER = 0.55
# Lines of text that a column has at least.
FEWEST = 4
LABEL = re.compile(r"\(?([A-Ha-h])[).\]]")
# What is printed at the end of a line about marks: [3 marks], (2 points).
MARKS = re.compile(r"[\[(]?\d{1,2}(?:marks?|points?|pts?)\b")
# A formula may stick out of its column so far, in units of the font size.
OVERHANG = 6.0
# What follows marks in the left margin: the number of a problem, or the letter of a part.
NUMBERED = re.compile(r"\d{1,3}[.):]|\([a-z]\)|[a-z][.)]")
BRACKETED = re.compile(r"\(\d{1,2}\)|\[\d{1,2}\]")
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


def find_columns(
    lines: list[Line], width: float, body: float, known: float | None = None
) -> tuple[float, list[tuple[float, float]], float] | None:
    """Return where a page has two columns, if it has.

    Args:
        lines: of the whole page, from top to bottom, columns not yet divided.
        width: of the page, points.
        body: usual font size, points.
        known: left edge of the second column on an earlier page, points.

    Returns:
        The gutter, (first, last) baselines of the bands that it divides, and the left edge of the
        second column; None: one column.
    """
    found = find_gutter(lines, width, body) or (known and short_columns(lines, known, body))
    if not found:
        return None
    gutter, bands = found
    bands = [
        part for start, stop in bands for part in between_headings(lines, start, stop, gutter, body)
    ]
    starts = Counter(
        round(a)
        for start, stop in bands
        for line in lines[start:stop]
        for a in [min((a for a, _ in spans_of(line) if a >= gutter), default=0.0)]
        if a
    )
    # A formula may stick out: an edge is where several lines start, or a number hangs beside it.
    edge = min(
        [start for start, count in starts.items() if count + starts[start + 1] >= 2] or starts
    )
    second = float(min(start for start in starts if start > edge - 2.5 * body))
    # What stands at the left of the second column's edge is of the first.
    return second - 1.0, [(lines[a].base, lines[b - 1].base) for a, b in bands], second


def find_gutter(
    lines: list[Line], width: float, body: float
) -> tuple[float, list[tuple[int, int]]] | None:
    """Return the gutter between two columns and the bands of lines that it divides, if any."""
    spans = [spans_of(line) for line in lines]
    best, best_count = None, 0
    step = max(2.0, body / 5)
    places = [0.25 * width + turn * step for turn in range(math.ceil(0.5 * width / step))]
    crossed = [bytearray(len(places)) for _ in lines]
    for row, span in zip(crossed, spans, strict=True):
        for a, b in span:
            first, last = bisect(places, a), bisect_left(places, b)
            if first < last:
                row[first:last] = b"\1" * (last - first)
    for x, crossing in zip(places, zip(*crossed, strict=True), strict=False):
        if best_count >= len(lines) - sum(crossing):
            continue
        bands = []
        start = None
        for index, crosses in enumerate([*crossing, True]):
            if crosses:
                if (
                    start is not None
                    and index - start >= FEWEST
                    and divided(lines[start:index], spans[start:index], x, body)
                ):
                    bands.append(trimmed(start, index, spans, x, body))
                start = None
            elif start is None:
                start = index
        count = sum(stop - start for start, stop in bands)
        if count > best_count:
            best, best_count = (x, bands), count
    return best


def spans_of(line: Line) -> list[tuple[float, float]]:
    """Return the stretches of a line between its wide gaps."""
    spans: list[tuple[float, float]] = []
    for item in line.items:
        x1 = right_end(item)
        if spans and item.x0 - spans[-1][1] < GUTTER * line.size:
            spans[-1] = (spans[-1][0], max(spans[-1][1], x1))
        else:
            spans.append((item.x0, x1))
    return spans


def divided(lines: list[Line], spans: list, x: float, body: float) -> bool:
    """Return whether a band of lines is two columns of text with a gutter at x."""
    lefts = [max(b for a, b in span if b <= x) for span in spans if any(b <= x for a, b in span)]
    rights = [min(a for a, b in span if a >= x) for span in spans if any(a >= x for a, b in span)]
    if len(lefts) < FEWEST or len(rights) < FEWEST:
        return False
    # A column has a straight left edge.
    edge, count = Counter(round(value / 2) for value in rights).most_common(1)[0]
    count = sum(1 for value in rights if abs(value / 2 - edge) <= 1.5)
    rest = Counter(round(value / 2) for value in rights if abs(value / 2 - edge) > 1.5)
    # Numbers hang to the left of the text, which makes two edges.
    second = rest.most_common(1)[0][1] if rest else 0
    if count < 0.35 * len(rights) or (count < 0.5 * len(rights) > count + second):
        return False
    if min(rights) - max(lefts) < GUTTER * body:
        return False
    # Choices set in a table: what stands at the right of (A) is never an (A).
    labels = [
        match[1] for line in lines if (match := LABEL.match(starting(line, x).translate(UNCIRCLED)))
    ]
    if len(labels) > 0.5 * len(rights) and not {"A", "a"} & set(labels):
        return False
    marks = sum(1 for line in lines if MARKS.match(starting(line, x, 12)))
    if marks > 0.5 * len(rights):
        return False
    # Columns stand beside each other; displayed formulas stand between the lines at their left.
    level = [
        line
        for line, span in zip(lines, spans, strict=True)
        if any(a >= x for a, _ in span)
        and any(
            abs(other.base - line.base) < 0.9 * line.size and any(b <= x for _, b in its)
            for other, its in zip(lines, spans, strict=True)
        )
    ]
    if len(level) < 0.5 * len(rights):
        return False
    # Options set in a table are few; columns of prose or of answers are not.
    return lines[-1].base - lines[0].base > 4 * body


def trimmed(start: int, stop: int, spans: list, x: float, body: float) -> tuple[int, int]:
    """Return a band without a centred heading at its start, which stands in no column."""
    rights = [min(a for a, _ in span if a >= x) for span in spans[start:stop] if span[-1][0] >= x]
    edge = 2 * Counter(round(value / 2) for value in rights).most_common(1)[0][0]
    while start < stop:
        span = spans[start]
        if len(span) > 1 or span[0][0] < x or span[0][0] > edge - 3 * body:
            break
        start += 1
    return start, stop


def starting(line: Line, x: float, count: int = 3) -> str:
    """Return the first characters of a line's part at the right of x."""
    after = [item for item in line.items if item.x0 >= x]
    return "".join(item.text for item in after[:count])


def between_headings(
    lines: list[Line], start: int, stop: int, gutter: float, body: float
) -> list[tuple[int, int]]:
    """Split a band of two columns where a heading stands with nothing beside it."""
    cuts = [start]
    for place in range(start + 1, stop):
        line = lines[place]
        if line.x1 > gutter:
            continue
        letters = [item for item in line.items if item.text.isalpha()]
        bold = bool(letters) and all("b" in item.style for item in letters)
        if not (bold or usual_size(line.items) > 1.1 * body):
            continue
        beside = any(
            abs(other.base - line.base) < 1.2 * line.size and other.x1 > gutter
            for other in lines[max(start, place - 4) : place + 5]
        )
        # Where the second column has ended there is nothing to divide.
        below = any(other.x1 > gutter for other in lines[place + 1 : stop])
        if not beside and below and len(letters) > 2:
            cuts.append(place)
    return [(a, b) for a, b in zip(cuts, [*cuts[1:], stop], strict=True) if a < b]


def short_columns(
    lines: list[Line], edge: float, body: float
) -> tuple[float, list[tuple[int, int]]] | None:
    """Return the bands of lines that two columns known from an earlier page divide, if any.

    The last page of a paper may hold too few lines to tell by themselves.
    """
    gutter = edge - 0.2 * body
    bands: list[tuple[int, int]] = []
    start = None
    sides: set[bool] = set()
    for place, line in enumerate([*lines, None]):
        spans = spans_of(line) if line is not None else []
        starts = [a for a, _ in spans if a >= gutter]
        fits = (
            line is not None
            and not any(a < gutter < b for a, b in spans)
            and (
                not starts or min(abs(starts[0] - edge), abs(starts[0] - edge - 1.7 * body)) < body
            )
        )
        if fits:
            start = place if start is None else start
            sides |= {a >= gutter for a, _ in spans}
        elif start is not None:
            if len(sides) == 2:
                bands.append((start, place))
            start, sides = None, set()
    return (gutter, bands) if bands else None


@dataclass(slots=True)
class Row:
    """Items on about one baseline.

    Attributes:
        items: never empty.
        base: baseline, points.
        spans: (x0, x1) of the stretches between gaps as wide as a gutter.
    """

    items: list[Item]
    base: float
    spans: list[tuple[float, float]]


def rows_of(items: list[Item]) -> list[Row]:
    """Return items by baseline, from top to bottom."""
    groups: list[list[Item]] = []
    for item in sorted(items, key=lambda item: item.base):
        if groups and item.base - groups[-1][0].base < 0.1 * max(item.size, 1.0):
            groups[-1].append(item)
        else:
            groups.append([item])
    rows = []
    for group in groups:
        group.sort(key=by_left_end)
        size = max(group, key=by_size).size
        rows.append(Row(group, group[0].base, spans_of(Line(group, group[0].base, size))))
    return rows


def overhang(row: Row, x: float, body: float) -> tuple[str, float]:
    """Return how a row crosses x, and where what crosses it ends.

    Returns:
        "" if it does not, "left" or "right" if something sticks out of that column, else "over".
    """
    for a, b in row.spans:
        if a < x < b:
            if b - x < OVERHANG * body and x - a > 2 * OVERHANG * body:
                return "left", b
            if x - a < OVERHANG * body and b - x > 2 * OVERHANG * body:
                return "right", a
            if a < x - OVERHANG * body and is_formula(row, a, b):
                return "left", b
            return "over", b
    return "", x


def is_formula(row: Row, x0: float, x1: float) -> bool:
    """Return whether a stretch of a row is mathematics rather than words."""
    here = [item for item in row.items if x0 <= item.x0 <= x1]
    letters = sum(1 for item in here if item.text.isalpha() and "m" not in item.style)
    return letters < 0.6 * len(here)


def share_out(
    whole: Region, gutter: float, bands: list[tuple[float, float]], body: float
) -> list[Region]:
    """Return the regions of a page with two columns, in reading order.

    Args:
        whole: the page.
        gutter: from `find_columns`.
        bands: from `find_columns`; those are joined between which lines only stick out.
        body: usual font size, points.
    """
    rows = rows_of(whole.items)
    main = [
        row
        for row in rows
        if any(i.text.isalnum() and i.size >= SCRIPT_RATIO * body for i in row.items)
    ] or rows
    bases = [row.base for row in main]
    slack = 0.3 * body
    joined = [bands[0]]
    for top, bottom in bands[1:]:
        between = [row for row in main if joined[-1][1] + slack < row.base < top - slack]
        if between and all(overhang(row, gutter, body)[0] != "over" for row in between):
            joined[-1] = (joined[-1][0], bottom)
        else:
            joined.append((top, bottom))

    # A band goes on as far as text stands at the second column's edge.
    for place, (top, bottom) in enumerate(joined):
        limit = joined[place + 1][0] if place + 1 < len(joined) else math.inf
        for row in main:
            if not bottom < row.base < limit - slack:
                continue
            if overhang(row, gutter, body)[0] == "over":
                break
            starts = [a for a, _ in row.spans if a > gutter]
            if starts and starts[0] < gutter + 3 * body:
                bottom = row.base
        # Parts of fractions in its first and last line belong to the band.
        reach = [
            row.base
            for row in main
            if top - 0.95 * body < row.base < bottom + 0.95 * body
            and overhang(row, gutter, body)[0] != "over"
        ]
        joined[place] = (min([top, *reach]), max([bottom, *reach]))

    def region_of(y: float, x0: float, x1: float) -> int:
        # Small rows (scripts, limits) go with the row nearest to them.
        at = bisect(bases, y)
        near = min((i for i in (at - 1, at) if 0 <= i < len(main)), key=lambda i: abs(bases[i] - y))
        base = bases[near]
        before = sum(1 for _, bottom in joined if bottom + slack < base)
        if not any(top - slack <= base <= bottom + slack for top, bottom in joined):
            return 3 * before
        kind, end = overhang(main[near], gutter, body)
        if kind == "left" and x0 < end + slack:
            return 3 * before + 1
        if kind == "right" and x1 > end - slack:
            return 3 * before + 2
        return 3 * before + 1 + int((x0 + x1) / 2 >= gutter)

    parts = [Region(column=int(n % 3 == 2)) for n in range(3 * len(joined) + 1)]
    for item in whole.items:
        # Signs of TeX's extension fonts hang from their baseline.
        plain = item.kind == "glyph" and item.text != "√"
        y = item.base if plain else item.centre + AXIS * body
        parts[region_of(y, item.x0, item.x1)].add(item)
    for rule in whole.rules:
        parts[region_of(rule.y + slack, rule.x0, rule.x1)].rules.append(rule)
    for side in whole.verticals:
        parts[region_of((side.top + side.bottom) / 2, side.x0, side.x1)].verticals.append(side)
    for frame in whole.frames:
        parts[region_of((frame[1] + frame[3]) / 2, frame[0], frame[2])].frames.append(frame)
    return [part for part in parts if part.items]


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
            if level and BRACKETED.fullmatch("".join(other.text for other in part)):
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
