"""Papers of uncommon layouts, made here: nothing is lost in silence, no answer goes astray."""

from __future__ import annotations

import subprocess
from types import SimpleNamespace

import pypdfium2
import pytest
import typst
from test_exams import paper, statements

from distil.exams import sheets
from distil.exams.agreement import likeness, settle, signature
from distil.exams.errors import ExamError
from distil.exams.extraction import extract
from distil.exams.pairing import is_doubtful
from distil.exams.text import layout
from tests.programs import CHROMIUM, needs_chromium, needs_tesseract

SUMS = [f"Find the sum of {n} and {n + 3}." for n in range(1, 6)]


def answers(rows):
    return {row["number"]: row["answer_raw"] for row in rows}


# ------------------------------------------------------------------------------------------ heads


@pytest.mark.parametrize(
    "heads",
    [
        ["I.", "II.", "III.", "IV.", "V."],
        ["2.1.", "2.2.", "2.3.", "2.4.", "2.5."],
        [f"AIMO {n}." for n in range(1, 6)],
        [f"Exercise {word}." for word in ("One", "Two", "Three", "Four", "Five")],
        [f"*Задача {n}.*" for n in range(1, 6)],
        [f"{n} (Ann Lee)." for n in range(1, 6)],
    ],
    ids=["roman", "two levels", "initials", "words", "bold word", "author"],
)
def test_other_numberings_begin_problems(tmp_path, heads):
    lines = [
        f"#block[{head.replace('.', chr(92) + '.')} {text}]"
        for head, text in zip(heads, SUMS, strict=True)
    ]
    rows = extract(paper(tmp_path, "\n\n".join(lines)))
    assert [row["statement"] for row in rows] == SUMS
    assert [row["number"] for row in rows] == list("12345")


def test_a_word_that_stands_after_every_number_is_no_part_of_problems(tmp_path):
    source = '#set heading(numbering: "1.")\n' + "\n".join(f"= Zadanie\n{text}" for text in SUMS)
    assert [row["statement"] for row in extract(paper(tmp_path, source))] == SUMS


def test_a_word_that_ends_or_begins_every_problem_stays_in_it(tmp_path):
    source = "\n".join(rf"#block[{n}\. Simplify \ $ x + {n} x $ \ below.]" for n in range(1, 5))
    assert [row["statement"] for row in extract(paper(tmp_path, source))] == [
        f"Simplify x + {n}x below." for n in range(1, 5)
    ]


def test_figures_and_steps_are_no_problems(tmp_path):
    source = "\n\n".join(f"#block[*Step {n}.* Fold the paper along line {n}.]" for n in (1, 2, 3))
    with pytest.raises(ExamError, match="no numbered problem was found among its 3 lines") as told:
        extract(paper(tmp_path, source))
    assert "Step 1. Fold" in told.value.cause
    assert "tesseract" not in str(told.value)


RULES = r"""
#block[1\. Wait for the signal.]
#block[2\. This is a team round.]
#block[3\. You have one hour.]
#pagebreak()
"""


def test_rules_before_a_contest_are_no_problems_and_get_no_answers(tmp_path):
    problems = "\n".join(rf"#block[{n}\. {text}]" for n, text in enumerate(SUMS, 1))
    key = "= Answer Key\n" + "\n".join(rf"#block[{n}\. {2 * n + 3}]" for n in range(1, 6))
    rows = extract(paper(tmp_path, RULES + problems), paper(tmp_path, key, "key.pdf"))
    assert [row["statement"] for row in rows] == SUMS
    assert [row["answer"] for row in rows] == ["5", "7", "9", "11", "13"]
    assert not any(flag.startswith("key_") for row in rows for flag in row["flags"])


@pytest.mark.parametrize(
    "line",
    [
        r"\*\*\* Calculators may be used on the remaining questions \*\*\*",
        "No calculators are allowed below this line.",
    ],
)
def test_a_line_between_problems_belongs_to_neither(tmp_path, line):
    source = [rf"#block[{n}\. {text}]" for n, text in enumerate(SUMS, 1)]
    source[2:2] = [f"#block[{line}]"]
    assert [row["statement"] for row in extract(paper(tmp_path, "\n".join(source)))] == SUMS


@pytest.mark.parametrize(
    "lines",
    [
        ("If", "calculators are used by 40 percent of 15 girls, how many use one?"),
        ("What is 2 + 5?", "No calculators are allowed; give a number of two digits."),
        ("What is 2 + 5?", "Calculators are used on weekdays."),
    ],
)
def test_a_sentence_about_calculators_stays_in_its_problem(tmp_path, lines):
    source = [rf"#block[{n}\. {text}]" for n, text in enumerate(SUMS, 1)]
    source[1] = rf"#block[2\. {lines[0]} \ {lines[1]}]"
    assert statements(extract(paper(tmp_path, "\n".join(source))))["2"] == " ".join(lines)


# ---------------------------------------------------------------------- pages printed from the web


def printed(tmp_path, content):
    """A page of Helvetica and Symbol with a content stream, as a program that prints pages writes it."""
    fonts = " ".join(
        f"/{name} << /Type /Font /Subtype /Type1 /BaseFont /{font} >>"
        for name, font in (("F", "Helvetica"), ("I", "Helvetica-Oblique"), ("S", "Symbol"))
    )
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 400 300] /Contents 4 0 R "
        f"/Resources << /Font << {fonts} >> >> >>",
        f"<< /Length {len(content)} >>\nstream\n{content}\nendstream",
    ]
    data, places = "%PDF-1.4\n", []
    for number, item in enumerate(objects, 1):
        places.append(len(data))
        data += f"{number} 0 obj\n{item}\nendobj\n"
    start = len(data)
    data += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n"
    data += "".join(f"{place:010} 00000 n \n" for place in places)
    data += f"trailer << /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n"
    path = tmp_path / "printed.pdf"
    path.write_bytes(data.encode("latin-1"))
    return path


def text(x, y, shown, size=12, font="F"):
    return f"BT /{font} {size} Tf {x} {y} Td ({shown}) Tj ET\n"


def test_raised_text_at_eight_ninths_of_the_size_is_an_exponent(tmp_path):
    content = text(40, 250, "1. Find 5x") + text(93, 255.4, "2", size=10.67)
    content += text(109, 250, "+ 3 for x = 4.") + text(40, 220, "2. Find the sum of 4 and 5.")
    assert statements(extract(printed(tmp_path, content)))["1"] == "Find 5x^{2} + 3 for x = 4."


def test_a_root_drawn_as_one_clipped_path_covers_what_its_bar_does(tmp_path):
    # The sign and a bar 4,000 points long, clipped to its own width, as KaTeX draws it.
    x, y = 97, 247
    sign = f"{x} {y + 5} m {x + 2} {y + 6} {x + 3} {y + 5} {x + 5} {y} c {x + 9} {y + 13} l "
    sign += f"{x + 4000} {y + 13} l {x + 4000} {y + 12.4} l {x + 9.5} {y + 12.4} l h f\n"
    clip = f"q {x} {y - 1} 42 16 re W n\n"
    content = text(40, 250, "1. What is") + clip + sign + "Q\n" + text(109, 250, "x + 5")
    content += text(143, 250, "+ 7?") + text(40, 220, "2. Find the sum of 4 and 5.")
    assert statements(extract(printed(tmp_path, content)))["1"] == r"What is \sqrt{x + 5} + 7?"


def test_the_bar_of_a_root_that_is_a_character_is_a_bar(tmp_path):
    # Its ink stands half a character to the right of its origin; long bars are several of it.
    content = text(40, 250, "1. What is") + text(100, 250, "\\326", font="S")
    content += "".join(text(100.8 + 6 * n, 250, "\\140", font="S") for n in range(5))
    content += text(106.6, 250, "x + 3") + text(142, 250, "+ 2?")
    content += text(40, 220, "2. Find the sum of 4 and 5.")
    assert statements(extract(printed(tmp_path, content)))["1"] == r"What is \sqrt{x + 3} + 2?"


def test_a_point_after_a_root_is_not_under_it(tmp_path):
    # The bar is longer than the letter under it.
    content = text(40, 250, "1. Find the square of") + text(170, 250, "\\326", font="S")
    content += text(170.8, 250, "\\140", font="S") + text(172.4, 250, "\\140", font="S")
    content += text(176.9, 250, "x") + text(183.5, 250, ".")
    content += text(40, 220, "2. Find the sum of 4 and 5.")
    assert statements(extract(printed(tmp_path, content)))["1"] == r"Find the square of \sqrt{x}."


def test_an_enlarged_capital_with_limits_is_a_sum(tmp_path):
    content = text(40, 250, "1. The sum") + text(105, 248, "S", size=18, font="S")
    content += text(107, 265, "n", size=8, font="I") + text(103, 239, "k = 1", size=8)
    content += text(123, 250, "k", font="I") + text(133, 250, "is 36.")
    content += text(40, 220, "2. Find the sum of 4 and 5.")
    assert statements(extract(printed(tmp_path, content)))["1"] == (
        r"The sum \sum_{k=1}^{n} k is 36."
    )


def test_a_space_that_ends_a_string_parts_a_variable_from_the_word_before(tmp_path):
    # PDFium leaves such a move out, where the string after it is empty.
    content = "BT /F 12 Tf 40 250 Td [(1. What is) -286 ()] TJ /I 12 Tf (n) Tj /F 12 Tf "
    content += "( if 3 + 5 = 4?) Tj ET\n" + text(40, 220, "2. Find the sum of 4 and 5.")
    assert statements(extract(printed(tmp_path, content)))["1"] == "What is n if 3 + 5 = 4?"


def test_an_answer_printed_on_the_line_for_it_is_flagged(tmp_path):
    content = text(40, 250, "1. What is 4 + 5?") + text(170, 250, "9") + "150 248 60 .6 re f\n"
    content += text(40, 220, "2. Find the sum of 4 and 5.") + "220 218 60 .6 re f\n"
    first, second = extract(printed(tmp_path, content))
    assert "rule" in first["flags"]
    assert second["flags"] == ["no_answer"]


# ------------------------------------------------------------------------------ beside the problems


def test_what_stands_beside_the_page_is_no_part_of_problems(tmp_path):
    content = (
        text(40, 250, "1. What is 4 + 5?") + text(420, 250, "(3)") + text(-60, 250, "cut here")
    )
    content += text(40, 220, "2. Find the sum of 4 and 5.")
    assert statements(extract(printed(tmp_path, content)))["1"] == "What is 4 + 5?"


@pytest.mark.parametrize("side", ["left", "right"])
def test_marks_in_a_margin_are_no_part_of_problems(tmp_path, side):
    lines = [
        rf"#block[#place({side}, dx: {'-' if side == 'left' else ''}2.5em)[({n % 3 + 2})]{n}\. {text}]"
        for n, text in enumerate(SUMS, 1)
    ]
    rows = extract(paper(tmp_path, "\n\n".join(lines)))
    assert [row["number"] for row in rows] == list("12345")
    assert [row["statement"] for row in rows] == SUMS


def test_numbers_of_equations_stay(tmp_path):
    source = '#set math.equation(numbering: "(1)")\n' + "\n".join(
        rf"{n}\. Solve the system #linebreak() $ x + {n} y = 5 $ for the unknown $x$ in (1)." "\n"
        for n in (1, 2, 3)
    )
    rows = extract(paper(tmp_path, source))
    assert all(f"({n})" in row["statement"].split("for")[0] for n, row in enumerate(rows, 1))


def test_frames_with_round_corners_are_no_figures(tmp_path):
    blocks = "\n".join(
        rf"#block(width: 100%, radius: 4pt, stroke: 1pt, inset: 8pt)[*Problem {n}.* \ {text}]"
        for n, text in enumerate(SUMS, 1)
    )
    rows = extract(paper(tmp_path, blocks))
    assert [row["statement"] for row in rows] == SUMS
    assert not any("figure" in row["flags"] for row in rows)


def test_slides_have_the_size_of_their_own_text(tmp_path):
    texts = [f"Solve $log_{n} (x + {n}) = integral_1^{n} y dif y$." for n in range(2, 8)]
    foot = "#text(size: 5pt)[Mathematics Club of the Whole County, Round of Slides, Autumn Term]"
    source = f"#set page(height: 4in, margin: .4in, footer: [{foot}])\n" + "#pagebreak()\n".join(
        rf"*Question {n}* #v(1em) {text}" "\n" for n, text in enumerate(texts, 1)
    )
    assert [row["statement"] for row in extract(paper(tmp_path, source))] == [
        rf"Solve \log_{{{n}}}(x + {n}) = \int_{{1}}^{{{n}}} y dy." for n in range(2, 8)
    ]


@pytest.mark.parametrize(
    "stroke", ["0.4pt", "(x, y) => (bottom: if y == 0 {0.4pt}, left: if x > 0 {0.4pt})"]
)
def test_a_key_in_a_ruled_table_is_no_fraction_and_has_no_columns_of_text(tmp_path, stroke):
    problems = "\n".join(rf"#block[{n}\. Find the sum of {n} and 3.]" for n in range(1, 11))
    cells = "".join(f"[{n}], [{n + 3}], [{n + 5}], [{n + 8}], " for n in range(1, 6))
    table = f"#table(columns: 4, stroke: {stroke}, [No.], [Answer], [No.], [Answer], {cells})"
    rows = extract(paper(tmp_path, f"{problems}\n#pagebreak()\n= Answers\n{table}"))
    assert [row["answer"] for row in rows] == [str(n + 3) for n in range(1, 11)]
    assert not any(row["flags"] for row in rows)


LONG = "Find the sum of {n} and {m}, where all the numbers are meant to be integers of base ten."


@pytest.mark.parametrize("width", ["60%", "40%"], ids=["two lines", "three lines"])
def test_a_number_in_the_middle_of_its_cell_belongs_to_the_whole_cell(tmp_path, width):
    texts = [LONG.format(n=n, m=n + 3) if n % 3 else f"Find {n} + 1." for n in range(1, 7)]
    cells = ", ".join(f"[{n}.], [{text}]" for n, text in enumerate(texts, 1))
    source = rf"#table(columns: (2em, {width}), align: horizon, stroke: none, {cells})"
    rows = extract(paper(tmp_path, source))
    assert [row["number"] for row in rows] == list("123456")
    assert [row["statement"] for row in rows] == texts


def test_a_number_broken_from_its_sign_in_its_cell_begins_the_problem(tmp_path):
    cells = ", ".join(rf"[№ \ {n}.], [{text}]" for n, text in enumerate(SUMS, 1))
    rows = extract(paper(tmp_path, rf"#table(columns: 2, stroke: none, {cells})"))
    assert [row["statement"] for row in rows] == SUMS


def test_a_bold_line_at_the_end_of_the_first_column_divides_no_columns(tmp_path):
    blocks = [rf"#block[{n}\. Find the sum of the two numbers {n} and 3.]" for n in range(1, 17)]
    blocks.insert(9, "#v(2em)#block[*Remember to add.*]")
    source = "#set page(columns: 2, height: 6in)\n" + "\n".join(blocks)
    assert [row["number"] for row in extract(paper(tmp_path, source))] == [
        str(n) for n in range(1, 17)
    ]


def test_a_point_beside_an_overline_is_not_under_it(tmp_path):
    content = text(40, 250, "1. Find 0.") + text(90, 250, "7") + "89.5 260 7 .6 re f\n"
    content += text(100, 250, "as a fraction.") + text(40, 220, "2. Find the sum of 4 and 5.")
    assert statements(extract(printed(tmp_path, content)))["1"] == (
        r"Find 0.\overline{7} as a fraction."
    )


# ------------------------------------------------------------------------------------------- keys


def booklet(counts, order=None, answered=None):
    """A paper of several tests with a booklet of solutions that repeat the problems."""
    tests, lists = [], []
    for place, count in enumerate(counts):
        name = ("speed", "team", "relay")[place]
        said = [
            f"In the {name} part find the value of {n} plus {100 * place}."
            for n in range(1, count + 1)
        ]
        tests.append(
            f"= The {name} part\n"
            + "\n".join(rf"#block[{n}\. {text}]" for n, text in enumerate(said, 1))
        )
        lists.append(
            "\n".join(
                rf"#block[{n}\. {text} Answer: $#rect[{n + 100 * place}]$]"
                if answered is None
                else rf"#block[{n}\. {n + 100 * place}]"
                for n, text in enumerate(said, 1)
            )
        )
    lists = [lists[place] for place in order or range(len(lists))]
    return "\n#pagebreak()\n".join([*tests, "= Answer Key\n" + "\n#v(2em)\n".join(lists)])


def test_lists_out_of_order_go_to_the_tests_whose_problems_they_repeat(tmp_path):
    rows = extract(paper(tmp_path, booklet([5, 5], order=[1, 0])))
    assert len(rows) == 10
    for row in rows:
        one, other = [int(w.strip(".")) for w in row["statement"].split() if w[0].isdigit()]
        assert row["answer"] == str(one + other)
        assert "key_order" not in row["flags"]


def test_lists_of_other_lengths_than_the_tests_are_flagged(tmp_path):
    source = booklet([6, 4, 5], order=[0, 2], answered=False)
    rows = extract(paper(tmp_path, source))
    wrong = [
        row
        for row in rows
        if row["answer"] is not None
        and row["answer"]
        != str(sum(int(w.strip(".")) for w in row["statement"].split() if w[0].isdigit()))
    ]
    assert all({"key_order", "key_count"} & set(row["flags"]) for row in wrong)


@pytest.mark.parametrize(
    ("statement", "answer", "doubtful"),
    [
        ("Find the number of games.", "thus", True),
        ("Find x.", "12", False),
        ("On which day is it?", "Saturday", False),
        ("Find the length.", "5 cm", False),
        ("Find all x.", "no real solutions", False),
        ("Find x.", "we get that it is 5", True),
        ("Find the area.", "the area of the large triangle minus the small circle inside", True),
        ("Prove that the sum of two odd numbers is always an even number.",
         "the sum of two odd numbers is always an even number", True),
        ("Find the ordered pair (x, y).", "7", True),
        ("Find the ordered pair (x, y).", "(7, 3)", False),
        ("How many ordered pairs are there? Call the pair (a, b).", "7", False),
        ("Find all ordered pairs (x, y) of integers.", "1", True),
        ("Determine, with proof, all triples of primes.", "7", True),
        ("Find all ordered pairs (x, y) of integers.", "(1, 2), (3, 4)", False),
        ("Find all ordered pairs (x, y) of integers.", "none", False),
        ("Find all ordered pairs (x, y). How many are there?", "7", False),
        ("Find all real values of x with x^{2} = 9.", "3", True),
        ("Find all real values of x with x^{2} = 9.", "x = 3", True),
        ("Find all real values of x with x^{2} = 9.", r"\pm 3", False),
        ("Find all real values of x with x^{2} = 9.", "3 and -3", False),
        ("Find all solutions.", r"\frac{1}{2}", True),
        ("What are all integers n?", "-5", True),
        ("Find all x with x^{2} > 9.", "x > 3 or x < -3", False),
        ("Find all x with 2x = 6.", "3", True),
        ("Find the sum of all real values of x.", "3", False),
        ("Find all real values of x. What is the sum of them?", "3", False),
        ("Determine the product of all possible value(s) of k.", "-6", False),
        ("Find f(1) if f(x + y) = f(x) for all real numbers x.", "3", False),
        ("What is the probability that both are red?", r"\frac{3}{2}", True),
        ("What is the probability that both are red?", r"\frac{2}{3}", False),
        ("The probability is m/n. Find m + n, the probability written in lowest terms.", "7", False),
        ("Find x.", "x =", True),
        ("Evaluate the integral of x.", "Evaluate the integral", True),
        ("Calculer la masse.", "5,75", True),
        ("Find all x.", "5, 75", False),
        ("Find the point.", "(5,75)", False),
        ("Find the number.", "5,750", False),
    ],
)  # fmt: skip
def test_an_answer_that_cannot_be_what_is_asked_is_doubtful(statement, answer, doubtful):
    assert is_doubtful(statement, answer) == doubtful


def test_a_stated_answer_beats_a_box_of_the_working_and_the_difference_is_flagged(tmp_path):
    problems = "\n".join(rf"#block[{n}\. {text}]" for n, text in enumerate(SUMS, 1))
    key = "= Solutions\n" + "\n".join(
        rf"#block[{n}\. {text}]" "\n" rf"#block[*Answer:* {2 * n + 3}]" "\n"
        rf"#block[Take #box(stroke: 0.5pt, inset: 3pt)[$ {n} $] and add.]"
        for n, text in enumerate(SUMS, 1)
    )  # fmt: skip
    rows = extract(paper(tmp_path, problems), paper(tmp_path, key, "key.pdf"))
    assert [row["answer"] for row in rows] == ["5", "7", "9", "11", "13"]


FRAMED = "#block(stroke: .5pt, inset: 6pt)[*Solution:* {}]"


def test_framed_solutions_are_no_part_of_problems_and_begin_no_key(tmp_path):
    solved = [
        "$5$",
        "Both are known, so that the answer is 7.",
        "$3 dot 3 = 9$",
        "$x = 11$",
        "$13$",
    ]
    source = "\n".join(
        rf"#block[{n}\. {text}]" "\n" + FRAMED.format(solution)
        for (n, text), solution in zip(enumerate(SUMS, 1), solved, strict=True)
    )
    rows = extract(paper(tmp_path, source))
    assert [row["statement"] for row in rows] == SUMS
    assert [row["answer"] for row in rows] == ["5", "7", r"3\cdot3=9", "x=11", "13"]
    assert ["key_doubtful" in row["flags"] for row in rows] == [False, False, True, False, False]


def test_a_key_with_heads_of_words_in_another_language(tmp_path):
    problems = "\n".join(rf"*Exercice {n}* \ {text}" "\n" for n, text in enumerate(SUMS, 1))
    key = "= Corrigé\n" + "\n".join(
        rf"*Exercice {n}* \ Réponse : {2 * n + 3}" "\n" for n in range(1, 6)
    )
    rows = extract(paper(tmp_path, problems), paper(tmp_path, key, "key.pdf"))
    assert [row["answer"] for row in rows] == ["5", "7", "9", "11", "13"]


@pytest.mark.parametrize("head", ["Answers:", "Ответы.", "Réponses :"])
def test_a_running_key_under_the_last_problem_is_no_part_of_it(tmp_path, head):
    key = " ".join(f"{n}) {2 * n + 3}." for n in range(1, 6))
    source = "\n".join(rf"#block[{n}\. {text}]" for n, text in enumerate(SUMS, 1))
    rows = extract(paper(tmp_path, f"{source}\n#block[{head} {key}]"))
    assert [row["statement"] for row in rows] == SUMS
    assert [row["answer"] for row in rows] == ["5", "7", "9", "11", "13"]


# ------------------------------------------------------------------------------------ turned pages


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_page_reads_as_it_did_and_its_boxes_lie_on_it(tmp_path, degrees):
    source = "\n".join(rf"#block[{n}\. {text}]" for n, text in enumerate(SUMS, 1))
    straight = paper(tmp_path, source)
    document = pypdfium2.PdfDocument(straight)
    document[0].set_rotation(degrees)
    document.save(tmp_path / "turned.pdf")
    rows, turned = extract(straight), extract(tmp_path / "turned.pdf")
    assert statements(turned) == statements(rows)
    width, height = document[0].get_size()
    for one, other in zip(rows, turned, strict=True):
        x0, top, x1, bottom = one["box"]
        back = {
            90: (width - bottom, x0, width - top, x1),
            180: (width - x1, height - bottom, width - x0, height - top),
            270: (top, height - x1, bottom, height - x0),
        }[degrees]
        assert other["box"] == pytest.approx(back, abs=0.1)


# ------------------------------------------------------------------------------------------ ink


def with_picture(tmp_path, formula="$ 3 x + 4 = 19 $"):
    """A paper in which a formula is a picture in its line."""
    page = f"#set page(width: auto, height: auto, margin: 1pt)\n#set text(size: 11pt)\n{formula}"
    (tmp_path / "formula.png").write_bytes(typst.compile(page.encode(), format="png", ppi=400.0))
    source = (
        '#set text(font: "New Computer Modern", size: 11pt)\n#set page(margin: 1in)\n'
        + r"1. Solve #box(image("
        + '"formula.png", height: 10pt'
        + r")) for the unknown number." + "\n\n2. Find the sum of 4 and 5.\n"
    )  # fmt: skip
    (tmp_path / "paper.typ").write_text(source)
    typst.compile(tmp_path / "paper.typ", output=tmp_path / "paper.pdf", ignore_system_fonts=True)
    return tmp_path / "paper.pdf"


@needs_tesseract
def test_a_formula_that_is_a_picture_is_read_as_drawn(tmp_path):
    first, second = extract(with_picture(tmp_path))
    said = first["statement"].replace("3 x", "3x")  # the picture has a thin space there
    assert said == "Solve 3x + 4 = 19 for the unknown number."
    assert "formula" in first["flags"]
    assert second["flags"] == ["no_answer"]


@needs_tesseract
@needs_chromium
def test_the_ink_of_a_ligature_is_that_of_all_its_letters(tmp_path):
    # PDFium shares it out among them, so that half a letter seemed to be drawn without characters.
    root = "<math><msqrt><mrow><mi>x</mi><mo>+</mo><mn>12</mn></mrow></msqrt></math>"
    page = tmp_path / "paper.html"
    page.write_text(
        '<meta charset="utf-8"><body style="font-family: DejaVu Serif">'
        f"<p>1. Simplify and define {root}.<p>2. Find the sum of 4 and 5."
    )
    made = tmp_path / "paper.pdf"
    command = [CHROMIUM, "--headless", "--no-sandbox", f"--print-to-pdf={made}", page.as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    first = extract(made)[0]
    assert first["statement"] == r"Simplify and define \sqrt{x + 12}."
    assert first["flags"] == ["no_answer"]


def test_a_formula_that_is_a_picture_is_never_lost_in_silence(tmp_path, monkeypatch):
    path = with_picture(tmp_path)
    monkeypatch.setenv("PATH", "")
    first, second = extract(path)
    assert "unread" in first["flags"]
    assert second["flags"] == ["no_answer"]


# ------------------------------------------------------------------------------- faults of our own


def test_a_fault_of_the_geometry_costs_flags_and_no_paper(tmp_path, monkeypatch):
    source = "\n".join(rf"#block[{n}\. {text} $x^2/2$]" for n, text in enumerate(SUMS, 1))
    path = paper(tmp_path, source)
    real = layout.read_lines

    def failing(region, body):
        if region.rules:
            raise TypeError("no rule")
        return real(region, body)

    monkeypatch.setattr(layout, "read_lines", failing)
    rows = extract(path)
    assert len(rows) == 5
    assert all("unread" in row["flags"] for row in rows)


def test_a_fault_that_nothing_helps_blames_this_program_and_not_the_file(tmp_path, monkeypatch):
    path = paper(tmp_path, r"1\. Find x.")
    monkeypatch.setattr(sheets, "read_layout", lambda *_: {}["missing"])
    with pytest.raises(ExamError) as told:
        extract(path)
    assert "page 1: this program failed on it (KeyError" in told.value.cause
    assert "the file may be sound" in told.value.remedy


# ----------------------------------------------------------------------------------- third reading


def scanned(statement, third, flags=("formula",), **changes):
    """A row of a scan, its lines and its sheet with a third reading."""
    row = {
        "number": "7", "statement_plain": statement.replace("{", "").replace("}", ""), "statement": statement, "options": [],
        "method": "ocr", "flags": [*flags], **changes,
    }  # fmt: skip
    line = SimpleNamespace(page=1, box=(50.0, 100.0, 500.0, 112.0))
    passage = SimpleNamespace(lines=[line])
    lines = [((50.0, 99.0, 499.0, 113.0), third), ((50.0, 300.0, 499.0, 313.0), "8. Next")]
    return row, passage, {1: SimpleNamespace(third=lines)}


@pytest.mark.parametrize(
    ("statement", "third", "flags", "left"),
    [
        ("Find x if x^2 = 9.", "7. Find x if x² = 9.", ["formula", "doubtful"], []),
        ("Find x if x^2 = 9.", "7. Find x if x² = 9.", ["formula", "figure"], ["formula", "figure"]),
        ("Find x if x^2 = 9.", "7. Find x if x² = 8.", ["formula"], ["formula", "doubtful"]),
        ("Find x if x + 2 = 9.", "7. Find x if x − 2 = 9.", ["formula"], ["formula", "doubtful"]),
        ("Find 3x if x = 9.", "7. Find x if 3x = 9.", ["formula"], ["formula", "doubtful"]),
        ("Find x if x^2 = 9.", "7. Find x if x² = 9. T1. 12", ["formula"], ["formula"]),
        ("Find x.", "7. Find x.", ["doubtful", "key_formula", "no_answer"], ["key_formula", "no_answer"]),
        ("Find 2^{3} 5^{2}.", "7. Find 2³·5².", ["formula"], ["formula"]),
        ("Find 2^{3} 5^{2}.", "7. Find 2³5².", ["formula"], ["formula"]),
        ("Write it as a_\\sqrt{b}.", "7. Write it as a√b.", ["formula"], ["formula"]),
        ("Find 12 of them.", "7. Find 1.2 of them.", ["doubtful"], ["doubtful"]),
        ("Find 12! of them.", "7. Find 12 of them.", ["doubtful"], []),
        ("It costs $5. 10, and 5 .25 more.", "7. It costs $5.10, and 5.25 more.", ["doubtful"], []),
        ("Let x = 5. 10 of the boys leave.", "7. Let x = 5.10 of the boys leave.", [], ["doubtful"]),
        ("It costs $5. 10 a day.", "unreadable", [], ["doubtful"]),
        ("How many days will pa ss unl they meet?", "7. How many days will pass until they meet?", [], ["doubtful"]),
        ("How many days will pass?", "of another line", [], []),
        ("Into how many parts? 5 - x if x < 2", "7. Into how many parts? 5 - x if x < 2", ["formula"], ["formula"]),
        ("Find x if x = 1. Express x as a decimal", "7. Find x if x = 1. Express x as a decimal", ["formula"], []),
    ],
)  # fmt: skip
def test_only_full_agreement_settles_doubts_and_no_others(statement, third, flags, left):
    row, passage, sheet = scanned(statement, third, flags)
    settle(row, passage, sheet)
    assert row["flags"] == left


def test_a_third_reading_lends_its_spaces_where_it_has_the_same_letters():
    row, passage, sheet = scanned("Ifp^{2} = k, pa ss on.", "7. If p² = k, pass on.")
    settle(row, passage, sheet)
    assert row["statement"] == "If p^{2} = k, pass on."
    assert row["statement_plain"] == "If p^2 = k, pass on."
    row, passage, sheet = scanned("Ifp^{2} = k.", "7. If p² = m.")
    settle(row, passage, sheet)
    assert row["statement"] == "Ifp^{2} = k."


def test_signs_count_and_spellings_do_not():
    assert signature("∠ABC ≤ 90°") == signature("∠ABC ⩽ 90")
    assert signature("x - 2") != signature("x + 2")
    assert signature("kS") != signature("KS")
    assert likeness({"number": "1", "statement_plain": "½", "options": []}, "1. 1/2") == 1


def test_a_third_reader_that_is_not_there_is_said(tmp_path):
    from distil.exams.scans.third_reading import Reader

    with pytest.raises(ExamError, match=r"asks for rapidocr==0.0.1, (which is not|but version)"):
        Reader("rapidocr==0.0.1", tmp_path / "paper.pdf")


def test_a_short_problem_directly_under_a_wide_heading_is_read(tmp_path):
    source = "#set text(size: 12pt)\n= Freshman-Sophomore Individual Test\n" + "\n\n".join(
        f"#block[{n}. What is {n} plus 5?]" for n in (1, 2, 3)
    )
    path = tmp_path / "short.pdf"
    path.write_bytes(typst.compile(source.encode(), ignore_system_fonts=True))
    rows = extract(path, year=2024, sections=["fs"])
    assert [row["id"] for row in rows] == ["2024-fs-01", "2024-fs-02", "2024-fs-03"]
    assert rows[0]["statement"] == "What is 1 plus 5?"
