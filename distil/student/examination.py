"""What a run of the student is asked, and the rows that its answers become.

Shared by the two ways to answer: decoded here (`predict_answers`) and asked of a server
(`ask_student`). A level may carry a cap, as `R1@64`: asked as R1, cut at 64 tokens.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from distil.content.addresses import sample_id, split_level
from distil.content.files import read_jsonl
from distil.content.hashing import canonical_json, sha256_text
from distil.student.questions import load_prompts, published_text, question_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from distil.student.rows import Answer

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


class Question(NamedTuple):
    """One question of a run.

    Attributes:
        item: the item of the plan that asks it.
        problem: its id.
        message: the user message.
        sample: number of the answer, where several are asked; 0 for the first.
    """

    item: Mapping[str, Any]
    problem: str
    message: str
    sample: int

    @property
    def cap(self) -> int | None:
        """Tokens that the answer is cut at, below `max_tokens`; None without a cap."""
        return split_level(self.item["level"])[1]


def read_benchmarks(problems: Sequence[str], benchmarks: Sequence[str]) -> dict[str, list[dict]]:
    """Problems by benchmark: the competition's years together, and each other file by its name."""
    files = {Path(path).stem: read_jsonl(path) for path in benchmarks}
    return {"competition": [row for path in problems for row in read_jsonl(path)], **files}


def select_problems(item: Mapping[str, Any], benchmarks: dict[str, list[dict]]) -> list[dict]:
    """The problems that one item of the plan asks, in the order of their ids.

    `only` and `without` name ids that are, or are not, among them; with `at_most`, these are drawn
    by the hash of their ids: the same ones in every run.

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
    if item.get("at_most") is not None:
        rows = sorted(rows, key=lambda row: sha256_text(row["id"]))[: item["at_most"]]
    return sorted(rows, key=lambda row: row["id"])


def list_questions(
    input: Any,  # noqa: A002
    plan: list[dict[str, Any]],
    published: bool,
    samples: int = 1,
) -> dict[int | None, list[Question]]:
    """What is asked of each checkpoint, in the order of the plan.

    Args:
        input: paths `problems`, `benchmarks`, `student_prompt` and `levels`.
        plan: its items.
        published: whether to ask in the published study's words.
        samples: answers to each question.

    Raises:
        ValueError: the plan asks base and adapters, or nothing.
    """
    if len({item["iteration"] is None for item in plan}) != 1:
        raise ValueError(f"{input.plan}: asks base and adapters, or nothing; remedy: a plan each")
    benchmarks = read_benchmarks(input.problems, input.benchmarks)
    prompts = load_prompts(input.student_prompt, input.levels)

    def ask(problem: dict[str, Any], level: str) -> str:
        if published:
            return published_text(problem)
        return question_text(problem, split_level(level)[0], prompts)

    asked: dict[int | None, list[Question]] = {}
    for item in sorted(plan, key=lambda item: item["iteration"] or 0):
        asked.setdefault(item["iteration"], []).extend(
            Question(item, problem["id"], ask(problem, item["level"]), sample)
            for problem in select_problems(item, benchmarks)
            for sample in range(samples)
        )
    return asked


def make_row(
    question: Question,
    answer: Answer | None,
    text: str,
    finish: str,
    adapter_sha256: str | None,
    system: str | None = None,
) -> dict[str, Any]:
    """One row of the predictions.

    Args:
        question: what was asked.
        answer: its tokens; None where only the text is known.
        text: what was said.
        finish: `stop` or `length`.
        adapter_sha256: of the checkpoint; None for the base.
        system: the system turn above the message, where there was one.
    """
    item, message = question.item, question.message
    suffix = "" if item["iteration"] is None else f".{item['iteration']:05d}"
    return {
        "id": sample_id(f"{question.problem}.{item['level']}{suffix}", question.sample),
        "problem": question.problem,
        "benchmark": item["benchmark"],
        "level": item["level"],
        "iteration": item["iteration"],
        "adapter_sha256": adapter_sha256,
        "prompt_sha256": sha256_text(message if system is None else f"{system}\n{message}"),
        "text": text,
        "token_ids_sha256": sha256_text(canonical_json(answer.tokens)) if answer else None,
        "tokens": len(answer.tokens) if answer else None,
        "words": len(text.split()),
        "finish": finish,
        "sample": question.sample,
    }


def write_predictions(
    rows: list[dict[str, Any]],
    path: str,
    *,
    sampled: bool = False,
    served: bool = False,
) -> None:
    """Write the rows of a run, sorted by id.

    Args:
        rows: made by `make_row`.
        path: the Parquet file.
        sampled: whether to write the number of the sample.
        served: whether to write the hashes of request and response.
    """
    schema = SCHEMA
    if sampled:
        schema = schema.append(pa.field("sample", pa.int64()))
    if served:
        for name in ("request_sha256", "response_sha256"):
            schema = schema.append(pa.field(name, pa.string()))
    rows = [
        {name: row[name] for name in schema.names}
        for row in sorted(rows, key=lambda row: row["id"])
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema), path, compression="zstd")


def checkpoint_files(adapters: Sequence[str]) -> dict[int, Path]:
    """Return the checkpoints among a run's adapter files, by iteration."""
    return {int(Path(path).stem): Path(path) for path in adapters if path.endswith(".safetensors")}


def served_name(run: str, iteration: int, adapter_sha256: str) -> str:
    """Return the name that a checkpoint's adapter has at a server.

    It holds the weights' hash, so that another training has another name: a server that was not
    given it refuses, and no answer of the old one is taken for its.
    """
    return f"{run.replace('/', '-')}-{iteration:05d}-{adapter_sha256[:12]}"
