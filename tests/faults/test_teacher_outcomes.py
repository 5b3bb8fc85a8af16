"""Every fault of a host has a named outcome, an exact number of requests, and its bytes kept."""

from __future__ import annotations

import datetime
import pickle
import shutil
import ssl
import subprocess
import time

import pytest
import requests

from distil.teacher import journal
from distil.teacher.journal import Journal, JournalError, unpack_body
from distil.teacher.settings import (
    EXIT_CAP,
    EXIT_PAUSE,
    EXIT_QUOTA,
    EXIT_REFUSED,
    EXIT_REPLAY_MISS,
    EXIT_UNANSWERED,
    TeacherError,
    TeacherStopped,
)
from tests.faults.fault_host import MODEL, RESPONSES, FaultHost
from tests.faults.teacher_study import ask, client, settings

KEY = "canary-0123456789"


@pytest.fixture
def host():
    with FaultHost() as running:
        yield running


@pytest.fixture(params=[True, False], ids=["streamed", "whole"])
def teacher(host, tmp_path, request):
    with client(host.url, tmp_path / "journal", stream=request.param) as made:
        yield made


REJECTED = {
    "html": "html",
    "empty-body": "empty-body",
    "error-object": "error-object",
    "no-choices": "no-choices",
    "bad-json": "bad-json",
    "nan": "bad-json",
    "bad-utf8": "bad-utf8",
    "number-too-long": "number-too-long",
    "too-deep": "too-deep",
    "deep-field": "too-deep",
    "lone-surrogate": "lone-surrogate",
    "nul-character": "nul-character",
    "nul-byte": "nul-character",
    "empty-content": "empty-content",
    "null-content": "empty-content",
    "only-thought": "empty-content",
    "length": "length",
    "content-filter": "content-filter",
    "many-choices": "many-choices",
    "stream-many-choices": "many-choices",
    "finish-unknown": "finish-unknown",
    "drift": "drift",
    "not-an-object": "bad-shape",
    "content-list": "bad-shape",
    "stream-unfinished": "unfinished",
    "stream-drift": "drift",
    "stream-error": "error-object",
    "stream-bad-json": "bad-json",
    "http-400": "http-400",
    "http-413": "http-413",
    "http-422": "http-422",
    "bad-encoding": "bad-encoding",
}


@pytest.mark.parametrize("fault", REJECTED)
def test_response_that_is_no_answer_fails_its_item_with_one_request_and_keeps_its_bytes(
    host, teacher, fault
):
    first, second = ask(teacher, fault, "ok")
    assert (first.status, second.status) == (REJECTED[fault], "ok")
    assert first.reason
    assert host.counts == {fault: 1, "ok": 1}
    kept = unpack_body(teacher.journal.answer(first.key))
    assert teacher.journal.possibly_paid() == []
    if fault != "bad-encoding":
        assert kept == RESPONSES[fault].partition(b"\r\n\r\n")[2]
    # It was answered, if badly: asking again would be paying again.
    assert ask(teacher, fault)[0] == first
    assert host.counts[fault] == 1


@pytest.mark.parametrize("fault", ["ok", "keep-alive", "keep-alive-chunks", "gzip"])
def test_whole_answer_is_taken_with_one_request(host, teacher, fault):
    (reply,) = ask(teacher, fault)
    assert (reply.status, reply.content, reply.served_model) == ("ok", "Answer: 1", MODEL)
    assert reply.usage == {"prompt_tokens": 10, "completion_tokens": 20}
    assert host.counts[fault] == 1


@pytest.mark.parametrize(
    "place",
    [
        "reasoning-content",
        "reasoning",
        "reasoning-details",
        "think-tags",
        "think-unopened",
        "stream",
        "slow-stream",
    ],
)
def test_reasoning_is_found_in_all_its_places(teacher, place):
    (reply,) = ask(teacher, place)
    assert (reply.status, reply.reasoning, reply.content) == ("ok", "why", "Answer: 1")
    assert reply.usage == {"prompt_tokens": 10, "completion_tokens": 20}


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("insufficient-system-resource", "host-error"),
        ("finish-error", "host-error"),
        ("error-503", "http-503"),
        ("error-rate", "http-429"),
        ("stream-error-503", "http-503"),
    ],
)
def test_answer_that_the_host_broke_off_is_retried(host, teacher, fault, status):
    assert [reply.status for reply in ask(teacher, fault, f"{fault} ok")] == [status, "ok"]
    assert host.counts == {fault: 4, f"{fault} ok": 2}


@pytest.mark.parametrize(
    "status", ["http-408", "http-409", "http-425", "http-429", "http-500", "http-503", "http-529"]
)
def test_passing_refusal_is_retried_as_often_as_the_settings_say_and_costs_nothing(
    host, teacher, status
):
    assert [reply.status for reply in ask(teacher, status, f"{status} ok")] == [status, "ok"]
    assert host.counts == {status: 4, f"{status} ok": 2}
    assert teacher.journal.possibly_paid() == []


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("reset", "reset"),
        ("closed", "reset"),
        ("silence", "silence"),
        ("half-then-silence", "silence"),
        ("cut-short", "cut-short"),
        ("chunk-cut", "cut-short"),
        ("chunk-end-missing", "cut-short"),
    ],
)
def test_broken_connection_is_retried_once_and_each_try_is_listed_as_possibly_paid(
    host, teacher, fault, status
):
    if fault == "silence" and not teacher.settings.host.stream:
        # A host that is not asked to stream says nothing until it has its answer.
        assert [reply.status for reply in ask(teacher, fault)] == ["deadline"]
        return
    replies = ask(teacher, fault, f"{fault} ok")
    assert [reply.status for reply in replies] == [status, "ok"]
    assert host.counts == {fault: 2, f"{fault} ok": 2}
    listed = [(item.key, item.status) for item in teacher.journal.possibly_paid()]
    assert sorted(listed) == sorted([(replies[0].key, status)] * 2 + [(replies[1].key, status)])


def test_part_of_a_body_that_came_is_kept(teacher):
    ask(teacher, "cut-short")
    (segment,) = (teacher.journal.folder / "segments").iterdir()
    records = [journal._open_seal(line) for line in segment.open("rb")]
    kept = [unpack_body(record) for record in records if record["kind"] == "failure"]
    assert kept == [RESPONSES["ok"].partition(b"\r\n\r\n")[2][:-20]] * 2


@pytest.mark.parametrize("fault", ["keep-alive-for-ever", "drip-body", "drip-chunk", "drip-head"])
def test_drip_is_ended_within_a_second_of_the_total_deadline_with_one_request(
    host, teacher, fault, monkeypatch
):
    # The clock on the wall jumps; deadlines do not.
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 86400 * (time.monotonic() % 2 > 1))
    seconds, post = [], teacher.transport.post

    def timed_post(body):
        start = time.monotonic()
        exchange = post(body)
        seconds.append(time.monotonic() - start)
        return exchange

    monkeypatch.setattr(teacher.transport, "post", timed_post)
    (reply,) = ask(teacher, fault)
    assert 1.5 <= seconds[0] < 2.5
    assert (reply.status, host.counts[fault]) == ("deadline", 1)
    assert [item.status for item in teacher.journal.possibly_paid()] == ["deadline"]


@pytest.mark.parametrize("fault", ["too-large", "gzip-bomb"])
def test_body_is_cut_at_16_megabytes_decoded(host, tmp_path, fault):
    with client(host.url, tmp_path, deadline_seconds=20.0, idle_seconds=10.0) as teacher:
        (reply,) = ask(teacher, fault)
        assert (reply.status, host.counts[fault]) == ("too-large", 1)
        assert len(unpack_body(teacher.journal.answer(reply.key))) == 16 * 2**20


def test_host_that_is_not_there_costs_nothing(tmp_path):
    with client("http://127.0.0.1:9/v1", tmp_path) as teacher:
        with pytest.raises(TeacherStopped, match="nothing answers at http://127"):
            ask(teacher, "ok", "ok #2")
        assert teacher.journal.possibly_paid() == []
        assert len(teacher.journal.attempts()) == 4


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        ("http-401", EXIT_REFUSED, "says 401"),
        ("http-403", EXIT_REFUSED, "says 403"),
        ("http-404", EXIT_REFUSED, "says 404"),
        ("redirect", EXIT_REFUSED, "http://127.0.0.1:9/stolen"),
        ("http-402", EXIT_QUOTA, "says 402"),
        ("error-402", EXIT_QUOTA, "says 402"),
        ("error-401", EXIT_REFUSED, "says 401"),
        ("quota-429", EXIT_QUOTA, "says 429"),
        ("pause-3600", EXIT_PAUSE, "3600 s"),
    ],
)
def test_refusal_of_the_whole_run_stops_it_with_its_cause_after_one_request(
    host, teacher, fault, code, said
):
    with pytest.raises(TeacherStopped, match=said) as stopped:
        ask(teacher, *(f"{fault} #{number}" for number in range(50)))
    assert stopped.value.exit_code == code
    assert "not asked, or paid for, twice" in str(stopped.value)
    assert len(host.requests) == 1
    assert teacher.journal.charged() == 0


def test_quota_stop_drains_what_is_in_flight_and_the_next_run_pays_for_the_rest_only(
    host, tmp_path
):
    prompts = ["ok #0", "slow #1", "slow #2", "quota-429 ok #3", *(f"ok #{n}" for n in range(4, 9))]
    with client(host.url, tmp_path, deadline_seconds=5.0, idle_seconds=5.0) as teacher:
        with pytest.raises(TeacherStopped) as stopped:
            ask(teacher, *prompts)
        assert stopped.value.exit_code == EXIT_QUOTA
        assert "3 of 9" in str(stopped.value) or teacher.stored(teacher.request("slow #2"))
        assert teacher.stored(teacher.request("slow #1"))
        assert teacher.journal.possibly_paid() == []
    with client(host.url, tmp_path, deadline_seconds=5.0, idle_seconds=5.0) as teacher:
        assert {reply.status for reply in ask(teacher, *prompts)} == {"ok"}
    assert host.counts["quota-429 ok #3"] == 2
    assert all(host.counts[prompt] == 1 for prompt in prompts if "quota" not in prompt)


@pytest.mark.parametrize("fault", ["pause-negative", "pause-nan"])
def test_senseless_retry_after_is_ignored(host, teacher, fault):
    start = time.monotonic()
    assert ask(teacher, f"{fault} ok")[0].status == "ok"
    assert time.monotonic() - start < 5
    assert host.counts[f"{fault} ok"] == 2


def test_unanswered_items_fail_the_job_and_only_they_are_asked_again(host, tmp_path):
    prompts = ["ok", "http-500 http-500 http-500 http-500 ok"]
    with client(host.url, tmp_path, max_unanswered=0) as teacher:
        with pytest.raises(TeacherStopped, match="1 x http-500") as stopped:
            ask(teacher, *prompts)
        assert stopped.value.exit_code == EXIT_UNANSWERED
        assert {reply.status for reply in ask(teacher, *prompts)} == {"ok"}
    assert host.counts == {prompts[0]: 1, prompts[1]: 5}


def test_host_that_is_down_is_left_after_ten_items_in_a_row(host, teacher):
    with pytest.raises(TeacherStopped, match="10 requests in a row") as stopped:
        ask(teacher, *(f"http-503 #{number}" for number in range(100)))
    assert stopped.value.exit_code == EXIT_UNANSWERED
    # Ten given up after four requests each, and what the other threads had in hand.
    assert len(host.requests) <= (10 + 3) * 4


def test_row_added_or_changed_costs_that_row_alone(host, teacher):
    ask(teacher, "ok #1", "ok #2")
    ask(teacher, "ok #1", "ok #2 changed", "ok #3")
    assert len(host.requests) == 4


def test_stored_response_of_a_named_status_is_asked_again_on_demand(host, tmp_path):
    with client(host.url, tmp_path) as teacher:
        assert ask(teacher, "html ok")[0].status == "html"
    with client(host.url, tmp_path, ask_again=["html"]) as teacher:
        assert ask(teacher, "html ok")[0].status == "ok"
        assert ask(teacher, "html ok")[0].status == "ok"
    assert host.counts["html ok"] == 2


def test_replay_asks_nobody_and_a_miss_is_an_error(host, tmp_path):
    with client(host.url, tmp_path) as teacher:
        (reply,) = ask(teacher, "ok")
    with client(host.url, tmp_path, mode="replay") as teacher:
        assert ask(teacher, "ok") == [reply]
        with pytest.raises(TeacherStopped, match="1 of 2 requests") as stopped:
            ask(teacher, "ok", "ok #other")
    assert stopped.value.exit_code == EXIT_REPLAY_MISS
    assert len(host.requests) == 1


def test_record_asks_anew_and_live_then_takes_the_newest_answer(host, tmp_path):
    prompt = "ok think-tags"
    with client(host.url, tmp_path) as teacher:
        assert ask(teacher, prompt)[0].reasoning == ""
    now = datetime.datetime.now(datetime.UTC).isoformat()
    for _ in range(2):
        with client(host.url, tmp_path, mode="record", record_since=now) as teacher:
            assert ask(teacher, prompt)[0].reasoning == "why"
    with client(host.url, tmp_path) as teacher:
        assert ask(teacher, prompt)[0].reasoning == "why"
    assert host.counts[prompt] == 2


# ------------------------------------------------------------------------------------- money


def test_progress_tells_how_many_requests_are_done_tokens_and_money(teacher):
    ask(teacher, "big-bill", "ok #1")
    said = "progress: 2/2 requests; solver, 140 tokens, 0.0003 USD spent"
    assert said in teacher.log.getvalue()


def test_bill_follows_the_hosts_token_counts_and_the_price_table(teacher):
    ask(teacher, "ok #1", "ok #2")
    assert teacher.journal.charged() == pytest.approx(2 * (10 * 1.0 + 20 * 2.0) / 1e6)


def test_cap_stops_dispatch_before_it_is_passed_whatever_the_host_bills(host, tmp_path):
    # A request costs 50e-6 at first, then 210e-6; at worst, with 64 + 11 prompt tokens, 275e-6.
    prompts = [f"big-bill #{number}" for number in range(7)]
    with client(host.url, tmp_path, money_cap=1e-3) as teacher:
        ask(teacher, "ok")
        with pytest.raises(TeacherStopped, match=r"the cap .* is reached") as stopped:
            ask(teacher, *prompts)
        assert stopped.value.exit_code == EXIT_CAP
        assert 1e-3 - 275e-6 < teacher.journal.charged() <= 1e-3
        assert len(host.requests) == 1 + 4


@pytest.mark.parametrize("fault", ["bad-bill", "no-bill", "zero-bill", "absurd-bill"])
def test_bill_without_sense_is_booked_at_the_worst_case(teacher, fault):
    assert ask(teacher, fault)[0].status == "ok"
    assert teacher.journal.charged() == pytest.approx((64 + len(fault) + 2 * 100) / 1e6)
    assert "1 responses carry no plausible token counts" in teacher.log.getvalue()


def test_likely_cost_beyond_the_cap_is_refused_before_the_first_request(host, tmp_path):
    with (
        client(host.url, tmp_path, money_cap=1e-4) as teacher,
        pytest.raises(TeacherStopped, match="nothing was asked") as stopped,
    ):
        ask(teacher, "ok #1", "ok #2")
    assert stopped.value.exit_code == EXIT_CAP
    assert host.requests == []


def test_estimate_is_written_before_the_first_request_with_the_date_of_the_prices(teacher):
    ask(teacher, "ok")
    line = teacher.log.getvalue().splitlines()[0]
    assert "1 of 1 requests" in line
    assert "USD" in line
    assert "2026-01-01" in line


def test_possibly_paid_request_is_booked_at_its_worst_case(teacher):
    ask(teacher, "reset")
    assert teacher.journal.charged() == pytest.approx(2 * (64 + 5 + 2 * 100) / 1e6)


def test_model_without_a_price_is_refused():
    with pytest.raises(TeacherError, match=r"fault-host\.models: no price for pinned-model"):
        settings("http://127.0.0.1:9/v1", models={})


# --------------------------------------------------------------------------------------- key


def test_key_is_sent_to_the_host_and_written_nowhere(host, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("TEST_KEY", KEY)
    with client(host.url, tmp_path / "journal", api_key_env="TEST_KEY") as teacher:
        replies = ask(teacher, "ok", "echo-key", "reset", "http-500", "html", "drip-head")
        rows = teacher.export([teacher.request("ok"), teacher.request("echo-key")])
        said = [teacher.log.getvalue(), repr(vars(teacher)), repr(replies), repr(rows)]
        said.append(repr(teacher.report()))
        with pytest.raises(TeacherStopped) as stopped:
            ask(teacher, "redirect")
        said += [str(stopped.value), repr(stopped.value.__context__)]
    assert {headers["authorization"] for _, headers in host.requests} == {f"bearer {KEY}"}
    said += capfd.readouterr()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    said += [path.read_text() for path in files]
    assert not any(KEY in text for text in said)
    assert "[api key]" in "".join(said)


def test_client_with_a_key_cannot_be_pickled(host, tmp_path, monkeypatch):
    monkeypatch.setenv("TEST_KEY", KEY)
    with client(host.url, tmp_path, api_key_env="TEST_KEY") as teacher:
        for thing in (teacher, teacher.transport, teacher.transport._auth):
            with pytest.raises(TypeError):
                pickle.dumps(thing)


def test_netrc_does_not_replace_the_key(host, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password other\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("TEST_KEY", KEY)
    with client(host.url, tmp_path / "a", api_key_env="TEST_KEY") as teacher:
        ask(teacher, "ok")
    with client(host.url, tmp_path / "b") as teacher:
        ask(teacher, "ok")
    assert [headers.get("authorization") for _, headers in host.requests] == [f"bearer {KEY}", None]


@pytest.mark.parametrize("value", ["", "short", "with space 0123456789", "line-end-0123456789\n"])
def test_value_that_is_no_key_is_refused_without_being_shown(monkeypatch, tmp_path, value):
    monkeypatch.setenv("TEST_KEY", value)
    with pytest.raises(TeacherError, match="api_key_env") as refused:
        client("http://127.0.0.1:9/v1", tmp_path, api_key_env="TEST_KEY")
    assert not value.strip() or value.strip() not in str(refused.value)


# --------------------------------------------------------------------------------------- TLS


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_deadline_holds_and_certificates_are_checked_over_tls(tmp_path, monkeypatch):
    made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    made += ["-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run(["openssl", *made], cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with FaultHost(tls=context) as host:
        url = host.url.replace("http://127.0.0.1", "https://localhost")
        with (
            client(url, tmp_path / "a") as teacher,
            pytest.raises(TeacherStopped, match=r"tls-failed: .*CERTIFICATE_VERIFY_FAILED"),
        ):
            ask(teacher, "ok")
        assert host.requests == []
        monkeypatch.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", tmp_path / "cert.pem")
        with client(url, tmp_path / "b") as teacher:
            statuses = [reply.status for reply in ask(teacher, "ok", "drip-body", "reset ok")]
        assert statuses == ["ok", "deadline", "ok"]


# -------------------------------------------------------------------------------------- disk


def test_full_disk_stops_all_paid_calls(host, teacher, monkeypatch):
    ask(teacher, "ok #0")
    real = journal.os.write
    room = [1]

    def write(handle, data):
        if b'"kind":"response"' in data and not room[0]:
            real(handle, data[:100])
            raise OSError(28, "No space left on device")
        room[0] -= b'"kind":"response"' in data
        return real(handle, data)

    monkeypatch.setattr(journal.os, "write", write)
    with pytest.raises(JournalError, match="No space left on device"):
        ask(teacher, *(f"ok #{number}" for number in range(1, 100)))
    sent = len(host.requests)
    # One acknowledged, the rest at most one per thread in flight when the disk filled up.
    assert sent <= 1 + 1 + 4
    with pytest.raises(JournalError):
        ask(teacher, "ok #200")
    assert len(host.requests) == sent
    monkeypatch.undo()
    again = Journal(teacher.journal.folder)
    again.refresh()
    assert len(again.possibly_paid()) == sent - 2
    assert again.answer(teacher.request("ok #0").key)


def test_little_room_on_the_disk_stops_before_the_request(host, teacher, monkeypatch):
    monkeypatch.setattr(journal, "FREE_FLOOR", 2**60)
    with pytest.raises(JournalError, match="free some space"):
        ask(teacher, "ok")
    assert host.requests == []
