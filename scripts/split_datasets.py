"""Split one fold's verified traces into training and validation rows, free of duplicates.

Input: `problems` (JSONL of all years), `traces` (JSONL of the training and validation years),
`benchmarks` (JSONL), `student` and `levels` (the prompt files). Output: `train` and `validation`
(JSONL chat rows: id, problem, level, messages), `duplicates` (CSV: every pair of alike questions
with score, where both lie, both texts, and which was removed), `parts` (CSV: every problem with
its part, what removed it, and the levels at which it entered). Params: `fold`, `variant`
(`prompt`: all levels in one file; `r1` ... `r6`: that level alone), `folds` ({fold: years by
part}), `levels`, `levels_per_problem` (for the variant `prompt`; a number, taken in rotation).

The training rows depend on the training years, the prompts and the set of removed problems only.
"""

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from distil.content.files import read_jsonl, write_jsonl
from distil.datasets.duplicates import assign_pairs, find_pairs
from distil.datasets.splits import Fold, named_fold, variant_plan
from distil.notation.normal import problem_text
from distil.student.questions import (
    PUBLISHED,
    load_prompts,
    published_text,
    question_text,
    read_system,
)

DUPLICATE_COLUMNS = [
    "kind", "score", "a", "a_part", "b", "b_part", "action", "removed", "a_text", "b_text",
]  # fmt: skip
PART_COLUMNS = [
    "fold", "variant", "problem", "year", "section", "part", "duplicate_of", "planned", "levels",
]  # fmt: skip


def part_of_problems(problems: Iterable[Mapping[str, Any]], fold: Fold) -> dict[str, str]:
    """Return {problem id: part}, by the year of each problem, or by its id.

    Raises:
        ValueError: an id stands twice, or a year is in no part.
    """
    parts: dict[str, str] = {}
    for problem in problems:
        if problem["id"] in parts:
            raise ValueError(f"problems: {problem['id']} stands twice; ids are unique in a study")
        parts[problem["id"]] = fold.part_of(problem)
    return parts


def duplicate_rows(
    problems: Sequence[Mapping[str, Any]],
    benchmarks: Sequence[Mapping[str, Any]],
    parts: Mapping[str, str],
) -> list[dict[str, Any]]:
    """Return every pair of alike questions that has an end among the problems.

    Raises:
        ValueError: a benchmark item has the id of a problem.
    """
    texts = {problem["id"]: problem_text(problem) for problem in problems}
    for item in benchmarks:
        if item["id"] in texts:
            raise ValueError(f"benchmarks: {item['id']} stands twice; ids are unique in a study")
        texts[item["id"]] = problem_text(item)
    where = {**{row["id"]: "benchmark" for row in benchmarks}, **parts}
    return [
        {**row, "a_text": texts[row["a"]], "b_text": texts[row["b"]]}
        for row in assign_pairs(find_pairs(texts), where)
        if row["a_part"] != "benchmark"
    ]


def chat_rows(
    traces: Sequence[Mapping[str, Any]],
    plan: Mapping[str, Sequence[str]],
    problems: Mapping[str, Mapping[str, Any]],
    ask: Callable[[Mapping[str, Any], str], str],
    system: str | None = None,
) -> list[dict[str, Any]]:
    """Return the chat rows of the verified traces that a plan asks for, sorted by id.

    Args:
        traces: rows with id, problem, level, text and verified.
        plan: problem id to the levels at which it enters.
        problems: problem id to problem.
        ask: makes the user message from a problem and a level.
        system: the system turn above it; None for none.

    Raises:
        ValueError: a verified trace is empty or stands twice.
    """
    rows: dict[str, dict[str, Any]] = {}
    for trace in traces:
        if not trace["verified"] or trace["level"] not in plan.get(trace["problem"], ()):
            continue
        if trace["id"] in rows:
            raise ValueError(f"traces: {trace['id']} stands twice; remake the traces of its year")
        if not trace["text"].strip():
            raise ValueError(f"traces: {trace['id']} is verified but empty; remake it")
        rows[trace["id"]] = {
            "id": trace["id"],
            "problem": trace["problem"],
            "level": trace["level"],
            "messages": [
                *([{"role": "system", "content": system}] if system is not None else []),
                {"role": "user", "content": ask(problems[trace["problem"]], trace["level"])},
                {"role": "assistant", "content": trace["text"]},
            ],
        }
    return [rows[key] for key in sorted(rows)]


def check_traces(
    traces: Iterable[Mapping[str, Any]], parts: Mapping[str, str], *, by_id: bool = False
) -> None:
    """Refuse traces of unknown problems and of test years.

    A fold of ids has train and test in the same years, so traces of its test problems are there
    for other folds; no plan of its own names them.

    Raises:
        ValueError: a trace belongs to no problem, or to one that the fold reports on.
    """
    for trace in traces:
        part = parts.get(trace["problem"])
        if part is None:
            raise ValueError(f"traces: {trace['id']} belongs to no problem; remake the traces")
        if part == "test" and not by_id:
            raise ValueError(
                f"traces: {trace['id']} belongs to a test year of this fold; "
                "give the traces of its training and validation years only"
            )


def write_csv(path: str | Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as CSV; None becomes an empty field."""
    with Path(path).open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main(*, input, output, params) -> None:  # noqa: A002
    problems = sorted(
        (row for path in input.problems for row in read_jsonl(path)), key=lambda row: row["id"]
    )
    benchmarks = [row for path in input.benchmarks for row in read_jsonl(path)]
    traces = [row for path in input.traces for row in read_jsonl(path)]
    years = sorted({problem["year"] for problem in problems})
    fold = named_fold(params.fold, params.folds[params.fold], years)
    parts = part_of_problems(problems, fold)
    check_traces(traces, parts, by_id=fold.by_id)
    duplicates = duplicate_rows(problems, benchmarks, parts)
    removed = {row["removed"]: row["b"] for row in reversed(duplicates) if row["removed"]}

    prompts = load_prompts(input.student, input.levels)
    by_id = {problem["id"]: problem for problem in problems}
    published = params.variant == PUBLISHED
    system = read_system(input.system) if published else None

    def ask(problem: Mapping[str, Any], level: str) -> str:
        return published_text(problem) if published else question_text(problem, level, prompts)

    entered: dict[str, list[str]] = {}
    planned: dict[str, list[str]] = {}
    for part in ("train", "validation"):
        plan = variant_plan(
            [key for key, home in parts.items() if home == part],
            params.variant,
            params.levels,
            params.levels_per_problem,
        )
        planned |= plan
        kept = {key: levels for key, levels in plan.items() if key not in removed}
        rows = chat_rows(traces, kept, by_id, ask, system)
        if not rows:
            raise ValueError(
                f"{output[part]}: no rows; none of the {len(plan)} problems of fold "
                f"{params.fold}, part {part}, has a verified trace that is not a duplicate; the "
                "rows of traces/YEAR/traces.jsonl say why (the simulated teacher can solve the "
                "sample's own problems only: name a real one in teacher.hosts.HOST.base_url)"
            )
        write_jsonl(output[part], rows)
        for row in rows:
            entered.setdefault(row["problem"], []).append(row["level"])
        print(f"{part}: {len(rows)} rows of {len(plan)} problems")

    write_csv(output.duplicates, DUPLICATE_COLUMNS, duplicates)
    write_csv(
        output.parts,
        PART_COLUMNS,
        (
            {
                "fold": params.fold,
                "variant": params.variant,
                "problem": problem["id"],
                "year": problem["year"],
                "section": problem["section"],
                "part": parts[problem["id"]],
                "duplicate_of": removed.get(problem["id"]),
                "planned": " ".join(planned.get(problem["id"], [])),
                "levels": " ".join(sorted(entered.get(problem["id"], []))),
            }
            for problem in problems
        ),
    )
    print(f"{len(removed)} problems removed, {len(duplicates)} pairs listed")


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
