"""Sets of real numbers: intervals, unions, differences and the inequalities that describe them."""

from fractions import Fraction

from distil.grading import arithmetic
from distil.grading.arithmetic import exact
from distil.grading.forms import expression, parse_form
from distil.grading.kinds import Collection, Quantity, Regions, Relation
from distil.grading.syntax import ZERO, Node, NotUnderstoodError, symbols

LOW: Node = ("neg", ("const", "inf"))
HIGH: Node = ("const", "inf")
MOST_PIECES = 40
# (low end, closed there, high end, closed there)
Piece = tuple[Node, bool, Node, bool]
_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "!=": "!=", "=": "="}


class NotARegionError(ValueError):
    """The answer is no set of real numbers, or its ends cannot be ordered."""


def _order(a: Node, b: Node) -> int:
    order = arithmetic.compare(a, b)
    if order is None:
        raise NotARegionError("ends cannot be ordered")
    return order


def _simplified(node: Node) -> Node:
    if node[0] == "neg" and node[1][0] == "neg":
        return _simplified(node[1][1])
    if node in {LOW, HIGH}:
        return node
    try:
        return ("num", exact(node))
    except ArithmeticError:
        return node


def _piece(low: Node, low_closed: bool, high: Node, high_closed: bool) -> list[Piece]:
    low, high = _simplified(low), _simplified(high)
    if symbols(low) or symbols(high):
        return [(low, low_closed, high, high_closed)]
    order = _order(low, high)
    if order > 0 or (order == 0 and not (low_closed and high_closed)):
        return []
    return [(low, low_closed, high, high_closed)]


def _interval(low: Node, low_closed: bool, high: Node, high_closed: bool) -> list[Piece]:
    """A written interval, whose ends must be in order: (3, 2) is a point, not an empty interval."""
    pieces = _piece(low, low_closed, high, high_closed)
    if not pieces:
        raise NotARegionError("ends out of order")
    return pieces


def _union(pieces: list[Piece]) -> list[Piece]:
    if len(pieces) > MOST_PIECES:
        raise NotARegionError("too many pieces")
    ordered: list[Piece] = []
    for piece in pieces:
        place = 0
        while place < len(ordered):
            order = _order(piece[0], ordered[place][0])
            if order < 0 or (order == 0 and piece[1] and not ordered[place][1]):
                break
            place += 1
        ordered.insert(place, piece)
    merged: list[Piece] = []
    for piece in ordered:
        if merged:
            low, low_closed, high, high_closed = merged[-1]
            order = _order(piece[0], high)
            if order < 0 or (order == 0 and (piece[1] or high_closed)):
                further = _order(piece[2], high)
                if further > 0:
                    merged[-1] = (low, low_closed, piece[2], piece[3])
                elif further == 0:
                    merged[-1] = (low, low_closed, high, high_closed or piece[3])
                continue
        merged.append(piece)
    return merged


def _meet(first: list[Piece], second: list[Piece]) -> list[Piece]:
    result = []
    for a in first:
        for b in second:
            low_order, high_order = _order(a[0], b[0]), _order(a[2], b[2])
            low = a[:2] if low_order > 0 else b[:2] if low_order < 0 else (a[0], a[1] and b[1])
            high = a[2:] if high_order < 0 else b[2:] if high_order > 0 else (a[2], a[3] and b[3])
            result.extend(_piece(*low, *high))
    return _union(result)


def _complement(pieces: list[Piece]) -> list[Piece]:
    result = [(LOW, False, HIGH, False)]
    for low, low_closed, high, high_closed in pieces:
        outside = _piece(LOW, False, low, not low_closed) if low != LOW else []
        outside += _piece(high, not high_closed, HIGH, False) if high != HIGH else []
        result = _meet(result, outside)
    return result


def _linear(node: Node, name: str) -> tuple[Node, Node]:
    """Slope and value at 0 of an expression linear in one variable."""
    at = [arithmetic.substitute(node, name, Fraction(point)) for point in (0, 1, 2, 5)]
    slope = _simplified(("add", at[1], ("neg", at[0])))
    for point, value in ((2, at[2]), (5, at[3])):
        line = ("add", at[0], ("mul", ("num", Fraction(point)), slope))
        if arithmetic.same_value(value, line) is not True:
            raise NotARegionError("not linear")
    return slope, at[0]


def _solutions(left: Node, operator: str, right: Node) -> list[Piece]:
    for a, b, sign in ((left, right, operator), (right, left, _FLIPPED[operator])):
        if a[0] == "fn" and a[1] == "abs" and not symbols(b):
            inner = a[2][0]
            above = _solutions(inner, sign, b)
            below = _solutions(inner, _FLIPPED[sign], ("neg", b))
            return _meet(above, below) if sign in {"<", "<=", "!="} else _union(above + below)
    difference = ("add", left, ("neg", right))
    names = symbols(difference)
    if len(names) != 1:
        raise NotARegionError("not in one variable")
    slope, start = _linear(difference, next(iter(names)))
    direction = _order(slope, ZERO)
    if direction == 0:
        raise NotARegionError("no variable left")
    end = _simplified(("neg", ("div", start, slope)))
    if direction < 0:
        operator = _FLIPPED[operator]
    if operator == "!=":
        return [(LOW, False, end, False), (end, False, HIGH, False)]
    if operator == "=":
        return [(end, True, end, True)]
    if operator in {"<", "<="}:
        return [(LOW, False, end, operator == "<=")]
    return [(end, operator == ">=", HIGH, False)]


def _of_relation(relation: Relation) -> list[Piece]:
    if relation.operators[-1] == "in":
        return pieces_of(parse_form(relation.members[-1]))
    try:
        members = [expression(member) for member in relation.members]
    except NotUnderstoodError:
        raise NotARegionError("not understood") from None
    result = None
    for left, operator, right in zip(members, relation.operators, members[1:], strict=False):
        if operator not in _FLIPPED:
            raise NotARegionError("no inequality")
        if {left, right} & {LOW, HIGH}:
            continue
        part = _solutions(left, operator, right)
        result = part if result is None else _meet(result, part)
    if result is None:
        if len(members) == 3:
            return [(LOW, False, HIGH, False)]
        raise NotARegionError("no inequality")
    return result


def _variables(form: Relation) -> frozenset[str]:
    try:
        return frozenset().union(*(symbols(expression(member)) for member in form.members))
    except NotUnderstoodError:
        return frozenset()


def _of_collection(form: Collection) -> list[Piece]:
    if form.kind == "set":
        result: list[Piece] = []
        for item in form.items:
            if not isinstance(item, Quantity):
                raise NotARegionError("not a set of numbers")
            result.extend(_piece(item.node, True, item.node, True))
        return _union(result)
    if form.kind == "tuple":
        if (
            form.brackets == "()"
            and len(form.items) == 2
            and all(isinstance(item, Quantity) for item in form.items)
        ):
            return _interval(form.items[0].node, False, form.items[1].node, False)
        raise NotARegionError("a tuple")
    head = form.items[0]
    if (
        isinstance(head, Relation)
        and head.operators == ("!=",)
        and not any(isinstance(item, Relation) for item in form.items[1:])
    ):
        points = [head.members[1]]
        excluded = [Quantity(expression(points[0])), *form.items[1:]]
        return _complement(_of_collection(Collection("set", tuple(excluded))))
    if not all(isinstance(item, Relation | Regions) for item in form.items):
        raise NotARegionError("not inequalities")
    if len({_variables(item) for item in form.items if isinstance(item, Relation)}) > 1:
        raise NotARegionError("several variables")
    parts = [pieces_of(item) for item in form.items]
    if form.kind in {"and", "list"}:
        met = parts[0]
        for part in parts[1:]:
            met = _meet(met, part)
        if met or (
            form.kind == "and" and not all(isinstance(item, Relation) for item in form.items)
        ):
            return met
    # "x < 1, x > 3" cannot mean both at once.
    return _union([piece for part in parts for piece in part])


def pieces_of(form) -> list[Piece]:
    """The intervals of which an answer consists, in order and disjoint.

    Args:
        form: any form of `forms`.

    Returns:
        Maximal pieces (low, closed, high, closed); a single number is a piece with equal ends.

    Raises:
        NotARegionError: if the answer is not a set of real numbers that can be told.
    """
    try:
        return _pieces_of(form)
    except NotUnderstoodError:
        raise NotARegionError("not understood") from None


def _pieces_of(form) -> list[Piece]:
    if isinstance(form, Relation):
        return _of_relation(form)
    if isinstance(form, Collection) and (form.items or form.kind == "set"):
        return _of_collection(form)
    if isinstance(form, Regions):
        if form.operation == "interval":
            return _interval(*form.parts)
        parts = [pieces_of(part) for part in form.parts]
        if form.operation == "union":
            return _union([piece for part in parts for piece in part])
        result = parts[0]
        for part in parts[1:]:
            result = _meet(result, _complement(part) if form.operation == "minus" else part)
        return result
    raise NotARegionError("no set of numbers")


def same_region(a, b) -> bool | None:
    """Whether two answers describe the same set of real numbers; None if that cannot be told."""
    try:
        first, second = pieces_of(a), pieces_of(b)
    except NotARegionError:
        return None
    if len(first) != len(second):
        return False
    doubt = False
    for one, other in zip(first, second, strict=True):
        if one[1] != other[1] or one[3] != other[3]:
            return False
        for end, other_end in ((one[0], other[0]), (one[2], other[2])):
            same = arithmetic.same_value(end, other_end)
            if same is False:
                return False
            doubt = doubt or same is None
    return None if doubt else True
