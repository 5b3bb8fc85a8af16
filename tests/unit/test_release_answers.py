"""Single answers of the release, on a made-up download that holds every file of them."""

import csv
from types import SimpleNamespace

import pandas as pd
import pytest
import simulated_study as simulated

from distil.claims.table import read_published
from distil.content.files import write_jsonl
from distil.release import answers, counts
from distil.release.files import LEVELS
from scripts import grade_release_answers

NAMES = {
    "fs": "freshman_sophomore_test",
    "js": "junior_senior_test",
    "tp": "two_person_speed_event",
}
PROBLEMS = [(year, section, number) for year in (2011, 2012) for section in NAMES for number in range(1, 13)]  # fmt: skip
# Questions of each section's twelve that the adapter of a level has right.
RIGHT = {"R1": (10, 10, 10), "R2": (9, 9, 8), "R3": (9, 8, 6), "R4": (8, 8, 4), "R5": (8, 7, 1)}


def write_csv(path, columns, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows(rows)


def competition(run, right):
    """Rows of a run's file: the first `right` questions of a section are answered rightly."""
    for year, section, number in PROBLEMS:
        key = str(100 * number + year % 100)
        said = key if number <= right[list(NAMES).index(section)] else "0"
        place = [year, NAMES[section], f"question_{number}", f"What is {key}?", key]
        judged = "CORRECT" if said == key and number > 1 else "INCORRECT"
        if run.role == "teacher":
            yield [*place, said, "Long\nthought", judged]
        else:
            words = {"R1": 60, "R2": 30, "R3": 18, "R4": 11, "R5": 7}.get(run.level, 60)
            yield [*place, "so " * words + f"\\boxed{{{said}}}", judged]


@pytest.fixture(scope="module")
def download(tmp_path_factory):
    folder = tmp_path_factory.mktemp("release")
    for run in answers.RUNS:
        if run.benchmark == "competition":
            right = RIGHT.get(run.level, (12, 12, 12) if run.role == "teacher" else (11, 11, 11))
            if run.name == "student-other":
                right = (6, 6, 6)
            write_csv(folder / run.file, run.columns, competition(run, right))
    columns = dict.fromkeys(
        name for run in answers.RUNS if run.benchmark == "math500" for name in run.columns
    )
    rows = [
        {
            "unique_id": f"test/number_theory/{number}.json", "problem": f"Find {number}.",
            "true_answer": str(number), "agent1_answer": str(number), "agent1_reasoning": "x",
            "agent2_verdict": "CORRECT", "qwen_response": f"\\boxed{{{number % 7}}}",
            "deepseek_verdict": "JUDGE_ERROR: x" if number == 3 else "INCORRECT",
        }
        for number in range(1, 21)
    ]  # fmt: skip
    math = next(run.file for run in answers.RUNS if run.benchmark == "math500")
    write_csv(folder / math, columns, [[row[name] for name in columns] for row in rows])
    return folder


@pytest.fixture(scope="module")
def graded(download, tmp_path_factory):
    return grade(download, tmp_path_factory.mktemp("graded"))


def grade(download, target):
    problems = [
        {"id": f"{year}-{section}-{number:02d}", "year": year, "section": section,
         "flags": ["duplicate-of:2011-fs-01"] if (year, section, number) == (2012, "fs", 1) else []}
        for year, section, number in PROBLEMS
    ]  # fmt: skip
    write_jsonl(target / "problems.jsonl", problems)
    kinds = ("csv", "md", "html", "rows.parquet")
    names = ("runs", "agreement", "disagreements")
    output = {name: [str(target / f"{name}.{kind}") for kind in kinds] for name in names}
    grade_release_answers.main(
        input=SimpleNamespace(
            problems=[target / "problems.jsonl"], files=answers.answer_files(download)
        ),
        output=SimpleNamespace(answers=target / "answers.parquet", **output),
        params=SimpleNamespace(title="Made up", folder=str(download), alpha=0.05),
    )
    return target


def test_every_run_is_graded_beside_the_releases_judge(graded):
    runs = pd.read_csv(graded / "runs.csv").set_index("run")
    assert set(runs.index) == {run.name for run in answers.RUNS}
    assert runs.loc["teacher", ["n", "right", "judged_right"]].tolist() == [72, 72, 66]
    assert runs.loc["student-r5", "right"] == 2 * (8 + 7 + 1)
    assert runs.loc["math500-student", ["n", "right"]].tolist() == [20, 6]
    table = pd.read_parquet(graded / "answers.parquet").set_index("row")
    one = table.loc["released/math500-student/math500-number-theory-3"]
    assert (one["verdict"], one["judge_verdict"]) == ("right", "unknown")
    assert table.loc["released/teacher/2012-fs-01", "cluster"] == "2011-fs-01"
    doubtful = pd.read_csv(graded / "disagreements.csv")
    assert (doubtful["judge"] == "wrong").any()
    agreed = pd.read_csv(graded / "agreement.csv").set_index(["grader", "answers"])
    assert agreed.loc[("judge", "teacher"), "first_only"] == 6 + 20 * 0


def test_both_sides_at_hand_are_tested_as_pairs(graded):
    table = pd.read_parquet(graded / "answers.parquet")
    levels = list(LEVELS)
    rows = [
        {"id": f"student/{level}/all/overall/all", "quantity": "student", "level": level,
         "population": "all", "group_kind": "overall", "group": "all",
         "successes": 2 * sum(RIGHT[level]), "total": 72, "origin": "file"}
        for level in levels
    ]  # fmt: skip
    settings = {**simulated.SETTINGS, "published": True, "primary_stop": None, "levels": levels}
    empty = pd.DataFrame(columns=["part", "iteration", "loss"])
    release = counts.Release(
        pd.DataFrame(rows), empty, pd.DataFrame(columns=["level", "section"]), table, settings
    )
    published = read_published("resources/published.yaml")
    claims, used = counts.judge_release(release, published)
    claims = claims.set_index("id")
    assert claims.loc["C7", "direction"] == "holds"
    assert claims.loc["C7", "size"] == "not comparable"
    # The two copies of a question are one cluster.
    assert (claims.loc["C7", "n"], claims.loc["C7", "clusters"]) == (72, 71)
    assert "R1 61.0 words 83.3 %" in claims.loc["C7", "reason"]
    assert claims.loc["C8", "direction"] == "holds"
    assert claims.loc["Q1", "test"] == "exact McNemar"
    assert claims.loc["Q1", "here"] == pytest.approx(100 * (66 - 36) / 72)
    assert (
        "6 of 20 right by the grader here, 0 by the release's own judge (1 not judged)"
        in (claims.loc["C5", "reason"])
    )
    assert all(row.startswith("released/") for row in used.loc[used["claim"] == "Q1", "row"])


def test_a_download_without_the_files_says_how_to_get_them(download, tmp_path):
    bare = tmp_path / "bare"
    bare.mkdir()
    assert answers.answer_files(bare) == []
    assert len(answers.answer_files(download)) == 9
    target = tmp_path / "graded"
    target.mkdir()
    grade(bare, target)
    notes = pd.read_csv(target / "runs.csv").set_index("run")["note"]
    assert "show e85153c:qwen_tuned_results_200iterations.csv >" in notes["student-200"]
    assert pd.read_parquet(target / "answers.parquet").empty


def test_a_file_without_its_columns_is_refused_with_its_remedy(download, tmp_path):
    run = answers.RUNS[0]
    write_csv(tmp_path / run.file, ["year", "section"], [[2011, "x"]])
    with pytest.raises(ValueError, match=r"results.csv: no column question_id.*git -C FOLDER show"):
        answers.read_run(tmp_path, run)
    rows = list(competition(run, (12, 12, 12)))
    write_csv(tmp_path / run.file, run.columns, [*rows, rows[0]])
    with pytest.raises(ValueError, match="second answer to 2011-fs-01"):
        answers.read_run(tmp_path, run)
