"""Tables as CSV, Markdown, HTML and LaTeX: the same rows in each, the same bytes every time."""

from __future__ import annotations

import html
import numbers
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distil.claims.wording import is_blank, p_text, shown
from distil.content.files import write_atomically
from distil.content.sources import Sources

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


def without_blank_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Drop the columns in which every cell is blank."""
    return frame[[name for name in frame.columns if not all(map(is_blank, frame[name]))]]


def _csv_cell(value: Any) -> str:
    # Ten digits: beyond these, another BLAS or machine would show.
    text = "" if is_blank(value) else str(value)
    if isinstance(value, numbers.Real) and not isinstance(value, numbers.Integral) and text:
        text = f"{float(value) + 0.0:.10g}"
    if any(character in text for character in ',"\n\r'):
        text = '"' + text.replace('"', '""') + '"'
    return text


def as_csv(frame: pd.DataFrame) -> str:
    """Render a frame as CSV, numbers in full."""
    lines = [",".join(_csv_cell(name) for name in frame.columns)]
    lines += [",".join(map(_csv_cell, row)) for row in frame.itertuples(index=False)]
    return "\n".join(lines) + "\n"


def _cells(frame: pd.DataFrame) -> list[list[str]]:
    p_columns = [str(name) in ("p", "p_holm") or str(name).endswith("_p") for name in frame.columns]
    return [
        [
            p_text(value) if is_p else shown(value)
            for value, is_p in zip(row, p_columns, strict=True)
        ]
        for row in frame.itertuples(index=False)
    ]


def as_markdown(
    frame: pd.DataFrame,
    title: str,
    notes: Sequence[str] = (),
) -> str:
    """Render a frame as a Markdown document with a title and notes below.

    Args:
        frame: The table.
        title: Heading.
        notes: Sentences below the table.

    Returns:
        The document.
    """

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(c.replace("|", r"\|").replace("\n", " ") for c in cells) + " |"

    lines = [f"# {title}", "", line([str(name) for name in frame.columns])]
    lines.append("|" + " --- |" * len(frame.columns))
    lines += [line(cells) for cells in _cells(frame)]
    if notes:
        lines += ["", *(f"- {note}" for note in notes)]
    return "\n".join(lines) + "\n"


def as_html(
    frame: pd.DataFrame,
    title: str,
    notes: Sequence[str] = (),
) -> str:
    """Render a frame as a page that stands alone.

    Args:
        frame: The table.
        title: Heading and page title.
        notes: Sentences below the table.

    Returns:
        The page.
    """
    head = "".join(f'<th scope="col">{html.escape(str(name))}</th>' for name in frame.columns)
    body = "\n".join(
        "<tr>" + "".join(f"<td>{html.escape(text)}</td>" for text in cells) + "</tr>"
        for cells in _cells(frame)
    )
    below = "".join(f"<li>{html.escape(note)}</li>\n" for note in notes)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<style>
body {{ font: 15px/1.45 system-ui, sans-serif; margin: 1.5rem; color: #1a1a1a; }}
table {{ border-collapse: collapse; }}
caption {{ text-align: left; font-weight: 600; padding-bottom: .5rem; }}
th, td {{ padding: .3rem .6rem; border-bottom: 1px solid #ccc; text-align: left;
  vertical-align: top; font-variant-numeric: tabular-nums; }}
thead th {{ border-bottom: 2px solid #555; }}
.scroll {{ overflow-x: auto; }}
</style>
</head>
<body>
<div class="scroll">
<table>
<caption>{html.escape(title)}</caption>
<thead><tr>{head}</tr></thead>
<tbody>
{body}
</tbody>
</table>
</div>
<ul>
{below}</ul>
</body>
</html>
"""


def _latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)


def as_latex(frame: pd.DataFrame, title: str, notes: Sequence[str] = ()) -> str:
    """Render a frame as a LaTeX table (package booktabs), with a list of notes below."""
    lines = [
        r"\begin{table}",
        rf"\caption{{{_latex(title)}}}",
        rf"\begin{{tabular}}{{{'l' * len(frame.columns)}}}",
        r"\toprule",
        " & ".join(_latex(str(name)) for name in frame.columns) + r" \\",
        r"\midrule",
        *(" & ".join(map(_latex, cells)) + r" \\" for cells in _cells(frame)),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    if notes:
        lines += [r"\begin{itemize}", *(rf"\item {_latex(n)}" for n in notes), r"\end{itemize}"]
    return "\n".join(lines) + "\n"


def write(
    paths: Sequence[str | Path],
    frame: pd.DataFrame,
    title: str,
    notes: Sequence[str] = (),
    *,
    readable: pd.DataFrame | None = None,
    rows: Sources | pd.DataFrame | None = None,
) -> None:
    """Write a table to each path, in the format its suffix names.

    Args:
        paths: Files ending in .csv, .md, .html, .tex or .parquet.
        frame: The table with numbers in full, for CSV.
        title: Heading of the other formats.
        notes: Sentences below the table.
        readable: The table for readers; without it, `frame` less its blank columns.
        rows: The rows behind each cell, for Parquet.

    Raises:
        ValueError: If a suffix is not one of these, or a Parquet file is asked for without rows.
    """
    seen = without_blank_columns(frame) if readable is None else readable
    for path in map(Path, paths):
        if path.suffix == ".parquet":
            _write_rows(path, rows)
            continue
        if path.suffix == ".csv":
            text = as_csv(frame)
        elif path.suffix == ".md":
            text = as_markdown(seen, title, notes)
        elif path.suffix == ".html":
            text = as_html(seen, title, notes)
        elif path.suffix == ".tex":
            text = as_latex(seen, title, notes)
        else:
            raise ValueError(f"{path}: tables are written as .csv, .md, .html, .tex or .parquet")
        write_atomically(path, text.encode())


def _write_rows(path: Path, rows: Sources | pd.DataFrame | None) -> None:
    if rows is None:
        raise ValueError(f"{path}: no rows were given to be written there")
    if isinstance(rows, Sources):
        rows.write(path)
    else:
        rows.to_parquet(path, index=False)
