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

if TYPE_CHECKING:
    from collections.abc import Sequence

    import mlx.nn as nn

# A share of the budget is left to what no formula knows: fragments, libraries, the process itself.
SHARE = 0.9
# mlx keeps freed buffers for later use. Widths differ from batch to batch, so that without a limit
# the kept ones grow to many times what is in use.
CACHE_SHARE = 8
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
    head = getattr(model, "lm_head", None)
    matrix = head if head is not None else model.model.embed_tokens
    return matrix.weight.shape[0]


def decoding_peak(model: Any, rows: int, padded: int, tokens: int) -> int:
    """Return the bytes held at most while a batch is decoded."""
    return weight_bytes(model)


def training_peak(
    model: Any, lengths: Sequence[int], prompts: Sequence[int], checkpointing: bool
) -> int:
    """Return the bytes held at most by a training step."""
    return weight_bytes(model)


@dataclass
class BatchWidths:
    """How many rows are decoded together, from a memory budget.

    Attributes:
        budget: bytes that the caches of a batch may take; None for no limit.
        per_token: bytes of one token of one row, see `cache_bytes_per_token`.
        limit: rows at most, after memory ran out; None before.
        halved: widths at which memory ran out, in the order of time.
    """

    budget: int | None = None
    per_token: int = 1
    limit: int | None = None
    halved: list[int] = field(default_factory=list)

    def choose(self, width: int, tokens: int) -> int:
        """Return the rows of a batch: `width`, or what of it fits.

        Args:
            width: rows that the study file asks for.
            tokens: longest prompt and answer together.
        """
        if self.budget is None:
            return width
        fits = self.budget // (self.per_token * tokens)
        # By eights, as batches shrink.
        return max(1, min(width, fits // 8 * 8 if fits >= 8 else fits))

    def halve(self, rows: int) -> None:
        """Remember that a batch of some rows did not fit."""
        self.halved.append(rows)
        self.limit = max(1, rows // 2)


def decoding_widths(model: nn.Module, memory_mb: int | None) -> BatchWidths:
    """Return the widths of batches that fit in a job's memory beside the weights.

    Args:
        model: the student, opened.
        memory_mb: what the job may use, in MiB; None for no limit.

    Raises:
        MemoryError: the weights alone do not fit.
    """
    if memory_mb is None:
        return BatchWidths()
    weights = weight_bytes(model)
    budget = int(SHARE * memory_mb * 2**20) - weights
    if budget <= 0:
        raise MemoryError(
            f"student.resources.memory_mb: {memory_mb} MiB do not hold the model's weights"
            f" ({weights / 2**20:.0f} MiB); remedy: {2 * weights // 2**20} MiB or more, or a"
            " quantised model"
        )
    return BatchWidths(budget=budget, per_token=cache_bytes_per_token(model))


def limit_cache(memory_mb: int | None) -> int:
    """Limit the freed buffers that mlx keeps, and return the limit in bytes."""
    total = memory_mb * 2**20 if memory_mb is not None else 8 * 2**30
    limit = max(64 * 2**20, total // CACHE_SHARE)
    mx.set_cache_limit(limit)
    return limit
