"""Human corrections apply where they fit, and say file, entry, field and remedy where they do not."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from distil.content.files import read_jsonl, write_jsonl
from distil.review.corrections import (
    CorrectionError,
    _check_text,
    added_places,
    apply_corrections,
    read_corrections,
    unfit,
)
from distil.review.page import entry_text
from scripts import correct_problems

YEARS = [2014, 2015]


def row(name: str = "2014-fs-07", **changes) -> dict:
    return {
        "id": name,
        "year": int(name[:4]),
        "section": "fs",
        "number": "7",
        "statement": r"Find \frac{1}{2} of x^{2}.",
        "statement_plain": "Find 1/2 of x^2.",
        "options": [],
        "answer_raw": "1 2",
        "answer": "1 2",
        "page": 1,
        "box": [1.0, 2.0, 3.0, 4.0],
        "key_page": 2,
        "key_box": [1.0, 2.0, 3.0, 4.0],
        "pdf_sha256": "0" * 64,
        "key_sha256": "0" * 64,
        "method": "ocr",
        "flags": ["doubtful"],
        "confidence": 0.5,
        **changes,
    }


def entry(**changes) -> dict:
    return {
        "id": "2014-fs-07",
        "field": "answer",
        "was": "1 2",
        "value": "12",
        "who": "a teacher",
        "when": "2026-11-24",
        "why": "the key says 12",
        **changes,
    }


def written(tmp_path, text: str):
    path = tmp_path / "corrections.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def faults(tmp_path, text: str) -> list[str]:
    path = written(tmp_path, text)
    with pytest.raises(CorrectionError) as refused:
        read_corrections(path, YEARS)
    assert all(fault.startswith(f"{path}:") for fault in refused.value.faults)
    return refused.value.faults


GOOD = """\
# a comment
- id: 2014-fs-07
  field: statement
  was: 'Find \\frac{1}{2} of x^{2}.'
  value: 'Find \\frac{1}{3} of x^{2}, for $5.'
  who: a teacher
  when: 2026-11-24
  why: the page says a third
- {id: 2015-js-t1, field: answer, was: null, value: 0.50, who: no, when: '2026-11-24', why: key}
- id: 2014-fs-08
  field: options
  was: {A: 1, B: 12:30}
  value: {A: "\\\\frac{1}{2}", B: 12:30}
  who: a teacher
  when: 2026-11-24
  why: the page says a half
"""


def test_everything_in_a_file_is_the_text_it_says_and_goes_to_its_year(tmp_path):
    found = read_corrections(written(tmp_path, GOOD), YEARS)
    assert [(e["id"], e["field"]) for e in found[2014]] == [
        ("2014-fs-07", "statement"),
        ("2014-fs-08", "options"),
    ]
    assert found[2014][0]["value"] == r"Find \frac{1}{3} of x^{2}, for $5."
    assert found[2014][1]["value"] == {"A": r"\frac{1}{2}", "B": "12:30"}
    (last,) = found[2015]
    assert (last["was"], last["value"], last["who"]) == (None, "0.50", "no")


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n"])
def test_a_file_without_an_entry_corrects_nothing(tmp_path, text):
    assert read_corrections(written(tmp_path, text), YEARS) == {}


ONE = GOOD[: GOOD.index("- {id")]
WRONG = {
    "no file at all": (None, None, "no such file; name one in problems.corrections"),
    "not a list": ("# a comment\n- id", "corrections:\n- id", "start each entry with"),
    "not YAML": ("was: 'Find", "was: 'It's", "single quotes"),
    "key missing": ("  why: the page says a third\n", "", "why: is missing; add it"),
    "unknown key": ("who:", "whom:", "did you mean who?"),
    "key twice": ("  who: a teacher", "  who: a teacher\n  who: b", "who: stands twice"),
    "who left empty": ("who: a teacher", "who:", "who: is empty; fill it in"),
    "no day": ("when: 2026-11-24", "when: yesterday", "when: yesterday is no day; write it as"),
    "unknown field": ("field: statement", "field: number", "field: number cannot be corrected"),
    "derived field": ("field: statement", "field: statement_plain", "known are statement, options"),
    "id of another year": ("2014-fs-07", "2019-fs-07", "id: no problem of this study"),
    "no id": ("id: 2014-fs-07", "id: seven", "ids look like 2014-fs-07"),
    "open brace": (r"\frac{1}{3}", r"\frac{1}{3", "value: does not parse: a brace is open"),
    "brace too many": (r"\frac{1}{3}", r"\frac{1}}{3}", "value: does not parse: a brace"),
    "mathematics in dollars": (r"\frac{1}{3}", r"$\frac{1}{3}$", "without them"),
    "mathematics in brackets": (r"\frac{1}{3}", r"\(1\)", "without them"),
    "double quotes eat the backslash": (
        r"value: 'Find \frac{1}{3} of x^{2}, for $5.'",
        r'value: "Find \frac{1}{3}"',
        "value: a backslash in double quotes",
    ),
    "a list": (r"value: 'Find \frac{1}{3} of x^{2}, for $5.'", "value: [a]", "is a list"),
    "options as a statement": (
        r"value: 'Find \frac{1}{3} of x^{2}, for $5.'",
        "value: {A: 1, B: 2}",
        "value: does not parse; write a text",
    ),
    "a statement as options": ("field: statement", "field: options", "write options as {A:"),
    "empty text": (r"value: 'Find \frac{1}{3} of x^{2}, for $5.'", "value: ' '", "write null"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_entry_is_refused_with_file_line_entry_field_and_remedy(tmp_path, name):
    old, new, remedy = WRONG[name]
    if old is None:
        with pytest.raises(CorrectionError, match=remedy):
            read_corrections(tmp_path / "corrections.yaml", YEARS)
        return
    assert old in ONE
    found = faults(tmp_path, ONE.replace(old, new, 1))
    assert any(remedy in fault for fault in found), found


def test_the_same_field_of_a_problem_twice_is_refused(tmp_path):
    found = faults(tmp_path, ONE + ONE.replace("a third", "another"))
    assert found == [
        f"{tmp_path}/corrections.yaml:10: 2014-fs-07: statement: stands twice (first in line 2); "
        "keep one"
    ]


def test_all_faults_of_a_file_are_listed_at_once(tmp_path):
    text = GOOD.replace("when: 2026-11-24", "when: soon").replace("who: no", "who: ~")
    assert len(faults(tmp_path, text)) == 3


# ---------------------------------------------------------------------------------- applying


def test_a_corrected_row_carries_who_when_why_and_what_stood_there():
    rows = [row(), row("2014-fs-08")]
    statement = entry(
        field="statement", was="Find \\frac{1}{2}  of\nx^{2}.", value=r"Find \frac{1}{3}."
    )
    one, other = apply_corrections(rows, [entry(), statement], "c.yaml")
    assert other == rows[1], "a row without an entry is as it was"
    assert (one["answer_raw"], one["answer"]) == ("12", "12")
    assert (one["statement"], one["statement_plain"]) == (r"Find \frac{1}{3}.", "Find 1/3.")
    assert [item["field"] for item in one["corrections"]] == ["statement", "answer"]
    assert one["corrections"][1] == {key: value for key, value in entry().items() if key != "id"}
    untouched = {"page", "box", "pdf_sha256", "key_page", "flags", "confidence", "method"}
    assert all(one[key] == rows[0][key] for key in untouched)


def test_answers_are_brought_to_canonical_form_and_may_be_taken_away():
    (one,) = apply_corrections([row()], [entry(value="3/4")], "c.yaml")
    assert (one["answer_raw"], one["answer"]) == ("3/4", r"\frac{3}{4}")
    (none,) = apply_corrections([row()], [entry(value=None)], "c.yaml")
    assert (none["answer_raw"], none["answer"]) == (None, None)
    (found,) = apply_corrections(
        [row(answer=None, answer_raw=None)], [entry(was=None, value="5")], "c.yaml"
    )
    assert found["answer"] == "5"


def test_options_are_written_as_labels_and_texts():
    listed = [{"label": "A", "text": "1"}, {"label": "B", "text": "2"}]
    change = entry(field="options", was={"A": "1", "B": "2"}, value={"A": "1", "B": "3"})
    (one,) = apply_corrections([row(options=listed)], [change], "c.yaml")
    assert one["options"] == [{"label": "A", "text": "1"}, {"label": "B", "text": "3"}]
    (none,) = apply_corrections([row(options=listed)], [{**change, "value": None}], "c.yaml")
    assert none["options"] == []


def test_a_text_confirmed_as_it_is_changes_nothing_but_says_so():
    (one,) = apply_corrections([row()], [entry(value="1 2")], "c.yaml")
    assert one == {**row(), "corrections": one["corrections"]}
    assert one["corrections"][0]["who"] == "a teacher"


def test_a_statement_of_null_strikes_out_the_problem():
    struck = entry(field="statement", was=row()["statement"], value=None)
    assert apply_corrections([row(), row("2014-fs-08")], [struck], "c.yaml") == [row("2014-fs-08")]


def test_an_entry_whose_text_has_changed_since_is_stale_and_an_error():
    with pytest.raises(CorrectionError) as refused:
        apply_corrections([row(answer="13", answer_raw="13")], [entry()], "c.yaml")
    (fault,) = refused.value.faults
    assert fault.startswith("c.yaml: 2014-fs-07: answer: was: stale")
    assert "'1 2'" in fault
    assert "'13'" in fault
    assert "make review" in fault


def test_an_entry_for_a_problem_that_was_not_read_is_an_error_that_names_the_nearest():
    with pytest.raises(CorrectionError, match=r"c.yaml: 2014-fs-70: answer: id: .*2014-fs-07"):
        apply_corrections([row()], [entry(id="2014-fs-70")], "c.yaml")


def test_all_entries_that_do_not_fit_are_listed():
    entries = [entry(was="2"), entry(field="statement", was="x", value="y"), entry(id="2014-x-1")]
    assert len(unfit([row()], entries)) == 3


_TEXT = st.text(
    st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp", "Zs", "Co")) | st.just(" "),
    min_size=1,
)


@given(was=_TEXT, value=_TEXT)
def test_what_the_review_writes_is_read_as_the_text_it_was_written_from(
    tmp_path_factory, was, value
):
    """Whatever was read from a page, its entry comes back equal; a wrong value is refused."""
    was, value = " ".join(was.split()), " ".join(value.split())
    path = tmp_path_factory.mktemp("c") / "corrections.yaml"
    path.write_text(entry_text(entry(field="statement", was=was, value=value)) + "\n", "utf-8")
    assert yaml.safe_load(path.read_text("utf-8"))[0]["was"] == was
    if was == value or not list(_check_text("statement", value)):
        ((found,),) = read_corrections(path, YEARS).values()
        assert (found["was"], found["value"]) == (was, value)
        assert apply_corrections([row(statement=was)], [found], "c.yaml")
    else:
        with pytest.raises(CorrectionError) as refused:
            read_corrections(path, YEARS)
        assert all(": value: " in fault for fault in refused.value.faults)


def correct(folder, entries, refuse=()):
    """Run the rule on folder/extracted.jsonl; return its facts."""
    return correct_problems.main(
        input=SimpleNamespace(
            extracted=str(folder / "extracted.jsonl"), readings=[], transcription=[]
        ),
        output=SimpleNamespace(
            problems=str(folder / "problems.jsonl"),
            accounts=str(folder / "accounts.jsonl"),
            excluded=str(folder / "excluded.jsonl"),
        ),
        params=SimpleNamespace(
            corrections=entries,
            file="c.yaml",
            prefer=None,
            refuse=list(refuse),
            source="reviewed",
            selected=None,
        ),
    )["facts"]


def test_the_rule_leaves_a_year_without_corrections_byte_for_byte_as_it_was_read(tmp_path):
    write_jsonl(tmp_path / "extracted.jsonl", [row(), row("2014-fs-08")])

    assert correct(tmp_path, []) == {
        "problems": 2,
        "corrected": {},
        "struck_out": [],
        "kept_out": {},
        "left_out": {},
        "not_found": {},
        "not_typed": [],
    }
    assert (tmp_path / "problems.jsonl").read_bytes() == (tmp_path / "extracted.jsonl").read_bytes()
    struck = entry(id="2014-fs-08", field="statement", was=row()["statement"], value=None)
    facts = correct(tmp_path, [entry(), struck])
    assert facts["corrected"] == {"answer": 1}
    assert facts["struck_out"] == ["2014-fs-08"]
    assert read_jsonl(tmp_path / "problems.jsonl")[0]["answer"] == "12"


# ------------------------------------------------------------------- other kinds, and admission


def test_a_problem_that_was_not_read_can_be_put_in(tmp_path):
    path = written(
        tmp_path,
        """
- defaults: {who: a teacher, when: 2026-11-24, why: hidden by the rules}
- add: 2014-fs-08
  page: 2
  statement: 'Find x if 2x = 6.'
  options: {A: '2', B: '3'}
  answer: '3'
""",
    )
    (entries,) = read_corrections(path, YEARS).values()
    first, added = apply_corrections([row()], entries, "c.yaml")
    assert first == row()
    assert (added["id"], added["number"], added["section"]) == ("2014-fs-08", "8", "fs")
    assert (added["page"], added["pdf_sha256"]) == (2, "0" * 64)
    assert added["options"] == [{"label": "A", "text": "2"}, {"label": "B", "text": "3"}]
    assert added["corrections"][0]["who"] == "a teacher"
    assert set(first) == set(added) - {"corrections"} | (set(first) - set(added))
    ((_, fault),) = unfit([row("2014-fs-08")], entries)
    assert "the problem was read" in fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("- add: 2031-fs-08", "add: no id of this study"),
        ("- add: 2014-fs-08\n  page: two", "page: give the page"),
        ("- add: 2014-fs-08\n  box: 60, 100, 300", "box: 60, 100, 300: write left, top"),
        ("- add: 2014-fs-08\n  box: 300, 100, 60, 140", "box: 300, 100, 60, 140: write left, top"),
        ("- add: 2014-fs-08\n  statement: 'Find $x$.'", "statement: holds $"),
        ("- add: 2014-fs-08\n  pge: 2", "pge: unknown key; did you mean page?"),
        ("- confirm: 2014-fs\n  was: yes", "was: is no digest"),
        ("- confirm: fs\n  was: 0123456789abcdef", "confirm: no paper of this study"),
        ("- defaults: {whom: me}", "whom: unknown key"),
    ],
)
def test_entries_of_other_kinds_are_refused_with_field_and_remedy(tmp_path, text, fault):
    filled = {"page": "2", "statement": "'Find x.'", "answer": "'3'"}
    kind = text.split(":")[0].removeprefix("- ")
    for key, value in (filled if kind == "add" else {}).items():
        text += "" if f"\n  {key}:" in text else f"\n  {key}: {value}"
    if kind != "defaults":
        text += "\n  who: me\n  when: 2026-11-24\n  why: so"
    assert any(fault in found for found in faults(tmp_path, text))


def test_a_problem_that_is_put_in_may_say_where_on_its_page_it_stands(tmp_path):
    text = "- add: 2014-fs-08\n  page: 2\n  box: 60, 100.5, 300, 140\n  statement: 'Find x.'\n"
    path = written(tmp_path, text + "  answer: '3'\n  who: me\n  when: 2026-11-24\n  why: so\n")
    (entries,) = read_corrections(path, YEARS).values()
    *_, added = apply_corrections([row()], entries, "c.yaml")
    assert (added["page"], added["box"]) == (2, [60, 100.5, 300, 140])
    assert added_places(entries) == [
        {"id": "2014-fs-08", "section": "fs", "page": 2, "box": [60, 100.5, 300, 140]}
    ]
    path.write_text(entry_text(entries[0]) + "\n", encoding="utf-8")
    assert read_corrections(path, YEARS) == {2014: entries}, "the review page writes it back"


def test_a_flag_keeps_a_problem_out_until_a_correction_settles_it(tmp_path):
    rows = [
        row(flags=["doubtful"]),
        row("2014-fs-08", flags=["no_answer"], answer=None, answer_raw=None),
        row("2014-fs-09", flags=["key_order"]),
    ]
    write_jsonl(tmp_path / "extracted.jsonl", rows)

    def kept_out(refuse, *entries):
        facts = correct_problems.main(
            input=SimpleNamespace(
                extracted=str(tmp_path / "extracted.jsonl"), readings=[], transcription=[]
            ),
            output=SimpleNamespace(
                problems=str(tmp_path / "problems.jsonl"),
                accounts=str(tmp_path / "accounts.jsonl"),
                excluded=str(tmp_path / "excluded.jsonl"),
            ),
            params=SimpleNamespace(
                corrections=list(entries),
                file="c.yaml",
                prefer=None,
                refuse=refuse,
                source="reviewed",
                selected=None,
            ),
        )["facts"]
        left = [row["id"] for row in read_jsonl(tmp_path / "problems.jsonl")]
        assert len(left) == facts["problems"]
        return facts["kept_out"]

    assert kept_out(["no_answer"]) == {"no_answer": ["2014-fs-08"]}
    assert kept_out(["key_order", "doubtful"]) == {
        "doubtful": ["2014-fs-07"],
        "key_order": ["2014-fs-09"],
    }
    answer = entry(id="2014-fs-09")
    statement = entry(field="statement", was=row()["statement"], value="Find 1.")
    assert kept_out(["key_order", "doubtful"], answer, statement) == {}


def test_what_is_not_in_the_study_is_kept_for_the_review_with_its_reasons_and_corrections(tmp_path):
    rows = [
        row(),
        row("2014-fs-08", flags=["no_answer"], answer=None, answer_raw=None),
        row("2014-fs-09"),
    ]
    write_jsonl(tmp_path / "extracted.jsonl", rows)
    statement = entry(id="2014-fs-08", field="statement", was=row()["statement"], value="Find 1.")
    struck = entry(id="2014-fs-09", field="statement", was=row()["statement"], value=None)
    added = {"page": "1", "statement": "Find 2.", "options": None, "answer": None}
    put_in = entry(id="2014-fs-10", field="problem", was=None, value=added)
    correct(tmp_path, [statement, struck, put_in], refuse=["no_answer"])
    assert [one["id"] for one in read_jsonl(tmp_path / "problems.jsonl")] == ["2014-fs-07"]
    eight, nine, ten = read_jsonl(tmp_path / "excluded.jsonl")
    assert (eight["excluded"], eight["statement"]) == (["no key"], "Find 1.")
    assert (nine["excluded"], nine["statement"]) == (["struck out"], row()["statement"])
    assert (ten["excluded"], ten["method"]) == (["no key"], "correction")
    told = [[one["field"] for one in found["corrections"]] for found in (eight, nine, ten)]
    assert told == [["statement"], ["statement"], ["problem"]]
