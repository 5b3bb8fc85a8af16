"""Kinds of answers: number with unit, collection, interval, equation, text ...; what is asked."""

from dataclasses import dataclass, field
from fractions import Fraction

from distil.grading.plain import Plain
from distil.grading.syntax import Node


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


@dataclass(frozen=True)
class Quantity:
    """A number or an expression, with its unit if one is written."""

    node: Node
    unit: Unit | None = None


@dataclass(frozen=True)
class Collection:
    """Several answers: a "list" (no brackets), "or", "and", "set", or "tuple" with brackets.

    "same" is one answer in two forms ("3/4, that is, 0.75"), "dots" a sequence whose last item
    follows an ellipsis, "endless" one that an ellipsis ends.
    """

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

    members: tuple[Plain, ...]
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


@dataclass(frozen=True)
class Asked:
    """What a question tells about its answer; the default is a question not known.

    Attributes:
        units: the units that the answer is asked in.
        dimension: what the answer measures, if a noun tells ("area", "count" ...); "number" where
            a pure number or a formula is asked for, as a remainder or x; else empty.
        spoken_of: where a pure number is asked for, the dimensions of which the question speaks.
        percent: whether a number with a percent sign gives percentage points (True), a part of one
            (False), or either (None).
        variables: letters that the question uses for quantities, so that they are no units.
        expressions: formulas whose value is asked for, without blanks.
        places: decimal places to round to; None if rounding is not asked for or to no known place.
        rounded: whether rounding is asked for.
        unknown: the one variable that is asked for; empty if there is none or more.
        terms: letters in terms of which the answer is asked.
        integers: whether it speaks of an integer parameter.
        constants: whether the answer holds a constant of integration.
        ordered: whether things are to be put in order.
        roman: whether it asks for a quadrant, which goes by a Roman numeral.
        tolerance: the relative error within which two numbers count as equal; 0 for none.
    """

    units: frozenset[Unit] = frozenset()
    dimension: str = ""
    spoken_of: frozenset[str] = frozenset()
    percent: bool | None = None
    variables: frozenset[str] = frozenset()
    expressions: frozenset[str] = frozenset()
    places: int | None = None
    rounded: bool = False
    unknown: str = ""
    terms: frozenset[str] = frozenset()
    integers: bool = False
    constants: bool = False
    ordered: bool = False
    roman: bool = False
    tolerance: float = 0.0


NOT_KNOWN = Asked()
MOST_STEPS = 3_000  # comparisons of numbers within one pair of answers


class TooManyStepsError(ArithmeticError):
    """Two answers have so many parts that comparing them would take too long."""


@dataclass
class Notes:
    """Why a comparison is in doubt, what had to be read leniently, and what the question asked."""

    asked: Asked = NOT_KNOWN
    doubts: set[str] = field(default_factory=set)
    steps: list[int] = field(default_factory=lambda: [0])
    loose: set[str] = field(default_factory=set)

    def doubt(self, reason: str) -> None:
        """Record why the comparison could not be decided; the verdict is then unknown."""
        self.doubts.add(reason)

    def aside(self) -> "Notes":
        """Notes for a trial that leaves no trace but its cost."""
        return Notes(self.asked, steps=self.steps)

    def step(self) -> None:
        """Count one comparison; raises TooManyStepsError when there were too many."""
        self.steps[0] += 1
        if self.steps[0] > MOST_STEPS:
            raise TooManyStepsError
