"""Print envs/study.yaml, the conda environment of every rule, from the lock.

`make lock` runs this after the lock is made; a test holds the two in step. Versions only: conda's
pip has no hash checking from such a file, so `make setup` stays the way whose bytes are checked.
"""

from __future__ import annotations

import re
from pathlib import Path

LOCK = Path(__file__).resolve().parent.parent / "requirements.lock"
PIN = re.compile(r"^([A-Za-z0-9_.-]+==[^\s\\]+(?:\s*;[^\\]*)?)", re.MULTILINE)


def environment(lock: str) -> str:
    """Return the environment file for the text of a lock."""
    pins = [pin.strip() for pin in PIN.findall(lock)]
    lines = [
        "# Made from requirements.lock by `make lock`; do not edit.",
        "channels: [conda-forge, nodefaults]",
        "dependencies:",
        "  - python =3.11",
        "  - pip",
        "  - pip:",
        *(f'      - "{pin}"' for pin in pins),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(environment(LOCK.read_text(encoding="utf-8")), end="")
