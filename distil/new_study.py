"""Make a study from a folder of PDFs: `python -m distil.new_study NAME FOLDER`.

Writes resources/NAME/exams.yaml, the manifest with each PDF's sha256, and config.NAME.yaml, a
complete study file. Nothing that exists is overwritten. Year and section are read from the file
names; what could not be told is said, and is the user's to write.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path
from typing import Any

import yaml

from distil.hashing import sha256_file

ROOT = Path(__file__).resolve().parent.parent
YEAR = re.compile(r"(?<!\d)((?:19|20)\d\d)(?!\d)")
KEY = re.compile(r"(?i)(?<![a-z])(keys?|answers?|solutions?|ans|sol)(?![a-z])")
# What file names call the usual sections, and what else they hold that is no section.
KNOWN = {
    "fs": r"fs|fr[-_ ]?so|fresh\w*([-_ ]?soph\w*)?",
    "js": r"js|jr[-_ ]?sr|jun\w*([-_ ]?sen\w*)?|jr[-_ ]?senior",
    "tp": r"tp|two[-_ ]?person|2[-_ ]?person",
}
NOISE = re.compile(
    r"(?i)\b(test|exam|paper|contest|competition|all|and|the|speed|final|v\d+|copy)s?\b"
)


def read_name(stem: str) -> tuple[int | None, str | None, bool]:
    """Return what a file name says: year, section (None: nothing), and whether it is a key."""
    year = YEAR.search(stem)
    is_key = bool(KEY.search(stem))
    rest = KEY.sub(" ", YEAR.sub(" ", stem))
    for section, words in KNOWN.items():
        if re.search(rf"(?i)(?<![a-z])({words})(?![a-z])", rest):
            return int(year[1]) if year else None, section, is_key
    left = re.sub(r"[^a-z]+", "", NOISE.sub(" ", rest).lower())[:8]
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
        place = (year, section or "all")
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
    return {"folder": os.path.relpath(folder, beside), "papers": rows}, unclear


def make_config(name: str, manifest: dict[str, Any]) -> dict[str, Any]:
    """Return a complete study file for a manifest: the full study's, on these years and sections.

    Raises:
        ValueError: fewer than three years.
    """
    config = yaml.safe_load((ROOT / "config.paper.yaml").read_text(encoding="utf-8"))
    years = sorted({paper["year"] for paper in manifest["papers"]})
    if len(years) < 3:
        raise ValueError(
            f"only {len(years)} year(s) found; a study needs three at least: one to train on, one "
            "to choose the stop, one to report"
        )
    tested = max(1, len(years) // 4)
    chosen = max(1, len(years) // 7)
    sections = sorted({section for paper in manifest["papers"] for section in paper["sections"]})
    config |= {
        "study": name,
        "title": f"Study of {name}",
        "published": False,
        "benchmarks": ["competition"],
        "benchmark_files": {},
        "folds": {
            "temporal": {
                "train": years[: -tested - chosen],
                "validation": years[-tested - chosen : -tested],
                "test": years[-tested:],
            }
        },
    }
    config["exams"] = {
        "source": "manifest",
        "manifest": f"resources/{name}/exams.yaml",
        "years": years,
        "sections": {section: section.upper() for section in sections},
    }
    config["adapters"]["protocols"] = ["prompt"]
    return config


def check_arguments(name: str, folder: Path) -> None:
    """Refuse a name that cannot name a study, or a folder that is not there.

    Raises:
        ValueError: says which, and why.
    """
    if not re.fullmatch("[a-z0-9][a-z0-9-]{0,31}", name):
        raise ValueError(f"{name}: a name is a to z, 0 to 9 and hyphens, at most 32")
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder")


def write_new(path: Path, header: str, content: dict[str, Any]) -> None:
    """Write a YAML file that is not there yet.

    Raises:
        FileExistsError: it is there; nothing is overwritten.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    text = header + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)
    with path.open("x", encoding="utf-8") as stream:
        stream.write(text)


def main(arguments: list[str] | None = None) -> int:
    """Write manifest and study file, and say what is left to do."""
    parser = argparse.ArgumentParser(prog="python -m distil.new_study", description=__doc__)
    parser.add_argument("name", help="of the study: a to z, 0 to 9, hyphens")
    parser.add_argument("folder", type=Path, help="the folder of PDFs")
    options = parser.parse_args(arguments)
    manifest_path = Path("resources", options.name, "exams.yaml")
    config_path = Path(f"config.{options.name}.yaml")
    try:
        check_arguments(options.name, options.folder)
        manifest, unclear = make_manifest(options.folder, manifest_path.parent)
        config = make_config(options.name, manifest)
        write_new(manifest_path, "# The papers; docs/extending.md explains the fields.\n", manifest)
        write_new(config_path, "# Every key is explained in docs/config.md.\n", config)
    except (ValueError, FileExistsError) as error:
        print(f"new_study: {error}", file=sys.stderr)
        return 1
    print(f"{manifest_path}: {len(manifest['papers'])} papers")
    for line in unclear:
        print(f"  {line}")
    print(f"{config_path}: check sections and folds, and fill in teacher and student")
    year = config["exams"]["years"][0]
    print(
        f"read one year: snakemake --cores 1 --configfile {config_path} "
        f"results/{options.name}/problems/{year}.jsonl"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
