"""Every module, package, parameter and file: a change reruns exactly the jobs that depend on it.

What must rerun is derived, never listed (tests/workflow/derived.py). The same is asked of Snakemake by
a dry run and of `distil status`, which runs nothing. Continuous integration makes a dry run for one of
the changes that have the same jobs of their own; `make torture` makes one for each.

docs/lineage.md shows which change reruns which rules; a test here writes it and holds it in step.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from distil.audit import planned, status
from distil.audit.status import FRESH, GONE, STALE, UNDECIDED
from distil.content import fingerprint
from tests.workflow import derived
from tests.workflow.checkout import Checkout
from tests.workflow.derived import CONFIG, MODULES, ROOT, SCRIPTS, SHAPES, VALUES, downstream

TORTURE = bool(os.environ.get("DISTIL_TORTURE"))
# In continuous integration a dry run is made for these; `make torture` makes one for each.
MODULES_RUN = MODULES if TORTURE else [
    "distil/synthetic/contest.py", "distil/datasets/splits.py", "distil/report/plots.py", "distil/student/blas.py",
    "distil/lineage/record.py", "distil/audit/verify.py", "distil/study/shape.py",
]  # fmt: skip
SHAPES_RUN = list(SHAPES) if TORTURE else [
    "a test year added", "a training year dropped", "a seed added", "adapters per level as well",
]  # fmt: skip
# Not part of the default target of a study that trains on typeset papers.
ELSEWHERE = {
    "pretrain_student", "import_transcriptions", "audit_release_splits", "import_release_counts",
    "measure_release_levels", "judge_release_claims", "collect_exam",
    "import_benchmark", "read_crops", "review_problems", "tabulate_extraction",
    "judge_answers", "grade_release_answers", "ask_student",
}  # fmt: skip


@pytest.fixture(scope="module")
def jobs(finished):
    return derived.read_graph(finished)


@pytest.fixture(scope="module")
def copied(finished, tmp_path_factory):
    """One copy for all tests here; each puts back what it changed."""
    path = tmp_path_factory.mktemp("mutations") / "repository"
    shutil.copytree(finished.path, path, symlinks=True)
    return Checkout(path)


@pytest.fixture
def inside(copied, monkeypatch):
    """The copy, which rules, fingerprints and `distil status` are then read from."""
    monkeypatch.chdir(copied.path)
    monkeypatch.setattr(fingerprint, "ROOT", copied.path)
    monkeypatch.setattr(fingerprint, "LOCK", copied.path / "requirements.lock")
    monkeypatch.setattr(planned, "ROOT", copied.path)
    fingerprint.forget()
    yield copied
    fingerprint.forget()


@contextlib.contextmanager
def edited(path: Path, data: bytes, *, later: bool = False):
    """Give a file other content with its old date, or with a later one; then put it back."""
    before, state = path.read_bytes(), path.stat()
    assert data != before
    path.write_bytes(data)
    kept = (state.st_atime_ns, state.st_mtime_ns)
    if not later:
        os.utime(path, ns=kept)
    fingerprint.forget()
    try:
        yield
    finally:
        path.write_bytes(before)
        os.utime(path, ns=kept)
        fingerprint.forget()


def appended(path: Path, text: str):
    return edited(path, path.read_bytes() + text.encode())


def not_fresh(config: Path) -> set[str]:
    """Return the jobs that `distil status` calls other than fresh, the study being the folder."""
    found = status.compute_status("micro", planned.expected_jobs([config]))
    return found.named(STALE, GONE, UNDECIDED)


def not_fresh_anew() -> set[str]:
    """Return the same from a process of its own, which reads the code that is there now."""
    done = subprocess.run(
        [sys.executable, "-m", "distil", "--study", "micro", "status", "--json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr
    rows = json.loads(done.stdout)["jobs"]
    return {row["job"] for row in rows if row["state"] != FRESH}


def configured(config: dict, folder: Path) -> Path:
    path = folder / "changed.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return path


# ------------------------------------------------------------------------------------ code


@pytest.fixture
def code(monkeypatch, tmp_path):
    """Fingerprints taken in a copy of the code, with what was read before forgotten."""
    for name in ("distil", "scripts"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "requirements.lock", tmp_path)
    monkeypatch.setattr(fingerprint, "ROOT", tmp_path)
    monkeypatch.setattr(fingerprint, "LOCK", tmp_path / "requirements.lock")

    def changed(file: str, text: str) -> set[str]:
        """Return the scripts whose fingerprint another text of a file changes."""
        path = tmp_path / file
        with edited(path, text.encode()):
            after = fingerprints()
        return {script for script in SCRIPTS if before[script] != after[script]}

    def fingerprints() -> dict[str, str]:
        fingerprint.forget()
        return {script: fingerprint.fingerprint(f"scripts/{script}.py") for script in SCRIPTS}

    before = fingerprints()
    yield tmp_path, changed
    fingerprint.forget()


def test_each_module_and_script_changes_the_fingerprints_of_exactly_its_importers(code):
    folder, changed = code
    for script in SCRIPTS:
        file = f"scripts/{script}.py"
        assert changed(file, (folder / file).read_text() + "\n_CHANGED = 1\n") == {script}
    for module in MODULES:
        found = changed(module, (folder / module).read_text() + "\n_CHANGED = 1\n")
        assert found == derived.importers(module), module


def test_each_package_changes_the_fingerprints_of_exactly_the_scripts_that_need_it(code):
    folder, changed = code
    text = (folder / "requirements.lock").read_text(encoding="utf-8")
    needed = {}
    for script in SCRIPTS:
        tops = {fingerprint.DISTRIBUTIONS.get(top, top) for top in derived.reached(script)[1]}
        # And what these load unasked; a test of the jobs holds that table to what they load.
        tops |= {name for top in tops for name in fingerprint.UNDECLARED.get(top, ())}
        needed[script] = set().union(*(derived.requirements(top, set()) for top in tops), set())
    for _ in range(2):  # mlx-lm requires mlx, which loads more unasked
        for packages in needed.values():
            for name in [*packages]:
                for loaded in fingerprint.UNDECLARED.get(name, ()):
                    packages |= derived.requirements(loaded, set())
    for package in sorted(set().union(*needed.values())):
        pattern = rf"^({re.escape(package)}==)"
        if not re.search(pattern, text, re.M):
            continue  # an optional requirement that the lock leaves out
        found = changed("requirements.lock", re.sub(pattern, r"\g<1>9!", text, flags=re.M))
        expected = {script for script in SCRIPTS if package in needed[script]}
        # An extra (mlx[cpu] brings mlx-cpu) is in the lock's closure and in no bare requirement.
        assert expected <= found, package
        assert not found - expected or package.startswith("mlx"), (package, found - expected)


@pytest.mark.parametrize("module", MODULES_RUN)
def test_a_dry_run_and_the_status_name_the_importers_of_a_module_and_all_below(
    inside, jobs, module
):
    direct = derived.of_rules(jobs, derived.importers(module))
    with appended(inside.path / module, "\n_CHANGED = 1\n"):
        assert inside.planned() == downstream(jobs, direct)
        assert not_fresh(inside.path / CONFIG) == downstream(jobs, direct)


@pytest.mark.parametrize("package", ["matplotlib", *(("mlx-lm", "pypdfium2") if TORTURE else ())])
def test_a_new_version_of_a_package_reruns_the_jobs_that_need_it(inside, jobs, package):
    lock = inside.path / "requirements.lock"
    direct = {name for name, job in jobs.items() if package in job.packages}
    text = re.sub(rf"^({package}==)", r"\g<1>9!", lock.read_text(), flags=re.M)
    with edited(lock, text.encode()):
        assert inside.planned() == downstream(jobs, direct)
        assert not_fresh(inside.path / CONFIG) == downstream(jobs, direct)
    if package == "matplotlib":
        assert direct
        assert {jobs[name].rule for name in downstream(jobs, direct)} == {"draw_figures"}


def test_a_helper_of_the_rules_reruns_what_it_is_asked_for_and_no_more(inside, jobs):
    study = inside.path / "distil" / "study" / "shape.py"
    text = study.read_text(encoding="utf-8")
    old = 'found = {key: self.config["predictions"][key] for key in chosen}'
    assert text.count(old) == 1
    other = text.replace(old, old.replace("for key in chosen}", 'for key in (*chosen, "stops")}'))
    with edited(study, other.encode()):
        expected = downstream(jobs, derived.of_rules(jobs, {"predict_answers"}))
        assert inside.planned() == not_fresh_anew() == expected
    with appended(inside.path / "rules" / "predictions.smk", "\n\nHELPER = len(study.years)\n"):
        assert inside.planned() == set()


# ----------------------------------------------------------------------------------- files


def sources(jobs: derived.Graph) -> list[str]:
    """Return the inputs that no job makes."""
    made = set().union(*(job.output for job in jobs.values()))
    return sorted(set().union(*(job.input for job in jobs.values())) - made)


def test_each_file_that_no_job_makes_is_watched_by_content_with_its_date_kept(inside, jobs):
    assert {Path(path).name for path in sources(jobs)} >= {
        "solver.txt", "distiller.txt", "verifier.txt", "student.txt", "levels.yaml", "exam.typ",
        "published.yaml", "model.lock.json",
    }  # fmt: skip
    for path in sources(jobs):
        expected = downstream(jobs, derived.readers(jobs, path))
        with appended(inside.path / path, "\n"):
            assert inside.planned() == expected, path
            assert not_fresh(inside.path / CONFIG) == expected, path


def handed_on(jobs: derived.Graph) -> dict[tuple[str, ...], str]:
    """Return one file for each set of rules that read what a rule made."""
    found: dict[tuple[str, ...], str] = {}
    for job in jobs.values():
        for path in sorted(job.output):
            rules = sorted({jobs[name].rule for name in derived.readers(jobs, path)})
            if rules:
                found.setdefault((job.rule, *rules), path)
    return found


def test_a_file_that_a_job_made_is_watched_by_content_and_its_own_job_does_not_rerun(inside, jobs):
    for path in handed_on(jobs).values():
        file = inside.path / path
        with edited(file, file.read_bytes() + b"\n", later=True):
            assert inside.planned() == downstream(jobs, derived.readers(jobs, path)), path


def test_a_deleted_file_is_named_and_made_again_with_nothing_below(inside, jobs):
    path = "results/micro/problems/2014.jsonl"
    maker = {name for name, job in jobs.items() if path in job.output}
    before = (inside.path / path).read_bytes()
    (inside.path / path).unlink()
    try:
        found = status.compute_status("micro", planned.expected_jobs([inside.path / CONFIG]))
        assert found.named(GONE) == maker
        assert status.exit_code(found) != 0
        assert inside.ran("--", path) == maker
        assert (inside.path / path).read_bytes() == before
    finally:
        (inside.path / path).write_bytes(before)
    assert inside.planned() == set()


# ----------------------------------------------------------------------------- configuration


def classes(jobs: derived.Graph) -> dict[frozenset[str], tuple[str, ...]]:
    """Return a configuration leaf for each set of jobs that some leaves are given to."""
    found: dict[frozenset[str], tuple[str, ...]] = {}
    for path in VALUES:
        found.setdefault(frozenset(derived.given(jobs, path)), path)
    return found


def test_each_value_of_the_configuration_makes_stale_exactly_what_it_shapes(inside, jobs, tmp_path):
    run = set(VALUES) if TORTURE else set(classes(jobs).values())
    for path in VALUES:
        changed = configured(derived.changed(path), tmp_path)
        expected = downstream(jobs, derived.given(jobs, path))
        assert not_fresh(changed) == expected, ".".join(path)
        if path in run:
            assert inside.planned(config=str(changed)) == expected, ".".join(path)


def test_every_value_of_the_configuration_is_changed_by_some_mutation():
    lists = {path for path, value in derived.leaves(derived.micro()) if isinstance(value, list)}
    both = derived.TOGETHER | lists
    before = dict(derived.leaves(derived.micro()))
    shapes = [dict(derived.leaves(shape())) for shape in SHAPES.values()]
    shaped = {path for after in shapes for path in before if after.get(path) != before[path]}
    # Another name, source or student is another study.
    assert both - shaped - VALUES.keys() == {("study",), ("exams", "source"), ("student", "model")}


@pytest.mark.parametrize("name", SHAPES)
def test_other_years_seeds_levels_and_folds_run_what_is_new_and_what_reads_it(
    inside, jobs, tmp_path, name
):
    changed = configured(SHAPES[name](), tmp_path)
    graph = derived.plan_graph(changed)
    expected = downstream(graph, derived.differing(graph, jobs))
    assert not_fresh(changed) == expected
    if name in SHAPES_RUN:
        assert inside.planned(config=str(changed)) == expected
    dropped = {name for name in jobs if name not in graph}
    assert set(status.compute_status("micro", planned.expected_jobs([changed])).orphans) == dropped
    if name == "a seed added":
        trained = {job for job in expected if job.startswith("train_adapter")}
        assert trained == {"train_adapter(fold=temporal, seed=3, variant=prompt)"}


def test_reordering_the_keys_of_the_configuration_reruns_nothing(inside, tmp_path):
    def reorder(value):
        if isinstance(value, dict):
            return {key: reorder(value[key]) for key in reversed(value)}
        return value

    config = derived.micro()
    sections = config["exams"]["sections"]  # their order is that of papers and tables
    config = reorder(config)
    config["exams"]["sections"] = sections
    changed = configured(config, tmp_path)
    assert inside.planned(config=str(changed)) == not_fresh(changed) == set()


# ------------------------------------------------------------------------------- the matrix

NOTHING = (
    "a touch of every file", "a checkout of another commit and back", "a comment, a docstring",
    "keys in another order", "a caption (the report shows it)", "an unpacked or copied study",
)  # fmt: skip


def mutations(jobs: derived.Graph) -> dict[str, tuple[derived.Graph, set[str]]]:
    """Return every mutation by name: the jobs there are then, and those it changes themselves."""
    found: dict[str, tuple[derived.Graph, set[str]]] = {name: (jobs, set()) for name in NOTHING}
    for path in sources(jobs):
        found[path] = jobs, derived.readers(jobs, path)
    for (rule, *_), path in handed_on(jobs).items():
        found[f"{rule}: {Path(path).name}"] = jobs, derived.readers(jobs, path)
    for path in VALUES:
        found[".".join(path)] = jobs, derived.given(jobs, path)
    for name, shape in SHAPES.items():
        path = Path("shape.yaml")
        path.write_text(yaml.safe_dump(shape(), sort_keys=False), encoding="utf-8")
        graph = derived.plan_graph(path)
        path.unlink()
        found[name] = graph, derived.differing(graph, jobs)
    for script in sorted({job.rule for job in jobs.values()}):
        found[f"scripts/{script}.py"] = jobs, derived.of_rules(jobs, {script})
    for module in MODULES:
        found[module] = jobs, derived.of_rules(jobs, derived.importers(module))
    for package in sorted(set().union(*map(derived.imported, SCRIPTS))):
        needing = {script for script in SCRIPTS if package in derived.imported(script)}
        found[f"package {package}"] = jobs, derived.of_rules(jobs, needing)
    return found


def effects(
    graph: derived.Graph, direct: set[str], rules: list[str]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return the rules that a mutation changes itself, those below, and those below a checkpoint.

    A rule stands in the first of these that holds one of its jobs.
    """
    certain, possible = derived.below(graph, direct), downstream(graph, direct)
    kinds = [{graph[name].rule for name in names} for names in (direct, certain, possible)]
    kinds = [kinds[0], kinds[1] - kinds[0], kinds[2] - kinds[1] - kinds[0]]
    own, below, perhaps = (tuple(rule for rule in rules if rule in kind) for kind in kinds)
    return own, below, perhaps


def in_order(jobs: derived.Graph) -> list[str]:
    """Return the rules as they run, those of a stage side by side."""
    text = "".join(
        (ROOT / "rules" / f"{stage}.smk").read_text(encoding="utf-8")
        for stage in re.findall(r'include: "rules/(\w+)\.smk"', (ROOT / "Snakefile").read_text())
    )
    there = {job.rule for job in jobs.values()}
    return [rule for rule in re.findall(r"(?:rule|checkpoint) (\w+):", text) if rule in there]


def matrix(jobs: derived.Graph) -> str:
    """Return the table of docs/matrix.md: changes with the same effects share a row."""
    rules = in_order(jobs)
    rows: dict[tuple, list[str]] = {}
    for name, (graph, direct) in mutations(jobs).items():
        rows.setdefault(effects(graph, direct, rules), []).append(name)
    lines = [
        "| what changes | these run | and then these | and these, if the bytes differ |",
        "|---|---|---|---|",
    ]
    for (own, *rest), names in rows.items():
        changed = "<br>".join(names)
        lines.append(f"| {changed} | {' | '.join(map(named, (own, *rest)))} |")
    return "\n".join(lines)


def named(rules: tuple[str, ...]) -> str:
    """Return rules as a cell of the table."""
    return " ".join(f"`{rule}`" for rule in rules) or "nothing"


def test_the_matrix_of_mutations_and_rules_is_the_one_in_the_docs(inside, jobs):
    path = ROOT / "docs" / "matrix.md"
    text = path.read_text(encoding="utf-8")
    block = re.compile(r"(?<=<!-- matrix -->\n).*?(?=\n<!-- end of matrix -->)", re.S)
    assert block.search(text), "docs/matrix.md has lost the marks of its table"
    made = matrix(jobs)
    if os.environ.get("DISTIL_DOCS"):
        path.write_text(block.sub(lambda _: made, text), encoding="utf-8")
    assert block.search(path.read_text(encoding="utf-8"))[0] == made, (
        "docs/matrix.md is not what the mutations do; look at what moved, then: make matrix"
    )


def test_every_rule_is_changed_by_some_mutation_of_its_own_inputs_params_and_code(inside, jobs):
    rules = {job.rule for job in jobs.values()}
    assert rules == set(SCRIPTS) - ELSEWHERE
    found = mutations(jobs)
    for kind in (lambda n: n.startswith(("scripts/", "distil/", "package ")), lambda n: "." in n):
        changed = {g[job].rule for n, (g, direct) in found.items() if kind(n) for job in direct}
        assert rules <= changed, rules - changed
