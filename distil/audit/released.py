"""The rows behind numbers of the public release: its counts, lines, traces and splits.

The release holds no answers, so a chain ends at lines of its files and at its transcriptions.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import yaml

from distil.audit.chains import without
from distil.content.files import read_jsonl
from distil.release import files as release

if TYPE_CHECKING:
    from distil.audit.chains import Chain
    from distil.audit.explain import Explainer

# Kinds of ids (distil/content/sources.py) that are followed here.
KINDS = ("loss", "line", "found", "published", "chain", "training")


class ReleaseRows:
    """Follows the rows that only a re-analysis of the public release has.

    Args:
        explainer: reads the study's files.
        chain: what the stages are added to.
    """

    def __init__(self, explainer: Explainer, chain: Chain) -> None:
        """Read nothing yet."""
        self.explainer, self.chain = explainer, chain
        self.top = explainer.top
        self.found: dict[str, dict[tuple[str, str], dict[str, Any]]] = {}

    def follow(self, kinds: dict[str, set[tuple[str, ...]]]) -> set[str]:
        """Follow rows, by the first part of their ids, and return the problems behind them."""
        problems = self._follow(kinds)
        for stage, entries in self.found.items():
            self.chain.add(stage, entries.values())
        return problems

    def _follow(self, kinds: dict[str, set[tuple[str, ...]]]) -> set[str]:
        problems: set[str] = set()
        for level in sorted({rest[0] for rest in kinds.get("level", ())}):
            problems |= self._level(level)
        counts = self.top / "grades" / "counts.parquet"
        known = self.explainer.rows(counts) if counts.is_file() else {}
        for kind, rests in sorted(kinds.items()):
            for rest in sorted(rests):
                key = "/".join((kind, *rest))
                if key in known:
                    problems |= self._count(key, counts, known[key])
                elif kind in KINDS:
                    problems |= getattr(self, f"_{kind}")(*rest) or set()
        return problems

    # --------------------------------------------------------------------------- reading

    def _add(self, stage: str, file: str | Path, key: str, **facts: Any) -> None:
        entry = self.explainer.entry(Path(file), key, **facts)
        self.found.setdefault(stage, {})[entry["file"], key] = entry

    def _folder(self) -> Path:
        """Return the folder of the release, from what the jobs read."""
        name = release.tables("")["chains"]
        return Path(next(p for p in self.explainer.books.readers if p.endswith(name))).parent

    def _lines(self, path: Path) -> list[str]:
        def read(_: Path) -> list[str]:
            return path.read_text(encoding="utf-8").split("\n")

        return self.explainer.cached(path.with_name(f"{path.name} by line"), read)

    def _records(self, file: Path) -> list[dict[str, Any]]:
        def read(path: Path) -> list[dict[str, Any]]:
            if path.suffix == ".jsonl":
                return read_jsonl(path)
            return json.loads(pd.read_parquet(path).to_json(orient="records"))

        return self.explainer.cached(file.with_name(f"{file.name} rows"), lambda _: read(file))

    def _text_line(self, path: Path, number: int) -> None:
        name = f"{path.relative_to(self._folder()).as_posix()}:{number}"
        text = self._lines(path)[number - 1]
        self._add("lines of the release", path, name, line=number, text=text)

    # ----------------------------------------------------------------------------- kinds

    def _level(self, level: str) -> set[str]:
        file = self.top / "grades" / "levels.parquet"
        for row in self._records(file):
            if (row["level"], row["section"]) == (level, "all"):
                self._add("levels", file, f"level/{level}", **row)
        tables, kinds = self.explainer.tables, {}
        for cell in tables.find(f"levels:{level}/all"):
            for source in tables.sources(cell):
                kind, *rest = source.split("/")
                kinds.setdefault(kind, set()).add(tuple(rest))
        return self._follow(kinds)

    def _count(self, key: str, file: Path, row: dict[str, Any]) -> set[str]:
        self._add("counts", file, key, **without(row, "id"))
        if row["origin"] == "file":
            self._text_line(self._folder() / row["source"], int(row["line"]))
            return set()
        if row["origin"] == "percentage":
            self._published(row["source"].split()[1])
            return set()
        problems = {
            key
            for key, (_, problem) in self.explainer.problems.items()
            if row["group_kind"] == "overall"
            or str(problem.get(row["group_kind"])) == str(row["group"])
        }
        if row["quantity"].startswith("in_"):
            for problem in sorted(problems):
                self._found(row["level"] or "full", problem)
        return problems

    def _published(self, name: str) -> None:
        path = next(
            path for path in self.explainer.books.readers if path.endswith("published.yaml")
        )
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        claims = {claim["id"]: claim for claim in content["claims"]}
        self._add("published figures", path, name, content=claims.get(name, content.get(name)))

    def _loss(self, part: str, iteration: str) -> None:
        file = self.top / "adapters" / "losses.parquet"
        for row in self._records(file):
            if (row["part"], str(row["iteration"])) == (part, iteration):
                self._add("losses", file, f"loss/{part}/{iteration}", **row)
                self._text_line(self._folder() / row["source"], int(row["line"]))

    def _found(self, name: str, problem: str) -> set[str]:
        file = self.top / "datasets" / "audit.jsonl"
        rows = self.explainer.cached(
            file, lambda path: {(row["set"], row["problem"]): row for row in read_jsonl(path)}
        )
        if (name, problem) in rows:
            row = rows[name, problem]
            self._add("places in the release's splits", file, f"{name}/{problem}", **row)
            for part, numbers in row["verbatim"].items():
                for number in numbers:
                    self._line(name, part, str(number))
        return {problem}

    def _line(self, name: str, part: str, number: str) -> None:
        self._text_line(Path(release.splits(self._folder())[name][part]), int(number))

    def _chain(self, level: str, problem: str) -> set[str]:
        path = Path(release.tables(self._folder())["chains"])
        row = self.explainer.cached(path, release.read_chains)[problem]
        self._add(
            "traces of the release", path, f"{level}/{problem}", line=row["line"], text=row[level]
        )
        return {problem}

    def _training(self, level: str) -> None:
        path = Path(release.tables(self._folder())["level_runs"])
        for number, text in enumerate(self._lines(path), start=1):
            if text.startswith(f"{level[1:]},"):
                self._text_line(path, number)
