"""The one error that reading an exam can raise, and how a fault of this program is told."""

from __future__ import annotations

import traceback
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


def program_fault(path: Path | str, where: str, error: Exception) -> ExamError:
    """Return what to tell of a failure that is this program's and not the file's.

    Args:
        path: the file that was read.
        where: what of it, as "page 3".
        error: what was raised.
    """
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(frame.filename).name}:{frame.lineno}"
    return ExamError(
        path,
        f"{where}: this program failed on it ({type(error).__name__} at {place}: {error})",
        "the file may be sound: please report it; until then leave the paper out, or add its "
        "problems by hand in the corrections file",
    )
