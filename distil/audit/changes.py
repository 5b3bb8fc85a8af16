"""What differs between a job as the configuration asks for it and the record it left.

Snakemake decides by these reasons (distil/study/snakemake_patches.py), and `status` and `verify`
name them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from distil.audit.files import Files
from distil.audit.planned import Planned
from distil.audit.records import Record
from distil.content.fingerprint import describe, sorted_keys
from distil.lineage.executables import describe_executable


@dataclass(frozen=True)
class Reason:
    """Why a job is not fresh.

    Attributes:
        kind: record, output, edited, input, inputs, params, code, packages, executables, above or
            checkpoint.
        what: the file, param, module, package or job, and what became of it.
    """

    kind: str
    what: str

    @property
    def reruns(self) -> bool:
        """Whether Snakemake runs the job for it."""
        return self.kind != "edited"


def changed_outputs(job: Planned, record: Record, files: Files) -> Iterator[Reason]:
    """Yield what is wrong with a job's outputs: the files that are there against its record."""
    wrote = record.files("output")
    for path in job.outputs:
        digest = files.sha256(path)
        if path in wrote and digest is None:
            yield Reason("output", f"{path} is gone")
        elif path in wrote and digest != wrote[path]["sha256"]:
            remedy = "remove it, then run snakemake, which makes it again"
            yield Reason("edited", f"{path} is not what {job.name} wrote; {remedy}")


def changed_recipe(job: Planned, record: Record, files: Files) -> Iterator[Reason]:
    """Yield what differs between a job as it would run now and its record, but for its outputs."""
    wrote = record.files("output")
    for path, name in job.outputs.items():
        if path not in wrote:
            yield Reason("output", f"{path} has not been made")
        elif wrote[path]["name"] != name:
            yield Reason("output", f"{path} goes by another name: {wrote[path]['name']} -> {name}")
    for path in wrote.keys() - job.outputs.keys():
        yield Reason("output", f"{path} is made no more")
    yield from _inputs(job, record, files)
    yield from _params(job, record)
    yield from _code(job, record)
    for name, then in record.content.get("executables", {}).items():
        if describe_executable(name) != then:
            yield Reason("executables", f"{name}, which it started, is another program or has "
                         "other data now")  # fmt: skip


def _inputs(job: Planned, record: Record, files: Files) -> Iterator[Reason]:
    read = record.files("input")
    for path in sorted(job.inputs.keys() | read.keys()):
        if path not in read:
            yield Reason("inputs", f"reads {path} too")
        elif path not in job.inputs:
            yield Reason("inputs", f"reads {path} no more")
        elif job.inputs[path] != read[path]["name"]:
            names = f"{read[path]['name']} -> {job.inputs[path]}"
            yield Reason("inputs", f"{path} goes by another name: {names}")
        elif (digest := files.sha256(path)) is not None and digest != read[path]["sha256"]:
            yield Reason("input", f"{path} has other bytes")


def _params(job: Planned, record: Record) -> Iterator[Reason]:
    # As JSON: a record holds text where the rules hold a number for a key.
    now, then = json.loads(json.dumps(sorted_keys(job.params))), record.content["params"]
    for key in sorted(now.keys() | then.keys()):
        if now.get(key) != then.get(key) or (key in now) != (key in then):
            yield Reason("params", f"{key}: {_short(then.get(key))} -> {_short(now.get(key))}")


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _code(job: Planned, record: Record) -> Iterator[Reason]:
    if job.code == record.content["code"]:
        return
    then, now = record.content["fingerprint"], describe(record.content["script"])
    for name in changed_code(then, now) or ["the code hash"]:
        yield Reason("code" if name.endswith(".py") else "packages", f"{name} changed")


def changed_code(then: dict, now: dict) -> list[str]:
    """Name the modules, packages or Python that differ between two fingerprints."""
    names = []
    for kind in ("modules", "packages"):
        old, new = then.get(kind, {}), now.get(kind, {})
        for name in sorted(old.keys() | new.keys()):
            if old.get(name) != new.get(name):
                versions = f" ({old.get(name)} -> {new.get(name)})" if kind == "packages" else ""
                names.append(f"{name}{versions}")
    if then.get("python") != now.get("python"):
        names.append(f"python ({then.get('python')} -> {now.get('python')})")
    return names
