"""Limits of big operators and of words such as lim, and arrows over letters.

`build_limits(region)` attaches what is printed above and below a sum, product, union or integral
sign, and below lim, max and their like, to it. A small row between two lines of signs belongs to
the sign that is nearer in the file.
"""

from __future__ import annotations

from bisect import bisect

from distil.exams.text.items import Bounds, Item, Region, bounds, by_left_end, by_size
from distil.exams.text.matrices import assemble
from distil.exams.text.symbols import latex_of
from distil.exams.text.tolerances import LIMITS, SCRIPT_RATIO, WORD_GAP
from distil.notation.characters import FUNCTIONS, LIMIT_WORDS


def build_limits(region: Region) -> None:
    """Make arrows over letters, big operators with limits and words with limits of a region."""
    items = region.items
    operators = [item for item in items if item.kind == "operator"]
    by_order = {item.order: item for item in items}
    for arrow in [item for item in items if item.text == "→"]:
        join_long_arrow(arrow, region)
    for operator in operators:
        others = [other for other in operators if other is not operator]
        take_limits(operator, others, by_order, region)
    for word in limit_words(region.items):
        take_word_limits(word, region)


def join_long_arrow(arrow: Item, region: Region) -> None:
    """Make one piece of letters and the arrow over them, if the arrow is over letters."""
    size = arrow.size
    level = sorted(
        (
            item
            for item in region.between(arrow.top, arrow.bottom)
            if item.text in "−-" and abs(item.centre - arrow.centre) < LIMITS.shaft_level * size
        ),
        key=lambda item: -item.x0,
    )
    shaft = [arrow]
    for item in level:
        if item.x0 < shaft[-1].x0 and shaft[-1].x0 - item.x1 < LIMITS.shaft_gap * size:
            shaft.append(item)
    x0, x1 = min(item.x0 for item in shaft), arrow.x1
    below = [
        item
        for item in region.between(arrow.bottom, arrow.bottom + LIMITS.arrow_reach * size)
        if x0 - LIMITS.arrow_edge * size < item.middle < x1 + LIMITS.arrow_edge * size
        and item.text.isalpha()
        and -LIMITS.arrow_overlap * size < item.top - arrow.bottom < LIMITS.arrow_gap * size
    ]
    if not below or abs(bounds(below).middle - (x0 + x1) / 2) > LIMITS.arrow_middle * size:
        return
    below.sort(key=by_left_end)
    body = "".join(item.latex or latex_of(item.text) for item in below)
    anchor = below[0]
    box = Bounds(
        min(x0, anchor.x0), max(x1, below[-1].x1), arrow.top, max(i.bottom for i in below)
    )  # fmt: skip
    whole = Item.of(
        below, box, base=anchor.base, size=anchor.size, kind="accent",
        latex=f"\\overrightarrow{{{body}}}", spaced=anchor.spaced,
    )  # fmt: skip
    region.replace([*shaft, *below], whole)


def take_limits(
    operator: Item, others: list[Item], by_order: dict[int, Item], region: Region
) -> None:
    """Attach the limits printed above and below a big operator to it.

    Args:
        operator: the sign.
        others: the region's other big operators.
        by_order: the region's items by their place in the file.
        region: what the limits are taken out of.
    """
    size = operator.size
    pool = [
        item
        for item in region.between(
            operator.top - LIMITS.reach_up * size, operator.bottom + LIMITS.reach_down * size
        )
        if item is not operator and item.size < SCRIPT_RATIO * size and item.kind != "operator"
    ]
    slack = LIMITS.edge * size
    over = [item for item in pool if operator.x0 - slack < item.middle < operator.x1 + slack]
    above = [
        item
        for item in over
        if item.bottom < operator.top + LIMITS.overlap * size
        and -LIMITS.base_overlap * size < operator.top - item.base < LIMITS.base_above * size
    ]
    below = [
        item
        for item in over
        if -LIMITS.overlap * size < item.top - operator.bottom < LIMITS.top_below * size
        and item.base > operator.bottom + LIMITS.base_below * size
    ]
    middle = operator.middle
    for seeds, up in ((above, True), (below, False)):
        rows = [
            row
            for row in candidate_rows(operator, others, seeds, pool, up=up)
            if is_limit(row, operator, middle, others, by_order)
        ]
        if not rows:
            continue
        row = min(rows, key=lambda row: abs(bounds(row).middle - middle))
        if up:
            operator.sup = with_scripts(row)
        else:
            operator.sub = with_scripts(row)
        region.remove(row)
        operator.take_in(row)


def with_scripts(row: list[Item]) -> list[Item]:
    """Return a limit's items with its scripts attached, as the 3 of the limit `m^3`."""
    lines = assemble(row)
    return lines[0].items if len(lines) == 1 else row


def candidate_rows(
    operator: Item, others: list[Item], seeds: list[Item], pool: list[Item], *, up: bool
) -> list[list[Item]]:
    """Return the rows that could be an operator's upper (or lower) limit.

    Whatever the file's order, rows of two signs have a sign between them in it; but PDFium may also
    put a sign inside its own row.
    """
    rows = []
    for signs in ([*others, operator], others):
        starts = sorted(sign.order for sign in signs)
        for turn in {bisect(starts, item.order) for item in seeds}:
            chosen = [item for item in pool if bisect(starts, item.order) == turn]
            own = [item for item in seeds if bisect(starts, item.order) == turn]
            rows.append(limit_row(own, chosen, up=up))
    return rows


def limit_row(seeds: list[Item], pool: list[Item], *, up: bool) -> list[Item]:
    """Return the whole row that a limit's first found items belong to."""
    nearer = max if up else min
    closest = nearer(seeds, key=lambda item: item.base)
    seeds = [
        item for item in seeds if abs(item.base - closest.base) < LIMITS.one_limit * closest.size
    ]
    biggest = max(item.size for item in seeds)
    level = [item for item in seeds if item.size > SCRIPT_RATIO * biggest]
    nearest = nearer(level, key=lambda item: item.base)
    seeds = [item for item in level if abs(item.base - nearest.base) < LIMITS.one_base * biggest]
    return row_from(seeds, pool)


def row_from(seeds: list[Item], pool: list[Item]) -> list[Item]:
    """Grow a row of small items from its seeds over neighbours that nearly touch."""
    row = list(seeds)
    size = max(item.size for item in row)
    base = max(row, key=by_size).base
    gap = LIMITS.row_gap * size
    members = set(seeds)
    rest = [item for item in pool if item not in members]
    grown = True
    while grown:
        grown = False
        x0, x1 = min(item.x0 for item in row), max(item.x1 for item in row)
        for item in list(rest):
            near = item.x0 <= x1 + gap and item.x1 >= x0 - gap
            level = base - LIMITS.row_up * size < item.base < base + LIMITS.row_down * size
            if near and level and item.size <= size * LIMITS.row_size:
                row.append(item)
                rest.remove(item)
                grown = True
    return row


def is_script_of_neighbour(item: Item, by_order: dict[int, Item]) -> bool:
    """Return whether an item is printed as a script of the glyph before it in the file."""
    before = by_order.get(item.order - 1)
    if before is None or before.kind != "glyph" or item.size >= SCRIPT_RATIO * before.size:
        return False
    off = abs(item.base - before.base)
    return (
        -LIMITS.script_overlap * before.size < item.x0 - before.x1 < LIMITS.script_gap * before.size
        and LIMITS.script_least * before.size < off < LIMITS.script_most * before.size
    )


def is_limit(
    row: list[Item],
    operator: Item,
    middle: float,
    others: list[Item],
    by_order: dict[int, Item],
) -> bool:
    """Return whether a row is centred on an operator and belongs to nothing else."""
    if is_script_of_neighbour(min(row, key=by_left_end), by_order):
        return False
    size = operator.size
    centre = bounds(row).middle
    if abs(centre - middle) > LIMITS.middle * size:
        return False
    # Between two lines a row belongs to the sign that is nearer in the file.
    near = min(abs(item.order - operator.order) for item in row)
    if near > LIMITS.far_in_file:
        return False
    return not any(
        abs(other.axis - operator.axis) > LIMITS.other_line * size
        and other.x0 - LIMITS.other_beside * size < centre < other.x1 + LIMITS.other_beside * size
        and other.top - LIMITS.other_reach * size
        < row[0].base
        < other.bottom + LIMITS.other_reach * size
        and min(abs(item.order - other.order) for item in row) < near
        for other in others
    )


def limit_words(items: list[Item]) -> list[list[Item]]:
    """Return the upright words lim, max, min ... as lists of their letters."""
    letters = sorted(
        (
            item
            for item in items
            if item.kind == "glyph" and item.text.isalpha() and item.text.isascii()
        ),
        key=lambda item: (round(item.base), item.x0),
    )
    words: list[list[Item]] = []
    for item in letters:
        last = words[-1][-1] if words else None
        if (
            last is not None
            and abs(last.base - item.base) < LIMITS.word_alike * item.size
            and abs(last.size - item.size) < LIMITS.word_alike * item.size
            and -LIMITS.word_overlap * item.size < item.x0 - last.x1 < WORD_GAP * item.size
        ):
            words[-1].append(item)
        else:
            words.append([item])
    return [word for word in words if "".join(item.text for item in word) in LIMIT_WORDS]


def take_word_limits(word: list[Item], region: Region) -> None:
    """Make one piece of a word such as lim and what is printed under it."""
    size = word[0].size
    x0, x1 = word[0].x0, word[-1].x1
    bottom = max(item.bottom for item in word)
    pool = [
        item
        for item in region.between(bottom, bottom + LIMITS.under_reach * size)
        if item.size < SCRIPT_RATIO * size
    ]
    seeds = [
        item
        for item in pool
        if x0 - LIMITS.edge * size < item.middle < x1 + LIMITS.edge * size
        and LIMITS.under_least * size < item.base - word[0].base < LIMITS.under_most * size
    ]
    if not seeds:
        return
    biggest = max(item.size for item in seeds)
    nearest = min(
        (item for item in seeds if item.size > SCRIPT_RATIO * biggest), key=lambda item: item.base
    )
    row = row_from(
        [item for item in seeds if abs(item.base - nearest.base) < LIMITS.one_base * biggest], pool
    )
    box = bounds(row)
    if abs(box.middle - (x0 + x1) / 2) > LIMITS.under_middle * size:
        return
    name = "".join(item.text for item in word)
    known = name in FUNCTIONS or name.startswith("lim")
    whole = Item(
        min(x0, box.x0), max(x1, box.x1), min(item.top for item in word), box.bottom,
        word[0].base, size, latex="\\" + name if known else rf"\operatorname{{{name}}}",
        kind="function", order=word[0].order, spaced=word[0].spaced,
    )  # fmt: skip
    whole.sub = with_scripts(row)
    region.remove(row)
    region.replace(word, whole)
