"""What a page draws beside its characters: rules, frames, pictures, and root signs drawn as paths.

`read_drawings(raw, page, result, place, spoken)` goes through the objects of a page, those in forms
included, and adds what it finds to a `Page`.
"""

from __future__ import annotations

import ctypes
import itertools

from distil.exams.text.page import Box, Glyph, Page, Rule

# Lines are no thicker, points.
THIN = 2.5
# The corners of frames are rounded by less, points, and leave so much of their edges straight, less
# a line that closes the path, which PDFium does not report.
CORNER = 8.0
FRAMED = 0.5
MAX_SEGMENTS = 20_000
MAX_FORM_DEPTH = 8
MAX_SILENT = 2_000
# KaTeX's root signs: 1.08 high with the space above, the bar .04 thick, its inner edge at .845.
ROOT_BAR = 0.15
ROOT_HOOK = 0.78


def address_of(handle) -> int | None:
    """Return where a handle of PDFium points, by which two are told to be one; None: nowhere."""
    return ctypes.addressof(handle.contents) if handle else None


def read_drawings(raw, page, result: Page, place, spoken: set[int]) -> None:
    """Sort the page's paths and images into rules, frames, drawings and images.

    Text objects that are not among those with characters go to `result.silent`.
    """
    identity = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
    budget = [MAX_SEGMENTS]
    edges = [ctypes.c_float() for _ in range(4)]
    for index in range(raw.FPDFPage_CountObjects(page)):
        item = raw.FPDFPage_GetObject(page, index)
        if raw.FPDFPageObj_GetType(item) == raw.FPDF_PAGEOBJ_TEXT:
            if (
                address_of(item) not in spoken
                and len(result.silent) < MAX_SILENT
                and raw.FPDFPageObj_GetBounds(item, *map(ctypes.byref, edges))
            ):
                left, bottom, right, top = (edge.value for edge in edges)
                if right - left > 0.3 and top - bottom > 1.0:
                    result.silent.append(hull([place(left, bottom), place(right, top)]))
            continue
        read_object(raw, item, identity, result, place, 0, budget)


def compose(inner: tuple, outer: tuple) -> tuple:
    """Return the matrix that applies `inner`, then `outer` (PDF order a, b, c, d, e, f)."""
    a, b, c, d, e, f = inner
    p, q, r, s, t, u = outer
    return (
        a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s,
        e * p + f * r + t, e * q + f * s + u,
    )  # fmt: skip


def read_object(raw, item, outer: tuple, result: Page, place, depth: int, budget: list) -> None:
    """Add one page object to the page; a form's objects one by one."""
    kind = raw.FPDFPageObj_GetType(item)
    if kind not in (raw.FPDF_PAGEOBJ_PATH, raw.FPDF_PAGEOBJ_IMAGE, raw.FPDF_PAGEOBJ_FORM):
        return
    matrix = raw.FS_MATRIX()
    raw.FPDFPageObj_GetMatrix(item, ctypes.byref(matrix))
    local = (matrix.a, matrix.b, matrix.c, matrix.d, matrix.e, matrix.f)
    whole = compose(local, outer)
    if kind == raw.FPDF_PAGEOBJ_FORM:
        if depth < MAX_FORM_DEPTH:
            for index in range(raw.FPDFFormObj_CountObjects(item)):
                child = raw.FPDFFormObj_GetObject(item, index)
                read_object(raw, child, whole, result, place, depth + 1, budget)
        return
    if kind == raw.FPDF_PAGEOBJ_IMAGE:
        corners = [place(*apply(whole, x, y)) for x, y in ((0, 0), (1, 0), (0, 1), (1, 1))]
        x0, top, x1, bottom = hull(corners)
        # Old converters of PostScript draw bars as bitmaps that are one dot high.
        if not add_rule(x0, top, x1, bottom, 0.0, result):
            result.images.append((x0, top, x1, bottom))
        return
    read_path(raw, item, whole, result, place, budget)


def apply(matrix: tuple, x: float, y: float) -> tuple[float, float]:
    """Return a point moved by a PDF matrix."""
    a, b, c, d, e, f = matrix
    return a * x + c * y + e, b * x + d * y + f


def hull(points: list) -> Box:
    """Return the box around points."""
    xs = [x for x, _ in points]
    ys = [y for _, y in points]
    return (min(xs), min(ys), max(xs), max(ys))


def read_path(raw, item, matrix: tuple, result: Page, place, budget: list) -> None:
    """Split a path into its strokes and sort each."""
    fill, stroke = ctypes.c_int(), ctypes.c_int()
    raw.FPDFPath_GetDrawMode(item, ctypes.byref(fill), ctypes.byref(stroke))
    if not fill.value and not stroke.value:
        return
    thickness = ctypes.c_float()
    raw.FPDFPageObj_GetStrokeWidth(item, ctypes.byref(thickness))
    pen = 0.0
    if stroke.value:
        a, b, c, d, _, _ = matrix
        pen = max(thickness.value * abs(a * d - b * c) ** 0.5, 0.05)
    count = raw.FPDFPath_CountSegments(item)
    x, y = ctypes.c_float(), ctypes.c_float()
    paths: list[list] = []
    curved = False
    straight = 0.0  # length of lines along the page's edges
    budget[0] -= count
    if budget[0] < 0:
        return
    for index in range(count):
        segment = raw.FPDFPath_GetPathSegment(item, index)
        raw.FPDFPathSegment_GetPoint(segment, ctypes.byref(x), ctypes.byref(y))
        kind = raw.FPDFPathSegment_GetType(segment)
        curved = curved or kind == raw.FPDF_SEGMENT_BEZIERTO
        point = place(*apply(matrix, x.value, y.value))
        if kind == raw.FPDF_SEGMENT_MOVETO or not paths:
            paths.append([])
        elif kind == raw.FPDF_SEGMENT_LINETO:
            across, down = abs(point[0] - paths[-1][-1][0]), abs(point[1] - paths[-1][-1][1])
            straight += max(across, down) if min(across, down) < 0.3 else 0.0
        paths[-1].append(point)
    if curved:
        everything = [point for path in paths for point in path]
        if is_rounded(everything, straight):
            if stroke.value:
                result.frames.append(hull(everything))
            # What is only filled is a background colour.
        elif everything and not add_root(raw, item, everything, result, place):
            result.drawings.append(hull(everything))
        return
    for path in paths:
        sort_path(path, pen, bool(stroke.value), result)


def is_rounded(points: list, straight: float) -> bool:
    """Return whether a curved path is a frame with rounded corners.

    Args:
        points: of the path.
        straight: how much of it runs along the edges of the page, points.
    """
    x0, top, x1, bottom = hull(points)
    return (
        min(x1 - x0, bottom - top) > 2 * CORNER
        and straight > FRAMED * 2 * (x1 - x0 + bottom - top)
        and all(min(x - x0, x1 - x, y - top, bottom - y) < CORNER for x, y in points)
    )


def add_root(raw, item, points: list, result: Page, place) -> bool:
    """Add a root sign drawn with its bar in one piece and clipped; return whether it is one.

    KaTeX draws signs whose bars are as long as 400 times the font size and clips them. Everything
    to the right of the hook, which is about as wide as it is high, then lies at the top.
    """
    x0, top, x1, bottom = hull(points)
    height = bottom - top
    beyond = [y for x, y in points if x > x0 + 1.2 * height]
    if x1 < result.width or not beyond or max(beyond) > top + ROOT_BAR * height:
        return False
    clip = raw.FPDFPageObj_GetClipPath(item)
    x, y = ctypes.c_float(), ctypes.c_float()
    ends = []
    for index in range(max(raw.FPDFClipPath_CountPaths(clip), 0)):
        for place_in_path in range(max(raw.FPDFClipPath_CountPathSegments(clip, index), 0)):
            segment = raw.FPDFClipPath_GetPathSegment(clip, index, place_in_path)
            raw.FPDFPathSegment_GetPoint(segment, ctypes.byref(x), ctypes.byref(y))
            ends.append(place(x.value, y.value)[0])
    hook = x0 + ROOT_HOOK * height
    # Of several clips around each other the narrowest counts.
    end = min((end for end in ends if end > hook), default=x1)
    if end > result.width:
        return False
    sign = Glyph("√", x0, hook, top, bottom, bottom, height, len(result.glyphs), "", False)
    result.glyphs.append(sign)
    result.rules.append(Rule(hook, end, top, top + ROOT_BAR / 2 * height))
    return True


def add_rule(x0: float, top: float, x1: float, bottom: float, pen: float, result: Page) -> bool:
    """Add a thin box to the page as a rule, or a vertical one; return whether it is thin."""
    thickness = bottom - top + pen
    if thickness <= THIN and x1 - x0 > 1.0 and x1 - x0 > 2 * thickness:
        result.rules.append(Rule(x0, x1, top - pen / 2, bottom + pen / 2))
    elif x1 - x0 + pen <= THIN and bottom - top > 1.0:
        result.verticals.append(Rule(x0 - pen / 2, x1 + pen / 2, top, bottom))
    else:
        return False
    return True


def sort_path(path: list, pen: float, stroked: bool, result: Page) -> None:
    """Add one stroke made of straight lines to the page."""
    if len(path) < 2:
        return
    x0, top, x1, bottom = hull(path)
    if add_rule(x0, top, x1, bottom, pen, result):
        return
    if all(abs(a[0] - b[0]) < 0.3 or abs(a[1] - b[1]) < 0.3 for a, b in itertools.pairwise(path)):
        if stroked and len(path) in (4, 5):
            result.frames.append((x0, top, x1, bottom))
        elif stroked and len(path) > 2:
            for a, b in itertools.pairwise(path):
                sort_path([a, b], pen, True, result)
        # A filled rectangle is a background colour.
    elif stroked or (x1 - x0 > THIN and bottom - top > THIN):
        result.drawings.append((x0, top, x1, bottom))
