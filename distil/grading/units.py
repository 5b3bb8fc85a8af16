"""Units of measurement, and the comparison of numbers that may carry one.

unit_named("square inches")  # Unit("area", Fraction(16129, 25000000), "square inches")
"""

import functools
import re
from fractions import Fraction

from distil.grading import arithmetic
from distil.grading.kinds import Notes, Quantity, Unit
from distil.grading.syntax import Node, walk

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
_POWER = re.compile(r"^(.*?)\s*(?:\^\s*\{?\s*([23])\s*\}?)$")
_PREFIX = re.compile(r"^(square|sq\.?|cubic|cu\.?)\s+(.*)$", re.IGNORECASE)
_SUFFIX = re.compile(r"^(.*?)\s+(squared|cubed)$", re.IGNORECASE)
_RATE = re.compile(r"^(.*?)\s*(?:/|\bper\b|\ba\b|\ban\b)\s*(.*)$")
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
            return _percent(one, other, notes)
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


def _percent(percent: Quantity, other: Quantity, notes: Notes) -> bool | None:
    """A percentage against another, or against a bare number as the question has it."""
    same = same_number(percent.node, other.node, notes)
    if other.unit is not None:
        return same if other.unit.dimension == "percent" else False
    if same and notes.asked.percent is not False:
        return True
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
