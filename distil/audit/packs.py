"""Take a finished study to another machine, where nothing reruns and `verify` holds.

A pack is a tar file of results/STUDY (records and history in it) and a manifest with the sha256 of
each member and the study's anchor. Stores under state/ stay behind: they hold what was paid for,
and what a study used of it is in its results.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path

from distil.audit.verify import anchor
from distil.content.files import write_atomically
from distil.content.hashing import sha256_bytes, sha256_file

MANIFEST = "manifest.json"
FORMAT = 1


class PackError(ValueError):
    """A pack cannot be written or read; the message names the file and the remedy."""


def pack(study: str, target: Path) -> dict:
    """Write a pack and return its manifest.

    Raises:
        PackError: the study has no results here.
    """
    top = Path("results") / study
    if not (top / "lineage").is_dir():
        raise PackError(f"{top} holds no finished study; run it first")
    members = [path for path in sorted(top.rglob("*")) if path.is_file()]
    manifest = {
        "format": FORMAT,
        "study": study,
        "anchor": anchor(study),
        "files": {path.as_posix(): sha256_file(path) for path in members},
    }
    text = json.dumps(manifest, indent=1, sort_keys=True).encode()
    with tarfile.open(target, "w:gz") as tar:
        info = tarfile.TarInfo(MANIFEST)
        info.size = len(text)
        tar.addfile(info, io.BytesIO(text))
        for path in members:
            tar.add(path, recursive=False)
    return manifest


def unpack(source: Path) -> dict:
    """Put a pack's study in place, after every member was held against the manifest.

    Raises:
        PackError: the pack is damaged or foreign, or the study is here already; nothing is
            written then.
    """
    try:
        with tarfile.open(source) as tar:
            members = {member.name: member for member in tar.getmembers()}
            if MANIFEST not in members:
                raise PackError(f"{source}: no {MANIFEST} in it; not a pack of this project")
            manifest = json.load(tar.extractfile(members.pop(MANIFEST)))
            content = {
                name: (tar.extractfile(member).read(), member.mtime)
                for name, member in members.items()
                if member.isfile()
            }
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        if isinstance(error, PackError):
            raise
        raise PackError(f"{source}: cannot be read ({error}); copy it again") from error
    if manifest.get("format") != FORMAT:
        raise PackError(f"{source}: format {manifest.get('format')}, this version reads {FORMAT}")
    _check(source, manifest, {name: data for name, (data, _) in content.items()})
    top = Path("results") / manifest["study"]
    if top.exists():
        raise PackError(f"{top} is here already; move it away first")
    for name, (data, modified) in content.items():
        write_atomically(name, data)
        os.utime(name, (modified, modified))
    return manifest


def _check(source: Path, manifest: dict, content: dict[str, bytes]) -> None:
    listed = manifest["files"]
    # Packs of earlier versions hold metadata of Snakemake as well.
    allowed = (f"results/{manifest['study']}/", ".snakemake/metadata/")
    for name in sorted(listed.keys() | content.keys()):
        if not name.startswith(allowed) or ".." in Path(name).parts:
            raise PackError(f"{source}: {name} would be written outside the study; do not use it")
        if name not in content:
            raise PackError(f"{source}: {name} is missing from the pack; copy it again")
        if listed.get(name) != sha256_bytes(content[name]):
            raise PackError(f"{source}: {name} is not what the manifest says; copy it again")
