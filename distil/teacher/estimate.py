"""Estimate of a study's teacher before it is paid: requests, money and time by agent.

The solver's requests are counted one by one against the journal. What the other agents will be
asked depends on answers that are not there yet: every solution is taken to be right, and every text
to be as long as the agent's answers so far, or half as long as allowed.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distil.teacher.agents import Prompt, open_teacher

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from distil.teacher.client import TeacherClient

# ASSUME: what a loaded host of a large model gives one request; R1 gives 20 to 60.
TOKENS_A_SECOND = 20.0
_CHARACTERS_PER_TOKEN = 3.5


@dataclasses.dataclass(frozen=True)
class Line:
    """What one agent will be asked.

    Attributes:
        agent: solver, distiller or verifier.
        host: name of its host.
        model: its model.
        requests: of the whole study.
        stored: of these, how many are answered already.
        likely: money for the rest.
        highest: the most that the rest can cost.
        hours: for the rest, with all slots of the host in use.
    """

    agent: str
    host: str
    model: str
    requests: int
    stored: int
    likely: float
    highest: float
    hours: float


def estimate(
    study: str,
    agents: Mapping[str, Mapping[str, Any]],
    how: Mapping[str, Any],
    prompts: Mapping[str, str | Path],
    problems: Sequence[Mapping[str, Any]],
    traces: int,
) -> list[Line]:
    """Return a line for each agent.

    Args:
        study: its name, for the journal.
        agents: what shapes the answers of solver, distiller and verifier.
        how: how answers are got.
        prompts: the agents' prompt files.
        problems: all problems that the solver is asked.
        traces: how many texts the distiller is asked for.
    """
    asking_nobody = {"teacher": {**how["teacher"], "mode": "replay"}}
    lines, reasoning = [], 0.0
    for agent in ("solver", "distiller", "verifier"):
        with open_teacher(agent, agents[agent], asking_nobody, study) as client:
            client.journal.refresh()
            if agent == "solver":
                prompt = Prompt("solver", prompts["solver"])
                lines.append(_solver(client, prompt, problems, agents[agent]["samples"]))
                reasoning = client.usual_answer() * _CHARACTERS_PER_TOKEN
            else:
                template = Path(prompts[agent]).read_text(encoding="utf-8")
                lines.append(_other(client, len(template) + reasoning, traces))
    return lines


def _solver(
    client: TeacherClient, prompt: Prompt, problems: Iterable[Mapping[str, Any]], samples: int
) -> Line:
    requests = [
        client.request(prompt.fill(problem), sample=sample)
        for problem in problems
        for sample in range(samples)
    ]
    missing = [request for request in requests if client.stored(request) is None]
    cost = client.estimate(missing)
    return _line(client, len(requests), len(missing), cost["likely"], cost["highest"])


def _other(client: TeacherClient, characters: float, traces: int) -> Line:
    sums = client.journal.ledger.sums
    stored = sum(
        entry.count
        for group, entry in sums.items()
        if (group.agent, group.host, group.status) == (client.agent, client.host, "ok")
    )
    missing, price = max(0, traces - stored), client.settings.price
    usual = "x" * round(characters)
    limit = client.settings.agent.max_tokens
    likely = missing * price.expected(usual, client.usual_answer())
    # A distillation may be asked for twice, and its solution be as long as the solver's longest.
    tries = 2 if client.agent == "distiller" else 1
    return _line(client, traces, missing, likely, missing * tries * price.worst_case(usual, limit))


def _line(
    client: TeacherClient, requests: int, missing: int, likely: float, highest: float
) -> Line:
    settings = client.settings
    seconds = missing * client.usual_answer() / TOKENS_A_SECOND / settings.host.concurrency
    return Line(
        client.agent, settings.agent.host, settings.agent.model, requests, requests - missing,
        likely, highest, seconds / 3600,
    )  # fmt: skip


def as_text(lines: Sequence[Line], currency: str, cap: float, spent: float) -> str:
    """Return an estimate as text of at most 100 columns."""
    head = f"{'agent':10} {'host':12} {'model':26} {'requests':>8} {'stored':>7} "
    text = [head + f"{'likely':>10} {'at most':>10} {'hours':>6}"]
    text += [
        f"{line.agent:10} {line.host[:12]:12} {line.model[-26:]:26} {line.requests:8d} "
        f"{line.stored:7d} {line.likely:10.2f} {line.highest:10.2f} {line.hours:6.1f}"
        for line in lines
    ]
    likely = sum(line.likely for line in lines)
    text.append(
        f"likely {likely:.2f} {currency} more, at most {sum(line.highest for line in lines):.2f}; "
        f"spent {spent:.2f}, cap {cap:.2f}"
    )
    if spent + likely > cap:
        text.append("the likely cost is beyond the cap: raise teacher.money_cap")
    text.append(f"hours: at {TOKENS_A_SECOND:g} tokens a second for each request in flight")
    return "\n".join(text)
