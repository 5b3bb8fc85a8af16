"""Hold the graders against each other: a table of agreement, and the answers they differ on.

Input: `answers`, `problems`, `benchmarks` (JSONL), `grades` (Parquet, in the order of `runs`).
Output: `agreement` and `disagreements`, each as CSV, Markdown, HTML and `_rows` (Parquet: cell,
column, row: the graded answers behind each number). Params: `title`, `runs`.

`disagreements` holds each distinct answer to a question once, with the number of outputs that gave
it; `answer` is the first of them, and `explain disagreements:ANSWER` walks from there to the exam
page.
"""

import pandas as pd

from distil.content.files import read_jsonl
from distil.content.sources import Sources
from distil.grading.second_grader import agreement
from distil.report import tables

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
    answers: pd.DataFrame, grades: pd.DataFrame, problems: dict[str, dict]
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


def main(*, input, output, params) -> None:  # noqa: A002 - Snakemake's own name for it
    answers = pd.read_parquet(input.answers).drop_duplicates("row").sort_values("row")
    problems = {
        row["id"]: row for path in [*input.problems, *input.benchmarks] for row in read_jsonl(path)
    }
    grades = []
    for run, path in zip(params.runs, input.grades, strict=True):
        found = pd.read_parquet(path, columns=["id", "extracted", "rule", "reason"])
        grades.append(found.assign(row=run + "#" + found["id"]).drop(columns="id"))
    agreed, agreed_rows = agreement_table(answers)
    doubtful, doubtful_rows = find_disagreements(
        answers, pd.concat(grades, ignore_index=True), problems
    )
    tables.write(
        [output.agreement, output.agreement_markdown, output.agreement_html],
        agreed,
        f"Agreement of the graders: {params.title}",
        ["n counts outputs, each once; kappa is blank where both graders say the same throughout."],
    )
    tables.write(
        [output.disagreements, output.disagreements_markdown, output.disagreements_html],
        doubtful,
        f"Answers to look at: {params.title}",
        [f"{len(doubtful)} distinct answers of {doubtful['outputs'].sum()} outputs."],
    )
    agreed_rows.write(output.agreement_rows)
    doubtful_rows.write(output.disagreements_rows)


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
