"""Lines of text in reading order: columns, running heads and feet, figures."""

from __future__ import annotations

import re
from bisect import bisect
from collections import Counter
from dataclasses import dataclass, field
from itertools import takewhile

from distil.exams.text.columns import find_columns, share_out
from distil.exams.text.items import Item, Line, Region, right_end, usual_size
from distil.exams.text.joins import items_of
from distil.exams.text.mathematics import read_lines
from distil.exams.text.page import Box, Glyph, Matrix, Page, Rule, around
from distil.exams.text.rendering import render

COLUMN_GAP = 1.2
MARGIN = 0.1
SPARSE = 400
# Labels stand so many points around a figure.
LABELS = 9.0
# Styles of glyphs that mark their line.
DOUBTS = (("u", "unmapped"), ("d", "doubtful"), ("r", "formula"))


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
        second: left edge of the second column, points; None: there is none.
        blanks: lines to write on: x0, top, x1, bottom.
        back: from its points to those of the page as displayed, if it was turned by quarters.
        third: lines of a third reading with their boxes; None: there is none.
    """

    number: int
    width: float
    height: float
    lines: list[TextLine]
    figures: list[Box] = field(default_factory=list)
    method: str = "text"
    second: float | None = None
    blanks: list[Box] = field(default_factory=list)
    back: Matrix | None = None
    third: list[tuple[Box, str]] | None = None


def read_layout(page: Page, usual: float, known: float | None = None) -> Sheet:
    """Return the lines of a page that has a text layer.

    Args:
        page: from `glyphs.read_page`.
        usual: the usual font size of the whole paper; taken where the page has little text.
        known: left edge of the second column on an earlier page, points.

    Returns:
        The sheet, running heads still in it.
    """
    figures, tables = find_figures(page)
    glyphs = without_labels(page.glyphs, figures)
    size = None if len(glyphs) > SPARSE else usual
    items = items_of(glyphs, size)
    body = usual_size(items) if len(items) > SPARSE else usual
    whole = Region(items, page.rules, page.verticals, page.frames)
    lines, spare = read_lines(whole, body)
    columns = outside_tables(find_columns(lines, page.width, body, known), tables, page, body)
    if columns is None:
        parts = [(whole, lines)]
    else:
        spare = []
        parts = []
        gutter, bands, _ = columns
        # The first reading has changed the items.
        fresh = Region(items_of(glyphs, size), page.rules, page.verticals, page.frames)
        for region in share_out(fresh, gutter, bands, body):
            lines, left_over = read_lines(region, body)
            spare += left_over
            parts.append((region, lines))
    out: list[TextLine] = []
    for region, lines in parts:
        left = min((line.x0 for line in lines), default=0.0)
        out.extend(text_line(page, line, region.column, left, body) for line in lines)
    for x, y in page.unread:  # noqa: B007
        near = [line for line in out if line.box[1] - 0.6 * body < y < line.box[3] + 0.6 * body]
        if near:
            min(near, key=lambda line: abs((line.box[1] + line.box[3]) / 2 - y)).flags.add("unread")
    out = drop_footnotes(out, spare, body)
    for rule in spare:
        if rule.width < 12 * body:
            for line in out:
                inside = line.box[1] - 1 < rule.y < line.box[3] + 0.2 * body
                within = line.box[0] - 1 < rule.x0 and rule.x1 < line.box[2] + 0.4 * body
                if inside and (within or is_written_on(rule, line)):
                    line.flags.add("rule")
    for line in out:
        if any(
            t[0] < line.box[2] and line.box[0] < t[2] and t[1] < line.base < t[3] for t in tables
        ):
            line.flags.add("table")
    return Sheet(
        page.number,
        page.width,
        page.height,
        out,
        figures,
        second=columns and columns[2],
        blanks=page.blanks,
    )


def outside_tables(columns, tables: list[Box], page: Page, body: float):
    """Return what `find_columns` found without bands that lie in ruled tables.

    Args:
        columns: from `find_columns`.
        tables: boxes of tables with a frame.
        page: as it was read.
        body: usual font size, points.
    """
    if columns is None:
        return None
    gutter, bands, second = columns
    upright = whole_sides(page)
    grids = [(table, upright) for table in tables]
    # Tables without a frame: a rule and the upright ones that it meets.
    for rule in page.rules:
        line = (rule.x0, rule.top, rule.x1, rule.bottom)
        met = [side for side in upright if touches(side, line, 2.0)]
        grids.append((around(line, *met), met))
    for (x0, top, x1, bottom), sides in grids:
        # A line between two columns of text stands in their gutter.
        divides = any(
            x0 + 4 < side[0] < x1 - 4
            and abs(side[0] - gutter) > 1.5 * body
            and min(side[3], bottom) - max(side[1], top) > 0.6 * (bottom - top)
            for side in sides
        )
        if x0 < gutter < x1 and divides:
            bands = [
                (first, last)
                for first, last in bands
                if first < last and min(last, bottom) - max(first, top) < 0.6 * (last - first)
            ]
    return (gutter, bands, second) if bands else None


def whole_sides(page: Page) -> list[Box]:
    """Return the boxes of a page's upright rules, those drawn row by row in one piece."""
    sides: list[list[float]] = []
    for side in sorted(page.verticals, key=lambda side: (round(side.x0), side.top)):
        last = sides[-1] if sides else None
        if last is not None and abs(last[0] - side.x0) < 1 and side.top < last[3] + 2:
            last[3] = max(last[3], side.bottom)
        else:
            sides.append([side.x0, side.top, side.x1, side.bottom])
    return [tuple(side) for side in sides]


def is_written_on(rule: Rule, line: TextLine) -> bool:
    """Return whether an answer is printed on a rule at a line's end."""
    x0, x1, text = line.segments[-1]
    return rule.x0 - 1 < x0 and x1 < rule.x1 + 1 and not re.fullmatch(r"[\s._]*", text)


def text_line(page: Page, line: Line, column: int, left: float, body: float) -> TextLine:
    """Return a line of items as text with its place."""
    cells = [[line.items[0]]]
    edge = right_end(line.items[0])
    for item in line.items[1:]:
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
            edge = right_end(item)
        else:
            cells[-1].append(item)
            edge = max(edge, right_end(item))
    segments = [
        (min(i.x0 for i in cell), max(map(right_end, cell)), tidy(render(cell))) for cell in cells
    ]
    letters = [item for item in line.items if item.text.isalpha()]
    doubts = []
    for cell in cells:
        styles = "".join({item.style for item in every(cell)})
        doubts.append({name for mark, name in DOUBTS if mark in styles})
    flags = set().union(*doubts)
    if line.size < 0.8 * body and len(line.items) < 12:
        flags.add("small")
    return TextLine(
        page.number,
        column,
        left,
        (round(line.x0, 2), round(line.top, 2), round(line.x1, 2), round(line.bottom, 2)),
        line.base,
        usual_size(line.items),
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
        if item.sup or item.sub:
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


def without_labels(glyphs: list[Glyph], figures: list[Box]) -> list[Glyph]:
    """Return glyphs without those in figures and the labels around them.

    In the margin of a figure what stands in a row of text is text.
    """
    if not figures:
        return glyphs
    rows: dict[int, list[Glyph]] = {}
    for glyph in glyphs:
        rows.setdefault(round(glyph.base), []).append(glyph)
    kept = []
    for glyph in glyphs:
        x, y = (glyph.x0 + glyph.x1) / 2, (glyph.top + glyph.bottom) / 2
        box = next((f for f in figures if f[0] <= x <= f[2] and f[1] <= y <= f[3]), None)
        if box is None:
            kept.append(glyph)
            continue
        if box[0] + LABELS <= x <= box[2] - LABELS and box[1] + LABELS <= y <= box[3] - LABELS:
            continue
        row = [other for n in (-1, 0, 1) for other in rows.get(round(glyph.base) + n, ())]
        level = [other for other in row if abs(other.base - glyph.base) < 0.6]
        if in_text(glyph, level):
            kept.append(glyph)
    return kept


def in_text(glyph: Glyph, level: list[Glyph]) -> bool:
    """Return whether a glyph stands in a stretch of more than a label's length."""
    count, right, found = 0, None, False
    for other in sorted(level, key=lambda other: other.x0):
        if right is not None and other.x0 - right > 1.5 * glyph.size:
            if found:
                break
            count = 0
        count += 1
        right = max(right or other.x1, other.x1)
        found = found or other is glyph
    return count > 10


def find_figures(page: Page) -> tuple[list[Box], list[Box]]:
    """Return boxes of drawings and pictures on a page, near ones joined, and those of tables.

    Small drawings (bullets, ornaments of radicals and braces), backgrounds and frames around text
    are no figures.
    """
    boxes = [
        box
        for box in page.drawings
        if box[2] - box[0] < 0.9 * page.width
        and box[3] - box[1] < 0.9 * page.height
        and not holds_text(page.glyphs, box)
    ]
    area = page.width * page.height
    pictures = [
        box for box in page.images if 400 < (box[2] - box[0]) * (box[3] - box[1]) < 0.6 * area
    ]
    lines = [(r.x0, r.top, r.x1, r.bottom) for r in (*page.rules, *page.verticals)]
    groups = [list(box) for box in boxes]
    groups = join_boxes(groups, 12.0)
    rest = []
    for line in lines:
        for group in groups:
            if group[2] - group[0] > 20 and touches(line, group, 4.0):
                group[0], group[1] = min(group[0], line[0]), min(group[1], line[1])
                group[2], group[3] = max(group[2], line[2]), max(group[3], line[3])
                break
        else:
            rest.append(line)
    groups = join_boxes(groups, 12.0)
    grids, tables = straight_figures(page, [*rest, *page.frames])
    groups += grids
    big = [group for group in groups if group[2] - group[0] > 24 and group[3] - group[1] > 24]
    padded = [[g[0] - LABELS, g[1] - LABELS, g[2] + LABELS, g[3] + LABELS] for g in big]
    figures = [
        tuple(round(v, 2) for v in group)
        for group in join_boxes([*padded, *map(list, pictures)], 1.0)
    ]
    return figures, tables


def holds_text(glyphs: list[Glyph], box: Box) -> bool:
    """Return whether a box is a frame around running text rather than a drawing with labels."""
    if box[2] - box[0] < 120:
        return False
    rows = Counter(
        round(glyph.base)
        for glyph in glyphs
        if box[0] < glyph.x0 and glyph.x1 < box[2] and box[1] < glyph.base < box[3]
    )
    return any(count > (box[2] - box[0]) / 9 for count in rows.values())


def straight_figures(page: Page, lines: list[Box]) -> tuple[list[list[float]], list[Box]]:
    """Return the boxes of figures made of upright lines only, and the boxes of tables.

    A figure has at most a label in every other cell; a table's cells are filled.
    """
    figures, tables = [], []
    for box in join_boxes([list(line) for line in lines], 1.0):
        width, height = box[2] - box[0], box[3] - box[1]
        if width < 24 or height < 30 or width > 0.9 * page.width or height > 0.9 * page.height:
            continue
        inside = [line for line in lines if touches(line, box, 0.0)]
        across = edges([y for x0, top, x1, bottom in inside if x1 - x0 > 3 for y in (top, bottom)])
        down = edges([x for x0, top, x1, bottom in inside if bottom - top > 3 for x in (x0, x1)])
        if len(across) < 2 or len(down) < 2:
            continue
        glyphs = [
            glyph
            for glyph in page.glyphs
            if box[0] < glyph.x0 and glyph.x1 < box[2] and box[1] < glyph.base < box[3]
        ]
        filled = {
            (bisect(across, (g.top + g.bottom) / 2), bisect(down, (g.x0 + g.x1) / 2))
            for g in glyphs
        }
        if len(filled) > 0.5 * (len(across) - 1) * (len(down) - 1) or holds_text(glyphs, box):
            tables.append(tuple(box))
        else:
            figures.append(box)
    return figures, tables


def edges(values: list[float]) -> list[float]:
    """Return the distinct places among some, those within 4 points taken for one."""
    out: list[float] = []
    for value in sorted(values):
        if not out or value - out[-1] > 4:
            out.append(value)
    return out


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


# Of two letters or more, and no name of a sign.
WORD = re.compile(r"(?<!\\)\b[^\W\d_]{2,}")
# Not |181| or [137], which are formulas.
PAGE_NUMBER = re.compile(
    r"^(?!\|\d+\|$|\[\d+\]$)\W*(?:page|p\.?|pg\.?)?\s*\d{1,3}\s*(?:(?:of|/)\s*\d{1,3})?\W*$|\bpage\s+\d{1,3}(?:\s+of\s+\d+)?\W*$",
    re.I,
)


NUMBERED = re.compile(
    r"^\W*(?:problem|question)?\s*\d{1,3}\s*[.):]\s*\S|^\W*(?:problem|question|exercise)\s*\W?\d{1,3}\b",
    re.I,
)


def drop_running_lines(sheets: list[Sheet]) -> None:
    """Remove running heads, running feet and page numbers from the sheets, in place.

    A logo or an ornament that stands in the margin of several pages goes as well.
    """
    places = Counter(running_place(sheet, figure) for sheet in sheets for figure in sheet.figures)
    for sheet in sheets:
        sheet.figures = [
            figure
            for figure in sheet.figures
            if running_place(sheet, figure) is None or places[running_place(sheet, figure)] < 2
        ]
    seen: Counter[tuple[str, int]] = Counter()
    for sheet in sheets:
        seen.update({key for line in sheet.lines if (key := running_key(sheet, line))})
    before: TextLine | None = None
    for sheet in sheets:
        keep: list[TextLine] = []
        for line in sheet.lines:
            key = running_key(sheet, line)
            foot = line.box[1] > (1 - MARGIN) * sheet.height
            # At the head only what nothing kept stands above.
            head = not keep and line.box[3] < MARGIN * sheet.height
            if (
                (foot or head)
                and PAGE_NUMBER.search(line.text)
                and (foot or len(line.text) < 60)
                and not ends_sentence(line, before)
                and not is_beside_text(sheet, line)
            ):
                continue
            if line is sheet.lines[-1] and is_page_number(sheet, line):
                continue
            often = key and seen[key] >= max(2, 0.5 * len(sheets)) and len(sheets) > 1
            if often and stands_apart(sheet, line):
                continue
            keep.append(line)
        sheet.lines = keep
        before = keep[-1] if keep else before


def is_beside_text(sheet: Sheet, line: TextLine) -> bool:
    """Return whether a line stands at the height of a longer one, as an exponent off its line."""
    _, top, _, bottom = line.box
    return any(
        other.box[1] < bottom - 0.1 * line.body
        and top < other.box[3] - 0.1 * line.body
        and len(other.text) > len(line.text)
        for other in sheet.lines
        if other is not line
    )


def ends_sentence(line: TextLine, before: TextLine | None) -> bool:
    """Return whether a number alone at a page's head ends the last sentence of the page before.

    `... divisible by` and `13?` on the next page: a page number has no sign of punctuation.
    """
    if before is None or before.page == line.page:
        return False
    return bool(re.search(r"\d[?!.]$", line.text)) and not re.search(r"[.?!:]\W*$", before.text)


def running_place(sheet: Sheet, figure: Box) -> tuple | None:
    """Return where a figure in a page's margins stands, roughly; None: not in the margins."""
    middle = (figure[1] + figure[3]) / 2 / sheet.height
    if 1.2 * MARGIN < middle < 1 - 1.2 * MARGIN:
        return None
    return tuple(round(value / 8) for value in figure)


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
    """Return what a line in the margins has in common with its likes on other pages.

    None where it has nothing that a head would have: a formula alone, whose numbers may differ, is
    the text of two problems rather than the head of two pages.
    """
    if MARGIN * sheet.height <= line.box[1] and line.box[3] <= (1 - MARGIN) * sheet.height:
        return None
    if NUMBERED.match(line.text) or not WORD.search(line.text):
        return None
    return re.sub(r"\d+", "0", line.text), round(line.box[1] / 6)
