"""Mathematics built on horizontal rules: radicals, fractions, overlines and boxes.

`build_bars(region)` goes through the rules from the shortest to the longest, so that what stands
inside a fraction is finished before the fraction. A root sign at a rule's left end makes a radical;
a row above and one below make a fraction; a row below alone is overlined. TeX, typst, Word and
LibreOffice all set bars on the mathematical axis, a quarter of the size above the baseline.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from distil.exams.text.items import (
    Bounds,
    Item,
    Line,
    Region,
    bounds,
    by_place,
    by_size,
    extent,
    right_end,
    style_size,
)
from distil.exams.text.joins import DELIMITERS
from distil.exams.text.matrices import assemble
from distil.exams.text.page import Box, Rule
from distil.exams.text.rendering import render, space_operators
from distil.exams.text.tolerances import AXIS, BARS, SCRIPT_RATIO

PUNCTUATION = {".", ",", ";", ":", "?", "!"}
HEADED = re.compile(r"[^\W\d_]{3,}\s?:")


def build_bars(region: Region) -> list[Rule]:
    """Make radicals, fractions, overlines and boxes; return the rules that are no mathematics."""
    spare: list[Rule] = []
    drawn, rules = find_frames(merge_rules(region.rules), region.verticals)
    for rule in sorted(rules, key=lambda rule: rule.width):
        made = (
            radical(rule, region)
            or fraction(rule, region)
            or radical(rule, region, loose=True)
            or overline(rule, region)
        )
        if not made:
            spare.append(rule)
    frames = [*region.frames, *drawn]
    for frame in frames:
        # Cells of a table touch each other or have rules inside.
        in_table = any(other is not frame and adjoin(frame, other) for other in frames)
        if not in_table and not is_divided(frame, region.verticals):
            box_up(frame, region)
    return spare


def merge_rules(rules: Iterable[Rule]) -> list[Rule]:
    """Join rules drawn twice or in touching pieces."""
    out: list[Rule] = []
    for rule in sorted(rules, key=lambda rule: rule.x0):
        for last in out:
            if abs(last.y - rule.y) < BARS.same_rule_pt and rule.x0 <= last.x1 + BARS.same_rule_pt:
                last.x1 = max(last.x1, rule.x1)
                break
        else:
            out.append(Rule(rule.x0, rule.x1, rule.top, rule.bottom, rule.bar))
    return out


def find_frames(rules: list[Rule], verticals: list[Rule]) -> tuple[list[Box], list[Rule]]:
    """Return the frames drawn as four rules, and the horizontal rules that are left."""
    frames: list[Box] = []
    used: set[int] = set()  # places among the rules
    slack = BARS.corner_pt
    for place, top in enumerate(rules):
        for lower in range(place + 1, len(rules)):
            bottom = rules[lower]
            same = (
                abs(top.x0 - bottom.x0) < BARS.frame_edge_pt
                and abs(top.x1 - bottom.x1) < BARS.frame_edge_pt
            )
            low, high = BARS.frame_least_pt, BARS.frame_most_pt
            if not same or not low < bottom.y - top.y < high:
                continue
            sides = [
                side
                for side in verticals
                if side.top < top.y + slack
                and side.bottom > bottom.y - slack
                and min(abs(side.x0 - top.x0), abs(side.x1 - top.x1)) < slack
            ]
            if len(sides) >= 2:
                frames.append((top.x0, top.y, top.x1, bottom.y))
                used.update((place, lower))
                break
    return frames, [rule for place, rule in enumerate(rules) if place not in used]


def adjoin(one: Box, other: Box) -> bool:
    """Return whether two frames touch."""
    slack = BARS.adjoin_pt
    return (
        one[0] <= other[2] + slack
        and other[0] <= one[2] + slack
        and one[1] <= other[3] + slack
        and other[1] <= one[3] + slack
    )


def is_divided(frame: Box, verticals: list[Rule]) -> bool:
    """Return whether a vertical rule stands inside a frame, as in a row of a table."""
    return any(
        frame[0] + BARS.adjoin_pt < side.x0 < frame[2] - BARS.adjoin_pt
        and side.top < frame[3] - BARS.inside_pt
        and side.bottom > frame[1] + BARS.inside_pt
        for side in verticals
    )


def box_up(frame: Box, region: Region) -> None:
    """Make one piece of a frame and the expression in it, if it is around one line."""
    x0, top, x1, bottom = frame
    inside = [
        item
        for item in region.between(top, bottom)
        if x0 < item.middle < x1 and top < item.centre < bottom
    ]
    # A frame around a passage, as `Solution: ...`, is no box of a result.
    start = "".join(item.text for item in sorted(inside, key=by_place))
    if not inside or x1 - x0 > BARS.box_width_pt or HEADED.match(start):
        return
    lines = assemble(inside)
    main = max(lines, key=by_size)
    if len(lines) > 1 or bottom - top > BARS.box_height * main.size:
        return
    whole = Item.of(
        inside, Bounds(x0, x1, top, bottom), base=main.base, size=main.size, kind="boxed",
        latex=f"\\boxed{{{render(main.items)}}}", spaced=False,
    )  # fmt: skip
    region.replace(inside, whole)


def latex_of_lines(lines: list[Line]) -> str:
    """Return lines as one text."""
    return " ".join(render(line.items) for line in lines)


def radical(rule: Rule, region: Region, *, loose: bool = False) -> bool:
    """Make a radical of a rule that is its bar; return whether it is one.

    Args:
        rule: the bar.
        region: what the parts are taken out of.
        loose: take a sign of which only the hook at its foot is known.
    """
    sign = root_sign(rule, region, loose=loose)
    if sign is None:
        return False
    size = sign.size
    inside = [
        item
        for item in region.between(rule.y - BARS.root_top_pt, sign.bottom + BARS.root_reach * size)
        if item is not sign
        and rule.x0 - BARS.root_left * size < item.middle < rule.x1 + BARS.root_right * size
        # A point after the root stands beside the end of its bar.
        and not (item.text in PUNCTUATION and item.middle > rule.x1)
        and item.x0 > sign.x0
        and item.bottom > rule.y
        and item.base > rule.y
        and item.top > rule.y - BARS.root_overlap * size
        and item.top < sign.bottom
        and item.base < sign.bottom + BARS.root_base * size
    ]
    if not inside:
        return False
    index = index_of(sign, rule, inside, region)
    lines = assemble(inside)
    body = space_operators(latex_of_lines(lines))
    degree = f"[{latex_of_lines(assemble(index))}]" if index else ""
    main = max(lines, key=by_size)
    parts = [sign, *inside, *index]
    box = bounds(parts)
    whole = Item.of(
        parts, Bounds(box.x0, max(rule.x1, box.x1), min(rule.top, box.top), box.bottom),
        base=main.base, size=main.size, kind="radical", latex=f"\\sqrt{degree}{{{body}}}",
        order=sign.order, spaced=sign.spaced,
    )  # fmt: skip
    region.replace(parts, whole)
    return True


def root_sign(rule: Rule, region: Region, *, loose: bool) -> Item | None:
    """Return the root sign whose bar a rule is, if there is one."""
    signs = [
        item
        for item in region.between(rule.y - BARS.sign_above_pt, rule.y + BARS.sign_below_pt)
        if item.text == "√"
        and item.kind == "glyph"
        and abs(item.x1 - rule.x0) < BARS.sign_end * item.size
        and item.top - BARS.sign_top * item.size < rule.y < item.top + BARS.sign_top * item.size
    ]
    if not signs and loose:
        # Of a tall sign put together from pieces only the hook at its foot may be known.
        signs = [
            item
            for item in region.between(rule.y, rule.y + 2 * BARS.sign_below_pt)
            if item.text == "√"
            and item.kind == "glyph"
            and -BARS.hook_overlap * item.size < rule.x0 - item.x1 < BARS.hook_gap * item.size
            and 0 < item.top - rule.y < BARS.hook_below * item.size
        ]
    return min(signs, key=lambda item: (abs(item.x1 - rule.x0), item.top), default=None)


def index_of(sign: Item, rule: Rule, inside: list[Item], region: Region) -> list[Item]:
    """Return the index of a radical, as the 3 of a cube root."""
    size = sign.size
    biggest = max(size, *(part.size for part in inside))
    index = [
        item
        for item in region.between(rule.y - BARS.index_reach * size, sign.bottom)
        if item is not sign
        and item.text not in DELIMITERS
        and (
            item.size < SCRIPT_RATIO * biggest
            # The smallest size has no smaller one for its index.
            or (abs(sign.order - item.order) <= 2 and item.size < BARS.same_size * size)
        )
        and item.x1 < sign.x1 - BARS.index_right * size
        and item.x0 > sign.x0 - BARS.index_left * size
        and item.middle < sign.x0 + BARS.index_share * (sign.x1 - sign.x0)
        and item.base < sign.top + BARS.index_depth * (sign.bottom - sign.top)
        and item.middle > sign.x0 - BARS.index_middle * size
        and item.base > sign.top - BARS.index_above * size
    ]
    if not index:
        return index
    # An index touches the sign's hook; a superscript of the letter before does not reach it.
    start = min(item.x0 for item in index)
    hosted = any(
        item.kind != "delimiter"
        and item.size > BARS.host_ratio * index[0].size
        and -BARS.host_overlap * size < start - item.x1 < BARS.host_gap * size
        for item in region.between(rule.y, sign.bottom)
    )
    reach = sign.x0 + (BARS.index_hosted if hosted else -BARS.index_free) * size
    return [item for item in index if item.x1 > reach]


def fraction(rule: Rule, region: Region) -> bool:
    """Make a fraction of a rule that is its bar; return whether it is one."""
    if rule.width > BARS.fraction_width_pt or crosses(rule, region.verticals):
        return False
    above = row_on(rule, region, up=True)
    below = row_on(rule, region, up=False)
    if not above or not below:
        return False
    main = max(above, key=by_size)
    underlined = main.kind == "glyph" and rule.y - main.base < BARS.underline * main.size
    if underlined and not rule.bar:
        return False
    size = max(item.size for item in (*above, *below))
    if not is_centred(rule, above, below, size):
        return False
    if any(runs_on(row, size, region) for row in (above, below)):
        return False
    if not rule.bar and any(in_sentence(row, rule, region) for row in (above, below)):
        return False
    upper = space_operators(latex_of_lines(assemble(above)))
    lower = space_operators(latex_of_lines(assemble(below)))
    parts = [*above, *below]
    plain = [item.size for item in parts if item.kind != "fraction"]
    size = max(plain or [style_size(item) for item in parts])
    extents = [extent(part) for part in parts]
    box = Bounds(
        min(rule.x0, *(part.x0 for part in parts)),
        max(rule.x1, *(part.x1 for part in parts)),
        min(top for top, _ in extents),
        max(bottom for _, bottom in extents),
    )
    whole = Item.of(
        parts, box, base=rule.y + AXIS * size / 0.7, size=size, kind="fraction",
        latex=f"\\frac{{{upper}}}{{{lower}}}", axis=rule.y,
        spaced=min(parts, key=lambda part: part.order).spaced,
    )  # fmt: skip
    region.replace(parts, whole)
    return True


def crosses(rule: Rule, verticals: list[Rule]) -> bool:
    """Return whether a vertical rule meets a rule between its ends, as in a table."""
    return any(
        rule.x0 + BARS.inside_pt < side.x0 < rule.x1 - BARS.inside_pt
        and side.top - BARS.adjoin_pt < rule.y < side.bottom + BARS.adjoin_pt
        for side in verticals
    )


def is_centred(rule: Rule, above: list[Item], below: list[Item], size: float) -> bool:
    """Return whether two rows stand on a rule as numerator and denominator do."""
    widest = 0.0
    for row in (above, below):
        box = bounds(row)
        left, right = box.x0 - rule.x0, rule.x1 - box.x1
        # TeX's nested fractions in display style are wider than their bar by a null delimiter.
        if left < -BARS.past_bar * size or right < -BARS.past_bar * size:
            return False
        if abs(left - right) > max(BARS.off_centre * size, BARS.off_centre_share * rule.width):
            return False
        widest = max(widest, box.x1 - box.x0)
    return rule.width - widest <= BARS.bar_past * size + BARS.bar_past_share * rule.width


def runs_on(row: list[Item], size: float, region: Region) -> bool:
    """Return whether a row goes on past its ends, as underlined words and cells of tables do."""
    base = max(row, key=by_size)
    if base.axis is not None:
        return False
    members = set(row)
    x0, x1 = min(item.x0 for item in row), max(item.x1 for item in row)
    return any(
        item.kind == "glyph"
        and item not in members
        and min(abs(item.x0 - x1), abs(x0 - item.x1)) < BARS.letter_gap * base.size
        and abs(item.base - base.base) < BARS.letter_base * size
        and (item.text.isalnum() or item.text == ".")
        for item in region.between(base.top, base.bottom)
    )


def in_sentence(row: list[Item], rule: Rule, region: Region) -> bool:
    """Return whether a row is part of a line of words, as what is underlined or overlined is.

    `The chord AB has length 6` over a line that begins with an overlined `AB` makes no fraction of
    `has`: words stand beside it on its own baseline. A numerator has none there, unless they are
    another fraction's.
    """
    base = max(row, key=by_size)
    if base.axis is not None or base.kind != "glyph":
        return False
    members = set(row)
    x0, x1 = min(item.x0 for item in row), max(item.x1 for item in row)
    reach = BARS.sentence_reach * base.size
    left: list[Item] = []
    right: list[Item] = []
    for item in region.between(base.top, base.bottom):
        if (
            item in members
            or item.kind != "glyph"
            or not item.text[0].isalpha()
            or abs(item.base - base.base) > BARS.letter_base * base.size
            or not SCRIPT_RATIO < item.size / base.size < 1 / SCRIPT_RATIO
        ):
            continue
        if x0 - reach < item.x1 <= x0 + BARS.letter_gap * base.size:
            left.append(item)
        elif x1 - BARS.letter_gap * base.size <= item.x0 < x1 + reach:
            right.append(item)
    return any(
        len(side) >= BARS.word_letters and not under_rule(side, rule, region)
        for side in (left, right)
    )


def under_rule(items: list[Item], rule: Rule, region: Region) -> bool:
    """Return whether another rule at a bar's height covers items: they are another fraction's."""
    box = bounds(items)
    return any(
        other is not rule
        and abs(other.y - rule.y) < BARS.same_axis * items[0].size
        and other.x0 - items[0].size < box.middle < other.x1 + items[0].size
        for other in region.rules
    )


def row_on(rule: Rule, region: Region, *, up: bool) -> list[Item]:
    """Return the items that form the numerator (or denominator) on a bar."""
    near = near_bar(rule, region, up=up)
    if not near or near[0][0] > BARS.row_gap * near[0][1].size:
        return []
    closest = closest_to_bar(near, up=up)
    anchor = max(closest, key=lambda item: (round(item.size, 1), -item.order))
    size, base = anchor.size, anchor.base
    if anchor.axis is not None:
        size = style_size(anchor)
        beside = [
            item
            for item in closest
            if item.axis is None
            and abs(item.base - AXIS * item.size - anchor.axis) < BARS.same_base * size
        ]
        base = max(beside, key=by_size).base if beside else anchor.axis + AXIS * size
    axis = anchor.axis if anchor.axis is not None else base - AXIS * size
    pool = [item for _, item in near]
    row, tall = row_at(pool, base, axis, size)
    row += last_scripts(row, pool, base, size)
    if tall:
        box = bounds(tall)
        chosen = set(row)
        row += [
            item
            for item in pool
            if item not in chosen
            and box.top - 1 <= item.top
            and item.bottom <= box.bottom + 1
            and box.x0 <= item.middle <= box.x1 + size
        ]
    return row


def near_bar(rule: Rule, region: Region, *, up: bool) -> list[tuple[float, Item]]:
    """Return the items over (or under) a bar with their distances from it, the nearest first."""
    reach = BARS.row_reach_pt
    band = (
        region.between(rule.y - reach, rule.y + 1) if up
        else region.between(rule.y - 1, rule.y + reach)
    )  # fmt: skip
    near = []
    for item in band:
        slack = BARS.row_edge * item.size
        if not rule.x0 - slack < item.middle < rule.x1 + slack:
            continue
        level = item.axis if item.axis is not None else item.base - BARS.letter_middle * item.size
        if (level < rule.y) != up:
            continue
        overlap = item.bottom - rule.y if up else rule.y - item.top
        if overlap <= BARS.row_overlap * item.size:
            near.append((max(0.0, -overlap), item))
    near.sort(key=lambda pair: pair[0])
    return near


def closest_to_bar(near: list[tuple[float, Item]], *, up: bool) -> list[Item]:
    """Return the items of which the biggest tells a row's baseline.

    These are the closest to the bar, and what a script that stands close to it is attached to: that
    overlaps the script in height and stands at its left.
    """
    least, first = near[0]
    start = least + BARS.closest * first.size
    closest = [item for gap, item in near if gap < start]
    edge = (
        first.top - BARS.edge * first.size if up else first.bottom + BARS.edge * first.size
    )  # fmt: skip
    left = min(item.x0 for item in closest)
    right = max(item.x1 for item in closest)
    return closest + [
        item
        for gap, item in near
        if start <= gap < least + BARS.host_reach * item.size
        and 0
        < first.order - item.order
        <= (BARS.host_order if item.size > first.size / SCRIPT_RATIO else 1)
        and (item.bottom > edge if up else item.top < edge)
        and left - BARS.host_left * item.size < item.x1 < right + BARS.host_right * item.size
    ]


def row_at(
    pool: list[Item], base: float, axis: float, size: float
) -> tuple[list[Item], list[Item]]:
    """Return the items that stand on a baseline or axis, and those of them that are tall.

    Args:
        pool: over (or under) the bar.
        base: of the row.
        axis: of the row.
        size: font size of the row.
    """
    row: list[Item] = []
    tall: list[Item] = []
    slack = BARS.same_base * size
    level = [item for item in pool if item.axis is None and abs(item.base - base) < slack]
    for item in pool:
        if item.axis is not None:
            if abs(item.axis - axis) < BARS.same_axis * size:
                row.append(item)
                if item.kind in ("delimiter", "fraction", "block"):
                    tall.append(item)
        elif abs(item.base - base) < slack:
            row.append(item)
        elif (
            item.size < SCRIPT_RATIO * size
            and base - BARS.script_up * size < item.base < base + BARS.script_down * size
        ):
            # Scripts of the row, unless they belong to the text line beyond it.
            inside = (
                item.top < base + BARS.script_depth * size
                and item.bottom > base - BARS.script_up * size
            )
            if inside and not is_crowded(item, level):
                row.append(item)
        elif any(big.top - 1 < item.base < big.bottom + 1 for big in tall):
            row.append(item)
    return row, tall


def is_crowded(item: Item, level: list[Item]) -> bool:
    """Return whether a small item stands over or under glyphs of a row, as no script of it does."""
    width = max(item.x1 - item.x0, 0.1)
    return any(
        min(other.x1, item.x1) - max(other.x0, item.x0) > BARS.crowded * width
        and other.size > item.size / SCRIPT_RATIO
        for other in level
    )


def last_scripts(row: list[Item], pool: list[Item], base: float, size: float) -> list[Item]:
    """Return scripts as big as what they belong to: the smallest size has none below it."""
    chosen = set(row)
    found: list[Item] = []
    grown = True
    while grown:
        grown = False
        for item in pool:
            off = abs(item.base - base) / size
            if (
                item in chosen
                or not BARS.last_least < off < BARS.last_most
                or item.size > BARS.same_size * size
            ):
                continue
            for host in (*row, *found):
                after = 0 < item.order - host.order <= BARS.host_order
                gap = BARS.last_gap * size
                beside = -BARS.last_overlap * size < item.x0 - right_end(host) < gap
                if after and (beside or abs(item.x0 - host.x1) < gap):
                    chosen.add(item)
                    found.append(item)
                    grown = True
                    break
    return found


def overline(rule: Rule, region: Region) -> bool:
    """Overline what a rule stands over; return whether it is an overline."""
    below = [
        item
        for item in region.between(rule.y, rule.y + BARS.over_reach_pt)
        if rule.x0 - BARS.row_edge * item.size < item.middle < rule.x1 + BARS.row_edge * item.size
        and 0 <= item.top - rule.y < BARS.over_gap * item.size
        and item.text != "√"
    ]
    if not below:
        return False
    anchor = max(below, key=by_size)
    size = anchor.size
    row = [
        item
        for item in region.between(rule.y, anchor.bottom + BARS.over_below * size)
        if rule.x0 - BARS.row_edge * item.size < item.middle < rule.x1 + BARS.row_edge * item.size
        and item.base < anchor.base + BARS.over_depth * size
        and item.base > rule.y
    ]
    if not row:
        return False  # a rule through the foot of a glyph, as a blank's own ink
    row.sort(key=by_place)
    # A narrow sign beside the rule, as the point of 0.7, is not under it.
    while len(row) > 1 and misfit(bounds(row[1:]), rule) < misfit(bounds(row), rule):
        row = row[1:]
    while len(row) > 1 and misfit(bounds(row[:-1]), rule) < misfit(bounds(row), rule):
        row = row[:-1]
    box = bounds(row)
    if abs(box.x0 - rule.x0) > BARS.over_edge * size or abs(box.x1 - rule.x1) > (
        BARS.over_edge * size
    ):
        return False
    if rule.width > BARS.over_width * size:
        return False
    above = [
        item
        for item in region.between(rule.y - BARS.line_reach * size, rule.y)
        if item.base <= rule.y + BARS.line_above * size
        and rule.x0 < item.middle < rule.x1
        and rule.y - item.base < BARS.line_gap * size
    ]
    # Right under a line of text the rule is of what ends where it does.
    if above and misfit(bounds(above), rule) <= misfit(box, rule):
        return False
    whole = Item.of(
        row, Bounds(box.x0, box.x1, rule.top, box.bottom), base=anchor.base, size=size,
        latex=f"\\overline{{{latex_of_lines(assemble(row))}}}", kind="accent",
        spaced=min(row, key=lambda part: part.order).spaced,
    )  # fmt: skip
    region.replace(row, whole)
    return True


def misfit(box: Bounds, rule: Rule) -> float:
    """Return how far a rule's ends are from those of what stands over or under it, points."""
    return abs(box.x0 - rule.x0) + abs(box.x1 - rule.x1)
