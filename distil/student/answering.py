"""Answers of a student to prompts: from the store where it has them, decoded where it has not."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from distil.content.hashing import canonical_json, sha256_text
from distil.student.decoding import BatchShape, decode_batches
from distil.student.rows import Answer, RowStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from distil.student.workers import ComputeWorker


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


def answer_prompts(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Sequence[int]],
    max_tokens: int,
    shape: BatchShape,
    store: RowStore,
    name: str,
    helper: ComputeWorker | None = None,
    show: Callable[[int], None] | None = None,
) -> tuple[list[Answer], Counts]:
    """Answer prompts from the store where it can, by decoding where it cannot.

    Args:
        model: as in `decode_batches`.
        tokenizer: the model's, for its end-of-turn tokens.
        prompts: token ids of each prompt.
        max_tokens: tokens of an answer at most.
        shape: shapes of the batches.
        store: answers decoded before; gets the new ones.
        name: stands for everything but the prompt that can change an answer: model, adapter,
            code, packages, backend, BLAS. See `decoding_key`.
        helper: as in `decode_batches`.
        show: as in `decode_batches`.

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
        key = sha256_text(canonical_json([name, limit, asdict(shape), list(prompt)]))
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
            shape,
            helper,
            show,
        )
        for (key, rows), answer in zip(keys.items(), decoded, strict=True):
            store.put(key, answer)
            answers |= dict.fromkeys(rows, answer)
        store.flush()
    return [answers[i] for i in range(len(prompts))], counts


def decoding_key(**parts: Any) -> str:
    """Hash of everything but the prompt that can change an answer.

    Args:
        parts: hashes and names: model, adapter, code, backend, blas.
    """
    return sha256_text(canonical_json(parts))
