"""Answer keys: a list on its own page, a grid, or boxed results of written-out solutions."""

from __future__ import annotations

import itertools
import re
import statistics
from dataclasses import dataclass, field

from distil.exams.segmentation import (
    MARKER,
    QUESTION,
    SOLUTION,
    choose_chains,
    end_of_problem,
    find_chains,
    find_markers,
    join_lines,
)
from distil.exams.text.glyphs import Box
from distil.exams.text.layout import Sheet, TextLine

CELL = re.compile(
    r"(?:^|(?<=\s))(?:\\?#\s?)?\(?(?P<number>T-?\d|(?-i:[A-H])\d{1,2}|\d{1,2})(?:[.)]\)?|:)(?=\s|$|\D)\s*",
    re.I,
)
# What is usual in a key is no doubt.
LOOKS = {"small", "table", "rule"}
HEADED = re.compile(r"^\W*(?:Solution|Answer|SOLUTION|ANSWER)\s*[.:]")
STATED = re.compile(r"\b(?:final\s+)?answer\s*(?:is|[:=])\s*(?P<value>.+?)\s*\.?$", re.I)


@dataclass(slots=True)
class Answer:
    """An answer as printed.

    Attributes:
        label: the problem's number, "7" or "T1".
        text: LaTeX-ish text.
        page: 1-based page of the key.
        box: x0, top, x1, bottom, points.
        section: which list of the key it stands in.
        flags: doubts.
        confidence: 1 for a text layer.
    """

    label: str
    text: str
    page: int
    box: Box
    section: int = 0
    flags: set[str] = field(default_factory=set)
    confidence: float = 1.0


def read_key(lines: list[TextLine]) -> list[Answer]:
    """Return the answers that lines hold.

    Args:
        lines: of the key alone, in reading order.

    Returns:
        Answers in the order of their lists and numbers.
    """
    chains = choose_chains(find_chains(find_markers(lines), lines), lines)
    solved = read_solutions(lines, chains)
    if len(solved) > 0.4 * sum(len(chain) for chain in chains):
        return solved
    return read_table(lines) or read_list(lines)


def read_solutions(lines: list[TextLine], chains: list) -> list[Answer]:
    """Return the boxed or stated results of written-out solutions, by their chains of numbers."""
    answers = []
    for section, chain in enumerate(chains):
        for position, marker in enumerate(chain):
            last = position + 1 == len(chain)
            if last:
                later = [c[0].place for c in chains if c[0].place > marker.place]
                stop = min(later, default=len(lines))
            else:
                stop = chain[position + 1].place
            found = result_of(lines[marker.place : stop])
            if found is not None:
                text, line = found
                answers.append(
                    Answer(marker.label, text, line.page, line.box, section, set(), line.confidence)
                )
    return answers


def result_of(body: list[TextLine]) -> tuple[str, TextLine] | None:
    """Return the result of a written-out solution and its line: boxed, or after `Answer:`."""
    for line in reversed(body):
        box = last_boxed(line.text)
        if box is not None:
            return box, line
    for line in reversed(body):
        match = STATED.search(line.text)
        if match:
            return match["value"].strip(), line
    return None


def last_boxed(text: str) -> str | None:
    """Return what the last box of a line holds."""
    start = text.rfind(r"\boxed{")
    if start < 0:
        return None
    depth = 0
    for index in range(start + 6, len(text)):
        if text[index] == "{" and text[index - 1] != "\\":
            depth += 1
        elif text[index] == "}" and text[index - 1] != "\\":
            depth -= 1
            if depth == 0:
                return text[start + 7 : index].strip()
    return None


BARE = re.compile(r"\(?(T?\d{1,2})[.)]?\)?")


@dataclass(slots=True)
class Cell:
    """A stretch of a key that starts with a number."""

    label: str
    number: int
    x0: float
    line: int
    parts: list[str]
    box: Box
    page: int
    confidence: float
    flags: set[str]


def read_table(lines: list[TextLine]) -> list[Answer]:
    """Return the answers of a table with a row a number and a column a test."""
    rows = []
    for line in lines:
        number = re.fullmatch(r"\(?(T?\d{1,2})[.)]?\)?", line.segments[0][2])
        if number and len(line.segments) > 1:
            rows.append((number[1], line))
    widths = {len(line.segments) for _, line in rows}
    labels = [label for label, _ in rows]
    if len(rows) < 2 or len(widths) > 1 or len(set(labels)) < len(labels):
        return []
    # Numbers and answers in turn are a list in columns, not a column a test.
    width = min(widths)
    turns = width % 2 == 0 and all(
        BARE.fullmatch(line.segments[place][2]) for _, line in rows for place in range(0, width, 2)
    )
    dotted = all(re.search(r"[.)]$", line.segments[0][2]) for _, line in rows)
    if turns and dotted:
        return []
    answers = []
    if turns:
        for place in range(0, width, 2):
            for _, line in rows:
                label = BARE.fullmatch(line.segments[place][2])[1]
                x0, x1, text = line.segments[place + 1]
                box = (line.segments[place][0], line.box[1], x1, line.box[3])
                answers.append(
                    Answer(label, text, line.page, box, 0, line.flags - LOOKS, line.confidence)
                )
        return answers
    for section in range(widths.pop() - 1):
        for label, line in rows:
            x0, x1, text = line.segments[section + 1]
            box = (x0, line.box[1], x1, line.box[3])
            answers.append(
                Answer(label, text, line.page, box, section, line.flags - LOOKS, line.confidence)
            )
    return answers


def read_list(lines: list[TextLine]) -> list[Answer]:
    """Return the answers of a key that lists them, in one column or several."""
    cells: list[Cell] = []
    for index, line in enumerate(lines):
        for x0, x1, text in line.segments:
            read_segment(cells, index, line, x0, x1, text)
    sections: list[list[Cell]] = []
    for cell in cells:
        place = next(
            (
                position
                for position, section in enumerate(sections)
                if position >= len(sections) - 1
                and all(other.label != cell.label for other in section)
            ),
            None,
        )
        if place is None:
            sections.append([cell])
        else:
            sections[place].append(cell)
    answers = []
    for position, section in enumerate(sections):
        ordered = sorted(section, key=lambda cell: (cell.label.startswith("T"), cell.number))
        for cell in ordered:
            text = join_lines([part for part in cell.parts if part])
            answers.append(
                Answer(cell.label, text, cell.page, cell.box, position, cell.flags, cell.confidence)
            )
    return answers


def read_segment(
    cells: list[Cell], index: int, line: TextLine, x0: float, x1: float, text: str
) -> None:
    """Add one stretch of a line to the cells: new numbers, or more of the cell to its left."""
    waiting = cells and cells[-1].line == index and not any(cells[-1].parts)
    matches = [] if waiting else plausible(text)
    box = (x0, line.box[1], x1, line.box[3])
    head = text[: matches[0].start()] if matches else text
    if head.strip():
        host = host_of(cells, index, x0, line)
        if host is not None:
            host.parts.append(head.strip())
            host.box = around(host.box, box) if host.page == line.page else host.box
    for position, match in enumerate(matches):
        stop = matches[position + 1].start() if position + 1 < len(matches) else len(text)
        label = match["number"].upper().replace("-", "")
        cells.append(
            Cell(
                label, number_of(label), x0 + (x1 - x0) * match.start() / max(1, len(text)),
                index, [text[match.end() : stop].strip()], box, line.page, line.confidence,
                line.flags - LOOKS,
            )
        )  # fmt: skip


def number_of(label: str) -> int:
    """Return a label's number: 1 of T1."""
    return int(re.sub(r"\D", "", label))


def plausible(text: str) -> list[re.Match]:
    """Return the numbers in a stretch that can start an answer."""
    keep: list[re.Match] = []
    for match in CELL.finditer(text):
        before = text[: match.start()]
        # A number in a pair, as in (3, 16), closes a bracket.
        if before.count("(") > before.count(")") or before.count("{") > before.count("}"):
            continue
        if keep:
            same = match.group().strip().lstrip("0123456789Tt-") == keep[0].group().strip().lstrip(
                "0123456789Tt-"
            )
            rising = number_of(match["number"]) > number_of(keep[-1]["number"])
            if not same or not rising:
                continue
        elif match.start() > 0 and not re.match(r"\s*$", before):
            continue
        keep.append(match)
    return keep


def host_of(cells: list[Cell], index: int, x0: float, line: TextLine) -> Cell | None:
    """Return the cell that a stretch without a number belongs to."""
    same = [cell for cell in cells if cell.line == index and cell.x0 <= x0 + 1]
    if same:
        return max(same, key=lambda cell: cell.x0)
    above = [
        cell
        for cell in cells
        if cell.page == line.page and cell.line < index and abs(cell.x0 - x0) < 12 * line.size
        and cell.x0 <= x0 + 2 and line.box[1] - cell.box[3] < 0.9 * line.size
    ]  # fmt: skip
    return max(above, key=lambda cell: (cell.line, cell.x0)) if above else None


@dataclass(slots=True)
class Piece:
    """A stretch of print on an answer sheet."""

    text: str
    box: Box
    size: float
    flags: set[str]
    confidence: float

    @property
    def middle(self) -> float:
        """Vertical centre."""
        return (self.box[1] + self.box[3]) / 2


@dataclass(slots=True)
class AnswerSheet:
    """A page of numbers with answers, or with blanks to write them on.

    Attributes:
        page: 1-based number.
        heading: what stands above the first number.
        count: how many numbers it has.
        answers: those that are filled in.
    """

    page: int
    heading: str
    count: int
    answers: list[Answer]


NUMBER = re.compile(
    r"[^\w(\[√\\-]?\(?(?P<label>T\s?-?\d|\d{1,2})(?P<close>\s?[.)\],:;]{1,2})?(?=\s|$)\s*"
)
REMARK = re.compile(
    r"\b(?:must|optional|exact(?:ly)?|accept|form|reduced|whole|either|equivalent|rounded|units?"
    r"|degrees?|square|nearest|ordered|improper|common|correct|decimal|fraction)\b",
    re.I,
)
WORDS = re.compile(r"(?<!\\)\b(?!or\b|and\b)[A-Za-z]{3}", re.I)
LONGEST = 40


def read_answer_sheet(sheet: Sheet) -> AnswerSheet | None:
    """Return what a page holds if it is an answer sheet, filled in or blank.

    Its numbers stand in straight columns; the answers stand at their right, where there are lines
    to write on above these; what stands beyond the lines, or in other words than an answer's, are
    remarks.

    Args:
        sheet: a scanned page.
    """
    pieces = [
        Piece(
            text,
            (x0, line.box[1], x1, line.box[3]),
            size,
            doubts | line.flags & {"unread"},
            line.confidence,
        )
        for line in sheet.lines
        for (x0, x1, text), size, doubts in zip(line.segments, line.sizes, line.doubts, strict=True)
    ]
    columns = find_columns(pieces, sheet.blanks)
    count = sum(len(column) for column in columns)
    if count < 4:
        return None
    heads = {id(piece) for column in columns for _, piece, _ in column}
    answers: list[Answer] = []
    lengths = []
    asked = 0
    for position, column in enumerate(columns):
        right = columns[position + 1][0][1].box[0] if position + 1 < len(columns) else sheet.width
        for place, (label, head, rest) in enumerate(column):
            above = column[place - 1][1].middle if place else None
            below = column[place + 1][1].middle if place + 1 < len(column) else None
            pitch = (
                head.middle - above if above is not None
                else below - head.middle if below is not None else 40.0
            )  # fmt: skip
            top = (above + head.middle) / 2 if above is not None else head.middle - 0.55 * pitch
            low = (below + head.middle) / 2 if below is not None else head.middle + 0.5 * pitch
            blank = blank_of(sheet, head, right, pitch)
            inside = [
                piece for piece in pieces
                if id(piece) not in heads and top < piece.middle < low
                and head.box[0] < piece.box[0] < right - 2
            ]  # fmt: skip
            if rest is not None:
                inside.append(rest)
            inside = on_blank(inside, head, blank)
            whole = " ".join(piece.text for piece in inside)
            lengths.append(len(whole))
            asked += bool(QUESTION.search(whole))
            inside = without_remarks(inside)
            if inside:
                answers.append(answer_of(label, head, inside, sheet))
    middle = sorted(lengths)[len(lengths) // 2]
    if middle > LONGEST or asked > 0.2 * count:
        return None
    first = min(column[0][1].box[1] for column in columns)
    heading = " ".join(line.text for line in sheet.lines if line.box[3] < first)
    return AnswerSheet(sheet.number, heading, count, answers)


def match_sheets(
    sheets: list[AnswerSheet], tests: list[tuple[int, int, int, str]]
) -> dict[tuple[int, str], Answer]:
    """Return the answers of answer sheets by test and number.

    A sheet belongs to the test whose heading has most of its words; sheets that headings do not
    tell apart go to the test before them, or in order.

    Args:
        sheets: in the order of their pages.
        tests: (section, first page, last page, heading) of each test.
    """
    filled = [sheet for sheet in sheets if len(sheet.answers) > 0.4 * sheet.count]
    # What all tests say, or all sheets, as instructions do, tells none from another.
    shared: set[str] = set()
    for group in ([test[3] for test in tests], [sheet.heading for sheet in filled]):
        if len(group) > 1:
            shared |= set.intersection(*map(words_of, group))
    found: dict[tuple[int, str], Answer] = {}
    for place, sheet in enumerate(filled):
        own = words_of(sheet.heading) - shared
        alike = {test[0]: len(own & words_of(test[3])) for test in tests}
        most = max(alike.values())
        likely = [test for test in tests if alike[test[0]] == most]
        if len(likely) > 1 and len(filled) == len(tests):
            likely = [tests[place]]
        if len(likely) > 1:
            before = [test for test in likely if test[2] < sheet.page]
            likely = before[-1:] or likely[:1]
        section = likely[0][0]
        for answer in sheet.answers:
            answer.section = section
            found.setdefault((section, answer.label), answer)
    return found


def words_of(text: str) -> set[str]:
    """Return the words of a heading, long enough to tell something, without case."""
    return {word.lower() for word in re.findall(r"[A-Za-z]{3,}", text)}


def find_columns(
    pieces: list[Piece], blanks: list[Box]
) -> list[list[tuple[str, Piece, Piece | None]]]:
    """Return the columns of numbers: (label, piece, rest of the piece after the number).

    Args:
        pieces: all of the page.
        blanks: lines to write on; a number before one needs no point.
    """
    left = []
    for piece in pieces:
        match = NUMBER.match(piece.text)
        if not match:
            continue
        rest = piece.text[match.end() :]
        if rest and not match["close"]:
            continue
        label = re.sub(r"[\s-]", "", match["label"].upper())
        ruled = any(
            0 < blank[0] - piece.box[0] < 6 * piece.size
            and abs(blank[3] - piece.box[3]) < piece.size
            for blank in blanks
        )
        left.append((label, bool(match["close"]) or ruled, piece, rest))
    columns: list[list] = []
    while left:
        best: list = []
        for _, _, seed, _ in left:
            near = [item for item in left if abs(item[2].box[0] - seed.box[0]) < 1.1 * seed.size]
            chain = rising(sorted(near, key=lambda item: item[2].middle))
            if (dotted(chain), len(chain)) > (dotted(best), len(best)):
                best = chain
        if len(best) < 3 or dotted(best) < 0.5 * len(best):
            break
        edge = best[0][2].box[0]
        chosen = {id(item[2]) for item in best}
        left = [
            item for item in left
            if id(item[2]) not in chosen and abs(item[2].box[0] - edge) > 2.5 * item[2].size
        ]  # fmt: skip
        columns.append(completed(best, [p for p in pieces if id(p) not in chosen]))
    columns.sort(key=lambda column: column[0][2].box[0])
    return [
        [(label, piece, rest_of(piece, rest)) for label, _, piece, rest in column]
        for column in columns
    ]


def dotted(chain: list) -> int:
    """Return how many numbers of a chain have a point or a bracket after them."""
    return sum(1 for item in chain if item[1])


def completed(chain: list, pieces: list[Piece]) -> list:
    """Return a column of numbers with those put in that were misread, by where they must stand.

    Args:
        chain: (label, whether dotted, piece, rest), from top to bottom.
        pieces: all others of the page.
    """
    edge = statistics.median(item[2].box[0] for item in chain)
    steps = [
        (after[2].middle - item[2].middle) / (label_number(after[0]) - label_number(item[0]))
        for item, after in itertools.pairwise(chain)
        if not after[0].startswith("T")
    ]
    pitch = statistics.median(steps) if steps else 0.0
    near = [
        piece for piece in pieces
        if abs(piece.box[0] - edge) < 0.8 * chain[0][2].size and len(piece.text) <= 6
    ]  # fmt: skip
    have = {item[0] for item in chain}
    numbers = [label_number(item[0]) for item in chain if not item[0].startswith("T")]
    out = list(chain)
    for number in range(1, max(numbers, default=0) + 12):
        host = min(chain, key=lambda item: abs(label_number(item[0]) - number))
        level = host[2].middle + pitch * (number - label_number(host[0]))
        found = min(near, key=lambda piece: abs(piece.middle - level), default=None)
        if str(number) in have or found is None or abs(found.middle - level) > 0.2 * pitch:
            continue
        near.remove(found)
        found.flags.add("number_guessed")
        out.append((str(number), True, found, ""))
    return sorted(out, key=lambda item: item[2].middle)


def rest_of(piece: Piece, rest: str) -> Piece | None:
    """Return what follows a number in the same stretch of print."""
    if not rest:
        return None
    share = 1 - len(rest) / len(piece.text)
    x0 = piece.box[0] + share * (piece.box[2] - piece.box[0])
    return Piece(rest, (x0, *piece.box[1:]), piece.size, set(piece.flags), piece.confidence)


def rising(items: list) -> list:
    """Return the longest run of numbers that count up by one to three, down a column."""
    best: list[list] = []
    for item in items:
        number = label_number(item[0])
        options = [
            run for run in best
            if (
                1 <= number - label_number(run[-1][0]) <= 3
                or (item[0] in ("T1", "T2") and not run[-1][0].startswith("T"))
            )
            and run[-1][2].middle < item[2].middle
        ]  # fmt: skip
        before = max(options, key=len, default=[])
        best.append([*before, item])
    return max(best, key=len, default=[])


def label_number(label: str) -> int:
    """Return a label's place in counting; tie-breakers come after problems of any number."""
    return 100 + int(label[1:]) if label.startswith("T") else int(label)


def blank_of(sheet: Sheet, head: Piece, right: float, pitch: float) -> Box | None:
    """Return the line to write on that belongs to a number."""
    near = [
        blank for blank in sheet.blanks
        if head.box[0] - 4 < blank[0] < right and blank[0] - head.box[2] < 6 * head.size
        and abs(blank[3] - head.box[3]) < 0.45 * pitch
    ]  # fmt: skip
    return min(near, key=lambda blank: abs(blank[3] - head.box[3]), default=None)


def on_blank(pieces: list[Piece], head: Piece, blank: Box | None) -> list[Piece]:
    """Return what stands on a line to write on, left to right; all if there is no line."""
    pieces = sorted(pieces, key=lambda piece: piece.box[0])
    if blank is None:
        return pieces
    return [
        piece
        for piece in pieces
        if piece.box[0] < blank[2]
        and piece.middle < blank[3] + 0.6 * head.size
        and (piece.box[0] + piece.box[2]) / 2 < blank[2] + 0.5 * head.size
    ]


def without_remarks(pieces: list[Piece]) -> list[Piece]:
    """Return an answer's pieces without what is said about it."""
    kept: list[Piece] = []
    for piece in pieces:
        wordy = bool(REMARK.search(piece.text)) or len(piece.text) > LONGEST
        if kept:
            gap = piece.box[0] - kept[-1].box[2]
            # Remarks are smaller, or words that stand apart from an answer without any.
            apart = gap > 2 * piece.size and WORDS.search(piece.text)
            if wordy or piece.size < 0.75 * kept[0].size or apart:
                continue
        elif wordy and len(pieces) > 1:
            continue
        kept.append(piece)
    return kept


def answer_of(label: str, head: Piece, pieces: list[Piece], sheet: Sheet) -> Answer:
    """Return the answer that the pieces of a cell make."""
    box = head.box
    for piece in pieces:
        box = around(box, piece.box)
    flags = set().union(head.flags & {"number_guessed"}, *(piece.flags for piece in pieces))
    text = join_lines([piece.text for piece in pieces])
    text = re.sub(r"^_+|_+$", "", text).strip()
    confidence = min(piece.confidence for piece in pieces)
    return Answer(label, text, sheet.number, box, 0, flags, confidence)


def around(one: Box, other: Box) -> Box:
    """Return the box around two boxes."""
    return (
        min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])
    )  # fmt: skip


def cut_solution(body: list[TextLine]) -> tuple[list[TextLine], list[TextLine]]:
    """Split a passage that carries its own solution into statement lines and solution lines."""
    for place in range(1, len(body)):
        found = SOLUTION.match(body[place].text)
        # `answer as a fraction.` at the start of a line is no solution.
        lower = found and found.group().strip()[:1].islower() and found.group()[-1] not in ".:"
        asked = QUESTION.search(" ".join(b.text for b in body[:place]))
        if found and not lower and (asked or HEADED.match(body[place].text)):
            return body[:place], body[place:]
    return body, []


__all__ = ["MARKER", "Answer", "cut_solution", "end_of_problem", "read_key", "result_of"]
