"""The student's speed against stock mlx-lm, both with the same BLAS, on the sample study's rows.

    python -m benchmarks.student [--peft PYTHON] [--rounds N]

`make bench` makes the rows first. With PYTHON, an interpreter of an environment that has torch and
PEFT (`uv venv peft && uv pip install --python peft/bin/python torch peft transformers`; they are
not in the lock), the same batches are trained and the same prompts answered there, too, with one
and with two threads. Prints ratios, never absolute promises: the machine's noise
hits both sides of a ratio. Stock and ours alternate over the rounds (three), a seed each; the
middle of the times and the mean of the losses are taken.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from distil.student.blas import load_blas  # noqa: E402
from distil.student.sampling import DecodingTask  # noqa: E402

load_blas()

import mlx.core as mx  # noqa: E402
import mlx.optimizers as optim  # noqa: E402
import mlx_lm  # noqa: E402
import numpy as np  # noqa: E402
from mlx_lm.tuner.datasets import CacheDataset, ChatDataset  # noqa: E402
from mlx_lm.tuner.trainer import TrainingArgs, train  # noqa: E402

from distil.content.files import read_jsonl  # noqa: E402
from distil.student.adapters import add_lora  # noqa: E402
from distil.student.answering import answer_text  # noqa: E402
from distil.student.batches import order_epoch  # noqa: E402
from distil.student.continuous import ContinuousDecoder  # noqa: E402
from distil.student.decoding import BatchShape, decode_batches, serve_batches  # noqa: E402
from distil.student.encoding import encode_rows  # noqa: E402
from distil.student.losses import SplitBatch, evaluate, serve_parts  # noqa: E402
from distil.student.model import load_student, render_prompt  # noqa: E402
from distil.student.training import TrainingSettings, evaluation_rows, train_lora  # noqa: E402
from distil.student.workers import helper_process  # noqa: E402

STUDENT = ROOT / "resources" / "student"
ROWS = ROOT / "results" / "sample" / "datasets" / "temporal" / "prompt"
# Those of config.yaml, half as long.
SETTINGS = TrainingSettings(
    seed=1,
    horizon=100,
    batch_size=16,
    learning_rate=1e-3,
    rank=8,
    scale=2.0,
    layers=4,
    max_tokens=512,
    evaluate_every=1000,
    checkpoints=(),
)
PROMPTS, STOCK_PROMPTS, MAX_TOKENS = 512, 48, 128
ROUNDS = 3


def read_rows(part: str) -> list[dict]:
    """Chat rows of the sample study's training or validation years."""
    path = ROWS / f"{part}.jsonl"
    if not path.is_file():
        sys.exit(f"{path.relative_to(ROOT)} is missing; make it with: snakemake --cores 1 {path}")
    return [{"messages": row["messages"]} for row in read_jsonl(path)]


def train_stock(rows: list[dict], seed: int) -> tuple[float, object]:
    """Seconds that mlx-lm's own trainer takes, and the trained model."""
    model, tokenizer = load_student(STUDENT)
    add_lora(model, SETTINGS, seed)
    np.random.seed(seed)
    with tempfile.TemporaryDirectory() as temporary:
        arguments = TrainingArgs(
            batch_size=SETTINGS.batch_size,
            iters=SETTINGS.horizon,
            steps_per_report=1000,
            steps_per_save=1000,
            max_seq_length=SETTINGS.max_tokens,
            adapter_file=str(Path(temporary) / "adapters.safetensors"),
        )
        data = CacheDataset(ChatDataset(rows, tokenizer, mask_prompt=True))
        for i in range(len(data)):
            data[i]  # tokenised beforehand, as ours are
        started = time.perf_counter()
        train(model, optim.Adam(SETTINGS.learning_rate), data, None, arguments)
        return time.perf_counter() - started, model


def train_ours(rows: list[dict], seed: int) -> tuple[float, object]:
    """Seconds that our loop takes, two validations of one row in it, and the trained model."""
    model, tokenizer = load_student(STUDENT)
    encoded = encode_rows(tokenizer, rows, SETTINGS.max_tokens)
    one = encode_rows(tokenizer, rows[:1], SETTINGS.max_tokens)
    with (
        tempfile.TemporaryDirectory() as temporary,
        helper_process(serve_parts) as helper,
    ):
        started = time.perf_counter()
        train_lora(
            model, encoded, one, replace(SETTINGS, seed=seed), Path(temporary), helper=helper
        )
        return time.perf_counter() - started, model


def bench_training(rounds: int) -> float:
    """Print the ratio of tokens a second for the same rows and iterations, and both losses.

    Returns:
        Seconds of our loop.
    """
    rows = read_rows("train")
    _, tokenizer = load_student(STUDENT)
    held = encode_rows(tokenizer, read_rows("validation"), SETTINGS.max_tokens)
    seconds, losses = {"stock": [], "ours": []}, {"stock": [], "ours": []}
    for seed in range(1, rounds + 1):
        for name, run in (("stock", train_stock), ("ours", train_ours)):
            took, model = run(rows, seed)
            seconds[name].append(took)
            losses[name].append(evaluate(SplitBatch(model), held, evaluation_rows(SETTINGS)))
    tokens = sum(map(len, encode_rows(tokenizer, rows, SETTINGS.max_tokens).tokens))
    tokens *= SETTINGS.horizon * SETTINGS.batch_size / len(rows)
    stock, ours = (statistics.median(seconds[name]) for name in ("stock", "ours"))
    print(
        f"training: {stock / ours:.2f} x stock ({tokens / ours:.0f} v {tokens / stock:.0f}"
        f" tokens/s), validation loss {np.mean(losses['ours']):.4f} v"
        f" {np.mean(losses['stock']):.4f}"
        " (targets 1.25 x, the same loss or less)"
    )
    return ours


def bench_generation(rounds: int) -> tuple[float, list[list[int]]]:
    """Print the ratio of seconds per answer, and how many texts are the same.

    Returns:
        Seconds per answer of ours, and the answers' tokens.
    """
    model, tokenizer = load_student(STUDENT)
    prompts = [
        render_prompt(tokenizer, row["messages"][0]["content"])
        for row in read_rows("train")[:PROMPTS]
    ]
    task = DecodingTask(prompts, tokenizer.eos_token_ids, MAX_TOKENS)
    seconds = {"stock": [], "ours": [], "continuous": [], "batch_generate": []}
    for _ in range(rounds):
        started = time.perf_counter()
        stock = [
            mlx_lm.generate(model, tokenizer, prompt, max_tokens=MAX_TOKENS)
            for prompt in prompts[:STOCK_PROMPTS]
        ]
        seconds["stock"].append((time.perf_counter() - started) / STOCK_PROMPTS)
        mx.reset_peak_memory()
        started = time.perf_counter()
        with helper_process(serve_batches) as helper:
            answers = decode_batches(model, task, BatchShape(), helper)
        texts = [answer_text(tokenizer, answer.tokens) for answer in answers]
        seconds["ours"].append((time.perf_counter() - started) / PROMPTS)
        found = {}
        started = time.perf_counter()
        ContinuousDecoder(BatchShape().width)(
            model,
            task,
            lambda numbers, answers, found=found: found.update(zip(numbers, answers, strict=True)),
        )
        seconds["continuous"].append((time.perf_counter() - started) / PROMPTS)
        started = time.perf_counter()
        stock_batches = mlx_lm.batch_generate(
            model, tokenizer, prompts, max_tokens=MAX_TOKENS, completion_batch_size=128,
            prefill_batch_size=32,
        )  # fmt: skip
        seconds["batch_generate"].append((time.perf_counter() - started) / PROMPTS)
    agree = sum(found[i] == answer for i, answer in enumerate(answers))
    same = sum(a == b for a, b in zip(stock, texts, strict=False))
    per_stock, per_ours = (statistics.median(seconds[name]) for name in ("stock", "ours"))
    tokens = sum(len(answer.tokens) + 1 for answer in answers) / PROMPTS
    print(
        f"prediction: {per_stock / per_ours:.1f} x one by one ({1 / per_ours:.0f} v"
        f" {1 / per_stock:.0f} answers/s, {tokens / per_ours:.0f} v {tokens / per_stock:.0f}"
        f" tokens/s), {same} of {STOCK_PROMPTS} texts the same, peak"
        f" {mx.get_peak_memory() / 2**20:.0f} MiB of arrays, "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB resident in all"
        " (target 6 x, all the same)"
    )
    per_continuous = statistics.median(seconds["continuous"])
    print(
        f"prediction: {per_continuous / per_ours:.1f} x mlx-lm's batch generator of the same width,"
        f" {agree} of {PROMPTS} answers the same"
    )
    per_batch = statistics.median(seconds["batch_generate"])
    same = sum(a == b for a, b in zip(stock_batches.texts, texts, strict=True))
    print(
        f"prediction: {per_batch / per_ours:.1f} x batch_generate, 128 rows, prompts read by 32,"
        f" {same} of {PROMPTS} texts the same"
    )
    return per_ours, [list(answer.tokens) for answer in answers]


def bench_peft(python: str, training: float, per_answer: float, answers: list[list[int]]) -> None:
    """Print our speed against torch and PEFT on the same batches and prompts.

    Args:
        python: interpreter that has torch and PEFT.
        training: seconds that our loop took.
        per_answer: seconds of one of our answers.
        answers: tokens of ours.
    """
    _, tokenizer = load_student(STUDENT)
    rows = read_rows("train")
    encoded = encode_rows(tokenizer, rows, SETTINGS.max_tokens)
    batches: list[list[int]] = []
    epoch = 0
    while len(batches) < SETTINGS.horizon:
        lengths = list(map(len, encoded.tokens))
        batches += order_epoch(lengths, SETTINGS.batch_size, SETTINGS.seed, epoch)
        epoch += 1
    job = {
        "model": str(STUDENT),
        "batches": [
            [{"tokens": list(encoded.tokens[i]), "prompt": encoded.prompts[i]} for i in batch]
            for batch in batches[: SETTINGS.horizon]
        ],
        "prompts": [
            list(render_prompt(tokenizer, row["messages"][0]["content"])) for row in rows[:PROMPTS]
        ],
        "ends": sorted(tokenizer.eos_token_ids),
        "width": 128,
        "max_tokens": MAX_TOKENS,
        **{name: getattr(SETTINGS, name) for name in ("rank", "scale", "layers", "learning_rate")},
    }
    for threads in (1, 2):
        with tempfile.TemporaryDirectory() as temporary:
            file = Path(temporary) / "job.json"
            file.write_text(json.dumps({**job, "threads": threads}), encoding="utf-8")
            done = subprocess.run(
                [python, str(ROOT / "benchmarks/peft_side.py"), str(file)],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
        found = json.loads(done.stdout.splitlines()[-1])
        same = sum(a == b for a, b in zip(found["answers"], answers, strict=True))
        print(
            f"torch {found['torch']} + PEFT, threads: {threads}: training"
            f" {found['training'] / training:.2f} x as long as ours, last loss"
            f" {found['losses'][-1]:.3f}; prediction"
            f" {found['generation'] / len(answers) / per_answer:.2f} x as long,"
            f" {same} of {len(answers)} answers the same"
        )


def bench_blas() -> None:
    """Print the speed of a 2048 x 2048 product with the BLAS in use."""
    a, b = mx.random.normal((2048, 2048)), mx.random.normal((2048, 2048))
    mx.eval(a @ b)
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        mx.eval(a @ b)
        best = min(best, time.perf_counter() - started)
    print(f"BLAS: {load_blas()}, {2 * 2048**3 / best / 1e9:.0f} GFLOP/s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peft", metavar="PYTHON", help="interpreter that has torch and PEFT")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of stock and ours, in turns")
    chosen = parser.parse_args()
    bench_blas()
    took = bench_training(chosen.rounds)
    generated = bench_generation(chosen.rounds)
    if chosen.peft:
        bench_peft(chosen.peft, took, *generated)
