r"""Exam papers made for the benchmark: real problems, many layouts, known truth.

The problems are those of `../shared/data/math500` (LaTeX source by people); every other one is held
out, so that a change tried on one half can be scored once on the other. `STYLES` names the layouts:
document class, fonts, numbering, options, figures and kind of key. LaTeX layouts need a TeX system,
office layouts LibreOffice and pandoc 3, typst layouts pandoc 3, printed layouts pandoc 3 and the
tool that prints; what is absent is left out and said. `layouts.py` reads the papers and scores.

`canonical.canonical` turns LaTeX source into what extraction writes, which makes the truth.
"""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from canonical import UnknownError, canonical

ROOT = Path(__file__).resolve().parents[1]
MATH = ROOT.parent / "shared" / "data" / "math500" / "test.jsonl"


@dataclass(slots=True)
class Problem:
    """A problem as typeset: LaTeX source of statement, options and answer."""

    statement: str
    answer: str
    options: list[str] = field(default_factory=list)
    figure: str = ""
    section: int = 0
    number: int = 0


# ------------------------------------------------------------------------------ the problems


def bank(held_out: bool) -> list[Problem]:
    """Return the problems of one half that `canonical` understands."""
    problems = []
    for place, line in enumerate(MATH.read_text("utf-8").splitlines()):
        if place % 2 != held_out:
            continue
        row = json.loads(line)
        try:
            canonical(row["problem"])
            canonical(row["answer"])
        except UnknownError:
            continue
        if re.search(r"\\text(?:bf)?\{\([A-E]\)", row["problem"] + row["answer"]):
            continue  # it has options of its own
        problems.append(Problem(tidy(row["problem"]), row["answer"]))
    return problems


def tidy(latex: str) -> str:
    """Return a statement as one paragraph."""
    latex = latex.replace(r"\bold{", r"\mathbf{")
    return re.sub(r"\n\s*\n", " ", latex).strip()


FIGURES = (
    r"\begin{tikzpicture}[scale=.8]\draw (0,0)--(3,0)--(1,2)--cycle;\node[left] at (0,0){$A$};"
    r"\node[right] at (3,0){$B$};\node[above] at (1,2){$C$};\end{tikzpicture}",
    r"\begin{tikzpicture}[scale=.8]\draw (0,0) circle (1.4);\draw (0,0)--(1.4,0);"
    r"\node[above] at (.7,0){$r$};\fill (0,0) circle (1.5pt);\end{tikzpicture}",
    r"\begin{tikzpicture}[scale=.7]\draw[->] (-1,0)--(4,0) node[right]{$x$};"
    r"\draw[->] (0,-1)--(0,3) node[above]{$y$};\draw[domain=0:3] plot (\x,{0.3*\x*\x});"
    r"\foreach \i in {1,2,3} \node[below] at (\i,0) {\i};\end{tikzpicture}",
    r"\begin{tikzpicture}[scale=.6]\draw (0,0) grid (4,3);\node at (.5,.5){$1$};"
    r"\node at (2.5,1.5){$x$};\end{tikzpicture}",
    r"\begin{tikzpicture}[scale=.8]\draw (0,0) rectangle (4,2);\draw (2,0)--(2,2);"
    r"\node[below] at (2,0){12};\node[left] at (0,1){5};\end{tikzpicture}",
)


def with_options(problem: Problem, others: list[Problem], dice: random.Random) -> Problem:
    """Return a problem with five options, its own answer among them; the answer is the letter."""
    pool = [
        other.answer
        for other in others
        if len(other.answer) < 28 and not re.search(r"[%$]|\text\{\(", other.answer)
    ]
    chosen = dice.sample([a for a in pool if a != problem.answer], 4)
    place = dice.randrange(5)
    chosen.insert(place, problem.answer)
    return Problem(problem.statement, "ABCDE"[place], chosen)


def draw(style: dict, problems: list[Problem], seed: int, count: int) -> list[Problem]:
    """Return the problems of a paper, numbered."""
    dice = random.Random(seed)  # noqa: S311
    chosen = dice.sample(problems, count)
    out = []
    for place, problem in enumerate(chosen):
        sections = style.get("sections", 1)
        size = -(-count // sections)
        made = Problem(problem.statement, problem.answer)
        short = len(problem.answer) < 28 and not re.search("[%$]", problem.answer)
        if style.get("options") and short and len(problem.statement) < 500:
            made = with_options(problem, problems, dice)
        if style.get("figures") and place % 6 == 2:
            made.figure = FIGURES[(place // 6 + seed) % len(FIGURES)]
        made.section, made.number = divmod(place, size)
        made.number += 1
        out.append(made)
    return out


# ------------------------------------------------------------------------------ LaTeX

COMMON = r"\usepackage{amsmath,amssymb,enumitem,multicol,tikz,graphicx}"
CM = ""
LM = r"\usepackage[T1]{fontenc}\usepackage{lmodern}"
CMSUPER = r"\usepackage[T1]{fontenc}"
TIMES = r"\usepackage[T1]{fontenc}\usepackage{mathptmx}"
NEWTX = r"\usepackage[T1]{fontenc}\usepackage{newtxtext}"
NEWTX_MATH = r"\usepackage{newtxmath}"
PALATINO = r"\usepackage[T1]{fontenc}\usepackage{mathpazo}"

# Keys: class, fonts (before amsmath), after (after amsmath), engine, number (an enumitem label, or
# "exam", "heading", "manual:FORMAT"), options, figures, sections, key, twocolumn, multicols, cover.
STYLES: dict[str, dict] = {
    "article-cm": {"class": r"\documentclass[11pt]{article}", "number": r"\arabic*.", "key": "page",
                   "figures": True},
    "article-lm-paren": {"class": r"\documentclass[12pt]{article}", "fonts": LM,
                         "number": r"(\arabic*)", "key": "file"},
    "times-problem": {"class": r"\documentclass[12pt,a4paper]{article}", "fonts": TIMES,
                      "number": r"\textbf{Problem \arabic*.}", "key": "boxed", "wide": True},
    "newtx-hash": {"class": r"\documentclass[11pt]{article}", "fonts": NEWTX, "after": NEWTX_MATH,
                   "number": r"\#\arabic*", "key": "table"},
    "palatino-question": {"class": r"\documentclass[11pt,a4paper]{article}", "fonts": PALATINO,
                          "number": r"Question \arabic*:", "key": "inline", "wide": True},
    "exam-choices": {"class": r"\documentclass[11pt,addpoints]{exam}", "number": "exam",
                     "options": "choices", "key": "page", "figures": True},
    "exam-onepar": {"class": r"\documentclass[12pt]{exam}", "fonts": LM, "number": "exam",
                    "options": "onepar", "key": "none"},
    "multicols": {"class": r"\documentclass[10pt]{article}", "number": r"\arabic*.",
                  "multicols": True, "key": "multicol"},
    "twocolumn": {"class": r"\documentclass[10pt,twocolumn]{article}", "fonts": CMSUPER,
                  "number": r"\arabic*)", "key": "page"},
    "amc-line": {"class": r"\documentclass[11pt]{article}", "number": r"\textbf{\arabic*.}",
                 "options": "line", "key": "table", "cover": True},
    "sections": {"class": r"\documentclass[11pt]{article}", "number": r"\arabic*.", "sections": 2,
                 "key": "page"},
    "heading": {"class": r"\documentclass[11pt]{article}", "fonts": LM, "number": "heading",
                "key": "none", "figures": True},
    "manual-points": {"class": r"\documentclass[11pt]{article}", "number":
                      r"manual:\textbf{%d.} [\textbf{5}]", "key": "page"},
    "options-list": {"class": r"\documentclass[11pt]{amsart}", "number": r"\arabic*.",
                     "options": "list", "key": "page"},
    "options-tasks": {"class": r"\documentclass[11pt]{scrartcl}", "fonts": LM,
                      "number": r"\arabic*.", "options": "tasks", "key": "page"},
    "xelatex-lm": {"class": r"\documentclass[11pt]{article}", "engine": "xelatex", "after":
                   r"\usepackage{unicode-math}", "number": r"\arabic*.", "key": "page"},
    "lualatex-stix": {"class": r"\documentclass[11pt]{article}", "engine": "lualatex", "after":
                      r"\usepackage{unicode-math}\setmainfont{STIXTwoText-Regular.otf}"
                      r"\setmathfont{STIXTwoMath-Regular.otf}", "number": r"\arabic*.",
                      "key": "page"},
    "kpfonts": {"class": r"\documentclass[11pt]{article}", "fonts":
                r"\usepackage[T1]{fontenc}\usepackage{kpfonts}", "number": r"\arabic*.",
                "key": "inline"},
    "fourier-list": {"class": r"\documentclass[11pt]{article}", "fonts":
                     r"\usepackage[T1]{fontenc}\usepackage{fourier}", "number": r"\arabic*.",
                     "key": "page"},
    "multicols-times": {"class": r"\documentclass[11pt,a4paper]{article}", "fonts": TIMES,
                        "number": r"(\arabic*)", "multicols": True, "options": "list",
                        "key": "page"},
    "multicols-a4": {"class": r"\documentclass[11pt,a4paper]{article}", "fonts": TIMES,
                     "number": r"\arabic*.", "multicols": True, "options": "onerow",
                     "key": "page"},
    "multicols-row": {"class": r"\documentclass[10pt]{article}", "fonts": NEWTX, "after":
                      NEWTX_MATH, "number": r"\arabic*.", "multicols": True, "options": "onerow",
                      "key": "table", "figures": True},
    "report-sections": {"class": r"\documentclass[11pt]{report}", "fonts": CMSUPER, "number":
                        r"\textbf{(\arabic*)}", "sections": 2, "key": "multicol"},
    "book-tight": {"class": r"\documentclass[10pt,twoside]{book}", "fonts": LM, "number":
                   r"\arabic*.", "options": "onerow", "key": "inline", "tight": True},
    "beamerish-sans": {"class": r"\documentclass[12pt]{article}", "fonts": LM, "after":
                       r"\renewcommand{\familydefault}{\sfdefault}", "number": r"Problem \arabic*",
                       "key": "boxed", "wide": True, "figures": True},
    "euler": {"class": r"\documentclass[11pt]{article}", "fonts": LM, "after":
              r"\usepackage{eulervm}", "number": r"\arabic*.", "key": "none"},
    # Never looked at line by line: these are only scored.
    "held-fourier": {"class": r"\documentclass[11pt,a4paper]{article}", "fonts":
                     r"\usepackage[T1]{fontenc}\usepackage{fourier}", "number": r"\arabic*.",
                     "key": "page", "held": True, "figures": True},
    "held-memoir": {"class": r"\documentclass[11pt]{memoir}", "number": r"Q\arabic*.",
                    "options": "list", "key": "inline", "held": True},
    "held-report": {"class": r"\documentclass[12pt]{report}", "fonts": CMSUPER,
                    "number": r"\textbf{(\arabic*)}", "sections": 2, "key": "multicol",
                    "held": True},
    "held-libertine": {"class": r"\documentclass[11pt]{article}", "fonts":
                       r"\usepackage[T1]{fontenc}\usepackage{libertine}", "after":
                       r"\usepackage[libertine]{newtxmath}", "number": r"\arabic*)",
                       "options": "line", "key": "file", "held": True},
    "held-multicols": {"class": r"\documentclass[11pt,a4paper]{article}", "fonts": TIMES,
                       "number": r"\arabic*.", "multicols": True, "options": "onerow",
                       "key": "page", "held": True},
    "held-exam": {"class": r"\documentclass[10pt]{exam}", "fonts": NEWTX, "after": NEWTX_MATH,
                  "number": "exam", "options": "choices", "key": "file", "held": True,
                  "figures": True, "cover": True},
    "held-xits": {"class": r"\documentclass[11pt]{article}", "engine": "xelatex", "after":
                    r"\usepackage{unicode-math}\setmainfont{XITS-Regular.otf}"
                    r"\setmathfont{XITSMath-Regular.otf}", "number": r"\arabic*.",
                    "key": "boxed", "held": True},
    "held-amsart": {"class": r"\documentclass[10pt]{amsart}", "number":
                    r"manual:\textsc{Problem} %d.", "key": "none", "held": True, "figures": True},
}  # fmt: skip

COVER = r"""\begin{center}{\Large\bfseries Regional Mathematics Contest}\\[4pt] Senior\end{center}
\begin{enumerate}[label=\arabic*.]
\item Do not open this booklet until you are told to begin.
\item You have 60 minutes for %d problems. No calculators are allowed.
\item Write your answers on the answer sheet; scratch paper is provided.
\item Scoring: 5 points for each correct answer, none for a blank.
\end{enumerate}\newpage
"""


def options_latex(options: list[str], kind: str) -> str:
    """Return options as LaTeX."""
    cells = [f"${option}$" if not option.startswith(r"\text") else option for option in options]
    cells = [re.sub(r"^\\text\{(.*)\}$", r"\1", cell) for cell in cells]
    if kind == "choices":
        return "\\begin{choices}" + "".join(f"\\choice {c}\n" for c in cells) + "\\end{choices}"
    if kind == "onepar":
        return (
            "\\par\\begin{oneparchoices}"
            + "".join(f"\\choice {c}\n" for c in cells)
            + "\\end{oneparchoices}"
        )
    if kind == "list":
        items = "".join(f"\\item {c}\n" for c in cells)
        return f"\\begin{{enumerate}}[label=(\\Alph*)]{items}\\end{{enumerate}}"
    if kind == "tasks":
        return "\\begin{tasks}(3)" + "".join(f"\\task {c}\n" for c in cells) + "\\end{tasks}"
    if kind == "onerow":
        return "\\par " + "\\quad ".join(
            f"{label}) {cell}" for label, cell in zip("ABCDE", cells, strict=True)
        )
    return "\\par\\smallskip " + " \\qquad ".join(
        f"\\textbf{{({label})}} {cell}" for label, cell in zip("ABCDE", cells, strict=True)
    )


def inside_text(answer: str) -> str:
    """Return an answer as LaTeX in a paragraph."""
    match = re.fullmatch(r"\\text\{([^{}]*)\}", answer)
    return match[1] if match else f"${answer}$"


def latex_source(style: dict, problems: list[Problem]) -> tuple[str, str | None]:
    """Return the LaTeX of a paper and of its key, if that is a file of its own."""
    head = style["class"] + style.get("fonts", "") + COMMON + style.get("after", "")
    if style.get("options") == "tasks":
        head += r"\usepackage{tasks}\settasks{label=(\Alph*),item-indent=2em}"
    if style["number"] == "exam":
        head += r"\renewcommand{\thechoice}{\Alph{choice}}"
    head += r"\usepackage[margin=1in]{geometry}"
    if "multicols" in style or "twocolumn" in style["class"]:
        head += r"\sloppy"
    body = []
    if style.get("cover"):
        body.append(COVER % len(problems))
    else:
        body.append(r"\begin{center}{\Large Mathematics Contest}\\ Individual Round\end{center}")
    if style.get("multicols"):
        body.append(r"\begin{multicols}{2}\raggedright")
    number = style["number"]
    sections = style.get("sections", 1)
    for section in range(sections):
        if sections > 1:
            body.append(rf"\section*{{Part {'I' * (section + 1)}}}")
        inside = [problem for problem in problems if problem.section == section]
        if number == "exam":
            body.append(r"\begin{questions}")
        elif number != "heading" and not number.startswith("manual:"):
            margin = ",leftmargin=0pt,itemindent=*" if style.get("wide") else ""
            margin += ",nosep" if style.get("tight") else ""
            body.append(rf"\begin{{enumerate}}[label={{{number}}}{margin}]")
        for problem in inside:
            if number == "exam":
                points = "[5] " if "addpoints" in style["class"] else ""
                start = rf"\question{points} "
            elif number == "heading":
                start = rf"\subsection*{{Problem {problem.number}}}" + "\n"
            elif number.startswith("manual:"):
                start = r"\medskip\noindent " + number[7:] % problem.number + " "
            else:
                start = r"\item "
            text = start + problem.statement
            if problem.figure:
                text += "\n\\begin{center}" + problem.figure + "\\end{center}\n"
            if problem.options:
                text += "\n" + options_latex(problem.options, style["options"])
            if style["key"] == "inline":
                text += "\n\\par\\textbf{Answer:} " + inside_text(problem.answer)
            elif style["key"] == "boxed":
                text += (
                    "\n\\par\\textit{Solution.} We look at what is given, write it as an equation "
                    f"and find that the result is $\\boxed{{{problem.answer}}}$."
                )
            body.append(text + "\n\n")
        if number == "exam":
            body.append(r"\end{questions}")
        elif number != "heading" and not number.startswith("manual:"):
            body.append(r"\end{enumerate}")
    if style.get("multicols"):
        body.append(r"\end{multicols}")
    key = key_source(style, problems)
    if key and style["key"] != "file":
        body.append(r"\newpage" + key)
    wrap = "{}\n\\begin{{document}}\n{}\n\\end{{document}}\n"
    return (
        wrap.format(head, "\n".join(body)),
        wrap.format(head, key) if style["key"] == "file" else None,
    )


def key_source(style: dict, problems: list[Problem]) -> str:
    """Return the LaTeX of the key."""
    kind = style["key"]
    if kind not in ("page", "file", "table", "multicol"):
        return ""
    title = r"\begin{center}\textbf{\large Answer Key}\end{center}"
    if kind == "table":
        rows = "\\\\ \\hline ".join(
            f"{problem.number} & {inside_text(problem.answer)}" for problem in problems
        )
        return title + rf"\begin{{tabular}}{{|c|l|}}\hline {rows}\\ \hline\end{{tabular}}"
    out = title
    for section in range(style.get("sections", 1)):
        items = "".join(
            f"\\item {inside_text(problem.answer)}\n"
            for problem in problems
            if problem.section == section
        )
        part = rf"\begin{{enumerate}}[label=\arabic*.]{items}\end{{enumerate}}"
        if style.get("sections", 1) > 1:
            out += rf"\subsection*{{Part {'I' * (section + 1)}}}"
        out += rf"\begin{{multicols}}{{2}}{part}\end{{multicols}}" if kind == "multicol" else part
    return out


def run_latex(source: str, path: Path, engine: str) -> Path | None:
    """Typeset a source; None if it failed."""
    path.with_suffix(".tex").write_text(source, "utf-8")
    command = [engine, "-interaction=nonstopmode", path.with_suffix(".tex").name]
    for _ in range(2 if "exam}" in source else 1):
        subprocess.run(command, cwd=path.parent, check=False, capture_output=True, timeout=300)
    made = path.with_suffix(".pdf")
    log = path.with_suffix(".log")
    wrong = re.search(r"^! .*", log.read_text("latin-1"), re.M) if log.exists() else None
    if wrong:
        print(f"{path.name}: {engine} says {wrong[0]}", file=sys.stderr)
    return made if made.exists() and not wrong else None


def typeset_latex(
    name: str, style: dict, problems: list[Problem], folder: Path
) -> tuple[Path, Path | None] | None:
    """Return the PDFs of a paper and of its key; None where the engine is absent or failed."""
    engine = style.get("engine", "pdflatex")
    if not shutil.which(engine):
        return None
    paper, key = latex_source(style, problems)
    made = run_latex(paper, folder / name, engine)
    if made is None:
        return None
    return made, run_latex(key, folder / f"{name}-key", engine) if key else None


# ------------------------------------------------------------------------------ office and typst

# Keys: maker ("docx", "odt", "typst"), font, size, number ("list", "typed:FORMAT"), options
# ("lines", "row"), key ("page", "inline", "none"), runs (simple formulas as raised and lowered
# text instead of formula objects), held.
OFFICE: dict[str, dict] = {
    "docx-list": {"maker": "docx", "number": "list", "key": "page"},
    "docx-typed": {"maker": "docx", "font": "Liberation Serif", "number": "typed:%d.",
                   "options": "row", "key": "page"},
    "docx-runs": {"maker": "docx", "font": "Carlito", "number": "typed:%d)", "runs": True,
                  "key": "inline"},
    "odt-list": {"maker": "odt", "font": "Liberation Serif", "number": "list", "options": "lines",
                 "key": "none"},
    "odt-problem": {"maker": "odt", "font": "DejaVu Sans", "number":
                    "typed:Problem %d.", "key": "page"},
    "odt-runs": {"maker": "odt", "font": "Liberation Serif", "number": "typed:(%d)", "runs": True,
                 "options": "lines", "key": "page"},
    "typst-list": {"maker": "typst", "number": "list", "key": "page"},
    "typst-typed": {"maker": "typst", "font": "New Computer Modern", "number": "typed:%d.",
                    "options": "row", "key": "page"},
    "typst-columns": {"maker": "typst", "font": "New Computer Modern", "size": 10, "columns": 2,
                      "number": "list", "key": "none"},
    "held-docx": {"maker": "docx", "font": "Caladea", "number": "list", "options": "lines",
                  "key": "inline", "held": True},
    "held-odt": {"maker": "odt", "font": "Carlito", "number": "typed:%d)", "options":
                 "row", "key": "page", "held": True},
    "held-runs": {"maker": "docx", "font": "Liberation Sans", "number": "list", "runs": True,
                  "key": "page", "held": True},
    "held-typst": {"maker": "typst", "font": "Libertinus Serif", "size": 12, "number":
                   "typed:Problem %d:", "options": "lines", "key": "inline", "held": True},
}  # fmt: skip
SIMPLE = re.compile(
    r"\\(?!left|right|,|ldots|cdot|times|le\b|ge\b|leq|geq|pi|alpha|theta)[A-Za-z]+"
)


# What the converters break themselves: the printed page then says something else than the source.
BROKEN = {
    "docx": re.compile(r"\||&|\\left|\)\^|\]\^|\\\\|\$\s*[=<>+]"),
    "odt": re.compile(r"\\frac.*\\frac|&|\\\\|\||\\left|\\binom", re.S),
    "typst": re.compile(r"(?!)"),
    "mathml": re.compile(r"&|\\\\"), "katex": re.compile(r"&|\\\\"), "text": re.compile(r"&|\\\\"),
    "weasyprint": re.compile(r"&|\\\\"),
    "eqn": re.compile(r"\\circ|&|\\\\|\||\\left|\\binom|[{}]\^"),
    "dvips": re.compile(r"(?!)"), "scan": re.compile(r"(?!)"),
}  # fmt: skip


def pool(style: dict, problems: list[Problem]) -> list[Problem]:
    """Return the problems that a style's converters bring over whole."""
    broken = BROKEN[style["maker"]]
    return [
        problem
        for problem in problems
        if not broken.search(problem.statement + " " + problem.answer)
        and not (style.get("runs") and SIMPLE.search(problem.statement + problem.answer))
    ]


def pandoc_source(style: dict, problems: list[Problem]) -> str:
    """Return the LaTeX that pandoc turns into a paper."""
    number = style["number"]
    parts = [r"\begin{center}\textbf{Mathematics Contest}\end{center}" + "\n"]
    if number == "list":
        parts.append(r"\begin{enumerate}")
    for problem in problems:
        start = r"\item " if number == "list" else number[6:] % problem.number + " "
        text = start + problem.statement
        labelled = [
            f"({label}) {inside_text(option)}"
            for label, option in zip("ABCDE", problem.options, strict=False)
        ]
        if labelled:
            gap = r" \quad " if style["options"] == "row" else "\n\n"
            text += "\n\n" + gap.join(labelled)
        if style["key"] == "inline":
            text += f"\n\nAnswer: {inside_text(problem.answer)}"
        parts.append(text + "\n")
    if number == "list":
        parts.append(r"\end{enumerate}")
    if style["key"] == "page":
        parts.append("NEWPAGE\n\n" + r"\textbf{Answer Key}" + "\n\n")
        parts += [f"{p.number}. {inside_text(p.answer)}\n\n" for p in problems]
    return "\n".join(parts)


# Pandoc's filters: a page break where the source says so, and formulas as raised and lowered text.
BREAKS = """
function Para(p)
  if #p.content == 1 and p.content[1].text == "NEWPAGE" then
    if FORMAT == "docx" then
      return pandoc.RawBlock("openxml", '<w:p><w:r><w:br w:type="page"/></w:r></w:p>')
    elseif FORMAT == "typst" then return pandoc.RawBlock("typst", "#pagebreak()")
    elseif FORMAT:match("html") then
      return pandoc.RawBlock("html", '<div style="break-before:page"></div>')
    elseif FORMAT == "ms" then return pandoc.RawBlock("ms", ".bp")
    else return pandoc.RawBlock("opendocument",
      '<text:p><text:soft-page-break/></text:p>') end
  end
end
"""


def find_pandoc() -> str | None:
    """Return the path of pandoc 3; None: absent. PANDOC names another than the one on PATH."""
    import os

    path = os.environ.get("PANDOC") or shutil.which("pandoc")
    if not path:
        return None
    told = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    return path if int(re.search(r"pandoc (\d+)", told)[1]) >= 3 else None


def typeset_office(
    name: str, style: dict, problems: list[Problem], folder: Path
) -> tuple[Path, None] | None:
    """Return the PDF of a paper made by LibreOffice or typst; None where a tool is absent."""
    pandoc = find_pandoc()
    if pandoc is None or (style["maker"] != "typst" and not shutil.which("soffice")):
        return None
    source, breaks = folder / f"{name}.src.tex", folder / "breaks.lua"
    source.write_text(pandoc_source(style, problems), "utf-8")
    breaks.write_text(BREAKS, "utf-8")
    maker = style["maker"]
    made = folder / f"{name}.{'typ' if maker == 'typst' else maker}"
    base = [pandoc, "-f", "latex", str(source), f"--lua-filter={breaks}"]
    if style.get("runs"):
        # HTML has no formulas: what is simple becomes raised and lowered text.
        page = folder / f"{name}.html"
        subprocess.run([*base, "-t", "html", "-o", str(page)], check=True, capture_output=True)
        base = [pandoc, "-f", "html", str(page)]
    if maker == "typst":
        subprocess.run([*base, "-t", "typst", "-o", str(made)], check=True, capture_output=True)
        return compile_typst(made, style), None
    subprocess.run([*base, "-o", str(made)], check=True, capture_output=True)
    restyle(made, style)
    subprocess.run(
        ["soffice", "--headless", "--convert-to", "pdf", "--outdir", str(folder), str(made)],
        check=True, capture_output=True, timeout=300,
    )  # fmt: skip
    return folder / f"{name}.pdf", None


# ------------------------------------------------------------------------------ printed otherwise

# Keys: maker ("mathml", "katex": HTML printed by Chromium; "text": HTML whose formulas are raised
# and lowered text; "eqn": groff with eqn; "dvips": LaTeX by PostScript with bitmap fonts; "scan":
# LaTeX printed, scanned at 200 dpi and a little askew), and those of OFFICE.
PRINTED: dict[str, dict] = {
    "browser-mathml": {"maker": "mathml", "number": "list", "options": "lines", "key": "page"},
    "browser-katex": {"maker": "katex", "number": "typed:Problem %d.", "key": "page"},
    "browser-text": {"maker": "text", "number": "list", "runs": True, "key": "page"},
    "weasyprint-text": {"maker": "weasyprint", "number": "list", "runs": True, "key": "inline"},
    "groff-eqn": {"maker": "eqn", "number": "typed:%d.", "options": "row", "key": "page"},
    "dvips-bitmaps": {"maker": "dvips", "number": r"\arabic*.", "class":
                      r"\documentclass[11pt]{article}", "key": "page"},
    "scan-200dpi": {"maker": "scan", "number": r"\arabic*.", "class":
                    r"\documentclass[12pt]{article}", "fonts": TIMES, "key": "page"},
}  # fmt: skip


def typeset_printed(
    name: str, style: dict, problems: list[Problem], folder: Path
) -> tuple[Path, None] | None:
    """Return the PDF of a paper by a browser, groff or PostScript; None: a tool is absent."""
    made = folder / f"{name}.pdf"
    maker = style["maker"]
    if maker in ("dvips", "scan"):
        return print_latex(name, style, problems, folder)
    tool = {"eqn": "groff", "weasyprint": "weasyprint"}.get(maker, "chromium")
    pandoc = find_pandoc()
    if pandoc is None or not shutil.which(tool):
        return None
    source, breaks = folder / f"{name}.src.tex", folder / "breaks.lua"
    source.write_text(pandoc_source(style, problems), "utf-8")
    breaks.write_text(BREAKS, "utf-8")
    base = [pandoc, "-s", "-f", "latex", str(source), f"--lua-filter={breaks}"]
    if maker == "eqn":
        made.with_suffix(".ms").write_bytes(
            subprocess.run([*base, "-t", "ms"], check=True, capture_output=True).stdout
        )
        drawn = subprocess.run(
            ["groff", "-ms", "-e", "-t", "-k", "-Tps", str(made.with_suffix(".ms"))],
            check=True, capture_output=True,
        ).stdout  # fmt: skip
        subprocess.run(["ps2pdf", "-", str(made)], input=drawn, check=True)
        return made, None
    how = {"mathml": ["--mathml"], "katex": [f"--katex={katex(folder)}"]}.get(maker, [])
    page = folder / f"{name}.html"
    subprocess.run(
        [*base, *how, "-t", "html", "-M", "title=Contest", "-o", str(page)],
        check=True, capture_output=True,
    )  # fmt: skip
    if maker == "weasyprint":
        command = ["weasyprint", str(page), str(made)]
    else:
        command = ["chromium", "--headless", "--no-sandbox", "--allow-file-access-from-files",
                   "--virtual-time-budget=10000", "--no-pdf-header-footer",
                   f"--print-to-pdf={made}", page.as_uri()]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return made, None


def katex(folder: Path) -> str:
    """Return the address of KaTeX, fetched from npm into a folder once."""
    home = folder / "node_modules" / "katex" / "dist"
    if not home.is_dir():
        subprocess.run(
            ["npm", "install", "--silent", "--prefix", str(folder), "katex@0.16"],
            check=True, capture_output=True,
        )  # fmt: skip
    return home.as_uri() + "/"


def print_latex(
    name: str, style: dict, problems: list[Problem], folder: Path
) -> tuple[Path, None] | None:
    """Return a LaTeX paper with bitmap fonts, or as a scan of its print."""
    if not shutil.which("latex") or not shutil.which("ps2pdf"):
        return None
    paper, _ = latex_source(style, problems)
    path = folder / name
    if style["maker"] == "dvips":
        path.with_suffix(".tex").write_text(paper, "utf-8")
        for command in (["latex", "-interaction=nonstopmode", f"{name}.tex"],
                        ["dvips", "-q", "-V1", "-D600", f"{name}.dvi", "-o"],
                        ["ps2pdf", f"{name}.ps"]):  # fmt: skip
            subprocess.run(command, cwd=folder, check=False, capture_output=True, timeout=300)
        made = path.with_suffix(".pdf")
        return (made, None) if made.exists() else None
    printed = run_latex(paper, folder / f"{name}-print", "pdflatex")
    if printed is None:
        return None
    import pypdfium2

    pages = [
        page.render(scale=200 / 72, grayscale=True).to_pil().rotate(0.4, fillcolor=255)
        for page in pypdfium2.PdfDocument(printed)
    ]
    made = path.with_suffix(".pdf")
    pages[0].save(made, save_all=True, append_images=pages[1:], resolution=200, quality=70)
    return made, None


def compile_typst(source: Path, style: dict) -> Path:
    """Typeset pandoc's typst."""
    import typst

    font, size = style.get("font", "Libertinus Serif"), style.get("size", 11)
    head = f'#set text(font: "{font}", size: {size}pt)\n'
    head += f"#set page(columns: {style.get('columns', 1)})\n"
    source.write_text(head + source.read_text("utf-8"), "utf-8")
    made = source.with_suffix(".pdf")
    made.write_bytes(typst.compile(source))
    return made


def restyle(path: Path, style: dict) -> None:
    """Set the font and its size in an office document's styles."""
    import zipfile

    font, size = style.get("font"), style.get("size")
    if not font and not size:
        return
    with zipfile.ZipFile(path) as archive:
        files = {item.filename: archive.read(item) for item in archive.infolist()}
    if path.suffix == ".docx":
        name = "word/styles.xml"
        text = files[name].decode()
        if font:
            fonts = (
                f'<w:rFonts w:ascii="{font}" w:hAnsi="{font}" w:cs="{font}" w:eastAsia="{font}"/>'
            )
            text = re.sub(r"<w:rFonts [^>]*/>", fonts, text)
    else:
        name = "styles.xml"
        text = files[name].decode()
        if font:
            text = re.sub(r'(svg:font-family|fo:font-family|style:font-name)="[^"]*"',
                          rf'\1="{font}"', text)  # fmt: skip
        if size:
            text = re.sub(r'fo:font-size="12pt"', f'fo:font-size="{size}pt"', text)
    files[name] = text.encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for item, data in files.items():
            archive.writestr(item, data)
