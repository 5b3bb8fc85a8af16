"""Size and coverage of each interval and test by simulation, with many, few and very few clusters.

    python benchmarks/coverage.py            # 2,000 studies a cell, some minutes
    python benchmarks/coverage.py 10000 paired_gain

prints a Markdown table: for each estimator and design the share of studies whose interval covers
the truth, the share that rejects a true null at .05, and the share for which a test was refused.
Seeds are fixed, so a table repeats exactly. tests/unit/test_statistics_simulation.py runs the same
studies at small counts.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from distil.inference.clusters import FEWEST_DF
from distil.inference.estimates import Estimate
from distil.inference.gains import (
    accuracy,
    bootstrap_gain,
    mcnemar_exact,
    paired_gain,
    simultaneous_band,
)
from distil.inference.levels import difference_of_means, section_interaction, words_curve

SEEDS = 5
# Reach of a cluster's own lift: with a gain of .15 no chance leaves [0, 1], so the truth is exact.
REACH = 0.09
WORDS = [220, 120, 80, 60, 40, 31]


@dataclass(frozen=True)
class Design:
    """Questions and clusters of a simulated study.

    Attributes:
        clusters: Number of clusters.
        questions: Number of questions.
        even: Whether clusters are of one size; else sizes rise like 1, 2, 3, ...
    """

    clusters: int
    questions: int
    even: bool = True

    @property
    def name(self) -> str:
        """The design in words."""
        if self.clusters == self.questions:
            return f"{self.questions} singles"
        return f"{self.clusters} clusters{'' if self.even else ', uneven'}"

    def codes(self) -> np.ndarray:
        """Cluster numbers of the questions."""
        weights = np.ones(self.clusters) if self.even else np.arange(1.0, self.clusters + 1)
        sizes = np.maximum(1, np.floor(self.questions * weights / weights.sum()).astype(int))
        sizes[-1] += self.questions - sizes.sum()
        return np.arange(self.clusters).repeat(sizes)


DESIGNS = (
    Design(500, 500),
    Design(36, 144),
    Design(36, 144, even=False),
    Design(10, 120),
    Design(10, 120, even=False),
    Design(6, 120),
    Design(5, 120),
    Design(4, 120),
    Design(3, 120),
    Design(2, 120),
)
GAINS = (0.0, 0.05, 0.15)


def draw(rng: np.random.Generator, design: Design, gain: float) -> tuple[np.ndarray, ...]:
    """Draw right answers of five seeds and of one run of the base, and the clusters.

    Each cluster has a chance and a lift of its own, shared by its questions.
    """
    codes = design.codes()
    chance = rng.uniform(0.25, 0.75, design.clusters)[codes]
    lift = rng.uniform(-REACH, REACH, design.clusters)[codes]
    base = (rng.random(len(codes)) < chance).astype(float)
    tuned = rng.random((len(codes), SEEDS)) < np.clip(chance + lift + gain, 0, 1)[:, None]
    return tuned.astype(float), base[:, None], codes


@dataclass
class Tally:
    """What a number of simulated studies found."""

    covered: int = 0
    rejected: int = 0
    refused: int = 0
    count: int = 0

    def add(self, found: Estimate, truth: float) -> None:
        """Count one study."""
        self.count += 1
        self.covered += found.low <= truth <= found.high
        self.rejected += found.p < 0.05
        self.refused += "too few" in found.note or "no interval" in found.note

    def rates(self) -> tuple[float, float, float]:
        """Coverage, rejections and refusals as shares."""
        return tuple(one / self.count for one in (self.covered, self.rejected, self.refused))


def gains(estimator: Callable, design: Design, gain: float, count: int, start: int) -> Tally:
    """Simulate an estimator of the paired gain."""
    tally = Tally()
    for number in range(count):
        tuned, base, codes = draw(np.random.default_rng([start, number]), design, gain)
        tally.add(estimator(tuned - base, codes), gain)
    return tally


def paired(design: Design, gain: float, count: int) -> Tally:
    """The primary test."""
    return gains(paired_gain, design, gain, count, 1)


def crossed(design: Design, gain: float, count: int) -> Tally:
    """The bootstrap of questions and seeds."""
    return gains(lambda d, c: bootstrap_gain(d, c, replicates=400), design, gain, count, 2)


def pairs(design: Design, gain: float, count: int) -> Tally:
    """One run against another, questions independent, 17 to 27 % discordant."""
    tally = Tally()
    for number in range(count):
        rng = np.random.default_rng([3, number])
        both = rng.random(design.questions)
        one, two = both < 0.75, both < 0.75
        flip = rng.random(design.questions)
        # Won with chance .05 + gain, lost with .05: the discordance is .1 + gain.
        first = np.where(flip < 0.05 + gain, True, np.where(flip > 0.95, False, one))
        second = np.where(flip < 0.05 + gain, False, np.where(flip > 0.95, True, two))
        tally.add(mcnemar_exact(first, second), gain)
    return tally


def accuracies(design: Design, gain: float, count: int) -> Tally:
    """The accuracy of five seeds."""
    tally = Tally()
    for number in range(count):
        tuned, _, codes = draw(np.random.default_rng([4, number]), design, gain)
        tally.add(accuracy(tuned, codes), 0.5 + gain)
    return tally


def arms(design: Design, gain: float, count: int) -> Tally:
    """Two groups of questions, a third of the clusters in the first."""
    tally = Tally()
    for number in range(count):
        tuned, base, codes = draw(np.random.default_rng([5, number]), design, 0.0)
        inside = codes < max(design.clusters // 3, 1)
        values = (tuned - base).mean(axis=1) + gain * inside
        tally.add(difference_of_means(values, inside, codes), gain)
    return tally


def joint(design: Design, gain: float, count: int) -> Tally:  # noqa: ARG001
    """Three sections of equal slopes: the share of false alarms (there is no interval)."""
    tally = Tally()
    for number in range(count):
        tuned, base, codes = draw(np.random.default_rng([6, number]), design, 0.0)
        sections = np.array(["fs", "js", "tp"])[codes % 3]
        found = section_interaction((tuned - base).mean(axis=1), sections, codes)
        tally.add(found, found.estimate)
    return tally


def band(design: Design, gain: float, count: int) -> Tally:
    """Five checkpoints at once."""
    tally, truths = Tally(), gain * np.array([0.3, 0.8, 1.0, 0.9, 0.6])
    for number in range(count):
        rng = np.random.default_rng([7, number])
        _, base, codes = draw(rng, design, 0.0)
        chance = base * 0 + rng.uniform(0.25, 0.75, design.clusters)[codes][:, None]
        base = (rng.random(base.shape) < chance).astype(float)
        lift = rng.uniform(-REACH, REACH, design.clusters)[codes][:, None]
        points = [
            (rng.random((len(codes), SEEDS)) < chance + lift + truth) - base for truth in truths
        ]
        found = simultaneous_band(points, codes, replicates=400, seed=number)
        inside = ((found["low"] <= truths) & (truths <= found["high"])).all()
        tally.count += 1
        tally.covered += bool(inside)
        zero = ((found["low"] <= 0) & (found["high"] >= 0)).all()
        tally.rejected += not zero
    return tally


def line(design: Design, gain: float, count: int) -> Tally:
    """The line on log words at once, where the truth is a line."""
    tally, scores = Tally(), np.log2(WORDS)
    chances = 0.3 + gain / 3 * (scores - scores.min())
    for number in range(count):
        rng = np.random.default_rng([8, number])
        codes = design.codes()
        shift = rng.uniform(-0.15, 0.15, design.clusters)[codes][:, None, None]
        right = rng.random((len(codes), 6, SEEDS)) < chances[None, :, None] + shift
        found = words_curve(right.mean(axis=2), WORDS, codes, replicates=400, points=12)
        truth = 0.3 + gain / 3 * (np.log2(found["words"]) - scores.min())
        tally.count += 1
        tally.covered += bool(
            ((found["low"] <= truth + 1e-12) & (truth <= found["high"] + 1e-12)).all()
        )
    return tally


ESTIMATORS: dict[str, Callable[[Design, float, int], Tally]] = {
    "paired_gain": paired,
    "bootstrap_gain": crossed,
    "mcnemar_exact": pairs,
    "accuracy": accuracies,
    "difference_of_means": arms,
    "section_interaction": joint,
    "simultaneous_band": band,
    "words_curve": line,
}


def main(arguments: list[str]) -> None:
    """Print the table."""
    count = int(arguments[0]) if arguments else 2_000
    chosen = arguments[1:] or list(ESTIMATORS)
    print(f"{count} studies a cell; tests are refused below {FEWEST_DF:g} degrees of freedom\n")
    print("| estimator | design | gain | covers | rejects | refused |")
    print("|---|---|---|---|---|---|")
    for name in chosen:
        for design in DESIGNS:
            if name == "mcnemar_exact" and design.clusters != design.questions:
                continue
            for gain in GAINS:
                if name == "section_interaction" and gain:
                    continue
                covers, rejects, refused = ESTIMATORS[name](design, gain, count).rates()
                cells = (name, design.name, f"{100 * gain:.0f}", f"{covers:.3f}", f"{rejects:.3f}")
                print("|", " | ".join(cells), "|", f"{refused:.2f}", "|", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
