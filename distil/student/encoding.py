"""Training and validation rows as token ids, with what was cut counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from distil.student.model import escape_special, render_row

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class EncodedRows:
    """Rows ready to train on.

    Attributes:
        tokens: token ids of each row, prompt first.
        prompts: how many leading tokens of each row are its prompt.
        cut: tokens cut off each row's end at `max_tokens`.
        escaped: whether a special token's spelling stood in each row's texts.
    """

    tokens: tuple[tuple[int, ...], ...]
    prompts: tuple[int, ...]
    cut: tuple[int, ...]
    escaped: tuple[bool, ...] = ()

    @property
    def truncated(self) -> int:
        """Number of rows that lost tokens."""
        return sum(lost > 0 for lost in self.cut)


def encode_rows(
    tokenizer: Any, rows: Iterable[dict[str, Any]], max_tokens: int, source: str = "rows"
) -> EncodedRows:
    """Tokenise chat rows, counting what is cut.

    Args:
        tokenizer: the student's, in mlx-lm's wrapper.
        rows: {"messages": [user, assistant], ...} each.
        max_tokens: longer rows lose their end.
        source: name of the file, for errors.

    Raises:
        ValueError: a row is not one question and one answer, or its prompt alone reaches
            `max_tokens`, so that nothing would be left to learn.
    """
    tokens, prompts, cut, escaped = [], [], [], []
    for number, row in enumerate(rows, start=1):
        messages = row.get("messages") or []
        if [message.get("role") for message in messages] != ["user", "assistant"]:
            raise ValueError(
                f"{source}:{number}: messages is not one user and one assistant turn;"
                " remedy: make the datasets again"
            )
        ids, given = render_row(tokenizer, messages[0]["content"], messages[1]["content"])
        if given >= max_tokens:
            raise ValueError(
                f"{source}:{number}: the prompt has {given} tokens and max_tokens is {max_tokens},"
                " so nothing is left to learn; remedy: raise adapters.max_tokens"
            )
        tokens.append(tuple(ids[:max_tokens]))
        prompts.append(given)
        cut.append(max(0, len(ids) - max_tokens))
        texts = [message["content"] for message in messages]
        escaped.append(any(escape_special(tokenizer, text) != text for text in texts))
    return EncodedRows(tuple(tokens), tuple(prompts), tuple(cut), tuple(escaped))
