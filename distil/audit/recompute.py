"""Compute the claims again from the stored rows and compare every byte."""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from distil.audit.records import read_records
from distil.content.fingerprint import ROOT

if TYPE_CHECKING:
    from distil.audit.records import Record

RULES = ("test_claims", "test_release_claims")
# Inputs of these rules that are lists even where they hold one file.
LISTS = ("stops", "curves")


def recompute(study: str) -> list[tuple[str, str]]:
    """Run the claims' script again on the recorded inputs, into a folder of its own.

    Args:
        study: the study's name; its files are those on the disk.

    Returns:
        (file, message) for each file of the claims that comes out otherwise.
    """
    faults = []
    for record in read_records(study).records.values():
        if record.rule in RULES:
            faults += _run_again(record)
    return faults


def _run_again(record: Record) -> list[tuple[str, str]]:
    script = ROOT / record.content["script"]
    spec = importlib.util.spec_from_file_location(script.stem, script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    inputs: dict[str, Any] = {}
    for path, row in record.files("input").items():
        if row["name"] in LISTS:
            inputs.setdefault(row["name"], []).append(path)
        else:
            inputs[row["name"]] = path
    settings = {**record.content["wildcards"], **record.content["params"]}
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        outputs = {
            row["name"]: (path, str(Path(folder, Path(path).name)))
            for path, row in record.files("output").items()
        }
        module.main(
            input=SimpleNamespace(**inputs),
            output=SimpleNamespace(**{name: made for name, (_, made) in outputs.items()}),
            params=SimpleNamespace(**settings),
        )
        for stored, made in outputs.values():
            if Path(stored).read_bytes() != Path(made).read_bytes():
                faults.append((stored, "its numbers do not follow from the stored rows"))
    return faults
