"""Lines to problems: where each problem begins and ends, and where the key of the paper begins.

The numbers that begin problems are found by `markers`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from distil.exams.markers import (
    MARKER,
    QUESTION,
    Marker,
    choose_chains,
    exercises,
    find_chains,
    find_heads,
    find_markers,
    item_text,
    mended,
)
from distil.exams.text.layout import TextLine

KEY_HEADING = re.compile(
    r"\banswer\s*keys?\b|\bkeys?\s+(?:to|for)\b|^\W*(?:the\s+)?answers\b|^\W*solutions?\b|\bsolution\s+key\b"
    r"|\banswers?\s+and\s+solutions?\b|\bsolutions?\s*$|\banswers?\s*$|^\W*key\W*$"
    r"|^\W*(?:ответы|решения|réponses|corrigés?|lösungen|respuestas|soluciones)\b",
    re.I,
)
# `Solution: 5` ends a problem, and `Answers: 1) 28, 2) 5/8` is a key on one line.
OWN_RESULT = re.compile(r"^\W*(?:solution|answer)\s*[:.]\s*\S", re.I)
RUNNING_KEY = re.compile(
    r"^\W*(?:answers?|(?:answer\s+)?key|solutions?|ответы?|réponses?|antworten|lösungen|respuestas)"
    r"\s*[:.]\s*(?=\(?1\s?[.)])",
    re.I,
)
# What problems are called; `1. Simplify` says what to do.
CALLED = re.compile(
    r"(?:problem[aes]?|question|exercise|task|aufgabe|übung|exercice|ejercicio|esercizio|exerc[ií]cio"
    r"|zadani[ea]|zadatak|úloha|feladat|opp?gave|uppgift|tehtävä|задача|задание|завдання)\W?",
    re.I,
)
CLOSING = re.compile(
    r"^\W*(?:end of (?:the )?(?:test|exam|paper|round|contest|section)|stop\b|go on to|good luck"
    r"|turn (?:over|the page)|this page (?:is )?(?:intentionally )?(?:left )?blank"
    r"|scratch (?:work|paper))",
    re.I,
)
# What stands between two problems and belongs to neither: `*** Calculators may be used now ***`. A
# whole line that says so, since a sentence of a problem may begin with the same words.
BETWEEN = re.compile(
    r"\s*(?P<stars>\*{2,})?\W*(?:No c|C)alculators? (?:(?:may|can|must)(?: now| not)? be used"
    r"|(?:are|is)(?: now| not)? (?:allowed|permitted))(?: now)?"
    r"(?: (?:on|for|in|from|below|after|during)\b[^.,;:?!\d=<>*]*)?[.!]?\s*(?(stars)\*{2,})\s*"
)
SENTENCE_END = re.compile(r"[.?!:)_]\W*$")
SOLUTION = re.compile(
    r"^\W*(?:solution|answer|ans|sol)s?\b\s*(?:\(?\d+\)?\s*)?[.:\u2013\u2014]"
    r"|^\W*(?:(?-i:Solution|SOLUTION|Answer|ANSWER)|sol\.|ans\.|proposed by|(?-i:Proof)\b)"
    r"(?:\s*\(?\d+\)?)?(?=\s|$)",
    re.I,
)
BLANK = re.compile(r"[\s_.]*(?:[T\d]+\.[\s_]*)?")
# A page whose last line stands above this share of its height has room left.
FULL_PAGE = 0.8


@dataclass(slots=True)
class Passage:
    """A problem's or an answer's lines.

    Attributes:
        label: "7" or "T1".
        lines: its lines, marker still in the first.
        cut: characters of the marker in the first line's text.
        section: index of the test in the paper.
        flags: doubts.
        missing: how many numbers were skipped before it.
    """

    label: str
    lines: list[TextLine]
    cut: int
    section: int = 0
    flags: set[str] = field(default_factory=set)
    missing: int = 0


def split_problems(lines: list[TextLine]) -> tuple[list[Passage], int]:
    """Return the problems of a paper and the index of the first line that belongs to its key.

    Args:
        lines: the whole paper in reading order, running lines dropped.

    Returns:
        Passages in reading order; len(lines) if the paper holds no key.
    """
    markers = find_markers(lines)
    first = markers[0].place + 1 if markers else 0
    stop = len(lines)
    start = key_start(lines, first)
    while start is not None:
        before = [marker for marker in markers if marker.place < start]
        running = RUNNING_KEY.match(lines[start].text)
        if len(before) >= 1 and (running or any(marker.place > start for marker in markers)):
            stop = start
            break
        start = key_start(lines, start + 1)
    found = find_chains([m for m in markers if m.place < stop], lines)
    heads = [head for head in find_heads(lines) if head.place < stop and head.number]
    whole = exercises(heads, found)
    chains = [whole] if whole else choose_chains(found, lines)
    if not any(len(chain) >= 2 for chain in chains):
        chains = choose_chains(find_chains(heads, lines), lines) or chains
    chains, bare = without_keys(chains, lines)
    if bare is not None:
        stop = min(stop, bare)
    ends = [0, *(chain[-1].place + 1 for chain in chains)]
    chains = [
        mended(chain, lines, max(end for end in ends if end <= chain[0].place), stop_of)
        for chain in chains
        for stop_of in [chains_after(chain, chains, stop)]
    ]
    passages: list[Passage] = []
    for index, chain in enumerate(merge_ties(chains)):
        following = chains_after(chain, chains, stop)
        for position, marker in enumerate(chain):
            last = position + 1 == len(chain)
            end = following if last else chain[position + 1].place
            body = lines[marker.place : end]
            body = end_of_problem(body, last)
            missing = (
                marker.number - chain[position - 1].number - 1 if position else marker.number - 1
            )
            passages.append(
                Passage(marker.label, body, marker.length, index, missing=max(0, missing))
            )
    without_repeated_head(passages)
    return passages, stop


def without_repeated_head(passages: list[Passage]) -> None:
    """Take the word out of passages that all of them have after their number: `1. Zadanie`."""
    heads = {passage.lines[0].text[passage.cut :].strip() for passage in passages}
    if len(passages) < 3 or len(heads) > 1 or not CALLED.fullmatch(heads.pop()):
        return
    if all(len(passage.lines) > 1 for passage in passages):
        for passage in passages:
            line = passage.lines[0]
            line.segments = [(line.segments[0][0], line.segments[-1][1], line.text)]
            passage.cut = len(line.text)


def key_start(lines: list[TextLine], after: int) -> int | None:
    """Return the index of the heading under which the answers stand, if there is one."""
    for place in range(after, len(lines)):
        line = lines[place]
        text = line.text
        short = len(text.split()) <= 9 and len(text) < 80
        if RUNNING_KEY.match(text):
            return place
        if (
            short
            and not OWN_RESULT.match(text)
            and not MARKER.match(text)
            and KEY_HEADING.search(text)
            and not re.search(r"[.?]$", text)
        ):
            first = place == 0 or lines[place - 1].page != line.page
            if first or is_heading(lines, place):
                return place
    return None


def is_heading(lines: list[TextLine], place: int) -> bool:
    """Return whether a line stands out as a heading."""
    line = lines[place]
    big = line.size > 1.12 * line.body
    centred = line.box[0] - line.left > 6 * line.body and len(line.text.split()) <= 9
    gap = place == 0 or lines[place - 1].page != line.page or (
        line.box[1] - lines[place - 1].box[3] > 0.9 * line.body
    )  # fmt: skip
    return big or ((line.bold or centred) and gap and bool(re.search(r"[A-Za-z]{3}", line.text)))


def merge_ties(chains: list[list[Marker]]) -> list[list[Marker]]:
    """Return chains with tie-breakers joined to the test that they follow."""
    out: list[list[Marker]] = []
    for chain in chains:
        if out and chain[0].style[3] == "T" and out[-1][-1].style[3] != "T":
            out[-1] = out[-1] + chain
        else:
            out.append(list(chain))
    return out


def chains_after(chain: list[Marker], chains: list[list[Marker]], stop: int) -> int:
    """Return the index of the line at which the next chain, or the key, starts."""
    starts = [other[0].place for other in chains if other[0].place > chain[-1].place]
    return min([*starts, stop])


def without_keys(
    chains: list[list[Marker]], lines: list[TextLine]
) -> tuple[list[list[Marker]], int | None]:
    """Return chains without answer lists that have no heading, and where the first one starts."""
    if len(chains) < 2:
        return chains, None
    keep = [chains[0]]
    start = None
    for chain in chains[1:]:
        texts = [item_text(chain, marker, lines)[marker.length :] for marker in chain]
        if len(texts) >= 3 and all(BLANK.fullmatch(text) for text in texts[:-1]):
            continue
        short = sorted(len(text) for text in texts[:-1] or texts)
        asked = sum(1 for text in texts if QUESTION.search(text))
        if short[len(short) // 2] <= 24 and asked < 0.2 * len(texts) and chain[0].style[3] != "T":
            start = chain[0].place if start is None else start
        elif start is None or asked:
            keep.append(chain)
    return keep, start


def end_of_problem(body: list[TextLine], last: bool) -> list[TextLine]:
    """Return a problem's lines without the headings and instructions that follow it."""
    while len(body) > 1 and BETWEEN.fullmatch(body[-1].text) and SENTENCE_END.search(body[-2].text):
        body = body[:-1]
    for place in range(1, len(body)):
        line = body[place]
        if CLOSING.search(line.text):
            return body[:place]
        content = re.search(r"[=+<>]|\\[A-Za-z]", line.text) or OWN_RESULT.match(line.text)
        if is_heading(body, place) and not content:
            tail = body[place:]
            wordy = len(tail) <= 3 or line.size > 1.12 * line.body or line.bold
            if wordy and (last or len(tail) <= 6):
                return body[:place]
        if last and line.page > body[place - 1].page:
            # On the page after the last number: only if the text runs on.
            before = body[place - 1]
            ended = re.search(r"[.?!]\W*$", before.text)
            if ended and before.box[3] < FULL_PAGE * before.height:
                return body[:place]
    return body
