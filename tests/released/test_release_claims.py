"""Claims and forensics on the public release; skipped where it is not at hand."""

from types import SimpleNamespace

import pandas as pd
import pytest

from scripts import judge_release_claims
from tests.released.test_release import pytestmark as needs_release
from tests.released.test_release import run_import

pytestmark = needs_release
SETTINGS = {
    "title": "Public release", "alpha": 0.05, "margin": 2.0, "speed_section": "tp", "levels": [], "sections": {},
    "bootstrap": {"replicates": 1000, "seed": 1}, "published": True,
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return run_import(tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="module")
def table(folder):
    output = {
        "claims": [folder / f"claims.{kind}" for kind in ("csv", "md", "html", "tex")],
        "forensics": [folder / f"forensics.{kind}" for kind in ("csv", "md", "html")],
    }
    output["claims"].append(folder / "rows.parquet")
    output["forensics"].append(folder / "forensics.rows.parquet")
    judge_release_claims.main(
        input=SimpleNamespace(
            counts=folder / "counts.parquet", losses=folder / "losses.parquet",
            levels=folder / "levels.parquet", published="resources/published.yaml",
        ),
        output=SimpleNamespace(**output),
        params=SimpleNamespace(**SETTINGS),
    )  # fmt: skip
    return pd.read_csv(folder / "claims.csv").set_index("id")


def test_the_counts_give_the_published_percentages(table):
    assert table.loc["C1", "here"] == pytest.approx(100 * 421 / 651)
    assert table.loc["C2", "here"] == pytest.approx(100 * 595 / 651)
    assert table.loc["C3", "here"] == pytest.approx(100 * 452 / 651)
    assert table.loc["C4", "here"] == pytest.approx(100 * 31 / 651)


def test_a_count_implied_by_the_published_figure_confirms_nothing(table):
    for name in ("C1", "C2"):
        assert table.loc[name, "verdict"] == "not tested"
        assert "implies" in table.loc[name, "reason"]


def test_the_gain_is_undecided_because_the_discordance_is_unknown(table):
    assert table.loc["C4", "verdict"] == "inconclusive"
    assert table.loc["C4", "low"] < 0 < table.loc["C4", "high"]
    assert "1.8 to 7.7 at 15 % and 0.2 to 9.3 at 35 %" in table.loc["C4", "reason"]


def test_one_run_is_said_to_equal_the_published_mean_of_five(table):
    assert "one run, and its count equals the published mean of 5" in table.loc["C3", "reason"]


def test_the_released_levels_fall_by_less_than_published(table):
    assert table.loc["C7", "here"] == pytest.approx(100 * (373 / 648 - 258 / 651))
    # Five levels with an adapter each are another design than the published six.
    assert table.loc["C7", "verdict"] == "inconclusive"
    assert "direction only" in table.loc["C7", "reason"]
    assert table.loc["Q4", "here"] == 5


def test_514_of_651_questions_stand_in_the_training_file(table):
    assert table.loc["Q3", "here"] == pytest.approx(100 * 514 / 651)
    assert "514 in train, 61 in validation, 32 in test" in table.loc["Q3", "reason"]


def test_the_minimum_of_the_loss_is_only_known_to_lie_between_1_and_400(table):
    found = table.loc["C6"]
    assert (found["low"], found["here"], found["high"]) == (1, 200, 400)
    assert found["verdict"] == "not tested"


def test_each_number_names_its_counts(folder, table):
    rows = pd.read_parquet(folder / "rows.parquet")
    counts = set(pd.read_parquet(folder / "counts.parquet")["id"])
    for name in ("C1", "C3", "C4", "C7", "C8", "Q3"):
        used = set(rows.loc[rows["claim"] == name, "row"])
        assert used
        assert used <= counts


def test_forensics_take_the_questions_from_the_release(folder, table):
    found = pd.read_csv(folder / "forensics.csv")
    allowed = found.loc[found["check"] == "questions that all figures allow", "result"].item()
    assert allowed.split()[0] == "651"
    assert set(found["n"].dropna()) >= {190, 500, 651}
