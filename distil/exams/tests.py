"""The tests of a paper: which of them a manifest lists, and whether the paper holds just these.

A PDF may hold several tests, some of which a study leaves out (a team event, an answer sheet). A
manifest lists all of them in order:

    tests:
      - {skip: team event, title: 5-Person Team Test, pages: [1, 3], problems: 6}
      - {section: fs, title: Freshman-Sophomore Individual Test, pages: [3, 6], problems: 20}

`title` is a part of what is printed above the first problem, `pages` the pages on which problems
of the test begin, `problems` how many problems are printed. Each may be left out, and is then not
checked. A test that the list lacks is an error: no order of tests is ever assumed.

Where others published the problems of a test under other numbers than are printed, `renumbered`
gives the published number of each such problem, or null for one that they left out, and `why` the
reason. Ids follow the published numbers: printed 19 below is YEAR-js-18, printed 18
YEAR-js-unpublished-18. A row's `number` stays as printed.

      - {section: js, renumbered: {18: null, 19: 18}, why: 18 is left out and 19 the last}
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distil.exams.errors import ExamError

UNCHECKED = "unchecked"
# Recognition loses letters of a title; that many of its words must be found.
TITLE_SHARE = 0.6
# A scan may lose a problem or two, which are then listed as not found. Below this share of the
# printed number another test was read than the one that is listed.
FOUND_SHARE = 0.7
_WORD = re.compile(r"[A-Za-z]{4,}")
# What a title line says: "Junior-Senior Individual Test", "Questions for the Two-Person Speed
# Event"; not "2019 John O'Bryan Mathematical Competition", which every test of a paper repeats.
_TITLE = re.compile(r"\b(?:tests?|events?|rounds?|exams?|examination|division|paper|part)\b", re.I)


@dataclass(frozen=True)
class SeenTest:
    """A test as it was found in a paper.

    Attributes:
        rows: its problems, in the paper's order.
        heading: the lines above its first problem, one string each.
    """

    rows: tuple[dict[str, Any], ...]
    heading: tuple[str, ...]

    @property
    def pages(self) -> tuple[int, int]:
        """The pages on which its first and its last problem begin, 1-based."""
        return self.rows[0]["page"], self.rows[-1]["page"]

    @property
    def title(self) -> str:
        """The line of the heading that names the test, or its first line."""
        named = [line for line in self.heading if _TITLE.search(line) and len(line) <= 80]
        return (named or [line[:60] for line in self.heading] or ["no title"])[0]

    def told(self) -> str:
        """Say in a few words what was seen."""
        first, last = self.pages
        where = f"page {first}" if first == last else f"pages {first}-{last}"
        return f'"{self.title}" ({where}, {len(self.rows)} problems)'


def gather_tests(
    rows: Sequence[dict[str, Any]], places: Sequence[int], headings: Mapping[int, Sequence[str]]
) -> list[SeenTest]:
    """Group the problems of a paper by the test that they were found in.

    Args:
        rows: problems in the paper's order.
        places: index of the test of each.
        headings: lines above the first problem by that index.
    """
    seen: dict[int, list[dict[str, Any]]] = {}
    for row, place in zip(rows, places, strict=True):
        seen.setdefault(place, []).append(row)
    return [
        SeenTest(tuple(found), tuple(headings.get(place, ())))
        for place, found in sorted(seen.items())
    ]


def label_of(number: str) -> str:
    """Return what ends the id of a problem: `7` gives `07`, `T1` gives `t1`."""
    return number.lower() if number[0].isalpha() else number.zfill(2)


def propose_tests(seen: Sequence[SeenTest]) -> list[dict[str, Any]]:
    """Return a manifest's `tests` for what was seen, sections to be filled in by a person."""
    return [
        {
            "section": None,
            "title": test.title,
            "pages": list(test.pages),
            "problems": len(test.rows),
        }
        for test in seen
    ]


def as_yaml(listed: Sequence[Mapping[str, Any]]) -> str:
    """Write a list of tests as the lines that stand in a manifest."""
    lines = ["    tests:"]
    for test in listed:
        named = (
            f"skip: {test['skip']}" if test.get("skip") else f"section: {test['section'] or '?'}"
        )
        title = '"' + str(test["title"]).replace("\\", "").replace('"', "'") + '"'
        lines.append(
            f"      - {{{named}, title: {title}, pages: {test['pages']}, "
            f"problems: {test['problems']}}}"
        )
    return "\n".join(lines)


def assign_tests(
    seen: Sequence[SeenTest],
    listed: Sequence[Mapping[str, Any]] | str,
    *,
    year: int | None,
    paper: Path,
) -> list[dict[str, Any]]:
    """Give each problem the section of its test in the manifest, and leave out what is skipped.

    Args:
        seen: the tests of the paper, in order.
        listed: the manifest's tests, in order, or `unchecked`; `renumbered` as {printed number:
            published number or None}, in lower case.
        year: of the exam; goes into the ids.
        paper: the file, for messages.

    Returns:
        Rows with `id` and `section` set.

    Raises:
        ExamError: the paper holds another number of tests, other titles, pages or numbers of
            problems than are listed, or was not checked yet; the message says what was expected
            and what was seen, and proposes the entry.
    """
    if isinstance(listed, str):
        raise ExamError(
            paper,
            "nobody has checked yet which tests it holds",
            "look at it, name the sections (or write skip: REASON for what is no part of the "
            f"study), and put this into its entry of the manifest:\n{as_yaml(propose_tests(seen))}",
        )
    rows: list[dict[str, Any]] = []
    found: dict[int, list[SeenTest]] = {}
    for order, test in enumerate(seen):
        found.setdefault(_place_of(test, order, listed, seen, paper), []).append(test)
    for index, entry in enumerate(listed):
        tests = found.get(index, [])
        _check_number(entry, tests, seen, paper)
        if entry.get("skip"):
            continue
        renumbered = entry.get("renumbered", {})
        for row in (row for test in tests for row in test.rows):
            number = row["number"].lower()
            published = renumbered.get(number, number)
            label = f"unpublished-{number}" if published is None else label_of(published)
            parts = (year, entry["section"], label)
            rows.append(
                {
                    **row,
                    "id": "-".join(str(part) for part in parts if part is not None),
                    "section": entry["section"],
                }
            )
    return rows


def _place_of(
    test: SeenTest,
    order: int,
    listed: Sequence[Mapping[str, Any]],
    seen: Sequence[SeenTest],
    paper: Path,
) -> int:
    """Return the index of the listed test that one seen test is."""
    first = test.pages[0]
    with_pages = all(entry.get("pages") for entry in listed)
    fitting = [
        index
        for index, entry in enumerate(listed)
        if (entry["pages"][0] <= first <= entry["pages"][1] if with_pages else index == order)
    ]
    titled = [index for index in fitting if _has_title(test, listed[index].get("title"))]
    if titled:
        return titled[0]
    if fitting:
        expected = listed[fitting[0]]
        cause = f'"{expected["title"]}" is expected there, {test.told()} was seen'
    else:
        cause = f"it holds {test.told()}, which the manifest does not list"
    raise ExamError(paper, cause, _remedy(seen))


def _has_title(test: SeenTest, title: str | None) -> bool:
    if not title:
        return True
    wanted = [word.lower() for word in _WORD.findall(title)]
    heading = re.sub(r"[^a-z]", "", " ".join(test.heading).lower())
    return sum(word in heading for word in wanted) >= TITLE_SHARE * len(wanted)


def _check_number(
    entry: Mapping[str, Any], tests: Sequence[SeenTest], seen: Sequence[SeenTest], paper: Path
) -> None:
    name = f'"{entry.get("title") or entry.get("section") or entry.get("skip")}"'
    number = sum(len(test.rows) for test in tests)
    if entry.get("skip"):
        return  # whether a team event was read to its end is of no concern
    if not tests:
        raise ExamError(paper, f"{name} is listed and was not found", _remedy(seen))
    printed = entry.get("problems")
    if printed and not FOUND_SHARE * printed <= number <= printed:
        raise ExamError(
            paper,
            f"{name} has {printed} problems in the manifest, {number} were seen",
            _remedy(seen),
        )


def _remedy(seen: Sequence[SeenTest]) -> str:
    return (
        "correct its entry in the manifest, if what was seen is right; in order, the paper holds:\n"
        + as_yaml(propose_tests(seen))
    )
