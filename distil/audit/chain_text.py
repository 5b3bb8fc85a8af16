"""Text of `distil explain`: the answer first, then the chain on one page.

What is asked for (a number, a problem, a row, a file) is told in a few lines: a number with its
interval, its formula and the counts that it follows from; a problem with its statement, key and
page. Below, each step of the chain is one line. Files are named relative to results/STUDY.
"""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distil.audit.cells import CLAIMS, Cell
from distil.claims.wording import p_text, shown
from distil.report.terminal import UNITS, verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import pandas as pd

    from distil.audit.chains import Chain, Stage
    from distil.audit.rows import StudyRows

NARROWEST, WIDEST = 60, 100
LABEL = 11  # columns of the names at the left
IDS = 12  # ids shown of a stage whose entries are the answer
PLACED = ("id", "file", "sha256")
# The columns of a claim that its text gives a place of their own; any other column of any table
# that is asked for is shown as it is.
FIGURES = ("", "here", "low", "high")
PRINTED = {"statement": "printed", "key": "key"}
ROLES = ("student", "teacher", "base")


@dataclass(frozen=True)
class Style:
    """How lines are set: columns of the terminal, and whether it knows colours."""

    width: int = 80
    colour: bool = False

    def bold(self, text: str) -> str:
        """Return a text in bold, where there are colours."""
        return f"\033[1m{text}\033[0m" if self.colour else text

    def line(self, name: str, value: Any) -> list[str]:
        """Return a named value, folded to the width; nothing for no value."""
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        if value is None or not text.strip():
            return []
        return textwrap.wrap(
            " ".join(text.split()),
            self.width,
            initial_indent=f"{name:<{LABEL}}",
            subsequent_indent=" " * LABEL,
            break_on_hyphens=False,
        )

    def cut(self, text: str, width: int) -> str:
        """Return a text of one line, its end left out where it is longer than some columns."""
        text = " / ".join(text.split("\n"))
        return text if len(text) <= width else f"{text[: max(width - 3, 1)]}..."


def as_text(
    chain: Chain, study: StudyRows, *, width: int = 80, colour: bool = False, most: int = 0
) -> str:
    """Return a chain for people.

    Args:
        chain: what `Explainer` found.
        study: the study's rows.
        width: columns of the terminal; lines are at most this long, but for names of files.
        colour: whether the terminal takes escape codes.
        most: entries shown of each stage, with all that they say; 0 for the stages alone.
    """
    style = Style(min(max(width, NARROWEST), WIDEST), colour)
    first = chain.stages[0] if chain.stages else None
    lines = [style.bold(chain.target)]
    if first is None:
        return "\n".join([*lines, "nothing is recorded behind it"])
    if chain.target.startswith("used by "):
        lines += [line for stage in chain.stages for line in _named(stage, style)]
        return "\n".join([*lines, "", *_more(chain, study)])
    if first.name == "cell":
        lines += _cells(first, study, style)
    elif first.name == "row":
        lines += _content(first.entries[0], style)
    elif chain.target in study.problems:
        lines += _problem(chain, study, style)
    elif first.name == "files":
        lines += _file(chain, study, style)
    elif first.name == "problems":  # of a page
        lines += style.line("problems", "  ".join(str(entry["id"]) for entry in first.entries))
    below = [stage for stage in chain.stages if stage.name not in ("cell", "row")]
    if below:
        number = first.name == "cell"
        heading = "From the number to the exam page" if number else "What it was made from"
        lines += ["", style.bold(heading)]
        lines += _steps(below, study, style, most)
    if first.name == "cell":
        lines += _example(chain, style)
    return "\n".join([*lines, "", *_more(chain, study)])


# ------------------------------------------------------------------------------------ the answer


def _cells(stage: Stage, study: StudyRows, style: Style) -> Iterator[str]:
    """Tell the numbers that were asked for; of many, each in one line."""
    cells = [(study.tables.find(entry["id"])[0], entry) for entry in stage.entries[:IDS]]
    for cell, entry in cells:
        if cell.table == CLAIMS:
            yield ""
            yield from _claim(cell, entry, study, style)
        elif len(stage.entries) > 1:
            values = cell.value if isinstance(cell.value, dict) else {cell.column: cell.value}
            told = ", ".join(f"{name} {value}" for name, value in values.items() if value)
            yield style.cut(f"{cell.row}: {told}", style.width)
        else:
            yield from _other_cell(cell, entry, style)
    if len(stage.entries) > IDS:
        yield f"... and {len(stage.entries) - IDS} more"


def _claim(cell: Cell, entry: Mapping[str, Any], study: StudyRows, style: Style) -> Iterator[str]:
    row = study.tables.rows(CLAIMS)[cell.row]
    yield from textwrap.wrap(
        f"{row['claim']} ({row['id']}, {row['estimand'].replace('_', ' ')})", style.width
    )
    told = _value(row) or row.get("reason", "")
    if cell.column not in FIGURES:
        told = f"{cell.column}: {cell.value or 'nothing'}"
    elif cell.column in ("low", "high"):
        told = f"{cell.value} is the {cell.column} end of {told}"
    yield from (style.bold(line) for line in style.line("value", told))
    yield from style.line("verdict", verdict(row) if row.get("direction") else "")
    if row.get("published"):
        yield from style.line("published", f"{row['published']} {row['unit']}")
    yield from style.line("formula", " ".join(filter(None, (row.get("formula"), _means(row)))))
    yield from style.line("test", _test(row))
    yield from style.line("of", entry.get("filter"))
    counted = _counts(_graded(study, "row", study.tables.sources(cell)), row)
    if not counted:
        counted = [f"{entry['rows']} rows"]
    for place, line in enumerate(counted):
        yield from style.line("" if place else "counts", line)
    yield from style.line("reason", row.get("reason"))


def _value(row: Mapping[str, str]) -> str:
    """Return a claim's value with its unit and its interval, as far as it has them."""
    if not row.get("here"):
        return ""
    unit = row["unit"]
    digits = 0 if unit in ("iteration", "levels") else 4 if unit == "loss" else 2
    here, low, high = (
        shown(float(row[name]), digits) if row.get(name) else "" for name in ("here", "low", "high")
    )
    interval = f" ({low} to {high})" if low and unit != "levels" else ""
    return f"{here} {UNITS.get(unit, unit)}{interval}"


def _means(row: Mapping[str, str]) -> str:
    """Return the first line of a formula's docstring, where the formula is one of the claims'."""
    from distil.claims.formulas import FORMULAS

    formula = FORMULAS.get(row.get("formula", ""))
    text = (formula.__doc__ or "").strip().split("\n")[0] if formula else ""
    return f"({text.rstrip('.')})" if text else ""


def _test(row: Mapping[str, str]) -> str:
    told = [row.get("test", "")]
    if row.get("p"):
        told.append(f"p {p_text(float(row['p']))}")
    if row.get("p_holm"):
        told.append(f"Holm-adjusted {p_text(float(row['p_holm']))}")
    return ", ".join(filter(None, told))


def _graded(study: StudyRows, column: str, names: Iterable[str]) -> pd.DataFrame:
    """Read the graded answers that have one of some names in a column, each once."""
    import pandas as pd

    columns = ["row", "role", "run", "problem", "level", "verdict"]
    path = study.path("answers")
    if not path.is_file():  # as of a release
        return pd.DataFrame(columns=columns)
    chosen = [(column, "in", sorted(names) or [""])]
    return pd.read_parquet(path, columns=columns, filters=chosen).drop_duplicates("row")


def _counts(asked: pd.DataFrame, claim: Mapping[str, str]) -> list[str]:
    """Tell how many of the answers behind a number are right, and how it follows from them."""
    if asked.empty:
        return []
    lines = []
    for role in ROLES:
        own = asked[asked["role"] == role]
        if own.empty:
            continue
        right, runs = int((own["verdict"] == "right").sum()), own["run"].nunique()
        by = f", by {runs} runs" if runs > 1 else ""
        levels = own["level"].dropna().unique()
        over = f" at {len(levels)} levels" if len(levels) > 1 else ""
        share = 100 * right / len(own)
        lines.append(f"{role}: {right} of {len(own)} answers right ({share:.2f} %){by}{over}")
    if equation := _pairs(asked, claim):
        lines.append(equation)
    if claim.get("n"):
        groups = f" in {claim['clusters']} groups that count as one" if claim["clusters"] else ""
        lines.append(f"{claim['n']} questions{groups if claim['clusters'] != claim['n'] else ''}")
    return lines


def _pairs(asked: pd.DataFrame, claim: Mapping[str, str]) -> str:
    """Tell a difference as pairs gained and lost, where the claim's number is just that."""
    one, two = (asked[asked["role"] == role] for role in (asked["role"].max(), "base"))
    if two.empty or claim.get("unit") != "points" or asked["role"].nunique() != 2:
        return ""
    pairs = one.merge(two[["problem", "verdict"]], on="problem", suffixes=("", "_base"))
    if len(pairs) != len(one) or two["problem"].duplicated().any():
        return ""
    right, base = pairs["verdict"] == "right", pairs["verdict_base"] == "right"
    gained, lost = int((right & ~base).sum()), int((~right & base).sum())
    value = 100 * (gained - lost) / len(pairs)
    if abs(value - float(claim["here"])) > 5e-7:  # claims.csv has ten digits
        return ""
    return (
        f"{gained} pairs gained, {lost} lost of {len(pairs)}: "
        f"100 x ({gained} - {lost}) / {len(pairs)} = {value:.2f}"
    )


def _other_cell(cell: Cell, entry: Mapping[str, Any], style: Style) -> Iterator[str]:
    if isinstance(cell.value, dict):
        yield from style.line("row", cell.address)
        told = ", ".join(f"{name} {value}" for name, value in cell.value.items() if value)
        yield from style.line("values", told)
    else:
        yield from (style.bold(line) for line in style.line("value", cell.value or "nothing"))
        yield from style.line("of", f"column {cell.column} of row {cell.row}, table {cell.table}")
    yield from style.line("formula", entry.get("formula"))
    yield from style.line("counts", f"{entry['rows']} rows")


def _content(entry: Mapping[str, Any], style: Style) -> Iterator[str]:
    """Tell a row of a file, a line for each of its columns, long ones cut."""
    yield from style.line("file", f"{entry['file']}")
    yield from style.line("sha256", entry["sha256"] or "no record has one")
    content = {key: value for key, value in entry["content"].items() if value not in (None, "")}
    wide = min(max(map(len, content), default=0), 24) + 2
    for key, value in content.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield f"{key:<{wide}}{style.cut(text, style.width - wide)}"


def _problem(chain: Chain, study: StudyRows, style: Style) -> Iterator[str]:
    path, row = study.problems[chain.target]
    yield from style.line("problem", row.get("statement_plain") or row.get("statement", ""))
    for option in row.get("options") or []:
        yield from style.line("", f"({option['label']}) {option['text']}")
    yield from style.line("answer", str(row.get("answer", "")))
    yield from style.line("read", _reading(row))
    for stage in chain.stages:
        if stage.name == "pages":
            for entry in stage.entries:
                box = " ".join(f"{edge:.0f}" for edge in entry["box"] or ())
                place = f"{entry['file']}, page {entry['page']}, box {box}"
                yield from style.line(PRINTED.get(entry["id"].partition(" ")[2], "printed"), place)
                yield from style.line("sha256", entry["sha256"])
    yield from style.line("row of", path.as_posix())
    asked = _graded(study, "problem", [chain.target])
    for place, role in enumerate(role for role in ROLES if (asked["role"] == role).any()):
        own = asked[asked["role"] == role]
        right = int((own["verdict"] == "right").sum())
        runs = "all runs, levels and checkpoints" if role == "student" else "all levels"
        told = f"{role}: {right} of {len(own)} right ({runs if len(own) > 1 else 'asked once'})"
        yield from style.line("" if place else "answers", told)


def _reading(row: Mapping[str, Any]) -> str:
    told = [str(row.get("method", ""))]
    if row.get("confidence") is not None:
        told.append(f"confidence {row['confidence']:.2f}")
    if row.get("flags"):
        told.append(f"with a doubt: {', '.join(row['flags'])}")
    if corrections := row.get("corrections"):
        fields = ", ".join(entry["field"] for entry in corrections)
        told.append(f"corrected or confirmed by people: {fields}")
    return "; ".join(filter(None, told))


def _file(chain: Chain, study: StudyRows, style: Style) -> Iterator[str]:
    entry = next((one for one in chain.stages[0].entries if one["id"] == chain.target), None)
    if entry is None:
        return
    yield from style.line("sha256", entry["sha256"] or "no record has one")
    writer = study.records.writers.get(chain.target)
    if writer is None:
        yield from style.line("made by", "no job: it was there at the start")
        return
    yield from style.line("made by", writer.job)
    yield from style.line("record", writer.path.as_posix())
    yield from style.line("script", writer.content["script"])
    yield from style.line("read", f"{len(writer.files('input'))} files")


# ------------------------------------------------------------------------------------- the chain


def _steps(stages: list[Stage], study: StudyRows, style: Style, most: int) -> Iterator[str]:
    """Tell each stage in one line: its name, how many entries, and the files that hold them."""
    wide = max(len(stage.name) for stage in stages)
    for stage in stages:
        files = list(dict.fromkeys(str(entry["file"]) for entry in stage.entries))
        short = files[0].removeprefix(f"{study.top.as_posix()}/")
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        digest = stage.entries[0]["sha256"]
        seal = f"  sha256 {digest[:8]}" if digest and not more else ""
        room = style.width - wide - 10 - len(more) - len(seal)
        yield (
            f"{stage.name:<{wide}}  {len(stage.entries):>6}  {style.cut(short, room)}{more}{seal}"
        )
        for entry in stage.entries[:most]:
            yield from _entry(entry, style)


def _entry(entry: Mapping[str, Any], style: Style) -> Iterator[str]:
    digest = (entry["sha256"] or "no record")[:12]
    yield f"    {entry['id']}"
    yield f"      {entry['file']} sha256 {digest}"
    for key, value in entry.items():
        if key not in PLACED and value is not None:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            yield f"      {key}: {style.cut(text, style.width - len(key) - 8)}"


def _example(chain: Chain, style: Style) -> Iterator[str]:
    """Tell one answer of a chain, and where its problem is printed."""
    stages = {stage.name: stage.entries for stage in chain.stages}
    answer = next(iter(stages.get("graded answers", [])), None)
    if answer is None:
        return
    grade = next((one for one in stages.get("grades", []) if one["id"] == answer["id"]), {})
    read = f", answer read {grade['extracted']}" if grade.get("extracted") else ""
    yield ""
    yield style.bold("One of the answers")
    yield f"{'answer':<{LABEL}}{answer['id']}"
    yield from style.line("", f"{answer['verdict']}{read}")
    name = f"{answer['problem']} statement"
    for page in stages.get("pages", []):
        if page["id"] == name:
            box = " ".join(f"{edge:.0f}" for edge in page["box"])
            yield from style.line("printed", f"{page['file']}, page {page['page']}, box {box}")
            yield from style.line("sha256", page["sha256"])


def _named(stage: Stage, style: Style) -> Iterator[str]:
    """Tell a stage whose entries are the answer: how many, and which, cells by their tables."""
    yield ""
    yield style.bold(f"{stage.name}: {len(stage.entries)}")
    if stage.name == "cells that rest on it":
        yield from _tables(stage, style)
        return
    ids = [str(entry["id"]) for entry in stage.entries]
    more = [f"... and {len(ids) - IDS} more"] if len(ids) > IDS else []
    yield from textwrap.wrap(
        "  ".join([*ids[:IDS], *more]),
        style.width,
        initial_indent="  ",
        subsequent_indent="  ",
        break_on_hyphens=False,
        break_long_words=False,
    )


def _tables(stage: Stage, style: Style) -> Iterator[str]:
    """Tell which claims, and how many cells of which other tables."""
    claims: dict[str, None] = {}
    others: dict[str, int] = {}
    for entry in stage.entries:
        table = Path(entry["file"]).stem
        if table == CLAIMS:
            claims[entry["id"].partition(":")[0]] = None
        else:
            others[table] = others.get(table, 0) + 1
    yield from style.line("claims", " ".join(claims))
    yield from style.line("tables", ", ".join(f"{name} {n}" for name, n in others.items()))


def _more(chain: Chain, study: StudyRows) -> Iterator[str]:
    """Tell where the rest is: every entry as JSON, and the card on the study's page."""
    name = study.records.study
    named = "" if name == "sample" else f" --study {name}"
    target, used = chain.target, ""
    if target.startswith("used by "):
        target, used = target.removeprefix("used by "), " --used-by"
    told = {"all of it": f"distil explain {target}{used} --json{named}"}
    if not used and target in study.problems:
        told["rests on"] = f"distil explain {target} --used-by{named}"
    page = study.top / "index.html"
    if page.is_file() and (address := _address(chain, study)):
        told["page"] = f"{page.as_posix()}#{address}"
    for label, text in told.items():  # never folded, so that they can be copied
        yield f"{label:<{LABEL}}{text}"


def _address(chain: Chain, study: StudyRows) -> str:
    """Return the address on the study's page of what was asked for; empty where it has none."""
    if chain.target in study.problems:
        return f"problem/{chain.target}"
    first = chain.stages[0] if chain.stages else None
    if first is not None and first.name == "cell":
        cell = study.tables.find(first.entries[0]["id"])[0]
        return cell.row if cell.table == CLAIMS else ""
    return ""
