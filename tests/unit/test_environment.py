"""Set-up: what is missing is said in one line, and every environment has the locked versions."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

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
