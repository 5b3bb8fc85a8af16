"""Settings of all tests."""

from __future__ import annotations

import hypothesis

from distil.blas import load_blas

# Before any test module can import mlx, as the scripts do: later it has no effect.
load_blas()

# Whether an example is slow says more of the machine's load than of the code.
hypothesis.settings.register_profile("distil", deadline=None)
hypothesis.settings.load_profile("distil")
