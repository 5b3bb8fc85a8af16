"""A packed study opens on another machine, where nothing reruns and verify holds."""

from __future__ import annotations

import tarfile

import pytest

from distil.audit import packs, verify
from tests.workflow.checkout import copy_repository


def test_an_unpacked_study_has_nothing_to_do_and_verifies(finished, tmp_path, monkeypatch):
    monkeypatch.chdir(finished.path)
    packed = packs.pack("micro", tmp_path / "study.tar.gz")
    other = copy_repository(tmp_path / "other")
    monkeypatch.chdir(other.path)
    assert packs.unpack(tmp_path / "study.tar.gz") == packed
    assert other.planned() == set()
    assert verify.verify("micro") == []
    assert verify.anchor("micro") == packed["anchor"]
    with pytest.raises(packs.PackError, match="here already"):
        packs.unpack(tmp_path / "study.tar.gz")


def test_a_damaged_or_foreign_pack_is_refused_and_writes_nothing(finished, tmp_path, monkeypatch):
    monkeypatch.chdir(finished.path)
    whole = tmp_path / "study.tar.gz"
    packs.pack("micro", whole)
    monkeypatch.chdir(tmp_path)
    cut = tmp_path / "cut.tar.gz"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    foreign = tmp_path / "foreign.tar.gz"
    with tarfile.open(foreign, "w:gz") as tar:
        tar.add(whole, arcname="whatever")
    for path in (cut, foreign, tmp_path / "nothing.tar.gz"):
        with pytest.raises(packs.PackError, match=str(path)):
            packs.unpack(path)
    assert not (tmp_path / "results").exists()
