"""The page of a study: results/STUDY/index.html, from a claim to the exam page, without a server.

Browsers load neither modules nor JSON from file://, so the data are classic scripts, each one call
with a compressed text (`shards`); the page itself is the bundle made of `web/` (make page-bundle).

- `shards`: data as classic scripts, the same bytes every time.
- `overview`: the claims, tables, curves and splits that are there at once.
- `evidence`: verdicts question by question, and which of them a claim rests on.
- `texts`: problems, pictures, answers and traces of one year or benchmark, loaded on demand.
- `copies`: the page as one zip, with or without the exams' own words.
"""
