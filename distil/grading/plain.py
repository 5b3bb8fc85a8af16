r"""Plain text of an answer: mark-up stripped once, and the places that were upright remembered.

    plain(r"5\text{ cm}")  # Plain("5 cm", ((2, 4),))

`notation.answers.clean` brings an answer to one LaTeX spelling; here the last mark-up, `\text{}`,
goes. Uprightness still tells a unit from a variable and a word from a product of letters, so the
spans of what was upright stay known, also in every part cut out of the text. Brackets, commas and
words that join are found here too.
"""

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from distil.grading.syntax import FUNCTIONS, Node, NotUnderstoodError, parse_expression
from distil.notation.answers import clean, join_thousands
from distil.notation.braces import balanced_end

MOST_ITEMS = 300
# "3, 4", "3 and 4"; not the "or" of "for" or of "\lor", which `clean` has made "\vee".
_SEPARATOR_WORD = re.compile(
    r"\s*(?:(?<!\\)\b(?:and|or)\b|\\(?:wedge|vee)(?![a-zA-Z]))\s*", re.IGNORECASE
)
# "\begin{pmatrix}"; "\beginning" opens none.
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\s*\{\w+\}")
# "\text{cm}"; "\textwidth" holds no text.
_TEXT = re.compile(r"\\text\s*(?=\{)")


@dataclass(frozen=True)
class Plain:
    """Text without mark-up.

    Attributes:
        text: the text.
        spans: (start, end) of each piece that was set upright, in order.
    """

    text: str
    spans: tuple[tuple[int, int], ...] = ()

    def part(self, start: int = 0, end: int | None = None) -> "Plain":
        """A piece of the text without blanks at its ends."""
        end = len(self.text) if end is None else end
        piece = self.text[start:end]
        start += len(piece) - len(piece.lstrip())
        piece = piece.strip()
        if not self.spans:
            return Plain(piece)
        end = start + len(piece)
        spans = ((max(low, start), min(high, end)) for low, high in self.spans)
        return Plain(piece, tuple((low - start, high - start) for low, high in spans if low < high))

    def group(self, found: re.Match, number: int | str) -> "Plain":
        """The piece that a group of a match took."""
        return self.part(*found.span(number))

    def upright(self, start: int, end: int) -> bool:
        """Whether all letters between two places were set upright."""
        return all(
            any(low <= place < high for low, high in self.spans)
            for place in range(start, end)
            if self.text[place].isalpha()
        )

    def words(self) -> Iterator[tuple[int, str]]:
        """Each upright word with its place."""
        for low, high in self.spans:
            for found in re.finditer(r"[A-Za-z]+", self.text[low:high]):
                yield low + found.start(), found.group()


def strip_text(text: str) -> Plain:
    r"""The plain text of cleaned LaTeX: `\text{...}` gone, its letters remembered as upright."""
    if "\\text" not in text:
        return Plain(text)
    pieces: list[str] = []
    spans: list[tuple[int, int]] = []
    length = at = 0

    def add(piece: str, upright: bool) -> None:
        nonlocal length
        before = pieces[-1][-1:] if pieces else " "
        piece = piece.lstrip() if before == " " else piece
        if before.isalnum() and piece[:1].isalnum():
            # "5\text{cm}" is "5 cm".
            pieces.append(" ")
            length += 1
        if piece:
            pieces.append(piece)
            if upright and re.search(r"[A-Za-z]", piece):
                inner = len(piece) - len(piece.lstrip())
                spans.append((length + inner, length + len(piece.rstrip())))
            length += len(piece)

    while (found := _TEXT.search(text, at)) is not None:
        end = balanced_end(text, found.end())
        if end < 0:
            break
        add(text[at : found.start()], False)
        inner = strip_text(text[found.end() + 1 : end]).text
        add(inner.replace("$", " ").replace("\\ ", " "), True)
        at = end + 1
    add(text[at:], False)
    return Plain("".join(pieces), tuple(spans)).part()


@functools.lru_cache(maxsize=4096)
def plain(raw: str) -> Plain:
    """The plain text of an answer as written."""
    return strip_text(clean(raw))


def joined(text: Plain) -> Plain:
    """The same with plain thousands commas joined: "13,680" gives "13680"."""
    result = join_thousands(text.text)
    return text if result == text.text else strip_text(result)


def expression(text: Plain) -> Node:
    """The expression that a text is.

    Raises:
        NotUnderstoodError: if it is none; an upright word is no product of letters.
    """
    for place, word in text.words():
        if (
            len(word) > 1
            and word not in FUNCTIONS
            and not re.search(r"_\{?\s*$", text.text[:place])
        ):
            raise NotUnderstoodError(f"a word: {word}")
    return parse_expression(text.text)


def _depths(text: str) -> Iterator[tuple[int, int]]:
    """Yield (position, depth) of each character; brackets of any kind pair up."""
    depth = 0
    position = 0
    while position < len(text):
        character = text[position]
        if character == "\\" and position + 1 < len(text):
            following = text[position + 1]
            if following in "be" and (environment := _ENVIRONMENT.match(text, position)):
                depth += 1 if following == "b" else -1
                yield position, depth - (following == "b")
                position = environment.end()
                continue
            depth -= following == "}"
            yield position, depth
            depth += following == "{"
            position += 1 if following.isalpha() else 2
            continue
        depth -= character in ")]}"
        yield position, depth
        depth += character in "([{"
        position += 1


@functools.lru_cache(maxsize=4096)
def top_level(text: str) -> frozenset[int]:
    """Positions outside every bracket."""
    return frozenset(position for position, depth in _depths(text) if depth == 0)


def cut(text: Plain, cuts: list[tuple[int, int]]) -> list[Plain]:
    """The pieces between cuts (start, end) that are not empty; overlapping cuts are skipped."""
    parts, at = [], 0
    for start, end in [*sorted(cuts), (len(text.text), len(text.text))]:
        if start >= at:
            piece = text.part(at, start)
            if piece.text:
                parts.append(piece)
            at = end
    return parts


@functools.lru_cache(maxsize=4096)
def split_list(text: Plain) -> tuple[list[Plain], str]:
    """Top-level parts of a list and how they are joined: "list", "or" or "and"."""
    top = top_level(text.text)
    cuts = {
        (place, place + 1): "list" for place, sign in enumerate(text.text) if sign in ",;"
        if place in top
    }  # fmt: skip
    for found in _SEPARATOR_WORD.finditer(text.text):
        word = found.group().strip().lower()
        if found.start() + found.group().lower().index(word) in top:
            cuts[found.span()] = "or" if word in {"or", "\\vee"} else "and"
    if not cuts or len(cuts) > MOST_ITEMS * 20:
        return [text], "list"
    kinds = set(cuts.values())
    return cut(text, list(cuts)), "or" if "or" in kinds else "and" if "and" in kinds else "list"


def enclosed(text: Plain) -> tuple[str, Plain] | None:
    r"""(brackets, inside) if one pair of brackets encloses the whole text: "(", "[" or "\{"."""
    whole = text.text
    opener = "\\{" if whole.startswith("\\{") else whole[:1]
    if opener not in {"(", "[", "\\{"}:
        return None
    last = next((place for place, depth in _depths(whole) if place > 0 and depth == 0), None)
    if last is None:
        return None
    closer = "\\}" if whole.startswith("\\}", last) else whole[last]
    if last + len(closer) != len(whole) or (opener == "\\{") != (closer == "\\}"):
        return None
    if closer not in {")", "]", "\\}"}:
        return None
    return opener[-1] + closer[-1], text.part(len(opener), last)
