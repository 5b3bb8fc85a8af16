"""A host on loopback that solves by rule like the sample's teacher, and fails as it is told.

Options may be changed while it runs. Every request is counted, answered or not.
"""

from __future__ import annotations

import collections
import json
import random
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from distil.synthetic.teacher import complete, stream


class RuleHost:
    """The host.

    Attributes:
        latency: seconds from request to the end of the answer, or a function that draws them.
        pieces: into how many pieces that time is cut; each is a piece of the answer where the
            request asks for a stream.
        served: puts another name into the response, by a function of the model's.
        error: an error object that is sent in a response that says 200.
        refuse: a status with which every request is refused.
        boxed: the distiller's first tries end in a box instead of an answer line.
        cut: some of the solver's answers are cut at the limit while that is at most so many tokens.
        tokens: completion tokens of every answer's usage.
        fail: share of requests that end in 503.
        hide_reasoning: the solver's reasoning is left out.
        down: every request is refused with 503, as by a proxy in front of a host that is gone.
        pause: the next request is refused with 429, and a Retry-After of so many seconds.
        separators: Unicode's line separators stand at the start of the solver's answers.
        paid: answers that were sent whole, by model, prompt, limit and the model that was served.
        bill: what they cost at 1 USD a million tokens of prompts and 2 USD a million of answers.
        moments: when each request came, on the monotonic clock.
    """

    def __init__(self, **options) -> None:
        self.latency = 0.0
        self.pieces = 4
        self.served = None
        self.error = None
        self.refuse = 0
        self.boxed = False
        self.cut = 0
        self.tokens = None
        self.fail = 0.0
        self.hide_reasoning = False
        self.down = False
        self.pause = 0
        self.separators = False
        vars(self).update(options)
        self.requests: list[dict] = []
        self.counts: collections.Counter[str] = collections.Counter()
        self.headers: list[dict[str, str]] = []
        self.moments: list[float] = []
        self.paid: collections.Counter[tuple[str, str, int, str]] = collections.Counter()
        self.bill = 0.0
        self.peak = self._now = 0
        self._lock = threading.Lock()
        self._random = random.Random(5)

    def __enter__(self) -> RuleHost:
        host = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                host.take(json.loads(body), self)

            def log_message(self, *arguments: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 512

            def handle_error(self, *_: object) -> None:
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def busy(self) -> bool:
        return self._now > 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def take(self, request: dict, handler: BaseHTTPRequestHandler) -> None:
        with self._lock:
            prompt = request["messages"][-1]["content"]
            self.requests.append(request)
            self.moments.append(time.monotonic())
            self.headers.append({key.lower(): value for key, value in handler.headers.items()})
            self.counts[f"{request['model']} {prompt}"] += 1
            fails = self._random.random() < self.fail
            latency = self.latency() if callable(self.latency) else self.latency
            self._now += 1
            self.peak = max(self.peak, self._now)
        try:
            self._respond(request, handler, fails, latency)
        except (BrokenPipeError, ConnectionError):
            pass
        finally:
            with self._lock:
                self._now -= 1

    def _respond(self, request, handler, fails: bool, latency: float) -> None:
        with self._lock:
            pause, self.pause = self.pause, 0
        if pause:
            self._send(handler, 429, {"error": {"message": "slow down"}}, {"Retry-After": pause})
            return
        if self.down or self.refuse or fails:
            self._send(handler, self.refuse or 503, {"error": {"message": "refused by the host"}})
            return
        if self.error is not None:
            self._send(handler, 200, {"error": self.error})
            return
        try:
            response = complete(request)
        except LookupError as error:
            self._send(handler, 400, {"error": {"message": str(error)}})
            return
        self._spoil(response, request)
        if request.get("stream"):
            self._stream(handler, response, latency)
        else:
            time.sleep(latency)
            self._send(handler, 200, response)
        asked = request["model"], request["messages"][-1]["content"], request["max_tokens"]
        with self._lock:
            self.paid[*asked, response["model"]] += 1
            usage = response["usage"]
            self.bill += usage["prompt_tokens"] / 1e6 + 2 * usage["completion_tokens"] / 1e6

    def _stream(self, handler, response: dict, latency: float) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        text = stream(response, usage=True).encode()
        size = len(text) // self.pieces + 1
        for start in range(0, len(text), size):
            time.sleep(latency / self.pieces)
            piece = text[start : start + size]
            handler.wfile.write(b"%x\r\n" % len(piece) + piece + b"\r\n")
            handler.wfile.flush()
        handler.wfile.write(b"0\r\n\r\n")

    def _spoil(self, response: dict, request: dict) -> None:
        choice = response["choices"][0]
        message = choice["message"]
        if self.served:
            response["model"] = self.served(response["model"])
        second = "What is wrong with it" in request["messages"][-1]["content"]
        if self.boxed and not second and "distiller" in request["model"]:
            head, _, answer = message["content"].rpartition("Answer: ")
            message["content"] = f"{head}\\boxed{{{answer}}}"
        if self.hide_reasoning:
            message.pop("reasoning_content", None)
        if self.separators and "solver" in request["model"]:
            message["content"] = f"line\u2028one\u0085two\n{message['content']}"
        if self.tokens is not None:
            response["usage"]["completion_tokens"] = self.tokens
        long = "solver" in request["model"] and len(request["messages"][-1]["content"]) % 4 == 0
        if long and request["max_tokens"] <= self.cut:
            choice["finish_reason"] = "length"

    @staticmethod
    def _send(handler, status: int, value: dict, headers: dict | None = None) -> None:
        data = json.dumps(value).encode()
        handler.send_response(status)
        for name, text in (headers or {}).items():
            handler.send_header(name, str(text))
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)
