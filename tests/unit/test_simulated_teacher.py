"""The sample teacher solves, distils and verifies from its prompts alone, always alike."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
import requests
import yaml

from distil.synthetic.contest import BEYOND
from distil.synthetic.papers import draw_papers
from distil.synthetic.teacher import complete, serve
from distil.synthetic.templates import LEVELS, render_steps

PROMPTS = Path(__file__).resolve().parents[2] / "resources/prompts/sample"
QUESTIONS = draw_papers(range(2011, 2026), {"fs": 12, "js": 11, "tp": 8}, 7)


def ask(model, name, **words):
    prompt = string.Template((PROMPTS / name).read_text()).substitute(words)
    body = complete({"model": model, "messages": [{"role": "user", "content": prompt}]})
    return body["choices"][0]["message"]


def solver(item):
    options = "\n".join(f"{k}. {v}" for k, v in zip("ABCD", item.options, strict=False))
    return options, ask("sample-solver", "solver.txt", statement=item.statement, options=options)


def test_the_solver_is_right_but_for_two_templates():
    for question in QUESTIONS:
        item = question.item
        _, message = solver(item)
        answer = message["content"].rpartition("Answer: ")[2]
        assert (answer == item.solution.answer) == (item.template not in BEYOND), item.statement
        assert message["reasoning_content"]


def test_the_distiller_works_from_the_reasoning_and_gives_each_level_its_length():
    levels = yaml.safe_load((PROMPTS / "levels.yaml").read_text())
    assert list(levels) == list(LEVELS)
    for question in QUESTIONS[:40]:
        item = question.item
        options, message = solver(item)
        for level in LEVELS:
            text = ask(
                "sample-distiller",
                "distiller.txt",
                statement="(withheld)",
                options=options,
                reasoning=message["reasoning_content"],
                instruction=levels[level]["distiller"],
            )["content"]
            if item.template in BEYOND:
                assert text.rpartition("Answer: ")[2] != item.solution.answer
            else:
                assert text == render_steps(item.solution, level)


def test_the_verifier_compares_values():
    def verdict(key, answer):
        return ask("sample-verifier", "verifier.txt", key=key, answer=answer)["content"]

    assert verdict("19", "19") == "CORRECT"
    assert verdict(r"\frac{1}{2}", r"Answer: \dfrac{1}{2}.") == "CORRECT"
    assert verdict(r"\frac{1}{2}", "0.5") == "CORRECT"
    assert verdict("(3, 4)", "(3,4)") == "CORRECT"
    assert verdict("(3, 4)", "(4, 3)") == "INCORRECT"
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
