"""The DAG as a picture: rules, or files with their wildcards folded, from the job records.

Layers are those of the longest path; within a layer nodes are ordered by the mean place of what
they read (the barycentre method of Sugiyama, Tagawa and Toda, 1981), swept down and up.
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from distil.audit.records import Records

SWEEPS = 12
_NUMBER = re.compile(r"(?<=[/.-])\d+(?=[/.-])|(?<=/)(?:r[1-6]|prompt)(?=/)")


def rule_edges(records: Records) -> set[tuple[str, str]]:
    """Return (rule, rule that reads its output)."""
    return {
        (records.writers[path].rule, record.rule)
        for record in records.by_path.values()
        for path in record.files("input")
        if path in records.writers
    }


def file_edges(records: Records) -> set[tuple[str, str]]:
    """Return (input, output) over all jobs, with years, seeds and iterations folded into N."""
    return {
        (fold(source, records.study), fold(target, records.study))
        for record in records.by_path.values()
        for source in record.files("input")
        for target in record.files("output")
    }


def fold(path: str, study: str) -> str:
    """Return a path with its numbers folded, relative to the study's results."""
    short = path.removeprefix(f"results/{study}/")
    name = _NUMBER.sub("N", f"/{short}/").strip("/")
    return re.sub(r"exams/N-\w+", "exams/N-S", name)


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


def draw(edges: Iterable[tuple[str, str]], title: str) -> bytes:
    """Draw a graph as SVG, the same bytes each time, from top to bottom."""
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    edges = sorted(set(edges))
    rows = layers(edges)
    widest = max(map(len, rows))
    longest = max(len(node) for row in rows for node in row)
    width, height = max(6.0, widest * (0.075 * longest + 0.3)), 0.75 * len(rows) + 0.6
    with mpl.rc_context({"svg.hashsalt": "distil", "svg.fonttype": "none", "font.size": 9}):
        figure, axes = plt.subplots(figsize=(width, height), layout="constrained")
        at = {
            node: ((index + 0.5) / len(row), -level)
            for level, row in enumerate(rows)
            for index, node in enumerate(row)
        }
        for source, target in edges:
            axes.annotate(
                "",
                xy=(at[target][0], at[target][1] + 0.18),
                xytext=(at[source][0], at[source][1] - 0.18),
                arrowprops={"arrowstyle": "->", "color": "#8a8a8a", "linewidth": 0.8},
            )
        for node, (x, y) in at.items():
            axes.text(
                x, y, node, ha="center", va="center",
                bbox={"boxstyle": "round,pad=0.35", "facecolor": "#eaf2fb", "edgecolor": "#0072b2"},
            )  # fmt: skip
        axes.set(xlim=(0, 1), ylim=(-len(rows) + 0.4, 0.6), title=title)
        axes.axis("off")
        stream = io.BytesIO()
        figure.savefig(stream, format="svg", metadata={"Date": None, "Title": title})
        plt.close(figure)
    return stream.getvalue()


def write(records: Records, folder: Path) -> list[Path]:
    """Write rules.svg and files.svg into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {
        "rules.svg": (reduce(rule_edges(records)), "Rules, from exam papers to claims"),
        "files.svg": (reduce(file_edges(records)), "Files, from exam papers to claims"),
    }
    for name, (edges, title) in pictures.items():
        (folder / name).write_bytes(draw(edges, title))
    return [folder / name for name in pictures]
