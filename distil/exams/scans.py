"""Scanned pages: rendered, deskewed and read by tesseract; mathematics by the geometry of its ink.

Tesseract reads prose well and mathematics badly: it takes an exponent for a quotation mark and a
fraction for noise. So raised and lowered marks, fractions and root signs are found as connected
components first, wiped from the picture that tesseract sees, and read by their shape; then all goes
through the same geometry as text PDFs do.
"""

from __future__ import annotations

import html
import math
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from distil.exams.errors import ExamError
from distil.exams.glyphs import Box, Glyph, Page, Rule
from distil.exams.marks import (
    DESCENDING,
    LOW,
    TALL,
    X_HIGH,
    Mark,
    Reader,
    Row,
    assign_rows,
    find_marks,
    find_rows,
    is_bar,
    joined,
)

DPI = 300
SCALE = DPI / 72
MAX_PIXELS = 40_000_000
MAX_SKEW = 3.0
SECONDS = 300
SURE = 0.86
OPERATORS = set("+−=<>≤≥±×÷")
SYMBOLS = set("π√θ≤≥±×÷°∞∠αβΔ∑")


@dataclass(slots=True)
class Char:
    """A character as tesseract read it, pixels."""

    text: str
    x0: int
    y0: int
    x1: int
    y1: int
    sure: float
    first: bool
    word: str
    base: float


def tesseract(path: Path) -> str:
    """Return the recogniser's command.

    Raises:
        ExamError: it is not installed.
    """
    found = shutil.which("tesseract")
    if found is None:
        raise ExamError(
            path,
            "it holds scanned pages and tesseract, which reads them, is not installed",
            "install it (apt-get install tesseract-ocr, or brew install tesseract)",
        )
    return found


def render(document, index: int, path: Path) -> tuple[np.ndarray, float]:
    """Return a page as grey values, shape (height, width), and pixels per point.

    Raises:
        ExamError: PDFium cannot draw it.
    """
    import pypdfium2

    page = document[index]
    width, height = page.get_size()
    scale = min(SCALE, math.sqrt(MAX_PIXELS / (width * height)))
    try:
        picture = page.render(scale=scale, grayscale=True).to_numpy()
    except (pypdfium2.PdfiumError, MemoryError) as error:
        raise ExamError(
            path, f"page {index + 1} cannot be drawn ({error})", "repair or replace the file"
        ) from error
    finally:
        page.close()
    return np.array(picture.reshape(picture.shape[0], picture.shape[1])), scale


def ink_of(grey: np.ndarray) -> np.ndarray:
    """Return 255 where a page is inked, else 0."""
    level, ink = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY_INV + cv2.THRESH_OTSU)
    if level < 30 or level > 245:
        # A page of one shade: nothing is written on it.
        return np.where(grey < 100, 255, 0).astype(np.uint8)
    return ink


def skew_of(marks: list[Mark]) -> float:
    """Return the angle in degrees by which lines of print fall to the right."""
    letters = [mark for mark in marks if 10 <= mark.h <= 90 and 4 <= mark.w <= 90]
    if len(letters) < 30:
        return 0.0
    middle = np.median([mark.h for mark in letters])
    letters = [mark for mark in letters if mark.h > 0.6 * middle]
    xs = np.array([mark.cx for mark in letters])
    ys = np.array([mark.bottom for mark in letters], dtype=float)

    def sharpness(angle: float) -> float:
        levels = ys - xs * math.tan(math.radians(angle))
        counts = np.bincount(np.round((levels - levels.min()) / 2).astype(int))
        return float((counts.astype(float) ** 2).sum())

    best = max(np.arange(-MAX_SKEW, MAX_SKEW + 0.01, 0.25), key=sharpness)
    return float(max(np.arange(best - 0.25, best + 0.26, 0.05), key=sharpness))


def straighten(grey: np.ndarray, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Return a page turned by an angle about its centre, and the matrix back (2, 3)."""
    height, width = grey.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    turned = cv2.warpAffine(grey, matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=255)
    return turned, cv2.invertAffineTransform(matrix)


def read_scan(document, index: int, page: Page, path: Path) -> tuple[Page, np.ndarray]:
    """Read a scanned page.

    Args:
        document: from `glyphs.open_document`.
        index: 0-based page index.
        page: what the file says about the page.
        path: the file, for error messages.

    Returns:
        The page with glyphs and rules, deskewed, and the matrix (2, 3) from its points back to the
        points of the page as it lies in the file.

    Raises:
        ExamError: tesseract is missing or fails, or the page cannot be drawn.
    """
    cv2.setNumThreads(1)
    grey, scale = render(document, index, path)
    marks, labels = find_marks(ink_of(grey))
    angle = skew_of(marks)
    back = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    if abs(angle) > 0.04:
        grey, back = straighten(grey, angle)
        marks, labels = find_marks(ink_of(grey))
    back = back.copy()
    back[:, 2] /= scale
    result = Page(page.number, page.width, page.height)
    marks = without_edges(marks, grey.shape)
    if len(marks) < 10:
        return result, back
    rows = find_rows(marks)
    assign_rows(marks, rows)
    if not rows:
        return result, back
    sheet = Sheet(grey, labels, marks, rows, scale)
    sheet.find_figures()
    sheet.find_roots()
    sheet.find_fractions()
    sheet.find_overlines()
    sheet.find_scripts()
    chars = recognise(sheet.cleaned(), path, index)
    sheet.learn(chars)
    sheet.fill(result, chars)
    return result, back


def without_edges(marks: list[Mark], shape: tuple[int, int]) -> list[Mark]:
    """Return marks without shadows of the paper's edge and of punched holes."""
    height, width = shape
    kept = []
    for mark in marks:
        at_edge = mark.x <= 3 or mark.y <= 3 or mark.right >= width - 3 or mark.bottom >= height - 3
        if at_edge and (mark.h > 60 or mark.w > 60):
            continue
        kept.append(mark)
    return kept


class Sheet:
    """A scanned page on its way from ink to glyphs.

    Args:
        grey: grey values, shape (height, width).
        labels: numbers of the marks, same shape.
        marks: connected pieces of ink.
        rows: lines of print.
        scale: pixels per point.
    """

    def __init__(
        self, grey: np.ndarray, labels: np.ndarray, marks: list[Mark], rows: list[Row], scale: float
    ) -> None:
        self.grey, self.labels, self.marks, self.rows, self.scale = grey, labels, marks, rows, scale
        self.tall = float(np.median([row.tall for row in rows]))
        self.used: set[int] = set()
        self.figures: list[tuple[int, int, int, int]] = []
        self.roots: list[Mark] = []
        self.bars: list[Mark] = []
        self.overlines: list[Mark] = []
        self.groups: list[tuple[list[Mark], Row, str]] = []
        self.lines: list[Mark] = []
        self.reader = Reader(labels)

    # ------------------------------------------------------------------------- finding structures

    def free(self) -> list[Mark]:
        """Return the marks that nothing has taken yet."""
        return [mark for mark in self.marks if id(mark) not in self.used]

    def take(self, marks: list[Mark]) -> None:
        """Mark marks as taken, so that tesseract does not see them."""
        self.used.update(id(mark) for mark in marks)

    def find_figures(self) -> None:
        """Take drawings, long rules and frames."""
        tall = self.tall
        for mark in self.marks:
            thin = mark.h <= max(8, 0.25 * tall) or mark.w <= max(8, 0.25 * tall)
            long = max(mark.w, mark.h) > 6 * tall
            if thin and long and mark.area > 0.3 * mark.w * mark.h:
                if mark.w > mark.h:
                    self.lines.append(mark)
                else:
                    self.take([mark])
            elif mark.w > 4 * tall and mark.h > 4 * tall and mark.area < 0.35 * mark.w * mark.h:
                self.take([mark])
                inner = [
                    m for m in self.marks
                    if mark.x < m.cx < mark.right and mark.y < m.cy < mark.bottom
                ]  # fmt: skip
                text = [m for m in inner if m.line >= 0 and 0.5 * tall < m.h < 1.5 * tall]
                if len(text) < 12:
                    self.figures.append((mark.x, mark.y, mark.right, mark.bottom))
                    self.take(inner)
        blank = [line for line in self.lines if not self.between(line)]
        self.take(blank)

    def between(self, bar: Mark) -> bool:
        """Return whether a long rule could be a fraction's bar: ink close above and below it."""
        tall = self.tall
        near = [mark for mark in self.marks if bar.x <= mark.cx <= bar.right and mark is not bar]
        above = any(0 <= bar.y - mark.bottom < 0.6 * tall for mark in near)
        below = any(0 <= mark.y - bar.bottom < 0.6 * tall for mark in near)
        return above and below

    def find_roots(self) -> None:
        """Take root signs: a hook with a long line at its top."""
        for mark in self.free():
            row = self.rows[mark.line] if mark.line >= 0 else None
            if row is None or mark.w < 0.9 * row.tall or mark.h < 0.8 * row.tall:
                continue
            if mark.h > 4 * row.tall or mark.area > 0.3 * mark.w * mark.h:
                continue
            part = self.labels[mark.y : mark.bottom, mark.x : mark.right] == mark.labels[0]
            head = part[: max(3, int(0.16 * mark.h))].any(axis=0)
            stretch = longest_run(head)
            start = mark.w - stretch
            if stretch < 0.45 * mark.w or not head[-max(2, mark.w // 12) :].any():
                continue
            # Under the line there is nothing of the sign but its hook at the left.
            under = part[int(0.3 * mark.h) :, min(mark.w - 1, start + int(0.2 * row.tall)) :]
            if under.size and under.mean() > 0.02:
                continue
            if self.reader.rank(mark)[0][1] > 0.86:
                continue  # an F or a T
            mark.text = "√"
            mark.area = start
            self.roots.append(mark)
            self.take([mark])

    def find_fractions(self) -> None:
        """Take bars with marks above and below, and those marks."""
        bars = [
            mark for mark in self.free()
            if mark.line >= 0 and is_bar(mark, self.rows[mark.line].tall)
        ]  # fmt: skip
        bars += [line for line in self.lines if id(line) not in self.used and line not in bars]
        for bar in sorted(bars, key=lambda mark: mark.w):
            if id(bar) in self.used:
                continue
            tall = self.rows[bar.line].tall if bar.line >= 0 else self.tall
            above = self.side(bar, tall, bars, up=True)
            below = self.side(bar, tall, bars, up=False)
            if not above or not below or not fits(bar, above, tall) or not fits(bar, below, tall):
                continue
            widest = max(
                max(m.right for m in part) - min(m.x for m in part) for part in (above, below)
            )
            if bar.w > widest + 1.3 * tall or self.runs_on(bar, below, tall, bars):
                continue
            self.bars.append(bar)
            row = self.rows[bar.line] if bar.line >= 0 else Row(bar.cy + 0.37 * tall, tall)
            self.groups.append((above, row, "above"))
            self.groups.append((below, row, "below"))
            self.take([bar, *above, *below])

    def find_overlines(self) -> None:
        """Take lines right above letters that have nothing above them."""
        free = self.free()
        for bar in free:
            if bar.line < 0 or not is_bar(bar, self.tall) or bar.w < 0.55 * self.tall:
                continue
            row = self.rows[bar.line]
            if bar.bottom > row.base - 0.95 * row.tall:
                continue
            below = [
                mark for mark in free
                if mark is not bar and bar.x - 0.15 * row.tall < mark.cx < bar.right + 0.15 * row.tall  # noqa: E501
                and 0 <= mark.y - bar.bottom < 0.5 * row.tall and mark.line == bar.line
            ]  # fmt: skip
            if below and abs(min(m.x for m in below) - bar.x) < 0.35 * row.tall:
                self.overlines.append(bar)
                self.take([bar])

    def side(self, bar: Mark, tall: float, bars: list[Mark], *, up: bool) -> list[Mark]:
        """Return the marks right above (or below) a bar."""
        near = []
        for mark in self.free():
            if mark is bar or not bar.x - 0.12 * tall < mark.cx < bar.right + 0.12 * tall:
                continue
            gap = bar.y - mark.bottom if up else mark.y - bar.bottom
            if -0.1 * tall <= gap < 1.3 * tall and mark.h < 2 * tall:
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
        if not solid or min(solid) > 0.66 * tall:
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
            if (mark.bottom > bar.y - 1.15 * tall if up else mark.cy < bar.bottom + 1.1 * tall)
        ]  # fmt: skip

    def runs_on(self, bar: Mark, below: list[Mark], tall: float, bars: list[Mark]) -> bool:
        """Return whether what is below a bar goes on at its sides: then the bar underlines."""
        x0, x1 = min(m.x for m in below), max(m.right for m in below)
        level = float(np.median([m.cy for m in below]))
        for mark in self.free():
            # The next fraction's denominator is under a bar of its own.
            if any(other is not bar and other.x <= mark.cx <= other.right for other in bars):
                continue
            if abs(mark.cy - level) < 0.3 * tall and mark.h > 0.35 * tall:
                beside = 0 <= mark.x - x1 < 0.22 * tall or 0 <= x0 - mark.right < 0.22 * tall
                if beside and not bar.x <= mark.cx <= bar.right:
                    return True
        return False

    def find_scripts(self) -> None:
        """Take raised and lowered marks, in groups that stand together."""
        found: list[tuple[Mark, str]] = []
        free = self.free()
        for mark in free:
            if mark.line < 0:
                continue
            row = self.rows[mark.line]
            tall = row.tall
            small = 0.3 * tall <= mark.h <= 0.84 * tall
            if small and mark.bottom <= row.base - 0.3 * tall and mark.y <= row.base - 0.72 * tall:
                self.reader.read(mark)
                ranked = dict(self.reader.rank(mark)[:6])
                quote = (
                    mark.h < 0.45 * tall
                    and mark.w < 0.4 * tall
                    and (
                        max(ranked.get(",", 0), ranked.get("!", 0), ranked.get("/", 0))
                        > mark.score - 0.05
                    )
                )
                if mark.text not in ",.:;'!" and not quote and mark.score > 0.78:
                    found.append((mark, "sup"))
            elif (
                0.38 * tall <= mark.h <= 0.76 * tall
                and mark.bottom >= row.base + 0.12 * tall
                and mark.y >= row.base - 0.62 * tall
            ):
                self.reader.read(mark)
                if mark.text not in ",.:;gjpqy()[]/" and mark.score > 0.84:
                    found.append((mark, "sub"))
        found = [pair for pair in found if not self.in_percent(pair[0], free)]
        taken = {id(mark) for mark, _ in found}
        plain = [mark for mark in free if id(mark) not in taken]
        groups: list[tuple[list[Mark], str]] = []
        for mark, kind in sorted(found, key=lambda pair: (pair[0].line, pair[1], pair[0].x)):
            last = groups[-1] if groups else None
            if (
                last is not None and last[1] == kind and last[0][-1].line == mark.line
                and mark.x - last[0][-1].right < 0.7 * self.rows[mark.line].tall
            ):  # fmt: skip
                last[0].append(mark)
            else:
                groups.append(([mark], kind))
        for members, kind in groups:
            if not self.hosted(members[0], plain):
                continue
            self.complete(members, kind, taken)
            self.groups.append((members, self.rows[members[0].line], kind))
            self.take(members)

    def in_percent(self, mark: Mark, free: list[Mark]) -> bool:
        """Return whether a small round mark is part of a per cent sign."""
        tall = self.rows[mark.line].tall
        return mark.text in "0oO°" and any(
            other is not mark
            and other.line == mark.line
            and other.h > 0.8 * tall
            and -0.6 * tall < other.x - mark.right < 0.2 * tall
            and self.reader.rank(other)[0][0] in "/%"
            for other in free
        )

    def hosted(self, mark: Mark, free: list[Mark]) -> bool:
        """Return whether something stands close at the left of a raised or lowered mark."""
        row = self.rows[mark.line]
        return any(
            other is not mark and other.line == mark.line
            and -0.35 * row.tall < mark.x - other.right < 0.55 * row.tall
            and other.x < mark.x and other.h > 0.2 * row.tall
            for other in (*free, *self.roots)
        )  # fmt: skip

    def complete(self, members: list[Mark], kind: str, taken: set[int]) -> None:
        """Add the minus signs, points and dots that belong to a raised group."""
        row = self.rows[members[0].line]
        tall = row.tall
        x0, x1 = min(m.x for m in members), max(m.right for m in members)
        top, bottom = min(m.y for m in members), max(m.bottom for m in members)
        for mark in self.free():
            if id(mark) in taken or mark.line != members[0].line:
                continue
            inside = top - 0.25 * tall < mark.cy < bottom + 0.12 * tall
            beside = x0 - 0.62 * tall < mark.cx < x1 + 0.3 * tall
            flat = mark.h < 0.3 * tall and mark.w < 0.8 * tall
            level = (
                mark.bottom < row.base - 0.3 * tall
                if kind == "sup"
                else mark.y > row.base - 0.3 * tall
            )
            if inside and beside and flat and level:
                if kind == "sub" and mark.w < 0.3 * tall:
                    continue
                # An i's dot or a quotation mark has its letter below.
                dotted = any(
                    other is not mark and abs(other.cx - mark.cx) < 0.15 * tall
                    and 0 < other.y - mark.bottom < 0.3 * tall and id(other) not in taken
                    and other.line == mark.line
                    for other in self.free()
                )  # fmt: skip
                if not dotted:
                    members.append(mark)
        members.sort(key=lambda mark: mark.x)

    # ------------------------------------------------------------------------------------ reading

    def cleaned(self) -> np.ndarray:
        """Return the page without what has been taken."""
        gone = [label for mark in self.marks if id(mark) in self.used for label in mark.labels]
        kept = np.zeros(int(self.labels.max()) + 1, dtype=bool)
        for mark in self.marks:
            for label in mark.labels:
                kept[label] = True
        kept[gone] = False
        picture = self.grey.copy()
        wipe = ~kept[self.labels]
        wipe &= self.labels > 0
        wipe = cv2.dilate(wipe.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
        wipe &= ~kept[self.labels]
        picture[wipe] = 255
        return picture

    def learn(self, chars: list[Char]) -> None:
        """Teach the reader the page's own letters, where tesseract is sure of them."""
        by_place: dict[tuple[int, int], list[Mark]] = {}
        for mark in self.free():
            by_place.setdefault((mark.x // 40, mark.y // 40), []).append(mark)
        marks, texts = [], []
        counts: dict[str, int] = {}
        for char in chars:
            if char.sure < 98.5 or not char.text.isalnum() or not char.text.isascii():
                continue
            if char.text in "ijlIO0o1" or counts.get(char.text, 0) >= 4:
                continue
            column, line = int((char.x0 + char.x1) / 2) // 40, int((char.y0 + char.y1) / 2) // 40
            near = [
                mark
                for i in (-1, 0, 1) for j in (-1, 0, 1)
                for mark in by_place.get((column + i, line + j), ())
                if abs(mark.x - char.x0) < 4 and abs(mark.right - char.x1) < 4
                and abs(mark.y - char.y0) < 5 and abs(mark.bottom - char.y1) < 5
            ]  # fmt: skip
            if len(near) == 1:
                marks.append(near[0])
                texts.append(char.text)
                counts[char.text] = counts.get(char.text, 0) + 1
        self.reader.learn(marks, texts)

    def fill(self, page: Page, chars: list[Char]) -> None:
        """Put glyphs and rules on a page."""
        for box in self.figures:
            page.drawings.append(tuple(value / self.scale for value in box))
        self.put_chars(page, chars)
        self.find_unread(page, chars)
        for members, row, kind in self.groups:
            self.put_group(page, members, row, kind)
        for bar in self.bars:
            page.rules.append(
                Rule(
                    bar.x / self.scale,
                    bar.right / self.scale,
                    bar.y / self.scale,
                    bar.bottom / self.scale,
                    True,
                )
            )
        for root in self.roots:
            self.put_root(page, root)
        for bar in self.overlines:
            page.rules.append(
                Rule(
                    bar.x / self.scale, bar.right / self.scale, bar.y / self.scale,
                    bar.bottom / self.scale,
                )
            )  # fmt: skip
        page.glyphs.sort(key=lambda glyph: (round(glyph.base, 1), glyph.x0))
        for order, glyph in enumerate(page.glyphs):
            glyph.order = order * 3

    def put_chars(self, page: Page, chars: list[Char]) -> None:
        """Add what tesseract read."""
        by_place: dict[tuple[int, int], list[Mark]] = {}
        for mark in self.free():
            by_place.setdefault((mark.x // 40, mark.y // 40), []).append(mark)
        behind = 0
        for place, char in enumerate(chars):
            row = min(self.rows, key=lambda row: abs(row.base - char.base))
            base = row.base if abs(row.base - char.base) < 0.45 * row.tall else char.base
            em = row.tall / TALL
            after = chars[place + 1] if place + 1 < len(chars) else None
            x1 = char.x1
            if after is not None and not after.first and after.x0 > char.x0:
                x1 = max(x1, min(after.x0, char.x1 + int(0.4 * em)))
            text, style = self.corrected(char, by_place, row)
            # Boxes from the recogniser overlap; the order of a word's letters is certain.
            x0 = char.x0 if char.first else max(char.x0, behind + 1)
            behind, x1 = x0, max(x1, x0 + 1)
            page.glyphs.append(
                Glyph(
                    text, x0 / self.scale, x1 / self.scale, char.y0 / self.scale,
                    char.y1 / self.scale, base / self.scale, em / self.scale, 0, style, char.first,
                )
            )  # fmt: skip

    def find_unread(self, page: Page, chars: list[Char]) -> None:
        """Note the places of ink that no character accounts for."""
        covered: dict[tuple[int, int], list[Char]] = {}
        for char in chars:
            for column in range(char.x0 // 60, char.x1 // 60 + 1):
                for line in range(char.y0 // 60, char.y1 // 60 + 1):
                    covered.setdefault((column, line), []).append(char)
        for mark in self.free():
            if mark.line < 0 or max(mark.w, mark.h) < 0.35 * self.tall:
                continue
            near = covered.get((int(mark.cx) // 60, int(mark.cy) // 60), ())
            if not any(
                char.x0 - 4 <= mark.cx <= char.x1 + 4 and char.y0 - 6 <= mark.cy <= char.y1 + 6
                for char in near
            ):
                page.unread.append((mark.cx / self.scale, mark.cy / self.scale))

    def corrected(self, char: Char, by_place: dict, row: Row) -> tuple[str, str]:
        """Return a character, with symbols that tesseract does not know named, and its doubt."""
        text = char.text
        style = "d" if char.sure < 75 and text.isalnum() else ""
        if char.word.isalpha() and len(char.word) >= 3 and char.sure > 85:
            return text, style
        column, line = int((char.x0 + char.x1) / 2) // 40, int((char.y0 + char.y1) / 2) // 40
        near = [
            mark
            for i in (-1, 0, 1) for j in (-1, 0, 1)
            for mark in by_place.get((column + i, line + j), ())
            if mark.x < char.x1 and char.x0 < mark.right and mark.y < char.y1 + 3 and char.y0 - 3 < mark.bottom  # noqa: E501
            and min(mark.right, char.x1) - max(mark.x, char.x0) > 0.6 * min(mark.w, char.x1 - char.x0)  # noqa: E501
        ]  # fmt: skip
        if len(near) == 1:
            mark = near[0]
            if is_bar(mark, row.tall) and text in "-—–~_=":
                wide = mark.w > 0.52 * row.tall
                return ("−" if wide and mark.w < 1.1 * row.tall else "-"), style
            if char.sure < 97 or text in "xzaZn~¢®@€£©§<>":
                ranked = self.reader.rank(mark)
                best, score = ranked[0]
                own = dict(ranked).get(text, 0.0)
                if best in SYMBOLS and score > 0.9 and score > own + 0.05:
                    return best, "m"
        elif len(near) == 2 and text in "<>s=2z":
            pair = joined(near)
            best, score = self.reader.rank(pair)[0]
            if best in "≤≥±" and score > 0.85:
                return best, "m"
        if not text.isascii() and text not in "’‘“”—–°":
            style = "d"
        return text, style

    def put_group(self, page: Page, members: list[Mark], row: Row, kind: str) -> None:
        """Add a script's or a fraction part's marks as glyphs."""
        symbols = merged(members, row.tall, self.reader)
        em = row.tall / TALL
        sizes, bases = [], []
        for mark in symbols:
            size, base = metrics(mark)
            if size is not None:
                sizes.append(size)
                bases.append(base)
        usual = float(np.median(sizes)) if sizes else 0.68 * em
        if kind in ("sup", "sub"):
            usual = min(max(usual, 0.5 * em), 0.74 * em)
        base0 = float(np.median(bases)) if bases else max(mark.bottom for mark in symbols)
        for mark in symbols:
            size, base = metrics(mark)
            flat = size is None
            if flat or (abs(base - base0) < 0.2 * usual and 0.7 < size / usual < 1.4):
                size, base = usual, base0
            size = min(size, 1.15 * em)
            style = "m" if mark.text in OPERATORS else ""
            sure = SURE if mark.text.isdigit() else SURE + 0.04
            if mark.score < sure and not (flat and mark.text in "−.,"):
                style += "d"
            page.glyphs.append(
                Glyph(
                    mark.text, mark.x / self.scale, mark.right / self.scale, mark.y / self.scale,
                    mark.bottom / self.scale, base / self.scale, size / self.scale, 0, style,
                )
            )  # fmt: skip

    def put_root(self, page: Page, root: Mark) -> None:
        """Add a root sign and its line."""
        row = self.rows[root.line]
        em = row.tall / TALL
        edge = root.x + max(root.area, int(0.3 * root.h))
        page.glyphs.append(
            Glyph(
                "√", root.x / self.scale, edge / self.scale, root.y / self.scale,
                root.bottom / self.scale, root.bottom / self.scale, em / self.scale, 0, "m",
            )
        )  # fmt: skip
        page.rules.append(
            Rule(
                edge / self.scale, root.right / self.scale, root.y / self.scale,
                (root.y + 3) / self.scale,
            )
        )  # fmt: skip


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


def merged(members: list[Mark], tall: float, reader: Reader) -> list[Mark]:
    """Return marks with the pieces of i, j, =, :, ≤, ≥ and ! put together, and read."""
    rest = sorted(members, key=lambda mark: mark.x)
    out: list[Mark] = []
    while rest:
        mark = rest.pop(0)
        partner = next(
            (
                other for other in rest
                if min(mark.right, other.right) - max(mark.x, other.x) > 0.6 * min(mark.w, other.w)
                and -2 <= max(mark.y, other.y) - min(mark.bottom, other.bottom) < 0.3 * tall
                and (min(mark.h, other.h) < 0.3 * tall)
            ),
            None,
        )  # fmt: skip
        broken = next(
            (
                other for other in rest
                if min(mark.right, other.right) - max(mark.x, other.x) > 0.6 * min(mark.w, other.w)
                and -3 <= max(mark.y, other.y) - min(mark.bottom, other.bottom) < 0.1 * tall
            ),
            None,
        )  # fmt: skip
        if broken is not None and not (is_bar(mark, tall) and is_bar(broken, tall)):
            both = joined([mark, broken])
            reader.read(both)
            reader.read(mark)
            if both.score > max(0.8, mark.score - 0.05) and both.text not in "ij:;=≤≥±!?÷":
                rest.remove(broken)
                rest.insert(0, both)
                continue
        if partner is not None:
            both = joined([mark, partner])
            if is_bar(mark, tall) and is_bar(partner, tall):
                both.text, both.score = "=", 1.0
                rest.remove(partner)
                out.append(both)
                continue
            reader.read(both, digits=False)
            if both.score > 0.8 and both.text in "ij:;=≤≥±!?÷":
                rest.remove(partner)
                out.append(both)
                continue
        if is_bar(mark, tall):
            mark.text, mark.score = "−", 1.0
        elif mark.h < 0.22 * tall and mark.w < 0.22 * tall:
            mark.text, mark.score = ".", 1.0
        else:
            reader.read(mark)
            if mark.text in "lI|":
                mark.text = "1"
        out.append(mark)
    return out


def metrics(mark: Mark) -> tuple[float | None, float]:
    """Return the font size that a mark's height tells, if it does, and its baseline."""
    text = mark.text
    if text in OPERATORS or text in ".,:;'·°−∞":
        return None, mark.bottom
    if text in X_HIGH:
        return mark.h / LOW, mark.bottom
    if text in DESCENDING:
        size = mark.h / TALL
        return size, mark.bottom - 0.21 * size
    if text in "()[]{}|/":
        size = mark.h / 0.9
        return size, mark.bottom - 0.2 * size
    return mark.h / TALL, mark.bottom


LINE = re.compile(
    r"<span class='ocr_(?:line|header|caption|textfloat)'[^>]*title=\"([^\"]*)\"[^>]*>"
)
CHAR = re.compile(
    r"<span class='ocrx_cinfo' title='x_bboxes (\d+) (\d+) (\d+) (\d+); x_conf ([\d.]+)'>([^<]*)"
)


def recognise(picture: np.ndarray, path: Path, index: int, mode: str = "6") -> list[Char]:
    """Return what tesseract reads in a picture.

    Args:
        picture: grey values, shape (height, width).
        path: the file, for error messages.
        index: 0-based page index, for error messages.
        mode: tesseract's page segmentation mode.

    Returns:
        Characters in reading order.

    Raises:
        ExamError: tesseract is missing or fails.
    """
    header = f"P5 {picture.shape[1]} {picture.shape[0]} 255\n".encode()
    try:
        done = subprocess.run(
            [tesseract(path), "stdin", "stdout", "--dpi", str(DPI), "--psm", mode,
             "-c", "hocr_char_boxes=1", "-c", "tessedit_create_hocr=1"],
            input=header + picture.tobytes(), capture_output=True, check=False, timeout=SECONDS,
            env={**os.environ, "OMP_THREAD_LIMIT": "1"},
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise ExamError(
            path, f"page {index + 1}: tesseract took more than {SECONDS} s", "split the file"
        ) from error
    if done.returncode != 0:
        told = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
        raise ExamError(
            path,
            f"page {index + 1}: tesseract failed ({told[0][:150]})",
            "check its installation (tesseract --list-langs must name eng)",
        )
    return parse_hocr(done.stdout.decode("utf-8", "replace"))


def parse_hocr(text: str) -> list[Char]:
    """Return the characters of an hOCR page with their words and baselines."""
    chars: list[Char] = []
    starts = list(LINE.finditer(text))
    for place, start in enumerate(starts):
        stop = starts[place + 1].start() if place + 1 < len(starts) else len(text)
        title = start[1]
        box = [int(value) for value in re.search(r"bbox (\d+) (\d+) (\d+) (\d+)", title).groups()]
        slope, offset = 0.0, 0.0
        line = re.search(r"baseline (-?[\d.]+) (-?[\d.]+)", title)
        if line:
            slope, offset = float(line[1]), float(line[2])
        for chunk in text[start.end() : stop].split("<span class='ocrx_word'")[1:]:
            found = CHAR.findall(chunk)
            word = html.unescape("".join(char[5] for char in found))
            bare = re.sub(r"^\W+|\W+$", "", word)
            for number, (x0, y0, x1, y1, sure, char) in enumerate(found):
                base = box[3] + offset + slope * (int(x0) - box[0])
                chars.append(
                    Char(
                        html.unescape(char), int(x0), int(y0), int(x1), int(y1), float(sure),
                        number == 0, bare, base,
                    )
                )  # fmt: skip
    return chars


def moved(box: Box, back: np.ndarray) -> Box:
    """Return a box of a deskewed page as it lies on the page in the file, points."""
    x0, top, x1, bottom = box
    corners = np.array([[x0, top, 1], [x1, top, 1], [x0, bottom, 1], [x1, bottom, 1]]) @ back.T
    left, high = corners.min(axis=0)
    right, low = corners.max(axis=0)
    return (
        round(float(left), 2),
        round(float(high), 2),
        round(float(right), 2),
        round(float(low), 2),
    )
