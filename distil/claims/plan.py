"""Analysis plan of a study: the settings that decide a verdict, frozen before any answer is made.

>>> plan = AnalysisPlan(
...     alpha=0.05, margin=2.0, bootstrap={"replicates": 1000, "seed": 1}, speed_section="tp",
...     clusters="text", strata=None, missing="refuse", published=False, primary_stop="nested",
...     levels=["R1", "R2"], sections={"tp": "Two-Person"}, claims_sha256="0" * 64,
... )
>>> plan.sha256() == AnalysisPlan.read({**plan.settings(), "title": "not part of it"}).sha256()
True

The digest stands in every row of the claims table and, with its time, in the history of every job.
It says whether a setting changed; it cannot say whether somebody looked at answers before.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from distil.content.hashing import canonical_json, sha256_text

if TYPE_CHECKING:
    from collections.abc import Mapping

# What `clusters` and `strata` can name, and the columns of the graded answers that hold it.
CLUSTERS = {"text": "cluster", "template": "template", "question": "problem"}
STRATA = {"section": "section", "wording": "wording"}


@dataclass(frozen=True)
class AnalysisPlan:
    """The settings that decide a verdict.

    Attributes:
        alpha: Level of every test, after Holm's correction.
        margin: Percentage points that count as the same accuracy.
        bootstrap: {"replicates", "seed"}.
        speed_section: Section that claim C8 is about; None where the competition has none.
        clusters: What makes questions one: `text` (duplicates, and the same text but for numbers),
            `template` (of typeset exams) or `question`.
        strata: Strata whose shares are fixed: `section`, `wording` (of typeset exams) or None.
        missing: `refuse` or `pairs`; see `distil.claims.selections`.
        published: Whether published figures are compared with.
        levels: Response lengths, longest first.
        sections: {section: its name in tables}.
        claims_sha256: Hash of the claims, their tests and the family, `claims_digest`.
        primary_stop: Stop of the primary analysis; None for the public release, which has none.
    """

    alpha: float
    margin: float
    bootstrap: Mapping[str, int]
    speed_section: str | None
    clusters: str
    strata: str | None
    missing: str
    published: bool
    levels: list[str]
    sections: Mapping[str, str]
    claims_sha256: str
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


def digest_of(claims: Mapping[str, Any]) -> str:
    """Hash the declared claims: what is tested, in which direction, and over which family.

    Args:
        claims: Content of resources/published.yaml; its comments and layout do not count.

    Returns:
        The SHA-256, in hexadecimal.
    """
    return sha256_text(canonical_json(claims))


def claims_digest(path: str | Path) -> str:
    """Hash the claims of a file, `digest_of`."""
    return digest_of(yaml.safe_load(Path(path).read_text(encoding="utf-8")))
