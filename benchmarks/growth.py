"""Time and memory of each step against the number of answers: the table in docs/cluster.md.

    python -m benchmarks.growth [--sizes 0.1 0.3 1] [--steps grade collect ...] [--folder FOLDER]

A study in the shape of the paper study (six folds, seven sets of adapters, five seeds, 15
years, six levels, MATH-500) is made up. Size 1 has 0.9 million answers; smaller sizes have
proportionally fewer questions. Its answers, verdicts and stops are drawn at random; texts are of
the length that the paper study's are. Each step then runs the product's own code in a process of
its own, under the record that a job leaves, and is measured there: CPU seconds with those of its
workers, and the most memory that it held. Slopes are of log seconds on log answers.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from distil.claims.plan import claims_digest  # noqa: E402
from distil.content.addresses import record_path  # noqa: E402
from distil.content.files import write_jsonl  # noqa: E402
from distil.content.fingerprint import describe, fingerprint  # noqa: E402
from distil.content.hashing import sha256_file, sha256_text  # noqa: E402

STUDY = "growth"
TOP = Path("results", STUDY)
YEARS = list(range(2011, 2026))
SECTIONS = {"fs": "Freshman-Sophomore", "js": "Junior-Senior", "tp": "Two-Person Speed"}
LEVELS = ["R1", "R2", "R3", "R4", "R5", "R6"]
VARIANTS = ["prompt", *(level.lower() for level in LEVELS)]
SEEDS = [1, 2, 3, 4, 5]
CHECKPOINTS = [100, 200, 400, 600, 800, 1000]
NESTED = 600
# Questions a year and of the other benchmark at size 1.
QUESTIONS, OTHER = 68, 500
TEXT = "so the sum of these values is then equal to half of that product and we divide by two"
WORDS = [
    *TEXT.split(),
    "which",
    "gives",
    "area",
    "of",
    "the",
    "square",
    "root",
    "over",
    "x",
    "plus",
]
CLAIMS = {
    "alpha": 0.05, "margin": 2.0, "speed_section": "tp", "clusters": "text", "strata": None,
    "missing": "refuse", "primary_stop": "nested", "levels": LEVELS, "sections": SECTIONS,
    "bootstrap": {"replicates": 2000, "seed": 20260630}, "published": True, "title": "Growth",
}  # fmt: skip
TABLES = (
    "levels",
    "seeds",
    "stops",
    "leakage",
    "graders",
    "multiverse",
    "agreement",
    "disagreements",
)
FIGURES = ("claims", "curves", "words", "sections", "seeds", "checkpoints", "discordance", "stops",
           "graders", "multiverse")  # fmt: skip
STEPS = ("grade", "collect", "claims", "figures", "page", "explain", "used_by", "verify", "diff")


def folds() -> dict[str, dict[str, list[int]]]:
    """Return the six folds of the paper study."""
    found = {"temporal": {"train": YEARS[:9], "validation": YEARS[9:11], "test": YEARS[11:]}}
    for number in range(5):
        test, validation = YEARS[number::5], YEARS[(number + 1) % 5 :: 5]
        train = [year for year in YEARS if year not in test + validation]
        found[f"year{number + 1}"] = {"train": train, "validation": validation, "test": test}
    return found


def runs() -> list[str]:
    """Return the teacher, the base and every run of the student."""
    trained = [f"{f}/{v}/seed-{s}" for f in folds() for v in VARIANTS for s in SEEDS]
    return ["teacher", "base", *trained]


# ---------------------------------------------------------------------------------- making it up


def make_problems(size: float) -> dict[int | None, list[str]]:
    """Write problems, clusters, stops and curves; return the ids of each year, and of MATH-500."""
    ids: dict[int | None, list[str]] = {}
    for year in [*YEARS, None]:
        count = max(3, round((QUESTIONS if year else OTHER) * size))
        names = [
            f"{year}-{list(SECTIONS)[n % 3]}-{n // 3 + 1:02d}" if year else f"math500-{n + 1:03d}"
            for n in range(count)
        ]
        rows = [
            {"id": name, "year": year, "section": name.split("-")[1] if year else None,
             "statement": f"Find the value of {name}.", "statement_plain": "Find it.",
             "answer": str(17 + n), "answer_raw": str(17 + n), "flags": [], "options": [],
             "number": str(n + 1)}
            for n, name in enumerate(names)
        ]  # fmt: skip
        file = TOP / (f"problems/{year}.jsonl" if year else "benchmarks/math500.jsonl")
        file.parent.mkdir(parents=True, exist_ok=True)
        write_jsonl(file, rows)
        rule = "correct_problems" if year else "import_benchmark"
        leave(rule, {"year": str(year)} if year else {"benchmark": "math500"}, [], [file])
        ids[year] = names
    file = TOP / "tables/problems.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    taken = [
        f"{name},{year},{name.split('-')[1]},taken,,,,"
        for year in YEARS for name in sorted(ids[year])
    ]  # fmt: skip
    heads = "problem,year,section,fate,reason,published,note,flags"
    file.write_text("\n".join([heads, *taken]) + "\n")
    leave("tabulate_problems", {}, [], [file])
    every = [name for names in ids.values() for name in names]
    file = TOP / "datasets/clusters.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"problem": every, "cluster": every}), file)
    leave("cluster_problems", {}, [], [file])
    return ids


def make_adapters() -> None:
    """Write the stops and the validation curves."""
    for fold in folds():
        for variant in VARIANTS:
            folder = TOP / "adapters" / fold / variant
            for seed in [*SEEDS, 100]:
                (folder / f"seed-{seed}").mkdir(parents=True, exist_ok=True)
                losses = [
                    f"{i},{0.5 + abs(i - 600) / 4000 + seed / 9000}" for i in range(0, 1001, 50)
                ]
                (folder / f"seed-{seed}/curve.csv").write_text(
                    "iteration,loss\n" + "\n".join(losses) + "\n"
                )
            stops = {
                "nested": {"iteration": NESTED}, "horizon": {"iteration": 1000},
                "patience": {"iteration": 800}, "one_se": {"iteration": 400},
                "pilot": {"iteration": 400, "seed": 100, "lowest_loss_at": 400},
                "seed": {str(seed): 200 * (1 + seed % 4) for seed in SEEDS},
            }  # fmt: skip
            (folder / "stops.json").write_text(json.dumps(stops))
            places = {"fold": fold, "variant": variant}
            curves = sorted(folder.glob("*/curve.csv"))
            for curve, seed in zip(curves, sorted([*SEEDS, 100], key=str), strict=True):
                leave("train_adapter", {**places, "seed": str(seed)}, [], [curve])
            leave("choose_stops", places, curves, [folder / "stops.json"])


def asked(run: str, ids: dict[int | None, list[str]]) -> list[tuple[str, str, int | None]]:
    """Return what a run answers: problem, level, checkpoint."""
    every = [name for year in YEARS for name in ids[year]]
    if run == "teacher":
        return [(name, "R1", None) for name in every]
    if run == "base":
        return [(name, level, None) for name in every + ids[None] for level in LEVELS]
    fold = run.split("/")[0]
    tested = [name for year in folds()[fold]["test"] for name in ids[year]]
    found = [(name, "R1", NESTED) for name in every + ids[None]]
    found += [(name, level, NESTED) for name in tested for level in LEVELS[1:]]
    return found + [(name, "R1", step) for name in tested for step in CHECKPOINTS if step != NESTED]


def make_run(run: str, ids: dict[int | None, list[str]], seed: int) -> int:
    """Write a run's predictions and verdicts; return how many."""
    rng = np.random.default_rng(seed)
    rows = sorted(
        (f"{name}.{level}" + (f".{step:05d}" if step else ""), name, level, step)
        for name, level, step in asked(run, ids)
    )
    count = len(rows)
    words = rng.integers(40, 90, count)
    drawn = rng.integers(0, len(WORDS), (count, 90))
    right = rng.random(count) < 0.8
    texts = [
        " ".join(WORDS[w] for w in drawn[n, : words[n]]) + f" \\boxed{{{17 + n % 50}}}"
        for n in range(count)
    ]
    columns = {
        "id": [row[0] for row in rows], "problem": [row[1] for row in rows],
        "benchmark": ["math500" if row[1].startswith("math") else "competition" for row in rows],
        "level": [row[2] for row in rows],
        "iteration": pa.array([row[3] for row in rows], pa.int64()),
        "adapter_sha256": [sha256_text(f"{run}{row[3]}") for row in rows],
        "prompt_sha256": [sha256_text(row[1]) for row in rows], "text": texts,
        "token_ids_sha256": [sha256_text(text) for text in texts], "tokens": words * 2,
        "words": words, "finish": np.where(rng.random(count) < 0.01, "length", "stop"),
    }  # fmt: skip
    verdicts = np.where(right, "right", np.where(rng.random(count) < 0.02, "unknown", "wrong"))
    second = np.where(rng.random(count) < 0.01, "unknown", verdicts)
    graded = {
        "id": columns["id"], "problem": columns["problem"], "verdict": verdicts,
        "strict_verdict": verdicts, "second_verdict": second,
        "reason": np.where(right, "", "other value"),
        "extracted": [f"{17 + n % 50}" for n in range(count)], "rule": ["integer"] * count,
    }  # fmt: skip
    for kind, rule, content in (
        ("predictions", "predict_teacher" if run == "teacher" else "predict_answers", columns),
        ("grades", "grade_predictions", graded),
    ):
        file = TOP / kind / f"{run}.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(content), file, compression="zstd")
        inputs = [TOP / "predictions" / f"{run}.parquet"] if kind == "grades" else []
        alone = rule == "predict_teacher"
        leave(rule, {} if alone else {"run": run}, inputs, [file])
    return count


def leave(rule: str, wildcards: dict[str, str], inputs: list[Path], outputs: list[Path]) -> None:
    """Leave the record of a made-up job."""
    from distil.lineage.record import leave_record

    script = f"scripts/{rule}.py"
    whole = {"study": STUDY, **wildcards}
    sides = [
        [
            {
                "name": path.stem, "path": path.as_posix(), "sha256": sha256_file(path),
                "size": path.stat().st_size,
            }
            for path in side
        ]
        for side in (inputs, outputs)
    ]  # fmt: skip
    record = {
        "format": 1, "rule": rule, "wildcards": whole, "params": {}, "input": sides[0],
        "output": sides[1], "script": script, "code": fingerprint(script),
        "fingerprint": describe(script), "executables": {}, "facts": {},
    }  # fmt: skip
    happened = {
        "run": "20261128T000000-0000",
        "started": "2026-11-28T00:00:00.000+00:00",
        "seconds": 1.0,
    }
    leave_record(record_path(STUDY, rule, whole), record, happened)


def make(size: float) -> int:
    """Make up a study of a size; return its answers."""
    ids = make_problems(size)
    make_adapters()
    return sum(make_run(run, ids, seed) for seed, run in enumerate(runs()))


# ---------------------------------------------------------------------------------------- steps


def listed(values: dict[str, Any]) -> Any:
    """Return files by name, in the form in which Snakemake hands them to a script."""
    from snakemake.iocontainers import Namedlist

    found: Any = Namedlist()
    for name, value in values.items():
        start = len(found)
        found.extend([value] if isinstance(value, str) else value)
        found._set_name(name, start, end=None if isinstance(value, str) else len(found))
    return found


def job(rule: str, wildcards: dict[str, str], inputs: dict, outputs: dict, settings: dict) -> Any:
    """Return what Snakemake would hand to a script."""
    from snakemake.iocontainers import Params, ResourceList, Wildcards

    for path in (
        p for value in outputs.values() for p in ([value] if isinstance(value, str) else value)
    ):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    params = {"settings": settings, "code": fingerprint(f"scripts/{rule}.py"), "sources": {}}
    return SimpleNamespace(
        rule=rule, wildcards=Wildcards(fromdict={"study": STUDY, **wildcards}),
        config={"how": {"grading": {"workers": 1}}},
        input=listed(inputs), output=listed(outputs),
        params=Params(fromdict=params), log=[], threads=1, resources=ResourceList(fromdict={}),
    )  # fmt: skip


def problems() -> list[str]:
    """Return the files of problems."""
    return [f"{TOP}/problems/{year}.jsonl" for year in YEARS]


def adapters() -> tuple[list[str], list[str]]:
    """Return the files of stops and of curves."""
    sets = [f"{TOP}/adapters/{fold}/{variant}" for fold in folds() for variant in VARIANTS]
    return (
        [f"{one}/stops.json" for one in sets],
        [f"{one}/seed-{seed}/curve.csv" for one in sets for seed in [*SEEDS, 100]],
    )


def grade_job() -> Any:
    """Grade one run: the base, which answers most."""
    return job(
        "grade_predictions", {"run": "base"},
        {"predictions": f"{TOP}/predictions/base.parquet",
         "problems": [*problems(), f"{TOP}/benchmarks/math500.jsonl"]},
        {"grades": f"{TOP}/grades/base.parquet"},
        {"limits": {"memory_mb": 2000, "cpu_seconds": 4}},
    )  # fmt: skip


def collect_job() -> Any:
    """Join predictions, verdicts and problems."""
    return job(
        "collect_answers", {},
        {"problems": problems(), "benchmarks": [f"{TOP}/benchmarks/math500.jsonl"],
         "clusters": f"{TOP}/datasets/clusters.parquet", "truth": [],
         "predictions": [f"{TOP}/predictions/{run}.parquet" for run in runs()],
         "grades": [f"{TOP}/grades/{run}.parquet" for run in runs()], "judgements": []},
        {"answers": f"{TOP}/grades/answers.parquet"}, {"runs": runs(), "folds": folds()},
    )  # fmt: skip


def claims_settings() -> dict[str, Any]:
    """Return the settings that the claims are judged under."""
    return {
        **CLAIMS,
        "claims_sha256": claims_digest(ROOT / "resources/published.yaml"),
        "runs": runs(),
    }


def claims_job() -> Any:
    """Judge the claims and write every table."""
    stops, curves = adapters()
    suffixes = ("csv", "md", "rows.parquet", "html")
    claims = [f"{TOP}/claims/claims.{end}" for end in ("csv", "md", "tex", "html")]
    return job(
        "judge_claims", {},
        {"answers": f"{TOP}/grades/answers.parquet",
         "grades": [f"{TOP}/grades/{run}.parquet" for run in runs()], "problems": problems(),
         "benchmarks": [f"{TOP}/benchmarks/math500.jsonl"], "stops": stops, "curves": curves,
         "accounted": f"{TOP}/tables/problems.csv",
         "published": str(ROOT / "resources/published.yaml")},
        {"claims": [*claims, f"{TOP}/claims/rows.parquet"],
         **{name: [f"{TOP}/tables/{name}.{end}" for end in suffixes] for name in TABLES}},
        claims_settings(),
    )  # fmt: skip


def figures_job() -> Any:
    """Draw every figure."""
    stops, curves = adapters()
    return job(
        "draw_figures", {},
        {"answers": f"{TOP}/grades/answers.parquet", "stops": stops, "curves": curves,
         "tested": f"{TOP}/claims/claims.csv"},
        {name: [f"{TOP}/figures/{name}.{end}" for end in ("png", "svg")] for name in FIGURES},
        claims_settings(),
    )  # fmt: skip


def page_job() -> Any:
    """Build the page."""
    stops, curves = adapters()
    empty = {name: [] for name in ("crops", "solutions", "traces", "duplicates", "excluded")}
    return job(
        "build_page", {},
        {"tables": [f"{TOP}/tables/{name}.csv" for name in TABLES],
         "table_rows": [f"{TOP}/tables/{name}.rows.parquet" for name in TABLES], **empty,
         "benchmarks": [f"{TOP}/benchmarks/math500.jsonl"],
         "answers": [f"{TOP}/grades/answers.parquet"],
         "predictions": [f"{TOP}/predictions/{run}.parquet" for run in runs()],
         "grades": [f"{TOP}/grades/{run}.parquet" for run in runs()], "curves": curves,
         "stops": stops, "bundle": str(ROOT / "distil/report/page/page.html"),
         "claims": f"{TOP}/claims/claims.csv", "claim_rows": f"{TOP}/claims/rows.parquet",
         "problems": problems()},
        {"index": f"{TOP}/index.html", "study": f"{TOP}/page/study.js",
         "cells": f"{TOP}/page/cells.js",
         "verdicts": [f"{TOP}/page/verdicts/{name}.js" for name in ("common", *folds())],
         "texts": [f"{TOP}/page/texts/{name}.js" for name in (*map(str, YEARS), "math500")]},
        {"title": "Growth", "kind": "papers", "takes_corrections": True,
         "include_statements": False, "not_run": [], "sections": SECTIONS, "runs": runs(),
         "corrections": [], "claims": claims_settings()},
    )  # fmt: skip


JOBS = {"grade": grade_job, "collect": collect_job, "claims": claims_job, "figures": figures_job,
        "page": page_job}  # fmt: skip


def run_step(name: str) -> None:
    """Run a step in the working folder."""
    from distil.audit import commands
    from distil.content.scripts import load_script
    from distil.lineage.record import run

    if name in JOBS:
        made = JOBS[name]()
        run(load_script(made.rule).main, made)
    elif name in ("explain", "used_by"):
        target = "C1:here:in_sample" if name == "explain" else "2014-fs-01"
        code = commands.run_explain(
            STUDY, target, used_by=name == "used_by", json=False, html=False, most=3
        )
        require(name, code, 0)
    elif name == "verify":
        from distil.audit.verify import verify
        from distil.lineage.history import close_run

        # Without a study file there is no plan, and the tables are not computed a second time.
        close_run(TOP / "lineage", "growth")
        told = verify(STUDY)
        for fault in told[:5]:
            print(fault)
        require(name, len(told), 0)
    elif name == "diff":
        other = Path("other")
        if not other.exists():
            import shutil

            shutil.copytree(TOP, other, copy_function=os.link)
        edited = other / "tables/levels.csv"
        text = edited.read_text()
        edited.unlink()
        edited.write_text(text.replace("R1", "R1", 1).replace(".0", ".1", 1))
        require(name, commands.run_diff(STUDY, str(TOP), str(other), json=True), 1)


def require(name: str, found: int, wanted: int) -> None:
    """Stop where a step did not end as it should."""
    if found != wanted:
        raise SystemExit(f"{name}: {found} where {wanted} was expected")


def measure(size: float, step: str, folder: Path) -> tuple[float, float, float] | None:
    """Run a step in a process of its own; return CPU seconds, seconds and megabytes at most."""
    clock = time.monotonic()
    child = os.fork()
    if not child:
        os.chdir(folder)
        out = os.open(f"{step}.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        command = [sys.executable, "-m", "benchmarks.growth", "--step", step, "--sizes", str(size)]
        os.execve(sys.executable, command, {**os.environ, "PYTHONPATH": str(ROOT)})  # noqa: S606
    _, status, used = os.wait4(child, 0)
    if status:
        print(f"{step} failed; see {folder / step}.log", file=sys.stderr)
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return used.ru_utime + used.ru_stime, time.monotonic() - clock, used.ru_maxrss * unit / 1e6


def slope(points: list[tuple[int, float]]) -> float:
    """Return the slope of log seconds on log answers between the first and the last size."""
    (small, few), (large, many) = points[0], points[-1]
    return math.log(many / few) / math.log(large / small)


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", type=float, nargs="+", default=[0.1, 1.0])
    parser.add_argument("--steps", nargs="+", default=list(STEPS), choices=STEPS)
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "growth")
    parser.add_argument("--step", choices=("make", *STEPS), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step == "make":
        print(make(given.sizes[0]))
        return 0
    if given.step:
        run_step(given.step)
        return 0
    measured: dict[str, list] = {step: [] for step in given.steps}
    answers = []
    for size in given.sizes:
        folder = given.folder / f"{size:g}"
        if not (folder / "answers").exists():
            folder.mkdir(parents=True, exist_ok=True)
            if measure(size, "make", folder) is None:
                return 1
            (folder / "make.log").rename(folder / "answers")
        answers.append(int((folder / "answers").read_text().split()[-1]))
        for step in given.steps:
            found = measure(size, step, folder)
            measured[step].append(found)
            shown = (
                "failed" if found is None else "{:.1f} CPU s, {:.1f} s, {:.0f} MB".format(*found)
            )
            print(f"{answers[-1]:>9,} answers: {step}: {shown}", flush=True)
    heads = "".join(f" {count:,} answers: CPU s | MB |" for count in answers)
    print(f"\n| step |{heads} slope |\n|---|{'---:|---:|' * len(answers)}---:|")
    for step, found in measured.items():
        if None in found:
            continue
        cells = "".join(f" {cpu:.1f} | {mb:,.0f} |" for cpu, _, mb in found)
        points = [(count, one[0]) for count, one in zip(answers, found, strict=True)]
        shown = f"{slope(points):.2f}" if len(points) > 1 else ""
        print(f"| {step} |{cells} {shown} |")
    return int(any(None in found for found in measured.values()))


if __name__ == "__main__":
    sys.exit(main())
