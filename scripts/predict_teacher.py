"""Take the solver's answers to each problem as the teacher's predictions (C2).

Input `solutions` (JSONL files of all years); output `predictions` (Parquet, sorted by id); params
`level`, the level that the teacher's full-length answers are listed under.

The text is what the solver said after its reasoning, one row for each of its samples. An answer
that was empty or cut off is an answer, and graded as one. What the host failed to give is none: it
has no row here, and the job's record counts such problems by status.
"""

from collections import Counter
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.parquet as pq

from distil.content.addresses import sample_id
from distil.content.files import read_jsonl

SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("id", "problem", "benchmark", "level", "prompt_sha256")),
        ("text", pa.string()),
        ("tokens", pa.int64()),
        ("words", pa.int64()),
        ("finish", pa.string()),
    ]
)


def predictions(solutions: Iterable[dict], level: str) -> list[dict]:
    """Return the predictions of solutions, sorted by id.

    `tokens` counts what the host billed, reasoning included; `words` are those of the text.

    Raises:
        ValueError: a problem is answered twice.
    """
    rows = {}
    for solution in solutions:
        if not solution["answered"]:
            continue
        text = solution["content"]
        row = {
            "id": sample_id(f"{solution['problem']}.{level}", solution["sample"]),
            "problem": solution["problem"],
            "benchmark": "competition",
            "level": level,
            "prompt_sha256": solution["prompt_sha256"],
            "text": text,
            "tokens": solution["usage"].get("completion_tokens", 0),
            "words": len(text.split()),
            "finish": "length" if solution["status"] == "length" else "stop",
        }
        if row["id"] in rows:
            raise ValueError(f"solutions: {row['problem']} is answered twice; give each year once")
        rows[row["id"]] = row
    return [rows[name] for name in sorted(rows)]


def unanswered(solutions: Iterable[dict]) -> dict[str, int]:
    """Return how many answers the host failed to give, by status."""
    return dict(sorted(Counter(row["status"] for row in solutions if not row["answered"]).items()))


def main(*, input, output, params):  # noqa: A002
    solutions = [row for path in input.solutions for row in read_jsonl(path)]
    rows = predictions(solutions, params.level)
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), output.predictions, compression="zstd")
    missing = unanswered(solutions)
    if missing:
        print(f"no prediction where the host gave no answer: {missing}")
    return {"facts": {"unanswered": missing}}


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
