"""Bring one PDF of the manifest, a paper or a key, into the study, its sha256 checked.

Input: `files`, the PDF where the manifest names a file (none for a URL). Output: `document`.
Params: `file` or `url`, and `sha256`, as in the manifest.
"""

from pathlib import Path

import requests

from distil.content.downloads import download
from distil.content.files import write_atomically
from distil.content.hashing import sha256_bytes


def check(data: bytes, name: str, sha256: str) -> bytes:
    """Return a PDF's bytes if they are the ones the manifest names.

    Raises:
        ValueError: no PDF, or another one; the message names the file and the remedy.
    """
    digest = sha256_bytes(data)
    if data[:1024].lstrip()[:1] == b"<":
        raise ValueError(
            f"{name}: this is a web page, not a PDF; open the address in a browser, save the PDF "
            "and name it as a file in the manifest"
        )
    if b"%PDF-" not in data[:1024]:
        raise ValueError(f"{name}: not a PDF; put the right file in place")
    if digest != sha256:
        raise ValueError(
            f"{name}: sha256 is {digest}, the manifest says {sha256}; "
            "restore the file, or correct the manifest if the new one is right"
        )
    return data


def fetch(url: str) -> bytes:
    """Return what lies at an address.

    Raises:
        ValueError: it cannot be had; the message names the address and the remedy.
    """
    try:
        return download(url)
    except requests.RequestException as error:
        raise ValueError(
            f"{url}: cannot be downloaded ({error}); download it by hand and name it as a file "
            "in the manifest"
        ) from error


def main(*, input, output, params) -> dict:  # noqa: A002
    if input.files:
        name = input.files[0]
        data = Path(name).read_bytes()
    else:
        name = params.url
        data = fetch(name)
    write_atomically(output.document, check(data, name, params.sha256))
    return {"facts": {"source": name}}


if __name__ == "__main__":
    from distil.lineage.record import run

    run(main, snakemake)  # noqa: F821
