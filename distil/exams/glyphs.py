"""Glyphs, rules and drawings of a PDF page, in points from its top-left corner.

PDFium gives each character's origin (its true baseline), size and advance box, and each path's
segments. Fonts of the Computer Modern family often carry no Unicode map for mathematics; their
characters are then named by their code in Knuth's encodings (OT1, OML, OMS, OMX) or, for the AMS
symbols, in MSAM.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from distil.exams.errors import ExamError


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
        style: subset of "bimxtu": bold, italic, mathematics font, extension (OMX) font, typewriter,
            unmapped.
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
        blanks: lines to write on, x0, top, x1, bottom; of scans only.
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
    blanks: list[Box] = field(default_factory=list)


GREEK = "ΓΔΘΛΞΠΣΥΦΨΩ"
OT1 = {
    **dict(enumerate(GREEK)),
    **dict(zip(range(0x0B, 0x10), ["ff", "fi", "fl", "ffi", "ffl"], strict=True)),
    0x10: "ı", 0x11: "ȷ", 0x13: "´", 0x14: "ˇ", 0x15: "˘", 0x16: "¯", 0x17: "˚", 0x19: "ß",
    0x1A: "æ", 0x1B: "œ", 0x1C: "ø", 0x1D: "Æ", 0x1E: "Œ", 0x1F: "Ø",
    0x22: "”", 0x27: "’", 0x5C: "“", 0x60: "‘", 0x7B: "–", 0x7C: "—", 0x7E: "˜", 0x7F: "¨",
}  # fmt: skip
OML = {
    **dict(enumerate(GREEK)),
    **dict(enumerate("αβγδϵζηθικλμνξπρστυϕχψωεϑϖϱςφ", 0x0B)),
    0x2E: "▷", 0x2F: "◁",
    **{0x30 + digit: str(digit) for digit in range(10)},
    0x3A: ".", 0x3B: ",", 0x3C: "<", 0x3D: "/", 0x3E: ">", 0x3F: "⋆", 0x40: "∂",
    0x5B: "♭", 0x5C: "♮", 0x5D: "♯", 0x60: "ℓ", 0x7B: "ı", 0x7C: "ȷ", 0x7D: "℘", 0x7E: "⃗",
}  # fmt: skip
OMS = dict(
    enumerate(
        "−·×∗÷⋄±∓⊕⊖⊗⊘⊙◯∘∙≍≡⊆⊇≤≥⪯⪰∼≈⊂⊃≪≫≺≻←→↑↓↔↗↘≃⇐⇒⇑⇓⇔↖↙∝′∞∈∋△▽̸↦∀∃¬∅ℜℑ⊤⊥ℵ"
    )
) | {
    **{0x41 + letter: chr(0x1D49C + letter) for letter in range(26)},
    **dict(enumerate("∪∩⊎∧∨⊢⊣⌊⌋⌈⌉{}⟨⟩|∥↕⇕\\≀√⨿∇∫⊔⊓⊑⊒§†‡¶♣♢♡♠", 0x5B)),
}  # fmt: skip
OMX = {
    **dict(enumerate("()[]⌊⌋⌈⌉{}⟨⟩|∥/\\")),
    **dict(enumerate("()()[]⌊⌋⌈⌉{}⟨⟩/\\", 0x10)),
    **dict(enumerate("()[]⌊⌋⌈⌉{}⟨⟩/\\/\\", 0x20)),
    **dict(enumerate("⎛⎞⎡⎤⎣⎦⎢⎥⎧⎫⎩⎭⎨⎬⎪⏐⎝⎠⎜⎟⟨⟩⨆⨆∮∮⨀⨀⨁⨁⨂⨂", 0x30)),
    **dict(enumerate("∑∏∫⋃⋂⨄⋀⋁∑∏∫⋃⋂⨄⋀⋁∐∐ˆˆˆ˜˜˜[]⌊⌋⌈⌉{}√√√√⎷⎸⎸", 0x50)),
}
MSAM = {
    0x03: "□", 0x04: "■", 0x36: "⩽", 0x3E: "⩾", 0x46: "★", 0x29: "∴", 0x2A: "∵", 0x58: "✓",
    0x5C: "∠", 0x5D: "∡",
}  # fmt: skip
SYMBOL = {
    0x22: "∀", 0x24: "∃", 0x27: "∋", 0x2D: "−", 0x40: "≅", 0x5C: "∴", 0x5E: "⊥", 0x7E: "∼",
    **{
        0x41 + i: letter
        for i, letter in enumerate("ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ")
    },
    **{
        0x61 + i: letter
        for i, letter in enumerate("αβχδεφγηιϕκλμνοπθρστυϖωξψζ")
    },
    0xA2: "′", 0xA3: "≤", 0xA4: "/", 0xA5: "∞", 0xAB: "↔", 0xAC: "←", 0xAD: "↑", 0xAE: "→",
    0xAF: "↓", 0xB0: "°", 0xB1: "±", 0xB2: "″", 0xB3: "≥", 0xB4: "×", 0xB5: "∝", 0xB6: "∂",
    0xB7: "•", 0xB8: "÷", 0xB9: "≠", 0xBA: "≡", 0xBB: "≈", 0xBC: "…", 0xC5: "⊕", 0xC6: "∅",
    0xC7: "∩", 0xC8: "∪", 0xC9: "⊃", 0xCA: "⊇", 0xCB: "⊄", 0xCC: "⊂", 0xCD: "⊆", 0xCE: "∈",
    0xCF: "∉", 0xD0: "∠", 0xD1: "∇", 0xD5: "∏", 0xD6: "√", 0xD7: "·", 0xD8: "¬", 0xD9: "∧",
    0xDA: "∨", 0xDB: "⇔", 0xDC: "⇐", 0xDE: "⇒", 0xE5: "∑", 0xE6: "⎛", 0xE7: "⎜", 0xE8: "⎝",
    0xE9: "⎡", 0xEA: "⎢", 0xEB: "⎣", 0xEC: "⎧", 0xED: "⎨", 0xEE: "⎩", 0xEF: "⎪", 0xF2: "∫",
    0xF6: "⎞", 0xF7: "⎟", 0xF8: "⎠", 0xF9: "⎤", 0xFA: "⎥", 0xFB: "⎦", 0xFC: "⎫", 0xFD: "⎬",
    0xFE: "⎭",
}  # fmt: skip
# macOS's print system describes control codes of such fonts by the key caps of the same codes.
KEYCAPS = {
    "⇥": 0x02, "⇤": 0x03, "⌤": 0x04, "⇧": 0x05, "⌃": 0x06, "⌥": 0x07, "⌦": 0x0A, "↩": 0x0B,
    "↪": 0x0C, "✎": 0x0F, "⇣": 0x10, "⌘": 0x11, "✓": 0x12, "◆": 0x13, "\uf8ff": 0x14,
    "⌫": 0x17, "⇠": 0x18, "⇡": 0x19, "⇢": 0x1A, "⎋": 0x1B, "⌧": 0x1C,
}  # fmt: skip

# Pieces of tall brackets as Adobe's glyph list names them in the private use area.
BRACKET_PIECES = dict(enumerate("⎛⎜⎝⎡⎢⎣⎧⎨⎩⎪⌠⎞⎟⎠⎤⎥⎦⎫⎬⎭", 0xF8EB))

ENCODINGS = (
    (re.compile(r"^(CMEX|EUEX|YHCMEX|LMMathExtension|MNEXT)", re.I), OMX),
    (re.compile(r"^(CM(B)?SY|LMMathSymbols|EUSM|MathSymbols)", re.I), OMS),
    (re.compile(r"^(CMMI|CMMIB|LMMathItalic|EURM)", re.I), OML),
    (re.compile(r"^MSAM", re.I), MSAM),
    (re.compile(r"^(CM(R|B|T|S|C|D|U|F|V)|LMRoman|SFR|PazoMath)", re.I), OT1),
)
MATH_FONT = re.compile(
    r"^(CMMI|CMMIB|CM(B)?SY|CMEX|MS[AB]M|LMMath|EUSM|EUFM|RSFS|PazoMath|NewCMMath|LatinModernMath"
    r"|CambriaMath|STIX.*Math|XITSMath|Asana|MTExtra|MTMI|MTSY|rtxmi|txsy|txex|txmi|pxmi|OpenSymbol"
    r"|Symbol|.*Math(-Regular|Italic|$))",
    re.I,
)
SCRIPT_FONT = re.compile(r"^(CM(B)?SY|EUSM|RSFS|LMMathSymbols)", re.I)
DOUBLE_FONT = re.compile(r"^(MSBM|BBM|DSROM|bbold|BBOLD)", re.I)
FRAKTUR_FONT = re.compile(r"^(EUFM|EUFB)", re.I)
DOUBLE_LETTERS = {"C": "ℂ", "H": "ℍ", "N": "ℕ", "P": "ℙ", "Q": "ℚ", "R": "ℝ", "Z": "ℤ"}
MAX_SEGMENTS = 20_000
MAX_FORM_DEPTH = 8


class Typeface:
    """What a font's name says about how to read its characters."""

    __slots__ = ("double", "encoding", "fraktur", "script", "style", "symbol")

    def __init__(self, name: str, flags: int, weight: int) -> None:
        name = name.split("+", 1)[-1].replace(" ", "")
        bold = weight >= 600 or re.search(r"bold|black|demi|^CMB(X|SY)|^SFBX|heavy", name, re.I)
        italic = bool(flags & 64) or re.search(
            r"italic|oblique|slant|^CM(TI|SL|MI)|^SFTI", name, re.I
        )
        style = "b" if bold else ""
        style += "i" if italic else ""
        style += "m" if MATH_FONT.match(name) else ""
        style += "t" if flags & 1 or re.search(r"^CMTT|mono|courier|^SFTT", name, re.I) else ""
        self.encoding = next((table for rule, table in ENCODINGS if rule.match(name)), None)
        if self.encoding is OMX:
            style += "x"
        self.style = style
        self.script = bool(SCRIPT_FONT.match(name))
        self.double = bool(DOUBLE_FONT.match(name))
        self.fraktur = bool(FRAKTUR_FONT.match(name))
        self.symbol = bool(re.match(r"^(Symbol|Standard ?Symbols|SymbolMT|MT ?Extra)", name, re.I))

    def read(self, code: int, unmapped: bool, width: float) -> tuple[str, bool]:
        """Return the character as text and whether its meaning stayed unknown.

        Args:
            code: Unicode from PDFium, or the character's code where the file has no map.
            unmapped: whether PDFium says so; it does not always.
            width: advance in units of the font size.
        """
        text = chr(code) if 0 <= code < 0x110000 and not 0xD800 <= code < 0xE000 else "\ufffd"
        table = self.encoding
        if table is not None:
            if text in KEYCAPS and table is not MSAM:
                code, unmapped = KEYCAPS[text], True
            if unmapped or code <= 0x20 or self.is_bare_code(text, width):
                # OT1 has plain ASCII where its table is silent.
                plain = table is OT1 or (table is OML and chr(code).isalpha())
                known = table.get(code) or (chr(code) if 0x20 < code < 0x7F and plain else None)
                return (known, False) if known else (text, True)
        if self.script and "A" <= text <= "Z":
            return chr(0x1D49C + code - 0x41), False
        if self.double and "A" <= text <= "Z":
            return DOUBLE_LETTERS.get(text) or chr(0x1D538 + code - 0x41), False
        if self.fraktur and text.isascii() and text.isalpha():
            start = 0x1D504 - 0x41 if text.isupper() else 0x1D51E - 0x61
            return chr(start + code), False
        if code in BRACKET_PIECES:
            return BRACKET_PIECES[code], False
        if 0xF000 <= code <= 0xF0FF:
            known = SYMBOL.get(code - 0xF000)
            if known or 0x20 < code - 0xF000 < 0x7F:
                return known or chr(code - 0xF000), False
            return text, True
        if self.symbol and unmapped:
            known = SYMBOL.get(code)
            return (known or text, known is None)
        return text, unmapped or code < 0x20 or text == "\ufffd"

    def is_bare_code(self, text: str, width: float) -> bool:
        """Return whether an ASCII character stands for its code in a mathematics font.

        Files without glyph names that PDFium knows come out so, with no error told. What such a
        font can hold as ASCII with a true map is excepted; brackets are told apart by their width
        (a brace as tall as three lines is .806 wide, the parenthesis .792).
        """
        if not "!" <= text <= "~":
            return False
        if self.encoding is OMS:
            return text not in "{}|\\*/-" and not text.isupper()
        if self.encoding is OML:
            return text in ":;=@`?[]^_!\"#$%&'*+-()"
        if self.encoding is OMX:
            if text in "()":
                return 0.799 < width < 0.813
            return text not in "[]{}|/\\" or (text in "[]" and width > 0.7)
        return False


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


def font_name(raw, font) -> str:
    """Return a PDFium font's base name."""
    length = raw.FPDFFont_GetBaseFontName(font, None, 0)
    if not length:
        return ""
    buffer = ctypes.create_string_buffer(length)
    raw.FPDFFont_GetBaseFontName(font, buffer, length)
    return buffer.value.decode("utf-8", "replace")


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
        result = Page(index + 1, width, height)
        place = placement(page)
        try:
            text = page.get_textpage()
        except pypdfium2.PdfiumError as error:
            raise ExamError(
                path, f"page {index + 1}: no text layer ({error})", "repair the file"
            ) from error
        with contextlib.closing(text):
            read_text(raw, text.raw, result, place, {} if typefaces is None else typefaces)
        read_drawings(raw, page.raw, result, place)
    return result


def placement(page):
    """Return a function from PDF user space to points from the displayed top-left corner."""
    left, bottom, right, top = page.get_bbox()
    rotation = page.get_rotation()
    if rotation == 90:
        return lambda x, y: (y - bottom, x - left)
    if rotation == 180:
        return lambda x, y: (right - x, y - bottom)
    if rotation == 270:
        return lambda x, y: (top - y, right - x)
    return lambda x, y: (x - left, top - y)


SPACES = {0x20, 0xA0, 0x09, 0x0A, 0x0D, 0x3000, *range(0x2000, 0x200C)}
# Variation selectors, joiners and invisible operators print nothing.
SILENT = {*range(0xFE00, 0xFE10), 0x200C, 0x200D, *range(0x2060, 0x2065), 0xFEFF}


def read_text(raw, text, page: Page, place, typefaces: dict) -> None:
    """Append the page's characters to `page.glyphs`."""
    count = raw.FPDFText_CountChars(text)
    x, y = ctypes.c_double(), ctypes.c_double()
    left, right = ctypes.c_double(), ctypes.c_double()
    bottom, top = ctypes.c_double(), ctypes.c_double()
    loose, matrix = raw.FS_RECTF(), raw.FS_MATRIX()
    point_x, point_y = ctypes.byref(x), ctypes.byref(y)
    edges = tuple(ctypes.byref(value) for value in (left, right, bottom, top))
    loose_ref, matrix_ref = ctypes.byref(loose), ctypes.byref(matrix)
    objects: dict[int, tuple[Typeface, float, bool, bool] | None] = {}
    spaced = False
    last = -1
    pending = 0  # the first half of a surrogate pair
    glyphs = page.glyphs
    for index in range(count):
        code = raw.FPDFText_GetUnicode(text, index)
        if 0xD800 <= code < 0xDC00:
            pending = code
            continue
        if 0xDC00 <= code < 0xE000 and pending:
            code = 0x10000 + ((pending - 0xD800) << 10) + (code - 0xDC00)
        pending = 0
        if raw.FPDFText_IsGenerated(text, index) == 1:
            continue
        if code in SPACES and code > 0x20:
            spaced = True
            continue
        if code in SILENT:
            continue
        handle = raw.FPDFText_GetTextObject(text, index)
        address = ctypes.cast(handle, ctypes.c_void_p).value
        if address not in objects:
            objects[address] = None
            if address:
                font = raw.FPDFTextObj_GetFont(handle)
                name = font_name(raw, font) if font else ""
                if name not in typefaces:
                    typefaces[name] = Typeface(
                        name,
                        raw.FPDFFont_GetFlags(font) if font else 0,
                        raw.FPDFFont_GetWeight(font) if font else 400,
                    )
                raw.FPDFText_GetMatrix(text, index, matrix_ref)
                size = raw.FPDFText_GetFontSize(text, index)
                scale = (matrix.c**2 + matrix.d**2) ** 0.5 or 1.0
                up_x, up_y = place(matrix.c, matrix.d)
                zero_x, zero_y = place(0.0, 0.0)
                upright = abs(up_x - zero_x) <= 0.5 * abs(up_y - zero_y) and up_y < zero_y
                hidden = raw.FPDFTextObj_GetTextRenderMode(handle) == 3
                objects[address] = (typefaces[name], abs(size) * scale, upright, hidden)
        known = objects[address]
        if known is None:
            continue
        typeface, size, upright, hidden = known
        # In TeX's mathematics fonts the codes of spaces are braces, arrows and letters.
        if code in SPACES and (
            typeface.encoding is None or (code == 0x20 and typeface.encoding not in (OMS, OMX))
        ):
            spaced = True
            continue
        if hidden:
            page.hidden += 1
            continue
        if not upright or size < 0.5:
            continue
        raw.FPDFText_GetCharOrigin(text, index, point_x, point_y)
        raw.FPDFText_GetLooseCharBox(text, index, loose_ref)
        raw.FPDFText_GetCharBox(text, index, *edges)
        origin_x, base = place(x.value, y.value)
        advance_a, _ = place(loose.left, loose.bottom)
        advance_b, _ = place(loose.right, loose.top)
        ink_a, low = place(left.value, bottom.value)
        ink_b, high = place(right.value, top.value)
        if high > low:
            low, high = high, low
        unmapped = raw.FPDFText_HasUnicodeMapError(text, index) == 1
        if code == 0x02 and not unmapped and typeface.encoding in (None, OT1):
            code = 0x2D  # PDFium's mark for a hyphen at the end of a line
        width = (loose.right - loose.left) / size
        value, unknown = typeface.read(code, unmapped, width)
        previous = glyphs[-1] if glyphs else None
        if (
            previous is not None
            and not spaced
            and last == index - 1
            and abs(previous.base - base) < 0.01
            and abs(previous.x0 - min(origin_x, ink_a, ink_b)) < 0.01
            and value.isalpha()
            and previous.text[-1].isalpha()
        ):
            previous.text += value  # a ligature is reported letter by letter at one place
            last = index
            continue
        style = typeface.style + ("u" if unknown else "")
        glyphs.append(
            Glyph(
                value,
                min(origin_x, ink_a, ink_b),
                max(advance_a, advance_b, ink_a, ink_b),
                high,
                low,
                base,
                size,
                len(glyphs),
                style,
                spaced,
            )
        )
        last = index
        spaced = False


def read_drawings(raw, page, result: Page, place) -> None:
    """Sort the page's paths and images into rules, frames, drawings and images."""
    identity = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
    budget = [MAX_SEGMENTS]
    for index in range(raw.FPDFPage_CountObjects(page)):
        read_object(raw, raw.FPDFPage_GetObject(page, index), identity, result, place, 0, budget)


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
        result.images.append(hull(corners))
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


def sort_path(path: list, pen: float, stroked: bool, result: Page) -> None:
    """Add one stroke made of straight lines to the page."""
    if len(path) < 2:
        return
    x0, top, x1, bottom = hull(path)
    thin = 2.5
    if bottom - top + pen <= thin and x1 - x0 > 1.0 and x1 - x0 > 2 * (bottom - top + pen):
        result.rules.append(Rule(x0, x1, top - pen / 2, bottom + pen / 2))
    elif x1 - x0 + pen <= thin and bottom - top > 1.0:
        result.verticals.append(Rule(x0 - pen / 2, x1 + pen / 2, top, bottom))
    elif all(abs(a[0] - b[0]) < 0.3 or abs(a[1] - b[1]) < 0.3 for a, b in itertools.pairwise(path)):
        if stroked and len(path) in (4, 5):
            result.frames.append((x0, top, x1, bottom))
        elif stroked and len(path) > 2:
            for a, b in itertools.pairwise(path):
                sort_path([a, b], pen, True, result)
        # A filled rectangle is a background colour.
    elif stroked or (x1 - x0 > thin and bottom - top > thin):
        result.drawings.append((x0, top, x1, bottom))


COMPATIBLE = {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}


def compatible(text: str) -> str:
    """Return text with ligatures and presentation forms spelled out, mathematics left alone."""
    return "".join(
        COMPATIBLE.get(char)
        or (unicodedata.normalize("NFKC", char) if "\uff00" <= char <= "\uffef" else char)
        for char in text
    )
