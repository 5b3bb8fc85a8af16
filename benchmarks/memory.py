"""The memory model held against mlx's own count, on a model of Qwen2.5-7B's width and two layers.

    python -m benchmarks.memory [FOLDER]

Makes the model in FOLDER (3 GB; default: a temporary folder), locks and checks it, does training
steps and answers a batch, and prints for each what `distil.student.memory` predicts and what mlx
held at most. Some minutes on two cores, 10 GB of memory.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from distil.student.blas import load_blas  # noqa: E402
from distil.student.sampling import DecodingTask  # noqa: E402

load_blas()

import mlx.core as mx  # noqa: E402
from mlx.utils import tree_flatten  # noqa: E402
from mlx_lm.utils import _get_classes  # noqa: E402

from distil.student import memory  # noqa: E402
from distil.student.decoding import BatchShape, decode_batches  # noqa: E402
from distil.student.encoding import EncodedRows  # noqa: E402
from distil.student.model import LOCK_NAME, load_student, lock_checked  # noqa: E402
from distil.student.training import TrainingSettings, train_lora  # noqa: E402

STUDENT = ROOT / "resources" / "student"
# config.json of Qwen2.5-7B-Instruct, with two of its 28 layers.
CONFIG = {
    "architectures": ["Qwen2ForCausalLM"],
    "attention_dropout": 0.0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "hidden_act": "silu",
    "hidden_size": 3584,
    "initializer_range": 0.02,
    "intermediate_size": 18944,
    "max_position_embeddings": 32768,
    "max_window_layers": 28,
    "model_type": "qwen2",
    "num_attention_heads": 28,
    "num_hidden_layers": 2,
    "num_key_value_heads": 4,
    "rms_norm_eps": 1e-06,
    "rope_theta": 1000000.0,
    "sliding_window": 131072,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "use_cache": True,
    "use_sliding_window": False,
    "vocab_size": 152064,
}


def make_model(folder: Path) -> None:
    """Write a model of random bfloat16 weights with the sample student's tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    model_class, arguments = _get_classes(CONFIG)
    model = model_class(arguments.from_dict(CONFIG))
    mx.random.seed(1)
    weights = {}
    for name, value in tree_flatten(model.parameters()):
        fresh = mx.ones(value.shape) if value.ndim == 1 else 0.02 * mx.random.normal(value.shape)
        weights[name] = fresh.astype(mx.bfloat16)
        mx.eval(weights[name])
    mx.save_safetensors(str(folder / "model.safetensors"), weights, metadata={"format": "mlx"})
    (folder / "config.json").write_text(json.dumps(CONFIG, indent=1))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(STUDENT / name, folder)


def report(what: str, predicted: int, started: float) -> None:
    """Print one line, and begin to count anew."""
    peak = mx.get_peak_memory()
    print(
        f"{what}: predicted {predicted / 2**30:.2f} GiB, held {peak / 2**30:.2f} GiB"
        f" ({100 * (predicted / peak - 1):+.1f} %), {time.monotonic() - started:.0f} s",
        flush=True,
    )
    mx.clear_cache()
    mx.reset_peak_memory()


def rows_of(lengths: list[int], prompt: int) -> EncodedRows:
    """Training rows of some lengths, of arbitrary tokens."""
    tokens = tuple(tuple((7 * i + j) % 512 for j in range(n)) for i, n in enumerate(lengths))
    return EncodedRows(tokens, tuple(prompt for _ in lengths), tuple(0 for _ in lengths))


def main(folder: Path) -> None:
    """Make, lock, train and answer."""
    if not (folder / LOCK_NAME).exists():
        make_model(folder)
        mx.clear_cache()
        mx.reset_peak_memory()
        started = time.monotonic()
        lock_checked(folder)
        print(f"lock and checks: {time.monotonic() - started:.0f} s", flush=True)
    started = time.monotonic()
    model, _ = load_student(folder)
    mx.reset_peak_memory()
    memory.limit_cache(None)
    weights = memory.weight_bytes(model)
    print(f"load: {weights / 2**30:.2f} GiB of weights, {time.monotonic() - started:.0f} s")
    started = time.monotonic()
    prompts = [[(3 * i + j) % 500 + 3 for j in range(200 + 9 * i)] for i in range(16)]
    predicted = memory.decoding_peak(model, rows=16, padded=336, answer=8)
    decode_batches(model, DecodingTask(prompts, [2], 8), BatchShape(width=16, length_class=336))
    report("answers, 16 x (336 + 8) tokens", predicted, started)
    with tempfile.TemporaryDirectory() as temporary:
        for checkpointing, lengths in ((True, [300]), (True, [600, 500]), (False, [200])):
            started = time.monotonic()
            model, _ = load_student(folder)
            settings = TrainingSettings(
                seed=1, horizon=1, batch_size=len(lengths), learning_rate=1e-5, rank=8, scale=20.0,
                layers=2, max_tokens=2048, evaluate_every=10, checkpoints=(1,),
                gradient_checkpointing=checkpointing,
            )  # fmt: skip
            state = Path(temporary) / f"{checkpointing}{len(lengths)}"
            mx.reset_peak_memory()
            train_lora(model, rows_of(lengths, 20), rows_of([20], 5), settings, state)
            predicted = memory.training_peak(
                model, lengths, [20] * len(lengths), checkpointing, settings.layers
            )
            report(
                f"training step, {lengths} tokens, checkpointing {checkpointing}",
                predicted,
                started,
            )
            del model


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as home:
            main(Path(home))
