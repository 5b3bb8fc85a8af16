"""Which questions train, validate and test, and which repeat each other.

- `splits`: folds by year and rows of each part.
- `duplicates`: duplicate, near-duplicate and same-template questions.
"""
