"""Estimate of a study by stage before it is paid for or trained: money, hours, memory and disk.

The teacher is counted request by request against its journal (`distil.teacher.estimate`). Training
and answering are counted from the plans themselves: runs, steps, validation batches and answers.
Hours are these counts times a speed: the one that `distil check --device` measured here, or, as
long as there is none, that of the published study's log.

    training hours  = (steps x seconds a step + validation batches x seconds a batch) / 3600
    answering hours = answers x tokens an answer / tokens a second / 3600

A training, and the answers of one run, take one GPU. On several GPUs the hours on the clock are
those of a schedule that starts the longest first; answering begins when all trainings have ended.
"""

from __future__ import annotations

import heapq
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from distil.content.addresses import split_level
from distil.content.files import read_jsonl
from distil.content.scripts import load_script
from distil.datasets.splits import needed_levels, year_of
from distil.review.crops import read_crops
from distil.student.examination import select_problems
from distil.study.device import read_speed
from distil.study.inventory import LINES, open_named
from distil.study.shape import Study
from distil.teacher import estimate
from distil.teacher.agents import Prompt
from distil.teacher.client import Request
from distil.teacher.journal import Journal
from distil.teacher.settings import RunSettings

# The published study's log (TERMINAL.md of its release): iterations and tokens a second of a Mac.
# A validation batch is one forward pass, which is taken for a third of a step.
PUBLISHED_SPEED = {"step_seconds": 1 / 0.066, "batch_seconds": 1 / 0.066 / 3, "tokens_a_second": 65}
# The words of an answer at the first level, times what English and LaTeX take of a tokenizer.
TOKENS_A_WORD = 1.6
FIRST_LEVEL_WORDS = 261  # mean of the published student's answers to MATH-500
GPUS = (2, 4, 8)  # numbers of GPUs for which hours on the clock are told


def print_estimate(name: str, files: Sequence[Path] = ()) -> int:
    """Print what a study will take, stage by stage; return exit code 0.

    Args:
        name: the study.
        files: its study files where there are more than the one that names it.

    Raises:
        ValueError: the study trains nothing, or its files cannot be used.
    """
    study, where = open_named(name, files)
    if not isinstance(study, Study):
        raise ValueError(f"{name}: a re-analysis of a release asks no teacher")  # noqa: TRY004
    paths = [Path(file) for file in study.problems()]
    problems = [row for file in paths if file.is_file() for row in read_jsonl(file)]
    missing = [file for file in paths if not file.is_file()]
    lines, notes = _reader(study, where)
    if not missing:
        lines += _agents(study, problems)
        lines += _judge(study, problems)
    if any(line.agent == "judge" for line in lines):
        notes.append("judge: at most one request an answer; equal answers are asked once")
    if lines:
        print("\n".join(["traces", *_teacher_text(study, lines)]))
    if notes or lines:
        print("\n".join([*notes, ""]))
    if missing:
        known = _selected(study)
        judged = " and the judge's" if study.config["grading"]["judge"] else ""
        print(
            f"{missing[0]}: not there; the teacher's{judged} requests are counted once the exams "
            f"were read: snakemake --cores 1 --configfile {where} -- problems"
        )
        if not known:
            return 0
        traces = count_traces(study, known)
        print(
            f"until then, problems are the {len(known)} of "
            f"{study.config['problems']['selection']}: "
            f"{len(known) * study.teacher('solver')['samples']:,} requests to the solver, at "
            f"most {traces:,} each to distiller and verifier\n"
        )
        problems = known
    print("\n".join(describe(study, problems)))
    return 0


def _selected(study: Study) -> list[dict[str, Any]]:
    """The problems of the selection, which stand in for those that were not read yet."""
    return [
        {"id": name, "year": year_of(name), "answer": "unread"}
        for year in study.years
        for name, row in (study.selected(year) or {}).items()
        if row["note"] != "placeholder"
    ]


def count_traces(study: Study, problems: Sequence[Mapping[str, Any]]) -> int:
    """Return how many texts the distiller is asked for if every solution is right."""
    years = {row["id"]: row["year"] for row in problems if row["year"] in study.traced_years}
    keyed = {row["id"] for row in problems if row["answer"]}
    needed = needed_levels(years, study.level_choice(), study.levels)
    return sum(len(levels) for problem, levels in needed.items() if problem in keyed)


def _agents(study: Study, problems: Sequence[Mapping[str, Any]]) -> list[estimate.Line]:
    return estimate.estimate(
        study.name,
        {agent: study.teacher(agent) for agent in ("solver", "distiller", "verifier")},
        study.how(),
        {agent: study.prompt(f"{agent}.txt") for agent in ("solver", "distiller", "verifier")},
        problems,
        count_traces(study, problems),
    )


def _reader(study: Study, where: Path) -> tuple[list[estimate.Line], list[str]]:
    """Return the line of the vision model, where there is one, and what cannot be counted yet."""
    if not study.vision:
        return [], []
    script = load_script("read_crops")
    requests: dict[tuple[str, str], Request] = {}
    places = list(zip(map(Path, study.extractions()), map(Path, study.crops()), strict=True))
    made = [pair for pair in places if all(path.is_file() for path in pair)]
    with estimate.asking_nobody("reader", study.reader(), study.how(), study.name) as client:
        prompt = Prompt("reader", study.prompt("reader.txt"))
        for extracted, crops in made:
            rows = {row["id"]: row for row in read_jsonl(extracted)}
            requests |= script.requests_of(client, prompt, rows, read_crops(crops))
        lines = [estimate.count(client, list(requests.values()))] if made else []
    notes = []
    if left := len(places) - len(made):
        notes.append(
            f"{left} of {len(places)} years have no pictures yet, so the reader's requests about "
            f"them are not known: snakemake --cores 1 --configfile {where} -- "
            f"results/{study.name}/crops/YEAR.parquet"
        )
    return lines, notes


def _judge(study: Study, problems: Sequence[Mapping[str, Any]]) -> list[estimate.Line]:
    """Return the line of the judge, where there is one: of each answer to a problem with a key."""
    keyed = [row for row in problems if row["answer"]]
    if not study.config["grading"]["judge"] or not keyed:
        return []
    prompt = Prompt("judge", study.prompt("judge.txt"))
    texts = [prompt.fill(row, answer=row["answer"], key=row["answer"]) for row in keyed]
    samples = study.sampling["samples"] if study.sampling else 1
    answers = samples * sum(count_answers(study, keyed, capped=True).values())
    answers += len(keyed) * study.teacher("solver")["samples"]
    with estimate.asking_nobody("judge", study.judge(), study.how(), study.name) as client:
        return [estimate.guess(client, sum(map(len, texts)) / len(texts), answers)]


def _teacher_text(study: Study, lines: Sequence[estimate.Line]) -> list[str]:
    section = study.config["teacher"]
    journal = Journal(Path("state") / study.name / "teacher")
    journal.refresh()
    currency = section.get("currency", RunSettings.currency)
    cap = section.get("money_cap", RunSettings.money_cap)
    return estimate.as_text(lines, currency, cap, journal.charged()).splitlines()


# ----------------------------------------------------------------------------- training, answering


def describe(study: Study, problems: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Say in lines what training and answering take.

    Args:
        study: the study.
        problems: rows with id, year and answer.
    """
    speed = read_speed(study.name)
    used = speed or PUBLISHED_SPEED
    horizon = study.config["adapters"]["horizon"]
    batches, lines = count_training(study, problems)
    steps = len(batches) * horizon
    hours = [
        (horizon * used["step_seconds"] + count * used["batch_seconds"]) / 3600 for count in batches
    ]
    yield "training"
    yield (
        f"  {len(batches)} runs of {horizon:,} iterations: {steps:,} steps, {sum(batches):,} "
        f"validation batches of {study.config['adapters']['batch_size']} rows"
    )
    for line in lines:
        yield f"  {line}"
    yield (
        f"  {sum(hours):,.1f} hours = ({steps:,} x {used['step_seconds']:.2f} s + "
        f"{sum(batches):,} x {used['batch_seconds']:.2f} s) / 3600"
    )
    yield from _on_several(hours)
    yield from _answering(study, problems, used)
    yield from _room(study, speed)
    yield (
        f"speed: measured here on {speed['device']} ({speed['backend']}), batches of "
        f"{speed['batch_size']}"
        if speed
        else "speed: not measured here, so that of the published study's log; measure it with "
        f"distil check {study.name} --device"
    )


def _answering(
    study: Study, problems: Sequence[Mapping[str, Any]], used: Mapping[str, float]
) -> Iterator[str]:
    answers = count_answers(study, problems)
    longest = study.config["predictions"]["max_tokens"]
    mean = used.get("answer_tokens") or min(longest, FIRST_LEVEL_WORDS * TOKENS_A_WORD)
    samples = study.sampling["samples"] if study.sampling else 1
    total = samples * sum(answers.values())
    hours = [samples * count * mean / used["tokens_a_second"] / 3600 for count in answers.values()]
    yield "answers"
    yield (
        f"  {total:,} answers at most, {samples * answers['base']:,} of them the base's, with "
        "every stop at a checkpoint of its own"
    )
    yield (
        f"  {sum(hours):,.1f} hours = {total:,} x {mean:.0f} tokens / "
        f"{used['tokens_a_second']:.0f} tokens a second / 3600; with every answer at the limit "
        f"of {longest:,} tokens {longest / mean:.1f} times as many"
    )
    if not study.served:
        yield from _on_several(hours)


def _on_several(hours: Sequence[float]) -> Iterator[str]:
    """Say how many hours on the clock jobs take that need so many hours each, on several GPUs."""
    told = [f"{schedule(hours, gpus):,.1f} on {gpus}" for gpus in GPUS if gpus <= len(hours)]
    if told:
        yield f"  hours on the clock with more GPUs: {', '.join(told)}"


def schedule(hours: Sequence[float], gpus: int) -> float:
    """Return when the last job ends if a GPU that is free takes the longest that is left."""
    busy = [0.0] * gpus
    for job in sorted(hours, reverse=True):
        heapq.heapreplace(busy, busy[0] + job)
    return max(busy)


def count_training(
    study: Study, problems: Sequence[Mapping[str, Any]]
) -> tuple[list[int], list[str]]:
    """Return the validation batches of each run, and what is to be said of each dataset's rows.

    Every problem with a key counts with each level that the plan takes of it: traces that are
    dropped and duplicates that are removed make the datasets smaller.
    """
    adapters = study.config["adapters"]
    batches: list[int] = []
    lines = []
    evaluations = -(-adapters["horizon"] // adapters["evaluate_every"]) + 1
    limit = adapters["validation_rows"]
    for fold, parts in study.folds.items():
        for variant in study.variants:
            counts = {}
            for part in ("train", "validation"):
                listed = set(parts[part])
                own = {
                    row["id"]: row["year"]
                    for row in problems
                    if row["answer"] and listed & {row["id"], row["year"]}
                }
                plan = study.level_choice() | {
                    "folds": {fold: {"train": parts[part], "validation": []}},
                    "variants": [variant],
                }
                counts[part] = sum(map(len, needed_levels(own, plan, study.levels).values()))
            taken = min(counts["validation"], limit or counts["validation"])
            batches += [evaluations * -(-taken // adapters["batch_size"])] * len(study.all_seeds)
            lines.append(
                f"{fold}, {variant}: at most {counts['train']:,} training and "
                f"{counts['validation']:,} validation rows, {taken:,} of these measured "
                f"{evaluations} times a run"
            )
    return batches, lines


def count_answers(
    study: Study, problems: Sequence[Mapping[str, Any]], *, capped: bool = False
) -> Counter[str]:
    """Return the most answers of each run: its plan with every stop at another place.

    Args:
        study: the study.
        problems: rows with id, year and answer.
        capped: count those of capped levels too, which are judged and not asked for.
    """
    plans = load_script("plan_predictions")
    asked = SimpleNamespace(**study.examination())
    sizes = {name: _size(study, name) for name in asked.benchmarks[1:]}
    known: dict[str, list[dict[str, Any]]] = {
        name: [{"id": str(number)} for number in range(size)] for name, size in sizes.items()
    }
    known["competition"] = [dict(row) for row in problems]

    def count(plan: Sequence[Mapping[str, Any]]) -> int:
        # A capped level is a longer answer, cut: nothing more is asked for it.
        asking = (item for item in plan if capped or split_level(item["level"])[1] is None)
        return sum(len(select_problems(item, known)) for item in asking)

    counts = Counter(base=count(plans.plan_base(asked)))
    places = [*study.checkpoints[-1:], *study.checkpoints[:-1]]
    for fold in study.folds:
        for variant in study.variants:
            for seed in study.seeds:
                chosen = {
                    kind: {
                        "iteration": places[number % len(places)],
                        str(seed): places[number % len(places)],
                    }
                    for number, kind in enumerate(asked.stops)
                }
                plan = plans.plan_seed(chosen, seed, study.folds[fold], variant, asked)
                counts[f"{fold}/{variant}/seed-{seed}"] = count(plan)
    return counts


def _size(study: Study, benchmark: str) -> int:
    """The questions of a benchmark: as its file has them, or as are known of it."""
    sources = [
        Path(study.results, "benchmarks", f"{benchmark}.jsonl"),
        Path(study.config["benchmark_files"].get(benchmark, {}).get("file", "")),
    ]
    for path in sources:
        if path.is_file():
            with path.open("rb") as stream:
                return sum(1 for line in stream if line.strip())
    typeset = study.config["exams"].get("typeset", {})
    return LINES.get(benchmark, typeset.get("transfer", 0))


# ---------------------------------------------------------------------------------- memory, disk


def adapter_bytes(config: Mapping[str, Any], rank: int, layers: int) -> int:
    """Return the bytes of a checkpoint: float32 LoRA matrices of a layer's seven projections.

    Args:
        config: the model's config.json.
        rank: of the matrices.
        layers: that have them; -1 for all.
    """
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    heads = config["num_attention_heads"]
    width = config.get("head_dim") or hidden // heads
    keys = width * config.get("num_key_value_heads", heads)
    sums = 2 * (hidden + width * heads) + 2 * (hidden + keys) + 3 * (hidden + inner)
    count = config["num_hidden_layers"] if layers < 0 else layers
    return 4 * rank * sums * count


def _room(study: Study, speed: Mapping[str, Any] | None) -> Iterator[str]:
    yield "memory and disk"
    measured = (
        f"; measured {speed['training_mb']:,} MB in training, {speed['answering_mb']:,} MB in "
        "answering" if speed else ""
    )  # fmt: skip
    memory = study.config["student"]["resources"]["memory_mb"]
    yield f"  memory: {memory:,} MB for each job with the model{measured}"
    path = Path(study.student("config.json"))
    if not path.is_file():
        yield f"  disk: known once {path} is there"
        return
    adapters = study.config["adapters"]
    size = adapter_bytes(json.loads(path.read_text("utf-8")), adapters["rank"], adapters["layers"])
    runs = len(study.folds) * len(study.variants) * len(study.all_seeds)
    saved = runs * len(study.checkpoints) * size
    model = sum(file.stat().st_size for file in path.parent.iterdir() if file.is_file())
    yield (
        f"  disk: {saved / 1e9:,.1f} GB of adapters = {runs} runs x {len(study.checkpoints)} "
        f"checkpoints x {size / 1e6:,.1f} MB, and as much again while a run lasts times three "
        f"(optimizer); the model {model / 1e9:,.1f} GB"
    )
