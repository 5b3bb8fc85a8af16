"""Reading what jobs left: where a number came from, whether it still holds, what moved it.

- `explain`, `edges`, `rows`, `cells`, `chains`, `chain_text`: from a cell to the exam page.
- `verify`, `faults`, `files`, `records`, `recompute`: whether files, records and numbers agree.
- `planned`, `changes`, `status`: the jobs that a study file asks for, held against their records.
- `plans`: whether the plan of the analysis was fixed before the answers were made.
- `differences`: which cells moved between two runs, and why.
- `account`: what the page is told of a run.
- `commands`: what each command on a finished study prints.
- `crates`, `croissant`, `packs`, `graphs`: exports.
"""
