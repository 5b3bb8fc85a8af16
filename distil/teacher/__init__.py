"""The teacher: three agents behind an OpenAI-compatible API, each response paid for once and kept.

`open_teacher` yields the client of one agent; `Prompt` and the readers of `agents` turn problems
into prompts and answers into rows. The journal under `state/` holds every request and raw response.
"""

from distil.teacher.agents import (
    JobStopped,
    Prompt,
    final_answer,
    open_teacher,
    read_instructions,
    render_options,
    verifier_word,
)
from distil.teacher.client import Request, TeacherClient
from distil.teacher.journal import Journal, JournalError
from distil.teacher.responses import Reply
from distil.teacher.settings import TeacherError, TeacherSettings, TeacherStopped

__all__ = [
    "JobStopped",
    "Journal",
    "JournalError",
    "Prompt",
    "Reply",
    "Request",
    "TeacherClient",
    "TeacherError",
    "TeacherSettings",
    "TeacherStopped",
    "final_answer",
    "open_teacher",
    "read_instructions",
    "render_options",
    "verifier_word",
]
