"""Which questions stand in which paper: a seeded draw that gives every template its turn."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from distil.synthetic.contest import CONTEST
from distil.synthetic.templates import Item, Template, draw_item

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# The two-person event is against the clock and has no multiple choice.
SPEED_SECTION = "tp"
# A contest that runs for years sets a question again now and then. One question a year, the third
# of this section, is the one set this many years before, so that duplicates across parts exist.
_REPEATED_SECTION, _REPEATED_PLACE, _REPEATED_AFTER = "fs", 3, 10
# A template rests every so many years.
_RESTS_EVERY = 3
_TRIES = 1000


@dataclass(frozen=True)
class Question:
    """A question in its place: year, section, number as printed, and whether it is a repeat."""

    year: int
    section: str
    number: str
    item: Item
    familiar: bool
    repeats: str | None = None

    @property
    def id(self) -> str:
        """The id of the problem, such as 2014-fs-07 or 2014-tp-t1."""
        return question_id(self.year, self.section, self.number)


def question_id(year: int, section: str, number: str) -> str:
    """Return a problem's id from its place."""
    return f"{year}-{section}-{number.lower() if number.startswith('T') else number.zfill(2)}"


def draw_papers(years: Sequence[int], numbered: Mapping[str, int], seed: int) -> list[Question]:
    """Draw all papers.

    A third of the templates rests in each year, and some are set only from a year on. The questions
    of a year go round the others, and each template goes round its contest wordings, half of them
    unseen in the student's pre-training. All statements differ, but for the yearly repeat.

    Args:
        years: in any order; the draw of a year does not depend on the other years but through
            repeats and the avoidance of chance duplicates.
        numbered: {section: numbered questions a year}; the two-person event has one more, the
            tie-breaker T1.
        seed: decides everything.

    Returns:
        Questions by year, section and place.
    """
    rng = Random(f"papers {seed}")  # noqa: S311
    questions: list[Question] = []
    seen: set[str] = set()
    turns = {template.name: rng.randrange(4) for template in CONTEST}
    by_place: dict[tuple[int, str, str], Question] = {}
    for year in sorted(years):
        deck: list[Template] = []
        for section, count in sorted(numbered.items()):
            numbers = [str(number) for number in range(1, count + 1)]
            if section == SPEED_SECTION:
                numbers.append("T1")
            for place, number in enumerate(numbers):
                earlier = by_place.get((year - _REPEATED_AFTER, section, number))
                if (
                    section == _REPEATED_SECTION
                    and place + 1 == _REPEATED_PLACE
                    and earlier is not None
                ):
                    question = Question(
                        year, section, number, earlier.item, earlier.familiar, earlier.id
                    )
                else:
                    template, deck = _next_template(deck, year, section, rng)
                    turns[template.name] += 1
                    familiar = turns[template.name] % 2 == 0
                    wordings = template.familiar if familiar else template.unseen
                    wording = wordings[turns[template.name] // 2 % len(wordings)]
                    item = _draw_new(template, wording, seen, rng)
                    question = Question(year, section, number, item, familiar)
                seen.add(question.item.statement)
                by_place[year, section, number] = question
                questions.append(question)
    return questions


def _draw_new(template: Template, wording: str, seen: set[str], rng: Random) -> Item:
    """Draw a question whose statement does not stand in a paper yet.

    Raises:
        RuntimeError: the template has hardly any numbers left for so many papers.
    """
    for _ in range(_TRIES):
        item = draw_item(template, (wording,), rng, reserved=True)
        if item.statement not in seen:
            return item
    raise RuntimeError(
        f"template {template.name}: no new numbers in {_TRIES} draws; "
        "ask for fewer years or questions"
    )


def _next_template(
    deck: list[Template], year: int, section: str, rng: Random
) -> tuple[Template, list[Template]]:
    """Take the next template that suits a section from a shuffled deck, refilled when short."""

    def suits(template: Template) -> bool:
        return section != SPEED_SECTION or template.choices is None

    if not any(suits(template) for template in deck):
        fresh = [
            template
            for place, template in enumerate(CONTEST)
            if year >= template.since and (year + place) % _RESTS_EVERY
        ]
        deck = [*deck, *rng.sample(fresh, len(fresh))]
    chosen = next(template for template in deck if suits(template))
    rest = list(deck)
    rest.remove(chosen)
    return chosen, rest


def truth_row(question: Question) -> dict[str, Any]:
    """Return what an extraction of the question must find, with its template and wording."""
    item = question.item
    return {
        "id": question.id,
        "year": question.year,
        "section": question.section,
        "number": question.number,
        "statement": item.statement,
        "options": item.labelled,
        "answer": item.solution.answer,
        "template": item.template.name,
        "wording": "familiar" if question.familiar else "unseen",
        "repeats": question.repeats,
    }
