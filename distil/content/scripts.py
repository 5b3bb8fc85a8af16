"""Scripts of the rules, opened as modules: for whoever calls one outside a job."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from distil.content.fingerprint import ROOT

if TYPE_CHECKING:
    from types import ModuleType


def load_script(name: str) -> ModuleType:
    """Return scripts/NAME.py as a module.

    Raises:
        OSError: there is no such script.
    """
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
