"""Progress of a long job, told line by line in its log, where the terminal reads it.

    progress = ProgressLine(300, "iterations")
    progress.show(120, "loss 0.412, 1,300 tokens/s", curve=[2.31, 1.45, 1.20])

writes `progress: 120/300 iterations; loss 0.412, 1,300 tokens/s; 2.31 1.45 1.2` to standard error,
which is the job's log. `distil/study/terminal.py` shows the last such line of each job that runs,
with the time left. Nothing that a job computes depends on it.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Sequence

# Seconds between two lines: often enough for a terminal, and a log of an hour stays readable.
EVERY = 2.0


class ProgressLine:
    """How far a job is.

    Args:
        total: how many units there are to do.
        unit: what is counted, a plural: iterations, answers, papers.
        stream: where the lines go; standard error, which is the job's log, unless given.
    """

    def __init__(self, total: int, unit: str, stream: TextIO | None = None) -> None:
        """Nothing is told before the first unit is done."""
        self.total, self.unit, self.stream = total, unit, stream
        self.before = 0  # units done in earlier parts of the job, which `done` does not count
        self._told = 0.0

    def show(self, done: int, note: str = "", curve: Sequence[float] = ()) -> None:
        """Tell how far the job is, at most every `EVERY` seconds, and at its end.

        Args:
            done: units done in this part of the job.
            note: what else there is to say, in a few words.
            curve: numbers that are worth a picture, the latest last.
        """
        now, done = time.monotonic(), self.before + done
        if now - self._told < EVERY and done < self.total:
            return
        self._told = now
        parts = [f"progress: {done}/{self.total} {self.unit}", note]
        parts.append(" ".join(f"{value:.4g}" for value in curve))
        print("; ".join(parts).rstrip("; "), file=self.stream or sys.stderr, flush=True)
