"""The as-published loop gives, bit for bit, the weights and losses of `mlx_lm.lora`."""

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tiny_student import chat_rows, draw_pairs

from distil.content.files import write_jsonl
from distil.datasets.splits import needed_levels, variant_plan
from distil.student import published
from distil.student.model import load_student
from distil.student.published import mx, train_published
from distil.student.training import TrainingSettings, checkpoint_path
from scripts import predict_answers, split_datasets, train_adapter

ROOT = Path(__file__).resolve().parents[2]
STUDENT = ROOT / "resources" / "student"
SYSTEM = {"role": "system", "content": "You solve problems step by step."}
SETTINGS = TrainingSettings(
    seed=3, horizon=14, batch_size=4, learning_rate=1e-3, rank=4, scale=20.0, layers=2,
    max_tokens=60, evaluate_every=5, checkpoints=(5, 14), dropout=0.1, gradient_checkpointing=True,
)  # fmt: skip


def rows(count, seed):
    return [{"messages": [SYSTEM, *row["messages"]]} for row in chat_rows(draw_pairs(count, seed))]


TRAIN, VALIDATION = rows(18, 11), rows(7, 12)


def train(state, **changes):
    model, tokenizer = load_student(STUDENT)
    settings = dataclasses.replace(SETTINGS, **changes)
    progress = train_published(model, tokenizer, TRAIN, VALIDATION, settings, state)
    return progress, {
        i: {k: np.array(v) for k, v in mx.load(str(checkpoint_path(state, i))).items()}
        for i in settings.checkpoints
    }


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return train(tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="module")
def stock(tmp_path_factory):
    """What mlx_lm.lora itself makes of the same rows: its output and its folder."""
    home = tmp_path_factory.mktemp("stock")
    for name, part in (("train", TRAIN), ("valid", VALIDATION)):
        (home / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part))
    settings = {
        "model": str(STUDENT), "train": True, "data": str(home), "seed": 3, "iters": 14,
        "batch_size": 4, "learning_rate": 1e-3, "num_layers": 2, "max_seq_length": 60,
        "steps_per_eval": 5, "save_every": 5, "steps_per_report": 1, "mask_prompt": True,
        "grad_checkpoint": True, "adapter_path": str(home / "out"),
        "lora_parameters": {"rank": 4, "dropout": 0.1, "scale": 20.0},
    }  # fmt: skip
    (home / "config.yaml").write_text(json.dumps(settings))
    code = (
        "import sys; from distil.student.blas import load_blas; load_blas();"
        f"sys.argv = ['lora', '-c', {str(home / 'config.yaml')!r}];"
        "from mlx_lm import cli_ui, lora;"
        "cli_ui.TrainUI.report_val = lambda self, it, loss, seconds: print('VAL', it, repr(loss));"
        "lora.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    return done.stdout, home / "out"


def test_the_weights_are_those_of_mlx_lm_bit_for_bit(trained, stock):
    for iteration, name in ((5, "0000005_adapters"), (14, "adapters")):
        theirs = mx.load(str(stock[1] / f"{name}.safetensors"))
        ours = trained[1][iteration]
        assert ours.keys() == theirs.keys()
        assert all((ours[name] == np.array(theirs[name])).all() for name in ours)


def test_the_losses_are_those_that_mlx_lm_prints(trained, stock):
    progress = trained[0]
    assert [row["iteration"] for row in progress.curve] == [0, 5, 10, 14]
    printed = re.findall(r"^VAL (\d+) (\S+)$", stock[0], flags=re.MULTILINE)
    assert printed == [(str(row["iteration"] or 1), repr(row["loss"])) for row in progress.curve]
    # an incomplete batch is left out
    assert {row["rows"] for row in progress.curve} == {4}


def test_a_run_that_is_cut_ends_in_the_same_bytes(trained, tmp_path, monkeypatch):
    save, cuts = published.save_state, iter([False, True, False, True])

    def sometimes_die(*arguments):
        save(*arguments)
        if next(cuts, False):
            raise KeyboardInterrupt

    monkeypatch.setattr(published, "save_state", sometimes_die)
    monkeypatch.setattr(published.train_published, "__defaults__", ((), 0.0))
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path)
    again = train(tmp_path)
    assert again[0] == trained[0]
    for iteration, weights in again[1].items():
        assert all((weights[k] == trained[1][iteration][k]).all() for k in weights)


def test_too_few_rows_for_a_batch_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"validation: 7 rows do not fill a batch of 8"):
        train(tmp_path, batch_size=8)


# ------------------------------------------------------------------------------- in the study


def test_one_row_a_problem_enters_below_the_system_turn():
    plan = variant_plan(["b", "a"], "published", ["R1", "R2"], 2)
    assert plan == {"a": ["R1"], "b": ["R1"]}
    for variants in (["published"], ["prompt", "published"]):  # whatever else is trained
        parts = {"folds": {"f": {"train": [1], "validation": [2]}}, "variants": variants}
        needed = needed_levels({"a": 1, "b": 2}, parts | {"levels_per_problem": 1}, ["R1", "R2"])
        assert all("R1" in levels for levels in needed.values()), "the teacher writes what is taken"
    traces = [
        {"id": f"{p}.{level}", "problem": p, "level": level, "text": "= 1", "verified": True}
        for p in "ab"
        for level in ("R1", "R2")
    ]
    found = split_datasets.chat_rows(
        traces, plan, {"a": {}, "b": {}}, lambda problem, level: level, "Be brief."
    )
    assert [row["id"] for row in found] == ["a.R1", "b.R1"]
    assert [turn["role"] for turn in found[0]["messages"]] == ["system", "user", "assistant"]
    assert found[0]["messages"][0]["content"] == "Be brief."


def test_the_job_trains_and_asks_in_the_published_words(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, part in (("train", TRAIN), ("validation", VALIDATION)):
        write_jsonl(f"{name}.jsonl", [{**row, "id": f"{i}"} for i, row in enumerate(part)])
    folder = Path("results/adapters")
    settings = {
        **dataclasses.asdict(SETTINGS), "study": "t", "fold": "f", "variant": "published",
        "code": "a", "validation_rows": 5, "seed": "3",
    }  # fmt: skip
    memory = SimpleNamespace(mem_mb=2000)
    result = train_adapter.main(
        input=SimpleNamespace(
            student=str(STUDENT / "model.lock.json"),
            train="train.jsonl",
            validation="validation.jsonl",
        ),
        output=SimpleNamespace(
            checkpoints=[str(folder / f"{i:05d}.safetensors") for i in (5, 14)],
            config=str(folder / "adapter_config.json"),
            curve=str(folder / "curve.csv"),
            training=str(folder / "training.json"),
        ),
        params=SimpleNamespace(**settings),
        resources=memory,
        how={"decoder": "exact"},
    )
    assert result["facts"] == {"rows": [18, 5]}
    assert [line.split(",")[0] for line in (folder / "curve.csv").read_text().split()] == [
        "iteration", "0", "5", "10", "14",
    ]  # fmt: skip
    saved = Path("state/t/adapters/f/published/seed-3/00014.safetensors")
    assert saved.samefile(folder / "00014.safetensors")
    write_jsonl("2020.jsonl", [{"id": "p", "year": 2020, "statement": "What is 1 + 2?"}])
    Path("system.txt").write_text("Be brief.\n")
    Path("student.txt").write_text("$instruction\n$statement\n")
    Path("levels.yaml").write_text("R1: {student: All steps.}\n")
    plan = [{"iteration": 14, "benchmark": "competition", "level": "R1", "years": [2020]}]
    Path("plan.json").write_text(json.dumps(plan))
    asked, render = [], predict_answers.render_prompt
    monkeypatch.setattr(
        predict_answers, "render_prompt", lambda *a, **k: asked.append(render(*a, **k)) or asked[-1]
    )
    predict_answers.main(
        input=SimpleNamespace(
            plan="plan.json", problems=["2020.jsonl"], benchmarks=[], system=["system.txt"],
            student_prompt="student.txt", levels="levels.yaml",
            student=str(STUDENT / "model.lock.json"),
            adapters=[str(folder / "00014.safetensors"), str(folder / "adapter_config.json")],
        ),
        output=SimpleNamespace(predictions="predictions.parquet"),
        params=SimpleNamespace(
            study="t", run="f/published/seed-3", max_tokens=4, batch_size=8, decoder="exact", sampling=None,
            code="a",
        ),
        resources=memory,
    )  # fmt: skip
    _, tokenizer = load_student(STUDENT)
    assert tokenizer.decode(asked[0]) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhat is 1 + 2?<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
