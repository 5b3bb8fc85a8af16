"""Cut each problem of one year, and its answer in the key, out of the page it stands on.

Input: `papers` and `answer_keys`, the year's PDFs; `extracted`, its problems (JSONL).
Output: `crops`, their pictures (distil/review/crops.py says how).
Params: `dpi`; `added`, places of problems that people put in (id, section, page, box), which stand
in the PDF that others of their section were read from; `limits`, what the process that draws one
PDF's places may take.
"""

from typing import Any

from distil.content.files import read_jsonl
from distil.content.hashing import sha256_bytes, sha256_file
from distil.exams.drawing import crop_safely
from distil.review.crops import places, write_crops


def main(*, input: Any, output: Any, params: Any) -> dict[str, Any]:  # noqa: A002
    wanted: dict[str, list[dict[str, Any]]] = {}
    extracted = read_jsonl(input.extracted)
    papers = {row["section"]: row["pdf_sha256"] for row in extracted}
    read = {row["id"] for row in extracted}
    added = [
        {**place, "pdf_sha256": papers[place["section"]]}
        for place in params.added
        if place["id"] not in read and place["section"] in papers
    ]
    for row in [*extracted, *added]:
        for what, (digest, page, box) in places(row).items():
            place = {"id": row["id"], "what": what, "page": page, "box": box}
            wanted.setdefault(digest, []).append({**place, "pdf_sha256": digest})
    files = {sha256_file(path): path for path in [*input.papers, *input.answer_keys]}
    rows = []
    for digest, mine in wanted.items():
        pictures = crop_safely(
            files[digest],
            [(place["page"], place["box"]) for place in mine],
            dpi=params.dpi,
            memory=params.limits["memory_mb"] * 1024**2,
            cpu_seconds=params.limits["cpu_seconds"],
            wall_seconds=params.limits["wall_seconds"],
        )
        rows += [
            {**place, "dpi": params.dpi, "png": png, "png_sha256": sha256_bytes(png)}
            for place, png in zip(mine, pictures, strict=True)
        ]
    write_crops(output.crops, rows)
    return {"facts": {"crops": len(rows)}}


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
