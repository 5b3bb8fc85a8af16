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
# with limits inside the denominator of a fraction that is itself a denominator, and limits of a line
# that touches the next. Measured over 3,300 different expressions: .005 in lines, .003 displayed.
SLACK = 0.01


# No two statements end alike: what stands at the same place of two pages is a running head.
ENDS = [f"{word} {time}" for time in ("now", "then", "today", "anew") for word in ("just", "for", "as",
        "right", "here")]  # fmt: skip


def most_missed(asked):
    """Three standard deviations above the slack; one expression may be drawn many times."""
    return SLACK * len(asked) + 3 * (SLACK * len(asked)) ** 0.5


def wrong(rows, batch):
    got = {row["number"]: row["statement"] for row in rows}
    return [
        expected
        for number, (_, _, expected) in enumerate(batch, 1)
        if squeeze(got.get(str(number), "missing"))
        != squeeze(f"Find {expected} {ENDS[number - 1]}.")
    ]


@pytest.mark.parametrize("display", [False, True], ids=["inline", "display"])
def test_expressions_typeset_by_typst_come_back_equal(tmp_path, display):
    quote = "$ " if display else "$"
    missed, asked = [], set()

    @settings(COMMON, max_examples=EXAMPLES)
    @given(st.lists(expressions, min_size=BATCH, max_size=BATCH), st.integers(9, 14))
    def check(batch, size):
        lines = [
            f"#block[{number}. Find {quote}{source}{quote[::-1]} {ENDS[number - 1]}.]"
            for number, (source, _, _) in enumerate(batch, 1)
        ]
        head = f'#set text(font: "New Computer Modern", size: {size}pt)\n'
        path = tmp_path / "paper.pdf"
        path.write_bytes(
            typst.compile((head + "\n\n".join(lines)).encode(), ignore_system_fonts=True)
        )
        missed.extend(wrong(extract(path), batch))
        asked.update(expected for _, _, expected in batch)

    check()
    assert len(set(missed)) <= most_missed(asked), missed


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
    missed, asked = [], set()

    @settings(COMMON, max_examples=max(2, EXAMPLES // 3))
    @given(st.lists(expressions, min_size=BATCH, max_size=BATCH), st.booleans())
    def check(batch, display):
        opening, closing = (r"\[", r"\]") if display else ("$", "$")
        items = "\n".join(
            rf"\item Find {opening}{tex}{closing} {end}."
            for (_, tex, _), end in zip(batch, ENDS, strict=True)
        )
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
        asked.update(expected for _, _, expected in batch)

    check()
    assert len(set(missed)) <= most_missed(asked), missed
