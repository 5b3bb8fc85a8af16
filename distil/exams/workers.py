"""Processes that are killed at their limits: PDFium can hang on a PDF of 580 bytes.

run_worker(path, {"module": MODULE, "function": NAME, "memory": BYTES, ...}, wall_seconds)
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from distil.exams.errors import ExamError

ROOT = Path(__file__).resolve().parents[2]


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
    """Return what a function gives for the request that names it by `module` and `function`.

    It is loaded by name, so that whoever starts a worker depends on the code that it runs there
    and on none of the others'.
    """
    return getattr(importlib.import_module(request["module"]), request["function"])(request)


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
