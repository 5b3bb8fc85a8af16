"""Every module, package and parameter: a change reruns exactly the jobs that depend on it.

What must rerun is derived, never listed: which rules a module or package reaches from the import
graph as the standard library's ModuleFinder and the installed packages' own metadata see it, which
jobs lie below from the records of the finished study. A rule that no mutation reaches fails.
"""

from __future__ import annotations

import functools
import importlib.metadata
import json
import modulefinder
import os
import re
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from distil import fingerprint
from tests.workflow.checkout import Checkout

ROOT = Path(__file__).resolve().parents[2]
TORTURE = bool(os.environ.get("DISTIL_TORTURE"))
SCRIPTS = sorted(path.stem for path in (ROOT / "scripts").glob("*.py"))
MODULES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "distil").rglob("*.py")
    if path.parent.name != "audit"
)
# In continuous integration a dry run is made for these; `make torture` makes one for each.
SAMPLED = ("distil/templates/contest.py", "distil/splits.py", "distil/plots.py", "distil/blas.py")
# Not part of the default target of a study that trains.
ELSEWHERE = {
    "pretrain_student", "import_transcriptions", "audit_release_splits", "import_release_counts",
    "measure_release_levels", "test_release_claims", "tabulate_forensics", "collect_exam",
    "import_benchmark", "crop_problems", "read_crops", "review_problems", "tabulate_extraction",
    "judge_answers",
}  # fmt: skip


@functools.cache
def reached(script: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the `distil` files and the third-party names a script imports, by ModuleFinder."""
    # The books are in no fingerprint (distil/fingerprint.py says why).
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


def graph(study: Checkout) -> dict[str, dict]:
    """Return the finished study's jobs: {job: rule, inputs, outputs, params} from their records."""
    jobs = {}
    for path in (study.path / "results" / "micro" / "lineage").glob("*/*.json"):
        record = json.loads(path.read_text(encoding="utf-8"))
        pairs = [f"{k}={v}" for k, v in sorted(record["wildcards"].items()) if k != "study"]
        name = f"{record['rule']}({', '.join(pairs)})" if pairs else record["rule"]
        jobs[name] = {
            "rule": record["rule"],
            "input": {row["path"] for row in record["input"]},
            "output": {row["path"] for row in record["output"]},
            "params": record["params"],
        }
    return jobs


# What an input function of rules/checkpoints.smk asks for.
ASKS = {
    "training_rows": {"split_datasets"},
    "datasets_settled": {"split_datasets"},
    "plan": {"split_datasets", "plan_predictions"},
    "predictions_settled": {"split_datasets", "plan_predictions"},
}


@functools.cache
def askers() -> dict[str, set[str]]:
    """Return {rule: checkpoints its inputs ask for}, from the rules' own text."""
    found = {}
    for path in (ROOT / "rules").glob("*.smk"):
        for rule, body in re.findall(
            r"^(?:rule|checkpoint) (\w+):\n(.*?)(?=^\S|\Z)", path.read_text(), re.S | re.M
        ):
            names = re.findall(r"(?:settled=|plan=|unpack\()(\w+)", body)
            found[rule] = set().union(*(ASKS.get(name, set()) for name in names))
    return found


def downstream(jobs: dict[str, dict], direct: set[str]) -> set[str]:
    """Return some jobs and all that a dry run must take to lie below them.

    Below a checkpoint that will run, a dry run names every job that asks for it: what these
    will do is known only once it has run.
    """
    found, pending = set(), list(direct)
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            made, rule = jobs[name]["output"], jobs[name]["rule"]
            pending += [
                other
                for other, job in jobs.items()
                if job["input"] & made
                or (rule in askers().get(job["rule"], ()) and "run=teacher" not in other)
            ]
    if any(jobs[name]["rule"] == "split_datasets" for name in found):
        # Until the rows are made, nobody has asked for a plan yet.
        found -= of_rules(jobs, {"plan_predictions"})
    return found


def of_rules(jobs: dict[str, dict], rules: set[str]) -> set[str]:
    return {name for name, job in jobs.items() if job["rule"] in rules}


@pytest.fixture
def here(monkeypatch, tmp_path):
    """Fingerprints taken in a copy of the code, with what was read before forgotten."""
    import shutil

    for name in ("distil", "scripts"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "requirements.lock", tmp_path)
    monkeypatch.setattr(fingerprint, "ROOT", tmp_path)
    monkeypatch.setattr(fingerprint, "LOCK", tmp_path / "requirements.lock")

    def all_of_them() -> dict[str, str]:
        fingerprint.forget()
        return {script: fingerprint.fingerprint(f"scripts/{script}.py") for script in SCRIPTS}

    yield tmp_path, all_of_them
    fingerprint.forget()


def test_each_module_changes_the_fingerprints_of_exactly_its_importers(here):
    folder, fingerprints = here
    before = fingerprints()
    for module in MODULES:
        path = folder / module
        text = path.read_text(encoding="utf-8")
        path.write_text(text + "\n_CHANGED = 1\n", encoding="utf-8")
        after = fingerprints()
        path.write_text(text, encoding="utf-8")
        changed = {script for script in SCRIPTS if before[script] != after[script]}
        expected = {script for script in SCRIPTS if module in reached(script)[0]}
        if module in fingerprint.NOT_FINGERPRINTED:
            expected = set()
        assert changed == expected, module
    assert fingerprints() == before


def test_each_script_changes_its_own_fingerprint_only(here):
    folder, fingerprints = here
    before = fingerprints()
    for script in SCRIPTS:
        path = folder / "scripts" / f"{script}.py"
        text = path.read_text(encoding="utf-8")
        path.write_text(text + "\n_CHANGED = 1\n", encoding="utf-8")
        after = fingerprints()
        path.write_text(text, encoding="utf-8")
        assert {name for name in SCRIPTS if before[name] != after[name]} == {script}


def requirements(package: str, seen: set[str]) -> set[str]:
    """Return what an installed package requires, by its own metadata, extras left out."""
    if package in seen:
        return seen
    try:
        required = importlib.metadata.requires(package) or []
    except importlib.metadata.PackageNotFoundError:
        return seen
    seen.add(package)
    for text in required:
        requirement = Requirement(text)
        if not requirement.marker or requirement.marker.evaluate({"extra": ""}):
            requirements(requirement.name.lower().replace("_", "-"), seen)
    return seen


def test_each_package_changes_the_fingerprints_of_exactly_the_scripts_that_need_it(here):
    folder, fingerprints = here
    before = fingerprints()
    lock = folder / "requirements.lock"
    text = lock.read_text(encoding="utf-8")
    needed = {}
    for script in SCRIPTS:
        tops = {fingerprint.DISTRIBUTIONS.get(top, top) for top in reached(script)[1]}
        needed[script] = set().union(*(requirements(top, set()) for top in tops)) if tops else set()
        for _ in range(2):  # mlx-lm requires mlx, which loads more unasked
            for name, loaded in fingerprint.UNDECLARED.items():
                if name in needed[script]:
                    needed[script] |= set().union(*(requirements(one, set()) for one in loaded))
    for package in sorted(set().union(*needed.values())):
        pattern = rf"^({re.escape(package)}==)"
        if not re.search(pattern, text, re.M):
            continue  # an optional requirement that the lock leaves out
        lock.write_text(re.sub(pattern, r"\g<1>9!", text, flags=re.M), encoding="utf-8")
        after = fingerprints()
        changed = {script for script in SCRIPTS if before[script] != after[script]}
        expected = {script for script in SCRIPTS if package in needed[script]}
        # An extra (mlx[cpu] brings mlx-cpu) is in the lock's closure and in no bare requirement.
        assert expected <= changed, package
        assert not changed - expected or package.startswith("mlx"), (package, changed - expected)
    lock.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("module", MODULES if TORTURE else SAMPLED)
def test_a_dry_run_names_the_importers_of_a_module_and_all_below(study, module):
    jobs = graph(study)
    with (study.path / module).open("a", encoding="utf-8") as stream:
        stream.write("\n_CHANGED = 1\n")
    direct = {script for script in SCRIPTS if module in reached(script)[0]}
    assert study.planned() == downstream(jobs, of_rules(jobs, direct))


def test_every_rule_is_reached_by_some_mutation(finished):
    rules = {job["rule"] for job in graph(finished).values()}
    assert rules == set(SCRIPTS) - ELSEWHERE


# ------------------------------------------------------------------------------------ parameters


def leaves(value, path=()):
    """Yield the path and the value of each leaf of the configuration; lists count as leaves."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    else:
        yield path, value


def other(value):
    """Return another value that the schema accepts in the same place."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value * 0.5 if value else 1.0
    return None


MICRO = yaml.safe_load((ROOT / "config.micro.yaml").read_text(encoding="utf-8"))
NUMBERS = [path for path, value in leaves(MICRO) if other(value) is not None]
# Numbers that must agree with others, or that name jobs: tests of their own change these.
TOGETHER = {
    ("adapters", "horizon"), ("adapters", "evaluate_every"), ("adapters", "pilot_seed"),
    ("published",),
}  # fmt: skip


def holds(params: dict, key: str, value) -> bool:
    """Whether recorded params hold a configuration leaf: its key with its value, at any depth.

    The micro study gives equal keys of different stages different values, so that this is exact.
    """
    own = params.get(key, ...)
    if own == value and type(own) is type(value):
        return True
    return any(holds(inner, key, value) for inner in params.values() if isinstance(inner, dict))


def set_leaf(config: dict, path, value) -> None:
    for key in path[:-1]:
        config = config[key]
    config[path[-1]] = value


@pytest.mark.parametrize("path", [path for path in NUMBERS if path not in TOGETHER], ids=".".join)
def test_each_number_of_the_configuration_reruns_exactly_what_it_shapes(finished, tmp_path, path):
    jobs = graph(finished)
    config = yaml.safe_load((ROOT / "config.micro.yaml").read_text(encoding="utf-8"))
    value = functools.reduce(lambda inner, key: inner[key], path, config)
    set_leaf(config, path, other(value))
    changed = tmp_path / "changed.yaml"
    changed.write_text(yaml.safe_dump(config), encoding="utf-8")
    direct = {name for name, job in jobs.items() if holds(job["params"], path[-1], value)}
    if path[0] == "student":
        direct = set()  # only `make student` reads it
    if path[:2] == ("teacher", "agents"):
        direct = {name for name in direct if jobs[name]["rule"].startswith(path[2][:5])}
    assert finished.planned(config=str(changed)) == downstream(jobs, direct)


def test_reordering_the_keys_of_the_configuration_reruns_nothing(finished, tmp_path):
    def reorder(value):
        if isinstance(value, dict):
            return {key: reorder(value[key]) for key in reversed(value)}
        return value

    changed = tmp_path / "reordered.yaml"
    config = yaml.safe_load((ROOT / "config.micro.yaml").read_text(encoding="utf-8"))
    sections = config["exams"]["sections"]  # their order is that of papers and tables
    changed.write_text(yaml.safe_dump(reorder(config), sort_keys=False), encoding="utf-8")
    config = reorder(config)
    config["exams"]["sections"] = sections
    changed.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    assert finished.planned(config=str(changed)) == set()


def test_one_more_seed_trains_one_adapter(finished, tmp_path):
    jobs = graph(finished)
    config = yaml.safe_load((ROOT / "config.micro.yaml").read_text(encoding="utf-8"))
    config["adapters"]["seeds"].append(3)
    changed = tmp_path / "changed.yaml"
    changed.write_text(yaml.safe_dump(config), encoding="utf-8")
    planned = finished.planned(config=str(changed))
    trained = {name for name in planned if name.startswith("train_adapter")}
    assert trained == {"train_adapter(fold=temporal, seed=3, variant=prompt)"}
    below = {"choose_stops", "plan_predictions", "predict_answers", "grade_predictions"}
    upstream = {name for name in planned if jobs.get(name, {}).get("rule") not in below}
    assert not {name for name in upstream if name.startswith(("solve", "distill", "extract"))}
