import os
import signal
import time

import psutil
import pytest

from distil.student.workers import ComputeWorker, helper_process, useful


def echo():
    return lambda message: (os.getpid(), message)


@pytest.fixture
def worker():
    worker = ComputeWorker(echo)
    yield worker
    worker.close()


def test_messages_are_answered_in_order_by_another_process(worker):
    for message in ("a", {"b": [1.5]}):
        worker.send(message)
    (first, one), (second, two) = worker.receive(), worker.receive()
    assert (one, two) == ("a", {"b": [1.5]})
    assert first == second == worker.process.pid != os.getpid()


def test_ready_tells_whether_an_answer_is_there(worker):
    assert not worker.ready()
    worker.send(1)
    while not worker.ready():
        time.sleep(0.01)
    assert worker.receive()[1] == 1


def test_the_death_of_the_process_is_told_with_a_remedy(worker):
    worker.send("x")
    worker.receive()
    os.kill(worker.process.pid, signal.SIGKILL)
    worker.process.join()
    with pytest.raises(RuntimeError, match=r"ended with code -9.*remedy: run the job again"):
        worker.receive()


def test_an_error_in_the_process_is_told(capfd):
    worker = ComputeWorker(lambda: int)
    worker.send("nothing")
    with pytest.raises(RuntimeError, match="ended with code 1"):
        worker.receive()
    assert "invalid literal for int() with base 10: 'nothing'" in capfd.readouterr().err


def test_the_process_ends_with_the_one_that_started_it(worker):
    worker.send("x")
    pid = worker.receive()[0]
    worker.connection.close()
    worker.process.join(timeout=10)
    assert worker.process.exitcode == 0
    assert not psutil.pid_exists(pid)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="affinity is Linux's")
def test_one_core_has_no_second_process():
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        assert not useful()
        with helper_process(echo) as worker:
            assert worker is None
    finally:
        os.sched_setaffinity(0, cores)
