"""Answers graded per second, beside math-verify alone on the same pairs in the same run.

Run from the repository's root: `python benchmarks/grading.py`. Times are CPU times of this process
and its workers, so that the ratio holds on a busy machine; only the ratio is meant to be compared.
"""

import json
import logging
import random
import resource
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from distil.grading.grading import judge_all

TRICKY = Path(__file__).resolve().parents[2] / "shared" / "data" / "grading" / "tricky.jsonl"
TARGET = 200


def typical_pairs(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """Pairs as the sample study yields them: some working, an answer line, half of them right."""
    draw = random.Random(seed)  # noqa: S311
    pairs = []
    for _ in range(count):
        a, b, c = draw.randint(2, 99), draw.randint(2, 60), draw.randint(2, 60)
        gold = draw.choice(
            [str(a), rf"\frac{{{a}}}{{{b}}}", f"({a}, {b})", rf"{a}\sqrt{{{b}}}", "B", f"{a}x+{b}"]
        )
        other = draw.choice([gold, gold, str(c), rf"\frac{{{c}}}{{{b}}}", rf"{c}\sqrt{{{b}}}", "C"])
        pairs.append((gold, f"First {a} and {b} give {a + b}.\nThen we go on.\nAnswer: {other}"))
    return pairs


def cpu_seconds() -> float:
    """CPU time of this process and of its ended children."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(use.ru_utime + use.ru_stime for use in usage)


def ours(pairs: list[tuple[str, str]]) -> list[bool]:
    """Verdicts of this repository's grader; its workers are ended, so that their time counts."""
    from distil.grading.workers import stop_all

    verdicts = [verdict.verdict == "right" for verdict in judge_all(pairs)]
    stop_all()
    return verdicts


def math_verify_alone(pairs: list[tuple[str, str]]) -> list[bool]:
    """Verdicts of math-verify with its own extraction and time limits."""
    from math_verify import parse, verify

    verdicts = []
    for gold, output in pairs:
        try:
            verdicts.append(bool(verify(parse(f"${gold}$"), parse(output))))
        except Exception:  # noqa: BLE001
            verdicts.append(False)
    return verdicts


def main() -> None:
    """Print the table."""
    logging.disable(logging.CRITICAL)
    math_verify_alone([("1", "Answer: 1")])
    sets = {"typical": (typical_pairs(300), None)}
    if TRICKY.exists():
        rows = [json.loads(line) for line in TRICKY.read_text(encoding="utf-8").splitlines()]
        sets["hard pairs"] = (
            [(row["gold"], row["output"]) for row in rows],
            [row["expected"] for row in rows],
        )
    print(f"{'pairs':<12}{'grader':<14}{'answers/s':>10}{'ratio':>8}{'right verdicts':>16}")
    for name, (pairs, expected) in sets.items():
        speeds = {}
        for grader, grade in (("math-verify", math_verify_alone), ("ours", ours)):
            start = cpu_seconds()
            verdicts = grade(pairs)
            speeds[grader] = len(pairs) / (cpu_seconds() - start)
            agreed = ""
            if expected is not None:
                agreed = f"{sum(map(bool.__eq__, verdicts, expected)) / len(expected):.3f}"
            ratio = speeds[grader] / speeds["math-verify"]
            print(f"{name:<12}{grader:<14}{speeds[grader]:>10.0f}{ratio:>8.1f}{agreed:>16}")
    print(f"target: {TARGET} answers/s typical")


if __name__ == "__main__":
    main()
