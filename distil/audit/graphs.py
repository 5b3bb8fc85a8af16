"""The DAG as a picture: rules, or files folded into their folders, from the job records.

Layers are those of the longest path; within a layer nodes are ordered by the mean place of what
they read (the barycentre method of Sugiyama, Tagawa and Toda, 1981), swept down and up. A line over
several layers takes a narrow place of its own in each, so that it passes beside the nodes. Both
pictures can be read at the 830 pixels of a README; the page of the study has the same graph with
every file.
"""

from __future__ import annotations

import io
import itertools
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from distil.audit.records import Records

SWEEPS = 12
# Inches: a picture of 830 pixels holds 8.6 of them at 96 pixels an inch.
MOST_WIDTH, LAYER = 8.6, 0.62
FONT = 9  # points
# How wide the place of a passing line is, against that of a node.
PASSING = 0.3


def rule_edges(records: Records) -> set[tuple[str, str]]:
    """Return (rule, rule that reads its output)."""
    return {
        (records.writers[path].rule, record.rule)
        for record in records.by_path.values()
        for path in record.files("input")
        if path in records.writers
    }


def file_edges(records: Records) -> set[tuple[str, str]]:
    """Return (input, output) over all jobs, files folded into their folders."""
    folded = {
        (fold(source, records.study), fold(target, records.study))
        for record in records.by_path.values()
        for source in record.files("input")
        for target in record.files("output")
    }
    # Within a folder, a file is made from another, as a table's page from the table.
    return {(source, target) for source, target in folded if source != target}


def count_files(records: Records) -> Counter[str]:
    """Return how many files each folder of `file_edges` holds."""
    files = {
        path
        for record in records.by_path.values()
        for side in ("input", "output")
        for path in record.files(side)
    }
    return Counter(fold(path, records.study) for path in files)


def fold(path: str, study: str) -> str:
    """Return the folder of a file: the first below the study's results, or two from the top."""
    own = f"results/{study}/"
    if path.startswith(own):
        head, _, rest = path.removeprefix(own).partition("/")
        return f"{head}/" if rest else head
    parts = Path(path).parts
    return f"{'/'.join(parts[:2])}/" if len(parts) > 2 else path


def layers(edges: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Return the nodes layer by layer, each node below all it depends on, few lines crossing."""
    edges = sorted(set(edges))
    nodes = sorted({node for edge in edges for node in edge})
    above = {node: [a for a, b in edges if b == node] for node in nodes}
    below = {node: [b for a, b in edges if a == node] for node in nodes}
    depth: dict[str, int] = {}

    def find(node: str) -> int:
        if node not in depth:
            depth[node] = 1 + max((find(parent) for parent in above[node]), default=-1)
        return depth[node]

    rows: list[list[str]] = [[] for _ in range(max(map(find, nodes), default=-1) + 1)]
    for node in nodes:
        rows[depth[node]].append(node)
    place = {node: index for row in rows for index, node in enumerate(row)}
    for sweep in range(SWEEPS):
        near = above if sweep % 2 == 0 else below
        for row in rows if sweep % 2 == 0 else reversed(rows):
            row.sort(
                key=lambda node: (
                    sum(place[other] / len(rows[depth[other]]) for other in near[node])
                    / (len(near[node]) or 1),
                    node,
                )
            )
            place |= {node: index for index, node in enumerate(row)}
    return rows


def reduce(edges: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return a graph without the lines that a longer path says as well (transitive reduction)."""
    edges = set(edges)
    below: dict[str, set[str]] = {}
    for source, target in edges:
        below.setdefault(source, set()).add(target)

    def reached(start: str) -> set[str]:
        found, pending = set(), list(below.get(start, ()))
        while pending:
            node = pending.pop()
            if node not in found:
                found.add(node)
                pending += below.get(node, ())
        return found

    return {
        (source, target)
        for source, target in edges
        if not any(target in reached(other) for other in below[source] - {target})
    }


def bend(edges: Iterable[tuple[str, str]]) -> dict[tuple[str, str], list[str]]:
    """Return each line as the nodes it goes through: a place in each layer that it passes."""
    edges = sorted(set(edges))
    depth = {node: level for level, row in enumerate(layers(edges)) for node in row}
    bent = {}
    for source, target in edges:
        between = range(depth[source] + 1, depth[target])
        passing = [f"\0{source}\0{target}\0{level}" for level in between]
        bent[source, target] = [source, *passing, target]
    return bent


def place(rows: list[list[str]]) -> tuple[dict[str, tuple[float, float]], float]:
    """Return where each node stands, in widths of a node and layers, and the width of all."""

    def width(node: str) -> float:
        return PASSING if node.startswith("\0") else 1.0

    whole = max(sum(map(width, row)) for row in rows)
    at = {}
    for level, row in enumerate(rows):
        x = (whole - sum(map(width, row))) / 2
        for node in row:
            at[node] = (x + width(node) / 2, -float(level))
            x += width(node)
    return at, whole


def draw(
    edges: Iterable[tuple[str, str]], title: str, labels: Mapping[str, str] | None = None
) -> bytes:
    """Draw a graph as SVG, the same bytes each time, from top to bottom.

    Args:
        edges: (source, target).
        title: what stands above it.
        labels: what stands on a node, where it is not its name.
    """
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    lines = bend(edges)
    steps = {step for nodes in lines.values() for step in itertools.pairwise(nodes)}
    rows = layers(steps)
    at, whole = place(rows)
    shown = labels or {}
    longest = max(len(shown.get(node, node)) for node in at if not node.startswith("\0"))
    width = min(MOST_WIDTH, max(5.0, whole * (0.0085 * FONT * longest + 0.25)))
    with mpl.rc_context({"svg.hashsalt": "distil", "svg.fonttype": "none", "font.size": FONT}):
        figure, axes = plt.subplots(figsize=(width, LAYER * len(rows) + 0.5), layout="constrained")
        for nodes in lines.values():
            points = [at[node] for node in nodes]
            points[0] = (points[0][0], points[0][1] - 0.2)
            points[-1] = (points[-1][0], points[-1][1] + 0.2)
            axes.plot(*zip(*points[:-1], strict=True), color="#8a8a8a", linewidth=0.8, zorder=1)
            axes.annotate(
                "", xy=points[-1], xytext=points[-2], zorder=1,
                arrowprops={"arrowstyle": "->", "color": "#8a8a8a", "linewidth": 0.8,
                            "shrinkA": 0, "shrinkB": 0},
            )  # fmt: skip
        for node, (x, y) in at.items():
            if not node.startswith("\0"):
                axes.text(
                    x, y, shown.get(node, node), ha="center", va="center", zorder=2,
                    bbox={"boxstyle": "round,pad=0.35", "facecolor": "#eaf2fb",
                          "edgecolor": "#0072b2"},
                )  # fmt: skip
        axes.set(xlim=(0, whole), ylim=(-len(rows) + 0.4, 0.5), title=title)
        axes.axis("off")
        stream = io.BytesIO()
        figure.savefig(stream, format="svg", metadata={"Date": None, "Title": title})
        plt.close(figure)
    return stream.getvalue()


def write(records: Records, folder: Path) -> list[Path]:
    """Write rules.svg and files.svg into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        name: f"{name} ({count} files)" if count > 1 else name
        for name, count in count_files(records).items()
    }
    pictures = {
        "rules.svg": draw(reduce(rule_edges(records)), "Rules, from exam papers to claims"),
        "files.svg": draw(
            reduce(file_edges(records)), "Files, from exam papers to claims, by folder", files
        ),
    }
    for name, picture in pictures.items():
        (folder / name).write_bytes(picture)
    return [folder / name for name in pictures]
