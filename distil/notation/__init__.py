"""Written mathematics in one spelling: leaf modules that import only the standard library.

- `answers`: the canonical LaTeX of an answer.
- `normal`: the tokens of a question, however it was typed, for comparing two.
- `plain`: LaTeX-ish text as a person would type it.
- `typesetting`: LaTeX-ish text for typst, and with its mathematics marked.
- `characters`: mathematical characters, their LaTeX commands and their classes.
- `braces`: balanced braces.
"""
