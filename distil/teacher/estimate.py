"""Estimate of a study's teacher before it is paid: requests, tokens, money and time by agent.

The solver's requests are counted one by one against the journal, and so are the vision model's.
What the other agents will be asked depends on answers that are not there yet: every solution is
taken to be right, and every text to be as long as the agent's answers so far, or half as long as
allowed.
"""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distil.teacher.agents import Prompt, open_teacher
from distil.teacher.money import CHARACTERS_PER_TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from distil.teacher.client import Request, TeacherClient

# ASSUME: what a loaded host of a large model gives one request; R1 gives 20 to 60.
TOKENS_A_SECOND = 20.0


@dataclasses.dataclass(frozen=True)
class Line:
    """What one agent will be asked.

    Attributes:
        agent: solver, distiller, verifier, reader (the vision model) or judge.
        host: name of its host.
        model: its model.
        requests: of the whole study.
        stored: of these, how many are answered already.
        prompt_tokens: of the rest, likely.
        answer_tokens: of the rest, likely.
        likely: money for the rest.
        highest: the most that the rest can cost.
        hours: for the rest, with all slots of the host in use.
    """

    agent: str
    host: str
    model: str
    requests: int
    stored: int
    prompt_tokens: float
    answer_tokens: float
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
    lines, reasoning = [], 0.0
    for agent in ("solver", "distiller", "verifier"):
        with asking_nobody(agent, agents[agent], how, study) as client:
            if agent == "solver":
                prompt = Prompt("solver", prompts["solver"])
                requests = [
                    client.request(prompt.fill(problem), sample=sample)
                    for problem in problems
                    for sample in range(agents[agent]["samples"])
                ]
                lines.append(count(client, requests))
                reasoning = client.usual_answer() * CHARACTERS_PER_TOKEN
            else:
                template = Path(prompts[agent]).read_text(encoding="utf-8")
                lines.append(guess(client, len(template) + reasoning, traces))
    return lines


@contextlib.contextmanager
def asking_nobody(
    agent: str, shaping: Mapping[str, Any], how: Mapping[str, Any], study: str
) -> Iterator[TeacherClient]:
    """Yield a client of an agent that knows the study's journal and sends nothing."""
    replay = {"teacher": {**how["teacher"], "mode": "replay"}}
    with open_teacher(agent, shaping, replay, study) as client:
        client.journal.refresh()
        yield client


def count(client: TeacherClient, requests: Sequence[Request]) -> Line:
    """Return the line of an agent whose requests are known, each held against the journal."""
    missing = [request for request in requests if client.stored(request) is None]
    prompts = sum(
        client.settings.price.prompt_tokens(request.prompt, request.picture_tokens)
        for request in missing
    )
    cost = client.estimate(missing)
    return _line(client, len(requests), len(missing), prompts, cost["likely"], cost["highest"])


def guess(client: TeacherClient, characters: float, requests: int) -> Line:
    """Return the line of an agent of whose requests only the number is known.

    Args:
        client: of the agent.
        characters: of a usual prompt.
        requests: how many there are.
    """
    sums = client.journal.ledger.sums
    stored = sum(
        entry.count
        for group, entry in sums.items()
        if (group.agent, group.host, group.status) == (client.agent, client.host, "ok")
    )
    missing, price = max(0, requests - stored), client.settings.price
    usual = "x" * round(characters)
    likely = missing * price.expected(usual, client.usual_answer())
    # A distillation may be asked for twice, and its solution be as long as the solver's longest.
    tries = 2 if client.agent == "distiller" else 1
    highest = missing * tries * price.worst_case(usual, client.settings.agent.max_tokens)
    prompts = missing * price.prompt_tokens(usual)
    return _line(client, requests, missing, prompts, likely, highest)


def _line(
    client: TeacherClient,
    requests: int,
    missing: int,
    prompts: float,
    likely: float,
    highest: float,
) -> Line:
    settings, answers = client.settings, missing * client.usual_answer()
    seconds = answers / TOKENS_A_SECOND / settings.host.concurrency
    return Line(
        client.agent, settings.agent.host, settings.agent.model, requests, requests - missing,
        prompts, answers, likely, highest, seconds / 3600,
    )  # fmt: skip


def as_text(lines: Sequence[Line], currency: str, cap: float, spent: float) -> str:
    """Return an estimate as text of at most 100 columns."""
    head = f"{'':48} {'':6} {'tokens to come':>19}\n"
    head += f"{'agent':9} {'host':9} {'model':18} {'requests':>9} {'stored':>6} {'prompts':>9} "
    text = [head + f"{'answers':>9} {'likely':>8} {'at most':>8} {'hours':>6}"]
    text += [
        f"{line.agent:9} {line.host[:9]:9} {line.model[-18:]:18} {line.requests:9d} "
        f"{line.stored:6d} {line.prompt_tokens:9.0f} {line.answer_tokens:9.0f} "
        f"{line.likely:8.2f} {line.highest:8.2f} {line.hours:6.1f}"
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
