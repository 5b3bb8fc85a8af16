"""Claims and tables, computed again from the stored rows and compared byte by byte."""

from __future__ import annotations

import contextlib
import inspect
import io
import tempfile
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from distil.audit.faults import MISMATCH, UNCHECKED, Fault
from distil.content.addresses import parse_file
from distil.content.scripts import load_script

if TYPE_CHECKING:
    from collections.abc import Iterable

    from distil.audit.planned import Planned


def recompute(jobs: Iterable[Planned]) -> list[Fault]:
    """Do every job that makes claims or tables again, into a folder of its own.

    Args:
        jobs: those that the configuration calls for; their inputs are the files on the disk.

    Returns:
        A fault for each file of claims and tables that comes out otherwise.
    """
    faults = []
    for job in jobs:
        if {"claims", "table"} & {parse_file(path).kind for path in job.outputs}:
            faults += _do_again(job)
    return faults


def _do_again(job: Planned) -> list[Fault]:
    script = f"scripts/{job.rule}.py"
    with tempfile.TemporaryDirectory() as folder:
        made = {path: Path(folder, path) for path in job.outputs}
        for path in made.values():
            path.parent.mkdir(parents=True, exist_ok=True)
        offered = {
            "input": _grouped(job, {path: path for path in job.inputs}, job.inputs),
            "output": _grouped(job, made, job.outputs),
            "params": SimpleNamespace(**job.wildcards, **job.params, code=job.code),
        }
        try:
            module = load_script(job.rule)
            taken = inspect.signature(module.main).parameters
            with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # its own log has them
                module.main(**{name: value for name, value in offered.items() if name in taken})
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a script may raise
            what = f"{job.name} could not be done again ({type(error).__name__}: {error})"
            return [Fault(UNCHECKED, script, what)]
        message = f"does not follow from stored rows by {job.name}; remove it, then run snakemake"
        return [
            Fault(MISMATCH, path, message)
            for path, again in made.items()
            if not Path(path).is_file() or Path(path).read_bytes() != again.read_bytes()
        ]


def _grouped(job: Planned, places: dict[str, Any], names: dict[str, str | None]) -> Any:
    """Return files by their names in the rule, lists where the rule has lists."""
    found: dict[str, Any] = {name: [] for name in job.lists}
    for path, name in names.items():
        if name in job.lists:
            found[name].append(str(places[path]))
        elif name is not None:
            found[name] = str(places[path])
    return SimpleNamespace(**found)
