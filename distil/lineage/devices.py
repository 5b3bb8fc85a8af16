"""One GPU for each job, where several jobs share a machine that has several.

Snakemake counts GPUs (`--resources gpu=8`) and does not say which is whose. A job that asks for one
takes the first that no other job of this machine holds, and sees no other. On a cluster the
scheduler has done so already: the job sees one, and nothing is left to choose.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distil.content.leases import machine_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

VISIBLE = "CUDA_VISIBLE_DEVICES"


def visible() -> list[str]:
    """Return the NVIDIA GPUs that this process may use, as `CUDA_VISIBLE_DEVICES` names them."""
    told = os.environ.get(VISIBLE)
    if told is not None:
        return [name.strip() for name in told.split(",") if name.strip()]
    found = [p for p in Path("/dev").glob("nvidia*") if re.fullmatch(r"nvidia\d+", p.name)]
    return [str(number) for number in range(len(found))]


@contextlib.contextmanager
def own_gpu(resources: Any) -> Iterator[str | None]:
    """Let a job that asks for a GPU see one that no other job of this machine has.

    Args:
        resources: those of Snakemake's job.

    Yields:
        the GPU; None where the job asks for none, or there are not several to choose from.
    """
    devices = visible()
    if not resources.get("gpu", 0) or len(devices) < 2:
        yield None
        return
    with contextlib.ExitStack() as stack:
        device = _take(devices, stack)
        os.environ[VISIBLE] = device
        yield device


def _take(devices: list[str], stack: contextlib.ExitStack) -> str:
    """Wait for a free device and hold it until the stack closes."""
    said = False
    while True:
        for device in devices:
            name = re.sub(r"[^A-Za-z0-9-]", "-", device)
            handle = os.open(machine_folder() / f"gpu-{name}", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(handle)
            else:
                stack.callback(os.close, handle)
                return device
        if not said:
            print(f"all GPUs ({', '.join(devices)}) are held by other jobs; waiting", flush=True)
            said = True
        time.sleep(0.5)
