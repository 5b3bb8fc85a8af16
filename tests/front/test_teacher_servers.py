"""Servers that people run themselves: `mlx_lm.server` with the sample student as the teacher."""

from __future__ import annotations

import pytest

from distil.teacher.settings import EXIT_REFUSED
from tests.front.model_server import serve_student
from tests.front.teacher_study import journal, run_stages, study_file, write_problems

# `default_model` is the server's own name for what it was started with.
MODEL = "default_model"


@pytest.fixture
def server(tmp_path):
    """Its address, once it listens."""
    with serve_student(tmp_path) as address:
        yield address


@pytest.mark.timeout(180)
@pytest.mark.parametrize("stream", [True, False])
def test_a_server_of_ones_own_is_a_host_like_any_other(server, tmp_path, monkeypatch, stream):
    monkeypatch.chdir(tmp_path)
    write_problems(3)
    host = {"stream": stream, "models": {MODEL: {"input": 0, "output": 0}}, "concurrency": 2}
    solver = {"model": MODEL, "max_tokens": 40}
    file = study_file(
        tmp_path / "mine.yaml",
        server,
        host,
        stop_after=0,
        stop_share=1.0,
        agents={"solver": solver},
    )
    done = run_stages(file)
    assert done.code == 0, done.said
    assert {row["status"] for row in done.solutions} <= {"ok", "length"}
    assert {row["served_model"] for row in done.solutions} == {MODEL}
    assert all(row["usage"]["completion_tokens"] > 0 for row in done.solutions)
    assert journal().charged() == 0
    assert run_stages(file).asked == 0
    solver["model"] = "no-such-model"
    host["models"] = {"no-such-model": {"input": 0, "output": 0}}
    stopped = run_stages(study_file(file, server, host, agents={"solver": solver}))
    assert stopped.code == EXIT_REFUSED
    assert "are teacher.hosts.r1.base_url and the model name right?" in stopped.said
