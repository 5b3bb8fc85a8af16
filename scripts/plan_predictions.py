"""List for each run of the student what it must answer.

Input: `stops`, one JSON per fold and variant (.../adapters/FOLD/VARIANT/stops.json). Output:
`plans`, one JSON per run (.../plans/base.json, .../plans/FOLD/VARIANT/seed-SEED.json), a list of
{iteration, benchmark, level, years}; `years` is null for a benchmark that has none. Of a fold that
lists ids, `only` and `without` name the problems of these years that are, or are not, asked.
Params: `folds`, `variants`, `seeds`, `checkpoints`, `benchmarks`, `stops`, `levels`.

A checkpoint that one of `stops` chose answers the test years at every level, all other years and
benchmarks at the first level. Any other checkpoint answers the test years at the first level, for
what the other stops are worth and the gain along the checkpoints. The base answers everything.
"""

import json
from pathlib import Path

from distil.datasets.splits import year_of


def stop_iterations(stops: dict, kinds: list[str], seed: int) -> set[int]:
    """Return the checkpoints that the wanted kinds of stop chose for a seed."""
    return {
        stops["seed"][str(seed)] if kind == "seed" else stops[kind]["iteration"] for kind in kinds
    }


def ask(iteration: int | None, level: str, years: list[int]) -> dict:
    """Plan the competition's problems of some years at one level."""
    return {"iteration": iteration, "benchmark": "competition", "level": level, "years": years}


def full_plan(
    iteration: int | None,
    *,
    tested: list[int],
    untested: list[int],
    levels: list[str],
    benchmarks: list[str],
    only: list[str] | None = None,
) -> list[dict]:
    """Plan one checkpoint (None: the base) that everything is asked of.

    Args:
        iteration: the checkpoint.
        tested: years that are asked at every level.
        untested: years that are asked at the first level.
        levels: the levels, the first one first.
        benchmarks: names of the benchmarks.
        only: the problems of `tested` that are asked at every level, where it is not all of them;
            the others are then asked at the first level.
    """
    rows = [ask(iteration, level, tested) for level in levels]
    if untested:
        rows.append(ask(iteration, levels[0], untested))
    if only is not None:
        for row in rows:
            row["only"] = only
        rows[-1]["without"] = rows[-1].pop("only")
    rows += [
        {"iteration": iteration, "benchmark": name, "level": levels[0], "years": None}
        for name in benchmarks
        if name != "competition"
    ]
    return rows


def plan_seed(stops: dict, seed: int, parts: dict[str, list[int]], variant: str, params) -> list:
    """Plan one seed of one fold and variant; an adapter of one level at that level only."""
    levels = params.levels
    if variant == "published":
        levels = levels[:1]
    elif variant != "prompt":
        levels = [level for level in levels if level.lower() == variant]
    chosen = stop_iterations(stops, params.stops, seed)
    by_id = isinstance(parts["test"][0], str)
    years = list_years(params.folds) if by_id else parts["test"]
    tested, untested = (
        sorted(years),
        sorted(years if by_id else parts["train"] + parts["validation"]),
    )
    rows = []
    for iteration in params.checkpoints:
        if iteration in chosen:
            rows += full_plan(
                iteration,
                tested=tested,
                untested=untested,
                levels=levels,
                benchmarks=params.benchmarks,
                only=sorted(parts["test"]) if by_id else None,
            )
        else:
            rows.append(ask(iteration, levels[0], tested))
            if by_id:
                rows[-1]["only"] = sorted(parts["test"])
    return rows


def list_years(folds: dict[str, dict[str, list]]) -> list[int]:
    """Return all years of some folds."""
    return sorted(
        {year_of(entry) for parts in folds.values() for part in parts.values() for entry in part}
    )


def plan_base(params) -> list[dict]:
    """Plan the base: every level on each year, and each problem, that some fold tests on."""
    entries = {entry for parts in params.folds.values() for entry in parts["test"]}
    tested = {entry for entry in entries if isinstance(entry, int)}
    years = list_years(params.folds)
    rows = full_plan(
        None,
        tested=sorted(tested),
        untested=sorted(set(years) - tested),
        levels=params.levels,
        benchmarks=params.benchmarks,
    )
    if only := sorted(
        entry for entry in entries if isinstance(entry, str) and year_of(entry) not in tested
    ):
        rows += [{**ask(None, level, years), "only": only} for level in params.levels[1:]]
    return rows


def main(*, input, output, params) -> None:  # noqa: A002
    stops = {
        tuple(Path(path).parts[-3:-1]): json.loads(Path(path).read_text(encoding="utf-8"))
        for path in input.stops
    }
    plans = {"base": plan_base(params)}
    for (fold, variant), chosen in stops.items():
        for seed in params.seeds:
            plans[f"{fold}/{variant}/seed-{seed}"] = plan_seed(
                chosen, seed, params.folds[fold], variant, params
            )
    for path in output.plans:
        run_name = path.split("/plans/", 1)[1].removesuffix(".json")
        text = json.dumps(plans[run_name], indent=1, sort_keys=True) + "\n"
        Path(path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
