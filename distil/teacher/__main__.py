"""What a study's teacher was asked, what it cost, and what may have been paid for nothing.

python -m distil.teacher STUDY                                    # sums of requests and money
python -m distil.teacher STUDY --list --agent solver --year 2014 --status drift
python -m distil.teacher STUDY --json
python -m distil.teacher STUDY --export FILE                      # raw requests and responses
python -m distil.teacher STUDY --restore FILE ...                 # put them back, for replay
python -m distil.teacher STUDY --set-aside-damage                 # go on without damaged records
"""

from __future__ import annotations

import argparse
import os
import sys

from distil.teacher import responses_report as report
from distil.teacher.journal import JournalError
from distil.teacher.settings import EXIT_JOURNAL, TeacherError


def parser() -> argparse.ArgumentParser:
    """Return the reader of the command line."""
    made = argparse.ArgumentParser(
        prog="python -m distil.teacher",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("study", help="name of the study")
    made.add_argument("--agent", help="solver, distiller, verifier, reader or judge")
    made.add_argument("--year", type=int, help="exam year of the item")
    made.add_argument("--status", help="how the request ended: ok, length, drift, reset, ...")
    made.add_argument("--list", action="store_true", help="one line a request")
    made.add_argument("--json", action="store_true", help="requests and sums as JSON")
    made.add_argument("--export", metavar="FILE", help="write requests and responses as JSONL")
    made.add_argument("--restore", nargs="+", metavar="FILE", help="exported *_responses.jsonl")
    made.add_argument("--set-aside-damage", action="store_true", help="move damaged records away")
    return made


def main() -> int:
    """Run the command line; return the exit code."""
    chosen = parser().parse_args()
    wanted = report.Wanted(chosen.agent, chosen.year, chosen.status)
    try:
        for path, count in report.restore_responses(chosen.study, chosen.restore or []):
            print(f"{count} responses restored from {path}")
        journal = report.open_journal(chosen.study)
        if chosen.set_aside_damage:
            for path in journal.set_damage_aside():
                print(f"{path}: moved here; what was damaged in it is asked and paid for again")
        if chosen.export:
            count = report.export_responses(journal, wanted, chosen.export)
            print(f"{count} responses written to {chosen.export}")
            return 0
        found = report.rows(journal, wanted)
        if chosen.json:
            print(report.as_json(found))
        elif chosen.list:
            for line in report.listing(found):
                print(line)
        else:
            print(report.summary(chosen.study, found, journal))
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read this has seen enough (`| head`).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except TeacherError as error:
        print(error, file=sys.stderr)
        return 2
    except (JournalError, OSError) as error:
        print(error, file=sys.stderr)
        return EXIT_JOURNAL
    return 0


if __name__ == "__main__":
    sys.exit(main())
