"""What the page shows at once: claims, tables, curves, stops and splits."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from distil.content.sources import row_names

if TYPE_CHECKING:
    from collections.abc import Iterable


def read_table(path: str | Path) -> dict[str, Any]:
    """Read a CSV as texts: `columns` and `rows`."""
    with Path(path).open(encoding="utf-8", newline="") as stream:
        columns, *rows = list(csv.reader(stream)) or [[]]
    return {"columns": columns, "rows": rows}


def read_tables(paths: Iterable[str | Path]) -> dict[str, dict[str, Any]]:
    """Read tables by the names of their files, with the `names` of their rows."""
    tables = {Path(path).stem: read_table(path) for path in paths}
    for table in tables.values():
        rows = [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]
        table["names"] = row_names(rows)
    return tables


def read_claim_rows(path: str | Path) -> dict[str, list[str]]:
    """Return the ids behind each row of the claims, by the row's name (`C4/held_out`)."""
    table = pq.read_table(path)
    found: dict[str, dict[str, None]] = {}
    if "cell" in table.column_names:
        cells = table["cell"].to_pylist()
    else:
        pairs = zip(table["claim"].to_pylist(), table["estimand"].to_pylist(), strict=True)
        cells = [f"{claim}/{estimand}" for claim, estimand in pairs]
    for cell, row in zip(cells, table["row"].to_pylist(), strict=True):
        found.setdefault(cell, {})[row] = None
    return {cell: list(rows) for cell, rows in found.items()}


def read_curves(paths: Iterable[str | Path]) -> list[dict[str, Any]]:
    """Read validation curves: fold, variant, seed and [iteration, loss] of each."""
    found = []
    for path in map(Path, paths):
        fold, variant, seed = path.parts[-4:-1]
        with path.open(encoding="utf-8", newline="") as stream:
            points = [[int(row["iteration"]), float(row["loss"])] for row in csv.DictReader(stream)]
        found.append(
            {"fold": fold, "variant": variant, "seed": int(seed.partition("-")[2]),
             "points": points}
        )  # fmt: skip
    return found


def read_stops(paths: Iterable[str | Path]) -> list[dict[str, Any]]:
    """Read the chosen stops of each fold and variant."""
    return [
        {
            "fold": path.parts[-3],
            "variant": path.parts[-2],
            "stops": json.loads(path.read_text(encoding="utf-8")),
        }
        for path in map(Path, paths)
    ]


def read_places(paths: Iterable[str | Path]) -> list[dict[str, Any]]:
    """Read the CSVs of each fold and variant (parts or duplicates), with fold and variant."""
    return [
        {"fold": path.parts[-3], "variant": path.parts[-2], **read_table(path)}
        for path in map(Path, paths)
    ]
