"""Decode one run's answers: the base student, or all checkpoints of one seed.

Input `plan` (JSON, as plan_predictions writes it), `problems` (JSONL by year),
`benchmarks` (JSONL, the file's name is the benchmark's), `student_prompt`, `levels`,
`system` (the system turn of a published adapter, or none), `student`
(model.lock.json), `adapters` (ITERATION.safetensors and adapter_config.json; none for the base).
Output `predictions` (Parquet, sorted by id). Params `study`, `run`, `max_tokens`, `batch_size`,
`decoder`, `code`. Resource `mem_mb`: what weights and caches may take, in MB.

Every batch is stored in `state/STUDY/predictions/RUN` as it is decoded, and what is stored is not
decoded again. Without `code`, the fingerprint of what decodes, nothing is taken from there, since
nothing would say that it still holds.
"""

import functools
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from distil.content.files import read_jsonl
from distil.content.hashing import canonical_json, sha256_file, sha256_text
from distil.lineage.record import run
from distil.student.adapters import make_adapter_folder, merged, swap_adapter
from distil.student.answering import (
    AnswerProgress,
    Counts,
    Decoder,
    answer_prompts,
    answer_text,
    decoding_key,
)
from distil.student.blas import load_blas
from distil.student.checks import check_batching
from distil.student.continuous import ContinuousDecoder
from distil.student.decoding import BatchShape, ExactDecoder, serve_batches
from distil.student.memory import BatchWidths, decoding_widths, limit_cache, peak_mb
from distil.student.model import backend, escape_special, load_student, render_prompt
from distil.student.questions import (
    PUBLISHED,
    load_prompts,
    published_text,
    question_text,
    read_system,
)
from distil.student.rows import Answer, RowStore
from distil.student.workers import ComputeWorker, helper_process

SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("id", "problem", "benchmark", "level")),
        ("iteration", pa.int64()),
        ("adapter_sha256", pa.string()),
        ("prompt_sha256", pa.string()),
        ("text", pa.string()),
        ("token_ids_sha256", pa.string()),
        ("tokens", pa.int64()),
        ("words", pa.int64()),
        ("finish", pa.string()),
    ]
)


def read_benchmarks(problems: Sequence[str], benchmarks: Sequence[str]) -> dict[str, list[dict]]:
    """Problems by benchmark: the competition's years together, and each other file by its name."""
    files = {Path(path).stem: read_jsonl(path) for path in benchmarks}
    return {"competition": [row for path in problems for row in read_jsonl(path)], **files}


def select_problems(item: dict[str, Any], benchmarks: dict[str, list[dict]]) -> list[dict]:
    """The problems that one item of the plan asks, in the order of their ids.

    Raises:
        ValueError: the plan names a benchmark that has no file.
    """
    if item["benchmark"] not in benchmarks:
        raise ValueError(
            f"plan: no file for benchmark {item['benchmark']!r};"
            f" known: {', '.join(sorted(benchmarks))}"
        )
    rows = benchmarks[item["benchmark"]]
    if item["years"] is not None:
        rows = [row for row in rows if row["year"] in item["years"]]
    if "only" in item:
        rows = [row for row in rows if row["id"] in item["only"]]
    rows = [row for row in rows if row["id"] not in item.get("without", ())]
    return sorted(rows, key=lambda row: row["id"])


def open_student(lock: str, checkpoint: Path | None, configs: Sequence[str]) -> tuple[Any, Any]:
    """The student, with a checkpoint's adapter unless it is the base."""
    if checkpoint is None:
        return load_student(lock)
    with tempfile.TemporaryDirectory() as temporary:
        adapter = make_adapter_folder(checkpoint, Path(configs[0]), Path(temporary))
        return load_student(lock, adapter)


def make_row(
    item: dict[str, Any],
    problem: str,
    message: str,
    answer: Answer,
    text: str,
    adapter_sha256: str | None,
    system: str | None = None,
) -> dict[str, Any]:
    """One row of the predictions."""
    iteration = item["iteration"]
    suffix = "" if iteration is None else f".{iteration:05d}"
    return {
        "id": f"{problem}.{item['level']}{suffix}",
        "problem": problem,
        "benchmark": item["benchmark"],
        "level": item["level"],
        "iteration": iteration,
        "adapter_sha256": adapter_sha256,
        "prompt_sha256": sha256_text(message if system is None else f"{system}\n{message}"),
        "text": text,
        "token_ids_sha256": sha256_text(canonical_json(answer.tokens)),
        "tokens": len(answer.tokens),
        "words": len(text.split()),
        "finish": answer.finish,
    }


def make_decoder(
    name: str, width: int, widths: BatchWidths, helper: ComputeWorker | None
) -> Decoder:
    """The decoder that a study file names."""
    if name == "continuous":
        return ContinuousDecoder(width, widths)
    return ExactDecoder(BatchShape(width=width), helper, widths)


Question = tuple[dict[str, Any], str, str]  # item of the plan, problem id, message


def list_questions(
    input: Any,  # noqa: A002
    plan: list[dict[str, Any]],
    published: bool,
) -> dict[int | None, list[Question]]:
    """What is asked of each checkpoint, in the order of the plan."""
    benchmarks = read_benchmarks(input.problems, input.benchmarks)
    prompts = load_prompts(input.student_prompt, input.levels)

    def ask(problem: dict[str, Any], level: str) -> str:
        return published_text(problem) if published else question_text(problem, level, prompts)

    asked: dict[int | None, list[Question]] = {}
    for item in sorted(plan, key=lambda item: item["iteration"] or 0):
        asked.setdefault(item["iteration"], []).extend(
            (item, problem["id"], ask(problem, item["level"]))
            for problem in select_problems(item, benchmarks)
        )
    return asked


def main(input: Any, output: Any, params: Any, resources: Any) -> dict[str, Any]:  # noqa: A002
    plan = json.loads(Path(input.plan).read_text(encoding="utf-8"))
    if len({item["iteration"] is None for item in plan}) != 1:
        raise ValueError(f"{input.plan}: asks base and adapters, or nothing; remedy: a plan each")
    published = PUBLISHED in params.run.split("/")
    system = read_system(input.system) if published else None
    asked = list_questions(input, plan, published)
    checkpoints = {
        int(Path(path).stem): Path(path) for path in input.adapters if path.endswith(".safetensors")
    }
    configs = [path for path in input.adapters if path.endswith(".json")]
    memory_mb = getattr(resources, "mem_mb", None)
    folder = Path("state", params.study, "predictions", params.run)
    store = RowStore(folder if params.code else None)
    totals, rows = Counts(), []
    progress = AnswerProgress(sum(map(len, asked.values())))
    limit_cache(memory_mb)
    with helper_process(serve_batches) as helper:
        model, tokenizer = open_student(input.student, checkpoints.get(next(iter(asked))), configs)
        if params.decoder == "exact":
            check_batching(model)
        widths = decoding_widths(model, memory_mb)
        decoder = make_decoder(params.decoder, params.batch_size, widths, helper)
        tokens_of = functools.cache(functools.partial(render_prompt, tokenizer, system=system))
        for iteration, questions in asked.items():
            adapter_sha256 = None
            if iteration is not None:
                adapter_sha256 = sha256_file(checkpoints[iteration])
                swap_adapter(model, checkpoints[iteration])
            key = decoding_key(
                model=sha256_file(input.student),
                adapter=adapter_sha256,
                code=params.code,
                backend=backend(),
                blas=load_blas(),
                **decoder.name,
            )
            with merged(model):
                answers, counts = answer_prompts(
                    model,
                    tokenizer,
                    [tokens_of(message) for _, _, message in questions],
                    params.max_tokens,
                    decoder,
                    store,
                    key,
                    progress,
                )
            for (item, problem, message), answer in zip(questions, answers, strict=True):
                text = answer_text(tokenizer, answer.tokens)
                rows.append(make_row(item, problem, message, answer, text, adapter_sha256, system))
            for name, count in asdict(counts).items():
                setattr(totals, name, getattr(totals, name) + count)
            print(f"iteration {iteration}: {asdict(counts)}", file=sys.stderr, flush=True)
    store.close()
    rows.sort(key=lambda row: row["id"])
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), output.predictions, compression="zstd")
    messages = {message for questions in asked.values() for _, _, message in questions}
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
