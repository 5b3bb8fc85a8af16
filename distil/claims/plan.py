"""Analysis plan of a study: the settings that decide a verdict, frozen before any answer is made.

>>> plan = AnalysisPlan(
...     alpha=0.05, margin=2.0, bootstrap={"replicates": 1000, "seed": 1}, speed_section="tp",
...     published=False, primary_stop="nested", levels=["R1", "R2"], sections={"tp": "Two-Person"},
... )
>>> plan.sha256() == AnalysisPlan.read({**plan.settings(), "title": "not part of it"}).sha256()
True

The digest stands in every row of the claims table and, with its time, in the history of every job.
It says whether a setting changed; it cannot say whether somebody looked at answers before.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from distil.content.hashing import canonical_json, sha256_text

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class AnalysisPlan:
    """The settings that decide a verdict.

    Attributes:
        alpha: Level of every test, after Holm's correction.
        margin: Percentage points that count as the same accuracy.
        bootstrap: {"replicates", "seed"}.
        speed_section: Section that claim C8 is about; None where the competition has none.
        published: Whether published figures are compared with.
        levels: Response lengths, longest first.
        sections: {section: its name in tables}.
        primary_stop: Stop of the primary analysis; None for the public release, which has none.
    """

    alpha: float
    margin: float
    bootstrap: Mapping[str, int]
    speed_section: str | None
    published: bool
    levels: list[str]
    sections: Mapping[str, str]
    primary_stop: str | None = None

    @classmethod
    def read(cls, settings: Mapping[str, Any]) -> AnalysisPlan:
        """Take the plan out of a job's settings, which hold further keys.

        Args:
            settings: At least the attributes without a default.

        Returns:
            The plan.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(**{name: settings[name] for name in names if name in settings})

    def settings(self) -> dict[str, Any]:
        """Return the plan as a job's settings."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def sha256(self) -> str:
        """Return the SHA-256 of the plan as canonical JSON, in hexadecimal."""
        return sha256_text(canonical_json(self.settings()))
