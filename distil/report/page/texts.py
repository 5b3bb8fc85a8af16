"""Problems, pictures, answers and traces of one year or benchmark, loaded on demand."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from distil.content.files import read_jsonl
from distil.review.crops import read_crops

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from distil.report.page.shards import Texts

# Of an answer, in this order; texts by their number, see `Texts`.
ANSWER = (
    "text", "extracted", "verdict", "strict_verdict", "second_verdict", "judge_verdict", "rule",
    "reason", "finish", "words", "tokens", "prompt_sha256", "adapter_sha256", "token_ids_sha256",
    "id",
)  # fmt: skip
NUMBERS = {"words", "tokens"}


def read_pictures(path: str | Path) -> dict[str, dict[str, dict[str, Any]]]:
    """Return {problem: {`statement` or `key`: page, box, sha256 of the PDF, width, PNG}}."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for (name, what), row in read_crops(path).items():
        found.setdefault(name, {})[what] = {
            "page": row["page"],
            "box": [round(float(edge), 2) for edge in row["box"]],
            "pdf_sha256": row["pdf_sha256"],
            "png_sha256": row["png_sha256"],
            "dpi": row["dpi"],
            "png": base64.b64encode(row["png"]).decode("ascii"),
        }
    return found


def read_answers(predictions: str | Path, grades: str | Path) -> dict[str, dict[str, Any]]:
    """Read one run's answers with their verdicts by id; columns that one lacks are left out."""
    found: dict[str, dict[str, Any]] = {}
    for path in (predictions, grades):
        held = set(pq.read_schema(path).names)
        wanted = [*(name for name in (*ANSWER, "problem") if name in held)]
        for row in pq.read_table(path, columns=wanted).to_pylist():
            found.setdefault(row["id"], {}).update(row)
    return found


def pack_answer(row: Mapping[str, Any], texts: Texts) -> list[Any]:
    """Return an answer's values in the order of `ANSWER`."""
    return [row.get(name) if name in NUMBERS else texts.place(row.get(name)) for name in ANSWER]


def by_problem(paths: Iterable[str | Path]) -> dict[str, list[dict[str, Any]]]:
    """Read JSONL files into lists of rows by problem."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path in paths:
        for row in read_jsonl(path):
            found.setdefault(row["problem"], []).append(row)
    return found
