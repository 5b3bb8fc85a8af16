"""Units of measurement, and the comparison of numbers that may carry one.

unit_named("square inches")  # Unit("area", Fraction(16129, 25000000), "square inches")
"""

import functools
import re
from fractions import Fraction

from distil.grading import arithmetic
from distil.grading.kinds import Clock, Notes, Opaque, Quantity, Unit
from distil.grading.plain import Plain, expression
from distil.grading.syntax import Node, NotUnderstoodError, symbols, walk
from distil.grading.vocabulary import OTHER_SENSE, number_words

_DEFINITIONS = {
    # name: (dimension, factor to the base unit of that dimension, spellings)
    "length": {
        "1": "m meter meters metre metres",
        "1/100": "cm centimeter centimeters centimetre centimetres",
        "1/1000": "mm millimeter millimeters millimetre millimetres",
        "1000": "km kilometer kilometers kilometre kilometres kms",
        "127/5000": "in inch inches",
        "381/1250": "ft foot feet",
        "1143/1250": "yd yard yards yds",
        "201168/125": "mi mile miles",
    },
    "mass": {
        "1": "kg kilogram kilograms kgs",
        "1/1000": "g gram grams",
        "1/1000000": "mg milligram milligrams",
        "45359237/100000000": "lb lbs pound pounds",
        "45359237/1600000000": "oz ounce ounces",
    },
    "time": {
        "1": "s sec secs second seconds",
        "60": "min mins minute minutes",
        "3600": "h hr hrs hour hours",
        "86400": "day days",
        "604800": "week weeks wk wks",
        "31557600": "year years yr yrs",
        "2629800": "month months",
    },
    "money": {
        "1": "dollar dollars usd \\$",
        "1/100": "cent cents penny pennies",
    },
    "number": {"12": "dozen dozens"},
    "pairs": {"2": "pair pairs couple couples"},
    "euro": {"1": "euro euros eur \\euro"},
    "sterling": {"1": "\\pounds gbp"},
    "volume": {
        "1/1000": "L l liter liters litre litres",
        "1/1000000": "mL ml milliliter milliliters millilitre millilitres cc",
        "473176473/125000000000": "gallon gallons gal gals",
        "473176473/500000000000": "quart quarts qt qts",
        "473176473/1000000000000": "pint pints",
        "473176473/2000000000000": "cup cups",
    },
    "angle": {"1": "degree degrees deg degs"},
    "radian": {"1": "radian radians rad rads"},
    "percent": {"1": "percent pct percents percentage"},
    "speed": {"1397/3125": "mph", "5/18": "kph kmh kmph"},
    "area": {"316160658/78125": "acre acres", "10000": "hectare hectares ha"},
    "force": {"1": "N newton newtons", "1000": "kN"},
    "energy": {"1": "J joule joules", "1000": "kJ", "801088317/5000000000000000000000000000": "eV"},
    "power": {"1": "W watt watts", "1000": "kW"},
    "voltage": {"1": "V volt volts"},
    "current": {"1": "A ampere amperes amps"},
    "temperature K": {"1": "K kelvin kelvins"},
    "frequency": {"1": "Hz hertz", "1000": "kHz", "1000000": "MHz"},
    "pressure": {"1": "Pa pascal pascals", "1000": "kPa", "101325": "atm"},
}


_UNITS = {
    name: Unit(dimension, Fraction(size), name)
    for dimension, sizes in _DEFINITIONS.items()
    for size, names in sizes.items()
    for name in names.split()
}
# "cm^2"; "cm^4" measures nothing here.
_POWER = re.compile(r"^(.*?)\s*(?:\^\s*\{?\s*([23])\s*\}?)$")
# "square inches"; "squared inches" is no unit.
_PREFIX = re.compile(r"^(square|sq\.?|cubic|cu\.?)\s+(.*)$", re.IGNORECASE)
# "inches squared"; "square" alone is a shape.
_SUFFIX = re.compile(r"^(.*?)\s+(squared|cubed)$", re.IGNORECASE)
# "miles per hour", "m/s"; "a" joins only with a unit on both sides.
_RATE = re.compile(r"^(.*?)\s*(?:/|\bper\b|\ba\b|\ban\b)\s*(.*)$")
# What may follow a number as its unit: "cm", "square inches", "cm^2/s"; not "+ cm".
_UNIT = re.compile(
    r"^([A-Za-z][A-Za-z.' -]*?(?:\s*(?:/|\s\\cdot\s)\s*[A-Za-z]+\.?(?:\^\s*\{?[23]\}?)?)*)\s*"
    r"(?:\^\s*\{?\s*([23])\s*\}?)?\s*(?:(?:/|per\b)\s*([A-Za-z]+)\s*(?:\^\s*\{?\s*([23])\s*\}?)?)?$"
)
# The number before: "2x cm" ends in x; "\sqrt" ends in a command, not in a number.
_UNIT_TAIL = re.compile(r"^(.*?[\d)}\]!a-zA-Z%.])\s*(?<![A-Za-z\\])([A-Za-z].*)$", re.DOTALL)
# "m/s": only signs between; a digit starts another number.
_BETWEEN_UNITS = re.compile(r"[\s/^{}23\\cdot.*-]*")
# "30^\circ", "30^\circ C"; "\sin 30^\circ" names a function and is a number.
_DEGREES = re.compile(r"^(.*?)\s*\^\s*(?:\{\s*\\circ\s*\}|\\circ)\s*([CF])?$", re.DOTALL)
# "\sin 30"; "since" is a word.
_NAMES_FUNCTION = re.compile(r"(?:sin|cos|tan|cot|sec|csc|cis)(?![a-z])")
# "12%"; "12% of 5" is words.
_PERCENT = re.compile(r"^(.*?)\s*\\?%$", re.DOTALL)
# "-\$5"; a bare "$" was a delimiter.
_MONEY = re.compile(r"^(-?)\s*(\\\$|\\euro|\\pounds)\s*(-?)(.*)$", re.DOTALL)
# "5 feet 3 inches"; the units must be of one kind, the larger first.
_COMPOUND = re.compile(
    r"^(\d+(?:\.\d+)?)\s*([a-z]+)\.?\s*(?:,|and)?\s*(\d+(?:\.\d+)?)\s*([a-z]+)\.?$"
)
# Primes after a number are feet and inches; "f'" is a derivative.
_FEET = re.compile(r"^(\d+(?:\.\d+)?)\s*'(?!')\s*(?:(\d+(?:\.\d+)?)\s*(?:''|\")?)?$")
# 5"; "5' 3"" has feet too.
_INCHES = re.compile(r"^(\d+(?:\.\d+)?)\s*(?:''|\")$")
_HALVES_OF_DAY = {"morning": "am", "afternoon": "pm", "evening": "pm", "night": "pm"}
# "5 o'clock in the morning"; not "5 in the box".
_HALF_OF_DAY = re.compile(
    r"\s*(?:o'?clock)?\s*(?:in\s+the\s+(morning|afternoon|evening)|at\s+(night))\s*$",
    re.IGNORECASE,
)
# "5:30 p.m."; "5:3" and "5:75" are ratios.
_CLOCK = re.compile(
    r"^(\d{1,2}):([0-5]\d)(?::00)?\s*([ap])?\s*\.?\s*(m)?\.?\s*(?:o'?clock)?\.?$", re.IGNORECASE
)
# "5 pm"; "5 p" is a product.
_CLOCK_HOUR = re.compile(r"^(\d{1,2})\s*([ap])\.?\s*m\.?$", re.IGNORECASE)
# "5 o'clock"; "25 o'clock" is no time.
_OCLOCK = re.compile(r"^(\d{1,2})\s*o'?clock$", re.IGNORECASE)
NOON = {"noon": 720, "midnight": 0, "12 noon": 720, "12 midnight": 0}
PI = ("const", "pi")
VALUE = "the value could not be computed"
_COUNT_WORDS = frozenset({"unit", "units"})


def _simple(name: str) -> Unit | None:
    plain = name.strip().rstrip(".")
    return _UNITS.get(plain) or (_UNITS.get(plain.lower()) if len(plain) > 1 else None)


@functools.lru_cache(maxsize=4096)
def unit_named(text: str) -> Unit | None:
    r"""The unit a piece of text names.

    Args:
        text: such as "cm", "square inches", "cm^2", "miles per hour", "m/s"; no mark-up.

    Returns:
        The unit, or None if the text is not a known unit.
    """
    text = " ".join(text.split())
    if not text:
        return None
    simple = _simple(text)
    if simple:
        return simple
    power, base = 1, None
    found = _PREFIX.match(text)
    if found:
        power, base = (2 if found[1].lower().startswith("s") else 3), found[2]
    elif found := _SUFFIX.match(text):
        power, base = (2 if found[2].lower() == "squared" else 3), found[1]
    elif found := _POWER.match(text):
        power, base = int(found[2]), found[1]
    if base is not None and "/" not in base:
        if base in _COUNT_WORDS:
            return Unit({2: "area?", 3: "volume?"}[power], Fraction(1), "unit")
        unit = _simple(base)
        if unit is None or unit.dimension not in {"length", "time"}:
            return None
        dimension = f"time^{power}" if unit.dimension == "time" else {2: "area", 3: "volume"}[power]
        return Unit(dimension, unit.factor**power, text)
    found = _RATE.match(text)
    if found and found[1] and found[2]:
        top, bottom = unit_named(found[1]), unit_named(found[2])
        if top and bottom:
            dimension = f"{top.dimension}/{bottom.dimension}"
            return Unit(
                "speed" if dimension == "length/time" else dimension,
                top.factor / bottom.factor,
                text,
            )
    return None


def things(text: str) -> Unit:
    """A unit for counted things: "apples"; plural and singular are the same."""
    name = " ".join(text.lower().split())
    return Unit("count", Fraction(1), name[:-1] if name.endswith("s") and len(name) > 3 else name)


def quantity(text: Plain) -> Quantity | Opaque:
    """The expression that a text is, or a formula that the grammar does not cover."""
    try:
        return Quantity(expression(text))
    except NotUnderstoodError:
        return Opaque(text.text)


def has_symbols(text: Plain) -> bool:
    """Whether a text is no expression of numbers alone."""
    try:
        return bool(symbols(expression(text)))
    except NotUnderstoodError:
        return True


def with_unit(text: Plain) -> Quantity | None:
    """The number with its unit that a text is (money, percentage, angle, measure); else None."""
    money = _MONEY.match(text.text)
    if money and money[4].strip():
        amount = text.group(money, 4)
        inner = with_unit(amount) if re.search(r"[A-Za-z]", money[4]) else None
        if inner and inner.unit and inner.unit.dimension in {"money", "count"}:
            value = Quantity(inner.node)
        else:
            value = quantity(amount)
        if not isinstance(value, Quantity):
            return None
        negative = bool(money[1]) ^ bool(money[3])
        return Quantity(("neg", value.node) if negative else value.node, unit_named(money[2]))
    percent = _PERCENT.match(text.text)
    if percent and percent[1]:
        value = quantity(text.group(percent, 1))
        return Quantity(value.node, unit_named("percent")) if isinstance(value, Quantity) else None
    degrees = _DEGREES.match(text.text)
    if degrees and degrees[1] and not _NAMES_FUNCTION.search(text.text):
        value = quantity(text.group(degrees, 1))
        if isinstance(value, Quantity) and not any(part[0] == "deg" for part in walk(value.node)):
            scale = degrees[2]
            unit = Unit(f"temperature {scale}", Fraction(1), scale) if scale else None
            return Quantity(value.node, unit or unit_named("degrees"))
    return _with_named_unit(text)


def _unit_place(text: Plain) -> int | None:
    """Where the unit of a number starts, if it was set upright."""
    start = None
    end = len(text.text)
    for low, high in reversed(text.spans):
        if start is None and not _UNIT.match(text.part(low).text):
            break
        if start is not None and not _BETWEEN_UNITS.fullmatch(text.text[high:end]):
            break
        start = end = low
    return start


def _with_named_unit(text: Plain) -> Quantity | None:
    place = _unit_place(text)
    upright = bool(place)
    if not upright:
        tail = _UNIT_TAIL.match(text.text)
        if not tail:
            return None
        place = tail.start(2)
    head, found = text.part(0, place), _UNIT.match(text.part(place).text)
    if not found or not head.text:
        return None
    name = found[1].strip()
    bottom = f"/{found[3]}" + (f"^{found[4]}" if found[4] else "") if found[3] else ""
    full = re.sub(r"[{}]", "", name + (f"^{found[2]}" if found[2] else "") + bottom)
    unit = unit_named(full)
    words = re.findall(r"[A-Za-z]+", name)
    if re.match(r"(?:per|each|apiece)\b", name):
        unit = things(name)
    elif not upright:
        if unit is None and not all(
            len(word) > 3 or word.lower() in {"of", "sq", "per", "the", "in"} for word in words
        ):
            return None
        # "5m" is a product, and so is "k m^3".
        if unit is not None and len(name) == 1 and (len(full) == 1 or has_symbols(head)):
            return None
    if unit is None:
        if found[2] or not re.search(r"[A-Za-z]{2,}", name) or len(name) > 60:
            return None
        # "5 less than x" and "5 or more" are no five things.
        if OTHER_SENSE.search(name) or words[0].lower() in {"and", "is", "with", "when", "where"}:
            return None
        unit = (unit_named(words[0]) if len(words) > 1 else None) or things(name)
    value = quantity(head)
    if isinstance(value, Opaque):
        spelled = number_words(head.text)
        value = Quantity(("num", spelled)) if spelled is not None else value
    return Quantity(value.node, unit) if isinstance(value, Quantity) else None


def compound(text: str) -> Quantity | None:
    """The measure that a text such as "5 feet 3 inches" or "5'3" is; else None."""
    found = _COMPOUND.match(text)
    if found:
        first, second = unit_named(found[2]), unit_named(found[4])
        if (
            first
            and second
            and first.dimension == second.dimension
            and first.factor > second.factor
        ):
            part = Fraction(found[3]) * second.factor / first.factor
            return Quantity(("num", Fraction(found[1]) + part), first)
    found = _FEET.match(text)
    if found:
        feet = Fraction(found[1]) + Fraction(found[2] or 0) / 12
        return Quantity(("num", feet), unit_named("feet"))
    found = _INCHES.match(text)
    return Quantity(("num", Fraction(found[1])), unit_named("inches")) if found else None


def clock_time(text: str) -> Clock | None:
    """The time of day that a text such as "5:30 p.m." is; else None."""
    text = _HALF_OF_DAY.sub(lambda half: " " + _HALVES_OF_DAY[(half[1] or half[2]).lower()], text)
    found = _CLOCK.match(text)
    if found and bool(found[3]) == bool(found[4]) and int(found[1]) <= 24:
        half = f"{found[3].lower()}m" if found[3] else ""
        return Clock(int(found[1]) * 60 + int(found[2]), half)
    found = _CLOCK_HOUR.match(text)
    if found and 1 <= int(found[1]) <= 12:
        return Clock(int(found[1]) * 60, f"{found[2].lower()}m")
    found = _OCLOCK.match(text)
    return Clock(int(found[1]) * 60) if found and 1 <= int(found[1]) <= 12 else None


def _has(kind: Node | str, node: Node) -> bool:
    return any(kind in (part, part[0]) for part in walk(node))


def same_number(a: Node, b: Node, notes: Notes) -> bool | None:
    """Equality of two expressions; what cannot be computed is noted as a doubt."""
    notes.step()
    same = arithmetic.same_value(a, b)
    if same is False and notes.asked.tolerance:
        sizes = [arithmetic.approximately(node) for node in (a, b)]
        if None not in sizes:
            same = abs(sizes[0] - sizes[1]) <= notes.asked.tolerance * max(map(abs, sizes))
    if same is None:
        notes.doubt(VALUE)
    return same


def same_quantity(a: Quantity, b: Quantity, notes: Notes) -> bool | None:
    """Equality of two quantities; a missing unit is no difference, another unit is converted."""
    if a.unit is None and b.unit is None:
        same = same_number(a.node, b.node, notes)
        if not same and _has("deg", a.node) != _has("deg", b.node):
            bare = [q.node[1] if q.node[0] == "deg" else q.node for q in (a, b)]
            return same_number(bare[0], bare[1], notes)
        return same
    for one, other in ((a, b), (b, a)):
        if one.unit and one.unit.dimension in {"angle", "radian"}:
            return _angles(one, other, notes)
    for one, other in ((a, b), (b, a)):
        if one.unit and one.unit.dimension == "percent":
            return _percent(one, other, one is b, notes)
    if a.unit is None or b.unit is None:
        same = same_number(a.node, b.node, notes)
        if not same and (a.unit or b.unit).dimension == "number":
            return same_number(_plain_number(a), _plain_number(b), notes)
        return same
    return _measured(a, b, notes)


def _plain_number(quantity: Quantity) -> Node:
    return ("mul", quantity.node, ("num", quantity.unit.factor if quantity.unit else Fraction(1)))


def _angles(angle: Quantity, other: Quantity, notes: Notes) -> bool | None:
    if other.unit and other.unit.dimension == angle.unit.dimension:
        return same_number(angle.node, other.node, notes)
    if other.unit and other.unit.dimension not in {"angle", "radian"}:
        return (
            False
            if not other.unit.dimension.startswith("temperature")
            else same_number(angle.node, other.node, notes)
        )
    if angle.unit.dimension == "radian":
        if other.unit is not None:
            return same_number(angle.node, ("deg", other.node), notes)
        return same_number(angle.node, other.node, notes)
    if other.unit is not None or _has(PI, other.node) or _has("deg", other.node):
        # A bare multiple of pi is an angle in radians: "\\pi/6 degrees" is not \\pi/6.
        same = same_number(("deg", angle.node), other.node, notes)
        if same and other.unit is None:
            notes.loose.add("radians for degrees")
        return same
    return same_number(angle.node, other.node, notes)


def _percent(percent: Quantity, other: Quantity, given: bool, notes: Notes) -> bool | None:
    """A percentage against another, or against a bare number as the question has it.

    A key of 25 % is met by 0.25 too; an answer of 2500 % does not meet a key of 25 percent.
    """
    same = same_number(percent.node, other.node, notes)
    if other.unit is not None:
        return same if other.unit.dimension == "percent" else False
    if (same and notes.asked.percent is not False) or (given and notes.asked.percent):
        return same
    return same_number(("div", percent.node, ("num", Fraction(100))), other.node, notes)


def _measured(a: Quantity, b: Quantity, notes: Notes) -> bool | None:
    same = same_number(a.node, b.node, notes)
    first, second = a.unit.dimension, b.unit.dimension
    if first == second:
        if first == "count":
            if same and a.unit.name not in b.unit.name and b.unit.name not in a.unit.name:
                notes.doubt("different things counted")
                return None
            return same
        if a.unit.factor == b.unit.factor:
            return same
        return same_number(
            ("mul", a.node, ("num", a.unit.factor)), ("mul", b.node, ("num", b.unit.factor)), notes
        )
    plain = {first.rstrip("?"), second.rstrip("?")}
    if len(plain) == 1:
        return same
    if "count" in plain and same:
        notes.doubt("a unit against counted things")
        return None
    return False
