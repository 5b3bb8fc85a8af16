"""What a piece of ink says by its shape: a small classifier of printed characters.

A shape is brought to a square of fixed side; the directions of its edges, summed over a grid, go
through one hidden layer (features as for printed characters since Kimura 1987; the net is trained
by `distil.exams.scans.lettering` on characters drawn from free fonts, worn as by a scanner).
Characters that differ in size or height alone (o and O, comma and apostrophe) are one class here;
where they stand tells them apart.
"""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

import cv2
import numpy as np

from distil.exams.errors import ExamError

WEIGHTS = Path(__file__).with_name("shapes.npz")
WEIGHTS_SHA256 = "b110431e608faf35b04c0d2d4f10b2d5c0ecda124b87ca23aea416ad2f0b92f9"
SIDE = 32
INNER = 28
GRID = 7
DIRECTIONS = 8
JUNK = "\x00"
# One class for what differs in size or height alone; its name comes first.
ALIKE = (
    "oO°", "cC", "sS", "vV", "wW", "xX", "zZ", "uU", ",’", ".·", "−-–—_", "Σ∑", "Π∏", "Δ∆", "∈ϵ",
)  # fmt: skip
SINGLE = (
    "0123456789abdefghijklmnpqrtyABDEFGHIJKLMNPQRTY+×÷=±<>≤≥≠≈()[]{}|/\\:;!?%$&#*@‘“”'\"√∞∠∫∪∩∅→"
    "αβγδελμπρστφψωθΓΩ"
)
CLASSES = (*SINGLE, *(group[0] for group in ALIKE), JUNK)
CLASS_OF = {char: char for char in SINGLE} | {char: group[0] for group in ALIKE for char in group}


def normalised(shape: np.ndarray) -> np.ndarray:
    """Return a shape in the middle of a square, long side INNER.

    Args:
        shape: uint8, 0 to 255, ink high, cropped to its box.

    Returns:
        float32, shape (SIDE, SIDE), 0 to 1.
    """
    height, width = shape.shape
    scale = INNER / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(shape, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    square = np.zeros((SIDE, SIDE), dtype=np.float32)
    top, left = (SIDE - small.shape[0]) // 2, (SIDE - small.shape[1]) // 2
    square[top : top + small.shape[0], left : left + small.shape[1]] = small
    return cv2.GaussianBlur(square, (3, 3), 0) / 255


@functools.cache
def windows() -> np.ndarray:
    """Return the weights, (GRID, SIDE), by which rows (or columns) add to the cells of the grid."""
    centres = (np.arange(GRID) + 0.5) * SIDE / GRID
    spread = 0.6 * SIDE / GRID
    found = np.exp(-0.5 * ((np.arange(SIDE) + 0.5 - centres[:, None]) / spread) ** 2)
    return (found / found.sum(axis=1, keepdims=True)).astype(np.float32)


def features(squares: np.ndarray, aspects: np.ndarray) -> np.ndarray:
    """Return the features of shapes.

    Args:
        squares: from `normalised`, (n, SIDE, SIDE).
        aspects: log of width over height, (n,).

    Returns:
        float32, (n, (DIRECTIONS + 1) * GRID ** 2 + 1): square roots of edge strength by direction
        and cell, of ink by cell, and the aspect.
    """
    padded = np.pad(squares, ((0, 0), (1, 1), (1, 1)))
    across = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
    down = padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
    strength = np.hypot(across, down)
    turn = np.arctan2(down, across) * (DIRECTIONS / (2 * np.pi)) % DIRECTIONS
    lower = np.floor(turn).astype(np.int32) % DIRECTIONS
    share = turn - np.floor(turn)
    weight = windows()
    parts = []
    for direction in range(DIRECTIONS):
        plane = strength * (
            np.where(lower == direction, 1 - share, 0)
            + np.where((lower + 1) % DIRECTIONS == direction, share, 0)
        )
        parts.append((weight @ plane @ weight.T).reshape(len(squares), -1))
    parts.append((weight @ squares @ weight.T).reshape(len(squares), -1))
    found = np.sqrt(np.concatenate(parts, axis=1))
    return np.concatenate([found, aspects[:, None]], axis=1).astype(np.float32)


@functools.cache
def weights() -> dict[str, np.ndarray]:
    """Return the trained weights as float32.

    Raises:
        ExamError: the file is missing or not the one this code was made with.
    """
    if not WEIGHTS.is_file():
        raise ExamError(WEIGHTS, "the classifier's weights are missing", "restore the file")
    if hashlib.sha256(WEIGHTS.read_bytes()).hexdigest() != WEIGHTS_SHA256:
        raise ExamError(
            WEIGHTS,
            "the classifier's weights are not those that WEIGHTS_SHA256 names",
            "restore the file, or correct WEIGHTS_SHA256 if the new weights are meant",
        )
    with np.load(WEIGHTS) as stored:
        return {name: stored[name].astype(np.float32) for name in stored.files}


def classify(shapes: list[np.ndarray]) -> np.ndarray:
    """Return what shapes say.

    Args:
        shapes: uint8 each, 0 to 255, ink high, cropped to its box.

    Returns:
        Probabilities, (n, len(CLASSES)).

    Raises:
        ExamError: as `weights`.
    """
    if not shapes:
        return np.zeros((0, len(CLASSES)), dtype=np.float32)
    net = weights()
    squares = np.stack([normalised(shape) for shape in shapes])
    aspects = np.log(
        np.array([shape.shape[1] / shape.shape[0] for shape in shapes], dtype=np.float32)
    )
    return forward(net, features(squares, aspects))[-1]


def forward(net: dict[str, np.ndarray], rows: np.ndarray) -> list[np.ndarray]:
    """Return the activations of the hidden layer and the probabilities of the classes."""
    hidden = np.maximum((rows - net["mean"]) / net["scale"] @ net["w1"] + net["b1"], 0)
    scores = hidden @ net["w2"] + net["b2"]
    scores -= scores.max(axis=1, keepdims=True)
    raised = np.exp(scores)
    return [hidden, raised / raised.sum(axis=1, keepdims=True)]
