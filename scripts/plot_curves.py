"""Draw the validation loss of every seed and of the pilot, with the stops.

Input: `stops`, `curves` (as of test_claims). Output: `svg`, `png`. Params: none.
"""

from distil.claims.selections import read_curves, read_stops
from distil.report import plots


def main(*, input, output) -> None:  # noqa: A002 - Snakemake's own name for it
    drawing = plots.plot_curves(read_curves(input.curves), read_stops(input.stops))
    plots.save(drawing, output.svg, output.png)


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
