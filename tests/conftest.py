"""Settings of all tests."""

from __future__ import annotations

import os

import hypothesis

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
