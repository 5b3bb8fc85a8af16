"""Scanned papers against the release's own transcription; run by extraction.py --scans.

Scores: problems found with their number and a text at least 60 % alike; problems with every
exponent, and every fraction, of the transcription; answers of keys that are equal in canonical
form; share of problems without a flag and how many of those are right: every number equal and 97 %
of letters and digits alike. The transcription rewrites mathematics (sqrt(3), x^2, (a+b)/c), so both
sides are brought to letters and digits first.
"""

from __future__ import annotations

import difflib
import json
import re
import resource
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from distil.exams.extraction import extract
from distil.notation.answers import canonical_answer

SECTIONS = ("freshman_sophomore_test", "junior_senior_test", "two_person_speed_event")
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿˣʸ", "0123456789-+nxy")
RAISED = "".join(map(chr, SUPERSCRIPTS))
NAMES = {"pi": "π", "theta": "θ", "alpha": "α", "beta": "β"}
SPELLED = re.compile(
    r"(?<![a-z])(?:pi|theta|alpha|beta|sqrt|degrees?|angle|triangle)(?![a-z])|√", re.I
)
SHORT_WORDS = {
    "a", "an", "as", "at", "be", "by", "do", "go", "if", "in", "is", "it", "me", "no", "of", "on",
    "or", "so", "to", "up", "us", "we", "cm", "km", "ft", "st", "nd", "rd", "th",
}  # fmt: skip


def letters(text: str) -> str:
    """Return letters and digits of a text, mathematics in one spelling."""
    text = SPELLED.sub(lambda m: NAMES.get(m[0].lower(), ""), text.translate(SUPERSCRIPTS))
    return re.sub(r"[^0-9A-Za-zπθαβ]", "", text).lower()


def variables(text: str) -> Counter:
    """Return the runs of letters that are no words: names of variables and points."""
    text = SPELLED.sub(lambda m: NAMES.get(m[0].lower(), " "), text.translate(SUPERSCRIPTS))
    runs = re.findall(r"[A-Za-zπθαβ]+", text)
    return Counter(
        char
        for run in runs
        if run.lower() not in SHORT_WORDS and (len(run) <= 2 or run.isupper())
        for char in run
    )


def numbers(text: str) -> Counter:
    """Return the digits of a text, counted."""
    return Counter(re.sub(r"\D", "", text.translate(SUPERSCRIPTS)))


def alike(one: str, other: str) -> float:
    """Return how alike two texts are, 0 to 1."""
    return difflib.SequenceMatcher(None, letters(one), letters(other), autojunk=False).ratio()


POWER = re.compile(r"-?(?:\d+(?:\.\d+)?|[A-Za-z])")


def exponents(text: str) -> Counter:
    """Return the exponents of a transcription or of a plain rendering, those of exponents too."""
    text = text.replace("∛", "³√").replace("∜", "⁴√")  # as the transcription writes roots
    text = text.replace("{", "(").replace("}", ")")
    found = re.findall(rf"[{RAISED}]+", text)
    for match in re.finditer(r"\^", text):
        rest = text[match.end() :]
        power = POWER.match(rest)
        found.append(brackets(rest) if rest[:1] == "(" else power[0] if power else "")
    return Counter(letters(part) for part in found if letters(part))


def brackets(text: str) -> str:
    """Return the brackets that a text starts with and what they hold."""
    depth = 0
    for place, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if depth == 0:
            return text[: place + 1]
    return ""


PART = re.compile(rf"[0-9A-Za-zπ.√^₀-₉{RAISED}]")


def part(text: str) -> str:
    """Return the number, name, power, root or brackets that a text starts with, in any order."""
    end = 0
    while end < len(text):
        step = len(brackets(text[end:])) if text[end] == "(" else bool(PART.match(text[end]))
        if not step:
            break
        end += step
    return text[:end]


def fractions(text: str) -> Counter:
    """Return the fractions of a transcription or of a plain rendering."""
    turned = str.maketrans("()", ")(")
    found = [
        (letters(part(text[: slash.start()][::-1].translate(turned))[::-1]),
         letters(part(text[slash.end() :])))
        for slash in re.finditer(r"\s?/\s?", text)
    ]  # fmt: skip
    return Counter((above, below) for above, below in found if above and below)


def files(folder: Path) -> dict[int, list[tuple[Path, int | None]]]:
    """Return the papers by year with the index of their section, None if they hold several."""
    found: dict[int, list] = {}
    for path in sorted((folder / "Raw PDF Files").glob("*.pdf")):
        year = int(re.search(r"20\d\d", path.name)[0])
        name = path.name.lower()
        if re.search(r"\bfs\b|fr-so|fresh", name):
            section = 0
        elif re.search(r"\bjs\b|jr-sr|jr-senior", name):
            section = 1
        elif re.search(r"2-person|two-person", name):
            section = 2
        else:
            section = None
        found.setdefault(year, []).append((path, section))
    return found


def truth(folder: Path, year: int) -> list[dict[str, dict]]:
    """Return a year's transcription: a dict by number for each section."""
    data = json.loads((folder / "datafile" / f"{year}.json").read_text("utf-8"))
    out = []
    for name in SECTIONS:
        rows = {}
        for place, (key, row) in enumerate(data.get(name, {}).items(), 1):
            label = key.removeprefix("question_")
            if not row.get("question") or "content not visible" in row["question"]:
                continue
            match = re.fullmatch(r"(?:tie_?breaker_?|t)(\d)", label, re.I)
            rows[f"T{match[1]}" if match else label or str(place)] = row
        out.append(rows)
    return out


def report(
    folder: Path,
    names: list[str],
    show: bool = True,
    read: Callable[[Path], list[dict]] = extract,
) -> dict:
    """Read the papers and print the scores; return them.

    Args:
        folder: the download of the release.
        names: parts of the names of the papers to read; none: all.
        show: print what is missed, paper by paper.
        read: gives the rows of a paper.
    """
    total: Counter = Counter()
    wrong_unflagged = []
    for year, papers in files(folder).items():
        gold = truth(folder, year)
        for path, section in papers:
            if names and not any(name in path.name for name in names):
                continue
            used = processor_seconds()
            rows = read(path)
            seconds = processor_seconds() - used
            groups: dict[str, dict] = {}
            for row in rows:
                groups.setdefault(row["section"] or "", {}).setdefault(row["number"], row)
            local: Counter = Counter()
            for index in range(3) if section is None else (section,):
                best = max(
                    groups.values(),
                    key=lambda group: sum(
                        alike(group[n]["statement_plain"], row["question"])
                        for n, row in gold[index].items() if n in group
                    ),
                    default={},
                )  # fmt: skip
                for number, row in gold[index].items():
                    local += compare(mine_for(number, best), row, path, wrong_unflagged, show)
            import pypdfium2

            document = pypdfium2.PdfDocument(path)
            local["pages"] += len(document)
            document.close()
            local["ms"] += int(1000 * seconds)
            print(f"{path.name}: {line(local)}", flush=True)
            total += local
    print(f"all: {line(total)}")
    for text in wrong_unflagged:
        print(text)
    return dict(total)


def processor_seconds() -> float:
    """Return the processor time that this process and what it ran have used."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(use.ru_utime + use.ru_stime for kind in kinds for use in [resource.getrusage(kind)])


def mine_for(number: str, rows: dict[str, dict]) -> dict | None:
    """Return the row of a number; a tie-breaker may be printed as `9. (T1)`."""
    if number in rows or not number.startswith("T"):
        return rows.get(number)
    start = re.compile(rf"\(\s*{number}\s*\)", re.I)
    return next((row for row in rows.values() if start.match(row["statement_plain"])), None)


def compare(mine: dict | None, row: dict, path: Path, wrong: list[str], show: bool) -> Counter:
    """Return the counts for one problem."""
    count: Counter = Counter(items=1)
    question = row["question"]
    text = re.sub(r"^\(\s*T\d\s*\)\s*", "", mine["statement_plain"]) if mine else ""
    question = re.sub(r"^\(\s*T\d\s*\)\s*", "", question)
    if mine and mine["options"]:
        text += " ".join(f" {o['label']} {o['text']}" for o in mine["options"])
    ratio = alike(text, question)
    name = f"{path.name} {mine['number'] if mine else '?'}"
    count["found"] += ratio >= 0.6
    if show and ratio < 0.6:
        print("  MISSED", name, "|", question[:120], "|", text[:120])
    for kind, of in (("exponents", exponents), ("fractions", fractions)):
        want = of(question)
        if kind == "fractions":
            want = Counter({key: n for key, n in want.items() if len(key[0]) < 40})
        if want:
            count[f"{kind} asked"] += 1
            got = of(text)
            right = not want - got
            count[kind] += right
            if show and not right:
                print("  ", kind, name, dict(want - got), "|", text[:200], "|", question[:160])
    count["keys asked"] += 1
    equal = (
        mine is not None
        and mine["answer"] is not None
        and canonical_answer(mine["answer"]) == canonical_answer(row["answer"])
    )
    count["keys"] += equal
    if show and not equal:
        print("   key", name, repr(mine and mine["answer_raw"]), repr(row["answer"]))
    if mine:
        flags = [
            flag for flag in mine["flags"] if not flag.startswith(("key", "no_answer", "spans"))
        ]
        if not flags:
            count["unflagged"] += 1
            right = (
                ratio >= 0.97
                and numbers(text) == numbers(question)
                and variables(text) == variables(question)
            )
            count["unflagged right"] += right
            if not right:
                wrong.append(f"  UNFLAGGED {name} {ratio:.3f}\n    {text}\n    {question}")
    return count


def line(count: Counter) -> str:
    """Return counts as a line of scores."""
    parts = [f"found {count['found']}/{count['items']}"]
    for kind in ("exponents", "fractions", "keys"):
        parts.append(f"{kind} {count[kind]}/{count[f'{kind} asked']}")
    parts.append(f"unflagged {count['unflagged']}, right {count['unflagged right']}")
    parts.append(f"{count['ms'] / 1000 / max(1, count['pages']):.2f} s/page")
    return ", ".join(parts)
