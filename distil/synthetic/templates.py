r"""Problem templates of the sample study: wordings, seeded numbers, worked steps, exact answers.

A wording is a sentence with mathematics between `$` signs, as LaTeX, and slots written `<a>`.
Filled in and without its `$` signs it is a statement as it stands in a problem row.

Every tuple of numbers belongs to one side: it is either `reserved` for papers and benchmarks or
free for the student's pre-training, whatever the wording and whatever the seed. So no paper, not
even one typeset from a seed chosen later, holds a question that the student has seen answered.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

LEVELS = ("R1", "R2", "R3", "R4", "R5", "R6")
LABELS = ("A", "B", "C", "D")
# Of each template's number tuples, this share of 256 is kept for papers and benchmarks.
_RESERVED = 64
_SLOT = re.compile(r"<([a-z])>")


@dataclass(frozen=True)
class Step:
    """One step of a solution.

    Attributes:
        label: one or two words that say what the step finds.
        equation: the step as `expression=result` (or `value:letter`, see `solve`).
        split: the same step with a sub-step written out, or "" where it needs none.
    """

    label: str
    equation: str
    split: str = ""


@dataclass(frozen=True)
class Solution:
    """The steps of a solution and its exact answer (LaTeX without `$`)."""

    steps: tuple[Step, ...]
    answer: str


@dataclass(frozen=True)
class Template:
    """A kind of problem.

    Attributes:
        name: unique among all templates.
        textbook: wordings of the student's pre-training.
        familiar: contest wordings of which the pre-training holds a few.
        unseen: contest wordings that the pre-training never holds.
        draw: numbers for the slots from a random generator.
        solve: the worked solution for the numbers.
        choices: three wrong values for a multiple-choice question, or None for a free response.
    """

    name: str
    textbook: tuple[str, ...]
    familiar: tuple[str, ...]
    unseen: tuple[str, ...]
    draw: Callable[[Random], dict[str, int]]
    solve: Callable[[Mapping[str, int]], Solution]
    choices: Callable[[Mapping[str, int]], tuple[int, int, int]] | None = None


@dataclass(frozen=True)
class Item:
    """One question: a template, one of its wordings, numbers and, if any, options A to D."""

    template: Template
    wording: str
    numbers: tuple[tuple[str, int], ...]
    options: tuple[str, ...] = ()

    @property
    def marked(self) -> str:
        """The statement with its mathematics between `$` signs, as the typesetter takes it."""
        numbers = dict(self.numbers)
        return _SLOT.sub(lambda slot: str(numbers[slot[1]]), self.wording)

    @property
    def statement(self) -> str:
        """The statement as in a problem row: LaTeX without `$`."""
        return self.marked.replace("$", "")

    @property
    def solution(self) -> Solution:
        """Worked steps and the answer: a letter if the question has options."""
        return solve(self.template, dict(self.numbers), self.options)


def solve(template: Template, numbers: Mapping[str, int], options: tuple[str, ...]) -> Solution:
    """Solve a template for given numbers.

    With options the answer is the letter of the value, and the last step finds it. That step is
    written as `value:letter`, so that who looks a value up has just read it.

    Raises:
        ValueError: none of the options is the value found.
    """
    solution = template.solve(numbers)
    if not options:
        return solution
    if solution.answer not in options:
        raise ValueError(f"{template.name}: none of the options {options} is {solution.answer}")
    letter = LABELS[options.index(solution.answer)]
    return Solution((*solution.steps, Step("option", f"{solution.answer}:{letter}")), letter)


def is_reserved(template: Template, numbers: Mapping[str, int]) -> bool:
    """Tell whether these numbers are kept for papers and benchmarks."""
    text = f"{template.name} {sorted(numbers.items())}"
    return hashlib.sha256(text.encode()).digest()[0] < _RESERVED


def draw_item(
    template: Template, wordings: tuple[str, ...], rng: Random, *, reserved: bool
) -> Item:
    """Draw a question.

    Args:
        template: what to ask.
        wordings: the wordings to choose from.
        rng: source of wording, numbers and order of options.
        reserved: whether the numbers come from the side kept for papers and benchmarks.
    """
    wording = rng.choice(wordings)
    while True:
        numbers = template.draw(rng)
        if is_reserved(template, numbers) == reserved:
            break
    options: list[str] = []
    if template.choices is not None:
        options = [template.solve(numbers).answer, *map(str, template.choices(numbers))]
        rng.shuffle(options)
    return Item(template, wording, tuple(sorted(numbers.items())), tuple(options))


def pattern(wording: str) -> re.Pattern[str]:
    """Return what matches the statements of a wording, with a named group for each slot."""
    seen: set[str] = set()
    parts = []
    for index, part in enumerate(_SLOT.split(wording.replace("$", ""))):
        if index % 2 == 0:
            parts.append(re.escape(part))
        elif part in seen:
            parts.append(f"(?P={part})")
        else:
            parts.append(rf"(?P<{part}>\d{{1,6}})")
            seen.add(part)
    return re.compile("".join(parts))


def render_steps(solution: Solution, level: str) -> str:
    """Write a solution at a length.

    R1 names every step and writes sub-steps out; R2 writes the bare equations of all steps; R3 to
    R5 leave steps out from the front and keep the last three, two and one; R6 is the answer line
    alone.

    Raises:
        ValueError: the level is not one of R1 to R6.
    """
    if level not in LEVELS:
        raise ValueError(f"level {level!r} is unknown; give one of {', '.join(LEVELS)}")
    if level == "R1":
        lines = [f"{step.label} {step.split or step.equation}" for step in solution.steps]
    else:
        kept = {"R2": len(solution.steps), "R3": 3, "R4": 2, "R5": 1, "R6": 0}[level]
        lines = [step.equation for step in solution.steps][max(0, len(solution.steps) - kept) :]
    return "\n".join([*lines, f"Answer: {solution.answer}"])
