"""LoRA adapters: attaching one to a model, swapping, merging and writing its weights.

Training and prediction both import this module, and it imports neither, so that an edit of the
training loop does not rerun a prediction. The LoRA layers and their initial values are mlx-lm's.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distil.student.blas import load_blas

load_blas()  # before mlx, or it has no effect

import mlx.core as mx  # noqa: E402
import mlx.nn as nn  # noqa: E402
from mlx.utils import tree_flatten, tree_unflatten  # noqa: E402
from mlx_lm.tuner.lora import LoRALinear  # noqa: E402
from mlx_lm.tuner.utils import linear_to_lora_layers  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator


LARGEST_MERGED = 512 * 2**20


@dataclass(frozen=True, kw_only=True)
class LoraShape:
    """What decides which LoRA terms a model gets.

    Attributes:
        rank: LoRA rank.
        scale: factor of the LoRA term (not alpha).
        layers: the last layers that get LoRA terms in all their linear maps.
        dropout: of the LoRA terms' input.
    """

    rank: int
    scale: float
    layers: int
    dropout: float = 0.0


def add_lora(model: nn.Module, shape: LoraShape, seed: int) -> None:
    """Freeze a model and give its last layers LoRA terms drawn from the seed, in place.

    Raises:
        ValueError: the model has fewer layers than asked for.
    """
    if shape.layers > len(model.layers):
        raise ValueError(
            f"adapters.layers: {shape.layers} asked for, the model has {len(model.layers)};"
            " remedy: a smaller number"
        )
    model.freeze()
    mx.random.seed(seed)
    linear_to_lora_layers(model, shape.layers, lora_parameters(shape))
    mx.eval(model.parameters())


def lora_parameters(shape: LoraShape) -> dict[str, Any]:
    """Return the LoRA part of mlx-lm's adapter_config.json."""
    return {"rank": shape.rank, "scale": shape.scale, "dropout": shape.dropout}


def adapter_config(shape: LoraShape) -> dict[str, Any]:
    """Return what mlx-lm needs beside the weights to load an adapter: `adapter_config.json`."""
    return {
        "fine_tune_type": "lora",
        "lora_parameters": lora_parameters(shape),
        "num_layers": shape.layers,
    }


def add_adapter(model: nn.Module, config: str | Path) -> None:
    """Give a model the LoRA terms that an adapter's configuration describes, in place.

    Their weights come by `swap_adapter`, which holds them to the model's own shapes; mlx-lm's
    loading of an adapter leaves out what does not fit, without a word.

    Args:
        model: student without adapter.
        config: the run's adapter_config.json.
    """
    settings = json.loads(Path(config).read_text(encoding="utf-8"))
    add_lora(model, LoraShape(layers=settings["num_layers"], **settings["lora_parameters"]), 0)
    model.eval()


def swap_adapter(model: nn.Module, checkpoint: str | Path) -> None:
    """Put another checkpoint's weights into a model that has such an adapter already.

    Args:
        model: student with LoRA terms.
        checkpoint: safetensors file with exactly these terms' weights.

    Raises:
        ValueError: the file has other names or shapes.
    """
    given = mx.load(str(checkpoint))
    own = {
        name: value.shape
        for name, value in tree_flatten(model.parameters())
        if name.endswith((".lora_a", ".lora_b"))
    }
    if {name: value.shape for name, value in given.items()} != own:
        raise ValueError(
            f"{checkpoint}: not an adapter of this model's shape; remedy: train it again"
        )
    model.load_weights(list(given.items()), strict=False)


@contextlib.contextmanager
def merged(model: nn.Module) -> Iterator[None]:
    """Add the LoRA terms to the float32 weights they belong to, for the length of a `with` block.

    A product for each linear map instead of three. The sum in the weights rounds otherwise than
    the sum of the products (by parts in ten million), so weights of fewer bits are left as they
    are. So are those of a model of more than `LARGEST_MERGED` bytes, since the merged weights stand
    beside the others. A test holds the texts against those of mlx-lm with the adapter apart.

    Args:
        model: student, with or without LoRA terms.
    """
    large = sum(value.nbytes for _, value in tree_flatten(model.parameters())) > LARGEST_MERGED
    apart = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, LoRALinear) and module.linear.weight.dtype == mx.float32 and not large
    ]
    model.update_modules(tree_unflatten([(name, module.fuse()) for name, module in apart]))
    mx.eval(model.parameters())
    try:
        yield
    finally:
        model.update_modules(tree_unflatten(apart))


def make_adapter_folder(checkpoint: Path, config: Path, folder: Path) -> Path:
    """Lay a checkpoint out as `mlx_lm.load(adapter_path=...)` wants it.

    Args:
        checkpoint: weights of one iteration.
        config: the run's adapter_config.json.
        folder: made if need be; holds copies of both under mlx-lm's names.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapters.safetensors").write_bytes(Path(checkpoint).read_bytes())
    (folder / "adapter_config.json").write_bytes(Path(config).read_bytes())
    return folder
