"""One HTTP exchange: bounded in time, in size, and in where the key may travel.

`requests` knows a time-out for each read, none for the whole: a host that sends a byte a minute
holds it for ever. Here a watchdog shuts the socket at the total deadline, wherever the exchange
stands. Deadlines count on the monotonic clock, so setting the clock moves none of them.
"""

from __future__ import annotations

import dataclasses
import heapq
import http.client
import itertools
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
import requests.auth
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

if TYPE_CHECKING:
    from collections.abc import Mapping

BODY_LIMIT = 16 * 2**20
_PIECE = 2**16
# Headers worth keeping with a response; all others may carry cookies or the like.
KEPT_HEADERS = ("content-type", "content-encoding", "retry-after", "location", "x-request-id")

_exchange = threading.local()


@dataclasses.dataclass(frozen=True)
class Exchange:
    """What one request met with.

    Attributes:
        http_status: status code, or None if no response began.
        headers: those of KEPT_HEADERS that came, in lower case.
        body: what was received, decoded from gzip, cut at 16 MB.
        fault: None if the response is complete, else `connect-failed`, `dns-failed`,
            `tls-failed`, `not-http`, `reset`, `silence`, `cut-short`, `deadline`, `too-large` or
            `bad-encoding`.
        detail: one line about the fault.
    """

    http_status: int | None
    headers: dict[str, str]
    body: bytes
    fault: str | None = None
    detail: str = ""


class _Watch:
    """The deadline of one exchange."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.expired = False
        self.done = False
        self.reached = False
        self.socket: socket.socket | None = None
        self._lock = threading.Lock()

    def follow(self, connection: socket.socket | None) -> None:
        with self._lock:
            self.socket, self.reached = connection, True
            if self.expired:
                self._shut()

    def allow_silence(self, seconds: float) -> None:
        with self._lock:
            if self.socket is not None:
                self.socket.settimeout(seconds)

    def expire(self) -> None:
        with self._lock:
            if not self.done:
                self.expired = True
                self._shut()

    def finish(self) -> None:
        with self._lock:
            self.done = True
            self.socket = None

    def _shut(self) -> None:
        if self.socket is None:
            return
        try:
            # The plain method also for TLS: the other thread may be inside an SSL read.
            socket.socket.shutdown(self.socket, socket.SHUT_RDWR)
        except OSError:
            return


class _Watchdog:
    """One thread that ends exchanges at their deadlines."""

    def __init__(self) -> None:
        self._order = itertools.count()
        self._heap: list[tuple[float, int, _Watch]] = []
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def watch(self, seconds: float) -> _Watch:
        watch = _Watch(time.monotonic() + seconds)
        with self._changed:
            heapq.heappush(self._heap, (watch.deadline, next(self._order), watch))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True, name="deadlines")
                self._thread.start()
            self._changed.notify()
        return watch

    def _run(self) -> None:
        while True:
            with self._changed:
                while self._heap and self._heap[0][2].done:
                    heapq.heappop(self._heap)
                if not self._heap:
                    self._changed.wait()
                    continue
                remaining = self._heap[0][0] - time.monotonic()
                if remaining > 0:
                    self._changed.wait(remaining)
                    continue
                watch = heapq.heappop(self._heap)[2]
            watch.expire()


class _WatchedHTTP(HTTPConnection):
    def connect(self) -> None:
        super().connect()
        _exchange.watch.follow(self.sock)

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:
            _exchange.watch.follow(self.sock)
        super().request(*args, **kwargs)


class _WatchedHTTPS(HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        _exchange.watch.follow(self.sock)

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:
            _exchange.watch.follow(self.sock)
        super().request(*args, **kwargs)


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _WatchedHTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedHTTPS


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
        return manager


class _Bearer(requests.auth.AuthBase):
    """Sends the key, if there is one; being set at all, it also keeps ~/.netrc out."""

    def __init__(self, secret: str | None) -> None:
        self._secret = secret

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._secret:
            request.headers["Authorization"] = f"Bearer {self._secret}"
        return request

    def __repr__(self) -> str:
        return "_Bearer(...)"

    def __reduce__(self) -> Any:
        raise TypeError("the key is never pickled")


class Transport:
    """Sends chat requests to one host; safe to share between threads.

    Args:
        base_url: the API's address up to and without `/chat/completions`.
        secret: the API key, or None.
        connect: seconds allowed for a connection.
        idle: seconds allowed between two bytes.
        total: seconds allowed for one exchange, whatever happens in it.
        streamed: the host answers piece by piece. Where it does not, it says nothing until its
            answer is complete, so that only the total deadline bounds that silence.
    """

    def __init__(
        self,
        base_url: str,
        secret: str | None,
        *,
        connect: float,
        idle: float,
        total: float,
        streamed: bool = True,
    ) -> None:
        self.url = base_url.rstrip("/") + "/chat/completions"
        self._auth = _Bearer(secret)
        self._secret = secret.encode("utf-8") if secret else b""
        self._connect, self._idle, self._total = min(connect, total), min(idle, total), total
        self._first_byte = self._idle if streamed else total
        self._loopback = urlsplit(base_url).hostname in ("127.0.0.1", "::1", "localhost")
        self._sessions = threading.local()
        self._all: list[requests.Session] = []
        self._lock = threading.Lock()
        self._watchdog = _Watchdog()

    def _session(self) -> requests.Session:
        session = getattr(self._sessions, "session", None)
        if session is None:
            session = requests.Session()
            # Proxies and certificates of the environment count for real hosts only.
            session.trust_env = not self._loopback
            for scheme in ("http://", "https://"):
                session.mount(scheme, _Adapter(pool_connections=1, pool_maxsize=1, max_retries=0))
            self._sessions.session = session
            with self._lock:
                self._all.append(session)
        return session

    def _send(self, body: bytes) -> requests.Response:
        """Send a body by this thread's session; all but the body is prepared once."""
        session, sessions = self._session(), self._sessions
        if not hasattr(sessions, "prepared"):
            headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
            # A body must be there, or the length of the next one would not be sent.
            request = requests.Request("POST", self.url, headers, data=b"{}", auth=self._auth)
            sessions.prepared = session.prepare_request(request)
            sessions.settings = session.merge_environment_settings(self.url, {}, True, None, None)
        prepared = sessions.prepared.copy()
        prepared.body = body
        prepared.headers["Content-Length"] = str(len(body))
        return session.send(
            prepared,
            timeout=(self._connect, self._first_byte),
            allow_redirects=False,
            **sessions.settings,
        )

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for session in self._all:
                session.close()
            self._all.clear()

    def post(self, body: bytes) -> Exchange:
        """Send one chat request, once.

        Returns:
            what came back; never an exception of the network.
        """
        watch = self._watchdog.watch(self._total)
        _exchange.watch = watch
        received = bytearray()
        status: int | None = None
        headers: dict[str, str] = {}
        response = None
        fault, detail = None, ""
        try:
            response = self._send(body)
            status = response.status_code
            headers = self._kept(response.headers)
            watch.allow_silence(self._idle)
            fault = _read_body(response.raw, received)
        except (
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            OSError,
            ValueError,
        ) as error:
            fault = _name_fault(error, connected=watch.reached, began=status is not None)
            detail = _one_line(error)
        finally:
            watch.finish()
            if response is not None:
                if fault:
                    response.raw.close()
                response.close()
        if watch.expired:
            fault, detail = "deadline", f"no complete answer within {self._total:g} s"
        return Exchange(
            status, headers, self._redact(bytes(received)), fault, self._redact_text(detail)
        )

    def _redact(self, data: bytes) -> bytes:
        """Take the key out of what a host sends back: some quote it in their errors."""
        return data.replace(self._secret, b"[api key]") if self._secret else data

    def _kept(self, headers: Mapping[str, str]) -> dict[str, str]:
        names = [name for name in KEPT_HEADERS if name in headers]
        return {name: self._redact_text(headers[name][:1000]) for name in names}

    def _redact_text(self, text: str) -> str:
        return self._redact(text.encode("utf-8", errors="replace")).decode("utf-8")


def _read_body(raw: Any, received: bytearray) -> str | None:
    """Append a body to `received`, piece by piece; return the fault that ended it, or None."""
    if raw.chunked:
        pieces = raw.stream(_PIECE, decode_content=True)
    else:
        # read1 hands over what has come so far, so a body cut short is kept up to the cut.
        pieces = iter(lambda: raw.read1(_PIECE, decode_content=True), b"")
    for piece in pieces:
        received += piece
        if len(received) > BODY_LIMIT:
            del received[BODY_LIMIT:]
            return "too-large"
    return None


def _name_fault(error: Exception, *, connected: bool, began: bool) -> str:
    causes = _causes(error)
    if not connected:
        for cause in causes:
            # An end in the middle of a handshake may pass; a certificate or a protocol does not.
            if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError):
                return "tls-failed"
            # A server of names that cannot be reached just now is no wrong name.
            if isinstance(cause, socket.gaierror) and cause.errno != socket.EAI_AGAIN:
                return "dns-failed"
        return "connect-failed"
    if any(isinstance(item, urllib3.exceptions.DecodeError) for item in causes):
        return "bad-encoding"
    if any(isinstance(item, TimeoutError | urllib3.exceptions.TimeoutError) for item in causes):
        return "silence"
    if not began and any(
        isinstance(item, http.client.BadStatusLine)
        and not isinstance(item, http.client.RemoteDisconnected)
        for item in causes
    ):
        return "not-http"
    return "cut-short" if began else "reset"


def _causes(error: Exception) -> list[BaseException]:
    """Return an error and those that it was made from; libraries keep them in different places."""
    chain: list[BaseException] = [error]
    while True:
        inner = chain[-1]
        following = next((item for item in inner.args if isinstance(item, BaseException)), None)
        following = getattr(inner, "reason", None) or following or inner.__cause__
        following = following or inner.__context__
        if not isinstance(following, BaseException) or following in chain:
            return chain
        chain.append(following)


def _one_line(error: Exception) -> str:
    """Say what went wrong at the bottom, not through how many libraries it came."""
    cause = _causes(error)[-1]
    return " ".join(f"{type(cause).__name__}: {cause}".split())[:300]
