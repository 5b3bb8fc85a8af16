"""Extraction held against transcription: what counts as found, as equal, and of how many."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd
import pytest

from distil.content.files import write_jsonl
from docs import pages
from scripts import tabulate_extraction
from tests.unit.test_corrections import row

STATEMENT = r"Find \frac{1}{2} of x^{2} if x = 12."


def extracted(number: int, **changes) -> dict:
    name = f"2014-fs-{number:02d}"
    values = {"statement": STATEMENT, "answer": "72", "answer_raw": "72", "flags": []}
    return {**row(name, number=str(number)), **values, **changes}


def transcribed(number: int, **changes) -> dict:
    values = {
        "statement": "Find 1/2 of x^2 if x=12",
        "statement_plain": "Find ½ of x² if x=12",
        "method": "transcription",
    }
    return extracted(number, **{**values, **changes})


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    write_jsonl(
        folder / "extracted.jsonl",
        [
            extracted(1),
            extracted(2, statement="Find half of x if x = 12.", flags=["doubtful"]),
            extracted(3, answer="73", answer_raw="73"),
            extracted(4, answer=None, answer_raw=None, flags=["no_answer"]),
            extracted(5, flags=["figure"]),  # not transcribed
        ],
    )
    write_jsonl(
        folder / "problems.jsonl",
        [
            *(transcribed(number) for number in (1, 2, 3, 4, 6)),
            transcribed(7, flags=["placeholder"]),
            {**transcribed(1), "id": "2015-fs-01", "year": 2015},  # a year without a paper
        ],
    )
    names = {"csv": "rows.csv", "summary": "s.csv", "markdown": "s.md", "html": "s.html"}
    output = SimpleNamespace(**{key: str(folder / name) for key, name in names.items()})
    tabulate_extraction.main(
        input=SimpleNamespace(
            extracted=[str(folder / "extracted.jsonl")], problems=[str(folder / "problems.jsonl")]
        ),
        output=output,
        params=SimpleNamespace(title="A study"),
    )
    return (
        pd.read_csv(output.csv, keep_default_na=False).set_index("id"),
        pd.read_csv(output.summary).set_index("group"),
    )


def test_the_reference_has_every_column(tables):
    known = pages.described("release")
    for name, frame in zip(("extraction", "extraction_summary"), tables, strict=True):
        assert [frame.index.name, *frame.columns] == list(known[name]["columns"]), name


def test_each_problem_of_either_side_has_a_row(tables):
    rows, _ = tables
    assert list(rows.index) == [f"2014-fs-0{number}" for number in (1, 2, 3, 4, 5, 6)]
    one = rows.loc["2014-fs-01"]
    assert (one["similarity"], one["numbers_equal"], one["answer_equal"]) == ("1", "True", "yes")
    assert float(rows.loc["2014-fs-02", "similarity"]) < 1
    assert rows.loc["2014-fs-02", "numbers_equal"] == "False"
    assert rows.loc["2014-fs-03", "answer_equal"] == "no"
    assert not rows.loc["2014-fs-05", "transcribed"]
    assert rows.loc["2014-fs-05", "extracted"]
    assert rows.loc["2014-fs-06", "similarity"] == ""


def test_shares_are_of_what_they_say(tables):
    _, summary = tables
    whole = summary.loc["all"]
    assert (whole["transcribed"], whole["found"], whole["not transcribed"]) == (5, 4, 1)
    assert whole["found, %"] == 80
    assert (whole["numbers equal"], whole["numbers equal, %"]) == (3, 60)
    assert (whole["answers read"], whole["answer equal"], whole["both equal"]) == (3, 2, 1)
    assert whole["answer equal, %"] == pytest.approx(100 * 2 / 3)
    assert summary.loc["unflagged", "transcribed"] == 2
    assert summary.loc["unflagged", "both equal, %"] == 50
    assert summary.loc["flagged", "transcribed"] == 2
    assert set(summary.index) >= {"method ocr", "section fs", "year 2014"}
