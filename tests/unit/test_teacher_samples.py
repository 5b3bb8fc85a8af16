"""Several answers of the teacher to each question: one accuracy over all of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import simulated_study as simulated

from distil.claims import formulas, selections
from scripts.collect_answers import collect_run


def test_sample_of_an_answer_is_its_seed_and_one_answer_alone_has_none():
    ids = ["2014-fs-01.R1", "2014-fs-01.R1.s2", "2014-fs-02.R1", "2014-fs-02.R1.s2"]
    predictions = pd.DataFrame({"id": ids, "problem": [name[:10] for name in ids]})
    grades = predictions.assign(verdict="right")
    assert list(collect_run("teacher", predictions, grades)["seed"]) == [0, 1, 0, 1]
    alone = collect_run("teacher", predictions.iloc[::2], grades.iloc[::2])
    assert alone["seed"].isna().all()


def test_teachers_accuracy_is_the_mean_over_its_samples_with_an_interval(tmp_path):
    paths = simulated.write(tmp_path)
    table = pd.read_parquet(paths["answers"])
    teacher = table[table["role"] == "teacher"]
    others = []
    for sample in (1, 2):
        verdicts = np.where(np.arange(len(teacher)) % 4 == sample, "wrong", teacher["verdict"])
        row = teacher["row"] + f".s{sample + 1}"
        others.append(teacher.assign(seed=sample, verdict=verdicts, row=row))
    pd.concat([table, *others]).astype({"seed": "Int64"}).to_parquet(paths["answers"], index=False)
    study = selections.read_study(paths["answers"], paths["stops"], simulated.SETTINGS)
    found = formulas.teacher_accuracy(study, "held_out")
    held = pd.concat([teacher, *others])
    held = held[held["part"] == "test"]
    assert 100 * found.estimate.estimate == pytest.approx(100 * (held["verdict"] == "right").mean())
    assert found.estimate.low < found.estimate.estimate < found.estimate.high
