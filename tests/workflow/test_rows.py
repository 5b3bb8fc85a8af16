"""One changed row is paid for and computed once; the rows beside it are not."""

from __future__ import annotations

import pandas as pd

from distil.content.files import read_jsonl, write_jsonl

CHANGED = "2014-fs-01"


def history(study) -> list[dict]:
    path = study.path / "results" / "micro" / "lineage" / "runs.jsonl"
    return read_jsonl(path)


def test_one_changed_statement_asks_and_generates_its_own_rows_only(study):
    top = study.path / "results" / "micro"
    before = history(study)
    path = top / "problems" / "2014.jsonl"
    rows = read_jsonl(path)
    for row in rows:
        if row["id"] == CHANGED:
            row["statement"] += " Show your work."
    write_jsonl(path, rows)
    # What is made of the answers is no matter here.
    ran = study.ran("--", "results/micro/grades/answers.parquet", check=False)
    after = history(study)[len(before) :]

    assert not any(name.startswith(("train_adapter", "distill", "verify")) for name in ran)
    assert "solve_problems(year=2014)" in ran
    assert sum(row.get("teacher", {}).get("asked_now", 0) for row in after) == 1
    answers = [
        pd.read_parquet(file)
        for file in (top / "predictions").rglob("*.parquet")
        if file.name != "teacher.parquet"
    ]
    expected = sum(int((table["problem"] == CHANGED).sum()) for table in answers)
    generated = [row for row in after if "new" in row]
    assert sum(row["new"] for row in generated) == expected
    assert sum(row["reused"] for row in generated) == sum(map(len, answers)) - expected
