"""From files to rows: reads pages, splits problems, joins them with their answers."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distil.content.hashing import sha256_file
from distil.exams.errors import ExamError
from distil.exams.keys import (
    Answer,
    cut_solution,
    last_boxed,
    match_sheets,
    read_answer_sheet,
    read_key,
    result_of,
)
from distil.exams.segmentation import (
    Passage,
    join_lines,
    lines_of,
    split_options,
    split_problems,
    vocabulary_of,
)
from distil.exams.tests import SeenTest, assign_tests, gather_tests
from distil.exams.text.glyphs import Page, open_document, read_page
from distil.exams.text.layout import Sheet, TextLine, drop_running_lines, read_layout
from distil.exams.text.mathematics import usual_size
from distil.notation.answers import canonical_answer
from distil.notation.plain import plain

MAX_PAGES = 400
FEW_GLYPHS = 25
RECOGNISED = 0.97
MATRIX = re.compile(r"\\begin\{\w*matrix\}")
# What tells that a line of a scan is one: a word, a relation, a number or an option's label.
WHOLE = re.compile(
    r"(?<!\\)\b[A-Za-z]{3}|[=<>]|\\(?:leq|geq|neq)\b|^\(?(?:[A-Ha-h]|T?\d{1,3})[.):](?:\s|$)"
)
# More than words and numbers: a command, a script, a relation, a letter that stands for something.
FORMULA = re.compile(
    r"[\\^_={}<>|√]|(?<![A-Za-z'’])[b-zB-HJ-Z](?![A-Za-z'’])|\d[A-Za-z]|[A-Za-z]\d"
)
PLAIN_ANSWER = re.compile(r"-?\d+(?:\.\d+)?|[A-Ha-h]")
DOUBTS = {
    "doubtful": 0.5, "unmapped": 0.5, "rule": 0.15, "small": 0.15, "figure": 0.2, "no_answer": 0.0, "gap": 0.1,  # noqa: E501
    "empty": 0.9, "spans_pages": 0.0, "repeated": 0.3, "unbalanced": 0.15, "table": 0.2,
    "tangled": 0.5, "formula": 0.2, "key_formula": 0.2,
}  # fmt: skip


def read_sheets(path: Path, sha256: str | None) -> tuple[list[Sheet], str]:
    """Return a PDF's sheets and its sha256.

    Raises:
        ExamError: the file cannot be read or has another sha256.
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
    document = open_document(path)
    with contextlib.closing(document):
        if len(document) > MAX_PAGES:
            raise ExamError(
                path, f"{len(document)} pages are more than {MAX_PAGES}", "split the file by exam"
            )
        typefaces: dict = {}
        pages = [read_page(document, index, path, typefaces) for index in range(len(document))]
        backs = {}
        for index, page in enumerate(pages):
            if is_scan(page):
                from distil.exams.scans.pages import read_scan

                pages[index], backs[index] = read_scan(document, index, page, path)
    body = usual_size([glyph for page in pages for glyph in page.glyphs])
    sheets = []
    second = None
    for index, page in enumerate(pages):
        sheet = read_layout(page, body, second)
        second = sheet.second or second
        if index in backs:
            put_back(sheet, backs[index])
        sheets.append(sheet)
    drop_running_lines(sheets)
    return sheets, digest


def is_scan(page: Page) -> bool:
    """Return whether a page must be read from its picture: little text, and a picture."""
    if len(page.glyphs) >= FEW_GLYPHS:
        return False
    covered = sum((box[2] - box[0]) * (box[3] - box[1]) for box in page.images)
    return covered > 0.25 * page.width * page.height or page.hidden > 0


def put_back(sheet: Sheet, back) -> None:
    """Move a recognised page's boxes to where they lie on the page in the file."""
    from distil.exams.scans.pages import moved

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


def read_problems(
    paper: Path,
    key: Path | None,
    *,
    year: int | None,
    tests: Sequence[Mapping[str, Any]] | str | None,
    sha256: str | None,
    key_sha256: str | None,
) -> list[dict]:
    """Do what `distil.exams.extraction.extract` promises."""
    seen = read_tests(paper, key, year=year, sha256=sha256, key_sha256=key_sha256)
    if tests is None:
        return [row for test in seen for row in test.rows]
    return assign_tests(seen, tests, year=year, paper=paper)


def read_tests(
    paper: Path,
    key: Path | None,
    *,
    year: int | None,
    sha256: str | None,
    key_sha256: str | None,
) -> list[SeenTest]:
    """Return the tests of a paper as they are found in it, in order, each with its problems."""
    sheets, digest = read_sheets(paper, sha256)
    # Scanned papers interleave tests with answer sheets, blank and filled in.
    answer_sheets = [
        found for sheet in sheets if sheet.method == "ocr" and (found := read_answer_sheet(sheet))
    ]
    apart = {found.page for found in answer_sheets}
    lines = lines_of([sheet for sheet in sheets if sheet.number not in apart])
    passages, stop = split_problems(lines)
    if not passages:
        raise ExamError(
            paper,
            "no numbered problem was found",
            "check that the file is an exam; a scan needs tesseract to be read",
        )
    answers = read_key(lines[stop:]) if stop < len(lines) else []
    key_digest = digest
    if key is not None:
        key_sheets, key_digest = read_sheets(key, key_sha256)
        answers = read_key(lines_of(key_sheets))
        if not answers:
            raise ExamError(key, "no numbered answer was found", "check that the file is the key")
    vocabulary = vocabulary_of(lines)
    figures = owned_figures(sheets, passages, lines[stop] if stop < len(lines) else None)
    methods = {sheet.number: sheet.method for sheet in sheets}
    several = len({passage.section for passage in passages}) > 1
    keyed = match_sheets(answer_sheets, tests_of(passages, lines)) if key is None else {}
    for answer in answers:
        keyed.setdefault((answer.section, answer.label), answer)
    rows = []
    seen: set[tuple[int, str]] = set()
    for place, passage in enumerate(passages):
        flags: set[str] = set(passage.flags)
        if (passage.section, passage.label) in seen:
            flags.add("repeated")
        seen.add((passage.section, passage.label))
        statement_lines, solution = cut_solution(passage.lines)
        answer = keyed.get((passage.section, passage.label)) or keyed.get(
            (passage.section, second_label(passage))
        )
        if answer is None and solution:
            answer = inline_answer(passage, solution)
        answered = digest if solution and answer and answer.section < 0 else key_digest
        head = statement_lines[0]
        drawn = []
        for page, column, figure in figures.get(place, ()):
            flags.add("figure")
            if (page, column) == (head.page, head.column):
                drawn.append(figure)
        rows.append(
            row_of(
                passage, statement_lines, answer, vocabulary, drawn, methods,
                year=year, several=several, digest=digest, key_digest=answered, flags=flags,
            )
        )  # fmt: skip
    return gather_tests(
        rows, [passage.section for passage in passages], headings_of(passages, lines)
    )


def headings_of(passages: list[Passage], lines: list[TextLine]) -> dict[int, list[str]]:
    """Return the lines above the first problem of each test of a paper."""
    headings = {}
    for section in sorted({passage.section for passage in passages}):
        first = next(passage for passage in passages if passage.section == section).lines[0]
        headings[section] = [
            line.text for line in lines if line.page == first.page and line.box[3] < first.box[1]
        ]
    return headings


def tests_of(passages: list[Passage], lines: list[TextLine]) -> list[tuple[int, int, int, str]]:
    """Return (section, first page, last page, heading) of each test of a paper."""
    tests = []
    for section, heading in headings_of(passages, lines).items():
        own = [passage for passage in passages if passage.section == section]
        first, last = own[0].lines[0], own[-1].lines[-1]
        tests.append((section, first.page, last.page, " ".join(heading)))
    return tests


def second_label(passage: Passage) -> str:
    """Return the label in brackets after a problem's number, as in `9. (T1)`."""
    match = re.match(r"\(\s*(T\s?\d)\s*\)", passage.lines[0].text[passage.cut :].strip(), re.I)
    return re.sub(r"\s", "", match[1].upper()) if match else ""


def inline_answer(passage: Passage, solution: list[TextLine]) -> Answer | None:
    """Return the answer that a problem's own solution ends in."""
    found = result_of(solution)
    if found is None:
        return None
    text, line = found
    return Answer(passage.label, text, line.page, line.box, -1, set(), line.confidence)


def row_of(
    passage: Passage,
    lines: list[TextLine],
    answer: Answer | None,
    vocabulary: set[str],
    figures: list,
    methods: dict,
    *,
    year: int | None,
    several: bool,
    digest: str,
    key_digest: str,
    flags: set[str],
) -> dict:
    """Return a problem's row."""
    passage = Passage(passage.label, lines, passage.cut, passage.section, flags, passage.missing)
    texts, options = split_options(passage)
    statement = join_lines(texts, vocabulary)
    page = lines[0].page
    here = [line for line in lines if line.page == page]
    box = (
        min(line.box[0] for line in here), min(line.box[1] for line in here),
        max(line.box[2] for line in here), max(line.box[3] for line in here),
    )  # fmt: skip
    for line in lines:
        flags |= line.flags
    if len(here) < len(lines):
        flags.add("spans_pages")
    for figure in figures:
        box = (
            min(box[0], figure[0]), min(box[1], figure[1]),
            max(box[2], figure[2]), max(box[3], figure[3]),
        )  # fmt: skip
    if not statement:
        flags.add("empty")
    if not is_balanced(statement):
        flags.add("unbalanced")
    if passage.missing:
        flags.add("gap")
    raw = None
    if answer is not None and not answer.text:
        answer = None
    if answer is None:
        flags.add("no_answer")
    else:
        boxed = last_boxed(answer.text)
        raw = boxed if boxed is not None else answer.text
        if answer.confidence < 1:
            raw = re.sub(r"(\d) ?\. ?(\d+)", r"\1.\2", raw)
        flags |= {f"key_{flag}" for flag in answer.flags}
    # A formula that was recognised is never beyond doubt, though both readings agree on it.
    if methods[page] == "ocr" and any(
        FORMULA.search(text) for text in (statement, *(option["text"] for option in options))
    ):
        flags.add("formula")
    if raw is not None and answer.confidence < 1 and not PLAIN_ANSWER.fullmatch(raw.strip()):
        flags.add("key_formula")
    suffix = passage.label.lower() if passage.label[0].isalpha() else passage.label.zfill(2)
    place = f"s{passage.section + 1}" if several else None
    identity = "-".join(str(part) for part in (year, place, suffix) if part is not None)
    confidence = min(line.confidence for line in lines)
    for flag in flags:
        confidence *= 1 - DOUBTS.get(flag, 0.1)
    return {
        "id": identity,
        "year": year,
        "section": place,
        "number": passage.label,
        "statement": statement,
        "statement_plain": plain(statement),
        "options": options,
        "answer_raw": raw,
        "answer": canonical_answer(without_note(raw)) if raw is not None else None,
        "page": page,
        "box": [round(value, 2) for value in box],
        "pdf_sha256": digest,
        "key_page": answer.page if answer is not None else None,
        "key_box": [round(value, 2) for value in answer.box] if answer is not None else None,
        "key_sha256": key_digest if answer is not None else None,
        "method": methods[page],
        "flags": sorted(flags),
        "confidence": round(confidence, 3),
    }


BRACKET = re.compile(r"(?P<opened>\\\{|\\l(?:floor|ceil)|[(\[])|\\\}|\\r(?:floor|ceil)|[)\]]")


def is_balanced(text: str) -> bool:
    """Return whether as many brackets open as close; half-open intervals count as closed."""
    depth = 0
    for match in BRACKET.finditer(text):
        if match["opened"]:
            depth += 1
        elif depth:
            depth -= 1
        elif not re.search(
            r"(?<!\S)\w{1,2}$", text[: match.start()]
        ):  # not the label of a list, 1)
            return False
    return depth == 0 or r"\begin{cases}" in text


NOTE = re.compile(r"^(?P<answer>.+?)\s*[(\[](?P<note>[^()\[\]]*)[)\]]\s*\.?$")


def without_note(raw: str) -> str:
    """Return a printed answer without a remark in brackets, as `(must be this fraction)`."""
    match = NOTE.match(raw)
    if match and len(re.findall(r"(?<!\\)\b[A-Za-z]{2,}", match["note"])) >= 2:
        return match["answer"]
    return raw


def owned_figures(
    sheets: list[Sheet], passages: list[Passage], end: TextLine | None
) -> dict[int, list[tuple[int, int, tuple]]]:
    """Return which figures stand in which problem.

    Args:
        sheets: the paper.
        passages: its problems, in reading order.
        end: the first line of the key, if the paper holds one.

    Returns:
        (page, column, box) of figures by the index of the last problem that starts before them.
    """
    starts = [(p.lines[0].page, p.lines[0].column, p.lines[0].box[1] - 6) for p in passages]
    owned: dict[int, list[tuple[int, int, tuple]]] = {}
    for sheet in sheets:
        for figure in sheet.figures:
            split = sheet.second
            column = int(split is not None and figure[0] > split - 12)
            place = (sheet.number, column, (figure[1] + figure[3]) / 2)
            if end is not None and place > (end.page, end.column, end.box[1]):
                continue
            before = [index for index, start in enumerate(starts) if start < place]
            # On a page after the next no text would lead to it.
            if before and sheet.number - passages[before[-1]].lines[-1].page <= 1:
                owned.setdefault(before[-1], []).append((sheet.number, column, figure))
    return owned


def label_key(label: str) -> tuple[bool, int]:
    """Return a sort key for numbers: 1 to 20, then T1 to T3."""
    return label.startswith("T"), int(re.sub(r"\D", "", label))
