"""Glyphs, rules and drawings of a PDF page, in points from its top-left corner.

PDFium gives each character's origin (its true baseline), size and advance box, and each path's
segments.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import itertools
import re
import struct
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from distil.exams.errors import ExamError
from distil.exams.text.symbols import compatible
from distil.exams.text.typefaces import (
    BITMAP,
    OMS,
    OMX,
    OT1,
    Typeface,
    font_name,
    glyph_names,
)


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


# Lines are no thicker, points.
THIN = 2.5
MAX_SEGMENTS = 20_000
MAX_FORM_DEPTH = 8
MAX_SILENT = 2_000
GROWING = set("()[]{}|∥‖√⌊⌋⌈⌉⟨⟩")


def open_document(path: Path):
    """Open a PDF.

    Args:
        path: the file.

    Returns:
        A `pypdfium2.PdfDocument`; the caller closes it.

    Raises:
        ExamError: the file is missing, empty, no PDF, encrypted, broken or without pages.
    """
    import pypdfium2

    path = Path(path)
    if not path.is_file():
        raise ExamError(
            path, "no such file", "check the path in the manifest or on the command line"
        )
    with path.open("rb") as stream:
        head = stream.read(1024)
    if not head:
        raise ExamError(path, "the file is empty", "download it again")
    if b"%PDF-" not in head:
        kind = "an HTML page" if re.search(rb"<(!doctype\s+)?html", head, re.I) else "no PDF"
        raise ExamError(path, f"the file is {kind}", "download the PDF itself, not a page about it")
    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if "assword" in str(error):
            raise ExamError(
                path, "the PDF is encrypted", "save an unencrypted copy and use that"
            ) from error
        raise ExamError(
            path, f"PDFium cannot open it ({error})", "download it again or repair it"
        ) from error
    if len(document) == 0:
        document.close()
        raise ExamError(path, "the PDF has no pages", "download it again or repair it")
    return document


def read_page(document, index: int, path: Path, typefaces: dict | None = None) -> Page:
    """Read one page's glyphs and drawings.

    Args:
        document: from `open_document`.
        index: 0-based page index.
        path: the file, for error messages.
        typefaces: cache of typefaces by font name, shared by the pages of a document.

    Returns:
        The page.

    Raises:
        ExamError: the page cannot be loaded or its size is impossible.
    """
    import pypdfium2
    import pypdfium2.raw as raw

    try:
        page = document[index]
    except pypdfium2.PdfiumError as error:
        raise ExamError(
            path, f"page {index + 1} cannot be read ({error})", "repair or replace the file"
        ) from error
    with contextlib.closing(page):
        width, height = page.get_size()
        if not (10 <= width <= 14_400 and 10 <= height <= 14_400):
            raise ExamError(
                path,
                f"page {index + 1} measures {width:.0f} x {height:.0f} points",
                "a page must measure 10 to 14400 points; print it to a normal paper size",
            )
        typefaces = {} if typefaces is None else typefaces
        result = Page(index + 1, width, height)
        place = placement(page)
        try:
            text = page.get_textpage()
        except pypdfium2.PdfiumError as error:
            raise ExamError(
                path, f"page {index + 1}: no text layer ({error})", "repair the file"
            ) from error
        with contextlib.closing(text):
            spoken = read_text(raw, text.raw, result, place, typefaces)
            turn = max(result.lying, key=lambda turn: result.lying[turn], default=0)
            if turn and result.lying[turn] > len(result.glyphs):
                result = turned_page(result, turn)
                place = placement(page, turn)
                spoken = read_text(raw, text.raw, result, place, typefaces)
        read_drawings(raw, page.raw, result, place, spoken)
        grow_delimiters(result)
    return result


def turned_page(page: Page, turn: int) -> Page:
    """Return an empty page that shows another one turned clockwise by 90, 180 or 270 degrees."""
    width, height = page.width, page.height
    if turn == 0:
        return Page(page.number, width, height)
    back: Matrix = {
        90: ((0.0, 1.0, 0.0), (-1.0, 0.0, height)),
        180: ((-1.0, 0.0, width), (0.0, -1.0, height)),
        270: ((0.0, -1.0, width), (1.0, 0.0, 0.0)),
    }[turn]
    if turn != 180:
        width, height = height, width
    return Page(page.number, width, height, turn=turn, back=back)


def moved(box: Box, back: Matrix) -> Box:
    """Return the box around a box moved by a matrix, points, to hundredths."""
    x0, top, x1, bottom = box
    (a, b, c), (d, e, f) = back
    corners = [
        (a * x + b * y + c, d * x + e * y + f)
        for x, y in ((x0, top), (x1, top), (x0, bottom), (x1, bottom))
    ]
    left, high, right, low = hull(corners)
    return round(left, 2), round(high, 2), round(right, 2), round(low, 2)


def placement(page, turn: int = 0):
    """Return a function from PDF user space to points from the displayed top-left corner.

    Args:
        page: of PDFium.
        turn: degrees by which the page is turned clockwise from how it is displayed.
    """
    left, bottom, right, top = page.get_bbox()
    rotation = (page.get_rotation() + turn) % 360
    if rotation == 90:
        return lambda x, y: (y - bottom, x - left)
    if rotation == 180:
        return lambda x, y: (right - x, y - bottom)
    if rotation == 270:
        return lambda x, y: (top - y, right - x)
    return lambda x, y: (x - left, top - y)


# How `read_text` has PDFium lay out what it says of a character's places.
PLACES = struct.Struct("6d4f")
SPACES = {0x20, 0xA0, 0x09, 0x0A, 0x0D, 0x3000, *range(0x2000, 0x200C)}
# Variation selectors, joiners and invisible operators print nothing.
SILENT = {*range(0xFE00, 0xFE10), 0x200C, 0x200D, *range(0x2060, 0x2065), 0xFEFF}


def address_of(handle) -> int | None:
    """Return where a handle of PDFium points, by which two are told to be one; None: nowhere."""
    return ctypes.addressof(handle.contents) if handle else None


def by_address(function, result, *arguments):
    """Return a function of PDFium that takes and gives plain addresses.

    pypdfium2's own look at the type of every pointer, which takes longer than the work itself.
    """
    address = ctypes.cast(function, ctypes.c_void_p).value
    return ctypes.PYFUNCTYPE(result, *arguments)(address)


@dataclass(frozen=True, slots=True)
class TextObject:
    """What the characters of one text object of a page have in common.

    Attributes:
        typeface: of its font.
        size: font size as printed, points.
        lying: degrees by which the page would have to be turned clockwise for its letters to
            stand upright; None: none of the quarters does.
        hidden: whether it is invisible, as an OCR layer under a scan.
        font: the font's handle, which means nothing on another page.
    """

    typeface: Typeface
    size: float
    lying: int | None
    hidden: bool
    font: int | None


class TextPage:
    """PDFium's text page: codes, places and text objects of its characters, by index."""

    def __init__(self, raw, text, place, typefaces: dict[str, Typeface]) -> None:
        self.raw, self.text, self.place, self.typefaces = raw, text, place, typefaces
        self.count = raw.FPDFText_CountChars(text)
        self.handle = address_of(text)
        whole, pointer = ctypes.c_int, ctypes.c_void_p
        self.code_of = by_address(raw.FPDFText_GetUnicode, ctypes.c_uint, pointer, whole)
        self.is_generated = by_address(raw.FPDFText_IsGenerated, whole, pointer, whole)
        self.has_no_code = by_address(raw.FPDFText_HasUnicodeMapError, whole, pointer, whole)
        self.address_at = by_address(raw.FPDFText_GetTextObject, pointer, pointer, whole)
        self.origin_of = by_address(
            raw.FPDFText_GetCharOrigin, whole, pointer, whole, pointer, pointer
        )
        self.ink_of = by_address(raw.FPDFText_GetCharBox, whole, pointer, whole, *[pointer] * 4)
        self.advance_of = by_address(raw.FPDFText_GetLooseCharBox, whole, pointer, whole, pointer)
        # The origin's x and y, the ink's left, right, bottom and top, and the advance box.
        self.found = ctypes.create_string_buffer(PLACES.size)
        self.slots = [ctypes.addressof(self.found) + 8 * place for place in range(7)]
        self.objects: dict[int | None, TextObject | None] = {}
        self.names: dict[int | None, str] = {}

    def is_unmapped(self, index: int) -> bool:
        """Return whether the file does not say what a character's code stands for."""
        return self.has_no_code(self.handle, index) == 1

    def object_at(self, index: int) -> TextObject | None:
        """Return the text object of a character; None: PDFium made the character up."""
        address = self.address_at(self.handle, index)
        if address not in self.objects:
            self.objects[address] = self.describe(address, index) if address else None
        return self.objects[address]

    def describe(self, address: int, index: int) -> TextObject:
        """Return what a text object's characters have in common."""
        raw = self.raw
        handle = ctypes.cast(address, raw.FPDF_PAGEOBJECT)
        font = raw.FPDFTextObj_GetFont(handle)
        where = address_of(font)
        if where not in self.names:
            self.names[where] = self.open_font(font)
        matrix = raw.FS_MATRIX()
        raw.FPDFText_GetMatrix(self.text, index, ctypes.byref(matrix))
        scale = (matrix.c**2 + matrix.d**2) ** 0.5 or 1.0
        up_x, up_y = self.place(matrix.c, matrix.d)
        zero_x, zero_y = self.place(0.0, 0.0)
        return TextObject(
            self.typefaces[self.names[where]],
            abs(raw.FPDFText_GetFontSize(self.text, index)) * scale,
            lying_of(up_x - zero_x, up_y - zero_y),
            raw.FPDFTextObj_GetTextRenderMode(handle) == 3,
            where,
        )

    def open_font(self, font) -> str:
        """Return a font's name; its typeface is known by that name from then on."""
        raw = self.raw
        name = font_name(raw, font) if font else ""
        if name not in self.typefaces:
            self.typefaces[name] = Typeface(
                name,
                raw.FPDFFont_GetFlags(font) if font else 0,
                raw.FPDFFont_GetWeight(font) if font else 400,
            )
        if font:  # PDFium may free it with the page
            self.typefaces[name].glyph_names = functools.partial(glyph_names, raw, font)
        return name

    def places_of(self, index: int) -> tuple[float, ...]:
        """Return a character's places in PDF user space, in the order of `found`."""
        slots = self.slots
        self.origin_of(self.handle, index, slots[0], slots[1])
        self.ink_of(self.handle, index, *slots[2:6])
        self.advance_of(self.handle, index, slots[6])
        return PLACES.unpack_from(self.found)

    def is_space(self, code: int, index: int, typeface: Typeface) -> bool:
        """Return whether a character with the code of a space is one.

        In TeX's mathematics fonts the codes of spaces are braces, arrows and letters.
        """
        if code not in SPACES:
            return False
        if (typeface.encoding is not None and code < 0x20) or typeface.encoding in (OMS, OMX):
            return False
        return not (code <= 0x20 and self.is_unmapped(index) and typeface.is_named(code))


def lying_of(right: float, down: float) -> int | None:
    """Return how far to turn a page clockwise for letters to stand upright, degrees.

    Args:
        right: how far to the right the letters' upward direction goes.
        down: how far down it goes.
    """
    if abs(right) <= 0.5 * abs(down):
        return 0 if down < 0 else 180
    if abs(down) <= 0.5 * abs(right):
        return 270 if right > 0 else 90
    return None


def read_text(raw, text, page: Page, place, typefaces: dict[str, Typeface]) -> set[int | None]:
    """Append the page's characters to `page.glyphs`; return the addresses of their objects."""
    source = TextPage(raw, text, place, typefaces)
    bitmaps: dict[int | None, list[Glyph]] = {}
    spaced = False
    last = -1
    pending = 0  # the first half of a surrogate pair
    glyphs = page.glyphs
    for index in range(source.count):
        code = source.code_of(source.handle, index)
        if 0xD800 <= code < 0xDC00:
            pending = code
            continue
        if 0xDC00 <= code < 0xE000 and pending:
            code = 0x10000 + ((pending - 0xD800) << 10) + (code - 0xDC00)
        pending = 0
        if code <= 0x20 and source.is_generated(source.handle, index) == 1:
            continue  # PDFium's own spaces and line ends
        if code in SPACES and code > 0x20:
            spaced = True
            continue
        if code in SILENT:
            continue
        known = source.object_at(index)
        if known is None:
            continue
        if source.is_space(code, index, known.typeface):
            spaced = True
            continue
        if known.hidden:
            page.hidden += 1
            continue
        if known.size < 0.5:
            continue
        if known.lying != 0:
            if known.lying is not None:
                page.lying[known.lying] += 1
            continue
        glyph = glyph_at(source, index, code, known)
        if not (glyph.top > -page.height and glyph.bottom < 2 * page.height):
            continue  # nobody sees it, and look-ups by height would grow with it
        previous = glyphs[-1] if glyphs and not spaced and last == index - 1 else None
        last = index
        if previous is not None and is_ligature(previous, glyph):
            previous.text += glyph.text
            continue
        glyph.order, glyph.spaced = len(glyphs), spaced
        glyphs.append(glyph)
        if known.typeface.encoding is BITMAP:
            bitmaps.setdefault(known.font, []).append(glyph)
        spaced = False
    trust_bitmaps(bitmaps, typefaces)
    return set(source.objects)


def glyph_at(source: TextPage, index: int, code: int, known: TextObject) -> Glyph:
    """Return a character as a glyph, its order and the space before it not yet known."""
    typeface, size = known.typeface, known.size
    x, y, left, right, bottom, top, near, over, far, under = source.places_of(index)
    place = source.place
    origin_x, base = place(x, y)
    advance_a, _ = place(near, under)
    advance_b, _ = place(far, over)
    ink_a, low = place(left, bottom)
    ink_b, high = place(right, top)
    if high > low:
        low, high = high, low
    unmapped = source.is_unmapped(index)
    if code == 0x02 and not unmapped and typeface.encoding in (None, OT1, BITMAP):
        code = 0x2D  # PDFium's mark for a hyphen at the end of a line
    value, mark = typeface.read(code, unmapped, (far - near) / size)
    if value >= "\ufb00":
        value = compatible(value)
    return Glyph(
        value,
        min(origin_x, ink_a, ink_b),
        max(advance_a, advance_b, ink_a, ink_b),
        high,
        low,
        base,
        size,
        0,
        typeface.style + mark,
    )


def is_ligature(previous: Glyph, glyph: Glyph) -> bool:
    """Return whether two letters stand at one place: a ligature is reported letter by letter."""
    return (
        abs(previous.base - glyph.base) < 0.01
        and abs(previous.x0 - glyph.x0) < 0.01
        and glyph.text.isalpha()
        and previous.text[-1].isalpha()
    )


def trust_bitmaps(bitmaps: dict[int | None, list[Glyph]], typefaces: dict[str, Typeface]) -> None:
    """Take the doubt from glyphs of bitmap fonts that are fonts of prose, with ASCII's codes.

    Those of signs have codes of their own, but where these have names, what has none is prose.
    """
    mathematics = any(name and "m" in face.style for name, face in typefaces.items())
    for printed in bitmaps.values():
        if mathematics or len({g.text for g in printed if "a" <= g.text <= "z"}) >= 8:
            for glyph in printed:
                if glyph.text.isascii():
                    glyph.style = glyph.style.replace("u", "")


def grow_delimiters(page: Page) -> None:
    """Add pieces that have no character to the brackets, bars and root signs that they prolong.

    Typst builds tall ones of pieces, of which only one says what it is.
    """
    if not page.silent:
        return
    for glyph in page.glyphs:
        if glyph.text not in GROWING:
            continue
        grown = True
        while grown:
            grown = False
            for piece in page.silent:
                beside = glyph.x0 - 0.5 < piece[0] and piece[2] < glyph.x1 + 0.5
                longer = piece[1] < glyph.top - 0.5 or piece[3] > glyph.bottom + 0.5
                if beside and longer and piece[1] < glyph.bottom + 1 and piece[3] > glyph.top - 1:
                    glyph.top, glyph.bottom = min(glyph.top, piece[1]), max(glyph.bottom, piece[3])
                    grown = True


def read_drawings(raw, page, result: Page, place, spoken: set[int]) -> None:
    """Sort the page's paths and images into rules, frames, drawings and images.

    Text objects that are not among those with characters go to `result.silent`.
    """
    identity = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
    budget = [MAX_SEGMENTS]
    edges = [ctypes.c_float() for _ in range(4)]
    for index in range(raw.FPDFPage_CountObjects(page)):
        item = raw.FPDFPage_GetObject(page, index)
        if raw.FPDFPageObj_GetType(item) == raw.FPDF_PAGEOBJ_TEXT:
            if (
                address_of(item) not in spoken
                and len(result.silent) < MAX_SILENT
                and raw.FPDFPageObj_GetBounds(item, *map(ctypes.byref, edges))
            ):
                left, bottom, right, top = (edge.value for edge in edges)
                if right - left > 0.3 and top - bottom > 1.0:
                    result.silent.append(hull([place(left, bottom), place(right, top)]))
            continue
        read_object(raw, item, identity, result, place, 0, budget)


def compose(inner: tuple, outer: tuple) -> tuple:
    """Return the matrix that applies `inner`, then `outer` (PDF order a, b, c, d, e, f)."""
    a, b, c, d, e, f = inner
    p, q, r, s, t, u = outer
    return (
        a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s,
        e * p + f * r + t, e * q + f * s + u,
    )  # fmt: skip


def read_object(raw, item, outer: tuple, result: Page, place, depth: int, budget: list) -> None:
    """Add one page object to the page; a form's objects one by one."""
    kind = raw.FPDFPageObj_GetType(item)
    if kind not in (raw.FPDF_PAGEOBJ_PATH, raw.FPDF_PAGEOBJ_IMAGE, raw.FPDF_PAGEOBJ_FORM):
        return
    matrix = raw.FS_MATRIX()
    raw.FPDFPageObj_GetMatrix(item, ctypes.byref(matrix))
    local = (matrix.a, matrix.b, matrix.c, matrix.d, matrix.e, matrix.f)
    whole = compose(local, outer)
    if kind == raw.FPDF_PAGEOBJ_FORM:
        if depth < MAX_FORM_DEPTH:
            for index in range(raw.FPDFFormObj_CountObjects(item)):
                child = raw.FPDFFormObj_GetObject(item, index)
                read_object(raw, child, whole, result, place, depth + 1, budget)
        return
    if kind == raw.FPDF_PAGEOBJ_IMAGE:
        corners = [place(*apply(whole, x, y)) for x, y in ((0, 0), (1, 0), (0, 1), (1, 1))]
        x0, top, x1, bottom = hull(corners)
        # Old converters of PostScript draw bars as bitmaps that are one dot high.
        if not add_rule(x0, top, x1, bottom, 0.0, result):
            result.images.append((x0, top, x1, bottom))
        return
    read_path(raw, item, whole, result, place, budget)


def apply(matrix: tuple, x: float, y: float) -> tuple[float, float]:
    """Return a point moved by a PDF matrix."""
    a, b, c, d, e, f = matrix
    return a * x + c * y + e, b * x + d * y + f


def hull(points: list) -> Box:
    """Return the box around points."""
    xs = [x for x, _ in points]
    ys = [y for _, y in points]
    return (min(xs), min(ys), max(xs), max(ys))


def read_path(raw, item, matrix: tuple, result: Page, place, budget: list) -> None:
    """Split a path into its strokes and sort each."""
    fill, stroke = ctypes.c_int(), ctypes.c_int()
    raw.FPDFPath_GetDrawMode(item, ctypes.byref(fill), ctypes.byref(stroke))
    if not fill.value and not stroke.value:
        return
    thickness = ctypes.c_float()
    raw.FPDFPageObj_GetStrokeWidth(item, ctypes.byref(thickness))
    pen = 0.0
    if stroke.value:
        a, b, c, d, _, _ = matrix
        pen = max(thickness.value * abs(a * d - b * c) ** 0.5, 0.05)
    count = raw.FPDFPath_CountSegments(item)
    x, y = ctypes.c_float(), ctypes.c_float()
    paths: list[list] = []
    curved = False
    budget[0] -= count
    if budget[0] < 0:
        return
    for index in range(count):
        segment = raw.FPDFPath_GetPathSegment(item, index)
        raw.FPDFPathSegment_GetPoint(segment, ctypes.byref(x), ctypes.byref(y))
        kind = raw.FPDFPathSegment_GetType(segment)
        curved = curved or kind == raw.FPDF_SEGMENT_BEZIERTO
        point = place(*apply(matrix, x.value, y.value))
        if kind == raw.FPDF_SEGMENT_MOVETO or not paths:
            paths.append([])
        paths[-1].append(point)
    if curved:
        everything = [point for path in paths for point in path]
        if everything:
            result.drawings.append(hull(everything))
        return
    for path in paths:
        sort_path(path, pen, bool(stroke.value), result)


def add_rule(x0: float, top: float, x1: float, bottom: float, pen: float, result: Page) -> bool:
    """Add a thin box to the page as a rule, or a vertical one; return whether it is thin."""
    thickness = bottom - top + pen
    if thickness <= THIN and x1 - x0 > 1.0 and x1 - x0 > 2 * thickness:
        result.rules.append(Rule(x0, x1, top - pen / 2, bottom + pen / 2))
    elif x1 - x0 + pen <= THIN and bottom - top > 1.0:
        result.verticals.append(Rule(x0 - pen / 2, x1 + pen / 2, top, bottom))
    else:
        return False
    return True


def sort_path(path: list, pen: float, stroked: bool, result: Page) -> None:
    """Add one stroke made of straight lines to the page."""
    if len(path) < 2:
        return
    x0, top, x1, bottom = hull(path)
    if add_rule(x0, top, x1, bottom, pen, result):
        return
    if all(abs(a[0] - b[0]) < 0.3 or abs(a[1] - b[1]) < 0.3 for a, b in itertools.pairwise(path)):
        if stroked and len(path) in (4, 5):
            result.frames.append((x0, top, x1, bottom))
        elif stroked and len(path) > 2:
            for a, b in itertools.pairwise(path):
                sort_path([a, b], pen, True, result)
        # A filled rectangle is a background colour.
    elif stroked or (x1 - x0 > THIN and bottom - top > THIN):
        result.drawings.append((x0, top, x1, bottom))
