"""The shape of a study: which years, folds, variants and seeds it has, and the files these name.

Rules ask here which files a stage needs; nothing here reads or writes one, except the manifest.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distil.claims.plan import AnalysisPlan, claims_digest
from distil.datasets.splits import read_fold, year_of
from distil.release import files as release
from distil.release.answers import answer_files
from distil.release.selection import read_selection
from distil.review.admission import DEFAULT_REFUSED
from distil.review.corrections import added_places, read_corrections
from distil.study.manifest import read_manifest, read_origin
from distil.teacher import settings as teacher_settings

if TYPE_CHECKING:
    from collections.abc import Iterable


PUBLISHED = "resources/published.yaml"
# From so many folds on, years are held out in turn.
LEAST_FOLDS = 3


class AnyStudy:
    """What every study has: a name, years, claims.

    Args:
        config: a configuration that `distil.study.config.check` has passed.
    """

    # Whether this is a dry run: a plan can be seen before what it reads was fetched.
    planning = False
    tables_made: tuple[str, ...] = ()
    figures_made: tuple[str, ...] = ()

    def __init__(self, config: dict[str, Any], years: list[int]) -> None:
        """Keep the configuration; lists of files are made on demand."""
        self.config = config
        self.name: str = config["study"]
        self.years = years
        self.sections: list[str] = list(config["exams"]["sections"])
        self.results = Path("results") / self.name

    def how(self) -> dict[str, Any]:
        """Settings that say how a result is got and shape none: in no param and no key.

        Jobs are given them as `how`, beside their params; a change reruns nothing.
        """
        teacher, grading = self.config.get("teacher"), self.config.get("grading")
        predictions = self.config.get("predictions", {})
        server = predictions.get("server")
        return {
            # No training depends on it, but a model that it cannot decode is not trained.
            **({"decoder": predictions["decoder"]} if predictions else {}),
            **({"teacher": teacher_settings.how(teacher)} if teacher else {}),
            **({"adapters": server.get("adapters")} if server else {}),
            **({"grading": {"workers": grading["workers"]}} if grading else {}),
        }

    @property
    def plan_sha256(self) -> str | None:
        """The digest of the plan that must precede the answers; None where a study makes none."""
        return None

    def wildcards(self) -> dict[str, str]:
        """What each wildcard of the rules may be: what this study lists, and nothing else."""
        return {"year": "|".join(map(str, self.years))}

    def present(self, *paths: str) -> list[str]:
        """Files that no rule makes; in a dry run those that are not there are left out."""
        return [path for path in paths if not self.planning or Path(path).is_file()]

    def present_file(self, path: str) -> str | list[str]:
        """A file that no rule makes; nothing in a dry run where it is not there.

        A list of one would reach the script as a list.
        """
        return path if self.present(path) else []

    def problems(self) -> list[str]:
        """The problems of all years, one file a year."""
        return [f"{self.results}/problems/{year}.jsonl" for year in self.years]

    def accounts(self) -> list[str]:
        """What became of every problem, one file a year."""
        return [f"{self.results}/accounts/{year}.jsonl" for year in self.years]

    def excluded(self) -> list[str]:
        """The problems that are not in the study, one file a year."""
        return [f"{self.results}/excluded/{year}.jsonl" for year in self.years]

    # ------------------------------------------------------------ papers, and what is read of them

    @property
    def manifest(self) -> dict[str, dict[str, Any]]:
        """The papers by name, YEAR-SECTION or YEAR-SECTION-SECTION..., each with its `key`."""
        raise NotImplementedError

    @property
    def extracted_years(self) -> list[int]:
        """The years that have papers."""
        return sorted({entry["year"] for entry in self.manifest.values()})

    @functools.cached_property
    def documents(self) -> dict[str, dict[str, Any]]:
        """Each PDF of the manifest, papers and keys: {"file" or "url", "sha256"}."""
        found = {}
        for name, entry in self.manifest.items():
            for document, source in ((name, entry), (f"{name}.key", entry["key"])):
                if source:
                    wanted = ("file", "url", "sha256")
                    found[document] = {key: source[key] for key in wanted if source.get(key)}
        return found

    def source(self, document: str) -> list[str]:
        """The file that a PDF of the manifest is read from; none where it has a URL."""
        file = self.documents[document].get("file")
        return [file] if file else []

    def papers(self, year: int | str) -> list[str]:
        """The PDFs of one year's exams."""
        return [
            f"{self.results}/exams/{name}.pdf"
            for name, entry in self.manifest.items()
            if entry["year"] == int(year)
        ]

    def answer_keys(self, year: int | str) -> list[str]:
        """The PDFs of one year's keys that are files of their own."""
        return [
            f"{self.results}/exams/{name}.key.pdf"
            for name, entry in self.manifest.items()
            if entry["year"] == int(year) and entry["key"]
        ]

    def tests(self, year: int | str) -> list[dict[str, Any]]:
        """What each of a year's papers holds: its tests; whether its key is a second file."""
        return [
            {"tests": entry["tests"], "key": bool(entry["key"])}
            for entry in self.manifest.values()
            if entry["year"] == int(year)
        ]

    def extractions(self) -> list[str]:
        """The problems of each year with papers as they were read, uncorrected."""
        return [f"{self.results}/extractions/{year}.jsonl" for year in self.extracted_years]

    def crops(self) -> list[str]:
        """The pictures of the problems of each year with papers."""
        return [f"{self.results}/crops/{year}.parquet" for year in self.extracted_years]

    @property
    def vision(self) -> dict[str, Any] | None:
        """The settings of the vision model that reads flagged problems again; None for none."""
        return self.config["problems"]["vision"]

    @property
    def problem_source(self) -> str:
        """Whose statements and keys the study takes: extraction, reviewed or transcription."""
        return self.config["problems"].get("source", "reviewed")

    def transcription(self, year: int | str) -> list[str]:
        """The file of one year's transcription; none unless the study takes its texts."""
        if self.problem_source != "transcription":
            return []
        return [release.transcriptions(self.config["problems"]["transcription"])[int(year)]]

    @functools.cached_property
    def _selection(self) -> dict[str, dict[str, str]] | None:
        file = self.config["problems"].get("selection")
        return read_selection(file) if file else None

    def selected(self, year: int | str) -> dict[str, dict[str, str]] | None:
        """One year's problems of the selection: note and hash of each; None without a selection."""
        if self._selection is None:
            return None
        return {name: row for name, row in self._selection.items() if name.startswith(f"{year}-")}

    def absent_problems(self) -> dict[str, str]:
        """Problems of the selection in years that the study does not have, with their notes."""
        return {
            name: row["note"]
            for name, row in (self._selection or {}).items()
            if year_of(name) not in self.years
        }

    @property
    def prefer(self) -> str | None:
        """Whose text stands where extraction and vision model disagree; None without the latter."""
        return self.vision["prefer"] if self.vision else None

    def readings(self, years: Iterable[int | str]) -> list[str]:
        """Some years' second readings; none where no vision model is configured."""
        if not self.vision:
            return []
        return [f"{self.results}/readings/{year}/readings.jsonl" for year in years]

    @functools.cached_property
    def _corrections(self) -> dict[int, list[dict[str, Any]]]:
        file = self.config["problems"]["corrections"]
        return read_corrections(file, self.years) if file else {}

    def corrections(self, year: int | str) -> list[dict[str, Any]]:
        """One year's human corrections: a change to one reruns its own year and no other."""
        return self._corrections.get(int(year), [])

    def added_places(self, year: int | str) -> list[dict[str, Any]]:
        """Where one year's problems that people put in stand, as far as their entries say."""
        return added_places(self.corrections(year))

    def corrections_file(self, year: int | str) -> str | None:
        """The file that one year's corrections stand in; None where it has none."""
        return self.config["problems"]["corrections"] if self.corrections(year) else None

    @property
    def refuse(self) -> list[str]:
        """Flags that keep a problem out of the study."""
        return sorted(self.config["problems"].get("admit", {}).get("refuse", DEFAULT_REFUSED))

    def all_corrections(self) -> list[dict[str, Any]]:
        """Every year's human corrections."""
        return [entry for year in self.years for entry in self.corrections(year)]

    # --------------------------------------------------------------------------------- the page

    def page_inputs(self) -> dict[str, list[str]]:
        """What the page shows besides claims and problems; empty where a study does not have it."""
        names = ("benchmarks", "answers", "predictions", "grades", "crops", "solutions", "traces",
                 "curves", "stops", "duplicates", "excluded")  # fmt: skip
        tables = [f"{self.results}/tables/{name}.csv" for name in self.tables_made]
        rows = [table.replace(".csv", ".rows.parquet") for table in tables]
        return {"tables": tables, "table_rows": rows, **{name: [] for name in names}}

    def page_shards(self) -> dict[str, list[str]]:
        """The scripts that hold the page's data: verdicts by fold, texts by year and benchmark."""
        return {"verdicts": ["common"], "texts": [str(year) for year in self.years]}

    def page(self) -> dict[str, Any]:
        """What the page says of the study itself."""
        kinds = {"typeset": "sample", "manifest": "papers", "release": "released"}
        kind = kinds[self.config["exams"]["source"]]
        return {
            "title": self.config["title"],
            "kind": "rehearsal" if self.config.get("rehearsal") else kind,
            "takes_corrections": kind != "released" and self.problem_source != "extraction",
            "include_statements": self.include_statements,
            "not_run": self.not_run(),
            "sections": self.config["exams"]["sections"],
            "runs": [],
            "corrections": self.all_corrections(),
            "claims": self.claims(),
        }

    def not_run(self) -> list[str]:
        """What a reader might take for done in this study, and which was not, with its setting."""
        raise NotImplementedError

    @property
    def include_statements(self) -> bool:
        """Whether copies of the page hold the exams' own words; of made-up exams unless set."""
        made_up = self.config["exams"]["source"] == "typeset"
        return bool(self.config.get("page", {}).get("include_statements", made_up))

    def claims(self) -> dict[str, Any]:
        """What the claims are computed under."""
        raise NotImplementedError

    def review_page(self) -> str:
        """The page on which people look at what was read."""
        return f"{self.results}/review/problems.html"

    def targets(self) -> list[str]:
        """What a full run makes in the end: claims, tables, figures and the page."""
        tables = [f"tables/{name}.csv" for name in self.tables_made]
        figures = [f"figures/{name}.svg" for name in self.figures_made]
        return [
            f"{self.results}/{name}"
            for name in ("claims/claims.csv", *tables, *figures, "index.html")
        ]


class ReleaseStudy(AnyStudy):
    """A re-analysis of the public release."""

    tables_made = ("splits", "levels", "forensics", "runs", "agreement", "disagreements")

    def __init__(self, config: dict[str, Any]) -> None:
        """Keep the configuration.

        Raises:
            FileNotFoundError: the folder is no complete download; the message says how to get it.
        """
        super().__init__(config, list(release.YEARS))
        self.folder: str = config["exams"]["folder"]
        release.check_folder(self.folder)
        self.sets = list(release.SETS)

    @functools.cached_property
    def manifest(self) -> dict[str, dict[str, Any]]:
        """The competition's papers, as far as the download holds them."""
        folder = Path(self.folder, release.PAPERS)
        papers = read_manifest(release.MANIFEST, self.years, self.sections, folder=folder)
        return {name: entry for name, entry in papers.items() if Path(entry["file"]).is_file()}

    def not_run(self) -> list[str]:
        """What a reader might take for done in this study, and which was not."""
        return ["training, and asking a model or a teacher: the release's files were counted again"]

    def transcriptions(self) -> list[str]:
        """The transcribed questions, one file a year."""
        return list(release.transcriptions(self.folder).values())

    def split_files(self, part: str) -> list[str]:
        """The released files of one part, one for each set."""
        return [release.splits(self.folder)[name][part] for name in self.sets]

    def answer_files(self) -> list[str]:
        """The files of single answers, as far as the download holds them."""
        return answer_files(self.folder)

    def tables(self) -> dict[str, str]:
        """The released tables and logs by the names that scripts use."""
        return release.tables(self.folder)

    def claims(self) -> dict[str, Any]:
        """What the claims are computed under."""
        plan = AnalysisPlan(
            **self.config["claims"],
            published=self.config["published"],
            levels=list(release.LEVELS),
            sections=self.config["exams"]["sections"],
            claims_sha256=claims_digest(PUBLISHED),
        )
        return {**plan.settings(), "title": self.config["title"]}


class Study(AnyStudy):
    """A study that trains: a checked configuration, seen as lists of files."""

    tables_made = (
        "problems", "splits", "levels", "seeds", "stops", "leakage", "graders", "multiverse",
        "agreement", "disagreements", "traces", "verdicts",
    )  # fmt: skip
    figures_made = (
        "claims", "curves", "words", "sections", "seeds", "checkpoints", "discordance", "stops",
        "graders", "multiverse",
    )  # fmt: skip

    def __init__(self, config: dict[str, Any]) -> None:
        """Keep the configuration; lists of files are made on demand."""
        super().__init__(config, config["exams"]["years"])
        # Each fold's years, or ids of problems, by part.
        self.folds: dict[str, dict[str, list[Any]]] = {
            name: read_fold(parts["file"], self.years) if "file" in parts else parts
            for name, parts in config["folds"].items()
        }
        self.levels: list[str] = config["levels"]
        self.seeds: list[int] = config["adapters"]["seeds"]
        self.checkpoints: list[int] = config["adapters"]["checkpoints"]

    @functools.cached_property
    def variants(self) -> list[str]:
        """What a set of adapters is trained for: `prompt` (all levels), one level, `published`."""
        names = []
        for protocol in self.config["adapters"]["protocols"]:
            names += (
                [level.lower() for level in self.levels] if protocol == "adapter" else [protocol]
            )
        return names

    def system_prompt(self, part: str) -> list[str]:
        """The system turn of the published study, for a variant or run that is trained as it was.

        Args:
            part: a variant, or a run FOLD/VARIANT/seed-SEED.
        """
        return [self.prompt("system.txt")] if "published" in part.split("/") else []

    @functools.cached_property
    def all_seeds(self) -> list[int]:
        """The study's seeds and the pilot's."""
        return [*self.seeds, self.config["adapters"]["pilot_seed"]]

    @functools.cached_property
    def manifest(self) -> dict[str, dict[str, Any]]:
        """The papers of the manifest by name, YEAR-SECTION or YEAR-SECTION-SECTION...

        A sample study has no manifest: each section of each year is a paper with its own key.
        """
        if self.config["exams"]["source"] == "manifest":
            return read_manifest(self.config["exams"]["manifest"], self.years, self.sections)
        return {
            f"{year}-{section}": {
                "year": year,
                "sections": [section],
                "tests": [{"section": section}],
                "key": None,
            }
            for year in self.years
            for section in self.sections
        }

    @property
    def origin(self) -> str | None:
        """The address of the folder that the manifest's files come from; None where it has none."""
        exams = self.config["exams"]
        return read_origin(exams["manifest"]) if exams["source"] == "manifest" else None

    def truth(self) -> list[str]:
        """Template and wording of each question of typeset exams; nothing for other exams."""
        typeset = self.config["exams"]["source"] == "typeset"
        return [f"{self.results}/exams/truth.jsonl"] if typeset else []

    def prompt(self, name: str) -> str:
        """A file of the prompts folder."""
        return f"{self.config['prompts']}/{name}"

    def student(self, name: str) -> str:
        """A file of the student's model folder."""
        return f"{self.config['student']['model']}/{name}"

    def benchmark_files(self) -> list[str]:
        """The benchmarks besides the competition itself, one file each."""
        names = [name for name in self.config["benchmarks"] if name != "competition"]
        return [f"{self.results}/benchmarks/{name}.jsonl" for name in names]

    def traces(self, fold: str) -> list[str]:
        """The verified traces that a fold trains and validates on, one file a year."""
        parts = self.folds[fold]
        years = sorted({year_of(entry) for entry in parts["train"] + parts["validation"]})
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

    def run_pattern(self, *others: str) -> str:
        """What the wildcard `run` may be: each seed of each fold and variant, and some others.

        The same as all of them listed, which Snakemake would try one by one for every file.
        """
        parts = ("|".join(map(str, some)) for some in (self.folds, self.variants, self.seeds))
        return "|".join([*others, "(?:{})/(?:{})/seed-(?:{})".format(*parts)])

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

    def stage(self, name: str) -> list[str]:
        """The files of a named target: problems, traces, primary, folds or levels.

        Raises:
            ValueError: the study file does not ask for the stage; the message says what does.
        """
        tables = f"{self.results}/tables"
        if name == "problems":
            return [*self.problems(), f"{tables}/problems.csv", self.review_page()]
        if name == "traces":
            solutions = [f"{self.results}/traces/{year}/solutions.jsonl" for year in self.years]
            traces = {path for fold in self.folds for path in self.traces(fold)}
            return [*solutions, *sorted(traces), f"{tables}/traces.csv"]
        if name == "folds" and len(self.folds) < LEAST_FOLDS:
            raise ValueError(
                f"folds: the study has {len(self.folds)} ({', '.join(self.folds)}); give the file "
                "that adds folds after its own: --configfile config.paper.yaml "
                "config.paper-folds.yaml"
            )
        if name == "levels" and "adapter" not in self.config["adapters"]["protocols"]:
            raise ValueError(
                "adapters.protocols: lacks adapter, one adapter for each level; give the file that "
                "adds it after the study's own: --configfile config.paper.yaml "
                "config.paper-levels.yaml"
            )
        return self.targets()

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
        """What shapes one agent's answers; how they are got is in `how`."""
        section = self.config["teacher"]
        return teacher_settings.shaping(section, section["agents"][agent])

    def reader(self) -> dict[str, Any]:
        """What shapes the answers of the vision model."""
        agent = {key: value for key, value in (self.vision or {}).items() if key != "prefer"}
        return teacher_settings.shaping(self.config["teacher"], agent)

    def trace_making(self) -> dict[str, Any]:
        """How traces are made from solutions."""
        return teacher_settings.traces(self.config["teacher"])

    @functools.cached_property
    def traced_years(self) -> list[int]:
        """Years that some fold trains or validates on: only of these are there traces."""
        return sorted(
            {
                year_of(entry)
                for parts in self.folds.values()
                for entry in parts["train"] + parts["validation"]
            }
        )

    def level_choice(self) -> dict[str, Any]:
        """What decides which levels of a problem some dataset takes."""
        parts = ("train", "validation")
        return {
            "folds": {
                fold: {part: years[part] for part in parts} for fold, years in self.folds.items()
            },
            "variants": self.variants,
            "levels_per_problem": self.config["datasets"]["levels_per_problem"],
        }

    def grading(self) -> dict[str, Any]:
        """What can change a verdict of the first two graders."""
        return {"limits": self.config["grading"]["limits"]}

    def judge(self) -> dict[str, Any]:
        """What shapes the answers of the judge."""
        return teacher_settings.shaping(self.config["teacher"], self.config["grading"]["judge"])

    def judgements(self) -> list[str]:
        """The judge's verdicts, where the study has a judge."""
        return [f"{self.results}/grades/judge.parquet"] if self.config["grading"]["judge"] else []

    def training(self) -> dict[str, Any]:
        """What shapes an adapter; neither the list of seeds nor the pilot does."""
        other = {"protocols", "seeds", "pilot_seed", "patience"}
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
            "caps": self.config["predictions"].get("caps", []),
            "validation_problems": self.config["predictions"].get("validation_problems"),
        }

    def decoding(self) -> dict[str, Any]:
        """What can change a decoded answer."""
        chosen = ("max_tokens", "batch_size", "decoder")
        found = {key: self.config["predictions"][key] for key in chosen}
        return {**found, "sampling": self.sampling}

    @property
    def sampling(self) -> dict[str, Any] | None:
        """How answers are drawn; None for the likeliest ones."""
        return self.config["predictions"].get("sampling")

    @property
    def served(self) -> bool:
        """Whether a server answers for the student."""
        return self.config["predictions"]["decoder"] == "http"

    def server(self) -> dict[str, Any]:
        """What shapes the answers of a server: `teacher` as of an agent, `adapters`, `sampling`."""
        predictions = self.config["predictions"]
        agent = {"max_tokens": predictions["max_tokens"], "temperature": 0.0, "extra": {}}
        agent |= {key: value for key, value in predictions["server"].items() if key != "adapters"}
        if self.sampling:
            agent |= {key: self.sampling[key] for key in ("temperature", "top_p")}
        return {
            "teacher": teacher_settings.shaping(self.config["teacher"], agent),
            "sampling": self.sampling,
        }

    def page_inputs(self) -> dict[str, list[str]]:
        """What the page shows besides claims and problems."""
        sets = [(fold, variant) for fold in self.folds for variant in self.variants]
        return {
            **super().page_inputs(),
            "benchmarks": self.benchmark_files(),
            "answers": [f"{self.results}/grades/answers.parquet"],
            "predictions": [f"{self.results}/predictions/{run}.parquet" for run in self.runs],
            "grades": [f"{self.results}/grades/{run}.parquet" for run in self.runs],
            "crops": self.crops(),
            "excluded": self.excluded(),
            "solutions": [f"{self.results}/traces/{year}/solutions.jsonl" for year in self.years],
            "traces": sorted({path for fold in self.folds for path in self.traces(fold)}),
            "curves": self.curves(),
            "stops": self.stops(),
            "duplicates": [
                f"{self.results}/datasets/{fold}/{variant}/duplicates.csv" for fold, variant in sets
            ],
        }

    def page_shards(self) -> dict[str, list[str]]:
        """The scripts that hold the page's data: verdicts by fold, texts by year and benchmark."""
        found = super().page_shards()
        others = [name for name in self.config["benchmarks"] if name != "competition"]
        return {
            "verdicts": [*found["verdicts"], *self.folds],
            "texts": [*found["texts"], *others],
        }

    def page(self) -> dict[str, Any]:
        """What the page says of the study itself, and the runs in the order of their files."""
        return {**super().page(), "runs": self.runs}

    def not_run(self) -> list[str]:
        """What a reader might take for done in this study, and which was not, with its setting."""
        config = self.config
        made_up = config["exams"]["source"] == "typeset"
        told = {
            "real papers, a real teacher and a student of the published size": made_up,
            "the study itself: another teacher or student stands in (rehearsal)": bool(
                config.get("rehearsal")
            ),
            "year folds, which hold every year out once (folds)": len(self.folds) == 1,
            "an adapter for each length (adapters.protocols)": (
                "adapter" not in config["adapters"]["protocols"]
            ),
            "training by the published loop (adapters.protocols)": (
                "published" not in config["adapters"]["protocols"]
            ),
            "a benchmark besides the competition (benchmarks)": len(config["benchmarks"]) == 1,
            "a chat model as grader (grading.judge)": not config["grading"]["judge"],
            "second readings by a vision model (problems.vision)": not config["problems"]["vision"],
            "a comparison with published figures (published)": not config["published"],
        }
        return [what for what, missing in told.items() if missing]

    def claims(self) -> dict[str, Any]:
        """What the claims and their tables are computed under."""
        return {**self.plan.settings(), "title": self.config["title"]}

    @functools.cached_property
    def plan(self) -> AnalysisPlan:
        """The settings that decide a verdict, fixed before the run."""
        return AnalysisPlan(
            **self.config["claims"],
            published=self.config["published"],
            levels=self.config["predictions"]["levels"],
            sections=self.config["exams"]["sections"],
            claims_sha256=claims_digest(PUBLISHED),
            primary_stop=self.config["predictions"]["stops"][0],
        )

    @property
    def plan_sha256(self) -> str:
        """The digest of the plan."""
        return self.plan.sha256()


def open_study(config: dict[str, Any]) -> Study | ReleaseStudy:
    """Return the study that a checked configuration describes."""
    kind = ReleaseStudy if config["exams"]["source"] == "release" else Study
    return kind(config)
