"""Every cell that moved gets the causes above it, each with its evidence, and no other."""

from __future__ import annotations

import shutil
from pathlib import Path

import forged_study
import pytest
from forged_study import MACHINE, STUDY, Forge, World

from distil.audit import differences, verify
from distil.audit.records import read_records
from distil.content.files import read_jsonl, write_jsonl

BEFORE = World()
BASE, STUDENT, LOSS = "C1:here:held_out", "C3:here:held_out", "C6:here:validation"
BLAS = {**MACHINE, "host": "two", "blas": {"core": "Haswell"}}


@pytest.fixture(params=["folders", "runs"])
def moved(request, tmp_path, monkeypatch):
    """Compare a forged study before and after a change, as two folders or as two runs of one."""
    monkeypatch.chdir(tmp_path)

    def compare(after: World, before: World = BEFORE) -> dict[str, differences.Moved]:
        top = Forge(before, "run-01")()
        if request.param == "folders":
            first = shutil.copytree(top, tmp_path / "earlier")
            Forge(after, "run-02")()
            sides = differences.FolderSnapshot(first), differences.FolderSnapshot(top)
        else:
            Forge(after, "run-02")()
            records = read_records(STUDY)
            sides = (
                differences.snapshot_at(records, "run-01"),
                differences.snapshot_at(records, "latest"),
            )
        return {row.cell: row for row in differences.compare(*sides)}

    return compare


def causes(row: differences.Moved) -> dict[str, str]:
    return {cause: "\n".join(evidence) for cause, evidence in row.causes.items()}


def test_nothing_moved_between_equal_studies(moved):
    assert moved(BEFORE) == {}


def test_a_test_years_paper_moves_the_answers_to_it_and_trains_nothing(moved):
    found = moved(BEFORE.but(papers={**BEFORE.papers, 2013: "other"}))
    assert set(causes(found[BASE])) == set(causes(found[STUDENT])) == {"data"}
    assert "papers/2013.pdf" in causes(found[STUDENT])["data"]
    assert LOSS not in found


def test_a_training_years_paper_reaches_the_student_through_its_adapters(moved):
    found = moved(BEFORE.but(papers={**BEFORE.papers, 2011: "other"}))
    assert causes(found[STUDENT]) == {"data": "extract_problems: papers/2011.pdf"}
    assert set(causes(found[LOSS])) == {"data"}
    assert BASE not in found
    assert set(causes(found["C1:here:in_sample"])) == {"data"}


def test_two_changes_at_once_are_told_apart_cell_by_cell(moved):
    found = moved(BEFORE.but(papers={**BEFORE.papers, 2011: "other"}, prompt="Think."))
    assert causes(found[BASE]) == {"prompt": "predict_answers: prompts/student.txt"}
    assert set(causes(found[STUDENT])) == {"data", "prompt"}
    assert set(causes(found[LOSS])) == {"data"}


def test_a_param_of_training_moves_what_was_trained(moved):
    found = moved(BEFORE.but(rate=0.002))
    assert causes(found[STUDENT]) == {"params": "train_adapter: learning_rate: 0.001 -> 0.002"}
    assert BASE not in found


def test_a_param_of_the_claims_moves_the_intervals_only(moved):
    found = moved(BEFORE.but(alpha=0.1))
    assert {name.split(":")[1] for name in found} == {"low"}
    assert all(
        causes(row) == {"params": "judge_claims: alpha: 0.05 -> 0.1"} for row in found.values()
    )


def test_a_seed_more_is_a_seed_and_no_param(moved):
    found = moved(BEFORE.but(seeds=(1, 2, 3)))
    assert set(causes(found[STUDENT])) == {"seed"}
    assert "only in B" in causes(found[STUDENT])["seed"]
    assert BASE not in found


def test_a_module_moves_what_its_rule_made(moved):
    found = moved(BEFORE.but(modules={"train_adapter": {"distil/student/training.py": "1"}}))
    assert causes(found[STUDENT]) == {"code": "train_adapter: distil/student/training.py"}
    assert BASE not in found


def test_a_package_moves_what_its_rule_made(moved):
    found = moved(
        BEFORE.but(packages={"grade_predictions": {"math-verify": "0.9.1"}}),
        BEFORE.but(packages={"grade_predictions": {"math-verify": "0.9.0"}}),
    )
    expected = {"packages": "grade_predictions: math-verify (0.9.0 -> 0.9.1)"}
    assert causes(found[BASE]) == causes(found[STUDENT]) == expected
    assert LOSS not in found


def test_another_machine_is_the_backend_where_nothing_else_differs(moved):
    found = moved(BEFORE.but(machine=BLAS, salt={"train_adapter": "other kernels"}))
    assert set(causes(found[STUDENT])) == {"backend"}
    assert '"Zen" -> "Haswell"' in causes(found[STUDENT])["backend"].replace("core: ", "")
    assert BASE not in found


def test_other_bytes_from_the_same_machine_are_unexplained(moved):
    found = moved(BEFORE.but(salt={"train_adapter": "cosmic ray"}))
    assert set(causes(found[STUDENT])) == {"unexplained"}
    assert "train_adapter" in causes(found[STUDENT])["unexplained"]


def test_what_changed_and_came_out_the_same_is_no_cause(moved):
    changed = {"verify_traces": {"distil/teacher/client.py": "1"}}  # its traces do not depend on it
    found = moved(BEFORE.but(modules=changed, alpha=0.1))
    assert set(causes(found["C3:low:held_out"])) == {"params"}


def test_a_copy_may_have_any_name_and_text_and_json_show_the_same(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = shutil.copytree(Forge(BEFORE, "run-01")(), tmp_path / "as it was")
    top = Forge(BEFORE.but(alpha=0.1), "run-02")()
    rows = differences.compare(differences.FolderSnapshot(first), differences.FolderSnapshot(top))
    text, data = differences.as_text(rows), differences.as_json(rows)
    for row in rows:
        assert row.cell in text
        assert row.cell in data
    assert "judge_claims: alpha: 0.05 -> 0.1" in text


def test_runs_are_found_by_id_beginning_order_and_time_and_unknown_ones_listed(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Forge(BEFORE, "run-01")()
    Forge(BEFORE.but(alpha=0.1), "run-02")()
    records = read_records(STUDY)
    assert list(differences.runs(records)) == ["run-01", "run-02"]
    lows = [
        differences.snapshot_at(records, name).tables["claims"]["C1/held_out"]["low"]
        for name in ("run-01", "latest~1", "2026-11-01T12:00", "run-02", "latest", "2026-11-20")
    ]
    assert lows[0] == lows[1] == lows[2] != lows[3] == lows[4] == lows[5]
    for name in ("run", "latest~2", "2026-10-01", "yesterday"):
        with pytest.raises(differences.NoSuchRunError, match="run-01"):
            differences.snapshot_at(records, name)
    with pytest.raises(FileNotFoundError, match="results/STUDY"):
        differences.FolderSnapshot(Path("nowhere"))


def test_a_history_that_lost_a_version_says_which(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    top = Forge(BEFORE, "run-01")()
    path = top / "lineage" / "versions.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if '"kind":"record"' not in line))
    with pytest.raises(FileNotFoundError, match="lacks the record"):
        differences.snapshot_at(read_records(STUDY), "latest")
    faults = verify.verify(STUDY)
    assert path.as_posix() in {fault.path for fault in faults}


def test_a_version_is_kept_once_and_the_history_only_grows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    top = Forge(BEFORE, "run-01")()
    versions, runs = ((top / "lineage" / name) for name in ("versions.jsonl", "runs.jsonl"))
    before, history = versions.read_bytes(), runs.read_bytes()
    Forge(BEFORE, "run-02")()
    assert versions.read_bytes() == before
    assert runs.read_bytes().startswith(history)
    Forge(BEFORE.but(alpha=0.1), "run-03")()
    assert versions.read_bytes().startswith(before)
    assert forged_study.STUDY in versions.read_text()


def test_a_reader_that_is_behind_is_told_from_a_file_that_was_edited(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Forge(BEFORE, "run-01")()
    forge, paper = Forge(BEFORE, "run-02"), Path("papers", "2013.pdf")
    path = forge.path("problems/2013.jsonl")

    def told() -> str:
        faults = verify.verify(STUDY)
        return " ".join(fault.message for fault in faults if fault.path == path.as_posix())

    rows = read_jsonl(path)
    write_jsonl(path, [{**row, "statement": "made anew"} for row in rows])
    made = path.read_bytes()
    forge.leave("extract_problems", {"year": "2013"}, {}, [("papers", paper)], [("problems", path)])
    assert "extract_problems(year=2013) has written other bytes since" in told()
    assert "edited" not in told()
    # Read after an edit by hand, which was then taken back.
    write_jsonl(path, [{**row, "statement": "by hand"} for row in rows])
    seen = forge.path("seen.txt")
    seen.write_text("seen")
    forge.leave("see_problems", {}, {}, [("problems", path)], [("seen", seen)])
    path.write_bytes(made)
    assert "see_problems read other bytes" in told()
    assert "it was edited in between" in told()
    # Read after an earlier version was put back by hand.
    write_jsonl(path, rows)
    forge.leave("see_problems", {}, {}, [("problems", path)], [("seen", seen)])
    path.write_bytes(made)
    assert "see_problems read other bytes" in told()
