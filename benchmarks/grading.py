"""Graders side by side: agreement with mathematics, wrong answers accepted, answers per second.

    python benchmarks/grading.py                     # this repository's grader and math-verify
    python benchmarks/grading.py --peers FOLDER      # and what is found there, after
    pip install --no-deps --target FOLDER verl pylatexenc

verl carries the graders of others: Hendrycks' MATH, Minerva's normaliser (`math_dapo`), and that of
PRM800K with Qwen2.5-Math's comparison (`prime_math`). Times are CPU times of this process and its
workers, so that a ratio holds on a busy machine; only ratios are meant to be compared.
"""

import argparse
import importlib.util
import json
import logging
import random
import resource
import signal
import sys
import types
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from distil.grading.grading import judge_all

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data" / "grading"
TARGET = 40  # times the answers per second of math-verify

Pair = tuple[str, str, str | None]
Grader = Callable[[list[Pair]], list[bool]]


def typical_pairs(count: int, seed: int = 0) -> list[Pair]:
    """Pairs as the sample study yields them: some working, an answer line, half of them right."""
    draw = random.Random(seed)  # noqa: S311
    pairs = []
    for _ in range(count):
        a, b, c = draw.randint(2, 99), draw.randint(2, 60), draw.randint(2, 60)
        gold = draw.choice(
            [str(a), rf"\frac{{{a}}}{{{b}}}", f"({a}, {b})", rf"{a}\sqrt{{{b}}}", "B", f"{a}x+{b}"]
        )
        other = draw.choice([gold, gold, str(c), rf"\frac{{{c}}}{{{b}}}", rf"{c}\sqrt{{{b}}}", "C"])
        output = f"First {a} and {b} give {a + b}.\nThen we go on.\nAnswer: {other}"
        pairs.append((gold, output, None))
    return pairs


def cpu_seconds() -> float:
    """CPU time of this process and of its ended children."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(use.ru_utime + use.ru_stime for use in usage)


def ours(pairs: list[Pair]) -> list[bool]:
    """Verdicts of this repository's grader; its workers are ended, so that their time counts."""
    from distil.grading.workers import stop_all

    verdicts = [verdict.verdict == "right" for verdict in judge_all(pairs)]
    stop_all()
    return verdicts


def one_by_one(grade: Callable[[str, str], object]) -> Grader:
    """A grader of many pairs from one of a single pair (gold, output); what raises is wrong."""

    def grade_all(pairs: list[Pair]) -> list[bool]:
        verdicts = []
        for gold, output, _ in pairs:
            try:
                verdicts.append(bool(grade(gold, output)))
            except Exception:  # noqa: BLE001
                verdicts.append(False)
        return verdicts

    return grade_all


def math_verify_alone(gold: str, output: str) -> bool:
    """Verdict of math-verify with its own extraction and time limits."""
    from math_verify import parse, verify

    return verify(parse(f"${gold}$"), parse(output))


def load(path: Path, name: str) -> types.ModuleType:
    """A module from its file, without what its package would import."""
    inside = [str(path.parent)] if path.name == "__init__.py" else None
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=inside)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def wall_limit(seconds: float, **_: object) -> Callable:
    """A decorator that ends a call after some seconds, as verl's own does."""

    def stop(*_: object) -> None:
        raise TimeoutError

    def limited(function: Callable) -> Callable:
        def call(*arguments: object, **more: object) -> object:
            signal.signal(signal.SIGALRM, stop)
            signal.setitimer(signal.ITIMER_REAL, seconds)
            try:
                return function(*arguments, **more)
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)

        return call

    return limited


def peers(folder: Path) -> dict[str, Grader]:
    """Graders of others that are found in a folder."""
    scores = folder / "verl" / "utils" / "reward_score"
    if not scores.exists():
        sys.exit(f"{folder}: no verl; pip install --no-deps --target {folder} verl pylatexenc")
    sys.path.append(str(folder))
    # Its other imports (torch, ray) are not needed: only a decorator that limits wall time is.
    helpers = types.ModuleType("verl.utils.py_functional")
    helpers.timeout_limit = wall_limit
    for name in ("verl", "verl.utils"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules[helpers.__name__] = helpers
    hendrycks = load(scores / "math_reward.py", "math_reward")
    minerva = load(scores / "math_dapo.py", "math_dapo")
    prime = load(scores / "prime_math" / "__init__.py", "prime_math")
    return {
        "Hendrycks": one_by_one(lambda gold, output: hendrycks.compute_score(output, gold)),
        "Minerva": one_by_one(lambda gold, output: minerva.compute_score(output, gold)["acc"]),
        "PRM800K+Qwen": one_by_one(lambda gold, output: prime.compute_score(output, gold)[0]),
    }


def labelled(path: Path) -> tuple[list[Pair], list[bool]] | None:
    """Pairs of a JSONL file and their verdicts; None where the file is not here."""
    if not path.exists():
        return None
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    pairs = [(row["gold"], row["output"], row.get("problem")) for row in rows]
    return pairs, [row["expected"] for row in rows]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", type=Path, metavar="FOLDER", help="where verl is installed")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    graders = {"math-verify": one_by_one(math_verify_alone), "ours": ours}
    if options.peers:
        graders |= peers(options.peers)
    sets = {
        "typical": (typical_pairs(300), None),
        "hard pairs": labelled(SHARED / "tricky.jsonl"),
        "cases": labelled(SHARED / "cases.jsonl"),
        "blind pairs": labelled(ROOT / "tests" / "unit" / "answer_pairs.jsonl"),
    }
    for grade in graders.values():
        grade([("1", r"\boxed{1}", None)])
    print(f"{'pairs':<12}{'grader':<14}{'answers/s':>10}{'ratio':>8}{'agreed':>8}{'accepted':>10}")
    for name, found in sets.items():
        if found is None:
            continue
        pairs, expected = found
        speeds = {}
        for grader, grade in graders.items():
            start = cpu_seconds()
            verdicts = grade(pairs)
            speeds[grader] = len(pairs) / (cpu_seconds() - start)
            ratio = speeds[grader] / speeds["math-verify"]
            said = list(zip(verdicts, expected or (), strict=False))
            agreed = f"{sum(a == b for a, b in said) / len(said):.3f}" if said else ""
            accepted = sum(a and not b for a, b in said) if said else ""
            line = f"{name:<12}{grader:<14}{speeds[grader]:>10.0f}{ratio:>8.1f}"
            print(f"{line}{agreed:>8}{accepted:>10}", flush=True)
    print(f"target: {TARGET} times math-verify's answers/s; accepted: wrong answers taken as right")


if __name__ == "__main__":
    main()
