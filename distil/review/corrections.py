r"""Human corrections of extracted problems: read strictly, applied only where they still fit.

A corrections file is a YAML list of entries {id, field, was, value, who, when, why}. Everything in
it is text, as it stands: YAML's own numbers, dates and booleans are not used, so `0.50`, `no` and
`12:30` stay what they say. `null`, or nothing, means that there is none. `options` are written as
{A: text, B: text}.

An entry holds for the text that its author saw: `was` must be what stands there now, or else the
entry is stale and an error. An entry whose `value` equals its `was` confirms a text that was in
doubt. A statement of null strikes out what is no problem at all.

Three entries are of other kinds:

    - defaults: {who: A. Teacher, when: 2026-11-28, why: compared with the paper}
    - add: 2014-fs-07
      page: 2
      box: 72, 100, 540, 160
      statement: 'Find x if 2x = 6.'
      answer: '3'
    - confirm: 2014-fs
      was: 3f0c2a9be1d4c7a8

`defaults` holds for the entries after it that do not say who, when or why themselves. `add` puts in
a problem that was not read; `box`, which may be left out, is its place on the page, from which its
picture is cut. `confirm` says that all of a paper's problems that have no entry of
their own are right as they were read; `was` is the digest of what was read, as the review page and
its corrections file give it.
"""

from __future__ import annotations

import datetime
import difflib
import hashlib
import json
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
SIGNED = ("who", "when", "why")
# Keys of the kinds of entries, by the key that tells the kind; those in brackets may be left out.
KINDS = {
    "id": KEYS,
    "add": ("add", "page", "box", "statement", "options", "answer", *SIGNED),
    "confirm": ("confirm", "was", *SIGNED),
}
OPTIONAL = {"options", "box"}
_PAPER = re.compile(r"(?P<year>\d{4})(?:-[a-z0-9]{1,20})?")
_ADDED = re.compile(r"(?P<year>\d{4})-(?:(?P<section>[a-z0-9-]{1,40})-)?(?P<number>t?\d{1,3})")
_BOX = re.compile(r"\s*\d{1,5}(?:\.\d+)?(?:\s*,\s*\d{1,5}(?:\.\d+)?){3}\s*")
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
        `value` are text, {label: text} for options, or None. An added problem has the field
        "problem" and a value of {page, statement, options, answer} and, if given, box; a
        confirmed paper has its name as the id and the field "all".

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
    defaults: dict[str, str] = {}
    for node in root.value:
        line = node.start_mark.line + 1
        if (given := _defaults_of(node)) is not None:
            defaults, found = _read_defaults(given, text)
            faults += [f"{path}:{line}: defaults: {fault}" for fault in found]
            continue
        entry, found = _read_entry(node, text, years, defaults)
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


def _defaults_of(node: yaml.Node) -> yaml.Node | None:
    """Return what follows `defaults:` in an entry of that kind."""
    if isinstance(node, yaml.MappingNode) and len(node.value) == 1:
        name, value = node.value[0]
        return value if name.value == "defaults" else None
    return None


def _read_defaults(node: yaml.Node, text: str) -> tuple[dict[str, str], list[str]]:
    """Return who, when and why of the entries that do not say so, and what is wrong with them."""
    values, faults = _read_value(node, text)
    if not isinstance(values, dict):
        return {}, [f"does not parse; write {{who: ..., when: ..., why: ...}}: {faults or values}"]
    wrong = [f"{key}: unknown key; known are {', '.join(SIGNED)}" for key in values.keys() - SIGNED]
    return {key: values[key] for key in SIGNED if key in values}, [*faults, *sorted(wrong)]


def _read_entry(
    node: yaml.Node, text: str, years: Sequence[int], defaults: Mapping[str, str]
) -> tuple[dict[str, Any], list[str]]:
    """Return an entry, as far as it can be read, and what is wrong with it."""
    if not isinstance(node, yaml.MappingNode):
        return {}, [f"not an entry; give it the keys {', '.join(KEYS)}"]
    faults: list[str] = []
    values: dict[str, Any] = {}
    names = [name.value for name, _ in node.value]
    kind = next((name for name in ("add", "confirm") if name in names), "id")
    keys = KINDS[kind]
    for name, value in node.value:
        if name.value not in keys:
            near = difflib.get_close_matches(str(name.value), keys, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(keys)}"
            faults.append(f"{name.value}: unknown key; {hint}")
        elif name.value in values:
            faults.append(f"{name.value}: stands twice in this entry; keep one")
        else:
            values[name.value], found = _read_value(value, text)
            faults += [f"{name.value}: {fault}" for fault in found]
    values = {**{key: defaults[key] for key in SIGNED if key in defaults}, **values}
    needed = [key for key in keys if key not in OPTIONAL]
    faults += [f"{key}: is missing; add it" for key in needed if key not in values]
    if faults:
        shown = {key: values[key] for key in ("id", "field") if isinstance(values.get(key), str)}
        if isinstance(values.get(kind), str):
            shown["id"] = values[kind]
        return shown, faults
    if kind == "add":
        return _addition(values), list(_check_addition(values, years))
    if kind == "confirm":
        return _confirmation(values), list(_check_confirmation(values, years))
    return {key: values[key] for key in KEYS}, list(_check_entry(values, years))


def _addition(values: Mapping[str, Any]) -> dict[str, Any]:
    problem = {key: values.get(key) for key in ("page", "statement", "options", "answer")}
    if values.get("box") is not None:
        problem["box"] = values["box"]
    return {
        "id": values["add"], "field": "problem", "was": None, "value": problem,
        **{key: values[key] for key in SIGNED},
    }  # fmt: skip


def _confirmation(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": values["confirm"], "field": "all", "was": values["was"], "value": values["was"],
        **{key: values[key] for key in SIGNED},
    }  # fmt: skip


def _check_addition(values: Mapping[str, Any], years: Sequence[int]) -> Iterable[str]:
    yield from _check_signed(values, ("add",))
    found = _ADDED.fullmatch(values["add"] or "")
    if not found or int(found["year"]) not in years:
        yield "add: no id of this study; ids look like 2014-fs-07, from a year of exams.years"
    if not re.fullmatch(r"[1-9]\d{0,3}", str(values["page"] or "")):
        yield "page: give the page of the PDF that the problem stands on, counted from 1"
    if values.get("box") is not None and not _box(values["box"]):
        yield (
            f"box: {values['box']}: write left, top, right, bottom in points from the page's top "
            "left corner, such as 72, 100, 540, 160"
        )
    if not isinstance(values["statement"], str):
        yield "statement: does not parse; write a text in single quotes"
    else:
        yield from (
            f"statement: {fault}" for fault in _check_text("statement", values["statement"])
        )
    for field, shape in (("options", dict), ("answer", str)):
        value = values.get(field)
        if value is None:
            continue
        if isinstance(value, shape):
            yield from (f"{field}: {fault}" for fault in _check_text(field, value))
        else:
            yield f"{field}: does not parse; see docs/extending.md"


def _check_confirmation(values: Mapping[str, Any], years: Sequence[int]) -> Iterable[str]:
    yield from _check_signed(values, ("confirm",))
    found = _PAPER.fullmatch(values["confirm"] or "")
    if not found or int(found["year"]) not in years:
        yield "confirm: no paper of this study; papers are named as 2014-fs, or 2014"
    if not re.fullmatch(r"[0-9a-f]{16}", str(values["was"] or "")):
        yield "was: is no digest; copy it from the review page or its corrections file"


def _check_signed(values: Mapping[str, Any], names: Sequence[str]) -> Iterable[str]:
    """Find what is empty, and a day that is none."""
    for key in (*names, *SIGNED):
        if not isinstance(values[key], str) or not values[key].strip():
            yield f"{key}: is empty; fill it in"
            return
    try:
        datetime.date.fromisoformat(values["when"])
    except ValueError:
        yield f"when: {values['when']} is no day; write it as 2026-11-24"


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
    empty = list(_check_signed(entry, ("id", "field")))
    yield from empty
    if any(fault.endswith("fill it in") for fault in empty):
        return
    found = _ID.fullmatch(entry["id"])
    if not found or int(found["year"]) not in years:
        yield "id: no problem of this study; ids look like 2014-fs-07, from a year of exams.years"
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
    rows = list(rows)
    by_id = {row["id"]: row for row in rows}
    found = []
    for entry in entries:
        if entry["field"] in ("problem", "all"):
            if fault := _unfit_whole(rows, entry):
                found.append((entry, fault))
            continue
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


def paper_of(row: Mapping[str, Any]) -> str:
    """Return the name of the paper (year and section) that a problem stands in."""
    return f"{row['year']}-{row['section']}" if row.get("section") else str(row["year"])


def digest_of(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return the digest of what was read in a paper's problems, 16 hexadecimal digits."""
    said = sorted(
        [row["id"], row["statement"], current(row, "options"), row["answer_raw"]] for row in rows
    )
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def _unfit_whole(rows: Sequence[Mapping[str, Any]], entry: Mapping[str, Any]) -> str | None:
    """Return why a problem cannot be added, or a paper not be confirmed."""
    if entry["field"] == "problem":
        if any(row["id"] == entry["id"] for row in rows):
            return "add: the problem was read; correct its statement, options or answer instead"
        return None
    own = [row for row in rows if paper_of(row) == entry["id"]]
    if not own:
        near = difflib.get_close_matches(entry["id"], {paper_of(row) for row in rows}, n=3)
        hint = f"did you mean {', '.join(near)}?" if near else "remove the entry"
        return f"confirm: no problem was read from such a paper; {hint}"
    if digest_of(own) != entry["was"]:
        return (
            "was: stale: what was read from this paper has changed since; look at its problems "
            f"again (make review), then write {digest_of(own)}, or remove the entry"
        )
    return None


def entries_by_problem(
    rows: Iterable[Mapping[str, Any]], entries: Iterable[Mapping[str, Any]]
) -> dict[str, list[Mapping[str, Any]]]:
    """Return {id of a problem that was read: its entries}.

    A confirmed paper counts for the problems that have no entry of their own.
    """
    own: dict[str, list[Mapping[str, Any]]] = {}
    papers: dict[str, Mapping[str, Any]] = {}
    for entry in entries:
        if entry["field"] == "all":
            papers[entry["id"]] = entry
        elif entry["field"] != "problem":
            own.setdefault(entry["id"], []).append(entry)
    for row in rows:
        if row["id"] not in own and (entry := papers.get(paper_of(row))):
            own[row["id"]] = [entry]
    return own


def _box(text: Any) -> list[float] | None:
    """Return left, top, right and bottom of a box in points; None if it is none."""
    if not isinstance(text, str) or not _BOX.fullmatch(text):
        return None
    left, top, right, bottom = box = [float(edge) for edge in text.split(",")]
    return box if left < right and top < bottom else None


def added_places(entries: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return id, section, page and box (points) of the problems put in by hand that have a box."""
    return [
        {
            "id": entry["id"],
            "section": _ADDED.fullmatch(entry["id"])["section"],
            "page": int(entry["value"]["page"]),
            "box": _box(entry["value"]["box"]),
        }
        for entry in entries
        if entry["field"] == "problem" and "box" in entry["value"]
    ]


def _added(entry: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the row of a problem that was put in by hand; its PDF is that of its paper's rows."""
    found = _ADDED.fullmatch(entry["id"])
    problem = entry["value"]
    row = {
        "id": entry["id"],
        "year": int(found["year"]),
        "section": found["section"],
        "number": found["number"].upper().lstrip("0") or "0",
        "statement": problem["statement"],
        "statement_plain": plain(problem["statement"]),
        "options": [
            {"label": label, "text": text} for label, text in (problem["options"] or {}).items()
        ],
        "answer_raw": problem["answer"],
        "answer": None if problem["answer"] is None else canonical_answer(problem["answer"]),
        "page": int(problem["page"]),
        "box": _box(problem.get("box")),
        "pdf_sha256": None,
        "key_page": None,
        "key_box": None,
        "key_sha256": None,
        "method": "correction",
        "flags": [] if problem["answer"] is not None else ["no_answer"],
        "confidence": 1.0,
    }
    row["pdf_sha256"] = next(
        (other["pdf_sha256"] for other in rows if paper_of(other) == paper_of(row)), None
    )
    return row | {"corrections": [{key: entry[key] for key in KEYS if key != "id"}]}


def apply_corrections(
    rows: Sequence[Mapping[str, Any]], entries: Sequence[Mapping[str, Any]], file: str
) -> list[dict[str, Any]]:
    """Return one year's problems, corrected.

    Args:
        rows: the problems as they were read.
        entries: that year's entries.
        file: the corrections file, for messages.

    Returns:
        the rows in their order, sorted by id where a problem was added. A row with entries has
        `corrections`, the entries without their id; any other row is as it was. `statement_plain`
        and `answer` follow from what is corrected; flags and confidence still tell of the reading.

    Raises:
        CorrectionError: an entry is stale, or its problem is not there.
    """
    if wrong := unfit(rows, entries):
        raise CorrectionError(
            [f"{file}: {entry['id']}: {entry['field']}: {fault}" for entry, fault in wrong]
        )
    wanted = entries_by_problem(rows, entries)
    corrected = [_added(entry, rows) for entry in entries if entry["field"] == "problem"]
    for row in rows:
        mine = wanted.get(row["id"], [])
        if any(entry["field"] == "statement" and entry["value"] is None for entry in mine):
            continue
        corrected.append(_corrected(row, mine) if mine else dict(row))
    if any(entry["field"] == "problem" for entry in entries):
        corrected.sort(key=lambda row: row["id"])
    return corrected


def _corrected(row: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    new = dict(row)
    for entry in entries:
        field, value = entry["field"], entry["value"]
        if field == "all" or value == current(row, field):
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
        for entry in sorted(entries, key=lambda entry: (*FIELDS, "all").index(entry["field"]))
    ]
    return new


def count_corrections(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Count the corrected fields of some rows: {field: how many}."""
    return dict(
        sorted(
            Counter(entry["field"] for row in rows for entry in row.get("corrections", [])).items()
        )
    )
