"""A chat host that misbehaves on request, over real sockets.

The prompt says how: `reset ok #7` resets the first request for this prompt and answers the second
and all later ones; what follows `#` only makes prompts differ. With a `script`, the order of
arrival says how instead, whatever the prompts are. Every request is counted.

In this process, in a thread: `with FaultHost() as host`. As a process of its own, so that a client
under measurement has its processor to itself: `python tests/faults/fault_host.py --log FILE`
prints its address and appends one line a request to FILE.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import gzip
import json
import socket
import struct
import threading
from pathlib import Path

MODEL = "pinned-model"
IDLE = 3600


def completion(content: str = "Answer: 1", **changes) -> dict:
    message = {"role": "assistant", "content": content, **changes.pop("message", {})}
    return {
        "id": "x",
        "model": MODEL,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 20},
        **changes,
    }


def finished(reason: str) -> dict:
    return completion(choices=[{"message": {"content": "cut"}, "finish_reason": reason}])


def http(status: int, body: bytes | dict | str, **headers: str) -> bytes:
    if isinstance(body, dict):
        body = json.dumps(body)
    if isinstance(body, str):
        body = body.encode()
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def refused(status: int, code: str = "", **headers: str) -> bytes:
    return http(status, {"error": {"message": f"says {status}", "code": code}}, **headers)


def with_content(text: str) -> bytes:
    """A completion whose content is put in as it stands, not escaped."""
    head, tail = json.dumps(completion("@@")).split("@@")
    return (head + text + tail).encode()


WHOLE = json.dumps(completion())


def event(**changes) -> str:
    return "data: " + json.dumps({"model": MODEL, **changes}) + "\n\n"


def piece(finish: str | None = None, **delta: str) -> str:
    return event(choices=[{"delta": delta, "finish_reason": finish}])


STREAM = [
    piece(role="assistant", reasoning_content="w"),
    ": keep-alive\n\n",
    piece(reasoning_content="hy"),
    piece(content="Answer"),
    piece(content=": 1"),
    piece("stop", content=""),
    event(choices=[], usage={"prompt_tokens": 10, "completion_tokens": 20}),
    "data: [DONE]\n\n",
]

# Whole responses, each followed by more requests on the same connection.
RESPONSES: dict[str, bytes] = {
    "ok": http(200, WHOLE),
    **{f"http-{status}": refused(status) for status in (400, 401, 402, 403, 404, 408, 409)},
    **{f"http-{status}": refused(status) for status in (413, 422, 425, 429, 500, 502, 503, 529)},
    "quota-429": refused(429, "insufficient_quota"),
    "pause-3600": refused(429, Retry_After="3600"),
    "pause-negative": refused(429, Retry_After="-5"),
    "pause-nan": refused(503, Retry_After="NaN"),
    "redirect": http(307, "", Location="http://127.0.0.1:9/stolen"),
    "html": http(200, "<!DOCTYPE html><p>Welcome", Content_Type="text/html"),
    "empty-body": http(200, ""),
    "error-object": http(200, {"error": {"message": "overloaded", "code": 1}}),
    "no-choices": http(200, {"model": MODEL, "choices": []}),
    "bad-json": http(200, WHOLE[:-3]),
    "nan": http(200, WHOLE.replace("10", "NaN")),
    "bad-utf8": http(200, with_content("\0").replace(b"\0", b"\xff\xfe")),
    "number-too-long": http(200, WHOLE.replace("10", "1" * 5000)),
    "too-deep": http(200, "[" * 200_000 + "]" * 200_000),
    "deep-field": http(200, WHOLE[:-1] + ', "x": ' + "[" * 200_000 + "]" * 200_000 + "}"),
    "lone-surrogate": http(200, with_content("half \\ud83d of it")),
    "nul-character": http(200, with_content("x\\u0000y")),
    "nul-byte": http(200, with_content("x\0y")),
    "empty-content": http(200, completion("")),
    "null-content": http(200, completion(message={"content": None})),
    "only-thought": http(200, completion("<think>hm")),
    "length": http(200, finished("length")),
    "content-filter": http(200, finished("content_filter")),
    "insufficient-system-resource": http(200, finished("insufficient_system_resource")),
    "finish-unknown": http(200, finished("tool_calls")),
    "drift": http(200, completion(model="pinned-model-v2")),
    "not-an-object": http(200, "[1]"),
    "content-list": http(200, completion(message={"content": ["x"]})),
    "keep-alive": http(200, "\n\n: working\n\n" + WHOLE),
    "gzip": http(200, gzip.compress(WHOLE.encode()), Content_Encoding="gzip"),
    "bad-encoding": http(200, WHOLE, Content_Encoding="gzip"),
    "stream": http(200, ": wait\n\n" + "".join(STREAM)),
    "stream-unfinished": http(200, "".join(STREAM[:4])),
    "stream-drift": http(200, "".join(STREAM).replace(MODEL, "other", 1)),
    "stream-error": http(200, STREAM[0] + event(error={"message": "overloaded"})),
    "many-choices": http(200, completion(choices=[{"message": {"content": "x"}}] * 2)),
    "stream-many-choices": http(
        200, "".join(STREAM).replace('"choices": [{', '"choices": [{"index": 1, ')
    ),
    "finish-error": http(200, finished("error")),
    **{
        f"error-{status}": http(200, {"error": {"message": f"says {status}", "code": status}})
        for status in (401, 402, 503)
    },
    "error-rate": http(200, {"error": {"message": "slow down", "type": "rate_limit_exceeded"}}),
    "stream-error-503": http(200, STREAM[0] + event(error={"message": "over", "code": 503})),
    "stream-bad-json": http(200, STREAM[0] + "data: {oops\n\n"),
    "big-bill": http(200, completion(usage={"prompt_tokens": 10, "completion_tokens": 100})),
    "bad-bill": http(200, completion(usage={"prompt_tokens": -1, "completion_tokens": 10**30})),
    "no-bill": http(200, completion(usage=None)),
    "zero-bill": http(200, completion(usage={"prompt_tokens": 0, "completion_tokens": 0})),
    "absurd-bill": http(200, completion(usage={"prompt_tokens": 9, "completion_tokens": 999_999})),
    "reasoning-content": http(200, completion(message={"reasoning_content": "why"})),
    "reasoning": http(200, completion(message={"reasoning": "why"})),
    "reasoning-details": http(
        200, completion(message={"reasoning_details": [{"type": "text", "text": "why"}]})
    ),
    "think-tags": http(200, completion("<think>\nwhy\n</think>\n\nAnswer: 1")),
    "think-unopened": http(200, completion("why\n</think>\nAnswer: 1")),
}


class FaultHost:
    """The host, in a thread of this process.

    Attributes:
        requests: (prompt, headers in lower case) of every request, in order of arrival.
        peak: most requests in flight at one time.
    """

    def __init__(
        self, latency: float = 0.0, log: str | None = None, tls=None, script: str = ""
    ) -> None:
        self.latency = latency
        self.script = script
        self.port = 0
        self._tls = tls
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.counts: collections.Counter[str] = collections.Counter()
        self.peak = self._now = 0
        self._log = Path(log).open("ab", buffering=0) if log else None  # noqa: SIM115
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()

    def __enter__(self) -> FaultHost:
        self._thread = threading.Thread(target=self.run, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        server = await asyncio.start_server(
            self._connection, "127.0.0.1", self.port, backlog=1024, limit=2**20, ssl=self._tls
        )
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        if self._log:
            print(self.url, flush=True)
        await self._stop.wait()
        server.close()
        for task in asyncio.all_tasks():
            if task is not asyncio.current_task():
                task.cancel()

    async def _connection(self, reader, writer) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                headers = dict(line.lower().split(": ", 1) for line in head[1:] if ": " in line)
                body = await reader.readexactly(int(headers["content-length"]))
                self._now += 1
                self.peak = max(self.peak, self._now)
                try:
                    await self._respond(json.loads(body), headers, writer)
                finally:
                    self._now -= 1
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _respond(self, request: dict, headers: dict[str, str], writer) -> None:
        prompt = request["messages"][-1]["content"]
        plan = (self.script or prompt.partition("#")[0]).split()
        number = len(self.requests) if self.script else self.counts[prompt]
        fault = plan[min(number, len(plan) - 1)]
        self.counts[prompt] += 1
        self.requests.append((prompt, headers))
        if self._log:
            self._log.write(prompt.encode() + b"\n")
        if self.latency:
            await asyncio.sleep(self.latency)
        if fault in RESPONSES:
            writer.write(RESPONSES[fault])
            await writer.drain()
            return
        await getattr(self, "_" + fault.replace("-", "_"))(writer, headers)

    async def _slow(self, writer, headers) -> None:
        await asyncio.sleep(1)
        writer.write(RESPONSES["ok"])
        await writer.drain()

    async def _reset(self, writer, headers) -> None:
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()
        raise ConnectionResetError

    async def _closed(self, writer, headers) -> None:
        raise ConnectionResetError

    async def _silence(self, writer, headers) -> None:
        await asyncio.sleep(IDLE)

    async def _half_then_silence(self, writer, headers) -> None:
        writer.write(RESPONSES["ok"][:-20])
        await asyncio.sleep(IDLE)

    async def _cut_short(self, writer, headers) -> None:
        writer.write(RESPONSES["ok"][:-20])
        await writer.drain()
        raise ConnectionResetError

    async def _chunk_cut(self, writer, headers) -> None:
        writer.write(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n100\r\n{")
        await writer.drain()
        raise ConnectionResetError

    async def _chunk_end_missing(self, writer, headers) -> None:
        body = WHOLE.encode()
        writer.write(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % len(body))
        writer.write(body + b"\r\n")
        await writer.drain()
        raise ConnectionResetError

    async def _keep_alive_chunks(self, writer, headers) -> None:
        writer.write(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(3):
            writer.write(b"1\r\n\n\r\n")
            await writer.drain()
            await asyncio.sleep(0.1)
        body = WHOLE.encode()
        writer.write(b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n")
        await writer.drain()

    async def _slow_stream(self, writer, headers) -> None:
        writer.write(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n")
        for part in STREAM:
            writer.write(b"%x\r\n" % len(part) + part.encode() + b"\r\n")
            await writer.drain()
            await asyncio.sleep(0.02)
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    async def _keep_alive_for_ever(self, writer, headers) -> None:
        writer.write(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1\r\n\n\r\n")
            await writer.drain()
            await asyncio.sleep(0.1)

    async def _drip_body(self, writer, headers) -> None:
        writer.write(b"HTTP/1.1 200 X\r\nContent-Length: 100000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.1)

    async def _drip_chunk(self, writer, headers) -> None:
        writer.write(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\nFFFF\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.1)

    async def _drip_head(self, writer, headers) -> None:
        writer.write(b"HTTP/1.1 200 X\r\nX-Long: ")
        while True:
            writer.write(b"a")
            await writer.drain()
            await asyncio.sleep(0.1)

    async def _too_large(self, writer, headers) -> None:
        writer.write(b"HTTP/1.1 200 X\r\nContent-Length: 200000000\r\n\r\n")
        for _ in range(200):
            writer.write(b" " * 1_000_000)
            await writer.drain()

    async def _gzip_bomb(self, writer, headers) -> None:
        squeezed = gzip.compress(b" " * 200_000_000, compresslevel=1)
        writer.write(http(200, squeezed, Content_Encoding="gzip"))
        await writer.drain()

    async def _quota_echo_key(self, writer, headers) -> None:
        await self._echo_key(writer, headers, 402)

    async def _echo_key(self, writer, headers, status=400) -> None:
        said = f"bad key: {headers.get('authorization')}"
        writer.write(http(status, {"error": {"message": said, "code": said}}, X_Request_Id=said))
        await writer.drain()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--log", required=True)
    chosen = parser.parse_args()
    FaultHost(chosen.latency, chosen.log).run()
