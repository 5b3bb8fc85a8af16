"""Make `.venv` from the lock, with one clear line for what stands in the way.

Standard library only, since nothing is installed yet. `make setup` runs this; without make,
`python3 envs/set_up.py` does the same.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.lock"
STAMP = VENV / "installed.sha256"
OLDEST, NEWEST = (3, 11), (3, 13)


def main() -> None:
    """Create the environment, or say in one line why it cannot be."""
    if os.name == "nt":
        sys.exit("set-up: Windows is not supported, since mlx has no Windows build; use WSL 2.")
    if not shutil.which("make"):
        print(
            "set-up: make is missing; every target of the Makefile is one command to type by hand."
        )
    python = find_python()
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        sys.exit(
            "set-up: this Python lacks the venv module; "
            "on Debian or Ubuntu: apt-get install python3-venv"
        )
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if STAMP.is_file() and STAMP.read_text() == digest:
        return
    if not (VENV / "bin" / "python").exists():
        run([python, "-m", "venv", str(VENV)])
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install"]
    print("set-up: installing the locked packages into .venv (about 1.5 GB, a minute or two)")
    run([*pip, "--quiet", "--require-hashes", "-r", str(LOCK)])
    STAMP.write_text(digest)


def find_python() -> str:
    """Return a Python this project runs on: the running one if it will do, else one on PATH."""
    if OLDEST <= sys.version_info[:2] <= NEWEST:
        return sys.executable
    for minor in range(NEWEST[1], OLDEST[1] - 1, -1):
        if found := shutil.which(f"python3.{minor}"):
            return found
    found = ".".join(map(str, sys.version_info[:2]))
    sys.exit(
        f"set-up: Python {found} is too {'new' if sys.version_info[:2] > NEWEST else 'old'}; "
        "install 3.11, 3.12 or 3.13 and run: make setup PYTHON=python3.13"
    )


def run(command: list[str]) -> None:
    """Run a command; its failure ends the set-up with the command's own exit code."""
    code = subprocess.run(command, check=False).returncode
    if code:
        sys.exit(f"set-up: {' '.join(command[:4])} ... failed with exit code {code}; see above")


if __name__ == "__main__":
    main()
