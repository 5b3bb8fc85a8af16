"""Choose at which saved checkpoint each seed stops, from validation losses alone.

Input: `curves`, the validation curve of every seed and of the pilot (CSV: iteration, loss, ...),
in .../seed-SEED/curve.csv. Output: `stops`, JSON. Params: `seeds`, `pilot_seed`, `checkpoints`,
`patience`.

Stops:
    pilot: the checkpoint with the pilot run's lowest validation loss, taken for every seed. Post
        hoc, as published: one run, chosen after it was seen.
    nested: the checkpoint with the lowest validation loss averaged over the seeds, inside the
        fold; its test years played no part.
    patience: the checkpoint with the lowest mean loss so far when `patience` checkpoints in a row
        were no new minimum; with a patience of 1 the first minimum. A run that stops by itself
        stops there, having seen nothing of what would come later.
    one_se: the earliest checkpoint whose mean loss lies within one standard error, over the seeds,
        of the nested stop's; with one seed the nested stop itself.
    seed: for each seed the checkpoint with its own lowest validation loss.
    horizon: the last checkpoint; no choice at all.
"""

import csv
import json
from pathlib import Path
from statistics import fmean, stdev


def read_curve(path: str | Path) -> dict[int, float]:
    """Read a validation curve: {iteration: loss in nats a response token}."""
    with Path(path).open(encoding="utf-8", newline="") as stream:
        return {int(row["iteration"]): float(row["loss"]) for row in csv.DictReader(stream)}


def lowest(curve: dict[int, float], checkpoints: list[int]) -> int:
    """Return the checkpoint with the lowest loss, the earlier one of equals.

    Raises:
        ValueError: the curve has no loss at a checkpoint.
    """
    missing = [iteration for iteration in checkpoints if iteration not in curve]
    if missing:
        raise ValueError(
            f"no validation loss at {missing}; adapters.checkpoints must be multiples of "
            "adapters.evaluate_every"
        )
    return min(checkpoints, key=lambda iteration: (curve[iteration], iteration))


def lowest_with_patience(curve: dict[int, float], checkpoints: list[int], patience: int) -> int:
    """Return the checkpoint that training would have stopped at, had it watched the curve."""
    best = checkpoints[0]
    for place, iteration in enumerate(checkpoints):
        if curve[iteration] < curve[best]:
            best = iteration
        elif place - checkpoints.index(best) >= patience:
            break
    return best


def earliest_within_one_se(
    curves: list[dict[int, float]], checkpoints: list[int], best: int
) -> int:
    """Return the earliest checkpoint within one standard error of the best one's mean loss.

    Source: the one-standard-error rule of Breiman et al., Classification and Regression Trees
    (1984), with seeds in the place of folds.
    """
    if len(curves) < 2:
        return best
    losses = [curve[best] for curve in curves]
    limit = fmean(losses) + stdev(losses) / len(losses) ** 0.5
    return next(i for i in checkpoints if fmean(curve[i] for curve in curves) <= limit)


def choose(
    curves: dict[int, dict[int, float]],
    *,
    seeds: list[int],
    pilot_seed: int,
    checkpoints: list[int],
    patience: int,
) -> dict:
    """Choose all stops of one fold and variant.

    Args:
        curves: {seed: validation curve}, the pilot's among them.
        seeds: the study's seeds, without the pilot.
        pilot_seed: the pilot run's seed.
        checkpoints: saved iterations, rising.
        patience: checkpoints without a new minimum that end a run.
    """
    for seed in [*seeds, pilot_seed]:
        lowest(curves[seed], checkpoints)  # names a checkpoint that has no loss
    mean = {
        iteration: fmean(curves[seed][iteration] for seed in seeds) for iteration in checkpoints
    }
    pilot = curves[pilot_seed]
    nested = lowest(mean, checkpoints)
    one_se = earliest_within_one_se([curves[seed] for seed in seeds], checkpoints, nested)
    return {
        "pilot": {
            "seed": pilot_seed,
            "iteration": lowest(pilot, checkpoints),
            "lowest_loss_at": min(pilot, key=lambda iteration: (pilot[iteration], iteration)),
        },
        "nested": {"iteration": nested},
        "patience": {"iteration": lowest_with_patience(mean, checkpoints, patience)},
        "one_se": {"iteration": one_se},
        "seed": {str(seed): lowest(curves[seed], checkpoints) for seed in seeds},
        "horizon": {"iteration": checkpoints[-1]},
    }


def main(*, input, output, params) -> None:  # noqa: A002
    curves = {
        int(Path(path).parent.name.removeprefix("seed-")): read_curve(path) for path in input.curves
    }
    stops = choose(
        curves,
        seeds=params.seeds,
        pilot_seed=params.pilot_seed,
        checkpoints=params.checkpoints,
        patience=params.patience,
    )
    text = json.dumps(stops, indent=1, sort_keys=True) + "\n"
    Path(output.stops).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
