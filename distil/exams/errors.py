"""The one error that reading an exam can raise."""

from __future__ import annotations

from pathlib import Path


class ExamError(ValueError):
    """An exam that cannot be read.

    Attributes:
        path: the file.
        cause: what is wrong with it.
        remedy: what to do about it.
    """

    def __init__(self, path: Path | str, cause: str, remedy: str) -> None:
        super().__init__(f"{path}: {cause}; {remedy}")
        self.path = str(path)
        self.cause = cause
        self.remedy = remedy

    def __reduce__(self) -> tuple:
        return (ExamError, (self.path, self.cause, self.remedy))
