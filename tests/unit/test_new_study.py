"""A folder of PDFs becomes a study with one command."""

from __future__ import annotations

import hashlib

import pytest
import yaml

from distil import new_study


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
    ],
)
def test_year_section_and_key_are_read_from_file_names(stem, expected):
    assert new_study.read_name(stem) == expected


def test_a_folder_becomes_manifest_and_study_and_nothing_is_overwritten(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    pdfs = tmp_path / "pdfs"
    pdfs.mkdir()
    for name in ("fs-2014.pdf", "fs-2014-key.pdf", "fs-2015.pdf", "fs-2016.pdf", "nameless.pdf"):
        (pdfs / name).write_bytes(b"%PDF-1.4 " + name.encode())
    assert new_study.main(["mine", str(pdfs)]) == 0
    assert "nameless.pdf: no year" in capsys.readouterr().out
    manifest = yaml.safe_load((tmp_path / "resources/mine/exams.yaml").read_text())
    assert [paper["year"] for paper in manifest["papers"]] == [2014, 2015, 2016]
    first = manifest["papers"][0]
    assert first["sha256"] == hashlib.sha256((pdfs / "fs-2014.pdf").read_bytes()).hexdigest()
    assert first["key"]["file"] == "fs-2014-key.pdf"
    config = yaml.safe_load((tmp_path / "config.mine.yaml").read_text())
    assert config["folds"]["temporal"] == {"train": [2014], "validation": [2015], "test": [2016]}
    assert new_study.main(["mine", str(pdfs)]) == 1
    assert "exams.yaml" in capsys.readouterr().err


def test_two_years_are_too_few_and_said_to_be(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for year in (2014, 2015):
        (tmp_path / f"{year}.pdf").write_bytes(b"%PDF-1.4")
    assert new_study.main(["mine", str(tmp_path)]) == 1
    assert "needs three" in capsys.readouterr().err
