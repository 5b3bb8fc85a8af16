"""The problems of one paper as JSON lines: what `distil read` prints."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from distil.exams.errors import ExamError
from distil.exams.extraction import extract_safely

if TYPE_CHECKING:
    from pathlib import Path

SHOWN = (
    "id", "number", "statement", "statement_plain", "options", "answer", "answer_raw", "page",
    "box", "method", "flags", "confidence",
)  # fmt: skip


def print_problems(paper: Path, key: Path | None, **settings: Any) -> int:
    """Print the problems of a paper, one JSON object a line.

    Args:
        paper: an exam in PDF.
        key: its answers, if they are in a second PDF.
        settings: of `distil.exams.extraction.extract_safely`: limits, year, sections.

    Returns:
        The exit code: 0, or 1 for a paper that cannot be read; the reason goes to standard error.
    """
    try:
        rows = extract_safely(str(paper), str(key) if key else None, **settings)
    except ExamError as error:
        print(f"read: {error}", file=sys.stderr)
        return 1
    for row in rows:
        print(json.dumps({name: row[name] for name in SHOWN}, ensure_ascii=False))
    return 0
