"""What a host's key allows is shared by all who ask on this machine, and by nobody else."""

from __future__ import annotations

import tempfile
import time

import pytest

from distil.teacher.gates import Gate
from distil.teacher.settings import HostSettings


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def gate(url: str = "http://127.0.0.1:1/v1", **more) -> Gate:
    return Gate(HostSettings(url, **more))


def test_slots_are_those_of_the_key_not_of_the_job():
    one, other = gate(concurrency=3), gate(concurrency=3)
    assert [one.take_slot(), one.take_slot(), other.take_slot()] == [True] * 3
    assert not one.take_slot()
    assert not other.take_slot()
    one.give_slot_back()
    assert other.take_slot()
    assert gate("http://127.0.0.1:2/v1", concurrency=1).take_slot()
    assert gate(concurrency=1, api_key_env="OTHER").take_slot()


def test_simulated_teacher_is_each_jobs_own():
    one, other = gate("simulated", concurrency=1), gate("simulated", concurrency=1)
    assert one.take_slot()
    assert other.take_slot()


# On the second clock half a minute and half a minute more than now, less a minute, is after now.
@pytest.mark.parametrize("now", [1000.0, 8174.326235239371])
def test_requests_and_tokens_of_a_minute_are_shared_by_all_jobs(now, monkeypatch):
    monkeypatch.setattr(time, "monotonic", lambda: now)
    one, other = gate(requests_per_minute=60), gate(requests_per_minute=60)
    waits = [one.wait(1), other.wait(1), one.wait(1)]
    assert waits == pytest.approx([0, 1, 1])
    # A minute's tokens may go at once; what is beyond them waits its share of a minute.
    tokens = [gate("http://127.0.0.1:3/v1", tokens_per_minute=6000) for _ in range(3)]
    assert [each.wait(3000) for each in tokens] == pytest.approx([0, 0, 30])
    # An answer that took less gives its share back.
    tokens[0].correct(-3000)
    assert tokens[1].wait(0) == 0
    # What is more than a minute's goes once there is a minute's.
    tokens[0].correct(-3000)
    assert tokens[1].wait(9000) == 0
    assert tokens[2].wait(1) == pytest.approx(30.01)


def test_file_of_before_the_machine_was_started_again_counts_for_nothing(tmp_path):
    first = gate()
    first.pause(1000.0)
    (file,) = tmp_path.rglob("rate.json")
    text = file.read_text()
    began = text.partition('"began": ')[2].partition(",")[0].rstrip("}")
    file.write_text(text.replace(began, str(float(began) - 5000)))
    assert gate().wait(1) == 0
