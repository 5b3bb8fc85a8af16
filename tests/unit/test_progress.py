"""What a run says on a terminal: progress of jobs, claims in lines."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from distil.content.progress import ProgressLine
from distil.report import terminal as claims
from distil.study import terminal

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("done", "note", "curve", "said"),
    [
        (50, "", [], "50 of 200 iterations, 3:00 left"),
        (100, "loss 0.41", [], "100 of 200 iterations, 1:00 left, loss 0.41"),
        (100, "loss 0.41", [3.0, 1.0, 2.0], "loss 0.41  █▁▅"),
        (200, "loss 0.41", [-1e-5, 1.0], "200 of 200 iterations, loss 0.41  ▁█"),
    ],
)
def test_what_a_job_writes_in_its_log_is_what_the_terminal_shows(tmp_path, done, note, curve, said):
    stream = io.StringIO()
    line = ProgressLine(200, "iterations", stream)
    line.show(0)
    line._told = 0.0
    line.show(done, note, curve)
    log = tmp_path / "job.log"
    log.write_text("before\n" + stream.getvalue() + "a warning of a library\n", encoding="utf-8")
    job = terminal.Job("train_adapter", "train_adapter seed 3", log, started=1000.0)
    assert said in terminal.describe(job, 1060.0, drawn=True)


def test_a_job_that_tells_nothing_shows_its_time(tmp_path):
    for log in (None, tmp_path / "absent.log"):
        job = terminal.Job("grade", "grade base", log, started=0.0)
        assert terminal.describe(job, 3725.0, drawn=True) == "grade base  1:02:05"


def test_lines_come_at_intervals_and_parts_of_a_job_add_up():
    stream = io.StringIO()
    line = ProgressLine(30, "answers", stream)
    for done in range(11):
        line.show(done)
    line.before = 10
    line.show(20, "all")
    assert stream.getvalue() == "progress: 0/30 answers\nprogress: 30/30 answers; all\n"


def test_every_rule_belongs_to_a_stage_in_the_order_of_the_snakefile():
    stages = list(dict.fromkeys(terminal.read_stages(ROOT).values()))
    assert stages[:2] == ["exams", "problems"]
    assert stages.index("traces") < stages.index("adapters") < stages.index("claims")
    assert "all" not in terminal.read_stages(ROOT)


@pytest.fixture
def tested(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "results" / "mine" / "claims"
    folder.mkdir(parents=True)
    (folder / "claims.csv").write_text(
        "id,claim,estimand,unit,published,here,low,high,direction,size\n"
        f"C4,{'A gain that takes many words to say ' * 5},held_out,points,4.76,17.27273,4.2,30.3,holds,not comparable\n"
        "C6,A rise,validation,loss,,0.012,0.007,0.018,open,no figure\n"
        "Q5,A name,name,name,,,,,,\n",
        encoding="utf-8",
    )
    return folder


@pytest.mark.parametrize("width", [80, 100, 200])
def test_the_claims_fit_the_terminal(tested, width):
    text = claims.closing_text("mine", width)
    assert max(map(len, text.splitlines())) <= min(width, 100)
    assert "17.3 points (4.2 to 30.3) holds; paper 4.76: not comparable" in " ".join(text.split())
    assert re.search(r"0\.012 loss +\(0\.007 to 0\.018\)  open$", text, re.M)
    assert "distil explain C4 --study mine" in text
    # The review's questions have answers, not claims; the command shows them.
    assert "Q5" not in text
    assert "distil claims --study mine" in text
    assert "Q5" in claims.claims_text("mine", width)


def test_the_page_of_the_study_is_what_to_open(tested):
    (tested / "claims.html").touch()
    assert "Open results/mine/claims/claims.html" in claims.closing_text("mine", 80)
    (tested.parent / "index.html").touch()
    assert "Open results/mine/index.html" in claims.closing_text("mine", 80)
    with pytest.raises(FileNotFoundError, match="no tested claims"):
        claims.claims_text("absent")
