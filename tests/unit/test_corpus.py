"""The pre-training text is seeded, mixed as stated, and holds nothing that an exam asks."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from distil.notation.normal import normal_form
from distil.student.questions import load_prompts
from distil.synthetic.contest import CONTEST
from distil.synthetic.corpus import chat_row, draw_drill, draw_lookup, pretraining_rows
from distil.synthetic.papers import draw_papers
from distil.synthetic.templates import LEVELS, draw_item, is_reserved, pattern
from distil.synthetic.transfer import TRANSFER, draw_transfer

PROMPTS = Path(__file__).resolve().parents[2] / "resources/prompts/sample"
ROWS = 4000


@pytest.fixture(scope="module")
def prompts():
    return load_prompts(PROMPTS / "student.txt", PROMPTS / "levels.yaml")


def take(prompts, seed, excluded=frozenset(), rows=ROWS):
    return list(itertools.islice(pretraining_rows(prompts, excluded, seed), rows))


def statements(prompts, rows):
    known = {words: level for level, words in prompts.instructions.items()}
    for message, _ in rows:
        instruction, statement, *_ = message.split("\n")
        yield known[instruction], statement


def test_the_same_seed_gives_the_same_rows(prompts):
    assert take(prompts, 3, rows=200) == take(prompts, 3, rows=200) != take(prompts, 4, rows=200)


def test_every_problem_stands_in_a_wording_meant_for_it_with_numbers_kept_from_exams(prompts):
    templates = (*CONTEST, *TRANSFER)
    allowed = [
        (template, pattern(wording))
        for template in templates
        for wording in (*template.textbook, *template.familiar)
    ]
    counts = Counter()
    for _, statement in statements(prompts, take(prompts, 5)):
        found = [(t, m) for t, reader in allowed if (m := reader.fullmatch(statement))]
        if not found:
            assert statement.startswith(("Compute ", "Which is "))
            counts[statement.partition(" ")[0]] += 1
            continue
        template, match = found[0]
        numbers = {name: int(value) for name, value in match.groupdict().items()}
        assert not is_reserved(template, numbers)
        counts[template.name] += 1
    assert 0.08 < counts["Compute"] / ROWS < 0.12
    assert 0.02 < counts["Which"] / ROWS < 0.05
    assert min(counts[template.name] for template in templates) > ROWS / 200


def test_no_row_asks_what_a_paper_of_any_seed_asks(prompts):
    drawn = {normal_form(text) for _, text in statements(prompts, take(prompts, 6))}
    for seed in (1, 2011, 99):
        papers = draw_papers(range(2011, 2026), {"fs": 12, "js": 12, "tp": 8}, seed)
        asked = {normal_form(question.item.statement) for question in papers}
        asked |= {normal_form(row["statement"]) for row in draw_transfer(200, seed)}
        assert not drawn & asked


def test_an_excluded_statement_is_never_drawn(prompts):
    rows = take(prompts, 7, rows=300)
    _, statement = next(
        pair
        for pair in statements(prompts, rows)
        if not pair[1].startswith(("Compute ", "Which is "))
    )
    excluded = {normal_form(statement)}
    again = {text for _, text in statements(prompts, take(prompts, 7, excluded, 300))}
    assert statement not in again


def test_every_row_carries_a_level_and_ends_as_the_level_demands(prompts):
    item = draw_item(CONTEST[0], CONTEST[0].textbook, Random(1), reserved=False)
    for level in LEVELS:
        message, response = chat_row(item, level, prompts)
        assert message.startswith(prompts.instructions[level] + "\n")
        assert response.splitlines()[-1] == f"Answer: {item.solution.written}"
    message, response = draw_drill(prompts, Random(2))
    assert len(response.splitlines()) == 3
    message, response = draw_lookup(prompts, Random(2))
    value = message.partition("Which is ")[2].partition("?")[0]
    assert f"{response[-1]}. {value}" in message.splitlines()
    levels = Counter(level for level, _ in statements(prompts, take(prompts, 8)))
    assert set(levels) == set(LEVELS)
