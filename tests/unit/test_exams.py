"""Problems from text PDFs: what a paper prints is what its rows say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest
import typst

from distil.exams.drawing import crop
from distil.exams.errors import ExamError
from distil.exams.extraction import extract, extract_safely
from distil.exams.words import join_lines
from distil.notation.plain import plain
from distil.synthetic.contest import CONTEST
from distil.synthetic.papers import Question, truth_row
from distil.synthetic.templates import draw_item

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import extract_problems  # noqa: E402
import typeset_exams  # noqa: E402

HEAD = '#set text(font: "New Computer Modern", size: 11pt)\n#set page(margin: 1in)\n'


def paper(tmp_path, source, name="paper.pdf"):
    path = tmp_path / name
    path.write_bytes(typst.compile((HEAD + source).encode(), ignore_system_fonts=True))
    return path


def statements(rows):
    return {row["number"]: row["statement"] for row in rows}


def answers(rows):
    return {row["number"]: row["answer_raw"] for row in rows}


# ------------------------------------------------------------------------------ the sample study


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample")
    years = [2011, 2012, 2013]
    sections = {"fs": "Freshman-Sophomore", "js": "Junior-Senior", "tp": "Two-Person Speed"}
    typeset_exams.main(
        input=SimpleNamespace(template=str(ROOT / "resources" / "sample" / "exam.typ")),
        output=SimpleNamespace(
            papers=[
                str(folder / f"{year}-{section}.pdf") for year in years for section in sections
            ],
            truth=str(folder / "truth.jsonl"),
            transfer=str(folder / "transfer.jsonl"),
        ),
        params=SimpleNamespace(
            years=years,
            sections=sections,
            questions={"fs": 12, "js": 12, "tp": 8},
            seed=77,
            transfer=5,
        ),
    )
    return folder


def test_the_sample_papers_come_out_without_loss(sample):
    truth = [json.loads(line) for line in (sample / "truth.jsonl").read_text().splitlines()]
    rows = {}
    for path in sample.glob("*.pdf"):
        year, section = path.stem.split("-")
        rows |= {row["id"]: row for row in extract(path, year=int(year), sections=[section])}
    assert sorted(rows) == [row["id"] for row in truth]
    for row in truth:
        found = rows[row["id"]]
        for field in ("year", "section", "number", "statement", "options", "answer"):
            assert found[field] == row[field], (row["id"], field)
        assert found["flags"] == []
        assert found["confidence"] == 1.0


@pytest.mark.parametrize("kind", ["familiar", "unseen"])
def test_every_template_comes_out_without_loss_in_each_contest_wording(tmp_path, kind):
    rng, lost = Random(5), []
    for place in range(2):
        wordings = [(template, getattr(template, kind)[place]) for template in CONTEST]
        questions = [
            Question(2011, "js", str(n), draw_item(template, (wording,), rng, reserved=True), False)
            for n, (template, wording) in enumerate(wordings, 1)
        ]
        paper = typeset_exams.paper_data(questions, "Junior-Senior")
        path = tmp_path / "2011-js.pdf"
        path.write_bytes(typeset_exams.typeset(ROOT / "resources/sample/exam.typ", paper))
        rows = {row["number"]: row for row in extract(path)}
        for truth in map(truth_row, questions):
            row = rows[truth["number"]]
            fields = ("statement", "options", "answer")
            lost += [(truth[f], row[f]) for f in fields if row[f] != truth[f]]
            assert row["flags"] == []
    assert not lost


@pytest.mark.parametrize("name", ["rain", "bag"])
def test_a_tie_breaker_with_words_of_instructions_is_a_problem(tmp_path, name):
    """It says "points ... each" or "in lowest terms", and stands alone on its page."""
    [template] = [template for template in CONTEST if template.name == name]
    rng = Random(5)
    items = [
        draw_item(CONTEST[place], CONTEST[place].familiar[:1], rng, reserved=True)
        for place in (0, 2)
    ]
    items.append(draw_item(template, template.unseen[1:], rng, reserved=True))
    questions = [
        Question(2011, "tp", number, item, False)
        for number, item in zip(("1", "2", "T1"), items, strict=True)
    ]
    path = tmp_path / "2011-tp.pdf"
    paper = typeset_exams.paper_data(questions, "Two-Person Speed")
    path.write_bytes(typeset_exams.typeset(ROOT / "resources/sample/exam.typ", paper))
    rows = {row["number"]: row for row in extract(path)}
    truth = truth_row(questions[-1])
    assert (rows["T1"]["statement"], rows["T1"]["answer"]) == (truth["statement"], truth["answer"])


def test_the_rule_writes_a_years_problems_sorted_and_the_same_bytes_twice(sample, tmp_path):
    written = []
    for name in ("one.jsonl", "two.jsonl"):
        facts = extract_problems.main(
            input=SimpleNamespace(
                papers=[str(sample / f"2012-{s}.pdf") for s in ("fs", "js", "tp")], answer_keys=[]
            ),
            output=SimpleNamespace(extracted=str(tmp_path / name)),
            params=SimpleNamespace(
                year="2012",
                tests=[{"tests": [{"section": s}], "key": False} for s in ("fs", "js", "tp")],
                limits={"memory_mb": 2000, "cpu_seconds": 30, "wall_seconds": 120},
                third_reading=None,
            ),
        )["facts"]  # fmt: skip
        written.append((tmp_path / name).read_bytes())
    assert written[0] == written[1]
    rows = [json.loads(line) for line in written[0].splitlines()]
    assert facts["problems"] == len(rows) == 33
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
    assert {row["pdf_sha256"] for row in rows} == {row["key_sha256"] for row in rows}


def test_a_crop_shows_the_problem_and_nothing_is_drawn_outside(sample):
    row = extract(sample / "2011-fs.pdf", year=2011, sections=["fs"])[0]
    picture = crop(sample / "2011-fs.pdf", row["page"], row["box"])
    assert picture.startswith(b"\x89PNG")
    import io

    from PIL import Image

    image = Image.open(io.BytesIO(picture))
    assert min(image.getdata()) < 100
    width = (row["box"][2] - row["box"][0] + 8) * 110 / 72
    assert abs(image.width - width) < 3
    with pytest.raises(ExamError, match="no page 99"):
        crop(sample / "2011-fs.pdf", 99, row["box"])
    with pytest.raises(ExamError, match="empty"):
        crop(sample / "2011-fs.pdf", 1, [300, 300, 200, 200])


# ------------------------------------------------------------------------------------- numbering


@pytest.mark.parametrize(
    "style", ["{}.", "({})", "{})", "Problem {}.", "Question {}:", "\\#{}.", "Q{}."]
)
def test_numbering_styles_are_understood(tmp_path, style):
    lines = [
        f"#block[{style.format(n)} Find the value of $x + {n}$ if $x = {n + 3}$.]"
        for n in range(1, 12)
    ]
    rows = extract(paper(tmp_path, "\n\n".join(lines)))
    assert statements(rows) == {
        str(n): f"Find the value of x + {n} if x = {n + 3}." for n in range(1, 12)
    }


def test_numbered_rules_on_the_cover_are_no_problems(tmp_path):
    source = """
#block[1. Do not open this test before the proctor tells you to.]
#block[2. Write your name on the answer sheet.]
#block[3. No calculators are permitted.]
#pagebreak()
#block[1. Find 2 + 2.]
#block[2. What is half of 10?]
"""
    rows = extract(paper(tmp_path, source))
    assert statements(rows) == {"1": "Find 2 + 2.", "2": "What is half of 10?"}
    assert [row["page"] for row in rows] == [2, 2]


def test_numbering_that_restarts_makes_sections(tmp_path):
    source = """
= Freshman Test
#block[1. Find $2 x$ if $x = 3$.]
#block[2. What is 7 times 8?]
#pagebreak()
= Senior Test
#block[1. Find $x^2$ if $x = 3$.]
#block[2. What is 7 times 9?]
= Answer Key
#block[1. 6] #block[2. 56]
#block[1. 9] #block[2. 63]
"""
    path = paper(tmp_path, source)
    rows = extract(path, year=2020, sections=["fs", "js"])
    assert [row["id"] for row in rows] == ["2020-fs-01", "2020-fs-02", "2020-js-01", "2020-js-02"]
    assert [row["answer"] for row in rows] == ["6", "56", "9", "63"]
    assert [row["id"] for row in extract(path)] == ["s1-01", "s1-02", "s2-01", "s2-02"]


def test_tie_breakers_have_their_own_numbers(tmp_path):
    source = "\n\n".join(
        [f"#block[{n}. What is {n} plus 5?]" for n in (1, 2, 3)]
        + [f"#block[T{n}. What is {n} times 5?]" for n in (1, 2)]
    )
    rows = extract(paper(tmp_path, source), year=2014, sections=["tp"])
    assert [row["id"] for row in rows] == [
        "2014-tp-01", "2014-tp-02", "2014-tp-03", "2014-tp-t1", "2014-tp-t2"
    ]  # fmt: skip


def test_authors_behind_the_number_are_dropped_and_lists_inside_stay(tmp_path):
    source = """
#block[1. (Euler) Find all $x$ with these properties:
#pad(left: 2em)[1. $x > 2$ \\ 2. $x < 9$]
]
#block[2. (Gauss). How many primes are below 20?]
#block[3. What is 2 + 2?]
"""
    rows = extract(paper(tmp_path, source))
    assert statements(rows) == {
        "1": "Find all x with these properties: 1. x > 2 2. x < 9",
        "2": "How many primes are below 20?",
        "3": "What is 2 + 2?",
    }


def test_a_skipped_number_is_flagged(tmp_path):
    source = "\n\n".join(f"#block[{n}. What is {n} plus 5?]" for n in (1, 2, 4, 5))
    rows = extract(paper(tmp_path, source))
    assert [(row["number"], row["flags"]) for row in rows] == [
        ("1", ["no_answer"]), ("2", ["no_answer"]), ("4", ["gap", "no_answer"]), ("5", ["no_answer"])
    ]  # fmt: skip


# ---------------------------------------------------------------------------------------- layout


def test_two_columns_are_read_one_after_the_other(tmp_path):
    words = "The quick brown fox counts the squares of all the numbers that it meets on its way. "
    source = "#columns(2)[\n" + "\n\n".join(
        f"#block[{n}. {words} How many are below ${n}^2$?]" for n in range(1, 15)
    )
    rows = extract(paper(tmp_path, "#set par(justify: true)\n" + source + "]"))
    want = {str(n): f"{words}How many are below {n}^{{2}}?" for n in range(1, 15)}
    assert statements(rows) == want


def test_displayed_formulas_do_not_look_like_columns(tmp_path):
    source = "\n\n".join(
        f"#block[{n}. Find the value of $ x_{n} + {n} = frac({n}, 7) $ for all of them.]"
        for n in range(1, 9)
    )
    rows = extract(paper(tmp_path, source))
    assert statements(rows)["3"] == r"Find the value of x_{3} + 3 = \frac{3}{7} for all of them."


def test_a_problem_runs_on_over_a_page_break(tmp_path):
    source = """
#block[1. What is 2 + 2?]
2. A long tale begins here and
#pagebreak()
ends here with $x^2$. What is it?

#block[3. What is 3 + 3?]
"""
    rows = extract(paper(tmp_path, source))
    assert statements(rows)["2"] == "A long tale begins here and ends here with x^{2}. What is it?"
    assert "spans_pages" in rows[1]["flags"]


def test_running_heads_feet_and_footnotes_are_left_out(tmp_path):
    source = (
        "#set page(header: [State Contest 2020 #h(1fr) page #context counter(page).display()], "
        "footer: align(center)[State Contest])\n"
        "#block[1. Find the sum of the first ten primes#footnote[One is no prime.] below 40.]\n"
        "#pagebreak()\n#block[2. What is 2 + 2?]\n#pagebreak()\n#block[3. What is 3 + 3?]"
    )
    assert statements(extract(paper(tmp_path, source))) == {
        "1": "Find the sum of the first ten primes below 40.",
        "2": "What is 2 + 2?",
        "3": "What is 3 + 3?",
    }


@pytest.mark.parametrize("formula", ["|{}|", "[{}]", "x + {}"])
def test_formulas_alike_but_for_numbers_at_the_head_of_two_pages_are_text(tmp_path, formula):
    one, two = formula.format(181), formula.format(479)
    source = (
        "#set page(margin: 40pt)\n"
        f"1. Find the value of\n#pagebreak()\n$ {one} $\n#v(20pt)\nsquared, then doubled.\n\n"
        f"2. Find the value of\n#pagebreak()\n$ {two} $\n#v(20pt)\nif its digits change places.\n"
    )
    assert statements(extract(paper(tmp_path, source))) == {
        "1": f"Find the value of {one} squared, then doubled.",
        "2": f"Find the value of {two} if its digits change places.",
    }


def test_a_figure_is_flagged_and_its_labels_are_no_text(tmp_path):
    source = """
#block[1. What is the area of the region drawn here?
#v(6pt) #box(width: 120pt, height: 80pt)[#place(circle(radius: 36pt)) #place(dx: 30pt, dy: 30pt)[P]
#place(line(start: (0pt, 0pt), end: (72pt, 72pt)))]]
#v(90pt)
#block[2. What is 2 + 2?]
"""
    rows = extract(paper(tmp_path, source))
    assert statements(rows) == {
        "1": "What is the area of the region drawn here?",
        "2": "What is 2 + 2?",
    }
    assert "figure" in rows[0]["flags"]
    assert "figure" not in rows[1]["flags"]
    assert rows[0]["confidence"] < 1


@pytest.mark.parametrize(
    "options",
    [
        r"(A) $1/2$ #h(2em) (B) $frac(2, 3)$ #h(2em) (C) 3 #h(2em) (D) $sqrt(2)$",
        r"#grid(columns: 4, column-gutter: 3em, [A) $1/2$], [B) $frac(2, 3)$], [C) 3], [D) $sqrt(2)$])",
        r"#grid(columns: 1, row-gutter: 1em, [A. $1/2$], [B. $frac(2, 3)$], [C. 3], [D. $sqrt(2)$])",
    ],
)
def test_choices_become_a_list(tmp_path, options):
    source = f"#block[1. Which is rational?\n\n{options}]\n\n#block[2. What is 2 + 2?]"
    rows = extract(paper(tmp_path, source))
    assert rows[0]["statement"] == "Which is rational?"
    texts = [(option["label"], option["text"]) for option in rows[0]["options"]]
    assert texts[0][0] == "A"
    assert texts[1:] == [("B", r"\frac{2}{3}"), ("C", "3"), ("D", r"\sqrt{2}")]
    assert rows[1]["options"] == []


def test_parts_of_a_question_are_no_choices(tmp_path):
    source = "#block[1. Let $x = 2$. (a) What is $x^2$? (b) What is $x^3$? (c) What is $x^4$?]"
    (row,) = extract(paper(tmp_path, source))
    assert row["options"] == []
    assert row["statement"].endswith("(c) What is x^{4}?")


# ------------------------------------------------------------------------------------------ keys

QUESTIONS = "\n\n".join(f"#block[{n}. What is {n} plus $x^{n}$?]" for n in range(1, 7))


@pytest.mark.parametrize(
    "key",
    [
        "\n\n".join(f"#block[{n}. ${n} sqrt(2)$]" for n in range(1, 7)),
        "#columns(2)[" + "\n\n".join(f"#block[{n}. ${n} sqrt(2)$]" for n in range(1, 7)) + "]",
        "#grid(columns: 4, column-gutter: 2em, row-gutter: 1em,"
        + ",".join(f"[{n}.], [${n} sqrt(2)$]" for n in (1, 4, 2, 5, 3, 6)) + ")",
        "#table(columns: 2, [Number], [Answer],"
        + ",".join(f"[{n}], [${n} sqrt(2)$]" for n in range(1, 7)) + ")",
        "#grid(columns: 3, column-gutter: 3em, row-gutter: 1em,"
        + ",".join(f"[({n}) ${n} sqrt(2)$]" for n in range(1, 7)) + ")",
    ],
    ids=["list", "columns", "grid", "table", "rows"],
)  # fmt: skip
def test_keys_are_read_whatever_their_shape(tmp_path, key):
    source = f"{QUESTIONS}\n#pagebreak()\n#align(center)[*Answer Key*]\n\n{key}"
    want = {str(n): rf"{n}\sqrt{{2}}" for n in range(1, 7)}
    assert answers(extract(paper(tmp_path, source))) == want
    alone = paper(tmp_path, f"#align(center)[*Answer Key*]\n\n{key}", "key.pdf")
    rows = extract(paper(tmp_path, QUESTIONS), alone)
    assert answers(rows) == want
    assert {row["key_page"] for row in rows} == {1}
    assert rows[0]["key_sha256"] != rows[0]["pdf_sha256"]


def test_boxed_results_of_solutions_are_the_answers(tmp_path):
    solutions = "\n\n".join(
        f"#block[{n}. We see that $x = {n}$, so $2 x = {2 * n}$ and the answer is "
        f"#box(stroke: 0.5pt, inset: 3pt)[$frac({n}, 7)$].]"
        for n in range(1, 7)
    )
    key = paper(tmp_path, f"= Solutions\n{solutions}", "key.pdf")
    rows = extract(paper(tmp_path, QUESTIONS), key)
    assert answers(rows) == {str(n): rf"\frac{{{n}}}{{7}}" for n in range(1, 7)}


def test_a_remark_in_the_key_is_kept_raw_and_left_out_of_the_answer(tmp_path):
    source = "#block[1. What is half of 3?]\n\n#block[2. What is 1 + 1?]\n#pagebreak()\n= Answers\n"
    source += "#block[1. $frac(3, 2)$ (must be this fraction)]\n\n#block[2. 2]"
    row = extract(paper(tmp_path, source))[0]
    assert row["answer_raw"] == r"\frac{3}{2} (must be this fraction)"
    assert row["answer"] == r"\frac{3}{2}"


def test_tables_have_a_column_a_test(tmp_path):
    source = """
= First Test
#block[1. What is 1 + 1?]
#block[2. What is 2 + 2?]
#pagebreak()
= Second Test
#block[1. What is 3 + 3?]
#block[2. What is 4 + 4?]
#pagebreak()
= Answers
#table(columns: 3, [], [First], [Second], [1], [2], [6], [2], [4], [8])
"""
    rows = extract(paper(tmp_path, source))
    assert [row["answer"] for row in rows] == ["2", "4", "6", "8"]


# ----------------------------------------------------------------------------------- mathematics


@pytest.mark.parametrize(
    ("source", "want"),
    [
        ("x^2 + y_1^3", "x^{2} + y_{1}^{3}"),
        ("frac(frac(a, b) + 1, c)", r"\frac{\frac{a}{b} + 1}{c}"),
        ("root(3, x + sqrt(y))", r"\sqrt[3]{x + \sqrt{y}}"),
        ("sum_(k=1)^n k^2", r"\sum_{k=1}^{n} k^{2}"),
        ("integral_0^1 x dif x", r"\int_{0}^{1} x dx"),
        ("{1, 2, 3}", r"\{1, 2, 3\}"),
        ("abs(x - 1) <= 5", r"|x - 1| \leq 5"),
        ("70 degree", r"70^{\circ}"),
        ("f'(x) + g''(x)", "f'(x) + g''(x)"),
        ("floor(x slash 2) + ceil(y)", r"\lfloor x/2\rfloor + \lceil y\rceil"),
        ("mat(1, 2; 3, 4)", r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}"),
        ("cases(1 &\"if\" x, 2 &\"else\")", r"\begin{cases} 1 & if x \\ 2 & else \end{cases}"),
        ("binom(n, k)", r"\binom{n}{k}"),
        ("sin^2 x + log_2 y", r"\sin^{2} x + \log_{2} y"),
        ("lim_(n -> oo) a_n", r"\lim_{n\to\infty} a_{n}"),
        ("x in RR, cal(S)", r"x \in \mathbb{R}, \mathcal{S}"),
        ("overline(A B) + hat(x) + arrow(v)", r"\overline{AB} + \hat{x} + \vec{v}"),
        ("angle A B C", r"\angle ABC"),
        ("alpha beta + pi r^2", r"\alpha\beta + \pi r^{2}"),
        ("a != b, a equiv b", r"a \neq b, a \equiv b"),
        ("(-3)^(-2) = -x", "(-3)^{-2} = -x"),
        ("1, 2, dots, n", r"1, 2, \ldots, n"),
        ("x^(1 slash 2) + 2^(frac(1, 3))", r"x^{1/2} + 2^{\frac{1}{3}}"),
    ],
)  # fmt: skip
def test_notation_comes_out_as_latex(tmp_path, source, want):
    text = f"#block[1. What is 1 + 1?]\n\n#block[2. Consider ${source}$ again.]\n\n#block[3. Why?]"
    assert statements(extract(paper(tmp_path, text)))["2"] == f"Consider {want} again."


def test_underlined_words_are_no_fractions(tmp_path):
    text = (
        "#block[1. The #underline[underlined words here] stand above \\ some other words of the text.]"
        "\n\n#block[2. What is 1 + 1?]"
    )
    want = "The underlined words here stand above some other words of the text."
    assert statements(extract(paper(tmp_path, text)))["1"] == want


@pytest.mark.parametrize(
    ("latex", "want"),
    [
        (r"\frac{a + b}{2}", "(a + b)/2"),
        (r"x_{n-1}^{2} \leq \sqrt[3]{5}", "x_(n-1)^2 ≤ ∛(5)"),
        (r"\{1, 2\} \cup \mathbb{R}", "{1, 2} ∪ R"),
        (r"2\pi r and 70^{\circ}", "2πr and 70°"),
        (r"\angle ABC = \binom{n}{k}", "∠ABC = C(n, k)"),
        (r"x \pmod{7}", "x (mod 7)"),
    ],
)
def test_the_plain_rendering_is_what_one_would_type(latex, want):
    assert plain(latex) == want


def test_words_broken_at_the_line_end_are_joined_and_real_hyphens_stay():
    assert join_lines(["a rectan-", "gle of one-time-", "use cards"]) == (
        "a rectangle of one-time-use cards"
    )
    assert join_lines(["a re-", "use"], {"re-use"}) == "a re-use"
    assert join_lines(["an 18-", "gon"]) == "an 18-gon"


# --------------------------------------------------------------------------------- the interface


def test_the_worker_gives_the_same_rows_as_the_call(tmp_path):
    path = paper(tmp_path, QUESTIONS)
    assert extract_safely(path, year=2014, sections=["fs"]) == extract(
        path, year=2014, sections=["fs"]
    )


def test_the_command_line_prints_an_object_a_problem(tmp_path):
    path = paper(tmp_path, QUESTIONS)
    done = subprocess.run(
        [sys.executable, "-m", "distil", "read", str(path)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["number"] for row in rows] == [str(n) for n in range(1, 7)]
    assert set(rows[0]) >= {
        "id", "number", "statement", "statement_plain", "options", "answer", "page", "box", "method",
        "flags", "confidence",
    }  # fmt: skip


def test_importing_the_package_loads_neither_pdfium_nor_opencv():
    code = (
        "import sys, distil.exams; print([m for m in ('pypdfium2', 'cv2', 'numpy', 'PIL') "
        "if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
