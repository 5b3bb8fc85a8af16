"""The jobs that a configuration calls for, as Snakemake itself reads the rules; nothing runs.

Snakemake parses the Snakefile and expands inputs, outputs and params; only the walk from the
targets to the sources is ours, since its own dry run looks at dates and keeps metadata that a
study copied from elsewhere lacks. A checkpoint is taken as done: its outputs' names are known
beforehand in this workflow, and what asks for it is written down.
"""

from __future__ import annotations

import contextlib
import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from distil.content.addresses import job_name, record_path
from distil.content.fingerprint import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


class PlanError(Exception):
    """The workflow cannot be read; the message says why and what mends it."""


@dataclass(frozen=True)
class Planned:
    """One job that the configuration calls for.

    Attributes:
        rule: its rule.
        wildcards: their values.
        params: the settings that its script is given.
        code: the fingerprint of its script.
        sources: {file that no rule makes: sha256}.
        inputs: {path: name in the rule, None if it has none}.
        outputs: the same.
        checkpoints: names of the checkpoints' jobs that its inputs ask for.
        lists: names of inputs and outputs that are lists, even of one file or of none.
    """

    rule: str
    wildcards: dict[str, str]
    params: dict[str, Any]
    code: str
    sources: dict[str, str | None]
    inputs: dict[str, str | None]
    outputs: dict[str, str | None]
    checkpoints: frozenset[str]
    lists: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """Rule and wildcards without the study, as `rule(key=value, ...)`."""
        return job_name(self.rule, self.wildcards)

    @property
    def record(self) -> Path:
        """Where its record lies."""
        return record_path(self.wildcards["study"], self.rule, self.wildcards)


def find_config(study: str, folder: Path = ROOT) -> list[Path]:
    """Return the study file that a study's name stands in, config.yaml before the others.

    Raises:
        PlanError: no file or more than one holds it.
    """
    found = []
    for path in sorted(folder.glob("config*.yaml")):
        with contextlib.suppress(OSError, yaml.YAMLError, AttributeError):
            if yaml.safe_load(path.read_text(encoding="utf-8")).get("study") == study:
                found.append(path)
    if len(found) != 1:
        there = ", ".join(path.name for path in found)
        raise PlanError(
            f"{there} all name the study {study}; name one with --configfile"
            if found
            else f"no config*.yaml in {folder} names the study {study}; "
            "name its file with --configfile"
        )
    return found


def expected_jobs(
    configfiles: Sequence[Path], values: Sequence[str] = (), also: Iterable[str] = ()
) -> list[Planned]:
    """Return every job of a study in an order in which they could run.

    Args:
        configfiles: the study's files, as after `snakemake --configfile`.
        values: KEY=VALUE, as after `snakemake --config`.
        also: files beside the targets of `rule all`; those that a rule makes, as pictures and the
            review page, have their jobs in the plan as well.

    Raises:
        PlanError: Snakemake cannot read the workflow under this configuration.
    """
    from snakemake.exceptions import WorkflowError

    with _quiet(), settled() as asked:
        workflow = _read_workflow(configfiles, values)
        targets = workflow.get_rule(workflow.default_target).expand_input({})[0]
        walk = _Walk(workflow, asked)
        for path in targets:
            walk.visit(str(path))
        for path in also:
            # Of a fold or a year that was dropped since, a rule may not even know its inputs.
            with contextlib.suppress(PlanError, WorkflowError, LookupError, ValueError):
                walk.visit(str(path))
        return list(walk.jobs.values())


def every_output(workflow: Any, targets: Iterable[str]) -> list[str]:
    """Return all files that are made on the way to some targets, these among them.

    As targets they are remade wherever one is missing: Snakemake itself makes no file again that
    nothing to run needs, and so forgets a change whose job died and took its outputs along.

    Args:
        workflow: Snakemake's, once all rules are read.
        targets: paths.
    """
    wanted = tuple(targets)
    # Snakemake asks more than once.
    known: dict[tuple[str, ...], list[str]] = workflow.__dict__.setdefault("_every_output", {})
    if wanted not in known:
        known[wanted] = _walk_to(workflow, wanted)
    return known[wanted]


def _walk_to(workflow: Any, targets: tuple[str, ...]) -> list[str]:
    with settled() as asked:
        walk = _Walk(workflow, asked, params=False)
        for path in targets:
            walk.visit(path)
    return [path for job in walk.jobs.values() for path in job.outputs]


def from_snakemake(job: Any) -> Planned:
    """Return one of Snakemake's own jobs as a planned one."""
    return Planned(
        rule=job.rule.name,
        wildcards=dict(job.wildcards_dict),
        params=dict(job.params.get("settings", {})),
        code=job.params.get("code"),
        sources=dict(job.params.get("sources", {})),
        inputs=_named(job.input),
        outputs=_named(job.output),
        checkpoints=frozenset(),
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Snakemake from printing, and the environment as it was."""
    before = dict(os.environ)
    told = io.StringIO()
    try:
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
            yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def settled() -> Iterator[dict[str, str]]:
    """Answer who asks for a checkpoint as if it had run; {job asked for: one of its outputs}."""
    from snakemake import checkpoints

    asked: dict[str, str] = {}
    ask = checkpoints.Checkpoint.get

    def answer(self: Any, **wildcards: str) -> Any:
        made = self.rule.expand_output(wildcards)[0]
        asked[job_name(self.rule.name, wildcards)] = str(made[0])
        return checkpoints.CheckpointJob(self.rule, made)

    checkpoints.Checkpoint.get = answer
    try:
        yield asked
    finally:
        checkpoints.Checkpoint.get = ask


def _read_workflow(configfiles: Sequence[Path], values: Sequence[str]) -> Any:
    from snakemake import api
    from snakemake.cli import parse_config
    from snakemake.settings import types

    try:
        with api.SnakemakeApi(types.OutputSettings(quiet={types.Quietness.ALL})) as snakemake:
            flow = snakemake.workflow(
                resource_settings=types.ResourceSettings(cores=1),
                config_settings=types.ConfigSettings(
                    configfiles=[path.absolute() for path in configfiles],
                    config=parse_config(list(values)),
                ),
                snakefile=ROOT / "Snakefile",
                workdir=Path.cwd(),
            )
            # The parsed workflow has no public name; Snakemake's version is pinned.
            return flow._workflow
    except (Exception, SystemExit) as error:
        raise PlanError(f"the workflow cannot be read: {error}") from error


class _Walk:
    """The walk from files to the jobs that make them, and on to what these read."""

    def __init__(self, workflow: Any, asked: dict[str, str], *, params: bool = True) -> None:
        from snakemake.output_index import OutputIndex

        self.index, self.asked, self.params = OutputIndex(workflow.rules), asked, params
        self.jobs: dict[str, Planned] = {}
        self.open: set[str] = set()
        self.seen: set[str] = set()

    def visit(self, path: str) -> None:
        """Take up the job that makes a file, and those above it first."""
        if path in self.seen:  # a file that many jobs read is looked at once
            return
        self.seen.add(path)
        rules = self.index.match_producers(path)
        if not rules:
            return  # a source
        if len(rules) > 1:
            names = ", ".join(sorted(map(str, rules)))
            raise PlanError(f"{path}: more than one rule makes it: {names}")
        (rule,) = rules
        wildcards = dict(rule.get_wildcards(path))
        name = job_name(rule.name, wildcards)
        if name in self.jobs:
            return
        if name in self.open:
            raise PlanError(f"{path}: {name} needs its own output")
        self.open.add(name)
        self.asked.clear()
        job = self._expand(rule, wildcards)
        for source in (*dict(self.asked).values(), *job.inputs):
            self.visit(source)
        self.jobs[name] = job

    def _expand(self, rule: Any, wildcards: dict[str, str]) -> Planned:
        inputs = rule.expand_input(wildcards)[0]
        outputs = rule.expand_output(wildcards)[0]
        params: Any = {}
        if self.params:
            params = rule.expand_params(wildcards, inputs, outputs, None)[0]
        return Planned(
            rule=rule.name,
            wildcards=wildcards,
            params=dict(params.get("settings", {})),
            code=params.get("code"),
            sources=dict(params.get("sources", {})),
            inputs=_named(inputs),
            outputs=_named(outputs),
            checkpoints=frozenset(self.asked),
            lists=frozenset(
                name
                for files in (inputs, outputs)
                for name, value in files.items()
                if not isinstance(value, str)
            ),
        )


def _named(files: Any) -> dict[str, str | None]:
    names = {}
    for name, value in files.items():
        for path in [value] if isinstance(value, str) else value:
            names[str(path)] = name
    return {str(path): names.get(str(path)) for path in files}
