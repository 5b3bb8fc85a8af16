"""A study leaves as a crate that says all its records say, verifies by itself and is valid."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from urllib.parse import unquote

import pandas as pd
import pytest
from rocrate.rocrate import ROCrate

from distil.audit import crates, verify
from distil.audit.files import Files
from distil.audit.records import read_records
from distil.content.hashing import sha256_file
from tests.workflow.checkout import ROOT

STUDY = "micro"
# Not in the lock: roc-validator pins an old rich. docs/lineage.md says how to make it.
VALIDATORS = ("roc-validator==0.13.0", "rocrate==0.13.0", "mlcroissant==1.1.1", "pyarrow")


def audit(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "distil", "--study", STUDY, *arguments],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def crate(finished, tmp_path_factory) -> Path:
    """The crate of the finished study, as the command writes it."""
    folder = tmp_path_factory.mktemp("crates") / "crate"
    done = audit(finished.path, "export", str(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def graph(crate) -> dict[str, dict]:
    """The entities of the crate by id."""
    entities = json.loads((crate / crates.BASENAME).read_text(encoding="utf-8"))["@graph"]
    assert len({entity["@id"] for entity in entities}) == len(entities)
    return {entity["@id"]: entity for entity in entities}


def named(value) -> list[str]:
    """Return the ids that a property refers to."""
    return [item["@id"] for item in (value if isinstance(value, list) else [value])]


def of_type(graph: dict[str, dict], kind: str) -> dict[str, dict]:
    return {
        name: entity
        for name, entity in graph.items()
        if kind in ([entity["@type"]] if isinstance(entity["@type"], str) else entity["@type"])
    }


def test_every_record_is_an_action_with_its_files_values_and_times(finished, graph, monkeypatch):
    monkeypatch.chdir(finished.path)
    records = read_records(STUDY)
    happened = {row["record"]: row for row in records.history}
    actions = {
        unquote(entity["subjectOf"]["@id"]): entity
        for name, entity in of_type(graph, "CreateAction").items()
        if name.startswith("#job/")
    }
    assert actions.keys() == {path.as_posix() for path in records.by_path}
    for path, record in records.by_path.items():
        action, row = (
            actions[path.as_posix()],
            happened[path.relative_to(records.folder).as_posix()],
        )
        assert action["instrument"] == {"@id": record.content["script"]}
        assert {*map(unquote, named(action["result"]))} == {*record.files("output")}
        objects = [graph[name] for name in named(action["object"])]
        files = {unquote(entity["@id"]) for entity in objects if "File" in entity["@type"]}
        assert files >= {*record.files("input")}
        told = {(e["name"], str(e["value"])) for e in objects if e["@type"] == "PropertyValue"}
        for name, value in (record.content["params"] | record.content["wildcards"]).items():
            assert (
                isinstance(value, (list, dict))
                or (name, "null" if value is None else str(value)) in told
            )
        assert len(told) == len(record.content["params"]) + len(record.content["wildcards"])
        assert action["startTime"] == row["started"]
        spent = pd.Timestamp(action["endTime"]) - pd.Timestamp(action["startTime"])
        assert spent.total_seconds() == pytest.approx(row["seconds"], abs=0.001)
        requirements = {name.split("/")[1] for name in named(
            graph[record.content["script"]]["softwareRequirements"])}  # fmt: skip
        for package in record.content["fingerprint"]["packages"].items():
            assert "@".join(package) in requirements
    assert len(of_type(graph, "OrganizeAction")) == len({row.get("run") for row in records.history})
    held = [name for e in of_type(graph, "OrganizeAction").values() for name in named(e["object"])]
    assert sorted(named(graph[name]["object"])[0] for name in held) == sorted(
        action["@id"] for action in actions.values()
    )


def test_steps_stand_in_the_order_of_the_dag(graph):
    place = {step["name"]: int(step["position"]) for step in of_type(graph, "HowToStep").values()}
    connections = of_type(graph, "ParameterConnection").values()
    assert connections
    for connection in connections:
        source, target = (
            connection[end]["@id"].split("/")[1] for end in ("sourceParameter", "targetParameter")
        )
        assert place[source] < place[target]


def test_every_file_of_the_crate_is_described_by_its_hash(crate, graph):
    there = {path.relative_to(crate).as_posix() for path in crate.rglob("*") if path.is_file()} - {
        crates.BASENAME
    }
    described = {unquote(name): entity for name, entity in of_type(graph, "File").items()}
    assert described.keys() == there
    files = Files()
    for name, entity in described.items():
        assert entity["sha256"] == files.sha256(str(crate / name))
        assert entity["contentSize"] == str((crate / name).stat().st_size)
    assert {*map(unquote, named(graph["./"]["hasPart"]))} == there
    assert ROCrate(crate).mainEntity.id == "Snakefile"


def test_equal_records_give_equal_bytes_and_name_no_machine(finished, crate, tmp_path, monkeypatch):
    monkeypatch.chdir(finished.path)
    monkeypatch.setattr(crates, "ROOT", finished.path)  # the code that lies beside the study
    configuration = finished.path / "config.micro.yaml"
    for path in crates.export(STUDY, tmp_path / "again", [configuration]):
        text = path.read_text(encoding="utf-8")
        assert text == (crate / path.name).read_text(encoding="utf-8")
        for row in read_records(STUDY).history:
            assert f'"{row["host"]}"' not in text
        assert str(finished.path) not in text


def test_a_crate_verifies_where_it_lies(finished, crate, tmp_path, monkeypatch):
    shutil.copytree(crate, tmp_path / "crate")
    done = audit(tmp_path / "crate", "verify", "--anchor")
    monkeypatch.chdir(finished.path)
    anchor, history, ok, *_ = done.stdout.split("\n")
    assert (anchor, ok) == (f"anchor: {verify.anchor(STUDY)}", "ok"), done.stdout
    assert history.startswith("history: ")
    assert done.stderr == ""


def test_every_table_is_described_with_its_hash_columns_and_types(finished, crate):
    croissant = json.loads((crate / "croissant.json").read_text(encoding="utf-8"))
    files = {file["@id"]: file for file in croissant["distribution"]}
    expected = {
        path.relative_to(finished.path).as_posix()
        for name in ("benchmarks", "datasets", "grades", "predictions", "problems", "traces")
        for path in (finished.path / "results" / STUDY / name).rglob("*")
        if path.suffix in (".csv", ".jsonl", ".parquet")
    }
    assert files.keys() == expected
    tables, types = {table["@id"]: table["field"] for table in croissant["recordSet"]}, {}
    for name, file in files.items():
        path = finished.path / name
        assert file["sha256"] == sha256_file(path)
        read = {
            ".csv": pd.read_csv,
            ".jsonl": lambda path: pd.read_json(path, lines=True, dtype=False),
            ".parquet": pd.read_parquet,
        }[path.suffix](path)
        fields = tables[name.removeprefix(f"results/{STUDY}/").rsplit(".", 1)[0]]
        assert {field["name"].rsplit("/", 1)[1] for field in fields} == {*read.columns}
        types |= {field["@id"]: field.get("dataType") for field in fields}
    train = "datasets/temporal/prompt/train"
    assert types[f"{train}/id"] == "sc:Text"
    assert types[f"{train}/messages"] is None  # its parts have types
    assert types["grades/answers/year"] == "sc:Integer"


def test_what_does_not_verify_is_not_exported(study, tmp_path):
    claims = study.path / "results" / STUDY / "claims" / "claims.csv"
    text = claims.read_text(encoding="utf-8")
    claims.unlink()
    claims.write_text(text.replace("0", "1", 1), encoding="utf-8")
    done = audit(study.path, "export", str(tmp_path / "crate"))
    assert done.returncode == verify.MISMATCH
    assert f"results/{STUDY}/claims/claims.csv: is not what" in done.stdout
    assert not (tmp_path / "crate").exists()


def test_no_key_enters_a_crate_and_nothing_is_left_of_it(finished, tmp_path, monkeypatch):
    monkeypatch.chdir(finished.path)
    (tmp_path / "config.yaml").write_text(f"teacher: sk-{'a1' * 12}\n", encoding="utf-8")
    with pytest.raises(crates.KeyFoundError, match=r"config\.yaml holds what looks like a key"):
        crates.export(STUDY, tmp_path / "out" / "crate", [tmp_path / "config.yaml"])
    assert [*(tmp_path / "out").iterdir()] == []


def test_a_folder_that_is_there_is_left_alone(finished, tmp_path, monkeypatch):
    monkeypatch.chdir(finished.path)
    (tmp_path / "crate").mkdir()
    with pytest.raises(crates.CrateError, match="is here already"):
        crates.export(STUDY, tmp_path / "crate")
    assert [*(tmp_path / "crate").iterdir()] == []


def test_files_from_elsewhere_and_large_ones_are_described_and_not_taken(
    finished, tmp_path, monkeypatch
):
    monkeypatch.chdir(finished.path)
    elsewhere = tmp_path / "paper.pdf"
    elsewhere.write_bytes(b"%PDF")
    records = read_records(STUDY)
    record = next(record for record in records.by_path.values() if record.rule == "train_adapter")
    row = next(row for row in record.content["input"] if row["name"] == "train")
    row |= {"path": str(elsewhere), "sha256": sha256_file(elsewhere), "size": 4}
    monkeypatch.setattr(crates, "LARGEST", 10_000)
    made = crates.Builder(records).build([])
    entity = made.get(f"#source/{row['sha256']}")
    assert (entity.type, entity["name"]) == ("CreativeWork", "paper.pdf")
    model = json.loads(Path("resources/student/model.lock.json").read_text())["files"]
    weights = made.get(f"#source/{model['model.safetensors']['sha256']}")
    assert weights["contentSize"] == str(model["model.safetensors"]["size"])
    assert made.get("resources/student/model.safetensors") is None
    assert made.get("resources/student/config.json")["sha256"] == model["config.json"]["sha256"]
    assert str(tmp_path) not in json.dumps(made.metadata.generate())


@pytest.fixture(scope="module")
def validators(tmp_path_factory) -> str:
    """The Python of an environment that holds the validators; `make torture` makes one."""
    if python := os.environ.get("DISTIL_VALIDATORS"):
        return python
    if not os.environ.get("DISTIL_TORTURE"):
        pytest.skip("DISTIL_VALIDATORS names no Python with the validators (docs/lineage.md)")
    folder = tmp_path_factory.mktemp("validators")
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    done = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", *VALIDATORS],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"the validators cannot be installed here: {done.stderr.splitlines()[-1]}")
    return python


def test_the_crate_is_valid_under_its_profile(validators, crate, tmp_path):
    check = ROOT / "tests" / "exports" / "check_crate.py"
    done = subprocess.run(
        [validators, check, crate, tmp_path], capture_output=True, text=True, check=False
    )
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    assert found["required"] == []
    assert {row["message"] for row in found["recommended"]} == {
        # Who ran a study and who publishes it is not in its records.
        "The Action SHOULD have an agent that is a Person or Organization",
        "The `publisher` property of a `Root Data Entity` SHOULD be an `Organization`",
        "The organization SHOULD have a URL.",
        # Packages go by their purl, which is no web address.
        "The Application SHOULD have a url",
        "The SoftwareApplication id SHOULD be an absolute URI",
    }
    broken = tmp_path / "broken"
    shutil.copytree(crate, broken)
    text = (broken / crates.BASENAME).read_text(encoding="utf-8")
    (broken / crates.BASENAME).write_text(text.replace('"HowToStep"', '"HowToTip"'))
    done = subprocess.run([validators, check, broken, tmp_path], capture_output=True, check=False)
    assert done.returncode == 1


def test_every_table_loads_as_its_description_says(validators, finished, crate):
    check = ROOT / "tests" / "exports" / "check_croissant.py"
    done = subprocess.run(
        [validators, check, crate / "croissant.json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["warnings"] == []
    top = finished.path / "results" / STUDY
    for table, rows in found["rows"].items():
        if (top / f"{table}.jsonl").is_file():
            assert rows == len((top / f"{table}.jsonl").read_text().splitlines())
        elif (top / f"{table}.parquet").is_file():
            assert rows == len(pd.read_parquet(top / f"{table}.parquet"))
        else:
            assert rows == len(pd.read_csv(top / f"{table}.csv"))
