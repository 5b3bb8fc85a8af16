"""The record that each job leaves. No fingerprint covers this package.

A better record must not cost days of training; so nothing that shapes an output may be taken from
here, and a script enters with its last line only.

- `record`: run a script for a job and leave its record.
- `history`: sealed append-only files of rows.
"""
