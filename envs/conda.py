"""Print envs/study.yaml, the conda environment of every rule, from the lock.

`make lock` runs this after the lock is made; a test holds the two in step. It holds what the study
runs on and not the tools of its developers. Versions only: conda's pip has no hash checking from
such a file, so `make setup` stays the way whose bytes are checked.
"""

from __future__ import annotations

import re
from pathlib import Path

LOCK = Path(__file__).resolve().parent.parent / "requirements.lock"
PIN = re.compile(r"^(?P<name>[A-Za-z0-9_.-]+)==[^\s\\]+(?:\s*;[^\\\n]*)?", re.MULTILINE)
# Who asks for a package, as uv writes it: a package, or a part of pyproject.toml.
VIA = re.compile(r"^    #(?: via)?\s+(?P<who>\S+(?: \(pyproject\.toml\S*\))?)$", re.MULTILINE)
PROJECT = "distil (pyproject.toml)"


def needed(lock: str) -> list[str]:
    """Return the pins that the project itself needs, directly or through others."""
    starts = [match.start() for match in PIN.finditer(lock)]
    blocks = [lock[a:b] for a, b in zip(starts, [*starts[1:], len(lock)], strict=True)]
    pins = [(PIN.match(block), set(VIA.findall(block))) for block in blocks]
    names = {PROJECT}
    while True:
        more = names | {pin["name"] for pin, via in pins if via & names}
        if more == names:
            return [pin[0].strip() for pin, via in pins if via & names]
        names = more


def environment(lock: str) -> str:
    """Return the environment file for the text of a lock."""
    lines = [
        "# Made from requirements.lock by `make lock`; do not edit.",
        "channels: [conda-forge, nodefaults]",
        "dependencies:",
        "  - python =3.11",
        "  - tesseract >=5 # reads scanned exams",
        "  - pip",
        "  - pip:",
        *(f'      - "{pin}"' for pin in needed(lock)),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(environment(LOCK.read_text(encoding="utf-8")), end="")
