"""The student in resources/ is the one that docs/sample-student.md describes."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from statistics import fmean

import pytest
import yaml

from distil.student.answering import answer_text
from distil.student.decoding import BatchShape, decode_batches
from distil.student.model import check_model, load_student, render_prompt
from distil.student.questions import load_prompts
from distil.student.sampling import DecodingTask
from distil.synthetic.contest import CONTEST
from distil.synthetic.corpus import chat_row
from distil.synthetic.pretraining import SETTINGS
from distil.synthetic.templates import LEVELS, draw_item

ROOT = Path(__file__).resolve().parents[2]
STUDENT, PROMPTS = ROOT / "resources/student", ROOT / "resources/prompts/sample"


@pytest.fixture(scope="module")
def ask():
    model, tokenizer = load_student(STUDENT)
    prompts = load_prompts(PROMPTS / "student.txt", PROMPTS / "levels.yaml")

    def answers(items, level):
        asked = [render_prompt(tokenizer, chat_row(item, level, prompts)[0]) for item in items]
        decoded = decode_batches(
            model, DecodingTask(asked, tokenizer.eos_token_ids, 96), BatchShape()
        )
        return [answer_text(tokenizer, answer.tokens) for answer in decoded]

    return answers


def draw(kind, count):
    rng = Random(17)
    templates = [CONTEST[place % len(CONTEST)] for place in range(count)]
    return [draw_item(t, getattr(t, kind), rng, reserved=True) for t in templates]


def accuracy(items, texts):
    return fmean(
        text.endswith(f"Answer: {item.solution.written}")
        for item, text in zip(items, texts, strict=True)
    )


def test_it_is_locked_small_and_rebuilt_by_the_settings_of_the_default_study():
    assert len(check_model(STUDENT)) == 64
    config = json.loads((STUDENT / "config.json").read_text())
    # Nested or absent, mlx would silently take 1e6.
    assert config["rope_theta"] == 10000.0
    record = json.loads((STUDENT / "pretraining.json").read_text())
    assert record["parameters"] == 530400
    made = yaml.safe_load((ROOT / "config.yaml").read_text())["student"]["pretraining"]
    assert record["settings"] == {**SETTINGS, **made["training"], "seed": made["seed"]}
    assert 0 <= record["tokens"] - made["tokens"] < record["shape"]["positions"]
    assert record["vocabulary"] == made["vocabulary"] == config["vocab_size"]
    assert (STUDENT / "model.safetensors").stat().st_size < 4_000_000


def test_it_knows_textbook_wordings_and_not_the_unseen_ones(ask):
    known, foreign = draw("textbook", 64), draw("unseen", 64)
    assert accuracy(known, ask(known, "R1")) > 0.75
    assert accuracy(foreign, ask(foreign, "R1")) < 0.25


def test_its_answers_shorten_and_worsen_from_level_to_level(ask):
    items = draw("textbook", 64)
    texts = {level: ask(items, level) for level in LEVELS}
    words = [fmean(len(text.split()) for text in texts[level]) for level in LEVELS]
    assert words == sorted(set(words), reverse=True)
    rates = [accuracy(items, texts[level]) for level in ("R1", "R3", "R4", "R6")]
    assert rates == sorted(set(rates), reverse=True)
