"""Progress of a job that asks the teacher: answers, tokens, money and the time that is left."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable

# The first line comes this long after the first answer, if lines are further apart than that.
_FIRST_SECONDS = 5.0


@dataclasses.dataclass(frozen=True)
class State:
    """Where a job stands.

    Attributes:
        agent: who is asked.
        done: requests that have ended in this pass.
        total: requests of this pass.
        in_flight: requests on their way.
        tokens: prompt and answered tokens of this pass, as the host counted them.
        spent: money of the whole study.
        currency: of the money.
        seconds: since the pass began.
    """

    agent: str
    done: int
    total: int
    in_flight: int
    tokens: int
    spent: float
    currency: str
    seconds: float

    @property
    def seconds_left(self) -> float | None:
        """The time that the rest will take at the pace so far; None before the first answer."""
        if not self.done:
            return None
        return self.seconds / self.done * (self.total - self.done)

    @property
    def text(self) -> str:
        """One line for people."""
        parts = [f"teacher: {self.agent}: {self.done} of {self.total} done"]
        if self.in_flight:
            parts.append(f"{self.in_flight} in flight")
        if self.tokens:
            parts.append(f"{self.tokens} tokens")
        if self.spent:
            parts.append(f"{self.spent:.4f} {self.currency} spent")
        if self.seconds_left and self.done < self.total:
            parts.append(f"about {_duration(self.seconds_left)} left")
        return ", ".join(parts)


class Progress:
    """Shows a job's state at its start of answers, at intervals, and at its end.

    Args:
        interval: seconds between two lines.
        show: what shows a state.
    """

    def __init__(self, interval: float, show: Callable[[State], None]) -> None:
        self._interval, self._show = interval, show
        self._next: float | None = None

    def update(self, state: State) -> None:
        """Show a state if it is time."""
        now = time.monotonic()
        if self._next is None and state.done:
            self._next = now + min(_FIRST_SECONDS, self._interval)
        if self._next is not None and now >= self._next:
            self._next = now + self._interval
            self._show(state)

    def end(self, state: State) -> None:
        """Show the last state."""
        self._show(state)


def line_writer(log: TextIO) -> Callable[[State], None]:
    """Return what shows a state as a line of a log."""

    def show(state: State) -> None:
        print(state.text, file=log, flush=True)

    return show


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
