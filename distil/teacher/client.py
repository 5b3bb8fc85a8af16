"""The teacher's client: asks a host for answers and pays for each once.

Every request is addressed by its content (host, model, canonical body). What the journal has
answered is not asked again; what it has not is sent by `dispatch`.
"""

from __future__ import annotations

import base64
import collections
import dataclasses
import os
import re
import sys
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TextIO

from distil.content.hashing import sha256_text
from distil.teacher.dispatch import Dispatch
from distil.teacher.journal import Journal, export, request_key, unpack_body
from distil.teacher.money import picture_tokens
from distil.teacher.responses import Reply, read_reply
from distil.teacher.settings import (
    EXIT_CAP,
    EXIT_REPLAY_MISS,
    EXIT_UNANSWERED,
    TeacherError,
    TeacherSettings,
    TeacherStopped,
)
from distil.teacher.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclasses.dataclass(frozen=True)
class Request:
    """One question to an agent.

    Attributes:
        key: content address: sha256 of host, model and canonical body.
        prompt: the user message.
        body: the chat request.
        picture_tokens: upper bound of what a picture in it is billed as; 0 without one.
    """

    key: str
    prompt: str
    body: Mapping[str, Any]
    picture_tokens: int = 0

    @property
    def prompt_sha256(self) -> str:
        """Return the sha256 of the prompt's text."""
        return sha256_text(self.prompt)


class TeacherClient:
    """Asks one agent of the teacher.

    Args:
        settings: the agent's settings.
        journal: where requests and raw responses are kept.
        agent: solver, distiller, verifier or reader; a label in the journal.
        base_url: address to send to, where it is not the settings' own (the simulated teacher's
            port differs from run to run).
        host: name of the host in content addresses; by default the address without its scheme.
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
        # Until the host has answered once, requests go one at a time: a wrong key, address or
        # model costs one request, not one per thread.
        self.proven = threading.Event()
        # Mode record: only answers from now on count, or from the moment the settings name.
        self._since = None
        if settings.mode == "record":
            moment = settings.record_since
            start = datetime.fromisoformat(moment) if moment else datetime.now(UTC)
            self._since = start.astimezone(UTC).isoformat(timespec="microseconds")
        address = base_url or settings.base_url
        self.host = host or re.sub(r"^https?://", "", address).rstrip("/")
        self.log = log or sys.stderr
        self.transport = Transport(
            address,
            None if settings.mode == "replay" else _secret(settings.api_key_env),
            connect=settings.connect_seconds,
            idle=settings.idle_seconds,
            total=settings.deadline_seconds,
        )

    def __enter__(self) -> TeacherClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close connections and the journal's segment."""
        self.transport.close()
        self.journal.close()

    def request(self, prompt: str, picture: bytes | None = None) -> Request:
        """Return the request that puts a prompt, and perhaps a picture (PNG), to the agent."""
        settings = self.settings
        content: Any = prompt
        if picture is not None:
            address = f"data:image/png;base64,{base64.b64encode(picture).decode('ascii')}"
            content = [
                {"type": "text", "text": prompt},
                {"type": "image_url", "image_url": {"url": address}},
            ]
        body: dict[str, Any] = {
            **settings.extra,
            "model": settings.model,
            "messages": [{"role": "user", "content": content}],
            "max_tokens": settings.max_tokens,
            "stream": settings.stream,
        }
        if settings.stream:
            body["stream_options"] = {"include_usage": True}
        if settings.temperature is not None:
            body["temperature"] = settings.temperature
        tokens = 0 if picture is None else picture_tokens(picture)
        return Request(request_key(self.host, body), prompt, body, tokens)

    def ask_all(self, requests: Iterable[Request]) -> dict[str, Reply]:
        """Return a reply for every request, by key; equal requests are asked once.

        Raises:
            TeacherStopped: the run was stopped, or too many items stayed unanswered.
            JournalError: the journal could not be written.
        """
        unique = {request.key: request for request in requests}
        self.journal.refresh()
        replies, missing = {}, []
        for key, request in unique.items():
            reply = self.stored(request)
            if reply is None:
                missing.append(request)
            else:
                replies[key] = reply
        if not missing:
            return replies
        if self.settings.mode == "replay":
            raise TeacherStopped(
                f"replay: the journal holds no answer to {len(missing)} of {len(unique)} requests "
                f"(first: {missing[0].key}); set teacher.mode to live to ask",
                EXIT_REPLAY_MISS,
            )
        self._announce(missing, len(unique))
        if self._answered_lately():
            self.proven.set()
        replies |= Dispatch(self, missing).go()
        left = [reply for reply in replies.values() if reply.response_sha256 is None]
        if len(left) > self.settings.max_unanswered:
            tally = collections.Counter(reply.status for reply in left)
            kinds = ", ".join(f"{count} x {status}" for status, count in sorted(tally.items()))
            raise TeacherStopped(
                f"{len(left)} of {len(unique)} requests stayed unanswered ({kinds})",
                EXIT_UNANSWERED,
            )
        return replies

    def stored(self, request: Request) -> Reply | None:
        """Return the journal's reply to a request, or None if it has to be asked."""
        answer = self.journal.answer(request.key, self._since)
        if answer is None:
            return None
        reply = self.read(request, answer)
        return None if reply.status in self.settings.ask_again else reply

    def read(self, request: Request, answer: Mapping[str, Any]) -> Reply:
        """Read a stored response."""
        return read_reply(
            request.key,
            answer["http_status"],
            unpack_body(answer),
            self.settings.served_model or self.settings.model,
            answer["fault"],
        )

    def export(self, requests: Iterable[Request]) -> list[dict[str, Any]]:
        """Return the raw responses behind replies as rows, sorted by key, free of timings."""
        rows = {}
        for request in requests:
            answer = self.journal.answer(request.key, self._since)
            if answer is not None:
                rows[request.key] = export(request.key, answer)
        return [rows[key] for key in sorted(rows)]

    def _answered_lately(self) -> bool:
        """Tell whether this host's model has answered in the last hour, in any job."""
        hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat(timespec="microseconds")
        asked = [
            item
            for item in self.journal.attempts()
            if (item.host, item.model) == (self.host, self.settings.model)
        ]
        ended = [item for item in asked if item.status is not None]
        return bool(ended) and ended[-1].answered and ended[-1].at >= hour_ago

    def report(self, replies: Iterable[Reply]) -> dict[str, dict[str, Any]]:
        """Return what a job's record says of the teacher: facts, and what differs between runs."""
        replies = list(replies)
        served = {reply.served_model for reply in replies if reply.served_model}
        return {
            "facts": {
                "teacher": {
                    "agent": self.agent,
                    "host": self.host,
                    "model": self.settings.model,
                    "served_models": sorted(served),
                    "statuses": dict(
                        sorted(collections.Counter(reply.status for reply in replies).items())
                    ),
                }
            },
            "history": {"teacher": {"asked_now": self.asked, "charged": self.journal.charged()}},
        }

    def estimate(self, requests: Iterable[Request]) -> dict[str, float]:
        """Return likely and highest cost of requests, before any is sent.

        The likely cost takes the agent's mean answer so far, or half the longest allowed.
        """
        limit, price = self.settings.max_tokens, self.settings.price
        past = [
            item.tokens[1]
            for item in self.journal.attempts()
            if item.agent == self.agent and item.tokens[1]
        ]
        usual = sum(past) / len(past) if past else limit / 2
        asked = [(request.prompt, request.picture_tokens) for request in requests]
        return {
            "likely": sum(price.expected(prompt, usual, tokens) for prompt, tokens in asked),
            "highest": sum(price.worst_case(prompt, limit, tokens) for prompt, tokens in asked),
        }

    def _announce(self, missing: list[Request], total: int) -> None:
        settings = self.settings
        cost, spent = self.estimate(missing), self.journal.charged()
        line = f"teacher: {self.agent}: {len(missing)} of {total} requests to ask {self.host}"
        if cost["highest"]:
            line += (
                f"; likely {cost['likely']:.4f} {settings.prices['currency']}, "
                f"at most {cost['highest']:.4f} (prices of {settings.prices['dated']}); "
                f"spent so far {spent:.4f}, cap {settings.money_cap:.4f}"
            )
        if cost["likely"] and spent + cost["likely"] > settings.money_cap:
            raise TeacherStopped(
                f"{line}: the likely cost is beyond the cap, so nothing was asked; "
                "raise teacher.money_cap",
                EXIT_CAP,
            )
        print(line, file=self.log, flush=True)


def _secret(variable: str | None) -> str | None:
    if variable is None:
        return None
    secret = os.environ.get(variable, "")
    if not secret:
        raise TeacherError(
            f"teacher.api_key_env: the environment variable {variable} is not set; export it"
        )
    if len(secret) < 8 or not re.fullmatch(r"[!-~]+", secret):
        raise TeacherError(
            f"teacher.api_key_env: {variable} does not hold a key (8 or more visible ASCII "
            "characters, no spaces or line ends); export it again"
        )
    return secret
