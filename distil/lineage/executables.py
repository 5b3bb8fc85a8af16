"""Programs found on PATH that a job started, by content: the file, what it says, its data.

A record names those that its job was seen to start, so that a text PDF does not depend on the
program that reads scans. Where one of them is another today, the job is stale.
"""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from distil.content.hashing import sha256_file, sha256_text

# The languages that scanned pages are read with: tesseract's default, and its page layout.
USED = ("eng", "osd")
_DATA_FOLDER = re.compile(r'"(?P<folder>[^"]+)"')


@functools.cache
def describe_executable(name: str) -> dict[str, Any] | None:
    """Describe a program by content; None where PATH has none of that name.

    Returns:
        `sha256` of the file; of tesseract also `version`, the sha256 of what it says of itself and
        of the libraries it is linked to, and `data`, {language: sha256}.
    """
    found = shutil.which(name)
    if found is None:
        return None
    described: dict[str, Any] = {"sha256": sha256_file(Path(found).resolve())}
    if name == "tesseract":
        described["version"] = sha256_text(_ask(found, "--version"))
        folder = _DATA_FOLDER.search(_ask(found, "--list-langs"))
        files = [Path(folder["folder"], f"{name}.traineddata") for name in USED] if folder else []
        described["data"] = {path.stem: sha256_file(path) for path in files if path.is_file()}
    return described


def _ask(command: str, option: str) -> str:
    try:
        done = subprocess.run([command, option], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return (done.stdout + done.stderr).decode(errors="replace")
