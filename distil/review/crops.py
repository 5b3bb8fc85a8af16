"""The file of a year's crops: the picture of each problem, and of each answer in its key.

A Parquet file, one row a picture: `id` of the problem, `what` (`statement` or `key`), `page`
(1-based) and `box` (points from the top-left corner) in the PDF with `pdf_sha256`, `dpi`, `png`
(the bytes of the picture) and `png_sha256`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

WHAT = ("statement", "key")
_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("what", pa.string()),
        ("page", pa.int32()),
        ("box", pa.list_(pa.float64())),
        ("pdf_sha256", pa.string()),
        ("dpi", pa.int32()),
        ("png", pa.binary()),
        ("png_sha256", pa.string()),
    ]
)


def places(row: dict[str, Any]) -> dict[str, tuple[str, int, list[float]]]:
    """Return where a problem stands: {what: (sha256 of the PDF, page, box)}; no key, no entry."""
    found = {"statement": (row["pdf_sha256"], row["page"], row["box"])}
    if row.get("key_page") is not None:
        found["key"] = (row["key_sha256"], row["key_page"], row["key_box"])
    return found


def write_crops(path: str | Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write rows, sorted by problem and `WHAT`; a PNG is compressed already."""
    ordered = sorted(rows, key=lambda row: (row["id"], WHAT.index(row["what"])))
    pq.write_table(pa.Table.from_pylist(ordered, schema=_SCHEMA), path, compression="none")


def read_crops(path: str | Path) -> dict[tuple[str, str], dict[str, Any]]:
    """Read a year's crops by (problem id, what)."""
    return {(row["id"], row["what"]): row for row in pq.read_table(path).to_pylist()}
