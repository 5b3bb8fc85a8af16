"""Answer sheets of scanned papers: pages of numbers with answers, or with blanks for them."""

from __future__ import annotations

import itertools
import re
import statistics
from dataclasses import dataclass

from distil.exams.keys import Answer
from distil.exams.markers import QUESTION
from distil.exams.text.layout import Sheet
from distil.exams.text.page import Box, around
from distil.exams.words import join_lines


@dataclass(slots=True, eq=False)
class Piece:
    """A stretch of print on an answer sheet, told from others by identity."""

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
    heads = {piece for column in columns for _, piece, _ in column}
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
                if piece not in heads and top < piece.middle < low
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
        chosen = {item[2] for item in best}
        left = [
            item for item in left
            if item[2] not in chosen and abs(item[2].box[0] - edge) > 2.5 * item[2].size
        ]  # fmt: skip
        columns.append(completed(best, [p for p in pieces if p not in chosen]))
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
    box = around(head.box, *(piece.box for piece in pieces))
    flags = set().union(head.flags & {"number_guessed"}, *(piece.flags for piece in pieces))
    text = join_lines([piece.text for piece in pieces])
    text = re.sub(r"^_+|_+$", "", text).strip()
    confidence = min(piece.confidence for piece in pieces)
    return Answer(label, text, sheet.number, box, 0, flags, confidence)
