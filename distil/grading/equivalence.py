r"""Comparison of two answers by kind, symmetric where mathematics is.

    compare_answers(r"\frac34", "0.75").same  # True

Sets are not tuples, closed intervals are not open ones, centimetres are not metres, and a decimal
equals neither an irrational number nor a fraction it only approximates. What cannot be told is a
doubt, and a doubt is never silently right or wrong. Each pair of kinds has one function, found by
the types of the two answers.
"""

import re
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

from distil.grading import arithmetic
from distil.grading.arithmetic import exact
from distil.grading.dispatch import all_same, compares, node_of, same_answer
from distil.grading.forms import parse_form, readings
from distil.grading.kinds import (
    NOT_KNOWN,
    Asked,
    Based,
    Choice,
    Clock,
    Collection,
    Matrix,
    Notes,
    Opaque,
    Quantity,
    Ratio,
    Regions,
    Relation,
    TooManyStepsError,
    Words,
)
from distil.grading.plain import Plain
from distil.grading.regions import same_region
from distil.grading.relations import assignment, is_equation, same_family, up_to_constant
from distil.grading.syntax import ONE, ZERO, Node, symbols, word_set
from distil.grading.units import VALUE, same_number, same_quantity
from distil.grading.vocabulary import OTHER_SENSE
from distil.notation.answers import clean

MATCHED_PAIRWISE = 40
LARGEST_DETERMINANT = 4
# Nouns that name the kind of a thing: "isosceles triangle" says no more than "isosceles".
_KINDS = word_set(
    "triangle triangles number numbers function angle direction quadrant day line point shape "
    "color colour option case type degrees graph curve"
)
_PERSONS = word_set("he she it they we you i his her their its will the a an by of on at angled")
_COUNTED = {
    "first": "1", "second": "2", "third": "3", "fourth": "4", "fifth": "5", "i": "1", "ii": "2",
    "iii": "3", "iv": "4", "r": "remainder",
}  # fmt: skip
_CLASSES = {
    Quantity: "number", Collection: "collection", Regions: "interval", Relation: "relation",
    Matrix: "matrix", Words: "text", Choice: "choice", Clock: "time", Ratio: "ratio", Based: "base",
    Opaque: "formula",
}  # fmt: skip


@dataclass
class Comparison:
    """The outcome of comparing two answers.

    Attributes:
        same: True, False, or None when it could not be told.
        rule: the kind of comparison that decided.
        reason: one phrase.
        deferred: a bigger parser may still decide.
        loose: equal only under a lenient reading; holds the phrase that says which.
    """

    same: bool | None
    rule: str
    reason: str
    deferred: bool = False
    loose: str = ""


# Formulas that the grammar lacks, and choices


@compares(Opaque, *_CLASSES)
def _opaque(a: Opaque, b, notes: Notes) -> bool | None:
    texts = [re.sub(r"\s+", "", form.text) for form in (a, b) if isinstance(form, Opaque)]
    if len(texts) == 2 and texts[0] and texts[0] == texts[1]:
        return True
    if not all(re.search(r"[A-Za-z0-9]", text) for text in texts) or isinstance(b, Words):
        return False
    notes.doubt("formula")
    return None


@compares(Choice, *_CLASSES)
def _choices(a: Choice, b, notes: Notes) -> bool | None:
    if isinstance(b, Choice):
        if a.letter != b.letter:
            return False
        if (
            a.value is not None
            and b.value is not None
            and same_answer(a.value, b.value, notes) is False
        ):
            notes.doubt("the letter agrees, the value does not")
            return None
        return True
    if a.value is not None:
        return same_answer(a.value, b, notes)
    if isinstance(b, Words):
        # "Quadrant I" against "I", which looks like an option's letter.
        return _bare_words(b.text) == _bare_words(a.letter.lower())
    if notes.asked.roman and a.letter == "I" and isinstance(b, Quantity) and b.node == ONE:
        return True
    return isinstance(b, Quantity) and b.node == ("sym", a.letter.lower())


# Text


def _bare_words(text: str) -> str:
    """The words of a text answer that tell it from another: no kinds, persons or endings."""
    words = []
    for word in text.split():
        word = _COUNTED.get(word, re.sub(r"^(\d+)(?:st|nd|rd|th)$", r"\1", word))
        if word in _KINDS or word in _PERSONS:
            continue
        words.append(word[:-1] if len(word) > 3 and word.endswith("s") else word)
    return " ".join(words)


def _says_just(sentence: str, said: str) -> bool:
    """Whether a sentence says one thing only: "it falls on a friday", "tom wins"."""
    if re.search(rf"{OTHER_SENSE.pattern}|\band\b", sentence.replace(said, "", 1)):
        return False
    name = re.escape(said)
    return len(sentence.split()) <= 8 and bool(
        re.search(rf"\b(?:is|are|was|were|be|on) (?:an? |the )?{name}$", sentence)
        or re.match(rf"{name} (?:is|are|was|were|will|must|wins?|won|has|true|only)\b", sentence)
    )


@compares(Words, Words)
def _texts(a: Words, b: Words, notes: Notes) -> bool | None:
    bare = [_bare_words(form.text) for form in (a, b)]
    if bare[0] == bare[1] and bare[0]:
        notes.loose.add("the kind is left out")
        return True
    for one, other in ((a.text, b.text), (b.text, a.text)):
        if _says_just(other, one):
            return True
        inside = re.search(rf"(?<!\w){re.escape(one)}(?!\w)", other)
        denied = re.search(r"\b(?:or|not|no|neither|never|either)\b", other)
        if inside and len(one) > 1 and not denied:
            notes.doubt("a text that contains the other")
            return None
    return False


@compares(Words, Quantity)
def _roman_numeral(words: Words, number: Quantity, notes: Notes) -> bool:
    """A Roman numeral against its number: "Quadrant III", "3"."""
    if not re.search(r"\b(?:ii|iii|iv)\b", words.text):
        return False
    if (
        number.unit is None
        and _key(number) is not None
        and _bare_words(words.text) == str(_key(number))
    ):
        notes.loose.add("a number for its name")
        return True
    return False


# Numbers


@compares(Quantity, Quantity)
def _quantities(a: Quantity, b: Quantity, notes: Notes) -> bool | None:
    trial = notes.aside()
    same = same_quantity(a, b, trial)
    nodes = (a.node, b.node)
    if (
        not same
        and a.unit == b.unit
        and all(map(symbols, nodes))
        and (same_family(*nodes, notes.asked) or up_to_constant(*nodes, notes.asked))
    ):
        notes.loose.add("another name or value of an arbitrary constant")
        return True
    notes.doubts |= trial.doubts
    notes.loose |= trial.loose
    return same


@compares(Based, Based)
def _two_bases(a: Based, b: Based, notes: Notes) -> bool | None:
    return a.digits == b.digits if a.base == b.base else _other_base(a.node, b.node, notes)


def _other_base(a: Node, b: Node, notes: Notes) -> bool | None:
    same = same_number(a, b, notes)
    if same:
        notes.doubt("the same number in another base")
        return None
    return same


@compares(Based, Quantity)
def _base_left_out(a: Based, b: Quantity, notes: Notes) -> bool | None:
    if b.unit is not None:
        return False
    if str(_key(b)) == a.digits and a.digits.isdigit():
        if len(a.digits) == 1:
            return True
        notes.doubt("the base is not written")
        return None
    return _other_base(a.node, b.node, notes)


@compares(Clock, Clock)
def _clocks(a: Clock, b: Clock, _: Notes) -> bool:
    def day(clock: Clock) -> set[int]:
        hour, minute = divmod(clock.minutes, 60)
        if clock.half:
            return {(hour % 12 + (12 if clock.half == "pm" else 0)) * 60 + minute}
        if hour >= 13 or hour == 0:
            return {hour % 24 * 60 + minute}
        return {hour % 12 * 60 + minute, (hour % 12 + 12) * 60 + minute}

    return bool(day(a) & day(b))


# Several answers


def _key(form) -> Fraction | None:
    if isinstance(form, Quantity) and form.unit is None:
        try:
            return exact(form.node)
        except ArithmeticError:
            return None
    return None


def _distinct(items: list, notes: Notes) -> list:
    kept: list = []
    for item in items:
        if not any(
            item == other or (len(items) <= 12 and same_answer(item, other, notes.aside()))
            for other in kept
        ):
            kept.append(item)
    return kept


def _unordered(first: list, second: list, as_sets: bool, notes: Notes) -> bool | None:
    keys = [[_key(item) for item in items] for items in (first, second)]
    if None not in keys[0] and None not in keys[1] and not notes.asked.tolerance:
        return set(keys[0]) == set(keys[1]) if as_sets else Counter(keys[0]) == Counter(keys[1])
    if as_sets:
        first, second = _distinct(first, notes), _distinct(second, notes)
    if len(first) != len(second):
        return False
    if len(first) > MATCHED_PAIRWISE:
        notes.doubt("long list")
        return None
    table = [[same_answer(item, other, notes) for other in second] for item in first]
    free = set(range(len(second)))
    for row in table:
        match = next((place for place in sorted(free) if row[place]), None)
        free.discard(match)
    if not free:
        return True
    # Something that equals nothing on the other side, seen from either side, settles it.
    columns = list(zip(*table, strict=True))
    return False if any(set(line) == {False} for line in [*table, *columns]) else None


def _assignments(items: tuple) -> list[tuple[str, Plain]] | None:
    found = [assignment(item) for item in items]
    if not found or None in found:
        return None
    return [(item[0], item[2][-1]) for item in found]


def _values(form: Collection) -> Collection:
    """A collection of equations as its values: "x = 3, y = 4" in the order of the names."""
    named = _assignments(form.items)
    if named is None:
        return form
    names = [name for name, _ in named]
    if len(set(names)) == len(names) and len(names) > 1:
        values = (parse_form(value) for _, value in sorted(named, key=lambda item: item[0]))
        return Collection("named", tuple(values))
    if len(set(names)) == 1:
        return Collection(form.kind, tuple(parse_form(value) for _, value in named))
    return form


@compares(Collection, Collection)
def _two_collections(a: Collection, b: Collection, notes: Notes) -> bool | None:
    if {a.kind, b.kind} & {"dots", "endless"}:
        return _sequences(a, b, notes) if a.kind == b.kind else False
    items = [item for form in (a, b) for item in form.items]
    if any(
        isinstance(item, Regions) or (isinstance(item, Relation) and not is_equation(item))
        for item in items
    ):
        same = same_region(a, b)
        if same is not None:
            return same
    return _collections(a, b, notes)


def _sequences(a: Collection, b: Collection, notes: Notes) -> bool | None:
    """Sequences such as 1, 4, ..., n^2: the same last term, which also gives the terms shown."""
    last = None if a.kind == "endless" else -1
    if last is not None and not (same := same_answer(a.items[-1], b.items[-1], notes)):
        return same
    if not all(isinstance(item, Quantity) for item in (*a.items, *b.items)):
        notes.doubt("a sequence of which other terms are shown")
        return None
    shown = [[item.node for item in form.items[:last]] for form in (a, b)]
    if not all(same_number(x, y, notes) for x, y in zip(*shown, strict=False)):
        return False
    short, long = sorted(shown, key=len)
    if len(short) == len(long) or _goes_on(short, long, last and a.items[-1].node):
        return True
    notes.doubt("a sequence of which other terms are shown")
    return None


def _goes_on(short: list[Node], long: list[Node], last: Node | None) -> bool:
    """Whether the shorter start of a sequence goes on as the longer one does.

    The formula of the last term tells, else equal steps.
    """
    names = symbols(last) if last else frozenset()
    if last and len(names) == 1:
        places = range(1, len(long) + 1)
        name = next(iter(names))
        terms = [arithmetic.substitute(last, name, Fraction(place)) for place in places]
    elif len(short) > 1:
        step = ("add", short[1], ("neg", short[0]))
        numbers = [("num", Fraction(place)) for place in range(len(long))]
        terms = [("add", short[0], ("mul", number, step)) for number in numbers]
    else:
        return False
    return all(arithmetic.same_value(x, y) for x, y in zip(long, terms, strict=True))


def _collections(a: Collection, b: Collection, notes: Notes) -> bool | None:
    if a.kind != "tuple" and b.kind != "tuple":
        named = [_assignments(form.items) for form in (a, b)]
        if named[0] and named[1]:
            names = [Counter(name for name, _ in side) for side in named]
            if names[0] != names[1]:
                return False
            if all(count == 1 for count in names[0].values()):
                values = [
                    [value for _, value in sorted(side, key=lambda x: x[0])] for side in named
                ]
                pairs = zip(*values, strict=True)
                return all_same(same_answer(parse_form(x), parse_form(y), notes) for x, y in pairs)
    a, b = (_flat(_values(form)) for form in (a, b))
    kinds = {a.kind, b.kind}
    if not kinds & {"tuple", "named"}:
        return _unordered(list(a.items), list(b.items), "set" in kinds, notes)
    if len(a.items) != len(b.items) or any(_several_values(form) for form in (a, b)):
        return False
    if kinds & {"set", "or", "and"}:
        if "named" not in kinds or "tuple" in kinds:
            return False
        # Named values against a plain list joined by a word: any order.
        return _unordered(list(a.items), list(b.items), False, notes)
    same = all_same(same_answer(x, y, notes) for x, y in zip(a.items, b.items, strict=True))
    if kinds == {"tuple"} and a.brackets != b.brackets and same:
        notes.doubt("other brackets")
        return None
    if same and "list" in kinds:
        notes.loose.add("a list for a tuple")
    return same


def _several_values(form: Collection) -> bool:
    """Whether a list is one variable's values: "x = 1, 2"."""
    named = [assignment(item) is not None for item in form.items]
    return form.kind == "list" and named[:1] == [True] and not any(named[1:])


def _flat(form: Collection) -> Collection:
    if form.kind in {"tuple", "named"}:
        return form
    items: list = []
    for item in form.items:
        if isinstance(item, Collection) and item.kind in {"list", "or", "and"}:
            items.extend(item.items)
        elif (
            (assigned := assignment(item))
            and isinstance(inner := parse_form(assigned[2][-1]), Collection)
            and inner.kind == "list"
        ):
            items.extend(inner.items)
        else:
            items.append(item)
    return Collection(form.kind, tuple(items), form.brackets)


@compares(Collection, Words)
def _letters(form: Collection, words: Words, _: Notes) -> bool:
    """Several options: "A, C" against "AC"."""
    letters = "".join(
        item.letter.lower() for item in form.items if isinstance(item, Choice) and not item.value
    )
    ordered = "".join(sorted(set(words.text)))
    return len(letters) == len(form.items) and words.text == ordered == "".join(sorted(letters))


@compares(Collection, Quantity, Clock, Ratio, Based)
def _one_of_two_forms(form: Collection, other, notes: Notes) -> bool | None:
    """One value against "3/4 or 0.75", whose parts are the same value."""
    if form.kind != "or" or len(form.items) > 3:
        return False
    results = [same_answer(item, other, notes.aside()) for item in form.items]
    return all(results)


# Regions, ratios, matrices


@compares(Regions, *_CLASSES)
def _regions(a: Regions, b, _: Notes) -> bool:
    return same_region(a, b) or False


def _as_ratio(form) -> Ratio | None:
    if isinstance(form, Ratio):
        return form
    if isinstance(form, Clock) and not form.half:
        hour, minute = divmod(form.minutes, 60)
        return Ratio((("num", Fraction(hour)), ("num", Fraction(minute))))
    if isinstance(form, Words) and (found := re.fullmatch(r"(\S+) to (\S+)", form.text)):
        nodes = [node_of(Plain(part)) for part in found.groups()]
        return None if None in nodes else Ratio(tuple(nodes))
    return None


@compares(Ratio, Ratio, Clock, Words, Quantity)
def _ratios(a: Ratio, other, notes: Notes) -> bool | None:
    if isinstance(other, Quantity):
        if other.unit is not None or len(a.parts) != 2:
            return False
        return same_number(("div", *a.parts), other.node, notes)
    b = _as_ratio(other)
    if b is None or len(a.parts) != len(b.parts):
        return False
    if arithmetic.same_value(a.parts[0], ZERO) is not False:
        return all_same(same_number(x, y, notes) for x, y in zip(a.parts, b.parts, strict=True))
    return all_same(
        same_number(("mul", x, b.parts[0]), ("mul", y, a.parts[0]), notes)
        for x, y in zip(a.parts[1:], b.parts[1:], strict=True)
    )


@compares(Matrix, Matrix)
def _matrices(a: Matrix, b: Matrix, notes: Notes) -> bool | None:
    if a.bars and b.bars:
        return _all_quantities([_determinant(form) for form in (a, b)], notes)
    if a.bars != b.bars:
        notes.doubt("a determinant against a matrix")
        return None
    if len(a.rows) != len(b.rows) or len(a.rows[0]) != len(b.rows[0]):
        return False
    return all_same(
        same_number(x, y, notes)
        for row, other in zip(a.rows, b.rows, strict=True)
        for x, y in zip(row, other, strict=True)
    )


def _all_quantities(nodes: list[Node | None], notes: Notes) -> bool | None:
    if None in nodes:
        notes.doubt("formula")
        return None
    return same_number(*nodes, notes)


def _determinant(matrix: Matrix) -> Node | None:
    """The determinant as an expression, expanded by the first row; None if it is too large."""
    rows = matrix.rows
    if len(rows) != len(rows[0]) or len(rows) > LARGEST_DETERMINANT:
        return None
    if len(rows) == 1:
        return rows[0][0]
    result: Node = ZERO
    for column, cell in enumerate(rows[0]):
        minor = tuple(row[:column] + row[column + 1 :] for row in rows[1:])
        term = ("mul", cell, _determinant(Matrix(minor)))
        result = ("add", result, ("neg", term) if column % 2 else term)
    return result


@compares(Matrix, Quantity)
def _matrix_against(matrix: Matrix, other: Quantity, notes: Notes) -> bool | None:
    """A determinant against its value, or a square matrix against a multiple of I, such as -I."""
    size = len(matrix.rows)
    if matrix.bars:
        return False if other.unit else _all_quantities([_determinant(matrix), other.node], notes)
    if symbols(other.node) != {"I"} or len(matrix.rows[0]) != size:
        return False
    scale = arithmetic.substitute(other.node, "I", Fraction(1))
    if not arithmetic.same_value(other.node, ("mul", scale, ("sym", "I"))):
        return False
    return all_same(
        same_number(cell, scale if place == column else ZERO, notes)
        for place, row in enumerate(matrix.rows)
        for column, cell in enumerate(row)
    )


@compares(Matrix, Collection)
def _vectors(matrix: Matrix, other: Collection, notes: Notes) -> bool | None:
    if other.kind not in {"tuple", "list"} or (len(matrix.rows) > 1 and len(matrix.rows[0]) > 1):
        return False
    if matrix.bars:
        notes.doubt("formula")
        return None
    cells = tuple(Quantity(cell) for row in matrix.rows for cell in row)
    same = _collections(Collection("tuple", cells, "()"), other, notes)
    if same:
        notes.loose.add("a tuple for a matrix")
    return same


def same_form(a, b, asked: Asked = NOT_KNOWN) -> bool | None:
    """Whether two parsed answers are the same; None if it cannot be told."""
    try:
        return same_answer(a, b, Notes(asked))
    except TooManyStepsError:
        return None


def compare_answers(
    gold: str, answer: str, asked: Asked = NOT_KNOWN, *, latex: bool = False
) -> Comparison:
    """Compare two answers.

    Args:
        gold: the key's answer.
        answer: the answer extracted from an output.
        asked: what the question tells about the answer.
        latex: the answer stood in a formula.

    Returns:
        The comparison; `deferred` marks a doubt that a bigger parser may resolve.
    """
    wanted, given = clean(gold), clean(answer)
    if not wanted:
        return Comparison(None, "none", "the key is empty")
    if not given:
        return Comparison(False, "none", "the answer is empty")
    if re.sub(r"\s", "", wanted) == re.sub(r"\s", "", given) and re.search(r"\w", wanted):
        return Comparison(True, "same text", "the same text")
    first = readings(gold, asked.variables, latex)
    second = readings(answer, asked.variables, latex)
    rule = _CLASSES.get(type(first[0]), "number")
    notes = Notes(asked)
    for place, one in enumerate(first):
        for other_place, other in enumerate(second):
            # Two lists that could both be numbers are compared as numbers only.
            if place and other_place:
                continue
            trial = notes.aside()
            try:
                same = same_answer(one, other, trial)
            except TooManyStepsError:
                return Comparison(None, rule, "too many parts to compare")
            if same:
                loose = "; ".join(sorted(trial.loose))
                return Comparison(True, rule, f"equal as {rule}", loose=loose)
            if same is None:
                notes.doubts |= trial.doubts or {"formula"}
    if notes.doubts:
        deferred = "formula" in notes.doubts and notes.doubts <= {"formula", VALUE}
        return Comparison(None, rule, "; ".join(sorted(notes.doubts)), deferred=deferred)
    return Comparison(False, rule, f"not equal as {rule}")
