"""Lines of text in reading order: columns, running heads and feet, figures."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import takewhile

from distil.exams.glyphs import Box, Page
from distil.exams.mathematics import Item, Line, assemble, build, items_of, render, usual_size

COLUMN_GAP = 1.2
GUTTER = 0.55
MARGIN = 0.1
SPARSE = 400
# Styles of glyphs that mark their line.
DOUBTS = (("u", "unmapped"), ("d", "doubtful"))


@dataclass(slots=True)
class TextLine:
    """A printed line.

    Attributes:
        page: 1-based page number.
        column: 0 for the first (or only) column of its band.
        left: left edge of its column, points.
        box: x0, top, x1, bottom in points from the page's top-left corner.
        base: baseline, points.
        size: main font size, points.
        segments: (x0, x1, text) of the stretches between wide gaps.
        sizes: font size of each stretch, points.
        doubts: flags of each stretch.
        bold: whether all its letters are bold.
        flags: doubts about it.
        body: the page's usual font size.
        height: of the page, points.
        confidence: 1 for text read from the file, less for text recognised in a scan.
    """

    page: int
    column: int
    left: float
    box: Box
    base: float
    size: float
    segments: list[tuple[float, float, str]]
    bold: bool = False
    flags: set[str] = field(default_factory=set)
    body: float = 10.0
    height: float = 792.0
    confidence: float = 1.0
    sizes: list[float] = field(default_factory=list)
    doubts: list[set[str]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The line's text."""
        return " ".join(segment[2] for segment in self.segments)


@dataclass(slots=True)
class Sheet:
    """A page's lines in reading order, and what else it shows.

    Attributes:
        number: 1-based page number.
        width, height: points.
        lines: in reading order.
        figures: boxes of drawings and pictures.
        method: "text" or "ocr".
        blanks: lines to write on: x0, top, x1, bottom.
    """

    number: int
    width: float
    height: float
    lines: list[TextLine]
    figures: list[Box] = field(default_factory=list)
    method: str = "text"
    blanks: list[Box] = field(default_factory=list)


def read_layout(page: Page, usual: float) -> Sheet:
    """Return the lines of a page that has a text layer.

    Args:
        page: from `glyphs.read_page`.
        usual: the usual font size of the whole paper; taken where the page has little text.

    Returns:
        The sheet, running heads still in it.
    """
    figures = find_figures(page)
    glyphs = [glyph for glyph in page.glyphs if not within_any(glyph, figures)]
    items, spare = build(items_of(glyphs), page.rules, page.verticals, page.frames)
    body = usual_size(items) if len(items) > SPARSE else usual
    lines = assemble(items, body)
    out: list[TextLine] = []
    for column, left, part in in_columns(lines, page.width, body):
        out.extend(text_line(page, line, column, left, body) for line in part)
    for x, y in page.unread:  # noqa: B007
        near = [line for line in out if line.box[1] - 0.6 * body < y < line.box[3] + 0.6 * body]
        if near:
            min(near, key=lambda line: abs((line.box[1] + line.box[3]) / 2 - y)).flags.add("unread")
    out = drop_footnotes(out, spare, body)
    for rule in spare:
        if rule.width < 12 * body:
            for line in out:
                inside = line.box[1] - 1 < rule.y < line.box[3] + 0.2 * body
                if inside and line.box[0] - 1 < rule.x0 and rule.x1 < line.box[2] + 1:
                    line.flags.add("rule")
    return Sheet(page.number, page.width, page.height, out, figures, blanks=page.blanks)


def text_line(page: Page, line: Line, column: int, left: float, body: float) -> TextLine:
    """Return a line of items as text with its place."""
    cells = [[line.items[0]]]
    for item in line.items[1:]:
        last = cells[-1]
        edge = max(max(other.x1, other.reach) for other in last)
        ruled = item.x0 - edge > 0.3 * line.size and any(
            edge - 1 < rule.x0 < item.x0 + 1 and rule.top < line.base < rule.bottom + 2
            for rule in page.verticals
        )
        # What is underlined has no gap where its line ends; an answer and a remark have one.
        ruled = ruled or (
            (item.x0 - edge > 0.25 * line.size)
            and any(
                edge - 0.5 * line.size < x1 < item.x0 + 0.5 * line.size
                and top - 1.5 * line.size < line.base < bottom + line.size
                for _, top, x1, bottom in page.blanks
            )
        )
        if ruled or item.x0 - edge > COLUMN_GAP * line.size:
            cells.append([item])
        else:
            last.append(item)
    segments = [
        (min(i.x0 for i in cell), max(max(i.x1, i.reach) for i in cell), tidy(render(cell)))
        for cell in cells
    ]
    letters = [item for item in line.items if item.text.isalpha()]
    doubts = [
        {name for mark, name in DOUBTS if any(mark in item.style for item in every(cell))}
        for cell in cells
    ]
    flags = set().union(*doubts)
    if line.size < 0.8 * body and len(line.items) < 12:
        flags.add("small")
    return TextLine(
        page.number,
        column,
        left,
        (round(line.x0, 2), round(line.top, 2), round(line.x1, 2), round(line.bottom, 2)),
        line.base,
        line.size,
        segments,
        bool(letters) and all("b" in item.style for item in letters),
        flags,
        body,
        page.height,
        sizes=[max(item.size for item in cell) for cell in cells],
        doubts=doubts,
    )


def drop_footnotes(lines: list[TextLine], rules: list, body: float) -> list[TextLine]:
    """Return lines without footnotes and their marks.

    Footnotes are small lines at the foot of the page under a short rule at the left margin.
    """
    if not lines:
        return lines
    left = min(line.left for line in lines)
    right = max(line.box[2] for line in lines)
    for rule in rules:
        short = 3 * body < rule.width < 0.6 * (right - left) and abs(rule.x0 - left) < 2 * body
        below = [line for line in lines if line.box[1] > rule.y - 1]
        if not short or not below or rule.y < 0.4 * lines[0].height:
            continue
        foot = list(takewhile(lambda line: line.size <= 0.93 * body, below))
        if not foot:
            continue
        marks = {
            match[1] for line in foot if (match := re.match(r"(?:\^\{)?(\d{1,2}|\*)\}?", line.text))
        }
        kept = [line for line in lines if all(line is not other for other in foot)]
        for line in kept:
            for mark in marks:
                line.segments = [
                    (x0, x1, re.sub(rf"(?<=[A-Za-z.,;:?!)}}])\^\{{{re.escape(mark)}\}}", "", text))
                    for x0, x1, text in line.segments
                ]
        return kept
    return lines


def every(items: list[Item]) -> list[Item]:
    """Return items and their scripts."""
    out = []
    for item in items:
        out.append(item)
        out.extend(every(item.sup))
        out.extend(every(item.sub))
    return out


def tidy(text: str) -> str:
    """Return a line's text with dots, residues and spaces in one spelling."""
    text = re.sub(r"\.\s?\.\s?\.(?!\s?\.)", r"\\ldots", text)
    text = re.sub(r"\\cdot\s*\\cdot\s*\\cdot", r"\\cdots", text)
    text = re.sub(r"\\(ldots|cdots)(?=[A-Za-z])", r"\\\1 ", text)
    text = re.sub(r"\((?:\\mod|mod)\s+([^()]+)\)", r"\\pmod{\1}", text)
    text = re.sub(r"\s+([,;.?!])(?=\s|$)", r"\1", text)
    return re.sub(r"\s+", " ", text).strip()


def in_columns(lines: list[Line], width: float, body: float) -> list[tuple[int, float, list[Line]]]:
    """Sort a page's lines into columns.

    Args:
        lines: of the whole page, from top to bottom.
        width: of the page, points.
        body: usual font size.

    Returns:
        (column, left edge, lines) in reading order.
    """
    if not lines:
        return []
    left = min(line.x0 for line in lines)
    found = find_gutter(lines, width, body)
    if found is None:
        return [(0, left, lines)]
    gutter, bands = found
    out: list[tuple[int, float, list[Line]]] = []
    position = 0
    for start, stop in bands:
        if start > position:
            out.append((0, left, lines[position:start]))
        sides: tuple[list[Line], list[Line]] = ([], [])
        for line in lines[start:stop]:
            for side, chosen in enumerate(
                (
                    [item for item in line.items if item.middle < gutter],
                    [item for item in line.items if item.middle >= gutter],
                )
            ):
                if chosen:
                    sides[side].append(Line(chosen, line.base, line.size))
        for side, part in enumerate(sides):
            if part:
                out.append((side, min(line.x0 for line in part), part))
        position = stop
    if position < len(lines):
        out.append((0, left, lines[position:]))
    return out


def find_gutter(
    lines: list[Line], width: float, body: float
) -> tuple[float, list[tuple[int, int]]] | None:
    """Return the gutter between two columns and the bands of lines that it divides, if any."""
    spans = [spans_of(line) for line in lines]
    best, best_count = None, 0
    step = max(2.0, body / 5)
    x = 0.25 * width
    while x < 0.75 * width:
        bands = []
        start = None
        for index in range(len(lines) + 1):
            crosses = index == len(lines) or any(a < x < b for a, b in spans[index])
            if crosses:
                if start is not None and divided(lines[start:index], spans[start:index], x, body):
                    bands.append((start, index))
                start = None
            elif start is None:
                start = index
        count = sum(stop - start for start, stop in bands)
        if count > best_count:
            best, best_count = (x, bands), count
        x += step
    return best


def spans_of(line: Line) -> list[tuple[float, float]]:
    """Return the stretches of a line between its wide gaps."""
    spans: list[tuple[float, float]] = []
    for item in line.items:
        x1 = max(item.x1, item.reach)
        if spans and item.x0 - spans[-1][1] < GUTTER * line.size:
            spans[-1] = (spans[-1][0], max(spans[-1][1], x1))
        else:
            spans.append((item.x0, x1))
    return spans


def divided(lines: list[Line], spans: list, x: float, body: float) -> bool:
    """Return whether a band of lines is two columns of text with a gutter at x."""
    lefts = [max(b for a, b in span if b <= x) for span in spans if any(b <= x for a, b in span)]
    rights = [min(a for a, b in span if a >= x) for span in spans if any(a >= x for a, b in span)]
    if len(lefts) < 4 or len(rights) < 4:
        return False
    # A column has a straight left edge.
    edge, count = Counter(round(value / 2) for value in rights).most_common(1)[0]
    count += sum(1 for value in rights if abs(value / 2 - edge) <= 1.5 and round(value / 2) != edge)
    if count < 0.35 * len(rights):
        return False
    if min(rights) - max(lefts) < GUTTER * body:
        return False
    # Columns stand beside each other; displayed formulas stand between the lines at their left.
    level = [
        line
        for line, span in zip(lines, spans, strict=True)
        if any(a >= x for a, _ in span)
        and any(
            abs(other.base - line.base) < 0.9 * line.size and any(b <= x for _, b in its)
            for other, its in zip(lines, spans, strict=True)
        )
    ]
    if len(level) < 0.5 * len(rights):
        return False
    # Options set in a table are few; columns of prose or of answers are not.
    return lines[-1].base - lines[0].base > 4 * body


def within_any(glyph, boxes: list[Box]) -> bool:
    """Return whether a glyph's centre lies in one of the boxes."""
    x, y = (glyph.x0 + glyph.x1) / 2, (glyph.top + glyph.bottom) / 2
    return any(x0 <= x <= x1 and top <= y <= bottom for x0, top, x1, bottom in boxes)


def find_figures(page: Page) -> list[Box]:
    """Return boxes of drawings and pictures on a page, near ones joined.

    Small drawings (bullets, ornaments of radicals and braces) and backgrounds are no figures.
    """
    boxes = [
        box
        for box in page.drawings
        if box[2] - box[0] < 0.9 * page.width and box[3] - box[1] < 0.9 * page.height
    ]
    area = page.width * page.height
    pictures = [
        box for box in page.images if 400 < (box[2] - box[0]) * (box[3] - box[1]) < 0.6 * area
    ]
    lines = [(r.x0, r.top, r.x1, r.bottom) for r in (*page.rules, *page.verticals)]
    groups = [list(box) for box in boxes]
    groups = join_boxes(groups, 12.0)
    # Straight lines belong to a figure only where a curve or slanted line is.
    for line in lines:
        for group in groups:
            if group[2] - group[0] > 20 and touches(line, group, 4.0):
                group[0], group[1] = min(group[0], line[0]), min(group[1], line[1])
                group[2], group[3] = max(group[2], line[2]), max(group[3], line[3])
                break
    groups = join_boxes(groups, 12.0)
    big = [group for group in groups if group[2] - group[0] > 24 and group[3] - group[1] > 24]
    padded = [[g[0] - 9, g[1] - 9, g[2] + 9, g[3] + 9] for g in big]
    return [
        tuple(round(v, 2) for v in group)
        for group in join_boxes([*padded, *map(list, pictures)], 1.0)
    ]


def touches(a, b, slack: float) -> bool:
    """Return whether two boxes overlap or nearly do."""
    return (
        a[0] <= b[2] + slack
        and b[0] <= a[2] + slack
        and a[1] <= b[3] + slack
        and b[1] <= a[3] + slack
    )


def join_boxes(boxes: list[list[float]], slack: float) -> list[list[float]]:
    """Return boxes with those that nearly touch joined."""
    out: list[list[float]] = []
    for box in sorted(boxes, key=lambda box: (box[1], box[0])):
        merged = list(box)
        changed = True
        while changed:
            changed = False
            for other in out:
                if touches(other, merged, slack):
                    merged = [
                        min(other[0], merged[0]), min(other[1], merged[1]),
                        max(other[2], merged[2]), max(other[3], merged[3]),
                    ]  # fmt: skip
                    out.remove(other)
                    changed = True
                    break
        out.append(merged)
    return out


PAGE_NUMBER = re.compile(
    r"^\W*(?:page|p\.?|pg\.?)?\s*\d{1,3}\s*(?:(?:of|/)\s*\d{1,3})?\W*$|\bpage\s+\d{1,3}(?:\s+of\s+\d+)?\W*$",
    re.I,
)


NUMBERED = re.compile(r"^\W*(?:problem|question)?\s*\d{1,3}\s*[.):]\s*\S", re.I)


def drop_running_lines(sheets: list[Sheet]) -> None:
    """Remove running heads, running feet and page numbers from the sheets, in place."""
    seen: Counter[tuple[str, int]] = Counter()
    for sheet in sheets:
        seen.update({key for line in sheet.lines if (key := running_key(sheet, line))})
    for sheet in sheets:
        keep = []
        for line in sheet.lines:
            key = running_key(sheet, line)
            foot = line.box[1] > (1 - MARGIN) * sheet.height
            # At the head only what nothing kept stands above.
            outside = foot or (not keep and line.box[3] < MARGIN * sheet.height)
            if outside and PAGE_NUMBER.search(line.text) and (foot or len(line.text) < 60):
                continue
            if line is sheet.lines[-1] and is_page_number(sheet, line):
                continue
            often = key and seen[key] >= max(2, 0.5 * len(sheets)) and len(sheets) > 1
            if often and stands_apart(sheet, line):
                continue
            keep.append(line)
        sheet.lines = keep


def stands_apart(sheet: Sheet, line: TextLine) -> bool:
    """Return whether a line in the margin keeps more than a line's distance from the text."""
    top, bottom = MARGIN * sheet.height, (1 - MARGIN) * sheet.height
    gaps = [
        max(other.box[1] - line.box[3], line.box[1] - other.box[3])
        for other in sheet.lines
        if other is not line and other.box[3] > top and other.box[1] < bottom
    ]
    return min(gaps, default=line.body) > 0.7 * line.body


def is_page_number(sheet: Sheet, line: TextLine) -> bool:
    """Return whether a page's last line is its number, set apart and in the middle."""
    match = re.fullmatch(r"\W*(\d{1,3})\W*", line.text)
    if not match or int(match[1]) != sheet.number or len(sheet.lines) < 2:
        return False
    apart = line.box[1] - sheet.lines[-2].box[3] > 1.2 * line.body
    middle = (line.box[0] + line.box[2]) / 2
    return apart and abs(middle - sheet.width / 2) < 0.1 * sheet.width


def running_key(sheet: Sheet, line: TextLine) -> tuple[str, int] | None:
    """Return what a line in the margins has in common with its likes on other pages."""
    if MARGIN * sheet.height <= line.box[1] and line.box[3] <= (1 - MARGIN) * sheet.height:
        return None
    if NUMBERED.match(line.text):
        return None
    return re.sub(r"\d+", "0", line.text), round(line.box[1] / 6)
