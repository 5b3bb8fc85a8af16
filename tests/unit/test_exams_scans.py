"""Scans of known truth: typeset, drawn, turned, blurred, worn; found again with their numbers."""

import re
import shutil

import pytest

from distil.exams import extract
from distil.exams.problems import FORMULA
from tests.unit.made_scans import make_paper, scan, typeset

pytestmark = pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is missing")


def test_a_worn_scan_gives_its_numbers_and_says_that_it_was_recognised(tmp_path):
    paper = make_paper(3, key="")
    path = tmp_path / "paper.pdf"
    path.write_bytes(scan(typeset(paper), 3, skew=0.6, blur=0.7, noise=6, quality=70))
    rows = extract(path)
    found = {row["number"] for row in rows} & set(paper.statements)
    assert len(found) >= 0.95 * len(paper.statements)
    assert all(row["method"] == "ocr" and row["confidence"] < 1 for row in rows)
    for row in rows:
        formula = FORMULA.search(row["statement"])
        assert ("formula" in row["flags"]) >= bool(formula), row["statement"]
        if not set(row["flags"]) - {"no_answer"}:
            assert words(row["statement_plain"]) == words(paper.statements[row["number"]])


def words(text: str) -> list[str]:
    """Words and numbers of a statement, whatever its spacing and punctuation."""
    return re.findall(r"[A-Za-z0-9]+", text)
