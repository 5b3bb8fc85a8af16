"""Reward functions for reinforcement learning: 1 for a right answer, 0 for a wrong one.

    GRPOTrainer(..., reward_funcs=correctness_reward)         # trl
    custom_reward_function.path=distil/grading/rewards.py     # verl, name=compute_score

Neither trainer is needed here. What the grader cannot judge gets a reward of its own, 0 by default.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from distil.grading.grading import judge_all

# Columns of a data set that may hold the keys and the questions, in order of preference.
KEY_COLUMNS = ("answer", "answers", "gold", "ground_truth", "solution")
PROBLEM_COLUMNS = ("problem", "question")
_SCORES = {"right": 1.0, "wrong": 0.0}


def _text(completion: Any) -> str:
    """The text of a completion: a string, or chat messages of which the last one answers."""
    if isinstance(completion, str):
        return completion
    if isinstance(completion, Mapping):
        return str(completion.get("content") or "")
    return _text(completion[-1]) if completion else ""


def _column(columns: Mapping[str, Any], names: Sequence[str], count: int) -> list | None:
    for name in names:
        values = columns.get(name)
        if values is not None:
            if isinstance(values, str) or len(values) != count:
                raise ValueError(f"{name}: give one value for each of the {count} completions")
            return list(values)
    return None


def correctness_reward(
    completions: Sequence[Any],
    answers: Sequence[str | Sequence[str]] | None = None,
    *,
    strict: bool = False,
    unknown: float | None = 0.0,
    **columns: Any,
) -> list[float | None]:
    """Reward completions for right answers, as trl's trainers call it.

    Args:
        completions: n outputs: strings, or lists of chat messages.
        answers: n keys, or lists of keys of which any is right; by default the column "answer",
            "gold", "ground_truth" or "solution".
        strict: whether the form that the question asks for must be kept.
        unknown: the reward where the grader cannot tell; None makes trl leave the sample out.
        columns: further columns of the data set; "problem" or "question" is read, others are not.

    Returns:
        n rewards.

    Raises:
        ValueError: if there are no keys, or not one per completion.
    """
    keys = _column({"answers": answers, **columns}, ("answers", *KEY_COLUMNS), len(completions))
    if keys is None:
        raise ValueError(f"no keys: pass answers or one of the columns {', '.join(KEY_COLUMNS)}")
    problems = _column(columns, PROBLEM_COLUMNS, len(completions)) or [None] * len(completions)
    outputs = [_text(completion) for completion in completions]
    verdicts = judge_all(zip(keys, outputs, problems, strict=True))
    said = [verdict.strict_verdict if strict else verdict.verdict for verdict in verdicts]
    return [_SCORES.get(verdict, unknown) for verdict in said]


def compute_score(
    data_source: str,  # noqa: ARG001 - part of the signature that verl calls
    solution_str: str,
    ground_truth: str | Sequence[str],
    extra_info: Mapping[str, Any] | None = None,
) -> float:
    """Score one output as verl calls it: 1 for a right answer, else 0.

    Args:
        data_source: name of the data set; not used.
        solution_str: the output.
        ground_truth: the key, or several.
        extra_info: may hold the question as "problem" or "question".
    """
    extra = extra_info or {}
    problem = next((extra[name] for name in PROBLEM_COLUMNS if extra.get(name)), None)
    return 1.0 if judge_all([(ground_truth, solution_str, problem)])[0].verdict == "right" else 0.0
