r"""The templates of the transfer benchmark: none of them stands in a paper or a trace."""

from __future__ import annotations

from random import Random
from typing import Any

from distil.synthetic.templates import Item, Template, draw_item

TRANSFER = (
    Template(
        "mean",
        "algebra",
        given="three numbers have mean <m> and two of them are <a> and <b>",
        ask="the other number",
        draw=lambda r: {"m": r(8, 30), "a": r(5, 40), "b": r(5, 40)},
        steps=("total: s = m * 3", "first rest: p = s - a", "second rest: t = p - b"),
        answer="<t>",
    ),
    Template(
        "trip",
        "rates",
        given="a bus drives <t> hours at <v> miles per hour and <u> hours at <w>",
        ask="its whole distance",
        draw=lambda r: {"t": r(2, 9), "v": r(11, 39), "u": r(2, 9), "w": r(11, 39)},
        steps=("first distance: p = t * v", "second distance: q = u * w", "sum: s = p + q"),
        answer="<s> miles",
        written="<s>",
    ),
    Template(
        "linear",
        "algebra",
        given="$<a>x + <b> = <c>$",
        ask="$x + <d>$",
        draw=lambda r: {
            "a": (a := r(2, 9)),
            "b": (b := r(1, 20)),
            "c": a * r(2, 12) + b,
            "d": r(1, 30),
        },
        steps=("right side: h = c - b", "root: x = h / a", "sum: t = x + d"),
        answer="<t>",
    ),
    Template(
        "coins",
        "counting",
        given="a jar holds <n> nickels, <d> dimes and <p> cents",
        ask="its value in cents",
        draw=lambda r: {"n": r(3, 29), "d": r(3, 19), "p": r(3, 29)},
        steps=(
            "first part: u = n * 5",
            "second part: w = d * 10",
            "sum: s = u + w",
            "total: t = s + p",
        ),
        answer="<t> cents",
        written="<t>",
    ),
    Template(
        "corner",
        "geometry",
        given="two angles of a triangle are <a> and <b> degrees",
        ask="the other angle",
        draw=lambda r: {"a": r(21, 79), "b": r(21, 79)},
        steps=("sum: s = a + b", "rest: t = 180 - s"),
        answer="<t> degrees",
        written="<t>",
    ),
    Template(
        "split",
        "rates",
        given="<n> friends split a bill of <a> dollars and a tip of <b> dollars",
        ask="the share of each",
        draw=lambda r: {"n": r(2, 9), "a": r(12, 150), "b": r(3, 30)},
        steps=("sum: s = a + b", "part: t = s / n"),
        answer="<t> dollars",
        written="<t>",
    ),
    Template(
        "plot",
        "geometry",
        given="a square plot has perimeter <p>",
        ask="its area plus <c>",
        draw=lambda r: {"p": 4 * r(3, 19), "c": r(2, 60)},
        steps=("side: s = p / 4", "square: q = s * s", "sum: t = q + c"),
        answer="<t>",
    ),
    Template(
        "ages",
        "algebra",
        given="Ann is <a> years old and her aunt is <d> years short of <k> times that age",
        ask="the sum of their ages",
        draw=lambda r: {"a": r(9, 25), "d": r(2, 15), "k": r(3, 5)},
        steps=("multiple: m = k * a", "rest: u = m - d", "sum: t = a + u"),
        answer="<t>",
    ),
    Template(
        "change",
        "rates",
        given="a man buys <n> books at <c> dollars each and pays with <p> dollars",
        ask="his change",
        draw=lambda r: {"n": r(2, 9), "c": r(3, 24), "p": 10 * r(5, 25)},
        steps=("price: q = n * c", "rest: t = p - q"),
        answer="<t> dollars",
        written="<t>",
    ),
    Template(
        "speed",
        "rates",
        given="a cyclist rides <d> miles in <t> hours",
        ask="its distance in <u> hours",
        draw=lambda r: {"t": (t := r(2, 9)), "d": t * r(6, 24), "u": r(2, 9)},
        steps=("speed: v = d / t", "distance: s = v * u"),
        answer="<s> miles",
        written="<s>",
    ),
    Template(
        "squares",
        "algebra",
        given="$m = <a>$ and $n = <b>$",
        ask="$m^{2} + n^{2} - <c>$",
        draw=lambda r: {"a": r(3, 12), "b": r(3, 12), "c": r(2, 30)},
        steps=(
            "first square: p = a * a",
            "second square: q = b * b",
            "sum: s = p + q",
            "rest: t = s - c",
        ),
        answer="<t>",
    ),
    Template(
        "sail",
        "geometry",
        given="a sail is a triangle with base <b> and height <h>",
        ask="its area minus <c>",
        draw=lambda r: {"b": r(4, 19), "h": r(4, 15), "c": r(2, 20)},
        steps=("product: p = b * h", "half: q = p / 2", "rest: t = q - c"),
        answer="<t>",
    ),
    Template(
        "posts",
        "counting",
        given="a post stands every <g> feet along a road of <l> feet",
        ask="the number of posts on <k> such roads",
        draw=lambda r: {"g": (g := r(3, 9)), "l": g * r(4, 19), "k": r(2, 5)},
        steps=("number of gaps: m = l / g", "posts: p = m + 1", "multiple: t = k * p"),
        answer="<t>",
    ),
    Template(
        "warming",
        "rates",
        given="a pot at <a> degrees warms by <r> degrees an hour for <h> hours and cools by <d>",
        ask="its temperature",
        draw=lambda r: {"a": r(10, 60), "r": r(2, 9), "h": r(2, 9), "d": r(2, 20)},
        steps=("rise: w = r * h", "sum: s = a + w", "rest: t = s - d"),
        answer="<t> degrees",
        written="<t>",
    ),
    Template(
        "pages",
        "rates",
        given="a novel has <p> pages and Bob reads <r> a day for <d> days",
        ask="the number of pages left",
        draw=lambda r: {"p": r(120, 300), "r": r(6, 19), "d": r(2, 9)},
        steps=("product: q = r * d", "rest: t = p - q"),
        answer="<t> pages",
        written="<t>",
    ),
    Template(
        "proportion",
        "algebra",
        given="$y$ is proportional to $x$ and $y = <b>$ at $x = <a>$",
        ask="$y$ at $x = <c>$",
        draw=lambda r: {"a": (a := r(2, 9)), "b": a * r(2, 15), "c": r(2, 19)},
        steps=("factor: k = b / a", "value: t = k * c"),
        answer="<t>",
    ),
    Template(
        "trapezoid",
        "geometry",
        given="a trapezoid has bases <a> and <b> and height <h>",
        ask="its area in square units",
        draw=lambda r: {"a": r(3, 19), "b": r(3, 19), "h": r(2, 12)},
        steps=("sum: s = a + b", "product: p = s * h", "half: t = p / 2"),
        answer="<t> square units",
        written="<t>",
    ),
    Template(
        "line",
        "algebra",
        given="a line of slope <m> passes through $(<a>, <b>)$",
        ask="the value of $y$ at $x = <c>$",
        draw=lambda r: {"m": r(2, 9), "a": (a := r(1, 9)), "b": r(1, 20), "c": a + r(2, 9)},
        steps=("run: u = c - a", "rise: w = m * u", "value: t = b + w"),
        answer="<t>",
    ),
    Template(
        "growth",
        "algebra",
        given="a geometric sequence has first term <a> and ratio <k>",
        ask="its second term plus its third",
        draw=lambda r: {"a": r(2, 24), "k": r(2, 4)},
        steps=("second term: p = k * a", "third term: q = k * p", "sum: s = p + q"),
        answer="<s>",
    ),
    Template(
        "clock",
        "rates",
        given="a film runs for <h> hours and <m> minutes and <k> minutes are cut",
        ask="its length in minutes",
        draw=lambda r: {"h": r(2, 5), "m": r(11, 59), "k": r(2, 30)},
        steps=("product: p = h * 60", "sum: s = p + m", "rest: t = s - k"),
        answer="<t> minutes",
        written="<t>",
    ),
    Template(
        "league",
        "counting",
        given="each of <n> teams plays every other team once and <c> games are rained out",
        ask="the number of games played",
        draw=lambda r: {"n": r(5, 16), "c": r(1, 9)},
        steps=("rest: l = n - 1", "product: p = n * l", "half: q = p / 2", "rest: t = q - c"),
        answer="<t>",
    ),
    Template(
        "dozen",
        "counting",
        given="<n> dozen eggs are packed and <b> of them break",
        ask="the number of whole eggs",
        draw=lambda r: {"n": r(3, 19), "b": r(2, 30)},
        steps=("product: p = n * 12", "rest: t = p - b"),
        answer="<t>",
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
