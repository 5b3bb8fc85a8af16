"""From a number back to the pages it came from, and from a page on to the numbers it moves.

A chain is a list of stages, from the number to the PDF. Each stage lists its entries: an id, the
file that holds it, the file's recorded sha256, and what it says there. Entries name the ids of the
stage below them, so that the chain can be walked by hand as well.
"""

from __future__ import annotations

import base64
import functools
import html
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from distil.audit.records import Books, read_books
from distil.crops import read_crops
from distil.hashing import read_jsonl, sha256_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


class NotFoundError(LookupError):
    """Nothing of that name is in the study; the message says what there is."""


@dataclass
class Stage:
    """One step of a chain.

    Attributes:
        name: what the entries are.
        entries: {id, file, sha256, ...}: the entries, sorted by id.
    """

    name: str
    entries: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Chain:
    """All that stands behind one number, row or file.

    Attributes:
        target: what was asked for.
        stages: from the target down to the PDFs; empty stages are left out.
    """

    target: str
    stages: list[Stage] = field(default_factory=list)

    def add(self, name: str, entries: Iterable[dict[str, Any]]) -> None:
        """Append a stage, if it has entries."""
        rows = sorted(entries, key=lambda row: str(row["id"]))
        if rows:
            self.stages.append(Stage(name, rows))


class Explainer:
    """Reads the files of one study as they are asked for, each once."""

    def __init__(self, study: str) -> None:
        """Read the records.

        Raises:
            FileNotFoundError: the study has not been run here.
        """
        self.books: Books = read_books(study)
        self.top = Path("results") / study
        self._tables: dict[str, Any] = {}

    # ---------------------------------------------------------------------------- reading

    def _cached(self, path: Path, read: Callable[[Path], Any]) -> Any:
        key = path.as_posix()
        if key not in self._tables:
            self._tables[key] = read(path)
        return self._tables[key]

    def rows(self, path: Path) -> dict[str, dict[str, Any]]:
        """Return the rows of a JSONL or Parquet file by their id."""

        def read(path: Path) -> dict[str, dict[str, Any]]:
            if path.suffix == ".jsonl":
                return {row["id"]: row for row in read_jsonl(path)}
            table = pd.read_parquet(path)
            key = "row" if "row" in table else "id"
            records = json.loads(table.to_json(orient="records"))
            return {record[key]: record for record in records}

        return self._cached(path, read)

    def sha256(self, path: Path | str) -> str | None:
        """Return a file's sha256 as the record of the job that wrote (or read) it has it."""
        key = Path(path).as_posix()
        if writer := self.books.writers.get(key):
            return writer.files("output")[key]["sha256"]
        for reader in self.books.readers.get(key, []):
            return reader.files("input")[key]["sha256"]
        return None

    def entry(self, path: Path, key: str, **facts: Any) -> dict[str, Any]:
        """Return an entry of a stage: where it stands, with which hash, and what it says."""
        return {"id": key, "file": path.as_posix(), "sha256": self.sha256(path), **facts}

    @functools.cached_property
    def answers(self) -> pd.DataFrame:
        """The table of graded answers."""
        return pd.read_parquet(self.top / "grades" / "answers.parquet")

    @functools.cached_property
    def problems(self) -> dict[str, tuple[Path, dict[str, Any]]]:
        """{problem id: (file, row)} of exams and benchmarks."""
        files = [*self.top.glob("problems/*.jsonl"), *self.top.glob("benchmarks/*.jsonl")]
        return {key: (path, row) for path in sorted(files) for key, row in self.rows(path).items()}

    # ----------------------------------------------------------------------------- chains

    def explain(self, target: str) -> Chain:
        """Return the chain behind a cell, a row or a file.

        Args:
            target: `C4`, `C4:low`, `C4:here:held_out` for a cell of the claims table;
                `levels:R1/fs:gain` for a cell of another table; `FILE#ID` for a row; or a file.

        Raises:
            NotFoundError: there is no such thing; the message lists what there is.
        """
        if "#" in target and "/" in target.partition("#")[0]:
            path, _, key = target.partition("#")
            return self._explain_row(Path(path), key)
        if Path(target).suffix and ":" not in target:
            return self._explain_file(Path(target))
        name, _, rest = target.partition(":")
        if (self.top / "tables" / f"{name}.csv").is_file():
            return self._explain_table_cell(target, name, rest)
        return self._explain_claim(target, name, rest)

    def _explain_claim(self, target: str, name: str, rest: str) -> Chain:
        path = self.top / "claims" / "claims.csv"
        claims = pd.read_csv(path)
        column, _, estimand = rest.partition(":")
        column = column or "here"
        found = claims[claims["id"] == name]
        if found.empty:
            known = ", ".join(dict.fromkeys(claims["id"]))
            tables = ", ".join(sorted(file.stem for file in self.top.glob("tables/*.csv")))
            raise NotFoundError(f"{target}: no such claim; there are {known}; tables: {tables}")
        if column not in claims:
            raise NotFoundError(f"{target}: no column {column}; there are {', '.join(claims)}")
        if estimand:
            found = found[found["estimand"] == estimand.replace("_", " ")]
            if found.empty:
                found = claims[(claims["id"] == name) & (claims["estimand"] == estimand)]
        if found.empty:
            raise NotFoundError(f"{target}: {name} has no estimand {estimand}")
        rows = pd.read_parquet(self.top / "claims" / "rows.parquet")
        chain = Chain(target)
        cells, wanted = [], set()
        for cell in json.loads(found.to_json(orient="records")):
            mine = rows[(rows["claim"] == name) & (rows["estimand"] == cell["estimand"])]
            # A cell that is not itself computed from rows (a verdict, a name) rests on all of them.
            exact = mine[mine["column"] == column]
            behind = sorted(set((exact if len(exact) else mine)["row"]))
            wanted |= set(behind)
            cells.append(
                self.entry(
                    path,
                    f"{name}:{column}:{cell['estimand']}",
                    value=cell[column],
                    formula=cell["formula"],
                    filter=cell["filter"],
                    test=cell["test"],
                    rows=len(behind),
                    rows_sha256=sha256_text("\n".join(behind) + "\n") if behind else None,
                )
            )
        chain.add("cell", cells)
        self._from_answers(chain, wanted)
        return chain

    def _explain_table_cell(self, target: str, name: str, rest: str) -> Chain:
        path = self.top / "tables" / f"{name}.csv"
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        key, _, column = rest.rpartition(":") if ":" in rest else (rest, "", "")
        wanted = [part for part in key.split("/") if part]
        found = [
            row
            for row in table.to_dict("records")
            if all(part in list(row.values()) for part in wanted)
        ]
        if not found or (column and column not in table):
            raise NotFoundError(
                f"{target}: no such cell; columns: {', '.join(table)}; name a row by its values, "
                f"as in {name}:{'/'.join(list(table.iloc[0])[:2])}:{table.columns[-1]}"
            )
        writer = self.books.writers.get(path.as_posix())
        chain = Chain(target)
        chain.add(
            "cell",
            [
                self.entry(
                    path,
                    f"{name}:{'/'.join(list(row.values())[:2])}:{column or '*'}",
                    value=row[column] if column else row,
                    formula=writer.content["script"] if writer else None,
                    filter=row.get("filter", key),
                )
                for row in found
            ],
        )
        rows_file = self.top / "tables" / f"{name}.rows.parquet"
        if rows_file.is_file():
            links = pd.read_parquet(rows_file)
            keys = {"/".join(list(row.values())[:2]) for row in found}
            self._from_answers(chain, set(links[links["cell"].isin(keys)]["row"]))
        elif writer:
            self._from_files(chain, [path])
        return chain

    def _explain_row(self, path: Path, key: str) -> Chain:
        if not path.is_file():
            raise NotFoundError(f"{path}: no such file")
        rows = self.rows(path)
        if key not in rows:
            shown = ", ".join(list(rows)[:3])
            raise NotFoundError(f"{path}: no row {key}; rows are named like {shown}")
        chain = Chain(f"{path.as_posix()}#{key}")
        chain.add("row", [self.entry(path, key, content=rows[key])])
        inside = path.relative_to(self.top).parts if path.is_relative_to(self.top) else ()
        if inside[:1] == ("grades",) or inside[:1] == ("predictions",):
            run = "/".join(inside[1:]).removesuffix(path.suffix)
            self._from_answers(chain, {key if run == "answers" else f"{run}#{key}"})
        elif inside[:1] == ("datasets",) or inside[:1] == ("traces",):
            self._from_traces(chain, {key})
        elif inside[:1] in (("problems",), ("benchmarks",)):
            self._from_problems(chain, {key})
        elif inside[:1] == ("extractions",):
            self._from_pages(chain, [(path, rows[key])])
        return chain

    def _explain_file(self, path: Path) -> Chain:
        if self.sha256(path) is None:
            raise NotFoundError(f"{path}: no job of study {self.books.study} wrote or read it")
        chain = Chain(path.as_posix())
        self._from_files(chain, [path])
        return chain

    # ------------------------------------------------------------------- stage after stage

    def _from_answers(self, chain: Chain, names: set[str]) -> None:
        """Follow graded answers down: grades, predictions, adapters, training rows, problems."""
        table = self.answers[self.answers["row"].isin(names)].drop_duplicates("row")
        if table.empty:
            return
        path = self.top / "grades" / "answers.parquet"
        records = json.loads(table.to_json(orient="records"))
        chain.add(
            "graded answers",
            [
                self.entry(path, row["row"], **{k: v for k, v in row.items() if k != "row"})
                for row in records
            ],
        )
        grades, predictions, adapters = [], [], {}
        for row in records:
            run, _, key = row["row"].partition("#")
            grade_file = self.top / "grades" / f"{run}.parquet"
            prediction_file = self.top / "predictions" / f"{run}.parquet"
            grades.append(
                self.entry(grade_file, row["row"], **_without(self.rows(grade_file)[key], "id"))
            )
            prediction = self.rows(prediction_file)[key]
            predictions.append(
                self.entry(prediction_file, row["row"], **_without(prediction, "id"))
            )
            if prediction.get("iteration") is not None:
                iteration = int(prediction["iteration"])
                file = self.top / "adapters" / run / f"{iteration:05d}.safetensors"
                adapters[file] = {
                    "run": run,
                    "iteration": iteration,
                    "answers_sha256": prediction["adapter_sha256"],
                }
        chain.add("grades", grades)
        chain.add("predictions", predictions)
        chain.add(
            "adapters",
            [
                self.entry(file, file.stem + "@" + facts["run"], **facts)
                for file, facts in adapters.items()
            ],
        )
        trained = {tuple(facts["run"].split("/")[:2]) for facts in adapters.values()}
        rows, traces = [], set()
        for fold, variant in sorted(trained):
            for part in ("train", "validation"):
                file = self.top / "datasets" / fold / variant / f"{part}.jsonl"
                for key in self.rows(file):
                    rows.append(self.entry(file, key, part=part))
                    traces.add(key)
        chain.add("training and validation rows", rows)
        taught = {row["problem"] for row in records if row["role"] == "teacher"}
        problems = set(table["problem"]) | self._from_traces(
            chain, traces, problems=False, solved=taught
        )
        self._from_problems(chain, problems)

    def _from_traces(
        self, chain: Chain, keys: set[str], *, problems: bool = True, solved: set[str] = frozenset()
    ) -> set[str]:
        """Follow traces (and solutions of some problems) down to the stored responses."""
        traces, responses, solutions, wanted = [], [], [], {}
        asked = set(solved) | {key.rpartition(".")[0] or key for key in keys}
        for file in sorted(self.top.glob("traces/*/traces.jsonl")):
            for key, row in self.rows(file).items():
                if key in keys:
                    traces.append(self.entry(file, key, **_without(row, "id")))
                    for agent, name in (
                        ("distiller", "request_sha256"),
                        ("verifier", "verifier_request_sha256"),
                    ):
                        wanted.setdefault((file.parent, agent), set()).add(row.get(name))
        for file in sorted(self.top.glob("traces/*/solutions.jsonl")):
            for key, row in self.rows(file).items():
                if key in asked:
                    solutions.append(self.entry(file, key, **_without(row, "id")))
                    wanted.setdefault((file.parent, "solver"), set()).add(row.get("request_sha256"))
        for (folder, agent), requests in sorted(wanted.items()):
            responses += self._responses(folder / f"{agent}_responses.jsonl", requests)
        chain.add("traces", traces)
        chain.add("solutions", solutions)
        chain.add("stored responses", responses)
        if problems:
            self._from_problems(chain, asked)
        return asked

    def _responses(self, file: Path, requests: set[str]) -> list[dict[str, Any]]:
        """Return the entries of the raw responses to some requests."""
        return [
            self.entry(file, row["request_sha256"], **_without(row, "request_sha256"))
            for row in self._cached(file, read_jsonl)
            if row["request_sha256"] in requests
        ]

    def _from_problems(self, chain: Chain, keys: set[str]) -> None:
        """Follow problems down to page, box and PDF, through what was done to them after reading.

        A problem that nothing was done to is its extracted row, byte for byte.
        """
        found = {key: self.problems[key] for key in sorted(keys & self.problems.keys())}
        chain.add(
            "problems",
            [self.entry(file, key, **_without(row, "id")) for key, (file, row) in found.items()],
        )
        corrections, readings, responses, extracted = [], [], [], []
        for key, (file, row) in found.items():
            year = file.stem
            writer = self.books.writers.get(file.as_posix())
            for entry in row.get("corrections", []):
                source = writer.content["params"].get("file") if writer else None
                corrections.append(
                    self.entry(file, f"{key} {entry['field']}", corrections_file=source, **entry)
                )
            for reading in row.get("readings", []):
                path = self.top / "readings" / year / "readings.jsonl"
                name = f"{key}.{reading['what']}"
                content = {**_without(self.rows(path)[name], "id"), "used": reading["used"]}
                readings.append(self.entry(path, name, **content))
                path = path.with_name("reader_responses.jsonl")
                responses += self._responses(path, {content["request_sha256"]})
            if row.get("corrections") or row.get("readings"):
                path = self.top / "extractions" / f"{year}.jsonl"
                extracted.append(self.entry(path, key, **_without(self.rows(path)[key], "id")))
        chain.add("corrections", corrections)
        chain.add("second readings", readings)
        chain.add("stored responses", responses)
        chain.add("problems as extracted", extracted)
        self._from_pages(chain, found.values())

    def _from_pages(self, chain: Chain, problems: Iterable[tuple[Path, dict[str, Any]]]) -> None:
        """Name the pages and boxes of some problems, and the PDFs they are in."""
        pages, papers = [], {}
        for file, row in problems:
            for digest, page, box, what in (
                (row.get("pdf_sha256"), row.get("page"), row.get("box"), "statement"),
                (row.get("key_sha256"), row.get("key_page"), row.get("key_box"), "key"),
            ):
                if digest:
                    pdf = papers.setdefault(digest, self._paper(file, digest))
                    pages.append(
                        {
                            "id": f"{row['id']} {what}",
                            "file": pdf,
                            "sha256": digest,
                            "page": page,
                            "box": box,
                        }
                    )
        chain.add("pages", pages)
        chain.add(
            "PDFs",
            [
                {"id": Path(pdf).name, "file": pdf, "sha256": digest}
                for digest, pdf in papers.items()
            ],
        )

    def _paper(self, problems: Path, digest: str) -> str | None:
        """Name the PDF with this hash above a file of problems."""
        pending = [problems.as_posix()]
        while pending:
            writer = self.books.writers.get(pending.pop(0))
            inputs = writer.files("input") if writer else {}
            for path, row in inputs.items():
                if row["sha256"] == digest:
                    return path
            pending += inputs
        return None

    def pictures(self, chain: Chain) -> dict[str, bytes]:
        """Return the pictures (PNG) of a chain's pages by their id, as far as crops were made."""
        wanted = {
            entry["id"]
            for stage in chain.stages
            if stage.name == "pages"
            for entry in stage.entries
        }
        found = {}
        for path in sorted(self.top.glob("crops/*.parquet")):
            for (name, what), crop in read_crops(path).items():
                if f"{name} {what}" in wanted:
                    found[f"{name} {what}"] = crop["png"]
        return found

    def _from_files(self, chain: Chain, paths: Iterable[Path]) -> None:
        """Follow whole files up through the jobs that wrote them."""
        pending, seen, jobs, files = [Path(path).as_posix() for path in paths], set(), [], []
        while pending:
            path = pending.pop()
            if path in seen:
                continue
            seen.add(path)
            writer = self.books.writers.get(path)
            files.append(self.entry(Path(path), path, job=writer.job if writer else None))
            if writer and writer.job not in {job["id"] for job in jobs}:
                jobs.append(
                    {
                        "id": writer.job,
                        "file": writer.path.as_posix(),
                        "sha256": writer.sha256,
                        "script": writer.content["script"],
                    }
                )
                pending += list(writer.files("input"))
        chain.add("files", files)
        chain.add("jobs", jobs)

    # -------------------------------------------------------------------------- downstream

    def used_by(self, target: str) -> Chain:
        """Return what would change if a file, or a row of it, were wrong.

        For a problem (`2014-fs-07`, or FILE#ID) the answer is exact: the graded answers to it, the
        training rows made from it, and the claim cells computed from either. For a file it is every
        file made from it.
        """
        chain = Chain(f"used by {target}")
        key = target.rpartition("#")[2]
        if key in self.problems:
            self._problem_used_by(chain, key)
            return chain
        if self.sha256(Path(target)) is None:
            raise NotFoundError(
                f"{target}: neither a problem nor a file of study {self.books.study}"
            )
        papers = [
            k
            for k, (_, row) in self.problems.items()
            if row.get("pdf_sha256") == self.sha256(target)
        ]
        pending, seen, files = [Path(target).as_posix()], set(), []
        while pending:
            path = pending.pop()
            for reader in self.books.readers.get(path, []):
                for made in reader.files("output"):
                    if made not in seen:
                        seen.add(made)
                        pending.append(made)
                        files.append(self.entry(Path(made), made, job=reader.job))
        chain.add("problems on it", [self.entry(self.problems[k][0], k) for k in papers])
        chain.add("files made from it", files)
        return chain

    def _problem_used_by(self, chain: Chain, key: str) -> None:
        trained = []
        for file in sorted(self.top.glob("datasets/*/*/*.jsonl")):
            trained += [
                self.entry(file, row["id"], part=file.stem)
                for row in self.rows(file).values()
                if row.get("problem") == key
            ]
        chain.add("training and validation rows made from it", trained)
        direct = set(self.answers[self.answers["problem"] == key]["row"])
        chain.add(
            "answers to it",
            [self.entry(self.top / "grades" / "answers.parquet", row) for row in direct],
        )
        rows = pd.read_parquet(self.top / "claims" / "rows.parquet")
        students = set(self.answers[self.answers["role"] == "student"]["row"]) if trained else set()
        moved = (
            rows[rows["row"].isin(direct | students)]
            .groupby(["claim", "column", "estimand"])["row"]
            .nunique()
        )
        path = self.top / "claims" / "claims.csv"
        chain.add(
            "cells that rest on it",
            [
                self.entry(path, ":".join(names), answers=int(count))
                for names, count in moved.items()
            ],
        )


def _without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in names}


# ------------------------------------------------------------------------------------- showing


def as_json(chain: Chain) -> str:
    """Return a chain as JSON."""
    stages = [{"stage": stage.name, "entries": stage.entries} for stage in chain.stages]
    return json.dumps({"target": chain.target, "chain": stages}, indent=1, ensure_ascii=False)


def as_text(chain: Chain, *, colour: bool = False, most: int = 3) -> str:
    """Return a chain for people: each stage with its first entries and how many there are."""
    bold, dim, plain = ("\033[1m", "\033[2m", "\033[0m") if colour else ("", "", "")
    lines = [f"{bold}{chain.target}{plain}"]
    for stage in chain.stages:
        files = len({entry["file"] for entry in stage.entries})
        lines.append(
            f"{bold}{stage.name}{plain}: {len(stage.entries)} in {files} file{'s' * (files != 1)}"
        )
        for entry in stage.entries[:most]:
            digest = (entry["sha256"] or "no record")[:12]
            lines.append(f"  {entry['id']}  {dim}{entry['file']} sha256 {digest}{plain}")
            for key, value in entry.items():
                if key not in ("id", "file", "sha256") and value is not None:
                    shown = (
                        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
                    )
                    shown = " / ".join(shown.splitlines())
                    lines.append(
                        f"    {key}: {shown if len(shown) <= 160 else shown[:157] + '...'}"
                    )
        if len(stage.entries) > most:
            lines.append(
                f"  {dim}... and {len(stage.entries) - most} more (--json lists all){plain}"
            )
    return "\n".join(lines)


def as_html(chain: Chain, pictures: Mapping[str, bytes] | None = None) -> str:
    """Return a chain as one page with a table a stage, folded but for the first.

    Args:
        chain: what to show.
        pictures: PNG bytes by id of an entry of the stage `pages`.
    """
    pictures = pictures or {}
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'>",
        f"<title>{html.escape(chain.target)}</title>",
        "<style>body{font:15px/1.45 system-ui,sans-serif;margin:2rem;max-width:80rem}"
        "table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #ccc;"
        "padding:.3rem .5rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}"
        "img{max-width:100%;border:1px solid #ccc}"
        "code{font-size:85%}summary{cursor:pointer;font-weight:600;margin:.8rem 0}</style>",
        f"<h1>{html.escape(chain.target)}</h1>",
    ]
    for index, stage in enumerate(chain.stages):
        heading = f"{html.escape(stage.name)}: {len(stage.entries)}"
        parts.append(f"<details{'' if index else ' open'}><summary>{heading}</summary>")
        parts.append("<table><tr><th>id<th>file<th>sha256<th>content</tr>")
        for entry in stage.entries:
            facts = {
                key: value for key, value in entry.items() if key not in ("id", "file", "sha256")
            }
            cells = (
                entry["id"],
                entry["file"],
                (entry["sha256"] or "")[:16],
                json.dumps(facts, ensure_ascii=False),
            )
            shown = [f"<code>{html.escape(str(cell))}</code>" for cell in cells]
            if stage.name == "pages" and (png := pictures.get(entry["id"])):
                data = base64.b64encode(png).decode("ascii")
                name = html.escape(str(entry["id"]), quote=True)
                shown[-1] += f'<br><img alt="{name}" src="data:image/png;base64,{data}">'
            parts.append("<tr>" + "".join(f"<td>{cell}" for cell in shown) + "</tr>")
        parts.append("</table></details>")
    return "\n".join(parts) + "\n"
