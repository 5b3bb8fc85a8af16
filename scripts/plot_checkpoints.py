"""Draw the gain along the checkpoints with a band that holds at all of them at once.

Input: `answers`, `stops`. Output: `svg`, `png`. Params: as of test_claims.
"""

from distil.claims.selections import read_study
from distil.report import plots, summaries


def main(*, input, output, params) -> None:  # noqa: A002 - Snakemake's own name for it
    study = read_study(input.answers, input.stops, vars(params))
    band = summaries.gains_by_checkpoint(study)
    drawing = plots.plot_checkpoints(band, summaries.stop_iterations(study), study.alpha)
    plots.save(drawing, output.svg, output.png)


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
