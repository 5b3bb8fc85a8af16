"""What a run writes: on a terminal of 80 columns, into a pipe, and when a job fails."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests.workflow.checkout import copy_repository

TARGET = "results/micro/problems/2014.jsonl"
COLUMNS = 80


@pytest.fixture(scope="module")
def fresh(tmp_path_factory) -> Path:
    return copy_repository(tmp_path_factory.mktemp("terminal") / "repository").path


def command(*arguments: str) -> list[str]:
    return [
        sys.executable, "-m", "snakemake", "--cores", "1", *arguments, "--configfile", "config.micro.yaml",
    ]  # fmt: skip


def plain_environment(**more: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "DISTIL_TERMINAL"} | more


def on_terminal(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run snakemake on a pseudo-terminal and return its exit code and all that was written."""
    mine, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (40, COLUMNS))
    process = subprocess.Popen(
        command(*arguments),
        cwd=folder,
        stdout=theirs,
        stderr=theirs,
        env=plain_environment(TERM="xterm"),
    )
    os.close(theirs)
    written = b""
    while True:
        try:
            block = os.read(mine, 65536)
        except OSError:  # the other side is closed
            break
        if not block:
            break
        written += block
    os.close(mine)
    return process.wait(), written.decode("utf-8")


def test_a_terminal_shows_a_line_a_stage_and_one_that_moves(fresh):
    code, written = on_terminal(fresh, TARGET, "--forceall")
    assert code == 0, written
    # What stays on the screen: what stands after the last return to the start of each line.
    screen = [line.rsplit("\r\x1b[K", 1)[-1].rstrip("\r") for line in written.split("\n")]
    seen = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in screen if line]
    assert any(re.fullmatch(r"✔ exams +1 job +\d:\d\d", line) for line in seen), written
    assert any(re.fullmatch(r"✔ problems +2 jobs +\d:\d\d", line) for line in seen), written
    assert "3 jobs in 2 stages; each job's log is in results/micro/logs" in seen
    assert len(seen) < 10, "a page of a terminal holds it all"
    assert "localrule" not in written
    assert "reason:" not in written
    assert "[0/3] exams: typeset_exams" in written, "what runs is shown while it runs"
    assert all(len(part) <= COLUMNS for line in seen[2:] for part in line.split("\r"))


def test_a_pipe_gets_lines_without_control_characters(fresh):
    done = subprocess.run(
        command(TARGET, "--forceall"),
        cwd=fresh, capture_output=True, text=True, check=True, env=plain_environment(),
    )  # fmt: skip
    assert "\r" not in done.stderr
    assert "\x1b" not in done.stderr
    assert "exams: starts" in done.stderr
    assert re.search(r"^(✔|ok) problems +2 jobs", done.stderr, re.M)
    assert done.stdout == "", "claims are shown where the whole study was asked for"


@pytest.mark.parametrize("option", ["--verbose", "--dry-run", "DISTIL_TERMINAL"])
def test_snakemakes_own_words_are_there_for_who_asks(fresh, option):
    own = option.startswith("--")
    done = subprocess.run(
        command(TARGET, "--forceall", *([option] if own else [])),
        cwd=fresh, capture_output=True, text=True, check=True,
        env=plain_environment(**({} if own else {option: "snakemake"})),
    )  # fmt: skip
    assert "rule typeset_exams:" in done.stdout + done.stderr
    assert "reason:" in done.stdout + done.stderr


def test_a_failed_job_is_told_in_full(fresh):
    paper = fresh / "results" / "micro" / "exams" / "2014-fs.pdf"
    subprocess.run(command(TARGET), cwd=fresh, check=True, capture_output=True)
    before = paper.read_bytes()
    paper.write_bytes(b"no PDF at all")
    try:
        code, written = on_terminal(fresh, TARGET, "--forcerun", "extract_problems")
    finally:
        paper.write_bytes(before)
    assert code == 1
    assert "2014-fs.pdf" in written
    assert "Error in rule extract_problems" in written
    assert "results/micro/logs/extract_problems/2014.log" in written
