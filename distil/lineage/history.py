"""The history of a study: sealed append-only files beside its job records.

`runs.jsonl` says what happened when, `versions.jsonl` holds every content that a record or a table
has had, so that two moments can be compared after the files were made anew. `chain.jsonl` has a
line a run over what the two others and the sealed files under state/ gained in it, and over its
own line before, so that the digest of its last line, the head, stands for the whole history: a head
that was published once must be the digest of one of its lines for ever.
"""

from __future__ import annotations

import datetime
import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from distil.content.hashing import sha256_bytes
from distil.content.leases import exclusive
from distil.content.sealed import digest, read_lines, seal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

RUNS, VERSIONS, CHAIN = "runs.jsonl", "versions.jsonl", "chain.jsonl"


class Damage(NamedTuple):
    """What is wrong with a file of the history.

    Attributes:
        missing: whether the file is not there at all.
        message: what is wrong and what mends it.
    """

    missing: bool
    message: str


def read(path: str | Path) -> tuple[list[dict[str, Any]], Damage | None]:
    """Read the rows whose seal holds, without the seals, and say what is wrong with the others.

    Returns:
        the rows in order, and None or the fault of the first line that does not hold.
    """
    path = Path(path)
    if not path.is_file():
        remedy = "missing; it cannot be remade: restore it from a pack or a backup"
        return [], Damage(True, remedy)
    rows, damage = [], None
    for number, (line, row) in enumerate(read_lines(path), start=1):
        if row is not None:
            rows.append(row)
        elif damage is None:
            torn = not line.endswith(b"\n")
            where = "its last line is torn" if torn else f"line {number} was changed"
            damage = Damage(False, f"{where}; restore it from a pack or a backup")
    return rows, damage


def append(path: str | Path, rows: Iterable[dict[str, Any]]) -> None:
    """Append rows, all or none, on the disk when this returns; lines of parallel jobs never mix.

    A last line that a power cut tore is dropped first: the job that wrote it did not come to its
    end, and runs again.

    Raises:
        OSError: the file cannot be written; it is then as it was, and the error names it.
    """
    data = b"".join(map(seal, rows))
    try:
        handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            with exclusive(handle, Path(path)):
                whole = _whole_lines(handle)
                try:
                    while data:
                        data = data[os.write(handle, data) :]
                    os.fsync(handle)
                except OSError:
                    os.ftruncate(handle, whole)
                    raise
        finally:
            os.close(handle)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _whole_lines(handle: int) -> int:
    """Cut a torn last line off, and return the size that is left in bytes."""
    size = os.fstat(handle).st_size
    if size and os.pread(handle, 1, size - 1) != b"\n":
        size = os.pread(handle, size, 0).rfind(b"\n") + 1
        os.ftruncate(handle, size)
    return size


# ------------------------------------------------------------------------- the chain of runs


def close_run(folder: Path, run: str | None) -> None:
    """Append a line to the chain over what the history has gained since its last line.

    The main process does so before and after its jobs, so that parallel jobs and nodes need no
    lock that they share, and what a killed run left is taken in by the next one. A file under
    state/ that is gone is told of in the next line and asked for no more.

    Args:
        folder: results/STUDY/lineage.
        run: the name of this run.

    Raises:
        OSError: the chain cannot be written.
    """
    if not folder.is_dir():
        return
    links, _ = read(folder / CHAIN)
    gained = {}
    for name in (RUNS, VERSIONS):
        covered = sum(link[name]["lines"] for link in links)
        lines = _lines(folder / name)[covered:]
        gained[name] = {"lines": len(lines), "sha256": sha256_bytes(b"".join(lines))}
    stored, lost = _gained_state(_state(folder), _state_spans(links))
    if stored or lost or any(part["lines"] for part in gained.values()):
        previous = digest(links[-1]) if links else None
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        link = {"previous": previous, "run": run, "closed": now, **gained}
        append(folder / CHAIN, [{**link, "state": stored, "lost": lost}])


def _lines(path: Path) -> list[bytes]:
    """Return the whole lines of a file, with their newlines."""
    if not path.is_file():
        return []
    with path.open("rb") as stream:
        return [line for line in stream if line.endswith(b"\n")]


def _state(folder: Path) -> Path:
    """Return state/STUDY for results/STUDY/lineage."""
    return Path("state", folder.parent.name)


class Span(NamedTuple):
    """What a file under state/ gained in a run: bytes from `start` up to `end`."""

    start: int
    end: int
    sha256: str
    run: str | None


def _state_spans(links: list[dict[str, Any]]) -> dict[str, list[Span]]:
    """Return {file under state/STUDY: what it gained, run by run}; none of those that were lost."""
    spans: dict[str, list[Span]] = {}
    for link in links:
        for name in link.get("lost", ()):
            spans.pop(name, None)
        for name, part in link.get("state", {}).items():
            known = spans.setdefault(name, [])
            start = known[-1].end if known else 0
            known.append(Span(start, start + part["bytes"], part["sha256"], link["run"]))
    return spans


def _gained_state(
    state: Path, spans: dict[str, list[Span]]
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Return what the sealed files under state/ gained since, and those that are there no more."""
    gained = {}
    for path in sorted(state.rglob("*.jsonl")):
        name = path.relative_to(state).as_posix()
        start, end = spans[name][-1].end if name in spans else 0, path.stat().st_size
        if end > start:
            gained[name] = {"bytes": end - start, "sha256": _sha256_span(path, start, end)}
    return gained, [name for name in spans if not (state / name).is_file()]


def _sha256_span(path: Path, start: int, end: int) -> str:
    found = hashlib.sha256()
    with path.open("rb") as stream:
        stream.seek(start)
        while start < end and (data := stream.read(min(end - start, 1 << 22))):
            found.update(data)
            start += len(data)
    return found.hexdigest()


def find_altered_state(folder: Path) -> Iterator[tuple[Path, Damage]]:
    """Yield the sealed files under state/STUDY that are not what the study's runs left there.

    A study without that folder, as one that was unpacked or copied, has nothing to hold.

    Args:
        folder: results/STUDY/lineage.
    """
    state = _state(folder)
    if not state.is_dir():
        return
    spans = _state_spans(read(folder / CHAIN)[0])
    remedy = "restore it from a backup, or remove it: what it held is then made, or paid for, again"
    for name, parts in spans.items():
        path = state / name
        if not path.is_file():
            message = (
                "is missing; restore it from a backup, or go on without: the next run notes it"
            )
            yield path, Damage(True, message)
            continue
        for part in parts:
            if _sha256_span(path, part.start, part.end) != part.sha256:
                where = f"bytes {part.start} to {part.end} are not what run {part.run} left"
                yield path, Damage(False, f"{where}; {remedy}")
                break
    for path in sorted(state.rglob("*.jsonl")):
        known = spans.get(path.relative_to(state).as_posix())
        if path.stat().st_size > (known[-1].end if known else 0):
            yield path, Damage(False, "holds what no run that came to its end left; start "
                               "snakemake, which takes it into the history")  # fmt: skip


@dataclass(frozen=True)
class Chain:
    """The chain of a study's runs, held against its history.

    Attributes:
        heads: the digest of each link, the oldest first; the last one stands for all.
        covered: how many lines of runs.jsonl the links cover.
        fault: what does not hold, or None.
        beyond: {file: lines that no link covers}, those of a run that did not come to its end.
    """

    heads: tuple[str, ...]
    covered: int
    fault: str | None
    beyond: dict[str, int] = field(default_factory=dict)

    @property
    def head(self) -> str | None:
        """The digest that stands for the whole history; None where no run was closed."""
        return self.heads[-1] if self.heads else None


def read_chain(folder: Path) -> Chain:
    """Read the chain and hold it against the files that it covers."""
    path = folder / CHAIN
    links, damage = read(path)
    if damage and not damage.missing:
        return Chain(tuple(map(digest, links)), 0, damage.message)
    remedy = "restore the history from a pack or a backup"
    fault, previous, heads = None, None, []
    covered = dict.fromkeys((RUNS, VERSIONS), 0)
    files = {name: _lines(folder / name) for name in covered}
    for number, link in enumerate(links, start=1):
        if link["previous"] != previous:
            fault = fault or f"link {number} does not follow the one before; {remedy}"
        for name, start in covered.items():
            end = start + link[name]["lines"]
            if sha256_bytes(b"".join(files[name][start:end])) != link[name]["sha256"]:
                what = f"lines {start + 1} to {end} of {name} are not what run {link['run']} left"
                fault = fault or f"{what}; {remedy}"
            covered[name] = end
        previous = digest(link)
        heads.append(previous)
    beyond = {name: len(files[name]) - end for name, end in covered.items()}
    return Chain(
        tuple(heads), covered[RUNS], fault, {name: n for name, n in beyond.items() if n > 0}
    )
