"""Model folders as they come to hand: what `distil lock` says of one that cannot be used."""

from __future__ import annotations

import json
import shutil

import pytest
from typer.testing import CliRunner

from distil.cli import app
from distil.student.model import LOCK_NAME
from distil.synthetic.pretraining import CHAT_TEMPLATE
from tests.front.model_server import STUDENT


def without_file(*names):
    def spoil(folder):
        for name in names:
            (folder / name).unlink()

    return spoil


def with_text(name, text):
    return lambda folder: (folder / name).write_text(text, encoding="utf-8")


def with_keys(name, **changes):
    """Change keys of a JSON file; None takes one away."""

    def spoil(folder):
        content = {**json.loads((folder / name).read_text(encoding="utf-8")), **changes}
        kept = {key: value for key, value in content.items() if value is not None}
        (folder / name).write_text(json.dumps(kept), encoding="utf-8")

    return spoil


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n"
# What is wrong with the folder, the file that is named, and what is said of it.
UNUSABLE = {
    "no tokenizer": (
        without_file("tokenizer.json", "tokenizer_config.json"),
        "tokenizer.json",
        "copy every file of the model's repository",
    ),
    "no configuration": (without_file("config.json"), "config.json", "no such file"),
    "no JSON": (with_text("config.json", "{"), "config.json", "is no JSON"),
    "a key is missing": (
        with_keys("config.json", num_hidden_layers=None),
        "config.json",
        "num_hidden_layers",
    ),
    "a width of another model": (
        with_keys("config.json", hidden_size=192),
        "config.json",
        "Expected shape",
    ),
    "an architecture that mlx-lm lacks": (
        with_keys("config.json", model_type="foo9"),
        "config.json",
        "foo9",
    ),
    "no weights": (without_file("model.safetensors"), "config.json", "No safetensors found"),
    "a pointer for weights": (
        with_text("model.safetensors", POINTER),
        "model.safetensors",
        "download it again",
    ),
    "no chat template": (
        with_keys("tokenizer_config.json", chat_template=None),
        "chat_template.jinja",
        "choose the instruct model",
    ),
    "a template with a clock": (
        with_keys("tokenizer_config.json", chat_template="{{ strftime_now('%Y') }}"),
        "chat_template",
        "put a fixed date in its place",
    ),
    "a template that drops what was thought": (
        with_keys(
            "tokenizer_config.json",
            chat_template=CHAT_TEMPLATE.replace(
                "message['content'] +", "message['content'].split('</think>')[-1] +"
            ),
        ),
        "chat_template",
        "take that branch out",
    ),
}


def lock(folder):
    return CliRunner().invoke(app, ["lock", str(folder)], catch_exceptions=False)


@pytest.mark.parametrize("fault", UNUSABLE)
def test_a_folder_that_is_no_usable_model_is_named_with_its_file_and_a_remedy(fault, tmp_path):
    spoil, file, said = UNUSABLE[fault]
    folder = tmp_path / "model"
    shutil.copytree(STUDENT, folder)
    (folder / LOCK_NAME).unlink()
    spoil(folder)
    done = lock(folder)
    assert done.exit_code == 1
    for text in (f"{folder} is not locked: ", file, said, "remedy: "):
        assert text in done.stderr
    assert not (folder / LOCK_NAME).exists()


def test_a_folder_that_is_not_there_is_said_to_be_missing(tmp_path):
    assert "no such folder; remedy: put the model's files there" in lock(tmp_path / "none").stderr
