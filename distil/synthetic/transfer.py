r"""The templates of the transfer benchmark: none of them stands in a paper or a trace."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from distil.synthetic.arithmetic import add, divide, multiply, subtract
from distil.synthetic.templates import Item, Solution, Step, Template, draw_item

if TYPE_CHECKING:
    from collections.abc import Mapping

    Numbers = Mapping[str, int]


def _draw_mean(rng: Random) -> dict[str, int]:
    while True:
        m, a, b = rng.randint(5, 30), rng.randint(5, 40), rng.randint(5, 40)
        if 3 * m - a - b > 0:
            return {"m": m, "a": a, "b": b}


def _solve_mean(n: Numbers) -> Solution:
    total = 3 * n["m"]
    steps = (
        multiply("total", n["m"], 3),
        subtract("less", total, n["a"]),
        subtract("third", total - n["a"], n["b"]),
    )
    return Solution(steps, str(total - n["a"] - n["b"]))


def _draw_trip(rng: Random) -> dict[str, int]:
    return {
        "t": rng.randint(2, 9),
        "v": rng.randint(11, 39),
        "u": rng.randint(2, 9),
        "w": rng.randint(11, 39),
    }


def _solve_trip(n: Numbers) -> Solution:
    first, second = n["v"] * n["t"], n["w"] * n["u"]
    steps = (
        multiply("first", n["v"], n["t"]),
        multiply("second", n["w"], n["u"]),
        add("sum", first, second),
    )
    return Solution(steps, str(first + second))


def _draw_linear(rng: Random) -> dict[str, int]:
    x, c, b = rng.randint(2, 12), rng.randint(2, 9), rng.randint(1, 20)
    a = c + rng.randint(2, 8)
    return {"a": a, "b": b, "c": c, "d": (a - c) * x + b}


def _solve_linear(n: Numbers) -> Solution:
    left, right = n["a"] - n["c"], n["d"] - n["b"]
    steps = (
        subtract("left", n["a"], n["c"]),
        subtract("right", n["d"], n["b"]),
        divide("result", right, left),
    )
    return Solution(steps, str(right // left))


def _draw_coins(rng: Random) -> dict[str, int]:
    return {"n": rng.randint(3, 29), "d": rng.randint(3, 29), "p": rng.randint(3, 29)}


def _solve_coins(n: Numbers) -> Solution:
    nickels, dimes = 5 * n["n"], 10 * n["d"]
    steps = (
        multiply("first", n["n"], 5),
        Step("second", f"{n['d']}*10={dimes}"),
        add("sum", nickels, dimes),
        add("all", nickels + dimes, n["p"]),
    )
    return Solution(steps, str(nickels + dimes + n["p"]))


def _draw_angles(rng: Random) -> dict[str, int]:
    return {"a": rng.randint(21, 79), "b": rng.randint(21, 79)}


def _solve_angles(n: Numbers) -> Solution:
    total = n["a"] + n["b"]
    steps = (add("sum", n["a"], n["b"]), subtract("third", 180, total))
    return Solution(steps, str(180 - total))


TRANSFER = (
    Template(
        "mean",
        textbook=("The mean of 3 numbers is <m>. Two of them are <a> and <b>. Find the third.",),
        familiar=("Three numbers have mean <m>. If two are <a> and <b>, what is the third?",),
        unseen=(
            "Ann scores <m> on average in 3 games, with <a> and <b> in two. And in the other?",
        ),
        draw=_draw_mean,
        solve=_solve_mean,
    ),
    Template(
        "trip",
        textbook=(
            "A car goes <t> hours at <v> miles per hour and <u> hours at <w>. How far does it go?",
        ),
        familiar=("Find the way of a car: <t> hours at <v> and <u> hours at <w> miles per hour.",),
        unseen=("A farm sells <t> sacks of <v> pounds and <u> sacks of <w>. How many pounds?",),
        draw=_draw_trip,
        solve=_solve_trip,
    ),
    Template(
        "linear",
        textbook=("Solve $<a>x + <b> = <c>x + <d>$.",),
        familiar=("Find $x$ if $<a>x + <b> = <c>x + <d>$.",),
        unseen=("For which $x$ are $<a>x + <b>$ and $<c>x + <d>$ equal?",),
        draw=_draw_linear,
        solve=_solve_linear,
    ),
    Template(
        "coins",
        textbook=("How many cents are <n> nickels, <d> dimes and <p> cents?",),
        familiar=("Find the value in cents of <n> nickels, <d> dimes and <p> cents.",),
        unseen=("A jar holds <n> nickels, <d> dimes and <p> pennies. What is it worth?",),
        draw=_draw_coins,
        solve=_solve_coins,
    ),
    Template(
        "angles",
        textbook=("Two angles of a triangle are <a> and <b>. Find the third.",),
        familiar=("A triangle has angles <a> and <b>. What is the third angle?",),
        unseen=("In a triangle two corners measure <a> and <b> degrees. And the other corner?",),
        draw=_draw_angles,
        solve=_solve_angles,
    ),
)


def draw_transfer(items: int, seed: int) -> list[dict[str, Any]]:
    """Draw the transfer benchmark as problem rows without page and box, sorted by id.

    Templates take turns; half of the wordings are those of the pre-training.

    Args:
        items: number of questions, all different.
        seed: decides numbers and wordings.
    """
    rng = Random(f"transfer {seed}")  # noqa: S311
    rows: list[dict[str, Any]] = []
    seen: set[str] = set()
    while len(rows) < items:
        turn = len(rows)
        template = TRANSFER[turn % len(TRANSFER)]
        wordings = template.unseen if turn // len(TRANSFER) % 2 else template.textbook
        item: Item = draw_item(template, wordings, rng, reserved=True)
        if item.statement in seen:
            continue
        seen.add(item.statement)
        rows.append(
            {
                "id": f"transfer-{turn + 1:03d}",
                "year": None,
                "section": template.name,
                "number": str(turn + 1),
                "statement": item.statement,
                "statement_plain": item.statement,
                "options": [],
                "answer_raw": item.solution.answer,
                "answer": item.solution.answer,
                "method": "transcription",
                "flags": [],
                "confidence": 1.0,
            }
        )
    return rows
