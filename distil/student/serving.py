"""Adapters laid out for servers: folders that mlx-lm and the PEFT library both read.

mlx-lm's `adapters.safetensors` holds `lora_a` of shape (inputs, rank) and `lora_b` of shape (rank,
outputs), added as scale * x a b; PEFT's `adapter_model.safetensors`, which vLLM reads too, holds
their transposes, added as alpha / rank * B A x. Both libraries read `adapter_config.json`, each
its own keys of it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distil.content.hashing import sha256_file
from distil.student.adapters import make_adapter_folder, mx
from distil.student.examination import served_name

if TYPE_CHECKING:
    from collections.abc import Iterator

_TERM = re.compile(r"(?P<module>.+\.layers\.(?P<layer>\d+)\.(?P<map>.+))\.lora_(?P<term>[ab])")


def peft_weights(weights: dict[str, mx.array]) -> tuple[dict[str, mx.array], dict[str, Any]]:
    """Return an adapter's weights by PEFT's names, and what they say of its shape.

    Args:
        weights: mlx-lm's.

    Raises:
        ValueError: a term is not one of a linear map of a layer, as those of mixtures of experts.
    """
    found, maps, layers = {}, set(), set()
    for name, value in weights.items():
        term = _TERM.fullmatch(name)
        if term is None or value.ndim != 2:
            raise ValueError(
                f"{name}: PEFT has no such term; remedy: serve this adapter with mlx_lm.server"
            )
        maps.add(term["map"].rpartition(".")[2])
        layers.add(int(term["layer"]))
        # Contiguous: safetensors writes memory as it lies.
        found[f"base_model.model.{term['module']}.lora_{term['term'].upper()}.weight"] = (
            mx.contiguous(value.T)
        )
    return found, {"target_modules": sorted(maps), "layers_to_transform": sorted(layers)}


def write_adapter(checkpoint: Path, config: Path, folder: Path, base: str) -> None:
    """Lay one checkpoint out for mlx_lm.server and for servers that read PEFT's form.

    Args:
        checkpoint: its weights.
        config: the run's adapter_config.json.
        folder: made if need be.
        base: path or name of the base model, for PEFT's own bookkeeping.

    Raises:
        ValueError: as of `peft_weights`.
    """
    make_adapter_folder(checkpoint, config, folder)
    weights, shape = peft_weights(mx.load(str(checkpoint)))
    mx.save_safetensors(
        str(folder / "adapter_model.safetensors"), weights, metadata={"format": "pt"}
    )
    settings = json.loads(config.read_text(encoding="utf-8"))
    lora = settings["lora_parameters"]
    settings |= {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": lora["rank"],
        "lora_alpha": lora["scale"] * lora["rank"],
        "lora_dropout": lora["dropout"],
        "bias": "none",
        "inference_mode": True,
        **shape,
    }
    text = json.dumps(settings, indent=1, sort_keys=True) + "\n"
    (folder / "adapter_config.json").write_text(text, encoding="utf-8")


def lay_out(results: Path, folder: Path, base: str) -> Iterator[str]:
    """Lay every adapter of a study out, and yield their names.

    Args:
        results: results/STUDY.
        folder: where each gets a folder of its name; those that are there are left as they are,
            since a name holds the weights' hash.
        base: as of `write_adapter`.

    Raises:
        FileNotFoundError: the study has no adapters yet.
    """
    checkpoints = sorted(results.glob("adapters/*/*/seed-*/*.safetensors"))
    if not checkpoints:
        raise FileNotFoundError(
            f"{results}/adapters: no adapter; remedy: train them first (docs/own-student.md)"
        )
    for path in checkpoints:
        run = path.parent.relative_to(results / "adapters").as_posix()
        name = served_name(run, int(path.stem), sha256_file(path))
        if not (folder / name / "adapter_config.json").exists():
            write_adapter(path, path.with_name("adapter_config.json"), folder / name, base)
        yield name
