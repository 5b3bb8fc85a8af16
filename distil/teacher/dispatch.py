"""One pass over requests by a pool of threads: dispatch, retries, pauses, outages, stops.

Outcomes, by what the host does (a *stop* ends the run after the requests in flight have come back;
all other items go on). An error object in a response that says 200 counts as what its code says.

| the host | the item | requests |
|---|---|---|
| 400, 413, 422, other 4xx | `http-400` ... | 1 |
| 401, 403, 404, a redirect; a wrong name, certificate or protocol | stop: refused | 1 |
| 402, or a quota code | stop: quota | 1 |
| 408, 409, 429, 5xx, a broken answer | retried; then `http-429` ..., unanswered | 1 + `retries` |
| connection refused | retried; then `connect-failed`, unanswered | 1 + `retries` |
| the same, and nothing has ever answered there | stop | 1 + `retries` |
| reset, silence, cut short | retried; then `reset` ..., unanswered | 1 + `possibly_paid_retries` |
| nothing complete by the total deadline | `deadline`, possibly paid, unanswered | 1 |
| 200 that is no answer | a status of `responses.read_reply` | 1 |
| 200 from another model | `drift`, unanswered | 1 |
| 200 with an answer | `ok` | 1 |
| `stop_after` equal non-answers in a row, or no answer in a whole job | stop; asked again | |
| no answer to anybody, where it answered before | waited for, one request at a time | |

An *unanswered* item fails the job once all others are done; the same command asks it again.
"""

from __future__ import annotations

import collections
import contextlib
import math
import random
import secrets
import signal
import threading
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from distil.content.hashing import canonical_json
from distil.content.progress import ProgressLine
from distil.teacher.journal import Position, pack_body
from distil.teacher.responses import OK, PASSING, Reply, effective_status, error_text, is_quota
from distil.teacher.settings import (
    EXIT_CAP,
    EXIT_PAUSE,
    EXIT_QUOTA,
    EXIT_REFUSED,
    EXIT_TERMINATED,
    TeacherStopped,
)
from distil.teacher.stops import Health

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from distil.teacher.client import Replies, Request, TeacherClient
    from distil.teacher.transport import Exchange

_STOPPING = frozenset({401, 403, 404})
_RETRIED = frozenset({408, 409, 425, 429})
_POSSIBLY_PAID = frozenset({"reset", "silence", "cut-short", "deadline"})
# Complete enough to be an answer of its own, of which the bytes are kept: never asked again.
_FINAL_FAULTS = frozenset({None, "too-large", "bad-encoding"})
# No further try can mend these.
_HOPELESS = {
    "dns-failed": "no machine has this name",
    "tls-failed": "its certificate or protocol is refused; is https:// right for this port?",
    "not-http": "what answers there does not speak HTTP; is it https://?",
}


class Dispatch:
    """One pass over requests by a pool of threads.

    Args:
        client: whose requests they are.
        requests: what to ask.
        replies: where to note where each response is stored, or why there is none.
    """

    def __init__(self, client: TeacherClient, requests: list[Request], replies: Replies) -> None:
        self.client = client
        self.run = client.settings.run
        self.journal = client.journal
        self._queue = collections.deque(requests)
        self._busy_elsewhere: collections.deque[Request] = collections.deque()
        self._replies = replies
        self._total = len(requests)
        self._done = 0
        self._tokens = 0
        # The handler of SIGTERM may come upon the main thread while that holds it.
        self._lock = threading.RLock()
        self._stopped = threading.Event()
        self._cause: BaseException | None = None
        self._resume_at = 0.0
        self._trouble = ""
        self._proven = client.proven
        self._proof = threading.Lock()
        self._ended = threading.Event()
        self._in_flight: set[str] = set()
        self._health = Health(client)
        self._quality = client.quality
        self._start = time.monotonic()

    def go(self) -> None:
        """Put a reply for each request, or raise what stopped the run, once all is drained."""
        line = ProgressLine(self._total, "requests", self.client.log)
        threads: list[threading.Thread] = []
        with self._draining_on_sigterm():
            try:
                while self._supervise(threads):
                    line.show(self._done, self._note())
                    self._ended.wait(0.25)
                    self._ended.clear()
            except KeyboardInterrupt:
                self._say("stopping; waiting for the requests in flight")
                self._halt(KeyboardInterrupt())
                for thread in threads:
                    thread.join()
        line.show(self._done, self._note())
        self._quality.conclude()
        if self._cause is not None:
            raise self._cause

    def _say(self, text: str) -> None:
        print(f"teacher: {self.client.agent}: {text}", file=self.client.log, flush=True)

    def _note(self) -> str:
        """Say what is on its way, what was used and paid, and how long the rest will take."""
        parts = [self.client.agent]
        if self._in_flight:
            parts.append(f"{len(self._in_flight)} in flight")
        if self._tokens:
            parts.append(f"{self._tokens} tokens")
        if self._trouble and not self._proven.is_set():
            parts.append(self._trouble)
        if spent := self.journal.charged():
            parts.append(f"{spent:.4f} {self.run.currency} spent")
        if 0 < self._done < self._total:
            left = (time.monotonic() - self._start) / self._done * (self._total - self._done)
            parts.append(
                f"about {left / 60:.0f} min left" if left > 90 else f"about {left:.0f} s left"
            )
        return ", ".join(parts)

    @contextlib.contextmanager
    def _draining_on_sigterm(self) -> Iterator[None]:
        """Let SIGTERM (a scheduler's time limit, a container that stops) drain, as Ctrl-C does."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def drain(*_: object) -> None:
            self._say("SIGTERM: stopping; waiting for the requests in flight")
            self._halt(TeacherStopped("ended by SIGTERM", EXIT_TERMINATED))

        before = signal.signal(signal.SIGTERM, drain)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)

    def _supervise(self, threads: list[threading.Thread]) -> bool:
        """Start threads for the slots that are free; False once all is done."""
        threads[:] = [thread for thread in threads if thread.is_alive()]
        with self._lock:
            left = len(self._queue) + len(self._busy_elsewhere)
        if self._stopped.is_set() or not left:
            return bool(threads)
        while len(threads) < min(left, self.client.settings.host.concurrency):
            if not self.client.gate.take_slot():
                break
            thread = threading.Thread(target=self._work, name="teacher", daemon=True)
            threads.append(thread)
            thread.start()
            left -= 1
        return True

    # ------------------------------------------------------------------------- the threads

    def _work(self) -> None:
        try:
            while (request := self._take()) is not None:
                self._handle(request)
        except Exception as error:  # noqa: BLE001
            self._halt(error)
        finally:
            self.client.gate.give_slot_back()
            self._ended.set()

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
            found = self.client.stored(request) or self._ask(request)
        if found is not None:
            with self._lock:
                self._done += 1
                self._replies.put(request.key, found)

    def _ask(self, request: Request) -> Position | Reply | None:
        """Ask until there is a response or no try is left; None if the run stopped."""
        failing_since = math.inf
        number = unpaid_for = 0
        while True:
            number += 1
            with self._dispatch(request) as go:
                token = self._intend(request) if go else None
                if token is None:
                    return None
                body = canonical_json(self.client.sent_body(request)).encode("utf-8")
                moment = time.monotonic()
                exchange = self.client.transport.post(body)
                try:
                    stored = self._settle(request, token, exchange, moment)
                finally:
                    self._in_flight.discard(token)
                if stored is not None:
                    return stored
                wait = self._plan_retry(number, exchange)
            failing_since = min(failing_since, time.monotonic())
            status = self._failure_status(exchange)
            self._tell(status, exchange)
            unpaid_for += status in _POSSIBLY_PAID
            if status == "deadline" or unpaid_for > self.run.possibly_paid_retries:
                break
            if number > self.run.retries and not self._wait_out(failing_since, status):
                break
            self._stopped.wait(wait)
        reply = Reply(request.key, status, exchange.detail or error_text(exchange.body))
        self._proven.clear()
        self._health.give_up(reply)
        return reply

    def _tell(self, status: str, exchange: Exchange) -> None:
        """Say once why a host that has not answered yet, or no more, does not; it is tried on."""
        if self._proven.is_set():
            return
        if not self._trouble:
            why = exchange.detail or error_text(exchange.body)
            self._say(f"no answer from {self.client.settings.host.base_url} ({status}: {why})")
        self._trouble = f"no answer from {self.client.host} ({status})"

    def _wait_out(self, failing_since: float, status: str) -> bool:
        """Tell whether the host answers nobody, and is to be waited for; it is then probed."""
        if not self._health.is_down(failing_since, status):
            return False
        if self._proven.is_set():
            self._say(
                f"{self.client.host} answers nobody ({status}); waiting up to "
                f"{self.run.outage_seconds:.0f} s, with one request at a time"
            )
        self._proven.clear()
        return True

    @contextlib.contextmanager
    def _dispatch(self, request: Request) -> Iterator[bool]:
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
            if not self._stopped.is_set():
                likely = len(request.prompt) / 3.5 + self.client.usual_answer()
                while (wait := self.client.gate.wait(likely)) > 0:
                    if self._stopped.wait(wait):
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
        settings = self.client.settings
        worst = settings.price.worst_case(
            request.prompt, settings.agent.max_tokens, request.picture_tokens
        )
        token = secrets.token_hex(8)
        self.journal.check_room()
        record = {
            "kind": "intent",
            "attempt": token,
            "key": request.key,
            "agent": self.client.agent,
            "host": self.client.host,
            "request": self.client.sent_body(request),
            "item": request.name,
            "worst": worst,
        }
        while True:
            with self.journal.account():
                self.journal.refresh()
                self._quality.follow()
                if not worst or self.journal.charged() + worst <= self.run.money_cap:
                    self.journal.append(record, durable=False)
                    self._in_flight.add(token)
                    self.client.asked += 1
                    break
            # Requests in flight are booked at their worst case; most come back cheaper.
            if not self._in_flight:
                raise TeacherStopped(
                    f"the cap of {self.run.money_cap:.4f} is reached: "
                    f"{self.journal.charged():.4f} spent; raise teacher.money_cap",
                    EXIT_CAP,
                )
            if self._stopped.wait(0.05):
                return None
        # Outside the account, so that threads share an fsync.
        self.journal.sync()
        # Last: from here on the request is on its way.
        self.journal.require_paying()
        return token

    @staticmethod
    def _failure_status(exchange: Exchange) -> str:
        if exchange.fault:
            return exchange.fault
        status = effective_status(exchange.http_status or 0, exchange.body)
        return "host-error" if status == 200 else f"http-{status}"

    def _settle(
        self, request: Request, token: str, exchange: Exchange, sent: float
    ) -> Position | None:
        """Write down how an attempt ended; return where its response is, if that ends the item.

        Args:
            request: what was asked.
            token: names the attempt.
            exchange: what came of it.
            sent: when it was sent, on the monotonic clock.

        Raises:
            TeacherStopped: the host's answer concerns the whole run.
        """
        final = exchange.fault in _FINAL_FAULTS and exchange.http_status is not None
        status = effective_status(exchange.http_status or 0, exchange.body)
        record = {
            "attempt": token,
            "key": request.key,
            "agent": self.client.agent,
            "http_status": exchange.http_status,
            "headers": exchange.headers,
            "fault": exchange.fault,
            "detail": exchange.detail,
            **pack_body(exchange.body),
        }
        stops = final and (status in _STOPPING or 300 <= status < 400)
        quota = final and is_quota(status, exchange.body)
        retried = final and (status in _RETRIED or status >= 500)
        broken_off = False
        if final and not (stops or quota or retried):
            reply = self.client.read(request.key, record)
            broken_off = reply.status in PASSING
            if not broken_off:
                return self._keep(request, token, record, reply, sent)
        failure = {
            **record,
            "kind": "failure",
            "status": self._failure_status(exchange),
            # A host that breaks off may bill what it had written.
            "possibly_paid": exchange.fault in _POSSIBLY_PAID or broken_off,
        }
        self.journal.append(failure, durable=True)
        self._health.failed()
        host = self.client.host
        if quota:
            raise TeacherStopped(
                f"the account at {host} is used up: {error_text(exchange.body)}", EXIT_QUOTA
            )
        if stops:
            place = self.client.settings.agent.host
            raise TeacherStopped(_why_refused(place, status, exchange), EXIT_REFUSED)
        if exchange.fault in _HOPELESS:
            raise TeacherStopped(
                f"{host}: {exchange.fault}: {_HOPELESS[exchange.fault]} ({exchange.detail}); "
                f"mend teacher.hosts.{self.client.settings.agent.host}.base_url",
                EXIT_REFUSED,
            )
        return None

    def _keep(
        self, request: Request, token: str, record: dict, reply: Reply, sent: float
    ) -> Position:
        """Store a response, book it, and look at what it says of the host."""
        record = {
            **record,
            "kind": "response",
            "host": self.client.host,
            "request": self.client.sent_body(request),
        }
        if request.sample:
            record["sample"] = request.sample
        place = self.journal.append(record, durable=True)
        self._book(request, token, reply)
        verdict = self.client.verdict(reply)
        if self._health.answered(sent) and verdict == OK:
            self._proven.set()
        if reply.status == "drift":
            self.client.drifted[token] = reply
        self._quality.look(token, verdict, reply)
        return place

    def _book(self, request: Request, token: str, reply: Reply) -> None:
        settings = self.client.settings
        tokens, known = settings.price.plausible(
            reply.usage, request.prompt, settings.agent.max_tokens, request.picture_tokens
        )
        cost = settings.price.bill(reply.usage) if known else None
        if reply.status.startswith("http-"):
            cost = 0.0
        elif cost is None:
            with self._lock:
                self.client.unknown_bills += 1
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
        with self._lock:
            self._tokens += sum(tokens)
        likely = len(request.prompt) / 3.5 + self.client.usual_answer()
        self.client.gate.correct(sum(tokens) - likely)

    def _plan_retry(self, number: int, exchange: Exchange) -> float:
        """Return the seconds to wait before the next try: full jitter, or what the host asks.

        A 429 holds all threads for that time, as does any Retry-After, and a probe of a host that
        answers nobody.

        Raises:
            TeacherStopped: the host asks for a longer pause than the settings allow.
        """
        run = self.run
        longest = min(run.longest_backoff_seconds, run.backoff_seconds * 2 ** min(number - 1, 30))
        seconds = random.uniform(0, longest)  # noqa: S311
        asked = retry_after(exchange.headers.get("retry-after"))
        if asked is not None:
            if asked > run.longest_pause_seconds:
                raise TeacherStopped(
                    f"{self.client.host} asks for a pause of {asked:.0f} s, more than "
                    f"teacher.longest_pause_seconds ({run.longest_pause_seconds:g} s)",
                    EXIT_PAUSE,
                )
            seconds = max(seconds, asked)
        busy = effective_status(exchange.http_status or 0, exchange.body) == 429
        probe = not self._proven.is_set()
        if busy or asked is not None or probe:
            with self._lock:
                self._resume_at = max(self._resume_at, time.monotonic() + seconds)
        if busy or asked is not None:
            self.client.gate.pause(seconds)
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


def _why_refused(host: str, status: int, exchange: Exchange) -> str:
    said = error_text(exchange.body)
    place = f"teacher.hosts.{host}"
    remedy = {
        401: f"is the key in {place}.api_key_env right, and exported?",
        403: "may this account use the model?",
        404: f"are {place}.base_url and the model name right?",
    }.get(status)
    if remedy is None:
        target = exchange.headers.get("location", "nowhere")
        return (
            f"{host} redirects ({status}) to {target[:200]}; redirects are refused, so that the "
            f"key travels nowhere else: set {place}.base_url to the address meant"
        )
    return f"{host} answers {status}: {said}; {remedy}"
