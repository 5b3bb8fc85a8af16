"""Settings of the teacher: agents, hosts, models and the run, and the ways in which a run stops.

The `teacher` section of a study file holds two kinds of settings. What shapes an answer (host name,
model, sampling, longest answer, the name that responses must carry) is a param of the rules, so a
change reruns them: `shaping` takes it out. How an answer is got (address, key, prices, cap,
concurrency, deadlines, retries) is neither a param nor part of a stored response's key: `how` takes
it out, and jobs are given it beside their params.
"""

from __future__ import annotations

import dataclasses
import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from distil.teacher.money import Price

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SIMULATED = "simulated"
LOOPBACK = ("127.0.0.1", "::1", "localhost")

# Exit codes of a job that the teacher stopped (after sysexits.h where it has a word for it).
EXIT_REPLAY_MISS = 66
EXIT_UNANSWERED = 69
EXIT_JOURNAL = 74
EXIT_PAUSE = 75
EXIT_REFUSED = 77
EXIT_QUOTA = 79
EXIT_CAP = 80
EXIT_NO_ANSWERS = 81
EXIT_TERMINATED = 143

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
class AgentSettings:
    """What one agent is asked with: `teacher.agents.AGENT`. All of it shapes the answer.

    Attributes:
        host: name of an entry of `teacher.hosts`; part of the key of a stored response.
        model: the model's name, exactly as the host spells it in requests.
        max_tokens: longest answer in tokens, reasoning included. A larger value asks only those
            answers again that the smaller one cut.
        temperature: of sampling; None sends none.
        top_p: share of the probability that sampling draws from; None sends none.
        samples: answers asked of each prompt.
        extra: further fields of the request body, for options of one host.
    """

    host: str
    model: str
    max_tokens: int
    temperature: float | None = None
    top_p: float | None = None
    samples: int = 1
    extra: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class ModelSettings:
    """One model of a host: `teacher.hosts.HOST.models.MODEL`.

    Attributes:
        input: price of a million prompt tokens.
        output: price of a million answered tokens, reasoning included.
        cached_input: price of a million prompt tokens from the host's cache; None: as `input`.
        served: names that a response may carry as its model; empty: the model's own name only.
        reasoning: `required` gives an answer without reasoning a status of its own; `optional`.
        context: tokens that prompt and answer may have together; None where it is not known.
    """

    input: float
    output: float
    cached_input: float | None = None
    served: tuple[str, ...] = ()
    reasoning: str = "optional"
    context: int | None = None


@dataclasses.dataclass(frozen=True)
class HostSettings:
    """One host: `teacher.hosts.HOST`.

    Attributes:
        base_url: the API's address without `/chat/completions`, or `simulated`.
        api_key_env: name of the environment variable that holds the key; None for no key.
        allow_plain_http: send the key over http:// to another machine.
        known_as: former names or addresses of this host, whose stored responses count as its own.
        concurrency: requests in flight, of all jobs of this machine together.
        requests_per_minute: of all jobs of this machine together; None for no limit.
        tokens_per_minute: prompt and answered tokens, likewise.
        stream: ask for answers piece by piece, so that silence means a fault.
        connect_seconds: the most that connecting may take.
        idle_seconds: silence between two bytes that ends a request.
        deadline_seconds: the most that an exchange may take, whatever happens in it.
        prices_dated: the day on which the prices of `models` were read.
        models: settings of each model by the name that requests use.
    """

    base_url: str
    api_key_env: str | None = None
    allow_plain_http: bool = False
    known_as: tuple[str, ...] = ()
    concurrency: int = 8
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    stream: bool = True
    connect_seconds: float = 10.0
    idle_seconds: float = 300.0
    deadline_seconds: float = 3600.0
    prices_dated: str | None = None
    models: Mapping[str, ModelSettings] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class RunSettings:
    """How a study's requests are sent, paid for and stopped: the plain keys of `teacher`.

    Attributes:
        mode: `live` (the journal first, else the host), `record` (answers from `record_since` on
            only) or `replay` (the journal only; a miss is an error).
        record_since: in mode record, the moment (ISO 8601 with time zone) from which answers count.
        currency: three letters, of all prices and the cap.
        money_cap: the most that the study may cost.
        retries: further requests after a failure that may pass.
        possibly_paid_retries: of these, how many may follow a request that was sent and left
            without an answer.
        backoff_seconds: longest first wait before a retry (full jitter); it doubles each time.
        longest_backoff_seconds: where the doubling ends.
        longest_pause_seconds: a Retry-After beyond this stops the run.
        outage_seconds: how long a host that answers nobody is waited for, one request at a time.
        stop_after: equal non-answers in a row that stop the run; 0 for no limit.
        stop_share: share of non-answers among a job's new responses that stops it once it has 20
            responses; 1 for no limit. A job that ends without one answer stops, too, unless both
            limits are off.
        max_unanswered: items of a job that may stay without a response, or with another model's,
            without failing it.
        ask_again: statuses of stored responses that are asked, and paid for, again.
    """

    mode: str = "live"
    record_since: str | None = None
    currency: str = "USD"
    money_cap: float = 0.0
    retries: int = 5
    possibly_paid_retries: int = 1
    backoff_seconds: float = 1.0
    longest_backoff_seconds: float = 60.0
    longest_pause_seconds: float = 300.0
    outage_seconds: float = 3600.0
    stop_after: int = 8
    stop_share: float = 0.5
    max_unanswered: int = 0
    ask_again: tuple[str, ...] = ()

    @property
    def takes_all(self) -> bool:
        """Whether responses that are no answers are taken as they are, however many."""
        return self.stop_after == 0 and self.stop_share >= 1

    @property
    def takes_drift(self) -> bool:
        """Whether a stored response of another model may stand for the answer that was asked."""
        return self.takes_all or self.max_unanswered > 0 or self.mode == "replay"


@dataclasses.dataclass(frozen=True)
class TracesSettings:
    """How traces are made from solutions: `teacher.traces`. All of it shapes the traces.

    Attributes:
        protocol: `full` (each level is written from the solver's reasoning) or `chained` (each
            level from the level before, as in the public release).
        repair_beyond: a level whose words lie further from its target than this share is written
            once more; None for never.
        train_unknown: let a trace train that our own grader could not judge.
    """

    protocol: str = "full"
    repair_beyond: float | None = 0.2
    train_unknown: bool = False


# The settings of a host's model that shape what its response is taken for.
SHAPING_OF_MODEL = ("served", "reasoning")


@dataclasses.dataclass(frozen=True)
class TeacherSettings:
    """All that one agent's client needs to know."""

    agent: AgentSettings
    host: HostSettings
    run: RunSettings
    served: tuple[str, ...]
    reasoning: str = "optional"

    @classmethod
    def of(cls, shaping: Mapping[str, Any], how: Mapping[str, Any]) -> TeacherSettings:
        """Join an agent's shaping settings with how its answers are got.

        Args:
            shaping: made by `shaping`.
            how: made by `how`.

        Raises:
            TeacherError: names the field and the remedy.
        """
        agent = dict(shaping)
        model = {name: agent.pop(name) for name in SHAPING_OF_MODEL}
        rest = dict(how)
        hosts = rest.pop("hosts")
        settings = cls(
            agent=_read(AgentSettings, agent, "teacher.agents"),
            host=_read_host(hosts, agent["host"]),
            run=_read(RunSettings, rest, "teacher"),
            served=tuple(model["served"]),
            reasoning=model["reasoning"],
        )
        settings.check()
        return settings

    def check(self) -> None:
        """Raise TeacherError if a field has no sense, alone or with another."""
        if self.run.mode == "record":
            check_moment(self.run.record_since)
        name, host = self.agent.host, self.host
        if host.base_url == SIMULATED:
            return
        check_address(name, host)
        if self.agent.model not in host.models:
            raise TeacherError(
                f"teacher.hosts.{name}.models: no price for {self.agent.model}, so "
                "teacher.money_cap cannot be kept; add its input and output prices (0 where you "
                "run the model yourself)"
            )

    @property
    def price(self) -> Price:
        """The model's price; the simulated teacher works for nothing."""
        model = self.host.models.get(self.agent.model)
        if model is None:
            return Price(0.0, 0.0, 0.0)
        cached = model.input if model.cached_input is None else model.cached_input
        return Price(model.input, model.output, cached)

    @property
    def context(self) -> int | None:
        """The tokens that the model's prompt and answer may have together, where it is known."""
        model = self.host.models.get(self.agent.model)
        return model.context if model else None


def shaping(section: Mapping[str, Any], agent: Mapping[str, Any]) -> dict[str, Any]:
    """Return what shapes an agent's answers, as a param of its rule.

    Args:
        section: the checked `teacher` section.
        agent: the agent's own settings.
    """
    fields = dataclasses.fields(AgentSettings)
    found = {field.name: agent.get(field.name, _default(field)) for field in fields}
    model = section["hosts"][agent["host"]].get("models", {}).get(agent["model"], {})
    found["served"] = list(model.get("served", [])) or [agent["model"]]
    found["reasoning"] = model.get("reasoning", "optional")
    return found


def how(section: Mapping[str, Any]) -> dict[str, Any]:
    """Return how answers are got: all of a `teacher` section that shapes none of them."""
    left_out = ("agents", "traces")
    return {key: value for key, value in section.items() if key not in left_out}


def traces(section: Mapping[str, Any]) -> dict[str, Any]:
    """Return how traces are made, defaults filled in, as a param of the rules."""
    return dataclasses.asdict(_read(TracesSettings, section.get("traces", {}), "teacher.traces"))


def faults(section: Mapping[str, Any], agents: Mapping[str, Mapping[str, Any]]) -> list[tuple]:
    """Return what is wrong with a `teacher` section that its schema has passed.

    Args:
        section: the section.
        agents: all that ask a model, by their place in the study file (`teacher.agents.solver`).

    Returns:
        (keys, message) of each fault.
    """
    found: list[tuple] = []
    for name, host in section["hosts"].items():
        if host["base_url"] != SIMULATED:
            try:
                check_address(name, _read_host(section["hosts"], name))
            except TeacherError as error:
                found.append((("teacher", "hosts", name, "base_url"), _without_place(error)))
    if section.get("mode") == "record":
        try:
            check_moment(section.get("record_since"))
        except TeacherError as error:
            found.append((("teacher", "record_since"), _without_place(error)))
    for place, agent in agents.items():
        keys = tuple(place.split("."))
        host = section["hosts"].get(agent["host"])
        if host is None:
            known = ", ".join(section["hosts"])
            found.append(((*keys, "host"), f"{agent['host']} is not in teacher.hosts ({known})"))
        elif host["base_url"] != SIMULATED and agent["model"] not in host.get("models", {}):
            message = (
                f"no price for {agent['model']} in teacher.hosts.{agent['host']}.models; add its "
                "input and output prices (0 where you run the model yourself)"
            )
            found.append(((*keys, "model"), message))
        else:
            found += _beyond_limits(keys, agent, host)
        found += _in_the_wrong_place(keys, agent)
    return found


def _in_the_wrong_place(keys: tuple, agent: Mapping[str, Any]) -> Iterator[tuple]:
    """Yield the fields of `extra` that would be sent otherwise than it says, or not be read."""
    elsewhere = {
        name: f"has a key of its own; write {name} beside extra"
        for name in ("model", "max_tokens", "temperature", "top_p")
    } | {
        "messages": "is made from the prompts; remove it",
        "stream": f"belongs to the host; write teacher.hosts.{agent['host']}.stream",
        "stream_options": "is set with teacher.hosts.NAME.stream; remove it",
        "n": "would bring answers that are paid and not read; write solver.samples, or remove it",
    }
    for name in agent.get("extra", {}):
        if name in elsewhere:
            yield (*keys, "extra", name), elsewhere[name]


def _beyond_limits(keys: tuple, agent: Mapping[str, Any], host: Mapping[str, Any]) -> list[tuple]:
    found: list[tuple] = []
    if agent.get("samples", 1) > 1 and keys[-1] != "solver":
        found.append(((*keys, "samples"), "more than one answer is for the solver only; write 1"))
    context = host.get("models", {}).get(agent["model"], {}).get("context")
    if context and agent["max_tokens"] >= context:
        message = (
            f"{agent['max_tokens']} tokens leave no room for a prompt in the context of {context} "
            f"that teacher.hosts.{agent['host']}.models.{agent['model']} names; lower it"
        )
        found.append(((*keys, "max_tokens"), message))
    return found


def _without_place(error: TeacherError) -> str:
    return str(error).partition(": ")[2]


def check_address(name: str, host: HostSettings) -> None:
    """Raise TeacherError if a host's address cannot be used, or would show its key to others."""
    parts = urlsplit(host.base_url)
    place = f"teacher.hosts.{name}.base_url"
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise TeacherError(f"{place}: use https://HOST/PATH without a key or user name in it")
    if parts.query or parts.fragment:
        raise TeacherError(f"{place}: leave out what follows ? or #")
    if parts.path.rstrip("/").endswith("/chat/completions"):
        raise TeacherError(f"{place}: leave out /chat/completions, which is added to each request")
    exposed = parts.scheme == "http" and parts.hostname not in LOOPBACK
    if exposed and host.api_key_env and not host.allow_plain_http:
        raise TeacherError(
            f"{place}: the key would travel to {parts.hostname} over http://, readable on the way; "
            "use https://, or set allow_plain_http: true where the network is yours"
        )


def check_moment(moment: str | None) -> None:
    """Raise TeacherError unless a moment is a point in time with its zone."""
    place = "teacher.record_since"
    if not moment:
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        raise TeacherError(
            f"{place}: mode record needs the moment from which answers count, so that a recording "
            f'that was broken off goes on; for one that starts now: "{now}"'
        )
    try:
        zone = datetime.datetime.fromisoformat(moment).tzinfo
    except ValueError:
        zone = None
    if zone is None:
        raise TeacherError(
            f"{place}: {moment!r} is no moment with its time zone; write it like "
            '"2026-11-24T08:00:00+00:00"'
        )


def _read_host(hosts: Mapping[str, Any], name: str) -> HostSettings:
    values = dict(hosts[name])
    place = f"teacher.hosts.{name}"
    models = {
        model: _read(ModelSettings, entry, f"{place}.models.{model}")
        for model, entry in values.get("models", {}).items()
    }
    return _read(HostSettings, {**values, "models": models}, place)


def _read(kind: Any, values: Mapping[str, Any], place: str) -> Any:
    fields = {field.name: field for field in dataclasses.fields(kind)}
    if unknown := sorted(set(values) - set(fields)):
        raise TeacherError(f"{place}.{unknown[0]}: unknown; known are {', '.join(sorted(fields))}")
    for name, field in fields.items():
        if name not in values and _default(field) is dataclasses.MISSING:
            raise TeacherError(f"{place}.{name}: missing; set it")
    return kind(
        **{
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
        }
    )


def _default(field: dataclasses.Field) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default
