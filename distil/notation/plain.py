r"""LaTeX-ish text as a person would type it.

    plain(r"\frac{a + b}{2}")  # (a + b)/2

Only the subset of LaTeX that the extraction of exams writes is known; other commands stay as words.
"""

from __future__ import annotations

import re

from distil.notation.characters import COMMANDS, FUNCTIONS, SPACED

PLAIN = {name: char for char, name in reversed(COMMANDS.items())} | {
    "le": "≤", "ge": "≥", "ne": "≠", "to": "→", "rightarrow": "→", "dots": "…", "ldots": "…",
    "cdots": "⋯", "mid": "|", "vert": "|", "lvert": "|", "rvert": "|", "varnothing": "∅",
    "circ": "∘",
    "prime": "'", "backslash": "\\", "star": "*", "ast": "*", "cdot": "·", "sqrt": "√",
    "Delta": "Δ", "Omega": "Ω", "mu": "μ", "leq": "≤", "geq": "≥", "implies": "⟹", "iff": "⟺",
}  # fmt: skip
TOKEN = re.compile(r"\\[A-Za-z]+|\\.|[{}^_&]|[^\\{}^_&]", re.S)
ATOMIC = re.compile(r"^(\w+|\d+(\.\d+)?|[^\W\d]|[^\w\s])?$")


def plain(latex: str, *, brackets: bool = True) -> str:
    """Return LaTeX-ish text as a person would type it.

    Args:
        latex: text with inline LaTeX, no delimiters.
        brackets: whether to put brackets around scripts and parts of fractions that need them.

    Returns:
        One line: x^2, x_(n-1), (a + b)/2, √(5), {1, 2}.
    """
    return re.sub(r"[ \t]+", " ", _Reader(latex, brackets).run()).strip()


class _Reader:
    """A reader of the LaTeX subset that extraction writes."""

    def __init__(self, latex: str, brackets: bool) -> None:
        self.tokens = TOKEN.findall(latex)
        self.brackets = brackets
        self.at = 0

    def run(self, closing: str | None = None) -> str:
        out: list[str] = []
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            if token == closing:
                self.at += 1
                break
            out.append(self.item())
        return "".join(out)

    def group(self) -> str:
        while self.at < len(self.tokens) and self.tokens[self.at] == " ":
            self.at += 1
        if self.at < len(self.tokens) and self.tokens[self.at] == "{":
            self.at += 1
            return self.run("}").strip()
        return self.item() if self.at < len(self.tokens) else ""

    def raw_group(self) -> str:
        start = self.at
        self.group()
        return "".join(self.tokens[start : self.at]).strip("{}")

    def item(self) -> str:
        piece = self.tokens[self.at]
        self.at += 1
        if piece in "^_":
            inner = self.group()
            if piece == "^" and inner == "∘":
                return "°"
            bare = ATOMIC.match(inner) or not self.brackets
            return piece + (inner if bare else f"({inner})")
        if piece == "{":
            return self.run("}")
        if piece == "}":
            return ""
        if piece == "&":
            return " "
        if not piece.startswith("\\"):
            return piece
        return self.command(piece[1:])

    def command(self, name: str) -> str:
        if name in ("frac", "dfrac", "tfrac"):
            above, below = self.group(), self.group()
            return f"{self.part(above)}/{self.part(below)}"
        if name in ("binom", "dbinom", "tbinom"):
            above, below = self.group(), self.group()
            return f"C({above}, {below})"
        if name == "sqrt":
            index = ""
            if self.at < len(self.tokens) and self.tokens[self.at] == "[":
                self.at += 1
                index = self.run("]")
            degree = {"": "√", "2": "√", "3": "∛", "4": "∜"}.get(index, f"root[{index}]")
            return f"{degree}({self.group()})"
        if name in ("overline", "bar", "vec", "hat", "widehat", "tilde", "overrightarrow"):
            return self.group()
        if name in ("mathcal", "mathbb", "mathfrak", "mathbf", "mathrm", "text", "operatorname",
                    "boxed", "textbf", "underline", "mathit"):  # fmt: skip
            return self.group()
        if name == "begin":
            self.raw_group()
            return "["
        if name == "end":
            self.raw_group()
            return "]"
        if name == "pmod":
            return f"(mod {self.group()})"
        if name in ("left", "right", "limits", "displaystyle"):
            return ""
        if name == "\\":
            return "; "
        if name in (",", ";", ":", "quad", "qquad", "!"):
            return " " if name != "!" else ""
        if name.isalpha():
            after = self.tokens[self.at] if self.at < len(self.tokens) else ""
            following = self.tokens[self.at + 1] if self.at + 1 < len(self.tokens) else ""
            if name in FUNCTIONS:
                return name
            known = PLAIN.get(name, name)
            # The space that ends a command is no space of the text, unless the command is a word.
            later = self.tokens[self.at + 2] if self.at + 2 < len(self.tokens) else ""
            single = following.isalnum() and not later.isalpha()
            if after == " " and (single or known in "∠△∡") and known not in SPACED:
                self.at += 1
            return known
        return name

    def part(self, text: str) -> str:
        simple = not self.brackets or re.fullmatch(r"\w+|\d+(\.\d+)?|√\([^()]*\)|\([^()]*\)", text)
        return text if simple else f"({text})"
