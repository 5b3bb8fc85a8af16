"""A tiny student made from nothing: tokenizer, Qwen2-shaped weights, pre-training.

The result is a folder in Hugging Face's layout that `mlx_lm.load` opens like any model.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from distil.content.files import write_atomically
from distil.content.hashing import canonical_json, sha256_text
from distil.student.blas import load_blas

load_blas()  # before mlx, or it has no effect

import mlx.core as mx  # noqa: E402
import mlx.nn as nn  # noqa: E402
import mlx.optimizers as optim  # noqa: E402
from mlx.utils import tree_flatten  # noqa: E402
from mlx_lm.models import qwen2  # noqa: E402
from tokenizers import (  # noqa: E402
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)

from distil.student.losses import SplitBatch, count_parts  # noqa: E402
from distil.student.model import lock_model, render_row  # noqa: E402
from distil.student.states import pack_arrays, read_state, restore_state, save_state  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from distil.student.workers import ComputeWorker

PAD, TURN, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
# How Qwen2's tokenizer cuts text into words (each digit one of them). The transformers library
# cuts so for every model of type qwen2, whatever its tokenizer.json says: fit what will be used.
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SHAPE = {"hidden": 96, "layers": 4, "heads": 3, "feed_forward": 288, "positions": 512}
SETTINGS = {
    "batch_tokens": 2048,
    "learning_rate": 0.01,
    "adam_share": 0.3,
    "warmup": 50,
    "final_share": 0.02,
    "clip": 1.0,
    "learn": "response",
    "seed": 0,
}


def fit_tokenizer(texts: Iterable[str], vocabulary: int = 512) -> Tokenizer:
    """Fit a byte-level BPE in which every digit is a token of its own.

    Args:
        texts: the text to learn merges from.
        vocabulary: number of tokens, with the 256 bytes and three special tokens.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=[PAD, TURN, END],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return tokenizer


def model_config(tokenizer: Tokenizer, shape: dict[str, int]) -> dict[str, Any]:
    """Return the `config.json` of a Qwen2-shaped model for a tokenizer."""
    return {
        "architectures": ["Qwen2ForCausalLM"],
        "attention_dropout": 0.0,
        "dtype": "float32",
        "eos_token_id": tokenizer.token_to_id(END),
        "hidden_act": "silu",
        "hidden_size": shape["hidden"],
        "initializer_range": 0.02,
        "intermediate_size": shape["feed_forward"],
        "max_position_embeddings": shape["positions"],
        "model_type": "qwen2",
        "num_attention_heads": shape["heads"],
        "num_hidden_layers": shape["layers"],
        "num_key_value_heads": shape["heads"],
        "pad_token_id": tokenizer.token_to_id(PAD),
        "rms_norm_eps": 1e-6,
        # At the top level: newer transformers nest it, and mlx then falls back to 1e6.
        "rope_theta": 10000.0,
        "tie_word_embeddings": True,
        "use_cache": True,
        "vocab_size": tokenizer.get_vocab_size(),
    }


def write_tokenizer(tokenizer: Tokenizer, config: dict[str, Any], folder: Path) -> None:
    """Write all files of a model folder but the weights."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_json(folder / "config.json", config)
    _write_json(
        folder / "generation_config.json",
        {key: config[key] for key in ("eos_token_id", "pad_token_id")} | {"do_sample": False},
    )
    _write_json(
        folder / "tokenizer_config.json",
        {
            "add_bos_token": False,
            "add_prefix_space": False,
            "chat_template": CHAT_TEMPLATE,
            "clean_up_tokenization_spaces": False,
            "eos_token": END,
            "model_max_length": config["max_position_embeddings"],
            "pad_token": PAD,
            "tokenizer_class": "PreTrainedTokenizerFast",
        },
    )
    tokenizer.save(str(folder / "tokenizer.json"))


def _write_json(path: Path, value: Any) -> None:
    write_atomically(path, (json.dumps(value, indent=2, sort_keys=True) + "\n").encode())


def create_model(config: dict[str, Any], seed: int) -> nn.Module:
    """Make a model with fresh weights: normal, 0.02, residual outputs scaled down by depth."""
    model = qwen2.Model(qwen2.ModelArgs.from_dict(config))
    random = np.random.default_rng([seed, 0])
    depth = math.sqrt(2 * config["num_hidden_layers"])
    weights = []
    for name, value in tree_flatten(model.parameters()):
        if value.ndim == 1:
            fresh = np.zeros(value.shape) if name.endswith("bias") else np.ones(value.shape)
        else:
            scale = config["initializer_range"]
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                scale /= depth
            fresh = random.normal(0.0, scale, value.shape)
        weights.append((name, mx.array(fresh.astype(np.float32))))
    model.load_weights(weights)
    mx.eval(model.parameters())
    return model


class SplitOptimizer(optim.MultiOptimizer):
    """Muon for the matrices of the layers, Adam for embeddings, norms and biases.

    On this text Muon needs about a third of the tokens that Adam alone needs for the same loss.
    Source: K. Jordan et al., Muon, https://kellerjordan.github.io/posts/muon/ (2024).
    """

    def __init__(self, learning_rate: float, adam_share: float) -> None:
        super().__init__(
            [
                optim.Muon(learning_rate, momentum=0.95, weight_decay=0.0),
                optim.Adam(learning_rate * adam_share, betas=[0.9, 0.98], bias_correction=True),
            ],
            [lambda name, weight: weight.ndim == 2 and "embed" not in name],
        )
        self._adam_share = adam_share

    @property
    def learning_rate(self) -> mx.array:
        """Muon's learning rate; Adam's is a fixed share of it."""
        return self.optimizers[0].learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self.optimizers[0].learning_rate = value
        self.optimizers[1].learning_rate = value * self._adam_share


def order_batches(lengths: Sequence[int], batch_tokens: int, seed: int) -> list[np.ndarray]:
    """Cut rows into batches of about `batch_tokens` padded tokens, rows of like length together.

    Rows are sorted within shuffled blocks of 64 batches, so that a batch is nearly free of
    padding and yet mixed. A pure function of its arguments; every row stands in one batch.
    """
    random = np.random.default_rng([seed, 1])
    lengths = np.asarray(lengths)
    rows = random.permutation(len(lengths))
    block = max(1, int(64 * batch_tokens / max(1.0, lengths.mean())))
    batches = []
    for start in range(0, len(rows), block):
        part = rows[start : start + block]
        part = part[np.argsort(lengths[part], kind="stable")]
        first = 0
        for last in range(1, len(part) + 1):
            full = last < len(part) and lengths[part[last]] * (last + 1 - first) > batch_tokens
            if full or last == len(part):
                batches.append(part[first:last])
                first = last
    return [batches[i] for i in random.permutation(len(batches))]


def learning_rate(step: int, steps: int, settings: dict[str, Any]) -> float:
    """Linear warm-up, then a cosine down to `final_share` of the peak; step counts from 0."""
    peak, warmup = settings["learning_rate"], settings["warmup"]
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / max(1, steps - warmup)
    low = settings["final_share"]
    return peak * (low + (1 - low) * 0.5 * (1 + math.cos(math.pi * progress)))


def tokenize_rows(
    tokenizer: Any, rows: Iterable[tuple[str, str]], tokens: int, learn: str
) -> Iterator[tuple[np.ndarray, int]]:
    """Token ids of chat rows and their unlearnt prompt lengths, until a budget is reached.

    Args:
        tokenizer: mlx-lm's wrapper of the new tokenizer.
        rows: (message, response) pairs.
        tokens: budget; the row that reaches it is the last.
        learn: "response" or "all".
    """
    seen = 0
    for message, response in rows:
        ids, given = render_row(tokenizer, message, response)
        yield np.array(ids, np.int16), given if learn == "response" else 1
        seen += len(ids)
        if seen >= tokens:
            return


def pretrain(
    model: nn.Module,
    rows: Sequence[tuple[np.ndarray, int]],
    settings: dict[str, Any],
    state: Path,
    save_every: int = 200,
    helper: ComputeWorker | None = None,
) -> list[dict[str, float]]:
    """Train all weights on the rows once, resuming from a state file if it fits.

    Args:
        model: fresh model, changed in place.
        rows: (token ids, unlearnt prompt length) of each row.
        settings: see `SETTINGS`.
        state: file of weights, optimizer and progress; written every `save_every` steps.
        save_every: steps between two states.
        helper: process for the second part of each batch, see `distil.student.losses.SplitBatch`.

    Returns:
        The log: {"step", "loss", "learning_rate", "tokens"}, a row per 50 steps.
    """
    lengths = [len(ids) for ids, _ in rows]
    batches = order_batches(lengths, settings["batch_tokens"], settings["seed"])
    shapes = sorted((name, list(v.shape)) for name, v in tree_flatten(model.parameters()))
    digest = hashlib.sha256()
    for ids, given in rows:
        digest.update(np.int32(given).tobytes() + np.int32(len(ids)).tobytes() + ids.tobytes())
    key = sha256_text(canonical_json([settings, shapes, digest.hexdigest(), count_parts()]))
    optimizer = SplitOptimizer(settings["learning_rate"], settings["adam_share"])
    optimizer.init(model.trainable_parameters())
    log: list[dict[str, float]] = []
    losses: list[float] = []
    done = 0
    if found := read_state(state, key):
        record, arrays = found
        done, log, losses = record["done"], record["log"], record["losses"]
        restore_state(arrays, model, optimizer)
    split = SplitBatch(model, helper)
    seen = sum(lengths[i] for batch in batches[:done] for i in batch)
    started, fresh = time.monotonic(), 0
    for number in range(done, len(batches)):
        chosen = batches[number]
        optimizer.learning_rate = learning_rate(number, len(batches), settings)
        (loss, gradient), _ = split.run(
            "gradients", [rows[i][0] for i in chosen], [rows[i][1] for i in chosen]
        )
        gradient, _ = optim.clip_grad_norm(gradient, settings["clip"])
        optimizer.update(model, gradient)
        mx.eval(model.parameters(), optimizer.state, loss)
        split.share_weights()
        losses.append(loss.item())
        count = sum(lengths[i] for i in chosen)
        seen += count
        fresh += count
        if (number + 1) % 50 == 0 or number + 1 == len(batches):
            log.append(
                {
                    "step": number + 1,
                    "loss": sum(losses) / len(losses),
                    "learning_rate": learning_rate(number, len(batches), settings),
                    "tokens": seen,
                }
            )
            losses = []
            speed = fresh / (time.monotonic() - started)
            left = (sum(lengths) - seen) / speed / 60
            print(
                f"step {number + 1}/{len(batches)} loss {log[-1]['loss']:.4f}"
                f" {speed:.0f} tokens/s, {left:.1f} min left",
                file=sys.stderr,
                flush=True,
            )
        if (number + 1) % save_every == 0 or number + 1 == len(batches):
            record = {"key": key, "done": number + 1, "log": log, "losses": losses}
            save_state(state, record, model, optimizer)
    return log


def build_student(
    texts: Iterable[tuple[str, str]],
    sample: Sequence[tuple[str, str]],
    folder: Path,
    state: Path,
    tokens: int,
    settings: dict[str, Any] | None = None,
    shape: dict[str, int] | None = None,
    vocabulary: int = 512,
    helper: ComputeWorker | None = None,
) -> dict[str, Any]:
    """Make, pre-train, write and lock a student.

    Args:
        texts: (message, response) rows to train on, more than `tokens` hold.
        sample: rows that the tokenizer is fitted on.
        folder: where the model is written.
        state: file that a killed run resumes from.
        tokens: tokens to train on.
        settings: overrides of `SETTINGS`.
        shape: overrides of `SHAPE`.
        vocabulary: number of tokens.
        helper: as in `pretrain`.

    Returns:
        The record of the run: settings, shape, rows, tokens, parameters, log.
    """
    from mlx_lm.tokenizer_utils import load as load_tokenizer

    settings, shape = SETTINGS | (settings or {}), SHAPE | (shape or {})
    # With the turns, so that the template's own words ("user") get their tokens.
    turns = (
        f"{TURN}user\n{message}{END}\n{TURN}assistant\n{response}{END}\n"
        for message, response in sample
    )
    fitted = fit_tokenizer(turns, vocabulary)
    config = model_config(fitted, shape)
    write_tokenizer(fitted, config, folder)
    tokenizer = load_tokenizer(folder, eos_token_ids=config["eos_token_id"])
    rows = list(tokenize_rows(tokenizer, texts, tokens, settings["learn"]))
    longest = max(len(ids) for ids, _ in rows)
    if longest > shape["positions"]:
        raise ValueError(
            f"pre-training text: a row of {longest} tokens is longer than the model's"
            f" {shape['positions']} positions; remedy: raise positions"
        )
    model = create_model(config, settings["seed"])
    log = pretrain(model, rows, settings, state, helper=helper)
    weights = dict(tree_flatten(model.parameters()))
    write_atomically(folder / "model.safetensors", pack_arrays(weights, {"format": "mlx"}))
    record = {
        "settings": settings,
        "shape": shape,
        "vocabulary": vocabulary,
        "rows": len(rows),
        "tokens": int(sum(len(ids) for ids, _ in rows)),
        "parameters": int(sum(value.size for value in weights.values())),
        "log": log,
    }
    _write_json(folder / "pretraining.json", record)
    lock_model(folder)
    return record
