"""Scans of known truth: papers typeset by typst, drawn, turned, blurred and wrapped as pictures."""

from __future__ import annotations

import io
import random
from dataclasses import dataclass, field

import cv2
import numpy as np
import pypdfium2
import typst
from PIL import Image

PAGE = """#set page(paper: "us-letter", margin: (x: 2cm, y: 2cm), columns: {columns})
#set text(font: "{font}", size: {size}pt, lang: "en")
#set par(justify: {justify}, leading: 0.75em, spacing: 1.1em)
#show math.equation: set text(font: "{mathematics}")
#let problem(number, body) = grid(columns: (2.4em, 1fr), number, body)
"""
FONTS = (
    ("Libertinus Serif", "New Computer Modern Math"),
    ("New Computer Modern", "New Computer Modern Math"),
)
STYLES = ("{}.", "{})", "\\#{}", "({})")


@dataclass
class Paper:
    """A typeset paper and its truth.

    Attributes:
        source: typst.
        statements: LaTeX-ish statements by number.
        options: texts of the options by number, where there are some.
        answers: canonical answers by number.
    """

    source: str = ""
    statements: dict[str, str] = field(default_factory=dict)
    options: dict[str, list[str]] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)


def draw_problems(rng: random.Random) -> list[tuple[str, str, list[str], str, str]]:
    """Return (typst, LaTeX, options, answer in typst, answer) of problems of all kinds."""
    n = rng.randint
    a, b, c, d = n(2, 9), n(11, 98), n(2, 7), n(3, 9)
    x, k = rng.choice("xtyz"), rng.choice("kmpw")
    found = [
        (f"Find the value of ${x}^{a} + {c}{x} - {b}$ when ${x} = {d}$.",
         rf"Find the value of {x}^{{{a}}} + {c}{x} - {b} when {x} = {d}.", [],
         str(d**a + c * d - b), str(d**a + c * d - b)),
        (f"If $({x} + {a})/({c} {x} - {b}) = {a}/{b + 2}$, find the value of ${x}$ as a fraction.",
         rf"If \frac{{{x} + {a}}}{{{c}{x} - {b}}} = \frac{{{a}}}{{{b + 2}}}, find the value of {x} as a fraction.",
         [], f"${a}/{b}$", f"{a}/{b}" if np.gcd(a, b) == 1 else ""),
        (f"Write $sqrt({b})$ times $sqrt({a} + {k}^2)$ as one radical.",
         rf"Write \sqrt{{{b}}} times \sqrt{{{a} + {k}^{{2}}}} as one radical.", [],
         f"${a} sqrt({b})$", f"{a}\\sqrt{{{b}}}"),
        (f"The points $({a}, {b})$ and $(-{c}, {d})$ are the ends of a segment. What are the coordinates "
         "of the point that divides it in two equal parts?",
         f"The points ({a}, {b}) and (-{c}, {d}) are the ends of a segment. What are the coordinates of "
         "the point that divides it in two equal parts?", [],
         f"$({a}, {b})$", f"({a}, {b})"),
        (f"A bag holds {b} red marbles and {a} blue marbles. Maria takes one out, notes its colour and "
         "puts it back. She does so twice. What is the probability that both are red?",
         f"A bag holds {b} red marbles and {a} blue marbles. Maria takes one out, notes its colour and "
         "puts it back. She does so twice. What is the probability that both are red?", [],
         str(b * a), str(b * a)),
        (f"How many integers satisfy $-{a} <= {c}{k} + 1 < {b}$?",
         rf"How many integers satisfy -{a} \leq {c}{k} + 1 < {b}?", [], str(n(3, 400)), ""),
        (f"What is {a}% of {b * 10}? Give your answer as a decimal.",
         rf"What is {a}\% of {b * 10}? Give your answer as a decimal.", [],
         f"{a * b / 10:.1f}", f"{a * b / 10:.1f}"),
        (f"The angles of a triangle measure $({x} + {b})degree$, $2 {x} degree$ and ${b}degree$. Compute ${x}$.",
         rf"The angles of a triangle measure ({x} + {b})^{{\circ}}, 2{x}^{{\circ}} and {b}^{{\circ}}. Compute {x}.", [],
         f"{n(10, 90)}", ""),
        (f"Let $f({x}) = {c}{x}^3 - {a}{x}^2 + {d}$. Compute $f(-{d})$.",
         rf"Let f({x}) = {c}{x}^{{3}} - {a}{x}^{{2}} + {d}. Compute f(-{d}).", [],
         f"$-{b}$", f"-{b}"),
        (f"The sequence is given by $a_1 = {a}$ and $a_(n+1) = a_n + {c}$. Find $a_{b}$.",
         rf"The sequence is given by a_{{1}} = {a} and a_{{n+1}} = a_{{n}} + {c}. Find a_{{{b}}}.", [],
         str(a + c * (b - 1)), str(a + c * (b - 1))),
        (f"Simplify $({x}^{a} y^{c})/({x}^{d} y^2)$ and write it without a fraction.",
         rf"Simplify \frac{{{x}^{{{a}}}y^{{{c}}}}}{{{x}^{{{d}}}y^{{2}}}} and write it without a fraction.", [],
         f"${n(2, 99)}$", ""),
        (f"Solve $2^({k} + {a}) = {2 ** (c + a)}$ for ${k}$.",
         rf"Solve 2^{{{k}+{a}}} = {2 ** (c + a)} for {k}.", [], str(c), str(c)),
        (f"Set $A = {{{a}, {b}, {b + a}}}$ and its mean is ${k}$. Find $3{k}$.",
         rf"Set A = \{{{a}, {b}, {b + a}\}} and its mean is {k}. Find 3{k}.", [], str(a + b + b + a), str(a + b + b + a)),
        (f"The circumference of a circle is ${b} pi$ metres. What is its radius?",
         rf"The circumference of a circle is {b}\pi metres. What is its radius?", [],
         f"${b}/2$", f"{b}/2" if b % 2 else ""),
    ]  # fmt: skip
    values = sorted(rng.sample(range(10, 99), 4))
    found.append(
        (f"Which of these numbers is a multiple of {a}?", f"Which of these numbers is a multiple of {a}?",
         [str(v) for v in values], rng.choice("ABCD"), "")
    )  # fmt: skip
    rng.shuffle(found)
    return found


def make_paper(seed: int, *, columns: int = 1, style: int = 0, font: int = 0, size: float = 11,
               key: str = "grid") -> Paper:  # fmt: skip
    """Return a paper.

    Args:
        seed: what its numbers follow from.
        columns: 1 or 2.
        style: index into STYLES, the numbering.
        font: index into FONTS.
        size: of the text, points.
        key: "grid" (an answer sheet in two columns with lines), "list" or "" (none).
    """
    rng = random.Random(seed)
    paper = Paper()
    text, mathematics = FONTS[font]
    lines = [
        PAGE.format(columns=columns, font=text, mathematics=mathematics, size=size,
                    justify=str(columns == 2).lower()),
        f"#align(center)[*Contest of the year {1990 + seed}* \\ Individual Round]",
    ]  # fmt: skip
    cells = []
    drawn = [problem for _ in range(columns) for problem in draw_problems(rng)]
    for place, (source, latex, options, printed, answer) in enumerate(drawn, 1):
        label = STYLES[style].format(place)
        body = source
        if options:
            body += " #v(0.3em) " + " #h(1fr) ".join(
                f"{letter}) {text}" for letter, text in zip("ABCDE", options, strict=False)
            )
            paper.options[str(place)] = options
        lines.append(f"#problem([{label}])[{body}]")
        paper.statements[str(place)] = latex
        paper.answers[str(place)] = answer
        cells.append(printed)
    if key:
        lines.append("#pagebreak()\n#set page(columns: 1)")
        lines.append(
            f"#align(center)[*Contest of the year {1990 + seed}* \\ *Answer Key*]\n#v(1em)"
        )
        if key == "list":
            lines += [f"{place}. {printed}\n" for place, printed in enumerate(cells, 1)]
        else:
            half = (len(cells) + 1) // 2
            blank = '#box(width: 8em, stroke: (bottom: 0.6pt), inset: (bottom: 3pt))[#set text(bottom-edge: "bounds"); #align(center)[{}]]'
            order = [
                i
                for pair in zip(range(half), [*range(half, len(cells)), -1], strict=False)
                for i in pair
            ]
            entries = [f"[*{i + 1}.* {blank.format(cells[i])}]" for i in order if i >= 0]
            lines.append(f"#grid(columns: (1fr, 1fr), row-gutter: 2.2em, {', '.join(entries)})")
    paper.source = "\n\n".join(lines)
    return paper


def typeset(paper: Paper) -> bytes:
    """Return a paper as a PDF with text."""
    return typst.compile(paper.source.encode())


def scan(pdf: bytes, seed: int, *, dpi: int = 300, skew: float = 0.0, blur: float = 0.0,
         noise: float = 0.0, quality: int | None = None, bilevel: bool = False) -> bytes:  # fmt: skip
    """Return a PDF as a scanner would give it: pictures alone.

    Args:
        pdf: with text.
        seed: of the noise.
        dpi: of the pictures.
        skew: degrees by which the pages are turned.
        blur: standard deviation, pixels.
        noise: standard deviation, grey levels; a tenth of it in per mille of pixels are specks.
        quality: of JPEG; None: without loss.
        bilevel: black and white, as fax and old scanners.
    """
    rng = np.random.default_rng(seed)
    document = pypdfium2.PdfDocument(pdf)
    pages = []
    for page in document:
        grey = page.render(scale=dpi / 72, grayscale=True).to_numpy()
        grey = np.array(grey.reshape(grey.shape[0], grey.shape[1]))
        height, width = grey.shape
        if skew:
            matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -skew, 1.0)
            grey = cv2.warpAffine(grey, matrix, (width, height), borderValue=255)
        if blur:
            grey = cv2.GaussianBlur(grey, (0, 0), blur)
        if noise:
            grey = grey + rng.normal(0, noise, grey.shape)
            specks = rng.random(grey.shape) < noise * 1e-6
            grey[cv2.dilate(specks.astype(np.uint8), np.ones((2, 2), np.uint8)) > 0] = 40
            grey = np.clip(grey, 0, 255).astype(np.uint8)
        if quality is not None:
            _, packed = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, quality])
            grey = cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE)
        if bilevel:
            grey = np.where(grey < 160, 0, 255).astype(np.uint8)
        pages.append(Image.fromarray(grey))
    document.close()
    stream = io.BytesIO()
    pages[0].save(stream, "PDF", save_all=True, append_images=pages[1:], resolution=dpi)
    return stream.getvalue()
