"""Greedy answers in batches: the text of one-by-one decoding, many times faster.

A row's answer depends on its own prompt only, not on what else is in the batch. Prompts of one
length class share a batch and are padded to that class, batches shrink by eights as rows end, and
the BLAS's kernels are chosen to give a row of a product the same bits at any width
(distil/student/blas.py; a test holds this). So rows decoded in earlier runs can be reused, and
reuse equals a run from nothing.
"""

from __future__ import annotations

import os
import secrets
from collections import defaultdict, deque
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from distil.content.hashing import canonical_json, sha256_text
from distil.content.sealed import Seal, read_lines, seal
from distil.student.blas import load_blas

load_blas()  # before mlx, or it has no effect

import mlx.core as mx  # noqa: E402
from mlx_lm.models.cache import BatchKVCache, make_prompt_cache  # noqa: E402

from distil.student.lanes import shareable  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from distil.student.lanes import Lane


@dataclass(frozen=True)
class Geometry:
    """The shapes that prompts are decoded in; part of the key of every stored row.

    Attributes:
        width: rows of a full batch.
        length_class: prompts are padded to a multiple of this.
        block: tokens decoded between two looks at which rows have ended.
    """

    width: int = 64
    length_class: int = 16
    block: int = 8

    def narrower(self, rows: int) -> int:
        """The smallest multiple of 8 that holds some rows, the full width at most."""
        return min(self.width, -(-rows // 8) * 8)


@dataclass(frozen=True)
class Answer:
    """One decoded answer.

    Attributes:
        tokens: ids without the end-of-turn token.
        finish: "stop" (end of turn) or "length" (cut at the limit).
    """

    tokens: tuple[int, ...]
    finish: str


def count_positions(model: Any) -> int | None:
    """How many tokens a model has positions for; None if it does not say."""
    return getattr(getattr(model, "args", None), "max_position_embeddings", None)


def decode_batches(
    model: Any,
    prompts: Sequence[Sequence[int]],
    ends: Iterable[int],
    max_tokens: int,
    geometry: Geometry,
    second: Lane | None = None,
) -> list[Answer]:
    """Decode every prompt greedily.

    Args:
        model: an mlx-lm model in evaluation mode, with plain key-value caches.
        prompts: token ids of each prompt, none empty.
        ends: the end-of-turn tokens.
        max_tokens: tokens of an answer, the end-of-turn token included.
        geometry: shapes of the batches.
        second: process that decodes every batch this one is not at (`distil.student.lanes`, started
            with `serve_batches`); the answers are the same without one.

    Returns:
        The answers, in the order of the prompts.

    Raises:
        ValueError: the model's cache is not a plain one, so that it cannot be batched here.
    """
    kinds = {type(cache).__name__ for cache in make_prompt_cache(model)}
    if kinds != {"KVCache"}:
        raise ValueError(f"model: caches of kind {', '.join(sorted(kinds))} are not supported")
    classes = defaultdict(list)
    for i, prompt in enumerate(prompts):
        classes[-(-len(prompt) // geometry.length_class)].append(i)
    batches = [
        (size * geometry.length_class, rows[start : start + geometry.width])
        for size, rows in classes.items()
        for start in range(0, len(rows), geometry.width)
    ]
    # The longest work first, so that two processes end at nearly the same time.
    waiting = deque(sorted(batches, key=lambda batch: (-len(batch[1]), -batch[0], batch[1])))
    answers: dict[int, Answer] = {}
    away: list[int] = []

    def exchange() -> None:
        """Take what the second process has done, and give it the next batch."""
        if away and second.ready():
            answers.update(zip(away, second.receive(), strict=True))
            away.clear()
        if second and waiting and not away:
            padded, rows = waiting.popleft()
            second.send(([prompts[i] for i in rows], padded, ends, max_tokens, geometry))
            away.extend(rows)

    ends = frozenset(ends)
    if second and len(waiting) > 1 and shareable(model):
        second.send(model)
        second.receive()
    else:
        second = None
    while waiting:
        exchange()
        if waiting:
            padded, rows = waiting.popleft()
            chosen = [prompts[i] for i in rows]
            steps = _decode_batch(model, chosen, padded, ends, max_tokens, geometry)
            answers.update(zip(rows, _finish(steps, exchange), strict=True))
    if away:
        answers.update(zip(away, second.receive(), strict=True))
    return [answers[i] for i in range(len(prompts))]


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
    model: Any,
    prompts: list[Sequence[int]],
    padded: int,
    ends: frozenset[int],
    max_tokens: int,
    geometry: Geometry,
) -> Generator[None, None, list[Answer]]:
    """Decode one batch, pausing after each block of tokens; returns the answers in order."""
    # Rows beyond the prompts repeat the first one: their answers are thrown away.
    slots: list[int | None] = list(range(len(prompts)))
    slots += [None] * (geometry.narrower(len(prompts)) - len(prompts))
    tokens = np.zeros((len(slots), padded), np.int32)
    for slot, row in enumerate(slots):
        prompt = prompts[row or 0]
        tokens[slot, padded - len(prompt) :] = prompt
    answers: dict[int, Answer] = {}
    decoded: list[list[int]] = [[] for _ in prompts]
    cache = [BatchKVCache([padded - len(prompts[row or 0]) for row in slots]) for _ in model.layers]
    batch = mx.array(tokens)
    model(batch[:, :-1], cache=cache)
    # Only the caches: the logits of a long prompt are never computed.
    mx.eval([layer.state for layer in cache])
    last = batch[:, -1]
    done = 0
    while True:
        yield
        block = min(geometry.block, max_tokens - done)
        steps = []
        for _ in range(block):
            last = mx.argmax(model(last[:, None], cache=cache)[:, -1], axis=-1)
            mx.async_eval(last)
            steps.append(last)
        chosen = np.array(mx.stack(steps, axis=1))
        done += block
        for slot, row in enumerate(slots):
            if row is None:
                continue
            for token in chosen[slot].tolist():
                if token in ends:
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
        width = geometry.narrower(len(live))
        if width < len(slots):
            keep = live + [s for s, row in enumerate(slots) if row is None][: width - len(live)]
            slots = [slots[slot] for slot in keep]
            index = mx.array(keep)
            last = last[index]
            for layer in cache:
                _keep_rows(layer, index)


def _keep_rows(cache: BatchKVCache, index: mx.array) -> None:
    """Keep some rows of a cache, its padding as it is.

    `BatchKVCache.filter` also shifts out padding that no remaining row needs. A row's bits would
    then depend on its neighbours'.
    """
    cache.keys, cache.values = cache.keys[index], cache.values[index]
    cache.offset, cache.left_padding = cache.offset[index], cache.left_padding[index]


def answer_text(tokenizer: Any, tokens: Iterable[int]) -> str:
    """The text of an answer, as mlx-lm's own streaming makes it."""
    detokenizer = tokenizer.detokenizer
    for token in tokens:
        detokenizer.add_token(token)
    detokenizer.finalize()
    return detokenizer.text


class RowStore:
    """Answers decoded before, under `state/`: append-only segments of JSON lines.

    Every writer has a segment of its own and every line a sha256, so a writer that was killed
    leaves at most one torn line, which readers skip.

    Args:
        folder: where the segments lie; None keeps nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        """Read all segments."""
        self.folder = folder
        self.rows: dict[str, Answer] = {}
        self.torn = 0
        self._segment: int | None = None
        if folder is not None and folder.exists():
            for path in sorted(folder.glob("*.jsonl")):
                self._read(path)

    def _read(self, path: Path) -> None:
        for _, row in read_lines(path):
            if row is None:
                self.torn += 1
            else:
                self.rows[row["key"]] = Answer(tuple(row["tokens"]), row["finish"])

    def get(self, key: str) -> Answer | None:
        """The stored answer of a key, or None."""
        return self.rows.get(key)

    def put(self, key: str, answer: Answer) -> None:
        """Append an answer: on the disk after `flush`."""
        self.rows[key] = answer
        if self.folder is None:
            return
        if self._segment is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            path = self.folder / f"{os.getpid()}-{secrets.token_hex(4)}.jsonl"
            self._segment = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        line = seal({"key": key, **asdict(answer)}, Seal.ENVELOPE)
        if os.write(self._segment, line) < len(line):
            raise OSError(f"{self.folder}: disk full, an answer was not stored; remedy: free space")

    def flush(self) -> None:
        """Force what was put to the disk and close the segment."""
        if self._segment is not None:
            os.fsync(self._segment)
            os.close(self._segment)
            self._segment = None


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


def answer_prompts(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Sequence[int]],
    max_tokens: int,
    geometry: Geometry,
    store: RowStore,
    name: str,
    second: Lane | None = None,
) -> tuple[list[Answer], Counts]:
    """Answer prompts from the store where it can, by decoding where it cannot.

    Args:
        model: as in `decode_batches`.
        tokenizer: the model's, for its end-of-turn tokens.
        prompts: token ids of each prompt.
        max_tokens: tokens of an answer at most.
        geometry: shapes of the batches.
        store: answers decoded before; gets the new ones.
        name: stands for everything but the prompt that can change an answer: model, adapter,
            code, packages, backend, BLAS. See `answering_name`.
        second: as in `decode_batches`.

    Returns:
        The answers in the order of the prompts, and counts.
    """
    positions = count_positions(model)
    counts = Counts()
    answers: dict[int, Answer] = {}
    missing: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for i, prompt in enumerate(prompts):
        limit = max_tokens if positions is None else min(max_tokens, positions - len(prompt))
        counts.shortened += 0 < limit < max_tokens
        key = sha256_text(canonical_json([name, limit, asdict(geometry), list(prompt)]))
        if limit <= 0:
            counts.overlong += 1
            answers[i] = Answer((), "length")
        elif (stored := store.get(key)) is not None:
            counts.reused += 1
            answers[i] = stored
        else:
            counts.new += 1
            missing[limit][key].append(i)
    for limit, keys in sorted(missing.items()):
        decoded = decode_batches(
            model,
            [prompts[rows[0]] for rows in keys.values()],
            tokenizer.eos_token_ids,
            limit,
            geometry,
            second,
        )
        for (key, rows), answer in zip(keys.items(), decoded, strict=True):
            store.put(key, answer)
            answers |= dict.fromkeys(rows, answer)
        store.flush()
    return [answers[i] for i in range(len(prompts))], counts


def answering_name(**parts: Any) -> str:
    """Hash of everything but the prompt that can change an answer.

    Args:
        parts: hashes and names: model, adapter, code, backend, blas.
    """
    return sha256_text(canonical_json(parts))
