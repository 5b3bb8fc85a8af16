"""Glyph joins: one item for what a page prints as several glyphs over or under each other.

Tall brackets, bars and root signs made of pieces; negations, arrows with a tail and accents made
by overprinting; three dots above each other. Example: `=` and a slash over it become one sign.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from distil.exams.text.items import HeightIndex, Item, by_left_end, usual_size
from distil.exams.text.page import Glyph
from distil.exams.text.symbols import latex_of, letter_of
from distil.exams.text.tolerances import AXIS, JOINS
from distil.notation.characters import BIG_OPERATORS, CLOSERS, INTEGRALS, OPENERS

PIECES = {
    **dict.fromkeys("⎛⎜⎝", "("), **dict.fromkeys("⎞⎟⎠", ")"), **dict.fromkeys("⎡⎢⎣", "["),
    **dict.fromkeys("⎤⎥⎦", "]"), **dict.fromkeys("⎧⎨⎩", "{"), **dict.fromkeys("⎫⎬⎭", "}"),
    "⏐": "|", "⎪": "{", "⎷": "√", "⎸": "√",
}  # fmt: skip
DELIMITERS = OPENERS | CLOSERS | set("|∥‖/")
# Glyphs that are more than a letter on a line.
SPECIAL = DELIMITERS | BIG_OPERATORS | INTEGRALS | PIECES.keys() | {"∣", "Σ", "Π"}
# Capital letters that serve as big operators where they are set bigger than the text around.
ENLARGED = {"Σ": "∑", "Π": "∏"}
ACCENTS = {"ˆ": "hat", "^": "hat", "˜": "tilde", "~": "tilde", "¯": "bar", "⃗": "vec",
           "˙": "dot", "¨": "ddot", "ˇ": "check", "̂": "hat", "̃": "tilde", "̄": "bar"}  # fmt: skip
DIACRITICS = {"´": "\u0301", "`": "\u0300", "¨": "\u0308", "˜": "\u0303", "ˆ": "\u0302",
              "ˇ": "\u030c", "˘": "\u0306", "˚": "\u030a"}  # fmt: skip
NEGATED = {"=": "≠", "∈": "∉", "|": "∤", "∣": "∤"}
NEGATED_LATEX = {"=": r"\neq", "∈": r"\notin", "|": r"\nmid", "∣": r"\nmid"}


def items_of(glyphs: Iterable[Glyph], body: float | None = None) -> list[Item]:
    """Return glyphs as items; pieces of tall delimiters are joined, accents put on letters.

    Args:
        glyphs: of a page.
        body: usual font size, points; None: that of most of the glyphs.
    """
    items = [
        Item(
            glyph.x0, glyph.x1, glyph.top, glyph.bottom, glyph.base, glyph.size,
            text=glyph.text, order=glyph.order, style=glyph.style, spaced=glyph.spaced,
        )
        for glyph in glyphs
    ]  # fmt: skip
    body = body or usual_size(items)
    for place, item in enumerate(items):
        if item.text in SPECIAL:
            classify(item, items[max(0, place - 1) : place + 2], body)
    return join_overlays(join_pieces(join_stacks(items)))


def classify(item: Item, near: list[Item], body: float) -> None:
    """Mark a glyph as a delimiter or a big operator where it is one.

    Args:
        item: a glyph out of `SPECIAL`.
        near: the item and its neighbours in the file.
        body: usual font size, points.
    """
    height = item.bottom - item.top
    if item.text in DELIMITERS and item.size > JOINS.grown * body:
        beside = [other.size for other in near if other is not item]
        if beside and item.size > JOINS.grown * max(beside):
            # Office programs stretch the font itself to the height of what is enclosed.
            item.size = max(beside)
            item.kind = "delimiter"
    if item.text == "∣":
        item.text = "|"
    if item.text in ENLARGED:
        if item.size <= JOINS.grown * max(body, *(o.size for o in near if o is not item)):
            return
        item.text = ENLARGED[item.text]
    symbol = item.text
    if symbol in BIG_OPERATORS or symbol in INTEGRALS:
        item.kind = "operator"
        item.axis = item.centre
        item.size = min(item.size, JOINS.operator_size * body)
    elif symbol in PIECES:
        item.kind = "delimiter"
    elif symbol in DELIMITERS and (
        "x" in item.style
        or height > JOINS.tall * item.size
        # Glyphs of TeX's extension fonts hang from their baseline.
        or (
            height > JOINS.hanging_height * item.size
            and item.base < item.top + JOINS.hanging_base * height
        )
    ):
        item.kind = "delimiter"
        item.axis = item.centre


def join_stacks(items: list[Item]) -> list[Item]:
    """Join bars and root signs that fonts for Unicode build from pieces with one code."""
    found: dict[tuple[str, int], list[Item]] = {}
    for item in items:
        if item.text in ("|", "∥", "‖", "√", "⎷"):
            found.setdefault((item.text.replace("⎷", "√"), round(item.x0)), []).append(item)
    gone: set[Item] = set()
    for (text, x0), here in found.items():
        column = sorted(here + found.get((text, x0 + 1), []), key=lambda item: item.top)
        for place, item in enumerate(column):
            if item in gone:
                continue
            for other in column[place + 1 :]:
                if (
                    other not in gone
                    and abs(other.x0 - item.x0) < JOINS.stack_edge * item.size
                    and JOINS.stack_step * item.size < other.top - item.top
                    and other.top < item.bottom + JOINS.stack_gap * item.size
                ):
                    item.text = text
                    item.bottom = max(item.bottom, other.bottom)
                    item.x1 = item.reach = max(item.x1, other.x1)
                    item.order = min(item.order, other.order)
                    gone.add(other)
                    if text != "√":
                        item.kind = "delimiter"
                        item.axis = item.centre
    return [item for item in items if item not in gone]


def join_pieces(items: list[Item]) -> list[Item]:
    """Join the stacked pieces of extensible delimiters (and of tall bars) into one item each."""
    pieces = sorted(
        (
            item
            for item in items
            if item.text in PIECES or (item.kind == "delimiter" and item.text in "|∥")
        ),
        key=lambda item: (round(item.x0, 0), item.top),
    )
    made: dict[Item, str] = {}  # and what each is made of
    for item in pieces:
        host = next((other for other in made if is_stacked(item, other)), None)
        if host is None:
            made[started(item)] = item.text
        else:
            host.take_in([item])
            if host.axis is not None:
                host.axis = host.centre
            if item.text in "⎧⎨⎩⎫⎬⎭":
                host.text = PIECES[item.text]
            made[host] += item.text
    for whole, parts in made.items():
        # Floors and ceilings are brackets without one of their corners.
        corners = "⎡⎣" if whole.text == "[" else "⎤⎦" if whole.text == "]" else ""
        found = [corner in parts for corner in corners]
        if found in ([True, False], [False, True]):
            whole.text = ("⌈⌊" if whole.text == "[" else "⌉⌋")[found[1]]
    gone = set(pieces)
    return [item for item in items if item not in gone] + list(made)


def is_stacked(piece: Item, host: Item) -> bool:
    """Return whether a piece goes on where a delimiter put together so far ends."""
    return (
        abs(host.middle - piece.middle) < JOINS.piece_middle * piece.size
        and piece.top - host.bottom < JOINS.piece_gap * piece.size
        and piece.bottom > host.top - JOINS.piece_order
    )


def started(piece: Item) -> Item:
    """Return a new delimiter made of its first piece; a root sign stays a glyph."""
    whole = Item(
        piece.x0, piece.x1, piece.top, piece.bottom, piece.base, piece.size, kind="delimiter",
        text=PIECES.get(piece.text, piece.text), order=piece.order, style=piece.style,
        spaced=piece.spaced,
    )  # fmt: skip
    whole.axis = whole.centre
    if whole.text == "√":
        whole.kind, whole.axis = "glyph", None
    return whole


def join_overlays(items: list[Item]) -> list[Item]:
    """Join glyphs printed over each other: negations, arrows with a tail, accents."""
    marks = [
        (place, item)
        for place, item in enumerate(items)
        if item.text in ACCENTS or item.text in DIACRITICS or item.text in ("̸", "↦", "/", "∼")
    ]
    gone: set[Item] = set()
    join_dots(items, gone)
    index: HeightIndex | None = None
    for place, mark in marks:
        near = items[max(0, place - 2) : place + 3]
        if mark.text in ("̸", "/"):
            join_negation(mark, near, gone)
        elif mark.text == "∼":
            join_congruence(mark, near, gone)
        elif mark.text == "↦":
            join_arrow_tail(mark, near, gone)
        else:
            index = index or HeightIndex(items)
            if not (mark.text == "¯" and overline_digits(mark, index, gone)):
                join_accent(mark, index, gone)
    return [item for item in items if item not in gone]


def join_negation(slash: Item, near: list[Item], gone: set[Item]) -> None:
    """Negate the relation that a slash is printed over; over a zero it makes the empty set.

    The slash of a negation has no width of its own: it starts where its partner does. The `/` of
    `a/|b|` stands beside the bar and is a division.
    """
    hosts = [
        other
        for other in near
        if other is not slash
        and other.text in "=∈≡<>≤≥⊂⊆∼≈|∣∥0"
        and abs(other.base - slash.base) < JOINS.overlay_base * slash.size
        and min(other.x1, slash.x1) - max(other.x0, slash.x0)
        > (
            0.0
            if slash.text == "̸"
            else JOINS.overlay_share * min(other.x1 - other.x0, slash.x1 - slash.x0)
        )
    ]
    if hosts and hosts[0].text == "0":
        hosts[0].text = "∅"
        gone.add(slash)
    elif hosts:
        host = hosts[0]
        host.latex = NEGATED_LATEX.get(host.text, r"\not" + latex_of(host.text))
        host.text = NEGATED.get(host.text, host.text)
        host.spaced = host.spaced or slash.spaced
        host.x0 = min(host.x0, slash.x0)
        gone.add(slash)
    elif slash.text == "̸":
        slash.text = "/"


def join_congruence(tilde: Item, near: list[Item], gone: set[Item]) -> None:
    """Make one sign of a tilde over an equals sign."""
    for other in near:
        if (
            other.text == "="
            and abs(other.middle - tilde.middle) < JOINS.tilde_middle * tilde.size
            and 0 < (other.top + other.bottom) - (tilde.top + tilde.bottom) < tilde.size
        ):
            other.text = "≅"
            gone.add(tilde)
            return


def join_arrow_tail(tail: Item, near: list[Item], gone: set[Item]) -> None:
    """Make one arrow of its tail and the arrow that follows it."""
    for other in near:
        if (
            other.text == "→"
            and other.x0 < tail.x1 + JOINS.tail_gap * tail.size
            and tail.x0 < other.x1
            and abs(other.base - tail.base) < JOINS.tail_base * tail.size
        ):
            tail.x1 = tail.reach = max(tail.x1, other.x1)
            gone.add(other)
            return


def overline_digits(bar: Item, index: HeightIndex, gone: set[Item]) -> bool:
    """Overline the digits that a bar stands over; return whether there are any."""
    digits = digits_under(bar, index, gone)
    if not digits:
        return False
    gone.update(digits[1:])
    gone.add(bar)
    number = "".join(digit.text for digit in digits)
    digits[0].latex = f"\\overline{{{number}}}"
    digits[0].kind = "accent"
    digits[0].x1 = digits[0].reach = digits[-1].x1
    return True


def digits_under(mark: Item, index: HeightIndex, gone: set[Item]) -> list[Item]:
    """Return the digits that a bar stands over: office programs set a short one over the middle."""
    below = sorted(
        (
            item
            for item in index.between(mark.bottom, mark.bottom + JOINS.bar_reach * mark.size)
            if item.text.isdigit()
            and item not in gone
            and item.top > mark.bottom - JOINS.bar_overlap
        ),
        key=by_left_end,
    )
    runs: list[list[Item]] = []
    for item in below:
        last = runs[-1][-1] if runs else None
        if (
            last is not None
            and abs(last.base - item.base) < JOINS.digit_base * item.size
            and item.x0 - last.x1 < JOINS.digit_gap * item.size
        ):
            runs[-1].append(item)
        else:
            runs.append([item])
    for run in runs:
        if abs((run[0].x0 + run[-1].x1) / 2 - mark.middle) < JOINS.bar_middle * run[0].size:
            return run
    return []


def join_accent(mark: Item, index: HeightIndex, gone: set[Item]) -> None:
    """Put an accent on the letter that it stands over, in mathematics as a command."""
    # PDFium may report an accent at the end of its line: neighbours are found by place. Its ink
    # stays above the letter's x-height.
    hosts = [
        other
        for other in index.between(mark.top, mark.bottom + mark.size)
        if other is not mark
        and other not in gone
        and other.text[:1].isalpha()
        and other.kind == "glyph"
        and abs(other.middle - mark.middle)
        < max(other.x1 - other.x0, JOINS.narrow * other.size) * JOINS.accent_middle
        and abs(other.base - mark.base) < JOINS.accent_base * mark.size
        and mark.bottom < other.bottom - JOINS.accent_above * other.size
        and mark.bottom < other.top + JOINS.accent_overlap * other.size
    ]
    if not hosts:
        return
    host = min(hosts, key=lambda other: abs(other.middle - mark.middle))
    variable = (
        "m" in host.style
        or bool(letter_of(host.text)[1])
        or mark.text not in DIACRITICS
        or is_variable(host, index)
    )
    if variable and mark.text in ACCENTS:
        host.latex = f"\\{ACCENTS[mark.text]}{{{host.latex or latex_of(host.text)}}}"
        gone.add(mark)
    elif not variable and mark.text in DIACRITICS:
        base = {"ı": "i", "ȷ": "j"}.get(host.text, host.text)
        joined = unicodedata.normalize("NFC", base + DIACRITICS[mark.text])
        if len(joined) == 1:
            host.text = joined
        gone.add(mark)
    if mark in gone:
        host.top = min(host.top, mark.top)
        host.spaced = host.spaced or (mark.spaced and mark.order < host.order)


def is_variable(host: Item, index: HeightIndex) -> bool:
    """Return whether a letter stands alone in italics, whatever font it is from."""
    return (
        "i" in host.style
        and len(host.text) == 1
        and not any(
            other is not host
            and other.kind == "glyph"
            and other.text[:1].isalpha()
            and abs(other.base - host.base) < JOINS.word_base * host.size
            and max(other.x0 - host.x1, host.x0 - other.x1) < JOINS.word_gap * host.size
            for other in index.between(host.top, host.bottom)
        )
    )


def join_dots(items: list[Item], gone: set[Item]) -> None:
    """Make one sign of three dots above each other, upright or slanted; add the rest to `gone`."""
    dots = [item for item in items if item.text == "." and item.kind == "glyph"]
    for first, second, third in zip(dots, dots[1:], dots[2:], strict=False):
        if first in gone:
            continue
        size = first.size
        down = second.base - first.base
        across = second.middle - first.middle
        even = abs(third.base - second.base - down) < JOINS.dots_even * size
        straight = abs(third.middle - second.middle - across) < JOINS.dots_even * size
        pitch = JOINS.dots_least * size < abs(down) < JOINS.dots_most * size
        if not (even and straight and pitch) or abs(across) > JOINS.dots_across * size:
            continue
        top, bottom = sorted((first, third), key=lambda item: item.base)
        first.text = "⋮" if abs(across) < JOINS.dots_even * size else "⋱"
        first.x0, first.x1 = min(top.x0, bottom.x0), max(top.x1, bottom.x1)
        first.reach = first.x1
        first.top, first.bottom = top.top, bottom.bottom
        first.base = (top.base + bottom.base) / 2 + AXIS * size
        gone.update((second, third))
