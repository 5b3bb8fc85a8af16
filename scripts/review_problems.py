"""Write the flagged problems beside their crops on one page, and a corrections file to fill in.

Input: `extracted`, the problems of each year as they were read; `readings`, second readings (none
where no vision model is configured); `crops`, their pictures.
Output: `page` (HTML that stands alone); `corrections` (YAML: the entries that stand, and one for
each doubt, as a comment, with `was` filled in).
Params: `title`; `sections`, {short name: name}; `corrections`, every year's entries; `prefer`, as
of correct_problems.

The page is made from what was read, so it also shows which corrections no longer apply, when
correct_problems refuses them.
"""

from typing import Any

from distil.content.files import read_jsonl, write_atomically
from distil.review.corrections import unfit
from distil.review.crops import WHAT, read_crops
from distil.review.page import Item, entries_to_fill, page
from distil.review.vision_readings import apply_readings


def main(*, input: Any, output: Any, params: Any) -> dict[str, Any]:  # noqa: A002
    readings = [row for path in input.readings for row in read_jsonl(path)]
    rows = apply_readings(
        (row for path in input.extracted for row in read_jsonl(path)), readings, params.prefer
    )
    entries: dict[str, list[dict[str, Any]]] = {}
    for entry in params.corrections:
        entries.setdefault(entry["id"], []).append(entry)
    stale = unfit(rows, params.corrections)
    refused = {entry["id"] for entry, _ in stale}
    crops = {}
    for path in input.crops:
        crops |= read_crops(path)
    items = [
        Item(
            row,
            {what: crops[row["id"], what]["png"] for what in WHAT if (row["id"], what) in crops},
            () if row["id"] in refused else tuple(entries.get(row["id"], ())),
        )
        for row in rows
        if row["flags"] or row["id"] in entries
    ]
    text = page(params.title, rows, items, stale, params.sections)
    write_atomically(output.page, text.encode())
    filled = entries_to_fill(items, params.corrections, stale)
    write_atomically(output.corrections, filled.encode())
    left = sum(not item.entries for item in items)
    print(f"{len(rows)} problems, {len(items)} flagged, {left} to look at: {output.page}")
    return {"facts": {"problems": len(rows), "flagged": len(items), "left": left}}


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
