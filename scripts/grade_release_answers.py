"""Grade every single answer that the release holds, beside the verdict of the release's judge.

Input: `problems` (JSONL of all years), `files` (of distil/release/answers.py, as far as the
download holds them).
Output: `answers` (Parquet: row, run, role, benchmark, level, problem, cluster, year, section,
verdict, strict_verdict, second_verdict, judge_verdict, which is the release's, extracted, rule,
reason, words, source, line), and one list of files (CSV, Markdown, HTML, Parquet of the rows behind
each cell) for `runs`, what there is and how it fares under both, `agreement` and `disagreements`.
Params: `title`, `folder`, `alpha`.
"""

import pandas as pd

from distil.content.addresses import row_id
from distil.content.files import read_jsonl
from distil.content.sources import Sources
from distil.grading.grading import judge_all
from distil.grading.second_grader import second_verdict
from distil.inference.gains import wilson
from distil.release.answers import RUNS, Run, read_run
from distil.report import graders, tables

COLUMNS = [
    "row", "run", "role", "benchmark", "level", "problem", "cluster", "year", "section", "verdict",
    "strict_verdict", "second_verdict", "judge_verdict", "extracted", "rule", "reason", "words",
    "source", "line",
]  # fmt: skip
COUNTED = ("n", "right", "accuracy", "low", "high", "judged_right", "agreed", "words")


def grade_run(folder: str, run: Run, problems: dict[str, dict]) -> tuple[list[dict], list[dict]]:
    """Grade one run of the release.

    Args:
        folder: the download.
        run: the run.
        problems: the evaluated problems by id, placeholders left out.

    Returns:
        The rows of `answers`, and the problems that they answer (id, statement, answer).

    Raises:
        ValueError: an answer is to no problem of the release's transcriptions.
    """
    rows = read_run(folder, run)
    if run.benchmark == "competition":
        unknown = [row["problem"] for row in rows if row["problem"] not in problems]
        if unknown:
            raise ValueError(f"{run.file}: {unknown[0]}: no such problem in datafile/; restore it")
        rows = [row for row in rows if "placeholder" not in problems[row["problem"]]["flags"]]
    verdicts = judge_all([(row["key"], row["output"], row["statement"]) for row in rows])
    graded = []
    for row, verdict in zip(rows, verdicts, strict=True):
        known = problems.get(row["problem"], {})
        copies = [f for f in known.get("flags", ()) if f.startswith("duplicate-of:")]
        graded.append(
            {
                "row": row_id("released", run=run.name, problem=row["problem"]),
                "run": run.name,
                "role": run.role,
                "benchmark": run.benchmark,
                "level": run.level,
                "problem": row["problem"],
                "cluster": copies[0].partition(":")[2] if copies else row["problem"],
                "year": known.get("year"),
                "section": known.get("section"),
                "verdict": verdict.verdict,
                "strict_verdict": verdict.strict_verdict,
                "second_verdict": second_verdict(row["key"], row["output"]),
                "judge_verdict": row["judged"],
                "extracted": verdict.extracted,
                "rule": verdict.rule,
                "reason": verdict.reason,
                "words": row["words"],
                "source": run.file,
                "line": row["line"],
            }
        )
    asked = [
        {"id": row["problem"], "statement": row["statement"], "answer": row["key"]} for row in rows
    ]
    return graded, asked


def tabulate_runs(answers: pd.DataFrame, alpha: float) -> tuple[pd.DataFrame, Sources]:
    """What the download holds: a row a run, graded here and judged there.

    Returns:
        A frame with run, what, n, right, accuracy, low, high (Wilson, per cent), judged_right,
        agreed (per cent), words (mean of the responses) and note (how to get what is missing).
    """
    lines, sources = [], Sources()
    for run in RUNS:
        found = answers[answers["run"] == run.name]
        line = {"run": run.name, "what": run.what}
        if found.empty:
            lines.append({**line, "note": f"not in this download; {run.remedy}"})
            continue
        right, judged = (found[name] == "right" for name in ("verdict", "judge_verdict"))
        share = wilson(int(right.sum()), len(found), alpha)
        lines.append(
            {
                **line,
                "n": len(found),
                "right": int(right.sum()),
                "accuracy": 100 * share.estimate,
                "low": 100 * share.low,
                "high": 100 * share.high,
                "judged_right": int(judged.sum()),
                "agreed": 100 * float((right == judged).mean()),
                "words": float(found["words"].mean()),
            }
        )
        sources.add(run.name, COUNTED, found["row"])
    table = pd.DataFrame(lines, columns=["run", "what", *COUNTED, "note"], dtype=object)
    return table.where(table.notna(), None), sources


def main(*, input, output, params) -> None:  # noqa: A002
    problems = {row["id"]: row for path in input.problems for row in read_jsonl(path)}
    rows, asked = [], {}
    for run in RUNS:
        graded, known = grade_run(params.folder, run, problems)
        rows += graded
        asked |= {row["id"]: row for row in known}
    answers = pd.DataFrame(rows, columns=COLUMNS).sort_values("row", ignore_index=True)
    answers.astype({"year": "Int64"}).to_parquet(output.answers, index=False)
    table, sources = tabulate_runs(answers, params.alpha)
    notes = ["accuracy: graded here; judged_right: by the release's own judge, a chat model"]
    tables.write(output.runs, table, f"Single answers: {params.title}", notes, rows=sources)
    table, sources = graders.agreement_table(answers)
    title = f"Agreement of the graders: {params.title}"
    tables.write(output.agreement, table, title, ["judge: the release's own"], rows=sources)
    grades = answers[["row", "extracted", "rule", "reason"]]
    table, sources = graders.find_disagreements(
        answers.drop(columns=["extracted", "rule", "reason"]), grades, asked
    )
    notes = [f"{len(table)} distinct answers; judge: the release's own"]
    title = f"Answers to look at: {params.title}"
    tables.write(output.disagreements, table, title, notes, rows=sources)


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
