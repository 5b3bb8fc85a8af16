"""A client against the fault host, with settings that make tests quick."""

from __future__ import annotations

import io

from distil.teacher.client import TeacherClient
from distil.teacher.journal import Journal
from distil.teacher.settings import TeacherSettings
from tests.faults.fault_host import MODEL

SETTINGS = {
    "base_url": "http://127.0.0.1:9/v1",
    "api_key_env": None,
    "mode": "live",
    "agent": {"model": MODEL, "max_tokens": 100, "temperature": 0.0},
    "concurrency": 4,
    "retries": 3,
    "connect_seconds": 2.0,
    "idle_seconds": 0.5,
    "deadline_seconds": 1.5,
    "prices": {
        "dated": "2026-01-01",
        "currency": "USD",
        "models": {MODEL: {"input": 1.0, "output": 2.0}},
    },
    "money_cap": 1.0,
    "backoff_seconds": 0.01,
    "longest_pause_seconds": 2.0,
    "max_unanswered": 1000,
}


def client(url: str, folder, **changes) -> TeacherClient:
    """A client of the host at an address; its journal lies in `folder`."""
    settings = TeacherSettings.from_mapping({**SETTINGS, "base_url": url, **changes})
    return TeacherClient(settings, Journal(folder), host="fault-host", log=io.StringIO())


def ask(teacher: TeacherClient, *prompts: str) -> list:
    """The replies to prompts, in order."""
    requests = [teacher.request(prompt) for prompt in prompts]
    replies = teacher.ask_all(requests)
    return [replies[request.key] for request in requests]
