"""Tiny models of many architectures with random weights, in Hugging Face's layout."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

from distil.student.model import lock_model
from distil.synthetic.pretraining import CHAT_TEMPLATE

STUDENT = Path(__file__).resolve().parents[2] / "resources" / "student"
COMMON = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 512,
    "max_position_embeddings": 256,
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0,
    "tie_word_embeddings": False,
    "hidden_act": "silu",
    "eos_token_id": 2,
    "pad_token_id": 0,
    "torch_dtype": "float32",
    "use_cache": True,
    "initializer_range": 0.02,
    "attention_dropout": 0.0,
}
GEMMA = {
    "tie_word_embeddings": True,
    "head_dim": 8,
    "hidden_act": "gelu_pytorch_tanh",
    "hidden_activation": "gelu_pytorch_tanh",
}
MOE = {
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 24,
    "decoder_sparse_step": 1,
    "mlp_only_layers": [],
    "norm_topk_prob": True,
    "head_dim": 8,
}
# Architecture: what its config.json says besides COMMON, as the models on the hub have it.
CONFIGS = {
    "llama": {"attention_bias": False, "mlp_bias": False, "rope_scaling": None},
    "qwen2": {"use_sliding_window": False, "sliding_window": 131072, "max_window_layers": 28},
    "qwen3": {"head_dim": 8, "attention_bias": False, "sliding_window": None},
    "gemma2": {
        **GEMMA,
        "attn_logit_softcapping": 50.0,
        "final_logit_softcapping": 30.0,
        "query_pre_attn_scalar": 8,
        "sliding_window": 4096,
    },
    "gemma3_text": {
        **GEMMA,
        "query_pre_attn_scalar": 8,
        "sliding_window": 8,
        "sliding_window_pattern": 2,
        "rope_local_base_freq": 10000.0,
    },
    "phi3": {
        "original_max_position_embeddings": 256,
        "rope_scaling": None,
        "sliding_window": 262144,
    },
    "olmo2": {"attention_bias": False},
    "granite": {
        "attention_multiplier": 0.0625,
        "embedding_multiplier": 12.0,
        "residual_multiplier": 0.22,
        "logits_scaling": 8.0,
        "attention_bias": False,
        "mlp_bias": False,
    },
    "smollm3": {"no_rope_layers": [1, 0], "no_rope_layer_interval": 2},
    "qwen3_moe": MOE,
    "qwen2-4bit": {"hidden_size": 64, "intermediate_size": 64},
}
NAMES = {"gemma3_text": "Gemma3ForCausalLM"}


def write_config(folder: Path, config: dict) -> None:
    (folder / "config.json").write_text(json.dumps(config, indent=1, sort_keys=True))


def make_model(
    folder: Path,
    name: str,
    template: str = CHAT_TEMPLATE,
    shape: dict | None = None,
    **changes,
) -> Path:
    """Write a locked model folder.

    Args:
        folder: made if need be.
        name: a key of `CONFIGS`.
        template: the chat template.
        shape: keys of config.json that the weights are made by, in place of `COMMON`'s.
        changes: keys of config.json that differ; None removes one.
    """
    import mlx.core as mx
    from mlx import nn
    from mlx.utils import tree_flatten
    from mlx_lm.utils import _get_classes

    folder.mkdir(parents=True, exist_ok=True)
    kind = name.removesuffix("-4bit")
    config = {**COMMON, **CONFIGS[name], **(shape or {}), "model_type": kind}
    model_class, arguments = _get_classes(config)
    model = model_class(arguments.from_dict(config))
    random = np.random.default_rng(7)
    fresh = []
    for key, value in tree_flatten(model.parameters()):
        # Norms near their usual value, matrices large enough that tokens differ.
        scale = 0.2 if value.ndim > 1 else 0.05
        centre = 1.0 if key.endswith("norm.weight") and "gemma" not in kind else 0.0
        drawn = centre + scale * random.normal(size=value.shape)
        fresh.append((key, mx.array(drawn.astype(np.float32))))
    model.load_weights(fresh)
    if name.endswith("-4bit"):
        nn.quantize(model, group_size=32, bits=4)
        config["quantization"] = {"group_size": 32, "bits": 4}
    weights = dict(tree_flatten(model.parameters()))
    if config["tie_word_embeddings"]:
        weights.pop("lm_head.weight", None)
    mx.save_safetensors(str(folder / "model.safetensors"), weights, metadata={"format": "mlx"})
    config = {**config, **changes}
    write_config(folder, {key: value for key, value in config.items() if value is not ...})
    shutil.copy(STUDENT / "tokenizer.json", folder)
    settings = json.loads((STUDENT / "tokenizer_config.json").read_text())
    settings["chat_template"] = template
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    lock_model(folder)
    return folder
