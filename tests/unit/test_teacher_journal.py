"""The journal: what was written whole is read back, what was torn is left out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distil.teacher.journal import (
    Journal,
    JournalError,
    export,
    pack_body,
    request_key,
    restore,
    unpack_body,
)

BODY = {"model": "m", "messages": [{"role": "user", "content": "Find x\u2028 é"}]}


def intent(token: str, key: str = "k", worst: float = 1.0) -> dict:
    return {
        "kind": "intent",
        "format": 2,
        "attempt": token,
        "key": key,
        "agent": "solver",
        "host": "h",
        "request": BODY,
        "worst": worst,
    }


def response(token: str, key: str = "k", body: bytes = b"{}") -> dict:
    record = {**intent(token, key), "kind": "response", "http_status": 200, "fault": None}
    return {**record, "headers": {}, "detail": "", **pack_body(body)}


def reopened(journal: Journal) -> Journal:
    again = Journal(journal.folder)
    again.refresh()
    return again


@given(st.binary())
def test_raw_bytes_survive_the_journal(body):
    assert unpack_body(pack_body(body)) == body


def test_every_cut_and_every_flipped_byte_costs_the_damaged_record_alone(tmp_path):
    journal = Journal(tmp_path)
    for number in range(3):
        journal.append(intent(f"t{number}", f"k{number}"), durable=True)
        journal.append(response(f"t{number}", f"k{number}"), durable=True)
    journal.close()
    (segment,) = (tmp_path / "segments").iterdir()
    whole = segment.read_bytes()
    starts = [0, *(place + 1 for place, byte in enumerate(whole) if byte == 10)]
    for cut in range(len(whole)):
        segment.write_bytes(whole[:cut])
        records = sum(end <= cut for end in starts[1:])
        again = reopened(journal)
        assert len(again.attempts()) == (records + 1) // 2
        assert sum(again.answer(f"k{number}") is not None for number in range(3)) == records // 2
    for place in range(starts[3], starts[4], 7):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        segment.write_bytes(damaged)
        again = reopened(journal)
        assert again.answer("k1") is None
        assert again.answer("k0")
        assert again.answer("k2")
        assert [item.key for item in again.possibly_paid()] == ["k1"]
        assert sum(again.damaged.values()) >= 1


def test_writer_sees_what_another_appends_and_a_tail_in_the_making_is_waited_for(tmp_path):
    reader, writer = Journal(tmp_path), Journal(tmp_path)
    writer.append(intent("t"), durable=True)
    (segment,) = (tmp_path / "segments").iterdir()
    writer.append(response("t"), durable=True)
    whole = segment.read_bytes()
    segment.write_bytes(whole[:-10])
    reader.refresh()
    assert reader.answer("k") is None
    segment.write_bytes(whole)
    reader.refresh()
    assert reader.answer("k")
    assert reader.damaged == {}


def test_damage_after_reading_is_an_error_not_an_answer(tmp_path):
    journal = Journal(tmp_path)
    journal.append(response("t"), durable=True)
    (segment,) = (tmp_path / "segments").iterdir()
    segment.write_bytes(segment.read_bytes().replace(b"Find", b"Fine"))
    with pytest.raises(JournalError, match="was damaged"):
        journal.answer("k")


def test_money_is_the_bill_where_known_nothing_if_refused_and_else_the_worst_case(tmp_path):
    journal = Journal(tmp_path)
    for token in "abcd":
        journal.append(intent(token, worst=1.0), durable=False)
    journal.append(response("a"), durable=True)
    assert journal.charged() == 4.0
    account = {"kind": "account", "attempt": "a", "key": "k", "agent": "solver", "status": "ok"}
    journal.append({**account, "cost": 0.25, "tokens": [1, 2]}, durable=False)
    failure = {**response("b"), "kind": "failure"}
    journal.append({**failure, "status": "http-500", "possibly_paid": False}, durable=True)
    failure["attempt"] = "c"
    journal.append({**failure, "status": "reset", "possibly_paid": True}, durable=True)
    assert journal.charged() == 0.25 + 0 + 1 + 1
    assert reopened(journal).charged() == 2.25
    assert sorted(item.token for item in journal.possibly_paid()) == ["c", "d"]


def test_claim_is_exclusive_and_ends_with_its_holder(tmp_path):
    one, other = Journal(tmp_path), Journal(tmp_path)
    with one.claim("k") as mine, other.claim("k") as theirs, other.claim("another") as free:
        assert (mine, theirs, free) == (True, False, True)
    with other.claim("k") as mine:
        assert mine


def test_key_of_a_request_follows_host_model_and_body_and_nothing_else():
    keys = {
        request_key("h", BODY),
        request_key("h2", BODY),
        request_key("h", {**BODY, "model": "n"}),
        request_key("h", {**BODY, "temperature": 1}),
        request_key("h", BODY, sample=1),
    }
    assert len(keys) == 5
    for how in ({"max_tokens": 1}, {"stream": True, "stream_options": {"include_usage": True}}):
        assert request_key("h", {**BODY, **how}) in keys
    assert request_key("h", dict(reversed(BODY.items()))) == request_key("h", BODY)


@pytest.mark.parametrize("body", [b'{"a":1}', b"\xff\x00 no text"])
def test_exported_responses_can_be_put_back_and_altered_ones_cannot(tmp_path, body):
    journal = Journal(tmp_path / "a")
    key = request_key("h", BODY)
    journal.append(intent("t", key), durable=True)
    journal.append(response("t", key, body), durable=True)
    row = export(key, journal.answer(key))
    other = Journal(tmp_path / "b")
    assert restore(other, [row]) == 1
    assert restore(other, [row]) == 0
    assert export(key, reopened(other).answer(key)) == row
    assert reopened(other).possibly_paid() == []
    for change in ({"body": "x"}, {"host": "elsewhere"}):
        with pytest.raises(JournalError, match="does not match its hashes"):
            restore(Journal(tmp_path / "c"), [{**row, **change}])


def test_lookup_alone_makes_no_file(tmp_path):
    journal = Journal(tmp_path / "state")
    journal.refresh()
    assert journal.answer("k") is None
    assert not (tmp_path / "state").exists()
