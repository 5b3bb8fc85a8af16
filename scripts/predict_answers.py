"""Decode one run's answers: the base student, or all checkpoints of one seed.

Input `plan` (JSON, a list of {iteration, benchmark, level, years}), `problems` (JSONL by year),
`benchmarks` (JSONL, the file's name is the benchmark's), `student_prompt`, `levels`,
`system` (the system turn of a published adapter, or none), `student`
(model.lock.json), `adapters` (ITERATION.safetensors and adapter_config.json; none for the base).
Output `predictions` (Parquet, sorted by id). Params `study`, `run`, `max_tokens`, `batch_size`,
`decoder`, `sampling` (None: greedy; or temperature, top_p, seed, samples), `code`. Resource
`mem_mb`: what weights and caches may take, in MB.

Every batch is stored in `state/STUDY/predictions/RUN` as it is decoded, and what is stored is not
decoded again. Without `code`, the fingerprint of what decodes, nothing is taken from there, since
nothing would say that it still holds.
"""

import functools
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from distil.content.hashing import sha256_file, sha256_once
from distil.lineage.record import run
from distil.student.adapters import add_adapter, merged, swap_adapter
from distil.student.answering import (
    AnswerProgress,
    Counts,
    Decoder,
    answer_prompts,
    answer_text,
    decoding_key,
)
from distil.student.blas import load_blas
from distil.student.checks import check_batching, check_decoder
from distil.student.continuous import ContinuousDecoder
from distil.student.decoding import BatchShape, ExactDecoder, serve_batches
from distil.student.examination import (
    checkpoint_files,
    list_questions,
    make_row,
    write_predictions,
)
from distil.student.memory import BatchWidths, decoding_widths, fits_twice, limit_cache, peak_mb
from distil.student.model import backend, escape_special, load_student, render_prompt
from distil.student.questions import PUBLISHED, read_system
from distil.student.rows import Answer, RowStore
from distil.student.sampling import DecodingTask, Sampling
from distil.student.workers import ComputeWorker, helper_process, shareable


def open_student(lock: str, checkpoint: Path | None, configs: Sequence[str]) -> tuple[Any, Any]:
    """The student, with a checkpoint's adapter unless it is the base."""
    model, tokenizer = load_student(lock)
    if checkpoint is not None:
        add_adapter(model, configs[0])
        swap_adapter(model, checkpoint)
    return model, tokenizer


def make_decoder(
    name: str, width: int, widths: BatchWidths, helper: ComputeWorker | None
) -> Decoder:
    """The decoder that a study file names."""
    if name == "continuous":
        return ContinuousDecoder(width, widths)
    return ExactDecoder(BatchShape(width=width), helper, widths)


def read_sampling(settings: dict[str, Any] | None) -> tuple[Sampling | None, int]:
    """How answers are drawn, and how many of each question."""
    if settings is None:
        return None, 1
    chosen = {name: value for name, value in settings.items() if name != "samples"}
    return Sampling(**chosen), settings["samples"]


def capped(answer: Answer, cap: int | None) -> Answer:
    """Return what an answer would have been under a lower limit, the end-of-turn token counted."""
    if cap is None or len(answer.tokens) + (answer.finish == "stop") <= cap:
        return answer
    return Answer(answer.tokens[:cap], "length")


def main(input: Any, output: Any, params: Any, resources: Any) -> dict[str, Any]:  # noqa: A002
    plan = json.loads(Path(input.plan).read_text(encoding="utf-8"))
    published = PUBLISHED in params.run.split("/")
    system = read_system(input.system) if published else None
    sampling, samples = read_sampling(params.sampling)
    asked = list_questions(input, plan, published, samples)
    checkpoints = checkpoint_files(input.adapters)
    configs = [path for path in input.adapters if path.endswith(".json")]
    memory_mb = getattr(resources, "mem_mb", None)
    folder = Path("state", params.study, "predictions", params.run)
    store = RowStore(folder if params.code else None)
    totals, rows = Counts(), []
    progress = AnswerProgress(sum(map(len, asked.values())))
    limit_cache(memory_mb)
    with helper_process(serve_batches) as helper:
        model, tokenizer = open_student(input.student, checkpoints.get(next(iter(asked))), configs)
        check_decoder(model, params.decoder)
        check_batching(model)
        shared = params.decoder == "exact" and shareable(model) and fits_twice(model, memory_mb)
        helping = helper if shared else None
        widths = decoding_widths(model, memory_mb, processes=2 if helping else 1)
        decoder = make_decoder(params.decoder, params.batch_size, widths, helping)
        tokens_of = functools.cache(functools.partial(render_prompt, tokenizer, system=system))
        for iteration, questions in asked.items():
            adapter_sha256 = None
            if iteration is not None:
                adapter_sha256 = sha256_once(checkpoints[iteration])
                swap_adapter(model, checkpoints[iteration])
            key = decoding_key(
                model=sha256_file(input.student),
                adapter=adapter_sha256,
                code=params.code,
                backend=backend(),
                blas=load_blas(),
                **decoder.name,
                **({"sampling": asdict(sampling)} if sampling else {}),
            )
            task = DecodingTask(
                [tokens_of(question.message) for question in questions],
                tokenizer.eos_token_ids,
                params.max_tokens,
                sampling,
                [question.sample for question in questions],
            )
            with merged(model):
                answers, counts = answer_prompts(model, task, decoder, store, key, progress)
            for question, whole in zip(questions, answers, strict=True):
                answer = capped(whole, question.cap)
                text = answer_text(tokenizer, answer.tokens)
                rows.append(make_row(question, answer, text, answer.finish, adapter_sha256, system))
            for name, count in asdict(counts).items():
                setattr(totals, name, getattr(totals, name) + count)
            print(f"iteration {iteration}: {asdict(counts)}", file=sys.stderr, flush=True)
    store.close()
    write_predictions(rows, output.predictions, sampled=sampling is not None)
    messages = {question.message for questions in asked.values() for question in questions}
    return {
        "facts": {
            "rows": len(rows),
            "cut_answers": sum(row["finish"] == "length" for row in rows),
            "overlong_prompts": totals.overlong,
            "shortened_answers": totals.shortened,
            "escaped_prompts": sum(escape_special(tokenizer, m) != m for m in messages),
            "stored_rows_sha256": store.digest(),
        },
        "history": {
            "new": totals.new,
            "reused": totals.reused,
            "halved_widths": widths.halved,
            "memory_mb": memory_mb,
            "peak_mb": peak_mb(),
            "backend": backend(),
            "blas": load_blas(),
        },
    }


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
