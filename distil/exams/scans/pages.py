"""Scanned pages: rendered, deskewed and read twice, by shape and by tesseract.

Each piece of ink is read by its shape (`marks`, `shapes`); mathematics is found by its geometry
(`structures`); each row of print that is left is shown to tesseract, one under the other, so that
columns and tables need no layout analysis. Where the two readings of a character agree it is taken
as certain, where they do not the likelier is taken and the line is marked as doubtful. All then
goes through the same geometry as text PDFs do.
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
from distil.exams.scans.marks import (
    EITHER,
    TALL,
    Mark,
    Row,
    cut_lines,
    find_marks,
    find_rows,
    is_bar,
    join_pieces,
    metrics,
    read_shapes,
    seat_marks,
    sized,
    usual_height,
)
from distil.exams.scans.readings import Char, Sign, read_row
from distil.exams.scans.shapes import JUNK
from distil.exams.scans.structures import Sheet
from distil.exams.text.glyphs import turned_page
from distil.exams.text.page import Glyph, Matrix, Page, Rule

DPI = 300
SCALE = DPI / 72
MAX_PIXELS = 40_000_000
MAX_SKEW = 3.0
SECONDS = 300
# Capitals of this height, pixels, are what tesseract reads best.
READABLE = 32
# A page with so many glyphs of which more than this share is in doubt may lie on its side: .6 of
# the letters of a sideways page are, .3 upside down, .01 of a good scan, .1 of a bad one.
MANY = 30
GARBLED = 0.2
# Tesseract's confidence in the orientation of a page with some lines of print is 2 to 20.
SURE = 1.5
OPERATORS = set("+−=<>≤≥±×÷")
# Characters more doubtful than this mark their line.
DOUBT = 0.2
SCRIPT_DOUBT = 0.25


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


def render(
    document, index: int, path: Path, dpi: int = DPI, turn: int = 0
) -> tuple[np.ndarray, float]:
    """Return a page as grey values, shape (height, width), and pixels per point.

    Args:
        document: from `glyphs.open_document`.
        index: 0-based page index.
        path: the file, for error messages.
        dpi: dots per inch.
        turn: degrees by which the page is turned clockwise, 0, 90, 180 or 270.

    Raises:
        ExamError: PDFium cannot draw it.
    """
    import pypdfium2

    page = document[index]
    width, height = page.get_size()
    scale = min(dpi / 72, math.sqrt(MAX_PIXELS / (width * height)))
    try:
        picture = page.render(scale=scale, grayscale=True).to_numpy()
    except (pypdfium2.PdfiumError, MemoryError) as error:
        raise ExamError(
            path, f"page {index + 1} cannot be drawn ({error})", "repair or replace the file"
        ) from error
    finally:
        page.close()
    picture = picture.reshape(picture.shape[0], picture.shape[1])
    return np.array(np.rot90(picture, -turn // 90)), scale


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


def read_scan(document, index: int, page: Page, path: Path) -> tuple[Page, Matrix]:
    """Read a scanned page.

    Args:
        document: from `glyphs.open_document`.
        index: 0-based page index.
        page: what the file says about the page.
        path: the file, for error messages.

    Returns:
        The page with glyphs and rules, deskewed, and the matrix (2, 3) from its points back to
        those before that; `page.turn` and `page.back` say how it was turned by quarters.

    Raises:
        ExamError: tesseract is missing or fails, or the page cannot be drawn.
    """
    cv2.setNumThreads(1)
    tesseract(path)
    result, back = read_turned(document, index, page, path, page.turn)
    if is_garbled(result) and (turn := orientation(document, index, path)) != page.turn:
        result, back = read_turned(document, index, page, path, turn)
    return result, back.tolist()


def read_turned(document, index: int, page: Page, path: Path, turn: int) -> tuple[Page, np.ndarray]:
    """Do what `read_scan` promises for a page turned clockwise by some quarters, degrees."""
    grey, scale = render(document, index, path, turn=turn)
    grey = flattened(grey)
    marks, labels = find_marks(ink_of(grey))
    angle = skew_of(marks)
    back = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    if abs(angle) > 0.04:
        grey, back = straighten(grey, angle)
        marks, labels = find_marks(ink_of(grey))
    back = back.copy()
    back[:, 2] /= scale
    width, height = page.width, page.height
    if page.turn in (90, 270):
        width, height = height, width
    result = turned_page(Page(page.number, width, height), turn)
    marks = without_edges(marks, grey.shape)
    if len(marks) < 5 or not usual_height(marks):
        return result, back
    marks, labels = cut_lines(marks, labels)
    read_shapes(marks, labels)
    marks = join_pieces(marks, labels)
    rows = find_rows(marks)
    if not rows:
        return result, back
    seat_marks(marks, rows)
    sheet = Sheet(labels, marks, rows)
    words = read_rows(sheet, grey, path, index)
    fill(result, sheet, words, scale)
    return result, back


def is_garbled(page: Page) -> bool:
    """Return whether most of what was read on a page is in doubt, as if it lay on its side."""
    letters = [glyph for glyph in page.glyphs if glyph.text.isalnum()]
    doubtful = sum(1 for glyph in letters if "d" in glyph.style)
    return len(page.glyphs) >= MANY and doubtful > GARBLED * len(letters)


def orientation(document, index: int, path: Path) -> int:
    """Return how far to turn a page clockwise for its letters to stand upright, degrees.

    Tesseract's own detection; 0 where it is not installed (osd.traineddata) or not sure.
    """
    grey, _ = render(document, index, path, 150)
    header = f"P5 {grey.shape[1]} {grey.shape[0]} 255\n".encode()
    try:
        done = subprocess.run(
            [tesseract(path), "stdin", "stdout", "--dpi", "150", "--psm", "0"],
            input=header + grey.tobytes(), capture_output=True, check=False, timeout=SECONDS,
            env={**os.environ, "OMP_THREAD_LIMIT": "1"},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return 0
    told = done.stdout.decode("utf-8", "replace")
    turn = re.search(r"^Rotate:\s*(0|90|180|270)\s*$", told, re.M)
    sure = re.search(r"^Orientation confidence:\s*([\d.]+)", told, re.M)
    return int(turn[1]) if turn and sure and float(sure[1]) >= SURE else 0


def flattened(grey: np.ndarray) -> np.ndarray:
    """Return a page with its paper white: shades of uneven light and of coloured paper are gone."""
    height, width = grey.shape
    small = cv2.resize(
        grey, (max(1, width // 8), max(1, height // 8)), interpolation=cv2.INTER_AREA
    )
    paper = cv2.medianBlur(cv2.dilate(small, np.ones((9, 9), np.uint8)), 21)
    if paper.min() > 235:
        return grey
    paper = cv2.resize(np.maximum(paper, 90), (width, height), interpolation=cv2.INTER_LINEAR)
    return cv2.divide(grey, paper, scale=255)


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


# ------------------------------------------------------------------------------------ second reading  # noqa: E501


def read_rows(sheet: Sheet, grey: np.ndarray, path: Path, index: int) -> dict[Row, list[Char]]:
    """Return what tesseract reads in each row.

    Args:
        sheet: the page.
        grey: its grey values, shape (height, width).
        path: the file, for error messages.
        index: 0-based page index, for error messages.

    Returns:
        Characters by the id of their row, left to right, in pixels of the page.
    """
    strips = [strip for row in sheet.rows if (strip := cut_strip(sheet, row, grey)) is not None]
    if not strips:
        return {}
    picture, places = stack(strips)
    found: dict[Row, list[Char]] = {}
    for char in recognise(picture, path, index):
        middle_x, middle_y = (char.x0 + char.x1) / 2, (char.y0 + char.y1) / 2
        for strip, left, top in places:
            height, width = strip.picture.shape
            if left - 4 <= middle_x <= left + width + 4 and top <= middle_y <= top + height:
                moved_back(char, strip, left, top)
                found.setdefault(strip.row, []).append(char)
                break
    return found


@dataclass(slots=True)
class Strip:
    """A row of print cut out, its wide gaps closed.

    Attributes:
        row: the row.
        picture: grey values, capitals about READABLE pixels high.
        pieces: (left in the picture, left on the page, right on the page), pixels of the page's
            scale, left to right.
        top: upper edge on the page.
        factor: size in the picture over size on the page.
    """

    row: Row
    picture: np.ndarray
    pieces: list[tuple[float, float, float]]
    top: float
    factor: float


def cut_strip(sheet: Sheet, row: Row, grey: np.ndarray) -> Strip | None:
    """Return a row's plain print as a strip, or None if it has none."""
    members = sorted((mark for mark in sheet.free() if mark.row is row), key=lambda mark: mark.x)
    members = [mark for mark in members if mark.h < 2.6 * row.tall and mark.w < 8 * row.tall]
    if not members or all(max(m.w, m.h) < 0.4 * row.tall for m in members):
        return None
    top = max(0, int(min(min(m.y for m in members), row.base - row.tall) - 0.15 * row.tall))
    bottom = int(max(max(m.bottom for m in members), row.base + 0.3 * row.tall) + 0.15 * row.tall)
    runs = [[members[0]]]
    reach = members[0].right
    for mark in members[1:]:
        if mark.x - reach > 2.2 * row.em:
            runs.append([])
        runs[-1].append(mark)
        reach = max(reach, mark.right)
    gap = int(1.3 * row.em)
    pieces, parts, left = [], [], 0
    for run in runs:
        x0 = max(0, min(mark.x for mark in run) - 3)
        x1 = min(grey.shape[1], max(mark.right for mark in run) + 3)
        part = grey[top:bottom, x0:x1]
        names = np.array([label for mark in run for label in mark.labels])
        own = np.isin(sheet.labels[top:bottom, x0:x1], names)
        own = cv2.dilate(own.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
        if parts:
            parts.append(np.full((part.shape[0], gap), 255, np.uint8))
            left += gap
        parts.append(np.where(own, part, 255).astype(np.uint8))
        pieces.append((left, x0, x1))
        left += x1 - x0
    picture = np.concatenate(parts, axis=1)
    factor = 1.0
    if not 0.72 * READABLE < row.tall < 1.4 * READABLE:
        factor = min(3.0, READABLE / row.tall)
        size = max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor))
        kind = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        picture = cv2.resize(picture, size, interpolation=kind)
    return Strip(row, picture, pieces, top, factor)


def stack(strips: list[Strip]) -> tuple[np.ndarray, list[tuple[Strip, int, int]]]:
    """Return strips in one picture, short ones side by side, and where each stands in it."""
    width = max(1600, *(strip.picture.shape[1] for strip in strips))
    lines: list[list[Strip]] = []
    room = 0
    for strip in strips:
        need = strip.picture.shape[1] + 3 * READABLE
        short = strip.picture.shape[1] < 0.3 * width
        if lines and short and need < room and lines[-1][0].picture.shape[1] < 0.3 * width:
            lines[-1].append(strip)
            room -= need
        else:
            lines.append([strip])
            room = width - need
    margin = READABLE
    rows, places, top = [], [], 0
    for line in lines:
        # Strips side by side stand on one baseline.
        above = max(strip.factor * (strip.row.base - strip.top) for strip in line)
        below = max(
            strip.picture.shape[0] - strip.factor * (strip.row.base - strip.top) for strip in line
        )
        height = math.ceil(above + below) + READABLE
        canvas = np.full((height, width + 2 * margin), 255, np.uint8)
        left = margin
        for strip in line:
            y = round(READABLE / 2 + above - strip.factor * (strip.row.base - strip.top))
            y = max(0, min(y, height - strip.picture.shape[0]))
            canvas[y : y + strip.picture.shape[0], left : left + strip.picture.shape[1]] = (
                strip.picture
            )
            places.append((strip, left, top + y))
            left += strip.picture.shape[1] + 3 * READABLE
        rows.append(canvas)
        top += height
    return np.concatenate(rows), places


def moved_back(char: Char, strip: Strip, left: int, top: int) -> None:
    """Move a character's box from the stacked picture to the page."""
    ends = []
    for x in (char.x0, char.x1):
        inside = (x - left) / strip.factor
        piece = max((p for p in strip.pieces if p[0] <= inside + 2), default=strip.pieces[0])
        ends.append(min(piece[1] + inside - piece[0], piece[2]))
    char.x0, char.x1 = ends
    char.y0 = (char.y0 - top) / strip.factor + strip.top
    char.y1 = (char.y1 - top) / strip.factor + strip.top


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
    """Return the characters of an hOCR page."""
    chars: list[Char] = []
    for word, chunk in enumerate(text.split("<span class='ocrx_word'")[1:]):
        for x0, y0, x1, y1, sure, char in CHAR.findall(chunk):
            chars.append(
                Char(html.unescape(char), int(x0), int(y0), int(x1), int(y1), float(sure), word)
            )
    return chars


# ----------------------------------------------------------------------------------------- glyphs


def fill(page: Page, sheet: Sheet, words: dict[Row, list[Char]], scale: float) -> None:
    """Put glyphs, rules and drawings on a page."""
    for box in sheet.figures:
        page.drawings.append(tuple(value / scale for value in box))
    placed: list[tuple[float, Glyph]] = []  # glyphs with the baseline of the row they belong to
    plain: dict[Row, list[Mark]] = {}
    for mark in sheet.free():
        if mark.row is not None:
            plain.setdefault(mark.row, []).append(mark)
    for row in sheet.rows:
        own = plain.get(row, [])
        signs, unread = read_row(row, own, words.get(row, []), sheet.labels)
        if own and all(mark in sheet.parts for mark in own):
            number_strokes(signs)
        for sign in signs:
            style = "m" if sign.text in OPERATORS else ""
            if sign.doubt > DOUBT:
                style += "d"
            put(placed, sign.text, (sign.x0, sign.y0, sign.x1, sign.y1), row.base, row.em, scale,
                style, sign.spaced)  # fmt: skip
        for mark in unread:
            page.unread.append((mark.cx / scale, mark.cy / scale))
    for line in sheet.lines:
        if line not in sheet.bars:
            page.blanks.append(tuple(v / scale for v in (line.x, line.y, line.right, line.bottom)))
    for members in sheet.scripts:
        put_scripts(placed, members, scale)
    for mark in sheet.brackets:
        row = mark.row
        base, em = (row.base, row.em) if row is not None else (mark.bottom, sheet.tall / TALL)
        style = "m" if mark.score > 0.6 else "md"
        put(placed, mark.best, (mark.x, mark.y, mark.right, mark.bottom), base, em, scale, style)
    for bar in sheet.bars:
        page.rules.append(rule_of(bar.x, bar.right, bar.y, bar.bottom, scale, bar=True))
    for root in sheet.roots:
        row = root.row
        em = row.em if row is not None else sheet.tall / TALL
        edge = root.x + max(root.root, int(0.3 * root.h))
        put(placed, "√", (root.x, root.y, edge, root.bottom), root.bottom, em, scale, "m")
        page.rules.append(rule_of(edge, root.right, root.y, root.y + 3, scale))
    for line in sheet.overlines:
        page.rules.append(rule_of(line.x, line.right, line.y, line.bottom, scale))
    placed.sort(key=lambda seat: (round(seat[0], 1), seat[1].x0))
    page.glyphs = [glyph for _, glyph in placed]
    for order, glyph in enumerate(page.glyphs):
        glyph.order = order * 3


def number_strokes(signs: list[Sign]) -> None:
    """Take strokes for the digit 1 where nothing but strokes and digits is over or under a bar."""
    strokes = [sign for sign in signs if sign.text in ("IlJ|]!" if len(signs) == 1 else "IlJ|]")]
    if all(sign.text.isdigit() for sign in signs if sign not in strokes):
        for sign in strokes:
            sign.text = "1"


def put(
    placed: list[tuple[float, Glyph]], text: str, box: tuple, base: float, em: float, scale: float,
    style: str = "", spaced: bool = False, line: float | None = None,
) -> None:  # fmt: skip
    """Add a glyph, from pixels; `line` is the baseline of its row where that is not its own."""
    x0, y0, x1, y1 = (value / scale for value in box)
    glyph = Glyph(text, x0, max(x1, x0 + 0.1), y0, y1, base / scale, em / scale, 0, style, spaced)
    placed.append(((base if line is None else line) / scale, glyph))


def rule_of(x0: float, x1: float, y0: float, y1: float, scale: float, *, bar: bool = False) -> Rule:
    """Return a rule in points, from pixels."""
    return Rule(x0 / scale, x1 / scale, y0 / scale, y1 / scale, bar)


def put_scripts(placed: list[tuple[float, Glyph]], members: list[Mark], scale: float) -> None:
    """Add raised or lowered marks, read by their shape."""
    row = members[0].row
    first = members[0]
    if len(members) == 1 and first.best in "o0" and sized(first, row, "o") == "°":
        box = (first.x, first.y, first.right, first.bottom)
        put(placed, "°", box, row.base, row.em, scale, "m")
        return
    told = [metrics(mark, script_text(mark)) for mark in members]
    sizes = [size for size, _ in told if size is not None]
    # What is smaller than the rest is an exponent of an exponent.
    sizes = [size for size in sizes if size > 0.85 * max(sizes)]
    usual = float(np.median(sizes)) if sizes else 0.68 * row.em
    usual = min(max(usual, 0.45 * row.em), 0.78 * row.em)
    bases = [
        base for (size, base), mark in zip(told, members, strict=True)
        if (mark.best in EITHER if size is None else abs(size - usual) < 0.15 * usual)
    ]  # fmt: skip
    level = float(np.median(bases)) if bases else max(mark.bottom for mark in members)
    for place, mark in enumerate(members):
        name = script_text(mark)
        text = sized(mark, Row(level, usual * TALL, 0, 0), name)
        text = {"°": "0", "’": "'", "-": "−"}.get(text, text)
        size, base = metrics(mark, name)
        if size is None or abs(base - level) < 0.22 * usual:
            size, base = usual, level
        style = "m" if text in OPERATORS else ""
        if 1 - mark.score > SCRIPT_DOUBT and not is_bar(mark, usual * TALL):
            style += "d"
        after = members[place + 1] if place + 1 < len(members) else None
        right = mark.right
        if after is not None and text.isalnum() and after.x - right < 0.35 * usual:
            right = max(right, after.x)
        box = (mark.x, mark.y, right, mark.bottom)
        put(placed, text, box, base, min(size, 0.85 * row.em), scale, style, line=row.base)


def script_text(mark: Mark) -> str:
    """Return the class of a raised or lowered mark, a digit rather than a letter like it."""
    text = mark.best
    digit = {"o": "0", "l": "1", "I": "1", "|": "1", "s": "5", "z": "2", "B": "8", "b": "6"}.get(
        text
    )
    if digit is not None and mark.chance(digit) > 0.25:
        return digit
    return {"l": "1", "I": "1", "|": "1", "]": "1", "[": "1", JUNK: "?"}.get(text, text)
