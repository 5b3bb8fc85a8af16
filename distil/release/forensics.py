"""Consistency checks of published percentages and standard deviations.

An accuracy of n questions is a count over n, the mean of five runs a count over 5 n, and their
standard deviation follows from five whole numbers. So a rounded percentage and a rounded standard
deviation rule out most n; and a gain without its discordance still has a range of intervals.
"""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from distil.content.sources import Sources, row_names
from distil.inference.power import equivalence_items, mcnemar_detectable, mcnemar_power

SD_KINDS = ("sample", "population")
# Share of questions on which two runs of one model disagree: the range within which intervals and
# powers of the published gain are shown, since the release does not hold the answers themselves.
DISCORDANCES = (0.15, 0.25, 0.35)
LATE_YEARS = 4


@dataclass(frozen=True)
class Printed:
    """A figure as printed: its value and the half unit of its last digit.

    Attributes:
        value: The printed number.
        half: Half a unit of the last printed digit.
    """

    value: float
    half: float

    @classmethod
    def read(cls, text: str) -> Printed:
        """Read a figure from its digits: `69.43` may be anything from 69.425 to 69.435."""
        _, _, decimals = text.partition(".")
        return cls(float(text), 0.5 * 10.0 ** -len(decimals))

    def allows(self, value: float) -> bool:
        """Tell whether a value prints as this figure, ends included (rounding is not stated)."""
        return abs(value - self.value) <= self.half * (1 + 1e-9)


def possible_totals(printed: Printed, n: int, runs: int = 1) -> list[int]:
    """Right answers over all runs that print as the percentage.

    Args:
        printed: Percentage, the mean of the runs.
        n: Questions of one run.
        runs: Number of runs.

    Returns:
        Totals between 0 and n times runs, rising.
    """
    low = math.floor((printed.value - printed.half) * n * runs / 100)
    high = math.ceil((printed.value + printed.half) * n * runs / 100)
    return [
        total
        for total in range(max(low, 0), min(high, n * runs) + 1)
        if printed.allows(100 * total / (n * runs))
    ]


@functools.cache
def possible_squares(remainder: int, runs: int, limit: int) -> frozenset[int]:
    """Sums of squared deviations that whole numbers with a given total can have, times `runs`.

    Only the total modulo `runs` matters: shifting all numbers by one shifts their mean as well.

    Args:
        remainder: The total modulo `runs`.
        runs: How many whole numbers.
        limit: Largest value wanted, times `runs`.

    Returns:
        Values of runs * sum (k - mean)^2 = runs * sum k^2 - total^2, up to the limit.
    """
    width = math.isqrt(limit // runs) + 2
    # Pairs of (sum, sum of squares) reachable with the runs so far, around the mean's whole part.
    reached = {(0, 0)}
    for _ in range(runs):
        reached = {
            (total + step, squares + step * step)
            for total, squares in reached
            for step in range(-width, width + 1)
            if squares + step * step <= limit // runs + width * width
        }
    return frozenset(
        runs * squares - total * total
        for total, squares in reached
        if total == remainder and runs * squares - total * total <= limit
    )


def spreads(total: int, n: int, runs: int, largest: float) -> dict[str, list[float]]:
    """Standard deviations, in points, that runs with this total can have.

    Args:
        total: Right answers over all runs.
        n: Questions of one run.
        runs: Number of runs, at least 2.
        largest: Largest standard deviation wanted, in points.

    Returns:
        {"sample": rising values, "population": rising values}.
    """
    limit = math.ceil(runs * runs * (largest * n / 100) ** 2) + 1
    squares = sorted(possible_squares(total % runs, runs, limit))
    return {
        "sample": [100 * math.sqrt(one / runs / (runs - 1)) / n for one in squares],
        "population": [100 * math.sqrt(one / runs / runs) / n for one in squares],
    }


def compatible(
    mean: str, n: int, runs: int = 1, sd: str | None = None
) -> list[tuple[int, str | None]]:
    """Totals, with the kind of standard deviation, that print as the published figures.

    Args:
        mean: Percentage as printed.
        n: Questions of one run.
        runs: Number of runs.
        sd: Standard deviation as printed, in points, or None.

    Returns:
        (total, kind) for each possibility; kind is None without a standard deviation. Empty if n
        is impossible.
    """
    totals = possible_totals(Printed.read(mean), n, runs)
    if sd is None:
        return [(total, None) for total in totals]
    printed = Printed.read(sd)
    found: list[tuple[int, str | None]] = []
    for total in totals:
        possible = spreads(total, n, runs, printed.value + printed.half)
        found += [(total, kind) for kind in SD_KINDS if any(map(printed.allows, possible[kind]))]
    return found


def run_vectors(mean: str, n: int, runs: int, sd: str, kind: str) -> list[tuple[int, ...]]:
    """Right answers of each run, in rising order, that print as the published figures.

    GRIMMER (Anaya, PeerJ Preprints 4, 2016, e2400) asks whether there are any; so few runs allow
    them to be listed.

    Args:
        mean: Percentage as printed, the mean of the runs.
        n: Questions of one run.
        runs: Number of runs, at least 2.
        sd: Standard deviation as printed, in points.
        kind: sample or population.

    Returns:
        The vectors, in rising order.
    """
    printed, found = Printed.read(sd), []
    divisor = runs - 1 if kind == "sample" else runs
    largest = (printed.value + printed.half) * n / 100
    # No run lies further from the mean than the whole sum of squares allows.
    reach = math.ceil(largest * math.sqrt(divisor)) + 1
    for total in possible_totals(Printed.read(mean), n, runs):
        centre = total / runs
        near = range(max(0, math.floor(centre - reach)), min(n, math.ceil(centre + reach)) + 1)
        for vector in itertools.combinations_with_replacement(near, runs):
            if sum(vector) != total:
                continue
            squares = sum((one - centre) ** 2 for one in vector)
            if printed.allows(100 * math.sqrt(squares / divisor) / n):
                found.append(vector)
    return sorted(found)


def compatible_questions(
    mean: str, runs: int = 1, sd: str | None = None, *, up_to: int = 1500
) -> list[int]:
    """Numbers of questions that the published figures allow.

    Args:
        mean: Percentage as printed.
        runs: Number of runs.
        sd: Standard deviation as printed, or None.
        up_to: Largest number tried.

    Returns:
        The numbers, rising.
    """
    return [n for n in range(1, up_to + 1) if compatible(mean, n, runs, sd)]


def gain_interval(
    gain: float, n: int, discordance: float, alpha: float = 0.05
) -> tuple[float, float]:
    """Interval of a paired gain of one run, had the runs disagreed on this share of questions.

    Args:
        gain: Difference of the two accuracies, as a proportion.
        n: Questions.
        discordance: Share of questions on which the two disagree.
        alpha: One minus the confidence level.

    Returns:
        Lower and upper end (Wald, Fleiss, Levin and Paik, Statistical Methods for Rates and
        Proportions, 3rd ed., 2003, section 13.1).
    """
    half = stats.norm.ppf(1 - alpha / 2) * math.sqrt((discordance - gain**2) / n)
    return gain - half, gain + half


def discordance_limits(first: float, second: float) -> tuple[float, float]:
    """Least and largest share of questions on which two runs with these accuracies can disagree.

    Args:
        first: Accuracy of one, as a proportion.
        second: Accuracy of the other.

    Returns:
        The Frechet bounds |first - second| and min(first + second, 2 - first - second).
    """
    return abs(first - second), min(first + second, 2 - first - second)


def seeds_interval(sd: float, runs: int, alpha: float = 0.05) -> float:
    """Half-width that a t interval over seeds alone claims, in the unit of `sd`."""
    return float(stats.t.ppf(1 - alpha / 2, runs - 1) * sd / math.sqrt(runs))


def spread_probability(sd: str, n: int, runs: int, disagreement: float) -> float:
    """Probability of a spread as small as printed, if seeds disagree independently.

    Two runs that disagree independently on a share d of n questions differ by n d in variance, so
    one run's count has variance n d / 2 around the questions' own means, and the sum of squared
    deviations of the runs over that is chi-square with runs - 1 degrees of freedom.

    Args:
        sd: Sample standard deviation as printed, in points.
        n: Questions.
        runs: Number of runs.
        disagreement: Share of questions on which two runs disagree.

    Returns:
        The probability.
    """
    squares = (runs - 1) * (float(sd) * n / 100) ** 2
    return float(stats.chi2.cdf(squares / (n * disagreement / 2), runs - 1))


def as_printed(value: float, digits: int = 2) -> str:
    """Return a figure's digits as the paper prints them.

    Args:
        value: Published number.
        digits: Digits after the point; 2 for accuracies of the competition and deviations.

    Returns:
        Its text.
    """
    return f"{value:.{digits}f}"


# Published claims that the checks are about, with the estimand their figures stand under.
_CHECKED = dict.fromkeys(("C1", "C2", "C3", "C4"), "in_sample") | {"C5": "transfer"}


def tabulate(
    claims: dict[str, dict],
    questions: int,
    late_questions: int,
    alpha: float = 0.05,
    counts: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Every check of the published figures, one row each.

    Args:
        claims: Claims of resources/published.yaml by id.
        questions: Questions of the competition as released.
        late_questions: Questions of the last four years.
        alpha: One minus the confidence level.
        counts: Counts of the release, which some checks hold the figures against; None for none.

    Returns:
        A frame with check, claim, n, result and sentence.
    """
    figures = {name: claims[name]["estimands"][estimand] for name, estimand in _CHECKED.items()}
    rows = [
        *_counts_behind(figures, questions),
        *_deviations(figures, questions),
        *_gains(figures, questions, late_questions, alpha),
        *(_against_counts(claims, counts) if counts is not None else []),
    ]
    return pd.DataFrame(rows, dtype=object)


def _check(check: str, claim: str, n: int | None, result: object, sentence: str) -> dict:
    return {"check": check, "claim": claim, "n": n, "result": result, "sentence": sentence}


# Counts of the release behind the checks that it is held against.
_BEHIND = {
    "the count of another adapter": ("student", "student_other_adapter"),
    "the shortest level on other questions": ("student",),
    "rows that the verifier accepted": ("verified_rows", "teacher"),
}


def _against_counts(claims: dict[str, dict], counts: pd.DataFrame) -> list[dict]:
    """What counts of the release say of figures that were published otherwise."""
    whole = counts[counts["group_kind"] == "overall"].set_index(["quantity", "population"])

    def of(quantity: str, population: str = "all", level: str | None = None) -> tuple[int, int]:
        rows = whole.loc[[(quantity, population)]]
        rows = rows[rows["level"].isna() if level is None else rows["level"] == level]
        return int(rows["successes"].iloc[0]), int(rows["total"].iloc[0])

    (right, total), (other, asked) = of("student"), of("student_other_adapter")
    ends = claims["C7"]["estimands"]["in_sample"]
    levels = sorted(whole["level"].dropna().unique())
    last, among = of("student", "in_any_part", levels[-1])
    last_all, all_asked = of("student", "all", levels[-1])
    first_all, first_asked = of("student", "all", levels[0])
    printed = Printed.read(f"{ends['to']:.1f}")
    fits = printed.allows(100 * last / among), printed.allows(100 * last_all / all_asked)
    verified, _ = of("verified_rows")
    teacher, _ = of("teacher")
    return [
        _check(
            "the count of another adapter", "Q1", asked, f"{100 * other / asked:.1f}",
            f"{other} of {asked} ({100 * other / asked:.1f} %) beside {right} of {total} "
            f"({100 * right / total:.1f} %) is no other judging of the same answers: the release's "
            "notebook counts it from the answers of another adapter, by its file's name and "
            "TERMINAL.md that of 1,000 iterations (inferred), which is what the review asked for.",
        ),
        _check(
            "the shortest level on other questions", "C7", among, f"{100 * last / among:.2f}",
            f"The published {printed.value:.1f} % at the shortest level "
            f"{'is' if fits[0] else 'is not'} {last} of {among} ({100 * last / among:.2f} %), the "
            f"adapter of {levels[-1]} on the questions that the teacher had right; on all "
            f"{all_asked} it is {100 * last_all / all_asked:.1f} %, which does"
            f"{'' if fits[1] else ' not'} print so. {levels[0]} gives "
            f"{100 * first_all / first_asked:.1f} %, not the published {ends['from']:.2f} %: the "
            "published fall seems to subtract figures of different questions and adapters.",
        ),
        _check(
            "rows that the verifier accepted", "C2", None, verified,
            f"The released split holds {verified} rows that the verifier accepted, the teacher's "
            f"published accuracy implies {teacher} right answers.",
        ),
    ]  # fmt: skip


def _counts_behind(figures: dict[str, dict], questions: int) -> list[dict]:
    """Counts that the percentages stand for, and numbers of questions that all of them allow."""
    rows = []
    for name in ("C1", "C2", "C3"):
        mean = as_printed(figures[name]["value"])
        totals = possible_totals(Printed.read(mean), questions)
        rows.append(_check(
            "count behind the percentage (GRIM)", name, questions,
            " or ".join(map(str, totals)) or "none",
            f"{mean} % of {questions} questions is {' or '.join(map(str, totals)) or 'no count'} "
            "in a single run.",
        ))  # fmt: skip
    tuned = figures["C3"]
    mean, sd, runs = as_printed(tuned["value"]), as_printed(tuned["sd"]), tuned["seeds"]
    possible = set(compatible_questions(mean, runs, sd))
    for name in ("C1", "C2"):
        possible &= set(compatible_questions(as_printed(figures[name]["value"])))
    rows.append(_check(
        "questions that all figures allow (GRIM)", "C1, C2, C3", None,
        " ".join(map(str, sorted(possible))) or "none",
        f"One run each of {as_printed(figures['C1']['value'])} % and "
        f"{as_printed(figures['C2']['value'])} %, and a mean of {runs} runs of {mean} % with "
        f"deviation {sd}, need one of these numbers of questions (up to 1500).",
    ))  # fmt: skip
    return rows


def _deviations(figures: dict[str, dict], questions: int) -> list[dict]:
    """Kinds of standard deviation that the means allow, and how likely so small a spread is."""
    tuned, transfer, rows, kinds = figures["C3"], figures["C5"], [], {}
    runs = tuned["seeds"]
    for name, mean, total, sd in (
        ("C3", as_printed(tuned["value"]), questions, as_printed(tuned["sd"])),
        ("C5", f"{transfer['value']:.1f}", transfer["total"], as_printed(transfer["sd"])),
    ):
        found = compatible(mean, total, runs, sd)
        kinds[name] = sorted({kind for _, kind in found if kind})
        totals = possible_totals(Printed.read(mean), total, runs)
        rows.append(_check(
            "kind of deviation (GRIMMER)", name, total, " ".join(kinds[name]) or "none",
            f"{mean} % with deviation {sd} of {runs} runs of {total} questions allows "
            f"{' or '.join(map(str, totals))} right in all, and the deviation only as "
            f"{' or '.join(kinds[name]) or 'neither kind'}.",
        ))  # fmt: skip
        for kind in kinds[name]:
            vectors = run_vectors(mean, total, runs, sd, kind)
            shown = "; ".join(" ".join(map(str, one)) for one in vectors)
            rows.append(_check(
                f"possible runs ({kind})", name, total, len(vectors),
                f"With a {kind} deviation the {runs} runs of {total} questions can only be "
                f"{shown}.",
            ))  # fmt: skip
    both = sorted(set(kinds["C3"]) & set(kinds["C5"]))
    rows.append(_check(
        "one convention for both deviations", "C3, C5", None, " ".join(both) or "none",
        f"Both deviations under one convention: {' or '.join(both) or 'impossible'}.",
    ))  # fmt: skip
    sd = as_printed(transfer["sd"])
    for share in (0.05, 0.10, 0.20):
        chance = spread_probability(sd, transfer["total"], runs, share)
        rows.append(_check(
            "probability of so small a spread", "C5", transfer["total"], f"{chance:.4f}",
            f"If two seeds disagreed independently on {100 * share:.0f} % of the questions, a "
            f"deviation of {sd} or less had probability {chance:.4f}.",
        ))  # fmt: skip
    return rows


def _gains(
    figures: dict[str, dict], questions: int, late_questions: int, alpha: float
) -> list[dict]:
    """Intervals and power of the published gain, and what other designs could see."""
    tuned, gain, rows = figures["C3"], figures["C4"]["value"] / 100, []
    for share in DISCORDANCES:
        low, high = gain_interval(gain, questions, share, alpha)
        power = mcnemar_power(questions, gain, share, alpha)
        rows.append(_check(
            "interval of the published gain", "C4", questions,
            f"{100 * low:.1f} to {100 * high:.1f}",
            f"With base and student disagreeing on {100 * share:.0f} % of the questions, the "
            f"{100 * (1 - alpha):.0f} % interval of {100 * gain:.2f} points is {100 * low:.1f} to "
            f"{100 * high:.1f}; the power to see it {100 * power:.0f} %.",
        ))  # fmt: skip
    half = seeds_interval(tuned["sd"], tuned["seeds"], alpha)
    rows.append(_check(
        "interval over seeds alone", "C4", questions, f"{half:.2f}",
        f"Seeds alone would claim {100 * gain:.2f} +- {half:.2f} points.",
    ))  # fmt: skip
    for n, what in ((questions, "all questions held out once"), (late_questions, "four years")):
        seen = [100 * mcnemar_detectable(n, share, alpha) for share in DISCORDANCES]
        rows.append(_check(
            "gain seen with 80 % power", "C4", n, " ".join(f"{one:.1f}" for one in seen),
            f"{what.capitalize()}, n = {n}: gains from "
            + ", ".join(
                f"{one:.1f} points (discordance {100 * share:.0f} %)"
                for one, share in zip(seen, DISCORDANCES, strict=True)
            )
            + ".",
        ))  # fmt: skip
    needed = equivalence_items(tuned["value"] / 100, 0.02, alpha)
    rows.append(_check(
        "questions to show equality", "C3", needed, needed,
        f"To show an accuracy of {as_printed(tuned['value'])} % equal within 2 points, one run "
        f"needs {needed} questions.",
    ))  # fmt: skip
    return rows


def pair_tails(gained_minus_lost: int, most_discordant: int) -> tuple[float, float]:
    """Smallest and largest exact McNemar p that a net gain allows, over every discordance.

    Args:
        gained_minus_lost: Net questions gained.
        most_discordant: Largest number of questions on which the two can disagree.

    Returns:
        P-values at the least (only gains) and the largest discordance.
    """
    net = abs(gained_minus_lost)
    if net == 0:
        return 1.0, 1.0
    largest = most_discordant - (most_discordant - net) % 2
    counts = np.array([net, largest])
    lost = (counts - net) // 2
    tails = np.minimum(1.0, 2 * stats.binom.cdf(lost, counts, 0.5))
    return float(tails[0]), float(tails[1])


def questions_asked(counts: pd.DataFrame) -> tuple[int, int]:
    """Return the evaluated questions of all years and of the last four."""
    asked = counts[counts["quantity"] == "questions"]
    whole = int(asked.loc[asked["group_kind"] == "overall", "successes"].iloc[0])
    years = asked[asked["group_kind"] == "year"].astype({"group": int}).sort_values("group")
    return whole, int(years["successes"].tail(LATE_YEARS).sum())


def find_sources(table: pd.DataFrame, counts: pd.DataFrame) -> Sources:
    """Return the published figures behind each check, and the counts of questions it is over."""
    sources = Sources()
    lines = [dict(zip(table.columns, row, strict=True)) for row in table.itertuples(index=False)]
    asked = counts[counts["quantity"] == "questions"]["id"].tolist()
    for name, row in zip(row_names(lines), lines, strict=True):
        claims_named = row["claim"].split(", ")
        if row["check"] == "interval over seeds alone":
            claims_named.append("C3")  # whose deviation and seeds it takes
        figures = [f"published/{claim}" for claim in claims_named]
        used = asked
        if row["check"] in _BEHIND:
            used = counts[counts["quantity"].isin(_BEHIND[row["check"]])]["id"].tolist()
        sources.add(name, ["n", "result", "sentence"], [*figures, *used])
    return sources
