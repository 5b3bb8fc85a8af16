"""What the verdict rule says of replications whose truth is the published figure, by simulation.

    python benchmarks/replications.py         # 2,000 replications a cell, under a minute
    python benchmarks/replications.py 10000

prints how often the size of C3 (651 questions) and C5 (500) is called same, open or differs, for
seeds that disagree pairwise on 5, 10 and 15 % of the questions, where the truth is the published
figure and where it lies five points off; then how often the direction of C4 holds. The acceptance
of the rule: same in at least 80 % for C3 at 5 and 10 %, and in at most 5 % where the truth is off.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from distil.claims.findings import Entry, Finding
from distil.claims.plan import AnalysisPlan
from distil.claims.table import read_published
from distil.claims.verdicts import Tested, direction, examine, size
from distil.inference.gains import accuracy, paired_gain

SEEDS = 5
PLAN = AnalysisPlan(
    alpha=0.05, margin=2.0, bootstrap={"replicates": 100, "seed": 0}, speed_section="tp",
    clusters="text", strata=None, missing="refuse", published=True, levels=["R1"], sections={},
    claims_sha256="",
)  # fmt: skip
CLAIMS = {
    claim["id"]: claim
    for claim in read_published(Path(__file__).parents[1] / "resources/published.yaml")["claims"]
}


def runs(rng: np.random.Generator, share: float, n: int, disagreement: float) -> np.ndarray:
    """Right answers of five seeds, shape (questions, seeds), with this mean and disagreement.

    Twice the disagreement of the questions are tossed by each seed, the others are sure.
    """
    tossed = round(2 * disagreement * n)
    # The expected number right, halves tossed up so that the mean holds on average.
    sure = share * n - tossed / 2
    sure = int(sure) + (rng.random() < sure % 1)
    right = np.zeros((n, SEEDS))
    right[:sure] = 1
    right[sure : sure + tossed] = rng.random((tossed, SEEDS)) < 0.5
    return right


def size_words(claim: str, estimand: str, off: float, disagreement: float, count: int) -> dict:
    """Shares of the words that replications of a claim get."""
    entry = Entry(CLAIMS[claim], estimand, CLAIMS[claim]["estimands"][estimand])
    n, words = entry.published["total"], dict.fromkeys(("same", "open", "differs"), 0)
    for number in range(count):
        rng = np.random.default_rng([1, number])
        right = runs(rng, (entry.published["value"] + off) / 100, n, disagreement)
        by_seed = right.mean(axis=0)
        finding = Finding(accuracy(right), ["a"], "", sd=float(by_seed.std(ddof=1)), runs=SEEDS)
        words[size(Tested(entry, finding), PLAN).word] += 1
    return {word: found / count for word, found in words.items()}


def direction_words(gain: float, n: int, discordance: float, count: int) -> dict:
    """Share of replications whose gain is said to hold, alone and in a family of five."""
    claim, words = CLAIMS["C4"], {}
    for family in (1, 5):
        words[family] = 0
        for number in range(count):
            rng = np.random.default_rng([2, number])
            chance = [(discordance + gain) / 2, (discordance - gain) / 2, 1 - discordance]
            drawn = rng.choice([1.0, -1.0, 0.0], size=n, p=chance)
            row = examine(Entry(claim, "held_out"), Finding(paired_gain(drawn), ["a"], ""), PLAN)
            adjusted = min(1.0, family * (row.p or 0.0))
            words[family] += direction(row, adjusted, family, PLAN).word == "holds"
    return {family: found / count for family, found in words.items()}


def main(arguments: list[str]) -> None:
    """Print both tables."""
    count = int(arguments[0]) if arguments else 2_000
    print(f"{count} replications a cell\n")
    print("| size of | truth | seeds disagree | same | open | differs |\n|---|---|---|---|---|---|")
    for claim, estimand in (("C3", "in_sample"), ("C5", "transfer")):
        for off in (0.0, 2.0, 5.0, -5.0):
            for disagreement in (0.05, 0.10, 0.15):
                found = size_words(claim, estimand, off, disagreement, count)
                truth = f"{off:+.0f} points" if off else "published"
                cells = " | ".join(f"{found[word]:.3f}" for word in ("same", "open", "differs"))
                print(f"| {claim} | {truth} | {100 * disagreement:.0f} % | {cells} |", flush=True)
    print("\n| direction of C4 | questions | discordance | holds | holds, fifth of the family |")
    print("|---|---|---|---|---|")
    for n in (180, 651):
        for discordance in (0.15, 0.25, 0.35):
            found = direction_words(0.0476, n, discordance, count)
            print(f"| +4.76 | {n} | {100 * discordance:.0f} % | {found[1]:.3f} | {found[5]:.3f} |")


if __name__ == "__main__":
    main(sys.argv[1:])
