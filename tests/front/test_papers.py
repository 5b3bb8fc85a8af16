"""Papers with several tests, through a study's manifest: nothing enters that is not listed."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import subprocess
import sys

import pytest
import typst
import yaml

from distil.release.selection import text_sha256
from tests.workflow.checkout import copy_repository

TEAM = "= 5-Person Team Test\n" + "\n\n".join(
    f"#block[{n}. Prove that the sum of {n} odd numbers is odd if {n} is odd.]" for n in (1, 2)
)
FIRST = "= Freshman-Sophomore Individual Test\n" + "\n\n".join(
    f"#block[{n}. A farmer owns {n + 3} goats and buys {n} more. How many does he own?]"
    for n in (1, 2, 3)
)
SECOND = "= Junior-Senior Individual Test\n" + "\n\n".join(
    f"#block[{n}. Find the area of a square whose side measures {n + 3} metres.]" for n in (1, 2, 3)
)
KEY = "= Answer Key\n\n" + "\n\n".join(f"#block[{n}. {2 * n + 3}]" for n in (1, 2, 3))
LISTED = [
    {"skip": "team event", "title": "5-Person Team Test", "pages": [1, 1]},
    {
        "section": "fs",
        "title": "Freshman-Sophomore Individual Test",
        "pages": [2, 2],
        "problems": 3,
    },
    {"section": "js", "title": "Junior-Senior Individual Test", "pages": [3, 3], "problems": 3},
]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A study of three years, each one PDF that begins with a team event."""
    study = copy_repository(tmp_path_factory.mktemp("front") / "repository")
    folder = study.path / "resources/mine"
    folder.mkdir()
    source = "#set text(size: 12pt)\n" + "\n#pagebreak()\n".join([TEAM, FIRST, SECOND, KEY])
    (folder / "paper.pdf").write_bytes(typst.compile(source.encode(), ignore_system_fonts=True))
    config = yaml.safe_load((study.path / "config.micro.yaml").read_text(encoding="utf-8"))
    config |= {"study": "mine", "benchmarks": ["competition"]}
    config["exams"] = {
        "source": "manifest",
        "manifest": "resources/mine/exams.yaml",
        "years": [2011, 2012, 2013],
        "sections": {"fs": "Freshman-Sophomore", "js": "Junior-Senior"},
    }
    config["folds"] = {"temporal": {"train": [2011], "validation": [2012], "test": [2013]}}
    config["claims"] |= {"speed_section": None, "clusters": "text", "strata": None}
    (study.path / "config.mine.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return study


def read(study, entry, check=True):
    """Write a manifest whose first paper has this entry, and read that paper."""
    digest = hashlib.sha256((study.path / "resources/mine/paper.pdf").read_bytes()).hexdigest()
    papers = [
        {"year": year, "file": "paper.pdf", "sha256": digest, **(entry if year == 2011 else {"tests": LISTED})}
        for year in (2011, 2012, 2013)
    ]  # fmt: skip
    path = study.path / "resources/mine/exams.yaml"
    path.write_text(yaml.safe_dump({"papers": papers}), encoding="utf-8")
    target = "results/mine/extractions/2011.jsonl"
    done = study.snakemake("--", target, config="config.mine.yaml", check=check)
    rows = []
    if check:
        lines = (study.path / target).read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
    return done.stdout + done.stderr, rows


def test_a_skipped_test_stays_out_and_the_others_keep_their_sections(checkout):
    _, rows = read(checkout, {"tests": LISTED})
    assert [row["id"] for row in rows] == [
        f"2011-{section}-0{number}" for section in ("fs", "js") for number in (1, 2, 3)
    ]
    assert "goats" in rows[0]["statement"]
    assert "square" in rows[3]["statement"]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"sections": ["fs", "js"]}, "which the manifest does not list"),
        ({"tests": LISTED[1:]}, "which the manifest does not list"),
        ({"tests": [LISTED[0], LISTED[2] | {"pages": [2, 2]}, LISTED[1] | {"pages": [3, 3]}]},
         '"Junior-Senior Individual Test" is expected there, "Freshman-Sophomore'),
        ({"tests": [*LISTED[:2], LISTED[2] | {"problems": 20}]},
         "has 20 problems in the manifest, 3 were seen"),
        ({"tests": [*LISTED, LISTED[1] | {"pages": [7, 8]}]}, "is listed and was not found"),
        ({"sections": ["fs", "js"], "tests": "unchecked"}, "nobody has checked yet"),
    ],
)  # fmt: skip
def test_a_paper_that_holds_something_else_stops_with_what_was_seen(checkout, entry, said):
    told, _ = read(checkout, entry, check=False)
    assert said in told
    assert "results/mine/exams/2011-" in told, "the paper is named"
    proposed = re.search(r"    tests:\n(?:      - .*\n?)+", told)
    assert proposed, "what was seen is proposed as the manifest writes it"
    sections = iter(("skip: team event", "section: fs", "section: js"))
    filled = re.sub(r"section: \?", lambda _: next(sections), proposed[0])
    _, rows = read(checkout, yaml.safe_load(filled))
    assert len(rows) == 6, "the proposal, filled in, is a remedy"


def test_printed_problems_enter_under_the_numbers_that_others_published_them_under(checkout):
    """The published numbering of the second test leaves its first problem out and counts on."""
    path = checkout.path / "config.mine.yaml"
    before = path.read_text(encoding="utf-8")
    config = yaml.safe_load(before)
    lines = ["id,text_sha256,note"]
    for number in (1, 2):
        statement = f"Find the area of a square whose side measures {number + 4} metres."
        lines.append(f"2011-js-0{number},{text_sha256({'statement': statement})},")
    selection = checkout.path / "resources/mine/published.csv"
    selection.write_text("\n".join(lines) + "\n", encoding="utf-8")
    config["problems"] |= {
        "selection": "resources/mine/published.csv",
        "admit": {"refuse": ["empty"]},
    }
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    read(checkout, {"tests": LISTED})
    table = "results/mine/tables/problems.csv"
    told = checkout.snakemake("--", table, config="config.mine.yaml", check=False)
    assert "2011-js-02 has the text of the published 2011-js-01" in told.stdout + told.stderr
    assert "renumbered" in told.stdout + told.stderr
    renumbered = {"renumbered": {1: None, 2: 1, 3: 2}, "why": "1 is not published"}
    _, rows = read(checkout, {"tests": [*LISTED[:2], LISTED[2] | renumbered]})
    assert [(row["id"], row["number"]) for row in rows[3:]] == [
        ("2011-js-01", "2"), ("2011-js-02", "3"), ("2011-js-unpublished-1", "1"),
    ]  # fmt: skip
    checkout.snakemake("--", table, config="config.mine.yaml")
    problems = checkout.path / "results/mine/problems/2011.jsonl"
    taken = [json.loads(line) for line in problems.read_text(encoding="utf-8").splitlines()]
    assert [(row["id"], row["statement"][-9:]) for row in taken] == [
        ("2011-js-01", "5 metres."), ("2011-js-02", "6 metres."),
    ]  # fmt: skip
    with (checkout.path / table).open(encoding="utf-8") as stream:
        found = {row["problem"]: row for row in csv.DictReader(stream)}
    told = {
        name: (row["fate"], row["reason"], row["note"])
        for name, row in found.items()
        if name.startswith("2011-js")
    }
    assert told == {
        "2011-js-01": ("taken", "", "printed as 2"),
        "2011-js-02": ("taken", "", "printed as 3"),
        "2011-js-unpublished-1": ("excluded", "not selected", "printed as 1"),
    }
    path.write_text(before, encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"renumbered": {2: 1}, "why": "so"}, "published 1 would stand for printed 1 and 2"),
        ({"renumbered": {1: 3, 2: 3, 3: None}, "why": "so"}, "published 3 stands twice"),
        ({"renumbered": {9: "t1"}, "why": "so"}, "the test has 3 printed problems"),
        ({"renumbered": {1: "first"}, "why": "so"}, "first is no number"),
        ({"renumbered": {1: None}}, "why: is missing"),
        ({"why": "so"}, "why: goes with renumbered"),
        ({"renumbered": [1, 2], "why": "so"}, "write {printed: published}"),
    ],
)
def test_a_renumbering_that_cannot_be_is_refused_with_its_remedy(checkout, change, said):
    told, _ = read(checkout, {"tests": [*LISTED[:2], LISTED[2] | change]}, check=False)
    assert "resources/mine/exams.yaml: paper 1: test 3: " in told
    assert said in told


def test_a_simulated_teacher_of_other_papers_is_refused_before_any_job(checkout):
    read(checkout, {"tests": LISTED})
    lineage = checkout.path / "results/mine/lineage"
    before = set(lineage.rglob("*.json"))
    for target in (None, "traces", "results/mine/tables/levels.csv", "results/mine/index.html"):
        targets = ("--", target) if target else ()
        told = checkout.snakemake(*targets, config="config.mine.yaml", check=False)
        assert told.returncode != 0
        assert "no job is started" in told.stderr
        assert "knows the sample study's problems and no others" in told.stderr
        assert "teacher.hosts.simulated.base_url" in told.stderr
    assert set(lineage.rglob("*.json")) == before


def test_a_study_takes_texts_as_they_were_read_and_no_corrections_beside_them(checkout):
    _, read_rows = read(checkout, {"tests": LISTED})
    path = checkout.path / "config.mine.yaml"
    before = path.read_text(encoding="utf-8")
    config = yaml.safe_load(before)
    config["problems"] |= {"source": "extraction", "admit": {"refuse": ["empty"]}}
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    target = "results/mine/problems/2011.jsonl"
    checkout.snakemake("--", target, config="config.mine.yaml")
    lines = (checkout.path / target).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == read_rows, "byte for byte what was read"
    record = checkout.path / "results/mine/lineage/correct_problems/year=2011.json"
    assert json.loads(record.read_text(encoding="utf-8"))["params"]["source"] == "extraction"
    config["problems"]["corrections"] = "resources/mine/corrections.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    told = checkout.snakemake("-n", config="config.mine.yaml", check=False)
    assert "problems.corrections: is not used with source: extraction" in told.stdout + told.stderr
    path.write_text(before, encoding="utf-8")


def test_new_lists_the_tests_that_a_paper_holds_and_what_it_lists_is_read(checkout):
    folder = checkout.path / "resources/proposed"
    folder.mkdir()
    paper = (checkout.path / "resources/mine/paper.pdf").read_bytes()
    for year in (2011, 2012, 2013):
        (folder / f"{year} All Tests.pdf").write_bytes(paper)
    done = subprocess.run(
        [sys.executable, "-m", "distil", "new", "proposed", str(folder)],
        cwd=checkout.path, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(checkout.path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    manifest = checkout.path / "resources/proposed/exams.yaml"
    (first, *_) = yaml.safe_load(manifest.read_text(encoding="utf-8"))["papers"]
    seen = [(test.get("skip"), test["title"], test["problems"]) for test in first["tests"]]
    assert seen == [
        ("team event", "5-Person Team Test", 2),
        (None, "Freshman-Sophomore Individual Test", 3),
        (None, "Junior-Senior Individual Test", 3),
    ]
    target = "results/proposed/extractions/2011.jsonl"
    checkout.snakemake("--", target, config="config.proposed.yaml")
    lines = (checkout.path / target).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["id"][5:] for line in lines] == [
        f"{test['section']}-0{n}" for test in first["tests"] if "section" in test for n in (1, 2, 3)
    ]


def test_a_study_takes_texts_from_a_transcription_and_says_what_became_of_every_problem(checkout):
    read(checkout, {"tests": LISTED})
    folder = checkout.path / "resources/mine/release/datafile"
    folder.mkdir(parents=True)
    for year in (2011, 2012, 2013):
        typed = {  # numbers of the transcription are its own; the text tells the place
            "junior_senior_test": {
                "question_1": {
                    "question": "Find the area of a square whose side measures 5 metres.",
                    "answer": "25",
                },
                "question_9": {"question": "Question 9 (content not visible)", "answer": "0"},
            }
        }
        (folder / f"{year}.json").write_text(json.dumps(typed), encoding="utf-8")
    selection = checkout.path / "resources/mine/selection.csv"
    lines = ["id,text_sha256,note"]
    lines += [
        f"{year}-js-{number},{'0' * 64}," for year in (2011, 2012, 2013) for number in ("01", "07")
    ]
    selection.write_text("\n".join(lines) + "\n", encoding="utf-8")
    path = checkout.path / "config.mine.yaml"
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    config["problems"] |= {
        "source": "transcription",
        "transcription": "resources/mine/release",
        "selection": "resources/mine/selection.csv",
    }
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    target = "results/mine/problems/2011.jsonl"
    checkout.snakemake("--", target, config="config.mine.yaml")
    (row,) = map(json.loads, (checkout.path / target).read_text(encoding="utf-8").splitlines())
    assert (row["id"], row["extracted_id"], row["page"]) == ("2011-js-01", "2011-js-02", 3)
    assert (row["method"], row["answer"], row["likeness"]) == ("transcription", "25", 1.0)
    record = checkout.path / "results/mine/lineage/correct_problems/year=2011.json"
    facts = json.loads(record.read_text(encoding="utf-8"))["facts"]
    assert facts["not_found"] == {"not found": ["2011-js-07"]}
    # Every problem has a fate: taken, excluded or not found, each with its reason.
    checkout.snakemake("--", "results/mine/tables/problems.csv", config="config.mine.yaml")
    with (checkout.path / "results/mine/tables/problems.csv").open(encoding="utf-8") as stream:
        fates = {row["problem"]: (row["fate"], row["reason"]) for row in csv.DictReader(stream)}
    own = {name: fate for name, fate in fates.items() if name.startswith("2011")}
    assert own == {
        "2011-js-01": ("taken", ""),
        "2011-js-07": ("not found", "not found"),
        **{f"2011-fs-0{n}.read": ("excluded", "not transcribed") for n in (1, 2, 3)},
        **{f"2011-js-0{n}.read": ("excluded", "not transcribed") for n in (1, 3)},
    }
    notes = (checkout.path / "results/mine/tables/problems.md").read_text(encoding="utf-8")
    assert "3 of them are in the study: without 3 (not found)." in notes
    config["problems"]["transcription"] = None
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    told = checkout.snakemake("-n", config="config.mine.yaml", check=False)
    assert "problems.transcription: is missing" in told.stdout + told.stderr
