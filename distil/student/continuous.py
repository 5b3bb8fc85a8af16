"""Answers by mlx-lm's own batch generator, for GPUs.

A row that ends makes room for the next, so a batch is always full, and caches of every kind are
supported. What it costs is exactness: rows are put together as they come, so an answer can depend
on its neighbours by rounding. On a CPU the exact decoder is faster (`make bench`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from distil.student.blas import load_blas

load_blas()  # before mlx, or it has no effect

import mlx.core as mx  # noqa: E402
from mlx_lm.generate import BatchGenerator  # noqa: E402

from distil.student.memory import BatchWidths, is_out_of_memory  # noqa: E402
from distil.student.rows import Answer  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

    from distil.student.rows import Done
    from distil.student.sampling import DecodingTask

PREFILL_ROWS = 8  # prompts read together


@dataclass
class ContinuousDecoder:
    """Decodes with mlx-lm's batch generator, the longest prompts first.

    Attributes:
        width: rows in flight at most.
        widths: how many of them fit in memory.
    """

    width: int
    widths: BatchWidths = field(default_factory=BatchWidths)

    @property
    def name(self) -> dict[str, Any]:
        """What of this decoder can change an answer."""
        return {"decoder": "continuous", "width": self.width}

    def __call__(self, model: Any, task: DecodingTask, done: Done) -> None:
        """Decode a task, see `distil.student.answering.Decoder`.

        Raises:
            MemoryError: not even one row fits; the message says what to do.
        """
        prompts = task.prompts
        waiting = sorted(range(len(prompts)), key=lambda i: (-len(prompts[i]), i))
        while waiting:
            longest = len(prompts[waiting[0]])
            width = self.widths.choose(self.width, longest, task.max_tokens, PREFILL_ROWS)
            width = min(width, self.widths.limit or width)
            finished: set[int] = set()

            def keep(numbers: list[int], answers: list[Answer], seen: set[int] = finished) -> None:
                seen.update(numbers)
                done(numbers, answers)

            try:
                _generate(model, task, waiting, width, keep)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                if width == 1:
                    raise MemoryError(
                        f"decoding one prompt does not fit in memory ({error}); remedy: a smaller"
                        " predictions.max_tokens, a smaller or quantised model, or more memory"
                    ) from error
                mx.clear_cache()
                self.widths.halve(width)
            waiting = [i for i in waiting if i not in finished]


def _sampler(task: DecodingTask, row: int) -> Callable[[mx.array], mx.array]:
    """Return what draws the tokens of one prompt's answer, called once for each."""
    numbers = iter(task.numbers(row).tolist())

    def choose(logits: mx.array) -> mx.array:
        # The generator may draw one token beyond the last, which nobody sees.
        return task.sampling.choose(logits, mx.array([next(numbers, 0.0)]))

    return choose


def _generate(model: Any, task: DecodingTask, order: list[int], width: int, keep: Done) -> None:
    """Decode the prompts of some numbers, keeping answers in groups of `width`."""
    generator = BatchGenerator(
        model,
        max_tokens=task.max_tokens,
        stop_tokens=[[end] for end in sorted(task.ends)],
        completion_batch_size=width,
        prefill_batch_size=min(PREFILL_ROWS, width),
    )
    ready: list[tuple[int, Answer]] = []

    def hand_over() -> None:
        if ready:
            keep([number for number, _ in ready], [answer for _, answer in ready])
            ready.clear()

    try:
        numbers = generator.insert(
            [list(task.prompts[i]) for i in order],
            samplers=[_sampler(task, i) for i in order] if task.sampling else None,
        )
        number_of = dict(zip(numbers, order, strict=True))
        decoded: dict[int, list[int]] = {uid: [] for uid in numbers}
        while responses := generator.next_generated():
            for response in responses:
                if response.finish_reason != "stop":
                    decoded[response.uid].append(response.token)
                if response.finish_reason is not None:
                    tokens = tuple(decoded.pop(response.uid))
                    finish = "stop" if response.finish_reason == "stop" else "length"
                    ready.append((number_of[response.uid], Answer(tokens, finish)))
            if len(ready) >= width:
                hand_over()
    finally:
        hand_over()
        generator.close()
