"""Answers of a student to prompts: from the store where it has them, decoded where it has not."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from distil.content.hashing import canonical_json, sha256_text
from distil.content.progress import ProgressLine
from distil.student.rows import Answer, RowStore

if TYPE_CHECKING:
    from collections.abc import Iterable

    from distil.student.rows import Done
    from distil.student.sampling import DecodingTask


class Decoder(Protocol):
    """What decodes prompts and hands over answers as they are ready."""

    @property
    def name(self) -> dict[str, Any]:
        """What of this decoder can change an answer; part of every row's key."""

    def __call__(self, model: Any, task: DecodingTask, done: Done) -> object:
        """Decode prompts.

        Args:
            model: the student.
            task: the prompts.
            done: called with numbers of prompts and their answers, together every prompt once.
        """


def count_positions(model: Any) -> int | None:
    """How many tokens a model has positions for; None if it does not say."""
    return getattr(getattr(model, "args", None), "max_position_embeddings", None)


def answer_text(tokenizer: Any, tokens: Iterable[int]) -> str:
    """The text of an answer, as mlx-lm's own streaming makes it."""
    detokenizer = tokenizer.detokenizer
    for token in tokens:
        detokenizer.add_token(token)
    detokenizer.finalize()
    return detokenizer.text


@dataclass
class Counts:
    """What became of the prompts of a job.

    Attributes:
        new: decoded now.
        reused: taken from the store.
        overlong: prompts that leave the model no position to answer in: empty answers.
        shortened: prompts whose answers may be cut earlier than `max_tokens` for that reason.
    """

    new: int = 0
    reused: int = 0
    overlong: int = 0
    shortened: int = 0


class AnswerProgress:
    """Says how many answers of a job are there, how fast they come, and how long it will take.

    Args:
        total: answers of the whole job.
    """

    def __init__(self, total: int) -> None:
        """Start the clock."""
        self.total = total
        self.there = self.decoded = self.tokens = 0
        self.started = time.monotonic()
        self.line = ProgressLine(total, "answers")

    def reuse(self, answers: int) -> None:
        """Count answers that were not decoded now."""
        self.there += answers
        self.show()

    def add(self, answers: list[Answer], prompts: int) -> None:
        """Count what was decoded for some prompts."""
        self.there += prompts
        self.decoded += prompts
        self.tokens += sum(len(answer.tokens) + 1 for answer in answers)
        self.show()

    def show(self) -> None:
        """Say so once in a while."""
        seconds = max(time.monotonic() - self.started, 1e-9)
        note = ""
        if self.decoded:
            left = (self.total - self.there) * seconds / self.decoded
            note = f"{self.tokens / seconds:,.0f} tokens/s, {left / 60:.1f} min left"
        self.line.show(self.there, note)


def answer_prompts(
    model: Any,
    task: DecodingTask,
    decoder: Decoder,
    store: RowStore,
    key: str,
    progress: AnswerProgress | None = None,
) -> tuple[list[Answer], Counts]:
    """Answer prompts from the store where it can, by decoding where it cannot.

    Every batch is on the disk as soon as it is decoded.

    Args:
        model: as in `decode_batches`.
        task: the prompts; an answer is cut earlier where the model has no position left.
        decoder: decodes what is missing.
        store: answers decoded before; gets the new ones.
        key: stands for everything but prompt and sample that can change an answer, see
            `decoding_key`.
        progress: of the whole job.

    Returns:
        The answers in the order of the prompts, and counts.
    """
    progress = progress or AnswerProgress(len(task.prompts))
    positions = count_positions(model)
    counts = Counts()
    answers: dict[int, Answer] = {}
    missing: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for i, prompt in enumerate(task.prompts):
        limit = task.max_tokens
        if positions is not None:
            limit = min(limit, positions - len(prompt))
        counts.shortened += 0 < limit < task.max_tokens
        sample = [task.samples[i]] if task.sampling else []
        row_key = sha256_text(canonical_json([key, limit, list(prompt), *sample]))
        if limit <= 0:
            counts.overlong += 1
            answers[i] = Answer((), "length")
        elif (stored := store.get(row_key)) is not None:
            counts.reused += 1
            answers[i] = stored
        else:
            counts.new += 1
            missing[limit][row_key].append(i)
    progress.reuse(len(answers))
    for limit, rows_of in sorted(missing.items()):
        asked = list(rows_of.items())

        def keep(numbers: list[int], found: list[Answer], asked: Any = asked) -> None:
            prompts_done = 0
            for number, answer in zip(numbers, found, strict=True):
                row_key, rows = asked[number]
                store.put(row_key, answer)
                answers.update(dict.fromkeys(rows, answer))
                prompts_done += len(rows)
            store.flush()
            progress.add(found, prompts_done)

        decoder(model, task.only([rows[0] for _, rows in asked], limit), keep)
    return [answers[i] for i in range(len(task.prompts))], counts


def decoding_key(**parts: Any) -> str:
    """Return the hash of everything but the prompt that can change an answer.

    Args:
        parts: hashes and names: model, adapter, code, backend, blas, decoder.
    """
    return sha256_text(canonical_json(parts))
