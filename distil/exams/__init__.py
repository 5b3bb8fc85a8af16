"""Problems and keys from exam papers in PDF.

- `extraction`: read a paper, with or without limits.
- `printing`: the problems of one paper as JSON lines.
- `sheets`: pages of a PDF to sheets of lines.
- `problems`: rows of a paper's problems and answers.
- `tests`: the tests of a paper held against those that a manifest lists.
- `markers`: numbers that begin problems, and their chains.
- `segmentation`: where each problem begins and ends.
- `options`: options of multiple choice.
- `words`: lines joined to text.
- `keys`: answer lists and solutions.
- `pairing`: which answer list belongs to which test, and whether an answer fits.
- `answer_sheets`: answer sheets of scanned papers.
- `sheets`: pages of a PDF to sheets of lines.
- `pairing`: answer lists to tests, and answers that cannot be.
- `agreement`: a third reading of scanned problems.
- `drawing`: pictures of places in a PDF.
- `workers`: processes that are killed at their limits.
- `errors`: the error of this package.
- `text`: pages with a text layer.
- `scans`: pages that are pictures.
"""
