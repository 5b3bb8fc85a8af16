"""Stages of the workflow: which rule stands in which file of rules, and where its jobs log."""

from __future__ import annotations

import re
from pathlib import Path

_RULE = re.compile(r"^\s*(?:rule|checkpoint) (\w+):", re.M)
_INCLUDE = re.compile(r'^\s*include: "(rules/\w+\.smk)"', re.M)
_LOG = re.compile(r'^\s*log:\s*"([^"]+)"', re.M)


def read_stages(folder: Path) -> dict[str, str]:
    """Return {rule: stage} in the order in which the Snakefile includes the files of rules.

    Args:
        folder: the repository's root.
    """
    return {rule: stage for rule, (stage, _) in _rules(folder).items()}


def read_logs(folder: Path) -> dict[str, str]:
    """Return {rule: path of its jobs' logs, with wildcards in braces}; of those that log."""
    return {rule: log for rule, (_, log) in _rules(folder).items() if log}


def _rules(folder: Path) -> dict[str, tuple[str, str]]:
    found = {}
    for name in _INCLUDE.findall((folder / "Snakefile").read_text(encoding="utf-8")):
        _, *parts = _RULE.split((folder / name).read_text(encoding="utf-8"))
        for rule, body in zip(parts[::2], parts[1::2], strict=True):
            log = _LOG.search(body)
            found[rule] = Path(name).stem, log[1] if log else ""
    return found
