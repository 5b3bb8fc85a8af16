"""Data of the page as classic scripts, each with one compressed text."""

from __future__ import annotations

import base64
import gzip
import html
import json
from typing import TYPE_CHECKING, Any

from distil.content.files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

TITLE = "<title>Study</title>"


def encode(name: str, content: Any) -> bytes:
    """Return a script that hands a value to the page: distil("NAME", "base64 of gzipped JSON").

    Args:
        name: what the page asks for, as `texts/2024`.
        content: plain JSON.
    """
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    packed = gzip.compress(text.encode(), compresslevel=9, mtime=0)
    # Base64 and the names of shards hold no sign that a script would have to escape.
    return f'distil("{name}","{base64.b64encode(packed).decode("ascii")}")\n'.encode("ascii")


def decode(script: bytes) -> Any:
    """Return the value that a script made by `encode` hands to the page."""
    packed = script.decode("ascii").rpartition(',"')[2].partition('"')[0]
    return json.loads(gzip.decompress(base64.b64decode(packed)))


def write(path: str | Path, name: str, content: Any) -> None:
    """Write a value as a script (see `encode`)."""
    write_atomically(path, encode(name, content))


def fill(bundle: str, title: str) -> bytes:
    """Return the page under a study's title.

    Raises:
        ValueError: the bundle has no title to replace.
    """
    if TITLE not in bundle:
        raise ValueError(f"the page's bundle has no {TITLE}; build it anew (docs/page.md)")
    return bundle.replace(TITLE, f"<title>{html.escape(title)}</title>", 1).encode()


class Texts:
    """Texts by number, each kept once: outputs repeat from checkpoint to checkpoint."""

    def __init__(self) -> None:
        """Start without any."""
        self.list: list[str] = []
        self._places: dict[str, int] = {}

    def place(self, value: Any) -> int | None:
        """Return a text's number; None for nothing."""
        if value is None or value != value:  # NaN
            return None
        text = str(value)
        if text not in self._places:
            self._places[text] = len(self.list)
            self.list.append(text)
        return self._places[text]
