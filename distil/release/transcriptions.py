r"""Problems from the release's transcriptions: questions and answers typed in by its authors."""

from __future__ import annotations  # noqa: I001

import json
import re
from pathlib import Path
from typing import Any

from distil.notation.answers import canonical_answer, latex_from_unicode
from distil.content.hashing import sha256_file
from distil.release.files import REMEDY, SECTIONS, is_placeholder

# Brackets, with at most one pair inside.
_BRACKETS = r"\(((?:[^()]|\([^()]*\))*)\)"


def latex_statement(text: str) -> str:
    r"""Write the mathematics of a transcription in LaTeX: "(x^2)/√3" gives "(x^{2})/\sqrt{3}"."""
    text = latex_from_unicode(text)
    text = re.sub(r"(?<![\\A-Za-z])sqrt\s*(?=\()", r"\\sqrt", text)
    text = re.sub(rf"\\sqrt\s*{_BRACKETS}", r"\\sqrt{\1}", text)
    text = re.sub(r"\\sqrt\s+(\d+(?:\.\d+)?|[A-Za-z])", r"\\sqrt{\1}", text)
    text = re.sub(rf"([\^_]){_BRACKETS}", r"\1{\2}", text)
    text = re.sub(r"([\^_])(-?(?:\d+(?:\.\d+)?|[A-Za-z]))(?!\w)", r"\1{\2}", text)
    text = re.sub(r"(?<![\w./}])(\d+)/(\d+)(?![\w./])", r"\\frac{\1}{\2}", text)
    return re.sub(r"[ \t]+", " ", text).strip()


def read_transcription(path: str | Path, year: int) -> list[dict[str, Any]]:
    """Read one year's transcribed questions as problem rows, sorted by id.

    Placeholders are flagged `placeholder` and have confidence 0. There is no page: the release
    does not say where a question stood, so `page` and `box` are null, and `source_file`,
    `source_line` and `source_sha256` say where the transcription stands.

    Raises:
        ValueError: the file is not the release's; the message names file, place and remedy.
    """
    text = Path(path).read_text(encoding="utf-8")
    try:
        sections = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: not JSON ({error}); {REMEDY}") from error
    digest = sha256_file(path)
    rows = {}
    for section, questions in sections.items():
        if section not in SECTIONS:
            raise ValueError(f"{path}: {section} is not a section of the release; {REMEDY}")
        start = text.index(f'"{section}"')
        for name, entry in questions.items():
            if not isinstance(entry, dict) or not {"question", "answer"} <= entry.keys():
                raise ValueError(f"{path}: {section}.{name} lacks question or answer; {REMEDY}")
            number = name.removeprefix("question_").upper()
            placeholder = is_placeholder(entry["question"])
            key = f"{year}-{SECTIONS[section]}-{number.zfill(2).lower()}"
            rows[key] = {
                "id": key,
                "year": year,
                "section": SECTIONS[section],
                "number": number,
                "statement": latex_statement(entry["question"]),
                "statement_plain": entry["question"],
                "options": [],
                "answer_raw": str(entry["answer"]),
                "answer": canonical_answer(str(entry["answer"])),
                "page": None,
                "box": None,
                "pdf_sha256": None,
                "key_page": None,
                "key_box": None,
                "key_sha256": None,
                "method": "transcription",
                "flags": ["placeholder"] if placeholder else [],
                "confidence": 0.0 if placeholder else 1.0,
                "source_file": f"datafile/{Path(path).name}",
                "source_line": text.count("\n", 0, text.index(f'"{name}"', start)) + 1,
                "source_sha256": digest,
            }
    return [rows[key] for key in sorted(rows)]
