"""What the memory model predicts is what mlx holds at most, within 15 %."""

import numpy as np
import pytest
from tiny_architectures import make_model

from distil.student import adapters, memory
from distil.student.decoding import BatchShape, decode_batches
from distil.student.encoding import EncodedRows
from distil.student.memory import mx
from distil.student.model import load_student
from distil.student.published import train_published
from distil.student.sampling import DecodingTask
from distil.student.training import TrainingSettings, train_lora

SHAPE = {
    "hidden_size": 512, "intermediate_size": 2048, "num_attention_heads": 8,
    "num_hidden_layers": 4, "vocab_size": 8192, "max_position_embeddings": 2048,
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("wide") / "model", "qwen2", shape=SHAPE)


@pytest.fixture
def model(folder):
    model, _ = load_student(folder)
    mx.clear_cache()
    mx.reset_peak_memory()
    return model


@pytest.mark.skipif(mx.default_device() != mx.cpu, reason="measured on CPUs")
def test_decoding_takes_what_is_predicted(model):
    prompts = [list(range(3, 3 + 200 - i)) for i in range(16)]
    predicted = memory.decoding_peak(model, 16, 208, 4)
    mx.reset_peak_memory()
    decode_batches(model, DecodingTask(prompts, [2], 4), BatchShape(width=16, length_class=208))
    assert predicted == pytest.approx(mx.get_peak_memory(), rel=0.15)


@pytest.mark.skipif(mx.default_device() != mx.cpu, reason="measured on CPUs")
@pytest.mark.parametrize(("checkpointing", "lengths"), [(True, [200, 190]), (False, [100, 90])])
def test_a_training_step_takes_what_is_predicted(
    model, tmp_path, monkeypatch, checkpointing, lengths
):
    monkeypatch.setattr(adapters, "LARGEST_MERGED", 0)  # as for a model of real size
    settings = TrainingSettings(
        seed=1, horizon=1, batch_size=2, learning_rate=1e-5, rank=8, scale=20.0, layers=4,
        max_tokens=2048, evaluate_every=10, checkpoints=(1,), gradient_checkpointing=checkpointing,
    )  # fmt: skip
    predicted = memory.training_peak(model, lengths, [20, 20], checkpointing, 4)
    train = EncodedRows(tuple(tuple(range(3, 3 + n)) for n in lengths), (20, 20), (0, 0))
    train_lora(model, train, EncodedRows(((3, 4, 5),), (1,), (0,)), settings, tmp_path)
    assert predicted == pytest.approx(mx.get_peak_memory(), rel=0.15)


CHATS = [
    {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "ab" * n}]}
    for n in (210, 200, 150, 150)
]


@pytest.mark.skipif(mx.default_device() != mx.cpu, reason="measured on CPUs")
@pytest.mark.parametrize("checkpointing", [True, False])
def test_a_step_of_the_published_loop_takes_what_is_predicted(tmp_path, checkpointing):
    shape = {**SHAPE, "vocab_size": 32768}
    model, tokenizer = load_student(make_model(tmp_path / "model", "qwen2", shape=shape))
    settings = TrainingSettings(
        seed=1, horizon=1, batch_size=2, learning_rate=1e-5, rank=8, scale=20.0, layers=4,
        max_tokens=2048, evaluate_every=10, checkpoints=(1,), gradient_checkpointing=checkpointing,
    )  # fmt: skip
    predicted = memory.training_peak(model, [224] * 2, [0, 0], checkpointing, 4, whole_logits=True)
    with pytest.raises(MemoryError, match=r"2 rows of up to 224 tokens.*adapters\.batch_size"):
        train_published(
            model, tokenizer, CHATS, CHATS, settings, tmp_path, memory_mb=predicted // 10**6
        )
    mx.clear_cache()
    mx.reset_peak_memory()
    train_published(model, tokenizer, CHATS, CHATS, settings, tmp_path, memory_mb=10**6)
    assert predicted == pytest.approx(mx.get_peak_memory(), rel=0.15)


def test_a_step_that_does_not_fit_is_refused_before_it_is_tried(model):
    rows = np.zeros((40, 700), int).tolist()
    assert memory.check_training(model, rows, 2, True, 4, 2000) < 2000 * 10**6
    with pytest.raises(MemoryError, match=r"32 rows of up to 700 tokens.*gradient_checkpointing"):
        memory.check_training(model, rows, 32, False, 4, 2000)


def test_freed_buffers_are_kept_up_to_a_limit(model):
    limit = memory.limit_cache(2000)
    assert limit == 250 * 10**6
    for width in range(1, 25):
        mx.eval(mx.zeros((width, 1_000_000)))
    assert mx.get_cache_memory() <= limit
