"""The claims table: what was claimed, what came out here, and whether the two agree.

One named function computes each row (`formula` in resources/published.yaml) as a `Finding`; the
verdict follows from it by one rule and its reason is composed from the figures, never typed:

    reproduced       right sign, Holm-adjusted p below alpha, and equal to the published value
                     within the margin where the estimand is the published one
    not reproduced   the interval excludes the published value plus and minus the margin, or the
                     opposite sign is significant
    inconclusive     else; with the power for the published effect
    not tested       with the reason
    answered         for the questions of the review, which ask for a figure, not for a verdict

The sample study has no published figures: its verdicts are `as expected`, `not as expected` and
`inconclusive`, for the expected direction only.

Columns of the table (percentages and percentage points unless `unit` says otherwise):

    id, claim, estimand, unit, published, published_sd, expected, here, sd, low, high, test, p,
    p_holm, equivalence_p, power, detectable, n, verdict, reason, formula, filter, rows,
    rows_sha256, plan_sha256, source, link

`rows` counts the graded answers behind a row and `rows_sha256` hashes their sorted ids, one a line;
the ids themselves stand in a second table with columns claim, estimand, column, row.
`plan_sha256` hashes the settings fixed before the run (alpha, margin, stop, levels, bootstrap).
"""

from distil.claims.findings import EXPECTED, Entry, Finding
from distil.claims.formulas import (
    FORMULAS,
    base_accuracy,
    competition_name,
    find,
    gain_over_base,
    level_drop,
    level_table,
    section_drop,
    split_overlap,
    stop_worth,
    student_accuracy,
    teacher_accuracy,
    validation_minimum,
)
from distil.claims.table import (
    COLUMNS,
    assemble,
    entries,
    judge_gradings,
    judge_study,
    links,
    plan_sha256,
    read_published,
    readable,
    reasons,
    rows_sha256,
)
from distil.claims.verdicts import Tested, examine, verdict

__all__ = [
    "COLUMNS",
    "EXPECTED",
    "FORMULAS",
    "Entry",
    "Finding",
    "Tested",
    "assemble",
    "base_accuracy",
    "competition_name",
    "entries",
    "examine",
    "find",
    "gain_over_base",
    "judge_gradings",
    "judge_study",
    "level_drop",
    "level_table",
    "links",
    "plan_sha256",
    "read_published",
    "readable",
    "reasons",
    "rows_sha256",
    "section_drop",
    "split_overlap",
    "stop_worth",
    "student_accuracy",
    "teacher_accuracy",
    "validation_minimum",
    "verdict",
]
