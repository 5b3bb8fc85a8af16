r"""Answers equal up to what is arbitrary in them: constants of integration, families of solutions.

up_to_constant(x^2 + C, x^2 + K), same_family(pi/4 + k pi, 5 pi/4 + n pi)  # True, True
"""

import re
from fractions import Fraction

from distil.grading import arithmetic
from distil.grading.kinds import Asked
from distil.grading.syntax import ONE, ZERO, Node, rename, symbols, walk

# Names that people give an arbitrary constant; without a question one of the two must be C.
_CONSTANTS = re.compile(r"[CcKkDA]|[CcKk]_?\{?[0-9]\}?")
_SURE_CONSTANT = re.compile(r"C(?:_?\{?[0-9]\}?)?")
_PARAMETERS = frozenset({"k", "n", "m", "j", "l", "N", "K", "ell", "t"})
_TURN = {("const", "pi")}


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
    named = frozenset() if asked.integers else asked.variables
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
