"""Broken links of a study, each of a kind that is an exit code as well."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Kind(enum.IntEnum):
    """What kind of fault was found: its number is the exit code."""

    OK = 0
    MISMATCH = 1
    MISSING = 2
    UNLISTED = 3
    SECRET = 4
    UNCHECKED = 5


OK, MISMATCH, MISSING = Kind.OK, Kind.MISMATCH, Kind.MISSING
UNLISTED, SECRET, UNCHECKED = Kind.UNLISTED, Kind.SECRET, Kind.UNCHECKED
# Where faults of several kinds are found, the first kind in this order decides.
ORDER = (SECRET, MISMATCH, MISSING, UNLISTED, UNCHECKED)


@dataclass(frozen=True)
class Fault:
    """One broken link: what kind, which file, what is wrong and what mends it."""

    kind: Kind
    path: str
    message: str
