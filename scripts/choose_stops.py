"""Choose at which saved checkpoint each seed stops, from validation losses alone.

Input: `curves`, the validation curve of every seed and of the pilot (CSV: iteration, loss, ...),
in .../seed-SEED/curve.csv. Output: `stops`, JSON. Params: `seeds`, `pilot_seed`, `checkpoints`.

Stops:
    pilot: the checkpoint with the pilot run's lowest validation loss, taken for every seed. Post
        hoc, as published: one run, chosen after it was seen.
    nested: the checkpoint with the lowest validation loss averaged over the seeds, inside the
        fold; its test years played no part.
    seed: for each seed the checkpoint with its own lowest validation loss.
    horizon: the last checkpoint; no choice at all.
"""

import csv
import json
from pathlib import Path
from statistics import fmean


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


def choose(
    curves: dict[int, dict[int, float]],
    *,
    seeds: list[int],
    pilot_seed: int,
    checkpoints: list[int],
) -> dict:
    """Choose all stops of one fold and variant.

    Args:
        curves: {seed: validation curve}, the pilot's among them.
        seeds: the study's seeds, without the pilot.
        pilot_seed: the pilot run's seed.
        checkpoints: saved iterations, rising.
    """
    mean = {
        iteration: fmean(curves[seed][iteration] for seed in seeds) for iteration in checkpoints
    }
    pilot = curves[pilot_seed]
    return {
        "pilot": {
            "seed": pilot_seed,
            "iteration": lowest(pilot, checkpoints),
            "lowest_loss_at": min(pilot, key=lambda iteration: (pilot[iteration], iteration)),
        },
        "nested": {"iteration": lowest(mean, checkpoints)},
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
    )
    text = json.dumps(stops, indent=1, sort_keys=True) + "\n"
    Path(output.stops).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
