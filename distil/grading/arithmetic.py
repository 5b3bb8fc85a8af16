"""Are two expressions equal? Exact rationals, then a prime field, then many digits.

- An expression of rational numbers is computed exactly.
- A rational function of variables (pi and e count as variables: both are transcendental) is
  computed in the field of residues of a large prime at random points. Powers of any size cost
  nothing there. Unequal residues prove inequality; equal ones at several points leave a chance of
  error below 1e-30 (Schwartz 1980, doi:10.1145/322217.322225; Zippel 1979).
- All else (roots, logarithms, trigonometry) is computed to 40 and to 120 digits. A difference that
  stays is a difference, one that shrinks with the precision is none. So a decimal never equals an
  irrational.

Sizes are capped before anything is computed, so that each call takes milliseconds.
"""

from fractions import Fraction

from distil.grading.digits import context, evaluate, sample_points
from distil.grading.rationals import (
    NotExactError,
    TooCostlyError,
    UndefinedError,
    exact,
    primes,
    residues,
)
from distil.grading.syntax import Node, symbols

_COARSE, _FINE = 40, 120


def _same_residues(a: Node, b: Node) -> bool:
    """Whether two rational functions agree; raises NotExactError if they are none."""
    for prime in primes(a, b):
        for point in range(2):
            top_a, bottom_a = residues(a, point, prime)
            top_b, bottom_b = residues(b, point, prime)
            if bottom_a == 0 or bottom_b == 0:
                raise UndefinedError
            if (top_a * bottom_b - top_b * bottom_a) % prime:
                return False
    return True


def _differ(a: Node, b: Node, values: dict[str, Fraction]) -> tuple[bool | None, bool]:
    """Whether two expressions differ at a point (None: cannot tell) and whether both stay real."""
    mp = context()
    coarse_a, _ = evaluate(a, values, _COARSE)
    coarse_b, _ = evaluate(b, values, _COARSE)
    coarse = coarse_a - coarse_b
    fine_a, real_a = evaluate(a, values, _FINE)
    fine_b, real_b = evaluate(b, values, _FINE)
    fine = fine_a - fine_b
    real = real_a and real_b
    if fine != 0 and abs(coarse - fine) < abs(fine) / 1000:
        return True, real
    scale = max(abs(fine_a), abs(fine_b), 1)
    if abs(fine) <= scale * mp.mpf(10) ** (-_FINE // 2):
        return False, real
    return None, real


def _same_digits(a: Node, b: Node) -> bool | None:
    names = symbols(a) | symbols(b)
    if not names:
        differ, _ = _differ(a, b, {})
        return None if differ is None else not differ
    agreed = 0
    unreal: list[bool | None] = []
    for values in sample_points(names):
        try:
            differ, real = _differ(a, b, values)
        except UndefinedError:
            continue
        if not real:
            unreal.append(differ)
        elif differ is None:
            return None
        elif differ:
            return False
        else:
            agreed += 1
    if agreed >= 2:
        return True
    whole = _agree_on_integers(a, b, names)
    if whole is not None:
        return whole
    if len(unreal) >= 3 and None not in unreal:
        return not any(unreal)
    return None


def _agree_on_integers(a: Node, b: Node, names: frozenset[str]) -> bool | None:
    """Agreement at whole numbers, for expressions such as (-1)^n that are real only there."""
    agreed = 0
    for point in range(4):
        values = {
            name: Fraction(2 + (3 * point + 5 * place) % 11) + point % 2
            for place, name in enumerate(sorted(names))
        }
        try:
            differ, real = _differ(a, b, values)
        except UndefinedError:
            continue
        if not real or differ is None:
            return None
        if differ:
            return False
        agreed += 1
    return True if agreed >= 3 else None


def same_value(a: Node, b: Node) -> bool | None:
    """Whether two expressions are equal wherever both are defined.

    Args:
        a: an expression.
        b: another.

    Returns:
        True or False, or None when it could not be told within the caps.
    """
    if a == b:
        return True
    try:
        return exact(a) == exact(b)
    except (NotExactError, TooCostlyError):
        pass
    except UndefinedError:
        return None
    try:
        if "inf" in _infinities(a) | _infinities(b):
            return _same_infinity(a, b)
        return _same_residues(a, b)
    except (NotExactError, TooCostlyError, UndefinedError):
        pass
    try:
        return _same_digits(a, b)
    except ArithmeticError:
        return None


def _infinities(node: Node) -> set[str]:
    if node == ("const", "inf"):
        return {"inf"}
    return {"inf"} if node[0] == "neg" and node[1] == ("const", "inf") else set()


def _same_infinity(a: Node, b: Node) -> bool:
    def plain(node: Node) -> Node:
        return node[1] if node[0] == "neg" and node[1][0] == "neg" else node

    return plain(a) == plain(b)


def compare(a: Node, b: Node) -> int | None:
    """-1, 0 or 1 as a is below, equal to or above b on the real line; None if it cannot be told."""
    low, high = ("neg", ("const", "inf")), ("const", "inf")
    if a == b:
        return 0
    if a == low or b == high:
        return -1
    if a == high or b == low:
        return 1
    try:
        left, right = exact(a), exact(b)
        return (left > right) - (left < right)
    except ArithmeticError:
        pass
    same = same_value(a, b)
    if same is None or symbols(a) or symbols(b):
        return 0 if same else None
    if same:
        return 0
    try:
        left, real_left = evaluate(a, {}, _FINE)
        right, real_right = evaluate(b, {}, _FINE)
    except ArithmeticError:
        return None
    if not (real_left and real_right):
        return None
    mp = context()
    return -1 if mp.re(left) < mp.re(right) else 1


def approximately(node: Node) -> float | None:
    """A float near the value of a constant expression, or None if it has no real one."""
    if symbols(node):
        return None
    try:
        value, _ = evaluate(node, {}, _COARSE)
    except ArithmeticError:
        return None
    value = context().mpmathify(value)
    return None if abs(value.imag) > 1e-30 else float(value.real)


def proportional(a: Node, b: Node) -> tuple[bool | None, int]:
    """Whether a = k b for a constant k other than 0, and the sign of k (0 if not known).

    Two equations a = 0 and b = 0 whose sides are so related have the same solutions. Rational
    functions are compared by their numerators.
    """
    if symbols(a) != symbols(b) or not symbols(a):
        return False, 0
    try:
        sign = _sign_of_ratio(a, b)
        prime = primes(a, b)[0]
        first = [residues(a, point, prime)[0] for point in range(4)]
        second = [residues(b, point, prime)[0] for point in range(4)]
        if not any(first) or not any(second):
            return False, 0
        same = all(
            (first[0] * y - x * second[0]) % prime == 0 for x, y in zip(first, second, strict=True)
        )
    except (NotExactError, TooCostlyError, UndefinedError):
        pass
    else:
        return same, sign if same else 0
    reference = sample_points(symbols(a))[0]
    try:
        fixed_a, fixed_b = _fix(a, reference), _fix(b, reference)
        same = same_value(("mul", a, fixed_b), ("mul", fixed_a, b))
        return same, _sign_of_ratio(a, b) if same else 0
    except ArithmeticError:
        return None, 0


def _sign_of_ratio(a: Node, b: Node) -> int:
    signs = set()
    for values in sample_points(symbols(a) | symbols(b))[:4]:
        try:
            x, real_x = evaluate(a, values, _COARSE)
            y, real_y = evaluate(b, values, _COARSE)
        except ArithmeticError:
            continue
        if real_x and real_y and x != 0 and y != 0:
            ratio = context().re(x / y)
            signs.add(1 if ratio > 0 else -1)
    return signs.pop() if len(signs) == 1 else 0


def _fix(node: Node, values: dict[str, Fraction]) -> Node:
    if node[0] == "sym":
        return ("num", values[node[1]])
    parts = []
    for part in node[1:]:
        if isinstance(part, tuple) and part and isinstance(part[0], tuple):
            parts.append(tuple(_fix(child, values) for child in part))
        else:
            parts.append(_fix(part, values) if isinstance(part, tuple) else part)
    return (node[0], *parts)


def substitute(node: Node, name: str, value: Fraction) -> Node:
    """The expression with a number in place of one variable."""
    others = {other: None for other in symbols(node) if other != name}
    if node[0] == "sym":
        return ("num", value) if node[1] == name else node
    if not others:
        return _fix(node, {name: value})
    parts = []
    for part in node[1:]:
        if isinstance(part, tuple) and part and isinstance(part[0], tuple):
            parts.append(tuple(substitute(child, name, value) for child in part))
        else:
            parts.append(substitute(part, name, value) if isinstance(part, tuple) else part)
    return (node[0], *parts)
