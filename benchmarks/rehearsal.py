"""Rehearsal of the paper study: its rules on real papers, before anything is paid or trained.

    python -m benchmarks.rehearsal                    # every paper at hand: make rehearsal
    python -m benchmarks.rehearsal --small            # four years, 60 questions of MATH-500
    python -m benchmarks.rehearsal --student FOLDER   # a locked model in place of a random one

The study file is config.paper.yaml with as few changes as a machine without a paid host and a GPU
allows; `write_study` makes them all. The papers and the transcription are those of a download of
the public release. The teacher is a host on loopback that answers each problem with the release's
own trace of it (`ReplayHost`). The student is a Qwen2 of random 4-bit weights with 32,768
positions, so that no number of the claims table means anything: the title says REHEARSAL. Every
stage runs as it would: reading, matching, asking, distilling, training, answering, grading, claims.
Then it is exported, `distil verify` must find nothing, and `check_results` holds what came out
against the transcription. The exit code is 1 if anything differs.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from distil.content.files import read_jsonl, write_atomically
from distil.content.hashing import canonical_json, sha256_file, sha256_text
from distil.notation.normal import normal_form
from distil.release.files import PAPERS, SECTIONS
from distil.release.transcriptions import read_transcription
from distil.synthetic.teacher import stream

ROOT = Path(__file__).resolve().parents[1]
STUDY = "rehearsal"
# Where the study file, the papers and the model of a rehearsal lie: all of it git ignores.
CONFIG = Path("config.rehearsal.yaml")
FOLDER = Path("build", STUDY)
# Where the public release and MATH-500 are looked for, beside what was named.
SHARED = ROOT.parent / "shared" / "data"
SMALL_YEARS = (2012, 2015, 2018, 2024)
SMALL_BENCHMARK = 60
# The levels that are rehearsed, and the release's trace that is replayed at each.
LEVELS = {"R1": "reasoning_1", "R6": "reasoning_5"}
STATEMENT = re.compile(r"^Problem: (.*?)(?=\n\n(?:Reasoning|Key|Reply|Worked)|\Z)", re.M | re.S)
SHAPE = {"hidden": 64, "layers": 2, "heads": 2, "feed_forward": 128, "positions": 32768}
VOCABULARY = 1024


# -------------------------------------------------------------------------------------- the study


def find_release(named: Path | None) -> Path:
    """Return the folder of a download of the public release.

    Raises:
        FileNotFoundError: there is none; the message says what to bring.
    """
    places = [named] if named else [ROOT / "resources/jobmc-release", SHARED / "jobmc-release"]
    for place in places:
        if (place / "datafile").is_dir() and (place / PAPERS).is_dir():
            return place
    raise FileNotFoundError(
        f"{places[0]}: no download of the public release (datafile/, {PAPERS}/, "
        "reasoning_chain.csv); name one: make rehearsal FOLDER=path/to/download"
    )


def find_math500(named: Path | None) -> Path:
    """Return the file of MATH-500.

    Raises:
        FileNotFoundError: there is none; the message says what to bring.
    """
    places = [ROOT / "resources/math500/test.jsonl", SHARED / "math500/test.jsonl"]
    for place in [named] if named else places:
        if place.is_file():
            return place
    raise FileNotFoundError("no MATH-500; bring it (distil fetch paper) or name --math500")


def write_manifest(release: Path, years: tuple[int, ...] | None) -> list[int]:
    """Write the manifest of the checked papers that a download holds; return their years."""
    manifest = yaml.safe_load((ROOT / "resources/jobmc/exams.yaml").read_text(encoding="utf-8"))
    papers = [
        paper
        for paper in manifest["papers"]
        if (release / PAPERS / paper["file"]).is_file()
        and paper["tests"] != "unchecked"
        and (years is None or paper["year"] in years)
    ]
    content = yaml.safe_dump({"folder": "pdfs", "papers": papers}, sort_keys=False)
    FOLDER.mkdir(parents=True, exist_ok=True)
    write_atomically(FOLDER / "exams.yaml", content.encode())
    return sorted({paper["year"] for paper in papers})


def write_benchmark(source: Path, items: int | None) -> dict[str, str]:
    """Put MATH-500, or its first items, in place; return its entry of the study file."""
    target = FOLDER / "math500.jsonl"
    lines = source.read_bytes().splitlines(keepends=True)
    write_atomically(target, b"".join(lines[:items]))
    return {"file": target.as_posix(), "sha256": sha256_file(target)}


def fold_years(years: list[int], parts: dict[str, list[int]]) -> dict[str, list[int]]:
    """Return a fold of the years at hand, each in the part that the paper study gives it.

    Where a part would be empty, the years are cut in order of time: the last for the test, the one
    before for validation.
    """
    found = {part: [year for year in listed if year in years] for part, listed in parts.items()}
    if all(found.values()):
        return found
    return {"train": years[:-2], "validation": years[-2:-1], "test": years[-1:]}


def write_study(release: Path, math500: Path, address: str, model: str, small: bool) -> None:
    """Write the rehearsal's study file: the paper study's with the changes below and no others."""
    config = yaml.safe_load((ROOT / "config.paper.yaml").read_text(encoding="utf-8"))
    years = write_manifest(release, SMALL_YEARS if small else None)
    config["study"] = STUDY
    config["title"] = "REHEARSAL: replayed traces and a random model; no number here is a result"
    config["rehearsal"] = True
    config["exams"] |= {"manifest": (FOLDER / "exams.yaml").as_posix(), "years": years}
    folder = FOLDER / "release"
    for year in years:
        (folder / "datafile").mkdir(parents=True, exist_ok=True)
        name = f"datafile/{year}.json"
        write_atomically(folder / name, (release / name).read_bytes())
    config["problems"] |= {"source": "transcription", "transcription": folder.as_posix()}
    items = SMALL_BENCHMARK if small else None
    config["benchmark_files"] = {"math500": write_benchmark(math500, items)}
    for host in config["teacher"]["hosts"].values():
        host |= {"base_url": address, "api_key_env": None}
    config["levels"] = config["predictions"]["levels"] = list(LEVELS)
    config["folds"]["temporal"] = fold_years(years, config["folds"]["temporal"])
    if small:
        del config["folds"]["released"]
    config["student"] = {
        "model": model,
        "pretraining": None,
        "resources": {"gpu": 0, "memory_mb": 8000, "minutes": 60},
    }
    config["adapters"] |= {
        "protocols": ["prompt"] if small else ["prompt", "adapter"],
        "seeds": [1, 2],
        "horizon": 2 if small else 10,
        "evaluate_every": 1 if small else 5,
        "checkpoints": [1, 2] if small else [5, 10],
        # In the small one some rows are longer: they must be counted.
        "max_tokens": 512 if small else 2048,
        "layers": SHAPE["layers"],
        "validation_rows": 4 if small else 32,
    }
    config["predictions"] |= {"max_tokens": 8 if small else 16}
    config["claims"]["bootstrap"]["replicates"] = 200
    write_atomically(CONFIG, yaml.safe_dump(config, sort_keys=False, width=100).encode())


def make_model(folder: Path, release: Path) -> None:
    """Make a Qwen2 of random 4-bit weights, with a tokenizer fitted on the release's traces.

    The layout is that of mlx-community's 4-bit models: groups of 64, scales in bfloat16.
    """
    from distil.student.blas import load_blas

    load_blas()  # before mlx, or it has no effect
    import mlx.core as mx
    from mlx import nn
    from mlx.utils import tree_flatten

    from distil.student.model import lock_model
    from distil.synthetic import pretraining

    if (folder / "model.lock.json").is_file():
        return
    texts = [row[name] for row in read_chains(release).values() for name in LEVELS.values()]
    tokenizer = pretraining.fit_tokenizer(texts, VOCABULARY)
    # Like the real one without tied embeddings; with them a random model repeats its prompt's end.
    config = pretraining.model_config(tokenizer, SHAPE) | {"tie_word_embeddings": False}
    model = pretraining.create_model(config, seed=1)
    model.set_dtype(mx.bfloat16)
    config |= {"dtype": "bfloat16", "quantization": {"group_size": 64, "bits": 4}}
    nn.quantize(model, **config["quantization"])
    pretraining.write_tokenizer(tokenizer, config, folder)
    weights = dict(tree_flatten(model.parameters()))
    mx.save_safetensors(str(folder / "model.safetensors"), weights, metadata={"format": "mlx"})
    lock_model(folder)


# ------------------------------------------------------------------------------------ the teacher


def read_chains(release: Path) -> dict[str, dict[str, str]]:
    """Return the release's traces of each problem, {id: row of reasoning_chain.csv}."""
    csv.field_size_limit(1 << 24)
    with (release / "reasoning_chain.csv").open(encoding="utf-8", newline="") as stream:
        return {
            "-".join(
                (
                    row["year"],
                    SECTIONS[row["section"]],
                    row["question_id"].removeprefix("question_").zfill(2).lower(),
                )
            ): row
            for row in csv.DictReader(stream)
        }


class ReplayHost:
    """An OpenAI-compatible host on loopback that answers with the release's traces.

    The solver gets the full trace as reasoning and the key as answer; the distiller gets the trace
    of the level that its prompt asks for; the verifier compares key and answer as texts. A problem
    without a trace is answered with `Answer: none`.

    Args:
        release: the folder of the download.

    Attributes:
        answered: requests by agent, and by `unknown` those of problems without a trace.
    """

    def __init__(self, release: Path) -> None:
        self.answered: Counter[str] = Counter()
        chains = read_chains(release)
        self._traces = {
            normal_form(problem["statement"]): chains[problem["id"]]
            for path in sorted((release / "datafile").glob("*.json"))
            for problem in read_transcription(path, int(path.stem))
            if problem["id"] in chains
        }
        levels = yaml.safe_load((ROOT / "resources/prompts/paper/levels.yaml").read_text("utf-8"))
        self._instructions = {levels[name]["distiller"].strip(): name for name in LEVELS}

    def __enter__(self) -> str:
        host = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                request = json.loads(body)
                response = host.complete(request)
                streamed = bool(request.get("stream"))
                text = stream(response, usage=True) if streamed else canonical_json(response)
                data = text.encode()
                self.send_response(200)
                kind = "text/event-stream" if streamed else "application/json"
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
                self.wfile.flush()

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

        self._server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def complete(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the body of the response to one chat completion request."""
        prompt = request["messages"][-1]["content"]
        message = {"role": "assistant", **self._answer(request["model"], prompt)}
        words = {"prompt_tokens": len(prompt.split())}
        words["completion_tokens"] = sum(len(text.split()) for text in message.values())
        return {
            "id": f"replay-{sha256_text(canonical_json([request['model'], prompt]))[:24]}",
            "object": "chat.completion",
            "created": 1767225600,
            "model": request["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {**words, "total_tokens": sum(words.values())},
        }

    def _answer(self, model: str, prompt: str) -> dict[str, str]:
        """The texts of a response: content, and reasoning where the model reasons."""
        key = re.search(r"^Key: (.*)\nAnswer: (.*)", prompt, re.M)
        if key:
            self.answered["verifier"] += 1
            agree = normal_form(key[1]) == normal_form(key[2])
            return {"content": "CORRECT" if agree else "INCORRECT"}
        found = STATEMENT.search(prompt)
        trace = self._traces.get(normal_form(found[1].strip())) if found else None
        if trace is None:
            self.answered["unknown"] += 1
            return {"content": "Answer: none", "reasoning_content": "I have no trace of this."}
        conclusion = f"Answer: {trace['true_answer']}"
        if "R1" in model:
            self.answered["solver"] += 1
            return {"reasoning_content": trace["reasoning_1"], "content": conclusion}
        self.answered["distiller"] += 1
        level = next((name for text, name in self._instructions.items() if text in prompt), "R1")
        return {"content": f"{trace[LEVELS[level]].strip()}\n{conclusion}"}


# ------------------------------------------------------------------------------------- the checks


def check_results(release: Path) -> Iterator[tuple[str, Any, Any]]:
    """Hold a finished rehearsal against its study file and the transcription.

    Yields:
        What is compared, what is expected and what is there.
    """
    config = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    results = Path("results", STUDY)
    years, listed = config["exams"]["years"], {}
    for paper in yaml.safe_load(Path(config["exams"]["manifest"]).read_text("utf-8"))["papers"]:
        names = {test["section"] for test in paper["tests"] if "section" in test}
        listed.setdefault(paper["year"], set()).update(names)
    rows, typed = [], {}
    for year in years:
        own = read_jsonl(results / f"problems/{year}.jsonl")
        rows += own
        path = release / "datafile" / f"{year}.json"
        typed |= {row["id"]: row for row in read_transcription(path, year)}
        read = {row["section"] for row in read_jsonl(results / f"extractions/{year}.jsonl")}
        yield f"{year}: sections that were read", sorted(listed[year]), sorted(read)
    facts = [record["facts"] for record in read_records("correct_problems")]
    out = {name for one in facts for ids in one["kept_out"].values() for name in ids}
    real = {name for name, row in typed.items() if "placeholder" not in row["flags"]}
    yield "problems of the study", sorted(real - out), sorted(row["id"] for row in rows)
    placed = [row for row in rows if row["extracted_id"]]
    moved = [row["id"] for row in placed if row["extracted_id"].split("-")[1] != row["section"]]
    yield "problems that stand in another section than typed", [], moved
    others = [row["id"] for row in rows if row["statement"] != typed[row["id"]]["statement"]]
    yield "problems with another text than typed", [], others
    flagged = sum("unplaced" in row["flags"] for row in rows)
    yield "problems without a place that say so", flagged, len(rows) - len(placed)
    yield from check_numbers(config, results, rows)


def check_numbers(
    config: dict[str, Any], results: Path, rows: list[dict[str, Any]]
) -> Iterator[tuple[str, Any, Any]]:
    """Hold n of the claims and what token limits cut against the rows themselves."""
    import pandas as pd

    claims = pd.read_csv(results / "claims/claims.csv")
    base = claims[(claims["id"] == "C1") & (claims["estimand"] == "in_sample")]
    yield "n of the base's accuracy in sample", [len(rows)], base["n"].astype(int).tolist()
    title = config["title"].split(":")[0]
    told = title in (results / "claims/claims.md").read_text(encoding="utf-8")
    yield "the claims table is labelled", True, told
    for record in read_records("predict_answers"):
        (path,) = [file["path"] for file in record["output"]]
        answers = pd.read_parquet(path)
        cut = int((answers["finish"] == "length").sum())
        yield f"{path}: answers that were cut", cut, record["facts"]["cut_answers"]
        yield f"{path}: prompts over the positions", 0, record["facts"]["overlong_prompts"]
    limit = config["adapters"]["max_tokens"]
    for path in sorted(results.glob("adapters/*/*/seed-*/training.json")):
        train = json.loads(path.read_text(encoding="utf-8"))["train"]
        yield (
            f"{path}: rows over {limit} tokens are counted",
            True,
            (train["truncated_rows"] > 0 or train["longest"] <= limit),
        )


def read_records(rule: str) -> list[dict[str, Any]]:
    """Return the records of a rule's jobs."""
    folder = Path("results", STUDY, "lineage", rule)
    paths = [*folder.rglob("*.json")] if folder.is_dir() else [folder.with_suffix(".json")]
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(paths)]


# -------------------------------------------------------------------------------------- the whole


def run(*command: str) -> int:
    """Run a command in the repository's root, shown as it is typed; return its exit code."""
    print("$", " ".join(command), flush=True)
    tools = {"snakemake": ["-m", "snakemake"], "distil": ["-m", "distil"]}
    return subprocess.run(
        [sys.executable, *tools[command[0]], *command[1:]], cwd=ROOT, check=False
    ).returncode


def target(small: bool) -> str:
    """Return the stage up to which a rehearsal runs."""
    return "primary" if small else "levels"


def rehearse(release: Path, math500: Path, student: Path | None, small: bool, cores: int) -> int:
    """Run the whole rehearsal; return 0 if nothing differs from what is expected."""
    model = student or FOLDER / "model"
    host = ReplayHost(release)
    with host as address:
        write_study(release, math500, address, model.as_posix(), small)
        if student is None:
            make_model(model, release)
        snakemake = (
            "snakemake",
            "--cores",
            str(cores),
            "--configfile",
            str(CONFIG),
            "--quiet",
            "all",
        )
        steps = (
            ("distil", "fetch", STUDY, "--from", str(release)),
            (*snakemake, "--", "problems"),
            ("distil", "estimate", STUDY),
            (*snakemake, "--", target(small)),
        )
        for step in steps:
            if code := run(*step):
                print(f"rehearsal: stopped, exit code {code}")
                return 1
    print("requests:", ", ".join(f"{name} {n}" for name, n in sorted(host.answered.items())))
    crate = FOLDER / "crate"
    shutil.rmtree(crate, ignore_errors=True)
    faults = 0
    faults += run("distil", "export", str(crate), "--study", STUDY) != 0
    faults += run("distil", "verify", "--study", STUDY) != 0
    return 1 if faults + report(release) else 0


def report(release: Path) -> int:
    """Print the claims table and every comparison that differs; return how many do."""
    print((Path("results", STUDY) / "claims/claims.md").read_text(encoding="utf-8"))
    total = faults = 0
    for what, expected, seen in check_results(release):
        total += 1
        if expected != seen:
            faults += 1
            print(f"differs: {what}: expected {expected}, seen {seen}")
    print(f"rehearsal: {total} comparisons, {faults} differ")
    return faults


def main() -> int:
    """Read the command line and rehearse."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--small", action="store_true", help="four years, few of everything")
    parser.add_argument("--release", type=Path, help="a download of the public release")
    parser.add_argument("--math500", type=Path, help="MATH-500's test.jsonl")
    parser.add_argument("--student", type=Path, help="a locked model; a random one unless given")
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--check", action="store_true", help="only compare what a run left")
    given = parser.parse_args()
    try:
        math500 = find_math500(given.math500)
        release = find_release(given.release)
    except FileNotFoundError as error:
        raise SystemExit(f"rehearsal: {error}") from None
    if given.check:
        return 1 if report(release) else 0
    return rehearse(release.resolve(), math500.resolve(), given.student, given.small, given.cores)


if __name__ == "__main__":
    raise SystemExit(main())
