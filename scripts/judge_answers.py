"""Let a chat model judge every distinct answer against its key: a third grader, off by default.

Input `problems` (JSONL), `predictions` and `grades` (Parquet, in the order of `runs`) and `judge`
(prompt template); output `judgements` (Parquet, a row per answer, sorted by row) and `responses`
(JSONL, raw requests and responses, sorted by request); params `study`, `runs` and `teacher` (what
shapes the judge's answers); how: how they are got.

The judge sees the question, the key and the extracted answer; where the first grader found none,
the end of the output, so that it is a check of the extraction too. Equal questions are asked once.
An output without a text, or cut off before its answer ended, is wrong unasked; an answer without a
key, and one that the judge calls neither CORRECT nor INCORRECT, is unknown.
"""

import pyarrow as pa
import pyarrow.parquet as pq

from distil.content.files import read_jsonl, write_jsonl
from distil.teacher.agents import Prompt, open_teacher, verifier_word
from distil.teacher.client import Request
from distil.teacher.responses import Reply

# Characters of an output without an answer that the judge is shown.
END_SHOWN = 800
SCHEMA = pa.schema(
    [
        (name, pa.string())
        for name in (
            "row", "problem", "shown", "judge_verdict", "reason", "judge_request_sha256",
            "judge_response_sha256", "judge_served_model",
        )
    ]
)  # fmt: skip
COLUMNS = ["id", "problem", "text", "finish"]
WORDS = {"CORRECT": "right", "INCORRECT": "wrong"}


def shown_answer(prediction: dict, grade: dict) -> str:
    """Return what the judge is shown of an output; empty if there is nothing to judge."""
    if prediction["finish"] == "length" and grade["rule"] == "no answer":
        return ""
    return (grade["extracted"] or prediction["text"].strip()[-END_SHOWN:]).strip()


def judgement(row: dict, request: Request | None, reply: Reply | None) -> dict:
    """Return the row of one answer.

    Args:
        row: row, problem and shown.
        request: what the judge was asked, or None if it was not.
        reply: what it said.
    """
    verdict, reason = "unknown", "the problem has no key"
    if not row["shown"]:
        verdict, reason = "wrong", "no finished answer to judge"
    elif reply is not None and reply.status != "ok":
        reason = f"the judge gave no answer: {reply.status}"
    elif reply is not None:
        word = verifier_word(reply.content)
        verdict = WORDS.get(word, "unknown")
        reason = f"the judge says {word}" if word else "neither CORRECT nor INCORRECT"
    return row | {
        "judge_verdict": verdict,
        "reason": reason,
        "judge_request_sha256": request.key if request else None,
        "judge_response_sha256": reply.response_sha256 if reply else None,
        "judge_served_model": reply.served_model if reply else None,
    }


def main(*, input, output, params, how):  # noqa: A002
    prompt = Prompt("judge", input.judge)
    problems = {row["id"]: row for path in input.problems for row in read_jsonl(path)}
    rows = []
    for run, predicted, graded in zip(params.runs, input.predictions, input.grades, strict=True):
        grades = {row["id"]: row for row in pq.read_table(graded).to_pylist()}
        for row in pq.read_table(predicted, columns=COLUMNS).to_pylist():
            shown = shown_answer(row, grades[row["id"]])
            rows.append({"row": f"{run}#{row['id']}", "problem": row["problem"], "shown": shown})
    with open_teacher("judge", params.teacher, how, params.study) as teacher:
        requests = {}
        for row in rows:
            problem = problems[row["problem"]]
            if row["shown"] and problem["answer"]:
                asked = {"options": [], **problem}
                requests[row["row"]] = teacher.request(
                    prompt.fill(asked, answer=row["shown"], key=problem["answer"]),
                    name=row["row"],
                )
        replies = teacher.ask_all(requests.values())
        judged = []
        for row in sorted(rows, key=lambda row: row["row"]):
            request = requests.get(row["row"])
            judged.append(judgement(row, request, replies[request.key] if request else None))
        table = pa.Table.from_pylist(judged, SCHEMA)
        pq.write_table(table, output.judgements, compression="zstd")
        write_jsonl(output.responses, teacher.export(requests.values()))
        return teacher.report()


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
