"""Random mathematics typeset by typst (and by LaTeX, where it is installed) comes back equal."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
import typst
from expressions import expressions, squeeze
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from distil.exams.extraction import extract

BATCH = 20
# A failing batch is not shrunk: the list of wrong expressions says enough.
COMMON = settings(
    deadline=None,
    database=None,
    derandomize=not os.environ.get("DISTIL_TORTURE"),
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
EXAMPLES = 40 if os.environ.get("DISTIL_TORTURE") else 6


# Of what three levels of nesting can give, this share may come back otherwise. Known to: a product
# with limits inside the denominator of a fraction that is itself a denominator. The share is the
# same in every run, since the examples depend on which modules are loaded beside this one.
SLACK = 0.01


def wrong(rows, batch):
    got = {row["number"]: row["statement"] for row in rows}
    return [
        (expected, got.get(str(number)))
        for number, (_, _, expected) in enumerate(batch, 1)
        if squeeze(got.get(str(number), "missing")) != squeeze(f"Find {expected} now.")
    ]


@pytest.mark.parametrize("display", [False, True], ids=["inline", "display"])
def test_expressions_typeset_by_typst_come_back_equal(tmp_path, display):
    quote = "$ " if display else "$"
    missed = []

    @settings(COMMON, max_examples=EXAMPLES)
    @given(st.lists(expressions, min_size=BATCH, max_size=BATCH), st.integers(9, 14))
    def check(batch, size):
        lines = [
            f"#block[{number}. Find {quote}{source}{quote[::-1]} now.]"
            for number, (source, _, _) in enumerate(batch, 1)
        ]
        head = f'#set text(font: "New Computer Modern", size: {size}pt)\n'
        path = tmp_path / "paper.pdf"
        path.write_bytes(
            typst.compile((head + "\n\n".join(lines)).encode(), ignore_system_fonts=True)
        )
        missed.extend(wrong(extract(path), batch))

    check()
    assert len(missed) <= SLACK * EXAMPLES * BATCH, missed


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="pdflatex is not installed")
@pytest.mark.parametrize(
    ("packages", "font"),
    [
        ("", "cmr10.pfb"),
        (r"\usepackage[T1]{fontenc}", "sfrm1000.pfb"),
        (r"\usepackage{mathptmx}", "utmr8a.pfb"),
    ],
)
def test_expressions_typeset_by_latex_come_back_equal(tmp_path, packages, font):
    found = subprocess.run(["kpsewhich", font], check=False, stdout=subprocess.DEVNULL)
    if found.returncode:
        # TeX then sets bitmaps made on the spot, and names too few of them on such pages.
        pytest.skip(f"this TeX has no {font}")
    missed = []

    @settings(COMMON, max_examples=max(2, EXAMPLES // 3))
    @given(st.lists(expressions, min_size=BATCH, max_size=BATCH), st.booleans())
    def check(batch, display):
        opening, closing = (r"\[", r"\]") if display else ("$", "$")
        items = "\n".join(rf"\item Find {opening}{tex}{closing} now." for _, tex, _ in batch)
        source = (
            rf"\documentclass{{article}}\usepackage{{amsmath,amssymb}}{packages}"
            rf"\begin{{document}}\begin{{enumerate}}{items}\end{{enumerate}}\end{{document}}"
        )
        (tmp_path / "paper.tex").write_text(source)
        subprocess.run(
            ["pdflatex", "-interaction=batchmode", "paper.tex"],
            cwd=tmp_path, check=False, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        missed.extend(wrong(extract(tmp_path / "paper.pdf"), batch))

    check()
    assert len(missed) <= SLACK * EXAMPLES * BATCH, missed
