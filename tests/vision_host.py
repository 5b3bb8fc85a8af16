"""A vision model's host on loopback: it is sent a clipping and answers with what a test gives it."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODEL = "test-reader"


@contextlib.contextmanager
def serve(answer: Callable[[str, bytes], str]) -> Iterator[tuple[str, list[dict]]]:
    """Serve `answer(prompt, png)`; yield the address and the list of requests as they come."""
    asked: list[dict] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append(request)
            words, picture = request["messages"][0]["content"]
            head, _, data = picture["image_url"]["url"].partition(",")
            assert head == "data:image/png;base64"
            content = answer(words["text"], base64.b64decode(data, validate=True))
            choice = {"message": {"content": content}, "finish_reason": "stop"}
            body = json.dumps(
                {
                    "model": request["model"],
                    "choices": [choice],
                    "usage": {"prompt_tokens": 500, "completion_tokens": 20},
                }
            ).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1", asked
        finally:
            server.shutdown()
            thread.join()
