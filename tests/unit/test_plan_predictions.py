"""What each checkpoint is asked: everything, or the test years at the first level."""

import json
from collections import Counter
from types import SimpleNamespace

import pytest

from scripts import plan_predictions

LEVELS = ["R1", "R2", "R3"]
PARTS = {"train": [2011, 2012], "validation": [2013], "test": [2014, 2015]}
STOPS = {
    "nested": {"iteration": 20},
    "horizon": {"iteration": 50},
    "pilot": {"iteration": 30, "seed": 100},
    "seed": {"1": 20, "2": 40},
}
EVERYTHING = {
    *(("competition", level, (2014, 2015)) for level in LEVELS),
    ("competition", "R1", (2011, 2012, 2013)),
    ("math500", "R1", None),
}
TEST_YEARS = {("competition", "R1", (2014, 2015))}


def plan(tmp_path, variant="prompt", **changes):
    """{run: {iteration: what it is asked}} as the rule's script writes it."""
    stops = tmp_path / "adapters" / "temporal" / variant / "stops.json"
    stops.parent.mkdir(parents=True)
    stops.write_text(json.dumps(STOPS), encoding="utf-8")
    runs = ["base", f"temporal/{variant}/seed-1", f"temporal/{variant}/seed-2"]
    outputs = [tmp_path / "plans" / f"{run}.json" for run in runs]
    for path in outputs:
        path.parent.mkdir(parents=True, exist_ok=True)
    params = {
        "folds": {"temporal": PARTS},
        "variants": [variant],
        "seeds": [1, 2],
        "checkpoints": [10, 20, 30, 40, 50],
        "benchmarks": ["competition", "math500"],
        "stops": ["nested"],
        "levels": LEVELS,
        "caps": [],
        "validation_problems": None,
        **changes,
    }
    plan_predictions.main(
        input=SimpleNamespace(stops=[str(stops)]),
        output=SimpleNamespace(plans=[str(path) for path in outputs]),
        params=SimpleNamespace(**params),
    )
    asked = {}
    for run, path in zip(runs, outputs, strict=True):
        rows = json.loads(path.read_text(encoding="utf-8"))
        asked[run] = {row["iteration"]: set() for row in rows}
        for row in rows:
            years = row["years"] and tuple(row["years"])
            asked[run][row["iteration"]].add((row["benchmark"], row["level"], years))
        assert len(rows) == sum(map(len, asked[run].values()))  # nothing is asked twice
    return asked


@pytest.mark.parametrize(
    ("stops", "first", "second"),
    [
        (["nested"], {20}, {20}),
        (["horizon"], {50}, {50}),
        (["seed"], {20}, {40}),
        (["nested", "horizon", "pilot", "seed"], {20, 30, 50}, {20, 30, 40, 50}),
        (["nested", "seed"], {20}, {20, 40}),
    ],
)
def test_the_chosen_checkpoints_answer_everything_and_the_others_the_test_years(
    tmp_path, stops, first, second
):
    asked = plan(tmp_path, stops=stops)
    assert asked["base"] == {None: EVERYTHING}
    for run, in_full in (("seed-1", first), ("seed-2", second)):
        assert asked[f"temporal/prompt/{run}"] == {
            iteration: EVERYTHING if iteration in in_full else TEST_YEARS
            for iteration in (10, 20, 30, 40, 50)
        }


def test_an_adapter_of_one_level_is_asked_at_that_level(tmp_path):
    asked = plan(tmp_path, "r2")["temporal/r2/seed-1"]
    assert asked[20] == {
        ("competition", "R2", (2014, 2015)),
        ("competition", "R2", (2011, 2012, 2013)),
        ("math500", "R2", None),
    }
    assert asked[10] == {("competition", "R2", (2014, 2015))}


IDS = {"train": ["2014-fs-01"], "validation": ["2011-fs-02"], "test": ["2011-fs-01", "2015-fs-01"]}
PROBLEMS = [f"{year}-fs-0{n}" for year in range(2011, 2016) for n in (1, 2, 3)]


def asked_of(rows, iteration):
    """How often one checkpoint is asked each problem at each level, as predict_answers reads it."""
    from distil.student.examination import select_problems

    known = {"competition": [{"id": name, "year": int(name[:4])} for name in PROBLEMS]}
    return Counter(
        (row["level"], problem["id"])
        for row in rows
        if row["iteration"] == iteration and row["benchmark"] == "competition"
        for problem in select_problems(row, known)
    )


def test_a_fold_of_ids_asks_its_test_problems_at_every_level_and_all_others_once():
    params = SimpleNamespace(
        folds={"temporal": PARTS, "released": IDS}, checkpoints=[10, 20], stops=["nested"],
        levels=LEVELS, benchmarks=["competition"], caps=[], validation_problems=None,
    )  # fmt: skip
    rows = plan_predictions.plan_seed(STOPS, 1, IDS, "prompt", params)
    chosen = asked_of(rows, 20)
    assert set(chosen.values()) == {1}
    assert {name for level, name in chosen if level == "R1"} == set(PROBLEMS)
    assert {name for level, name in chosen if level == "R3"} == set(IDS["test"])
    assert asked_of(rows, 10).keys() == {("R1", name) for name in IDS["test"]}
    base = asked_of(plan_predictions.plan_base(params), None)
    assert set(base.values()) == {1}, "a problem that two folds test on is asked once"
    late = {name for name in PROBLEMS if name[:4] in ("2014", "2015")}
    assert {name for level, name in base if level == "R3"} == late | {"2011-fs-01"}
    alone = plan_predictions.plan_base(
        SimpleNamespace(**{**vars(params), "folds": {"released": IDS}})
    )
    years = {name[:4] for names in IDS.values() for name in names}
    named = {name for name in PROBLEMS if name[:4] in years}
    assert {name for level, name in asked_of(alone, None) if level == "R1"} == named


def test_caps_and_validation_questions_are_asked_where_the_study_file_says_so(tmp_path):
    asked = plan(tmp_path, caps=[64, 16], validation_problems=30)
    capped = {("competition", f"R1@{cap}", (2014, 2015)) for cap in (64, 16)}
    assert asked["base"][None] == EVERYTHING | capped
    chosen = asked["temporal/prompt/seed-1"]
    assert chosen[20] == EVERYTHING | capped
    assert chosen[10] == TEST_YEARS | {("competition", "R1", (2013,))}
    (item,) = [
        row
        for row in json.loads((tmp_path / "plans/temporal/prompt/seed-1.json").read_text())
        if row["iteration"] == 10 and row["years"] == [2013]
    ]
    assert item["at_most"] == 30
