"""The student's speed against stock mlx-lm, both in this process with the same BLAS.

    python benchmarks/student.py [MODEL_FOLDER]

Prints ratios, never absolute promises: the machine's noise hits both sides of a ratio. Stock and
ours alternate, and the middle of three rounds is taken.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from distil.blas import load_blas  # noqa: E402

load_blas()

import mlx.core as mx  # noqa: E402
import mlx.optimizers as optim  # noqa: E402
import mlx_lm  # noqa: E402
import numpy as np  # noqa: E402
from mlx_lm.tuner.datasets import CacheDataset, ChatDataset  # noqa: E402
from mlx_lm.tuner.trainer import TrainingArgs, train  # noqa: E402

from distil.corpus import pretraining_rows  # noqa: E402
from distil.generation import Geometry, answer_text, decode_batches  # noqa: E402
from distil.lanes import second_lane  # noqa: E402
from distil.questions import load_prompts  # noqa: E402
from distil.student import load_student, render_prompt  # noqa: E402
from distil.training import (  # noqa: E402
    Lanes,
    LoraSettings,
    add_lora,
    encode_rows,
    evaluate,
    train_lora,
)

SETTINGS = LoraSettings(
    seed=1,
    horizon=96,
    batch_size=8,
    learning_rate=1e-3,
    rank=8,
    scale=2.0,
    layers=4,
    max_tokens=512,
    evaluate_every=1000,
    checkpoints=(),
    save_every=1000,
)
PROMPTS, STOCK_PROMPTS, MAX_TOKENS = 512, 48, 128
ROUNDS = 3


def now() -> np.ndarray:
    """Wall and CPU seconds. The second is steady where other work shares the machine."""
    return np.array([time.perf_counter(), time.process_time()])


def draw_rows(count: int, seed: int) -> list[dict]:
    """Chat rows in the very words of the sample study."""
    folder = ROOT / "resources" / "prompts" / "sample"
    prompts = load_prompts(folder / "student.txt", folder / "levels.yaml")
    drawn = pretraining_rows(prompts, frozenset(), seed)
    return [
        {
            "messages": [
                {"role": "user", "content": message},
                {"role": "assistant", "content": response},
            ]
        }
        for (message, response), _ in zip(drawn, range(count), strict=False)
    ]


def train_stock(folder: Path, rows: list[dict]) -> tuple[np.ndarray, object]:
    """Seconds that mlx-lm's own trainer takes, and the trained model."""
    model, tokenizer = load_student(folder)
    add_lora(model, SETTINGS)
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
        started = now()
        train(model, optim.Adam(SETTINGS.learning_rate), data, None, arguments)
        return now() - started, model


def train_ours(folder: Path, rows: list[dict]) -> tuple[np.ndarray, object]:
    """Seconds that our loop takes, its two validations left out, and the trained model."""
    model, tokenizer = load_student(folder)
    encoded = encode_rows(tokenizer, rows, SETTINGS.max_tokens)
    one = encode_rows(tokenizer, rows[:1], SETTINGS.max_tokens)
    with (
        tempfile.TemporaryDirectory() as temporary,
        second_lane("distil.training:serve_lane") as second,
    ):
        started = now()
        train_lora(model, encoded, one, SETTINGS, Path(temporary), second=second)
        return now() - started, model


def bench_training(folder: Path) -> None:
    """Print the ratio of seconds for the same rows and iterations, and both losses."""
    rows = draw_rows(384, 1)
    _, tokenizer = load_student(folder)
    held = encode_rows(tokenizer, draw_rows(128, 2), SETTINGS.max_tokens)
    seconds, losses = {"stock": [], "ours": []}, {}
    for _ in range(ROUNDS):
        for name, run in (("stock", train_stock), ("ours", train_ours)):
            took, model = run(folder, rows)
            seconds[name].append(took)
            losses[name] = evaluate(Lanes(model), held, 32)
    tokens = sum(map(len, encode_rows(tokenizer, rows, SETTINGS.max_tokens).tokens))
    tokens *= SETTINGS.horizon * SETTINGS.batch_size / len(rows)
    stock, ours = (np.median(seconds[name], axis=0) for name in ("stock", "ours"))
    wall, cpu = stock / ours
    print(
        f"training: {wall:.2f} x stock ({tokens / ours[0]:.0f} v {tokens / stock[0]:.0f} tokens/s),"
        f" {cpu:.2f} x by CPU seconds, validation loss {losses['ours']:.4f} v"
        f" {losses['stock']:.4f} (target 1.25 x)"
    )


def bench_generation(folder: Path) -> None:
    """Print the ratio of seconds per answer, and how many texts are the same."""
    model, tokenizer = load_student(folder)
    prompts = [
        render_prompt(tokenizer, row["messages"][0]["content"]) for row in draw_rows(PROMPTS, 3)
    ]
    seconds = {"stock": [], "ours": []}
    for _ in range(ROUNDS):
        started = now()
        stock = [
            mlx_lm.generate(model, tokenizer, prompt, max_tokens=MAX_TOKENS)
            for prompt in prompts[:STOCK_PROMPTS]
        ]
        seconds["stock"].append((now() - started) / STOCK_PROMPTS)
        mx.reset_peak_memory()
        started = now()
        with second_lane("distil.generation:serve_batches") as second:
            answers = decode_batches(
                model, prompts, tokenizer.eos_token_ids, MAX_TOKENS, Geometry(), second
            )
        texts = [answer_text(tokenizer, answer.tokens) for answer in answers]
        seconds["ours"].append((now() - started) / PROMPTS)
    same = sum(a == b for a, b in zip(stock, texts, strict=False))
    per_stock, per_ours = (np.median(seconds[name], axis=0) for name in ("stock", "ours"))
    wall, cpu = per_stock / per_ours
    tokens = sum(len(answer.tokens) + 1 for answer in answers) / PROMPTS
    print(
        f"prediction: {wall:.1f} x one by one ({1 / per_ours[0]:.0f} v {1 / per_stock[0]:.0f}"
        f" answers/s, {tokens / per_ours[0]:.0f} v {tokens / per_stock[0]:.0f} tokens/s),"
        f" {cpu:.1f} x by CPU seconds, {same} of {STOCK_PROMPTS} texts the same, peak"
        f" {mx.get_peak_memory() / 2**20:.0f} MiB of arrays, "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB resident in all"
        " (target 6 x, all the same)"
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
    student = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "resources" / "student"
    bench_blas()
    bench_training(student)
    bench_generation(student)
