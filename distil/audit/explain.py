"""From a number back to the pages it came from, and from a page on to the numbers it moves.

The walk is one for all kinds of rows; what a row was made from is said in `distil.audit.edges`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from distil.audit.cells import CLAIMS, Cell, NotFoundError, did_you_mean
from distil.audit.chains import Chain
from distil.audit.edges import EDGES, STAGES, Link, places
from distil.audit.rows import StudyRows
from distil.content.addresses import parse_file, parse_row
from distil.content.hashing import canonical_json, sha256_text
from distil.review.crops import read_crops


class Explainer(StudyRows):
    """The chains behind cells, rows, pages and files of one study, and what rests on them."""

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
            self.walk(chain, [("problem", {"id": target})])
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
        self.read_only(wanted)
        self.walk(chain, map(parse_row, wanted))
        return chain

    def _whole_name(self, target: str) -> str:
        """Return a target with the folder of a PDF that was named without it."""
        name, hash_sign, page = target.partition("#")
        if Path(name).suffix != ".pdf" or "/" in name:
            return target
        known = {
            Path(path).name: path
            for path in (*self.records.readers, *self.records.writers)
            if path.endswith(".pdf")
        }
        if name not in known:
            raise NotFoundError(
                f"{target}: no PDF of study {self.records.study} has that name"
                f"{did_you_mean(name, known)}"
            )
        return f"{known[name]}{hash_sign}{page}"

    def walk(self, chain: Chain, rows: Iterable[Link]) -> None:
        """Follow rows, each by kind and fields, down to the pages; each is visited once."""
        pending, seen = list(rows), set()
        entries: dict[str, list[dict[str, Any]]] = {}
        while pending:
            kind, fields = pending.pop()
            name = f"{kind} {canonical_json({key: str(value) for key, value in fields.items()})}"
            if name in seen:
                continue
            seen.add(name)
            for found in EDGES[kind](self, **fields):
                if isinstance(found, tuple):
                    pending.append(found)
                else:
                    entries.setdefault(kind, []).append(found)
        for kind, stage in STAGES.items():
            chain.add(stage, entries.get(kind, []))

    def _cell_entry(self, cell: Cell, behind: list[str]) -> dict[str, Any]:
        path = self.tables.path(cell.table)
        writer = self.records.writers.get(path.as_posix())
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
            self.walk(chain, [("problem", {"id": problem}) for problem in self._on_page(path, key)])
            return chain
        rows = self.rows(path)
        if key not in rows:
            shown = ", ".join(list(rows)[:3])
            raise NotFoundError(f"{path}: no row {key}; rows are named like {shown}")
        chain.add("row", [self.entry(path, key, content=rows[key])])
        self.walk(chain, self._behind(path, key, rows[key]))
        return chain

    def _behind(self, path: Path, key: str, row: dict[str, Any]) -> list[Link]:
        """Return what a row of a file was made from."""
        try:
            kind, fields = parse_file(path)
        except ValueError:
            return []
        del fields["study"]
        if kind in ("grades", "predictions"):
            return [("answer", {"run": fields["run"], "id": key})]
        if kind in ("claims", "table"):
            table = CLAIMS if kind == "claims" else fields["table"]
            cells = [c for c in self.tables.cells() if (c.table, c.row) == (table, key)]
            return [parse_row(source) for cell in cells for source in self.tables.sources(cell)]
        if kind in ("curve", "parts"):
            name, what = ("iteration", "curve") if kind == "curve" else ("problem", "part")
            return [(what, {**fields, name: key})]
        if kind in ("responses", "reader responses"):
            return self._asked_with(key)
        if kind == "solutions":
            return [("solution", {"solution": key})]
        if kind in ("traces", "distillations", "dataset"):
            return [("trace", {"id": key})]
        if kind in ("problems", "benchmark"):
            return [("problem", {"id": key})]
        if kind == "extraction":
            return list(places(self, path, row))
        try:
            return [parse_row(key)]
        except ValueError:
            return []

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
            study = self.records.study
            raise NotFoundError(f"{pdf}#{page}: no problem of study {study} stands there")
        return found

    def _asked_with(self, request: str) -> list[Link]:
        """Return the traces and the problems that rest on one stored response."""
        found: list[Link] = []
        for name in ("traces", "solutions"):
            for file in sorted(self.top.glob(f"traces/*/{name}.jsonl")):
                for key, row in self.rows(file).items():
                    if request in (row.get("request_sha256"), row.get("verifier_request_sha256")):
                        trace = ("trace", {"id": key})
                        found.append(trace if name == "traces" else ("solution", {"solution": key}))
        return found

    def _explain_file(self, path: Path) -> Chain:
        if self.sha256(path) is None:
            study = self.records.study
            raise NotFoundError(f"{path}: no job of study {study} wrote or read it")
        chain = Chain(path.as_posix())
        self._from_files(chain, [path])
        return chain

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
            writer = self.records.writers.get(path)
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
                f"{self.records.study}{did_you_mean(target, self.problems)}"
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
            for reader in self.records.readers.get(path, []):
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
        path = self.path("answers")
        direct = answers or self.answers_to(keys)
        chain.add("answers to it", [self.entry(path, row) for row in direct])

        def moved(source: str) -> bool:
            run, answer, _ = source.partition("#")
            if answer:  # the student's run is FOLD/VARIANT/seed-SEED
                return source in direct or tuple(run.split("/")[:2]) in taught
            return source.rpartition("/")[2] in keys or tuple(source.split("/")[1:3]) in taught

        chain.add("cells that rest on it", self._cells_moved(moved))

    def _cells_moved(self, moved: Callable[[str], bool]) -> Iterator[dict[str, Any]]:
        """Yield the computed cells that rest on some of the sources for which a test holds."""
        for table in self.tables.names:
            stored = self.tables.stored(table)
            if stored is None:
                continue
            marks = np.fromiter(map(moved, stored.texts), dtype=bool, count=len(stored.texts))
            for cell in self.tables.cells(table):
                if not self.tables.computed(cell):
                    continue
                touched = int(marks[stored.numbers(self.tables.behind(cell))].sum())
                if touched:
                    yield self.entry(self.tables.path(table), cell.address, rows=touched)
