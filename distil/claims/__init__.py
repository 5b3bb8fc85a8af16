"""Claims and their tests: which answers a number is made of, the formula and the verdict.

- `selections`: graded answers by role, estimand, level, stop and section.
- `formulas`: one named function a claim.
- `findings`: what a formula returns.
- `gradings`: other readings of the verdicts.
- `plan`: the settings that decide a verdict, and their hash.
- `verdicts`: what follows from a finding.
- `wording`: numbers and p-values as tables and sentences print them.
- `table`: the claims table.
- `compare`: any two variants of a finished study, compared.
"""
