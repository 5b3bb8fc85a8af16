"""Items of a page (glyphs and finished pieces of mathematics), lines of them, and regions.

    region = Region(items, rules)
    over = region.between(top, bottom)  # items by height
    region.replace(parts, Item.of(parts, bounds(parts), latex="...", ...))

An item is told from another by identity, never by what it holds, so that items can be kept in
sets. All places are points from the page's top-left corner; y grows downwards.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import NamedTuple, Self

from distil.exams.text.page import Box, Glyph, Rule

by_size = attrgetter("size")
by_left_end = attrgetter("x0")
by_place = attrgetter("x0", "order")


class Bounds(NamedTuple):
    """The box around several items, points."""

    x0: float
    x1: float
    top: float
    bottom: float

    @property
    def middle(self) -> float:
        """Horizontal centre."""
        return (self.x0 + self.x1) / 2


class Item:
    """A glyph or a finished piece of mathematics.

    Attributes:
        x0, x1, top, bottom: its box, points.
        base: baseline; for a piece on the axis an estimate.
        size: font size; of a fraction, that of its numerator.
        latex: finished text, or "" for a plain glyph.
        text: the glyph's character(s).
        axis: height of the bar or centre, for pieces that sit on the axis, else None.
        kind: "glyph", "fraction", "radical", "operator", "function", "delimiter", "block", "boxed"
            or "accent".
        order: place in the file.
        style: as of a glyph.
        spaced: whether the file holds a space just before it.
        sup, sub: items raised and lowered at its right.
        reach: right end, scripts included.
    """

    __slots__ = (
        "axis", "base", "bottom", "kind", "latex", "order", "reach", "size", "spaced", "style",
        "sub", "sup", "text", "top", "x0", "x1",
    )  # fmt: skip

    def __init__(
        self,
        x0: float,
        x1: float,
        top: float,
        bottom: float,
        base: float,
        size: float,
        *,
        text: str = "",
        latex: str = "",
        kind: str = "glyph",
        order: int = 0,
        style: str = "",
        spaced: bool = False,
        axis: float | None = None,
    ) -> None:
        self.x0, self.x1, self.top, self.bottom = x0, x1, top, bottom
        self.base, self.size, self.text, self.latex = base, size, text, latex
        self.kind, self.order, self.style, self.spaced = kind, order, style, spaced
        self.axis = axis
        self.sup: list[Item] = []
        self.sub: list[Item] = []
        self.reach = x1

    @classmethod
    def of(
        cls,
        parts: Sequence[Item],
        box: Bounds,
        *,
        base: float,
        size: float,
        latex: str,
        kind: str,
        spaced: bool,
        order: int | None = None,
        axis: float | None = None,
    ) -> Self:
        """Return the piece of mathematics that parts make; its order is that of the first."""
        if order is None:
            order = min(part.order for part in parts)
        return cls(
            *box, base, size, latex=latex, kind=kind, order=order, spaced=spaced, axis=axis
        )  # fmt: skip

    def __repr__(self) -> str:
        place = f"x{self.x0:.1f}-{self.x1:.1f} b{self.base:.1f} s{self.size:.1f}"
        return f"<{self.kind} {self.text or self.latex!r} {place}>"

    @property
    def middle(self) -> float:
        """Horizontal centre."""
        return (self.x0 + self.x1) / 2

    @property
    def centre(self) -> float:
        """Vertical centre."""
        return (self.top + self.bottom) / 2

    def take_in(self, parts: Iterable[Item]) -> None:
        """Widen the box to hold parts as well."""
        box = bounds([self, *parts])
        self.x0, self.x1, self.top, self.bottom = box
        self.reach = self.x1


class Line:
    """A line of text: items on one baseline, left to right, scripts attached.

    Attributes:
        items: never empty.
        base: baseline, points.
        size: font size, points.
    """

    __slots__ = ("base", "items", "size")

    def __init__(self, items: list[Item], base: float, size: float) -> None:
        self.items, self.base, self.size = items, base, size

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


def bounds(items: Sequence[Item]) -> Bounds:
    """Return the box around items, scripts left out; there must be an item."""
    return Bounds(
        min(item.x0 for item in items),
        max(item.x1 for item in items),
        min(item.top for item in items),
        max(item.bottom for item in items),
    )


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


def style_size(item: Item) -> float:
    """Return the font size of the text that an item stands in, as far as it can tell.

    In text style the parts of a fraction are smaller by .7; in display style they are not, and the
    estimate is too big.
    """
    return item.size / 0.7 if item.kind == "fraction" else item.size


def usual_size(items: Iterable[Item | Glyph]) -> float:
    """Return the font size that most characters have, in steps of a tenth of a point."""
    counts: Counter[float] = Counter()
    for size, count in Counter(map(by_size, items)).items():  # few sizes, many items
        counts[round(size, 1)] += count
    return counts.most_common(1)[0][0] if counts else 10.0


class HeightIndex:
    """Items by height, in steps of a line of text, for quick look-ups.

    An item is found where it stood when it was added.
    """

    STEP = 12.0

    def __init__(self, items: Iterable[Item] = ()) -> None:
        self.rows: dict[int, list[Item]] = defaultdict(list)
        self.starts: dict[int, list[Item]] = defaultdict(list)
        self.add(items)

    def add(self, items: Iterable[Item]) -> None:
        """Add items where they stand now."""
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
        steps: list[Sequence[Item]] = [self.rows.get(first, ())]
        steps += [self.starts.get(row, ()) for row in range(first + 1, last + 1)]
        return [item for row in steps for item in row if item.bottom >= top and item.top <= bottom]


class Region:
    """A part of a page that is read by itself: its items, found by height, rules and frames.

    Attributes:
        column: 0 for the first or only column of its band, 1 for the second.
        rules: horizontal rules.
        verticals: vertical rules.
        frames: rectangles drawn on it.
    """

    def __init__(
        self,
        items: Iterable[Item] = (),
        rules: Iterable[Rule] = (),
        verticals: Iterable[Rule] = (),
        frames: Iterable[Box] = (),
        *,
        column: int = 0,
    ) -> None:
        self.column = column
        self.rules, self.verticals, self.frames = list(rules), list(verticals), list(frames)
        self._items = dict.fromkeys(items)
        self._index: HeightIndex | None = None  # made at the first look-up

    @property
    def items(self) -> list[Item]:
        """What stands in the region, in the order in which it was added."""
        return list(self._items)

    def add(self, item: Item) -> None:
        """Put an item into the region."""
        self._items[item] = None
        if self._index is not None:
            self._index.add([item])

    def remove(self, items: Iterable[Item]) -> None:
        """Take items out of the region; those that have gone before do not matter."""
        for item in items:
            self._items.pop(item, None)

    def replace(self, parts: Iterable[Item], whole: Item) -> None:
        """Put one piece in the place of its parts."""
        self.remove(parts)
        self.add(whole)

    def between(self, top: float, bottom: float) -> list[Item]:
        """Return the items whose ink touches the band from top to bottom."""
        if self._index is None:
            self._index = HeightIndex(self._items)
        items = self._items
        return [item for item in self._index.between(top, bottom) if item in items]
