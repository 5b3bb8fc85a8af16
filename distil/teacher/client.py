"""The teacher's client: asks a host for answers and pays for each once.

Every request is addressed by its content (host's name, model, body, number of the sample). What the
journal has answered is not asked again; what it has not is sent by `dispatch`.
"""

from __future__ import annotations

import base64
import collections
import dataclasses
import functools
import os
import re
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TextIO

from distil.content.hashing import sha256_text
from distil.teacher.dispatch import Dispatch
from distil.teacher.gates import Gate
from distil.teacher.journal import Journal, Position, Stored, export, request_key, unpack_body
from distil.teacher.money import picture_tokens
from distil.teacher.responses import OK, Reply, read_reply
from distil.teacher.settings import (
    EXIT_CAP,
    EXIT_REPLAY_MISS,
    EXIT_UNANSWERED,
    TeacherError,
    TeacherSettings,
    TeacherStopped,
)
from distil.teacher.stops import Quality, remedy_of, slow_host
from distil.teacher.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


@dataclasses.dataclass(frozen=True)
class Request:
    """One question to an agent.

    Attributes:
        keys: content addresses under which a stored response counts: the request's own, then those
            under former names of its host.
        prompt: the user message.
        body: the chat request, without what says how the answer is sent.
        name: what the question is about, for messages.
        sample: number of the answer, where several are asked of one prompt.
        picture_tokens: upper bound of what a picture in it is billed as; 0 without one.
    """

    keys: tuple[str, ...]
    prompt: str
    body: Mapping[str, Any]
    name: str = ""
    sample: int = 0
    picture_tokens: int = 0

    @property
    def key(self) -> str:
        """Return the request's own content address."""
        return self.keys[0]

    @property
    def prompt_sha256(self) -> str:
        """Return the sha256 of the prompt's text."""
        return sha256_text(self.prompt)


class Replies(Mapping):
    """Replies by the keys of their requests, each read from the journal when it is looked up.

    Only the places of stored responses are held, so that memory does not grow with their length.
    """

    def __init__(self, client: TeacherClient) -> None:
        self._client = client
        self._places: dict[str, Position] = {}
        self._unanswered: dict[str, Reply] = {}

    def put(self, key: str, found: Position | Reply) -> None:
        """Note where a response is stored, or why there is none."""
        if isinstance(found, Reply):
            self._unanswered[key] = found
        else:
            self._places[key] = found
            self._unanswered.pop(key, None)

    def place(self, key: str) -> Position | None:
        """Return where the response to a request is stored; None if there is none."""
        return self._places.get(key)

    @property
    def unanswered(self) -> list[Reply]:
        """The replies to requests that got no response."""
        return list(self._unanswered.values())

    def responses(self) -> Iterator[tuple[str, Reply]]:
        """Yield the stored responses, each with the attempt that it came of."""
        for key, place in self._places.items():
            record = self._client.journal.read(place)
            yield record["attempt"], self._client.read(key, record)

    def __getitem__(self, key: str) -> Reply:
        if key in self._places:
            return self._client.read(key, self._client.journal.read(self._places[key]))
        return self._unanswered[key]

    def __iter__(self) -> Iterator[str]:
        yield from self._places
        yield from self._unanswered

    def __len__(self) -> int:
        return len(self._places) + len(self._unanswered)


class TeacherClient:
    """Asks one agent of the teacher.

    Args:
        settings: the agent's settings.
        journal: where requests and raw responses are kept.
        agent: solver, distiller, verifier, reader, judge or student; a label in the journal.
        base_url: address to send to, where it is not the settings' own (the simulated teacher's
            port differs from run to run).
        host: name of the host in content addresses, where it is not the settings' own.
        log: where estimates and progress are written.

    Raises:
        TeacherError: the key's environment variable is not set, or holds no plausible key.
    """

    def __init__(
        self,
        settings: TeacherSettings,
        journal: Journal,
        *,
        agent: str = "solver",
        base_url: str | None = None,
        host: str | None = None,
        log: TextIO | None = None,
    ) -> None:
        self.settings = settings
        self.journal = journal
        self.agent = agent
        self.asked = 0
        self.unknown_bills = 0
        # Responses of another model, by their attempts: the one that was asked has said nothing.
        self.drifted: dict[str, Reply] = {}
        # Until the host has answered once, requests go one at a time: a wrong key, address or
        # model costs one request, not one per thread.
        self.proven = threading.Event()
        self._accept: Callable[[Reply], str] = _status
        self.replies = Replies(self)
        # Mode record: only answers from this moment on count.
        self._since = None
        if settings.run.mode == "record":
            start = datetime.fromisoformat(settings.run.record_since or "")
            self._since = start.astimezone(UTC).isoformat(timespec="microseconds")
        address = base_url or settings.host.base_url
        self.host = host or settings.agent.host
        # Responses of the journal's first form are filed under the address.
        plain = re.sub(r"^https?://", "", address).rstrip("/")
        self._names = tuple(dict.fromkeys([self.host, *settings.host.known_as, plain]))
        self.log = log or sys.stderr
        self.gate = Gate(settings.host)
        self.transport = Transport(
            address,
            None if settings.run.mode == "replay" else _secret(settings),
            connect=settings.host.connect_seconds,
            idle=settings.host.idle_seconds,
            total=settings.host.deadline_seconds,
            streamed=settings.host.stream,
        )

    def __enter__(self) -> TeacherClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @functools.cached_property
    def quality(self) -> Quality:
        """What stops the job on its responses; made once the journal was read."""
        return Quality(self)

    def close(self) -> None:
        """Close connections and the journal's segment."""
        self.transport.close()
        self.journal.close()

    def request(
        self,
        prompt: str,
        picture: bytes | None = None,
        *,
        name: str = "",
        sample: int = 0,
        system: str | None = None,
        **fields: Any,
    ) -> Request:
        """Return the request that puts a prompt, and perhaps a picture (PNG), to the agent.

        Args:
            prompt: the user message.
            picture: PNG that goes with it.
            system: a system message above it.
            fields: of the body, for this request alone.
            name: what it is about, for messages.
            sample: number of the answer, where several are asked of one prompt.
        """
        agent = self.settings.agent
        content: Any = prompt
        if picture is not None:
            address = f"data:image/png;base64,{base64.b64encode(picture).decode('ascii')}"
            content = [
                {"type": "text", "text": prompt},
                {"type": "image_url", "image_url": {"url": address}},
            ]
        above = [] if system is None else [{"role": "system", "content": system}]
        body: dict[str, Any] = {
            **agent.extra,
            **fields,
            "model": agent.model,
            "messages": [*above, {"role": "user", "content": content}],
            "max_tokens": agent.max_tokens,
        }
        sampling = {"temperature": agent.temperature, "top_p": agent.top_p}
        body |= {name: value for name, value in sampling.items() if value is not None}
        keys = tuple(request_key(host, body, sample) for host in self._names)
        tokens = 0 if picture is None else picture_tokens(picture)
        return Request(keys, (system or "") + prompt, body, name, sample, tokens)

    def sent_body(self, request: Request) -> dict[str, Any]:
        """Return the body of a request as it is sent."""
        streamed = self.settings.host.stream
        body = {**request.body, "stream": streamed}
        return {**body, "stream_options": {"include_usage": True}} if streamed else body

    def ask_all(
        self, requests: Iterable[Request], accept: Callable[[Reply], str] | None = None
    ) -> Replies:
        """Return the client's replies, with one for every request; equal requests are asked once.

        Args:
            requests: what to ask.
            accept: gives a reply's status in the agent's eyes; `ok` if it is what was asked for.
                Many other ones stop the run.

        Raises:
            TeacherStopped: the run was stopped, or too many items stayed unanswered.
            JournalError: the journal could not be written, or is damaged.
        """
        self._accept = accept or _status
        unique = {request.key: request for request in requests}
        self.journal.refresh()
        self.journal.check_undamaged()
        missing = []
        for key, request in unique.items():
            place = self.stored(request)
            if place is None:
                missing.append(request)
            else:
                self.replies.put(key, place)
        if missing:
            self._ask(missing, len(unique))
        return self.replies

    def _ask(self, missing: list[Request], total: int) -> None:
        run = self.settings.run
        if run.mode == "replay":
            first = missing[0]
            raise TeacherStopped(
                f"replay: the journal holds no answer to {len(missing)} of {total} requests "
                f"(first: {self.agent} on {first.name or 'an item'}, request {first.key}); set "
                "teacher.mode to live to ask",
                EXIT_REPLAY_MISS,
            )
        self._announce(missing, total)
        with self.journal.paying(lambda text: print(f"teacher: {text}", file=self.log, flush=True)):
            hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat(timespec="microseconds")
            if self.journal.ledger.answered_since(self.host, self.settings.agent.model, hour_ago):
                self.proven.set()
            Dispatch(self, missing, self.replies).go()
            drifted = {} if run.takes_all else self.drifted
            left = [*self.replies.unanswered, *drifted.values()]
            if drifted and len(left) > run.max_unanswered:
                self.journal.void(list(drifted), "drift")
        if self.unknown_bills:
            print(
                f"teacher: {self.agent}: {self.unknown_bills} responses carry no plausible token "
                "counts and are booked at their highest cost",
                file=self.log,
                flush=True,
            )
        if len(left) > run.max_unanswered:
            tally = collections.Counter(reply.status for reply in left)
            kinds = ", ".join(f"{count} x {status}" for status, count in sorted(tally.items()))
            reasons = next((reply.reason for reply in left if reply.reason), "")
            remedies = "".join(slow_host(self.settings, status) for status in sorted(tally))
            if drifted:
                remedies += f"; {remedy_of('drift', self.agent, self.settings)}"
            raise TeacherStopped(
                f"{len(left)} of {total} requests stayed unanswered ({kinds}; {reasons}){remedies}",
                EXIT_UNANSWERED,
            )

    def stored(self, request: Request) -> Position | None:
        """Return where the response that a request counts as answered by is stored, if any is."""
        for key in request.keys:
            for item in self.journal.stored(key, self._since):
                reply = self.read(request.key, self.journal.read(item.position))
                if self._counts(request, item, reply):
                    return item.position
        return None

    def _counts(self, request: Request, item: Stored, reply: Reply) -> bool:
        run = self.settings.run
        if reply.status in run.ask_again:
            return False
        if reply.status == "drift" and not run.takes_drift:
            return False
        void = self.journal.is_void(item.attempt) and self._accept(reply) != OK
        if void and not run.takes_all:
            return False
        limit = request.body["max_tokens"]
        if reply.status == "length":
            # It was cut at its own limit, and would be at any lower one.
            return limit <= item.max_tokens
        if limit >= item.max_tokens:
            return True
        # A lower limit would have cut it if it is longer than that.
        return reply.usage.get("completion_tokens", item.max_tokens) <= limit

    def verdict(self, reply: Reply) -> str:
        """Return a reply's status in the agent's eyes."""
        return self._accept(reply)

    def read(self, key: str, answer: Mapping[str, Any]) -> Reply:
        """Read a stored response."""
        return read_reply(
            key,
            answer["http_status"],
            unpack_body(answer),
            self.settings.served,
            answer["fault"],
            reasoning=self.settings.reasoning,
        )

    def export(self, requests: Iterable[Request]) -> list[dict[str, Any]]:
        """Return the raw responses behind replies as rows, sorted by key, free of timings."""
        rows = {}
        for request in requests:
            place = self.replies.place(request.key)
            if place is not None:
                rows[request.key] = export(request.key, self.journal.read(place))
        return [rows[key] for key in sorted(rows)]

    def report(self) -> dict[str, dict[str, Any]]:
        """Return what a job's record says of the teacher: facts, and what differs between runs."""
        served: set[str] = set()
        statuses: collections.Counter[str] = collections.Counter()
        for reply in self.replies.values():
            served |= {reply.served_model} if reply.served_model else set()
            statuses[self.verdict(reply)] += 1
        return {
            "facts": {
                "teacher": {
                    "agent": self.agent,
                    "host": self.host,
                    "model": self.settings.agent.model,
                    "served_models": sorted(served),
                    "statuses": dict(sorted(statuses.items())),
                }
            },
            "history": {"teacher": {"asked_now": self.asked, "charged": self.journal.charged()}},
        }

    def usual_answer(self) -> float:
        """Return the likely length of an answer in tokens: the mean so far, or half the longest."""
        usual = self.journal.ledger.usual_answer(self.agent)
        return self.settings.agent.max_tokens / 2 if usual is None else usual

    def estimate(self, requests: Iterable[Request]) -> dict[str, float]:
        """Return likely and highest cost of requests, before any is sent."""
        limit, price, usual = (
            self.settings.agent.max_tokens, self.settings.price, self.usual_answer(),
        )  # fmt: skip
        asked = [(request.prompt, request.picture_tokens) for request in requests]
        return {
            "likely": sum(price.expected(prompt, usual, tokens) for prompt, tokens in asked),
            "highest": sum(price.worst_case(prompt, limit, tokens) for prompt, tokens in asked),
        }

    def _announce(self, missing: list[Request], total: int) -> None:
        run, host = self.settings.run, self.settings.host
        cost, spent = self.estimate(missing), self.journal.charged()
        line = f"teacher: {self.agent}: {len(missing)} of {total} requests to ask {self.host}"
        if cost["highest"]:
            line += (
                f"; likely {cost['likely']:.4f} {run.currency}, at most {cost['highest']:.4f} "
                f"(prices of {host.prices_dated or 'an unknown day'}); spent so far {spent:.4f}, "
                f"cap {run.money_cap:.4f}"
            )
        if cost["likely"] and spent + cost["likely"] > run.money_cap:
            raise TeacherStopped(
                f"{line}: the likely cost is beyond the cap, so nothing was asked; "
                "raise teacher.money_cap",
                EXIT_CAP,
            )
        print(line, file=self.log, flush=True)


def _status(reply: Reply) -> str:
    return reply.status


def _secret(settings: TeacherSettings) -> str | None:
    variable = settings.host.api_key_env
    if variable is None:
        return None
    place = f"teacher.hosts.{settings.agent.host}.api_key_env"
    secret = os.environ.get(variable, "")
    if not secret:
        raise TeacherError(f"{place}: the environment variable {variable} is not set; export it")
    if len(secret) < 8 or not re.fullmatch(r"[!-~]+", secret):
        raise TeacherError(
            f"{place}: {variable} does not hold a key (8 or more visible ASCII characters, no "
            "spaces or line ends); export it again"
        )
    return secret
