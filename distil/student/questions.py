"""How a problem becomes the message that the student is asked with, at each level.

Rows for training and prompts for prediction both come from `question_text`.
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Prompts:
    """The words around a problem.

    Attributes:
        template: message with `$instruction` and `$statement`.
        instructions: level ("R1" to "R6") to the student's instruction.
    """

    template: string.Template
    instructions: Mapping[str, str]


def load_prompts(student: str | Path, levels: str | Path) -> Prompts:
    """Read the student's message template and the level instructions.

    Args:
        student: text file, a `string.Template` with `$instruction` and `$statement`.
        levels: YAML file, level to {"student": instruction, "distiller": instruction}.

    Raises:
        ValueError: a file lacks a placeholder or a level lacks its student instruction.
    """
    path = Path(student)
    template = string.Template(path.read_text(encoding="utf-8").rstrip("\n"))
    missing = {"instruction", "statement"} - set(template.get_identifiers())
    if missing:
        raise ValueError(f"{path}: placeholder ${min(missing)} is missing; remedy: add it")
    path = Path(levels)
    words_of = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(words_of, dict):
        raise ValueError(  # noqa: TRY004
            f"{path}: not a mapping of levels; remedy: R1: {{student: ...}}"
        )
    instructions = {}
    for level, words in sorted(words_of.items()):
        if not isinstance(words, dict) or not isinstance(words.get("student"), str):
            raise ValueError(  # noqa: TRY004
                f"{path}: {level}.student is missing; remedy: add the instruction"
            )
        instructions[level] = words["student"]
    return Prompts(template=template, instructions=instructions)


def question_text(problem: Mapping[str, Any], level: str, prompts: Prompts) -> str:
    """The user message that asks one problem at one level.

    Args:
        problem: row with `statement` and `options` (list of {"label", "text"}, may be empty).
        level: "R1" to "R6".
        prompts: the words around it.

    Raises:
        ValueError: the level has no instruction.
    """
    if level not in prompts.instructions:
        raise ValueError(
            f"levels.yaml: no level {level!r}; remedy: one of {', '.join(prompts.instructions)}"
        )
    options = [f"{option['label']}. {option['text']}" for option in problem.get("options") or []]
    statement = "\n".join([problem["statement"], *options])
    return prompts.template.substitute(instruction=prompts.instructions[level], statement=statement)
