"""Pictures of places in a PDF."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distil.exams.errors import ExamError
from distil.exams.text.glyphs import open_document

if TYPE_CHECKING:
    from collections.abc import Sequence

MARGIN = 4.0
MAX_PIXELS = 40_000_000


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
