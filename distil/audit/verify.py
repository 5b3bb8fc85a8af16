"""Rehash everything a study recorded, and name what no longer holds.

Links checked, each from the record of the job that made it:
    the record      readable, in its own place, byte for byte the one in the history
    outputs         there, and with the recorded hash
    inputs          there, with the recorded hash, and the very bytes that the job above wrote
    code            the script, its modules and the locked packages are those that ran
    installed       this environment holds the locked versions
    numbers         every cell of the claims table follows from the stored rows
    models          a model's files are those that its lock names
    history         every record and table that it keeps is what its hash says
    files           no file under the results that no job wrote, or that none is called for to write
    secrets         no key in any text of results or state

A record that was edited together with its file is seen through the records of the jobs that read
the file, and through the history. Where all of these were rewritten together, only a digest
published elsewhere tells: see `anchor`.
"""

from __future__ import annotations

import enum
import importlib.metadata
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from distil.audit.files import Files
from distil.audit.records import Record, Records, read_records
from distil.content.fingerprint import describe, forget, locked_packages
from distil.content.hashing import canonical_json, sha256_text
from distil.lineage import history
from distil.lineage.locks import running
from distil.lineage.record import record_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator


class Kind(enum.IntEnum):
    """What kind of fault was found: its number is the exit code."""

    OK = 0
    MISMATCH = 1
    MISSING = 2
    UNLISTED = 3
    SECRET = 4
    UNCHECKED = 5


OK, MISMATCH, MISSING = Kind.OK, Kind.MISMATCH, Kind.MISSING
UNLISTED, SECRET, UNCHECKED = Kind.UNLISTED, Kind.SECRET, Kind.UNCHECKED
# Where faults of several kinds are found, the first kind in this order decides.
ORDER = (SECRET, MISMATCH, MISSING, UNLISTED, UNCHECKED)

# Kept beside the results, but not part of them.
MODEL_LOCK = "model.lock.json"
NOT_RESULTS = ("lineage", "logs", "timings")


@dataclass(frozen=True)
class Fault:
    """One broken link: what kind, which file, what is wrong and what mends it."""

    kind: Kind
    path: str
    message: str


def verify(
    study: str,
    *,
    cache: Path | None = None,
    recompute: Callable[[str], list[tuple[str, str]]] | None = None,
    called: Collection[Path] | None = None,
) -> list[Fault]:
    """Check a whole study.

    Args:
        study: its name; results/STUDY and state/STUDY are looked at.
        cache: where hashes may be kept between calls; None hashes every file.
        recompute: returns (file, message) for each number that does not follow from stored rows.
        called: the records of the jobs that the configuration calls for; others are orphans. None
            looks for no orphans.

    Returns:
        every fault found, in DAG-independent order of file names.
    """
    if at_work := [*_find_running(study)]:
        return at_work
    try:
        records = read_records(study)
    except FileNotFoundError as error:
        return [Fault(MISSING, f"results/{study}/lineage", str(error))]
    forget(cache=False)  # a cache may have been tampered with
    files = Files(cache, search=True)
    there = [
        path
        for top in (Path("results") / study, Path("state") / study)
        for path in sorted(top.rglob("*"))
        if path.is_file()
    ]
    files.read_ahead([*map(str, there), *records.readers])
    faults = {
        *_check_records(records),
        *_check_versions(records),
        *_check_files(records, files),
        *_check_models(records, files),
        *_check_code(records),
        *_check_installed(records),
        *_find_unlisted(records),
        *_find_orphans(records, called),
        *_find_keys(there, files),
    }
    if recompute and not any(fault.kind in (MISMATCH, MISSING) for fault in faults):
        faults |= {Fault(MISMATCH, path, message) for path, message in recompute(study)}
    files.save()
    return sorted(faults, key=lambda fault: (ORDER.index(fault.kind), fault.path, fault.message))


def exit_code(faults: list[Fault]) -> int:
    """Return the exit code that a list of faults calls for."""
    return faults[0].kind if faults else OK


def anchor(study: str) -> str:
    """Return one digest over every record of a study and, through them, over every file.

    Publish it elsewhere: a rewrite of files and records together changes it.
    """
    records = read_records(study)
    digests = {record.path.as_posix(): record.sha256 for record in records.by_path.values()}
    return sha256_text(canonical_json(digests))


def _check_records(records: Records) -> Iterator[Fault]:
    for path, damage in records.faults.items():
        yield Fault(MISSING if damage.missing else MISMATCH, path.as_posix(), damage.message)
    latest = {row["record"]: row["record_sha256"] for row in records.history}
    for record in records.by_path.values():
        name = record.path.relative_to(records.folder).as_posix()
        if name not in latest:
            yield Fault(MISMATCH, record.path.as_posix(), "no run in the history wrote this record")
        elif latest[name] != record.sha256:
            yield Fault(
                MISMATCH,
                record.path.as_posix(),
                "was changed after its job wrote it; run the job again with --forcerun",
            )
    for name in sorted(latest):
        path = records.folder / name
        if path not in records.by_path and path not in records.faults:
            outputs_known = "the history names it; run its job again with --forcerun"
            yield Fault(MISSING, path.as_posix(), f"record is missing: {outputs_known}")


def _check_files(records: Records, files: Files) -> Iterator[Fault]:
    for record in records.by_path.values():
        for path, row in record.files("output").items():
            yield from _check_file(record, "output", path, row, files)
        for path, row in record.files("input").items():
            writer = records.writers.get(path)
            if writer is None:
                yield from _check_file(record, "input", path, row, files)
            elif writer.files("output")[path]["sha256"] != row["sha256"]:
                yield Fault(
                    MISMATCH,
                    path,
                    f"{record.job} read other bytes than {writer.job} says it wrote "
                    f"({record.path} against {writer.path}); run snakemake to make them agree",
                )
    seen: dict[str, Record] = {}
    for record in records.by_path.values():
        for path in record.files("output"):
            if path in seen:
                yield Fault(
                    MISMATCH,
                    path,
                    f"two records claim to have written it: {seen[path].path} and {record.path}",
                )
            seen[path] = record


def _check_file(record: Record, side: str, path: str, row: dict, files: Files) -> Iterator[Fault]:
    verb = "wrote" if side == "output" else "read"
    try:
        digest = files.sha256(path)
    except OSError as error:
        yield _unreadable(path, error)
        return
    if digest is None:
        yield Fault(
            MISSING, path, f"is missing; {record.job} {verb} it (sha256 {row['sha256'][:12]})"
        )
    elif digest != row["sha256"]:
        yield Fault(
            MISMATCH,
            path,
            f"is not what {record.job} {verb}: sha256 {digest[:12]}, recorded {row['sha256'][:12]}",
        )
    elif Path(path).stat().st_size != row["size"]:
        yield Fault(MISMATCH, record.path.as_posix(), f"gives a wrong size for {path}")


def _unreadable(path: str, error: OSError) -> Fault:
    return Fault(UNCHECKED, path, f"cannot be read ({error.strerror}); mend its permissions")


def _check_models(records: Records, files: Files) -> Iterator[Fault]:
    """Hold a model's files against its lock: jobs read the lock as their input, not the weights."""
    for lock in sorted(path for path in records.readers if Path(path).name == MODEL_LOCK):
        try:
            locked = json.loads(Path(lock).read_text(encoding="utf-8"))["files"]
        except (OSError, ValueError, KeyError, TypeError):
            continue  # the lock itself is a recorded input, and named as one
        for name, row in sorted(locked.items()):
            path = (Path(lock).parent / name).as_posix()
            try:
                digest = files.sha256(path)
            except OSError as error:
                yield _unreadable(path, error)
                continue
            if digest is None:
                yield Fault(MISSING, path, f"is missing; {lock} names it; restore it")
            elif digest != row["sha256"]:
                yield Fault(MISMATCH, path, f"is not the file that {lock} names; restore it")


def _check_versions(records: Records) -> Iterator[Fault]:
    """Hold what the history keeps of records, code and tables against the hashes it goes by."""
    path = (records.folder / history.VERSIONS).as_posix()
    if records.folder / history.VERSIONS in records.faults:
        return  # named already
    for (kind, digest), content in records.versions.items():
        if kind == "code":
            found = sha256_text(canonical_json(content))
        elif kind == "table":
            found = sha256_text(content)
        elif kind == "rows":
            found = digest  # the line's own seal is all there is, once the file is made anew
        else:
            found = record_digest(content, records.versions.get(("code", content.get("code"))))
        if found != digest:
            yield Fault(MISMATCH, path, f"what it keeps of {kind} {digest[:12]} was changed")
    for row in records.history:
        if ("record", row["record_sha256"]) not in records.versions:
            yield Fault(
                MISMATCH,
                path,
                f"lacks what {row['record']} said on {row['started']}; restore it from a pack or "
                "a backup",
            )


def _check_code(records: Records) -> Iterator[Fault]:
    described: dict[str, dict | str] = {}
    for record in records.by_path.values():
        script = record.content["script"]
        if script not in described:
            try:
                described[script] = describe(script)
            except (OSError, LookupError, SyntaxError) as error:
                described[script] = str(error)
        now, then = described[script], record.content["fingerprint"]
        if isinstance(now, str):
            yield Fault(UNCHECKED, script, now)
        elif now != then:
            for what in changed_code(then, now):
                yield Fault(
                    MISMATCH,
                    what,
                    f"is not what {record.job} ran; run snakemake to bring it up to date",
                )
        if sha256_text(canonical_json(then)) != record.content["code"]:
            yield Fault(
                MISMATCH, record.path.as_posix(), "its code hash is not that of its fingerprint"
            )


def changed_code(then: dict, now: dict) -> list[str]:
    """Name the modules, packages or Python that differ between two fingerprints."""
    names = []
    for kind in ("modules", "packages"):
        old, new = then.get(kind, {}), now.get(kind, {})
        for name in sorted(old.keys() | new.keys()):
            if old.get(name) != new.get(name):
                versions = f" ({old.get(name)} -> {new.get(name)})" if kind == "packages" else ""
                names.append(f"{name}{versions}")
    if then.get("python") != now.get("python"):
        names.append(f"python ({then.get('python')} -> {now.get('python')})")
    return names


def _check_installed(records: Records) -> Iterator[Fault]:
    lock = locked_packages()
    used = {
        name
        for record in records.by_path.values()
        for name in record.content["fingerprint"]["packages"]
    }
    for name in sorted(used & lock.keys()):
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield Fault(UNCHECKED, "requirements.lock", f"{name} is not installed; run: make setup")
            continue
        if installed != lock[name][0]:
            yield Fault(
                MISMATCH,
                "requirements.lock",
                f"{name} {installed} is installed, {lock[name][0]} is locked; run: make setup",
            )


def _find_unlisted(records: Records) -> Iterator[Fault]:
    top = Path("results") / records.study
    listed = set(records.writers)
    for path in sorted(top.rglob("*")):
        inside = path.relative_to(top).parts
        if path.is_dir() or (inside[0] in NOT_RESULTS and inside[0] != "lineage"):
            continue
        name = path.as_posix()
        if inside[0] == "lineage":
            known = (
                path in records.by_path
                or path in records.faults
                or inside[1:] in ((history.RUNS,), (history.VERSIONS,))
            )
        else:
            known = name in listed
        if not known:
            yield Fault(
                UNLISTED,
                name,
                "no job of this study wrote it; remove it, or run snakemake to remake its record",
            )


def _find_orphans(records: Records, called: Collection[Path] | None) -> Iterator[Fault]:
    for record in records.by_path.values() if called is not None else ():
        if record.path in called:
            continue
        for path in (record.path.as_posix(), *record.files("output")):
            if Path(path).is_file():
                yield Fault(
                    UNLISTED,
                    path,
                    f"an orphan: the configuration does not call for {record.job} (a year, a seed "
                    "or a fold that was dropped?); remove it, or restore the configuration",
                )


def _find_running(study: str) -> Iterator[Fault]:
    """Name the jobs that are at work: nothing can be held against files that are being written."""
    for path in running(study):
        yield Fault(
            UNCHECKED, path.as_posix(), "its job is running now; verify again when it has ended"
        )


def _find_keys(paths: Iterable[Path], files: Files) -> Iterator[Fault]:
    for path in paths:
        try:
            key = files.key(path.as_posix())
        except OSError as error:
            yield _unreadable(path.as_posix(), error)
            continue
        if key:
            yield Fault(
                SECRET,
                path.as_posix(),
                f"holds what looks like a key ({key}...); revoke it, then remake the file",
            )
