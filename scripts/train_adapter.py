"""Train one seed's adapter to the horizon; save declared checkpoints and the validation curve.

A run killed on the way resumes from `state/STUDY/adapters/...`, to the same bytes.
"""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from distil.content.files import read_jsonl, write_atomically
from distil.content.hashing import sha256_file
from distil.lineage.record import run
from distil.student.adapters import adapter_config
from distil.student.blas import load_blas
from distil.student.encoding import EncodedRows, encode_rows
from distil.student.losses import serve_parts
from distil.student.model import backend, load_student
from distil.student.training import TrainingSettings, train_lora
from distil.student.workers import helper_process


def read_settings(params: Any) -> TrainingSettings:
    """The rule's settings and the wildcard `seed` as the settings of a run."""
    names = {field.name for field in fields(TrainingSettings)}
    given = {name: value for name, value in vars(params).items() if name in names}
    given |= {"seed": int(params.seed), "checkpoints": tuple(params.checkpoints)}
    return TrainingSettings(**given)


def curve_text(rows: Sequence[dict[str, Any]]) -> str:
    """The validation curve as CSV: iteration, loss, tokens, rows."""
    text = io.StringIO()
    writer = csv.DictWriter(text, ["iteration", "loss", "tokens", "rows"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def count_rows(rows: EncodedRows) -> dict[str, int]:
    """How many rows and tokens there are, and what `max_tokens` cut off."""
    return {
        "rows": len(rows.tokens),
        "tokens": sum(map(len, rows.tokens)),
        "learnt_tokens": sum(map(len, rows.tokens)) - sum(rows.prompts),
        "longest": max(map(len, rows.tokens)),
        "truncated_rows": rows.truncated,
        "truncated_tokens": sum(rows.cut),
    }


def main(input: Any, output: Any, params: Any) -> dict[str, Any]:  # noqa: A002
    settings = read_settings(params)
    state = Path("state", params.study, "adapters", params.fold, params.variant)
    with helper_process(serve_parts) as helper:
        model, tokenizer = load_student(input.student)
        train, validation = (
            encode_rows(tokenizer, read_jsonl(path), settings.max_tokens, str(path))
            for path in (input.train, input.validation)
        )
        progress = train_lora(
            model,
            train,
            validation,
            settings,
            state / f"seed-{settings.seed}",
            names=[sha256_file(input.student), str(getattr(params, "code", "")), backend()],
            helper=helper,
        )
    for iteration, path in zip(settings.checkpoints, output.checkpoints, strict=True):
        saved = state / f"seed-{settings.seed}" / f"{iteration:05d}.safetensors"
        write_atomically(path, saved.read_bytes())
    config = json.dumps(adapter_config(settings), indent=1, sort_keys=True) + "\n"
    write_atomically(output.config, config.encode())
    write_atomically(output.curve, curve_text(progress.curve).encode())
    facts = {"train": count_rows(train), "validation": count_rows(validation)}
    log = json.dumps({**facts, "iterations": progress.training}, sort_keys=True) + "\n"
    write_atomically(output.training, log.encode())
    return {"facts": facts, "history": {"backend": backend(), "blas": load_blas()}}


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
