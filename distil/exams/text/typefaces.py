"""What fonts call their characters.

Fonts of the Computer Modern family often carry no Unicode map for mathematics; their characters
are then named by their code in Knuth's encodings (OT1, OML, OMS, OMX) or, for the AMS symbols, in
MSAM. Other mathematics fonts for TeX name their glyphs in the font program itself.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable

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

# Type 3 fonts made of bitmaps name nothing. Ligatures, quotes and dashes have codes of their own in
# both encodings for text, OT1 and T1.
BITMAP = {
    **dict(zip(range(0x0B, 0x10), ["ff", "fi", "fl", "ffi", "ffl"], strict=True)),
    **dict(zip(range(0x1B, 0x20), ["ff", "fi", "fl", "ffi", "ffl"], strict=True)),
    0x10: "“", 0x11: "”", 0x15: "–", 0x16: "—", 0x7F: "-",
}  # fmt: skip

# Names of glyphs that Adobe's list does not have, without the ending that tells their size.
NAMED = {
    "parenleft": "(", "parenright": ")", "bracketleft": "[", "bracketright": "]",
    "braceleft": "{", "braceright": "}", "floorleft": "⌊", "floorright": "⌋",
    "ceilingleft": "⌈", "ceilingright": "⌉", "angbracketleft": "⟨", "angbracketright": "⟩",
    "angleleft": "⟨", "angleright": "⟩", "slash": "/", "backslash": "\\", "bar": "|",
    "vextendsingle": "|", "vextenddouble": "∥", "bardbl": "∥", "bardblex": "∥",
    "radical": "√", "hatwide": "ˆ",
    "tildewide": "˜", "summation": "∑", "product": "∏", "coproduct": "∐", "integral": "∫",
    "contintegral": "∮", "iinteg": "∬", "iiinteg": "∭", "union": "⋃", "intersection": "⋂",
    "unionmulti": "⨄", "unionsq": "⨆", "logicaland": "⋀", "logicalor": "⋁", "circleplus": "⨁",
    "circlemultiply": "⨂", "circledot": "⨀",
    "parenlefttp": "⎛", "parenleftex": "⎜", "parenleftbt": "⎝", "parenrighttp": "⎞",
    "parenrightex": "⎟", "parenrightbt": "⎠", "bracketlefttp": "⎡", "bracketleftex": "⎢",
    "bracketleftbt": "⎣", "bracketrighttp": "⎤", "bracketrightex": "⎥", "bracketrightbt": "⎦",
    "bracelefttp": "⎧", "braceleftmid": "⎨", "braceleftbt": "⎩", "bracerighttp": "⎫",
    "bracerightmid": "⎬", "bracerightbt": "⎭", "braceex": "⎪", "barex": "⏐", "radicalbt": "⎷",
    "radicalvertex": "⎸", "radicaltp": "⎸",
}  # fmt: skip
NAMED_SMALL = {
    "mapsto": "↦", "mapstochar": "↦", "negationslash": "̸", "notslash": "̸", "notbar": "∤",
    "nelement": "∉", "nequal": "≠", "notequal": "≠", "simequal": "≅", "approxorequal": "≅",
    "emptysetstress": "∅", "emptyset": "∅", "leqslant": "⩽", "geqslant": "⩾",
    "lessorequalslant": "⩽", "greaterorequalslant": "⩾", "radicallow": "√", "vec": "⃗",
    "vector": "⃗", "dotacc": "˙", "defines": "≜", "planckover2pi": "ℏ", "planckover2pi1": "ℏ",
    "square": "□", "squaresolid": "■", "measuredangle": "∡", "lscript": "ℓ", "openbullet": "∘",
    "triangle": "△", "propersubset": "⊂", "propersuperset": "⊃", "latticetop": "⊤",
    "periodcentered": "·", "epsilon1": "ϵ", "theta1": "ϑ", "phi1": "ϕ", "rho1": "ϱ", "pi1": "ϖ",
    "sigma1": "ς", "partialdiff": "∂", "f_f": "ff", "f_i": "fi", "f_l": "fl", "f_f_i": "ffi",
    "f_f_l": "ffl", "ff": "ff", "ffi": "ffi", "ffl": "ffl", "dotlessi": "ı", "dotlessj": "ȷ",
}  # fmt: skip
SIZED = re.compile(r"^(?P<base>[A-Za-z]+?)(?:text|display|bigg?|Bigg?|BIG)?[A-Z]?\d*(?:\.\w+)?$")


def named(name: str) -> tuple[str, str]:
    """Return the character that a glyph's name in a font program stands for.

    Args:
        name: as in the font, `summationdisplay`.

    Returns:
        The character, "" if the name says nothing; and "x" if it is a big or a tall one.
    """
    if name in NAMED_SMALL:
        return NAMED_SMALL[name], ""
    match = SIZED.match(name)
    if match and match["base"] in NAMED:
        return NAMED[match["base"]], "x"
    match = re.match(r"^([A-Z])(bbb|cal|frak)$", name)
    if match:
        start = {"bbb": 0x1D538, "cal": 0x1D49C, "frak": 0x1D504}[match[2]]
        letter = DOUBLE_LETTERS.get(match[1]) if match[2] == "bbb" else None
        return letter or chr(start + ord(match[1]) - 0x41), ""
    match = re.match(r"^u(?:ni)?([0-9A-F]{4,6})$", name)
    if match and int(match[1], 16) < 0x110000 and not 0xD800 <= int(match[1], 16) < 0xE000:
        return chr(int(match[1], 16)), ""
    return "", ""


LATIN_SIGNS = "¬°±·×÷²³¹¼½¾µ§¶"
ENCODINGS = (
    (re.compile(r"^(CMEX|YHCMEX|M?LMMathExtension|MNEXT)", re.I), OMX),
    (re.compile(r"^(L?CM(B)?SY|M?LMMathSymbols|EUSM|MathSymbols)", re.I), OMS),
    (re.compile(r"^(L?CMMI|CMMIB|M?LMMathItalic|EURM)", re.I), OML),
    (re.compile(r"^MSAM", re.I), MSAM),
    (re.compile(r"^(CM(R|B|T|S|C|D|U|F|V)|M?LMRoman|SFR|PazoMath)", re.I), OT1),
)
MATH_FONT = re.compile(
    r"^(CMMI|CMMIB|CM(B)?SY|CMEX|MS[AB]M|M?LMMath|EUSM|EUFM|EURM|RSFS|PazoMath|NewCMMath"
    r"|LatinModernMath|CambriaMath|STIX.*Math|XITSMath|Asana|MTExtra|MTMI|MTSY|rtxmi"
    r"|n?[pt]x(sy|ex|mi)|New[PT]XMI|Kp-*M|HFBR(SY|MI|BS)|MnSymbol|OpenSymbol|Symbol"
    r"|.*Math(-?Regular|-?Italic|-?Symbols?|-?Extension|MI|$))",
    re.I,
)
SCRIPT_FONT = re.compile(
    r"^(CM(B)?SY|EUSM|RSFS|M?LMMathSymbols|[pt]xsy(s|$)|Kp-*M-Sy-|Fourier-Math-Cal|HFBRSY|MnSymbol)",
    re.I,
)
DOUBLE_FONT = re.compile(r"^(MSBM|BBM|DSROM|BBOLD|[pt]xsyb|Kp-*M-Syb|HFBRBS|.*Black-?Board)", re.I)
FRAKTUR_FONT = re.compile(r"^(EUFM|EUFB)", re.I)
DOUBLE_LETTERS = {"C": "ℂ", "H": "ℍ", "N": "ℕ", "P": "ℙ", "Q": "ℚ", "R": "ℝ", "Z": "ℤ"}


class Typeface:
    """What a font's name and program say about how to read its characters.

    Args:
        name: the font's, with or without the tag of a subset.
        flags: PDF's font flags.
        weight: 100 to 900.

    Attributes:
        glyph_names: returns the names of glyphs by code, as the font program has them; asked once,
            for a character that nothing else tells. To be set while the font is in memory.
    """

    __slots__ = (
        "double", "encoding", "fraktur", "glyph_names", "known", "script", "style", "symbol",
    )  # fmt: skip

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
        if not name:
            self.encoding = BITMAP
        self.glyph_names: Callable[[], dict[int, str]] = dict
        self.known: dict[int, str] | None = None
        if self.encoding is OMX:
            style += "x"
        self.style = style
        self.script = bool(SCRIPT_FONT.match(name))
        self.double = bool(DOUBLE_FONT.match(name))
        self.fraktur = bool(FRAKTUR_FONT.match(name))
        self.symbol = bool(re.match(r"^(Symbol|Standard ?Symbols|SymbolMT|MT ?Extra)", name, re.I))

    def read(self, code: int, unmapped: bool, width: float) -> tuple[str, str]:
        """Return the character as text, and what to add to its style: "u" unknown, "x" tall.

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
                plain = table in (OT1, BITMAP) or (table is OML and chr(code).isalpha())
                known = table.get(code) or (chr(code) if 0x20 < code < 0x7F and plain else None)
                # What a bitmap shows nobody says; `read_text` tells fonts of prose from the rest.
                doubt = "u" if table is BITMAP else ""
                return (known, doubt) if known else self.ask(code, text)
        if self.script and "A" <= text <= "Z":
            return chr(0x1D49C + code - 0x41), ""
        if self.double and "A" <= text <= "Z":
            return DOUBLE_LETTERS.get(text) or chr(0x1D538 + code - 0x41), ""
        if self.fraktur and text.isascii() and text.isalpha():
            start = 0x1D504 - 0x41 if text.isupper() else 0x1D51E - 0x61
            return chr(start + code), ""
        if code in BRACKET_PIECES:
            return BRACKET_PIECES[code], ""
        if 0xF000 <= code <= 0xF0FF:
            known = SYMBOL.get(code - 0xF000)
            if known or 0x20 < code - 0xF000 < 0x7F:
                return known or chr(code - 0xF000), ""
            return text, "u"
        if self.symbol and unmapped and code in SYMBOL:
            return SYMBOL[code], ""
        if unmapped or code < 0x20 or text == "\ufffd":
            return self.ask(code, text)
        if "m" in self.style and (
            (0xA1 <= code <= 0xFF and text not in LATIN_SIGNS) or 0x1D00 <= code < 0x1DC0
        ):
            # Codes and names cut short that PDFium takes for letters no formula has.
            return self.ask(code, text)
        return text, ""

    def is_named(self, code: int) -> bool:
        """Return whether the font program prints something for a code that is a space elsewhere."""
        value, _ = self.ask(code, "")
        return value != "" or (self.known or {}).get(code, "space") not in ("space", ".notdef")

    def ask(self, code: int, text: str) -> tuple[str, str]:
        """Return what the font program calls a code that has no other meaning.

        Fonts without names are taken for TeX's extension fonts, and stay doubtful: ordinary letters
        and signs have names that PDFium knows.
        """
        if self.known is None:
            self.known = self.glyph_names()
        value, tall = named(self.known.get(code, ""))
        if value:
            return value, tall
        if not self.known and self.encoding is None and code in OMX and code != 0x20:
            return OMX[code], "xu"
        return "\ufffd" if text and text <= " " else text, "u"

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


def font_name(raw, font) -> str:
    """Return a PDFium font's base name."""
    length = raw.FPDFFont_GetBaseFontName(font, None, 0)
    if not length:
        return ""
    buffer = ctypes.create_string_buffer(length)
    raw.FPDFFont_GetBaseFontName(font, buffer, length)
    return buffer.value.decode("utf-8", "replace")


PUT = re.compile(rb"\bdup\s+(\d{1,3})\s*/([A-Za-z0-9_.]{1,40})\s+put\b")
MAX_PROGRAM = 4 * 1024**2


def glyph_names(raw, font) -> dict[int, str]:
    """Return the names of glyphs by code in the clear part of a Type 1 font program."""
    length = ctypes.c_size_t()
    raw.FPDFFont_GetFontData(font, None, 0, ctypes.byref(length))
    if not 0 < length.value <= MAX_PROGRAM:
        return {}
    data = (ctypes.c_uint8 * length.value)()
    raw.FPDFFont_GetFontData(font, data, length.value, ctypes.byref(length))
    program = bytes(data)
    if not program.startswith((b"%!", b"\x80\x01")):
        return {}
    clear = program.partition(b"eexec")[0]
    return {int(code): name.decode("ascii") for code, name in PUT.findall(clear)}
