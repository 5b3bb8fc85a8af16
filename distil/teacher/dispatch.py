"""One pass over requests by a pool of threads: dispatch, retries, pauses, stops.

Outcomes, by what the host does (a *stop* ends the run after the requests in flight have come back;
all other items go on):

| the host | the item | requests |
|---|---|---|
| 400, 413, 422, other 4xx | `http-400` ... | 1 |
| 401, 403, 404, a redirect | stop: refused | 1 |
| 402, or a quota code | stop: quota | 1 |
| 408, 409, 429, 5xx | retried; then `http-429` ..., unanswered | 1 + `retries` |
| connection refused | retried; then `connect-failed`, unanswered | 1 + `retries` |
| reset, silence, cut short | retried; then `reset` ..., unanswered | 1 + `possibly_paid_retries` |
| nothing complete by the total deadline | `deadline`, possibly paid, unanswered | 1 |
| 200 that is no answer | a status of `responses.read_reply` | 1 |
| 200 with an answer | `ok` | 1 |

An *unanswered* item fails the job once all others are done; the same command asks it again.
"""

from __future__ import annotations

import collections
import contextlib
import math
import random
import secrets
import threading
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from distil.content.hashing import canonical_json
from distil.content.progress import ProgressLine
from distil.teacher.journal import pack_body
from distil.teacher.responses import Reply, error_text, is_quota
from distil.teacher.settings import (
    EXIT_CAP,
    EXIT_PAUSE,
    EXIT_QUOTA,
    EXIT_REFUSED,
    EXIT_UNANSWERED,
    TeacherStopped,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from distil.teacher.client import Request, TeacherClient
    from distil.teacher.transport import Exchange

# Unanswered items in a row after which the host is taken to be down.
GIVE_UP_AFTER = 10

_STOPPING = frozenset({401, 403, 404})
_RETRIED = frozenset({408, 409, 425, 429})
_POSSIBLY_PAID = frozenset({"reset", "silence", "cut-short", "deadline"})
# Complete enough to be an answer of its own, of which the bytes are kept: never asked again.
_FINAL_FAULTS = frozenset({None, "too-large", "bad-encoding"})


class Dispatch:
    """One pass over requests by a pool of threads."""

    def __init__(self, client: TeacherClient, requests: list[Request]) -> None:
        self.client = client
        self.settings = client.settings
        self.journal = client.journal
        self._queue = collections.deque(requests)
        self._busy_elsewhere: collections.deque[Request] = collections.deque()
        self._replies: dict[str, Reply] = {}
        self._total = len(requests)
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._cause: BaseException | None = None
        self._resume_at = 0.0
        self._proven = client.proven
        self._proof = threading.Lock()
        self._given_up = 0
        self._in_flight: set[str] = set()
        self._line = ProgressLine(len(requests), "requests", client.log)

    def go(self) -> dict[str, Reply]:
        """Return a reply for each request, or raise what stopped the run, once all is drained."""
        count = min(self.settings.concurrency, self._total)
        threads = [
            threading.Thread(target=self._work, name=f"teacher-{number}", daemon=True)
            for number in range(count)
        ]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                while thread.is_alive():
                    thread.join(timeout=0.5)
                    self._line.show(len(self._replies), self._spent())
        except KeyboardInterrupt:
            print("stopping; waiting for the requests in flight", file=self.client.log, flush=True)
            self._halt(KeyboardInterrupt())
            for thread in threads:
                thread.join()
        self._line.show(len(self._replies), self._spent())
        if self._cause is not None:
            raise self._cause
        return self._replies

    def _spent(self) -> str:
        spent = self.journal.charged()
        return f"{spent:.4f} {self.settings.prices['currency']} spent" if spent else ""

    # ------------------------------------------------------------------------- the threads

    def _work(self) -> None:
        try:
            while (request := self._take()) is not None:
                self._handle(request)
        except Exception as error:  # noqa: BLE001
            self._halt(error)

    def _halt(self, cause: BaseException) -> None:
        with self._lock:
            if self._cause is None:
                self._cause = cause
        self._stopped.set()

    def _take(self) -> Request | None:
        if self._stopped.is_set():
            return None
        with self._lock:
            if self._queue:
                return self._queue.popleft()
            if not self._busy_elsewhere:
                return None
            request = self._busy_elsewhere.popleft()
        self._stopped.wait(0.1)
        return request

    def _handle(self, request: Request) -> None:
        with self.journal.claim(request.key) as ours:
            if not ours:
                with self._lock:
                    self._busy_elsewhere.append(request)
                return
            # Another worker may have paid for it since we looked.
            self.journal.refresh()
            reply = self.client.stored(request) or self._ask(request)
        if reply is not None:
            with self._lock:
                self._replies[request.key] = reply

    def _ask(self, request: Request) -> Reply | None:
        """Ask until there is an answer or the retries are used up; None if the run stopped."""
        unpaid_for = 0
        for number in range(1, self.settings.retries + 2):
            with self._dispatch() as go:
                token = self._intend(request) if go else None
                if token is None:
                    return None
                exchange = self.client.transport.post(canonical_json(request.body).encode("utf-8"))
                try:
                    reply = self._settle(request, token, exchange)
                finally:
                    self._in_flight.discard(token)
                if reply is not None:
                    return reply
                wait = self._plan_retry(number, exchange)
            status = exchange.fault or f"http-{exchange.http_status}"
            unpaid_for += status in _POSSIBLY_PAID
            if status == "deadline" or unpaid_for > self.settings.possibly_paid_retries:
                break
            if number <= self.settings.retries:
                self._stopped.wait(wait)
        reply = Reply(request.key, status, exchange.detail or error_text(exchange.body))
        self._give_up(reply)
        return reply

    def _give_up(self, reply: Reply) -> None:
        """Leave an item unanswered; too many in a row mean that the host is down."""
        self._proven.clear()
        with self._lock:
            self._given_up += 1
            if self._given_up < GIVE_UP_AFTER:
                return
        raise TeacherStopped(
            f"{self.client.host} has left {GIVE_UP_AFTER} requests in a row unanswered "
            f"(the last: {reply.status} {reply.reason})",
            EXIT_UNANSWERED,
        )

    @contextlib.contextmanager
    def _dispatch(self) -> Iterator[bool]:
        """Wait for leave to send; yields False if the run has stopped instead."""
        alone = False
        while not (self._proven.is_set() or self._stopped.is_set()):
            if alone := self._proof.acquire(timeout=0.1):
                break
        if alone and self._proven.is_set():
            self._proof.release()
            alone = False
        try:
            while (pause := self._resume_at - time.monotonic()) > 0:
                if self._stopped.wait(pause):
                    break
            yield not self._stopped.is_set()
        except BaseException as error:
            # Stop before the next thread may send.
            self._halt(error)
            raise
        finally:
            if alone:
                self._proof.release()

    def _intend(self, request: Request) -> str | None:
        """Write down that a request is about to be sent, within the money cap."""
        worst = self.settings.price.worst_case(
            request.prompt, self.settings.max_tokens, request.picture_tokens
        )
        token = secrets.token_hex(8)
        self.journal.check_room()
        record = {
            "kind": "intent",
            "attempt": token,
            "key": request.key,
            "agent": self.client.agent,
            "host": self.client.host,
            "request": request.body,
            "worst": worst,
        }
        while True:
            with self.journal.account():
                self.journal.refresh()
                if not worst or self.journal.charged() + worst <= self.settings.money_cap:
                    self.journal.append(record, durable=False)
                    self._in_flight.add(token)
                    self.client.asked += 1
                    break
            # Requests in flight are booked at their worst case; most come back cheaper.
            if not self._in_flight:
                raise TeacherStopped(
                    f"the cap of {self.settings.money_cap:.4f} is reached: "
                    f"{self.journal.charged():.4f} spent; raise teacher.money_cap",
                    EXIT_CAP,
                )
            if self._stopped.wait(0.05):
                return None
        # Outside the account, so that threads share an fsync.
        self.journal.sync()
        return token

    def _settle(self, request: Request, token: str, exchange: Exchange) -> Reply | None:
        """Write down how an attempt ended; return the reply if that ends the item.

        Raises:
            TeacherStopped: the host's answer concerns the whole run.
        """
        final = exchange.fault in _FINAL_FAULTS and exchange.http_status is not None
        status = exchange.http_status
        stops = final and (status in _STOPPING or 300 <= status < 400)
        quota = final and is_quota(status, exchange.body)
        retried = final and (status in _RETRIED or status >= 500)
        record = {
            "attempt": token,
            "key": request.key,
            "agent": self.client.agent,
            "http_status": status,
            "headers": exchange.headers,
            "fault": exchange.fault,
            "detail": exchange.detail,
            **pack_body(exchange.body),
        }
        if final and not (stops or quota or retried):
            answer = {
                **record,
                "kind": "response",
                "host": self.client.host,
                "request": request.body,
            }
            self.journal.append(answer, durable=True)
            self._proven.set()
            self._given_up = 0
            reply = self.client.read(request, answer)
            self._book(request, token, reply)
            return reply
        record |= {
            "kind": "failure",
            "status": exchange.fault or f"http-{status}",
            "possibly_paid": exchange.fault in _POSSIBLY_PAID,
        }
        self.journal.append(record, durable=True)
        if quota:
            raise TeacherStopped(
                f"the account at {self.client.host} is used up: {error_text(exchange.body)}",
                EXIT_QUOTA,
            )
        if stops:
            raise TeacherStopped(_why_refused(self.client.host, exchange), EXIT_REFUSED)
        return None

    def _book(self, request: Request, token: str, reply: Reply) -> None:
        cost = self.settings.price.bill(reply.usage)
        if reply.status.startswith("http-"):
            cost = 0.0
        tokens = [reply.usage.get(name, 0) for name in ("prompt_tokens", "completion_tokens")]
        self.journal.append(
            {
                "kind": "account",
                "attempt": token,
                "key": request.key,
                "agent": self.client.agent,
                "status": reply.status,
                "cost": cost,
                "tokens": tokens,
            },
            durable=False,
        )

    def _plan_retry(self, number: int, exchange: Exchange) -> float:
        """Return the seconds to wait before the next try: full jitter, or what the host asks.

        A 429 holds all threads for that time, as does any Retry-After.

        Raises:
            TeacherStopped: the host asks for a longer pause than the settings allow.
        """
        settings = self.settings
        longest = settings.backoff_seconds * 2 ** (number - 1)
        longest = min(settings.longest_backoff_seconds, longest)
        seconds = random.uniform(0, longest)  # noqa: S311
        asked = retry_after(exchange.headers.get("retry-after"))
        if asked is not None:
            if asked > settings.longest_pause_seconds:
                raise TeacherStopped(
                    f"{self.client.host} asks for a pause of {asked:.0f} s, more than "
                    f"teacher.longest_pause_seconds ({settings.longest_pause_seconds:g} s)",
                    EXIT_PAUSE,
                )
            seconds = max(seconds, asked)
        if exchange.http_status == 429 or asked is not None:
            with self._lock:
                self._resume_at = max(self._resume_at, time.monotonic() + seconds)
        return seconds


def retry_after(value: str | None, now: Callable[[], float] = time.time) -> float | None:
    """Return the seconds that a Retry-After header asks for; None if it says nothing sensible.

    Both of its forms are read, seconds and HTTP date (RFC 9110, 10.2.3). Negative values, NaN and
    nonsense are ignored.
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - now()
        except (ValueError, TypeError, OverflowError):
            return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _why_refused(host: str, exchange: Exchange) -> str:
    status = exchange.http_status
    said = error_text(exchange.body)
    remedy = {
        401: "is the key right, and exported?",
        403: "may this account use the model?",
        404: "are teacher.base_url and the model name right?",
    }.get(status)
    if remedy is None:
        target = exchange.headers.get("location", "nowhere")
        return (
            f"{host} redirects ({status}) to {target[:200]}; redirects are refused, so that the "
            "key travels nowhere else: set teacher.base_url to the address meant"
        )
    return f"{host} answers {status}: {said}; {remedy}"
