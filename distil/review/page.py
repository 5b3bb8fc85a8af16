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

from distil.review.corrections import FIELDS, KEYS, SIGNED, current, digest_of, paper_of

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
    "formula": "a formula was recognised in the picture of the page, which is never certain",
    "tangled": "a line that may belong to its neighbour, or a matrix",
    "table": "it has a table, which comes as rows of text",
    "unbalanced": "brackets in it do not pair",
    "key_order": "which list of the key belongs to this test is not certain",
    "key_count": "the list of the key and the test do not have the same numbers",
    "key_doubtful": "the answer was not read with certainty, or cannot be, as it stands, what the "
    "problem asks for, or the key gives another one in its working",
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
    if flag.startswith("key_") and flag not in MEANINGS:
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
    for key, value in as_written(entry).items():
        shown = value if key in ("id", "field", "add", "confirm") or value == "" else _scalar(value)
        lines.append(f"{'- ' if not lines else '  '}{key}: {shown}".rstrip())
    return "\n".join(lines)


def as_written(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry with the keys that its kind has in a file."""
    signed = {key: entry.get(key, "") for key in SIGNED}
    if entry.get("field") == "problem":
        return {"add": entry["id"], **entry["value"], **signed}
    if entry.get("field") == "all":
        return {"confirm": entry["id"], "was": entry["was"], **signed}
    return {key: entry.get(key, "") for key in KEYS}


def confirmations(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return an entry for each paper that says that all of its problems are right as read."""
    papers: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        papers.setdefault(paper_of(row), []).append(row)
    return [
        {"id": name, "field": "all", "was": digest_of(own)} for name, own in sorted(papers.items())
    ]


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
    rows: Sequence[Mapping[str, Any]],
    items: Sequence[Item],
    standing: Sequence[Mapping[str, Any]],
    unfit: Sequence[tuple[Mapping[str, Any], str]],
) -> str:
    """Return a corrections file: the entries that stand, then one to fill in for each doubt.

    Args:
        rows: all problems as they were read.
        items: all of them, or the flagged ones, with their corrections.
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
        "# Who, when and why may be said once, for all entries below that do not say so:",
        "#     - defaults: {who: , when: , why: compared with the paper}",
        "#",
        "# A problem that was not found is put in as",
        "#     - add: 2014-fs-07",
        "#       page: 2",
        "#       statement: '...'",
        "#       answer: '...'",
        "#",
        "# When you have compared a whole paper, one entry confirms those of its problems that",
        "# have no entry of their own; these entries stand at the end of this file.",
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
        if item.entries or not item.row["flags"]:
            continue
        row = item.row
        flags = ", ".join(row["flags"])
        lines += ["", f"# {row['id']}: {flags}; confidence {row['confidence']:.2f}"]
        for entry in suggestions(row):
            lines += ["# " + line for line in entry_text(entry).splitlines()]
    confirmed = {entry["id"] for entry in kept if entry["field"] == "all"}
    lines += ["", "# Whole papers, each as it was read:"]
    for entry in confirmations(rows):
        if entry["id"] not in confirmed:
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


def _summary(items: Sequence[Item], kept_out: Mapping[str, Sequence[str]]) -> str:
    out = {name for names in kept_out.values() for name in names}
    counts = {
        "problems": Counter(item.row["year"] for item in items),
        "flagged": Counter(item.row["year"] for item in items if item.row["flags"]),
        "corrected or confirmed": Counter(item.row["year"] for item in items if item.entries),
        "kept out of the study": Counter(i.row["year"] for i in items if i.row["id"] in out),
    }
    lines = [
        f"<tr><td>{year}" + "".join(f"<td>{count[year]}" for count in counts.values())
        for year in sorted(counts["problems"])
    ]
    total = "<tr><th>all" + "".join(f"<th>{count.total()}" for count in counts.values())
    reasons = "; ".join(
        f"{len(names)} because {html.escape(meaning(flag))}" for flag, names in kept_out.items()
    )
    return (
        '<table class="summary"><tr><th>year'
        + "".join(f"<th>{name}" for name in counts)
        + "".join(lines)
        + total
        + "</table>"
        + (f"<p>Kept out of the study (<code>problems.admit</code>): {reasons}.</p>" if out else "")
    )


def page(
    title: str,
    items: Sequence[Item],
    unfit: Sequence[tuple[Mapping[str, Any], str]],
    sections: Mapping[str, str],
    kept_out: Mapping[str, Sequence[str]],
    added: Sequence[tuple[Mapping[str, Any], bytes | None]] = (),
) -> str:
    """Return the review page.

    Args:
        title: of the study.
        items: all problems that were read.
        unfit: corrections that no longer apply, each with why.
        sections: {short name: name} of the sections.
        kept_out: {flag: ids of the problems that the study does not take for it}.
        added: the entries that put problems in, each with the picture of its box (PNG bytes), if
            it has one.
    """
    left = [item for item in items if item.row["flags"] and not item.entries]
    done = [item for item in items if item.entries]
    sure = [item for item in items if not item.row["flags"] and not item.entries]
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Review: {html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>",
        f"<h1>Problems to look at</h1>\n<p>{html.escape(title)}</p>",
        _summary(items, kept_out),
        "<p>The problems that were read with a doubt come first, those without one last. Compare "
        "the picture with the text beside it. Put what is wrong right in "
        "<code>corrections.yaml</code>, which lies beside this page and says how; keep your copy "
        "of it as <code>resources/STUDY/corrections.yaml</code> and name it in the study file "
        "under <code>problems.corrections</code>.</p>",
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
    if added:
        parts.append(f"<h2>Put in by hand: {len(added)}</h2>")
        parts += [
            f"<pre>{html.escape(entry_text(entry))}</pre>"
            + (_picture(png, f"{entry['id']} as printed") if png else "")
            for entry, png in added
        ]
    for year in sorted({item.row["year"] for item in sure}):
        mine = [item for item in sure if item.row["year"] == year]
        parts.append(
            f"<details><summary>{year}: {len(mine)} read without a doubt</summary>"
            + "\n".join(_article(item, sections) for item in mine)
            + "</details>"
        )
    return "\n".join(parts) + "\n</body>\n</html>\n"
