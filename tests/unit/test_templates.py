"""Templates and papers: exact, seeded, and apart from what the student is pre-trained on."""

from __future__ import annotations

import re
from fractions import Fraction
from random import Random

import pytest

from distil.synthetic.contest import BEYOND, SOLVABLE
from distil.synthetic.papers import draw_papers, truth_row
from distil.synthetic.templates import LEVELS, draw_item, is_reserved, pattern, render_steps
from distil.synthetic.transfer import TRANSFER, draw_transfer

YEARS = list(range(2011, 2026))
QUESTIONS = {"fs": 12, "js": 11, "tp": 8}


@pytest.fixture(scope="module")
def papers():
    return draw_papers(YEARS, QUESTIONS, 1)


@pytest.mark.parametrize("template", [*SOLVABLE, *TRANSFER], ids=lambda template: template.name)
def test_every_equation_of_every_step_holds(template):
    rng = Random(3)
    for _ in range(200):
        item = draw_item(template, template.textbook, rng, reserved=False)
        for step in template.solve(dict(item.numbers)).steps:
            for text in filter(None, (step.equation, step.split)):
                plain = re.sub(r"(\d+)?\\sqrt\{(\d+)\}", _square, text)
                values = [Fraction(eval(side)) for side in plain.split("=")]
                assert len(set(values)) == 1, text


def _square(radical):
    return f"{int(radical[1] or 1) ** 2 * int(radical[2])}"


@pytest.mark.parametrize("template", [*SOLVABLE, *BEYOND, *TRANSFER], ids=lambda t: t.name)
def test_a_statement_is_read_back_by_its_own_wording_alone(template):
    rng = Random(4)
    every = [
        (other, wording)
        for other in (*SOLVABLE, *BEYOND, *TRANSFER)
        for wording in (*other.textbook, *other.familiar, *other.unseen)
    ]
    for wording in (*template.textbook, *template.familiar, *template.unseen):
        item = draw_item(template, (wording,), rng, reserved=True)
        readers = [
            (other, match)
            for other, known in every
            if (match := pattern(known).fullmatch(item.statement))
        ]
        assert [other for other, _ in readers] == [template]
        assert {k: int(v) for k, v in readers[0][1].groupdict().items()} == dict(item.numbers)


def test_papers_have_every_kind_of_mathematics_and_answer(papers):
    text = " ".join(question.item.statement for question in papers)
    answers = {question.item.solution.answer for question in papers}
    assert all(mark in text for mark in (r"\frac{", "^{2}", r"\sqrt{"))
    assert any(answer.startswith(r"\frac") for answer in answers)
    assert any(answer.endswith("}") and r"\sqrt" in answer for answer in answers)
    assert any(answer.startswith("(") for answer in answers)
    assert answers & set("ABCD")
    assert any(question.number == "T1" for question in papers)


def test_half_of_each_solvable_template_stands_in_wordings_that_the_student_never_saw(papers):
    for template in SOLVABLE:
        shares = [q.familiar for q in papers if q.item.template is template and not q.repeats]
        assert abs(sum(shares) / len(shares) - 0.5) < 0.05


def test_statements_are_unique_but_for_one_declared_repeat_a_year(papers):
    repeats = [question for question in papers if question.repeats]
    assert [question.year for question in repeats] == [2021, 2022, 2023, 2024, 2025]
    first = {question.id: question.item.statement for question in papers}
    assert all(first[question.repeats] == question.item.statement for question in repeats)
    assert len({question.item.statement for question in papers}) == len(papers) - len(repeats)


def test_the_same_seed_draws_the_same_papers_and_another_seed_others(papers):
    again = draw_papers(YEARS, QUESTIONS, 1)
    other = draw_papers(YEARS, QUESTIONS, 2)
    assert [truth_row(q) for q in again] == [truth_row(q) for q in papers]
    shared = {q.item.statement for q in other} & {q.item.statement for q in papers}
    assert len(shared) < len(papers) / 4


def test_every_number_in_papers_and_transfer_is_kept_from_the_pretraining_side(papers):
    assert all(is_reserved(q.item.template, dict(q.item.numbers)) for q in papers)
    assert len(draw_transfer(210, 1)) == len({row["statement"] for row in draw_transfer(210, 1)})


@pytest.mark.parametrize("template", SOLVABLE, ids=lambda template: template.name)
def test_levels_grow_shorter_one_step_at_a_time(template):
    item = draw_item(template, template.textbook, Random(5), reserved=True)
    lengths = [len(render_steps(item.solution, level).split()) for level in LEVELS]
    assert lengths == sorted(lengths, reverse=True)
    assert len(set(lengths)) == 6
    with pytest.raises(ValueError, match="R7"):
        render_steps(item.solution, "R7")


def test_papers_can_be_drawn_from_any_seed_and_too_many_are_refused():
    for seed in range(25):
        assert len(draw_papers(YEARS, QUESTIONS, seed)) == 15 * 32
    with pytest.raises(RuntimeError, match="no new numbers"):
        draw_papers(range(3000), QUESTIONS, 1)
