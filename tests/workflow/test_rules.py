"""The shape that lineage rests on: every rule watched, every script a stage, nothing read aside."""

from __future__ import annotations

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from distil.content import fingerprint
from distil.study.needs import NEEDS

ROOT = Path(__file__).resolve().parents[2]
RULE_FILES = sorted((ROOT / "rules").glob("*.smk"))
SCRIPTS = sorted((ROOT / "scripts").glob("*.py"))
MODULES = sorted((ROOT / "distil").rglob("*.py"))
RULE = re.compile(
    r"^(?: {4})?(?:rule|checkpoint) (\w+):\n(.*?)(?=^\S|^ {4}(?:rule|checkpoint) |\Z)", re.S | re.M
)


def rules() -> dict[str, str]:
    return {
        name: body
        for path in RULE_FILES
        for name, body in RULE.findall(path.read_text(encoding="utf-8"))
    }


@pytest.mark.parametrize("name", rules())
def test_each_rule_has_docstring_log_benchmark_and_a_script_of_its_own_name(name):
    body = rules()[name]
    assert body.lstrip().startswith('"""'), "a rule opens with its docstring"
    for directive in ("input:", "output:", "log:", "benchmark:", "params:"):
        assert directive in body
    assert f'"../scripts/{name}.py"' in body
    assert f'code=fingerprint("scripts/{name}.py")' in body, "code is watched by content"


@pytest.mark.parametrize("name", [name for name, need in NEEDS.items() if need.teacher])
def test_all_years_of_an_agent_ask_at_once_whatever_the_cores(name):
    """With `--cores 1` the distiller and the verifier went year by year."""
    by_year = "{year}" in rules()[name]
    assert bool(re.search(r"^ +threads: 0\b", rules()[name], re.M)) == by_year


def test_no_rule_uses_what_lineage_cannot_watch():
    for path in [ROOT / "Snakefile", *RULE_FILES]:
        text = path.read_text(encoding="utf-8")
        for directive in ("shell:", "run:", "directory(", "wrapper:", "notebook:"):
            assert not re.search(rf"^\s*{re.escape(directive)}", text, re.M), (
                f"{path.name}: {directive}"
            )
        assert "directory(" not in text


def test_every_script_belongs_to_a_rule():
    assert {path.stem for path in SCRIPTS} == set(rules())


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_snakemake_is_named_once_at_the_bottom_of_each_script(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = [
        node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "snakemake"
    ]
    assert len(names) == 1
    assert path.read_text(encoding="utf-8").rstrip().endswith("run(main, snakemake)  # noqa: F821")


@pytest.mark.parametrize(
    "path", [*SCRIPTS, *MODULES], ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_no_stage_reads_the_configuration_or_the_bookkeeping(path):
    """Scripts see their params only; `distil.lineage.record` may give them `run` and nothing else."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom | ast.Import):
            continue
        module = getattr(node, "module", None) or ""
        names = {alias.name for alias in node.names}
        if path.parent.name == "scripts":
            assert module not in {"distil.study.config", "distil.study.shape", "distil.audit"}
            assert "snakemake" not in names | {module}
        # The audit and `distil compare` are commands on finished results, no stages.
        if (
            module == "distil.lineage.record"
            and path.parent.name != "audit"
            and path.name != "compare.py"
        ):
            assert names == {"run"}, "what a stage computes must not depend on unfingerprinted code"
            assert path.parent.name == "scripts"


def test_every_third_party_import_is_pinned_under_its_own_package():
    provided = packages_distributions()
    for path in [*SCRIPTS, *MODULES]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level and node.module:
                names = [node.module]
            for top in {name.partition(".")[0] for name in names}:
                if top == "distil" or top in sys.stdlib_module_names:
                    continue
                package = fingerprint.DISTRIBUTIONS.get(top, top)
                owners = {owner.lower().replace("_", "-") for owner in provided[top]}
                assert package.replace("_", "-") in owners, f"{path.name}: {top}"
                assert package in fingerprint.locked_packages(), (
                    f"{path.name}: {package} is not locked"
                )


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_no_script_has_future_imports_since_snakemake_writes_lines_before_them(path):
    assert "from __future__" not in path.read_text(encoding="utf-8")
