"""Graded answers of a study, and selections of them by role, estimand, level, stop and section.

The table of graded answers (`answers`) has one row per answer:

    row             id of the grade; base and teacher stand once for every fold
    role            base | teacher | student
    fold            fold of the split
    variant         prompt, or the level in lower case for adapters trained on that level alone
    seed            whole number, null for the base; of the teacher, its sample where it has several
    iteration       checkpoint, null for base and teacher
    level           R1 .. R6; may be null for the teacher
    benchmark       competition | transfer | math500
    part            train | validation | test: the part of the problem's year in that fold, or null
    problem         id of the problem
    cluster         id of its group of duplicates and of problems that read alike but for numbers
    template        of typeset exams: what it was made from; may be absent
    wording         of typeset exams: whether its wording was familiar before; may be absent
    year, section   of the problem; null outside the competition
    verdict         right | wrong | unknown; null or a row that is absent is missing, never wrong
    strict_verdict  the same by the strict rule
    second_verdict  the same by the second grader
    judge_verdict   the same by a chat model, where the study has a judge
    words           words of the answer
    finish          stop | length
    sample          number of the answer to its question, where base and students drew several;
                    null for the teacher, may be absent

An answer that was given empty or cut off is wrong; one that nobody could judge is not right. One
that is missing is no evidence: with the plan's `missing: refuse` nothing is computed from a
selection that lacks one, with `pairs` the questions that lack one are left out, counted, bounded.
Where answers were drawn, the mean over a question's samples counts, so that each question counts
once (avg@k); a question that lacks a sample is missing.

Estimands: `held_out` is the test part of every year fold (of `temporal` where it is the only
fold), so that each question counts once; `in_sample` is every year of the competition under the
random fold where there is one (the published split), else under the main fold; `transfer` is the
other benchmark under the main fold. A random fold has questions of one year in several parts; it
is never held out, since questions of one exam are alike. The main fold is `temporal` where there is
one, else the first by name that is not random.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from distil.claims.plan import CLUSTERS, STRATA, AnalysisPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

COLUMNS = (
    "row", "role", "fold", "variant", "seed", "iteration", "level", "benchmark", "part",
    "problem", "cluster", "year", "section", "verdict", "words",
)  # fmt: skip
OPTIONAL = ("template", "wording", "sample")
ROLES = ("base", "teacher", "student")
ESTIMANDS = ("held_out", "in_sample", "transfer")
STOPS = ("pilot", "seed", "nested", "patience", "one_se", "horizon")
MAIN_FOLD = "temporal"


class MissingAnswersError(ValueError):
    """A number was asked for whose answers the study does not hold."""


class IncompleteAnswersError(ValueError):
    """Some answers of a selection are missing, and the plan does not say to do without."""


@dataclass(frozen=True)
class GradedAnswers:
    """All that a claim may be computed from.

    Attributes:
        answers: The table of graded answers; see the module's docstring.
        stops: {fold: {variant: {"pilot": {"seed", "iteration"}, "nested": {"iteration"}, "seed":
            {seed: iteration}, "horizon": {"iteration"}}}}, as `choose_stops` writes them.
        settings: The analysis plan's settings (`distil.claims.plan`), and further keys.
        curves: Validation losses with columns iteration, loss, seed, fold, variant.
    """

    answers: pd.DataFrame
    stops: Mapping[str, Any]
    settings: Mapping[str, Any]
    curves: pd.DataFrame = field(default_factory=pd.DataFrame)
    # What was looked up already: each claim asks for much that another has asked for.
    found: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @functools.cached_property
    def plan(self) -> AnalysisPlan:
        """The settings that decide a verdict."""
        return AnalysisPlan.read(self.settings)

    @property
    def levels(self) -> list[str]:
        """Levels from the longest to the shortest."""
        return list(self.settings["levels"])

    @property
    def alpha(self) -> float:
        """One minus the confidence level."""
        return float(self.settings["alpha"])

    @property
    def bootstrap(self) -> dict[str, int]:
        """Keyword arguments of the bootstrapping functions."""
        chosen = self.settings["bootstrap"]
        return {"replicates": int(chosen["replicates"]), "seed": int(chosen["seed"])}

    @property
    def folds(self) -> list[str]:
        """Folds with a stop, sorted."""
        return sorted(self.stops)

    @functools.cached_property
    def random_folds(self) -> list[str]:
        """Folds that cut through years, as the published split does, sorted."""
        known = self.answers[self.answers["part"].notna() & self.answers["year"].notna()]
        parts = known.groupby(["fold", "year"])["part"].nunique()
        return sorted(set(parts[parts > 1].index.get_level_values("fold")) & set(self.folds))

    @property
    def main_fold(self) -> str:
        """Fold of the transfer estimand, and in sample where no fold is random."""
        listed = [fold for fold in self.folds if fold not in self.random_folds] or self.folds
        return MAIN_FOLD if MAIN_FOLD in listed else listed[0]

    @property
    def transfer(self) -> str:
        """Name of the benchmark outside the competition: MATH-500 where it was run."""
        return "math500" if (self.answers["benchmark"] == "math500").any() else "transfer"

    def folds_of(self, estimand: str) -> list[str]:
        """Folds whose adapters answer for an estimand."""
        if estimand == "in_sample" and self.random_folds:
            return self.random_folds[:1]
        if estimand != "held_out":
            return [self.main_fold]
        other = {MAIN_FOLD, *self.random_folds}
        return [fold for fold in self.folds if fold not in other] or [self.main_fold]

    def seeds(self, fold: str) -> list[int]:
        """Seeds that have a stop of their own in a fold, sorted."""
        chosen = next(iter(self.stops[fold].values()))
        return sorted(int(seed) for seed in chosen["seed"])

    def iteration(self, fold: str, seed: int, stop: str | int, variant: str = "prompt") -> int:
        """Checkpoint at which a seed is read under a stop.

        Args:
            fold: Name of the fold.
            seed: The seed.
            stop: one of `STOPS`, or the iteration itself.
            variant: prompt, or the level of a per-level adapter.

        Returns:
            The iteration.

        Raises:
            MissingAnswersError: If the fold has no adapters for this variant.
            ValueError: If the stop is unknown.
        """
        if isinstance(stop, int | np.integer):
            return int(stop)
        if variant not in self.stops[fold]:
            raise MissingAnswersError(f"fold {fold}: no adapters for variant {variant}")
        chosen = self.stops[fold][variant]
        if stop == "seed":
            return int(chosen["seed"][str(seed)])
        if stop in STOPS and stop not in chosen:
            raise MissingAnswersError(f"fold {fold}: no stop {stop} was chosen; choose stops again")
        if stop in STOPS:
            return int(chosen[stop]["iteration"])
        raise ValueError(f"stop {stop!r}: use one of {', '.join(STOPS)} or an iteration")


@dataclass(frozen=True)
class Selection:
    """A variant by name: the filter behind one accuracy.

    Attributes:
        role: base, teacher or student.
        estimand: held_out, in_sample or transfer.
        level: R1 .. R6; None for the teacher.
        stop: one of `STOPS` or an iteration; None but for a student.
        section: fs, js or tp; None for all.
        variant: prompt, or adapter for the adapters trained on one level each.
    """

    role: str
    estimand: str
    level: str | None = None
    stop: str | int | None = None
    section: str | None = None
    variant: str = "prompt"

    @property
    def text(self) -> str:
        """The filter as printed beside a number."""
        shown = {
            "role": self.role,
            "estimand": self.estimand,
            "level": self.level,
            "stop": self.stop,
            "section": self.section,
            "variant": self.variant if self.role == "student" else None,
        }
        return " ".join(f"{key}={value}" for key, value in shown.items() if value is not None)

    @classmethod
    def parse(cls, text: str) -> Selection:
        """Read a variant from its text, for example `role=student estimand=held_out level=R1`.

        Args:
            text: Words `key=value`; keys are the attributes above.

        Returns:
            The selection.

        Raises:
            ValueError: If a word is no key=value or names no attribute.
        """
        words: dict[str, Any] = {}
        for word in text.split():
            key, equals, value = word.partition("=")
            if not equals or key not in cls.__dataclass_fields__:
                known = ", ".join(cls.__dataclass_fields__)
                raise ValueError(f"variant {text!r}: {word!r} is not key=value with {known}")
            words[key] = int(value) if key == "stop" and value.isdigit() else value
        return cls(**words)


@dataclass(frozen=True)
class Answers:
    """Right answers as a matrix, with where they came from.

    Attributes:
        right: 0 or 1, or the mean over samples; index problem (sorted), a column per seed (one
            column without seeds).
        asked: The same for all questions asked, blank where an answer is missing.
        clusters: Cluster of each problem, in the same order.
        sections: Section of each problem, in the same order.
        strata: Stratum of each problem, in the same order; None where the plan names none.
        rows: Ids of the grades used.
        used: Problem and seed (0 without seeds) of each of these, in the same order.
        words: Mean words of the answers.
        filter: Text of the selection.
    """

    right: pd.DataFrame
    asked: pd.DataFrame
    clusters: np.ndarray
    sections: np.ndarray
    strata: np.ndarray | None
    rows: list[str]
    used: list[tuple[str, int]]
    words: float
    filter: str

    def only(self, problems: pd.Index) -> Answers:
        """The same of some problems."""
        if problems.equals(self.right.index):
            return self
        kept = self.right.index.isin(problems)
        wanted = set(problems)
        made_of = [
            (row, used) for row, used in zip(self.rows, self.used, strict=True) if used[0] in wanted
        ]
        return replace(
            self,
            right=self.right[kept],
            clusters=self.clusters[kept],
            sections=self.sections[kept],
            strata=None if self.strata is None else self.strata[kept],
            rows=[row for row, _ in made_of],
            used=[used for _, used in made_of],
        )

    def of_seed(self, seed: int) -> list[str]:
        """Ids of the grades of one seed."""
        return [row for row, (_, own) in zip(self.rows, self.used, strict=True) if own == seed]

    def of_problems(self, problems: Iterable[str]) -> list[str]:
        """Ids of the grades of some problems."""
        wanted = set(problems)
        return [row for row, (own, _) in zip(self.rows, self.used, strict=True) if own in wanted]


def read_answers(path: str | Path) -> pd.DataFrame:
    """Read the table of graded answers and check its columns.

    Args:
        path: Parquet file.

    Returns:
        The table, sorted by row id.

    Raises:
        ValueError: If a column is missing, or ids repeat.
    """
    table = pd.read_parquet(path)
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise ValueError(f"{path}: no column {', '.join(missing)}; rerun the rule that wrote it")
    repeated = table.duplicated(["fold", "row"])
    if repeated.any():
        first = table.loc[repeated, "row"].iloc[0]
        raise ValueError(f"{path}: row {first!r} occurs twice in a fold; ids must be unique")
    return table.sort_values(["fold", "row"], kind="stable").reset_index(drop=True)


def place(path: str | Path) -> tuple[str, ...]:
    """Return fold and variant (and seed, for a file of one seed) from a path below adapters/."""
    parts = Path(path).parts
    return parts[parts.index("adapters") + 1 : -1]


def read_stops(paths: Iterable[str | Path]) -> dict[str, dict[str, Any]]:
    """Read the stops of every fold and variant.

    Args:
        paths: Files .../adapters/FOLD/VARIANT/stops.json.

    Returns:
        {fold: {variant: stops}}.
    """
    stops: dict[str, dict[str, Any]] = {}
    for path in map(Path, paths):
        fold, variant = place(path)
        stops.setdefault(fold, {})[variant] = json.loads(path.read_text(encoding="utf-8"))
    return stops


def read_curves(paths: Iterable[str | Path]) -> pd.DataFrame:
    """Read the validation curves of the adapters, the pilot's among them.

    Args:
        paths: Files .../adapters/FOLD/VARIANT/seed-SEED/curve.csv with columns iteration and loss.

    Returns:
        One frame with columns fold, variant, seed, iteration, loss, sorted.

    Raises:
        ValueError: If a column is missing.
    """
    frames = []
    for path in paths:
        frame = pd.read_csv(path)
        missing = [name for name in ("iteration", "loss") if name not in frame.columns]
        if missing:
            raise ValueError(f"{path}: no column {', '.join(missing)}; train the adapter again")
        fold, variant, seed = place(path)
        number = int(seed.removeprefix("seed-"))
        frames.append(frame[["iteration", "loss"]].assign(fold=fold, variant=variant, seed=number))
    names = ["fold", "variant", "seed", "iteration", "loss"]
    if not frames:
        return pd.DataFrame(columns=names)
    return pd.concat(frames, ignore_index=True)[names].sort_values(names, ignore_index=True)


def read_study(
    answers: str | Path,
    stops: Iterable[str | Path],
    settings: Mapping[str, Any],
    curves: Iterable[str | Path] = (),
) -> GradedAnswers:
    """Read what the claims, tables and figures of a study are computed from.

    Args:
        answers: Parquet table of graded answers.
        stops: Every stops.json.
        settings: See `GradedAnswers`.
        curves: Every curve.csv.

    Returns:
        The study's graded answers.
    """
    return GradedAnswers(read_answers(answers), read_stops(stops), settings, read_curves(curves))


def _once(lookup: Callable[..., Any]) -> Callable[..., Any]:
    """Keep what a function of a study and further, hashable arguments has found, in the study."""

    @functools.wraps(lookup)
    def known(study: GradedAnswers, *asked: Any, **chosen: Any) -> Any:
        key = (lookup, *asked, *chosen.items())
        if key not in study.found:
            study.found[key] = lookup(study, *asked, **chosen)
        return study.found[key]

    return known


@_once
def rows_of(
    study: GradedAnswers, estimand: str, role: str | None, *, whole: bool = False
) -> pd.DataFrame:
    """Return the rows of an estimand and a role (None: all), sorted by problem and seed.

    The columns are those that selections need, or all (`whole`).

    Raises:
        ValueError: If the role or the estimand is unknown.
    """
    table = study.answers
    if estimand not in ESTIMANDS:
        raise ValueError(f"estimand {estimand!r}: use one of {', '.join(ESTIMANDS)}")
    if role not in (*ROLES, None):
        raise ValueError(f"role {role!r}: use one of {', '.join(ROLES)}")
    benchmark = study.transfer if estimand == "transfer" else "competition"
    keep = (table["benchmark"] == benchmark) & table["fold"].isin(study.folds_of(estimand))
    if estimand == "held_out":
        keep &= table["part"] == "test"
    if role is not None:
        keep &= table["role"] == role
    known = [name for name in (*COLUMNS, *OPTIONAL) if name in table]
    columns = list(table.columns) if whole else known
    return table.loc[keep, columns].sort_values(["problem", "seed"], kind="stable")


def select(study: GradedAnswers, selection: Selection) -> pd.DataFrame:
    """Return the rows of a selection.

    Args:
        study: The study's graded answers.
        selection: The filter.

    Returns:
        The rows, sorted by problem and seed; empty if there are none.

    Raises:
        ValueError: If the role or the estimand is unknown.
    """
    rows = rows_of(study, selection.estimand, selection.role)
    keep = np.ones(len(rows), dtype=bool)
    if selection.level is not None:
        keep &= (rows["level"] == selection.level).to_numpy()
    if selection.section is not None:
        keep &= (rows["section"] == selection.section).to_numpy()
    if selection.role == "student":
        variant = selection.variant
        if variant == "adapter":
            variant = str(selection.level).lower()
        keep &= (rows["variant"] == variant).to_numpy()
        seeds, iterations = (
            rows[name].to_numpy(dtype=float, na_value=np.nan) for name in ("seed", "iteration")
        )
        chosen = np.zeros(len(rows), dtype=bool)
        for fold in study.folds_of(selection.estimand):
            inside = (rows["fold"] == fold).to_numpy()
            for seed in study.seeds(fold):
                iteration = study.iteration(fold, seed, selection.stop, variant)
                chosen |= inside & (seeds == seed) & (iterations == iteration)
        keep &= chosen
    return rows[keep]


@_once
def questions(study: GradedAnswers, estimand: str, section: str | None) -> pd.DataFrame:
    """Questions of an estimand: every problem that anyone was asked.

    Args:
        study: The study's graded answers.
        estimand: held_out, in_sample or transfer.
        section: fs, js or tp; None for all.

    Returns:
        A frame indexed by problem (sorted) with cluster, stratum (blank where the plan names no
        strata), section and year.

    Raises:
        ValueError: If the answers do not hold what the plan's clusters or strata are.
    """
    columns = {"cluster": CLUSTERS[study.plan.clusters]}
    if study.plan.strata:
        columns["stratum"] = STRATA[study.plan.strata]
    rows = rows_of(study, estimand, None)
    if section is not None:
        rows = rows[rows["section"] == section]
    rows = rows.drop_duplicates("problem")
    asked = rows[["problem", "section", "year"]].assign(cluster=None, stratum=None)
    for name, column in columns.items():
        if column not in rows:
            raise ValueError(
                f"the answers have no column {column}, as the plan's clusters or strata want; only "
                "typeset exams have it: change claims.clusters or claims.strata"
            )
        asked[name] = rows[column]
    asked["cluster"] = asked["cluster"].fillna(asked["problem"])
    return asked.set_index("problem").sort_index()


@_once
def answers(study: GradedAnswers, selection: Selection) -> Answers:
    """Right answers of a selection.

    Args:
        study: The study's graded answers.
        selection: The filter.

    Returns:
        The matrix with its clusters, sections and row ids.

    Raises:
        MissingAnswersError: If the study holds no such answer, or none of a whole seed or year.
        IncompleteAnswersError: If some are missing and the plan's `missing` is `refuse`.
        ValueError: If a question has two answers under this filter.
    """
    rows = select(study, selection)
    asked = questions(study, selection.estimand, selection.section)
    if selection.role == "teacher" and selection.level is None and rows["level"].notna().any():
        # A teacher asked at several lengths is judged by its first, longest answer.
        rows = rows[rows["level"].isna() | (rows["level"] == study.levels[0])]
    if rows.empty or asked.empty:
        raise MissingAnswersError(f"no answers for {selection.text}")
    # A year without a single answer was not asked here; that is no year of wrong answers.
    skipped = sorted(set(asked["year"].dropna()) - set(asked["year"].loc[rows["problem"].unique()]))
    if skipped:
        years = ", ".join(str(int(year)) for year in skipped)
        raise MissingAnswersError(f"{selection.text} was not asked in {years}")
    seeds = sorted(set(rows["seed"].fillna(0).astype(int)))  # of the teacher, its samples
    if selection.role == "student":
        seeds = sorted(
            {s for fold in study.folds_of(selection.estimand) for s in study.seeds(fold)}
        )
        absent = sorted(set(seeds) - set(rows["seed"].astype(int)))
        if absent:
            raise MissingAnswersError(
                f"no answers for {selection.text} of seed {', '.join(map(str, absent))}: "
                "predict this checkpoint, or choose another stop"
            )
    columns = rows["seed"].fillna(0).astype(int).to_numpy()
    places = asked.index.get_indexer(rows["problem"]), np.searchsorted(seeds, columns)
    shape = len(asked), len(seeds)
    right = _mean_right(rows, np.ravel_multi_index(places, shape), shape)
    if right is None:
        raise ValueError(f"a question has two answers for {selection.text}; see fold and variant")
    made_of = sorted(
        zip(rows["row"].astype(str), zip(rows["problem"], columns, strict=True), strict=True)
    )
    whole = pd.DataFrame(right, index=asked.index, columns=pd.Index(seeds, name="seed"))
    found = Answers(
        right=whole,
        asked=whole,
        clusters=asked["cluster"].astype(str).to_numpy(),
        sections=asked["section"].astype(object).to_numpy(),
        strata=asked["stratum"].astype(str).to_numpy() if study.plan.strata else None,
        rows=[row for row, _ in made_of],
        used=[used for _, used in made_of],
        words=float(rows["words"].mean()),
        filter=selection.text,
    )
    blank = whole.isna()
    if not blank.to_numpy().any():
        return found
    lacking = whole.index[blank.any(axis=1)]
    if study.plan.missing == "refuse":
        raise IncompleteAnswersError(
            f"{int(blank.to_numpy().sum())} of {whole.size} answers for {selection.text} are "
            f"missing ({lacking[0]} is the first question that lacks one). Make them, or set "
            "claims.missing: pairs in the study file, which leaves such questions out and says "
            "what they could change"
        )
    kept = whole.index.difference(lacking)
    if kept.empty:
        raise MissingAnswersError(f"every question lacks an answer for {selection.text}")
    return found.only(kept)


def _mean_right(rows: pd.DataFrame, cells: np.ndarray, shape: tuple[int, int]) -> np.ndarray | None:
    """Right answers of each cell, the mean over its samples where answers were drawn.

    Args:
        rows: graded answers.
        cells: the cell of each, as a number.
        shape: of the cells.

    Returns:
        A matrix, NaN where an answer, or one of its samples, is missing; None where an answer
        stands twice.
    """
    samples = np.zeros(len(rows), dtype=int)
    if "sample" in rows:
        samples = rows["sample"].fillna(0).to_numpy(dtype=int)
    if pd.DataFrame({"cell": cells, "sample": samples}).duplicated().any():
        return None
    verdicts = rows["verdict"]
    right = (verdicts == "right").astype(float).where(verdicts.notna()).to_numpy()
    sums, counts = np.zeros(shape[0] * shape[1]), np.zeros(shape[0] * shape[1])
    np.add.at(sums, cells, right)
    np.add.at(counts, cells, 1)
    complete = counts == samples.max(initial=0) + 1
    return np.where(complete, sums / np.maximum(counts, 1), np.nan).reshape(shape)


def student(study: GradedAnswers, estimand: str, **chosen: object) -> Answers:
    """Answers of the student at the longest level and the primary stop, unless said otherwise.

    Args:
        study: The study's graded answers.
        estimand: held_out, in_sample or transfer.
        **chosen: Fields of `Selection` that differ.

    Returns:
        The answers.
    """
    fields = {
        "level": study.levels[0],
        "stop": study.plan.primary_stop,
        "variant": "prompt",
        **chosen,
    }
    return answers(study, Selection("student", estimand, **fields))


def base(study: GradedAnswers, estimand: str, **chosen: object) -> Answers:
    """Answers of the base at the longest level, unless said otherwise.

    Args:
        study: The study's graded answers.
        estimand: held_out, in_sample or transfer.
        **chosen: Fields of `Selection` that differ.

    Returns:
        The answers.
    """
    return answers(study, Selection("base", estimand, **{"level": study.levels[0], **chosen}))


def paired(*found: Answers) -> list[Answers]:
    """The same answers on the questions that all of them answered.

    Args:
        found: Right answers of variants that were asked the same questions.

    Returns:
        The answers, each on the common questions.

    Raises:
        ValueError: If the variants were asked different questions.
        MissingAnswersError: If no question was answered by all.
    """
    common = found[0].right.index
    for other in found[1:]:
        if not other.asked.index.equals(found[0].asked.index):
            raise ValueError(f"{found[0].filter} and {other.filter} ask different questions")
        common = common.intersection(other.right.index)
    if common.empty:
        raise MissingAnswersError(
            f"no question was answered by all of {found[0].filter} and others"
        )
    return [one.only(common) for one in found]


def differences(first: Answers, second: Answers) -> np.ndarray:
    """First minus second, question by question and seed by seed.

    Args:
        first: Right answers of one variant.
        second: Right answers of another; one column is compared with every seed of the first.

    Returns:
        An array of shape (questions, seeds).

    Raises:
        ValueError: If the questions differ, or both have seeds and these differ.
    """
    if not first.right.index.equals(second.right.index):
        raise ValueError(f"{first.filter} and {second.filter} ask different questions")
    one, two = first.right.to_numpy(), second.right.to_numpy()
    if one.shape[1] > 1 and two.shape[1] > 1 and list(first.right) != list(second.right):
        raise ValueError(f"{first.filter} and {second.filter} have different seeds")
    return one - two
