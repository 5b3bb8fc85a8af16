"""Terminal output of a run, one line a stage, in place of Snakemake's block for each job.

A stage is a file of rules. On a terminal the last line shows what is running and how far it is;
elsewhere (a log, a pipe) a line is written when a stage starts and ends, and every 20 seconds
between. How far a job is stands in its log (distil/content/progress.py). Warnings and errors are
Snakemake's own, in full; so is everything under `--verbose`, `--quiet`, `--dry-run`, `--debug-dag`
or `--printshellcmds`, and with DISTIL_TERMINAL=snakemake. The whole output of a run is always in
`.snakemake/log`.

It replaces Snakemake's own handler and is no logger plugin of Snakemake: a profile that names a
plugin stops every Snakemake that lacks it, before our rules can say what to install.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from snakemake.logging import ColorizingTextHandler, DefaultFilter, LogEvent

from distil.content.stages import read_stages

# Seconds without a word, where output goes to a file.
PATIENCE = 20
REDRAW = 0.5
# How much of the end of a log is searched for its last line on progress.
TAIL = 4096

_PROGRESS = re.compile(
    r"^progress: (?P<done>\d+)/(?P<total>\d+) (?P<unit>[^;\n]+)(?:; (?P<note>[^;\n]*))?"
    r"(?:; (?P<curve>[-0-9. e+]+))?$",
    re.M,
)
# What Snakemake says of every run and every job. All else is shown.
_ROUTINE = re.compile(
    r"Building DAG|Updating (checkpoint dependencies|job)|Select jobs|Execute \d+ jobs|DAG of jobs"
    r"|Using shell|Provided (cores|resources|nodes)|Rules claiming more|Assuming unrestricted"
    r"|host: |Complete log|Removing temporary|Touching output|Job stats|Using profile"
    r"|Conda environments|Using workflow specific profile|Config file .* is extended|Finished job"
    r"|\d+ of \d+ steps"
)
_BARS = "▁▂▃▄▅▆▇█"


@dataclass
class Job:
    """A job that runs."""

    rule: str
    label: str
    log: Path | None
    started: float


@dataclass
class Stage:
    """The jobs of one file of rules.

    Attributes:
        total: jobs to run, as Snakemake counted them at the start.
        done: jobs that ended well.
        seconds: their durations, added up.
        running: jobs by their numbers.
    """

    total: int = 0
    done: int = 0
    seconds: float = 0.0
    running: dict[int, Job] = field(default_factory=dict)
    told: int = 0


def read_progress(log: Path | None) -> re.Match[str] | None:
    """Return the last line on progress in a log, matched; None where there is none."""
    try:
        with log.open("rb") as stream:  # type: ignore[union-attr]
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - TAIL))
            text = stream.read().decode("utf-8", "replace")
    except (OSError, AttributeError):
        return None
    return next(reversed(list(_PROGRESS.finditer(text))), None)


def clock(seconds: float) -> str:
    """Return seconds as m:ss or h:mm:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def draw_curve(numbers: list[float], width: int = 24) -> str:
    """Draw numbers as bars, the latest `width` of them."""
    shown = numbers[-width:]
    low, high = min(shown), max(shown)
    step = (high - low) / (len(_BARS) - 1) or 1.0
    return "".join(_BARS[round((number - low) / step)] for number in shown)


def describe(job: Job, now: float, drawn: bool) -> str:
    """Say in a line what a job is at."""
    spent = now - job.started
    text = f"{job.label}  {clock(spent)}"
    found = read_progress(job.log)
    if found is None:
        return text
    done, total = int(found["done"]), int(found["total"])
    text += f"  {done} of {total} {found['unit']}"
    if 0 < done < total and " left" not in (found["note"] or ""):
        text += f", {clock(spent / done * (total - done))} left"
    if found["note"]:
        text += f", {found['note']}"
    if drawn and found["curve"]:
        numbers = [float(number) for number in found["curve"].split()]
        text += f"  {draw_curve(numbers)}"
    return text


def show_stages(logger: logging.Logger, folder: Path) -> None:
    """Let a run speak in stages, unless Snakemake's own words were asked for.

    Args:
        logger: Snakemake's.
        folder: of the Snakefile.
    """
    for own in logger.handlers:
        if isinstance(own, ColorizingTextHandler) and not speaks_itself(own):
            logger.removeHandler(own)
            logger.addHandler(StageHandler(own, read_stages(folder)))
            return


def speaks_itself(own: logging.Handler) -> bool:
    """Whether Snakemake was started with an option on what it prints."""
    asked = next((each for each in own.filters if isinstance(each, DefaultFilter)), None)
    return (
        os.environ.get("DISTIL_TERMINAL") == "snakemake"
        or asked is None
        or bool(asked.quiet)
        or asked.verbose
        or asked.dryrun
        or asked.debug_dag
        or asked.printshellcmds
    )


class StageHandler(logging.Handler):
    """Writes what happens, a line a stage.

    Args:
        own: Snakemake's handler, which writes warnings and errors.
        stage_of: {rule: stage}, the stages in their order.
    """

    def __init__(self, own: ColorizingTextHandler, stage_of: dict[str, str]) -> None:
        """Write to the stream that Snakemake's handler writes to."""
        super().__init__()
        self.own, self.stream = own, own.stream
        self.stage_of = stage_of
        self.live = own.is_tty and os.environ.get("TERM") != "dumb"
        self.unicode = "utf" in (getattr(self.stream, "encoding", "") or "").lower()
        self.colour = not own.nocolor
        self.screen = threading.RLock()
        self.stages: dict[str, Stage] = {}
        self.jobs = [0, 0]  # done, of
        self.spoken = time.monotonic()
        self.drawn = self.begun = False
        self.ended = threading.Event()

    # ------------------------------------------------------------------------------- messages

    def emit(self, record: logging.LogRecord) -> None:
        """Write one message of Snakemake, or take note of it."""
        handlers = {
            LogEvent.RUN_INFO: self._count,
            LogEvent.JOB_INFO: self._start,
            LogEvent.JOB_FINISHED: self._finish,
            LogEvent.PROGRESS: self._progress,
        }
        event = getattr(record, "event", None)
        try:
            with self.screen:
                if event in handlers:
                    handlers[event](record)
                elif record.levelno >= logging.WARNING:
                    self._erase()
                    self.own.emit(record)
                    self.spoken = time.monotonic()
                elif event in (None, LogEvent.ERROR) and record.levelno == logging.INFO:
                    text = record.getMessage()
                    if text and text != "None" and not _ROUTINE.match(text):
                        self._write(text)
        except Exception:  # noqa: BLE001 - a fault of the display must not end a run
            self.handleError(record)

    def _count(self, record: logging.LogRecord) -> None:
        stats = getattr(record, "stats", None) or {}
        if self.stages or not stats:
            return
        for stage in dict.fromkeys(self.stage_of.values()):
            self.stages[stage] = Stage()
        jobs = {rule: count for rule, count in stats.items() if rule in self.stage_of}
        for rule, count in jobs.items():
            self.stages[self.stage_of[rule]].total += count
        self.jobs[1] = sum(jobs.values())
        threading.Thread(target=self._tick, daemon=True).start()

    def _start(self, record: Any) -> None:
        stage = self.stages.get(self.stage_of.get(record.rule_name, ""))
        if stage is None:
            return  # `all`, which makes nothing
        # Not before another stage starts: a stage below a checkpoint may get more jobs.
        self._end_stages(besides=stage)
        if not self.begun:
            self._begin(record)
        values = [str(value) for name, value in dict(record.wildcards).items() if name != "study"]
        label = " ".join([record.rule_name, *values])
        log = Path(record.log[0]) if record.log else None
        if not self.live and not stage.running and not stage.done:
            self._write(f"{self.stage_of[record.rule_name]}: starts")
        stage.running[record.jobid] = Job(record.rule_name, label, log, time.time())
        self._draw()

    def _begin(self, record: Any) -> None:
        """Say how much there is to do, and where the logs of this study's jobs lie."""
        self.begun = True
        jobs, stages = self.jobs[1], sum(bool(stage.total) for stage in self.stages.values())
        text = f"{jobs} job{'s' * (jobs != 1)} in {stages} stage{'s' * (stages != 1)}"
        if record.log:
            folder = "/".join(Path(record.log[0]).parts[:3])
            text += f"; each job's log is in {folder}"
        self._write(text)

    def _finish(self, record: Any) -> None:
        for stage in self.stages.values():
            job = stage.running.pop(record.job_id, None)
            if job is None:
                continue
            stage.done += 1
            self.jobs[0] += 1
            stage.seconds += time.time() - job.started
        self._draw()

    def _progress(self, record: Any) -> None:
        if record.done >= record.total:
            self._end_stages()

    def _end_stages(self, besides: Stage | None = None, whole: bool = True) -> None:
        """Tell which stages have ended; with `whole` false, of those that have only begun too."""
        for name, stage in self.stages.items():
            ended = stage.done >= stage.total or not whole
            if stage is not besides and stage.done > stage.told and not stage.running and ended:
                self._end_stage(name, stage)

    def _end_stage(self, name: str, stage: Stage) -> None:
        mark = ("✔" if self.unicode else "ok") if stage.done >= stage.total else "-"
        if self.colour:
            mark = f"\033[32m{mark}\033[0m"
        count = f"{stage.done} job{'s' * (stage.done != 1)}"
        self._write(f"{mark} {name:<12} {count:>9}  {clock(stage.seconds):>7}")
        stage.told = stage.done

    # -------------------------------------------------------------------------------- the screen

    def _write(self, text: str) -> None:
        self._erase()
        self.stream.write(f"{text}\n")
        self.stream.flush()
        self.spoken = time.monotonic()

    def _erase(self) -> None:
        if self.drawn:
            self.stream.write("\r\033[K")
            self.drawn = False

    def _running(self) -> list[tuple[str, Job]]:
        return [
            (name, job) for name, stage in self.stages.items() for job in stage.running.values()
        ]

    def _draw(self) -> None:
        """Show what runs: in the last line of a terminal, elsewhere in a line of its own."""
        running = self._running()
        if not self.live or not running:
            return
        name, job = max(running, key=lambda pair: pair[1].started)
        more = f" (+{len(running) - 1})" if len(running) > 1 else ""
        text = f"[{self.jobs[0]}/{self.jobs[1]}] {name}{more}: "
        text += describe(job, time.time(), self.unicode)
        width = shutil.get_terminal_size().columns - 1
        self._erase()
        self.stream.write(text[:width])
        self.stream.flush()
        self.drawn = True

    def _tick(self) -> None:
        while not self.ended.wait(REDRAW):
            with self.screen:
                if self.live:
                    self._draw()
                elif time.monotonic() - self.spoken > PATIENCE:
                    for name, job in self._running():
                        self._write(
                            f"{name} [{self.jobs[0]}/{self.jobs[1]}]: "
                            f"{describe(job, time.time(), self.unicode)}"
                        )

    def close(self) -> None:
        """Write what was begun and not ended, and leave the terminal as it was."""
        self.ended.set()
        with self.screen:
            self._erase()
            self._end_stages(whole=False)
        super().close()
