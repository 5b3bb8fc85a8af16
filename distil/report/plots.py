"""Figures of the study: SVG and PNG, the same bytes every time, told apart without colour.

Each function takes a plain frame and returns a `Drawing`: the figure and the sentence that tells
what it shows, which becomes the SVG's title and description and the PNG's. Colours are Okabe and
Ito's (safe for colour-blind readers); marks and line styles differ as well.
"""

from __future__ import annotations

import contextlib
import html
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullLocator

from distil.content.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pandas as pd
    from matplotlib.axes import Axes

BLUE, ORANGE, RED, GREY = "#0072B2", "#E69F00", "#D55E00", "#5A5A5A"
LIGHT = "#D9D9D9"
# How the stops are marked.
MARKS = {"nested": (BLUE, "-"), "pilot": (RED, "--"), "horizon": (GREY, ":")}
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "svg.fonttype": "path",
    "svg.hashsalt": "distil",
    "savefig.dpi": 200,
}


@dataclass(frozen=True)
class Drawing:
    """A figure with its text for those who do not see it.

    Attributes:
        figure: The figure.
        title: A few words.
        text: What it shows, in one or two sentences with figures.
    """

    figure: Figure
    title: str
    text: str


@contextlib.contextmanager
def _style() -> Iterator[None]:
    """Draw in our style upon matplotlib's own: a reader's matplotlibrc changes no figure."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        yield


def _figure(width: float = 6.4, height: float = 3.8) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _panels(count: int) -> tuple[Figure, list[Axes]]:
    """One large panel, or up to three small ones in a row."""
    columns = min(count, 3)
    rows = -(-count // columns)
    figure = Figure(
        figsize=(max(6.4, 3.1 * columns), 4.0 if count == 1 else 2.9 * rows), layout="constrained"
    )
    axes = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for unused in axes[count:]:
        unused.set_visible(False)
    return figure, list(axes[:count])


def save(drawing: Drawing, paths: Iterable[str | Path]) -> None:
    """Write a drawing without dates or versions, with its text inside.

    Args:
        drawing: What to write.
        paths: Files ending in .svg or .png (200 dots an inch).

    Raises:
        ValueError: If a suffix is not one of these.
    """
    # The SVG first: a constrained layout starts from where the last one ended, to the last digit.
    for path in sorted(map(Path, paths), key=lambda path: path.suffix != ".svg"):
        if path.suffix not in (".svg", ".png"):
            raise ValueError(f"{path}: figures are written as .svg or .png")
        with _style():
            made = _as_svg(drawing) if path.suffix == ".svg" else _as_png(drawing)
        write_atomically(path, made)


def _as_svg(drawing: Drawing) -> bytes:
    buffer = io.BytesIO()
    FigureCanvasSVG(drawing.figure)
    drawing.figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = re.sub(
        r"(<svg\b[^>]*?)>",
        lambda match: (
            f'{match[1]} role="img" aria-labelledby="title desc">\n'
            f' <title id="title">{html.escape(drawing.title)}</title>\n'
            f' <desc id="desc">{html.escape(drawing.text)}</desc>'
        ),
        buffer.getvalue().decode(),
        count=1,
    )
    return text.encode()


def _as_png(drawing: Drawing) -> bytes:
    buffer = io.BytesIO()
    FigureCanvasAgg(drawing.figure)
    told = {"Software": None, "Title": drawing.title, "Description": drawing.text}
    drawing.figure.savefig(buffer, format="png", metadata=told)
    return buffer.getvalue()


def _mark_stops(axes: Axes, stops: Mapping[str, Sequence[int]]) -> None:
    """Mark where stops are; those at the same iterations share a label."""
    together: dict[tuple[int, ...], list[str]] = {}
    for name, iterations in stops.items():
        together.setdefault(tuple(sorted(set(iterations))), []).append(name)
        colour, dashes = MARKS[name]
        for iteration in set(iterations):
            axes.axvline(iteration, color=colour, linestyle=dashes, linewidth=1.0, alpha=0.8)
    for rank, (iterations, names) in enumerate(together.items()):
        at = ", ".join(map(str, iterations))
        axes.annotate(
            f"{' and '.join(names)} {at}", (iterations[-1], 0.985 - 0.07 * rank),
            xycoords=("data", "axes fraction"), xytext=(-3, 0), textcoords="offset points",
            ha="right", va="top", fontsize=8, color=MARKS[names[0]][0],
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.8},
        )  # fmt: skip


def plot_curves(
    curves: pd.DataFrame, stops: Mapping[str, Mapping[str, object]], variant: str = "prompt"
) -> Drawing:
    """Validation loss of every seed and of the pilot, with the stops, a panel per fold.

    Args:
        curves: fold, variant, seed, iteration, loss.
        stops: {fold: {variant: stops}}.
        variant: Which adapters.

    Returns:
        The drawing.
    """
    curves = curves[curves["variant"] == variant]
    folds = [fold for fold in sorted(stops) if variant in stops[fold]]
    sentences = []
    with _style():
        figure, panels = _panels(len(folds))
        for axes, fold in zip(panels, folds, strict=True):
            chosen = stops[fold][variant]
            wide = curves[curves["fold"] == fold].pivot_table(
                index="iteration", columns="seed", values="loss"
            )
            pilot = int(chosen["pilot"]["seed"])
            seeds = [seed for seed in wide.columns if seed != pilot]
            mean = wide[seeds].mean(axis=1)
            for seed in seeds:
                axes.plot(wide.index, wide[seed], color=BLUE, alpha=0.3, linewidth=0.9)
                own = int(chosen["seed"][str(seed)])
                if own in wide.index:
                    axes.plot(own, wide.loc[own, seed], "o", color=BLUE, markersize=3.5, alpha=0.8)
            axes.plot(wide.index, mean, color=BLUE, label=f"mean of {len(seeds)} seeds")
            if pilot in wide:
                axes.plot(wide.index, wide[pilot], "--", color=RED, label="pilot")
            # Zoom to the turn: the first steps fall by far more than the rise after the minimum.
            late = wide[wide.index >= 0.15 * wide.index.max()].to_numpy()
            low, high = np.nanmin(late), np.nanmax(late)
            axes.set_ylim(low - 0.08 * (high - low), high + 0.30 * (high - low))
            marks = {name: int(chosen[name]["iteration"]) for name in MARKS}
            _mark_stops(axes, {name: [iteration] for name, iteration in marks.items()})
            lowest = int(mean.idxmin())
            axes.plot(lowest, mean.loc[lowest], "v", color=BLUE, markersize=6)
            axes.set_xlabel("iteration")
            axes.set_title(fold if len(folds) > 1 else "Validation loss and where to stop")
            sentences.append(
                f"Fold {fold}: the mean loss of {len(seeds)} seeds is lowest at iteration "
                f"{lowest} ({mean.min():.4f}) and {mean.iloc[-1]:.4f} at "
                f"{int(mean.index[-1])}; stops: nested {marks['nested']}, pilot "
                f"{marks['pilot']}, chosen among the checkpoints."
            )
        for axes in panels[::3]:
            axes.set_ylabel("validation loss (nats a token), axis cut")
        handles, labels = panels[0].get_legend_handles_labels()
        handles.append(Line2D([], [], color=BLUE, marker="v", markersize=6, linestyle="none"))
        handles.append(Line2D([], [], color=BLUE, marker="o", markersize=3.5, linestyle="none"))
        labels += ["lowest mean", "each seed's own stop, a checkpoint"]
        figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return Drawing(figure, "Validation loss along training, with the stops", " ".join(sentences))


def plot_words(levels: pd.DataFrame, line: pd.DataFrame, alpha: float = 0.05) -> Drawing:
    """Accuracy against mean words of the six levels, base and student, with bands.

    Args:
        levels: level, base_words, base_accuracy, student_words, student_accuracy, student_low and
            student_high (simultaneous), all sections together; percentages.
        line: words, accuracy, low, high: the student's fitted line with its band; percentages.
        alpha: One minus the confidence level of both.

    Returns:
        The drawing.
    """
    with _style():
        figure, axes = _figure(6.4, 4.0)
        # A straight line may leave what an accuracy can be; what is drawn of it does not.
        inside = line[["low", "accuracy", "high"]].clip(0, 100)
        axes.fill_between(
            line["words"], inside["low"], inside["high"], color=BLUE, alpha=0.13, linewidth=0,
            label=f"line on log words, {_confidence(alpha)} band",
        )  # fmt: skip
        axes.plot(line["words"], inside["accuracy"], color=BLUE, linewidth=1.0, alpha=0.8)
        below = levels["student_accuracy"] - levels["student_low"]
        above = levels["student_high"] - levels["student_accuracy"]
        axes.errorbar(
            levels["student_words"], levels["student_accuracy"], yerr=[below, above], fmt="o",
            color=BLUE, capsize=3, markersize=5.5, linewidth=1.2,
            label=f"student, {_confidence(alpha)} band over all levels",
        )  # fmt: skip
        axes.plot(
            levels["base_words"], levels["base_accuracy"], "s", color=GREY, markerfacecolor="white",
            markersize=5, label="base",
        )  # fmt: skip
        for row in levels.itertuples():
            axes.annotate(
                row.level, (row.student_words, row.student_high), xytext=(0, 4),
                textcoords="offset points", ha="center", fontsize=8.5, fontweight="bold",
            )  # fmt: skip
        axes.set_xscale("log")
        words = np.concatenate([levels["student_words"], levels["base_words"]])
        ticks = [
            tick
            for tick in (1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500)
            if words.min() / 1.3 <= tick <= words.max() * 1.3
        ]
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_major_formatter(FixedFormatter([str(tick) for tick in ticks]))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("mean words of a level's answers (log scale)")
        axes.set_ylabel("accuracy (%)")
        axes.set_ylim(0, min(105, max(levels["student_high"].max(), line["high"].max()) + 12))
        axes.grid(axis="y", color=LIGHT, linewidth=0.6)
        axes.set_title("Accuracy against response length")
        axes.legend(loc="best")
    cells = ", ".join(
        f"{row.level} {row.student_words:.1f} words {row.student_accuracy:.1f} % (base "
        f"{row.base_accuracy:.1f} %)"
        for row in levels.itertuples()
    )
    return Drawing(
        figure, "Accuracy against mean words of the answers", f"Student by level: {cells}."
    )


def _forest(
    rows: pd.DataFrame,
    *,
    label: str,
    right: Sequence[str],
    pooled: Sequence[bool],
    title: str,
    x_label: str,
    right_title: str,
) -> Figure:
    """Draw estimates with intervals, a line each, the pooled ones as diamonds."""
    figure, axes = _figure(6.8, 1.25 + 0.36 * len(rows))
    places = np.arange(len(rows))[::-1]
    for place, (_, row), whole in zip(places, rows.iterrows(), pooled, strict=True):
        colour = RED if whole else BLUE
        axes.plot([row["low"], row["high"]], [place, place], color=colour, linewidth=1.5)
        axes.plot(
            row["gain"], place, "D" if whole else "s", color=colour, markersize=6 if whole else 5
        )
    axes.axvline(0, color=GREY, linewidth=1.0, linestyle="--")
    axes.set_yticks(places, rows[label])
    axes.set_ylim(-0.7, len(rows) - 0.3)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=LIGHT, linewidth=0.6)
    axes.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 2.5, 5, 10]))
    axes.set_xlabel(x_label)
    axes.set_title(title)
    second = axes.secondary_yaxis("right")
    second.set_yticks(places, right)
    second.tick_params(axis="y", length=0)
    second.spines["right"].set_visible(False)
    axes.annotate(
        right_title, (1.0, 1.0), xycoords="axes fraction", xytext=(3.5, 3),
        textcoords="offset points", fontsize=8, color=GREY, annotation_clip=False,
    )  # fmt: skip
    return figure


def _confidence(alpha: float) -> str:
    return f"{100 * (1 - alpha):g} %"


def _gain_axis(alpha: float) -> str:
    return f"gain (points), {_confidence(alpha)} interval"


def _between(row: pd.Series) -> str:
    return f"{row['gain']:+.1f} ({row['low']:.1f} to {row['high']:.1f})"


def plot_sections(sections: pd.DataFrame, alpha: float = 0.05) -> Drawing:
    """Gain over the base by section at the longest level.

    Args:
        sections: name, n, base_accuracy, student_accuracy, gain, low, high, pooled (true for all
            sections together); percentages and points.
        alpha: One minus the confidence level.

    Returns:
        The drawing.
    """
    rows = sections.reset_index(drop=True)
    rows["label"] = [
        f"{row.name_} (n = {row.n})" for row in rows.rename(columns={"name": "name_"}).itertuples()
    ]
    right = [f"{row.base_accuracy:.1f} → {row.student_accuracy:.1f}" for row in rows.itertuples()]
    with _style():
        figure = _forest(
            rows, label="label", right=right, pooled=rows["pooled"].tolist(),
            title="Gain over the base by section", x_label=_gain_axis(alpha),
            right_title="base → student, %",
        )  # fmt: skip
    cells = "; ".join(f"{row['label']} {_between(row)}" for _, row in rows.iterrows())
    return Drawing(figure, "Gain over the base by section", f"Gain in points: {cells}.")


def plot_seeds(seeds: pd.DataFrame, alpha: float = 0.05) -> Drawing:
    """Forest of each seed's gain and of the pooled gains.

    Args:
        seeds: row, n, gain, low, high, clustered_low, clustered_high, gained (the last three blank
            for pooled rows), as of tabulate_seeds.
        alpha: One minus the confidence level.

    Returns:
        The drawing.
    """
    # A seed's exact interval takes questions as independent: beside the pooled ones, which do not,
    # it would look more certain than five seeds together.
    exact = seeds["clustered_low"].isna()
    seeds = seeds.assign(
        low=seeds["low"].where(exact, seeds["clustered_low"]),
        high=seeds["high"].where(exact, seeds["clustered_high"]),
    )
    n = seeds["n"].dropna().max()
    right = [_between(row) for _, row in seeds.iterrows()]
    with _style():
        figure = _forest(
            seeds, label="row", right=right, pooled=[one is None for one in seeds["gained"]],
            title=f"Gain over the base, seed by seed (n = {n})", x_label=_gain_axis(alpha),
            right_title="gain (interval)",
        )  # fmt: skip
    cells = "; ".join(f"{row['row']} {_between(row)}" for _, row in seeds.iterrows())
    return Drawing(figure, "Gain over the base by seed and pooled", f"Gain in points: {cells}.")


def plot_stops(stops: pd.DataFrame, alpha: float = 0.05) -> Drawing:
    """Gain over the base under each way to stop.

    Args:
        stops: stop, primary, iterations, gain, low, high, as of tabulate_stops; a row without
            answers is left out.
        alpha: One minus the confidence level.

    Returns:
        The drawing.
    """
    rows = stops[stops["gain"].notna()].copy()
    names = {
        "pilot": "pilot's minimum",
        "seed": "each seed's own",
        "nested": "nested",
        "patience": "patience",
        "one_se": "one standard error",
        "horizon": "none (horizon)",
        "best": "best on test",
    }
    rows["label"] = [
        names[row.stop] + (" (primary)" if row.primary else "") for row in rows.itertuples()
    ]
    rows = rows.astype({"gain": float, "low": float, "high": float})
    shown = [", ".join(str(row).split()) for row in rows["iterations"]]
    with _style():
        figure = _forest(
            rows, label="label", right=[f"at {row}" for row in shown],
            pooled=[bool(one) for one in rows["primary"]], title="Gain under each way to stop",
            x_label=_gain_axis(alpha), right_title="iteration",
        )  # fmt: skip
    cells = "; ".join(
        f"{row['label']} at {row['iterations']} {_between(row)}" for _, row in rows.iterrows()
    )
    return Drawing(figure, "Gain over the base by stop", f"Gain in points: {cells}.")


def plot_graders(gradings: pd.DataFrame, alpha: float = 0.05) -> Drawing:
    """Gain over the base under each reading of the verdicts.

    Args:
        gradings: grading, gain, low, high (points), differing (per cent), as of gains_by_grading.
        alpha: One minus the confidence level.

    Returns:
        The drawing.
    """
    names = {
        "primary": "primary",
        "strict": "strict rule",
        "second": "second grader",
        "judge": "chat model",
        "best": "unknown for the student",
        "worst": "unknown against the student",
    }
    rows = gradings.assign(label=[names[one] for one in gradings["grading"]])
    with _style():
        figure = _forest(
            rows, label="label", right=[f"{one:.1f}" for one in rows["differing"]],
            pooled=[one == "primary" for one in rows["grading"]],
            title="Gain under each grading", x_label=_gain_axis(alpha),
            right_title="% regraded",
        )  # fmt: skip
    cells = "; ".join(
        f"{row['label']} {_between(row)}, {row['differing']:.1f} % of the answers graded otherwise"
        for _, row in rows.iterrows()
    )
    return Drawing(figure, "Gain over the base by grading", f"Gain in points: {cells}.")


def plot_multiverse(table: pd.DataFrame, axes: Sequence[str], alpha: float = 0.05) -> Drawing:
    """Gain under every combination of choices, rising, with the choices below.

    Args:
        table: The columns of `axes`, primary, gain, low, high (points), as of tabulate_multiverse.
        axes: Names of the columns that hold the choices.
        alpha: One minus the confidence level.

    Returns:
        The drawing.
    """
    rows = table.sort_values("gain", kind="stable").reset_index(drop=True)
    choices = [(axis, value) for axis in axes for value in dict.fromkeys(table[axis])]
    with _style():
        figure = Figure(figsize=(6.8, 2.6 + 0.2 * len(choices)), layout="constrained")
        gains, marks = figure.subplots(2, 1, sharex=True, height_ratios=[2.3, 0.2 * len(choices)])
        for whole, colour, mark in ((False, BLUE, "."), (True, RED, "D")):
            drawn = rows[rows["primary"] == whole]
            gains.vlines(drawn.index, drawn["low"], drawn["high"], color=colour, linewidth=1.0)
            gains.plot(drawn.index, drawn["gain"], mark, color=colour, markersize=5 if whole else 4)
        gains.axhline(0, color=GREY, linewidth=1.0, linestyle="--")
        gains.set_ylabel("gain (points)")
        gains.set_title("Gain under every combination of choices")
        for place, (axis, value) in enumerate(reversed(choices)):
            held = rows.index[rows[axis] == value]
            marks.plot(held, [place] * len(held), "|", color=GREY, markersize=5)
            chosen = rows.index[rows["primary"] & (rows[axis] == value)]
            marks.plot(chosen, [place] * len(chosen), "D", color=RED, markersize=4)
        labels = [f"{axis}: {value}" for axis, value in reversed(choices)]
        marks.set_yticks(range(len(choices)), labels)
        marks.set_ylim(-0.7, len(choices) - 0.3)
        marks.tick_params(axis="y", length=0, labelsize=7.5)
        marks.xaxis.set_major_locator(NullLocator())
        marks.set_xlabel(
            f"{len(rows)} combinations by gain, {_confidence(alpha)} intervals; diamond: primary"
        )
    primary = rows[rows["primary"]]
    told = "; ".join(_between(row) for _, row in primary.iterrows()) or "none"
    return Drawing(
        figure,
        "Gain over the base under every combination of choices",
        f"Gain in points under {len(rows)} combinations, from {rows['gain'].min():+.1f} to "
        f"{rows['gain'].max():+.1f}; primary {told}.",
    )


def plot_checkpoints(
    band: pd.DataFrame, stops: Mapping[str, Sequence[int]], alpha: float = 0.05
) -> Drawing:
    """Gain along the checkpoints with a band that holds at all of them at once.

    Args:
        band: iteration, gain, low, high (simultaneous), point_low, point_high; points.
        stops: Iterations by stop, to be marked.
        alpha: One minus the confidence level.

    Returns:
        The drawing.
    """
    with _style():
        figure, axes = _figure(6.4, 3.8)
        axes.fill_between(
            band["iteration"], band["low"], band["high"], color=BLUE, alpha=0.15, linewidth=0,
            label=f"{_confidence(alpha)} band, all checkpoints at once",
        )  # fmt: skip
        axes.errorbar(
            band["iteration"], band["gain"],
            yerr=[band["gain"] - band["point_low"], band["point_high"] - band["gain"]],
            fmt="o-", color=BLUE, capsize=3, markersize=5, linewidth=1.4,
            label=f"mean gain, {_confidence(alpha)} each",
        )  # fmt: skip
        axes.axhline(0, color=GREY, linewidth=1.0, linestyle="--")
        low, high = min(band["low"].min(), 0), max(band["high"].max(), 0)
        axes.set_ylim(low - 0.08 * (high - low), high + 0.30 * (high - low))
        _mark_stops(axes, {name: stops[name] for name in MARKS if stops.get(name)})
        axes.set_xlabel("iteration")
        axes.set_ylabel("gain over the base (points)")
        axes.xaxis.set_major_locator(FixedLocator(band["iteration"].tolist()))
        axes.grid(axis="y", color=LIGHT, linewidth=0.6)
        axes.set_title("Gain along the checkpoints")
        figure.legend(loc="outside lower center", ncols=2)
    cells = "; ".join(
        f"iteration {row.iteration} {row.gain:+.1f} ({row.low:.1f} to {row.high:.1f})"
        for row in band.itertuples()
    )
    return Drawing(figure, "Gain over the base along the checkpoints", f"Gain in points: {cells}.")


def plot_discordance(table: Mapping[str, float], seeds: int) -> Drawing:
    """Mosaic of base against student: on which questions do they disagree.

    Args:
        table: Mean questions per seed: both, first_only (student), second_only (base), neither.
        seeds: Number of seeds averaged.

    Returns:
        The drawing.
    """
    total = sum(table.values())
    base_right = table["both"] + table["second_only"]
    discordant = table["first_only"] + table["second_only"]
    columns = [
        ("base right", base_right, table["both"], table["second_only"]),
        ("base wrong", total - base_right, table["first_only"], table["neither"]),
    ]
    gap = 0.012
    with _style():
        figure, axes = _figure(5.4, 4.2)
        start = 0.0
        for index, (name, width, student_right, student_wrong) in enumerate(columns):
            share = width / total
            if share == 0:
                continue
            fills = (
                ("kept", LIGHT, ""), ("lost", ORANGE, "////"),
            ) if index == 0 else (("gained", BLUE, ""), ("still wrong", LIGHT, ""))  # fmt: skip
            bottom = 0.0
            for (label, colour, hatch), count in zip(
                fills, (student_right, student_wrong), strict=True
            ):
                height = count / width
                axes.bar(
                    start + share / 2, max(height - gap, 0), width=max(share - gap, 0),
                    bottom=bottom + gap / 2, color=colour, hatch=hatch, edgecolor="white",
                    linewidth=0,
                )  # fmt: skip
                dark = colour == BLUE
                if height > 0.07 and share > 0.08:
                    axes.text(
                        start + share / 2, bottom + height / 2,
                        f"{label}\n{count:.1f} ({100 * count / total:.1f} %)",
                        ha="center", va="center", color="white" if dark else "black",
                        bbox=None if dark or not hatch else
                        {"facecolor": "white", "edgecolor": "none", "pad": 1.5, "alpha": 0.85},
                    )  # fmt: skip
                bottom += height
            axes.text(
                start + share / 2, 1.01, f"{name}\n{width:.0f} questions", ha="center", va="bottom"
            )
            start += share
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        axes.set_xticks([])
        # Cells too thin for their label still show their count here.
        axes.set_xlabel(
            "in cells: questions, and their share of all\n"
            f"{total:.0f} questions; discordant {discordant:.1f} "
            f"({100 * discordant / total:.1f} %): gained {table['first_only']:.1f}, lost "
            f"{table['second_only']:.1f}"
        )
        tops = [gap / 2 + (1 - gap) * share for share in (0, 0.25, 0.5, 0.75, 1.0)]
        axes.set_yticks(tops, ["0", "25", "50", "75", "100"])
        axes.set_ylabel("of the column (%); student right below")
        for side in ("bottom", "left"):
            axes.spines[side].set_visible(False)
        axes.set_title(f"Questions gained and lost, mean of {seeds} seeds", pad=34)
    text = (
        f"Of {total:.0f} questions, mean of {seeds} seeds: both right {table['both']:.1f}, gained "
        f"by the student {table['first_only']:.1f}, lost {table['second_only']:.1f}, both wrong "
        f"{table['neither']:.1f}."
    )
    return Drawing(figure, "Agreement of base and student", text)


def plot_claims(claims: pd.DataFrame, alpha: float = 0.05) -> Drawing:
    """All claims that are shares or differences, with their intervals and the published figures.

    Args:
        claims: id, label, kind, estimand, unit, published, here, low, high, as of the claims table.
        alpha: One minus the confidence level.

    Returns:
        The drawing: accuracies on the left, differences on the right.
    """
    shown = claims[claims["unit"].isin(["percent", "points"]) & claims["here"].notna()]
    panels = {
        "Accuracies (%)": shown[shown["kind"] == "accuracy"],
        "Differences (points)": shown[shown["kind"] == "effect"],
    }
    panels = {title: rows for title, rows in panels.items() if len(rows)}
    longest = max(map(len, panels.values()))
    with _style():
        figure = Figure(figsize=(4.8 * len(panels), 1.4 + 0.34 * longest), layout="constrained")
        for axes, (title, rows) in zip(
            figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True
        ):
            places = np.arange(len(rows))[::-1]
            for place, row in zip(places, rows.itertuples(), strict=True):
                if not np.isnan(row.low) and not np.isnan(row.high):
                    axes.plot([row.low, row.high], [place, place], color=BLUE, linewidth=1.5)
                axes.plot(row.here, place, "s", color=BLUE, markersize=5)
                if not np.isnan(row.published):
                    axes.plot(
                        row.published, place, "D", color=RED, markersize=6, markerfacecolor="none"
                    )
            axes.set_yticks(places, [claim_label(row) for row in rows.itertuples()])
            axes.set_ylim(-0.7, longest - 0.3 - (longest - len(rows)))
            axes.tick_params(axis="y", length=0)
            axes.spines["left"].set_visible(False)
            axes.grid(axis="x", color=LIGHT, linewidth=0.6)
            axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
            axes.set_title(title)
            if title.startswith("Diff"):
                axes.axvline(0, color=GREY, linewidth=1.0, linestyle="--")
        here = Line2D([], [], color=BLUE, marker="s", markersize=5, linewidth=1.5)
        handles, labels = [here], [f"here, {_confidence(alpha)} interval"]
        if shown["published"].notna().any():
            handles.append(
                Line2D([], [], color=RED, marker="D", markerfacecolor="none", linestyle="none")
            )
            labels.append("published")
        figure.legend(handles, labels, loc="outside lower center", ncols=2)
    cells = "; ".join(
        f"{claim_label(row)} {row.here:.1f} ({row.low:.1f} to {row.high:.1f})"
        + ("" if np.isnan(row.published) else f", published {row.published:.2f}")
        for rows in panels.values()
        for row in rows.itertuples()
    )
    return Drawing(figure, "All claims with their intervals", f"{cells}.")


def claim_label(row: object) -> str:
    """Return a claim's id, short name and questions."""
    return f"{row.id} {row.label}, {row.estimand.replace('_', ' ')}"  # type: ignore[attr-defined]
