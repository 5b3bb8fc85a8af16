"""One notation for answers: Unicode, plain-text and LaTeX spellings brought to plain LaTeX.

Everything here is string work on capped input; nothing is evaluated. The module imports only the
standard library, so that the problem extractor can use `canonical_answer` at no cost.
"""

import functools
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from distil.notation.braces import balanced_end

_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿⁱ", "0123456789+-()ni", strict=True))
_SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋₍₎ₙ", "0123456789+-()n", strict=True))
_VULGAR = {
    "½": (1, 2), "⅓": (1, 3), "⅔": (2, 3), "¼": (1, 4), "¾": (3, 4), "⅕": (1, 5), "⅖": (2, 5),
    "⅗": (3, 5), "⅘": (4, 5), "⅙": (1, 6), "⅚": (5, 6), "⅐": (1, 7), "⅛": (1, 8), "⅜": (3, 8),
    "⅝": (5, 8), "⅞": (7, 8), "⅑": (1, 9), "⅒": (1, 10),
}  # fmt: skip
_GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "θ": "theta",
    "λ": "lambda", "μ": "mu", "π": "pi", "ρ": "rho", "σ": "sigma", "τ": "tau", "φ": "phi",
    "ϕ": "phi", "ω": "omega", "ψ": "psi", "Δ": "Delta", "Ω": "Omega", "Σ": "Sigma",
    "Θ": "Theta", "Φ": "Phi", "𝜋": "pi", "ξ": "xi", "η": "eta", "κ": "kappa",
}  # fmt: skip
_SYMBOLS = {
    "−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "﹣": "-", "×": r"\times ", "✕": r"\times ",
    "·": r"\cdot ", "⋅": r"\cdot ", "∙": r"\cdot ", "∗": "*", "÷": "/", "∕": "/", "⁄": "/",
    "≤": r"\le ", "⩽": r"\le ", "≦": r"\le ", "≥": r"\ge ", "⩾": r"\ge ", "≧": r"\ge ",
    "≠": r"\ne ", "≈": r"\approx ", "≃": r"\approx ", "≅": r"\approx ", "∞": r"\infty ",
    "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ", "∅": r"\emptyset ", "ø": r"\emptyset ",
    "±": r"\pm ", "∓": r"\mp ", "°": r"^{\circ}", "º": r"^{\circ}", "ℝ": r"\mathbb{R}",
    "ℤ": r"\mathbb{Z}", "…": r"\ldots ", "∖": r"\setminus ", "“": '"', "”": '"', "‘": "'",
    "’": "'", "′": "'", "⟨": "(", "⟩": ")", "∣": "|", "ℓ": "l", "⌊": r"\lfloor ",
    "⇒": r"\Rightarrow ", "⟹": r"\Rightarrow ", "∴": r"\therefore ",
    "∎": "", "■": "", "□": "", "✓": "", "✔": "", "✅": "",
    "⌋": r"\rfloor ", "⌈": r"\lceil ", "⌉": r"\rceil ", "\u00a0": " ", "\u2009": " ",
    "\u202f": " ", "\u2062": "", "\u200b": "", "\ufeff": "", "√": r"\sqrt ", "∛": r"\sqrt[3] ",
    "∜": r"\sqrt[4] ", "¢": r"\text{ cents}", "€": r"\euro ", "£": r"\pounds ",
}  # fmt: skip
_SYMBOLS |= {letter: rf"\{name} " for letter, name in _GREEK.items()}
# "x²"; "x2" has no raised digit.
_RAISED = re.compile("[" + "".join(map(re.escape, _SUPERSCRIPTS)) + "]+")
# "x₁"; "x1" has no lowered digit.
_LOWERED = re.compile("[" + "".join(map(re.escape, _SUBSCRIPTS)) + "]+")
# "½"; "1/2" is spelled out already.
_VULGAR_RUN = re.compile("[" + "".join(_VULGAR) + "]")


@dataclass(frozen=True)
class Rule:
    """One step from mark-up to plain LaTeX.

    Attributes:
        name: what the rule does; the tests hold an example and a counter-example under this name.
        pattern: what it replaces.
        replacement: by what: a template or a function of the match.
        sign: a text without which the pattern cannot match; looked for first, since it costs less.
    """

    name: str
    pattern: re.Pattern
    replacement: str | Callable[[re.Match], str]
    sign: str = "\\"


_RENAMES = {
    "leq": "le", "leqslant": "le", "geq": "ge", "geqslant": "ge", "neq": "ne", "lt": "<",
    "gt": ">", "varnothing": "emptyset", "lbrace": "{", "rbrace": "}", "simeq": "approx",
    "lvert": "|", "rvert": "|", "vert": "|", "land": "wedge", "lor": "vee", "backslash": "setminus",
    "dots": "ldots", "cdots": "ldots", "lbrack": "[", "rbrack": "]", "lparen": "(", "rparen": ")",
    "degree": "circ", "langle": "(", "rangle": ")",
    "thinspace": ",", "R": "mathbb{R}", "Z": "mathbb{Z}", "ast": "*",
}  # fmt: skip
_BARE = frozenset("<>|[]()*")
# What may separate thousands; a point may not.
_BOX_SEPARATORS = re.compile(r"\{,\}|,|\\[!,; ]|\s")
_LINES = r"(?:aligned|align\*?|gathered|gather\*?|split|equation\*?|d?cases|rcases)"
_GAP = r"(?:\s|\\[,;: ])"
# "13 680" as a whole; "1 2" is a pair.
_SPACED_THOUSANDS = re.compile(r"[-+]?\d{1,3}(?: \d{3})+(?:\.\d+)?")
# "1.234.567"; "1.234" is a decimal.
_DOTTED_THOUSANDS = re.compile(r"[-+]?\d{1,3}(?:\.\d{3}){2,}")
# "13,680"; "3,5" and "12,34" are lists.
_PLAIN_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,]\d|\d)")


def _renamed(found: re.Match) -> str:
    name = _RENAMES[found[1]]
    if name in _BARE:
        return name
    return f"\\{name}" + ("" if name[-1] in "{}" else " ")


def _selections(found: re.Match) -> str:
    n, kind, k = int(found[1]), found[2], int(found[3])
    if kind == "C":
        return rf"\binom{{{n}}}{{{k}}}"
    return rf"\frac{{{n}!}}{{({n}-{k})!}}" if k <= n else "0"


def _turned(found: re.Match) -> str:
    low, inside, high = found.groups()
    return ("(" if low == "]" else "[") + inside + (")" if high == "[" else "]")


def _rule(
    name: str,
    pattern: str,
    replacement: str | Callable[[re.Match], str],
    sign: str = "\\",
) -> Rule:
    return Rule(name, re.compile(pattern, re.DOTALL), replacement, sign)


# The comment above a rule says what it must leave alone.
RULES = (
    # "a \\ b": a break between two lines separates them.
    _rule("line break at the end", r"(?:\s|\\\\(?:\s*\[[^\]]*\])?|\\newline(?![a-z]))+$", ""),
    # "\left(" keeps its bracket.
    _rule("bracket left out", r"\\(?:left|right)\s*\.", ""),
    # "\leftarrow" and "\tagged" are other commands.
    _rule(
        "size and place",
        r"\\(?:displaystyle|textstyle|scriptstyle|limits|nolimits|left|right|middle|"
        r"[bB]ig{1,2}[lrm]?|normalsize|large|Large|boldmath|hfill|newline|"
        r"(?:hspace\*?|vspace\*?|phantom|label|tag\*?)\{[^{}]*\})(?![a-zA-Z])",
        "",
    ),
    # "\cancel{5} 6" is 6; what is struck out with braces inside stays.
    _rule("struck out", r"\\[xb]?cancel(?:to\s*\{[^{}]*\})?\s*\{[^{}]*\}", ""),
    # "\color{red}" before nothing stays.
    _rule("colour", r"\\(?:text)?color\s*\{[^{}]*\}(?=\s*[^\s}])", ""),
    # "\mathbb{R}" is a set, no style.
    _rule(
        "style",
        r"\\(?:mathbf|mathit|boldsymbol|bm|mathsf|mathtt|mathnormal|mathcal|pmb|bf|ensuremath|"
        r"underline|mathopen|mathclose|smash|uline|emph(?=\{[^a-zA-Z]*\}))(?![a-zA-Z])\s*",
        "",
    ),
    # "\rm e" without braces stays.
    _rule(
        "upright letters",
        r"\\(?:mathrm|mbox|hbox|textrm|textbf|textit|textsf|texttt|textnormal|operatorname\*?|emph|"
        r"rm|textup|textsc|textmd)\s*(?=\{)",
        r"\\text",
    ),
    # "\fraction" is no fraction.
    _rule("fraction", r"\\(?:dfrac|tfrac|cfrac|nicefrac|sfrac|xfrac)(?![a-zA-Z])", r"\\frac"),
    # "{a \overline b}" has no bar of a fraction.
    _rule("over", r"\{([^{}]*)\\over(?![a-zA-Z])([^{}]*)\}", r"\\frac{\1}{\2}"),
    # A figure goes by the letters of its corners; "\overline{z}" is a conjugate.
    _rule(
        "figure",
        r"\\(?:triangle|angle|measuredangle|square|odot)\s*([A-Z]{1,6})(?![a-zA-Z])"
        r"|\\(?:overline|overrightarrow|overleftrightarrow|widehat|vec)\s*\{\s*([A-Z]{2,6})\s*\}",
        lambda found: found[1] or found[2],
    ),
    # Miles over hours are a rate; "\frac{\text{a}}{2}" is a fraction.
    _rule(
        "rate",
        r"\\frac\s*\{\s*\\text\s*\{([^{}]*)\}\s*\}\s*\{\s*\\text\s*\{([^{}]*)\}\s*\}",
        r"\\text{\1 per \2}",
    ),
    # {}_{10}C_3 and ^{10}P_{3}; "x_{10}C_3" is a product.
    _rule(
        "selections",
        r"(?<![\w}])(?:\{\s*\})?\s*[_^]\s*\{?\s*(\d{1,4})\s*\}?\s*(?:\\text\s*\{\s*)?([CP])"
        r"(?:\s*\})?\s*_\s*\{?\s*(\d{1,4})\s*\}?",
        _selections,
        "_",
    ),
    # "a : b" is a ratio already.
    _rule("ratio sign", r"\{:\}", ":", "{:}"),
    # A matrix is no list of lines.
    _rule("lines", rf"\\(begin|end)\s*\{{{_LINES}\}}", r"\\\1{lines}", "\\begin"),
    # Open ends in the French notation: ]0, 1[; "[0, 1]" stays.
    _rule(
        "turned brackets",
        r"^(?=\]|.*\[$)([\[\]])([^\[\]()]*?[,;][^\[\]()]*?)([\[\]])",
        _turned,
        "[",
    ),
    # "\leqq" is not known here.
    _rule("names", r"\\(" + "|".join(_RENAMES) + r")(?![a-zA-Z])", _renamed),
    # "3 x 10^3"; "4 x", "2x3" and "3 x^2" hold a variable.
    _rule(
        "x for times",
        rf"(?<=\d){_GAP}*\\text\s*\{{\s*[xX]\s*\}}{_GAP}*(?=\d)|(?<=\d){_GAP}+[xX]{_GAP}+(?=\d)|"
        rf"(?<=\d){_GAP}*[xX]{_GAP}*(?=10\s*(?:\^|\*\*))",
        r"\\times ",
        "",
    ),
    # "12{,}34" is a decimal comma.
    _rule(
        "thousands set in TeX",
        r"(?<![\d.])(\d{1,3}(?:(?:\{,\}|,\s*\\[!,]|\\[,!; ])\s*\d{3})+)(?!\d)",
        lambda found: _BOX_SEPARATORS.sub("", found[1]),
        "",
    ),
    # "x'123" is a derivative.
    _rule(
        "Swiss thousands",
        r"(?<![\d.'])\d{1,3}(?:'\d{3})+(?![\d'])",
        lambda found: found.group().replace("'", ""),
        "'",
    ),
    # "1{,}234" has gone above.
    _rule("decimal comma", r"(\d)\{,\}(\d)", r"\1.\2", "{,}"),
    # "\quadratic" is no space, nor is the break of a matrix's line before ";".
    _rule(
        "space",
        r"\\(?:quad|qquad|enspace|enskip|space|medspace|thickspace|nobreakspace)(?![a-zA-Z])|~|"
        r"(?<!\\)\\[;:>!, ]",
        " ",
        "",
    ),
    # Two words keep one space.
    _rule("run of spaces", r"\s+", " ", ""),
)


def latex_from_unicode(text: str) -> str:
    r"""Replace Unicode mathematics by LaTeX: "¾b√a" gives "\frac{3}{4}b\sqrt a"."""
    if text.isascii():
        return text
    text = _RAISED.sub(
        lambda run: "^{" + "".join(_SUPERSCRIPTS[c] for c in run.group()) + "}", text
    )
    text = _LOWERED.sub(lambda run: "_{" + "".join(_SUBSCRIPTS[c] for c in run.group()) + "}", text)
    text = _VULGAR_RUN.sub(lambda run: r"\frac{{{}}}{{{}}}".format(*_VULGAR[run.group()]), text)
    text = "".join(_SYMBOLS.get(character, character) for character in text)
    # Only now: NFKC would have turned "x²" into "x2" and "½" into "1⁄2".
    return unicodedata.normalize("NFKC", text)


# "**12**" is 12 in bold; "2**3" and "5**a**2" are powers, "**5**7" is neither.
_EMPHASIS = re.compile(r"(?<![\w)\]}*])\*\*(?=[^\s*])([^*]+?)(?<!\s)\*\*(?![\w(*])")
# "12**" keeps no mark; "2**3" keeps its power.
_LONE_STARS = re.compile(r"^\s*\*\*(?!\*)(?!.*\*\*)|(?<!\*)\*\*\s*$")


def without_emphasis(text: str) -> str:
    """Drop Markdown's bold marks; two stars between operands are a power and stay."""
    if "**" not in text:
        return text
    return _LONE_STARS.sub("", _EMPHASIS.sub(r"\1", text))


def without_math_delimiters(text: str) -> str:
    r"""Drop `$...$`, `\(...\)`, `\[...\]` and Markdown emphasis; a currency sign stays, as `\$`."""
    text = without_emphasis(text).replace("`", "")
    for mark in (r"\(", r"\)", r"\[", r"\]"):
        # "\\[" is a matrix line break followed by a bracket, not a delimiter.
        if mark in text:
            text = re.sub(r"(?<!\\)" + re.escape(mark), " ", text)
    if "$" in text:
        pieces = re.split(r"(?<!\\)\$", text)
        if len(pieces) == 2 and re.match(r"\s*[-\d.(]", pieces[1]):
            return pieces[0] + r"\$" + pieces[1]
        text = " ".join(pieces)
    return text


@functools.lru_cache(maxsize=4096)
def clean(text: str) -> str:
    r"""One spelling for an answer: delimiters, fonts and spacing gone, synonyms merged.

    Args:
        text: an answer as a key prints it or a model writes it.

    Returns:
        LaTeX in which only `\frac`, `\sqrt`, `\text`, `\le`, `\ge`, `\ne`, `\cdot`, `\times` ...
        occur and thousands written with LaTeX separators are joined. Words stay words.
    """
    text = without_math_delimiters(latex_from_unicode(text.strip()))
    for rule in RULES:
        if rule.sign in text:
            text = rule.pattern.sub(rule.replacement, text)
    text = text.strip()
    if text.startswith("{") and "," in text and balanced_end(text, 0) == len(text) - 1:
        text = rf"\{text[:-1]}\}}"
    # A closing full stop or comma belongs to the sentence.
    while text and text[-1] in ".,;:" and not text.endswith(("...", r"\,", r"\;", r"\:")):
        text = text[:-1].rstrip()
    if _SPACED_THOUSANDS.fullmatch(text) or _DOTTED_THOUSANDS.fullmatch(text):
        text = text.replace(" ", "") if " " in text else text.replace(".", "")
    return text


def join_thousands(text: str) -> str:
    """Join plain thousands commas: "13,680" gives "13680"; lists such as "3,5" stay."""
    return _PLAIN_THOUSANDS.sub(lambda run: run.group().replace(",", ""), text)


_BASE_WORDS = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "sixteen": 16,
}  # fmt: skip
# "2114five"; "five" alone is a word.
_BASE_WORD = re.compile(r"^([0-9A-Ea-e]+)[_ ]?\(?\{?(" + "|".join(_BASE_WORDS) + r")\}?\)?$")
# "1/8 (must be this fraction)"; "(in cm)" goes too, "(1, 2)" stays.
_KEY_NOTE = re.compile(
    r"\s*[\[(]\s*(?:must|only|accept|no other|exact|do not|or equivalent|any order|fully|as a|in |"
    r"not |note)[^()\[\]]*[\])]\s*$|\s+(?:must be (?:this|a|in|exact|fully)\b.*|(?:exact|"
    r"only) answer\b.*)$",
    re.IGNORECASE,
)
# "\sqrt(5)", "\sqrt5"; "\sqrt{5}" is right already.
_ROOT = re.compile(r"\\sqrt(\[\d+\])? *(?:\(([^()]*)\)|(\d+(?:\.\d+)?|[A-Za-z]))")
# "sqrt(5)"; "\sqrt(5)" has gone above.
_PLAIN_ROOT = re.compile(r"(?<![\\A-Za-z])sqrt *\(([^()]*)\)")
# "3/4", "e/(e-1)"; "1/2/3" stays.
_RATIO = re.compile(
    r"(?<![\w.\\}^/])(\d+|[A-Za-z]{1,3}|\([^()/]*\)) */ *(\d+|[A-Za-z]|\([^()/]*\))(?![\w./^(])"
)
# "5 1/2"; "x5 1/2" stays.
_MIXED = re.compile(r"(?<![\w.\\/^])(\d+) +(\d+) */ *(\d+)(?![\w./])")


def _without_parentheses(text: str) -> str:
    return text[1:-1] if text.startswith("(") else text


def canonical_answer(raw: str) -> str:
    r"""Bring an answer as printed in a key to canonical LaTeX without delimiters.

    "20√21" gives "20\sqrt{21}", "3/4" gives "\frac{3}{4}", "13,680" gives "13680", "2114five" gives
    "2114_{5}", "( 8 ,23)" gives "(8, 23)". Words keep their spelling. Canonical text is a fixed
    point.

    Args:
        raw: the text of the key, Unicode or LaTeX.

    Returns:
        The canonical answer; an empty string for an empty one.
    """
    text = _KEY_NOTE.sub("", " ".join(raw.split()))
    text = clean(text)
    if not text:
        return ""
    text = join_thousands(text)
    base = _BASE_WORD.match(text)
    if base:
        return f"{base[1]}_{{{_BASE_WORDS[base[2]]}}}"
    text = re.sub(r"(\d)_(\d+)", r"\1_{\2}", text)
    text = _PLAIN_ROOT.sub(r"\\sqrt{\1}", text)
    text = _ROOT.sub(lambda found: rf"\sqrt{found[1] or ''}{{{found[2] or found[3]}}}", text)
    text = _MIXED.sub(r"\1\\frac{\2}{\3}", text)
    text = _RATIO.sub(
        lambda found: (
            rf"\frac{{{_without_parentheses(found[1])}}}{{{_without_parentheses(found[2])}}}"
        ),
        text,
    )
    if re.search(r"[A-Za-z]{4,}|\b(?:and|or)\b", re.sub(r"\\[a-zA-Z]+", "", text)):
        return text
    text = re.sub(r"\^(\w)(?!\w)", r"^{\1}", text)
    text = re.sub(r"\s*,\s*", ", ", text)
    text = re.sub(r"\s*([+=<>-])\s*", r"\1", text)
    text = re.sub(r"(?<=[(\[{])\s+|\s+(?=[)\]}])", "", text)
    text = re.sub(r"(?<=[\d})]) (?=[A-Za-z\\])(?!\\(?:le|ge|ne|in|cup|cap|text)\b)", "", text)
    return re.sub(r"(\\[a-zA-Z]+) (?![a-zA-Z])", r"\1", text).strip()
