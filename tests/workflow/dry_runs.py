"""Snakemake loaded once for every dry run of the tests; each then runs in a fork of its own.

Loading Snakemake and its plugins takes three of the four seconds that `snakemake -n` takes on the
micro study. A fork has what was loaded, and nothing of what another run read, set or left behind.
"""

from __future__ import annotations

import functools
import gc
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run(arguments: list[str], folder: Path, environment: dict[str, str]) -> tuple[int, str, str]:
    """Return exit code, standard output and error of `snakemake ARGUMENTS` in a folder."""
    with tempfile.TemporaryDirectory() as place:
        request = {
            "arguments": arguments,
            "folder": str(folder),
            "environment": environment,
            "place": place,
        }
        server = _server()
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        code = int(server.stdout.readline())
        return code, *((Path(place, name).read_text(encoding="utf-8")) for name in ("1", "2"))


@functools.cache
def _server() -> subprocess.Popen:
    """Start the process that forks; it ends with this one, when its input does."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.workflow.dry_runs"],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def serve() -> None:
    """Run what comes on standard input, a request a line, and answer each with its exit code."""
    # Otherwise loaded by each run: by distil.study.config, and where Snakemake opens a rule file.
    import jsonschema  # noqa: F401
    import smart_open  # noqa: F401
    import snakemake.cli

    snakemake.cli.parse_args([])  # loads the plugins
    # Collecting garbage among what was loaded takes a fork more time than its dry run.
    gc.freeze()
    # A run imports `distil` from its own folder.
    sys.path[:] = [name for name in sys.path if name and Path(name) != ROOT]
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            request = json.loads(line)
            for number in (1, 2):
                file = os.open(Path(request["place"], str(number)), os.O_WRONLY | os.O_CREAT, 0o600)
                os.dup2(file, number)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.chdir(request["folder"])
            os.environ.clear()
            os.environ.update(request["environment"])
            sys.argv = ["snakemake", *request["arguments"]]
            # Ends by SystemExit, and so runs what is to run at the end of a process.
            snakemake.cli.main(request["arguments"])
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    serve()
