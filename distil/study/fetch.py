"""Bring what a study needs from outside: exam PDFs, benchmark files and the student's model.

    distil fetch paper                   # from the addresses in manifest and study file
    distil fetch paper --from DOWNLOADS  # from a folder, found by sha256 whatever the names

Each file is held against its sha256 before it is put in place. A download that breaks off is taken
up again; what is there already is left alone. The model comes from the hub by revision and is then
locked. Where there is no network, what to put where is said, all at once.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import requests

from distil.content.downloads import LARGEST, download
from distil.content.files import write_atomically
from distil.content.hashing import sha256_bytes, sha256_file
from distil.student.model import LOCK_NAME, check_model, lock_checked
from distil.study.inventory import open_named


@dataclass(frozen=True)
class Wanted:
    """A file that a study names: where it belongs, its sha256 and where it can be had."""

    name: str
    path: Path
    sha256: str
    url: str | None


class FetchError(ValueError):
    """Something that could not be brought.

    Attributes:
        cause: why; files of one cause are told together.
        file: the file that is wanted; None where the message says all.
    """

    def __init__(self, cause: str, file: Wanted | None = None) -> None:
        super().__init__(f"{file.path}: {cause}" if file else cause)
        self.cause, self.file = cause, file


def fetch_study(name: str, folder: Path | None) -> int:
    """Bring all that a study needs from outside and can be had, and say what cannot.

    Returns:
        0 if everything is in place, 1 if something is not.

    Raises:
        FetchError: the folder does not exist.
        ValueError: the study file cannot be used.
    """
    if folder and not folder.is_dir():
        raise FetchError(f"{folder}: no such folder; name the one that holds your download")
    study, _ = open_named(name)
    errors = list(fetch_files(wanted_files(study), folder, print))
    student = study.config.get("student")
    if student and not student["pretraining"] and (error := fetch_model(student, print)):
        errors.append(error)
    for line in told(errors, name):
        print(line)
    if not errors:
        print(f"Everything that {name} needs from outside is in place; next: distil check {name}")
    return 1 if errors else 0


def told(errors: list[FetchError], name: str) -> Iterator[str]:
    """Say what could not be brought: files of one cause together, with what to put where."""
    causes: dict[str, list[Wanted]] = {}
    for error in errors:
        if error.file is None:
            yield f"not there: {error}"
        else:
            causes.setdefault(error.cause, []).append(error.file)
    for cause, files in causes.items():
        yield f"not there: {len(files)} files ({cause}):"
        for file in files:
            yield f"  {file.path}  sha256 {file.sha256[:16]}..."
        addresses = sorted({file.url.rpartition("/")[0] for file in files if file.url})
        if addresses:
            yield f"  They can be had from {' and '.join(addresses)}"
        yield f"  Put them there, or name a folder that has them: distil fetch {name} --from FOLDER"


def wanted_files(study: Any) -> list[Wanted]:
    """List the PDFs and benchmark files that a study reads from this machine."""
    origin = getattr(study, "origin", None)
    found = [
        Wanted(
            name,
            Path(source["file"]),
            source["sha256"],
            origin.rstrip("/") + "/" + quote(Path(source["file"]).name) if origin else None,
        )
        for name, source in study.documents.items()
        if source.get("file")
    ]
    for name, source in study.config.get("benchmark_files", {}).items():
        found.append(Wanted(name, Path(source["file"]), source["sha256"], source.get("url")))
    return found


def fetch_files(
    wanted: list[Wanted], folder: Path | None, say: Callable[[str], None]
) -> Iterator[FetchError]:
    """Put every wanted file in place that a folder or its address gives.

    Args:
        wanted: the files.
        folder: searched first, with all below it; files are known by their sha256.
        say: takes a line for each file.

    Yields:
        An error for each file that could not be brought.

    Raises:
        FetchError: the folder does not exist.
    """
    missing = []
    for file in wanted:
        if file.path.is_file() and sha256_file(file.path) == file.sha256:
            say(f"there already: {file.path}")
        else:
            missing.append(file)
    held = _find(folder, {file.sha256 for file in missing}) if folder else {}
    offline = ""
    for file in missing:
        if file.path.is_file():
            yield FetchError("another file stands there; move it away, then fetch again", file)
        elif file.sha256 in held:
            file.path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(file.path, held[file.sha256].read_bytes())
            say(f"copied: {file.path} from {held[file.sha256]}")
        elif file.url is None or offline:
            yield FetchError(offline or "no address is known", file)
        else:
            try:
                write_atomically(file.path, _download(file))
                say(f"downloaded: {file.path}")
            except requests.ConnectionError:
                # One refused connection stands for all of the same host: no long wait for each.
                offline = f"no connection to {urlsplit(file.url).netloc}"
                yield FetchError(offline, file)
            except (requests.RequestException, ValueError) as error:
                yield FetchError(str(error), file)


def _find(folder: Path, digests: set[str]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if len(found) == len(digests):
            break
        if path.is_file() and path.stat().st_size <= LARGEST:
            digest = sha256_file(path)
            if digest in digests:
                found.setdefault(digest, path)
    return found


def _download(file: Wanted) -> bytes:
    assert file.url is not None
    data = download(file.url)
    if (digest := sha256_bytes(data)) != file.sha256:
        raise ValueError(f"{file.url} gave a file of sha256 {digest}")
    return data


def fetch_model(student: dict[str, Any], say: Callable[[str], None]) -> FetchError | None:
    """Bring the student's model by revision, hold it against the hub's hashes, check and lock it.

    Args:
        student: the study file's `student`: `model`, and `repository` and `revision` where the
            model can be had from the hub.
        say: takes a line for each step.

    Returns:
        None, or the error with what to put where.
    """
    folder = Path(student["model"])
    if (folder / LOCK_NAME).is_file():
        try:
            check_model(folder)
        except (FileNotFoundError, ValueError) as error:
            return FetchError(str(error))
        say(f"there already: {folder}, locked")
        return None
    source, lock = student.get("source"), f"run: distil lock {folder}"
    if not source and folder.is_dir():
        return FetchError(f"{folder}: not locked; once all its files are there, {lock}")
    if not source:
        return FetchError(
            f"{folder}: no such folder, and student.source names no repository; put the model's "
            f"files there, in Hugging Face's layout, then {lock}"
        )
    repository, revision = source["repository"], source["revision"]
    try:
        commit = _snapshot(repository, revision, folder)
    except Exception as error:  # noqa: BLE001 - the hub's client raises many kinds
        cause = (str(error).strip() or type(error).__name__).splitlines()[0]
        return FetchError(
            f"{folder}: {repository} at {revision} cannot be had ({cause}); on a machine with a "
            f"network run: hf download {repository} --revision {revision} --local-dir {folder}; "
            f"bring the folder here, then {lock}"
        )
    say(f"downloaded: {folder}, {repository} at {commit}")
    if revision != commit:
        say(f"to pin it, write into the study file: student.source.revision: {commit}")
    try:
        say(f"locked: {lock_checked(folder)}")
    except (ValueError, OSError, MemoryError) as error:
        return FetchError(f"{folder}: is there, and not locked: {error}")
    return None


def _snapshot(repository: str, revision: str, folder: Path) -> str:
    """Download a repository's files; return the commit that the revision stands for.

    Raises:
        ValueError: a file is not what the hub says it is.
    """
    from huggingface_hub import HfApi, snapshot_download

    info = HfApi().model_info(repository, revision=revision, files_metadata=True)
    snapshot_download(repository, revision=info.sha, local_dir=folder)
    for file in info.siblings or []:
        if file.lfs and sha256_file(folder / file.rfilename) != file.lfs.sha256:
            raise ValueError(f"{file.rfilename} is not the file of the hub; delete it, fetch again")
    shutil.rmtree(folder / ".cache", ignore_errors=True)
    return str(info.sha)
