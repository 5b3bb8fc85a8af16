"""Check of a study's device: a few training steps and answers of its own model, timed and stored.

    distil check paper --device

The speed is kept in state/STUDY/speed.json, where `distil estimate` reads it. Questions are the
study's problems where they have been read, else those of a benchmark file; rows are made from them,
as long as the study's levels ask for.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from distil.content.files import read_jsonl, write_atomically
from distil.student.model import LOCK_NAME, backend

if TYPE_CHECKING:
    from distil.student.speed import Speed
    from distil.study.shape import Study


def name_device() -> tuple[str, str]:
    """Return what mlx computes on here: cpu, metal or cuda, and the device's name.

    Raises:
        ImportError: mlx, or a library that it needs, is not there.
    """
    kind = backend()
    import mlx.core as mx

    return kind, str(mx.device_info().get("device_name", mx.default_device()))


def speed_file(study: str) -> Path:
    """Return where a study's measured speed is kept."""
    return Path("state", study, "speed.json")


def read_speed(study: str) -> dict[str, Any] | None:
    """Return the measured speed of a study, as `distil.student.speed.Speed` has it, or None."""
    path = speed_file(study)
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def measure(study: Study) -> Speed:
    """Measure a study's model on this machine, and keep the result.

    Raises:
        ValueError: there is no locked model, or no text to ask, or a server answers.
    """
    if study.served:
        raise ValueError(
            f"{study.name}: predictions.decoder: http: a server answers, not this machine"
        )
    lock = Path(study.student(LOCK_NAME))
    if not lock.is_file():
        raise ValueError(f"{lock}: not there; distil check {study.name} says how to get the model")
    from distil.student.questions import load_prompts, question_text
    from distil.student.speed import ANSWERS, measure_speed

    problems = [
        row
        for file in [*study.problems(), *(source["file"] for source in _benchmarks(study))]
        if Path(file).is_file()
        for row in read_jsonl(file)
    ]
    if not problems:
        raise ValueError(
            f"{study.name}: no text to ask; read its exams (snakemake problems), or bring a "
            f"benchmark file (distil fetch {study.name})"
        )
    problems = [
        {"statement": row.get("statement") or row["problem"], "options": row.get("options")}
        for row in problems
    ]
    prompts = load_prompts(study.prompt("student.txt"), study.prompt("levels.yaml"))
    asked = [question_text(row, study.levels[0], prompts) for row in problems[:ANSWERS]]
    wordings = yaml.safe_load(Path(study.prompt("levels.yaml")).read_text(encoding="utf-8"))
    words = [word for row in problems for word in row["statement"].split()]
    count = max(4 * study.training()["batch_size"], 2 * len(study.levels))
    rows = []
    for number, level in zip(range(count), itertools.cycle(study.levels), strict=False):
        length = wordings[level].get("words", 100)
        said = itertools.islice(itertools.cycle(words), number, number + length)
        question = question_text(problems[number % len(problems)], level, prompts)
        rows.append(
            {
                "messages": [
                    {"role": "user", "content": question},
                    {"role": "assistant", "content": " ".join(said)},
                ]
            }
        )
    found = measure_speed(
        lock,
        asked,
        rows,
        study.training(),
        study.decoding(),
        study.config["student"]["resources"]["memory_mb"],
    )
    path = speed_file(study.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(dataclasses.asdict(found), indent=1, sort_keys=True) + "\n"
    write_atomically(path, text.encode())
    return found


def _benchmarks(study: Study) -> list[dict[str, Any]]:
    return list(study.config["benchmark_files"].values())


def print_speed(study: Study) -> None:
    """Measure and print.

    Raises:
        ValueError: as `measure`.
    """
    found = measure(study)
    print(
        f"device: {found.device} ({found.backend}), {found.steps} steps and {found.answers} answers"
        f"\n  {found.step_seconds:.2f} s a training step of {found.batch_size} rows, "
        f"{found.batch_seconds:.2f} s a validation batch, {found.training_mb} MB"
        f"\n  {found.tokens_a_second:.1f} tokens/s of answers, {found.answer_tokens:.0f} tokens an "
        f"answer, {found.answering_mb} MB"
        f"\n  kept in {speed_file(study.name)}; next: distil estimate {study.name}"
    )
