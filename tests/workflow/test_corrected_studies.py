"""Human corrections and second readings: what they rerun, what they refuse, how they are explained."""

from __future__ import annotations

import hashlib
import json
import shutil

import pytest
import typst
import yaml

from distil.audit import chain_text, chains, explain, verify
from distil.review.crops import read_crops
from tests.vision_host import MODEL, serve
from tests.workflow.checkout import copy_repository
from tests.workflow.derived import downstream, importers, of_rules, read_graph

FILE = "resources/micro/corrections.yaml"
REVIEW = ("--", "all", "results/micro/review/problems.html")


def extracted(study, name: str) -> dict:
    path = study.path / "results" / "micro" / "extractions" / f"{name[:4]}.jsonl"
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return next(row for row in rows if row["id"] == name)


def correct(study, *changes: tuple[str, str], **more) -> None:
    """Write the study's corrections: (problem, right answer) each, and name the file."""
    entries = [
        {
            "id": name,
            "field": "answer",
            "was": extracted(study, name)["answer"],
            "value": value,
            "who": "a teacher",
            "when": "2026-11-24",
            "why": "the key is misprinted",
            **more,
        }
        for name, value in changes
    ]
    path = study.path / FILE
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(entries), encoding="utf-8")
    config = study.path / "config.micro.yaml"
    text = config.read_text(encoding="utf-8").replace("corrections: null", f"corrections: {FILE}")
    config.write_text(text, encoding="utf-8")


def test_a_correction_reruns_its_own_year_and_what_lies_below(study):
    jobs = read_graph(study)

    def below(*years: int) -> set[str]:
        return downstream(jobs, {f"correct_problems(year={year})" for year in years})

    correct(study, ("2014-fs-01", "7"))
    assert study.planned() == below(2014)
    correct(study, ("2011-fs-02", "7"), ("2014-fs-01", "7"))
    assert study.planned() == below(2011, 2014)
    correct(study)
    assert study.planned() == set(), "a file without an entry corrects nothing"


def test_a_corrected_number_leads_to_who_corrected_it_and_a_stale_entry_stops_its_year(
    study, monkeypatch
):
    monkeypatch.chdir(study.path)
    correct(study, ("2014-fs-01", "424242"))
    study.snakemake("--", "all", "results/micro/review/problems.html")
    assert verify.verify("micro") == []
    explainer = explain.Explainer("micro")
    chain = explainer.explain("C4:here:held_out")
    stages = {stage.name: stage.entries for stage in chain.stages}
    (entry,) = stages["corrections"]
    assert entry["id"] == "2014-fs-01 answer"
    said = {key: entry[key] for key in ("who", "when", "why", "was", "value", "corrections_file")}
    before = extracted(study, "2014-fs-01")
    assert said == {
        "who": "a teacher", "when": "2026-11-24", "why": "the key is misprinted",
        "was": before["answer"], "value": "424242", "corrections_file": FILE,
    }  # fmt: skip
    (first,) = stages["problems as extracted"]
    assert first["answer"] == before["answer"]
    assert all(item["sha256"] for stage in chain.stages for item in stage.entries)
    assert [stage.name for stage in chain.stages][-5:] == [
        "problems", "corrections", "problems as extracted", "pages", "PDFs",
    ]  # fmt: skip
    assert {item["file"].rpartition("/")[0] for item in stages["PDFs"]} == {"results/micro/exams"}
    assert chain_text.as_text(chain, explainer, most=9).count("a teacher") == 1
    page = chains.as_html(chain, explainer.pictures(chain))
    assert page.count("<img ") == len(stages["pages"])

    correct(study, ("2014-fs-01", "7"), was="something that was once read")
    done = study.snakemake("--keep-going", check=False)
    assert done.returncode
    told = done.stdout + done.stderr
    assert f"{FILE}: 2014-fs-01: answer: was: stale" in told
    assert "make review" in told
    # What helps against a stale entry does not need the corrections to fit.
    assert study.ran(*REVIEW[:1], REVIEW[2]) == {"review_problems"}
    page = (study.path / "results/micro/review/problems.html").read_text(encoding="utf-8")
    assert "Corrections that no longer apply: 1" in page


def test_a_wrong_corrections_file_stops_everything_before_any_job(study):
    correct(study, ("2014-fs-01", "7"), why="")
    done = study.snakemake("-n", check=False)
    assert done.returncode
    told = done.stdout + done.stderr
    assert f"config.micro.yaml: problems.corrections: {FILE}:1: 2014-fs-01: answer: why" in told


@pytest.fixture(scope="module")
def reviewed(finished, tmp_path_factory):
    """The finished study with its review page. Read only."""
    path = tmp_path_factory.mktemp("reviewed") / "repository"
    shutil.copytree(finished.path, path, symlinks=True)
    study = type(finished)(path)
    study.snakemake(*REVIEW)
    return study


@pytest.mark.parametrize(
    "module",
    [
        "distil/review/page.py",
        "distil/review/crops.py",
        "distil/review/corrections.py",
        "distil/exams/drawing.py",
    ],
)
def test_a_module_of_crops_or_review_reruns_its_importers_and_what_lies_below(reviewed, module):
    jobs = read_graph(reviewed)
    assert {"crop_problems", "review_problems"} <= {job.rule for job in jobs.values()}
    path = reviewed.path / module
    text = path.read_text(encoding="utf-8")
    path.write_text(text + "\n_CHANGED = 1\n", encoding="utf-8")
    try:
        direct = of_rules(jobs, importers(module))
        assert reviewed.planned(*REVIEW) == downstream(jobs, direct)
    finally:
        path.write_text(text, encoding="utf-8")


# ---------------------------------------------------------------------------- second readings

PAPER = """
#set page(width: 14cm, height: 20cm, margin: 1.5cm)
#set text(size: 12pt)
1. Find the value of $x^2$ if $x = 5$ and write it \\
#text(size: 6pt)[in digits]

2. Find the sum of the digits of 1234.

#pagebreak()
= Answer Key
1. 25

2. 10
"""


def test_flagged_problems_of_any_pdf_are_read_again_and_the_reading_is_explained(
    tmp_path, monkeypatch
):
    study = copy_repository(tmp_path / "repository")
    monkeypatch.chdir(study.path)
    pdf = typst.compile(PAPER.encode(), ignore_system_fonts=True)
    (study.path / "resources/mine").mkdir()
    papers = []
    for year in (2011, 2012, 2013):
        (study.path / f"resources/mine/{year}.pdf").write_bytes(pdf)
        digest = hashlib.sha256(pdf).hexdigest()
        papers.append({"year": year, "sections": ["fs"], "file": f"{year}.pdf", "sha256": digest})
    (study.path / "resources/mine/exams.yaml").write_text(yaml.safe_dump({"papers": papers}))
    config = yaml.safe_load((study.path / "config.micro.yaml").read_text(encoding="utf-8"))
    config |= {"study": "mine", "benchmarks": ["competition"]}
    config["exams"] = {
        "source": "manifest",
        "manifest": "resources/mine/exams.yaml",
        "years": [2011, 2012, 2013],
        "sections": {"fs": "Freshman-Sophomore"},
    }
    config["folds"] = {"temporal": {"train": [2011], "validation": [2012], "test": [2013]}}
    # What only typeset papers have: a contest of speed, templates and wordings.
    config["claims"] |= {"speed_section": None, "clusters": "text", "strata": None}
    config["teacher"]["money_cap"] = 1.0
    target = "results/mine/problems/2011.jsonl"
    said = "Find the value of $x^2$ if $x = 5$ and write it in digits"
    with serve(lambda prompt, png: said) as (address, asked):
        config["problems"]["vision"] = {
            "host": "sight", "model": MODEL, "max_tokens": 300, "temperature": 0.0,
            "prefer": "reading",
        }  # fmt: skip
        prices = {MODEL: {"input": 1.0, "output": 1.0}}
        config["teacher"]["hosts"]["sight"] = {"base_url": address, "models": prices}
        (study.path / "config.mine.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        ran = study.ran("--", target, config="config.mine.yaml")
        assert ran == {
            "collect_exam(document=2011-fs)", "extract_problems(year=2011)",
            "crop_problems(year=2011)", "read_crops(year=2011)", "correct_problems(year=2011)",
        }  # fmt: skip
        assert len(asked) == 1, "only the flagged problem is asked about"
    one, two = map(json.loads, (study.path / target).read_text(encoding="utf-8").splitlines())
    assert one["flags"] == [], "both readings agree, so the doubt is settled"
    assert one["readings"][0]["lifted"] == ["small"]
    assert "readings" not in two
    chain = explain.Explainer("mine").explain(f"{target}#2011-fs-01")
    stages = {stage.name: stage.entries for stage in chain.stages}
    (reading,) = stages["second readings"]
    assert (reading["agrees"], reading["used"], reading["served_model"]) == (
        True,
        "extraction",
        MODEL,
    )
    assert stages["problems as extracted"][0]["flags"] == ["small"]
    (response,) = stages["stored responses"]
    assert response["response_sha256"] == reading["response_sha256"]
    assert response["file"] == "results/mine/readings/2011/reader_responses.jsonl"
    assert verify.verify("mine") == []
    # Another choice between the two texts asks nobody again.
    config["problems"]["vision"]["prefer"] = "extraction"
    (study.path / "config.mine.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    assert study.planned("--", target, config="config.mine.yaml") == {"correct_problems(year=2011)"}


def test_the_study_file_keeps_problems_out_and_its_corrections_add_and_confirm(study):
    from distil.review.corrections import digest_of

    path = study.path / "results" / "micro" / "extractions" / "2014.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    paper = [row for row in rows if row["section"] == "js"]
    first = next(row for row in rows if row["id"] == "2014-fs-01")
    signed = {"who": "a teacher", "when": "2026-11-24", "why": "compared with the paper"}
    entries = [
        {"defaults": signed},
        {"id": "2014-fs-01", "field": "answer", "was": first["answer_raw"], "value": None},
        {
            "add": "2014-fs-30",
            "page": "1",
            "box": "60, 100, 300, 140",
            "statement": "Find 1 + 1.",
            "answer": "2",
        },
        {"confirm": "2014-js", "was": digest_of(paper)},
    ]
    file = study.path / FILE
    file.parent.mkdir(exist_ok=True)
    file.write_text(yaml.safe_dump(entries), encoding="utf-8")
    config = study.path / "config.micro.yaml"
    text = config.read_text(encoding="utf-8").replace("corrections: null", f"corrections: {FILE}")
    config.write_text(text, encoding="utf-8")
    target = "results/micro/problems/2014.jsonl"
    study.snakemake("--", target, "results/micro/crops/2014.parquet", REVIEW[2])
    made = (study.path / target).read_text(encoding="utf-8").splitlines()
    found = {row["id"]: row for row in map(json.loads, made)}
    assert "2014-fs-01" not in found, "no key, so the study does not take it"
    assert found["2014-fs-30"]["pdf_sha256"] == first["pdf_sha256"]
    assert found["2014-fs-30"]["box"] == [60, 100, 300, 140]
    crops = read_crops(study.path / "results/micro/crops/2014.parquet")
    shown = crops["2014-fs-30", "statement"]
    assert (shown["page"], shown["box"], shown["pdf_sha256"]) == (
        1, [60, 100, 300, 140], first["pdf_sha256"],
    )  # fmt: skip
    page = (study.path / REVIEW[2]).read_text(encoding="utf-8")
    assert 'alt="2014-fs-30 as printed" width=' in page
    assert {found[row["id"]]["corrections"][0]["field"] for row in paper} == {"all"}
    config.write_text(text.replace("refuse: [empty, no_answer]", "refuse: []"), encoding="utf-8")
    study.snakemake("--", target)
    made = (study.path / target).read_text(encoding="utf-8").splitlines()
    assert "2014-fs-01" in {json.loads(line)["id"] for line in made}
