"""Settings of all tests."""

from __future__ import annotations

import hypothesis

# Whether an example is slow says more of the machine's load than of the code.
hypothesis.settings.register_profile("distil", deadline=None)
hypothesis.settings.load_profile("distil")
