"""A third reading of scanned pages by rapidocr, an optional package with its weights inside.

    reader = Reader("rapidocr==3.10.0", path)
    reader.read(document, 0, page, path)  # [((x0, top, x1, bottom), "7. Find x if"), ...]

It reads whole lines of print, knows nothing of fractions and little of exponents, and errs in other
ways than shapes and tesseract do, so that its agreement settles doubts (`distil.exams.agreement`).
The study file names the version (`problems.third_reading`), since the readings depend on it; the
package is not in the lock. docs/extraction.md says how to install it.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import re
from pathlib import Path

import cv2

from distil.exams.errors import ExamError
from distil.exams.scans.pages import render
from distil.exams.text.page import Box, Page

# Dots per inch: its detector is trained on lines some 30 dots high.
DPI = 200
# One thread: pages are read in jobs side by side, and sums must not depend on their number.
SETTINGS = {
    "Global.log_level": "error",
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
}


class Reader:
    """The recogniser, loaded once for a paper."""

    def __init__(self, wanted: str, path: Path) -> None:
        """Load the package that a study names.

        Args:
            wanted: package and version, as `rapidocr==3.10.0`.
            path: the file to be read, for error messages.

        Raises:
            ExamError: the package is not installed in that version.
        """
        name, _, version = wanted.partition("==")
        try:
            found = importlib.metadata.version(name)
            package = importlib.import_module(name)
        except ImportError:
            raise ExamError(
                path,
                f"problems.third_reading asks for {wanted}, which is not installed",
                "install it as docs/extraction.md says (it must not bring its own OpenCV), or "
                "write null",
            ) from None
        if found != version:
            raise ExamError(
                path,
                f"problems.third_reading asks for {wanted}, but version {found} is installed",
                f"install {wanted}, or name {name}=={found} in the study file",
            )
        self.engine = package.RapidOCR(params=SETTINGS)

    def read(self, document, index: int, page: Page, path: Path) -> list[tuple[Box, str]]:
        """Return the lines of print of a page with their boxes, points, in reading order.

        Args:
            document: from `glyphs.open_document`.
            index: 0-based page index.
            page: as it was read; the picture is turned as it was.
            path: the file, for error messages.
        """
        grey, scale = render(document, index, path, DPI, page.turn)
        found = self.engine(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR))
        if found.boxes is None:
            return []
        lines = []
        for corners, text in zip(found.boxes, found.txts, strict=True):
            xs, ys = corners[:, 0] / scale, corners[:, 1] / scale
            box = (float(xs.min()), float(ys.min()), float(xs.max()), float(ys.max()))
            lines.append((box, re.sub(r"\s+", " ", text).strip()))
        return in_order(lines)


def in_order(lines: list[tuple[Box, str]]) -> list[tuple[Box, str]]:
    """Return lines from top to bottom, those of one row from left to right."""
    rows: list[list[tuple[Box, str]]] = []
    for line in sorted(lines, key=lambda line: line[0][1] + line[0][3]):
        (_, top, _, bottom), _ = line
        if rows:
            _, above, _, below = rows[-1][0][0]
            if abs((top + bottom) - (above + below)) < bottom - top:
                rows[-1].append(line)
                continue
        rows.append([line])
    return [line for row in rows for line in sorted(row, key=lambda line: line[0][0])]
