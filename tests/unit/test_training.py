import dataclasses

import mlx_lm
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlx.utils import tree_flatten
from tiny_architectures import make_model
from tiny_student import chat_rows, draw_pairs, make_student

from distil.student import adapters, losses, training
from distil.student.batches import order_epoch, pad_rows
from distil.student.encoding import encode_rows
from distil.student.model import load_student
from distil.student.training import TrainingSettings, train_lora
from distil.student.workers import ComputeWorker

mx = training.mx

SETTINGS = TrainingSettings(
    seed=1,
    horizon=12,
    batch_size=4,
    learning_rate=1e-2,
    rank=4,
    scale=2.0,
    layers=2,
    max_tokens=150,
    evaluate_every=4,
    checkpoints=(5, 12),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_student(tmp_path_factory.mktemp("student"), tokens=8_000)


@pytest.fixture(scope="module")
def rows(folder):
    _, tokenizer = load_student(folder)
    return tuple(
        encode_rows(tokenizer, chat_rows(draw_pairs(count, seed)), SETTINGS.max_tokens)
        for count, seed in ((18, 11), (7, 12))
    )


def train(folder, rows, state, helper=None, **changes):
    """Train from nothing; returns the progress and the checkpoints' bytes."""
    settings = dataclasses.replace(SETTINGS, **changes)
    model, _ = load_student(folder)
    progress = train_lora(model, *rows, settings, state, helper=helper)
    return progress, {
        i: (state / f"{i:05d}.safetensors").read_bytes() for i in settings.checkpoints
    }


@pytest.fixture(scope="module")
def trained(folder, rows, tmp_path_factory):
    return train(folder, rows, tmp_path_factory.mktemp("state"))


def test_the_same_seed_gives_the_same_bytes(folder, rows, trained, tmp_path):
    progress, checkpoints = train(folder, rows, tmp_path)
    assert checkpoints == trained[1]
    assert progress == trained[0]


def test_another_seed_gives_other_bytes(folder, rows, trained, tmp_path):
    assert train(folder, rows, tmp_path, seed=2)[1] != trained[1]


@pytest.mark.skipif(mx.default_device() != mx.cpu, reason="parts are for the CPU")
@pytest.mark.parametrize(
    "changes", [{}, {"dropout": 0.3, "seed": 4}, {"gradient_checkpointing": True, "batch_size": 1}]
)
def test_a_second_process_changes_no_byte(folder, rows, tmp_path, changes):
    alone = train(folder, rows, tmp_path / "alone", **changes)
    helper = ComputeWorker(losses.serve_parts)
    try:
        assert train(folder, rows, tmp_path / "shared", helper, **changes) == alone
    finally:
        helper.close()


def weights(checkpoint, tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(checkpoint)
    return {name: np.array(value) for name, value in mx.load(str(path)).items()}


@pytest.mark.parametrize("every", [1, 7, 100])
def test_how_often_is_evaluated_does_not_change_a_byte_of_the_adapter(
    folder, rows, trained, tmp_path, every
):
    progress, checkpoints = train(folder, rows, tmp_path / "state", evaluate_every=every)
    assert checkpoints == trained[1]
    known = {row["iteration"]: row["loss"] for row in trained[0].curve}
    assert all(known.get(row["iteration"], row["loss"]) == row["loss"] for row in progress.curve)


@pytest.fixture
def no_training(monkeypatch):
    def fail(*_):
        raise AssertionError("trained again")

    monkeypatch.setattr(training.SplitBatch, "run", fail)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"evaluate_every": 12},
        {"checkpoints": (12,)},
        {"horizon": 5, "checkpoints": (5,), "evaluate_every": 100},
    ],
)
def test_a_finished_run_serves_others_that_look_less_often(
    folder, rows, trained, tmp_path, change, request
):
    state = tmp_path / "state"
    train(folder, rows, state, evaluate_every=1)
    assert sorted(path.name for path in state.iterdir()) == [
        "00005.safetensors",
        "00012.safetensors",
        "finished.json",
    ]
    alone = train(folder, rows, tmp_path / "alone", **change)
    request.getfixturevalue("no_training")
    assert train(folder, rows, state, **change) == alone


@pytest.mark.parametrize(
    "change", [{"evaluate_every": 3}, {"checkpoints": (7, 12)}, {"horizon": 15}]
)
def test_a_finished_run_does_not_serve_where_something_is_missing(folder, rows, tmp_path, change):
    train(folder, rows, tmp_path / "state")
    alone = train(folder, rows, tmp_path / "alone", **change)
    assert train(folder, rows, tmp_path / "state", **change) == alone


def die_after_saving(monkeypatch, saves=1):
    """Let a run be interrupted after some states."""
    save, seen = training.save_state, []

    def save_then_die(*arguments):
        save(*arguments)
        seen.append(1)
        if len(seen) >= saves:
            raise KeyboardInterrupt

    monkeypatch.setattr(training, "save_state", save_then_die)
    return lambda: monkeypatch.setattr(training, "save_state", save)


def test_a_longer_run_goes_on_from_the_state_of_a_shorter_one(folder, rows, tmp_path, monkeypatch):
    whole = train(folder, rows, tmp_path / "whole")
    restore = die_after_saving(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        train(folder, rows, tmp_path / "parts", horizon=8, checkpoints=(5, 8))
    restore()
    calls, run = [], training.SplitBatch.run
    monkeypatch.setattr(
        training.SplitBatch, "run", lambda *a, **k: (calls.append(a[1]), run(*a, **k))[1]
    )
    assert train(folder, rows, tmp_path / "parts") == whole
    assert calls.count("gradients") == 12 - 5


def test_a_state_of_another_blas_is_not_resumed_from(folder, rows, tmp_path, monkeypatch, capfd):
    restore = die_after_saving(monkeypatch)

    def go(core):
        model, _ = load_student(folder)
        return train_lora(model, *rows, SETTINGS, tmp_path, names=[{"core": core}])

    with pytest.raises(KeyboardInterrupt):
        go("Sandybridge")
    restore()
    go("Haswell")
    assert "resuming" not in capfd.readouterr().err


def test_a_loss_that_is_no_number_stops_the_run_with_iteration_and_remedy(folder, rows, tmp_path):
    with pytest.raises(training.DivergedError, match=r"iteration \d+: the \w+ loss is.*clip_norm"):
        train(folder, rows, tmp_path, learning_rate=1e38, evaluate_every=100)
    assert train(folder, rows, tmp_path) == train(folder, rows, tmp_path / "fresh")


def test_clipping_limits_what_one_iteration_can_change(folder, rows, trained, tmp_path):
    # Adam divides by the gradient's own size, so a limit shows in the moments, not in a step.
    loose = train(folder, rows, tmp_path / "loose", clip_norm=1e6)
    assert loose == trained
    assert train(folder, rows, tmp_path / "tight", clip_norm=1e-3) != trained


def test_weights_order_and_dropout_can_be_seeded_one_at_a_time(folder, rows, tmp_path):
    def first(seed, *seeded, **changes):
        settings = dataclasses.replace(
            SETTINGS, seed=seed, seeded=seeded, horizon=1, checkpoints=(1,), **changes
        )
        model, _ = load_student(folder)
        progress = train_lora(model, *rows, settings, tmp_path / f"{seed}{seeded}{changes}")
        return progress.training[0]["tokens"], progress.curve[-1]["loss"]

    assert first(1) == first(2)
    assert first(1, "weights") != first(2, "weights")
    assert first(1, "weights")[0] == first(2, "weights")[0]
    assert first(1, "dropout") == first(2, "dropout")
    assert first(1, "dropout", dropout=0.3) != first(2, "dropout", dropout=0.3)
    assert len({first(seed, "order")[0] for seed in (1, 2, 3)}) > 1


def test_dropout_draws_the_same_numbers_after_a_resume(folder, rows, tmp_path, monkeypatch):
    whole = train(folder, rows, tmp_path / "whole", dropout=0.3)
    restore = die_after_saving(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        train(folder, rows, tmp_path / "parts", dropout=0.3)
    restore()
    assert train(folder, rows, tmp_path / "parts", dropout=0.3) == whole
    assert train(folder, rows, tmp_path / "none")[1] != whole[1]


@pytest.mark.parametrize("change", [{"learning_rate": 2e-2}, {"rank": 2}, {"batch_size": 3}])
def test_a_state_of_other_settings_is_not_resumed_from(folder, rows, tmp_path, change):
    fresh = train(folder, rows, tmp_path / "fresh", **change)
    train(folder, rows, tmp_path / "used")
    assert train(folder, rows, tmp_path / "used", **change) == fresh


def test_a_checkpoint_that_another_run_has_overwritten_is_not_exported(folder, rows, tmp_path):
    # a run of other settings, killed after its first checkpoint and before its first state
    train(folder, rows, tmp_path / "other", seed=9)
    first = train(folder, rows, tmp_path / "state")
    stray = (tmp_path / "other" / "00005.safetensors").read_bytes()
    (tmp_path / "state" / "00005.safetensors").write_bytes(stray)
    assert train(folder, rows, tmp_path / "state") == first


def test_the_curve_has_the_start_the_cadence_and_the_horizon(trained, rows):
    progress = trained[0]
    assert [row["iteration"] for row in progress.curve] == [0, 4, 8, 12]
    learnt = sum(map(len, rows[1].tokens)) - sum(rows[1].prompts)
    assert {(row["tokens"], row["rows"]) for row in progress.curve} == {(learnt, 7)}
    assert [row["iteration"] for row in progress.training] == list(range(1, 13))


def test_training_lowers_the_training_loss(trained):
    curve = [row["loss"] for row in trained[0].training]
    assert np.mean(curve[-4:]) < np.mean(curve[:4])


def test_validation_is_the_mean_over_every_token_of_every_row(folder, rows):
    model, _ = load_student(folder)
    total, learnt = 0.0, 0
    for ids, prompt in zip(rows[1].tokens, rows[1].prompts, strict=True):
        logits = np.array(model(mx.array([ids[:-1]]))[0]).astype(np.float64)
        logits -= np.log(np.exp(logits).sum(-1, keepdims=True))
        chosen = logits[np.arange(len(ids) - 1), ids[1:]][prompt - 1 :]
        total, learnt = total - chosen.sum(), learnt + len(chosen)
    for size in (2, 3, 32):
        loss = losses.evaluate(losses.SplitBatch(model), rows[1], size)
        assert loss == pytest.approx(total / learnt, rel=1e-5)


def test_rows_that_are_cut_are_counted(folder):
    _, tokenizer = load_student(folder)
    plain = chat_rows(draw_pairs(6, 3))
    whole = encode_rows(tokenizer, plain, 1000)
    limit = max(map(len, whole.tokens)) - 1
    cut = encode_rows(tokenizer, plain, limit)
    assert whole.truncated == 0
    assert cut.truncated == sum(len(row) > limit for row in whole.tokens) > 0
    assert sum(cut.cut) == sum(map(len, whole.tokens)) - sum(map(len, cut.tokens))


def test_a_prompt_that_leaves_nothing_to_learn_is_refused(folder):
    _, tokenizer = load_student(folder)
    with pytest.raises(ValueError, match=r"train\.jsonl:1: the prompt has"):
        encode_rows(tokenizer, chat_rows(draw_pairs(1, 3)), 10, "train.jsonl")


def test_a_row_that_is_no_question_and_answer_is_refused(folder):
    _, tokenizer = load_student(folder)
    with pytest.raises(ValueError, match=r"train\.jsonl:1: messages"):
        encode_rows(
            tokenizer, [{"messages": [{"role": "user", "content": "x"}]}], 99, "train.jsonl"
        )


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"checkpoints": (13,)}, "13 is not in 1..12"), ({"layers": 3}, "the model has 2")],
)
def test_impossible_settings_are_refused(folder, rows, tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        train(folder, rows, tmp_path, **changes)


def test_mlx_lm_loads_a_checkpoint_as_it_was_trained(folder, rows, tmp_path):
    settings = dataclasses.replace(SETTINGS, checkpoints=(12,))
    model, _ = load_student(folder)
    train_lora(model, *rows, settings, tmp_path)
    model.eval()
    config = tmp_path / "adapter_config.json"
    config.write_text(training.canonical_json(adapters.adapter_config(settings)))
    adapter = adapters.make_adapter_folder(
        tmp_path / "00012.safetensors", config, tmp_path / "adapter"
    )
    loaded, _ = mlx_lm.load(str(folder), adapter_path=str(adapter))
    ids = mx.array([rows[0].tokens[0]])
    assert (np.array(loaded(ids)) == np.array(model(ids))).all()


@given(
    lengths=st.lists(st.integers(2, 90), min_size=1, max_size=70),
    size=st.integers(1, 16),
    seed=st.integers(0, 3),
    epoch=st.integers(0, 3),
)
def test_an_epoch_holds_every_row_once_in_an_order_of_seed_and_epoch(lengths, size, seed, epoch):
    batches = order_epoch(lengths, size, seed, epoch)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    assert len(batches) == -(-len(lengths) // size)
    assert max(map(len, batches)) <= size
    assert sum(len(batch) < size for batch in batches) <= 1
    assert order_epoch(lengths, size, seed, epoch) == batches


def test_epochs_and_seeds_order_rows_differently():
    orders = [order_epoch([5] * 40, 8, seed, epoch) for seed in (1, 2) for epoch in (0, 1)]
    assert len({str(order) for order in orders}) == 4


@given(
    rows=st.lists(
        st.integers(2, 30).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n - 1))),
        min_size=1,
        max_size=6,
    ),
    multiple=st.sampled_from([1, 8, 32]),
)
def test_what_is_learnt_is_the_answer_and_never_padding(rows, multiple):
    ids = [list(range(1, length + 1)) for length, _ in rows]
    tokens, places = pad_rows(ids, [given for _, given in rows], multiple)
    targets = tokens[:, 1:]
    assert targets.shape[1] % multiple == 0
    assert sorted(set(places.tolist())) == places.tolist()
    for i, (length, prompt) in enumerate(rows):
        mine = places[places // targets.shape[1] == i] % targets.shape[1]
        assert targets[i, mine].tolist() == list(range(prompt + 1, length + 1))


@pytest.mark.parametrize("portion", [10**9, 40 * 300 * 4])
def test_losses_at_the_learnt_places_are_those_of_the_whole_model(
    folder, rows, monkeypatch, portion
):
    model, _ = load_student(folder)
    adapters.add_lora(model, SETTINGS, 1)
    tokens, places = map(mx.array, pad_rows(rows[0].tokens, rows[0].prompts))
    assert len(places) > 100
    monkeypatch.setattr(losses, "LOGIT_BYTES", portion)
    head = losses.output_head(model)
    found = [
        losses.nn.value_and_grad(model, losses.sum_losses)(
            model, tokens, places, mx.array(float(len(places))), which
        )
        for which in (head, None)
    ]
    (ours, gradient), (whole, expected) = found
    assert ours.item() == pytest.approx(whole.item(), rel=1e-6)
    for (name, a), (other, b) in zip(tree_flatten(gradient), tree_flatten(expected), strict=True):
        assert name == other
        np.testing.assert_allclose(np.array(a), np.array(b), rtol=1e-4, atol=1e-7)


def test_models_whose_logits_are_scaled_have_no_separate_head(tmp_path):
    direct = {}
    for name in ("llama", "granite", "gemma2", "phi3", "qwen3_moe"):
        model, _ = load_student(make_model(tmp_path / name, name))
        direct[name] = losses.output_head(model) is not None
    assert direct == {
        "llama": True, "granite": False, "gemma2": False, "phi3": True, "qwen3_moe": True,
    }  # fmt: skip
