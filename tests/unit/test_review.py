"""Crops, and the page on which a person sees them beside what was read."""

from __future__ import annotations

import base64
import html.parser
import io
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import typst
import yaml
from PIL import Image

from distil.content.files import write_jsonl
from distil.content.hashing import sha256_bytes
from distil.exams.drawing import crop, crop_safely
from distil.exams.errors import ExamError
from distil.exams.extraction import extract
from distil.review.corrections import read_corrections
from distil.review.crops import read_crops
from distil.review.page import meaning
from scripts import crop_problems, review_problems
from tests.unit.test_corrections import entry, row

LIMITS = {"memory_mb": 2000, "cpu_seconds": 30, "wall_seconds": 120}
PAPER = """
#set page(width: 14cm, height: 18cm, margin: 1.5cm)
1. Find the value of $x^2$ if $x = 5$.

2. Find the sum of the digits of 1234.
"""
KEY = "= Answer Key\n1. 25\n\n2. 10\n"


@pytest.fixture(scope="module")
def year(tmp_path_factory):
    """A paper with its key in a second file, its rows and its crops."""
    folder = tmp_path_factory.mktemp("year")
    for name, source in (("paper.pdf", PAPER), ("key.pdf", KEY)):
        (folder / name).write_bytes(typst.compile(source.encode(), ignore_system_fonts=True))
    rows = extract(folder / "paper.pdf", folder / "key.pdf", year=2014, sections=["fs"])
    write_jsonl(folder / "extracted.jsonl", rows)
    return folder, rows


def cut(year, target: Path) -> dict:
    folder, _ = year
    return crop_problems.main(
        input=SimpleNamespace(
            papers=[str(folder / "paper.pdf")],
            answer_keys=[str(folder / "key.pdf")],
            extracted=str(folder / "extracted.jsonl"),
        ),
        output=SimpleNamespace(crops=str(target)),
        params=SimpleNamespace(dpi=150, limits=LIMITS, added=[]),
    )["facts"]


def test_each_problem_and_each_key_is_cut_from_its_own_pdf(year, tmp_path):
    folder, rows = year
    assert cut(year, tmp_path / "one.parquet") == {"crops": 4}
    cut(year, tmp_path / "two.parquet")
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()
    crops = read_crops(tmp_path / "one.parquet")
    assert list(crops) == [
        (f"2014-fs-0{number}", what) for number in (1, 2) for what in ("statement", "key")
    ]
    for found in rows:
        shown = crops[found["id"], "statement"]
        assert (shown["page"], shown["box"]) == (found["page"], found["box"])
        assert shown["png"] == crop(folder / "paper.pdf", found["page"], found["box"], dpi=150)
        answer = crops[found["id"], "key"]
        assert answer["pdf_sha256"] == found["key_sha256"] != shown["pdf_sha256"]
        assert answer["png"] == crop(folder / "key.pdf", found["key_page"], found["key_box"], 150)
        for picture in (shown, answer):
            assert picture["png_sha256"] == sha256_bytes(picture["png"])
            assert min(Image.open(io.BytesIO(picture["png"])).getdata()) < 100


def test_drawing_is_stopped_at_its_limits_and_a_wrong_place_is_named(year):
    folder, _ = year
    limits = {"dpi": 150, "memory": 2 * 1024**3, "cpu_seconds": 30, "wall_seconds": 120}
    with pytest.raises(ExamError, match="no page 9"):
        crop_safely(folder / "paper.pdf", [(9, [0, 0, 10, 10])], **limits)
    many = [(1, [0, 0, 390, 500])] * 400
    with pytest.raises(ExamError, match="was stopped"):
        crop_safely(folder / "paper.pdf", many, **{**limits, "cpu_seconds": 1})


# ------------------------------------------------------------------------------------- the page


def review(year, tmp_path, rows, corrections=(), readings=()):
    cut(year, tmp_path / "crops.parquet")
    write_jsonl(tmp_path / "rows.jsonl", rows)
    write_jsonl(tmp_path / "readings.jsonl", readings)
    output = SimpleNamespace(
        page=str(tmp_path / "page.html"), corrections=str(tmp_path / "corrections.yaml")
    )
    facts = review_problems.main(
        input=SimpleNamespace(
            extracted=[str(tmp_path / "rows.jsonl")],
            crops=[str(tmp_path / "crops.parquet")],
            readings=[str(tmp_path / "readings.jsonl")] if readings else [],
        ),
        output=output,
        params=SimpleNamespace(
            title="A <study> & more",
            sections={"fs": "Fresh & <Soph>"},
            corrections=list(corrections),
            prefer="extraction" if readings else None,
            refuse=["empty", "no_answer"],
        ),
    )["facts"]
    return facts, Path(output.page).read_text("utf-8"), Path(output.corrections).read_text("utf-8")


class Page(html.parser.HTMLParser):
    """The page as a browser takes it: its tags, its text, its pictures."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data

    @property
    def pictures(self) -> list[bytes]:
        heads = "data:image/png;base64,"
        found = [value for name, value in self.attributes if name == "src"]
        assert all(value.startswith(heads) for value in found), "the page stands alone"
        return [base64.b64decode(value.removeprefix(heads), validate=True) for value in found]


def test_each_problem_stands_beside_its_pictures_the_flagged_ones_first(year, tmp_path):
    _, rows = year
    rows = [{**rows[0], "flags": ["doubtful", "key_small"], "confidence": 0.41}, rows[1]]
    facts, text, _ = review(year, tmp_path, rows)
    assert facts == {"problems": 2, "flagged": 1, "left": 1, "kept_out": {}}
    page = Page(text)
    crops = read_crops(tmp_path / "crops.parquet")
    assert page.pictures == [
        crops[name, what]["png"]
        for name in ("2014-fs-01", "2014-fs-02")
        for what in ("statement", "key")
    ]
    assert page.tags.count("article") == 2
    assert "2014: 1 read without a doubt" in page.text
    for shown in (
        "x^{2}",
        "x^2",
        "25",
        "0.41",
        "page 1",
        meaning("doubtful"),
        meaning("key_small"),
    ):
        assert shown in page.text
    assert "script" not in page.tags
    assert not {name for name, _ in page.attributes} & {"href", "onclick", "onload"}


def test_nothing_that_was_read_from_a_paper_becomes_markup(year, tmp_path):
    _, rows = year
    evil = "</pre></details><script>alert(1)</script><img src=x onerror=alert(2)> & \"' it's"
    changed = {
        **rows[0],
        "flags": ["<b>new</b>"],
        "statement": evil,
        "statement_plain": evil,
        "answer": evil,
        "answer_raw": evil,
        "options": [{"label": "A", "text": evil}, {"label": "B", "text": "2"}],
    }
    wrong = entry(id="2014-fs-02", was=evil, who=evil, why=evil)
    _, text, file = review(year, tmp_path, [changed, rows[1]], [wrong])
    page = Page(text)
    assert len(page.pictures) == page.tags.count("img")
    assert not {"script", "b"} & set(page.tags)
    assert not any(name.startswith("on") for name, _ in page.attributes)
    assert page.text.count("<script>alert(1)</script>") >= 8
    assert "A <study> & more" in page.text
    assert "Fresh & <Soph>" in page.text
    assert read_filled(file, tmp_path)[0]["was"] == evil


def read_filled(file: str, tmp_path: Path) -> list[dict]:
    """Uncomment and fill in every entry of a corrections file, as a teacher would, and read it."""
    lines = []
    for line in file.partition("# Whole papers")[0].splitlines():
        if re.match(r"# (- id:|  \w+:)", line):
            line = line[2:]
        lines.append(
            re.sub(r"^(  (who|why):)$", r"\1 me", re.sub(r"^(  when:)$", r"\1 2026-11-24", line))
        )
    path = tmp_path / "filled.yaml"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return [found for entries in read_corrections(path, [2014]).values() for found in entries]


def test_the_corrections_file_is_ready_to_edit(year, tmp_path):
    _, rows = year
    listed = [{"label": "A", "text": r"\frac{1}{2}"}, {"label": "B", "text": "it's"}]
    rows = [{**rows[0], "flags": ["doubtful"], "options": listed}, {**rows[1], "flags": ["small"]}]
    _, _, file = review(year, tmp_path, rows)
    assert yaml.safe_load(file) is None, "as it comes it corrects nothing"
    (tmp_path / "as-it-comes.yaml").write_text(file, "utf-8")
    assert read_corrections(tmp_path / "as-it-comes.yaml", [2014]) == {}
    filled = read_filled(file, tmp_path)
    assert [(e["id"], e["field"]) for e in filled] == [
        ("2014-fs-01", "answer"), ("2014-fs-01", "options"), ("2014-fs-01", "statement"),
        ("2014-fs-02", "answer"), ("2014-fs-02", "statement"),
    ]  # fmt: skip
    assert filled[1]["was"] == {"A": r"\frac{1}{2}", "B": "it's"}
    assert filled[2]["was"] == filled[2]["value"] == rows[0]["statement"]
    from distil.review.corrections import apply_corrections

    assert [r["id"] for r in apply_corrections(rows, filled, "c.yaml")] == [r["id"] for r in rows]


def test_what_is_corrected_is_kept_and_no_longer_asked(year, tmp_path):
    _, rows = year
    rows = [{**rows[0], "flags": ["doubtful"]}, {**rows[1], "flags": ["doubtful"]}]
    standing = entry(id="2014-fs-01", was="25", value="26")
    facts, text, file = review(year, tmp_path, rows, [standing])
    assert facts == {"problems": 2, "flagged": 2, "left": 1, "kept_out": {}}
    assert yaml.safe_load(file) == [{**standing, "when": standing["when"]}], (
        "the entries that stand stay"
    )
    assert "# - id: 2014-fs-01" not in file
    assert "# - id: 2014-fs-02" in file
    assert text.index('id="2014-fs-02"') < text.index('id="2014-fs-01"')
    assert "Corrected or confirmed: 1" in Page(text).text


def test_stale_corrections_are_shown_and_become_comments(year, tmp_path):
    _, rows = year
    rows = [{**rows[0], "flags": ["doubtful"]}, rows[1]]
    facts, text, file = review(
        year, tmp_path, rows, [entry(id="2014-fs-01", was="24", value="26"), entry(id="2014-fs-77")]
    )
    page = Page(text)
    assert facts["left"] == 1
    assert "Corrections that no longer apply: 2" in page.text
    assert "stale" in page.text
    assert "no such problem" in page.text
    assert yaml.safe_load(file) is None
    assert file.count("# No longer applies;") == 2


def test_a_reading_that_differs_is_shown_and_offered_as_the_value(year, tmp_path):
    _, rows = year
    rows = [{**rows[0], "flags": ["key_doubtful"], "answer": "23", "answer_raw": "23"}, rows[1]]
    reading = {
        "problem": "2014-fs-01", "what": "key", "status": "ok", "agrees": False,
        "text": {"answer": "25"}, "request_sha256": "r", "response_sha256": "s",
    }  # fmt: skip
    _, text, file = review(year, tmp_path, rows, readings=[reading])
    assert "second reading, which differs (extraction is used)" in Page(text).text
    (answer,) = [e for e in read_filled(file, tmp_path) if e["field"] == "answer"]
    assert (answer["was"], answer["value"]) == ("23", "25")


def test_flags_that_have_no_words_of_their_own_are_shown_all_the_same():
    assert meaning("key_some_new_flag") == "in the key: some new flag"
    assert row()["flags"] == ["doubtful"]


def test_a_whole_paper_is_confirmed_by_one_entry_until_its_text_changes(year, tmp_path):
    _, rows = year
    rows = [{**rows[0], "flags": ["doubtful"]}, rows[1]]
    _, _, file = review(year, tmp_path, rows)
    digest = re.search(r"# - confirm: 2014-fs\n#   was: '?([0-9a-f]{16})", file)[1]
    path = tmp_path / "confirmed.yaml"
    path.write_text(
        "- defaults: {who: a teacher, when: 2026-11-24, why: compared with the paper}\n"
        f"- confirm: 2014-fs\n  was: '{digest}'\n",
        "utf-8",
    )
    (entries,) = read_corrections(path, [2014]).values()
    facts, text, file = review(year, tmp_path, rows, entries)
    assert facts["left"] == 0
    assert "Corrected or confirmed: 2" in Page(text).text
    assert yaml.safe_load(file)[0]["confirm"] == "2014-fs"
    changed = [{**rows[0], "statement": "Find y."}, rows[1]]
    facts, text, _ = review(year, tmp_path, changed, entries)
    assert facts["left"] == 1
    assert "what was read from this paper has changed since" in Page(text).text


def test_the_page_says_which_problems_a_study_does_not_take(year, tmp_path):
    _, rows = year
    rows = [{**rows[0], "flags": ["no_answer"], "answer": None, "answer_raw": None}, rows[1]]
    facts, text, _ = review(year, tmp_path, rows)
    assert facts["kept_out"] == {"no_answer": ["2014-fs-01"]}
    assert "1 because no answer was found in the key" in Page(text).text
    given = entry(id="2014-fs-01", was=None, value="25")
    facts, _, _ = review(year, tmp_path, rows, [given])
    assert facts["kept_out"] == {}
