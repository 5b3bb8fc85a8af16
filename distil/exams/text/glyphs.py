"""Glyphs, rules and drawings of a PDF page, in points from its top-left corner.

PDFium gives each character's origin (its true baseline), size and advance box, and each path's
segments.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import re
import struct
from dataclasses import dataclass
from pathlib import Path

from distil.exams.errors import ExamError
from distil.exams.text.page import Box, Glyph, Matrix, Page, Rule
from distil.exams.text.paths import address_of, hull, read_drawings
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

# The bar of a root sign as a character of Adobe's Symbol font, as groff's eqn sets it.
EXTENDER = "\uf8e5"
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
        if glyph.text == EXTENDER:
            # Its ink stands half a character to the right of its origin.
            _, _, left, right, *_ = source.places_of(index)
            page.rules.append(
                Rule(place(left, 0.0)[0], place(right, 0.0)[0], glyph.top, glyph.bottom)
            )
            continue
        if not (glyph.top > -page.height and glyph.bottom < 2 * page.height):
            continue  # nobody sees it, and look-ups by height would grow with it
        if glyph.x0 > page.width or glyph.x1 < 0:
            continue  # nobody sees it either: LaTeX's exam class sets marks there
        previous = glyphs[-1] if glyphs and not spaced and last == index - 1 else None
        last = index
        if previous is not None and is_ligature(previous, glyph):
            previous.text += glyph.text
            # PDFium shares its ink out among the letters.
            previous.x1 = max(previous.x1, glyph.x1)
            previous.top = min(previous.top, glyph.top)
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
