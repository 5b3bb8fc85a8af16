"""The teacher's stages run from a study file: read, checked and handed on as the rules do it.

Nothing here builds settings: a study file does, by the product's own check and shape. The stages
run in this process, which takes milliseconds where a `snakemake` takes seconds; other tests of this
folder go through that.
"""

from __future__ import annotations

import contextlib
import io
import random
from pathlib import Path
from types import SimpleNamespace

import yaml

from distil.content.files import read_jsonl, write_jsonl
from distil.content.fingerprint import sorted_keys
from distil.study import config as configuration
from distil.study.shape import open_study
from distil.synthetic import contest
from distil.synthetic.teacher import answer_problem
from distil.synthetic.templates import Item, draw_item
from distil.teacher.journal import Journal
from scripts import distill_traces, solve_problems, verify_traces

ROOT = Path(__file__).resolve().parents[2]
MODELS = {
    f"sample-{agent}": {"input": 1.0, "output": 2.0}
    for agent in ("solver", "distiller", "verifier", "judge")
}


def merge(value: dict, changes: dict) -> dict:
    """Return a mapping with changes, merged as Snakemake merges study files."""
    merged = dict(value)
    for key, change in changes.items():
        both = isinstance(change, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], change) if both else change
    return merged


def study_file(path: Path, url: str, host: dict | None = None, **teacher) -> Path:
    """Write the micro study's file with one real host at an address and changes to `teacher`."""
    config = yaml.safe_load((ROOT / "config.micro.yaml").read_text(encoding="utf-8"))
    own = {"base_url": url, "concurrency": 4, "prices_dated": "2026-11-24", "models": MODELS}
    quick = {"backoff_seconds": 0.05, "longest_backoff_seconds": 0.2, "money_cap": 50.0}
    section = merge({**config["teacher"], **quick}, teacher)
    section["hosts"] = {**section["hosts"], "r1": merge(own, host or {})}
    for agent in section["agents"].values():
        agent["host"] = "r1"
    config["teacher"] = section
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def is_solved(item: Item) -> bool:
    """Tell whether the sample's teacher gets a question right."""
    listed = "\n".join(f"{option['label']}. {option['text']}" for option in item.labelled)
    _, content = answer_problem(f"Problem: {item.statement}\nOptions: {listed}")
    return content.endswith((f" {item.solution.written}", f" {item.solution.answer}"))


def write_problems(count: int) -> list[dict]:
    """Write problems of the year 2011 that the sample's teacher can solve."""
    generator = random.Random(3)
    rows, known = [], set()
    while len(rows) < count:
        number = len(rows)
        template = contest.CONTEST[number % len(contest.CONTEST)]
        item = draw_item(template, template.familiar, generator, reserved=True)
        if item.statement in known or not is_solved(item):
            continue
        known.add(item.statement)
        rows.append(
            {
                "id": f"2011-fs-{number + 1:02d}",
                "year": 2011,
                "section": "fs",
                "statement": item.statement,
                "options": item.labelled,
                "answer": item.solution.answer,
            }
        )
    write_jsonl("problems.jsonl", rows)
    return rows


def run_stages(file: Path, stages: tuple[str, ...] = ("solve",)) -> SimpleNamespace:
    """Run stages of the teacher from a study file in the current folder.

    Returns:
        code (0, or the exit code of the job that was stopped), said (what it printed), asked
        (requests of this run) and the rows of what was made.
    """
    log = io.StringIO()
    asked, code = 0, 0
    # Prompts and the model are named relative to the repository.
    with contextlib.chdir(ROOT):
        config = configuration.check([file], yaml.safe_load(file.read_text(encoding="utf-8")))
    study = open_study(config)
    prompts = SimpleNamespace(
        **{
            name: str(ROOT / study.prompt(f"{name}.txt"))
            for name in ("solver", "distiller", "repair", "verifier")
        },
        levels=str(ROOT / study.prompt("levels.yaml")),
    )
    jobs = {
        "solve": (solve_problems, "solver", "solutions", "solver_responses"),
        "distill": (distill_traces, "distiller", "distillations", "distiller_responses"),
        "verify": (verify_traces, "verifier", "traces", "verifier_responses"),
    }
    for stage in stages:
        script, agent, rows, responses = jobs[stage]
        read = SimpleNamespace(
            **vars(prompts), problems="problems.jsonl", solutions="solutions.jsonl",
            distillations="distillations.jsonl",
        )  # fmt: skip
        if stage == "distill":
            read.problems = ["problems.jsonl"]
        written = SimpleNamespace(**{rows: f"{rows}.jsonl", "responses": f"{responses}.jsonl"})
        settings = sorted_keys(
            {
                "teacher": study.teacher(agent), "levels": study.levels,
                "plan": study.level_choice(), "traces": study.trace_making(),
            }
        )  # fmt: skip
        params = SimpleNamespace(study=study.name, year="2011", **settings)
        with contextlib.redirect_stderr(log):
            try:
                report = script.main(input=read, output=written, params=params, how=study.how())
            except SystemExit as stopped:
                print(stopped, file=log)
                code = stopped.code
                break
        asked += report["history"]["teacher"]["asked_now"]
    found = {
        path.stem: read_jsonl(path) for path in Path().glob("*.jsonl") if path.stem != "problems"
    }
    return SimpleNamespace(code=code, said=log.getvalue(), asked=asked, **found)


def journal() -> Journal:
    """The journal of the study in the current folder."""
    found = Journal("state/micro/teacher")
    found.refresh()
    return found
