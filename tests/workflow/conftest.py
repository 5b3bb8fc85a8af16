"""The micro study, run once for all workflow tests, and copies of it to change."""

from __future__ import annotations

import shutil

import pytest

from tests.workflow.checkout import Checkout, copy_repository


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Checkout:
    """The finished micro study. Read only: tests that change anything take `study`."""
    checkout = copy_repository(tmp_path_factory.mktemp("micro") / "repository")
    checkout.snakemake()
    return checkout


@pytest.fixture
def study(finished: Checkout, tmp_path) -> Checkout:
    """A copy of the finished micro study, to change at will."""
    shutil.copytree(finished.path, tmp_path / "repository", symlinks=True)
    return Checkout(tmp_path / "repository")
