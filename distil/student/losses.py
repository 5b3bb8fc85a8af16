"""Losses and gradients of a batch, computed in parts that two processes can share."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from distil.student.blas import load_blas

load_blas()  # before mlx, or it has no effect

import mlx.core as mx  # noqa: E402
import mlx.nn as nn  # noqa: E402
import numpy as np  # noqa: E402
from mlx.utils import tree_map  # noqa: E402
from mlx_lm.models import qwen2  # noqa: E402
from mlx_lm.tuner.trainer import grad_checkpoint  # noqa: E402

from distil.student.adapters import merged  # noqa: E402
from distil.student.batches import pad_rows  # noqa: E402
from distil.student.workers import shareable  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from distil.student.encoding import EncodedRows
    from distil.student.workers import ComputeWorker


def count_parts() -> int:
    """Return how many parts a batch is computed in: 2 on CPU, where mlx uses one core.

    The number does not depend on the machine's cores, since it decides the order of additions.
    """
    return 2 if mx.default_device() == mx.cpu else 1


def pad_multiple() -> int:
    """Return what widths are rounded up to: nothing on CPU, 32 where kernels like round shapes."""
    return 1 if mx.default_device() == mx.cpu else 32


def predict_tokens(model: nn.Module, tokens: mx.array, places: mx.array) -> mx.array:
    """Return the logits at some places only, since most places of a row are not learnt.

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
    """Return the sum of the cross-entropies of the learnt tokens, over `count`.

    Args:
        model: as in `predict_tokens`.
        tokens: (rows, 1 + width).
        places: the learnt among the (rows, width) targets; target j is token j + 1.
        count: learnt tokens of the whole batch, all parts together.
    """
    targets = tokens[:, 1:].reshape(-1)[places]
    losses = nn.losses.cross_entropy(predict_tokens(model, tokens[:, :-1], places), targets)
    return losses.sum() / count


class SplitBatch:
    """Computes each batch in parts and adds the parts' results in order.

    Args:
        model: the student; its trainable weights are what `share_weights` keeps up to date.
        helper: process that computes the second part (`distil.student.workers`, started with
            `serve_parts`); without one this process computes all parts in turn, to the same bytes.
        multiple: widths are rounded up to a multiple of this.
        gradient_checkpointing: recompute layers in the backward pass to save memory.
    """

    def __init__(
        self,
        model: nn.Module,
        helper: ComputeWorker | None = None,
        multiple: int = 1,
        gradient_checkpointing: bool = False,
    ) -> None:
        """Send the model to the helper process."""
        self.model = model
        self.multiple = multiple
        self.compute = part_functions(model)
        self.helper = helper if helper and count_parts() == 2 and shareable(model) else None
        if self.helper:
            self.helper.send((model, gradient_checkpointing))
            self.helper.receive()
        if gradient_checkpointing:
            grad_checkpoint(model.layers[0])

    def share_weights(self) -> None:
        """Bring the helper process up to date; to be called whenever the weights have changed."""
        if self.helper:
            self.helper.send(as_numpy(self.model.trainable_parameters()))
            self.helper.receive()

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
            seed: of dropout's numbers; a part draws its own.

        Returns:
            The sum of the parts (lazy) and the number of learnt tokens.
        """
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        count = count_parts()
        shares = [order[part::count] for part in range(count)]
        parts = [
            pad_rows([rows[i] for i in share], [prompts[i] for i in share], self.multiple)
            for share in shares
            if share
        ]
        learnt = sum(len(places) for _, places in parts)
        tasks = [
            (name, tokens, places, max(learnt, 1), None if seed is None else seed + 500_009 * part)
            for part, (tokens, places) in enumerate(parts)
        ]
        if self.helper and len(tasks) == 2:
            self.helper.send(tasks[1])
            first = self.compute(*tasks[0])
            mx.eval(first)
            results = [first, tree_map(mx.array, self.helper.receive())]
        else:
            results = [self.compute(*task) for task in tasks]
        return functools.reduce(lambda a, b: tree_map(mx.add, a, b), results), learnt


def part_functions(model: nn.Module) -> Callable[..., Any]:
    """Return what computes a part: a function of (name, tokens, places, learnt tokens, seed)."""

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


def serve_parts() -> Callable[[Any], Any]:
    """Answer the messages that `SplitBatch` sends: a model, weights, or a part to compute."""
    model, compute = None, None

    def answer(message: Any) -> Any:
        nonlocal model, compute
        if isinstance(message, dict):
            model.update(tree_map(mx.array, message))
            return None
        if isinstance(message[0], str):
            return as_numpy(compute(*message))
        model, checkpointing = message
        compute = part_functions(model)
        if checkpointing:
            grad_checkpoint(model.layers[0])
        return None

    return answer


def evaluate(split: SplitBatch, rows: EncodedRows, batch_size: int) -> float:
    """Return the mean loss over all learnt tokens of all rows; draws no random number.

    Args:
        split: of the student with its adapter.
        rows: validation rows; none is left out.
        batch_size: rows computed together.
    """
    order = sorted(range(len(rows.tokens)), key=lambda i: len(rows.tokens[i]))
    total, learnt = 0.0, 0
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        loss, count = split.run(
            "losses", [rows.tokens[i] for i in chosen], [rows.prompts[i] for i in chosen]
        )
        total += loss.item() * count
        learnt += count
    return total / max(learnt, 1)
