"""Batches of rows of unequal length: grouped by length, in an order that a seed decides."""

from collections.abc import Sequence

import numpy as np


def order_epoch(lengths: Sequence[int], batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """Batches of row numbers for one pass over the rows, a pure function of its arguments.

    Rows of like length share a batch, so that little is padding; which of equal length do,
    and the order of the batches, is drawn afresh in every epoch. No row is dropped: where
    the rows do not fill the batches, one batch is smaller, at a place that is drawn too.

    Args:
        lengths: tokens of each row.
        batch_size: rows of a full batch.
        seed: seed of the run.
        epoch: number of the pass, from 0.

    Returns:
        Lists of row numbers; together every row once.
    """
    if not lengths:
        return []
    random = np.random.default_rng([seed, epoch])
    rows = random.permutation(len(lengths))
    rows = rows[np.argsort(np.asarray(lengths)[rows], kind="stable")]
    count = -(-len(rows) // batch_size)
    sizes = np.full(count, batch_size)
    sizes[random.integers(count)] -= count * batch_size - len(rows)
    batches = np.split(rows, np.cumsum(sizes)[:-1])
    return [batches[i].tolist() for i in random.permutation(count)]


def pad_rows(
    rows: Sequence[Sequence[int]], prompt_lengths: Sequence[int], multiple: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Rows padded on the right, with the places of the tokens to learn.

    Args:
        rows: token ids of each row.
        prompt_lengths: leading tokens of each row that are given, not learnt.
        multiple: the targets' width is rounded up to a multiple of this.

    Returns:
        Token ids, int32 (rows, 1 + width), and the learnt among the (rows, width) targets as
        ascending places in their flat order, int32: those of the answers, neither prompt nor
        padding.
    """
    width = -(-(max(map(len, rows)) - 1) // multiple) * multiple
    tokens = np.zeros((len(rows), width + 1), np.int32)
    places = []
    for i, (row, given) in enumerate(zip(rows, prompt_lengths, strict=True)):
        tokens[i, : len(row)] = row
        # target j is token j + 1: the first learnt token is number `given`
        places.append(np.arange(max(given - 1, 0), len(row) - 1, dtype=np.int32) + i * width)
    return tokens, np.concatenate(places)
