"""Addresses of rows and of files under results/STUDY: formatted and parsed here and nowhere else.

    >>> row_id("curve", fold="temporal", variant="prompt", seed=0, iteration=60)
    'curve/temporal/prompt/seed-0/60'
    >>> parse_row("temporal/prompt/seed-0#2014-fs-07.R1.nested").fields["run"]
    'temporal/prompt/seed-0'
    >>> parse_file("results/sample/traces/2014/solutions.jsonl").kind
    'solutions'

A row of a file is named by `FILE#ID`. What stands behind a cell of a table is named by the kinds
of `ROWS`; each declared output of a rule is of one kind of `FILES`, and a test parses them all.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any, NamedTuple

# What stands behind a cell. An answer is named by the run that gave it and its id within the run.
ROWS = {
    "answer": "{run}#{id}",
    "curve": "curve/{fold}/{variant}/seed-{seed}/{iteration}",
    "stop": "stop/{fold}/{variant}",
    "part": "part/{fold}/{variant}/{problem}",
    "trace": "trace/{id}",
    "account": "account/{year}/{id}",
    "published": "published/{claim}",
    # Of the public release: counts, and rows read from its logs, levels, traces and splits.
    "loss": "loss/{part}/{iteration}",
    "level": "level/{level}",
    "line": "line/{set}/{part}/{line}",
    "found": "found/{set}/{problem}",
    "chain": "chain/{level}/{problem}",
    "training": "training/{level}",
    "released": "released/{run}/{problem}",
    "count": "{quantity}/{level}/{population}/{group_kind}/{group}",
}

# Files below results/STUDY, the special ones before the general ones that would match them too.
FILES = {
    "answer key": "exams/{paper}.key.pdf",
    "paper": "exams/{paper}.pdf",
    "truth": "exams/truth.jsonl",
    "benchmark": "benchmarks/{benchmark}.jsonl",
    "extraction": "extractions/{year}.jsonl",
    "problems": "problems/{year}.jsonl",
    "accounts": "accounts/{year}.jsonl",
    "excluded": "excluded/{year}.jsonl",
    "crops": "crops/{year}.parquet",
    "readings": "readings/{year}/readings.jsonl",
    "reader responses": "readings/{year}/{agent}_responses.jsonl",
    "review": "review/{name}",
    "solutions": "traces/{year}/solutions.jsonl",
    "distillations": "traces/{year}/distillations.jsonl",
    "traces": "traces/{year}/traces.jsonl",
    "responses": "traces/{year}/{agent}_responses.jsonl",
    "clusters": "datasets/clusters.parquet",
    "release splits": "datasets/audit.jsonl",
    "parts": "datasets/{fold}/{variant}/parts.csv",
    "duplicates": "datasets/{fold}/{variant}/duplicates.csv",
    "dataset": "datasets/{fold}/{variant}/{part}.jsonl",
    "release losses": "adapters/losses.parquet",
    "stops": "adapters/{fold}/{variant}/stops.json",
    "curve": "adapters/{fold}/{variant}/seed-{seed}/curve.csv",
    "adapter": "adapters/{run}/{checkpoint}.safetensors",
    "training": "adapters/{run}/{name}.json",
    "plan": "predictions/plans/{run}.json",
    "predictions": "predictions/{run}.parquet",
    "student responses": "predictions/{run}_responses.jsonl",
    "answers": "grades/answers.parquet",
    "judgements": "grades/judge.parquet",
    "judge responses": "grades/judge_responses.jsonl",
    "counts": "grades/counts.parquet",
    "release levels": "grades/levels.parquet",
    "release answers": "grades/release_answers.parquet",
    "grades": "grades/{run}.parquet",
    "claims": "claims/claims.csv",
    "claim rows": "claims/rows.parquet",
    "rendered claims": "claims/claims.{suffix}",
    "table": "tables/{table}.csv",
    "table rows": "tables/{table}.rows.parquet",
    "rendered table": "tables/{table}.{suffix}",
    "figure": "figures/{figure}.{suffix}",
    "student": "student/{name}",
    "page": "index.html",
    "page data": "page/{path}",
}

_FIELDS = {
    "run": r"[a-z0-9-]+(?:/[a-z0-9-]+/seed-\d+)?",
    "year": r"\d{4}",
    "seed": r"\d+",
    "iteration": r"\d+",
    "checkpoint": r"\d{5}",
    "line": r"\d+",
    "id": r".+",
    "suffix": r"[a-z]+",
    "name": r"[A-Za-z0-9_.-]+",
    "quantity": r"[a-z0-9_]+",
    "path": r"[A-Za-z0-9_./-]+",
}


class Address(NamedTuple):
    """A parsed address.

    Attributes:
        kind: a key of `ROWS` or `FILES`.
        fields: its parts by name, as text.
    """

    kind: str
    fields: dict[str, str]


def row_id(kind: str, **fields: Any) -> str:
    """Return the id of a row of a kind of `ROWS`.

    Raises:
        KeyError: there is no such kind, or a field is missing.
    """
    return ROWS[kind].format_map(fields)


def sample_id(name: str, sample: int) -> str:
    """Return the id of one of several answers: the first has the plain name, then `.s2` ..."""
    return f"{name}.s{sample + 1}" if sample else name


def capped_level(level: str, cap: int) -> str:
    """Return the level of answers to `level` that were cut at some tokens: `R1@64`."""
    return f"{level}@{cap}"


def split_level(level: str) -> tuple[str, int | None]:
    """Return the level that was asked for, and the cap that its answers were cut at, if any."""
    asked, _, cap = level.partition("@")
    return asked, int(cap) if cap else None


def parse_row(text: str) -> Address:
    """Return the kind and the fields of a row's id.

    Raises:
        ValueError: it is an id of no kind.
    """
    return _parse(text, "rows")


def file_path(study: str, kind: str, **fields: Any) -> Path:
    """Return the path of a file of a study, relative to the repository.

    Raises:
        KeyError: there is no such kind, or a field is missing.
    """
    return Path("results", study, FILES[kind].format_map(fields))


def parse_file(path: str | Path) -> Address:
    """Return the kind and the fields, `study` among them, of a path results/STUDY/...

    Raises:
        ValueError: it is the path of no kind.
    """
    parts = Path(path).as_posix().split("/", 2)
    if len(parts) < 3 or parts[0] != "results":
        raise ValueError(f"{path}: no path below results/STUDY")
    kind, fields = _parse(parts[2], "files")
    return Address(kind, {"study": parts[1], **fields})


def record_path(study: str, rule: str, wildcards: dict[str, str]) -> Path:
    """Return where a job's record lies: results/STUDY/lineage/RULE/WILDCARDS.json."""
    rest = {key: value for key, value in wildcards.items() if key != "study"}
    name = ",".join(f"{key}={value.replace('/', '+')}" for key, value in sorted(rest.items()))
    return Path("results") / study / "lineage" / rule / f"{name or 'job'}.json"


def lock_path(record: Path) -> Path:
    """Return the file that a job holds locked while it runs, from the path of its record."""
    _, study, _, rule, name = record.parts
    return Path("state", study, "locks", rule, name).with_suffix(".lock")


def job_name(rule: str, wildcards: dict[str, str]) -> str:
    """Return a job's name: rule and wildcards without the study, as `rule(key=value, ...)`."""
    inner = ", ".join(f"{key}={wildcards[key]}" for key in sorted(wildcards) if key != "study")
    return f"{rule}({inner})" if inner else rule


@functools.cache
def _patterns(table: str) -> list[tuple[str, re.Pattern[str]]]:
    found = []
    for kind, template in (ROWS if table == "rows" else FILES).items():
        pieces = re.split(r"\{(\w+)\}", template)
        pattern = "".join(
            f"(?P<{piece}>{_FIELDS.get(piece, '[^/#]+')})" if place % 2 else re.escape(piece)
            for place, piece in enumerate(pieces)
        )
        found.append((kind, re.compile(pattern)))
    return found


def _parse(text: str, table: str) -> Address:
    for kind, pattern in _patterns(table):
        if match := pattern.fullmatch(text):
            return Address(kind, match.groupdict())
    raise ValueError(f"{text}: an address of no kind that distil/content/addresses.py knows")
