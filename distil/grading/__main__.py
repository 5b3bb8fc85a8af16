"""Grader's command for an installation without the rest: `python -m distil.grading PAIRS.jsonl`."""

import sys

from distil.grading.command import main

if __name__ == "__main__":
    sys.exit(main())
