"""Draw the gain over the base under each way to stop.

Input: `answers`, `stops`. Output: `svg`, `png`. Params: as of test_claims.
"""

from distil.claims.selections import read_study
from distil.report import plots, summaries


def main(*, input, output, params) -> None:  # noqa: A002 - Snakemake's own name for it
    study = read_study(input.answers, input.stops, vars(params))
    drawing = plots.plot_stops(summaries.tabulate_stops(study), study.alpha)
    plots.save(drawing, output.svg, output.png)


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
