"""What one agent's client needs to know, and the ways in which a run can be stopped."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from distil.teacher.money import Price

if TYPE_CHECKING:
    from collections.abc import Mapping

SIMULATED = "simulated"

# Exit codes of a job that the teacher stopped (after sysexits.h where it has a word for it).
EXIT_REPLAY_MISS = 66
EXIT_UNANSWERED = 69
EXIT_JOURNAL = 74
EXIT_PAUSE = 75
EXIT_REFUSED = 77
EXIT_QUOTA = 79
EXIT_CAP = 80

KEPT = "What was answered is in the journal and is not asked, or paid for, twice."


class TeacherError(ValueError):
    """The settings cannot be used; the message names the field and the remedy."""


class TeacherStopped(RuntimeError):  # noqa: N818
    """The run was stopped; what was answered is in the journal.

    Attributes:
        cause: what stopped it, in one line.
        exit_code: the job's exit code, one for each kind of cause.
    """

    def __init__(self, cause: str, exit_code: int) -> None:
        self.cause = cause
        self.exit_code = exit_code
        super().__init__(f"{cause}\n{KEPT}")


@dataclasses.dataclass(frozen=True)
class TeacherSettings:
    """What one agent's client needs to know: the `teacher` section as rules hand it on.

    Attributes:
        base_url: the API's address without `/chat/completions`, or `simulated`.
        api_key_env: name of the environment variable that holds the key, or None for no key.
        mode: `live` (the journal first, else the host), `record` (the host, always) or `replay`
            (the journal only; a miss is an error).
        model: the model's name, exactly as the host spells it.
        max_tokens: longest answer, reasoning included.
        temperature: of sampling, or None to send none.
        concurrency: requests in flight.
        retries: further requests after a failure that may pass.
        connect_seconds: the most that connecting may take.
        idle_seconds: silence that ends a request.
        deadline_seconds: the most an exchange may take, whatever happens in it.
        prices: {dated, currency, models: {model: {input, output, cached_input}}}, in units of money
            per million tokens.
        money_cap: the most that the study may cost, in the prices' currency.
        served_model: name that responses must carry, where it differs from `model`.
        stream: ask for the answer piece by piece, for hosts or proxies that end silent connections.
        extra: further fields of the request body, for options of one host.
        possibly_paid_retries: of the retries, how many may follow a request that was sent and left
            without an answer.
        backoff_seconds: longest first wait before a retry (full jitter); it doubles each time.
        longest_backoff_seconds: where the doubling ends.
        longest_pause_seconds: a Retry-After beyond this stops the run.
        max_unanswered: items of a job that may stay unanswered without failing it.
        ask_again: statuses of stored responses that are asked, and paid for, again.
        record_since: in mode record, answers after this moment (ISO 8601 with time zone) count, so
            that a recording that was broken off can go on.
    """

    base_url: str
    api_key_env: str | None
    mode: str
    model: str
    max_tokens: int
    temperature: float | None
    concurrency: int
    retries: int
    connect_seconds: float
    idle_seconds: float
    deadline_seconds: float
    prices: Mapping[str, Any]
    money_cap: float
    served_model: str = ""
    stream: bool = False
    extra: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    possibly_paid_retries: int = 1
    backoff_seconds: float = 1.0
    longest_backoff_seconds: float = 60.0
    longest_pause_seconds: float = 300.0
    max_unanswered: int = 0
    ask_again: tuple[str, ...] = ()
    record_since: str | None = None

    @classmethod
    def from_mapping(cls, section: Mapping[str, Any]) -> TeacherSettings:
        """Read a mapping: the fields above, those of the agent under `agent`.

        Raises:
            TeacherError: names the field and the remedy.
        """
        values = {**section, **section.get("agent", {})}
        values.pop("agent", None)
        fields = dataclasses.fields(cls)
        names = {field.name for field in fields}
        for name in values:
            if name not in names:
                raise TeacherError(f"teacher.{name}: unknown; known are {', '.join(sorted(names))}")
        for field in fields:
            optional = field.default is not dataclasses.MISSING
            optional |= field.default_factory is not dataclasses.MISSING
            if field.name not in values and not optional:
                raise TeacherError(f"teacher.{field.name}: missing; set it")
        values["ask_again"] = tuple(values.get("ask_again", ()))
        settings = cls(**values)
        settings.check()
        return settings

    def check(self) -> None:
        """Raise TeacherError if a field has no sense, alone or with another."""
        if self.mode not in ("live", "record", "replay"):
            raise TeacherError(f"teacher.mode: {self.mode!r}; use live, record or replay")
        for name in ("connect_seconds", "idle_seconds", "deadline_seconds", "concurrency"):
            if not getattr(self, name) > 0:
                raise TeacherError(f"teacher.{name}: must be greater than 0")
        for name in ("retries", "possibly_paid_retries", "max_unanswered"):
            if getattr(self, name) < 0:
                raise TeacherError(f"teacher.{name}: must not be negative")
        if self.base_url == SIMULATED:
            return
        parts = urlsplit(self.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise TeacherError(
                "teacher.base_url: use https://HOST/PATH without a key or user name in it"
            )
        if parts.query or parts.fragment:
            raise TeacherError("teacher.base_url: leave out what follows ? or #")
        if self.model not in self.prices.get("models", {}):
            raise TeacherError(
                f"teacher.prices.models: no price for {self.model}, so teacher.money_cap cannot be "
                "kept; add its input and output prices (0 where you run the model yourself)"
            )

    @property
    def price(self) -> Price:
        """The model's price; the simulated teacher works for nothing."""
        entry = self.prices.get("models", {}).get(self.model, {"input": 0, "output": 0})
        return Price.from_mapping(entry)
