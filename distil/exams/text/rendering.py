r"""Rendering: the items of one line as LaTeX-ish text, with scripts, function names and spaces.

    render(line.items)  # "x^{2} + \frac{1}{2}"

Spaces of words are those of the page; spaces around signs of operation are put in, since text style
and script style set signs close and display style does not.
"""

from __future__ import annotations

import re

from distil.exams.text.items import Item, by_place, right_end
from distil.exams.text.symbols import latex_of, letter_of
from distil.exams.text.tolerances import WORD_GAP, WORDS
from distil.notation.braces import balanced_end
from distil.notation.characters import FUNCTIONS, OPENERS, RELATIONS

Token = tuple[str, list[Item]]

WORD_END = re.compile(r"\\[A-Za-z]+$")
PRIMES = re.compile(r"['’]+")
SIGNS = "+−±∓"
BINARY_WORDS = {"leq", "geq", "neq", "times", "cdot", "pm", "mp", "div", "to", "in", "equiv", "log"}
LONGEST_FUNCTION = 7


def render(items: list[Item], script: bool = False) -> str:
    """Return items of one line as LaTeX-ish text.

    Args:
        items: in any order.
        script: whether they are a superscript or subscript, where signs have no spaces.
    """
    tokens = tokenise(sorted(items, key=by_place))
    out = ""
    previous: Item | None = None
    after_sign = False
    after_command = False
    for place, (token, group) in enumerate(tokens):
        first, last = group[0], group[-1]
        sign = False
        if previous is not None:
            sign = not script and is_binary(tokens, place)
            gap = first.x0 - right_end(previous)
            size = max(previous.size, first.size) if not script else first.size
            if (
                sign
                or after_sign
                or gap > WORD_GAP * size
                or (first.spaced and gap > WORDS.spaced_gap * size)
                or (not script and is_after_word(tokens, place))
                or (after_command and token[:1].isalpha())
            ):
                out += " "
        after_sign = sign
        scripts = render_scripts(last)
        out += token + scripts
        after_command = not scripts and bool(WORD_END.search(token))
        previous = last
    return out


def render_scripts(item: Item) -> str:
    """Return an item's subscript and superscript as LaTeX; primes are written as such."""
    out = ""
    sub = render(item.sub, script=True) if item.sub else ""
    sup = render(item.sup, script=True) if item.sup else ""
    if sub:
        out += f"_{{{tighten(sub)}}}"
    if sup:
        primes = PRIMES.match(sup)
        if primes and primes.end() == len(sup):
            out += sup.replace("’", "'")
        elif primes:
            out += f"{primes.group()}^{{{tighten(sup[primes.end() :])}}}"
        else:
            out += f"^{{{tighten(sup)}}}"
    return out


def glyph_latex(item: Item) -> str:
    """Return an item's own LaTeX, scripts left out."""
    if item.latex:
        return item.latex
    if len(item.text) == 1:
        return latex_of(item.text)
    return "".join(latex_of(char) for char in item.text)


def is_math(item: Item) -> bool:
    """Return whether an item can only be mathematics."""
    if item.kind != "glyph" or item.sup or item.sub:
        return True
    return "m" in item.style or bool(letter_of(item.text)[1]) or item.text[:1].isdigit()


def is_binary(tokens: list[Token], place: int) -> bool:
    """Return whether a token is a sign between two operands, to be set off by spaces.

    Tight lines and text style close the spaces up, so that they say nothing; only a minus with a
    space before and none after, as in `add -3`, is taken for what it looks like.
    """
    item = tokens[place][1][0]
    if item.kind != "glyph" or place + 1 >= len(tokens):
        return False
    if item.text in RELATIONS:
        return True
    if item.text not in SIGNS:
        return False
    before, after = tokens[place - 1][1][-1], tokens[place + 1][1][0]
    if before.text and (
        before.text in OPENERS or before.text in RELATIONS or before.text in SIGNS + "×·⋅÷,;:/|"
    ):
        return False
    ahead = item.x0 - right_end(before)
    behind = after.x0 - item.x1
    return not (ahead > WORD_GAP * item.size and behind < WORDS.sign_behind * ahead)


def is_after_word(tokens: list[Token], place: int) -> bool:
    """Return whether a token is a variable alone that touches the upright word before it.

    PDFium leaves out a move to the right that ends a string, as `eqn` writes it: `isn` for `is n`.
    """
    if place < 2 or not is_letter(tokens[place], slanted=True):
        return False
    item = tokens[place][1][0]
    for _, (after, *_) in tokens[place + 1 : place + 2]:
        if after.text.isalpha() and after.x0 - item.x1 < WORD_GAP * item.size:
            return False
    return all(is_letter(token, slanted=False) for token in tokens[place - 2 : place])


def is_letter(token: Token, *, slanted: bool) -> bool:
    """Return whether a token is one ASCII letter without scripts, slanted or upright."""
    item = token[1][0]
    return (
        token[0] == item.text
        and len(item.text) == 1
        and item.text.isascii()
        and item.text.isalpha()
        and ("i" in item.style) == slanted
        and not (item.sup or item.sub)
    )


def tokenise(items: list[Item]) -> list[Token]:
    """Return the tokens of a line: function names as commands, all else item by item."""
    tokens: list[Token] = []
    position = 0
    while position < len(items):
        item = items[position]
        if item.kind == "glyph" and item.text.isalpha() and not item.latex:
            end = word_end(items, position)
            name = "".join(part.text for part in items[position:end])
            if (
                name in FUNCTIONS
                and starts_word(items, position)
                and takes_argument(items, position, end)
            ):
                tokens.append(("\\" + name, items[position:end]))
                position = end
                continue
            if end - position > 1:
                tokens.extend((glyph_latex(part), [part]) for part in items[position:end])
                position = end
                continue
        if item.text == "√" and not item.latex and position + 1 < len(items):
            end = radicand_end(items, position + 1)
            # Its scripts are those of the whole, as of every token.
            inside = "".join(map(glyph_latex, items[position + 1 : end]))
            tokens.append((f"\\sqrt{{{inside}}}", items[position:end]))
            position = end
            continue
        tokens.append((glyph_latex(item), [item]))
        position += 1
    return tokens


def radicand_end(items: list[Item], start: int) -> int:
    """Return where that ends which a root sign without a bar applies to: a number, or one item."""
    end = start + 1
    if items[start].text.isdigit():
        while (
            end < len(items)
            and items[end].text.isdigit()
            and not items[end - 1].sup
            and items[end].x0 - right_end(items[end - 1]) < WORD_GAP * items[end].size
        ):
            end += 1
    return end


def word_end(items: list[Item], start: int) -> int:
    """Return where a stretch of ASCII letters of one slant ends, which a function's name may be."""
    first = items[start]
    end = start
    while end < len(items) and end - start < LONGEST_FUNCTION:
        part = items[end]
        if (
            part.kind != "glyph"
            or part.latex
            or not part.text.isascii()
            or not part.text.isalpha()
            or ("i" in part.style) != ("i" in first.style)
            or ("m" in part.style and "i" in part.style)
            or (end > start and part.x0 - items[end - 1].x1 > WORD_GAP * part.size)
        ):
            break
        end += 1
        if part.sup or part.sub:
            break
    return end


def starts_word(items: list[Item], place: int) -> bool:
    """Return whether no letter of prose touches an item from the left."""
    if place == 0:
        return True
    item, before = items[place], items[place - 1]
    touching = (
        before.text[-1:].isalpha() and item.x0 - before.x1 < WORDS.letter_gap * item.size
    )  # fmt: skip
    return not touching or is_math(before)


def takes_argument(items: list[Item], start: int, end: int) -> bool:
    """Return whether a function's name is followed by something to apply it to."""
    if items[end - 1].sub or items[end - 1].sup:
        return True
    if end >= len(items):
        return start > 0 and is_math(items[start - 1])
    after = items[end]
    if after.x0 - items[end - 1].x1 > WORDS.argument_gap * after.size:
        return False
    if is_math(after) or after.text in "({|√[⌊":
        return True
    if not (len(after.text) == 1 and after.text.isalpha() and "i" in after.style):
        return False
    # Office programs print names that they do not know in italics.
    beyond = items[end + 1] if end + 1 < len(items) else None
    single = (
        beyond is None
        or not beyond.text.isalpha()
        or beyond.x0 - after.x1 > WORDS.argument_gap * after.size
    )
    return "i" not in items[start].style or (end - start >= 3 and single)


def tighten(script: str) -> str:
    """Return a script's text without spaces around operators."""
    return re.sub(r"\s*([-+=<>,/|:]|\\(?:leq|geq|neq|to|in|cdot|times|pm)\b)\s*(?=[^A-Za-z\s]|$)",
                  r"\1", re.sub(r"\s*([-+=<>,/|:])\s*", r"\1", script)).strip()  # fmt: skip


def space_operators(text: str) -> str:
    """Return an expression with spaces around its binary operators, as in display style.

    Text style and script style drop them, so that the same fraction would otherwise be written
    in two ways. Scripts stay as they are.
    """
    out = ""
    position = 0
    while position < len(text):
        char = text[position]
        if char in "^_" and text[position + 1 : position + 2] == "{":
            end = balanced_end(text, position + 1)
            end = end if end >= 0 else len(text) - 1
            out += text[position : end + 1]
            position = end + 1
        elif char in "+-=<>" and is_binary_after(before := out.rstrip(), char):
            out = before + f" {char} "
            position += 1
            while position < len(text) and text[position] == " ":
                position += 1
        else:
            out += char
            position += 1
    return out.strip()


def is_binary_after(before: str, sign: str) -> bool:
    """Return whether a sign after some text stands between two operands."""
    binary = (bool(before) and before[-1] not in "([{,+-=<>|&") or (
        before.endswith("|") and sign in "+-="
    )
    if WORD_END.search(before) and before.rsplit("\\", 1)[1] in BINARY_WORDS:
        return False
    return binary
