"""Estimators and tests for paired right-or-wrong answers, all own figures as proportions.

Every question is answered by several seeds and levels, so answers are never independent; clusters
are groups of duplicate or same-template questions. Each function names its estimand and source;
docs/statistics.md lists assumptions and the oracle each one is tested against.
"""

from distil.statistics.estimates import Estimate
from distil.statistics.gains import (
    accuracy,
    bootstrap_gain,
    equivalence,
    equivalence_of,
    mcnemar_exact,
    paired_gain,
    seeds_t,
    simultaneous_band,
    wilson,
)
from distil.statistics.levels import (
    any_difference,
    difference_of_means,
    holm,
    odds_ratios,
    section_contrast,
    section_interaction,
    trend,
    words_curve,
)
from distil.statistics.power import (
    detectable_gain,
    equivalence_items,
    equivalence_power,
    gain_power,
    mcnemar_detectable,
    mcnemar_items,
    mcnemar_power,
)
from distil.statistics.tails import upper_tail
from distil.statistics.variance import decompose

__all__ = [
    "Estimate",
    "accuracy",
    "any_difference",
    "bootstrap_gain",
    "decompose",
    "detectable_gain",
    "difference_of_means",
    "equivalence",
    "equivalence_items",
    "equivalence_of",
    "equivalence_power",
    "gain_power",
    "holm",
    "mcnemar_detectable",
    "mcnemar_exact",
    "mcnemar_items",
    "mcnemar_power",
    "odds_ratios",
    "paired_gain",
    "section_contrast",
    "section_interaction",
    "seeds_t",
    "simultaneous_band",
    "trend",
    "upper_tail",
    "wilson",
    "words_curve",
]
