"""Files and their identity: leaf modules that import nothing else of `distil`.

- `hashing`: sha256 of bytes, texts and files; canonical JSON.
- `files`: JSON Lines files; files that are replaced whole.
- `downloads`: single files over HTTP.
- `sealed`: append-only files of sealed lines.
- `leases`: locks between processes and between machines, with and without flock.
- `addresses`: ids of rows, paths of files, names of jobs.
- `fingerprint`: the code and packages that a script runs, as one hash.
- `progress`: how far a long job is, told in its log.
- `stages`: which rule stands in which file of rules, and where its jobs log.
- `scripts`: the scripts of the rules, opened as modules.
- `sources`: the rows that each cell of a table was computed from.
"""
