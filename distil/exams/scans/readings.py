"""Two readings of a row of print made one: tesseract's, and that of each mark by its shape."""

from __future__ import annotations

import bisect
import itertools
import math
import re
from dataclasses import dataclass

import numpy as np

from distil.exams.scans.marks import LOW, TALL, Mark, Row, cut_apart, is_bar, sized
from distil.exams.scans.shapes import CLASS_OF, CLASSES, JUNK

# What tesseract takes for another where a word does not tell.
TWINS = (
    "0Oo°", "1lI|i!/]", "5sS", "2zZ", "8B", "6b", "9gq", "xX×", "-−–—_~", ".,·", "'’‘,`", "cC(", "vV", "uU",  # noqa: E501
    "wW", "kK", "pP", "mM", "tT+", "fF", "“”\"", "Zz2∠", "eE", ":;", "—-", "yY", "nN",
)  # fmt: skip
DASHES = "-–—−_~=«»¬"
SYMBOLS = set("∠Δπθ√≤≥±×÷∞∩∪αβ")
SURE = 96.0
LIKELY = 0.9
SHORT_WORDS = {
    "a", "an", "as", "at", "am", "ax", "be", "by", "do", "go", "he", "if", "in", "is", "it",
    "me", "my", "no", "of", "on", "or", "so", "to", "up", "us", "we", "cm", "mm", "km", "ft",
    "mi", "kg", "gm", "oz", "lb", "th", "st", "nd", "rd", "vs", "ex",
}  # fmt: skip


@dataclass(slots=True)
class Char:
    """A character as tesseract read it, pixels.

    Attributes:
        text: the character.
        x0, y0, x1, y1: its box.
        sure: tesseract's confidence, 0 to 100.
        word: number of its word.
    """

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    sure: float
    word: int


@dataclass(slots=True)
class Sign:
    """A character of a row as both readings together say.

    Attributes:
        text: the character.
        x0, y0, x1, y1: its box, pixels.
        spaced: whether a space stands before it.
        doubt: 0 (certain) to 1.
        why: what the doubt is.
    """

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    spaced: bool
    doubt: float
    why: str = ""


COMMON = frozenset([
    "a", "all", "and", "are", "as", "at", "be", "by", "each", "find", "for", "from", "has",
    "have", "if", "in", "is", "it", "its", "let", "of", "on", "one", "or", "set", "such",
    "sum", "that", "the", "then", "these", "this", "to", "two", "value", "what", "when",
    "where", "which", "with",
])  # fmt: skip


def twins(one: str, other: str) -> bool:
    """Return whether one character is easily taken for another."""
    return any(one in group and other in group for group in TWINS)


def is_prose(word: str) -> bool:
    """Return whether letters are a word rather than variables side by side."""
    bare = re.sub(r"^[^\w]+|[^\w]+$", "", word)
    bare = re.sub(r"['’]s?$", "", bare)
    if not bare.isascii() or not re.fullmatch(r"[A-Za-z]+(?:[-'’/][A-Za-z]+)*", bare):
        return False
    if len(bare) <= 2:
        return bare.lower() in SHORT_WORDS
    vowels = re.search(r"[aeiouyAEIOUY]", bare)
    return bool(vowels) and (bare.islower() or bare.istitle() or bare.isupper() or "-" in bare)


def read_row(
    row: Row, marks: list[Mark], chars: list[Char], labels: np.ndarray
) -> tuple[list[Sign], list[Mark]]:
    """Return the signs of a row, left to right, and the marks that stayed unread.

    Args:
        row: the row.
        marks: its plain print, read by shape.
        chars: what tesseract read in it.
        labels: numbers of the marks, shape (height, width).
    """
    words: dict[int, list[Char]] = {}
    for char in chars:
        words.setdefault(char.word, []).append(char)
    ordered = sorted(words.values(), key=lambda word: word[0].x0)
    texts = {word[0].word: "".join(char.text for char in word) for word in ordered}
    pairs, loose = align([char for word in ordered for char in word], marks, row.tall)
    found: list[list[Sign]] = []
    for _, group in itertools.groupby(pairs, key=lambda pair: pair[0][0].word):
        members = without_ghosts(list(group), texts)
        word = [
            sign for part, own in members for sign in judge(row, part, own, texts[part[0].word], labels)  # noqa: E501
        ]  # fmt: skip
        if word:
            word[0].spaced = True
            straight(word, row.tall)
            found.append(word)
    for word, after in itertools.pairwise(found):
        if joins(word[-1], after[0], row.tall):
            after[0].spaced = False
            word[-1].x1 = max(word[-1].x1, after[0].x0)
            continue
        # Italics lean over the space after them.
        word[-1].x1 = max(word[-1].x0 + 1, min(word[-1].x1, after[0].x0 - 0.12 * row.tall))
    signs = [sign for word in found for sign in word]
    unread: list[Mark] = []
    extra = []
    for mark in loose:
        sign = lone(row, mark)
        if sign is not None:
            extra.append(sign)
        elif max(mark.w, mark.h) > 0.33 * row.tall:
            unread.append(mark)
    signs = sorted([*signs, *extra], key=lambda sign: sign.x0)
    for before, sign in itertools.pairwise(signs):
        if sign.why == "lone":
            sign.spaced = sign.x0 - before.x1 > 0.3 * row.tall
        elif before.why == "lone" and joins(before, sign, row.tall):
            sign.spaced = False
    return signs, unread


def without_ghosts(
    pairs: list[tuple[list[Char], list[Mark]]], texts: dict[int, str]
) -> list[tuple[list[Char], list[Mark]]]:
    """Return a word's pairs without characters that no ink is left for.

    Where every mark is a character of its own, what tesseract read beyond them is not there. In
    prose its words are worth more than the marks.
    """
    clear = all(len(part) == 1 and own[0].score > 0.6 for part, own in pairs if own)
    if is_prose(texts[pairs[0][0][0].word]) or not clear:
        return pairs
    return [(part, own) for part, own in pairs if own]


def part_text(char: Char, likely: np.ndarray) -> tuple[str, float]:
    """Return the text of a character that touches another, and its doubt."""
    best = CLASSES[int(likely.argmax())]
    score = float(likely.max())
    name = CLASS_OF.get(char.text)
    own = float(likely[CLASSES.index(name)]) if name is not None else 0.0
    if best in SYMBOLS and score > 0.85 and own < 0.1:
        return best, 0.1
    if own > 0.4:
        return char.text, 0.0
    if char.text.isdigit() and char.sure > 98 and (best == JUNK or score < 0.8):
        return char.text, 0.15
    return char.text, 0.5


def joins(before: Sign, after: Sign, tall: float) -> bool:
    """Return whether two signs that tesseract parted belong together: digits of one number."""
    middles = (after.x0 + after.x1 - before.x0 - before.x1) / 2
    if before.text.isdigit() and after.text.isdigit():
        return middles < 0.95 * tall
    if "." in (before.text, after.text) and (before.text.isdigit() or after.text.isdigit()):
        whole = before.text.isdigit() != after.text.isdigit()
        return whole and after.x0 - before.x1 < 0.3 * tall
    return before.text == "$" and after.text.isdigit() and after.x0 - before.x1 < 0.4 * tall


def judge(row: Row, part: list[Char], own: list[Mark], word: str, labels: np.ndarray) -> list[Sign]:
    """Return the signs that characters and the marks they were read from make."""
    if len(part) == 1 and len(own) == 1:
        sign = agree(row, part[0], own[0], word)
        if sign is not None or not (part[0].text.isalnum() and is_prose(word)):
            return [sign] if sign is not None else []
        # Dirt was taken for a letter that the word needs.
        own = []
    if len(own) == 1 and is_bar(own[0], row.tall) and all(char.text in DASHES for char in part):
        return [agree(row, part[0], own[0], word)]
    prose = is_prose(word)
    if len(part) == 1 and len(own) == 2 and not prose and all(clear_alone(row, m) for m in own):
        # A digit and its point are no per cent sign.
        return [
            Sign(
                sized(m, row, m.best),
                m.x,
                m.y,
                m.right,
                m.bottom,
                False,
                0.1,
                f"read {part[0].text}",
            )
            for m in sorted(own, key=lambda mark: mark.x)
        ]
    signs = []
    left = min((mark.x for mark in own), default=0)
    right = max((mark.right for mark in own), default=0)
    breadths = [breadth(char.text) for char in part]
    width = (right - left) / sum(breadths)
    parts = (
        cut_apart(own[0], breadths, labels)
        if len(own) == 1 and len(part) > 1 and not prose
        else None
    )
    for place, char in enumerate(part):
        if own:
            share = width * breadths[place]
            box = (left, own[0].y, left + share, max(mark.bottom for mark in own))
            left += share
            text, doubt = char.text, 0.0 if prose and char.sure > 70 else 0.5
            if parts is not None:
                text, doubt = part_text(char, parts[place])
            signs.append(Sign(text, *box, False, doubt, "touching"))
        else:
            doubt = 0.1 if prose and char.sure > 85 else 0.6
            box = (char.x0, char.y0, char.x1, char.y1)
            signs.append(Sign(char.text, *box, False, doubt, "no ink"))
    return signs


def clear_alone(row: Row, mark: Mark) -> bool:
    """Return whether a mark's shape says by itself what character it is, a point included."""
    if mark.best == ".":
        return abs(mark.bottom - row.base) < 0.13 * row.tall
    if mark.best == "−":
        return mark.score > 0.5
    return mark.score > LIKELY and mark.best != JUNK


def straight(signs: list[Sign], tall: float) -> None:
    """Make the boxes of a word's signs follow each other: its order is certain, they are not.

    Ink is narrower than the place a character takes, so gaps within a word are closed; words that
    tesseract ran together are parted where the gap is wide and what comes out reads well.
    """
    behind = signs[0].x0 - 1
    for place, sign in enumerate(signs):
        if sign.why == "no ink" and place:
            sign.x0 = signs[place - 1].x1
            sign.x1 = sign.x0 + 1
        sign.x0 = max(sign.x0, behind + 1)
        sign.x1 = max(sign.x1, sign.x0 + 1)
        behind = sign.x0
    gaps = [after.x0 - sign.x1 for sign, after in itertools.pairwise(signs)]
    usual = sorted(gaps)[(len(gaps) - 1) // 2] if gaps else 0.0
    start = 0
    for place, gap in enumerate(gaps, 1):
        sign, after = signs[place - 1], signs[place]
        real = "no ink" not in (sign.why, after.why)
        left = "".join(one.text for one in signs[start:place])
        right = "".join(one.text for one in signs[place:])
        number = sign.text in "0123456789.," and after.text in "0123456789.,"
        wide = gap > usual + 0.3 * tall and not number
        if real and (
            wide or (gap > max(0.14 * tall, 2 * usual + 0.04 * tall) and parted(left, right))
        ):
            after.spaced = True
            start = place
        elif sign.text.isalnum() and after.text.isalnum() and gap < 0.42 * tall:
            sign.x1 = max(sign.x1, after.x0)


def parted(left: str, right: str) -> bool:
    """Return whether two stretches run together read like words of their own."""
    right = re.sub(r"[^\w]+$", "", right)
    if left.lower() in COMMON:
        return len(right) <= 1 or right.lower() in COMMON or is_prose(right)
    return right.lower() in COMMON and (is_prose(left) or len(left) == 1)


def speck(row: Row, char: Char, mark: Mark) -> Sign | None:
    """Return the sign of a small mark: a point, a comma, a quotation mark; None for dirt."""
    box = (mark.x, mark.y, mark.right, mark.bottom)
    stands = abs(mark.bottom - row.base) < 0.13 * row.tall
    hangs = mark.y < row.base + 0.05 * row.tall and mark.bottom > row.base + 0.08 * row.tall
    if stands or hangs:
        text = char.text if char.text in ".,:;" else "," if mark.best == "," and hangs else "."
        sure = char.text == text or mark.chance(text) > 0.8
        return Sign(text, *box, False, 0.0 if sure else 0.3, "speck")
    if mark.cy < row.base - 0.55 * row.tall and char.text in "'’‘“”\"`,°*^":
        return Sign(char.text.replace("`", "‘"), *box, False, 0.0, "speck")
    if char.text in "·•-−" and row.base - 0.6 * row.tall < mark.cy < row.base - 0.15 * row.tall:
        return Sign("·", *box, False, 0.1, "speck")
    return None


def lone(row: Row, mark: Mark) -> Sign | None:
    """Return what a mark that tesseract did not read says, or None if it may be dirt."""
    box = (mark.x, mark.y, mark.right, mark.bottom)
    if is_bar(mark, row.tall) and row.base - 0.75 * row.tall < mark.cy < row.base - 0.1 * row.tall:
        return Sign("−", *box, True, 0.05, "lone")
    small = max(mark.w, mark.h) < 0.33 * row.tall
    if small:
        if (
            mark.best == "."
            and abs(mark.bottom - row.base) < 0.1 * row.tall
            and mark.h > 0.1 * row.tall
        ):
            return Sign(".", *box, False, 0.3, "lone")
        if (
            mark.best == ","
            and -0.05 * row.tall < mark.bottom - row.base < 0.3 * row.tall
            and mark.y < row.base
        ):
            return Sign(",", *box, False, 0.3, "lone")
        return None
    if mark.best == JUNK or mark.score < 0.55:
        return None
    doubt = 1 - mark.score + 0.1
    return Sign(sized(mark, row, mark.best), *box, True, min(1.0, doubt), "lone")


def case_unclear(mark: Mark, row: Row) -> bool:
    """Return whether a letter's height is neither that of small letters nor of capitals."""
    return LOW / TALL + 0.08 < mark.h / row.tall < 0.92


def word_like(word: str) -> bool:
    """Return whether letters are a word in small letters, or one that starts with a capital."""
    bare = re.sub(r"[^A-Za-z]+", "", word)
    return is_prose(word) and len(bare) > 2 and not bare.isupper()


def agree(row: Row, char: Char, mark: Mark, word: str) -> Sign | None:
    """Return the sign of a character and the mark that it was read from, None for dirt."""
    if max(mark.w, mark.h) < 0.3 * row.tall and not is_bar(mark, row.tall):
        return speck(row, char, mark)
    box = (mark.x, mark.y, mark.right, mark.bottom)
    prose = char.text.isalpha() and is_prose(word)
    read, shape = char.text, sized(mark, row, mark.best)
    sure, score = char.sure, mark.score
    own = mark.chance(read)
    if mark.best in SYMBOLS and score > 0.85 and own < 0.1 and not word_like(word):
        return Sign(shape, *box, False, 0.0 if score > 0.95 else 0.1, f"read {read}")
    if CLASS_OF.get(read) == mark.best:
        # Case, and points that hang or stand, are told by size where no word tells.
        text = read if prose and read.isalpha() else shape
        if text in "°" and read in "oO" and prose:
            text = read
        doubt = 0.0 if sure > 50 or score > 0.8 else 0.2
        if text != read and text.swapcase() == read and case_unclear(mark, row):
            doubt = 0.3
        return Sign(text, *box, False, doubt)
    if is_bar(mark, row.tall) and read in DASHES:
        return Sign(shape if mark.best == "−" else "−", *box, False, 0.0)
    if mark.best == JUNK or score < 0.5:
        doubt = 0.0 if prose and sure > 80 else 0.1 if sure > SURE and own > 0.02 else 0.5
        return Sign(read, *box, False, doubt, "shape unclear")
    if prose:
        if twins(read, mark.best) or sure > 90 or score < LIKELY:
            return Sign(read, *box, False, 0.0 if sure > 80 else 0.3, "prose")
        return Sign(shape, *box, False, 0.5, f"prose {read}")
    if own > 0.25 and sure > 80:
        return Sign(read, *box, False, 0.15, f"shape {shape}")
    if score > LIKELY:
        doubt = 0.1 if score > 0.97 or sure < 80 else 0.4
        return Sign(shape, *box, False, doubt, f"read {read}")
    if sure > SURE and not (score > 0.8 and own < 0.05):
        return Sign(read, *box, False, 0.4, f"shape {shape}")
    return Sign(shape if score > 0.7 else read, *box, False, 0.7, f"read {read} shape {shape}")


def align(
    chars: list[Char], marks: list[Mark], tall: float
) -> tuple[list[tuple[list[Char], list[Mark]]], list[Mark]]:
    """Pair the characters of a row with its marks, in order, at the least cost.

    Args:
        chars: left to right.
        marks: in any order.
        tall: height of the row's capitals; what is further apart than that is no pair.

    Returns:
        Pairs of one to three characters with none to two marks; marks that no character fits.
    """
    marks = sorted(marks, key=lambda mark: mark.cx)
    n, m = len(chars), len(marks)
    middles = [mark.cx for mark in marks]
    reach = 2.0 * tall
    # For each character the marks that may be its own; the path stays in this band.
    low = [bisect.bisect_left(middles, char.x0 - reach) for char in chars]
    high = [bisect.bisect_right(middles, char.x1 + reach) for char in chars]
    for i in range(n - 2, -1, -1):
        low[i] = min(low[i], low[i + 1])
    for i in range(1, n):
        high[i] = max(high[i], high[i - 1])
    low, high = [*low, m], [*high, m]
    low[0] = 0
    cost: list[dict[int, float]] = [{} for _ in range(n + 1)]
    step: list[dict[int, tuple[int, int]]] = [{} for _ in range(n + 1)]
    cost[0][0] = 0.0
    for i in range(n + 1):
        here = cost[i]
        # Marks left out are stepped over within a row of the table, so go from left to right.
        j = min(here, default=m + 1)
        while j <= m:
            price = here.get(j)
            if price is None:
                j += 1
                continue
            for di, dj, more in moves(chars, marks, i, j, tall):
                a, b = i + di, j + dj
                if di and not low[a] - 3 <= b <= high[a] + 3:
                    continue
                if not di and i < n and b > high[i] + 3:
                    continue
                if price + more < cost[a].get(b, 1e9):
                    cost[a][b] = price + more
                    step[a][b] = (di, dj)
            j += 1
    pairs: list[tuple[list[Char], list[Mark]]] = []
    rest: list[Mark] = []
    i, j = n, m
    if m not in cost[n]:
        return [([char], []) for char in chars], marks
    while i or j:
        di, dj = step[i][j]
        if di == 0:
            rest.append(marks[j - 1])
        else:
            pairs.append((chars[i - di : i], marks[j - dj : j]))
        i, j = i - di, j - dj
    pairs.reverse()
    return pairs, rest


def moves(
    chars: list[Char], marks: list[Mark], i: int, j: int, tall: float
) -> list[tuple[int, int, float]]:
    """Return (characters, marks, cost) of the steps that can be taken from a place."""
    n, m = len(chars), len(marks)
    found = []
    if j < m:
        found.append((0, 1, 0.35 if max(marks[j].w, marks[j].h) < 0.3 * tall else 0.95))
    if i >= n:
        return found
    char = chars[i]
    found.append((1, 0, 0.5 if char.text in ".,'‘’`-_" else 0.95))
    if j >= m:
        return found
    mark = marks[j]
    if mark.x - char.x1 > 2 * tall or char.x0 - mark.right > 2 * tall:
        return found
    found.append((1, 1, match(char, mark, tall)))
    if j + 1 < m:
        off = abs((mark.x + marks[j + 1].right - char.x0 - char.x1) / 2)
        width = max(mark.right, marks[j + 1].right) - mark.x
        found.append((1, 2, 0.8 + away(off, tall) + misfit(width, breadth(char.text) * tall)))
    usual = breadth(char.text)
    for count in (2, 3):
        if i + count > n:
            break
        part = chars[i : i + count]
        if all(char.text in DASHES for char in part) and is_bar(mark, tall):
            found.append((count, 1, 0.1))
            continue
        if part[-1].word != char.word:
            break
        x0, x1 = char.x0, chars[i + count - 1].x1
        usual += breadth(chars[i + count - 1].text)
        if mark.w > 0.55 * usual * tall:
            off = abs(mark.x + mark.right - x0 - x1) / 2
            unclear = mark.best == JUNK or mark.score < 0.5
            base = (0.45 if unclear else 0.9) + 0.15 * (count - 2)
            found.append((count, 1, base + away(off, tall) + misfit(mark.w, usual * tall)))
    return found


def breadth(char: str) -> float:
    """Return about how wide a character is, in heights of capitals."""
    if char in "ijl1tfrI.,:;'’‘|!()[]-\"":
        return 0.4
    return 1.1 if char in "mwMW" or char in "—" else 0.95 if char.isupper() else 0.68


def misfit(width: float, usual: float) -> float:
    """Return what it costs to take something for characters of another width."""
    return min(0.5, 0.4 * abs(math.log(max(width, 1.0) / usual)))


def away(off: float, tall: float) -> float:
    """Return what it costs to take a mark for a character read elsewhere.

    Tesseract's boxes of characters are guesses where the print has gaps.
    """
    return 0.3 * min(1.5, off / tall)


def match(char: Char, mark: Mark, tall: float) -> float:
    """Return what it costs to take a mark for a character."""
    chance = mark.chance(char.text)
    if chance < 0.5 and twins(char.text, mark.best):
        chance = max(chance, 0.5)
    off = abs(mark.cx - (char.x0 + char.x1) / 2)
    wide = 0.5 * misfit(mark.w, breadth(char.text) * tall) if mark.best == JUNK else 0.0
    return 0.75 * (1 - chance) + away(off, tall) + wide
