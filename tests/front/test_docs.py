"""The documentation: its commands exist, its links hold, and it builds as a site without warnings.

A block marked `bash` shows what a reader types with names of their own: each command in it must exist with
its options. A block marked `sh` runs as it stands, in tests/front/test_finished_docs.py.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import yaml
from PIL import Image

from distil.cli import app
from docs import pages

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "config" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
BLOCK = re.compile(r"^ *```(?P<kind>\w*)\n(?P<text>.*?)^ *```$", re.M | re.S)
INLINE = re.compile(r"`((?:distil|make) [^`]+)`")
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
COMMANDS = typer.main.get_command(app).commands


def blocks(path: Path, kind: str) -> list[str]:
    """Return the lines of all blocks of a kind, comments and continued lines put right."""
    lines = []
    for match in BLOCK.finditer(path.read_text(encoding="utf-8")):
        if match["kind"] == kind:
            lines += match["text"].replace("\\\n", " ").splitlines()
    return [line.partition(" #")[0].strip() for line in lines if line.strip()]


def typed(path: Path) -> list[str]:
    """Return every command of a page, in blocks and in lines."""
    text = path.read_text(encoding="utf-8")
    found = [line for kind in ("sh", "bash") for line in blocks(path, kind)]
    found += [" ".join(line.split()) for line in INLINE.findall(BLOCK.sub("", text))]
    return [part.strip() for line in found for part in re.split(r"&&|\|", line)]


def check_distil(words: list[str]) -> None:
    """Hold a command line against the command that it calls."""
    names = [word for word in words[1:] if not word.startswith("-")]
    if not names or names[0] == "COMMAND":
        return
    assert names[0] in COMMANDS, f"no command distil {names[0]}"
    known = {opt for each in COMMANDS[names[0]].params for opt in each.opts} | {"--help", "--study"}
    for word in words[1:]:
        if word.startswith("-"):
            assert word.partition("=")[0] in known, f"distil {names[0]} has no option {word}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_every_command_that_a_page_names_exists(path):
    for line in typed(path):
        words = shlex.split(re.sub(r"[>;].*", "", line))
        if words[:1] and Path(words[0]).name == "distil":
            check_distil(words)
        elif words[:1] == ["make"] and len(words) > 1:
            assert words[1] in TARGETS, f"{path.name}: make {words[1]}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_every_link_to_a_file_leads_somewhere(path):
    for target in re.findall(r"\]\(([^)#\s]+)", path.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_every_page_that_a_message_or_a_comment_names_exists():
    sources = [path for top in ("distil", "scripts", "rules") for path in (ROOT / top).rglob("*.*")]
    sources += [
        *ROOT.glob("config*.yaml"),
        *(ROOT / "resources").rglob("*.yaml"),
        ROOT / "Makefile",
    ]
    for path in sources:
        if path.suffix in (".py", ".smk", ".yaml", ""):
            for name in re.findall(r"docs/[\w-]+\.md", path.read_text(encoding="utf-8")):
                assert (ROOT / name).is_file(), f"{path.relative_to(ROOT)}: {name}"


def test_the_reference_is_that_of_the_commands_of_the_schema_and_of_the_tables():
    from distil.study.config import reference

    made = {"commands.md": pages.commands(), "config.md": reference(), "tables.md": pages.tables()}
    for name, text in made.items():
        assert (ROOT / "docs" / name).read_text(encoding="utf-8") == text, f"docs/{name}: make docs"


def test_the_pictures_show_the_claims_of_the_readme():
    found = pages.TRANSCRIPT.search((ROOT / "README.md").read_text(encoding="utf-8"))
    shown = pages.claims_sha256(found[0].removeprefix(found[1]).removesuffix(found[2]))
    for name in pages.PICTURES:
        with Image.open(ROOT / "docs" / name) as picture:
            assert picture.text.get(pages.SHOWN) == shown, f"docs/{name} is old: make pictures"


def test_pictures_of_a_study_that_is_not_finished_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="run the study sample first"):
        pages.write_pictures()
    (tmp_path / "results" / "sample").mkdir(parents=True)
    (tmp_path / "results" / "sample" / "index.html").touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match="apt-get install chromium"):
        pages.write_pictures()


def key_paths(value: object, prefix: str = "") -> set[str]:
    """Return the dotted keys of a mapping, those of mappings in it included."""
    if not isinstance(value, dict):
        return set()
    found = set()
    for key, inner in value.items():
        found |= {f"{prefix}{key}", *key_paths(inner, f"{prefix}{key}.")}
    return found


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_every_key_of_a_study_file_that_a_page_shows_exists(path):
    reference = (ROOT / "docs" / "config.md").read_text(encoding="utf-8")
    known = {
        re.compile(re.escape(key).replace("NAME", r"[^.]+"))
        for key in re.findall(r"^\| `([^`]+)`", reference, re.M)
    }
    sections = {key.pattern for key in known if "." not in key.pattern}
    for match in BLOCK.finditer(path.read_text(encoding="utf-8")):
        if match["kind"] != "yaml":
            continue
        shown = yaml.safe_load(match["text"])
        if isinstance(shown, dict) and shown.keys() & sections:
            for key in key_paths(shown):
                assert any(each.fullmatch(key) for each in known), f"{path.name}: {key}"


def test_the_tree_of_the_readme_is_that_of_the_repository():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    tree = re.search(r"## What is in the repository\n\n```\n(.*?)```", text, re.S)[1]
    rooms = {path.parent.name for path in (ROOT / "distil").glob("*/__init__.py")}
    named = set(re.findall(r"\b(\w+)/", tree))
    assert rooms <= named, rooms - named
    for line in tree.splitlines():
        name = line.split()[0]
        if not line.startswith(" ") and "*" not in name and "STUDY" not in name:
            assert (ROOT / name).exists(), name


def test_every_word_of_the_readme_that_the_glossary_should_hold_is_there():
    glossary = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").lower()
    for word in (
        "estimand", "held out", "in sample", "stop", "nested", "pilot", "seed", "horizon", "level",
        "fold", "variant", "trace", "cluster", "cell", "record", "anchor",
    ):  # fmt: skip
        assert re.search(rf"^(?:{word}|    - [`*]{word})|\*{word}\*", glossary, re.M), word


def test_the_site_builds_offline_and_without_a_warning(tmp_path):
    nowhere = "http://127.0.0.1:9"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "http_proxy": nowhere, "https_proxy": nowhere},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    for page in ("index.html", "tutorial.html", "glossary.html", "matrix.html"):
        text = (tmp_path / "site" / page).read_text(encoding="utf-8")
        assert not re.search(
            r'(?:src|href)="https?://(?!squidfunk)', re.sub(r"<a [^>]*>", "", text)
        )
    assert not list((tmp_path / "site").rglob("*.py"))
