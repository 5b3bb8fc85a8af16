"""The fault table through a study file: outcome and number of requests, streamed and not.

One study asks one problem for each fault, one request at a time, and the host plays the faults in
the order of arrival: a fault that cost a request more or less would shift all that follow.
"""

from __future__ import annotations

import pytest

from distil.content.files import write_jsonl
from distil.teacher.settings import EXIT_PAUSE, EXIT_QUOTA, EXIT_REFUSED
from tests.faults.fault_host import MODEL, FaultHost
from tests.faults.test_teacher_outcomes import REJECTED
from tests.front.teacher_study import journal, run_stages, study_file, write_problems

RETRIES, PAID_RETRIES = 2, 1
# Fault: (status of the item, requests). What is no answer costs one request.
ONCE = {fault: (status, 1) for fault, status in REJECTED.items()}
PASSING = {
    fault: (fault, 1 + RETRIES)
    for fault in ("http-408", "http-409", "http-425", "http-429", "http-500", "http-503")
} | {
    "insufficient-system-resource": ("host-error", 1 + RETRIES),
    "error-503": ("http-503", 1 + RETRIES),
    "error-rate": ("http-429", 1 + RETRIES),
    "stream-error-503": ("http-503", 1 + RETRIES),
    "pause-negative": ("http-429", 1 + RETRIES),
    "pause-nan": ("http-503", 1 + RETRIES),
}
BROKEN = {
    "reset": ("reset", 1 + PAID_RETRIES),
    "closed": ("reset", 1 + PAID_RETRIES),
    "half-then-silence": ("silence", 1 + PAID_RETRIES),
    "cut-short": ("cut-short", 1 + PAID_RETRIES),
    "chunk-cut": ("cut-short", 1 + PAID_RETRIES),
    "chunk-end-missing": ("cut-short", 1 + PAID_RETRIES),
}
WHOLE = dict.fromkeys(
    ("ok", "keep-alive", "keep-alive-chunks", "gzip", "stream", "slow-stream"), ("ok", 1)
)
STOPPING = {
    "http-401": EXIT_REFUSED,
    "http-403": EXIT_REFUSED,
    "http-404": EXIT_REFUSED,
    "redirect": EXIT_REFUSED,
    "http-402": EXIT_QUOTA,
    "quota-429": EXIT_QUOTA,
    "error-402": EXIT_QUOTA,
    "pause-3600": EXIT_PAUSE,
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def study(folder, url: str, *, stream: bool, **changes):
    """A study file that takes every fault as the item's own, quickly."""
    host = {
        "stream": stream, "concurrency": 1, "idle_seconds": 0.3, "connect_seconds": 2.0,
        "deadline_seconds": 1.0, "models": {MODEL: {"input": 1.0, "output": 2.0}},
        **changes.pop("host", {}),
    }  # fmt: skip
    settings = {
        "retries": RETRIES, "possibly_paid_retries": PAID_RETRIES, "max_unanswered": 1000,
        "stop_after": 0, "stop_share": 1.0, "outage_seconds": 0.0, "backoff_seconds": 0.001,
        "longest_backoff_seconds": 0.002,
    }  # fmt: skip
    return study_file(
        folder / "mine.yaml", url, host, agents={"solver": {"model": MODEL, "max_tokens": 100}},
        **{**settings, **changes},
    )  # fmt: skip


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_each_fault_has_its_outcome_and_its_number_of_requests(folder, stream):
    # An answer after each fault: the host has not left ten in a row without one.
    table: list[tuple[str, str, int]] = []
    for fault, (status, count) in {**ONCE, **PASSING, **BROKEN, **WHOLE}.items():
        table += [(fault, status, count), ("ok", "ok", 1)]
    write_problems(len(table))
    script = " ".join(" ".join([fault] * count) for fault, _, count in table)
    with FaultHost(script=script) as host:
        done = run_stages(study(folder, host.url, stream=stream))
    assert done.code == 0, done.said
    found = [(fault, row["status"]) for (fault, *_), row in zip(table, done.solutions, strict=True)]
    assert found == [(fault, status) for fault, status, _ in table]
    assert len(host.requests) == len(script.split())
    # Whatever a host may bill without having answered is listed.
    paid = sum(count for fault, _, count in table if fault in BROKEN)
    paid += sum(count for fault, _, count in table if fault == "insufficient-system-resource")
    assert len(journal().possibly_paid()) == paid


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_what_never_ends_is_ended_by_the_deadline_and_what_is_endless_by_its_size(folder, stream):
    drips = ["keep-alive-for-ever", "drip-body", "drip-chunk", "drip-head"]
    # A host that is not asked to stream may think in silence until the deadline.
    script = ["ok", *drips, *([] if stream else ["silence"])]
    rows = write_problems(len(script) + 2)
    write_jsonl("problems.jsonl", rows[:-2])
    with FaultHost(script=" ".join([*script, "too-large", "gzip-bomb"])) as host:
        done = run_stages(study(folder, host.url, stream=stream, host={"concurrency": 4}))
        # Four are asked at once, so that the host's first answer may be that of any of them.
        statuses = sorted(row["status"] for row in done.solutions)
        assert statuses == [*["deadline"] * len(script[1:]), "ok"], done.said
        assert len(host.requests) == len(script)
        write_jsonl("problems.jsonl", rows[-2:])
        slow = {"idle_seconds": 20.0, "deadline_seconds": 60.0}
        done = run_stages(study(folder, host.url, stream=stream, host=slow))
    assert [row["status"] for row in done.solutions] == ["too-large"] * 2, done.said
    assert len(host.requests) == len(script) + 2


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("fault", STOPPING)
def test_refusal_of_the_whole_run_stops_it_after_one_request(folder, fault, stream):
    write_problems(20)
    with FaultHost(script=f"{fault} ok") as host:
        file = study(folder, host.url, stream=stream, host={"concurrency": 8})
        stopped = run_stages(file)
        assert (stopped.code, len(host.requests)) == (STOPPING[fault], 1), stopped.said
        assert "Go on with: snakemake" in stopped.said
        done = run_stages(file)
    assert (done.code, len(host.requests)) == (0, 21)
