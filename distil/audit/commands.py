"""What `distil verify`, `explain` and the other commands on a finished study print.

Each function is one command of distil/cli.py: it prints its answer, and what is wrong on standard
error, and returns the exit code (distil/audit/verify.py lists them).
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from distil.audit.faults import MISMATCH, MISSING, OK, SECRET, UNCHECKED, Fault
from distil.audit.records import recorded_outputs
from distil.audit.verify import anchor, exit_code, verify
from distil.lineage.history import read_chain

if TYPE_CHECKING:
    from collections.abc import Sequence


def run_status(
    study: str,
    *,
    json: bool,
    all_jobs: bool,
    cache: Path | None,
    configfiles: Sequence[Path],
    values: Sequence[str],
) -> int:
    """Print the state of every job."""
    from distil.audit import planned, status

    try:
        jobs = planned.expected_jobs(configfiles or planned.find_config(study), values)
    except planned.PlanError as error:
        print(f"status: {error}", file=sys.stderr)
        return UNCHECKED
    found = status.compute_status(jobs[0].wildcards["study"], jobs, cache)
    print(status.as_json(found) if json else status.as_text(found, all_jobs=all_jobs))
    return status.exit_code(found)


def run_verify(
    study: str,
    *,
    show_anchor: bool,
    expected: str | None,
    head: str | None = None,
    cache: Path | None,
    configfiles: Sequence[Path],
    values: Sequence[str],
) -> int:
    """Print every fault, one a line.

    Args:
        study: its name.
        show_anchor: print the digest of all records as well.
        expected: the digest it must be; None asks for no comparison.
        head: a digest of the history that was published; it must be among those of its runs.
        cache: a file where hashes are kept between calls; None hashes every file.
        configfiles: the study's files; none for the one that names the study.
        values: KEY=VALUE, as after `snakemake --config`.
    """
    from distil.audit.account import write_account

    faults, _ = check(study, configfiles, values, cache)
    for fault in faults:
        print(f"{fault.path}: {fault.message}")
    if (Path("results") / study / "lineage").is_dir():
        write_account(study, faults)
    if show_anchor or expected:
        try:
            digest = anchor(study)
        except FileNotFoundError as error:
            print(f"verify: no anchor: {error}", file=sys.stderr)
            return exit_code(faults) or MISSING
        print(f"anchor: {digest}")
        print(
            f"history: {read_chain(Path('results', study, 'lineage')).head or 'no run was closed'}"
        )
        if expected and expected != digest:
            print(f"the records are not those whose anchor is {expected}")
            return exit_code(faults) or MISMATCH
    if head and head not in read_chain(Path("results", study, "lineage")).heads:
        print(
            f"the history has no run whose digest is {head}: it is not the one that was published"
        )
        return exit_code(faults) or MISMATCH
    print(f"{len(faults)} fault{'s' * (len(faults) != 1)}" if faults else "ok")
    return exit_code(faults)


def check(
    study: str,
    configfiles: Sequence[Path],
    values: Sequence[str] = (),
    cache: Path | None = None,
) -> tuple[list[Fault], Sequence[Path]]:
    """Check a study whole, against its configuration too.

    Returns:
        Every fault, and the configuration's files. A configuration that cannot be read is a fault.
    """
    from distil.audit import planned
    from distil.audit.recompute import recompute

    jobs, unread = None, []
    try:
        configfiles = configfiles or planned.find_config(study)
        jobs = planned.expected_jobs(configfiles, values, also=recorded_outputs(study))
    except planned.PlanError as error:
        unread = [Fault(UNCHECKED, "config.yaml", str(error))]
    faults = verify(study, cache=cache, recompute=recompute, jobs=jobs)
    return [*faults, *unread], configfiles


def run_explain(
    study: str, target: str, *, used_by: bool, json: bool, html: bool, most: int
) -> int:
    """Print the chain behind a number, or in front of a page."""
    from distil.audit import chain_text, chains
    from distil.audit.cells import NotFoundError
    from distil.audit.explain import Explainer

    try:
        explainer = Explainer(study)
        chain = (explainer.used_by if used_by else explainer.explain)(target)
    except (NotFoundError, OSError, ValueError) as error:
        print(f"explain: {error}", file=sys.stderr)
        return MISSING
    if json:
        print(chains.as_json(chain))
    elif html:
        print(chains.as_html(chain, explainer.pictures(chain)))
    else:
        width = shutil.get_terminal_size().columns
        print(
            chain_text.as_text(chain, explainer, width=width, colour=sys.stdout.isatty(), most=most)
        )
    return OK


def run_dag(study: str, folder: Path) -> int:
    """Draw the DAG that the records describe."""
    from distil.audit import graphs
    from distil.audit.records import read_records

    try:
        records = read_records(study)
    except FileNotFoundError as error:
        print(f"dag: {error}", file=sys.stderr)
        return MISSING
    for path in graphs.write(records, folder):
        print(path)
    return OK


def run_pack(study: str, file: Path) -> int:
    """Write a pack."""
    from distil.audit import packs

    try:
        manifest = packs.pack(study, file)
    except packs.PackError as error:
        print(f"pack: {error}", file=sys.stderr)
        return MISMATCH
    return _tell_manifest(manifest)


def run_page(study: str, file: Path, *, statements: bool) -> int:
    """Write the page as a zip."""
    from distil.report.page.copies import write_zip

    try:
        whole = write_zip(Path("results") / study, file, statements=statements)
    except OSError as error:
        print(f"page: {error.filename or file}: {error.strerror}", file=sys.stderr)
        return MISSING
    left = "" if whole else ", without the exams' statements and pictures (--statements)"
    print(f"{file}: unzip it and open {study}/index.html{left}")
    return OK


def run_unpack(file: Path) -> int:
    """Put a pack in place."""
    from distil.audit import packs

    try:
        manifest = packs.unpack(file)
    except packs.PackError as error:
        print(f"unpack: {error}", file=sys.stderr)
        return MISMATCH
    return _tell_manifest(manifest)


def _tell_manifest(manifest: dict) -> int:
    print(f"{manifest['study']}: {len(manifest['files'])} files, anchor {manifest['anchor']}")
    return OK


def run_export(
    study: str, folder: Path, *, configfiles: Sequence[Path], values: Sequence[str]
) -> int:
    """Write a study that verifies as a crate; configfiles and values as of `run_verify`."""
    from distil.audit import crates

    faults, files = check(study, configfiles, values)
    for fault in faults:
        print(f"{fault.path}: {fault.message}")
    if faults:
        print("export: nothing was written, since the study does not verify", file=sys.stderr)
        return exit_code(faults)
    try:
        for path in crates.export(study, folder, files, values):
            print(path)
    except (ValueError, OSError) as error:
        print(f"export: nothing was written: {error}", file=sys.stderr)
        if isinstance(error, crates.KeyFoundError):
            return SECRET
        return MISSING if isinstance(error, FileNotFoundError) else MISMATCH
    return OK


def run_diff(study: str, first: str, second: str, *, json: bool) -> int:
    """Print which numbers moved, and the causes that the records prove."""
    from distil.audit import differences
    from distil.audit.records import read_records

    def side(name: str) -> differences.Snapshot:
        if Path(name).is_dir():
            return differences.FolderSnapshot(Path(name))
        return differences.snapshot_at(read_records(study), name)

    try:
        moved = differences.compare(side(first), side(second))
    except (FileNotFoundError, LookupError, ValueError) as error:
        print(f"diff: {error}", file=sys.stderr)
        return MISSING
    print(differences.as_json(moved) if json else differences.as_text(moved))
    return MISMATCH if moved else OK


def run_plan(study: str) -> int:
    """Print under which plans the study's jobs ran."""
    from distil.audit import plans
    from distil.audit.records import read_records

    try:
        lines, code = plans.check_analysis_plan(read_records(study))
    except FileNotFoundError as error:
        print(f"plan: {error}", file=sys.stderr)
        return MISSING
    print("\n".join(lines))
    return code


def run_runs(study: str) -> int:
    """List the runs that the history knows, the earliest first."""
    from distil.audit import differences
    from distil.audit.records import read_records

    try:
        records = read_records(study)
    except FileNotFoundError as error:
        print(f"runs: {error}", file=sys.stderr)
        return MISSING
    for name, run in differences.runs(records).items():
        print(
            f"{name}  {run['started'][:19]}  {run['jobs']:>4} jobs  {run['seconds']:>9.1f} s  "
            f"{run['host']}"
        )
    return OK
