"""What a question says about the form of its answer, and whether an answer keeps to it."""

import functools
import math
import re
from fractions import Fraction

from distil.grading import arithmetic
from distil.grading.forms import parse_form, readings
from distil.grading.kinds import Based, Collection, Quantity, Regions
from distil.grading.rationals import exact
from distil.grading.syntax import Node, NotUnderstoodError, parse_expression, walk
from distil.grading.units import unit_named
from distil.notation.answers import clean, join_thousands

_DEMANDS = {
    "fraction": r"(?:reduced|simplified|common|irreducible|improper|proper)\s+"
    r"(?:common\s+)?fraction|"
    r"fraction\s+in\s+(?:lowest|simplest|reduced)|lowest\s+terms|(?:a|"
    r"single)\s+fraction\s*[.,)]|\bas\s+a\s+fraction",
    "mixed number": r"(?:as|to)\s+(?:a|an)\s+(?:\w+\s+)?mixed\s+(?:number|numeral|fraction)",
    "radical": r"simplest\s+radical|simplified\s+radical|reduced\s+radical|radical\s+form|"
    r"simplest\s+form|"
    r"simplified\s+form|rationali[sz]e|fully\s+(?:simplified|reduced)|completely\s+simplified",
    "decimal": r"(?:as|to)\s+a\s+(?:\w+\s+)?decimal|decimal\s+(?:form|number|approximation)|"
    r"decimal\s+places?|"
    r"\bround(?:ed|ing)?\b|significant\s+(?:digits|figures)|"
    r"to\s+the\s+nearest\s+(?:tenth|hundredth|thousandth|ten|cent)",
    "percent": r"as\s+a\s+percent|what\s+percent|percentage",
    "degrees": r"\bin\s+degrees\b|degree\s+measure|how\s+many\s+degrees",
    "radians": r"\bin\s+radians\b|radian\s+measure",
    "scientific notation": r"scientific\s+notation",
    "ordered tuple": r"ordered\s+(?:pair|triple|quadruple|n-tuple)|"
    r"in\s+the\s+form\s+\$?\(\s*\w+\s*,",
    "interval notation": r"interval\s+notation",
    "factored": r"\bfactor(?:ed|ise|ize)?\s+(?:form|completely|the|over)|factored\s+form|^factor\b",
    "expanded": r"\bexpand(?:ed)?\b",
    "order": r"\b(?:increasing|decreasing|ascending|descending|alphabetical|numerical)\s+order|"
    r"\bfrom\s+(?:the\s+)?(?:least|smallest|largest|greatest|shortest|longest|lowest|highest)\s+to\b",
    "slope-intercept": r"slope-intercept|y\s*=\s*mx\s*\+\s*b",
}  # fmt: skip
_COMPILED = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in _DEMANDS.items()}
_ROUNDING = re.compile(
    r"\bround(?:ed|ing)?\b|nearest\s+(?:tenth|hundredth|thousandth|ten-thousandth|cent|penny)|"
    r"decimal\s+places?|"
    r"significant\s+(?:digits|figures)|decimal\s+approximation",
    re.IGNORECASE,
)
_UNIT = re.compile(
    r"(?:\bin\s+|how\s+many\s+|number\s+of\s+)((?:square|cubic)\s+\w+|\w+\s+per\s+\w+|\w+)",
    re.IGNORECASE,
)
# Here the order is the answer, not its form.
_PUT_IN_ORDER = re.compile(
    r"(?:^|[.!?,]\s|\b(?:to|please|and)\s)(?:order|arrange|rank|sort)\s+(?:the|these|those|all|them|\$)",
    re.IGNORECASE,
)
_BASE = re.compile(
    r"\bbase[- ]?\$?\s*(\d+|two|three|four|five|six|seven|eight|nine|ten|twelve|sixteen)",
    re.IGNORECASE,
)
_OPTION_START = re.compile(
    r"(?:\\text(?:bf|rm|it)?\s*\{\s*|\\mathrm\s*\{\s*|\\mathbf\s*\{\s*)?\(([A-H])\)\s*(?:\\ |"
    r"~)?\s*\}?|^\s*([A-H])[.)]\s",
    re.MULTILINE,
)
_EDGES = re.compile(
    r"^(?:\s|~|\$|\\(?:quad|qquad|,|;|\\|hspace\{[^}]*\}))+|(?:\s|~|\$|,|;|\\(?:quad|qquad|,|;|"
    r"\\|hspace\{[^}]*\}))+$"
)
_LABEL = re.compile(r"^[^=]{1,30}=\s*")


@functools.lru_cache(maxsize=1024)
def demands(problem: str) -> frozenset[str]:
    """Names of the demands a question makes on the form of its answer."""
    return frozenset(name for name, pattern in _COMPILED.items() if pattern.search(problem))


@functools.lru_cache(maxsize=1024)
def options(problem: str) -> dict[str, str]:
    """Multiple-choice options in a question, by letter; empty unless they run A, B, C ..."""
    starts = list(_OPTION_START.finditer(problem))
    letters = [found[1] or found[2] for found in starts]
    for first in range(len(letters) - 1, -1, -1):
        run = letters[first:]
        if run[0] == "A" and len(run) >= 2 and run == sorted(set(run)):
            ends = [found.start() for found in starts[first + 1 :]] + [len(problem)]
            return {
                letter: _EDGES.sub("", problem[found.end() : end].strip())
                for letter, found, end in zip(run, starts[first:], ends, strict=True)
            }
    return {}


def asked_base(problem: str) -> bool:
    """Whether the question speaks of a number base."""
    return bool(_BASE.search(problem))


def _bare(answer: str) -> str:
    text = join_thousands(clean(answer))
    label = _LABEL.match(text)
    if label and text.count("=") == 1 and not re.search(r"[<>]", text):
        text = text[label.end() :]
    return text


def _node(text: str) -> Node | None:
    form = readings(text)[0]
    return form.node if isinstance(form, Quantity) else None


def _integer(node: Node) -> int | None:
    if node[0] == "neg":
        inner = _integer(node[1])
        return None if inner is None else -inner
    return node[1].numerator if node[0] == "num" and node[1].denominator == 1 else None


def _square_free(value: int) -> bool:
    return all(
        value % (factor * factor) for factor in range(2, min(math.isqrt(abs(value)), 10_000) + 1)
    )


def _simplified(node: Node) -> bool:
    """No unreduced fraction, no square under a root, no root in a denominator."""
    for part in walk(node):
        if part[0] == "div":
            top, bottom = _integer(part[1]), _integer(part[2])
            if (
                top is not None
                and bottom is not None
                and (math.gcd(top, bottom) > 1 or bottom == 1)
            ):
                return False
            if any(inner[0] == "root" for inner in walk(part[2])):
                return False
        if part[0] == "root":
            degree, radicand = _integer(part[1]), _integer(part[2])
            if radicand is not None and degree == 2 and not _square_free(radicand):
                return False
            if radicand in {0, 1}:
                return False
    return True


def _reduced_fraction(text: str) -> bool:
    text = re.sub(r"\s+", "", text)
    found = re.fullmatch(
        r"-?(?:\\frac(?:\{(-?\d+)\}|(\d))(?:\{(-?\d+)\}|(\d))|\(?(-?\d+)\)?/\(?(\d+)\)?)", text
    )
    if not found:
        return False
    top, bottom = (int(group[:500]) for group in found.groups() if group)
    return math.gcd(top, bottom) == 1 and abs(bottom) > 1


def _rational(node: Node | None) -> Fraction | None:
    if node is None:
        return None
    try:
        return exact(node)
    except ArithmeticError:
        return None


def _keeps_fraction(gold: str, answer: str) -> bool:
    value = _rational(_node(answer))
    if value is None:
        return True
    form = readings(answer)[0]
    if isinstance(form, Quantity) and form.unit is not None and form.unit.dimension == "percent":
        return False
    if value.denominator == 1 and _rational(_node(gold)) == value:
        return bool(re.fullmatch(r"-?\d+", re.sub(r"\s", "", _without_unit(answer))))
    if not re.search(r"frac|/", clean(gold)):
        # The key itself is no fraction, so the demand concerns something else in the question.
        return True
    return _reduced_fraction(_without_unit(answer))


def _without_unit(answer: str) -> str:
    text = re.sub(
        r"\\text\s*\{[^{}]*\}(?:\s*\^\s*\{?\d\}?)?$|\s+[a-z]{2,}$|\^\s*\{?\\circ\}?$",
        "",
        _bare(answer),
    )
    return text.replace("\\$", "").strip()


def _asked_unit(problem: str, dimension: str) -> set[Fraction]:
    """Sizes of the units of a dimension that a question names."""
    named = [unit_named(found[1].lower()) for found in _UNIT.finditer(problem) if len(found[1]) > 2]
    return {unit.factor for unit in named if unit is not None and unit.dimension == dimension}


def _keeps_unit(problem: str, answer: str) -> bool:
    form = readings(answer)[0]
    if (
        not isinstance(form, Quantity)
        or form.unit is None
        or form.unit.dimension in {"count", "percent"}
    ):
        return True
    asked = _asked_unit(problem, form.unit.dimension)
    return not asked or form.unit.factor in asked


def converted(problem: str, gold: str, answer: str) -> bool | None:
    """Whether an answer in another unit than the one asked for comes to the key's bare number.

    Args:
        problem: the question, such as "How many miles ...".
        gold: the key's answer; None unless it is a number without a unit.
        answer: the answer, such as "45 km".

    Returns:
        True or False; None if the question does not name one unit of that kind, or names the
        answer's own.
    """
    wanted, given = readings(gold)[0], readings(answer)[0]
    if not (isinstance(wanted, Quantity) and isinstance(given, Quantity)):
        return None
    if wanted.unit is not None or given.unit is None:
        return None
    asked = _asked_unit(problem, given.unit.dimension)
    if given.unit.dimension == "number" and not asked:
        asked = {Fraction(1)}
    if len(asked) != 1 or given.unit.factor in asked:
        return None
    scale = ("num", given.unit.factor / asked.pop())
    return arithmetic.same_value(wanted.node, ("mul", given.node, scale))


def _items(answer: str) -> tuple | None:
    form = readings(answer)[0]
    return form.items if isinstance(form, Collection) and form.kind != "tuple" else None


def _keeps_order(gold: str, answer: str) -> bool:
    wanted, given = _items(gold), _items(answer)
    if wanted is None or given is None or len(wanted) != len(given):
        return True
    return all(
        one == other
        or (
            isinstance(one, Quantity)
            and isinstance(other, Quantity)
            and arithmetic.same_value(one.node, other.node) is not False
        )
        for one, other in zip(wanted, given, strict=True)
    )


def misordered(problem: str, gold: str, answer: str) -> bool:
    """Whether a question asks to put things in order and an answer has the key's in another."""
    return bool(_PUT_IN_ORDER.search(problem)) and not _keeps_order(gold, answer)


def _keeps_percent(gold: str, answer: str) -> bool:
    wanted, given = readings(gold)[0], readings(answer)[0]
    if not (isinstance(wanted, Quantity) and isinstance(given, Quantity)) or given.unit is not None:
        return True
    if wanted.unit is None or wanted.unit.dimension != "percent":
        return True
    return arithmetic.same_value(wanted.node, given.node) is not False


def _keeps(demand: str, gold: str, answer: str) -> bool:
    text = _bare(answer)
    node = _node(text)
    if demand == "fraction":
        return _keeps_fraction(gold, answer)
    if demand == "mixed number":
        value = _rational(node)
        return (
            value is None
            or value.denominator == 1
            or bool(re.match(r"^-?\d+\s*(?:\\frac|\s\d+\s*/)", text) or abs(value) < 1)
        )
    if demand == "radical":
        return node is None or _simplified(node)
    if demand == "decimal":
        return not _is_decimal(_without_unit(gold)) or _is_decimal(_without_unit(answer))
    if demand == "percent":
        return _keeps_percent(gold, answer)
    if demand == "scientific notation":
        form = re.match(r"^-?(\d)(?:\.\d+)?\s*\\(?:times|cdot)\s*10\s*\^", text)
        return bool(form) and form[1] != "0"
    if demand in {"ordered tuple", "interval notation"}:
        return _keeps_brackets(demand, gold, text)
    if demand in {"factored", "expanded"}:
        return _keeps_shape(demand, gold, node)
    if demand == "order":
        return _keeps_order(gold, answer)
    if demand == "slope-intercept":
        return not re.match(r"y\s*=", clean(gold)) or bool(re.match(r"y\s*=", clean(answer)))
    return True


def _keeps_brackets(demand: str, gold: str, text: str) -> bool:
    wanted, given = parse_form(clean(gold)), parse_form(text)
    if demand == "ordered tuple":
        return not (isinstance(wanted, Collection) and wanted.kind == "tuple") or (
            isinstance(given, Collection | Regions) and text.startswith("(")
        )
    if isinstance(wanted, Regions) or (isinstance(wanted, Collection) and wanted.kind == "tuple"):
        return isinstance(given, Regions) or (
            isinstance(given, Collection) and given.kind == "tuple"
        )
    return True


def _keeps_shape(demand: str, gold: str, node: Node | None) -> bool:
    wanted = _node(_bare(gold))
    if node is None or wanted is None:
        return True
    if demand == "factored":
        return wanted[0] in {"add", "neg"} or node[0] != "add"

    def expanded(tree: Node) -> bool:
        return not any(
            (part[0] == "mul" and any(child[0] == "add" for child in part[1:]))
            or (part[0] == "pow" and part[1][0] == "add")
            for part in walk(tree)
        )

    return not expanded(wanted) or expanded(node)


def _is_decimal(text: str) -> bool:
    return bool(re.fullmatch(r"-?(?:\d+(?:\.\d*)?|\.\d+)", re.sub(r"\s", "", text)))


def broken_demand(problem: str, gold: str, answer: str) -> str:
    """The first demand of a question that an answer, equal in value, does not keep.

    Args:
        problem: the question.
        gold: the key's answer; a demand that the key itself does not keep is no demand.
        answer: the answer, known to be equal to the key.

    Returns:
        The demand's name, or an empty string.
    """
    for demand in sorted(demands(problem)):
        if not _keeps(demand, gold, answer) and _keeps(demand, gold, gold):
            return demand
    if not _keeps_unit(problem, answer) and _keeps_unit(problem, gold):
        return "unit"
    return ""


def rounds_to(problem: str, gold: str, answer: str) -> bool:
    """Whether a question asks for rounding and a more exact answer rounds to the key.

    Args:
        problem: the question.
        gold: the key's answer, a decimal.
        answer: the answer, not equal to the key.
    """
    wanted = _without_unit(gold)
    if not _ROUNDING.search(problem) or not re.fullmatch(r"-?\d*\.\d+", wanted):
        return False
    given = _without_unit(answer)
    places = len(wanted.split(".")[1])
    if _is_decimal(given) and len(given.partition(".")[2]) <= places:
        return False
    try:
        node = parse_expression(given)
    except NotUnderstoodError:
        return False
    half = Fraction(1, 2 * 10**places)
    low, high = Fraction(wanted) - half, Fraction(wanted) + half
    below = arithmetic.compare(("num", low), node)
    above = arithmetic.compare(node, ("num", high))
    return below in {-1, 0} and above in {-1, 0}


def base_left_out(problem: str, gold: str, answer: str) -> bool:
    """Whether an answer gives the key's digits without the base that the question names."""
    form = readings(gold)[0]
    return (
        isinstance(form, Based)
        and asked_base(problem)
        and re.sub(r"\s", "", clean(answer)).upper() == form.digits
    )
