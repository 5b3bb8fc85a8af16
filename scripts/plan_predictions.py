"""List for each run of the student what it must answer.

Input: `stops`, one JSON per fold and variant (.../adapters/FOLD/VARIANT/stops.json). Output:
`plans`, one JSON per run (.../plans/base.json, .../plans/FOLD/VARIANT/seed-SEED.json), a list of
{iteration, benchmark, level, years}; `years` is null for a benchmark that has none. Params:
`folds`, `variants`, `seeds`, `checkpoints`, `benchmarks`, `stops`, `levels`, `caps`,
`validation_problems`.

A checkpoint that one of `stops` chose answers the test years at every level, all other years and
benchmarks at the first level. Any other checkpoint answers the test years at the first level, for
what the other stops are worth and the gain along the checkpoints. The base answers everything.
Where `validation_problems` is set, any other checkpoint answers so many of the validation years'
questions too (`at_most`). The answers of chosen checkpoints and the base to the test years' first
level are also cut at each of `caps` (level `R1@64`).
"""

import json
from pathlib import Path

from distil.content.addresses import capped_level


def stop_iterations(stops: dict, kinds: list[str], seed: int) -> set[int]:
    """Return the checkpoints that the wanted kinds of stop chose for a seed."""
    return {
        stops["seed"][str(seed)] if kind == "seed" else stops[kind]["iteration"] for kind in kinds
    }


def full_plan(
    iteration: int | None,
    *,
    tested: list[int],
    untested: list[int],
    levels: list[str],
    params,
) -> list[dict]:
    """Plan one checkpoint (None: the base) that everything is asked of."""
    capped = [capped_level(levels[0], cap) for cap in params.caps]
    rows = [
        {"iteration": iteration, "benchmark": "competition", "level": level, "years": tested}
        for level in [*levels, *capped]
    ]
    if untested:
        rows.append(
            {
                "iteration": iteration,
                "benchmark": "competition",
                "level": levels[0],
                "years": untested,
            }
        )
    rows += [
        {"iteration": iteration, "benchmark": name, "level": levels[0], "years": None}
        for name in params.benchmarks
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
    tested, untested = sorted(parts["test"]), sorted(parts["train"] + parts["validation"])
    rows = []
    for iteration in params.checkpoints:
        if iteration in chosen:
            rows += full_plan(
                iteration,
                tested=tested,
                untested=untested,
                levels=levels,
                params=params,
            )
        else:
            item = {"iteration": iteration, "benchmark": "competition", "level": levels[0]}
            rows.append({**item, "years": tested})
            if params.validation_problems:
                at_most = {"at_most": params.validation_problems}
                rows.append({**item, "years": sorted(parts["validation"]), **at_most})
    return rows


def plan_base(params) -> list[dict]:
    """Plan the base: every level on each year that some fold tests on."""
    tested = {year for parts in params.folds.values() for year in parts["test"]}
    years = {year for parts in params.folds.values() for part in parts.values() for year in part}
    return full_plan(
        None,
        tested=sorted(tested),
        untested=sorted(years - tested),
        levels=params.levels,
        params=params,
    )


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
