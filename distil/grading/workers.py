r"""Killable worker processes for math-verify, under limits of CPU time and memory.

    check_all([("45", r"\\sum_{k=1}^{9} k")])  # ["equal"]

math-verify covers formulas that the typed comparison does not. It is slow and can hang, so it runs
only here, only on LaTeX (its plain-text route evaluates Python), only after the cost guard, and it
must agree in both directions. SymPy draws random numbers and keeps what it has computed, so each
task runs in a child forked from a warm, seeded process in which nothing was computed before: a
verdict depends on its pair alone. The limit is CPU time, which a busy machine does not use up. Wall
time only guards against a worker that does nothing at all; then the task is tried again elsewhere.
"""

import atexit
import contextlib
import json
import os
import re
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
_SERVE = "from distil.grading.workers import serve; serve()"


@dataclass(frozen=True)
class Limits:
    """What one answer may cost; the defaults are those of the studies too.

    Attributes:
        cpu_seconds: CPU time for one answer, in seconds.
        memory_bytes: address space of a worker, in bytes; not enforced on macOS.
    """

    cpu_seconds: float = 4.0
    memory_bytes: int = 2_000_000_000


LONGEST_FORMULA = 300  # characters
_MOST_DIGITS = 40
_MOST_EXPONENT = 200
_MOST_NESTED = 12
# "^{12}"; "^x" has no size.
_POWER = re.compile(r"\^\s*\{?\s*\(?\s*-?(\d+)")
# "12!"; "n!" has no size.
_FACTORIAL = re.compile(r"(\d+)\s*!")
# "\sum"; "\summary" is no sum.
_LIMITS = re.compile(r"\\(?:sum|prod|binom|gcd|lcm)(?![a-zA-Z])")
# A word that changes the sense; the arrow of a limit is none.
_LIMIT_ARROW = re.compile(r"\\lim\s*_\s*\{[^{}]*\}")
# "\text{not } 5"; "\cdot" is no word.
_SENSE = re.compile(
    r"\\text\s*\{[^{}]*\b(?:not|no|never|or|if|than)\b|\\(?:to|not|neg)(?![a-zA-Z])"
)
# "__import__"; "a_b" has one underscore.
_FORBIDDEN = re.compile(
    r"__|\\(?:input|def|write|read|href|url|include)(?![a-zA-Z])|[\"'`@#;]|[^\x20-\x7e]"
)


def too_costly(text: str) -> str:
    """Why a formula is not given to the bigger parser; empty if it may be.

    Args:
        text: a formula in cleaned LaTeX.
    """
    if len(text) > LONGEST_FORMULA:
        return "formula too long"
    if re.search(r"\d\s*_", text):
        # math-verify drops what it does not understand after a numeral's subscript.
        return "a numeral with a subscript"
    if _SENSE.search(_LIMIT_ARROW.sub("", text)):
        # It would drop such a word and compare the rest.
        return "words that change the sense"
    if _FORBIDDEN.search(text):
        return "characters that no formula has"
    digits = [len(run) for run in re.findall(r"\d+", text)]
    if digits and max(digits) > _MOST_DIGITS:
        return "number too long"
    if any(len(power) > 4 or int(power) > _MOST_EXPONENT for power in _POWER.findall(text)):
        return "exponent too large"
    if any(len(number) > 3 for number in _FACTORIAL.findall(text)):
        return "factorial too large"
    if re.search(r"\d[eE][-+]?\d{4}", text):
        return "exponent too large"
    if _LIMITS.search(text) and digits and max(digits) > 3:
        return "too many terms"
    depth = deepest = 0
    for character in text:
        depth += (character in "({[") - (character in ")}]")
        deepest = max(deepest, depth)
    if deepest > _MOST_NESTED:
        return "nested too deeply"
    if _height(text) > 2 or re.search(r"!\s*\)*\s*!", text):
        return "tower of powers"
    return ""


def _height(text: str) -> int:
    """How high powers stand on powers: 1 for "a^2b^2c^2", 3 for "a^{b^{c^d}}"."""
    heights, height, highest = [], 0, 0
    for place, character in enumerate(text):
        if character == "{":
            heights.append(height)
            height += text[:place].rstrip().endswith("^")
        elif character == "}" and heights:
            height = heights.pop()
        elif character == "^":
            highest = max(highest, height + 1)
    return highest


def check(gold: str, answer: str) -> str:
    """Ask math-verify.

    Args:
        gold: the key's answer in cleaned LaTeX.
        answer: the other.

    Returns:
        "equal", "unequal", "gold not parsed" or "answer not parsed".
    """
    import logging

    from math_verify import LatexExtractionConfig, parse, verify

    logging.disable(logging.CRITICAL)
    config = [LatexExtractionConfig()]
    parsed = []
    for text, name in ((gold, "gold"), (answer, "answer")):
        found = parse(
            rf"$\boxed{{{text}}}$",
            extraction_config=config,
            fallback_mode="no_fallback",
            parsing_timeout=None,
        )
        if not found:
            return f"{name} not parsed"
        parsed.append(found)
    settings = {
        "float_rounding": 12,
        "numeric_precision": 40,
        "strict": True,
        "timeout_seconds": None,
    }
    # It is not symmetric; an equality that holds in one direction only is none.
    equal = verify(parsed[0], parsed[1], **settings) and verify(parsed[1], parsed[0], **settings)
    return "equal" if equal else "unequal"


def serve() -> None:
    """Answer tasks from standard input until it closes; the entry point of a worker process."""
    import resource

    memory = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    # Whatever a library prints must not reach the answers.
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    check("1", "1")
    import random

    import sympy.core.random

    random.seed(0)
    sympy.core.random.seed(0)
    answers.write('"ready"\n')
    answers.flush()
    for line in sys.stdin:
        answers.write(json.dumps(_in_child(json.loads(line))) + "\n")
        answers.flush()


def _in_child(task: dict) -> str:
    """Check one pair in a child process, so that nothing it computes or breaks stays behind."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        # The default action of SIGPROF ends the process even inside C code.
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, task["cpu"])
        try:
            result = check(task["gold"], task["answer"])
        except MemoryError:
            result = "memory"
        except RecursionError:
            result = "too deep"
        except BaseException as error:  # noqa: BLE001
            result = f"error {type(error).__name__}"
        os.write(writing, result.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        result = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return "cpu limit" if os.WTERMSIG(status) == signal.SIGPROF else "crash"
    return result or "crash"


class Worker:
    """One worker process, started when first asked and again after it was killed."""

    def __init__(self, limits: Limits | None = None, hang_seconds: float = HANG_SECONDS):
        self.limits = limits or Limits()
        self.hang_seconds = hang_seconds
        self.process: subprocess.Popen | None = None

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
            What `check` says, or "cpu limit", "crash", "hang" or "memory".
        """
        outcome = "crash"
        for _ in range(ATTEMPTS):
            if self.process is None:
                self._start()
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
        return outcome

    def _post_mortem(self) -> str:
        try:
            # Its pipe closes a moment before the process is gone.
            self.process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            return "hang"
        return "crash"

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
