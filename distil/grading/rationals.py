"""Exact arithmetic on expressions: rational numbers, and residues modulo a large prime."""

import functools
import hashlib
import math
from fractions import Fraction

from distil.grading.syntax import Node, walk

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
