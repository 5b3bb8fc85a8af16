r"""Command line of the grader: `distil grade PAIRS.jsonl`, without a study.

    {"id": 1, "gold": "\\frac34", "output": "So it is $0.75$."}            one pair a line
    {"id": 1, "verdict": "right", "reason": ..., "extracted": "0.75", "rule": "number"}

Each line of the input holds "id", "gold" (a key, or a list of keys of which any is right),
"output", and optionally "problem" (the question) and "cut" (true: cut off at the token limit). Each
printed line holds the verdict, in the order of the input. All lines are read before the first is
graded, so that a bad one stops the call before it costs anything.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path

from distil.grading.grading import judge_all
from distil.grading.workers import Limits

# Verdicts are printed in groups, so that little is lost when the call is ended.
GROUP = 100


def _fault(row: object) -> str:
    """What is wrong with a line's content; empty if it is a pair."""
    if not isinstance(row, dict):
        return "not an object; expected id, gold, output, problem"
    if not isinstance(row.get("id"), str | int):
        return "field id is missing or neither a string nor a number"
    gold = row.get("gold")
    if isinstance(gold, list) and gold and all(isinstance(key, str) for key in gold):
        gold = gold[0]
    for field, value in (("gold", gold), ("output", row.get("output"))):
        if not isinstance(value, str):
            return f"field {field} is missing or not a string; quote it"
    if not isinstance(row.get("problem"), str | None):
        return "field problem is not a string; leave it out or quote it"
    if not isinstance(row.get("cut", False), bool):
        return "field cut is neither true nor false"
    return ""


def read_pairs(lines: Iterable[bytes], name: str) -> list[dict]:
    """Rows of a JSONL file of pairs.

    Args:
        lines: the lines, undecoded.
        name: of the file, for errors.

    Returns:
        One dictionary per line that is not blank.

    Raises:
        ValueError: naming file and line, if a line is not a pair.
    """
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{name}, line {number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{where}: not JSON ({error}); write one object per line") from None
        if fault := _fault(row):
            raise ValueError(f"{where}: {fault}")
        rows.append(row)
    return rows


def _read(path: str) -> list[dict]:
    if path == "-":
        return read_pairs(sys.stdin.buffer, "standard input")
    with Path(path).open("rb") as lines:
        return read_pairs(lines, path)


def _check(workers: int | None, cpu_seconds: float, memory_mb: int, tolerance: float) -> None:
    if workers is not None and workers < 1:
        raise ValueError(f"--workers: {workers} is no number of processes; give 1 or more")
    if cpu_seconds <= 0 or memory_mb <= 0:
        raise ValueError("--cpu-seconds and --memory-mb must be above 0")
    if not 0 <= tolerance < 1:
        raise ValueError(f"--tolerance: {tolerance} is no relative error; give 0 to below 1")


def grade(
    pairs: str,
    *,
    strict: bool = False,
    workers: int | None = None,
    cpu_seconds: float = Limits.cpu_seconds,
    memory_mb: int = Limits.memory_bytes // 10**6,
    tolerance: float = 0.0,
) -> int:
    """Print one verdict per pair.

    Args:
        pairs: path of a JSONL file, or "-" for standard input.
        strict: print the strict verdict too: the form that the question asks for must be kept.
        workers: processes for the few pairs that need one; by default one per core.
        cpu_seconds: CPU time that judging one answer may take.
        memory_mb: megabytes that judging one answer may take.
        tolerance: relative error within which two numbers count as equal; 0 for exact equality.

    Returns:
        Exit status: 0 when every pair has its line, 2 when the call or the input is wrong.
    """
    try:
        _check(workers, cpu_seconds, memory_mb, tolerance)
        rows = _read(pairs)
    except (OSError, ValueError) as error:
        print(f"grade: {error}", file=sys.stderr)
        return 2
    if not rows:
        print(f"grade: no pairs in {pairs}", file=sys.stderr)
    limits = Limits(cpu_seconds, memory_mb * 10**6)
    for start in range(0, len(rows), GROUP):
        _print(rows[start : start + GROUP], strict, workers, limits, tolerance)
    return 0


def _print(
    rows: list[dict], strict: bool, workers: int | None, limits: Limits, tolerance: float
) -> None:
    tasks = [
        (row["gold"], row["output"], row.get("problem"), row.get("cut", False)) for row in rows
    ]
    verdicts = judge_all(tasks, workers, limits, tolerance=tolerance)
    for row, verdict in zip(rows, verdicts, strict=True):
        line = {
            "id": row["id"],
            "verdict": verdict.verdict,
            **({"strict_verdict": verdict.strict_verdict} if strict else {}),
            "reason": verdict.reason,
            "extracted": verdict.extracted,
            "rule": verdict.rule,
        }
        print(json.dumps(line, ensure_ascii=True))
    sys.stdout.flush()
