"""The edges of row lineage: which rows each kind of row was made from, down to pages of PDFs.

`EDGES` has one function a kind. It is given the study's rows and the fields of the row's address,
and yields what the row says (an `Entry` of the kind's stage) and the addresses of the rows that it
was made from (a pair of kind and fields), which the walk of `distil.audit.explain` follows.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from distil.audit.rows import StudyRows
from distil.content.addresses import parse_row, row_id
from distil.release import files as release

Link = tuple[str, dict[str, Any]]
Entry = dict[str, Any]

Edge = Callable[..., Iterator[Entry | Link]]

EDGES: dict[str, Edge] = {}
# The stages of a chain in the order shown, by the kinds of rows that stand in them.
STAGES: dict[str, str] = {}


def edge(stage: str | None = None) -> Callable[[Edge], Edge]:
    """Make a function the edge of the kind of rows that it is named after.

    Args:
        stage: where rows of the kind are shown, in the order of these functions; None for rows that
            only lead on to others.
    """

    def register(function: Edge) -> Edge:
        kind = function.__name__.strip("_").replace("_", " ")
        EDGES[kind] = function
        if stage:
            STAGES[kind] = stage
        return function

    return register


def without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return a row without some of its columns."""
    return {key: value for key, value in row.items() if key not in names}


# ------------------------------------------------------------------- from answers to training


@edge("graded answers")
def _answer(study: StudyRows, run: str, id: str) -> Iterator[Entry | Link]:  # noqa: A002
    path, name = study.path("answers"), row_id("answer", run=run, id=id)
    row = study.rows(path)[name]
    yield study.entry(path, name, **without(row, "row"))
    yield "grade", {"run": run, "id": id}
    yield "prediction", {"run": run, "id": id}
    if study.path("judgements").is_file():
        yield "judgement", {"row": name}
    if study.path("clusters").is_file():
        yield "cluster", {"cluster": str(row.get("cluster") or row["problem"])}
    yield "problem", {"id": row["problem"]}
    if row["role"] == "teacher":
        sample = re.search(r"\.s\d+$", id)
        yield "solution", {"solution": row["problem"] + (sample[0] if sample else "")}


@edge("grades")
def _grade(study: StudyRows, run: str, id: str) -> Iterator[Entry | Link]:  # noqa: A002
    path = study.path("grades", run=run)
    yield study.entry(path, row_id("answer", run=run, id=id), **without(study.rows(path)[id], "id"))


@edge("judgements")
def _judgement(study: StudyRows, row: str) -> Iterator[Entry | Link]:
    path = study.path("judgements")
    if content := study.rows(path).get(row):
        yield study.entry(path, row, **content)
        yield "judge response", {"request": content["judge_request_sha256"]}


@edge("the judge's stored responses")
def _judge_response(study: StudyRows, request: str) -> Iterator[Entry | Link]:
    yield from _responses(study, study.path("judge responses"), request)


@edge("predictions")
def _prediction(study: StudyRows, run: str, id: str) -> Iterator[Entry | Link]:  # noqa: A002
    path = study.path("predictions", run=run)
    row = study.rows(path)[id]
    yield study.entry(path, row_id("answer", run=run, id=id), **without(row, "id"))
    if row.get("iteration") is not None:
        checkpoint = {"run": run, "iteration": int(row["iteration"])}
        yield "adapter", {**checkpoint, "answers_sha256": row["adapter_sha256"]}


@edge("adapters")
def _adapter(
    study: StudyRows, run: str, iteration: int, answers_sha256: str
) -> Iterator[Entry | Link]:
    path = study.path("adapter", run=run, checkpoint=f"{iteration:05d}")
    facts = {"run": run, "iteration": iteration, "answers_sha256": answers_sha256}
    yield study.entry(path, f"{path.stem}@{run}", **facts)
    fold, variant, _ = run.split("/")
    yield "training row", {"fold": fold, "variant": variant}


@edge("clusters")
def _cluster(study: StudyRows, cluster: str) -> Iterator[Entry | Link]:
    yield study.entry(study.path("clusters"), cluster)


@edge("stops")
def _stop(study: StudyRows, fold: str, variant: str) -> Iterator[Entry | Link]:
    path = study.path("stops", fold=fold, variant=variant)
    content = json.loads(path.read_text(encoding="utf-8"))
    yield study.entry(path, f"{fold}/{variant}", content=content)
    writer = study.records.writers.get(path.as_posix())
    for curve in map(Path, writer.files("input") if writer else ()):
        if curve.name == "curve.csv":
            seed = curve.parent.name.removeprefix("seed-")
            for iteration in study.rows(curve):
                place = {"fold": fold, "variant": variant, "seed": seed}
                yield "curve", {**place, "iteration": iteration}


@edge("validation losses")
def _curve(
    study: StudyRows, fold: str, variant: str, seed: str, iteration: str
) -> Iterator[Entry | Link]:
    path = study.path("curve", fold=fold, variant=variant, seed=seed)
    name = f"{fold}/{variant}/seed-{seed}/{iteration}"
    yield study.entry(path, name, **study.rows(path)[iteration])
    yield "training row", {"fold": fold, "variant": variant}


@edge("places in the split")
def _part(study: StudyRows, fold: str, variant: str, problem: str) -> Iterator[Entry | Link]:
    path = study.path("parts", fold=fold, variant=variant)
    row = study.rows(path)[problem]
    yield study.entry(path, problem, **row)
    for id_ in filter(None, (problem, row["duplicate_of"])):
        yield "problem", {"id": id_}
    for level in row["levels"].split():
        yield "trace", {"id": f"{problem}.{level}"}


@edge("training and validation rows")
def _training_row(study: StudyRows, fold: str, variant: str) -> Iterator[Entry | Link]:
    for part in ("train", "validation"):
        path = study.path("dataset", fold=fold, variant=variant, part=part)
        for key in study.rows(path):
            yield study.entry(path, key, part=part)
            yield "trace", {"id": key}


# ------------------------------------------------------------------------- the public release


@edge("levels")
def _level(study: StudyRows, level: str) -> Iterator[Entry | Link]:
    path = study.path("release levels")
    for row in study.read(path):
        if (row["level"], row["section"]) == (level, "all"):
            yield study.entry(path, row_id("level", level=level), **row)
    for cell in study.tables.find(f"levels:{level}/all"):
        yield from map(parse_row, study.tables.sources(cell))


@edge("counts")
def _count(study: StudyRows, **fields: str) -> Iterator[Entry | Link]:
    path, key = study.path("counts"), row_id("count", **fields)
    row = study.rows(path)[key]
    yield study.entry(path, key, **without(row, "id"))
    if row["origin"] == "file":
        yield "text line", {"file": _folder(study) / row["source"], "number": int(row["line"])}
    elif row["origin"] == "percentage":
        yield "published", {"claim": row["source"].split()[1]}
    else:
        kind, group = row["group_kind"], str(row["group"])
        for id_, (_, problem) in study.problems.items():
            if kind == "overall" or str(problem.get(kind)) == group:
                yield "problem", {"id": id_}
                if row["quantity"].startswith("in_"):
                    yield "found", {"set": row["level"] or "full", "problem": id_}


@edge("lines of the release")
def _text_line(study: StudyRows, file: Path, number: int) -> Iterator[Entry | Link]:
    name = f"{file.relative_to(_folder(study)).as_posix()}:{number}"
    yield study.entry(file, name, line=number, text=study.lines(file)[number - 1])


@edge("published figures")
def _published(study: StudyRows, claim: str) -> Iterator[Entry | Link]:
    path = study.released("published.yaml")
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    claims = {entry["id"]: entry for entry in content["claims"]}
    yield study.entry(path, claim, content=claims.get(claim, content.get(claim)))


@edge("losses")
def _loss(study: StudyRows, part: str, iteration: str) -> Iterator[Entry | Link]:
    path = study.path("release losses")
    for row in study.read(path):
        if (row["part"], str(row["iteration"])) == (part, iteration):
            yield study.entry(path, row_id("loss", part=part, iteration=iteration), **row)
            file = _folder(study) / row["source"]
            yield "text line", {"file": file, "number": int(row["line"])}


@edge("answers of the release")
def _released(study: StudyRows, run: str, problem: str) -> Iterator[Entry | Link]:
    path, key = study.path("release answers"), row_id("released", run=run, problem=problem)
    row = study.rows(path)[key]
    yield study.entry(path, key, **without(row, "row"))
    yield "text line", {"file": _folder(study) / row["source"], "number": int(row["line"])}
    if row["benchmark"] == "competition":
        yield "problem", {"id": problem}


@edge("places in the release's splits")
def _found(study: StudyRows, set: str, problem: str) -> Iterator[Entry | Link]:  # noqa: A002
    if row := _splits(study).get((set, problem)):
        yield study.entry(study.path("release splits"), f"{set}/{problem}", **row)
        for part, numbers in row["verbatim"].items():
            for number in numbers:
                yield "line", {"set": set, "part": part, "line": str(number)}
    yield "problem", {"id": problem}


@edge("traces of the release")
def _chain(study: StudyRows, level: str, problem: str) -> Iterator[Entry | Link]:
    path = Path(release.tables(_folder(study))["chains"])
    row = _chains(study)[problem]
    yield study.entry(path, f"{level}/{problem}", line=row["line"], text=row[level])
    yield "problem", {"id": problem}


@edge()
def _line(study: StudyRows, set: str, part: str, line: str) -> Iterator[Entry | Link]:  # noqa: A002
    file = Path(release.splits(_folder(study))[set][part])
    yield "text line", {"file": file, "number": int(line)}


@edge()
def _training(study: StudyRows, level: str) -> Iterator[Entry | Link]:
    file = Path(release.tables(_folder(study))["level_runs"])
    for number, text in enumerate(study.lines(file), start=1):
        if text.startswith(f"{level[1:]},"):
            yield "text line", {"file": file, "number": number}


@functools.cache
def _folder(study: StudyRows) -> Path:
    """Return the folder of the release, from what the jobs read."""
    return study.released(release.tables("")["chains"]).parent


@functools.cache
def _splits(study: StudyRows) -> dict[tuple[str, str], dict[str, Any]]:
    """Return where each problem stands in each set of the release's splits."""
    return {(row["set"], row["problem"]): row for row in study.read(study.path("release splits"))}


@functools.cache
def _chains(study: StudyRows) -> dict[str, dict[str, Any]]:
    return release.read_chains(Path(release.tables(_folder(study))["chains"]))


# ------------------------------------------------------------- from traces to stored responses


@edge("traces")
def _trace(study: StudyRows, id: str) -> Iterator[Entry | Link]:  # noqa: A002
    path, problem = study.path("traces", year=id[:4]), id.rpartition(".")[0] or id
    solution = problem
    for row in study.all_rows(path).get(id, []) if path.is_file() else ():
        yield study.entry(path, id, **without(row, "id"))
        year = {"year": id[:4]}
        yield "response", {**year, "agent": "distiller", "request": row.get("request_sha256")}
        request = row.get("verifier_request_sha256")
        yield "response", {**year, "agent": "verifier", "request": request}
        solution = _distilled(study, problem, row.get("solution_response_sha256"))
    yield "solution", {"solution": solution}


def _distilled(study: StudyRows, problem: str, response_sha256: str | None) -> str:
    """Return which of a problem's solutions, one a sample, a trace was written from."""
    path = study.path("solutions", year=problem[:4])
    if path.is_file():
        for row in study.read(path):
            if row["problem"] == problem and row["response_sha256"] == response_sha256:
                return str(row["id"])
    return problem


@edge("solutions")
def _solution(study: StudyRows, solution: str) -> Iterator[Entry | Link]:
    path = study.path("solutions", year=solution[:4])
    for row in study.all_rows(path).get(solution, []) if path.is_file() else ():
        yield study.entry(path, solution, **without(row, "id"))
        request = row.get("request_sha256")
        yield "response", {"year": solution[:4], "agent": "solver", "request": request}
    yield "problem", {"id": solution.partition(".")[0]}


@edge("stored responses")
def _response(study: StudyRows, year: str, agent: str, request: str) -> Iterator[Entry | Link]:
    kind = "reader responses" if agent == "reader" else "responses"
    yield from _responses(study, study.path(kind, year=year, agent=agent), request)


def _responses(study: StudyRows, path: Path, request: str) -> Iterator[Entry]:
    for row in study.all_rows(path).get(request, []):
        yield study.entry(path, request, **without(row, "request_sha256"))


# -------------------------------------------------------------------- from problems to pages


@edge("accounts of problems")
def _account(study: StudyRows, year: str, id: str) -> Iterator[Entry | Link]:  # noqa: A002
    """What became of a problem: itself where the study takes it, else as it was read."""
    path = study.path("accounts", year=year)
    row = study.rows(path).get(id)
    if row is None:  # of a year that the study does not have
        return
    yield study.entry(path, id, **without(row, "id"))
    name = id.removesuffix(".read")
    if row["fate"] == "taken":
        yield "problem", {"id": id}
    elif name in study.rows(study.path("extraction", year=year)):
        yield "extracted", {"id": name, "year": year}


@edge("problems")
def _problem(study: StudyRows, id: str) -> Iterator[Entry | Link]:  # noqa: A002
    """A problem that nothing was done to is its extracted row, byte for byte."""
    if id not in study.problems:
        return
    path, row = study.problems[id]
    yield study.entry(path, id, **without(row, "id"))
    for number in range(len(row.get("corrections", []))):
        yield "correction", {"id": id, "number": number}
    for reading in row.get("readings", []):
        what = {"what": reading["what"], "used": reading["used"]}
        yield "reading", {"id": id, "year": path.stem, **what}
    if row.get("corrections") or row.get("readings"):
        yield "extracted", {"id": id, "year": path.stem}
    yield from places(study, path, row)


@edge("corrections")
def _correction(study: StudyRows, id: str, number: int) -> Iterator[Entry | Link]:  # noqa: A002
    path, row = study.problems[id]
    writer = study.records.writers.get(path.as_posix())
    source = writer.content["params"].get("file") if writer else None
    entry = row["corrections"][number]
    yield study.entry(path, f"{id} {entry['field']}", corrections_file=source, **entry)


@edge("second readings")
def _reading(
    study: StudyRows, id: str, year: str, what: str, used: Any  # noqa: A002
) -> Iterator[Entry | Link]:  # fmt: skip
    path, name = study.path("readings", year=year), f"{id}.{what}"
    content = {**without(study.rows(path)[name], "id"), "used": used}
    yield study.entry(path, name, **content)
    yield "response", {"year": year, "agent": "reader", "request": content["request_sha256"]}


@edge("problems as extracted")
def _extracted(study: StudyRows, id: str, year: str) -> Iterator[Entry | Link]:  # noqa: A002
    path = study.path("extraction", year=year)
    row = study.rows(path)[id]
    yield study.entry(path, id, **without(row, "id"))
    yield from places(study, path, row)


def places(study: StudyRows, path: Path, row: dict[str, Any]) -> Iterator[Link]:
    """Name pages and boxes of a problem, or its line in a transcription."""
    for side, what in (("pdf", "statement"), ("key", "key")):
        digest, prefix = row.get(f"{side}_sha256"), "key_" if side == "key" else ""
        if digest:
            place = {"page": row.get(f"{prefix}page"), "box": row.get(f"{prefix}box")}
            pdf = {"file": study.paper(path, digest), "sha256": digest}
            yield "page", {"entry": {"id": f"{row['id']} {what}", **pdf, **place}}
    if digest := row.get("source_sha256"):
        source = {"file": study.paper(path, digest), "sha256": digest}
        name = f"{row['id']} transcription"
        yield "transcription", {"entry": {"id": name, **source, "line": row["source_line"]}}


@edge("transcriptions")
def _transcription(study: StudyRows, entry: Entry) -> Iterator[Entry | Link]:  # noqa: ARG001
    yield entry


@edge("pages")
def _page(study: StudyRows, entry: Entry) -> Iterator[Entry | Link]:  # noqa: ARG001
    yield entry
    pdf = {"file": entry["file"], "sha256": entry["sha256"]}
    yield "paper", {"entry": {"id": Path(entry["file"]).name, **pdf}}


@edge("PDFs")
def _paper(study: StudyRows, entry: Entry) -> Iterator[Entry | Link]:  # noqa: ARG001
    yield entry
