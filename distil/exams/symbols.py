"""LaTeX names of mathematical characters, and the plain rendering of LaTeX-ish text."""

from __future__ import annotations

import functools
import re

COMMANDS = {
    "\u2126": "Omega", "\u2206": "Delta", "\u00b5": "mu", "\u03bc": "mu", "\u03a9": "Omega",
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ϵ": "epsilon", "ε": "varepsilon",
    "ζ": "zeta", "η": "eta", "θ": "theta", "ϑ": "vartheta", "ι": "iota", "κ": "kappa",
    "λ": "lambda", "ν": "nu", "ξ": "xi", "π": "pi", "ϖ": "varpi",
    "ρ": "rho", "ϱ": "varrho", "σ": "sigma", "ς": "varsigma", "τ": "tau", "υ": "upsilon",
    "ϕ": "phi", "φ": "varphi", "χ": "chi", "ψ": "psi", "ω": "omega",
    "Γ": "Gamma", "Δ": "Delta", "Θ": "Theta", "Λ": "Lambda", "Ξ": "Xi", "Π": "Pi",
    "Σ": "Sigma", "Υ": "Upsilon", "Φ": "Phi", "Ψ": "Psi",
    "≤": "leq", "⩽": "leq", "≥": "geq", "⩾": "geq", "≠": "neq", "≡": "equiv", "≈": "approx",
    "≅": "cong", "∼": "sim", "≃": "simeq", "∝": "propto", "≪": "ll", "≫": "gg", "≺": "prec",
    "≻": "succ", "±": "pm", "∓": "mp", "×": "times", "÷": "div", "·": "cdot", "⋅": "cdot",
    "∙": "bullet", "∗": "ast", "⋆": "star", "∘": "circ", "◦": "circ", "⊕": "oplus",
    "⊖": "ominus", "⊗": "otimes", "⊘": "oslash", "⊙": "odot", "⋄": "diamond", "∞": "infty",
    "∂": "partial", "∇": "nabla", "∀": "forall", "∃": "exists", "∈": "in", "∉": "notin",
    "∋": "ni", "⊂": "subset", "⊃": "supset", "⊆": "subseteq", "⊇": "supseteq", "⊄": "not\\subset",
    "∪": "cup", "∩": "cap", "∅": "emptyset", "∖": "setminus", "∧": "wedge", "∨": "vee",
    "¬": "neg", "⊤": "top", "⊥": "perp", "⟂": "perp", "∥": "parallel", "∦": "nparallel",
    "∣": "mid", "∤": "nmid", "∠": "angle", "∡": "measuredangle", "△": "triangle",
    "▵": "triangle", "▽": "triangledown", "□": "square", "◯": "bigcirc",
    "→": "to", "←": "leftarrow", "↔": "leftrightarrow", "⇒": "Rightarrow", "⇐": "Leftarrow",
    "⇔": "Leftrightarrow", "↦": "mapsto", "↑": "uparrow", "↓": "downarrow", "⟶": "longrightarrow",
    "⟹": "implies", "⟺": "iff", "⟨": "langle", "⟩": "rangle", "⌊": "lfloor", "⌋": "rfloor",
    "⌈": "lceil", "⌉": "rceil", "ℓ": "ell", "ℜ": "Re", "ℑ": "Im", "ℵ": "aleph", "ℏ": "hbar",
    "…": "ldots", "⋯": "cdots", "⋮": "vdots", "⋱": "ddots", "∑": "sum", "∏": "prod",
    "∐": "coprod", "∫": "int", "∬": "iint", "∮": "oint", "⋃": "bigcup", "⋂": "bigcap",
    "⨁": "bigoplus", "⨂": "bigotimes", "⋁": "bigvee", "⋀": "bigwedge", "⊎": "uplus",
    "√": "sqrt", "⊢": "vdash", "⊣": "dashv", "≀": "wr", "†": "dagger", "‡": "ddagger",
    "∴": "therefore", "∵": "because", "♠": "spadesuit", "♣": "clubsuit", "♡": "heartsuit",
    "♢": "diamondsuit", "〈": "langle", "〉": "rangle", "\u2329": "langle",
    "\u232a": "rangle", "★": "star", "○": "circ", "⨿": "coprod",
    "◻": "square", "⧵": "setminus", "✓": "checkmark", "⪯": "preceq", "⪰": "succeq", "♯": "sharp",
    "♭": "flat", "♮": "natural", "≜": "triangleq", "≔": ":=", "⊔": "sqcup", "⊓": "sqcap",
}  # fmt: skip
LITERAL = {
    "−": "-", "∶": ":", "′": "'", "″": "''", "‴": "'''", "{": r"\{", "}": r"\}",
    "\\": r"\backslash",
    "≔": ":=", "⁄": "/", "∕": "/", "‐": "-", "‑": "-", "‖": r"\|", "\u00ad": "-", "⃗": "",
    "½": r"\frac{1}{2}", "¼": r"\frac{1}{4}", "¾": r"\frac{3}{4}", "⅓": r"\frac{1}{3}",
    "⅔": r"\frac{2}{3}", "⅛": r"\frac{1}{8}", "⅜": r"\frac{3}{8}", "⅝": r"\frac{5}{8}",
    "⅞": r"\frac{7}{8}", "⅕": r"\frac{1}{5}", "⅖": r"\frac{2}{5}", "⅗": r"\frac{3}{5}",
    "⅘": r"\frac{4}{5}", "⅙": r"\frac{1}{6}", "⅚": r"\frac{5}{6}",
    "°": r"^{\circ}", "º": r"^{\circ}", "˚": r"^{\circ}", "¹": "^{1}", "²": "^{2}", "³": "^{3}",
    **{char: f"^{{{digit}}}" for digit, char in zip("0456789", "⁰⁴⁵⁶⁷⁸⁹", strict=True)},
    "ⁿ": "^{n}", "⁺": "^{+}", "⁻": "^{-}",
    **{char: f"_{{{digit}}}" for digit, char in enumerate("₀₁₂₃₄₅₆₇₈₉")},
    "ₙ": "_{n}", "ₖ": "_{k}", "ᵢ": "_{i}",
}  # fmt: skip
DOUBLE = {"ℂ": "C", "ℍ": "H", "ℕ": "N", "ℙ": "P", "ℚ": "Q", "ℝ": "R", "ℤ": "Z"}
SCRIPT = {
    "ℬ": "B", "ℰ": "E", "ℱ": "F", "ℋ": "H", "ℐ": "I", "ℒ": "L", "ℳ": "M", "ℛ": "R", "ℯ": "e",
    "ℊ": "g", "ℴ": "o",
}  # fmt: skip
FRAKTUR = {"ℭ": "C", "ℌ": "H", "ℨ": "Z"}
FUNCTIONS = (
    "arccos", "arcsin", "arctan", "cosh", "sinh", "tanh", "cos", "cot", "csc", "sec", "sin", "tan",
    "log", "ln", "lg", "exp", "gcd", "det", "dim", "ker", "arg", "deg", "max", "min", "sup", "inf",
    "lim", "Pr",
)  # fmt: skip
LIMIT_WORDS = ("limsup", "liminf", "lim", "max", "min", "sup", "inf", "gcd", "argmax", "argmin")
BIG_OPERATORS = set("∑∏∐⋃⋂⋁⋀⨁⨂⨀⨄⨆")
INTEGRALS = set("∫∬∭∮")
RELATIONS = set("=<>≤≥⩽⩾≠≡≈≅∼≃∝∈∉∋⊂⊃⊆⊇→←↔⇒⇐⇔↦≪≫∣∤∥⊥")
OPERATORS = set("+−×÷±∓·⋅∪∩∖∘⊕⊗∧∨")
SPACED = RELATIONS | OPERATORS | set("…⋯⟹⟺|") | {":="}
OPENERS = set("([{⟨⌊⌈")
CLOSERS = set(")]}⟩⌋⌉")


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
