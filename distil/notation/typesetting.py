r"""LaTeX-ish text set by other programs: typst's mathematics, and text with marked mathematics.

    split("Find x^{2} + 1.")             # [("Find ", False), ("x^{2} + 1", True), (".", False)]
    to_typst(r"\frac{x + 1}{2}")         # frac(x + 1, 2)

Statements hold mathematics without delimiters, as the extraction of exams writes it.
"""

from __future__ import annotations

import re

from distil.notation.characters import FUNCTIONS
from distil.notation.plain import PLAIN, TOKEN

_LATEX = re.compile(r"\\[A-Za-z{}]|[\^_]\{")
# What joins two pieces of mathematics to one: operators, numbers, single letters.
_JOINING = re.compile(r"\s+|[-+*/=<>≤≥≠±·×÷|(),]+|\d[\d,.]*|[A-Za-z]")
_WRAPPERS = {
    "overline": "overline", "bar": "overline", "underline": "underline", "vec": "arrow",
    "overrightarrow": "arrow", "hat": "hat", "widehat": "hat", "tilde": "tilde", "boxed": "",
    "mathcal": "cal", "mathbb": "bb", "mathfrak": "frak", "mathbf": "bold", "mathit": "italic",
}  # fmt: skip
_WORDS = {"text", "mathrm", "operatorname", "textbf", "textit", "texttt"}
_SILENT = {"left", "right", "limits", "displaystyle"}
_SPACES = {",", ";", ":", "quad", "qquad", " "}


class NotTypesetError(ValueError):
    """A text holds a command that has no typst here."""


def split(statement: str) -> list[tuple[str, bool]]:
    """Split a statement into pieces, each with whether it is mathematics.

    A piece of mathematics begins and ends with LaTeX. Operators, numbers and single letters between
    or beside two such words belong to it; punctuation behind it does not. Together the pieces are
    the statement.
    """
    parts = _parts(statement)
    kinds = [bool(_LATEX.search(part)) for part in parts]
    last = None
    for index, kind in enumerate(kinds):
        if not kind:
            continue
        between = parts[last + 1 : index] if last is not None else []
        if last is not None and all(_JOINING.fullmatch(part) for part in between):
            kinds[last + 1 : index] = [True] * len(between)
        last = index
    pieces: list[tuple[str, bool]] = []
    for part, kind in zip(parts, kinds, strict=True):
        if pieces and pieces[-1][1] == kind:
            pieces[-1] = (pieces[-1][0] + part, kind)
        else:
            pieces.append((part, kind))
    return pieces


def _parts(text: str) -> list[str]:
    """Split into words, blanks and the punctuation behind words, all outside of braces."""
    parts, depth, word = [], 0, ""
    for char in text:
        depth += (char == "{") - (char == "}")
        if char.isspace() and depth <= 0:
            parts += [*_ends(word), char]
            word = ""
        else:
            word += char
    return [part for part in [*parts, *_ends(word)] if part]


def _ends(word: str) -> tuple[str, str]:
    bare = word.rstrip(".,;:?!")
    return bare, word[len(bare) :]


def to_typst(latex: str) -> str:
    """Return a piece of mathematics as typst writes it, without dollar signs.

    Raises:
        NotTypesetError: it holds a command that is not known here, or braces that do not pair.
    """
    return _Typst(latex).run()


class _Typst:
    def __init__(self, latex: str) -> None:
        self.tokens, self.at = TOKEN.findall(latex), 0

    def run(self, closing: str | None = None) -> str:
        out: list[str] = []
        while self.at < len(self.tokens):
            if self.tokens[self.at] == closing:
                self.at += 1
                return " ".join(out)
            out.append(self.item())
        if closing:
            raise NotTypesetError(f"{closing} is missing")
        return " ".join(piece for piece in out if piece)

    def group(self) -> str:
        while self.at < len(self.tokens) and self.tokens[self.at] == " ":
            self.at += 1
        if self.at >= len(self.tokens):
            raise NotTypesetError("an argument is missing")
        if self.tokens[self.at] == "{":
            self.at += 1
            return self.run("}")
        return self.item()

    def item(self) -> str:
        sign = self.tokens[self.at]
        self.at += 1
        if sign in "^_":
            return f"{sign}({self.group()})"
        if sign == "{":
            return self.run("}")
        if sign in "}&":
            raise NotTypesetError(f"{sign} stands alone")
        if sign.startswith("\\"):
            return self.command(sign[1:])
        if sign.isdigit() or sign == ".":
            while self.at < len(self.tokens) and re.fullmatch(r"[\d.]", self.tokens[self.at]):
                sign += self.tokens[self.at]
                self.at += 1
            return f'"{sign}"' if not sign[0].isdigit() or sign[-1] == "." else sign
        return f'"{sign}"' if sign in '#$@"`~;,' else sign

    def command(self, name: str) -> str:
        if name in ("frac", "dfrac", "tfrac", "binom"):
            above, below = self.group(), self.group()
            return f"{'binom' if name == 'binom' else 'frac'}({above}, {below})"
        if name == "pmod":
            return f"(mod {self.group()})".replace("mod", '"mod "')
        if name == "sqrt":
            if self.at < len(self.tokens) and self.tokens[self.at] == "[":
                self.at += 1
                index = self.run("]")
                return f"root({index}, {self.group()})"
            return f"sqrt({self.group()})"
        if name in _WRAPPERS:
            inner = self.group()
            return f"{_WRAPPERS[name]}({inner})" if _WRAPPERS[name] else inner
        if name in _WORDS:
            return f'"{self.group().replace(" ", "")}"'
        if name in _SPACES:
            return "space"
        if name in _SILENT or name == "!":
            return ""
        if name in FUNCTIONS:
            return name
        if name in PLAIN:
            return f'"{PLAIN[name]}"' if PLAIN[name] == "\\" else PLAIN[name]
        if name in "{}%$#&_|":
            return f'"{name}"'
        raise NotTypesetError(f"\\{name} has no typst here")
