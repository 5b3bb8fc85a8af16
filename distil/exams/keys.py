"""Answer keys: a list on its own page, a grid, or the results of written-out solutions.

`answer_sheets` reads the answer sheets of scanned papers.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection
from dataclasses import dataclass, field

from distil.exams.markers import (
    QUESTION,
    TASK,
    Marker,
    choose_chains,
    find_chains,
    find_heads,
    find_markers,
)
from distil.exams.segmentation import RUNNING_KEY, SOLUTION
from distil.exams.text.layout import TextLine
from distil.exams.text.page import Box, around
from distil.exams.words import join_lines
from distil.notation.answers import canonical_answer
from distil.notation.braces import last_argument

CELL = re.compile(
    r"(?:^|(?<=\s))(?:\\?#\s?)?\(?(?P<number>T-?\d|(?-i:[A-H])\d{1,2}|\d{1,2})(?:[.)]\)?|:)(?=\s|$|\D)\s*",
    re.I,
)
# What is usual in a key is no doubt.
LOOKS = {"small", "table", "rule"}
HEADED = re.compile(r"^\W*(?:Solution|Answer|SOLUTION|ANSWER)\s*[.:]")
ANSWER_HEAD = re.compile(
    r"^\W*(?:final\s+)?(?:answer|ans\.|réponse|antwort|respuesta|ответ)\s*[:=.]\s*(?P<value>.*)$",
    re.I,
)
# Words that lead to a result that stands on the next line.
CONNECTING = re.compile(
    r"(?:thus|therefore|then|so|hence|simply|just|given by|equal to|now|clearly|\W)*", re.I
)
PROSE = re.compile(r"(?<!\\)\b[A-Za-z]{3}")
# A solution of one line that is but its result.
BRIEF = re.compile(r"^\W*(?:solution|lösung|solución|решение)\s*[:.]\s*(?P<value>.+?)\.?$", re.I)
NAMED = re.compile(r"[A-Za-z](?:_\{[^{}]*\}|\([^()]*\))?\s*=")
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


@dataclass(slots=True)
class AnswerList:
    """The answers of one test, as a key lists them.

    Attributes:
        labels: the numbers that the list has, answered or not.
        answers: by number.
        texts: by number, what a written-out solution says; it may repeat the problem.
    """

    labels: list[str]
    answers: dict[str, Answer]
    texts: dict[str, str] = field(default_factory=dict)


def read_key(lines: list[TextLine], sizes: Collection[int] = ()) -> list[AnswerList]:
    """Return the answer lists that lines hold, in their order.

    Args:
        lines: of the key alone, in reading order.
        sizes: how many problems the tests have.
    """
    chains = choose_chains(find_chains(find_markers(lines), lines), lines, sizes)
    if not any(len(chain) >= 2 for chain in chains):
        chains = choose_chains(find_chains(find_heads(lines), lines), lines, sizes) or chains
    solved = read_solutions(lines, chains)
    if sum(len(found.answers) for found in solved) > 0.4 * sum(len(chain) for chain in chains):
        return [found for found in solved if found.answers]
    answers = read_rows(lines) or read_table(lines) or read_list(lines)
    asking = sum(1 for answer in answers if TASK.search(answer.text))
    if solved and asking > 0.5 * len(answers):
        return solved  # the problems once more, few of them with a result
    lists: dict[int, AnswerList] = {}
    for answer in answers:
        own = lists.setdefault(answer.section, AnswerList([], {}))
        own.labels.append(answer.label)
        own.answers.setdefault(answer.label, answer)
    return [lists[section] for section in sorted(lists)]


def read_solutions(lines: list[TextLine], chains: list[list[Marker]]) -> list[AnswerList]:
    """Return the boxed or stated results of written-out solutions, by their chains of numbers."""
    lists = []
    for section, chain in enumerate(chains):
        own = AnswerList([marker.label for marker in chain], {})
        for position, marker in enumerate(chain):
            last = position + 1 == len(chain)
            if last:
                later = [c[0].place for c in chains if c[0].place > marker.place]
                stop = min(later, default=len(lines))
            else:
                stop = chain[position + 1].place
            body = lines[marker.place : stop]
            own.texts[marker.label] = " ".join(line.text for line in body)[marker.length :]
            result = result_of(body)
            if result is not None:
                own.answers[marker.label] = Answer(
                    marker.label, result.text, result.line.page, result.line.box, section,
                    result.flags, result.line.confidence,
                )  # fmt: skip
        lists.append(own)
    return lists


@dataclass(slots=True)
class Result:
    """What a written-out solution comes to, where it stands, and doubts about it."""

    text: str
    line: TextLine
    flags: set[str] = field(default_factory=set)


def result_of(body: list[TextLine]) -> Result | None:
    """Return the result of a written-out solution, if it has one.

    What stands after a head `Answer:` is it; else the last box; else what `the answer is` says;
    else a solution of one line that holds no prose. Boxes of the working that differ from a stated
    answer, and a single one of several boxes where all are asked for, are doubts.
    """
    boxes = [
        (box, line) for line in body if (box := last_argument(line.text, r"\boxed")) is not None
    ]
    for line in body:
        match = ANSWER_HEAD.match(line.text)
        if match and match["value"].strip(" ."):
            stated = last_argument(match["value"], r"\boxed") or match["value"].strip()
            result = Result(stated.removesuffix("."), line)
            if boxes and alike(boxes[-1][0], stated) < 1:
                result.flags.add("doubtful")
            return result
    if boxes:
        result = Result(*boxes[-1])
        whole = boxes[-1][1].text
        if whole.count(r"\boxed{") > 1:
            result.flags.add("doubtful")
        return result
    for place in range(len(body) - 1, -1, -1):
        match = STATED.search(body[place].text)
        if not match:
            continue
        value = match["value"].strip()
        if not CONNECTING.fullmatch(value):
            return Result(value, body[place])
        # `The answer is thus`, and the displayed result on the line after.
        after = body[place + 1] if place + 1 < len(body) else None
        if after is not None and not PROSE.search(after.text):
            return Result(after.text.strip().removesuffix("."), after)
    brief = BRIEF.match(body[-1].text) if body else None
    if brief and not PROSE.search(brief["value"]):
        value = brief["value"].strip()
        # `7 \cdot 3 = 21` is a calculation.
        working = "=" in value and not NAMED.match(value)
        return Result(value, body[-1], {"doubtful"} if working else set())
    return None


def alike(one: str, other: str) -> float:
    """Return whether two answers are written the same, 1.0 or 0.0, spaces apart."""
    return float(canonical_answer(one) == canonical_answer(other))


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


def read_rows(lines: list[TextLine]) -> list[Answer]:
    """Return the answers of a table of two rows: the numbers, and under each its answer."""
    answers: list[Answer] = []
    section = 0
    for above, line in itertools.pairwise(lines):
        numbers = [seg for seg in above.segments if re.fullmatch(r"T?\d{1,2}\.?", seg[2])]
        if len(numbers) < 3 or len(numbers) < len(above.segments) - 1:
            continue
        if len(line.segments) != len(above.segments):
            continue
        counts = [number_of(seg[2]) for seg in numbers]
        if any(b - a != 1 for a, b in itertools.pairwise(counts)):
            continue
        if any(answer.label == str(counts[0]) for answer in answers if answer.section == section):
            section += 1
        for head, cell in zip(above.segments, line.segments, strict=True):
            if head in numbers:
                box = (min(head[0], cell[0]), above.box[1], max(head[1], cell[1]), line.box[3])
                answers.append(
                    Answer(
                        head[2].rstrip("."), cell[2], line.page, box, section, line.flags - LOOKS,
                        line.confidence,
                    )
                )  # fmt: skip
    return answers


def read_table(lines: list[TextLine]) -> list[Answer]:
    """Return the answers of a table with a row a number and a column a test."""
    rows = []
    for line in lines:
        number = BARE.fullmatch(line.segments[0][2])
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
    text = RUNNING_KEY.sub("", text)
    waiting = cells and cells[-1].line == index and not any(cells[-1].parts)
    matches = [] if waiting else plausible(text)
    box = (x0, line.box[1], x1, line.box[3])
    head = text[: matches[0].start()] if matches else text
    if head.strip():
        host = host_of(cells, index, x0, line)
        if host is not None:
            host.parts.append(head.strip())
            host.box = around(host.box, box) if host.page == line.page else host.box
    # Commas part the answers of a running line, `1) 28, 2) 5/8`, or points do.
    listed = len(matches) > 2 and all(
        text[: match.start()].rstrip().endswith((",", ";", ".")) for match in matches[1:]
    )
    for position, match in enumerate(matches):
        stop = matches[position + 1].start() if position + 1 < len(matches) else len(text)
        label = match["number"].upper().replace("-", "")
        cells.append(
            Cell(
                label, number_of(label), x0 + (x1 - x0) * match.start() / max(1, len(text)),
                index, [text[match.end() : stop].strip().rstrip(",;.") if listed else
                        text[match.end() : stop].strip()], box, line.page, line.confidence,
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
