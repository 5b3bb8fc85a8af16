"""Every number can be explained down to a page; every tampered byte is named."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pandas as pd
import pytest

from distil.audit import chain_text, chains, commands, explain, planned, verify
from distil.audit.faults import Fault
from distil.audit.recompute import recompute
from distil.audit.records import read_records
from distil.content.sealed import Seal, seal, unseal
from distil.lineage.history import CHAIN, read_chain

CHANGES = 300 if os.environ.get("DISTIL_TORTURE") else 15
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


# ----------------------------------------------------------------------- single changes, at random


def flip_bit(path: Path, chance: random.Random) -> None:
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


def cut(path: Path, chance: random.Random) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: chance.randrange(len(data))])


def remove(path: Path, chance: random.Random) -> None:
    path.unlink()


def lengthen(path: Path, chance: random.Random) -> None:
    path.write_bytes(path.read_bytes() + chance.choice([b"\n", b" ", b"{}\n"]))


def change_lines(path: Path, chance: random.Random) -> None:
    """Drop, double or swap whole lines, whose seals then hold."""
    lines = path.read_bytes().splitlines(keepends=True)
    place = chance.randrange(len(lines))
    other = next((n for n, line in enumerate(lines) if line != lines[place]), None)
    kind = chance.choice(["drop", "double", "swap"])
    if kind == "swap" and other is not None:
        lines[place], lines[other] = lines[other], lines[place]
    elif kind == "double":
        lines.insert(place, lines[place])
    else:
        del lines[place]
    path.write_bytes(b"".join(lines))


def seal_anew(path: Path, chance: random.Random) -> None:
    """Change what a sealed line says, and give it the seal of that."""
    lines = path.read_bytes().splitlines(keepends=True)
    place = chance.randrange(len(lines))
    row = unseal(lines[place])
    form = next(form for form in Seal if seal(row, form) == lines[place])
    lines[place] = seal({**row, "forged": True}, form)
    path.write_bytes(b"".join(lines))


def edit_record(path: Path, chance: random.Random) -> None:
    """Change one value of a record, which stays a record."""
    content = json.loads(path.read_text())
    side = chance.choice([name for name in ("input", "output") if content[name]])
    row = chance.choice(content[side])
    kind = chance.choice(["sha256", "size", "params", "code"])
    if kind == "sha256":
        row["sha256"] = row["sha256"][1:] + ("0" if row["sha256"][0] != "0" else "1")
    elif kind == "size":
        row["size"] += 1
    elif kind == "params":
        content["params"]["forged"] = True
    else:
        content["code"] = "f" * 64
    path.write_text(json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


ANY = (flip_bit, cut, remove, lengthen)


def test_every_single_change_is_named_whether_its_mtime_is_kept_or_not(inside, monkeypatch):
    """Results, what they were read from, records, history and stores; logs and timings are not."""
    records = read_records(STUDY)
    kinds = {
        "result": ([*records.writers], ANY),
        "source": ([path for path in records.readers if path not in records.writers], ANY),
        "record": ([path.as_posix() for path in records.by_path], (*ANY, edit_record)),
        "history": (
            [path.as_posix() for path in records.folder.glob("*.jsonl")],
            (*ANY, change_lines, seal_anew),
        ),
        "store": (
            [path.as_posix() for path in Path("state", STUDY).rglob("*.jsonl")],
            (*ANY, change_lines, seal_anew),
        ),
        # May be removed: trainings are then done anew.
        "training": (
            [path.as_posix() for path in Path("state", STUDY, "adapters").rglob("*.*")],
            (flip_bit, cut, lengthen),
        ),
    }
    history = {*kinds["history"][0]}
    every = set().union(*(files for files, _ in kinds.values()))
    # Hashing the installed packages anew each time has a test of its own.
    monkeypatch.setattr(verify, "check_installed", lambda records: ())
    jobs = planned.expected_jobs([Path("config.micro.yaml")])
    head = read_chain(records.folder).head
    chance = random.Random(20260630)
    for number in range(CHANGES):
        kind = chance.choice([*kinds])
        files, changes = kinds[kind]
        path = Path(chance.choice([name for name in files if Path(name).stat().st_size]))
        change = chance.choice(changes)
        before, state = path.read_bytes(), path.stat()
        path.unlink()  # it may be a hard link
        path.write_bytes(before)
        change(path, chance)
        if chance.random() < 0.5 and path.exists():
            os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
        faults = verify.verify(STUDY, jobs=jobs, recompute=recompute)
        # Of the last run's line, its digest tells, which is published.
        if head not in read_chain(records.folder).heads:
            faults.append(Fault(verify.MISMATCH, (records.folder / CHAIN).as_posix(), "other head"))
        changed = not path.exists() or path.read_bytes() != before
        path.write_bytes(before)
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
        what = f"change {number}, {change.__name__} of {path}"
        assert changed, what
        # What a line of the history lacks may show in the file that vouches for it.
        right = history if path.as_posix() in history else {path.as_posix()}
        assert right & named(faults), what
        assert verify.exit_code(faults) in (verify.MISMATCH, verify.SECRET, verify.MISSING), what
        # A record that cannot be read leaves its outputs without a writer, and a history that does
        # not hold leaves records and stores without one; these are named too.
        if kind in ("result", "source", "store", "training"):
            assert not {name for name in named(faults) if name in every} - right, what
    assert verify.verify(STUDY, jobs=jobs, recompute=recompute) == []


def test_the_next_run_takes_in_a_store_that_was_removed_and_one_that_has_grown(inside):
    lost = next(Path("state", STUDY, "predictions").rglob("*.jsonl"))
    lost.unlink()
    longer = next(Path("state", STUDY, "teacher").rglob("*.jsonl"))
    with longer.open("ab") as stream:
        stream.write(longer.read_bytes().splitlines(keepends=True)[-1])
    told = {fault.path: fault.message for fault in verify.verify(STUDY)}
    assert told.keys() == {lost.as_posix(), longer.as_posix()}
    assert "the next run notes it" in told[lost.as_posix()]
    assert "start snakemake" in told[longer.as_posix()]
    assert inside.ran() == set()
    assert verify.verify(STUDY) == []


def test_another_anchor_or_head_is_named(looking, capsys):
    chance = random.Random(7)
    right, head = verify.anchor(STUDY), read_chain(Path("results", STUDY, "lineage")).head
    for option, digest in {"expected": right, "head": head}.items():
        place = chance.randrange(len(digest))
        wrong = digest[:place] + ("0" if digest[place] != "0" else "1") + digest[place + 1 :]
        for value, code in ((digest, verify.OK), (wrong, verify.MISMATCH)):
            asked = {"expected": None, "head": None, option: value}
            found = commands.run_verify(
                STUDY, show_anchor=False, **asked, cache=None, configfiles=[], values=[]
            )
            told = capsys.readouterr().out
            assert found == code, told
            assert (value in told) is (option == "expected" or value == wrong)


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
    path.write_text(path.read_text().replace('"statement": "', '"statement": "Now ', 1))
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
    explainer = explain.Explainer(STUDY)
    chain = explainer.explain("C4:here:held_out")
    stages = [stage["stage"] for stage in json.loads(chains.as_json(chain))["chain"]]
    for name in stages:
        assert name == "cell" or name in chain_text.as_text(chain, explainer)
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
