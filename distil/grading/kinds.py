"""The kinds of answers: number with unit, collection, interval, equation, text and so on."""

from dataclasses import dataclass

from distil.grading.syntax import Node
from distil.grading.units import Unit


@dataclass(frozen=True)
class Quantity:
    """A number or an expression, with its unit if one is written."""

    node: Node
    unit: Unit | None = None


@dataclass(frozen=True)
class Collection:
    """Several answers: a "list" (no brackets), "or", "and", "set", or "tuple" with brackets."""

    kind: str
    items: tuple
    brackets: str = ""


@dataclass(frozen=True)
class Regions:
    """A set of real numbers written as intervals and set operations: ("union", parts) and so on."""

    operation: str
    parts: tuple


@dataclass(frozen=True)
class Relation:
    """A chain such as 0 < x <= 3 or 2/8 = 1/4: members and the operators between them."""

    members: tuple[str, ...]
    operators: tuple[str, ...]


@dataclass(frozen=True)
class Matrix:
    """Rows of expressions; `bars` marks a determinant."""

    rows: tuple[tuple[Node, ...], ...]
    bars: bool = False


@dataclass(frozen=True)
class Words:
    """A text answer, normalised."""

    text: str


@dataclass(frozen=True)
class Choice:
    """A multiple-choice letter, with the option's value if the answer repeats it."""

    letter: str
    value: object = None


@dataclass(frozen=True)
class Clock:
    """A time of day in minutes; `half` is "am", "pm" or empty."""

    minutes: int
    half: str = ""


@dataclass(frozen=True)
class Ratio:
    """Parts of a ratio a : b : c."""

    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Based:
    """A numeral with its base."""

    digits: str
    base: int
    node: Node


@dataclass(frozen=True)
class Opaque:
    """A formula that the grammar does not cover."""

    text: str


REALS = Regions("interval", (("neg", ("const", "inf")), False, ("const", "inf"), False))
EMPTY = Collection("set", ())
