"""Rehash everything a study recorded, and name what no longer holds.

Links checked, each from the record of the job that made it:
    the record      readable, in its own place, byte for byte the one in the history
    the plan        a job is what the configuration asks for: params, names of files, programs
    outputs         there, and with the recorded hash
    inputs          there, with the recorded hash, and the very bytes that the job above wrote
    code            the script, its modules and the locked packages are those that ran
    installed       this environment holds the locked versions, each file as its package lists it
    numbers         every table follows from the stored rows, byte for byte
    models          a model's files are those that its lock names
    history         every record and table that it keeps is what its hash says, every run follows
                    the run before
    stores          every line under state/ holds its seal, and its file is what the runs left
                    there; a job that used stored rows used those that it used when it first ran
    files           no file under the results that no job wrote, or that none is called for to write
    secrets         no key in any text of results or state

A record that was edited together with its file is seen through the records of the jobs that read
the file, and through the history. Where all of these were rewritten together, only a digest
published elsewhere tells: see `anchor`.
"""

from __future__ import annotations

import base64
import importlib.metadata
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distil.audit.changes import changed_code, changed_recipe
from distil.audit.faults import (
    MISMATCH,
    MISSING,
    OK,
    ORDER,
    SECRET,
    UNCHECKED,
    UNLISTED,
    Fault,
)
from distil.audit.files import Files
from distil.audit.records import Record, Records, read_records
from distil.content.fingerprint import describe, forget, locked_packages
from distil.content.hashing import canonical_json, sha256_text
from distil.content.sealed import read_lines
from distil.lineage.history import CHAIN, RUNS, VERSIONS, find_altered_state, read_chain
from distil.lineage.locks import running
from distil.lineage.record import record_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from distil.audit.planned import Planned


# Kept beside the results, but not part of them.
INSTALLED = Path(".snakemake", "distil-installed.json")
MODEL_LOCK = "model.lock.json"
NOT_RESULTS = ("lineage", "logs", "timings")
# What the end of a run and `verify` tell the page (distil/audit/account.py).
PAGE_ACCOUNT = Path("page", "run.js")


def verify(
    study: str,
    *,
    cache: Path | None = None,
    recompute: Callable[[Sequence[Planned]], list[Fault]] | None = None,
    jobs: Sequence[Planned] | None = None,
) -> list[Fault]:
    """Check a whole study.

    Args:
        study: its name; results/STUDY and state/STUDY are looked at.
        cache: where hashes may be kept between calls; None hashes every file.
        recompute: finds the tables that do not follow from stored rows.
        jobs: the jobs that the configuration calls for (`distil.audit.planned.expected_jobs`), that
            each is held against; records of others are orphans. None checks neither.

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
        *_check_chain(records),
        *_check_code(records),
        *_check_plan(records, jobs or (), files),
        *check_installed(records),
        *_check_stores(records, files),
        *_check_repeats(records),
        *_find_unlisted(records),
        *_find_orphans(records, jobs),
        *_find_keys(there, files),
    }
    if recompute and jobs and not any(fault.kind in (MISMATCH, MISSING) for fault in faults):
        faults |= set(recompute(jobs))
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
                "was changed after its job wrote it; remove it, then run snakemake",
            )
    for name in sorted(latest):
        path = records.folder / name
        if path not in records.by_path and path not in records.faults:
            remedy = "the history names it; run snakemake, which does its job again"
            yield Fault(MISSING, path.as_posix(), f"record is missing: {remedy}")


def _check_files(records: Records, files: Files) -> Iterator[Fault]:
    for record in records.by_path.values():
        for path, row in record.files("output").items():
            yield from _check_file(record, "output", path, row, files)
        for path, row in record.files("input").items():
            writer = records.writers.get(path)
            if writer is None:
                yield from _check_file(record, "input", path, row, files)
            elif writer.files("output")[path]["sha256"] != row["sha256"]:
                yield _tell_other_bytes(records, record, writer, path, row["sha256"])
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


def _tell_other_bytes(
    records: Records, reader: Record, writer: Record, path: str, sha256: str
) -> Fault:
    """Tell a reader that has not run since a file was made anew from a file that was edited."""
    if sha256 in records.written.get(path, ()) and records.ran_last(writer, reader):
        message = (
            f"{reader.job} read what an earlier run wrote; {writer.job} has written other bytes "
            f"since, and {reader.job} has not run again: run snakemake"
        )
    else:
        message = (
            f"{reader.job} read other bytes than {writer.job} says it wrote ({reader.path} against "
            f"{writer.path}): it was edited in between; remove it, then run snakemake"
        )
    return Fault(MISMATCH, path, message)


def _check_file(record: Record, side: str, path: str, row: dict, files: Files) -> Iterator[Fault]:
    verb = "wrote" if side == "output" else "read"
    try:
        digest = files.sha256(path)
    except OSError as error:
        yield _unreadable(path, error)
        return
    if digest is None:
        yield Fault(
            MISSING,
            path,
            f"is missing; {record.job} {verb} it (sha256 {row['sha256'][:12]}); "
            + ("run snakemake" if side == "output" else "restore it, or run snakemake"),
        )
    elif digest != row["sha256"]:
        yield Fault(
            MISMATCH,
            path,
            f"is not what {record.job} {verb} (sha256 {digest[:12]}, recorded "
            f"{row['sha256'][:12]}); "
            + (
                "remove it, then run snakemake, which makes it again"
                if side == "output"
                else "restore it, or run snakemake"
            ),
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
    path = (records.folder / VERSIONS).as_posix()
    if records.folder / VERSIONS in records.faults:
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


def _check_plan(records: Records, jobs: Sequence[Planned], files: Files) -> Iterator[Fault]:
    """Hold each job against what the configuration asks for today."""
    for job in jobs:
        record = records.by_path.get(job.record)
        if record is None:
            if job.record not in records.faults:
                message = f"{job.name} left no record, or has not run; run snakemake"
                yield Fault(MISSING, job.record.as_posix(), message)
            continue
        for reason in changed_recipe(job, record, files):
            if reason.kind not in ("code", "packages", "input"):  # these are named themselves
                yield Fault(
                    MISMATCH,
                    record.path.as_posix(),
                    f"{job.name} is not what the configuration asks for: {reason.what}; run "
                    "snakemake, or restore the configuration",
                )


def _check_chain(records: Records) -> Iterator[Fault]:
    """Hold the history against the chain of its runs."""
    chain = read_chain(records.folder)
    if chain.fault:
        yield Fault(MISMATCH, (records.folder / CHAIN).as_posix(), chain.fault)
        return
    for name, lines in chain.beyond.items():
        yield Fault(
            MISMATCH,
            (records.folder / name).as_posix(),
            f"{lines} lines at its end are of no run that came to its end; start snakemake, which "
            "takes them into the chain of runs",
        )


def _check_stores(records: Records, files: Files) -> Iterator[Fault]:
    """Hold the stores under state/ against the seals of their lines and the chain of runs.

    A torn last line is no fault: a writer that was killed leaves one. What a training left may be
    removed at any time.
    """
    changed = set()
    for path in sorted(Path("state", records.study).rglob("*.jsonl")):
        for number, (line, row) in enumerate(read_lines(path), start=1):
            if row is None and line.endswith(b"\n"):
                changed.add(path)
                yield Fault(
                    MISMATCH,
                    path.as_posix(),
                    f"line {number} was changed after it was written, and is not used; restore the "
                    "file from a backup, or remove the line (a decoded row is then decoded again, "
                    "a paid response paid for again)",
                )
    for path, damage in find_altered_state(records.folder):
        if path not in changed:
            yield Fault(MISSING if damage.missing else MISMATCH, path.as_posix(), damage.message)
    latest = {line["record"]: line for line in records.history}
    for line in latest.values():
        for name, sha256 in line.get("state", {}).items():
            if files.sha256(name) not in (None, sha256):
                message = (
                    f"is not what {line['record']} left; remove it: a training then makes it anew"
                )
                yield Fault(MISMATCH, name, message)


def _check_repeats(records: Records) -> Iterator[Fault]:
    """Hold the stored rows that a job used against those that it used when it first ran.

    The same code on the same inputs decodes the same rows on one machine; so where the digest of
    the rows is another one, they were changed in the store, with new seals.
    """
    first: dict[str, tuple[str, dict[str, Any]]] = {}
    for line in records.history:
        content = records.versions.get(("record", line["record_sha256"]))
        digest = (content or {}).get("facts", {}).get("stored_rows_sha256")
        if not digest:
            continue
        keys = ("rule", "wildcards", "params", "input", "code")
        machine = {key: line.get(key) for key in ("platform", "backend", "blas")}
        name = canonical_json([{key: content[key] for key in keys}, machine])
        known, then = first.setdefault(name, (digest, line))
        latest = records.by_path.get(records.folder / line["record"])
        if known != digest and latest and latest.sha256 == line["record_sha256"]:
            yield Fault(
                MISMATCH,
                latest.path.as_posix(),
                f"{latest.job} used other stored rows than on {then['started']}, with the same "
                f"code and inputs: rows under state/{records.study}/predictions were changed; "
                "remove that folder and this record, then run snakemake, which decodes them again",
            )


def check_installed(records: Records, cache: Path | None = INSTALLED) -> Iterator[Fault]:
    """Hold installed packages against the lock, and their files against the hashes of their RECORD.

    Args:
        records: the study's; packages in the closure of one of its jobs are looked at.
        cache: where findings are kept by size and mtime; None reads every file.
    """
    lock = locked_packages()
    used = {
        name
        for record in records.by_path.values()
        for name in record.content["fingerprint"]["packages"]
    }
    listed: list[tuple[str, str, str]] = []
    for name in sorted(used & lock.keys()):
        try:
            package = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            yield Fault(UNCHECKED, "requirements.lock", f"{name} is not installed; run: make setup")
            continue
        version = lock[name][0]
        if package.version != version:
            yield Fault(
                MISMATCH,
                "requirements.lock",
                f"{name} {package.version} is installed, {version} is locked; run: make setup",
            )
        listed += [
            (name, str(file.locate()), base64.urlsafe_b64decode(f"{file.hash.value}==").hex())
            for file in package.files or ()
            # Commands in bin/ are written at the installation, and moved with the environment.
            if file.hash and file.hash.mode == "sha256" and ".." not in file.parts
        ]
    files = Files(cache)
    files.read_ahead(path for _, path, _ in listed)
    for name, path, wanted in listed:
        if (digest := files.sha256(path)) != wanted:
            what = "is missing from" if digest is None else "was changed since"
            remedy = "rm -rf .venv, then run: make setup"
            yield Fault(MISMATCH, path, f"{what} the installation of {name}; {remedy}")
    files.save()


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
                or inside[1:] in ((RUNS,), (VERSIONS,), (CHAIN,))
            )
        else:
            known = name in listed or path == top / PAGE_ACCOUNT
        if not known:
            yield Fault(
                UNLISTED,
                name,
                "no job of this study wrote it; remove it, or run snakemake, which does the job "
                "again if a rule makes it",
            )


def _find_orphans(records: Records, jobs: Sequence[Planned] | None) -> Iterator[Fault]:
    called = {job.record for job in jobs or ()}
    for record in records.by_path.values() if jobs is not None else ():
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
