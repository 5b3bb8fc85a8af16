"""Time the bootstrap of 10,000 x 651 questions x 5 seeds, and the other estimators beside it.

`python benchmarks/estimators.py`; the target is a bootstrap within 2 seconds on an idle machine.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from distil.inference.gains import bootstrap_gain, paired_gain, simultaneous_band
from distil.inference.levels import trend
from distil.inference.power import mcnemar_power

QUESTIONS, SEEDS, REPLICATES = 651, 5, 10_000
WORDS = [220, 120, 80, 60, 40, 31]


def looped_bootstrap(differences: np.ndarray, replicates: int) -> np.ndarray:
    """The same resampling, one replicate at a time: what most scripts do."""
    rng = np.random.default_rng(0)
    questions, seeds = differences.shape
    means = []
    for _ in range(replicates):
        rows = differences[rng.integers(0, questions, questions)]
        means.append(rows[:, rng.integers(0, seeds, seeds)].mean())
    return np.array(means)


def seconds(call: Callable[[], object]) -> tuple[float, float]:
    """Best of three runs: wall time and CPU time, in seconds."""
    best = (float("inf"), float("inf"))
    for _ in range(3):
        wall, cpu = time.perf_counter(), time.process_time()
        call()
        best = min(best, (time.perf_counter() - wall, time.process_time() - cpu))
    return best


def main() -> None:
    """Print one line per estimator."""
    rng = np.random.default_rng(0)
    chance = rng.uniform(0.3, 1.0, (QUESTIONS, 1))
    right = (rng.random((QUESTIONS, SEEDS)) < chance).astype(float)
    differences = right - (rng.random((QUESTIONS, 1)) < chance)
    levels = (rng.random((QUESTIONS, 6)) < chance - np.linspace(0, 0.2, 6)).astype(float)
    size = f"{REPLICATES:,} x {QUESTIONS} x {SEEDS}"
    calls: dict[str, Callable[[], object]] = {
        f"bootstrap_gain, {size}": lambda: bootstrap_gain(differences, replicates=REPLICATES),
        f"the same, one replicate at a time, {size}": lambda: looped_bootstrap(
            differences, REPLICATES
        ),
        "paired_gain": lambda: paired_gain(differences),
        "simultaneous_band, five checkpoints": lambda: simultaneous_band(
            [differences] * 5, replicates=REPLICATES
        ),
        "trend, 9,999 permutations": lambda: trend(levels, WORDS),
        "mcnemar_power, n = 651": lambda: mcnemar_power(QUESTIONS, 0.0476, 0.25),
    }
    for name, call in calls.items():
        wall, cpu = seconds(call)
        print(f"{name:60s} {wall:7.3f} s ({cpu:.3f} s of CPU)")


if __name__ == "__main__":
    main()
