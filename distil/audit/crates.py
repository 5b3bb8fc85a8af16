"""A finished study as a Workflow Run RO-Crate, in the profile Provenance Run Crate 0.5.

The crate is a folder that holds the results with their records, what the jobs read, the workflow
and its code, each at its path in the repository, and says in JSON-LD who made what from what:

    Snakefile                    the workflow (ComputationalWorkflow, HowTo)
    #step/RULE                   a rule (HowToStep), in an order of the DAG
    scripts/RULE.py              the tool that the rule runs (SoftwareSourceCode), with its packages
    #port/RULE/SIDE/NAME         what a rule takes and makes (FormalParameter); SIDE is input,
                                 output, setting or wildcard
    #job/RULE/WILDCARDS          a job (CreateAction): files and values in, files out, start and end
    #control/RULE/WILDCARDS      which step the job belongs to (ControlAction)
    #run/ID and #call/ID         one call of Snakemake, as far as its jobs' results still stand:
                                 what the workflow did (CreateAction), what ran it (OrganizeAction)

All of it comes from the records and the history, so that the same records give the same bytes.
Hosts and accounts are not named. The profile is https://w3id.org/ro/wfrun/provenance/0.5; terms
that the context of RO-Crate 1.1 lacks are spelled out, so that no further context is needed.
"""

from __future__ import annotations

import ast
import datetime
import io
import json
import shlex
import tempfile
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import yaml
from rocrate.model import ContextEntity
from rocrate.model.metadata import BASENAME
from rocrate.rocrate import ROCrate

from distil.audit import croissant
from distil.audit.files import Files
from distil.audit.graphs import layers, rule_edges
from distil.audit.records import Record, Records, read_records
from distil.audit.verify import MODEL_LOCK
from distil.content.fingerprint import ROOT, locked_packages
from distil.content.hashing import canonical_json, sha256_file, sha256_text
from distil.lineage import history

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

WFRUN = "https://w3id.org/ro/terms/workflow-run#"
TERMS = {
    "ParameterConnection": f"{WFRUN}ParameterConnection",
    "buildInstructions": "https://codemeta.github.io/terms/buildInstructions",
    "connection": f"{WFRUN}connection",
    "sha256": f"{WFRUN}sha256",
    "sourceParameter": f"{WFRUN}sourceParameter",
    "targetParameter": f"{WFRUN}targetParameter",
}
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/ro/wfrun/provenance/0.5": "Provenance Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
BIOSCHEMAS = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
REQUIREMENTS = "https://pip.pypa.io/en/stable/reference/requirements-file-format/"
DONE = "http://schema.org/CompletedActionStatus"
# What decides which jobs there are and what they run.
WORKFLOW = (
    "rules/*.smk", "scripts/*.py", "distil/**/*.py", "config.schema.yaml",
    "profiles/default/config.yaml", "pyproject.toml", "requirements.lock", "CITATION.cff",
    "LICENSE", "README.md",
)  # fmt: skip
FORMATS = {
    ".cff": "application/yaml", ".csv": "text/csv", ".html": "text/html",
    ".json": "application/json", ".jsonl": "application/jsonlines", ".lock": "text/plain",
    ".md": "text/markdown",
    ".parquet": "application/vnd.apache.parquet", ".pdf": "application/pdf", ".png": "image/png",
    ".py": "text/x-python", ".safetensors": "application/octet-stream", ".svg": "image/svg+xml",
    ".tex": "application/x-tex", ".toml": "application/toml", ".txt": "text/plain",
    ".yaml": "application/yaml",
}  # fmt: skip
LARGEST = 256 * 1024**2  # bytes of a file that no job wrote; a larger one is described only
TYPES = {bool: "Boolean", int: "Integer", float: "Float", str: "Text"}


class CrateError(ValueError):
    """A crate cannot be written; the message names the file and the remedy."""


class KeyFoundError(CrateError):
    """A file that would go into the crate holds what looks like a key."""


def export(
    study: str, folder: Path, configfiles: Iterable[Path] = (), values: Iterable[str] = ()
) -> list[Path]:
    """Write a study as a crate and return its two descriptions, RO-Crate and Croissant.

    Every file is hashed again once it is in the crate. The folder appears whole or not at all.

    Args:
        study: its name; results/STUDY is read.
        folder: where the crate goes; it must not exist.
        configfiles: files of the study's configuration, which go along.
        values: KEY=VALUE, as after `snakemake --config`, which the description names.

    Raises:
        CrateError: the folder exists, or a file is not what the records say.
        KeyFoundError: a file holds what looks like a key.
        FileNotFoundError: the study has no records, or a recorded file is missing.
    """
    if folder.exists():
        raise CrateError(f"{folder} is here already; move it away, or name another folder")
    crate = Builder(read_records(study)).build(configfiles, values)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
        made = Path(temporary) / folder.name
        crate.write(made)
        _check(crate, made)
        made.rename(folder)
    return [folder / BASENAME, folder / croissant.BASENAME]


def _check(crate: ROCrate, folder: Path) -> None:
    """Hold every file of a written crate against its description, and look for keys in it."""
    described = {unquote(entity.id): entity["sha256"] for entity in crate.data_entities}
    files = Files(search=True)
    files.read_ahead(str(folder / name) for name in described)
    for name in (*sorted(described), BASENAME):
        path = str(folder / name)
        if name in described and files.sha256(path) != described[name]:
            raise CrateError(f"{name} is not what its job's record says; run: distil verify")
        if key := files.key(path):
            raise KeyFoundError(
                f"{name} holds what looks like a key ({key}...); revoke it, then remake the file"
            )


class Builder:
    """Puts one crate together from the records of a study."""

    def __init__(self, records: Records) -> None:
        self.kept = records
        self.records = [records.by_path[path] for path in sorted(records.by_path)]
        self.read = {record.path: [*self._find_read(record)] for record in self.records}
        self.happened = {row["record"]: row for row in records.history}  # the last run of each job
        self.ports: dict[str, dict[str, Any]] = {}  # FormalParameters, by id
        self.fits: dict[str, set[str]] = defaultdict(set)  # {file: ports that it went through}
        for record in self.records:
            self._note_ports(record)
        with (ROOT / "pyproject.toml").open("rb") as stream:
            self.project = tomllib.load(stream)["project"]
        self.citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
        self.crate = ROCrate(version="1.1")
        self.crate.metadata.extra_terms.update(TERMS)

    def build(self, configfiles: Iterable[Path], values: Iterable[str] = ()) -> ROCrate:
        """Return the crate, ready to be written; arguments as of `export`."""
        published = max(self._times(record)[1] for record in self.records)
        code = self.project["license"]
        licence = self._add(f"https://spdx.org/licenses/{code}", "CreativeWork", name=code)
        root = self.crate.root_dataset
        root["name"] = f"Study {self.kept.study}"
        root["description"] = (
            f"{self.project['description']}: the study `{self.kept.study}`, with the records of "
            f"its {len(self.records)} jobs."
        )
        if values := [*values]:
            asked = " ".join(map(shlex.quote, values))
            root["description"] += f" Its configuration was changed with --config {asked}"
        root["datePublished"] = published
        root["license"] = licence
        root["author"] = [
            self._add(f"#author/{number}", "Organization", name=author["name"])
            for number, author in enumerate(self.citation["authors"], start=1)
        ]
        root["conformsTo"] = [
            self._add(url, "CreativeWork", name=name, version=url.rsplit("/", 1)[1])
            for url, name in PROFILES.items()
        ]
        self._add_workflow(licence, configfiles)
        self._add_ports()
        self._add_data()
        root["mentions"] = [*self._add_jobs(), *self._add_runs()]
        text = croissant.describe(
            self.kept,
            description=root["description"],
            license=licence.id,
            datePublished=published,
            version=self.project["version"],
            citeAs=self.citation["title"],
            creator=[
                {"@type": "Organization", "name": author["name"]}
                for author in self.citation["authors"]
            ],
        )
        self.crate.add_file(
            io.StringIO(text),
            croissant.BASENAME,
            properties={
                "name": croissant.BASENAME,
                "description": "the tables of the study, described for machine learning",
                "encodingFormat": "application/ld+json",
                "conformsTo": self._add(croissant.SPECIFICATION, "CreativeWork", name="Croissant"),
                "contentSize": str(len(text.encode())),
                "sha256": sha256_text(text),
            },
        )
        for entity in self.crate.get_entities():
            _unwrap(entity)
        return self.crate

    def _find(self, identifier: str) -> Any:
        """Return an entity or None; `get` alone walks through all where there is none."""
        return self.crate.get(identifier) if identifier in self.crate else None

    def _add(self, identifier: str, kind: str, **properties: Any) -> Any:
        """Return the entity of an identifier, made where there is none yet."""
        return self._find(identifier) or self.crate.add(
            ContextEntity(self.crate, identifier, properties={"@type": kind, **properties})
        )

    def _find_read(self, record: Record) -> Iterator[dict[str, Any]]:
        """Yield a job's inputs and, behind the lock of a model, the model's files."""
        for row in record.content["input"]:
            yield row
            if Path(row["path"]).name == MODEL_LOCK:
                locked = json.loads(Path(row["path"]).read_text(encoding="utf-8"))["files"]
                for name, file in sorted(locked.items()):
                    yield {
                        "name": row["name"],
                        "path": (Path(row["path"]).parent / name).as_posix(),
                        "sha256": file["sha256"],
                        "size": file["size"],
                    }

    def _files(self, record: Record, side: str) -> list[dict[str, Any]]:
        return self.read[record.path] if side == "input" else record.content["output"]

    # ---------------------------------------------------------------------------------- ports

    def _note_ports(self, record: Record) -> None:
        for side in ("input", "output"):
            for row in self._files(record, side):
                port = _port(record.rule, side, row["name"])
                self.ports[port] = {"additionalType": "File"}
                self.fits[row["path"]].add(port)
        for side, name, value in _values(record):
            port = _port(record.rule, side, name)
            kind = TYPES.get(type(value), "Text")
            if self.ports.setdefault(port, {"additionalType": kind})["additionalType"] != kind:
                self.ports[port] = {"additionalType": "PropertyValue"}  # of several types

    def _add_ports(self) -> None:
        for port, properties in sorted(self.ports.items()):
            name = port.rsplit("/", 1)[1]
            self._add(port, "FormalParameter", name=name, **properties)

    def _value(self, rule: str, side: str, name: str, value: Any) -> ContextEntity:
        """Return a value that a job was given; jobs that were given the same one share it."""
        port = _port(rule, side, name)
        text = value if isinstance(value, (str, int, float)) else canonical_json(value)
        return self._add(
            f"{port.replace('#port', '#value', 1)}/{sha256_text(canonical_json(value))[:16]}",
            "PropertyValue",
            name=name,
            value=text,
            exampleOfWork={"@id": port},
        )

    # ------------------------------------------------------------------------------- workflow

    def _add_workflow(self, licence: ContextEntity, configfiles: Iterable[Path]) -> None:
        workflow = self.crate.add_workflow(
            ROOT / "Snakefile",
            "Snakefile",
            main=True,
            lang="snakemake",
            properties={
                **_described(ROOT / "Snakefile"),
                "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
                "description": self.project["description"],
                "license": licence,
                "version": self.project["version"],
                "conformsTo": self._add(
                    BIOSCHEMAS, "CreativeWork", name="ComputationalWorkflow profile"
                ),
            },
        )
        for path in (path for pattern in WORKFLOW for path in sorted(ROOT.glob(pattern))):
            self._add_code(path)
        for path in configfiles:
            self._add_code(path.absolute())
        self.crate.get("README.md")["about"] = self.crate.root_dataset
        lock = self.crate.get("requirements.lock")
        lock["conformsTo"] = self._add(REQUIREMENTS, "CreativeWork", name="requirements file")
        workflow["buildInstructions"] = lock
        connections = self._add_connections()
        tools, steps = [], []
        for position, (rule, records) in enumerate(self._rules().items(), start=1):
            tools.append(self._add_tool(rule, records))
            step = self._add(
                f"#step/{rule}",
                "HowToStep",
                name=rule,
                description=tools[-1]["description"],
                position=str(position),
                workExample=tools[-1],
            )
            if rule in connections:
                step["connection"] = connections[rule]
            steps.append(step)
        workflow["hasPart"], workflow["step"] = tools, steps
        workflow["input"] = self._open_ports("input", self.kept.writers)
        workflow["output"] = self._open_ports("output", self.kept.readers)

    def _rules(self) -> dict[str, list[Record]]:
        """Return the records of each rule, rules in an order of the DAG."""
        found: dict[str, list[Record]] = {
            rule: [] for layer in layers(rule_edges(self.kept)) for rule in layer
        }
        for record in self.records:
            found.setdefault(record.rule, []).append(record)
        return found

    def _open_ports(self, side: str, joined: Iterable[str]) -> list[dict[str, str]]:
        """Return the ports of files that no job of the study is at the other end of."""
        ports = {
            _port(record.rule, side, row["name"])
            for record in self.records
            for row in self._files(record, side)
            if row["path"] not in joined
        }
        return [{"@id": port} for port in sorted(ports)]

    def _add_connections(self) -> dict[str, list[ContextEntity]]:
        """Return {rule: connections from the outputs of other rules to its inputs}."""
        pairs = {
            (record.rule, source, _port(record.rule, "input", row["name"]))
            for record in self.records
            for row in record.content["input"]
            if row["path"] in self.kept.writers
            for source in self.fits[row["path"]]
            if source.split("/")[2] == "output"
        }
        found = defaultdict(list)
        for rule, source, target in sorted(pairs):
            name = f"{source.removeprefix('#port/')}/{target.removeprefix('#port/')}"
            found[rule].append(
                self._add(
                    f"#connection/{name}",
                    "ParameterConnection",
                    sourceParameter={"@id": source},
                    targetParameter={"@id": target},
                )
            )
        return found

    def _add_tool(self, rule: str, records: list[Record]) -> Any:
        path = ROOT / records[0].content["script"]
        packages: dict[str, str] = {}
        for record in records:
            packages |= record.content["fingerprint"]["packages"]
            packages["python"] = record.content["fingerprint"]["python"]
        ports = {
            side: [{"@id": port} for port in sorted(self.ports) if port.startswith(start)]
            for side, start in (
                (side, f"#port/{rule}/{side}/")
                for side in ("input", "output", "setting", "wildcard")
            )
        }
        tool = self._add_code(path)
        tool._jsonld["@type"] = ["File", "SoftwareSourceCode"]
        tool["description"] = _first_line(path)
        tool["version"] = records[0].content["code"]
        tool["programmingLanguage"] = self._add(
            "https://www.python.org", "ComputerLanguage", name="Python"
        )
        tool["softwareRequirements"] = [
            self._add_package(name, version) for name, version in sorted(packages.items())
        ]
        tool["input"] = ports["input"] + ports["setting"] + ports["wildcard"]
        tool["output"] = ports["output"]
        return tool

    def _add_package(self, name: str, version: str) -> ContextEntity:
        kind = "generic" if name == "python" else "pypi"
        return self._add(
            f"pkg:{kind}/{name}@{quote(version)}",
            "SoftwareApplication",
            name=name,
            softwareVersion=version,
        )

    def _add_code(self, path: Path) -> Any:
        inside = path.is_relative_to(ROOT)
        name = path.relative_to(ROOT).as_posix() if inside else path.name
        return self._find(quote(name)) or self.crate.add_file(
            path, name, properties=_described(path)
        )

    # ---------------------------------------------------------------------------------- files

    def _add_data(self) -> None:
        """Add what the jobs read and wrote, and the records."""
        rows = {
            row["path"]: row
            for record in self.records
            for side in ("input", "output")
            for row in self._files(record, side)
        }
        for path, row in sorted(rows.items()):
            self._add_file(path, row)
        folder = self.kept.folder
        for path in [
            *(record.path for record in self.records),
            folder / history.RUNS,
            folder / history.VERSIONS,
            *filter(Path.is_file, [folder / history.CHAIN]),
        ]:
            self.crate.add_file(path, path.as_posix(), properties=_described(path))

    def _add_file(self, path: str, row: dict[str, Any]) -> None:
        properties = {
            "name": Path(path).name,
            "contentSize": str(row["size"]),
            "sha256": row["sha256"],
            "encodingFormat": _format(path),
            "exampleOfWork": [{"@id": port} for port in sorted(self.fits[path])],
        }
        if known := self._find(quote(path)):
            known["exampleOfWork"] = properties[
                "exampleOfWork"
            ]  # a job reads a file of the workflow
        elif self._stays(row):
            self._add(self._reference(row)["@id"], "CreativeWork", **properties)
        else:
            self.crate.add_file(path, path, properties=properties)

    def _stays(self, row: dict[str, Any]) -> bool:
        """Return whether a file is described without being in the crate.

        Nothing is taken from elsewhere on the machine, and no path to it told.
        """
        path = Path(row["path"])
        outside = path.is_absolute() or ".." in path.parts
        return outside or (row["size"] > LARGEST and row["path"] not in self.kept.writers)

    def _reference(self, row: dict[str, Any]) -> dict[str, str]:
        """Return the reference to the entity of a file."""
        return {"@id": f"#source/{row['sha256']}" if self._stays(row) else quote(row["path"])}

    # ---------------------------------------------------------------------------------- actions

    def _add_jobs(self) -> Iterator[ContextEntity]:
        for record in self.records:
            started, ended = self._times(record)
            tool = self.crate.get(record.content["script"])
            objects = [self._reference(row) for row in self._files(record, "input")]
            objects += [self._value(record.rule, *value) for value in _values(record)]
            job = self._add(
                f"#job/{_place(record)}",
                "CreateAction",
                name=record.job,
                description=tool["description"],
                instrument=tool,
                object=objects,
                result=[self._reference(row) for row in self._files(record, "output")],
                startTime=started,
                endTime=ended,
                actionStatus=DONE,
                subjectOf=self.crate.get(quote(record.path.as_posix())),
            )
            self._add(
                f"#control/{_place(record)}",
                "ControlAction",
                name=f"orchestrate {record.job}",
                instrument={"@id": f"#step/{record.rule}"},
                object=job,
            )
            yield job

    def _add_runs(self) -> Iterator[ContextEntity]:
        engine = self._add_package("snakemake", locked_packages()["snakemake"][0])
        runs: dict[str, list[Record]] = defaultdict(list)
        for record in sorted(self.records, key=lambda record: (*self._times(record), record.path)):
            runs[self._happened(record).get("run") or "unnamed"].append(record)
        for name, records in runs.items():
            times = [self._times(record) for record in records]
            spent = {"startTime": min(times)[0], "endTime": max(end for _, end in times)}
            read, made = (
                {row["path"]: row for record in records for row in self._files(record, side)}
                for side in ("input", "output")
            )
            run = self._add(
                f"#run/{quote(name)}",
                "CreateAction",
                name=f"run {name} of the workflow",
                description=f"{len(records)} jobs whose results still stand",
                instrument=self.crate.mainEntity,
                object=[
                    self._reference(row) for path, row in sorted(read.items()) if path not in made
                ],
                result=[self._reference(row) for _, row in sorted(made.items())],
                actionStatus=DONE,
                **spent,
            )
            self._add(
                f"#call/{quote(name)}",
                "OrganizeAction",
                name=f"Snakemake's run {name}",
                instrument=engine,
                object=[{"@id": f"#control/{_place(record)}"} for record in records],
                result=run,
                **spent,
            )
            yield run

    def _happened(self, record: Record) -> dict[str, Any]:
        return self.happened[record.path.relative_to(self.kept.folder).as_posix()]

    def _times(self, record: Record) -> tuple[str, str]:
        """Return when a job started and ended, in ISO 8601 with milliseconds."""
        happened = self._happened(record)
        started = datetime.datetime.fromisoformat(happened["started"])
        ended = started + datetime.timedelta(seconds=happened["seconds"])
        return started.isoformat(timespec="milliseconds"), ended.isoformat(timespec="milliseconds")


def _unwrap(entity: Any) -> None:
    """Have a property of one value hold it alone, as RO-Crate 1.1 asks."""
    for name, value in entity.properties().items():
        if isinstance(value, list) and len(value) == 1:
            entity.properties()[name] = value[0]


def _port(rule: str, side: str, name: str | None) -> str:
    return f"#port/{rule}/{side}/{quote(name or side)}"


def _values(record: Record) -> Iterator[tuple[str, str, Any]]:
    """Yield (setting or wildcard, name, value) for all that a job was told."""
    for name, value in sorted(record.content["params"].items()):
        yield "setting", name, value
    for name, value in sorted(record.content["wildcards"].items()):
        yield "wildcard", name, value


def _place(record: Record) -> str:
    return quote(f"{record.rule}/{record.path.stem}", safe="/=,+")


def _format(path: str | Path) -> str:
    return FORMATS.get(Path(path).suffix, "text/plain")


def _described(path: Path) -> dict[str, str]:
    return {
        "name": path.name,
        "contentSize": str(path.stat().st_size),
        "sha256": sha256_file(path),
        "encodingFormat": _format(path),
    }


def _first_line(script: Path) -> str:
    """Return the first line of a script's docstring."""
    text = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or script.name
    return text.splitlines()[0]
