"""Grading: is a model's output right or wrong, or can it not be told.

- `grading`: verdicts on one output (`judge`) and on many (`judge_all`).
- `pairs`: pairs of key and output from a file.
- `extraction`: the answer that an output gives.
- `forms`, `vocabulary`, `structure`, `syntax`, `units`: what an answer is, parsed.
- `kinds`: the kinds of answer.
- `equivalence`, `arithmetic`, `digits`, `rationals`, `measures`, `regions`: whether two are equal.
- `instructions`: the form that a question asks for, as strict verdicts hold it.
- `formulas`: math-verify under cost limits, in killable processes (`workers`).
- `second_grader`: an independent grader for the sensitivity row.
"""
