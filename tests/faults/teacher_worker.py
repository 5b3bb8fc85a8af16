"""Asks a host for numbered prompts, as a process that can be killed.

`python teacher_worker.py URL JOURNAL ACKNOWLEDGED CONCURRENCY FIRST COUNT` writes `ready` before it
asks, and to the file ACKNOWLEDGED one key a line, each as soon as its response is acknowledged. With
`wait` as one more argument it does not ask before it was sent a line.
"""

from __future__ import annotations

import os
import sys

from distil.teacher.journal import Journal, Position
from tests.faults.teacher_study import client


def acknowledging(path: str) -> None:
    """Note each response the moment the journal has acknowledged it."""
    append = Journal.append
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def note(self: Journal, record: dict, *, durable: bool) -> Position:
        place = append(self, record, durable=durable)
        if record["kind"] == "response":
            os.write(handle, f"{record['key']}\n".encode())
        return place

    Journal.append = note


if __name__ == "__main__":
    url, journal, acknowledged = sys.argv[1:4]
    concurrency, first, count = map(int, sys.argv[4:7])
    acknowledging(acknowledged)
    with client(url, journal, concurrency=concurrency, money_cap=1e6, idle_seconds=30.0,
                deadline_seconds=60.0) as teacher:  # fmt: skip
        requests = [teacher.request(f"ok #{number}") for number in range(first, first + count)]
        print("ready", flush=True)
        if sys.argv[7:] == ["wait"]:
            sys.stdin.readline()
        replies = teacher.ask_all(requests)
    assert {reply.status for reply in replies.values()} <= {"ok"}
    print(teacher.asked, flush=True)
