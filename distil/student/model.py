"""The student model: locked files, opening it, and its chat template.

Training and prediction both render through `render_row` and `render_prompt`, so that the
tokens a model is trained on and asked with cannot drift apart.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from distil.content.hashing import sha256_file, sha256_once
from distil.student.blas import load_blas

LOCK_NAME = "model.lock.json"
# Of each, one must be there: mlx-lm and transformers make something up where one is missing.
NEEDED = (
    ("config.json",),
    ("tokenizer.json", "tokenizer.model", "vocab.json", "tiktoken.model"),
    ("tokenizer_config.json",),
)
# What may lie beside a model without changing an answer.
_UNLOCKED = {LOCK_NAME, "README.md", ".gitattributes"}


def escape_special(tokenizer: Any, text: str) -> str:
    """Return a text in which no special token's spelling is read as that token.

    "<|im_end|>" in a question or a teacher's answer is text, and becomes "< |im_end|>"; as it
    stands it would end the turn. Other text is returned as it is.
    """
    for token in _special_tokens(tokenizer):
        if token in text:
            text = text.replace(token, f"{token[0]} {token[1:]}")
    return text


@functools.lru_cache(maxsize=8)
def _special_tokens(tokenizer: Any) -> tuple[str, ...]:
    """Return the spellings of a tokenizer's special tokens, the longest first."""
    added = getattr(tokenizer, "added_tokens_decoder", {}).values()
    found = {str(token) for token in added if token.special}
    found.update(getattr(tokenizer, "all_special_tokens", ()))
    return tuple(sorted((t for t in found if len(t) > 1), key=lambda t: (-len(t), t)))


def _turns(message: str, system: str | None) -> list[dict[str, str]]:
    first = [{"role": "system", "content": system}] if system is not None else []
    return [*first, {"role": "user", "content": message}]


def render_prompt(tokenizer: Any, message: str, system: str | None = None) -> list[int]:
    """Return the token ids of a user message, below a system turn or not, ready for the answer."""
    message = escape_special(tokenizer, message)
    text = tokenizer.apply_chat_template(
        _turns(message, system), tokenize=False, add_generation_prompt=True
    )
    return tokenizer.encode(text, add_special_tokens=False)


def render_row(tokenizer: Any, message: str, response: str) -> tuple[list[int], int]:
    """Return the token ids of a message with its answer, and how many of them are the prompt.

    The prompt's ids are exactly those of `render_prompt`; the answer's follow and end in the
    end-of-turn token. What a template prints after that token is never generated, so it is
    not trained either.

    Raises:
        ValueError: the chat template rewrites the prompt once an answer follows, or the answer.
    """
    message, response = escape_special(tokenizer, message), escape_special(tokenizer, response)
    prompt = tokenizer.apply_chat_template(
        _turns(message, None), tokenize=False, add_generation_prompt=True
    )
    turns = [*_turns(message, None), {"role": "assistant", "content": response}]
    whole = tokenizer.apply_chat_template(turns, tokenize=False)
    if not whole.startswith(prompt):
        raise ValueError(
            "chat template: the prompt changes when an answer follows, so training and"
            " prediction would differ; remedy: a template that only appends"
        )
    if response.strip() not in whole[len(prompt) :]:
        raise ValueError(
            "chat template: it drops or rewrites a part of the answer"
            f" ({response[:60]!r}...), so the student would learn another; remedy: a template that"
            " prints answers as they are"
        )
    answer = tokenizer.encode(whole[len(prompt) :], add_special_tokens=False)
    ends = set(tokenizer.eos_token_ids)
    last = max((i for i, token in enumerate(answer) if token in ends), default=None)
    if last is None:
        raise ValueError(
            "chat template: no end-of-turn token after the answer; remedy: a template that"
            f" ends turns with one of {sorted(ends)}"
        )
    prompt_ids = tokenizer.encode(prompt, add_special_tokens=False)
    return prompt_ids + answer[: last + 1], len(prompt_ids)


def _file_record(path: Path) -> dict[str, Any]:
    return {"sha256": sha256_file(path), "size": path.stat().st_size}


def _is_locked(path: Path, expected: dict[str, Any]) -> bool:
    same_size = path.stat().st_size == expected["size"]
    return bool(same_size and sha256_once(path) == expected["sha256"])


def lock_model(folder: str | Path) -> Path:
    """Write `model.lock.json`: sha256 and size of every file of a model folder.

    Returns:
        The path of the lock.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder}: no such folder; remedy: put the model's files there, in Hugging Face's"
            " layout"
        )
    files = {
        path.relative_to(folder).as_posix(): _file_record(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and path.name not in _UNLOCKED
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }
    lock = folder / LOCK_NAME
    lock.write_text(json.dumps({"files": files}, indent=2, sort_keys=True) + "\n")
    return lock


def check_model(path: str | Path) -> str:
    """Compare a model with its lock.

    Args:
        path: the model folder, or the lock in it.

    Returns:
        sha256 of the lock file: the name of the model in keys and records.

    Raises:
        FileNotFoundError: no lock, or a file it names is gone.
        ValueError: a file's size or content is not the locked one.
    """
    folder = Path(path).parent if Path(path).name == LOCK_NAME else Path(path)
    lock = folder / LOCK_NAME
    if not lock.exists():
        raise FileNotFoundError(f"{lock}: no such file; remedy: distil lock {folder}")
    locked = json.loads(lock.read_text(encoding="utf-8"))["files"]
    for name, expected in locked.items():
        path = folder / name
        if not path.exists():
            raise FileNotFoundError(
                f"{path}: locked in {lock.name} but missing; remedy: restore it"
            )
        if not _is_locked(path, expected):
            raise ValueError(
                f"{path}: not the file that {lock.name} locked; remedy: restore it, or lock the"
                f" new model with: distil lock {folder}"
            )
    return sha256_file(lock)


def load_student(path: str | Path) -> tuple[Any, Any]:
    """Open a locked model with mlx-lm and check it; float32 on CPU, the model's own type elsewhere.

    Args:
        path: model folder with `model.lock.json`, or that file.

    Returns:
        The model in evaluation mode and its tokenizer (mlx-lm's wrapper).

    Raises:
        FileNotFoundError, ValueError: the model is not the locked one.
        UnfitModelError: mlx-lm cannot open it or misreads its configuration, or its template is
            not a fixed one.
    """
    load_blas()  # before mlx, or it has no effect
    import mlx.core as mx
    from mlx_lm.utils import maybe_set_recommended_wired_limit

    from distil.student.checks import check_config, check_template

    folder = Path(path).parent if Path(path).name == LOCK_NAME else Path(path)
    check_model(folder)
    # Metal pages a big model out and in again without this; elsewhere it does nothing.
    maybe_set_recommended_wired_limit()
    model, tokenizer = _open(folder)
    if mx.default_device() == mx.cpu:
        # bfloat16 has no fast path on CPU.
        model.set_dtype(mx.float32)
    model.eval()
    check_config(folder, model)
    check_template(tokenizer)
    return model, tokenizer


def check_unread(folder: Path, decoder: str) -> None:
    """Make the checks of a locked model that need none of its weights, in seconds.

    Args:
        folder: of the model.
        decoder: that the study wants, as `predictions.decoder` names it.

    Raises:
        UnfitModelError: as `load_student`, or the decoder cannot decode the model.
    """
    load_blas()  # before mlx, or it has no effect
    from distil.student.checks import check_config, check_decoder, check_template

    model, tokenizer = _open(folder, lazy=True)
    check_config(folder, model)
    check_template(tokenizer)
    check_decoder(model, decoder)


def _open(folder: Path, *, lazy: bool = False) -> tuple[Any, Any]:
    """Open a model with mlx-lm, whose own errors name neither the file nor a remedy.

    Raises:
        UnfitModelError: it cannot be opened; the message names the file and what to do.
    """
    import mlx_lm

    from distil.student.checks import UnfitModelError

    for names in NEEDED:
        if not any((folder / name).is_file() for name in names):
            raise UnfitModelError(
                f"{folder / names[0]}: no such file; remedy: copy every file of the model's"
                f" repository, not the weights alone, then: distil lock {folder}"
            )
    config = folder / "config.json"
    try:
        json.loads(config.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UnfitModelError(
            f"{config}: is no JSON ({error}); remedy: restore the file of the model's repository,"
            f" then: distil lock {folder}"
        ) from error
    try:
        return mlx_lm.load(str(folder), lazy=lazy)
    except (ValueError, TypeError, KeyError, FileNotFoundError) as error:
        raise UnfitModelError(
            f"{config}: mlx-lm cannot make the model that this file and the weights beside it"
            f" describe ({type(error).__name__}: {error}); remedy: restore config.json and every"
            " *.safetensors file of the model's repository, or choose a model that mlx-lm reads;"
            f" then: distil lock {folder}"
        ) from error
    except RuntimeError as error:
        if "load_safetensors" not in str(error):
            raise
        raise UnfitModelError(
            f"{folder}: a file of weights is not whole ({error}); a text of a few lines that begins"
            " with 'version https://git-lfs' stands for a file that was not downloaded; remedy:"
            f" download it again, then: distil lock {folder}"
        ) from error


def backend() -> str:
    """Name the device that mlx computes on: "cpu", "metal" or "cuda"."""
    load_blas()
    import mlx.core as mx

    if mx.default_device() == mx.cpu:
        return "cpu"
    return "metal" if mx.metal.is_available() else "cuda"


def lock_checked(folder: str | Path) -> Path:
    """Lock a model that passes every check; any other is left without a lock.

    Returns:
        The path of the lock.

    Raises:
        UnfitModelError: what is wrong, with the remedy.
    """
    lock = lock_model(folder)
    try:
        model, _ = load_student(folder)
        from distil.student.checks import check_batching

        check_batching(model)
    except BaseException:  # Ctrl-C, too: what is locked has been checked
        lock.unlink(missing_ok=True)
        raise
    return lock
