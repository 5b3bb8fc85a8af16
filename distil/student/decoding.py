"""Answers in batches: the text of one-by-one decoding, many times faster.

A row's answer depends on its own prompt only, not on what else is in the batch. Prompts of one
length class share a batch and are padded to that class, batches shrink by eights as rows end, and
the BLAS's kernels are chosen to give a row of a product the same bits at any width
(distil/student/blas.py; a test holds this). So rows decoded in earlier runs can be reused, and
reuse equals a run from nothing.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from distil.student.blas import load_blas

load_blas()  # before mlx, or it has no effect

import mlx.core as mx  # noqa: E402
from mlx_lm.models.cache import BatchKVCache  # noqa: E402

from distil.student.checks import check_caches  # noqa: E402
from distil.student.memory import BatchWidths, is_out_of_memory  # noqa: E402
from distil.student.rows import Answer  # noqa: E402
from distil.student.workers import shareable  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from distil.student.rows import Done
    from distil.student.sampling import DecodingTask
    from distil.student.workers import ComputeWorker


@dataclass(frozen=True)
class BatchShape:
    """The shapes that prompts are decoded in; part of the key of every stored row.

    Attributes:
        width: rows of a full batch.
        length_class: prompts are padded to a multiple of this.
        block: tokens decoded between two looks at which rows have ended.
    """

    width: int = 64
    length_class: int = 16
    block: int = 8

    def padded_width(self, rows: int) -> int:
        """The smallest multiple of 8 that holds some rows, the full width at most."""
        return min(self.width, -(-rows // 8) * 8)


def decode_batches(
    model: Any,
    task: DecodingTask,
    shape: BatchShape,
    helper: ComputeWorker | None = None,
    done: Done = lambda *_: None,
    widths: BatchWidths | None = None,
) -> list[Answer]:
    """Decode every prompt of a task.

    Args:
        model: an mlx-lm model in evaluation mode, with plain key-value caches.
        task: the prompts.
        shape: shapes of the batches.
        helper: process that decodes every batch this one is not at (`distil.student.workers`,
            started with `serve_batches`); the answers are the same without one.
        done: called with the numbers of the prompts and the answers of each batch, as it ends.
        widths: how many rows fit in memory; None where that is no question.

    Returns:
        The answers, in the order of the prompts.

    Raises:
        UnfitModelError: the model's cache is not a plain one, so that it cannot be batched here.
        MemoryError: not even one row fits; the message says what to do.
    """
    check_caches(model)
    queue = _Queue(task, shape, widths or BatchWidths())
    answers: dict[int, Answer] = {}
    away: list[int] = []

    def keep(rows: list[int], found: list[Answer]) -> None:
        answers.update(zip(rows, found, strict=True))
        done(rows, found)

    def exchange() -> None:
        """Take what the helper process has done, and give it the next batch."""
        if away and helper.ready():
            keep(list(away), helper.receive())
            away.clear()
        if helper and queue.waiting and not away:
            padded, rows = queue.take()
            helper.send((task.only(rows), padded, shape))
            away.extend(rows)

    if helper and len(queue.waiting) > 1 and shareable(model):
        helper.send(model)
        helper.receive()
    else:
        helper = None
    while queue.waiting:
        exchange()
        if queue.waiting:
            padded, rows = queue.take()
            steps = _decode_batch(model, task.only(rows), padded, shape)
            try:
                found = _finish(steps, exchange)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                steps.close()
                mx.clear_cache()
                queue.put_back(padded, rows, error)
            else:
                keep(rows, found)
    if away:
        keep(list(away), helper.receive())
    return [answers[i] for i in range(len(task.prompts))]


class _Queue:
    """Batches that wait, the longest work first, cut to the width that fits in memory."""

    def __init__(self, task: DecodingTask, shape: BatchShape, widths: BatchWidths) -> None:
        self.widths = widths
        classes = defaultdict(list)
        for i, prompt in enumerate(task.prompts):
            classes[-(-len(prompt) // shape.length_class)].append(i)
        batches = []
        for size, rows in classes.items():
            padded = size * shape.length_class
            width = widths.choose(shape.width, padded, task.max_tokens)
            batches += [
                (padded, rows[start : start + width]) for start in range(0, len(rows), width)
            ]
        # The longest work first, so that two processes end at nearly the same time.
        self.waiting = deque(sorted(batches, key=lambda item: (-len(item[1]), -item[0], item[1])))

    def take(self) -> tuple[int, list[int]]:
        """Return the next batch: the width of its prompts, and their numbers."""
        padded, rows = self.waiting.popleft()
        limit = self.widths.limit
        if limit is not None and len(rows) > limit:
            self.waiting.appendleft((padded, rows[limit:]))
            rows = rows[:limit]
        return padded, rows

    def put_back(self, padded: int, rows: list[int], error: BaseException) -> None:
        """Let a batch that did not fit be decoded in halves, and all later ones be no wider.

        Raises:
            MemoryError: the batch was a single row.
        """
        if len(rows) == 1:
            raise MemoryError(
                f"decoding one prompt of {padded} tokens does not fit in memory ({error}); remedy:"
                " a smaller predictions.max_tokens, a smaller or quantised model, or more memory"
            ) from error
        self.widths.halve(len(rows))
        self.waiting.appendleft((padded, rows))


def _finish(
    steps: Generator[None, None, list[Answer]], between: Callable[[], None] = lambda: None
) -> list[Answer]:
    """Run a batch to its end, calling a function between its steps."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
        between()


def serve_batches() -> Callable[[Any], Any]:
    """Answer what `decode_batches` sends: a model, or a batch to decode."""
    model = None

    def answer(message: Any) -> list[Answer] | None:
        nonlocal model
        if isinstance(message, tuple):
            return _finish(_decode_batch(model, *message))
        model = message
        return None

    return answer


def _decode_batch(
    model: Any, task: DecodingTask, padded: int, shape: BatchShape
) -> Generator[None, None, list[Answer]]:
    """Decode one batch, pausing after each block of tokens; returns the answers in order."""
    prompts, max_tokens = task.prompts, task.max_tokens
    # Rows beyond the prompts repeat the first one: their answers are thrown away.
    slots: list[int | None] = list(range(len(prompts)))
    slots += [None] * (shape.padded_width(len(prompts)) - len(prompts))
    tokens = np.zeros((len(slots), padded), np.int32)
    for slot, row in enumerate(slots):
        prompt = prompts[row or 0]
        tokens[slot, padded - len(prompt) :] = prompt
    answers: dict[int, Answer] = {}
    decoded: list[list[int]] = [[] for _ in prompts]
    cache = [BatchKVCache([padded - len(prompts[row or 0]) for row in slots]) for _ in model.layers]
    batch = mx.array(tokens)
    numbers = None
    if task.sampling:
        numbers = mx.array(np.stack([task.numbers(row or 0) for row in slots]))
    model(batch[:, :-1], cache=cache)
    # Only the caches: the logits of a long prompt are never computed.
    mx.eval([layer.state for layer in cache])
    last = batch[:, -1]
    done = 0
    while True:
        yield
        block = min(shape.block, max_tokens - done)
        steps = []
        for step in range(done, done + block):
            logits = model(last[:, None], cache=cache)[:, -1]
            if task.sampling:
                last = task.sampling.choose(logits, numbers[:, step])
            else:
                last = mx.argmax(logits, axis=-1)
            mx.async_eval(last)
            steps.append(last)
        chosen = np.array(mx.stack(steps, axis=1))
        done += block
        for slot, row in enumerate(slots):
            if row is None:
                continue
            for token in chosen[slot].tolist():
                if token in task.ends:
                    answers[row] = Answer(tuple(decoded[row]), "stop")
                    slots[slot] = None
                    break
                decoded[row].append(token)
            else:
                if done == max_tokens:
                    answers[row] = Answer(tuple(decoded[row]), "length")
                    slots[slot] = None
        live = [slot for slot, row in enumerate(slots) if row is not None]
        if not live:
            return [answers[row] for row in range(len(prompts))]
        width = shape.padded_width(len(live))
        if width < len(slots):
            keep = live + [s for s, row in enumerate(slots) if row is None][: width - len(live)]
            slots = [slots[slot] for slot in keep]
            index = mx.array(keep)
            last = last[index]
            numbers = None if numbers is None else numbers[index]
            for layer in cache:
                _keep_rows(layer, index)


def _keep_rows(cache: BatchKVCache, index: mx.array) -> None:
    """Keep some rows of a cache, its padding as it is.

    `BatchKVCache.filter` also shifts out padding that no remaining row needs. A row's bits would
    then depend on its neighbours'.
    """
    cache.keys, cache.values = cache.keys[index], cache.values[index]
    cache.offset, cache.left_padding = cache.offset[index], cache.left_padding[index]


@dataclass
class ExactDecoder:
    """Decodes so that an answer does not depend on its neighbours (see the module's docstring).

    Attributes:
        shape: shapes of the batches.
        helper: as in `decode_batches`.
        widths: as in `decode_batches`.
    """

    shape: BatchShape
    helper: ComputeWorker | None = None
    widths: BatchWidths = field(default_factory=BatchWidths)

    @property
    def name(self) -> dict[str, Any]:
        """What of this decoder can change an answer."""
        return {"decoder": "exact", **asdict(self.shape)}

    def __call__(self, model: Any, task: DecodingTask, done: Done) -> None:
        """Decode a task, see `distil.student.answering.Decoder`."""
        decode_batches(model, task, self.shape, self.helper, done, self.widths)
