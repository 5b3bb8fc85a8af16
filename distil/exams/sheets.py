"""Pages of a PDF to sheets of lines: from the text layer, from its picture, or from both.

    sheets, digest = read_sheets(Path("paper.pdf"), None)

A page is read from its text layer. Three kinds of pages are read as they are drawn, by the code for
scans: a scan; a page whose fonts do not say, or say wrongly, what they print; and those parts of a
page that are pictures or outlines of formulas. What is drawn and cannot be read marks its line as
`unread`, so that nothing is lost in silence.
"""

from __future__ import annotations

import contextlib
import re
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from distil.content.hashing import sha256_file
from distil.exams.errors import ExamError, program_fault
from distil.exams.text.columns import numbers_first, without_marks
from distil.exams.text.glyphs import moved, open_document, read_page
from distil.exams.text.items import usual_size
from distil.exams.text.layout import (
    Sheet,
    TextLine,
    drop_running_lines,
    find_figures,
    join_boxes,
    read_layout,
    touches,
)
from distil.exams.text.page import Box, Glyph, Matrix, Page
from distil.exams.text.paths import MAX_SILENT

MAX_PAGES = 400
FEW_GLYPHS = 25
RECOGNISED = 0.97
# A page with so many characters must have words; of a page of unknown characters more than this
# share has no name.
WORDY = 60
# A formula in a line is no higher, in units of the font size.
TALLEST = 3.5
# A recognised glyph so near a baseline, in units of its size, is on it; a script is smaller.
OFF_LINE = 0.3
SCRIPT = 0.85
UNNAMED = 0.5
# Running lines stand on more than this share of the pages, of so many pages.
RUNNING = 0.6
FEW_PAGES = 4
MATRIX = re.compile(r"\\begin\{\w*matrix\}")
# What tells that a line of a scan is one: a word, a relation, a number or an option's label.
WHOLE = re.compile(
    r"(?<!\\)\b[A-Za-z]{3}|[=<>]|\\(?:leq|geq|neq)\b|^\(?(?:[A-Ha-h]|T?\d{1,3})[.):](?:\s|$)"
)
# Words of which no page of prose in these languages is without: English, French, German, Spanish,
# Italian, Portuguese, Dutch, Polish. Other scripts and languages are compared with their shapes.
COMMON = {
    "the", "and", "of", "is", "in", "what", "find", "that", "for", "how", "if", "to", "are", "let",
    "le", "la", "les", "un", "une", "est", "de", "et", "dans", "que", "der", "die", "das", "ist",
    "und", "ein", "eine", "wie", "von", "el", "los", "es", "una", "en", "il", "di", "che", "do",
    "da", "em", "um", "het", "een", "van", "na", "jest", "be", "with",
}  # fmt: skip


def read_sheets(
    path: Path, sha256: str | None, third_reading: str | None = None
) -> tuple[list[Sheet], str]:
    """Return a PDF's sheets and its sha256.

    Args:
        path: the PDF.
        sha256: what its sha256 must be; None: not checked.
        third_reading: package and version of a third reader of scans, `rapidocr==3.10.0`.

    Raises:
        ExamError: the file cannot be read or has another sha256.
    """
    digest = checked_digest(path, sha256)
    document = open_document(path)
    with contextlib.closing(document):
        if len(document) > MAX_PAGES:
            raise ExamError(
                path, f"{len(document)} pages are more than {MAX_PAGES}", "split the file by exam"
            )
        typefaces: dict = {}
        pages = [read_page(document, index, path, typefaces) for index in range(len(document))]
        backs: dict[int, Matrix] = {}
        for index, page in enumerate(pages):
            if is_scan(page) or is_unnamed(page, path) or is_misnamed(document, index, page, path):
                from distil.exams.scans.pages import read_scan

                pages[index], backs[index] = read_scan(document, index, page, path)
        third = third_readings(document, [pages[n] for n in backs], path, third_reading)
        body = usual_size(own_glyphs(pages))
        for index, page in enumerate(pages):
            if index not in backs:
                account_for_ink(document, index, page, body, path)
                page.glyphs = without_marks(page.glyphs, body)
    sheets = []
    second = None
    for index, page in enumerate(pages):
        sheet = lay_out(page, body, second, path)
        second = sheet.second or second
        if index in backs:
            mark_recognised(sheet, backs[index])
        else:
            sheet.lines = numbers_first(sheet.lines)
        sheet.back = page.back
        sheet.third = third.get(page.number)
        sheets.append(sheet)
    drop_running_lines(sheets)
    return sheets, digest


def own_glyphs(pages: Sequence[Page]) -> list[Glyph]:
    """Return the characters of all pages without those that most pages have at the same place.

    Slides have more of these than of text, and in a smaller size.
    """
    glyphs = [glyph for page in pages for glyph in page.glyphs]
    if len(pages) < FEW_PAGES:
        return glyphs
    places = [{(g.text, round(g.x0), round(g.base)) for g in page.glyphs} for page in pages]
    counts = Counter(place for own in places for place in own)
    most = {place for place, count in counts.items() if count > RUNNING * len(pages)}
    own = [g for g in glyphs if (g.text, round(g.x0), round(g.base)) not in most]
    return own or glyphs


def third_readings(
    document, pages: Sequence[Page], path: Path, wanted: str | None
) -> dict[int, list[tuple[Box, str]]]:
    """Return the third readings of scanned pages by page number; none unless asked for."""
    if wanted is None or not pages:
        return {}
    from distil.exams.scans.third_reading import Reader

    reader = Reader(wanted, path)
    return {page.number: reader.read(document, page.number - 1, page, path) for page in pages}


def checked_digest(path: Path, sha256: str | None) -> str:
    """Return a file's sha256.

    Raises:
        ExamError: the file cannot be read or has another sha256 than it must have.
    """
    if not path.is_file():
        raise ExamError(
            path, "no such file", "check the path in the manifest or on the command line"
        )
    try:
        digest = sha256_file(path)
    except OSError as error:
        raise ExamError(
            path, f"it cannot be read ({error.strerror})", "check who may read the file"
        ) from None
    if sha256 is not None and digest != sha256:
        raise ExamError(
            path,
            f"its sha256 is {digest}, the manifest says {sha256}",
            "restore the listed file, or correct the manifest if the new file is meant",
        )
    return digest


def is_scan(page: Page) -> bool:
    """Return whether a page must be read from its picture: little text, and a picture."""
    if len(page.glyphs) >= FEW_GLYPHS:
        return False
    covered = sum((box[2] - box[0]) * (box[3] - box[1]) for box in page.images)
    return covered > 0.25 * page.width * page.height or page.hidden > 0


def is_unnamed(page: Page, path: Path) -> bool:
    """Return whether the file does not say which characters a page prints.

    Raises:
        ExamError: it does not, and tesseract, which could read the page, is not installed.
    """
    if len(page.glyphs) < FEW_GLYPHS:
        return False
    unnamed = sum(1 for glyph in page.glyphs if "u" in glyph.style)
    if unnamed <= UNNAMED * len(page.glyphs):
        return False
    require_tesseract(path, page, "its fonts do not say which characters they print")
    return True


def is_misnamed(document, index: int, page: Page, path: Path) -> bool:
    """Return whether a page's fonts name other characters than they print.

    Raises:
        ExamError: they do, and tesseract, which could read the page, is not installed.
    """
    letters = sum(1 for glyph in page.glyphs if glyph.text.isalpha() and glyph.text.isascii())
    if letters < WORDY or has_words(page.glyphs):
        return False
    from distil.exams.scans.ink import is_belied

    if not is_belied(document, index, page, path):
        return False
    require_tesseract(path, page, "its fonts name other characters than they print")
    return True


def has_words(glyphs: Sequence[Glyph]) -> bool:
    """Return whether two common words stand among characters, in the file's order."""
    found = set()
    word = ""
    last: Glyph | None = None
    for glyph in glyphs:
        if (
            last is None
            or glyph.spaced
            or abs(glyph.base - last.base) > 0.1 * glyph.size
            or glyph.x0 - last.x1 > 0.13 * glyph.size
        ):
            found.add(word)
            word = ""
        word += glyph.text.lower() if glyph.text.isalpha() else " "
        last = glyph
    found.add(word)
    return len({part.strip() for part in found} & COMMON) >= 2


def require_tesseract(path: Path, page: Page, cause: str) -> None:
    """Raise what must be said of a page that only tesseract could read, where it is absent."""
    if shutil.which("tesseract") is None:
        raise ExamError(
            path,
            f"page {page.number}: {cause}, and tesseract, which could read the page as it is "
            "drawn, is not installed",
            "install it (apt-get install tesseract-ocr, or brew install tesseract)",
        )


def account_for_ink(document, index: int, page: Page, body: float, path: Path) -> None:
    """Read what a page draws without characters in its lines of text, or say that it is there.

    Args:
        document: the PDF.
        index: 0-based page index.
        page: changed in place: recognised glyphs and rules are added, pictures that were read are
            taken away, places that nothing accounts for go to `unread`.
        body: usual font size, points.
        path: the file, for error messages.
    """
    if not (page.drawings or page.images or page.silent):
        return  # all that is drawn is characters and straight lines
    if len(page.silent) >= MAX_SILENT:
        # Such a page takes long to draw, and nobody typesets one.
        page.unread += [((box[0] + box[2]) / 2, (box[1] + box[3]) / 2) for box in page.silent]
        return
    inline = inline_boxes(page, body)
    figures = [box for box in find_figures(page)[0] if not any(touches(box, b, 0) for b in inline)]
    loose = [
        box
        for box in (*page.images, *page.drawings)
        if not any(touches(box, figure, 0) for figure in figures)
    ]
    if not loose and not page.silent:
        return
    from distil.exams.scans.ink import unread_ink

    pieces = unread_ink(document, index, page, figures, body, path)
    pad = 0.25 * body
    regions = [
        tuple(region)
        for region in join_boxes(
            [[box[0] - pad, box[1] - pad, box[2] + pad, box[3] + pad] for box in pieces],
            0.8 * body,
        )
    ]
    regions = [
        box
        for box in regions
        if beside_text(box, page.glyphs, body)
        or (between_lines(box, page.glyphs, body) and not beside_drawing(box, page, body))
    ]
    if not regions:
        return
    pieces = [piece for piece in pieces if any(touches(piece, box, 0) for box in regions)]
    drawn: list[Glyph] = []
    if shutil.which("tesseract"):
        from distil.exams.scans.pages import read_scan

        scanned, _ = read_scan(document, index, replace(page), path)
        drawn = drawn_glyphs(scanned, page, regions)
        page.rules += [
            rule
            for rule in scanned.rules
            if any(r[0] < (rule.x0 + rule.x1) / 2 < r[2] and r[1] < rule.y < r[3] for r in regions)
        ]
    page.glyphs += drawn
    seen = [(glyph.x0, glyph.top, glyph.x1, glyph.bottom) for glyph in drawn]
    seen += [(rule.x0, rule.top, rule.x1, rule.bottom) for rule in page.rules]
    for piece in pieces:
        if not any(touches(piece, box, 0.5) for box in seen):
            page.unread.append(((piece[0] + piece[2]) / 2, (piece[1] + piece[3]) / 2))
    page.images = [b for b in page.images if not any(touches(b, r, 0) for r in regions)]
    page.drawings = [b for b in page.drawings if not any(touches(b, r, 0) for r in regions)]


def inline_boxes(page: Page, body: float) -> list[Box]:
    """Return the pictures and groups of outlines that stand in a line of text, as formulas do."""
    groups = [
        tuple(box)
        for box in join_boxes([list(box) for box in (*page.images, *page.drawings)], 0.4 * body)
    ]
    tall = [box for box in groups if box[3] - box[1] >= TALLEST * body]
    # What is near something tall is part of one drawing with it: the nodes of a graph, say.
    drawings = [
        figure for figure in find_figures(page)[0] if any(touches(figure, box, 0) for box in tall)
    ]
    return [
        box
        for box in groups
        if box[3] - box[1] < TALLEST * body
        and beside_text(box, page.glyphs, body)
        and not any(touches(box, drawing, 0) for drawing in drawings)
    ]


def beside_text(box: Box, glyphs: Sequence[Glyph], body: float) -> bool:
    """Return whether characters stand beside a box, on a baseline that runs through it."""
    return any(
        box[1] - 0.2 * body < glyph.base < box[3] + 0.6 * body
        and max(glyph.x0 - box[2], box[0] - glyph.x1) < 2.5 * body
        for glyph in glyphs
    )


def between_lines(box: Box, glyphs: Sequence[Glyph], body: float) -> bool:
    """Return whether a box stands between two lines of text, as a displayed formula does."""
    over = [
        glyph
        for glyph in glyphs
        if -4 * body < glyph.base - box[1] < 0.5 * body
        or -0.5 * body < glyph.top - box[3] < 4 * body
    ]
    above = any(glyph.base < box[3] for glyph in over)
    below = any(glyph.top > box[1] for glyph in over)
    return (
        above
        and below
        and min(glyph.x0 for glyph in over) <= box[0]
        and box[2] <= max(glyph.x1 for glyph in over)
    )


def beside_drawing(box: Box, page: Page, body: float) -> bool:
    """Return whether a box stands at a frame or an upright line, as an arrow of a diagram does."""
    sides = [(side.x0, side.top, side.x1, side.bottom) for side in page.verticals]
    return any(touches(box, other, body) for other in (*sides, *page.frames))


def holds(region: Box, glyph: Glyph) -> bool:
    """Return whether a glyph's centre lies in a box."""
    x, y = (glyph.x0 + glyph.x1) / 2, (glyph.top + glyph.bottom) / 2
    return region[0] <= x <= region[2] and region[1] <= y <= region[3]


def drawn_glyphs(scanned: Page, page: Page, regions: Sequence[Box]) -> list[Glyph]:
    """Return the recognised glyphs of regions, but for those that the text layer has as well."""
    found = []
    for glyph in scanned.glyphs:
        if not any(holds(region, glyph) for region in regions):
            continue
        x, y = (glyph.x0 + glyph.x1) / 2, (glyph.top + glyph.bottom) / 2
        if any(g.x0 <= x <= g.x1 and g.top - 1 <= y <= g.bottom + 1 for g in page.glyphs):
            continue
        glyph.order += len(page.glyphs)
        glyph.style += "r"
        found.append(glyph)
    for glyph in found:
        settle_baseline(glyph, page.glyphs)
    return found


def settle_baseline(glyph: Glyph, text: Sequence[Glyph]) -> None:
    """Move a recognised glyph to the baseline of the text beside it, unless it is a script.

    Pictures of formulas stand a little off the line, and their rows are told apart by less.
    """
    near = [
        other
        for other in text
        if abs(other.base - glyph.base) < OFF_LINE * glyph.size and glyph.size > SCRIPT * other.size
    ]
    if near:
        beside = min(near, key=lambda other: max(other.x0 - glyph.x1, glyph.x0 - other.x1, 0.0))
        glyph.base = beside.base


def lay_out(page: Page, body: float, second: float | None, path: Path) -> Sheet:
    """Return a page's lines; should its rules and frames confuse this program, without these.

    Raises:
        ExamError: even so this program fails on the page.
    """
    try:
        return read_layout(page, body, second)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        bare = replace(page, rules=[], verticals=[], frames=[])
    try:
        sheet = read_layout(bare, body, second)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise program_fault(path, f"page {page.number}", error) from error
    for line in sheet.lines:
        line.flags.add("unread")
    return sheet


def mark_recognised(sheet: Sheet, back: Matrix) -> None:
    """Say that a sheet was recognised in a picture; move its boxes to where they were in that."""
    sheet.method = "ocr"
    flag_fragments(sheet)
    for line in sheet.lines:
        line.confidence = RECOGNISED
    sheet.figures = [moved(box, back) for box in sheet.figures]
    for line in sheet.lines:
        line.box = moved(line.box, back)


def flag_fragments(sheet: Sheet) -> None:
    """Flag lines of a scanned page that may be parts of a table, a matrix or a tall expression.

    Such a part has neither words nor a relation; which of its neighbours it belongs to is not
    certain, so these are flagged too.
    """
    for place, line in enumerate(sheet.lines):
        if MATRIX.search(line.text):
            line.flags.add("tangled")
        if WHOLE.search(line.text):
            continue
        line.flags.add("tangled")
        for other in sheet.lines[max(0, place - 1) : place + 2]:
            apart = max(line.box[1], other.box[1]) - min(line.box[3], other.box[3])
            if apart < 1.2 * line.size:
                other.flags.add("tangled")


def lines_of(sheets: list[Sheet]) -> list[TextLine]:
    """Return the lines of all sheets in reading order."""
    return [line for sheet in sheets for line in sheet.lines]
