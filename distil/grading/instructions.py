r"""Demands of a question on its answer: unit, percent, order, form, and what is asked for at all.

asked("How many minutes does it take?").units  # {Unit("time", Fraction(60), "minutes")}
broken_demand("Give a reduced fraction.", r"\frac12", r"\frac24")  # "fraction"
"""

import functools
import math
import re
from fractions import Fraction

from distil.grading import arithmetic
from distil.grading.arithmetic import exact
from distil.grading.forms import readings
from distil.grading.kinds import Asked, Based, Collection, Quantity, Regions, Unit
from distil.grading.plain import joined, plain
from distil.grading.syntax import (
    NUMBER_BASES,
    Node,
    NotUnderstoodError,
    parse_expression,
    walk,
)
from distil.grading.units import unit_named

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
# "rounded", "nearest cent"; "a round table" asks for no rounding.
_ROUNDING = re.compile(
    r"\bround(?:ed|ing)?\b|nearest\s+(?:tenth|hundredth|thousandth|ten-thousandth|cent|penny)|"
    r"decimal\s+places?|"
    r"significant\s+(?:digits|figures)|decimal\s+approximation",
    re.IGNORECASE,
)
# The unit asked for: "in cm", "how many square feet"; "in 5 minutes" names none.
_UNIT = re.compile(
    r"(?:\b(?:in|into|to)\s+|(?:how\s+many|number\s+of)\s+"
    r"(?:(?:more|fewer|total|additional|extra|whole|full|complete)\s+)?)((?:square|cubic)\s+\w+|\w+\s+per\s+\w+|\w+(?:\^[23])?(?:/\w+(?:\^[23])?)?)",
    re.IGNORECASE,
)
# The sentence that asks.
_ASKS = re.compile(
    r"\?|\b(?:find|compute|determine|calculate|evaluate|what|how|express|give|answer|write|state|"
    r"convert)\b",
    re.IGNORECASE,
)
# What the answer measures, where a noun right after the question word tells.
_MEASURES = {
    "area": r"(?:surface\s+)?areas?", "volume": r"volume|capacity",
    "length": r"perimeter|circumference|length|width|height|distance|radius|diameter|hypotenuse|"
    r"altitude|depth",
    "money": r"cost|price|salary|profit|fee|fare|money",
    "mass": r"mass", "time": r"ages?", "speed": r"speed", "pure": r"probability|chance|odds",
}  # fmt: skip
# "What is the total area"; "the area is 5. Find x" asks for no area.
_MEASURED = re.compile(
    r"(?:find|compute|determine|calculate|evaluate|what|give|express|how\s+much)\s+(?:(?:is|are|was|his|her|their|"
    r"will\s+be|the|its|total|exact|in|of|value|new|final|original|average|minimum|maximum|least|"
    r"greatest|possible|positive|expected|\w+er|\w+est)\s+){0,5}(?:"
    + "|".join(f"(?P<{name}>{pattern})" for name, pattern in _MEASURES.items())
    + r"|(?P<counted>number\s+of))\b|(?P<count>how\s+many)\b|"
    r"(?P<far>how\s+(?:far|tall|high|wide|deep))\b|(?P<old>how\s+old)\b",
    re.IGNORECASE,
)
# "What is the remainder", "Find the sum of the digits", "Find the least integer", "Solve": numbers
# without a unit, unless the question speaks of what one measures.
_PURE_NUMBER = re.compile(
    r"(?:find|compute|determine|calculate|evaluate|what|give|express)\s+(?:(?!of\b)[A-Za-z-]+\s+){0,6}"
    r"(?:(?:sum|product|difference|quotient|average|mean|number)s?\s+of\s+(?:[A-Za-z-]+\s+){0,5}"
    r"(?:digit|root|zero|solution|integer|number|prime|divisor|factor|multiple|coefficient|term|"
    r"value|fraction|reciprocal)s?|"
    r"remainder|quotient|integer|(?:natural|whole|prime|real)\s+number|digit|prime|divisor|multiple|"
    r"g\.?c\.?d|l\.?c\.?m|coefficient|exponent|slope|determinant|discriminant|"
    r"constant\s+term)\b|\b(?:solve|simplify|evaluate)\b",
    re.IGNORECASE,
)
# "Find $x$", "What is the value of \(f(2)\)", "Compute 2+3"; "the area of $ABC$" is none.
_FORMULA = re.compile(
    r"(?:(?:the|all|each|every|exact|real|complex|rational|positive|negative|possible|largest|smallest|"
    r"greatest|least|maximum|minimum|integers?|numbers?|values?|of|expression)\s+)*"
    r"(?:\$|\\[(\[]|[a-zA-Z](?=\s*(?:$|[-+*/^=(]))|[-(]?\d[^a-zA-Z]*$)",
)
# A number, a relation or a command: what a formula in a question may be found from.
_DEFINES = re.compile(r"[\d=<>]|\\[a-zA-Z]")
# Words that speak of a dimension, besides its units.
_SPOKEN = {
    "length": r"length|area|volume|perimeter|circumference|distance|width|height|radi(?:us|i)\b|"
    r"diameter|hypotenuse|altitude|depth|capacity|side|edge|tall|long\b|wide|deep|far\b|"
    r"triangle|rectang|circle|polygon|quadrilateral|trapezoid|parallelogram|rhombus|cube|box|"
    r"prism|cone|cylinder|sphere|pyramid|segment|chord|road|path|walk",
    "angle": r"angle|degree|rotat|circ\b|(?:sin|cos|tan|cot|sec|csc)\b|arc|clock|polygon|polar|"
    r"triangle|temperature",
    "time": r"time\b|age\b|old\b|clock|calendar|date|today|now\b|takes?\b|speed|rate\b",
    "money": r"\\\$|\$\s?\d[\d,.]*\s+[a-z]{2,}|cost|price|money|salar|profit|fee\b|fare|earn|pay|"
    r"paid|spen[dt]|sell|sold|buy|bought|worth|tax|coin|bill|interest|bank|invest",
    "mass": r"mass|weigh|heav",
    "speed": r"speed|velocit|rate\b|fast|slow|travel",
}  # fmt: skip
_SPOKEN |= {
    name: name
    for name in ("force", "energy", "power", "voltage", "current", "frequency", "pressure")
}
_SPOKEN_OF = {
    name: re.compile(rf"(?<![A-Za-z])(?:{words})", re.IGNORECASE) for name, words in _SPOKEN.items()
}
# The dimension of which a question speaks, by that of the answer.
_FAMILIES = {
    "area": "length", "volume": "length", "radian": "angle", "euro": "money", "sterling": "money",
}  # fmt: skip
# A letter that stands alone names a quantity; after a number or "in" it is a unit.
_VARIABLE = re.compile(
    r"(?<![\w'.\\/])(?<!\d\s)(?<!\bin\s)(?<!\bper\s)(?<!\d~)([a-zA-Z])(?![\w'/])(?!\^\{?[23]\}?\s*$)"
)
# "in terms of m" and "multiple of m" count even where "in m" is a unit.
_TERMS = re.compile(
    r"(?:in\s+terms\s+of|function\s+of|multiples?\s+of|units\s+of)\s+\$?\\?([a-zA-Z]+)\b"
)
# "12%", "percent"; "per cent" is not written so here.
_PERCENT = re.compile(r"percent|\\?%", re.IGNORECASE)
# Where these stand, "20%" may answer with 20 though no percent is named.
_RATES = re.compile(r"\b(?:rate|discount|interest|tax|markup|mark-up|tip|raise)\b", re.IGNORECASE)
# "probability" takes 20% as 0.2; "improbable" is no question for one.
_PURE = re.compile(r"\b(?:probability|chance|likelihood|fraction|decimal|odds)\b", re.IGNORECASE)
_PLACES = {
    "tenth": 1, "hundredth": 2, "thousandth": 3, "ten-thousandth": 4, "cent": 2, "penny": 2,
    "integer": 0, "whole": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6,
}  # fmt: skip
# "two decimal places"; "a decimal" names no place.
_ROUND_TO = re.compile(
    r"(?:to\s+)?(\d|one|two|three|four|five|six)\s+decimals?\b|(\d|one|two|three|four|five|six)\s+"
    r"decimal\s+places?|nearest\s+(tenth|hundredth|thousandth|ten-thousandth|cent|penny|integer|whole)",
    re.IGNORECASE,
)
# A positive integer n is given; "k any integer" is a parameter of the solutions.
_INTEGERS = re.compile(
    r"(?<!positive )(?<!negative )\bintegers?\b|\\mathbb\s*\{?\s*[ZN]",
    re.IGNORECASE,
)
# "Integrate"; "integer" is no integral.
_CONSTANTS = re.compile(
    r"anti-?derivative|integrat|\bintegral|\\int(?![a-z])|differential\s+equation|primitive",
    re.IGNORECASE,
)
# "in increasing order"; "in order to" counts too, which only lists notice.
_ORDER = re.compile(
    r"\border\b|\b(?:arrange|rank|sort)\b|(?:least|smallest|largest|greatest)\s+to\s+",
    re.IGNORECASE,
)
# The formula whose value is asked for: "Find x + y.", "the value of $|z|$".
_WANTED = re.compile(
    r"\b(?:find|compute|determine|evaluate|calculate|simplify|estimate|what(?:'s|\s+is|\s+are)?|value\s+of|product|sum|"
    r"ratio|quantity)\s+((?:[^.?!;]|\.(?=\d))*?)(?=\s*(?:[?!;]|\.(?!\d)|$|,|\b(?:if|when|given|for|where|such|"
    r"that|in\s+terms|so)\b))",
    re.IGNORECASE,
)
# Here the order is the answer, not its form.
_PUT_IN_ORDER = re.compile(
    r"(?:^|[.!?,]\s|\b(?:to|please|and)\s)(?:order|arrange|rank|sort)\s+(?:the|these|those|all|them|from|in|by|\$|\w,)",
    re.IGNORECASE,
)
# "how many ordered pairs"; "a repair" is none.
_PAIRS = re.compile(r"\b(?:pair|couple)s?\b", re.IGNORECASE)
# "base 5"; "the base is 5 cm" is read as one, which only numerals notice.
_BASE = re.compile(
    r"\bbase[- ]?\$?\s*(\d+|two|three|four|five|six|seven|eight|nine|ten|twelve|sixteen)",
    re.IGNORECASE,
)
# "(A) 5", "A. 5" at a line's start; "f(A)" starts an option only in a run A, B, C.
_OPTION_START = re.compile(
    r"(?:\\text(?:bf|rm|it)?\s*\{\s*|\\mathrm\s*\{\s*|\\mathbf\s*\{\s*)?\(([A-H])\)\s*(?:\\ |"
    r"~)?\s*\}?|^\s*([A-H])[.)]\s",
    re.MULTILINE,
)
# "\quad 5 \\" around an option; what stands inside stays.
_EDGES = re.compile(
    r"^(?:\s|~|\$|\\(?:quad|qquad|,|;|\\|hspace\{[^}]*\}))+|(?:\s|~|\$|,|;|\\(?:quad|qquad|,|;|"
    r"\\|hspace\{[^}]*\}))+$"
)
# "x = 5"; a long left side is no label.
_LABEL = re.compile(r"^[^=]{1,30}=\s*")


def _asking(problem: str) -> str:
    """The sentences that ask, or the whole question if none does."""
    sentences = re.split(r"(?<=[?!])\s+|(?<=[a-z$)\d]\.)\s+|\n+", problem)
    found = [sentence for sentence in sentences if _ASKS.search(sentence)]
    return " ".join(found) or problem


def _units(text: str) -> frozenset[Unit]:
    named = []
    for found in _UNIT.finditer(re.sub(r"[${}]|\\(?:text|mathrm)(?![a-z])", "", text)):
        words = re.sub(r"(?<=\w)\s+per\s+.*", "", found[1]) if " per " in found[1] else found[1]
        named.append(unit_named(found[1]) or unit_named(found[1].lower()) or unit_named(words))
    return frozenset(unit for unit in named if unit is not None)


# "the value of $x$"; "x + y" is more than one letter.
_ONE_LETTER = re.compile(r"(?:the\s+)?(?:exact\s+)?(?:value\s+of\s+)?\$?([a-zA-Z])\$?")


def _unknown(problem: str) -> str:
    """The variable that a question asks for: x in "What is x?"; empty if it asks for more."""
    letters = {
        letter[1] if (letter := _ONE_LETTER.fullmatch(found[1].strip())) else ""
        for found in _WANTED.finditer(problem)
    }
    return letters.pop() if len(letters) == 1 else ""


def _expressions(problem: str) -> frozenset[str]:
    wanted = set()
    for found in _WANTED.finditer(problem):
        spans = re.findall(r"\$([^$]+)\$", found[1])
        words = found[1].split()
        wanted.update(spans or (" ".join(words[place:]) for place in range(len(words))))
    return frozenset(plain(text).text for text in wanted if len(text) <= 80)


def _dimension(asking: str, problem: str) -> str:
    """What an answer measures, as `Asked.dimension` has it, where no unit is asked for."""
    measured = _MEASURED.search(asking)
    group = measured.lastgroup if measured else ""
    dimension = {"far": "length", "old": "time", "counted": "count"}.get(group, group)
    if dimension in {"", "count"} and _PAIRS.search(asking):
        return "pairs"
    # "Find the value of x." alone leaves x to a figure, which may be of angles.
    formulas = _DEFINES.search(problem) and any(
        _FORMULA.match(found[1]) for found in _WANTED.finditer(asking)
    )
    if not dimension and (formulas or _PURE_NUMBER.search(asking)):
        return "number"
    return dimension


def _spoken_of(problem: str) -> frozenset[str]:
    """The dimensions of which a question speaks, by a unit or by what it measures."""
    words = re.findall(
        r"(?<=\d)\s+[A-Za-z]\b|[A-Za-z]{2,}",
        re.sub(r"[~{}$]|\\(?:text|mathrm)(?![a-z])", " ", problem),
    )
    units = [unit_named(word.strip()) for word in words if word != "in"]
    measured = {unit.dimension for unit in units if unit is not None}
    measured |= {name for name, pattern in _SPOKEN_OF.items() if pattern.search(problem)}
    return frozenset(_FAMILIES.get(name, name) for name in measured)


@functools.lru_cache(maxsize=4096)
def asked(problem: str) -> Asked:
    """What a question tells about its answer.

    Args:
        problem: the question; empty if it is not known.
    """
    if not problem:
        return Asked()
    asking = _asking(problem)
    variables = frozenset(_VARIABLE.findall(problem)) | frozenset(_TERMS.findall(problem))
    units = frozenset(
        unit for unit in _units(asking) or _units(problem) if unit.name not in variables
    )
    dimension = "" if units else _dimension(asking, problem)
    percent: bool | None = bool(_PERCENT.search(asking))
    if not percent and not _PURE.search(asking):
        percent = None if _RATES.search(asking) or _PERCENT.search(problem) else False
    rounding = _ROUND_TO.search(problem)
    places = None
    if rounding:
        name = next(group for group in rounding.groups() if group).lower()
        places = int(name) if name.isdigit() else _PLACES[name]
    return Asked(
        units=units,
        dimension=dimension,
        spoken_of=_spoken_of(problem) if dimension == "number" else frozenset(),
        percent=percent,
        variables=variables,
        expressions=_expressions(problem),
        places=places,
        rounded=bool(_ROUNDING.search(problem)) or places is not None,
        unknown=_unknown(problem),
        terms=frozenset(_TERMS.findall(problem)),
        integers=bool(_INTEGERS.search(problem)),
        constants=bool(_CONSTANTS.search(problem)),
        roman="quadrant" in problem.lower(),
        ordered=bool(_ORDER.search(problem)),
    )


def _units_in(form) -> list[Unit]:
    if isinstance(form, Quantity):
        return [form.unit] if form.unit else []
    if isinstance(form, Collection):
        return [unit for item in form.items for unit in _units_in(item)]
    return []


def unit_conflict(wanted: Asked, gold: str, answer: str) -> bool:
    """Whether an answer carries a unit that the question rules out, while the key has none.

    Args:
        wanted: what the question tells.
        gold: the key's answer.
        answer: the answer, equal in number.
    """
    if any(_units_in(form) for form in readings(gold, wanted.variables)):
        return False
    # "5 m" is 5 as a measure only: where it is equal, it was read so.
    for unit in (unit for form in readings(answer, wanted.variables) for unit in _units_in(form)):
        dimension = unit.dimension.rstrip("?")
        if dimension in {"percent", "number"} or dimension.startswith("modulo"):
            continue
        if dimension == "count" and (
            unit.name == "unit" or wanted.dimension in {"pairs", "number"}
        ):
            continue  # "ordered pairs" are things
        if dimension.startswith("temperature"):
            dimension = "angle"  # both go by degrees
        if wanted.units:
            kinds = {dimension, unit.dimension}
            same = {other.factor for other in wanted.units if other.dimension in kinds}
            if not same or unit.factor not in same:
                return True
        elif wanted.dimension == "number":
            if dimension == "pairs" or not _may_measure(dimension, wanted.spoken_of):
                return True
        elif dimension != wanted.dimension and (wanted.dimension or dimension == "pairs"):
            return True  # 14 pairs of shoes are not 14 shoes
    return False


def _may_measure(dimension: str, spoken_of: frozenset[str]) -> bool:
    """Whether a question speaks of a dimension, or of a part of one such as "mass/volume"."""
    parts = (dimension, *dimension.split("/"))
    return any(_FAMILIES.get(part, part) in spoken_of for part in parts)


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


def _bare(answer: str) -> str:
    text = joined(plain(answer)).text
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
    if not re.search(r"frac|/", plain(gold).text):
        # The key itself is no fraction, so the demand concerns something else in the question.
        return True
    return _reduced_fraction(_without_unit(answer))


def _without_unit(answer: str) -> str:
    text = re.sub(
        r"\s+[a-zA-Z]{2,}[a-z ]*(?:\s*\^\s*\{?\d\}?)?$|\^\s*\{?\\circ\}?$", "", _bare(answer)
    )
    return text.replace("\\$", "").strip()


def _keeps_unit(problem: str, answer: str) -> bool:
    form = readings(answer)[0]
    if (
        not isinstance(form, Quantity)
        or not form.unit
        or form.unit.dimension in {"count", "percent"}
    ):
        return True
    sizes = _sizes(asked(problem), form.unit)
    return not sizes or form.unit.factor in sizes


def _sizes(wanted: Asked, unit: Unit) -> set[Fraction]:
    """Sizes of the units of a dimension that a question asks for."""
    return {other.factor for other in wanted.units if other.dimension == unit.dimension}


def converted(wanted: Asked, gold: str, answer: str) -> bool | None:
    """Whether an answer in another unit than the one asked for comes to the key's bare number.

    Args:
        wanted: what the question tells.
        gold: the key's answer; None unless it is a number without a unit.
        answer: the answer, such as "45 km".

    Returns:
        True or False; None if the question does not name one unit of that kind, or names the
        answer's own.
    """
    key, given = readings(gold, wanted.variables)[0], readings(answer, wanted.variables)[0]
    if not (isinstance(key, Quantity) and isinstance(given, Quantity)):
        return None
    if key.unit is not None or given.unit is None:
        return None
    sizes = _sizes(wanted, given.unit)
    if given.unit.dimension == "number" and not sizes:
        sizes = {Fraction(1)}
    if len(sizes) != 1 or given.unit.factor in sizes:
        return None
    scale = ("num", given.unit.factor / sizes.pop())
    return arithmetic.same_value(key.node, ("mul", given.node, scale))


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
        return not re.match(r"y\s*=", plain(gold).text) or bool(
            re.match(r"y\s*=", plain(answer).text)
        )
    return True


def _keeps_brackets(demand: str, gold: str, text: str) -> bool:
    wanted, given = readings(gold)[0], readings(text)[0]
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


def rounds_to(wanted: Asked, gold: str, answer: str) -> bool:
    """Whether a question asks for rounding, and one of key and answer is the other, rounded.

    Args:
        wanted: what the question tells.
        gold: the key's answer.
        answer: the answer, not equal to the key. Where the key is the exact value, the answer must
            have the decimal places asked for.
    """
    if not wanted.rounded:
        return False
    key, given = _without_unit(gold), _without_unit(answer)
    if re.fullmatch(r"-?\d*\.\d+", key):
        places = len(key.split(".")[1])
        if _is_decimal(given) and len(given.partition(".")[2]) <= places:
            return False
        return _within(key, given, places)
    places = len(given.partition(".")[2])
    return _is_decimal(given) and places == wanted.places and _within(given, key, places)


def _within(rounded: str, value: str, places: int) -> bool:
    try:
        node = parse_expression(value)
    except NotUnderstoodError:
        return False
    half = Fraction(1, 2 * 10**places)
    low, high = Fraction(rounded) - half, Fraction(rounded) + half
    below, above = arithmetic.compare(("num", low), node), arithmetic.compare(node, ("num", high))
    return below in {-1, 0} and above in {-1, 0}


def base_left_out(problem: str, gold: str, answer: str) -> bool:
    """Whether key and answer are the same digits, of which one lacks the base asked for."""
    named = {_base_named(found[1]) for found in _BASE.finditer(problem)}
    key, given = readings(gold)[0], readings(answer)[0]
    if isinstance(key, Based) and named:
        return re.sub(r"\s", "", plain(answer).text).upper() == key.digits
    if isinstance(given, Based) and named == {given.base}:
        return re.sub(r"\s", "", plain(gold).text).upper() == given.digits
    return False


def _base_named(word: str) -> int:
    return int(word) if word.isdigit() else NUMBER_BASES[word.lower()]
