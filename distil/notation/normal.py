r"""One form for a question, however it was typed: what it says, not how it was written down.

    normal_form(r"Find $\tfrac12$ of $x^{2}$.") == normal_form("find (1)/(2) of x²")

LaTeX or plain, `\dfrac` or `/`, `√` or `sqrt`, superscript digits, case, punctuation and number
words make no difference. `2(x+3)` and `2x+3` stay different.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱᵃᵇᶜᵈᵉᶠᵍʰʲᵏˡᵐᵒᵖʳˢᵗᵘᵛʷˣʸᶻ"
_SUBSCRIPTS = "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵧ"
_SYMBOLS = str.maketrans(
    {
        **dict.fromkeys("−–‐‑‒﹣－", "-"),
        **dict.fromkeys("×·∙⋅∗✕*", " "),
        **dict.fromkeys("÷∕⁄", "/"),
        **dict.fromkeys("°∘", " degrees "),
        **dict.fromkeys("△Δ∆", " triangle "),
        **dict.fromkeys("≦⩽", "≤"),
        **dict.fromkeys("≧⩾", "≥"),
        "—": " ",
        "√": " sqrt ",
        "∛": " sqrt 3 ",
        "∠": " angle ",
        "∞": " infty ",
        "∑": " sum ",
        "Σ": " sum ",
    }
)
_COMMANDS = {
    **dict.fromkeys(("cdot", "times", "ast"), " "),
    **dict.fromkeys(("le", "leq", "leqslant"), "≤"),
    **dict.fromkeys(("ge", "geq", "geqslant"), "≥"),
    **dict.fromkeys(("ne", "neq"), "≠"),
    **dict.fromkeys(("circ", "degree"), "degrees"),
    **dict.fromkeys(("Delta", "bigtriangleup"), "triangle"),
    **dict.fromkeys(("lvert", "rvert", "vert", "mid"), "|"),
    **dict.fromkeys(("to", "rightarrow"), "→"),
    **dict.fromkeys(("ldots", "cdots", "dots", "quad", "qquad", "displaystyle", "limits"), " "),
    "div": "/",
    "pm": "±",
    "cap": "∩",
    "cup": "∪",
    "varphi": "phi",
    "varepsilon": "epsilon",
}
# Rewritten from the innermost braces outwards, until nothing changes.
_ARGUMENT = r"\s*(?:\{([^{}]*)\}|([^\s\\{}]))"
_CONSTRUCTS = (
    (re.compile(rf"\\[dtc]?frac{_ARGUMENT}{_ARGUMENT}"), r" (\1\2)/(\3\4) "),
    (re.compile(r"\\sqrt\s*\[([^\[\]{}]*)\]\s*\{([^{}]*)\}"), r" sqrt \1 (\2) "),
    (re.compile(r"\\sqrt\s*\{([^{}]*)\}"), r" sqrt (\1) "),
    (re.compile(r"([\^_])\s*\{([^{}]*)\}"), r"\1(\2)"),
    # Commands about looks say nothing about the question.
    (
        re.compile(
            r"\\(?:text(?:bf|it|rm|normal)?|math(?:rm|bf|it|bb|cal|sf)|operatorname|mbox|emph|"
            r"overline|underline|bar)\s*\{([^{}]*)\}"
        ),
        r" \1 ",
    ),
)
_NUMBER_WORDS = {
    "zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6",
    "seven": "7", "eight": "8", "nine": "9", "ten": "10", "eleven": "11", "twelve": "12",
    "thirteen": "13", "fourteen": "14", "fifteen": "15", "sixteen": "16", "seventeen": "17",
    "eighteen": "18", "nineteen": "19", "twenty": "20",
}  # fmt: skip
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
# Words, numbers and signs that carry meaning; commas, full stops, colons and quotes do not.
_TOKEN = re.compile(r"\d+(?:\.\d+)?|[^\W\d_]+|[^\w\s.,;:?'\"`“”‘’„…$\\&~]|_")


def problem_text(problem: Mapping[str, Any]) -> str:
    """Return all a problem asks: its statement and its options."""
    options = [f"({option['label']}) {option['text']}" for option in problem.get("options") or []]
    return " ".join([problem["statement"], *options])


def normal_form(text: str) -> tuple[str, ...]:
    r"""Reduce a question to its tokens, however it was typed.

    The order of words and numbers is kept. `\frac{1}{2}`, `\tfrac12` and `1/2` become the same
    three tokens, and so do `x^{2}`, `x^2` and `x²`; `2(x+3)` and `2x+3` stay different.
    """
    text = re.sub(f"[{_SUPERSCRIPTS}]+", lambda run: f"^({run.group()})", text)
    text = re.sub(f"[{_SUBSCRIPTS}]+", lambda run: f"_({run.group()})", text)
    text = re.sub("[¼-¾⅐-⅞]", lambda sign: f" {sign.group()} ", text)
    text = text.translate(_SYMBOLS)
    text = "".join(
        char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char)
    )
    text = _spell_greek(_plain_latex(text.translate(_SYMBOLS))).lower()
    text = text.replace("percent", "%").replace("<=", "≤").replace(">=", "≥").replace("!=", "≠")
    text = re.sub(r"(?<=[a-z]{2})-(?=[a-z]{2})", " ", text)
    text = re.sub(r"(?<![\d)])(?<!\b[a-z])!", " ", text)
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    text = re.sub(r"(?<![\d.])\.(?=\d)", "0.", text)
    return _drop_needless_brackets([_plain_token(token) for token in _TOKEN.findall(text)])


def mask_numbers(tokens: Sequence[str]) -> tuple[str, ...]:
    """Replace every number of a normal form by `#`."""
    return tuple("#" if _NUMBER.fullmatch(token) else token for token in tokens)


def numbers_of(tokens: Sequence[str]) -> tuple[str, ...]:
    """Return the numbers of a normal form in order."""
    return tuple(token for token in tokens if _NUMBER.fullmatch(token))


def _plain_latex(text: str) -> str:
    text = re.sub(r"\\(?:begin|end)\s*\{\w+\*?\}", " ", text)
    text = re.sub(r"\\(?:left|right|[bB]igg?[lr]?)(?![a-zA-Z])\.?", " ", text)
    text = re.sub(r"\{,\}|\\[,!](?=\d{3})", ",", text)
    text = re.sub(r"\^\s*\{?\s*\\(?:circ|degree)\s*\}?", " degrees ", text)
    # Set braces become brackets before the braces of commands are resolved.
    text = text.replace(r"\{", "(").replace(r"\}", ")")
    before = None
    while before != text:
        before = text
        for pattern, replacement in _CONSTRUCTS:
            text = pattern.sub(replacement, text)
    text = re.sub(r"\\([a-zA-Z]+)", lambda m: f" {_COMMANDS.get(m[1], m[1])} ", text)
    text = re.sub(r"\\[^%]", " ", text).replace("\\", "")
    return text.translate(str.maketrans("{[}]", "(())"))


def _spell_greek(text: str) -> str:
    return "".join(
        f" {unicodedata.name(char).split()[-1]} " if "Ͱ" <= char <= "Ͽ" and char.isalpha() else char
        for char in text
    )


def _plain_token(token: str) -> str:
    if "." in token:
        token = token.rstrip("0").rstrip(".")
    return _NUMBER_WORDS.get(token, token)


def _drop_needless_brackets(tokens: list[str]) -> tuple[str, ...]:
    # Brackets around a single token, or around a signed one in an exponent, group nothing.
    kept: list[str] = []
    for sign in tokens:
        if sign == ")":
            if kept[-2:-1] == ["("]:
                kept[-2:] = kept[-1:]
                continue
            if kept[-3:-1] == ["(", "-"] and kept[-4:-3] in (["^"], ["_"]):
                kept[-3:] = kept[-2:]
                continue
        kept.append(sign)
    return tuple(kept)
