"""Data of the page: columns, verdicts, evidence and scripts."""

import pandas as pd

from distil.report.page import evidence, shards

FIELDS = ["row", "run", "role", "fold", "variant", "seed", "iteration", "level", "benchmark", "part",
          "problem", "cluster", "verdict", "words"]  # fmt: skip
ANSWERS = pd.DataFrame(
    [
        ("base#a.R1", "base", "base", "f", None, None, None, "R1", "competition", "test", "a", "k", "right", 1),
        ("base#b.R1", "base", "base", "f", None, None, None, "R1", "competition", "train", "b", "k", "wrong", 2),
        ("teacher#a.R1", "teacher", "teacher", "f", None, 0, None, "R1", "competition", "test", "a", "k", "right", 3),
        ("teacher#a.R1.s2", "teacher", "teacher", "f", None, 1, None, "R1", "competition", "test", "a", "k", "wrong", 4),
        ("f/prompt/seed-3#a.R1.00100", "f/prompt/seed-3", "student", "f", "prompt", 3, 100, "R1", "competition", "test", "a", "k", "unknown", 5),
        ("f/prompt/seed-3#a.R1.00200", "f/prompt/seed-3", "student", "f", "prompt", 3, 200, "R1", "competition", "test", "a", "k", "right", 6),
    ],
    columns=FIELDS,
)  # fmt: skip
PROBLEMS = {name: {"year": 2020, "section": "fs", "statement": f"Find\n{name}."} for name in "ab"}


def test_each_run_sample_level_and_checkpoint_is_a_column_of_its_own():
    columns = evidence.Columns(ANSWERS)
    assert [(one["role"], one["seed"], one["iteration"]) for one in columns.list] == [
        ("base", None, None), ("teacher", 0, None), ("teacher", 1, None),
        ("student", 3, 100), ("student", 3, 200),
    ]  # fmt: skip
    assert columns.numbers(ANSWERS) == [0, 0, 1, 2, 3, 4]
    assert [evidence.shard_of(one) for one in columns.list] == ["common"] * 3 + ["f"] * 2


def test_verdicts_are_signs_in_the_order_of_the_questions():
    questions = evidence.list_questions(ANSWERS, PROBLEMS)
    assert [row["id"] for row in questions] == ["a", "b"]
    assert questions[0]["parts"] == {"f": "test"}
    assert questions[0]["text"] == "Find a."
    numbers = evidence.Columns(ANSWERS).numbers(ANSWERS)
    found = evidence.verdicts(ANSWERS, numbers, questions)
    assert found["verdicts"] == {"0": "rw", "1": "r.", "2": "w.", "3": "u.", "4": "r."}
    assert found["words"] == {"0": [1, 2], "1": [3, None], "2": [4, None], "3": [5, None],
                              "4": [6, None]}  # fmt: skip


def test_a_claim_keeps_each_set_of_questions_once():
    evidence_of = evidence.Evidence({"x": (0, 1), "y": (0, 0), "z": (2, 0), "v": (2, 1)})
    assert evidence_of.add(["x", "y", "z", "v", "curve/1"]) == {
        "columns": [[0, 0], [2, 0]],
        "other": ["curve/1"],
    }
    assert evidence_of.sets == [[0, 1]]


def test_a_study_without_answers_lists_its_problems():
    questions = evidence.list_questions(ANSWERS.iloc[:0], PROBLEMS)
    assert [row["id"] for row in questions] == ["a", "b"]
    assert evidence.Columns(ANSWERS.iloc[:0]).list == []


def test_a_script_holds_a_value_and_nothing_that_a_browser_could_run():
    content = {"text": "</script><script>alert(1)</script> \u2028", "number": 1.5}
    script = shards.encode("texts/2020", content)
    assert script == shards.encode("texts/2020", content)
    assert b"<" not in script
    assert shards.decode(script) == content
