"""Addresses: whatever is formatted is parsed back, and every declared output is of a known kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from distil.audit import planned
from distil.content.addresses import FILES, file_path, parse_file, parse_row, row_id


@pytest.mark.parametrize("config", ["config.micro.yaml", "config.yaml"])
def test_every_declared_output_of_a_study_has_a_kind_and_comes_back_from_its_fields(config):
    outputs = [p for job in planned.expected_jobs([Path(config)]) for p in job.outputs]
    assert len(outputs) > 100
    for path in outputs:
        kind, fields = parse_file(path)
        assert kind in FILES
        study = fields.pop("study")
        assert file_path(study, kind, **fields).as_posix() == path


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("temporal/prompt/seed-0#2014-fs-07.R1.nested", "answer"),
        ("base#transfer-003.R1", "answer"),
        ("curve/temporal/prompt/seed-0/60", "curve"),
        ("stop/temporal/r1", "stop"),
        ("part/temporal/prompt/2014-fs-07", "part"),
        ("published/C4", "published"),
        ("loss/validation/200", "loss"),
        ("line/full/train/12", "line"),
        ("accuracy/R1/evaluated/overall/all", "count"),
    ],
)
def test_a_row_id_comes_back_from_its_kind_and_fields(text, kind):
    parsed = parse_row(text)
    assert parsed.kind == kind
    assert row_id(kind, **parsed.fields) == text


@pytest.mark.parametrize("text", ["", "nothing", "curve/temporal", "stop/a/b/c"])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(ValueError, match="no kind"):
        parse_row(text)


def test_a_file_that_no_rule_declares_is_refused():
    with pytest.raises(ValueError, match="no kind"):
        parse_file("results/micro/tables/deep/levels.csv")
    with pytest.raises(ValueError, match="no path below"):
        parse_file("resources/published.yaml")
