"""Audit a study: `python -m distil.audit verify`, `explain CELL`, with `--study NAME`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from distil.audit.verify import MISMATCH, MISSING, OK, anchor, exit_code, verify


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
    two = commands.add_parser("explain", help="walk from a number, row or file to the pages")
    two.add_argument("target", help="C4, C4:low:held_out, levels:R1/fs:gain, FILE#ID or FILE")
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
    six.add_argument("first", type=Path, help="a folder results/STUDY, or a copy of one")
    six.add_argument("second", type=Path)
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = parser().parse_args(arguments)
    commands = {
        "verify": run_verify,
        "explain": run_explain,
        "dag": run_dag,
        "pack": run_pack,
        "unpack": run_pack,
        "diff": run_diff,
    }
    return commands[options.command](options)


def run_verify(options: argparse.Namespace) -> int:
    """Print every fault, one a line."""
    from distil.audit.recompute import recompute

    faults = verify(options.study, cache=options.cache, recompute=recompute)
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
    from distil.audit import explain

    try:
        explainer = explain.Explainer(options.study)
        chain = (explainer.used_by if options.used_by else explainer.explain)(options.target)
    except (explain.NotFoundError, FileNotFoundError) as error:
        print(f"explain: {error}", file=sys.stderr)
        return MISSING
    if options.json:
        print(explain.as_json(chain))
    elif options.html:
        print(explain.as_html(chain, explainer.pictures(chain)))
    else:
        print(explain.as_text(chain, colour=sys.stdout.isatty(), most=options.most))
    return OK


def run_dag(options: argparse.Namespace) -> int:
    """Draw the DAG that the records describe."""
    from distil.audit import graphs
    from distil.audit.records import read_books

    try:
        books = read_books(options.study)
    except FileNotFoundError as error:
        print(f"dag: {error}", file=sys.stderr)
        return MISSING
    for path in graphs.write(books, options.folder):
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


def run_diff(options: argparse.Namespace) -> int:
    """Print which numbers moved, and the causes that the records prove."""
    from distil.audit import differences

    try:
        moved = differences.compare(options.first, options.second)
    except FileNotFoundError as error:
        print(f"diff: {error}", file=sys.stderr)
        return MISSING
    print(differences.as_text(moved))
    return MISMATCH if moved else OK


if __name__ == "__main__":
    sys.exit(main())
