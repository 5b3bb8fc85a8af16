"""The notation of answers, which lives outside this package so that extraction needs no grader."""

from distil.notation import canonical_answer, latex_from_unicode

__all__ = ["canonical_answer", "latex_from_unicode"]
