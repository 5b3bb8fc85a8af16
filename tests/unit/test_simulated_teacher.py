"""The sample teacher solves, distils and verifies from its prompts alone, always alike."""

from __future__ import annotations

import string
from collections import defaultdict
from pathlib import Path
from random import Random
from statistics import fmean

import pytest
import requests
import yaml

from distil.grading.grading import judge
from distil.synthetic.contest import CONTEST
from distil.synthetic.papers import draw_papers
from distil.synthetic.teacher import complete, serve
from distil.synthetic.templates import LEVELS, draw_item, render_steps

PROMPTS = Path(__file__).resolve().parents[2] / "resources/prompts/sample"
QUESTIONS = draw_papers(range(2011, 2026), {"fs": 12, "js": 12, "tp": 8}, 7)


def ask(model, name, **words):
    prompt = string.Template((PROMPTS / name).read_text()).substitute(words)
    body = complete({"model": model, "messages": [{"role": "user", "content": prompt}]})
    return body["choices"][0]["message"]


def solver(item):
    options = "\n".join(f"{k}. {v}" for k, v in zip("ABCD", item.options, strict=False))
    return options, ask("sample-solver", "solver.txt", statement=item.statement, options=options)


def is_right(item, message):
    verdict = judge(item.solution.answer, message["content"], item.statement).verdict
    assert message["reasoning_content"]
    return verdict == "right"


def test_the_solver_fails_on_some_items_of_most_templates_and_on_none_as_a_whole():
    rng, right = Random(8), defaultdict(list)
    for template in CONTEST:
        for _ in range(60):
            item = draw_item(template, (*template.familiar, *template.unseen), rng, reserved=True)
            right[template.name].append(is_right(item, solver(item)[1]))
    shares = [fmean(of_template) for of_template in right.values()]
    assert 0.88 < fmean(shares) < 0.94
    assert min(shares) > 0.6
    assert sum(share < 1 for share in shares) > 0.8 * len(CONTEST)


def test_the_distiller_works_from_the_reasoning_and_gives_each_level_its_length():
    levels = yaml.safe_load((PROMPTS / "levels.yaml").read_text())
    assert list(levels) == list(LEVELS)
    for question in QUESTIONS[:40]:
        item = question.item
        options, message = solver(item)
        stated = message["content"].rpartition("Answer: ")[2]
        for level in LEVELS:
            text = ask(
                "sample-distiller",
                "distiller.txt",
                statement="(withheld)",
                options=options,
                reasoning=message["reasoning_content"],
                instruction=levels[level]["distiller"],
            )["content"]
            assert text.rpartition("Answer: ")[2] == stated
            if stated == item.solution.written:
                assert text == render_steps(item.solution, level)


def test_the_verifier_compares_values():
    def verdict(key, answer):
        return ask("sample-verifier", "verifier.txt", key=key, answer=answer)["content"]

    assert verdict("19", "19") == "CORRECT"
    assert verdict(r"\frac{1}{2}", r"Answer: \dfrac{1}{2}.") == "CORRECT"
    assert verdict(r"\frac{1}{2}", "0.5") == "CORRECT"
    assert verdict("(3, 4)", "(3,4)") == "CORRECT"
    assert verdict("(3, 4)", "(4, 3)") == "INCORRECT"
    assert verdict("19 miles per hour", "19") == "CORRECT"
    assert verdict("1.80 dollars", "1.8") == "CORRECT"
    assert verdict(r"2\frac{1}{3}", "2 1/3") == "CORRECT"
    assert verdict(r"5\pi", "5pi") == "CORRECT"
    assert verdict(r"5\pi", "5") == "INCORRECT"
    assert verdict("19", "none") == "INCORRECT"
    assert verdict("B", "C") == "INCORRECT"


def test_a_statement_it_cannot_read_gets_an_honest_refusal():
    message = ask("sample-solver", "solver.txt", statement="Prove that 1 = 2.", options="")
    assert message["content"].endswith("Answer: none")


def test_equal_requests_get_equal_bytes_over_http_and_faults_get_their_status():
    question = QUESTIONS[0].item.statement
    body = {
        "model": "sample-solver",
        "messages": [{"role": "user", "content": f"Problem: {question}\nOptions: "}],
    }
    with serve() as base_url:
        url = f"{base_url}/chat/completions"
        first, second = (requests.post(url, json=body, timeout=5) for _ in range(2))
        assert first.status_code == 200
        assert first.content == second.content
        value = first.json()
        assert value["model"] == "sample-solver"
        assert value["choices"][0]["finish_reason"] == "stop"
        assert value["usage"]["total_tokens"] > value["usage"]["completion_tokens"] > 0
        assert requests.post(url, json={**body, "model": "gpt"}, timeout=5).status_code == 404
        assert requests.post(url, data=b"{", timeout=5).status_code == 400
        assert requests.post(url, json={"model": "sample-solver"}, timeout=5).status_code == 400
        assert requests.get(url, timeout=5).status_code == 405
    with pytest.raises(requests.ConnectionError):
        requests.post(url, json=body, timeout=5)
