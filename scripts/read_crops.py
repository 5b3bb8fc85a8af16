"""Let a vision model read the crops of one year's flagged problems; it is shown no text of them.

Input: `extracted`, the year's problems (JSONL); `crops`, their pictures; `reader`, the prompt.
Output: `readings` (JSONL, one row a picture that was asked about, sorted by id); `responses`
(JSONL, the raw requests and responses behind them, sorted by request).
Params: `study`; `teacher` (what shapes the vision model's answers). How: how they are got.

A reading: id (PROBLEM.WHAT), problem, what (`statement` or `key`), flags (the doubts it is about),
status (`ok`, `illegible`, or why there is no answer), reason, text (null without one), agrees (with
the extraction; null without a text), crop_sha256, request_sha256, prompt_sha256, response_sha256,
served_model, content, finish, usage.
"""

from collections.abc import Mapping
from typing import Any

from distil.content.files import read_jsonl, write_jsonl
from distil.review.crops import read_crops
from distil.review.vision_readings import agree, doubts, extracted_text, read_text
from distil.teacher.agents import Prompt, open_teacher
from distil.teacher.client import Request, TeacherClient
from distil.teacher.responses import Reply

SHOWN = {"statement": "text", "key": "answer, as the key of the paper gives it,"}


def reading(
    problem: dict[str, Any], what: str, crop: dict[str, Any], request: Request, reply: Reply
) -> dict[str, Any]:
    """Return the row of one picture that was read, or of why it was not."""
    text = read_text(reply.content, what, problem["number"]) if reply.status == "ok" else None
    status = "illegible" if reply.status == "ok" and text is None else reply.status
    return {
        "id": f"{problem['id']}.{what}",
        "problem": problem["id"],
        "what": what,
        "flags": sorted(doubts(problem)[what]),
        "status": status,
        "reason": reply.reason,
        "text": text,
        "agrees": None if text is None else agree(extracted_text(problem, what), text),
        "crop_sha256": crop["png_sha256"],
        "request_sha256": request.key,
        "prompt_sha256": request.prompt_sha256,
        "response_sha256": reply.response_sha256,
        "served_model": reply.served_model,
        "content": reply.content,
        "finish": reply.finish,
        "usage": reply.usage,
    }


def requests_of(
    reader: TeacherClient, prompt: Prompt, problems: Mapping[str, Any], crops: Mapping
) -> dict[tuple[str, str], Request]:
    """Return the request about each picture of which something is doubted: {(problem, what): it}.

    Args:
        reader: the vision model's client.
        prompt: what it is asked.
        problems: {id: the problem as extracted}.
        crops: the pictures, as `distil.review.crops.read_crops` gives them.
    """
    wanted = [(name, what) for name in sorted(problems) for what in sorted(doubts(problems[name]))]
    return {
        (name, what): reader.request(
            prompt.fill(problems[name], what=SHOWN[what], number=problems[name]["number"]),
            crops[name, what]["png"],
            name=f"{name}.{what}",
        )
        for name, what in wanted
    }


def main(*, input: Any, output: Any, params: Any, how: Any) -> dict[str, Any]:  # noqa: A002
    prompt = Prompt("reader", input.reader)
    crops = read_crops(input.crops)
    problems = {row["id"]: row for row in read_jsonl(input.extracted)}
    with open_teacher("reader", params.teacher, how, params.study) as reader:
        requests = requests_of(reader, prompt, problems, crops)
        replies = reader.ask_all(requests.values())
        rows = [
            reading(problems[name], what, crops[name, what], request, replies[request.key])
            for (name, what), request in requests.items()
        ]
        write_jsonl(output.readings, rows)
        write_jsonl(output.responses, reader.export(requests.values()))
        report = reader.report()
    facts = {
        "readings": len(rows),
        "agree": sum(row["agrees"] is True for row in rows),
        "disagree": sum(row["agrees"] is False for row in rows),
    }
    return {**report, "facts": {**report["facts"], **facts}}


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
