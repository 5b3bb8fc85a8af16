r"""The sample study's teacher: an OpenAI-compatible chat server on loopback that solves by rule.

Four models, one for each agent. `sample-solver` reads the statement by its wording and works it
out. Like any teacher it errs now and then: in long arithmetic it loses a carry, and it takes one
number for another. `sample-distiller` rewrites a solver's reasoning at a level. `sample-verifier`
and `sample-judge` compare an answer with the key. Each sees what its prompt says and nothing else;
the key is in the last two agents' prompts alone. Equal requests get equal bytes.

    with serve() as base_url:
        requests.post(f"{base_url}/chat/completions", json={...})

or, for a server of its own: python -m distil.synthetic.teacher --port 8765
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import hashlib
import json
import re
import threading
from dataclasses import replace
from fractions import Fraction
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from distil.content.hashing import canonical_json, sha256_text
from distil.synthetic.arithmetic import Step
from distil.synthetic.contest import CONTEST
from distil.synthetic.templates import (
    LABELS,
    Solution,
    Template,
    choose,
    pattern,
    render_steps,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

# Equal requests get equal bytes, so the time of a response is a constant.
_CREATED = 1767225600
_LARGEST_REQUEST = 1 << 20
_PROBLEM = re.compile(
    r"^Problem: (?P<statement>.*?)(?:\nOptions: ?(?P<options>.*?))?\s*\Z", re.S | re.M
)
_OPTION = re.compile(r"\(?\b([A-D])[.):]\s*([^\s;,]+)")
_LEVEL = re.compile(r"\bLevel (R[1-6])\b")
_STEP = re.compile(
    r"^Step \d+, (?P<label>[^:]+): (?P<equation>\S+?)(?:, in parts (?P<split>\S+?))?\.$", re.M
)
_CONCLUSION = re.compile(r"^The answer is (.+)\.$", re.M)
# Of 256 statements, how many are misread, get their answer in the key's form rather than a shorter
# one, and lose a carry at one given step of long arithmetic: one in parts, or with such a result.
_MISREAD, _KEYS_FORM, _LOST, _LONG, _CARRY = 10, 64, 13, 100, 10
_UNIT = re.compile(
    r"(?<=\d)\s*(?:degrees|dollars|cents|pages|minutes|(?:cubic |square )?(?:feet|inches|units)"
    r"|miles(?: per hour)?|\\?%)$"
)
_MIXED = re.compile(r"(\d+)(?:\\frac\{(\d+)\}\{(\d+)\}| (\d+)/(\d+))")
_KEY = re.compile(r"^Key: (?P<key>.*?)\nAnswer: (?P<answer>.*)\Z", re.S | re.M)


# ------------------------------------------------------------------------------------- the agents


@functools.cache
def _readers() -> tuple[tuple[Template, re.Pattern[str]], ...]:
    return tuple(
        (template, pattern(wording))
        for template in CONTEST
        for wording in (*template.textbook, *template.familiar, *template.unseen)
    )


def read_statement(statement: str) -> tuple[Template, dict[str, int]] | None:
    """Recognise a statement by its wording: its template and numbers, or None."""
    plain = " ".join(statement.split())
    for template, reader in _readers():
        if match := reader.fullmatch(plain):
            return template, {name: int(value) for name, value in match.groupdict().items()}
    return None


def answer_problem(prompt: str) -> tuple[str, str]:
    """Solve the problem in a solver's prompt.

    Returns:
        Reasoning and final content, which ends in a line `Answer: ...`.
    """
    match = _PROBLEM.search(prompt)
    found = read_statement(match["statement"]) if match else None
    if match is None or found is None:
        return (
            "I do not see how to set this problem up.",
            "I cannot solve this problem.\nAnswer: none",
        )
    listed = dict(_OPTION.findall(match["options"] or ""))
    options = tuple(listed[label] for label in LABELS if label in listed)
    try:
        solution = _work_out(*found, options, match["statement"])
    except ValueError as error:
        return f"The numbers do not fit: {error}.", "I cannot solve this problem.\nAnswer: none"
    lines = ["I take the problem one step at a time."]
    for number, step in enumerate(solution.steps, start=1):
        parts = f", in parts {step.split}" if step.split else ""
        lines.append(f"Step {number}, {step.label}: {step.equation}{parts}.")
    if options:
        lines.append(f"Among the options this is {solution.written}.")
    lines.append(f"The answer is {solution.written}.")
    return "\n".join(
        lines
    ), f"I worked it out in {len(solution.steps)} steps.\nAnswer: {solution.written}"


def _work_out(
    template: Template, numbers: dict[str, int], options: tuple[str, ...], statement: str
) -> Solution:
    """Solve as this teacher does, with its mistakes; the statement's hash decides on them.

    Raises:
        ValueError: the numbers, or the mistake made with them, lead nowhere.
    """
    chance = hashlib.sha256(statement.encode()).digest()
    right = template.solve(numbers)
    first, last = min(numbers), max(numbers)
    slip = None
    if chance[0] < _MISREAD:
        numbers = {**numbers, first: numbers[last], last: numbers[first]}
    else:
        slip = next(
            (
                (place, -10 if int(result) > _CARRY else 1)
                for place, step in enumerate(right.steps)
                if (result := step.equation.rpartition("=")[2]).isdigit()
                and (step.split or int(result) >= _LONG)
                and chance[place + 2] < _LOST
            ),
            None,
        )
    solution = template.solve(numbers, slip)
    if options and solution.answer not in options:
        nearest = min(options, key=lambda option: abs(int(option) - int(solution.answer)))
        solution = replace(solution, answer=nearest)
    solution = choose(solution, options)
    if chance[1] < _KEYS_FORM:
        solution = replace(solution, written=solution.answer)
    return solution


def distill_reasoning(prompt: str) -> str:
    """Rewrite the solution in a distiller's prompt at the level the prompt names."""
    level, conclusion = _LEVEL.search(prompt), _CONCLUSION.findall(prompt)
    if level is None or not conclusion:
        return "There is no solution to rewrite.\nAnswer: none"
    steps = tuple(
        Step(match["label"], match["equation"], match["split"] or "")
        for match in _STEP.finditer(prompt)
    )
    return render_steps(Solution(steps, conclusion[-1], conclusion[-1]), level[1])


def verify_answer(prompt: str) -> str:
    """Compare answer and key of a verifier's prompt: `CORRECT` or `INCORRECT`."""
    match = _KEY.search(prompt)
    if match is None:
        return "INCORRECT"
    answer = match["answer"].rpartition("Answer:")[2]
    return "CORRECT" if _value(match["key"]) == _value(answer) else "INCORRECT"


def _value(text: str) -> Fraction | str:
    r"""Return the number a text stands for, without its unit, or else its characters."""
    bare = _UNIT.sub("", text.strip().rstrip("."))
    if mixed := _MIXED.fullmatch(bare):
        whole, top, bottom = (int(part) for part in mixed.groups() if part)
        return whole + Fraction(top, bottom)
    plain = re.sub(r"[\s$]|\\left|\\right|\\[,;!]", "", bare).replace(r"\pi", "pi")
    plain = plain.replace(r"\dfrac", r"\frac").replace(r"\tfrac", r"\frac")
    quotient = re.sub(r"\\frac\{(-?\d+)\}\{(\d+)\}", r"\1/\2", plain)
    try:
        return Fraction(quotient)
    except (ValueError, ZeroDivisionError):
        return plain


# ------------------------------------------------------------------------------------- the server


def complete(request: dict[str, Any]) -> dict[str, Any]:
    """Answer one chat completion request.

    Args:
        request: the decoded body: `model` and `messages`; the last message is the prompt.

    Returns:
        The body of the response, as the OpenAI chat completions format has it.

    Raises:
        LookupError: the model is not one of the four.
        ValueError: there is no message with a text.
    """
    model, messages = request.get("model"), request.get("messages")
    if not isinstance(messages, list) or not messages or not isinstance(messages[-1], dict):
        raise ValueError("messages: a list with at least one message is needed")
    prompt = messages[-1].get("content")
    if not isinstance(prompt, str):
        raise ValueError("messages: the last one has no text in its content")  # noqa: TRY004
    reasoning = None
    if model == "sample-solver":
        reasoning, content = answer_problem(prompt)
    elif model == "sample-distiller":
        content = distill_reasoning(prompt)
    elif model in ("sample-verifier", "sample-judge"):
        content = verify_answer(prompt)
    else:
        raise LookupError(f"model {model!r} does not exist here")
    message = {"role": "assistant", "content": content}
    if reasoning is not None:
        message["reasoning_content"] = reasoning
    asked = sum(
        _tokens(str(turn.get("content", ""))) for turn in messages if isinstance(turn, dict)
    )
    answered = _tokens(content) + _tokens(reasoning or "")
    # The way in which an answer travels is no part of its name.
    named = {key: value for key, value in request.items() if key != "stream_options"}
    return {
        "id": f"chatcmpl-{sha256_text(canonical_json({**named, 'stream': False}))[:29]}",
        "object": "chat.completion",
        "created": _CREATED,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": asked,
            "completion_tokens": answered,
            "total_tokens": asked + answered,
        },
    }


def stream(response: dict[str, Any], *, usage: bool) -> str:
    """Return a response as server-sent events, as the chat completions format has them.

    Args:
        response: the body of a whole response.
        usage: send the token counts in an event of their own, as `stream_options` asks.
    """
    whole = response["choices"][0]
    head = {key: response[key] for key in ("id", "created", "model")}
    head["object"] = "chat.completion.chunk"
    deltas = [
        {"role": "assistant", "content": ""},
        *(
            {name: whole["message"][name]}
            for name in ("reasoning_content", "content")
            if name in whole["message"]
        ),
    ]
    choices = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    choices.append({"index": 0, "delta": {}, "finish_reason": whole["finish_reason"]})
    events = [{**head, "choices": [choice]} for choice in choices]
    if usage:
        events.append({**head, "choices": [], "usage": response["usage"]})
    return "".join(f"data: {canonical_json(event)}\n\n" for event in events) + "data: [DONE]\n\n"


def _tokens(text: str) -> int:
    return len(re.findall(r"[A-Za-z]+|\d|[^\sA-Za-z\d]", text))


class _Handler(BaseHTTPRequestHandler):
    """Answers POST /v1/chat/completions."""

    protocol_version = "HTTP/1.1"
    # Head and body leave in two writes; without this each answer would wait for an ACK.
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > _LARGEST_REQUEST:
            self.close_connection = True
            self._refuse(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Content-Length: missing or too large"
            )
            return
        body = self.rfile.read(int(length))
        if self.path.rstrip("/") != "/v1/chat/completions":
            self._refuse(HTTPStatus.NOT_FOUND, f"no such path: {self.path}")
            return
        try:
            request = json.loads(body)
            if not isinstance(request, dict):
                raise ValueError("the body is not a JSON object")  # noqa: TRY004, TRY301
            response = complete(request)
        except LookupError as error:
            self._refuse(HTTPStatus.NOT_FOUND, str(error))
        except ValueError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
        else:
            if request.get("stream"):
                options = request.get("stream_options")
                wanted = isinstance(options, dict) and bool(options.get("include_usage"))
                text = stream(response, usage=wanted)
                self._send(HTTPStatus.OK, text.encode(), "text/event-stream")
            else:
                self._send(HTTPStatus.OK, canonical_json(response).encode())

    def do_GET(self) -> None:
        self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, "only POST /v1/chat/completions is served")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Stay silent: the client keeps the journal."""

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        error = {"error": {"message": message, "type": "invalid_request_error"}}
        self._send(status, canonical_json(error).encode())

    def _send(self, status: HTTPStatus, data: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


@contextlib.contextmanager
def serve(port: int = 0) -> Iterator[str]:
    """Run the server on loopback while the context is open.

    Args:
        port: 0 for a free one.

    Yields:
        The base URL, which ends in `/v1`.
    """
    with _Server(("127.0.0.1", port), _Handler) as server:
        thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            server.shutdown()
            thread.join()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Serve the sample study's teacher on loopback.")
    parser.add_argument("--port", type=int, default=8765)
    with serve(parser.parse_args().port) as url:
        print(url, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()
