"""Training as the published study did it: mlx-lm's own batches, mask and schedule.

The weights are bit for bit those of `mlx_lm.lora` on the same rows and settings; a test holds them
against that program. Its ways are kept: rows are not sorted by length, one token of a row's
padding is learnt, an incomplete batch is left out, and evaluating draws from the generator that
orders the rows, so that the cadence of evaluation changes the adapter. What is added is that a
killed run resumes to the same bytes, since every draw up to an iteration can be made again.

Losses stand in the curve under the iteration that mlx-lm prints them for: before its update, and
under 0 for the first.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from distil.content.hashing import canonical_json, sha256_text
from distil.student.blas import load_blas

load_blas()  # before mlx, or it has no effect

import mlx.core as mx  # noqa: E402
import mlx.nn as nn  # noqa: E402
import mlx.optimizers as optim  # noqa: E402
from mlx_lm.tuner.datasets import CacheDataset, ChatDataset  # noqa: E402
from mlx_lm.tuner.trainer import default_loss, evaluate, iterate_batches  # noqa: E402

from distil.student.adapters import add_lora  # noqa: E402
from distil.student.losses import checkpoint_layers  # noqa: E402
from distil.student.memory import check_training  # noqa: E402
from distil.student.states import save_state  # noqa: E402
from distil.student.training import (  # noqa: E402
    STATE,
    Progress,
    Speed,
    TrainingSettings,
    finish_run,
    finished_run,
    keep_checkpoint,
    require_finite,
    resume_run,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

VALIDATION_BATCHES = 25  # mlx_lm.lora's default
PADDED = 32  # to a multiple of which mlx-lm pads the rows of a batch


def train_published(
    model: nn.Module,
    tokenizer: Any,
    train: Sequence[dict[str, Any]],
    validation: Sequence[dict[str, Any]],
    settings: TrainingSettings,
    state: Path,
    names: Sequence[Any] = (),
    save_every: float = 60.0,
    *,
    memory_mb: int | None = None,
) -> Progress:
    """Train one adapter as `mlx_lm.lora` does, resuming from the state folder if it fits.

    Args:
        model: the student without adapter; gets LoRA terms in place.
        tokenizer: the student's, in mlx-lm's wrapper.
        train: chat rows {"messages": [...]}, with a system turn or without.
        validation: likewise; at least `batch_size` of each.
        settings: of the run; `seeded` and `clip_norm` must be left at their defaults.
        state: as in `train_lora`.
        names: as in `train_lora`.
        save_every: seconds between two states.
        memory_mb: what the job may use, in MB; None for no limit.

    Returns:
        The progress at the horizon, as `train_lora` does; checkpoints lie in the state folder.

    Raises:
        ValueError: there are fewer rows than a batch has.
        DivergedError: a loss is infinite or no number.
        MemoryError: a step would not fit.
    """
    for part, rows in (("train", train), ("validation", validation)):
        if len(rows) < settings.batch_size:
            raise ValueError(
                f"{part}: {len(rows)} rows do not fill a batch of {settings.batch_size}, and"
                " mlx_lm.lora leaves out what fills none; remedy: a smaller adapters.batch_size"
            )
    data, held = (_dataset(rows, tokenizer) for rows in (train, validation))
    key = sha256_text(
        canonical_json(["published", asdict(settings), list(train), list(validation), list(names)])
    )
    if finished := finished_run(state, key, settings):
        return finished
    check_training(
        model,
        _padded(data, settings.max_tokens),
        settings.batch_size,
        settings.gradient_checkpointing,
        settings.layers,
        memory_mb,
        whole_logits=True,
    )
    np.random.seed(settings.seed)
    add_lora(model, settings, settings.seed)
    optimizer = optim.Adam(learning_rate=settings.learning_rate)
    optimizer.init(model.trainable_parameters())
    progress = resume_run(state, key, settings, model, optimizer) or Progress(0, [], [], {})
    checkpoint_layers(model.layers[0], wanted=settings.gradient_checkpointing)
    batches = iterate_batches(data, settings.batch_size, settings.max_tokens, loop=True)
    _draw_again(batches, held, settings, progress.iteration)
    step = _compiled_step(model, optimizer)
    speed, saved = Speed(progress.iteration, settings.horizon), time.monotonic()
    for number in range(progress.iteration + 1, settings.horizon + 1):
        batch = next(batches)
        if _evaluated(number, settings):
            progress.curve.append(_measure(model, held, settings, number))
            model.train()
        progress.training.append(step(batch, number))
        progress.iteration = number
        declared = number in settings.saved()
        if declared:
            keep_checkpoint(state, model, progress)
        if declared or time.monotonic() - saved >= save_every:
            record = {"key": key, "progress": asdict(progress)}
            save_state(state / STATE, record, model, optimizer, mx.random.state)
            saved = time.monotonic()
        speed.show(progress, progress.training[-1]["tokens"])
    finish_run(state, key, progress)
    return progress.up_to(settings)


def _dataset(rows: Sequence[dict[str, Any]], tokenizer: Any) -> CacheDataset:
    """Return chat rows as mlx_lm.lora holds them, their prompts masked."""
    messages = [{"messages": row["messages"]} for row in rows]
    return CacheDataset(ChatDataset(messages, tokenizer, mask_prompt=True))


def _padded(data: CacheDataset, max_tokens: int) -> list[range]:
    """Return a stand-in for each row, as long as mlx-lm pads or cuts it alone."""
    lengths = (len(data[place][0]) for place in range(len(data)))
    return [range(min(-(-length // PADDED) * PADDED, max_tokens)) for length in lengths]


def _evaluated(number: int, settings: TrainingSettings) -> bool:
    """Tell whether mlx-lm evaluates before the update of an iteration, counted from 1."""
    return number in (1, settings.horizon) or number % settings.evaluate_every == 0


def _draw_again(
    batches: Iterator[Any], held: CacheDataset, settings: TrainingSettings, done: int
) -> None:
    """Bring numpy's generator and the order of the rows to where a run had got."""
    for number in range(1, done + 1):
        next(batches)
        if _evaluated(number, settings):
            next(iterate_batches(held, settings.batch_size, settings.max_tokens))


def _compiled_step(model: nn.Module, optimizer: optim.Optimizer) -> Callable[..., dict[str, Any]]:
    """Return a function of (batch, iteration) that does what mlx-lm's compiled step does."""
    model.train()
    gradients = nn.value_and_grad(model, default_loss)
    state = [model.state, optimizer.state, mx.random.state]

    @partial(mx.compile, inputs=state, outputs=state)
    def update(batch: tuple[mx.array, mx.array]) -> tuple[mx.array, mx.array]:
        (loss, tokens), gradient = gradients(model, *batch)
        optimizer.update(model, gradient)
        return loss, tokens

    def step(batch: tuple[mx.array, mx.array], number: int) -> dict[str, Any]:
        loss, tokens = update(batch)
        mx.eval(state, loss, tokens)
        require_finite(loss.item(), "training", number)
        return {
            "iteration": number,
            "loss": loss.item(),
            "tokens": tokens.item(),
            "rows": batch[0].shape[0],
        }

    return step


def _measure(
    model: nn.Module, held: CacheDataset, settings: TrainingSettings, number: int
) -> dict[str, Any]:
    """Return the row of the validation curve that mlx-lm would print for an iteration."""
    learnt, rows = 0, 0

    def counted(*batch: Any) -> tuple[mx.array, mx.array]:
        nonlocal learnt, rows
        loss, tokens = default_loss(*batch)
        learnt, rows = learnt + tokens.item(), rows + len(batch[1])
        return loss, tokens

    loss = evaluate(
        model,
        held,
        settings.batch_size,
        VALIDATION_BATCHES,
        max_seq_length=settings.max_tokens,
        loss=counted,
    )
    require_finite(loss, "validation", number)
    return {
        "iteration": 0 if number == 1 else number,
        "loss": loss,
        "tokens": learnt,
        "rows": rows,
    }
