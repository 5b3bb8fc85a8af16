"""The tables of a study as Croissant 1.0: each file with its hash, each column with its type.

Columns and types are read from the files themselves (Parquet's schema; JSON Lines and CSV as
pyarrow infers them). Format: https://docs.mlcommons.org/croissant/docs/croissant-spec.html
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator

    from distil.audit.records import Records

BASENAME = "croissant.json"
SPECIFICATION = "http://mlcommons.org/croissant/1.0"
FOLDERS = ("benchmarks", "datasets", "grades", "predictions", "problems", "traces")
# Parquet has a registered media type; readers of Croissant know it by this older name.
FORMATS = {
    ".csv": "text/csv",
    ".jsonl": "application/jsonlines",
    ".parquet": "application/x-parquet",
}
# The terms of the specification, as it asks to have them stand in every description.
CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    **{
        name: f"cr:{name}"
        for name in (
            "citeAs", "column", "equivalentProperty", "extract", "field", "fileObject",
            "fileProperty", "fileSet", "format", "includes", "isLiveDataset", "jsonPath", "key",
            "md5", "parentField", "path", "recordSet", "references", "regex", "repeated",
            "replace", "samplingRate", "separator", "source", "subField", "transform",
        )
    },
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
}  # fmt: skip


def describe(records: Records, **properties: Any) -> str:
    """Return the description of a study's tables as JSON-LD, the same text for the same records.

    Args:
        records: the study's records; its tables are read.
        properties: of the whole, as the specification names them: license, datePublished, ...
    """
    rows = {
        path: row
        for record in records.by_path.values()
        for path, row in record.files("output").items()
        if Path(path).parts[2] in FOLDERS and Path(path).suffix in FORMATS
    }
    files, tables = [], []
    for path, row in sorted(rows.items()):
        files.append(
            {
                "@type": "cr:FileObject",
                "@id": path,
                "name": path,
                "contentUrl": quote(path),
                "contentSize": f"{row['size']} B",
                "encodingFormat": FORMATS[Path(path).suffix],
                "sha256": row["sha256"],
            }
        )
        name = Path(*Path(path).parts[2:]).with_suffix("").as_posix()
        if fields := [*_fields(path, name)]:
            tables.append(
                {
                    "@type": "cr:RecordSet",
                    "@id": name,
                    "name": name,
                    "description": f"the rows of {path}",
                    "field": fields,
                }
            )
    content = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": SPECIFICATION,
        "name": f"study-{records.study}",
        **properties,
        "distribution": files,
        "recordSet": tables,
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _fields(path: str, table: str) -> Iterator[dict[str, Any]]:
    for column in read_schema(path):
        source = {"fileObject": {"@id": path}, "extract": {"column": column.name}}
        yield from _field(column, f"{table}/{column.name}", source, ())


def read_schema(path: str) -> pa.Schema:
    """Return the columns of a CSV, JSON Lines or Parquet file with their types.

    Raises:
        ValueError: a column holds values of several types; the message names the file.
    """
    import pyarrow.csv
    import pyarrow.json
    import pyarrow.parquet

    size = Path(path).stat().st_size
    if path.endswith(".parquet"):
        return pyarrow.parquet.read_schema(path)
    if not size:
        return pa.schema([])
    # One block, since a type is inferred from the first block alone.
    try:
        if path.endswith(".csv"):
            options = pyarrow.csv.ReadOptions(block_size=size + 1)
            return pyarrow.csv.read_csv(path, read_options=options).schema
        options = pyarrow.json.ReadOptions(block_size=size + 1)
        return pyarrow.json.read_json(path, read_options=options).schema
    except pa.ArrowInvalid as error:
        raise ValueError(f"{path}: its columns cannot be typed ({error})") from error


def _field(
    column: pa.Field, name: str, source: dict[str, Any], inside: tuple[str, ...]
) -> Iterator[dict[str, Any]]:
    """Yield a column's description; none for one that Croissant has no words for."""
    kind, field = column.type, {"@type": "cr:Field", "@id": name, "name": name}
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        if inside:
            return  # a list inside a list or an object
        field["repeated"], kind = True, kind.value_type
    if pa.types.is_struct(kind):
        parts = [
            part
            for inner in kind
            for part in _field(inner, f"{name}/{inner.name}", source, (*inside, inner.name))
        ]
        if parts:
            yield {**field, "subField": parts}
        return
    known = _type(kind)
    if known is None:
        return
    if inside:
        source = {**source, "transform": {"jsonPath": ".".join(f'"{key}"' for key in inside)}}
    yield {**field, "dataType": known, "source": source}


def _type(kind: pa.DataType) -> str | None:
    if pa.types.is_boolean(kind):
        return "sc:Boolean"
    if pa.types.is_integer(kind):
        return "sc:Integer"
    if pa.types.is_floating(kind):
        return "sc:Float"
    if pa.types.is_temporal(kind):
        return "sc:Date" if pa.types.is_date(kind) else "sc:DateTime"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind):
        return "sc:Text"
    return None
