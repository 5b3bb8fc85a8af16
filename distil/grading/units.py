"""Units of measurement: what a unit measures and how large it is."""

import re
from dataclasses import dataclass
from fractions import Fraction

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
}
# Each volume in cubic metres, each area in square metres; gallons are four quarts.
_GALLON = Fraction("473176473/125000000000")
_SI = {"length": 1, "area": 2, "volume": 3}


@dataclass(frozen=True)
class Unit:
    """A unit.

    Attributes:
        dimension: what it measures: length, area, money ..., or "count" for things such as apples.
        factor: its size in the base unit of the dimension.
        name: its spelling, in lower case and singular for things.
    """

    dimension: str
    factor: Fraction
    name: str


def _table() -> dict[str, Unit]:
    table = {}
    for dimension, sizes in _DEFINITIONS.items():
        for size, names in sizes.items():
            for name in names.split():
                table[name] = Unit(dimension, Fraction(size), name)
    table["acre"] = table["acres"] = Unit("area", Fraction("316160658/78125"), "acre")
    return table


_UNITS = _table()
_POWER = re.compile(r"^(.*?)\s*(?:\^\s*\{?\s*([23])\s*\}?)$")
_PREFIX = re.compile(r"^(square|sq\.?|cubic|cu\.?)\s+(.*)$", re.IGNORECASE)
_SUFFIX = re.compile(r"^(.*?)\s+(squared|cubed)$", re.IGNORECASE)
_RATE = re.compile(r"^(.*?)\s*(?:/|\bper\b|\ba\b|\ban\b)\s*(.*)$")
_COUNT_WORDS = frozenset({"unit", "units"})


def _simple(name: str) -> Unit | None:
    plain = name.strip().rstrip(".")
    return _UNITS.get(plain) or (_UNITS.get(plain.lower()) if len(plain) > 1 else None)


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
    if base is not None:
        if base in _COUNT_WORDS:
            return Unit({2: "area?", 3: "volume?"}[power], Fraction(1), "unit")
        unit = _simple(base)
        if unit and unit.dimension == "length":
            return Unit({2: "area", 3: "volume"}[power], unit.factor**power, text)
        return None
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
