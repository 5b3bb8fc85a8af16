"""Trains a tiny adapter; a test kills it. Arguments: MODEL ROWS STATE."""

import json
import sys
from pathlib import Path

from distil.student.encoding import encode_rows
from distil.student.model import load_student
from distil.student.training import TrainingSettings, train_lora

SETTINGS = TrainingSettings(
    seed=5,
    horizon=160,
    batch_size=4,
    learning_rate=5e-3,
    rank=4,
    scale=2.0,
    layers=2,
    max_tokens=150,
    evaluate_every=13,
    checkpoints=(40, 77, 160),
    dropout=0.1,
)


def main(folder: Path, source: Path, state: Path) -> None:
    """Train to the horizon, and only then write what the run measured."""
    model, tokenizer = load_student(folder)
    pairs = json.loads(source.read_text())
    train, validation = (encode_rows(tokenizer, pairs[part], 150) for part in ("train", "valid"))
    print("training", flush=True)
    progress = train_lora(model, train, validation, SETTINGS, state, save_every=0.05)
    result = {"curve": progress.curve, "training": progress.training}
    (state / "result.json").write_text(json.dumps(result, sort_keys=True))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
