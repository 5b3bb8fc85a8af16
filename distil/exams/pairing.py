"""Which answer list of a key belongs to which test of a paper, and whether an answer fits.

    keyed = pair_lists(lists, passages)
    keyed[0, "7"]  # the answer of problem 7 of the first test

A wrong answer is worse than none: a pairing that neither repeated statements nor lengths prove is
flagged (`order`, `count`), and so is an answer that cannot be what its problem asks for
(`doubtful`). The flags reach rows as key_order, key_count and key_doubtful.
"""

from __future__ import annotations

import re
from fractions import Fraction

from distil.exams.keys import Answer, AnswerList
from distil.exams.segmentation import Passage

# Written-out solutions repeat .8 to 1 of their problem's words; two problems share some .3.
REPEATS = 0.6
APART = 0.2
TOKEN = re.compile(r"[^\W_]+")
# Prose in an answer. Units and the few words that answers are made of are none.
WORD = re.compile(r"(?<!\\)\b[A-Za-z]{2,}")
USUAL = re.compile(
    r"(?:or|and|none|no|yes|true|false|solutions?|real|numbers?|degrees?|infinite(?:ly)?|many|all"
    r"|units?|square|cubic|inches|inch|feet|foot|miles?|hours?|minutes?|seconds?|cm|mm|km|meters?"
    r"|dollars?|cents?|percent|days?|years?|the|of|ways?|impossible|does|not|exist|exists|pm|am"
    r"|frac|sqrt|pi|cdot|times|log|ln|sin|cos|tan|sec|csc|cot|to|in|if|per|an?|is|only|odd|even)",
    re.I,
)
LEADING = re.compile(
    r"\b(?:thus|therefore|hence|because|since|then|we|which|that|so|where|there(?:fore)?|this"
    r"|have|get|let|note|proof|prove|solution|answer)\b",
    re.I,
)
MOST_WORDS = 4
TUPLE = re.compile(
    r"\b(?:the|an?)\s+(?:ordered\s+)?(?P<name>pair|triple|quadruple|triplet)\b", re.I
)
# "Find all real values of x", "Determine, with proof, all pairs"; "for all x" asks for nothing.
ALL = re.compile(
    r"\b(?:find|determine|list|give|state|name|identify|compute|solve for|(?:what|which) are)"
    r"(?:,? with proof,?)?\s+(?:the\s+)?(?:set of\s+)?all\s+(?:of\s+)?(?:the\s+)?"
    r"(?:[A-Za-z-]+\s+){0,4}?"
    r"(?:(?:pair|triple|quadruple|triplet)s|values|solutions|integers|numbers|roots|zeros"
    r"|primes|points|functions|polynomials|sets|angles|[a-z])\b(?!\()",
    re.I,
)
PARTS = {"pair": 2, "triple": 3, "triplet": 3, "quadruple": 4}
COUNTS = re.compile(r"\bhow many\b|\b(?:number|sum|product|total)\s+of\b", re.I)
CHANCE = re.compile(r"\b(?:what|find|compute|determine|calculate)\b[^.?]*\bprobability\b", re.I)
OTHER_FORM = re.compile(
    r"\bexpress|\bwritten|\bwrite|\bform\b|\brelatively prime|\blowest terms|\bm\s*\+\s*n\b"
    r"|%|percent|\bin terms of\b",
    re.I,
)
# `5,75` is a decimal in most of Europe, and two answers elsewhere; `(5,75)` is a pair.
DECIMAL_COMMA = re.compile(r"(?<![\d,])\d+,\d{1,2}(?![\d,])")
BRACKETED = re.compile(r"\([^()]*\)|\\\{[^{}]*\\\}")
OPEN_END = re.compile(r"[-+=<>,(\[{^_/]$|\\(?:cdot|times|frac|leq|geq)$")


def pair_lists(lists: list[AnswerList], passages: list[Passage]) -> dict[tuple[int, str], Answer]:
    """Return the answers of a key by test and number.

    Args:
        lists: from `keys.read_key`.
        passages: the problems of all tests.

    Returns:
        Answers with flags where the pairing is not proven.
    """
    tests: dict[int, dict[str, Passage]] = {}
    for passage in passages:
        tests.setdefault(passage.section, {}).setdefault(passage.label, passage)
    repeated = {
        (place, section): repetition(found, test)
        for place, found in enumerate(lists)
        for section, test in tests.items()
    }
    pairs: dict[int, int] = {}  # section by place of the list
    for place in range(len(lists)):
        ranked = sorted(tests, key=lambda section: -repeated[place, section])
        best = repeated[place, ranked[0]]
        rest = repeated[place, ranked[1]] if len(ranked) > 1 else 0.0
        if best >= REPEATS and best >= rest + APART and ranked[0] not in pairs.values():
            pairs[place] = ranked[0]
    proven = set(pairs)
    free_lists = [place for place in range(len(lists)) if place not in pairs]
    free_tests = [section for section in tests if section not in pairs.values()]
    doubtful = pair_in_order(free_lists, free_tests, lists, tests, pairs)
    keyed: dict[tuple[int, str], Answer] = {}
    for place, section in pairs.items():
        flags = set()
        if place in doubtful:
            flags.add("order")
        if place not in proven and not fits(lists[place], tests[section]):
            flags.add("count")
        for label, answer in lists[place].answers.items():
            answer.flags |= flags
            keyed.setdefault((section, label), answer)
    return keyed


def pair_in_order(
    free_lists: list[int],
    free_tests: list[int],
    lists: list[AnswerList],
    tests: dict[int, dict[str, Passage]],
    pairs: dict[int, int],
) -> set[int]:
    """Add pairs in the order of lists and tests; return the lists whose pair is not proven.

    As many lists as tests, each as long as its test, prove each other. Otherwise a list goes to the
    next test of its length, and only where none has it to the next test at all.
    """
    even = len(free_lists) == len(free_tests)
    if even and all(
        fits(lists[place], tests[section])
        for place, section in zip(free_lists, free_tests, strict=True)
    ):
        pairs.update(zip(free_lists, free_tests, strict=True))
        return set()
    doubtful = set()
    waiting = list(free_tests)
    for turn, place in enumerate(free_lists):
        alike = [section for section in waiting if fits(lists[place], tests[section])]
        if alike:
            section = alike[0]
        elif even and free_tests[turn] in waiting:
            section = free_tests[turn]
        elif waiting:
            section = waiting[0]
        else:
            break
        pairs[place] = section
        waiting.remove(section)
        if len(free_lists) > 1 or len(free_tests) > 1:
            doubtful.add(place)
    return doubtful


def repetition(found: AnswerList, test: dict[str, Passage]) -> float:
    """Return how much of a test's statements a list's solutions repeat, 0 to 1."""
    shares = []
    for label, text in found.texts.items():
        passage = test.get(label)
        if passage is None:
            continue
        asked = set(TOKEN.findall(statement_of(passage).lower()))
        if len(asked) >= 4:
            shares.append(len(asked & set(TOKEN.findall(text.lower()))) / len(asked))
    return sum(shares) / len(found.texts) if shares else 0.0


def statement_of(passage: Passage) -> str:
    """Return a problem's text without its number."""
    return " ".join(line.text for line in passage.lines)[passage.cut :]


def fits(found: AnswerList, test: dict[str, Passage]) -> bool:
    """Return whether a list has the numbers of a test, tie-breakers left aside."""

    def numbers(labels: list[str]) -> set[str]:
        return {label for label in labels if not label.startswith("T")}

    return numbers(found.labels) == numbers(list(test))


def is_doubtful(statement: str, answer: str) -> bool:
    """Return whether an answer cannot be, as it stands, what a problem asks for.

    Args:
        statement: of the problem.
        answer: as the key prints it.
    """
    return (
        is_prose(answer)
        or repeats(statement, answer)
        or bool(OPEN_END.search(answer))
        or misses_parts(statement, answer)
        or is_one_of_all(statement, answer)
        or is_no_chance(statement, answer)
        or bool(DECIMAL_COMMA.search(BRACKETED.sub("", answer)))
    )


def is_prose(answer: str) -> bool:
    """Return whether an answer is a piece of a sentence rather than a result."""
    text = re.sub(r"\\(?:text|mathrm|operatorname)\s*\{", "{", answer)
    words = [word for word in WORD.findall(text) if not USUAL.fullmatch(word)]
    return len(words) > MOST_WORDS or bool(words and LEADING.search(text))


def repeats(statement: str, answer: str) -> bool:
    """Return whether an answer is the problem once more, as where a proof is asked for.

    Or its first words: a key that goes over the problems again has no other answer there.
    """
    said = TOKEN.findall(answer.lower())
    asked = TOKEN.findall(statement.lower())
    if len(said) > 1 and said == asked[: len(said)] and WORD.search(answer):
        return True
    asked = set(asked)
    return len(said) >= 8 and sum(1 for token in said if token in asked) > 0.8 * len(said)


def misses_parts(statement: str, answer: str) -> bool:
    """Return whether a problem asks for one pair (triple ...) and the answer has fewer parts."""
    asked = TUPLE.search(statement)
    if not asked or COUNTS.search(statement) or "boxed" in answer:
        return False
    least = PARTS[asked["name"].lower()] - 1
    return answer.count(",") + len(re.findall(r"\band\b|=", answer)) < least


def is_one_of_all(statement: str, answer: str) -> bool:
    """Return whether a problem asks for all solutions and the answer is a single number.

    It may be right, where there is one solution; of pairs and the like it cannot be.
    """
    if not ALL.search(statement) or COUNTS.search(statement):
        return False
    return number_of_text(re.sub(r"^\s*[A-Za-z]\s*=", "", answer)) is not None


def is_no_chance(statement: str, answer: str) -> bool:
    """Return whether a problem asks for a probability and the answer is beyond 0 to 1."""
    if not CHANCE.search(statement) or OTHER_FORM.search(statement) or "%" in answer:
        return False
    value = number_of_text(answer)
    return value is not None and not 0 <= value <= 1


def number_of_text(text: str) -> Fraction | None:
    r"""Return the number that a text is, as 5, -0.5, 3/8 or \frac{3}{8}; None: something else."""
    match = re.fullmatch(
        r"(?P<sign>-?)(?:\\[dt]?frac\{(?P<a>\d+)\}\{(?P<b>\d+)\}|(?P<c>\d+)/(?P<d>\d+)"
        r"|(?P<e>\d+(?:\.\d+)?))\.?",
        re.sub(r"\s", "", text),
    )
    if not match:
        return None
    if match["e"]:
        value = Fraction(match["e"])
    else:
        top, bottom = (match["a"], match["b"]) if match["a"] else (match["c"], match["d"])
        if int(bottom) == 0:
            return None
        value = Fraction(int(top), int(bottom))
    return -value if match["sign"] else value
