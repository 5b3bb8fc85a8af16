"""Adapters laid out for servers: PEFT's form computes what mlx-lm's does."""

import json
import shutil

import mlx_lm
import numpy as np
import pytest
from mlx.utils import tree_flatten
from tiny_student import make_student

from distil.content.hashing import sha256_file
from distil.student import serving
from distil.student.adapters import LoraShape, adapter_config, add_lora, mx
from distil.student.model import load_student

SHAPE = LoraShape(rank=4, scale=3.0, layers=1)


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    return make_student(tmp_path_factory.mktemp("student"), tokens=2_000)


@pytest.fixture
def results(student, tmp_path):
    """Results of a study with one adapter, its weights drawn at random."""
    model, _ = load_student(student)
    add_lora(model, SHAPE, seed=1)
    folder = tmp_path / "results/mine/adapters/temporal/prompt/seed-1"
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    weights = {
        name: mx.array(random.normal(size=value.shape).astype(np.float32))
        for name, value in tree_flatten(model.trainable_parameters())
    }
    mx.save_safetensors(str(folder / "00010.safetensors"), weights)
    (folder / "adapter_config.json").write_text(json.dumps(adapter_config(SHAPE)))
    return tmp_path / "results/mine", weights


def test_both_forms_of_an_adapter_add_the_same_and_its_name_holds_its_hash(
    results, student, tmp_path
):
    top, weights = results
    (name,) = serving.lay_out(top, tmp_path / "out", "mine")
    digest = sha256_file(top / "adapters/temporal/prompt/seed-1/00010.safetensors")
    assert name == f"temporal-prompt-seed-1-00010-{digest[:12]}"
    folder = tmp_path / "out" / name
    config = json.loads((folder / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"]) == (4, 12.0)
    assert config["layers_to_transform"] == [1]
    assert {"q_proj", "down_proj"} <= set(config["target_modules"])
    peft = mx.load(str(folder / "adapter_model.safetensors"))
    assert len(peft) == len(weights)
    row = mx.array(np.random.default_rng(1).normal(size=32).astype(np.float32))
    module = "model.layers.1.self_attn.q_proj"
    own = SHAPE.scale * (row @ weights[f"{module}.lora_a"] @ weights[f"{module}.lora_b"])
    a, b = (peft[f"base_model.model.{module}.lora_{term}.weight"] for term in "AB")
    assert np.allclose(own, config["lora_alpha"] / config["r"] * (b @ (a @ row)), rtol=1e-4)
    mlx_lm.load(str(student), adapter_path=str(folder))  # reads its own keys of the same file
    before = (folder / "adapter_config.json").stat().st_mtime_ns
    assert list(serving.lay_out(top, tmp_path / "out", "mine")) == [name]
    assert (folder / "adapter_config.json").stat().st_mtime_ns == before


def test_a_study_without_adapters_and_terms_that_peft_lacks_are_named(results, tmp_path):
    top, weights = results
    weights = {"model.layers.0.mlp.switch_mlp.up_proj.lora_a": mx.zeros((2, 3, 4))}
    with pytest.raises(ValueError, match="PEFT has no such term; remedy"):
        serving.peft_weights(weights)
    shutil.rmtree(top / "adapters")
    with pytest.raises(FileNotFoundError, match="no adapter; remedy: train"):
        list(serving.lay_out(top, tmp_path / "out", "mine"))
