"""The public release's figures, from its own files; skipped where these are not at hand."""

import re
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest
import yaml

from distil.content.files import read_jsonl
from distil.content.hashing import sha256_file
from distil.datasets.duplicates import find_pairs, group
from distil.notation.normal import problem_text
from distil.release import files as release
from distil.study.shape import open_study
from scripts import (
    audit_release_splits,
    import_release_counts,
    import_transcriptions,
    measure_release_levels,
)

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT.parent / "shared" / "data" / "jobmc-release"
MATH500 = ROOT.parent / "shared" / "data" / "math500" / "test.jsonl"

pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="the public release is not in ../shared/data/jobmc-release"
)


def run_import(target):
    problems = [str(target / f"{year}.jsonl") for year in release.YEARS]
    import_transcriptions.main(
        input=SimpleNamespace(transcriptions=list(release.transcriptions(FOLDER).values())),
        output=SimpleNamespace(problems=problems),
        params=SimpleNamespace(years=list(release.YEARS)),
    )
    sets = release.splits(FOLDER)
    audit_release_splits.main(
        input=SimpleNamespace(
            problems=problems,
            **{part: [sets[name][part] for name in sets] for part in release.PARTS},
        ),
        output=SimpleNamespace(
            audit=str(target / "audit.jsonl"),
            summary=str(target / "splits.csv"),
            markdown=str(target / "splits.md"),
            rows=str(target / "splits.rows.parquet"),
        ),
        params=SimpleNamespace(sets=list(sets)),
    )
    tables = release.tables(FOLDER)
    import_release_counts.main(
        input=SimpleNamespace(
            problems=problems,
            audit=str(target / "audit.jsonl"),
            splits=str(target / "splits.csv"),
            published=str(ROOT / "resources" / "published.yaml"),
            **tables,
        ),
        output=SimpleNamespace(
            counts=str(target / "counts.parquet"), losses=str(target / "losses.parquet")
        ),
    )
    measure_release_levels.main(
        input=SimpleNamespace(problems=problems, counts=str(target / "counts.parquet"), **tables),
        output=SimpleNamespace(
            levels=str(target / "levels.parquet"),
            csv=str(target / "levels.csv"),
            markdown=str(target / "levels.md"),
            rows=str(target / "levels.rows.parquet"),
        ),
    )
    return target


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    return run_import(tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="module")
def problems(imported):
    return [row for year in release.YEARS for row in read_jsonl(imported / f"{year}.jsonl")]


@pytest.fixture(scope="module")
def counts(imported):
    return {row["id"]: row for row in pq.read_table(imported / "counts.parquet").to_pylist()}


def count(counts, quantity, level="-", population="all", kind="overall", group="all"):
    row = counts["/".join((quantity, level, population, kind, group))]
    return row["successes"], row["total"]


def test_its_papers_are_those_of_the_manifest():
    config = yaml.safe_load((ROOT / "config.released.yaml").read_text(encoding="utf-8"))
    config["exams"]["folder"] = str(FOLDER)
    study = open_study(config)
    files = list((FOLDER / release.PAPERS).glob("*.pdf"))
    assert len(study.manifest) == len(files) == 22
    assert set(study.extracted_years) < set(release.YEARS)
    for document in study.documents.values():
        assert sha256_file(document["file"]) == document["sha256"]


def test_651_questions_remain_without_the_20_placeholders(problems):
    asked = release.evaluated(problems)
    assert (len(problems), len(asked)) == (671, 651)
    assert Counter(row["section"] for row in asked) == {"fs": 267, "js": 269, "tp": 115}
    placeholders = [row for row in problems if "placeholder" in row["flags"]]
    assert {row["year"] for row in placeholders} == {2019}
    assert {int(row["number"]) for row in placeholders} == set(range(11, 21))


def test_14_questions_repeat_another_one_exactly(problems):
    flags = [flag for row in problems for flag in row["flags"] if flag.startswith("duplicate-of")]
    assert len(flags) == 14
    ids = {row["id"] for row in problems}
    assert {flag.split(":")[1] for flag in flags} <= ids


def test_each_row_points_to_the_line_of_its_transcription(problems):
    for row in problems[::17]:
        lines = (FOLDER / row["source_file"]).read_text(encoding="utf-8").split("\n")
        assert f'"question_{row["number"]}": {{' in lines[row["source_line"] - 1]


def test_ids_are_unique_and_well_formed(problems):
    assert len({row["id"] for row in problems}) == len(problems)
    assert all(re.fullmatch(r"20\d\d-(fs|js|tp)-(\d\d|t\d)", row["id"]) for row in problems)
    tie_breakers = [row["number"] for row in problems if row["id"].count("-t") == 2]
    assert sorted(tie_breakers) == ["T1", "T1", "T2", "T2"]


def test_the_training_file_holds_514_of_the_evaluated_questions_verbatim(counts):
    assert count(counts, "in_train") == (514, 651)
    assert count(counts, "in_validation") == (61, 651)
    assert count(counts, "in_test") == (32, 651)
    assert count(counts, "in_any_part") == (601, 651)


def test_the_released_parts_overlap_and_every_stated_answer_is_the_key(imported):
    lines = (imported / "splits.csv").read_text().splitlines()
    header = lines[0].split(",")
    train = lines[1].replace('"validation 1, test 2"', "validation 1; test 2").split(",")
    row = dict(zip(header, train, strict=True))
    assert row["shared"] == "validation 1; test 2"
    assert (row["rows"], row["distinct"], row["answers_equal_to_key"]) == ("510", "500", "510")


def test_one_run_of_the_student_has_the_count_published_as_the_mean_of_five(counts):
    assert count(counts, "student") == (452, 651)
    assert count(counts, "student_seed_mean") == (452, 651)
    assert counts["student/-/all/overall/all"]["source"] == "verdict_overall_no_skipped.csv"
    assert counts["student/-/all/overall/all"]["line"] == 2
    assert counts["student_seed_mean/-/all/overall/all"]["origin"] == "percentage"


def test_base_and_teacher_counts_follow_from_their_percentages_alone(counts):
    assert count(counts, "base") == (421, 651)
    assert count(counts, "teacher") == (595, 651)
    for quantity in ("base", "teacher"):
        assert counts[f"{quantity}/-/all/overall/all"]["origin"] == "percentage"
    # Neither count stands in a table of the release.
    for path in FOLDER.rglob("*.csv"):
        if path.stat().st_size < 10_000:
            assert not {"421", "595"} & set(path.read_text().replace("\n", ",").split(","))


def test_counts_by_section_and_year(counts):
    sections = {
        name: count(counts, "student", kind="section", group=name) for name in ("fs", "js", "tp")
    }
    assert sections == {"fs": (187, 267), "js": (191, 269), "tp": (74, 115)}
    assert count(counts, "student", kind="year", group="2019") == (19, 26)
    assert count(counts, "student_other_adapter") == (440, 650)


def test_accuracies_of_the_five_levels(counts):
    found = [count(counts, "student", level) for level in release.LEVELS]
    assert found == [(373, 648), (370, 651), (310, 651), (265, 651), (258, 651)]
    filtered = [count(counts, "student", level, "in_any_part") for level in release.LEVELS]
    assert filtered == [(370, 598), (364, 601), (307, 601), (261, 601), (252, 601)]


def test_mean_words_of_the_five_levels(imported):
    rows = pq.read_table(imported / "levels.parquet").to_pylist()
    every = [row for row in rows if row["section"] == "all"]
    assert [round(row["words_mean_trained"]) for row in every] == [281, 79, 49, 35, 28]
    assert [round(row["words_mean"], 1) for row in every] == [278.3, 78.2, 49.0, 34.8, 28.3]
    assert [row["successes"] for row in every] == [373, 370, 310, 265, 258]
    assert [row["test_loss"] for row in every] == [0.593, 1.137, 1.411, 1.752, 2.169]


def test_the_log_validates_six_times_and_is_lowest_at_200(imported):
    rows = pq.read_table(imported / "losses.parquet").to_pylist()
    curve = [(row["iteration"], row["loss"]) for row in rows if row["part"] == "validation"]
    assert curve == [
        (1, 0.928), (200, 0.374), (400, 0.555), (600, 0.616), (800, 0.787), (1000, 0.826),
    ]  # fmt: skip


def test_the_import_gives_the_same_bytes_again(imported, tmp_path):
    run_import(tmp_path)
    for path in imported.iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes(), path.name


def test_questions_recur_across_years_beyond_the_exact_copies(problems):
    texts = {row["id"]: problem_text(row) for row in release.evaluated(problems)}
    pairs = find_pairs(texts)
    kinds = Counter(pair.kind for pair in pairs)
    assert kinds["duplicate"] == 14
    near = {(pair.a, pair.b) for pair in pairs if pair.kind == "near"}
    # The same question, retyped after nine and after five years.
    assert {("2011-js-14", "2020-js-14"), ("2016-js-14", "2021-js-05")} <= near
    clusters = group(texts, pairs, ("duplicate", "near", "template"))
    assert len(set(clusters.values())) < 651 - 14


@pytest.mark.skipif(not MATH500.is_file(), reason="MATH-500 is not in ../shared/data/math500")
def test_no_question_of_the_competition_stands_in_math_500(problems):
    texts = {row["id"]: problem_text(row) for row in release.evaluated(problems)}
    items = {f"math500-{i:03}": row["problem"] for i, row in enumerate(read_jsonl(MATH500))}
    assert len(items) == 500
    across = {
        (pair.kind, pair.a, pair.b)
        for pair in find_pairs(texts | items)
        if pair.kind != "template" and pair.a.startswith("2") and pair.b.startswith("math500")
    }
    assert across == set()
