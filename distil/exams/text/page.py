"""A page as data: glyphs, rules and boxes, in points from its top left corner.

`glyphs.read_page` fills a `Page` from a PDF, `scans.pages` from a picture.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Glyph:
    """One character as printed.

    Attributes:
        text: what it says, Unicode, never empty.
        x0, x1: left end and right end of advance and ink together, points.
        top, bottom: extent of its ink, y grows downwards, points.
        base: y of its baseline, points.
        size: font size as printed, points.
        order: position in the content stream.
        style: subset of "bimxtudr": bold, italic, mathematics font, extension (OMX) font,
            typewriter, unmapped, doubtful, recognised as drawn.
        spaced: whether the file holds a space character just before it.
    """

    text: str
    x0: float
    x1: float
    top: float
    bottom: float
    base: float
    size: float
    order: int
    style: str = ""
    spaced: bool = False


@dataclass(slots=True)
class Rule:
    """A straight horizontal (or vertical) line; `y` (or `x0`) is the middle of its thickness.

    `bar` says that it is known to be a fraction's.
    """

    x0: float
    x1: float
    top: float
    bottom: float
    bar: bool = False

    @property
    def y(self) -> float:
        """Middle height, points."""
        return (self.top + self.bottom) / 2

    @property
    def width(self) -> float:
        """Length, points."""
        return self.x1 - self.x0


Box = tuple[float, float, float, float]
# Two rows (a, b, c) for a * x + b * y + c.
Matrix = Sequence[Sequence[float]]


def around(first: Box, *others: Box) -> Box:
    """Return the box around boxes."""
    if not others:
        return first
    x0s, tops, x1s, bottoms = zip(first, *others, strict=True)
    return min(x0s), min(tops), max(x1s), max(bottoms)


@dataclass(slots=True)
class Page:
    """What one page shows.

    Attributes:
        number: 1-based.
        width, height: points, as displayed.
        glyphs: in the order of the content stream.
        rules: horizontal rules.
        verticals: vertical rules.
        frames: rectangles drawn around something.
        drawings: boxes of curves and slanted lines.
        images: boxes of bitmaps.
        hidden: number of glyphs in invisible text (an OCR layer under a scan).
        unread: places of ink that recognition could not account for; of scans only.
        silent: boxes of text that has no character.
        blanks: lines to write on, x0, top, x1, bottom; of scans only.
        lying: how many characters would stand upright if the page were turned clockwise by 90, 180
            or 270 degrees.
        turn: degrees by which it was turned clockwise to be read.
        back: from its points to those of the page as displayed; None: the same.
    """

    number: int
    width: float
    height: float
    glyphs: list[Glyph] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    verticals: list[Rule] = field(default_factory=list)
    frames: list[Box] = field(default_factory=list)
    drawings: list[Box] = field(default_factory=list)
    images: list[Box] = field(default_factory=list)
    hidden: int = 0
    unread: list[tuple[float, float]] = field(default_factory=list)
    silent: list[Box] = field(default_factory=list)
    blanks: list[Box] = field(default_factory=list)
    lying: Counter[int] = field(default_factory=Counter)
    turn: int = 0
    back: Matrix | None = None
