"""Names of studies, and the repository they lie in: what a command finds before it starts."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

DEFAULT = "sample"
_STUDY = re.compile(r"^study: *([a-z0-9][a-z0-9-]*)", re.M)


class UnknownStudyError(LookupError):
    """No study has that name; the message lists the studies there are."""


def find_repository(folder: Path) -> Path | None:
    """Return the repository that a folder lies in, or None."""
    for place in (folder, *folder.parents):
        if all((place / name).exists() for name in ("Snakefile", "distil/__main__.py")):
            return place
    return None


def known_studies(repository: Path) -> dict[str, str]:
    """Return the studies of a repository with a word on where each was found.

    A study is known by its study file, by its results or by its stores.
    """
    found: dict[str, str] = {}
    for path in sorted(repository.glob("config*.yaml")):
        if match := _STUDY.search(path.read_text(encoding="utf-8", errors="replace")):
            found.setdefault(match[1], path.name)
    for top in ("results", "state"):
        for path in sorted((repository / top).glob("*")):
            if path.is_dir():
                found.setdefault(path.name, f"{top}/{path.name}")
    return found


def choose_study(repository: Path, name: str | None) -> str:
    """Return the study that a command is about.

    Args:
        repository: where studies are looked for.
        name: what was asked for, or the study file of the repository that holds it; None stands
            for the sample study, or for the only study that has results where that is another one.

    Raises:
        UnknownStudyError: no study has that name; the message names the nearest and lists all.
    """
    known = known_studies(repository)
    if name is None:
        run = [path.name for path in (repository / "results").glob("*") if path.is_dir()]
        return run[0] if len(run) == 1 else DEFAULT
    if name.endswith((".yaml", ".yml")):
        return _study_of(repository, name, known)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        raise UnknownStudyError(
            f"no study {name}{f'; did you mean {near[0]}?' if near else ';'} "
            f"There are: {', '.join(sorted(known)) or 'none'}"
        )
    return name


def _study_of(repository: Path, file: str, known: dict[str, str]) -> str:
    """Return the study that a study file beside the Snakefile holds.

    Raises:
        UnknownStudyError: it holds none, or lies elsewhere.
    """
    path = Path(file)
    if path.resolve().parent == repository.resolve() and path.is_file():
        found = [study for study, place in known.items() if place == path.name]
        if found:
            return found[0]
    raise UnknownStudyError(
        f"{file} is no study file beside the Snakefile; keep it there as config.NAME.yaml and give "
        f"the name in its line `study:`. There are: {', '.join(sorted(known)) or 'none'}"
    )
