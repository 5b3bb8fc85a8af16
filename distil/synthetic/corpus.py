"""Pre-training text of the sample student: chat rows drawn from the templates, without exam items.

The mix is what makes the study's phenomena possible: the student knows every kind of problem in
textbook wordings, has met a few contest wordings, and has never met others. So there is something
for the teacher's traces to teach.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from distil.notation.normal import normal_form
from distil.student.questions import question_text
from distil.synthetic.arithmetic import Step, add, divide, multiply, remainder, subtract
from distil.synthetic.contest import CONTEST
from distil.synthetic.templates import LABELS, LEVELS, Item, draw_item, render_steps
from distil.synthetic.transfer import TRANSFER

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from distil.student.questions import Prompts
    from distil.synthetic.templates import Template

# Shares of all rows.
DRILLS, LOOKUPS, TRANSFERS = 0.10, 0.03, 0.22
# Share of textbook wordings among the problems; the rest are familiar contest wordings.
TEXTBOOK = 0.85
# Shares of the levels. The transfer benchmark is asked at R1 only.
LEVEL_SHARES = {"R1": 0.25, "R2": 0.15, "R3": 0.15, "R4": 0.15, "R5": 0.15, "R6": 0.15}
TRANSFER_LEVEL_SHARES = {"R1": 0.75, "R2": 0.05, "R3": 0.05, "R4": 0.05, "R5": 0.05, "R6": 0.05}
_DRILLS_IN_A_ROW = 3


def pretraining_rows(
    prompts: Prompts, excluded: Collection[tuple[str, ...]], seed: int
) -> Iterator[tuple[str, str]]:
    """Draw pre-training rows without end.

    Args:
        prompts: the very words that training and evaluation put around a problem.
        excluded: normal forms (`distil.notation.normal.normal_form`) of statements never to be
            drawn: those of the papers and benchmarks.
        seed: decides every row.

    Yields:
        (message, response).
    """
    rng = Random(f"corpus {seed}")  # noqa: S311
    while True:
        kind = rng.random()
        if kind < DRILLS:
            yield draw_drill(prompts, rng)
            continue
        if kind < DRILLS + LOOKUPS:
            yield draw_lookup(prompts, rng)
            continue
        if kind < DRILLS + LOOKUPS + TRANSFERS:
            template, shares = rng.choice(TRANSFER), TRANSFER_LEVEL_SHARES
        else:
            template, shares = rng.choice(CONTEST), LEVEL_SHARES
        item = _draw_problem(template, rng)
        if normal_form(item.statement) in excluded:
            continue
        level = rng.choices(LEVELS, [shares[level] for level in LEVELS])[0]
        yield chat_row(item, level, prompts)


def chat_row(item: Item, level: str, prompts: Prompts) -> tuple[str, str]:
    """Return the message that asks a question at a level, and the worked response."""
    problem = {"statement": item.statement, "options": item.labelled}
    return question_text(problem, level, prompts), render_steps(item.solution, level)


def draw_drill(prompts: Prompts, rng: Random) -> tuple[str, str]:
    """Draw a row of bare arithmetic: at R1 sub-steps are written out, at R2 they are not."""
    level = rng.choice(("R1", "R2"))
    steps = [_draw_step(rng) for _ in range(_DRILLS_IN_A_ROW)]
    asked = "; ".join(step.equation.partition("=")[0] for step in steps)
    given = [
        (step.split or step.equation).replace("=", " = ") if level == "R1" else step.equation
        for step in steps
    ]
    message = question_text({"statement": f"Compute {asked}."}, level, prompts)
    return message, "\n".join(given)


def draw_lookup(prompts: Prompts, rng: Random) -> tuple[str, str]:
    """Draw a row that asks which option a number is: what ends a multiple-choice question."""
    low = rng.randint(1, 180)
    texts = [str(value) for value in rng.sample(range(low, low + 30), len(LABELS))]
    place = rng.randrange(len(LABELS))
    options = [{"label": label, "text": text} for label, text in zip(LABELS, texts, strict=True)]
    problem = {"statement": f"Which is {texts[place]}?", "options": options}
    level = rng.choice(LEVELS)
    looked_up = "" if level == "R6" else f"{texts[place]}:{LABELS[place]}\n"
    if level in ("R1", "R2"):
        looked_up = f"{'The option is' if level == 'R1' else 'option'} {looked_up}"
    return question_text(problem, level, prompts), f"{looked_up}Answer: {LABELS[place]}"


def _draw_problem(template: Template, rng: Random) -> Item:
    wordings = template.textbook if rng.random() < TEXTBOOK else template.familiar
    return draw_item(template, wordings, rng, reserved=False)


def _draw_step(rng: Random) -> Step:
    operation = rng.randrange(7)
    if operation == 0:
        return add("sum", rng.randint(1, 300), rng.randint(1, 99))
    if operation == 1:
        smaller = rng.randint(1, 99)
        return subtract("rest", smaller + rng.randint(0, 300), smaller)
    if operation == 2:
        return multiply("product", rng.randint(2, 9), rng.randint(2, 70))
    if operation == 3:
        return multiply("product", rng.randint(11, 79), rng.randint(2, 9))
    if operation == 4:
        return multiply("square", rng.randint(5, 19), rng.randint(5, 19))
    if operation == 5:
        divisor = rng.randint(3, 9)
        return remainder("remainder", rng.randint(divisor, 99), divisor)
    divisor = rng.randint(2, 9)
    return divide("part", divisor * rng.randint(2, 60), divisor)


def tokenizer_sample(prompts: Prompts, seed: int, rows: int) -> list[tuple[str, str]]:
    """Return the first rows of a pre-training text, for the tokenizer to be fitted on."""
    drawn = pretraining_rows(prompts, frozenset(), seed)
    return [row for row, _ in zip(drawn, range(rows), strict=False)]
