"""One file to send: the page of a study as a zip, with or without the exams' own words.

Statements, options, keys and pictures of problems belong to whoever wrote the exams. They go into a
copy where the study file says so (page.include_statements), or where they are asked for. A copy
without them holds what is named here and nothing else, so that what is new to the page stays out of
it until somebody has decided that it may go in.
"""

from __future__ import annotations

import io
import re
import zipfile
from typing import TYPE_CHECKING, Any

from distil.content.files import write_atomically
from distil.content.hashing import canonical_json, sha256_text
from distil.report.page import shards

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

STUDY = ("title", "name", "kind", "takes_corrections", "include_statements", "not_run", "sections",
         "settings", "claims", "evidence", "columns", "curves", "stops", "shards",
         "answer_fields")  # fmt: skip
QUESTION = ("id", "benchmark", "cluster", "alike", "stratum", "parts", "year", "section")
REVIEW = ("id", "home", "flags", "corrected", "excluded")
# Tables that hold no word of an exam, and the columns of those that quote some.
OPEN_TABLES = ("agreement", "forensics", "graders", "leakage", "levels", "multiverse", "problems",
               "runs", "seeds", "splits", "stops", "traces")  # fmt: skip
COLUMNS = {
    "disagreements": ("answer", "problem", "extracted", "outputs", "primary", "strict", "second",
                      "judge", "rule", "reason"),
    "verdicts": ("trace", "year", "section", "level", "answer", "verifier", "grader", "trains"),
    "duplicates": ("kind", "score", "a", "a_part", "b", "b_part", "action", "removed"),
}  # fmt: skip
# Of a problem where it stands, and its key's hash; of the teacher what it answered.
PROBLEM = ("id", "year", "section", "number", "page", "box", "pdf_sha256", "key_page", "key_box",
           "key_sha256", "method", "flags", "confidence")  # fmt: skip
SOLUTION = ("id", "problem", "sample", "status", "answer", "reasoning", "content", "served_model",
            "request_sha256", "response_sha256")  # fmt: skip
TRACE = ("id", "problem", "level", "words", "verified", "grader", "verifier", "reason", "text",
         "response_sha256", "verifier_response_sha256")  # fmt: skip
RUN = ("runs", "anchor", "machine", "verified", "plan", "fresh")
JOB = ("job", "rule", "stage", "record", "log", "state", "started", "seconds", "code", "inputs",
       "outputs", "bytes")  # fmt: skip
_CLAIM = re.compile(r"[A-Z]+\d+[a-z]?")
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
                if key.partition("/")[0] not in CHOICES:
                    continue
                data = shards.encode(key, without_statements(key, shards.decode(data)))
            packed.writestr(zipfile.ZipInfo(f"{top.name}/{name.as_posix()}", _DATE), data)
    write_atomically(target, stream.getvalue())
    return whole


def without_statements(key: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what goes of a script into a copy without the exams' words.

    Args:
        key: the script's name: study, cells, run, `verdicts/common` or `texts/2024`.
        content: what it holds.

    Raises:
        KeyError: the page has no such script.
    """
    return CHOICES[key.partition("/")[0]](content)


def _pick(row: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: row[name] for name in names if name in row}


def _columns(table: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a table with those of its columns that may go in."""
    kept = [at for at, column in enumerate(table["columns"]) if _is_open(name, column)]
    return {
        **_pick(table, ("names", "fold", "variant")),
        "columns": [table["columns"][place] for place in kept],
        "rows": [[row[place] for place in kept] for row in table["rows"]],
    }


def _is_open(table: str, column: str) -> bool:
    return table in OPEN_TABLES or column in COLUMNS.get(table, ())


def _study(content: Mapping[str, Any]) -> dict[str, Any]:
    tables = content["tables"].items()
    return {
        **_pick(content, STUDY),
        "left_out": True,
        "questions": [{**_pick(row, QUESTION), "text": ""} for row in content["questions"]],
        "tables": {
            name: _columns(table, name)
            for name, table in tables
            if name in OPEN_TABLES or name in COLUMNS
        },
        "duplicates": [_columns(table, "duplicates") for table in content["duplicates"]],
        "review": [_pick(row, REVIEW) for row in content["review"]],
        "corrections": [],
    }


def _texts(content: Mapping[str, Any]) -> dict[str, Any]:
    def each(part: str, names: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
        return {
            problem: [_pick(row, names) for row in rows]
            for problem, rows in content.get(part, {}).items()
        }

    return {
        **{
            part: {name: _pick(row, PROBLEM) for name, row in content.get(part, {}).items()}
            for part in ("problems", "excluded")
        },
        "pictures": {},
        "corrections": {},
        "solutions": each("solutions", SOLUTION),
        "traces": each("traces", TRACE),
        **_pick(content, ("answers", "texts")),
    }


def _run(content: Mapping[str, Any]) -> dict[str, Any]:
    compared = content.get("compared")
    return {
        **_pick(content, RUN),
        "jobs": [
            {
                **_pick(job, JOB),
                "params": {name: _param(value) for name, value in job["params"].items()},
            }
            for job in content.get("jobs", ())
        ],
        "compared": compared and _compared(compared),
    }


def _param(value: Any) -> Any:
    """Return a param that holds no text as it is, any other by its hash."""
    return f"sha256:{sha256_text(canonical_json(value))}" if _has_text(value) else value


def _has_text(value: Any) -> bool:
    if isinstance(value, dict):
        return bool(value)  # its keys are texts
    if isinstance(value, list):
        return any(map(_has_text, value))
    return isinstance(value, str)


def _compared(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what moved between two runs, and of each cause where it is, not what was written."""
    moved = []
    for row in content.get("moved", ()):
        table, *_, column = row["cell"].split(":")
        if _CLAIM.fullmatch(table) or _is_open(table, column):
            causes = {
                cause: sorted({": ".join(line.split(": ")[:2]) for line in lines})
                for cause, lines in row["causes"].items()
            }
            moved.append({**_pick(row, ("cell", "before", "after")), "causes": causes})
    return {**_pick(content, ("before", "after")), "moved": moved}


def _verdicts(content: Mapping[str, Any]) -> dict[str, Any]:
    return _pick(content, ("verdicts", "words"))


def _cells(content: Mapping[str, Any]) -> dict[str, Any]:
    return _pick(content, ("tables", "entries", "sets"))


# What is taken of each kind of script; one of another kind stays out.
CHOICES: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "study": _study,
    "cells": _cells,
    "run": _run,
    "verdicts": _verdicts,
    "texts": _texts,
}
