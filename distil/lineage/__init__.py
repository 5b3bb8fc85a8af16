"""The record that each job leaves. No fingerprint covers this package.

A better record must not cost days of training; so nothing that shapes an output may be taken from
here, and a script enters with its last line only.

- `record`: run a script for a job and leave its record.
- `history`: what happened when, and every content that a record or a table has had.
- `locks`: one process at a time for a job, and none whose Snakemake has died.
- `main_process`: the Snakemake that has a folder for itself, and whether it still lives.
- `guard`: what a job may open, which variables it sees, which programs it started.
- `devices`: one GPU for each job, where a machine has several.
- `executables`: programs found on PATH that a job started, by content.
- `logs`: where a job's output goes and how its error is shown.
"""
