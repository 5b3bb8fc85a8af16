import csv
import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from distil.datasets.splits import PARTS, level_plan, named_fold, needed_levels, read_fold
from distil.student.questions import load_prompts, question_text
from scripts import cluster_problems, split_datasets, tabulate_splits

YEARS = list(range(2011, 2026))
GOOD = {"train": [2011, 2012], "validation": [2013], "test": [2014, 2015]}


def test_a_fold_tells_the_part_of_each_year():
    fold = named_fold("temporal", GOOD, range(2011, 2016))
    assert [fold.part(year) for year in range(2011, 2016)] == [
        "train", "train", "validation", "test", "test",
    ]  # fmt: skip
    assert fold.years() == GOOD
    with pytest.raises(ValueError, match=r"folds\.temporal: year 2016 is in no part"):
        fold.part(2016)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test": [2013, 2014, 2015]}, "year 2013 is in two parts .validation and test."),
        ({"train": [2011]}, "year 2012 is in no part; add it"),
        ({"test": [2014, 2015, 2016]}, "folds.temporal.test: year 2016 is not among the study's"),
        ({"train": [2011, 2012, 2012]}, "folds.temporal.train: year 2012 is listed twice"),
        ({"validation": []}, "folds.temporal.validation: no years"),
        ({"validation": ["2013"]}, "folds.temporal.validation: '2013' is not a year"),
        ({"validation": [True]}, "True is not a year"),
        ({"valid": [2013]}, "unknown part 'valid'"),
    ],
)
def test_a_year_in_two_parts_or_in_none_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        named_fold("temporal", {**GOOD, **change}, range(2011, 2016))


def test_a_missing_part_is_refused():
    with pytest.raises(ValueError, match=r"folds\.temporal\.test: no years"):
        named_fold("temporal", {"train": [2011], "validation": [2012]}, [2011, 2012])


@given(st.dictionaries(st.integers(2000, 2040), st.sampled_from(PARTS), min_size=3))
def test_any_assignment_of_years_to_three_parts_is_a_fold(homes):
    assume(set(homes.values()) == set(PARTS))
    parts = {part: [year for year, home in homes.items() if home == part] for part in PARTS}
    fold = named_fold("any", parts, list(homes))
    assert {year: fold.part(year) for year in homes} == homes


LEVELS = ["R1", "R2", "R3", "R4", "R5", "R6"]


@given(st.integers(1, 60), st.integers(1, 6))
def test_levels_rotate_evenly(problems, count):
    plan = level_plan([f"p{i:03}" for i in range(problems)], LEVELS, count)
    assert all(len(levels) == len(set(levels)) == count for levels in plan.values())
    uses = [sum(level in levels for levels in plan.values()) for level in LEVELS]
    assert max(uses) - min(uses) <= count


def test_two_levels_a_problem_pair_a_long_one_with_a_short_one():
    plan = level_plan([f"p{i}" for i in range(9)], LEVELS, 2)
    assert Counter(map(tuple, plan.values())) == {
        ("R1", "R4"): 3, ("R2", "R5"): 3, ("R3", "R6"): 3,
    }  # fmt: skip
    assert level_plan(["a"], LEVELS, "all") == {"a": LEVELS}


def test_the_place_in_a_paper_does_not_decide_the_levels():
    ids = [f"{year}-fs-{number:02}" for year in range(2011, 2020) for number in range(1, 13)]
    plan = level_plan(ids, LEVELS, 2)
    for number in range(1, 13):
        pairs = {tuple(plan[f"{year}-fs-{number:02}"]) for year in range(2011, 2020)}
        assert len(pairs) > 1


@given(st.lists(st.text("abc-", min_size=1), min_size=1, unique=True), st.randoms())
def test_the_plan_does_not_depend_on_the_order_of_the_problems(problems, random):
    shuffled = problems[:]
    random.shuffle(shuffled)
    assert level_plan(shuffled, LEVELS, 2) == level_plan(problems, LEVELS, 2)


@pytest.mark.parametrize("count", [0, 7, "two", True, None])
def test_a_number_of_levels_that_cannot_be_is_refused(count):
    with pytest.raises(ValueError, match="levels_per_problem"):
        level_plan(["a"], LEVELS, count)


# ------------------------------------------------------------------------------ the whole stage


def problem(key, statement):
    year, section, number = key.split("-")
    return {
        "id": key, "year": int(year), "section": section, "number": number,
        "statement": statement, "options": [],
    }  # fmt: skip


WORDS = ["orchard", "bridge", "copper", "violin", "harbour"]


@pytest.fixture
def study(tmp_path):
    """A study of five years with six problems each, its prompts, traces and one benchmark."""
    keys = [
        f"{year}-{section}-{number:02}"
        for year in range(2011, 2016)
        for section in ("fs", "tp")
        for number in (1, 2, 3)
    ]
    problems = []
    for index, key in enumerate(keys):
        # Different words in each, else they would be templates of each other.
        ending = chr(97 + index % 26) * (1 + index // 26)
        problems.append(problem(key, " ".join(word + ending for word in WORDS) + f" {index}?"))
    prompts = tmp_path / "prompts"
    prompts.mkdir()
    (prompts / "student.txt").write_text("$instruction\n$statement\n")
    (prompts / "levels.yaml").write_text(
        "".join(f"{level}: {{student: 'Answer at {level}.'}}\n" for level in LEVELS)
    )
    return SimpleNamespace(root=tmp_path, problems=problems, benchmark=[], prompts=prompts)


def run_stage(study, variant="prompt", levels_per_problem=2, drop=(), name="out"):
    folder = study.root / name
    folder.mkdir()

    def write(file, rows):
        path = folder / file
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return str(path)

    traces = [
        {
            "id": f"{row['id']}.{level}", "problem": row["id"], "level": level,
            "text": f"{level} steps. Answer: 1", "words": 4,
            "verified": f"{row['id']}.{level}" not in drop,
        }
        for row in study.problems if row["year"] < 2014 for level in LEVELS
    ]  # fmt: skip
    names = {"train": "train.jsonl", "validation": "validation.jsonl"}
    names |= {"duplicates": "duplicates.csv", "parts": "parts.csv"}
    outputs = {key: str(folder / file) for key, file in names.items()}

    class Files(dict):
        __getattr__ = dict.__getitem__

    split_datasets.main(
        input=SimpleNamespace(
            problems=[write("problems.jsonl", study.problems)],
            traces=[write("traces.jsonl", traces)],
            benchmarks=[write("transfer.jsonl", study.benchmark)],
            student=str(study.prompts / "student.txt"),
            levels=str(study.prompts / "levels.yaml"),
        ),
        output=Files(outputs),
        params=SimpleNamespace(
            fold="temporal", variant=variant, folds={"temporal": GOOD}, levels=LEVELS,
            levels_per_problem=levels_per_problem,
        ),
    )  # fmt: skip
    return folder


def rows_of(path):
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_rows_hold_the_very_question_that_evaluation_asks(study):
    train = rows_of(run_stage(study) / "train.jsonl")
    prompts = load_prompts(study.prompts / "student.txt", study.prompts / "levels.yaml")
    by_id = {row["id"]: row for row in study.problems}
    assert len(train) == 2 * 12
    for row in train:
        [user, assistant] = row["messages"]
        asked = question_text(by_id[row["problem"]], row["level"], prompts)
        assert (user["role"], user["content"]) == ("user", asked)
        assert (assistant["role"], assistant["content"]) == (
            "assistant", f"{row['level']} steps. Answer: 1",
        )  # fmt: skip


def test_only_verified_traces_of_the_right_years_enter(study):
    every = {row["id"] for row in rows_of(run_stage(study) / "train.jsonl")}
    assert {key[:4] for key in every} == {"2011", "2012"}
    failed = {min(every), max(every)}
    folder = run_stage(study, drop=failed, name="after")
    assert {row["id"] for row in rows_of(folder / "train.jsonl")} == every - failed
    assert {row["problem"][:4] for row in rows_of(folder / "validation.jsonl")} == {"2013"}


def test_each_adapter_variant_holds_its_level_alone(study):
    train = rows_of(run_stage(study, variant="r5") / "train.jsonl")
    assert [row["id"] for row in train] == sorted(
        f"{row['id']}.R5" for row in study.problems if row["year"] < 2013
    )
    with pytest.raises(ValueError, match="variant 'r7' is not"):
        run_stage(study, variant="r7", name="wrong")


def test_a_changed_test_paper_leaves_the_training_bytes_as_they_were(study):
    before = run_stage(study)
    study.problems[-1]["statement"] = "An entirely new question about 17 penguins"
    study.benchmark.append({"id": "transfer-001", "statement": "Another one, about 5 whales"})
    after = run_stage(study, name="after")
    for name in ("train.jsonl", "validation.jsonl"):
        assert (before / name).read_bytes() == (after / name).read_bytes()
    assert (before / "parts.csv").read_bytes() == (after / "parts.csv").read_bytes()


def test_a_question_of_a_test_year_or_benchmark_leaves_training_and_nothing_else_moves(study):
    before = rows_of(run_stage(study) / "train.jsonl")
    train, validation, test = (
        next(row for row in study.problems if row["year"] == year) for year in (2011, 2013, 2015)
    )
    test["statement"] = train["statement"].upper() + "."
    study.benchmark += [
        {"id": "transfer-001", "statement": validation["statement"]},
        {"id": "transfer-002", "statement": validation["statement"] + " 7 8 9 of something else"},
        {"id": "transfer-003", "statement": "Find 3 times 4."},
        {"id": "transfer-004", "statement": "Find 5 times 6."},
    ]
    folder = run_stage(study, name="after")
    after = rows_of(folder / "train.jsonl")
    assert after == [row for row in before if row["problem"] != train["id"]]
    assert validation["id"] not in {row["problem"] for row in rows_of(folder / "validation.jsonl")}
    removed = [row for row in rows_of(folder / "duplicates.csv") if row["action"] == "removed"]
    assert [(row["a"], row["b"], row["score"], row["b_part"]) for row in removed] == [
        (train["id"], test["id"], "1.0", "test"),
        (validation["id"], "transfer-001", "1.0", "benchmark"),
    ]
    listed = rows_of(folder / "duplicates.csv")
    assert "benchmark" not in {row["a_part"] for row in listed}, "no question of the exams in it"
    assert removed[0]["a_text"] == train["statement"]
    assert removed[0]["b_text"] == test["statement"]
    parts = {row["problem"]: row for row in rows_of(folder / "parts.csv")}
    assert parts[train["id"]]["duplicate_of"] == test["id"]
    assert parts[train["id"]]["levels"] == ""


def test_the_same_template_with_other_numbers_is_listed_and_stays(study):
    train, test = (
        next(row for row in study.problems if row["year"] == year) for year in (2011, 2015)
    )
    train["statement"], test["statement"] = "Find 3 times 4 plus 5.", "Find 6 times 7 plus 8."
    folder = run_stage(study)
    assert train["id"] in {row["problem"] for row in rows_of(folder / "train.jsonl")}
    [row] = [row for row in rows_of(folder / "duplicates.csv") if row["kind"] == "template"]
    assert (row["a"], row["b"], row["action"]) == (train["id"], test["id"], "listed")


def test_a_trace_of_a_test_year_is_refused(study):
    traces = [{"id": "2015-fs-01.R1", "problem": "2015-fs-01"}]
    with pytest.raises(ValueError, match="belongs to a test year"):
        split_datasets.check_traces(traces, {"2015-fs-01": "test"})
    with pytest.raises(ValueError, match="belongs to no problem"):
        split_datasets.check_traces(traces, {})


def test_no_rows_at_all_is_an_error_that_names_the_part(study):
    every = {f"{row['id']}.{level}" for row in study.problems for level in LEVELS}
    with pytest.raises(ValueError, match="part train, has a verified trace"):
        run_stage(study, drop=every)


def test_sizes_add_up_over_parts_years_sections_and_levels(study):
    study.problems[-1]["statement"] = study.problems[0]["statement"]
    folder = run_stage(study)
    table = SimpleNamespace(
        csv=str(folder / "s.csv"), markdown=str(folder / "s.md"), rows=str(folder / "s.parquet")
    )
    given = SimpleNamespace(
        problems=[str(folder / "problems.jsonl")], parts=[str(folder / "parts.csv")]
    )
    tabulate_splits.main(input=given, output=table)
    rows = rows_of(Path(table.csv))
    assert sum(int(row["problems"]) for row in rows) == len(study.problems)
    assert sum(int(row["removed"]) for row in rows) == 1
    train = [row for row in rows if row["part"] == "train"]
    assert sum(int(row["rows"]) for row in train) == len(rows_of(folder / "train.jsonl"))
    assert sum(int(row[level]) for row in train for level in LEVELS) == 22
    assert "| train and test | 1 | 0 |" in Path(table.markdown).read_text()


def test_a_question_left_in_two_parts_stops_the_table(study):
    study.problems[-1]["statement"] = study.problems[0]["statement"]
    folder = run_stage(study)
    parts = folder / "parts.csv"
    rows = [{**row, "duplicate_of": ""} for row in rows_of(parts)]
    split_datasets.write_csv(parts, split_datasets.PART_COLUMNS, rows)
    given = SimpleNamespace(problems=[str(folder / "problems.jsonl")], parts=[str(parts)])
    table = SimpleNamespace(
        csv=str(folder / "s.csv"), markdown=str(folder / "s.md"), rows=str(folder / "s.parquet")
    )
    with pytest.raises(ValueError, match="train and test still share a question"):
        tabulate_splits.main(input=given, output=table)


def test_clusters_join_duplicates_and_templates_and_name_the_smallest_id(study, tmp_path):
    study.problems[0]["statement"] = "Find 3 times 4 plus 5."
    study.problems[1]["statement"] = "Find 6 times 7 plus 8."
    study.problems[2]["statement"] = "find six times seven plus 8"
    path = tmp_path / "problems.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in study.problems))
    target = tmp_path / "clusters.parquet"
    cluster_problems.main(
        input=SimpleNamespace(problems=[str(path)], benchmarks=[]),
        output=SimpleNamespace(clusters=str(target)),
    )
    rows = pq.read_table(target).to_pylist()
    first, second, third = sorted(row["id"] for row in study.problems[:3])
    assert rows[:3] == [
        {"problem": first, "cluster": first, "duplicates": first, "size": 3},
        {"problem": second, "cluster": first, "duplicates": second, "size": 3},
        {"problem": third, "cluster": first, "duplicates": second, "size": 3},
    ]
    assert all(row["size"] == 1 for row in rows[3:])
    with pytest.raises(ValueError, match="the id stands twice"):
        cluster_problems.cluster_rows(study.problems[:1] * 2)


# ---------------------------------------------------------------------------------- folds of ids

IDS = {
    "train": ["2011-fs-01", "2012-fs-01"],
    "validation": ["2011-fs-02"],
    "test": ["2012-fs-02"],
}


def test_a_fold_of_ids_cuts_through_years_and_leaves_the_others_unused(tmp_path):
    path = tmp_path / "split.csv"
    lines = [f"{name},{part}" for part, names in IDS.items() for name in names]
    path.write_text("\n".join(["id,part", *lines, "2019-fs-01,train"]) + "\n", encoding="utf-8")
    assert read_fold(path, [2011, 2012]) == IDS, "problems of other years are left out"
    fold = named_fold("released", IDS, [2011, 2012])
    assert fold.by_id
    places = {
        name: fold.part_of({"id": name, "year": int(name[:4])})
        for name in ("2011-fs-01", "2011-fs-02", "2012-fs-02", "2012-fs-09")
    }
    assert list(places.values()) == ["train", "validation", "test", "unused"]
    needed = needed_levels(
        {"2011-fs-01": 2011, "2012-fs-02": 2012},
        {"folds": {"released": IDS}, "variants": ["prompt"], "levels_per_problem": "all"},
        ["R1", "R2"],
    )
    assert needed == {"2011-fs-01": ["R1", "R2"], "2012-fs-02": []}, "test problems need no trace"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,part\n2011-fs-01,training\n", "is none of train, validation, test"),
        ("id,part\nfs-01,train\n", "does not begin with its year"),
        ("problem,part\n", "expected id and part"),
        ("id,part\n2011-fs-01,train\n", "part validation has no problem"),
    ],
)
def test_a_file_that_is_no_fold_of_ids_is_refused_with_its_line(tmp_path, text, said):
    path = tmp_path / "split.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=said):
        read_fold(path, [2011])
