"""Transcriptions are put in the place of extracted problems by text; the selection pins by hash."""

from __future__ import annotations

from pathlib import Path

import pytest

from distil.exams.tests import label_of
from distil.release.selection import read_selection, select_release, text_sha256
from distil.review.transcripts import match_by_text, take_transcripts
from distil.study.manifest import read_manifest
from scripts.correct_problems import leave_out, refuse_renumbered
from scripts.tabulate_problems import count_problems, list_problems

ROOT = Path(__file__).resolve().parents[2]
RELEASE = ROOT.parent / "shared" / "data" / "jobmc-release"
SELECTION = ROOT / "resources" / "jobmc" / "published.csv"
PLACE = {"pdf_sha256": "a" * 64, "key_page": None, "key_box": None, "key_sha256": None}


def problem(name, statement, **more):
    section = name.split("-")[1]
    return {
        "id": name, "section": section, "statement": statement, "options": [], "flags": [],
        "answer": "1", **more,
    }  # fmt: skip


def extracted(name, statement, page=1):
    return problem(name, statement, page=page, box=[0, 0, 9, 9], **PLACE)


def test_text_decides_where_the_numbers_disagree():
    read = [
        extracted("2020-js-18", "Find the area of the shaded figure below.", 4),
        extracted("2020-js-19", "How many primes lie between 10 and 40?", 4),
        extracted("2020-js-20", "Evaluate the sum of the first 12 odd numbers.", 5),
    ]
    typed = [
        problem("2020-js-18", "How many primes lie between $10$ and $40$?"),
        problem("2020-js-19", "Evaluate the sum of the first twelve odd numbers."),
    ]
    rows, left = take_transcripts(read, typed)
    assert [(row["id"], row["extracted_id"], row["page"]) for row in rows] == [
        ("2020-js-18", "2020-js-19", 4),
        ("2020-js-19", "2020-js-20", 5),
    ]
    assert left == ["2020-js-18"], "the figure problem is not transcribed"


def test_a_question_that_two_tests_share_goes_to_its_own_section():
    text = "What is the remainder when 3^{20} is divided by 7?"
    read = [extracted("2021-fs-17", text), extracted("2021-js-02", text)]
    typed = [problem("2021-js-02", text), problem("2021-fs-17", text)]
    assert match_by_text(read, typed) == {
        "2021-fs-17": ("2021-fs-17", 1.0),
        "2021-js-02": ("2021-js-02", 1.0),
    }


def test_what_recognition_destroyed_is_placed_by_number_and_says_so():
    read = [extracted("2015-js-01", "lf th e sum of a b c is ~ nine find th e rnean", 2)]
    typed = [
        problem("2015-js-01", "Let the sum of a, b and c be nine. Find the mean of the three."),
        problem("2015-js-02", "How many triangles have a perimeter of 12?"),
    ]
    first, second = take_transcripts(read, typed)[0]
    assert (first["page"], first["flags"]) == (2, ["placed_by_number"])
    assert (second["page"], second["flags"]) == (None, ["unplaced"])


def test_placeholders_are_no_problems():
    typed = [problem("2019-fs-11", "Question 11 (content not visible)", flags=["placeholder"])]
    assert take_transcripts([], typed) == ([], [])


def test_the_selection_holds_651_questions_and_their_14_repetitions():
    rows = read_selection(SELECTION)
    notes = [row["note"].partition(":")[0] for row in rows.values()]
    assert len(rows) - notes.count("placeholder") == 651
    assert (notes.count("placeholder"), notes.count("duplicate-of")) == (20, 14)


@pytest.mark.skipif(not RELEASE.is_dir(), reason="../shared/data/jobmc-release is absent")
def test_the_selection_is_that_of_the_release():
    held = {row["id"]: row for row in select_release(RELEASE)}
    pinned = read_selection(SELECTION)
    assert pinned.keys() == held.keys()
    for name, row in pinned.items():
        assert (row["text_sha256"], row["note"]) == (held[name]["text_sha256"], held[name]["note"])


def test_a_hash_forgets_notation_and_keeps_numbers():
    one, other = problem("a-b", r"Find $\tfrac12$ of $x^{2}$."), problem("a-b", "Find 1/2 of x²")
    assert text_sha256(one) == text_sha256(other)
    assert text_sha256(problem("a-b", "Find 1/3 of x²")) != text_sha256(one)


def test_each_published_problem_of_a_checked_paper_is_one_that_is_printed():
    sections = ["fs", "js", "tp"]
    papers = read_manifest(SELECTION.with_name("exams.yaml"), range(2011, 2026), sections)
    checked = [
        (f"{paper['year']}-{test['section']}", test)
        for paper in papers.values()
        for test in paper["tests"]
        if paper["tests"] != "unchecked" and test.get("section")
    ]
    published = {
        name for name, row in read_selection(SELECTION).items() if row["note"] != "placeholder"
    }
    seen = {name: test["renumbered"] for name, test in checked if "renumbered" in test}
    assert seen == {
        "2014-tp": {"9": "t1", "10": "t2"},
        "2020-js": {"18": None, "19": "18", "20": "19"},
    }
    for name, test in checked:
        printed = map(str, range(1, test["problems"] + 1))
        renumbered = test.get("renumbered", {})
        numbers = filter(None, (renumbered.get(number, number) for number in printed))
        ids = {f"{name}-{label_of(number)}" for number in numbers}
        assert {one for one in published if one.startswith(f"{name}-")} <= ids


def test_a_text_that_the_selection_has_under_another_number_of_the_test_is_refused():
    rows = [problem("2020-js-19", "How many primes lie between 10 and 40?")]
    known = {"note": "", "text_sha256": text_sha256(rows[0])}
    refuse_renumbered(rows, {"2020-js-19": known, "2020-js-18": known, "2020-fs-03": known})
    refuse_renumbered(rows, {"2020-fs-03": known})
    with pytest.raises(ValueError, match="2020-js-19 has the text of the published 2020-js-18"):
        refuse_renumbered(rows, {"2020-js-18": known, "2020-fs-03": known})


def test_a_test_that_lacks_published_problems_and_holds_others_is_named():
    row = {"section": "tp", "selected": True, "note": None, "flags": []}
    rows = [
        {**row, "id": "2013-tp-08", "fate": "taken", "reason": ""},
        {
            **row,
            "id": "2013-tp-09",
            "fate": "excluded",
            "reason": "not selected",
            "selected": False,
        },
    ]
    assert "renumbered" not in " ".join(count_problems(list_problems(rows, {})))
    rows.append({**row, "id": "2013-tp-t1", "fate": "not found", "reason": "not found"})
    said = count_problems(list_problems(rows, {}))
    assert said[-1].startswith("2013-tp: 2013-tp-t1 not found, 2013-tp-09 not selected")


def test_what_the_selection_lacks_and_what_lacks_in_it_is_told_with_its_reason():
    rows = [
        problem("2020-fs-01", "One."),
        problem("2020-fs-02", "See below.", flags=["figure"]),
        problem("2020-fs-03", "Three."),
    ]
    notes = {"2020-fs-01": "", "2020-fs-04": "placeholder", "2020-fs-05": ""}
    selected = {name: {"note": note, "text_sha256": "0" * 64} for name, note in notes.items()}
    kept, left_out, not_found = leave_out(rows, selected)
    assert [row["id"] for row in kept] == ["2020-fs-01"]
    assert left_out == {"figure": ["2020-fs-02"], "not selected": ["2020-fs-03"]}
    assert not_found == {"placeholder": ["2020-fs-04"], "not found": ["2020-fs-05"]}
    assert leave_out(rows, None) == (rows, {}, {})
