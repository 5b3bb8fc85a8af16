"""A chain from a number, a row or a file to the pages it came from, and how it is shown.

A chain is a list of stages, from the number to the PDF. Each stage lists its entries: an id, the
file that holds it, the file's recorded sha256, and what it says there. Entries name the ids of the
stage below them, so that the chain can be walked by hand as well.
"""

from __future__ import annotations

import base64
import html
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass
class Stage:
    """One step of a chain.

    Attributes:
        name: what the entries are.
        entries: {id, file, sha256, ...}: the entries, sorted by id.
    """

    name: str
    entries: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Chain:
    """All that stands behind one number, row or file.

    Attributes:
        target: what was asked for.
        stages: from the target down to the PDFs; empty stages are left out.
    """

    target: str
    stages: list[Stage] = field(default_factory=list)

    def add(self, name: str, entries: Iterable[dict[str, Any]]) -> None:
        """Append a stage, if it has entries; to one of that name that is there already, more."""
        rows = list(entries)
        for stage in self.stages:
            if stage.name == name:
                known = {(entry["id"], entry["file"]) for entry in stage.entries}
                rows = stage.entries + [
                    row for row in rows if (row["id"], row["file"]) not in known
                ]
                stage.entries = _sorted(rows)
                return
        if rows:
            self.stages.append(Stage(name, _sorted(rows)))


def _sorted(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: (str(row["id"]), str(row["file"])))


def as_json(chain: Chain) -> str:
    """Return a chain as JSON."""
    stages = [{"stage": stage.name, "entries": stage.entries} for stage in chain.stages]
    return json.dumps({"target": chain.target, "chain": stages}, indent=1, ensure_ascii=False)


def as_html(chain: Chain, pictures: Mapping[str, bytes] | None = None) -> str:
    """Return a chain as one page with a table a stage, folded but for the first.

    Args:
        chain: what to show.
        pictures: PNG bytes by id of an entry of the stage `pages`.
    """
    pictures = pictures or {}
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'>",
        f"<title>{html.escape(chain.target)}</title>",
        "<style>body{font:15px/1.45 system-ui,sans-serif;margin:2rem;max-width:80rem}"
        "table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #ccc;"
        "padding:.3rem .5rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}"
        "img{max-width:100%;border:1px solid #ccc}"
        "code{font-size:85%}summary{cursor:pointer;font-weight:600;margin:.8rem 0}</style>",
        f"<h1>{html.escape(chain.target)}</h1>",
    ]
    for index, stage in enumerate(chain.stages):
        heading = f"{html.escape(stage.name)}: {len(stage.entries)}"
        parts.append(f"<details{'' if index else ' open'}><summary>{heading}</summary>")
        parts.append("<table><tr><th>id<th>file<th>sha256<th>content</tr>")
        for entry in stage.entries:
            facts = {
                key: value for key, value in entry.items() if key not in ("id", "file", "sha256")
            }
            cells = (
                entry["id"],
                entry["file"],
                (entry["sha256"] or "")[:16],
                json.dumps(facts, ensure_ascii=False),
            )
            shown = [f"<code>{html.escape(str(cell))}</code>" for cell in cells]
            if stage.name == "pages" and (png := pictures.get(entry["id"])):
                data = base64.b64encode(png).decode("ascii")
                name = html.escape(str(entry["id"]), quote=True)
                shown[-1] += f'<br><img alt="{name}" src="data:image/png;base64,{data}">'
            parts.append("<tr>" + "".join(f"<td>{cell}" for cell in shown) + "</tr>")
        parts.append("</table></details>")
    return "\n".join(parts) + "\n"
