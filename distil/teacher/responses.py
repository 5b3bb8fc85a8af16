"""What a stored response says: the answer, or the named reason why it is none.

`read_reply` is pure: the same bytes always give the same reply, so a stored response can be read
again at any time. Only status `ok` is an answer. Every other status keeps a reason, and the raw
bytes stay in the journal.
"""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any, NoReturn

from distil.content.hashing import sha256_bytes

OK = "ok"

# `finish_reason` as hosts send it -> status of the reply.
FINISH_REASONS = {
    "stop": OK,
    "eos": OK,
    "length": "length",
    "content_filter": "content-filter",
    "insufficient_system_resource": "insufficient-system-resource",
}

QUOTA_CODES = frozenset(
    {
        "insufficient_quota",
        "insufficient_balance",
        "insufficient_funds",
        "insufficient_credits",
        "quota_exceeded",
        "exceeded_current_quota_error",
        "billing_hard_limit_reached",
        "billing_not_active",
        "arrearage",
    }
)

_STREAM = re.compile(r"(?:event:[^\n]*\n|id:[^\n]*\n|retry:[^\n]*\n|\s)*data:")
_DELTAS = ("content", "reasoning_content", "reasoning")
_OPENING = re.compile(r"\A\s*<think>")
_CLOSING = "</think>"


@dataclasses.dataclass(frozen=True)
class Reply:
    """A response, read.

    Attributes:
        key: the request's content address.
        status: `ok`, or the name of what is wrong with it.
        reason: one line for people; empty if ok.
        served_model: the model that the host says answered.
        reasoning: what the model thought before it answered; empty if it showed nothing.
        content: the answer, without the reasoning.
        finish: the host's own finish_reason.
        usage: prompt_tokens, completion_tokens and, where given, cached_tokens.
        response_sha256: of the raw bytes; None if there are none.
    """

    key: str
    status: str
    reason: str = ""
    served_model: str | None = None
    reasoning: str = ""
    content: str = ""
    finish: str | None = None
    usage: dict[str, int] = dataclasses.field(default_factory=dict)
    response_sha256: str | None = None


class _RejectedError(ValueError):
    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def _reject(status: str, reason: str) -> NoReturn:
    raise _RejectedError(status, reason)


def read_reply(
    key: str, http_status: int, body: bytes, served_model: str, cause: str | None = None
) -> Reply:
    """Read a response.

    Args:
        key: the request's content address.
        http_status: the status code it came with.
        body: its raw bytes, decoded from gzip, at most 16 MB.
        served_model: the model that must have answered, by its exact name.
        cause: a fault that the transport found in a complete response (`too-large`,
            `bad-encoding`).

    Returns:
        the reply; never an exception, whatever the bytes are.
    """
    digest = sha256_bytes(body)
    if http_status != 200:
        return Reply(key, f"http-{http_status}", error_text(body), response_sha256=digest)
    if cause:
        return Reply(key, cause, "the body could not be taken in whole", response_sha256=digest)
    try:
        document = _parse(body)
        reply = _read_document(key, document, served_model)
    except _RejectedError as error:
        return Reply(key, error.status, str(error), response_sha256=digest)
    return dataclasses.replace(reply, response_sha256=digest)


def error_code(body: bytes) -> str:
    """Return the code (or type) of an OpenAI-style error object, in lower case, or ''."""
    error = _error_object(body)
    if isinstance(error, dict):
        for name in ("code", "type"):
            if isinstance(error.get(name), str):
                return error[name].lower()
    return ""


def is_quota(http_status: int, body: bytes) -> bool:
    """Return whether a refusal means that the account is used up."""
    if http_status == 402:
        return True
    if http_status not in (200, 403, 429):
        return False
    error = _error_object(body)
    if not isinstance(error, dict):
        return False
    return any(str(error.get(name)).lower() in QUOTA_CODES for name in ("code", "type"))


def error_text(body: bytes) -> str:
    """Return what an error response says, in one line of at most 300 characters."""
    error = _error_object(body)
    message = error.get("message") if isinstance(error, dict) else error
    if not isinstance(message, str) or not message:
        message = body[:2000].decode("utf-8", errors="replace")
    printable = "".join(letter if letter.isprintable() else " " for letter in message)
    return " ".join(printable.split())[:300]


def _error_object(body: bytes) -> Any:
    try:
        document = json.loads(body[: 2**20])
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    return document.get("error", document)


def _parse(body: bytes) -> dict[str, Any]:
    if b"\0" in body:
        _reject("nul-character", "the body holds a NUL byte")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        _reject("bad-utf8", f"byte {error.start} is not UTF-8")
    text = _without_keep_alives(text)
    if not text:
        _reject("empty-body", "the body is empty")
    if text.startswith("<"):
        _reject("html", "the body is a web page, not JSON: is base_url right?")
    if _STREAM.match(text):
        return _join_events(text)
    return _load(text)


def _load(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        _reject("bad-json", f"not JSON: {error}")
    except RecursionError:
        _reject("too-deep", "brackets are nested too deep")
    except ValueError as error:
        if isinstance(error, _RejectedError):
            raise
        # Python refuses integers of more than 4,300 digits.
        _reject("number-too-long", "a number has more digits than any answer needs")
    if not isinstance(document, dict):
        _reject("bad-shape", "the body is not a JSON object")
    try:
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        _reject("lone-surrogate", "a string holds half a character")
    return document


def _join_events(text: str) -> dict[str, Any]:
    """Join a stream of server-sent events (`data: {...}`) into what one response would have been.

    If the events name several models, the joined document names them all, which is drift.
    """
    document: dict[str, Any] = {}
    models, parts, finish = set(), {name: [] for name in _DELTAS}, None
    for line in text.splitlines():
        field, _, value = line.partition(":")
        if field != "data" or value.strip() == "[DONE]":
            continue
        event = _load(value)
        models |= {str(event["model"])} if event.get("model") else set()
        document |= {name: event[name] for name in ("error", "usage") if event.get(name)}
        choice = next(iter(event.get("choices") or []), None)
        if not isinstance(choice, dict):
            continue
        finish = choice.get("finish_reason") or finish
        delta = choice.get("delta")
        for name in _DELTAS:
            if isinstance(delta, dict) and isinstance(delta.get(name), str):
                parts[name].append(delta[name])
    message = {name: "".join(part) for name, part in parts.items() if part}
    choices = [{"message": message, "finish_reason": finish}]
    return {**document, "model": " and ".join(sorted(models)), "choices": choices}


def _no_constant(name: str) -> NoReturn:
    _reject("bad-json", f"not JSON: {name} is no number")


def _without_keep_alives(text: str) -> str:
    """Drop what hosts send while the model thinks: blank lines and comments (`: ...`)."""
    start = 0
    while start < len(text):
        end = text.find("\n", start)
        line = text[start : end if end >= 0 else len(text)].strip()
        if line and not line.startswith(":"):
            break
        if end < 0:
            return ""
        start = end + 1
    return text[start:].strip()


def _read_document(key: str, document: dict[str, Any], served_model: str) -> Reply:
    if document.get("error"):
        error = document["error"]
        message = error.get("message", error) if isinstance(error, dict) else error
        _reject("error-object", f"the host reports an error: {str(message)[:300]}")
    model = document.get("model")
    if not isinstance(model, str):
        _reject("bad-shape", "the field model is missing")
    choices = document.get("choices")
    if not isinstance(choices, list) or not choices:
        _reject("no-choices", "the field choices is missing or empty")
    choice = choices[0]
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        _reject("bad-shape", "choices[0].message is missing")
    content = message.get("content")
    if content is not None and not isinstance(content, str):
        _reject("bad-shape", "choices[0].message.content is not text")
    reasoning, content = split_reasoning(message, content or "")
    finish = choice.get("finish_reason")
    reply = Reply(
        key,
        OK,
        served_model=model,
        reasoning=reasoning,
        content=content,
        finish=finish if isinstance(finish, str) else None,
        usage=_usage(document.get("usage")),
    )
    status, reason = _judge(reply, served_model)
    return dataclasses.replace(reply, status=status, reason=reason)


def _judge(reply: Reply, served_model: str) -> tuple[str, str]:
    if reply.served_model != served_model:
        return "drift", f"{reply.served_model} answered, not {served_model}"
    if reply.finish is None:
        return "unfinished", "there is no finish_reason: the answer may have been cut"
    status = FINISH_REASONS.get(reply.finish, "finish-unknown")
    if status != OK:
        return status, f"finish_reason is {reply.finish}"
    if "\0" in reply.content or "\0" in reply.reasoning:
        return "nul-character", "the answer holds a NUL character"
    if not reply.content:
        return "empty-content", "the answer is empty"
    return OK, ""


def split_reasoning(message: dict[str, Any], content: str) -> tuple[str, str]:
    """Return (reasoning, answer), wherever the host put the reasoning.

    It may stand in `reasoning_content`, in `reasoning`, or in the content up to `</think>`, where
    the opening tag may be missing because the prompt's template had already written it. A tag that
    is opened and never closed leaves no answer.
    """
    parts = [
        message[name].strip()
        for name in ("reasoning_content", "reasoning")
        if isinstance(message.get(name), str)
    ][:1]
    thought, closing, answer = content.rpartition(_CLOSING)
    if closing:
        parts.append(_OPENING.sub("", thought).strip())
    elif _OPENING.match(content):
        parts.append(_OPENING.sub("", content).strip())
        answer = ""
    return "\n\n".join(part for part in parts if part), answer.strip()


def _usage(usage: Any) -> dict[str, int]:
    """Return the token counts that are plausible; a missing or silly one is left out."""
    if not isinstance(usage, dict):
        return {}
    found = {name: usage.get(name) for name in ("prompt_tokens", "completion_tokens")}
    details = usage.get("prompt_tokens_details")
    found["cached_tokens"] = usage.get(
        "prompt_cache_hit_tokens",
        details.get("cached_tokens") if isinstance(details, dict) else None,
    )
    return {
        name: value
        for name, value in found.items()
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9
    }
