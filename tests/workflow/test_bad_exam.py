"""One exam that cannot be read stops what depends on it, and nothing else."""

from __future__ import annotations

from tests.workflow.checkout import copy_repository

YEARS = (2011, 2012, 2013, 2014)


def test_the_other_years_are_read_and_the_bad_exam_is_named_with_a_remedy(tmp_path):
    checkout = copy_repository(tmp_path / "repository")
    targets = [f"results/micro/problems/{year}.jsonl" for year in YEARS]
    bad = "results/micro/exams/2012-js.pdf"
    checkout.snakemake("--nocolor", bad)
    (checkout.path / bad).chmod(0o644)
    (checkout.path / bad).write_text("<html>404 not found</html>")
    done = checkout.snakemake("--keep-going", "--nocolor", *targets, check=False)
    assert done.returncode != 0
    told = next(line for line in done.stderr.splitlines() if "HTML" in line)
    assert bad in told
    assert "download the PDF itself" in told
    assert [(checkout.path / name).exists() for name in targets] == [True, False, True, True]
