"""What is asked of a server that serves adapters as models, and the rows its answers become."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
from pyarrow import parquet
from tiny_student import make_student

from distil.content.files import read_jsonl
from distil.content.hashing import sha256_file
from distil.student.examination import served_name
from scripts import ask_student

RUN = "temporal/published/seed-1"
TEACHER = {
    "host": "mine", "model": "base", "max_tokens": 40, "temperature": 0.0, "top_p": None,
    "samples": 1, "extra": {}, "served": ["base"], "reasoning": "optional",
}  # fmt: skip


class Server:
    """Answers with the name of the model; those of `unknown` get a 400, some answers are cut."""

    def __init__(self):
        self.requests, self.unknown = [], set()

    def __enter__(self):
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append(request)
                status, body = 200, outer.answer(request)
                if any(word in request["messages"][-1]["content"] for word in outer.unknown):
                    status, body = 400, {"error": {"message": "too long"}}
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    @staticmethod
    def answer(request):
        text = "<think>so it is</think>\nAnswer: 7"
        finish = "length" if "cut me" in request["messages"][-1]["content"] else "stop"
        return {
            "model": request["model"],
            "choices": [{"message": {"content": text}, "finish_reason": finish}],
            "usage": {"prompt_tokens": 9, "completion_tokens": 12},
        }

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}/v1"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    student = make_student(folder, tokens=2_000)
    statements = ["One and one?", "cut me", "Too <|im_end|> much"]
    rows = [
        {"id": f"2020-fs-0{i}", "year": 2020, "statement": text, "options": []}
        for i, text in enumerate(statements)
    ]
    (folder / "2020.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "student.txt").write_text("$instruction\n$statement\n")
    (folder / "levels.yaml").write_text("R1: {student: All steps.}\n")
    (folder / "system.txt").write_text("Be brief.\n")
    (folder / "00004.safetensors").write_bytes(b"weights")
    plan = [
        {"iteration": 4, "benchmark": "competition", "level": level, "years": [2020]}
        for level in ("R1", "R1@5")
    ]
    (folder / "plan.json").write_text(json.dumps(plan))
    return folder, student


def ask(home, server, tmp_path, monkeypatch, sampling=None):
    folder, student = home
    monkeypatch.chdir(tmp_path)
    files = SimpleNamespace(
        plan=str(folder / "plan.json"), problems=[str(folder / "2020.jsonl")], benchmarks=[],
        student_prompt=str(folder / "student.txt"), levels=str(folder / "levels.yaml"),
        system=[str(folder / "system.txt")], student=str(student / "model.lock.json"),
        adapters=[str(folder / "00004.safetensors")],
    )  # fmt: skip
    host = {
        "base_url": server.url, "stream": False, "models": {"base": {"input": 0, "output": 0}},
    }  # fmt: skip
    found = ask_student.main(
        input=files,
        output=SimpleNamespace(predictions="out.parquet", responses="out.jsonl"),
        params=SimpleNamespace(study="mine", run=RUN, teacher=TEACHER, sampling=sampling),
        how={"teacher": {"hosts": {"mine": host}}, "adapters": None},
    )
    return found, parquet.read_table("out.parquet").to_pylist()


def test_a_checkpoint_is_asked_for_by_the_name_of_its_weights(home, tmp_path, monkeypatch):
    name = served_name(RUN, 4, sha256_file(home[0] / "00004.safetensors"))
    with Server() as server:
        found, rows = ask(home, server, tmp_path, monkeypatch)
        # The capped questions are the same requests.
        assert len(server.requests) == found["history"]["asked_now"] == 3
        assert {request["model"] for request in server.requests} == {name}
        (first,) = (r for r in server.requests if "One" in r["messages"][-1]["content"])
        assert first["messages"] == [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "One and one?"},
        ]
        assert any("< |im_end|>" in r["messages"][-1]["content"] for r in server.requests)
        again, same = ask(home, server, tmp_path, monkeypatch)
    assert (again["history"]["asked_now"], same) == (0, rows)
    assert found["facts"]["served_models"] == [name]
    by_id = {row["id"]: row for row in rows}
    whole, capped = by_id["2020-fs-00.R1.00004"], by_id["2020-fs-00.R1@5.00004"]
    assert (whole["text"], whole["finish"]) == ("<think>so it is</think>\nAnswer: 7", "stop")
    assert (whole["tokens"], whole["token_ids_sha256"]) == (12, None)
    assert whole["text"].startswith(capped["text"])
    assert (capped["finish"], capped["tokens"]) == ("length", 5)
    assert by_id["2020-fs-01.R1.00004"]["finish"] == "length"
    responses = {row["request_sha256"]: row for row in read_jsonl("out.jsonl")}
    assert all(
        responses[row["request_sha256"]]["response_sha256"] == row["response_sha256"]
        for row in rows
    )
    assert {row["host"] for row in responses.values()} == {
        f"mine@{sha256_file(home[1] / 'model.lock.json')[:12]}"
    }


def test_each_drawn_answer_has_a_seed_of_its_own_and_a_failure_has_no_row(
    home, tmp_path, monkeypatch
):
    sampling = {"samples": 3, "temperature": 0.6, "top_p": 0.95, "seed": 1}
    with Server() as server:
        server.unknown = {"much"}
        found, rows = ask(home, server, tmp_path, monkeypatch, sampling)
        seeds = {request["seed"] for request in server.requests}
        assert len(server.requests) == len(seeds) == 9
        assert all(0 <= seed < 2**31 for seed in seeds)
    assert found["facts"]["unanswered"] == {"http-400": 6}
    assert sorted({row["problem"] for row in rows}) == ["2020-fs-00", "2020-fs-01"]
    assert sorted(row["sample"] for row in rows) == [0] * 4 + [1] * 4 + [2] * 4
