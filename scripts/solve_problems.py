"""Let the solver answer one year's problems; it never sees the key.

Input `problems` (JSONL) and `solver` (prompt template); output `solutions` (JSONL, one row per
problem and sample, sorted by id) and `responses` (JSONL, the raw requests and responses behind
them, sorted by request); params `study` and `teacher` (what shapes the solver's answers, its number
of samples among it); how: how they are got.

A solution: id (the problem's id, from the second sample on with `.s2` and so on), problem, sample
(0 is the first), status (`ok`, or why there is no answer), answered (whether the model gave an
answer, good or bad; what the host failed at is none), reason, request_sha256, prompt_sha256,
response_sha256, served_model, reasoning, content, answer (of the last line `Answer: ...`, or
null), finish, usage.
"""

from distil.content.addresses import sample_id
from distil.content.files import read_jsonl, write_jsonl
from distil.teacher.agents import Prompt, final_answer, open_teacher
from distil.teacher.client import Request
from distil.teacher.responses import Reply


def solution(problem: str, request: Request, reply: Reply) -> dict:
    """Return the row of one answer to a problem, or of why there is none."""
    return {
        "id": sample_id(problem, request.sample),
        "problem": problem,
        "sample": request.sample,
        "status": reply.status,
        "answered": reply.answered,
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


def main(*, input, output, params, how):  # noqa: A002
    prompt = Prompt("solver", input.solver)
    problems = sorted(read_jsonl(input.problems), key=lambda row: row["id"])
    with open_teacher("solver", params.teacher, how, params.study) as teacher:
        requests = [
            (row["id"], teacher.request(prompt.fill(row), name=row["id"], sample=sample))
            for row in problems
            for sample in range(params.teacher["samples"])
        ]
        replies = teacher.ask_all(request for _, request in requests)
        rows = [solution(name, request, replies[request.key]) for name, request in requests]
        write_jsonl(output.solutions, rows)
        write_jsonl(output.responses, teacher.export(request for _, request in requests))
        return teacher.report()


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
