"""Figures: same bytes every time, text inside, drawn from ordinary and from degenerate studies."""

import dataclasses
import io
import re
import xml.etree.ElementTree as ElementTree
from types import SimpleNamespace

import cv2
import matplotlib as mpl
import pandas as pd
import pytest
import simulated_study as simulated

from distil.claims import selections
from distil.report import plots, summaries
from scripts import draw_figures

NAMES = [
    "claims",
    "curves",
    "words",
    "sections",
    "seeds",
    "stops",
    "checkpoints",
    "discordance",
    "graders",
    "multiverse",
]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return simulated.write(tmp_path_factory.mktemp("study"), questions=6)


CLAIMS = """\
id,label,kind,estimand,unit,published,here,low,high
C1,base,accuracy,in_sample,percent,64.67,63.1,60,66
C1,base,accuracy,held_out,percent,,58.0,51,65
C4,gain,effect,in_sample,points,4.76,5.5,2.1,8.9
C6,stop,effect,validation,iteration,,120,100,120
C7,fall,effect,held_out,points,,,,
Q5,name,answer,name,name,,,,
"""


def draw(paths, folder, settings=simulated.SETTINGS):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tested.csv").write_text(CLAIMS, encoding="utf-8")
    paths = {**paths, "tested": folder / "tested.csv"}
    files = {name: [folder / f"{name}.svg", folder / f"{name}.png"] for name in NAMES}
    draw_figures.main(
        input=SimpleNamespace(**paths),
        output=SimpleNamespace(**files),
        params=SimpleNamespace(**settings),
    )
    return files


@pytest.fixture(scope="module")
def drawn(paths, tmp_path_factory):
    return draw(paths, tmp_path_factory.mktemp("figures"))


def test_figures_are_the_same_bytes_twice_whatever_a_readers_matplotlibrc_says(
    paths, drawn, tmp_path
):
    with mpl.rc_context({"axes.facecolor": "red", "lines.marker": "x", "savefig.bbox": "tight"}):
        again = draw(paths, tmp_path)
    for name in NAMES:
        for one, two in zip(drawn[name], again[name], strict=True):
            assert one.read_bytes() == two.read_bytes(), one.name


@pytest.mark.parametrize("name", NAMES)
def test_figures_carry_their_text_and_no_version(name, drawn):
    svg, png = drawn[name]
    root = ElementTree.parse(svg).getroot()
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "title desc"
    assert len(root.find(f"{SVG}title").text) > 10
    assert re.search(r"\d", root.find(f"{SVG}desc").text)
    text = svg.read_text(encoding="utf-8")
    assert "<dc:date>" not in text
    assert "Matplotlib v" not in text
    assert b"matplotlib" not in png.read_bytes().lower()


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_cut_at_the_edges(name, drawn):
    image = cv2.imread(str(drawn[name][1]), cv2.IMREAD_GRAYSCALE)
    assert image.shape[1] >= 1000
    assert image.min() < 120
    edges = (image[0], image[-1], image[:, 0], image[:, -1])
    assert all(edge.min() > 250 for edge in edges)


def test_text_gives_the_figures_that_are_drawn(paths):
    study = selections.read_study(paths["answers"], paths["stops"], simulated.SETTINGS)
    seeds = summaries.tabulate_seeds(study)
    drawing = plots.plot_seeds(seeds)
    assert f"{seeds.iloc[0]['gain']:+.1f}" in drawing.text
    table, count = summaries.discordance(study)
    assert f"{table['first_only']:.1f}" in plots.plot_discordance(table, count).text
    assert sum(table.values()) == pytest.approx(3 * 3 * 6)


def test_colours_stay_apart_for_colour_blind_readers():
    # Brightness alone, as a black-and-white print keeps it, tells the marks of one figure apart.
    def brightness(colour):
        red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
        return 0.299 * red + 0.587 * green + 0.114 * blue

    assert abs(brightness(plots.BLUE) - brightness(plots.RED)) > 15
    assert abs(brightness(plots.BLUE) - brightness(plots.ORANGE)) > 60


def test_a_study_in_which_nothing_happens_is_drawn_all_the_same(paths, tmp_path):
    study = selections.read_study(paths["answers"], paths["stops"], simulated.SETTINGS)
    for verdict in ("wrong", "right"):
        flat = dataclasses.replace(study, answers=study.answers.assign(verdict=verdict))
        for drawing in (
            plots.plot_words(*summaries.words_and_line(flat)),
            plots.plot_sections(summaries.sections_gain(flat)),
            plots.plot_seeds(summaries.tabulate_seeds(flat)),
            plots.plot_stops(summaries.tabulate_stops(flat)),
            plots.plot_checkpoints(
                summaries.gains_by_checkpoint(flat), summaries.stop_iterations(flat)
            ),
            plots.plot_discordance(*summaries.discordance(flat)),
            plots.plot_graders(summaries.gains_by_grading(flat)),
        ):
            plots.save(drawing, [tmp_path / "flat.svg", tmp_path / "flat.png"])
            assert (tmp_path / "flat.png").stat().st_size > 5_000


def test_each_fold_has_its_own_panel_of_curves(tmp_path):
    folds = {"a": simulated.TEMPORAL["temporal"], "b": simulated.TEMPORAL["temporal"]}
    paths = simulated.write(tmp_path, folds, questions=1)
    drawing = plots.plot_curves(
        selections.read_curves(paths["curves"]), selections.read_stops(paths["stops"])
    )
    assert len(drawing.figure.axes) == 2
    assert drawing.text.count("Fold") == 2


@pytest.mark.parametrize("published", [True, False])
def test_all_claims_stand_in_one_figure_with_the_published_ones(tmp_path, published):
    claims = pd.read_csv(io.StringIO(CLAIMS))
    if not published:
        claims = claims.assign(published=float("nan"))
    drawing = plots.plot_claims(claims)
    assert [len(axes.get_yticks()) for axes in drawing.figure.axes] == [2, 1]
    assert "C4 gain, in sample 5.5 (2.1 to 8.9)" in drawing.text
    assert ("published 4.76" in drawing.text) == published
    legend = drawing.figure.legends[0].get_texts()
    assert len(legend) == 1 + published
    only = plots.plot_claims(claims[claims["kind"] == "effect"])
    assert len(only.figure.axes) == 1
