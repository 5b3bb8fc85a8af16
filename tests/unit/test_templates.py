"""Templates and papers: exact, seeded, and apart from what the student is pre-trained on."""

from __future__ import annotations

import re
from collections import Counter
from fractions import Fraction
from random import Random
from statistics import fmean

import pytest

from distil.grading.grading import judge
from distil.grading.second_grader import second_verdict
from distil.synthetic.contest import CONTEST
from distil.synthetic.papers import draw_papers, truth_row
from distil.synthetic.templates import LEVELS, draw_item, is_reserved, pattern, render_steps
from distil.synthetic.transfer import TRANSFER, draw_transfer

YEARS = list(range(2011, 2026))
QUESTIONS = {"fs": 12, "js": 12, "tp": 8}
EVERY = (*CONTEST, *TRANSFER)
# Years of papers of the sample study that train and test.
TRAIN, TEST = range(2011, 2020), range(2022, 2026)


@pytest.fixture(scope="module")
def papers():
    return draw_papers(YEARS, QUESTIONS, 1)


@pytest.mark.parametrize("template", EVERY, ids=lambda template: template.name)
def test_every_equation_of_every_step_holds(template):
    rng = Random(3)
    for _ in range(200):
        item = draw_item(template, template.textbook, rng, reserved=False)
        for step in template.solve(dict(item.numbers)).steps:
            for text in filter(None, (step.equation, step.split)):
                values = {_value(side) for side in text.split("=")}
                assert len(values) == 1, text


def _value(side):
    """The square of the value of a side, which is exact where it is a root."""
    if "sqrt" in side:
        factor, radicand = re.fullmatch(r"(\d*)\\sqrt\{(\d+)\}", side).groups()
        return int(factor or 1) ** 2 * int(radicand)
    return eval(re.sub(r"\d+", r"F(\g<0>)", side), {"F": Fraction}) ** 2


@pytest.mark.parametrize("template", EVERY, ids=lambda t: t.name)
def test_a_statement_is_read_back_by_its_own_wording_alone(template):
    rng = Random(4)
    every = [
        (other, wording)
        for other in EVERY
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
    answers = "\n".join(question.item.solution.answer for question in papers)
    assert all(mark in text for mark in (r"\frac{", "^{2}", r"\sqrt{", "|x - "))
    kinds = {
        "integer": r"\d+", "fraction": r"\\frac\{\d+\}\{\d+\}", "mixed": r"\d\\frac\{\d+\}\{\d+\}",
        "decimal": r"\d+\.\d\d dollars", "tenths": r"\d+\.\d inches", "percent": r"\d+%",
        "radical": r"\d+\\sqrt\{\d+\}", "circle": r"\d+\\pi", "pair": r"\(\d+, \d+\)",
        "unit": r"\d+ miles per hour", "letter": "[A-D]",
    }  # fmt: skip
    missing = [kind for kind, form in kinds.items() if not re.search(f"^{form}$", answers, re.M)]
    assert not missing
    assert any(question.number == "T1" for question in papers)


def test_the_fields_and_templates_are_many_and_each_rests_in_some_years(papers):
    assert len(CONTEST) >= 32
    assert len(TRANSFER) >= 20
    assert len({template.name for template in EVERY}) == len(EVERY)
    assert len({template.field for template in CONTEST}) == 6
    asked = {
        template.name: {q.year for q in papers if q.item.template is template and not q.repeats}
        for template in CONTEST
    }
    assert all(asked.values())
    assert max(len(years) for years in asked.values()) < len(YEARS)
    late = [name for name, years in asked.items() if not years & set(TRAIN) and years & set(TEST)]
    assert len(late) == sum(template.since > 0 for template in CONTEST) >= 3


def test_half_of_each_template_stands_in_wordings_that_the_student_never_saw(papers):
    for template in CONTEST:
        shares = [q.familiar for q in papers if q.item.template is template and not q.repeats]
        assert abs(sum(shares) - len(shares) / 2) <= 1


def test_answers_in_another_form_are_right_and_part_the_graders(papers):
    """The form in which solutions are written is worth what the key is, and not always its text."""
    verdicts = Counter()
    for question in papers:
        solution = question.item.solution
        if solution.written == solution.answer:
            continue
        output = f"Answer: {solution.written}"
        first = judge(solution.answer, output, question.item.statement)
        assert first.verdict == "right", (question.item.statement, solution)
        second = second_verdict(solution.answer, output)
        verdicts[first.strict_verdict, second] += 1
    assert {second for _, second in verdicts} == {"right", "wrong"}
    assert len({strict for strict, _ in verdicts}) > 1


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


@pytest.mark.parametrize("template", CONTEST, ids=lambda template: template.name)
def test_levels_grow_shorter_one_step_at_a_time(template):
    item = draw_item(template, template.textbook, Random(5), reserved=True)
    lengths = [len(render_steps(item.solution, level).split()) for level in LEVELS]
    assert lengths == sorted(lengths, reverse=True)
    assert len(set(lengths)) == 6
    with pytest.raises(ValueError, match="R7"):
        render_steps(item.solution, "R7")


def test_the_longest_solutions_are_long(papers):
    words = [len(render_steps(question.item.solution, "R1").split()) for question in papers]
    assert fmean(words) > 25


def test_papers_can_be_drawn_from_any_seed_and_too_many_are_refused():
    for seed in range(25):
        assert len(draw_papers(YEARS, QUESTIONS, seed)) == 15 * 33
    with pytest.raises(RuntimeError, match="no new numbers"):
        draw_papers(range(3000), QUESTIONS, 1)
