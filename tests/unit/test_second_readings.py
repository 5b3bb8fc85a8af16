"""A vision model reads flagged crops; agreement settles a doubt, disagreement leaves it to people."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import typst

from distil.content.files import read_jsonl, write_jsonl
from distil.content.hashing import sha256_bytes, sha256_text
from distil.exams.extraction import extract
from distil.review.crops import read_crops as crops_of
from distil.review.vision_readings import agree, apply_readings, doubts, read_text, with_readings
from distil.teacher.agents import JobStopped, Prompt
from distil.teacher.money import picture_tokens
from distil.teacher.settings import TeacherError
from scripts import correct_problems, crop_problems, read_crops
from tests.unit.test_corrections import row
from tests.unit.test_teacher_scripts import shaping
from tests.vision_host import MODEL, serve

ROOT = Path(__file__).resolve().parents[2]
LIMITS = {"memory_mb": 2000, "cpu_seconds": 30, "wall_seconds": 120}
RUN = {"retries": 0, "money_cap": 1.0, "stop_after": 0}
HOST = {
    "concurrency": 2, "connect_seconds": 5.0, "idle_seconds": 20.0, "deadline_seconds": 60.0,
    "models": {MODEL: {"input": 1.0, "output": 1.0}},
}  # fmt: skip
PAPER = """
#set page(width: 14cm, height: 18cm, margin: 1.5cm)
1. Find the value of $x^2$ if $x = 5$.

2. Find the sum of the digits of 1234.

3. What is half of 86?

#pagebreak()
= Answer Key
1. 25

2. 10

3. 43
"""


@pytest.fixture(scope="module")
def year(tmp_path_factory):
    """A paper of three problems, each with a doubt put in by hand, and their crops."""
    folder = tmp_path_factory.mktemp("year")
    (folder / "2014-fs.pdf").write_bytes(typst.compile(PAPER.encode(), ignore_system_fonts=True))
    rows = extract(folder / "2014-fs.pdf", year=2014, sections=["fs"])
    assert [r["flags"] for r in rows] == [[], [], []]
    rows[0]["flags"] = ["doubtful", "figure"]  # read right
    misread = "Find the sum of the digits of 1284."
    rows[1] |= {"flags": ["doubtful"], "statement": misread, "statement_plain": misread}
    rows[2] |= {"flags": ["key_doubtful"], "answer_raw": "48", "answer": "48"}
    write_jsonl(folder / "extracted.jsonl", rows)
    crop_problems.main(
        input=SimpleNamespace(
            papers=[str(folder / "2014-fs.pdf")],
            answer_keys=[],
            extracted=str(folder / "extracted.jsonl"),
        ),
        output=SimpleNamespace(crops=str(folder / "crops.parquet")),
        params=SimpleNamespace(dpi=150, limits=LIMITS, added=[]),
    )
    return folder


def pictures(year) -> dict[str, tuple[str, str]]:
    """{sha256 of a crop: (problem, what)}: what a host that knows the truth recognises."""
    return {crop["png_sha256"]: place for place, crop in crops_of(year / "crops.parquet").items()}


TRUTH = {
    ("2014-fs-01", "statement"): "1. Find the value of $x^2$ if $x = 5$.",
    ("2014-fs-02", "statement"): "Find the sum of the digits of 1234.",
    ("2014-fs-03", "key"): "43",
}


def read(year, target, address, served=(MODEL,), models=HOST["models"], **changes):
    host = {**HOST, "base_url": address, "models": models}
    output = SimpleNamespace(
        readings=str(target / "readings.jsonl"), responses=str(target / "reader_responses.jsonl")
    )
    report = read_crops.main(
        input=SimpleNamespace(
            extracted=str(year / "extracted.jsonl"),
            crops=str(year / "crops.parquet"),
            reader=ROOT / "resources/prompts/paper/reader.txt",
        ),
        output=output,
        params=SimpleNamespace(
            study="sample", year="2014", teacher=shaping(MODEL, 500) | {"served": list(served)}
        ),
        how={"teacher": {**RUN, **changes, "hosts": {"own": host}}},
    )
    return report, read_jsonl(output.readings), read_jsonl(output.responses)


def host_of(year, answers=TRUTH):
    known = pictures(year)
    return serve(lambda prompt, png: answers[known[sha256_bytes(png)]])


def test_flagged_crops_alone_are_sent_and_no_text_of_them(year, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with host_of(year) as (address, asked):
        report, rows, responses = read(year, tmp_path, address)
    sent = [json.dumps(request["messages"][0]["content"][0]) for request in asked]
    assert len(asked) == len(rows) == len(responses) == 3
    assert not any(word in text for text in sent for word in ("digits", "1284", "48", "half"))
    assert any("answer, as the key of the paper gives it, of\\nproblem 3" in text for text in sent)
    assert [(r["id"], r["status"], r["agrees"]) for r in rows] == [
        ("2014-fs-01.statement", "ok", True),
        ("2014-fs-02.statement", "ok", False),
        ("2014-fs-03.key", "ok", False),
    ]
    assert report["facts"] == {
        **report["facts"], "readings": 3, "agree": 1, "disagree": 2,
    }  # fmt: skip
    assert report["facts"]["teacher"]["served_models"] == [MODEL]
    stored = {r["request_sha256"]: r for r in responses}
    crops = crops_of(year / "crops.parquet")
    for found in rows:
        raw = stored[found["request_sha256"]]
        assert sha256_text(raw["body"]) == found["response_sha256"]
        assert raw["agent"] == "reader"
        assert found["crop_sha256"] == crops[found["problem"], found["what"]]["png_sha256"]


def test_a_second_run_and_a_replay_ask_nothing_and_give_the_same_bytes(year, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with host_of(year) as (address, asked):
        read(year, tmp_path, address)
        before = (tmp_path / "readings.jsonl").read_bytes()
        read(year, tmp_path, address)
        assert len(asked) == 3
    read(year, tmp_path, address, mode="replay")
    assert (tmp_path / "readings.jsonl").read_bytes() == before


def test_the_cap_holds_for_pictures_too(year, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dear = {MODEL: {"input": 1e6, "output": 0.0}}
    with host_of(year) as (address, asked), pytest.raises(JobStopped, match="beyond the cap"):
        read(year, tmp_path, address, models=dear)
    assert asked == []
    png = crops_of(year / "crops.parquet")["2014-fs-01", "statement"]["png"]
    assert picture_tokens(png) > 1500


@pytest.mark.parametrize(("prefer", "statement"), [("reading", "1234"), ("extraction", "1284")])
def test_both_texts_are_kept_and_it_is_said_which_one_stands(
    year, tmp_path, monkeypatch, prefer, statement
):
    monkeypatch.chdir(tmp_path)
    with host_of(year) as (address, _):
        read(year, tmp_path, address)
    correct_problems.main(
        input=SimpleNamespace(
            extracted=str(year / "extracted.jsonl"),
            readings=[str(tmp_path / "readings.jsonl")],
            transcription=[],
        ),
        output=SimpleNamespace(
            problems=str(tmp_path / "problems.jsonl"),
            accounts=str(tmp_path / "accounts.jsonl"),
            excluded=str(tmp_path / "excluded.jsonl"),
        ),
        params=SimpleNamespace(
            corrections=[], file=None, prefer=prefer, refuse=[], source="reviewed", selected=None
        ),
    )
    one, two, three = read_jsonl(tmp_path / "problems.jsonl")
    assert one["flags"] == ["figure"], "a drawing is not settled by its text"
    (kept,) = one["readings"]
    assert (kept["agrees"], kept["used"], kept["lifted"]) == (True, "extraction", ["doubtful"])
    assert statement in two["statement"]
    assert statement in two["statement_plain"]
    assert two["flags"] == ["doubtful"], "a disagreement stays flagged"
    (kept,) = two["readings"]
    assert (kept["agrees"], kept["used"]) == (False, prefer)
    assert "1284" in kept["extracted"]["statement"]
    assert "1234" in kept["read"]["statement"]
    assert three["answer"] == ("43" if prefer == "reading" else "48")
    assert three["flags"] == ["key_doubtful"]


def test_what_cannot_be_read_stays_as_it_was_extracted_and_flagged(year, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answers = {**TRUTH, ("2014-fs-02", "statement"): "ILLEGIBLE"}
    with host_of(year, answers) as (address, _):
        _, rows, _ = read(year, tmp_path, address)
    assert (rows[1]["status"], rows[1]["text"], rows[1]["agrees"]) == ("illegible", None, None)
    extracted = read_jsonl(year / "extracted.jsonl")
    after = apply_readings(extracted, rows, "reading")[1]
    assert {**after, "readings": None} == {**extracted[1], "readings": None}
    assert after["readings"][0]["used"] == "extraction"


def test_a_drifted_model_is_no_reading(year, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with host_of(year) as (address, _):
        with pytest.raises(JobStopped, match="3 x drift; test-reader answered, not another"):
            read(year, tmp_path, address, served=["another"])
        _, rows, _ = read(year, tmp_path, address, served=["another"], max_unanswered=3)
    assert {r["status"] for r in rows} == {"drift"}
    assert {r["text"] for r in rows} == {None}


# -------------------------------------------------------------------------------------- pieces


def test_doubts_are_what_a_clipping_can_settle():
    assert doubts(row(flags=[])) == {}
    assert doubts(row(flags=["figure", "gap", "no_answer", "number_guessed"])) == {}
    assert doubts(row(flags=["doubtful", "spans_pages"])) == {}, "the picture shows a part only"
    assert doubts(row(flags=["doubtful", "figure", "key_small"])) == {
        "statement": {"doubtful"},
        "key": {"key_small"},
    }
    assert doubts(row(flags=["key_small"], key_page=None)) == {}


@pytest.mark.parametrize(
    ("content", "statement", "options"),
    [
        ("7. Find $x$.", "Find x .", {}),
        ("Problem 7: Find\n\\(x\\).", "Find x .", {}),
        ("Find it.\n(A) 1\nB. \\frac{1}{2}", "Find it.", {"A": "1", "B": r"\frac{1}{2}"}),
        ("70. is a number", "70. is a number", {}),
        ("**7.** 7.5 is a number", "7.5 is a number", {}),
    ],
)
def test_what_a_model_writes_is_brought_to_the_shape_of_an_extraction(content, statement, options):
    text = read_text(content, "statement", "7")
    assert " ".join(text["statement"].split()) == statement
    assert {option["label"]: option["text"] for option in text["options"]} == options


def test_agreement_is_about_what_is_said_not_how_it_is_typed():
    def said(statement, **options):
        listed = [{"label": label, "text": text} for label, text in options.items()]
        return {"statement": statement, "options": listed}

    assert agree(said(r"Find \frac{1}{2} of x^{2}."), said("Find 1/2 of x² ."))
    assert not agree(said("Find 2(x+3)."), said("Find 2x+3."))
    assert not agree(said("Find it.", A="1", B="2"), said("Find it.", A="1", B="3"))
    assert not agree(said(""), said(""))
    assert agree({"answer": "3/4"}, {"answer": r"\frac{3}{4}"})
    assert not agree({"answer": None}, {"answer": "3"})


def test_a_missing_text_is_taken_from_the_reading_whatever_is_preferred():
    empty = row(statement="", statement_plain="", flags=["empty"])
    reading = {
        "what": "statement", "status": "ok", "agrees": False, "request_sha256": "r",
        "response_sha256": "s", "text": {"statement": "Find x^{2}.", "options": []},
    }  # fmt: skip
    after = with_readings(empty, [reading], "extraction")
    assert (after["statement"], after["statement_plain"]) == ("Find x^{2}.", "Find x^2.")
    assert after["readings"][0]["used"] == "reading"
    assert after["flags"] == ["empty"]


@pytest.mark.parametrize("asked", ["$statement", "$answer", "$key"])
def test_a_prompt_that_shows_the_reader_a_text_is_refused(tmp_path, asked):
    path = tmp_path / "reader.txt"
    path.write_text(f"Read the $what: {asked}", encoding="utf-8")
    with pytest.raises(TeacherError, match="the reader is not given"):
        Prompt("reader", path)
    path.write_text("Read it.", encoding="utf-8")
    with pytest.raises(TeacherError, match=r"\$what is missing"):
        Prompt("reader", path)


def test_the_shipped_prompts_can_be_used():
    for name in ("paper", "sample"):
        Prompt("reader", ROOT / "resources" / "prompts" / name / "reader.txt")
