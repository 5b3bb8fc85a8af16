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
from mlx_lm.tuner.trainer import grad_checkpoint  # noqa: E402

from distil.student.adapters import merged  # noqa: E402
from distil.student.batches import pad_rows  # noqa: E402
from distil.student.memory import LOGIT_BYTES, vocabulary_size  # noqa: E402
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


def output_head(model: Any) -> tuple[nn.Module, Callable[[mx.array], mx.array]] | None:
    """Return the module that makes logits of hidden states, and how it is called.

    Most of mlx-lm's models are an inner model and an output matrix, and only these can leave out
    the logits of places that nobody looks at. Whether one of them is, is tried on three tokens.

    Args:
        model: an mlx-lm model in evaluation mode.

    Returns:
        None where the logits are more than that: scaled, capped, or made in another way.
    """
    inner = getattr(model, "model", None)
    head = getattr(model, "lm_head", None)
    embedding = getattr(inner, "embed_tokens", None)
    if not isinstance(inner, nn.Module) or (head is None and embedding is None):
        return None
    module, call = (head, head) if head is not None else (embedding, embedding.as_linear)
    tokens = mx.array([[1, 2, 3]])
    whole, parts = model(tokens), call(inner(tokens))
    if whole.shape != parts.shape or not mx.allclose(whole, parts, 1e-3, 1e-3).item():
        return None
    return module, call


def sum_losses(
    model: nn.Module,
    tokens: mx.array,
    places: mx.array,
    count: mx.array,
    head: tuple[nn.Module, Callable[[mx.array], mx.array]] | None = None,
) -> mx.array:
    """Return the sum of the cross-entropies of the learnt tokens, over `count`.

    Args:
        model: maps token ids (rows, width) to logits (rows, width, vocabulary).
        tokens: (rows, 1 + width).
        places: the learnt among the (rows, width) targets, flat; target j is token j + 1.
        count: learnt tokens of the whole batch, all parts together.
        head: of the model, see `output_head`: logits are then computed at the learnt places only,
            and a portion at a time where they would take more than `LOGIT_BYTES`.
    """
    targets = tokens[:, 1:].reshape(-1)[places]
    if head is None:
        logits = model(tokens[:, :-1])
        logits = logits.reshape(-1, logits.shape[-1])[places]
        return nn.losses.cross_entropy(logits.astype(mx.float32), targets).sum() / count
    module, call = head
    hidden = model.model(tokens[:, :-1])
    hidden = hidden.reshape(-1, hidden.shape[-1])[places]

    def portion(first: int, last: int) -> Callable[[dict[str, Any], mx.array], mx.array]:
        def losses_of(parameters: dict[str, Any], hidden: mx.array) -> mx.array:
            module.update(parameters)
            logits = call(hidden).astype(mx.float32)
            return nn.losses.cross_entropy(logits, targets[first:last]).sum()

        return losses_of

    trained, rows = module.trainable_parameters(), logit_rows(model)
    if len(places) <= rows:
        return portion(0, len(places))(trained, hidden) / count
    # Each portion's logits are computed again in the backward pass, so only one set is held.
    sums = [
        mx.checkpoint(portion(i, i + rows))(trained, hidden[i : i + rows])
        for i in range(0, len(places), rows)
    ]
    return functools.reduce(mx.add, sums) / count


def logit_rows(model: Any) -> int:
    """Return how many places' logits are held at once."""
    return max(1, LOGIT_BYTES // (4 * vocabulary_size(model)))


def checkpoint_layers(layer: nn.Module, *, wanted: bool) -> None:
    """Recompute the layers of a layer's type in the backward pass, or no longer do so.

    mlx-lm's `grad_checkpoint` changes the class for the rest of the process, and a second call
    would nest in the first; here the class is brought into the wanted state, whatever it was.
    """
    kind = type(layer)
    original = getattr(kind.__call__, "uncheckpointed", None)
    if wanted and original is None:
        original = kind.__call__
        grad_checkpoint(layer)
        kind.__call__.uncheckpointed = original
    elif not wanted and original is not None:
        kind.__call__ = original


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
        checkpoint_layers(model.layers[0], wanted=gradient_checkpointing)

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
    model.eval()
    head = output_head(model)

    def losses_of(*batch: Any) -> mx.array:
        with merged(model):  # a fifth less time
            return sum_losses(*batch, head)

    gradients = nn.value_and_grad(model, functools.partial(sum_losses, head=head))
    functions = {"losses": losses_of, "gradients": gradients}

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
        checkpoint_layers(model.layers[0], wanted=checkpointing)
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
