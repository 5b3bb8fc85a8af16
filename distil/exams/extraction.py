"""Read a paper, in this process or in one that is killed at its limits.

    from distil.exams.extraction import extract_safely

    rows = extract_safely("paper.pdf", "key.pdf", year=2014, sections=("fs", "js"))

The modules that do the work are loaded on the first call, since importing this one is part of
every command that may read a paper.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distil.exams.workers import run_worker


def extract(
    paper: Path | str,
    key: Path | str | None = None,
    *,
    year: int | None = None,
    sections: Sequence[str] = (),
    tests: Sequence[Mapping[str, Any]] | str | None = None,
    sha256: str | None = None,
    key_sha256: str | None = None,
    third_reading: str | None = None,
) -> list[dict]:
    """Read the problems of a paper.

    Args:
        paper: a PDF with one test or several; its key may stand at its end.
        key: a PDF with the answers or written-out solutions, if they are in a second file.
        year: of the exam; goes into the ids.
        sections: short names (fs, js, tp) of the tests in the paper's order; goes into the ids.
        tests: the tests as a manifest lists them (distil/exams/tests.py), in place of `sections`;
            with neither, the tests are called s1, s2 and so on.
        sha256: what the paper's sha256 must be; None: not checked.
        key_sha256: what the key's sha256 must be; None: not checked.
        third_reading: package and version of a third reader of scanned pages, which settles
            doubts, as `rapidocr==3.10.0`; None: no such reading.

    Returns:
        One dict a problem, in the paper's order: id, year, section, number, statement (LaTeX-ish,
        no `$` delimiters), statement_plain, options, answer_raw, answer (canonical), page, box
        (points from the page's top-left corner), pdf_sha256, key_page, key_box, key_sha256, method,
        flags, confidence.

    Raises:
        ExamError: a file is missing, broken, encrypted, not the expected one, holds no problem, or
            holds other tests than those named.
    """
    from distil.exams.problems import read_problems

    return read_problems(
        Path(paper),
        Path(key) if key is not None else None,
        year=year,
        tests=tests if tests is not None else [{"section": name} for name in sections] or None,
        sha256=sha256,
        key_sha256=key_sha256,
        third_reading=third_reading,
    )


def survey(paper: Path | str) -> list[dict[str, Any]]:
    """Return the tests that a paper seems to hold, as a manifest lists them, for a person to check.

    Returns:
        One dict a test, in order: section (None), title, pages (first and last on which a problem
        begins), problems.

    Raises:
        ExamError: as for `extract`.
    """
    from distil.exams.problems import read_tests
    from distil.exams.tests import propose_tests

    seen = read_tests(Path(paper), None, year=None, sha256=None, key_sha256=None)
    return propose_tests(seen)


def survey_safely(
    paper: Path | str,
    *,
    memory: int = 2 * 1024**3,
    cpu_seconds: int = 600,
    wall_seconds: int = 900,
) -> list[dict[str, Any]]:
    """Do as `survey` in a process of its own, which is killed at its limits.

    Raises:
        ExamError: as for `extract_safely`.
    """
    request = {
        "module": "distil.exams.extraction",
        "function": "serve_survey",
        "paper": str(paper),
        "memory": memory,
        "cpu_seconds": cpu_seconds,
    }
    return run_worker(Path(paper), request, wall_seconds)


def extract_safely(
    paper: Path | str,
    key: Path | str | None = None,
    *,
    memory: int = 2 * 1024**3,
    cpu_seconds: int = 30,
    wall_seconds: int = 120,
    **options: object,
) -> list[dict]:
    """Read the problems of a paper in a process of its own, which is killed at its limits.

    Args:
        paper: as for `extract`.
        key: as for `extract`.
        memory: bytes of address space the process may have.
        cpu_seconds: processor time it may use.
        wall_seconds: time on the clock it may take.
        options: further arguments of `extract`.

    Returns:
        The rows of `extract`.

    Raises:
        ExamError: as for `extract`, or a limit was reached, or the process died.
    """
    request = {
        "module": "distil.exams.extraction",
        "function": "serve_extraction",
        "paper": str(paper),
        "key": str(key) if key is not None else None,
        "memory": memory,
        "cpu_seconds": cpu_seconds,
        "options": {name: list(v) if isinstance(v, tuple) else v for name, v in options.items()},
    }
    return run_worker(Path(paper), request, wall_seconds)


def serve_survey(request: dict[str, Any]) -> list[dict]:
    """Answer a request of `survey_safely`."""
    return survey(request["paper"])


def serve_extraction(request: dict[str, Any]) -> list[dict]:
    """Answer a request of `extract_safely`."""
    return extract(request["paper"], request["key"], **request["options"])
