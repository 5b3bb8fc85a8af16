"""A student small enough to make in seconds, and rows of toy arithmetic to teach it."""

from pathlib import Path

import numpy as np

from distil.synthetic.pretraining import build_student

SHAPE = {"hidden": 32, "layers": 2, "heads": 2, "feed_forward": 64, "positions": 160}
SETTINGS = {"batch_tokens": 1024, "warmup": 10, "learning_rate": 1e-2, "seed": 3}


def draw_pairs(count: int, seed: int) -> list[tuple[str, str]]:
    """Questions and answers of three lengths."""
    random = np.random.default_rng(seed)
    pairs = []
    for _ in range(count):
        a, b, c = (int(n) for n in random.integers(2, 60, 3))
        pairs.append(
            [
                (f"Name all steps.\nFind {a} + {b} - {c}.", f"{a} + {b} = {a + b}\n= {a + b - c}"),
                (f"Answer.\nWhat is {a} + {b}?", f"{a + b}"),
                (f"Last step.\nA box holds {a} and {b} more. How many?", f"= {a + b}"),
            ][int(random.integers(3))]
        )
    return pairs


def chat_rows(pairs: list[tuple[str, str]]) -> list[dict]:
    """The rows of a training file."""
    return [
        {
            "id": f"row-{i}",
            "messages": [
                {"role": "user", "content": message},
                {"role": "assistant", "content": response},
            ],
        }
        for i, (message, response) in enumerate(pairs)
    ]


def make_student(folder: Path, tokens: int = 40_000) -> Path:
    """Pre-train a tiny student in a folder; returns the model's folder."""
    build_student(
        iter(draw_pairs(tokens // 8, 1)),
        draw_pairs(300, 2),
        folder / "model",
        folder / "state.safetensors",
        tokens,
        SETTINGS,
        SHAPE,
        vocabulary=300,
    )
    return folder / "model"
