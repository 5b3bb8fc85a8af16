"""Settings of all tests."""

from __future__ import annotations

import os

import hypothesis
import pytest

from distil.blas import load_blas

# Before any test module can import mlx, as the scripts do: later it has no effect.
load_blas()

# Whether an example is slow says more of the machine's load than of the code, so no deadline. The
# examples are the same in every run, so that a change is what fails a test; `make torture` draws
# new ones.
hypothesis.settings.register_profile(
    "distil", deadline=None, derandomize=not os.environ.get("DISTIL_TORTURE")
)
hypothesis.settings.load_profile("distil")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a file's tests in one process, and all that share the finished micro study (`-n 2`)."""
    for item in items:
        name = item.nodeid.partition("::")[0]
        shared = "tests/workflow/" in name and not name.endswith("test_sample.py")
        item.add_marker(pytest.mark.xdist_group("workflow" if shared else name))
    # The longest first, so that neither process waits for the other at the end.
    items.sort(
        key=lambda item: ("test_sample.py" not in item.nodeid, "workflow" not in item.nodeid)
    )
