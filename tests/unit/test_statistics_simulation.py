"""Size and coverage by simulation: 500 questions, five seeds, a truth that is known.

DISTIL_TORTURE=1 runs the full number of studies. Seeds are fixed, so a result repeats exactly; the
bounds are those of the promise: rejection of a true null at .05 within .03 to .07, coverage of a
95 % interval within .93 to .97.
"""

import os

import numpy as np
import pandas as pd
import pytest

from benchmarks import coverage, replications
from distil.inference import levels as level_tests
from distil.inference.gains import (
    accuracy,
    bootstrap_gain,
    mcnemar_exact,
    paired_gain,
    seeds_t,
    simultaneous_band,
)
from distil.inference.levels import (
    any_difference,
    odds_ratios,
    section_contrast,
    section_interaction,
    words_curve,
)

QUESTIONS, SEEDS = 500, 5
FULL = bool(os.environ.get("DISTIL_TORTURE"))


def studies(few, many):
    return many if FULL else few


def within(rate, low, high, count):
    """The bounds, a little wider where few studies were run (two standard errors)."""
    slack = 0.0 if FULL else 2 * np.sqrt(0.05 * 0.95 / count)
    return low - slack <= rate <= high + slack


def skills(rng):
    """How likely each question is to be answered right: some easy, some hard."""
    return rng.uniform(0.25, 0.75, QUESTIONS)


def study(rng, *, gain=0.0, seed_sd=0.0, clustered=False):
    """Differences of five seeds from one run of the base, shape (questions, seeds)."""
    chance = skills(rng)
    clusters = np.arange(QUESTIONS)
    if clustered:
        # A quarter of the questions come in pairs of one template, answered alike.
        clusters[: QUESTIONS // 4] //= 2
        chance = chance[clusters]
    lift = np.zeros(QUESTIONS)
    if clustered:
        lift = rng.normal(0, 0.1, QUESTIONS)[clusters]
    tilt = rng.uniform(-1, 1, SEEDS) * np.sqrt(3) * seed_sd
    base = rng.random(QUESTIONS) < chance
    tuned = rng.random((QUESTIONS, SEEDS)) < np.clip((chance + lift)[:, None] + gain + tilt, 0, 1)
    return tuned.astype(float) - base[:, None], clusters


def run(estimator, count, *, truth=0.0, start=0, **chosen):
    """Share of studies that reject no effect, and whose interval covers the truth."""
    rejected = covered = 0
    for number in range(count):
        rng = np.random.default_rng([start, number])
        differences, clusters = study(rng, gain=truth, **chosen)
        found = estimator(differences, clusters)
        rejected += found.p < 0.05
        covered += found.low <= truth <= found.high
    return rejected / count, covered / count


@pytest.mark.parametrize("clustered", [False, True])
@pytest.mark.parametrize("truth", [0.0, 0.06])
def test_paired_gain_keeps_its_size_and_coverage(truth, clustered):
    count = studies(300, 4_000)
    rejected, covered = run(paired_gain, count, truth=truth, clustered=clustered)
    assert within(covered, 0.93, 0.97, count)
    if truth == 0:
        assert within(rejected, 0.03, 0.07, count)


@pytest.mark.parametrize("seed_sd", [0.0, 0.01, 0.04])
def test_bootstrap_keeps_its_size_and_coverage_with_seeds_random(seed_sd):
    count = studies(150, 2_000)

    def estimator(differences, clusters):
        return bootstrap_gain(differences, clusters, replicates=600, seed=3)

    rejected, covered = run(estimator, count, seed_sd=seed_sd)
    assert within(rejected, 0.03, 0.07, count)
    assert within(covered, 0.93, 0.97, count)


def test_t_over_seeds_alone_rejects_a_true_null_far_too_often():
    count = studies(300, 4_000)
    rejected, _ = run(lambda d, c: seeds_t(d.mean(axis=0)), count)
    assert rejected > 0.25


def test_mcnemar_keeps_its_size_and_coverage():
    count = studies(1_500, 4_000)
    rejected = covered = 0
    for number in range(count):
        rng = np.random.default_rng([7, number])
        chance = skills(rng)
        first, second = (rng.random(QUESTIONS) < chance for _ in range(2))
        found = mcnemar_exact(first, second)
        rejected += found.p < 0.05
        covered += found.low <= 0 <= found.high
    assert within(rejected / count, 0.03, 0.07, count)
    assert within(covered / count, 0.93, 0.97, count)


@pytest.mark.parametrize("clustered", [False, True])
def test_accuracy_interval_covers(clustered):
    count = studies(300, 4_000)
    covered = 0
    for number in range(count):
        rng = np.random.default_rng([11, number])
        clusters = np.arange(QUESTIONS) // (2 if clustered else 1)
        chance = rng.uniform(0.25, 0.95, QUESTIONS)[clusters]
        right = (rng.random((QUESTIONS, SEEDS)) < chance[:, None]).astype(float)
        found = accuracy(right, clusters)
        covered += found.low <= 0.60 <= found.high
    assert within(covered / count, 0.93, 0.97, count)


def leveled(rng, fall=0.0):
    """Mean answers of five seeds at six levels, falling by `fall` from first to last."""
    chance = skills(rng)[:, None, None] + rng.uniform(-0.1, 0.1, (QUESTIONS, 1, SEEDS))
    drop = np.linspace(0, fall, 6)[None, :, None]
    return (rng.random((QUESTIONS, 6, SEEDS)) < np.clip(chance - drop, 0, 1)).mean(axis=2)


WORDS = [220, 120, 80, 60, 40, 31]


def test_trend_and_cochran_q_keep_their_size():
    count = studies(200, 2_000)
    trend = normal = overall = 0
    for number in range(count):
        levels = leveled(np.random.default_rng([17, number]))
        found = level_tests.trend(levels, WORDS, permutations=199, seed=number)
        trend += found.p <= 0.05
        normal += found.extra["normal_p"] < 0.05
        overall += any_difference(levels).p < 0.05
    for rejected in (trend, normal, overall):
        assert within(rejected / count, 0.03, 0.07, count)


def test_slope_on_log_words_covers():
    count = studies(200, 2_000)
    scores = np.log2(WORDS) - np.mean(np.log2(WORDS))
    truth = float(-np.linspace(0, 0.2, 6) @ scores / (scores @ scores))
    covered = 0
    for number in range(count):
        rng = np.random.default_rng([19, number])
        found = level_tests.trend(leveled(rng, 0.2), WORDS, permutations=0)
        covered += found.low <= truth <= found.high
    assert within(covered / count, 0.93, 0.97, count)


def test_band_over_checkpoints_covers_all_of_them_at_once():
    count = studies(100, 3_000)
    truths = np.array([0.02, 0.05, 0.06, 0.05, 0.03])
    together = pointwise = 0
    for number in range(count):
        rng = np.random.default_rng([23, number])
        chance = skills(rng)
        base = rng.random(QUESTIONS) < chance
        points = [
            (rng.random((QUESTIONS, SEEDS)) < chance[:, None] + truth).astype(float) - base[:, None]
            for truth in truths
        ]
        band = simultaneous_band(points, replicates=400, seed=number)
        together += bool(((band["low"] <= truths) & (truths <= band["high"])).all())
        inside = (band["point_low"] <= truths) & (truths <= band["point_high"])
        pointwise += bool(inside.all())
    assert within(together / count, 0.93, 0.97, count)
    assert pointwise < together


def test_line_on_log_words_covers_at_once_where_the_truth_is_a_line():
    count = studies(100, 1_000)
    scores = np.log2(WORDS)
    chances = 0.2 + 0.08 * (scores - scores.min())
    covered = 0
    for number in range(count):
        rng = np.random.default_rng([29, number])
        shift = rng.uniform(-0.15, 0.15, (QUESTIONS, 1, 1))
        right = rng.random((QUESTIONS, 6, SEEDS)) < chances[None, :, None] + shift
        line = words_curve(right.mean(axis=2), WORDS, replicates=400, points=12)
        truth = 0.2 + 0.08 * (np.log2(line["words"]) - scores.min())
        inside = (line["low"] <= truth + 1e-12) & (truth <= line["high"] + 1e-12)
        covered += bool(inside.all())
    assert within(covered / count, 0.93, 0.97, count)


def test_section_contrast_keeps_its_size_where_one_section_loses_as_much():
    count = studies(200, 2_000)
    claimed = 0
    sections = np.repeat(["tp", "fs", "js"], [100, 200, 200])
    losses = np.repeat([0.3, 0.3, 0.0], [100, 200, 200])
    for number in range(count):
        rng = np.random.default_rng([31, number])
        chance = rng.uniform(0.4, 0.6, QUESTIONS)
        long, short = (
            (rng.random((QUESTIONS, SEEDS)) < (chance - lost)[:, None]).mean(axis=1)
            for lost in (0 * losses, losses)
        )
        found = section_contrast(long - short, sections, "tp")
        claimed += found.p < 0.05 and found.estimate > 0
    # One-sided: at most half of 5 % may claim a lead that is not there.
    assert claimed / count <= 0.025 + (0.0 if FULL else 2 * np.sqrt(0.025 * 0.975 / count))


@pytest.mark.parametrize("clustered", [False, True])
def test_section_interaction_keeps_its_size(clustered):
    count = studies(300, 4_000)
    sections = np.repeat(["fs", "js", "tp"], [205, 205, 90])
    scores = np.log2(WORDS) - np.mean(np.log2(WORDS))
    rejected = 0
    for number in range(count):
        rng = np.random.default_rng([41, number])
        clusters = np.arange(QUESTIONS)
        if clustered:
            clusters[: QUESTIONS // 4] //= 2
        chance = rng.uniform(0.3, 0.7, QUESTIONS)[clusters]
        fall = rng.uniform(0.0, 0.4, QUESTIONS)[clusters]
        right = chance[:, None] - fall[:, None] * np.linspace(-0.5, 0.5, 6)
        shares = rng.binomial(SEEDS, right) / SEEDS
        slopes = shares @ scores / (scores @ scores)
        rejected += section_interaction(slopes, sections, clusters).p < 0.05
    assert within(rejected / count, 0.03, 0.07, count)


def test_odds_ratio_of_a_level_keeps_its_size():
    count = studies(40, 1_000)
    rejected = 0
    for number in range(count):
        rng = np.random.default_rng([37, number])
        chance = skills(rng)
        right = rng.random((QUESTIONS, 2)) < chance[:, None]
        frame = pd.DataFrame(
            {
                "right": right.ravel().astype(int),
                "level": np.tile([0, 1], QUESTIONS),
                "cluster": np.repeat(np.arange(QUESTIONS), 2),
            }
        )
        found = odds_ratios(frame, "right ~ level").set_index("term")
        rejected += found.loc["level", "p"] < 0.05
    assert within(rejected / count, 0.03, 0.07, count)


# ------------------------------------------------------------------------ few clusters

FEW = [
    coverage.Design(36, 144),
    coverage.Design(36, 144, even=False),
    coverage.Design(10, 120),
    coverage.Design(10, 120, even=False),
    coverage.Design(5, 120),
]


@pytest.mark.parametrize("gain", [0.0, 0.15])
@pytest.mark.parametrize("design", FEW, ids=lambda design: design.name)
def test_paired_gain_keeps_size_and_coverage_with_few_clusters(design, gain):
    count = studies(100, 4_000)
    covered, rejected, refused = coverage.paired(design, gain, count).rates()
    assert within(covered, 0.93, 0.97, count)
    if not gain and not refused:
        assert within(rejected, 0.03, 0.07, count)


@pytest.mark.parametrize("clusters", [2, 3, 4])
def test_too_few_clusters_give_an_interval_and_no_test(clusters):
    count = studies(100, 4_000)
    covered, rejected, _ = coverage.paired(coverage.Design(clusters, 120), 0.15, count).rates()
    assert within(covered, 0.93, 0.97, count)
    assert rejected == 0


@pytest.mark.parametrize("gain", [0.05, 0.15])
def test_mcnemar_covers_away_from_the_null(gain):
    count = studies(1_000, 4_000)
    covered, _, _ = coverage.pairs(coverage.Design(500, 500), gain, count).rates()
    assert within(covered, 0.93, 0.97, count)


@pytest.mark.parametrize("clusters", [36, 10, 5])
def test_accuracy_covers_with_few_clusters(clusters):
    count = studies(100, 4_000)
    covered, _, _ = coverage.accuracies(coverage.Design(clusters, 120), 0.0, count).rates()
    assert within(covered, 0.93, 0.97, count)


def test_bands_cover_with_ten_clusters():
    count, design = studies(60, 2_000), coverage.Design(10, 120)
    assert within(coverage.band(design, 0.15, count).rates()[0], 0.92, 0.97, count)
    assert within(coverage.line(design, 0.15, count).rates()[0], 0.92, 0.98, count)


@pytest.mark.parametrize("sizes", [(5, 5, 1), (3, 2, 2), (4, 4, 4)])
def test_sections_of_few_templates_make_no_false_alarms(sizes):
    count = studies(100, 4_000)
    pair = joint = 0
    for number in range(count):
        rng = np.random.default_rng([51, number])
        clusters = np.arange(sum(sizes)).repeat(8)
        sections = np.array(["fs", "js", "tp"]).repeat(sizes).repeat(8)
        values = rng.normal(0, 0.3, sum(sizes))[clusters] + rng.normal(0, 0.3, len(clusters))
        pair += section_contrast(values, sections, "tp", clusters).p < 0.05
        joint += section_interaction(values, sections, clusters).p < 0.05
    assert pair / count <= 0.05 + (0 if FULL else 2 * np.sqrt(0.05 * 0.95 / count))
    assert joint / count <= 0.07 + (0 if FULL else 2 * np.sqrt(0.05 * 0.95 / count))


@pytest.mark.parametrize("disagreement", [0.05, 0.10])
def test_replications_of_the_published_truth_are_called_the_same_size(disagreement):
    count = studies(100, 2_000)
    found = replications.size_words("C3", "in_sample", 0.0, disagreement, count)
    assert found["same"] >= 0.80
    assert replications.size_words("C3", "in_sample", 5.0, disagreement, count)["same"] <= 0.05
