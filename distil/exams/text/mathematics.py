r"""Two-dimensional mathematics to lines of LaTeX, by geometry alone.

    lines, spare = read_lines(Region(items_of(page.glyphs), page.rules), body=10.0)
    render(lines[0].items)  # "\frac{1}{2} + x^{2}"

The passes, in their order, each a module over one `Region` of items:

1. `joins`: glyphs printed as several, before a page is divided into regions;
2. `limits`: big operators and words such as lim with their limits;
3. `bars`: rules from the shortest to the longest: radicals, fractions, overlines, boxes;
4. `matrices`: tall delimiters with rows between them (binomials, matrices, cases);
5. `lines`: baselines, then scripts;
6. `rendering`: the text of a line.

Lengths are compared in units of the font size (`tolerances`), so the page's scale does not matter.
TeX, typst, Word and LibreOffice all set bars and big symbols on the mathematical axis, a quarter of
the size above the baseline, which is how such pieces find their line.
"""

from __future__ import annotations

from distil.exams.text.bars import build_bars
from distil.exams.text.items import Line, Region
from distil.exams.text.limits import build_limits
from distil.exams.text.matrices import assemble
from distil.exams.text.page import Rule


def read_lines(region: Region, body: float) -> tuple[list[Line], list[Rule]]:
    """Return a region's lines, and the rules that are not mathematics.

    Args:
        region: the glyphs of a page or of a column of it, joined; its items are used up.
        body: usual font size there, points.

    Returns:
        Lines from top to bottom, and the spare rules.
    """
    build_limits(region)
    spare = build_bars(region)
    return assemble(region.items, body), spare
