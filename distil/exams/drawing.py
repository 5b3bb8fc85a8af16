"""Pictures of places in a PDF."""

from __future__ import annotations

import base64
import contextlib
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distil.exams.errors import ExamError
from distil.exams.text.glyphs import open_document
from distil.exams.workers import run_worker

if TYPE_CHECKING:
    from collections.abc import Sequence

MARGIN = 4.0
MAX_PIXELS = 40_000_000


def crop(pdf: Path | str, page: int, box: Sequence[float], dpi: int = 110) -> bytes:
    """Return the picture of a place in a PDF.

    Args:
        pdf: the file.
        page: 1-based page number.
        box: x0, top, x1, bottom in points from the page's top-left corner.
        dpi: dots per inch.

    Returns:
        PNG bytes.

    Raises:
        ExamError: the file or the page cannot be read, or the box is empty.
    """
    return crop_places(Path(pdf), [(page, box)], dpi)[0]


def crop_safely(
    pdf: Path | str,
    places: Sequence[tuple[int, Sequence[float]]],
    *,
    dpi: int,
    memory: int,
    cpu_seconds: int,
    wall_seconds: int,
) -> list[bytes]:
    """Return the pictures of places in a PDF, drawn in a process that is killed at its limits.

    Args:
        pdf: the file.
        places: page (1-based) and box of each, as for `crop`.
        dpi: dots per inch.
        memory: bytes of address space the process may have.
        cpu_seconds: processor time it may use.
        wall_seconds: time on the clock it may take.

    Returns:
        PNG bytes of each place, in order.

    Raises:
        ExamError: as for `crop`, or a limit was reached, or the process died.
    """
    request = {
        "module": "distil.exams.drawing",
        "function": "serve_crops",
        "paper": str(pdf),
        "places": [[page, list(box)] for page, box in places],
        "dpi": dpi,
        "memory": memory,
        "cpu_seconds": cpu_seconds,
    }
    return [base64.b64decode(picture) for picture in run_worker(Path(pdf), request, wall_seconds)]


def serve_crops(request: dict[str, Any]) -> list[str]:
    """Answer a request of `crop_safely`: pictures as base64 text."""
    pictures = crop_places(Path(request["paper"]), request["places"], request["dpi"])
    return [base64.b64encode(picture).decode("ascii") for picture in pictures]


def crop_places(path: Path, places: Sequence[tuple[int, Sequence[float]]], dpi: int) -> list[bytes]:
    """Return the picture of each place of a PDF, a place being a page and a box, as `crop` does."""
    document = open_document(path)
    with contextlib.closing(document):
        return [_crop(path, document, page, box, dpi) for page, box in places]


def _crop(path: Path, document: Any, page: int, box: Sequence[float], dpi: int) -> bytes:
    if not 1 <= page <= len(document):
        raise ExamError(path, f"it has no page {page}", f"give a page from 1 to {len(document)}")
    sheet = document[page - 1]
    with contextlib.closing(sheet):
        width, height = sheet.get_size()
        x0, top = max(0.0, box[0] - MARGIN), max(0.0, box[1] - MARGIN)
        x1, bottom = min(width, box[2] + MARGIN), min(height, box[3] + MARGIN)
        scale = dpi / 72
        if x1 <= x0 or bottom <= top:
            raise ExamError(
                path, f"the box {list(box)} is empty on page {page}", "give x0, top, x1, bottom"
            )
        if (x1 - x0) * (bottom - top) * scale * scale > MAX_PIXELS:
            raise ExamError(path, f"page {page} is too large to draw at {dpi} dpi", "lower dpi")
        bitmap = sheet.render(scale=scale, crop=(x0, height - bottom, width - x1, top))
        picture = bitmap.to_pil().convert("L")
    stream = io.BytesIO()
    picture.save(stream, "PNG", optimize=True)
    return stream.getvalue()
