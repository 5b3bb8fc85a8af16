"""Steps of whole-number arithmetic, with the sub-step that a learner writes out."""

from __future__ import annotations

from distil.synthetic.templates import Step


def add(label: str, a: int, b: int) -> Step:
    """Return the step a + b."""
    return Step(label, f"{a}+{b}={a + b}")


def subtract(label: str, a: int, b: int) -> Step:
    """Return the step a - b."""
    return Step(label, f"{a}-{b}={a - b}")


def divide(label: str, a: int, b: int) -> Step:
    """Return the step a / b.

    Raises:
        ValueError: b does not divide a.
    """
    if a % b:
        raise ValueError(f"{b} does not divide {a}")
    return Step(label, f"{a}/{b}={a // b}")


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
