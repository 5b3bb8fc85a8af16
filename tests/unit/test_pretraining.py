import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_student import SETTINGS, SHAPE, draw_pairs, make_student
from tokenizers import Tokenizer

from distil.student.model import load_student
from distil.synthetic import pretraining

TOKENS = 30_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_student(tmp_path_factory.mktemp("student"), TOKENS)


def test_the_loaded_tokenizer_cuts_text_as_its_file_says(folder):
    # transformers puts its own word boundaries into a tokenizer of type qwen2
    _, tokenizer = load_student(folder)
    written = Tokenizer.from_file(str(folder / "tokenizer.json"))
    texts = [text for pair in draw_pairs(50, 9) for text in pair]
    for text in [*texts, "it's \\frac{12}{345} x^{2}\n\n  é", "<|im_start|>user\nx<|im_end|>"]:
        assert tokenizer.encode(text, add_special_tokens=False) == written.encode(text).ids


def test_every_digit_is_a_token_of_its_own(folder):
    _, tokenizer = load_student(folder)
    ids = tokenizer.encode("x=2024 1999", add_special_tokens=False)
    pieces = [tokenizer.decode([i]) for i in ids]
    assert [piece for piece in pieces if piece.strip().isdigit()] == list("20241999")


def test_rope_theta_stands_where_mlx_reads_it(folder):
    assert json.loads((folder / "config.json").read_text())["rope_theta"] == 10000.0
    model, _ = load_student(folder)
    assert model.args.rope_theta == 10000.0


def test_pretraining_lowers_the_loss(folder):
    log = json.loads((folder / "pretraining.json").read_text())["log"]
    assert log[-1]["loss"] < 0.85 * np.log(300)  # a guess at random costs log(300)


def test_a_killed_pretraining_resumes_to_the_same_bytes(folder, tmp_path, monkeypatch):
    class KilledError(Exception):
        pass

    save, saved = pretraining.save_state, []

    def save_then_die(path, record, *arguments):
        save(path, record, *arguments)
        saved.append(record["done"])
        raise KilledError

    monkeypatch.setattr(pretraining, "save_state", save_then_die)
    monkeypatch.setattr(pretraining.pretrain, "__defaults__", (5, None))
    for _ in range(2):
        with pytest.raises(KilledError):
            make_student(tmp_path, TOKENS)
    monkeypatch.setattr(pretraining, "save_state", save)
    resumed = make_student(tmp_path, TOKENS)
    assert saved == [5, 10]
    for path in sorted(folder.iterdir()):
        assert (resumed / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_row_longer_than_the_positions_is_refused(tmp_path):
    with pytest.raises(ValueError, match="raise positions"):
        pretraining.build_student(
            [("x " * 300, "y")],
            draw_pairs(50, 1),
            tmp_path,
            tmp_path / "state",
            10,
            SETTINGS,
            SHAPE,
            vocabulary=280,
        )


@given(
    lengths=st.lists(st.integers(2, 200), min_size=1, max_size=400),
    size=st.integers(200, 2000),
    seed=st.integers(0, 5),
)
def test_every_row_is_in_one_batch_and_no_batch_is_over_its_size(lengths, size, seed):
    batches = pretraining.order_batches(lengths, size, seed)
    assert sorted(int(i) for batch in batches for i in batch) == list(range(len(lengths)))
    assert all(len(batch) * max(lengths[i] for i in batch) <= size for batch in batches)
