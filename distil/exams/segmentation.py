"""Lines to problems: numbering, options, where a problem ends.

A problem starts at a marker (`7.`, `(7)`, `7)`, `Problem 7.`, `#7`, `7 (author).`, `T1.`). Markers
of one style, standing at one edge and counting upwards form a chain; the longest chains are the
tests of the paper. Lists inside a problem, rules on the cover and answer keys make chains as well,
and are told apart by where they stand and by their words.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field

from distil.exams.text.layout import Sheet, TextLine

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
KEY_HEADING = re.compile(
    r"\banswer\s*keys?\b|\bkeys?\s+(?:to|for)\b|^\W*(?:the\s+)?answers\b|^\W*solutions?\b|\bsolution\s+key\b"
    r"|\banswers?\s+and\s+solutions?\b|\bsolutions?\s*$|\banswers?\s*$|^\W*key\W*$",
    re.I,
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
ASKING = re.compile(
    r"\?$|^(?:find|compute|determine|evaluate|what|how|solve|prove|show|calculate)\b", re.I
)
TASK = re.compile(
    r"\?|\b(?:find|compute|determine|evaluate|what is|how many|solve|simplify|calculate)\b", re.I
)
CLOSING = re.compile(
    r"^\W*(?:end of (?:the )?(?:test|exam|paper|round|contest|section)|stop\b|go on to|good luck"
    r"|turn (?:over|the page)|this page (?:is )?(?:intentionally )?(?:left )?blank"
    r"|scratch (?:work|paper))",
    re.I,
)
SOLUTION = re.compile(
    r"^\W*(?:solution|answer|ans|sol)s?\b\s*(?:\(?\d+\)?\s*)?[.:\u2013\u2014]"
    r"|^\W*(?:(?-i:Solution|SOLUTION|Answer|ANSWER)|sol\.|ans\.|proposed by|(?-i:Proof)\b)"
    r"(?:\s*\(?\d+\)?)?(?=\s|$)",
    re.I,
)
LABEL = re.compile(r"^(?P<open>\(|\[)?(?P<label>[A-Ha-h])(?P<close>[).\]:]|\.\))(?=\s|$|\S)")
MAX_JUMP = 4
# A page whose last line stands above this share of its height has room left.
FULL_PAGE = 0.8


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
        if not (match["word"] or close or match["open"] or alone):
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


def choose_chains(chains: list[list[Marker]], lines: list[TextLine]) -> list[list[Marker]]:
    """Return the chains that are tests, in reading order.

    A chain is dropped if it stands inside a step of a longer one (a list within a problem), if it
    starts late, or if its items read like instructions while another chain reads like problems.
    """
    likely = [chain for chain in chains if chain[0].number <= 2 or len(chain) >= 4]
    likely.sort(key=lambda chain: (-weight(chain, lines), chain[0].place))
    chosen: list[list[Marker]] = []
    for chain in likely:
        if any(
            nested(chain, other, lines) or nested(other, chain, lines) or interleaved(chain, other)
            for other in chosen
        ):
            continue
        chosen.append(chain)
    chosen.sort(key=lambda chain: chain[0].place)
    speaks = {id(chain): instructive(chain, lines) for chain in chosen}
    if any(not value for value in speaks.values()):
        chosen = [chain for chain in chosen if not speaks[id(chain)]]
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


def nested(inner: list[Marker], outer: list[Marker], lines: list[TextLine]) -> bool:
    """Return whether a chain stands between two neighbours of another."""
    for a, b in itertools.pairwise(outer):
        if a.place <= inner[0].place and inner[-1].place < b.place:
            return True
    # After the last marker: deeper on the page means inside that problem. Scanned pages lie
    # differently, so that depths on two of them say nothing.
    before, after = lines[outer[-1].place], lines[inner[0].place]
    if before.confidence < 1 and before.page != after.page:
        return False
    return (
        outer[-1].place < inner[0].place
        and inner[0].edge > outer[-1].edge + 12
        and len(inner) < 0.6 * len(outer)
    )


def interleaved(one: list[Marker], other: list[Marker]) -> bool:
    """Return whether two chains overlap in reading order."""
    return not (one[-1].place < other[0].place or other[-1].place < one[0].place)


def key_start(lines: list[TextLine], after: int) -> int | None:
    """Return the index of the heading under which the answers stand, if there is one."""
    for place in range(after, len(lines)):
        line = lines[place]
        text = line.text
        short = len(text.split()) <= 9 and len(text) < 80
        if (
            short
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
        if len(before) >= 1 and any(marker.place > start for marker in markers):
            stop = start
            break
        start = key_start(lines, start + 1)
    chains = choose_chains(find_chains([m for m in markers if m.place < stop], lines), lines)
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
    return passages, stop


BLANK = re.compile(r"[\s_.]*(?:[T\d]+\.[\s_]*)?")
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
    """Return a problem's lines without the headings that follow it."""
    for place in range(1, len(body)):
        line = body[place]
        if CLOSING.search(line.text):
            return body[:place]
        if is_heading(body, place) and not re.search(r"[=+<>]|\\[a-z]", line.text):
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


COUNTED = {
    "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "half", "non", "self",
}  # fmt: skip


# Words that TeX parts from the rest of what is one word.
PREFIXED = {
    "some", "every", "under", "over", "more", "what", "when", "where", "there", "mean", "back",
    "after", "other", "down", "never", "counter", "inter", "with",
}  # fmt: skip


def join_lines(texts: list[str], vocabulary: set[str] = frozenset()) -> str:
    """Return lines as one text; words broken at the line's end are joined.

    Args:
        texts: the lines.
        vocabulary: words seen whole elsewhere, which decide between `re-use` and `reuse`.
    """
    out = ""
    for text in texts:
        broken = re.search(r"([A-Za-z]+(?:-[A-Za-z]+)*)-$", out)
        start = re.match(r"[a-z]+(?:-[a-z]+)*", text)
        if broken and start:
            whole = broken.group(1).split("-")[-1] + start.group().split("-")[0]
            hyphened = "-" in broken.group(1) or "-" in start.group()
            kept = f"{broken.group(1)}-{start.group()}".lower() in vocabulary
            joined = whole.lower() in vocabulary
            parts = (broken.group(1).lower(), start.group().lower())
            compound = parts[0] in COUNTED or (
                parts[0] not in PREFIXED
                and all(len(part) >= 4 and part in vocabulary for part in parts)
            )
            if kept or ((hyphened or compound) and not joined):
                out += text
            else:
                out = out[:-1] + text
        elif re.search(r"\w-$", out) and not re.search(r"\s-$", out) and start:
            out += text
        else:
            out = f"{out} {text}" if out else text
    return re.sub(r"\s+", " ", out).strip()


def vocabulary_of(lines: list[TextLine]) -> set[str]:
    """Return the words, hyphened ones too, that stand whole inside lines."""
    words: set[str] = set()
    broken = False
    for line in lines:
        found = re.findall(r"[A-Za-z]+(?:-[A-Za-z]+)*", line.text)
        if broken:
            found = found[1:]
        broken = line.text.endswith("-")
        if found and broken:
            found.pop()
        words.update(word.lower() for word in found)
    return words


def split_options(passage: Passage) -> tuple[list[str], list[dict]]:
    """Return a passage's statement lines and its options.

    Options are segments that start with A, B, C ... in order, at line starts or after wide gaps,
    or anywhere in a line if their labels are in brackets.
    """
    pieces: list[tuple[str, int]] = []
    for index, line in enumerate(passage.lines):
        for position, segment in enumerate(line.segments):
            text = segment[2]
            if index == 0 and position == 0:
                text = text[passage.cut :]
            pieces.append((text, index))
    pieces = [
        piece for text, index in pieces for piece in ((t, index) for t in cut_at_labels(text))
    ]
    found = label_run(pieces)
    if found is None:
        return rejoin(pieces), []
    start, marks = found
    options = []
    for position, (place, label, length) in enumerate(marks):
        end = marks[position + 1][0] if position + 1 < len(marks) else len(pieces)
        text = join_lines(
            [pieces[place][0][length:], *(pieces[i][0] for i in range(place + 1, end))]
        )
        options.append({"label": label, "text": text.strip()})
    if not are_options(options, lower=LABEL.match(pieces[start][0])["label"].islower()):
        return rejoin(pieces), []
    return rejoin(pieces[:start]), options


def are_options(options: list[dict], *, lower: bool) -> bool:
    """Return whether labelled texts are choices rather than parts of a question."""
    if any(ASKING.search(option["text"]) for option in options):
        return False
    longest = max(len(option["text"]) for option in options)
    return longest < (60 if lower or len(options) < 3 else 250)


def rejoin(pieces: list[tuple[str, int]]) -> list[str]:
    """Return pieces as lines."""
    lines: dict[int, list[str]] = {}
    for text, index in pieces:
        lines.setdefault(index, []).append(text)
    return [" ".join(part for part in parts if part) for parts in lines.values()]


def cut_at_labels(text: str) -> list[str]:
    """Return a text cut before labels such as (B), B) or B. in it."""
    cuts = [
        match.start()
        for match in re.finditer(
            r"(?<![\w\\}])(?:\((?:[A-H]|[a-h])\)|(?<=\s)[A-H][.)])(?=\s|$)", text
        )
    ]
    if not cuts:
        return [text]
    edges = [0, *[cut for cut in cuts if cut > 0], len(text)]
    return [text[a:b].strip() for a, b in itertools.pairwise(edges)]


def label_run(pieces: list[tuple[str, int]]) -> tuple[int, list[tuple[int, str, int]]] | None:
    """Return the last run of labels A, B, C ... among pieces: where it starts and its labels."""
    for start in range(len(pieces) - 1, -1, -1):
        match = LABEL.match(pieces[start][0])
        if not match or match["label"].upper() != "A":
            continue
        shape = (match["open"], match["close"], match["label"].isupper())
        marks = [(start, "A", match.end())]
        for place in range(start + 1, len(pieces)):
            other = LABEL.match(pieces[place][0])
            if not other or (other["open"], other["close"], other["label"].isupper()) != shape:
                continue
            if ord(other["label"].upper()) == ord(marks[-1][1]) + 1:
                marks.append((place, other["label"].upper(), other.end()))
        if len(marks) >= 3 or (len(marks) == 2 and shape[0]):
            return start, marks
    return None


def lines_of(sheets: list[Sheet]) -> list[TextLine]:
    """Return the lines of all sheets in reading order."""
    return [line for sheet in sheets for line in sheet.lines]
