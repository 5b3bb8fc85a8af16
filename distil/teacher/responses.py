"""What a stored response says: the answer, or the named reason why it is none.

`read_reply` is pure: the same bytes always give the same reply, so a stored response can be read
again at any time. Only status `ok` is an answer. Every other status keeps a reason, and the raw
bytes stay in the journal.
"""

from __future__ import annotations

import dataclasses
import json
import re
from typing import TYPE_CHECKING, Any, NoReturn

from distil.content.hashing import sha256_bytes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

OK = "ok"

# `finish_reason` as hosts send it -> status of the reply.
FINISH_REASONS = {
    "stop": OK,
    "eos": OK,
    "length": "length",
    "content_filter": "content-filter",
    "insufficient_system_resource": "insufficient-system-resource",
    "error": "host-error",
    "abort": "host-error",
}

# Statuses that a further try may mend: the host broke off, and says so.
PASSING = frozenset({"insufficient-system-resource", "host-error"})

# Codes of error objects that stand for a status of HTTP, in a response that says 200.
_CODES = {
    "rate_limit": 429,
    "too_many_requests": 429,
    "overloaded": 503,
    "unavailable": 503,
    "server_error": 500,
    "internal": 500,
    "timeout": 504,
    "invalid_api_key": 401,
    "authentication": 401,
    "permission": 403,
    "model_not_found": 404,
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

# Statuses of what a model said, or could not say within its limits. All others are failures of the
# host, and evidence of nothing.
ANSWERED = frozenset({OK, "length", "empty-content", "no-reasoning"})

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
        text: all that the model said, as it came, reasoning in it or before it.
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
    text: str = ""
    finish: str | None = None
    usage: dict[str, int] = dataclasses.field(default_factory=dict)
    response_sha256: str | None = None

    @property
    def answered(self) -> bool:
        """Whether the model gave an answer, good or bad; what the host failed at is none."""
        return self.status in ANSWERED


class _RejectedError(ValueError):
    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def _reject(status: str, reason: str) -> NoReturn:
    raise _RejectedError(status, reason)


def read_reply(
    key: str,
    http_status: int,
    body: bytes,
    served: Collection[str],
    cause: str | None = None,
    *,
    reasoning: str = "optional",
) -> Reply:
    """Read a response.

    Args:
        key: the request's content address.
        http_status: the status code it came with.
        body: its raw bytes, decoded from gzip, at most 16 MB.
        served: the models that may have answered, by their exact names.
        cause: a fault that the transport found in a complete response (`too-large`,
            `bad-encoding`).
        reasoning: `required` gives an answer without reasoning the status `no-reasoning`.

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
        reply = _read_document(key, document, served, reasoning)
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


def effective_status(http_status: int, body: bytes) -> int:
    """Return the status of HTTP that a response stands for.

    Some hosts send an error object in a response that says 200; its code then says what it is.
    """
    if http_status != 200 or b'"error"' not in body:
        return http_status
    error = _error_object(body, only_errors=True)
    if not isinstance(error, dict):
        return http_status
    for name in ("code", "status", "type"):
        value = error.get(name)
        if isinstance(value, int | str) and re.fullmatch("[45][0-9][0-9]", str(value)):
            return int(value)
    said = error_code(body)
    return next((status for code, status in _CODES.items() if code in said), http_status)


def is_quota(http_status: int, body: bytes) -> bool:
    """Return whether a refusal means that the account is used up."""
    if http_status == 402:
        return True
    if http_status not in (200, 403, 429) or (http_status == 200 and b'"error"' not in body):
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


def _error_object(body: bytes, *, only_errors: bool = False) -> Any:
    """Return the error object of a response or of a stream's event; None if there is none."""
    text = body[: 2**20].decode("utf-8", errors="replace")
    try:
        if _STREAM.match(text):
            events = (event for event in _events(text) if '"error"' in event)
            document = json.loads(next(events, "null"))
        else:
            document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    return document.get("error") if only_errors else document.get("error", document)


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
    for value in _events(text):
        if value.strip() == "[DONE]":
            continue
        event = _load(value)
        models |= {str(event["model"])} if event.get("model") else set()
        document |= {name: event[name] for name in ("error", "usage") if event.get(name)}
        offered = event.get("choices") or []
        choice = next(iter(offered), None) if isinstance(offered, list) else None
        if not isinstance(choice, dict):
            continue
        if len(offered) > 1 or choice.get("index", 0) != 0:
            _reject("many-choices", "the host sent more than one answer to one request")
        finish = choice.get("finish_reason") or finish
        delta = choice.get("delta")
        for name in _DELTAS:
            if isinstance(delta, dict) and isinstance(delta.get(name), str):
                parts[name].append(delta[name])
        if isinstance(delta, dict):
            parts["reasoning"].append(_details(delta))
    message = {name: "".join(part) for name, part in parts.items() if part}
    choices = [{"message": message, "finish_reason": finish}]
    return {**document, "model": " and ".join(sorted(models)), "choices": choices}


def _events(text: str) -> Iterator[str]:
    """Yield the data of each server-sent event; lines end at CR, LF or both, and nowhere else."""
    data: list[str] = []
    for line in re.split("\r\n|\n|\r", text):
        field, _, value = line.partition(":")
        if field == "data":
            data.append(value.removeprefix(" "))
        elif not line and data:
            yield "\n".join(data)
            data = []
    if data:
        yield "\n".join(data)


def _details(message: dict[str, Any]) -> str:
    """Return the reasoning that stands in `reasoning_details`, unless it stands elsewhere too."""
    details = message.get("reasoning_details")
    if not isinstance(details, list) or any(
        isinstance(message.get(name), str) and message[name]
        for name in ("reasoning_content", "reasoning")
    ):
        return ""
    texts = [
        entry.get("text") or entry.get("summary") for entry in details if isinstance(entry, dict)
    ]
    return "".join(text for text in texts if isinstance(text, str))


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


def _read_document(
    key: str, document: dict[str, Any], served: Collection[str], wanted: str
) -> Reply:
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
    if len(choices) > 1:
        _reject("many-choices", f"the host sent {len(choices)} answers to one request")
    choice = choices[0]
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        _reject("bad-shape", "choices[0].message is missing")
    content = message.get("content")
    if content is not None and not isinstance(content, str):
        _reject("bad-shape", "choices[0].message.content is not text")
    text = content or ""
    reasoning, content = split_reasoning(message, text)
    if reasoning and reasoning not in text:
        text = f"<think>{reasoning}</think>{text}"
    finish = choice.get("finish_reason")
    reply = Reply(
        key,
        OK,
        served_model=model,
        reasoning=reasoning,
        content=content,
        text=text,
        finish=finish if isinstance(finish, str) else None,
        usage=_usage(document.get("usage")),
    )
    status, reason = _judge(reply, served, wanted)
    return dataclasses.replace(reply, status=status, reason=reason)


def _judge(reply: Reply, served: Collection[str], wanted: str) -> tuple[str, str]:
    if reply.served_model not in served:
        return "drift", f"{reply.served_model} answered, not {' or '.join(served)}"
    if reply.finish is None:
        return "unfinished", "there is no finish_reason: the answer may have been cut"
    status = FINISH_REASONS.get(reply.finish, "finish-unknown")
    if status != OK:
        return status, f"finish_reason is {reply.finish}"
    if "\0" in reply.content or "\0" in reply.reasoning:
        return "nul-character", "the answer holds a NUL character"
    if not reply.content:
        return "empty-content", "the answer is empty"
    if wanted == "required" and not reply.reasoning:
        return "no-reasoning", "the answer came without the reasoning before it"
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
        if isinstance(message.get(name), str) and message[name].strip()
    ][:1] or [_details(message).strip()]
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
