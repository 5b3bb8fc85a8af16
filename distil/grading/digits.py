"""Many-digit values of expressions, with caps on what is computed."""

import functools
import hashlib
from fractions import Fraction

from distil.grading.rationals import (
    MOST_FACTORIAL,
    NotExactError,
    TooCostlyError,
    UndefinedError,
    exact,
)
from distil.grading.syntax import Node


@functools.cache
def context():
    """The arithmetic of this module, apart from mpmath's global one."""
    import mpmath

    return mpmath.MPContext()


class Digits:
    """Evaluation to many digits.

    `real` turns false when an even root or a logarithm left the reals.
    """

    def __init__(self, values: dict[str, Fraction], digits: int):
        self.mp = context()
        self.mp.dps = digits
        self.values = values
        self.real = True

    def value(self, node: Node):
        """Value of a node; raises UndefinedError if it is infinite."""
        result = self._value(node)
        if not self.mp.isfinite(result):
            raise UndefinedError
        return result

    def _rational(self, value: Fraction):
        return self.mp.mpf(value.numerator) / value.denominator

    def _value(self, node: Node):
        mp, kind = self.mp, node[0]
        if kind == "num":
            return self._rational(node[1])
        if kind == "sym":
            return self._rational(self.values[node[1]])
        if kind == "const":
            if node[1] == "inf":
                raise UndefinedError
            return {"pi": +mp.pi, "e": +mp.e, "i": mp.mpc(0, 1)}[node[1]]
        if kind == "neg":
            return -self.value(node[1])
        if kind == "deg":
            return self.value(node[1]) * mp.pi / 180
        if kind in {"add", "mul", "div"}:
            a, b = self.value(node[1]), self.value(node[2])
            if kind == "add":
                return a + b
            if kind == "mul":
                return a * b
            if b == 0:
                raise UndefinedError
            return a / b
        if kind == "pow":
            return self.power(node[1], node[2])
        if kind == "root":
            return self.root(node)
        if kind == "log":
            return self.logarithm(self.value(node[2])) / self.logarithm(self.value(node[1]))
        if kind == "fact":
            return self.factorial(self.value(node[1]))
        return self.function(node[1], [self.value(argument) for argument in node[2]])

    def is_real(self, value) -> bool:
        """Whether a value has no imaginary part."""
        return not isinstance(value, self.mp.mpc) or value.imag == 0

    def logarithm(self, value):
        """Natural logarithm."""
        if value == 0:
            raise UndefinedError
        if self.is_real(value) and self.mp.re(value) < 0:
            self.real = False
        return self.mp.log(value)

    def real_root(self, value, degree: int):
        """Root; the odd root of a negative number is the real one."""
        if self.is_real(value) and self.mp.re(value) < 0:
            if degree % 2:
                return -self.mp.root(-self.mp.re(value), degree)
            self.real = False
        return self.mp.root(value, degree)

    def root(self, node: Node):
        """Value of a root node."""
        try:
            degree = exact(node[1])
        except ArithmeticError:
            return self.power(node[2], ("div", ("num", Fraction(1)), node[1]))
        if degree.denominator != 1 or not 1 <= degree <= 1000:
            raise TooCostlyError
        return self.real_root(self.value(node[2]), int(degree))

    def power(self, base_node: Node, exponent_node: Node):
        """Value of a power."""
        mp = self.mp
        base = self.value(base_node)
        try:
            exponent = exact(exponent_node)
        except (NotExactError, TooCostlyError):
            exponent = None
        if exponent is not None and 1 < exponent.denominator <= 64:
            self.guard(base, self._rational(exponent))
            root = self.real_root(base, exponent.denominator)
            if root == 0 and exponent < 0:
                raise UndefinedError
            return root**exponent.numerator
        power = self._rational(exponent) if exponent is not None else self.value(exponent_node)
        if base == 0:
            if mp.re(power) < 0:
                raise UndefinedError
            return mp.mpf(1 if power == 0 else 0)
        self.guard(base, power)
        if self.is_real(base) and mp.re(base) < 0 and not mp.isint(power):
            self.real = False
        return mp.power(base, power)

    def guard(self, base, power) -> None:
        """Refuse powers whose size alone would take long."""
        if base == 0:
            return
        size = abs(power) * (abs(self.mp.log(abs(base), 2)) + 4)
        if size > 1e7:
            raise TooCostlyError

    def factorial(self, value):
        """Factorial of a real number of moderate size."""
        if not self.is_real(value) or abs(value) > MOST_FACTORIAL:
            raise TooCostlyError
        if self.mp.isint(value) and value < 0:
            raise UndefinedError
        return self.mp.factorial(value)

    def function(self, name: str, values: list):
        """Value of a named function."""
        mp, value = self.mp, values[0]
        if name == "binom":
            if any(not self.is_real(part) or abs(part) > 10_000 for part in values):
                raise TooCostlyError
            return mp.binomial(*values)
        if name == "abs":
            return abs(value)
        if name in {"min", "max"} and all(self.is_real(part) for part in values):
            return min(values) if name == "min" else max(values)
        if name in {"floor", "ceil"} and self.is_real(value):
            return getattr(mp, name)(value)
        if name == "sgn" and self.is_real(value):
            return mp.sign(value)
        if abs(value) > 1e6:
            raise TooCostlyError
        if name == "cis":
            return mp.expj(value)
        if name in {"arcsin", "arccos"} and self.is_real(value) and abs(value) > 1:
            self.real = False
        known = {
            "sin": mp.sin, "cos": mp.cos, "tan": mp.tan, "cot": mp.cot, "sec": mp.sec,
            "csc": mp.csc, "arcsin": mp.asin, "arccos": mp.acos, "arctan": mp.atan,
            "arccot": mp.acot, "arcsec": mp.asec, "arccsc": mp.acsc, "sinh": mp.sinh,
            "cosh": mp.cosh, "tanh": mp.tanh,
        }  # fmt: skip
        if name not in known:
            raise NotExactError
        try:
            result = known[name](value)
        except (ZeroDivisionError, ValueError):
            raise UndefinedError from None
        # The tangent of a right angle comes out huge, not infinite.
        if abs(result) > mp.mpf(10) ** (mp.dps // 2):
            raise UndefinedError
        return result


def evaluate(node: Node, values: dict[str, Fraction], digits: int):
    """Value of an expression to some digits, and whether all of it was real."""
    evaluator = Digits(values, digits)
    try:
        return evaluator.value(node), evaluator.real
    except (ZeroDivisionError, OverflowError, ValueError):
        raise UndefinedError from None


def sample_points(names: frozenset[str]) -> list[dict[str, Fraction]]:
    """Six points at fixed pseudo-random values, the later ones with negative coordinates."""
    points = []
    for point in range(6):
        values = {}
        for name in sorted(names):
            digest = hashlib.sha256(f"{name}#{point}".encode()).digest()
            size = Fraction(int.from_bytes(digest[:4], "big") % 2_900_017 + 300_007, 1_000_003)
            values[name] = -size if point >= 3 and digest[4] % 2 else size
        points.append(values)
    if names:
        points[3] = {name: -value for name, value in points[2].items()}
    return points
