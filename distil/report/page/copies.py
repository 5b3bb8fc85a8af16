"""One file to send: the page of a study as a zip, with or without the exams' own words.

Statements, options and pictures of problems belong to whoever wrote the exams. They go into a copy
where the study file says so (page.include_statements), or where they are asked for.
"""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any

from distil.content.files import write_atomically
from distil.report.page import shards

if TYPE_CHECKING:
    from pathlib import Path

# What a problem's row keeps in a copy without statements: where it stands, and its key's hash.
KEPT = ("id", "year", "section", "number", "page", "box", "pdf_sha256", "key_page", "key_box",
        "key_sha256", "method", "flags", "confidence")  # fmt: skip
QUOTING = {"statement", "a_text", "b_text", "key"}
_DATE = (1980, 1, 1, 0, 0, 0)  # the first that a zip can hold: equal pages give equal bytes


def write_zip(top: Path, target: Path, *, statements: bool = False) -> bool:
    """Write a study's page into a zip.

    Args:
        top: results/STUDY.
        target: the file.
        statements: take the exams' statements and pictures along, whatever the study file says.

    Returns:
        Whether they were taken along.

    Raises:
        FileNotFoundError: the study has no page.
    """
    if not (top / "index.html").is_file():
        raise FileNotFoundError(2, "there is no page of this study yet: run it", str(top))
    study = shards.decode((top / "page" / "study.js").read_bytes())
    # A page of an older state does not say it.
    whole = statements or study.get("include_statements", study["kind"] == "sample")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in [top / "index.html", *sorted((top / "page").rglob("*.js"))]:
            name = path.relative_to(top)
            data = path.read_bytes()
            if not whole and name.parts[0] == "page":
                key = name.relative_to("page").with_suffix("").as_posix()
                data = shards.encode(key, without_statements(key, shards.decode(data)))
            packed.writestr(zipfile.ZipInfo(f"{top.name}/{name.as_posix()}", _DATE), data)
    write_atomically(target, stream.getvalue())
    return whole


def without_statements(key: str, content: dict[str, Any]) -> dict[str, Any]:
    """Return a shard's content without the exams' words.

    Args:
        key: the shard's name, `study` or `texts/2024`.
        content: what it holds.
    """
    if key == "study":
        tables = {name: _without_columns(table) for name, table in content["tables"].items()}
        return {
            **content,
            "questions": [{**row, "text": ""} for row in content["questions"]],
            "tables": tables,
            "duplicates": [_without_columns(table) for table in content["duplicates"]],
            "corrections": [],
        }
    if key.startswith("texts/"):
        problems = {
            name: {field: row[field] for field in KEPT if field in row}
            for name, row in content["problems"].items()
        }
        return {**content, "problems": problems, "pictures": {}, "corrections": {}}
    return content


def _without_columns(table: dict[str, Any]) -> dict[str, Any]:
    kept = [place for place, name in enumerate(table["columns"]) if name not in QUOTING]
    return {
        **table,
        "columns": [table["columns"][place] for place in kept],
        "rows": [[row[place] for place in kept] for row in table["rows"]],
    }
