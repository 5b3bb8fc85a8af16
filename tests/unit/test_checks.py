"""A model is refused before hours are lost, or its batches say what one-by-one decoding says."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import mlx_lm
import pytest
from tiny_architectures import CONFIGS, STUDENT, make_model, write_config

from distil.student import checks, model
from distil.student.answering import answer_text
from distil.student.checks import UnfitModelError
from distil.student.continuous import ContinuousDecoder
from distil.student.decoding import BatchShape, decode_batches, mx
from distil.student.losses import SplitBatch, checkpoint_layers
from distil.student.memory import decoding_widths, read_shape, vocabulary_size
from distil.student.sampling import DecodingTask
from distil.synthetic.pretraining import CHAT_TEMPLATE

ROOT = Path(__file__).resolve().parents[2]
REFUSED = {"gemma2": "other logits than alone"}
# Caches that the exact decoder cannot put together, and mlx-lm's own batches can.
CONTINUOUS = {"gemma3_text": "RotatingKVCache are not supported.*predictions.decoder: continuous"}
QUESTIONS = [
    "What is 2?",
    "A box holds 12 and 30 more. How many are in it now?",
    "Add 1.",
    "x" * 40,
]


@pytest.mark.parametrize("name", CONFIGS)
def test_an_architecture_answers_alike_alone_and_batched_or_is_refused(name, tmp_path):
    folder = make_model(tmp_path, name)
    if name in REFUSED:
        with pytest.raises(UnfitModelError, match=REFUSED[name]):
            model.lock_checked(folder)
        assert not (folder / model.LOCK_NAME).exists()
        return
    model.lock_checked(folder)
    opened, tokenizer = model.load_student(folder)
    assert decoding_widths(opened, 500).choose(64, 50, 50) == 64
    prompts = [model.render_prompt(tokenizer, question) for question in QUESTIONS]
    task = DecodingTask(prompts, tokenizer.eos_token_ids, 6)
    answers = {}
    if name in CONTINUOUS:
        with pytest.raises(UnfitModelError, match=CONTINUOUS[name]):
            decode_batches(opened, task, BatchShape())
        ContinuousDecoder(4)(opened, task, lambda rows, found: answers.update(zip(rows, found)))  # noqa: B905
    else:
        answers.update(enumerate(decode_batches(opened, task, BatchShape())))
    assert [answer_text(tokenizer, answers[i].tokens) for i in range(len(prompts))] == [
        mlx_lm.generate(opened, tokenizer, prompt, max_tokens=6) for prompt in prompts
    ]


def test_a_generator_whose_rows_see_their_neighbours_is_refused(tmp_path, monkeypatch):
    folder = make_model(tmp_path, "gemma3_text")
    usual = checks._probe_generator
    monkeypatch.setattr(checks, "_probe_generator", lambda opened: usual(opened)[::-1])
    with pytest.raises(UnfitModelError, match="other logits than alone"):
        model.lock_checked(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("llama"), "llama")


# What a config.json says, and what is said about it.
MISREAD = {
    "rope as newer transformers nest it": (
        {"rope_theta": ..., "rope_parameters": {"rope_theta": 5e5, "rope_type": "default"}},
        'rope_theta.*mlx-lm takes 10000.*"rope_theta": 500000.0 at the top level',
    ),
    "scaling as newer transformers nest it": (
        {
            "rope_parameters": {"rope_theta": 1e4, "rope_type": "linear", "factor": 4.0},
            "rope_scaling": ...,
        },
        "rope_scaling: mlx-lm takes 'default', the file means 'linear'",
    ),
    "a window that the texts outgrow": (
        {"sliding_window": 64, "model_type": "mistral"},
        "sliding_window: 64 is not kept",
    ),
    "soft caps": ({"attn_logit_softcapping": 50.0}, "attn_logit_softcapping: 50.0 is not read"),
    "another activation": ({"hidden_act": "gelu"}, "hidden_act: 'gelu' is not read"),
    "an unknown key": ({"logit_bias": [0.5]}, "logit_bias: .* is not read"),
}


@pytest.mark.parametrize("name", MISREAD)
def test_a_configuration_that_mlx_misreads_is_refused_with_the_remedy(name, folder, tmp_path):
    changes, message = MISREAD[name]
    shutil.copytree(folder, tmp_path / "model")
    path = tmp_path / "model" / "config.json"
    config = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in config.items() if value is not ...}))
    with pytest.raises(UnfitModelError, match=message) as refused:
        model.lock_checked(tmp_path / "model")
    assert str(path) in str(refused.value)
    assert "lock the model again" in str(refused.value)


@pytest.fixture(scope="module")
def seeing(folder, tmp_path_factory):
    """A model that also sees: the tiny llama as the text part of mlx-lm's mistral3."""
    made = tmp_path_factory.mktemp("seeing") / "model"
    shutil.copytree(folder, made, ignore=shutil.ignore_patterns(model.LOCK_NAME))
    weights = mx.load(str(made / "model.safetensors"))
    named = {f"language_model.{key}": value for key, value in weights.items()}
    mx.save_safetensors(str(made / "model.safetensors"), named, metadata={"format": "mlx"})
    write_config(
        made,
        {"model_type": "mistral3", "text_config": json.loads((made / "config.json").read_text())},
    )
    return made


def test_a_model_that_also_sees_is_locked_by_its_part_for_text(seeing, tmp_path):
    shutil.copytree(seeing, tmp_path / "model")
    model.lock_checked(tmp_path / "model")
    opened, _ = model.load_student(tmp_path / "model")
    checks.check_batching(opened)
    assert (vocabulary_size(opened), read_shape(opened).hidden) == (512, 32)


@pytest.mark.parametrize("name", sorted(MISREAD.keys() - {"a window that the texts outgrow"}))
def test_the_text_part_of_a_model_that_also_sees_is_held_against_its_file(name, seeing, tmp_path):
    changes, message = MISREAD[name]
    shutil.copytree(seeing, tmp_path / "model")
    path = tmp_path / "model" / "config.json"
    config = json.loads(path.read_text())
    text = {**config["text_config"], **changes}
    config["text_config"] = {key: value for key, value in text.items() if value is not ...}
    path.write_text(json.dumps(config))
    with pytest.raises(UnfitModelError, match=message.replace("of the file", "of text_config")):
        model.lock_checked(tmp_path / "model")


def test_the_shipped_student_passes_every_check():
    opened, _ = model.load_student(STUDENT)
    checks.check_batching(opened)


def test_the_command_that_locks_names_what_is_wrong_and_leaves_no_lock(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "model")
    path = tmp_path / "model" / "config.json"
    config = json.loads(path.read_text())
    config["rope_parameters"] = {"rope_theta": config.pop("rope_theta") * 7, "rope_type": "default"}
    path.write_text(json.dumps(config))
    done = subprocess.run(
        [sys.executable, "-m", "distil", "lock", str(tmp_path / "model")],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"lock: {tmp_path / 'model'} is not locked: ")
    assert '"rope_theta": 70000.0' in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "model" / model.LOCK_NAME).exists()


# ------------------------------------------------------------------------------------ template

CLOCK = "{{ strftime_now('%d %b %Y') }}" + CHAT_TEMPLATE
DROPPING = CHAT_TEMPLATE.replace(
    "message['content'] +", "message['content'].split('</think>')[-1] +"
)


@pytest.mark.parametrize(
    ("template", "message"), [(CLOCK, "prints today's date"), (DROPPING, "before </think>")]
)
def test_a_template_that_depends_on_the_day_or_drops_text_is_refused(template, message, tmp_path):
    with pytest.raises(UnfitModelError, match=message):
        model.load_student(make_model(tmp_path, "llama", template))


def test_special_tokens_in_a_text_are_text(folder):
    _, tokenizer = model.load_student(folder)
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert tokenizer.encode("<|im_end|>", add_special_tokens=False) == [end]
    for text in ("What ends <|im_end|> a turn?", "<|im_start|>system\nx", "<|endoftext|>"):
        plain = model.render_prompt(tokenizer, "?")
        asked = model.render_prompt(tokenizer, text)
        ids, given = model.render_row(tokenizer, text, f"{text} yes")
        specials = set(range(3))
        assert [t for t in asked if t in specials] == [t for t in plain if t in specials]
        assert ids[:given] == asked
        assert [t for t in ids[given:] if t in specials] == [end]
    assert model.escape_special(tokenizer, "2 < 3 and <|im_end>") == "2 < 3 and <|im_end>"


# --------------------------------------------------------------------------------- checkpoints


def test_gradient_checkpointing_neither_nests_nor_stays(folder):
    opened, _ = model.load_student(folder)
    kind = type(opened.layers[0])
    plain = kind.__call__
    for _ in range(3):
        checkpoint_layers(opened.layers[0], wanted=True)
        assert kind.__call__.uncheckpointed is plain
    rows = [[5, 6, 7, 8], [9, 8, 7]]
    kept, _ = SplitBatch(opened).run("losses", rows, [1, 1])
    assert kind.__call__ is plain
    again, _ = SplitBatch(opened, gradient_checkpointing=True).run("losses", rows, [1, 1])
    checkpoint_layers(opened.layers[0], wanted=False)
    assert mx.allclose(kept, again).item()
