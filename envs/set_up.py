"""Make `.venv` from the lock, with one clear line for what stands in the way.

Standard library only, since nothing is installed yet. `make setup` runs this; without make,
`python3 envs/set_up.py` does the same.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.lock"
STAMP = VENV / "installed.sha256"
COMMAND = VENV / "bin" / "distil"
PIN = re.compile(r"^[A-Za-z0-9_.-]+==", re.M)
# Seconds between two lines on how far the download is, where no terminal shows it at once.
PATIENCE = 15
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
    if STAMP.is_file() and STAMP.read_text() == digest and COMMAND.exists():
        return
    if not (VENV / "bin" / "python").exists():
        run([python, "-m", "venv", str(VENV)])
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install"]
    print("set-up: installing the locked packages into .venv: 1.5 GB, a few minutes", flush=True)
    install([*pip, "--require-hashes", "-r", str(LOCK)], len(PIN.findall(LOCK.read_text())))
    # The command `distil`, run from this folder. What builds it is in the lock, so that nothing is
    # downloaded without a hash.
    run([*pip, "--quiet", "--no-deps", "--no-build-isolation", "--editable", str(ROOT)])
    STAMP.write_text(digest)
    print("set-up: done; for the command `distil` in this shell: . .venv/bin/activate")


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


def install(command: list[str], packages: int) -> None:
    """Run pip and tell how many of the packages it has come to.

    What pip prints besides, deprecations of other people's packages among it, is shown if it fails.
    """
    live, told, found = sys.stdout.isatty(), time.monotonic(), 0
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        for line in process.stdout:
            log.write(line)
            found += line.startswith("Collecting ")
            # The last such line; those before it are of packages that build others.
            unpacking = line.startswith("Installing collected") and line.count(",") > found / 2
            state = "unpacking" if unpacking else f"fetched {found} of"
            if live:
                print(f"\r\033[Kset-up: {state} {packages} packages", end="", flush=True)
            elif time.monotonic() - told > PATIENCE or unpacking:
                told = time.monotonic()
                print(f"set-up: {state} {packages} packages", flush=True)
        if live:
            print("\r\033[K", end="", flush=True)
        if process.wait():
            log.seek(0)
            print(log.read(), file=sys.stderr)
            fail(command, process.returncode)


def fail(command: list[str], code: int) -> None:
    """End the set-up with the command that failed and its exit code."""
    sys.exit(f"set-up: {' '.join(command[:4])} ... failed with exit code {code}; see above")


def run(command: list[str]) -> None:
    """Run a command; its failure ends the set-up."""
    code = subprocess.run(command, check=False).returncode
    if code:
        fail(command, code)


if __name__ == "__main__":
    main()
