"""Equality of two expressions: exact rationals, then residues modulo a prime, then many digits.

    same_value(parse_expression("2^{30}-1"), parse_expression("1073741823"))  # True

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

import functools
import hashlib
import math
from fractions import Fraction

from distil.grading.syntax import Node, map_parts, symbols, walk

MOST_BITS = 100_000
MOST_FACTORIAL = 5_000
MOST_ROOT_BITS = 20_000
_PRIMES = (2**127 - 1, 2**107 - 1)
# A prime of the form 4k+1 has a square root of -1; 2 is no square modulo this one.
_GAUSSIAN_PRIME = 2**255 - 19


class NotExactError(ArithmeticError):
    """The value is not rational, or not of the kind that this arithmetic knows."""


class TooCostlyError(ArithmeticError):
    """Computing the value would take too long or too much memory."""


class UndefinedError(ArithmeticError):
    """Division by zero, a logarithm of zero, or an infinite value."""


def _integer_root(value: int, degree: int) -> int | None:
    if value < 0:
        if degree % 2 == 0:
            return None
        root = _integer_root(-value, degree)
        return None if root is None else -root
    if value < 2:
        return value
    if degree == 2:
        root = math.isqrt(value)
        return root if root * root == value else None
    if value.bit_length() > MOST_ROOT_BITS:
        raise TooCostlyError
    # Newton's iteration from above falls to the integer part of the root.
    root = 1 << -(-value.bit_length() // degree)
    while True:
        lower = ((degree - 1) * root + value // root ** (degree - 1)) // degree
        if lower >= root:
            return root if root**degree == value else None
        root = lower


def _bits(value: Fraction) -> int:
    return max(value.numerator.bit_length(), value.denominator.bit_length(), 1)


def exact_power(base: Fraction, exponent: Fraction) -> Fraction:
    """Rational power of a rational; a negative number has its real odd roots.

    Raises:
        NotExactError: if the power is irrational.
        UndefinedError: for 0 to a negative power.
        TooCostlyError: if the result would be too long.
    """
    if exponent.denominator > 1:
        if exponent.denominator > 64 or (base < 0 and exponent.denominator % 2 == 0):
            raise NotExactError
        top = _integer_root(base.numerator, exponent.denominator)
        bottom = _integer_root(base.denominator, exponent.denominator)
        if top is None or bottom is None:
            raise NotExactError
        base = Fraction(top, bottom)
    power = exponent.numerator
    if base == 0 and power < 0:
        raise UndefinedError
    if base in {0, 1, -1}:
        return base**power if abs(power) < 4 else base ** (2 + power % 2)
    if _bits(base) * abs(power) > MOST_BITS:
        raise TooCostlyError
    return base**power


@functools.lru_cache(maxsize=8192)
def exact(node: Node) -> Fraction:
    """Exact rational value of an expression.

    Raises:
        NotExactError, UndefinedError, TooCostlyError: if it has none, or none that can be computed.
    """
    value = _exact(node)
    if _bits(value) > MOST_BITS:
        raise TooCostlyError
    return value


def _exact(node: Node) -> Fraction:
    kind = node[0]
    if kind == "num":
        return node[1]
    if kind == "neg":
        return -exact(node[1])
    if kind == "add":
        return exact(node[1]) + exact(node[2])
    if kind == "mul":
        return exact(node[1]) * exact(node[2])
    if kind == "div":
        bottom = exact(node[2])
        if bottom == 0:
            raise UndefinedError
        return exact(node[1]) / bottom
    if kind == "pow":
        return exact_power(exact(node[1]), exact(node[2]))
    if kind == "root":
        degree = exact(node[1])
        if degree <= 0 or degree.denominator != 1:
            raise NotExactError
        return exact_power(exact(node[2]), 1 / degree)
    if kind == "fact":
        return Fraction(_factorial(exact(node[1])))
    if kind == "fn":
        return _exact_function(node[1], [exact(argument) for argument in node[2]])
    raise NotExactError


def _factorial(value: Fraction) -> int:
    if value.denominator != 1 or value < 0:
        raise NotExactError
    if value > MOST_FACTORIAL:
        raise TooCostlyError
    return math.factorial(value.numerator)


def _exact_function(name: str, values: list[Fraction]) -> Fraction:
    if name == "abs":
        return abs(values[0])
    if name == "floor":
        return Fraction(math.floor(values[0]))
    if name == "ceil":
        return Fraction(math.ceil(values[0]))
    if name == "sgn":
        return Fraction((values[0] > 0) - (values[0] < 0))
    if name in {"min", "max"}:
        return min(values) if name == "min" else max(values)
    if name in {"gcd", "lcm"}:
        if any(value.denominator != 1 for value in values):
            raise NotExactError
        return Fraction(getattr(math, name)(*(value.numerator for value in values)))
    if name == "binom":
        top, bottom = values
        if bottom.denominator != 1 or bottom < 0 or top.denominator != 1 or top < 0:
            raise NotExactError
        if top > 20_000 or min(bottom, top - bottom) > 2_000:
            raise TooCostlyError
        return Fraction(math.comb(top.numerator, bottom.numerator))
    raise NotExactError


def _random_residue(name: str, point: int, prime: int) -> int:
    digest = hashlib.sha256(f"{name}/{point}".encode()).digest()
    return int.from_bytes(digest, "big") % prime


def residues(node: Node, point: int, prime: int) -> tuple[int, int]:
    """Numerator and denominator of a rational function at a random point, modulo a prime.

    Common factors are not cancelled, except that equal denominators are kept in a sum.

    Raises:
        NotExactError: if the expression is not a rational function.
        UndefinedError: if a denominator vanishes identically or at this point.
    """
    kind = node[0]
    if kind == "num":
        return node[1].numerator % prime, node[1].denominator % prime
    if kind == "sym":
        return _random_residue(node[1], point, prime), 1
    if kind == "const":
        if node[1] == "i" and prime % 4 == 1:
            return pow(2, (prime - 1) // 4, prime), 1
        if node[1] in {"pi", "e"}:
            return _random_residue("\\" + node[1], point, prime), 1
        raise NotExactError
    if kind == "neg":
        top, bottom = residues(node[1], point, prime)
        return -top % prime, bottom
    if kind == "deg":
        top, bottom = residues(node[1], point, prime)
        return top * _random_residue("\\pi", point, prime) % prime, bottom * 180 % prime
    if kind in {"add", "mul", "div"}:
        a, b = residues(node[1], point, prime)
        c, d = residues(node[2], point, prime)
        if kind == "mul":
            return a * c % prime, b * d % prime
        if kind == "div":
            if c == 0:
                raise UndefinedError
            return a * d % prime, b * c % prime
        return ((a + c) % prime, b) if b == d else ((a * d + b * c) % prime, b * d % prime)
    if kind == "pow":
        exponent = exact(node[2])
        if exponent.denominator != 1:
            raise NotExactError
        a, b = residues(node[1], point, prime)
        if exponent < 0:
            if a == 0:
                raise UndefinedError
            a, b = b, a
        power = abs(exponent.numerator)
        return pow(a, power, prime), pow(b, power, prime)
    if kind == "fn" and node[1] == "binom":
        count = exact(node[2][1])
        if count.denominator != 1 or not 0 <= count <= 50:
            raise NotExactError
        a, b = residues(node[2][0], point, prime)
        top, bottom = 1, math.factorial(count.numerator) * pow(b, count.numerator, prime)
        for step in range(count.numerator):
            top = top * (a - step * b) % prime
        return top, bottom % prime
    value = exact(node)
    return value.numerator % prime, value.denominator % prime


def primes(*nodes: Node) -> tuple[int, ...]:
    """Primes to compute residues by: one with a root of -1 if the imaginary unit occurs."""
    return (
        (_GAUSSIAN_PRIME,)
        if any(part == ("const", "i") for node in nodes for part in walk(node))
        else _PRIMES
    )


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
        return ("num", values[node[1]]) if node[1] in values else node
    return map_parts(node, lambda part: _fix(part, values))


def substitute(node: Node, name: str, value: Fraction) -> Node:
    """The expression with a number in place of one variable."""
    return _fix(node, {name: value})


def at_sample_point(node: Node) -> Node:
    """The expression with fixed pseudo-random numbers in place of its variables."""
    return _fix(node, sample_points(symbols(node))[0])
