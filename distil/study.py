"""The shape of a study: which years, folds, variants and seeds it has, and the files these name.

Rules ask here which files a stage needs; nothing here reads or writes one, except the manifest.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import yaml

from distil import release


class AnyStudy:
    """What every study has: a name, years, claims.

    Args:
        config: a configuration that `distil.config.check` has passed.
    """

    tables_made: tuple[str, ...] = ()
    figures_made: tuple[str, ...] = ()

    def __init__(self, config: dict[str, Any], years: list[int]) -> None:
        """Keep the configuration; lists of files are made on demand."""
        self.config = config
        self.name: str = config["study"]
        self.years = years
        self.results = Path("results") / self.name

    def problems(self) -> list[str]:
        """The problems of all years, one file a year."""
        return [f"{self.results}/problems/{year}.jsonl" for year in self.years]

    def targets(self) -> list[str]:
        """What a full run makes in the end: claims, tables and figures."""
        tables = [f"tables/{name}.csv" for name in self.tables_made]
        figures = [f"figures/{name}.svg" for name in self.figures_made]
        return [f"{self.results}/{name}" for name in ("claims/claims.csv", *tables, *figures)]

    def print_claims(self) -> None:
        """Print the claims table, if it is there: the last lines of a full run."""
        path = self.results / "claims" / "claims.md"
        if path.is_file():
            print(path.read_text(encoding="utf-8"))


class ReleaseStudy(AnyStudy):
    """A re-analysis of the public release."""

    tables_made = ("splits", "levels", "forensics")

    def __init__(self, config: dict[str, Any]) -> None:
        """Keep the configuration.

        Raises:
            FileNotFoundError: the folder is no complete download; the message says how to get it.
        """
        super().__init__(config, list(release.YEARS))
        self.folder: str = config["exams"]["folder"]
        release.check_folder(self.folder)
        self.sets = list(release.SETS)

    def transcriptions(self) -> list[str]:
        """The transcribed questions, one file a year."""
        return list(release.transcriptions(self.folder).values())

    def split_files(self, part: str) -> list[str]:
        """The released files of one part, one for each set."""
        return [release.splits(self.folder)[name][part] for name in self.sets]

    def tables(self) -> dict[str, str]:
        """The released tables and logs by the names that scripts use."""
        return release.tables(self.folder)

    def claims(self) -> dict[str, Any]:
        """What the claims are computed under."""
        return {
            **self.config["claims"],
            "title": self.config["title"],
            "published": self.config["published"],
            "levels": list(release.LEVELS),
            "sections": self.config["exams"]["sections"],
        }


class Study(AnyStudy):
    """A study that trains: a checked configuration, seen as lists of files."""

    tables_made = ("splits", "levels", "seeds", "stops")
    figures_made = ("curves", "words", "sections", "seeds", "checkpoints", "discordance", "stops")

    def __init__(self, config: dict[str, Any]) -> None:
        """Keep the configuration; lists of files are made on demand."""
        super().__init__(config, config["exams"]["years"])
        self.sections: list[str] = list(config["exams"]["sections"])
        self.folds: dict[str, dict[str, list[int]]] = config["folds"]
        self.levels: list[str] = config["levels"]
        self.seeds: list[int] = config["adapters"]["seeds"]
        self.checkpoints: list[int] = config["adapters"]["checkpoints"]

    @functools.cached_property
    def traced_years(self) -> list[int]:
        """Years that some fold trains or validates on: traces are distilled for these only."""
        return sorted(
            {year for parts in self.folds.values() for year in parts["train"] + parts["validation"]}
        )

    @functools.cached_property
    def examined_years(self) -> list[int]:
        """Years that some fold tests on: every level is asked there."""
        return sorted({year for parts in self.folds.values() for year in parts["test"]})

    @functools.cached_property
    def variants(self) -> list[str]:
        """What a set of adapters is trained for: `prompt` (all levels) or one level."""
        names = []
        for protocol in self.config["adapters"]["protocols"]:
            names += (
                ["prompt"] if protocol == "prompt" else [level.lower() for level in self.levels]
            )
        return names

    @functools.cached_property
    def all_seeds(self) -> list[int]:
        """The study's seeds and the pilot's."""
        return [*self.seeds, self.config["adapters"]["pilot_seed"]]

    def papers(self, year: int | str) -> list[str]:
        """The PDFs of one year's exam, in the order of the sections."""
        return [f"{self.results}/exams/{year}-{section}.pdf" for section in self.sections]

    def benchmark_files(self) -> list[str]:
        """The benchmarks besides the competition itself, one file each."""
        names = [name for name in self.config["benchmarks"] if name != "competition"]
        return [f"{self.results}/benchmarks/{name}.jsonl" for name in names]

    def traces(self, fold: str) -> list[str]:
        """The verified traces that a fold trains and validates on, one file a year."""
        parts = self.folds[fold]
        years = sorted(parts["train"] + parts["validation"])
        return [f"{self.results}/traces/{year}/traces.jsonl" for year in years]

    @functools.cached_property
    def student_runs(self) -> list[str]:
        """What the student answers as: the base, and each seed of each fold and variant."""
        return [
            "base",
            *(
                f"{fold}/{variant}/seed-{seed}"
                for fold in self.folds
                for variant in self.variants
                for seed in self.seeds
            ),
        ]

    @functools.cached_property
    def runs(self) -> list[str]:
        """All that gives answers."""
        return ["teacher", *self.student_runs]

    def adapters(self, run: str) -> list[str]:
        """The checkpoints that a run decodes with; none for the base."""
        if run == "base":
            return []
        folder = f"{self.results}/adapters/{run}"
        checkpoints = [f"{folder}/{iteration:05d}.safetensors" for iteration in self.checkpoints]
        return [*checkpoints, f"{folder}/adapter_config.json"]

    def stops(self) -> list[str]:
        """The chosen stops of each fold and variant."""
        return [
            f"{self.results}/adapters/{fold}/{variant}/stops.json"
            for fold in self.folds
            for variant in self.variants
        ]

    def curves(self) -> list[str]:
        """The validation curves of every seed and the pilot."""
        return [
            f"{self.results}/adapters/{fold}/{variant}/seed-{seed}/curve.csv"
            for fold in self.folds
            for variant in self.variants
            for seed in self.all_seeds
        ]

    # ------------------------------------------------------- settings that more than one rule has

    def teacher(self, agent: str) -> dict[str, Any]:
        """The teacher's settings for one agent: what can change another agent is left out."""
        settings = dict(self.config["teacher"])
        agents = settings.pop("agents")
        return {**settings, "agent": agents[agent]}

    def training(self) -> dict[str, Any]:
        """What shapes an adapter; neither the list of seeds nor the pilot does."""
        other = {"protocols", "seeds", "pilot_seed"}
        return {key: value for key, value in self.config["adapters"].items() if key not in other}

    def examination(self) -> dict[str, Any]:
        """What the plans of answers are made from."""
        return {
            "folds": self.folds,
            "variants": self.variants,
            "seeds": self.seeds,
            "checkpoints": self.checkpoints,
            "benchmarks": self.config["benchmarks"],
            "stops": self.config["predictions"]["stops"],
            "levels": self.config["predictions"]["levels"],
        }

    def decoding(self) -> dict[str, Any]:
        """What can change a decoded answer."""
        chosen = ("max_tokens", "batch_size")
        return {key: self.config["predictions"][key] for key in chosen}

    def claims(self) -> dict[str, Any]:
        """What the claims and their tables are computed under, fixed before the run."""
        return {
            **self.config["claims"],
            "title": self.config["title"],
            "published": self.config["published"],
            "primary_stop": self.config["predictions"]["stops"][0],
            "levels": self.config["predictions"]["levels"],
            "sections": self.config["exams"]["sections"],
        }


def open_study(config: dict[str, Any]) -> Study | ReleaseStudy:
    """Return the study that a checked configuration describes."""
    kind = ReleaseStudy if config["exams"]["source"] == "release" else Study
    return kind(config)


def read_manifest(path: str | Path) -> dict[str, dict[str, Any]]:
    """Read an exam manifest: {"YEAR-SECTION": {"file" or "url", "sha256", ...}}.

    Raises:
        ValueError: an entry lacks a field; the message names manifest, entry and field.
    """
    entries = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    for name, entry in entries.items():
        for field in ("sha256",):
            if not entry.get(field):
                raise ValueError(f"{path}: {name}: {field} is missing; add it (sha256sum FILE)")
        if bool(entry.get("file")) == bool(entry.get("url")):
            raise ValueError(f"{path}: {name}: give either file or url")
    return entries
