"""Numbers with units: angles, percentages, money, lengths and counted things."""

from dataclasses import dataclass, field
from fractions import Fraction

from distil.grading import arithmetic
from distil.grading.kinds import Quantity
from distil.grading.syntax import Node, walk

PI = ("const", "pi")
# Comparisons of numbers within one pair of answers.
MOST_STEPS = 3_000
VALUE = "the value could not be computed"


class TooManyStepsError(ArithmeticError):
    """Two answers have so many parts that comparing them would take too long."""


@dataclass
class Notes:
    """Why a comparison is in doubt, and what had to be read leniently."""

    doubts: set[str] = field(default_factory=set)
    steps: list[int] = field(default_factory=lambda: [0])
    loose: set[str] = field(default_factory=set)

    def doubt(self, reason: str) -> None:
        """Record why the comparison could not be decided."""
        self.doubts.add(reason)

    def aside(self) -> "Notes":
        """Notes for a trial that leaves no trace but its cost."""
        return Notes(steps=self.steps)

    def step(self) -> None:
        """Count one comparison; raises TooManyStepsError when there were too many."""
        self.steps[0] += 1
        if self.steps[0] > MOST_STEPS:
            raise TooManyStepsError


def _has(kind: Node | str, node: Node) -> bool:
    return any(kind in (part, part[0]) for part in walk(node))


def same_number(a: Node, b: Node, notes: Notes) -> bool | None:
    """Equality of two expressions; what cannot be computed is noted as a doubt."""
    notes.step()
    same = arithmetic.same_value(a, b)
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
        if same_number(("deg", angle.node), other.node, notes):
            if other.unit is None:
                notes.loose.add("radians for degrees")
            return True
        if other.unit is not None:
            return False
    return same_number(angle.node, other.node, notes)


def _percent(percent: Quantity, other: Quantity, notes: Notes) -> bool | None:
    same = same_number(percent.node, other.node, notes)
    if other.unit is not None:
        return same if other.unit.dimension == "percent" else False
    if same:
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
