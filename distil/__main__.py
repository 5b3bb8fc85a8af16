"""Start of the command `distil`: the right Python and the right repository, then distil/cli.py.

The command that set-up installs and `python -m distil` both begin here. Only the standard library
is imported before the packages of `.venv` are known to be there.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from distil.study.environment import require_packages
from distil.study.names import find_repository

OWN = Path("distil", "__main__.py")  # of a repository


def main() -> None:
    """Run the command line with the code of the repository it is called in."""
    if sys.argv[1:2] != ["grade"]:  # the grader works without the packages of the study
        require_packages("distil")
    here = find_repository(Path.cwd())
    if here and not (here / OWN).samefile(__file__):
        # A copy or another checkout: its results must be looked at with its own code. (A folder
        # whose `distil` is a link to ours has ours.)
        path = os.pathsep.join(filter(None, (str(here), os.environ.get("PYTHONPATH"))))
        os.environ["PYTHONPATH"] = path
        os.execv(  # noqa: S606 - no shell is wanted
            sys.executable, [sys.executable, "-P", "-m", "distil", *sys.argv[1:]]
        )
    from distil.cli import app

    app(prog_name="distil")


if __name__ == "__main__":
    main()
