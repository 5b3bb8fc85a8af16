"""A job's log: where its standard output and error go, and how an error is shown."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def name_unwritable(path: Path) -> Iterator[None]:
    """Turn an error of writing into one line that names the file and the remedy."""
    try:
        yield
    except OSError as error:
        raise SystemExit(
            f"{error.filename or path}: cannot be written ({error.strerror}), so this job counts "
            "as not done; make room or mend the permissions, then start Snakemake again: it makes "
            "this job's files anew and touches no other"
        ) from error


@contextlib.contextmanager
def logged(path: str | None) -> Iterator[None]:
    """Send standard output and error, subprocesses' included, to a log; print errors as well."""
    if path is None:
        yield
        return
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    with name_unwritable(Path(path)):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        log = Path(path).open("wb")  # noqa: SIM115 - closed below
    with log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    try:
        yield
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        sys.stderr.flush()
        os.write(saved[1], f"\n{type(error).__name__}: {error}\n(log: {path})\n".encode())
        code = error.code if isinstance(error, SystemExit) else 1
        raise SystemExit(code if isinstance(code, int) else 1) from error
    finally:
        with contextlib.suppress(OSError):  # a full disk: the log is no result
            sys.stdout.flush()
            sys.stderr.flush()
        for number, copy in enumerate(saved, start=1):
            os.dup2(copy, number)
            os.close(copy)
