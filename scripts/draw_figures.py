"""Draw every figure of a study, from one reading of the answers.

Input: `answers`, `stops`, `curves`, as of judge_claims, and `tested`, its table of claims. Output:
one list of files a figure, as SVG and PNG: `claims` (all of them, with the published figures),
`curves` (validation losses with the stops), `words` (accuracy against words), `sections`, `seeds`,
`checkpoints`, `discordance`, `stops`, `graders`, `multiverse`. Params: as of judge_claims.
"""

import pandas as pd

from distil.claims.selections import read_study
from distil.report import multiverse, plots, summaries


def draw(study, claims: pd.DataFrame) -> dict[str, plots.Drawing]:
    """Draw the figures of a study by name."""
    alpha = study.alpha
    band, stops = summaries.gains_by_checkpoint(study), summaries.stop_iterations(study)
    return {
        "claims": plots.plot_claims(claims, alpha),
        "curves": plots.plot_curves(study.curves, study.stops),
        "words": plots.plot_words(*summaries.words_and_line(study), alpha),
        "sections": plots.plot_sections(summaries.sections_gain(study), alpha),
        "seeds": plots.plot_seeds(summaries.tabulate_seeds(study), alpha),
        "checkpoints": plots.plot_checkpoints(band, stops, alpha),
        "discordance": plots.plot_discordance(*summaries.discordance(study)),
        "stops": plots.plot_stops(summaries.tabulate_stops(study), alpha),
        "graders": plots.plot_graders(summaries.gains_by_grading(study), alpha),
        "multiverse": plots.plot_multiverse(
            multiverse.tabulate_multiverse(study), multiverse.AXES, alpha
        ),
    }


def main(*, input, output, params) -> None:  # noqa: A002 - Snakemake's own name for it
    study = read_study(input.answers, input.stops, vars(params), input.curves)
    for name, drawing in draw(study, pd.read_csv(input.tested)).items():
        plots.save(drawing, getattr(output, name))


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
