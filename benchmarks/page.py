"""Whether the page of a large study opens and filters quickly: `python -m benchmarks.page`.

Builds pages of made-up verdicts: one of 651 problems, six levels, five seeds and two benchmarks,
and one of five folds and five checkpoints more, 0.9 million answers in all. Prints the seconds
until the claims stand and until a claim's grid stands, and the milliseconds of a filter, in
Chromium, from file://. Needs Chromium (apt-get install chromium).
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from distil.report.page import evidence, shards

BUNDLE = Path(__file__).resolve().parents[1] / "distil" / "report" / "page" / "page.html"
LEVELS = ["R1", "R2", "R3", "R4", "R5", "R6"]
QUESTIONS = 651
CLAIM = [
    "C7",
    "Accuracy falls with the length",
    "effect",
    "held_out",
    "points",
    "5.0",
    "1.0",
    "9.0",
]


def make_answers(folds: int, checkpoints: int) -> pd.DataFrame:
    """Make up graded answers: base, teacher and five seeds of each fold, at every level."""
    rng = np.random.default_rng(1)
    names = [f"{2011 + place % 15}-fs-{place // 15:02}" for place in range(QUESTIONS)]
    runs = [("base", "base", None, None), ("teacher", "teacher", None, None)]
    runs += [
        (f"fold-{fold}/prompt/seed-{seed}", "student", seed, 100 * (step + 1))
        for fold in range(folds)
        for seed in range(1, 6)
        for step in range(checkpoints)
    ]
    frames = []
    for (run, role, seed, iteration), level, benchmark in itertools.product(
        runs, LEVELS, ("competition", "transfer")
    ):
        problems = names if benchmark == "competition" else [f"t-{n}" for n in range(QUESTIONS)]
        fold = run.partition("/")[0] if role == "student" else "fold-0"
        suffix = "" if iteration is None else f".{iteration:05}"
        frames.append(
            pd.DataFrame(
                {
                    "row": [f"{run}#{name}.{level}{suffix}" for name in problems],
                    "run": run, "role": role, "fold": fold, "variant": "prompt", "seed": seed,
                    "iteration": iteration, "level": level, "benchmark": benchmark,
                    "part": "test", "problem": problems, "cluster": problems,
                    "verdict": rng.choice(["right", "wrong"], QUESTIONS),
                    "words": rng.integers(5, 200, QUESTIONS),
                }
            )
        )  # fmt: skip
    return pd.concat(frames, ignore_index=True)


def build(top: Path, answers: pd.DataFrame) -> None:
    """Write a page with one claim that rests on every level of the first fold."""
    problems = {
        name: {
            "year": int(name[:4]) if name[0] == "2" else None,
            "section": "fs",
            "statement": f"Statement of {name}",
        }
        for name in set(answers["problem"])
    }
    questions = evidence.list_questions(answers, problems)
    columns = evidence.Columns(answers)
    numbers = columns.numbers(answers)
    homes = [evidence.shard_of(columns.list[number]) for number in numbers]
    frame = answers.assign(number=numbers, home=homes)
    for home, mine in frame.groupby("home"):
        found = evidence.verdicts(mine, mine["number"].tolist(), questions)
        shards.write(top / f"page/verdicts/{home}.js", f"verdicts/{home}", found)
    places = {row["id"]: place for place, row in enumerate(questions)}
    chosen = frame[frame["home"].isin(["common", "fold-0"]) & (frame["benchmark"] == "competition")]
    chosen = chosen[chosen["iteration"].isna() | (chosen["iteration"] == 100)]
    rows = {
        row: (number, places[problem])
        for row, number, problem in zip(
            chosen["row"], chosen["number"], chosen["problem"], strict=True
        )
    }
    found = evidence.Evidence(rows)
    names = ["id", "claim", "kind", "estimand", "unit", "here", "low", "high"]
    study = {
        "title": "A large study", "name": "large", "kind": "papers", "not_run": [],
        "sections": {"fs": "Freshman"},
        "settings": {"alpha": 0.05, "levels": LEVELS, "primary_stop": "nested"},
        "claims": {"columns": names, "rows": [CLAIM]}, "tables": {},
        "evidence": {"cells": {"C7/held_out": found.add(rows)}, "sets": found.sets},
        "questions": questions, "columns": columns.list, "curves": [], "stops": [],
        "duplicates": [], "review": [], "corrections": [], "answer_fields": [],
        "shards": {"verdicts": [], "texts": []},
    }  # fmt: skip
    shards.write(top / "page/study.js", "study", study)
    (top / "index.html").write_bytes(shards.fill(BUNDLE.read_text(encoding="utf-8"), "Large"))


def measure(top: Path) -> dict[str, float]:
    """Open the page three times and return the medians."""
    from playwright.sync_api import sync_playwright

    found: dict[str, list[float]] = {"claims": [], "grid": [], "filter": []}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for _ in range(3):
            page = browser.new_page()
            start = time.perf_counter()
            page.goto((top / "index.html").as_uri())
            page.wait_for_selector(".claim-list")
            found["claims"].append(time.perf_counter() - start)
            start = time.perf_counter()
            page.locator("a.claim").click()
            page.wait_for_selector("table.grid")
            found["grid"].append(time.perf_counter() - start)
            found["filter"].append(
                page.evaluate(
                    """async () => {
                        const input = document.querySelector('input[type="search"]');
                        const start = performance.now();
                        input.value = '2024';
                        input.dispatchEvent(new Event('input', {bubbles: true}));
                        const status = () => document.querySelector('[role="status"]').innerText;
                        const before = status();
                        while (status() === before) await new Promise(requestAnimationFrame);
                        return performance.now() - start;
                    }"""
                )
            )
            page.close()
        browser.close()
    return {name: float(np.median(values)) for name, values in found.items()}


def main() -> None:
    """Print the times of both pages."""
    for folds, checkpoints in ((1, 1), (5, 5)):
        answers = make_answers(folds, checkpoints)
        with tempfile.TemporaryDirectory() as name:
            build(Path(name), answers)
            times = measure(Path(name))
        print(
            f"{len(answers):,} answers: claims after {times['claims']:.2f} s, a claim's grid after "
            f"{times['grid']:.2f} s more, a filter in {times['filter']:.0f} ms"
        )


if __name__ == "__main__":
    main()
