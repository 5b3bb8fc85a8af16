"""Gather every count that the release, or a published percentage, gives: one table with sources.

Input: `problems` (JSONL of all years), `audit` and `splits` (of audit_release_splits), `published`
(resources/published.yaml) and the release's `overall`, `by_section`, `by_year`, `other_overall`,
`other_by_section`, `other_by_year`, `levels`, `levels_in_splits`, `log`. Output: `counts` (Parquet)
and `losses` (Parquet: iteration, part, loss, line). Params: none.

Columns of `counts`: id (quantity/level/population/group_kind/group), quantity, level, population,
group_kind, group, successes, total, origin, source, line. Quantities:

- `student`: the tuned student judged right, one run; `level` R1 ... R5 for the five adapters of
  the release, null for the published one;
- `student_other_adapter`: another adapter's, which skipped a question: by the name of the file that
  the release's notebook counts and by TERMINAL.md that of all 1,000 iterations (inferred);
- `base`, `teacher`, `student_seed_mean`: implied by a published percentage of all questions;
- `verified_rows`: rows of the release's own split, each a chain that its verifier called correct;
- `questions`, `placeholders`, `exact_duplicates`: of the transcribed rows;
- `in_train`, `in_validation`, `in_test`, `in_any_part`: evaluated questions that stand verbatim in
  a part of the released split (`level` as above).

`population` is `all` or `in_any_part` (questions whose chain entered the release's split);
`group_kind` is overall, section or year; `origin` is `file` (stands in a file of the release, at
that line), `rows` (counted here, row by row) or `percentage` (implied, see count_of_percentage).
"""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from distil.content.files import read_jsonl
from distil.release.files import (
    LEVELS,
    PARTS,
    SECTIONS,
    count_of_percentage,
    evaluated,
    read_losses,
    read_table,
)

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("quantity", pa.string()),
        ("level", pa.string()),
        ("population", pa.string()),
        ("group_kind", pa.string()),
        ("group", pa.string()),
        ("successes", pa.int64()),
        ("total", pa.int64()),
        ("origin", pa.string()),
        ("source", pa.string()),
        ("line", pa.int64()),
    ]
)
ID = ("quantity", "level", "population", "group_kind", "group")
GROUP_KINDS = ("overall", "section", "year")
IMPLIED = {"C1": "base", "C2": "teacher", "C3": "student_seed_mean"}


def verdict_counts(quantity: str, paths: Mapping[str, str], folder: Path) -> list[dict[str, Any]]:
    """Read one judging of the student: files of verdicts overall, by section and by year.

    Args:
        quantity: what the counts are called.
        paths: `overall`, `section` and `year` to file.
        folder: of the release, for the names of sources.
    """
    [overall_right, overall_wrong] = (
        next(row for row in _verdicts(paths["overall"]) if row["deepseek_verdict"] == verdict)
        for verdict in ("CORRECT", "INCORRECT")
    )
    rows = [
        _count(
            quantity, "overall", "all", int(overall_right["Count"]), int(overall_wrong["Count"]),
            _source(paths["overall"], folder), overall_right["line"],
        )
    ]  # fmt: skip
    for kind in ("section", "year"):
        skipped = [] if "no_skipped" in Path(paths[kind]).name else ["SKIPPED"]
        for row in read_table(paths[kind], [kind, "CORRECT", "INCORRECT", *skipped]):
            group = SECTIONS[row[kind]] if kind == "section" else row[kind]
            rows.append(
                _count(
                    quantity, kind, group, int(row["CORRECT"]), int(row["INCORRECT"]),
                    _source(paths[kind], folder), row["line"],
                )
            )  # fmt: skip
    return rows


def level_counts(path: str, population: str, folder: Path) -> list[dict[str, Any]]:
    """Read the accuracies of the five levels, overall, by section and by year."""
    levels = {name: level for level, name in LEVELS.items()}
    rows = []
    for row in read_table(
        path, ["level", "breakdown", "group", "correct", "total", "accuracy_pct"]
    ):
        right, total = int(row["correct"]), int(row["total"])
        rows.append(
            {
                **_count(
                    "student", row["breakdown"], SECTIONS.get(row["group"], row["group"]), right,
                    total - right, _source(path, folder), row["line"],
                ),
                "level": levels[row["level"]],
                "population": population,
            }
        )  # fmt: skip
    return rows


def counted_rows(
    problems: Sequence[Mapping[str, Any]], audit: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Count questions, duplicates and overlaps from rows, overall, by section and by year."""
    asked = evaluated(problems)
    facts = {row["id"]: row for row in problems}
    repeated = [r for r in asked if any(flag.startswith("duplicate-of:") for flag in r["flags"])]
    placeholders = [row for row in problems if "placeholder" in row["flags"]]
    rows = _grouped("questions", asked, problems, "datafile/")
    rows += _grouped("placeholders", placeholders, problems, "datafile/")
    rows += _grouped("exact_duplicates", repeated, asked, "datafile/")
    sets: dict[str, list[Mapping[str, Any]]] = {}
    for row in audit:
        sets.setdefault(row["set"], []).append(row)
    for name, found in sets.items():
        level = None if name == "full" else name
        places = {part: [r for r in found if r["verbatim"][part]] for part in PARTS}
        places["any_part"] = [r for r in found if any(r["verbatim"].values())]
        for place, hits in places.items():
            rows += [
                {**row, "level": level}
                for row in _grouped(
                    f"in_{place}", [facts[r["problem"]] for r in hits], asked,
                    "data/" if level is None else f"runs/{LEVELS[level]}/data/",
                )
            ]  # fmt: skip
    return rows


def implied_counts(published: Mapping[str, Any], total: int, source: str) -> list[dict[str, Any]]:
    """Return the counts that the published percentages of all questions imply.

    Args:
        published: the content of resources/published.yaml.
        total: questions.
        source: the file's name.
    """
    rows = []
    for claim in published["claims"]:
        if claim["id"] in IMPLIED:
            percentage = claim["estimands"]["in_sample"]["value"]
            right = count_of_percentage(percentage, total)
            rows.append(
                {
                    **_count(
                        IMPLIED[claim["id"]], "overall", "all", right, total - right,
                        f"{source}: {claim['id']} {percentage:.2f} %", None,
                    ),
                    "origin": "percentage",
                }
            )  # fmt: skip
    return rows


def check_sums(rows: Sequence[Mapping[str, Any]], questions: Mapping[tuple[str, str], int]) -> None:
    """Refuse counts whose sections or years do not add up, or that exceed the questions.

    Args:
        rows: counts.
        questions: (group_kind, group) to the number of questions.

    Raises:
        ValueError: naming the quantity, the level and the sums.
    """
    sums: dict[tuple, Counter] = {}
    for row in rows:
        key = (row["quantity"], row["level"], row["population"])
        sums.setdefault(key, Counter())[row["group_kind"], "successes"] += row["successes"]
        sums[key][row["group_kind"], "total"] += row["total"]
        limit = questions[row["group_kind"], row["group"]]
        if not 0 <= row["successes"] <= row["total"] <= limit:
            raise ValueError(
                f"{row['source']}:{row['line']}: {row['successes']} of {row['total']} for "
                f"{row['group_kind']} {row['group']}, which has {limit} questions; restore the file"
            )
    for (quantity, level, population), counter in sums.items():
        for measure in ("successes", "total"):
            found = {
                kind: counter[kind, measure] for kind in GROUP_KINDS if (kind, measure) in counter
            }
            if len(set(found.values())) > 1:
                raise ValueError(
                    f"counts of {quantity} {level or ''} ({population}): {measure} by group add up "
                    f"to {found}; restore the release's files"
                )


def _grouped(
    quantity: str,
    hits: Sequence[Mapping[str, Any]],
    among: Sequence[Mapping[str, Any]],
    source: str,
) -> list[dict[str, Any]]:
    rows = []
    for kind in GROUP_KINDS:
        right = Counter(str(row.get(kind, "all")) for row in hits)
        total = Counter(str(row.get(kind, "all")) for row in among)
        rows += [
            {
                **_count(
                    quantity, kind, group, right[group], total[group] - right[group], source, None
                ),
                "origin": "rows",
            }
            for group in sorted(total)
        ]
    return rows


def _count(
    quantity: str, kind: str, group: str, right: int, wrong: int, source: str, line: int | None
) -> dict[str, Any]:
    return {
        "quantity": quantity,
        "level": None,
        "population": "all",
        "group_kind": kind,
        "group": group,
        "successes": right,
        "total": right + wrong,
        "origin": "file",
        "source": source,
        "line": line,
    }


def _verdicts(path: str) -> list[dict[str, Any]]:
    return read_table(path, ["deepseek_verdict", "Count", "Percentage (%)"])


def _source(path: str, folder: Path) -> str:
    return Path(path).relative_to(folder).as_posix()


def main(*, input, output) -> None:  # noqa: A002
    problems = [row for path in input.problems for row in read_jsonl(path)]
    folder = Path(input.overall).parent
    judged = verdict_counts(
        "student",
        {"overall": input.overall, "section": input.by_section, "year": input.by_year},
        folder,
    )
    other = verdict_counts(
        "student_other_adapter",
        {
            "overall": input.other_overall,
            "section": input.other_by_section,
            "year": input.other_by_year,
        },
        folder,
    )
    levels = level_counts(input.levels, "all", folder)
    levels += level_counts(input.levels_in_splits, "in_any_part", folder)
    counted = counted_rows(problems, read_jsonl(input.audit))
    questions = {
        (row["group_kind"], row["group"]): row["successes"]
        for row in counted
        if row["quantity"] == "questions"
    }
    published = yaml.safe_load(Path(input.published).read_text(encoding="utf-8"))
    implied = implied_counts(published, questions["overall", "all"], Path(input.published).name)
    splits = csv.DictReader(io.StringIO(Path(input.splits).read_text(encoding="utf-8")))
    verified = sum(int(row["rows"]) for row in splits if row["set"] == "full")
    counted.append(
        {**_count("verified_rows", "overall", "all", verified, 0, "data/", None), "origin": "rows"}
    )
    check_sums([*judged, *other, *levels], questions)
    rows = [
        {**row, "id": "/".join(row[key] or "-" for key in ID)}
        for row in [*judged, *other, *levels, *implied, *counted]
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), output.counts)
    losses = [{**row, "source": "TERMINAL.md"} for row in read_losses(input.log)]
    pq.write_table(pa.Table.from_pylist(losses), output.losses)
    for row in rows:
        if row["group_kind"] == "overall":
            print(
                f"{row['quantity']} {row['level'] or ''} ({row['population']}): "
                f"{row['successes']} of {row['total']} [{row['origin']}: {row['source']}]"
            )


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
