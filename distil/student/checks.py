"""Checks of a student model before hours are spent on it: configuration, chat template, batching.

mlx-lm reads those keys of config.json that its own classes name and drops the rest, a chat template
is a program, and a model whose attention mask does not know padding answers otherwise in a batch.
Each of these gives wrong numbers without a word, so each is looked for when a model is locked and
when it is opened.
"""

from __future__ import annotations

import contextlib
import datetime
import itertools
import json
import math
from typing import TYPE_CHECKING, Any

from distil.student.blas import load_blas

load_blas()  # before mlx, or it has no effect

import mlx.core as mx  # noqa: E402
import numpy as np  # noqa: E402
from mlx_lm.generate import BatchGenerator  # noqa: E402
from mlx_lm.models.cache import BatchKVCache, make_prompt_cache  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path


class UnfitModelError(ValueError):
    """The model would be trained or asked otherwise than its makers meant."""


# Keys of config.json that mlx-lm need not read: bookkeeping, and what acts in pre-training only.
BOOKKEEPING = frozenset(
    {
        "_attn_implementation",
        "_name_or_path",
        "architectures",
        "auto_map",
        "bos_token_id",
        "cache_implementation",
        "dtype",
        "eos_token_id",
        "initializer_factor",
        "initializer_range",
        "max_position_embeddings",
        "model_max_length",
        "model_type",
        "name_or_path",
        "output_router_logits",
        "pad_token_id",
        "pretraining_tp",
        "quantization",
        "quantization_config",
        "router_aux_loss_coef",
        "torch_dtype",
        "transformers_version",
        "use_cache",
    }
)
# Two names of one thing: gemma's files carry both, and transformers keeps the second.
ALIASES = {"hidden_act": "hidden_activation"}
PLAIN_CACHE = "KVCache"
# Names that end so belong to training from scratch: attention_dropout, resid_pdrop.
_DROPOUT = ("dropout", "_pdrop")
# Handled by a comparison of their own, since their names and places differ between versions.
_ROPE = frozenset({"rope_parameters", "rope_scaling", "rope_theta"})
_WINDOW = frozenset({"sliding_window", "use_sliding_window", "max_window_layers", "layer_types"})


# ------------------------------------------------------------------------------- configuration


def check_config(folder: Path, model: Any) -> None:
    """Hold every key of a model's config.json against what mlx-lm made of it.

    Where the transformers library knows the architecture, its reading of the file, defaults
    included, is what mlx-lm's is compared with. Of a model that also sees or hears, the part that
    reads text is held against the file's `text_config`; the rest of the file is of no effect here.

    Args:
        folder: the model's folder.
        model: the opened model; its `args`, or those of its part for text, are what mlx-lm read.

    Raises:
        UnfitModelError: a key is not read, or read as another value; all such keys are named. Or
            what mlx-lm read cannot be told.
    """
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    part = text_part(model)
    arguments = getattr(part, "args", None) or getattr(part, "config", None)
    if arguments is None:
        raise UnfitModelError(
            f"{path}: what mlx-lm read of it cannot be told, since its model of type"
            f" {config.get('model_type')!r} keeps no arguments; remedy: another model"
        )
    read = vars(arguments)
    meant, usual = _transformers_reading(folder, config)
    place = "the top level of the file"
    if "text_config" in config:
        place = "the top level of text_config"
        key = "tie_word_embeddings"  # stands above text_config, or in it
        config = ({key: config[key]} if key in config else {}) | config["text_config"]
        meant = ({key: config[key]} if key in config else {}) | meant
    faults = [*_misread(read, meant), *_rope_faults(read, meant, place)]
    faults += _window_faults(config, meant, cache_kinds(model))
    faults += _unread(config, read, usual, untied=hasattr(part, "lm_head"))
    if faults:
        raise UnfitModelError(
            f"{path}: mlx-lm would compute another model than this file describes:\n  "
            + "\n  ".join(faults)
            + "\nremedy: correct config.json where a line above says how and lock the model again"
            f" (distil lock {folder}), or choose a model that mlx-lm reads"
        )


def text_part(model: Any) -> Any:
    """Return the part of a model that reads text: most are nothing else."""
    return model.language_model if hasattr(getattr(model, "args", None), "text_config") else model


def _transformers_reading(
    folder: Path, config: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what transformers reads of a folder, for text, and its architecture's defaults."""
    import transformers

    level = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    try:
        meant = transformers.AutoConfig.from_pretrained(folder).get_text_config()
        return meant.to_dict(), type(meant)().to_dict()
    except (ValueError, KeyError, TypeError, AttributeError):
        # An architecture of its own: what the file says is what is meant.
        return dict(config.get("text_config", config)), {}
    finally:
        transformers.logging.set_verbosity(level)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return math.isclose(one, other, rel_tol=1e-9)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return list(one) == list(other)
    return one == other


def _misread(read: dict[str, Any], meant: dict[str, Any]) -> Iterator[str]:
    for key, value in read.items():
        # None stands for a value that the model computes from others.
        if key in _ROPE | _WINDOW | {"model_type"} or value is None or meant.get(key) is None:
            continue
        if not _same(value, meant[key]):
            yield f"{key}: mlx-lm takes {value!r}, the file means {meant[key]!r}"


def _unread(
    config: dict[str, Any], read: dict[str, Any], usual: dict[str, Any], *, untied: bool
) -> Iterator[str]:
    """Yield the keys that mlx-lm's classes do not name and that would have an effect.

    Args:
        config: what the file says.
        read: what mlx-lm read.
        usual: the architecture's defaults, which are what mlx-lm's code does.
        untied: whether the model has an output matrix of its own.
    """
    for key, value in config.items():
        if key in read or key in BOOKKEEPING or key in _ROPE | _WINDOW or key.endswith(_DROPOUT):
            continue
        if key == "tie_word_embeddings":
            if bool(value) == untied:
                yield f"{key}: {value} is not what mlx-lm's model of this type does"
        elif value not in (None, False, [], {}) and value not in (
            usual.get(key),
            usual.get(ALIASES.get(key, "")),
        ):
            yield f"{key}: {value!r} is not read by mlx-lm"


def _rope_faults(read: dict[str, Any], meant: dict[str, Any], place: str) -> Iterator[str]:
    """Yield how the rotary embedding that mlx-lm makes differs from the one that is meant.

    Args:
        read: what mlx-lm read.
        meant: what transformers reads.
        place: where the keys that mlx-lm reads are to stand.
    """
    parameters = meant.get("rope_parameters") or {}
    parameters = parameters.get("full_attention", parameters)
    if not isinstance(parameters, dict):
        return
    theta = parameters.get("rope_theta", meant.get("rope_theta"))
    nested = read.get("rope_parameters") or {}
    nested = nested.get("full_attention", nested)
    taken = nested.get("rope_theta", read.get("rope_theta"))
    if theta is not None and taken is not None and not _same(theta, taken):
        yield (
            f"rope_theta: mlx-lm takes {taken!r}, the file means {theta!r}; write"
            f' "rope_theta": {theta!r} at {place}'
        )
    kind = _rope_kind(parameters)
    scaling = read.get("rope_scaling") or nested or {}
    found = _rope_kind(scaling)
    if kind != found or not _same(parameters.get("factor"), scaling.get("factor")):
        wanted = {key: value for key, value in parameters.items() if key != "rope_theta"}
        yield (
            f"rope_scaling: mlx-lm takes {found!r}, the file means {kind!r}; write"
            f' "rope_scaling": {json.dumps(wanted)} at {place}'
        )


def _rope_kind(parameters: dict[str, Any]) -> str:
    """Return the kind of a rotary embedding; mrope, of pictures, is the default one on text."""
    kind = parameters.get("rope_type", parameters.get("type", "default"))
    return "default" if kind == "mrope" else kind


def _window_faults(config: dict[str, Any], meant: dict[str, Any], kinds: set[str]) -> Iterator[str]:
    """Yield a sliding window that mlx-lm's model does not keep and that a text can outgrow."""
    window = meant.get("sliding_window")
    if window is None or config.get("use_sliding_window") is False or kinds != {PLAIN_CACHE}:
        return
    positions = meant.get("max_position_embeddings")
    if positions is None or window < positions:
        yield (
            f"sliding_window: {window} is not kept by mlx-lm's model, which attends to all"
            f' {positions} tokens; write "max_position_embeddings": {window} where texts are short'
        )


# ------------------------------------------------------------------------------------ template


def check_template(tokenizer: Any) -> None:
    """Refuse a chat template whose text depends on the day, or that drops part of an answer.

    Raises:
        UnfitModelError: with the remedy.
    """
    if not getattr(tokenizer, "chat_template", None):
        raise UnfitModelError(
            "chat template: the model has none (chat_template in tokenizer_config.json, or the file"
            " chat_template.jinja), as base models often have none; remedy: choose the instruct"
            " model of the same name, or put its template there, and lock the model again"
        )
    question = [{"role": "user", "content": "a question"}]

    def render(year: int) -> str:
        with _clock(datetime.datetime(year, year % 12 + 1, year % 28 + 1, year % 24)):  # noqa: DTZ001
            return tokenizer.apply_chat_template(
                question, tokenize=False, add_generation_prompt=True
            )

    if render(2001) != render(2012):
        raise UnfitModelError(
            "chat template: it prints today's date (strftime_now), so the same question would have"
            " other tokens tomorrow; remedy: put a fixed date in its place in the model's"
            " chat_template and lock the model again"
        )
    thought, said = "forty-one and one", "forty-two"
    whole = tokenizer.apply_chat_template(
        [*question, {"role": "assistant", "content": f"{thought}</think>{said}"}], tokenize=False
    )
    if thought not in whole or said not in whole:
        raise UnfitModelError(
            "chat template: it drops what an answer says before </think>, so the student would not"
            " learn it; remedy: take that branch out of the model's chat_template (look for"
            " '</think>') and lock the model again"
        )


@contextlib.contextmanager
def _clock(moment: datetime.datetime) -> Iterator[None]:
    """Let chat templates believe that it is a certain moment, for the length of a `with` block."""
    from transformers.utils import chat_template_utils

    class Clock(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:
            return moment.replace(tzinfo=tz)

    usual = chat_template_utils.datetime
    chat_template_utils.datetime = Clock
    try:
        yield
    finally:
        chat_template_utils.datetime = usual


# ------------------------------------------------------------------------------------ batching

_PROBE = ((5, 17, 3, 11, 29, 7, 13, 2, 19), (23, 4, 31, 8))
_FED = (6, 9, 12)


def cache_kinds(model: Any) -> set[str]:
    """Return the names of the kinds of key-value caches that a model's layers want."""
    return {type(cache).__name__ for cache in make_prompt_cache(model)}


def check_caches(model: Any) -> None:
    """Refuse a model whose key-value caches the exact decoder cannot put together.

    Raises:
        UnfitModelError: with the kinds that were found.
    """
    kinds = cache_kinds(model)
    if kinds != {PLAIN_CACHE}:
        raise UnfitModelError(
            f"model: caches of kind {', '.join(sorted(kinds - {PLAIN_CACHE}))} are not supported by"
            " the exact decoder; remedy: predictions.decoder: continuous, which is mlx-lm's own, or"
            " another model"
        )


def check_decoder(model: Any, decoder: str) -> None:
    """Refuse a model that the study's decoder cannot decode.

    Args:
        model: student.
        decoder: as `predictions.decoder` names it.

    Raises:
        UnfitModelError: as `check_caches`.
    """
    if decoder == "exact":
        check_caches(model)


def check_batching(model: Any) -> None:
    """Refuse a model that answers otherwise in a batch than alone, by two short prompts.

    A model of plain caches is batched as the exact decoder does it, any other by mlx-lm's own
    generator, which is then the only decoder for it (`check_caches`).

    Raises:
        UnfitModelError: the logits differ by more than rounding, or the model cannot be batched.
    """
    plain = cache_kinds(model) == {PLAIN_CACHE}
    try:
        together = _probe_together(model) if plain else _probe_generator(model)
    except (ValueError, TypeError, AttributeError) as error:
        raise UnfitModelError(
            f"model: it cannot decode two prompts of different lengths together ({error}); remedy:"
            " another model"
        ) from error
    for row, prompt in enumerate(_PROBE):
        alone = _probe_alone(model, prompt)
        spread = alone.max() - alone.min()
        # A wrong mask changes logits by their own size; the products of bfloat16 by a hundredth.
        tolerance = 1e-3 if _is_float32(model) else 5e-2
        worst = float(np.abs(alone - together[row]).max() / max(spread, 1e-9))
        if not worst < tolerance:
            raise UnfitModelError(
                "model: in a batch with a longer prompt it gives other logits than alone (by"
                f" {100 * worst:.1f} % of their range), so its answers would depend on their"
                " neighbours; remedy: another model"
            )


def _is_float32(model: Any) -> bool:
    from mlx.utils import tree_flatten

    return all(value.dtype == mx.float32 for _, value in tree_flatten(model.parameters()))


def _logits(model: Any, tokens: Sequence[Sequence[int]], cache: list[Any]) -> list[np.ndarray]:
    """Return the last logits after the tokens and after each fed token: (rows, vocabulary) each."""
    found = [model(mx.array(tokens), cache=cache)[:, -1]]
    found += [model(mx.array([[token]] * len(tokens)), cache=cache)[:, -1] for token in _FED]
    return [np.array(logits.astype(mx.float32)) for logits in found]


def _probe_alone(model: Any, prompt: Sequence[int]) -> np.ndarray:
    """Return the log-probabilities after one prompt: (steps, vocabulary)."""
    return _log_shares(
        np.stack([rows[0] for rows in _logits(model, [prompt], make_prompt_cache(model))])
    )


def _log_shares(logits: np.ndarray) -> np.ndarray:
    return logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)


def _probe_together(model: Any) -> np.ndarray:
    """Return the log-probabilities after both prompts: (rows, steps, vocabulary)."""
    width = max(map(len, _PROBE))
    padding = [width - len(prompt) for prompt in _PROBE]
    tokens = [[0] * pad + list(prompt) for pad, prompt in zip(padding, _PROBE, strict=True)]
    cache = [BatchKVCache(padding) for _ in model.layers]
    return _log_shares(np.stack(_logits(model, tokens, cache), axis=1))


def _probe_generator(model: Any) -> np.ndarray:
    """Return the same by mlx-lm's batch generator, which is made to take the fed tokens."""
    generator = BatchGenerator(model, max_tokens=len(_FED) + 1, stop_tokens=[])

    def feeder() -> Callable[[mx.array], mx.array]:
        tokens = itertools.chain(_FED, itertools.repeat(0))
        return lambda _: mx.array([next(tokens)])

    try:
        numbers = generator.insert(
            [list(prompt) for prompt in _PROBE], samplers=[feeder() for _ in _PROBE]
        )
        found: dict[int, list[np.ndarray]] = {number: [] for number in numbers}
        while responses := generator.next_generated():
            for response in responses:
                found[response.uid].append(np.array(response.logprobs.astype(mx.float32)))
    finally:
        generator.close()
    return np.stack([np.stack(found[number]) for number in numbers])
