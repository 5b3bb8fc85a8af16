r"""Equations, inequalities and chains, and answers equal up to what is arbitrary in them.

    m v' + b v = f and v' + (b/m) v = f/m, f(z) = z + 1 and f(x) = x + 1, a < b < c and c > b > a,
    x^2 + C and x^2 + K, pi/4 + k pi and 5 pi/4 + n pi are the same

An equation that contains the key beside an expression says something else than the key, unless the
question asks for that expression.
"""

import itertools
import re
from fractions import Fraction

from distil.grading import arithmetic
from distil.grading.arithmetic import UndefinedError, primes, proportional, residues
from distil.grading.dispatch import all_same, compares, node_of, same_answer
from distil.grading.forms import parse_form
from distil.grading.kinds import (
    Asked,
    Based,
    Clock,
    Collection,
    Matrix,
    Notes,
    Quantity,
    Ratio,
    Regions,
    Relation,
    Words,
)
from distil.grading.plain import Plain, joined, top_level
from distil.grading.regions import same_region
from distil.grading.syntax import ONE, ZERO, Node, map_parts, rename, symbols, walk
from distil.grading.units import VALUE, same_number
from distil.grading.vocabulary import plain_words

_INEQUALITIES = frozenset({"<", ">", "<=", ">=", "!=", "in"})
_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}
# "f(x)", "f^{-1}(x)"; "f(2)" names a value, not the function.
_FUNCTION_HEAD = re.compile(
    r"^([a-zA-Z](?:'|_\{?\w+\}?|\^\s*\{\s*-1\s*\})*)\s*\(\s*([a-zA-Z](?:\s*,\s*[a-zA-Z])*)\s*\)$"
)
# A name for one value: "AB", "Area", "P(A)", "f'(2)", "x_1"; "xy", "2x" and "x+y" are formulas.
_NAME = re.compile(
    r"\\?(?:m\\?)?\s*(?:[A-Z]{1,6}'*|\[[A-Z]{3,6}\]|[A-Z][a-z]{2,}|d[a-z]/d[a-z]|(?:\\det|\\dim|\\deg)\s*\(?[A-Za-z]\)?|"
    r"\\?(?:max|min|gcd|lcm)\s*\(.*\)|[A-Za-z](?:'+|_\{?\w+\}?)*\s*(?:\([^()+*/=]*\)|\[[^\[\]]*\]))"
)


# "AB", "PV"; "A" is a variable.
_FIGURE = re.compile(r"[A-Z]{2,6}")
# "\sum a"; "\sumx" is no sum.
_SUM = re.compile(r"\\(?:sum|prod|int|lim)(?![a-z])")
# Names that people give an arbitrary constant; without a question one of the two must be C.
_CONSTANTS = re.compile(r"[CcKkDA]|[CcKk]_?\{?[0-9]\}?")
# "C", "C_1"; "c" may be a given number.
_SURE_CONSTANT = re.compile(r"C(?:_?\{?[0-9]\}?)?")
# "A", "c_2"; "x" is a variable.
_LETTER_CONSTANT = re.compile(r"[A-DKcck](?:_?\{?[0-9]\}?)?")
_PARAMETERS = frozenset({"k", "n", "m", "j", "l", "N", "K", "ell", "t"})
_TURN = {("const", "pi")}


def function_head(text: str) -> tuple[str, tuple[str, ...]] | None:
    """Name and arguments of a member of an equation that only names a function, as in "f(x, y)"."""
    found = _FUNCTION_HEAD.match(text)
    return (found[1], tuple(re.split(r"\s*,\s*", found[2]))) if found else None


def is_equation(form: Relation) -> bool:
    """Whether all signs of a chain are signs of equality."""
    return not _INEQUALITIES & set(form.operators)


def _label(member: Plain) -> tuple[str, bool]:
    """The name that an equation's first member gives, and whether it is a single variable."""
    text = member.text
    if re.search(r"\b(?:not|no|never)\b|\\to(?![a-z])|\u2192", text):
        return "", False
    if function_head(text):
        return text.replace(" ", ""), False
    node = node_of(member)
    if node is None:
        # "x:y" is no name; the sign of a sum or an integral stands for one value.
        top = top_level(text)
        loose = any(text[place] in ":*/^+" for place in top)
        return ("" if loose and not _SUM.match(text) else plain_words(text)), False
    if node[0] == "sym":
        return node[1], True
    if not symbols(node) or not _NAME.fullmatch(text):
        return "", False
    return re.sub(r"\s", "", text), False


def assignment(form) -> tuple[str, bool, tuple[Plain, ...]] | None:
    """(label, is a variable, values) of an equation that names a value."""
    if not isinstance(form, Relation) or not is_equation(form):
        return None
    label, variable = _label(form.members[0])
    if label:
        return label, variable, form.members[1:]
    if len(form.members) == 2:
        label, variable = _label(form.members[1])
        if label and variable and not symbols(node_of(form.members[0]) or ("sym", "?")):
            return label, variable, form.members[:1]
    return None


def _decimals(member: Plain) -> int | None:
    """Digits after the point of a decimal numeral; None for anything else."""
    found = re.fullmatch(r"-?\d*(?:\.(\d+))?", re.sub(r"\s|[A-Za-z%\\]+$", "", member.text))
    return len(found[1] or "") if found and re.search(r"\d", member.text) else None


def _rounds(exact_member: Plain, rough_member: Plain) -> bool | None:
    """Whether a numeral is the other member's value, rounded to its digits; None if unknown."""
    places = _decimals(rough_member)
    nodes = [node_of(member) for member in (exact_member, rough_member)]
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
    results = [same_answer(other, form, notes) for form in forms]
    if True not in results:
        return None if None in results else False
    constant = [isinstance(form, Quantity) and not symbols(form.node) for form in forms]
    if isinstance(other, Quantity) and symbols(other.node) and any(constant):
        notes.doubt("an equation for an expression")
        return None
    place = results.index(True)
    before = ("=",) * (len(members) - 1 - len(operators)) + operators
    for index, (form, plain) in enumerate(zip(forms, constant, strict=True)):
        if index == place or not plain or not constant[place]:
            continue
        if same_answer(forms[place], form, notes.aside()):
            continue
        low, high = sorted((index, place))
        rounded = _rounds(members[low], members[high])
        if rounded is None and _decimals(members[high]) is None:
            rounded = _rounds(members[high], members[low])  # "1.41 \\approx \\sqrt{2}"
        rough = "~" in before[low:high] or bool(_decimals(members[high]))
        # A whole number that only approximates is no exact answer.
        whole = _decimals(members[place]) == 0 and not notes.asked.rounded
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


@compares(Relation, Relation)
def _relations(a: Relation, b: Relation, notes: Notes) -> bool | None:
    if is_equation(a) and is_equation(b):
        return _equations(a, b, notes)
    if is_equation(a) != is_equation(b):
        return same_region(a, b) or False
    for one, other in ((a, b), (b, a)):
        if one.operators[-1] == "in" and other.operators[-1] == "in":
            region, other_region = (parse_form(form.members[-1]) for form in (one, other))
            return one.members[0] == other.members[0] and same_answer(region, other_region, notes)
        if one.operators[-1] == "in":
            return same_answer(parse_form(one.members[-1]), other, notes)
    return _inequalities(a, b, notes)


def _equations(a: Relation, b: Relation, notes: Notes) -> bool | None:
    first, second = assignment(a), assignment(b)
    if first and second:
        names = _renamed_argument(a, b)
        if names is not None and first[0] != second[0]:
            values = [node_of(side[2][-1]) for side in (first, second)]
            if None not in values:
                return same_number(values[0], rename(values[1], names), notes)
        arguments = [(function_head(form.members[0].text) or ("", ()))[1] for form in (a, b)]
        if first[0] in arguments[1] or second[0] in arguments[0]:
            return False  # "x = 2" is not "f(x) = 2"
        if first[0] == second[0] or not (first[1] and second[1]):
            if (
                first[0] != second[0]
                and function_head(a.members[0].text)
                and function_head(b.members[0].text)
            ):
                return False
            target = parse_form(first[2][-1])
            same = _chain(target, second[2], b.operators[-len(second[2]) :][1:], notes)
            # "PV = nRT": the name may be a product.
            if same is not False or not any(_FIGURE.fullmatch(side[0]) for side in (first, second)):
                return same
        constant = [not symbols(node_of(side[2][-1]) or ("sym", "?")) for side in (first, second)]
        if all(constant):
            return False
    sides = []
    for form in (a, b):
        left, right = node_of(form.members[0]), node_of(form.members[-1])
        if left is None or right is None or len(form.members) > 3:
            notes.doubt("formula")
            return None
        sides.append(("add", left, ("neg", right)))
    same, _ = arithmetic.proportional(*sides)
    if same is False:
        same = same_but_for_divisor(*sides)
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
    nodes = [[node_of(member) for member in form.members] for form in (a, b)]
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
            return all_same(same_number(x, y, notes) for x, y in zip(*nodes, strict=True))
    same = same_region(a, b)
    if same is None:
        notes.doubt("formula")
    return same


@compares(Relation, Collection, Quantity, Regions, Matrix, Words, Clock, Ratio, Based)
def _relation_against(relation: Relation, other, notes: Notes) -> bool | None:
    if relation.operators[-1] == "in":
        return same_answer(parse_form(relation.members[-1]), other, notes)
    if not is_equation(relation):
        return _in_order(relation, other, notes)
    assigned = assignment(relation)
    wanted = notes.asked.unknown
    if assigned and assigned[1] and wanted and assigned[0].isalpha() and assigned[0] != wanted:
        notes.doubt("a value of another variable than asked for")
        return None
    if assigned:
        operators = relation.operators[-len(assigned[2]) :][1:] if len(assigned[2]) > 1 else ()
        return _chain(other, assigned[2], operators, notes)
    if not isinstance(other, Quantity):
        return False
    same = _chain(other, relation.members, relation.operators, notes)
    open_members = [member for member in relation.members if _is_open(member)]
    if same and open_members and not symbols(other.node):
        asked = {_squeezed(text) for text in notes.asked.expressions}
        if not any(_squeezed(member.text) in asked for member in open_members):
            notes.doubt("an equation that contains the key")
            return None
    return same


def _is_open(member: Plain) -> bool:
    """Whether a member of an equation has no value of its own."""
    form = parse_form(joined(member))
    return not isinstance(form, Quantity) or bool(symbols(form.node))


def _squeezed(text: str) -> str:
    return re.sub(r"[\s{}$]|\\(?:cdot|times|text|left|right)(?![a-z])", "", text)


def _in_order(relation: Relation, other, notes: Notes) -> bool | None:
    """A chain such as a < b < c against "a, b, c", where an order was asked for."""
    strict = set(relation.operators) in ({"<"}, {">"})
    items = other.items if isinstance(other, Collection) and other.kind != "set" else ()
    if strict and len(relation.members) == len(items) > 2:
        members = [parse_form(member) for member in relation.members]
        same = all_same(same_answer(x, y, notes) for x, y in zip(members, items, strict=True))
        if same and not notes.asked.ordered:
            notes.doubt("a list for a chain")
            return None
        return same
    return same_region(relation, other) or False


def _divides_by(node: Node, name: str) -> bool:
    """Whether a variable stands in a denominator or under a negative power."""
    return any(
        (part[0] == "div" and name in symbols(part[2]))
        or (part[0] == "pow" and part[2][0] == "neg" and name in symbols(part[1]))
        for part in walk(node)
    )


def _doubled(node: Node, name: str) -> Node:
    if node == ("sym", name):
        return ("mul", ("num", Fraction(2)), node)
    return map_parts(node, lambda part: _doubled(part, name))


def same_but_for_divisor(a: Node, b: Node) -> bool:
    """Whether a = 0 and b = 0 differ only in that one was divided by powers of variables.

    m v' + b v = f and v' + (b/m) v = f/m do: where one divides by m, m is not 0. a b = c and
    a^2 b = a c do not: the second also holds for a = 0.
    """
    names = sorted(symbols(a) & symbols(b))
    if symbols(a) != symbols(b) or len(names) > 12:
        return False
    prime = primes(a, b)[0]

    def ratio(x: Node, y: Node, point: int) -> int:
        (top_x, bottom_x), (top_y, bottom_y) = (residues(node, point, prime) for node in (x, y))
        if not top_y * bottom_x % prime:
            raise UndefinedError
        return top_x * bottom_y * pow(top_y * bottom_x, -1, prime) % prime

    try:
        divisor: Node = ("num", Fraction(1))
        for name in names:
            scale = ratio(_doubled(a, name), _doubled(b, name), 0)
            scale = scale * pow(ratio(a, b, 0), -1, prime) % prime
            power = next((n for n in range(-4, 5) if pow(2, n, prime) == scale), None)
            if power is None:
                return False
            if power:
                if not (_divides_by(a, name) or _divides_by(b, name)):
                    return False
                divisor = ("mul", divisor, ("pow", ("sym", name), ("num", Fraction(power))))
        return proportional(a, ("mul", b, divisor))[0] is True and bool(symbols(divisor))
    except (ArithmeticError, ValueError):
        return False


def _without(node: Node, name: str) -> Node:
    return arithmetic.substitute(node, name, Fraction(0))


def _is_constant(node: Node) -> bool:
    """Whether an expression has one value, whatever its variables are."""
    if not symbols(node):
        return True
    return arithmetic.same_value(node, arithmetic.at_sample_point(node)) is True


def _own(a: Node, b: Node) -> tuple[frozenset[str], frozenset[str]]:
    return symbols(a) - symbols(b), symbols(b) - symbols(a)


def up_to_constant(a: Node, b: Node, asked: Asked) -> bool:
    """Whether two expressions differ only in the name or value of a constant of integration.

    Args:
        a: an expression such as x^2 + C.
        b: another such as x^2 + K.
        asked: what the question tells; only where it asks for an integral may values be absorbed.
    """
    if asked.constants and _several_renamed(a, b):
        return True
    for name in sorted(symbols(a)):
        for other in sorted(symbols(b)):
            if not (_CONSTANTS.fullmatch(name) and _CONSTANTS.fullmatch(other)):
                continue
            sure = _SURE_CONSTANT.fullmatch(name) or _SURE_CONSTANT.fullmatch(other)
            if not sure or {name, other} & asked.variables:
                continue
            if name != other and (name in symbols(b) or other in symbols(a)):
                continue
            renamed = rename(b, {other: name})
            if arithmetic.same_value(a, renamed):
                return True
            if not asked.constants:
                continue
            rests = [_without(node, name) for node in (a, renamed)]
            added = all(
                arithmetic.same_value(node, ("add", rest, ("sym", name)))
                for node, rest in zip((a, renamed), rests, strict=True)
            )
            if added and _is_constant(("add", rests[0], ("neg", rests[1]))):
                return True
    return False


def _several_renamed(a: Node, b: Node) -> bool:
    """Whether a and b agree once the constants of one go by the names of the other's."""
    first, second = (
        sorted(name for name in own if _LETTER_CONSTANT.fullmatch(name)) for own in _own(a, b)
    )
    return 1 < len(first) == len(second) < 4 and any(
        arithmetic.same_value(a, rename(b, dict(zip(second, order, strict=True))))
        for order in itertools.permutations(first)
    )


def _linear(node: Node, name: str) -> tuple[Node, Node] | None:
    """Start and step of an expression linear in a parameter; None if it is not."""
    start = _without(node, name)
    step = ("add", arithmetic.substitute(node, name, Fraction(1)), ("neg", start))
    if arithmetic.same_value(node, ("add", start, ("mul", step, ("sym", name)))) is not True:
        return None
    return start, step


def same_family(a: Node, b: Node, asked: Asked) -> bool:
    """Whether two expressions with an integer parameter give the same values.

    Args:
        a: an expression such as pi/4 + k pi.
        b: another such as 5 pi/4 + n pi.
        asked: what the question tells; a parameter is an integer where it says so or where the
            step is a multiple of pi or an angle.
    """
    own = _own(a, b)
    shared = symbols(a) & symbols(b) & _PARAMETERS
    # A letter that the question uses is a given quantity unless it speaks of integers.
    named = asked.terms if asked.integers else asked.variables
    for name in sorted((shared | _PARAMETERS & own[0]) - named):
        for other in sorted({name} & symbols(b) | (_PARAMETERS & own[1])):
            if name != other and (name in symbols(b) or other in symbols(a)):
                continue
            first, second = _linear(a, name), _linear(rename(b, {other: name}), name)
            if first is None or second is None:
                continue
            turning = any(
                part in _TURN or part[0] == "deg" for part in walk(first[1])
            ) and not symbols(first[1])
            if not (turning or asked.integers):
                continue
            ratio = ("div", second[1], first[1])
            if not any(arithmetic.same_value(ratio, sign) for sign in (ONE, ("neg", ONE))):
                continue
            shift = ("div", ("add", second[0], ("neg", first[0])), first[1])
            if arithmetic.same_value(shift, ZERO):
                return True
            size = arithmetic.approximately(shift)
            if size is not None and arithmetic.same_value(shift, ("num", Fraction(round(size)))):
                return True
    return False
