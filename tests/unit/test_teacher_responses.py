"""Reading responses, prompts and headers: pure, total, and blind to the key where it must be."""

from __future__ import annotations

import json
import string
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from distil.teacher.agents import Prompt, final_answer, read_instructions, verifier_word
from distil.teacher.dispatch import retry_after
from distil.teacher.money import Price
from distil.teacher.responses import error_text, is_quota, read_reply, split_reasoning
from distil.teacher.settings import TeacherError

PROMPTS = Path(__file__).resolve().parents[2] / "resources" / "prompts"
PROBLEM = {
    "statement": "Find x^{2} if x costs $3.",
    "options": [{"label": "A", "text": "9"}, {"label": "B", "text": "6"}],
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
documents = st.fixed_dictionaries(
    {},
    optional={
        "model": json_values | st.just("m"),
        "error": json_values,
        "usage": json_values,
        "choices": json_values
        | st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "finish_reason": json_values | st.just("stop"),
                    "message": json_values
                    | st.fixed_dictionaries({"content": json_values, "reasoning": json_values}),
                },
            ),
            min_size=1,
        ),
    },
)


@settings(max_examples=200, deadline=None)
@given(documents)
def test_any_document_gives_a_reply_that_is_an_answer_only_if_it_is_one(document):
    reply = read_reply("k", 200, json.dumps(document).encode(), ["m"])
    if reply.status == "ok":
        assert document["model"] == "m"
        assert document["choices"][0]["finish_reason"] in ("stop", "eos")
        assert reply.content
    else:
        assert reply.reason


@settings(max_examples=200, deadline=None)
@given(st.binary(), st.integers(100, 599))
def test_any_bytes_give_a_reply_and_no_exception(body, status):
    reply = read_reply("k", status, body, ["m"])
    assert reply.status != "ok"
    error_text(body)
    is_quota(status, body)


@pytest.mark.parametrize(
    ("message", "content", "expected"),
    [
        ({}, "plain", ("", "plain")),
        ({"reasoning_content": "why", "reasoning": "other"}, "a", ("why", "a")),
        ({"reasoning_content": None, "reasoning": "why"}, "a", ("why", "a")),
        ({}, "<think>why</think>a", ("why", "a")),
        ({}, "why</think>a", ("why", "a")),
        ({}, "<think></think>\n\na", ("", "a")),
        ({}, "<think>never closed", ("never closed", "")),
        ({}, "so <think> is a tag", ("", "so <think> is a tag")),
        ({"reasoning": "one"}, "<think>two</think>a", ("one\n\ntwo", "a")),
    ],
)
def test_reasoning_is_parted_from_the_answer_wherever_it_stands(message, content, expected):
    assert split_reasoning(message, content) == expected


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        ("0.5", 0.5),
        ("-3", None),
        ("NaN", None),
        ("inf", None),
        ("soon", None),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 60.0),
        ("Thu, 01 Jan 1970 00:00:01 GMT", None),
        ("Thu, 99 Jan 1970 00:00:01 GMT", None),
    ],
)
def test_retry_after_is_read_in_both_forms_and_ignored_without_sense(header, seconds):
    assert retry_after(header, now=lambda: 40.0) == seconds


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("a\nAnswer: 5", "5"),
        ("**Answer:** -5", "-5"),
        ("**Answer: \\frac{1}{2}**", "\\frac{1}{2}"),
        ("answer: a_{1}", "a_{1}"),
        ("Final Answer: (2, 3)\n", "(2, 3)"),
        ("Answer: 1\nAnswer: 2", "2"),
        ("Answer:", None),
        ("The answer is 5", None),
        ("", None),
    ],
)
def test_final_answer_is_that_of_the_last_answer_line(text, answer):
    assert final_answer(text) == answer


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("CORRECT", "CORRECT"),
        ("**Incorrect.**", "INCORRECT"),
        ("Verdict: CORRECT", "CORRECT"),
        ("INCORRECT\nThe key says 5.", "INCORRECT"),
        ("Both are 5.\n\nCORRECT", "CORRECT"),
        ("CORRECT\nNo: INCORRECT\nINCORRECT", None),
        ("This is not correct", None),
        ("IN CORRECT", None),
        ("", None),
    ],
)
def test_verifiers_word_counts_only_where_it_stands_alone(content, word):
    assert verifier_word(content) == word


def test_bill_counts_cached_and_answered_tokens_at_their_own_price():
    price = Price(2.0, 8.0, 0.5)
    usage = {"prompt_tokens": 1_000_000, "completion_tokens": 500_000, "cached_tokens": 400_000}
    assert price.bill(usage) == pytest.approx(0.6 * 2 + 0.4 * 0.5 + 0.5 * 8)
    assert price.bill({"prompt_tokens": 5}) is None


@given(st.text(), st.integers(0, 10**5))
def test_worst_case_is_never_below_the_likely_cost(prompt, limit):
    price = Price(1.0, 2.0, 1.0)
    assert price.worst_case(prompt, limit) >= price.expected(prompt, limit)


@pytest.mark.parametrize("kind", ["paper", "sample"])
@pytest.mark.parametrize("agent", ["solver", "distiller", "repair", "verifier"])
def test_prompts_take_what_their_agent_may_see(kind, agent):
    prompt = Prompt(agent, PROMPTS / kind / f"{agent}.txt")
    values = {
        "solver": {},
        "distiller": {"reasoning": "think $x", "instruction": "briefly"},
        "repair": {"reasoning": "r", "instruction": "i", "text": "before", "fault": "long"},
        "verifier": {"reasoning": "r", "answer": "nine", "key": "KEY"},
    }[agent]
    filled = prompt.fill(PROBLEM, **values)
    assert ("KEY" in filled) == (agent == "verifier")
    if agent != "verifier":
        assert "x costs $3." in filled
        assert "(A) 9\n(B) 6" in filled
    assert all(value in filled for name, value in values.items() if name != "reasoning")


@pytest.mark.parametrize("kind", ["paper", "sample"])
def test_every_level_is_asked_of_distiller_and_student_in_words_of_its_own(kind):
    levels = ["R1", "R2", "R3", "R4", "R5", "R6"]
    instructions = read_instructions(PROMPTS / kind / "levels.yaml", levels)
    asked = yaml.safe_load((PROMPTS / kind / "levels.yaml").read_text())
    assert (
        len({instruction.text for instruction in instructions.values()})
        == len({asked[level]["student"] for level in levels})
        == 6
    )
    student = string.Template((PROMPTS / kind / "student.txt").read_text())
    assert set(student.get_identifiers()) == {"instruction", "statement"}


@pytest.mark.parametrize(
    ("agent", "text", "said"),
    [
        ("solver", "Solve $statement; the key is $key", r"solver is not given \$key"),
        ("distiller", "Rewrite $reasoning for $answer", r"not given \$answer"),
        ("solver", "Solve it", r"\$statement is missing"),
        ("verifier", "$statement: $answer", r"\$key is missing"),
        ("solver", "$statement costs $5", r"write it as \$\$"),
    ],
)
def test_prompt_that_shows_too_much_or_too_little_is_refused(tmp_path, agent, text, said):
    path = tmp_path / "prompt.txt"
    path.write_text(text)
    with pytest.raises(TeacherError, match=said):
        Prompt(agent, path)


def test_level_without_an_instruction_is_refused(tmp_path):
    path = tmp_path / "levels.yaml"
    path.write_text("R1: {student: s, distiller: d}\nR2: {student: s}\n")
    with pytest.raises(TeacherError, match=r"R2\.distiller: missing"):
        read_instructions(path, ["R1", "R2"])
