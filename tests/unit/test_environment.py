"""Set-up: what is missing is said in one line, and every environment has the locked versions."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from distil.study import environment

ROOT = Path(__file__).resolve().parents[2]


def load(name: str):
    spec = importlib.util.spec_from_file_location(name, ROOT / "envs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_conda_environment_is_in_step_with_the_lock():
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert (ROOT / "envs" / "study.yaml").read_text(encoding="utf-8") == load("conda").environment(
        lock
    )


def test_conda_environment_holds_what_the_study_needs_and_no_tool_of_its_developers():
    text = (ROOT / "envs" / "study.yaml").read_text(encoding="utf-8")
    names = set(re.findall(r'^      - "([A-Za-z0-9_.-]+)==', text, re.M))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    direct = {re.split(r"[=\[ ;<>]", each)[0] for each in project["project"]["dependencies"]}
    tools = {each.partition(">")[0] for each in project["dependency-groups"]["dev"]}
    assert {name.lower().replace("_", "-") for name in direct} <= names
    assert not tools & names
    assert {"snakemake-interface-common", "antlr4-python3-runtime"} <= names, "and what these need"
    assert "tesseract" in text


def test_lock_has_a_hash_for_every_package_and_no_address():
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pins = re.findall(r"^[A-Za-z0-9_.-]+==", lock, re.M)
    blocks = re.split(r"^(?=[A-Za-z0-9_.-]+==)", lock, flags=re.M)[1:]
    assert len(pins) > 100
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in lock


def test_missing_packages_are_named_with_make_setup(monkeypatch):
    monkeypatch.setattr(environment, "NEEDED", ("json", "no_such_package"))
    with pytest.raises(SystemExit, match=r"lacks no_such_package.*make setup"):
        environment.require_packages()


def test_windows_is_refused_in_one_line(monkeypatch):
    monkeypatch.setattr(environment.os, "name", "nt")
    with pytest.raises(SystemExit, match="use WSL 2"):
        environment.require_packages()


@pytest.mark.parametrize(("version", "word"), [((3, 14), "too new"), ((3, 10), "too old")])
def test_a_python_out_of_range_is_named_in_one_line(monkeypatch, version, word):
    set_up = load("set_up")
    monkeypatch.setattr(set_up.sys, "version_info", (*version, 0))
    monkeypatch.setattr(set_up.shutil, "which", lambda _: None)
    with pytest.raises(SystemExit, match=word):
        set_up.find_python()


def test_a_missing_venv_module_is_named_in_one_line(monkeypatch):
    set_up = load("set_up")
    monkeypatch.setattr(set_up.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(SystemExit, match="apt-get install python3-venv"):
        set_up.main()


def test_continuous_integration_and_the_image_run_what_a_developer_runs():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    steps = [step.get("run") for step in workflow["jobs"]["test"]["steps"]]
    assert ".ci/run" in steps
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    image = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^FROM python:3\.1[1-3]\.\d+-slim-bookworm$", image, re.M), (
        "pinned, glibc 2.36"
    )
    assert "envs/set_up.py" in image
    for name in re.findall(r"^COPY --chown=researcher ((?:[\w./]+ )+)\S+$", image, re.M):
        assert all((ROOT / each).exists() for each in name.split())


def test_the_catalog_of_workflows_finds_what_it_asks_for():
    catalog = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())
    assert catalog["usage"]["report"] is True
    assert (ROOT / "config" / "README.md").is_file()
    named = set(re.findall(r"config[\w.-]*\.yaml", (ROOT / "config" / "README.md").read_text()))
    there = {path.name for path in ROOT.glob("config*.yaml")} - {"config.schema.yaml"}
    assert there <= named


def test_set_up_tells_how_far_it_is_and_no_deprecation_of_others(capfd):
    set_up = load("set_up")
    set_up.PATIENCE = 0
    told = "".join(f"print('Collecting package-{n}', flush=True);" for n in range(3))
    noise = "import sys; print('DEPRECATION: legacy install', file=sys.stderr);"
    set_up.install([sys.executable, "-c", noise + told], 3)
    out, err = capfd.readouterr()
    assert "set-up: fetched 3 of 3 packages" in out
    assert "DEPRECATION" not in out + err


def test_set_up_that_fails_shows_all_that_pip_said(capfd):
    set_up = load("set_up")
    with pytest.raises(SystemExit, match="exit code 3"):
        set_up.install([sys.executable, "-c", "import sys; print('no such hash'); sys.exit(3)"], 1)
    assert "no such hash" in capfd.readouterr().err
