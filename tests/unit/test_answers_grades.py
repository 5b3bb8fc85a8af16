"""The grading stage: from predictions and problems to grades."""

import json
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scripts import grade_predictions

PROBLEMS = [
    {"id": "2014-fs-01", "answer": r"\frac{1}{2}", "statement": "Give a reduced fraction.", "options": []},
    {
        "id": "2014-fs-02",
        "answer": "B",
        "statement": "What is 2+3?",
        "options": [{"label": "A", "text": "4"}, {"label": "B", "text": "5"}],
    },
    {"id": "2014-fs-03", "answer": None, "statement": "No key.", "options": []},
]  # fmt: skip


def prediction(problem, level, text, finish="stop"):
    return {"id": f"{problem}.{level}", "problem": problem, "text": text, "finish": finish}


ROWS = [
    prediction("2014-fs-02", "r1", "Answer: 5"),
    prediction("2014-fs-01", "r2", "Answer: 0.5"),
    prediction("2014-fs-01", "r1", r"Answer: \frac{1}{2}"),
    prediction("2014-fs-01", "r3", r"Answer: \frac{1}{2}", finish="length"),
    prediction("2014-fs-03", "r1", "Answer: 7"),
]


def write(folder, rows, problems=PROBLEMS):
    folder.mkdir(exist_ok=True)
    predictions = folder / "predictions.parquet"
    pq.write_table(pa.Table.from_pylist(rows), predictions)
    path = folder / "problems.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in problems), encoding="utf-8")
    grades = folder / "grades.parquet"
    grade_predictions.main(
        input=SimpleNamespace(predictions=str(predictions), problems=[str(path)]),
        output=SimpleNamespace(grades=str(grades)),
        params=SimpleNamespace(limits={"cpu_seconds": 4, "memory_mb": 2000}),
        how={"grading": {"workers": 1}},
    )
    return grades


def test_grades_are_sorted_complete_and_keep_both_verdicts(tmp_path):
    rows = pq.read_table(write(tmp_path, ROWS)).to_pylist()
    assert [row["id"] for row in rows] == sorted(row["id"] for row in ROWS)
    found = {
        row["id"]: (row["verdict"], row["strict_verdict"], row["second_verdict"]) for row in rows
    }
    assert found == {
        "2014-fs-01.r1": ("right", "right", "right"),
        "2014-fs-01.r2": ("right", "wrong", "right"),
        "2014-fs-01.r3": ("wrong", "wrong", "wrong"),
        "2014-fs-02.r1": ("right", "wrong", "wrong"),
        "2014-fs-03.r1": ("unknown", "unknown", "unknown"),
    }
    assert set(rows[0]) == set(grade_predictions.COLUMNS)


def test_the_order_of_the_predictions_does_not_change_a_byte(tmp_path):
    first = write(tmp_path / "a", ROWS)
    second = write(tmp_path / "b", ROWS[::-1])
    assert first.read_bytes() == second.read_bytes()


def test_an_answer_to_a_problem_without_a_row_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ValueError, match=r"2014-fs-09"):
        write(tmp_path, [prediction("2014-fs-09", "r1", "Answer: 5")])


def test_an_id_given_twice_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="occurs twice"):
        write(tmp_path, [ROWS[0], ROWS[0]])
    changed = [*PROBLEMS, {**PROBLEMS[0], "answer": "7"}]
    with pytest.raises(ValueError, match="answers differ"):
        write(tmp_path, ROWS, changed)
