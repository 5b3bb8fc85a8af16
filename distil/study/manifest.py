"""The manifest of exam papers: the PDFs of a study, their sha256 and the tests that each holds.

    folder: pdfs
    papers:
      - year: 2024
        file: 2024 All Tests and Answers.pdf
        sha256: 4b6a...
        tests:
          - {skip: team event, title: 5-Person Team Test, pages: [1, 3], problems: 6}
          - {section: fs, title: Freshman-Sophomore Individual Test, pages: [3, 6], problems: 20}

`origin`, beside `folder`, is the address of a folder on the web that holds files of these names;
`distil fetch` takes them from there. `sections: [fs]` is short for a list of tests of which nothing
is checked but their number. `tests: unchecked`, beside `sections`, marks a paper that nobody has
looked at yet: reading it stops with a proposal of its tests. `renumbered`, in a test, says which
problems others published under another number (distil/exams/tests.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from distil.exams.tests import UNCHECKED

_FIELDS = {"section", "skip", "title", "pages", "problems", "renumbered", "why"}
_NUMBER = re.compile(r"t?[1-9]\d{0,2}")


def read_manifest(
    path: str | Path,
    years: Sequence[int],
    sections: Sequence[str],
    folder: Path | None = None,
) -> dict[str, dict[str, Any]]:
    """Read an exam manifest.

    Args:
        path: a YAML file: `papers`, a list of {year, file or url, sha256, sections or tests, key};
            `key` is {file or url, sha256} where the answers are in a second file. Files are
            relative to the manifest's folder, or to its `folder`.
        years: the study's years.
        sections: the study's sections.
        folder: where the files are, if not where the manifest says.

    Returns:
        The entries by paper name (YEAR-SECTION...), each with `sections`, `tests` and `key` (None
        if it has none).

    Raises:
        ValueError: an entry is wrong; the message names manifest, entry, field and remedy.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such manifest; see docs/extending.md")
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or not isinstance(content.get("papers"), list):
        raise ValueError(  # noqa: TRY004
            f"{path}: papers: is missing; list the papers there (docs/extending.md)"
        )
    folder = folder or path.parent / content.get("folder", "")
    papers: dict[str, dict[str, Any]] = {}
    for number, entry in enumerate(content["papers"], start=1):
        where = f"{path}: paper {number}"
        if not isinstance(entry, dict):
            raise ValueError(  # noqa: TRY004
                f"{where}: write it as a mapping: {{year, file, sha256, tests}}"
            )
        if entry.get("year") not in years:
            raise ValueError(f"{where}: year: {entry.get('year')} is not in exams.years; add it")
        entry = {**entry, **_tests(entry, sections, where), "key": entry.get("key")}
        for source in filter(None, (entry, entry["key"])):
            _check_source(source, where)
            if source.get("file"):
                source["file"] = (folder / source["file"]).as_posix()
        name = "-".join([str(entry["year"]), *entry["sections"]])
        if name in papers:
            raise ValueError(
                f"{where}: a second paper for {name}; drop one, or name other sections"
            )
        papers[name] = entry
    if missing := sorted(set(years) - {entry["year"] for entry in papers.values()}):
        raise ValueError(
            f"{path}: no paper for {missing}; add one, or drop the year in exams.years"
        )
    return papers


def read_origin(path: str | Path) -> str | None:
    """Return the address of the folder that a manifest's files come from, if it names one."""
    content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    return content.get("origin") if isinstance(content, dict) else None


def _check_source(source: Mapping[str, Any], where: str) -> None:
    if bool(source.get("file")) == bool(source.get("url")):
        raise ValueError(f"{where}: give either file or url, for the paper and for its key")
    if not re.fullmatch("[0-9a-f]{64}", str(source.get("sha256"))):
        raise ValueError(f"{where}: sha256: is missing or wrong; take it from: sha256sum FILE")


def _tests(entry: Mapping[str, Any], sections: Sequence[str], where: str) -> dict[str, Any]:
    """Return a paper's `sections` and `tests`."""
    tests = entry.get("tests")
    if tests is None or tests == UNCHECKED:
        named = entry.get("sections")
        if not named or not isinstance(named, list) or set(named) - set(sections):
            raise ValueError(
                f"{where}: sections: {named}; name one or more of {', '.join(sections)}, in the "
                "order in which the PDF holds them, or list its tests (docs/extending.md)"
            )
        listed = UNCHECKED if tests else [{"section": section} for section in named]
        return {"sections": named, "tests": listed}
    if entry.get("sections"):
        raise ValueError(f"{where}: give either sections or tests; drop sections")
    if not isinstance(tests, list) or not tests:
        raise ValueError(
            f"{where}: tests: is no list; write one line a test, {{section, title, pages, "
            f"problems}} or {{skip, title, pages}}, or {UNCHECKED}"
        )
    for number, test in enumerate(tests, start=1):
        _check_test(test, sections, f"{where}: test {number}")
    named = list(dict.fromkeys(test["section"] for test in tests if not test.get("skip")))
    if not named:
        raise ValueError(f"{where}: every test is skipped; drop the paper")
    for number, test in enumerate(tests, start=1):
        if "renumbered" in test:
            test["renumbered"] = _renumbered(test, f"{where}: test {number}")
    return {"sections": named, "tests": tests}


def _check_test(test: Any, sections: Sequence[str], where: str) -> None:
    if not isinstance(test, dict) or set(test) - _FIELDS:
        unknown = sorted(set(test) - _FIELDS) if isinstance(test, dict) else test
        raise ValueError(f"{where}: {unknown} is unknown; write {', '.join(sorted(_FIELDS))}")
    if bool(test.get("section")) == bool(test.get("skip")):
        raise ValueError(f"{where}: give either section or skip (with the reason)")
    if test.get("section") and test["section"] not in sections:
        raise ValueError(
            f"{where}: section: {test['section']} is not in exams.sections; "
            f"write one of {', '.join(sections)}"
        )
    pages = test.get("pages")
    if pages is not None and not (
        isinstance(pages, list)
        and len(pages) == 2
        and all(isinstance(page, int) and page > 0 for page in pages)
        and pages[0] <= pages[1]
    ):
        raise ValueError(f"{where}: pages: {pages}; write [first, last], counted from 1")
    problems = test.get("problems")
    if problems is not None and (
        isinstance(problems, bool) or not isinstance(problems, int) or problems < 1
    ):
        raise ValueError(f"{where}: problems: {problems}; write how many are printed")
    if "why" in test and "renumbered" not in test:
        raise ValueError(f"{where}: why: goes with renumbered; drop it")


def _renumbered(test: Mapping[str, Any], where: str) -> dict[str, str | None]:
    """Return the published number of each printed one that is another, as lower-case text."""
    where = f"{where}: renumbered"
    given = test["renumbered"]
    if not isinstance(given, dict) or not given or test.get("skip"):
        raise ValueError(
            f"{where}: {given}; write {{printed: published}}, null for a problem that was not "
            "published, in a test with a section"
        )
    if not isinstance(test.get("why"), str) or not test["why"].strip():
        raise ValueError(f"{where}: why: is missing; say why the numbers differ")
    numbers = {
        str(printed).lower(): None if published is None else str(published).lower()
        for printed, published in given.items()
    }
    printed = test.get("problems")
    for number in filter(None, (*numbers, *numbers.values())):
        if not _NUMBER.fullmatch(number):
            raise ValueError(f"{where}: {number} is no number of a problem; write it as 7 or t1")
    for number, published in numbers.items():
        if printed and number.isdigit() and int(number) > printed:
            raise ValueError(f"{where}: {number}: the test has {printed} printed problems")
        if published and list(numbers.values()).count(published) > 1:
            raise ValueError(f"{where}: published {published} stands twice; keep one")
        other = published and published.isdigit() and (not printed or int(published) <= printed)
        if other and published not in numbers:
            raise ValueError(
                f"{where}: published {published} would stand for printed {published} and {number}; "
                f"say which number printed {published} was published under, or null"
            )
    return numbers
