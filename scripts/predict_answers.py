"""Decode one run's answers: the base student, or all checkpoints of one seed.

Input `plan` (JSON, a list of {iteration, benchmark, level, years}), `problems` (JSONL by year),
`benchmarks` (JSONL, the file's name is the benchmark's), `student_prompt`, `levels`, `student`
(model.lock.json), `adapters` (ITERATION.safetensors and adapter_config.json; none for the base).
Output `predictions` (Parquet, sorted by id). Params `study`, `max_tokens`, `batch_size`, `code`.

Answers decoded before are taken from `state/STUDY/predictions`. Without `code`, the fingerprint
of what decodes, nothing is taken from there, since nothing would say that it still holds.
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
from distil.content.progress import ProgressLine
from distil.lineage.record import run
from distil.student.adapters import make_adapter_folder, merged, swap_adapter
from distil.student.answering import Counts, answer_prompts, answer_text, decoding_key
from distil.student.blas import load_blas
from distil.student.decoding import BatchShape, serve_batches
from distil.student.model import backend, load_student, render_prompt
from distil.student.questions import load_prompts, question_text
from distil.student.rows import Answer, RowStore
from distil.student.workers import helper_process

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
        "prompt_sha256": sha256_text(message),
        "text": text,
        "token_ids_sha256": sha256_text(canonical_json(answer.tokens)),
        "tokens": len(answer.tokens),
        "words": len(text.split()),
        "finish": answer.finish,
    }


def main(input: Any, output: Any, params: Any) -> dict[str, Any]:  # noqa: A002
    plan = json.loads(Path(input.plan).read_text(encoding="utf-8"))
    if len({item["iteration"] is None for item in plan}) != 1:
        raise ValueError(f"{input.plan}: asks base and adapters, or nothing; remedy: a plan each")
    benchmarks = read_benchmarks(input.problems, input.benchmarks)
    prompts = load_prompts(input.student_prompt, input.levels)
    checkpoints = {
        int(Path(path).stem): Path(path) for path in input.adapters if path.endswith(".safetensors")
    }
    configs = [path for path in input.adapters if path.endswith(".json")]
    code = getattr(params, "code", None)
    folder = Path("state", params.study, "predictions")
    store = RowStore(folder if code else None)
    shape = BatchShape(width=params.batch_size)
    totals, rows = Counts(), []
    asked_in_all = sum(len(select_problems(item, benchmarks)) for item in plan)
    line = ProgressLine(asked_in_all, "answers")
    iterations = sorted({item["iteration"] for item in plan}, key=lambda i: i or 0)
    with helper_process(serve_batches) as helper:
        model, tokenizer = open_student(input.student, checkpoints.get(iterations[0]), configs)
        tokens_of = functools.cache(functools.partial(render_prompt, tokenizer))
        for iteration in iterations:
            adapter_sha256 = None
            if iteration is not None:
                adapter_sha256 = sha256_file(checkpoints[iteration])
                swap_adapter(model, checkpoints[iteration])
            asked = [
                (item, problem["id"], question_text(problem, item["level"], prompts))
                for item in plan
                if item["iteration"] == iteration
                for problem in select_problems(item, benchmarks)
            ]
            with merged(model):
                answers, counts = answer_prompts(
                    model,
                    tokenizer,
                    [tokens_of(message) for _, _, message in asked],
                    params.max_tokens,
                    shape,
                    store,
                    decoding_key(
                        model=sha256_file(input.student),
                        adapter=adapter_sha256,
                        code=code,
                        backend=backend(),
                        blas=load_blas(),
                    ),
                    helper,
                    line.show,
                )
            for (item, problem, message), answer in zip(asked, answers, strict=True):
                text = answer_text(tokenizer, answer.tokens)
                rows.append(make_row(item, problem, message, answer, text, adapter_sha256))
            for name, count in asdict(counts).items():
                setattr(totals, name, getattr(totals, name) + count)
            print(f"iteration {iteration}: {asdict(counts)}", file=sys.stderr, flush=True)
            line.before = len(rows)
            line.show(0)
    rows.sort(key=lambda row: row["id"])
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), output.predictions, compression="zstd")
    return {
        "facts": {
            "rows": len(rows),
            "cut_answers": sum(row["finish"] == "length" for row in rows),
            "overlong_prompts": totals.overlong,
            "shortened_answers": totals.shortened,
        },
        "history": {
            "new": totals.new,
            "reused": totals.reused,
            "backend": backend(),
            "blas": load_blas(),
        },
    }


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
