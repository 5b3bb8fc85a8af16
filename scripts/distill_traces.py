"""Let the distiller rewrite each right solution at the levels that train, from its reasoning alone.

Input `problems` (JSONL of all years that train or validate: which levels a problem needs depends on
them all) and `solutions` (JSONL of one year), `distiller` and `repair` (prompt templates) and
`levels` (YAML: what the distiller is told for each level, and the words it should take); output
`distillations` (JSONL, one row per problem and level, sorted by id) and `responses` (JSONL, raw
requests and responses, sorted by request); params `study`, `year`, `levels`, `plan` (folds,
variants, levels_per_problem), `traces` (protocol, repair_beyond, train_unknown) and `teacher` (what
shapes the distiller's answers); how: how they are got.

The key decides only which solutions are worth a distillation; no prompt here holds it. Of several
samples the first right one is taken. A distillation that does not end in its answer line, or whose
words lie too far from the level's target, is asked for once more, with what was wrong with it.

A distillation: id (`PROBLEM.LEVEL`), problem, level, status, reason, text, words, target_words
(null where levels.yaml names none), repaired (the text is that of the second try), answer (of its
last line, `Answer: ...`), served_model, solution_response_sha256, request_sha256, prompt_sha256,
response_sha256, usage. Besides the statuses of a reply: `no-solution` (the solver gave none),
`no-key`, `wrong-solution` and `unknown-solution` (in our own grader's eyes), `no-longer-level`
(chained: the level before is missing), `no-answer-line` (the last line is not `Answer: ...`).
"""

from collections.abc import Mapping, Sequence

from distil.content.files import read_jsonl, write_jsonl
from distil.datasets.splits import needed_levels
from distil.grading.grading import judge_all
from distil.teacher.agents import (
    Instruction,
    Prompt,
    final_answer,
    open_teacher,
    read_instructions,
    render_options,
)
from distil.teacher.client import Request, TeacherClient
from distil.teacher.responses import OK, Reply
from distil.teacher.settings import TracesSettings


def chosen_solutions(
    solutions: Sequence[Mapping], problems: Mapping[str, Mapping], *, take_unknown: bool
) -> dict[str, tuple[Mapping, str]]:
    """Return {problem id: (solution, why it is not distilled; empty if it is)}.

    Of several samples the first one that our own grader calls right is taken, else the first.
    """
    keyed = [row for row in solutions if row["status"] == OK and problems[row["problem"]]["answer"]]
    pairs = [graded_solution(problems[row["problem"]], row) for row in keyed]
    verdicts = judge_all(pairs, workers=1)  # the jobs of all years run at once
    grades = {row["id"]: verdict.verdict for row, verdict in zip(keyed, verdicts, strict=True)}
    wanted = ("right", "unknown") if take_unknown else ("right",)
    found: dict[str, tuple[Mapping, str]] = {}
    for row in sorted(solutions, key=lambda row: (row["problem"], row["sample"])):
        if row["status"] != OK:
            why = "no-solution"
        elif row["id"] not in grades:
            why = "no-key"
        elif grades[row["id"]] in wanted:
            why = ""
        else:
            why = f"{grades[row['id']]}-solution"
        if row["problem"] not in found or (found[row["problem"]][1] and not why):
            found[row["problem"]] = (row, why)
    return found


def graded_solution(problem: Mapping, solution: Mapping) -> tuple[str, str, str]:
    """Return what our own grader compares: the key, the solver's answer, and the question."""
    question = "\n".join([problem["statement"], render_options(problem["options"])]).strip()
    return problem["answer"], solution["content"], question


def solver_text(solution: Mapping) -> str:
    """Return what the distiller sees of a solution: the reasoning, then the solver's own answer."""
    return "\n\n".join(part for part in (solution["reasoning"], solution["content"]) if part)


REASONS = {
    "no-solution": "the solver's answer is {status}",
    "no-key": "the problem has no key, so that nothing could be verified",
    "wrong-solution": "our own grader calls the solver's answer wrong",
    "unknown-solution": "our own grader cannot judge the solver's answer",
    "no-longer-level": "the level before it, which it is written from, is missing",
}


def empty_row(problem: str, level: str, solution: Mapping, target: int | None, why: str) -> dict:
    """Return the row of a problem and level for which nothing was asked."""
    return {
        "id": f"{problem}.{level}",
        "problem": problem,
        "level": level,
        "status": why,
        "reason": REASONS[why].format(status=solution["status"]),
        "text": "",
        "words": 0,
        "target_words": target,
        "repaired": False,
        "answer": None,
        "served_model": None,
        "solution_response_sha256": solution["response_sha256"],
        "request_sha256": None,
        "prompt_sha256": None,
        "response_sha256": None,
        "usage": {},
    }


def accept(reply: Reply) -> str:
    """Return a distiller's reply's status: the student learns to end in its answer line."""
    if reply.status == OK and answer_of(reply) is None:
        return "no-answer-line"
    return reply.status


def answer_of(reply: Reply) -> str | None:
    """Return what the last line states as the answer; None if it is no answer line."""
    lines = reply.content.splitlines()
    return final_answer(lines[-1]) if lines else None


def distillation(row: dict, request: Request, reply: Reply, *, repaired: bool) -> dict:
    """Return the row of one problem at one level from the distiller's reply."""
    status = accept(reply)
    reason = reply.reason
    if status == "no-answer-line":
        reason = "the last line is not `Answer: ...`"
    return row | {
        "status": status,
        "reason": reason,
        "text": reply.content,
        "words": len(reply.content.split()),
        "repaired": repaired,
        "answer": answer_of(reply) if status == OK else None,
        "served_model": reply.served_model,
        "request_sha256": request.key,
        "prompt_sha256": request.prompt_sha256,
        "response_sha256": reply.response_sha256,
        "usage": reply.usage,
    }


def fault_of(row: Mapping, beyond: float | None) -> str:
    """Return what a second try is to mend; empty if nothing."""
    faults = []
    if row["status"] == "no-answer-line":
        faults.append("Its last line is not of the form: Answer: ...")
    target = row["target_words"]
    if target and beyond is not None and abs(row["words"] - target) > beyond * target:
        faults.append(f"It has {row['words']} words; about {target} are wanted.")
    return " ".join(faults) if row["status"] in (OK, "no-answer-line") else ""


def is_better(new: Mapping, old: Mapping) -> bool:
    """Tell whether a second try is to be kept."""
    if new["status"] != OK or old["status"] != OK:
        return new["status"] == OK
    target = old["target_words"]
    return abs(new["words"] - target) < abs(old["words"] - target)


class Distiller:
    """Asks for levels of traces, once and, where something is wrong, once more."""

    def __init__(self, teacher: TeacherClient, prompt: Prompt, repair: Prompt) -> None:
        self.teacher, self.prompt, self.repair = teacher, prompt, repair
        self.requests: list[Request] = []

    def write(
        self,
        rows: Sequence[dict],
        problems: Mapping[str, Mapping],
        sources: Mapping[str, str],
        instructions: Mapping[str, Instruction],
        beyond: float | None,
    ) -> list[dict]:
        """Return rows with what the distiller wrote.

        Args:
            rows: empty rows, one for each problem and level.
            problems: problem id to problem.
            sources: row id to the text that it is written from.
            instructions: level to what the distiller is told.
            beyond: share of the target beyond which a text is written once more; None for never.
        """
        first = self._ask(self.prompt, rows, problems, sources, instructions, {})
        faults = {row["id"]: fault for row in first if (fault := fault_of(row, beyond))}
        again = [{**row} for row in first if row["id"] in faults]
        texts = {row["id"]: {"text": row["text"], "fault": faults[row["id"]]} for row in again}
        second = self._ask(self.repair, again, problems, sources, instructions, texts)
        better = {
            new["id"]: new for new, old in zip(second, again, strict=True) if is_better(new, old)
        }
        return [better.get(row["id"], row) for row in first]

    def _ask(self, prompt, rows, problems, sources, instructions, more) -> list[dict]:
        requests = [
            self.teacher.request(
                prompt.fill(
                    problems[row["problem"]],
                    reasoning=sources[row["id"]],
                    instruction=instructions[row["level"]].text,
                    **more.get(row["id"], {}),
                ),
                name=row["id"],
            )
            for row in rows
        ]
        self.requests += requests
        replies = self.teacher.ask_all(requests, accept)
        return [
            distillation(row, request, replies[request.key], repaired=bool(more))
            for row, request in zip(rows, requests, strict=True)
        ]


def rounds(levels: Sequence[str], protocol: str) -> list[list[str]]:
    """Return the levels that are written together: all of them, or one after the other."""
    return [list(levels)] if protocol == "full" else [[level] for level in levels]


def asked_levels(needed: Sequence[str], levels: Sequence[str], protocol: str) -> list[str]:
    """Return the levels to write for a problem: in a chain, all down to the last one needed."""
    if protocol == "full" or not needed:
        return list(needed)
    return list(levels[: max(levels.index(level) for level in needed) + 1])


def distil_year(
    distiller: Distiller, chosen, needed, problems, instructions, settings
) -> list[dict]:
    """Return the rows of one year, sorted by id.

    Args:
        distiller: whom to ask.
        chosen: {problem id: (solution, why it is not distilled)}.
        needed: {problem id: levels that some dataset takes}.
        problems: {problem id: problem}.
        instructions: {level: what the distiller is told}, longest first.
        settings: protocol and repair_beyond.
    """
    levels, protocol = list(instructions), settings.protocol
    done: dict[str, dict] = {}
    sources = {name: solver_text(solution) for name, (solution, _) in chosen.items()}
    for together in rounds(levels, protocol):
        rows, texts = [], {}
        for name, (solution, why) in chosen.items():
            for level in asked_levels(needed[name], levels, protocol):
                if level not in together:
                    continue
                missing = why or ("" if name in sources else "no-longer-level")
                row = empty_row(
                    name, level, solution, instructions[level].words, missing or "no-solution"
                )
                if missing:
                    done[row["id"]] = row
                else:
                    rows.append(row)
                    texts[row["id"]] = sources[name]
        beyond = settings.repair_beyond
        for row in distiller.write(rows, problems, texts, instructions, beyond):
            done[row["id"]] = row
            if protocol == "chained":
                if row["status"] == OK:
                    sources[row["problem"]] = row["text"]
                else:
                    sources.pop(row["problem"], None)
    return [done[key] for key in sorted(done)]


def main(*, input, output, params, how):  # noqa: A002
    settings = TracesSettings(**params.traces)
    instructions = read_instructions(input.levels, params.levels)
    everything = [row for path in input.problems for row in read_jsonl(path)]
    problems = {row["id"]: row for row in everything}
    years = {row["id"]: row["year"] for row in everything}
    needed = needed_levels(years, params.plan, params.levels)
    chosen = chosen_solutions(
        read_jsonl(input.solutions), problems, take_unknown=settings.train_unknown
    )
    with open_teacher("distiller", params.teacher, how, params.study) as teacher:
        distiller = Distiller(
            teacher, Prompt("distiller", input.distiller), Prompt("repair", input.repair)
        )
        rows = distil_year(distiller, chosen, needed, problems, instructions, settings)
        write_jsonl(output.distillations, rows)
        write_jsonl(output.responses, teacher.export(distiller.requests))
        return teacher.report()


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
