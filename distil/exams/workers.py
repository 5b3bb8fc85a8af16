"""Extraction in a process that can be killed: PDFium can hang on a PDF of 580 bytes."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from distil.exams.errors import ExamError

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[2]


def run_extraction(
    paper: Path,
    key: Path | None,
    *,
    memory: int,
    cpu_seconds: int,
    wall_seconds: int,
    options: dict,
) -> list[dict]:
    """Do what `distil.exams.extract_safely` promises."""
    request = {
        "paper": str(paper),
        "key": str(key) if key is not None else None,
        "memory": memory,
        "cpu_seconds": cpu_seconds,
        "options": {name: list(v) if isinstance(v, tuple) else v for name, v in options.items()},
    }
    return run_worker(paper, request, wall_seconds)


def run_survey(paper: Path, *, memory: int, cpu_seconds: int, wall_seconds: int) -> list[dict]:
    """Do what `distil.exams.extraction.survey_safely` promises."""
    request = {
        "survey": True,
        "paper": str(paper),
        "memory": memory,
        "cpu_seconds": cpu_seconds,
    }
    return run_worker(paper, request, wall_seconds)


def run_crops(
    pdf: Path,
    places: Sequence[tuple[int, Sequence[float]]],
    *,
    dpi: int,
    memory: int,
    cpu_seconds: int,
    wall_seconds: int,
) -> list[bytes]:
    """Do what `distil.exams.crop_safely` promises."""
    request = {
        "paper": str(pdf),
        "places": [[page, list(box)] for page, box in places],
        "dpi": dpi,
        "memory": memory,
        "cpu_seconds": cpu_seconds,
    }
    return [base64.b64decode(picture) for picture in run_worker(pdf, request, wall_seconds)]


def run_worker(paper: Path, request: dict, wall_seconds: int) -> list:
    """Send a request to a process of its own; return its answer, or raise why there is none."""
    memory, cpu_seconds = request["memory"], request["cpu_seconds"]
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "OMP_THREAD_LIMIT": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "distil.exams.workers"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(json.dumps(request).encode(), timeout=wall_seconds)
    except subprocess.TimeoutExpired:
        end_group(process)
        raise ExamError(
            paper,
            f"reading it took more than {wall_seconds} s and was stopped",
            "repair the file (print it to a new PDF) or raise wall_seconds",
        ) from None
    except BaseException:
        end_group(process)
        raise
    if process.returncode == 0:
        return json.loads(out)
    if process.returncode == 3:
        told = json.loads(out)
        raise ExamError(told["path"], told["cause"], told["remedy"])
    reason = died(process.returncode, err.decode(errors="replace"), memory, cpu_seconds)
    raise ExamError(paper, reason, "repair the file (print it to a new PDF) or raise the limits")


def died(code: int, told: str, memory: int, cpu_seconds: int) -> str:
    """Return why a worker ended without an answer."""
    if code == -signal.SIGXCPU or code == -signal.SIGKILL:
        return f"reading it took more than {cpu_seconds} s of processor time and was stopped"
    if "MemoryError" in told or "bad_alloc" in told or "out of memory" in told.lower():
        return f"reading it took more than {memory // 1024**2} MiB of memory and was stopped"
    if code < 0:
        return f"PDFium crashed on it ({signal.Signals(-code).name})"
    last = told.strip().splitlines()[-1:] or ["no message"]
    return f"reading it failed ({last[0][:200]})"


def end_group(process: subprocess.Popen) -> None:
    """Kill a worker and what it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def serve() -> int:
    """Read one request from standard input, answer on standard output."""
    import resource

    request = json.loads(sys.stdin.buffer.read())
    limit_resource(resource, "RLIMIT_AS", request["memory"])
    limit_resource(resource, "RLIMIT_CPU", request["cpu_seconds"])
    limit_resource(resource, "RLIMIT_CORE", 0)
    out = sys.stdout.buffer
    try:
        answer = answer_request(request)
    except ExamError as error:
        out.write(
            json.dumps({"path": error.path, "cause": error.cause, "remedy": error.remedy}).encode()
        )
        return 3
    out.write(json.dumps(answer, ensure_ascii=False).encode())
    return 0


def answer_request(request: dict) -> list:
    """Return the rows of a paper, or the pictures of places in it as base64 text."""
    if "places" in request:
        from distil.exams.drawing import crop_places

        pictures = crop_places(Path(request["paper"]), request["places"], request["dpi"])
        return [base64.b64encode(picture).decode("ascii") for picture in pictures]
    from distil.exams.extraction import extract, survey

    if request.get("survey"):
        return survey(request["paper"])
    return extract(request["paper"], request["key"], **request["options"])


def limit_resource(resource, name: str, value: int) -> None:
    """Lower one limit of this process; macOS refuses some of them, and then the clock has to do."""
    kind = getattr(resource, name, None)
    if kind is None:
        return
    _, hard = resource.getrlimit(kind)
    top = value + 2 if name == "RLIMIT_CPU" else value
    if hard != resource.RLIM_INFINITY:
        value, top = min(value, hard), min(top, hard)
    try:
        resource.setrlimit(kind, (value, top))
    except (ValueError, OSError):
        return


if __name__ == "__main__":
    code = serve()
    sys.stdout.flush()
    os._exit(code)
