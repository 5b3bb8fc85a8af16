"""Folds: which years train, which choose the stop, which are reported on.

A fold gives every year of the study to exactly one part. Whole years are the unit because the
problems of one exam are written together: a split inside a year would let a problem's sibling on
the other section's paper stand on the other side.

A fold may list ids of problems in the place of years, for a random split that was published. Such
a fold may leave problems out; they are in the part `unused`.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distil.content.hashing import sha256_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PARTS = ("train", "validation", "test")
# The part of problems that a fold of ids does not list: neither trained on nor held out.
UNUSED = "unused"


@dataclass(frozen=True)
class Fold:
    """One way to cut the years of a study into three parts.

    Attributes:
        name: the value of the `fold` wildcard.
        train: years (or ids of problems) whose traces train the student, ascending.
        validation: years (or ids) that choose the stop, ascending.
        test: years (or ids) that are reported on, ascending.
    """

    name: str
    train: tuple[int | str, ...]
    validation: tuple[int | str, ...]
    test: tuple[int | str, ...]

    def part(self, year: int) -> str:
        """Return the part (`train`, `validation` or `test`) a year belongs to.

        Raises:
            ValueError: the fold does not have the year.
        """
        for part in PARTS:
            if year in getattr(self, part):
                return part
        raise ValueError(
            f"folds.{self.name}: year {year} is in no part; "
            "add it to train, validation or test, or take it out of the study's years"
        )

    @property
    def by_id(self) -> bool:
        """Whether the parts list ids of problems, not years."""
        return isinstance(self.train[0], str)

    def part_of(self, problem: Mapping[str, Any]) -> str:
        """Return the part of a problem, a row with `id` and `year`; `unused` if it has none.

        Raises:
            ValueError: the fold lists years, and not the problem's.
        """
        if not self.by_id:
            return self.part(problem["year"])
        return next((part for part in PARTS if problem["id"] in getattr(self, part)), UNUSED)

    def years(self) -> dict[str, list[int | str]]:
        """Return the years (or ids) of each part as lists, as job parameters want them."""
        return {part: list(getattr(self, part)) for part in PARTS}


def year_of(entry: int | str) -> int:
    """Return the year of an entry of a part: a year, or an id, which begins with one."""
    return entry if isinstance(entry, int) else int(entry.partition("-")[0])


def read_fold(path: str | Path, years: Sequence[int]) -> dict[str, list[str]]:
    """Read a fold of ids: a CSV with columns id and part; other years' problems are left out.

    Raises:
        ValueError: columns or parts are others, an id stands twice, or the file is not there.
    """
    if not Path(path).is_file():
        raise ValueError(f"{path}: no such file; restore it, or take the fold out")
    with Path(path).open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        if tuple(reader.fieldnames or ()) != ("id", "part"):
            raise ValueError(f"{path}: columns {reader.fieldnames}, expected id and part")
        found: dict[str, list[str]] = {part: [] for part in PARTS}
        seen = set()
        for row in reader:
            where = f"{path}:{reader.line_num}"
            if row["part"] not in found:
                raise ValueError(f"{where}: part: {row['part']!r} is none of {', '.join(PARTS)}")
            if row["id"] in seen:
                raise ValueError(f"{where}: id: {row['id']} stands twice; keep one")
            if not re.match(r"\d{4}-", row["id"]):
                raise ValueError(f"{where}: id: {row['id']!r} does not begin with its year")
            seen.add(row["id"])
            if year_of(row["id"]) in years:
                found[row["part"]].append(row["id"])
    if empty := [part for part, ids in found.items() if not ids]:
        raise ValueError(f"{path}: part {empty[0]} has no problem of the study's years")
    return found


def named_fold(name: str, parts: Mapping[str, Sequence[Any]], years: Sequence[int]) -> Fold:
    """Build a fold from the years, or the ids, that a config names for each part.

    Args:
        name: the fold's name in the config.
        parts: `train`, `validation` and `test`, each a list of years; or each a list of ids, as
            `read_fold` returns them.
        years: all years of the study.

    Raises:
        ValueError: a part is missing, empty or unknown, a year is not a whole number, is in two
            parts, twice in one, in none, or not in the study. The message names the field and
            the remedy.
    """
    where = f"folds.{name}"
    _check_years("years", years)
    if unknown := sorted(set(parts) - set(PARTS)):
        raise ValueError(
            f"{where}: unknown part {unknown[0]!r}; the parts are train, validation and test"
        )
    if all(isinstance(entry, str) for part in PARTS for entry in parts.get(part) or [None]):
        return Fold(name, *(tuple(sorted(parts[part])) for part in PARTS))
    for part in PARTS:
        if not parts.get(part):
            raise ValueError(f"{where}.{part}: no years; give the part at least one year")
        _check_years(f"{where}.{part}", parts[part])
    homes: dict[int, list[str]] = {}
    for part in PARTS:
        for year in parts[part]:
            homes.setdefault(year, []).append(part)
    for year, found in sorted(homes.items()):
        if len(found) > 1:
            raise ValueError(
                f"{where}: year {year} is in two parts ({' and '.join(found)}); keep it in one"
            )
        if year not in years:
            raise ValueError(
                f"{where}.{found[0]}: year {year} is not among the study's years; "
                "add it to years or take it out of the fold"
            )
    if missing := sorted(set(years) - set(homes)):
        raise ValueError(
            f"{where}: year {missing[0]} is in no part; add it to train, validation or test"
        )
    return Fold(name, *(tuple(sorted(parts[part])) for part in PARTS))


def level_plan(
    problems: Sequence[str], levels: Sequence[str], levels_per_problem: int | str
) -> dict[str, list[str]]:
    """Choose the levels at which each problem enters the training rows.

    In rotation: the i-th problem takes k levels spread evenly over the list, starting at level i,
    so that every level gets the same share of problems. The rotation goes through the problems in
    the order of their ids' hashes: in the order of the ids, papers of 12 questions would give
    question 3 the same levels every year, and length would be confounded with difficulty. The plan
    depends on the problems of its part alone: a change elsewhere cannot move it.

    Args:
        problems: ids of one part's problems, removed ones included.
        levels: level names in order.
        levels_per_problem: how many levels a problem, or `all`.

    Raises:
        ValueError: the number is not between 1 and the number of levels.
    """
    total = len(levels)
    count = total if levels_per_problem == "all" else levels_per_problem
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= total:
        raise ValueError(
            f"levels_per_problem: {levels_per_problem!r} is not 'all' or a whole number from 1 to "
            f"{total}, the number of levels"
        )
    step = total // count
    plan = {}
    for start, problem in enumerate(sorted(problems, key=lambda key: (sha256_text(key), key))):
        taken = {(start + turn * step) % total for turn in range(count)}
        plan[problem] = [level for index, level in enumerate(levels) if index in taken]
    return dict(sorted(plan.items()))


def variant_plan(
    problems: Sequence[str], variant: str, levels: Sequence[str], levels_per_problem: int | str
) -> dict[str, list[str]]:
    """Choose the levels at which each problem enters the training rows of one set of adapters.

    Args:
        problems: ids of one part's problems, removed ones included.
        variant: `prompt`, all levels in one set; `published`, one row a problem at the first level;
            or a level in small letters, that level alone.
        levels: level names in order.
        levels_per_problem: how many levels a problem takes under `prompt`, or `all`.

    Raises:
        ValueError: there is no such variant.
    """
    if variant == "prompt":
        return level_plan(problems, levels, levels_per_problem)
    level = levels[0] if variant == "published" else variant.upper()
    if level not in levels:
        raise ValueError(
            f"variant {variant!r} is not 'prompt', 'published' or one of the levels"
            f" {', '.join(levels)}"
        )
    return {problem: [level] for problem in sorted(problems)}


def needed_levels(
    years: Mapping[str, int], plan: Mapping[str, Any], levels: Sequence[str]
) -> dict[str, list[str]]:
    """Return the levels at which some dataset takes each problem, in the order of the levels.

    Args:
        years: {problem id: its year}, of all years that train or validate.
        plan: folds ({fold: {train: years or ids, validation: years or ids}}), variants,
            levels_per_problem.
        levels: level names in order.
    """
    needed: dict[str, set[str]] = {name: set() for name in years}
    for parts in plan["folds"].values():
        for part in ("train", "validation"):
            listed = set(parts[part])
            ids = [name for name, year in years.items() if year in listed or name in listed]
            for variant in plan["variants"]:
                chosen = variant_plan(ids, variant, levels, plan["levels_per_problem"])
                for name, taken in chosen.items():
                    needed[name].update(taken)
    return {name: [level for level in levels if level in taken] for name, taken in needed.items()}


def _check_years(where: str, years: Any) -> None:
    if not years:
        raise ValueError(f"{where}: no years; list at least one")
    for year in years:
        if isinstance(year, bool) or not isinstance(year, int):
            raise ValueError(  # noqa: TRY004
                f"{where}: {year!r} is not a year; write a plain number such as 2014, unquoted"
            )
    if twice := sorted(year for year, times in Counter(years).items() if times > 1):
        raise ValueError(f"{where}: year {twice[0]} is listed twice; list it once")
