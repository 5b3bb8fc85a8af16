"""From files to rows: reads pages, splits problems, joins them with their answers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distil.exams.agreement import settle
from distil.exams.answer_sheets import match_sheets, read_answer_sheet
from distil.exams.errors import ExamError, program_fault
from distil.exams.keys import Answer, cut_solution, read_key, result_of
from distil.exams.options import split_options
from distil.exams.pairing import is_doubtful, pair_lists
from distil.exams.segmentation import Passage, split_problems
from distil.exams.sheets import lines_of, read_sheets
from distil.exams.tests import SeenTest, assign_tests, gather_tests, label_of
from distil.exams.text.glyphs import moved
from distil.exams.text.layout import Sheet, TextLine
from distil.exams.text.page import Box, around
from distil.exams.words import join_lines, vocabulary_of
from distil.notation.answers import canonical_answer
from distil.notation.braces import last_argument
from distil.notation.plain import plain

# More than words and numbers: a command, a script, a relation, a letter that stands for something.
FORMULA = re.compile(
    r"[\\^_={}<>|√]|(?<![A-Za-z'’])[b-zB-HJ-Z](?![A-Za-z'’])|\d[A-Za-z]|[A-Za-z]\d"
)
PLAIN_ANSWER = re.compile(r"-?\d+(?:\.\d+)?|[A-Ha-h]")
DOUBTS = {
    "doubtful": 0.5, "unmapped": 0.5, "rule": 0.15, "small": 0.15, "figure": 0.2, "no_answer": 0.0, "gap": 0.1,  # noqa: E501
    "empty": 0.9, "spans_pages": 0.0, "repeated": 0.3, "unbalanced": 0.15, "table": 0.2,
    "tangled": 0.5, "formula": 0.2, "key_formula": 0.2, "key_doubtful": 0.5, "key_order": 0.5,
    "key_count": 0.2,
}  # fmt: skip
COLUMNS = (
    "id", "year", "section", "number", "statement", "statement_plain", "options", "answer_raw",
    "answer", "page", "box", "pdf_sha256", "key_page", "key_box", "key_sha256", "method", "flags",
    "confidence",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Identity:
    """What goes into the ids of a paper's rows, and which files they come from.

    Attributes:
        year: of the exam.
        several: whether it holds more tests than one.
        paper_sha256: of the PDF.
        key_sha256: of the PDF with the answers.
    """

    year: int | None
    several: bool
    paper_sha256: str
    key_sha256: str

    def section(self, place: int) -> str | None:
        """Return a test's place among several."""
        return f"s{place + 1}" if self.several else None

    def of(self, passage: Passage) -> str:
        """Return a problem's id."""
        label = passage.label
        suffix = label_of(label)
        parts = (self.year, self.section(passage.section), suffix)
        return "-".join(str(part) for part in parts if part is not None)


def read_problems(
    paper: Path,
    key: Path | None,
    *,
    year: int | None,
    tests: Sequence[Mapping[str, Any]] | str | None,
    sha256: str | None,
    key_sha256: str | None,
    third_reading: str | None,
) -> list[dict]:
    """Do what `distil.exams.extraction.extract` promises."""
    seen = read_tests(
        paper, key, year=year, sha256=sha256, key_sha256=key_sha256, third_reading=third_reading
    )
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
    third_reading: str | None = None,
) -> list[SeenTest]:
    """Return the tests of a paper as they are found in it, in order, each with its problems."""
    sheets, digest = read_sheets(paper, sha256, third_reading)
    key_sheets, key_digest = read_sheets(key, key_sha256) if key is not None else ([], digest)
    try:
        return tests_in(
            paper, sheets, key, key_sheets, year=year, digest=digest, key_digest=key_digest
        )
    except (ArithmeticError, AttributeError, LookupError, TypeError) as error:
        raise program_fault(paper, "its problems", error) from error


def tests_in(
    paper: Path,
    sheets: list[Sheet],
    key: Path | None,
    key_sheets: list[Sheet],
    *,
    year: int | None,
    digest: str,
    key_digest: str,
) -> list[SeenTest]:
    """Return the tests of a paper's sheets, answered from its own key or from the key's sheets."""
    # Scanned papers interleave tests with answer sheets, blank and filled in.
    answer_sheets = [
        found for sheet in sheets if sheet.method == "ocr" and (found := read_answer_sheet(sheet))
    ]
    apart = {found.page for found in answer_sheets}
    lines = lines_of([sheet for sheet in sheets if sheet.number not in apart])
    passages, stop = split_problems(lines)
    if not passages:
        raise nothing_found(paper, lines)
    sizes = set(Counter(passage.section for passage in passages).values())
    key_lines = lines_of(key_sheets) if key is not None else lines[stop:]
    lists = read_key(key_lines, sizes) if key_lines else []
    if key is not None and not lists:
        raise ExamError(key, "no numbered answer was found", "check that the file is the key")
    vocabulary = vocabulary_of(lines)
    figures = owned_figures(sheets, passages, lines[stop] if stop < len(lines) else None)
    keyed = match_sheets(answer_sheets, tests_of(passages, lines)) if key is None else {}
    keyed = {**pair_lists(lists, passages), **keyed}
    several = len({passage.section for passage in passages}) > 1
    identity = Identity(year, several, digest, key_digest)
    rows = []
    seen: set[tuple[int, str]] = set()
    by_number = {sheet.number: sheet for sheet in sheets}
    key_by_number = {sheet.number: sheet for sheet in key_sheets} or by_number
    for place, passage in enumerate(passages):
        if (passage.section, passage.label) in seen:
            passage.flags.add("repeated")
        seen.add((passage.section, passage.label))
        passage.lines, solution = cut_solution(passage.lines)
        answer = keyed.get((passage.section, passage.label)) or keyed.get(
            (passage.section, second_label(passage))
        )
        own = answer is None and inline_answer(passage, solution)
        row = row_of(passage, vocabulary, figures.get(place, []), by_number, identity)
        answered = by_number if own else key_by_number
        settle(row, passage, by_number)
        row |= answer_of(row, own or answer, answered, identity, from_paper=bool(own))
        rows.append(finished(row, passage))
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


def nothing_found(paper: Path, lines: list[TextLine]) -> ExamError:
    """Return the error of a paper without numbered problems, which says what was seen in it."""
    if not lines:
        return ExamError(
            paper, "no text was found in it", "check that the file is the exam and not empty"
        )
    seen = "; ".join(repr(line.text[:40]) for line in lines[:3])
    return ExamError(
        paper,
        f"no numbered problem was found among its {len(lines)} lines, which begin {seen}",
        "check that the file is the exam; docs/extraction.md lists the numberings that are known "
        "(1.  (1)  Problem 1.  I.  1.1.); problems can be added by hand in the corrections file",
    )


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
    result = result_of(solution)
    if result is None:
        return None
    line = result.line
    return Answer(
        passage.label, result.text, line.page, line.box, -1, result.flags, line.confidence
    )


def row_of(
    passage: Passage,
    vocabulary: set[str],
    figures: list[tuple[int, int, Box]],
    sheets: dict[int, Sheet],
    identity: Identity,
) -> dict:
    """Return a problem's row, its answer left out.

    Args:
        passage: the problem, its own solution cut off.
        vocabulary: words of the paper.
        figures: (page, column, box) of its figures.
        sheets: of the paper, by number.
        identity: of the paper.
    """
    lines = passage.lines
    texts, options = split_options(passage)
    statement = join_lines(texts, vocabulary)
    head = lines[0]
    here = [line for line in lines if line.page == head.page]
    drawn = [box for page, column, box in figures if (page, column) == (head.page, head.column)]
    flags = passage.flags.union(*(line.flags for line in lines))
    sheet = sheets[head.page]
    doubts = {
        "figure": bool(figures),
        "spans_pages": len(here) < len(lines),
        "empty": not statement,
        "unbalanced": not is_balanced(statement),
        "gap": bool(passage.missing),
        # A formula that was recognised is never beyond doubt, though both readings agree on it.
        "formula": sheet.method == "ocr"
        and any(FORMULA.search(t) for t in (statement, *(option["text"] for option in options))),
    }
    flags |= {flag for flag, holds in doubts.items() if holds}
    return {
        "id": identity.of(passage),
        "year": identity.year,
        "section": identity.section(passage.section),
        "number": passage.label,
        "statement": statement,
        "statement_plain": plain(statement),
        "options": options,
        "page": head.page,
        "box": placed(around(*(line.box for line in here), *drawn), sheet),
        "pdf_sha256": identity.paper_sha256,
        "method": sheet.method,
        "flags": sorted(flags),
    }


def placed(box: Box, sheet: Sheet) -> list[float]:
    """Return a box of a sheet as it lies on the page as displayed, points to hundredths."""
    if sheet.back is not None:
        box = moved(box, sheet.back)
    return [round(value, 2) for value in box]


def answer_of(
    row: dict,
    answer: Answer | None,
    sheets: dict[int, Sheet],
    identity: Identity,
    *,
    from_paper: bool,
) -> dict:
    """Return what a row says of its answer, and its flags with those of the answer."""
    if answer is None or not answer.text:
        return {
            "answer_raw": None, "answer": None, "key_page": None, "key_box": None,
            "key_sha256": None, "flags": sorted({*row["flags"], "no_answer"}),
        }  # fmt: skip
    raw = last_argument(answer.text, r"\boxed")
    raw = raw if raw is not None else answer.text
    flags = {*row["flags"], *(f"key_{flag}" for flag in answer.flags)}
    if answer.confidence < 1:
        raw = re.sub(r"(\d) ?\. ?(\d+)", r"\1.\2", raw)
        if not PLAIN_ANSWER.fullmatch(raw.strip()):
            flags.add("key_formula")
    if is_doubtful(row["statement"], raw):
        flags.add("key_doubtful")
    return {
        "answer_raw": raw,
        "answer": canonical_answer(without_note(raw)),
        "key_page": answer.page,
        "key_box": placed(answer.box, sheets[answer.page]),
        "key_sha256": identity.paper_sha256 if from_paper else identity.key_sha256,
        "flags": sorted(flags),
    }


def finished(row: dict, passage: Passage) -> dict:
    """Return a row with its confidence, its keys in their order."""
    confidence = min(line.confidence for line in passage.lines)
    for flag in row["flags"]:
        confidence *= 1 - DOUBTS.get(flag, 0.1)
    row["confidence"] = round(confidence, 3)
    return {name: row[name] for name in COLUMNS}


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
