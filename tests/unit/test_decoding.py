import json
import re
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import mlx_lm
import numpy as np
import pytest
from mlx_lm.models.cache import make_prompt_cache
from tiny_architectures import STUDENT
from tiny_student import chat_rows, draw_pairs, make_student

from distil.content.hashing import sha256_file
from distil.student import adapters, decoding, examination
from distil.student import rows as row_store
from distil.student.adapters import adapter_config
from distil.student.answering import (
    AnswerProgress,
    answer_prompts,
    answer_text,
    count_positions,
)
from distil.student.continuous import ContinuousDecoder
from distil.student.decoding import BatchShape, ExactDecoder
from distil.student.decoding import decode_batches as decode
from distil.student.encoding import encode_rows
from distil.student.memory import BatchWidths, cache_bytes_per_token, decoding_widths
from distil.student.model import load_student, render_prompt
from distil.student.rows import Answer, RowStore
from distil.student.sampling import DecodingTask, Sampling
from distil.student.training import TrainingSettings, train_lora
from distil.student.workers import ComputeWorker
from scripts import predict_answers

mx = decoding.mx
LIMIT = 24


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_student(tmp_path_factory.mktemp("student"))


@pytest.fixture(scope="module")
def opened(folder):
    return load_student(folder)


@pytest.fixture(scope="module")
def prompts(opened):
    return [render_prompt(opened[1], message) for message, _ in draw_pairs(75, 21)]


@pytest.fixture(scope="module")
def stock(opened, prompts):
    """What mlx-lm says, one prompt at a time."""
    return [mlx_lm.generate(*opened, prompt, max_tokens=LIMIT) for prompt in prompts]


@pytest.mark.parametrize(
    "shape",
    [
        BatchShape(),
        BatchShape(width=16, length_class=8, block=3),
        BatchShape(8, 32, 1),
        BatchShape(1, 2),
    ],
)
def test_batches_say_what_one_by_one_says(opened, prompts, stock, shape):
    model, tokenizer = opened
    answers = decode(model, DecodingTask(prompts, tokenizer.eos_token_ids, LIMIT), shape)
    assert [answer_text(tokenizer, answer.tokens) for answer in answers] == stock
    assert {answer.finish for answer in answers} == {"stop", "length"}
    for answer in answers:
        assert len(answer.tokens) <= LIMIT
        assert not set(answer.tokens) & set(tokenizer.eos_token_ids)
        assert answer.finish == "stop" or len(answer.tokens) == LIMIT


def test_an_answer_does_not_depend_on_its_neighbours(opened, prompts):
    model, tokenizer = opened
    together = decode(model, DecodingTask(prompts, tokenizer.eos_token_ids, LIMIT), BatchShape())
    for chosen in (range(0, 75, 7), range(74, -1, -1), [3]):
        task = DecodingTask([prompts[i] for i in chosen], tokenizer.eos_token_ids, LIMIT)
        apart = decode(model, task, BatchShape())
        assert apart == [together[i] for i in chosen]


@pytest.mark.skipif(mx.default_device() != mx.cpu, reason="parts are for the CPU")
def test_a_second_process_answers_the_same(opened, prompts):
    model, tokenizer = opened
    helper = ComputeWorker(decoding.serve_batches)
    try:
        for shape in (BatchShape(width=8), BatchShape(length_class=4), BatchShape()):
            asked = (model, DecodingTask(prompts, tokenizer.eos_token_ids, LIMIT), shape)
            assert decode(*asked, helper) == decode(*asked)
    finally:
        helper.close()


@pytest.mark.skipif(mx.default_device() != mx.cpu, reason="promised for the CPU only")
@pytest.mark.parametrize(("depth", "width"), [(32, 64), (96, 288), (288, 96), (96, 512), (8, 96)])
def test_a_row_of_a_product_has_the_same_bits_at_any_batch_width(depth, width):
    random = np.random.default_rng(0)
    weights = mx.array(random.normal(size=(width, depth)).astype(np.float32))
    rows = mx.array(random.normal(size=(128, depth)).astype(np.float32))
    whole = np.array(rows @ weights.T)
    for count in (1, *range(8, 65, 8)):
        for first in (0, 3, 40):
            part = np.array(rows[first : first + count] @ weights.T)
            assert (part == whole[first : first + count]).all()


def counted(opened, prompts, store, name="model", limit=LIMIT, progress=None):
    decoder = ExactDecoder(BatchShape())
    model, tokenizer = opened
    task = DecodingTask(prompts, tokenizer.eos_token_ids, limit)
    return answer_prompts(model, task, decoder, store, name, progress)


def test_stored_rows_are_reused_and_equal_a_run_from_nothing(opened, prompts, tmp_path):
    fresh, counts = counted(opened, prompts, RowStore(None))
    assert (counts.new, counts.reused) == (75, 0)
    counted(opened, prompts[10:40], RowStore(tmp_path))
    some, counts = counted(opened, prompts, RowStore(tmp_path))
    assert (counts.new, counts.reused) == (45, 30)
    everything, counts = counted(opened, prompts[::-1], RowStore(tmp_path))
    assert (counts.new, counts.reused) == (0, 75)
    assert fresh == some == everything[::-1]


def test_rows_of_another_model_adapter_or_code_are_not_reused(opened, prompts, tmp_path):
    counted(opened, prompts[:5], RowStore(tmp_path))
    assert counted(opened, prompts[:5], RowStore(tmp_path), name="other")[1].reused == 0
    assert counted(opened, prompts[:5], RowStore(tmp_path), limit=LIMIT - 1)[1].reused == 0


def test_a_torn_line_is_left_out_and_decoded_again(opened, prompts, tmp_path):
    fresh, _ = counted(opened, prompts[:4], RowStore(tmp_path))
    (segment,) = tmp_path.glob("*.jsonl")
    segment.write_bytes(segment.read_bytes()[:-20])
    store = RowStore(tmp_path)
    assert store.torn == 1
    again, counts = counted(opened, prompts[:4], store)
    assert (counts.new, counts.reused) == (1, 3)
    assert again == fresh


def test_a_changed_line_is_left_out(tmp_path):
    store = RowStore(tmp_path)
    store.put("key", Answer((1, 2), "stop"))
    store.flush()
    (segment,) = tmp_path.glob("*.jsonl")
    segment.write_text(segment.read_text().replace("[1,2]", "[1,3]"))
    assert RowStore(tmp_path).get("key") is None


def test_prompts_without_room_for_an_answer_are_counted(opened, prompts):
    positions = count_positions(opened[0])
    long = [5] * positions
    short = [5] * (positions - 3)
    answers, counts = counted(opened, [prompts[0], long, short], RowStore(None))
    assert (counts.overlong, counts.shortened, counts.new) == (1, 1, 2)
    assert answers[1] == Answer((), "length")
    assert len(answers[2].tokens) <= 3


def test_equal_prompts_are_decoded_once(opened, prompts):
    answers, counts = counted(opened, [prompts[0]] * 3, RowStore(None))
    assert counts.new == 3
    assert len(set(answers)) == 1


@pytest.fixture(scope="module")
def study(folder, opened, tmp_path_factory):
    """Files of a small study: problems, prompts, an adapter with two checkpoints."""
    home = tmp_path_factory.mktemp("study")
    pairs = draw_pairs(30, 31)
    problems = [
        {
            "id": f"2020-fs-{i:02d}",
            "year": 2020 + i % 2,
            "statement": message.split("\n")[1],
            "options": [],
        }
        for i, (message, _) in enumerate(pairs)
    ]
    for name, rows in (("2020", problems[::2]), ("2021", problems[1::2])):
        (home / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    transfer = [{**row, "id": f"transfer-{i}"} for i, row in enumerate(problems[:6])]
    (home / "transfer.jsonl").write_text("".join(json.dumps(row) + "\n" for row in transfer))
    (home / "student.txt").write_text("$instruction\n$statement\n")
    (home / "levels.yaml").write_text("R1: {student: All steps.}\nR6: {student: Answer.}\n")
    settings = TrainingSettings(
        seed=1,
        horizon=8,
        batch_size=4,
        learning_rate=1e-2,
        rank=4,
        scale=2.0,
        layers=2,
        max_tokens=150,
        evaluate_every=8,
        checkpoints=(4, 8),
    )
    model, tokenizer = load_student(folder)
    encoded = encode_rows(tokenizer, chat_rows(pairs), 150)
    train_lora(model, encoded, encoded, settings, home / "adapter")
    (home / "adapter" / "adapter_config.json").write_text(json.dumps(adapter_config(settings)))
    plan = [
        {"iteration": 4, "benchmark": "competition", "level": "R1", "years": [2021]},
        {"iteration": 8, "benchmark": "competition", "level": "R6", "years": [2020, 2021]},
        {"iteration": 8, "benchmark": "transfer", "level": "R1", "years": None},
    ]
    (home / "plan.json").write_text(json.dumps(plan))
    base = [{**item, "iteration": None} for item in plan]
    (home / "base.json").write_text(json.dumps(base[1:]))
    return home


def predict(study, folder, tmp_path, monkeypatch, plan="plan.json", **changes):
    monkeypatch.chdir(tmp_path)
    files = {
        "plan": str(study / plan),
        "problems": [str(study / "2020.jsonl"), str(study / "2021.jsonl")],
        "benchmarks": [str(study / "transfer.jsonl")],
        "student_prompt": str(study / "student.txt"),
        "levels": str(study / "levels.yaml"),
        "system": [],
        "student": str(folder / "model.lock.json"),
        "adapters": [
            str(study / "adapter" / name)
            for name in ("00004.safetensors", "00008.safetensors", "adapter_config.json")
        ],
    }
    params = {"study": "tiny", "run": "r/prompt/seed-1", "max_tokens": LIMIT, "batch_size": 64}
    params |= {"decoder": "exact", "sampling": None, "code": "a", **changes}
    result = predict_answers.main(
        input=SimpleNamespace(**files),
        output=SimpleNamespace(predictions=str(tmp_path / "predictions.parquet")),
        params=SimpleNamespace(**params),
        resources=SimpleNamespace(mem_mb=2000),
    )
    return result, tmp_path / "predictions.parquet"


def test_the_plan_is_answered_with_each_checkpoint_of_its_own(study, folder, tmp_path, monkeypatch):
    result, path = predict(study, folder, tmp_path, monkeypatch)
    rows = examination.pq.read_table(path).to_pylist()
    assert [row["id"] for row in rows] == sorted({row["id"] for row in rows})
    assert len(rows) == 15 + 30 + 6 == result["facts"]["rows"]
    assert {row["adapter_sha256"] for row in rows if row["iteration"] == 4} == {
        sha256_file(study / "adapter" / "00004.safetensors")
    }
    assert {row["benchmark"] for row in rows} == {"competition", "transfer"}
    # the same rows, one by one, by mlx-lm itself
    adapter = Path(tmp_path / "adapter")
    adapters.make_adapter_folder(
        study / "adapter" / "00008.safetensors", study / "adapter" / "adapter_config.json", adapter
    )
    model, tokenizer = mlx_lm.load(str(folder), adapter_path=str(adapter))
    problems = {
        row["id"]: row
        for name in ("2020", "2021")
        for row in examination.read_jsonl(study / f"{name}.jsonl")
    }
    chosen = [row for row in rows if row["level"] == "R6"][:10]
    for row in chosen:
        ids = render_prompt(tokenizer, f"Answer.\n{problems[row['problem']]['statement']}")
        assert row["text"] == mlx_lm.generate(model, tokenizer, ids, max_tokens=LIMIT)


def test_a_second_job_decodes_nothing_and_writes_the_same_bytes(
    study, folder, tmp_path, monkeypatch
):
    first, path = predict(study, folder, tmp_path, monkeypatch)
    before = path.read_bytes()
    again, _ = predict(study, folder, tmp_path, monkeypatch)
    assert (first["history"]["new"], again["history"]["new"]) == (51, 0)
    assert path.read_bytes() == before
    assert again["facts"] == first["facts"]


@pytest.mark.parametrize("change", [{"code": "b"}, {"code": None}, {"batch_size": 32}])
def test_other_code_or_shapes_reuse_nothing(study, folder, tmp_path, monkeypatch, change):
    predict(study, folder, tmp_path, monkeypatch)
    result, _ = predict(study, folder, tmp_path, monkeypatch, **change)
    assert result["history"]["reused"] == 0


def test_the_base_answers_without_an_adapter(study, folder, tmp_path, monkeypatch):
    _, path = predict(study, folder, tmp_path, monkeypatch, plan="base.json")
    rows = examination.pq.read_table(path).to_pylist()
    assert len(rows) == 36
    assert {row["adapter_sha256"] for row in rows} == {None}
    assert {row["id"].count(".") for row in rows} == {1}


def test_a_benchmark_without_a_file_is_named(study, folder):
    with pytest.raises(ValueError, match="no file for benchmark 'math'"):
        examination.select_problems({"benchmark": "math", "years": None}, {"competition": []})


def test_a_model_with_another_kind_of_cache_is_refused(opened, prompts):
    class Rotating:
        layers = ()

        def make_cache(self):
            return [make_prompt_cache(opened[0], max_kv_size=8)[0]]

    with pytest.raises(ValueError, match="RotatingKVCache are not supported"):
        decode(Rotating(), DecodingTask(prompts, [0], 4), BatchShape())


def test_widths_shrink_by_eights():
    widths = [BatchShape(width=64).padded_width(rows) for rows in (64, 57, 56, 33, 9, 8, 1)]
    assert widths == [64, 64, 56, 40, 16, 8, 8]
    assert BatchShape(width=4).padded_width(1) == 4


def test_a_plan_of_base_and_adapters_together_is_refused(study, folder, tmp_path, monkeypatch):
    plans = [json.loads((study / name).read_text()) for name in ("plan.json", "base.json")]
    (study / "mixed.json").write_text(json.dumps([*plans[0], *plans[1]]))
    with pytest.raises(ValueError, match=r"mixed\.json: asks base and adapters"):
        predict(study, folder, tmp_path, monkeypatch, plan="mixed.json")


def test_an_adapter_of_another_model_is_not_put_in(study, tmp_path, monkeypatch):
    """mlx-lm leaves out what does not fit, and the base would answer in the adapter's name."""
    with pytest.raises(ValueError, match=r"00004\.safetensors: not an adapter of this model's"):
        predict(study, STUDENT, tmp_path, monkeypatch)


def test_a_full_disk_stops_the_job(tmp_path, monkeypatch):
    store = RowStore(tmp_path)
    monkeypatch.setattr(row_store.os, "write", lambda _, data: len(data) - 1)
    with pytest.raises(OSError, match="disk full"):
        store.put("key", Answer((1,), "stop"))


# ------------------------------------------------------------------------- stored, and in memory


def test_every_batch_is_on_the_disk_before_the_next_is_decoded(opened, prompts, tmp_path):
    seen = []

    class Watched(ExactDecoder):
        def __call__(self, model, task, done):
            def then(numbers, answers):
                done(numbers, answers)
                lines = [p.read_text().count("\n") for p in tmp_path.glob("*.jsonl")]
                seen.append(sum(lines))

            super().__call__(model, task, then)

    store = RowStore(tmp_path)
    task = DecodingTask(prompts, opened[1].eos_token_ids, LIMIT)
    answer_prompts(opened[0], task, Watched(BatchShape(width=8)), store, "k")
    assert seen == sorted(set(seen))
    assert len(seen) > 5
    assert seen[0] <= 8


def test_an_index_of_many_rows_takes_little_memory(tmp_path):
    count = 100_000
    keys = [f"{i:064x}" for i in np.random.default_rng(0).integers(1, 2**62, count).tolist()]
    row = '{"row":{"finish":"stop","key":"%s","tokens":[1,2]},"sha256":"%064d"}\n'
    (tmp_path / "1.jsonl").write_text("".join(row % (key[::-1], 0) for key in keys))
    tracemalloc.start()
    store = RowStore(tmp_path)
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(store) == count
    assert held < 20 * count  # 0.9 million rows: 18 MB
    assert peak < 60 * count
    assert store.get(keys[7][::-1]) is None  # not the sha256 of what the line says
    assert store.torn == 1


def test_progress_says_done_speed_and_time_left(opened, prompts, capfd):
    counted(opened, prompts[:40], RowStore(None), progress=AnswerProgress(40))
    lines = capfd.readouterr().err.splitlines()
    assert re.fullmatch(r"progress: 40/40 answers; [\d,]+ tokens/s, 0\.0 min left", lines[-1])


class Scarce:
    """A model whose memory runs out when a batch is wider than some rows."""

    def __init__(self, model, rows, error):
        self.model, self.rows, self.error = model, rows, error
        self.layers = model.layers

    def __call__(self, tokens, cache=None):
        if tokens.shape[0] > self.rows:
            raise self.error
        return self.model(tokens, cache=cache)


OUT_OF_MEMORY = [
    RuntimeError("[malloc] Unable to allocate 8 bytes."),
    RuntimeError("[METAL] Command buffer execution failed: Insufficient Memory"),
    RuntimeError("cudaMallocAsync failed: out of memory"),
    MemoryError(),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY)
def test_where_memory_runs_out_batches_are_halved_and_answers_stay(opened, prompts, stock, error):
    model, tokenizer = opened
    widths = BatchWidths()
    task = DecodingTask(prompts, tokenizer.eos_token_ids, LIMIT)
    answers = decode(Scarce(model, 12, error), task, BatchShape(), widths=widths)
    assert [answer_text(tokenizer, answer.tokens) for answer in answers] == stock
    assert widths.halved
    assert max(widths.halved) > 12
    assert widths.limit <= 12


def test_another_error_is_not_taken_for_a_lack_of_memory(opened, prompts):
    broken = Scarce(opened[0], 0, RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes do not match"):
        decode(broken, DecodingTask(prompts, [2], LIMIT), BatchShape())


def test_one_prompt_that_does_not_fit_is_an_error_with_a_remedy(opened, prompts):
    broken = Scarce(opened[0], 0, OUT_OF_MEMORY[0])
    with pytest.raises(MemoryError, match=r"predictions\.max_tokens"):
        decode(broken, DecodingTask(prompts[:3], [2], LIMIT), BatchShape())


def test_the_width_of_a_batch_follows_from_the_memory_of_a_job(opened):
    model, _ = opened
    per_token = cache_bytes_per_token(model)
    assert per_token == 2 * 2 * 32 * 4  # layers, keys and values, width of a layer, float32
    unlimited, tight = decoding_widths(model, None), decoding_widths(model, 256)
    assert unlimited.choose(128, 10**6, 100) == 128
    assert tight.choose(128, 100, 100) == 128
    row = 512 * 20_224 * 3 // 2  # caches of 2 layers + 1
    row += 100 * (3 * 64 + 4 * 32) * 4 + 3 * 2 * 100**2 * 4 // 2  # reading a prompt
    assert tight.choose(128, 100, 20_000) == tight.budget // row // 8 * 8 == 8
    # where prompts are read a few at a time, more rows fit
    assert tight.choose(128, 2_000, 10, reading=1) > tight.choose(128, 2_000, 10)
    assert tight.choose(128, 10**9, 1) == 1
    with pytest.raises(MemoryError, match="do not hold the model's weights"):
        decoding_widths(model, 0)


def test_the_continuous_decoder_says_what_one_by_one_says(opened, prompts, stock, tmp_path):
    model, tokenizer = opened
    decoder = ContinuousDecoder(8)
    task = DecodingTask(prompts, tokenizer.eos_token_ids, LIMIT)
    store = RowStore(tmp_path)
    answers, counts = answer_prompts(model, task, decoder, store, "k")
    assert [answer_text(tokenizer, answer.tokens) for answer in answers] == stock
    assert counts.new == 75
    again, counts = answer_prompts(model, task, decoder, store, "k")
    assert (again, counts.reused) == (answers, 75)


def test_the_continuous_decoder_halves_its_width_too(opened, prompts, stock):
    model, tokenizer = opened
    decoder = ContinuousDecoder(16)
    task = DecodingTask(prompts, tokenizer.eos_token_ids, LIMIT)
    scarce = Scarce(model, 5, OUT_OF_MEMORY[0])
    answers, _ = answer_prompts(scarce, task, decoder, RowStore(None), "k")
    assert [answer_text(tokenizer, answer.tokens) for answer in answers] == stock
    assert decoder.widths.halved[0] == 16


# ------------------------------------------------------------------------------ sampled answers

SAMPLING = Sampling(temperature=0.8, top_p=0.9, seed=5)


def sampled(prompts, opened, samples):
    return DecodingTask(prompts, opened[1].eos_token_ids, LIMIT, SAMPLING, [samples] * len(prompts))


def test_tokens_are_drawn_as_often_as_their_shares_say():
    """Against the definition, in numpy: temperature first, then the smallest set that reaches top_p."""
    logits = np.array([2.0, -1.0, 1.0, 0.5, -3.0], np.float32)
    shares = np.exp(logits / 0.8) / np.exp(logits / 0.8).sum()
    order = np.argsort(-shares)
    kept = order[: int(np.searchsorted(shares[order].cumsum(), 0.9)) + 1]
    expected = np.where(np.isin(np.arange(5), kept), shares, 0)
    expected /= expected.sum()
    numbers = (np.arange(20_000, dtype=np.float32) + 0.5) / 20_000
    rows = mx.broadcast_to(mx.array(logits), (20_000, 5))
    drawn = np.bincount(np.array(SAMPLING.choose(rows, mx.array(numbers))), minlength=5) / 20_000
    assert abs(drawn - expected).max() < 1e-3
    assert drawn[4] == 0
    cold = Sampling(temperature=1e-3, top_p=1.0, seed=0)
    assert set(np.array(cold.choose(rows[:50], mx.array(numbers[::400]))).tolist()) == {0}


def test_sampled_answers_depend_on_seed_prompt_and_sample_only(opened, prompts):
    model, _ = opened
    whole = decode(model, sampled(prompts, opened, 0), BatchShape())
    for shape, chosen in ((BatchShape(width=8), range(75)), (BatchShape(), range(0, 75, 7))):
        task = sampled([prompts[i] for i in chosen], opened, 0)
        assert decode(model, task, shape) == [whole[i] for i in chosen]
    helper = ComputeWorker(decoding.serve_batches)
    try:
        assert decode(model, sampled(prompts, opened, 0), BatchShape(width=8), helper) == whole
    finally:
        helper.close()
    other = decode(model, sampled(prompts, opened, 1), BatchShape())
    assert sum(one != two for one, two in zip(whole, other, strict=True)) > 30
    continuous = {}
    ContinuousDecoder(16)(
        model, sampled(prompts, opened, 0), lambda n, a: continuous.update(zip(n, a, strict=True))
    )
    assert sum(continuous[i] == answer for i, answer in enumerate(whole)) >= 70


def test_more_samples_keep_those_that_are_there(study, folder, tmp_path, monkeypatch):
    given = {"temperature": 0.8, "top_p": 0.9, "seed": 5}
    few, _ = predict(study, folder, tmp_path, monkeypatch, sampling={**given, "samples": 2})
    rows = examination.pq.read_table(tmp_path / "predictions.parquet").to_pylist()
    more, _ = predict(study, folder, tmp_path, monkeypatch, sampling={**given, "samples": 3})
    assert (few["history"]["new"], few["history"]["reused"]) == (102, 0)
    assert (more["history"]["new"], more["history"]["reused"]) == (51, 102)
    again = examination.pq.read_table(tmp_path / "predictions.parquet").to_pylist()
    assert rows == [row for row in again if row["sample"] < 2]
    assert {row["id"].endswith(".s3") for row in again if row["sample"] == 2} == {True}
    assert all(row["id"].count(".s") == (row["sample"] > 0) for row in again)


def test_an_answer_under_a_cap_is_what_decoding_under_it_gives(opened, prompts):
    whole, _ = counted(opened, prompts, RowStore(None))
    for cap in (1, 5, 12, LIMIT):
        lower, _ = counted(opened, prompts, RowStore(None), limit=cap)
        assert [predict_answers.capped(answer, cap) for answer in whole] == lower
