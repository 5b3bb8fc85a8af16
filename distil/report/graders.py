"""Agreement of the graders, and the answers to look at.

`find_disagreements` lists each distinct answer to a question once, with the number of outputs that
gave it; `answer` is the first of them, and `explain disagreements:ANSWER` walks from there to the
exam page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from distil.content.files import read_jsonl
from distil.content.sources import Sources
from distil.grading.second_grader import agreement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

# The first grader's other reading, the grader that shares no code with it, the chat model.
OTHERS = ("strict", "second", "judge")
STATEMENT_SHOWN = 160
# What is computed from answers, not a label.
COUNTED = ("n", "agreed", "kappa", "first_only", "other_only", "unknown", "accuracy",
           "other_accuracy", "shift")  # fmt: skip
READ = ("extracted", "outputs", "primary", *OTHERS, "rule", "reason")


def graders(answers: pd.DataFrame) -> list[str]:
    """Return the other graders whose verdicts the answers hold."""
    return [name for name in OTHERS if answers[f"{name}_verdict"].notna().any()]


def read_grades(files: Mapping[str, str | Path]) -> pd.DataFrame:
    """Read what each run's answers were read as: row, extracted, rule, reason.

    Args:
        files: run to its file of grades (Parquet).
    """
    found = []
    for run, path in files.items():
        grades = pd.read_parquet(path, columns=["id", "extracted", "rule", "reason"])
        found.append(grades.assign(row=run + "#" + grades["id"]).drop(columns="id"))
    return pd.concat(found, ignore_index=True)


def read_problems(paths: Iterable[str | Path]) -> dict[str, dict[str, Any]]:
    """Read the rows of files of problems (JSONL) by their ids."""
    return {row["id"]: row for path in paths for row in read_jsonl(path)}


def agreement_table(answers: pd.DataFrame) -> tuple[pd.DataFrame, Sources]:
    """Agreement of each other grader with the first, over all answers and by who answered.

    Args:
        answers: the graded answers, each once.

    Returns:
        A frame with grader, answers, n, agreed (per cent), kappa, first_only and other_only (right
        for one grader alone), unknown (to either), accuracy and other_accuracy (per cent), and
        shift: by how many points the other grader moves the accuracy; and the answers behind each
        cell.
    """
    lines, sources = [], Sources()
    for name in graders(answers):
        for role in ("all", "base", "student", "teacher"):
            chosen = answers if role == "all" else answers[answers["role"] == role]
            if chosen.empty:
                continue
            first = chosen["verdict"].fillna("wrong")
            other = chosen[f"{name}_verdict"].fillna("wrong")
            found = agreement(first, other)
            right, other_right = first == "right", other == "right"
            sources.add(f"{name}/{role}", COUNTED, chosen["row"])
            lines.append(
                {
                    "grader": name,
                    "answers": role,
                    "n": found["n"],
                    "agreed": 100 * found["agreed"],
                    "kappa": found["kappa"],
                    "first_only": int((right & ~other_right).sum()),
                    "other_only": int((other_right & ~right).sum()),
                    "unknown": int(((first == "unknown") | (other == "unknown")).sum()),
                    "accuracy": 100 * float(right.mean()),
                    "other_accuracy": 100 * float(other_right.mean()),
                    "shift": 100 * float(other_right.mean() - right.mean()),
                }
            )
    names = ["grader", "answers", "n", "agreed", "kappa", "first_only", "other_only", "unknown"]
    names += ["accuracy", "other_accuracy", "shift"]
    return pd.DataFrame(lines, columns=names), sources


def find_disagreements(
    answers: pd.DataFrame, grades: pd.DataFrame, problems: Mapping[str, Mapping[str, Any]]
) -> tuple[pd.DataFrame, Sources]:
    """Answers that a grader could not judge, or on which graders differ.

    Args:
        answers: the graded answers, each once.
        grades: row, extracted, rule, reason.
        problems: rows with statement and answer by problem id.

    Returns:
        The list (answer, problem, statement, key, extracted, outputs, primary, strict, second,
        judge, rule, reason), sorted by problem and answer, and the answers behind each cell.
    """
    others = [name for name in ("second", "judge") if name in graders(answers)]
    verdicts = [answers["verdict"], *(answers[f"{name}_verdict"] for name in others)]
    right = pd.concat([one == "right" for one in verdicts], axis=1)
    doubtful = pd.concat([one == "unknown" for one in verdicts], axis=1).any(axis=1)
    differ = right.any(axis=1) & ~right.all(axis=1)
    table = answers[doubtful | differ].merge(grades, on="row", validate="one_to_one")
    said = ["verdict", "strict_verdict", "second_verdict", "judge_verdict"]
    same = ["problem", "extracted", *said, "rule", "reason"]
    table = table.sort_values(["problem", "extracted", "row"], kind="stable")
    lines, sources = [], Sources()
    for values, group in table.groupby(same, dropna=False, sort=False):
        found = dict(zip(same, values, strict=True))
        problem = problems[found["problem"]]
        statement = " ".join((problem.get("statement") or "").split())
        # A slash would part the name of a cell.
        answer = group["row"].iloc[0].replace("/", "+")
        lines.append(
            {
                "answer": answer,
                "problem": found["problem"],
                "statement": statement[:STATEMENT_SHOWN],
                "key": problem["answer"],
                "extracted": found["extracted"],
                "outputs": len(group),
                "primary": found["verdict"],
                **{name: found[f"{name}_verdict"] for name in OTHERS},
                "rule": found["rule"],
                "reason": found["reason"],
            }
        )
        sources.add(answer, READ, group["row"])
    names = ["answer", "problem", "statement", "key", "extracted", "outputs", "primary"]
    names += [*OTHERS, "rule", "reason"]
    found = pd.DataFrame(lines, columns=names).astype(object)
    return found.where(found.notna(), None), sources
