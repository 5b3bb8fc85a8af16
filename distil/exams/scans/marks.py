"""Marks of ink on a scanned page: what they say by their shape, and the rows they stand in.

A mark is a connected component, or several that make one character (i, =, ≤, %). A row is a
stretch of print on one baseline; rows are built from marks that stand beside each other, so that
columns, cells of a table and the parts of a fraction have rows of their own.
"""

from __future__ import annotations

import bisect
import itertools
from dataclasses import dataclass, field

import cv2
import numpy as np

from distil.exams.scans.shapes import ALIKE, CLASS_OF, CLASSES, JUNK, classify

# Heights of characters in units of the em.
TALL = 0.67
LOW = 0.46
DEEP = 0.21
# No character is as large, pixels.
LARGEST = 600
X_HIGH = set("acemnorsuvwxzαπεσω")
DESCENDING = set("gpqyμρφψβ")
ASCENDING = set("bdhklδθλABDEFGHIKLMNPRTYCSVWXZUOΓΔΩΣΠ0123456789")
# Characters with the height of capitals or of small letters: the size tells which.
EITHER = {group[0] for group in ALIKE[:8]}
TWO_PIECES = set("ij:;=≤≥±÷!?%≠≡Θ")
ONE_PIECE = set("023456789abcdefghkmnopqrstuvwxyzABCDEFGHKLMNOPRSTUVWXYZπθαβ+&")
BRACKETS = set("()[]{}|")
PLACE = {name: place for place, name in enumerate(CLASSES)}


@dataclass(slots=True, eq=False)
class Mark:
    """A piece of ink, pixels.

    Attributes:
        x, y, w, h: its box.
        area: ink pixels.
        labels: numbers of the components it is made of.
        likely: probabilities of CLASSES by its shape, once read.
        row: the row that it stands in, None if none.
        level: "" on the baseline, "sup" raised, "sub" lowered.
        root: of a root sign, where its line starts.
    """

    x: int
    y: int
    w: int
    h: int
    area: int
    labels: list[int] = field(default_factory=list)
    likely: np.ndarray | None = None
    row: Row | None = None
    level: str = ""
    root: int = 0

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

    @property
    def best(self) -> str:
        """The class that its shape is most like."""
        return CLASSES[int(self.likely.argmax())]

    @property
    def score(self) -> float:
        """How likely that class is, 0 to 1."""
        return float(self.likely.max())

    def chance(self, text: str) -> float:
        """Return how likely a character is, by the shape alone; 0 for one that no class has."""
        name = CLASS_OF.get(text)
        return float(self.likely[PLACE[name]]) if name is not None else 0.0


@dataclass(slots=True, eq=False)
class Row:
    """A stretch of print: baseline, height of its capitals and ends, pixels.

    `count` is the number of letters that it was found by; `sure` is whether their shapes tell its
    size, as those that differ in size alone (c, o, s, x ...) do not.
    """

    base: float
    tall: float
    x0: float
    x1: float
    count: int = 0
    sure: bool = True

    @property
    def em(self) -> float:
        """Font size."""
        return self.tall / TALL


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


def cut_lines(marks: list[Mark], labels: np.ndarray) -> tuple[list[Mark], np.ndarray]:
    """Return marks with letters cut from a long line that they stand on, and the new labels.

    Args:
        marks: of the page.
        labels: from `find_marks`; changed in place.
    """
    unit = usual_height(marks)
    if not unit:
        return marks, labels
    out: list[Mark] = []
    last = int(labels.max())
    for mark in marks:
        if mark.w < 4 * unit or not 0.5 * unit < mark.h < 6 * unit:
            out.append(mark)
            continue
        own = shape_of(mark, labels)
        long = cv2.morphologyEx(own, cv2.MORPH_OPEN, np.ones((1, int(2.5 * unit)), np.uint8))
        ys, _ = np.nonzero(long)
        # A line at the top is a root's, and lines everywhere are a drawing.
        covered = (long > 0).any(axis=0).mean()
        if (
            not len(ys)
            or covered < 0.75
            or ys.max() - ys.min() > 0.35 * unit
            or ys.min() < 0.45 * mark.h
        ):
            out.append(mark)
            continue
        long = cv2.dilate(long, np.ones((3, 1), np.uint8)) & own
        count, parts, stats, _ = cv2.connectedComponentsWithStats(own & ~long, connectivity=8)
        region = labels[mark.y : mark.bottom, mark.x : mark.right]
        for number in range(1, count):
            x, y, w, h, area = (int(value) for value in stats[number])
            if area < 9 or h < 0.2 * unit:
                continue
            last += 1
            region[parts == number] = last
            out.append(Mark(mark.x + x, mark.y + y, w, h, area, [last]))
        ys, xs = np.nonzero(long)
        out.append(
            Mark(
                mark.x + int(xs.min()), mark.y + int(ys.min()), int(xs.max() - xs.min()) + 1,
                int(ys.max() - ys.min()) + 1, len(ys), mark.labels,
            )
        )  # fmt: skip
    return out, labels


def shape_of(mark: Mark, labels: np.ndarray) -> np.ndarray:
    """Return a mark's own ink in its box, without what else reaches into it."""
    part = labels[mark.y : mark.bottom, mark.x : mark.right]
    own = part == mark.labels[0]
    for label in mark.labels[1:]:
        own |= part == label
    return own.astype(np.uint8) * 255


def read_shapes(marks: list[Mark], labels: np.ndarray) -> None:
    """Set what marks say by their shape, of those that are not read yet; drawings say nothing."""
    waiting = []
    for mark in marks:
        if mark.likely is None and max(mark.w, mark.h) > LARGEST:
            mark.likely = np.zeros(len(CLASSES), dtype=np.float32)
            mark.likely[PLACE[JUNK]] = 1.0
        elif mark.likely is None:
            waiting.append(mark)
    for start in range(0, len(waiting), 1024):
        part = waiting[start : start + 1024]
        for mark, likely in zip(
            part, classify([shape_of(mark, labels) for mark in part]), strict=True
        ):
            mark.likely = likely


def joined(parts: list[Mark]) -> Mark:
    """Return several marks as one."""
    x, y = min(part.x for part in parts), min(part.y for part in parts)
    right, bottom = max(part.right for part in parts), max(part.bottom for part in parts)
    return Mark(
        x, y, right - x, bottom - y, sum(part.area for part in parts),
        [label for part in parts for label in part.labels],
    )  # fmt: skip


def usual_height(marks: list[Mark]) -> float:
    """Return the height that most letters have, small ones mostly; 0 if there are none."""
    heights = [mark.h for mark in marks if 8 <= mark.h <= 110 and 3 <= mark.w <= 110]
    return float(np.median(heights)) if len(heights) >= 5 else 0.0


class Neighbours:
    """Finds marks by place."""

    CELL = 64

    def __init__(self, marks: list[Mark]) -> None:
        self.cells: dict[tuple[int, int], list[Mark]] = {}
        for mark in marks:
            self.add(mark)

    def add(self, mark: Mark) -> None:
        """Put a mark in."""
        for column in range(mark.x // self.CELL, mark.right // self.CELL + 1):
            for line in range(mark.y // self.CELL, mark.bottom // self.CELL + 1):
                self.cells.setdefault((column, line), []).append(mark)

    def within(self, x0: float, y0: float, x1: float, y1: float) -> list[Mark]:
        """Return the marks whose box touches a box, in no order, each once."""
        found: dict[Mark, None] = {}
        for column in range(int(x0) // self.CELL, int(x1) // self.CELL + 1):
            for line in range(int(y0) // self.CELL, int(y1) // self.CELL + 1):
                for mark in self.cells.get((column, line), ()):
                    if mark.x <= x1 and x0 <= mark.right and mark.y <= y1 and y0 <= mark.bottom:
                        found[mark] = None
        return list(found)


def join_pieces(marks: list[Mark], labels: np.ndarray) -> list[Mark]:
    """Return marks with the pieces of i, j, =, :, ;, ≤, ≥, ±, ÷, !, ? and % put together.

    Pieces are joined where what they make is read as such a character.

    Args:
        marks: read by `read_shapes`.
        labels: of the page.
    """
    unit = usual_height(marks)
    if not unit:
        return marks
    near = Neighbours(marks)
    tries: list[tuple[list[Mark], Mark]] = []
    for mark in marks:
        if mark.h > 2.5 * unit or mark.w > 3 * unit:
            continue
        low, wide = mark.h <= 0.55 * unit, mark.w <= 2.2 * unit
        if low and wide and mark.w <= 0.6 * unit:
            # A dot, with what may stand right below it, or above.
            for other in near.within(
                mark.x - 0.9 * unit,
                mark.y - 0.4 * unit,
                mark.right + 0.5 * unit,
                mark.bottom + 0.9 * unit,
            ):
                if other is mark or other.w > 1.6 * unit or other.h > 2.2 * unit:
                    continue
                below = -2 <= other.y - mark.bottom < 0.8 * unit
                above = -2 <= mark.y - other.bottom < 0.9 * unit
                dotted = below and other.x - 0.35 * unit < mark.cx < other.right + 0.45 * unit
                stopped = above and other.x - 0.2 * unit < mark.cx < other.right + 0.2 * unit
                if dotted or stopped:
                    tries.append(([mark, other], joined([mark, other])))
        if is_bar(mark, 1.45 * unit) and mark.w < 2.4 * unit:
            around = [
                other
                for other in near.within(
                    mark.x, mark.y - 1.3 * unit, mark.right, mark.bottom + 1.3 * unit
                )
                if other is not mark
                and other.w < 1.35 * mark.w
                and min(mark.right, other.right) - max(mark.x, other.x) > 0.6 * other.w
            ]
            for other in around:
                gap = max(mark.y, other.y) - min(mark.bottom, other.bottom)
                if -2 <= gap < 0.55 * unit and other.w > 0.5 * mark.w:
                    tries.append(([mark, other], joined([mark, other])))
            dots = [other for other in around if other.w < 0.5 * unit and other.h < 0.5 * unit]
            above = [other for other in dots if other.bottom <= mark.y + 1]
            below = [other for other in dots if other.y >= mark.bottom - 1]
            if len(above) == 1 and len(below) == 1:
                tries.append(([mark, *above, *below], joined([mark, *above, *below])))
        if mark.chance("/") > 0.3 and 1.0 * unit < mark.h < 2.2 * unit:
            rings = [
                other
                for other in near.within(
                    mark.x - 0.9 * unit, mark.y, mark.right + 0.9 * unit, mark.bottom
                )
                if other is not mark and 0.3 * mark.h < other.h < 0.66 * mark.h
            ]
            upper = [o for o in rings if o.cx < mark.cx and o.cy < mark.cy]
            lower = [o for o in rings if o.cx > mark.cx and o.cy > mark.cy]
            if len(upper) == 1 and len(lower) == 1:
                tries.append(([mark, *upper, *lower], joined([mark, *upper, *lower])))
        if unclear(mark):
            # A character that the scan broke: its pieces all but touch, and together they are one.
            for other in near.within(mark.x - 3, mark.y - 4, mark.right + 3, mark.bottom + 4):
                width = max(mark.right, other.right) - min(mark.x, other.x)
                height = max(mark.bottom, other.bottom) - min(mark.y, other.y)
                if other is not mark and width < 2.2 * unit and height < 2.4 * unit:
                    tries.append(([mark, other], joined([mark, other])))
    read_shapes([whole for _, whole in tries], labels)
    chosen: list[Mark] = []
    gone: set[Mark] = set()

    def gain(attempt: tuple[list[Mark], Mark]) -> float:
        parts, whole = attempt
        return (whole.score if whole.best != JUNK else 0.0) + 0.1 * len(parts)

    for parts, whole in sorted(tries, key=gain, reverse=True):
        if any(part in gone for part in parts):
            continue
        pieces = whole.best in TWO_PIECES and whole.score > 0.55
        broken = whole.best in ONE_PIECE and whole.score > max(
            [0.85, *(part.score + 0.1 for part in parts if part.best != JUNK)]
        )
        if pieces or (
            broken and all(unclear(part) or part.area < 0.3 * whole.area for part in parts)
        ):
            gone.update(parts)
            chosen.append(whole)
    return [mark for mark in marks if mark not in gone] + chosen


def unclear(mark: Mark) -> bool:
    """Return whether a mark's shape says little."""
    return mark.best == JUNK or mark.score < 0.7


def is_bar(mark: Mark, tall: float) -> bool:
    """Return whether a mark is a thin horizontal line, but for a speck that touches it."""
    thin = mark.h <= max(5, 0.19 * tall)
    specked = mark.h <= 0.26 * tall and mark.w > 0.8 * tall and mark.area < 0.14 * tall * mark.w
    return (thin or specked) and mark.w >= 0.3 * tall and mark.w >= 2.7 * mark.h


def metrics(mark: Mark, text: str) -> tuple[float | None, float]:
    """Return the font size that a mark's height tells, if it does, and its baseline, pixels."""
    if text in EITHER:
        return None, mark.bottom
    if text in X_HIGH:
        return mark.h / LOW, mark.bottom
    if text in DESCENDING:
        size = mark.h / TALL
        return size, mark.bottom - DEEP * size
    if text in ASCENDING:
        return mark.h / TALL, mark.bottom
    return None, mark.bottom


def find_rows(marks: list[Mark]) -> list[Row]:
    """Return the stretches of print, by where letters stand beside each other.

    Args:
        marks: of a page that is not skewed, read.

    Returns:
        Rows from top to bottom.
    """
    unit = usual_height(marks)
    if not unit:
        return []
    letters = [
        mark for mark in marks
        if 0.55 * unit <= mark.h <= 4 * unit and 0.15 * unit < mark.w <= 6 * unit
        and mark.best not in BRACKETS and mark.best not in "√∫∑/\\'\""
    ]  # fmt: skip
    letters.sort(key=lambda mark: mark.x)
    near = Neighbours(letters)
    parent = {mark: mark for mark in letters}

    def root_of(mark: Mark) -> Mark:
        while parent[mark] is not mark:
            parent[mark] = parent[parent[mark]]
            mark = parent[mark]
        return mark

    for mark in letters:
        for other in near.within(
            mark.right - 0.3 * unit, mark.y, mark.right + 2.2 * unit, mark.bottom
        ):
            if other is mark or other.x <= mark.x:
                continue
            slack = 0.2 * unit if stands(mark) and stands(other) else 0.55 * unit
            overlap = min(mark.bottom, other.bottom) - max(mark.y, other.y)
            if abs(mark.bottom - other.bottom) <= slack and overlap > 0.5 * min(mark.h, other.h):
                parent[root_of(other)] = root_of(mark)
    groups: dict[Mark, list[Mark]] = {}
    for mark in letters:
        groups.setdefault(root_of(mark), []).append(mark)
    rows = [row for group in groups.values() if (row := row_from(group, unit)) is not None]
    rows = without_scripts(merge_rows(rows))
    tall = float(np.median([row.tall for row in rows for _ in range(row.count)])) if rows else 0.0
    for row in rows:
        # Rows that differ from the page by nothing but chance are of the page's size.
        few = row.count < 4 and 0.8 * tall < row.tall < 1.3 * tall
        if few or 0.88 * tall < row.tall < 1.13 * tall:
            row.tall = tall
    return sorted(rows, key=lambda row: (row.base, row.x0))


def stands(mark: Mark) -> bool:
    """Return whether a mark's lower end is sure to be the baseline."""
    return mark.best in ASCENDING or mark.best in X_HIGH or mark.best in EITHER


def row_from(group: list[Mark], unit: float) -> Row | None:
    """Return the row that letters beside each other stand in, or None if they tell of none."""
    bases, sizes = [], []
    told = [mark for mark in group if stands(mark) or mark.best in DESCENDING] or group
    for mark in told:
        size, base = metrics(mark, mark.best)
        bases.append(base)
        if size is not None and mark.score > 0.5:
            sizes.append(size)
    bases = np.array(bases)
    window = max(1.5, 0.12 * unit)
    counts = (np.abs(bases[:, None] - bases[None, :]) <= window).sum(axis=1)
    base = float(np.median(bases[np.abs(bases - bases[counts.argmax()]) <= window]))
    stand = [mark for mark, b in zip(told, bases, strict=True) if abs(b - base) <= 2 * window]
    if sizes:
        tall = TALL * float(np.median(sizes))
        # Most fonts have digits and capitals of one height; they tell more than small letters do.
        high = [mark.h for mark in stand if mark.best in ASCENDING and mark.score > 0.6]
        if len(high) >= 2:
            tall = float(np.median(high))
    else:
        tall = float(np.percentile([mark.h for mark in stand], 85))
        if len(stand) < 3 and tall < 1.2 * unit:
            tall = unit * TALL / LOW
    if len(group) == 1 and not sizes:
        return None
    return Row(
        base, tall, min(mark.x for mark in group), max(mark.right for mark in group), len(stand),
        bool(sizes),
    )  # fmt: skip


def without_scripts(rows: list[Row]) -> list[Row]:
    """Return rows without those that are raised or lowered letters of another."""
    kept = []
    for row in rows:
        hosted = any(
            row.tall < 0.8 * other.tall
            and row.count < 9
            and other.x0 < row.x0 < other.x1 + 0.7 * other.tall
            and (
                0.2 < (other.base - row.base) / other.tall < 1.15
                or 0.04 < (row.base - other.base) / other.tall < 0.45
            )
            for other in rows
        )
        if not hosted:
            kept.append(row)
    return kept


def merge_rows(rows: list[Row]) -> list[Row]:
    """Return rows with those joined that go on where another ends, on the same baseline."""
    merged: list[Row] = []
    for row in sorted(rows, key=lambda row: (not row.sure, -row.count)):
        host = min(
            (
                other
                for other in merged
                if abs(other.base - row.base) < 0.16 * max(other.tall, row.tall)
                and (
                    0.8 < row.tall / other.tall < 1.25
                    or (
                        (row.count < 2 or not row.sure)
                        and max(row.x0 - other.x1, other.x0 - row.x1) < 3 * other.tall
                    )
                )
                and max(row.x0 - other.x1, other.x0 - row.x1) < 14 * other.tall
            ),
            key=lambda other: max(row.x0 - other.x1, other.x0 - row.x1),
            default=None,
        )
        if host is None:
            merged.append(row)
        else:
            host.x0, host.x1 = min(host.x0, row.x0), max(host.x1, row.x1)
            host.count += row.count
    return merged


def seat_marks(marks: list[Mark], rows: list[Row]) -> None:
    """Give each mark the row that it stands in, raised or lowered ones included.

    Args:
        marks: of the page.
        rows: from top to bottom.
    """
    bases = [row.base for row in rows]
    most = 2 * max((row.tall for row in rows), default=0.0)
    for mark in marks:
        best, cost = None, 1e9
        start = bisect.bisect_left(bases, mark.cy - 0.5 * most)
        for row in rows[start : bisect.bisect_right(bases, mark.cy + most)]:
            top, low = row.base - 1.25 * row.tall, row.base + 0.45 * row.tall
            if mark.cy < top - 0.7 * row.tall or mark.cy > low:
                continue
            beside = max(row.x0 - mark.right, mark.x - row.x1, 0.0) / row.tall
            if beside > 8:
                continue
            off = abs(mark.cy - (row.base - 0.45 * row.tall)) / row.tall
            if off + 0.25 * beside < cost:
                best, cost = row, off + 0.25 * beside
        mark.row = best


def cut_apart(mark: Mark, breadths: list[float], labels: np.ndarray) -> list[np.ndarray]:
    """Return what the parts of a mark say in which several characters touch.

    Args:
        mark: several characters.
        breadths: how wide each is, in any unit.
        labels: of the page.

    Returns:
        Probabilities of CLASSES of each part, cut where the ink is thinnest.
    """
    own = shape_of(mark, labels)
    ink = (own > 0).sum(axis=0)
    edges = [0]
    for done in np.cumsum(breadths)[:-1] / sum(breadths):
        reach = 0.22 * mark.w / (len(breadths) - 1)
        low = max(edges[-1] + 2, int(done * mark.w - reach))
        high = max(low + 1, min(mark.w - 2, int(done * mark.w + reach) + 1))
        edges.append(low + int(ink[low:high].argmin()) if high <= len(ink) else low)
    edges.append(mark.w)
    shapes = []
    for left, right in itertools.pairwise(edges):
        part = own[:, left : max(right, left + 1)]
        ys, xs = np.nonzero(part)
        if len(ys):
            part = part[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
        shapes.append(part)
    return list(classify(shapes))


def sized(mark: Mark, row: Row, text: str, tall: float | None = None) -> str:
    """Return the character of a class that a mark's height and place in its row say.

    Args:
        mark: the mark.
        row: its row.
        text: the class.
        tall: height of capitals of the mark's own size, if it is not the row's.
    """
    tall = row.tall if tall is None else tall
    if text in EITHER and text != "o":
        return text.upper() if mark.h > 0.84 * tall else text
    if text == "o":
        if max(mark.w, mark.h) < 0.3 * tall:
            return "." if mark.cy > row.base - 0.25 * tall else "·"
        high = mark.bottom < row.base - 0.42 * row.tall and mark.h < 0.62 * row.tall
        if high and 0.75 < mark.w / mark.h < 1.33:
            return "°"
        return "O" if mark.h > 0.84 * tall else "o"
    if text == ",":
        return "’" if mark.cy < row.base - 0.5 * row.tall else ","
    if text == ".":
        return "·" if mark.cy < row.base - 0.25 * row.tall else "."
    if text == "−":
        return "−" if mark.w > 0.52 * tall else "-"
    return {"Σ": "∑", "Π": "∏"}.get(text, text)
