"""Claims and tables, computed again from the stored rows and compared byte by byte."""

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

RULES = ("judge_claims", "judge_release_claims")
# Inputs of these rules that are lists, even where they hold one file or none.
LISTS = ("grades", "problems", "benchmarks", "stops", "curves")


def recompute(study: str) -> list[tuple[str, str]]:
    """Run the claims' job again on the recorded inputs, into a folder of its own.

    Args:
        study: the study's name; its files are those on the disk.

    Returns:
        (file, message) for each file of claims and tables that comes out otherwise.
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
    inputs: dict[str, Any] = {name: [] for name in LISTS}
    for path, row in record.files("input").items():
        if row["name"] in LISTS:
            inputs[row["name"]].append(path)
        else:
            inputs[row["name"]] = path
    inputs["grades"] = _in_order(inputs["grades"], record.content["params"].get("runs", []))
    settings = {**record.content["wildcards"], **record.content["params"]}
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        outputs: dict[str, list[str]] = {}
        for path, row in record.files("output").items():
            made = Path(folder, path)
            made.parent.mkdir(parents=True, exist_ok=True)
            outputs.setdefault(row["name"], []).append(str(made))
        module.main(
            input=SimpleNamespace(**inputs),
            output=SimpleNamespace(**outputs),
            params=SimpleNamespace(**settings),
        )
        for path in record.files("output"):
            if Path(path).read_bytes() != Path(folder, path).read_bytes():
                faults.append((path, "its numbers do not follow from the stored rows"))
    return faults


def _in_order(grades: list[str], runs: list[str]) -> list[str]:
    """Put files of grades in the order of the runs; a record holds them sorted by path."""
    places = {path.partition("/grades/")[2].removesuffix(".parquet"): path for path in grades}
    return [places[run] for run in runs]
