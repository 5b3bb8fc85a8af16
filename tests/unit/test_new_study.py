"""A folder of PDFs becomes a study with one command."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest
import yaml

from distil.study import config as configuration
from distil.study import new as new_study

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A folder with what a study file names, as the working folder."""
    top = tmp_path / "repository"
    top.mkdir()
    for path in ROOT.glob("config*.yaml"):
        shutil.copy(path, top)
    for name in ("prompts", "student"):
        shutil.copytree(ROOT / "resources" / name, top / "resources" / name)
    monkeypatch.chdir(top)
    return top


def papers(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_bytes(b"%PDF-1.4 " + name.encode())
    return folder


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("2014 FR-SO Exam", (2014, "fs", False)),
        ("Fresh-soph-test2011", (2011, "fs", False)),
        ("2012 Two-Person", (2012, "tp", False)),
        ("jr-senior-test2011", (2011, "js", False)),
        ("2019 Exams and Solutions", (2019, None, True)),
        ("algebra_2016_key", (2016, "algebra", True)),
        ("paper", (None, None, False)),
        ("round1-2023", (2023, "round1", False)),
        ("round2 2023 key", (2023, "round2", True)),
        ("Contest 10 2023", (2023, "contest10", False)),
        ("2023_contest_12A", (2023, "contest12a", False)),
        ("AMC 10A 2021", (2021, "amc10a", False)),
        ("2016 (1)", (2016, None, False)),
    ],
)
def test_year_section_and_key_are_read_from_file_names(stem, expected):
    assert new_study.read_name(stem) == expected


def test_a_folder_becomes_manifest_and_study_and_nothing_is_overwritten(repository):
    names = ("fs-2014.pdf", "fs-2014-key.pdf", "fs-2015.pdf", "fs-2016.pdf", "nameless.pdf")
    pdfs = papers(repository.parent / "pdfs", *names)
    told = new_study.make_study("mine", pdfs)
    assert "nameless.pdf: no year" in told
    assert "2014 fs: fs-2014.pdf, its key: fs-2014-key.pdf" in told
    assert "--cores 1 results/mine/problems/2014.jsonl --configfile config.mine.yaml" in told
    assert "\n  .venv/bin/distil check mine " in told
    manifest = yaml.safe_load((repository / "resources/mine/exams.yaml").read_text())
    assert [paper["year"] for paper in manifest["papers"]] == [2014, 2015, 2016]
    first = manifest["papers"][0]
    assert first["sha256"] == hashlib.sha256((pdfs / "fs-2014.pdf").read_bytes()).hexdigest()
    assert first["key"]["file"] == "fs-2014-key.pdf"
    config = yaml.safe_load((repository / "config.mine.yaml").read_text())
    assert config["folds"]["temporal"] == {"train": [2014], "validation": [2015], "test": [2016]}
    with pytest.raises(FileExistsError, match=r"exams.yaml is there already"):
        new_study.make_study("mine", pdfs)


@pytest.mark.parametrize("like", ["config.yaml", "config.micro.yaml", "config.paper.yaml"])
def test_the_study_file_is_complete_and_keeps_the_comments_of_the_one_it_starts_from(
    repository, like
):
    pdfs = papers(repository / "pdfs", *(f"exam {year}.pdf" for year in range(2011, 2026)))
    new_study.make_study("mine", pdfs, Path(like))
    text = (repository / "config.mine.yaml").read_text(encoding="utf-8")
    config, faults = configuration.read_yaml(repository / "config.mine.yaml")
    assert faults == []
    original = yaml.safe_load((repository / like).read_text(encoding="utf-8"))
    for key in ("levels", "prompts", "teacher", "datasets", "student", "predictions"):
        assert config[key] == original[key]
    # Papers without a speed event have no claim C8; only typeset exams know template and wording.
    changed = {"speed_section": None, "clusters": "text", "strata": None}
    assert config["claims"] == {**original["claims"], **changed}
    assert config["page"] == {"include_statements": False}, "the exams are of others"
    assert "sample study" not in text.lower()
    comments = [line.partition("#")[2] for line in (repository / like).read_text().splitlines()]
    assert all(comment in text for comment in comments[-12:])
    if like == "config.paper.yaml":
        with pytest.raises(configuration.ConfigError) as refused:
            configuration.check(["config.mine.yaml"], config)
        assert len(refused.value.faults) == 1, "nothing is missing but the student to bring"
        configuration.check(["config.mine.yaml"], config, student=False)
    else:
        configuration.check(["config.mine.yaml"], config)


def test_a_folder_inside_the_repository_is_named_relative_and_any_other_in_full(repository):
    inside = papers(repository / "resources/mine/pdfs", *(f"{y}.pdf" for y in (2014, 2015, 2016)))
    manifest, _ = new_study.make_manifest(inside, Path("resources/mine"))
    assert manifest["folder"] == "pdfs"
    outside = papers(repository.parent / "else", *(f"{y}.pdf" for y in (2014, 2015, 2016)))
    manifest, _ = new_study.make_manifest(outside, Path("resources/mine"))
    assert manifest["folder"] == outside.as_posix()


def test_one_test_a_year_is_one_section_however_its_files_are_named(repository):
    names = (
        "Spring contest 2014.pdf", "contest2015.pdf", "contest2015 answers.pdf", "c-2016.pdf",
        "c-2016-corrigé.pdf",
    )  # fmt: skip
    manifest, _ = new_study.make_manifest(papers(repository / "pdfs", *names), Path("resources"))
    assert {tuple(paper["sections"]) for paper in manifest["papers"]} == {("all",)}
    keys = [paper.get("key", {}).get("file") for paper in manifest["papers"]]
    assert keys == [None, "contest2015 answers.pdf", "c-2016-corrigé.pdf"]
    two = papers(repository / "two", "fs 2014.pdf", "js 2014.pdf", "fs 2015.pdf", "js 2016.pdf")
    manifest, _ = new_study.make_manifest(two, Path("resources"))
    assert {paper["sections"][0] for paper in manifest["papers"]} == {"fs", "js"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["mine", "pdfs"], "needs three"),
        (["Mine", "pdfs"], "a to z"),
        (["mine", "nowhere"], "no such folder"),
        (["mine", "pdfs", "nothing.yaml"], "no such study file"),
        (["sample", "pdfs"], "config.yaml is a study of that name"),
    ],
)
def test_what_cannot_become_a_study_is_refused_and_leaves_nothing(repository, arguments, told):
    papers(repository / "pdfs", "2014.pdf", "2015.pdf")
    before = sorted(repository.rglob("*"))
    with pytest.raises((ValueError, FileExistsError), match=told):
        new_study.make_study(arguments[0], *map(Path, arguments[1:]))
    assert sorted(repository.rglob("*")) == before
