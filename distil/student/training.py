"""LoRA training of one adapter: one run to the horizon, with declared checkpoints.

The layers and the weights' initial values are mlx-lm's; the loop is our own, because what is
promised here cannot be had from `mlx_lm.tuner.trainer.train`: the order of the rows is a pure
function of seed and epoch, validation draws no random number, no row is dropped or cut in
silence, padding is never learnt, and a killed run resumes to the same bytes.

A state folder holds `state.safetensors` while a run lasts, its declared checkpoints, and
`finished.json` once it has ended; the optimizer's moments go then, being most of the bytes.
"""

from __future__ import annotations

import json
import math
import sys
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from distil.content.files import write_atomically
from distil.content.hashing import canonical_json, sha256_bytes, sha256_file, sha256_text
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
    from pathlib import Path

    import mlx.nn as nn

    from distil.student.encoding import EncodedRows
    from distil.student.workers import ComputeWorker

STATE, FINISHED = "state.safetensors", "finished.json"
SEEDED = ("weights", "order", "dropout")
# What says how far a run goes and how often it looks, not what it computes on the way.
_CADENCE = frozenset({"horizon", "checkpoints", "evaluate_every"})


class DivergedError(ValueError):
    """A loss is no number any more."""


@dataclass(frozen=True, kw_only=True)
class TrainingSettings(LoraShape):
    """What decides an adapter besides its rows, its model and the code.

    Attributes:
        seed: seed of what `seeded` names.
        horizon: iterations.
        batch_size: rows of an iteration.
        learning_rate: constant, Adam without bias correction as in mlx-lm.
        max_tokens: longer rows are cut there, and counted.
        evaluate_every: iterations between two validation losses, after the first at 0.
        checkpoints: iterations whose weights are kept.
        gradient_checkpointing: recompute layers in the backward pass to save memory.
        clip_norm: gradients of a greater norm are scaled down to it; None for no limit.
        seeded: what the seed decides, of `SEEDED`: the initial weights, the order of the rows,
            dropout's numbers. The others are drawn from seed 0 in every run.
    """

    seed: int
    horizon: int
    batch_size: int
    learning_rate: float
    max_tokens: int
    evaluate_every: int
    checkpoints: tuple[int, ...]
    gradient_checkpointing: bool = False
    clip_norm: float | None = None
    seeded: tuple[str, ...] = SEEDED

    def seed_of(self, part: str) -> int:
        """Return the seed of one of `SEEDED`."""
        return self.seed if part in self.seeded else 0

    def measured(self) -> set[int]:
        """Return the iterations after which the validation loss is measured."""
        return {*range(0, self.horizon, self.evaluate_every), self.horizon}

    def saved(self) -> set[int]:
        """Return the iterations whose weights are kept."""
        return {*self.checkpoints, self.horizon}


def evaluation_rows(settings: TrainingSettings) -> int:
    """Return how many rows are evaluated together.

    On a CPU as many as its caches hold, elsewhere what training fits in memory.
    """
    return 16 if mx.default_device() == mx.cpu else settings.batch_size


@dataclass
class Progress:
    """How far a run has come, besides its weights.

    Attributes:
        iteration: iterations done.
        curve: validation losses: {"iteration", "loss", "tokens", "rows"}.
        training: per iteration: {"iteration", "loss", "tokens", "rows"}.
        saved: sha256 of each checkpoint's file, by iteration (text, as JSON has it).
    """

    iteration: int
    curve: list[dict[str, Any]]
    training: list[dict[str, Any]]
    saved: dict[str, str]

    def covers(self, settings: TrainingSettings, folder: Path, *, ended: bool = False) -> bool:
        """Tell whether these settings can go on from here, or end here.

        A state may be of a run with another horizon or cadence. What it has passed must have been
        measured and saved as these settings want it.
        """
        measured = {row["iteration"] for row in self.curve}
        # A run that goes on measures the loss at the iteration reached before it does.
        last = self.iteration if ended else self.iteration - 1
        if any(i <= last for i in settings.measured() - measured):
            return False
        for i in settings.saved():
            path = checkpoint_path(folder, i)
            if i <= self.iteration and not (
                path.exists() and self.saved.get(str(i)) == sha256_file(path)
            ):
                return False
        return True

    def up_to(self, settings: TrainingSettings) -> Progress:
        """Return what a run of these settings alone would have written."""
        wanted = settings.measured()
        return Progress(
            iteration=settings.horizon,
            curve=[row for row in self.curve if row["iteration"] in wanted],
            training=self.training[: settings.horizon],
            saved={i: digest for i, digest in self.saved.items() if int(i) in settings.saved()},
        )


def checkpoint_path(folder: Path, iteration: int) -> Path:
    """Return where a state folder keeps the weights of one iteration."""
    return folder / f"{iteration:05d}.safetensors"


def run_key(
    settings: TrainingSettings,
    train: EncodedRows,
    validation: EncodedRows,
    names: Sequence[Any],
) -> str:
    """Return the name of a run: a hash of all that can change what it computes.

    A state with another key is not resumed from. How far a run goes, how often it is evaluated and
    how often it is saved are no part of it (see `Progress.covers`).

    Args:
        settings: of the run.
        train: rows.
        validation: rows.
        names: of the model, the code, the backend and the BLAS.
    """
    plain = {k: v for k, v in asdict(settings).items() if k not in _CADENCE}
    return sha256_text(canonical_json([plain, asdict(train), asdict(validation), list(names)]))


def train_lora(
    model: nn.Module,
    train: EncodedRows,
    validation: EncodedRows,
    settings: TrainingSettings,
    state: Path,
    names: Sequence[Any] = (),
    helper: ComputeWorker | None = None,
    save_every: float = 60.0,
) -> Progress:
    """Train one adapter to the horizon, resuming from the state folder if it fits.

    Args:
        model: the student without adapter; gets LoRA terms in place.
        train: rows to learn; none is dropped.
        validation: rows of the validation curve; none is dropped.
        settings: of the run.
        state: folder of states and of checkpoints not yet exported.
        names: of the model, the code, the backend and the BLAS, as plain JSON; a state of others is
            not resumed from.
        helper: process for the second part of each batch, see `SplitBatch`.
        save_every: seconds between two states that a killed run resumes from; one is saved with
            each checkpoint too.

    Returns:
        The progress at the horizon; the declared checkpoints lie in the state folder, see
        `checkpoint_path`.

    Raises:
        ValueError: no rows, or a declared checkpoint beyond the horizon.
        DivergedError: a loss is infinite or no number; what was saved before is kept.
    """
    _check(train, validation, settings)
    key = run_key(settings, train, validation, names)
    if finished := finished_run(state, key, settings):
        return finished
    add_lora(model, settings, settings.seed_of("weights"))
    optimizer = optim.Adam(learning_rate=settings.learning_rate)
    optimizer.init(model.trainable_parameters())
    progress = resume_run(state, key, settings, model, optimizer) or Progress(0, [], [], {})
    split = SplitBatch(model, helper, pad_multiple(), settings.gradient_checkpointing)
    lengths = [len(row) for row in train.tokens]
    per_epoch = -(-len(lengths) // settings.batch_size)
    epoch, batches = -1, []
    speed = Speed(progress.iteration, settings.horizon)
    saved = time.monotonic()
    for iteration in range(progress.iteration, settings.horizon):
        if iteration % settings.evaluate_every == 0:
            _measure(progress, iteration, split, validation, settings)
        if iteration // per_epoch != epoch:
            epoch = iteration // per_epoch
            batches = order_epoch(lengths, settings.batch_size, settings.seed_of("order"), epoch)
        chosen = batches[iteration % per_epoch]
        progress.training.append(_step(split, optimizer, train, chosen, settings, iteration))
        progress.iteration = iteration + 1
        if progress.iteration == settings.horizon:
            _measure(progress, progress.iteration, split, validation, settings)
        declared = progress.iteration in settings.saved()
        if declared:
            keep_checkpoint(state, model, progress)
        if declared or time.monotonic() - saved >= save_every:
            record = {"key": key, "progress": asdict(progress)}
            save_state(state / STATE, record, model, optimizer)
            saved = time.monotonic()
        speed.show(progress, sum(lengths[i] for i in chosen))
    _measure(progress, settings.horizon, split, validation, settings)
    finish_run(state, key, progress)
    return progress.up_to(settings)


def _check(train: EncodedRows, validation: EncodedRows, settings: TrainingSettings) -> None:
    if not train.tokens or not validation.tokens:
        raise ValueError("train or validation has no rows; remedy: see the datasets stage")
    if wrong := [i for i in settings.checkpoints if not 1 <= i <= settings.horizon]:
        raise ValueError(
            f"adapters.checkpoints: {wrong[0]} is not in 1..{settings.horizon}, the horizon"
        )


def _step(
    split: SplitBatch,
    optimizer: optim.Optimizer,
    train: EncodedRows,
    chosen: Sequence[int],
    settings: TrainingSettings,
    iteration: int,
) -> dict[str, Any]:
    """Do one iteration and return its row of the training log.

    Raises:
        DivergedError: the loss is infinite or no number.
    """
    (loss, gradient), learnt = split.run(
        "gradients",
        [train.tokens[i] for i in chosen],
        [train.prompts[i] for i in chosen],
        # Dropout's numbers depend on seed and iteration alone, so a resumed run draws the same.
        settings.seed_of("dropout") * 1_000_003 + iteration,
    )
    if settings.clip_norm is not None:
        gradient, _ = optim.clip_grad_norm(gradient, settings.clip_norm)
    optimizer.update(split.model, gradient)
    mx.eval(split.model.trainable_parameters(), optimizer.state, loss)
    require_finite(loss.item(), "training", iteration + 1)
    split.share_weights()
    return {
        "iteration": iteration + 1,
        "loss": loss.item(),
        "tokens": learnt,
        "rows": len(chosen),
    }


def require_finite(loss: float, kind: str, iteration: int) -> None:
    """Stop a run whose loss is infinite or no number, with the iteration and what to change."""
    if not math.isfinite(loss):
        raise DivergedError(
            f"iteration {iteration}: the {kind} loss is {loss}, so the run has diverged; remedy: a"
            " smaller adapters.learning_rate or scale, or adapters.clip_norm: 1.0 (what was saved"
            " before is kept, and a run of other settings starts anew)"
        )


def _measure(
    progress: Progress,
    iteration: int,
    split: SplitBatch,
    validation: EncodedRows,
    settings: TrainingSettings,
) -> None:
    """Append the validation loss after `iteration` iterations, unless it is there already."""
    if progress.iteration > iteration or any(r["iteration"] == iteration for r in progress.curve):
        return
    learnt = sum(
        len(row) - given for row, given in zip(validation.tokens, validation.prompts, strict=True)
    )
    loss = evaluate(split, validation, evaluation_rows(settings))
    require_finite(loss, "validation", iteration)
    progress.curve.append(
        {
            "iteration": iteration,
            "loss": loss,
            "tokens": learnt,
            "rows": len(validation.tokens),
        }
    )


class Speed:
    """Says how far a run is, how fast, and how long it will still take."""

    def __init__(self, iteration: int, horizon: int) -> None:
        """Start the clock at an iteration."""
        self.first, self.horizon = iteration, horizon
        self.tokens, self.started = 0, time.monotonic()
        self.line = ProgressLine(horizon, "iterations")

    def show(self, progress: Progress, tokens: int) -> None:
        """Count an iteration's tokens and say so once in a while."""
        self.tokens += tokens
        recent = [row["loss"] for row in progress.training[-10:]]
        seconds = max(time.monotonic() - self.started, 1e-9)
        left = seconds / (progress.iteration - self.first) * (self.horizon - progress.iteration)
        curve = [row["loss"] for row in progress.curve]
        self.line.show(
            progress.iteration,
            f"loss {sum(recent) / len(recent):.3f}, validation {curve[-1]:.3f},"
            f" {self.tokens / seconds:,.0f} tokens/s, {left / 60:.1f} min left",
            curve,
        )


def keep_checkpoint(state: Path, model: nn.Module, progress: Progress) -> None:
    """Write the adapter's weights: a file that says nothing of cadence, code or machine."""
    weights = dict(tree_flatten(model.trainable_parameters()))
    content = pack_arrays(weights, {"adapter": canonical_json({"iteration": progress.iteration})})
    write_atomically(checkpoint_path(state, progress.iteration), content)
    progress.saved[str(progress.iteration)] = sha256_bytes(content)


def finish_run(state: Path, key: str, progress: Progress) -> None:
    """Leave what a finished run is known by, and drop the state that nothing resumes from."""
    record = {"key": key, "progress": asdict(progress)}
    write_atomically(state / FINISHED, canonical_json(record).encode())
    (state / STATE).unlink(missing_ok=True)


def finished_run(state: Path, key: str, settings: TrainingSettings) -> Progress | None:
    """Return the progress of a run that has ended already; None if there is none that fits."""
    path = state / FINISHED
    if not path.exists():
        return None
    record = json.loads(path.read_text(encoding="utf-8"))
    progress = Progress(**record["progress"])
    if record["key"] != key or progress.iteration < settings.horizon:
        return None
    return progress.up_to(settings) if progress.covers(settings, state, ended=True) else None


def resume_run(
    state: Path,
    key: str,
    settings: TrainingSettings,
    model: nn.Module,
    optimizer: optim.Optimizer,
) -> Progress | None:
    """Load a state of the same run into model and optimizer; None if there is none that fits."""
    found = read_state(state / STATE, key)
    if found is None:
        return None
    record, arrays = found
    progress = Progress(**record["progress"])
    if progress.iteration > settings.horizon or not progress.covers(settings, state):
        return None
    restore_state(arrays, model, optimizer)
    print(f"resuming after iteration {progress.iteration}", file=sys.stderr)
    return progress
