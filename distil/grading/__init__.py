"""Grading: is a model's output right or wrong, or can it not be told.

- `grading`: verdicts on one output (`judge`) and on many (`judge_all`).
- `command`: the command `distil grade`; `rewards`: reward functions for trainers.
- `extraction`: the answer that an output gives.
- `plain`, `syntax`, `vocabulary`, `units`, `forms`: an answer parsed into one of the `kinds`.
- `dispatch`, `equivalence`, `relations`, `regions`: comparison by kind; `arithmetic`: of numbers.
- `instructions`: what a question asks for, and the form that strict verdicts hold it to.
- `workers`: math-verify under cost limits, in killable processes.
- `second_grader`: an independent grader for the sensitivity row.
"""
