"""Settings of all tests."""

from __future__ import annotations

import gc
import os
import shutil

import hypothesis
import pytest
import yaml

from distil.student.blas import load_blas
from tests.workflow.checkout import Checkout, copy_repository

# Before any test module can import mlx, as the scripts do: later it has no effect.
load_blas()

# Whether an example is slow says more of the machine's load than of the code, so no deadline. The
# examples are the same in every run, so that a change is what fails a test; `make torture` draws
# new ones.
hypothesis.settings.register_profile(
    "distil", deadline=None, derandomize=not os.environ.get("DISTIL_TORTURE")
)
hypothesis.settings.load_profile("distil")


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Checkout:
    """The micro study, run once for all tests that ask for it. Read only: others take `study`."""
    checkout = copy_repository(tmp_path_factory.mktemp("micro") / "repository")
    checkout.snakemake()
    return checkout


@pytest.fixture(scope="session")
def sampled(finished: Checkout, tmp_path_factory) -> Checkout:
    """A copy of the micro study that draws two answers to each question, run once. Read only."""
    path = tmp_path_factory.mktemp("sampled") / "repository"
    shutil.copytree(finished.path, path, symlinks=True)
    asked = {
        "stops": ["nested"],
        "caps": [24],
        "validation_problems": 6,
        "sampling": {"samples": 2, "temperature": 0.7, "top_p": 0.95, "seed": 3},
    }
    (path / "drawn.yaml").write_text(yaml.safe_dump({"predictions": asked}))
    checkout = Checkout(path)
    checkout.snakemake(
        "drawn.yaml", "--", "results/micro/tables/levels.csv", "results/micro/index.html"
    )
    return checkout


@pytest.fixture
def study(finished: Checkout, tmp_path) -> Checkout:
    """A copy of the finished micro study, to change at will."""
    shutil.copytree(finished.path, tmp_path / "repository", symlinks=True)
    return Checkout(tmp_path / "repository")


def group(nodeid: str) -> str:
    """Return what a test shares a process with: its file, or all that use the finished micro study."""
    name = nodeid.partition("::")[0]
    shared = "tests/workflow/" in name and not name.endswith("test_sample.py")
    shared |= "tests/front/test_finished" in name or name.endswith("test_lineage_promises.py")
    return "tests/workflow" if shared else name


def pytest_xdist_make_scheduler(config, log):
    """Keep a group's tests in one process (`-n 2`).

    The mark `xdist_group` does the same by changing the tests' ids, which pytest 9.2 no longer
    lets it.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group(nodeid)

    return Scheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest groups first, so that neither process waits for the other at the end."""
    items.sort(
        key=lambda item: (
            "test_sample.py" not in item.nodeid,
            group(item.nodeid) != "tests/workflow",
        )
    )


def pytest_collection_finish() -> None:
    """Leave what the tests have imported out of every later search for garbage: a second each."""
    gc.collect()
    gc.freeze()
