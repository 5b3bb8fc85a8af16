"""Let the distiller rewrite each solution at each level, from the solver's reasoning alone.

Input `problems` and `solutions` (JSONL), `distiller` (prompt template) and `levels` (YAML, what the
distiller is told for each level); output `distillations` (JSONL, one row per problem and level,
sorted by id) and `responses` (JSONL, raw requests and responses, sorted by request); params
`study`, `levels` and `teacher` (the teacher's settings, the distiller's under `agent`).

A distillation: id (`PROBLEM.LEVEL`), problem, level, status, reason, text, words, answer (of its
last line, `Answer: ...`), served_model, solution_response_sha256, request_sha256, prompt_sha256,
response_sha256, usage. Besides the statuses of a reply: `no-solution` (the solver gave none),
`no-answer-line` (the last line is not `Answer: ...`).
"""

from distil.content.files import read_jsonl, write_jsonl
from distil.teacher.agents import Prompt, final_answer, open_teacher, read_instructions
from distil.teacher.client import Request
from distil.teacher.responses import Reply


def solver_text(solution: dict) -> str:
    """Return what the distiller sees of a solution: the reasoning, then the solver's own answer."""
    return "\n\n".join(part for part in (solution["reasoning"], solution["content"]) if part)


def distillation(
    problem: str, level: str, solution: dict, request: Request | None, reply: Reply | None
) -> dict:
    """Return the row of one problem at one level; without a reply, there was nothing to rewrite."""
    row = {
        "id": f"{problem}.{level}",
        "problem": problem,
        "level": level,
        "status": "no-solution",
        "reason": f"the solver's answer is {solution['status']}",
        "text": "",
        "words": 0,
        "answer": None,
        "served_model": None,
        "solution_response_sha256": solution["response_sha256"],
        "request_sha256": None,
        "prompt_sha256": None,
        "response_sha256": None,
        "usage": {},
    }
    if request is None or reply is None:
        return row
    row |= {
        "status": reply.status,
        "reason": reply.reason,
        "text": reply.content,
        "words": len(reply.content.split()),
        "served_model": reply.served_model,
        "request_sha256": request.key,
        "prompt_sha256": request.prompt_sha256,
        "response_sha256": reply.response_sha256,
        "usage": reply.usage,
    }
    if reply.status == "ok":
        # The student learns to end in its answer, so the answer line must be the last.
        row["answer"] = final_answer(reply.content.splitlines()[-1])
        if row["answer"] is None:
            row |= {"status": "no-answer-line", "reason": "the last line is not `Answer: ...`"}
    return row


def main(*, input, output, params):  # noqa: A002
    prompt = Prompt("distiller", input.distiller)
    instructions = read_instructions(input.levels, params.levels)
    problems = {row["id"]: row for row in read_jsonl(input.problems)}
    solutions = sorted(read_jsonl(input.solutions), key=lambda row: row["problem"])
    with open_teacher("distiller", params.teacher, params.study) as teacher:
        requests = {
            (solution["problem"], level): teacher.request(
                prompt.fill(
                    problems[solution["problem"]],
                    reasoning=solver_text(solution),
                    instruction=instruction,
                )
            )
            for solution in solutions
            if solution["status"] == "ok"
            for level, instruction in instructions.items()
        }
        replies = teacher.ask_all(requests.values())
        rows = []
        for solution in solutions:
            for level in instructions:
                request = requests.get((solution["problem"], level))
                reply = replies[request.key] if request else None
                rows.append(distillation(solution["problem"], level, solution, request, reply))
        write_jsonl(output.distillations, sorted(rows, key=lambda row: row["id"]))
        write_jsonl(output.responses, teacher.export(requests.values()))
    return teacher.report(replies.values())


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
