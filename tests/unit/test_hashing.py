import os
import time

import pytest
from snakemake.iocontainers import InputFiles

from distil.audit.files import Files
from distil.content import hashing
from distil.lineage import record
from distil.student import model
from distil.study.snakemake_patches import HASHES


@pytest.fixture
def read(tmp_path, monkeypatch):
    """The names of the files that are read to be hashed; every file is large and settled."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hashing, "LARGE", 5)
    monkeypatch.setattr(hashing, "SETTLED", 0)
    names, real = [], hashing.sha256_file
    monkeypatch.setattr(hashing, "sha256_file", lambda path: names.append(path.name) or real(path))
    return names


def test_a_model_is_read_once_as_long_as_it_stays_as_it_is(tmp_path, read):
    folder = tmp_path / "student"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    model.lock_model(folder)
    for _ in range(3):
        model.check_model(folder)
    assert read.count("model.safetensors") == 1
    (folder / "model.safetensors").write_bytes(b"weighty")
    for _ in range(2):
        with pytest.raises(ValueError, match=r"model\.safetensors: not the file that"):
            model.check_model(folder)
    assert read.count("model.safetensors") == 2


def test_an_adapter_is_read_once_by_the_jobs_that_name_it_in_their_records(tmp_path, read):
    adapter = tmp_path / "00100.safetensors"
    adapter.write_bytes(b"matrices")
    named = InputFiles(fromdict={"adapter": str(adapter)})
    files = record._files(named)
    assert files == record._files(named)
    assert hashing.sha256_once(adapter) == files[0]["sha256"] == hashing.sha256_text("matrices")
    assert read == ["00100.safetensors"]


def test_a_file_that_was_just_written_is_not_taken_for_settled(tmp_path, read, monkeypatch):
    monkeypatch.setattr(hashing, "SETTLED", 60)
    adapter = tmp_path / "00100.safetensors"
    for data in (b"matrices", b"mattress"):
        adapter.write_bytes(data)
        assert hashing.sha256_once(adapter) == hashing.sha256_bytes(data)


def test_a_file_with_its_old_size_and_time_is_read_anew(tmp_path, read):
    adapter = tmp_path / "00100.safetensors"
    adapter.write_bytes(b"matrices")
    state = adapter.stat()
    hashing.sha256_once(adapter)
    time.sleep(0.02)  # two ticks of the clock of the file system
    adapter.write_bytes(b"mattress")
    os.utime(adapter, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert hashing.sha256_once(adapter) == hashing.sha256_text("mattress")


def test_a_small_or_unreadable_store_only_costs_time(tmp_path, read):
    adapter = tmp_path / "00100.safetensors"
    adapter.write_bytes(b"matrices")
    hashing.KNOWN.parent.mkdir()
    hashing.KNOWN.write_bytes(b"{")
    assert hashing.sha256_once(adapter) == hashing.sha256_once(adapter)
    assert read == ["00100.safetensors"]
    (tmp_path / "small").write_bytes(b"1")
    assert hashing.sha256_once("small") == hashing.sha256_text("1")


def test_what_jobs_have_hashed_outlasts_the_run_that_started_them(tmp_path, read):
    adapter = tmp_path / "00100.safetensors"
    adapter.write_bytes(b"matrices")
    main = Files(HASHES)
    assert hashing.sha256_once(adapter) == main.sha256("00100.safetensors")
    main.save()
    hashing.sha256_once(adapter)
    assert read == ["00100.safetensors"]
