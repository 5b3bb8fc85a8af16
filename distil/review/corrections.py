r"""Human corrections of extracted problems: read strictly, applied only where they still fit.

A corrections file is a YAML list of entries {id, field, was, value, who, when, why}. Everything in
it is text, as it stands: YAML's own numbers, dates and booleans are not used, so `0.50`, `no` and
`12:30` stay what they say. `null`, or nothing, means that there is none. `options` are written as
{A: text, B: text}.

An entry holds for the text that its author saw: `was` must be what stands there now, or else the
entry is stale and an error. An entry whose `value` equals its `was` confirms a text that was in
doubt. A statement of null strikes out what is no problem at all.
"""

from __future__ import annotations

import datetime
import difflib
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from distil.notation.answers import canonical_answer
from distil.notation.braces import balanced_end
from distil.notation.plain import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

FIELDS = ("statement", "options", "answer")
KEYS = ("id", "field", "was", "value", "who", "when", "why")
_ID = re.compile(r"(?P<year>\d{4})-[a-z0-9-]{1,59}")
_NOTHING = ("", "~", "null", "Null", "NULL")
# In double quotes YAML turns \f, \t, \n, \b ... into control characters.
_ESCAPE = re.compile(r'(?<!\\)(?:\\\\)*\\(?!["\\\n])')
# A dollar sign before an amount is one: the closing mark of pandoc's rule is followed by no digit.
_DELIMITED = re.compile(r"(?<!\\)\$(?=\S)[^$]*(?<=\S)\$(?!\d)|(?<!\\)\\[()\[\]]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class CorrectionError(ValueError):
    """Corrections that cannot be used; the message lists each with file, entry and remedy."""

    def __init__(self, faults: Sequence[str]) -> None:
        """Keep the faults and show them one a line."""
        self.faults = list(faults)
        super().__init__("the corrections cannot be applied:\n  " + "\n  ".join(self.faults))


# ---------------------------------------------------------------------------------- reading


def read_corrections(path: str | Path, years: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    """Read a corrections file.

    Args:
        path: the YAML file; one that holds comments only has no entry.
        years: the study's years.

    Returns:
        {year: its entries, sorted by id and field}. An entry has the keys `KEYS`; `was` and
        `value` are text, {label: text} for options, or None.

    Raises:
        CorrectionError: lists every fault as `FILE:LINE: ID: FIELD: what is wrong; remedy`.
    """
    path = Path(path)
    if not path.is_file():
        raise CorrectionError(
            [f"{path}: no such file; name one in problems.corrections, or null for none"]
        )
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except UnicodeDecodeError as error:
        raise CorrectionError([f"{path}: not UTF-8 text; save it as UTF-8"]) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        cause = getattr(error, "problem", None) or error
        raise CorrectionError(
            [f"{where}: not YAML ({cause}); put the texts into single quotes"]
        ) from error
    if root is None or (isinstance(root, yaml.ScalarNode) and not root.value):
        return {}
    if not isinstance(root, yaml.SequenceNode):
        raise CorrectionError([f"{path}: not a list; start each entry with `- id: ...`"])
    faults: list[str] = []
    entries: dict[tuple[str, str], tuple[int, dict[str, Any]]] = {}
    for node in root.value:
        line = node.start_mark.line + 1
        entry, found = _read_entry(node, text, years)
        name = ": ".join(part for part in (entry.get("id"), entry.get("field")) if part)
        key = (entry.get("id") or "", entry.get("field") or "")
        if not found and key in entries:
            found = [f"stands twice (first in line {entries[key][0]}); keep one"]
        faults += [f"{path}:{line}: {name + ': ' if name else ''}{fault}" for fault in found]
        entries.setdefault(key, (line, entry))
    if faults:
        raise CorrectionError(faults)
    by_year: dict[int, list[dict[str, Any]]] = {}
    for key in sorted(entries):
        by_year.setdefault(int(key[0][:4]), []).append(entries[key][1])
    return by_year


def _read_entry(
    node: yaml.Node, text: str, years: Sequence[int]
) -> tuple[dict[str, Any], list[str]]:
    """Return an entry, as far as it can be read, and what is wrong with it."""
    if not isinstance(node, yaml.MappingNode):
        return {}, [f"not an entry; give it the keys {', '.join(KEYS)}"]
    faults: list[str] = []
    values: dict[str, Any] = {}
    for name, value in node.value:
        if name.value not in KEYS:
            near = difflib.get_close_matches(str(name.value), KEYS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(KEYS)}"
            faults.append(f"{name.value}: unknown key; {hint}")
        elif name.value in values:
            faults.append(f"{name.value}: stands twice in this entry; keep one")
        else:
            values[name.value], found = _read_value(value, text)
            faults += [f"{name.value}: {fault}" for fault in found]
    faults += [f"{key}: is missing; add it" for key in KEYS if key not in values]
    if faults:
        shown = {key: values[key] for key in ("id", "field") if isinstance(values.get(key), str)}
        return shown, faults
    return values, list(_check_entry(values, years))


def _read_value(node: yaml.Node, text: str) -> tuple[Any, list[str]]:
    """Return a value as the text it is, {label: text} or None, and what is wrong with it."""
    if isinstance(node, yaml.ScalarNode):
        if node.style is None and node.value in _NOTHING:
            return None, []
        raw = text[node.start_mark.index : node.end_mark.index]
        if node.style == '"' and _ESCAPE.search(raw):
            return None, ["a backslash in double quotes is no LaTeX; use single quotes"]
        return node.value, []
    if isinstance(node, yaml.MappingNode):
        values, faults = {}, []
        for name, inner in node.value:
            value, found = _read_value(inner, text)
            if not isinstance(value, str):
                found = found or ["is no text"]
            if name.value in values:
                found = [*found, "stands twice; keep one"]
            values[name.value] = value
            faults += [f"option {name.value}: {fault}" for fault in found]
        return values, faults
    return None, ["is a list; write a text in single quotes, or options as {A: ..., B: ...}"]


def _check_entry(entry: Mapping[str, Any], years: Sequence[int]) -> Iterable[str]:
    for key in ("id", "field", "who", "when", "why"):
        if not isinstance(entry[key], str) or not entry[key].strip():
            yield f"{key}: is empty; fill it in"
            return
    found = _ID.fullmatch(entry["id"])
    if not found or int(found["year"]) not in years:
        yield "id: no problem of this study; ids look like 2014-fs-07, from a year of exams.years"
    try:
        datetime.date.fromisoformat(entry["when"])
    except ValueError:
        yield f"when: {entry['when']} is no day; write it as 2026-11-24"
    if entry["field"] not in FIELDS:
        yield f"field: {entry['field']} cannot be corrected; known are {', '.join(FIELDS)}"
        return
    is_options = entry["field"] == "options"
    for key in ("was", "value"):
        if entry[key] is not None and isinstance(entry[key], dict) != is_options:
            shape = "options as {A: ..., B: ...}" if is_options else "a text in single quotes"
            yield f"{key}: does not parse; write {shape}"
            return
    # What was read may be broken; a text that is confirmed as it is need not be better than that.
    if entry["value"] not in (None, entry["was"]):
        found = _check_text(entry["field"], entry["value"])
        yield from (f"value: {fault}" for fault in found)


def _check_text(field: str, value: Any) -> Iterable[str]:
    if field == "options":
        if len(value) < 2 or not all(re.fullmatch("[A-Z]", label) for label in value):
            yield "does not parse; options are two or more, with the labels A, B, ..."
        for label, text in value.items():
            yield from (f"option {label}: {fault}" for fault in _check_latex(text))
    else:
        yield from _check_latex(value)
        if field == "answer" and not canonical_answer(value):
            yield "does not parse as an answer; write it as the key prints it, or null for none"


def _check_latex(text: str) -> Iterable[str]:
    if not text.strip():
        yield "is empty; write null for none"
    if _CONTROL.search(text):
        yield "holds a control character; use single quotes, where a backslash stays one"
    if _DELIMITED.search(text):
        yield r"holds $...$ or \( marks; write mathematics without them, and a dollar sign as \$"
    opened, position = 0, 0
    while position < len(text):
        if text[position] == "\\":
            position += 1
        elif text[position] == "{":
            opened = balanced_end(text, position)
            if opened < 0:
                break
            position = opened
        elif text[position] == "}":
            opened = -1
            break
        position += 1
    if opened < 0:
        yield r"does not parse: a brace is open or too many; a printed brace is \{ or \}"


# ---------------------------------------------------------------------------------- applying


def current(row: Mapping[str, Any], field: str) -> Any:
    """Return what a row says in a field, in the shape that an entry says it."""
    if field == "options":
        return {option["label"]: option["text"] for option in row["options"]} or None
    return row[field] or None


def _comparable(field: str, value: Any) -> Any:
    # Line breaks and the spelling of answers are not what an entry is about.
    if value is None:
        return None
    if field == "options":
        return {label: " ".join(text.split()) for label, text in value.items()}
    text = " ".join(value.split())
    return canonical_answer(text) if field == "answer" else text


def unfit(
    rows: Iterable[Mapping[str, Any]], entries: Sequence[Mapping[str, Any]]
) -> list[tuple[Mapping[str, Any], str]]:
    """List the entries that cannot be applied, each with what is wrong and the remedy.

    Args:
        rows: one year's problems, uncorrected.
        entries: that year's entries.
    """
    by_id = {row["id"]: row for row in rows}
    found = []
    for entry in entries:
        row = by_id.get(entry["id"])
        if row is None:
            near = difflib.get_close_matches(entry["id"], by_id, n=3)
            hint = f"did you mean {', '.join(near)}?" if near else "remove the entry"
            found.append((entry, f"id: no such problem was read from the papers; {hint}"))
            continue
        now = current(row, entry["field"])
        if _comparable(entry["field"], now) != _comparable(entry["field"], entry["was"]):
            found.append(
                (
                    entry,
                    f"was: stale: the entry was made for {entry['was']!r}, but what was read is "
                    f"now {now!r}; look at the page again (make review), then correct was and "
                    "value, or remove the entry",
                )
            )
    return found


def apply_corrections(
    rows: Sequence[Mapping[str, Any]], entries: Sequence[Mapping[str, Any]], file: str
) -> list[dict[str, Any]]:
    """Return one year's problems, corrected.

    Args:
        rows: the problems as they were read.
        entries: that year's entries.
        file: the corrections file, for messages.

    Returns:
        the rows in their order. A row with entries has `corrections`, the entries without their
        id; any other row is as it was. `statement_plain` and `answer` follow from what is
        corrected; flags and confidence still tell of the reading.

    Raises:
        CorrectionError: an entry is stale, or its problem is not there.
    """
    if wrong := unfit(rows, entries):
        raise CorrectionError(
            [f"{file}: {entry['id']}: {entry['field']}: {fault}" for entry, fault in wrong]
        )
    wanted: dict[str, list[Mapping[str, Any]]] = {}
    for entry in entries:
        wanted.setdefault(entry["id"], []).append(entry)
    corrected = []
    for row in rows:
        mine = wanted.get(row["id"], [])
        if any(entry["field"] == "statement" and entry["value"] is None for entry in mine):
            continue
        corrected.append(_corrected(row, mine) if mine else dict(row))
    return corrected


def _corrected(row: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    new = dict(row)
    for entry in entries:
        field, value = entry["field"], entry["value"]
        if value == current(row, field):
            continue  # confirmed as it is
        if field == "statement":
            new |= {"statement": value, "statement_plain": plain(value)}
        elif field == "options":
            listed = (value or {}).items()
            new["options"] = [{"label": label, "text": text} for label, text in listed]
        else:
            answer = None if value is None else canonical_answer(value)
            new |= {"answer_raw": value, "answer": answer}
    new["corrections"] = [
        {key: entry[key] for key in KEYS if key != "id"}
        for entry in sorted(entries, key=lambda entry: FIELDS.index(entry["field"]))
    ]
    return new


def count_corrections(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Count the corrected fields of some rows: {field: how many}."""
    return dict(
        sorted(
            Counter(entry["field"] for row in rows for entry in row.get("corrections", [])).items()
        )
    )
