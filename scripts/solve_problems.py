"""Let the solver answer one year's problems; it never sees the key.

Input `problems` (JSONL) and `solver` (prompt template); output `solutions` (JSONL, one row per
problem, sorted by id) and `responses` (JSONL, the raw requests and responses behind them, sorted by
request); params `study` and `teacher` (the teacher's settings, the solver's under `agent`).

A solution: id and problem (both the problem's id), status (`ok`, or why there is no answer),
reason, request_sha256, prompt_sha256, response_sha256, served_model, reasoning, content, answer
(of the last line `Answer: ...`, or null), finish, usage.
"""

from distil.content.files import read_jsonl, write_jsonl
from distil.teacher.agents import Prompt, final_answer, open_teacher
from distil.teacher.client import Request
from distil.teacher.responses import Reply


def solution(problem: str, request: Request, reply: Reply) -> dict:
    """Return the row of one solved problem, or of why it was not solved."""
    return {
        "id": problem,
        "problem": problem,
        "status": reply.status,
        "reason": reply.reason,
        "request_sha256": request.key,
        "prompt_sha256": request.prompt_sha256,
        "response_sha256": reply.response_sha256,
        "served_model": reply.served_model,
        "reasoning": reply.reasoning,
        "content": reply.content,
        "answer": final_answer(reply.content),
        "finish": reply.finish,
        "usage": reply.usage,
    }


def main(*, input, output, params):  # noqa: A002
    prompt = Prompt("solver", input.solver)
    problems = sorted(read_jsonl(input.problems), key=lambda row: row["id"])
    with open_teacher("solver", params.teacher, params.study) as teacher:
        requests = {row["id"]: teacher.request(prompt.fill(row)) for row in problems}
        replies = teacher.ask_all(requests.values())
        rows = [solution(name, request, replies[request.key]) for name, request in requests.items()]
        write_jsonl(output.solutions, rows)
        write_jsonl(output.responses, teacher.export(requests.values()))
    return teacher.report(replies.values())


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
