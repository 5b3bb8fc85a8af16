r"""The templates of the papers: eight that the teacher can solve, two that are beyond it."""

from __future__ import annotations

from fractions import Fraction
from math import gcd, isqrt
from typing import TYPE_CHECKING

from distil.synthetic.arithmetic import add, divide, multiply, subtract
from distil.synthetic.templates import Solution, Step, Template

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    Numbers = Mapping[str, int]


def _draw_power(rng: Random) -> dict[str, int]:
    while True:
        a, b = rng.randint(1, 9), rng.randint(1, 9)
        c, d = rng.randint(2, 9), rng.randint(2, 9)
        if (a + b) ** 2 > c * d + 1:
            return {"a": a, "b": b, "c": c, "d": d}


def _solve_power(n: Numbers) -> Solution:
    total = n["a"] + n["b"]
    square, product = total * total, n["c"] * n["d"]
    steps = (
        add("sum", n["a"], n["b"]),
        Step("square", f"{total}*{total}={square}"),
        Step("product", f"{n['c']}*{n['d']}={product}"),
        subtract("left", square, product),
    )
    return Solution(steps, str(square - product))


def _draw_sequence(rng: Random) -> dict[str, int]:
    a = rng.randint(1, 20)
    return {"a": a, "b": a + rng.randint(2, 9), "n": rng.randint(5, 20)}


def _solve_sequence(n: Numbers) -> Solution:
    gap, count = n["b"] - n["a"], n["n"] - 1
    steps = (
        subtract("gap", n["b"], n["a"]),
        subtract("gaps", n["n"], 1),
        multiply("rise", count, gap),
        add("term", n["a"], count * gap),
    )
    return Solution(steps, str(n["a"] + count * gap))


def _sequence_choices(n: Numbers) -> tuple[int, int, int]:
    gap = n["b"] - n["a"]
    value = n["a"] + (n["n"] - 1) * gap
    return value + gap, value - gap, value + 10 if gap != 10 else value + 11


def _draw_radical(rng: Random) -> dict[str, int]:
    r = rng.choice((2, 3, 5, 6, 7))
    p, q = rng.sample(range(2, 9), 2)
    return {"k": rng.randint(2, 9), "p": p * p * r, "q": q * q * r}


def _solve_radical(n: Numbers) -> Solution:
    def split(value: int) -> tuple[int, int]:
        root = max(f for f in range(1, isqrt(value) + 1) if value % (f * f) == 0)
        return root, value // (root * root)

    (p, r), (q, _) = split(n["p"]), split(n["q"])
    steps = (
        Step("first", rf"\sqrt{{{n['p']}}}={p}\sqrt{{{r}}}"),
        multiply("times", n["k"], p),
        Step("second", rf"\sqrt{{{n['q']}}}={q}\sqrt{{{r}}}"),
        add("sum", n["k"] * p, q),
    )
    return Solution(steps, rf"{n['k'] * p + q}\sqrt{{{r}}}")


def _draw_fraction(rng: Random) -> dict[str, int]:
    while True:
        b, d = rng.randint(2, 11), rng.randint(2, 11)
        a, c = rng.randint(1, b - 1), rng.randint(1, d - 1)
        if gcd(b, d) == gcd(a, b) == gcd(c, d) == 1:
            return {"a": a, "b": b, "c": c, "d": d}


def _solve_fraction(n: Numbers) -> Solution:
    left, right, bottom = n["a"] * n["d"], n["c"] * n["b"], n["b"] * n["d"]
    steps = (
        Step("left", f"{n['a']}*{n['d']}={left}"),
        Step("right", f"{n['c']}*{n['b']}={right}"),
        add("top", left, right),
        Step("bottom", f"{n['b']}*{n['d']}={bottom}"),
    )
    return Solution(steps, rf"\frac{{{left + right}}}{{{bottom}}}")


def _draw_system(rng: Random) -> dict[str, int]:
    y = rng.randint(2, 15)
    x = y + rng.randint(1, 40)
    return {"s": x + y, "d": x - y, "k": rng.randint(2, 9)}


def _solve_system(n: Numbers) -> Solution:
    x = (n["s"] + n["d"]) // 2
    y = n["s"] - x
    steps = (
        add("twice", n["s"], n["d"]),
        divide("half", n["s"] + n["d"], 2),
        subtract("other", n["s"], x),
        multiply("times", n["k"], y),
    )
    return Solution(steps, f"({x}, {n['k'] * y})")


def _draw_boxes(rng: Random) -> dict[str, int]:
    n, a, b = rng.randint(3, 9), rng.randint(11, 39), rng.randint(11, 39)
    return {"n": n, "a": a, "b": b, "c": rng.randint(11, 29), "e": rng.randint(31, 60)}


def _solve_boxes(n: Numbers) -> Solution:
    each = n["a"] + n["b"]
    total = each * n["n"]
    steps = (
        add("each", n["a"], n["b"]),
        multiply("all", each, n["n"]),
        subtract("left", total, n["c"]),
        add("now", total - n["c"], n["e"]),
    )
    return Solution(steps, str(total - n["c"] + n["e"]))


def _draw_composition(rng: Random) -> dict[str, int]:
    return {
        "a": rng.randint(2, 9),
        "b": rng.randint(1, 9),
        "c": rng.randint(2, 6),
        "d": rng.randint(1, 9),
        "k": rng.randint(2, 9),
    }


def _solve_composition(n: Numbers) -> Solution:
    inner = n["c"] * n["k"] + n["d"]
    outer = n["a"] * inner
    steps = (
        Step("times", f"{n['c']}*{n['k']}={n['c'] * n['k']}"),
        add("inner", n["c"] * n["k"], n["d"]),
        multiply("times", inner, n["a"]),
        add("outer", outer, n["b"]),
    )
    return Solution(steps, str(outer + n["b"]))


def _draw_rectangle(rng: Random) -> dict[str, int]:
    width, length = rng.randint(12, 39), rng.randint(12, 39)
    return {"p": 2 * (width + length), "w": width, "c": rng.randint(10, 99)}


def _solve_rectangle(n: Numbers) -> Solution:
    half = n["p"] // 2
    length = half - n["w"]
    area = length * n["w"]
    steps = (
        divide("half", n["p"], 2),
        subtract("length", half, n["w"]),
        multiply("area", n["w"], length),
        subtract("left", area, n["c"]),
    )
    return Solution(steps, str(area - n["c"]))


def _draw_divisors(rng: Random) -> dict[str, int]:
    rest = rng.choice((1, 5, 7, 11, 13, 17, 19, 23, 25, 29, 31, 35, 37, 41, 43, 49, 55, 77))
    return {"n": 2 ** rng.randint(1, 6) * 3 ** rng.randint(1, 4) * rest}


def _solve_divisors(n: Numbers) -> Solution:
    count = sum(n["n"] % k == 0 for k in range(1, n["n"] + 1))
    return Solution((), str(count))


def _draw_dice(rng: Random) -> dict[str, int]:
    m, n = rng.sample((4, 6, 8, 10, 12, 20), 2)
    return {"m": m, "n": n, "s": rng.randint(3, m + n - 1)}


def _solve_dice(n: Numbers) -> Solution:
    hits = sum(1 <= n["s"] - k <= n["n"] for k in range(1, n["m"] + 1))
    chance = Fraction(hits, n["m"] * n["n"])
    return Solution((), rf"\frac{{{chance.numerator}}}{{{chance.denominator}}}")


_POWER = "(<a> + <b>)^{2} - (<c>)(<d>)"
_RADICAL = r"<k>\sqrt{<p>} + \sqrt{<q>}"
_FRACTION = r"\frac{<a>}{<b>} + \frac{<c>}{<d>}"

POWER = Template(
    "power",
    textbook=(
        f"Compute ${_POWER}$.",
        f"Find the value of ${_POWER}$.",
        f"What is ${_POWER}$?",
        "Take the product of <c> and <d> from the square of $<a> + <b>$.",
    ),
    familiar=(
        "Let $x = <a> + <b>$. Find $x^{2} - (<c>)(<d>)$.",
        "Evaluate $x^{2} - (<c>)(<d>)$ if $x$ is the sum of <a> and <b>.",
    ),
    unseen=(
        "A square has side $<a> + <b>$. A <c> by <d> rectangle is cut from it. Find the area left.",
        "The sum of <a> and <b> is squared, then the product of <c> and <d> is taken away. "
        "What is left?",
    ),
    draw=_draw_power,
    solve=_solve_power,
)
SEQUENCE = Template(
    "sequence",
    textbook=(
        "An arithmetic sequence has $a_{1} = <a>$ and $a_{2} = <b>$. Find $a_{<n>}$.",
        "Find $a_{<n>}$ in the arithmetic sequence with $a_{1} = <a>$ and $a_{2} = <b>$.",
        "In an arithmetic sequence $a_{1} = <a>$ and $a_{2} = <b>$. What is $a_{<n>}$?",
        "Row 1 has <a> seats, row 2 has <b>, and so on. How many seats has row <n>?",
    ),
    familiar=(
        "An arithmetic sequence starts <a>, <b>. What is term <n>?",
        "Find term <n> of the arithmetic sequence that starts <a>, <b>.",
    ),
    unseen=(
        "A hall has <a> seats in row 1 and <b> in row 2, and each row grows by as many. "
        "How many seats are in row <n>?",
        "A plant is <a> cm tall in week 1 and <b> cm in week 2. It grows at the same rate. "
        "How tall is it in week <n>?",
    ),
    draw=_draw_sequence,
    solve=_solve_sequence,
    choices=_sequence_choices,
)
RADICAL = Template(
    "radical",
    textbook=(
        f"Simplify ${_RADICAL}$.",
        f"Write ${_RADICAL}$ in simplest form.",
        f"What is ${_RADICAL}$ in simplest form?",
        r"Find the sum of <k> sides of length $\sqrt{<p>}$ and one of $\sqrt{<q>}$.",
    ),
    familiar=(
        f"Express ${_RADICAL}$ as one radical.",
        r"Let $x = \sqrt{<p>}$ and $y = \sqrt{<q>}$. Find $<k>x + y$.",
    ),
    unseen=(
        r"A fence has <k> sides of length $\sqrt{<p>}$ and one side of length $\sqrt{<q>}$. "
        "How long is it?",
        r"Add the product of <k> and $\sqrt{<p>}$ to $\sqrt{<q>}$.",
    ),
    draw=_draw_radical,
    solve=_solve_radical,
)
FRACTION = Template(
    "fraction",
    textbook=(
        f"Compute ${_FRACTION}$.",
        f"Find the sum ${_FRACTION}$.",
        f"What is ${_FRACTION}$?",
        r"How much are $\frac{<a>}{<b>}$ of a mile and $\frac{<c>}{<d>}$ of a mile?",
    ),
    familiar=(
        f"Write ${_FRACTION}$ as one fraction.",
        r"Let $x = \frac{<a>}{<b>}$ and $y = \frac{<c>}{<d>}$. Find $x + y$.",
    ),
    unseen=(
        r"Ann walks $\frac{<a>}{<b>}$ of a mile, then $\frac{<c>}{<d>}$ of a mile. "
        "How far does she walk?",
        r"One pipe fills $\frac{<a>}{<b>}$ of a tank and another $\frac{<c>}{<d>}$. "
        "How much do both fill?",
    ),
    draw=_draw_fraction,
    solve=_solve_fraction,
)
SYSTEM = Template(
    "system",
    textbook=(
        "If $x + y = <s>$ and $x - y = <d>$, find $(x, <k>y)$.",
        "Find $(x, <k>y)$ if $x + y = <s>$ and $x - y = <d>$.",
        "Solve $x + y = <s>$ and $x - y = <d>$. What is $(x, <k>y)$?",
        "Two numbers $x$ and $y$ have sum <s> and difference <d>. Find $(x, <k>y)$.",
    ),
    familiar=(
        "The sum of $x$ and $y$ is <s> and $x - y = <d>$. Find $(x, <k>y)$.",
        "Let $x + y = <s>$. If $x - y$ is <d>, what is $(x, <k>y)$?",
    ),
    unseen=(
        "Two numbers $x$ and $y$ add up to <s> and differ by <d>, with $x$ the larger. "
        "Give $(x, <k>y)$.",
        "A pen costs $x$ cents and a clip $y$ cents, both cost <s> cents, and the pen costs "
        "<d> cents more. Give $(x, <k>y)$.",
    ),
    draw=_draw_system,
    solve=_solve_system,
)
BOXES = Template(
    "boxes",
    textbook=(
        "A shop has <n> boxes with <a> red and <b> blue pens each. It sells <c> pens and buys "
        "<e>. How many pens has it now?",
        "There are <n> boxes with <a> red and <b> blue pens each. Then <c> pens are sold and <e> "
        "are bought. How many pens are there now?",
        "A school has <n> rooms with <a> girls and <b> boys in each. If <c> leave and <e> come, "
        "how many are there?",
    ),
    familiar=(
        "Each of <n> boxes holds <a> red and <b> blue pens. After <c> are sold and <e> are bought, "
        "how many pens are there?",
        "With <n> boxes of <a> red and <b> blue pens each, a shop sells <c> and buys <e>. "
        "Find the number of pens.",
    ),
    unseen=(
        "Each of <n> classes has <a> girls and <b> boys. If <c> pupils leave and <e> come, "
        "how many pupils are in the school?",
        "A train of <n> cars carries <a> men and <b> women in each. At a stop <c> get off and <e> "
        "get on. How many ride on?",
    ),
    draw=_draw_boxes,
    solve=_solve_boxes,
)
COMPOSITION = Template(
    "composition",
    textbook=(
        "If $f(x) = <a>x + <b>$ and $g(x) = <c>x + <d>$, find $f(g(<k>))$.",
        "Find $f(g(<k>))$ if $f(x) = <a>x + <b>$ and $g(x) = <c>x + <d>$.",
        "What is $f(g(<k>))$ if $f(x) = <a>x + <b>$ and $g(x) = <c>x + <d>$?",
        "Multiply <k> by <c> and add <d>. Multiply this by <a> and add <b>. What is the result?",
    ),
    familiar=(
        "Let $f(x) = <a>x + <b>$ and $g(x) = <c>x + <d>$. What is $f(g(<k>))$?",
        "Let $y = <c>x + <d>$. Find $<a>y + <b>$ if $x = <k>$.",
    ),
    unseen=(
        "The number <k> is multiplied by <c> and <d> is added. This is multiplied by <a> and <b> "
        "is added. What is the result?",
        "Machine P turns $x$ into $<a>x + <b>$ and machine Q turns $x$ into $<c>x + <d>$. "
        "Put <k> in Q, then that in P. What comes out?",
    ),
    draw=_draw_composition,
    solve=_solve_composition,
)
RECTANGLE = Template(
    "rectangle",
    textbook=(
        "A rectangle has perimeter <p> and width <w>. A piece of area <c> is cut off. "
        "Find the area left.",
        "A piece of area <c> is cut off a rectangle with perimeter <p> and width <w>. "
        "What is the area left?",
        "A garden has perimeter <p> feet and width <w> feet. A pond in it has area <c>. "
        "Find the rest of the area.",
    ),
    familiar=(
        "The perimeter of a rectangle is <p> and its width is <w>. If area <c> is cut off, "
        "what area is left?",
        "Let a rectangle have width <w> and perimeter <p>. Find its area less <c>.",
    ),
    unseen=(
        "A fence of <p> feet runs around a garden <w> feet wide. A pond covers <c> square feet. "
        "How many square feet remain?",
        "A wire of length <p> is bent to a rectangle with one side <w>. How much more than <c> "
        "is its area?",
    ),
    draw=_draw_rectangle,
    solve=_solve_rectangle,
)
DIVISORS = Template(
    "divisors",
    textbook=(),
    familiar=("How many positive divisors does <n> have?",),
    unseen=("In how many ways can <n> be written as an ordered product of two whole numbers?",),
    draw=_draw_divisors,
    solve=_solve_divisors,
)
DICE = Template(
    "dice",
    textbook=(),
    familiar=(
        "Two fair dice, one with <m> sides and one with <n> sides, are rolled. "
        "What is the probability that the sum is <s>?",
    ),
    unseen=(
        "A fair die with <m> sides and a fair die with <n> sides are thrown. "
        "How likely is a sum of <s>?",
    ),
    draw=_draw_dice,
    solve=_solve_dice,
)

SOLVABLE = (POWER, SEQUENCE, RADICAL, FRACTION, SYSTEM, BOXES, COMPOSITION, RECTANGLE)
BEYOND = (DIVISORS, DICE)
