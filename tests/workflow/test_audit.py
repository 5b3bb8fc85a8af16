"""Every number can be explained down to a page; every tampered byte is named."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pandas as pd
import pytest

from distil.audit import chains, explain, verify
from distil.audit.records import read_records

TAMPERS = 1000 if os.environ.get("DISTIL_TORTURE") else 50
STUDY = "micro"


@pytest.fixture
def inside(study, monkeypatch):
    """A changeable copy of the finished study, as the working folder."""
    monkeypatch.chdir(study.path)
    return study


@pytest.fixture
def looking(finished, monkeypatch):
    """The finished study as the working folder; nothing may be changed."""
    monkeypatch.chdir(finished.path)
    return finished


def named(faults) -> set[str]:
    return {fault.path for fault in faults}


def test_an_untouched_study_verifies(looking):
    faults = verify.verify(STUDY)
    assert faults == []
    assert verify.exit_code(faults) == verify.OK


def test_every_job_of_the_study_left_a_record(looking):
    records = read_records(STUDY)
    assert not records.faults
    listed = looking.dry("--summary").stdout.splitlines()[1:]
    outputs = {line.split("\t")[0] for line in listed if line.strip()}
    assert outputs
    assert outputs <= set(records.writers)


def test_every_single_byte_tamper_is_named_whether_its_mtime_is_kept_or_not(inside, monkeypatch):
    records = read_records(STUDY)
    files = sorted(
        {path for path in records.writers if Path(path).stat().st_size}
        | {path for path in records.readers if Path(path).stat().st_size}
        | {record.as_posix() for record in records.by_path}
        | {path.as_posix() for path in records.folder.glob("*.jsonl")}
        | {path.as_posix() for path in Path("state", STUDY).rglob("*.jsonl")}
    )
    # Hashing the installed packages anew each time has a test of its own.
    monkeypatch.setattr(verify, "check_installed", lambda records: ())
    chance = random.Random(20260630)
    for _ in range(TAMPERS):
        path = Path(chance.choice(files))
        # A store's last line without its end is what a killed writer leaves.
        torn = "state" in path.parts
        before = path.read_bytes()
        state = path.stat()
        place = chance.randrange(len(before) - torn)
        changed = bytearray(before)
        changed[place] ^= 1 << chance.randrange(8)
        path.write_bytes(changed)
        if chance.random() < 0.5:
            os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
        faults = verify.verify(STUDY)
        path.write_bytes(before)
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
        assert path.as_posix() in named(faults), f"byte {place} of {path}"
        wrong = [f for f in named(faults) if f != path.as_posix() and f in files]
        # A record that cannot be read leaves its outputs without a writer, and those are named too.
        if "lineage" not in path.parts and not torn:
            assert not wrong, f"misnamed after a tamper of {path}: {wrong}"
        assert verify.exit_code(faults) in (verify.MISMATCH, verify.SECRET, verify.MISSING)
    assert verify.verify(STUDY) == []


def test_swapped_missing_and_extra_records_and_files_are_named(inside):
    folder = Path("results", STUDY, "lineage")
    first, second = sorted(folder.glob("extract_problems/*.json"))[:2]
    one, two = first.read_bytes(), second.read_bytes()
    first.write_bytes(two)
    second.write_bytes(one)
    assert {first.as_posix(), second.as_posix()} <= named(verify.verify(STUDY))
    first.write_bytes(one)
    second.write_bytes(two)

    first.unlink()
    faults = verify.verify(STUDY)
    assert first.as_posix() in named(faults)
    assert verify.exit_code(faults) == verify.MISSING
    first.write_bytes(one)

    extra = Path("results", STUDY, "tables", "extra.csv")
    extra.write_text("a,b\n")
    faults = verify.verify(STUDY)
    assert named(faults) == {extra.as_posix()}
    assert verify.exit_code(faults) == verify.UNLISTED
    extra.unlink()

    missing = Path("results", STUDY, "tables", "levels.csv")
    missing.unlink()
    faults = verify.verify(STUDY)
    assert named(faults) == {missing.as_posix()}
    assert verify.exit_code(faults) == verify.MISSING


def test_a_record_edited_to_match_its_file_is_seen_through_its_consumers(inside):
    import hashlib

    path = Path("results", STUDY, "problems", "2014.jsonl")
    path.write_text(path.read_text().replace("Find", "find", 1))
    record = Path("results", STUDY, "lineage", "correct_problems", "year=2014.json")
    content = json.loads(record.read_text())
    content["output"][0]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    record.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    faults = verify.verify(STUDY)
    assert path.as_posix() in named(faults)
    assert any("read other bytes" in fault.message for fault in faults)


def test_a_rewrite_of_files_and_records_together_changes_the_anchor(inside):
    before = verify.anchor(STUDY)
    assert before == verify.anchor(STUDY)
    record = Path("results", STUDY, "lineage", "judge_claims", "job.json")
    record.write_text(record.read_text().replace('"format": 1', '"format":  1'))
    assert verify.anchor(STUDY) != before


def test_a_secret_in_any_text_is_found_and_not_printed(inside):
    path = Path("results", STUDY, "logs", "leak.log")
    path.write_text("Authorization: Bearer abcdefghijklmnopqrstuvwxyz0123\n")
    faults = verify.verify(STUDY)
    assert verify.exit_code(faults) == verify.SECRET
    assert path.as_posix() in named(faults)
    assert "ghijkl" not in " ".join(fault.message for fault in faults)


def test_a_truncated_or_foreign_record_is_named_and_nothing_else_is_damaged(inside):
    record = Path("results", STUDY, "lineage", "choose_stops", "fold=temporal,variant=prompt.json")
    text = record.read_text()
    for damaged in (text[: len(text) // 2], "", "[]", text.replace('"format": 1', '"format": 99')):
        record.write_text(damaged)
        assert record.as_posix() in named(verify.verify(STUDY))
    record.write_text(text.replace('"study": "micro"', '"study": "other"'))
    assert any("foreign" in fault.message for fault in verify.verify(STUDY))


def test_a_record_whose_keys_were_changed_is_named_and_stops_no_audit(inside):
    record = Path("results", STUDY, "lineage", "choose_stops", "fold=temporal,variant=prompt.json")
    text = record.read_text()
    keys = {key for key in json.loads(text) if key != "format"}
    for key in sorted(
        keys | {"modules", "packages", "python", "name", "path", "sha256", "size", "study"}
    ):
        assert f'"{key}":' in text
        record.write_text(text.replace(f'"{key}":', f'"{key}~":', 1))
        assert record in read_records(STUDY).faults, key
        if key in ("packages", "sha256", "wildcards"):
            assert record.as_posix() in named(verify.verify(STUDY))


def test_a_missing_study_is_said_to_be_missing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    faults = verify.verify("nowhere")
    assert verify.exit_code(faults) == verify.MISSING
    assert "has not been run here" in faults[0].message


# ------------------------------------------------------------------------------------- explain


def test_every_cell_of_the_claims_table_leads_to_pages_of_recorded_pdfs(looking):
    explainer = explain.Explainer(STUDY)
    claims = pd.read_csv(Path("results", STUDY, "claims", "claims.csv"))
    reached = 0
    for claim in claims.to_dict("records"):
        for column in ("here", "low", "high", "p", "direction", "size"):
            chain = explainer.explain(f"{claim['id']}:{column}:{claim['estimand']}")
            stages = {stage.name: stage.entries for stage in chain.stages}
            assert "cell" in stages
            if claim["rows"] and "graded answers" in stages:
                assert stages["problems"]
                for stage in chain.stages:
                    for entry in stage.entries:
                        assert entry["sha256"], f"{stage.name}: {entry['id']} has no recorded hash"
                competition = [
                    r for r in stages["graded answers"] if r["benchmark"] == "competition"
                ]
                pages = {entry["id"].split()[0] for entry in stages.get("pages", [])}
                assert {row["problem"] for row in competition} <= pages
                reached += 1
    assert reached > 20


def test_every_cell_of_every_table_leads_to_hashed_rows_and_most_of_them_to_pdfs(looking):
    explainer = explain.Explainer(STUDY)
    chains_of, bottoms = {}, {}
    for cell in explainer.tables.cells():
        # Cells of a table that rest on the same rows have the same chain below the cell.
        rows = frozenset(explainer.tables.sources(cell))
        assert rows or not explainer.tables.computed(cell), cell.address
        if (cell.table, rows) not in chains_of:
            chain = chains_of[cell.table, rows] = explainer.explain(cell.address)
            for stage in chain.stages:
                for entry in stage.entries:
                    assert entry["sha256"], f"{cell.address}: {stage.name}: {entry['id']}"
        bottom = chains_of[cell.table, rows].stages[-1].name
        bottoms.setdefault(cell.table, set()).add(bottom)
    tables = {
        path.stem
        for path in Path("results", STUDY).glob("[ct]*s/*.csv")
        if len(path.read_text(encoding="utf-8").splitlines()) > 1
    }
    assert tables <= set(bottoms)
    assert {table for table, found in bottoms.items() if "PDFs" in found} >= tables


def test_text_json_and_html_show_the_same_chain(looking):
    chain = explain.Explainer(STUDY).explain("C4:here:held_out")
    stages = [stage["stage"] for stage in json.loads(chains.as_json(chain))["chain"]]
    for name in stages:
        assert name in chains.as_text(chain)
        assert name in chains.as_html(chain)
    assert stages[0] == "cell"
    assert stages[-1] == "PDFs"


def test_rows_and_files_are_explained_and_their_use_is_listed(looking):
    explainer = explain.Explainer(STUDY)
    row = explainer.explain(f"results/{STUDY}/problems/2014.jsonl#2014-fs-01")
    assert [stage.name for stage in row.stages][-1] == "PDFs"
    used = explainer.used_by("2014-fs-01")
    assert "C4:here:held_out" in {entry["id"] for entry in used.stages[-1].entries}
    trained = {stage.name for stage in explainer.used_by("2011-fs-01").stages}
    assert "training and validation rows made from it" in trained
    with pytest.raises(explain.NotFoundError, match="There are C1"):
        explainer.explain("C99")


def test_a_changed_page_shows_in_what_rests_on_it(looking):
    explainer = explain.Explainer(STUDY)
    used = explainer.used_by(f"results/{STUDY}/exams/2014-fs.pdf")
    made = {entry["id"] for stage in used.stages for entry in stage.entries}
    assert f"results/{STUDY}/claims/claims.csv" in made


# ---------------------------------------------------------------------------------------- diff


def test_a_moved_number_is_put_down_to_the_param_that_moved_it_and_to_nothing_else(
    study, finished, tmp_path
):
    from distil.audit import differences

    def side(checkout) -> differences.FolderSnapshot:
        return differences.FolderSnapshot(checkout.path / "results" / STUDY)

    assert differences.compare(side(study), side(finished)) == []
    study.edit("config.micro.yaml", "alpha: 0.05", "alpha: 0.2")
    study.snakemake("--", "results/micro/claims/claims.csv")
    moved = differences.compare(side(finished), side(study))
    assert moved
    assert set(moved[0].causes) == {"params"}
    assert any("alpha: 0.05 -> 0.2" in line for line in moved[0].causes["params"])
