"""Write the problems beside their crops on one page, and a corrections file to fill in.

Input: `extracted`, the problems of each year as they were read; `readings`, second readings (none
where no vision model is configured); `crops`, their pictures.
Output: `page` (HTML that stands alone); `corrections` (YAML: the entries that stand, and one for
each doubt, as a comment, with `was` filled in).
Params: `title`; `sections`, {short name: name}; `corrections`, every year's entries; `prefer` and
`refuse`, as of correct_problems.

The page is made from what was read, so it also shows which corrections no longer apply, when
correct_problems refuses them.
"""

from typing import Any

from distil.content.files import read_jsonl, write_atomically
from distil.review.admission import admit
from distil.review.corrections import apply_corrections, entries_by_problem, unfit
from distil.review.crops import WHAT, read_crops
from distil.review.page import Item, entries_to_fill, page
from distil.review.vision_readings import apply_readings


def main(*, input: Any, output: Any, params: Any) -> dict[str, Any]:  # noqa: A002
    readings = [row for path in input.readings for row in read_jsonl(path)]
    rows = apply_readings(
        (row for path in input.extracted for row in read_jsonl(path)), readings, params.prefer
    )
    rows = list(rows)
    stale = unfit(rows, params.corrections)
    refused = [entry for entry, _ in stale]
    standing = [entry for entry in params.corrections if entry not in refused]
    entries = entries_by_problem(rows, standing)
    corrected = apply_corrections(rows, standing, "")
    _, kept_out = admit(corrected, params.refuse)
    crops = {}
    for path in input.crops:
        crops |= read_crops(path)
    items = [
        Item(
            row,
            {what: crops[row["id"], what]["png"] for what in WHAT if (row["id"], what) in crops},
            tuple(entries.get(row["id"], ())),
        )
        for row in rows
    ]
    added = [
        (entry, crops.get((entry["id"], "statement"), {}).get("png"))
        for entry in standing
        if entry["field"] == "problem"
    ]
    text = page(params.title, items, stale, params.sections, kept_out, added)
    write_atomically(output.page, text.encode())
    filled = entries_to_fill(rows, items, params.corrections, stale)
    write_atomically(output.corrections, filled.encode())
    flagged = [item for item in items if item.row["flags"]]
    left = sum(not item.entries for item in flagged)
    out = len({name for names in kept_out.values() for name in names})
    print(
        f"{len(rows)} problems, {len(flagged)} flagged, {left} to look at, {out} kept out of the "
        f"study: {output.page}"
    )
    facts = {"problems": len(rows), "flagged": len(flagged), "left": left, "kept_out": kept_out}
    return {"facts": facts}


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
