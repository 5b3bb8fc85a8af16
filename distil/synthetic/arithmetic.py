r"""Steps of whole-number arithmetic, with the sub-steps that a learner writes out.

A step is written as a rule, such as `half: h = p / 2`: a label, the name of the result, and one
operation on two names or numbers (`+`, `-`, `*`, `/` without remainder, `%` for the remainder).
`first: f = root p` takes the largest square out of p; what stays under the root is named r.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import isqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_RULE = re.compile(
    r"(?P<label>[^:]+): (?P<name>\w+) = (?:(?P<a>\w+) (?P<sign>[-+*/%])|root) (?P<b>\w+)"
)


@dataclass(frozen=True)
class Step:
    """One step of a solution.

    Attributes:
        label: one or two words that say what the step finds.
        equation: the step as `expression=result` (or `value:letter`, see `templates.solve`).
        split: the same step with a sub-step written out, or "" where it needs none.
    """

    label: str
    equation: str
    split: str = ""


def add(label: str, a: int, b: int) -> Step:
    """Return the step a + b."""
    return Step(label, f"{a}+{b}={a + b}")


def subtract(label: str, a: int, b: int) -> Step:
    """Return the step a - b."""
    return Step(label, f"{a}-{b}={a - b}")


def divide(label: str, a: int, b: int) -> Step:
    """Return the step a / b, split at the tens of the quotient.

    Raises:
        ValueError: b does not divide a.
    """
    if b == 0 or a % b:
        raise ValueError(f"{b} does not divide {a}")
    quotient = a // b
    equation, tens = f"{a}/{b}={quotient}", quotient // 10 * 10
    if not tens or tens == quotient:
        return Step(label, equation)
    first, rest = tens * b, a - tens * b
    return Step(label, equation, f"{a}/{b}={first}/{b}+{rest}/{b}={tens}+{rest // b}={quotient}")


def multiply(label: str, a: int, b: int) -> Step:
    """Return the step a * b, split at the tens of the first factor, else of the second."""
    equation = f"{a}*{b}={a * b}"
    if a > 10 and a % 10:
        tens, units = a // 10 * 10 * b, a % 10 * b
    elif b > 10 and b % 10:
        tens, units = b // 10 * 10 * a, b % 10 * a
    else:
        return Step(label, equation)
    return Step(label, equation, f"{a}*{b}={tens}+{units}={a * b}")


def remainder(label: str, a: int, b: int) -> Step:
    """Return the step from a to its remainder by b: the largest multiple of b is taken away.

    Raises:
        ValueError: b is zero.
    """
    if b == 0:
        raise ValueError("nothing can be divided by 0")
    return subtract(label, a, a // b * b)


_OPERATIONS = {"+": add, "-": subtract, "*": multiply, "/": divide, "%": remainder}


def work_out(
    rules: Sequence[str], numbers: dict[str, int], slip: tuple[int, int] | None = None
) -> tuple[tuple[Step, ...], dict[str, int]]:
    """Follow rules from given numbers.

    Args:
        rules: the steps in order, as the module's head has them.
        numbers: the given numbers by name.
        slip: (index of a step, by how much its result comes out wrong), or None for no mistake.

    Returns:
        The steps, and the numbers with the result of each.

    Raises:
        ValueError: a result is not a positive whole number.
    """
    values, steps = dict(numbers), []
    for index, rule in enumerate(rules):
        step = _follow(rule, values)
        off = slip[1] if slip and slip[0] == index else 0
        name = rule.partition(": ")[2].split()[0]
        values[name] += off
        if values[name] < 1:
            raise ValueError(f"{step.label} comes out as {values[name]}")
        if off:
            step = Step(
                step.label,
                *(re.sub(r"\d+$", str(values[name]), text) for text in (step.equation, step.split)),
            )
        steps.append(step)
    return tuple(steps), values


def _follow(rule: str, values: dict[str, int]) -> Step:
    match = _RULE.fullmatch(rule)
    if match is None:
        raise LookupError(f"{rule!r} is no step")
    b = _operand(match["b"], values)
    if match["sign"]:
        step = _OPERATIONS[match["sign"]](match["label"], _operand(match["a"], values), b)
        values[match["name"]] = int(step.equation.rpartition("=")[2])
        return step
    root = max(factor for factor in range(1, isqrt(b) + 1) if b % (factor * factor) == 0)
    values[match["name"]], values["r"] = root, b // (root * root)
    rest = rf"\sqrt{{{values['r']}}}" if values["r"] > 1 else ""
    return Step(match["label"], rf"\sqrt{{{b}}}={root}{rest}")


def _operand(text: str, values: dict[str, int]) -> int:
    return int(text) if text.isdigit() else values[text]
