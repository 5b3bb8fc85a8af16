"""What a study needs from outside the repository, and what of it is there.

    for item in take_inventory(study):
        print(item.state, item.name, item.remedy)

Exam PDFs, benchmark files, the student's model and device, the hosts that are asked and their keys,
and disk.
`distil check` prints the whole list at once, `distil fetch` brings what can be had, and a dry run
counts what is missing. Nothing here sends a request.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from snakemake.utils import update_config

from distil.content.hashing import sha256_file
from distil.exams.tests import UNCHECKED
from distil.student.model import LOCK_NAME, check_model, check_unread
from distil.study.config import ConfigError, check, read_yaml
from distil.study.names import known_studies
from distil.study.shape import Study, open_study

READY, MISSING, WRONG, PLACEHOLDER, NOTE = "ready", "missing", "wrong", "placeholder", "note"
# States that keep a study from running to its end.
IN_THE_WAY = frozenset({MISSING, WRONG, PLACEHOLDER})
SIMULATED = "simulated"
# Lines of the public benchmarks that a study can name.
LINES = {"math500": 500}
# What a host's address looks like while it is only an example.
_EXAMPLE = re.compile(r"//(?:HOST|host|your|example)\b|//[^/]*\bexample\.(?:com|org)\b")
_ASSUMED = re.compile(r"#\s*ASSUME")
_COMMIT = re.compile("[0-9a-f]{40}")
FEW = 3  # things of a kind that are listed though they are ready
LEAST_FREE = 20 * 1024**3  # bytes: a 4-bit 7B model, its adapters and a study's results


@dataclass(frozen=True)
class Item:
    """One thing that a study needs.

    Attributes:
        kind: paper, tests, benchmark, model, device, teacher or disk.
        name: which one.
        state: `ready`, `missing`, `wrong`, `placeholder`, or `note` for what is only worth knowing.
        said: what is there, or what is wrong with it.
        remedy: what to do about it; empty where nothing is to be done.
    """

    kind: str
    name: str
    state: str
    said: str
    remedy: str = ""


def take_inventory(
    study: Any, config_file: str | Path | None = None, *, quick: bool = False
) -> list[Item]:
    """List what a study needs and what of it is there.

    Args:
        study: an opened study.
        config_file: its study file, for messages.
        quick: whether to take a file that is there for the right one, unread, and to leave out the
            device.
    """
    found = [*_papers(study, quick), *_tests(study, config_file)]
    if hasattr(study, "folds"):
        found += [*_benchmarks(study, quick), *_model(study, quick)]
        found += [*_device(study, quick), *_teacher(study, config_file)]
    return [*found, *_disk(study)]


def _papers(study: Any, quick: bool) -> Iterator[Item]:
    if study.config["exams"]["source"] == "typeset":
        yield Item("paper", "all", READY, "typeset by the study itself")
        return
    fetch = f"distil fetch {study.name} --from FOLDER, or put the file there"
    for name, source in study.documents.items():
        file = source.get("file")
        if not file:
            yield Item("paper", name, NOTE, f"will be downloaded from {source['url']}")
        elif not Path(file).is_file():
            yield Item("paper", name, MISSING, f"{file}: no such file", fetch)
        elif not quick and (digest := sha256_file(file)) != source["sha256"]:
            yield Item(
                "paper", name, WRONG,
                f"{file}: sha256 is {digest}, the manifest says {source['sha256']}",
                "restore the listed file, or correct the manifest if the new file is meant",
            )  # fmt: skip
        else:
            yield Item("paper", name, READY, file)


def _tests(study: Any, config_file: str | Path | None) -> Iterator[Item]:
    """Papers of which the manifest does not say yet what they hold."""
    if study.config["exams"]["source"] == "typeset":
        return
    where = config_file or "STUDY_FILE"
    for name, entry in study.manifest.items():
        if entry["tests"] == UNCHECKED:
            yield Item(
                "tests", name, PLACEHOLDER,
                "nobody has checked yet which tests the paper holds",
                f"with its PDF there, snakemake --cores 1 --configfile {where} -- "
                f"results/{study.name}/extractions/YEAR.jsonl reads it and proposes the lines for "
                "the manifest",
            )  # fmt: skip


def _benchmarks(study: Any, quick: bool) -> Iterator[Item]:
    for name, source in study.config["benchmark_files"].items():
        path = Path(source["file"])
        if not path.is_file():
            yield Item(
                "benchmark", name, MISSING, f"{path}: no such file",
                f"distil fetch {study.name}, or put the file there",
            )  # fmt: skip
            continue
        if quick:
            continue
        digest = sha256_file(path)
        with path.open("rb") as stream:
            lines = sum(1 for line in stream if line.strip())
        if digest != source["sha256"]:
            yield Item(
                "benchmark", name, WRONG,
                f"{path}: sha256 is {digest}, the study file says {source['sha256']}",
                "restore the file, or correct benchmark_files if the new one is right",
            )  # fmt: skip
        elif lines != LINES.get(name, lines):
            yield Item(
                "benchmark", name, WRONG, f"{path}: {lines} problems, {LINES[name]} are expected",
                "restore the file",
            )  # fmt: skip
        else:
            yield Item("benchmark", name, READY, f"{path}, {lines} problems")


def _model(study: Any, quick: bool) -> Iterator[Item]:
    folder = Path(study.config["student"]["model"])
    source = study.config["student"].get("source")
    if source and not _COMMIT.fullmatch(source["revision"]):
        yield Item(
            "model", "revision", NOTE,
            f"{source['repository']} at {source['revision']}, a branch or tag that may move",
            f"{LOCK_NAME} pins every file by sha256 once the model is there; to pin the download "
            f"as well, write the commit that distil fetch {study.name} names (or that the "
            "repository's page shows) as student.source.revision",
        )  # fmt: skip
    fetch = f"distil fetch {study.name}, or put the model's files into {folder}"
    if not folder.is_dir():
        yield Item("model", folder.name, MISSING, f"{folder}: no such folder", fetch)
        return
    if not (folder / LOCK_NAME).is_file():
        yield Item(
            "model", folder.name, MISSING, f"{folder}: not locked",
            f"distil lock {folder}, once all its files are there",
        )  # fmt: skip
        return
    if quick:
        return
    try:
        lock = check_model(folder)
        check_unread(folder, study.config["predictions"]["decoder"])
    except (FileNotFoundError, ValueError) as error:
        said, *remedy = re.split(r"[;\n] ?remedy: ", str(error), maxsplit=1)
        yield Item("model", folder.name, WRONG, said, *remedy or [f"distil lock {folder}"])
        return
    yield Item("model", folder.name, READY, f"{folder}, lock {lock[:12]}")


def _device(study: Any, quick: bool) -> Iterator[Item]:
    """What mlx computes on here; another machine may train."""
    if quick:
        return
    from distil.study.device import name_device

    try:
        kind, name = name_device()
    except ImportError as error:
        yield Item("device", "mlx", NOTE, f"cannot be opened here: {error}")
        return
    if kind == "cpu" and study.config["student"]["resources"]["gpu"]:
        yield Item(
            "device", "mlx", NOTE, f"cpu ({name}), no GPU",
            "student.resources.gpu asks for one: train where there is one (docs/cluster.md), or "
            "write 0",
        )  # fmt: skip
    else:
        yield Item("device", "mlx", READY, f"{kind} ({name})")


def _teacher(study: Any, config_file: str | Path | None) -> Iterator[Item]:
    """What the hosts need of teacher, judge, reader and served student; no request is sent."""
    teacher = study.config["teacher"]
    where = str(config_file or "the study file")
    asked = [
        *teacher["agents"].values(),
        study.config["problems"]["vision"],
        study.config["predictions"].get("server"),
        study.config["grading"]["judge"],
    ]
    for name in dict.fromkeys(agent["host"] for agent in asked if agent):
        host = teacher["hosts"][name]
        yield _host(study, name, host["base_url"], where)
        if variable := host.get("api_key_env"):
            if os.environ.get(variable):
                yield Item("teacher", f"key of {name}", READY, f"in {variable}")
            else:
                yield Item(
                    "teacher", f"key of {name}", MISSING,
                    f"the environment variable {variable} is not set", f"export {variable}=...",
                )  # fmt: skip
    priced = {
        agent["host"]
        for agent in asked
        if agent and any(_prices(teacher["hosts"][agent["host"]], agent["model"]))
    }
    if priced and not teacher["money_cap"] and teacher["mode"] != "replay":
        yield Item(
            "teacher", "money_cap", MISSING,
            f"teacher.money_cap is 0, so nothing that costs money is asked of {min(priced)}",
            f"set teacher.money_cap in {where}; distil estimate {study.name} says what to expect",
        )  # fmt: skip
    if config_file and Path(config_file).is_file():
        text = Path(config_file).read_text(encoding="utf-8")
        for line in [line.strip() for line in text.splitlines() if _ASSUMED.search(line)]:
            yield Item(
                "teacher", "assumption", NOTE, line.partition("#")[0].strip(),
                f"an assumption in {where}; put the figures of your hosts there",
            )  # fmt: skip


def _prices(host: dict[str, Any], model: str) -> tuple[float, float]:
    """Return what a model's tokens cost, of prompts and of answers."""
    entry = host.get("models", {}).get(model, {})
    return entry.get("input", 0), entry.get("output", 0)


def unfit_teachers(study: Any) -> list[Item]:
    """List the simulated teachers of an opened study whose problems they do not know."""
    if not hasattr(study, "folds"):
        return []
    hosts = study.config["teacher"]["hosts"]
    return [
        item
        for item in _teacher(study, None)
        if item.state == PLACEHOLDER and hosts.get(item.name, {}).get("base_url") == SIMULATED
    ]


def _host(study: Any, name: str, address: str, where: str) -> Item:
    if address == SIMULATED and study.config["exams"]["source"] == "typeset":
        return Item("teacher", name, READY, "simulated; it solves the sample's templates")
    remedy = f"set teacher.hosts.{name}.base_url in {where} to your server (docs/own-teacher.md)"
    if address == SIMULATED:
        said = "the simulated teacher knows the sample study's problems and no others"
        return Item("teacher", name, PLACEHOLDER, said, remedy)
    if _EXAMPLE.search(address):
        return Item("teacher", name, PLACEHOLDER, f"{address} is an example", remedy)
    return Item("teacher", name, READY, address)


def _disk(study: Any) -> Iterator[Item]:
    free = shutil.disk_usage(Path.cwd()).free
    said = f"{free / 1024**3:.0f} GB free here"
    if study.config["exams"]["source"] == "typeset" or free >= LEAST_FREE:
        yield Item("disk", "space", READY, said)
    else:
        yield Item("disk", "space", MISSING, said, "make 20 GB of room for the model and results")


def open_named(name: str, files: Sequence[Path] = ()) -> tuple[Any, Path]:
    """Open the study of a name by its study file.

    Args:
        name: the study's.
        files: its study files, merged in order, where there are more than that one.

    Returns:
        The study and the path of its first file, relative to the repository's root if it can be.

    Raises:
        ConfigError: the file cannot be used.
        ValueError: the study has no file here.
    """
    where = Path(known_studies(Path.cwd())[name])
    if where.suffix != ".yaml":
        raise ValueError(f"{name}: has results, but no study file (config*.yaml) here; restore it")
    paths = [*files] or [where]
    config: dict[str, Any] = {}
    for path in paths:
        content, faults = read_yaml(path)
        if faults:
            raise ConfigError(faults)
        update_config(config, content)
    study = open_study(check(paths, config, student=False))
    if study.name != name:
        raise ValueError(f"{paths[0]}: is of the study {study.name}, not of {name}")
    return study, Path(os.path.relpath(paths[0]))


def print_inventory(name: str, *, as_json: bool = False, device: bool = False) -> int:
    """Print what a study needs and lacks.

    Args:
        name: the study.
        as_json: print the whole list as JSON.
        device: measure the speed of its model here, as well.

    Returns:
        0 if nothing is in the way, 1 if something is.

    Raises:
        ValueError: the study file cannot be used.
    """
    study, where = open_named(name)
    items = take_inventory(study, where)
    wanting = [item for item in items if item.state in IN_THE_WAY]
    if as_json:
        print(json.dumps([asdict(item) for item in items], indent=1, ensure_ascii=False))
        return 1 if wanting else 0
    for kind in dict.fromkeys(item.kind for item in items):
        own = [item for item in items if item.kind == kind]
        ready = [item for item in own if item.state == READY]
        print(f"{kind}: {len(ready)} of {sum(item.state != NOTE for item in own)} ready")
        for item in ready if len(ready) <= FEW else []:
            print(f"  {item.name}: {item.said}")
        for lines in grouped(item for item in own if item.state != READY):
            print("\n".join(lines))
    print(summary(items) or f"Nothing is in the way of {name}.")
    if device:
        if not isinstance(study, Study):
            raise ValueError(f"{name}: a re-analysis of a release opens no model")
        from distil.study.device import print_speed

        print_speed(study)
    return 1 if wanting else 0


def grouped(items: Iterable[Item]) -> Iterator[list[str]]:
    """Write items of one state and remedy together, so that the remedy stands once."""
    groups: dict[tuple[str, str], list[Item]] = {}
    for item in items:
        groups.setdefault((item.state, item.remedy), []).append(item)
    for (state, remedy), own in groups.items():
        lines = [f"  {state}: {item.name}: {item.said}" for item in own[:FEW]]
        if len(own) > FEW:
            lines.append(f"  {state}: {', '.join(item.name for item in own[FEW:])}")
        yield [*lines, f"      {remedy}"] if remedy else lines


def summary(items: list[Item]) -> str:
    """Say in one line how much is in the way; empty where nothing is."""
    wanting = [item for item in items if item.state in IN_THE_WAY]
    if not wanting:
        return ""
    kinds = ", ".join(
        f"{kind} ({sum(item.kind == kind for item in wanting)})"
        for kind in dict.fromkeys(item.kind for item in wanting)
    )
    things = "1 thing is" if len(wanting) == 1 else f"{len(wanting)} things are"
    return f"{things} missing or to be filled in: {kinds}"
