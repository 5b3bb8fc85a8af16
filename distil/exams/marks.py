"""Marks of ink on a scanned page: lines, raised and lowered marks, bars, root signs, and what they say.

A mark is a connected component. Its character is read by comparing its shape with letters drawn
from the fonts that come with matplotlib (STIX, which is Times-like, and Computer Modern), and with
letters of the page itself that the text recogniser was sure of.
"""  # noqa: E501

from __future__ import annotations

import functools
from dataclasses import dataclass, field

import cv2
import numpy as np

SIDE = 20
FONTS = (
    "STIXGeneral.ttf",
    "STIXGeneralItalic.ttf",
    "STIXGeneralBol.ttf",
    "cmr10.ttf",
    "DejaVuSans.ttf",
)
CHARACTERS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+−=()[]{}|/<>≤≥±×÷.,:;!%πθαβ∞°∠Δ∑√"  # noqa: E501
ITALIC_ONLY_LETTERS = True
# Heights of characters in units of the em, for reading a font size off a mark.
TALL = 0.67
LOW = 0.46
X_HIGH = set("acemnorsuvwxzαπ")
DESCENDING = set("gpqyj")
CONFUSED = {"o": "0", "O": "0", "l": "1", "I": "1", "|": "1", "s": "5", "S": "5", "z": "2", "Z": "2", "B": "8", "b": "6", "q": "9", "g": "9"}  # fmt: skip  # noqa: E501


@dataclass(slots=True)
class Mark:
    """A connected piece of ink, pixels.

    Attributes:
        x, y, w, h: its box.
        area: ink pixels.
        labels: numbers of the components it is made of.
        text: the character it is, once read.
        score: how alike, 0 to 1.
        line: index of its line, -1 if none.
    """

    x: int
    y: int
    w: int
    h: int
    area: int
    labels: list[int] = field(default_factory=list)
    text: str = ""
    score: float = 0.0
    line: int = -1

    @property
    def right(self) -> int:
        """Right end."""
        return self.x + self.w

    @property
    def bottom(self) -> int:
        """Lower end."""
        return self.y + self.h

    @property
    def cx(self) -> float:
        """Horizontal centre."""
        return self.x + self.w / 2

    @property
    def cy(self) -> float:
        """Vertical centre."""
        return self.y + self.h / 2


@dataclass(slots=True)
class Row:
    """A line of print: baseline and height of its capitals, pixels."""

    base: float
    tall: float


def find_marks(ink: np.ndarray) -> tuple[list[Mark], np.ndarray]:
    """Return the marks of a page and the image of their numbers.

    Args:
        ink: uint8, shape (height, width), 255 where ink is.

    Returns:
        Marks without specks, and labels of shape (height, width).
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    marks = [
        Mark(int(x), int(y), int(w), int(h), int(area), [number])
        for number, (x, y, w, h, area) in enumerate(stats[:count])
        if number and area >= 9 and w >= 2 and h >= 2
    ]
    return marks, labels


def find_rows(marks: list[Mark]) -> list[Row]:
    """Return the lines of print, by where letters stand.

    Args:
        marks: of a page that is not skewed.

    Returns:
        Rows from top to bottom.
    """
    letters = [mark for mark in marks if 10 <= mark.h <= 90 and 4 <= mark.w <= 90]
    if len(letters) < 5:
        return []
    middle = float(np.median([mark.h for mark in letters]))
    usual = [mark for mark in letters if 0.6 * middle <= mark.h <= 2.2 * middle]
    bottoms = np.array([mark.bottom for mark in usual], dtype=float)
    votes: list[tuple[int, float]] = []
    remaining = np.ones(len(bottoms), dtype=bool)
    window = max(2.0, 0.17 * middle)
    order = np.sort(bottoms)
    counts = np.searchsorted(order, order + window, "right") - np.searchsorted(
        order, order - window, "left"
    )
    for place in np.argsort(-counts, kind="stable"):
        base = order[place]
        near = np.abs(bottoms - base) <= window
        if not (near & remaining).any() or any(abs(base - b) < 1.7 * middle for _, b in votes):
            continue
        centre = float(np.median(bottoms[near]))
        votes.append((int(near.sum()), centre))
        remaining &= ~near
    rows = []
    for count, base in sorted(votes, key=lambda vote: vote[1]):
        stand = [mark.h for mark in usual if abs(mark.bottom - base) <= window]
        if count < 2 or not stand:
            continue
        tall = float(np.percentile(stand, 80))
        rows.append(Row(base, tall))
    if rows:
        # A line of few marks takes the page's height of capitals.
        page = float(np.median([row.tall for row in rows]))
        for row in rows:
            if not 1.3 * page < row.tall < 1.8 * page:
                row.tall = page
    return rows


def assign_rows(marks: list[Mark], rows: list[Row]) -> None:
    """Give each mark the line that it stands in, raised or lowered ones included."""
    for mark in marks:
        best, cost = -1, 1e9
        for index, row in enumerate(rows):
            top, low = row.base - 1.25 * row.tall, row.base + 0.45 * row.tall
            if mark.cy < top - 0.7 * row.tall or mark.cy > low:
                continue
            off = abs(mark.cy - (row.base - 0.45 * row.tall)) / row.tall
            if off < cost:
                best, cost = index, off
        mark.line = best


def is_bar(mark: Mark, tall: float) -> bool:
    """Return whether a mark is a thin horizontal line."""
    return mark.w >= 0.3 * tall and mark.h <= max(5, 0.17 * tall) and mark.w >= 3.2 * mark.h


@functools.cache
def templates() -> tuple[np.ndarray, tuple[str, ...], np.ndarray]:
    """Return shapes of characters: (n, SIDE * SIDE) unit vectors, their text, log aspect ratios."""
    from pathlib import Path

    from matplotlib import get_data_path
    from PIL import Image, ImageDraw, ImageFont

    folder = Path(get_data_path()) / "fonts" / "ttf"
    vectors, names, aspects = [], [], []
    for font_name in FONTS:
        font = ImageFont.truetype(str(folder / font_name), 64)
        for char in CHARACTERS:
            drawn = "-" if char == "−" and font_name == "cmr10.ttf" else char
            if font_name == "cmr10.ttf" and not (char.isascii() and char not in "<>{}|"):
                continue
            picture = Image.new("L", (160, 160))
            ImageDraw.Draw(picture).text((40, 30), drawn, fill=255, font=font)
            image = np.asarray(picture)
            ys, xs = np.nonzero(image > 127)
            if len(ys) < 10:
                continue
            shape = image[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
            vectors.append(vector_of(shape))
            names.append(char)
            aspects.append(np.log(shape.shape[1] / shape.shape[0]))
    return np.stack(vectors), tuple(names), np.array(aspects, dtype=np.float32)


def vector_of(shape: np.ndarray) -> np.ndarray:
    """Return an image of one character as a unit vector, centred in a square."""
    height, width = shape.shape
    side = max(height, width)
    scale = (SIDE - 2) / side
    small = cv2.resize(
        shape, (max(1, round(width * scale)), max(1, round(height * scale))),
        interpolation=cv2.INTER_AREA,
    )  # fmt: skip
    square = np.zeros((SIDE, SIDE), dtype=np.float32)
    top, left = (SIDE - small.shape[0]) // 2, (SIDE - small.shape[1]) // 2
    square[top : top + small.shape[0], left : left + small.shape[1]] = small
    square = cv2.GaussianBlur(square, (3, 3), 0)
    flat = square.ravel()
    return flat / (np.linalg.norm(flat) or 1.0)


def shape_of(mark: Mark, labels: np.ndarray) -> np.ndarray:
    """Return a mark's own ink in its box, without what else reaches into it."""
    part = labels[mark.y : mark.bottom, mark.x : mark.right]
    return (np.isin(part, mark.labels) * 255).astype(np.uint8)


class Reader:
    """Reads marks by shape.

    Args:
        labels: of the page, from `find_marks`.
    """

    def __init__(self, labels: np.ndarray) -> None:
        self.labels = labels
        self.vectors, names, self.aspects = templates()
        self.names = list(names)

    def learn(self, marks: list[Mark], texts: list[str]) -> None:
        """Add marks of the page whose characters are known."""
        if not marks:
            return
        vectors = np.stack([vector_of(shape_of(mark, self.labels)) for mark in marks])
        aspects = np.array([np.log(mark.w / mark.h) for mark in marks], dtype=np.float32)
        self.vectors = np.concatenate([self.vectors, vectors])
        self.aspects = np.concatenate([self.aspects, aspects])
        self.names += texts

    def read(self, mark: Mark, digits: bool = True) -> None:
        """Set a mark's text and score.

        Args:
            mark: to be read.
            digits: whether to take a digit rather than a letter like it.
        """
        ranked = self.rank(mark)
        text, score = ranked[0]
        if digits and text in CONFUSED:
            twin = CONFUSED[text]
            other = next((s for t, s in ranked if t == twin), 0.0)
            if other > score - 0.06:
                text, score = twin, max(other, score - 0.02)
        mark.text, mark.score = text, score

    def rank(self, mark: Mark) -> list[tuple[str, float]]:
        """Return characters with their likeness, best first, each once."""
        vector = vector_of(shape_of(mark, self.labels))
        aspect = np.log(mark.w / mark.h)
        scores = self.vectors @ vector - 0.15 * np.abs(self.aspects - aspect)
        found: dict[str, float] = {}
        for place in np.argsort(-scores)[:40]:
            found.setdefault(self.names[place], float(scores[place]))
        return list(found.items())


def joined(parts: list[Mark]) -> Mark:
    """Return several marks as one."""
    x, y = min(part.x for part in parts), min(part.y for part in parts)
    right, bottom = max(part.right for part in parts), max(part.bottom for part in parts)
    return Mark(
        x, y, right - x, bottom - y, sum(part.area for part in parts),
        [label for part in parts for label in part.labels], line=parts[0].line,
    )  # fmt: skip
