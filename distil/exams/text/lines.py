"""Line assembly: items sorted into lines on baselines, with scripts attached.

`sort_into_lines(items)` takes runs of glyphs from the biggest to the smallest: a run starts a line,
joins one, or becomes a script of an item on one. Pieces on the axis (fractions, tall delimiters,
big operators) go to the line whose axis they share. Lengths are compared in units of font sizes.
"""

from __future__ import annotations

from bisect import bisect

from distil.exams.text.items import (
    HeightIndex,
    Item,
    Line,
    by_place,
    by_size,
    right_end,
    style_size,
)
from distil.exams.text.tolerances import AXIS, LINES, SAME_BASE, SCRIPT_RATIO


def sort_into_lines(items: list[Item], body: float | None = None) -> list[Line]:
    """Sort items into lines and scripts.

    Args:
        items: everything in a region (a column, a numerator ...), matrices packed.
        body: usual font size there; None: the biggest one.

    Returns:
        The lines from top to bottom.
    """
    flat = [item for item in items if item.axis is None]
    raised = [item for item in items if item.axis is not None]
    page = body is not None
    if body is None:
        whole = [item.size for item in items if item.kind != "fraction"]
        body = max(whole or [style_size(item) for item in items])
    sized = [(max(map(by_size, run)), run) for run in split_runs(flat, items)]
    sized.sort(key=lambda pair: (-round(pair[0], 1), pair[1][0].base, pair[1][0].x0))
    big = [run for size, run in sized if size >= SCRIPT_RATIO * body]
    small = [run for size, run in sized if size < SCRIPT_RATIO * body]
    if not page:
        big.sort(key=lambda run: min(item.order for item in run))
    builder = LineBuilder(body)
    for run in big:
        # Some programs that print web pages set raised text at eight ninths of the size.
        scripts = not page or max(map(by_size, run)) < LINES.script_most * body
        if not (scripts and builder.lines and builder.attach_script(run)):
            builder.add_to_line(run)
    waiting = builder.place_all(sorted(raised, key=lambda item: item.order))
    for item in list(waiting):
        # A formula on a line of its own may hold nothing but such pieces.
        if style_size(item) >= SCRIPT_RATIO * body and item in waiting:
            builder.start_line(item, body)
            waiting = builder.place_all([other for other in waiting if other is not item])
    for run in small:
        if not builder.attach_script(run):
            builder.add_to_line(run)
    builder.place_rest(waiting)
    for line in builder.lines:
        line.items.sort(key=by_place)
    return sorted(builder.lines, key=lambda line: (line.base, line.x0))


class LineBuilder:
    """Lines in the making.

    Attributes:
        body: usual font size, points.
        lines: those started so far.
        placed: items on lines and their scripts, by height.
    """

    def __init__(self, body: float) -> None:
        self.body = body
        self.lines: list[Line] = []
        self.placed = HeightIndex()

    def add_to_line(self, run: list[Item]) -> None:
        """Add a run of glyphs to the line on its baseline, or start one with it."""
        biggest = max(run, key=by_size)
        size, base = biggest.size, biggest.base
        for line in reversed(self.lines):
            slack = SAME_BASE * max(min(line.size, size), 1.0)
            off = abs(line.base - base)
            if off < slack or (off < 2 * slack and self.fits_beside(run, size, line)):
                line.items.extend(run)
                if size > line.size:
                    line.size, line.base = size, base
                break
        else:
            self.lines.append(Line(list(run), base, size))
        self.placed.add(run)

    def fits_beside(self, run: list[Item], size: float, line: Line) -> bool:
        """Return whether a run a little off a line is of it, as office programs set formulas."""
        least = SCRIPT_RATIO if size < LINES.body_ratio * self.body else LINES.off_line_ratio
        overlap = LINES.off_line_overlap * size
        return size >= least * line.size and not any(
            item.x0 < other.x1 - overlap and other.x0 < item.x1 - overlap
            for item in run
            for other in line.items
        )

    def place_on_axis(self, item: Item, *, far: float = LINES.far) -> bool:
        """Add a piece on the axis to the nearest line with that axis; return whether one is near.

        Args:
            item: the piece.
            far: how far a line's items may stand from it, in units of the font size.
        """
        best, best_cost = None, 1.0
        fraction = item.kind == "fraction"
        limit = LINES.fraction_axis if fraction else LINES.piece_axis
        for line in self.lines:
            off = abs(item.axis - (line.base - AXIS * line.size)) / line.size
            if off >= limit:
                continue
            if fraction and not (
                LINES.fraction_least < item.size / line.size < LINES.fraction_most
            ):
                continue
            gap = min(max(other.x0 - item.x1, item.x0 - other.x1, 0.0) for other in line.items)
            cost = off / limit * 0.5 + gap / (far * line.size) * 0.5
            if gap < far * line.size and cost < best_cost:
                best, best_cost = line, cost
        if best is None:
            return False
        item.base = best.base
        best.items.append(item)
        self.placed.add([item])
        return True

    def place_all(self, items: list[Item]) -> list[Item]:
        """Place pieces on lines until no more will go; return those that are left.

        A piece may be near enough to its line only once another stands between.
        """
        left = items
        while True:
            still = [item for item in left if not self.place_on_axis(item)]
            if len(still) == len(left):
                return still
            left = still

    def start_line(self, item: Item, size: float) -> None:
        """Start a line with a piece on the axis."""
        item.base = item.axis + AXIS * size
        self.lines.append(Line([item], item.base, size))
        self.placed.add([item])

    def attach_script(self, run: list[Item]) -> bool:
        """Make a run the script of an item placed before; return whether one has it."""
        host, raised = find_host(run, self.placed)
        if host is None:
            return False
        (host.sup if raised else host.sub).extend(run)
        host.reach = max(host.reach, *(item.x1 for item in run))
        self.placed.add(run)
        return True

    def place_rest(self, waiting: list[Item]) -> None:
        """Place the pieces that no line took: as scripts, on far lines, on lines of their own."""
        still = []
        for item in waiting:
            if self.place_on_axis(item):
                continue
            if item.kind == "fraction" and self.attach_fraction(item):
                continue
            if item.kind == "block" and self.attach_block(item):
                continue
            still.append(item)
        for item in still:
            if not self.place_on_axis(item, far=2 * LINES.far):
                self.start_line(item, item.size)

    def attach_fraction(self, item: Item) -> bool:
        """Make a fraction a script: first as one in text style, then as one in display style."""
        size = item.size
        item.size = size / 0.7
        item.base = item.axis + AXIS * size / 0.7
        if self.attach_script([item]):
            return True
        item.size = size
        item.base = item.axis + AXIS * size
        return self.attach_script([item])

    def attach_block(self, item: Item) -> bool:
        """Make a matrix a subscript: a tall one starts at the height of small letters."""
        hosts = [
            host
            for host in self.placed.between(item.top - item.size, item.bottom)
            if host.axis is None
            and host is not item
            and -LINES.block_overlap * host.size
            < item.x0 - host.reach
            < LINES.block_gap * host.size
            and host.base - LINES.block_top * host.size < item.top < host.base
            and item.bottom > host.base + LINES.block_depth * host.size
        ]
        if not hosts:
            return False
        host = max(hosts, key=lambda host: host.x1)
        host.sub.append(item)
        host.reach = max(host.reach, item.x1)
        return True


def split_runs(flat: list[Item], everything: list[Item]) -> list[list[Item]]:
    """Return runs of items on one baseline, of like size, with nothing bigger between them.

    Args:
        flat: the items on baselines.
        everything: these and the pieces on the axis.
    """
    ordered = sorted(everything, key=by_size)
    sizes = list(map(by_size, ordered))
    raised = [item for item in everything if item.axis is not None]
    runs = []
    for row in rows_of(flat):
        row.sort(key=by_place)
        smallest = min(map(by_size, row)) / SCRIPT_RATIO
        top = min(i.top for i in row) - LINES.divider_reach * row[0].size
        bottom = max(i.bottom for i in row) + LINES.divider_reach * row[0].size
        dividers: list[Item] | None = None
        run = [row[0]]
        for item in row[1:]:
            gap = item.x0 - run[-1].x1
            split = gap > LINES.run_gap * item.size
            if not split and gap > LINES.letter_gap * item.size:
                if dividers is None:
                    dividers = [
                        other
                        for other in (*raised, *ordered[bisect(sizes, smallest) :])
                        if other.bottom >= top and other.top <= bottom
                    ]
                split = any(divides(other, run[-1], item) for other in dividers)
            if split:
                runs.append(run)
                run = [item]
            else:
                run.append(item)
        runs.append(run)
    return runs


def rows_of(flat: list[Item]) -> list[list[Item]]:
    """Return items by baseline and size."""
    rows: list[list[Item]] = []
    for item in sorted(flat, key=lambda item: (item.base, item.x0)):
        for row in reversed(rows[-6:]):
            head = row[0]
            if abs(head.base - item.base) < LINES.row_base * min(head.size, item.size) and (
                SCRIPT_RATIO < head.size / item.size < 1 / SCRIPT_RATIO
            ):
                row.append(item)
                break
        else:
            rows.append([item])
    return rows


def divides(other: Item, before: Item, after: Item) -> bool:
    """Return whether a bigger item, or one on the axis, stands between two neighbours of a row."""
    slack = LINES.divider_edge * other.size
    reach = LINES.divider_reach * after.size
    return (
        before.x1 - slack < other.middle < after.x0 + slack
        and (other.size > after.size / SCRIPT_RATIO or other.axis is not None)
        and other.bottom >= after.top - reach
        and other.top <= after.bottom + reach
    )


def find_host(run: list[Item], placed: HeightIndex) -> tuple[Item | None, bool]:
    """Return the item whose script a run is, and whether it is raised."""
    size = max(item.size for item in run)
    x0 = min(item.x0 for item in run)
    base = max(run, key=by_size).base
    top, bottom = min(item.top for item in run), max(item.bottom for item in run)
    order = min(item.order for item in run)
    best, raised, best_cost = None, False, 1e9
    for host in placed.between(top - LINES.host_above * size, bottom + LINES.host_below * size):
        if not (host.x0 < x0 and x0 >= host.x1 - LINES.script_overlap * host.size):
            continue
        if x0 > right_end(host) + LINES.script_gap * host.size:
            continue
        if not takes_size(host, size, order):
            continue
        up, down, off = script_place(host, base)
        if not up and not down:
            continue
        gap = max(0.0, x0 - host.x1)
        next_in_file = 0.0 if order == host.order + 1 else LINES.not_next
        cost = gap / host.size + off / host.size + next_in_file
        if cost < best_cost:
            best, raised, best_cost = host, up, cost
    return best, raised


def is_tall(host: Item) -> bool:
    """Return whether scripts of an item stand at its corners rather than at heights of letters."""
    return host.axis is not None or host.kind == "radical"


def takes_size(host: Item, size: float, order: int) -> bool:
    """Return whether an item can have a script of some size that stands at `order` in the file."""
    if size <= SCRIPT_RATIO * host.size or (
        is_tall(host) and size <= LINES.tall_script * host.size
    ):
        return True
    # The smallest size has no smaller one for its scripts.
    scripts = len(host.sup) + len(host.sub)
    return 0 < order - host.order <= 1 + scripts and size <= LINES.same_size * host.size


def script_place(host: Item, base: float) -> tuple[bool, bool, float]:
    """Return whether a baseline is that of a superscript, or of a subscript, and how far off."""
    if is_tall(host) and host.kind != "fraction":
        up = base < host.top + LINES.corner_up * host.size and base < (host.top + host.bottom) / 2
        down = base > host.bottom - LINES.corner_down * host.size
        off = (
            abs(base - host.top - LINES.corner_base * host.size) if up else abs(base - host.bottom)
        )
        if off > LINES.corner_far * host.size:
            return False, False, off
        return up, down, off
    high = host.base - base
    up = LINES.sup_least * host.size < high < LINES.sup_most * host.size
    down = -LINES.sub_most * host.size < high < -LINES.sub_least * host.size
    off = abs(high - LINES.sup_usual * host.size) if up else abs(high + LINES.sub_usual * host.size)
    return up, down, off
