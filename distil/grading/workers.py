"""Killable workers: processes that run `formulas.check` under limits of CPU time and memory.

The limit is CPU time, which a busy machine does not use up, so verdicts do not depend on its load.
Wall time only guards against a worker that does nothing at all; then the task is tried again
elsewhere.
"""

import atexit
import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

# A worker that has used no more than its CPU time for this long on the wall is stuck or starved.
HANG_SECONDS = 120.0
START_SECONDS = 300.0
ATTEMPTS = 3
TASKS_PER_WORKER = 500
_SERVE = "from distil.grading.workers import serve; serve()"


@dataclass(frozen=True)
class Limits:
    """What one answer may cost.

    Attributes:
        cpu_seconds: CPU time for one answer, in seconds.
        memory_bytes: address space of a worker, in bytes; not enforced on macOS.
    """

    cpu_seconds: float = 4.0
    memory_bytes: int = 2 * 1024**3


def serve() -> None:
    """Answer tasks from standard input until it closes; the entry point of a worker process."""
    import resource

    memory = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    # The default action of SIGPROF ends the process even inside C code.
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    # Whatever a library prints must not reach the answers.
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    from distil.grading.formulas import check

    check("1", "1")
    answers.write('"ready"\n')
    answers.flush()
    for line in sys.stdin:
        task = json.loads(line)
        signal.setitimer(signal.ITIMER_PROF, task["cpu"])
        try:
            result = check(task["gold"], task["answer"])
        except MemoryError:
            result = "memory"
        except RecursionError:
            result = "too deep"
        except Exception as error:  # noqa: BLE001
            result = f"error {type(error).__name__}"
        signal.setitimer(signal.ITIMER_PROF, 0)
        answers.write(json.dumps(result) + "\n")
        answers.flush()


class Worker:
    """One worker process, started when first asked and again after it was killed."""

    def __init__(self, limits: Limits | None = None, hang_seconds: float = HANG_SECONDS):
        self.limits = limits or Limits()
        self.hang_seconds = hang_seconds
        self.process: subprocess.Popen | None = None
        self.tasks = 0

    def _start(self) -> None:
        root = str(Path(__file__).resolve().parents[2])
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths),
            "PYTHONHASHSEED": "0",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, str(self.limits.memory_bytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        self.buffer = b""
        self.tasks = 0
        if self._read(START_SECONDS) != "ready":
            self.stop()
            raise RuntimeError(
                "the grading worker did not start: check that math-verify is installed (make setup)"
            )

    def _read(self, seconds: float):
        """The next answer, or None if the process died or said nothing in time."""
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while b"\n" not in self.buffer:
                left = deadline - time.monotonic()
                if left <= 0 or not selector.select(left):
                    return None
                chunk = os.read(self.process.stdout.fileno(), 65536)
                if not chunk:
                    return None
                self.buffer += chunk
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def ask(self, gold: str, answer: str) -> str:
        """Check one pair.

        Args:
            gold: the key's answer in cleaned LaTeX.
            answer: the other.

        Returns:
            What `formulas.check` says, or "cpu limit", "crash", "hang" or "memory".
        """
        outcome = "crash"
        for _ in range(ATTEMPTS):
            if self.tasks >= TASKS_PER_WORKER:
                self.stop()
            if self.process is None:
                self._start()
            self.tasks += 1
            task = (
                json.dumps({"gold": gold, "answer": answer, "cpu": self.limits.cpu_seconds}) + "\n"
            )
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.write(task.encode("ascii"))
                self.process.stdin.flush()
            result = self._read(self.hang_seconds)
            if result is not None:
                return result
            outcome = self._post_mortem()
            self.stop()
            if outcome == "cpu limit":
                return outcome
        return outcome

    def _post_mortem(self) -> str:
        try:
            # Its pipe closes a moment before the process is gone.
            code = self.process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            return "hang"
        return "cpu limit" if code == -signal.SIGPROF else "crash"

    def stop(self) -> None:
        """End the process, if there is one."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            # A task that the dead process never read is still in the buffer.
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()
            self.process.stdout.close()
            self.process = None


_LOCK = threading.Lock()
_IDLE: dict[Limits, list[Worker]] = {}


def check_all(
    pairs: Sequence[tuple[str, str]], workers: int | None = None, limits: Limits | None = None
) -> list[str]:
    """Check pairs in warm worker processes.

    Args:
        pairs: (gold, answer) in cleaned LaTeX.
        workers: the most processes to use; by default one per core.
        limits: what one pair may cost.

    Returns:
        One outcome per pair, in the order of the pairs.
    """
    if not pairs:
        return []
    count = max(1, min(workers or os.cpu_count() or 1, len(pairs)))
    with _LOCK:
        idle = _IDLE.setdefault(limits or Limits(), [])
        team = [idle.pop() if idle else Worker(limits) for _ in range(count)]
    free = list(team)

    def one(pair: tuple[str, str]) -> str:
        with _LOCK:
            worker = free.pop()
        try:
            return worker.ask(*pair)
        finally:
            with _LOCK:
                free.append(worker)

    try:
        with ThreadPoolExecutor(count) as threads:
            return list(threads.map(one, pairs))
    finally:
        with _LOCK:
            idle.extend(team)


@atexit.register
def stop_all() -> None:
    """End all idle workers."""
    with _LOCK:
        for idle in _IDLE.values():
            while idle:
                idle.pop().stop()
