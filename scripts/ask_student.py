"""Ask a server for one run's answers: the base student, or all checkpoints of one seed.

Input `plan`, `problems`, `benchmarks`, `student_prompt`, `levels`, `system`, `student`, `adapters`:
as of predict_answers. Output `predictions` (Parquet, sorted by id: the columns of predict_answers
with the hashes of request and response; `tokens` as the server counts them, and no token ids) and
`responses` (JSONL, raw requests and responses, sorted by request). Params `study`, `run`,
`teacher` (what shapes the server's answers), `sampling`; how: how they are got (`teacher`), and
the folder that the server finds the adapters in (`adapters`; None where each is a model there).

Any OpenAI-compatible server will do; `distil adapters` lays the checkpoints out for it. Responses
are kept in the journal of the run, so a killed job asks for none twice. What the server failed to
give has no row; a failure of too many requests stops the job.
"""

import contextlib
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from distil.content.files import write_jsonl
from distil.content.hashing import canonical_json, sha256_file, sha256_once, sha256_text
from distil.lineage.record import run
from distil.student.examination import (
    Question,
    checkpoint_files,
    list_questions,
    make_row,
    served_name,
    write_predictions,
)
from distil.student.model import escape_special
from distil.student.questions import PUBLISHED, read_system
from distil.teacher.agents import open_teacher
from distil.teacher.client import Request, TeacherClient
from distil.teacher.responses import OK


def seed_of(seed: int, sample: int, message: str) -> int:
    """Return the seed of one sampled answer, so that no two questions share their draws."""
    return int(sha256_text(canonical_json([seed, sample, message]))[:8], 16) >> 1


def with_model(how: dict, host: str, base: str, name: str) -> dict:
    """Return how answers are got, where an adapter counts as a model like its base."""
    hosts = how["teacher"]["hosts"]
    models = {**hosts[host]["models"], name: hosts[host]["models"][base]}
    hosts = {**hosts, host: {**hosts[host], "models": models}}
    return {**how, "teacher": {**how["teacher"], "hosts": hosts}}


def cut(tokenizer: Any, text: str, finish: str, cap: int | None) -> tuple[str, str]:
    """Return text and finish of an answer under a lower limit, in the student's own tokens.

    A server sends no token ids, so the text is split anew: as the model wrote it, but for rare
    spellings that tokens can be joined to in several ways.
    """
    tokens = tokenizer.encode(text, add_special_tokens=False) if cap else []
    if cap is None or len(tokens) + (finish == "stop") <= cap:
        return text, finish
    return tokenizer.decode(tokens[:cap]), "length"


class Examiner:
    """Asks one run's questions at a server.

    Attributes:
        rows: of the predictions so far.
        responses: exported responses by request.
        missing: what the server failed to give, by status.
        served: names of the models that answered.
        asked: requests that were sent now.
    """

    def __init__(self, params: Any, how: dict, system: str | None, lock: str) -> None:
        self.params, self.how, self.system, self.lock = params, how, system, sha256_file(lock)[:12]
        self.tokenizer = AutoTokenizer.from_pretrained(Path(lock).parent)
        self.rows: list[dict] = []
        self.responses: dict[str, dict] = {}
        self.missing: Counter[str] = Counter()
        self.served: set[str] = set()
        self.asked = 0

    @contextlib.contextmanager
    def connect(self, name: str | None) -> Iterator[tuple[TeacherClient, dict]]:
        """Yield a client for a checkpoint's adapter (None: the base), and its requests' fields."""
        shaping, how, fields = dict(self.params.teacher), self.how, {}
        if name is not None and self.how["adapters"]:
            fields["adapters"] = f"{self.how['adapters'].rstrip('/')}/{name}"
        elif name is not None:
            how = with_model(how, shaping["host"], shaping["model"], name)
            shaping |= {"model": name, "served": [name]}
        folder = f"predictions/{self.params.run}"
        with open_teacher(
            "student", shaping, how, self.params.study, revision=self.lock, folder=folder
        ) as client:
            yield client, fields

    def request(self, client: TeacherClient, question: Question, fields: dict) -> Request:
        """Return the request of one question."""
        if self.params.sampling:
            seed = seed_of(self.params.sampling["seed"], question.sample, question.message)
            fields = {**fields, "seed": seed}
        return client.request(
            escape_special(self.tokenizer, question.message),
            name=question.problem,
            sample=question.sample,
            system=self.system,
            **fields,
        )

    def examine(self, adapter: Path | None, questions: list[Question]) -> None:
        """Ask all questions of one checkpoint, or of the base (None)."""
        digest = None if adapter is None else sha256_once(adapter)
        name = None if adapter is None else served_name(self.params.run, int(adapter.stem), digest)
        with self.connect(name) as (client, fields):
            requests = [self.request(client, question, fields) for question in questions]
            replies = client.ask_all(requests, lambda reply: OK if reply.answered else reply.status)
            for question, request in zip(questions, requests, strict=True):
                reply = replies[request.key]
                if not reply.answered:
                    self.missing[reply.status] += 1
                    continue
                finish = "length" if reply.status == "length" else "stop"
                text, finish = cut(self.tokenizer, reply.text, finish, question.cap)
                row = make_row(question, None, text, finish, digest, self.system)
                tokens = reply.usage.get("completion_tokens")
                row["tokens"] = question.cap if text != reply.text else tokens
                row |= {"request_sha256": request.key, "response_sha256": reply.response_sha256}
                self.rows.append(row)
            self.responses |= {row["request_sha256"]: row for row in client.export(requests)}
            report = client.report()
        self.served |= set(report["facts"]["teacher"]["served_models"])
        self.asked += report["history"]["teacher"]["asked_now"]


def main(*, input, output, params, how):  # noqa: A002
    published = PUBLISHED in params.run.split("/")
    system = read_system(input.system) if published else None
    samples = params.sampling["samples"] if params.sampling else 1
    plan = json.loads(Path(input.plan).read_text(encoding="utf-8"))
    asked = list_questions(input, plan, published, samples)
    checkpoints = checkpoint_files(input.adapters)
    examiner = Examiner(params, how, system, input.student)
    for iteration, questions in asked.items():
        examiner.examine(None if iteration is None else checkpoints[iteration], questions)
        print(f"iteration {iteration}: {len(questions)} questions", file=sys.stderr, flush=True)
    rows, tokenizer = examiner.rows, examiner.tokenizer
    write_predictions(rows, output.predictions, sampled=bool(params.sampling), served=True)
    write_jsonl(output.responses, [examiner.responses[key] for key in sorted(examiner.responses)])
    messages = {question.message for questions in asked.values() for question in questions}
    return {
        "facts": {
            "rows": len(rows),
            "cut_answers": sum(row["finish"] == "length" for row in rows),
            "escaped_prompts": sum(escape_special(tokenizer, m) != m for m in messages),
            "unanswered": dict(sorted(examiner.missing.items())),
            "served_models": sorted(examiner.served),
        },
        "history": {"asked_now": examiner.asked},
    }


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
