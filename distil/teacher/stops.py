"""When a run stops by itself: a host that answers nobody, and responses that are no answers."""

from __future__ import annotations

import collections
import math
import threading
import time
from typing import TYPE_CHECKING

from distil.teacher.responses import OK, Reply
from distil.teacher.settings import EXIT_NO_ANSWERS, EXIT_UNANSWERED, TeacherStopped

if TYPE_CHECKING:
    from distil.teacher.client import TeacherClient
    from distil.teacher.settings import TeacherSettings

# Unanswered items in a row after which the host is taken to be down.
GIVE_UP_AFTER = 10
# Where a study file describes the agents that are none of `teacher.agents`.
PLACES = {
    "student": "predictions.server",
    "judge": "grading.judge",
    "reader": "problems.vision",
}
# Responses before a share of them means anything; at a job's end, before their whole does.
SHARE_OF = 20
WHOLE_OF = 2


def slow_host(settings: TeacherSettings, status: str) -> str:
    """Return what to change where a host was too slow for the settings; empty otherwise."""
    place = f"teacher.hosts.{settings.agent.host}"
    limits = {"silence": "idle_seconds", "deadline": "deadline_seconds"}
    if status not in limits:
        return ""
    limit = limits[status]
    return (
        f"; raise {place}.{limit} ({getattr(settings.host, limit):g} s), or lower "
        f"{place}.concurrency ({settings.host.concurrency}) if requests wait in line there"
    )


def remedy_of(kind: str, agent: str, settings: TeacherSettings) -> str:
    """Return what to change where many responses to an agent are no answers, in one way.

    Args:
        kind: status of the responses.
        agent: whom they are for; a label in the journal.
        settings: the agent's settings.
    """
    host, model = settings.agent.host, settings.agent.model
    place, own = f"teacher.hosts.{host}", PLACES.get(agent, f"teacher.agents.{agent}")
    if (kind, agent) == ("drift", "student"):
        return (
            f"the server should answer as {model}. An adapter that it was not given is"
            " not used: see distil adapters and docs/own-student.md. If it spells the base's"
            f" name in its own way, list that in {place}.models.NAME.served: what came is then"
            " read again"
        )
    return {
        "drift": (
            f"if that is the model you mean, list its name in {place}.models."
            f"{model}.served: what came is then read again and not paid again"
        ),
        "length": f"raise {own}.max_tokens: only these are asked again",
        "no-answer-line": f"the prompt {agent}.txt should make the model end in `Answer: ...`",
        "no-reasoning": (
            f"the host hides the reasoning; ask it to send it ({own}.extra), or take another host"
        ),
        "http-400": f"does {own} say what this host understands?",
    }.get(kind, "mend this at the host, or take another one")


class Health:
    """Whether the host answers at all."""

    def __init__(self, client: TeacherClient) -> None:
        self._client, self._run = client, client.settings.run
        self._known = client.journal.ledger.has_answered(client.host, client.settings.agent.model)
        # When the latest of the answered requests was sent.
        self._up_at = -math.inf
        self._failing_since: float | None = None
        self._given_up = 0
        self._lock = threading.Lock()

    def answered(self, sent: float) -> bool:
        """Note a response; tell whether it shows that the host takes requests.

        An answer that was on its way when requests began to fail says nothing of those after it.

        Args:
            sent: when its request was sent, on the monotonic clock.
        """
        with self._lock:
            self._known = True
            self._up_at = max(self._up_at, sent)
            if self._failing_since is not None and sent < self._failing_since:
                return False
            self._failing_since, self._given_up = None, 0
            return True

    def failed(self) -> None:
        """Note a request without a response."""
        with self._lock:
            if self._failing_since is None:
                self._failing_since = time.monotonic()

    def is_down(self, moment: float, status: str) -> bool:
        """Tell whether a host that has answered before took no request since a moment.

        Raises:
            TeacherStopped: that has lasted too long.
        """
        with self._lock:
            longest = self._run.outage_seconds
            if not longest or not self._known or self._up_at > moment:
                return False
            lasted = time.monotonic() - moment
        if lasted > longest:
            raise TeacherStopped(
                f"{self._client.host} has answered nobody for {lasted:.0f} s (the last: {status}), "
                "longer than teacher.outage_seconds",
                EXIT_UNANSWERED,
            )
        return True

    def give_up(self, reply: Reply) -> None:
        """Leave an item unanswered; too many in a row mean that the host is down.

        Raises:
            TeacherStopped: it is, or nothing has ever answered at its address.
        """
        settings = self._client.settings
        if reply.status == "connect-failed" and not self._known:
            raise TeacherStopped(
                f"{self._client.host}: nothing answers at {settings.host.base_url} "
                f"({reply.reason}); start the server, or mend "
                f"teacher.hosts.{settings.agent.host}.base_url",
                EXIT_UNANSWERED,
            )
        with self._lock:
            self._given_up += 1
            if self._given_up < GIVE_UP_AFTER:
                return
        raise TeacherStopped(
            f"{self._client.host} has left {GIVE_UP_AFTER} requests in a row unanswered "
            f"(the last: {reply.status} {reply.reason}){slow_host(settings, reply.status)}",
            EXIT_UNANSWERED,
        )


class Quality:
    """Whether a job's responses are answers; many that are none stop it, and are not final.

    A host that spells its model in its own way, a limit that is too low, a prompt that a model
    misunderstands: each fails every item alike, and is noticed after a few, or at the job's end.
    """

    def __init__(self, client: TeacherClient) -> None:
        self._client, self._run = client, client.settings.run
        self._row = 0
        self._row_of = OK
        self._stopping = False
        self._kinds: list[str] = []
        self._reasons: dict[str, str] = {}
        self._poor: dict[str, list[str]] = collections.defaultdict(list)
        self._seen = 0
        asked = client.agent, client.host, client.settings.agent.model
        self._stops = client.journal.ledger.stops[asked]
        self._known_stops = len(self._stops)
        self._lock = threading.Lock()

    def look(self, attempt: str, verdict: str, reply: Reply) -> None:
        """Note a response.

        Raises:
            TeacherStopped: too many in a row are no answers, in the same way.
        """
        with self._lock:
            self._seen += 1
            if verdict != OK:
                self._poor[verdict].append(attempt)
                self._reasons[verdict] = reply.reason
            if self._stopping:
                return  # it was on its way when the run stopped
            self._row = self._row + 1 if verdict == self._row_of else 1
            self._row_of = verdict
            limit = self._run.stop_after
            poor = sum(map(len, self._poor.values()))
            in_a_row = verdict != OK and limit and self._row >= limit
            too_many = self._seen >= SHARE_OF and poor > self._run.stop_share * self._seen
            if not in_a_row and not too_many:
                return
            self._stopping = True
            self._kinds = [verdict] if in_a_row else list(self._poor)
        if in_a_row:
            raise self._stop(verdict, f"{limit} responses in a row are no answers")
        raise self._stop(self._most(), f"{poor} of {self._seen} responses are no answers")

    def follow(self) -> None:
        """Stop if another job of the study did since this one began: it asks the same host alike.

        Raises:
            TeacherStopped: one did.
        """
        if len(self._stops) == self._known_stops:
            return
        kind, said = self._stops[-1]
        with self._lock:
            if not self._stopping:
                self._stopping, self._kinds = True, [kind]
        raise TeacherStopped(f"another job has stopped: {said}", EXIT_NO_ANSWERS)

    def end(self) -> None:
        """Look at all responses of a job that has no more to ask, those of former runs too.

        Raises:
            TeacherStopped: none is an answer, and some were asked for now.
        """
        client = self._client
        if not client.asked or self._run.takes_all:
            return
        poor: dict[str, list[str]] = collections.defaultdict(list)
        for attempt, reply in client.replies.responses():
            verdict = client.verdict(reply)
            if verdict == OK:
                return
            # What is left of another model is unanswered, and within teacher.max_unanswered.
            if verdict != "drift":
                poor[verdict].append(attempt)
                self._reasons[verdict] = reply.reason
        count = sum(map(len, poor.values()))
        if count < WHOLE_OF:
            return
        self._poor, self._kinds = poor, list(poor)
        stopped = self._stop(self._most(), f"{count} of {count} responses are no answers")
        self.conclude()
        raise stopped

    def conclude(self) -> None:
        """Void the responses of the kinds that stopped the run, once all is drained.

        Not those of a row alone: others of the kind came before it, between the last answers.
        """
        for kind in self._kinds:
            # What was cut is asked again where the limit is raised, and else cut again.
            if kind != "length":
                self._client.journal.void(self._poor[kind], kind)

    def _most(self) -> str:
        return max(self._poor, key=lambda kind: len(self._poor[kind]))

    def _stop(self, kind: str, what: str) -> TeacherStopped:
        """Return what stops the job, and tell those of other years, which ask alike."""
        client, model = self._client, self._client.settings.agent.model
        remedy = remedy_of(kind, client.agent, client.settings)
        stopped = TeacherStopped(
            f"{client.host}: {what}: {kind} ({self._reasons[kind]}). Remedy: {remedy}. Then "
            "the same command goes on, and asks these again (teacher.stop_after: 0 with "
            "teacher.stop_share: 1 takes them as they are)",
            EXIT_NO_ANSWERS,
        )
        stop = {"agent": client.agent, "host": client.host, "model": model, "said": stopped.cause}
        client.journal.void([], kind, stop)
        return stopped
