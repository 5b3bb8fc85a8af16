"""Pages and parts of pages that commands make: `python -m docs.pages readme` and so on.

- `readme`: the end of a run of the sample study, as the terminal shows it, into README.md.
- `reference`: docs/config.md, every key of a study file, docs/commands.md, every command, and
  docs/tables.md, every column of the tables and every field of the records.
- `pictures`: the pictures of the page of the sample study, which needs Chromium. Each names the
  claims that it shows in a text chunk, so that a test can tell when it is old.
"""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ROOT = Path(__file__).resolve().parents[1]
TRANSCRIPT = re.compile(r"(<!-- transcript: [^>]*-->\n).*?(<!-- end of transcript -->)", re.S)
# As wide as a page of code is shown on a repository's web page.
WIDTH = 90
# The pictures in docs/, each with the address on the page that it shows and what must be there.
PICTURES = {
    "page.png": ("", "a.claim"),
    "card.png": ("C4/held_out/2022-fs-02/seed-1", ".card .verdict-line"),
}
WINDOW = {"width": 1280, "height": 900}
# The key of the text chunk that names the claims of a picture.
SHOWN = "claims_sha256"


def transcript(study: str = "sample") -> str:
    """Return what a run of a study ends with, as a block of a page."""
    from distil.report.terminal import closing_text

    return f"```\n{closing_text(study, WIDTH)}\n```\n"


def with_transcript(text: str, block: str) -> str:
    """Return a page with another transcript between its marks."""
    return TRANSCRIPT.sub(lambda match: f"{match[1]}{block}{match[2]}", text)


def write_readme() -> None:
    """Put the end of the sample study's run into the README."""
    path = ROOT / "README.md"
    path.write_text(
        with_transcript(path.read_text(encoding="utf-8"), transcript()), encoding="utf-8"
    )


def claims_sha256(block: str) -> str:
    """Return the sha256 of the claims in a transcript: of its lines before the first blank one."""
    return hashlib.sha256(block.strip("`\n").partition("\n\n")[0].encode()).hexdigest()


def write_pictures(study: str = "sample") -> None:
    """Take the pictures of a study's page anew, into docs/.

    Raises:
        SystemExit: the study is not finished here, or there is no Chromium.
    """
    page = Path("results", study, "index.html")
    if not page.is_file():
        raise SystemExit(f"{page}: no such file; run the study {study} first: make reproduce")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise SystemExit("pictures are taken with Chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    shown = claims_sha256(transcript(study))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, (address, wanted) in PICTURES.items():
            view = browser.new_page(viewport=WINDOW)
            view.goto(f"{page.resolve().as_uri()}#{address}")
            view.wait_for_selector(wanted)
            view.wait_for_load_state("networkidle")
            write_picture(ROOT / "docs" / name, view.screenshot(), {SHOWN: shown})
            view.close()
        browser.close()


def write_picture(path: Path, png: bytes, texts: Mapping[str, str]) -> None:
    """Write a PNG with texts in chunks of their own."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    for key, text in texts.items():
        info.add_text(key, text)
    Image.open(io.BytesIO(png)).save(path, pnginfo=info, optimize=True)


def commands() -> str:
    """Return the reference of the command line, from the commands themselves."""
    import typer

    from distil.cli import app

    top = typer.main.get_command(app)
    lines = [
        "# Commands",
        "",
        "Made from the commands' own help by `make docs`. `--study NAME` may stand anywhere on the",
        "line; it means the sample study, or the only one with results, unless given. A study or a",
        "target that does not exist is answered with the nearest one.",
        "",
        "Exit codes: 0 for success, 1 for a fault that was found, 2 for what is missing or was",
        "typed wrongly, 5 for what could not be done (a file that cannot be written), 141 when the",
        "reader of the output has left.",
        "",
    ]
    panel = None
    for name, command in top.commands.items():
        if command.rich_help_panel != panel:
            panel = command.rich_help_panel
            lines += [f"## {panel}", ""]
        arguments = [
            f"[{argument(each)}]" if not each.required else argument(each)
            for each in command.params
            if each.param_type_name == "argument"
        ]
        lines += [f"### distil {name}", "", f"`{' '.join(['distil', name, *arguments])}`", ""]
        lines += [" ".join(part.split()) + "\n" for part in (command.help or "").split("\n\n")]
        rows = [
            (f"`{argument(each)}`", each.help or "")
            if each.param_type_name == "argument"
            else (", ".join(f"`{opt}`" for opt in each.opts), each.help or "")
            for each in command.params
            if "--study" not in each.opts
        ]
        if rows:
            lines += ["| | |", "|---|---|", *(f"| {left} | {right} |" for left, right in rows), ""]
    return "\n".join(lines).rstrip() + "\n"


def argument(parameter: Any) -> str:
    """Return an argument as it is typed in a line of usage."""
    return re.sub(r"[\[\]]", "", parameter.metavar or parameter.name).upper()


def described(part: str) -> dict[str, dict[str, Any]]:
    """Return the tables of `study` or `release`, or the `records`, as docs/tables.yaml has them.

    Returns:
        {name: entry}; its `columns`, of records their fields, are {name: meaning}.
    """
    content = yaml.safe_load((ROOT / "docs" / "tables.yaml").read_text(encoding="utf-8"))
    for entry in content[part].values():
        for column, meaning in entry["columns"].items():
            entry["columns"][column] = meaning or content["common"][column]
    return content[part]


def tables() -> str:
    """Return the reference of the tables and records, from docs/tables.yaml and the captions."""
    parts = yaml.safe_load((ROOT / "docs" / "tables.yaml").read_text(encoding="utf-8"))["parts"]
    lines = ["# Tables and records", "", parts.pop("introduction")]
    for part, text in parts.items():
        lines += [text]
        for name, entry in described(part).items():
            # Headings of the second part are told apart, so that links lead to one place.
            lines += [f"### {name}{' of a release' if part == 'release' else ''}", ""]
            lines += [entry.get("text") or caption(entry.get("caption", name)), ""]
            keys = row_keys(entry["columns"]) if part != "records" else ()
            if keys:
                lines += [f"A row is named by {' / '.join(f'`{key}`' for key in keys)}.", ""]
            lines += ["| name | meaning |", "|---|---|"]
            for column, meaning in entry["columns"].items():
                may_lack = " (optional)" if column in entry.get("optional", ()) else ""
                lines.append(f"| `{column}` | {meaning}{may_lack} |")
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def caption(name: str) -> str:
    """Return the caption of a table in Snakemake's report, as Markdown, with intervals of 95 %."""
    text = (ROOT / "report" / f"{name}.rst").read_text(encoding="utf-8").strip()
    return re.sub(r"\{\{.*?\}\}", "95", text).replace("``", "`")


def row_keys(columns: Iterable[str]) -> tuple[str, ...]:
    """Return the columns whose values name a row; none where cells have no addresses."""
    from distil.content.sources import key_columns

    try:
        return key_columns([*columns])
    except ValueError:
        return ()


def write_reference() -> None:
    """Write the pages of the reference."""
    from distil.study.config import reference

    folder = ROOT / "docs"
    (folder / "config.md").write_text(reference(), encoding="utf-8")
    (folder / "commands.md").write_text(commands(), encoding="utf-8")
    (folder / "tables.md").write_text(tables(), encoding="utf-8")


if __name__ == "__main__":
    {"readme": write_readme, "reference": write_reference, "pictures": write_pictures}[
        sys.argv[1]
    ]()
