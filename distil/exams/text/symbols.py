"""The letter and the LaTeX of one mathematical character of a page."""

from __future__ import annotations

import functools
import unicodedata

from distil.notation.characters import COMMANDS, DOUBLE, FRAKTUR, LITERAL, SCRIPT


@functools.lru_cache(maxsize=4096)
def letter_of(char: str) -> tuple[str, str]:
    """Return a mathematical letter's plain letter and its alphabet.

    Args:
        char: one character; a ligature comes back as it is.

    Returns:
        The letter (or digit, or the character itself) and one of "", "rm", "it", "bf", "cal",
        "frak", "bb", "sf", "tt".
    """
    if len(char) != 1:
        return char, ""
    if char in DOUBLE:
        return DOUBLE[char], "bb"
    if char in SCRIPT:
        return SCRIPT[char], "cal"
    if char in FRAKTUR:
        return FRAKTUR[char], "frak"
    if char == "ℎ":
        return "h", "it"
    if char == "\U0001d4c1":
        return "ℓ", ""
    if char in "ıȷ𝚤𝚥":
        return {"ı": "i", "ȷ": "j", "𝚤": "i", "𝚥": "j"}[char], "it"
    code = ord(char)
    if 0x1D400 <= code <= 0x1D6A3:
        index = code - 0x1D400
        alphabet = (
            "bf",
            "it",
            "bf",
            "cal",
            "cal",
            "frak",
            "bb",
            "frak",
            "sf",
            "sf",
            "sf",
            "sf",
            "tt",
        )
        letter = index % 52
        return chr(0x41 + letter if letter < 26 else 0x61 + letter - 26), alphabet[index // 52]
    if 0x1D6A8 <= code <= 0x1D7CB:
        index = (code - 0x1D6A8) % 58
        greek = "ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡϴΣΤΥΦΧΨΩ∇αβγδεζηθικλμνξοπρςστυφχψω∂ϵϑϰϕϱϖ"
        style = ("bf", "it", "bf", "bf", "bf")[(code - 0x1D6A8) // 58]
        return greek[index], style
    if 0x1D7CE <= code <= 0x1D7FF:
        return chr(0x30 + (code - 0x1D7CE) % 10), ("bf", "bb", "sf", "sf", "tt")[
            (code - 0x1D7CE) // 10
        ]
    return char, ""


@functools.lru_cache(maxsize=4096)
def latex_of(char: str) -> str:
    """Return one character as LaTeX without delimiters.

    Args:
        char: one character.

    Returns:
        A command, a literal or the character.
    """
    letter, alphabet = letter_of(char)
    if letter in COMMANDS:
        return "\\" + COMMANDS[letter]
    if letter in LITERAL:
        return LITERAL[letter]
    if alphabet in ("cal", "frak", "bb"):
        return f"\\math{alphabet}{{{letter}}}"
    if alphabet == "bf" and letter.isalpha():
        return f"\\mathbf{{{letter}}}"
    return letter


COMPATIBLE = {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}


def compatible(text: str) -> str:
    """Return text with ligatures and presentation forms spelled out, mathematics left alone."""
    return "".join(
        COMPATIBLE.get(char)
        or (unicodedata.normalize("NFKC", char) if "\uff00" <= char <= "\uffef" else char)
        for char in text
    )
