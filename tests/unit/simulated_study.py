"""A study made of random numbers, in the very shape the upstream rules write."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from distil.claims.plan import claims_digest

LEVELS = ["R1", "R2", "R3", "R4", "R5", "R6"]
WORDS = {"R1": 60, "R2": 30, "R3": 18, "R4": 11, "R5": 7, "R6": 4}
CHECKPOINTS = [50, 100, 150, 200, 250]
SETTINGS = {
    "alpha": 0.05,
    "margin": 2.0,
    "speed_section": "tp",
    "clusters": "text",
    "strata": None,
    "missing": "refuse",
    "claims_sha256": claims_digest("resources/published.yaml"),
    "primary_stop": "nested",
    "levels": LEVELS,
    "sections": {"fs": "Freshman-Sophomore", "js": "Junior-Senior", "tp": "Two-Person Speed"},
    "bootstrap": {"replicates": 500, "seed": 7},
    "published": False,
    "title": "Simulated study",
}
TEMPORAL = {
    "temporal": {"train": [2011, 2012], "validation": [2013], "test": [2014, 2015, 2016]},
}
STOPS = {
    "pilot": {"seed": 100, "iteration": 100},
    "nested": {"iteration": 150},
    "seed": {"1": 100, "2": 150, "3": 150, "4": 200, "5": 150},
    "patience": {"iteration": 150},
    "one_se": {"iteration": 100},
    "horizon": {"iteration": 250},
}


def curve(seed):
    """A validation loss that falls, turns near iteration 150 and rises."""
    rng = np.random.default_rng(seed)
    steps = np.arange(0, 251, 10)
    loss = 0.08 + 0.28 * np.exp(-steps / 45) + 1.2e-6 * np.clip(steps - 120, 0, None) ** 2
    return pd.DataFrame({"iteration": steps, "loss": loss + rng.normal(0, 0.001, len(steps))})


def answers(folds=TEMPORAL, *, gain=0.12, questions=12, seed=0, section_drop=0.25, unknown=0.03):
    """Graded answers of base, teacher and five seeds, with a known mean gain."""
    rng = np.random.default_rng(seed)
    years = sorted({year for parts in next(iter(folds.values())).values() for year in parts})
    problems = [
        (f"{year}-{section}-{number:02d}", year, section)
        for year in years
        for section in ("fs", "js", "tp")
        for number in range(1, questions + 1)
    ]
    transfer = [(f"transfer-{number:03d}", None, None) for number in range(1, 61)]
    skill = {name: rng.normal(0, 1.0) for name, _, _ in problems + transfer}
    rows = []

    def verdict(probability):
        if rng.random() < unknown:
            return "unknown"
        return "right" if rng.random() < probability else "wrong"

    def add(run, role, fold, variant, number, iteration, level, problem, part, probability):
        name, year, section = problem
        outcome = verdict(probability)
        rows.append(
            {
                "row": f"{run}#{name}.{level}@{iteration}",
                "role": role,
                "run": run,
                "fold": fold,
                "variant": variant,
                "seed": number,
                "iteration": iteration,
                "level": level,
                "benchmark": "competition" if year else "transfer",
                "part": part,
                "problem": name,
                "cluster": name,
                "year": year,
                "section": section,
                "verdict": outcome,
                "strict_verdict": "wrong" if rng.random() < 0.02 else outcome,
                "second_verdict": outcome if rng.random() < 0.98 else "wrong",
                "judge_verdict": None,
                "words": max(1, int(rng.poisson(WORDS[level]))),
                "finish": "stop",
            }
        )

    def probability(problem, lift, level):
        step = LEVELS.index(level) / 5
        fall = 0.3 * step + (section_drop * step if problem[2] == "tp" else 0)
        logit = skill[problem[0]] + 0.2
        return float(np.clip(1 / (1 + np.exp(-1.5 * logit)) + lift - fall, 0.01, 0.99))

    # Base and teacher answer once; their answers stand in every fold.
    for fold, parts in folds.items():
        part_of = {year: part for part, chosen in parts.items() for year in chosen}
        for problem in problems + transfer:
            part = part_of.get(problem[1])
            levels = LEVELS if part == "test" else LEVELS[:1]
            for level in levels:
                rng = np.random.default_rng([seed, 1, hash_of(problem[0] + level)])
                chance = probability(problem, 0, level)
                add("base", "base", fold, None, None, None, level, problem, part, chance)
            if problem[1]:
                rng = np.random.default_rng([seed, 2, hash_of(problem[0])])
                add("teacher", "teacher", fold, None, None, None, "R1", problem, part, 0.93)
            for number in range(1, 6):
                rng = np.random.default_rng([seed, 10 + number, hash_of(fold + problem[0])])
                stops = {100, 150, STOPS["seed"][str(number)], 250}
                for iteration in CHECKPOINTS:
                    full = iteration in stops
                    if part != "test" and not full:
                        continue
                    for level in levels if full else LEVELS[:1]:
                        lift = gain * min(iteration, 150) / 150 - 0.0002 * max(0, iteration - 150)
                        chance = probability(problem, lift if problem[1] else 0.0, level)
                        run = f"{fold}/prompt/seed-{number}"
                        add(
                            run, "student", fold, "prompt", number, iteration, level, problem,
                            part, chance,
                        )  # fmt: skip
    table = pd.DataFrame(rows)
    for column in ("seed", "iteration", "year"):
        table[column] = table[column].astype("Int64")
    return table


def hash_of(text):
    """A small whole number that depends on nothing but the text."""
    return sum(ord(character) * 31**place for place, character in enumerate(text)) % 2**32


def write(folder, folds=TEMPORAL, **chosen):
    """Write items.parquet, stops and curves; return their paths by name."""
    folder = Path(folder)
    table = answers(folds, **chosen)
    table.to_parquet(folder / "items.parquet", index=False)
    stops, curves = [], []
    for fold in folds:
        below = folder / "adapters" / fold / "prompt"
        below.mkdir(parents=True)
        (below / "stops.json").write_text(json.dumps(STOPS), encoding="utf-8")
        stops.append(str(below / "stops.json"))
        for seed in (1, 2, 3, 4, 5, 100):
            (below / f"seed-{seed}").mkdir()
            path = below / f"seed-{seed}" / "curve.csv"
            curve(seed).to_csv(path, index=False)
            curves.append(str(path))
    return {"answers": str(folder / "items.parquet"), "stops": stops, "curves": curves}
