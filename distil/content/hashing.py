"""Hashes and canonical JSON: equal content gives equal bytes, whatever wrote it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
import time
from pathlib import Path
from typing import Any

# Where `sha256_once` keeps what it found; no file of the main process, which writes its own whole.
# The bytes from which it keeps a file, and the seconds for which a file must have stayed as it is:
# some file systems note times no finer than that.
KNOWN = Path(".snakemake", "distil-large-files.json")
LARGE = 10**7
SETTLED = 2.0


def sha256_bytes(data: bytes) -> str:
    """Return the sha256 of some bytes as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def sha256_text(text: str) -> str:
    """Return the sha256 of a text's UTF-8 bytes as 64 hexadecimal digits."""
    return sha256_bytes(text.encode())


def sha256_file(path: str | Path) -> str:
    """Return the sha256 of a file's bytes as 64 hexadecimal digits."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_once(path: str | Path) -> str:
    """Return the sha256 of a file, read once as long as a large file stays as it is.

    Hundreds of jobs open the same weights and adapters. What was found is kept in `KNOWN` under
    size, mtime, ctime and inode, for all jobs of this folder. What must not rest on times, as
    `distil verify` must not, reads the file itself.
    """
    path = Path(path)
    look = look_of(path)
    if look[0] < LARGE:
        return sha256_file(path)
    name = str(path.resolve())
    known = _read_known().get(name, {})
    if known.get("look") == look:
        return str(known["sha256"])
    digest = sha256_file(path)
    if look_of(path) == look and max(look[1:3]) < time.time_ns() - SETTLED * 1e9:
        found = {**_read_known(), name: {"look": look, "sha256": digest}}
        with contextlib.suppress(OSError):  # it is only quicker with it
            KNOWN.parent.mkdir(exist_ok=True)
            new = KNOWN.with_name(f"{KNOWN.name}.{secrets.token_hex(8)}")
            new.write_text(json.dumps(found, indent=1, sort_keys=True), encoding="utf-8")
            new.replace(KNOWN)
    return digest


def look_of(path: str | Path) -> list[int]:
    """Return what tells without reading that a file was changed: size, mtime, ctime and inode."""
    state = Path(path).stat()
    return [state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino]


def _read_known() -> dict[str, dict[str, Any]]:
    try:
        return dict(json.loads(KNOWN.read_bytes()))
    except (OSError, ValueError):
        return {}


def canonical_json(value: Any) -> str:
    """Serialise a value so that equal values give equal text: sorted keys, no spaces, no NaN."""
    return json.dumps(
        value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    )
