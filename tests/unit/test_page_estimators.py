"""Estimators of the page (JavaScript) against those of the study, on drawn data: needs node."""

from __future__ import annotations

import json
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

from distil.claims.formulas import _sign_test, loss_rise
from distil.claims.selections import GradedAnswers
from distil.inference.gains import accuracy, paired_gain, wilson
from distil.inference.levels import section_contrast, trend
from tests.workflow.checkout import ROOT

SOURCES = ROOT / "distil" / "report" / "page" / "web" / "src"
pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="no node here")
RUN = """
import * as stats from "{folder}/stats.js";
import {{ compute }} from "{folder}/formulas.js";
let text = "";
for await (const part of process.stdin) text += part;
const plain = (found) => Object.fromEntries(Object.entries(found ?? {{}}).filter(([, one]) => typeof one === "number"));
const made = JSON.parse(text).map(([name, ...given]) => {{
  if (name !== "compute") return plain(stats[name](...given));
  const [study, columns, claim, verdicts] = given;
  const cells = (number) => new Map(study.questions.map((_, place) => [place, number]));
  const grid = {{
    columns: columns.map((column, number) => ({{ ...column, cells: cells(number) }})),
    questions: study.questions.map((_, place) => place),
  }};
  const state = {{ verdicts, words: {{}}, toggled: new Map(), struck: new Set() }};
  return plain(compute(study, grid, claim, state));
}});
console.log(JSON.stringify(made));
"""


def in_javascript(cases: list[list]) -> list[dict[str, float]]:
    """Call functions of stats.js, each case its name and arguments."""
    code = RUN.format(folder=SOURCES.as_posix())
    done = subprocess.run(
        ["node", "--input-type=module", "--no-warnings", "-e", code],
        input=json.dumps(cases), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def assert_same(found: dict[str, float], expected, *, p: bool = True) -> None:
    names = ["estimate", "low", "high", *(["p"] if p else [])]
    for name in names:
        wanted = getattr(expected, name)
        assert found[name] == pytest.approx(wanted, rel=2e-9, abs=1e-10), (name, expected)


def draw(seed: int) -> tuple[np.random.Generator, int, np.ndarray]:
    """A number of questions and their clusters: many, few, of one question each, or one alone."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(3, 90))
    clusters = [
        np.arange(count), rng.integers(0, 60, count), rng.integers(0, 6, count),
        rng.integers(0, 12, count), np.zeros(count, dtype=int),
    ][seed % 5]  # fmt: skip
    return rng, count, clusters


SEEDS = range(40)


def test_shares_and_differences():
    cases, expected = [], []
    for seed in SEEDS:
        rng, count, clusters = draw(seed)
        runs = int(rng.integers(1, 6))
        right = (rng.random((count, runs)) < rng.choice([0.0, 0.3, 0.9, 1.0])).astype(int)
        other = (rng.random((count, 1)) < rng.choice([0.0, 0.5])).astype(int)
        strata = rng.choice(["a", "b"], count)
        labels = [str(one) for one in clusters]
        cases.append(["accuracy", right.tolist(), labels, 0.05])
        expected.append((accuracy(right, clusters, 0.05), False))
        gains = right - other
        cases.append(["pairedGain", gains.tolist(), labels, 0.05, strata.tolist()])
        expected.append((paired_gain(gains, clusters, 0.05, strata), True))
        total = int(right.sum())
        cases.append(["wilson", total, right.size, 0.01])
        expected.append((wilson(total, right.size, 0.01), False))
    for found, (wanted, p) in zip(in_javascript(cases), expected, strict=True):
        assert_same(found, wanted, p=p)


def test_slopes_contrasts_of_sections_and_signs():
    cases, expected = [], []
    for seed in SEEDS:
        rng, count, clusters = draw(seed)
        labels = [str(one) for one in clusters]
        levels = rng.integers(0, 4, (count, 6)) / 3
        words = np.sort(rng.uniform(2, 60, 6))[::-1]
        cases.append(["slope", levels.tolist(), words.tolist(), labels, 0.05])
        found = trend(levels, words, clusters, permutations=0, alpha=0.05)
        expected.append((found, False))
        sections = rng.choice(["fs", "js", "tp"], count)
        sections[:3] = ["fs", "js", "tp"]
        drops = rng.uniform(-1, 1, count)  # no ties: rounding would choose between them
        cases.append(["sectionContrast", drops.tolist(), sections.tolist(), "tp", labels, 0.05])
        expected.append((section_contrast(drops, sections, "tp", clusters, 0.05), True))
        rises = (rng.integers(-2, 6, int(rng.integers(1, 9))) / 7).tolist()
        cases.append(["signTest", rises])
        expected.append((_sign_test(rises), True))
    for found, (wanted, p) in zip(in_javascript(cases), expected, strict=True):
        assert_same(found, wanted, p=p)


def test_answers_that_were_drawn_count_by_their_mean():
    """Two seeds and the base, three answers to a question each."""
    rng, samples, count = np.random.default_rng(7), 3, 20
    runs = [("base", None), ("student", 1), ("student", 2)]
    columns = [
        {"role": role, "seed": seed, "variant": "prompt", "level": "R1", "iteration": None,
         "sample": sample}
        for role, seed in runs for sample in range(samples)
    ]  # fmt: skip
    right = rng.random((count, len(runs), samples)) < 0.5
    clusters = rng.integers(0, 8, count)
    study = {
        "settings": {"alpha": 0.05, "levels": ["R1"]},
        "stops": [],
        "questions": [{"cluster": str(one), "stratum": None} for one in clusters],
    }
    verdicts = {
        str(number): "".join("r" if one else "w" for one in right[:, run, sample])
        for number, (run, sample) in enumerate(np.ndindex(len(runs), samples))
    }
    means = right.mean(axis=2)
    found = in_javascript(
        [
            ["compute", study, columns, {"formula": name}, verdicts]
            for name in ("gain_over_base", "student_accuracy")
        ]
    )
    assert_same(found[0], paired_gain(means[:, 1:] - means[:, :1], clusters, 0.05))
    assert_same(found[1], accuracy(means[:, 1:], clusters, 0.05), p=False)


def test_the_rise_of_the_loss_is_read_where_the_study_reads_it():
    """A fold of years and one that cuts through them, each trained in one way or in both."""
    years = [2011] * 4 + [2012] * 4 + [2013] * 4
    parts = {"temporal": ["train", "validation", "test"], "released": ["train", "test"]}
    places = {
        "temporal": [parts["temporal"][year - 2011] for year in years],
        "released": [parts["released"][place % 2] for place in range(len(years))],
    }
    answers = pd.DataFrame(
        {"fold": fold, "part": part, "year": year, "benchmark": "competition"}
        for fold in places
        for part, year in zip(places[fold], years, strict=True)
    )
    chosen = {"pilot": {"seed": 100}, "seed": {"1": 10, "2": 20}}
    cases, expected = [], []
    for number, variants in enumerate((("prompt",), ("published",), ("prompt", "published"))):
        rng = np.random.default_rng(number)
        sets = [(fold, variant) for fold in places for variant in variants]
        curves = pd.DataFrame(
            {"fold": fold, "variant": variant, "seed": seed, "iteration": at,
             "loss": float(rng.uniform(1, 2))}
            for fold, variant in sets for seed in (1, 2, 100) for at in (0, 10, 20)
        )  # fmt: skip
        stops = {fold: dict.fromkeys(variants, chosen) for fold in places}
        expected.append(loss_rise(GradedAnswers(answers, stops, {}, curves), "validation").estimate)
        study = {
            "settings": {"alpha": 0.05},
            "stops": [{"fold": fold, "variant": name, "stops": chosen} for fold, name in sets],
            "curves": [
                {"fold": fold, "variant": variant, "seed": int(seed),
                 "points": rows[["iteration", "loss"]].to_numpy().tolist()}
                for (fold, variant, seed), rows in curves.groupby(["fold", "variant", "seed"])
            ],
            "questions": [
                {"year": year, "parts": {fold: places[fold][place] for fold in places}}
                for place, year in enumerate(years)
            ],
        }  # fmt: skip
        claim = {"formula": "loss_rise", "estimand": "validation"}
        cases.append(["compute", study, [], claim, {}])
    for found, wanted in zip(in_javascript(cases), expected, strict=True):
        assert_same(found, wanted)
