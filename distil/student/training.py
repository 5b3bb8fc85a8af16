"""LoRA training of one adapter: one run to the horizon, with declared checkpoints.

The layers and the weights' initial values are mlx-lm's; the loop is our own, because what is
promised here cannot be had from `mlx_lm.tuner.trainer.train`: the order of the rows is a pure
function of seed and epoch, validation draws no random number, no row is dropped or cut in
silence, padding is never learnt, and a killed run resumes to the same bytes.
"""

from __future__ import annotations

import contextlib
import functools
import json
import sys
import time
from dataclasses import asdict, dataclass
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
import safetensors.numpy  # noqa: E402
from mlx.utils import tree_flatten, tree_map, tree_unflatten  # noqa: E402
from mlx_lm.models import qwen2  # noqa: E402
from mlx_lm.tuner.lora import LoRALinear  # noqa: E402
from mlx_lm.tuner.trainer import grad_checkpoint  # noqa: E402
from mlx_lm.tuner.utils import linear_to_lora_layers  # noqa: E402

from distil.student.batches import order_epoch, pad_rows  # noqa: E402
from distil.student.lanes import shareable  # noqa: E402
from distil.student.model import render_row  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from distil.student.lanes import Lane


@dataclass(frozen=True)
class LoraSettings:
    """What decides an adapter besides its rows, its model and the code.

    Attributes:
        seed: seed of the initial weights, of the order of the rows and of dropout.
        horizon: iterations.
        batch_size: rows of an iteration.
        learning_rate: constant, Adam without bias correction as in mlx-lm.
        rank: LoRA rank.
        scale: factor of the LoRA term (not alpha).
        layers: the last layers that get LoRA terms in all their linear maps.
        max_tokens: longer rows are cut there, and counted.
        evaluate_every: iterations between two validation losses, after the first at 0.
        checkpoints: iterations whose weights are kept.
        dropout: of the LoRA terms' input.
        gradient_checkpointing: recompute layers in the backward pass to save memory.
        save_every: iterations between two states that a killed run resumes from.
    """

    seed: int
    horizon: int
    batch_size: int
    learning_rate: float
    rank: int
    scale: float
    layers: int
    max_tokens: int
    evaluate_every: int
    checkpoints: tuple[int, ...]
    dropout: float = 0.0
    gradient_checkpointing: bool = False
    save_every: int = 50


@dataclass(frozen=True)
class Rows:
    """Rows ready to train on.

    Attributes:
        tokens: token ids of each row, prompt first.
        prompts: how many leading tokens of each row are its prompt.
        cut: tokens cut off each row's end at `max_tokens`.
    """

    tokens: tuple[tuple[int, ...], ...]
    prompts: tuple[int, ...]
    cut: tuple[int, ...]

    @property
    def truncated(self) -> int:
        """Number of rows that lost tokens."""
        return sum(lost > 0 for lost in self.cut)


def encode_rows(
    tokenizer: Any, rows: Iterable[dict[str, Any]], max_tokens: int, source: str = "rows"
) -> Rows:
    """Tokenise chat rows, counting what is cut.

    Args:
        tokenizer: the student's, in mlx-lm's wrapper.
        rows: {"messages": [user, assistant], ...} each.
        max_tokens: longer rows lose their end.
        source: name of the file, for errors.

    Raises:
        ValueError: a row is not one question and one answer, or its prompt alone reaches
            `max_tokens`, so that nothing would be left to learn.
    """
    tokens, prompts, cut = [], [], []
    for number, row in enumerate(rows, start=1):
        messages = row.get("messages") or []
        if [message.get("role") for message in messages] != ["user", "assistant"]:
            raise ValueError(
                f"{source}:{number}: messages is not one user and one assistant turn;"
                " remedy: make the datasets again"
            )
        ids, given = render_row(tokenizer, messages[0]["content"], messages[1]["content"])
        if given >= max_tokens:
            raise ValueError(
                f"{source}:{number}: the prompt has {given} tokens and max_tokens is {max_tokens},"
                " so nothing is left to learn; remedy: raise adapters.max_tokens"
            )
        tokens.append(tuple(ids[:max_tokens]))
        prompts.append(given)
        cut.append(max(0, len(ids) - max_tokens))
    return Rows(tuple(tokens), tuple(prompts), tuple(cut))


def count_lanes() -> int:
    """How many parts a batch is computed in: 2 on CPU, where mlx uses one core.

    The number does not depend on the machine's cores, since it decides the order of additions.
    """
    return 2 if mx.default_device() == mx.cpu else 1


def evaluation_rows(settings: LoraSettings) -> int:
    """Rows evaluated together: what a CPU's caches hold, what training fits in memory elsewhere."""
    return 16 if mx.default_device() == mx.cpu else settings.batch_size


def pad_multiple() -> int:
    """What widths are rounded up to: nothing on CPU, 32 where kernels like round shapes."""
    return 1 if mx.default_device() == mx.cpu else 32


def predict_tokens(model: nn.Module, tokens: mx.array, places: mx.array) -> mx.array:
    """Logits at some places only: a prompt's are never looked at, and a vocabulary is wide.

    Args:
        model: maps token ids (rows, width) to logits (rows, width, vocabulary).
        tokens: (rows, width).
        places: (count,), flat places in (rows, width).

    Returns:
        (count, vocabulary), float32.
    """
    if isinstance(model, qwen2.Model):
        hidden = model.model(tokens)
        hidden = hidden.reshape(-1, hidden.shape[-1])[places]
        tied = model.args.tie_word_embeddings
        logits = (model.model.embed_tokens.as_linear if tied else model.lm_head)(hidden)
    else:  # the last layers of another architecture are its own
        logits = model(tokens)
        logits = logits.reshape(-1, logits.shape[-1])[places]
    return logits.astype(mx.float32)


def sum_losses(model: nn.Module, tokens: mx.array, places: mx.array, count: mx.array) -> mx.array:
    """Sum of the cross-entropies of the learnt tokens, over `count`.

    Args:
        model: as in `predict_tokens`.
        tokens: (rows, 1 + width).
        places: the learnt among the (rows, width) targets; target j is token j + 1.
        count: learnt tokens of the whole batch, all lanes together.
    """
    targets = tokens[:, 1:].reshape(-1)[places]
    losses = nn.losses.cross_entropy(predict_tokens(model, tokens[:, :-1], places), targets)
    return losses.sum() / count


class Lanes:
    """Computes each batch in lanes and adds the lanes' results in order.

    Args:
        model: the student; its trainable weights are what `share_weights` keeps up to date.
        second: process that computes the second lane (`distil.student.lanes`, started with
            `serve_lane`); without one this process computes all lanes in turn, to the same bytes.
        multiple: widths are rounded up to a multiple of this.
        gradient_checkpointing: recompute layers in the backward pass to save memory.
    """

    def __init__(
        self,
        model: nn.Module,
        second: Lane | None = None,
        multiple: int = 1,
        gradient_checkpointing: bool = False,
    ) -> None:
        """Send the model to the second process."""
        self.model = model
        self.multiple = multiple
        self.compute = lane_functions(model)
        self.second = second if second and count_lanes() == 2 and shareable(model) else None
        if self.second:
            self.second.send((model, gradient_checkpointing))
            self.second.receive()
        if gradient_checkpointing:
            grad_checkpoint(model.layers[0])

    def share_weights(self) -> None:
        """Bring the second process up to date; to be called whenever the weights have changed."""
        if self.second:
            self.second.send(as_numpy(self.model.trainable_parameters()))
            self.second.receive()

    def run(
        self,
        name: str,
        rows: Sequence[Sequence[int]],
        prompts: Sequence[int],
        seed: int | None = None,
    ) -> tuple[Any, int]:
        """Compute one batch.

        Args:
            name: "losses" or "gradients", the latter with the losses.
            rows: token ids of each row.
            prompts: leading tokens of each row that are not learnt.
            seed: of dropout's numbers; a lane draws its own.

        Returns:
            The sum of the lanes (lazy) and the number of learnt tokens.
        """
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        count = count_lanes()
        lanes = [order[lane::count] for lane in range(count)]
        parts = [
            pad_rows([rows[i] for i in lane], [prompts[i] for i in lane], self.multiple)
            for lane in lanes
            if lane
        ]
        learnt = sum(len(places) for _, places in parts)
        tasks = [
            (name, tokens, places, max(learnt, 1), None if seed is None else seed + 500_009 * lane)
            for lane, (tokens, places) in enumerate(parts)
        ]
        if self.second and len(tasks) == 2:
            self.second.send(tasks[1])
            first = self.compute(*tasks[0])
            mx.eval(first)
            results = [first, tree_map(mx.array, self.second.receive())]
        else:
            results = [self.compute(*task) for task in tasks]
        return functools.reduce(lambda a, b: tree_map(mx.add, a, b), results), learnt


def lane_functions(model: nn.Module) -> Callable[..., Any]:
    """What a lane computes: a function of (name, tokens, places, learnt tokens, seed)."""

    def losses_of(*batch: Any) -> mx.array:
        with merged(model):  # a fifth less time
            return sum_losses(*batch)

    functions = {"losses": losses_of, "gradients": nn.value_and_grad(model, sum_losses)}

    def compute(name: str, tokens: np.ndarray, places: np.ndarray, learnt: int, seed: int | None):
        model.train(name == "gradients")
        if seed is not None:
            mx.random.seed(seed)
        return functions[name](model, mx.array(tokens), mx.array(places), mx.array(float(learnt)))

    return compute


def as_numpy(tree: Any) -> Any:
    """Evaluate a tree of arrays and return it with numpy's."""
    mx.eval(tree)
    return tree_map(np.array, tree)


def serve_lane() -> Callable[[Any], Any]:
    """Answer the messages that `Lanes` sends: a model, weights, or a lane to compute."""
    model, compute = None, None

    def answer(message: Any) -> Any:
        nonlocal model, compute
        if isinstance(message, dict):
            model.update(tree_map(mx.array, message))
            return None
        if isinstance(message[0], str):
            return as_numpy(compute(*message))
        model, checkpointing = message
        compute = lane_functions(model)
        if checkpointing:
            grad_checkpoint(model.layers[0])
        return None

    return answer


def evaluate(lanes: Lanes, rows: Rows, batch_size: int) -> float:
    """Mean loss over all learnt tokens of all rows; draws no random number.

    Args:
        lanes: of the student with its adapter.
        rows: validation rows; none is left out.
        batch_size: rows computed together.
    """
    order = sorted(range(len(rows.tokens)), key=lambda i: len(rows.tokens[i]))
    total, learnt = 0.0, 0
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        loss, count = lanes.run(
            "losses", [rows.tokens[i] for i in chosen], [rows.prompts[i] for i in chosen]
        )
        total += loss.item() * count
        learnt += count
    return total / max(learnt, 1)


def add_lora(model: nn.Module, settings: LoraSettings) -> None:
    """Freeze a model and give its last layers LoRA terms drawn from the seed, in place.

    Raises:
        ValueError: the model has fewer layers than asked for.
    """
    if settings.layers > len(model.layers):
        raise ValueError(
            f"adapters.layers: {settings.layers} asked for, the model has {len(model.layers)};"
            " remedy: a smaller number"
        )
    model.freeze()
    mx.random.seed(settings.seed)
    linear_to_lora_layers(model, settings.layers, lora_parameters(settings))
    mx.eval(model.parameters())


def lora_parameters(settings: LoraSettings) -> dict[str, Any]:
    """The LoRA part of mlx-lm's adapter_config.json."""
    return {"rank": settings.rank, "scale": settings.scale, "dropout": settings.dropout}


def adapter_config(settings: LoraSettings) -> dict[str, Any]:
    """What mlx-lm needs beside the weights to load the adapter: `adapter_config.json`."""
    return {
        "fine_tune_type": "lora",
        "lora_parameters": lora_parameters(settings),
        "num_layers": settings.layers,
    }


def pack_arrays(arrays: dict[str, mx.array], metadata: dict[str, str]) -> bytes:
    """Safetensors bytes of arrays, the same for the same content.

    Args:
        arrays: name to array.
        metadata: one entry at most, because several come out in random order.
    """
    assert len(metadata) <= 1
    return safetensors.numpy.save({k: np.array(v) for k, v in arrays.items()}, metadata)


def swap_adapter(model: nn.Module, checkpoint: str | Path) -> None:
    """Put another checkpoint's weights into a model that has such an adapter already.

    Args:
        model: student with LoRA terms.
        checkpoint: safetensors file with exactly these terms' weights.

    Raises:
        ValueError: the file has other names or shapes.
    """
    given = mx.load(str(checkpoint))
    own = {
        name: value.shape
        for name, value in tree_flatten(model.parameters())
        if name.endswith((".lora_a", ".lora_b"))
    }
    if {name: value.shape for name, value in given.items()} != own:
        raise ValueError(
            f"{checkpoint}: not an adapter of this model's shape; remedy: train it again"
        )
    model.load_weights(list(given.items()), strict=False)


@contextlib.contextmanager
def merged(model: nn.Module) -> Iterator[None]:
    """Add the LoRA terms to the float32 weights they belong to, for the length of a `with` block.

    A product for each linear map instead of three. The sum in the weights rounds otherwise than
    the sum of the products (by parts in ten million), so weights of fewer bits are left as they
    are. A test holds the texts against those of mlx-lm with the adapter apart.

    Args:
        model: student, with or without LoRA terms.
    """
    apart = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, LoRALinear) and module.linear.weight.dtype == mx.float32
    ]
    model.update_modules(tree_unflatten([(name, module.fuse()) for name, module in apart]))
    mx.eval(model.parameters())
    try:
        yield
    finally:
        model.update_modules(tree_unflatten(apart))


def make_adapter_folder(checkpoint: Path, config: Path, folder: Path) -> Path:
    """Lay a checkpoint out as `mlx_lm.load(adapter_path=...)` wants it.

    Args:
        checkpoint: weights of one iteration.
        config: the run's adapter_config.json.
        folder: made if need be; holds copies of both under mlx-lm's names.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapters.safetensors").write_bytes(Path(checkpoint).read_bytes())
    (folder / "adapter_config.json").write_bytes(Path(config).read_bytes())
    return folder


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


def run_key(settings: LoraSettings, train: Rows, validation: Rows, names: Sequence[str]) -> str:
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
    train: Rows,
    validation: Rows,
    settings: LoraSettings,
    state: Path,
    names: Sequence[str] = (),
    second: Lane | None = None,
) -> Progress:
    """Train one adapter to the horizon, resuming from the state folder if it fits.

    Args:
        model: the student without adapter; gets LoRA terms in place.
        train: rows to learn; none is dropped.
        validation: rows of the validation curve; none is dropped.
        settings: of the run.
        state: folder of `state.safetensors` and of checkpoints not yet exported.
        names: hashes of model, code and backend; a state of others is not resumed from.
        second: process for the second lane, see `Lanes`.

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
    add_lora(model, settings)
    optimizer = optim.Adam(learning_rate=settings.learning_rate)
    optimizer.init(model.trainable_parameters())
    declared = {*settings.checkpoints, settings.horizon}
    progress = _resume(state, key, declared, model, optimizer) or Progress(0, [], [])
    lanes = Lanes(model, second, pad_multiple(), settings.gradient_checkpointing)
    lengths = [len(row) for row in train.tokens]
    per_epoch = -(-len(lengths) // settings.batch_size)
    epoch, batches = -1, []
    started, fresh = time.monotonic(), 0
    for iteration in range(progress.iteration, settings.horizon):
        if iteration % settings.evaluate_every == 0:
            _measure(progress, iteration, lanes, validation, settings)
        if iteration // per_epoch != epoch:
            epoch = iteration // per_epoch
            batches = order_epoch(lengths, settings.batch_size, settings.seed, epoch)
        chosen = batches[iteration % per_epoch]
        (loss, gradient), learnt = lanes.run(
            "gradients",
            [train.tokens[i] for i in chosen],
            [train.prompts[i] for i in chosen],
            # Dropout's numbers depend on seed and iteration alone, so a resumed run draws the same.
            settings.seed * 1_000_003 + iteration,
        )
        optimizer.update(model, gradient)
        mx.eval(model.trainable_parameters(), optimizer.state, loss)
        lanes.share_weights()
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
            _measure(progress, progress.iteration, lanes, validation, settings)
        if progress.iteration in declared:
            write_atomically(
                state / f"{progress.iteration:05d}.safetensors",
                pack_arrays(
                    dict(tree_flatten(model.trainable_parameters())),
                    {"adapter": canonical_json({"iteration": progress.iteration, "run": key})},
                ),
            )
        if progress.iteration in declared or progress.iteration % settings.save_every == 0:
            _save(state, key, model, optimizer, progress)
            recent = progress.training[-10:]
            print(
                f"iteration {progress.iteration}/{settings.horizon}"
                f" training loss {sum(row['loss'] for row in recent) / len(recent):.4f}"
                f" validation loss {progress.curve[-1]['loss']:.4f}"
                f" {fresh / (time.monotonic() - started):.0f} tokens/s",
                file=sys.stderr,
                flush=True,
            )
    return progress


def _measure(
    progress: Progress,
    iteration: int,
    lanes: Lanes,
    validation: Rows,
    settings: LoraSettings,
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
            "loss": evaluate(lanes, validation, evaluation_rows(settings)),
            "tokens": learnt,
            "rows": len(validation.tokens),
        }
    )


def _save(
    state: Path, key: str, model: nn.Module, optimizer: optim.Optimizer, progress: Progress
) -> None:
    arrays = {f"model.{k}": v for k, v in tree_flatten(model.trainable_parameters())}
    arrays |= {f"optimizer.{k}": v for k, v in tree_flatten(optimizer.state)}
    record = canonical_json({"key": key, "progress": asdict(progress)})
    # Weights, optimizer and progress are one file, so that they are always of one iteration.
    write_atomically(state / "state.safetensors", pack_arrays(arrays, {"state": record}))


def _resume(
    state: Path, key: str, declared: set[int], model: nn.Module, optimizer: optim.Optimizer
) -> Progress | None:
    """Load a state of the same run into model and optimizer; None if there is none."""
    path = state / "state.safetensors"
    if not path.exists():
        return None
    arrays, metadata = mx.load(str(path), format="safetensors", return_metadata=True)
    record = json.loads(metadata["state"])
    if record["key"] != key:
        return None
    for iteration in declared:
        if iteration <= record["progress"]["iteration"] and not _belongs(
            state / f"{iteration:05d}.safetensors", key
        ):
            return None  # another run has overwritten it since
    model.load_weights(
        [(k.removeprefix("model."), v) for k, v in arrays.items() if k.startswith("model.")],
        strict=False,
    )
    prefix = "optimizer."
    optimizer.state = tree_unflatten(
        [(k.removeprefix(prefix), v) for k, v in arrays.items() if k.startswith(prefix)]
    )
    print(f"resuming after iteration {record['progress']['iteration']}", file=sys.stderr)
    return Progress(**record["progress"])


def _belongs(checkpoint: Path, key: str) -> bool:
    """Whether a checkpoint is there and was written by the run of this key."""
    if not checkpoint.exists():
        return False
    _, metadata = mx.load(str(checkpoint), return_metadata=True)
    return json.loads(metadata["adapter"])["run"] == key
