"""What requests cost: a dated price table, bounds before they are sent, bills after."""

from __future__ import annotations

import dataclasses
import math
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# ASSUME: no tokenizer makes more than one token of a UTF-8 byte; a typical token is 3.5 characters.
_BYTES_PER_TOKEN = 1.0
CHARACTERS_PER_TOKEN = 3.5
# ASSUME: no model makes more tokens of a picture than one for each 14 x 14 pixels, and 1,500 more
# where a host enlarges small ones.
_PATCH_PIXELS = 14
_ENLARGED_TOKENS = 1500
# Room for the chat template around the messages.
_TEMPLATE_TOKENS = 64


@dataclasses.dataclass(frozen=True)
class Price:
    """Price of one model in units of money per million tokens.

    Attributes:
        input: of a prompt token.
        output: of an answered token, reasoning included.
        cached_input: of a prompt token that the host had in its cache.
    """

    input: float
    output: float
    cached_input: float

    def bill(self, usage: Mapping[str, int]) -> float | None:
        """Return the cost of a response from the host's own token counts, or None without them."""
        if "prompt_tokens" not in usage or "completion_tokens" not in usage:
            return None
        cached = min(usage.get("cached_tokens", 0), usage["prompt_tokens"])
        fresh = usage["prompt_tokens"] - cached
        parts = (
            (fresh, self.input),
            (cached, self.cached_input),
            (usage["completion_tokens"], self.output),
        )
        return sum(count * price for count, price in parts) / 1e6

    @staticmethod
    def plausible(
        usage: Mapping[str, int], prompt: str, max_tokens: int, picture_tokens: int = 0
    ) -> tuple[list[int], bool]:
        """Return a host's token counts within what is possible, and whether they were.

        Counts that are missing, all zero, or beyond what prompt and longest answer allow say
        nothing of the cost.

        Returns:
            [prompt tokens, answered tokens], cut to the bounds; whether they can be billed.
        """
        counts = [usage.get(name, 0) for name in ("prompt_tokens", "completion_tokens")]
        prompt_bound = math.ceil(len(prompt.encode("utf-8")) / _BYTES_PER_TOKEN) + _TEMPLATE_TOKENS
        # A host may count a few tokens around the answer.
        bounds = [prompt_bound + picture_tokens, max_tokens + _TEMPLATE_TOKENS]
        clipped = [min(count, bound) for count, bound in zip(counts, bounds, strict=True)]
        known = {"prompt_tokens", "completion_tokens"} <= set(usage) and any(counts)
        return clipped, known and clipped == counts

    def worst_case(self, prompt: str, max_tokens: int, picture_tokens: int = 0) -> float:
        """Return an upper bound of a request's cost."""
        # ASSUME: max_tokens bounds all that is answered and billed, reasoning included.
        tokens = len(prompt.encode("utf-8")) / _BYTES_PER_TOKEN + _TEMPLATE_TOKENS
        tokens += picture_tokens
        return (tokens * self.input + max_tokens * self.output) / 1e6

    def expected(self, prompt: str, output_tokens: float, picture_tokens: int = 0) -> float:
        """Return a request's likely cost, given the usual length of an answer in tokens."""
        tokens = self.prompt_tokens(prompt, picture_tokens)
        return (tokens * self.input + output_tokens * self.output) / 1e6

    @staticmethod
    def prompt_tokens(prompt: str, picture_tokens: int = 0) -> float:
        """Return the likely tokens of a prompt, with those of a picture in it."""
        return len(prompt) / CHARACTERS_PER_TOKEN + _TEMPLATE_TOKENS + picture_tokens


def picture_tokens(png: bytes) -> int:
    """Return an upper bound of the tokens that a picture is billed as, from its PNG header."""
    width, height = struct.unpack(">II", png[16:24])
    patches = math.ceil(width / _PATCH_PIXELS) * math.ceil(height / _PATCH_PIXELS)
    return patches + _ENLARGED_TOKENS
