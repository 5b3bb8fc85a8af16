"""Single answers that the public release holds: which files, how they are read, what is missing.

The release's own clone command brings the teacher's answers and those of each level's adapter; two
runs of the tuned student on the competition stand at an earlier commit only. A download may lack
any of them: what is there is read and graded, what is not is named with the command that gets it.
Every answer stands beside the verdict of the release's own judge, a chat model.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distil.release.files import COMMIT, LEVELS, SECTIONS

EARLIER = "e85153c"
# What the release's judge says, and what it is here; anything else is no verdict.
JUDGED = {"CORRECT": "right", "INCORRECT": "wrong"}


@dataclass(frozen=True)
class Run:
    """One set of answers in the release.

    Attributes:
        name: Our name of it, as in ids of rows.
        file: The file below the download.
        role: teacher or student.
        benchmark: competition or math500.
        level: R1 ... R5 for the adapters of the levels, else None.
        commit: The commit that holds the file.
        what: What it is, in words.
    """

    name: str
    file: str
    role: str
    benchmark: str = "competition"
    level: str | None = None
    commit: str = COMMIT
    what: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are read."""
        place = ["unique_id", "problem"]
        if self.benchmark == "competition":
            place = ["year", "section", "question_id", "question"]
        said = ["agent1_answer", "agent1_reasoning", "agent2_verdict"]
        if self.role == "student":
            said = ["qwen_response", "deepseek_verdict"]
        return (*place, "true_answer", *said)

    @property
    def remedy(self) -> str:
        """How to get the file."""
        return f"git -C FOLDER show {self.commit[:7]}:{self.file} > FOLDER/{self.file}"


RUNS = (
    Run("teacher", "results.csv", "teacher", what="the teacher on all questions"),
    *(
        Run(
            f"student-{level.lower()}", f"runs/{folder}/results.csv", "student", level=level,
            what=f"the adapter of level {level}",
        )
        for level, folder in LEVELS.items()
    ),
    Run(
        "student-200", "qwen_tuned_results_200iterations.csv", "student", commit=EARLIER,
        what="the published adapter, 200 iterations",
    ),
    Run(
        "student-other", "qwen_tuned_results.csv", "student", commit=EARLIER,
        what="another adapter, by name and log that of 1,000 iterations",
    ),
    Run(
        "math500-teacher", "qwen_tuned_math500_results.csv", "teacher", "math500", commit=EARLIER,
        what="the teacher on MATH-500",
    ),
    Run(
        "math500-student", "qwen_tuned_math500_results.csv", "student", "math500", commit=EARLIER,
        what="the tuned student on MATH-500",
    ),
)  # fmt: skip


def answer_files(folder: str | Path) -> list[str]:
    """Return the files of single answers that a download holds."""
    files = dict.fromkeys(run.file for run in RUNS)
    return [str(Path(folder, file)) for file in files if Path(folder, file).is_file()]


def read_run(folder: str | Path, run: Run) -> list[dict[str, Any]]:
    """Read the answers of one run; nothing where the download lacks its file.

    Args:
        folder: The download.
        run: One of `RUNS`.

    Returns:
        Rows with run, problem, statement, key, output, judged (right, wrong or unknown by the
        release's judge), words and line (of the file, where the row ends).

    Raises:
        ValueError: A column is missing, or a question has two answers.
    """
    path = Path(folder, run.file)
    if not path.is_file():
        return []
    csv.field_size_limit(10**7)
    rows: dict[str, dict[str, Any]] = {}
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        missing = [name for name in run.columns if name not in (reader.fieldnames or ())]
        if missing:
            raise ValueError(f"{path}: no column {', '.join(missing)}; restore it: {run.remedy}")
        for row in reader:
            problem = _problem(run, row)
            if problem in rows:
                raise ValueError(
                    f"{path}:{reader.line_num}: a second answer to {problem}; restore it: "
                    f"{run.remedy}"
                )
            rows[problem] = {
                "run": run.name,
                "problem": problem,
                "statement": row["question" if run.benchmark == "competition" else "problem"],
                "key": row["true_answer"],
                "output": _output(run, row),
                "judged": JUDGED.get(row[run.columns[-1]].strip(), "unknown"),
                "words": len(_said(run, row).split()),
                "line": reader.line_num,
            }
    return list(rows.values())


def _problem(run: Run, row: dict[str, str]) -> str:
    if run.benchmark == "math500":
        subject, number = Path(row["unique_id"]).with_suffix("").parts[-2:]
        return f"math500-{subject.replace('_', '-')}-{number}"
    number = row["question_id"].removeprefix("question_").zfill(2).lower()
    return f"{row['year']}-{SECTIONS[row['section']]}-{number}"


def _said(run: Run, row: dict[str, str]) -> str:
    return row["qwen_response" if run.role == "student" else "agent1_reasoning"] or ""


def _output(run: Run, row: dict[str, str]) -> str:
    """The text to grade: a response as it is; of the teacher, the field that holds its answer."""
    if run.role == "student":
        return row["qwen_response"] or ""
    answer = (row["agent1_answer"] or "").strip()
    return f"\\boxed{{{answer}}}" if answer else row["agent1_reasoning"] or ""
