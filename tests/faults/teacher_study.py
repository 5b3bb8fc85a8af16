"""A client against the fault host, with settings that make tests quick."""

from __future__ import annotations

import dataclasses
import io

from distil.teacher.client import TeacherClient
from distil.teacher.journal import Journal
from distil.teacher.settings import AgentSettings, HostSettings, RunSettings, TeacherSettings
from tests.faults.fault_host import MODEL

HOST = "fault-host"
AGENT = {"host": HOST, "model": MODEL, "max_tokens": 100, "temperature": 0.0}
HOSTS = {
    "base_url": "http://127.0.0.1:9/v1",
    "concurrency": 4,
    "connect_seconds": 2.0,
    "idle_seconds": 0.5,
    "deadline_seconds": 1.5,
    "prices_dated": "2026-01-01",
    "models": {MODEL: {"input": 1.0, "output": 2.0}},
}
RUN = {
    "retries": 3,
    "money_cap": 1.0,
    "backoff_seconds": 0.01,
    "longest_pause_seconds": 2.0,
    "outage_seconds": 0.0,
    "max_unanswered": 1000,
    "stop_after": 0,
    "stop_share": 1.0,
}


def settings(url: str, **changes) -> TeacherSettings:
    """Settings for the host at an address; a change goes where its field is."""
    agent, host, run = dict(AGENT), {**HOSTS, "base_url": url}, dict(RUN)
    served = changes.pop("served", [MODEL])
    reasoning = changes.pop("reasoning", "optional")
    kinds = ((AgentSettings, agent), (HostSettings, host), (RunSettings, run))
    for name, value in changes.items():
        (found,) = (
            values for kind, values in kinds if name in {f.name for f in dataclasses.fields(kind)}
        )
        found[name] = value
    shaping = {**agent, "served": served, "reasoning": reasoning}
    return TeacherSettings.of(shaping, {**run, "hosts": {HOST: host}})


def client(url: str, folder, **changes) -> TeacherClient:
    """A client of the host at an address; its journal lies in `folder`."""
    return TeacherClient(settings(url, **changes), Journal(folder), log=io.StringIO())


def ask(teacher: TeacherClient, *prompts: str) -> list:
    """The replies to prompts, in order."""
    requests = [teacher.request(prompt) for prompt in prompts]
    replies = teacher.ask_all(requests)
    return [replies[request.key] for request in requests]
