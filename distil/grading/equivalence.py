r"""Comparison of two answers by kind, symmetric where mathematics is.

    compare_answers(r"\frac34", "0.75").same  # True

Sets are not tuples, closed intervals are not open ones, centimetres are not metres, and a decimal
equals neither an irrational number nor a fraction it only approximates. What cannot be told is a
doubt, and a doubt is never silently right or wrong. Each pair of kinds has one function, found by
the types of the two answers.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction

from distil.grading import arithmetic
from distil.grading.arithmetic import exact
from distil.grading.forms import expression, function_head, parse_form, readings
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
from distil.grading.plain import Plain, joined
from distil.grading.regions import same_region
from distil.grading.renaming import same_family, up_to_constant
from distil.grading.syntax import ZERO, Node, NotUnderstoodError, rename, symbols, word_set
from distil.grading.units import VALUE, same_number, same_quantity
from distil.grading.vocabulary import OTHER_SENSE, plain_words
from distil.notation.answers import clean

MATCHED_PAIRWISE = 40
LARGEST_DETERMINANT = 4
_INEQUALITIES = frozenset({"<", ">", "<=", ">=", "!=", "in"})
_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}
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
# A name for one value: "AB", "Area", "P(A)", "f'(2)", "x_1"; "xy", "2x" and "x+y" are formulas.
_NAME = re.compile(
    r"\\?(?:m\\?)?\s*(?:[A-Z]{1,6}'*|[A-Z][a-z]{2,}|d[a-z]/d[a-z]|(?:\\det|\\dim|\\deg)\s*\(?[A-Za-z]\)?|"
    r"\\?(?:max|min|gcd|lcm)\s*\(.*\)|[A-Za-z](?:'+|_\{?\w+\}?)*\s*(?:\([^()+*/=]*\)|\[[^\[\]]*\]))"
)


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


Rule = Callable[..., bool | None]
_RULES: dict[tuple[type, type], Rule] = {}


def _compares(first: type, *others: type) -> Callable[[Rule], Rule]:
    """Register a function for a kind against others; what was registered before goes first."""

    def register(function: Rule) -> Rule:
        for other in others:
            _RULES.setdefault((first, other), function)
            _RULES.setdefault((other, first), lambda a, b, notes: function(b, a, notes))
        return function

    return register


def _single(form):
    while isinstance(form, Collection) and len(form.items) == 1 and form.kind != "tuple":
        form = form.items[0]
    return form


def _same(a, b, notes: Notes) -> bool | None:
    notes.step()
    a, b = _single(a), _single(b)
    if a == b:
        return True
    for one, other in ((a, b), (b, a)):
        if isinstance(one, Collection) and one.kind == "same":
            return _two_forms(one, other, notes)
    rule = _RULES.get((type(a), type(b)))
    return rule(a, b, notes) if rule else False


def _all(results: Iterable[bool | None]) -> bool | None:
    doubt = False
    for result in results:
        if result is False:
            return False
        doubt = doubt or result is None
    return None if doubt else True


def _node(text: Plain) -> Node | None:
    try:
        return expression(text)
    except NotUnderstoodError:
        return None


# Formulas that the grammar lacks, and choices


@_compares(Opaque, *_CLASSES)
def _opaque(a: Opaque, b, notes: Notes) -> bool | None:
    texts = [re.sub(r"\s+", "", form.text) for form in (a, b) if isinstance(form, Opaque)]
    if len(texts) == 2 and texts[0] and texts[0] == texts[1]:
        return True
    if not all(re.search(r"[A-Za-z0-9]", text) for text in texts) or isinstance(b, Words):
        return False
    notes.doubt("formula")
    return None


@_compares(Choice, *_CLASSES)
def _choices(a: Choice, b, notes: Notes) -> bool | None:
    if isinstance(b, Choice):
        if a.letter != b.letter:
            return False
        if a.value is not None and b.value is not None and _same(a.value, b.value, notes) is False:
            notes.doubt("the letter agrees, the value does not")
            return None
        return True
    if a.value is not None:
        return _same(a.value, b, notes)
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


@_compares(Words, Words)
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


@_compares(Words, Quantity)
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


@_compares(Words, Choice)
def _letter_name(words: Words, choice: Choice, notes: Notes) -> bool:
    """ "Quadrant I" against "I", which looks like an option's letter."""
    return choice.value is None and _bare_words(words.text) == _bare_words(choice.letter.lower())


# Numbers


@_compares(Quantity, Quantity)
def _quantities(a: Quantity, b: Quantity, notes: Notes) -> bool | None:
    trial = notes.aside()
    same = same_quantity(a, b, trial)
    if not same and a.unit == b.unit and symbols(a.node) and symbols(b.node):
        if same_family(a.node, b.node, notes.asked) or up_to_constant(a.node, b.node, notes.asked):
            notes.loose.add("another name or value of an arbitrary constant")
            return True
    notes.doubts |= trial.doubts
    notes.loose |= trial.loose
    return same


@_compares(Based, Based)
def _two_bases(a: Based, b: Based, notes: Notes) -> bool | None:
    return a.digits == b.digits if a.base == b.base else _other_base(a.node, b.node, notes)


def _other_base(a: Node, b: Node, notes: Notes) -> bool | None:
    same = same_number(a, b, notes)
    if same:
        notes.doubt("the same number in another base")
        return None
    return same


@_compares(Based, Quantity)
def _base_left_out(a: Based, b: Quantity, notes: Notes) -> bool | None:
    if b.unit is not None:
        return False
    if str(_key(b)) == a.digits and a.digits.isdigit():
        if len(a.digits) == 1:
            return True
        notes.doubt("the base is not written")
        return None
    return _other_base(a.node, b.node, notes)


@_compares(Clock, Clock)
def _clocks(a: Clock, b: Clock, _: Notes) -> bool:
    def day(clock: Clock) -> set[int]:
        hour, minute = divmod(clock.minutes, 60)
        if clock.half:
            return {(hour % 12 + (12 if clock.half == "pm" else 0)) * 60 + minute}
        if hour >= 13 or hour == 0:
            return {hour % 24 * 60 + minute}
        return {hour % 12 * 60 + minute, (hour % 12 + 12) * 60 + minute}

    return bool(day(a) & day(b))


# Equations and inequalities


def _is_equation(form: Relation) -> bool:
    return not _INEQUALITIES & set(form.operators)


def _label(member: Plain) -> tuple[str, bool]:
    """The name that an equation's first member gives, and whether it is a single variable."""
    text = member.text
    if re.search(r"\b(?:not|no|never)\b|\\to(?![a-z])|\u2192", text):
        return "", False
    if function_head(text):
        return text.replace(" ", ""), False
    node = _node(member)
    if node is None:
        return plain_words(text), False
    if node[0] == "sym":
        return node[1], True
    if not symbols(node) or not _NAME.fullmatch(text):
        return "", False
    return re.sub(r"\s", "", text), False


def _assignment(form) -> tuple[str, bool, tuple[Plain, ...]] | None:
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


def _decimals(member: Plain) -> int | None:
    """Digits after the point of a decimal numeral; None for anything else."""
    found = re.fullmatch(r"-?\d*(?:\.(\d+))?", re.sub(r"\s|[A-Za-z%\\]+$", "", member.text))
    return len(found[1] or "") if found else None


def _rounds(exact_member: Plain, rough_member: Plain) -> bool | None:
    """Whether a numeral is the other member's value, rounded to its digits; None if unknown."""
    places = _decimals(rough_member)
    nodes = [_node(member) for member in (exact_member, rough_member)]
    if places is None or None in nodes:
        return None
    sizes = [arithmetic.approximately(node) for node in nodes]
    if None in sizes:
        return None
    return abs(sizes[0] - sizes[1]) <= 0.5 * 10.0**-places * (1 + 1e-9)


def _chain(
    other, members: tuple[Plain, ...], operators: tuple[str, ...], notes: Notes
) -> bool | None:
    """Whether an answer is a member of a chain of equal values that does not contradict itself.

    After a sign for that, a decimal may be the rounded value of a member before it. A whole number
    that only approximates is no answer unless the question asks for rounding.
    """
    forms = [parse_form(joined(member)) for member in members]
    results = [_same(other, form, notes) for form in forms]
    if True not in results:
        return None if None in results else False
    constant = [isinstance(form, Quantity) and not symbols(form.node) for form in forms]
    if isinstance(other, Quantity) and symbols(other.node) and any(constant):
        notes.doubt("an equation for an expression")
        return None
    place = results.index(True)
    before = ("=",) * (len(members) - 1 - len(operators)) + operators
    for index, (form, member, plain) in enumerate(zip(forms, members, constant, strict=True)):
        if index == place or not plain or not constant[place]:
            continue
        if _same(forms[place], form, notes.aside()):
            continue
        low, high = sorted((index, place))
        rounded = (
            _rounds(members[low], members[high])
            if place < index
            else _rounds(member, members[place])
        )
        rough = "~" in before[low:high] or bool(_decimals(members[high]))
        whole = index < place and not _decimals(members[place]) and not notes.asked.rounded
        if not rough or not rounded or whole:
            notes.doubt("a chain of unequal values")
            return None
    return True


def _renamed_argument(a: Relation, b: Relation) -> tuple[Plain, Plain] | None:
    """Values of f(z) = z + 1 and f(x) = x + 1 with the second's arguments named as the first's."""
    heads = [function_head(form.members[0].text) for form in (a, b)]
    if None in heads or heads[0][0] != heads[1][0] or len(heads[0][1]) != len(heads[1][1]):
        return None
    return dict(zip(heads[1][1], heads[0][1], strict=True))


@_compares(Relation, Relation)
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


def _equations(a: Relation, b: Relation, notes: Notes) -> bool | None:
    first, second = _assignment(a), _assignment(b)
    if first and second:
        names = _renamed_argument(a, b)
        if names is not None and first[0] != second[0]:
            values = [_node(side[2][-1]) for side in (first, second)]
            if None not in values:
                return same_number(values[0], rename(values[1], names), notes)
        if first[0] == second[0] or not (first[1] and second[1]):
            if (
                first[0] != second[0]
                and function_head(a.members[0].text)
                and function_head(b.members[0].text)
            ):
                return False
            target = parse_form(first[2][-1])
            return _chain(target, second[2], b.operators[-len(second[2]) :][1:], notes)
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
    if same is False:
        same = arithmetic.same_but_for_divisor(*sides)
    if same is None:
        notes.doubt(VALUE)
    return same


def _ascending(form: Relation) -> Relation:
    """A chain of "<" and "<=" turned so that it ascends: c > b > a gives a < b < c."""
    if set(form.operators) <= {">", ">="}:
        operators = tuple(_FLIPPED[sign] for sign in reversed(form.operators))
        return Relation(form.members[::-1], operators)
    return form


def _inequalities(a: Relation, b: Relation, notes: Notes) -> bool | None:
    a, b = _ascending(a), _ascending(b)
    nodes = [[_node(member) for member in form.members] for form in (a, b)]
    if len(a.members) == len(b.members) == 2 and None not in nodes[0] + nodes[1]:
        first, second = (("add", side[0], ("neg", side[1])) for side in nodes)
        same, sign = arithmetic.proportional(first, second)
        if same and sign:
            operator = b.operators[0] if sign > 0 else _FLIPPED.get(b.operators[0], b.operators[0])
            return operator == a.operators[0]
        if same is False and all(len(symbols(side)) > 1 for side in (first, second)):
            return False
    names = [frozenset().union(*map(symbols, filter(None, side))) for side in nodes]
    if names[0] != names[1]:
        return False
    if len(names[0]) > 1 and len(a.members) == len(b.members) > 2:
        if a.operators != b.operators:
            return False
        if None not in nodes[0] + nodes[1]:
            return _all(same_number(x, y, notes) for x, y in zip(*nodes, strict=True))
    same = same_region(a, b)
    if same is None:
        notes.doubt("formula")
    return same


@_compares(Relation, Collection, Quantity, *_CLASSES)
def _relation_against(relation: Relation, other, notes: Notes) -> bool | None:
    if relation.operators[-1] == "in":
        return _same(parse_form(relation.members[-1]), other, notes)
    if not _is_equation(relation):
        return _in_order(relation, other, notes)
    assigned = _assignment(relation)
    if assigned:
        operators = relation.operators[-len(assigned[2]) :][1:] if len(assigned[2]) > 1 else ()
        return _chain(other, assigned[2], operators, notes)
    if not isinstance(other, Quantity):
        return False
    same = _chain(other, relation.members, relation.operators, notes)
    if same and symbols(_node(relation.members[0]) or ZERO) and not symbols(other.node):
        asked = {_squeezed(text) for text in notes.asked.expressions}
        if _squeezed(relation.members[0].text) not in asked:
            notes.doubt("an equation that contains the key")
            return None
    return same


def _squeezed(text: str) -> str:
    return re.sub(r"[\s{}$]|\\(?:cdot|times|text|left|right)(?![a-z])", "", text)


def _in_order(relation: Relation, other, notes: Notes) -> bool | None:
    """A chain such as a < b < c against "a, b, c", where an order was asked for."""
    strict = set(relation.operators) in ({"<"}, {">"})
    if strict and isinstance(other, Collection) and other.kind in {"list", "tuple"}:
        if len(relation.members) == len(other.items) > 2:
            items = [parse_form(member) for member in relation.members]
            same = _all(_same(x, y, notes) for x, y in zip(items, other.items, strict=True))
            if same and not notes.asked.ordered:
                notes.doubt("a list for a chain")
                return None
            return same
    return same_region(relation, other) or False


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
            item == other or (len(items) <= 12 and _same(item, other, notes.aside()))
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


def _assignments(items: tuple) -> list[tuple[str, Plain]] | None:
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
        values = (parse_form(value) for _, value in sorted(named, key=lambda item: item[0]))
        return Collection("named", tuple(values))
    if len(set(names)) == 1:
        return Collection(form.kind, tuple(parse_form(value) for _, value in named))
    return form


@_compares(Collection, Collection)
def _two_collections(a: Collection, b: Collection, notes: Notes) -> bool | None:
    if "dots" in {a.kind, b.kind}:
        return _sequences(a, b, notes) if a.kind == b.kind else False
    items = [item for form in (a, b) for item in form.items]
    if any(
        isinstance(item, Regions) or (isinstance(item, Relation) and not _is_equation(item))
        for item in items
    ):
        same = same_region(a, b)
        if same is not None:
            return same
    return _collections(a, b, notes)


def _two_forms(form: Collection, other, notes: Notes) -> bool | None:
    """One answer in two forms: both must be the same value."""
    first, second = form.items
    same = _same(first, other, notes)
    if same is not True or _same(second, other, notes.aside()) is True:
        return same
    notes.doubt("two forms that differ")
    return None


def _sequences(a: Collection, b: Collection, notes: Notes) -> bool | None:
    """Sequences such as 1, 4, ..., n^2: the same last term, which also gives the terms shown."""
    last = [form.items[-1] for form in (a, b)]
    same = _same(*last, notes)
    if not same or not all(isinstance(item, Quantity) for item in (*a.items, *b.items)):
        return same
    shown = [[item.node for item in form.items[:-1]] for form in (a, b)]
    if not all(same_number(x, y, notes) for x, y in zip(*shown, strict=False)):
        return False
    if len(shown[0]) == len(shown[1]):
        return True
    names = symbols(last[0].node)
    if len(names) == 1:
        for place, node in enumerate(max(shown, key=len), start=1):
            term = arithmetic.substitute(last[0].node, next(iter(names)), Fraction(place))
            if not same_number(node, term, notes):
                notes.doubt("a sequence of which other terms are shown")
                return None
    return True


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
                return _all(_same(parse_form(x), parse_form(y), notes) for x, y in pairs)
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
    same = _all(_same(x, y, notes) for x, y in zip(a.items, b.items, strict=True))
    if kinds == {"tuple"} and a.brackets != b.brackets and same:
        notes.doubt("other brackets")
        return None
    if same and "list" in kinds:
        notes.loose.add("a list for a tuple")
    return same


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


@_compares(Collection, Words)
def _letters(form: Collection, words: Words, _: Notes) -> bool:
    """Several options: "A, C" against "AC"."""
    letters = "".join(
        item.letter.lower() for item in form.items if isinstance(item, Choice) and not item.value
    )
    ordered = "".join(sorted(set(words.text)))
    return len(letters) == len(form.items) and words.text == ordered == "".join(sorted(letters))


@_compares(Collection, Quantity, Clock, Ratio, Based)
def _one_of_two_forms(form: Collection, other, notes: Notes) -> bool | None:
    """One value against "3/4 or 0.75", whose parts are the same value."""
    if form.kind != "or" or len(form.items) > 3:
        return False
    results = [_same(item, other, notes.aside()) for item in form.items]
    return all(results)


# Regions, ratios, matrices


@_compares(Regions, *_CLASSES)
def _regions(a: Regions, b, _: Notes) -> bool:
    return same_region(a, b) or False


def _as_ratio(form) -> Ratio | None:
    if isinstance(form, Ratio):
        return form
    if isinstance(form, Clock) and not form.half:
        hour, minute = divmod(form.minutes, 60)
        return Ratio((("num", Fraction(hour)), ("num", Fraction(minute))))
    if isinstance(form, Words) and (found := re.fullmatch(r"(\S+) to (\S+)", form.text)):
        nodes = [_node(Plain(part)) for part in found.groups()]
        return None if None in nodes else Ratio(tuple(nodes))
    return None


@_compares(Ratio, Ratio, Clock, Words, Quantity)
def _ratios(a: Ratio, other, notes: Notes) -> bool | None:
    if isinstance(other, Quantity):
        if other.unit is not None or len(a.parts) != 2:
            return False
        return same_number(("div", *a.parts), other.node, notes)
    b = _as_ratio(other)
    if b is None or len(a.parts) != len(b.parts):
        return False
    if arithmetic.same_value(a.parts[0], ZERO) is not False:
        return _all(same_number(x, y, notes) for x, y in zip(a.parts, b.parts, strict=True))
    return _all(
        same_number(("mul", x, b.parts[0]), ("mul", y, a.parts[0]), notes)
        for x, y in zip(a.parts[1:], b.parts[1:], strict=True)
    )


@_compares(Matrix, Matrix)
def _matrices(a: Matrix, b: Matrix, notes: Notes) -> bool | None:
    if a.bars and b.bars:
        return _all_quantities([_determinant(form) for form in (a, b)], notes)
    if a.bars != b.bars:
        notes.doubt("a determinant against a matrix")
        return None
    if len(a.rows) != len(b.rows) or len(a.rows[0]) != len(b.rows[0]):
        return False
    return _all(
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


@_compares(Matrix, Quantity)
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
    return _all(
        same_number(cell, scale if place == column else ZERO, notes)
        for place, row in enumerate(matrix.rows)
        for column, cell in enumerate(row)
    )


@_compares(Matrix, Collection)
def _vectors(matrix: Matrix, other: Collection, notes: Notes) -> bool | None:
    if other.kind != "tuple" or (len(matrix.rows) > 1 and len(matrix.rows[0]) > 1):
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
        return _same(a, b, Notes(asked))
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
    first = readings(gold, asked.variables)
    second = readings(answer, asked.variables, latex)
    if re.sub(r"\s", "", wanted) == re.sub(r"\s", "", given) and re.search(r"\w", wanted):
        return Comparison(True, "same text", "the same text")
    rule = _CLASSES.get(type(first[0]), "number")
    notes = Notes(asked)
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
                loose = "; ".join(sorted(trial.loose))
                return Comparison(True, rule, f"equal as {rule}", loose=loose)
            if same is None:
                notes.doubts |= trial.doubts or {"formula"}
    if notes.doubts:
        deferred = "formula" in notes.doubts and notes.doubts <= {"formula", VALUE}
        return Comparison(None, rule, "; ".join(sorted(notes.doubts)), deferred=deferred)
    return Comparison(False, rule, f"not equal as {rule}")
