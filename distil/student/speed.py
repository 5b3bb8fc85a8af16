"""Speed of a student on this machine: seconds of a training step and tokens a second of answers.

    speed = measure_speed(lock, questions, rows, settings, answering, memory_mb)

A few steps and answers of the study's own model, rows and settings. `distil check --device` stores
the result under state/, and `distil estimate` multiplies it by what the plans ask for.
"""

from __future__ import annotations

import dataclasses
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distil.content.hashing import sha256_file
from distil.student.blas import load_blas

load_blas()  # before mlx, or it has no effect

import mlx.core as mx  # noqa: E402

from distil.student.answering import answer_prompts  # noqa: E402
from distil.student.continuous import ContinuousDecoder  # noqa: E402
from distil.student.decoding import BatchShape, ExactDecoder  # noqa: E402
from distil.student.encoding import encode_rows  # noqa: E402
from distil.student.memory import decoding_widths, limit_cache, peak_mb  # noqa: E402
from distil.student.model import backend, load_student, render_prompt  # noqa: E402
from distil.student.rows import RowStore  # noqa: E402
from distil.student.sampling import DecodingTask  # noqa: E402
from distil.student.training import TrainingSettings, train_lora  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STEPS = 5
ANSWERS = 8


@dataclass(frozen=True)
class Speed:
    """What was measured.

    Attributes:
        backend: cpu, metal or cuda.
        device: its name.
        model: sha256 of the model's lock.
        batch_size: rows of a training step.
        steps: training steps that were measured.
        step_seconds: of a training step.
        batch_seconds: of a validation batch of as many rows.
        answers: answers that were measured.
        tokens_a_second: of all answers together.
        answer_tokens: mean of an answer, the cut ones included.
        training_mb: most memory that mlx held while training.
        answering_mb: and while answering.
    """

    backend: str
    device: str
    model: str
    batch_size: int
    steps: int
    step_seconds: float
    batch_seconds: float
    answers: int
    tokens_a_second: float
    answer_tokens: float
    training_mb: int
    answering_mb: int


def measure_speed(
    lock: Path,
    questions: Sequence[str],
    rows: Sequence[dict[str, Any]],
    settings: Mapping[str, Any],
    answering: Mapping[str, Any],
    memory_mb: int | None,
) -> Speed:
    """Train a few steps and answer a few questions, as the study will.

    Args:
        lock: model.lock.json of the student.
        questions: `ANSWERS` user messages.
        rows: chat rows, as many as a batch has or more; the last ones validate.
        settings: of `TrainingSettings`, without seed, horizon and cadence.
        answering: the study's `predictions`: max_tokens, batch_size and decoder.
        memory_mb: what a job may use, in MB; None for no limit.
    """
    limit_cache(memory_mb)
    model, tokenizer = load_student(lock)
    prompts = [render_prompt(tokenizer, question) for question in questions]
    width, widths = answering["batch_size"], decoding_widths(model, memory_mb)
    decoder: Any = ContinuousDecoder(width, widths)
    if answering["decoder"] == "exact":
        decoder = ExactDecoder(BatchShape(width=width), None, widths)
    started = time.monotonic()
    task = DecodingTask(prompts, tokenizer.eos_token_ids, answering["max_tokens"])
    answers, _ = answer_prompts(model, task, decoder, RowStore(None), "speed")
    seconds = time.monotonic() - started
    tokens = sum(len(answer.tokens) for answer in answers)
    answering_mb = peak_mb()
    mx.reset_peak_memory()
    del model
    size = settings["batch_size"]

    def train(steps: int, every: int) -> float:
        """Return the seconds of a run of some steps that validates at such a distance."""
        names = {field.name for field in dataclasses.fields(TrainingSettings)}
        chosen = {name: value for name, value in settings.items() if name in names}
        chosen |= {"seed": 1, "horizon": steps, "evaluate_every": every, "checkpoints": (steps,)}
        student, words = load_student(lock)
        encoded = [
            encode_rows(words, part, settings["max_tokens"], "rows of the check")
            for part in (rows[:-size] or rows, rows[-size:])
        ]
        with tempfile.TemporaryDirectory() as folder:
            begun = time.monotonic()
            train_lora(student, *encoded, TrainingSettings(**chosen), Path(folder))
            return time.monotonic() - begun

    # What starting takes cancels: two runs that differ in steps, two that differ in validations.
    short, long = train(1, 1), train(STEPS, STEPS)
    often = train(STEPS, 1)
    return Speed(
        backend=backend(),
        device=str(mx.device_info().get("device_name", mx.default_device())),
        model=sha256_file(lock),
        batch_size=size,
        steps=STEPS,
        step_seconds=round(max(long - short, 0.0) / (STEPS - 1), 4),
        batch_seconds=round(max(often - long, 0.0) / (STEPS - 1), 4),
        answers=len(answers),
        tokens_a_second=round(tokens / seconds, 1),
        answer_tokens=round(tokens / len(answers), 1),
        training_mb=peak_mb(),
        answering_mb=answering_mb,
    )
