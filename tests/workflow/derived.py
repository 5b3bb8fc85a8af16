"""What a change must rerun, derived from the import graph, the records and the rules' own text.

Which modules and packages a script needs is taken from the standard library's ModuleFinder and the
packages' own metadata, not from `distil.content.fingerprint`; which jobs lie below a job, from the records of
the finished study; which jobs a changed configuration calls for, from the rules as Snakemake expands
them. Nothing here is a list that somebody typed.
"""

from __future__ import annotations

import functools
import importlib.metadata
import json
import modulefinder
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from packaging.requirements import Requirement

from distil.audit import planned
from distil.content import fingerprint
from distil.content.addresses import job_name
from distil.content.fingerprint import sorted_keys
from tests.workflow.checkout import Checkout

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
CONFIG = "config.micro.yaml"
SCRIPTS = sorted(path.stem for path in (ROOT / "scripts").glob("*.py"))
MODULES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "distil").rglob("*.py"))


@dataclass(frozen=True)
class Job:
    """One job as far as reruns go."""

    rule: str
    input: frozenset[str]
    output: frozenset[str]
    params: dict
    packages: frozenset[str] = frozenset()


Graph = dict[str, Job]


def read_graph(study: Checkout) -> Graph:
    """Return the jobs of the finished study by name, from their records."""
    jobs = {}
    for path in sorted((study.path / "results" / "micro" / "lineage").glob("*/*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        jobs[job_name(record["rule"], record["wildcards"])] = Job(
            record["rule"],
            frozenset(row["path"] for row in record["input"]),
            frozenset(row["path"] for row in record["output"]),
            record["params"],
            frozenset(record["fingerprint"]["packages"]),
        )
    return jobs


def plan_graph(config: Path) -> Graph:
    """Return the jobs that a configuration calls for, from the rules; the study is the folder."""
    return {
        job.name: Job(
            job.rule,
            frozenset(job.inputs),
            frozenset(job.outputs),
            json.loads(json.dumps(sorted_keys(job.params))),
        )
        for job in planned.expected_jobs([config])
    }


def of_rules(jobs: Graph, rules: set[str]) -> set[str]:
    return {name for name, job in jobs.items() if job.rule in rules}


def readers(jobs: Graph, path: str) -> set[str]:
    return {name for name, job in jobs.items() if path in job.input}


def differing(jobs: Graph, finished: Graph) -> set[str]:
    """Return the jobs that did not run yet, or were given other params, inputs or outputs."""

    def shape(job: Job | None) -> tuple | None:
        return job and (job.params, job.input, job.output)

    return {name for name, job in jobs.items() if shape(job) != shape(finished.get(name))}


# ----------------------------------------------------------------------- below a checkpoint

# What an input function of rules/checkpoints.smk asks for.
ASKS = {
    "training_rows": {"split_datasets"},  # its own fold and variant only
    "datasets_settled": {"split_datasets"},
    "plan": {"split_datasets", "plan_predictions"},
    "predictions_settled": {"split_datasets", "plan_predictions"},
}


@functools.cache
def asking() -> dict[str, set[str]]:
    """Return {rule: functions of `ASKS` that its inputs call}, from the rules' own text."""
    found = {}
    for path in (ROOT / "rules").glob("*.smk"):
        for rule, body in re.findall(
            r"^(?:rule|checkpoint) (\w+):\n(.*?)(?=^\S|\Z)", path.read_text(), re.S | re.M
        ):
            found[rule] = ASKS.keys() & set(re.findall(r"(?:settled=|plan=|unpack\()(\w+)", body))
    return found


def asks(jobs: Graph, name: str, above: str) -> bool:
    """Whether a job asks for a checkpoint, the job `above`; the teacher's answers rest on none."""
    if "run=teacher" in name:
        return False
    functions = {
        function
        for function in asking().get(jobs[name].rule, ())
        if jobs[above].rule in ASKS[function]
    }
    reads = bool(jobs[name].input & jobs[above].output)
    return bool(functions) and (reads or functions != {"training_rows"})


def reach(direct: set[str], jobs: Graph, leads: Callable[[str, str], bool]) -> set[str]:
    """Return some jobs and all that they lead to, step by step; `leads(above, other)` is a step."""
    found, pending = set(), list(direct)
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending += [other for other in jobs if leads(name, other)]
    return found


def below(jobs: Graph, direct: set[str]) -> set[str]:
    """Return some jobs and all that run for certain once these have run: no checkpoint between."""
    return reach(
        direct,
        jobs,
        lambda above, other: (
            bool(jobs[other].input & jobs[above].output) and not asks(jobs, other, above)
        ),
    )


def downstream(jobs: Graph, direct: set[str]) -> set[str]:
    """Return some jobs and all that a dry run must take to lie below them.

    Below a checkpoint that will run, a dry run names every job that asks for it: what these
    will do is known only once it has run.
    """
    return reach(
        direct,
        jobs,
        lambda above, other: (
            bool(jobs[other].input & jobs[above].output) or asks(jobs, other, above)
        ),
    )


# --------------------------------------------------------------------------------- code


@functools.cache
def reached(script: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the `distil` files and the third-party names a script imports, by ModuleFinder."""
    # The room of records is in no fingerprint (distil/content/fingerprint.py says why).
    finder = modulefinder.ModuleFinder(path=[str(ROOT)], excludes=["distil.lineage"])
    finder.run_script(str(ROOT / "scripts" / f"{script}.py"))
    # A module that a process of its own runs is named by a string (`python -m distil.x`).
    pending = True
    while pending:
        named = {
            name
            for module in list(finder.modules.values())
            if module.__file__ and Path(module.__file__).is_relative_to(ROOT / "distil")
            for name in re.findall(
                r"[\"'](distil(?:\.[a-z_0-9]+)+)[\"']", Path(module.__file__).read_text()
            )
        }
        pending = {
            name
            for name in named
            for full in (name, f"{name}.__main__")
            if full not in finder.modules
            and full not in finder.badmodules
            and ((ROOT / full.replace(".", "/")).with_suffix(".py").is_file())
        }
        for name in pending:
            finder.import_hook(name)
            if (ROOT / name.replace(".", "/") / "__main__.py").is_file():
                finder.import_hook(f"{name}.__main__")
    files = {
        Path(module.__file__).relative_to(ROOT).as_posix()
        for name, module in finder.modules.items()
        if name.partition(".")[0] == "distil" and module.__file__
    }
    tops = {name.partition(".")[0] for name in finder.badmodules} - {"distil", "__main__"}
    return frozenset(files), frozenset(tops)


def importers(module: str) -> set[str]:
    """Return the scripts whose fingerprints hold a module."""
    if module in fingerprint.NOT_FINGERPRINTED:
        return set()
    return {script for script in SCRIPTS if module in reached(script)[0]}


@functools.cache
def imported(script: str) -> frozenset[str]:
    """Return the locked packages that a script or one of its modules imports itself."""
    names = {fingerprint.DISTRIBUTIONS.get(top, top) for top in reached(script)[1]}
    return frozenset(names & fingerprint.locked_packages().keys())


@functools.cache
def _required(package: str) -> tuple[str, ...] | None:
    """Return what an installed package requires itself, by its own metadata; None if it is not."""
    try:
        required = importlib.metadata.requires(package) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    found = map(Requirement, required)
    return tuple(
        one.name.lower().replace("_", "-")
        for one in found
        if not one.marker or one.marker.evaluate({"extra": ""})
    )


def requirements(package: str, seen: set[str]) -> set[str]:
    """Return what an installed package requires, by its own metadata, extras left out."""
    if package not in seen and (required := _required(package)) is not None:
        seen.add(package)
        for name in required:
            requirements(name, seen)
    return seen


# ------------------------------------------------------------------------------ parameters


def micro() -> dict:
    return yaml.safe_load((ROOT / CONFIG).read_text(encoding="utf-8"))


def leaves(value, path=()):
    """Yield the path and the value of each leaf of the configuration; lists count as leaves."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    else:
        yield path, value


# Text and lists that only certain others may take the place of.
CHOICES = {
    ("problems", "admit", "refuse"): ["empty"],
    ("adapters", "seeded"): ["weights"],
    ("teacher", "mode"): "replay",
    ("predictions", "decoder"): "continuous",
    ("claims", "speed_section"): "js",
    ("claims", "clusters"): "question",
    ("claims", "strata"): "section",
    ("claims", "missing"): "pairs",
    ("teacher", "hosts", "simulated", "api_key_env"): "OTHER_KEY",
}


def other(path: tuple[str, ...], value):
    """Return another value that the schema accepts in the same place; None for other lists."""
    if path in CHOICES:
        return CHOICES[path]
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value * 0.5 if value else 0.5
    return f"{value}x" if isinstance(value, str) else None


AGENTS = ("solver", "distiller", "verifier")
# These decide which jobs there are, or must agree with others: SHAPES changes each of them.
TOGETHER = {
    ("study",), ("published",), ("exams", "source"), ("prompts",), ("student", "model"),
    ("adapters", "horizon"), ("adapters", "evaluate_every"), ("adapters", "pilot_seed"),
    ("teacher", "hosts", "simulated", "base_url"),
    *(("teacher", "agents", agent, "host") for agent in AGENTS),
}  # fmt: skip
VALUES = {
    path: value
    for path, value in leaves(micro())
    if path not in TOGETHER and other(path, value) is not None
}


def holds(params: dict, key: str, value) -> bool:
    """Whether recorded params hold a configuration leaf: its key with its value, at any depth.

    The micro study gives equal keys of different stages different values, so that this is exact.
    """
    own = params.get(key, ...)
    if own == value and type(own) is type(value):
        return True
    return any(holds(inner, key, value) for inner in params.values() if isinstance(inner, dict))


def given(jobs: Graph, path: tuple[str, ...]) -> set[str]:
    """Return the jobs whose params hold a leaf of the configuration."""
    if path[0] == "student":
        return set()  # only `make student` reads it
    found = {name for name, job in jobs.items() if holds(job.params, path[-1], VALUES[path])}
    if path[:2] == ("teacher", "agents"):
        found = {name for name in found if jobs[name].rule.startswith(path[2][:5])}
    return found


def changed(path: tuple[str, ...]) -> dict:
    """Return the micro study's configuration with another value in one place."""
    config = micro()
    inner = config
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = other(path, inner[path[-1]])
    return config


def _shape(**edits):
    """Return the configuration with lists changed: {path joined by __: (remove, add)} or a value."""
    config = micro()
    for path, edit in edits.items():
        *keys, last = path.split("__")
        inner = functools.reduce(dict.__getitem__, keys, config)
        if isinstance(edit, tuple):
            removed, added = edit
            inner[last] = [item for item in inner[last] if item not in removed] + added
        else:
            inner[last] = edit
    return config


FREE = {f"sample-{agent}": {"input": 0.0, "output": 0.0} for agent in AGENTS}
# Changes of what jobs there are, or of values that must agree with each other.
SHAPES = {
    "a test year added": lambda: _shape(exams__years=([], [2015]), folds__temporal__test=([], [2015])),
    "a training year added": lambda: _shape(
        exams__years=([2011, 2012, 2013, 2014], [2010, 2011, 2012, 2013, 2014]),
        folds__temporal__train=([], [2010]),
    ),
    "a training year dropped": lambda: _shape(
        exams__years=([2012], []), folds__temporal__train=([2012], [])
    ),
    "a validation year made a training year": lambda: _shape(
        exams__years=([], [2015]), folds__temporal__train=([], [2013]),
        folds__temporal__validation=([2013], [2014]), folds__temporal__test=([2014], [2015]),
    ),
    "a section dropped": lambda: _shape(
        exams__sections={"fs": "Freshman-Sophomore", "js": "Junior-Senior"},
        exams__typeset__questions={"fs": 4, "js": 4}, claims__speed_section=None,
    ),
    "a seed added": lambda: _shape(adapters__seeds=([], [3])),
    "a seed dropped": lambda: _shape(adapters__seeds=([2], [])),
    "another pilot": lambda: _shape(adapters__pilot_seed=101),
    "a longer horizon": lambda: _shape(adapters__horizon=30, adapters__checkpoints=([], [30])),
    "more evaluations": lambda: _shape(adapters__evaluate_every=5),
    "a level dropped": lambda: _shape(levels=(["R6"], []), predictions__levels=(["R6"], [])),
    "a level not asked": lambda: _shape(predictions__levels=(["R6"], [])),
    "a stop dropped": lambda: _shape(predictions__stops=(["seed"], [])),
    "a benchmark dropped": lambda: _shape(benchmarks=(["transfer"], [])),
    "adapters per level as well": lambda: _shape(adapters__protocols=([], ["adapter"])),
    "published figures": lambda: _shape(published=True),
    "other prompts": lambda: _shape(prompts="resources/prompts/paper"),
    # A host's name is part of the key of a stored response, its address is not.
    "another address of the host": lambda: _shape(
        teacher__hosts__simulated={"base_url": "http://127.0.0.1:9/v1", "models": FREE}
    ),
    **{
        f"the {agent} at another host": functools.partial(
            _shape,
            teacher__hosts__other={"base_url": "simulated"},
            **{f"teacher__agents__{agent}__host": "other"},
        )
        for agent in AGENTS
    },
}  # fmt: skip
