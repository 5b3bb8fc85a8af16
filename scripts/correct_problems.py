"""Apply one year's human corrections to its extracted problems.

Input: `extracted`, the year's problems as they were read (JSONL); `readings`, second readings of
its flagged problems (none where no vision backend is configured).
Output: `problems`, what every later stage reads, sorted by id. A row that nothing was done to is
the extracted row; others carry `readings` and `corrections`.
Params: `corrections`, the year's entries; `file`, where they stand (null: nowhere); `prefer`, whose
text stands where extraction and second reading disagree (null: there is no second reading);
`refuse`, the flags that keep a problem out of the study.
"""

from typing import Any

from distil.content.files import read_jsonl, write_jsonl
from distil.review.admission import admit
from distil.review.corrections import apply_corrections, count_corrections
from distil.review.vision_readings import apply_readings


def main(*, input: Any, output: Any, params: Any) -> dict[str, Any]:  # noqa: A002
    extracted = read_jsonl(input.extracted)
    readings = [row for path in input.readings for row in read_jsonl(path)]
    rows = apply_readings(extracted, readings, params.prefer)
    rows = apply_corrections(rows, params.corrections, params.file)
    struck_out = sorted({row["id"] for row in extracted} - {row["id"] for row in rows})
    admitted, kept_out = admit(rows, params.refuse)
    write_jsonl(output.problems, admitted)
    return {
        "facts": {
            "problems": len(admitted),
            "corrected": count_corrections(admitted),
            "struck_out": struck_out,
            "kept_out": kept_out,
        }
    }


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
