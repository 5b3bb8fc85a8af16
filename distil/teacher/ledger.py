"""The account of a journal: how each request ended, what it cost, what may be paid for nothing.

A ledger reads the journal's records in order. What has ended and is booked is kept as sums only, so
that memory does not grow with the number of requests; what is open, or may have been paid for
without an answer, is kept one by one.
"""

from __future__ import annotations

import collections
import dataclasses
from typing import Any, NamedTuple

# Money is summed in billionths, so that sums do not drift.
_UNIT = 1e9


@dataclasses.dataclass(frozen=True, slots=True)
class Attempt:
    """One request as the journal knows it.

    Attributes:
        token: names the attempt within the journal.
        key: the request's content address.
        agent: solver, distiller, verifier, reader or judge.
        host: whom it was sent to.
        model: which model was asked.
        at: when the intent was written (ISO 8601, UTC).
        worst_cost: upper bound of its cost, or None where no price is known.
        status: how it ended; None while its end is not recorded.
        answered: a response is stored.
        possibly_paid: the host may have charged for it though no answer is stored.
        cost: what it cost, as far as known; 0.0 if it was refused.
        tokens: prompt and completion tokens as the host counted them.
    """

    token: str
    key: str
    agent: str
    host: str
    model: str
    at: str
    worst_cost: float | None
    status: str | None = None
    answered: bool = False
    possibly_paid: bool = True
    cost: float | None = None
    tokens: tuple[int, int] = (0, 0)

    @property
    def charged(self) -> float:
        """What the money account books: the cost, or the worst case where it is not known."""
        return self.cost if self.cost is not None else (self.worst_cost or 0.0)


class Group(NamedTuple):
    """What attempts are summed by."""

    agent: str
    host: str
    model: str
    status: str


@dataclasses.dataclass
class Sum:
    """Sums over the attempts of a group.

    Attributes:
        count: attempts.
        unknown: of these, how many carry no plausible token counts, and are booked at their
            highest cost.
        charged: money in billionths.
        prompt_tokens: as the host counted them.
        completion_tokens: likewise.
    """

    count: int = 0
    unknown: int = 0
    charged: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def money(self) -> float:
        """The money in the prices' currency."""
        return self.charged / _UNIT

    def count_in(self, attempt: Attempt) -> None:
        """Add an attempt."""
        self.count += 1
        self.unknown += attempt.cost is None
        self.charged += _units(attempt.charged)
        self.prompt_tokens += attempt.tokens[0]
        self.completion_tokens += attempt.tokens[1]


class Ledger:
    """The account over the records that were shown to it.

    Args:
        keep: keep every attempt, not only those that are open or possibly paid.
    """

    def __init__(self, *, keep: bool = False) -> None:
        self.sums: dict[Group, Sum] = collections.defaultdict(Sum)
        self.voided: set[str] = set()
        # (agent, host, model) -> status and message of each job that stopped on its responses.
        self.stops: dict[tuple[str, ...], list[tuple[str, str]]] = collections.defaultdict(list)
        self._keep = keep
        self._attempts: dict[str, Attempt] = {}
        self._charged = 0
        # (host, model) -> when its last attempt ended, and whether with a response.
        self._last: dict[tuple[str, str], tuple[str, bool]] = {}
        self._answered: set[tuple[str, str]] = set()

    def add(self, record: dict[str, Any], key: str) -> None:
        """Take in a record of the kinds intent, response, failure, account or void."""
        kind = record["kind"]
        if kind == "void":
            self.voided.update(record["attempts"])
            if said := record.get("said"):
                asked = record["agent"], record["host"], record["model"]
                self.stops[asked].append((record["cause"], said))
            return
        token = record["attempt"]
        before = self._attempts.get(token)
        after = self._next(before or _opened(record, key), record)
        self._attempts[token] = after
        self._charged += _units(after.charged) - (_units(before.charged) if before else 0)
        if kind in ("response", "failure"):
            self._last[after.host, after.model] = (record["at"], kind == "response")
        if kind == "response":
            self._answered.add((after.host, after.model))
        if kind == "account" or (kind == "failure" and not after.possibly_paid):
            self._sum_up(after)

    @staticmethod
    def _next(attempt: Attempt, record: dict[str, Any]) -> Attempt:
        if record["kind"] == "response":
            return dataclasses.replace(
                attempt, status="answered", answered=True, possibly_paid=False
            )
        if record["kind"] == "failure":
            paid = record["possibly_paid"]
            return dataclasses.replace(
                attempt,
                status=record["status"],
                possibly_paid=paid,
                cost=None if paid else 0.0,
            )
        if record["kind"] == "account":
            return dataclasses.replace(
                attempt,
                status=record["status"],
                cost=record["cost"],
                tokens=tuple(record["tokens"]),
            )
        return attempt

    def _sum_up(self, attempt: Attempt) -> None:
        group = Group(attempt.agent, attempt.host, attempt.model, attempt.status or "open")
        self.sums[group].count_in(attempt)
        if not self._keep:
            del self._attempts[attempt.token]

    def attempts(self) -> list[Attempt]:
        """Return the attempts that are kept, oldest first."""
        return sorted(self._attempts.values(), key=lambda item: (item.at, item.token))

    def charged(self) -> float:
        """Return all that was spent, with the worst case wherever the cost is not known."""
        return self._charged / _UNIT

    def usual_answer(self, agent: str) -> float | None:
        """Return the mean length of an agent's answers in tokens; None before the first."""
        own = [entry for group, entry in self.sums.items() if group.agent == agent]
        counted = sum(entry.count - entry.unknown for entry in own if entry.completion_tokens)
        return sum(entry.completion_tokens for entry in own) / counted if counted else None

    def answered_since(self, host: str, model: str, moment: str) -> bool:
        """Tell whether a model's last attempt ended with a response, after a moment."""
        at, answered = self._last.get((host, model), ("", False))
        return answered and at >= moment

    def has_answered(self, host: str, model: str) -> bool:
        """Tell whether a model has ever given a response."""
        return (host, model) in self._answered


def _opened(record: dict[str, Any], key: str) -> Attempt:
    # Mostly an intent; a response that was restored from an export has none before it.
    request = record.get("request", {})
    return Attempt(
        record["attempt"],
        key,
        record["agent"],
        record.get("host", ""),
        request.get("model", ""),
        record["at"],
        record.get("worst"),
    )


def _units(money: float) -> int:
    return round(money * _UNIT)
