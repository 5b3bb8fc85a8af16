"""The problems of a study for use elsewhere: table, JSON Lines, Moodle quiz or typeset paper.

The kind of file is told by its ending: `.csv`, `.jsonl`, `.gift` (Moodle's and other systems' quiz
format) or `.pdf` (typeset by typst, the answers on pages of their own). A problem with a figure or
a table, which its text does not hold, is shown in the PDF as the picture cut from its exam.
"""

from __future__ import annotations

import csv
import html
import io
import json
import re
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distil.content.files import read_jsonl, write_atomically
from distil.notation.plain import plain
from distil.notation.typesetting import NotTypesetError, split, to_typst
from distil.review.crops import read_crops

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Sequence

TEMPLATE = Path(__file__).resolve().parents[2] / "resources" / "problem-bank.typ"
# Flags of problems that lack something which only the picture shows.
PICTURED = {"figure", "table"}
COLUMNS = (
    "id", "year", "section", "number", "statement", "statement_latex", "options", "answer",
    "answer_latex", "flags",
)  # fmt: skip
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_GIFT_SPECIAL = re.compile(r"([~=#{}:\\])")


def read_bank(
    study: str, years: Sequence[int] = (), sections: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Return the problems of a study, sorted by id.

    Args:
        study: its name.
        years: only these; none for all.
        sections: only these; none for all.

    Raises:
        FileNotFoundError: the exams have not been read yet, or nothing is left.
    """
    folder = Path("results", study, "problems")
    rows = [row for path in sorted(folder.glob("*.jsonl")) for row in read_jsonl(path)]
    if not rows:
        message = "no problems yet; run: distil review"
        if read := [
            row for path in folder.parent.glob("extractions/*.jsonl") for row in read_jsonl(path)
        ]:
            flags = Counter(flag for row in read for flag in row["flags"])
            often = ", ".join(f"{flag} ({count})" for flag, count in flags.most_common(3))
            message = (
                f"all {len(read)} problems that were read are kept out by problems.admit in the "
                f"study file; their flags: {often}"
            )
        raise FileNotFoundError(2, message, folder.as_posix())
    there = {(row["year"], row["section"]) for row in rows}
    rows = [
        row
        for row in rows
        if (not years or row["year"] in years) and (not sections or row["section"] in sections)
    ]
    if not rows:
        known = ", ".join(sorted(f"{year} {section or ''}".strip() for year, section in there))
        message = f"no problem of these years and sections; there are {known}"
        raise FileNotFoundError(2, message, folder.as_posix())
    return sorted(rows, key=lambda row: row["id"])


def write_bank(rows: Sequence[dict[str, Any]], path: Path, study: str, key: bool = True) -> str:
    """Write problems to a file, and return a line that says what was written.

    Args:
        rows: from `read_bank`.
        path: its ending tells the kind.
        study: its name, for pictures.
        key: whether answers are written.

    Raises:
        ValueError: the ending is not known.
    """
    if path.suffix not in WRITERS:
        raise ValueError(f"{path}: the ending tells the kind; give one of {', '.join(WRITERS)}")
    data, note = WRITERS[path.suffix](rows, study, key)
    write_atomically(path, data)
    return f"{path}: {len(rows)} problems{note}"


def table(rows: Iterable[dict[str, Any]], _: str, key: bool) -> tuple[bytes, str]:
    """Return problems as CSV with a mark that lets spreadsheets read it as UTF-8."""
    text = io.StringIO()
    columns = [name for name in COLUMNS if key or not name.startswith("answer")]
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\r\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(
            {
                **row,
                "statement": row["statement_plain"],
                "statement_latex": row["statement"],
                "options": "; ".join(
                    f"{o['label']}: {plain(o['text'])}" for o in row["options"] or []
                ),
                "answer": plain(row["answer"] or ""),
                "answer_latex": row["answer"],
                "flags": " ".join(row["flags"]),
            }
        )
    return text.getvalue().encode("utf-8-sig"), ""


def lines(rows: Iterable[dict[str, Any]], _: str, key: bool) -> tuple[bytes, str]:
    """Return problems as JSON Lines, with all that is known of each."""
    kept = [
        {name: value for name, value in row.items() if key or not name.startswith("answer")}
        for row in rows
    ]
    text = "".join(json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n" for row in kept)
    return text.encode(), ""


# ------------------------------------------------------------------------------------------- GIFT


def gift(rows: Sequence[dict[str, Any]], study: str, key: bool) -> tuple[bytes, str]:
    r"""Return problems in GIFT, mathematics in `\( \)` as Moodle's filter for it reads it.

    Numbers become numerical questions, options multiple choice, other answers short answers. What
    has no answer becomes an essay, which a person marks.
    """
    parts, category = [], None
    for row in rows:
        if (place := f"{row['year']} {row['section'] or ''}".strip()) != category:
            category = place
            parts.append(f"$CATEGORY: {study}/{place}\n")
        parts.append(f"::{row['id']}::[html]{gift_text(row['statement'])}{{{answers(row, key)}}}\n")
    left_out = sum(bool(PICTURED & set(row["flags"])) for row in rows)
    note = f"; the figures or tables of {left_out} are left out" if left_out else ""
    return "\n".join(parts).encode(), note


def gift_text(latex: str) -> str:
    """Return a text as HTML with its mathematics marked and GIFT's own signs escaped."""
    pieces = ((html.escape(piece, quote=False), kind) for piece, kind in split(latex))
    marked = "".join(rf"\({piece}\)" if kind else piece for piece, kind in pieces)
    return _GIFT_SPECIAL.sub(r"\\\1", marked)


def answers(row: dict[str, Any], key: bool) -> str:
    """Return the answers of a problem as they stand between braces."""
    answer = row["answer"]
    if not key or not answer:
        return ""
    if row["options"]:
        right = {answer, answer.strip("()")}
        if right & {option["label"] for option in row["options"]}:
            return "".join(
                f"{'=' if option['label'] in right else '~'}{gift_text(option['text'])} "
                for option in row["options"]
            ).strip()
    if _NUMBER.fullmatch(answer):
        return f"#{answer}:0"
    spellings = dict.fromkeys((plain(answer), answer))
    return " ".join("=" + _GIFT_SPECIAL.sub(r"\\\1", each) for each in spellings)


# -------------------------------------------------------------------------------------------- PDF


def paper(rows: Sequence[dict[str, Any]], study: str, key: bool) -> tuple[bytes, str]:
    """Return problems typeset; what typst cannot set as mathematics is set as plain text."""
    import typst

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        pictures = write_pictures(rows, study, folder)
        source = folder / "main.typ"
        source.write_bytes(TEMPLATE.read_bytes())

        def typeset(chosen: Sequence[dict[str, Any]], plainly: Container[str] = ()) -> bytes:
            questions = [
                question(
                    row, plain_text if row["id"] in plainly else set_text, pictures.get(row["id"])
                )
                for row in chosen
            ]
            content = json.dumps({"title": study, "key": key, "questions": questions})
            inputs = {"bank": content}
            return typst.compile(
                str(source), format="pdf", sys_inputs=inputs, ignore_system_fonts=True
            )

        try:
            return typeset(rows), ""
        except typst.TypstError:
            refused = []
        for row in rows:  # one at a time, to find those whose mathematics typst refuses
            try:
                typeset([row])
            except typst.TypstError:
                refused.append(row["id"])
        return typeset(rows, refused), f"; set as plain text: {', '.join(refused)}"


def write_pictures(rows: Iterable[dict[str, Any]], study: str, folder: Path) -> dict[str, str]:
    """Write the pictures of problems that their text does not hold, and return {id: file name}."""
    wanted = {row["id"]: row["year"] for row in rows if PICTURED & set(row["flags"])}
    found = {}
    for year in sorted(set(wanted.values())):
        path = Path("results", study, "crops", f"{year}.parquet")
        crops = read_crops(path) if path.is_file() else {}
        for name in [name for name, its in wanted.items() if its == year]:
            if crop := crops.get((name, "statement")):
                (folder / f"{name}.png").write_bytes(crop["png"])
                found[name] = f"{name}.png"
    return found


def question(
    row: dict[str, Any], markup: Callable[[str], str], picture: str | None
) -> dict[str, Any]:
    """Return a problem as the template takes it."""
    return {
        "year": row["year"],
        "section": row["section"] or "",
        "number": str(row["number"]),
        "text": markup(row["statement"]),
        "picture": picture,
        "options": [
            {"label": option["label"], "text": markup(option["text"])}
            for option in row["options"] or []
        ],
        "answer": markup(row["answer"] or "no answer is known"),
    }


def set_text(latex: str) -> str:
    """Return a text as typst markup, its mathematics set; plain where a command is not known."""
    try:
        return "".join(
            f"${to_typst(piece.strip())}$" if kind else escaped(piece)
            for piece, kind in split(latex)
        )
    except NotTypesetError:
        return plain_text(latex)


def plain_text(latex: str) -> str:
    """Return a text as typst markup, its mathematics as one would type it."""
    return escaped(plain(latex))


def escaped(text: str) -> str:
    """Escape what typst's markup would take for its own signs."""
    return re.sub(r"([\\#*_@<>`$\[\]~=+\-/])", r"\\\1", text)


WRITERS: dict[str, Callable[..., tuple[bytes, str]]] = {
    ".csv": table, ".jsonl": lines, ".gift": gift, ".pdf": paper,
}  # fmt: skip
