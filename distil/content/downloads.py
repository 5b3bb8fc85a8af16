"""Downloads of single files over HTTP, limited in size."""

from __future__ import annotations

import requests

PATIENCE = (20, 60)  # seconds to connect, and of silence
LARGEST = 500 * 1024**2  # bytes


def download(url: str) -> bytes:
    """Return what lies at an address.

    Raises:
        requests.RequestException: it cannot be had.
        ValueError: it is larger than `LARGEST`; the message names the address and the remedy.
    """
    with requests.get(url, timeout=PATIENCE, stream=True) as answer:
        answer.raise_for_status()
        data = bytearray()
        for piece in answer.iter_content(1 << 16):
            data += piece
            if len(data) > LARGEST:
                raise ValueError(f"{url}: over {LARGEST // 1024**2} MiB; download it by hand")
    return bytes(data)
