"""Scans of known truth: typeset, drawn, turned, blurred, worn; found again with their numbers."""

import re

import cv2
import numpy as np
import pypdfium2
import pytest
import typst

from distil.exams.extraction import extract
from distil.exams.problems import FORMULA
from distil.exams.scans.shapes import ALIKE, CLASS_OF, CLASSES, classify
from tests.programs import needs_tesseract
from tests.unit.made_scans import FONTS, make_paper, scan, typeset

pytestmark = needs_tesseract


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


@pytest.mark.parametrize("font", [text for text, _ in FONTS])
def test_shapes_of_printed_characters_are_told_apart_blurred_or_not(font):
    characters = "0123456789abdefghkmnpqrtyABDEFGHKMNPRTY+<>()/" + "".join(g[0] for g in ALIKE[:8])
    pages = "\n".join(f'#page[#text("{char}")]' for char in characters)
    document = pypdfium2.PdfDocument(
        typst.compile(
            f'#set page(width: 30pt, height: 30pt, margin: 5pt)\n#set text(font: "{font}")\n{pages}'.encode()
        )
    )
    for blur in (0.0, 1.0):
        shapes = [cropped(page, blur) for page in document]
        told = [CLASSES[place] for place in classify(shapes).argmax(axis=1)]
        wrong = {
            char: found
            for char, found in zip(characters, told, strict=True)
            if CLASS_OF[char] != found
        }
        assert len(wrong) <= 0.04 * len(characters), wrong


def cropped(page, blur: float) -> np.ndarray:
    """Return the ink of a page at 300 dpi, cropped to its box."""
    ink = 255 - page.render(scale=300 / 72, grayscale=True).to_numpy().squeeze()
    if blur:
        ink = cv2.GaussianBlur(ink, (0, 0), blur)
    rows, columns = np.nonzero(ink > 127)
    return ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


STRUCTURES = {
    "Find $x^7 + 3$ for $x = 2$.": r"x^{7} + 3",
    "Add $3/8$ and the number one.": r"\frac{3}{8}",
    "Simplify the root $sqrt(45)$ now.": r"\sqrt{45}",
    "Let $a_1 = 4$ be the first term.": r"a_{1} = 4",
    "Compare $(x + 5)/(y - 2)$ with one.": r"\frac{x + 5}{y - 2}",
    "Solve $2^(x^2 + 3 x) = 16$ for $x$.": r"2^{x^{2}+3x}",
    "Let the sum $k^3 + 1/k^3$ be given.": r"k^{3} + \frac{1}{k^{3}}",
}


def test_powers_fractions_roots_and_indices_of_a_clean_scan_keep_their_structure(tmp_path):
    body = "\n\n".join(f"{n}. {text}" for n, text in enumerate(STRUCTURES, 1))
    source = (
        f'#set page(paper: "us-letter")\n#set text(size: 12pt)\n#set enum(spacing: 2em)\n{body}'
    )
    path = tmp_path / "paper.pdf"
    path.write_bytes(scan(typst.compile(source.encode()), 1))
    found = {int(row["number"]): row["statement"] for row in extract(path)}
    kept = {
        structure
        for number, structure in enumerate(STRUCTURES.values(), 1)
        if squeezed(structure) in squeezed(found.get(number, ""))
    }
    assert len(kept) >= len(STRUCTURES) - 1, found


def squeezed(text: str) -> str:
    return text.replace(" ", "")


@pytest.mark.parametrize("key", ["grid", "list"])
def test_a_scanned_key_is_read_and_what_is_not_right_is_flagged(tmp_path, key):
    paper = make_paper(5, key=key)
    path = tmp_path / "paper.pdf"
    path.write_bytes(scan(typeset(paper), 5, skew=-0.4, blur=0.6, noise=4))
    rows = {row["number"]: row for row in extract(path)}
    known = {number: answer for number, answer in paper.answers.items() if answer}
    right = {n for n, answer in known.items() if n in rows and rows[n]["answer"] == answer}
    assert len(right) >= 0.7 * len(known), {n: (known[n], rows[n]["answer"]) for n in known}
    for number in known.keys() - right:
        assert rows[number]["flags"], (known[number], rows[number]["answer"])


def words(text: str) -> list[str]:
    """Words and numbers of a statement, whatever its spacing and punctuation."""
    return re.findall(r"[A-Za-z0-9]+", text)
