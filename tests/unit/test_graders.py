"""Graders held against each other: the judge's rows, the agreement table, the disagreements."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distil.content.files import read_jsonl, write_jsonl
from distil.report import graders
from distil.teacher.agents import JobStopped, Prompt
from distil.teacher.settings import EXIT_CAP, EXIT_REPLAY_MISS, TeacherError
from scripts import collect_answers, judge_answers, judge_claims
from tests.unit.test_teacher_scripts import HOST, PROMPTS, shaping

PROBLEMS = [
    {
        "id": "2014-fs-01",
        "statement": "What is half of 7?",
        "options": [],
        "answer": r"\frac{7}{2}",
    },
    {"id": "2014-fs-02", "statement": "No key.", "options": [], "answer": None},
    {"id": "transfer-1", "statement": "What is 2+3?", "answer": "5"},
]
OUTPUTS = {
    "base": [
        ("a", "2014-fs-01", "Answer: 7/2", "stop", "7/2", "right", "right"),
        ("b", "transfer-1", "so it is five\nAnswer: 5", "stop", "", "no answer", "wrong"),
        ("c", "2014-fs-02", "Answer: 9", "stop", "9", "none", "unknown"),
    ],
    "temporal/prompt/seed-1": [
        ("a", "2014-fs-01", "Answer: 7/2", "stop", "7/2", "number", "right"),
        ("d", "2014-fs-01", "Answer: 7", "length", "7", "no answer", "wrong"),
        ("e", "transfer-1", "  ", "stop", "", "no answer", "wrong"),
        ("f", "transfer-1", "Answer: 6", "stop", "6", "number", "wrong"),
    ],
}  # fmt: skip


def write(folder):
    write_jsonl(folder / "problems.jsonl", PROBLEMS)
    predictions, grades = [], []
    for number, rows in enumerate(OUTPUTS.values()):
        names = ("id", "problem", "text", "finish", "extracted", "rule", "verdict")
        found = [dict(zip(names, row, strict=True)) for row in rows]
        for kind, paths in (("predictions", predictions), ("grades", grades)):
            paths.append(str(folder / f"{kind}{number}.parquet"))
            pq.write_table(pa.Table.from_pylist(found), paths[-1])
    return SimpleNamespace(
        problems=[str(folder / "problems.jsonl")], predictions=predictions, grades=grades,
        judge=PROMPTS / "judge.txt",
    )  # fmt: skip


def run(folder, monkeypatch, **changes):
    monkeypatch.chdir(folder)
    output = SimpleNamespace(judgements=folder / "judge.parquet", responses=folder / "said.jsonl")
    report = judge_answers.main(
        input=write(folder),
        output=output,
        params=SimpleNamespace(
            study="sample", runs=list(OUTPUTS), teacher=shaping("sample-judge", 20)
        ),
        how={"teacher": {"hosts": {"own": HOST}, **changes}},
    )
    return {row["row"]: row for row in pq.read_table(output.judgements).to_pylist()}, report


def test_the_judge_is_asked_once_for_each_distinct_answer(tmp_path, monkeypatch):
    rows, report = run(tmp_path, monkeypatch)
    assert {key: row["judge_verdict"] for key, row in rows.items()} == {
        "base#a": "right",
        "base#b": "right",  # no answer was extracted, so the judge reads the end of the output
        "base#c": "unknown",
        "temporal/prompt/seed-1#a": "right",
        "temporal/prompt/seed-1#d": "wrong",
        "temporal/prompt/seed-1#e": "wrong",
        "temporal/prompt/seed-1#f": "wrong",
    }
    responses = read_jsonl(tmp_path / "said.jsonl")
    assert len(responses) == 3
    assert report["history"]["teacher"]["asked_now"] == 3
    assert (
        rows["base#a"]["judge_request_sha256"]
        == rows["temporal/prompt/seed-1#a"]["judge_request_sha256"]
    )
    assert rows["temporal/prompt/seed-1#d"]["judge_request_sha256"] is None
    assert {row["request_sha256"] for row in responses} == {
        row["judge_request_sha256"] for row in rows.values() if row["judge_request_sha256"]
    }


def test_the_judges_answers_are_replayed_and_paid_for_once(tmp_path, monkeypatch):
    rows, _ = run(tmp_path, monkeypatch)
    again, report = run(tmp_path, monkeypatch, mode="replay")
    assert again == rows
    assert report["history"]["teacher"]["asked_now"] == 0
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(JobStopped) as stopped:
        run(tmp_path / "elsewhere", monkeypatch, mode="replay")
    assert stopped.value.code == EXIT_REPLAY_MISS


def test_the_judge_is_held_to_the_money_cap(tmp_path, monkeypatch):
    with pytest.raises(JobStopped) as stopped:
        run(
            tmp_path, monkeypatch, money_cap=0.0,
            hosts={"own": {**HOST, "base_url": "http://127.0.0.1:9/v1",
                           "models": {"sample-judge": {"input": 1.0, "output": 2.0}}}},
        )  # fmt: skip
    assert stopped.value.code == EXIT_CAP


def test_the_judges_prompt_must_compare_and_must_not_leak_more(tmp_path):
    path = tmp_path / "judge.txt"
    for text in ("Key: $key", "Answer: $answer", "$key $answer $reasoning"):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(TeacherError, match="judge"):
            Prompt("judge", path)
    for folder in ("sample", "paper"):
        Prompt("judge", PROMPTS.parent / folder / "judge.txt")


def test_each_row_gets_the_judges_verdict_or_an_error_that_names_it(tmp_path):
    rows = pd.Series(["base#a", "base#b"])
    assert collect_answers.judged(rows, []).isna().all()
    path = tmp_path / "judge.parquet"
    pd.DataFrame({"row": ["base#b", "base#a"], "judge_verdict": ["wrong", "right"]}).to_parquet(
        path
    )
    assert collect_answers.judged(rows, [str(path)]).tolist() == ["right", "wrong"]
    with pytest.raises(ValueError, match="base#z is not judged"):
        collect_answers.judged(pd.Series(["base#z"]), [str(path)])


def table(rows):
    names = [
        "row",
        "role",
        "problem",
        "verdict",
        "strict_verdict",
        "second_verdict",
        "judge_verdict",
    ]
    return pd.DataFrame(rows, columns=names)


ANSWERS = table(
    [
        ("base#a", "base", "p1", "right", "right", "right", None),
        ("base#b", "base", "p2", "wrong", "wrong", "right", None),
        ("t/p/s#a", "student", "p1", "right", "wrong", "wrong", None),
        ("t/p/s#b", "student", "p1", "right", "wrong", "wrong", None),
        ("t/p/s#c", "student", "p2", "unknown", "unknown", "wrong", None),
        ("t/p/s#d", "student", "p2", "wrong", "wrong", "wrong", None),
    ]
)
GRADES = pd.DataFrame(
    {
        "row": ANSWERS["row"],
        "extracted": ["7", "8", "7.0", "7.0", "(", "9"],
        "rule": "number",
        "reason": "a reason",
    }
)
QUESTIONS = {"p1": {"statement": "What\nis it?", "answer": "7"}, "p2": {"answer": "9|9"}}


def behind(sources, folder) -> dict[tuple[str, str], set[str]]:
    """What each cell rests on, as written."""
    sources.write(folder / "rows.parquet")
    found: dict[tuple[str, str], set[str]] = {}
    for line in pd.read_parquet(folder / "rows.parquet").to_dict("records"):
        for column in line["column"].split():
            found.setdefault((line["cell"], column), set()).add(line["row"])
    return found


def test_agreement_counts_each_way_of_differing_by_role(tmp_path):
    found, sources = graders.agreement_table(ANSWERS)
    found = found.set_index(["grader", "answers"])
    assert set(found.index.get_level_values("grader")) == {"strict", "second"}
    assert set(found.index.get_level_values("answers")) == {"all", "base", "student"}
    whole = found.loc[("second", "all")]
    assert (whole["n"], whole["first_only"], whole["other_only"], whole["unknown"]) == (6, 2, 1, 1)
    assert whole["agreed"] == pytest.approx(100 * 2 / 6)
    assert whole["shift"] == pytest.approx(100 * (2 - 3) / 6)
    assert found.loc[("strict", "base"), "agreed"] == 100
    assert behind(sources, tmp_path)["strict/base", "kappa"] == {"base#a", "base#b"}


def test_the_disagreements_hold_each_doubtful_answer_once_with_all_its_rows(tmp_path):
    found, rows = graders.find_disagreements(ANSWERS, GRADES, QUESTIONS)
    assert found["answer"].tolist() == ["t+p+s#a", "t+p+s#c", "base#b"]
    assert found["outputs"].tolist() == [2, 1, 1]
    assert found["statement"].tolist() == ["What is it?", "", ""]
    assert found["primary"].tolist() == ["right", "unknown", "wrong"]
    cells = {
        cell: made for (cell, column), made in behind(rows, tmp_path).items() if column == "rule"
    }
    assert cells == {
        "t+p+s#a": {"t/p/s#a", "t/p/s#b"},
        "t+p+s#c": {"t/p/s#c"},
        "base#b": {"base#b"},
    }
    agreed = table([("base#a", "base", "p1", "right", "right", "right", None)])
    found, rows = graders.find_disagreements(agreed, GRADES, QUESTIONS)
    assert (len(found), behind(rows, tmp_path)) == (0, {})


def test_the_tables_are_written_also_where_nothing_differs(tmp_path):
    write_jsonl(tmp_path / "p.jsonl", [{"id": "p1", "statement": "x", "answer": "7"}])
    pd.DataFrame({"id": ["a"], "extracted": ["7"], "rule": ["x"], "reason": ["y"]}).to_parquet(
        tmp_path / "grades.parquet"
    )
    kinds = ("csv", "md", "html", "rows.parquet")
    output = SimpleNamespace(
        **{
            name: [tmp_path / f"{name}.{kind}" for kind in kinds]
            for name in ("agreement", "disagreements")
        }
    )
    grades = graders.read_grades({"base": tmp_path / "grades.parquet"})
    problems = graders.read_problems([tmp_path / "p.jsonl"])
    judge_claims.write_agreement(output, ANSWERS.iloc[:1], grades, problems, "A study")
    assert len(pd.read_csv(tmp_path / "disagreements.csv")) == 0
    assert "0 distinct answers of 0 outputs" in (tmp_path / "disagreements.md").read_text()
    assert pd.read_parquet(tmp_path / "disagreements.rows.parquet").empty
    assert len(pd.read_parquet(tmp_path / "agreement.rows.parquet"))
