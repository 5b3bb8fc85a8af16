"""Estimate of a named study's teacher, from its study file and the problems that were read."""

from __future__ import annotations

from pathlib import Path

from distil.content.files import read_jsonl
from distil.datasets.splits import needed_levels
from distil.study.inventory import open_named
from distil.study.shape import Study
from distil.teacher import estimate
from distil.teacher.journal import Journal
from distil.teacher.settings import RunSettings


def print_estimate(name: str) -> int:
    """Print what a study's teacher will cost; return exit code 0.

    Raises:
        ValueError: the study has no teacher, or its problems have not been read.
    """
    study, where = open_named(name)
    if not isinstance(study, Study):
        raise ValueError(f"{name}: a re-analysis of a release asks no teacher")  # noqa: TRY004
    files = [Path(file) for file in study.problems()]
    if missing := [file for file in files if not file.is_file()]:
        raise ValueError(
            f"{missing[0]}: not there; the estimate counts problems, so read the exams first: "
            f"snakemake --cores 1 --until correct_problems --configfile {where}"
        )
    problems = [row for file in files for row in read_jsonl(file)]
    years = {row["id"]: row["year"] for row in problems if row["year"] in study.traced_years}
    keyed = {row["id"] for row in problems if row["answer"]}
    needed = needed_levels(years, study.level_choice(), study.levels)
    section = study.config["teacher"]
    lines = estimate.estimate(
        name,
        {agent: study.teacher(agent) for agent in ("solver", "distiller", "verifier")},
        study.how(),
        {agent: study.prompt(f"{agent}.txt") for agent in ("solver", "distiller", "verifier")},
        problems,
        sum(len(levels) for problem, levels in needed.items() if problem in keyed),
    )
    journal = Journal(Path("state") / name / "teacher")
    journal.refresh()
    currency = section.get("currency", RunSettings.currency)
    cap = section.get("money_cap", RunSettings.money_cap)
    print(estimate.as_text(lines, currency, cap, journal.charged()))
    return 0
