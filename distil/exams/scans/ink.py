"""Ink that the characters of a page do not account for, and characters that the ink belies.

A page printed from the web may show its formulas as pictures or outlines: its text layer then
reads as a sentence with holes. `unread_ink(...)` draws the page, erases what characters, rules and
figures account for and returns the glyph-sized pieces that are left. A font may also name its
characters wrongly; `is_belied(...)` compares what the file says with the shapes that are drawn.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from distil.exams.scans.pages import render
from distil.exams.scans.shapes import CLASS_OF, CLASSES, classify
from distil.exams.text.page import Box, Page

# Dots per inch at which a page is drawn to look for ink: a point of print is 1.5 dots.
DPI = 110
# Dots per inch at which shapes are compared: small letters are some 10 dots high.
SHAPE_DPI = 200
# Darker than this is ink; paper that is shaded is lighter.
DARK = 150
# Ink within so many points of what accounts for it is its edge.
EDGE_PT = 1.2
# Pieces between these sides, in units of the font size, are glyphs; dots, rests of brackets that
# have grown (.33) and drawings are not.
LEAST = 0.35
MOST = 3.5
# Characters that are compared with their shapes, and the share that must agree. Fonts whose names
# are right agree in .8 to .95 of letters and digits, names shifted by one in less than .1.
SAMPLE = 80
AGREE = 0.4


def unread_ink(
    document, index: int, page: Page, figures: list[Box], body: float, path: Path
) -> list[Box]:
    """Return the glyph-sized pieces of ink that nothing on a page accounts for.

    Args:
        document: from `glyphs.open_document`.
        index: 0-based page index.
        page: what the file says about the page.
        figures: boxes of drawings and pictures, which are no text.
        body: usual font size, points.
        path: the file, for error messages.

    Returns:
        Boxes in points from the top-left corner of the page as it is read.
    """
    grey, scale = render(document, index, path, DPI, page.turn)
    ink = (grey < DARK).astype(np.uint8)
    # What has no character (`silent`) accounts for nothing; brackets have grown over theirs.
    letters = [(glyph.x0, glyph.top, glyph.x1, glyph.bottom) for glyph in page.glyphs]
    straight = [(rule.x0, rule.top, rule.x1, rule.bottom) for rule in page.rules]
    straight += [(rule.x0, rule.top, rule.x1, rule.bottom) for rule in page.verticals]
    for box in (*letters, *straight, *figures):
        erase(ink, box, scale)
    for x0, top, x1, bottom in page.frames:
        for side in (
            (x0, top, x1, top), (x0, bottom, x1, bottom), (x0, top, x0, bottom),
            (x1, top, x1, bottom),
        ):  # fmt: skip
            erase(ink, side, scale)
    _, _, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    least, most = LEAST * body * scale, MOST * body * scale
    return [
        (x / scale, y / scale, (x + width) / scale, (y + height) / scale)
        for x, y, width, height, _ in stats[1:].tolist()
        if max(width, height) >= least and max(width, height) <= most
    ]


def erase(ink: np.ndarray, box: Box, scale: float) -> None:
    """Take away the ink in a box and at its edge."""
    x0, top, x1, bottom = box
    left, right = int((x0 - EDGE_PT) * scale), int(np.ceil((x1 + EDGE_PT) * scale))
    high, low = int((top - EDGE_PT) * scale), int(np.ceil((bottom + EDGE_PT) * scale))
    ink[max(0, high) : max(0, low), max(0, left) : max(0, right)] = 0


def is_belied(document, index: int, page: Page, path: Path) -> bool:
    """Return whether a page's characters are drawn as other characters than the file says.

    Args:
        document: from `glyphs.open_document`.
        index: 0-based page index.
        page: what the file says about the page.
        path: the file, for error messages.
    """
    grey, scale = render(document, index, path, SHAPE_DPI, page.turn)
    ink = np.where(grey < DARK, 255, 0).astype(np.uint8)
    known = [glyph for glyph in page.glyphs if glyph.text in CLASS_OF and glyph.text.isalnum()]
    step = max(1, len(known) // SAMPLE)
    shapes, said = [], []
    for glyph in known[::step]:
        left, right = int(glyph.x0 * scale), int(np.ceil(glyph.x1 * scale))
        high, low = int(glyph.top * scale), int(np.ceil(glyph.bottom * scale))
        shape = cropped(ink[max(0, high) : max(0, low), max(0, left) : max(0, right)])
        if shape is not None:
            shapes.append(shape)
            said.append(CLASS_OF[glyph.text])
    if len(said) < 20:
        return False
    seen = [CLASSES[place] for place in classify(shapes).argmax(axis=1)]
    agreed = sum(one == other for one, other in zip(seen, said, strict=True))
    return agreed < AGREE * len(said)


def cropped(ink: np.ndarray) -> np.ndarray | None:
    """Return a picture cut to its ink; None: there is hardly any."""
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if len(rows) < 4 or len(columns) < 2:
        return None
    return np.ascontiguousarray(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
