"""The teacher's agents: what each is asked, and what its answer is taken for.

The solver sees a problem and never its key. The distiller rewrites the solver's reasoning at one
level and sees no key either. The verifier sees the key, and its word decides what trains. So does
the judge, where a study has one, when all is answered; its word is that of one more grader. The
reader, where there is one, sees the picture of a problem or of an answer, and no text of it.
"""

from __future__ import annotations

import contextlib
import re
import shlex
import string
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from distil.content.fingerprint import modules
from distil.content.hashing import canonical_json, sha256_text
from distil.teacher.client import TeacherClient
from distil.teacher.journal import Journal, JournalError
from distil.teacher.settings import (
    EXIT_JOURNAL,
    SIMULATED,
    TeacherError,
    TeacherSettings,
    TeacherStopped,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEFAULT_STUDY = "config.yaml"  # the file of the study that `snakemake` runs where none is named
ANSWER_LINE = re.compile(
    r"^[\s*_#>-]*(?:final\s+)?answer[\s*_]*:[\s*_]*(?P<answer>.*?)[\s*_]*$", re.IGNORECASE
)
VERDICT_LINE = re.compile(r"^(?:(?:FINAL )?(?:VERDICT|RESULT) )?(?P<word>CORRECT|INCORRECT)$")
PLACEHOLDERS = {
    "solver": {"statement", "options"},
    "distiller": {"statement", "options", "reasoning", "instruction"},
    "repair": {"statement", "options", "reasoning", "instruction", "text", "fault"},
    "verifier": {"statement", "options", "reasoning", "answer", "key"},
    "reader": {"what", "number"},
    "judge": {"statement", "options", "answer", "key"},
}
# What a prompt is no use without.
REQUIRED = {
    "solver": {"statement"},
    "distiller": {"statement"},
    "repair": {"text", "fault"},
    "verifier": {"key", "answer"},
    "reader": {"what"},
    "judge": {"key", "answer"},
}


class Prompt:
    """A prompt template of one agent.

    Args:
        agent: solver, distiller, repair (the distiller's second try), verifier, reader or judge.
        path: the template's file, with `string.Template` placeholders.

    Raises:
        TeacherError: the template asks for what the agent must not see, or leaves out what it
            has to see.
    """

    def __init__(self, agent: str, path: str | Path) -> None:
        self._template = string.Template(Path(path).read_text(encoding="utf-8").strip())
        allowed = PLACEHOLDERS[agent]
        if not self._template.is_valid():
            raise TeacherError(f"{path}: a $ that starts no placeholder; write it as $$")
        found = set(self._template.get_identifiers())
        if found - allowed:
            raise TeacherError(
                f"{path}: the {agent} is not given ${', $'.join(sorted(found - allowed))}; "
                f"use ${', $'.join(sorted(allowed))} only"
            )
        if missing := REQUIRED[agent] - found:
            raise TeacherError(
                f"{path}: ${min(missing)} is missing; put it where the {agent} should read it"
            )

    def fill(self, problem: Mapping[str, Any], **values: str) -> str:
        """Return the prompt for a problem."""
        return self._template.substitute(
            statement=problem["statement"], options=render_options(problem["options"]), **values
        )


def render_options(options: list[Mapping[str, str]]) -> str:
    """Return the choices of a problem, one a line; '' if it has none."""
    return "\n".join(f"({option['label']}) {option['text']}" for option in options)


class Instruction(NamedTuple):
    """What the distiller is told of a level.

    Attributes:
        text: how to write it.
        words: how many it should have, answer line included; None where nothing is measured.
    """

    text: str
    words: int | None


def read_instructions(path: str | Path, levels: list[str]) -> dict[str, Instruction]:
    """Read what the distiller is told for each level: {level: instruction}.

    Raises:
        TeacherError: a level has no instruction for the distiller, or words that are no number.
    """
    entries = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
    instructions = {}
    for level in levels:
        entry = entries.get(level) or {}
        text, words = entry.get("distiller"), entry.get("words")
        if not isinstance(text, str) or not text.strip():
            raise TeacherError(f"{path}: {level}.distiller: missing; say how to write this level")
        if words is not None and (
            isinstance(words, bool) or not isinstance(words, int) or words < 1
        ):
            raise TeacherError(f"{path}: {level}.words: {words!r}; give a whole number of words")
        instructions[level] = Instruction(text.strip(), words)
    return instructions


def final_answer(text: str) -> str | None:
    """Return what a text states on its last line of the form `Answer: ...`, or None."""
    for line in reversed(text.splitlines()):
        found = ANSWER_LINE.match(line)
        if found:
            return found["answer"] or None
    return None


def verifier_word(content: str) -> str | None:
    """Return CORRECT or INCORRECT if that, and nothing else, is what the verifier says; else None.

    A word that stands alone on the first or last line counts, after `Verdict:` or the like too; one
    inside a sentence does not ("this is not correct").
    """
    lines = [re.sub(r"[^A-Z]+", " ", line.upper()).strip() for line in content.splitlines()]
    lines = [line for line in lines if line]
    words = {
        found["word"] for line in (*lines[:1], *lines[-1:]) if (found := VERDICT_LINE.match(line))
    }
    return words.pop() if len(words) == 1 else None


@contextlib.contextmanager
def open_teacher(
    agent: str,
    shaping: Mapping[str, Any],
    how: Mapping[str, Any],
    study: str,
    *,
    revision: str = "",
    folder: str = "teacher",
) -> Iterator[TeacherClient]:
    """Yield a client of one agent, with the study's journal; start the simulated teacher if asked.

    Args:
        agent: solver, distiller, verifier, reader, judge or student.
        shaping: the settings that shape the agent's answers (`settings.shaping`).
        how: the settings that say how a result is got; those of the teacher under `teacher`.
        study: the study's name.
        revision: what besides the host's name decides its answers, as a model's hash; it becomes
            part of the name in content addresses.
        folder: of the journal, below state/STUDY.

    Raises:
        JobStopped: the run was stopped, or the job ends without one answer; it carries the exit
            code and the command to go on with.
    """
    settings = TeacherSettings.of(shaping, how["teacher"])
    journal = Journal(Path("state") / study / folder)
    with contextlib.ExitStack() as stack:
        base_url = None
        host = f"{settings.agent.host}@{revision}" if revision else None
        if settings.host.base_url == SIMULATED:
            from distil.synthetic import teacher as simulated_teacher

            # Its answers follow from its code, so another code is another host.
            code = modules("distil/synthetic/teacher.py")
            host = f"{SIMULATED}-{sha256_text(canonical_json(code))[:16]}"
            base_url = "http://127.0.0.1:9"
            if settings.run.mode != "replay":
                base_url = stack.enter_context(simulated_teacher.serve())
        client = TeacherClient(settings, journal, agent=agent, base_url=base_url, host=host)
        try:
            yield stack.enter_context(client)
            client.quality.end()
        except TeacherStopped as stopped:
            raise JobStopped(str(stopped), stopped.exit_code, how) from stopped
        except JournalError as error:
            raise JobStopped(str(error), EXIT_JOURNAL, how) from error


class JobStopped(SystemExit):
    """Ends a job with the exit code of what stopped it, and names the command to go on with.

    Args:
        cause: what stopped it.
        exit_code: of the job.
        how: as of `open_teacher`; `study_files` are those that the study is made of.
    """

    def __init__(self, cause: str, exit_code: int, how: Mapping[str, Any]) -> None:
        files = [shlex.quote(file) for file in how.get("study_files", [DEFAULT_STUDY])]
        chosen = f" --configfile {' '.join(files)}" if files != [DEFAULT_STUDY] else ""
        self.text = f"{cause}\nGo on with: snakemake --cores 1{chosen}"
        super().__init__(exit_code)

    def __str__(self) -> str:
        return self.text
