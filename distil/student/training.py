"""LoRA training of one adapter: one run to the horizon, with declared checkpoints.

The layers and the weights' initial values are mlx-lm's; the loop is our own, because what is
promised here cannot be had from `mlx_lm.tuner.trainer.train`: the order of the rows is a pure
function of seed and epoch, validation draws no random number, no row is dropped or cut in
silence, padding is never learnt, and a killed run resumes to the same bytes.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distil.content.files import write_atomically
from distil.content.hashing import canonical_json, sha256_text
from distil.content.progress import ProgressLine
from distil.student.blas import load_blas

load_blas()  # before mlx, or it has no effect

import mlx.core as mx  # noqa: E402
import mlx.optimizers as optim  # noqa: E402
from mlx.utils import tree_flatten  # noqa: E402

from distil.student.adapters import LoraShape, add_lora  # noqa: E402
from distil.student.batches import order_epoch  # noqa: E402
from distil.student.losses import SplitBatch, evaluate, pad_multiple  # noqa: E402
from distil.student.states import pack_arrays, read_state, restore_state, save_state  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Sequence

    import mlx.nn as nn

    from distil.student.encoding import EncodedRows
    from distil.student.workers import ComputeWorker

STATE = "state.safetensors"


@dataclass(frozen=True, kw_only=True)
class TrainingSettings(LoraShape):
    """What decides an adapter besides its rows, its model and the code.

    Attributes:
        seed: seed of the initial weights, of the order of the rows and of dropout.
        horizon: iterations.
        batch_size: rows of an iteration.
        learning_rate: constant, Adam without bias correction as in mlx-lm.
        max_tokens: longer rows are cut there, and counted.
        evaluate_every: iterations between two validation losses, after the first at 0.
        checkpoints: iterations whose weights are kept.
        gradient_checkpointing: recompute layers in the backward pass to save memory.
        save_every: iterations between two states that a killed run resumes from.
    """

    seed: int
    horizon: int
    batch_size: int
    learning_rate: float
    max_tokens: int
    evaluate_every: int
    checkpoints: tuple[int, ...]
    gradient_checkpointing: bool = False
    save_every: int = 50


def evaluation_rows(settings: TrainingSettings) -> int:
    """Rows evaluated together: what a CPU's caches hold, what training fits in memory elsewhere."""
    return 16 if mx.default_device() == mx.cpu else settings.batch_size


@dataclass
class Progress:
    """How far a run has come, besides its weights.

    Attributes:
        iteration: iterations done.
        curve: validation losses: {"iteration", "loss", "tokens", "rows"}.
        training: per iteration: {"iteration", "loss", "tokens", "rows"}.
    """

    iteration: int
    curve: list[dict[str, Any]]
    training: list[dict[str, Any]]


def run_key(
    settings: TrainingSettings, train: EncodedRows, validation: EncodedRows, names: Sequence[str]
) -> str:
    """Name of a run: a hash of all that can change its bytes.

    A state with another key is not resumed from. How often states are saved is no part of it.

    Args:
        settings: of the run.
        train: rows.
        validation: rows.
        names: hashes of the model, the code and the backend.
    """
    plain = {k: v for k, v in asdict(settings).items() if k != "save_every"}
    return sha256_text(canonical_json([plain, asdict(train), asdict(validation), list(names)]))


def train_lora(
    model: nn.Module,
    train: EncodedRows,
    validation: EncodedRows,
    settings: TrainingSettings,
    state: Path,
    names: Sequence[str] = (),
    helper: ComputeWorker | None = None,
) -> Progress:
    """Train one adapter to the horizon, resuming from the state folder if it fits.

    Args:
        model: the student without adapter; gets LoRA terms in place.
        train: rows to learn; none is dropped.
        validation: rows of the validation curve; none is dropped.
        settings: of the run.
        state: folder of `state.safetensors` and of checkpoints not yet exported.
        names: hashes of model, code and backend; a state of others is not resumed from.
        helper: process for the second part of each batch, see `SplitBatch`.

    Returns:
        The progress at the horizon; the declared checkpoints lie in the state folder as
        `ITERATION.safetensors` (5 digits).

    Raises:
        ValueError: no rows, or a declared checkpoint beyond the horizon.
    """
    if not train.tokens or not validation.tokens:
        raise ValueError("train or validation has no rows; remedy: see the datasets stage")
    if wrong := [i for i in settings.checkpoints if not 1 <= i <= settings.horizon]:
        raise ValueError(
            f"adapters.checkpoints: {wrong[0]} is not in 1..{settings.horizon}, the horizon"
        )
    key = run_key(settings, train, validation, names)
    add_lora(model, settings, settings.seed)
    optimizer = optim.Adam(learning_rate=settings.learning_rate)
    optimizer.init(model.trainable_parameters())
    declared = {*settings.checkpoints, settings.horizon}
    progress = _resume(state, key, declared, model, optimizer) or Progress(0, [], [])
    split = SplitBatch(model, helper, pad_multiple(), settings.gradient_checkpointing)
    lengths = [len(row) for row in train.tokens]
    per_epoch = -(-len(lengths) // settings.batch_size)
    epoch, batches = -1, []
    started, fresh = time.monotonic(), 0
    line = ProgressLine(settings.horizon, "iterations")
    for iteration in range(progress.iteration, settings.horizon):
        if iteration % settings.evaluate_every == 0:
            _measure(progress, iteration, split, validation, settings)
        if iteration // per_epoch != epoch:
            epoch = iteration // per_epoch
            batches = order_epoch(lengths, settings.batch_size, settings.seed, epoch)
        chosen = batches[iteration % per_epoch]
        (loss, gradient), learnt = split.run(
            "gradients",
            [train.tokens[i] for i in chosen],
            [train.prompts[i] for i in chosen],
            # Dropout's numbers depend on seed and iteration alone, so a resumed run draws the same.
            settings.seed * 1_000_003 + iteration,
        )
        optimizer.update(model, gradient)
        mx.eval(model.trainable_parameters(), optimizer.state, loss)
        split.share_weights()
        progress.iteration = iteration + 1
        progress.training.append(
            {
                "iteration": iteration + 1,
                "loss": loss.item(),
                "tokens": learnt,
                "rows": len(chosen),
            }
        )
        fresh += sum(lengths[i] for i in chosen)
        if progress.iteration == settings.horizon:
            _measure(progress, progress.iteration, split, validation, settings)
        if progress.iteration in declared:
            write_atomically(
                state / f"{progress.iteration:05d}.safetensors",
                pack_arrays(
                    dict(tree_flatten(model.trainable_parameters())),
                    {"adapter": canonical_json({"iteration": progress.iteration, "run": key})},
                ),
            )
        if progress.iteration in declared or progress.iteration % settings.save_every == 0:
            save_state(state / STATE, {"key": key, "progress": asdict(progress)}, model, optimizer)
        recent = progress.training[-10:]
        curve = [row["loss"] for row in progress.curve]
        line.show(
            progress.iteration,
            f"loss {sum(row['loss'] for row in recent) / len(recent):.3f}, validation"
            f" {curve[-1]:.3f}, {fresh / (time.monotonic() - started):,.0f} tokens/s",
            curve,
        )
    return progress


def _measure(
    progress: Progress,
    iteration: int,
    split: SplitBatch,
    validation: EncodedRows,
    settings: TrainingSettings,
) -> None:
    """Append the validation loss after `iteration` iterations, unless a resumed run has it."""
    if progress.curve and progress.curve[-1]["iteration"] == iteration:
        return
    learnt = sum(
        len(row) - given for row, given in zip(validation.tokens, validation.prompts, strict=True)
    )
    progress.curve.append(
        {
            "iteration": iteration,
            "loss": evaluate(split, validation, evaluation_rows(settings)),
            "tokens": learnt,
            "rows": len(validation.tokens),
        }
    )


def _resume(
    state: Path, key: str, declared: set[int], model: nn.Module, optimizer: optim.Optimizer
) -> Progress | None:
    """Load a state of the same run into model and optimizer; None if there is none."""
    found = read_state(state / STATE, key)
    if found is None:
        return None
    record, arrays = found
    for iteration in declared:
        if iteration <= record["progress"]["iteration"] and not _belongs(
            state / f"{iteration:05d}.safetensors", key
        ):
            return None  # another run has overwritten it since
    restore_state(arrays, model, optimizer)
    print(f"resuming after iteration {record['progress']['iteration']}", file=sys.stderr)
    return Progress(**record["progress"])


def _belongs(checkpoint: Path, key: str) -> bool:
    """Whether a checkpoint is there and was written by the run of this key."""
    if not checkpoint.exists():
        return False
    _, metadata = mx.load(str(checkpoint), return_metadata=True)
    return json.loads(metadata["adapter"])["run"] == key
