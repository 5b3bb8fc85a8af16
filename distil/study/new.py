"""Study file and exam manifest made from a folder of PDFs: `distil new NAME FOLDER`.

Writes resources/NAME/exams.yaml, the manifest with each PDF's sha256, and config.NAME.yaml, a
complete study file. Nothing that exists is overwritten. Year, section and whether a file is a key
are read from the file names; what was understood is printed, and is the user's to correct.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import yaml

from distil.content.hashing import sha256_file
from distil.exams.errors import ExamError
from distil.exams.extraction import survey_safely

ROOT = Path(__file__).resolve().parents[2]
YEAR = re.compile(r"(?<!\d)((?:19|20)\d\d)(?!\d)")
KEY = re.compile(
    r"(?i)(?<![a-z])(keys?|answers?|solutions?|ans|sol|corrig[eé]s?|r[eé]ponses?|lösungen|loesungen"
    r"|respuestas|soluciones|ответы|решения)(?![a-z])"
)
# What file names call the usual sections, and what else they hold that is no section.
NAMES = {"fs": "Freshman-Sophomore", "js": "Junior-Senior", "tp": "Two-Person Speed", "all": "All"}
UNNAMED = "all"
HEADER = """\
# Made by `distil new`. docs/config.md explains every key, docs/extending.md what to change for
# another teacher or student.

"""
KNOWN = {
    "fs": r"fs|fr[-_ ]?so|fresh\w*([-_ ]?soph\w*)?",
    "js": r"js|jr[-_ ]?sr|jun\w*([-_ ]?sen\w*)?|jr[-_ ]?senior",
    "tp": r"tp|two[-_ ]?person|2[-_ ]?person",
}
NOISE = re.compile(
    r"(?i)\b(test|exam|paper|contest|competition|all|and|the|speed|final|v\d+|copy)s?\b"
)

# A word that says nothing by itself names a section with a number behind it: Contest 10, exam-2.
NUMBERED = re.compile(
    r"(?i)(?<![a-z])(test|exam|paper|contest|competition)[-_ ]*(\d{1,2}[a-z]?)(?![a-z\d])"
)


def read_name(stem: str) -> tuple[int | None, str | None, bool]:
    """Return what a file name says: year, section (None: nothing), and whether it is a key."""
    year = YEAR.search(stem)
    is_key = bool(KEY.search(stem))
    rest = KEY.sub(" ", YEAR.sub(" ", stem))
    for section, words in KNOWN.items():
        if re.search(rf"(?i)(?<![a-z])({words})(?![a-z])", rest):
            return int(year[1]) if year else None, section, is_key
    if numbered := NUMBERED.search(rest):
        return int(year[1]) if year else None, "".join(numbered.groups()).lower(), is_key
    # What is left names the section: round1, algebra; a number alone is no name.
    left = re.sub(r"[^a-z0-9]+", "", NOISE.sub(" ", rest).lower()).lstrip("0123456789")[:16]
    return int(year[1]) if year else None, left or None, is_key


def make_manifest(folder: Path, beside: Path) -> tuple[dict[str, Any], list[str]]:
    """List a folder's PDFs as a manifest.

    Args:
        folder: searched with all below it.
        beside: folder of the manifest, which its `folder` is relative to.

    Returns:
        the manifest, and a line for each file whose year could not be told.

    Raises:
        ValueError: the folder holds no PDF, or two papers of one year and section.
    """
    papers: dict[tuple[int, str], dict[str, Any]] = {}
    keys: dict[tuple[int, str], dict[str, str]] = {}
    unclear = []
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() != ".pdf":
            continue
        name = path.relative_to(folder).as_posix()
        year, section, is_key = read_name(path.stem)
        if year is None:
            unclear.append(f"{name}: no year in its name; add it to the manifest by hand")
            continue
        source = {"file": name, "sha256": sha256_file(path)}
        place = (year, section or UNNAMED)
        shelf = keys if is_key and place not in keys else papers
        if place in shelf:
            raise ValueError(
                f"{name}: a second file for {year} {place[1]} beside {shelf[place]['file']}; "
                "rename one so that year and section tell them apart"
            )
        shelf[place] = source
    for place in [place for place in keys if place not in papers]:
        papers[place] = keys.pop(place)  # "exams and solutions" in one file
    if not papers:
        raise ValueError(f"{folder}: no PDF with a year in its name; nothing to make a study of")
    rows = [
        {"year": year, "sections": [section], **source}
        | ({"key": keys[year, section]} if (year, section) in keys else {})
        for (year, section), source in sorted(papers.items())
    ]
    single_section(rows)
    return {"folder": place_of(folder, beside), "papers": rows}, unclear


def list_tests(papers: list[dict[str, Any]], folder: Path) -> list[str]:
    """Read each paper and put the tests that it holds into its entry, for a person to check.

    Args:
        papers: entries of a manifest; `sections` gives way to `tests` where a paper can be read.
        folder: of the PDFs.

    Returns:
        A line for each paper that could not be read.
    """
    unread = []
    for paper in papers:
        try:
            seen = survey_safely(folder / paper["file"])
        except ExamError as error:
            unread.append(f"{paper['file']}: its tests are not listed ({error.cause})")
            continue
        named: set[str] = set()
        tests = []
        for number, test in enumerate(seen, start=1):
            own = {key: test[key] for key in ("title", "pages", "problems")}
            section = paper["sections"][0] if len(seen) == 1 else name_section(test["title"])
            if section is None:
                tests.append({"skip": "team event", **own})
                continue
            section = section if section and section not in named else f"test{number}"
            named.add(section)
            tests.append({"section": section, **own})
        if named:
            paper["tests"] = tests
            paper["sections"] = sorted(named)
    return unread


def name_section(title: str) -> str | None:
    """Return a section for a printed title; None for a team event, "" for an unknown title."""
    if re.search(r"(?i)\bteam\b", title):
        return None
    for section, words in KNOWN.items():
        if re.search(rf"(?i)(?<![a-z])({words})(?![a-z])", title):
            return section
    return ""


def place_of(folder: Path, beside: Path) -> str:
    """Return a folder relative to another one where both are in this repository, else in full."""
    folder = folder.resolve()
    if folder.is_relative_to(Path.cwd()):
        return Path(os.path.relpath(folder, beside)).as_posix()
    return folder.as_posix()


def single_section(rows: list[dict[str, Any]]) -> None:
    """Call the one test of each year by one name, where files were named in different ways."""
    years = {row["year"] for row in rows}
    names = {row["sections"][0] for row in rows}
    if len(years) == len(rows) and len(names) > 1:
        for row in rows:
            row["sections"] = [UNNAMED]


def cut_years(years: list[int]) -> dict[str, list[int]]:
    """Cut years into earlier ones to train on, some to choose the stop on, and the latest to test.

    Raises:
        ValueError: fewer than three years.
    """
    if len(years) < 3:
        raise ValueError(
            f"only {len(years)} year(s) found; a study needs three at least: one to train on, one "
            "to choose the stop, one to report"
        )
    tested = max(1, len(years) // 4)
    chosen = max(1, len(years) // 7)
    return {
        "train": years[: -tested - chosen],
        "validation": years[-tested - chosen : -tested],
        "test": years[-tested:],
    }


def replace_block(text: str, key: str, block: str) -> str:
    """Put another block of a top key into a study file's text; the other lines stay as they are.

    Raises:
        ValueError: the text has no such key.
    """
    pattern = re.compile(rf"^{key}:.*\n(?:[ \t]+\S.*\n)*", re.M)
    text, count = pattern.subn(lambda _: block.rstrip("\n") + "\n", text, count=1)
    if not count:
        raise ValueError(f"the study file to start from has no key {key}; name a complete one")
    return text


def make_config(name: str, manifest: dict[str, Any], like: str) -> str:
    """Return a complete study file for a manifest.

    Args:
        name: of the study.
        manifest: its papers.
        like: the text of the study file to start from. All that does not depend on the papers
            stays as it is there, comments included.

    Raises:
        ValueError: fewer than three years, or `like` is no complete study file.
    """
    years = sorted({paper["year"] for paper in manifest["papers"]})
    sections = sorted({section for paper in manifest["papers"] for section in paper["sections"]})
    parts = cut_years(years)
    folds = "".join(f"    {part}: {chosen}\n" for part, chosen in parts.items())
    named = "".join(
        f"    {section}: {NAMES.get(section, section.capitalize())}\n" for section in sections
    )
    before, head, rest = like.partition("\nstudy:")
    text = head[1:] + rest if head else before
    blocks = {
        "study": f"study: {name} # names results/{name} and state/{name}",
        "title": f"title: Study of {name}",
        "published": "published: false # expected directions only: nothing was published about it",
        "exams": (
            "exams:\n  source: manifest # PDFs of a folder or of URLs\n"
            f"  manifest: resources/{name}/exams.yaml # the PDFs with their sha256\n"
            f"  years: {years}\n  sections: # section: its name in tables\n{named}"
        ),
        "problems": (
            "problems:\n  limits: {memory_mb: 2000, cpu_seconds: 600, wall_seconds: 900} "
            "# for reading one PDF\n"
            "  admit: {refuse: [empty, no_answer]} # flags that keep a problem out\n"
            "  third_reading: null # rapidocr==3.10.0 settles doubts of scans, where installed\n"
            f"  corrections: null # resources/{name}/corrections.yaml, once you have some\n"
            "  vision: null # a vision model that reads flagged problems again\n"
        ),
        "benchmarks": "benchmarks: [competition] # what the student is examined on",
        "benchmark_files": "benchmark_files: {} # benchmarks from files of your own",
        "folds": f"folds: # a year belongs to exactly one part of a fold\n  temporal:\n{folds}",
    }
    for key, block in blocks.items():
        text = replace_block(text, key, block)
    text = re.sub(
        r"^( +protocols:) .*$", r"\1 [prompt] # one adapter for all levels", text, flags=re.M
    )
    if "tp" not in sections:
        text = re.sub(r"^( +speed_section:) \S+", r"\1 null", text, flags=re.M)
    # What only typeset exams know: the template and the wording of each question.
    text = re.sub(r"^( +clusters:) template\b", r"\1 text", text, flags=re.M)
    text = re.sub(r"^( +strata:) wording\b", r"\1 null", text, flags=re.M)
    # The exams belong to whoever wrote them.
    text = re.sub(r"^( +include_statements:) true\b", r"\1 false", text, flags=re.M)
    return HEADER + text


def check_arguments(name: str, folder: Path, like: Path) -> None:
    """Refuse a name that cannot name a study, or a folder or file that is not there.

    Raises:
        ValueError: says which, and why.
    """
    if not re.fullmatch("[a-z0-9][a-z0-9-]{0,31}", name):
        raise ValueError(f"{name}: a name is a to z, 0 to 9 and hyphens, at most 32")
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder")
    if not like.is_file():
        raise ValueError(f"{like}: no such study file; start from config.yaml or another one")


def check_free(name: str, files: list[Path]) -> None:
    """Refuse a name that is taken: its results would mix with another study's.

    Raises:
        FileExistsError: names the file in the way.
    """
    for path in files:
        if path.exists():
            raise FileExistsError(f"{path} is there already; remove it, or take another name")
    for path in sorted(Path.cwd().glob("config*.yaml")):
        if re.search(rf"^study: *{re.escape(name)}(\s|$)", path.read_text(encoding="utf-8"), re.M):
            raise FileExistsError(f"{path.name} is a study of that name; take another one")


def write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet.

    Raises:
        FileExistsError: it is there; nothing is overwritten.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8") as stream:
        stream.write(text)


def manifest_text(manifest: dict[str, Any]) -> str:
    """Return a manifest as YAML."""
    header = "# The papers; docs/extending.md explains the fields.\n"
    papers = [
        {key: value for key, value in paper.items() if key != "sections" or "tests" not in paper}
        for paper in manifest["papers"]
    ]
    manifest = {**manifest, "papers": papers}
    return header + yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True, width=100)


def summary(name: str, manifest: dict[str, Any], unclear: list[str]) -> str:
    """Return what was understood, and what to type next."""
    papers = manifest["papers"]
    config = f"config.{name}.yaml"
    parts = cut_years(sorted({paper["year"] for paper in papers}))
    lines = [f"resources/{name}/exams.yaml: {len(papers)} papers; correct it where it is wrong"]
    for paper in papers:
        key = f", its key: {paper['key']['file']}" if "key" in paper else ""
        lines.append(f"  {paper['year']} {' '.join(paper['sections'])}: {paper['file']}{key}")
        for test in paper.get("tests", []):
            what = f"skipped ({test['skip']})" if "skip" in test else test["section"]
            lines.append(f'      {what}: {test["problems"]} problems, "{test["title"]}"')
    lines += [f"  not taken: {line}" for line in unclear]
    lines.append(
        f"{config}: trains on {parts['train']}, chooses the stop on {parts['validation']}, "
        f"tests on {parts['test']}"
    )
    first = f"results/{name}/problems/{papers[0]['year']}.jsonl"
    lines += [
        "Next:",
        f"  .venv/bin/snakemake --cores 1 {first} --configfile {config}",
        f"  .venv/bin/distil review --study {name}    # every year; what to look at, on one page",
        f"  .venv/bin/distil check {name}    # what is still missing: teacher, student, files",
        f"  make reproduce STUDY={name}    # the whole study, once teacher and student are yours",
    ]
    return "\n".join(lines)


def make_study(name: str, folder: Path, like: Path = ROOT / "config.yaml") -> str:
    """Write manifest and study file, and return what was understood and what is next.

    Args:
        name: of the study.
        folder: of PDFs.
        like: the study file to start from.

    Raises:
        ValueError, FileExistsError: the message says what is in the way; nothing is written.
    """
    manifest_path = Path("resources", name, "exams.yaml")
    config_path = Path(f"config.{name}.yaml")
    check_arguments(name, folder, like)
    check_free(name, [manifest_path, config_path])
    manifest, unclear = make_manifest(folder, manifest_path.parent)
    unclear += list_tests(manifest["papers"], folder)
    config = make_config(name, manifest, like.read_text(encoding="utf-8"))
    write_new(manifest_path, manifest_text(manifest))
    write_new(config_path, config)
    return summary(name, manifest, unclear)
