"""Problems leave a study as table, quiz and typeset paper, whatever stands in them."""

from __future__ import annotations

import csv
import io
import json
import re

import pypdfium2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distil.notation.typesetting import NotTypesetError, split, to_typst
from distil.report import problem_bank as bank
from distil.review.crops import write_crops


def problem(number: int, statement: str, answer: str | None, **more) -> dict:
    row = {
        "id": f"2014-fs-{number:02d}", "year": 2014, "section": "fs", "number": str(number),
        "statement": statement, "statement_plain": statement, "answer": answer, "options": [], "flags": [],
    }  # fmt: skip
    return {**row, **more}


OPTIONS = [{"label": "A", "text": r"\frac{1}{2}"}, {"label": "B", "text": "2"}]
ROWS = [
    problem(1, r"Find \frac{x + 1}{2} if x = 7.", "4"),
    problem(2, r"Is {a} = ~b: #1? 5 < 6 & 7 $", r"\frac{3}{4}"),
    problem(3, r"Choose \sqrt{4}.", "B", options=OPTIONS),
    problem(4, "See the figure.", None, flags=["figure"]),
    problem(5, r"An unknown \wobble{x} stands here", "1"),
    problem(6, r"This * text _ is # not @ markup <x> [y] = z", "-0.5"),
]


@pytest.mark.parametrize(
    ("statement", "pieces"),
    [
        ("No mathematics here.", [("No mathematics here.", False)]),
        ("Find x^{2} + 1.", [("Find ", False), ("x^{2}", True), (" + 1.", False)]),
        (r"If x^{2} + \frac{1}{2} = y_{1}, then",
         [("If ", False), (r"x^{2} + \frac{1}{2} = y_{1}", True), (", then", False)]),
        (r"\sqrt{a b} or \pi?", [(r"\sqrt{a b}", True), (" or ", False), (r"\pi", True), ("?", False)]),
    ],
)  # fmt: skip
def test_mathematics_is_found_in_a_statement(statement, pieces):
    assert split(statement) == pieces


@given(st.text())
def test_the_pieces_are_the_statement(text):
    assert "".join(piece for piece, _ in split(text)) == text


@pytest.mark.parametrize(
    ("latex", "typst"),
    [
        (r"\frac{x + 1}{2}", "frac(x   +   1, 2)"), (r"\sqrt[3]{12}", "root(3, sqrt"), ("x_{12}^{2}", "x _(12) ^(2)"),
        (r"\overline{AB}", "overline(A B)"), (r"\text{two words}", '"twowords"'), (r"\leq", "≤"),
    ],
)  # fmt: skip
def test_latex_becomes_typst(latex, typst):
    if latex.startswith(r"\sqrt["):
        assert to_typst(latex) == "root(3, 12)"
    else:
        assert re.sub(r"\s+", " ", to_typst(latex)) == re.sub(r"\s+", " ", typst)


@pytest.mark.parametrize("latex", [r"\wobble{x}", r"\frac{1}", "{x", "x}", "a & b"])
def test_what_has_no_typst_is_refused(latex):
    with pytest.raises(NotTypesetError):
        to_typst(latex)


def text_of(pdf: bytes) -> str:
    pages = pypdfium2.PdfDocument(pdf)
    return "\n".join(page.get_textpage().get_text_range() for page in pages)


def test_a_paper_holds_every_problem_and_the_key_apart(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made, note = bank.paper(ROWS, "mine", key=True)
    assert note == ""
    questions, _, answers = text_of(made).partition("Answers")
    for words in (
        "if x = 7",
        "{a} = ~b: #1? 5 < 6 & 7 $",
        "See the figure",
        "wobble",
        "_ is # not @ markup <x> [y] = z",
    ):
        assert words in re.sub(r"\s+", " ", questions), words
    assert "no answer is known" in answers
    made, _ = bank.paper(ROWS, "mine", key=False)
    assert "Answers" not in text_of(made)


def test_mathematics_that_typst_refuses_is_set_as_text_and_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bank, "to_typst", lambda latex: "frac(" if "sqrt" in latex else "1")
    made, note = bank.paper(ROWS, "mine", key=True)
    assert note == "; set as plain text: 2014-fs-03"
    assert "Choose √(4)" in text_of(made)


def test_a_problem_with_a_figure_is_shown_as_it_was_printed(tmp_path, monkeypatch):
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    picture = io.BytesIO()
    Image.new("RGB", (40, 20), "red").save(picture, "PNG")
    folder = tmp_path / "results" / "mine" / "crops"
    folder.mkdir(parents=True)
    crop = {
        "what": "statement",
        "page": 1,
        "box": [0.0] * 4,
        "pdf_sha256": "",
        "dpi": 72,
        "png_sha256": "",
    }
    write_crops(folder / "2014.parquet", [{**crop, "id": "2014-fs-04", "png": picture.getvalue()}])
    made, _ = bank.paper(ROWS, "mine", key=True)
    assert "See the figure" not in text_of(made)
    assert any(each.type == 3 for each in pypdfium2.PdfDocument(made)[0].get_objects()), "an image"


def test_a_quiz_escapes_its_own_signs_and_knows_the_kinds_of_question():
    made, note = bank.gift(ROWS, "mine", key=True)
    parts = dict(re.findall(r"^::([^:]+)::(.*)$", made.decode(), re.M))
    assert parts["2014-fs-01"] == r"[html]Find \\(\\frac\{x + 1\}\{2\}\\) if x \= 7.{#4:0}"
    assert r"Is \{a\} \= \~b\: \#1? 5 &lt; 6 &amp; 7 $" in parts["2014-fs-02"]
    assert parts["2014-fs-02"].endswith(r"{=3/4 =\\frac\{3\}\{4\}}")
    assert parts["2014-fs-03"].endswith(r"{~\\(\\frac\{1\}\{2\}\\) =2}")
    assert parts["2014-fs-04"].endswith("{}")
    assert parts["2014-fs-06"].endswith("{#-0.5:0}")
    assert note == "; the figures or tables of 1 are left out"
    assert b"{#4" not in bank.gift(ROWS, "mine", key=False)[0]


def test_table_and_lines_hold_what_was_read_and_no_answer_unless_asked():
    rows = list(
        csv.DictReader(io.StringIO(bank.table(ROWS, "mine", key=True)[0].decode("utf-8-sig")))
    )
    assert [row["answer"] for row in rows] == ["4", "3/4", "B", "", "1", "-0.5"]
    assert rows[2]["options"] == "A: 1/2; B: 2"
    assert [json.loads(line) for line in bank.lines(ROWS, "mine", key=True)[0].splitlines()] == ROWS
    for made in (bank.table, bank.lines):
        assert b"answer" not in made(ROWS, "mine", key=False)[0]


def test_what_keeps_every_problem_out_is_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="distil review"):
        bank.read_bank("mine")
    for folder, rows in (("problems", []), ("extractions", ROWS)):
        path = tmp_path / "results" / "mine" / folder / "2014.jsonl"
        path.parent.mkdir(parents=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with pytest.raises(
        FileNotFoundError, match=r"all 6 problems .* problems.admit .* figure \(1\)"
    ):
        bank.read_bank("mine")
