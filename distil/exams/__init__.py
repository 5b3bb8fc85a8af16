"""Problems and keys from exam papers in PDF.

- `extraction`: read a paper, draw a place, with or without limits.
- `problems`: rows of a paper's problems and answers.
- `tests`: the tests of a paper held against those that a manifest lists.
- `segmentation`: where each problem begins and ends.
- `keys`: answer lists, solutions and answer sheets.
- `drawing`: pictures of places in a PDF.
- `workers`: processes that are killed at their limits.
- `errors`: the error of this package.
- `text`: pages with a text layer.
- `scans`: pages that are pictures.
"""
