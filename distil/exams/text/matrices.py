"""Matrices, binomials and cases: rows between tall delimiters; and the assembly that uses them.

`assemble(items)` packs what stands in several rows between tall delimiters into one piece each,
then sorts items into lines. The rows themselves are assembled in the same way, so that a matrix may
hold another.
"""

from __future__ import annotations

import re
from bisect import bisect, bisect_left

from distil.exams.text.items import Bounds, Item, Line, bounds, by_left_end, right_end
from distil.exams.text.lines import sort_into_lines
from distil.exams.text.rendering import render
from distil.exams.text.tolerances import AXIS, BLOCKS, COLUMN_GAP, SCRIPT_RATIO

CLOSING = {"(": ")", "[": "]", "{": "}", "|": "|", "∥": "∥"}
ENVIRONMENTS = {"(": "pmatrix", "[": "bmatrix", "|": "vmatrix", "∥": "Vmatrix", "{": "Bmatrix"}
CONDITION = re.compile(r"(?<![\\\w])(?:if|when|for|otherwise|else)(?!\w)")


def assemble(items: list[Item], body: float | None = None) -> list[Line]:
    """Sort items into lines and scripts, matrices and their like packed into one piece each.

    Args:
        items: everything in a region (a column, a numerator ...).
        body: usual font size there; None: the biggest one.

    Returns:
        The lines from top to bottom.
    """
    return sort_into_lines(pack_blocks(items), body) if items else []


def pack_blocks(items: list[Item]) -> list[Item]:
    """Turn tall delimiters with several rows between them into binomials, matrices and cases."""
    raise_small_brackets(items)
    tall = sorted((item for item in items if item.kind == "delimiter"), key=by_left_end)
    if not tall:
        return items
    items = list(items)
    used: set[Item] = set()
    # Those in the middle first: what they enclose is then one piece.
    for position, left in reversed(list(enumerate(tall))):
        if left in used or left.text not in CLOSING:
            continue
        right = closing_of(left, [other for other in tall[position + 1 :] if other not in used])
        if right is None and left.text != "{":
            continue
        inside = enclosed(items, left, right)
        if not inside or is_under_operator(inside, left):
            continue
        latex = block_of(left, right, inside)
        if latex is None:
            continue
        parts = [left, *inside, *([right] if right is not None else [])]
        box = bounds(parts)
        whole = Item.of(
            parts, Bounds(left.x0, box.x1, box.top, box.bottom), latex=latex, kind="block",
            base=left.axis + AXIS * left.size, size=left.size, axis=left.axis, spaced=left.spaced,
        )  # fmt: skip
        used.update(parts)
        gone = set(parts)
        items = [item for item in items if item not in gone]
        items.append(whole)
    return items


def closing_of(left: Item, later: list[Item]) -> Item | None:
    """Return the delimiter that closes one, out of those at its right, left to right."""
    height = left.bottom - left.top
    closing = CLOSING[left.text]
    depth = 0
    for other in later:
        if abs(other.axis - left.axis) > BLOCKS.pair_alike * height:
            continue
        if abs((other.bottom - other.top) - height) > BLOCKS.pair_alike * height:
            continue
        if other.text == closing and depth == 0:
            return other
        depth += (other.text == left.text) - (other.text == closing)
    return None


def enclosed(items: list[Item], left: Item, right: Item | None) -> list[Item]:
    """Return what stands between two delimiters, or at the right of a brace that nothing closes."""
    edge = right.x0 if right is not None else 1e9
    across, along = BLOCKS.inside_across * left.size, BLOCKS.inside_along * left.size
    inside = [
        item
        for item in items
        if item is not left
        and item is not right
        and left.x1 - across < item.middle < edge + across
        and left.top - along < item.centre < left.bottom + along
    ]
    return before_baseline(left, inside) if right is None else inside


def before_baseline(left: Item, inside: list[Item]) -> list[Item]:
    """Return what stands in the rows after a brace, without the text that goes on after them.

    An even number of rows leaves the baseline of the text free; what stands on it comes after.
    """
    base = left.axis + AXIS * left.size
    level = [
        item
        for item in inside
        if item.axis is None and abs(item.base - base) < BLOCKS.brace_base * left.size
    ]
    start = min((item.x0 for item in level), default=1e9)
    if start - left.x1 < BLOCKS.brace_clear * left.size:
        return inside
    return [item for item in inside if item.middle < start]


def is_under_operator(inside: list[Item], left: Item) -> bool:
    """Return whether delimiters enclose a big operator on their axis: it and its limits are one."""
    return any(
        item.axis is not None
        and abs(item.axis - left.axis) < BLOCKS.operator_axis * left.size
        and item.kind == "operator"
        for item in inside
    )


def block_of(left: Item, right: Item | None, inside: list[Item]) -> str | None:
    """Return the LaTeX of what delimiters enclose; None, with nothing changed: it is no block."""
    before = [
        (item, list(item.sup), list(item.sub), item.reach, item.base, item.size) for item in inside
    ]
    rows = join_rows(assemble(inside))
    latex = block_latex(left, right, rows) if len(rows) > 1 else None
    if latex is None:
        for item, sup, sub, reach, base, size in before:
            item.sup, item.sub, item.reach, item.base, item.size = sup, sub, reach, base, size
    return latex


def raise_small_brackets(items: list[Item]) -> None:
    """Make delimiters of parentheses that are hardly tall, if two small rows stand between them.

    In text style a binomial's parentheses may be those of ordinary text.
    """
    brackets = sorted(
        (item for item in items if item.kind == "glyph" and item.text in "()"), key=by_left_end
    )
    by_base = sorted(range(len(items)), key=lambda place: items[place].base)
    bases = [items[place].base for place in by_base]
    for left in brackets:
        if left.text != "(":
            continue
        right = next(
            (
                other
                for other in brackets
                if other.x0 > left.x0
                and abs(other.base - left.base) < BLOCKS.bracket_base * left.size
            ),
            None,
        )
        if right is None or right.text != ")":
            continue
        if right.x0 - left.x1 > BLOCKS.bracket_apart * left.size:
            continue
        reach = BLOCKS.bracket_reach * left.size
        near = by_base[bisect(bases, left.top - reach) : bisect_left(bases, left.bottom + reach)]
        edge = BLOCKS.bracket_edge * left.size
        inside = [
            items[place]
            for place in sorted(near)
            if left.x1 - edge < items[place].middle < right.x0 + edge
        ]
        if are_two_rows(left, inside):
            for item in (left, right):
                item.kind, item.axis = "delimiter", item.centre


def are_two_rows(left: Item, inside: list[Item]) -> bool:
    """Return whether small items stand in two rows, over and under the axis of a parenthesis."""
    if not inside or any(item.size > SCRIPT_RATIO * left.size for item in inside):
        return False
    axis = left.base - AXIS * left.size
    slack = BLOCKS.row_axis * left.size
    upper = [item for item in inside if item.base < axis + slack]
    lower = [item for item in inside if item.top > axis - slack]
    if not upper or not lower or len(upper) + len(lower) != len(inside):
        return False
    over, under = bounds(upper), bounds(lower)
    overlap = min(over.x1, under.x1) - max(over.x0, under.x0)
    return overlap > BLOCKS.row_overlap * left.size


def join_rows(rows: list[Line]) -> list[Line]:
    """Join lines that share a baseline closely enough to be one row of a matrix."""
    out: list[Line] = []
    for row in rows:
        if out and abs(out[-1].base - row.base) < BLOCKS.row_base * row.size:
            out[-1].items.extend(row.items)
            out[-1].items.sort(key=by_left_end)
        else:
            out.append(Line(list(row.items), row.base, row.size))
    return out


def block_latex(left: Item, right: Item | None, rows: list[Line]) -> str | None:
    """Return the LaTeX of rows between delimiters, or None if they are no such thing."""
    cells = split_columns(rows)
    if (
        right is not None
        and left.text == "("
        and len(rows) == 2
        and all(len(c) == 1 for c in cells)
        and not is_vector(left, rows)
    ):
        return f"\\binom{{{render(cells[0][0])}}}{{{render(cells[1][0])}}}"
    if right is None:
        text = r" \\ ".join(case_of([render(cell) for cell in row]) for row in cells)
        return f"\\begin{{cases}} {text} \\end{{cases}}"
    if len({len(row) for row in cells}) > 1:
        return None
    text = r" \\ ".join(" & ".join(render(cell) for cell in row) for row in cells)
    name = ENVIRONMENTS[left.text]
    return f"\\begin{{{name}}} {text} \\end{{{name}}}"


def case_of(cells: list[str]) -> str:
    """Return a row of cases as value and condition, which starts with its word."""
    whole = " ".join(cell for cell in cells if cell)
    match = CONDITION.search(whole)
    if match and match.start():
        return f"{whole[: match.start()].rstrip()} & {whole[match.start() :]}"
    return " & ".join([cells[0], " ".join(cells[1:])]) if len(cells) > 1 else whole


def is_vector(left: Item, rows: list[Line]) -> bool:
    """Return whether two rows in parentheses are a column of a matrix rather than a binomial.

    A binomial is set as a fraction without its bar: TeX's numbers for that are 1.36 of the size
    apart in display style (1.28 in STIX). Rows of a matrix are a line apart (1.2). In text style
    only typst's vectors can be told (1.28; binomials .9 to 1.2). No binomial starts with a minus.
    """
    size = max(row.size for row in rows)
    pitch = (rows[1].base - rows[0].base) / size
    if any(row.items[0].text in "−-" or row.items[0].kind == "fraction" for row in rows):
        return True
    if size > SCRIPT_RATIO * left.size:
        return pitch < BLOCKS.matrix_pitch
    return pitch > BLOCKS.vector_pitch


def split_columns(rows: list[Line]) -> list[list[list[Item]]]:
    """Return the cells of rows: columns are divided where no row has ink."""
    size = max(row.size for row in rows)
    spans: list[list[float]] = []
    for item in sorted((item for row in rows for item in row.items), key=by_left_end):
        if spans and item.x0 - spans[-1][1] < COLUMN_GAP * size:
            spans[-1][1] = max(spans[-1][1], right_end(item))
        else:
            spans.append([item.x0, right_end(item)])
    if len(spans) == 1:
        return [split_cells(row) for row in rows]
    return [
        [cell for x0, x1 in spans if (cell := [item for item in row.items if x0 <= item.x0 <= x1])]
        for row in rows
    ]


def split_cells(row: Line) -> list[list[Item]]:
    """Split a row at its wide gaps."""
    cells = [[row.items[0]]]
    for item in row.items[1:]:
        last = cells[-1][-1]
        if item.x0 - right_end(last) > BLOCKS.cell_gap * row.size:
            cells.append([item])
        else:
            cells[-1].append(item)
    return cells
