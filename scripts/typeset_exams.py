"""Typeset the sample competition's papers to PDF, and write the truth they were made from.

Input: `template`, the typst source of a paper.
Output: `papers`, a list of files YEAR-SECTION.pdf; `truth`, statement and answer of each question
(JSONL, for tests: no later stage reads it); `transfer`, the transfer benchmark as problem rows.
Params: `years`; `sections`, {section: its name}; `questions`, {section: numbered questions a year};
`transfer`, items of the transfer benchmark; `seed`.
"""

import json
import re
from pathlib import Path
from typing import Any

import typst

from distil.content.files import write_jsonl
from distil.synthetic.papers import SPEED_SECTION, Question, draw_papers, truth_row
from distil.synthetic.templates import Item
from distil.synthetic.transfer import draw_transfer

TITLE = "Sample Mathematics Competition"
INSTRUCTIONS = (
    "Time: 50 minutes. Calculators are not permitted.",
    "Give exact answers in lowest terms.",
)
SPEED_INSTRUCTIONS = (
    "Time: 3 minutes for each problem. Calculators are not permitted.",
    "The first right answer scores most. A tie is broken by the problem marked T.",
)
# Questions on a page; in the speed event each is shown with room to work.
PER_PAGE, SPEED_PER_PAGE = 6, 4
_TEXT_SPECIAL = re.compile(r"([\\#*_@<>`\[\]~])")
# "12 square inches": a value and words behind it.
_UNIT = re.compile(r"(.*?)((?: [a-z]+)*)")
_MATH = re.compile(
    r"\\frac\{(?P<top>[^{}]*)\}\{(?P<bottom>[^{}]*)\}"
    r"|\\sqrt\{(?P<root>[^{}]*)\}"
    r"|\\(?P<sign>pi)"
    r"|(?P<script>[\^_])\{(?P<raised>[^{}]*)\}"
    r"|(?P<letter>[A-Za-z])(?=[A-Za-z])"
    r"|(?P<number>\d+)(?=[A-Za-z\\])"
)


def math_to_typst(latex: str) -> str:
    r"""Translate the LaTeX of a statement to typst: \frac, \sqrt, \pi, ^{}, _{} and letters.

    Raises:
        ValueError: a command is left that has no translation.
    """

    def translate(match: re.Match[str]) -> str:
        if match["top"] is not None:
            return f"frac({match['top']}, {match['bottom']})"
        if match["root"] is not None:
            return f"sqrt({match['root']})"
        if match["sign"]:
            return f" {match['sign']} "
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


def mark_answer(item: Item) -> str:
    """Return the key of a question with `$` signs around its mathematics, units left out."""
    if item.options:
        return item.solution.answer
    value, unit = _UNIT.fullmatch(item.solution.answer).groups()  # type: ignore[union-attr]
    return f"${value}${unit}"


def paper_data(questions: list[Question], section_name: str) -> dict[str, Any]:
    """Return the data of one paper for the typesetter, from its questions in order."""
    speed = questions[0].section == SPEED_SECTION
    return {
        "title": TITLE,
        "section": section_name,
        "year": questions[0].year,
        "instructions": SPEED_INSTRUCTIONS if speed else INSTRUCTIONS,
        "per_page": SPEED_PER_PAGE if speed else PER_PAGE,
        "questions": [
            {
                "number": question.number,
                "text": markup(question.item.marked),
                "options": [
                    {**option, "text": markup(f"${option['text']}$")}
                    for option in question.item.labelled
                ],
                "answer": markup(mark_answer(question.item)),
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
    questions = draw_papers(params.years, params.questions, params.seed)
    papers: dict[str, list[Question]] = {}
    for question in questions:
        papers.setdefault(f"{question.year}-{question.section}", []).append(question)
    for path in map(Path, output.papers):
        paper = papers.pop(path.stem)
        data = paper_data(paper, params.sections[paper[0].section])
        path.write_bytes(typeset(input.template, data))
    if papers:
        raise ValueError(f"no output is named for the papers {', '.join(papers)}")
    write_jsonl(output.truth, sorted(map(truth_row, questions), key=lambda row: row["id"]))
    write_jsonl(output.transfer, draw_transfer(params.transfer, params.seed))


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
