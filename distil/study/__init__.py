"""A study: its file, its shape and what it runs on. Rules and commands enter here, no stage does.

- `config`: the study file, read strictly and checked whole.
- `shape`: years, folds, variants and seeds of a study, and the files these name.
- `needs`: the memory, time, processors and GPU that each rule's jobs ask for.
- `environment`: whether this Python holds what a study runs on.
- `manifest`: the exam PDFs of a study and the tests that each holds.
- `snakemake_patches`: Snakemake made to decide by the records of jobs.
- `terminal`: what a run says, a line a stage.
- `names`: the studies of a repository, and the one that a command is about.
- `making`: files of a study made on demand, by Snakemake.
- `inventory`: what a study needs from outside the repository, and what of it is there.
- `estimate`: money, hours, memory and disk of a study, stage by stage.
- `device`: the speed of a study's model on this machine, measured and kept.
- `fetch`: bringing exam PDFs, benchmark files and the model.
- `new`: a study file and a manifest from a folder of PDFs.
"""
