"""Audit a study: `python -m distil.audit status`, `verify`, `explain CELL` and so on."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from distil.audit.verify import MISMATCH, MISSING, OK, SECRET, UNCHECKED, anchor, exit_code, verify


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    top = argparse.ArgumentParser(prog="python -m distil.audit", description=__doc__)
    top.add_argument("--study", default="sample", help="name of the study (default: sample)")
    commands = top.add_subparsers(dest="command", required=True)
    one = commands.add_parser("verify", help="rehash everything and name what no longer holds")
    one.add_argument(
        "--anchor",
        nargs="?",
        const="",
        metavar="DIGEST",
        help="print the digest, or hold it against DIGEST",
    )
    one.add_argument(
        "--cache", type=Path, metavar="FILE", help="keep hashes by size, mtime and inode"
    )
    state = commands.add_parser("status", help="which jobs are fresh, which are not and why")
    state.add_argument("--json", action="store_true", help="everything, as JSON")
    state.add_argument("--all", action="store_true", help="list the fresh jobs as well")
    state.add_argument(
        "--cache", type=Path, metavar="FILE", help="keep hashes by size, mtime and inode"
    )
    seven = commands.add_parser(
        "export", help="write the study as an RO-Crate, its tables described as Croissant"
    )
    seven.add_argument("folder", type=Path, help="where the crate is written; must not exist")
    for command in (one, state, seven):
        command.add_argument(
            "--configfile",
            type=Path,
            nargs="+",
            metavar="FILE",
            help="as Snakemake's (default: the config*.yaml that names the study)",
        )
        if command is not seven:
            command.add_argument(
                "--config", nargs="+", default=[], metavar="KEY=VALUE", help="as Snakemake's"
            )
    two = commands.add_parser("explain", help="walk from a number, row or file to the pages")
    two.add_argument(
        "target", help="C4, C4:low:held_out, levels:R1/fs:gain, FILE#ID, PDF#PAGE or FILE"
    )
    two.add_argument("--used-by", action="store_true", help="the other way: what rests on it")
    shape = two.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="everything, as JSON")
    shape.add_argument("--html", action="store_true", help="everything, as a page")
    two.add_argument("--most", type=int, default=3, help="entries shown a stage (text only)")
    three = commands.add_parser("dag", help="draw the rule graph and the file graph as SVG")
    three.add_argument("folder", type=Path, help="where rules.svg and files.svg are written")
    four = commands.add_parser("pack", help="write results, records and metadata to one file")
    four.add_argument("file", type=Path)
    five = commands.add_parser("unpack", help="put a packed study in place, checked")
    five.add_argument("file", type=Path)
    six = commands.add_parser("diff", help="which numbers moved between two results, and why")
    six.add_argument(
        "first",
        help="a folder results/STUDY, a copy of one, or a moment of the study's history: "
        "a run (see: runs), latest, latest~1, or a time",
    )
    six.add_argument("second", help="the same; the later one")
    six.add_argument("--json", action="store_true", help="everything, as JSON")
    commands.add_parser("runs", help="list the runs in the history of the study")
    commands.add_parser("plan", help="was the plan of the tests fixed before the answers came")
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = parser().parse_args(arguments)
    commands = {
        "status": run_status,
        "verify": run_verify,
        "explain": run_explain,
        "dag": run_dag,
        "pack": run_pack,
        "unpack": run_pack,
        "export": run_export,
        "diff": run_diff,
        "plan": run_plan,
        "runs": run_runs,
    }
    return commands[options.command](options)


def run_status(options: argparse.Namespace) -> int:
    """Print the state of every job."""
    from distil.audit import planned, status

    try:
        files = options.configfile or planned.find_config(options.study)
        jobs = planned.expected_jobs(files, options.config)
    except planned.PlanError as error:
        print(f"status: {error}", file=sys.stderr)
        return UNCHECKED
    options.study = jobs[0].wildcards["study"]
    found = status.compute_status(options.study, jobs, options.cache)
    print(status.as_json(found) if options.json else status.as_text(found, all_jobs=options.all))
    return status.exit_code(found)


def run_verify(options: argparse.Namespace) -> int:
    """Print every fault, one a line."""
    from distil.audit import planned
    from distil.audit.recompute import recompute

    called = None
    try:
        files = options.configfile or planned.find_config(options.study)
        called = {job.record for job in planned.expected_jobs(files, options.config)}
    except planned.PlanError as error:
        print(f"verify: orphans are not looked for: {error}", file=sys.stderr)
    faults = verify(options.study, cache=options.cache, recompute=recompute, called=called)
    for fault in faults:
        print(f"{fault.path}: {fault.message}")
    if options.anchor is not None:
        digest = anchor(options.study)
        print(f"anchor: {digest}")
        if options.anchor and options.anchor != digest:
            print(f"the records are not those whose anchor is {options.anchor}")
            return exit_code(faults) or MISMATCH
    print(f"{len(faults)} faults" if faults else "ok")
    return exit_code(faults)


def run_explain(options: argparse.Namespace) -> int:
    """Print the chain behind a number, or in front of a page."""
    from distil.audit import chains
    from distil.audit.cells import NotFoundError
    from distil.audit.explain import Explainer

    try:
        explainer = Explainer(options.study)
        chain = (explainer.used_by if options.used_by else explainer.explain)(options.target)
    except (NotFoundError, OSError, ValueError) as error:
        print(f"explain: {error}", file=sys.stderr)
        return MISSING
    if options.json:
        print(chains.as_json(chain))
    elif options.html:
        print(chains.as_html(chain, explainer.pictures(chain)))
    else:
        print(chains.as_text(chain, colour=sys.stdout.isatty(), most=options.most))
    return OK


def run_dag(options: argparse.Namespace) -> int:
    """Draw the DAG that the records describe."""
    from distil.audit import graphs
    from distil.audit.records import read_records

    try:
        records = read_records(options.study)
    except FileNotFoundError as error:
        print(f"dag: {error}", file=sys.stderr)
        return MISSING
    for path in graphs.write(records, options.folder):
        print(path)
    return OK


def run_pack(options: argparse.Namespace) -> int:
    """Write or read a pack."""
    from distil.audit import packs

    try:
        if options.command == "pack":
            manifest = packs.pack(options.study, options.file)
        else:
            manifest = packs.unpack(options.file)
    except packs.PackError as error:
        print(f"{options.command}: {error}", file=sys.stderr)
        return MISMATCH
    print(f"{manifest['study']}: {len(manifest['files'])} files, anchor {manifest['anchor']}")
    return OK


def run_export(options: argparse.Namespace) -> int:
    """Write a study that verifies as a crate."""
    from distil.audit import crates, planned

    try:
        files = options.configfile or planned.find_config(options.study)
    except planned.PlanError as error:
        print(f"export: the crate will hold no configuration: {error}", file=sys.stderr)
        files = []
    faults = verify(options.study)
    for fault in faults:
        print(f"{fault.path}: {fault.message}")
    if faults:
        print("export: nothing was written, since the study does not verify", file=sys.stderr)
        return exit_code(faults)
    try:
        for path in crates.export(options.study, options.folder, files):
            print(path)
    except (ValueError, OSError) as error:
        print(f"export: nothing was written: {error}", file=sys.stderr)
        if isinstance(error, crates.KeyFoundError):
            return SECRET
        return MISSING if isinstance(error, FileNotFoundError) else MISMATCH
    return OK


def run_diff(options: argparse.Namespace) -> int:
    """Print which numbers moved, and the causes that the records prove."""
    from distil.audit import differences
    from distil.audit.records import read_records

    def side(name: str) -> differences.Snapshot:
        if Path(name).is_dir():
            return differences.FolderSnapshot(Path(name))
        return differences.snapshot_at(read_records(options.study), name)

    try:
        moved = differences.compare(side(options.first), side(options.second))
    except (FileNotFoundError, LookupError, ValueError) as error:
        print(f"diff: {error}", file=sys.stderr)
        return MISSING
    print(differences.as_json(moved) if options.json else differences.as_text(moved))
    return MISMATCH if moved else OK


def run_plan(options: argparse.Namespace) -> int:
    """Print under which plans the study's jobs ran."""
    from distil.audit import plans
    from distil.audit.records import read_records

    try:
        lines, code = plans.check_analysis_plan(read_records(options.study))
    except FileNotFoundError as error:
        print(f"plan: {error}", file=sys.stderr)
        return MISSING
    print("\n".join(lines))
    return code


def run_runs(options: argparse.Namespace) -> int:
    """List the runs that the history knows, the earliest first."""
    from distil.audit import differences
    from distil.audit.records import read_records

    try:
        records = read_records(options.study)
    except FileNotFoundError as error:
        print(f"runs: {error}", file=sys.stderr)
        return MISSING
    for name, run in differences.runs(records).items():
        print(
            f"{name}  {run['started'][:19]}  {run['jobs']:>4} jobs  {run['seconds']:>9.1f} s  "
            f"{run['host']}"
        )
    return OK


if __name__ == "__main__":
    sys.exit(main())
