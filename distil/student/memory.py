"""Memory of a student: what training and decoding will take, and how wide a batch may be.

All figures are bytes. Weights and key-value caches are counted exactly; what lies between is
counted from the shapes of the layers, and `benchmarks/memory.py` holds the sum against the peak
that mlx reports.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from distil.student.blas import load_blas

load_blas()  # before mlx, or it has no effect

import mlx.core as mx  # noqa: E402
from mlx.utils import tree_flatten  # noqa: E402
from mlx_lm.models.cache import make_prompt_cache  # noqa: E402

from distil.student.checks import text_part  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Sequence

    import mlx.nn as nn

# A share of the budget is left to what no formula knows: fragments, libraries, the process itself.
SHARE = 0.9
# mlx keeps freed buffers for later use. Widths differ from batch to batch, so that without a limit
# the kept ones grow to many times what is in use.
CACHE_SHARE = 8
# Float32 logits of a large vocabulary are most of what a training step holds: those of 2,000 learnt
# tokens and 152,000 words take 1.2 GB, three times over in the backward pass. So they are computed
# in portions of at most this many bytes.
LOGIT_BYTES = 256 * 2**20
CACHE_STEP = 256  # tokens by which mlx-lm's caches grow
_OUT_OF_MEMORY = re.compile(r"out of memory|unable to allocate|insufficient memory|bad_alloc", re.I)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that memory ran out, on any backend of mlx."""
    return isinstance(error, MemoryError) or bool(_OUT_OF_MEMORY.search(str(error)))


def weight_bytes(model: nn.Module) -> int:
    """Return the bytes of all weights."""
    return sum(value.nbytes for _, value in tree_flatten(model.parameters()))


def cache_bytes_per_token(model: nn.Module) -> int:
    """Return the bytes that one token of one row takes in the key-value caches of all layers."""
    cache = make_prompt_cache(model)
    model(mx.array([[1, 2]]), cache=cache)
    found = 0
    for layer in cache:
        for value in (layer.keys, layer.values):  # (1, heads, allocated tokens, width)
            found += value.nbytes // value.shape[2]
    return found


def vocabulary_size(model: Any) -> int:
    """Return the number of logits of a token."""
    part = text_part(model)
    head = getattr(part, "lm_head", None)
    matrix = head if head is not None else part.model.embed_tokens
    return matrix.weight.shape[0]


@dataclass(frozen=True)
class Shape:
    """What of a model's shape decides its memory.

    Attributes:
        layers: number of layers.
        hidden: width of a layer.
        feed_forward: width of a layer's inner product.
        heads: attention heads.
        itemsize: bytes of a number that is computed with.
        cached: bytes of one token of one row in the caches of all layers.
    """

    layers: int
    hidden: int
    feed_forward: int
    heads: int
    itemsize: int
    cached: int

    def prompt_bytes(self, tokens: int) -> int:
        """Return what reading one prompt of some tokens holds at most, besides its caches.

        That is the feed-forward product of one layer: its two factors, their product, and the
        hidden states around it; and where the CPU computes it, attention's scores.
        """
        layer = tokens * (3 * self.feed_forward + 4 * self.hidden) * self.itemsize
        scores = 3 * self.heads * tokens**2 * self.itemsize // 2
        return layer + (scores if mx.default_device() == mx.cpu else 0)

    def cache_bytes(self, tokens: int) -> int:
        """Return the caches of one row of some tokens, with the copy of a layer that grows."""
        allocated = -(-tokens // CACHE_STEP) * CACHE_STEP
        return self.cached * allocated * (self.layers + 1) // self.layers


def read_shape(model: Any) -> Shape:
    """Return a model's shape; a width that its `args` do not name counts as usual for it."""
    args = text_part(model).args
    hidden = getattr(args, "hidden_size", None) or args.n_embd
    return Shape(
        layers=len(model.layers),
        hidden=hidden,
        feed_forward=getattr(args, "intermediate_size", None) or 4 * hidden,
        heads=getattr(args, "num_attention_heads", None) or args.n_head,
        itemsize=model(mx.array([[1]])).dtype.size,
        cached=cache_bytes_per_token(model),
    )


def decoding_peak(model: Any, rows: int, padded: int, answer: int) -> int:
    """Return the bytes held at most while a batch is decoded exactly.

    Args:
        model: the student.
        rows: of the batch.
        padded: tokens of a padded prompt.
        answer: tokens of the longest answer.
    """
    shape = read_shape(model)
    caches = rows * shape.cache_bytes(padded + answer)
    return weight_bytes(model) + caches + rows * shape.prompt_bytes(padded)


def training_peak(
    model: Any,
    lengths: Sequence[int],
    prompts: Sequence[int],
    checkpointing: bool,
    layers: int,
    *,
    whole_logits: bool = False,
) -> int:
    """Return the bytes held at most by a training step of a batch.

    Args:
        model: the student, with or without its adapter.
        lengths: tokens of each row.
        prompts: tokens of each row that are not learnt.
        checkpointing: whether layers are computed again in the backward pass.
        layers: last layers that have LoRA terms.
        whole_logits: the logits of all places of a batch are held at once, as mlx-lm's own loss
            does; otherwise those of the learnt places, in portions of `LOGIT_BYTES`.
    """
    shape = read_shape(model)
    tokens = len(lengths) * max(lengths)
    learnt = sum(lengths) - sum(prompts)
    # What the backward pass wants of a layer: inner products, their factors, hidden states.
    layer = tokens * (4 * shape.feed_forward + 10 * shape.hidden) * shape.itemsize
    between = tokens * shape.hidden * shape.itemsize * layers
    # Float32 logits, what the loss makes of them, and their gradients.
    if whole_logits:
        logits = 4 * tokens * 4 * vocabulary_size(model)
    else:
        logits = 3 * min(LOGIT_BYTES, learnt * 4 * vocabulary_size(model))
    # With checkpointing one layer is held at a time; its gradients take as much again.
    return weight_bytes(model) + between + layer * ((1 if checkpointing else layers) + 1) + logits


def check_training(
    model: Any,
    rows: Sequence[Sequence[int]],
    batch_size: int,
    checkpointing: bool,
    layers: int,
    memory_mb: int | None,
    *,
    whole_logits: bool = False,
) -> int:
    """Return what training will hold at most, in bytes, if a job's memory allows it.

    Args:
        model: the student.
        rows: token ids of each training row; the longest ones are taken to share a batch.
        batch_size: rows of an iteration.
        checkpointing: as in `training_peak`.
        layers: as in `training_peak`.
        memory_mb: what the job may use, in MB; None for no limit.
        whole_logits: as in `training_peak`.

    Raises:
        MemoryError: it does not fit; the message says what to change.
    """
    lengths = sorted(map(len, rows))[-batch_size:]
    prompts = [0] * len(lengths)
    peak = training_peak(model, lengths, prompts, checkpointing, layers, whole_logits=whole_logits)
    if memory_mb is not None and peak > memory_mb * 10**6:
        remedy = "" if checkpointing else " adapters.gradient_checkpointing: true,"
        raise MemoryError(
            f"a training step of {len(lengths)} rows of up to {lengths[-1]} tokens takes about"
            f" {peak // 10**6} MB, and student.resources.memory_mb is {memory_mb}; remedy:{remedy}"
            " a smaller adapters.batch_size or adapters.max_tokens, or more memory"
        )
    return peak


@dataclass
class BatchWidths:
    """How many rows are decoded together, from a memory budget.

    Attributes:
        budget: bytes that a batch may take besides the weights; None for no limit.
        shape: of the model; needed with a budget.
        limit: rows at most, after memory ran out; None before.
        halved: widths at which memory ran out, in the order of time.
    """

    budget: int | None = None
    shape: Shape | None = None
    limit: int | None = None
    halved: list[int] = field(default_factory=list)

    def choose(self, width: int, prompt: int, answer: int, reading: int | None = None) -> int:
        """Return the rows of a batch: `width`, or what of it fits.

        Args:
            width: rows that the study file asks for.
            prompt: tokens of the longest prompt.
            answer: tokens of the longest answer.
            reading: prompts that are read together; None where those of all rows are.
        """
        if self.budget is None or self.shape is None:
            return width
        row, budget = self.shape.cache_bytes(prompt + answer), self.budget
        if reading is None:
            row += self.shape.prompt_bytes(prompt)
        else:
            budget -= reading * self.shape.prompt_bytes(prompt)
        fits = budget // row
        # By eights, as batches shrink.
        return max(1, min(width, fits // 8 * 8 if fits >= 8 else fits))

    def halve(self, rows: int) -> None:
        """Remember that a batch of some rows did not fit."""
        self.halved.append(rows)
        self.limit = max(1, rows // 2)


def fits_twice(model: nn.Module, memory_mb: int | None) -> bool:
    """Tell whether a job's memory holds the weights twice, and as much again for batches."""
    return memory_mb is None or 4 * weight_bytes(model) <= SHARE * memory_mb * 10**6


def decoding_widths(model: nn.Module, memory_mb: int | None, processes: int = 1) -> BatchWidths:
    """Return the widths of batches that fit in a job's memory beside the weights.

    Args:
        model: the student, opened.
        memory_mb: what the job may use, in MB; None for no limit.
        processes: that hold the model and decode a batch each.

    Raises:
        MemoryError: the weights alone do not fit.
    """
    if memory_mb is None:
        return BatchWidths()
    weights = weight_bytes(model)
    budget = int(SHARE * memory_mb * 10**6) // processes - weights
    if budget <= 0:
        raise MemoryError(
            f"student.resources.memory_mb: {memory_mb} MB do not hold the model's weights"
            f" ({weights / 10**6:.0f} MB); remedy: {2 * weights // 10**6} MB or more, or a"
            " quantised model"
        )
    return BatchWidths(budget=budget, shape=read_shape(model))


def peak_mb() -> int:
    """Return the MB that mlx has held at most in this process."""
    return mx.get_peak_memory() // 10**6


def limit_cache(memory_mb: int | None) -> int:
    """Limit the freed buffers that mlx keeps, and return the limit in bytes."""
    total = memory_mb * 10**6 if memory_mb is not None else 8 * 10**9
    limit = max(64 * 2**20, total // CACHE_SHARE)
    mx.set_cache_limit(limit)
    return limit
