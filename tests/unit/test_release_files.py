"""The readers of the public release, on small files in its formats."""

import json
import shutil
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distil.release import files as release
from distil.release import transcriptions
from scripts import audit_release_splits, import_release_counts, import_transcriptions

PLACEHOLDER = "Question 2 (content not visible in provided pages)"


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return str(path)


def transcription(tmp_path, year=2014, **questions):
    entries = {f"question_{key}": {"question": q, "answer": "3/4"} for key, q in questions.items()}
    text = json.dumps({"freshman_sophomore_test": entries}, indent=2, ensure_ascii=False)
    return write(tmp_path / f"{year}.json", text)


def test_a_transcription_becomes_problems_with_ids_latex_and_lines(tmp_path):
    path = transcription(tmp_path, **{"7": "Find x² if √3 = x.", "T1": "Why?", "2": PLACEHOLDER})
    rows = transcriptions.read_transcription(path, 2014)
    assert [row["id"] for row in rows] == ["2014-fs-02", "2014-fs-07", "2014-fs-t1"]
    assert [row["number"] for row in rows] == ["2", "7", "T1"]
    assert rows[1]["statement"] == r"Find x^{2} if \sqrt{3} = x."
    assert rows[1]["statement_plain"] == "Find x² if √3 = x."
    assert rows[1]["answer"] == r"\frac{3}{4}"
    assert [row["flags"] for row in rows] == [["placeholder"], [], []]
    assert rows[1]["method"] == "transcription"
    assert rows[1]["page"] is rows[1]["box"] is rows[1]["pdf_sha256"] is None
    assert [row["source_line"] for row in rows] == [11, 3, 7]


def test_the_line_is_that_of_the_right_section(tmp_path):
    entry = {"question_1": {"question": "Why?", "answer": "1"}}
    text = json.dumps({"junior_senior_test": entry, "freshman_sophomore_test": entry}, indent=1)
    rows = transcriptions.read_transcription(write(tmp_path / "2014.json", text), 2014)
    assert [(row["id"], row["source_line"]) for row in rows] == [
        ("2014-fs-01", 9),
        ("2014-js-01", 3),
    ]


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("sqrt(3)", r"\sqrt{3}"),
        ("√(x+1) + √2", r"\sqrt{x+1} + \sqrt{2}"),
        ("16^(-0.75)", "16^{-0.75}"),
        ("x^(5(k+1))", "x^{5(k+1)}"),
        ("x^2y", "x^2y"),
        ("x^2 - y³", "x^{2} - y^{3}"),
        ("11₂ + a_1", "11_{2} + a_{1}"),
        ("1/2 of 2/3", r"\frac{1}{2} of \frac{2}{3}"),
        ("a/b, 3.5/2, 1/2/3", "a/b, 3.5/2, 1/2/3"),
    ],
)
def test_plain_mathematics_becomes_latex(text, latex):
    assert transcriptions.latex_statement(text) == latex


def test_repetitions_are_flagged_across_years_and_placeholders_repeat_nothing(tmp_path):
    paths = [
        transcription(tmp_path, 2014, **{"1": "Find k.", "2": PLACEHOLDER}),
        transcription(tmp_path, 2015, **{"2": PLACEHOLDER, "3": "Find k.", "4": "find k."}),
    ]
    outputs = [str(tmp_path / f"{year}.jsonl") for year in (2014, 2015)]
    import_transcriptions.main(
        input=SimpleNamespace(transcriptions=paths),
        output=SimpleNamespace(problems=outputs),
        params=SimpleNamespace(years=[2014, 2015]),
    )
    flags = {
        row["id"]: row["flags"]
        for path in outputs
        for row in map(json.loads, open(path, encoding="utf-8"))  # noqa: PTH123, SIM115
    }
    assert flags == {
        "2014-fs-01": [],
        "2014-fs-02": ["placeholder"],
        "2015-fs-02": ["placeholder"],
        "2015-fs-03": ["duplicate-of:2014-fs-01"],
        "2015-fs-04": [],
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<html>", "not JSON"),
        ('{"team_event": {}}', "team_event is not a section"),
        ('{"junior_senior_test": {"question_1": {"question": "x"}}}', "question_1 lacks question"),
    ],
)
def test_a_file_that_is_not_the_releases_is_refused_by_name(tmp_path, text, message):
    path = write(tmp_path / "2014.json", text)
    with pytest.raises(ValueError, match=message) as error:
        transcriptions.read_transcription(path, 2014)
    assert "2014.json" in str(error.value)
    assert "restore it from https://github.com" in str(error.value)


def test_an_incomplete_folder_names_the_missing_file_and_the_pinned_commit(tmp_path):
    needed = [
        *release.transcriptions(tmp_path).values(),
        *(path for parts in release.splits(tmp_path).values() for path in parts.values()),
        *release.tables(tmp_path).values(),
    ]
    for path in needed:
        write(tmp_path / path, "")
    release.check_folder(tmp_path)
    (tmp_path / "verdict_by_year_no_skipped.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"verdict_by_year_no_skipped\.csv: not found") as e:
        release.check_folder(tmp_path)
    assert f"git -C release checkout {release.COMMIT}" in str(e.value)
    shutil.rmtree(tmp_path / "datafile")
    with pytest.raises(FileNotFoundError, match="and 15 more: not found"):
        release.check_folder(tmp_path)


@given(st.integers(1, 3000), st.data())
def test_a_count_is_implied_exactly_when_no_other_count_rounds_to_its_percentage(total, data):
    count = data.draw(st.integers(0, total))
    percentage = f"{100 * count / total:.6f}"
    assert release.count_of_percentage(percentage, total, digits=6) == count


def test_percentages_that_imply_no_single_count_are_refused():
    assert release.count_of_percentage(91.40, 651) == 595
    assert release.count_of_percentage("64.67", 651) == 421
    with pytest.raises(ValueError, match=r"69\.43 %: no count out of 500"):
        release.count_of_percentage(69.43, 500)
    with pytest.raises(ValueError, match=r"counts 4999[0-9] to 5000[0-9] out of 100000"):
        release.count_of_percentage(50.00, 100_000)


def chat(question, response="Answer: 3/4", system="Be precise."):
    turns = [("system", system), ("user", question), ("assistant", response)]
    return json.dumps(
        {"messages": [{"role": role, "content": text} for role, text in turns if text]}
    )


def test_an_evaluated_question_in_a_training_file_is_found_with_its_lines(tmp_path):
    problems = transcriptions.read_transcription(
        transcription(tmp_path, **{"1": "Find x^2.", "2": PLACEHOLDER, "3": "Why?"}), 2014
    )
    parts = {
        "train": [chat("Find x^2."), chat("find $x^{2}$"), chat(PLACEHOLDER), chat("why")],
        "validation": [chat("Find x^2.", "It is 7. Answer: 7", system=None)],
        "test": [chat("Something else")],
    }
    rows = {
        part: release.read_split(write(tmp_path / f"{part}.jsonl", "\n".join(lines) + "\n"))
        for part, lines in parts.items()
    }
    audit = audit_release_splits.find_questions("full", problems, rows)
    assert [row["problem"] for row in audit] == ["2014-fs-01", "2014-fs-03"]
    assert audit[0]["verbatim"] == {"train": [1], "validation": [1], "test": []}
    assert audit[0]["normal"] == {"train": [1, 2], "validation": [1], "test": []}
    assert audit[1]["normal"] == {"train": [4], "validation": [], "test": []}
    assert audit[1]["verbatim"] == {"train": [], "validation": [], "test": []}
    train, validation, _ = audit_release_splits.summarise("full", problems, rows, audit)
    assert (train["rows"], train["placeholders"]) == (4, 1)
    assert (train["verbatim"], train["normal"], train["evaluated"]) == (1, 2, 2)
    assert (train["shared"], train["answers_equal_to_key"]) == ("validation 1, test 0", 2)
    assert (validation["answers_equal_to_key"], validation["system_prompts"]) == (0, 0)


def test_a_training_row_that_is_no_chat_is_refused_by_line(tmp_path):
    path = write(tmp_path / "train.jsonl", chat("x") + "\n" + '{"messages": []}\n')
    with pytest.raises(ValueError, match=r"train\.jsonl:2: not a chat row"):
        release.read_split(path)


def test_another_table_in_place_of_the_releases_is_refused(tmp_path):
    path = write(tmp_path / "verdict_by_year.csv", "a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"verdict_by_year\.csv: columns .*restore it"):
        release.read_table(path, ["year", "CORRECT"])


def counts(**changes):
    rows = [
        {"group_kind": "overall", "group": "all", "successes": 5, "total": 9},
        {"group_kind": "section", "group": "fs", "successes": 2, "total": 4},
        {"group_kind": "section", "group": "js", "successes": 3, "total": 5},
    ]
    rows[2] |= changes
    common = {
        "quantity": "student",
        "level": "R2",
        "population": "all",
        "source": "x.csv",
        "line": 2,
    }
    return [{**common, **row} for row in rows]


def test_counts_that_do_not_add_up_or_exceed_the_questions_are_refused():
    questions = {("overall", "all"): 9, ("section", "fs"): 4, ("section", "js"): 5}
    import_release_counts.check_sums(counts(), questions)
    with pytest.raises(ValueError, match=r"student R2 .*successes by group add up"):
        import_release_counts.check_sums(counts(successes=4), questions)
    with pytest.raises(ValueError, match=r"x\.csv:2: 3 of 6 for section js, which has 5 questions"):
        import_release_counts.check_sums(counts(total=6), questions)


def test_losses_are_read_with_their_lines(tmp_path):
    log = "start\nIter 1: Val loss 0.928, Val took 1s\nIter 10: Train loss 0.476, It/sec 0.07\n"
    assert release.read_losses(write(tmp_path / "log.md", log)) == [
        {"iteration": 10, "part": "train", "loss": 0.476, "line": 3},
        {"iteration": 1, "part": "validation", "loss": 0.928, "line": 2},
    ]
    with pytest.raises(ValueError, match="no validation loss"):
        release.read_losses(write(tmp_path / "log.md", "nothing"))
