"""How a problem becomes the message that the student is asked with, at each level.

Rows for training and prompts for prediction both come from `question_text`, or, for the adapters
that are trained as published, from `published_text` below a system turn.
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


PUBLISHED = "published"  # the variant that is trained and asked as the published study did it


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
    return prompts.template.substitute(
        instruction=prompts.instructions[level], statement=published_text(problem)
    )


def published_text(problem: Mapping[str, Any]) -> str:
    """Return the user message of the published study: the problem alone, its options below it.

    Args:
        problem: as in `question_text`.
    """
    options = [f"{option['label']}. {option['text']}" for option in problem.get("options") or []]
    return "\n".join([problem["statement"], *options])


def read_system(paths: str | Sequence[str]) -> str | None:
    """Return the system turn of the published study from its file; None where there is no file."""
    paths = [paths] if isinstance(paths, str) else list(paths)
    return Path(paths[0]).read_text(encoding="utf-8").rstrip("\n") if paths else None
