"""The small rehearsal of the paper study: every rule on real papers, with a replaying teacher."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.programs import needs_tesseract
from tests.workflow.checkout import ROOT, copy_repository

DATA = ROOT.parent / "shared" / "data"
RELEASE, MATH = DATA / "jobmc-release", DATA / "math500/test.jsonl"
HERE = {"DISTIL_TERMINAL": "snakemake"}

pytestmark = [
    pytest.mark.skipif(
        not (RELEASE.is_dir() and MATH.is_file()),
        reason="../shared/data holds no download of the public release, or no MATH-500",
    ),
    needs_tesseract,  # one of its papers is a scan
]


def rehearse(folder, *arguments):
    """Run the rehearsal in a checkout; return the exit code and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.rehearsal", "--small", "--release", str(RELEASE),
         "--math500", str(MATH), *arguments],
        cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, **HERE, "PYTHONPATH": str(folder)},
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_a_fresh_checkout_ends_with_its_claims_and_nothing_differs(tmp_path):
    """Four years of real papers, one of which begins with a team event, and 60 of MATH-500."""
    study = copy_repository(tmp_path / "repository").path
    code, said = rehearse(study)
    assert code == 0, said[-6000:]
    assert "Claims: REHEARSAL: " in said
    assert "of the published 651 are in the study" in said
    assert " 0 differ" in said
    # The comparisons themselves can fail: a problem that moved to another section is seen.
    path = study / "results/rehearsal/problems/2024.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    rows[0]["extracted_id"] = rows[0]["extracted_id"].replace("-fs-", "-js-")
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    code, said = rehearse(study, "--check")
    assert code == 1
    assert "differs: problems that stand in another section than typed" in said
