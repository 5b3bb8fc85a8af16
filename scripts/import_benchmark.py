"""Turn a benchmark's JSONL file (MATH-500's fields) into problem rows.

Input: `file`, one object a line with `problem` and `answer`. Output: `problems`, JSONL in the form
of exam problems, without year, section, page and box. Params: `benchmark`, `sha256` of the file.
"""

from pathlib import Path  # noqa: I001

from distil.notation.answers import canonical_answer
from distil.content.files import read_jsonl, write_jsonl
from distil.content.hashing import sha256_file


def import_row(benchmark: str, number: int, row: dict, source: str) -> dict:
    """Return one problem row.

    Raises:
        ValueError: the row lacks a field; the message names file, line and field.
    """
    for field in ("problem", "answer"):
        if not isinstance(row.get(field), str) or not row[field]:
            raise ValueError(f"{source}:{number}: {field} is missing; restore the file")
    return {
        "id": f"{benchmark}-{number:04d}",
        "year": None,
        "section": row.get("subject"),
        "number": str(number),
        "statement": row["problem"],
        "statement_plain": row["problem"],
        "options": [],
        "answer_raw": row["answer"],
        "answer": canonical_answer(row["answer"]),
        "method": "benchmark",
        "flags": [],
        "confidence": 1.0,
    }


def main(*, input, output, params) -> dict:  # noqa: A002
    digest = sha256_file(input.file)
    if digest != params.sha256:
        raise ValueError(
            f"{input.file}: sha256 is {digest}, the configuration says {params.sha256}; "
            "restore the file, or correct benchmark_files if the new one is right"
        )
    rows = [
        import_row(params.benchmark, number, row, Path(input.file).name)
        for number, row in enumerate(read_jsonl(input.file), start=1)
    ]
    write_jsonl(output.problems, rows)
    return {"facts": {"problems": len(rows)}}


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
