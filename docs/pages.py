"""Pages and parts of pages that commands make: `python -m docs.pages readme` and so on.

- `readme`: the end of a run of the sample study, as the terminal shows it, into README.md.
- `reference`: docs/config.md, every key of a study file, and docs/commands.md, every command.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TRANSCRIPT = re.compile(r"(<!-- transcript: [^>]*-->\n).*?(<!-- end of transcript -->)", re.S)
# As wide as a page of code is shown on a repository's web page.
WIDTH = 90


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


def write_reference() -> None:
    """Write both pages of the reference."""
    from distil.study.config import reference

    folder = ROOT / "docs"
    (folder / "config.md").write_text(reference(), encoding="utf-8")
    (folder / "commands.md").write_text(commands(), encoding="utf-8")


if __name__ == "__main__":
    {"readme": write_readme, "reference": write_reference}[sys.argv[1]]()
