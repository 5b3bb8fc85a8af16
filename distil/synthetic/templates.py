r"""Problem templates of the sample study: wordings, seeded numbers, worked steps, exact answers.

A template says what is given and what is asked, as a clause and a noun phrase with mathematics
between `$` signs, as LaTeX, and slots written `<a>`. Frames, the same for all templates, make a
wording of the two. Filled in and without its `$` signs it is a statement as it stands in a problem
row. Since the frames are shared, what is learnt about the wording of one kind of problem serves
the others.

Every tuple of numbers belongs to one side: it is either `reserved` for papers and benchmarks or
free for the student's pre-training, whatever the wording and whatever the seed. So no paper, not
even one typeset from a seed chosen later, holds a question that the student has seen answered.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from distil.synthetic.arithmetic import Step, work_out

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    Numbers = Mapping[str, int]
    # Called with the least and the greatest value of a number.
    Draw = Callable[[int, int], int]

LEVELS = ("R1", "R2", "R3", "R4", "R5", "R6")
LABELS = ("A", "B", "C", "D")
# Of each template's number tuples, this share of 256 is kept for papers and benchmarks.
_RESERVED = 64
_SLOT = re.compile(r"<([a-z])>")
# A place in an answer: a result as it is, in hundredths with two decimals, or in tenths with one.
_RESULT = re.compile(r"<(?P<name>\w+)(?:/(?P<parts>10|100))?>")
_FRACTION = re.compile(r"\\frac\{(\d+)\}\{(\d+)\}")

# Wordings of the student's pre-training.
TEXTBOOK = (
    "{Given}. Find {ask}.",
    "If {given}, what is {ask}?",
    "Find {ask} if {given}.",
)
# Contest wordings of which the pre-training holds a few.
FAMILIAR = (
    "Suppose that {given}. Compute {ask}.",
    "What is {ask}, given that {given}?",
)
# Contest wordings that the pre-training never holds.
UNSEEN = (
    "A contestant is told that {given}; determine {ask}.",
    "For 5 points, a team must state {ask} when {given}.",
)


@dataclass(frozen=True)
class Solution:
    """The steps of a solution and its exact answer.

    Attributes:
        steps: in order.
        answer: as the key has it: LaTeX without `$`.
        written: as who solves it writes it: the same value, perhaps in another form.
    """

    steps: tuple[Step, ...]
    answer: str
    written: str


@dataclass(frozen=True)
class Template:
    r"""A kind of problem.

    Attributes:
        name: unique among all templates.
        field: the part of mathematics.
        given: what is given, a clause.
        ask: what is asked for, a noun phrase.
        draw: numbers for the slots, from a function that draws one between two bounds.
        steps: rules of `arithmetic.work_out`.
        answer: the key, with places such as `<s>` for results. Fractions come out in lowest terms.
        written: the form in which solutions give the answer where it is not the key's; fractions
            stay as they are.
        keep: whether drawn numbers, with the results of the steps, make a good question.
        choices: three wrong values for a multiple-choice question, or None for a free response.
        since: the first year of papers that have such questions.
    """

    name: str
    field: str
    given: str
    ask: str
    draw: Callable[[Draw], dict[str, int]]
    steps: tuple[str, ...]
    answer: str
    written: str = ""
    keep: Callable[[Numbers], bool] | None = None
    choices: Callable[[Numbers], tuple[int, int, int]] | None = None
    since: int = 0

    @property
    def textbook(self) -> tuple[str, ...]:
        """Wordings of the student's pre-training."""
        return self.worded(TEXTBOOK)

    @property
    def familiar(self) -> tuple[str, ...]:
        """Contest wordings of which the pre-training holds a few."""
        return self.worded(FAMILIAR)

    @property
    def unseen(self) -> tuple[str, ...]:
        """Contest wordings that the pre-training never holds."""
        return self.worded(UNSEEN)

    def worded(self, frames: tuple[str, ...]) -> tuple[str, ...]:
        """Return the wordings that frames give."""
        capital = self.given[0].upper() + self.given[1:]
        return tuple(
            frame.replace("{Given}", capital)
            .replace("{given}", self.given)
            .replace("{ask}", self.ask)
            for frame in frames
        )

    def solve(self, numbers: Numbers, slip: tuple[int, int] | None = None) -> Solution:
        """Solve for given numbers.

        Args:
            numbers: the number in each slot.
            slip: a mistake in one step, as `arithmetic.work_out` takes it.

        Raises:
            ValueError: a result is not a positive whole number.
        """
        steps, values = work_out(self.steps, dict(numbers), slip)
        answer = _FRACTION.sub(_reduced, _filled(self.answer, values))
        return Solution(steps, answer, _filled(self.written, values) or answer)


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
    def labelled(self) -> list[dict[str, str]]:
        """The options with their letters, as in a problem row."""
        return [
            {"label": label, "text": text}
            for label, text in zip(LABELS, self.options, strict=bool(self.options))
        ]

    @property
    def solution(self) -> Solution:
        """Worked steps and the answer: a letter if the question has options."""
        return choose(self.template.solve(dict(self.numbers)), self.options)


def _filled(form: str, values: Numbers) -> str:
    def place(match: re.Match[str]) -> str:
        value = values[match["name"]]
        if match["parts"] is None:
            return str(value)
        return f"{value / int(match['parts']):.{len(match['parts']) - 1}f}"

    return _RESULT.sub(place, form)


def _reduced(match: re.Match[str]) -> str:
    value = Fraction(int(match[1]), int(match[2]))
    if value.denominator == 1:
        return str(value)
    return rf"\frac{{{value.numerator}}}{{{value.denominator}}}"


def choose(solution: Solution, options: tuple[str, ...]) -> Solution:
    """Turn a solution into one of a question with options: its answer is a letter.

    The last step finds the letter. It is written as `value:letter`, so that who looks a value up
    has just read it.

    Raises:
        ValueError: none of the options is the value found.
    """
    if not options:
        return solution
    if solution.answer not in options:
        raise ValueError(f"none of the options {options} is {solution.answer}")
    letter = LABELS[options.index(solution.answer)]
    steps = (*solution.steps, Step("option", f"{solution.answer}:{letter}"))
    return Solution(steps, letter, letter)


def is_reserved(template: Template, numbers: Numbers) -> bool:
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
        numbers = template.draw(rng.randint)
        if is_reserved(template, numbers) != reserved:
            continue
        try:
            _, values = work_out(template.steps, numbers)
        except ValueError:
            continue
        if template.keep is None or template.keep(values):
            break
    options: list[str] = []
    if template.choices is not None:
        options = [_filled(template.answer, values), *map(str, template.choices(values))]
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

    R1 gives every step a sentence and writes sub-steps out; R2 names every step before its bare
    equation; R3 to R5 leave steps out from the front and keep the equations of the last three, two
    and one; R6 is the answer line alone.

    Raises:
        ValueError: the level is not one of R1 to R6.
    """
    if level not in LEVELS:
        raise ValueError(f"level {level!r} is unknown; give one of {', '.join(LEVELS)}")
    steps = solution.steps
    if level == "R1":
        lines = [
            f"The {step.label} is {(step.split or step.equation).replace('=', ' = ')}"
            for step in steps
        ]
    elif level == "R2":
        lines = [f"{step.label} {step.equation}" for step in steps]
    else:
        kept = {"R3": 3, "R4": 2, "R5": 1, "R6": 0}[level]
        lines = [step.equation for step in steps[max(0, len(steps) - kept) :]]
    return "\n".join([*lines, f"Answer: {solution.written}"])
