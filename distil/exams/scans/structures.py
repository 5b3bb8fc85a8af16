"""The parts of a scanned page that are no plain lines of text, found by the geometry of its ink.

Tesseract reads prose well and mathematics badly: it takes an exponent for a quotation mark and a
fraction for noise. So drawings, root signs, bars, tall brackets and raised or lowered marks are
found first, and only what is left in each row is shown to it.
"""

from __future__ import annotations

import numpy as np

from distil.exams.scans.marks import (
    ASCENDING,
    BRACKETS,
    DESCENDING,
    EITHER,
    LOW,
    PLACE,
    TALL,
    Mark,
    Neighbours,
    Row,
    is_bar,
    metrics,
    seat_marks,
    shape_of,
)
from distil.exams.scans.shapes import JUNK


class Sheet:
    """A scanned page sorted into rows of print, mathematics and drawings.

    Args:
        labels: numbers of the marks, shape (height, width).
        marks: read and with their pieces joined.
        rows: stretches of print; the marks are seated in them.

    Attributes:
        tall: height of the page's capitals, pixels.
        figures: boxes of drawings.
        frames: boxes of rectangles around text.
        roots: root signs.
        bars: bars of fractions.
        overlines: lines over letters.
        brackets: tall brackets.
        scripts: groups of raised or lowered marks.
    """

    def __init__(self, labels: np.ndarray, marks: list[Mark], rows: list[Row]) -> None:
        self.labels, self.marks, self.rows = labels, marks, rows
        self.tall = float(np.median([row.tall for row in rows for _ in range(max(1, row.count))]))
        self.used: set[Mark] = set()
        self.figures: list[tuple[int, int, int, int]] = []
        self.frames: list[tuple[int, int, int, int]] = []
        self.verticals: list[Mark] = []
        self.lines: list[Mark] = []
        self.roots: list[Mark] = []
        self.bars: list[Mark] = []
        self.overlines: list[Mark] = []
        self.brackets: list[Mark] = []
        self.scripts: list[list[Mark]] = []
        self.parts: set[Mark] = set()
        self.part_rows: set[Row] = set()
        self.find_drawings()
        self.find_roots()
        self.find_brackets()
        self.find_fractions()
        self.reseat()
        self.find_overlines()
        self.find_scripts()

    def free(self) -> list[Mark]:
        """Return the marks that nothing has taken yet."""
        return [mark for mark in self.marks if mark not in self.used]

    def take(self, marks: list[Mark]) -> None:
        """Mark marks as taken, so that they are not read as text."""
        self.used.update(marks)

    # ---------------------------------------------------------------------------------- drawings

    def find_drawings(self) -> None:
        """Take drawings with what stands in them, long rules and frames."""
        tall = self.tall
        for mark in self.marks:
            thin = min(mark.w, mark.h) <= max(8, 0.25 * tall)
            if thin and max(mark.w, mark.h) > 6 * tall and mark.area > 0.3 * mark.w * mark.h:
                if mark.w > mark.h:
                    self.lines.append(mark)
                else:
                    self.verticals.append(mark)
                    self.take([mark])
            elif mark.w > 3 * tall and mark.h > 3 * tall and mark.area < 0.4 * mark.w * mark.h:
                if mark.chance("√") > 0.6 or self.is_root(mark):
                    continue
                self.take([mark])
                inner = [
                    m for m in self.marks
                    if m is not mark and mark.x < m.cx < mark.right and mark.y < m.cy < mark.bottom
                ]  # fmt: skip
                text = [m for m in inner if m.row is not None and 0.5 * tall < m.h < 1.5 * tall]
                if len(text) >= 12 and is_frame(mark, self.labels):
                    self.frames.append((mark.x, mark.y, mark.right, mark.bottom))
                    continue
                if len(text) >= 60:
                    continue
                self.figures.append((mark.x, mark.y, mark.right, mark.bottom))
                self.take(inner)
        self.take_labels()
        self.lines.sort(key=lambda line: line.y)
        self.take([line for line in self.lines if not self.between(line)])

    def take_labels(self) -> None:
        """Take the letters and numbers that stand about a drawing."""
        reach = 1.5 * self.tall
        for box in self.figures:
            near = [
                mark for mark in self.free()
                if box[0] - reach < mark.cx < box[2] + reach
                and box[1] - reach < mark.cy < box[3] + reach
            ]  # fmt: skip
            rows: dict[Row | None, list[Mark]] = {}
            for mark in near:
                rows.setdefault(mark.row, []).append(mark)
            for row, members in rows.items():
                # What the row has elsewhere is text that the drawing stands beside.
                others = [
                    mark for mark in self.free()
                    if mark.row is row and all(mark is not member for member in members)
                ]  # fmt: skip
                clear = (
                    not others
                    or min(
                        max(mark.x - m.right, m.x - mark.right) for mark in members for m in others
                    )
                    > 1.2 * self.tall
                )
                if row is None or (len(members) <= 4 and clear):
                    self.take(members)

    def between(self, bar: Mark) -> bool:
        """Return whether a long rule could be a fraction's bar: ink close above and below it."""
        tall = self.tall
        near = [mark for mark in self.marks if bar.x <= mark.cx <= bar.right and mark is not bar]
        above = any(0 <= bar.y - mark.bottom < 0.6 * tall for mark in near)
        below = any(0 <= mark.y - bar.bottom < 0.6 * tall for mark in near)
        return above and below

    # -------------------------------------------------------------------------------------- roots

    def find_roots(self) -> None:
        """Take root signs: a hook with a long line at its top."""
        for mark in self.free():
            tall = mark.row.tall if mark.row is not None else self.tall
            if mark.w < 0.7 * tall or mark.h < 0.8 * tall or mark.h > 8 * tall:
                continue
            if mark.area > 0.4 * mark.w * mark.h:
                continue
            known = mark.best == "√" and mark.score > 0.7
            if known or (mark.w > 1.1 * tall and self.is_root(mark)):
                head = self.head_of(mark)
                mark.root = mark.w - longest_run(head)
                self.roots.append(mark)
                self.take([mark])

    def head_of(self, mark: Mark) -> np.ndarray:
        """Return which columns of a mark have ink at its top."""
        own = shape_of(mark, self.labels) > 0
        return own[: max(3, int(0.16 * mark.h))].any(axis=0)

    def is_root(self, mark: Mark) -> bool:
        """Return whether a mark has the build of a root sign with its line."""
        own = shape_of(mark, self.labels) > 0
        head = own[: max(3, int(0.16 * mark.h))].any(axis=0)
        stretch = longest_run(head)
        start = mark.w - stretch
        if stretch < 0.4 * mark.w or not head[-max(2, mark.w // 12) :].any():
            return False
        if mark.best in "FTEIPΓr75" and mark.score > 0.7:
            return False
        # Under the line there is nothing of the sign but its hook at the left.
        under = own[int(0.3 * mark.h) :, min(mark.w - 1, start + int(0.25 * mark.h)) :]
        if under.size and under.mean() > 0.02:
            return False
        # The hook comes down to one point, left of the line.
        foot = np.flatnonzero(own[int(0.9 * mark.h) :].any(axis=0))
        return (
            bool(len(foot))
            and foot[-1] - foot[0] < 0.5 * mark.h
            and foot[-1] <= start + 0.3 * mark.h
        )

    # ----------------------------------------------------------------------------------- brackets

    def find_brackets(self) -> None:
        """Take brackets and bars that are taller than the print around them."""
        for mark in self.free():
            tall = mark.row.tall if mark.row is not None else self.tall
            if mark.h < 1.55 * tall or mark.w > 1.3 * tall or mark.h > 14 * tall:
                continue
            if (
                mark.w < 0.22 * mark.h
                and mark.w <= 0.3 * tall
                and mark.area > 0.5 * mark.w * mark.h
            ):
                mark.likely = np.zeros_like(mark.likely)
                mark.likely[PLACE["|"]] = 1.0
            if mark.best in BRACKETS and mark.score > 0.4:
                self.brackets.append(mark)
                self.take([mark])

    # ---------------------------------------------------------------------------------- fractions

    def find_fractions(self) -> None:
        """Take bars with marks above and below; give those marks rows of their own."""
        bars = [
            mark for mark in self.free()
            if mark.best not in "=±" and is_bar(mark, mark.row.tall if mark.row else self.tall)
        ]  # fmt: skip
        bars += [line for line in self.lines if line not in self.used and line not in bars]
        taken: set[Mark] = set()
        near = Neighbours([*self.free(), *self.roots, *self.brackets])
        for bar in sorted(bars, key=lambda mark: mark.w):
            tall = bar.row.tall if bar.row is not None else self.tall
            tall = min(tall, 1.3 * self.tall)
            above = self.side(bar, tall, bars, near, taken, up=True)
            below = self.side(bar, tall, bars, near, taken, up=False)
            if not above or not below or not fits(bar, above, tall) or not fits(bar, below, tall):
                continue
            widest = max(
                max(m.right for m in part) - min(m.x for m in part) for part in (above, below)
            )
            if bar.w > widest + 1.3 * tall:
                continue
            if any(self.runs_on(bar, part, tall, bars, near) for part in (above, below)):
                continue
            self.bars.append(bar)
            self.take([bar])
            for part in (above, below):
                self.settle(part, tall, bar)
                taken.update(part)
        self.parts = taken

    def side(
        self,
        bar: Mark,
        tall: float,
        bars: list[Mark],
        pool: Neighbours,
        taken: set[Mark],
        *,
        up: bool,
    ) -> list[Mark]:
        """Return the marks right above (or below) a bar."""
        near = []
        reach = 1.9 * tall
        y0, y1 = (bar.y - reach, bar.cy) if up else (bar.cy, bar.bottom + reach)
        for mark in pool.within(bar.x - tall, y0, bar.right + tall, y1):
            if mark is bar or not bar.x - 0.12 * tall < mark.cx < bar.right + 0.12 * tall:
                continue
            if mark in taken and mark not in bars:
                continue
            gap = bar.y - mark.bottom if up else mark.y - bar.bottom
            if -0.1 * tall <= gap < 1.3 * tall and mark.h < 2.4 * tall:
                near.append((gap, mark))
        if not near:
            return []
        gap, first = min(near, key=lambda pair: pair[0])
        # Below a bar letters without ascenders start lower.
        solid = [
            g - (0.32 * tall if not up and mark.h < 0.8 * tall else 0.0)
            for g, mark in near
            if mark.h > 0.25 * tall
        ]
        if not solid or min(solid) > 0.75 * tall:
            return []
        if first in bars and abs(first.w - bar.w) < 0.4 * bar.w and gap < 0.4 * tall:
            return []  # the other stroke of an equals sign
        edge = first.bottom - 1.05 * tall if up else first.y + 1.05 * tall
        chosen = [
            mark for _, mark in near
            if (mark.cy > edge - 0.35 * tall if up else mark.cy < edge + 0.35 * tall)
        ]  # fmt: skip
        # A row stands between the bar and the next line of text, not across it.
        return [
            mark for mark in chosen
            if (mark.bottom > bar.y - 1.15 * tall if up else mark.cy < bar.bottom + 1.3 * tall)
        ]  # fmt: skip

    def runs_on(
        self, bar: Mark, part: list[Mark], tall: float, bars: list[Mark], pool: Neighbours
    ) -> bool:
        """Return whether what is beside a bar goes on at its sides: then it stands over or under text."""  # noqa: E501
        x0, x1 = min(m.x for m in part), max(m.right for m in part)
        level = float(np.median([m.cy for m in part]))
        # Beside a small fraction the line goes on whose middle its bar is at.
        row = bar.row
        aside = (
            row is not None
            and row.base - 0.75 * row.tall < bar.cy < row.base - 0.1 * row.tall
            and abs(float(np.median([m.bottom for m in part])) - row.base) > 0.2 * tall
        )
        for mark in pool.within(x0 - tall, level - tall, x1 + tall, level + tall):
            if aside and abs(metrics(mark, mark.best)[1] - row.base) < 0.12 * tall:
                continue
            # The next fraction's denominator is under a bar of its own.
            if any(other is not bar and other.x <= mark.cx <= other.right for other in bars):
                continue
            if (
                abs(mark.cy - level) < 0.3 * tall
                and mark.h > 0.35 * tall
                and mark.best not in BRACKETS
            ):
                # Next to underlined words the same line of text goes on after a space.
                own = mark.row
                long = own is not None and own.count >= 8 and own.x1 - own.x0 > 2 * bar.w
                reach = (0.8 if long and any(m.row is own for m in part) else 0.22) * tall
                beside = 0 <= mark.x - x1 < reach or 0 <= x0 - mark.right < reach
                if beside and not bar.x <= mark.cx <= bar.right:
                    return True
        return False

    def settle(self, part: list[Mark], tall: float, bar: Mark) -> None:
        """Give a fraction's part a row of its own, unless its marks have one that fits."""
        plain = [mark for mark in part if mark not in self.used]
        told = [(metrics(mark, mark.best), mark) for mark in plain if mark.score > 0.5]
        sizes = [(size, base) for (size, base), _ in told if size is not None]
        if sizes:
            # The biggest are the row; what is smaller are its scripts.
            biggest = max(size for size, _ in sizes)
            main = [
                (size, base, mark.best in ASCENDING) for (size, base), mark in told
                if size is not None and size > 0.8 * biggest
            ]  # fmt: skip
            size = float(np.median([size for size, _, _ in main]))
            # How deep a letter hangs is a guess; digits and capitals stand on the line.
            standing = [base for _, base, stands in main if stands]
            base = float(np.median(standing or [base for _, base, _ in main]))
            # A letter lower than these stands on the line, and they are its exponent.
            lower = [
                mark
                for mark in plain
                if mark.best in EITHER and mark.bottom > base + 0.3 * TALL * size
            ]
            if lower:
                base = float(np.median([mark.bottom for mark in lower]))
                # Small letters of mathematics are larger than those of text.
                size = max(size, float(np.median([mark.h for mark in lower])) / (LOW + 0.12))
        elif plain:
            high = max(mark.h for mark in plain)
            # c, o, s, x ... alone are small letters, unless they are as tall as capitals.
            size = (tall if LOW / TALL * 0.9 < high / tall < 0.84 else min(tall, high)) / TALL
            base = float(np.median([mark.bottom for mark in plain]))
        else:
            return
        size = min(size, 1.15 * tall / TALL)
        row = Row(base, TALL * size, bar.x, bar.right, 1)
        owners = {mark.row for mark in plain if mark.row is not None}
        if len(owners) == 1:
            (own,) = owners
            if abs(own.base - base) < 0.14 * tall and 0.85 < own.tall / row.tall < 1.18:
                return
        self.rows.append(row)
        self.part_rows.add(row)
        for mark in part:
            mark.row = row

    def reseat(self) -> None:
        """Take from the rows of fractions' parts what only came to stand near them."""
        if not self.parts:
            return
        own = self.part_rows
        lost = [
            mark for mark in self.marks if mark.row in own and mark not in self.parts
        ]  # fmt: skip
        others = [row for row in self.rows if row not in own]
        seat_marks(lost, sorted(others, key=lambda row: row.base))

    def find_overlines(self) -> None:
        """Take lines right above letters that have nothing above them."""
        free = self.free()
        near = Neighbours(free)
        for bar in free:
            if bar.row is None or not is_bar(bar, self.tall) or bar.w < 0.55 * self.tall:
                continue
            row = bar.row
            if bar.bottom > row.base - 0.95 * row.tall:
                continue
            below = [
                mark
                for mark in near.within(bar.x, bar.y, bar.right, bar.bottom + 0.6 * row.tall)
                if mark is not bar
                and bar.x - 0.15 * row.tall < mark.cx < bar.right + 0.15 * row.tall
                and 0 <= mark.y - bar.bottom < 0.5 * row.tall
                and mark.row is row
            ]
            if below and abs(min(m.x for m in below) - bar.x) < 0.35 * row.tall:
                self.overlines.append(bar)
                self.take([bar])

    # ------------------------------------------------------------------------------------ scripts

    def find_scripts(self) -> None:
        """Take raised and lowered marks, in groups that stand together."""
        found: list[Mark] = []
        free = self.free()
        for mark in free:
            if mark.row is None:
                continue
            level = self.level_of(mark)
            if level:
                mark.level = level
                found.append(mark)
        taken = set(found)
        plain = Neighbours([m for m in free if m not in taken] + self.roots + self.brackets)
        groups: list[list[Mark]] = []
        order = {row: place for place, row in enumerate(self.rows)}
        for mark in sorted(found, key=lambda m: (order.get(m.row, -1), m.level, m.x)):
            last = groups[-1][-1] if groups else None
            if last is not None and last.level == mark.level and last.row is mark.row:
                gap = (mark.x - last.right) / mark.row.tall
                if gap < 0.62 or (gap < 1.4 and self.signed(last, mark, plain)):
                    groups[-1].append(mark)
                    continue
            groups.append([mark])
        for members in groups:
            # The sign of an exponent is what stands next to its base.
            self.complete(members, taken)
            if not self.hosted(members[0], plain):
                for mark in members:
                    mark.level = ""
                continue
            self.scripts.append(members)
            self.take(members)

    def signed(self, one: Mark, other: Mark, plain: Neighbours) -> bool:
        """Return whether nothing but a minus stands between two raised (or lowered) marks."""
        low, high = min(one.y, other.y), max(one.bottom, other.bottom)
        between = [
            mark for mark in plain.within(one.right, low, other.x, high)
            if one.right <= mark.cx <= other.x
        ]  # fmt: skip
        return len(between) == 1 and is_bar(between[0], 0.6 * one.row.tall) and (
            low < between[0].cy < high
        )  # fmt: skip

    def level_of(self, mark: Mark) -> str:
        """Return whether a mark is raised ("sup"), lowered ("sub") or neither ("")."""
        row = mark.row
        tall = row.tall
        text = mark.best
        if text in ",.:;'‘“”\"\\/|" or (text in "!?*" and mark.score > 0.6):
            return ""
        bracket = text in BRACKETS
        ring = text == "o" and 0.7 < mark.w / mark.h < 1.4 and mark.h > 0.18 * tall
        if mark.h < 0.28 * tall and not bracket and not ring:
            return ""
        size, base = metrics(mark, text)
        hangs = text in DESCENDING
        low = base if hangs else mark.bottom
        if low <= row.base - 0.28 * tall and mark.y <= row.base - 0.7 * tall:
            if mark.h > (1.2 if hangs else 0.92) * tall and not bracket:
                return ""
            quote = (
                mark.h < 0.45 * tall
                and mark.w < 0.4 * tall
                and mark.chance(",") + mark.chance("'") > 0.2
            )
            sure = mark.score > 0.4 or text in "oO" or sum(map(mark.chance, "1lI|/]")) > 0.6
            return "sup" if sure and not quote else ""
        if bracket or text == JUNK:
            return ""
        lowered = base >= row.base + 0.11 * tall and mark.y >= row.base - 0.64 * tall
        if not lowered or mark.h > 0.8 * tall:
            return ""
        if size is None:
            # c, o, s ... may be small or capital: lowered all the same where they start low.
            lowered = mark.bottom >= row.base + 0.14 * tall and mark.y > row.base - 0.52 * tall
            return "sub" if lowered and mark.score > 0.6 and text not in "−" else ""
        small = size < 0.86 * row.em
        return "sub" if small and mark.score > 0.6 else ""

    def hosted(self, mark: Mark, plain: Neighbours) -> bool:
        """Return whether something stands close at the left of a raised or lowered mark."""
        tall = mark.row.tall
        return any(
            -0.4 * tall < mark.x - other.right < 0.5 * tall
            and other.x < mark.x and other.h > 0.2 * tall and other is not mark
            and (other.row is mark.row or other in self.brackets or other in self.roots)
            for other in plain.within(
                mark.x - 0.9 * tall, mark.row.base - 1.5 * tall, mark.x + 0.4 * tall,
                mark.row.base + 0.7 * tall,
            )
        )  # fmt: skip

    def complete(self, members: list[Mark], taken: set[Mark]) -> None:
        """Add the signs and points that belong to a raised or lowered group."""
        row, level = members[0].row, members[0].level
        tall = row.tall
        x0, x1 = min(m.x for m in members), max(m.right for m in members)
        top, bottom = min(m.y for m in members), max(m.bottom for m in members)
        for mark in self.free():
            if mark in taken or mark.row is not row:
                continue
            inside = top - 0.25 * tall < mark.cy < bottom + 0.12 * tall
            beside = x0 - 0.62 * tall < mark.cx < x1 + 0.3 * tall
            flat = mark.h < 0.3 * tall and mark.w < tall
            if level == "sup":
                right = mark.bottom < row.base - 0.25 * tall
            else:
                right = mark.y > row.base - 0.3 * tall
            if not (inside and beside and flat and right):
                continue
            if level == "sub" and mark.w < 0.3 * tall:
                continue
            # A quotation mark or a prime is none of the group's.
            if level == "sup" and mark.best in ",'‘“”\"" and mark.score > 0.5:
                continue
            mark.level = level
            taken.add(mark)
            members.append(mark)
        members.sort(key=lambda mark: mark.x)


def is_frame(mark: Mark, labels: np.ndarray) -> bool:
    """Return whether a mark is a rectangle around something."""
    own = shape_of(mark, labels) > 0
    edge = max(4, int(0.03 * min(mark.w, mark.h)))
    sides = (
        own[:edge].any(axis=0),
        own[-edge:].any(axis=0),
        own[:, :edge].any(axis=1),
        own[:, -edge:].any(axis=1),
    )
    return all(side.mean() > 0.85 for side in sides)


def longest_run(line: np.ndarray) -> int:
    """Return the length of the run of true values that ends last, gaps of two bridged."""
    places = np.flatnonzero(line)
    if not len(places):
        return 0
    start = len(places) - 1
    while start > 0 and places[start] - places[start - 1] <= 3:
        start -= 1
    return int(places[-1] - places[start] + 1)


def fits(bar: Mark, part: list[Mark], tall: float) -> bool:
    """Return whether a fraction's part stands within its bar and about its middle."""
    left = min(mark.x for mark in part) - bar.x
    right = bar.right - max(mark.right for mark in part)
    return (
        left > -0.35 * tall
        and right > -0.35 * tall
        and abs(left - right) < max(0.8 * tall, 0.4 * bar.w)
    )
