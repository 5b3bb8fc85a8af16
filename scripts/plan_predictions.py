"""List for each run of the student what it must answer.

Input: `stops`, one JSON per fold and variant (.../adapters/FOLD/VARIANT/stops.json). Output:
`plans`, one JSON per run (.../plans/base.json, .../plans/FOLD/VARIANT/seed-SEED.json), a list of
{iteration, benchmark, level, years}; `years` is null for a benchmark that has none. Of a fold that
lists ids, `only` and `without` name the problems of these years that are, or are not, asked.
Params: `folds`, `variants`, `seeds`, `checkpoints`, `benchmarks`, `stops`, `levels`, `caps`,
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
from distil.datasets.splits import year_of


def stop_iterations(stops: dict, kinds: list[str], seed: int) -> set[int]:
    """Return the checkpoints that the wanted kinds of stop chose for a seed."""
    return {
        stops["seed"][str(seed)] if kind == "seed" else stops[kind]["iteration"] for kind in kinds
    }


def ask(iteration: int | None, level: str, entries: list[int | str], **more) -> dict:
    """Plan the competition's problems of some years, or of some ids, at one level."""
    item = {"iteration": iteration, "benchmark": "competition", "level": level}
    if entries and isinstance(entries[0], str):
        item["only"] = sorted(entries)
    return {**item, "years": sorted(set(map(year_of, entries))), **more}


def full_plan(
    iteration: int | None,
    *,
    tested: list[int | str],
    untested: list[int],
    levels: list[str],
    params,
    **more,
) -> list[dict]:
    """Plan one checkpoint (None: the base) that everything is asked of.

    Args:
        iteration: the checkpoint.
        tested: years, or ids of problems, that are asked at every level and cap.
        untested: years that are asked at the first level.
        levels: the levels, the first one first.
        params: the rule's.
        more: `without`, ids that are not among `untested`.
    """
    capped = [capped_level(levels[0], cap) for cap in params.caps]
    rows = [ask(iteration, level, tested) for level in [*levels, *capped]]
    if untested:
        rows.append(ask(iteration, levels[0], untested, **more))
    rows += [
        {"iteration": iteration, "benchmark": name, "level": levels[0], "years": None}
        for name in params.benchmarks
        if name != "competition"
    ]
    return rows


def plan_seed(stops: dict, seed: int, parts: dict[str, list], variant: str, params) -> list:
    """Plan one seed of one fold and variant; an adapter of one level at that level only."""
    levels = params.levels
    if variant == "published":
        levels = levels[:1]
    elif variant != "prompt":
        levels = [level for level in levels if level.lower() == variant]
    chosen = stop_iterations(stops, params.stops, seed)
    tested, untested, more = parts["test"], parts["train"] + parts["validation"], {}
    if isinstance(tested[0], str):  # a fold of ids: its years hold problems that are in no part
        untested, more = list_years(params.folds), {"without": sorted(tested)}
    rows = []
    for iteration in params.checkpoints:
        if iteration in chosen:
            rows += full_plan(
                iteration, tested=tested, untested=untested, levels=levels, params=params, **more
            )
        else:
            rows.append(ask(iteration, levels[0], tested))
            if params.validation_problems:
                at_most = {"at_most": params.validation_problems}
                rows.append(ask(iteration, levels[0], parts["validation"], **at_most))
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
    others = [name for name in entries if isinstance(name, str) and year_of(name) not in tested]
    rows = full_plan(
        None,
        tested=sorted(tested),
        untested=sorted(set(list_years(params.folds)) - tested),
        levels=params.levels,
        params=params,
    )
    if others:
        capped = [capped_level(params.levels[0], cap) for cap in params.caps]
        rows += [ask(None, level, others) for level in [*params.levels[1:], *capped]]
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
