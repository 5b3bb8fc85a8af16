"""Whether this Python holds what the study runs on; asked before anything else."""

from __future__ import annotations

import datetime
import functools
import importlib.util
import os
import secrets
import sys
from collections.abc import Callable

NEEDED = (
    "jsonschema", "mlx", "mlx_lm", "math_verify", "pandas", "pypdfium2", "snakemake", "typer",
    "typst",
)  # fmt: skip


def require_packages(asker: str = "This Snakemake") -> None:
    """Stop at once, in one line, where the study's packages are not installed.

    Args:
        asker: what runs here, as the first words of the message.

    Raises:
        SystemExit: on Windows, or under a Python that lacks our packages.
    """
    if os.name == "nt":
        sys.exit("Windows is not supported, since mlx has no Windows build; use WSL 2.")
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(
            f"{asker} runs under {sys.executable}, which lacks {', '.join(missing)}. "
            "Run: make setup, then: . .venv/bin/activate"
        )


def show_modules(folder: str) -> None:
    """Let the scripts, which run in processes of their own, find `distil` in a folder."""
    os.environ["PYTHONPATH"] = folder


def name_run() -> None:
    """Give all jobs of one Snakemake the same name of their run, which goes to the history.

    A job on a cluster reads the rules anew and keeps the name that it is given.
    """
    now = datetime.datetime.now(datetime.UTC)
    os.environ.setdefault("DISTIL_RUN", f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(2)}")


def in_one_line(function: Callable[[str], str]) -> Callable[[str], str]:
    """Return a function that ends the run with one line where it cannot read the code."""

    @functools.wraps(function)
    def wrapped(script: str) -> str:
        try:
            return function(script)
        except (OSError, LookupError, SyntaxError) as error:
            sys.exit(str(error))

    return wrapped


def name_plan(sha256: str | None) -> None:
    """Hand the digest of the analysis plan to all jobs, each of which keeps it in the history.

    It is no param: a changed margin must not decode an answer again.

    Args:
        sha256: the digest; None where a study has no plan that could precede its answers.
    """
    os.environ["DISTIL_PLAN"] = sha256 or ""
