"""A study of a few rows with real records, made in milliseconds, to change in one place at a time.

Every file is a hash of what its job reads and is told, so that whatever changes above shows below,
and nothing else does.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from distil.content.addresses import record_path
from distil.content.files import read_jsonl, write_jsonl
from distil.content.hashing import canonical_json, sha256_file, sha256_text
from distil.lineage.record import leave_record

STUDY = "forged"
MACHINE = {"host": "one", "platform": "Linux", "python": "3.11.7", "blas": {"core": "Zen"}}


@dataclass(frozen=True)
class World:
    """What a forged study is made from.

    Attributes:
        papers: {year: text of its PDF}; the first trains, the second validates, the last is tested.
        prompt: text of the student's prompt.
        rate, alpha: params of training and of the claims.
        seeds: what trains.
        modules, packages: {rule: {name: hash or version}} beside those each rule has.
        machine: what the history says of the machine.
        salt: {rule: text}: what a machine puts into its outputs unasked.
    """

    papers: dict[int, str] = field(default_factory=lambda: {2011: "a", 2012: "b", 2013: "c"})
    prompt: str = "Answer."
    rate: float = 0.001
    alpha: float = 0.05
    seeds: tuple[int, ...] = (1, 2)
    modules: dict[str, dict[str, str]] = field(default_factory=dict)
    packages: dict[str, dict[str, str]] = field(default_factory=dict)
    machine: dict = field(default_factory=lambda: MACHINE)
    salt: dict[str, str] = field(default_factory=dict)

    def but(self, **changes) -> World:
        return replace(self, **changes)


def number(*parts) -> int:
    """A whole number that depends on all parts."""
    return int(sha256_text(canonical_json(list(parts)))[:8], 16)


class Forge:
    """Makes a study in the working folder, as one run."""

    def __init__(self, world: World, run: str):
        self.world, self.run = world, run
        self.top = Path("results", STUDY)

    def path(self, name: str) -> Path:
        path = self.top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def told(self, rule: str):
        """What a job's outputs depend on beside its inputs."""
        return [
            self.world.modules.get(rule),
            self.world.packages.get(rule),
            self.world.salt.get(rule),
        ]

    def leave(self, rule, wildcards, params, inputs, outputs):
        wildcards = {"study": STUDY, **wildcards}
        fingerprint = {
            "modules": {f"scripts/{rule}.py": "0", **self.world.modules.get(rule, {})},
            "packages": self.world.packages.get(rule, {}),
            "python": "3.11",
        }
        files = {
            side: [
                {"name": name, "path": Path(path).as_posix(), "sha256": sha256_file(path),
                 "size": Path(path).stat().st_size}
                for name, path in sorted(listed, key=lambda pair: str(pair[1]))
            ]
            for side, listed in (("input", inputs), ("output", outputs))
        }  # fmt: skip
        record = {
            "format": 1, "rule": rule, "wildcards": wildcards, "params": params, **files,
            "script": f"scripts/{rule}.py", "code": sha256_text(canonical_json(fingerprint)),
            "fingerprint": fingerprint, "facts": {}, "executables": {},
        }  # fmt: skip
        happened = {
            "run": self.run, "started": f"2026-11-{self.run[-2:]}T10:00:00.000+00:00", "seconds": 1.0,
            **self.world.machine,
        }  # fmt: skip
        leave_record(record_path(STUDY, rule, wildcards), record, happened)

    def __call__(self) -> Path:
        world = self.world
        prompt = Path("prompts", "student.txt")
        prompt.parent.mkdir(exist_ok=True)
        prompt.write_text(world.prompt)
        problems, traces = {}, {}
        for year, text in world.papers.items():
            paper = Path("papers", f"{year}.pdf")
            paper.parent.mkdir(exist_ok=True)
            paper.write_text(text)
            problems[year] = self.path(f"problems/{year}.jsonl")
            write_jsonl(problems[year], [
                {"id": f"{year}-fs-{n:02d}", "statement": str(number(text, n, self.told("extract_problems")))}
                for n in (1, 2)
            ])  # fmt: skip
            self.leave("extract_problems", {"year": str(year)}, {}, [("papers", paper)],
                       [("problems", problems[year])])  # fmt: skip
        years = list(world.papers)
        for year in years[:2]:
            traces[year] = self.path(f"traces/{year}/traces.jsonl")
            write_jsonl(traces[year], [
                {"id": f"{row['id']}.R1", "problem": row["id"], "text": str(number(row))}
                for row in read_jsonl(problems[year])
            ])  # fmt: skip
            self.leave("verify_traces", {"year": str(year)}, {}, [("problems", problems[year])],
                       [("traces", traces[year])])  # fmt: skip
        folder = "temporal/prompt"
        rows = {}
        for part, year in zip(("train", "validation"), years, strict=False):
            rows[part] = self.path(f"datasets/{folder}/{part}.jsonl")
            write_jsonl(rows[part], read_jsonl(traces[year]))
        self.leave("split_datasets", {"fold": "temporal", "variant": "prompt"}, {},
                   [("problems", path) for path in problems.values()]
                   + [("traces", path) for path in traces.values()], list(rows.items()))  # fmt: skip
        adapters, curves = {}, {}
        for seed in world.seeds:
            place = f"adapters/{folder}/seed-{seed}"
            adapters[seed], curves[seed] = (
                self.path(f"{place}/{name}") for name in ("00010.safetensors", "curve.csv")
            )
            made = number([path.read_text() for path in rows.values()], world.rate, seed,
                          self.told("train_adapter"))  # fmt: skip
            adapters[seed].write_text(str(made))
            curves[seed].write_text(f"iteration,loss\n10,{made}\n")
            self.leave(
                "train_adapter", {"fold": "temporal", "variant": "prompt", "seed": str(seed)},
                {"learning_rate": world.rate}, list(rows.items()),
                [("checkpoints", adapters[seed]), ("curve", curves[seed])],
            )  # fmt: skip
        stops = self.path(f"adapters/{folder}/stops.json")
        stops.write_text(json.dumps({"nested": {"iteration": 10}, "seeds": world.seeds}))
        self.leave("choose_stops", {"fold": "temporal", "variant": "prompt"},
                   {"seeds": list(world.seeds)}, [("curves", path) for path in curves.values()],
                   [("stops", stops)])  # fmt: skip
        answers = self.answer(problems, prompt, adapters)
        self.claim(answers, stops, curves)
        return self.top

    def answer(self, problems, prompt, adapters):
        runs = {"base": None, **{f"temporal/prompt/seed-{s}": a for s, a in adapters.items()}}
        files, table = [], []
        for run, adapter in runs.items():
            predictions, grades = (
                self.path(f"{kind}/{run}.parquet") for kind in ("predictions", "grades")
            )
            rows = [
                {
                    "id": f"{row['id']}.R1", "problem": row["id"],
                    "text": str(number(row, self.world.prompt, adapter and adapter.read_text(),
                                       self.told("predict_answers"))),
                }
                for path in problems.values()
                for row in read_jsonl(path)
            ]  # fmt: skip
            pd.DataFrame(rows).to_parquet(predictions)
            self.leave("predict_answers", {"run": run}, {},
                       [("problems", path) for path in problems.values()]
                       + [("student_prompt", prompt)] + ([("adapters", adapter)] if adapter else []),
                       [("predictions", predictions)])  # fmt: skip
            graded = [
                {
                    "id": row["id"],
                    "verdict": str(number(row["text"], self.told("grade_predictions"))),
                }
                for row in rows
            ]
            pd.DataFrame(graded).to_parquet(grades)
            self.leave("grade_predictions", {"run": run}, {},
                       [("predictions", predictions)]
                       + [("problems", path) for path in problems.values()],
                       [("grades", grades)])  # fmt: skip
            files += [("predictions", predictions), ("grades", grades)]
            table += [{"row": f"{run}#{row['id']}", "verdict": row["verdict"]} for row in graded]
        answers = self.path("grades/answers.parquet")
        pd.DataFrame(table).to_parquet(answers)
        self.leave("collect_answers", {}, {"runs": list(runs)},
                   [*files, *(("problems", path) for path in problems.values())],
                   [("answers", answers)])  # fmt: skip
        return answers

    def claim(self, answers, stops, curves):
        graded = {row["row"]: row for row in pd.read_parquet(answers).to_dict("records")}
        last = str(max(self.world.papers))
        cells = {
            "C1/in_sample": [row for row in graded if row.startswith("base#")],
            "C1/held_out": [row for row in graded if row.startswith(f"base#{last}")],
            "C3/held_out": [row for row in graded if f"#{last}" in row and "seed-" in row],
            "C6/validation": [f"curve/temporal/prompt/seed-{seed}/10" for seed in curves],
        }
        table, sources = [], []
        for name, rows in cells.items():
            claim, _, estimand = name.partition("/")
            content = [graded[row] for row in rows if row in graded] or [
                path.read_text() for path in curves.values()
            ]
            here = number(content, self.told("judge_claims"))
            table.append({"id": claim, "estimand": estimand, "here": here,
                          "low": here - self.world.alpha, "p_holm": ""})  # fmt: skip
            sources += [
                (claim, estimand, column, row) for column in ("here", "low") for row in rows
            ]
        csv_path, rows_path = self.path("claims/claims.csv"), self.path("claims/rows.parquet")
        with csv_path.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(table[0]))
            writer.writeheader()
            writer.writerows(table)
        pd.DataFrame(sources, columns=["claim", "estimand", "column", "row"]).to_parquet(rows_path)
        self.leave("judge_claims", {}, {"alpha": self.world.alpha},
                   [("answers", answers), ("stops", stops)]
                   + [("curves", path) for path in curves.values()],
                   [("csv", csv_path), ("rows", rows_path)])  # fmt: skip
