"""Papers with one fault or layout each: what comes out is right, or flagged.

The papers of `../shared/data/exam-cases` are read where that folder is; `test_exam_layouts` makes
papers of the same kinds by itself.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from distil.exams.extraction import extract
from tests.programs import needs_tesseract

CASES = Path(__file__).resolve().parents[3] / "shared" / "data" / "exam-cases"
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason=f"{CASES} is absent")

PLAIN = {
    "1": "Find the value of x^{2} - 3x for x = 7.",
    "2": r"What is \frac{3}{8} + \frac{1}{4}?",
    "3": "A square has area 49. Find its perimeter.",
    "4": "Solve 2^{n} = 64 for the integer n.",
    "5": r"Find \sqrt{144} + \sqrt{25}.",
    "6": "How many divisors does 36 have?",
    "7": "Find the remainder when 7^{3} is divided by 10.",
    "8": "Compute a_{3} if a_{n} = 4n - 1.",
    "9": "What is the median of 3, 9, 4, 8, 5?",
    "10": "Find the slope of the line y = 5x + 2.",
}


def read(name, key=None):
    return extract(CASES / f"{name}.pdf", CASES / f"{key}.pdf" if key else None)


def statements(rows):
    return {row["number"]: row["statement"] for row in rows}


def answers(rows):
    return {row["number"]: row["answer_raw"] for row in rows}


def key_flags(rows):
    return {row["number"]: {flag for flag in row["flags"] if flag[:4] == "key_"} for row in rows}


@pytest.mark.parametrize(
    "name",
    [
        "d01_two_columns", "d02_plain", "d03_rotate90", "d03_rotate180", "d04_sideways",
        "d09_watermark", "e1_three_columns", "e2_large", "e3_boxed_numbers", "e4_q_colon",
        "e6_marks_right", "e7_level2", "e8_answer_lines", "e9_solution_after",
    ],
)  # fmt: skip
def test_a_layout_changes_nothing_in_what_is_read(name):
    rows = read(name)
    assert statements(rows) == PLAIN
    assert all(row["flags"] == ["no_answer"] for row in rows)


def test_forms_side_by_side_are_read_one_after_the_other():
    rows = read("d07_two_up_forms")
    assert statements(rows) == PLAIN | {
        str(n + 10): f"Find {n} times {n + 2}." for n in range(1, 11)
    }
    assert all(row["flags"] == ["no_answer"] for row in rows)


def test_boxes_of_a_turned_page_lie_on_the_page_as_displayed():
    (width, height), rows = (792, 612), read("d03_rotate90")
    for row in rows:
        x0, top, x1, bottom = row["box"]
        assert 0 <= x0 < x1 <= width
        assert 0 <= top < bottom <= height
        assert bottom - top > x1 - x0  # a line of text lies on its side


def test_a_rule_over_a_blank_costs_no_paper():
    assert statements(read("c01_rule_on_blank"))["3"] == "Find 9 - 2."
    assert len(read("c01_rule_on_comma")) == 3


def test_an_overline_takes_no_word_from_the_line_above():
    text = statements(read("c02_overline_tight"))["1"]
    assert r"\frac" not in text
    assert "the chord" in text
    assert "has length" in text
    assert r"\overline{AB}" in text


@needs_tesseract
@pytest.mark.parametrize("name", ["c03_formula_images", "c04_formula_outlines"])
def test_a_formula_without_characters_is_read_as_drawn_and_flagged(name):
    rows = read(name)
    assert statements(rows)["4"] == "How many divisors does 360 have?"
    assert all({"formula", "unread"} & set(row["flags"]) for row in rows)
    if name == "c04_formula_outlines":
        assert statements(rows)["1"] == "What is the value of 2^{8} - 1?"
        assert statements(rows)["3"] == "Find the remainder when 7^{10} is divided by 5."


@pytest.mark.parametrize("name", ["c03_formula_images", "c04_formula_outlines"])
def test_a_formula_without_characters_is_flagged_without_tesseract(name, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert all("unread" in row["flags"] for row in read(name))


def test_bars_drawn_as_bitmaps_make_fractions():
    assert statements(read("c05_bars_as_images")) == {
        "1": r"Evaluate \frac{3}{8} + 1.",
        "2": r"Simplify \frac{x + 1}{x - 1} if x = 3.",
        "3": r"Find the double of \frac{100}{9}.",
    }


def test_rules_of_a_contest_are_no_problems():
    rows = read("c06_rules_then_named")
    assert [row["number"] for row in rows] == [str(n) for n in range(1, 13)]
    assert all([o["label"] for o in row["options"]] == list("ABCDE") for row in rows)
    assert statements(rows)["1"] == "What is 7 plus 3?"


def test_rules_of_a_contest_get_no_answers():
    rows = read("c07_rules_get_answers", "c07_key")
    assert [row["statement"][:4] for row in rows] == ["Let "] * 8
    assert answers(rows)["1"] == "013"
    assert not any(key_flags(rows).values())


def test_the_last_word_alone_on_a_page_is_no_page_number():
    assert statements(read("c08_orphan_number"))["1"].endswith("by the number 13?")


def test_a_limit_keeps_its_exponent():
    assert r"\sum_{k=0}^{m^{3}}" in statements(read("c09_limit_exponent"))["2"]


def test_an_exercise_with_parts_is_one_problem_with_its_stem():
    rows = statements(read("c10_exercice"))
    assert set(rows) == {"1", "2"}
    assert rows["1"].startswith("On considère la fonction f")
    assert rows["2"].startswith("Une urne contient")


@pytest.mark.parametrize(
    ("name", "first", "count"),
    [
        ("c11_heads", "Найдите сумму чисел 3 и 4.", 3),
        ("c11_jmo", "Determine, with proof, all integers n such that n^{2} - 1 is a square.", 6),
        ("c11_roman", "Find the sum of 1 and 4.", 6),
        ("c11_question_word", "Find the sum of 1 and 4.", 4),
        ("e5_marks", "(a) Find the value of x^{2} - 3x for x = 7.", 10),
    ],
)
def test_other_heads_begin_problems(name, first, count):
    rows = read(name)
    assert [row["number"] for row in rows] == [str(n) for n in range(1, count + 1)]
    assert rows[0]["statement"] == first


def test_an_answer_after_thus_is_what_follows():
    rows = read("c12_paper", "c12_key")
    assert answers(rows)["5"] == r"\frac{1743}{2048}"
    assert answers(rows)["1"] == "(7, 3)"
    assert answers(rows)["4"] is None


def test_lists_of_a_booklet_go_to_their_tests():
    rows = read("c13_booklet_shift")
    assert len(rows) == 45
    for row in rows:
        one, other = [
            int(word.strip(".")) for word in row["statement"].split() if word[0].isdigit()
        ]
        assert row["answer"] == str(one + other) or "key_order" in row["flags"]
        assert row["answer"] == str(one + other)


def test_a_stated_answer_beats_the_boxes_of_the_working():
    rows = read("c14_paper", "c14_key")
    assert answers(rows) == {"1": "(7, 3)", "2": "6, 3, -3", "3": "11324"}
    assert all(flags == {"key_doubtful"} for flags in key_flags(rows).values())


@needs_tesseract
@pytest.mark.parametrize("name", ["d05_no_tounicode", "d06_shifted_tounicode"])
def test_fonts_without_the_names_of_their_characters_are_read_as_drawn(name):
    rows = read(name)
    assert len(rows) == 10
    assert all(row["method"] == "ocr" for row in rows)
    for number in ("2", "3", "4", "6", "7", "9", "10"):
        assert statements(rows)[number] == PLAIN[number]


def test_torn_fractions_of_drawn_fonts_are_flagged():
    rows = read("d08_type3")
    assert {"rule", "small"} <= set(rows[1]["flags"])


@pytest.mark.parametrize("name", ["circled", "dot", "grid", "roman", "row"])
def test_options_stay_with_their_problem(name):
    rows = read(f"d10_options_{name}")
    assert len(rows) == 5
    assert all([o["label"] for o in row["options"]][:4] == list("ABCD") for row in rows)


def test_a_root_sign_without_a_bar_takes_the_number_after_it():
    assert statements(read("e10_sans_unicode"))["3"] == r"Evaluate \sqrt{144} + \sqrt{25}."


@pytest.mark.parametrize(
    ("paper", "key", "third"),
    [
        ("d02_plain", "k1_rows", "28"),
        ("d02_plain", "k2_columns", "28"),
        ("d02_plain", "k3_run", "28"),
        ("d10_options_row", "k4_letters", "E"),
        ("d02_plain", "k5_grid_unnumbered", "28"),
    ],
)
def test_keys_in_rows_columns_and_running_lines(paper, key, third):
    rows = read(paper, key)
    assert answers(rows)["3"] == third
    assert all(row["answer"] is not None for row in rows)
    assert not any(key_flags(rows).values())
