"""Make the sample student from nothing: tokenizer, weights, pre-training, lock.

Input `problems` and `benchmarks` (JSONL; their statements are kept out of the text),
`student_prompt`, `levels`. Output: the files of a model folder, among them `lock`
(model.lock.json). Params `study`, `tokens`, `seed`, `vocabulary`, `sample_rows`, and `training`
and `shape`, which override `SETTINGS` and `SHAPE` of distil/synthetic/pretraining.py.

A run killed on the way resumes from `state/STUDY/student`, to the same bytes.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from distil.content.files import read_jsonl
from distil.lineage.record import run
from distil.notation.normal import normal_form
from distil.student.losses import serve_parts
from distil.student.questions import load_prompts
from distil.student.workers import helper_process
from distil.synthetic.corpus import pretraining_rows, tokenizer_sample
from distil.synthetic.pretraining import build_student


def excluded_forms(paths: Iterable[str]) -> frozenset[tuple[str, ...]]:
    """Normal forms of all statements in some problem files."""
    return frozenset(normal_form(row["statement"]) for path in paths for row in read_jsonl(path))


def main(input: Any, output: Any, params: Any) -> dict[str, Any]:  # noqa: A002
    prompts = load_prompts(input.student_prompt, input.levels)
    excluded = excluded_forms([*input.problems, *input.benchmarks])
    with helper_process(serve_parts) as helper:
        record = build_student(
            pretraining_rows(prompts, excluded, params.seed),
            tokenizer_sample(prompts, params.seed, params.sample_rows),
            Path(output.lock).parent,
            Path("state", params.study, "student", "pretraining.safetensors"),
            params.tokens,
            {**params.training, "seed": params.seed},
            params.shape,
            params.vocabulary,
            helper,
        )
    return {"facts": {name: record[name] for name in ("rows", "tokens", "parameters")}}


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
