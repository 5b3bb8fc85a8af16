import os
import signal
import time

import psutil
import pytest

from distil.student.lanes import Lane, second_lane, useful


def echo():
    return lambda message: (os.getpid(), message)


@pytest.fixture
def lane():
    lane = Lane(echo)
    yield lane
    lane.close()


def test_messages_are_answered_in_order_by_another_process(lane):
    for message in ("a", {"b": [1.5]}):
        lane.send(message)
    (first, one), (second, two) = lane.receive(), lane.receive()
    assert (one, two) == ("a", {"b": [1.5]})
    assert first == second == lane.process.pid != os.getpid()


def test_ready_tells_whether_an_answer_is_there(lane):
    assert not lane.ready()
    lane.send(1)
    while not lane.ready():
        time.sleep(0.01)
    assert lane.receive()[1] == 1


def test_the_death_of_the_process_is_told_with_a_remedy(lane):
    lane.send("x")
    lane.receive()
    os.kill(lane.process.pid, signal.SIGKILL)
    lane.process.join()
    with pytest.raises(RuntimeError, match=r"ended with code -9.*remedy: run the job again"):
        lane.receive()


def test_an_error_in_the_process_is_told(capfd):
    lane = Lane(lambda: int)
    lane.send("nothing")
    with pytest.raises(RuntimeError, match="ended with code 1"):
        lane.receive()
    assert "invalid literal for int() with base 10: 'nothing'" in capfd.readouterr().err


def test_the_process_ends_with_the_one_that_started_it(lane):
    lane.send("x")
    pid = lane.receive()[0]
    lane.connection.close()
    lane.process.join(timeout=10)
    assert lane.process.exitcode == 0
    assert not psutil.pid_exists(pid)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="affinity is Linux's")
def test_one_core_has_no_second_process():
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        assert not useful()
        with second_lane(echo) as lane:
            assert lane is None
    finally:
        os.sched_setaffinity(0, cores)
