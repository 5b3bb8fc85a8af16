"""From a number back to the pages it came from, and from a page on to the numbers it moves."""

from __future__ import annotations

import csv
import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from distil.audit.cells import CLAIMS, NotFoundError, Tables, did_you_mean
from distil.audit.chains import Chain, without
from distil.audit.records import Books, read_books
from distil.audit.released import ReleaseRows
from distil.content.hashing import read_jsonl, sha256_text
from distil.content.sources import row_names
from distil.review.crops import read_crops

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# What names a row in a file that holds rows, the first of these that a row has.
IDS = ("id", "row", "request_sha256")


class Explainer:
    """Reads the files of one study as they are asked for, each once."""

    def __init__(self, study: str) -> None:
        """Read the records.

        Raises:
            FileNotFoundError: the study has not been run here.
        """
        self.books: Books = read_books(study)
        self.top = Path("results") / study
        self.tables = Tables(self.top)
        self._read: dict[str, Any] = {}

    # ---------------------------------------------------------------------------- reading

    def cached(self, path: Path, read: Callable[[Path], Any]) -> Any:
        """Return what is read from a file, read once."""
        key = path.as_posix()
        if key not in self._read:
            self._read[key] = read(path)
        return self._read[key]

    def rows(self, path: Path) -> dict[str, dict[str, Any]]:
        """Return the rows of a JSONL, Parquet or CSV file by their ids.

        Raises:
            NotFoundError: the file's rows have no names.
        """

        def read(path: Path) -> dict[str, dict[str, Any]]:
            if path.suffix == ".jsonl":
                records = read_jsonl(path)
            elif path.suffix == ".parquet":
                records = json.loads(pd.read_parquet(path).to_json(orient="records"))
            else:
                with path.open(encoding="utf-8", newline="") as stream:
                    records = list(csv.DictReader(stream))
                if path.name == "curve.csv":
                    return {row["iteration"]: row for row in records}
                if path.name == "parts.csv":
                    return {row["problem"]: row for row in records}
                if path.parent in (self.top / "claims", self.top / "tables"):
                    return dict(zip(row_names(records), records, strict=True))
            key = next((name for name in IDS if records and name in records[0]), None)
            if key is None:
                raise NotFoundError(f"{path}: its rows have no ids; ask for the file itself")
            return {str(row[key]): row for row in records}

        return self.cached(path, read)

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
        """The table of graded answers; empty where the study has none, as the release's."""
        path = self.top / "grades" / "answers.parquet"
        if path.is_file():
            return pd.read_parquet(path)
        return pd.DataFrame(columns=["row", "problem", "role", "fold", "variant"])

    @functools.cached_property
    def problems(self) -> dict[str, tuple[Path, dict[str, Any]]]:
        """{problem id: (file, row)} of exams and benchmarks."""
        files = [*self.top.glob("problems/*.jsonl"), *self.top.glob("benchmarks/*.jsonl")]
        return {key: (path, row) for path in sorted(files) for key, row in self.rows(path).items()}

    # ----------------------------------------------------------------------------- chains

    def explain(self, target: str) -> Chain:
        """Return the chain behind a cell, a row, a page or a file.

        Args:
            target: a cell (`distil.audit.cells.Tables.find`); a problem's id; `FILE#ID` for a row,
                `PDF#PAGE` for a page; or a file. A PDF may be named without its folder.

        Raises:
            NotFoundError: there is no such thing; the message lists what there is.
        """
        target = self._whole_name(target)
        if target in self.problems:
            chain = Chain(target)
            self._from_problems(chain, {target})
            return chain
        if "#" in target and "/" in target.partition("#")[0]:
            path, _, key = target.partition("#")
            return self._explain_row(Path(path), key)
        if Path(target).suffix and ":" not in target:
            return self._explain_file(Path(target))
        chain, wanted = Chain(target), set()
        try:
            cells = self.tables.find(target)
        except NotFoundError as error:
            if near := did_you_mean(target, self.problems):
                raise NotFoundError(f"{target}: no problem of that id{near}") from error
            raise
        for cell in cells:
            behind = sorted(self.tables.sources(cell))
            wanted |= set(behind)
            chain.add("cell", [self._cell_entry(cell, behind)])
        self.follow(chain, wanted)
        return chain

    def _whole_name(self, target: str) -> str:
        """Return a target with the folder of a PDF that was named without it."""
        name, hash_sign, page = target.partition("#")
        if Path(name).suffix != ".pdf" or "/" in name:
            return target
        known = {
            Path(path).name: path
            for path in (*self.books.readers, *self.books.writers)
            if path.endswith(".pdf")
        }
        if name not in known:
            raise NotFoundError(
                f"{target}: no PDF of study {self.books.study} has that name"
                f"{did_you_mean(name, known)}"
            )
        return f"{known[name]}{hash_sign}{page}"

    def _cell_entry(self, cell: Any, behind: list[str]) -> dict[str, Any]:
        path = self.tables.path(cell.table)
        writer = self.books.writers.get(path.as_posix())
        facts = {"formula": writer.content["script"] if writer else None, "filter": cell.row}
        if cell.table == CLAIMS:
            row = self.tables.rows(CLAIMS)[cell.row]
            facts = {name: row.get(name) for name in ("formula", "filter", "test")}
        return self.entry(
            path,
            cell.address,
            value=cell.value,
            **facts,
            rows=len(behind),
            rows_sha256=sha256_text("\n".join(behind) + "\n") if behind else None,
        )

    def _explain_row(self, path: Path, key: str) -> Chain:
        if not path.is_file():
            raise NotFoundError(f"{path}: no such file")
        chain = Chain(f"{path.as_posix()}#{key}")
        if path.suffix == ".pdf":
            self._from_problems(chain, self._on_page(path, key))
            return chain
        rows = self.rows(path)
        if key not in rows:
            shown = ", ".join(list(rows)[:3])
            raise NotFoundError(f"{path}: no row {key}; rows are named like {shown}")
        chain.add("row", [self.entry(path, key, content=rows[key])])
        inside = path.relative_to(self.top).parts if path.is_relative_to(self.top) else ("",)
        place = "/".join(inside[1:-1])
        if inside[0] in ("grades", "predictions") and not self.answers.empty:
            run = "/".join(inside[1:]).removesuffix(path.suffix)
            whole = run in ("answers", "judge")
            self.follow(chain, {key if whole else f"{run}#{key}"})
        elif inside[0] in ("claims", "tables"):
            table = CLAIMS if inside[0] == "claims" else path.stem
            for cell in [c for c in self.tables.cells() if (c.table, c.row) == (table, key)]:
                self.follow(chain, self.tables.sources(cell))
        elif path.name == "curve.csv":
            self.follow(chain, {f"curve/{place}/{key}"})
        elif path.name == "parts.csv":
            self.follow(chain, {f"part/{place}/{key}"})
        elif path.name.endswith("_responses.jsonl"):
            self._from_traces(chain, *self._asked_with(key))
        elif inside[0] in ("datasets", "traces"):
            self._from_traces(
                chain, {key}, {rows[key]["problem"]} if "problem" in rows[key] else ()
            )
        elif inside[0] in ("problems", "benchmarks"):
            self._from_problems(chain, {key})
        elif inside[0] == "extractions":
            self._from_pages(chain, [(path, rows[key])])
        else:
            self.follow(chain, {key})
        return chain

    def _on_page(self, pdf: Path, page: str) -> set[str]:
        """Return the problems whose statement or key stands on a page of a PDF."""
        digest = self.sha256(pdf)
        found = {
            key
            for key, (_, row) in self.problems.items()
            for side in ("", "key_")
            if row.get("pdf_sha256" if not side else "key_sha256") == digest
            and (not page or str(row.get(f"{side}page")) == page)
        }
        if digest is None or not found:
            raise NotFoundError(
                f"{pdf}#{page}: no problem of study {self.books.study} stands there"
            )
        return found

    def _asked_with(self, request: str) -> tuple[set[str], set[str]]:
        """Return the traces and the problems that rest on one stored response."""
        traces, problems = set(), set()
        for name in ("traces", "solutions"):
            for file in sorted(self.top.glob(f"traces/*/{name}.jsonl")):
                for key, row in self.rows(file).items():
                    if request in (row.get("request_sha256"), row.get("verifier_request_sha256")):
                        (traces if name == "traces" else problems).add(key)
        return traces, problems

    def _explain_file(self, path: Path) -> Chain:
        if self.sha256(path) is None:
            raise NotFoundError(f"{path}: no job of study {self.books.study} wrote or read it")
        chain = Chain(path.as_posix())
        self._from_files(chain, [path])
        return chain

    # ------------------------------------------------------------------- stage after stage

    def follow(self, chain: Chain, sources: set[str]) -> None:
        """Follow the rows behind a cell down to the pages (content/sources.py lists their ids)."""
        kinds: dict[str, set[tuple[str, ...]]] = {}
        answers = {source for source in sources if "#" in source}
        for source in sources - answers:
            kind, *rest = source.split("/")
            kinds.setdefault(kind, set()).add(tuple(rest))
        trained: set[tuple[str, str]] = set()
        problems, traces = set(), set()
        if answers:
            found, taught, problems = self._from_answers(chain, answers)
            trained |= found
        else:
            taught = set()
        trained |= self._from_curves(chain, kinds.get("curve", set()), kinds.get("stop", set()))
        for fold, variant, problem in sorted(kinds.get("part", ())):
            file = self.top / "datasets" / fold / variant / "parts.csv"
            row = self.rows(file)[problem]
            chain.add("places in the split", [self.entry(file, problem, **row)])
            problems |= {problem, *filter(None, [row["duplicate_of"]])}
            traces |= {f"{problem}.{level}" for level in row["levels"].split()}
        rows = []
        for fold, variant in sorted(trained):
            for part in ("train", "validation"):
                file = self.top / "datasets" / fold / variant / f"{part}.jsonl"
                rows += [self.entry(file, key, part=part) for key in self.rows(file)]
                traces |= set(self.rows(file))
        chain.add("training and validation rows", rows)
        problems |= ReleaseRows(self, chain).follow(kinds)
        problems |= self._from_traces(chain, traces, taught, problems=False)
        self._from_problems(chain, problems)

    def _from_answers(
        self, chain: Chain, names: set[str]
    ) -> tuple[set[tuple[str, str]], set[str], set[str]]:
        """Follow graded answers to grades, predictions and adapters.

        Returns:
            fold and variant of the adapters, the problems that the teacher answered, all problems.
        """
        table = self.answers[self.answers["row"].isin(names)].drop_duplicates("row")
        path = self.top / "grades" / "answers.parquet"
        records = json.loads(table.to_json(orient="records"))
        chain.add(
            "graded answers", [self.entry(path, r["row"], **without(r, "row")) for r in records]
        )
        grades, predictions, adapters = [], [], {}
        for row in records:
            run, _, key = row["row"].partition("#")
            grade_file = self.top / "grades" / f"{run}.parquet"
            prediction_file = self.top / "predictions" / f"{run}.parquet"
            grade, prediction = self.rows(grade_file)[key], self.rows(prediction_file)[key]
            grades.append(self.entry(grade_file, row["row"], **without(grade, "id")))
            predictions.append(self.entry(prediction_file, row["row"], **without(prediction, "id")))
            if prediction.get("iteration") is not None:
                iteration = int(prediction["iteration"])
                file = self.top / "adapters" / run / f"{iteration:05d}.safetensors"
                adapters[file] = {
                    "run": run,
                    "iteration": iteration,
                    "answers_sha256": prediction["adapter_sha256"],
                }
        chain.add("grades", grades)
        self._from_judge(chain, {row["row"] for row in records})
        chain.add("predictions", predictions)
        chain.add(
            "adapters",
            [self.entry(file, f"{file.stem}@{facts['run']}", **facts)
             for file, facts in adapters.items()],
        )  # fmt: skip
        clusters = self.top / "datasets" / "clusters.parquet"
        if clusters.is_file():
            groups = sorted({str(row.get("cluster") or row["problem"]) for row in records})
            chain.add("clusters", [self.entry(clusters, group) for group in groups])
        trained = {tuple(facts["run"].split("/")[:2]) for facts in adapters.values()}
        taught = {row["problem"] for row in records if row["role"] == "teacher"}
        return trained, taught, set(table["problem"])

    def _from_curves(
        self, chain: Chain, losses: set[tuple[str, ...]], stops: set[tuple[str, ...]]
    ) -> set[tuple[str, str]]:
        """Follow stops to the losses they were chosen by, and losses to what was trained."""
        for fold, variant in sorted(stops):
            file = self.top / "adapters" / fold / variant / "stops.json"
            content = json.loads(file.read_text(encoding="utf-8"))
            chain.add("stops", [self.entry(file, f"{fold}/{variant}", content=content)])
            writer = self.books.writers.get(file.as_posix())
            for path in writer.files("input") if writer else ():
                if path.endswith("curve.csv"):
                    seed = Path(path).parent.name
                    losses = losses | {(fold, variant, seed, key) for key in self.rows(Path(path))}
        entries = []
        for fold, variant, seed, iteration in losses:
            file = self.top / "adapters" / fold / variant / seed / "curve.csv"
            name = f"{fold}/{variant}/{seed}/{iteration}"
            entries.append(self.entry(file, name, **self.rows(file)[iteration]))
        chain.add("validation losses", entries)
        return {(fold, variant) for fold, variant, *_ in losses}

    def _from_judge(self, chain: Chain, names: set[str]) -> None:
        """Follow graded answers to what the judge said of them, where the study has a judge."""
        path = self.top / "grades" / "judge.parquet"
        if not path.is_file():
            return
        judged = [self.rows(path)[name] for name in names & self.rows(path).keys()]
        chain.add("judgements", [self.entry(path, row["row"], **row) for row in judged])
        file = self.top / "grades" / "judge_responses.jsonl"
        requests = {row["judge_request_sha256"] for row in judged}
        chain.add("the judge's stored responses", self._responses(file, requests))

    def _from_traces(
        self, chain: Chain, keys: set[str], solved: Iterable[str] = (), *, problems: bool = True
    ) -> set[str]:
        """Follow traces (and solutions of some problems) down to the stored responses."""
        traces, responses, solutions, wanted = [], [], [], {}
        asked = set(solved) | {key.rpartition(".")[0] or key for key in keys}
        for file in sorted(self.top.glob("traces/*/traces.jsonl")) if keys else ():
            for key, row in self.rows(file).items():
                if key in keys:
                    traces.append(self.entry(file, key, **without(row, "id")))
                    for agent, name in (
                        ("distiller", "request_sha256"),
                        ("verifier", "verifier_request_sha256"),
                    ):
                        wanted.setdefault((file.parent, agent), set()).add(row.get(name))
        for file in sorted(self.top.glob("traces/*/solutions.jsonl")) if asked else ():
            for key, row in self.rows(file).items():
                if key in asked:
                    solutions.append(self.entry(file, key, **without(row, "id")))
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
            self.entry(file, row["request_sha256"], **without(row, "request_sha256"))
            for row in self.cached(file.with_suffix(".all"), lambda _: read_jsonl(file))
            if row["request_sha256"] in requests
        ]

    def _from_problems(self, chain: Chain, keys: set[str]) -> None:
        """Follow problems down to page, box and PDF, through what was done to them after reading.

        A problem that nothing was done to is its extracted row, byte for byte.
        """
        found = {key: self.problems[key] for key in sorted(keys & self.problems.keys())}
        chain.add(
            "problems",
            [self.entry(file, key, **without(row, "id")) for key, (file, row) in found.items()],
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
                content = {**without(self.rows(path)[name], "id"), "used": reading["used"]}
                readings.append(self.entry(path, name, **content))
                path = path.with_name("reader_responses.jsonl")
                responses += self._responses(path, {content["request_sha256"]})
            if row.get("corrections") or row.get("readings"):
                path = self.top / "extractions" / f"{year}.jsonl"
                extracted.append(self.entry(path, key, **without(self.rows(path)[key], "id")))
        chain.add("corrections", corrections)
        chain.add("second readings", readings)
        chain.add("stored responses", responses)
        chain.add("problems as extracted", extracted)
        self._from_pages(chain, found.values())

    def _from_pages(self, chain: Chain, problems: Iterable[tuple[Path, dict[str, Any]]]) -> None:
        """Name pages, boxes and PDFs of some problems, or their lines in a transcription."""
        pages, papers, lines = [], {}, []
        for file, row in problems:
            for digest, page, box, what in (
                (row.get("pdf_sha256"), row.get("page"), row.get("box"), "statement"),
                (row.get("key_sha256"), row.get("key_page"), row.get("key_box"), "key"),
            ):
                if digest:
                    pdf = self._paper(file, digest)
                    pages.append(
                        {
                            "id": f"{row['id']} {what}",
                            "file": pdf,
                            "sha256": digest,
                            "page": page,
                            "box": box,
                        }
                    )
                    papers[digest] = pdf
            if row.get("source_sha256"):
                lines.append(
                    {
                        "id": f"{row['id']} transcription",
                        "file": self._paper(file, row["source_sha256"]),
                        "sha256": row["source_sha256"],
                        "line": row["source_line"],
                    }
                )
        chain.add("transcriptions", lines)
        chain.add("pages", pages)
        chain.add(
            "PDFs",
            [
                {"id": Path(pdf).name, "file": pdf, "sha256": digest}
                for digest, pdf in papers.items()
            ],
        )

    def _paper(self, problems: Path, digest: str) -> str | None:
        """Name the file with this hash above a file of problems."""
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
        pending, seen, jobs, files = [Path(path).as_posix() for path in paths], set(), {}, []
        while pending:
            path = pending.pop()
            if path in seen:
                continue
            seen.add(path)
            writer = self.books.writers.get(path)
            files.append(self.entry(Path(path), path, job=writer.job if writer else None))
            if writer and writer.job not in jobs:
                jobs[writer.job] = {
                    "id": writer.job,
                    "file": writer.path.as_posix(),
                    "sha256": writer.sha256,
                    "script": writer.content["script"],
                }
                pending += list(writer.files("input"))
        chain.add("files", files)
        chain.add("jobs", jobs.values())

    # -------------------------------------------------------------------------- downstream

    def used_by(self, target: str) -> Chain:
        """Return what would change if a problem, a page, a row or a file were wrong.

        For a problem (`2014-fs-07`, or FILE#ID) and a page (PDF#PAGE) the answer is exact: the
        graded answers to it, the training rows made from it, and the cells of every table that
        were computed from either. For a file it is every file made from it as well.

        Raises:
            NotFoundError: there is no such thing.
        """
        target = self._whole_name(target)
        chain = Chain(f"used by {target}")
        path, _, key = target.rpartition("#")
        if Path(path or key).suffix == ".pdf":
            pdf = Path(path or key)
            self._problems_used_by(chain, self._on_page(pdf, key if path else ""))
            if not path:
                self._files_used_by(chain, pdf)
        elif key in self.problems:
            self._problems_used_by(chain, {key})
        elif path and (problem := self._problem_of(Path(path), key)):
            self._problems_used_by(chain, {problem}, answers={key} if "#" in key else None)
        elif self.sha256(Path(target)) is not None:
            self._files_used_by(chain, Path(target))
        else:
            raise NotFoundError(
                f"{target}: neither a problem, a page, a row nor a file of study "
                f"{self.books.study}{did_you_mean(target, self.problems)}"
            )
        return chain

    def _problem_of(self, path: Path, key: str) -> str | None:
        """Return the problem that a row of a file is about."""
        if not path.is_file():
            raise NotFoundError(f"{path}: no such file")
        row = self.rows(path).get(key)
        if row is None:
            raise NotFoundError(
                f"{path}: no row {key}; rows are like {next(iter(self.rows(path)))}"
            )
        return row.get("problem")

    def _files_used_by(self, chain: Chain, target: Path) -> None:
        pending, seen, files = [target.as_posix()], set(), []
        while pending:
            path = pending.pop()
            for reader in self.books.readers.get(path, []):
                for made in reader.files("output"):
                    if made not in seen:
                        seen.add(made)
                        pending.append(made)
                        files.append(self.entry(Path(made), made, job=reader.job))
        chain.add("files made from it", files)

    def _problems_used_by(
        self, chain: Chain, keys: set[str], answers: set[str] | None = None
    ) -> None:
        chain.add("problems on it", [self.entry(self.problems[key][0], key) for key in keys])
        trained, taught = [], set()
        for file in sorted(self.top.glob("datasets/*/*/*.jsonl")):
            for row in self.rows(file).values():
                if row.get("problem") in keys:
                    trained.append(self.entry(file, row["id"], part=file.stem))
                    taught.add(file.parent.relative_to(self.top / "datasets").parts)
        chain.add("training and validation rows made from it", trained)
        table = self.answers
        direct = answers or set(table[table["problem"].isin(keys)]["row"])
        path = self.top / "grades" / "answers.parquet"
        chain.add("answers to it", [self.entry(path, row) for row in direct])
        places = zip(table["fold"], table["variant"], strict=True)
        student = (table["role"] == "student").to_numpy() & [place in taught for place in places]
        moved = direct | set(table[student]["row"])
        cells = []
        for cell in filter(self.tables.computed, self.tables.cells()):
            sources = self.tables.sources(cell)
            touched = len(sources & moved) + sum(
                source.rpartition("/")[2] in keys or tuple(source.split("/")[1:3]) in taught
                for source in sources
                if "#" not in source
            )
            if touched:
                cells.append(self.entry(self.tables.path(cell.table), cell.address, rows=touched))
        chain.add("cells that rest on it", cells)
