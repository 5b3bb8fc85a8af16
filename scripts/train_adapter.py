"""Train one seed's adapter to the horizon; save declared checkpoints and the validation curve.

A run killed on the way resumes from `state/STUDY/adapters/...`, to the same bytes.
"""

import csv
import io
import json
import os
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from distil.content.files import read_jsonl, write_atomically
from distil.content.hashing import sha256_file, sha256_text
from distil.lineage.record import run
from distil.student.adapters import adapter_config
from distil.student.blas import load_blas
from distil.student.checks import check_batching, check_decoder
from distil.student.encoding import EncodedRows, encode_rows
from distil.student.losses import serve_parts
from distil.student.memory import check_training, limit_cache, peak_mb
from distil.student.model import backend, load_student
from distil.student.published import train_published
from distil.student.questions import PUBLISHED
from distil.student.training import FINISHED, TrainingSettings, checkpoint_path, train_lora
from distil.student.workers import helper_process


def read_settings(params: Any) -> TrainingSettings:
    """The rule's settings and the wildcard `seed` as the settings of a run."""
    names = {field.name for field in fields(TrainingSettings)}
    given = {name: value for name, value in vars(params).items() if name in names}
    given |= {
        "seed": int(params.seed),
        "checkpoints": tuple(params.checkpoints),
        "seeded": tuple(params.seeded),
    }
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
        "escaped_rows": sum(rows.escaped),
    }


def choose_rows(rows: Sequence[dict[str, Any]], limit: int | None) -> list[dict[str, Any]]:
    """At most `limit` rows, drawn by the hash of their ids, in the order they had.

    The same rows are chosen whatever the seed, and a row that is added displaces one at most.
    """
    if limit is None:
        return list(rows)
    ranked = sorted(rows, key=lambda row: sha256_text(row["id"]))
    chosen = {row["id"] for row in ranked[:limit]}
    return [row for row in rows if row["id"] in chosen]


def export(source: Path, target: str) -> None:
    """Give a checkpoint of the state folder its place among the results.

    A hard link where the file system has them, since checkpoints are most of what a study keeps.
    """
    path = Path(target)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        os.link(source, temporary)
        os.utime(temporary)
        temporary.replace(path)
    except OSError:
        write_atomically(path, source.read_bytes())
    finally:
        temporary.unlink(missing_ok=True)


def main(
    input: Any,  # noqa: A002
    output: Any,
    params: Any,
    resources: Any,
    how: dict[str, Any],
) -> dict[str, Any]:
    settings = read_settings(params)
    state = Path("state", params.study, "adapters", params.fold, params.variant)
    state /= f"seed-{settings.seed}"
    memory_mb = getattr(resources, "mem_mb", None)
    limit_cache(memory_mb)
    with helper_process(serve_parts) as helper:
        model, tokenizer = load_student(input.student)
        check_decoder(model, how["decoder"])  # its answers could not be decoded
        check_batching(model)
        rows = [
            choose_rows(read_jsonl(path), limit)
            for path, limit in ((input.train, None), (input.validation, params.validation_rows))
        ]
        names = [sha256_file(input.student), params.code, backend(), load_blas()]
        if params.variant == PUBLISHED:
            progress = train_published(
                model, tokenizer, *rows, settings, state, names, memory_mb=memory_mb
            )
            facts = {"rows": [len(part) for part in rows]}
        else:
            train, validation = (
                encode_rows(tokenizer, part, settings.max_tokens, str(path))
                for part, path in zip(rows, (input.train, input.validation), strict=True)
            )
            check_training(
                model,
                train.tokens,
                settings.batch_size,
                settings.gradient_checkpointing,
                settings.layers,
                memory_mb,
            )
            progress = train_lora(model, train, validation, settings, state, names, helper)
            facts = {"train": count_rows(train), "validation": count_rows(validation)}
    for iteration, path in zip(settings.checkpoints, output.checkpoints, strict=True):
        export(checkpoint_path(state, iteration), path)
    config = json.dumps(adapter_config(settings), indent=1, sort_keys=True) + "\n"
    write_atomically(output.config, config.encode())
    write_atomically(output.curve, curve_text(progress.curve).encode())
    log = json.dumps({**facts, "iterations": progress.training}, sort_keys=True) + "\n"
    write_atomically(output.training, log.encode())
    kept = [state / FINISHED, *(checkpoint_path(state, n) for n in settings.checkpoints)]
    return {
        "facts": facts,
        "history": {
            "peak_mb": peak_mb(),
            "backend": backend(),
            "blas": load_blas(),
            # What a later training is taken from, where nothing that shapes it has changed.
            "state": {path.as_posix(): sha256_file(path) for path in kept},
        },
    }


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
