"""The study's configuration: read strictly, checked whole, before any job runs.

YAML turns `no` into false, `010` into 8 and leaves `1e-5` as text, all silently, and keeps the
last of two equal keys. Each of these has cost somebody a study, so each is refused with the file,
the key and the remedy.
"""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from distil.content.files import write_atomically
from distil.content.hashing import sha256_text
from distil.datasets import splits
from distil.review.corrections import CorrectionError, read_corrections
from distil.study import needs
from distil.teacher import settings as teacher_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# The one in C where PyYAML was built with it: six times faster, at every start of Snakemake.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
SCHEMA = Path(__file__).resolve().parents[2] / "config.schema.yaml"
# The sha256 of the schema and the configuration that were found to agree last.
PASSED = Path(".snakemake", "distil-config")

# Keys of study files that were written for an earlier version.
MOVED = {
    ("teacher", name): f"it moved to teacher.hosts.NAME.{place} (docs/own-teacher.md)"
    for name, place in {
        "base_url": "base_url", "api_key_env": "api_key_env", "concurrency": "concurrency",
        "connect_seconds": "connect_seconds", "idle_seconds": "idle_seconds",
        "deadline_seconds": "deadline_seconds", "prices": "models",
    }.items()
}  # fmt: skip

_LEADING_ZERO = re.compile(r"^[-+]?0[0-9_]+$")
_EXPONENT_WITHOUT_POINT = re.compile(
    r"^[-+]?[0-9]+[eE][-+]?[0-9]+$|^[-+]?[0-9]*\.[0-9]+[eE][0-9]+$"
)
_SEXAGESIMAL = re.compile(r"^[-+]?[0-9]+(:[0-5]?[0-9])+(\.[0-9]*)?$")
_BOOLEAN_WORD = re.compile(r"^(y|yes|n|no|on|off)$", re.IGNORECASE)
_TIMESTAMP = "tag:yaml.org,2002:timestamp"


class ConfigError(ValueError):
    """The configuration is wrong; the message lists every fault with file, key and remedy."""

    def __init__(self, faults: Sequence[str]) -> None:
        """Keep the faults and show them one a line."""
        self.faults = list(faults)
        super().__init__("the configuration cannot be used:\n  " + "\n  ".join(self.faults))


# ---------------------------------------------------------------------------------- reading


def read_yaml(path: str | Path) -> tuple[Any, list[str]]:
    """Read a YAML file and list what YAML would have misread.

    Returns:
        the value, and the faults found, each `FILE:LINE: KEY: what is wrong; remedy`.
    """
    faults: list[str] = []
    try:
        root = yaml.compose(Path(path).read_text(encoding="utf-8"), Loader=LOADER)
    except FileNotFoundError:
        return None, [f"{path}: no such file; give an existing one with --configfile"]
    except UnicodeDecodeError as error:
        return None, [f"{path}: not UTF-8 text ({error.reason}); save it as UTF-8"]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else f"{path}"
        return None, [f"{where}: not YAML ({getattr(error, 'problem', error)}); mend this line"]
    if root is None:
        return None, [f"{path}: empty; start from a copy of config.yaml"]
    for key, node, message in _misreadings(root, ()):
        faults.append(f"{path}:{node.start_mark.line + 1}: {_dotted(key)}: {message}")
    if faults:
        return None, faults
    return _load(path), []


def _load(path: str | Path) -> Any:
    return yaml.load(Path(path).read_text(encoding="utf-8"), Loader=LOADER)  # noqa: S506 - a safe one


def _misreadings(node: yaml.Node, key: tuple) -> Iterator[tuple[tuple, yaml.Node, str]]:
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for name, value in node.value:
            line = name.start_mark.line + 1
            if name.value in seen:
                first = seen[name.value]
                yield (
                    (*key, name.value),
                    name,
                    (
                        f"stands twice (first in line {first}), and only the last would "
                        "count; keep one"
                    ),
                )
            seen[name.value] = line
            yield from _misread_scalar(name, (*key, name.value))
            yield from _misreadings(value, (*key, name.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _misreadings(value, (*key, index))
    else:
        yield from _misread_scalar(node, key)


def _misread_scalar(node: yaml.Node, key: tuple) -> Iterator[tuple[tuple, yaml.Node, str]]:
    if not isinstance(node, yaml.ScalarNode) or node.style:
        return  # quoted text is what it says
    text = node.value
    if _BOOLEAN_WORD.match(text):
        yield (
            key,
            node,
            f"YAML reads {text} as true or false; write true, false, or '{text}' in quotes",
        )
    elif _LEADING_ZERO.match(text):
        plain = text.lstrip("0") or "0"
        yield (
            key,
            node,
            f"YAML reads {text} as an octal number; write {plain}, or '{text}' in quotes",
        )
    elif _EXPONENT_WITHOUT_POINT.match(text):
        yield key, node, f"YAML reads {text} as text, not as a number; write {_with_point(text)}"
    elif _SEXAGESIMAL.match(text):
        yield key, node, f"YAML reads {text} in base 60; write '{text}' in quotes"
    elif node.tag == _TIMESTAMP:
        yield key, node, f"YAML reads {text} as a date; write '{text}' in quotes"


def _with_point(text: str) -> str:
    mantissa, exponent = re.split("[eE]", text)
    if "." not in mantissa:
        mantissa += ".0"
    return f"{mantissa}e{exponent if exponent[0] in '+-' else '+' + exponent}"


def _dotted(key: Sequence) -> str:
    return ".".join(str(part) for part in key) or "(top level)"


# ---------------------------------------------------------------------------------- checking


def check(
    paths: Sequence[str | Path], config: dict[str, Any], student: bool = True
) -> dict[str, Any]:
    """Check a merged configuration and return it.

    Args:
        paths: the files it was merged from, in order; the last that holds a key is blamed for it.
        config: the merged configuration as Snakemake holds it (`--config` values included).
        student: whether the student's model must be there; exams are read without one.

    Raises:
        ConfigError: anything is wrong; all faults are listed.
    """
    contents, faults = [], []
    for path in paths:
        value, found = read_yaml(path)
        contents.append((path, value))
        faults += found
    if not faults:
        _drop_folds(config)
        faults = [
            f"{_blame(contents, key)}: {_dotted(key)}: {message}"
            for key, message in [*_against_schema(config)] or [*_across_keys(config, student)]
        ]
    if faults:
        raise ConfigError(faults)
    return config


def _drop_folds(config: dict[str, Any]) -> None:
    """Take out the folds that an override made null: a mapping can only be added to otherwise."""
    folds = config.get("folds")
    if isinstance(folds, dict):
        # Snakemake's --config reads null inside braces as a word.
        for name in [name for name, parts in folds.items() if parts in (None, "null")]:
            del folds[name]


def _blame(contents: Sequence[tuple[str | Path, Any]], key: Sequence) -> str:
    """Name the file to edit: the last one that holds the key, or as much of it as any does."""
    best, depth = "config", -1
    for path, value in contents:
        found = 0
        for part in key:
            inside = (
                value
                if isinstance(value, dict)
                else range(len(value))
                if isinstance(value, list)
                else ()
            )
            if part not in inside:
                break
            value = value[part]
            found += 1
        if found >= depth:
            best, depth = str(path), found
    return best


def _against_schema(config: dict[str, Any]) -> Iterator[tuple[tuple, str]]:
    """Yield what is against the schema.

    What agreed with it last is not checked again: that takes .07 s of processor time, of the 1.5 s
    or so of a dry run in which nothing is to be done.
    """
    text = json.dumps(config)
    digest = sha256_text(f"{SCHEMA.read_text(encoding='utf-8')}\n{text}")
    if PASSED.is_file() and digest in PASSED.read_text(encoding="utf-8").split():
        return
    import jsonschema

    validator = jsonschema.Draft202012Validator(_load(SCHEMA))
    errors = sorted(validator.iter_errors(json.loads(text)), key=lambda e: str(e.path))
    for error in errors:
        yield from _explain(error)
    if not errors and PASSED.parent.is_dir():
        with contextlib.suppress(OSError):
            write_atomically(PASSED, f"{digest}\n".encode())


def _explain(error: Any) -> Iterator[tuple[tuple, str]]:
    import difflib

    key = tuple(error.absolute_path)
    if error.validator in ("oneOf", "anyOf") and error.context:
        # The branch that got furthest is the one that was meant.
        branches: dict[int, list] = {}
        for inner in error.context:
            branches.setdefault(inner.schema_path[0], []).append(inner)
        for inner in min(branches.values(), key=len):
            yield from _explain(inner)
    elif error.validator == "additionalProperties":
        known = sorted(error.schema.get("properties", {}))
        for name in sorted(set(error.instance) - set(known)):
            near = difflib.get_close_matches(str(name), known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
            hint = MOVED.get((*key, name), hint)
            yield (*key, name), f"unknown key; {hint}"
    elif error.validator == "enum" and "propertyNames" in error.schema_path:
        yield (*key, error.instance), "has no place in a re-analysis of a release; remove it"
    elif error.validator == "required":
        for name in error.validator_value:
            if name not in error.instance:
                meaning = error.schema.get("properties", {}).get(name, {}).get("description", "")
                yield (
                    (*key, name),
                    f"is missing; add it ({meaning})" if meaning else "is missing; add it",
                )
    else:
        meaning = error.schema.get("description")
        expected = {
            "enum": lambda: "is not one of " + ", ".join(map(str, error.validator_value)),
            "type": lambda: f"is not of type {error.validator_value}",
            "pattern": lambda: f"does not match {error.validator_value}",
            "minimum": lambda: f"is below {error.validator_value}",
            "maximum": lambda: f"is above {error.validator_value}",
            "exclusiveMinimum": lambda: f"is not above {error.validator_value}",
            "exclusiveMaximum": lambda: f"is not below {error.validator_value}",
            "uniqueItems": lambda: "holds the same entry twice; keep one",
            "minItems": lambda: f"needs at least {error.validator_value} entries",
        }.get(error.validator, lambda: error.message)()
        shown = json.dumps(error.instance)
        shown = shown if len(shown) <= 80 else shown[:77] + "..."
        yield key, f"{shown} {expected}" + (f"; it is: {meaning}" if meaning else "")


def _across_keys(config: dict[str, Any], student: bool) -> Iterator[tuple[tuple, str]]:
    """Find what no schema can: keys that do not go together, and files that are not there."""
    yield from _check_resources(config)
    sections, speed = config["exams"]["sections"], config["claims"]["speed_section"]
    if speed is not None and speed not in sections:
        yield (
            ("claims", "speed_section"),
            f"{speed} is not in exams.sections ({', '.join(sections)}); name one, or write null",
        )
    if config["exams"]["source"] == "release":
        for key in ("corrections", "vision"):
            if config["problems"][key] is not None:
                yield (
                    ("problems", key),
                    "has no place in a re-analysis of a release, whose problems are transcriptions;"
                    " write null",
                )
        return
    for key, known in (("clusters", "template"), ("strata", "wording")):
        if config["claims"][key] == known and config["exams"]["source"] != "typeset":
            yield ("claims", key), f"{known} is known of typeset exams only; choose another value"
    yield from _check_folds(config, config["exams"]["years"])
    yield from _check_training(config)
    yield from _check_teacher(config)
    yield from _check_server(config)
    yield from _check_problems(config)
    yield from _check_files(config)
    if student:
        yield from _check_student(config)


def _check_resources(config: dict[str, Any]) -> Iterator[tuple[tuple, str]]:
    """Check that resources are asked for rules that there are, each where it can run."""
    import difflib

    rules = {path.stem for path in (SCHEMA.parent / "scripts").glob("*.py")}
    for rule, asked in config.get("resources", {}).items():
        if rule not in rules | {needs.DEFAULT}:
            near = difflib.get_close_matches(rule, rules | {needs.DEFAULT}, n=1)
            hint = f"did you mean {near[0]}?" if near else "docs/cluster.md lists the rules"
            yield ("resources", rule), f"no rule has this name; {hint}"
        elif "local" in asked and not needs.NEEDS.get(rule, needs.Need()).local:
            where = "all rules" if rule == needs.DEFAULT else "this rule, whose jobs go to nodes"
            yield ("resources", rule, "local"), f"cannot be chosen for {where}; remove it"


def _check_problems(config: dict[str, Any]) -> Iterator[tuple[tuple, str]]:
    """Check where statements and keys come from."""
    problems = config["problems"]
    source, folder = problems.get("source", "reviewed"), problems.get("transcription")
    if source == "extraction" and problems["corrections"]:
        yield (
            ("problems", "corrections"),
            "is not used with source: extraction; write source: reviewed, or corrections: null",
        )
    if source == "transcription":
        if not folder:
            yield (
                ("problems", "transcription"),
                "is missing; name the folder of a download of the public release",
            )
        else:
            for year in config["exams"]["years"]:
                path = Path(folder, "datafile", f"{year}.json")
                if not path.is_file():
                    yield (
                        ("problems", "transcription"),
                        f"{path} is missing; name a complete download, or drop the year",
                    )
                    break
    selection = problems.get("selection")
    if selection and not Path(selection).is_file():
        yield ("problems", "selection"), f"{selection}: no such file; restore it, or write null"


def _check_folds(config: dict[str, Any], years: list[int]) -> Iterator[tuple[tuple, str]]:
    for fold, parts in config["folds"].items():
        try:
            if "file" in parts:
                parts = splits.read_fold(parts["file"], years)
            splits.named_fold(fold, parts, years)
        except ValueError as error:
            yield ("folds", fold), str(error).removeprefix(f"folds.{fold}: ")


def _check_training(config: dict[str, Any]) -> Iterator[tuple[tuple, str]]:
    adapters = config["adapters"]
    if adapters["pilot_seed"] in adapters["seeds"]:
        yield (
            ("adapters", "pilot_seed"),
            "is one of adapters.seeds; the pilot needs a seed of its own",
        )
    if "prompt" not in adapters["protocols"]:
        yield (
            ("adapters", "protocols"),
            "lacks prompt, whose adapters the claims are read from; add it",
        )
    if "published" in adapters["protocols"] and adapters["clip_norm"] is not None:
        yield (
            ("adapters", "clip_norm"),
            "has no place in the published loop, which clips nothing; write null, or take published"
            " out of adapters.protocols",
        )
    for index, iteration in enumerate(adapters["checkpoints"]):
        key = ("adapters", "checkpoints", index)
        if iteration > adapters["horizon"]:
            yield key, f"{iteration} lies beyond adapters.horizon ({adapters['horizon']})"
        if iteration % adapters["evaluate_every"]:
            yield (
                key,
                (
                    f"{iteration} is no multiple of adapters.evaluate_every "
                    f"({adapters['evaluate_every']}), so no validation loss would stand beside it"
                ),
            )
    if adapters["horizon"] not in adapters["checkpoints"]:
        yield ("adapters", "checkpoints"), "lacks the horizon; add it as the last checkpoint"
    if adapters["checkpoints"] != sorted(adapters["checkpoints"]):
        yield ("adapters", "checkpoints"), "is not in rising order; sort it"
    for level in config["predictions"]["levels"]:
        if level not in config["levels"]:
            yield ("predictions", "levels"), f"{level} is not in levels"


def _check_teacher(config: dict[str, Any]) -> Iterator[tuple[tuple, str]]:
    agents = {
        f"teacher.agents.{name}": agent for name, agent in config["teacher"]["agents"].items()
    }
    others = {
        "grading.judge": config["grading"]["judge"],
        "problems.vision": config["problems"]["vision"],
    }
    predictions = config["predictions"]
    server = predictions.get("server")
    if server:
        others["predictions.server"] = {**server, "max_tokens": predictions["max_tokens"]}
    agents |= {place: agent for place, agent in others.items() if agent}
    yield from teacher_settings.faults(config["teacher"], agents)


def _check_server(config: dict[str, Any]) -> Iterator[tuple[tuple, str]]:
    predictions = config["predictions"]
    server = predictions.get("server")
    if (predictions["decoder"] == "http") != bool(server):
        yield (
            ("predictions", "server"),
            "goes with predictions.decoder: http, and with no other; set both or neither",
        )
    for place, cap in enumerate(predictions.get("caps", [])):
        if cap >= predictions["max_tokens"]:
            yield (
                ("predictions", "caps", place),
                f"{cap} cuts nothing below predictions.max_tokens ({predictions['max_tokens']})",
            )
    if not server:
        return
    host = config["teacher"]["hosts"].get(server["host"], {})
    if host.get("base_url") == teacher_settings.SIMULATED:
        yield (
            ("predictions", "server", "host"),
            f"{server['host']} is the simulated teacher, which serves no student; name another",
        )
    if server.get("adapters") and server["model"] == "default_model":
        yield (
            ("predictions", "server", "model"),
            "default_model answers without any adapter in mlx_lm.server; name the model as the"
            " server was started with it (--model)",
        )
    model = host.get("models", {}).get(server["model"])
    if model and (model["input"] or model["output"]):
        yield (
            ("predictions", "server", "model"),
            "costs money by the token, which teacher.money_cap cannot hold for a student's runs;"
            " take a server of your own, with prices of 0",
        )


def _check_files(config: dict[str, Any]) -> Iterator[tuple[tuple, str]]:
    if file := config["problems"]["corrections"]:
        try:
            read_corrections(file, config["exams"]["years"])
        except CorrectionError as error:
            yield from ((("problems", "corrections"), fault) for fault in error.faults)
    folder = Path(config["prompts"])
    agents = ("solver", "distiller", "repair", "verifier", "student")
    names = [*(f"{agent}.txt" for agent in agents), "levels.yaml"]
    if config["problems"]["vision"]:
        names.append("reader.txt")
    if config["grading"]["judge"]:
        names.append("judge.txt")
    if "published" in config["adapters"]["protocols"]:
        names.append("system.txt")
    for name in names:
        if not (folder / name).is_file():
            yield ("prompts",), f"{folder / name} is missing; name a folder that holds it"
            return
    wordings, faults = read_yaml(folder / "levels.yaml")
    if faults:
        yield ("prompts",), faults[0]
        return
    for level in config["levels"]:
        if level not in wordings:
            yield (
                ("levels",),
                f"{level} has no instruction in {folder / 'levels.yaml'}; add it there",
            )


def _check_student(config: dict[str, Any]) -> Iterator[tuple[tuple, str]]:
    model = Path(config["student"]["model"])
    if not (model / "config.json").is_file():
        yield (
            ("student", "model"),
            f"{model} is no model folder (no config.json); download the model there "
            "(docs/full-scale.md) or name resources/student",
        )


# ----------------------------------------------------------------------------- documentation


def reference() -> str:
    """Return docs/config.md: every key of the schema with its type and meaning."""
    schema = _load(SCHEMA)
    lines = [
        "# Every key of a study file",
        "",
        "Made from `config.schema.yaml` by `make docs`; edit that file. A key that does not stand",
        "here is refused. `config.yaml` shows all keys of the sample study with comments.",
        "",
        "| key | type | meaning |",
        "|---|---|---|",
    ]
    lines += [
        f"| `{key}` | {kind} | {meaning} |" for key, kind, meaning in _keys(schema, schema, "")
    ]
    return "\n".join(lines) + "\n"


def _keys(node: dict, schema: dict, prefix: str) -> Iterator[tuple[str, str, str]]:
    if "$ref" in node:
        node = schema["$defs"][node["$ref"].rpartition("/")[2]]
    if prefix:
        yield prefix, _type(node), node.get("description", "")
    seen = set()
    for branch in [node, *node.get("oneOf", [])]:
        for name, inner in branch.get("properties", {}).items():
            if name not in seen:
                seen.add(name)
                yield from _keys(inner, schema, f"{prefix}.{name}" if prefix else name)
    if isinstance(node.get("additionalProperties"), dict):
        yield from _keys(node["additionalProperties"], schema, f"{prefix}.NAME")


def _type(node: dict) -> str:
    if "const" in node:
        return f"`{node['const']}`"
    if "enum" in node:
        return " or ".join(f"`{value}`" for value in node["enum"])
    kind = node.get("type", "")
    return " or ".join(kind) if isinstance(kind, list) else kind
