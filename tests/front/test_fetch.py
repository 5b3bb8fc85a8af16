"""`distil check` and `distil fetch` in a checkout that has nothing, half and all of what it needs."""

from __future__ import annotations

import functools
import hashlib
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading

import pytest
import yaml

from tests.unit.tiny_architectures import make_model
from tests.workflow.checkout import ROOT, copy_repository

PDFS = {f"{year} test.pdf": f"%PDF-1.4 paper of {year}".encode() for year in (2011, 2012, 2013)}
LINE = json.dumps({"problem": "1 + 1", "answer": "2"}) + "\n"


def sha256(data):
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def checkout(tmp_path):
    """A study of three PDFs, a benchmark file and a model that are not there."""
    study = copy_repository(tmp_path / "repository")
    (study.path / "resources/mine").mkdir()
    config = yaml.safe_load((study.path / "config.micro.yaml").read_text(encoding="utf-8"))
    config |= {"study": "mine", "benchmarks": ["competition", "math500"]}
    config["exams"] = {
        "source": "manifest",
        "manifest": "resources/mine/exams.yaml",
        "years": [2011, 2012, 2013],
        "sections": {"fs": "Freshman-Sophomore"},
    }
    config["benchmark_files"] = {
        "math500": {"file": "resources/mine/math.jsonl", "sha256": sha256((LINE * 500).encode())}
    }
    config["claims"] |= {"speed_section": None, "clusters": "text", "strata": None}
    config["student"] |= {"model": "resources/mine/model", "pretraining": None}
    config["folds"] = {"temporal": {"train": [2011], "validation": [2012], "test": [2013]}}
    (study.path / "config.mine.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return study


def write_manifest(study, origin=None):
    papers = [
        {"year": int(name[:4]), "sections": ["fs"], "file": name, "sha256": sha256(data)}
        for name, data in PDFS.items()
    ]
    content = {"folder": "pdfs", "papers": papers} | ({"origin": origin} if origin else {})
    (study.path / "resources/mine/exams.yaml").write_text(yaml.safe_dump(content))


def distil(study, *arguments):
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(study.path)}
    return subprocess.run(
        [sys.executable, "-m", "distil", *arguments],
        cwd=study.path, capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip


def items(study, name="mine"):
    """What `distil check` lists, by name."""
    return {row["name"]: row for row in json.loads(distil(study, "check", name, "--json").stdout)}


@pytest.fixture
def origin(tmp_path):
    """A loopback host that holds the PDFs, one of them damaged."""
    folder = tmp_path / "host"
    folder.mkdir()
    for name, data in PDFS.items():
        (folder / name).write_bytes(data if name != "2013 test.pdf" else data + b"?")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    handler.log_message = lambda *_: None
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_everything_that_is_missing_is_listed_at_once_and_its_remedy_works(checkout, tmp_path):
    write_manifest(checkout)
    told = distil(checkout, "check", "mine")
    assert told.returncode == 1
    for word in (
        "2011-fs",
        "2012-fs",
        "2013-fs",
        "math500",
        "model",
        "the simulated teacher knows",
    ):
        assert word in told.stdout
    assert "6 things are missing or to be filled in" in told.stdout
    download = tmp_path / "download"
    (download / "deep").mkdir(parents=True)
    for number, data in enumerate(PDFS.values()):
        (download / "deep" / f"renamed {number}").write_bytes(data)
    (download / "test.jsonl").write_text(LINE * 500)
    fetched = distil(checkout, "fetch", "mine", "--from", str(download))
    assert fetched.returncode == 1, "the model is not in the folder"
    assert "student.source names no repository" in fetched.stdout
    model = checkout.path / "resources/mine/model"
    shutil.copytree(ROOT / "resources/student", model)
    (model / "model.lock.json").unlink()
    named = items(checkout)["model"]["remedy"].partition(",")[0].split()
    assert named == ["distil", "lock", "resources/mine/model"]
    assert distil(checkout, *named[1:]).returncode == 0, "the remedy that was named"
    again = distil(checkout, "fetch", "mine")
    assert again.returncode == 0, again.stdout
    states = {name: row["state"] for name, row in items(checkout).items()}
    assert states == {
        "2011-fs": "ready", "2012-fs": "ready", "2013-fs": "ready", "math500": "ready",
        "model": "ready", "simulated": "placeholder", "space": "ready", "mlx": "ready",
    }  # fmt: skip
    tokenizer = model / "tokenizer_config.json"
    tokenizer.write_text(tokenizer.read_text().replace("{", "{ ", 1))
    assert "tokenizer_config.json: not the file that" in distil(checkout, "fetch", "mine").stdout
    wrong = items(checkout)["model"]
    assert (wrong["state"], wrong["said"].count("remedy")) == ("wrong", 0)
    assert wrong["remedy"].endswith("lock the new model with: distil lock resources/mine/model")
    assert distil(checkout, "lock", "resources/mine/model").returncode == 0
    assert items(checkout)["model"]["state"] == "ready"


def test_the_device_that_mlx_computes_on_is_listed_and_a_gpu_that_is_missing_told(checkout):
    device = items(checkout, "micro")["mlx"]
    backend = device["said"].partition(" ")[0]
    assert (device["kind"], device["state"]) == ("device", "ready")
    assert backend in ("cpu", "metal", "cuda")
    assert f"mlx: {device['said']}" in distil(checkout, "check", "micro").stdout
    checkout.edit("config.micro.yaml", "resources: {gpu: 0,", "resources: {gpu: 1,")
    wanted = items(checkout, "micro")["mlx"]
    assert wanted["state"] == ("note" if backend == "cpu" else "ready")
    assert ("student.resources.gpu" in wanted["remedy"]) == (backend == "cpu")


def test_downloads_are_held_against_their_hash_and_nothing_wrong_is_kept(checkout, origin):
    write_manifest(checkout, origin)
    fetched = distil(checkout, "fetch", "mine")
    assert fetched.returncode == 1
    held = sorted(path.name for path in (checkout.path / "resources/mine/pdfs").iterdir())
    assert held == ["2011 test.pdf", "2012 test.pdf"]
    assert "gave a file of sha256" in fetched.stdout
    assert "no address is known" in fetched.stdout, "for the benchmark"


def test_a_file_that_is_another_one_is_named_and_left_alone(checkout):
    write_manifest(checkout)
    own = checkout.path / "resources/mine/pdfs/2011 test.pdf"
    own.parent.mkdir()
    own.write_bytes(b"mine")
    assert "sha256 is" in distil(checkout, "check", "mine").stdout
    assert "another file stands there" in distil(checkout, "fetch", "mine").stdout
    assert own.read_bytes() == b"mine"


def test_what_is_mistyped_is_one_line(checkout, tmp_path):
    write_manifest(checkout)
    nowhere = distil(checkout, "fetch", "mine", "--from", str(tmp_path / "nowhere"))
    assert (nowhere.returncode, nowhere.stderr.count("\n")) == (1, 1)
    assert "no such folder" in nowhere.stderr
    typo = distil(checkout, "check", "mien")
    assert "did you mean mine?" in typo.stderr
    # The file's own name does as well, where it lies beside the Snakefile.
    by_file = distil(checkout, "check", "config.mine.yaml")
    assert "teacher" in by_file.stdout
    elsewhere = distil(checkout, "check", "resources/mine.yaml")
    assert "keep it there as config.NAME.yaml" in elsewhere.stderr


def test_the_hosts_of_judge_and_served_student_are_checked_as_those_of_the_teacher(checkout):
    """A key that is not set would else be told once the teacher was paid and all was trained."""
    write_manifest(checkout)
    path = checkout.path / "config.mine.yaml"
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    for name, address in (("judge", "https://HOST/v1"), ("student", "http://127.0.0.1:9/v1")):
        config["teacher"]["hosts"][f"of-{name}"] = {
            "base_url": address, "api_key_env": f"{name.upper()}_KEY_OF_A_TEST",
            "models": {"m": {"input": 0, "output": 0}},
        }  # fmt: skip
    config["grading"]["judge"] = {"host": "of-judge", "model": "m", "max_tokens": 20}
    config["predictions"] |= {"decoder": "http", "server": {"host": "of-student", "model": "m"}}
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    found = items(checkout)
    assert found["of-judge"]["state"] == "placeholder"
    assert found["of-student"]["state"] == "ready"
    for name in ("judge", "student"):
        assert found[f"key of of-{name}"]["remedy"] == f"export {name.upper()}_KEY_OF_A_TEST=..."
    assert "money_cap" not in found
    config["teacher"] |= {"money_cap": 0}
    config["teacher"]["hosts"]["of-judge"]["models"]["m"]["output"] = 2.0
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    assert items(checkout)["money_cap"]["state"] == "missing"


def test_a_model_that_the_studys_decoder_cannot_decode_is_told_before_anything_is_paid(checkout):
    write_manifest(checkout)
    make_model(checkout.path / "resources/mine/model", "gemma3_text")
    found = items(checkout)["model"]
    assert found["state"] == "wrong"
    assert found["said"].startswith("model: caches of kind RotatingKVCache are not supported")
    assert found["remedy"].startswith("predictions.decoder: continuous")
    checkout.edit("config.mine.yaml", "decoder: exact", "decoder: continuous")
    assert items(checkout)["model"]["state"] == "ready"


class Hub(http.server.BaseHTTPRequestHandler):
    """A loopback hub that holds the sample student under `main`, one commit; it may lie."""

    protocol_version = "HTTP/1.1"
    commit = "c" * 40
    fault = ""

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, *, body):
        path = self.path.partition("?")[0]
        files = {
            file.name: file.read_bytes() for file in sorted((ROOT / "resources/student").iterdir())
        }
        files.pop("model.lock.json")
        if self.fault == "unfit":
            config = json.loads(files["config.json"])
            nested = {"rope_type": "default", "rope_theta": config.pop("rope_theta") * 3}
            files["config.json"] = json.dumps({**config, "rope_parameters": nested}).encode()
        if path.startswith("/api/models/mini/student/revision/"):
            siblings = [
                {"rfilename": name, "size": len(data), "blobId": name}
                | ({"lfs": {"sha256": sha256(data), "size": len(data), "pointerSize": 1}}
                   if name == "model.safetensors" else {})
                for name, data in files.items()
            ]  # fmt: skip
            info = {"_id": "1", "id": "mini/student", "modelId": "mini/student", "sha": self.commit}
            data, headers = json.dumps({**info, "siblings": siblings}).encode(), {}
        elif path.startswith("/api/models/mini/student/tree/"):
            tree = [{"type": "file", "oid": n, "size": len(d), "path": n} for n, d in files.items()]
            data, headers = json.dumps(tree).encode(), {}
        else:
            data = files[path.rpartition("/")[2]]
            headers = {"X-Repo-Commit": self.commit, "ETag": f'"{sha256(data)}"'}
            if self.fault == "damaged" and path.endswith(".safetensors"):
                data = data[:-1] + bytes([data[-1] ^ 1])
        self.send_response(200)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.mark.parametrize("fault", ["", "damaged", "unfit"])
def test_the_model_comes_from_the_hub_by_revision_and_is_held_against_its_hashes(
    checkout, tmp_path, fault
):
    write_manifest(checkout)
    path = checkout.path / "config.mine.yaml"
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    config["student"]["source"] = {"repository": "mini/student", "revision": "main"}
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    assert "may move" in distil(checkout, "check", "mine").stdout, "a branch is no pin"
    handler = type("OneHub", (Hub,), {"fault": fault})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        fetched = subprocess.run(
            [sys.executable, "-m", "distil", "fetch", "mine"],
            cwd=checkout.path, capture_output=True, text=True, check=False,
            env={
                **os.environ, "PYTHONPATH": str(checkout.path), "HF_HUB_OFFLINE": "0",
                "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
                "HF_HOME": str(tmp_path / "hf"),
            },
        )  # fmt: skip
        server.shutdown()
    model = checkout.path / "resources/mine/model"
    if fault == "damaged":
        assert "model.safetensors is not the file of the hub" in fetched.stdout, fetched.stdout
        assert not (model / "model.lock.json").exists()
        return
    if fault == "unfit":
        # Before the teacher is paid, not when the first adapter is to be trained.
        assert 'write "rope_theta": 30000.0 at the top level' in fetched.stdout, fetched.stdout
        assert (fetched.returncode, items(checkout)["model"]["state"]) == (1, "missing")
        return
    assert f"mini/student at {Hub.commit}" in fetched.stdout, fetched.stdout + fetched.stderr
    assert items(checkout)["model"]["state"] == "ready"
    assert f"revision: {Hub.commit}" in fetched.stdout, "how to pin what was fetched"
