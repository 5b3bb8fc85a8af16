"""Sampled answers that a seed decides, and what a decoder is asked for.

Every token of a sampled answer is drawn with a number of its own from a stream that follows from
the seed, the prompt and the number of the sample (Philox: Salmon et al., Parallel Random Numbers:
As Easy as 1, 2, 3, SC 2011). So an answer depends neither on its neighbours in a batch nor on how
many samples are asked for, and a larger number of samples keeps those that are there.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from distil.content.hashing import canonical_json
from distil.student.blas import load_blas

load_blas()  # before mlx, or it has no effect

import mlx.core as mx  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn: `predictions.sampling` of a study file.

    Attributes:
        temperature: logits are divided by it; above 0.
        top_p: tokens are drawn from the likeliest ones that together reach this share, after the
            temperature (nucleus sampling: Holtzman et al., ICLR 2020); 1 takes all.
        seed: of all draws.
    """

    temperature: float
    top_p: float
    seed: int

    def stream(self, prompt: Sequence[int], sample: int, count: int) -> np.ndarray:
        """Return the first numbers of an answer's stream.

        Args:
            prompt: token ids.
            sample: number of the answer among those to this prompt.
            count: how many; more of them begin with the same.

        Returns:
            float32 of shape (count,), from 0 on and below 1.
        """
        name = canonical_json([self.seed, sample, list(prompt)]).encode("ascii")
        key = int.from_bytes(hashlib.sha256(name).digest()[:16], "big")
        return np.random.Generator(np.random.Philox(key=key)).random(count, np.float32)

    def choose(self, logits: mx.array, numbers: mx.array) -> mx.array:
        """Draw one token for each row.

        Args:
            logits: shape (rows, vocabulary); a constant added to a row changes nothing.
            numbers: shape (rows,), from 0 on and below 1.

        Returns:
            Token ids of shape (rows,).
        """
        order = mx.argsort(-logits, axis=-1)
        likeliest = mx.take_along_axis(logits, order, axis=-1).astype(mx.float32)
        shares = mx.softmax(likeliest / self.temperature, axis=-1)
        sums = mx.cumsum(shares, axis=-1)
        kept = sums - shares < self.top_p  # never empty: the first sum before itself is 0
        whole = mx.max(mx.where(kept, sums, 0), axis=-1)
        passed = (sums <= (numbers * whole)[:, None]) & kept
        # Rounding may pass all that are kept.
        place = mx.minimum(passed.sum(axis=-1), kept.sum(axis=-1) - 1)
        return mx.take_along_axis(order, place[:, None], axis=-1)[:, 0]


@dataclass(frozen=True)
class DecodingTask:
    """Prompts to decode, and how.

    Attributes:
        prompts: token ids of each prompt, none empty.
        ends: the end-of-turn tokens.
        max_tokens: tokens of an answer at most, the end-of-turn token included.
        sampling: how tokens are drawn; None takes the likeliest.
        samples: with `sampling`, the number of each prompt's sample.
    """

    prompts: Sequence[Sequence[int]]
    ends: Collection[int]
    max_tokens: int
    sampling: Sampling | None = None
    samples: Sequence[int] = ()

    def only(self, rows: Sequence[int], max_tokens: int | None = None) -> DecodingTask:
        """Return the task of some prompts, by their numbers."""
        return DecodingTask(
            [self.prompts[i] for i in rows],
            frozenset(self.ends),
            self.max_tokens if max_tokens is None else max_tokens,
            self.sampling,
            [self.samples[i] for i in rows] if self.sampling else (),
        )

    def numbers(self, row: int) -> np.ndarray:
        """Return what the tokens of one prompt's answer are drawn with, shape (max_tokens,)."""
        return self.sampling.stream(self.prompts[row], self.samples[row], self.max_tokens)
