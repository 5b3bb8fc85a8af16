"""Numbers that may start a problem, and the chains in which they count up.

A problem starts at a marker (`7.`, `(7)`, `7)`, `Problem 7.`, `#7`, `7 (author).`, `T1.`). Markers
of one style, standing at one edge and counting upwards form a chain; the longest chains are the
tests of the paper. Lists inside a problem, rules on the cover and answer keys make chains as well,
and are told apart by where they stand and by their words.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from distil.exams.text.layout import TextLine

MARKER = re.compile(
    r"""^(?P<word>(?:problem|question|exercise|ex\.|problema|aufgabe|item|task|tie[- ]?breaker|no\.
        |nr\.|[QP](?=\.?\s?\d)|\\?\#|№)\s*(?:no\.\s*)?\#?)?
        (?P<open>[(\[]|\\boxed\{)?
        (?P<number>\d{1,3}|(?:T|TB|TB-|T-)\s?\d|(?-i:[A-H])-?\d{1,2}(?=\s?[.:)]|$))
        (?P<close>\.\)|\s?[.:)\]](?!\d)|\}|(?=\s|$))
        (?P<aside>\s*\((?=[^()]*[A-Za-z]{2})[^()]{2,60}\)[.:]?(?=\s|$)
        |\s*\[\s?\d{1,3}\s?(?:points?|pts?|marks?)?\.?\s?\][.:]?(?=\s|$))?
        [-\u2013\u2014:.]?\s*""",
    re.I | re.X,
)
INSTRUCTION = re.compile(
    r"\b(?:calculators?|computational aids|proctors?|answer (?:sheets?|boxes|forms?|blanks?)"
    r"|answer booklets?|do not (?:open|look|turn|begin|write|start)|write your (?:name|answers?)"
    r"|(?:short-answer|multiple[- ]choice) (?:problems|questions)|minutes|scratch paper|scoring"
    r"|points?\b.*\b(?:each|correct|problem|question)|protests?|pencil|cell ?phones?|talking"
    r"|this (?:test|exam|round|contest|booklet|paper) (?:consists|contains|has)|blank sheets?"
    r"|electronic devices|(?:all|give|express|leave) (?:your )?(?:answers?|fractions|radicals)\b"
    r"|answers must be|lowest terms|simplest form|team (?:name|id|members?)|penalt(?:y|ies)"
    r"|when (?:you are )?told|figures? (?:are )?not (?:necessarily )?drawn to scale)\b",
    re.I,
)
QUESTION = re.compile(
    r"\?|\b(?:find|compute|determine|evaluate|what is|how many|solve|simplify|calculate|express"
    r"|prove|show that|what are|how much|how far|write|factor|given|let|suppose|if)\b",
    re.I,
)
TASK = re.compile(
    r"\?|\b(?:find|compute|determine|evaluate|what is|how many|solve|simplify|calculate)\b", re.I
)
# What problems ask, proofs among them, and what only mathematics holds.
ASKS = re.compile(TASK.pattern + r"|\b(?:prove|show that)\b", re.I)
FORMAL = re.compile(r"[=^_\\{}+<>]|\d\s*[-*/]\s*\d")
MAX_JUMP = 4
# An exercise has no more parts; a test that is headed by a word has more problems.
MOST_PARTS = 8


@dataclass(slots=True)
class Marker:
    """A number that may start a problem.

    Attributes:
        place: index of its line in reading order.
        number: as an integer; tie-breakers count from 1 in a style of their own.
        label: as in rows: "7" or "T1".
        style: what else the marker is made of.
        edge, end: left end of the marker and of the text after it, relative to the column.
        x0: left end of the marker on the page, points.
        page: 1-based page number.
        length: characters of the marker in the line's text.
    """

    place: int
    number: int
    label: str
    style: tuple[str, ...]
    edge: float
    end: float
    length: int
    x0: float
    page: int
    column: int


# What else may begin a problem where no usual number does: `JMO 1.`, `Exercice 3`, `Problem One.`,
# `I.`, `1.1.`, `1 (a)`. Not `Figure 3` or `Step 2`, which are no problems.
COUNTING = (
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
    "twenty",
)  # fmt: skip
ROMAN = (
    "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII", "XIII", "XIV", "XV",
    "XVI", "XVII", "XVIII", "XIX", "XX",
)  # fmt: skip
HEAD = re.compile(
    rf"""^(?P<word>[^\W\d_]{{2,16}})\.?\s+(?:n\s?[°º.]\s*|№\s*)?
        (?P<number>\d{{1,3}}|[IVX]{{1,5}}|(?:{"|".join(COUNTING)})\b)
        (?P<close>\s?[.:)]|(?=\s|$))\s*""",
    re.I | re.X,
)
ROMAN_HEAD = re.compile(r"^(?P<number>[IVX]{1,5})(?P<close>\s?[.)])\s+")
LEVELS = re.compile(r"^(?P<level>\d{1,2})\.(?P<number>\d{1,2})(?P<close>\.?)\s+")
PARTED = re.compile(r"^(?P<number>\d{1,3})(?P<close>)\s+(?=\(a\)\s)")
NO_PROBLEM = re.compile(
    r"(?:fig(?:ure)?s?|table|page|step|case|day|part|section|round|chapter|example|theorem|lemma"
    r"|grade|class|level|abbildung|tabelle|seite|teil|partie|annexe)",
    re.I,
)


def find_heads(lines: list[TextLine]) -> list[Marker]:
    """Return line starts with a counter that are no usual numbers of problems.

    A word with a counter counts where it stands in front of two counters or more.
    """
    found: list[tuple[int, re.Match, tuple[str, ...]]] = []
    for place, line in enumerate(lines):
        text = line.segments[0][2]
        for kind, pattern in (
            ("word", HEAD), ("roman", ROMAN_HEAD), ("level", LEVELS), ("part", PARTED)
        ):  # fmt: skip
            match = pattern.match(text)
            if not match or (kind == "word" and not is_head(match, line)):
                continue
            name = {"word": lambda m: m["word"].casefold(), "level": lambda m: m["level"]}.get(
                kind, lambda _: ""
            )(match)
            found.append((place, match, (f"{kind} {name}", "", match["close"].strip(), "", "")))
            break
    styles = Counter(style for _, _, style in found)
    return [
        marker_at(lines[place], place, match.end(), counter_of(match["number"]), style)
        for place, match, style in found
        if styles[style] >= 2
    ]


def is_head(match: re.Match, line: TextLine) -> bool:
    """Return whether a word with a counter stands as a head: a sentence may start so as well."""
    if NO_PROBLEM.fullmatch(match["word"]) or not match["word"][0].isupper():
        return False
    alone = match.end() == len(line.segments[0][2])
    return bool(line.bold or alone or match["word"].isupper() or match["close"].strip())


def counter_of(text: str) -> int:
    """Return what a counter counts: 4 of `4`, `IV` or `Four`."""
    if text.isdigit():
        return int(text)
    if text.upper() in ROMAN:
        return ROMAN.index(text.upper()) + 1
    return COUNTING.index(text.lower()) + 1 if text.lower() in COUNTING else 0


def marker_at(
    line: TextLine, place: int, length: int, number: int, style: tuple[str, ...]
) -> Marker:
    """Return the marker that the first `length` characters of a line are."""
    x0 = line.segments[0][0]
    end = x0 + 0.5 * line.size * length
    return Marker(
        place, number, str(number), style, x0 - line.left, end - line.left, length, x0,
        line.page, line.column,
    )  # fmt: skip


def exercises(heads: list[Marker], chains: list[list[Marker]]) -> list[Marker]:
    """Return the heads of exercises whose parts are numbered anew in each, if a paper is so.

    `Exercice 1` with a stem and the parts 1. to 3., then `Exercice 2` with its own: a part alone
    cannot be solved, so that an exercise is one problem.

    Args:
        heads: from `find_heads`.
        chains: of the usual numbers.
    """
    for style in dict.fromkeys(head.style for head in heads):
        own = [head for head in heads if head.style == style and style[0].startswith("word ")]
        rising = all(b.number == a.number + 1 for a, b in itertools.pairwise(own))
        if len(own) < 2 or own[0].number != 1 or not rising:
            continue
        edges = [*(head.place for head in own), 10**9]
        parted = 0
        for start, stop in itertools.pairwise(edges):
            inside = [
                chain for chain in chains if start < chain[0].place and chain[-1].place < stop
            ]
            # A stem stands between the head and the first part.
            parted += any(
                chain[0].number == 1 and chain[0].place > start + 1 and len(chain) <= MOST_PARTS
                for chain in inside
            )
        if parted >= max(2, 0.6 * len(own)):
            return own
    return []


def find_markers(lines: list[TextLine]) -> list[Marker]:
    """Return every line start that looks like a number of a problem."""
    markers = []
    for place, line in enumerate(lines):
        text = line.segments[0][2]
        if line.confidence < 1:
            # Recognition takes one mark for another: 3: or 3, for 3. and the like.
            text = re.sub(r"^(T?\d{1,2})[,:;](?=\s|$)", r"\1.", text)
        match = MARKER.match(text)
        if not match:
            continue
        word = re.sub(r"[\s#.]", "", (match["word"] or "").lower())
        number = re.sub(r"\D", "", match["number"])
        close = match["close"].strip()
        tie = match["number"][0] in "Tt" or word.startswith("tie")
        letter = "T" if tie else match["number"][0] if match["number"][0].isalpha() else ""
        rest = text[match.end() :]
        alone = not rest and len(line.segments) > 1
        # A bare number needs a wide gap after it.
        if not (match["word"] or close or match["open"] or match["aside"] or alone):
            continue
        if (
            close == "."
            and rest[:1].isdigit()
            and not text[match.start("close") : match.end()].endswith(" ")
        ):
            continue
        if not (match["word"] or line.bold) and runs_on(lines, place):
            continue
        end = line.segments[1][0] if alone else line.segments[0][0] + 0.5 * line.size * match.end()
        style = (
            word,
            match["open"] or "",
            close,
            letter,
            "b" if line.bold and word else "",
        )
        markers.append(
            Marker(
                place,
                int(number),
                f"{letter}{int(number)}",
                style,
                line.segments[0][0] - line.left,
                end - line.left,
                match.end(),
                line.segments[0][0],
                line.page,
                line.column,
            )
        )
    return markers


def runs_on(lines: list[TextLine], place: int) -> bool:
    """Return whether a line goes on with the sentence of the line above, which fills its column."""
    if place == 0:
        return False
    line, above = lines[place], lines[place - 1]
    if (line.page, line.column) != (above.page, above.column):
        return False
    right = max(
        other.box[2]
        for other in lines[max(0, place - 12) : place + 12]
        if (other.page, other.column) == (line.page, line.column)
    )
    return (
        abs(line.box[0] - above.box[0]) < 3
        and above.box[2] - above.box[0] > 18 * line.body
        and line.base - above.base < 1.6 * line.body
        and above.box[2] > right - 0.12 * (right - line.left)
        # A heading is no sentence, even where all the lines below it are shorter.
        and above.size <= 1.12 * line.size
        and (line.bold or not above.bold)
        and not re.search(r"[.?!:;)\]}\u201d\"]\W*$", above.text)
    )


def find_chains(markers: list[Marker], lines: list[TextLine]) -> list[list[Marker]]:
    """Return chains of markers of one style and edge that count upwards."""
    chains: list[list[Marker]] = []
    for marker in markers:
        best = None
        for chain in chains:
            last = chain[-1]
            step = marker.number - last.number
            if last.style != marker.style or not 1 <= step <= MAX_JUMP:
                continue
            if not (aligned(last, marker) or (step <= 3 and turned(lines, last, marker))):
                continue
            if lines[marker.place].confidence < 1 and superseded(chain, chains):
                continue
            if best is None or (step, -last.place) < (
                marker.number - best[-1].number,
                -best[-1].place,
            ):
                best = chain
        if best is not None:
            best.append(marker)
        else:
            chains.append([marker])
    return continued(chains)


def aligned(one: Marker, other: Marker) -> bool:
    """Return whether two markers stand at one edge, of their columns or of the paper.

    Numbers are set flush left or flush right, so that one more digit moves them to the left.
    """
    digits = len(str(other.number)) - len(str(one.number))
    return any(
        abs(a - b) < 5 or (digits and abs(a - b - 5.5 * digits) < 3.5)
        for a, b in ((one.edge, other.edge), (one.x0, other.x0))
    )


def continued(chains: list[list[Marker]]) -> list[list[Marker]]:
    """Join chains that count on where another ends, though at another edge.

    The edge moves where the layout does: a wider number on the page, a new column, an odd page.
    """
    out: list[list[Marker]] = []
    for chain in sorted(chains, key=lambda chain: chain[0].place):
        before = [
            other
            for other in out
            if other[-1].number + 1 == chain[0].number
            and other[-1].style == chain[0].style
            and other[-1].place < chain[0].place
        ]
        host = max(before, key=lambda other: other[-1].place, default=None)
        new = host is not None and (
            len(chain) > 1 or (host[-1].page, host[-1].column) != (chain[0].page, chain[0].column)
        )
        # A list inside a problem starts anew; text that happens to start with a number does not
        # come between two chains that both go on.
        if (
            host is None
            or not new
            or any(interleaved(chain, other) for other in out if other is not host)
        ):
            out.append(chain)
        else:
            host.extend(chain)
    return out


def superseded(chain: list[Marker], chains: list[list[Marker]]) -> bool:
    """Return whether counting has started anew since a chain's last number.

    Recognition loses numbers; without this a test would go on in the next one.
    """
    return any(
        other[0].place > chain[-1].place and other[0].style == chain[0].style and len(other) >= 3
        for other in chains
    )


def turned(lines: list[TextLine], last: Marker, marker: Marker) -> bool:
    """Return whether a scanned page was turned between two markers at about the same place.

    Scanned pages lie differently, and their left edges are not those of the same things.
    """
    before, after = lines[last.place], lines[marker.place]
    if before.page == after.page or before.confidence == 1 or after.confidence == 1:
        return False
    return abs(before.segments[0][0] - after.segments[0][0]) < 3 * after.size


def choose_chains(
    chains: list[list[Marker]], lines: list[TextLine], sizes: Collection[int] = ()
) -> list[list[Marker]]:
    """Return the chains that are tests, in reading order.

    A chain is dropped if it stands inside a step of a longer one (a list within a problem), if it
    starts late, or if its items read like instructions while another chain reads like problems.

    Args:
        chains: from `find_chains`.
        lines: in reading order.
        sizes: how many items lists are known to have; one of these is not part of an item.
    """
    likely = [chain for chain in chains if chain[0].number <= 2 or len(chain) >= 4]
    likely.sort(key=lambda chain: (-weight(chain, lines), chain[0].place))
    chosen: list[list[Marker]] = []
    for chain in likely:
        if any(
            nested(chain, other, lines, sizes)
            or nested(other, chain, lines, sizes)
            or interleaved(chain, other)
            for other in chosen
        ):
            continue
        chosen.append(chain)
    chosen.sort(key=lambda chain: chain[0].place)
    chosen = [
        chain
        for chain in chosen
        # A tie-breaker alone is one item: a word of it must not make it an instruction.
        if chain[0].style[3] == "T" or not instructive(chain, lines)
    ] or chosen
    chosen = without_rules(chosen, lines)
    longest = max((len(chain) for chain in chosen), default=0)
    if longest >= 3:
        chosen = [
            chain
            for chain in chosen
            if len(chain) >= 2
            or chain[0].style[3] == "T"
            or (chain[0].style[0] and chain[0].number == 1)
        ]
    return chosen


def without_rules(chains: list[list[Marker]], lines: list[TextLine]) -> list[list[Marker]]:
    """Return chains without the rules of the contest that stand before its problems.

    Rules neither ask nor hold formulas, as problems do: "You have 40 minutes."
    """
    texts = []
    for place, chain in enumerate(chains):
        stop = chains[place + 1][0].place if place + 1 < len(chains) else len(lines)
        texts.append([item_text(chain, marker, lines[:stop]) for marker in chain])
    asking = [sum(1 for text in own if ASKS.search(text)) / len(own) for own in texts]
    formal = [sum(1 for text in own if FORMAL.search(text)) / len(own) for own in texts]
    first = next((place for place, share in enumerate(asking) if share >= 0.5), None)
    return [
        chain
        for place, chain in enumerate(chains)
        if first is None or place >= first or asking[place] > 0.2 or formal[place] > 0.2
    ]


def weight(chain: list[Marker], lines: list[TextLine]) -> float:
    """Return how much a chain looks like a test: length first, then words and outermost edge."""
    asked = sum(1 for marker in chain if QUESTION.search(item_text(chain, marker, lines)))
    return len(chain) + asked - 0.01 * min(marker.edge for marker in chain)


def item_text(chain: list[Marker], marker: Marker, lines: list[TextLine]) -> str:
    """Return the text between a marker and the next of its chain, at most ten lines."""
    position = chain.index(marker)
    stop = chain[position + 1].place if position + 1 < len(chain) else marker.place + 10
    return " ".join(line.text for line in lines[marker.place : min(stop, marker.place + 10)])


def instructive(chain: list[Marker], lines: list[TextLine]) -> bool:
    """Return whether most items of a chain read like instructions."""
    texts = [item_text(chain, marker, lines) for marker in chain]
    hits = sum(1 for text in texts if INSTRUCTION.search(text) and not TASK.search(text))
    return hits > 0.4 * len(chain)


def nested(
    inner: list[Marker],
    outer: list[Marker],
    lines: list[TextLine],
    sizes: Collection[int] = (),
) -> bool:
    """Return whether a chain stands between two neighbours of another."""
    for a, b in itertools.pairwise(outer):
        if a.place <= inner[0].place and inner[-1].place < b.place:
            return True
    # After the last marker: deeper on the page means inside that problem. Scanned pages lie
    # differently, so that depths on two of them say nothing.
    before, after = lines[outer[-1].place], lines[inner[0].place]
    if before.confidence < 1 and before.page != after.page:
        return False
    if inner[0].number == 1 and len(inner) in sizes:
        return False
    return (
        outer[-1].place < inner[0].place
        and inner[0].edge > outer[-1].edge + 12
        and len(inner) < 0.6 * len(outer)
    )


def interleaved(one: list[Marker], other: list[Marker]) -> bool:
    """Return whether two chains overlap in reading order."""
    return not (one[-1].place < other[0].place or other[-1].place < one[0].place)


MISREAD = str.maketrans("lI|iOoSsZzB]!", "1111005522811")
MISREAD_NUMBER = re.compile(
    r"^(?P<number>[\dlI|iOoSsZzB!\]]\s?[\dlI|iOoSsZzB!\]]?)\s?[.,:;)\u00b0]?\s*[.,]?(?=\s|$|[A-Z])"
)


def mended(chain: list[Marker], lines: list[TextLine], start: int, stop: int) -> list[Marker]:
    """Return a chain with numbers that recognition got wrong put in where they must stand.

    A missing number is looked for between its neighbours, at their edge, among lines that start
    with what can be misread for it, then among those that stand out to the left of the text.
    """
    if not chain or lines[chain[0].place].confidence == 1 or chain[0].style[3] == "T":
        return chain
    out: list[Marker] = []
    first = chain[0]
    if first.number > 1:
        start = max(start, first.place - 12 * first.number)
        out += guessed(range(1, first.number), start, first.place, first, lines)
    for marker, after in zip(chain, [*chain[1:], None], strict=True):
        out.append(marker)
        if after is not None:
            out += guessed(
                range(marker.number + 1, after.number), marker.place + 1, after.place, marker, lines
            )
    last = chain[-1]
    out += guessed(
        range(last.number + 1, last.number + 3), last.place + 1, stop, last, lines, sure=True
    )
    return out


def guessed(
    numbers: range,
    start: int,
    stop: int,
    like: Marker,
    lines: list[TextLine],
    *,
    sure: bool = False,
) -> list[Marker]:
    """Return markers for missing numbers among some lines, each after the one before."""
    found: list[Marker] = []
    for number in numbers:
        places = []
        for place in range(start, stop):
            line = lines[place]
            edge = line.segments[0][0] - line.left
            text = line.segments[0][2]
            if abs(edge - like.edge) > 9 and abs(edge - like.edge + 5.5) > 6:
                continue
            match = MISREAD_NUMBER.match(text)
            written = re.sub(r"\s", "", match["number"]) if match else ""
            read = written.translate(MISREAD)
            if read.isdigit() and int(read) == number:
                places.append((0, place, match.end()))
            elif match and not sure and len(written) == len(str(number)):
                places.append((1, place, match.end()))
            elif not sure and number < 10 and re.match(r"\S{1,2}\s", text):
                places.append((2, place, text.index(" ") + 1))
        if not places:
            continue
        _, place, length = min(places)
        line = lines[place]
        line.flags.add("number_guessed")
        edge = line.segments[0][0] - line.left
        found.append(
            Marker(
                place, number, str(number), like.style, edge, like.end, length,
                line.segments[0][0], line.page, line.column,
            )
        )  # fmt: skip
        start = place + 1
    return found
