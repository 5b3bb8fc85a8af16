"""Answers a tiny study's plan; a test kills it. Arguments: MODEL PROBLEMS RESULT."""

import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace

from distil.student import answering
from scripts import predict_answers


def main(model: Path, home: Path, result: Path) -> None:
    """Run the script's `main` and write what it counted."""
    answer_prompts = answering.answer_prompts

    def slowly(*arguments: object) -> object:
        print("answering", flush=True)
        return answer_prompts(*arguments)

    predict_answers.answer_prompts = slowly
    keep = answering.RowStore.flush

    def flush(store: answering.RowStore) -> None:
        keep(store)
        time.sleep(0.02)  # so that kills fall between batches as well as into them

    answering.RowStore.flush = flush
    counted = predict_answers.main(
        input=SimpleNamespace(
            plan=str(home / "plan.json"),
            problems=[str(home / "2020.jsonl")],
            benchmarks=[],
            student_prompt=str(home / "student.txt"),
            levels=str(home / "levels.yaml"),
            system=[],
            student=str(model / "model.lock.json"),
            adapters=[],
        ),
        output=SimpleNamespace(predictions=str(result / "base.parquet")),
        params=SimpleNamespace(
            study="tiny",
            run="base",
            max_tokens=40,
            batch_size=8,
            decoder="exact",
            sampling=None,
            code="a",
        ),
        resources=SimpleNamespace(mem_mb=2000),
    )
    (result / "counted.json").write_text(json.dumps(counted["history"]))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
