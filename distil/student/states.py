"""Training states that a killed run resumes from: weights, optimizer and progress in one file.

One file, so that the three are always of the same iteration.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from distil.content.files import write_atomically
from distil.content.hashing import canonical_json
from distil.student.blas import load_blas

load_blas()  # before mlx, or it has no effect

import mlx.core as mx  # noqa: E402
import numpy as np  # noqa: E402
import safetensors.numpy  # noqa: E402
from mlx.utils import tree_flatten, tree_unflatten  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import mlx.nn as nn
    import mlx.optimizers as optim

_MODEL, _OPTIMIZER, _RANDOM = "model.", "optimizer.", "random."


def pack_arrays(arrays: dict[str, mx.array], metadata: dict[str, str]) -> bytes:
    """Return safetensors bytes of arrays, the same for the same content.

    Args:
        arrays: name to array.
        metadata: one entry at most, because several come out in random order.
    """
    assert len(metadata) <= 1
    return safetensors.numpy.save({k: np.array(v) for k, v in arrays.items()}, metadata)


def save_state(
    path: Path,
    record: dict[str, Any],
    model: nn.Module,
    optimizer: optim.Optimizer,
    random: Sequence[mx.array] = (),
) -> None:
    """Write the trainable weights, the optimizer and a record of the progress as one file.

    Args:
        path: the file, replaced as a whole.
        record: plain JSON with `key`, which names the run.
        model: its trainable weights are saved.
        optimizer: all of its state is saved.
        random: the state of mlx's generator, where the run draws from it.
    """
    arrays = {f"{_MODEL}{k}": v for k, v in tree_flatten(model.trainable_parameters())}
    arrays |= {f"{_OPTIMIZER}{k}": v for k, v in tree_flatten(optimizer.state)}
    arrays |= {f"{_RANDOM}{i}": value for i, value in enumerate(random)}
    write_atomically(path, pack_arrays(arrays, {"state": canonical_json(record)}))


def read_state(path: Path, key: str) -> tuple[dict[str, Any], dict[str, mx.array]] | None:
    """Read a state if it is there and of the run that `key` names; changes nothing yet."""
    if not path.exists():
        return None
    arrays, metadata = mx.load(str(path), format="safetensors", return_metadata=True)
    record = json.loads(metadata["state"])
    return (record, arrays) if record["key"] == key else None


def restore_state(
    arrays: dict[str, mx.array], model: nn.Module, optimizer: optim.Optimizer
) -> None:
    """Put a state's arrays into a model, its optimizer and mlx's generator, in place."""
    for name, value in arrays.items():
        if name.startswith(_RANDOM):
            mx.random.state[int(name.removeprefix(_RANDOM))][:] = value
    model.load_weights(
        [(k.removeprefix(_MODEL), v) for k, v in arrays.items() if k.startswith(_MODEL)],
        strict=False,
    )
    optimizer.state = tree_unflatten(
        [(k.removeprefix(_OPTIMIZER), v) for k, v in arrays.items() if k.startswith(_OPTIMIZER)]
    )
