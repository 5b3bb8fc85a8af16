"""Two-dimensional mathematics to LaTeX, by geometry alone.

The order is: big operators with their limits, then rules from the shortest to the longest (a root
sign at the left end makes a radical; glyphs above and below make a fraction), then tall
delimiters with rows between them (binomials, matrices, cases), then baselines, then scripts.
Lengths are compared in units of the font size, so the page's scale does not matter. TeX, typst,
Word and LibreOffice all set bars and big symbols on the mathematical axis, a quarter of the size
above the baseline, which is how such pieces find their line.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect, bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter

from distil.exams.text.glyphs import Box, Glyph, Rule
from distil.exams.text.symbols import latex_of, letter_of
from distil.notation.characters import (
    BIG_OPERATORS,
    CLOSERS,
    FUNCTIONS,
    INTEGRALS,
    LIMIT_WORDS,
    OPENERS,
    RELATIONS,
)

SIZE = attrgetter("size")
AXIS = 0.25
SAME_BASE = 0.14
SCRIPT_RATIO = 0.87
WORD_GAP = 0.13
# Columns of a matrix stand at least so far apart; signs of operation have .22 beside them.
COLUMN_GAP = 0.42
# A sign and its limits stand at most so many characters apart in the file.
FAR_IN_FILE = 45

PIECES = {
    **dict.fromkeys("⎛⎜⎝", "("), **dict.fromkeys("⎞⎟⎠", ")"), **dict.fromkeys("⎡⎢⎣", "["),
    **dict.fromkeys("⎤⎥⎦", "]"), **dict.fromkeys("⎧⎨⎩", "{"), **dict.fromkeys("⎫⎬⎭", "}"),
    "⏐": "|", "⎪": "{", "⎷": "√", "⎸": "√",
}  # fmt: skip
DELIMITERS = OPENERS | CLOSERS | set("|∥‖/")
# Glyphs that are more than a letter on a line.
SPECIAL = DELIMITERS | BIG_OPERATORS | INTEGRALS | PIECES.keys() | {"∣"}
ACCENTS = {"ˆ": "hat", "^": "hat", "˜": "tilde", "~": "tilde", "¯": "bar", "⃗": "vec",
           "˙": "dot", "¨": "ddot", "ˇ": "check", "̂": "hat", "̃": "tilde", "̄": "bar"}  # fmt: skip
DIACRITICS = {"´": "\u0301", "`": "\u0300", "¨": "\u0308", "˜": "\u0303", "ˆ": "\u0302",
              "ˇ": "\u030c", "˘": "\u0306", "˚": "\u030a"}  # fmt: skip


class Item:
    """A glyph or a finished piece of mathematics.

    Attributes:
        x0, x1, top, bottom: its box, points.
        base: baseline; for a piece on the axis an estimate.
        size: font size; of a fraction, that of its numerator.
        latex: finished text, or "" for a plain glyph.
        text: the glyph's character(s).
        axis: height of the bar or centre, for pieces that sit on the axis, else None.
        kind: "glyph", "fraction", "radical", "operator", "delimiter", "block" or "accent".
        sup, sub: items raised and lowered at its right.
    """

    __slots__ = (
        "axis", "base", "bottom", "kind", "latex", "order", "reach", "size", "spaced", "style",
        "sub", "sup", "text", "top", "x0", "x1",
    )  # fmt: skip

    def __init__(self, x0, x1, top, bottom, base, size, *, text="", latex="", kind="glyph", order=0,
                 style="", spaced=False, axis=None) -> None:  # fmt: skip
        self.x0, self.x1, self.top, self.bottom = x0, x1, top, bottom
        self.base, self.size, self.text, self.latex = base, size, text, latex
        self.kind, self.order, self.style, self.spaced = kind, order, style, spaced
        self.axis = axis
        self.sup: list[Item] = []
        self.sub: list[Item] = []
        self.reach = x1

    def __repr__(self) -> str:
        place = f"x{self.x0:.1f}-{self.x1:.1f} b{self.base:.1f} s{self.size:.1f}"
        return f"<{self.kind} {self.text or self.latex!r} {place}>"

    @property
    def middle(self) -> float:
        """Horizontal centre."""
        return (self.x0 + self.x1) / 2


@dataclass(slots=True)
class Line:
    """A line of text: items on one baseline, left to right, scripts attached."""

    items: list[Item]
    base: float
    size: float

    @property
    def x0(self) -> float:
        """Left end."""
        return min(item.x0 for item in self.items)

    @property
    def x1(self) -> float:
        """Right end, scripts included."""
        return max(map(right_end, self.items))

    @property
    def top(self) -> float:
        """Highest ink, scripts included."""
        return min(extent(item)[0] for item in self.items)

    @property
    def bottom(self) -> float:
        """Lowest ink, scripts included."""
        return max(extent(item)[1] for item in self.items)

    @property
    def latex(self) -> str:
        """The line as LaTeX-ish text."""
        return render(self.items)


def right_end(item: Item) -> float:
    """Return the right end of an item with its scripts."""
    return item.x1 if item.x1 > item.reach else item.reach


def extent(item: Item) -> tuple[float, float]:
    """Return top and bottom of an item with its scripts."""
    top, bottom = item.top, item.bottom
    if not item.sup and not item.sub:
        return top, bottom
    for script in (*item.sup, *item.sub):
        high, low = extent(script)
        top, bottom = min(top, high), max(bottom, low)
    return top, bottom


def items_of(glyphs: Iterable[Glyph]) -> list[Item]:
    """Return glyphs as items; pieces of tall delimiters are joined, accents put on letters."""
    items: list[Item] = []
    for glyph in glyphs:
        items.append(
            Item(
                glyph.x0, glyph.x1, glyph.top, glyph.bottom, glyph.base, glyph.size,
                text=glyph.text, order=glyph.order, style=glyph.style, spaced=glyph.spaced,
            )
        )  # fmt: skip
    body = usual_size(items)
    for place, item in enumerate(items):
        if item.text not in SPECIAL:
            continue
        height = item.bottom - item.top
        if item.text in DELIMITERS and item.size > 1.25 * body:
            near = items[max(0, place - 1) : place + 2]
            beside = [other.size for other in near if other is not item]
            if beside and item.size > 1.25 * max(beside):
                # Office programs stretch the font itself to the height of what is enclosed.
                item.size = max(beside)
                item.kind = "delimiter"
        if item.text == "∣":
            item.text = "|"
        symbol = item.text
        if symbol in BIG_OPERATORS or symbol in INTEGRALS:
            item.kind = "operator"
            item.axis = (item.top + item.bottom) / 2
            item.size = min(item.size, 1.1 * body)
        elif symbol in PIECES:
            item.kind = "delimiter"
        elif symbol in DELIMITERS and (
            "x" in item.style
            or height > 1.25 * item.size
            # Glyphs of TeX's extension fonts hang from their baseline.
            or (height > 0.9 * item.size and item.base < item.top + 0.2 * height)
        ):
            item.kind = "delimiter"
            item.axis = (item.top + item.bottom) / 2
    items = join_pieces(join_stacks(items))
    return join_overlays(items)


def join_stacks(items: list[Item]) -> list[Item]:
    """Join bars and root signs that fonts for Unicode build from pieces with one code."""
    found: dict[tuple[str, int], list[Item]] = {}
    for item in items:
        if item.text in ("|", "∥", "‖", "√", "⎷"):
            found.setdefault((item.text.replace("⎷", "√"), round(item.x0)), []).append(item)
    gone: set[int] = set()
    for (text, x0), here in found.items():
        column = sorted(here + found.get((text, x0 + 1), []), key=lambda item: item.top)
        for place, item in enumerate(column):
            if id(item) in gone:
                continue
            for other in column[place + 1 :]:
                higher = 0.1 * item.size < other.top - item.top
                if (
                    id(other) not in gone
                    and abs(other.x0 - item.x0) < 0.05 * item.size
                    and higher
                    and other.top < item.bottom + 0.15 * item.size
                ):
                    item.text = text
                    item.bottom = max(item.bottom, other.bottom)
                    item.x1 = item.reach = max(item.x1, other.x1)
                    item.order = min(item.order, other.order)
                    gone.add(id(other))
                    if text != "√":
                        item.kind = "delimiter"
                        item.axis = (item.top + item.bottom) / 2
    return [item for item in items if id(item) not in gone]


def join_pieces(items: list[Item]) -> list[Item]:
    """Join the stacked pieces of extensible delimiters (and of tall bars) into one item each."""
    pieces = sorted(
        (
            item
            for item in items
            if item.text in PIECES or (item.kind == "delimiter" and item.text in "|∥")
        ),
        key=lambda item: (round(item.x0, 0), item.top),
    )
    gone: set[int] = set()
    made: list[Item] = []
    made_of: dict[int, str] = {}
    for item in pieces:
        host = next(
            (
                other
                for other in made
                if abs(other.middle - item.middle) < 0.35 * item.size
                and item.top - other.bottom < 0.35 * item.size
                and item.bottom > other.top - 0.1
            ),
            None,
        )
        gone.add(id(item))
        if host is None:
            joined = Item(
                item.x0, item.x1, item.top, item.bottom, item.base, item.size, kind="delimiter",
                text=PIECES.get(item.text, item.text), order=item.order, style=item.style,
                spaced=item.spaced,
            )  # fmt: skip
            joined.axis = (joined.top + joined.bottom) / 2
            if joined.text == "√":
                joined.kind, joined.axis = "glyph", None
            made.append(joined)
            made_of[id(joined)] = item.text
        else:
            host.x0, host.x1 = min(host.x0, item.x0), max(host.x1, item.x1)
            host.top, host.bottom = min(host.top, item.top), max(host.bottom, item.bottom)
            host.reach = host.x1
            if host.axis is not None:
                host.axis = (host.top + host.bottom) / 2
            if item.text in "⎧⎨⎩⎫⎬⎭":
                host.text = PIECES[item.text]
            made_of[id(host)] += item.text
    for whole in made:
        # Floors and ceilings are brackets without one of their corners.
        corners = "⎡⎣" if whole.text == "[" else "⎤⎦" if whole.text == "]" else ""
        found = [corner in made_of[id(whole)] for corner in corners]
        if found in ([True, False], [False, True]):
            whole.text = ("⌈⌊" if whole.text == "[" else "⌉⌋")[found[1]]
    return [item for item in items if id(item) not in gone] + made


def join_overlays(items: list[Item]) -> list[Item]:
    """Join glyphs printed over each other: negations, arrows with a tail, accents."""
    found = [
        (place, item)
        for place, item in enumerate(items)
        if item.text in ACCENTS or item.text in DIACRITICS or item.text in ("̸", "↦", "/", "∼")
    ]
    gone: set[int] = set()
    shelf: Shelf | None = None
    join_dots(items, gone)
    for place, mark in found:
        if mark.text in ("̸", "/"):
            # The slash of a negation has no width of its own: it starts where its partner does.
            near = [
                other
                for other in items[max(0, place - 2) : place + 3]
                if other is not mark
                and other.text in "=∈≡<>≤≥⊂⊆∼≈|∣∥0"
                and abs(other.base - mark.base) < 0.2 * mark.size
                and min(other.x1, mark.x1) - max(other.x0, mark.x0)
                > (0.0 if mark.text == "̸" else 0.5 * min(other.x1 - other.x0, mark.x1 - mark.x0))
            ]
            if near and near[0].text == "0":
                near[0].text = "∅"
                gone.add(id(mark))
            elif near:
                host = near[0]
                host.latex = {"=": r"\neq", "∈": r"\notin", "|": r"\nmid", "∣": r"\nmid"}.get(
                    host.text, r"\not" + latex_of(host.text)
                )
                host.text = {"=": "≠", "∈": "∉", "|": "∤", "∣": "∤"}.get(host.text, host.text)
                host.spaced = host.spaced or mark.spaced
                host.x0 = min(host.x0, mark.x0)
                gone.add(id(mark))
            elif mark.text == "̸":
                mark.text = "/"
            continue
        if mark.text == "∼":
            near = [
                other
                for other in items[max(0, place - 2) : place + 3]
                if other.text == "=" and abs(other.middle - mark.middle) < 0.1 * mark.size
                and 0 < (other.top + other.bottom) - (mark.top + mark.bottom) < mark.size
            ]  # fmt: skip
            if near:
                near[0].text = "≅"
                gone.add(id(mark))
            continue
        if mark.text == "↦":
            arrow = [
                other
                for other in items[max(0, place - 2) : place + 3]
                if other.text == "→" and other.x0 < mark.x1 + 0.3 * mark.size
                and mark.x0 < other.x1 and abs(other.base - mark.base) < 0.1 * mark.size
            ]  # fmt: skip
            if arrow:
                mark.x1 = mark.reach = max(mark.x1, arrow[0].x1)
                gone.add(id(arrow[0]))
            continue
        shelf = shelf or Shelf(items)
        if mark.text == "¯" and (digits := digits_under(mark, shelf, gone)):
            gone.update(id(digit) for digit in digits[1:])
            gone.add(id(mark))
            number = "".join(digit.text for digit in digits)
            digits[0].latex = f"\\overline{{{number}}}"
            digits[0].kind = "accent"
            digits[0].x1 = digits[0].reach = digits[-1].x1
            continue
        # PDFium may report an accent at the end of its line: neighbours are found by place. Its ink
        # stays above the letter's x-height.
        near = [
            other
            for other in shelf.between(mark.top, mark.bottom + mark.size)
            if other is not mark and id(other) not in gone
            and other.text[:1].isalpha() and other.kind == "glyph"
            and abs(other.middle - mark.middle) < max(other.x1 - other.x0, 0.2 * other.size) * 0.6
            and abs(other.base - mark.base) < 0.8 * mark.size
            and mark.bottom < other.bottom - 0.3 * other.size
            and mark.bottom < other.top + 0.25 * other.size
        ]  # fmt: skip
        if not near:
            continue
        host = min(near, key=lambda other: abs(other.middle - mark.middle))
        letter = letter_of(host.text)
        # A letter that stands alone in italics is a variable, whatever font it is from.
        alone = "i" in host.style and len(host.text) == 1 and not any(
            other is not host and other.kind == "glyph" and other.text[:1].isalpha()
            and abs(other.base - host.base) < 0.1 * host.size
            and max(other.x0 - host.x1, host.x0 - other.x1) < 0.1 * host.size
            for other in shelf.between(host.top, host.bottom)
        )  # fmt: skip
        bare = mark.text not in DIACRITICS
        if "m" in host.style or letter[1] or alone or bare:
            if mark.text in ACCENTS:
                host.latex = f"\\{ACCENTS[mark.text]}{{{host.latex or latex_of(host.text)}}}"
                gone.add(id(mark))
        elif mark.text in DIACRITICS:
            base = {"ı": "i", "ȷ": "j"}.get(host.text, host.text)
            joined = unicodedata.normalize("NFC", base + DIACRITICS[mark.text])
            if len(joined) == 1:
                host.text = joined
            gone.add(id(mark))
        if id(mark) in gone:
            host.top = min(host.top, mark.top)
            host.spaced = host.spaced or (mark.spaced and mark.order < host.order)
    return [item for item in items if id(item) not in gone]


def digits_under(mark: Item, shelf: Shelf, gone: set[int]) -> list[Item]:
    """Return the digits that a bar stands over: office programs set a short one over the middle."""
    below = sorted(
        (
            item
            for item in shelf.between(mark.bottom, mark.bottom + 1.2 * mark.size)
            if item.text.isdigit() and id(item) not in gone and item.top > mark.bottom - 0.1
        ),
        key=lambda item: item.x0,
    )
    runs: list[list[Item]] = []
    for item in below:
        last = runs[-1][-1] if runs else None
        if (
            last is not None
            and abs(last.base - item.base) < 0.05 * item.size
            and item.x0 - last.x1 < 0.1 * item.size
        ):
            runs[-1].append(item)
        else:
            runs.append([item])
    return next(
        (
            run
            for run in runs
            if abs((run[0].x0 + run[-1].x1) / 2 - mark.middle) < 0.12 * run[0].size
        ),
        [],
    )


def join_dots(items: list[Item], gone: set[int]) -> None:
    """Make one sign of three dots above each other, upright or slanted; add the rest to `gone`."""
    dots = [item for item in items if item.text == "." and item.kind == "glyph"]
    for first, second, third in zip(dots, dots[1:], dots[2:], strict=False):
        if id(first) in gone:
            continue
        down = second.base - first.base
        even = abs(third.base - second.base - down) < 0.05 * first.size
        across = second.middle - first.middle
        straight = abs(third.middle - second.middle - across) < 0.05 * first.size
        if not (even and straight and 0.2 * first.size < abs(down) < 0.6 * first.size):
            continue
        if abs(across) > 0.7 * first.size:
            continue
        top, bottom = sorted((first, third), key=lambda item: item.base)
        first.text = "⋮" if abs(across) < 0.05 * first.size else "⋱"
        first.x0, first.x1 = min(top.x0, bottom.x0), max(top.x1, bottom.x1)
        first.reach = first.x1
        first.top, first.bottom = top.top, bottom.bottom
        first.base = (top.base + bottom.base) / 2 + AXIS * first.size
        gone.update((id(second), id(third)))


class Shelf:
    """Items by height, for quick look-ups."""

    STEP = 12.0

    def __init__(self, items: Iterable[Item]) -> None:
        self.rows: dict[int, list[Item]] = defaultdict(list)
        self.starts: dict[int, list[Item]] = defaultdict(list)
        self.add(items)

    def add(self, items: Iterable[Item]) -> None:
        """Put items on the shelf."""
        rows, starts, step = self.rows, self.starts, self.STEP
        for item in items:
            first, last = int(item.top // step), int(item.bottom // step)
            if first <= last:
                starts[first].append(item)
            for row in range(first, last + 1):
                rows[row].append(item)

    def between(self, top: float, bottom: float) -> list[Item]:
        """Return the items whose ink touches the band from top to bottom, once each."""
        first, last = int(top // self.STEP), int(bottom // self.STEP)
        shelves = [self.rows.get(first, ())]
        shelves += [self.starts.get(row, ()) for row in range(first + 1, last + 1)]
        return [
            item for row in shelves for item in row if item.bottom >= top and item.top <= bottom
        ]


def build(
    items: list[Item],
    rules: list[Rule],
    verticals: list[Rule] = (),
    frames: list[Box] = (),
) -> tuple[list[Item], list[Rule]]:
    """Make limits, radicals, fractions, overlines and boxes out of items and rules.

    Args:
        items: what a page shows.
        rules: its horizontal rules.
        verticals: its vertical rules.
        frames: rectangles drawn on it.

    Returns:
        The items left over, finished pieces among them, and the rules that are not mathematics.
    """
    alive = {id(item): item for item in items}
    shelf = Shelf(items)

    def living(top: float, bottom: float) -> list[Item]:
        return [item for item in shelf.between(top, bottom) if id(item) in alive]

    def replace(parts: Iterable[Item], whole: Item) -> None:
        for part in parts:
            alive.pop(id(part), None)
        alive[id(whole)] = whole
        shelf.add([whole])

    operators = [item for item in items if item.kind == "operator"]
    by_order = {item.order: item for item in items}
    for arrow in [item for item in items if item.text == "→"]:
        made = long_arrow(arrow, living)
        if made is not None:
            replace(*made)
    for operator in operators:
        others = [other for other in operators if other is not operator]
        take_limits(operator, others, by_order, living, alive)
    for word in limit_words(list(alive.values())):
        take_word_limits(word, living, alive, replace)
    spare: list[Rule] = []
    rules = merge_rules(rules)
    drawn, rules = framed(rules, verticals)
    for rule in sorted(rules, key=lambda rule: rule.width):
        made = (
            radical(rule, living)
            or fraction(rule, living)
            or radical(rule, living, loose=True)
            or overline(rule, living)
        )
        if made is None:
            spare.append(rule)
        else:
            replace(*made)
    every = [*frames, *drawn]
    for frame in every:
        # Cells of a table touch each other or have rules inside.
        if any(other is not frame and neighbours(frame, other) for other in every):
            continue
        if any(
            frame[0] + 2 < side.x0 < frame[2] - 2
            and side.top < frame[3] - 1
            and side.bottom > frame[1] + 1
            for side in verticals
        ):
            continue
        made = boxed(frame, living)
        if made is not None:
            replace(*made)
    return list(alive.values()), spare


def long_arrow(arrow: Item, living) -> tuple[list[Item], Item] | None:
    """Return the parts and the whole of letters under an arrow, if the arrow is over letters."""
    size = arrow.size
    level = sorted(
        (item for item in living(arrow.top, arrow.bottom) if item.text in "−-"
         and abs((item.top + item.bottom) / 2 - (arrow.top + arrow.bottom) / 2) < 0.1 * size),
        key=lambda item: -item.x0,
    )  # fmt: skip
    shaft = [arrow]
    for item in level:
        if item.x0 < shaft[-1].x0 and shaft[-1].x0 - item.x1 < 0.15 * size:
            shaft.append(item)
    x0, x1 = min(item.x0 for item in shaft), arrow.x1
    below = [
        item
        for item in living(arrow.bottom, arrow.bottom + 0.8 * size)
        if x0 - 0.15 * size < item.middle < x1 + 0.15 * size
        and item.text.isalpha()
        and -0.1 * size < item.top - arrow.bottom < 0.4 * size
    ]
    if not below or abs(centre_of(below) - (x0 + x1) / 2) > 0.4 * size:
        return None
    below.sort(key=lambda item: item.x0)
    body = "".join(item.latex or latex_of(item.text) for item in below)
    anchor = below[0]
    whole = Item(
        min(x0, anchor.x0), max(x1, below[-1].x1), arrow.top, max(i.bottom for i in below),
        anchor.base, anchor.size, latex=f"\\overrightarrow{{{body}}}", kind="accent",
        order=min(item.order for item in below), spaced=anchor.spaced,
    )  # fmt: skip
    return [*shaft, *below], whole


def neighbours(one: Box, other: Box) -> bool:
    """Return whether two frames touch."""
    return (
        one[0] <= other[2] + 2
        and other[0] <= one[2] + 2
        and one[1] <= other[3] + 2
        and other[1] <= one[3] + 2
    )


def framed(rules: list[Rule], verticals: list[Rule]) -> tuple[list[Box], list[Rule]]:
    """Return the frames drawn as four rules, and the horizontal rules that are left."""
    frames: list[Box] = []
    used: set[int] = set()
    for place, top in enumerate(rules):
        for bottom in rules[place + 1 :]:
            same = abs(top.x0 - bottom.x0) < 1 and abs(top.x1 - bottom.x1) < 1
            if not same or not 4 < bottom.y - top.y < 80:
                continue
            sides = [
                side
                for side in verticals
                if side.top < top.y + 1.5 and side.bottom > bottom.y - 1.5
                and min(abs(side.x0 - top.x0), abs(side.x1 - top.x1)) < 1.5
            ]  # fmt: skip
            if len(sides) >= 2:
                frames.append((top.x0, top.y, top.x1, bottom.y))
                used.update((id(top), id(bottom)))
                break
    return frames, [rule for rule in rules if id(rule) not in used]


def boxed(frame: Box, living) -> tuple[list[Item], Item] | None:
    """Return the parts and the whole of a boxed expression, if the frame is around one."""
    x0, top, x1, bottom = frame
    inside = [
        item
        for item in living(top, bottom)
        if x0 < item.middle < x1 and top < (item.top + item.bottom) / 2 < bottom
    ]
    if not inside or x1 - x0 > 300:
        return None
    lines = assemble(inside)
    main = max(lines, key=lambda line: line.size)
    if len(lines) > 1 or bottom - top > 6 * main.size:
        return None
    whole = Item(
        x0, x1, top, bottom, main.base, main.size, kind="boxed",
        latex=f"\\boxed{{{main.latex}}}", order=min(item.order for item in inside),
    )  # fmt: skip
    return inside, whole


def merge_rules(rules: list[Rule]) -> list[Rule]:
    """Join rules drawn twice or in touching pieces."""
    out: list[Rule] = []
    for rule in sorted(rules, key=lambda rule: rule.x0):
        for last in out:
            if abs(last.y - rule.y) < 0.2 and rule.x0 <= last.x1 + 0.2:
                last.x1 = max(last.x1, rule.x1)
                break
        else:
            out.append(Rule(rule.x0, rule.x1, rule.top, rule.bottom, rule.bar))
    return out


def row_from(seeds: list[Item], pool: list[Item], gap: float) -> list[Item]:
    """Grow a row of small items from its seeds over neighbours that nearly touch."""
    row = list(seeds)
    size = max(item.size for item in row)
    base = max(row, key=lambda item: item.size).base
    rest = [item for item in pool if all(item is not seed for seed in row)]
    grown = True
    while grown:
        grown = False
        x0, x1 = min(item.x0 for item in row), max(item.x1 for item in row)
        for item in list(rest):
            near = item.x0 <= x1 + gap * size and item.x1 >= x0 - gap * size
            level = base - 0.8 * size < item.base < base + 0.5 * size
            if near and level and item.size <= size * 1.05:
                row.append(item)
                rest.remove(item)
                grown = True
    return row


def is_script_of_neighbour(item: Item, by_order: dict[int, Item]) -> bool:
    """Return whether an item is printed as a script of the glyph before it in the file."""
    before = by_order.get(item.order - 1)
    return (
        before is not None
        and before.kind == "glyph"
        and item.size < SCRIPT_RATIO * before.size
        and -0.15 * before.size < item.x0 - before.x1 < 0.3 * before.size
        and 0.05 * before.size < abs(item.base - before.base) < 0.8 * before.size
    )


def take_limits(
    operator: Item,
    others: list[Item],
    by_order: dict,
    living,
    alive: dict,
):
    """Hang the limits printed above and below a big operator on it."""
    size, middle = operator.size, operator.middle
    pool = [
        item
        for item in living(operator.top - 1.3 * size, operator.bottom + 1.5 * size)
        if item is not operator and item.size < SCRIPT_RATIO * size and item.kind != "operator"
    ]
    slack = 0.1 * size
    over = [item for item in pool if operator.x0 - slack < item.middle < operator.x1 + slack]
    above = [
        item
        for item in over
        if item.bottom < operator.top + 0.3 * size
        and -0.15 * size < operator.top - item.base < 0.75 * size
    ]
    below = [
        item
        for item in over
        if -0.3 * size < item.top - operator.bottom < 0.7 * size
        and item.base > operator.bottom + 0.2 * size
    ]

    for seeds, name in ((above, "sup"), (below, "sub")):
        rows = []
        # Whatever the file's order, rows of two signs have a sign between them in it; but PDFium
        # may also put a sign inside its own row.
        for signs in ([*others, operator], others):
            starts = sorted(sign.order for sign in signs)
            for turn in {bisect(starts, item.order) for item in seeds}:
                chosen = [item for item in pool if bisect(starts, item.order) == turn]
                own = [item for item in seeds if bisect(starts, item.order) == turn]
                rows.append(limit_row(own, name, chosen))
        rows = [row for row in rows if is_limit(row, operator, middle, others, by_order)]
        if not rows:
            continue
        row = min(rows, key=lambda row: abs(centre_of(row) - middle))
        setattr(operator, name, row)
        for item in row:
            alive.pop(id(item), None)
        operator.top = min(operator.top, *(item.top for item in row))
        operator.bottom = max(operator.bottom, *(item.bottom for item in row))
        operator.x0 = min(operator.x0, *(item.x0 for item in row))
        operator.x1 = operator.reach = max(operator.x1, *(item.x1 for item in row))


def centre_of(row: list[Item]) -> float:
    """Return the horizontal centre of a row."""
    return (min(item.x0 for item in row) + max(item.x1 for item in row)) / 2


def limit_row(seeds: list[Item], name: str, pool: list[Item]) -> list[Item]:
    """Return the whole row that a limit's first found items belong to."""
    closest = (max if name == "sup" else min)(seeds, key=lambda item: item.base)
    seeds = [item for item in seeds if abs(item.base - closest.base) < 0.7 * closest.size]
    biggest = max(item.size for item in seeds)
    level = [item for item in seeds if item.size > SCRIPT_RATIO * biggest]
    nearest = (max if name == "sup" else min)(level, key=lambda item: item.base)
    seeds = [item for item in level if abs(item.base - nearest.base) < 0.2 * biggest]
    return row_from(seeds, pool, 0.35)


def is_limit(
    row: list[Item], operator: Item, middle: float, others: list[Item], by_order: dict[int, Item]
) -> bool:
    """Return whether a row is centred on an operator and belongs to nothing else."""
    if is_script_of_neighbour(min(row, key=lambda item: item.x0), by_order):
        return False
    centre = centre_of(row)
    if abs(centre - middle) > 0.3 * operator.size:
        return False
    # Between two lines a row belongs to the sign that is nearer in the file.
    near = min(abs(item.order - operator.order) for item in row)
    if near > FAR_IN_FILE:
        return False
    size = operator.size
    return not any(
        abs(other.axis - operator.axis) > 0.5 * size
        and other.x0 - 3 * size < centre < other.x1 + 3 * size
        and other.top - 1.6 * size < row[0].base < other.bottom + 1.6 * size
        and min(abs(item.order - other.order) for item in row) < near
        for other in others
    )


def limit_words(items: list[Item]) -> list[list[Item]]:
    """Return the upright words lim, max, min ... as lists of their letters."""
    letters = sorted(
        (
            item
            for item in items
            if item.kind == "glyph" and item.text.isalpha() and item.text.isascii()
        ),
        key=lambda item: (round(item.base), item.x0),
    )
    words: list[list[Item]] = []
    for item in letters:
        last = words[-1][-1] if words else None
        if (
            last is not None
            and abs(last.base - item.base) < 0.05 * item.size
            and abs(last.size - item.size) < 0.05 * item.size
            and -0.1 * item.size < item.x0 - last.x1 < WORD_GAP * item.size
        ):
            words[-1].append(item)
        else:
            words.append([item])
    return [word for word in words if "".join(item.text for item in word) in LIMIT_WORDS]


def take_word_limits(word: list[Item], living, alive: dict, replace) -> None:
    """Hang what is printed under a word like lim on it."""
    size = word[0].size
    x0, x1 = word[0].x0, word[-1].x1
    bottom = max(item.bottom for item in word)
    pool = [
        item
        for item in living(bottom, bottom + 1.4 * size)
        if item.size < SCRIPT_RATIO * size and id(item) in alive
    ]
    seeds = [
        item
        for item in pool
        if x0 - 0.1 * size < item.middle < x1 + 0.1 * size
        and 0.4 * size < item.base - word[0].base < 1.35 * size
    ]
    if not seeds:
        return
    biggest = max(item.size for item in seeds)
    nearest = min(
        (item for item in seeds if item.size > 0.87 * biggest), key=lambda item: item.base
    )
    seeds = [item for item in seeds if abs(item.base - nearest.base) < 0.2 * biggest]
    row = row_from(seeds, pool, 0.35)
    centre = (min(item.x0 for item in row) + max(item.x1 for item in row)) / 2
    if abs(centre - (x0 + x1) / 2) > 0.4 * size:
        return
    name = "".join(item.text for item in word)
    latex = (
        "\\" + name if name in FUNCTIONS or name.startswith("lim") else rf"\operatorname{{{name}}}"
    )
    whole = Item(
        min(x0, *(item.x0 for item in row)), max(x1, *(item.x1 for item in row)),
        min(item.top for item in word), max(item.bottom for item in row), word[0].base, size,
        latex=latex, kind="function", order=word[0].order, spaced=word[0].spaced,
    )  # fmt: skip
    whole.sub = row
    for item in row:
        alive.pop(id(item), None)
    replace(word, whole)


def radical(rule: Rule, living, *, loose: bool = False) -> tuple[list[Item], Item] | None:
    """Return the parts and the whole of the radical whose bar this rule is, if it is one."""
    signs = [
        item
        for item in living(rule.y - 3, rule.y + 60)
        if item.text == "√"
        and item.kind == "glyph"
        and abs(item.x1 - rule.x0) < 0.22 * item.size
        and item.top - 0.25 * item.size < rule.y < item.top + 0.25 * item.size
    ]
    # Of a tall sign put together from pieces only the hook at its foot may be known.
    signs = signs or [
        item
        for item in living(rule.y, rule.y + 120)
        if loose
        and item.text == "√"
        and item.kind == "glyph"
        and -0.1 * item.size < rule.x0 - item.x1 < 0.45 * item.size
        and 0 < item.top - rule.y < 5 * item.size
    ]
    if not signs:
        return None
    sign = min(signs, key=lambda item: (abs(item.x1 - rule.x0), item.top))
    inside = [
        item
        for item in living(rule.y - 0.5, sign.bottom + 0.3 * sign.size)
        if item is not sign
        and rule.x0 - 0.15 * sign.size < item.middle < rule.x1 + 0.1 * sign.size
        and item.x0 > sign.x0
        and item.bottom > rule.y
        and item.base > rule.y
        and item.top > rule.y - 0.2 * sign.size
        and item.top < sign.bottom
        and item.base < sign.bottom + 0.25 * sign.size
    ]
    if not inside:
        return None
    index = [
        item
        for item in living(rule.y - 0.6 * sign.size, sign.bottom)
        if item is not sign
        and item.text not in DELIMITERS
        and (
            item.size < SCRIPT_RATIO * max(sign.size, *(part.size for part in inside))
            # The smallest size has no smaller one for its index.
            or (abs(sign.order - item.order) <= 2 and item.size < 1.02 * sign.size)
        )
        and item.x1 < sign.x1 - 0.1 * sign.size
        and item.x0 > sign.x0 - 0.9 * sign.size
        and item.middle < sign.x0 + 0.62 * (sign.x1 - sign.x0)
        and item.base < sign.top + 0.66 * (sign.bottom - sign.top)
        and item.middle > sign.x0 - 0.35 * sign.size
        and item.base > sign.top - 0.1 * sign.size
    ]
    # An index touches the sign's hook; a superscript of the letter before does not reach it.
    start = min((item.x0 for item in index), default=0.0)
    hosted = any(
        item.kind != "delimiter"
        and item.size > 1.15 * index[0].size
        and -0.15 * sign.size < start - item.x1 < 0.2 * sign.size
        for item in (living(rule.y, sign.bottom) if index else ())
    )
    reach = sign.x0 + (0.05 if hosted else -0.15) * sign.size
    index = [item for item in index if item.x1 > reach]
    lines = assemble(inside)
    body = " ".join(line.latex for line in lines)
    degree = f"[{' '.join(line.latex for line in assemble(index))}]" if index else ""
    main = max(lines, key=lambda line: line.size)
    parts = [sign, *inside, *index]
    whole = Item(
        min(part.x0 for part in parts), max(rule.x1, *(part.x1 for part in parts)),
        min(rule.top, *(part.top for part in parts)), max(part.bottom for part in parts),
        main.base, main.size, latex=f"\\sqrt{degree}{{{spread(body)}}}", kind="radical",
        order=sign.order, spaced=sign.spaced,
    )  # fmt: skip
    return parts, whole


def fraction(rule: Rule, living) -> tuple[list[Item], Item] | None:
    """Return the parts and the whole of the fraction whose bar this rule is, if it is one."""
    if rule.width > 500:
        return None
    above = row_of(rule, living, up=True)
    below = row_of(rule, living, up=False)
    if not above or not below:
        return None
    size = max(item.size for item in (*above, *below))
    main = max(above, key=lambda item: item.size)
    if not rule.bar and main.kind == "glyph" and rule.y - main.base < 0.17 * main.size:
        return None  # an underline
    for row in (above, below):
        left = min(item.x0 for item in row) - rule.x0
        right = rule.x1 - max(item.x1 for item in row)
        # TeX's nested fractions in display style are wider than their bar by a null delimiter.
        if left < -0.3 * size or right < -0.3 * size:
            return None
        if abs(left - right) > max(0.7 * size, 0.35 * rule.width):
            return None
    widest = max(max(i.x1 for i in row) - min(i.x0 for i in row) for row in (above, below))
    if rule.width - widest > 1.2 * size + 0.25 * rule.width:
        return None
    # Underlined words and table rules have neighbours that run on past the bar's ends.
    for row in (above, below):
        base = max(row, key=lambda item: item.size)
        if base.axis is not None:
            continue
        members = {id(item) for item in row}
        x0, x1 = min(item.x0 for item in row), max(item.x1 for item in row)
        for item in living(base.top, base.bottom):
            beside = min(abs(item.x0 - x1), abs(x0 - item.x1)) < 0.09 * base.size
            level = item.kind == "glyph" and abs(item.base - base.base) < 0.05 * size
            if (
                id(item) not in members
                and beside
                and level
                and (item.text.isalnum() or item.text == ".")
            ):
                return None
    upper = " ".join(line.latex for line in assemble(above))
    lower = " ".join(line.latex for line in assemble(below))
    parts = [*above, *below]
    plain = [item.size for item in parts if item.kind != "fraction"]
    size = max(plain or [style_size(item) for item in parts])
    whole = Item(
        min(rule.x0, *(part.x0 for part in parts)), max(rule.x1, *(part.x1 for part in parts)),
        min(extent(part)[0] for part in parts), max(extent(part)[1] for part in parts),
        rule.y + AXIS * size / 0.7, size, kind="fraction",
        latex=f"\\frac{{{spread(upper)}}}{{{spread(lower)}}}",
        order=min(part.order for part in parts), axis=rule.y,
    )  # fmt: skip
    whole.spaced = min(parts, key=lambda part: part.order).spaced
    return parts, whole


def row_of(rule: Rule, living, up: bool) -> list[Item]:
    """Return the items that form the numerator (or denominator) on a bar."""
    reach = 60.0
    band = living(rule.y - reach, rule.y + 1) if up else living(rule.y - 1, rule.y + reach)
    near = []
    for item in band:
        if not rule.x0 - 0.12 * item.size < item.middle < rule.x1 + 0.12 * item.size:
            continue
        level = item.axis if item.axis is not None else item.base - 0.3 * item.size
        if (level < rule.y) != up:
            continue
        overlap = item.bottom - rule.y if up else rule.y - item.top
        if overlap > 0.35 * item.size:
            continue
        near.append((max(0.0, -overlap), item))
    if not near:
        return []
    near.sort(key=lambda pair: pair[0])
    first = near[0][1]
    if near[0][0] > 0.75 * first.size:
        return []
    # The row's own baseline is that of the biggest glyphs among the closest ones.
    closest = [item for gap, item in near if gap < near[0][0] + 0.35 * first.size]
    edge = first.bottom + 0.1 * first.size if not up else first.top - 0.1 * first.size
    left = min(item.x0 for item in closest)
    right = max(item.x1 for item in closest)
    # What a script at the bar is attached to overlaps it in height and stands at its left.
    closest += [
        item
        for gap, item in near
        if near[0][0] + 0.35 * first.size <= gap < near[0][0] + 0.8 * item.size
        and 0 < first.order - item.order <= (9 if item.size > first.size / SCRIPT_RATIO else 1)
        and (item.top < edge if not up else item.bottom > edge)
        and left - 0.6 * item.size < item.x1 < right + 0.3 * item.size
    ]
    anchor = max(closest, key=lambda item: (round(item.size, 1), -item.order))
    size, base = anchor.size, anchor.base
    if anchor.axis is not None:
        size = style_size(anchor)
        beside = [
            item
            for item in closest
            if item.axis is None and abs(item.base - AXIS * item.size - anchor.axis) < 0.2 * size
        ]
        base = max(beside, key=lambda item: item.size).base if beside else anchor.axis + AXIS * size
    axis = anchor.axis if anchor.axis is not None else base - AXIS * size
    row = []
    tall = []
    level = [item for _, item in near if item.axis is None and abs(item.base - base) < 0.2 * size]
    for _, item in near:
        if item.axis is not None:
            if abs(item.axis - axis) < 0.3 * size:
                row.append(item)
                if item.kind in ("delimiter", "fraction", "block"):
                    tall.append(item)
        elif abs(item.base - base) < 0.2 * size:
            row.append(item)
        elif item.size < SCRIPT_RATIO * size and base - 1.1 * size < item.base < base + 0.6 * size:
            # Scripts of the row, unless they belong to the text line beyond it.
            inside = item.top < base + 0.5 * size and item.bottom > base - 1.1 * size
            if inside and not crowded(item, level):
                row.append(item)
        elif any(big.top - 1 < item.base < big.bottom + 1 for big in tall):
            row.append(item)
    row += last_scripts(row, [item for _, item in near], base, size)
    if tall:
        top, bottom = min(item.top for item in tall), max(item.bottom for item in tall)
        chosen = {id(item) for item in row}
        x0, x1 = min(item.x0 for item in tall), max(item.x1 for item in tall)
        for _, item in near:
            inside = top - 1 <= item.top and item.bottom <= bottom + 1
            if id(item) not in chosen and (inside and x0 <= item.middle <= x1 + size):
                row.append(item)
    return row


def crowded(item: Item, level: list[Item]) -> bool:
    """Return whether a small item stands over or under glyphs of a row, as no script of it does."""
    width = max(item.x1 - item.x0, 0.1)
    return any(
        min(other.x1, item.x1) - max(other.x0, item.x0) > 0.4 * width
        and other.size > item.size / SCRIPT_RATIO
        for other in level
    )


def last_scripts(row: list[Item], pool: list[Item], base: float, size: float) -> list[Item]:
    """Return scripts as big as what they belong to: the smallest size has none below it."""
    chosen = {id(item) for item in row}
    found: list[Item] = []
    grown = True
    while grown:
        grown = False
        for item in pool:
            off = abs(item.base - base) / size
            if id(item) in chosen or not 0.1 < off < 0.75 or item.size > 1.02 * size:
                continue
            for host in (*row, *found):
                after = 0 < item.order - host.order <= 9
                beside = -0.15 * size < item.x0 - right_end(host) < 0.35 * size
                if after and (beside or abs(item.x0 - host.x1) < 0.35 * size):
                    chosen.add(id(item))
                    found.append(item)
                    grown = True
                    break
    return found


def style_size(item: Item) -> float:
    """Return the font size of the text that an item stands in, as far as it can tell.

    In text style the parts of a fraction are smaller by .7; in display style they are not, and the
    estimate is too big.
    """
    return item.size / 0.7 if item.kind == "fraction" else item.size


def overline(rule: Rule, living) -> tuple[list[Item], Item] | None:
    """Return the parts and the whole of an overlined expression, if this rule is its line."""
    below = [
        item
        for item in living(rule.y, rule.y + 20)
        if rule.x0 - 0.12 * item.size < item.middle < rule.x1 + 0.12 * item.size
        and 0 <= item.top - rule.y < 0.4 * item.size
        and item.text != "√"
    ]
    if not below:
        return None
    anchor = max(below, key=lambda item: item.size)
    row = [
        item
        for item in living(rule.y, anchor.bottom + 0.3 * anchor.size)
        if rule.x0 - 0.12 * item.size < item.middle < rule.x1 + 0.12 * item.size
        and item.base < anchor.base + 0.5 * anchor.size
        and item.base > rule.y
    ]
    size = anchor.size
    left, right = min(item.x0 for item in row), max(item.x1 for item in row)
    if abs(left - rule.x0) > 0.35 * size or abs(right - rule.x1) > 0.35 * size:
        return None
    if rule.width > 8 * size:
        return None
    above = [
        item
        for item in living(rule.y - 0.45 * size, rule.y)
        if item.base <= rule.y + 0.05 * size
        and rule.x0 < item.middle < rule.x1
        and rule.y - item.base < 0.35 * size
    ]
    if above:
        return None
    body = " ".join(line.latex for line in assemble(row))
    whole = Item(
        left, right, rule.top, max(item.bottom for item in row), anchor.base, size,
        latex=f"\\overline{{{body}}}", kind="accent", order=min(item.order for item in row),
    )  # fmt: skip
    whole.spaced = min(row, key=lambda part: part.order).spaced
    return row, whole


def assemble(items: list[Item], body: float | None = None) -> list[Line]:
    """Sort items into lines and scripts.

    Args:
        items: everything in a region (a column, a numerator ...).
        body: usual font size there; None: the biggest one.

    Returns:
        The lines from top to bottom.
    """
    if not items:
        return []
    items = pack_blocks(items)
    flat = [item for item in items if item.axis is None]
    raised = [item for item in items if item.axis is not None]
    page = body is not None
    if body is None:
        whole = [item.size for item in items if item.kind != "fraction"]
        body = max(whole or [style_size(item) for item in items])
    runs = split_runs(flat, items)
    lines: list[Line] = []
    shelf = Shelf(())

    def settle(run: list[Item]) -> None:
        biggest = max(run, key=SIZE)
        size, base = biggest.size, biggest.base
        for line in reversed(lines):
            slack = SAME_BASE * max(min(line.size, size), 1.0)
            near = abs(line.base - base) < slack or (
                # Office programs set formulas a little off the line.
                abs(line.base - base) < 2 * slack
                and size >= (SCRIPT_RATIO if size < 0.95 * body else 0.78) * line.size
                and not any(
                    item.x0 < other.x1 - 0.2 * size and other.x0 < item.x1 - 0.2 * size
                    for item in run
                    for other in line.items
                )
            )
            if near:
                line.items.extend(run)
                if size > line.size:
                    line.size, line.base = size, base
                break
        else:
            lines.append(Line(list(run), base, size))
        shelf.add(run)

    def seat(item: Item, *, far: float = 6.0) -> bool:
        best, best_cost = None, 1.0
        for line in lines:
            off = abs(item.axis - (line.base - AXIS * line.size)) / line.size
            limit = 0.16 if item.kind == "fraction" else 0.3
            if off >= limit or (item.kind == "fraction" and not 0.45 < item.size / line.size < 1.6):
                continue
            gap = min(max(other.x0 - item.x1, item.x0 - other.x1, 0.0) for other in line.items)
            cost = off / limit * 0.5 + gap / (far * line.size) * 0.5
            if gap < far * line.size and cost < best_cost:
                best, best_cost = line, cost
        if best is None:
            return False
        item.base = best.base
        best.items.append(item)
        shelf.add([item])
        return True

    def start_line(item: Item) -> None:
        item.base = item.axis + AXIS * body
        lines.append(Line([item], item.base, body))
        shelf.add([item])

    def hang(run: list[Item]) -> bool:
        host, where = find_host(run, shelf)
        if host is None:
            return False
        getattr(host, where).extend(run)
        host.reach = max(host.reach, *(item.x1 for item in run))
        shelf.add(run)
        return True

    sized = [(max(map(SIZE, run)), run) for run in runs]
    sized.sort(key=lambda pair: (-round(pair[0], 1), pair[1][0].base, pair[1][0].x0))
    big = [run for size, run in sized if size >= SCRIPT_RATIO * body]
    small = [run for size, run in sized if size < SCRIPT_RATIO * body]
    if not page:
        big.sort(key=lambda run: min(item.order for item in run))
    for run in big:
        if page or not lines or not hang(run):
            settle(run)
    waiting = seat_all(sorted(raised, key=lambda item: item.order), seat)
    for item in list(waiting):
        # A formula on a line of its own may hold nothing but such pieces.
        if style_size(item) >= SCRIPT_RATIO * body and any(item is other for other in waiting):
            start_line(item)
            waiting = seat_all([other for other in waiting if other is not item], seat)
    for run in small:
        if not hang(run):
            settle(run)
    still = []
    for item in waiting:
        if seat(item):
            continue
        if item.kind == "fraction":
            item.base = item.axis + AXIS * item.size / 0.7
            probe_size, item.size = item.size, item.size / 0.7
            done = hang([item]) or hang_loose(item, probe_size, hang)
            if done:
                continue
            item.size = probe_size
        if item.kind == "block" and hang_block(item, shelf):
            continue
        still.append(item)
    for item in still:
        if seat(item, far=12.0):
            continue
        item.base = item.axis + AXIS * item.size
        lines.append(Line([item], item.base, item.size))
        shelf.add([item])
    for line in lines:
        line.items.sort(key=lambda item: (item.x0, item.order))
    return sorted(lines, key=lambda line: (line.base, line.x0))


def seat_all(items: list[Item], seat) -> list[Item]:
    """Seat pieces on lines until no more will go; return those that are left.

    A piece may be near enough to its line only once another stands between.
    """
    left = items
    while True:
        still = [item for item in left if not seat(item)]
        if len(still) == len(left):
            return still
        left = still


def hang_block(item: Item, shelf: Shelf) -> bool:
    """Try a matrix as a subscript: a tall one starts at the height of small letters."""
    hosts = [
        host
        for host in shelf.between(item.top - item.size, item.bottom)
        if host.axis is None
        and host is not item
        and -0.1 * host.size < item.x0 - host.reach < 0.3 * host.size
        and host.base - 0.7 * host.size < item.top < host.base
        and item.bottom > host.base + 0.5 * host.size
    ]
    if not hosts:
        return False
    host = max(hosts, key=lambda host: host.x1)
    host.sub.append(item)
    host.reach = max(host.reach, item.x1)
    return True


def hang_loose(item: Item, size: float, hang) -> bool:
    """Try a fraction in display size as a script."""
    item.size = size
    item.base = item.axis + AXIS * size
    return hang([item])


def split_runs(flat: list[Item], everything: list[Item]) -> list[list[Item]]:
    """Return runs of items on one baseline, of like size, with nothing bigger between them."""
    rows: list[list[Item]] = []
    for item in sorted(flat, key=lambda item: (item.base, item.x0)):
        for row in reversed(rows[-6:]):
            head = row[0]
            if abs(head.base - item.base) < 0.07 * min(head.size, item.size) and (
                SCRIPT_RATIO < head.size / item.size < 1 / SCRIPT_RATIO
            ):
                row.append(item)
                break
        else:
            rows.append([item])
    by_size = sorted(everything, key=SIZE)
    sizes = list(map(SIZE, by_size))
    raised = [item for item in everything if item.axis is not None]
    runs = []
    for row in rows:
        row.sort(key=lambda item: (item.x0, item.order))
        smallest = min(map(SIZE, row)) / SCRIPT_RATIO
        top = min(i.top for i in row) - 0.35 * row[0].size
        bottom = max(i.bottom for i in row) + 0.35 * row[0].size
        dividers: list[Item] | None = None
        run = [row[0]]
        for item in row[1:]:
            gap = item.x0 - run[-1].x1
            split = gap > 1.0 * item.size
            if not split and gap > 0.08 * item.size:
                if dividers is None:
                    dividers = [
                        other
                        for other in (*raised, *by_size[bisect(sizes, smallest) :])
                        if other.bottom >= top and other.top <= bottom
                    ]
                left, right = run[-1].x1, item.x0
                split = any(
                    left - 0.1 * other.size < other.middle < right + 0.1 * other.size
                    and (other.size > item.size / SCRIPT_RATIO or other.axis is not None)
                    and other.bottom >= item.top - 0.35 * item.size
                    and other.top <= item.bottom + 0.35 * item.size
                    for other in dividers
                )
            if split:
                runs.append(run)
                run = [item]
            else:
                run.append(item)
        runs.append(run)
    return runs


def find_host(run: list[Item], shelf: Shelf) -> tuple[Item | None, str]:
    """Return the item whose script a run is, and whether "sup" or "sub"."""
    size = max(item.size for item in run)
    x0 = min(item.x0 for item in run)
    base = max(run, key=lambda item: item.size).base
    top, bottom = min(item.top for item in run), max(item.bottom for item in run)
    order = min(item.order for item in run)
    best, where, best_cost = None, "", 1e9
    for host in shelf.between(top - 1.2 * size, bottom + 1.6 * size):
        if not (host.x0 < x0 and x0 >= host.x1 - 0.4 * host.size):
            continue
        if x0 > right_end(host) + 0.35 * host.size:
            continue
        smaller = size <= SCRIPT_RATIO * host.size
        tall = host.axis is not None or host.kind == "radical"
        if not smaller and not (tall and size <= 1.05 * host.size):
            # The smallest size has no smaller one for its scripts.
            scripts = len(host.sup) + len(host.sub)
            nested = 0 < order - host.order <= 1 + scripts and size <= 1.02 * host.size
            if not nested:
                continue
        high = host.base - base
        if tall and host.kind != "fraction":
            up = base < host.top + 0.75 * host.size and base < (host.top + host.bottom) / 2
            down = base > host.bottom - 0.35 * host.size
            off = abs(base - host.top - 0.2 * host.size) if up else abs(base - host.bottom)
            if off > 1.0 * host.size:
                continue
        else:
            up = 0.16 * host.size < high < 0.95 * host.size
            down = -0.62 * host.size < high < -0.06 * host.size
            off = abs(high - 0.4 * host.size) if up else abs(high + 0.2 * host.size)
        if not up and not down:
            continue
        gap = max(0.0, x0 - host.x1)
        cost = gap / host.size + off / host.size + (0.0 if order == host.order + 1 else 0.15)
        if cost < best_cost:
            best, where, best_cost = host, "sup" if up else "sub", cost
    return best, where


def pack_blocks(items: list[Item]) -> list[Item]:
    """Turn tall delimiters with several rows between them into binomials, matrices and cases."""
    raise_small_brackets(items)
    tall = sorted((item for item in items if item.kind == "delimiter"), key=lambda item: item.x0)
    if not tall:
        return items
    items = list(items)
    used: set[int] = set()
    # Those in the middle first: what they enclose is then one piece.
    for position, left in reversed(list(enumerate(tall))):
        if id(left) in used or left.text not in "([{|∥":
            continue
        height = left.bottom - left.top
        closing = {"(": ")", "[": "]", "{": "}", "|": "|", "∥": "∥"}[left.text]
        right = None
        depth = 0
        for other in tall[position + 1 :]:
            if id(other) in used or abs(other.axis - left.axis) > 0.2 * height:
                continue
            if abs((other.bottom - other.top) - height) > 0.2 * height:
                continue
            if other.text == closing and depth == 0:
                right = other
                break
            depth += (other.text == left.text) - (other.text == closing)
        if right is None and left.text != "{":
            continue
        edge = right.x0 if right is not None else 1e9
        inside = [
            item
            for item in items
            if item is not left
            and item is not right
            and left.x1 - 0.2 * left.size < item.middle < edge + 0.2 * left.size
            and left.top - 0.1 * left.size
            < (item.top + item.bottom) / 2
            < left.bottom + 0.1 * left.size
        ]
        if right is None:
            inside = before_baseline(left, inside)
        if not inside:
            continue
        if any(
            item.axis is not None
            and abs(item.axis - left.axis) < 0.1 * left.size
            and item.kind == "operator"
            for item in inside
        ):
            continue
        before = [
            (item, list(item.sup), list(item.sub), item.reach, item.base, item.size)
            for item in inside
        ]
        rows = join_rows(assemble(inside))
        latex = block_latex(left, right, rows) if len(rows) > 1 else None
        if latex is None:
            for item, sup, sub, reach, base, size in before:
                item.sup, item.sub, item.reach, item.base, item.size = sup, sub, reach, base, size
            continue
        parts = [left, *inside, *([right] if right is not None else [])]
        whole = Item(
            left.x0, max(part.x1 for part in parts), min(part.top for part in parts),
            max(part.bottom for part in parts), left.axis + AXIS * left.size, left.size,
            latex=latex, kind="block", order=min(part.order for part in parts), axis=left.axis,
            spaced=left.spaced,
        )  # fmt: skip
        used.update(id(part) for part in parts)
        gone = {id(part) for part in parts}
        items = [item for item in items if id(item) not in gone]
        items.append(whole)
    return items


def before_baseline(left: Item, inside: list[Item]) -> list[Item]:
    """Return what stands in the rows after a brace, without the text that goes on after them.

    An even number of rows leaves the baseline of the text free; what stands on it comes after.
    """
    base = left.axis + AXIS * left.size
    level = [
        item for item in inside if item.axis is None and abs(item.base - base) < 0.12 * left.size
    ]
    start = min((item.x0 for item in level), default=1e9)
    if start - left.x1 < 1.0 * left.size:
        return inside
    return [item for item in inside if item.middle < start]


def raise_small_brackets(items: list[Item]) -> None:
    """Make delimiters of parentheses that are hardly tall, if two small rows stand between them.

    In text style a binomial's parentheses may be those of ordinary text.
    """
    brackets = sorted(
        (item for item in items if item.kind == "glyph" and item.text in "()"),
        key=lambda item: item.x0,
    )
    by_base = sorted(range(len(items)), key=lambda place: items[place].base)
    bases = [items[place].base for place in by_base]
    for left in brackets:
        if left.text != "(":
            continue
        right = next(
            (
                other
                for other in brackets
                if other.x0 > left.x0 and abs(other.base - left.base) < 0.05 * left.size
            ),
            None,
        )
        if right is None or right.text != ")" or right.x0 - left.x1 > 8 * left.size:
            continue
        near = by_base[
            bisect(bases, left.top - 0.5 * left.size) : bisect_left(
                bases, left.bottom + 0.5 * left.size
            )
        ]
        inside = [
            items[place]
            for place in sorted(near)
            if left.x1 - 0.1 * left.size < items[place].middle < right.x0 + 0.1 * left.size
        ]
        if not inside or any(item.size > SCRIPT_RATIO * left.size for item in inside):
            continue
        axis = left.base - AXIS * left.size
        upper = [item for item in inside if item.base < axis + 0.05 * left.size]
        lower = [item for item in inside if item.top > axis - 0.05 * left.size]
        overlap = (
            upper
            and lower
            and (
                min(max(i.x1 for i in upper), max(i.x1 for i in lower))
                - max(min(i.x0 for i in upper), min(i.x0 for i in lower))
                > 0.2 * left.size
            )
        )
        if overlap and len(upper) + len(lower) == len(inside):
            for item in (left, right):
                item.kind, item.axis = "delimiter", (item.top + item.bottom) / 2


def join_rows(rows: list[Line]) -> list[Line]:
    """Join lines that share a baseline closely enough to be one row of a matrix."""
    out: list[Line] = []
    for row in rows:
        if out and abs(out[-1].base - row.base) < 0.3 * row.size:
            out[-1].items.extend(row.items)
            out[-1].items.sort(key=lambda item: item.x0)
        else:
            out.append(Line(list(row.items), row.base, row.size))
    return out


def block_latex(left: Item, right: Item | None, rows: list[Line]) -> str | None:
    """Return the LaTeX of rows between delimiters, or None if they are no such thing."""
    cells = split_columns(rows)
    if (
        right is not None
        and left.text == "("
        and len(rows) == 2
        and all(len(c) == 1 for c in cells)
        and not is_vector(left, rows)
    ):
        return f"\\binom{{{render(cells[0][0])}}}{{{render(cells[1][0])}}}"
    if right is None:
        text = r" \\ ".join(case_of([render(cell) for cell in row]) for row in cells)
        return f"\\begin{{cases}} {text} \\end{{cases}}"
    text = r" \\ ".join(" & ".join(render(cell) for cell in row) for row in cells)
    name = {"(": "pmatrix", "[": "bmatrix", "|": "vmatrix", "∥": "Vmatrix", "{": "Bmatrix"}[
        left.text
    ]
    if len({len(row) for row in cells}) > 1:
        return None
    return f"\\begin{{{name}}} {text} \\end{{{name}}}"


CONDITION = re.compile(r"(?<![\\\w])(?:if|when|for|otherwise|else)(?!\w)")


def case_of(cells: list[str]) -> str:
    """Return a row of cases as value and condition, which starts with its word."""
    whole = " ".join(cell for cell in cells if cell)
    match = CONDITION.search(whole)
    if match and match.start():
        return f"{whole[: match.start()].rstrip()} & {whole[match.start() :]}"
    return " & ".join([cells[0], " ".join(cells[1:])]) if len(cells) > 1 else whole


def is_vector(left: Item, rows: list[Line]) -> bool:
    """Return whether two rows in parentheses are a column of a matrix rather than a binomial.

    A binomial is set as a fraction without its bar: TeX's numbers for that are 1.36 of the size
    apart in display style (1.28 in STIX). Rows of a matrix are a line apart (1.2). In text style
    only typst's vectors can be told (1.28; binomials .9 to 1.2). No binomial starts with a minus.
    """
    size = max(row.size for row in rows)
    pitch = (rows[1].base - rows[0].base) / size
    if any(row.items[0].text in "−-" or row.items[0].kind == "fraction" for row in rows):
        return True
    if size > SCRIPT_RATIO * left.size:
        return pitch < 1.26
    return pitch > 1.24


def split_columns(rows: list[Line]) -> list[list[list[Item]]]:
    """Return the cells of rows: columns are divided where no row has ink."""
    size = max(row.size for row in rows)
    spans: list[list[float]] = []
    for item in sorted((item for row in rows for item in row.items), key=lambda item: item.x0):
        if spans and item.x0 - spans[-1][1] < COLUMN_GAP * size:
            spans[-1][1] = max(spans[-1][1], right_end(item))
        else:
            spans.append([item.x0, right_end(item)])
    if len(spans) == 1:
        return [split_cells(row) for row in rows]
    return [
        [cell for x0, x1 in spans if (cell := [item for item in row.items if x0 <= item.x0 <= x1])]
        for row in rows
    ]


def split_cells(row: Line) -> list[list[Item]]:
    """Split a row at its wide gaps."""
    cells = [[row.items[0]]]
    for item in row.items[1:]:
        last = cells[-1][-1]
        if item.x0 - right_end(last) > 0.7 * row.size:
            cells.append([item])
        else:
            cells[-1].append(item)
    return cells


WORD_END = re.compile(r"\\[A-Za-z]+$")


def glyph_latex(item: Item) -> str:
    """Return an item's own LaTeX, scripts left out."""
    if item.latex:
        return item.latex
    if len(item.text) == 1:
        return latex_of(item.text)
    return "".join(latex_of(char) for char in item.text)


def is_math(item: Item) -> bool:
    """Return whether an item can only be mathematics."""
    if item.kind != "glyph" or item.sup or item.sub:
        return True
    return "m" in item.style or bool(letter_of(item.text)[1]) or item.text[:1].isdigit()


def render(items: list[Item], script: bool = False) -> str:
    """Return items of one line as LaTeX-ish text."""
    items = sorted(items, key=lambda item: (item.x0, item.order))
    tokens = words(items)
    out = ""
    previous: Item | None = None
    after_sign = after_command = False
    for place, (token, group) in enumerate(tokens):
        first, last = group[0], group[-1]
        sign = not script and previous is not None and is_binary(tokens, place)
        if previous is not None:
            gap = first.x0 - right_end(previous)
            size = max(previous.size, first.size) if not script else first.size
            wide = gap > WORD_GAP * size or (first.spaced and gap > 0.02 * size)
            word = after_command and token[:1].isalpha()
            if wide or word or sign or after_sign:
                out += " "
        after_sign = sign
        sub = render(last.sub, script=True) if last.sub else ""
        sup = render(last.sup, script=True) if last.sup else ""
        out += token
        after_command = not (sub or sup) and WORD_END.search(token)
        if sub:
            out += f"_{{{close(sub)}}}"
        if sup:
            if re.fullmatch(r"['’]+", sup):
                out += sup.replace("’", "'")
            elif re.match(r"['’]+", sup):
                marks = re.match(r"['’]+", sup).group()
                out += f"{marks}^{{{close(sup[len(marks) :])}}}"
            else:
                out += f"^{{{close(sup)}}}"
        previous = last
    return out


def is_binary(tokens: list[tuple[str, list[Item]]], place: int) -> bool:
    """Return whether a token is a sign between two operands, to be set off by spaces.

    Tight lines and text style close the spaces up, so that they say nothing; only a minus with a
    space before and none after is taken for what it looks like.
    """
    item = tokens[place][1][0]
    if item.kind != "glyph" or place + 1 >= len(tokens):
        return False
    if item.text in RELATIONS:
        return True
    if item.text not in "+−±∓":
        return False
    before, after = tokens[place - 1][1][-1], tokens[place + 1][1][0]
    if before.text and (
        before.text in OPENERS or before.text in RELATIONS or before.text in "+−±∓×·⋅÷,;:/|"
    ):
        return False
    ahead = item.x0 - right_end(before)
    behind = after.x0 - item.x1
    return not (ahead > WORD_GAP * item.size and behind < 0.4 * ahead)


def words(items: list[Item]) -> list[tuple[str, list[Item]]]:
    """Return the tokens of a line: function names as commands, all else item by item."""
    tokens: list[tuple[str, list[Item]]] = []
    position = 0
    while position < len(items):
        item = items[position]
        if item.kind == "glyph" and item.text.isalpha() and not item.latex:
            end = position
            name = ""
            while end < len(items) and end - position < 7:
                part = items[end]
                if (
                    part.kind != "glyph"
                    or part.latex
                    or not part.text.isascii()
                    or not part.text.isalpha()
                ):
                    break
                if ("i" in part.style) != ("i" in item.style):
                    break
                if "m" in part.style and "i" in part.style:
                    break
                if end > position and part.x0 - items[end - 1].x1 > WORD_GAP * part.size:
                    break
                name += part.text
                end += 1
                if part.sup or part.sub:
                    break
            whole = end - position
            before = items[position - 1] if position else None
            starts = (
                before is None
                or not (before.text[-1:].isalpha() and item.x0 - before.x1 < 0.05 * item.size)
                or is_math(before)
            )
            if name in FUNCTIONS and starts and takes_argument(items, position, end):
                tokens.append(("\\" + name, items[position:end]))
                position = end
                continue
            if whole > 1:
                for index in range(position, end):
                    tokens.append((glyph_latex(items[index]), [items[index]]))
                position = end
                continue
        tokens.append((glyph_latex(item), [item]))
        position += 1
    return tokens


def takes_argument(items: list[Item], start: int, end: int) -> bool:
    """Return whether a function's name is followed by something to apply it to."""
    if items[end - 1].sub or items[end - 1].sup:
        return True
    if end >= len(items):
        return start > 0 and is_math(items[start - 1])
    after = items[end]
    if after.x0 - items[end - 1].x1 > 0.6 * after.size:
        return False
    if is_math(after) or after.text in "({|√[⌊":
        return True
    if not (len(after.text) == 1 and after.text.isalpha() and "i" in after.style):
        return False
    # Office programs print names that they do not know in italics.
    beyond = items[end + 1] if end + 1 < len(items) else None
    single = beyond is None or not beyond.text.isalpha() or beyond.x0 - after.x1 > 0.6 * after.size
    return "i" not in items[start].style or (end - start >= 3 and single)


def close(script: str) -> str:
    """Return a script's text without spaces around operators."""
    return re.sub(r"\s*([-+=<>,/|:]|\\(?:leq|geq|neq|to|in|cdot|times|pm)\b)\s*(?=[^A-Za-z\s]|$)",
                  r"\1", re.sub(r"\s*([-+=<>,/|:])\s*", r"\1", script)).strip()  # fmt: skip


def spread(text: str) -> str:
    """Return an expression with spaces around its binary operators, as in display style.

    Text style and script style drop them, so that the same fraction would otherwise be written
    in two ways.
    """
    out = ""
    depth = 0
    position = 0
    while position < len(text):
        char = text[position]
        if char in "^_" and text[position + 1 : position + 2] == "{":
            end = matching(text, position + 1)
            out += text[position : end + 1]
            position = end + 1
            continue
        if char in "+-=<>":
            before = out.rstrip()
            binary = (bool(before) and before[-1] not in "([{,+-=<>|&") or (
                before.endswith(("|",)) and char in "+-="
            )
            if WORD_END.search(before) and before.rsplit("\\", 1)[1] in BINARY_WORDS:
                binary = False
            if binary:
                out = before + f" {char} "
                position += 1
                while position < len(text) and text[position] == " ":
                    position += 1
                continue
        out += char
        depth += (char == "{") - (char == "}")
        position += 1
    return out.strip()


BINARY_WORDS = {"leq", "geq", "neq", "times", "cdot", "pm", "mp", "div", "to", "in", "equiv", "log"}


def matching(text: str, start: int) -> int:
    """Return the index of the brace that closes the one at `start`."""
    depth = 0
    for index in range(start, len(text)):
        if text[index] == "{" and text[index - 1] != "\\":
            depth += 1
        elif text[index] == "}" and text[index - 1] != "\\":
            depth -= 1
            if depth == 0:
                return index
    return len(text) - 1


def usual_size(items: Iterable[Item | Glyph]) -> float:
    """Return the font size that most characters have, in steps of a tenth of a point."""
    counts: Counter[float] = Counter()
    for size, count in Counter(map(SIZE, items)).items():  # few sizes, many items
        counts[round(size, 1)] += count
    return counts.most_common(1)[0][0] if counts else 10.0
