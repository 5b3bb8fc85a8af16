"""What a person has to look at: one page of flagged problems beside their pictures.

`page` is HTML that stands alone, `entries_to_fill` the corrections file that goes with it.
"""

from __future__ import annotations

import base64
import html
import struct
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from distil.review.corrections import FIELDS, KEYS, current

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# What each flag of the extraction means to somebody with the paper at hand.
MEANINGS = {
    "doubtful": "some signs could not be read with certainty",
    "unmapped": "the PDF does not say what some of its signs are",
    "unread": "something on the page near it was not read",
    "rule": "a line on the page was taken neither for a fraction nor for a root",
    "small": "a line of small print stands in it",
    "figure": "it has a drawing, which the text does not show",
    "empty": "no text was found",
    "spans_pages": "it goes on on the next page; the picture shows its first page",
    "repeated": "its number stands twice in the paper",
    "number_guessed": "its number was worked out from its neighbours",
    "gap": "the problem before it was not found",
    "no_answer": "no answer was found in the key",
}
# Pixels of the page for a pixel of a crop.
SCALE = 0.8
_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 76rem; padding: 1.5rem;
  color: #1a1a1a; background: #f4f4f2; }
h1 { font-size: 1.5rem; margin: 0 0 .5rem; } h2 { font-size: 1.2rem; margin: 2rem 0 .75rem; }
h3 { font-size: 1.05rem; margin: 0; }
p { max-width: 52rem; }
code, pre, .latex { font-family: ui-monospace, monospace; font-size: .9em; }
table.summary { border-collapse: collapse; background: #fff; }
table.summary td, table.summary th { padding: .25rem .9rem; border: 1px solid #ccc;
  text-align: right; }
table.summary td:first-child, table.summary th:first-child { text-align: left; }
article { background: #fff; border: 1px solid #bbb; border-radius: 6px; margin: 0 0 1.25rem;
  padding: 1rem 1.25rem; break-inside: avoid; }
header { display: flex; flex-wrap: wrap; gap: .25rem 1rem; align-items: baseline;
  justify-content: space-between; }
.place { color: #555; font-size: .9rem; }
ul.flags { margin: .4rem 0 .8rem; padding-left: 1.2rem; color: #7a3a00; }
.pair { display: grid; grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); gap: .75rem 1.5rem;
  border-top: 1px solid #ddd; padding: .75rem 0; align-items: start; }
@media (max-width: 55rem) { .pair { grid-template-columns: 1fr; } }
.pair > div > .label { display: block; }
.pair img { max-width: 100%; height: auto; border: 1px solid #ddd; }
dl { margin: 0; } dt, .label { color: #555; font-size: .85rem; } dd { margin: 0 0 .5rem;
  overflow-wrap: anywhere; }
.none { color: #a00000; }
pre { background: #f4f4f2; padding: .75rem; overflow-x: auto; white-space: pre-wrap;
  overflow-wrap: anywhere; }
summary { cursor: pointer; color: #124d9c; }
.stale { border-color: #a00000; } .done { border-color: #2d7a3a; }
"""


@dataclass(frozen=True)
class Item:
    """One problem to look at.

    Attributes:
        row: the problem before any human correction, with `readings` where there are any.
        crops: {what: PNG bytes} of `statement` and `key`.
        entries: the corrections that stand for it, as in the file.
    """

    row: Mapping[str, Any]
    crops: Mapping[str, bytes]
    entries: Sequence[Mapping[str, Any]] = field(default_factory=tuple)


def meaning(flag: str) -> str:
    """Return what a flag means, in words."""
    if flag.startswith("key_"):
        return f"in the key: {meaning(flag.removeprefix('key_'))}"
    return MEANINGS.get(flag, flag.replace("_", " "))


# ----------------------------------------------------------------------------- corrections file


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{label}: {_scalar(text)}" for label, text in value.items()) + "}"
    text = " ".join(str(value).split())
    shown = yaml.safe_dump(text, default_style="'", allow_unicode=True, width=float("inf"))
    return shown.strip()


def entry_text(entry: Mapping[str, Any]) -> str:
    """Return an entry of a corrections file; what is still to be filled in is left empty."""
    lines = []
    for key in KEYS:
        value = entry.get(key, "")
        shown = value if key in ("id", "field") or value == "" else _scalar(value)
        lines.append(f"{'- ' if not lines else '  '}{key}: {shown}".rstrip())
    return "\n".join(lines)


def suggestions(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the entries that a flagged problem may need, `was` and `value` as they stand now.

    Where a vision model read something else, `value` is what it read.
    """
    other: dict[str, Any] = {}
    for reading in row.get("readings", []):
        if reading["agrees"] is False:
            text = reading["read" if reading["used"] == "extraction" else "extracted"]
            other |= (
                {"answer": text["answer"]}
                if "answer" in text
                else {
                    "statement": text["statement"],
                    "options": {option["label"]: option["text"] for option in text["options"]}
                    or None,
                }
            )
    found = []
    for name in FIELDS:
        was = current(row, name)
        value = other.get(name) or was
        if name == "options" and was is None and value is None:
            continue
        found.append({"id": row["id"], "field": name, "was": was, "value": value})
    return found


def entries_to_fill(
    items: Sequence[Item],
    standing: Sequence[Mapping[str, Any]],
    unfit: Sequence[tuple[Mapping[str, Any], str]],
) -> str:
    """Return a corrections file: the entries that stand, then one to fill in for each doubt.

    Args:
        items: the flagged problems.
        standing: the study's entries as they are.
        unfit: those of them that no longer apply, each with why; they become comments.
    """
    lines = [
        "# Corrections. Lines that start with # are comments and do nothing.",
        "#",
        "# For each flagged problem that you looked at: take the # away from the lines of the",
        "# field in question, write the right text into value, and fill in who, when (a day as",
        "# 2026-11-24) and why. Leave id, field and was as they are. Where the text was right,",
        "# leave value as it is too: that confirms it. A text stands in single quotes; a single",
        "# quote in it is written twice. null: there is none. A statement of null strikes out what",
        "# is no problem at all.",
        "#",
        "# results/ is made anew by every run: keep your copy as resources/STUDY/corrections.yaml",
        "# and name it in the study file, under problems.corrections.",
    ]
    refused = [entry for entry, _ in unfit]
    if kept := [entry for entry in standing if entry not in refused]:
        lines += ["", "# What stands already", *map(entry_text, kept)]
    for entry, _ in unfit:
        lines += ["", "# No longer applies; for reference only:"]
        lines += ["#     " + line for line in entry_text(entry).splitlines()]
    for item in items:
        if item.entries:
            continue
        row = item.row
        flags = ", ".join(row["flags"])
        lines += ["", f"# {row['id']}: {flags}; confidence {row['confidence']:.2f}"]
        for entry in suggestions(row):
            lines += ["# " + line for line in entry_text(entry).splitlines()]
    return "\n".join(lines) + "\n"


# --------------------------------------------------------------------------------------- the page


def _text(value: Any, *, latex: bool = False) -> str:
    if not value:
        return '<span class="none">none</span>'
    escaped = html.escape(str(value))
    return f'<span class="latex">{escaped}</span>' if latex else escaped


def _picture(png: bytes | None, alternative: str) -> str:
    if png is None:
        return '<span class="none">no picture: nothing was found</span>'
    data = base64.b64encode(png).decode("ascii")
    # All at one scale, a little larger than in print, with some pixels to spare for sharp screens.
    width = round(SCALE * struct.unpack(">I", png[16:20])[0])
    name = html.escape(alternative, quote=True)
    return f'<img alt="{name}" width="{width}" src="data:image/png;base64,{data}">'


def _options(options: Iterable[Mapping[str, str]]) -> str:
    shown = [f"({option['label']}) {option['text']}" for option in options]
    return "<br>".join(_text(line, latex=True) for line in shown)


def _second_readings(row: Mapping[str, Any], what: str) -> str:
    parts = []
    for reading in row.get("readings", []):
        if reading["what"] != what:
            continue
        read = reading["read"]
        if read is None:
            parts.append(f"<dt>second reading<dd>{_text(reading['status'])}")
            continue
        word = "agrees" if reading["agrees"] else "differs"
        parts.append(f"<dt>second reading, which {word} ({html.escape(reading['used'])} is used)")
        parts.append(f"<dd>{_text(read.get('statement') or read.get('answer'), latex=True)}")
        if read.get("options"):
            parts.append(f"<dd>{_options(read['options'])}")
        if reading["used"] == "reading":
            first = reading["extracted"]
            text = first.get("statement") or first.get("answer")
            parts.append(f"<dt>extraction<dd>{_text(text, latex=True)}")
    return "".join(parts)


def _article(item: Item, sections: Mapping[str, str]) -> str:
    row = item.row
    section = sections.get(row["section"] or "", row["section"] or "")
    name = f"{row['year']} {section}, problem {row['number']}"
    place = f"{row['id']}, page {row['page']}, confidence {row['confidence']:.2f}"
    flags = "".join(f"<li>{html.escape(meaning(flag))}</li>" for flag in row["flags"])
    options = f"<dt>options<dd>{_options(row['options'])}" if row["options"] else ""
    if item.entries:
        entries = "\n".join(entry_text(entry) for entry in item.entries)
        below = f"<p>Corrected or confirmed:</p><pre>{html.escape(entries)}</pre>"
    else:
        entries = "\n".join(entry_text(entry) for entry in suggestions(row))
        below = (
            "<details><summary>entries for the corrections file</summary>"
            f"<pre>{html.escape(entries)}</pre></details>"
        )
    return f"""<article class="{"done" if item.entries else "open"}" id="{html.escape(row["id"])}">
<header><h3>{html.escape(name)}</h3><span class="place">{html.escape(place)}</span></header>
<ul class="flags">{flags}</ul>
<div class="pair"><div><span class="label">printed in the paper</span>
{_picture(item.crops.get("statement"), f"{name} as printed")}</div>
<dl><dt>read as<dd>{_text(row["statement_plain"])}
<dt>in LaTeX<dd>{_text(row["statement"], latex=True)}
{options}{_second_readings(row, "statement")}</dl></div>
<div class="pair"><div><span class="label">printed in the key</span>
{_picture(item.crops.get("key"), f"answer to {name} as printed")}</div>
<dl><dt>answer read as<dd>{_text(row["answer_raw"])}
<dt>in LaTeX<dd>{_text(row["answer"], latex=True)}
{_second_readings(row, "key")}</dl></div>
{below}
</article>"""


def _summary(rows: Iterable[Mapping[str, Any]], items: Sequence[Item]) -> str:
    problems = Counter(row["year"] for row in rows)
    flagged = Counter(item.row["year"] for item in items)
    done = Counter(item.row["year"] for item in items if item.entries)
    lines = [
        f"<tr><td>{year}<td>{problems[year]}<td>{flagged[year]}<td>{done[year]}"
        for year in sorted(problems)
    ]
    total = f"<tr><th>all<th>{problems.total()}<th>{flagged.total()}<th>{done.total()}"
    return (
        '<table class="summary"><tr><th>year<th>problems<th>flagged<th>corrected or confirmed'
        + "".join(lines)
        + total
        + "</table>"
    )


def page(
    title: str,
    rows: Sequence[Mapping[str, Any]],
    items: Sequence[Item],
    unfit: Sequence[tuple[Mapping[str, Any], str]],
    sections: Mapping[str, str],
) -> str:
    """Return the review page.

    Args:
        title: of the study.
        rows: all problems that were read, for the counts.
        items: the flagged ones.
        unfit: corrections that no longer apply, each with why.
        sections: {short name: name} of the sections.
    """
    left = [item for item in items if not item.entries]
    done = [item for item in items if item.entries]
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Review: {html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>",
        f"<h1>Problems to look at</h1>\n<p>{html.escape(title)}</p>",
        _summary(rows, items),
        "<p>Each problem below was read with a doubt. Compare the picture with the text beside it. "
        "Put what is wrong right in <code>corrections.yaml</code>, which lies beside this page and "
        "says how; keep your copy of it as <code>resources/STUDY/corrections.yaml</code> and name "
        "it in the study file under <code>problems.corrections</code>.</p>",
    ]
    if unfit:
        parts.append(f"<h2>Corrections that no longer apply: {len(unfit)}</h2>")
        parts += [
            f'<article class="stale"><pre>{html.escape(entry_text(entry))}</pre>'
            f"<p>{html.escape(fault)}</p></article>"
            for entry, fault in unfit
        ]
    for year in sorted({item.row["year"] for item in left}):
        mine = [item for item in left if item.row["year"] == year]
        parts.append(f"<h2>{year}: {len(mine)} to look at</h2>")
        parts += [_article(item, sections) for item in mine]
    if not left:
        parts.append("<h2>Nothing is left to look at</h2>")
    if done:
        parts.append(f"<h2>Corrected or confirmed: {len(done)}</h2>")
        parts += [_article(item, sections) for item in done]
    return "\n".join(parts) + "\n</body>\n</html>\n"
