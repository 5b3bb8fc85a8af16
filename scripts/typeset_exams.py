"""Typeset the sample competition's papers to PDF, and write the truth they were made from.

Input: `typesetting`, the typst source of a paper.
Output: `papers`, a list of files YEAR-SECTION.pdf; `truth`, statement and answer of each question
(JSONL, for tests: no later stage reads it); `transfer`, the transfer benchmark as problem rows.
Params: `years`; `sections`, {section: numbered questions}; `tie_breakers`, questions T1, T2, ... of
the two-person event; `transfer_items`; `seed`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import typst

from distil.hashing import write_jsonl
from distil.templates import LABELS
from distil.templates.papers import Question, draw_papers, truth_row
from distil.templates.transfer import draw_transfer

TITLE = "Sample Mathematics Competition"
SECTIONS = {
    "fs": (
        "Freshman-Sophomore Test",
        ("Time: 50 minutes. Calculators are not permitted.", "Give exact answers in lowest terms."),
        6,
    ),
    "js": (
        "Junior-Senior Test",
        ("Time: 50 minutes. Calculators are not permitted.", "Give exact answers in lowest terms."),
        6,
    ),
    "tp": (
        "Two-Person Speed Event",
        (
            "Time: 3 minutes for each problem. Calculators are not permitted.",
            "The first right answer scores most. A tie is broken by the problems marked T.",
        ),
        4,
    ),
}
_TEXT_SPECIAL = re.compile(r"([\\#*_@<>`\[\]~])")
_MATH = re.compile(
    r"\\frac\{(?P<top>[^{}]*)\}\{(?P<bottom>[^{}]*)\}"
    r"|\\sqrt\{(?P<root>[^{}]*)\}"
    r"|(?P<script>[\^_])\{(?P<raised>[^{}]*)\}"
    r"|(?P<letter>[A-Za-z])(?=[A-Za-z])"
    r"|(?P<number>\d+)(?=[A-Za-z\\])"
)


def math_to_typst(latex: str) -> str:
    r"""Translate the LaTeX of a statement to typst: \frac, \sqrt, ^{}, _{} and letters.

    Raises:
        ValueError: a command is left that has no translation.
    """

    def translate(match: re.Match[str]) -> str:
        if match["top"] is not None:
            return f"frac({match['top']}, {match['bottom']})"
        if match["root"] is not None:
            return f"sqrt({match['root']})"
        if match["script"]:
            return f"{match['script']}({match['raised']})"
        return f"{match[0]} "

    typst_math = _MATH.sub(translate, latex)
    if "\\" in typst_math:
        raise ValueError(f"no typst for {latex!r}; extend math_to_typst")
    return typst_math


def markup(marked: str) -> str:
    """Translate a statement with mathematics between `$` signs to typst markup."""
    parts = marked.split("$")
    return "".join(
        f"${math_to_typst(part)}$" if index % 2 else _TEXT_SPECIAL.sub(r"\\\1", part)
        for index, part in enumerate(parts)
    )


def paper_data(questions: list[Question]) -> dict[str, Any]:
    """Return the data of one paper for the typesetter, from its questions in order.

    Raises:
        ValueError: a section is not one of the competition's.
    """
    year, section = questions[0].year, questions[0].section
    if section not in SECTIONS:
        raise ValueError(f"section {section!r} is unknown; give one of {', '.join(SECTIONS)}")
    name, instructions, per_page = SECTIONS[section]
    return {
        "title": TITLE,
        "section": name,
        "year": year,
        "instructions": instructions,
        "per_page": per_page,
        "questions": [
            {
                "number": question.number,
                "text": markup(question.item.marked),
                "options": [
                    {"label": label, "text": markup(f"${text}$")}
                    for label, text in zip(LABELS, question.item.options, strict=False)
                ],
                "answer": markup(
                    question.item.solution.answer
                    if question.item.options
                    else f"${question.item.solution.answer}$"
                ),
            }
            for question in questions
        ],
    }


def typeset(typesetting: str | Path, data: dict[str, Any]) -> bytes:
    """Typeset one paper; equal data gives equal bytes."""
    return typst.compile(
        str(typesetting),
        format="pdf",
        ignore_system_fonts=True,
        sys_inputs={"paper": json.dumps(data, sort_keys=True)},
    )


def main(*, input: Any, output: Any, params: Any) -> None:  # noqa: A002
    questions = draw_papers(params.years, params.sections, params.tie_breakers, params.seed)
    papers: dict[str, list[Question]] = {}
    for question in questions:
        papers.setdefault(f"{question.year}-{question.section}", []).append(question)
    for path in map(Path, output.papers):
        path.write_bytes(typeset(input.typesetting, paper_data(papers.pop(path.stem))))
    if papers:
        raise ValueError(f"no output is named for the papers {', '.join(papers)}")
    write_jsonl(output.truth, sorted(map(truth_row, questions), key=lambda row: row["id"]))
    write_jsonl(output.transfer, draw_transfer(params.transfer_items, params.seed))


if __name__ == "__main__":
    main(input=snakemake.input, output=snakemake.output, params=snakemake.params)  # noqa: F821
