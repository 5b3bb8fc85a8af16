"""Let the verifier compare each distilled answer with the key; only verified traces train.

Input `problems` (JSONL, with the keys), `distillations` (JSONL) and `verifier` (prompt template);
output `traces` (JSONL, one row per distillation, sorted by id) and `responses` (JSONL, raw requests
and responses, sorted by request); params `study`, `traces` (train_unknown) and `teacher` (what
shapes the verifier's answers); how: how they are got.

A trace is its distillation and: verified (may it train), verifier (CORRECT, INCORRECT or null),
grader (our own grader's verdict: right, wrong, unknown or null), verifier_request_sha256,
verifier_response_sha256, verifier_served_model. It is verified if the verifier says CORRECT and the
grader says right, or unknown where the study file lets such traces train. Every other trace keeps
its status and reason; besides those of the distillation: `no-key`, `incorrect` (the verifier's
word), `unclear` (neither word), `grader-disagrees`, `grader-unknown`, and `verifier-STATUS` where
the verifier gave no answer.
"""

from distil.content.files import read_jsonl, write_jsonl
from distil.grading.grading import judge_all
from distil.teacher.agents import Prompt, open_teacher, render_options, verifier_word
from distil.teacher.client import Request
from distil.teacher.responses import Reply
from distil.teacher.settings import TracesSettings


def graded(problem: dict, row: dict) -> tuple[str, str, str]:
    """Return what our own grader compares: the key, the answer line, and the question."""
    question = "\n".join([problem["statement"], render_options(problem["options"])]).strip()
    return problem["answer"], f"Answer: {row['answer']}", question


def accept(reply: Reply) -> str:
    """Return a verifier's reply's status: one of its two words is wanted."""
    if reply.status == "ok" and verifier_word(reply.content) is None:
        return "unclear"
    return reply.status


def verify(
    row: dict,
    request: Request | None,
    reply: Reply | None,
    grade: str | None,
    *,
    train_unknown: bool = False,
) -> dict:
    """Return the trace of one distillation.

    Args:
        row: the distillation.
        request: what the verifier was asked, or None if there was nothing to verify.
        reply: what it said.
        grade: our own grader's verdict, or None if there was nothing to grade.
        train_unknown: whether a trace that the grader could not judge may train.
    """
    trace = row | {
        "verified": False,
        "verifier": None,
        "grader": grade,
        "verifier_request_sha256": request.key if request else None,
        "verifier_response_sha256": reply.response_sha256 if reply else None,
        "verifier_served_model": reply.served_model if reply else None,
    }
    if row["status"] != "ok":
        return trace
    if request is None or reply is None:
        return trace | {"status": "no-key", "reason": "the problem has no key to verify against"}
    if reply.status != "ok":
        return trace | {"status": f"verifier-{reply.status}", "reason": reply.reason}
    word = trace["verifier"] = verifier_word(reply.content)
    if word is None:
        return trace | {"status": "unclear", "reason": "neither CORRECT nor INCORRECT"}
    if word == "INCORRECT":
        return trace | {"status": "incorrect", "reason": "the verifier says INCORRECT"}
    if grade == "wrong":
        return trace | {
            "status": "grader-disagrees",
            "reason": "the verifier says CORRECT, our own grader says wrong",
        }
    if grade == "unknown" and not train_unknown:
        return trace | {
            "status": "grader-unknown",
            "reason": "the verifier says CORRECT, our own grader cannot tell",
        }
    return trace | {"verified": True}


def main(*, input, output, params, how):  # noqa: A002
    prompt = Prompt("verifier", input.verifier)
    problems = {row["id"]: row for row in read_jsonl(input.problems)}
    rows = sorted(read_jsonl(input.distillations), key=lambda row: row["id"])
    asked = [row for row in rows if row["status"] == "ok" and problems[row["problem"]]["answer"]]
    pairs = [graded(problems[row["problem"]], row) for row in asked]
    verdicts = judge_all(pairs, workers=1)  # the jobs of all years run at once
    grades = {row["id"]: verdict.verdict for row, verdict in zip(asked, verdicts, strict=True)}
    with open_teacher("verifier", params.teacher, how, params.study) as teacher:
        requests = {
            row["id"]: teacher.request(
                prompt.fill(
                    problems[row["problem"]],
                    reasoning=row["text"],
                    answer=row["answer"],
                    key=problems[row["problem"]]["answer"],
                ),
                name=row["id"],
            )
            for row in asked
        }
        replies = teacher.ask_all(requests.values(), accept)
        traces = []
        for row in rows:
            request = requests.get(row["id"])
            reply = replies[request.key] if request else None
            traces.append(
                verify(
                    row,
                    request,
                    reply,
                    grades.get(row["id"]),
                    train_unknown=TracesSettings(**params.traces).train_unknown,
                )
            )
        write_jsonl(output.traces, traces)
        write_jsonl(output.responses, teacher.export(requests.values()))
        return teacher.report()


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
