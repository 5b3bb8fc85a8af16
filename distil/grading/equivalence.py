r"""Do two answers say the same? Comparison by kind, symmetric where mathematics is.

Sets are not tuples, closed intervals are not open ones, centimetres are not metres, and a decimal
equals neither an irrational number nor a fraction it only approximates. What cannot be told is a
doubt, and a doubt is never silently right or wrong.
"""

import re
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

from distil.grading import arithmetic
from distil.grading.forms import is_function_head, parse_form, readings
from distil.grading.kinds import (
    Based,
    Choice,
    Clock,
    Collection,
    Matrix,
    Opaque,
    Quantity,
    Ratio,
    Regions,
    Relation,
    Words,
)
from distil.grading.measures import (
    VALUE,
    Notes,
    TooManyStepsError,
    same_number,
    same_quantity,
)
from distil.grading.rationals import exact
from distil.grading.regions import same_region
from distil.grading.syntax import (
    Node,
    NotUnderstoodError,
    parse_expression,
    symbols,
    word_set,
)
from distil.grading.vocabulary import plain_words
from distil.notation.answers import clean, join_thousands

_MATCHED_PAIRWISE = 40
_INEQUALITIES = frozenset({"<", ">", "<=", ">=", "!=", "in"})
# Nouns that name the kind of a thing: "isosceles triangle" says no more than "isosceles".
_KINDS = word_set(
    "triangle triangles number numbers function angle direction quadrant day line point shape "
    "color colour option case type degrees graph curve"
)
_PERSONS = word_set("he she it they we you i his her their its will the a an by of on at angled")
_COUNTED = {
    "first": "1", "second": "2", "third": "3", "fourth": "4", "fifth": "5", "ii": "2", "iii": "3",
    "iv": "4", "r": "remainder",
}  # fmt: skip
_OTHER_SENSE = re.compile(
    r"\b(?:not|no|never|neither|nor|or|and|if|unless|but|before|after|than|except|instead|false|"
    r"wrong|maybe|could|might|cannot)\b"
)
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


def _all(results) -> bool | None:
    doubt = False
    for result in results:
        if result is False:
            return False
        doubt = doubt or result is None
    return None if doubt else True


def _label(member: str) -> tuple[str, bool]:
    """The name that an equation's first member gives, and whether it is a single variable."""
    if re.search(r"\b(?:not|no|never)\b|\\to(?![a-z])|\u2192", member):
        return "", False
    if is_function_head(member):
        return member.replace(" ", ""), False
    try:
        node = parse_expression(member)
    except NotUnderstoodError:
        return plain_words(member), False
    return (node[1], True) if node[0] == "sym" else ("", False)


def _is_equation(form: Relation) -> bool:
    return not _INEQUALITIES & set(form.operators)


def _assignment(form) -> tuple[str, bool, tuple[str, ...]] | None:
    """(label, is a variable, values) of an equation that names a value."""
    if not isinstance(form, Relation) or not _is_equation(form):
        return None
    label, variable = _label(form.members[0])
    if label:
        return label, variable, form.members[1:]
    if len(form.members) == 2:
        label, variable = _label(form.members[1])
        if label and variable and not symbols(_node(form.members[0]) or ("sym", "?")):
            return label, variable, form.members[:1]
    return None


def _node(text: str) -> Node | None:
    try:
        return parse_expression(text)
    except NotUnderstoodError:
        return None


def _precision(member: str, rough: bool) -> float:
    """Half a unit of the last digit of a decimal, which may be rounded; 0 for what is exact."""
    found = re.fullmatch(r"-?\d*(?:\.(\d*))?", re.sub(r"\s|\\text\s*\{.*$", "", member))
    if not found or not (found[1] or rough):
        return 0.0
    return 0.5 * 10.0 ** -len(found[1] or "")


def _chain(other, members: tuple[str, ...], notes: Notes, rough: bool) -> bool | None:
    """Whether an answer is a member of a chain of equal values that does not contradict itself.

    Decimals in the chain may be rounded values of the others; whole numbers only if the chain has
    a sign for that (`rough`).
    """
    forms = [parse_form(join_thousands(member)) for member in members]
    results = [_same(other, form, notes) for form in forms]
    if True not in results:
        return None if None in results else False
    constant = [isinstance(form, Quantity) and not symbols(form.node) for form in forms]
    if isinstance(other, Quantity) and symbols(other.node) and any(constant):
        notes.doubt("an equation for an expression")
        return None
    place = results.index(True)
    matched, slack = forms[place], _precision(members[place], rough)
    for form, member, plain in zip(forms, members, constant, strict=True):
        if not plain or not isinstance(matched, Quantity) or _same(matched, form, notes.aside()):
            continue
        sizes = [arithmetic.approximately(quantity.node) for quantity in (matched, form)]
        allowed = slack + _precision(member, rough)
        if None in sizes or abs(sizes[0] - sizes[1]) > allowed * (1 + 1e-9):
            notes.doubt("a chain of unequal values")
            return None
    return True


def _equations(a: Relation, b: Relation, notes: Notes) -> bool | None:
    first, second = _assignment(a), _assignment(b)
    if first and second:
        if first[0] == second[0] or not (first[1] and second[1]):
            target = parse_form(first[2][-1])
            return _chain(target, second[2], notes, "~" in b.operators)
        constant = [not symbols(_node(side[2][-1]) or ("sym", "?")) for side in (first, second)]
        if all(constant):
            return False
    sides = []
    for form in (a, b):
        left, right = _node(form.members[0]), _node(form.members[-1])
        if left is None or right is None or len(form.members) > 3:
            notes.doubt("formula")
            return None
        sides.append(("add", left, ("neg", right)))
    same, _ = arithmetic.proportional(*sides)
    if same is None:
        notes.doubt(VALUE)
    return same


def _inequalities(a: Relation, b: Relation, notes: Notes) -> bool | None:
    if len(a.members) == len(b.members) == 2:
        nodes = [_node(member) for member in (*a.members, *b.members)]
        if None not in nodes:
            first = ("add", nodes[0], ("neg", nodes[1]))
            second = ("add", nodes[2], ("neg", nodes[3]))
            same, sign = arithmetic.proportional(first, second)
            flipped = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}
            if same and sign:
                operator = (
                    b.operators[0] if sign > 0 else flipped.get(b.operators[0], b.operators[0])
                )
                return operator == a.operators[0]
            if same is False and all(len(symbols(side)) > 1 for side in (first, second)):
                return False
    if _variables(a) != _variables(b):
        return False
    same = same_region(a, b)
    if same is None:
        notes.doubt("formula")
    return same


def _variables(form: Relation) -> frozenset[str]:
    nodes = [_node(member) for member in form.members]
    return frozenset().union(*(symbols(node) for node in nodes if node is not None))


def _relations(a: Relation, b: Relation, notes: Notes) -> bool | None:
    if _is_equation(a) and _is_equation(b):
        return _equations(a, b, notes)
    if _is_equation(a) != _is_equation(b):
        return same_region(a, b) or False
    for one, other in ((a, b), (b, a)):
        if one.operators[-1] == "in" and other.operators[-1] == "in":
            region, other_region = (parse_form(form.members[-1]) for form in (one, other))
            return one.members[0] == other.members[0] and _same(region, other_region, notes)
        if one.operators[-1] == "in":
            return _same(parse_form(one.members[-1]), other, notes)
    return _inequalities(a, b, notes)


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
            item == other or (len(items) <= 12 and _same(item, other, notes.aside()))
            for other in kept
        ):
            kept.append(item)
    return kept


def _unordered(first: list, second: list, as_sets: bool, notes: Notes) -> bool | None:
    keys = [[_key(item) for item in items] for items in (first, second)]
    if None not in keys[0] and None not in keys[1]:
        return set(keys[0]) == set(keys[1]) if as_sets else Counter(keys[0]) == Counter(keys[1])
    if as_sets:
        first, second = _distinct(first, notes), _distinct(second, notes)
    if len(first) != len(second):
        return False
    if len(first) > _MATCHED_PAIRWISE:
        notes.doubt("long list")
        return None
    table = [[_same(item, other, notes) for other in second] for item in first]
    free = set(range(len(second)))
    for row in table:
        match = next((place for place in sorted(free) if row[place]), None)
        free.discard(match)
    if not free:
        return True
    # Something that equals nothing on the other side, seen from either side, settles it.
    columns = list(zip(*table, strict=True))
    return False if any(set(line) == {False} for line in [*table, *columns]) else None


def _assignments(items: tuple) -> list[tuple[str, str]] | None:
    found = [_assignment(item) for item in items]
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
        return Collection("named", tuple(parse_form(value) for _, value in sorted(named)))
    if len(set(names)) == 1:
        return Collection(form.kind, tuple(parse_form(value) for _, value in named))
    return form


def _collections(a: Collection, b: Collection, notes: Notes) -> bool | None:
    if a.kind != "tuple" and b.kind != "tuple":
        named = [_assignments(form.items) for form in (a, b)]
        if named[0] and named[1]:
            names = [Counter(name for name, _ in side) for side in named]
            if names[0] != names[1]:
                return False
            if all(count == 1 for count in names[0].values()):
                pairs = zip(sorted(named[0]), sorted(named[1]), strict=True)
                return _all(_same(parse_form(x[1]), parse_form(y[1]), notes) for x, y in pairs)
    flattened = [_flat(_values(form)) for form in (a, b)]
    a, b = flattened
    kinds = {a.kind, b.kind}
    if "tuple" in kinds or "named" in kinds:
        if len(a.items) != len(b.items):
            return False
        if any(_several_values(form) for form in (a, b)):
            return False
        if kinds & {"set", "or", "and"}:
            return _relaxed_and(a, b, notes) if "named" in kinds and "tuple" not in kinds else False
        same = _all(_same(x, y, notes) for x, y in zip(a.items, b.items, strict=True))
        if kinds == {"tuple"} and a.brackets != b.brackets and same:
            notes.doubt("other brackets")
            return None
        if same and "list" in kinds:
            notes.loose.add("a list for a tuple")
        return same
    return _unordered(list(a.items), list(b.items), "set" in kinds, notes)


def _relaxed_and(a: Collection, b: Collection, notes: Notes) -> bool | None:
    """Named values against a plain list joined by a word: any order."""
    return _unordered(list(a.items), list(b.items), False, notes)


def _several_values(form: Collection) -> bool:
    """Whether a list is one variable's values: "x = 1, 2"."""
    named = [_assignment(item) is not None for item in form.items]
    return form.kind == "list" and named[:1] == [True] and not any(named[1:])


def _flat(form: Collection) -> Collection:
    if form.kind in {"tuple", "named"}:
        return form
    items: list = []
    for item in form.items:
        if isinstance(item, Collection) and item.kind in {"list", "or", "and"}:
            items.extend(item.items)
        elif (
            (assigned := _assignment(item))
            and isinstance(inner := parse_form(assigned[2][-1]), Collection)
            and inner.kind == "list"
        ):
            items.extend(inner.items)
        else:
            items.append(item)
    return Collection(form.kind, tuple(items), form.brackets)


def _clocks(a: Clock, b: Clock) -> bool:
    def day(clock: Clock) -> set[int]:
        hour, minute = divmod(clock.minutes, 60)
        if clock.half:
            return {(hour % 12 + (12 if clock.half == "pm" else 0)) * 60 + minute}
        if hour >= 13 or hour == 0:
            return {hour % 24 * 60 + minute}
        return {hour % 12 * 60 + minute, (hour % 12 + 12) * 60 + minute}

    return bool(day(a) & day(b))


def _as_ratio(form) -> Ratio | None:
    if isinstance(form, Ratio):
        return form
    if isinstance(form, Clock) and not form.half:
        hour, minute = divmod(form.minutes, 60)
        return Ratio((("num", Fraction(hour)), ("num", Fraction(minute))))
    if isinstance(form, Quantity) and form.unit is None:
        return Ratio((form.node, ("num", Fraction(1))))
    if isinstance(form, Words) and (found := re.fullmatch(r"(\S+) to (\S+)", form.text)):
        nodes = [_node(part) for part in found.groups()]
        return None if None in nodes else Ratio(tuple(nodes))
    return None


def _ratios(a: Ratio, b: Ratio, notes: Notes) -> bool | None:
    if len(a.parts) != len(b.parts):
        return False
    if arithmetic.same_value(a.parts[0], ("num", Fraction(0))) is not False:
        return _all(same_number(x, y, notes) for x, y in zip(a.parts, b.parts, strict=True))
    return _all(
        same_number(("mul", x, b.parts[0]), ("mul", y, a.parts[0]), notes)
        for x, y in zip(a.parts[1:], b.parts[1:], strict=True)
    )


def _matrices(a: Matrix, b: Matrix, notes: Notes) -> bool | None:
    if a.bars != b.bars:
        notes.doubt("formula")
        return None
    if len(a.rows) != len(b.rows) or len(a.rows[0]) != len(b.rows[0]):
        return False
    return _all(
        same_number(x, y, notes)
        for row, other in zip(a.rows, b.rows, strict=True)
        for x, y in zip(row, other, strict=True)
    )


def _identity(matrix: Matrix, other: Quantity, notes: Notes) -> bool | None:
    """A square matrix against a multiple of the identity, such as -I."""
    size = len(matrix.rows)
    if symbols(other.node) != {"I"} or len(matrix.rows[0]) != size:
        return False
    scale = arithmetic.substitute(other.node, "I", Fraction(1))
    if not arithmetic.same_value(other.node, ("mul", scale, ("sym", "I"))):
        return False
    return _all(
        same_number(cell, scale if place == column else ("num", Fraction(0)), notes)
        for place, row in enumerate(matrix.rows)
        for column, cell in enumerate(row)
    )


def _vector(form: Matrix) -> Collection | None:
    if form.bars or (len(form.rows) > 1 and len(form.rows[0]) > 1):
        return None
    cells = [cell for row in form.rows for cell in row]
    return Collection("tuple", tuple(Quantity(cell) for cell in cells), "()")


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
    if _OTHER_SENSE.search(sentence.replace(said, "", 1)) or len(sentence.split()) > 8:
        return False
    name = re.escape(said)
    return bool(
        re.search(rf"\b(?:is|are|was|were|be|on) (?:an? |the )?{name}$", sentence)
        or re.match(rf"{name} (?:is|are|was|were|will|must|wins?|won|has|true|only)\b", sentence)
    )


def _texts(a: Words, b: Words, notes: Notes) -> bool | None:
    if a.text == b.text:
        return True
    bare = [_bare_words(form.text) for form in (a, b)]
    if bare[0] == bare[1] and bare[0]:
        notes.loose.add("the kind is left out")
        return True
    for one, other in ((a.text, b.text), (b.text, a.text)):
        if _says_just(other, one):
            return True
        inside = re.search(rf"(?<!\w){re.escape(one)}(?!\w)", other)
        if (
            inside
            and len(one) > 1
            and not re.search(r"\b(?:or|not|no|neither|never|either)\b", other)
        ):
            notes.doubt("a text that contains the other")
            return None
    return False


def _choices(a, b, notes: Notes) -> bool | None:
    if isinstance(a, Choice) and isinstance(b, Choice):
        if a.letter != b.letter:
            return False
        if a.value is not None and b.value is not None:
            same = _same(a.value, b.value, notes)
            if same is False:
                notes.doubt("the letter agrees, the value does not")
                return None
            return True
        return True
    choice, other = (a, b) if isinstance(a, Choice) else (b, a)
    if choice.value is not None:
        return _same(choice.value, other, notes)
    return isinstance(other, Quantity) and other.node == ("sym", choice.letter.lower())


def _single(form):
    while isinstance(form, Collection) and len(form.items) == 1 and form.kind != "tuple":
        form = form.items[0]
    return form


def _same(a, b, notes: Notes) -> bool | None:
    notes.step()
    a, b = _single(a), _single(b)
    if a == b:
        return True
    if isinstance(a, Opaque) or isinstance(b, Opaque):
        return _opaque(a, b, notes)
    if isinstance(a, Choice) or isinstance(b, Choice):
        return _choices(a, b, notes)
    if isinstance(a, Words) and isinstance(b, Words):
        return _texts(a, b, notes)
    if isinstance(a, Quantity) and isinstance(b, Quantity):
        return same_quantity(a, b, notes)
    if isinstance(a, Relation) and isinstance(b, Relation):
        return _relations(a, b, notes)
    if isinstance(a, Collection) and isinstance(b, Collection):
        return _two_collections(a, b, notes)
    if isinstance(a, Matrix) and isinstance(b, Matrix):
        return _matrices(a, b, notes)
    if isinstance(a, Clock) and isinstance(b, Clock):
        return _clocks(a, b)
    if isinstance(a, Based) and isinstance(b, Based):
        if a.base == b.base:
            return a.digits == b.digits
        return _other_base(a.node, b.node, notes)
    return _mixed(a, b, notes)


def _two_collections(a: Collection, b: Collection, notes: Notes) -> bool | None:
    relations = [
        any(isinstance(item, Relation | Regions) for item in form.items) for form in (a, b)
    ]
    if any(relations):
        inequality = any(
            isinstance(item, Regions) or (isinstance(item, Relation) and not _is_equation(item))
            for form in (a, b)
            for item in form.items
        )
        if inequality:
            same = same_region(a, b)
            if same is not None:
                return same
    return _collections(a, b, notes)


def _other_base(a: Node, b: Node, notes: Notes) -> bool | None:
    same = same_number(a, b, notes)
    if same:
        notes.doubt("the same number in another base")
        return None
    return same


def _opaque(a, b, notes: Notes) -> bool | None:
    texts = [re.sub(r"\s+", "", form.text) for form in (a, b) if isinstance(form, Opaque)]
    if len(texts) == 2 and texts[0] and texts[0] == texts[1]:
        return True
    for form in (a, b):
        if isinstance(form, Opaque) and not re.search(r"[A-Za-z0-9]", form.text):
            return False
    if isinstance(a, Words) or isinstance(b, Words):
        return False
    notes.doubt("formula")
    return None


def _mixed(a, b, notes: Notes) -> bool | None:
    """Two answers of different kinds."""
    for one, other in ((a, b), (b, a)):
        if isinstance(one, Relation):
            return _relation_against(one, other, notes)
    for one, other in ((a, b), (b, a)):
        if isinstance(one, Regions):
            return same_region(one, other) or False
    for one, other in ((a, b), (b, a)):
        if isinstance(one, Based):
            if isinstance(other, Quantity) and other.unit is None:
                digits = re.fullmatch(r"\d+", str(_key(other)))
                if digits and len(one.digits) == 1 and digits.group() == one.digits:
                    return True
                if digits and digits.group() == one.digits:
                    notes.doubt("the base is not written")
                    return None
                return _other_base(one.node, other.node, notes)
            return False
    for one, other in ((a, b), (b, a)):
        if isinstance(one, Ratio):
            ratio = _as_ratio(other)
            if ratio is None:
                return False
            if isinstance(other, Quantity) and len(one.parts) != 2:
                return False
            if isinstance(other, Quantity):
                return same_number(("div", *one.parts), other.node, notes)
            return _ratios(one, ratio, notes)
    for one, other in ((a, b), (b, a)):
        if isinstance(one, Matrix) and isinstance(other, Collection) and other.kind == "tuple":
            vector = _vector(one)
            if vector is None:
                return False
            same = _collections(vector, other, notes)
            if same:
                notes.loose.add("a tuple for a matrix")
            return same
        if isinstance(one, Matrix) and isinstance(other, Quantity) and not one.bars:
            return _identity(one, other, notes)
        if isinstance(one, Matrix) and one.bars:
            notes.doubt("formula")
            return None
    return False


def _relation_against(relation: Relation, other, notes: Notes) -> bool | None:
    if relation.operators[-1] == "in":
        return _same(parse_form(relation.members[-1]), other, notes)
    if not _is_equation(relation):
        return same_region(relation, other) or False
    assigned = _assignment(relation)
    rough = "~" in relation.operators
    if assigned:
        return _chain(other, assigned[2], notes, rough)
    return _chain(other, relation.members, notes, rough) if isinstance(other, Quantity) else False


def compare_answers(gold: str, answer: str) -> Comparison:
    """Compare two answers.

    Args:
        gold: the key's answer.
        answer: the answer extracted from an output.

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
    first, second = readings(gold), readings(answer)
    rule = _CLASSES.get(type(first[0]), "number")
    notes = Notes()
    for place, one in enumerate(first):
        for other_place, other in enumerate(second):
            # Two lists that could both be numbers are compared as numbers only.
            if place and other_place:
                continue
            trial = notes.aside()
            try:
                same = _same(one, other, trial)
            except TooManyStepsError:
                return Comparison(None, rule, "too many parts to compare")
            if same:
                return Comparison(
                    True, rule, f"equal as {rule}", loose="; ".join(sorted(trial.loose))
                )
            if same is None:
                notes.doubts |= trial.doubts or {"formula"}
    if notes.doubts:
        deferred = "formula" in notes.doubts and notes.doubts <= {"formula", VALUE}
        return Comparison(None, rule, "; ".join(sorted(notes.doubts)), deferred=deferred)
    return Comparison(False, rule, f"not equal as {rule}")
