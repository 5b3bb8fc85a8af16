"""One notation for answers: Unicode, plain-text and LaTeX spellings brought to plain LaTeX.

Everything here is string work on capped input; nothing is evaluated. The module imports only the
standard library, so that the problem extractor can use `canonical_answer` at no cost.
"""

import re
import unicodedata

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
    "∎": "", "■": "", "□": "", "✓": "", "✔": "", "✅": "",
    "⌋": r"\rfloor ", "⌈": r"\lceil ", "⌉": r"\rceil ", "\u00a0": " ", "\u2009": " ",
    "\u202f": " ", "\u2062": "", "\u200b": "", "\ufeff": "", "√": r"\sqrt ", "∛": r"\sqrt[3] ",
    "∜": r"\sqrt[4] ", "¢": r"\text{ cents}", "€": r"\euro ", "£": r"\pounds ",
}  # fmt: skip
_SYMBOLS |= {letter: rf"\{name} " for letter, name in _GREEK.items()}
_RAISED = re.compile("[" + "".join(map(re.escape, _SUPERSCRIPTS)) + "]+")
_LOWERED = re.compile("[" + "".join(map(re.escape, _SUBSCRIPTS)) + "]+")
_VULGAR_RUN = re.compile("[" + "".join(_VULGAR) + "]")
_DROPPED = re.compile(
    r"\\(?:displaystyle|textstyle|scriptstyle|limits|nolimits|left|right|middle|bigl|bigr|Bigl|Bigr"
    r"|biggl|biggr|Biggl|Biggr|big|Big|bigg|Bigg|normalsize|large|Large|boldmath|hfill|hspace\*?"
    r"\{[^{}]*\}|vspace\*?\{[^{}]*\}|phantom\{[^{}]*\}|label\{[^{}]*\}|"
    r"tag\*?\{[^{}]*\})(?![a-zA-Z])"
)
# A triangle, an angle or a segment goes by the letters of its corners.
_FIGURES = re.compile(
    r"\\(?:triangle|angle|measuredangle|square|odot)\s*([A-Z]{1,6})(?![a-zA-Z])"
    r"|\\(?:overline|overrightarrow|overleftrightarrow|widehat|vec)\s*\{\s*([A-Z]{2,6})\s*\}"
)
# "miles over hours" set as a fraction is a rate.
_RATE = re.compile(r"\\frac\s*\{\s*\\text\s*\{([^{}]*)\}\s*\}\s*\{\s*\\text\s*\{([^{}]*)\}\s*\}")
# Numbers of selections and arrangements: {}_{10}C_3, ^{10}P_{3}, nCr with numerals.
_SELECTIONS = re.compile(
    r"(?<![\w}])(?:\{\s*\})?\s*[_^]\s*\{?\s*(\d{1,4})\s*\}?\s*(?:\\text\s*\{\s*)?([CP])(?:\s*\})?"
    r"\s*_\s*\{?\s*(\d{1,4})\s*\}?"
)
_ALIGNED = re.compile(
    r"\\begin\s*\{(?:aligned|align\*?|gathered|split|equation\*?)\}(.*?)"
    r"\\end\s*\{(?:aligned|align\*?|gathered|split|equation\*?)\}",
    re.DOTALL,
)
# Open ends in the French notation: ]0, 1[.
_TURNED = re.compile(r"([\[\]])([^\[\]()]*?[,;][^\[\]()]*?)([\[\]])")
_NO_DELIMITER = re.compile(r"\\(?:left|right)\s*\.")
_STYLES = re.compile(
    r"\\(?:mathbf|mathit|boldsymbol|bm|mathsf|mathtt|mathnormal|mathcal|pmb|bf|ensuremath|underline"
    r"|mathopen|mathclose|smash|uline|emph(?=\{[^a-zA-Z]*\}))(?![a-zA-Z])\s*"
)
_TEXTS = re.compile(
    r"\\(?:mathrm|mbox|hbox|textrm|textbf|textit|textsf|texttt|textnormal|operatorname\*?|emph|rm"
    r"|textup|textsc|textmd)\s*(?=\{)"
)
_COLOURS = re.compile(r"\\(?:text)?color\s*\{[^{}]*\}(?=\s*[^\s}])")
_FRACTIONS = re.compile(r"\\(?:dfrac|tfrac|cfrac|nicefrac|sfrac|xfrac)(?![a-zA-Z])")
_RELATIONS = {
    "leq": "le", "leqslant": "le", "geq": "ge", "geqslant": "ge", "neq": "ne", "lt": "<",
    "gt": ">", "varnothing": "emptyset", "lbrace": "{", "rbrace": "}", "simeq": "approx",
    "lvert": "|", "rvert": "|", "vert": "|", "land": "wedge", "lor": "vee", "backslash": "setminus",
    "dots": "ldots", "cdots": "ldots", "lbrack": "[", "rbrack": "]", "lparen": "(", "rparen": ")",
    "degree": "circ", "langle": "(", "rangle": ")",
    "thinspace": ",", "R": "mathbb{R}", "Z": "mathbb{Z}", "ast": "*",
}  # fmt: skip
_RENAMED = re.compile(r"\\(" + "|".join(_RELATIONS) + r")(?![a-zA-Z])")
_BARE = frozenset("<>|[]()*")
_SPACES = re.compile(
    r"\\(?:quad|qquad|enspace|enskip|space|medspace|thickspace|nobreakspace)(?![a-zA-Z])|~|\\[;:>]"
)
_EXPLICIT_THOUSANDS = re.compile(
    r"(?<![\d.])(\d{1,3}(?:(?:\{,\}|,\s*\\[!,]|\\[,!; ])\s*\d{3})+)(?!\d)"
)
_SEPARATORS = re.compile(r"\{,\}|,|\\[!,; ]|\s")
_DECIMAL_COMMA = re.compile(r"(\d)\{,\}(\d)")
_PLAIN_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,]\d|\d)")
_SWISS_THOUSANDS = re.compile(r"(?<![\d.'])\d{1,3}(?:'\d{3})+(?![\d'])")
_SPACED_THOUSANDS = re.compile(r"[-+]?\d{1,3}(?: \d{3})+(?:\.\d+)?")
_DOTTED_THOUSANDS = re.compile(r"[-+]?\d{1,3}(?:\.\d{3}){2,}")


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


def without_math_delimiters(text: str) -> str:
    r"""Drop `$...$`, `\(...\)`, `\[...\]` and Markdown emphasis; a currency sign stays, as `\$`."""
    text = text.replace("**", "").replace("`", "")
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


def _aligned(found: re.Match) -> str:
    return found[1].replace("\\\\", ", ").replace("&", " ")


def _turned(found: re.Match) -> str:
    low, inside, high = found.groups()
    return ("(" if low == "]" else "[") + inside + (")" if high == "[" else "]")


def _selections(found: re.Match) -> str:
    n, kind, k = int(found[1]), found[2], int(found[3])
    if kind == "C":
        return rf"\binom{{{n}}}{{{k}}}"
    return rf"\frac{{{n}!}}{{({n}-{k})!}}" if k <= n else "0"


def clean(text: str) -> str:
    r"""One spelling for an answer: delimiters, fonts and spacing gone, synonyms merged.

    Args:
        text: an answer as a key prints it or a model writes it.

    Returns:
        LaTeX in which only `\frac`, `\sqrt`, `\text`, `\le`, `\ge`, `\ne`, `\cdot`, `\times` ...
        occur and thousands written with LaTeX separators are joined. Words stay words.
    """
    text = latex_from_unicode(text.strip())
    text = without_math_delimiters(text)
    text = _NO_DELIMITER.sub("", text)
    text = _DROPPED.sub("", text)
    text = _COLOURS.sub("", text)
    text = _STYLES.sub("", text)
    text = _TEXTS.sub(r"\\text", text)
    text = _FRACTIONS.sub(r"\\frac", text)
    text = _FIGURES.sub(lambda figure: figure[1] or figure[2], text)
    text = _RATE.sub(r"\\text{\1 per \2}", text)
    text = _SELECTIONS.sub(_selections, text)
    text = text.replace("{:}", ":")
    if "\\begin" in text:
        text = _ALIGNED.sub(_aligned, text)
    if text.startswith("]") or text.endswith("["):
        text = _TURNED.sub(_turned, text)
    text = _RENAMED.sub(
        lambda found: (
            _RELATIONS[found[1]]
            if _RELATIONS[found[1]] in _BARE
            else "\\" + _RELATIONS[found[1]] + ("" if _RELATIONS[found[1]][-1] in "{}" else " ")
        ),
        text,
    )
    text = _EXPLICIT_THOUSANDS.sub(lambda run: _SEPARATORS.sub("", run[1]), text)
    text = _SWISS_THOUSANDS.sub(lambda run: run.group().replace("'", ""), text)
    text = _DECIMAL_COMMA.sub(r"\1.\2", text)
    text = _SPACES.sub(" ", text)
    text = re.sub(r"\\[!,]", " ", text)
    text = re.sub(r"(?<!\\)\\ ", " ", text)
    text = re.sub(r"\s+", " ", text).strip()
    # A closing full stop or comma belongs to the sentence.
    if text.startswith("{") and "," in text and balanced_end(text, 0) == len(text) - 1:
        text = rf"\{text[:-1]}\}}"
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
_BASE_WORD = re.compile(r"^([0-9A-Ea-e]+)[_ ]?\(?\{?(" + "|".join(_BASE_WORDS) + r")\}?\)?$")
_KEY_NOTE = re.compile(
    r"\s*[\[(]\s*(?:must|only|accept|no other|exact|do not|or equivalent|any order|fully|as a|in |"
    r"not |note)[^()\[\]]*[\])]\s*$|\s+(?:must be (?:this|a|in|exact|fully)\b.*|(?:exact|"
    r"only) answer\b.*)$",
    re.IGNORECASE,
)
_ROOT = re.compile(r"\\sqrt(\[\d+\])? *(?:\(([^()]*)\)|(\d+(?:\.\d+)?|[A-Za-z]))")
_PLAIN_ROOT = re.compile(r"(?<![\\A-Za-z])sqrt *\(([^()]*)\)")
_RATIO = re.compile(
    r"(?<![\w.\\}^/])(\d+|[A-Za-z]{1,3}|\([^()/]*\)) */ *(\d+|[A-Za-z]|\([^()/]*\))(?![\w./^(])"
)
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
